/* SPDX-License-Identifier: Apache-2.0 */
/* A tree that overlayfs wrote becomes a layer where it lies: its tar is made, hashed and thrown
 * away but for what is not in the files. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive/layer.h"
#include "archive/recipe.h"
#include "archive/tree_give.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/text.h"

struct making {
    const struct layer_watch *watch;
    struct recipe_writer *recipe;
    struct sha256 hash;
    uint64_t tar_bytes;
    uint64_t size;    /* of the files */
    uint64_t content; /* bytes of a file that are still to come */
    struct error *err;
};

/* What a file has begins. */
static int begin_content(void *closure, const struct tar_entry *entry, struct error *err)
{
    struct making *m = closure;
    m->size += entry->size;
    m->content = entry->stored;
    int rc = recipe_file(m->recipe, entry->path, entry, err);
    if (rc == 0 && m->watch && m->watch->begin)
        rc = m->watch->begin(m->watch->closure, entry->path, entry->size, err);
    if (rc == 0 && m->content == 0 && m->watch && m->watch->end)
        rc = m->watch->end(m->watch->closure, err);
    return rc;
}

static int take_content(struct making *m, const void *bytes, size_t length, struct error *err)
{
    m->content -= length;
    if (!m->watch)
        return 0;
    int rc = m->watch->content ? m->watch->content(m->watch->closure, bytes, length, err) : 0;
    if (rc == 0 && m->content == 0 && m->watch->end)
        rc = m->watch->end(m->watch->closure, err);
    return rc;
}

static int take(void *closure, const void *bytes, size_t length)
{
    struct making *m = closure;
    const char *at = bytes;
    sha256_add(&m->hash, bytes, length);
    m->tar_bytes += length;
    size_t n = m->content < length ? (size_t)m->content : length;
    int rc = n > 0 ? take_content(m, at, n, m->err) : 0;
    if (rc == 0 && length > n)
        rc = recipe_bytes(m->recipe, at + n, length - n, m->err);
    return rc;
}

static int write_number(int dir_fd, const char *name, uint64_t number, struct error *err)
{
    char text[24];
    int length = snprintf(text, sizeof text, "%llu\n", (unsigned long long)number);
    return write_file_at(dir_fd, name, text, (size_t)length, 0600, VOLATILE, err);
}

static int make(struct making *m, int fs, const int64_t *newest, struct layer_result *result,
                struct error *err)
{
    autofd descriptors = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (descriptors < 0)
        return error_errno(err, "cannot open /proc/self/fd");
    struct tar_writer tar = {.sink = take, .closure = m};
    struct tree_give give = {
        .tar = &tar,
        .descriptors = descriptors,
        .name = "",
        .devices = true,
        .layer = true,
        .still = true,
        .cleanse = true,
        .whole_seconds = true,
        .newest = newest,
        .content = begin_content,
        .closure = m,
    };
    int rc = tree_give(&give, fs, err);
    if (rc == 0)
        rc = tar_write_end(&tar, err);
    if (rc == 0)
        rc = recipe_finish(m->recipe, err);
    result->entries = give.entries;
    return rc;
}

int layer_make(int dir_fd, const int64_t *newest, const struct layer_watch *watch,
               struct layer_result *out, struct error *err)
{
    struct error inner = {0};
    struct making m = {.watch = watch, .err = &inner};
    struct layer_result result = {0};
    unsigned char digest[SHA256_BYTES];
    autofd fs = openat(dir_fd, "fs", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    autofd recipe =
        openat(dir_fd, "recipe", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fs < 0 || recipe < 0)
        return error_errno(err, "cannot write the layer's recipe");
    m.recipe = recipe_create(recipe, err);
    if (!m.recipe)
        return -ENOMEM;
    sha256_start(&m.hash);
    int rc = make(&m, fs, newest, &result, err);
    sha256_end(&m.hash, digest);
    recipe_close(m.recipe);
    if (rc < 0) { /* the sentence of who looked on is better than that something was not written */
        if (inner.code)
            *err = inner;
        return rc;
    }
    memcpy(result.diff_id, "sha256:", 7);
    hex_encode(digest, sizeof digest, result.diff_id + 7);
    result.tar_bytes = m.tar_bytes;
    result.size = m.size;
    rc = write_number(dir_fd, "size", m.size, err);
    if (rc == 0)
        rc = write_number(dir_fd, "tar-size", m.tar_bytes, err);
    if (rc == 0)
        *out = result;
    return rc;
}
