/* SPDX-License-Identifier: Apache-2.0 */
/* Images as the list verbs show and choose them. */
#ifndef CAISSON_CMD_IMAGE_INFO_H
#define CAISSON_CMD_IMAGE_INFO_H

#include "base/clock.h"
#include "store/store.h"

struct image_info {
    const struct image_entry *entry; /* borrowed */
    struct image_config config;
    nanoseconds created; /* INT64_MIN when the configuration does not say */
    uint64_t size;       /* of all layers' files */
};
struct image_infos {
    struct image_entry *entries;
    size_t entry_count;
    struct image_info *items; /* newest first */
    size_t count;
    bool damaged; /* some could not be read; a warning was printed for each */
};
int image_infos_read(struct store *store, struct image_infos *out, struct error *err);
void image_infos_free(struct image_infos *infos);
#define autoinfos __attribute__((cleanup(image_infos_free))) struct image_infos

/* The layers of a configuration together. */
int image_size(struct store *store, const struct image_config *config, uint64_t *size,
               struct error *err);

/* A full name as Docker's columns show it. */
void show_repository(const char *full_name, struct buf *repository, struct buf *tag);
/* "3 weeks ago", "N/A". */
void show_age(nanoseconds created, struct buf *out);
/* "2026-01-02 03:04:05 +0000 UTC", "N/A". */
void show_time(nanoseconds created, struct buf *out);
/* What an image configuration says; INT64_MIN when it says nothing that can be read. */
nanoseconds created_of(const char *text);

/* --filter. Checked as a whole before the first image is looked at. */
struct image_filter {
    struct strv references, labels;
    int dangling; /* -1: both */
    nanoseconds before, since;
};
/* `allowed`: the keys that the verb takes, separated by spaces. */
int image_filter_parse(struct store *store, const struct strv *words, const char *allowed,
                       struct image_filter *out, struct error *err);
void image_filter_free(struct image_filter *filter);
#define autofilter __attribute__((cleanup(image_filter_free))) struct image_filter
/* Whether the image passes all but `reference`. */
bool image_filter_matches(const struct image_filter *filter, const struct image_info *info);
/* Whether a name passes `reference`; NULL: the image has none. */
bool image_filter_matches_name(const struct image_filter *filter, const char *full_name);

#endif
