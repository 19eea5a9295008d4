/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lock files (caisson.lock): what images are held to, name by name. Lines of text, so that versions
 * of it can be compared and merged:
 *
 *   # a comment
 *   version 1
 *   docker.io/library/alpine:3.19 sha256:…
 *
 * Names are whole and have a tag; digests are what a registry serves under the tag, of an index
 * where there is one, so that they hold on every platform. Opens no file.
 */
#ifndef CAISSON_OCI_LOCKFILE_H
#define CAISSON_OCI_LOCKFILE_H

#include "oci/reference.h"

#define LOCKFILE_NAME "caisson.lock"
#define LOCKFILE_MAX (1u << 20) /* bytes */

struct lock_entry {
    char *name;
    char digest[DIGEST_MAX];
};
struct lockfile {
    struct lock_entry *items; /* sorted by name */
    size_t count;
};

/* text[length] is NUL. -EINVAL with file, line and what is wrong; what is not understood is never
 * passed over. */
int lockfile_parse(const char *text, size_t length, const char *file, struct lockfile *out,
                   struct error *err);
/* The digest, borrowed; NULL when the name is not there, or has a digest itself. */
const char *lockfile_find(const struct lockfile *lock, const struct reference *ref);
/* Replaces or adds. */
void lockfile_set(struct lockfile *lock, const char *full_name, const char *digest);
/* With what tells a reader where it comes from. */
void lockfile_write(const struct lockfile *lock, struct buf *out);
void lockfile_free(struct lockfile *lock);
#define autolockfile __attribute__((cleanup(lockfile_free))) struct lockfile

#endif
