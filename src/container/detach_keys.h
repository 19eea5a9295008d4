/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys that detach from a terminal, as Docker spells them: "ctrl-p,ctrl-q", "ctrl-a,d". What is
 * typed passes through here; the beginning of the sequence is held back until the next key tells
 * what it was.
 */
#ifndef CAISSON_CONTAINER_DETACH_KEYS_H
#define CAISSON_CONTAINER_DETACH_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define DETACH_KEYS_MAX 16
#define DETACH_KEYS_DEFAULT "ctrl-p,ctrl-q"

struct detach_keys {
    unsigned char bytes[DETACH_KEYS_MAX];
    size_t count;   /* 0: nothing detaches */
    size_t matched; /* so many of them were typed last */
};

/* NULL is the default, "" is none. -EINVAL with a sentence that names --detach-keys. */
int detach_keys_parse(const char *text, struct detach_keys *out, struct error *err);

/* Takes `length` bytes of `in` and puts what is to be passed on into `out`, which has room for
 * DETACH_KEYS_MAX more and may begin up to DETACH_KEYS_MAX bytes before `in`. Returns how many; at
 * the sequence it stops and *detach is set: what was typed after it is dropped. */
size_t detach_keys_filter(struct detach_keys *keys, const char *in, size_t length, char *out,
                          bool *detach);

#endif
