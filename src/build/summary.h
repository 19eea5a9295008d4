/* SPDX-License-Identifier: Apache-2.0 */
/* What became of a build, in numbers: for the lines at its end. */
#ifndef CAISSON_BUILD_SUMMARY_H
#define CAISSON_BUILD_SUMMARY_H

#include "build/build.h"

struct build_summary {
    uint64_t size, base_size; /* bytes of the layers' files */
    size_t layers;            /* on top of the base's */
    int64_t packages;         /* that the base does not have; -1: not looked for */
    char *smaller;            /* an image of the store that is as the base, and smaller; NULL */
    uint64_t saves;           /* bytes */
};

/* `look`: also into the images' lists of packages (dpkg, apk), in a process that can read nothing
 * else. What cannot be told is left out: a summary fails no build. */
void build_summarize(const struct build_place *place, const struct build_result *result, bool look,
                     struct build_summary *out);
void build_summary_free(struct build_summary *summary);

#endif
