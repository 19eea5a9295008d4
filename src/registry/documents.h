/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests, indexes and other small documents of a registry, each held against its digest. */
#ifndef CAISSON_REGISTRY_DOCUMENTS_H
#define CAISSON_REGISTRY_DOCUMENTS_H

#include "oci/index.h"
#include "registry/client.h"

struct document {
    struct buf text;
    char digest[DIGEST_MAX]; /* of `text`, computed here */
    char type[ANSWER_TEXT_MAX];
    size_t endpoint; /* that it came from */
};
void document_free(struct document *document);
#define autodocument __attribute__((cleanup(document_free))) struct document

/* "repository:PATH:pull" of an endpoint; the caller's. */
char *scope_of(const struct endpoint *endpoint, const char *actions);

/* A manifest or an index by tag or digest, from one endpoint. -ENOENT: there is none. What is asked
 * for by digest must have it. */
int document_fetch(struct client *client, size_t endpoint, const char *reference,
                   struct document *out, struct error *err);
/* The same from the first endpoint that has it; of mirrors it does not matter why they do not. */
int document_find(struct client *client, const char *reference, struct document *out,
                  struct error *err);
bool document_is_index(const struct document *document);
/* A blob that is a document, of the endpoint's repository. */
int document_blob(struct client *client, size_t endpoint, const struct descriptor *descriptor,
                  const char *what, struct buf *out, struct error *err);

#endif
