/* SPDX-License-Identifier: Apache-2.0 */
/* What is accepted as a configuration is written as one that reads the same. */
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "oci/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autoconfig config = {0}, again = {0};
    autobuf first = {0}, second = {0};
    struct error err = {0};
    if (image_config_parse((const char *)data, size, &config, &err) < 0)
        return 0;
    image_config_write(&config, &first);
    if (image_config_parse(first.data, first.len, &again, &err) < 0)
        abort();
    image_config_write(&again, &second);
    if (!streq(first.data, second.data))
        abort();
    return 0;
}
