/* SPDX-License-Identifier: Apache-2.0 */
/* PEM files: what is accepted as a public key is remembered as one that is the same. A private one
 * is opened with a passphrase that is no file's. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "registry/private_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autofree char *text = xstrndup((const char *)data, size);
    char remembered[KEY_TEXT_MAX];
    struct public_key key, again;
    if (strlen(text) != size)
        return 0;
    if (public_key_parse(text, size, "here", &key, NULL) == 0) {
        public_key_remember(&key, remembered);
        if (public_key_recall(remembered, &again) < 0 || again.length != key.length ||
            memcmp(again.der, key.der, key.length) != 0)
            abort();
        (void)public_key_verifies(&key, "x", 1, text, size);
    }
    /* Not one that takes its time to open. */
    if (!private_key_is_locked(text, size)) {
        autoprivate opened = NULL;
        (void)private_key_open(text, size, "", &opened, NULL);
    }
    return 0;
}
