/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/stream.h"

#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants the headers above */
#include <bzlib.h>
#include <cmocka.h>
#include <fcntl.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "archive-kit.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/memory.h"

/* Half noise, half repetition: neither all literal nor all matches. */
static unsigned char *sample(size_t length)
{
    unsigned char *bytes = xmalloc(length);
    uint64_t x = 88172645463325252u;
    for (size_t i = 0; i < length; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        bytes[i] = (i >> 10) & 1 ? (unsigned char)x : (unsigned char)("caisson"[i % 7]);
    }
    return bytes;
}

static void add_gzip(struct buf *out, const void *bytes, size_t length)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t bound = deflateBound(&z, length) + 64;
    z.next_in = (unsigned char *)bytes;
    z.avail_in = (unsigned)length;
    z.next_out = (unsigned char *)buf_room(out, bound);
    z.avail_out = (unsigned)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out->len += z.total_out;
    deflateEnd(&z);
}

static void add_zstd(struct buf *out, const void *bytes, size_t length)
{
    size_t bound = ZSTD_compressBound(length);
    out->len += ZSTD_compress(buf_room(out, bound), bound, bytes, length, 3);
}

static void add_xz(struct buf *out, const void *bytes, size_t length)
{
    size_t bound = lzma_stream_buffer_bound(length), at = 0;
    assert_int_equal(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, NULL, bytes, length,
                                             (unsigned char *)buf_room(out, bound), &at, bound),
                     LZMA_OK);
    out->len += at;
}

static void add_bzip2(struct buf *out, const void *bytes, size_t length)
{
    unsigned made = (unsigned)(length + length / 100 + 601); /* as its manual says */
    assert_int_equal(BZ2_bzBuffToBuffCompress(buf_room(out, made), &made, (char *)(uintptr_t)bytes,
                                              (unsigned)length, 1, 0, 0),
                     BZ_OK);
    out->len += made;
}

static void digest_of_bytes(const void *bytes, size_t length, char out[DIGEST_MAX])
{
    memcpy(out, "sha256:", 7);
    sha256_hex(bytes, length, out + 7);
}

/* Reads it all, in odd pieces, and compares content, digests and format. */
static void comes_out(const struct buf *packed, enum stream_format format, const void *bytes,
                      size_t length)
{
    struct error err = {0};
    struct stream_result result;
    char digest[DIGEST_MAX];
    autofd fd = -1;
    autostream stream = kit_stream(packed->data, packed->len, false, &fd);
    autofree unsigned char *out = xmalloc(length + 1);
    size_t done = 0;
    assert_int_equal(stream_format(stream), format);
    for (size_t piece = 1; done < length; piece = piece * 3 + 1) {
        size_t want = piece < length - done ? piece : length - done;
        assert_int_equal(stream_read(stream, out + done, want, &err), want);
        done += want;
    }
    assert_int_equal(stream_read(stream, out, 1, &err), 0);
    assert_int_equal(stream_finish(stream, &result, &err), 0);
    digest_of_bytes(packed->data, packed->len, digest);
    assert_string_equal(result.compressed_digest, digest);
    digest_of_bytes(bytes, length, digest);
    assert_string_equal(result.plain_digest, digest);
    assert_int_equal(result.plain_bytes, length);
    assert_int_equal(result.compressed_bytes, packed->len);
    assert_int_equal(stream_position(stream), length);
}

static int read_all(const struct buf *packed, const struct stream_limits *limits, struct error *err)
{
    struct stream_result result;
    autofd fd = kit_file(packed->data, packed->len);
    struct stream_source source = {.fd = fd, .seekable = true, .length = STREAM_TO_END};
    autostream stream = stream_open(&source, limits, err);
    return stream ? stream_finish(stream, &result, err) : err->code;
}

#define LENGTH 3000001u

static void every_format_is_told_by_its_content_and_comes_out_whole(void **state)
{
    autofree unsigned char *bytes = sample(LENGTH);
    autobuf plain = {0}, gzip = {0}, zstd = {0}, xz = {0}, bzip2 = {0};
    (void)state;
    buf_add(&plain, bytes, LENGTH);
    add_gzip(&gzip, bytes, LENGTH);
    add_zstd(&zstd, bytes, LENGTH);
    add_xz(&xz, bytes, LENGTH);
    add_bzip2(&bzip2, bytes, LENGTH);
    comes_out(&plain, STREAM_PLAIN, bytes, LENGTH);
    comes_out(&gzip, STREAM_GZIP, bytes, LENGTH);
    comes_out(&zstd, STREAM_ZSTD, bytes, LENGTH);
    comes_out(&xz, STREAM_XZ, bytes, LENGTH);
    comes_out(&bzip2, STREAM_BZIP2, bytes, LENGTH);
}

static void members_and_frames_follow_one_another(void **state)
{
    autofree unsigned char *bytes = sample(LENGTH);
    autobuf gzip = {0}, zstd = {0}, xz = {0}, bzip2 = {0};
    (void)state;
    /* Odd lengths put the seams on every alignment, and one member is empty. */
    for (size_t at = 0, n = 0; at < LENGTH; at += n) {
        n = at == 0 ? 0 : at + 1;
        n = n < LENGTH - at ? n : LENGTH - at;
        add_gzip(&gzip, bytes + at, n);
        add_zstd(&zstd, bytes + at, n);
        add_xz(&xz, bytes + at, n);
        add_bzip2(&bzip2, bytes + at, n);
        if (at == 0 && n == 0) {
            n = 1;
            add_gzip(&gzip, bytes, 1);
            add_zstd(&zstd, bytes, 1);
            add_xz(&xz, bytes, 1);
            add_bzip2(&bzip2, bytes, 1);
        }
    }
    comes_out(&gzip, STREAM_GZIP, bytes, LENGTH);
    comes_out(&zstd, STREAM_ZSTD, bytes, LENGTH);
    comes_out(&xz, STREAM_XZ, bytes, LENGTH);
    comes_out(&bzip2, STREAM_BZIP2, bytes, LENGTH);
}

static void many_small_gzip_members_come_out_at_any_seam(void **state)
{
    autofree unsigned char *bytes = sample(LENGTH);
    autobuf gzip = {0};
    size_t at = 0;
    (void)state;
    for (size_t n = 0; at + n < 600000; n = (n * 7 + 13) % 1499) {
        add_gzip(&gzip, bytes + at, n);
        at += n;
    }
    comes_out(&gzip, STREAM_GZIP, bytes, at);
}

static void damage_is_an_error_in_every_format(void **state)
{
    autofree unsigned char *bytes = sample(LENGTH);
    (void)state;
    void (*const add[])(struct buf *, const void *, size_t) = {add_gzip, add_zstd, add_xz,
                                                               add_bzip2};
    for (size_t i = 0; i < 4; i++) {
        struct error err = {0};
        autobuf packed = {0};
        add[i](&packed, bytes, LENGTH);
        packed.len -= 3;
        assert_int_equal(read_all(&packed, NULL, &err), -EBADMSG);
        assert_non_null(strstr(err.text, "too early"));
        packed.len += 3;
        packed.data[packed.len / 2] ^= 0x10;
        if (i == 1) /* one-shot zstd frames carry no checksum: damage its header instead */
            packed.data[5] ^= 0xff;
        assert_int_equal(read_all(&packed, NULL, &err), -EBADMSG);
    }
}

static void nothing_hides_behind_the_end_of_gzip(void **state)
{
    struct error err = {0};
    autobuf padded = {0};
    (void)state;
    add_gzip(&padded, "hello", 5);
    buf_add(&padded, "\0\0\0\0", 4);
    comes_out(&padded, STREAM_GZIP, "hello", 5); /* tapes are padded so */
    buf_str(&padded, "x");
    assert_int_equal(read_all(&padded, NULL, &err), -EBADMSG);
}

static void formats_that_are_not_read_are_named(void **state)
{
    struct error err = {0};
    autobuf packed = {0};
    (void)state;
    buf_add(&packed, "\x04\x22\x4d\x18 and more", 13);
    assert_int_equal(read_all(&packed, NULL, &err), -EOPNOTSUPP);
    assert_non_null(strstr(err.text, "lz4"));
}

static void a_bomb_stops_at_the_ratio_and_says_how_to_raise_it(void **state)
{
    size_t length = (size_t)64 << 20;
    struct error err = {0};
    autofree unsigned char *zeros = xcalloc(1, length);
    autobuf gzip = {0};
    (void)state;
    add_gzip(&gzip, zeros, length);
    assert_int_equal(read_all(&gzip, NULL, &err), -EFBIG);
    assert_non_null(strstr(err.text, "--max-ratio"));
    struct stream_limits generous = {.max_ratio = 2000};
    assert_int_equal(read_all(&gzip, &generous, &err), 0);
    autobuf bzip2 = {0};
    add_bzip2(&bzip2, zeros, length);
    assert_int_equal(read_all(&bzip2, NULL, &err), -EFBIG);
    assert_non_null(strstr(err.text, "--max-ratio"));
}

static void small_data_may_compress_as_well_as_it_likes(void **state)
{
    size_t length = (size_t)15 << 20;
    struct error err = {0};
    autofree unsigned char *zeros = xcalloc(1, length);
    autobuf gzip = {0};
    (void)state;
    add_gzip(&gzip, zeros, length);
    assert_int_equal(read_all(&gzip, NULL, &err), 0);
}

static void the_size_limit_stops_plain_data_too(void **state)
{
    struct error err = {0};
    autobuf plain = {0};
    struct stream_limits limits = {.max_bytes = 10};
    (void)state;
    buf_str(&plain, "0123456789");
    assert_int_equal(read_all(&plain, &limits, &err), 0);
    buf_str(&plain, "0");
    assert_int_equal(read_all(&plain, &limits, &err), -EFBIG);
    assert_non_null(strstr(err.text, "--max-size"));
}

static void a_range_of_a_file_is_a_stream_of_its_own(void **state)
{
    struct error err = {0};
    char out[8] = "";
    (void)state;
    autofd fd = kit_file("0123456789", 10);
    struct stream_source source = {.fd = fd, .seekable = true, .offset = 3, .length = 4};
    autostream stream = stream_open(&source, NULL, &err);
    assert_int_equal(stream_read(stream, out, sizeof out, &err), 4);
    assert_memory_equal(out, "3456", 4);
    source.length = 8;
    assert_null(stream_open(&source, NULL, &err));
    assert_int_equal(err.code, -EBADMSG);
}

static void skipping_in_a_plain_file_reads_nothing(void **state)
{
    struct error err = {0};
    char out[4];
    (void)state;
    autofd fd = kit_file("start", 5);
    assert_int_equal(pwrite(fd, "end!", 4, (off_t)1 << 40), 4);
    struct stream_source source = {
        .fd = fd, .seekable = true, .length = STREAM_TO_END, .no_digests = true};
    autostream stream = stream_open(&source, NULL, &err);
    assert_int_equal(stream_read(stream, out, 4, &err), 4);
    assert_int_equal(stream_skip(stream, (UINT64_C(1) << 40) - 4, &err), 0); /* or never ends */
    assert_int_equal(stream_position(stream), UINT64_C(1) << 40);
    assert_int_equal(stream_read(stream, out, 4, &err), 4);
    assert_memory_equal(out, "end!", 4);
    assert_int_equal(stream_skip(stream, 1, &err), -EBADMSG);
}

static void closing_does_not_wait_for_a_silent_pipe(void **state)
{
    struct error err = {0};
    int ends[2];
    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(write(ends[1], "0123456789", 10), 10);
    struct stream_source source = {.fd = ends[0], .length = STREAM_TO_END};
    struct stream *stream = stream_open(&source, NULL, &err);
    assert_non_null(stream);
    stream_close(stream); /* or never ends */
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_is_told_by_its_content_and_comes_out_whole),
        cmocka_unit_test(members_and_frames_follow_one_another),
        cmocka_unit_test(many_small_gzip_members_come_out_at_any_seam),
        cmocka_unit_test(damage_is_an_error_in_every_format),
        cmocka_unit_test(nothing_hides_behind_the_end_of_gzip),
        cmocka_unit_test(formats_that_are_not_read_are_named),
        cmocka_unit_test(a_bomb_stops_at_the_ratio_and_says_how_to_raise_it),
        cmocka_unit_test(small_data_may_compress_as_well_as_it_likes),
        cmocka_unit_test(the_size_limit_stops_plain_data_too),
        cmocka_unit_test(a_range_of_a_file_is_a_stream_of_its_own),
        cmocka_unit_test(skipping_in_a_plain_file_reads_nothing),
        cmocka_unit_test(closing_does_not_wait_for_a_silent_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
