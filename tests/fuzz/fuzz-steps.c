/* SPDX-License-Identifier: Apache-2.0 */
/* Records of steps, which another machine's cache may hold: what is accepted names nothing but
 * digests, and is the same when it is written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "oci/image.h"
#include "store/steps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autobuf text = {0}, written = {0};
    struct step_record record, again;
    buf_add(&text, data, size);
    if (!steps_read(buf_text(&text), &record))
        return 0;
    if (record.layer[0] && !digest_valid(record.layer))
        abort();
    steps_write(&record, &written);
    if (!steps_read(buf_text(&written), &again) || memcmp(&record, &again, sizeof record) != 0)
        abort();
    return 0;
}
