/* SPDX-License-Identifier: Apache-2.0 */
/* A config.json of somebody else's is taken apart or refused with a sentence, and so is the same
 * text as a process and as resources. */
#include <stdint.h>
#include <stdlib.h>

#include "runtime/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_say(int rc, const struct error *err)
{
    if (rc < 0 && !err->text[0])
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct error first = {0}, second = {0}, third = {0};
    autobundle bundle = {0};
    autobundle other;
    bundle_init(&other);
    int rc = bundle_parse(text, size, "/bundle", &bundle, &first);
    must_say(rc, &first);
    if (rc == 0)
        must_say(bundle_read_process(text, size, &bundle, &second), &second);
    must_say(bundle_read_resources(text, size, &other, &third), &third);
    return 0;
}
