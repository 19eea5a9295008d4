/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions that wait for somebody: for an upstream server, or for the keeper.
 *
 * Each is a slot of a table of fixed size. One sender has at most so many; when all are taken, the
 * oldest of who has most gives way, unless that is who asks now. A slot ends by an answer or by its
 * time; its number has a part that changes with each use, so that a late answer finds nobody.
 *
 * What is being asked already is not asked a second time: the second waits for the first one's
 * answer. Else a container could have many questions out for one name, each of them a chance for a
 * forged answer (RFC 5452, 5).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "network/resolver_internal.h"

#define SLOTS 512
#define SLOTS_EACH 64 /* of one sender */
#define SENDERS 4096
#define TRY_NS (NSEC_PER_SEC * 3 / 2)
#define TCP_NS (3 * NSEC_PER_SEC)
#define KEEPER_NS (2 * NSEC_PER_SEC)
#define TWIN_NS (30 * NSEC_PER_SEC) /* longer than all tries of the first */
#define TRIES_EACH 2                /* of one server */
#define HEARD_MAX 16 /* packets of one server that are no answer: then the next try */
#define DNS_PORT 53
#define GRANT_BEYOND 60 /* seconds */
#define DENIED_EACH 20  /* names a second that the keeper is told of */

enum slot_state {
    FREE,
    WAITS_FOR_STATE,
    WAITS_FOR_GRANT,
    WAITS_FOR_UDP,
    WAITS_FOR_TCP,
    WAITS_FOR_TWIN, /* for the answer to another slot's same question */
};

struct slot {
    enum slot_state state;
    uint16_t turn;
    struct asker asker;
    struct dns_query query;
    nanoseconds began, deadline;
    /* asking a server */
    int fd;
    uint16_t id;
    bool edns;
    unsigned tries, heard;
    size_t server;
    enum dns_rcode rcode; /* what the last one said */
    unsigned twins;       /* who wait for this one */
    uint32_t first;       /* of a twin: the number of whom it waits for */
    /* an answer that waits for its grant, or comes by TCP: owned; else NULL */
    uint8_t *bytes;
    size_t size, have;
};

static struct slot slots[SLOTS];
static uint32_t asked[SLOTS]; /* hashes of what servers are being asked; 0: this one asks none */
static size_t taken;
static nanoseconds first_deadline = INT64_MAX;

static uint32_t number_of(const struct slot *s)
{
    return (uint32_t)(s - slots) | (uint32_t)s->turn << 16;
}

static struct slot *by_number(uint32_t number)
{
    uint32_t i = number & 0xffff;
    return i < SLOTS && slots[i].state != FREE && slots[i].turn == number >> 16 ? &slots[i] : NULL;
}

/* How many slots a sender has. Who shares the place shares the budget: nobody chooses theirs. */
static uint16_t *count_of(const struct ip_address *source)
{
    static uint16_t counts[SENDERS];
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < ip_size(source); i++)
        hash = (hash ^ source->bytes[i]) * 16777619U;
    return &counts[hash % SENDERS];
}

static void close_socket(struct slot *s)
{
    if (s->fd >= 0)
        close(take_fd(&s->fd));
}

static void free_slot(struct slot *s)
{
    close_socket(s);
    free(s->bytes);
    s->bytes = NULL;
    s->state = FREE;
    s->turn++;
    asked[s - slots] = 0;
    --*count_of(&s->asker.source);
    taken--;
}

/* The oldest of the sender that has most, when that is more than `least`. */
static struct slot *find_greediest(size_t least)
{
    struct slot *oldest = NULL;
    size_t most = least;
    for (size_t i = 0; i < SLOTS; i++) {
        size_t count = *count_of(&slots[i].asker.source);
        if (count > most || (oldest && count == most && slots[i].began < oldest->began)) {
            most = count;
            oldest = &slots[i];
        }
    }
    return oldest;
}

/* --- who wait for the same answer --- */

struct twins {
    uint32_t first; /* their first one's number */
    unsigned count;
};

static struct twins take_twins(struct slot *s)
{
    struct twins twins = {number_of(s), s->twins};
    s->twins = 0;
    return twins;
}

/* Gives them the first one's answer, or refuses. */
static void end_twins(const struct twins *twins, const struct dns_response *clean,
                      enum dns_rcode rcode, enum dns_reason reason)
{
    for (size_t i = 0; i < SLOTS && twins->count > 0; i++) {
        struct slot *s = &slots[i];
        if (s->state != WAITS_FOR_TWIN || s->first != twins->first)
            continue;
        struct asker asker = s->asker;
        struct dns_query q = s->query;
        free_slot(s);
        if (clean)
            resolver_pass_on(&asker, &q, clean, 0);
        else
            resolver_refuse(&asker, &q, rcode, reason);
    }
}

static uint32_t hash_of(const struct dns_query *q)
{
    uint32_t hash = 2166136261U + q->question.type;
    for (size_t i = 0; i < q->question.name.size; i++)
        hash = (hash ^ (q->question.name.bytes[i] | 0x20U)) * 16777619U;
    return hash | 1;
}

/* Whose answer would be the answer to this as well. */
static struct slot *find_first(const struct asker *asker, const struct dns_query *q)
{
    const uint16_t flags = DNS_CD | DNS_AD;
    uint32_t hash = hash_of(q);
    for (size_t i = 0; i < SLOTS; i++) {
        const struct dns_query *other = &slots[i].query;
        if (asked[i] == hash && other->question.type == q->question.type &&
            other->dnssec == q->dnssec && (other->flags & flags) == (q->flags & flags) &&
            streq(resolver_owner(&slots[i].asker), resolver_owner(asker)) &&
            dns_name_equal(&other->question.name, &q->question.name))
            return &slots[i];
    }
    return NULL;
}

static struct slot *find_free(void)
{
    static size_t last;
    for (size_t i = 0; i < SLOTS; i++) {
        last = (last + 1) % SLOTS;
        if (slots[last].state == FREE)
            return &slots[last];
    }
    return NULL;
}

static void expect(struct slot *s, nanoseconds within)
{
    s->deadline = resolver.now + within;
    if (s->deadline < first_deadline)
        first_deadline = s->deadline;
}

/* NULL: there was none for it, and it has been told so. */
static struct slot *take_slot(const struct asker *asker, const struct dns_query *q,
                              enum slot_state state)
{
    size_t own = *count_of(&asker->source);
    struct slot *s = NULL;
    if (own < SLOTS_EACH && taken == SLOTS && (s = find_greediest(own + 1))) {
        struct twins twins = take_twins(s);
        resolver_give_up(&s->asker);
        free_slot(s);
        end_twins(&twins, NULL, DNS_SERVFAIL, DNS_UNEXPLAINED);
    }
    if (own < SLOTS_EACH)
        s = find_free();
    if (!s) {
        resolver_refuse(asker, q, DNS_SERVFAIL, DNS_UNEXPLAINED);
        return NULL;
    }
    *s = (struct slot){.state = state,
                       .turn = s->turn,
                       .asker = *asker,
                       .query = *q,
                       .began = resolver.now,
                       .fd = -1,
                       .edns = true,
                       .rcode = DNS_SERVFAIL,
                       .server = resolver.good_server};
    ++*count_of(&asker->source);
    taken++;
    return s;
}

static void fail(struct slot *s, enum dns_rcode rcode, enum dns_reason reason)
{
    struct asker asker = s->asker;
    struct dns_query q = s->query;
    struct twins twins = take_twins(s);
    free_slot(s);
    resolver_refuse(&asker, &q, rcode, reason);
    end_twins(&twins, NULL, rcode, reason);
}

/* --- the keeper --- */

static int ask_keeper(const struct keeper_ask *ask)
{
    return send(resolver.ask, ask, sizeof *ask, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

void slots_ask_state(const struct asker *asker, const struct dns_query *q)
{
    struct slot *s = take_slot(asker, q, WAITS_FOR_STATE);
    if (!s)
        return;
    struct keeper_ask ask = {.question = KEEPER_STATE, .number = number_of(s)};
    expect(s, KEEPER_NS);
    if (ask_keeper(&ask) < 0)
        fail(s, DNS_SERVFAIL, DNS_UNEXPLAINED);
}

void slots_ask_grant(const struct asker *asker, const struct dns_query *q,
                     const struct dns_relay *relay, const char *name, const uint8_t *answer,
                     size_t size)
{
    uint8_t *bytes = xmalloc(size);
    memcpy(bytes, answer, size); /* take_slot() may write over it */
    struct slot *s = take_slot(asker, q, WAITS_FOR_GRANT);
    if (!s) {
        free(bytes);
        return;
    }
    struct keeper_ask ask = {.question = KEEPER_GRANT,
                             .number = number_of(s),
                             .member = asker->source,
                             .seconds = relay->ttl + GRANT_BEYOND,
                             .count = (uint32_t)relay->address_count};
    memcpy(ask.id, asker->id, sizeof ask.id);
    memcpy(ask.name, name, strnlen(name, sizeof ask.name - 1));
    memcpy(ask.addresses, relay->addresses, relay->address_count * sizeof *relay->addresses);
    s->bytes = bytes;
    s->size = size;
    expect(s, KEEPER_NS);
    if (ask_keeper(&ask) < 0)
        fail(s, DNS_SERVFAIL, DNS_UNEXPLAINED);
}

void slots_answered(uint32_t number, int result)
{
    struct slot *s = by_number(number);
    if (!s || (s->state != WAITS_FOR_STATE && s->state != WAITS_FOR_GRANT))
        return;
    struct asker asker = s->asker;
    if (s->state == WAITS_FOR_STATE) {
        struct dns_query q = s->query;
        free_slot(s);
        resolver_judge(&asker, &q, true);
    } else if (result < 0) {
        fail(s, DNS_SERVFAIL, DNS_UNEXPLAINED);
    } else {
        autofree uint8_t *bytes = take_ptr(s->bytes);
        size_t size = s->size;
        free_slot(s);
        resolver_give(&asker, bytes, size);
    }
}

/* So many a second for each of some senders: who shares a place shares them. */
void slots_tell_denied(const struct asker *asker, const char *name)
{
    static struct {
        nanoseconds second;
        unsigned told;
    } budgets[256];
    struct keeper_ask ask = {.question = KEEPER_DENIED, .member = asker->source};
    size_t i = asker->source.bytes[ip_size(&asker->source) - 1];
    if (resolver.now - budgets[i].second >= NSEC_PER_SEC) {
        budgets[i].second = resolver.now;
        budgets[i].told = 0;
    }
    if (budgets[i].told++ >= DENIED_EACH)
        return;
    memcpy(ask.id, asker->id, sizeof ask.id);
    memcpy(ask.name, name, strnlen(name, sizeof ask.name - 1));
    (void)ask_keeper(&ask);
}

/* --- the servers --- */

static const struct ip_address *servers(const struct asker *asker, size_t *count)
{
    const struct names_upstreams *own =
        asker->servers.count > 0 ? &asker->servers : &resolver.names.upstreams;
    *count = own->count > 0 ? own->count : resolver.server_count;
    return own->count > 0 ? own->list : resolver.servers;
}

static socklen_t to_socket(const struct ip_address *a, union address *out)
{
    memset(out, 0, sizeof *out);
    out->any.sa_family = (sa_family_t)a->family;
    if (a->family == AF_INET) {
        out->in.sin_port = htons(DNS_PORT);
        memcpy(&out->in.sin_addr, a->bytes, 4);
        return sizeof out->in;
    }
    out->in6.sin6_port = htons(DNS_PORT);
    memcpy(&out->in6.sin6_addr, a->bytes, 16);
    return sizeof out->in6;
}

/* A socket of its own for each try: the kernel chooses a port at random, and hears that server
 * only. */
static int open_socket(struct slot *s, int type, uint32_t events)
{
    size_t count;
    const struct ip_address *list = servers(&s->asker, &count);
    union address to;
    if (count == 0)
        return -ENETUNREACH;
    const struct ip_address *a = &list[s->server % count];
    socklen_t size = to_socket(a, &to);
    close_socket(s);
    s->fd = socket(a->family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0 || (connect(s->fd, &to.any, size) < 0 && errno != EINPROGRESS))
        return -errno;
    return resolver_watch(EVENT_SLOT, number_of(s), s->fd, events);
}

static int send_query(struct slot *s)
{
    uint8_t bytes[DNS_QUERY_MAX];
    s->id = resolver_random();
    s->state = WAITS_FOR_UDP;
    s->heard = 0;
    int rc = open_socket(s, SOCK_DGRAM, EPOLLIN);
    if (rc < 0)
        return rc;
    size_t size = dns_write_query(bytes, s->id, &s->query, s->edns);
    if (send(s->fd, bytes, size, MSG_NOSIGNAL) < 0)
        return -errno;
    expect(s, TRY_NS);
    return 0;
}

/* Asks the next server; or ends with what the last one said. */
static void try_on(struct slot *s)
{
    size_t count;
    (void)servers(&s->asker, &count);
    free(s->bytes);
    s->bytes = NULL;
    while (s->tries < TRIES_EACH * count) {
        if (s->tries++ > 0)
            s->server++;
        if (send_query(s) == 0)
            return;
    }
    fail(s, s->rcode, s->rcode == DNS_SERVFAIL ? DNS_NO_REACHABLE_AUTHORITY : DNS_UNEXPLAINED);
}

void slots_forward(const struct asker *asker, const struct dns_query *q)
{
    struct slot *first = find_first(asker, q);
    uint32_t number = first ? number_of(first) : 0;
    struct slot *s = take_slot(asker, q, first ? WAITS_FOR_TWIN : WAITS_FOR_UDP);
    if (!s)
        return;
    if (first && by_number(number) == first) { /* it has not just given way */
        first->twins++;
        s->first = number;
        expect(s, TWIN_NS);
        return;
    }
    asked[s - slots] = hash_of(q);
    try_on(s);
}

/* By TCP the question goes out with its length before it. */
static void send_by_tcp(struct slot *s)
{
    uint8_t bytes[2 + DNS_QUERY_MAX];
    size_t size = dns_write_query(bytes + 2, s->id, &s->query, s->edns);
    bytes[0] = (uint8_t)(size >> 8);
    bytes[1] = (uint8_t)size;
    struct epoll_event event = {.events = EPOLLIN,
                                .data.u64 = (uint64_t)EVENT_SLOT << 32 | number_of(s)};
    if (send(s->fd, bytes, size + 2, MSG_NOSIGNAL) != (ssize_t)size + 2 ||
        epoll_ctl(resolver.epoll, EPOLL_CTL_MOD, s->fd, &event) < 0) {
        try_on(s);
        return;
    }
    s->bytes = xmalloc(2 + DNS_MESSAGE_MAX);
    s->size = 2;
    s->have = 0;
}

static void begin_tcp(struct slot *s)
{
    s->id = resolver_random();
    s->state = WAITS_FOR_TCP;
    if (open_socket(s, SOCK_STREAM, EPOLLOUT) < 0)
        try_on(s);
    else
        expect(s, TCP_NS);
}

/* A server's answer, written anew and without EDNS: 0, or -EBADMSG. */
static int clean_answer(const struct slot *s, const struct dns_response *r,
                        struct dns_response *clean)
{
    struct dns_writer w;
    struct dns_relay all = {.ttl_max = UINT32_MAX};
    struct dns_query q = s->query;
    q.edns = false;
    dns_answer_begin(&w, resolver.clean, sizeof resolver.clean, &q);
    if (dns_relay(r, &all, &w) < 0)
        return -EBADMSG;
    size_t size = dns_answer_end(&w, &q, (enum dns_rcode)(r->flags & DNS_RCODE), r->flags & DNS_AD,
                                 DNS_UNEXPLAINED);
    return dns_parse_response(resolver.clean, size, clean);
}

/* A whole answer to what was asked, but maybe not a good one. */
static void take_answer(struct slot *s, const struct dns_response *r)
{
    enum dns_rcode rcode = (enum dns_rcode)(r->flags & DNS_RCODE);
    struct dns_response clean;
    if (r->flags & DNS_TC && s->state == WAITS_FOR_UDP) {
        begin_tcp(s);
        return;
    }
    if (rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN) {
        s->rcode = rcode;
        if (s->edns && (rcode == DNS_FORMERR || rcode == DNS_NOTIMP)) {
            s->edns = false; /* it may be so old that it does not know EDNS */
            s->tries -= s->tries > 1;
            s->server--;
        }
        try_on(s);
        return;
    }
    if (clean_answer(s, r, &clean) < 0) {
        try_on(s);
        return;
    }
    resolver.good_server = s->server;
    struct asker asker = s->asker;
    struct dns_query q = s->query;
    struct twins twins = take_twins(s);
    free_slot(s);
    cache_add(&asker, &q, &clean);
    resolver_pass_on(&asker, &q, &clean, 0);
    end_twins(&twins, &clean, DNS_NOERROR, DNS_UNEXPLAINED);
}

/* Only what comes from the server reaches this socket; it has to answer this question. */
static void hear_udp(struct slot *s)
{
    struct dns_response r;
    for (;;) {
        ssize_t n = recv(s->fd, resolver.heard, sizeof resolver.heard, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0 || s->heard++ == HEARD_MAX) {
            try_on(s); /* nobody listens there */
            return;
        }
        if (dns_parse_response(resolver.heard, (size_t)n, &r) == 0 &&
            dns_answers(&r, s->id, &s->query.question)) {
            take_answer(s, &r);
            return;
        }
    }
}

static void hear_tcp(struct slot *s)
{
    struct dns_response r;
    if (!s->bytes) {
        send_by_tcp(s);
        return;
    }
    ssize_t n = recv(s->fd, s->bytes + s->have, s->size - s->have, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        try_on(s);
        return;
    }
    s->have += (size_t)n;
    if (s->have == 2 && s->size == 2)
        s->size += (size_t)(s->bytes[0] << 8 | s->bytes[1]);
    if (s->have < s->size)
        return;
    autofree uint8_t *bytes = take_ptr(s->bytes);
    if (dns_parse_response(bytes + 2, s->size - 2, &r) == 0 &&
        dns_answers(&r, s->id, &s->query.question))
        take_answer(s, &r);
    else
        try_on(s);
}

void slots_event(uint32_t number)
{
    struct slot *s = by_number(number);
    if (s && s->state == WAITS_FOR_UDP)
        hear_udp(s);
    else if (s && s->state == WAITS_FOR_TCP)
        hear_tcp(s);
}

/* --- time --- */

static void be_late(struct slot *s)
{
    if (s->state == WAITS_FOR_UDP || s->state == WAITS_FOR_TCP)
        try_on(s);
    else
        fail(s, DNS_SERVFAIL, DNS_UNEXPLAINED);
}

int slots_expire(void)
{
    if (first_deadline <= resolver.now) {
        for (size_t i = 0; i < SLOTS; i++)
            if (slots[i].state != FREE && slots[i].deadline <= resolver.now)
                be_late(&slots[i]);
        first_deadline = INT64_MAX;
        for (size_t i = 0; i < SLOTS; i++)
            if (slots[i].state != FREE && slots[i].deadline < first_deadline)
                first_deadline = slots[i].deadline;
    }
    if (first_deadline == INT64_MAX)
        return -1;
    return (int)((first_deadline - resolver.now) / 1000000) + 1;
}
