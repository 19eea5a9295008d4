/* SPDX-License-Identifier: Apache-2.0 */
/* image sign: a signature beside an image in its registry. cmd/signer.h says what happens when. */
#include <string.h>
#include <sys/prctl.h>

#include "archive/confine.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/print.h"
#include "cmd/secret_words.h"
#include "cmd/signer.h"
#include "cmd/trust_worker.h"

struct signing {
    const struct sign_options *options;
    struct reference *refs;
    struct connection *connections;
    size_t count;
    struct strv names, digests;
    struct signer signer;
};

static void signing_close(struct signing *s)
{
    signer_end(&s->signer);
    for (size_t i = 0; i < s->count; i++) {
        connection_close(&s->connections[i]);
        reference_free(&s->refs[i]);
    }
    free(s->connections);
    free(s->refs);
    strv_free(&s->names);
    strv_free(&s->digests);
}

static int parse_names(struct signing *s, const struct conf *conf, const struct invocation *call,
                       struct error *err)
{
    autoreference identity = {0};
    int rc = s->options->identity ? reference_parse(s->options->identity, &identity, err) : 0;
    if (rc < 0)
        return error_prefix(err, "--identity");
    s->refs = xcalloc(call->count, sizeof *s->refs);
    s->connections = xcalloc(call->count, sizeof *s->connections);
    for (size_t i = 0; i < call->count; i++) {
        autobuf name = {0};
        rc = conf_reference(conf, call->arguments[i], &s->refs[i], err);
        if (rc < 0)
            return rc;
        s->count++;
        reference_exact(&s->refs[i], &name);
        strv_add(&s->names, s->options->identity ? s->options->identity : buf_text(&name));
        strv_add(&s->digests, s->refs[i].digest);
    }
    return 0;
}

static int read_key(const char *path, struct buf *out, struct error *err)
{
    if (!path)
        return error_set(err, -EINVAL,
                         "a private key is needed: --key FILE ('caisson image keygen' makes one)");
    int rc = read_named_file(path, KEY_FILE_MAX, out);
    return rc < 0 ? error_set(err, rc, "cannot read the key %s: %s", path, error_describe(rc)) : 0;
}

static int start_signer(struct signing *s, struct error *err)
{
    const struct sign_options *o = s->options;
    const struct signer_words words = {.form = o->bundle ? FORM_STATEMENT : FORM_SIMPLE,
                                       .names = &s->names,
                                       .digests = &s->digests};
    autosecretbuf text = {0};
    autosecret passphrase = NULL;
    buf_room(&text, KEY_FILE_MAX); /* it never moves, and leaves nothing where it was */
    int rc = read_key(o->key, &text, err);
    if (rc == 0 && !private_key_is_locked(buf_text(&text), text.len))
        secret_forget_variable();
    else if (rc == 0)
        rc = secret_passphrase(o->passphrase_file, false, &passphrase, err);
    if (rc < 0)
        return rc;
    rc = signer_start(&text, passphrase ? passphrase : "", &words, &s->signer, err);
    return rc < 0 ? error_prefix(err, "the key %s", o->key) : 0;
}

static int sign_one(struct signing *s, size_t number, struct buf *said, struct error *err)
{
    const struct reference *ref = &s->refs[number];
    struct client *client = &s->connections[number].client;
    autodocument document = {0};
    autosignature signature = {.form = s->options->bundle ? FORM_STATEMENT : FORM_SIMPLE};
    autobuf name = {0};
    reference_exact(ref, &name);
    int rc = document_fetch(client, 0, reference_version(ref), &document, err);
    if (rc == 0)
        rc = signer_sign(&s->signer, number, document.digest, &signature, err);
    if (rc == 0)
        rc = s->options->bundle ? attach_bundle(client, &document, &signature, &s->signer.key, err)
                                : attach_simple(client, &document, &signature, &s->signer.key, err);
    if (rc < 0)
        return rc;
    buf_fmt(said, "%s: %s %s\n", buf_text(&name),
            rc ? "was signed before:" : "signed:", document.digest);
    return 0;
}

static int sign_all(struct signing *s, const struct invocation *call, struct buf *said,
                    struct error *err)
{
    const struct confine_paths nothing = {0};
    autoconf conf = NULL;
    int rc = conf_read(&conf, err);
    if (rc == 0)
        rc = parse_names(s, conf, call, err);
    if (rc == 0)
        rc = start_signer(s, err);
    for (size_t i = 0; rc == 0 && i < s->count; i++)
        rc = connect_to_registry(conf, s->refs[i].domain, s->refs[i].path, &s->options->reach, 1,
                                 true, &s->connections[i], err);
    if (rc == 0)
        rc = worker_confine(&nothing, err);
    for (size_t i = 0; rc >= 0 && i < s->count; i++)
        rc = sign_one(s, i, said, err);
    return rc < 0 ? rc : 0;
}

int command_image_sign(const struct invocation *call, void *options, struct error *err)
{
    struct signing s = {.options = options, .signer = SIGNER_NONE};
    autobuf said = {0};
    /* Neither another process of this user nor a core file has the key from here. */
    (void)prctl(PR_SET_DUMPABLE, 0);
    int rc = sign_all(&s, call, &said, err);
    signing_close(&s);
    if (said.len > 0 && print(&said) != 0 && rc == 0)
        return 1;
    return rc;
}
