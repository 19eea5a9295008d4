/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/file.h>

#include "base/json.h"
#include "base/text.h"
#include "cmd/image_info.h"
#include "cmd/image_worker.h"
#include "cmd/print.h"
#include "cmd/registry_worker.h"
#include "cmd/template.h"
#include "registry/pull.h"

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

/* --- what a registry has --- */

static void take_name(const struct pull *pull, struct image_entry *entry)
{
    strv_copy(&entry->names, &pull->plan.images[0].image.names);
    strv_add(&entry->digests, pull->top.digest);
}

/* As it would be here; its size is that of what would be downloaded. */
static int show_remote(const struct pull *pull, struct json_out *w, struct error *err)
{
    autoimage image = {0};
    struct image_entry entry = {0};
    const struct ingest_image *found = &pull->plan.images[0].image;
    uint64_t size = 0;
    memcpy(image.id, found->id, DIGEST_MAX);
    memcpy(image.manifest, pull_manifest(pull)->digest, DIGEST_MAX);
    int rc = image_config_parse(buf_text(&found->config), found->config.len, &image.config, err);
    for (size_t i = 0; i < pull->layer_count; i++)
        size += pull->layers[i].size;
    take_name(pull, &entry);
    if (rc == 0)
        write_image(w, &image, &entry, size);
    strv_free(&entry.names);
    strv_free(&entry.digests);
    return rc;
}

static int inspect_remote(const struct image_inspect_options *o, const char *text,
                          struct json_out *w, struct error *err)
{
    autoconf conf = NULL;
    autoreference ref = {0};
    autoconnection c = {0};
    autoplatform platform = {0};
    const struct reach_options reach = {.tls_verify = o->tls_verify, .authfile = o->authfile};
    autopull pull = {.client = &c.client, .ref = &ref, .platform = &platform};
    int rc = conf_read(&conf, err);
    if (rc == 0)
        rc = conf_reference(conf, text, &ref, err);
    if (rc == 0)
        rc = platform_parse(o->platform, &platform, err);
    if (rc == 0)
        rc = connect_to_read(conf, &ref, &reach, 1, &c, err);
    if (rc == 0)
        rc = confine_to_nothing(err);
    if (rc == 0)
        rc = pull_find(&pull, err);
    return rc < 0 ? rc : show_remote(&pull, w, err);
}

static int command_remote(const struct invocation *call, const struct image_inspect_options *o,
                          struct error *err)
{
    autobuf out = {0};
    struct json_out w = {.buf = &out, .indent = o->format ? 0 : 4};
    if (call->count > 1) /* it is confined after the first */
        return error_set(err, -EINVAL, "--remote looks at one image at a time");
    json_begin(&w, NULL, '[');
    int rc = inspect_remote(o, call->arguments[0], &w, err);
    json_end(&w, ']');
    if (rc < 0)
        return rc;
    if (o->format && !streq(o->format, "json"))
        return print_by_template(&out, o->format, err);
    buf_char(&out, '\n');
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
    if (o->remote)
        return command_remote(call, o, err);
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
