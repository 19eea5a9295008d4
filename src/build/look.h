/* SPDX-License-Identifier: Apache-2.0 */
/* What can be said of a Dockerfile without building it: --check, --call targets, --call outline. */
#ifndef CAISSON_BUILD_LOOK_H
#define CAISSON_BUILD_LOOK_H

#include "build/build.h"
#include "build/checks.h"
#include "build/outline.h"

/* Findings in the order of the file; the file stays with them, for they point into it. */
struct look {
    struct dockerfile file;
    struct findings findings;
    struct targets targets;
    struct outline outline;
};
int look_check(const struct build_options *options, const struct build_input *input,
               struct look *out, struct error *err);
int look_targets(const struct build_input *input, struct look *out, struct error *err);
int look_outline(const struct build_options *options, const struct build_input *input,
                 struct look *out, struct error *err);
/* Names of images that it begins with or takes files from, as written, each once: of all stages, or
 * of those that options->target needs. */
int look_images(const struct build_options *options, const struct build_input *input,
                struct strv *out, struct error *err);
/* The checks alone, for a build. `context` NULL: there is none. */
struct named_context;
int checks_of(const struct build_options *options, const struct dockerfile *file,
              struct named_context *context, struct findings *out, struct error *err);
void look_free(struct look *look);
#define autolook __attribute__((cleanup(look_free))) struct look

#endif
