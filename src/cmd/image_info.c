/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/image_info.h"

#include <fnmatch.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/filter.h"
#include "cmd/print.h"

nanoseconds created_of(const char *text)
{
    nanoseconds when;
    return text && parse_rfc3339(text, &when) == 0 ? when : INT64_MIN;
}

int image_size(struct store *store, const struct image_config *config, uint64_t *size,
               struct error *err)
{
    uint64_t sum = 0, one;
    for (size_t i = 0; i < config->diff_ids.len; i++) {
        int rc = store_layer_size(store, config->diff_ids.items[i], &one, err);
        if (rc < 0)
            return rc;
        sum += one;
    }
    *size = sum;
    return 0;
}

static int read_info(struct store *store, const struct image_entry *entry, struct image_info *out,
                     struct error *err)
{
    autobuf text = {0};
    struct image_info info = {.entry = entry};
    int rc = store_read_blob(store, entry->id, "image configuration", &text, err);
    if (rc == 0)
        rc = image_config_parse(buf_text(&text), text.len, &info.config, err);
    if (rc == 0)
        rc = image_size(store, &info.config, &info.size, err);
    if (rc < 0) {
        image_config_free(&info.config);
        return rc;
    }
    info.created = created_of(info.config.created);
    *out = info;
    return 0;
}

static int newest_first(const void *a, const void *b)
{
    const struct image_info *x = a, *y = b;
    if (x->created != y->created)
        return x->created > y->created ? -1 : 1;
    return strcmp(x->entry->id, y->entry->id);
}

int image_infos_read(struct store *store, struct image_infos *out, struct error *err)
{
    struct image_infos infos = {0};
    int rc = store_list(store, &infos.entries, &infos.entry_count, err);
    if (rc < 0)
        return rc;
    infos.items = xcalloc(infos.entry_count + 1, sizeof *infos.items);
    for (size_t i = 0; i < infos.entry_count; i++) {
        struct error damage = {0};
        if (read_info(store, &infos.entries[i], &infos.items[infos.count], &damage) == 0) {
            infos.count++;
        } else {
            infos.damaged = true;
            tell_warning("image %.19s is left out: %s", infos.entries[i].id, damage.text);
        }
    }
    if (infos.count > 0)
        qsort(infos.items, infos.count, sizeof *infos.items, newest_first);
    *out = infos;
    return 0;
}

void image_infos_free(struct image_infos *infos)
{
    for (size_t i = 0; i < infos->count; i++)
        image_config_free(&infos->items[i].config);
    free(infos->items);
    image_entries_free(infos->entries, infos->entry_count);
    *infos = (struct image_infos){0};
}

void show_repository(const char *full_name, struct buf *repository, struct buf *tag)
{
    autoreference ref = {0};
    if (!full_name || reference_parse(full_name, &ref, NULL) < 0) {
        buf_str(repository, "<none>");
        buf_str(tag, "<none>");
        return;
    }
    reference_repository(&ref, repository);
    buf_str(tag, ref.tag ? ref.tag : "<none>");
}

void show_age(nanoseconds created, struct buf *out)
{
    nanoseconds now = clock_wall();
    if (created == INT64_MIN) {
        buf_str(out, "N/A");
        return;
    }
    format_human_duration(out, created < now ? now - created : 0);
    buf_str(out, " ago");
}

void show_time(nanoseconds created, struct buf *out)
{
    char text[RFC3339_MAX];
    if (created == INT64_MIN) {
        buf_str(out, "N/A");
        return;
    }
    format_rfc3339(created, text);
    buf_fmt(out, "%.10s %.8s +0000 UTC", text, text + 11);
}

/* The time of creation of the image that before= or since= names. */
static int moment_of_image(struct store *store, const char *name, nanoseconds *out,
                           struct error *err)
{
    autoimage image = {0};
    int rc = store_resolve(store, name, &image, err);
    if (rc < 0)
        return rc;
    *out = created_of(image.config.created);
    return 0;
}

static int filter_word(struct store *store, const char *key, const char *value,
                       struct image_filter *out, struct error *err)
{
    if (streq(key, "reference")) {
        strv_add(&out->references, value);
    } else if (streq(key, "label")) {
        strv_add(&out->labels, value);
    } else if (streq(key, "dangling")) {
        out->dangling = streq(value, "true") || streq(value, "1");
        if (!out->dangling && !streq(value, "false") && !streq(value, "0"))
            return error_set(err, -EINVAL, "--filter dangling=%.60s: it is true or false", value);
    } else if (streq(key, "before")) {
        return moment_of_image(store, value, &out->before, err);
    } else if (streq(key, "since")) {
        return moment_of_image(store, value, &out->since, err);
    } else if (parse_moment(value, clock_wall(), &out->before) < 0) {
        return error_set(err, -EINVAL,
                         "--filter until=%.60s: it is a time such as 2026-01-31T12:00:00 or an age "
                         "such as 24h",
                         value);
    }
    return 0;
}

int image_filter_parse(struct store *store, const struct strv *words, const char *allowed,
                       struct image_filter *out, struct error *err)
{
    autofilter filter = {.dangling = -1, .before = INT64_MAX, .since = INT64_MIN};
    autostrv keys = {0};
    int rc = 0;
    strv_split(&keys, allowed, ' ');
    for (size_t i = 0; rc == 0 && i < words->len; i++) {
        const char *equals = strchr(words->items[i], '=');
        autofree char *key =
            equals ? xstrndup(words->items[i], (size_t)(equals - words->items[i])) : NULL;
        if (!key || !strv_has(&keys, key))
            return error_set(err, -EINVAL, "--filter %.100s: it is KEY=VALUE, KEY one of: %s",
                             words->items[i], allowed);
        rc = filter_word(store, key, equals + 1, &filter, err);
    }
    if (rc < 0)
        return rc;
    *out = filter;
    filter = (struct image_filter){0};
    return 0;
}

void image_filter_free(struct image_filter *filter)
{
    strv_free(&filter->references);
    strv_free(&filter->labels);
}

bool image_filter_matches(const struct image_filter *filter, const struct image_info *info)
{
    if (filter->dangling >= 0 && (info->entry->names.len == 0) != (filter->dangling == 1))
        return false;
    if (filter->before != INT64_MAX && info->created >= filter->before)
        return false;
    if (filter->since != INT64_MIN && info->created <= filter->since)
        return false;
    return filter_by_labels(&filter->labels, &info->config.labels);
}

bool image_filter_matches_name(const struct image_filter *filter, const char *full_name)
{
    if (filter->references.len == 0)
        return true;
    autobuf repository = {0}, tag = {0}, both = {0};
    if (!full_name)
        return false;
    show_repository(full_name, &repository, &tag);
    buf_fmt(&both, "%s:%s", buf_text(&repository), buf_text(&tag));
    for (size_t i = 0; i < filter->references.len; i++) {
        const char *pattern = filter->references.items[i];
        if (fnmatch(pattern, buf_text(&repository), FNM_PATHNAME) == 0 ||
            fnmatch(pattern, buf_text(&both), FNM_PATHNAME) == 0 ||
            fnmatch(pattern, full_name, FNM_PATHNAME) == 0)
            return true;
    }
    return false;
}
