/* SPDX-License-Identifier: Apache-2.0 */
/* Which of an index's images is meant: image-spec, "the first matching entry". */
#ifndef CAISSON_STORE_CHOOSE_H
#define CAISSON_STORE_CHOOSE_H

#include "oci/index.h"
#include "store/platform.h"

bool descriptor_is_index(const struct descriptor *descriptor);
/* Attestations and the like stand among the manifests as platform unknown/unknown. */
bool index_entry_is_attachment(const struct index_entry *entry);
bool index_entry_matches(const struct platform *platform, const struct index_entry *entry);
/* The first that fits; of one image that does not say what it is for, that one; NULL. */
const struct index_entry *index_choose(const struct platform *platform, const struct index *index);
/* -ENOENT: "WHAT has no image for linux/arm, only for: …" */
int index_no_match(const struct platform *platform, const struct index *index, const char *what,
                   struct error *err);

#endif
