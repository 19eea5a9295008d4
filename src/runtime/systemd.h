/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units of systemd's that are there for their control group: scopes for containers and for commands
 * of ours, slices above them.
 *
 * On a host with systemd the tree of control groups is its own. Whoever wants a group that it
 * leaves alone asks for a unit with Delegate=yes; whoever is to leave the group of a login session
 * has to be moved by it, because that takes rights in the group above both. A scope begins with
 * processes that exist and goes, with all groups in it, when the last has ended: nothing is left
 * behind by a command that was killed, and nobody has to clean up.
 *
 * The manager is asked through its own socket, or over the bus where that is closed to us. What it
 * answers is believed as far as names of groups go, which are checked like any other.
 *
 * Each function is one connection with one deadline. Owns no state.
 */
#ifndef CAISSON_RUNTIME_SYSTEMD_H
#define CAISSON_RUNTIME_SYSTEMD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

/* The host's manager, or that of the user who runs this program. */
enum systemd_manager { SYSTEMD_HOST, SYSTEMD_USER };

/* Properties of a unit, as they go over the wire; zero-initialise. */
struct systemd_properties {
    struct buf body;
};
void systemd_properties_free(struct systemd_properties *p);
#define autoproperties __attribute__((cleanup(systemd_properties_free))) struct systemd_properties
/* What is written into a file of a v2 group as the property that means the same, so that systemd,
 * which may write it again at any time, writes the same: "memory.max", "512". Files that no
 * property stands for change nothing. -EINVAL: it makes no sense for the file. */
int systemd_property_of_file(struct systemd_properties *p, const char *file, const char *value,
                             struct error *err);

struct systemd_unit {
    enum systemd_manager manager;
    const char *name;        /* "caisson-x.scope", or a slice */
    const char *slice;       /* above it; NULL: as the name of a slice says */
    const char *description; /* what people see in systemctl status */
    pid_t pid;               /* moved into a scope when it is made; 0: this process */
    bool own;                /* for a container of caisson's: no limit of systemd's own on it */
    const struct systemd_properties *limits; /* NULL: none */
};

/* Whether a name may be a unit's, of a kind that this module makes. -EINVAL. */
int systemd_check_name(const char *name, struct error *err);
bool systemd_is_slice(const char *name);
/* Likewise for "a-b.slice", which lies in a.slice; "-.slice" is the root. */
int systemd_check_slice(const char *name, struct error *err);

/* Whether there is a manager to ask; else why not, and the way out. The control group that it
 * manages (without leading slash; "" is the root) into `group`, when that is not NULL. */
int systemd_answers(enum systemd_manager manager, struct buf *group, struct error *err);
/* Makes the unit and returns when its process is in it. `group` as above: its control group.
 * -EEXIST: another unit has the name. */
int systemd_start(const struct systemd_unit *unit, struct buf *group, struct error *err);
/* Changes its limits. */
int systemd_set(enum systemd_manager manager, const char *name,
                const struct systemd_properties *limits, struct error *err);
/* Ends it, with all processes in it, and forgets that it failed. One that is gone is no error. */
int systemd_stop(enum systemd_manager manager, const char *name, struct error *err);

#endif
