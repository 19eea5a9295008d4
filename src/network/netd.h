/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-netd: names and egress lists of one network, from its first container to its last.
 *
 * Two processes. The *resolver* (resolver.h) reads what containers and upstream servers send, and
 * has no rights at all: no capability, no file, no system call that opens one. The *keeper*
 * (keeper.h), its parent, has the right to change the network's firewall (CAP_NET_ADMIN) and to
 * write in the network's state directory; it reads requests of one fixed size from the resolver,
 * the file of names, and the first bytes of packets that were refused. When the resolver ends, the
 * keeper makes another one; when the keeper ends, so does the resolver.
 *
 * Who starts it gives it these descriptors, and nothing else (0 to 2: /dev/null, or for standard
 * error somebody who reads why it could not start):
 */
#ifndef CAISSON_NETWORK_NETD_H
#define CAISSON_NETWORK_NETD_H

#include <stdbool.h>
#include <stddef.h>

#include "network/address.h"

enum netd_fd {
    NETD_STATE = 3,  /* the network's state directory */
    NETD_LOCK = 4,   /* its file NETD_LOCK_FILE, locked: see below */
    NETD_NFT = 5,    /* NETLINK_NETFILTER, of the network's namespace */
    NETD_NFLOG = 6,  /* the same once more, for the log of what is refused */
    NETD_READY = 7,  /* the end of a pipe: it gets one byte when questions are answered */
    NETD_LISTEN = 8, /* from here on, without a gap: UDP and listening TCP sockets, each bound to
                        port 53 of a gateway of the network's */
};
#define NETD_LISTENERS_MAX 8

/*
 * Its life. Two files in the state directory, both locked with flock(2):
 *   names.lock  held exclusively by whoever replaces `names` (names.h) and starts the program
 *   netd.lock   held as long as the program lives, by its descriptor NETD_LOCK
 * To add a member: lock names.lock; replace `names`; try to lock netd.lock without waiting. When
 * that works nobody answers: start the program with this descriptor as NETD_LOCK. Give names.lock
 * back, and read from the pipe of NETD_READY. To remove one: the same without starting.
 * The program ends when it holds names.lock and `names` has no member (or is gone); it gives back
 * the ports, then netd.lock, and with its end names.lock. So who holds names.lock never sees one
 * that is about to end. A program whose netd.lock has no name any more was replaced, and ends.
 * Whoever finds netd.lock free while there are members (it was killed) starts it anew, in the same
 * way: what was granted before is in the kernel, and stays.
 */
#define NETD_NAMES_LOCK_FILE "names.lock"
#define NETD_LOCK_FILE "netd.lock"

/*
 * What the keeper writes: NETD_LOG_FILE in the state directory, replaced at most once a second.
 * A line for each container, destination, port and protocol of which it knows, the latest last,
 * with a tab between its parts:
 *   "denied" or "granted", container id, its name or "-", name or "-", address or "-", port or "-",
 *   protocol or "-", how often, when last (RFC 3339)
 * A name without address was asked for and is on no list; an address without name is where packets
 * went. Counts are of what was logged, at most some a second for each container. At most
 * NETD_LOG_LINES lines; the oldest of the container that has most goes first.
 */
#define NETD_LOG_FILE "egress"
#define NETD_LOG_LINES 1024
#define NETD_LOG_MAX (1 << 20) /* bytes */

/* --- between the two --- */

enum keeper_question {
    KEEPER_STATE,  /* names and servers, if they are others than before; then the answer */
    KEEPER_GRANT,  /* may it reach these addresses, for it asked for that name; then the answer */
    KEEPER_DENIED, /* it asked for that name, which is on no list; no answer */
};
#define KEEPER_ADDRESSES_MAX 32
#define KEEPER_SECONDS_MAX 3720
#define KEEPER_OTHERS_MAX                                                                          \
    64 /* networks that members are on as well; more of them are not looked at */
#define KEEPER_NETWORK_SIZE 128
#define KEEPER_ID_SIZE 65

struct keeper_ask {
    uint32_t question;
    uint32_t number; /* comes back with the answer */
    struct ip_address member;
    char id[KEEPER_ID_SIZE]; /* who had that address when it asked */
    char name[256];
    uint32_t seconds;
    uint32_t count;
    struct ip_address addresses[KEEPER_ADDRESSES_MAX];
};

enum keeper_word {
    KEEPER_ANSWER,
    KEEPER_OTHER,   /* with a descriptor of the file of `network`; `number` of them came before */
    KEEPER_NAMES,   /* with a descriptor of our own file, behind `number` others */
    KEEPER_SERVERS, /* those of the host */
};

struct keeper_tell {
    uint32_t word;
    uint32_t number;
    int32_t result; /* 0 or a negative errno */
    uint32_t count;
    struct ip_address servers[3];
    char network[KEEPER_NETWORK_SIZE];
};

#endif
