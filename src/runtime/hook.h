/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks of a bundle: programs of whoever wrote the configuration, run at moments of a container's
 * life with its state on standard input.
 *
 * They get the environment that the configuration gives them and no other: what an image sets for
 * the container (LD_PRELOAD, say) must never reach a program that runs as the host's root.
 */
#ifndef CAISSON_RUNTIME_HOOK_H
#define CAISSON_RUNTIME_HOOK_H

#include "base/error.h"
#include "runtime/bundle.h"

/* Runs all of a stage in order until one fails, with the bundle's directory as the working one
 * (NULL: "/"). The sentence names the hook and ends with what it said on standard error. */
int hooks_run(const struct bundle *bundle, enum bundle_stage stage, const char *state,
              const char *directory, struct error *err);
/* The same for those whose failure changes nothing: each goes into `warnings`. */
void hooks_try(const struct bundle *bundle, enum bundle_stage stage, const char *state,
               struct strv *warnings);

#endif
