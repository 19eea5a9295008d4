/* SPDX-License-Identifier: Apache-2.0 */
/* For programs that only read tars which they (or one of their kind) wrote just now: the same
 * interface without a format. They need none of the libraries, and what they read is never looked
 * at as if it were compressed. */
#include "archive/decode.h"

int decode_recognise(const unsigned char *bytes, size_t length, enum stream_format *format,
                     struct error *err)
{
    (void)bytes;
    (void)length;
    (void)err;
    *format = STREAM_PLAIN;
    return 0;
}

struct decoder *decoder_open(enum stream_format format, struct error *err)
{
    (void)format;
    error_set(err, -EOPNOTSUPP, "this program reads no compressed data");
    return NULL;
}

void decoder_close(struct decoder *decoder)
{
    (void)decoder;
}

int decoder_step(struct decoder *decoder, struct decode_step *step, struct error *err)
{
    (void)decoder;
    (void)step;
    return error_set(err, -EOPNOTSUPP, "this program reads no compressed data");
}
