/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ordinary users.
 *
 * caisson of an ordinary user does its work in a user namespace: id 0 there is the user's own, 1
 * and up are the ids that /etc/subuid and /etc/subgid give (newuidmap(1) and newgidmap(1), which
 * are setuid, write the maps), with a mount namespace that belongs to it. From there on it is root
 * of what is the user's and nobody else's: ids_limited() tells the rest of the program.
 *
 * All commands and containers of one user and state directory share one namespace as long as
 * somebody lives in it, because only whoever is in it, or above it, may act on what another's
 * processes made. Each process in it holds a lock on the first byte of <state>/namespace
 * (fcntl(2)), and the kernel tells newcomers who does; a container whose monitor was killed leads
 * there too, as its own namespace was made in it. Nothing is left behind when all are gone.
 */
#ifndef CAISSON_CONTAINER_ORDINARY_H
#define CAISSON_CONTAINER_ORDINARY_H

#include "base/error.h"

/* Enters the user's namespace, made when there is none. Only for a user other than root, with a
 * single thread, and before anything of the program's own is open. */
int ordinary_enter(const char *state, struct error *err);

/* For a process that will outlive the command which entered, across its execve(2): takes part in
 * holding the namespace. Does nothing for root. */
void ordinary_hold(const char *state);

#endif
