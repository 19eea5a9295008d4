/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the resolver share: resolver.c hears and judges, resolver_slots.c waits for
 * others, resolver_cache.c remembers, resolver_tcp.c talks to clients that came by TCP. */
#ifndef CAISSON_NETWORK_RESOLVER_INTERNAL_H
#define CAISSON_NETWORK_RESOLVER_INTERNAL_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "network/dns_relay.h"
#include "network/names.h"
#include "network/netd.h"

union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/* Who is to have an answer. */
struct asker {
    struct ip_address source;
    /* The member that had the address when it asked, and whom it has asked: by the time that there
     * is an answer the address may be another's. "": not known yet. */
    char id[NAMES_ID_MAX + 1];
    bool apart; /* what others asked for is none of its answers, nor the other way round */
    struct names_upstreams servers; /* of its own; none: those of all */
    int connection;                 /* of resolver_tcp.c; -1: by UDP, to: */
    uint32_t turn;                  /* of that connection's place */
    int listener;                   /* descriptor */
    union address to;
};

/* What an event is of: in the upper half of its data, the number in the lower one. */
enum event_kind {
    EVENT_KEEPER,
    EVENT_UDP,
    EVENT_TCP,
    EVENT_CONNECTION,
    EVENT_SLOT,
};

struct resolver {
    int epoll, ask;
    struct names names;
    struct ip_address servers[NAMES_UPSTREAMS]; /* of the host's resolv.conf */
    size_t server_count;
    size_t good_server;             /* which answered last */
    nanoseconds now;                /* monotonic, of this turn of the loop */
    uint8_t room[DNS_MESSAGE_MAX];  /* the answer that is being written */
    uint8_t clean[DNS_MESSAGE_MAX]; /* a server's, written anew */
    uint8_t heard[DNS_MESSAGE_MAX]; /* a server's, as it came */
};
extern struct resolver resolver;

int resolver_watch(enum event_kind kind, uint32_t number, int fd, uint32_t events);
uint16_t resolver_random(void);

/* Answers it, or takes care that it will be. `synced`: unknown senders are really unknown. */
void resolver_judge(const struct asker *asker, const struct dns_query *q, bool synced);
void resolver_take(const struct asker *asker, const uint8_t *bytes, size_t size);
/* Gives an answer without records. */
void resolver_refuse(const struct asker *asker, const struct dns_query *q, enum dns_rcode rcode,
                     enum dns_reason reason);
/* Sends what is a whole answer. */
void resolver_give(const struct asker *asker, const uint8_t *bytes, size_t size);
/* No answer will come. */
void resolver_give_up(const struct asker *asker);
size_t resolver_limit(const struct asker *asker, const struct dns_query *q);
/* The answer to `q`, from one to the same question that was written by ourselves `age` seconds ago.
 */
void resolver_pass_on(const struct asker *asker, const struct dns_query *q,
                      const struct dns_response *clean, uint32_t age);

/* --- resolver_slots.c --- */

/* Asks the servers. */
void slots_forward(const struct asker *asker, const struct dns_query *q);
/* Asks the keeper who this is. */
void slots_ask_state(const struct asker *asker, const struct dns_query *q);
/* Asks the keeper to grant; then the answer (copied) is given. */
void slots_ask_grant(const struct asker *asker, const struct dns_query *q,
                     const struct dns_relay *relay, const char *name, const uint8_t *answer,
                     size_t size);
void slots_event(uint32_t number);
void slots_answered(uint32_t number, int result);
/* Milliseconds until one is late; -1: never. Deals with those that are. */
int slots_expire(void);
/* Tells the keeper of a name that is on no list. */
void slots_tell_denied(const struct asker *asker, const char *name);

/* --- resolver_cache.c --- */

void cache_begin(void);
/* A message of our own without EDNS, and how old it is; NULL: there is none. */
const uint8_t *cache_find(const struct asker *asker, const struct dns_query *q, size_t *size,
                          uint32_t *age);
void cache_add(const struct asker *asker, const struct dns_query *q,
               const struct dns_response *clean);
void cache_forget(void);

/* --- resolver_tcp.c --- */

void tcp_accept(int listener);
void tcp_event(uint32_t number);
void tcp_give(const struct asker *asker, const uint8_t *bytes, size_t size);
void tcp_give_up(const struct asker *asker);
/* Goes on with what clients sent meanwhile, and closes what is idle: milliseconds until the next is
 * late, or -1. */
int tcp_turn(void);

/* Whose answers it may have: its own, or ("") those that all have in common. */
static inline const char *resolver_owner(const struct asker *asker)
{
    return asker->apart ? asker->id : "";
}

/* Shows a socket's address as ours, IPv4 in IPv6 as IPv4. */
struct ip_address resolver_address(const union address *a);

#endif
