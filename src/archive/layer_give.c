/* SPDX-License-Identifier: Apache-2.0 */
/* Gives a layer's tar back: follows the recipe, taking contents from fs/. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "archive/layer.h"
#include "archive/recipe.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"

#define PIECE ((size_t)256 << 10)

struct giver {
    struct stream *recipe;
    int fs;
    int (*sink)(void *, const void *, size_t);
    void *closure;
    struct sha256 hash;
    unsigned char *piece;
};

static int damaged(const char *why, struct error *err)
{
    return error_set(err, -EBADMSG, "%s", why);
}

static int give(struct giver *g, const void *bytes, size_t length, struct error *err)
{
    sha256_add(&g->hash, bytes, length);
    int rc = g->sink(g->closure, bytes, length);
    return rc < 0 ? error_set(err, rc, "cannot write: %s", error_describe(rc)) : 0;
}

/* --- reading the recipe --- */

static int read_bytes(struct giver *g, void *bytes, size_t length, struct error *err)
{
    ssize_t n = stream_read(g->recipe, bytes, length, err);
    if (n < 0)
        return (int)n;
    return (size_t)n < length ? damaged("its recipe ends too early", err) : 0;
}

static int read_number(struct giver *g, uint64_t *value, struct error *err)
{
    uint64_t sum = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
        unsigned char c;
        int rc = read_bytes(g, &c, 1, err);
        if (rc < 0)
            return rc;
        sum |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80)) {
            *value = sum;
            return 0;
        }
    }
    return damaged("its recipe has a bad number", err);
}

static int give_bytes(struct giver *g, struct error *err)
{
    uint64_t left;
    int rc = read_number(g, &left, err);
    while (rc == 0 && left > 0) {
        const void *bytes;
        ssize_t n = stream_peek(g->recipe, &bytes, err);
        if (n <= 0)
            return n < 0 ? (int)n : damaged("its recipe ends too early", err);
        size_t take = (uint64_t)n < left ? (size_t)n : (size_t)left;
        rc = give(g, bytes, take, err);
        stream_used(g->recipe, take);
        left -= take;
    }
    return rc;
}

/* --- files --- */

static int open_file(const struct giver *g, const char *path, uint64_t size, struct error *err)
{
    struct open_how how = {
        .flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    autofd fd = (int)syscall(SYS_openat2, g->fs, path, &how, sizeof how);
    int saved = errno;
    struct stat st;
    autobuf shown = {0};
    buf_printable(&shown, path);
    if (fd < 0 && saved == ENOENT)
        return error_set(err, -EBADMSG, "its file %s is missing", buf_text(&shown));
    if (fd < 0)
        return error_set(err, -saved, "cannot open its file %s: %s", buf_text(&shown),
                         error_describe(saved));
    if (fstat(fd, &st) < 0)
        return error_errno(err, "cannot stat its file %s", buf_text(&shown));
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
        return error_set(err, -EBADMSG, "its file %s was changed", buf_text(&shown));
    return take_fd(&fd);
}

static int give_range(struct giver *g, int fd, uint64_t offset, uint64_t length, struct error *err)
{
    while (length > 0) {
        size_t want = length < PIECE ? (size_t)length : PIECE;
        ssize_t n = pread(fd, g->piece, want, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, "cannot read one of its files");
        if (n == 0)
            return damaged("one of its files is too short", err);
        int rc = give(g, g->piece, (size_t)n, err);
        if (rc < 0)
            return rc;
        offset += (uint64_t)n;
        length -= (uint64_t)n;
    }
    return 0;
}

static int give_parts(struct giver *g, int fd, uint64_t size, struct error *err)
{
    uint64_t count, gap, length, at = 0;
    int rc = read_number(g, &count, err);
    for (; rc == 0 && count > 0; count--) {
        rc = read_number(g, &gap, err);
        if (rc == 0)
            rc = read_number(g, &length, err);
        if (rc < 0)
            return rc;
        if (gap > size - at || length > size - at - gap)
            return damaged("its recipe goes beyond a file's end", err);
        rc = give_range(g, fd, at + gap, length, err);
        at += gap + length;
    }
    return rc;
}

static int give_file(struct giver *g, enum recipe_record kind, struct error *err)
{
    char path[RECIPE_PATH_MAX];
    uint64_t length, size;
    int rc = read_number(g, &length, err);
    if (rc < 0)
        return rc;
    if (length == 0 || length >= sizeof path)
        return damaged("its recipe has a bad path", err);
    rc = read_bytes(g, path, (size_t)length, err);
    if (rc == 0)
        rc = read_number(g, &size, err);
    if (rc < 0)
        return rc;
    path[length] = '\0';
    if (strlen(path) != length || size > INT64_MAX)
        return damaged("its recipe has a bad path", err);
    autofd fd = open_file(g, path, size, err);
    if (fd < 0)
        return fd;
    return kind == RECIPE_FILE ? give_range(g, fd, 0, size, err) : give_parts(g, fd, size, err);
}

static int follow(struct giver *g, struct error *err)
{
    char mark[sizeof RECIPE_MARK - 1];
    int rc = read_bytes(g, mark, sizeof mark, err);
    if (rc == 0 && memcmp(mark, RECIPE_MARK, sizeof mark) != 0)
        return damaged("its recipe is of an unknown kind", err);
    while (rc == 0) {
        unsigned char kind;
        rc = read_bytes(g, &kind, 1, err);
        if (rc < 0)
            return rc;
        if (kind == RECIPE_END)
            return 0;
        if (kind == RECIPE_BYTES)
            rc = give_bytes(g, err);
        else if (kind == RECIPE_FILE || kind == RECIPE_SPARSE)
            rc = give_file(g, kind, err);
        else
            rc = damaged("its recipe has an unknown record", err);
    }
    return rc;
}

static int give_all(struct giver *g, const char *expected, struct error *err)
{
    unsigned char digest[SHA256_BYTES];
    char text[DIGEST_MAX] = "sha256:";
    sha256_start(&g->hash);
    g->piece = xmalloc(PIECE);
    int rc = follow(g, err);
    free(g->piece);
    sha256_end(&g->hash, digest);
    hex_encode(digest, sizeof digest, text + 7);
    if (rc == 0 && !streq(text, expected))
        return damaged("its files or their recipe were changed", err);
    return rc;
}

int layer_write_tar(int layer_dir_fd, int (*sink)(void *, const void *, size_t), void *closure,
                    const char *expected_diff_id, struct error *err)
{
    struct giver g = {.sink = sink, .closure = closure};
    autofd fs = openat(layer_dir_fd, "fs", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    autofd recipe = openat(layer_dir_fd, "recipe", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fs < 0 || recipe < 0)
        return error_errno(err, "cannot open layer %s", expected_diff_id);
    /* Our own file; a recipe of empty headers compresses without bound. */
    struct stream_source source = {
        .fd = recipe, .seekable = true, .length = STREAM_TO_END, .no_digests = true};
    struct stream_limits limits = {.max_bytes = UINT64_MAX, .max_ratio = UINT64_MAX};
    autostream stream = stream_open(&source, &limits, err);
    g.recipe = stream;
    g.fs = fs;
    int rc = stream ? give_all(&g, expected_diff_id, err) : (err ? err->code : -EBADMSG);
    if (rc == -EBADMSG)
        return error_prefix(err, "layer %s is damaged", expected_diff_id);
    return rc < 0 ? error_prefix(err, "layer %s", expected_diff_id) : 0;
}
