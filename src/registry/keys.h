/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Public keys by which signatures are verified: ECDSA on P-256 with SHA-256, and Ed25519; nothing
 * else. A key is a plain value, so that it can be remembered (registry/pulled.h).
 */
#ifndef CAISSON_REGISTRY_KEYS_H
#define CAISSON_REGISTRY_KEYS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

#define KEY_FILE_MAX (64u << 10)
#define KEY_FROM_MAX 256
#define KEY_TEXT_MAX 512 /* remembered: base 64 of it, and where it is from */
#define PEM_LABEL_MAX 64

struct public_key {
    unsigned char der[128]; /* SubjectPublicKeyInfo */
    size_t length;
    char from[KEY_FROM_MAX]; /* "/etc/keys/team.pub", for messages */
};

/* The one block of a PEM file: its label and its bytes. What stands beside it is refused. */
int pem_read(const char *text, size_t length, char label[PEM_LABEL_MAX], struct buf *out,
             struct error *err);
void pem_write(const char *label, const void *bytes, size_t length, struct buf *out);

/* A PEM file's PUBLIC KEY. */
int public_key_parse(const char *text, size_t length, const char *from, struct public_key *out,
                     struct error *err);
int public_key_read(const char *path, struct public_key *out, struct error *err);
bool public_key_verifies(const struct public_key *key, const void *message, size_t length,
                         const void *signature, size_t signature_length);
/* "/etc/keys/team.pub (SHA256:0123456789abcdef)", for people. */
void public_key_show(const struct public_key *key, struct buf *out);

/* One line that public_key_recall() reads. */
void public_key_remember(const struct public_key *key, char out[KEY_TEXT_MAX]);
int public_key_recall(const char *text, struct public_key *out);

#endif
