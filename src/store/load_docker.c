/* SPDX-License-Identifier: Apache-2.0 */
/* docker-archive: manifest.json names a configuration, names and layers by path. */
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"
#include "store/load.h"

/* Archives name a configuration by its digest: HEX.json, sha256:HEX or blobs/sha256/HEX. Then it
 * has to be true. */
static int check_config_name(const char *path, const char *id, struct error *err)
{
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    if (starts_with(name, "sha256:"))
        name += strlen("sha256:");
    size_t length = strlen(name);
    bool digest = (length == 64 || (length == 69 && ends_with(name, ".json"))) && is_hex(name, 64);
    if (digest && strncmp(name, digest_hex(id), 64) != 0)
        return error_set(err, -EBADMSG,
                         "the image configuration %s is damaged: its content has the digest %s",
                         path, id);
    return 0;
}

static int add_names(const json_t *item, struct load_plan *plan, struct load_image *image,
                     struct error *err)
{
    autostrv tags = {0};
    int rc = json_get_strings(item, "RepoTags", &tags, err);
    for (size_t i = 0; rc == 0 && i < tags.len; i++) {
        autofree char *full = NULL;
        if (streq(tags.items[i], "<none>:<none>"))
            continue;
        rc = load_full_name(tags.items[i], &full, err);
        if (rc == 0 && full)
            rc = load_add_name(plan, image, full, err);
    }
    return rc;
}

static int add_layers(const json_t *item, struct bundle *bundle, struct load_plan *plan,
                      struct load_image *image, struct error *err)
{
    autostrv paths = {0};
    autoconfig config = {0};
    int rc = image_config_parse(image->image.config.data, image->image.config.len, &config, err);
    if (rc == 0)
        rc = json_get_strings(item, "Layers", &paths, err);
    if (rc == 0 && paths.len != config.diff_ids.len)
        rc = error_set(err, -EBADMSG, "%zu layers are listed, but the configuration has %zu",
                       paths.len, config.diff_ids.len);
    for (size_t i = 0; rc == 0 && i < paths.len; i++) {
        struct ingest_layer layer = {0};
        memcpy(layer.diff_id, config.diff_ids.items[i], DIGEST_MAX);
        rc = bundle_find(bundle, paths.items[i], &layer.source, err);
        if (rc == 0)
            rc = load_add_layer(plan, image, &layer, err);
    }
    return rc;
}

static int add_image(const json_t *item, struct bundle *bundle, const struct platform *platform,
                     struct load_plan *plan, struct error *err)
{
    const char *path = NULL;
    autobuf config = {0};
    struct load_image *image = NULL;
    int rc = json_get_string(item, "Config", &path, err);
    if (rc == 0 && !path)
        rc = error_set(err, -EINVAL, "\"Config\" is missing");
    if (rc == 0)
        rc = bundle_read(bundle, path, OCI_DOCUMENT_MAX, &config, err);
    if (rc == 0)
        rc = load_add_image(plan, &config, platform, &image, err);
    if (rc == 0)
        rc = check_config_name(path, image->image.id, err);
    if (rc == 0)
        rc = add_names(item, plan, image, err);
    if (rc == 0)
        rc = add_layers(item, bundle, plan, image, err);
    return rc;
}

int load_docker(struct bundle *bundle, const struct platform *platform, struct load_plan *plan,
                struct error *err)
{
    autobuf text = {0};
    int rc = bundle_read(bundle, "manifest.json", OCI_DOCUMENT_MAX, &text, err);
    if (rc < 0)
        return rc;
    autojson json = json_parse(buf_text(&text), text.len, "manifest.json", err);
    if (!json)
        return -EINVAL;
    if (!json_is_array(json) || json_array_size(json) == 0)
        return error_set(err, -EINVAL, "manifest.json must be an array of images");
    if (json_array_size(json) > LOAD_IMAGES_MAX)
        return error_set(err, -E2BIG, "manifest.json: more than %d images", LOAD_IMAGES_MAX);
    size_t i;
    json_t *item;
    json_array_foreach(json, i, item)
    {
        rc = add_image(item, bundle, platform, plan, err);
        if (rc < 0)
            return error_prefix(err, "manifest.json: image %zu", i + 1);
    }
    return 0;
}
