/* SPDX-License-Identifier: Apache-2.0 */
/* One Dockerfile instruction carried out on an image configuration, as `import --change` takes it:
 * CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, USER, VOLUME, WORKDIR, STOPSIGNAL, HEALTHCHECK, ONBUILD,
 * SHELL. */
#ifndef CAISSON_OCI_CHANGE_H
#define CAISSON_OCI_CHANGE_H

#include "oci/image.h"

int image_config_change(struct image_config *config, const char *instruction, struct error *err);

#endif
