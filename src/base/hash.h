/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256. Two providers behind one interface: libsodium for the static programs, which hash
 * little, and libcrypto, which uses the processor's SHA instructions, for the workers that hash
 * layers. */
#ifndef CAISSON_BASE_HASH_H
#define CAISSON_BASE_HASH_H

#include <stddef.h>

#define SHA256_BYTES 32
#define SHA256_HEX 65 /* 64 digits and the final NUL */

struct sha256 {
    union {
        void *pointer;
        unsigned char state[128];
    };
};

void sha256_start(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *bytes, size_t length);
/* Ends the computation and releases what sha256_start() took; call exactly once. */
void sha256_end(struct sha256 *hash, unsigned char digest[SHA256_BYTES]);
/* Whole and in hexadecimal. */
void sha256_hex(const void *bytes, size_t length, char hex[SHA256_HEX]);

#endif
