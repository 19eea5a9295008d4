/* SPDX-License-Identifier: Apache-2.0 */
#include "build/patterns.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/glob.h"
#include "base/memory.h"

#define LINE_MAX_LENGTH 65535 /* of .dockerignore; moby reads no longer ones */

struct ignore_rule {
    struct glob glob;
    bool takes_back;
};

/* --- reading --- */

/* The bytes of the white space that a text begins with: one character, as Go's TrimSpace sees it.
 */
static size_t space(const char *text, size_t length)
{
    static const char *const wide[] = {"\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80",
                                       "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
                                       "\xe2\x81\x9f", "\xe3\x80\x80"};
    if (length > 0 && strchr(" \t\n\v\f\r", text[0]) && text[0])
        return 1;
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
        size_t size = strlen(wide[i]);
        if (length >= size && memcmp(text, wide[i], size) == 0)
            return size;
    }
    /* U+2000 to U+200A */
    if (length >= 3 && memcmp(text, "\xe2\x80", 2) == 0 && (unsigned char)text[2] >= 0x80 &&
        (unsigned char)text[2] <= 0x8a)
        return 3;
    return 0;
}

static void trim(const char **text, size_t *length)
{
    size_t size;
    while ((size = space(*text, *length)) > 0) {
        *text += size;
        *length -= size;
    }
    for (size = 1; size <= 3 && size <= *length; size++)
        if (space(*text + *length - size, size) == size) {
            *length -= size;
            size = 0;
        }
}

/* The path without what says nothing: empty parts, ".", and ".." with what is before it. Never
 * empty. Go calls it Clean. */
static void clean(const char *path, struct buf *out)
{
    bool rooted = path[0] == '/';
    size_t kept = 0; /* parts that a ".." can take away */
    buf_clear(out);
    if (rooted)
        buf_char(out, '/');
    for (;;) {
        path += strspn(path, "/");
        size_t length = strcspn(path, "/");
        if (length == 0)
            break;
        bool up = length == 2 && memcmp(path, "..", 2) == 0;
        if (up && kept > 0) {
            const char *slash = memrchr(out->data, '/', out->len);
            size_t left = slash ? (size_t)(slash - out->data) : 0;
            out->len = left > 0 || !rooted ? left : 1;
            out->data[out->len] = '\0';
            kept--;
        } else if (!(length == 1 && *path == '.') && !(up && rooted)) {
            if (out->len > rooted)
                buf_char(out, '/');
            buf_add(out, path, length);
            kept += !up;
        }
        path += length;
    }
    if (out->len == 0)
        buf_char(out, '.');
}

static int add_rule(struct ignore *out, const char *pattern, bool takes_back, const char *origin,
                    struct error *err)
{
    struct ignore_rule rule = {.takes_back = takes_back};
    if (out->count == IGNORE_RULES_MAX)
        return error_set(err, -E2BIG, "%.300s: more than %d rules; patterns say more with fewer",
                         origin, IGNORE_RULES_MAX);
    if (strlen(pattern) > GLOB_MAX)
        return error_set(err, -EINVAL, "%.300s: a pattern longer than any path", origin);
    if (glob_compile(pattern, true, &rule.glob) < 0)
        return error_set(err, -EINVAL,
                         "%.300s: not a pattern: %.300s (a bracket wants its end, as in [a-z], and "
                         "a backslash something behind it)",
                         origin, pattern);
    out->rules = xrealloc(out->rules, out->count + 1, sizeof *out->rules);
    out->rules[out->count++] = rule;
    out->takes_back |= takes_back;
    return 0;
}

/* A line without comment. White space has a say twice, around a pattern and behind its '!'. */
static int add_line(struct ignore *out, const char *text, size_t length, const char *origin,
                    struct error *err)
{
    autobuf cleaned = {0};
    trim(&text, &length);
    if (length == 0)
        return 0;
    bool takes_back = text[0] == '!';
    if (takes_back) {
        text++;
        length--;
        trim(&text, &length);
    }
    autofree char *pattern = xstrndup(text, length);
    clean(pattern, &cleaned);
    const char *rule = buf_text(&cleaned);
    if (takes_back && (length == 0 || strcmp(rule, "/") == 0))
        return error_set(err, -EINVAL,
                         "%.300s: \"!\" alone takes nothing back; write the pattern behind it",
                         origin);
    if (rule[0] == '/' && rule[1])
        rule++;
    return add_rule(out, rule, takes_back, origin, err);
}

int ignore_add(struct ignore *out, const char *pattern, const char *origin, struct error *err)
{
    return add_line(out, pattern, strlen(pattern), origin, err);
}

int ignore_parse(const char *text, size_t length, const char *name, struct ignore *out,
                 struct error *err)
{
    const char *end = text + length;
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3;
    for (size_t line = 1; text < end; line++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t size = (size_t)((stop ? stop : end) - text);
        if (size > LINE_MAX_LENGTH || memchr(text, '\0', size))
            return error_set(err, -EINVAL, "%.300s:%zu: not a line of text", name, line);
        if (size > 0 && text[0] != '#') {
            autofree char *origin = xasprintf("%.280s:%zu", name, line);
            int rc = add_line(out, text, size, origin, err);
            if (rc < 0)
                return rc;
        }
        text += size + (stop != NULL);
    }
    return 0;
}

void ignore_free(struct ignore *list)
{
    for (size_t i = 0; i < list->count; i++)
        glob_free(&list->rules[i].glob);
    free(list->rules);
    *list = (struct ignore){0};
}

/* --- asking --- */

ignore_place ignore_step(const struct ignore *list, const char *path, ignore_place above)
{
    size_t length = strlen(path);
    for (size_t i = list->count; i > above; i--)
        if (glob_test(&list->rules[i - 1].glob, path, length))
            return i;
    return above;
}

bool ignore_excluded(const struct ignore *list, ignore_place place)
{
    return place != IGNORE_ROOT && !list->rules[place - 1].takes_back;
}

bool ignore_reaches_below(const struct ignore *list, const char *directory, ignore_place place)
{
    size_t length = strlen(directory);
    if (!list->takes_back)
        return false;
    for (size_t i = place; i < list->count; i++)
        if (list->rules[i].takes_back && glob_test_below(&list->rules[i].glob, directory, length))
            return true;
    return false;
}

bool ignore_matches(const struct ignore *list, const char *path)
{
    autofree char *copy = xstrdup(path);
    ignore_place place = IGNORE_ROOT;
    for (char *slash = strchr(copy, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        place = ignore_step(list, copy, place);
        *slash = '/';
    }
    return ignore_excluded(list, ignore_step(list, copy, place));
}
