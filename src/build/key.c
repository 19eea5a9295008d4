/* SPDX-License-Identifier: Apache-2.0 */
#include "build/key.h"

#include <string.h>

#include "base/text.h"

void key_begin(struct key *key, const char *kind)
{
    sha256_start(&key->hash);
    key_text(key, kind);
}

void key_number(struct key *key, int64_t number)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)((uint64_t)number >> (8 * i));
    sha256_add(&key->hash, bytes, sizeof bytes);
}

void key_bytes(struct key *key, const void *bytes, size_t length)
{
    key_number(key, (int64_t)length);
    sha256_add(&key->hash, bytes, length);
}

void key_text(struct key *key, const char *text)
{
    if (text)
        key_bytes(key, text, strlen(text));
    else
        key_number(key, -1);
}

void key_texts(struct key *key, const struct strv *texts)
{
    key_number(key, (int64_t)texts->len);
    for (size_t i = 0; i < texts->len; i++)
        key_text(key, texts->items[i]);
}

void key_end(struct key *key, char out[STEP_KEY_MAX])
{
    unsigned char digest[SHA256_BYTES];
    sha256_end(&key->hash, digest);
    hex_encode(digest, sizeof digest, out);
}
