/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources from elsewhere, taken apart: words only, nobody is asked.
 *
 *   https://host/path/file.tar.gz         a file; http:// as well
 *   https://host/repo.git[#REF[:SUBDIR]]  a git repository; so is every ssh:// and git://
 *   git@host:repo.git[#REF[:SUBDIR]]      the same over ssh, as git writes it
 *
 * What is taken apart here ends up on the command line of git and in the path of a file, so
 * whatever could be mistaken there is refused: words that begin with a dash, control characters,
 * `..`. A user and a password are taken out of the address: what is shown, and what is kept, has
 * none.
 */
#ifndef CAISSON_BUILD_REMOTE_H
#define CAISSON_BUILD_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum remote_kind { REMOTE_NONE, REMOTE_FILE, REMOTE_GIT };
enum remote_scheme { REMOTE_HTTP, REMOTE_HTTPS, REMOTE_SSH, REMOTE_GIT_DAEMON };

#define REMOTE_ADDRESS_MAX 8192

struct remote {
    enum remote_kind kind;
    enum remote_scheme scheme;
    char *address;         /* without user and password (but git@ of ssh), without fragment */
    char *user, *password; /* decoded; NULL */
    char *host;            /* lower case, without brackets */
    uint16_t port;
    char *name;   /* of a file: the last part of the path, decoded; NULL: it has none */
    char *ref;    /* of a repository; NULL: what its HEAD is */
    char *subdir; /* clean and relative; NULL: all of it */
};

/* What kind a word is, by its form alone. */
enum remote_kind remote_kind(const char *text);
/* A word that remote_kind() knows. -EINVAL with a sentence that tells no password. */
int remote_parse(const char *text, struct remote *out, struct error *err);
void remote_free(struct remote *remote);
#define autoremote __attribute__((cleanup(remote_free))) struct remote

/* Appends text with the user and password of every address in it replaced. */
void remote_redact(const char *text, struct buf *out);

/* Whether it is a whole commit id: 40 or 64 hexadecimal digits. */
bool remote_is_commit(const char *ref);

#endif
