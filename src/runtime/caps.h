/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capabilities: names, sets, and putting a set into force.
 *
 * In the child, in this order (all async-signal-safe, all 0 or -errno):
 *     caps_drop_bounding(caps->bounding)   while CAP_SETPCAP is still there
 *     caps_keep(caps)                      so that the change of ids keeps what is to be kept
 *     setgroups, setresgid, setresuid
 *     caps_set_final(caps)
 * A process of the container's root holds exactly the granted set; one of another user holds
 * nothing, and the granted set only bounds what a setuid file could give it (Docker's rule).
 * Inheritable and ambient are empty unless a runtime configuration from outside says otherwise: a
 * set left in inheritable was the mistake behind CVE-2022-24769 and its kin.
 */
#ifndef CAISSON_RUNTIME_CAPS_H
#define CAISSON_RUNTIME_CAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strv.h"

/* A set: bit n is capability n. */
#define CAPS_NONE UINT64_C(0)
/* CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE SYS_CHROOT SETFCAP
 */
#define CAPS_PODMAN_DEFAULT UINT64_C(0x800405fb)

/* The five sets of a process, as in a runtime configuration. */
struct caps {
    uint64_t bounding, effective, permitted, inheritable, ambient;
};

/* Every capability that the running kernel has. */
uint64_t caps_all(void);
/* "NET_ADMIN", "cap_net_admin" or "ALL" (any case) to a set; an unknown one is -EINVAL and a
 * sentence with the nearest known name. */
int caps_parse(const char *name, uint64_t *set, struct error *err);
/* "CAP_NET_ADMIN", or NULL for a number that has no name here. */
const char *caps_name(unsigned number);
/* Appends the names of a set in the order of their numbers. */
void caps_names(uint64_t set, struct strv *out);
/* What a process of the container starts with when `granted` was given to the container. */
struct caps caps_for_user(uint64_t granted, uint32_t uid);

int caps_drop_bounding(uint64_t keep);
int caps_keep(const struct caps *caps);
int caps_set_final(const struct caps *caps);

#endif
