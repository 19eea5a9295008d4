/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AppArmor profiles and SELinux labels for the program that the container executes.
 *
 * An AppArmor profile is taken on right before execve, not by it: a program that changes its
 * profile by being executed loses the death signal that ends a container with its foreground
 * command (for SELinux there is no other way). The profile must so let the container's command be
 * executed.
 *
 * The kernel takes them through a file of /proc that belongs to the calling thread. The attack on
 * this (CVE-2019-16884 and its kin) puts an ordinary file in its place, so that the write succeeds
 * and confines nobody: the file is opened below a descriptor of ours and has to lie on procfs.
 */
#ifndef CAISSON_RUNTIME_LABEL_H
#define CAISSON_RUNTIME_LABEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define LABEL_APPARMOR_DEFAULT "caisson-default" /* data/apparmor; the administrator loads it */
#define LABEL_APPARMOR_PREFIX "changeprofile "   /* as the kernel takes it: this and the name */

enum label_kind {
    LABEL_NONE,
    LABEL_APPARMOR, /* the name of a loaded profile */
    LABEL_SELINUX,  /* user:role:type:level */
};

struct label {
    enum label_kind kind;
    char *value; /* owned: what is written to the kernel */
    size_t length;
};

bool label_host_has_apparmor(void);
bool label_host_has_selinux(void);

/* Whether the kernel has this profile: 0, -ENOENT, or what keeps us from knowing. */
int label_apparmor_loaded(const char *profile);

/* Made in the parent. -ENOTSUP with a sentence when the host has not what was asked for; -EINVAL
 * for a text that can not be a label. */
int label_prepare(enum label_kind kind, const char *text, struct label *out, struct error *err);

/* In the child. label_open() while proc_dirfd (a directory descriptor of a procfs that shows this
 * process) can be reached: the descriptor (O_CLOEXEC) or -errno, -EXDEV when it is not the root of
 * one, or when something is mounted on the way.
 * label_set() by the same thread right before execve. Async-signal-safe. */
int label_open(int proc_dirfd, enum label_kind kind);
int label_set(int fd, const struct label *label);

/* The profile or label as people know it; NULL when there is none. */
const char *label_name(const struct label *label);

void label_free(struct label *label);

#endif
