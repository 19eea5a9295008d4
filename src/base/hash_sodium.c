/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium/crypto_hash_sha256.h>

#include "base/hash.h"

_Static_assert(sizeof(crypto_hash_sha256_state) <= sizeof((struct sha256 *)0)->state, "state fits");

static crypto_hash_sha256_state *state_of(struct sha256 *hash)
{
    return (crypto_hash_sha256_state *)(void *)hash->state;
}

void sha256_start(struct sha256 *hash)
{
    crypto_hash_sha256_init(state_of(hash));
}

void sha256_add(struct sha256 *hash, const void *bytes, size_t length)
{
    crypto_hash_sha256_update(state_of(hash), bytes, length);
}

void sha256_end(struct sha256 *hash, unsigned char digest[SHA256_BYTES])
{
    crypto_hash_sha256_final(state_of(hash), digest);
}
