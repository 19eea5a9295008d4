/* SPDX-License-Identifier: Apache-2.0 */
#include "build/summary.h"

#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "archive/confine.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/give.h"
#include "oci/reference.h"
#include "path/inroot.h"
#include "runtime/errand.h"

#define DATABASE_MAX (64u << 20)

void build_summary_free(struct build_summary *summary)
{
    free(summary->smaller);
    *summary = (struct build_summary){0};
}

/* --- packages --- */

struct names {
    void *tree; /* tsearch(3), of owned strings */
    size_t count;
};

static int compare(const void *left, const void *right)
{
    return strcmp(left, right);
}

static void add_name(struct names *names, const char *text, size_t length)
{
    char *name = xstrndup(text, length);
    char **found = tsearch(name, &names->tree, compare);
    if (!found)
        abort(); /* out of memory, as in xmalloc() */
    if (*found == name)
        names->count++;
    else
        free(name);
}

/* Of every entry whose first line begins with `key`; with `state`, only those that say so. */
static void read_entries(char *text, const char *key, const char *state, struct names *out)
{
    for (char *entry = text; entry && *entry;) {
        char *end = strstr(entry, "\n\n");
        if (end)
            *end = '\0';
        const char *name = starts_with(entry, key) ? entry : strstr(entry, key);
        if (name && name != entry && name[-1] != '\n')
            name = NULL;
        if (name && (!state || strstr(entry, state))) {
            name += strlen(key);
            add_name(out, name, strcspn(name, "\r\n"));
        }
        entry = end ? end + 2 : NULL;
    }
}

static void read_database(int root, const char *path, const char *key, const char *state,
                          struct names *out)
{
    autobuf text = {0};
    autofd fd = inroot_open_file(root, path);
    if (fd < 0 || read_fd(fd, DATABASE_MAX, &text) < 0 || text.len == 0)
        return;
    read_entries(text.data, key, state, out);
}

static void read_packages(int root, struct names *out)
{
    read_database(root, "var/lib/dpkg/status", "Package: ", "\nStatus: install ok installed", out);
    read_database(root, "lib/apk/db/installed", "P:", NULL, out);
    read_database(root, "usr/lib/apk/db/installed", "P:", NULL, out);
}

struct looking {
    int roots[2]; /* the image's, the base's or -1 */
};

static int look_at(void *closure, const struct errand_place *place, uint64_t *count,
                   struct error *err)
{
    const struct looking *l = closure;
    struct names base = {0}, all = {0};
    const struct confine_paths allowed = {.read_only = l->roots,
                                          .read_only_count = l->roots[1] >= 0 ? 2 : 1};
    (void)place;
    int rc = worker_confine(&allowed, err);
    if (rc < 0)
        return rc;
    if (l->roots[1] >= 0)
        read_packages(l->roots[1], &base);
    size_t before = base.count;
    all = base;
    read_packages(l->roots[0], &all);
    *count = all.count - before;
    return 0;
}

static void count_packages(const struct build_place *place, const struct strv *diff_ids,
                           const struct image *base, struct build_summary *out)
{
    struct looking looking = {{-1, -1}};
    struct errand_run run = ERRAND_RUN_NONE;
    const struct errand errand = {.work = look_at, .closure = &looking, .fds = {-1, -1, -1, -1}};
    uint64_t count;
    autofd root = mount_tree(place, diff_ids, NULL);
    autofd below = base ? mount_tree(place, &base->config.diff_ids, NULL) : -1;
    looking.roots[0] = root;
    looking.roots[1] = below;
    if (root >= 0 && errand_aside(&errand, &run, NULL) == 0 && errand_end(&run, &count, NULL) == 0)
        out->packages = (int64_t)count;
}

/* --- sizes --- */

static uint64_t size_of(const struct build_place *place, const struct strv *diff_ids, size_t from)
{
    uint64_t size = 0, one;
    for (size_t i = from; i < diff_ids->len; i++)
        if (store_layer_size(place->store, diff_ids->items[i], &one, NULL) == 0)
            size += one;
    return size;
}

static bool begins_with(const struct strv *all, const struct strv *first)
{
    if (first->len > all->len)
        return false;
    for (size_t i = 0; i < first->len; i++)
        if (!streq(all->items[i], first->items[i]))
            return false;
    return true;
}

/* --- smaller bases --- */

/* "docker.io/library/node:20" and …:20-slim are of one maker and mean to be the same. */
static bool is_variant(const char *base, const char *other)
{
    static const char *const kinds[] = {"slim", "alpine", "minimal", "distroless", "micro"};
    autoreference a = {0}, b = {0};
    if (reference_parse(base, &a, NULL) < 0 || reference_parse(other, &b, NULL) < 0)
        return false;
    if (!streq(a.domain, b.domain) || !streq(a.path, b.path) || !b.tag || !a.tag)
        return false;
    bool kind = false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        kind |= strstr(b.tag, kinds[i]) && !strstr(a.tag, kinds[i]);
    size_t version = strcspn(a.tag, "-.");
    return kind && (streq(a.tag, "latest") || strncmp(a.tag, b.tag, version) == 0);
}

static void find_smaller(const struct build_place *place, const char *base,
                         struct build_summary *out)
{
    struct image_entry *entries = NULL;
    size_t count = 0;
    if (store_list(place->store, &entries, &count, NULL) < 0)
        return;
    for (size_t i = 0; i < count; i++)
        for (size_t n = 0; n < entries[i].names.len; n++) {
            autoimage image = {0};
            const char *name = entries[i].names.items[n];
            if (!is_variant(base, name) ||
                store_resolve(place->store, entries[i].id, &image, NULL) < 0)
                continue;
            uint64_t size = size_of(place, &image.config.diff_ids, 0);
            if (size >= out->base_size || out->base_size - size <= out->saves)
                continue;
            autobuf shown = {0};
            autoreference reference = {0};
            if (reference_parse(name, &reference, NULL) == 0)
                reference_familiar(&reference, &shown);
            free(out->smaller);
            out->smaller = buf_take(&shown);
            out->saves = out->base_size - size;
        }
    image_entries_free(entries, count);
}

void build_summarize(const struct build_place *place, const struct build_result *result, bool look,
                     struct build_summary *out)
{
    const struct strv *diff_ids = &result->config.diff_ids;
    autoimage base = {0};
    *out = (struct build_summary){.packages = -1};
    bool has_base = result->base && store_resolve(place->store, result->base, &base, NULL) == 0 &&
                    begins_with(diff_ids, &base.config.diff_ids);
    size_t below = has_base ? base.config.diff_ids.len : 0;
    out->base_size = has_base ? size_of(place, &base.config.diff_ids, 0) : 0;
    out->size = out->base_size + size_of(place, diff_ids, below);
    out->layers = diff_ids->len - below;
    if (look)
        count_packages(place, diff_ids, has_base ? &base : NULL, out);
    if (has_base)
        find_smaller(place, result->base, out);
}
