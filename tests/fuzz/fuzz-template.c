/* SPDX-License-Identifier: Apache-2.0 */
/* --format: the input up to its first NUL is the template. */
#include <stdint.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "cmd/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char document[] =
        "{\"A\":{\"B\":[1,2,{\"C\":\"x\"}],\"d\":null},\"E\":\"text\",\"F\":true,\"G\":1.5}";
    struct error err = {0};
    autobuf out = {0};
    autojson json = json_parse(document, sizeof document - 1, "the document", &err);
    autofree char *text = xmalloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    (void)template_render(text, json, &out, &err);
    return 0;
}
