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

/* Writes the images that `names` (names or ids) mean. `fd`: a file or pipe for archives, an empty
 * directory for SAVE_OCI_DIR. The caller holds the store's lock (shared). */
int store_save(struct store *store, char *const *names, size_t count, enum save_format format,
               int fd, struct error *err);

#endif
