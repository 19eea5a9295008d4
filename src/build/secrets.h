/* SPDX-License-Identifier: Apache-2.0 */
/* --secret and --ssh: what steps may see and nothing may keep. Read once, before the build begins.
 */
#ifndef CAISSON_BUILD_SECRETS_H
#define CAISSON_BUILD_SECRETS_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/strv.h"

#define SECRET_MAX (500u << 10) /* bytes, as with BuildKit */

struct secret {
    char *id;
    struct buf value;
};
struct secrets {
    struct secret *items;
    size_t count;
    struct strv agents; /* "ID=SOCKET" */
};

/* "id=ID[,src=FILE|,env=NAME]" and "default|ID[=SOCKET]". */
int secrets_read(const struct strv *secrets, const struct strv *ssh, struct secrets *out,
                 struct error *err);
const struct secret *secret_find(const struct secrets *secrets, const char *id);
void secrets_free(struct secrets *secrets);
/* Appends text with the values of secrets (and lines of them) that are in it taken out. */
void secrets_redact(const struct secrets *secrets, const char *text, struct buf *out);

/* Bytes that have to stand together to be known: what is cut for its length keeps so many. */
size_t secrets_longest(const struct secrets *secrets);

/* Listens at `path`, for connections that are passed on to an ssh agent; of its requests only those
 * that list keys and sign. A child; the socket is uid's and gid's, with `mode`. */
int agent_relay(const char *path, const char *agent, mode_t mode, uid_t uid, gid_t gid, pid_t *pid,
                struct error *err);

#endif
