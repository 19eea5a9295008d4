/* SPDX-License-Identifier: Apache-2.0 */
/* system df: how much images, containers and volumes take, and how much of it nothing needs. */
#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/container_options.h"
#include "cmd/container_words.h"
#include "cmd/list.h"
#include "cmd/print.h"
#include "cmd/ps_filter.h"
#include "container/summary.h"
#include "container/volumes.h"
#include "oci/reference.h"
#include "store/steps.h"
#include "store/store.h"

struct kind {
    const char *type;
    size_t total, active;
    uint64_t size, reclaimable;
};

enum { IMAGES, CONTAINERS, VOLUMES, CACHE, KINDS };

struct usage {
    struct containers all;
    struct store store;
    struct kind kinds[KINDS];
    struct strv used;   /* ids of images that containers use */
    struct strv layers; /* diff ids of layers that they need, then of all that were counted */
    struct list images, containers, volumes; /* with -v */
};

static const struct list_column summary_columns[] = {
    {"Type", {.heading = "TYPE"}, false},
    {"TotalCount", {.heading = "TOTAL"}, false},
    {"Active", {.heading = "ACTIVE"}, false},
    {"Size", {.heading = "SIZE"}, false},
    {"Reclaimable", {.heading = "RECLAIMABLE"}, false},
};
static const struct list_column image_columns[] = {
    {"Repository", {.heading = "REPOSITORY"}, false},
    {"ID", {.heading = "IMAGE ID"}, false},
    {"Size", {.heading = "SIZE"}, false},
    {"Containers", {.heading = "CONTAINERS"}, false},
};
static const struct list_column container_columns[] = {
    {"ID", {.heading = "CONTAINER ID"}, false}, {"Image", {.heading = "IMAGE"}, false},
    {"Size", {.heading = "SIZE"}, false},       {"Status", {.heading = "STATUS"}, false},
    {"Names", {.heading = "NAMES"}, false},
};
static const struct list_column volume_columns[] = {
    {"Name", {.heading = "VOLUME NAME"}, false},
    {"Links", {.heading = "LINKS"}, false},
    {"Size", {.heading = "SIZE"}, false},
};
#define COUNT(columns) (sizeof(columns) / sizeof *(columns))

static void cell_size(struct list *list, uint64_t bytes)
{
    autobuf text = {0};
    format_size(&text, bytes);
    list_cell(list, buf_text(&text));
}

/* --- containers --- */

static int one_container(struct usage *u, const char *id, struct error *err)
{
    struct glance glance = {0};
    uint64_t bytes = 0;
    int rc = container_glance(&u->all, id, &glance, err);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    (void)container_written(&u->all, id, &bytes, NULL);
    struct kind *kind = &u->kinds[CONTAINERS];
    bool runs = glance.pid > 0;
    kind->total++;
    kind->active += runs;
    kind->size += bytes;
    kind->reclaimable += runs ? 0 : bytes;
    strv_add(&u->used, glance.summary.image_id);
    autobuf image = {0};
    show_image(&glance.summary, &image);
    list_fmt(&u->containers, "%.*s", SHORT_ID, id);
    list_cell(&u->containers, buf_text(&image));
    cell_size(&u->containers, bytes);
    list_cell(&u->containers, container_state_name(glance.now));
    list_cell(&u->containers, glance.summary.name);
    glance_free(&glance);
    return 0;
}

static int gather_containers(struct usage *u, struct error *err)
{
    autostrv ids = {0};
    int rc = container_list(&u->all, &ids, err);
    for (size_t i = 0; rc == 0 && i < ids.len; i++)
        rc = one_container(u, ids.items[i], err);
    return rc;
}

/* --- images --- */

static size_t uses_of(const struct usage *u, const char *id)
{
    size_t count = 0;
    for (size_t i = 0; i < u->used.len; i++)
        count += streq(u->used.items[i], id);
    return count;
}

/* Layers that were not counted yet. */
static uint64_t new_layers(struct usage *u, const struct strv *diff_ids, uint64_t *whole)
{
    uint64_t bytes = 0, one;
    *whole = 0;
    for (size_t i = 0; i < diff_ids->len; i++) {
        one = 0;
        (void)store_layer_size(&u->store, diff_ids->items[i], &one, NULL);
        *whole += one;
        if (strv_has(&u->layers, diff_ids->items[i]))
            continue;
        strv_add(&u->layers, diff_ids->items[i]);
        bytes += one;
    }
    return bytes;
}

static void one_image(struct usage *u, const struct image_entry *entry, bool used)
{
    struct kind *kind = &u->kinds[IMAGES];
    autoimage image = {0};
    uint64_t whole = 0, bytes = 0;
    if (store_resolve(&u->store, entry->id, &image, NULL) == 0)
        bytes = new_layers(u, &image.config.diff_ids, &whole);
    kind->total++;
    kind->active += used;
    kind->size += bytes;
    kind->reclaimable += used ? 0 : bytes;
    autobuf name = {0};
    autoreference ref = {0};
    if (entry->names.len > 0 && reference_parse(entry->names.items[0], &ref, NULL) == 0)
        reference_familiar(&ref, &name);
    list_cell(&u->images, name.len > 0 ? buf_text(&name) : "<none>");
    list_fmt(&u->images, "%.*s", SHORT_ID, digest_hex(entry->id));
    cell_size(&u->images, whole);
    list_fmt(&u->images, "%zu", uses_of(u, entry->id));
}

/* Those that are used first: what they share with others is not to be given back. */
static int gather_images(struct usage *u, struct error *err)
{
    struct image_entry *entries = NULL;
    size_t count = 0;
    int rc = store_list(&u->store, &entries, &count, err);
    for (int used = 1; rc == 0 && used >= 0; used--)
        for (size_t i = 0; i < count; i++)
            if ((uses_of(u, entries[i].id) > 0) == (used == 1))
                one_image(u, &entries[i], used == 1);
    image_entries_free(entries, count);
    return rc;
}

/* --- volumes --- */

static int gather_volumes(struct usage *u, struct error *err)
{
    autostrv names = {0}, uses = {0};
    struct kind *kind = &u->kinds[VOLUMES];
    int rc = volume_list(&u->all, &names, err);
    if (rc == 0)
        rc = volume_uses(&u->all, &uses, err);
    for (size_t i = 0; rc == 0 && i < names.len; i++) {
        uint64_t bytes = 0;
        size_t links = volume_use_count(&uses, names.items[i]);
        (void)volume_size(&u->all, names.items[i], &bytes, NULL);
        kind->total++;
        kind->active += links > 0;
        kind->size += bytes;
        kind->reclaimable += links ? 0 : bytes;
        list_cell(&u->volumes, names.items[i]);
        list_fmt(&u->volumes, "%zu", links);
        cell_size(&u->volumes, bytes);
    }
    return rc;
}

/* --- what builds keep --- */

/* Layers of steps that no image has, and caches of RUN --mount. */
static int gather_cache(struct usage *u, struct error *err)
{
    autostrv layers = {0};
    struct kind *kind = &u->kinds[CACHE];
    uint64_t mounts = 0;
    int rc = steps_layers(&u->store, &layers, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < layers.len; i++) {
        uint64_t one = 0;
        bool active = strv_has(&u->layers, layers.items[i]);
        if (!active)
            (void)store_layer_size(&u->store, layers.items[i], &one, NULL);
        kind->active += active;
        kind->size += one;
    }
    kind->total = layers.len;
    autofd dir = steps_directory(&u->store, "mounts", NULL);
    if (dir >= 0)
        (void)tree_size(dir, &mounts);
    kind->size += mounts;
    kind->reclaimable = kind->size;
    return 0;
}

/* --- printing --- */

static int print_summary(const struct usage *u, const char *format, struct error *err)
{
    autolist list = {0};
    list_start(&list, summary_columns, COUNT(summary_columns));
    for (size_t i = 0; i < KINDS; i++) {
        const struct kind *k = &u->kinds[i];
        autobuf reclaimable = {0};
        format_size(&reclaimable, k->reclaimable);
        if (k->size > 0)
            buf_fmt(&reclaimable, " (%u%%)", (unsigned)(k->reclaimable * 100.0 / (double)k->size));
        list_cell(&list, k->type);
        list_fmt(&list, "%zu", k->total);
        list_fmt(&list, "%zu", k->active);
        cell_size(&list, k->size);
        list_cell(&list, buf_text(&reclaimable));
    }
    return list_print(&list, &(struct list_style){.format = format}, err);
}

static int print_each(const struct usage *u, struct error *err)
{
    const struct {
        const char *heading;
        const struct list *list;
    } parts[] = {{"Images space usage:\n\n", &u->images},
                 {"\nContainers space usage:\n\n", &u->containers},
                 {"\nLocal Volumes space usage:\n\n", &u->volumes}};
    int status = 0;
    for (size_t i = 0; status == 0 && i < sizeof parts / sizeof *parts; i++) {
        autobuf heading = {0};
        buf_str(&heading, parts[i].heading);
        status = print(&heading);
        if (status == 0)
            status = list_print(parts[i].list, &(struct list_style){.no_trunc = true}, err);
    }
    return status;
}

static int gather(struct usage *u, struct error *err)
{
    int rc = containers_here(&u->all, err);
    if (rc == 0)
        rc = store_open(global_options.root, &u->store, err);
    if (rc == 0)
        rc = gather_containers(u, err);
    if (rc == 0)
        rc = gather_images(u, err);
    if (rc == 0)
        rc = gather_volumes(u, err);
    return rc < 0 ? rc : gather_cache(u, err);
}

static void usage_free(struct usage *u)
{
    containers_close(&u->all);
    store_close(&u->store);
    strv_free(&u->used);
    strv_free(&u->layers);
    list_free(&u->images);
    list_free(&u->containers);
    list_free(&u->volumes);
}

int command_system_df(const struct invocation *call, void *options, struct error *err)
{
    const struct system_df_options *o = options;
    __attribute__((cleanup(usage_free))) struct usage u = {.store = {.root_fd = -1, .lock_fd = -1},
                                                           .kinds = {{.type = "Images"},
                                                                     {.type = "Containers"},
                                                                     {.type = "Local Volumes"},
                                                                     {.type = "Build Cache"}}};
    (void)call;
    if (o->verbose && o->format)
        return error_set(err, -EINVAL, "--verbose and --format contradict each other");
    list_start(&u.images, image_columns, COUNT(image_columns));
    list_start(&u.containers, container_columns, COUNT(container_columns));
    list_start(&u.volumes, volume_columns, COUNT(volume_columns));
    int rc = gather(&u, err);
    if (rc < 0)
        return rc;
    return o->verbose ? print_each(&u, err) : print_summary(&u, o->format, err);
}
