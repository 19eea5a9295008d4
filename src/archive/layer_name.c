/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/layer_name.h"

#include <string.h>

#include "base/text.h"

#define WHITEOUT ".wh."
#define AUFS ".wh..wh."
#define OPAQUE ".wh..wh..opq"

static int add_part(struct layer_name *out, size_t *length, const char *part, size_t n,
                    struct error *err)
{
    if (n == 2 && memcmp(part, "..", 2) == 0)
        return error_set(err, -EINVAL, "its name has \"..\" in it and could leave the layer");
    if (n > NAME_MAX || *length + n + 2 > sizeof out->path)
        return error_set(err, -ENAMETOOLONG, "its name is too long");
    out->parent = *length;
    if (*length > 0)
        out->path[(*length)++] = '/';
    out->base = out->path + *length;
    memcpy(out->path + *length, part, n);
    *length += n;
    out->path[*length] = '\0';
    return 0;
}

int layer_name_plain(const char *text, struct layer_name *out, struct error *err)
{
    size_t length = 0;
    out->path[0] = '\0';
    out->base = out->path;
    out->parent = 0;
    for (const char *at = text; *at;) {
        size_t n = strcspn(at, "/");
        bool nothing = n == 0 || (n == 1 && *at == '.');
        int rc = nothing ? 0 : add_part(out, &length, at, n, err);
        if (rc < 0)
            return rc;
        at += n + (at[n] == '/');
    }
    out->kind = length > 0 ? NAME_PLAIN : NAME_ROOT;
    return 0;
}

/* Whether a directory on the way has a name that only whiteouts may have: 1 for AUFS's own. */
static int check_parents(const struct layer_name *name, struct error *err)
{
    for (const char *at = name->path; at < name->base; at += strcspn(at, "/") + 1) {
        if (starts_with(at, AUFS))
            return 1;
        if (starts_with(at, WHITEOUT))
            return error_set(err, -EINVAL, "a directory on its way has the name of a whiteout");
    }
    return 0;
}

int layer_name_parse(const char *text, struct layer_name *out, struct error *err)
{
    int rc = layer_name_plain(text, out, err);
    if (rc < 0)
        return rc;
    rc = check_parents(out, err);
    if (rc < 0)
        return rc;
    if (rc > 0) {
        out->kind = NAME_IGNORED;
    } else if (streq(out->base, OPAQUE)) {
        out->kind = NAME_OPAQUE;
        out->path[out->parent] = '\0';
    } else if (starts_with(out->base, AUFS)) {
        out->kind = NAME_IGNORED;
    } else if (starts_with(out->base, WHITEOUT)) {
        out->kind = NAME_WHITEOUT;
        char *base = out->path + (out->base - out->path);
        memmove(base, base + strlen(WHITEOUT), strlen(base) - strlen(WHITEOUT) + 1);
        if (*base == '\0' || streq(base, ".") || streq(base, ".."))
            return error_set(err, -EINVAL, "a whiteout that names nothing");
    }
    return 0;
}
