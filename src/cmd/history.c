/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/text.h"
#include "cmd/image_info.h"
#include "cmd/image_worker.h"
#include "cmd/list.h"
#include "cmd/print.h"

static void add_row(struct list *list, const struct history_options *o, const struct image *image,
                    const struct history_entry *step, bool newest, uint64_t bytes)
{
    autobuf age = {0}, when = {0}, size = {0};
    nanoseconds created = created_of(step->created);
    show_age(created, &age);
    show_time(created, &when);
    if (o->human != 0)
        format_size(&size, bytes);
    else
        buf_fmt(&size, "%" PRIu64, bytes);
    if (newest)
        list_fmt(list, "%.*s", o->no_trunc ? DIGEST_MAX : 12,
                 o->no_trunc ? image->id : digest_hex(image->id));
    else
        list_cell(list, "<missing>");
    list_cell(list, o->human != 0 ? buf_text(&age) : buf_text(&when));
    list_cell(list, buf_text(&when));
    list_cell(list, step->created_by);
    list_cell(list, buf_text(&size));
    list_cell(list, step->comment);
}

/* The layer that each step made; SIZE_MAX for steps that made none. Layers that the history does
 * not tell of stay without a step. */
static int add_steps(struct list *list, const struct history_options *o, struct store *store,
                     const struct image *image, struct error *err)
{
    const struct image_config *config = &image->config;
    size_t layer = 0;
    for (size_t i = 0; i < config->history_count; i++)
        layer += !config->history[i].empty_layer;
    for (size_t i = config->history_count; i-- > 0;) {
        const struct history_entry *step = &config->history[i];
        uint64_t bytes = 0;
        if (!step->empty_layer && --layer < config->diff_ids.len) {
            int rc = store_layer_size(store, config->diff_ids.items[layer], &bytes, err);
            if (rc < 0)
                return rc;
        }
        add_row(list, o, image, step, i + 1 == config->history_count, bytes);
    }
    return 0;
}

int command_history(const struct invocation *call, void *options, struct error *err)
{
    static const struct list_column columns[] = {
        {"ID", {.heading = "IMAGE"}},
        {"CreatedSince", {.heading = "CREATED"}},
        {"CreatedAt", {.heading = "CREATED AT"}, .extra = true},
        {"CreatedBy", {.heading = "CREATED BY", .widest = 45}},
        {"Size", {.heading = "SIZE"}},
        {"Comment", {.heading = "COMMENT"}},
    };
    const struct history_options *o = options;
    const struct list_style style = {.format = o->quiet && !o->format ? "{{.ID}}" : o->format,
                                     .no_trunc = o->no_trunc};
    autostore store = {0};
    autoimage image = {0};
    autolist list = {0};
    int rc = open_store(&store, err);
    if (rc == 0)
        rc = store_resolve(&store, call->arguments[0], &image, err);
    list_start(&list, columns, sizeof columns / sizeof *columns);
    if (rc == 0)
        rc = add_steps(&list, o, &store, &image, err);
    return rc < 0 ? rc : list_print(&list, &style, err);
}
