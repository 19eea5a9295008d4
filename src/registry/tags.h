/* SPDX-License-Identifier: Apache-2.0 */
/* What a registry lists: tags of a repository, repositories, what refers to a manifest. */
#ifndef CAISSON_REGISTRY_TAGS_H
#define CAISSON_REGISTRY_TAGS_H

#include "registry/client.h"

#define TAGS_MAX 100000

/* Page by page (distribution-spec, "Listing Tags"). */
int tags_list(struct client *client, size_t endpoint, struct strv *out, struct error *err);
/* Names of repositories with `text` in them, at most `most`; -EOPNOTSUPP: it does not list them. */
int repositories_list(struct client *client, size_t endpoint, const char *text, size_t most,
                      struct strv *out, struct error *err);
/* The next page's target out of a Link header (RFC 8288); the caller's; NULL: there is none. Only a
 * path of the same registry. */
char *link_next(const char *header);

#endif
