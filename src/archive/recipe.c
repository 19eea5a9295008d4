/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/recipe.h"

#include <string.h>
#include <zstd.h>

#include "base/io.h"
#include "base/memory.h"

/* Headers are almost all repetition: the fastest level makes them small. */
#define LEVEL 1
#define PENDING_MAX ((size_t)64 << 10)

struct recipe_writer {
    int fd;
    ZSTD_CCtx *zstd;
    unsigned char *out;
    size_t out_size;
    struct buf pending; /* bytes of the tar that have no record yet */
};

static int compress(struct recipe_writer *w, const void *bytes, size_t length,
                    ZSTD_EndDirective end, struct error *err)
{
    ZSTD_inBuffer in = {.src = bytes, .size = length};
    size_t left;
    if (!w->zstd)
        return error_set(err, -ENOMEM, "cannot start to compress the recipe");
    do {
        ZSTD_outBuffer out = {.dst = w->out, .size = w->out_size};
        left = ZSTD_compressStream2(w->zstd, &out, &in, end);
        if (ZSTD_isError(left))
            return error_set(err, -EIO, "cannot compress the recipe: %s", ZSTD_getErrorName(left));
        int rc = write_all(w->fd, out.dst, out.pos);
        if (rc < 0)
            return error_set(err, rc, "cannot write the recipe: %s", error_describe(rc));
    } while (in.pos < in.size || (end == ZSTD_e_end && left > 0));
    return 0;
}

struct recipe_writer *recipe_create(int fd, struct error *err)
{
    struct recipe_writer *w = xcalloc(1, sizeof *w);
    w->fd = fd;
    w->zstd = ZSTD_createCCtx();
    if (w->zstd) {
        ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, LEVEL);
        ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_checksumFlag, 1);
    }
    w->out_size = ZSTD_CStreamOutSize();
    w->out = xmalloc(w->out_size);
    if (compress(w, RECIPE_MARK, strlen(RECIPE_MARK), ZSTD_e_continue, err) == 0)
        return w;
    recipe_close(w);
    return NULL;
}

void recipe_close(struct recipe_writer *w)
{
    if (!w)
        return;
    ZSTD_freeCCtx(w->zstd);
    free(w->out);
    buf_free(&w->pending);
    free(w);
}

static void add_number(struct buf *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        buf_char(out, (char)(value | 0x80));
    buf_char(out, (char)value);
}

/* Turns what is pending into a record. */
static int flush(struct recipe_writer *w, struct error *err)
{
    if (w->pending.len == 0)
        return 0;
    autobuf head = {0};
    buf_char(&head, RECIPE_BYTES);
    add_number(&head, w->pending.len);
    int rc = compress(w, head.data, head.len, ZSTD_e_continue, err);
    if (rc == 0)
        rc = compress(w, w->pending.data, w->pending.len, ZSTD_e_continue, err);
    buf_clear(&w->pending);
    return rc;
}

int recipe_bytes(struct recipe_writer *w, const void *bytes, size_t length, struct error *err)
{
    const char *at = bytes;
    while (length > 0) {
        size_t room = PENDING_MAX - w->pending.len;
        size_t n = length < room ? length : room;
        buf_add(&w->pending, at, n);
        at += n;
        length -= n;
        int rc = w->pending.len == PENDING_MAX ? flush(w, err) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

int recipe_file(struct recipe_writer *w, const char *path, const struct tar_entry *entry,
                struct error *err)
{
    if (entry->stored == 0)
        return 0;
    int rc = flush(w, err);
    if (rc < 0)
        return rc;
    autobuf record = {0};
    size_t length = strlen(path);
    buf_char(&record, entry->sparse ? RECIPE_SPARSE : RECIPE_FILE);
    add_number(&record, length);
    buf_add(&record, path, length);
    add_number(&record, entry->size);
    if (entry->sparse) {
        uint64_t reached = 0;
        add_number(&record, entry->segment_count);
        for (size_t i = 0; i < entry->segment_count; i++) {
            add_number(&record, entry->segments[i].offset - reached);
            add_number(&record, entry->segments[i].length);
            reached = entry->segments[i].offset + entry->segments[i].length;
        }
    }
    return compress(w, record.data, record.len, ZSTD_e_continue, err);
}

int recipe_finish(struct recipe_writer *w, struct error *err)
{
    char end = RECIPE_END;
    int rc = flush(w, err);
    return rc == 0 ? compress(w, &end, 1, ZSTD_e_end, err) : rc;
}
