/* SPDX-License-Identifier: Apache-2.0 */
/* What is accepted as a name can be written and read again as the same name. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "oci/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autoreference ref = {0}, again = {0};
    autobuf text = {0}, full = {0}, familiar = {0}, second = {0};
    struct error err = {0};
    buf_add(&text, data, size);
    if (reference_parse(buf_text(&text), &ref, &err) < 0)
        return 0;
    reference_full(&ref, &full);
    reference_familiar(&ref, &familiar);
    if (reference_parse(buf_text(&familiar), &again, &err) < 0)
        abort();
    reference_full(&again, &second);
    if (!streq(buf_text(&full), buf_text(&second)))
        abort();
    return 0;
}
