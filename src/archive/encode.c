/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/encode.h"

#include <string.h>
#include <zstd.h>

#if HAVE_ISAL
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif

#include "base/memory.h"

#define OUT_SIZE ((size_t)256 << 10)
#define ZSTD_LEVEL 3

struct encoder {
    enum stream_format format;
    encoder_sink *sink;
    void *closure;
    unsigned char *out;
    ZSTD_CCtx *zstd;
#if HAVE_ISAL
    struct isal_zstream *isal;
    unsigned char *tables;
#else
    z_stream zlib;
    bool zlib_open;
#endif
};

/* --- gzip --- */

#if HAVE_ISAL

/* Its levels are 0 to 3; 3 packs as well as zlib's 3, in a quarter of the time. */
static int gzip_open(struct encoder *e, int level)
{
    static const uint32_t sizes[] = {ISAL_DEF_LVL0_DEFAULT, ISAL_DEF_LVL1_DEFAULT,
                                     ISAL_DEF_LVL2_DEFAULT, ISAL_DEF_LVL3_DEFAULT};
    uint32_t own = level == 0 || level > 3 ? 3 : (uint32_t)level;
    e->isal = xcalloc(1, sizeof *e->isal);
    e->tables = xmalloc(sizes[own] ? sizes[own] : 1);
    isal_deflate_init(e->isal);
    e->isal->level = own;
    e->isal->level_buf = e->tables;
    e->isal->level_buf_size = sizes[own];
    e->isal->gzip_flag = IGZIP_GZIP;
    e->isal->flush = NO_FLUSH;
    return 0;
}

static int gzip_run(struct encoder *e, const void *bytes, size_t length, bool last)
{
    e->isal->next_in = (unsigned char *)(uintptr_t)bytes;
    e->isal->avail_in = (uint32_t)length;
    e->isal->end_of_stream = last;
    do {
        e->isal->next_out = e->out;
        e->isal->avail_out = (uint32_t)OUT_SIZE;
        if (isal_deflate(e->isal) != COMP_OK)
            return -EIO;
        size_t made = OUT_SIZE - e->isal->avail_out;
        int rc = made > 0 ? e->sink(e->closure, e->out, made) : 0;
        if (rc < 0)
            return rc;
    } while (e->isal->avail_out == 0 || (last && e->isal->internal_state.state != ZSTATE_END));
    return 0;
}

static void gzip_close(struct encoder *e)
{
    free(e->isal);
    free(e->tables);
}

#else

static int gzip_open(struct encoder *e, int level)
{
    int rc = deflateInit2(&e->zlib,
                          level == 0 ? 6
                          : level > 9 ? 9
                                      : level,
                          Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    e->zlib_open = rc == Z_OK;
    return rc == Z_OK ? 0 : -ENOMEM;
}

static int gzip_run(struct encoder *e, const void *bytes, size_t length, bool last)
{
    int z;
    e->zlib.next_in = (unsigned char *)(uintptr_t)bytes;
    e->zlib.avail_in = (unsigned)length;
    do {
        e->zlib.next_out = e->out;
        e->zlib.avail_out = (unsigned)OUT_SIZE;
        z = deflate(&e->zlib, last ? Z_FINISH : Z_NO_FLUSH);
        if (z == Z_STREAM_ERROR)
            return -EIO;
        size_t made = OUT_SIZE - e->zlib.avail_out;
        int rc = made > 0 ? e->sink(e->closure, e->out, made) : 0;
        if (rc < 0)
            return rc;
    } while (e->zlib.avail_out == 0 || (last && z != Z_STREAM_END));
    return 0;
}

static void gzip_close(struct encoder *e)
{
    if (e->zlib_open)
        deflateEnd(&e->zlib);
}

#endif

/* --- zstd --- */

static int zstd_open(struct encoder *e, int level)
{
    e->zstd = ZSTD_createCCtx();
    if (!e->zstd)
        return -ENOMEM;
    ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_compressionLevel, level == 0 ? ZSTD_LEVEL : level);
    ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_checksumFlag, 1);
    return 0;
}

static int zstd_run(struct encoder *e, const void *bytes, size_t length, bool last)
{
    ZSTD_inBuffer in = {.src = bytes, .size = length};
    size_t left;
    do {
        ZSTD_outBuffer out = {.dst = e->out, .size = OUT_SIZE};
        left = ZSTD_compressStream2(e->zstd, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            return -EIO;
        int rc = out.pos > 0 ? e->sink(e->closure, out.dst, out.pos) : 0;
        if (rc < 0)
            return rc;
    } while (last ? left > 0 : in.pos < in.size);
    return 0;
}

/* --- both --- */

struct encoder *encoder_open(enum stream_format format, int level, encoder_sink *sink,
                             void *closure, struct error *err)
{
    struct encoder *e = xcalloc(1, sizeof *e);
    *e = (struct encoder){
        .format = format, .sink = sink, .closure = closure, .out = xmalloc(OUT_SIZE)};
    int rc = format == STREAM_GZIP   ? gzip_open(e, level)
             : format == STREAM_ZSTD ? zstd_open(e, level)
                                     : 0;
    if (rc == 0)
        return e;
    encoder_close(e);
    error_set(err, rc, "cannot compress with %s", stream_format_name(format));
    return NULL;
}

static int run(struct encoder *e, const void *bytes, size_t length, bool last)
{
    if (e->format == STREAM_GZIP)
        return gzip_run(e, bytes, length, last);
    if (e->format == STREAM_ZSTD)
        return zstd_run(e, bytes, length, last);
    return length > 0 ? e->sink(e->closure, bytes, length) : 0;
}

int encoder_write(struct encoder *e, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length > 0) {
        size_t piece = length < OUT_SIZE ? length : OUT_SIZE;
        int rc = run(e, at, piece, false);
        if (rc < 0)
            return rc;
        at += piece;
        length -= piece;
    }
    return 0;
}

int encoder_finish(struct encoder *e)
{
    return run(e, NULL, 0, true);
}

void encoder_close(struct encoder *e)
{
    if (!e)
        return;
    gzip_close(e);
    ZSTD_freeCCtx(e->zstd);
    free(e->out);
    free(e);
}
