/* SPDX-License-Identifier: Apache-2.0 */
/* A .dockerignore, up to a NUL, and paths between NULs behind it: what is carried down a tree says
 * the same as all rules asked for a path and everything above it; and nothing comes back from a
 * tree of which it was said that nothing does. Each line is a pattern of the plain language too. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/glob.h"
#include "base/memory.h"
#include "build/patterns.h"

/* By the definition: the last rule that matches the path or a parent. */
static ignore_place slowly(const struct ignore *list, const char *path)
{
    autofree char *copy = xstrdup(path);
    ignore_place last = ignore_step(list, copy, IGNORE_ROOT);
    for (char *slash = strrchr(copy, '/'); slash; slash = strrchr(copy, '/')) {
        *slash = '\0';
        ignore_place above = ignore_step(list, copy, IGNORE_ROOT);
        last = above > last ? above : last;
    }
    return last;
}

static bool is_clean(const char *path)
{
    return path[0] && path[0] != '/' && path[strlen(path) - 1] != '/' && !strstr(path, "//");
}

static void check_path(const struct ignore *list, char *path)
{
    ignore_place place = IGNORE_ROOT;
    bool closed = false;
    for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        place = ignore_step(list, path, place);
        if (ignore_excluded(list, place) && !ignore_reaches_below(list, path, place))
            closed = true;
        *slash = '/';
    }
    place = ignore_step(list, path, place);
    if (place != slowly(list, path) || ignore_excluded(list, place) != ignore_matches(list, path) ||
        (closed && !ignore_excluded(list, place)))
        abort();
}

static void check_plain(const char *pattern, const char *name)
{
    if (!glob_valid(pattern) && glob_match(pattern, name))
        abort();
    /* Without two stars in a row the languages are one. */
    if (!strstr(pattern, "**") && glob_match(pattern, name) != glob_match_deep(pattern, name))
        abort();
    if (!glob_special(pattern) && glob_match(pattern, name) != (strcmp(pattern, name) == 0) &&
        strlen(pattern) <= GLOB_MAX)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autoignore list = {0};
    autobuf text = {0};
    struct error err = {0};
    if (size > 8192)
        return 0;
    buf_add(&text, data, size);
    char *at = text.data, *end = text.data + text.len;
    size_t first = strlen(at);
    if (ignore_parse(at, first, "fuzz", &list, &err) < 0 && err.code == 0)
        abort();
    char *pattern = at;
    for (at += first; at < end; at += strlen(at)) {
        at++;
        if (is_clean(at))
            check_path(&list, at);
        check_plain(pattern, at);
    }
    return 0;
}
