/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of manifests, indexes and configurations share. For src/oci only. */
#ifndef CAISSON_OCI_DOCUMENT_H
#define CAISSON_OCI_DOCUMENT_H

#include "base/json.h"
#include "oci/image.h"

/* Parses a document of at most OCI_DOCUMENT_MAX bytes that must be one JSON object. */
json_t *document_parse(const char *text, size_t length, const char *what, struct error *err);
/* An object of strings as "key=value"; absent: nothing added. */
int document_map(const json_t *object, const char *key, struct strv *out, struct error *err);
/* A copy of a string member, NULL when absent. */
int document_string(const json_t *object, const char *key, char **out, struct error *err);
/* *out is filled also on failure: descriptor_free() it. */
int document_descriptor(const json_t *object, struct descriptor *out, struct error *err);
void document_write_descriptor(struct json_out *w, const char *key, const struct descriptor *d);
void document_write_map(struct json_out *w, const char *key, const struct strv *pairs);

#endif
