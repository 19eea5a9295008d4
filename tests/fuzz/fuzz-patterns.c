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

/* The deep language once more, by trying. What failed once is not tried again. */
struct slow {
    const char *pattern, *path;
    unsigned char failed[128][128];
};

static const char *behind_class(const char *p)
{
    p += p[1] == '^' ? 2 : 1;
    do
        p += *p == '\\' ? 2 : 1;
    while (*p != ']');
    return p + 1;
}

static bool try(struct slow *s, const char *p, const char *t);

static bool try_once(struct slow *s, const char *p, const char *t)
{
    if (p[0] == '*' && p[1] == '*') {
        p += p[2] == '/' ? 3 : 2;
        if (!*p || try(s, p, t))
            return true;
        while (*t)
            if (*t++ == '/' && try(s, p, t))
                return true;
        return false;
    }
    if (*p == '*')
        return try(s, p + 1, t) || (*t && *t != '/' && try(s, p, t + 1));
    if (!*p || !*t)
        return *p == *t;
    if (*p == '?')
        return *t != '/' && try(s, p + 1, t + 1);
    if (*p == '[') {
        const char *end = behind_class(p);
        const char name[2] = {*t, '\0'};
        autofree char *class = xstrndup(p, (size_t)(end - p));
        return glob_match(class, name) && try(s, end, t + 1);
    }
    p += *p == '\\';
    return *p == *t && try(s, p + 1, t + 1);
}

static bool try(struct slow *s, const char *p, const char *t)
{
    unsigned char *failed = &s->failed[p - s->pattern][t - s->path];
    if (*failed)
        return false;
    bool matches = try_once(s, p, t);
    *failed = !matches;
    return matches;
}

static bool is_ascii(const char *text)
{
    for (; *text; text++)
        if (*text & 0x80)
            return false;
    return true;
}

static void check_deep(const char *pattern, const char *path)
{
    struct slow s = {.pattern = pattern, .path = path};
    size_t length = strlen(pattern);
    if (length > 120 || strlen(path) > 120 || !is_ascii(pattern) || !is_ascii(path) ||
        !glob_valid(pattern))
        return;
    bool suffix = strncmp(pattern, "**", 2) == 0 && !strpbrk(pattern + 2, "*?[]\\");
    if (!suffix && try(&s, pattern, path) != glob_match_deep(pattern, path))
        abort();
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
    check_deep(pattern, name);
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
