/* SPDX-License-Identifier: Apache-2.0 */
/* Where --from leads: a named context, an earlier stage, an image. */
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/images.h"
#include "build/stage.h"

static void key_of(const struct layer *layers, size_t count, char out[STEP_KEY_MAX])
{
    struct key key;
    key_begin(&key, "tree");
    for (size_t i = 0; i < count; i++)
        key_text(&key, layers[i].diff_id);
    key_end(&key, out);
}

int image_use(struct build *build, const char *name, struct stage_result *out, struct error *err)
{
    autoimage image = {0};
    struct store *store = build->place->store;
    autofree char *meant = NULL;
    int rc = images_name(build, name, &meant, err);
    if (rc == 0)
        rc = store_lock(store, LOCK_SH, err);
    if (rc == 0)
        rc = store_resolve(store, meant, &image, err);
    for (size_t i = 0; rc == 0 && i < image.config.diff_ids.len; i++)
        rc = staging_uses(&build->staging, image.config.diff_ids.items[i], err);
    store_unlock(store);
    *out = (struct stage_result){0};
    if (rc < 0)
        return rc;
    out->config = image.config;
    image.config = (struct image_config){0};
    out->layer_count = out->config.diff_ids.len;
    out->layers = xcalloc(out->layer_count + 1, sizeof *out->layers);
    for (size_t i = 0; i < out->layer_count; i++) {
        out->layers[i] = (struct layer){.fd = -1, .answer = -1};
        memcpy(out->layers[i].diff_id, out->config.diff_ids.items[i], DIGEST_MAX);
    }
    return 0;
}

static int open_image(struct stage_run *run, const char *name, struct foreign *out,
                      struct error *err)
{
    snprintf(out->what, sizeof out->what, "image %.100s", name);
    return image_use(run->build, name, &out->stage, err);
}

int foreign_open(struct stage_run *run, const char *from, struct place place, struct foreign *out,
                 struct error *err)
{
    struct build *b = run->build;
    struct named_context *named = context_find(&b->contexts, from);
    int stage = graph_find_stage(&b->file, from, run->number);
    *out = (struct foreign){0};
    int rc = 0;
    /* Also by its number. */
    if (!named && stage >= 0 && b->graph.stages[stage].replaced)
        named = context_find(&b->contexts, b->graph.stages[stage].context);
    if (named && !named->image) {
        out->context = named;
        snprintf(out->what, sizeof out->what, "context %.100s", from);
        return 0;
    }
    if (named) {
        rc = open_image(run, named->image, out, err);
    } else if (stage >= 0) {
        rc = stage_await(run, (size_t)stage, err);
        if (rc == 0)
            rc = stage_result_read(b, (size_t)stage, &out->stage, err);
        snprintf(out->what, sizeof out->what, "stage %.100s", from);
    } else if (streq(from, "scratch")) {
        snprintf(out->what, sizeof out->what, "scratch");
    } else {
        rc = open_image(run, from, out, err);
        if (rc < 0) {
            struct error inner = *err;
            (void)dockerfile_wrong(&b->file, place, err, "--from=%s: %s", from, inner.text);
            err->code = inner.code;
        }
    }
    if (rc == 0)
        key_of(out->stage.layers, out->stage.layer_count, out->key);
    return rc;
}

void foreign_close(struct foreign *foreign)
{
    stage_result_free(&foreign->stage);
}
