/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that holds a private key and does nothing else. It is told before it begins which names
 * it may sign for; later only a name's number and a digest go in, and a signature comes out. So the
 * process that reads what a registry sends never has the key, and whoever took that one over could
 * have a digest signed for these names, and nothing else. Where a digest was asked for, only that.
 *
 * Order: the key is read and the passphrase asked for; this process is started, and its parent
 * overwrites both; then the registry is connected to; then the parent is confined; then the first
 * foreign byte is read, as it must be before there is a digest to sign.
 */
#ifndef CAISSON_CMD_SIGNER_H
#define CAISSON_CMD_SIGNER_H

#include <sys/types.h>

#include "base/strv.h"
#include "registry/private_key.h"
#include "registry/signature.h"

struct signer {
    int socket; /* -1 */
    pid_t pid;
    struct public_key key;
};
#define SIGNER_NONE                                                                                \
    {                                                                                              \
        .socket = -1                                                                               \
    }

/* What may be signed. */
struct signer_words {
    enum signature_form form;
    const struct strv *names;   /* docker-references */
    const struct strv *digests; /* as many; "": whatever the registry says */
};

/* `text` is a key's file. -EKEYREJECTED: the passphrase is wrong. */
int signer_start(const struct buf *text, const char *passphrase, const struct signer_words *words,
                 struct signer *out, struct error *err);
int signer_sign(struct signer *signer, size_t number, const char *digest, struct signature *out,
                struct error *err);
void signer_end(struct signer *signer);

#endif
