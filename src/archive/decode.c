/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/decode.h"

#include <bzlib.h>
#include <lzma.h>
#include <string.h>
#include <zstd.h>

/* Intel's ISA-L inflates two to three times as fast as zlib, on ARM too; zlib serves where the
 * distribution has no ISA-L. Both are driven by the same code below. */
#if HAVE_ISAL
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif

#include "base/memory.h"

/* What a decoder may take for its window and tables. xz -9 needs 65 MiB, zstd --ultra -22 with its
 * default window 128 MiB; more is only asked for by hand, or by an attacker. */
#define XZ_MEMORY (UINT64_C(256) << 20)
#define ZSTD_WINDOW_LOG 27

struct decoder {
    enum stream_format format;
    bool between; /* at a boundary of members or frames: the data may end here */
    bool padding; /* zeros after the last member were seen: only zeros may follow */
    union {
#if HAVE_ISAL
        struct inflate_state *isal;
#else
        z_stream zlib;
#endif
        bz_stream bzip2;
        lzma_stream xz;
        ZSTD_DCtx *zstd;
    };
};

const char *stream_format_name(enum stream_format format)
{
    static const char *const names[] = {"plain", "gzip", "xz", "zstd", "bzip2"};
    return names[format];
}

/* "BZh", the size of blocks, and the first bytes of pi (a block) or of its root (there is none). */
static bool is_bzip2(const unsigned char *bytes, size_t length)
{
    return length >= DECODE_MAGIC && memcmp(bytes, "BZh", 3) == 0 && bytes[3] >= '1' &&
           bytes[3] <= '9' &&
           (memcmp(bytes + 4, "1A", 2) == 0 || memcmp(bytes + 4, "\x17\x72", 2) == 0);
}

int decode_recognise(const unsigned char *bytes, size_t length, enum stream_format *format,
                     struct error *err)
{
    static const struct {
        const char *magic;
        size_t length;
        int format; /* -1: known, not supported */
        const char *name;
    } known[] = {
        {"\x1f\x8b\x08", 3, STREAM_GZIP, "gzip"},
        {"\xfd"
         "7zXZ\0",
         6, STREAM_XZ, "xz"},
        {"\x28\xb5\x2f\xfd", 4, STREAM_ZSTD, "zstd"},
        {"PK\x03\x04", 4, -1, "zip"},
        {"\x04\x22\x4d\x18", 4, -1, "lz4"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (length < known[i].length || memcmp(bytes, known[i].magic, known[i].length) != 0)
            continue;
        if (known[i].format < 0)
            return error_set(
                err, -EOPNOTSUPP,
                "compressed with %s, which is not supported: use gzip, bzip2, xz or zstd",
                known[i].name);
        *format = (enum stream_format)known[i].format;
        return 0;
    }
    /* zstd may begin with a skippable frame: 0x184D2A50 to 5F, little-endian. */
    if (length >= 4 && (bytes[0] & 0xf0) == 0x50 && memcmp(bytes + 1, "\x2a\x4d\x18", 3) == 0)
        *format = STREAM_ZSTD;
    else if (is_bzip2(bytes, length))
        *format = STREAM_BZIP2;
    else
        *format = STREAM_PLAIN;
    return 0;
}

#if HAVE_ISAL
static void gzip_restart(struct decoder *d)
{
    isal_inflate_init(d->isal);
    d->isal->crc_flag = ISAL_GZIP;
}

static bool gzip_open(struct decoder *d)
{
    d->isal = xcalloc(1, sizeof *d->isal);
    gzip_restart(d);
    return true;
}

static void gzip_close(struct decoder *d)
{
    free(d->isal);
}

/* Inflates what it can; NULL, or what is wrong. */
static const char *gzip_inflate(struct decoder *d, struct decode_step *s, bool *ended)
{
    /* Both lengths are at most one of our buffers, far below 4 GiB. */
    d->isal->next_in = (unsigned char *)s->in;
    d->isal->avail_in = (uint32_t)s->in_left;
    d->isal->next_out = s->out;
    d->isal->avail_out = (uint32_t)s->out_left;
    int z = isal_inflate(d->isal);
    s->in = d->isal->next_in;
    s->in_left = d->isal->avail_in;
    s->out = d->isal->next_out;
    s->out_left = d->isal->avail_out;
    *ended = d->isal->block_state == ISAL_BLOCK_FINISH;
    if (z >= ISAL_DECOMP_OK)
        return NULL;
    return z == ISAL_INCORRECT_CHECKSUM ? "wrong checksum" : "not understood";
}
#else
static bool gzip_open(struct decoder *d)
{
    return inflateInit2(&d->zlib, 15 + 16) == Z_OK;
}

static void gzip_close(struct decoder *d)
{
    inflateEnd(&d->zlib);
}

static void gzip_restart(struct decoder *d)
{
    inflateReset(&d->zlib);
}

/* Inflates what it can; NULL, or what is wrong. */
static const char *gzip_inflate(struct decoder *d, struct decode_step *s, bool *ended)
{
    /* Both lengths are at most one of our buffers, far below UINT_MAX. */
    d->zlib.next_in = (unsigned char *)s->in;
    d->zlib.avail_in = (unsigned)s->in_left;
    d->zlib.next_out = s->out;
    d->zlib.avail_out = (unsigned)s->out_left;
    int z = inflate(&d->zlib, Z_NO_FLUSH);
    s->in = d->zlib.next_in;
    s->in_left = d->zlib.avail_in;
    s->out = d->zlib.next_out;
    s->out_left = d->zlib.avail_out;
    *ended = z == Z_STREAM_END;
    if (*ended || z == Z_OK || z == Z_BUF_ERROR)
        return NULL;
    return d->zlib.msg ? d->zlib.msg : "not understood";
}
#endif

/* --- bzip2: a decoder takes at most 4 MiB ---------------------------------------------------- */

static bool bzip2_open(struct decoder *d)
{
    d->bzip2 = (bz_stream){0};
    return BZ2_bzDecompressInit(&d->bzip2, 0, 0) == BZ_OK;
}

static void bzip2_restart(struct decoder *d)
{
    BZ2_bzDecompressEnd(&d->bzip2);
    if (!bzip2_open(d))
        abort(); /* out of memory, as in xmalloc() */
}

static const char *bzip2_inflate(struct decoder *d, struct decode_step *s, bool *ended)
{
    /* Both lengths are at most one of our buffers, far below UINT_MAX. */
    d->bzip2.next_in = (char *)(uintptr_t)s->in;
    d->bzip2.avail_in = (unsigned)s->in_left;
    d->bzip2.next_out = (char *)s->out;
    d->bzip2.avail_out = (unsigned)s->out_left;
    int z = BZ2_bzDecompress(&d->bzip2);
    s->in = (const unsigned char *)d->bzip2.next_in;
    s->in_left = d->bzip2.avail_in;
    s->out = (unsigned char *)d->bzip2.next_out;
    s->out_left = d->bzip2.avail_out;
    *ended = z == BZ_STREAM_END;
    return *ended || z == BZ_OK ? NULL : "not understood or wrong checksum";
}

/* --- all of them ------------------------------------------------------------------------------ */

/* Formats whose files are members in a row, each with an end of its own. */
struct members {
    const char *(*inflate)(struct decoder *d, struct decode_step *s, bool *ended);
    void (*restart)(struct decoder *d);
};
static const struct members gzip_members = {gzip_inflate, gzip_restart},
                            bzip2_members = {bzip2_inflate, bzip2_restart};

struct decoder *decoder_open(enum stream_format format, struct error *err)
{
    struct decoder *d = xcalloc(1, sizeof *d);
    bool good = false;
    d->format = format;
    switch (format) {
    case STREAM_GZIP:
        good = gzip_open(d);
        break;
    case STREAM_BZIP2:
        good = bzip2_open(d);
        break;
    case STREAM_XZ:
        d->xz = (lzma_stream)LZMA_STREAM_INIT;
        good = lzma_stream_decoder(&d->xz, XZ_MEMORY, LZMA_CONCATENATED) == LZMA_OK;
        break;
    case STREAM_ZSTD:
        d->zstd = ZSTD_createDCtx();
        good = d->zstd &&
               !ZSTD_isError(ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG));
        break;
    case STREAM_PLAIN:
        break;
    }
    if (good)
        return d;
    error_set(err, -ENOMEM, "cannot start to decompress %s", stream_format_name(format));
    decoder_close(d);
    return NULL;
}

void decoder_close(struct decoder *d)
{
    if (!d)
        return;
    switch (d->format) {
    case STREAM_GZIP:
        gzip_close(d);
        break;
    case STREAM_BZIP2:
        BZ2_bzDecompressEnd(&d->bzip2);
        break;
    case STREAM_XZ:
        lzma_end(&d->xz);
        break;
    case STREAM_ZSTD:
        ZSTD_freeDCtx(d->zstd);
        break;
    case STREAM_PLAIN:
        break;
    }
    free(d);
}

static int damaged(const struct decoder *d, const char *why, struct error *err)
{
    return error_set(err, -EBADMSG, "damaged %s data: %s", stream_format_name(d->format), why);
}

/* Between two members: another one begins, or zeros pad to the end (as on tapes). */
static int between_members(const struct members *m, struct decoder *d, struct decode_step *s,
                           struct error *err)
{
    if (!d->padding && *s->in != 0) {
        m->restart(d);
        d->between = false;
        return 0;
    }
    d->padding = true;
    for (; s->in_left > 0; s->in++, s->in_left--) {
        if (*s->in != 0)
            return damaged(d, "other bytes follow its end", err);
    }
    return 0;
}

static int members_step(const struct members *m, struct decoder *d, struct decode_step *s,
                        struct error *err)
{
    /* Also without input: what the decoder still holds has to come out. */
    for (bool progress = true; progress && s->out_left > 0;) {
        if (d->between) {
            int rc = s->in_left > 0 ? between_members(m, d, s, err) : 0;
            if (rc < 0 || d->between)
                return rc;
        }
        size_t in = s->in_left, out = s->out_left;
        const char *wrong = m->inflate(d, s, &d->between);
        if (wrong)
            return damaged(d, wrong, err);
        progress = s->in_left < in || s->out_left < out;
    }
    return 0;
}

static int xz_step(struct decoder *d, struct decode_step *s, struct error *err)
{
    d->xz.next_in = s->in;
    d->xz.avail_in = s->in_left;
    d->xz.next_out = s->out;
    d->xz.avail_out = s->out_left;
    lzma_ret z = lzma_code(&d->xz, s->last ? LZMA_FINISH : LZMA_RUN);
    s->in = d->xz.next_in;
    s->in_left = d->xz.avail_in;
    s->out = d->xz.next_out;
    s->out_left = d->xz.avail_out;
    switch (z) {
    case LZMA_OK:
        return 0;
    case LZMA_STREAM_END:
        d->between = true;
        return 0;
    case LZMA_BUF_ERROR:
        return s->last && s->out_left > 0 ? damaged(d, "it ends too early", err) : 0;
    case LZMA_MEMLIMIT_ERROR:
        return error_set(err, -EFBIG, "xz data that needs more than %llu MiB to decompress",
                         (unsigned long long)(XZ_MEMORY >> 20));
    default:
        return damaged(d, "not understood or wrong checksum", err);
    }
}

static int zstd_step(struct decoder *d, struct decode_step *s, struct error *err)
{
    /* Also without input: what the decoder still holds has to come out. */
    do {
        ZSTD_inBuffer in = {.src = s->in, .size = s->in_left};
        ZSTD_outBuffer out = {.dst = s->out, .size = s->out_left};
        size_t z = ZSTD_decompressStream(d->zstd, &out, &in);
        if (ZSTD_isError(z))
            return damaged(d, ZSTD_getErrorName(z), err);
        bool progress = in.pos > 0 || out.pos > 0;
        s->in += in.pos;
        s->in_left -= in.pos;
        s->out += out.pos;
        s->out_left -= out.pos;
        if (!progress)
            break;
        d->between = z == 0;
    } while (s->out_left > 0);
    return 0;
}

int decoder_step(struct decoder *d, struct decode_step *s, struct error *err)
{
    int rc = 0;
    switch (d->format) {
    case STREAM_GZIP:
        rc = members_step(&gzip_members, d, s, err);
        break;
    case STREAM_BZIP2:
        rc = members_step(&bzip2_members, d, s, err);
        break;
    case STREAM_XZ:
        rc = xz_step(d, s, err);
        break;
    case STREAM_ZSTD:
        rc = zstd_step(d, s, err);
        break;
    case STREAM_PLAIN:
        rc = -EINVAL;
        break;
    }
    if (rc < 0)
        return rc;
    if (!s->last || s->in_left > 0 || s->out_left == 0)
        return 0;
    if (!d->between)
        return damaged(d, "it ends too early", err);
    return 1;
}
