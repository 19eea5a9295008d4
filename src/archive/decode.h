/* SPDX-License-Identifier: Apache-2.0 */
/* Decompression one step at a time, the same for every format. Internal to the module. */
#ifndef CAISSON_ARCHIVE_DECODE_H
#define CAISSON_ARCHIVE_DECODE_H

#include <stdbool.h>
#include <stddef.h>

#include "archive/stream.h"
#include "base/error.h"

#define DECODE_MAGIC 6 /* bytes that tell the format */

/* By the first bytes of the data. A format that is known and not supported is an error. */
int decode_recognise(const unsigned char *bytes, size_t length, enum stream_format *format,
                     struct error *err);

struct decoder;

struct decode_step {
    const unsigned char *in;
    size_t in_left;
    unsigned char *out;
    size_t out_left;
    bool last; /* nothing comes after `in` */
};

/* For every format but STREAM_PLAIN. */
struct decoder *decoder_open(enum stream_format format, struct error *err);
void decoder_close(struct decoder *decoder);
/* Decodes until `in` is used up or `out` is full. 1: the data has ended where it may (with `last`);
 * 0: more to do; or -errno, -EBADMSG for damage. */
int decoder_step(struct decoder *decoder, struct decode_step *step, struct error *err);

#endif
