/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS messages: read from who may be hostile, and written. RFC 1035, RFC 3596, RFC 6891 (EDNS),
 * RFC 8482 (ANY), RFC 8914 (why a question was refused).
 *
 * Reading: nothing outside of the message is ever looked at; a name that refers to others
 * (compression) may only refer further back each time, so it has an end; whatever cannot be a
 * message is -EBADMSG. No memory is taken: names are copied into what the caller has.
 * Writing: into room of the caller's; what does not fit leaves an answer that says so (TC).
 *
 * Names are compared without regard to case (ASCII only, RFC 4343), and written in answers as they
 * were asked. As text they are what rules and names of containers are compared with: lower case, no
 * final dot, and '?' for every byte that no such name has, a dot inside a label included.
 */
#ifndef CAISSON_NETWORK_DNS_H
#define CAISSON_NETWORK_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "network/address.h"

#define DNS_HEADER 12
#define DNS_MESSAGE_MAX 65535
#define DNS_UDP_MIN 512  /* what every client takes */
#define DNS_UDP_MAX 1232 /* what passes every path unfragmented (DNS flag day 2020) */
#define DNS_NAME_MAX 255
#define DNS_TEXT_MAX 256

enum dns_type {
    DNS_A = 1,
    DNS_NS = 2,
    DNS_CNAME = 5,
    DNS_SOA = 6,
    DNS_PTR = 12,
    DNS_HINFO = 13,
    DNS_MX = 15,
    DNS_RP = 17,
    DNS_AFSDB = 18,
    DNS_AAAA = 28,
    DNS_SRV = 33,
    DNS_DNAME = 39,
    DNS_OPT = 41,
    DNS_RRSIG = 46,
    DNS_NSEC = 47,
    DNS_NSEC3 = 50,
    DNS_SVCB = 64,
    DNS_HTTPS = 65,
    DNS_META_FIRST = 249, /* TKEY, TSIG, transfers: questions that are none */
    DNS_ANY = 255,
};
#define DNS_INTERNET 1 /* the only class */

enum dns_rcode {
    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5,
    DNS_BADVERS = 16,
};

enum dns_flag {
    DNS_QR = 0x8000,
    DNS_OPCODE = 0x7800,
    DNS_AA = 0x0400,
    DNS_TC = 0x0200,
    DNS_RD = 0x0100,
    DNS_RA = 0x0080,
    DNS_AD = 0x0020,
    DNS_CD = 0x0010,
    DNS_RCODE = 0x000f,
};

/* Why there is no better answer: RFC 8914, 4. */
enum dns_reason {
    DNS_UNEXPLAINED = -1,
    DNS_BLOCKED = 15,
    DNS_PROHIBITED = 18,
    DNS_NO_REACHABLE_AUTHORITY = 22,
};

/* As it stands in a message, uncompressed, with the empty label at its end. */
struct dns_name {
    uint8_t size; /* 1 to 255 */
    uint8_t bytes[DNS_NAME_MAX];
};

/* Reads the name at *at and moves *at behind it. 0 or -EBADMSG. */
int dns_read_name(const uint8_t *message, size_t size, size_t *at, struct dns_name *out);
void dns_name_text(const struct dns_name *name, char out[DNS_TEXT_MAX]);
/* -EINVAL: a label of more than 63 bytes, an empty one, or more than 255 in all. */
int dns_name_from_text(const char *text, struct dns_name *out);
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b);
/* The name under which an address is asked back for. RFC 1035, 3.5; RFC 3596, 2.5. */
void dns_reverse_text(const struct ip_address *a, char out[DNS_TEXT_MAX]);

struct dns_question {
    struct dns_name name;
    uint16_t type, class;
};

/* --- questions --- */

struct dns_query {
    uint16_t id, flags;
    struct dns_question question; /* name.size 0: there was none that could be read */
    bool edns;
    bool dnssec;       /* wants signatures */
    uint16_t udp_size; /* the biggest answer that its sender takes */
};

/* 0; a negative errno: not to be answered at all; or the enum dns_rcode with which it is. */
int dns_parse_query(const uint8_t *message, size_t size, struct dns_query *out);
/* A question to a server, with EDNS or without: its size. `room` has DNS_QUERY_MAX bytes. */
#define DNS_QUERY_MAX (DNS_HEADER + DNS_NAME_MAX + 4 + 11)
size_t dns_write_query(uint8_t *room, uint16_t id, const struct dns_query *q, bool edns);

/* --- answers of others --- */

enum dns_section {
    DNS_ANSWER,
    DNS_AUTHORITY,
    DNS_ADDITIONAL,
};

struct dns_record {
    enum dns_section section;
    size_t name_at; /* where its owner's name stands */
    uint16_t type, class;
    size_t ttl_at;
    uint32_t ttl; /* seconds; one with the highest bit is 0: RFC 2181, 8 */
    size_t data_at;
    uint16_t data_size;
};

struct dns_response {
    const uint8_t *bytes; /* borrowed */
    size_t size;
    uint16_t id, flags;
    struct dns_question question;
    uint16_t counts[3];
    size_t body; /* where its records begin */
};
/* The header and the one question. 0 or -EBADMSG. */
int dns_parse_response(const uint8_t *message, size_t size, struct dns_response *out);
/* Whether it answers the question, asked with this id. */
bool dns_answers(const struct dns_response *r, uint16_t id, const struct dns_question *question);

struct dns_walk {
    const struct dns_response *response;
    size_t at;
    unsigned seen;
};
/* The next record: 1, 0 at the end, or -EBADMSG. */
int dns_walk_next(struct dns_walk *w, struct dns_record *out);
int dns_record_owner(const struct dns_response *r, const struct dns_record *record,
                     struct dns_name *out);
/* The name in a CNAME, NS or PTR. */
int dns_record_target(const struct dns_response *r, const struct dns_record *record,
                      struct dns_name *out);
/* The address in an A or AAAA. */
int dns_record_address(const struct dns_response *r, const struct dns_record *record,
                       struct ip_address *out);

/* --- our answers --- */

#define DNS_KNOWN_MAX 32

struct dns_writer {
    uint8_t *bytes; /* borrowed */
    size_t limit;   /* the answer's own; kept free for EDNS as well */
    size_t length;
    bool full;
    uint16_t counts[3];
    uint16_t known[DNS_KNOWN_MAX]; /* where labels stand that later names may refer to */
    unsigned known_count;
};

/* The header and the question as it was asked. `room` takes at least DNS_UDP_MIN bytes and `limit`
 * of them are used. */
void dns_answer_begin(struct dns_writer *w, uint8_t *room, size_t limit, const struct dns_query *q);
void dns_put_address(struct dns_writer *w, const struct dns_name *owner, uint32_t ttl,
                     const struct ip_address *a);
void dns_put_target(struct dns_writer *w, const struct dns_name *owner, enum dns_type type,
                    uint32_t ttl, const struct dns_name *target);
/* What is said in the place of all there is: RFC 8482, 4.2. */
void dns_put_no_any(struct dns_writer *w, const struct dns_name *owner);
/* A record of somebody else's, its names written anew. -EBADMSG when it is none of its type. */
int dns_put_record(struct dns_writer *w, const struct dns_response *r,
                   const struct dns_record *record, uint32_t ttl);
/* All records of an answer of ours to the same question, `age` seconds later. */
void dns_put_body(struct dns_writer *w, const struct dns_response *r, uint32_t age);
/* `flags`: DNS_AA, DNS_AD. The size of the whole answer. */
size_t dns_answer_end(struct dns_writer *w, const struct dns_query *q, enum dns_rcode rcode,
                      uint16_t flags, enum dns_reason reason);

#endif
