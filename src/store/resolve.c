/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/layout.h"

/* From this many digits on a word looks like an id that was copied, and no longer like a name. */
#define SHORT_ID_MIN 7

/* Which image is meant: digests only, nothing of it read yet. */
struct found {
    char id[DIGEST_MAX], manifest[DIGEST_MAX];
    char *name;
};

static int not_found(struct error *err, const char *text)
{
    autobuf shown = {0};
    buf_printable(&shown, text);
    return error_set(err, -ENOENT,
                     "no such image: %s; 'caisson images' lists what is there, 'caisson pull', "
                     "'caisson load' and 'caisson import' add images",
                     buf_text(&shown));
}

static void found_record(struct found *found, struct name_record *record)
{
    memcpy(found->manifest, record->manifest, DIGEST_MAX);
    memcpy(found->id, record->id, DIGEST_MAX);
    found->name = record->name;
}

static bool is_digest_of(const struct name_record *record, const char *digest)
{
    return streq(record->manifest, digest) || streq(record->index, digest);
}

/* name@digest: any name of the repository that is this manifest, or the index that it was pulled
 * by. The digest alone decides: what an
 * archive calls its images must not. */
static int find_digest(struct store *store, const struct reference *ref, struct found *out,
                       struct error *err)
{
    autostrv files = {0};
    autobuf prefix = {0}, pulled = {0};
    struct name_record exact;
    char file[STORE_PATH_MAX];
    buf_fmt(&prefix, "%s/%s", ref->domain, ref->path);
    buf_fmt(&pulled, "%s@%s", buf_text(&prefix), ref->digest);
    layout_name_file(buf_text(&pulled), file);
    /* Of an index's images, the one that was pulled by this very name. */
    if (layout_read_name(store, file, &exact, NULL) == 0) {
        if (is_digest_of(&exact, ref->digest)) {
            found_record(out, &exact);
            return 0;
        }
        free(exact.name);
    }
    int rc = layout_list(store, IMAGES_DIR, &files, err);
    for (size_t i = 0; rc == 0 && i < files.len; i++) {
        struct name_record record;
        rc = layout_read_name(store, files.items[i], &record, err);
        if (rc == -ENOENT)
            rc = 0; /* removed meanwhile */
        else if (rc == 0 && is_digest_of(&record, ref->digest) &&
                 starts_with(record.name, buf_text(&prefix)) &&
                 strchr(":@", record.name[prefix.len])) {
            found_record(out, &record);
            return 0;
        } else if (rc == 0)
            free(record.name);
    }
    return rc < 0 ? rc : -ENOENT;
}

/* 0, -ENOENT without a sentence, or another error. */
static int find_name(struct store *store, const struct reference *ref, struct found *out,
                     struct error *err)
{
    autobuf full = {0};
    char file[STORE_PATH_MAX];
    struct name_record record;
    if (ref->digest[0])
        return find_digest(store, ref, out, err);
    reference_full(ref, &full);
    layout_name_file(buf_text(&full), file);
    int rc = layout_read_name(store, file, &record, err);
    if (rc == 0)
        found_record(out, &record);
    return rc;
}

static int find_id(struct store *store, const char *text, const char *prefix, struct found *out,
                   struct error *err)
{
    autostrv ids = {0};
    const char *match = NULL;
    int rc = layout_list(store, IDS_DIR, &ids, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < ids.len; i++) {
        if (!starts_with(ids.items[i], prefix) || strlen(ids.items[i]) != 64)
            continue;
        if (match)
            return error_set(
                err, -EINVAL,
                "%s is the beginning of several image ids (%.12s, %.12s, …): give more "
                "of its digits",
                text, match, ids.items[i]);
        match = ids.items[i];
    }
    if (!match)
        return not_found(err, text);
    rc = layout_read_id(store, match, out->manifest, err);
    if (rc == -ENOENT)
        return not_found(err, text);
    if (rc < 0)
        return rc;
    snprintf(out->id, sizeof out->id, "sha256:%.64s", match);
    return 0;
}

/* Digits as `images` prints them mean an id; an archive that calls its image by the digits of
 * another must not be run in its place, and an id that begins like a name must not either. */
static int refuse_double(struct store *store, const char *text, const struct found *found,
                         struct error *err)
{
    struct found by_id = {0};
    int rc = find_id(store, text, text, &by_id, NULL);
    if (rc == -ENOENT || (rc == 0 && streq(by_id.id, found->id)))
        return 0;
    if (rc < 0 && rc != -EINVAL)
        return error_set(err, rc, "cannot look for an image with the id %s", text);
    return error_set(err, -EINVAL,
                     "%s is the name of one image and the beginning of another's id: write "
                     "%s:latest for the name, or more digits of the id",
                     text, text);
}

static int find(struct store *store, const char *text, struct found *out, struct error *err)
{
    autoreference ref = {0};
    struct error wrong = {0};
    const char *hex = starts_with(text, "sha256:") ? digest_hex(text) : text;
    size_t digits = strlen(hex);
    bool may_be_id = digits > 0 && digits <= 64 && is_hex(hex, digits);
    bool may_be_name = !(may_be_id && hex != text) && reference_parse(text, &ref, &wrong) == 0;
    if (may_be_name) {
        int rc = find_name(store, &ref, out, err);
        if (rc == 0 && may_be_id && digits >= SHORT_ID_MIN) {
            rc = refuse_double(store, text, out, err);
            if (rc < 0)
                free(take_ptr(out->name));
            return rc;
        }
        if (rc != -ENOENT)
            return rc;
    }
    if (may_be_id)
        return find_id(store, text, hex, out, err);
    if (may_be_name)
        return not_found(err, text);
    return error_set(err, wrong.code, "%s", wrong.text);
}

static int read_manifest(struct store *store, const struct found *found, struct manifest *out,
                         struct error *err)
{
    autobuf text = {0};
    int rc = store_read_blob(store, found->manifest, "manifest", &text, err);
    if (rc == 0)
        rc = manifest_parse(buf_text(&text), text.len, out, err);
    return rc;
}

/* Documents agree with each other and every layer is there. */
static int check_complete(struct store *store, const struct found *found,
                          const struct manifest *manifest, const struct image_config *config,
                          struct error *err)
{
    if (!streq(manifest->config.digest, found->id) || manifest->layer_count != config->diff_ids.len)
        return error_set(err, -EBADMSG,
                         "manifest and configuration do not belong together: remove the image with "
                         "'caisson rmi -f' and load it again");
    for (size_t i = 0; i < config->diff_ids.len; i++) {
        char path[STORE_PATH_MAX];
        const char *diff_id = config->diff_ids.items[i];
        layout_path(path, LAYERS_DIR, digest_hex(diff_id));
        if (faccessat(store->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
            return error_set(err, errno == ENOENT ? -EBADMSG : -errno,
                             "layer %s is missing from %s: load the image again", diff_id,
                             store->root);
    }
    return 0;
}

static int read_image(struct store *store, const struct found *found, struct image *out,
                      struct error *err)
{
    automanifest manifest = {0};
    autoconfig config = {0};
    autobuf text = {0};
    int rc = read_manifest(store, found, &manifest, err);
    if (rc == 0)
        rc = store_read_blob(store, found->id, "image configuration", &text, err);
    if (rc == 0)
        rc = image_config_parse(buf_text(&text), text.len, &config, err);
    if (rc == 0)
        rc = check_complete(store, found, &manifest, &config, err);
    if (rc == -ENOENT) /* the image is there, a part of it is not */
        rc = err ? (err->code = -EBADMSG) : -EBADMSG;
    if (rc < 0)
        return rc;
    memcpy(out->id, found->id, DIGEST_MAX);
    memcpy(out->manifest, found->manifest, DIGEST_MAX);
    out->name = found->name;
    out->config = config;
    config = (struct image_config){0};
    return 0;
}

int store_resolve(struct store *store, const char *name_or_id, struct image *out, struct error *err)
{
    struct found found = {0};
    int rc = find(store, name_or_id, &found, err);
    if (rc < 0)
        return rc;
    rc = read_image(store, &found, out, err);
    if (rc < 0) {
        free(found.name);
        return error_prefix(err, "image %s", name_or_id);
    }
    return 0;
}

int store_find(struct store *store, const char *name_or_id, char id[DIGEST_MAX], char **name,
               struct error *err)
{
    struct found found = {0};
    int rc = find(store, name_or_id, &found, err);
    if (rc < 0)
        return rc;
    memcpy(id, found.id, DIGEST_MAX);
    *name = found.name;
    return 0;
}

void image_free(struct image *image)
{
    free(image->name);
    image_config_free(&image->config);
    *image = (struct image){0};
}
