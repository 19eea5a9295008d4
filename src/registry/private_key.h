/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private keys: cosign's file (PEM around JSON: scrypt, then NaCl's secretbox around PKCS #8) and
 * plain PKCS #8. Only for a process that does nothing else (cmd/signer.h). Whatever held a secret
 * is overwritten before it is given back.
 */
#ifndef CAISSON_REGISTRY_PRIVATE_KEY_H
#define CAISSON_REGISTRY_PRIVATE_KEY_H

#include "base/secret.h"
#include "registry/keys.h"

#define SIGNATURE_MAX 128

struct private_key; /* libcrypto's */
enum key_type { KEY_ECDSA, KEY_ED25519 };

/* Whether a passphrase is wanted. */
bool private_key_is_locked(const char *text, size_t length);
/* `passphrase` is not looked at for a key that is not locked. -EKEYREJECTED: it is wrong. */
int private_key_open(const char *text, size_t length, const char *passphrase,
                     struct private_key **out, struct error *err);
int private_key_make(enum key_type type, struct private_key **out, struct error *err);
void private_key_free(struct private_key *key);
static inline void cleanup_private_key(struct private_key **key)
{
    private_key_free(*key);
}
#define autoprivate __attribute__((cleanup(cleanup_private_key))) struct private_key *

int private_key_sign(const struct private_key *key, const void *message, size_t length,
                     unsigned char out[SIGNATURE_MAX], size_t *out_length, struct error *err);
int private_key_public(const struct private_key *key, struct public_key *out, struct error *err);
/* As cosign writes it. */
int private_key_lock(const struct private_key *key, const char *passphrase, struct buf *out,
                     struct error *err);

#endif
