/* SPDX-License-Identifier: Apache-2.0 */
/* What plan_read() takes is written as something that it takes again, and that is a fixed point. */
#include <stdint.h>
#include <stdlib.h>

#include "runtime/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    autoplan plan = {0}, again = {0};
    autobuf first = {0}, second = {0};
    if (plan_read((const char *)data, size, &plan, &err) < 0) {
        if (!err.text[0])
            abort();
        return 0;
    }
    plan_write(&plan, 0, &first);
    if (plan_read(first.data, first.len, &again, NULL) < 0)
        abort();
    plan_write(&again, 0, &second);
    if (first.len != second.len || memcmp(first.data, second.data, first.len) != 0)
        abort();
    return 0;
}
