/* SPDX-License-Identifier: Apache-2.0 */
#include "build/selection_match.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/glob.h"
#include "base/text.h"
#include "path/inroot.h"

int source_wrong(const struct source_root *root, const char *path, int code, const char *what,
                 struct error *err)
{
    autobuf shown = {0};
    buf_printable(&shown, *path ? path : ".");
    return error_set(err, code, "%s %.300s of %s: %s", what, buf_text(&shown), root->what,
                     error_describe(code));
}

static int compare(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

int source_list(const struct source_root *root, int dir, const char *path, struct strv *names,
                struct error *err)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autodir d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        int rc = -errno;
        if (fd >= 0)
            close(fd);
        return source_wrong(root, path, rc, "cannot read the directory", err);
    }
    const struct dirent *entry;
    while ((errno = 0, entry = readdir(d)))
        if (!streq(entry->d_name, ".") && !streq(entry->d_name, ".."))
            strv_add(names, entry->d_name);
    if (errno)
        return source_wrong(root, path, -errno, "cannot read the directory", err);
    if (names->len > 0)
        qsort(names->items, names->len, sizeof *names->items, compare);
    return 0;
}

/* --- wildcards --- */

struct matching {
    const struct source_root *root;
    struct buf prefix; /* the directory that is looked into */
    struct strv *out;
};

static int found(struct matching *m, struct error *err)
{
    if (m->out->len >= SELECTION_MAX)
        return error_set(err, -EFBIG, "more than %d files are copied at once", SELECTION_MAX);
    strv_add(m->out, buf_text(&m->prefix));
    return 0;
}

/* Into an entry of the directory; the length to come back out with. */
static size_t down(struct matching *m, const char *name)
{
    size_t length = m->prefix.len;
    buf_fmt(&m->prefix, "%s%s", length ? "/" : "", name);
    return length;
}

static void up(struct matching *m, size_t length)
{
    m->prefix.len = length;
    m->prefix.data[length] = '\0';
}

static int match_parts(struct matching *m, const struct strv *parts, size_t index,
                       struct error *err)
{
    autostrv names = {0};
    if (index == parts->len)
        return found(m, err);
    autofd dir = inroot_open(m->root->root, buf_text(&m->prefix), O_RDONLY | O_DIRECTORY);
    if (dir < 0)
        return 0; /* nothing is below a file */
    int rc = source_list(m->root, dir, buf_text(&m->prefix), &names, err);
    for (size_t i = 0; rc == 0 && i < names.len; i++) {
        if (!glob_match(parts->items[index], names.items[i]))
            continue;
        size_t length = down(m, names.items[i]);
        rc = match_parts(m, parts, index + 1, err);
        up(m, length);
    }
    return rc;
}

/* Every path below is a candidate; what is in a directory that matches comes with it. */
static int match_deep(struct matching *m, const char *pattern, unsigned depth, struct error *err)
{
    autostrv names = {0};
    autofd dir = inroot_open_beneath(m->root->root, buf_text(&m->prefix),
                                     O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (dir < 0 || depth == SOURCE_DEPTH_MAX)
        return 0;
    int rc = source_list(m->root, dir, buf_text(&m->prefix), &names, err);
    for (size_t i = 0; rc == 0 && i < names.len; i++) {
        size_t length = down(m, names.items[i]);
        rc = glob_match_deep(pattern, buf_text(&m->prefix))
                 ? found(m, err)
                 : match_deep(m, pattern, depth + 1, err);
        up(m, length);
    }
    return rc;
}

int source_match(const struct source_root *root, const char *pattern, bool deep, struct strv *out,
                 struct error *err)
{
    struct matching m = {.root = root, .out = out};
    autostrv parts = {0};
    if (!glob_special(pattern)) {
        strv_add(out, pattern);
        return 0;
    }
    if (!glob_valid(pattern))
        return error_set(err, -EINVAL, "%s is no pattern: a bracket is not closed", pattern);
    buf_str(&m.prefix, "");
    strv_split(&parts, pattern, '/');
    int rc = deep && strstr(pattern, "**") ? match_deep(&m, pattern, 0, err)
                                           : match_parts(&m, &parts, 0, err);
    buf_free(&m.prefix);
    return rc;
}
