/* SPDX-License-Identifier: Apache-2.0 */
#include "network/resolver.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>

#include "base/io.h"
#include "base/text.h"
#include "network/resolver_internal.h"

#define BATCH 64
#define PACKET_MAX 1500 /* a question has some hundred bytes */
#define BATCHES_AT_ONCE 8
#define LOCAL_TTL 5 /* seconds: containers come and go */
#define LISTED_TTL_MAX 3600
#define BEARERS_MAX 64 /* of one name */

struct resolver resolver;

static struct {
    uint8_t bytes[PACKET_MAX];
    union address from;
} packets[BATCH];
static struct mmsghdr packet_headers[BATCH], reply_headers[BATCH];
static struct iovec packet_parts[BATCH], reply_parts[BATCH];
static uint8_t replies[BATCH][DNS_UDP_MAX];
static union address reply_to[BATCH];
static unsigned reply_count;
static int reply_socket;

/* --- answering --- */

static void flush_replies(void)
{
    unsigned sent = 0;
    while (sent < reply_count) {
        int n = sendmmsg(reply_socket, reply_headers + sent, reply_count - sent, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        sent += n > 0 ? (unsigned)n : 1; /* the first cannot be sent: it asks again */
    }
    reply_count = 0;
}

void resolver_give(const struct asker *asker, const uint8_t *bytes, size_t size)
{
    if (asker->connection >= 0) {
        tcp_give(asker, bytes, size);
        return;
    }
    if (reply_count == BATCH || (reply_count > 0 && reply_socket != asker->listener))
        flush_replies();
    unsigned i = reply_count++;
    reply_socket = asker->listener;
    memcpy(replies[i], bytes, size);
    reply_to[i] = asker->to;
    reply_parts[i] = (struct iovec){replies[i], size};
    reply_headers[i].msg_hdr =
        (struct msghdr){.msg_name = &reply_to[i],
                        .msg_namelen = asker->to.any.sa_family == AF_INET ? sizeof asker->to.in
                                                                          : sizeof asker->to.in6,
                        .msg_iov = &reply_parts[i],
                        .msg_iovlen = 1};
}

void resolver_give_up(const struct asker *asker)
{
    if (asker->connection >= 0)
        tcp_give_up(asker);
}

size_t resolver_limit(const struct asker *asker, const struct dns_query *q)
{
    return asker->connection >= 0 ? DNS_MESSAGE_MAX : q->udp_size;
}

static void begin(struct dns_writer *w, const struct asker *asker, const struct dns_query *q)
{
    dns_answer_begin(w, resolver.room, resolver_limit(asker, q), q);
}

static void finish(struct dns_writer *w, const struct asker *asker, const struct dns_query *q,
                   enum dns_rcode rcode, uint16_t flags, enum dns_reason reason)
{
    size_t size = dns_answer_end(w, q, rcode, flags, reason);
    resolver_give(asker, resolver.room, size);
}

void resolver_refuse(const struct asker *asker, const struct dns_query *q, enum dns_rcode rcode,
                     enum dns_reason reason)
{
    struct dns_writer w;
    begin(&w, asker, q);
    finish(&w, asker, q, rcode, 0, reason);
}

/* --- members' names --- */

static void put_addresses(struct dns_writer *w, const struct dns_query *q,
                          const struct names_member *m)
{
    int family = q->question.type == DNS_AAAA ? AF_INET6 : AF_INET;
    if (q->question.type != DNS_A && q->question.type != DNS_AAAA)
        return;
    for (size_t i = 0; i < m->address_count; i++)
        if (m->addresses[i].family == family)
            dns_put_address(w, &q->question.name, LOCAL_TTL, &m->addresses[i]);
}

static bool answer_name(const struct asker *asker, const struct dns_query *q,
                        const struct names_member *self, const char *name)
{
    const struct names_member *found[BEARERS_MAX];
    struct dns_writer w;
    size_t count = names_find(&resolver.names, self, name, found, BEARERS_MAX);
    bool below = count == 0 && names_is_below(&resolver.names, self, name);
    if (count == 0 && !below)
        return false;
    begin(&w, asker, q);
    if (q->question.type == DNS_ANY && count > 0)
        dns_put_no_any(&w, &q->question.name);
    /* Whoever takes the first only does not always take the same. */
    size_t first = count > 1 ? resolver_random() % count : 0;
    for (size_t i = 0; i < count; i++)
        put_addresses(&w, q, found[(first + i) % count]);
    finish(&w, asker, q, below ? DNS_NXDOMAIN : DNS_NOERROR, DNS_AA, DNS_UNEXPLAINED);
    return true;
}

/* The address that a name of in-addr.arpa or ip6.arpa is about. */
static bool read_reverse(const char *name, struct ip_address *out)
{
    struct ip_address a = {.family = ends_with(name, ".ip6.arpa") ? AF_INET6 : AF_INET};
    size_t size = ip_size(&a);
    char again[DNS_TEXT_MAX];
    if (a.family == AF_INET && !ends_with(name, ".in-addr.arpa"))
        return false;
    const char *at = name;
    for (size_t i = size; i-- > 0;) {
        unsigned value = 0;
        if (size == 4) {
            for (; *at >= '0' && *at <= '9' && value < 256; at++)
                value = value * 10 + (unsigned)(*at - '0');
        } else {
            for (unsigned shift = 0; shift < 8 && at[0] && at[1]; shift += 4, at += 2) {
                const char *digit = strchr("0123456789abcdef", *at);
                value |= digit ? (unsigned)(digit - "0123456789abcdef") << shift : 0;
            }
            at--;
        }
        a.bytes[i] = (uint8_t)value;
        if (*at++ != '.')
            return false;
    }
    dns_reverse_text(&a, again); /* one way to write each */
    *out = a;
    return streq(again, name);
}

static bool answer_reverse(const struct asker *asker, const struct dns_query *q,
                           const struct names_member *self, const char *name)
{
    struct ip_address a;
    struct dns_name target;
    struct dns_writer w;
    const struct names_member *m;
    if (!ends_with(name, ".arpa") || !read_reverse(name, &a) ||
        !names_is_own_address(&resolver.names, self, &a, &m))
        return false;
    begin(&w, asker, q);
    if (m && q->question.type == DNS_PTR && dns_name_from_text(m->name, &target) == 0)
        dns_put_target(&w, &q->question.name, DNS_PTR, LOCAL_TTL, &target);
    finish(&w, asker, q, m ? DNS_NOERROR : DNS_NXDOMAIN, DNS_AA, DNS_UNEXPLAINED);
    return true;
}

/* --- judging --- */

static bool may_lead_to(const struct ip_address *a, const void *list)
{
    return egress_public(a) || egress_lists_address(list, a);
}

static void keep_public(struct dns_relay *relay)
{
    size_t kept = 0;
    for (size_t i = 0; i < relay->address_count; i++)
        if (egress_public(&relay->addresses[i]))
            relay->addresses[kept++] = relay->addresses[i];
    relay->address_count = kept;
}

void resolver_pass_on(const struct asker *asker, const struct dns_query *q,
                      const struct dns_response *clean, uint32_t age)
{
    struct dns_writer w;
    enum dns_rcode rcode = (enum dns_rcode)(clean->flags & DNS_RCODE);
    uint16_t flags = clean->flags & DNS_AD;
    const struct names_member *m = names_by_address(&resolver.names, &asker->source),
                              *out = m ? names_outward(&resolver.names, m) : NULL;
    if (!out || !streq(m->id, asker->id)) { /* whoever asked is gone */
        resolver_refuse(asker, q, DNS_REFUSED, DNS_UNEXPLAINED);
        return;
    }
    begin(&w, asker, q);
    if (!out->egress.limited) {
        dns_put_body(&w, clean, age);
        finish(&w, asker, q, rcode, flags, DNS_UNEXPLAINED);
        return;
    }
    struct dns_relay relay = {
        .keep = may_lead_to, .closure = &out->egress, .ttl_max = LISTED_TTL_MAX, .age = age};
    char name[DNS_TEXT_MAX];
    dns_name_text(&q->question.name, name);
    if (dns_relay(clean, &relay, &w) < 0) {
        resolver_refuse(asker, q, DNS_SERVFAIL, DNS_UNEXPLAINED);
        return;
    }
    keep_public(&relay); /* the others are reached by rules of addresses, if at all */
    size_t size =
        dns_answer_end(&w, q, rcode, flags, relay.dropped > 0 ? DNS_BLOCKED : DNS_UNEXPLAINED);
    if (relay.address_count == 0)
        resolver_give(asker, resolver.room, size);
    else
        slots_ask_grant(asker, q, &relay, name, resolver.room, size);
}

/* What is answered without asking anybody: whether it was. */
static bool answer_at_once(const struct asker *asker, const struct dns_query *q,
                           const struct names_member *m, const char *name)
{
    uint16_t type = q->question.type;
    struct dns_writer w;
    if (q->question.class != DNS_INTERNET || type == 0 || type == DNS_OPT ||
        (type >= DNS_META_FIRST && type < DNS_ANY)) {
        resolver_refuse(asker, q, DNS_NOTIMP, DNS_UNEXPLAINED);
        return true;
    }
    if (answer_name(asker, q, m, name) || answer_reverse(asker, q, m, name))
        return true;
    const struct names_member *out = names_outward(&resolver.names, m);
    if (!out || !egress_names(&out->egress, name)) {
        if (out)
            slots_tell_denied(asker, name);
        resolver_refuse(asker, q, DNS_REFUSED, out ? DNS_BLOCKED : DNS_PROHIBITED);
        return true;
    }
    bool hints = out->egress.limited && (type == DNS_SVCB || type == DNS_HTTPS);
    if (type != DNS_ANY && !hints)
        return false;
    /* Hints of addresses (RFC 9460) would lead to where nothing was granted. */
    begin(&w, asker, q);
    if (!hints)
        dns_put_no_any(&w, &q->question.name);
    finish(&w, asker, q, DNS_NOERROR, 0, DNS_UNEXPLAINED);
    return true;
}

void resolver_judge(const struct asker *asker, const struct dns_query *q, bool synced)
{
    char name[DNS_TEXT_MAX];
    const struct names_member *m = names_by_address(&resolver.names, &asker->source);
    if (!m) {
        if (synced)
            resolver_refuse(asker, q, DNS_REFUSED, DNS_PROHIBITED);
        else
            slots_ask_state(asker, q);
        return;
    }
    struct asker known = *asker;
    memcpy(known.id, m->id, sizeof known.id);
    known.apart = resolver.names.isolated || m->upstreams.count > 0;
    known.servers = m->upstreams;
    dns_name_text(&q->question.name, name);
    if (answer_at_once(&known, q, m, name))
        return;
    size_t size;
    uint32_t age;
    struct dns_response clean;
    const uint8_t *kept = cache_find(&known, q, &size, &age);
    if (kept && dns_parse_response(kept, size, &clean) == 0)
        resolver_pass_on(&known, q, &clean, age);
    else
        slots_forward(&known, q);
}

void resolver_take(const struct asker *asker, const uint8_t *bytes, size_t size)
{
    struct dns_query q;
    int rcode = dns_parse_query(bytes, size, &q);
    if (rcode < 0)
        resolver_give_up(asker);
    else if (rcode > 0)
        resolver_refuse(asker, &q, (enum dns_rcode)rcode, DNS_UNEXPLAINED);
    else
        resolver_judge(asker, &q, false);
}

/* --- hearing --- */

struct ip_address resolver_address(const union address *a)
{
    struct ip_address out = {.family = a->any.sa_family};
    if (out.family == AF_INET) {
        memcpy(out.bytes, &a->in.sin_addr, 4);
    } else if (IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr)) {
        out.family = AF_INET;
        memcpy(out.bytes, a->in6.sin6_addr.s6_addr + 12, 4);
    } else {
        memcpy(out.bytes, &a->in6.sin6_addr, 16);
    }
    return out;
}

static bool same_sender(const union address *a, const union address *b)
{
    return a->any.sa_family == b->any.sa_family &&
           (a->any.sa_family == AF_INET ? a->in.sin_addr.s_addr == b->in.sin_addr.s_addr
                                        : memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16) == 0);
}

/* A full batch says that more comes than is answered: then each sender has a share of it, and what
 * is over is dropped. */
static unsigned share_of(unsigned count)
{
    unsigned senders = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned k = 0;
        while (k < i && !same_sender(&packets[i].from, &packets[k].from))
            k++;
        senders += k == i;
    }
    return senders > 1 ? BATCH / senders + 1 : BATCH;
}

static bool is_over(unsigned i, unsigned share)
{
    unsigned before = 0;
    for (unsigned k = 0; k < i; k++)
        before += same_sender(&packets[i].from, &packets[k].from);
    return before >= share;
}

static bool take_batch(int fd)
{
    for (unsigned i = 0; i < BATCH; i++) {
        packet_parts[i] = (struct iovec){packets[i].bytes, sizeof packets[i].bytes};
        packet_headers[i].msg_hdr = (struct msghdr){.msg_name = &packets[i].from,
                                                    .msg_namelen = sizeof packets[i].from,
                                                    .msg_iov = &packet_parts[i],
                                                    .msg_iovlen = 1};
    }
    int n = recvmmsg(fd, packet_headers, BATCH, MSG_DONTWAIT, NULL);
    unsigned share = n == BATCH ? share_of(BATCH) : BATCH;
    for (int i = 0; i < n; i++) {
        const union address *from = &packets[i].from;
        bool port = from->any.sa_family == AF_INET ? from->in.sin_port : from->in6.sin6_port;
        if (!port || packet_headers[i].msg_hdr.msg_flags & MSG_TRUNC ||
            (share < BATCH && is_over((unsigned)i, share)))
            continue;
        struct asker asker = {
            .source = resolver_address(from), .connection = -1, .listener = fd, .to = *from};
        resolver_take(&asker, packets[i].bytes, packet_headers[i].msg_len);
    }
    return n == BATCH;
}

/* --- the keeper --- */

/* What was said of other networks since the last time. */
static struct names heard;

/* They come one after the other, and count once our own comes. */
static void take_other(const struct keeper_tell *words, int fd)
{
    autobuf text = {0};
    if (words->number == 0)
        names_free(&heard);
    if (heard.other_count < KEEPER_OTHERS_MAX &&
        memchr(words->network, '\0', sizeof words->network) &&
        read_fd(fd, NAMES_FILE_MAX, &text) == 0)
        (void)names_add_other(&heard, words->network, buf_text(&text), text.len);
}

static void take_names(const struct keeper_tell *words, int fd)
{
    autobuf text = {0};
    autonames fresh = {0};
    if (words->number == 0)
        names_free(&heard);
    if (read_fd(fd, NAMES_FILE_MAX, &text) < 0 ||
        names_parse(buf_text(&text), text.len, &fresh, NULL) < 0)
        return;
    bool moved = memcmp(&resolver.names.upstreams, &fresh.upstreams, sizeof fresh.upstreams) != 0;
    names_move_others(&heard, &fresh);
    struct names old = resolver.names;
    resolver.names = fresh;
    fresh = old;
    if (moved)
        cache_forget();
}

static void take_servers(const struct keeper_tell *words)
{
    resolver.server_count = words->count < NAMES_UPSTREAMS ? words->count : NAMES_UPSTREAMS;
    memcpy(resolver.servers, words->servers, sizeof resolver.servers);
    resolver.good_server = 0;
    cache_forget();
}

/* False when the keeper is gone. */
static bool hear_keeper(void)
{
    for (;;) {
        struct keeper_tell words;
        autofd fd = -1;
        size_t fds = 0;
        ssize_t n = receive_fds(resolver.ask, &words, sizeof words, &fd, 1, &fds);
        if (n == -EAGAIN)
            return true;
        if (n != sizeof words)
            return false;
        if (words.word == KEEPER_NAMES && fd >= 0)
            take_names(&words, fd);
        else if (words.word == KEEPER_OTHER && fd >= 0)
            take_other(&words, fd);
        else if (words.word == KEEPER_SERVERS)
            take_servers(&words);
        else if (words.word == KEEPER_ANSWER)
            slots_answered(words.number, words.result);
    }
}

/* --- running --- */

uint16_t resolver_random(void)
{
    static uint16_t numbers[128];
    static size_t left;
    if (left == 0) {
        ssize_t n;
        do {
            n = getrandom(numbers, sizeof numbers, 0);
        } while (n != sizeof numbers);
        left = sizeof numbers / sizeof *numbers;
    }
    return numbers[--left];
}

int resolver_watch(enum event_kind kind, uint32_t number, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)kind << 32 | number};
    return epoll_ctl(resolver.epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static void handle(uint64_t data)
{
    uint32_t number = (uint32_t)data;
    switch ((enum event_kind)(data >> 32)) {
    case EVENT_KEEPER:
        return;
    case EVENT_UDP:
        for (unsigned i = 0; i < BATCHES_AT_ONCE && take_batch((int)number); i++)
            ;
        return;
    case EVENT_TCP:
        tcp_accept((int)number);
        return;
    case EVENT_CONNECTION:
        tcp_event(number);
        return;
    case EVENT_SLOT:
        slots_event(number);
        return;
    }
}

static int sooner(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* What the keeper says comes first: it may be about who is asking next. */
static bool turn(int timeout)
{
    struct epoll_event events[BATCH];
    int count = epoll_wait(resolver.epoll, events, BATCH, timeout);
    resolver.now = clock_monotonic();
    for (int i = 0; i < count; i++)
        if (events[i].data.u64 >> 32 == EVENT_KEEPER && !hear_keeper())
            return false;
    for (int i = 0; i < count; i++)
        handle(events[i].data.u64);
    return true;
}

static int watch_listeners(size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        int fd = NETD_LISTEN + (int)i, type = 0;
        socklen_t size = sizeof type;
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
            resolver_watch(type == SOCK_DGRAM ? EVENT_UDP : EVENT_TCP, (uint32_t)fd, fd, EPOLLIN) <
                0)
            return error_errno(err, "cannot listen on descriptor %d", fd);
    }
    return 0;
}

int resolver_run(int ask, int epoll, size_t listeners, struct error *err)
{
    struct keeper_ask first = {.question = KEEPER_STATE, .number = UINT32_MAX};
    int timeout = -1;
    resolver.ask = ask;
    resolver.epoll = epoll;
    cache_begin();
    int rc = watch_listeners(listeners, err);
    if (rc < 0)
        return rc;
    if (resolver_watch(EVENT_KEEPER, 0, ask, EPOLLIN) < 0 ||
        send(ask, &first, sizeof first, MSG_NOSIGNAL) < 0)
        return error_errno(err, "cannot reach the keeper");
    while (turn(timeout)) {
        timeout = slots_expire();
        timeout = sooner(timeout, tcp_turn());
        flush_replies();
    }
    return 0;
}
