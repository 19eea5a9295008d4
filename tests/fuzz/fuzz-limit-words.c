/* SPDX-License-Identifier: Apache-2.0 */
/* The words of --ulimit, --device, --device-cgroup-rule and --cgroup-parent, and the record of a
 * control group: the first byte says which. Refused with a sentence, or a value in range. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "runtime/cgroup_internal.h"
#include "runtime/devices.h"
#include "runtime/rlimit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_words(uint8_t which, const char *text, struct error *err)
{
    struct rlimit_spec limit;
    struct device_spec device;
    struct device_rule rule;
    autocgroup group = CGROUP_EMPTY;
    int rc;

    switch (which % 5) {
    case 0:
        rc = rlimit_parse(text, &limit, err);
        if (rc == 0 && (limit.soft > limit.hard || !rlimit_name(limit.resource)))
            abort();
        return rc;
    case 1:
        rc = device_parse(text, &device, err);
        if (rc == 0)
            device_spec_free(&device);
        return rc;
    case 2:
        rc = device_rule_parse(text, &rule, err);
        if (rc == 0 && cgroup_check_devices(&rule, 1, NULL) < 0)
            abort();
        return rc;
    case 3:
        return cgroup_check_parent(text, err);
    default:
        return cgroup_open(text, &group, err);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};

    if (size == 0)
        return 0;
    autofree char *text = xstrndup((const char *)data + 1, size - 1);
    int rc = read_words(data[0], text, &err);
    if (rc < 0 && (err.text[0] == '\0' || err.code != rc))
        abort();
    return 0;
}
