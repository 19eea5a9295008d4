/* SPDX-License-Identifier: Apache-2.0 */
/* volume ls and inspect. */
#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/container_words.h"
#include "cmd/filter.h"
#include "cmd/inspect_json.h"
#include "cmd/list.h"
#include "cmd/print.h"
#include "cmd/volume_options.h"
#include "container/volumes.h"

/* --- filters --- */

struct volume_filter {
    struct strv names, labels, drivers;
    int dangling; /* -1: any */
};

static void filter_free(struct volume_filter *filter)
{
    strv_free(&filter->names);
    strv_free(&filter->labels);
    strv_free(&filter->drivers);
}

static int parse(const struct strv *words, struct volume_filter *out, struct error *err)
{
    const struct filter_key keys[] = {
        {"name", &out->names}, {"label", &out->labels}, {"driver", &out->drivers}};
    for (size_t i = 0; i < words->len; i++) {
        bool dangling;
        if (filter_take_bool("dangling", words->items[i], &dangling))
            out->dangling = dangling;
        else if (!filter_take(keys, sizeof keys / sizeof *keys, words->items[i]))
            return error_set(err, -EINVAL,
                             "--filter %.60s: the keys are name, label, driver and dangling, which "
                             "is true or false",
                             words->items[i]);
    }
    return 0;
}

static bool matches(const struct volume_filter *filter, const struct volume *volume, size_t links)
{
    if (filter->drivers.len > 0 && !strv_has(&filter->drivers, "local"))
        return false;
    if (filter->dangling >= 0 && filter->dangling != (links == 0))
        return false;
    return filter_by_part(&filter->names, volume->name) &&
           filter_by_labels(&filter->labels, &volume->labels);
}

/* --- ls --- */

static const struct list_column columns[] = {
    {"Driver", {.heading = "DRIVER"}},
    {"Name", {.heading = "VOLUME NAME"}},
    {"Scope", {.heading = "SCOPE"}, .extra = true},
    {"Mountpoint", {.heading = "MOUNTPOINT"}, .extra = true},
    {"Labels", {.heading = "LABELS"}, .extra = true},
    {"Links", {.heading = "LINKS"}, .extra = true},
    {"Size", {.heading = "SIZE"}, .extra = true},
    {"Anonymous", {.heading = "ANONYMOUS"}, .extra = true},
    {"CreatedAt", {.heading = "CREATED AT"}, .extra = true},
};

static void show_created(nanoseconds created, struct buf *out)
{
    char text[RFC3339_MAX];
    if (created == 0)
        return;
    format_rfc3339(created, text);
    buf_str(out, text);
}

/* Walking all files is only done when something asks for it. */
static void add_row(struct containers *all, const struct volume *volume, size_t links, bool size,
                    struct list *list)
{
    autobuf labels = {0}, written = {0}, created = {0};
    uint64_t bytes = 0;
    if (size && volume_size(all, volume->name, &bytes, NULL) == 0)
        format_size(&written, bytes);
    strv_join(&volume->labels, ",", &labels);
    show_created(volume->created, &created);
    list_cell(list, "local");
    list_cell(list, volume->name);
    list_cell(list, "local");
    list_fmt(list, "%s/volumes/%s/data", all->root, volume->name);
    list_cell(list, buf_text(&labels));
    list_fmt(list, "%zu", links);
    list_cell(list, size ? buf_text(&written) : "N/A");
    list_cell(list, volume->anonymous ? "true" : "false");
    list_cell(list, buf_text(&created));
}

/* One whose description is damaged is listed by its name. The status. */
static int add_rows(struct containers *all, const struct volume_filter *filter,
                    const struct strv *names, const struct strv *uses, bool size, struct list *list,
                    struct buf *quiet)
{
    int status = 0;
    for (size_t i = 0; i < names->len; i++) {
        struct error wrong = {0};
        autovolume volume = {0};
        size_t links = volume_use_count(uses, names->items[i]);
        int rc = volume_read(all, names->items[i], &volume, &wrong);
        if (rc == -ENOENT)
            continue;
        if (rc < 0) {
            tell_error(&wrong);
            status = 1;
            snprintf(volume.name, sizeof volume.name, "%s", names->items[i]);
        }
        if (!matches(filter, &volume, links))
            continue;
        add_row(all, &volume, links, size, list);
        buf_fmt(quiet, "%s\n", volume.name);
    }
    return status;
}

int command_volume_ls(const struct invocation *call, void *options, struct error *err)
{
    const struct volume_ls_options *o = options;
    __attribute__((cleanup(filter_free))) struct volume_filter filter = {.dangling = -1};
    autocontainers all = {0};
    autostrv names = {0}, uses = {0};
    autolist list = {0};
    autobuf quiet = {0};
    (void)call;
    int rc = parse(&o->filters, &filter, err);
    if (rc == 0)
        rc = containers_here(&all, err);
    if (rc == 0)
        rc = volume_list(&all, &names, err);
    if (rc == 0 && (filter.dangling >= 0 || o->format))
        rc = volume_uses(&all, &uses, err);
    if (rc < 0)
        return rc;
    list_start(&list, columns, sizeof columns / sizeof *columns);
    bool size = o->format && strstr(o->format, ".Size");
    int status = add_rows(&all, &filter, &names, &uses, size, &list, &quiet);
    const struct list_style style = {.format = o->format};
    rc = o->quiet && !o->format ? print(&quiet) : list_print(&list, &style, err);
    return rc != 0 ? rc : status;
}

/* --- inspect --- */

static void write_volume(struct json_out *w, const struct containers *all,
                         const struct volume *volume)
{
    autobuf created = {0};
    autofree char *place = xasprintf("%s/volumes/%s/data", all->root, volume->name);
    show_created(volume->created, &created);
    json_begin(w, NULL, '{');
    json_str(w, "CreatedAt", buf_text(&created));
    json_str(w, "Driver", "local");
    inspect_pairs(w, "Labels", &volume->labels);
    json_str(w, "Mountpoint", place);
    json_str(w, "Name", volume->name);
    json_raw(w, "Options", "null");
    json_str(w, "Scope", "local");
    json_bool(w, "Anonymous", volume->anonymous);
    json_end(w, '}');
}

int command_volume_inspect(const struct invocation *call, void *options, struct error *err)
{
    const struct volume_inspect_options *o = options;
    autocontainers all = {0};
    autobuf out = {0};
    struct json_out w = {.buf = &out, .indent = o->format ? 0 : 4};
    int status = 0;
    int rc = containers_here(&all, err);
    if (rc < 0)
        return rc;
    json_begin(&w, NULL, '[');
    for (size_t i = 0; i < call->count; i++) {
        struct error wrong = {0};
        autovolume volume = {0};
        if (volume_read(&all, call->arguments[i], &volume, &wrong) == 0) {
            write_volume(&w, &all, &volume);
        } else {
            tell_error(&wrong);
            status = 1;
        }
    }
    json_end(&w, ']');
    rc = inspect_print(&out, o->format, err);
    return rc != 0 ? rc : status;
}
