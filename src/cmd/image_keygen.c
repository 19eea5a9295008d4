/* SPDX-License-Identifier: Apache-2.0 */
/* image keygen: a pair of keys, in cosign's files. */
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/print.h"
#include "cmd/secret_words.h"
#include "cmd/trust_worker.h"
#include "registry/private_key.h"

/* Never over another: a key that is lost is lost. */
static int write_new(const char *path, mode_t mode, const struct buf *text, struct error *err)
{
    autofd fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return error_errno(err, "cannot create %s", path);
    int rc = write_all(fd, text->data, text->len);
    if (rc == 0 && fsync(fd) < 0)
        rc = -errno;
    if (rc == 0)
        return 0;
    (void)unlink(path);
    return error_set(err, rc, "cannot write %s: %s", path, error_describe(rc));
}

static int make(const struct keygen_options *o, struct buf *private, struct buf *public,
                struct error *err)
{
    autosecret passphrase = NULL;
    autoprivate key = NULL;
    struct public_key half;
    int rc = secret_passphrase(o->passphrase_file, true, &passphrase, err);
    if (rc == 0 && !*passphrase)
        tell_warning("the passphrase is empty: whoever has the key's file can sign with it");
    if (rc == 0)
        rc = private_key_make(streq(o->type, "ed25519") ? KEY_ED25519 : KEY_ECDSA, &key, err);
    if (rc == 0)
        rc = private_key_lock(key, passphrase, private, err);
    if (rc == 0)
        rc = private_key_public(key, &half, err);
    if (rc == 0)
        pem_write("PUBLIC KEY", half.der, half.length, public);
    return rc;
}

int command_image_keygen(const struct invocation *call, void *options, struct error *err)
{
    autofree char *private = xasprintf("%s.key", call->arguments[0]);
    autofree char *public = xasprintf("%s.pub", call->arguments[0]);
    autosecretbuf secret = {0};
    autobuf open_half = {0}, said = {0};
    (void)prctl(PR_SET_DUMPABLE, 0);
    if (access(private, F_OK) == 0 || access(public, F_OK) == 0)
        return error_set(err, -EEXIST, "%s or %s is there already: remove it, or take another name",
                         private, public);
    int rc = make(options, &secret, &open_half, err);
    if (rc == 0)
        rc = write_new(private, 0600, &secret, err);
    if (rc == 0 && (rc = write_new(public, 0644, &open_half, err)) < 0)
        (void)unlink(private);
    if (rc < 0)
        return rc;
    buf_fmt(&said, "%s: the private key, locked with the passphrase\n%s: the public key\n", private,
            public);
    return print(&said);
}
