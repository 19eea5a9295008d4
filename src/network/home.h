/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands for the host among an ordinary user's networks: their home.
 *
 * An ordinary user has no rights over the host's network. So bridges, cables and the firewall of
 * their networks are in a network namespace of their own, one for each state directory, made by the
 * same code as root's (attach.h); and pasta(1) carries what leaves it to the host, where it appears
 * as what a process of the user's sends. pasta forwards nothing inwards, and gives no way to the
 * host's loopback; the host's other addresses are closed by the firewall (own.h).
 *
 * The namespace is kept by one process, caisson-home (home_keep.h), which listens at HOME_SOCKET in
 * <state>/networks. A connection to it gives the namespace, and keeps it there as long as it is
 * open; so does every first process of a container that it was told of, as long as that runs. When
 * nothing keeps it there any more it ends, and with it pasta, the namespace and all that is in it.
 * Nobody has to clean up after a kill, of anybody: a socket that nobody listens at says that there
 * is no home, and whoever needs one makes it, under the lock HOME_LOCK, brings back those who were
 * on networks before, and then says that it is whole.
 */
#ifndef CAISSON_NETWORK_HOME_H
#define CAISSON_NETWORK_HOME_H

#include <stdbool.h>

#include "base/error.h"

#define HOME_SOCKET ".home"
#define HOME_LOCK ".home.lock"

/* The interface of pasta's there, and its addresses, which no network can have (subnets.c). */
#define HOME_INTERFACE "outside"
#define HOME_ADDRESS4 "169.254.202.21"
#define HOME_LENGTH4 "30"
#define HOME_GATEWAY4 "169.254.202.22"
#define HOME_SUBNET6 "fd00:ca15:ca15::/64"
#define HOME_ADDRESS6 "fd00:ca15:ca15::2"
#define HOME_GATEWAY6 "fe80::ca15"

/* What a connection says: records of one byte and what belongs to it. */
enum home_word {
    /* from caisson-home, once, with the namespace and home.silence */
    HOME_HERE = 'h',  /* all is there that was */
    HOME_SORRY = '!', /* with text and no namespace: why it could not be made */
    HOME_EMPTY = 'e', /* whoever holds the lock is to bring back what was there before */
    /* to it; each is answered by the same */
    HOME_MEMBER = 'm', /* with the pidfd of a container's first process */
    HOME_WHOLE = 'w',  /* all is back */
    HOME_OWN = 'o',    /* the firewall is there anew: look at the host's addresses again */
};

struct home {
    int connection, namespace;
    bool whole;
    char silence[512]; /* why there is no way out although the host has one; "" */
};
#define HOME_NONE                                                                                  \
    {                                                                                              \
        .connection = -1, .namespace = -1                                                          \
    }
void home_close(struct home *home);
#define autohome __attribute__((cleanup(home_close))) struct home

/* The directory of the two files, below the state directory; -ENOENT without a sentence where there
 * is none and `make` is not given. The others take it. */
int home_directory(int state, bool make, struct error *err);
/* Until the descriptor is closed nobody else makes it. */
int home_lock(int directory, struct error *err);
/* -ENOTCONN without a sentence when there is none. */
int home_connect(int directory, struct home *out, struct error *err);
/* The socket that caisson-home listens at, in the place of one that nobody listens at any more;
 * under the lock. */
int home_listen(int directory, struct error *err);
/* A connection on which nothing was heard yet: so that it is there before caisson-home is. */
int home_call(int directory, struct error *err);
int home_welcome(int connection, struct home *out, struct error *err);
/* Says a word, with `fd` when it is none of -1, and waits for the answer. */
int home_say(int connection, enum home_word word, int fd, struct error *err);

/* The path of pasta; -ENOENT with what to install. It is looked for where distributions put it. */
int home_pasta(const char **path, struct error *err);

#endif
