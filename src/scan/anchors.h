/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where any of many short texts occurs: the filter in front of the rules of leaks.h.
 *
 * Of each text four bytes in a row are looked for, the rarest that it has, in sixteen or thirty-two
 * places at once: the texts are spread over eight buckets, and a byte's two halves each pick, from
 * a table of sixteen, the buckets in whose texts such a half stands there. What is left after four
 * bytes is compared. The processor's vector instructions do it where they are known (SSSE3, AVX2,
 * NEON), and a table of 256 where not.
 */
#ifndef CAISSON_SCAN_ANCHORS_H
#define CAISSON_SCAN_ANCHORS_H

#include <stdbool.h>
#include <stddef.h>

#define ANCHOR_MIN 3  /* bytes of a text */
#define ANCHOR_MAX 48 /* and at most */
/* Bytes behind the end of what is searched that can be read, whatever is in them. */
#define ANCHORS_SLACK 128

struct anchor {
    const char *text;
    bool fold; /* ASCII letters in either case; `text` is in lower case */
    unsigned tag;
};

/* `at` is where the text of the anchor with that tag begins. */
typedef void anchors_hit(void *context, unsigned tag, size_t at);

struct anchors;
/* Copies nothing: the texts stay the caller's. */
struct anchors *anchors_new(const struct anchor *list, size_t count);
/* For tests: as on a processor with vectors of at most that many bits; 0: none. */
void anchors_limit(struct anchors *a, unsigned bits);
void anchors_free(struct anchors *a);
/* Calls for each text that begins in [from, to). What is behind `length` is no part of a text. */
void anchors_find(const struct anchors *a, const unsigned char *text, size_t length, size_t from,
                  size_t to, anchors_hit *hit, void *context);

#endif
