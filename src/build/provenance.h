/* SPDX-License-Identifier: Apache-2.0 */
/* How an image was built: a predicate of SLSA provenance v1 (https://slsa.dev/spec/v1.0/provenance),
 * of the least that is of use: no build arguments, which may be secrets. */
#ifndef CAISSON_BUILD_PROVENANCE_H
#define CAISSON_BUILD_PROVENANCE_H

#include "build/build.h"

/* Whether --provenance wants one; -EINVAL for words that mean nothing. */
int provenance_wanted(const struct build_options *options, bool *wanted, struct error *err);
void provenance_write(const struct build_options *options, const struct build_input *input,
                      const struct build_result *result, struct buf *out);

#endif
