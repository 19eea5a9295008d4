/* SPDX-License-Identifier: Apache-2.0 */
#include "store/load.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"

void load_plan_free(struct load_plan *plan)
{
    for (size_t i = 0; i < plan->image_count; i++) {
        ingest_image_free(&plan->images[i].image);
        free(plan->images[i].layers);
    }
    free(plan->images);
    free(plan->layers);
    *plan = (struct load_plan){0};
}

static int check_platform(const struct image_config *config, const struct platform *platform,
                          struct error *err)
{
    if (!streq(config->os, "linux"))
        return error_set(err, -EINVAL, "the image is for the operating system \"%.30s\", not linux",
                         config->os);
    if (platform->chosen &&
        !platform_matches(platform, config->os, config->architecture, config->variant))
        return error_set(err, -EINVAL, "the image is for %s/%.30s, not for %s/%s", config->os,
                         config->architecture, platform->os, platform->architecture);
    return 0;
}

int load_add_image(struct load_plan *plan, struct buf *text, const struct platform *platform,
                   struct load_image **out, struct error *err)
{
    autoconfig config = {0};
    int rc = image_config_parse(buf_text(text), text->len, &config, err);
    if (rc == 0)
        rc = check_platform(&config, platform, err);
    if (rc < 0)
        return rc;
    plan->images = xrealloc(plan->images, plan->image_count + 1, sizeof *plan->images);
    struct load_image *image = &plan->images[plan->image_count++];
    *image = (struct load_image){0};
    digest_of(text, image->image.id);
    image->image.config = *text;
    *text = (struct buf){0};
    *out = image;
    return 0;
}

int load_full_name(const char *name, char **out, struct error *err)
{
    autoreference ref = {0};
    autobuf full = {0};
    int rc = reference_parse(name, &ref, err);
    if (rc < 0 || !ref.tag)
        return rc;
    ref.digest[0] = '\0';
    reference_full(&ref, &full);
    *out = buf_take(&full);
    return 0;
}

int load_add_name(struct load_plan *plan, struct load_image *image, const char *full,
                  struct error *err)
{
    if (plan->name_count == LOAD_NAMES_MAX)
        return error_set(err, -E2BIG, "more than %d names of images", LOAD_NAMES_MAX);
    plan->name_count++;
    if (!strv_has(&image->image.names, full))
        strv_add(&image->image.names, full);
    return 0;
}

int load_add_layer(struct load_plan *plan, struct load_image *image,
                   const struct ingest_layer *layer, struct error *err)
{
    size_t at = 0;
    if (plan->use_count == LOAD_LAYERS_MAX)
        return error_set(err, -E2BIG, "more than %d layers in all images: save fewer at a time",
                         LOAD_LAYERS_MAX);
    plan->use_count++;
    while (at < plan->layer_count && !(streq(plan->layers[at].diff_id, layer->diff_id) &&
                                       streq(plan->layers[at].digest, layer->digest)))
        at++;
    if (at == plan->layer_count) {
        plan->layers = xrealloc(plan->layers, plan->layer_count + 1, sizeof *plan->layers);
        plan->layers[plan->layer_count++] = *layer;
    }
    image->layers = xrealloc(image->layers, image->layer_count + 1, sizeof *image->layers);
    image->layers[image->layer_count++] = at;
    return 0;
}

int load_add_layers(struct load_plan *plan, struct load_image *image,
                    const struct manifest *manifest, load_source *find, void *closure,
                    struct error *err)
{
    autoconfig config = {0};
    int rc = image_config_parse(image->image.config.data, image->image.config.len, &config, err);
    if (rc == 0 && manifest->layer_count != config.diff_ids.len)
        rc = error_set(err, -EBADMSG, "the manifest has %zu layers, the configuration %zu",
                       manifest->layer_count, config.diff_ids.len);
    for (size_t i = 0; rc == 0 && i < manifest->layer_count; i++) {
        const struct descriptor *descriptor = &manifest->layers[i];
        const char *type = descriptor->media_type ? descriptor->media_type : "";
        struct ingest_layer layer = {0};
        if (!strstr(type, "tar") || strstr(type, "encrypted"))
            return error_set(err, -EINVAL, "layer %zu has the type \"%.100s\", which is no tar",
                             i + 1, type);
        memcpy(layer.digest, descriptor->digest, DIGEST_MAX);
        memcpy(layer.diff_id, config.diff_ids.items[i], DIGEST_MAX);
        rc = find(closure, descriptor, &layer, err);
        if (rc == 0)
            rc = load_add_layer(plan, image, &layer, err);
    }
    return rc;
}

/* One configuration under two entries is one image; of two images with one name the later has it.
 */
static void merge_images(struct load_plan *plan)
{
    size_t kept = 0;
    for (size_t i = 0; i < plan->image_count; i++) {
        struct load_image image = plan->images[i], *same = NULL;
        for (size_t j = 0; j < kept; j++) {
            if (streq(plan->images[j].image.id, image.image.id))
                same = &plan->images[j];
            struct strv *names = &plan->images[j].image.names;
            autostrv left = {0};
            for (size_t k = 0; k < names->len; k++)
                if (!strv_has(&image.image.names, names->items[k]))
                    strv_add(&left, names->items[k]);
            struct strv old = *names;
            *names = left;
            left = old;
        }
        if (same) {
            strv_copy(&same->image.names, &image.image.names);
            ingest_image_free(&image.image);
            free(image.layers);
        } else {
            plan->images[kept++] = image;
        }
    }
    plan->image_count = kept;
}

int load_plan(struct bundle *bundle, const struct platform *platform, struct load_plan *out,
              struct error *err)
{
    autoplan plan = {0};
    int rc;
    if (bundle_has(bundle, "oci-layout") && bundle_has(bundle, "index.json"))
        rc = load_oci(bundle, platform, &plan, err);
    else if (bundle_has(bundle, "manifest.json"))
        rc = load_docker(bundle, platform, &plan, err);
    else if (bundle_has(bundle, "repositories"))
        rc = error_set(err, -EINVAL,
                       "this archive was written by a Docker older than 1.10: load "
                       "and save it with a newer one");
    else
        rc = error_set(err, -EINVAL,
                       "this is no image archive: it has neither manifest.json nor "
                       "oci-layout; for the tar of a root file system there is "
                       "'caisson import'");
    if (rc < 0)
        return rc;
    merge_images(&plan);
    *out = plan;
    plan = (struct load_plan){0};
    return 0;
}

int load_execute(struct staging *staging, struct load_plan *plan,
                 const struct ingest_limits *limits, struct error *err)
{
    int rc = ingest_layers(staging, plan->layers, plan->layer_count, limits, err);
    if (rc < 0)
        return rc;
    autofree struct ingest_image *images = xcalloc(plan->image_count + 1, sizeof *images);
    for (size_t i = 0; i < plan->image_count; i++) {
        struct load_image *image = &plan->images[i];
        autofree const struct ingest_layer **layers =
            xcalloc(image->layer_count + 1, sizeof *layers);
        for (size_t j = 0; j < image->layer_count; j++)
            layers[j] = &plan->layers[image->layers[j]];
        if (image->image.manifest.len == 0)
            ingest_manifest(&image->image, layers, image->layer_count);
        images[i] = image->image;
    }
    rc = ingest_publish(staging, plan->layers, plan->layer_count, images, plan->image_count, err);
    for (size_t i = 0; i < plan->image_count; i++)
        plan->images[i].image.replaced = images[i].replaced;
    return rc;
}
