/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/tree_place.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/text.h"

static void add_parts(struct buf *out, const char *text)
{
    for (const char *at = text; *at;) {
        size_t n = strcspn(at, "/");
        if (n == 2 && memcmp(at, "..", 2) == 0) {
            while (out->len > 0 && out->data[--out->len] != '/')
                ;
        } else if (n > 0 && !(n == 1 && *at == '.')) {
            buf_char(out, '/');
            buf_add(out, at, n);
        }
        at += n + (at[n] == '/');
    }
    if (out->data)
        out->data[out->len] = '\0';
}

void copy_path_read(const char *text, const char *from, struct copy_path *out)
{
    autobuf clean = {0};
    if (text[0] != '/')
        add_parts(&clean, from);
    add_parts(&clean, text);
    const char *slash = strrchr(text, '/');
    const char *last = slash ? slash + 1 : text;
    out->contents = streq(last, ".");
    out->directory = !*last || out->contents || streq(last, "..");
    out->name = xstrdup(clean.len > 0 ? strrchr(clean.data, '/') + 1 : "");
    if (clean.len == 0) {
        buf_char(&clean, '/');
        out->contents = true; /* the root has no name to give */
    }
    out->clean = buf_take(&clean);
}

void copy_path_free(struct copy_path *path)
{
    free(path->clean);
    free(path->name);
    *path = (struct copy_path){0};
}

char *copy_path_parent(const struct copy_path *path)
{
    size_t length = strlen(path->clean) - strlen(path->name);
    return xstrndup(path->clean, length > 1 ? length - 1 : length);
}

int copy_target(const struct copy_path *source, bool source_is_directory,
                const struct copy_path *dest, enum copy_found found, enum copy_target *out,
                struct error *err)
{
    if (found == FOUND_OTHER && dest->directory)
        return error_set(err, -ENOTDIR, "%s is not a directory", dest->clean);
    if (found == FOUND_OTHER && source_is_directory)
        return error_set(err, -ENOTDIR, "cannot copy a directory over %s, which is a file",
                         dest->clean);
    if (found == FOUND_NOTHING && dest->directory && !source_is_directory)
        return error_set(err, -ENOENT, "the directory %s does not exist: create it first",
                         dest->clean);
    if (found != FOUND_DIRECTORY)
        *out = TARGET_BESIDE;
    else
        *out = source_is_directory && source->contents ? TARGET_MERGE : TARGET_INTO;
    return 0;
}
