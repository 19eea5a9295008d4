/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/file.h>

#include "base/json.h"
#include "base/text.h"
#include "cmd/image_info.h"
#include "cmd/image_worker.h"
#include "cmd/print.h"
#include "cmd/template.h"

static void list_or_null(struct json_out *w, const char *key, const struct strv *value)
{
    if (value->len > 0)
        json_strs(w, key, value);
    else
        json_raw(w, key, "null");
}

static void set_or_null(struct json_out *w, const char *key, const struct strv *value)
{
    if (value->len == 0) {
        json_raw(w, key, "null");
        return;
    }
    json_begin(w, key, '{');
    for (size_t i = 0; i < value->len; i++)
        json_raw(w, value->items[i], "{}");
    json_end(w, '}');
}

static void labels_or_null(struct json_out *w, const struct strv *labels)
{
    if (labels->len == 0) {
        json_raw(w, "Labels", "null");
        return;
    }
    json_begin(w, "Labels", '{');
    for (size_t i = 0; i < labels->len; i++) {
        autobuf key = {0};
        const char *equals = strchrnul(labels->items[i], '=');
        buf_add(&key, labels->items[i], (size_t)(equals - labels->items[i]));
        json_str(w, buf_text(&key), *equals ? equals + 1 : "");
    }
    json_end(w, '}');
}

/* Docker's names; templates may ask for any of them, so all are there. */
static void write_config(struct json_out *w, const struct image_config *config)
{
    json_begin(w, "Config", '{');
    json_str(w, "User", config->user);
    set_or_null(w, "ExposedPorts", &config->ports);
    list_or_null(w, "Env", &config->env);
    list_or_null(w, "Entrypoint", &config->entrypoint);
    list_or_null(w, "Cmd", &config->command);
    set_or_null(w, "Volumes", &config->volumes);
    json_str(w, "WorkingDir", config->working_dir);
    list_or_null(w, "OnBuild", &config->on_build);
    labels_or_null(w, &config->labels);
    json_str(w, "StopSignal", config->stop_signal ? config->stop_signal : "");
    list_or_null(w, "Shell", &config->shell);
    if (config->health.test.len > 0) {
        json_begin(w, "Healthcheck", '{');
        json_strs(w, "Test", &config->health.test);
        const struct {
            const char *name;
            int64_t value;
        } numbers[] = {{"Interval", config->health.interval},
                       {"Timeout", config->health.timeout},
                       {"StartPeriod", config->health.start_period},
                       {"StartInterval", config->health.start_interval},
                       {"Retries", config->health.retries}};
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
            if (numbers[i].value != 0)
                json_i64(w, numbers[i].name, numbers[i].value);
        json_end(w, '}');
    }
    json_end(w, '}');
}

static void write_names(struct json_out *w, const struct image_entry *entry)
{
    json_begin(w, "RepoTags", '[');
    for (size_t i = 0; i < entry->names.len; i++) {
        autobuf repository = {0}, tag = {0}, both = {0};
        if (strchr(entry->names.items[i], '@'))
            continue; /* pulled by its digest: no tag */
        show_repository(entry->names.items[i], &repository, &tag);
        buf_fmt(&both, "%s:%s", buf_text(&repository), buf_text(&tag));
        json_str(w, NULL, buf_text(&both));
    }
    json_end(w, ']');
    json_begin(w, "RepoDigests", '[');
    autostrv seen = {0};
    for (size_t i = 0; i < entry->names.len; i++) {
        autobuf repository = {0}, tag = {0}, both = {0};
        show_repository(entry->names.items[i], &repository, &tag);
        buf_fmt(&both, "%s@%s", buf_text(&repository), entry->digests.items[i]);
        if (strv_has(&seen, buf_text(&both)))
            continue;
        strv_add(&seen, buf_text(&both));
        json_str(w, NULL, buf_text(&both));
    }
    json_end(w, ']');
}

static void write_image(struct json_out *w, const struct image *image,
                        const struct image_entry *entry, uint64_t size)
{
    const struct image_config *config = &image->config;
    const char *comment =
        config->history_count ? config->history[config->history_count - 1].comment : NULL;
    json_begin(w, NULL, '{');
    json_str(w, "Id", image->id);
    write_names(w, entry);
    json_str(w, "Parent", "");
    json_str(w, "Comment", comment ? comment : "");
    json_str(w, "Created", config->created ? config->created : "");
    json_str(w, "Author", config->author ? config->author : "");
    write_config(w, config);
    json_str(w, "Architecture", config->architecture);
    json_str(w, "Variant", config->variant ? config->variant : "");
    json_str(w, "Os", config->os);
    json_u64(w, "Size", size);
    json_str(w, "Digest", image->manifest);
    json_begin(w, "RootFS", '{');
    json_str(w, "Type", "layers");
    json_strs(w, "Layers", &config->diff_ids);
    json_end(w, '}');
    json_end(w, '}');
}

static int inspect_one(struct store *store, const struct image_entry *entries, size_t count,
                       const char *name, struct json_out *w, struct error *err)
{
    autoimage image = {0};
    uint64_t size = 0;
    static const struct image_entry nameless = {0};
    const struct image_entry *entry = &nameless;
    int rc = store_resolve(store, name, &image, err);
    if (rc == 0)
        rc = image_size(store, &image.config, &size, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (streq(entries[i].id, image.id))
            entry = &entries[i];
    if (rc == 0)
        write_image(w, &image, entry, size);
    return rc;
}

static int print_by_template(const struct buf *text, const char *format, struct error *err)
{
    autobuf out = {0};
    autojson all = json_parse(buf_text(text), text->len, "the answer", err);
    if (!all)
        return -EINVAL;
    size_t i;
    json_t *image;
    json_array_foreach(all, i, image)
    {
        int rc = template_render(format, image, &out, err);
        if (rc < 0)
            return rc;
        buf_char(&out, '\n');
    }
    return print(&out);
}

int command_image_inspect(const struct invocation *call, void *options, struct error *err)
{
    const struct image_inspect_options *o = options;
    bool by_template = o->format && !streq(o->format, "json");
    autostore store = {0};
    autobuf out = {0};
    struct json_out w = {.buf = &out, .indent = o->format ? 0 : 4};
    struct image_entry *entries = NULL;
    size_t count = 0;
    int status = 0;
    int rc = open_store(&store, err);
    if (rc == 0)
        rc = store_lock(&store, LOCK_SH, err);
    if (rc == 0)
        rc = store_list(&store, &entries, &count, err);
    if (rc < 0)
        return rc;
    json_begin(&w, NULL, '[');
    for (size_t i = 0; i < call->count; i++) {
        struct error wrong = {0};
        if (inspect_one(&store, entries, count, call->arguments[i], &w, &wrong) < 0) {
            tell_error(&wrong);
            status = 1;
        }
    }
    json_end(&w, ']');
    image_entries_free(entries, count);
    if (by_template) {
        rc = print_by_template(&out, o->format, err);
    } else {
        buf_char(&out, '\n');
        rc = print(&out);
    }
    return rc != 0 ? rc : status;
}
