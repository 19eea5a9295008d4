/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to the journal, and entries that come back from it. */
#include "output-kit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/memory.h"
#include "container/journal.h"
#include "container/journal_export.h"
#include "container/journal_fields.h"

#define AT INT64_C(1767323045123000000) /* 2026-01-02T03:04:05.123Z */
#define STAMP "SYSLOG_TIMESTAMP=2026-01-02T03:04:05.123000000Z\n"
#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static struct journal journal;

/* --- sending ---------------------------------------------------------------------------------- */

/* The journal's end of a socket whose other end `journal` has. */
static int listener(void)
{
    int pair[2];
    int fields = memfd_create("fields", MFD_CLOEXEC);
    const struct timeval soon = {.tv_usec = 50000};
    assert_int_equal(write(fields, "F=1\n", 4), 4);
    assert_int_equal(journal_start(&journal, fields), 0);
    close(fields);
    journal_close(&journal);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon), 0);
    journal.socket = pair[0];
    journal_turn(&journal);
    return pair[1];
}

static void a_line_is_one_datagram_whose_length_is_told(void **state)
{
    (void)state;
    static const char expected[] = "F=1\nPRIORITY=3\n" STAMP "MESSAGE\n\3\0\0\0\0\0\0\0a=b\n";
    char got[256];
    autofd peer = listener();
    assert_int_equal(journal_send(&journal, true, "a=b\n", 4, AT), 0);
    assert_int_equal(recv(peer, got, sizeof got, MSG_DONTWAIT), sizeof expected - 1);
    assert_memory_equal(got, expected, sizeof expected - 1);
    journal_close(&journal);
}

static void the_part_of_a_line_says_so(void **state)
{
    (void)state;
    static const char expected[] =
        "F=1\nPRIORITY=6\n" STAMP "CONTAINER_PARTIAL_MESSAGE=true\nMESSAGE\n\1\0\0\0\0\0\0\0a\n";
    char got[256];
    autofd peer = listener();
    assert_int_equal(journal_send(&journal, false, "a", 1, AT), 0);
    assert_int_equal(recv(peer, got, sizeof got, MSG_DONTWAIT), sizeof expected - 1);
    assert_memory_equal(got, expected, sizeof expected - 1);
    journal_close(&journal);
}

static void what_is_too_long_for_a_datagram_goes_as_a_sealed_file(void **state)
{
    (void)state;
    static char text[16384], got[20000];
    char byte;
    int fd = -1, small = 1;
    size_t count = 0;
    autofd peer = listener();
    memset(text, 'x', sizeof text);
    assert_int_equal(setsockopt(journal.socket, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    assert_int_equal(journal_send(&journal, false, text, sizeof text, AT), 0);
    assert_int_equal(receive_fds(peer, &byte, 1, &fd, 1, &count), 0);
    assert_int_equal(count, 1);
    autofd file = fd;
    assert_int_equal(fcntl(file, F_GET_SEALS) & ALL_SEALS, ALL_SEALS);
    ssize_t n = pread(file, got, sizeof got, 0);
    assert_true(n > (ssize_t)sizeof text);
    assert_memory_equal(got, "F=1\n", 4);
    assert_memory_equal(got + n - 1 - sizeof text, text, sizeof text);
    journal_close(&journal);
}

static void who_does_not_take_messages_is_waited_for_once(void **state)
{
    (void)state;
    char got[256];
    autofd peer = listener();
    int rc = 0, sent = 0;
    while (rc == 0 && sent < 100000) {
        rc = journal_send(&journal, false, "x\n", 2, AT);
        sent++;
    }
    assert_int_equal(rc, -EAGAIN);
    nanoseconds before = clock_monotonic();
    for (int i = 0; i < 100; i++) {
        journal_turn(&journal);
        assert_int_equal(journal_send(&journal, false, "x\n", 2, AT), -EAGAIN);
    }
    assert_true(clock_monotonic() - before < NSEC_PER_SEC); /* and not 100 times 50 ms */
    while (recv(peer, got, sizeof got, MSG_DONTWAIT) > 0)
        ;
    assert_int_equal(journal_send(&journal, false, "x\n", 2, AT), 0);
    assert_false(journal.stalled);
    journal_close(&journal);
}

/* --- fields ----------------------------------------------------------------------------------- */

static void fill(struct plan *plan)
{
    plan->id = xstrdup("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    plan->name = xstrdup("web");
    plan->image_name = xstrdup("docker.io/library/busybox:latest");
    plan->image_id = xstrdup("sha256:abcdef0123456789");
}

static void a_tag_is_put_together_from_known_words(void **state)
{
    (void)state;
    autoplan plan = {0};
    fill(&plan);
    const struct {
        const char *tag, *is;
    } good[] = {{"", ""},
                {"plain }} text", "plain }} text"},
                {"{{.ID}}", "0123456789ab"},
                {"<{{ .Name }}>{{.ImageID}}", "<web>abcdef012345"},
                {"{{.DaemonName}}{{.ImageFullID}}", "caissonsha256:abcdef0123456789"}};
    static const char *const bad[] = {"{{.Nam}}",    "{{.Name",       "{{}}",      "{{ID}}",
                                      "{{.ID}",      "{{.ID .Name}}", "{{{.ID}}}", "{{.IDx}}",
                                      "{{.Name}}{{", "{{\n.Name}}"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        autobuf out = {0};
        assert_int_equal(journal_tag(good[i].tag, &plan, &out, NULL), 0);
        assert_string_equal(buf_text(&out), good[i].is);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        autobuf out = {0};
        assert_int_equal(journal_tag(bad[i], &plan, &out, NULL), -EINVAL);
    }
}

static void fields_that_are_too_long_are_refused(void **state)
{
    (void)state;
    autoplan plan = {0};
    struct error err = {0};
    autobuf out = {0};
    autobuf label = {0};
    fill(&plan);
    buf_str(&label, "big=");
    memset(buf_room(&label, JOURNAL_FIELDS_MAX), 'x', JOURNAL_FIELDS_MAX);
    label.len += JOURNAL_FIELDS_MAX;
    buf_char(&label, 'x');
    strv_add(&plan.labels, label.data);
    assert_int_equal(journal_fields(&plan, &out, &err), 0); /* nobody asked for it */
    buf_clear(&out);
    strv_add(&plan.log_labels, "big");
    assert_int_equal(journal_fields(&plan, &out, &err), -E2BIG);
    assert_non_null(strstr(err.text, "name fewer"));
}

/* --- coming back ------------------------------------------------------------------------------ */

#define BINARY "MESSAGE\n\5\0\0\0\0\0\0\0a\nb=c\n"
#define ENTRY "__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1767323045123456\nPRIORITY=3\n" BINARY "\n"

static void an_entry_is_taken_when_it_is_whole(void **state)
{
    (void)state;
    static const char text[] = ENTRY;
    struct journal_entry entry;
    for (size_t length = 0; length < sizeof text - 1; length++)
        assert_int_equal(journal_entry_parse(text, length, &entry), 0);
    assert_int_equal(journal_entry_parse(text, sizeof text - 1, &entry), sizeof text - 1);
    assert_true(entry.is_output);
    assert_false(entry.partial);
    assert_int_equal(entry.stream, LOG_STDERR);
    assert_int_equal(entry.when, INT64_C(1767323045123456000));
    assert_int_equal(entry.length, 6);
    assert_memory_equal(entry.text, "a\nb=c\n", 6);
    assert_int_equal(entry.cursor_length, 7);
    assert_memory_equal(entry.cursor, "s=1;i=2", 7);
}

static void our_own_time_counts_and_the_first_of_several_values(void **state)
{
    (void)state;
    static const char text[] = "PRIORITY=6\nPRIORITY=3\nMESSAGE=one\nMESSAGE=two\n" STAMP
                               "CONTAINER_PARTIAL_MESSAGE=true\n__REALTIME_TIMESTAMP=1\n\nrest";
    struct journal_entry entry;
    assert_int_equal(journal_entry_parse(text, sizeof text - 1, &entry), sizeof text - 1 - 4);
    assert_true(entry.is_output && entry.partial);
    assert_int_equal(entry.stream, LOG_STDOUT);
    assert_int_equal(entry.when, AT);
    assert_int_equal(entry.length, 3);
    assert_memory_equal(entry.text, "one", 3);
}

static void what_we_did_not_write_is_no_output(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\n",
        "MESSAGE=x\nPRIORITY=6\n\n",
        "MESSAGE=x\n__REALTIME_TIMESTAMP=1\n\n",
        "MESSAGE=x\nPRIORITY=5\n__REALTIME_TIMESTAMP=1\n\n",
        "PRIORITY=6\n__REALTIME_TIMESTAMP=1\n\n",
        "MESSAGE=x\nPRIORITY=6\n__REALTIME_TIMESTAMP=x\n\n",
        "MESSAGE=x\nPRIORITY=6\n__REALTIME_TIMESTAMP=99999999999999999\n\n",
        "MESSAGE=x\nPRIORITY=6\nSYSLOG_TIMESTAMP=yesterday\n\n",
    };
    struct journal_entry entry;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(journal_entry_parse(texts[i], strlen(texts[i]), &entry), strlen(texts[i]));
        assert_false(entry.is_output);
    }
}

static void lengths_that_lie_are_damage(void **state)
{
    (void)state;
    static const char too_long[] = "MESSAGE\n\0\0\0\0\0\0\0\x80x\n\n",
                      too_short[] = "MESSAGE\n\1\0\0\0\0\0\0\0xy\n\n";
    struct journal_entry entry;
    assert_int_equal(journal_entry_parse(too_long, sizeof too_long - 1, &entry), -EINVAL);
    assert_int_equal(journal_entry_parse(too_short, sizeof too_short - 1, &entry), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_one_datagram_whose_length_is_told),
        cmocka_unit_test(the_part_of_a_line_says_so),
        cmocka_unit_test(what_is_too_long_for_a_datagram_goes_as_a_sealed_file),
        cmocka_unit_test(who_does_not_take_messages_is_waited_for_once),
        cmocka_unit_test(a_tag_is_put_together_from_known_words),
        cmocka_unit_test(fields_that_are_too_long_are_refused),
        cmocka_unit_test(an_entry_is_taken_when_it_is_whole),
        cmocka_unit_test(our_own_time_counts_and_the_first_of_several_values),
        cmocka_unit_test(what_we_did_not_write_is_no_output),
        cmocka_unit_test(lengths_that_lie_are_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
