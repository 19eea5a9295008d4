/* SPDX-License-Identifier: Apache-2.0 */
/* What is accepted as an index is written as one that reads the same. */
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "oci/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autoindex index = {0}, again = {0};
    autobuf first = {0}, second = {0};
    struct error err = {0};
    if (index_parse((const char *)data, size, &index, &err) < 0)
        return 0;
    index_write(&index, &first);
    if (index_parse(first.data, first.len, &again, &err) < 0)
        abort();
    index_write(&again, &second);
    if (!streq(first.data, second.data))
        abort();
    return 0;
}
