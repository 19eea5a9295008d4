/* SPDX-License-Identifier: Apache-2.0 */
/* DNS messages: what is read from hostile ones, and what is made of an upstream server's answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "network/dns_relay.h"

/* A message that is built piece by piece. */
struct piece {
    uint8_t bytes[4096];
    size_t size;
};

static void add(struct piece *m, const void *bytes, size_t size)
{
    assert_true(m->size + size <= sizeof m->bytes);
    memcpy(m->bytes + m->size, bytes, size);
    m->size += size;
}

static void add16(struct piece *m, unsigned value)
{
    uint8_t bytes[] = {(uint8_t)(value >> 8), (uint8_t)value};
    add(m, bytes, sizeof bytes);
}

static void add_name(struct piece *m, const char *text)
{
    struct dns_name name;
    assert_int_equal(dns_name_from_text(text, &name), 0);
    add(m, name.bytes, name.size);
}

static void header(struct piece *m, unsigned flags, unsigned answers, unsigned authority,
                   unsigned additional)
{
    m->size = 0;
    add16(m, 0x1234);
    add16(m, flags);
    add16(m, 1);
    add16(m, answers);
    add16(m, authority);
    add16(m, additional);
}

static void question(struct piece *m, const char *name, unsigned type)
{
    add_name(m, name);
    add16(m, type);
    add16(m, DNS_INTERNET);
}

static void record(struct piece *m, const char *owner, unsigned type, uint32_t ttl,
                   const void *data, size_t size)
{
    add_name(m, owner);
    add16(m, type);
    add16(m, DNS_INTERNET);
    add16(m, ttl >> 16);
    add16(m, ttl & 0xffff);
    add16(m, (unsigned)size);
    add(m, data, size);
}

static void alias(struct piece *m, const char *owner, const char *target)
{
    struct dns_name name;
    assert_int_equal(dns_name_from_text(target, &name), 0);
    record(m, owner, DNS_CNAME, 300, name.bytes, name.size);
}

static void address(struct piece *m, const char *owner, const char *text, uint32_t ttl)
{
    struct ip_address a;
    assert_int_equal(ip_parse(text, &a), 0);
    record(m, owner, a.family == AF_INET ? DNS_A : DNS_AAAA, ttl, a.bytes, ip_size(&a));
}

static struct dns_query asked(const char *name, uint16_t type)
{
    struct dns_query q = {.id = 0x1234, .flags = DNS_RD, .udp_size = DNS_UDP_MIN};
    assert_int_equal(dns_name_from_text(name, &q.question.name), 0);
    q.question.type = type;
    q.question.class = DNS_INTERNET;
    return q;
}

/* --- names --- */

static void a_name_is_read_through_pointers_that_lead_back(void **state)
{
    struct piece m = {.size = DNS_HEADER};
    struct dns_name name;
    char text[DNS_TEXT_MAX];
    size_t at;
    (void)state;
    add_name(&m, "example.com"); /* at 12 */
    at = m.size;
    add(&m, "\3www\xc0\x0c", 6);
    add(&m, "\1a\xc0\x19", 4);
    assert_int_equal(dns_read_name(m.bytes, m.size, &at, &name), 0);
    dns_name_text(&name, text);
    assert_string_equal(text, "www.example.com");
    assert_int_equal(dns_read_name(m.bytes, m.size, &at, &name), 0);
    dns_name_text(&name, text);
    assert_string_equal(text, "a.www.example.com");
    assert_int_equal(at, m.size);
}

static void a_name_without_end_or_outside_of_the_message_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } wrong[] = {
        {"", 0},            /* nothing */
        {"\3ww", 3},        /* cut off */
        {"\1a", 2},         /* no end */
        {"\xc0", 1},        /* half a pointer */
        {"\xc0\x0c", 2},    /* to itself */
        {"\xc0\x20", 2},    /* ahead */
        {"\1a\xc0\x0c", 4}, /* round and round */
        {"\xc0\x02", 2},    /* into the header */
        {"\x40xxx", 4},     /* a kind of label that there is not */
        {"\x80xxx", 4},
        {"\xff\xff", 2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct piece m = {.size = DNS_HEADER};
        struct dns_name name;
        size_t at = m.size;
        add(&m, wrong[i].bytes, wrong[i].size);
        assert_int_equal(dns_read_name(m.bytes, m.size, &at, &name), -EBADMSG);
        assert_int_equal(at, DNS_HEADER);
    }
}

static void a_name_has_at_most_255_bytes_however_it_is_put_together(void **state)
{
    struct piece m = {.size = DNS_HEADER};
    struct dns_name name;
    char label[64] = "?";
    size_t at = DNS_HEADER, first = 0;
    (void)state;
    memset(label + 1, 'x', 62);
    label[0] = 62;
    for (unsigned i = 0; i < 4; i++)
        add(&m, label, 63);
    add(&m, "", 1);
    assert_int_equal(dns_read_name(m.bytes, m.size, &at, &name), 0);
    assert_int_equal(name.size, 253);
    first = at;
    add(&m, "\1a\xc0\x0c", 4);
    assert_int_equal(dns_read_name(m.bytes, m.size, &at, &name), 0);
    assert_int_equal(name.size, 255);
    add(&m, "\2ab\xc0\x0c", 5);
    assert_int_equal(dns_read_name(m.bytes, m.size, &at, &name), -EBADMSG);
    assert_true(first < at);
}

static void text_is_lower_case_and_a_dot_inside_a_label_is_no_dot(void **state)
{
    static const struct {
        const char *bytes, *text;
    } cases[] = {{"\3WwW\7ExAmPlE", "www.example"},
                 {"\7a.b.com", "a?b?com"},
                 {"\3a b\2\xc3\xa4", "a?b.??"},
                 {"\4_dns\1-", "_dns.-"},
                 {"", ""}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dns_name name;
        char text[DNS_TEXT_MAX];
        size_t at = 0;
        assert_int_equal(
            dns_read_name((const uint8_t *)cases[i].bytes, strlen(cases[i].bytes) + 1, &at, &name),
            0);
        dns_name_text(&name, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void names_are_equal_without_regard_to_case(void **state)
{
    struct dns_name a, b, c;
    (void)state;
    assert_int_equal(dns_name_from_text("wWw.Example.COM", &a), 0);
    assert_int_equal(dns_name_from_text("WWW.example.com", &b), 0);
    assert_int_equal(dns_name_from_text("www.example.net", &c), 0);
    assert_true(dns_name_equal(&a, &b));
    assert_false(dns_name_equal(&a, &c));
    assert_int_equal(dns_name_from_text("a..b", &a), -EINVAL);
    assert_int_equal(dns_name_from_text("a.", &a), -EINVAL);
}

/* --- questions --- */

static void a_question_is_read_with_what_its_sender_takes(void **state)
{
    struct piece m;
    struct dns_query q;
    (void)state;
    header(&m, DNS_RD, 0, 0, 0);
    question(&m, "web", DNS_A);
    assert_int_equal(dns_parse_query(m.bytes, m.size, &q), DNS_NOERROR);
    assert_int_equal(q.udp_size, DNS_UDP_MIN);
    header(&m, DNS_RD, 0, 0, 1);
    question(&m, "web", DNS_AAAA);
    add(&m, "\0\0\x29\x10\0\0\0\x80\0\0\0", 11); /* EDNS, 4096 bytes, DNSSEC */
    assert_int_equal(dns_parse_query(m.bytes, m.size, &q), DNS_NOERROR);
    assert_true(q.edns && q.dnssec);
    assert_int_equal(q.udp_size, DNS_UDP_MAX);
    assert_int_equal(q.question.type, DNS_AAAA);
}

static void a_question_that_is_none_is_refused_or_not_answered_at_all(void **state)
{
    struct piece m;
    struct dns_query q;
    (void)state;
    header(&m, DNS_RD, 0, 0, 0);
    assert_int_equal(dns_parse_query(m.bytes, 11, &q), -EBADMSG);
    assert_int_equal(dns_parse_query(m.bytes, m.size, &q), DNS_FORMERR); /* no question */
    question(&m, "web", DNS_A);
    m.bytes[2] = 0x80;
    assert_int_equal(dns_parse_query(m.bytes, m.size, &q), -EBADMSG); /* an answer */
    m.bytes[2] = 0x28;
    assert_int_equal(dns_parse_query(m.bytes, m.size, &q), DNS_NOTIMP); /* an update */
    m.bytes[2] = 0;
    m.bytes[5] = 2;
    assert_int_equal(dns_parse_query(m.bytes, m.size, &q), DNS_FORMERR); /* two questions */
    header(&m, DNS_RD, 0, 0, 65535);
    question(&m, "web", DNS_A);
    assert_int_equal(dns_parse_query(m.bytes, m.size, &q), DNS_FORMERR);
    header(&m, DNS_RD, 0, 0, 1);
    question(&m, "web", DNS_A);
    add(&m, "\0\0\x29\x10\0\0\1\0\0\0\0", 11); /* EDNS of another version */
    assert_int_equal(dns_parse_query(m.bytes, m.size, &q), DNS_BADVERS);
    header(&m, DNS_RD, 0, 0, 2);
    question(&m, "web", DNS_A);
    add(&m, "\0\0\x29\x10\0\0\0\0\0\0\0", 11);
    add(&m, "\0\0\x29\x10\0\0\0\0\0\0\0", 11); /* twice */
    assert_int_equal(dns_parse_query(m.bytes, m.size, &q), DNS_FORMERR);
}

static void an_answer_repeats_the_question_as_it_was_spelt(void **state)
{
    uint8_t room[DNS_UDP_MIN];
    struct dns_query q = asked("DB.eXample", DNS_A);
    struct dns_writer w;
    struct dns_response r;
    struct ip_address a;
    (void)state;
    assert_int_equal(ip_parse("10.0.0.1", &a), 0);
    dns_answer_begin(&w, room, sizeof room, &q);
    dns_put_address(&w, &q.question.name, 5, &a);
    size_t size = dns_answer_end(&w, &q, DNS_NOERROR, DNS_AA, DNS_UNEXPLAINED);
    assert_int_equal(size, DNS_HEADER + q.question.name.size + 4 + 16); /* the owner a pointer */
    assert_int_equal(dns_parse_response(room, size, &r), 0);
    assert_memory_equal(r.question.name.bytes, q.question.name.bytes, q.question.name.size);
    assert_true(dns_answers(&r, 0x1234, &q.question));
    assert_false(dns_answers(&r, 0x1235, &q.question));
    assert_int_equal(r.flags, DNS_QR | DNS_AA | DNS_RD | DNS_RA);
}

static void what_does_not_fit_is_left_out_whole_and_told(void **state)
{
    uint8_t room[DNS_UDP_MIN];
    struct dns_query q = asked("db", DNS_AAAA);
    struct dns_writer w;
    struct dns_response r;
    struct ip_address a;
    (void)state;
    q.edns = true;
    assert_int_equal(ip_parse("fd00::1", &a), 0);
    dns_answer_begin(&w, room, sizeof room, &q);
    for (unsigned i = 0; i < 100; i++)
        dns_put_address(&w, &q.question.name, 5, &a);
    size_t size = dns_answer_end(&w, &q, DNS_NOERROR, 0, DNS_BLOCKED);
    assert_int_equal(dns_parse_response(room, size, &r), 0);
    assert_true(r.flags & DNS_TC);
    assert_int_equal(r.counts[DNS_ANSWER], 0);
    assert_int_equal(r.counts[DNS_ADDITIONAL], 1);
}

/* --- upstream's answers --- */

static bool is_public(const struct ip_address *a, const void *closure)
{
    (void)closure;
    return a->bytes[0] != 10;
}

/* Writes it anew as an answer of ours; -EBADMSG as dns_relay(). */
static int pass_on(const struct piece *m, struct dns_relay *relay, uint8_t room[DNS_UDP_MIN],
                   struct dns_response *out)
{
    struct dns_writer w;
    struct dns_response r;
    if (dns_parse_response(m->bytes, m->size, &r) < 0)
        return -EBADMSG;
    struct dns_query q = {.id = r.id, .question = r.question, .udp_size = DNS_UDP_MIN};
    dns_answer_begin(&w, room, DNS_UDP_MIN, &q);
    int rc = dns_relay(&r, relay, &w);
    if (rc < 0)
        return rc;
    size_t size = dns_answer_end(&w, &q, DNS_NOERROR, 0, DNS_UNEXPLAINED);
    assert_int_equal(dns_parse_response(room, size, out), 0);
    return 0;
}

static void a_chain_is_followed_in_any_order_and_nothing_else_is_taken(void **state)
{
    struct piece m;
    uint8_t room[DNS_UDP_MIN];
    struct dns_response r;
    struct dns_relay relay = {.keep = is_public, .ttl_max = 3600};
    (void)state;
    header(&m, DNS_QR, 5, 0, 1);
    question(&m, "www.example.com", DNS_A);
    address(&m, "c.example.net", "203.0.113.1", 60);
    address(&m, "bank.example.com", "203.0.113.2", 60);
    alias(&m, "b.example.net", "C.example.net");
    address(&m, "c.example.net", "10.0.0.1", 60);
    alias(&m, "www.example.com", "b.example.net");
    address(&m, "www.example.com", "203.0.113.3", 60); /* additional: not part of the answer */
    assert_int_equal(pass_on(&m, &relay, room, &r), 0);
    assert_int_equal(r.counts[DNS_ANSWER], 3);
    assert_int_equal(relay.address_count, 1);
    assert_int_equal(relay.dropped, 1);
    assert_int_equal(relay.addresses[0].bytes[3], 1);
}

static void a_chain_that_bites_its_tail_has_an_end(void **state)
{
    struct piece m;
    uint8_t room[DNS_UDP_MIN];
    struct dns_response r;
    struct dns_relay relay = {.ttl_max = 3600};
    (void)state;
    header(&m, DNS_QR, 2, 0, 0);
    question(&m, "a.example", DNS_A);
    alias(&m, "a.example", "b.example");
    alias(&m, "b.example", "a.example");
    assert_int_equal(pass_on(&m, &relay, room, &r), 0);
    assert_true(r.counts[DNS_ANSWER] <= RELAY_CHAIN_MAX);
}

static void times_are_bounded_and_go_on(void **state)
{
    struct piece m;
    uint8_t room[DNS_UDP_MIN];
    struct dns_response r;
    struct dns_relay relay = {.keep = is_public, .ttl_max = 3600, .age = 50};
    (void)state;
    header(&m, DNS_QR, 3, 0, 0);
    question(&m, "a.example", DNS_A);
    address(&m, "a.example", "203.0.113.1", 0x80000000U); /* RFC 2181, 8: zero */
    address(&m, "a.example", "203.0.113.2", 86400);
    address(&m, "a.example", "203.0.113.3", 60);
    assert_int_equal(pass_on(&m, &relay, room, &r), 0);
    struct dns_walk walk = {.response = &r};
    struct dns_record record;
    static const uint32_t wanted[] = {0, 3600, 10};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(dns_walk_next(&walk, &record), 1);
        assert_int_equal(record.ttl, wanted[i]);
    }
    assert_int_equal(dns_walk_next(&walk, &record), 0);
    assert_int_equal(relay.ttl, 3600);
}

static void records_that_are_none_spoil_the_answer(void **state)
{
    struct piece m;
    uint8_t room[DNS_UDP_MIN];
    struct dns_response r;
    struct dns_relay relay = {.ttl_max = 3600};
    (void)state;
    header(&m, DNS_QR, 1, 0, 0);
    question(&m, "a.example", DNS_A);
    record(&m, "a.example", DNS_A, 60, "\1\2\3\4\5", 5);
    assert_int_equal(pass_on(&m, &relay, room, &r), -EBADMSG);
    header(&m, DNS_QR, 1, 0, 0);
    question(&m, "a.example", DNS_MX);
    record(&m, "a.example", DNS_MX, 60, "\0\1\1a\0x", 6); /* a byte behind the name */
    assert_int_equal(pass_on(&m, &relay, room, &r), -EBADMSG);
    header(&m, DNS_QR, 2, 0, 0); /* one record less than said */
    question(&m, "a.example", DNS_A);
    address(&m, "a.example", "203.0.113.1", 60);
    assert_int_equal(pass_on(&m, &relay, room, &r), -EBADMSG);
    for (size_t cut = 1; cut < 20; cut++) {
        struct piece part = m;
        part.bytes[7] = 1;
        part.size -= cut;
        assert_int_equal(pass_on(&part, &relay, room, &r), -EBADMSG);
    }
}

static void an_answer_is_kept_as_long_as_its_records_and_a_negative_one_as_its_zone_says(void **s)
{
    static const char soa[] = "\2ns\0\4root\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\36";
    struct piece m;
    struct dns_response r;
    (void)s;
    header(&m, DNS_QR, 2, 0, 0);
    question(&m, "a.example", DNS_A);
    address(&m, "a.example", "203.0.113.1", 60);
    address(&m, "a.example", "203.0.113.2", 20);
    assert_int_equal(dns_parse_response(m.bytes, m.size, &r), 0);
    assert_int_equal(dns_lifetime(&r), 20);
    header(&m, DNS_QR | DNS_NXDOMAIN, 0, 1, 0);
    question(&m, "a.example", DNS_A);
    record(&m, "example", DNS_SOA, 3600, soa, sizeof soa - 1);
    assert_int_equal(dns_parse_response(m.bytes, m.size, &r), 0);
    assert_int_equal(dns_lifetime(&r), 30);
    header(&m, DNS_QR, 0, 0, 0); /* says nothing of how long */
    question(&m, "a.example", DNS_A);
    assert_int_equal(dns_parse_response(m.bytes, m.size, &r), 0);
    assert_int_equal(dns_lifetime(&r), 0);
}

static void addresses_are_asked_back_for_under_one_name_each(void **state)
{
    struct ip_address a;
    char text[DNS_TEXT_MAX];
    (void)state;
    assert_int_equal(ip_parse("10.1.2.3", &a), 0);
    dns_reverse_text(&a, text);
    assert_string_equal(text, "3.2.1.10.in-addr.arpa");
    assert_int_equal(ip_parse("2001:db8::567:89ab", &a), 0);
    dns_reverse_text(&a, text);
    assert_string_equal(text, "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"
                              ".ip6.arpa"); /* RFC 3596, 2.5 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_read_through_pointers_that_lead_back),
        cmocka_unit_test(a_name_without_end_or_outside_of_the_message_is_refused),
        cmocka_unit_test(a_name_has_at_most_255_bytes_however_it_is_put_together),
        cmocka_unit_test(text_is_lower_case_and_a_dot_inside_a_label_is_no_dot),
        cmocka_unit_test(names_are_equal_without_regard_to_case),
        cmocka_unit_test(a_question_is_read_with_what_its_sender_takes),
        cmocka_unit_test(a_question_that_is_none_is_refused_or_not_answered_at_all),
        cmocka_unit_test(an_answer_repeats_the_question_as_it_was_spelt),
        cmocka_unit_test(what_does_not_fit_is_left_out_whole_and_told),
        cmocka_unit_test(a_chain_is_followed_in_any_order_and_nothing_else_is_taken),
        cmocka_unit_test(a_chain_that_bites_its_tail_has_an_end),
        cmocka_unit_test(times_are_bounded_and_go_on),
        cmocka_unit_test(records_that_are_none_spoil_the_answer),
        cmocka_unit_test(
            an_answer_is_kept_as_long_as_its_records_and_a_negative_one_as_its_zone_says),
        cmocka_unit_test(addresses_are_asked_back_for_under_one_name_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
