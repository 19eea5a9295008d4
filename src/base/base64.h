/* SPDX-License-Identifier: Apache-2.0 */
/* Base 64 (RFC 4648, section 4), with padding. */
#ifndef CAISSON_BASE_BASE64_H
#define CAISSON_BASE_BASE64_H

#include "base/buf.h"

void base64_encode(const void *bytes, size_t length, struct buf *out);
/* Appends the bytes; -EINVAL (and nothing is appended) for anything but whole, padded base 64. Line
 * breaks are no part of it. */
int base64_decode(const char *text, size_t length, struct buf *out);

#endif
