/* SPDX-License-Identifier: Apache-2.0 */
/* DNS messages. As a question: what is answered can be read again, with the same question. As an
 * upstream server's answer: what is made of it is well-formed, about that question only, and made
 * of itself it stays the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "network/dns_relay.h"
#include "network/egress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t room[DNS_MESSAGE_MAX], again[DNS_MESSAGE_MAX];

static bool keep_public(const struct ip_address *a, const void *closure)
{
    (void)closure;
    return egress_public(a);
}

static void check_question(const uint8_t *data, size_t size)
{
    struct dns_query q, same;
    struct dns_writer w;
    struct dns_response r;
    uint8_t bytes[DNS_QUERY_MAX];
    char text[DNS_TEXT_MAX];
    int rcode = dns_parse_query(data, size, &q);
    if (rcode < 0)
        return;
    dns_answer_begin(&w, room, q.udp_size, &q);
    size_t length = dns_answer_end(&w, &q, (enum dns_rcode)rcode, 0, DNS_BLOCKED);
    if (length > q.udp_size)
        abort();
    if (rcode != DNS_NOERROR)
        return;
    dns_name_text(&q.question.name, text);
    if (strlen(text) > DNS_TEXT_MAX - 1 || dns_parse_response(room, length, &r) < 0 ||
        !dns_answers(&r, q.id, &q.question))
        abort();
    length = dns_write_query(bytes, q.id, &q, true);
    if (length > sizeof bytes || dns_parse_query(bytes, length, &same) != 0 ||
        !dns_name_equal(&same.question.name, &q.question.name))
        abort();
}

/* Every record can be read to its end. */
static void check_records(const struct dns_response *r)
{
    struct dns_walk walk = {.response = r};
    struct dns_record record;
    struct dns_name name;
    int rc;
    while ((rc = dns_walk_next(&walk, &record)) > 0)
        if (dns_record_owner(r, &record, &name) < 0)
            abort();
    if (rc < 0 || (walk.at != 0 && walk.at != r->size))
        abort();
}

static void check_answer(const uint8_t *data, size_t size)
{
    struct dns_response r, ours, second;
    struct dns_relay relay = {.ttl_max = 3600}, limited = {.keep = keep_public, .ttl_max = 3600};
    struct dns_writer w;
    if (dns_parse_response(data, size, &r) < 0)
        return;
    struct dns_query q = {.id = r.id, .question = r.question, .udp_size = DNS_UDP_MAX};
    dns_answer_begin(&w, room, sizeof room, &q);
    if (dns_relay(&r, &relay, &w) < 0)
        return;
    size = dns_answer_end(&w, &q, DNS_NOERROR, 0, DNS_UNEXPLAINED);
    if (dns_parse_response(room, size, &ours) < 0)
        abort();
    check_records(&ours);
    (void)dns_lifetime(&ours);
    dns_answer_begin(&w, again, sizeof again, &q);
    if (dns_relay(&ours, &limited, &w) < 0)
        abort();
    dns_answer_end(&w, &q, DNS_NOERROR, 0, DNS_UNEXPLAINED);
    dns_answer_begin(&w, again, sizeof again, &q);
    dns_put_body(&w, &ours, 1);
    size = dns_answer_end(&w, &q, DNS_NOERROR, 0, DNS_UNEXPLAINED);
    if (dns_parse_response(again, size, &second) < 0)
        abort();
    check_records(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_question(data, size);
    check_answer(data, size);
    return 0;
}
