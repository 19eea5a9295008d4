/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a signature is of, as documents: cosign's simple signing, and sigstore bundles 0.3 with an
 * in-toto statement in a DSSE envelope or with a signature of the manifest itself. Bytes of
 * strangers: what is signed is looked into only after the signature was found good.
 */
#ifndef CAISSON_REGISTRY_SIGNATURE_H
#define CAISSON_REGISTRY_SIGNATURE_H

#include "oci/image.h"

#define MEDIA_SIMPLE_SIGNING "application/vnd.dev.cosign.simplesigning.v1+json"
#define MEDIA_BUNDLE "application/vnd.dev.sigstore.bundle.v0.3+json"
#define MEDIA_EMPTY "application/vnd.oci.empty.v1+json"
#define ANNOTATION_SIGNATURE "dev.cosignproject.cosign/signature"
#define PREDICATE_SIGN "https://sigstore.dev/cosign/sign/v1"
#define SIGNED_MAX (64u << 10) /* what is signed, and a bundle */

enum signature_form {
    FORM_SIMPLE,
    FORM_STATEMENT, /* a bundle with an envelope */
    FORM_MANIFEST,  /* a bundle with a signature of the manifest's bytes */
};

struct signature {
    enum signature_form form;
    struct buf claim;        /* payload or statement; FORM_MANIFEST: empty */
    struct buf bytes;        /* the signature */
    char digest[DIGEST_MAX]; /* FORM_MANIFEST: what it says it is of */
};
void signature_free(struct signature *signature);
#define autosignature __attribute__((cleanup(signature_free))) struct signature

/* What was signed says this. */
struct claim {
    char digest[DIGEST_MAX];
    char *name; /* NULL: none */
};
void claim_free(struct claim *claim);
#define autoclaim __attribute__((cleanup(claim_free))) struct claim

int signature_bundle_parse(const char *text, size_t length, struct signature *out,
                           struct error *err);
/* The bytes that the signature is of; not for FORM_MANIFEST. */
void signature_message(const struct signature *signature, struct buf *out);

/* Every field is checked, as containers/image does. */
int payload_parse(const char *text, size_t length, struct claim *out, struct error *err);
/* Of its subjects, the one with `digest`, or the first. A statement of anything but a signature is
 * refused: whoever signs that there are flaws in an image does not vouch for it. */
int statement_parse(const char *text, size_t length, const char *digest, struct claim *out,
                    struct error *err);

void payload_write(const char *name, const char *digest, struct buf *out);
void statement_write(const char *name, const char *digest, struct buf *out);
/* `hint`: of the key. */
void bundle_write(const struct signature *signature, const char *hint, struct buf *out);

#endif
