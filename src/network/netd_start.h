/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's side of caisson-netd (netd.h): who is on a network, and that somebody answers there.
 *
 * The network's state directory has to be there: a member has a lease first. A lease whose owner is
 * gone tells whoever takes it back to take back the member as well, and before.
 */
#ifndef CAISSON_NETWORK_NETD_START_H
#define CAISSON_NETWORK_NETD_START_H

#include "network/attach.h"
#include "network/egress_log.h"
#include "network/names.h"

/* Where one was started: what has to be waited for. */
struct netd_start {
    int said; /* -1, or the end of a pipe by which it says that it is ready, or why not */
};
#define NETD_START_NONE                                                                            \
    {                                                                                              \
        .said = -1                                                                                 \
    }

/* Adds the member (borrowed) in the place of an older one of this id, and starts `program`, a path,
 * where nobody answers for the network; it gets ready meanwhile. *group is that of the kernel's log
 * for what the network's lists refuse. -EADDRINUSE with the place that is taken. */
int netd_add(const struct network_host *host, const struct network *network,
             const struct names_member *member, const char *program, uint16_t *group,
             struct netd_start *out, struct error *err);
/* Starts it anew for the members that there are, where the one before answers in a namespace that
 * is no longer the host's. Nothing to do without members. */
int netd_again(const struct network_host *host, const struct network *network, const char *program,
               struct netd_start *out, struct error *err);
/* Whether there are members and nobody answers for them. */
bool netd_is_missing(const struct network_place *place, const char *network);
/* Until it answers. Nothing to do where it did before. */
int netd_wait(struct netd_start *start, const char *network, struct error *err);
void netd_start_end(struct netd_start *start);

/* Gives the member another name; who is not there is no error. */
void netd_rename(const struct network_place *place, const char *network, const char *id,
                 const char *name);
/* Who is not there is no error. The last one's going ends the program. */
void netd_remove(const struct network_place *place, const char *network, const char *id);

/* What the network's file says; -ENOENT where nobody ever was on it. */
int netd_names(const struct network_place *place, const char *network, struct names *out,
               struct error *err);

/* What lists let pass and refused, into an empty log. -ENOENT where nothing was written yet. */
int netd_log(const struct network_place *place, const char *network, struct egress_log *out,
             struct error *err);

#endif
