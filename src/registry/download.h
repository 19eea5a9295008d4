/* SPDX-License-Identifier: Apache-2.0 */
/* The layers of a pull, each a source of bytes that a thread of its own reads. For src/registry
 * only. */
#ifndef CAISSON_REGISTRY_DOWNLOAD_H
#define CAISSON_REGISTRY_DOWNLOAD_H

#include "registry/pull.h"

/* Makes every layer of the plan one that is downloaded. */
void downloads_prepare(struct pull *pull, const struct manifest *manifest);

#endif
