/* SPDX-License-Identifier: Apache-2.0 */
/* What --device and --device-cgroup-rule say: a device of the host that appears in the container,
 * and what the device policy allows. */
#ifndef CAISSON_RUNTIME_DEVICES_H
#define CAISSON_RUNTIME_DEVICES_H

#include "runtime/cgroup.h"

struct device_spec {
    char *host;     /* owned; absolute, links of the host resolved */
    char *path;     /* owned; where it appears, below /dev */
    uint8_t access; /* enum device_access, or-ed */
    char type;      /* 'c' or 'b' */
    int64_t major, minor;
};

/* "/dev/fuse", "/dev/sdb:r", "/dev/ttyUSB0:/dev/modem", "/dev/ttyUSB0:/dev/modem:rw". The host's
 * file has to be a device. */
int device_parse(const char *text, struct device_spec *out, struct error *err);
void device_spec_free(struct device_spec *spec);
/* The rule that lets the container use it. */
struct device_rule device_rule_of(const struct device_spec *spec);
/* "c 10:229 rwm", "b *:* r", "a" (everything), "a *:* rwm": always allows, as Docker's does. */
int device_rule_parse(const char *text, struct device_rule *out, struct error *err);

#endif
