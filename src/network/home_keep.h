/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-home: the process that keeps what stands for the host (home.h).
 *
 * It stays in the host's network namespace itself, so that it can start pasta there and hear of the
 * host's addresses, and has two children: one in the namespace, which does nothing but be found
 * there by pasta (and has no right at all, or pasta might not look), and pasta. When one of them
 * ends it makes it anew. What comes over its socket is from the user's own commands; nothing of
 * what a container sends is ever seen here.
 */
#ifndef CAISSON_NETWORK_HOME_KEEP_H
#define CAISSON_NETWORK_HOME_KEEP_H

#include "base/error.h"

struct home_line {
    int state, listener; /* descriptors: the state directory, and home_listen() */
};
/* Makes it and keeps it until nobody needs it: 0. */
int home_keep(const struct home_line *line, struct error *err);

#endif
