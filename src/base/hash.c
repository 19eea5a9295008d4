/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include "base/text.h"

void sha256_hex(const void *bytes, size_t length, char hex[SHA256_HEX])
{
    struct sha256 hash;
    unsigned char digest[SHA256_BYTES];
    sha256_start(&hash);
    sha256_add(&hash, bytes, length);
    sha256_end(&hash, digest);
    hex_encode(digest, sizeof digest, hex);
}
