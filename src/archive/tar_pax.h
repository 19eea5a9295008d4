/* SPDX-License-Identifier: Apache-2.0 */
/* Extended headers of the pax format. Internal to the module. */
#ifndef CAISSON_ARCHIVE_TAR_PAX_H
#define CAISSON_ARCHIVE_TAR_PAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/tar.h"
#include "base/error.h"

/* What extended headers say about an entry; text borrows from the header's bytes. */
struct pax {
    const char *path, *link;
    bool has_size, has_uid, has_gid, has_mtime;
    uint64_t size, uid, gid;
    int64_t mtime;
    uint32_t mtime_nsec;

    struct tar_xattr *xattrs; /* owned array */
    size_t xattr_count, xattr_cap;

    /* Sparse files in their pax forms. */
    const char *sparse_name;
    bool has_sparse_size;
    bool map_follows; /* form 1.0: the map is at the start of the content */
    bool has_map;     /* forms 0.0 and 0.1 */
    uint64_t sparse_major, sparse_size;
    uint64_t *numbers; /* owned: offset, length, offset, length, … as they came */
    size_t number_count, number_cap;
};

enum pax_scope { PAX_LOCAL, PAX_GLOBAL };

/* Applies the records of one header on top of what `pax` says already. `bytes` are changed (values
 * become NUL-terminated) and must live as long as `pax`. A global header may only speak of owners
 * and times: readers disagree on the rest, so an entry could be two different files. */
int pax_apply(struct pax *pax, enum pax_scope scope, char *bytes, size_t length, struct error *err);
/* Forgets all and frees what it owns. */
void pax_clear(struct pax *pax);
/* Decimal digits up to `end`, and no more than `max`. */
int pax_number(const char *text, const char *end, uint64_t max, uint64_t *value);

#endif
