/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/stage.h"

#define RESULT_MAX (16u << 20)

static void result_name(size_t stage, char out[32])
{
    snprintf(out, 32, "stage-%zu", stage);
}

int stage_result_write(struct stage_run *run, struct error *err)
{
    char name[32];
    autobuf text = {0}, config = {0};
    autostrv layers = {0};
    struct json_out w = {.buf = &text};
    for (size_t i = 0; i < run->layer_count; i++) {
        strv_add(&layers, run->layers[i].diff_id);
        strv_add(&layers, run->layers[i].entry);
    }
    image_config_write(&run->config, &config);
    json_begin(&w, NULL, '{');
    json_str(&w, "key", run->key);
    if (run->base_name)
        json_str(&w, "base", run->base_name);
    json_strs(&w, "args", &run->args);
    json_strs(&w, "words", &run->words);
    json_strs(&w, "layers", &layers);
    json_str(&w, "config", buf_text(&config));
    json_end(&w, '}');
    result_name(run->number, name);
    return staging_write(&run->build->staging, name, text.data, text.len, err);
}

static int take_layers(const struct strv *pairs, struct stage_result *out, struct error *err)
{
    out->layers = xcalloc(pairs->len / 2 + 1, sizeof *out->layers);
    for (size_t i = 0; i + 1 < pairs->len; i += 2) {
        struct layer *layer = &out->layers[out->layer_count++];
        *layer = (struct layer){.fd = -1, .answer = -1};
        if (!digest_valid(pairs->items[i]) || strlen(pairs->items[i + 1]) >= sizeof layer->entry)
            return error_set(err, -EBADMSG, "the result of a stage is damaged");
        memcpy(layer->diff_id, pairs->items[i], DIGEST_MAX);
        snprintf(layer->entry, sizeof layer->entry, "%s", pairs->items[i + 1]);
    }
    return 0;
}

int stage_result_read(struct build *build, size_t stage, struct stage_result *out,
                      struct error *err)
{
    char name[32];
    const char *key = NULL, *base = NULL, *config = NULL;
    autobuf text = {0};
    autostrv layers = {0};
    struct stage_result result = {0};
    result_name(stage, name);
    int rc = read_file_at(build->staging.fd, name, RESULT_MAX, &text, err);
    if (rc < 0)
        return rc;
    autojson json = json_parse(buf_text(&text), text.len, "the result of a stage", err);
    if (!json)
        return err ? err->code : -EINVAL;
    rc = json_get_string(json, "key", &key, err);
    if (rc == 0)
        rc = json_get_string(json, "base", &base, err);
    if (rc == 0)
        rc = json_get_strings(json, "args", &result.args, err);
    if (rc == 0)
        rc = json_get_strings(json, "words", &result.words, err);
    if (rc == 0)
        rc = json_get_strings(json, "layers", &layers, err);
    if (rc == 0)
        rc = json_get_string(json, "config", &config, err);
    if (rc == 0 && (!key || !config || strlen(key) != STEP_KEY_MAX - 1))
        rc = error_set(err, -EBADMSG, "the result of a stage is damaged");
    if (rc == 0)
        rc = image_config_parse(config, strlen(config), &result.config, err);
    if (rc == 0)
        rc = take_layers(&layers, &result, err);
    if (rc == 0) {
        memcpy(result.key, key, STEP_KEY_MAX);
        result.base_name = base ? xstrdup(base) : NULL;
        *out = result;
        return 0;
    }
    stage_result_free(&result);
    return rc;
}

void stage_result_free(struct stage_result *result)
{
    image_config_free(&result->config);
    for (size_t i = 0; i < result->layer_count; i++)
        if (result->layers[i].fd >= 0)
            close(result->layers[i].fd);
    free(result->layers);
    strv_free(&result->args);
    strv_free(&result->words);
    free(result->base_name);
    *result = (struct stage_result){0};
}
