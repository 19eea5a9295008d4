/* SPDX-License-Identifier: Apache-2.0 */
#include "network/dns_relay.h"

#include <errno.h>
#include <string.h>

/* A negative answer is kept no longer, whatever its SOA says: RFC 2308, 5. */
#define NEGATIVE_MAX 900
#define POSITIVE_MAX 86400

static bool is_address(const struct dns_record *record)
{
    return record->class == DNS_INTERNET && (record->type == DNS_A || record->type == DNS_AAAA);
}

static uint32_t ttl_of(const struct dns_relay *relay, const struct dns_record *record)
{
    uint32_t ttl = record->ttl > relay->age ? record->ttl - relay->age : 0;
    return ttl < relay->ttl_max ? ttl : relay->ttl_max;
}

/* 1: it belongs in the answer; 0: it does not. */
static int take_address(struct dns_relay *relay, const struct dns_response *r,
                        const struct dns_record *record)
{
    struct ip_address a;
    if (dns_record_address(r, record, &a) < 0)
        return -EBADMSG;
    if (!relay->keep)
        return 1;
    if (relay->address_count == RELAY_ADDRESSES_MAX || !relay->keep(&a, relay->closure)) {
        relay->dropped++;
        return 0;
    }
    relay->addresses[relay->address_count++] = a;
    uint32_t ttl = ttl_of(relay, record);
    relay->ttl = ttl > relay->ttl ? ttl : relay->ttl;
    return 1;
}

static bool wanted(const struct dns_response *r, const struct dns_record *record)
{
    return record->class == DNS_INTERNET &&
           (record->type == r->question.type || record->type == DNS_CNAME ||
            record->type == DNS_RRSIG);
}

/* The records of one name; `next` becomes what it is an alias of, if it is one. */
static int put_name_records(const struct dns_response *r, struct dns_relay *relay,
                            struct dns_writer *w, const struct dns_name *name,
                            struct dns_name *next)
{
    struct dns_walk walk = {.response = r};
    struct dns_record record;
    struct dns_name owner;
    int rc;
    next->size = 0;
    while ((rc = dns_walk_next(&walk, &record)) > 0 && record.section == DNS_ANSWER) {
        if (!wanted(r, &record))
            continue;
        if (dns_record_owner(r, &record, &owner) < 0)
            return -EBADMSG;
        if (!dns_name_equal(&owner, name) || (record.type == DNS_CNAME && next->size > 0))
            continue;
        if (record.type == DNS_CNAME && r->question.type != DNS_CNAME &&
            dns_record_target(r, &record, next) < 0)
            return -EBADMSG;
        int take = is_address(&record) ? take_address(relay, r, &record) : 1;
        if (take < 0 || (take > 0 && dns_put_record(w, r, &record, ttl_of(relay, &record)) < 0))
            return -EBADMSG;
    }
    return rc < 0 ? rc : 0;
}

static bool proves_nothing(uint16_t type)
{
    return type == DNS_SOA || type == DNS_RRSIG || type == DNS_NSEC || type == DNS_NSEC3;
}

/* What says that there is nothing, and for how long. */
static int put_authority(const struct dns_response *r, struct dns_relay *relay,
                         struct dns_writer *w)
{
    struct dns_walk walk = {.response = r};
    struct dns_record record;
    int rc;
    while ((rc = dns_walk_next(&walk, &record)) > 0 && record.section != DNS_ADDITIONAL) {
        if (record.section != DNS_AUTHORITY || record.class != DNS_INTERNET ||
            !proves_nothing(record.type))
            continue;
        if (dns_put_record(w, r, &record, ttl_of(relay, &record)) < 0)
            return -EBADMSG;
    }
    return rc < 0 ? rc : 0;
}

int dns_relay(const struct dns_response *r, struct dns_relay *relay, struct dns_writer *w)
{
    struct dns_name name = r->question.name, next;
    relay->address_count = relay->dropped = 0;
    relay->ttl = 0;
    for (unsigned i = 0; i < RELAY_CHAIN_MAX; i++) {
        int rc = put_name_records(r, relay, w, &name, &next);
        if (rc < 0)
            return rc;
        if (next.size == 0)
            break;
        name = next;
    }
    return put_authority(r, relay, w);
}

uint32_t dns_lifetime(const struct dns_response *r)
{
    struct dns_walk walk = {.response = r};
    struct dns_record record;
    bool positive = false;
    uint32_t least = UINT32_MAX;
    if (r->flags & DNS_TC)
        return 0;
    while (dns_walk_next(&walk, &record) > 0) {
        positive |= record.section == DNS_ANSWER && record.type == r->question.type;
        least = record.ttl < least ? record.ttl : least;
        /* The last word of an SOA: how long there is nothing. */
        if (record.type == DNS_SOA && record.data_size >= 22) {
            const uint8_t *end = r->bytes + record.data_at + record.data_size;
            uint32_t minimum = (uint32_t)end[-4] << 24 | (uint32_t)end[-3] << 16 |
                               (uint32_t)end[-2] << 8 | end[-1];
            least = minimum < least ? minimum : least;
        }
    }
    unsigned rcode = r->flags & DNS_RCODE;
    if (least == UINT32_MAX || (rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN))
        return 0;
    uint32_t most = positive ? POSITIVE_MAX : NEGATIVE_MAX;
    return least < most ? least : most;
}
