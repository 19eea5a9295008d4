/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "oci/document.h"

/* The keys of an object used as a set ({"80/tcp": {}}). */
static int parse_set(const json_t *object, const char *key, size_t max, struct strv *out,
                     struct error *err)
{
    json_t *set = NULL, *item;
    const char *name;
    int rc = json_get_object(object, key, &set, err);
    if (rc < 0 || !set)
        return rc;
    if (json_object_size(set) > max)
        return error_set(err, -E2BIG, "\"%s\": more than %zu", key, max);
    json_object_foreach(set, name, item) strv_add(out, name);
    return 0;
}

static int parse_words(const json_t *config, const char *key, struct strv *out, struct error *err)
{
    int rc = json_get_strings(config, key, out, err);
    if (rc == 0 && out->len > OCI_WORDS_MAX)
        rc = error_set(err, -E2BIG, "\"%s\": more than %d words", key, OCI_WORDS_MAX);
    return rc;
}

static int parse_env(const json_t *config, struct image_config *out, struct error *err)
{
    autostrv env = {0};
    int rc = json_get_strings(config, "Env", &env, err);
    if (rc < 0)
        return rc;
    if (env.len > OCI_PAIRS_MAX)
        return error_set(err, -E2BIG, "\"Env\": more than %d variables", OCI_PAIRS_MAX);
    for (size_t i = 0; i < env.len; i++) {
        const char *item = env.items[i];
        if (item[0] == '=' || !item[0])
            return error_set(err, -EINVAL, "\"Env\": entry %zu has no name", i + 1);
        strv_fmt(&out->env, "%s%s", item, strchr(item, '=') ? "" : "=");
    }
    return 0;
}

static int parse_health(const json_t *config, struct health_check *out, struct error *err)
{
    json_t *health = NULL;
    int rc = json_get_object(config, "Healthcheck", &health, err);
    if (rc < 0 || !health)
        return rc;
    rc = parse_words(health, "Test", &out->test, err);
    const struct {
        const char *key;
        int64_t *value;
    } numbers[] = {{"Interval", &out->interval},
                   {"Timeout", &out->timeout},
                   {"StartPeriod", &out->start_period},
                   {"StartInterval", &out->start_interval},
                   {"Retries", &out->retries}};
    for (size_t i = 0; rc == 0 && i < sizeof numbers / sizeof *numbers; i++) {
        rc = json_get_i64(health, numbers[i].key, numbers[i].value, err);
        if (rc == 0 && *numbers[i].value < 0)
            rc = error_set(err, -EINVAL, "\"%s\" must not be negative", numbers[i].key);
    }
    return rc < 0 ? error_prefix(err, "\"Healthcheck\"") : 0;
}

/* What the image wants of its containers: the member "config". */
static int parse_process(const json_t *json, struct image_config *out, struct error *err)
{
    json_t *config = NULL;
    int rc = json_get_object(json, "config", &config, err);
    if (rc < 0 || !config)
        return rc;
    (void)((rc = document_string(config, "User", &out->user, err)) < 0 ||
           (rc = document_string(config, "WorkingDir", &out->working_dir, err)) < 0 ||
           (rc = document_string(config, "StopSignal", &out->stop_signal, err)) < 0 ||
           (rc = parse_env(config, out, err)) < 0 ||
           (rc = parse_words(config, "Entrypoint", &out->entrypoint, err)) < 0 ||
           (rc = parse_words(config, "Cmd", &out->command, err)) < 0 ||
           (rc = parse_words(config, "Shell", &out->shell, err)) < 0 ||
           (rc = parse_words(config, "OnBuild", &out->on_build, err)) < 0 ||
           (rc = parse_set(config, "Volumes", OCI_VOLUMES_MAX, &out->volumes, err)) < 0 ||
           (rc = parse_set(config, "ExposedPorts", OCI_WORDS_MAX, &out->ports, err)) < 0 ||
           (rc = document_map(config, "Labels", &out->labels, err)) < 0 ||
           (rc = parse_health(config, &out->health, err)) < 0);
    return rc < 0 ? error_prefix(err, "\"config\"") : 0;
}

static int parse_rootfs(const json_t *json, struct image_config *out, struct error *err)
{
    json_t *rootfs = NULL;
    const char *type = "layers";
    int rc = json_get_object(json, "rootfs", &rootfs, err);
    if (rc == 0 && !rootfs)
        rc = error_set(err, -EINVAL, "\"rootfs\" is missing: this is not an image configuration");
    if (rc == 0)
        rc = json_get_string(rootfs, "type", &type, err);
    if (rc == 0 && !streq(type, "layers"))
        rc = error_set(err, -EINVAL, "\"rootfs\": its \"type\" must be \"layers\"");
    if (rc == 0)
        rc = json_get_strings(rootfs, "diff_ids", &out->diff_ids, err);
    if (rc == 0 && out->diff_ids.len > OCI_LAYERS_MAX)
        rc = error_set(err, -E2BIG, "more than %d layers", OCI_LAYERS_MAX);
    for (size_t i = 0; rc == 0 && i < out->diff_ids.len; i++)
        if (!digest_valid(out->diff_ids.items[i]))
            rc = error_set(err, -EINVAL, "\"diff_ids\": entry %zu is no sha256 digest", i + 1);
    return rc;
}

static int parse_history(const json_t *json, struct image_config *out, struct error *err)
{
    json_t *history = NULL, *item;
    int rc = json_get_array(json, "history", &history, err);
    if (rc < 0 || !history)
        return rc;
    out->history = xcalloc(json_array_size(history) + 1, sizeof *out->history);
    size_t i;
    json_array_foreach(history, i, item)
    {
        struct history_entry *entry = &out->history[out->history_count++];
        (void)((rc = document_string(item, "created", &entry->created, err)) < 0 ||
               (rc = document_string(item, "created_by", &entry->created_by, err)) < 0 ||
               (rc = document_string(item, "comment", &entry->comment, err)) < 0 ||
               (rc = document_string(item, "author", &entry->author, err)) < 0 ||
               (rc = json_get_bool(item, "empty_layer", &entry->empty_layer, err)) < 0);
        if (rc < 0)
            return error_prefix(err, "\"history\": entry %zu", i + 1);
    }
    return 0;
}

static int parse_config(const json_t *json, struct image_config *out, struct error *err)
{
    int rc;
    (void)((rc = document_string(json, "architecture", &out->architecture, err)) < 0 ||
           (rc = document_string(json, "variant", &out->variant, err)) < 0 ||
           (rc = document_string(json, "os", &out->os, err)) < 0 ||
           (rc = document_string(json, "created", &out->created, err)) < 0 ||
           (rc = document_string(json, "author", &out->author, err)) < 0 ||
           (rc = parse_process(json, out, err)) < 0 || (rc = parse_rootfs(json, out, err)) < 0 ||
           (rc = parse_history(json, out, err)) < 0);
    if (rc < 0)
        return error_prefix(err, "image configuration");
    if (!out->architecture)
        out->architecture = xstrdup("");
    if (!out->os)
        out->os = xstrdup("");
    if (!out->user)
        out->user = xstrdup("");
    if (!out->working_dir)
        out->working_dir = xstrdup("");
    return 0;
}

int image_config_parse(const char *text, size_t length, struct image_config *out, struct error *err)
{
    autojson json = document_parse(text, length, "image configuration", err);
    if (!json)
        return -EINVAL;
    struct image_config config = {0};
    int rc = parse_config(json, &config, err);
    if (rc < 0) {
        image_config_free(&config);
        return rc;
    }
    *out = config;
    return 0;
}

static void write_text(struct json_out *w, const char *key, const char *value)
{
    if (value && *value)
        json_str(w, key, value);
}

static void write_list(struct json_out *w, const char *key, const struct strv *value)
{
    if (value->len > 0)
        json_strs(w, key, value);
}

static void write_set(struct json_out *w, const char *key, const struct strv *value)
{
    if (value->len == 0)
        return;
    json_begin(w, key, '{');
    for (size_t i = 0; i < value->len; i++)
        json_raw(w, value->items[i], "{}");
    json_end(w, '}');
}

static void write_number(struct json_out *w, const char *key, int64_t value)
{
    if (value != 0)
        json_i64(w, key, value);
}

static void write_health(struct json_out *w, const struct health_check *health)
{
    if (health->test.len == 0)
        return;
    json_begin(w, "Healthcheck", '{');
    json_strs(w, "Test", &health->test);
    write_number(w, "Interval", health->interval);
    write_number(w, "Timeout", health->timeout);
    write_number(w, "StartPeriod", health->start_period);
    write_number(w, "StartInterval", health->start_interval);
    write_number(w, "Retries", health->retries);
    json_end(w, '}');
}

void image_config_write_process(const struct image_config *config, const char *key,
                                struct json_out *w)
{
    json_begin(w, key, '{');
    write_text(w, "User", config->user);
    write_set(w, "ExposedPorts", &config->ports);
    write_list(w, "Env", &config->env);
    write_list(w, "Entrypoint", &config->entrypoint);
    write_list(w, "Cmd", &config->command);
    write_health(w, &config->health);
    write_set(w, "Volumes", &config->volumes);
    write_text(w, "WorkingDir", config->working_dir);
    write_list(w, "OnBuild", &config->on_build);
    document_write_map(w, "Labels", &config->labels);
    write_text(w, "StopSignal", config->stop_signal);
    write_list(w, "Shell", &config->shell);
    json_end(w, '}');
}

void image_config_write(const struct image_config *config, struct buf *out)
{
    struct json_out w = {.buf = out};
    json_begin(&w, NULL, '{');
    write_text(&w, "created", config->created);
    write_text(&w, "author", config->author);
    json_str(&w, "architecture", config->architecture);
    write_text(&w, "variant", config->variant);
    json_str(&w, "os", config->os);
    image_config_write_process(config, "config", &w);
    json_begin(&w, "rootfs", '{');
    json_str(&w, "type", "layers");
    json_strs(&w, "diff_ids", &config->diff_ids);
    json_end(&w, '}');
    json_begin(&w, "history", '[');
    for (size_t i = 0; i < config->history_count; i++) {
        const struct history_entry *entry = &config->history[i];
        json_begin(&w, NULL, '{');
        write_text(&w, "created", entry->created);
        write_text(&w, "created_by", entry->created_by);
        write_text(&w, "author", entry->author);
        write_text(&w, "comment", entry->comment);
        if (entry->empty_layer)
            json_bool(&w, "empty_layer", true);
        json_end(&w, '}');
    }
    json_end(&w, ']');
    json_end(&w, '}');
}

void image_config_free(struct image_config *config)
{
    char *texts[] = {config->architecture, config->variant,    config->os,
                     config->created,      config->author,     config->user,
                     config->working_dir,  config->stop_signal};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
    struct strv *lists[] = {&config->env,      &config->entrypoint, &config->command,
                            &config->shell,    &config->volumes,    &config->ports,
                            &config->on_build, &config->labels,     &config->health.test,
                            &config->diff_ids};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        strv_free(lists[i]);
    for (size_t i = 0; i < config->history_count; i++) {
        free(config->history[i].created);
        free(config->history[i].created_by);
        free(config->history[i].comment);
        free(config->history[i].author);
    }
    free(config->history);
    *config = (struct image_config){0};
}
