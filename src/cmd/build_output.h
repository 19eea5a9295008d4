/* SPDX-License-Identifier: Apache-2.0 */
/* --output of build: where the result goes. */
#ifndef CAISSON_CMD_BUILD_OUTPUT_H
#define CAISSON_CMD_BUILD_OUTPUT_H

#include "build/build.h"

enum output_type { OUTPUT_IMAGE, OUTPUT_OCI, OUTPUT_DOCKER, OUTPUT_TAR, OUTPUT_LOCAL, OUTPUT_NONE };

struct build_output {
    enum output_type type;
    char *path; /* NULL: standard output (a tar, an archive) */
    struct strv names;
};
struct build_outputs {
    struct build_output *items;
    size_t count;
};

/* All that can be wrong with the words is said here, before the build. */
int build_outputs_parse(const struct build_options *options, struct build_outputs *out,
                        struct error *err);
void build_outputs_free(struct build_outputs *outputs);
/* Whether the store is to have the image, and whether with its names. */
bool build_outputs_need_image(const struct build_outputs *outputs);
/* Names of the image: --tag, and name= of outputs. */
void build_outputs_names(const struct build_options *options, const struct build_outputs *outputs,
                         struct strv *out);
/* Writes those that are not the store's image. `names`: of the image there, first its id.
 * `provenance`: goes into OCI archives; NULL. */
int build_outputs_write(const struct build_outputs *outputs, const struct build_place *place,
                        const struct build_result *result, const struct strv *names,
                        const struct buf *provenance, struct error *err);

#endif
