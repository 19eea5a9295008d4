/* SPDX-License-Identifier: Apache-2.0 */
/* Image indexes (Docker: manifest lists): several manifests, by platform or by name. */
#ifndef CAISSON_OCI_INDEX_H
#define CAISSON_OCI_INDEX_H

#include "oci/image.h"

#define MEDIA_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_LAYER "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"

#define INDEX_ENTRIES_MAX 4096

struct index_entry {
    struct descriptor descriptor;
    char *os, *architecture, *variant; /* NULL when not said */
};

struct index {
    struct index_entry *entries;
    size_t count;
};

int index_parse(const char *text, size_t length, struct index *out, struct error *err);
void index_write(const struct index *index, struct buf *out);
void index_free(struct index *index);
#define autoindex __attribute__((cleanup(index_free))) struct index

/* The value of an annotation, borrowed; NULL when there is none. */
const char *descriptor_annotation(const struct descriptor *descriptor, const char *key);

#endif
