/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image names: [domain[:port]/]path[:tag][@digest], the grammar of the distribution project's
 * reference package. Short names mean docker.io/library/…, as Docker's do.
 */
#ifndef CAISSON_OCI_REFERENCE_H
#define CAISSON_OCI_REFERENCE_H

#include "base/buf.h"
#include "base/error.h"
#include "oci/image.h"

struct reference {
    char *domain;            /* "docker.io" */
    char *path;              /* "library/alpine" */
    char *tag;               /* "latest" by default; NULL when only a digest was given */
    char digest[DIGEST_MAX]; /* "" when none was given */
};

/* A name of at most 255 characters plus tag (128) and digest; anything else is -EINVAL with a
 * sentence that shows the text and what is wrong with it. */
int reference_parse(const char *text, struct reference *out, struct error *err);
void reference_free(struct reference *ref);
/* Writes the host that a name begins with in the one way that references have it, to which rules
 * hold: in small letters, without the port that it has anyway. In place. */
void reference_plain_host(char *name);
/* Letters, digits, '_', '.' and '-', at most 128, none of the last two first. */
bool tag_valid(const char *tag);
/* "docker.io/library/alpine:3.19", the form under which the store files it. */
void reference_full(const struct reference *ref, struct buf *out);
/* What a registry is asked for: by the digest alone where there is one, whatever the tag says;
 * "docker.io/library/alpine@sha256:…", else as reference_full(). */
void reference_exact(const struct reference *ref, struct buf *out);
/* Its last part: "sha256:…" or "3.19"; borrowed. */
const char *reference_version(const struct reference *ref);
/* "alpine:3.19", the form people see. */
void reference_familiar(const struct reference *ref, struct buf *out);
/* "alpine", the same without tag and digest. */
void reference_repository(const struct reference *ref, struct buf *out);

#define autoreference __attribute__((cleanup(reference_free))) struct reference

#endif
