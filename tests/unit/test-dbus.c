/* SPDX-License-Identifier: Apache-2.0 */
/* D-Bus: what is sent, what is taken, and what becomes of peers who do not keep to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the above first. */
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "dbus-kit.h"

#define SECOND NSEC_PER_SEC

static char directory[] = "/tmp/test-dbus.XXXXXX";
static char path[64];

static const struct dbus_method ping = {.destination = "org.example",
                                        .path = "/org/example",
                                        .interface = "org.example.Thing",
                                        .member = "Ping"};

/* --- the wire ----------------------------------------------------------------------------------
 */

static void a_call_has_the_bytes_that_the_specification_gives_it(void **state)
{
    (void)state;
    static const char expected[] = "l\1\0\1\x0c\0\0\0\5\0\0\0\x38\0\0\0"
                                   "\1\1o\0\2\0\0\0/a\0\0\0\0\0\0"
                                   "\2\1s\0\3\0\0\0b.c\0\0\0\0\0"
                                   "\3\1s\0\1\0\0\0D\0\0\0\0\0\0\0"
                                   "\x08\1g\0\2su\0"
                                   "\1\0\0\0x\0\0\0\7\0\0";
    autobuf body = {0}, out = {0};
    dbus_put_string(&body, "x");
    dbus_put_u32(&body, 7);
    dbus_put_call(
        &out, 5,
        &(struct dbus_method){
            .path = "/a", .interface = "b.c", .member = "D", .signature = "su", .body = &body});
    struct dbus_message m;
    const char *text = NULL;
    uint32_t number = 0;
    assert_int_equal(dbus_parse((const unsigned char *)out.data, out.len, &m), 0);
    assert_int_equal(m.type, DBUS_CALL);
    assert_int_equal(m.serial, 5);
    assert_string_equal(m.path, "/a");
    assert_string_equal(m.member, "D");
    assert_int_equal(dbus_read(&m, "su", &text, &number), 0);
    assert_string_equal(text, "x");
    assert_int_equal(number, 7);
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) {
        assert_int_equal(out.len, sizeof expected);
        assert_memory_equal(out.data, expected, sizeof expected);
    }
}

static void arrays_count_their_elements_and_not_the_padding_before_them(void **state)
{
    (void)state;
    autobuf body = {0};
    uint32_t length;
    struct dbus_array array = dbus_begin_array(&body, 8);
    assert_int_equal(body.len, 8);
    dbus_put_u64(&body, 1);
    dbus_end_array(&body, array);
    memcpy(&length, body.data, sizeof length);
    assert_int_equal(length, 8);
    array = dbus_begin_array(&body, 8);
    dbus_end_array(&body, array);
    memcpy(&length, body.data + 16, sizeof length);
    assert_int_equal(length, 0);
    assert_int_equal(body.len, 24);
}

static void answer_bytes(struct buf *out)
{
    autobuf body = {0};
    dbus_put_string(&body, "hello");
    peer_message(out, &(struct dbus_message){.type = DBUS_REPLY,
                                             .serial = 3,
                                             .answers = 4,
                                             .signature = "s",
                                             .body = (const unsigned char *)body.data,
                                             .body_size = body.len});
}

/* Each cut in memory of its own, so that a sanitizer sees who reads behind it. */
static void a_message_that_is_cut_anywhere_is_none(void **state)
{
    (void)state;
    autobuf whole = {0};
    struct dbus_message m;
    answer_bytes(&whole);
    for (size_t n = 0; n < whole.len; n++) {
        autofree unsigned char *cut = malloc(n + 1);
        memcpy(cut, whole.data, n);
        assert_int_equal(dbus_parse(cut, n, &m), -EBADMSG);
    }
    assert_int_equal(dbus_parse((unsigned char *)whole.data, whole.len, &m), 0);
}

static void a_message_with_any_byte_changed_is_read_within_its_bounds(void **state)
{
    (void)state;
    autobuf whole = {0};
    answer_bytes(&whole);
    for (size_t i = 0; i < whole.len * 256; i++) {
        autofree unsigned char *copy = malloc(whole.len);
        struct dbus_message m;
        const char *text = NULL;
        memcpy(copy, whole.data, whole.len);
        copy[i / 256] = (unsigned char)i;
        if (dbus_parse(copy, whole.len, &m) == 0 && dbus_read(&m, "s", &text) == 0)
            assert_in_range(strlen(text), 0, whole.len);
    }
}

static void lengths_that_are_too_long_are_told_before_anything_is_received(void **state)
{
    (void)state;
    autobuf whole = {0};
    size_t size = 77;
    uint32_t huge[] = {0xffffffff, 0x80000000, DBUS_MESSAGE_MAX, DBUS_MESSAGE_MAX + 1};
    answer_bytes(&whole);
    for (size_t i = 0; i < sizeof huge / sizeof *huge; i++)
        for (size_t at = 4; at <= 12; at += 8) {
            unsigned char head[DBUS_HEAD];
            memcpy(head, whole.data, sizeof head);
            memcpy(head + at, &huge[i], 4);
            assert_int_equal(dbus_measure(head, &size), -EMSGSIZE);
        }
    assert_int_equal(size, 77);
}

static void a_body_is_read_by_its_own_signature_only(void **state)
{
    (void)state;
    autobuf whole = {0};
    struct dbus_message m;
    const char *text = NULL;
    uint32_t number = 9;
    answer_bytes(&whole);
    assert_int_equal(dbus_parse((unsigned char *)whole.data, whole.len, &m), 0);
    assert_int_equal(dbus_read(&m, "u", &number), -EBADMSG);
    assert_int_equal(dbus_read(&m, "ss", &text, &text), -EBADMSG);
    assert_int_equal(number, 9);
    m.body_size--; /* the NUL is missing */
    assert_int_equal(dbus_read(&m, "s", &text), -EBADMSG);
}

static void a_string_ends_where_it_says(void **state)
{
    (void)state;
    static const unsigned char early[] = {2, 0, 0, 0, 'a', 0, 0},
                               late[] = {1, 0, 0, 0, 'a', 'b', 0};
    struct dbus_message m = {.signature = "s", .body = early, .body_size = sizeof early};
    const char *text = NULL;
    assert_int_equal(dbus_read(&m, "s", &text), -EBADMSG);
    m.body = late;
    assert_int_equal(dbus_read(&m, "s", &text), -EBADMSG);
}

static void a_message_without_what_its_kind_needs_is_none(void **state)
{
    (void)state;
    const struct dbus_message bad[] = {
        {.type = DBUS_REPLY, .serial = 1},
        {.type = DBUS_REPLY, .answers = 1},
        {.type = DBUS_ERROR, .serial = 1, .answers = 1},
        {.type = DBUS_SIGNAL, .serial = 1, .path = "/a", .member = "B"},
        {.type = DBUS_CALL, .serial = 1, .path = "/a"},
        {.type = 0, .serial = 1, .path = "/a", .member = "B"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        autobuf out = {0};
        struct dbus_message m;
        peer_message(&out, &bad[i]);
        assert_int_equal(dbus_parse((unsigned char *)out.data, out.len, &m), -EBADMSG);
    }
}

/* --- connections -------------------------------------------------------------------------------
 */

static bool pong(int fd)
{
    struct dbus_message call;
    if (!peer_welcome(fd))
        return false;
    while (peer_receive(fd, &call))
        peer_answer_text(fd, &call, "s", streq(call.member, "Hello") ? ":1.5" : "pong");
    return true;
}

/* Opens, calls, and closes: what came of it. */
static int talk(bool direct, nanoseconds allowed, struct error *err)
{
    autodbus bus = DBUS_NONE;
    struct dbus_message answer;
    const char *text = NULL;
    int rc = dbus_open(path, direct, geteuid(), allowed, &bus, err);
    if (rc == 0)
        rc = dbus_call(&bus, &ping, &answer, err);
    if (rc == 0)
        rc = dbus_read(&answer, "s", &text);
    if (rc == 0)
        assert_string_equal(text, "pong");
    return rc;
}

static void talk_fails(bool (*play)(int), int code, const char *words)
{
    struct peer peer;
    struct error err = {0};
    peer_start(&peer, path, play);
    nanoseconds began = clock_monotonic();
    assert_int_equal(talk(true, SECOND / 2, &err), code);
    assert_true(clock_monotonic() - began < 5 * SECOND);
    peer_end(&peer);
    if (!strstr(err.text, words))
        fail_msg("expected: %s\ngot: %s", words, err.text);
    assert_null(strpbrk(err.text, "\n\x1b"));
}

static void a_call_gets_its_answer_directly_and_over_a_bus(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, path, pong);
    assert_int_equal(talk(true, 10 * SECOND, NULL), 0);
    assert_int_equal(talk(false, 10 * SECOND, NULL), 0);
    peer_end(&peer);
}

static bool by_bytes(int fd)
{
    struct dbus_message call, answer = {.type = DBUS_REPLY, .serial = 1, .signature = "s"};
    autobuf out = {0}, body = {0};
    if (!peer_welcome(fd) || !peer_receive(fd, &call))
        return false;
    dbus_put_string(&body, "pong");
    answer.answers = call.serial;
    answer.body = (unsigned char *)body.data;
    answer.body_size = body.len;
    peer_message(&out, &answer);
    for (size_t i = 0; i < out.len; i++) {
        (void)write_all(fd, out.data + i, 1);
        usleep(1000);
    }
    return true;
}

static void an_answer_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, path, by_bytes);
    assert_int_equal(talk(true, 10 * SECOND, NULL), 0);
    peer_end(&peer);
}

static bool others_first(int fd)
{
    struct dbus_message call;
    if (!peer_welcome(fd) || !peer_receive(fd, &call))
        return false;
    struct dbus_message other = call;
    other.serial = call.serial + 1;
    peer_answer_text(fd, &other, "s", "not for this call");
    peer_answer_error(fd, &other, "org.example.Wrong", "nor this");
    peer_job_removed(fd, "/job/1", "x.scope", "done");
    peer_answer_text(fd, &call, "s", "pong");
    return true;
}

static void answers_to_other_calls_and_signals_are_passed_over(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, path, others_first);
    assert_int_equal(talk(true, 10 * SECOND, NULL), 0);
    peer_end(&peer);
}

static bool refusing(int fd)
{
    struct dbus_message call;
    if (peer_welcome(fd) && peer_receive(fd, &call))
        peer_answer_error(fd, &call, "org.example.Busy", "not\nnow\x1b[31m");
    return true;
}

static void an_error_is_told_in_the_peers_words_but_not_obeyed_by_a_terminal(void **state)
{
    (void)state;
    talk_fails(refusing, -EREMOTEIO, "not\\x0anow\\x1b[31m");
}

static bool silent(int fd)
{
    char byte;
    if (peer_welcome(fd))
        while (read(fd, &byte, 1) == 1)
            ;
    return true;
}

static bool silent_from_the_start(int fd)
{
    (void)fd;
    sleep(10);
    return true;
}

static bool talkative(int fd)
{
    autobuf one = {0};
    if (!peer_welcome(fd))
        return true;
    peer_message(
        &one,
        &(struct dbus_message){
            .type = DBUS_SIGNAL, .serial = 1, .path = "/a", .interface = "b.c", .member = "D"});
    while (write_all(fd, one.data, one.len) == 0)
        ;
    return true;
}

static void who_does_not_answer_is_waited_for_until_the_deadline(void **state)
{
    (void)state;
    talk_fails(silent, -ETIMEDOUT, "no answer in time");
    talk_fails(silent_from_the_start, -ETIMEDOUT, "no answer in time");
    talk_fails(talkative, -ETIMEDOUT, "no answer in time");
}

static bool oversized(int fd)
{
    static const char head[] = "l\2\0\1\xff\xff\xff\x7f\1\0\0\0\0\0\0\0";
    struct dbus_message call;
    if (peer_welcome(fd) && peer_receive(fd, &call))
        (void)write_all(fd, head, sizeof head - 1);
    return true;
}

static bool cut_off(int fd)
{
    autobuf out = {0};
    struct dbus_message call;
    answer_bytes(&out);
    if (peer_welcome(fd) && peer_receive(fd, &call))
        (void)write_all(fd, out.data, out.len - 1);
    return true;
}

static bool nonsense(int fd)
{
    struct dbus_message call;
    if (peer_welcome(fd) && peer_receive(fd, &call))
        (void)write_all(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
    return true;
}

static void who_answers_something_else_is_told_of(void **state)
{
    (void)state;
    talk_fails(oversized, -EMSGSIZE, "longer than");
    talk_fails(cut_off, -ECONNRESET, "closed");
    talk_fails(nonsense, -EBADMSG, "no D-Bus message");
}

static bool web_server(int fd)
{
    (void)write_all(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
    sleep(1);
    return true;
}

static bool endless_line(int fd)
{
    for (int i = 0; i < 4096; i++)
        (void)write_all(fd, "x", 1);
    sleep(1);
    return true;
}

static bool rejecting(int fd)
{
    (void)write_all(fd, "REJECTED EXTERNAL\r\n", 19);
    sleep(1);
    return true;
}

static void who_does_not_let_us_in_is_told_of(void **state)
{
    (void)state;
    talk_fails(web_server, -EPROTO, "does not speak D-Bus");
    talk_fails(endless_line, -EPROTO, "does not speak D-Bus");
    talk_fails(rejecting, -EACCES, "does not take us");
}

static void nobody_there_is_an_error_that_names_the_socket(void **state)
{
    (void)state;
    struct error err = {0};
    unlink(path);
    assert_int_equal(talk(true, SECOND, &err), -ENOENT);
    assert_true(starts_with(err.text, path));
    autofree char *longest = malloc(300);
    memset(longest, 'a', 299);
    longest[299] = '\0';
    autodbus bus = DBUS_NONE;
    assert_int_equal(dbus_open(longest, true, 0, SECOND, &bus, &err), -ENAMETOOLONG);
}

static void another_user_who_sits_at_the_socket_is_not_talked_to(void **state)
{
    (void)state;
    struct peer peer;
    struct error err = {0};
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(directory, 0777), 0);
    unlink(path);
    peer_start_as(&peer, path, 65534, pong);
    assert_int_equal(talk(true, SECOND, &err), -EACCES);
    assert_non_null(strstr(err.text, "user 65534"));
    peer_end(&peer);
}

static int make_directory(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/socket", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_has_the_bytes_that_the_specification_gives_it),
        cmocka_unit_test(arrays_count_their_elements_and_not_the_padding_before_them),
        cmocka_unit_test(a_message_that_is_cut_anywhere_is_none),
        cmocka_unit_test(a_message_with_any_byte_changed_is_read_within_its_bounds),
        cmocka_unit_test(lengths_that_are_too_long_are_told_before_anything_is_received),
        cmocka_unit_test(a_body_is_read_by_its_own_signature_only),
        cmocka_unit_test(a_string_ends_where_it_says),
        cmocka_unit_test(a_message_without_what_its_kind_needs_is_none),
        cmocka_unit_test(a_call_gets_its_answer_directly_and_over_a_bus),
        cmocka_unit_test(an_answer_may_come_byte_by_byte),
        cmocka_unit_test(answers_to_other_calls_and_signals_are_passed_over),
        cmocka_unit_test(an_error_is_told_in_the_peers_words_but_not_obeyed_by_a_terminal),
        cmocka_unit_test(who_does_not_answer_is_waited_for_until_the_deadline),
        cmocka_unit_test(who_answers_something_else_is_told_of),
        cmocka_unit_test(who_does_not_let_us_in_is_told_of),
        cmocka_unit_test(nobody_there_is_an_error_that_names_the_socket),
        cmocka_unit_test(another_user_who_sits_at_the_socket_is_not_talked_to),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
