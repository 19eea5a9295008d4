/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/evp.h>

#include "base/hash.h"

/* libcrypto fails here only when it is broken or out of memory; a wrong digest must never leave. */
static void must(int ok)
{
    if (ok != 1)
        abort();
}

void sha256_start(struct sha256 *hash)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    must(context != NULL);
    must(EVP_DigestInit_ex(context, EVP_sha256(), NULL));
    hash->pointer = context;
}

void sha256_add(struct sha256 *hash, const void *bytes, size_t length)
{
    must(EVP_DigestUpdate(hash->pointer, bytes, length));
}

void sha256_end(struct sha256 *hash, unsigned char digest[SHA256_BYTES])
{
    must(EVP_DigestFinal_ex(hash->pointer, digest, NULL));
    EVP_MD_CTX_free(hash->pointer);
    hash->pointer = NULL;
}
