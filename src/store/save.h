/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images out of the store again: the layers' tars byte for byte as they came (decompressed), so
 * that configurations, and with them image ids, stay what they are.
 *
 * An archive is docker-archive and OCI layout at once (as Docker writes it since 25); oci-archive
 * and oci-dir are the second alone.
 */
#ifndef CAISSON_STORE_SAVE_H
#define CAISSON_STORE_SAVE_H

#include "store/store.h"

enum save_format { SAVE_DOCKER_ARCHIVE, SAVE_OCI_ARCHIVE, SAVE_OCI_DIR };

/* Something that is said of an image, as an in-toto attestation beside it (OCI formats only). */
struct save_attestation {
    const char *type;     /* URI of the predicate's type */
    struct buf predicate; /* JSON */
};

/* Writes the images that `names` (names or ids) mean. `fd`: a file or pipe for archives, an empty
 * directory for SAVE_OCI_DIR. `attestation` of the only one, or NULL. The caller holds the store's
 * lock (shared). */
int store_save(struct store *store, char *const *names, size_t count, enum save_format format,
               int fd, const struct save_attestation *attestation, struct error *err);

#endif
