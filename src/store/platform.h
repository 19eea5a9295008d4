/* SPDX-License-Identifier: Apache-2.0 */
/* Which machine an image is for. */
#ifndef CAISSON_STORE_PLATFORM_H
#define CAISSON_STORE_PLATFORM_H

#include <stdbool.h>

#include "base/error.h"

/* os/architecture[/variant] */
struct platform {
    char *os, *architecture, *variant; /* variant NULL: any */
    bool chosen;                       /* the user named it: nothing else will do */
};
/* "linux/amd64", "arm64", "linux/arm/v7"; NULL: this machine's. */
int platform_parse(const char *text, struct platform *out, struct error *err);
void platform_free(struct platform *platform);
#define autoplatform __attribute__((cleanup(platform_free))) struct platform
bool platform_matches(const struct platform *wanted, const char *os, const char *architecture,
                      const char *variant);

#endif
