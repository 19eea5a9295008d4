/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an archive, compressed or not: every byte goes to the caller or to `raw`, once. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "archive/tar.h"
#include "base/cleanup.h"
#include "tar-checksums.h"

struct input {
    const uint8_t *data;
    size_t left;
    uint64_t seen; /* what came out of the reader, content or not */
};

static ssize_t pull(void *closure, void *bytes, size_t length, struct error *err)
{
    struct input *in = closure;
    size_t n = in->left < length ? in->left : length;
    (void)err;
    memcpy(bytes, in->data, n);
    in->data += n;
    in->left -= n;
    return (ssize_t)n;
}

static int count_raw(void *closure, const void *bytes, size_t length, struct error *err)
{
    (void)bytes, (void)err;
    ((struct input *)closure)->seen += length;
    return 0;
}

static int read_entry(struct tar_reader *tar, const struct tar_entry *e, struct input *in,
                      struct error *err)
{
    char bytes[100];
    ssize_t n;
    uint64_t content = 0;
    if (strlen(e->path) == 0 || e->mode > 07777 || e->mtime_nsec > 999999999)
        abort();
    if (e->size % 3 == 0)
        return tar_skip(tar, err);
    while ((n = tar_read(tar, bytes, sizeof bytes, err)) > 0)
        content += (uint64_t)n;
    in->seen += content;
    if (n == 0 && content != e->stored)
        abort();
    return (int)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    autofree uint8_t *right = tar_checksums(data, size);
    struct input in = {.data = right, .left = size};
    struct stream_source source = {
        .pull = pull, .closure = &in, .length = STREAM_TO_END, .no_digests = true};
    struct stream_limits limits = {.max_bytes = 8 << 20};
    autostream stream = stream_open(&source, &limits, &err);
    if (!stream)
        return 0;
    autotar tar = tar_open(stream, count_raw, &in);
    const struct tar_entry *e;
    int rc;
    while ((rc = tar_next(tar, &e, &err)) > 0) {
        rc = read_entry(tar, e, &in, &err);
        if (rc < 0)
            return 0;
    }
    if (rc == 0 && in.seen != stream_position(stream))
        abort();
    if (rc < 0 && (err.code >= 0 || !*err.text))
        abort();
    return 0;
}
