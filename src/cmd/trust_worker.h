/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers share that have to do with signatures. */
#ifndef CAISSON_CMD_TRUST_WORKER_H
#define CAISSON_CMD_TRUST_WORKER_H

#include "cmd/registry_worker.h"
#include "registry/trust.h"

/* Where there is no policy: says once for each store where one would be. */
void tell_of_policies(const struct store *store, const struct policy *policy);

verb_handler command_image_sign, command_image_verify, command_image_keygen;

#endif
