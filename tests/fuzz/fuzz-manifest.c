/* SPDX-License-Identifier: Apache-2.0 */
/* What is accepted as a manifest is written as one that reads the same. */
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "oci/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    automanifest manifest = {0}, again = {0};
    autobuf first = {0}, second = {0};
    struct error err = {0};
    if (manifest_parse((const char *)data, size, &manifest, &err) < 0)
        return 0;
    manifest_write(&manifest, &first);
    if (manifest_parse(first.data, first.len, &again, &err) < 0)
        abort();
    manifest_write(&again, &second);
    if (!streq(first.data, second.data))
        abort();
    return 0;
}
