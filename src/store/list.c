/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/layout.h"

struct listing {
    struct image_entry *entries;
    size_t count;
};

static void cleanup_listing(struct listing *listing)
{
    image_entries_free(listing->entries, listing->count);
}

static struct image_entry *add_entry(struct listing *listing, const char *id, const char *manifest)
{
    listing->entries = xrealloc(listing->entries, listing->count + 1, sizeof *listing->entries);
    struct image_entry *entry = &listing->entries[listing->count++];
    *entry = (struct image_entry){0};
    memcpy(entry->id, id, DIGEST_MAX);
    memcpy(entry->manifest, manifest, DIGEST_MAX);
    return entry;
}

/* ids/ is read sorted, so the first `known` entries are. */
static struct image_entry *entry_of(struct listing *listing, size_t known, const char *id)
{
    size_t low = 0, high = known;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(listing->entries[middle].id, id);
        if (order == 0)
            return &listing->entries[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = known; i < listing->count; i++)
        if (streq(listing->entries[i].id, id))
            return &listing->entries[i];
    return NULL;
}

static int list_ids(struct store *store, struct listing *listing, struct error *err)
{
    autostrv files = {0};
    int rc = layout_list(store, IDS_DIR, &files, err);
    for (size_t i = 0; rc == 0 && i < files.len; i++) {
        const char *hex = files.items[i];
        char id[DIGEST_MAX], manifest[DIGEST_MAX];
        if (strlen(hex) != 64 || !is_hex(hex, 64))
            return error_set(err, -EBADMSG, "%s/" IDS_DIR "/%s does not belong there: remove it",
                             store->root, hex);
        rc = layout_read_id(store, hex, manifest, err);
        if (rc == -ENOENT) {
            rc = 0; /* removed meanwhile */
            continue;
        }
        snprintf(id, sizeof id, "sha256:%.64s", hex);
        if (rc == 0)
            add_entry(listing, id, manifest);
    }
    return rc;
}

static int list_names(struct store *store, struct listing *listing, struct error *err)
{
    autostrv files = {0};
    size_t known = listing->count;
    int rc = layout_list(store, IMAGES_DIR, &files, err);
    for (size_t i = 0; rc == 0 && i < files.len; i++) {
        struct name_record record;
        rc = layout_read_name(store, files.items[i], &record, err);
        if (rc == -ENOENT)
            rc = 0;
        else if (rc == 0) {
            struct image_entry *entry = entry_of(listing, known, record.id);
            if (!entry) /* added between the two readings */
                entry = add_entry(listing, record.id, record.manifest);
            strv_take(&entry->names, record.name);
            strv_add(&entry->manifests, record.manifest);
            strv_add(&entry->digests, record.index[0] ? record.index : record.manifest);
        }
    }
    return rc;
}

static void swap_with_next(struct strv *v, size_t at)
{
    char *item = v->items[at];
    v->items[at] = v->items[at + 1];
    v->items[at + 1] = item;
}

/* File names sort nearly as the names in them: the few that differ are put right. */
static void sort_names(struct image_entry *entry)
{
    for (size_t i = 1; i < entry->names.len; i++)
        for (size_t j = i; j > 0 && strcmp(entry->names.items[j - 1], entry->names.items[j]) > 0;
             j--) {
            swap_with_next(&entry->names, j - 1);
            swap_with_next(&entry->manifests, j - 1);
            swap_with_next(&entry->digests, j - 1);
        }
}

int store_list(struct store *store, struct image_entry **out, size_t *count, struct error *err)
{
    __attribute__((cleanup(cleanup_listing))) struct listing listing = {0};
    int rc = list_ids(store, &listing, err);
    if (rc == 0)
        rc = list_names(store, &listing, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < listing.count; i++)
        sort_names(&listing.entries[i]);
    *out = take_ptr(listing.entries);
    *count = listing.count;
    listing.count = 0;
    return 0;
}

void image_entries_free(struct image_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        strv_free(&entries[i].names);
        strv_free(&entries[i].manifests);
        strv_free(&entries[i].digests);
    }
    free(entries);
}
