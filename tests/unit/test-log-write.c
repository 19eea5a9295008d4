/* SPDX-License-Identifier: Apache-2.0 */
#include "output-kit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "container/exit_record.h"
#include "container/log_write.h"

static struct log_writer writer;

#define AT INT64_C(1767323045123000000) /* 2026-01-02T03:04:05.123Z */
#define TIME "\",\"time\":\"2026-01-02T03:04:05.123Z\"}\n"
#define OUT(text) "{\"log\":\"" text "\",\"stream\":\"stdout" TIME
#define ERR(text) "{\"log\":\"" text "\",\"stream\":\"stderr" TIME

static void start(int64_t max_size, unsigned max_file)
{
    log_writer_start(&writer, kit_directory(), max_size, max_file);
}

static void add(enum log_stream stream, const char *text)
{
    log_writer_add(&writer, stream, text, strlen(text), AT);
}

static void assert_log(const char *name, const char *expected)
{
    autofree char *is = kit_file(name);
    assert_string_equal(is, expected);
}

static void each_line_is_an_entry_of_its_stream(void **state)
{
    (void)state;
    start(0, 1);
    add(LOG_STDOUT, "one\ntwo\n");
    add(LOG_STDERR, "three\n\n");
    log_writer_close(&writer);
    assert_log(LOG_NAME, OUT("one\\n") OUT("two\\n") ERR("three\\n") ERR("\\n"));
}

static void lines_are_put_together_at_any_boundary(void **state)
{
    (void)state;
    start(0, 1);
    for (const char *at = "ab\ncd\n"; *at; at++) {
        log_writer_add(&writer, LOG_STDOUT, at, 1, AT);
        add(LOG_STDERR, "x");
    }
    log_writer_end(&writer, LOG_STDERR, AT);
    log_writer_close(&writer);
    assert_log(LOG_NAME, OUT("ab\\n") OUT("cd\\n") ERR("xxxxxx"));
}

static void text_is_escaped_as_docker_does(void **state)
{
    (void)state;
    start(0, 1);
    add(LOG_STDOUT,
        "a\tb\"c\\d<e>f&g\r\x01\x7f \xe2\x82\xac \xe2\x80\xa8\xe2\x80\xa9 \xf0\x9f\x98\x80\n");
    log_writer_close(&writer);
    assert_log(LOG_NAME,
               OUT("a\\u0009b\\\"c\\\\d\\u003ce\\u003ef\\u0026g\\r\\u0001\x7f \xe2\x82\xac "
                   "\\u2028\\u2029 \xf0\x9f\x98\x80\\n"));
}

static void each_byte_that_is_no_utf8_becomes_a_replacement(void **state)
{
    (void)state;
    start(0, 1);
    add(LOG_STDOUT, "\xff"
                    "a\xc0\xaf\xe2\x82"
                    "b\xed\xa0\x80\xf4\x90\x80\x80\n");
    log_writer_close(&writer);
#define R "\\ufffd"
    assert_log(LOG_NAME, OUT(R "a" R R R R "b" R R R R R R R "\\n"));
#undef R
}

static void special_characters_are_found_at_every_offset(void **state)
{
    (void)state;
    static const char special[] = "\"\\<>&\t\x1f\x80";
    for (size_t offset = 0; offset < 24; offset++)
        for (size_t i = 0; i < sizeof special - 1; i++) {
            char line[32], expected[256];
            memset(line, 'p', sizeof line);
            line[offset] = special[i];
            line[25] = '\n';
            unlinkat(kit_directory(), LOG_NAME, 0);
            start(0, 1);
            log_writer_add(&writer, LOG_STDOUT, line, 26, AT);
            log_writer_close(&writer);
            static const char *const as[] = {"\\\"",    "\\\\",    "\\u003c", "\\u003e",
                                             "\\u0026", "\\u0009", "\\u001f", "\\ufffd"};
            snprintf(expected, sizeof expected, OUT("%.*s%s%.*s\\n"), (int)offset, line, as[i],
                     (int)(24 - offset), line + offset + 1);
            assert_log(LOG_NAME, expected);
        }
}

static void the_time_has_no_zeros_at_its_end(void **state)
{
    (void)state;
    start(0, 1);
    log_writer_add(&writer, LOG_STDOUT, "\n", 1, INT64_C(1767323045000000000));
    log_writer_add(&writer, LOG_STDOUT, "\n", 1, INT64_C(1767323045000000001));
    log_writer_close(&writer);
    assert_log(LOG_NAME,
               "{\"log\":\"\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05Z\"}\n"
               "{\"log\":\"\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05."
               "000000001Z\"}\n");
}

/* Lengths of the texts, in bytes of output, and whether each ended its line. */
static size_t entry_lengths(int lengths[], bool ends[], size_t capacity)
{
    autofree char *log = kit_file(LOG_NAME);
    size_t count = 0;
    for (char *at = log; *at && count < capacity; count++) {
        char *text = at + strlen("{\"log\":\""), *stop = strstr(text, "\",\"stream\"");
        ends[count] = stop[-1] == 'n' && stop[-2] == '\\';
        lengths[count] = (int)(stop - text) - ends[count];
        at = strchr(at, '\n') + 1;
    }
    return count;
}

static void long_lines_become_entries_of_16_kib(void **state)
{
    (void)state;
    static char line[100000];
    static const int chunks[] = {1, 4096, 65536};
    for (size_t c = 0; c < 3; c++) {
        int lengths[16];
        bool ends[16];
        memset(line, 'x', sizeof line);
        line[40000] = '\n';
        unlinkat(kit_directory(), LOG_NAME, 0);
        start(0, 1);
        for (size_t at = 0; at < 40001; at += (size_t)chunks[c]) {
            size_t left = 40001 - at;
            log_writer_add(&writer, LOG_STDOUT, line + at,
                           left < (size_t)chunks[c] ? left : (size_t)chunks[c], AT);
        }
        log_writer_close(&writer);
        assert_int_equal(entry_lengths(lengths, ends, 16), 3);
        assert_int_equal(lengths[0], 16384);
        assert_int_equal(lengths[1], 16384);
        assert_int_equal(lengths[2], 40001 - 2 * 16384);
        assert_false(ends[0] || ends[1]);
        assert_true(ends[2]);
    }
}

static void a_character_is_not_cut_between_two_entries(void **state)
{
    (void)state;
    static char line[16384 + 8];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(line, 'x', sizeof line);
        memcpy(line + 16384 - shift, "\xf0\x9f\x98\x80", 4);
        line[sizeof line - 1] = '\n';
        unlinkat(kit_directory(), LOG_NAME, 0);
        start(0, 1);
        log_writer_add(&writer, LOG_STDOUT, line, sizeof line, AT);
        log_writer_close(&writer);
        autofree char *log = kit_file(LOG_NAME);
        assert_null(strstr(log, "\\ufffd"));
        assert_non_null(strstr(log, "\xf0\x9f\x98\x80"));
    }
}

static int64_t file_size(const char *name)
{
    struct stat st;
    return fstatat(kit_directory(), name, &st, 0) < 0 ? -1 : st.st_size;
}

static void files_rotate_at_every_boundary_and_never_grow_over_their_size(void **state)
{
    (void)state;
    const int64_t entry = (int64_t)strlen(OUT("12345678\\n"));
    for (int64_t max = entry - 1; max <= 3 * entry + 1; max++)
        for (int flush_each = 0; flush_each < 2; flush_each++) {
            start(max, 100);
            for (int i = 0; i < 20; i++) {
                char line[16];
                snprintf(line, sizeof line, "%08d\n", i);
                add(LOG_STDOUT, line);
                if (flush_each)
                    log_writer_flush(&writer);
            }
            log_writer_close(&writer);
            struct buf all = {0};
            int64_t fits = max < entry ? 1 : max / entry;
            for (int i = 99; i >= 0; i--) {
                char name[LOG_FILE_NAME_MAX];
                log_file_name((unsigned)i, name);
                int64_t size = file_size(name);
                if (size < 0)
                    continue;
                assert_true(size <= fits * entry);
                assert_true(i == 0 || size == fits * entry);
                autofree char *text = kit_file(name);
                buf_str(&all, text);
                unlinkat(kit_directory(), name, 0);
            }
            for (int i = 0; i < 20; i++) {
                char expected[128];
                snprintf(expected, sizeof expected, OUT("%08d\\n"), i);
                assert_memory_equal(all.data + i * entry, expected, (size_t)entry);
            }
            assert_int_equal(all.len, 20 * entry);
            assert_int_equal(writer.dropped, 0);
            buf_free(&all);
        }
}

static void only_so_many_files_are_kept(void **state)
{
    (void)state;
    kit_write_file("container.log.3", "old\n");
    kit_write_file("container.log.4", "old\n");
    start(100, 3);
    for (int i = 0; i < 10; i++)
        add(LOG_STDOUT, "12345678\n");
    log_writer_close(&writer);
    assert_true(file_size("container.log") > 0);
    assert_true(file_size("container.log.1") > 0);
    assert_true(file_size("container.log.2") > 0);
    assert_int_equal(file_size("container.log.3"), -1);
    assert_int_equal(file_size("container.log.4"), -1);
}

static void one_file_begins_again(void **state)
{
    (void)state;
    start(100, 1);
    add(LOG_STDOUT, "first\n");
    add(LOG_STDOUT, "second\n");
    log_writer_close(&writer);
    assert_log(LOG_NAME, OUT("second\\n"));
    assert_int_equal(file_size("container.log.1"), -1);
}

static void the_size_of_an_existing_file_counts(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        start(120, 2);
        add(LOG_STDOUT, "one line\n");
        log_writer_close(&writer);
    }
    assert_log(LOG_NAME, OUT("one line\\n"));
    assert_log("container.log.1", OUT("one line\\n"));
}

static void a_line_that_a_crash_cut_is_ended_first(void **state)
{
    (void)state;
    kit_write_file(LOG_NAME, "{\"log\":\"cu");
    start(0, 1);
    add(LOG_STDOUT, "next\n");
    log_writer_close(&writer);
    assert_log(LOG_NAME, "{\"log\":\"cu\n" OUT("next\\n"));
}

static void without_a_directory_everything_is_discarded(void **state)
{
    (void)state;
    log_writer_start(&writer, -1, 0, 1);
    add(LOG_STDOUT, "text\nrest");
    log_writer_end(&writer, LOG_STDOUT, AT);
    log_writer_close(&writer);
    assert_int_equal(writer.dropped, 0);
    assert_int_equal(file_size(LOG_NAME), -1);
}

static void what_cannot_be_written_is_counted(void **state)
{
    (void)state;
    assert_int_equal(mkdirat(kit_directory(), LOG_NAME, 0700), 0);
    start(1000, 3);
    add(LOG_STDOUT, "a\nb\nc\n");
    log_writer_flush(&writer);
    assert_int_equal(writer.dropped, 3);
    assert_int_equal(writer.dropped_errno, EISDIR);
    assert_int_equal(unlinkat(kit_directory(), LOG_NAME, AT_REMOVEDIR), 0);
    add(LOG_STDOUT, "d\n");
    log_writer_close(&writer);
    assert_int_equal(writer.dropped, 3);
    assert_log(LOG_NAME, OUT("d\\n"));
}

static bool whole_lines(const char *text)
{
    for (const char *at = text; *at;) {
        const char *end = strchr(at, '\n');
        if (!end || strncmp(at, "{\"log\":\"", 8) != 0 || end[-1] != '}')
            return false;
        at = end + 1;
    }
    return true;
}

/* In a mount namespace of its own, on a file system of 64 KiB over the directory. */
static int write_to_a_full_disk(void *argument)
{
    (void)argument;
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", kit_path(), "tmpfs", 0, "size=64k") < 0)
        return 77;
    autofd dir = open(kit_path(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return 4;
    log_writer_start(&writer, dir, 0, 1);
    for (int i = 0; i < 3000; i++) {
        add(LOG_STDOUT, "a line that takes some room on a small disk\n");
        if (i % 7 == 0)
            log_writer_flush(&writer);
    }
    log_writer_flush(&writer);
    if (writer.dropped == 0 || writer.dropped_errno != ENOSPC)
        return 5;
    uint64_t dropped = writer.dropped;
    autofd log = openat(dir, LOG_NAME, O_RDWR | O_CLOEXEC);
    autofree char *text = kit_drain(log);
    size_t lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    if (!whole_lines(text) || lines + dropped != 3000)
        return 6;
    if (ftruncate(log, 0) < 0) /* room again; the writer appends */
        return 7;
    add(LOG_STDOUT, "after\n");
    log_writer_close(&writer);
    autofd again = openat(dir, LOG_NAME, O_RDONLY | O_CLOEXEC);
    autofree char *after = kit_drain(again);
    return strcmp(after, OUT("after\\n")) == 0 && writer.dropped == dropped ? 0 : 8;
}

static void a_full_disk_loses_whole_lines_and_nothing_else(void **state)
{
    (void)state;
    int status = kit_wait(kit_fork(write_to_a_full_disk, NULL));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip(); /* no mount namespaces here */
    assert_int_equal(status, 0);
}

static void random_bytes_give_one_json_line_for_each_entry(void **state)
{
    (void)state;
    unsigned seed = 7;
    static char bytes[5000];
    start(0, 1);
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (char)rand_r(&seed);
        log_writer_add(&writer, round & 1, bytes, (size_t)rand_r(&seed) % sizeof bytes, AT);
    }
    log_writer_close(&writer);
    autofree char *text = kit_file(LOG_NAME);
    assert_true(whole_lines(text));
}

static void the_exit_record_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct exit_record record;
    assert_int_equal(exit_record_read(kit_directory(), &record), -ENOENT);
    assert_int_equal(exit_record_write(kit_directory(), W_EXITCODE(7, 0), AT), 0);
    assert_log("exit", "7 0 1767323045123000000\n");
    assert_int_equal(exit_record_read(kit_directory(), &record), 0);
    assert_int_equal(record.code, 7);
    assert_int_equal(record.signal, 0);
    assert_int_equal(record.finished, AT);
    assert_int_equal(exit_record_write(kit_directory(), W_EXITCODE(0, SIGKILL) | 0x80, AT), 0);
    assert_int_equal(exit_record_read(kit_directory(), &record), 0);
    assert_int_equal(record.code, 137);
    assert_int_equal(record.signal, SIGKILL);
    assert_int_equal(exit_record_remove(kit_directory()), 0);
    assert_int_equal(exit_record_remove(kit_directory()), 0);
    assert_int_equal(exit_record_read(kit_directory(), &record), -ENOENT);
}

static void a_damaged_exit_record_is_refused(void **state)
{
    (void)state;
    static const char *const damaged[] = {
        "7 0\n",     "7 0 1",    "7 0 1\n2", "x 0 1\n",
        "256 0 1\n", "7 -1 1\n", "7  0 1\n", "7 0 99999999999999999999\n",
        "-\n"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        struct exit_record record = {.code = 42};
        kit_write_file("exit", damaged[i]);
        assert_int_equal(exit_record_read(kit_directory(), &record), -EINVAL);
        assert_int_equal(record.code, 42);
    }
    kit_write_file("exit", ""); /* what a power cut leaves */
    assert_int_equal(exit_record_read(kit_directory(), &(struct exit_record){0}), -ENOENT);
}

static void times_are_those_of_the_c_library(void **state)
{
    (void)state;
    unsigned seed = 3;
    for (int i = 0; i < 20000; i++) {
        int64_t seconds = (int64_t)rand_r(&seed) * 4 - INT64_C(4000000000) + rand_r(&seed) % 100;
        nanoseconds back, when = seconds * NSEC_PER_SEC + rand_r(&seed) % NSEC_PER_SEC;
        char is[RFC3339_MAX], expected[RFC3339_MAX];
        time_t t = seconds;
        struct tm tm;
        size_t n = strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S", gmtime_r(&t, &tm));
        snprintf(expected + n, sizeof expected - n, ".%09dZ", (int)(when - seconds * NSEC_PER_SEC));
        format_rfc3339(when, is);
        assert_string_equal(is, expected);
        assert_int_equal(parse_rfc3339(is, &back), 0);
        assert_true(back == when);
    }
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        T(each_line_is_an_entry_of_its_stream),
        T(lines_are_put_together_at_any_boundary),
        T(text_is_escaped_as_docker_does),
        T(each_byte_that_is_no_utf8_becomes_a_replacement),
        T(special_characters_are_found_at_every_offset),
        T(the_time_has_no_zeros_at_its_end),
        T(long_lines_become_entries_of_16_kib),
        T(a_character_is_not_cut_between_two_entries),
        T(files_rotate_at_every_boundary_and_never_grow_over_their_size),
        T(only_so_many_files_are_kept),
        T(one_file_begins_again),
        T(the_size_of_an_existing_file_counts),
        T(a_line_that_a_crash_cut_is_ended_first),
        T(without_a_directory_everything_is_discarded),
        T(what_cannot_be_written_is_counted),
        T(a_full_disk_loses_whole_lines_and_nothing_else),
        T(random_bytes_give_one_json_line_for_each_entry),
        T(the_exit_record_is_read_as_it_was_written),
        T(a_damaged_exit_record_is_refused),
        T(times_are_those_of_the_c_library),
    };
    return cmocka_run_group_tests_name("log_write", tests, NULL, NULL);
}
