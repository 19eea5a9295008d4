/* SPDX-License-Identifier: Apache-2.0 */
/* Published ports as words; where they are; the command line of caisson-port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "network/listen.h"
#include "network/port_line.h"
#include "network/socket_address.h"

/* --- words --- */

static void a_word_of_publish_becomes_bindings_that_are_written_the_same(void **state)
{
    static const struct {
        const char *word, *written;
        uint16_t first, last, inner;
        int protocol, family;
    } cases[] = {
        {"80", "80/tcp", 0, 0, 80, IPPROTO_TCP, 0},
        {"80/udp", "80/udp", 0, 0, 80, IPPROTO_UDP, 0},
        {":80", "80/tcp", 0, 0, 80, IPPROTO_TCP, 0},
        {"0:80", "80/tcp", 0, 0, 80, IPPROTO_TCP, 0},
        {"8080:80", "8080:80/tcp", 8080, 8080, 80, IPPROTO_TCP, 0},
        {"8000-8010:80/tcp", "8000-8010:80/tcp", 8000, 8010, 80, IPPROTO_TCP, 0},
        {"0.0.0.0:1:65535", "0.0.0.0:1:65535/tcp", 1, 1, 65535, IPPROTO_TCP, AF_INET},
        {"127.0.0.1::53/udp", "127.0.0.1::53/udp", 0, 0, 53, IPPROTO_UDP, AF_INET},
        {"[::1]:8080:80", "[::1]:8080:80/tcp", 8080, 8080, 80, IPPROTO_TCP, AF_INET6},
        {"[::]::80", "[::]::80/tcp", 0, 0, 80, IPPROTO_TCP, AF_INET6},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        autobindings b = {0}, again = {0};
        char text[PORT_TEXT_MAX];
        assert_int_equal(port_parse_publish(cases[i].word, &b, NULL), 0);
        assert_int_equal(b.count, 1);
        assert_int_equal(b.items[0].first, cases[i].first);
        assert_int_equal(b.items[0].last, cases[i].last);
        assert_int_equal(b.items[0].inner.number, cases[i].inner);
        assert_int_equal(b.items[0].inner.protocol, cases[i].protocol);
        assert_int_equal(b.items[0].host.family, cases[i].family);
        port_binding_format(&b.items[0], text);
        assert_string_equal(text, cases[i].written);
        assert_int_equal(port_parse_publish(text, &again, NULL), 0);
        assert_memory_equal(&again.items[0], &b.items[0], sizeof b.items[0]);
    }
}

static void ranges_become_a_binding_for_each_port(void **state)
{
    autobindings b = {0};
    (void)state;
    assert_int_equal(port_parse_publish("127.0.0.1:8000-8002:80-82/udp", &b, NULL), 0);
    assert_int_equal(port_parse_publish("90-91", &b, NULL), 0);
    assert_int_equal(b.count, 5);
    assert_int_equal(b.items[2].first, 8002);
    assert_int_equal(b.items[2].last, 8002);
    assert_int_equal(b.items[2].inner.number, 82);
    assert_int_equal(b.items[4].first, 0);
    assert_int_equal(b.items[4].inner.number, 91);
    assert_int_equal(port_parse_publish("60000-65535:60000-65535", &b, NULL), -E2BIG);
    assert_int_equal(b.count, PORTS_MAX);
}

static void what_is_no_port_is_refused(void **state)
{
    static const char *const words[] = {"",
                                        "x",
                                        "0",
                                        "65536",
                                        "80:",
                                        "8080:0",
                                        "80/sctp",
                                        "80/",
                                        "80/tcp/udp",
                                        "-1",
                                        "80-",
                                        "-80",
                                        "90-80",
                                        "1:2:3",
                                        "::1:80:80",
                                        "[::1]:80",
                                        "[::1]80:80",
                                        "[::1:80:80",
                                        "[1.2.3.4]:1:1",
                                        "1.2.3.4:80",
                                        "1.2.3:1:1",
                                        "80 ",
                                        "+80",
                                        "8000-8002:80-81",
                                        "0-5:80",
                                        "1.2.3.4:1:1:1",
                                        "localhost:80:80",
                                        "80\n",
                                        "[fe80::1%lo]:80:80"};
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        autobindings b = {0};
        struct error err = {0};
        assert_true(port_parse_publish(words[i], &b, &err) < 0);
        assert_int_equal(b.count, 0);
        assert_non_null(strstr(err.text, "-p "));
    }
}

static void exposed_ports_are_ranges_of_one_protocol(void **state)
{
    struct port_range range;
    char text[PORT_TEXT_MAX];
    (void)state;
    assert_int_equal(port_parse_range("8000-8010/udp", &range, NULL), 0);
    assert_true(port_within(&range, &(struct port){IPPROTO_UDP, 8010}));
    assert_false(port_within(&range, &(struct port){IPPROTO_UDP, 8011}));
    assert_false(port_within(&range, &(struct port){IPPROTO_TCP, 8005}));
    port_range_format(&range, text);
    assert_string_equal(text, "8000-8010/udp");
    assert_int_equal(port_parse_range("80", &range, NULL), 0);
    port_range_format(&range, text);
    assert_string_equal(text, "80/tcp");
    assert_int_equal(port_parse_range("1:80", &range, NULL), -EINVAL);
    assert_int_equal(port_parse_range("http", &range, NULL), -EINVAL);
}

static struct published place(const char *address, uint16_t host, int protocol)
{
    struct published p = {.host = host, .inner = {protocol, 80}};
    assert_int_equal(ip_parse(address, &p.address), 0);
    return p;
}

static void published_ports_are_written_and_read_again(void **state)
{
    struct published a = place("127.0.0.1", 8080, IPPROTO_TCP), b = place("::1", 53, IPPROTO_UDP);
    struct published c;
    autobuf text = {0};
    (void)state;
    published_format(&a, &text);
    published_format(&b, &text);
    const char *at = buf_text(&text);
    assert_true(published_next(&at, &c));
    assert_memory_equal(&c, &a, sizeof a);
    assert_true(published_next(&at, &c));
    assert_memory_equal(&c, &b, sizeof b);
    assert_false(published_next(&at, &c));
    at = "tcp nowhere 1 2";
    assert_false(published_next(&at, &c));
}

static void two_places_collide_where_one_socket_would_have_both(void **state)
{
    struct published one = place("127.0.0.1", 80, IPPROTO_TCP);
    const struct {
        struct published other;
        bool collide;
    } cases[] = {
        {place("127.0.0.1", 80, IPPROTO_TCP), true},  {place("0.0.0.0", 80, IPPROTO_TCP), true},
        {place("127.0.0.2", 80, IPPROTO_TCP), false}, {place("127.0.0.1", 81, IPPROTO_TCP), false},
        {place("127.0.0.1", 80, IPPROTO_UDP), false}, {place("::", 80, IPPROTO_TCP), false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(published_collide(&one, &cases[i].other), cases[i].collide);
}

/* --- sockets --- */

static struct listeners open_all(const char *word, int wanted)
{
    autobindings b = {0};
    struct listeners l = {0};
    struct published p;
    assert_int_equal(port_parse_publish(word, &b, NULL), 0);
    assert_int_equal(listeners_open(&b, &l, &p, NULL), wanted);
    return l;
}

static void without_an_address_the_sockets_are_loopbacks_alone_and_share_a_port(void **state)
{
    struct listeners l = open_all("80", 0);
    (void)state;
    assert_in_range(l.count, 1, 2);
    for (size_t i = 0; i < l.count; i++) {
        struct socket_address at = {.length = sizeof at.room};
        char text[IP_TEXT_MAX];
        assert_int_equal(getsockname(l.items[i].fd, &at.any, &at.length), 0);
        struct ip_address ip = socket_address_ip(&at);
        ip_format(&ip, text);
        assert_true(streq(text, "127.0.0.1") || streq(text, "::1"));
        assert_int_equal(socket_address_port(&at), l.items[0].at.host);
        assert_int_not_equal(l.items[i].at.host, 0);
    }
    listeners_close(&l);
}

static void of_a_range_the_first_free_port_is_taken_and_a_taken_one_is_named(void **state)
{
    struct listeners first = open_all("127.0.0.1::80", 0);
    uint16_t port = first.items[0].at.host;
    char word[64];
    struct published wanted;
    autobindings b = {0};
    struct listeners none = {0};
    (void)state;
    if (port == UINT16_MAX)
        skip();
    snprintf(word, sizeof word, "127.0.0.1:%u-%u:80", port, port + 1);
    struct listeners second = open_all(word, 0);
    assert_int_equal(second.items[0].at.host, port + 1);
    assert_int_equal(port_parse_publish(word, &b, NULL), 0);
    assert_int_equal(listeners_open(&b, &none, &wanted, NULL), -EADDRINUSE);
    assert_int_equal(none.count, 0);
    assert_int_equal(wanted.host, port + 1);
    listeners_close(&first);
    listeners_close(&second);
}

/* --- caisson-port's command line --- */

static void the_command_line_is_read_as_it_was_written(void **state)
{
    struct listener listeners[] = {{7, place("127.0.0.1", 8080, IPPROTO_TCP)},
                                   {8, place("::1", 53, IPPROTO_UDP)}};
    struct port_line line = {.pid = 3, .network = 4, .said = 5, .listeners = {listeners, 2}};
    struct port_line out = {0};
    autostrv words = {0};
    (void)state;
    assert_int_equal(ip_parse("10.0.0.2", &line.own[0]), 0);
    assert_int_equal(ip_parse("10.0.0.1", &line.gateway[0]), 0);
    port_line_write(&line, &words);
    assert_int_equal(port_line_read(strv_argv(&words), &out), 0);
    assert_int_equal(out.pid, 3);
    assert_int_equal(out.network, 4);
    assert_int_equal(out.said, 5);
    assert_memory_equal(out.own, line.own, sizeof line.own);
    assert_memory_equal(out.gateway, line.gateway, sizeof line.gateway);
    assert_int_equal(out.listeners.count, 2);
    assert_memory_equal(out.listeners.items, listeners, sizeof listeners);
    free(out.listeners.items);
}

static void a_command_line_that_lacks_something_is_refused(void **state)
{
    static const char *const lines[] = {
        "caisson-port",
        "caisson-port --pid 3 --network 4 --said 5 --at 10.0.0.2,10.0.0.1",
        "caisson-port --pid 3 --network 4 --said 5 7=tcp,127.0.0.1,8080,80",
        "caisson-port --pid 3 --network 4 --at 10.0.0.2,10.0.0.1 7=tcp,127.0.0.1,8080,80",
        "caisson-port --pid 2 --network 4 --said 5 --at 10.0.0.2,10.0.0.1 7=tcp,127.0.0.1,8080,80",
        "caisson-port --pid 3 --network 4 --said 5 --at 10.0.0.2,::1 7=tcp,127.0.0.1,8080,80",
        "caisson-port --pid 3 --network 4 --said 5 --at 10.0.0.2,10.0.0.1 7=tcp,host,8080,80",
        "caisson-port --pid 3 --network 4 --said 5 --at 10.0.0.2,10.0.0.1 tcp",
        "caisson-port --pid 3 --network 4 --said 5 --at"};
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        autostrv words = {0};
        struct port_line out = {0};
        strv_split(&words, lines[i], ' ');
        assert_int_equal(port_line_read(strv_argv(&words), &out), -EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_of_publish_becomes_bindings_that_are_written_the_same),
        cmocka_unit_test(ranges_become_a_binding_for_each_port),
        cmocka_unit_test(what_is_no_port_is_refused),
        cmocka_unit_test(exposed_ports_are_ranges_of_one_protocol),
        cmocka_unit_test(published_ports_are_written_and_read_again),
        cmocka_unit_test(two_places_collide_where_one_socket_would_have_both),
        cmocka_unit_test(without_an_address_the_sockets_are_loopbacks_alone_and_share_a_port),
        cmocka_unit_test(of_a_range_the_first_free_port_is_taken_and_a_taken_one_is_named),
        cmocka_unit_test(the_command_line_is_read_as_it_was_written),
        cmocka_unit_test(a_command_line_that_lacks_something_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
