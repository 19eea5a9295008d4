/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "cmd/image_info.h"
#include "cmd/image_worker.h"
#include "cmd/list.h"
#include "cmd/print.h"

#define ID_DIGITS 12

static void show_id(const char *id, bool whole, struct buf *out)
{
    buf_fmt(out, "%.*s", whole ? DIGEST_MAX : ID_DIGITS, whole ? id : digest_hex(id));
}

static void add_row(struct list *list, const struct images_options *o,
                    const struct image_info *info, const char *name, const char *manifest)
{
    autobuf repository = {0}, tag = {0}, id = {0}, age = {0}, when = {0}, size = {0};
    show_repository(name, &repository, &tag);
    show_id(info->entry->id, o->no_trunc, &id);
    show_age(info->created, &age);
    show_time(info->created, &when);
    format_size(&size, info->size);
    list_cell(list, buf_text(&repository));
    list_cell(list, buf_text(&tag));
    list_cell(list, manifest ? manifest : "<none>");
    list_cell(list, buf_text(&id));
    list_cell(list, buf_text(&age));
    list_cell(list, buf_text(&when));
    list_cell(list, buf_text(&size));
}

static void add_image(struct list *list, struct buf *ids, const struct images_options *o,
                      const struct image_filter *filter, const struct image_info *info)
{
    const struct image_entry *entry = info->entry;
    bool shown = false;
    if (!image_filter_matches(filter, info))
        return;
    for (size_t i = 0; i < entry->names.len; i++) {
        if (!image_filter_matches_name(filter, entry->names.items[i]))
            continue;
        add_row(list, o, info, entry->names.items[i], entry->digests.items[i]);
        shown = true;
    }
    if (entry->names.len == 0 && image_filter_matches_name(filter, NULL)) {
        add_row(list, o, info, NULL, entry->manifest);
        shown = true;
    }
    if (shown) {
        show_id(entry->id, o->no_trunc, ids);
        buf_char(ids, '\n');
    }
}

int command_images(const struct invocation *call, void *options, struct error *err)
{
    const struct images_options *o = options;
    const struct list_column columns[] = {
        {"Repository", {.heading = "REPOSITORY"}},
        {"Tag", {.heading = "TAG"}},
        {"Digest", {.heading = "DIGEST"}, .extra = !o->digests},
        {"ID", {.heading = "IMAGE ID"}},
        {"CreatedSince", {.heading = "CREATED"}},
        {"CreatedAt", {.heading = "CREATED AT"}, .extra = true},
        {"Size", {.heading = "SIZE"}},
    };
    autostore store = {0};
    autofilter filter = {0};
    autoinfos infos = {0};
    autolist list = {0};
    autobuf ids = {0};
    int rc = open_store(&store, err);
    if (rc == 0)
        rc = image_filter_parse(&store, &o->filters, "reference dangling label before since until",
                                &filter, err);
    if (rc == 0)
        rc = image_infos_read(&store, &infos, err);
    if (rc < 0)
        return rc;
    if (call->count > 0)
        strv_add(&filter.references, call->arguments[0]);
    list_start(&list, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < infos.count; i++)
        add_image(&list, &ids, o, &filter, &infos.items[i]);
    const struct list_style style = {.format = o->format, .no_trunc = o->no_trunc};
    rc = o->quiet && !o->format ? print(&ids) : list_print(&list, &style, err);
    return rc == 0 && infos.damaged ? 1 : rc;
}
