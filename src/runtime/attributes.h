/* SPDX-License-Identifier: Apache-2.0 */
/* What a foreign configuration sets for a process beside rights: personality, priorities,
 * processors. For the calling thread; 0 or -errno with a sentence that names the member. */
#ifndef CAISSON_RUNTIME_ATTRIBUTES_H
#define CAISSON_RUNTIME_ATTRIBUTES_H

#include "base/error.h"
#include "runtime/bundle.h"

int attributes_apply(const struct bundle_attributes *attributes, struct error *err);
/* "0-3,7"; `what` names the member. */
int attributes_processors(const char *list, const char *what, struct error *err);

#endif
