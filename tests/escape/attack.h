/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attack: what somebody tries who runs code inside a container. One attempt is one function; each
 * runs in a process of its own, so that being killed is an outcome like any other. Attempts prove
 * that a door is open without walking through it: they open for writing but write nothing, they
 * hand the kernel junk, they undo what they made.
 */
#ifndef ESCAPE_ATTACK_H
#define ESCAPE_ATTACK_H

#include <stdbool.h>
#include <stddef.h>

enum outcome {
    REFUSED,     /* the kernel said no */
    CONTAINED,   /* it worked, and reached nothing but the container's own */
    SUCCEEDED,   /* it worked, and reaches further than a container should */
    UNAVAILABLE, /* cannot be tried here: the kernel or the image lacks the thing */
};

struct verdict {
    enum outcome outcome;
    char detail[160];
};

struct words {
    const char *network; /* the host's namespace: what /proc/self/ns/net is a link to there; NULL */
    const char *canary;  /* a file of the host's that must not be readable; NULL: /etc/shadow */
    const char *store;   /* the engine's store on the host */
    size_t memory;       /* most bytes that the memory attempt touches */
    size_t disk;         /* most bytes that the disk attempt writes to one place */
};

struct attempt {
    const char *name;
    const char *what;
    bool heavy; /* uses up the machine where nothing limits it: not at privileged */
    void (*try)(const struct words *words, struct verdict *out);
};

/* Each ends with a NULL name. */
extern const struct attempt file_attempts[], kernel_attempts[], rights_attempts[], limit_attempts[];

__attribute__((format(printf, 3, 4))) void verdict(struct verdict *v, enum outcome outcome,
                                                   const char *format, ...);
/* REFUSED with errno's name behind what was tried. */
void refused(struct verdict *v, const char *what);

/* Whether "root" here is root of the machine, whether the machine's processes and network show. */
bool host_users(void);
bool host_processes(void);
bool host_network(const struct words *words);

#endif
