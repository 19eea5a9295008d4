/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a container runs as: "user", "uid", with ":group" or ":gid", looked up in the image's own
 * passwd and group. Strict, because being lenient here has made people root before
 * (CVE-2024-40635): what consists of digits is a number and nothing else; what is no number and has
 * no entry is an error; nothing overflows.
 */
#ifndef CAISSON_CONTAINER_USER_H
#define CAISSON_CONTAINER_USER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strv.h"

#define USER_NONROOT 65532 /* the id and name distroless images use */
#define USER_ID_MAX 65534  /* the last id of a container's range; 65535 maps nobody */

struct user {
    uint32_t uid, gid;
    bool known;       /* the uid has an entry in passwd */
    char *name;       /* owned; NULL without an entry */
    char *home;       /* owned; NULL without an entry */
    uint32_t *groups; /* owned: primary first, then those that list the user, then --group-add */
    size_t group_count;
};

/* `passwd` and `group` are the image's files ("" when missing). */
int user_resolve(const char *text, const char *passwd, const char *group, const struct strv *add,
                 uint32_t id_max, struct user *out, struct error *err);
/* The entry of a number, for ids that were chosen and not asked for. */
void user_by_id(uint32_t uid, const char *passwd, struct user *out);
bool user_group_known(uint32_t gid, const char *group);
void user_free(struct user *user);

#endif
