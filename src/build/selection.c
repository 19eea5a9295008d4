/* SPDX-License-Identifier: Apache-2.0 */
#include "build/selection.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/key.h"
#include "build/selection_match.h"
#include "path/inroot.h"

#define READ_SIZE ((size_t)256 << 10)

struct finding {
    const struct source_root *root;
    const struct step *step;
    struct selection *out;
    struct ignore exclude; /* --exclude */
    size_t top;            /* length of the source that is walked, with its slash: below it */
    bool multiple;
    unsigned depth;
    size_t above; /* pick of the directory that is walked */
    char *buffer;
    char *attributes; /* room for names and, behind them, a value */
};

static void finding_free(struct finding *f)
{
    ignore_free(&f->exclude);
    free(f->buffer);
    free(f->attributes);
}

void selection_free(struct selection *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->items[i].source);
        free(s->items[i].target);
        free(s->items[i].link);
        free(s->items[i].attributes);
    }
    free(s->items);
    *s = (struct selection){0};
}

static struct pick *add(struct selection *s)
{
    if ((s->count & (s->count - 1)) == 0) /* doubled at each power of two */
        s->items = xrealloc(s->items, s->count ? 2 * s->count : 1, sizeof *s->items);
    s->items[s->count] = (struct pick){.above = NOT_PICKED};
    return &s->items[s->count++];
}

bool pick_unchanged(const struct stat *was, int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_ino == was->st_ino &&
           st.st_size == was->st_size && st.st_mtim.tv_sec == was->st_mtim.tv_sec &&
           st.st_mtim.tv_nsec == was->st_mtim.tv_nsec && st.st_ctim.tv_sec == was->st_ctim.tv_sec &&
           st.st_ctim.tv_nsec == was->st_ctim.tv_nsec;
}

/* --- contents --- */

static int read_digest(struct finding *f, int fd, const char *path, const struct stat *st,
                       unsigned char digest[SHA256_BYTES], struct error *err)
{
    struct sha256 hash;
    int64_t total = 0;
    ssize_t n;
    if (!f->buffer)
        f->buffer = xmalloc(READ_SIZE);
    sha256_start(&hash);
    while ((n = read(fd, f->buffer, READ_SIZE)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        sha256_add(&hash, f->buffer, (size_t)n);
        total += n;
    }
    int rc = n < 0 ? -errno : 0;
    sha256_end(&hash, digest);
    if (rc < 0)
        return source_wrong(f->root, path, rc, "cannot read", err);
    if (total != st->st_size || !pick_unchanged(st, fd))
        return error_set(err, -EBUSY, "%s of %s changed while it was read: build again", path,
                         f->root->what);
    if (f->root->memory)
        memory_add(f->root->memory, st, digest);
    return 0;
}

static int digest_file(struct finding *f, int dir, const char *name, struct pick *pick,
                       const struct stat *st, struct error *err)
{
    if (f->root->memory && memory_find(f->root->memory, st, pick->digest))
        return 0;
    char self[40];
    snprintf(self, sizeof self, "/proc/self/fd/%d", dir);
    /* A source that was named is open already, and only has to be opened to be read. */
    autofd fd = *name ? openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
                      : open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return source_wrong(f->root, pick->source, -errno, "cannot read", err);
    if (!pick_unchanged(st, fd))
        return error_set(err, -EBUSY, "%s of %s changed while it was read: build again",
                         pick->source, f->root->what);
    return read_digest(f, fd, pick->source, st, pick->digest, err);
}

bool selection_keeps_attribute(const char *name)
{
    return streq(name, "security.capability") ||
           (starts_with(name, "user.") && !starts_with(name, "user.overlay."));
}

/* What is copied counts: a program with other capabilities is another one. */
static void digest_attributes(struct finding *f, int dir, const char *name, struct pick *pick)
{
    autobuf path = {0};
    char hex[STEP_KEY_MAX];
    struct key key;
    bool any = false;
    if (!f->attributes)
        f->attributes = xmalloc(ATTRIBUTE_NAMES_MAX + ATTRIBUTE_MAX);
    char *names = f->attributes, *value = f->attributes + ATTRIBUTE_NAMES_MAX;
    buf_fmt(&path, "/proc/self/fd/%d%s%s", dir, *name ? "/" : "", name);
    ssize_t n = *name ? llistxattr(buf_text(&path), names, ATTRIBUTE_NAMES_MAX)
                      : listxattr(buf_text(&path), names, ATTRIBUTE_NAMES_MAX);
    key_begin(&key, "attributes");
    for (const char *at = names; n > 0 && at < names + n; at += strlen(at) + 1) {
        if (!selection_keeps_attribute(at))
            continue;
        ssize_t length = *name ? lgetxattr(buf_text(&path), at, value, ATTRIBUTE_MAX)
                               : getxattr(buf_text(&path), at, value, ATTRIBUTE_MAX);
        key_text(&key, at);
        key_bytes(&key, value, length > 0 ? (size_t)length : 0);
        any = true;
    }
    key_end(&key, hex);
    if (any)
        pick->attributes = xstrdup(hex);
}

static int read_link(struct finding *f, int dir, const char *name, struct pick *pick,
                     struct error *err)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(dir, name, target, sizeof target - 1);
    if (n < 0)
        return source_wrong(f->root, pick->source, -errno, "cannot read the link", err);
    target[n] = '\0';
    pick->link = xstrdup(target);
    return 0;
}

/* --- the tree --- */

static bool left_out(const struct finding *f, const char *path, bool top)
{
    if (f->exclude.count == 0)
        return false;
    const char *slash = strrchr(path, '/');
    if (top)
        return ignore_matches(&f->exclude, slash ? slash + 1 : path);
    return ignore_matches(&f->exclude, path + (f->top <= strlen(path) ? f->top : 0));
}

static int walk(struct finding *f, int dir, struct buf *path, struct buf *target,
                ignore_place place, struct error *err);

static int one(struct finding *f, int dir, const char *name, struct buf *path, struct buf *target,
               ignore_place place, bool top, struct error *err);

static int walk_child(struct finding *f, int dir, const char *name, struct buf *path,
                      struct buf *target, ignore_place place, struct error *err)
{
    size_t path_length = path->len, target_length = target->len;
    buf_fmt(path, "%s%s", path->len ? "/" : "", name);
    buf_fmt(target, "%s%s", target->len ? "/" : "", name);
    int rc = 0;
    if (f->root->ignore)
        place = ignore_step(f->root->ignore, buf_text(path), place);
    if (!left_out(f, buf_text(path), false))
        rc = one(f, dir, name, path, target, place, false, err);
    path->len = path_length;
    path->data[path_length] = '\0';
    target->len = target_length;
    target->data[target_length] = '\0';
    return rc;
}

static int walk(struct finding *f, int dir, struct buf *path, struct buf *target,
                ignore_place place, struct error *err)
{
    autostrv names = {0};
    if (f->depth == SOURCE_DEPTH_MAX)
        return error_set(err, -ELOOP, "directories are nested more than %d deep in %s: %.200s…",
                         SOURCE_DEPTH_MAX, f->root->what, buf_text(path));
    int rc = source_list(f->root, dir, buf_text(path), &names, err);
    if (rc == 0 && f->out->count + names.len > SELECTION_MAX)
        return error_set(err, -EFBIG, "more than %d files are copied at once", SELECTION_MAX);
    f->depth++;
    buf_str(path, "");
    buf_str(target, "");
    for (size_t i = 0; rc == 0 && i < names.len; i++)
        rc = walk_child(f, dir, names.items[i], path, target, place, err);
    f->depth--;
    return rc;
}

/* What the context of a person may hold, and an image should not. */
static bool is_special(const struct stat *st)
{
    return !S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode) && !S_ISLNK(st->st_mode);
}

static void set_stat(const struct finding *f, struct pick *pick, const struct stat *st)
{
    pick->st = *st;
    if (f->root->context)
        pick->st.st_uid = pick->st.st_gid = 0;
}

static int one(struct finding *f, int dir, const char *name, struct buf *path, struct buf *target,
               ignore_place place, bool top, struct error *err)
{
    struct stat st;
    bool excluded = f->root->ignore && ignore_excluded(f->root->ignore, place);
    if (excluded && !f->root->ignore->takes_back)
        return 0;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
        return source_wrong(f->root, buf_text(path), -errno, "cannot look at", err);
    if (excluded &&
        (!S_ISDIR(st.st_mode) || !ignore_reaches_below(f->root->ignore, buf_text(path), place)))
        return 0;
    if (S_ISSOCK(st.st_mode) || (f->root->context && is_special(&st)))
        return 0;
    size_t index = f->out->count;
    int rc = 0;
    if (target->len > 0 || !S_ISDIR(st.st_mode)) {
        struct pick *pick = add(f->out);
        pick->source = xstrdup(buf_text(path));
        pick->target = xstrdup(buf_text(target));
        pick->top = top;
        pick->above = top ? NOT_PICKED : f->above;
        set_stat(f, pick, &st);
        if (S_ISREG(st.st_mode))
            rc = digest_file(f, dir, name, pick, &st, err);
        if (S_ISREG(st.st_mode))
            digest_attributes(f, dir, name, pick);
        else if (S_ISLNK(st.st_mode))
            rc = read_link(f, dir, name, pick, err);
        f->out->bytes += S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    }
    if (rc < 0 || !S_ISDIR(st.st_mode))
        return rc;
    autofd below = openat(dir, *name ? name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below < 0)
        return source_wrong(f->root, buf_text(path), -errno, "cannot read the directory", err);
    size_t above = f->above;
    f->above = target->len > 0 ? index : NOT_PICKED;
    rc = walk(f, below, path, target, place, err);
    f->above = above;
    /* A directory that is only there for what comes back in it, and nothing does. */
    if (rc == 0 && excluded && f->out->count == index + 1) {
        struct pick *pick = &f->out->items[index];
        free(pick->source);
        free(pick->target);
        f->out->count = index;
    }
    return rc;
}

/* --- sources --- */

static void clean_source(const char *text, struct buf *out)
{
    autostrv parts = {0}, kept = {0};
    strv_split(&parts, text, '/');
    for (size_t i = 0; i < parts.len; i++) {
        const char *part = parts.items[i];
        if (streq(part, "") || streq(part, "."))
            continue;
        if (streq(part, "..")) { /* never above the root */
            if (kept.len > 0)
                free(kept.items[--kept.len]);
            continue;
        }
        strv_add(&kept, part);
    }
    if (kept.items)
        kept.items[kept.len] = NULL;
    strv_join(&kept, "/", out);
}

static int missing(const struct finding *f, const char *source, struct error *err)
{
    autobuf shown = {0};
    buf_printable(&shown, source);
    autofd there = inroot_open(f->root->root, source, O_PATH);
    if (there >= 0)
        return error_set(err, -ENOENT, "%.300s is left out of %s by %s", buf_text(&shown),
                         f->root->what, f->root->ignore_name ? f->root->ignore_name : "a pattern");
    return error_set(err, -ENOENT, "%.300s is not in %s", buf_text(&shown), f->root->what);
}

/* Where a path leads to below the root, links followed: "" the root itself. */
static int real_place(const struct finding *f, const char *source, int fd, struct buf *out,
                      struct error *err)
{
    char at[INROOT_PATH_MAX];
    autofd same = inroot_open_beneath(f->root->root, source, O_PATH | O_NOFOLLOW);
    struct stat a, b;
    if (same >= 0 && fstat(same, &a) == 0 && fstat(fd, &b) == 0 && a.st_ino == b.st_ino &&
        a.st_dev == b.st_dev) {
        buf_str(out, source);
        return 0;
    }
    int rc = inroot_where(f->root->root, fd, at);
    if (rc == -EXDEV)
        return error_set(err, rc, "%s leads out of %s", source, f->root->what);
    if (rc < 0)
        return error_set(err, rc, "cannot tell where %s leads: %s", source, error_describe(rc));
    buf_str(out, at);
    return 0;
}

static ignore_place place_of(const struct finding *f, const char *path)
{
    ignore_place place = IGNORE_ROOT;
    autobuf prefix = {0};
    if (!f->root->ignore || !*path)
        return place;
    for (const char *at = path;;) {
        size_t n = strcspn(at, "/");
        buf_add(&prefix, at, n);
        place = ignore_step(f->root->ignore, buf_text(&prefix), place);
        if (!at[n])
            return place;
        buf_char(&prefix, '/');
        at += n + 1;
    }
}

static void add_parents(struct finding *f, const char *path, const char *pivot)
{
    for (const char *slash = strchr(pivot, '/'); slash; slash = strchr(slash + 1, '/')) {
        struct stat st;
        autofree char *prefix = xstrndup(path, (size_t)(slash - path));
        autofree char *target = xstrndup(pivot, (size_t)(slash - pivot));
        autofd fd = inroot_open_beneath(f->root->root, prefix, O_PATH | O_NOFOLLOW);
        bool known = false;
        for (size_t i = 0; i < f->out->count && !known; i++)
            known = streq(f->out->items[i].target, target);
        if (known || fd < 0 || fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
            continue;
        struct pick *pick = add(f->out);
        pick->source = xstrdup(prefix);
        pick->target = xstrdup(target);
        set_stat(f, pick, &st);
    }
}

/* `pivot`: what of the path is kept with --parents; points into it. */
static int one_source(struct finding *f, const char *source, const char *pivot, struct error *err)
{
    autobuf path = {0}, target = {0};
    struct stat st;
    size_t before = f->out->count;
    autofd fd = inroot_open(f->root->root, source, O_PATH);
    if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
        return missing(f, source, err);
    if (fd < 0 || fstat(fd, &st) < 0)
        return source_wrong(f->root, source, fd < 0 ? fd : -errno, "cannot look at", err);
    int rc = real_place(f, source, fd, &path, err);
    if (rc < 0)
        return rc;
    if (left_out(f, source, true))
        return 0;
    bool directory = S_ISDIR(st.st_mode);
    const char *slash = strrchr(source, '/');
    f->top = path.len + (path.len > 0);
    if (f->step->parents) {
        add_parents(f, source, pivot);
        buf_str(&target, pivot);
    } else if (!directory) {
        buf_str(&target, slash ? slash + 1 : source);
    } else {
        f->out->contents = true;
    }
    buf_str(&target, "");
    ignore_place place = place_of(f, buf_text(&path));
    rc = one(f, fd, "", &path, &target, place, true, err);
    if (rc == 0 && f->out->count == before && f->root->ignore &&
        ignore_excluded(f->root->ignore, place))
        return missing(f, source, err);
    return rc;
}

static bool is_excluded(const struct finding *f, const char *path)
{
    return f->root->ignore && ignore_matches(f->root->ignore, path);
}

/* "a/./b": what --parents keeps begins behind the pivot. How many parts of the path come before. */
static size_t parts_before_pivot(const char *source)
{
    size_t parts = 0;
    const char *pivot = strstr(source, "/./");
    for (const char *at = source; pivot && at < pivot;) {
        size_t n = strcspn(at, "/");
        parts += n > 0 && !(n == 1 && at[0] == '.');
        at += n + (at[n] == '/');
    }
    return parts;
}

static int add_sources(struct finding *f, const char *text, size_t *found, struct error *err)
{
    autobuf clean = {0};
    autostrv paths = {0};
    clean_source(text, &clean);
    bool special = glob_special(buf_text(&clean));
    int rc = source_match(f->root, buf_text(&clean), f->step->parents, &paths, err);
    for (size_t i = 0; rc == 0 && i < paths.len; i++) {
        const char *pivot = paths.items[i];
        if (special && is_excluded(f, paths.items[i]) && !f->root->ignore->takes_back)
            continue;
        for (size_t n = parts_before_pivot(text); n > 0 && strchr(pivot, '/'); n--)
            pivot = strchr(pivot, '/') + 1;
        rc = one_source(f, paths.items[i], pivot, err);
        ++*found;
    }
    return rc;
}

static void add_texts(struct finding *f)
{
    for (size_t i = 0; i < f->step->file_count; i++) {
        struct pick *pick = add(f->out);
        struct sha256 hash;
        pick->target = xstrdup(f->step->files[i].name);
        pick->text = f->step->files[i].text;
        pick->top = true;
        pick->st.st_mode = S_IFREG | 0644;
        pick->st.st_size = (off_t)strlen(pick->text);
        sha256_start(&hash);
        sha256_add(&hash, pick->text, strlen(pick->text));
        sha256_end(&hash, pick->digest);
        f->out->bytes += strlen(pick->text);
    }
}

int selection_make(const struct source_root *root, const struct step *step, struct selection *out,
                   struct error *err)
{
    struct finding f
        __attribute__((cleanup(finding_free))) = {.root = root, .step = step, .out = out};
    size_t found = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < step->exclude.len; i++)
        rc = ignore_add(&f.exclude, step->exclude.items[i], "--exclude", err);
    for (size_t i = 0; rc == 0 && i < step->sources.len; i++)
        rc = add_sources(&f, step->sources.items[i], &found, err);
    if (rc < 0)
        return rc;
    add_texts(&f);
    out->once = found + step->file_count == 1;
    out->into = step->parents || found + step->file_count > 1;
    return 0;
}

void selection_digest(const struct selection *selection, char out[STEP_KEY_MAX])
{
    struct key key;
    key_begin(&key, "files 1");
    key_number(&key, selection->into);
    key_number(&key, selection->contents);
    for (size_t i = 0; i < selection->count; i++) {
        const struct pick *p = &selection->items[i];
        key_text(&key, p->target);
        key_number(&key, p->archive);
        key_number(&key, p->st.st_mode);
        key_number(&key, p->st.st_uid);
        key_number(&key, p->st.st_gid);
        if (S_ISREG(p->st.st_mode)) {
            key_number(&key, p->st.st_size);
            key_bytes(&key, p->digest, sizeof p->digest);
            key_text(&key, p->attributes);
        } else if (S_ISLNK(p->st.st_mode)) {
            key_text(&key, p->link);
        } else if (!S_ISDIR(p->st.st_mode)) {
            key_number(&key, (int64_t)p->st.st_rdev);
        }
    }
    key_end(&key, out);
}
