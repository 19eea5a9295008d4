/* SPDX-License-Identifier: Apache-2.0 */
/* Names of containers: which are good, and friendly ones for those who did not give any. */
#ifndef CAISSON_CONTAINER_NAMES_H
#define CAISSON_CONTAINER_NAMES_H

#include "base/error.h"

#define CONTAINER_NAME_MAX 128 /* bytes, without the NUL */

/* Docker's rule, [a-zA-Z0-9][a-zA-Z0-9_.-]+: nothing that a path, a shell or a file of hosts could
 * take for something else. 0 or -EINVAL with a sentence. */
int container_check_name(const char *name, struct error *err);
/* "quiet_heron": chosen by chance, so it may be taken. */
void container_random_name(char out[64]);

#endif
