/* SPDX-License-Identifier: Apache-2.0 */
#include "output-kit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "container/exit_record.h"
#include "container/log_line.h"
#include "container/log_read.h"
#include "container/log_write.h"

static struct log_writer writer;

#define SECOND(n) (INT64_C(1767323045000000000) + (n)*NSEC_PER_SEC) /* 2026-01-02T03:04:05Z */

static void start(int64_t max_size, unsigned max_file)
{
    log_writer_start(&writer, kit_directory(), max_size, max_file);
}

static void add(enum log_stream stream, const char *text, nanoseconds when)
{
    log_writer_add(&writer, stream, text, strlen(text), when);
}

/* "0\n1\n…", one a second. */
static void add_numbers(int from, int to)
{
    char line[16];
    for (int i = from; i < to; i++) {
        snprintf(line, sizeof line, "%d\n", i);
        add(LOG_STDOUT, line, SECOND(i));
    }
}

struct output {
    char *out, *err;
};

static void output_free(struct output *output)
{
    free(output->out);
    free(output->err);
}
#define autooutput __attribute__((cleanup(output_free))) struct output

static struct output read_log(struct log_query query)
{
    struct error err = {0};
    autofd out = memfd_create("out", MFD_CLOEXEC), other = memfd_create("err", MFD_CLOEXEC);
    if (query.out == 1)
        query.out = out;
    if (query.err == 2)
        query.err = other;
    int rc = log_read(kit_directory(), &query, &err);
    if (rc < 0)
        fail_msg("%s", err.text);
    lseek(out, 0, SEEK_SET);
    lseek(other, 0, SEEK_SET);
    return (struct output){kit_drain(out), kit_drain(other)};
}

static void assert_output(struct log_query query, const char *out, const char *err)
{
    autooutput is = read_log(query);
    assert_string_equal(is.out, out);
    assert_string_equal(is.err, err);
}

static struct log_query tail_of(int64_t lines)
{
    struct log_query query = LOG_QUERY_ALL;
    query.tail = lines;
    return query;
}

static void each_stream_goes_its_way(void **state)
{
    (void)state;
    start(0, 1);
    add(LOG_STDOUT, "a <\t\xff\n", SECOND(0));
    add(LOG_STDERR, "b\n", SECOND(0));
    log_writer_close(&writer);
    assert_output(LOG_QUERY_ALL, "a <\t\xef\xbf\xbd\n", "b\n");
    struct log_query query = LOG_QUERY_ALL;
    query.err = -1;
    assert_output(query, "a <\t\xef\xbf\xbd\n", "");
}

static void no_log_is_no_output(void **state)
{
    (void)state;
    assert_output(LOG_QUERY_ALL, "", "");
    assert_output(tail_of(5), "", "");
}

static void timestamps_have_nine_digits_and_stand_before_lines_only(void **state)
{
    (void)state;
    static char line[20000];
    memset(line, 'x', sizeof line - 2);
    line[sizeof line - 2] = '\n';
    start(0, 1);
    add(LOG_STDOUT, line, SECOND(0) + 120000000);
    add(LOG_STDOUT, "next\n", SECOND(1));
    log_writer_close(&writer);
    struct log_query query = LOG_QUERY_ALL;
    query.timestamps = true;
    static char expected[21000];
    snprintf(expected, sizeof expected,
             "2026-01-02T03:04:05.120000000Z %s2026-01-02T03:04:06.000000000Z next\n", line);
    assert_output(query, expected, "");
}

static void since_and_until_are_inclusive(void **state)
{
    (void)state;
    start(200, 50);
    add_numbers(0, 10);
    log_writer_close(&writer);
    struct log_query query = LOG_QUERY_ALL;
    query.since = SECOND(3);
    query.until = SECOND(5);
    assert_output(query, "3\n4\n5\n", "");
    query.since = SECOND(3) + 1;
    query.until = SECOND(6) - 1;
    assert_output(query, "4\n5\n", "");
    query.tail = 1;
    assert_output(query, "5\n", "");
}

static void the_last_lines_are_found_across_files(void **state)
{
    (void)state;
    start(200, 50); /* some lines a file */
    add_numbers(0, 30);
    log_writer_close(&writer);
    for (int n = 0; n <= 32; n++) {
        char expected[256];
        size_t length = 0;
        expected[0] = '\0';
        for (int i = n > 30 ? 0 : 30 - n; i < 30; i++)
            length += (size_t)snprintf(expected + length, sizeof expected - length, "%d\n", i);
        assert_output(tail_of(n), expected, "");
    }
}

static void a_line_in_many_entries_is_one_of_the_last_lines(void **state)
{
    (void)state;
    static char line[50000];
    memset(line, 'x', sizeof line - 2);
    line[sizeof line - 2] = '\n';
    start(0, 1);
    add(LOG_STDOUT, "before\n", SECOND(0));
    add(LOG_STDOUT, line, SECOND(1));
    add(LOG_STDOUT, "unfinished", SECOND(2));
    log_writer_end(&writer, LOG_STDOUT, SECOND(2));
    log_writer_close(&writer);
    assert_output(tail_of(1), "unfinished", "");
    static char expected[51000];
    snprintf(expected, sizeof expected, "%sunfinished", line);
    assert_output(tail_of(2), expected, "");
}

static void the_last_lines_are_found_where_lines_are_long(void **state)
{
    (void)state;
    static char line[16000];
    memset(line, '\x01', sizeof line - 2); /* six times as long in the file */
    line[sizeof line - 2] = '\n';
    start(0, 1);
    for (int i = 0; i < 5; i++) {
        line[0] = (char)('0' + i);
        add(LOG_STDOUT, line, SECOND(i));
    }
    log_writer_close(&writer);
    for (int n = 1; n <= 5; n++) {
        autooutput is = read_log(tail_of(n));
        assert_int_equal(strlen(is.out), (size_t)n * strlen(line));
        assert_int_equal(is.out[0], '5' - n);
    }
}

static void what_is_no_entry_is_skipped(void **state)
{
    (void)state;
#define ENTRY(text)                                                                                \
    "{\"log\":\"" text "\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05Z\"}\n"
    kit_write_file(LOG_NAME, "\n\n{}\nnull\n\x01\x02\n" ENTRY("a") "{\"log\":\"cut" ENTRY("lost")
                                 ENTRY("b") "{\"log\":\"unfinished");
    assert_output(LOG_QUERY_ALL, "a\nb\n", "");
    assert_output(tail_of(1), "b\n", "");
    assert_output(tail_of(9), "a\nb\n", "");
}

static void a_line_longer_than_any_entry_is_skipped(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_str(&text, ENTRY("a"));
    for (int i = 0; i < 600000; i++)
        buf_char(&text, 'x');
    buf_str(&text, "\n" ENTRY("b"));
    kit_write_file(LOG_NAME, text.data);
    buf_free(&text);
    assert_output(LOG_QUERY_ALL, "a\nb\n", "");
    assert_output(tail_of(2), "a\nb\n", "");
}

static int parse(const char *text, struct log_line *line)
{
    static char copy[512];
    snprintf(copy, sizeof copy, "%s", text);
    return log_line_parse(copy, strlen(text), line);
}

static void entries_of_other_writers_are_understood(void **state)
{
    (void)state;
    struct log_line line;
    assert_int_equal(
        parse(
            "{ \"time\" : \"2026-01-02T03:04:05+01:00\", \"attrs\":{\"a\":[\"}\",1]}, \"n\":-1.5e3,"
            "\"b\":true, \"stream\":\"stderr\", \"log\":\"\\u00e4\\ud83d\\ude00\\ud83d\\/\\b\\n\"}",
            &line),
        0);
    assert_int_equal(line.stream, LOG_STDERR);
    static const char text[] = "\xc3\xa4\xf0\x9f\x98\x80\xef\xbf\xbd/\b\n";
    assert_int_equal(line.length, sizeof text - 1);
    assert_memory_equal(line.text, text, line.length);
    nanoseconds when;
    assert_int_equal(log_line_time(&line, &when), 0);
    assert_true(when == SECOND(-3600));
}

static void entries_that_are_not_quite_json_are_refused(void **state)
{
    (void)state;
#define REST ",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05Z\"}"
    static const char *const refused[] = {
        "",
        "{",
        "{\"log\":\"a\"" REST "x",
        "{\"log\":\"a" REST,
        "{\"log\":\"\\x\"" REST,
        "{\"log\":\"\\u12g4\"" REST,
        "{\"log\":\"a\tb\"" REST,
        "{\"log\":1" REST,
        "{\"log\":\"a\",\"log\":\"b\"" REST,
        "{\"log\":\"a\",\"x\":[[[[[[[[[[]]]]]]]]]]" REST,
        "{\"log\":\"a\",\"x\":}" REST,
        "{\"log\":\"a\",}",
        "{\"log\":\"a\",\"stream\":\"stdin\",\"time\":\"2026-01-02T03:04:05Z\"}",
        "{\"log\":\"a\",\"stream\":\"stdout\"}",
        "[\"log\"]",
    };
    struct log_line line;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (parse(refused[i], &line) == 0)
            fail_msg("taken for an entry: %s", refused[i]);
    assert_int_equal(parse("{\"log\":\"a\"" REST, &line), 0);
}

/* --- following ---------------------------------------------------------------------------------
 */

struct follower {
    pid_t pid;
    int out;
};

/* `logs --follow` in a child, whose output comes through a pipe. */
static struct follower follow(struct log_query query)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    query.follow = true;
    query.out = ends[1];
    query.err = ends[1];
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        close(ends[0]);
        _exit(-log_read(kit_directory(), &query, NULL));
    }
    close(ends[1]);
    return (struct follower){pid, ends[0]};
}

static void expect(const struct follower *follower, const char *text)
{
    char got[64] = "";
    size_t length = strlen(text);
    assert_true(length < sizeof got);
    assert_int_equal(read_full(follower->out, got, length), length);
    assert_string_equal(got, text);
}

static void assert_ends(struct follower *follower, int status)
{
    char more;
    assert_int_equal(read(follower->out, &more, 1), 0);
    close(follower->out);
    assert_int_equal(kit_wait(follower->pid), W_EXITCODE(status, 0));
}

static struct log_query until_exit(void)
{
    struct log_query query = LOG_QUERY_ALL;
    query.state_dir = kit_directory();
    return query;
}

static void following_shows_lines_as_they_come_and_ends_with_the_container(void **state)
{
    (void)state;
    struct follower follower = follow(until_exit());
    start(0, 1);
    add(LOG_STDOUT, "one\n", SECOND(0));
    log_writer_flush(&writer);
    expect(&follower, "one\n");
    add(LOG_STDERR, "two\n", SECOND(0));
    log_writer_close(&writer);
    expect(&follower, "two\n");
    assert_int_equal(exit_record_write(kit_directory(), 0, SECOND(1)), 0);
    assert_ends(&follower, 0);
}

static void following_none_of_the_past_shows_only_the_future(void **state)
{
    (void)state;
    start(0, 1);
    add(LOG_STDOUT, "past\n", SECOND(0));
    log_writer_flush(&writer);
    struct log_query query = until_exit();
    query.tail = 0;
    struct follower follower = follow(query);
    usleep(100000);
    add(LOG_STDOUT, "future\n", SECOND(0));
    log_writer_close(&writer);
    expect(&follower, "future\n");
    assert_int_equal(exit_record_write(kit_directory(), 0, SECOND(1)), 0);
    assert_ends(&follower, 0);
}

static void an_entry_that_is_half_written_is_waited_for(void **state)
{
    (void)state;
    static const char entry[] = ENTRY("whole");
    struct follower follower = follow(until_exit());
    autofd log = openat(kit_directory(), LOG_NAME, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (size_t i = 0; i < sizeof entry - 1; i++) {
        assert_int_equal(write(log, entry + i, 1), 1);
        if (i % 16 == 0)
            usleep(1000);
    }
    expect(&follower, "whole\n");
    assert_int_equal(exit_record_write(kit_directory(), 0, SECOND(1)), 0);
    assert_ends(&follower, 0);
}

/* The writer waits now and then, so that the reader, however slow the machine, is never further
 * behind than the files that are kept. */
static void following_across_rotation_neither_loses_nor_doubles_a_line(void **state)
{
    (void)state;
    enum { LINES = 20000, AHEAD = 200 };
    struct follower follower = follow(until_exit());
    char line[16], got[16];
    int shown = 0;
    start(1000, 50); /* a rotation every dozen lines */
    for (int i = 0; i < LINES; i++) {
        snprintf(line, sizeof line, "%07d\n", i);
        add(LOG_STDOUT, line, SECOND(0));
        if (i % 3 == 0)
            log_writer_flush(&writer);
        for (; i % AHEAD == AHEAD - 1 && shown < i; shown++) {
            log_writer_flush(&writer);
            snprintf(line, sizeof line, "%07d\n", shown);
            assert_int_equal(read_full(follower.out, got, 8), 8);
            assert_memory_equal(got, line, 8);
        }
    }
    log_writer_close(&writer);
    assert_int_equal(exit_record_write(kit_directory(), 0, SECOND(1)), 0);
    for (; shown < LINES; shown++) {
        snprintf(line, sizeof line, "%07d\n", shown);
        assert_int_equal(read_full(follower.out, got, 8), 8);
        assert_memory_equal(got, line, 8);
    }
    assert_ends(&follower, 0);
}

static void reading_while_files_rotate_gives_a_row_without_gap(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        char line[16];
        start(2000, 20);
        for (int i = 0;; i = (i + 1) % 10000000) {
            snprintf(line, sizeof line, "%07d\n", i);
            add(LOG_STDOUT, line, SECOND(0));
            log_writer_flush(&writer);
        }
    }
    for (int round = 0; round < 100; round++) {
        autooutput is = read_log(round & 1 ? tail_of(30) : LOG_QUERY_ALL);
        int previous = -1;
        for (char *at = is.out; *at; at += 8) {
            int number = (int)strtol(at, NULL, 10);
            if (previous >= 0)
                assert_int_equal(number, previous + 1);
            previous = number;
        }
    }
    kill(pid, SIGKILL);
    (void)kit_wait(pid);
}

static void following_ends_when_the_writer_died_without_a_record(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    struct log_query query = until_exit();
    autofd pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    query.pidfd = pidfd;
    start(0, 1);
    add(LOG_STDOUT, "last\n", SECOND(0));
    log_writer_close(&writer);
    struct follower follower = follow(query);
    expect(&follower, "last\n");
    kill(pid, SIGKILL);
    assert_ends(&follower, 0);
    (void)kit_wait(pid);
}

static void following_ends_at_until(void **state)
{
    (void)state;
    struct log_query query = until_exit();
    query.until = clock_wall() + NSEC_PER_SEC / 5;
    struct follower follower = follow(query);
    assert_ends(&follower, 0);
    assert_true(clock_wall() >= query.until);
}

static void following_ends_when_nobody_reads(void **state)
{
    (void)state;
    struct follower follower = follow(until_exit());
    usleep(50000);
    close(follower.out);
    assert_int_equal(kit_wait(follower.pid), W_EXITCODE(EPIPE, 0));
}

static void a_million_short_lines_come_out_right(void **state)
{
    (void)state;
    enum { LINES = 1000000 };
    start(0, 1);
    add_numbers(0, LINES);
    log_writer_close(&writer);
    nanoseconds begin = clock_monotonic();
    autooutput is = read_log(LOG_QUERY_ALL);
    print_message("read at %.0f MB/s of log file\n",
                  (double)writer.size * 1e3 / (double)(clock_monotonic() - begin));
    const char *at = is.out;
    for (int i = 0; i < LINES; i++) {
        char *end;
        if (strtol(at, &end, 10) != i || *end != '\n')
            fail_msg("line %d is wrong", i);
        at = end + 1;
    }
    assert_int_equal(*at, '\0');
    assert_output(tail_of(2), "999998\n999999\n", "");
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
#define T(test) cmocka_unit_test_setup_teardown(test, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        T(each_stream_goes_its_way),
        T(no_log_is_no_output),
        T(timestamps_have_nine_digits_and_stand_before_lines_only),
        T(since_and_until_are_inclusive),
        T(the_last_lines_are_found_across_files),
        T(a_line_in_many_entries_is_one_of_the_last_lines),
        T(the_last_lines_are_found_where_lines_are_long),
        T(what_is_no_entry_is_skipped),
        T(a_line_longer_than_any_entry_is_skipped),
        T(entries_of_other_writers_are_understood),
        T(entries_that_are_not_quite_json_are_refused),
        T(following_shows_lines_as_they_come_and_ends_with_the_container),
        T(following_none_of_the_past_shows_only_the_future),
        T(an_entry_that_is_half_written_is_waited_for),
        T(following_across_rotation_neither_loses_nor_doubles_a_line),
        T(reading_while_files_rotate_gives_a_row_without_gap),
        T(following_ends_when_the_writer_died_without_a_record),
        T(following_ends_at_until),
        T(following_ends_when_nobody_reads),
        T(a_million_short_lines_come_out_right),
    };
    return cmocka_run_group_tests_name("log_read", tests, NULL, NULL);
}
