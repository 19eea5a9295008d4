/* SPDX-License-Identifier: Apache-2.0 */
/* Text that is overwritten before its memory is given back: passwords, tokens, keys. */
#ifndef CAISSON_BASE_SECRET_H
#define CAISSON_BASE_SECRET_H

#include "base/buf.h"

/* Overwrites, frees, and leaves NULL. */
void secret_forget(char **secret);
/* The same of all that a buffer has. What it held while it grew lies elsewhere: buf_room() first,
 * where that matters. */
void secret_free(struct buf *secret);

#define autosecret __attribute__((cleanup(secret_forget))) char *
#define autosecretbuf __attribute__((cleanup(secret_free))) struct buf

#endif
