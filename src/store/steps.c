/* SPDX-License-Identifier: Apache-2.0 */
#include "store/steps.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "store/layout.h"

#define RECORD_MAX 512

static bool key_valid(const char *key)
{
    return strlen(key) == STEP_KEY_MAX - 1 && is_hex(key, STEP_KEY_MAX - 1);
}

/* Copies what follows "NAME " in its line; false where there is no such line or it is too long. */
static bool field(const char *text, const char *name, char *out, size_t size)
{
    size_t length = strlen(name);
    for (const char *line = text; line && *line;) {
        const char *end = strchr(line, '\n');
        if (!end)
            return false;
        if (strncmp(line, name, length) == 0 && line[length] == ' ') {
            size_t n = (size_t)(end - line) - length - 1;
            if (n >= size)
                return false;
            memcpy(out, line + length + 1, n);
            out[n] = '\0';
            return true;
        }
        line = end + 1;
    }
    return false;
}

bool steps_read(const char *text, struct step_record *out)
{
    char number[24];
    nanoseconds when;
    struct step_record r = {0};
    if (!field(text, "layer", r.layer, sizeof r.layer) ||
        !field(text, "created", r.created, sizeof r.created) ||
        !field(text, "took", number, sizeof number) ||
        parse_u64(number, UINT64_MAX, &r.milliseconds) < 0 || parse_rfc3339(r.created, &when) < 0)
        return false;
    (void)field(text, "content", r.content, sizeof r.content);
    (void)field(text, "secrets", r.secrets, sizeof r.secrets);
    if ((r.secrets[0] && !key_valid(r.secrets)) || (r.layer[0] && !digest_valid(r.layer)) ||
        (r.content[0] && !key_valid(r.content)))
        return false;
    *out = r;
    return true;
}

void steps_write(const struct step_record *record, struct buf *out)
{
    buf_fmt(out, "layer %s\ncreated %s\ntook %llu\n", record->layer, record->created,
            (unsigned long long)record->milliseconds);
    if (record->content[0])
        buf_fmt(out, "content %s\n", record->content);
    if (record->secrets[0])
        buf_fmt(out, "secrets %s\n", record->secrets);
}

static bool read_record(struct store *store, const char *key, struct step_record *out)
{
    char path[STORE_PATH_MAX];
    autobuf text = {0};
    layout_path(path, STEPS_DIR, key);
    return key_valid(key) && read_file_at(store->root_fd, path, RECORD_MAX, &text, NULL) == 0 &&
           steps_read(buf_text(&text), out);
}

static bool has_layer(struct store *store, const char *diff_id)
{
    char path[STORE_PATH_MAX];
    snprintf(path, sizeof path, LAYERS_DIR "/%s/fs", digest_hex(diff_id));
    return faccessat(store->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int steps_find(struct store *store, const char *key, struct step_record *out)
{
    char path[STORE_PATH_MAX];
    struct step_record record;
    if (!read_record(store, key, &record))
        return 0;
    if (record.layer[0] && !has_layer(store, record.layer))
        return 0;
    layout_path(path, STEPS_DIR, key);
    (void)utimensat(store->root_fd, path, NULL, AT_SYMLINK_NOFOLLOW);
    *out = record;
    return 1;
}

int steps_keep(struct staging *staging, const char *key, const struct step_record *record,
               struct error *err)
{
    autobuf text = {0};
    char entry[STEP_KEY_MAX + 24];
    int made = steps_directory(staging->store, "steps", err);
    if (made < 0)
        return made;
    close(made);
    steps_write(record, &text);
    /* Other stages of the same build may write it at the same time. */
    snprintf(entry, sizeof entry, "step-%d-%s", (int)getpid(), key);
    int rc = staging_write(staging, entry, text.data, text.len, err);
    return rc < 0 ? rc : staging_publish(staging, entry, STEPS_DIR, key, err);
}

/* None where nothing was ever built. */
static int list_steps(struct store *store, struct strv *files, struct error *err)
{
    if (faccessat(store->root_fd, STEPS_DIR, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
        return 0;
    return layout_list(store, STEPS_DIR, files, err);
}

int steps_layers(struct store *store, struct strv *out, struct error *err)
{
    autostrv files = {0};
    int rc = list_steps(store, &files, err);
    for (size_t i = 0; rc == 0 && i < files.len; i++) {
        struct step_record record;
        if (read_record(store, files.items[i], &record) && record.layer[0] &&
            !strv_has(out, record.layer))
            strv_add(out, record.layer);
    }
    return rc;
}

int steps_forget(struct store *store, int64_t before, size_t *count, struct error *err)
{
    autostrv files = {0};
    *count = 0;
    int rc = list_steps(store, &files, err);
    for (size_t i = 0; rc == 0 && i < files.len; i++) {
        char path[STORE_PATH_MAX];
        struct stat st;
        layout_path(path, STEPS_DIR, files.items[i]);
        if (fstatat(store->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            st.st_mtim.tv_sec >= before)
            continue;
        if (unlinkat(store->root_fd, path, 0) < 0 && errno != ENOENT)
            return error_errno(err, "cannot remove %s/%s", store->root, path);
        ++*count;
    }
    return rc;
}

int steps_directory(struct store *store, const char *name, struct error *err)
{
    char path[STORE_PATH_MAX];
    snprintf(path, sizeof path, BUILD_DIR "/%s", name);
    int fd = openat(store->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 || errno != ENOENT)
        return fd >= 0 ? fd : error_errno(err, "cannot open %s/%s", store->root, path);
    if ((mkdirat(store->root_fd, BUILD_DIR, 0700) < 0 && errno != EEXIST) ||
        (mkdirat(store->root_fd, path, 0700) < 0 && errno != EEXIST))
        return error_errno(err, "cannot create %s/%s", store->root, path);
    fd = openat(store->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 ? fd : error_errno(err, "cannot open %s/%s", store->root, path);
}
