/* SPDX-License-Identifier: Apache-2.0 */
/* Compression of what leaves the machine. The same bytes with the same library give the same bytes.
 */
#ifndef CAISSON_ARCHIVE_ENCODE_H
#define CAISSON_ARCHIVE_ENCODE_H

#include "archive/stream.h"

struct encoder;

/* Gets compressed bytes: 0 or -errno, which ends it. */
typedef int encoder_sink(void *closure, const void *bytes, size_t length);

/* STREAM_GZIP or STREAM_ZSTD (or STREAM_PLAIN, which passes everything on). level 0: the default.
 * zstd's levels are 1 to 22; gzip's 1 to 9. */
struct encoder *encoder_open(enum stream_format format, int level, encoder_sink *sink,
                             void *closure, struct error *err);
int encoder_write(struct encoder *encoder, const void *bytes, size_t length);
/* What is left, and the end of the data. */
int encoder_finish(struct encoder *encoder);
void encoder_close(struct encoder *encoder); /* NULL is fine */
static inline void cleanup_encoder(struct encoder **encoder)
{
    encoder_close(*encoder);
}
#define autoencoder __attribute__((cleanup(cleanup_encoder))) struct encoder *

#endif
