/* SPDX-License-Identifier: Apache-2.0 */
/* A lock file that is accepted is the same one after it was written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "oci/lockfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autobuf text = {0}, written = {0};
    autolockfile lock = {0}, again = {0};
    struct error err = {0};
    buf_add(&text, data, size);
    if (lockfile_parse(buf_text(&text), text.len, "caisson.lock", &lock, &err) < 0) {
        if (!err.text[0] || lock.count > 0)
            abort();
        return 0;
    }
    lockfile_write(&lock, &written);
    if (lockfile_parse(buf_text(&written), written.len, "caisson.lock", &again, &err) < 0 ||
        again.count != lock.count)
        abort();
    for (size_t i = 0; i < lock.count; i++) {
        autoreference ref = {0};
        if (reference_parse(lock.items[i].name, &ref, &err) < 0 ||
            lockfile_find(&again, &ref) != again.items[i].digest ||
            strcmp(again.items[i].digest, lock.items[i].digest) != 0)
            abort();
    }
    return 0;
}
