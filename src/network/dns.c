/* SPDX-License-Identifier: Apache-2.0 */
#include "network/dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LABEL_MAX 63
#define POINTER 0xc0U /* of the first byte: the other 14 bits say where the name goes on */
#define EDNS_DNSSEC 0x8000U

static uint16_t get16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t get32(const uint8_t *bytes)
{
    return (uint32_t)get16(bytes) << 16 | get16(bytes + 2);
}

static void put16(uint8_t *bytes, unsigned value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

static void put32(uint8_t *bytes, uint32_t value)
{
    put16(bytes, value >> 16);
    put16(bytes + 2, value & 0xffff);
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* --- names --- */

/* Each pointer has to lead to before where this stretch of labels began: so there is an end. */
int dns_read_name(const uint8_t *message, size_t size, size_t *at, struct dns_name *out)
{
    struct dns_name name = {0};
    size_t here = *at, stretch = *at, behind = 0, length = 0;
    for (;;) {
        if (here >= size)
            return -EBADMSG;
        uint8_t label = message[here];
        if ((label & POINTER) == POINTER) {
            if (here + 1 >= size)
                return -EBADMSG;
            size_t to = get16(message + here) & 0x3fffU;
            behind = behind ? behind : here + 2;
            if (to >= stretch || to < DNS_HEADER)
                return -EBADMSG;
            here = stretch = to;
            continue;
        }
        if (label > LABEL_MAX || label >= size - here || length + label + 1 > DNS_NAME_MAX)
            return -EBADMSG;
        memcpy(name.bytes + length, message + here, label + 1U);
        length += label + 1U;
        here += label + 1U;
        if (label == 0)
            break;
    }
    name.size = (uint8_t)length;
    *out = name;
    *at = behind ? behind : here;
    return 0;
}

/* Behind the name at `at`, without looking at what it refers to. 0: it is none. */
static size_t skip_name(const uint8_t *message, size_t size, size_t at)
{
    while (at < size) {
        uint8_t label = message[at];
        if ((label & POINTER) == POINTER)
            return at + 2 <= size ? at + 2 : 0;
        if (label > LABEL_MAX)
            return 0;
        at += label + 1U;
        if (label == 0)
            return at <= size ? at : 0;
    }
    return 0;
}

void dns_name_text(const struct dns_name *name, char out[DNS_TEXT_MAX])
{
    size_t length = 0;
    for (size_t at = 0; at < name->size && name->bytes[at] > 0; at += name->bytes[at] + 1U) {
        if (length > 0)
            out[length++] = '.';
        for (size_t i = 1; i <= name->bytes[at]; i++) {
            uint8_t c = lower(name->bytes[at + i]);
            bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
            out[length++] = plain ? (char)c : '?';
        }
    }
    out[length] = '\0';
}

int dns_name_from_text(const char *text, struct dns_name *out)
{
    struct dns_name name = {0};
    size_t at = 0;
    while (*text) {
        size_t length = strcspn(text, ".");
        if (length == 0 || length > LABEL_MAX || at + length + 2 > DNS_NAME_MAX)
            return -EINVAL;
        name.bytes[at] = (uint8_t)length;
        memcpy(name.bytes + at + 1, text, length);
        at += length + 1;
        text += length;
        if (*text == '.' && *++text == '\0')
            return -EINVAL;
    }
    name.size = (uint8_t)(at + 1);
    *out = name;
    return 0;
}

/* The lengths of labels are below 64, where there are no letters. */
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
    if (a->size != b->size)
        return false;
    for (size_t i = 0; i < a->size; i++)
        if (lower(a->bytes[i]) != lower(b->bytes[i]))
            return false;
    return true;
}

void dns_reverse_text(const struct ip_address *a, char out[DNS_TEXT_MAX])
{
    const uint8_t *b = a->bytes;
    size_t length = 0;
    if (ip_size(a) == 4) {
        snprintf(out, DNS_TEXT_MAX, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]);
        return;
    }
    for (size_t i = 16; i-- > 0;)
        length +=
            (size_t)snprintf(out + length, DNS_TEXT_MAX - length, "%x.%x.", b[i] & 15U, b[i] >> 4);
    snprintf(out + length, DNS_TEXT_MAX - length, "ip6.arpa");
}

/* --- reading --- */

static int read_question(const uint8_t *message, size_t size, size_t *at, struct dns_question *out)
{
    struct dns_question q;
    size_t here = *at;
    if (dns_read_name(message, size, &here, &q.name) < 0 || size - here < 4)
        return -EBADMSG;
    /* A pointer there could only lead into the header. */
    if (here - *at != q.name.size)
        return -EBADMSG;
    q.type = get16(message + here);
    q.class = get16(message + here + 2);
    *out = q;
    *at = here + 4;
    return 0;
}

static int read_record(const uint8_t *message, size_t size, size_t at, struct dns_record *out)
{
    size_t fixed = skip_name(message, size, at);
    if (fixed == 0 || size - fixed < 10)
        return -EBADMSG;
    struct dns_record r = {.section = out->section,
                           .name_at = at,
                           .type = get16(message + fixed),
                           .class = get16(message + fixed + 2),
                           .ttl_at = fixed + 4,
                           .ttl = get32(message + fixed + 4),
                           .data_at = fixed + 10,
                           .data_size = get16(message + fixed + 8)};
    if (r.data_size > size - r.data_at)
        return -EBADMSG;
    if (r.ttl & 0x80000000U && r.type != DNS_OPT)
        r.ttl = 0;
    *out = r;
    return 0;
}

/* RFC 6891, 6.1: its owner is the root, its class the size, its TTL version and flags. */
static int read_edns(const uint8_t *message, const struct dns_record *r, struct dns_query *q)
{
    if (q->edns || message[r->name_at] != 0)
        return DNS_FORMERR;
    q->edns = true;
    q->udp_size = r->class;
    if (q->udp_size < DNS_UDP_MIN)
        q->udp_size = DNS_UDP_MIN;
    if (q->udp_size > DNS_UDP_MAX)
        q->udp_size = DNS_UDP_MAX;
    q->dnssec = r->ttl & EDNS_DNSSEC;
    return (r->ttl >> 16 & 0xff) > 0 ? DNS_BADVERS : DNS_NOERROR;
}

int dns_parse_query(const uint8_t *message, size_t size, struct dns_query *out)
{
    size_t at = DNS_HEADER;
    if (size < DNS_HEADER)
        return -EBADMSG;
    *out = (struct dns_query){
        .id = get16(message), .flags = get16(message + 2), .udp_size = DNS_UDP_MIN};
    if (out->flags & DNS_QR)
        return -EBADMSG; /* answering answers goes on for ever */
    if (out->flags & DNS_OPCODE)
        return DNS_NOTIMP;
    unsigned additional = get16(message + 10);
    if (get16(message + 4) != 1 || get16(message + 6) != 0 || get16(message + 8) != 0)
        return DNS_FORMERR;
    if (read_question(message, size, &at, &out->question) < 0)
        return DNS_FORMERR;
    int rcode = DNS_NOERROR;
    for (unsigned i = 0; i < additional && rcode == DNS_NOERROR; i++) {
        struct dns_record r = {.section = DNS_ADDITIONAL};
        if (read_record(message, size, at, &r) < 0)
            return DNS_FORMERR;
        if (r.type == DNS_OPT)
            rcode = read_edns(message, &r, out);
        at = r.data_at + r.data_size;
    }
    return rcode;
}

int dns_parse_response(const uint8_t *message, size_t size, struct dns_response *out)
{
    struct dns_response r = {.bytes = message, .size = size, .body = DNS_HEADER};
    if (size < DNS_HEADER)
        return -EBADMSG;
    r.id = get16(message);
    r.flags = get16(message + 2);
    for (size_t i = 0; i < 3; i++)
        r.counts[i] = get16(message + 6 + 2 * i);
    if (!(r.flags & DNS_QR) || r.flags & DNS_OPCODE || get16(message + 4) != 1 ||
        read_question(message, size, &r.body, &r.question) < 0)
        return -EBADMSG;
    *out = r;
    return 0;
}

bool dns_answers(const struct dns_response *r, uint16_t id, const struct dns_question *question)
{
    return r->id == id && r->question.type == question->type &&
           r->question.class == question->class &&
           dns_name_equal(&r->question.name, &question->name);
}

int dns_walk_next(struct dns_walk *w, struct dns_record *out)
{
    const struct dns_response *r = w->response;
    unsigned before = 0, section = 0;
    while (section < 3 && w->seen >= before + r->counts[section])
        before += r->counts[section++];
    if (section == 3)
        return 0;
    out->section = (enum dns_section)section;
    if (read_record(r->bytes, r->size, w->at ? w->at : r->body, out) < 0)
        return -EBADMSG;
    w->at = out->data_at + out->data_size;
    w->seen++;
    return 1;
}

int dns_record_owner(const struct dns_response *r, const struct dns_record *record,
                     struct dns_name *out)
{
    size_t at = record->name_at;
    return dns_read_name(r->bytes, r->size, &at, out);
}

int dns_record_target(const struct dns_response *r, const struct dns_record *record,
                      struct dns_name *out)
{
    size_t at = record->data_at, end = record->data_at + record->data_size;
    int rc = dns_read_name(r->bytes, end, &at, out);
    return rc == 0 && at != end ? -EBADMSG : rc;
}

int dns_record_address(const struct dns_response *r, const struct dns_record *record,
                       struct ip_address *out)
{
    struct ip_address a = {.family = record->type == DNS_AAAA ? AF_INET6 : AF_INET};
    if (record->data_size != ip_size(&a))
        return -EBADMSG;
    memcpy(a.bytes, r->bytes + record->data_at, record->data_size);
    *out = a;
    return 0;
}

/* --- writing --- */

static void put(struct dns_writer *w, const void *bytes, size_t size)
{
    if (w->full || size > w->limit - w->length) {
        w->full = true;
        return;
    }
    memcpy(w->bytes + w->length, bytes, size);
    w->length += size;
}

static void put_number(struct dns_writer *w, unsigned value)
{
    uint8_t bytes[2];
    put16(bytes, value);
    put(w, bytes, sizeof bytes);
}

/* Whether the name that begins at `at` in what was written is `rest`, to its end. */
static bool stands_at(const struct dns_writer *w, size_t at, const uint8_t *rest, size_t size)
{
    struct dns_name there, wanted = {.size = (uint8_t)size};
    memcpy(wanted.bytes, rest, size);
    return dns_read_name(w->bytes, w->length, &at, &there) == 0 && dns_name_equal(&there, &wanted);
}

static int find_known(const struct dns_writer *w, const uint8_t *rest, size_t size)
{
    for (unsigned i = 0; i < w->known_count; i++)
        if (lower(w->bytes[w->known[i] + 1]) == lower(rest[1]) &&
            w->bytes[w->known[i]] == rest[0] && stands_at(w, w->known[i], rest, size))
            return w->known[i];
    return -1;
}

static void put_name(struct dns_writer *w, const struct dns_name *name)
{
    unsigned fresh = w->known_count;
    for (size_t at = 0; name->bytes[at] > 0; at += name->bytes[at] + 1U) {
        int before = find_known(w, name->bytes + at, name->size - at);
        if (before >= 0) {
            put_number(w, POINTER << 8 | (unsigned)before);
            w->known_count = fresh;
            return;
        }
        if (fresh < DNS_KNOWN_MAX && w->length < 0x4000)
            w->known[fresh++] = (uint16_t)w->length;
        put(w, name->bytes + at, name->bytes[at] + 1U);
    }
    put(w, "", 1);
    w->known_count = w->full ? w->known_count : fresh;
}

void dns_answer_begin(struct dns_writer *w, uint8_t *room, size_t limit, const struct dns_query *q)
{
    *w = (struct dns_writer){.bytes = room, .limit = limit, .length = DNS_HEADER};
    memset(room, 0, DNS_HEADER);
    if (q->question.name.size == 0)
        return;
    put_name(w, &q->question.name);
    put_number(w, q->question.type);
    put_number(w, q->question.class);
}

/* Up to the data's size, which end_record() fills in; where that is. */
static size_t begin_record(struct dns_writer *w, const struct dns_name *owner, unsigned type,
                           unsigned class, uint32_t ttl)
{
    put_name(w, owner);
    put_number(w, type);
    put_number(w, class);
    put_number(w, ttl >> 16);
    put_number(w, ttl & 0xffff);
    put_number(w, 0);
    return w->length;
}

static void end_record(struct dns_writer *w, enum dns_section section, size_t data)
{
    if (w->full)
        return;
    put16(w->bytes + data - 2, (unsigned)(w->length - data));
    w->counts[section]++;
}

void dns_put_address(struct dns_writer *w, const struct dns_name *owner, uint32_t ttl,
                     const struct ip_address *a)
{
    size_t data =
        begin_record(w, owner, a->family == AF_INET6 ? DNS_AAAA : DNS_A, DNS_INTERNET, ttl);
    put(w, a->bytes, ip_size(a));
    end_record(w, DNS_ANSWER, data);
}

void dns_put_target(struct dns_writer *w, const struct dns_name *owner, enum dns_type type,
                    uint32_t ttl, const struct dns_name *target)
{
    size_t data = begin_record(w, owner, type, DNS_INTERNET, ttl);
    put_name(w, target);
    end_record(w, DNS_ANSWER, data);
}

void dns_put_no_any(struct dns_writer *w, const struct dns_name *owner)
{
    static const char words[] = "\7RFC8482"; /* and, its final NUL, an empty word */
    size_t data = begin_record(w, owner, DNS_HINFO, DNS_INTERNET, 3600);
    put(w, words, sizeof words);
    end_record(w, DNS_ANSWER, data);
}

/* What stands before, how many names, and what behind: RFC 1035, 3.3, RFC 1183, RFC 2782, RFC 6672.
 * In all other types no name may be compressed (RFC 3597, 4), so they are only bytes. */
static void names_in(uint16_t type, size_t *before, unsigned *names, size_t *behind)
{
    *before = type == DNS_SRV ? 6 : type == DNS_MX || type == DNS_AFSDB ? 2 : 0;
    *behind = type == DNS_SOA ? 20 : 0;
    switch (type) {
    case DNS_NS:
    case DNS_CNAME:
    case DNS_PTR:
    case DNS_MX:
    case DNS_AFSDB:
    case DNS_SRV:
    case DNS_DNAME:
        *names = 1;
        return;
    case DNS_SOA:
    case DNS_RP:
        *names = 2;
        return;
    default:
        *names = 0;
    }
}

/* Reads all of it before anything is written. */
static int read_data(const struct dns_response *r, const struct dns_record *record,
                     struct dns_name names[2], unsigned *count)
{
    size_t before, behind, at = record->data_at, end = at + record->data_size;
    names_in(record->type, &before, count, &behind);
    if (*count == 0)
        return (record->type == DNS_A && record->data_size != 4) ||
                       (record->type == DNS_AAAA && record->data_size != 16)
                   ? -EBADMSG
                   : 0;
    if (record->data_size < before + behind)
        return -EBADMSG;
    at += before;
    for (unsigned i = 0; i < *count; i++)
        if (dns_read_name(r->bytes, end, &at, &names[i]) < 0)
            return -EBADMSG;
    return end - at == behind ? 0 : -EBADMSG;
}

int dns_put_record(struct dns_writer *w, const struct dns_response *r,
                   const struct dns_record *record, uint32_t ttl)
{
    struct dns_name owner, names[2];
    unsigned count;
    size_t before, behind;
    const uint8_t *bytes = r->bytes + record->data_at;
    if (dns_record_owner(r, record, &owner) < 0 || read_data(r, record, names, &count) < 0)
        return -EBADMSG;
    size_t data = begin_record(w, &owner, record->type, record->class, ttl);
    names_in(record->type, &before, &count, &behind);
    if (count == 0) {
        put(w, bytes, record->data_size);
    } else {
        put(w, bytes, before);
        for (unsigned i = 0; i < count; i++)
            put_name(w, &names[i]);
        put(w, bytes + record->data_size - behind, behind);
    }
    end_record(w, record->section, data);
    return 0;
}

void dns_put_body(struct dns_writer *w, const struct dns_response *r, uint32_t age)
{
    struct dns_record record = {0};
    size_t at = w->length;
    put(w, r->bytes + r->body, r->size - r->body);
    for (size_t i = 0; i < 3 && !w->full; i++)
        w->counts[i] = r->counts[i];
    while (!w->full && read_record(w->bytes, w->length, at, &record) == 0) {
        put32(w->bytes + record.ttl_at, record.ttl > age ? record.ttl - age : 0);
        at = record.data_at + record.data_size;
    }
}

static size_t edns_size(enum dns_reason reason)
{
    return reason == DNS_UNEXPLAINED ? 11 : 17;
}

/* RFC 6891, 6.1.2; with the one option of RFC 8914. */
static void put_edns(struct dns_writer *w, const struct dns_query *q, unsigned rcode,
                     enum dns_reason reason)
{
    put(w, "", 1);
    put_number(w, DNS_OPT);
    put_number(w, DNS_UDP_MAX);
    put_number(w, rcode >> 4 << 8);
    put_number(w, q->dnssec ? EDNS_DNSSEC : 0);
    put_number(w, (unsigned)edns_size(reason) - 11);
    if (reason != DNS_UNEXPLAINED) {
        put_number(w, 15);
        put_number(w, 2);
        put_number(w, (unsigned)reason);
    }
    if (!w->full)
        w->counts[DNS_ADDITIONAL]++;
}

size_t dns_answer_end(struct dns_writer *w, const struct dns_query *q, enum dns_rcode rcode,
                      uint16_t flags, enum dns_reason reason)
{
    size_t question = q->question.name.size ? DNS_HEADER + q->question.name.size + 4U : DNS_HEADER;
    size_t needed = q->edns ? edns_size(reason) : 0;
    unsigned told = (unsigned)rcode;
    if (w->full || w->limit - w->length < needed) {
        flags |= DNS_TC;
        w->full = false;
        w->length = question;
        memset(w->counts, 0, sizeof w->counts);
    }
    if (q->edns)
        put_edns(w, q, told, reason);
    put16(w->bytes, q->id);
    put16(w->bytes + 2, (q->flags & (DNS_OPCODE | DNS_RD | DNS_CD)) | DNS_QR | DNS_RA | flags |
                            (told & DNS_RCODE));
    put16(w->bytes + 4, question > DNS_HEADER);
    for (size_t i = 0; i < 3; i++)
        put16(w->bytes + 6 + 2 * i, w->counts[i]);
    return w->length;
}

size_t dns_write_query(uint8_t *room, uint16_t id, const struct dns_query *q, bool edns)
{
    struct dns_writer w;
    struct dns_query asked = *q;
    asked.edns = edns;
    dns_answer_begin(&w, room, DNS_QUERY_MAX, &asked);
    size_t size = dns_answer_end(&w, &asked, DNS_NOERROR, 0, DNS_UNEXPLAINED);
    put16(room, id);
    put16(room + 2, DNS_RD | (q->flags & (DNS_CD | DNS_AD)));
    return size;
}
