/* SPDX-License-Identifier: Apache-2.0 */
/* -v, --mount and --tmpfs: words to planned mounts, all checked here. */
#include <limits.h>
#include <sys/mount.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/storage.h"
#include "container/volumes.h"

static int set_bind_source(struct plan_mount *m, const char *source, const char *what,
                           struct error *err)
{
    char resolved[PATH_MAX];
    m->kind = PLAN_BIND;
    m->idmap = true;
    if (!realpath(source, resolved) && errno == ENOENT)
        return error_set(err, -ENOENT,
                         "%s: %s does not exist; create it first (caisson makes no "
                         "directories on the host)",
                         what, source);
    if (!realpath(source, resolved))
        return error_errno(err, "%s: cannot use %s", what, source);
    m->source = xstrdup(resolved);
    return 0;
}

/* `name` NULL: one of its own, which goes with the container. */
static int set_volume(struct plan_mount *m, const char *name, const char *what, struct error *err)
{
    m->kind = PLAN_VOLUME;
    m->idmap = m->copy_up = m->make = true;
    m->anonymous = !name;
    if (!name)
        return 0; /* it gets its name when all mounts are known */
    int rc = volume_check_name(name, err);
    if (rc < 0) {
        error_prefix(err, "%s", what);
        return error_set(err, rc,
                         "%s; a directory of the host is an absolute path, or one that "
                         "begins with ./",
                         err ? err->text : "");
    }
    m->source = xstrdup(name);
    return 0;
}

static unsigned long propagation_of(const char *word)
{
    static const struct {
        const char *name;
        unsigned long flag;
    } table[] = {{"private", MS_PRIVATE}, {"rprivate", MS_PRIVATE | MS_REC}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (streq(word, table[i].name))
            return table[i].flag;
    return 0;
}

/* What may stand after the second colon of -v. */
static int volume_option(struct plan_mount *m, const char *word, struct error *err)
{
    static const char *const shared[] = {"shared", "rshared", "slave", "rslave"};
    if (streq(word, "ro"))
        m->read_only = true;
    else if (streq(word, "rw"))
        m->read_only = false;
    else if (streq(word, "noexec"))
        m->no_exec = true;
    else if (streq(word, "exec"))
        m->no_exec = false;
    else if (streq(word, "suid"))
        m->suid = true;
    else if (streq(word, "dev"))
        m->dev = true;
    else if (streq(word, "nosuid") || streq(word, "nodev") || streq(word, "z") ||
             streq(word, "Z") || streq(word, "U") || streq(word, "idmap"))
        ; /* how it is anyway; labels come with SELinux hosts */
    else if (streq(word, "nocopy"))
        m->copy_up = false;
    else if (streq(word, "rbind"))
        m->recursive = true;
    else if (streq(word, "bind"))
        m->recursive = false;
    else if (propagation_of(word))
        m->propagation = propagation_of(word);
    else {
        for (size_t i = 0; i < 4; i++)
            if (streq(word, shared[i]))
                return error_set(err, -ENOTSUP,
                                 "-v: propagation \"%s\" is not supported; mounts of a container "
                                 "are private",
                                 word);
        return error_set(err, -EINVAL,
                         "-v: unknown option \"%s\"; known are ro, rw, noexec, exec, "
                         "nosuid, suid, nodev, dev, nocopy, bind, rbind, private, z, Z, U",
                         word);
    }
    return 0;
}

int storage_volume(struct planning *p, const char *text, struct error *err)
{
    autostrv parts = {0};
    strv_split(&parts, text, ':');
    if (parts.len > 3 || !*parts.items[0])
        return error_set(err, -EINVAL, "-v %s: give SOURCE:TARGET[:OPTIONS] or TARGET", text);
    struct plan_mount *m = plan_add_mount(p->plan);
    const char *source = parts.len == 1 ? NULL : parts.items[0];
    m->recursive = source && strchr("/.~", source[0]);
    int rc =
        m->recursive ? set_bind_source(m, source, "-v", err) : set_volume(m, source, "-v", err);
    if (rc == 0)
        rc = storage_target(m, parts.items[source ? 1 : 0], "-v", err);
    if (rc < 0 || parts.len < 3)
        return rc;
    autostrv options = {0};
    strv_split(&options, parts.items[2], ',');
    for (size_t i = 0; rc == 0 && i < options.len; i++)
        rc = volume_option(m, options.items[i], err);
    return rc;
}

/* tmpfs(5) options that a container may set, with what size and mode look like. */
static int tmpfs_option(struct plan_mount *m, const char *word, struct buf *data, struct error *err)
{
    static const char *const plain[] = {"uid", "gid", "nr_inodes"};
    const char *equals = strchr(word, '=');
    autofree char *key = xstrndup(word, equals ? (size_t)(equals - word) : strlen(word));
    uint64_t number;
    if (streq(key, "size") && equals) {
        size_t n = strlen(equals + 1);
        bool percent = n > 1 && equals[n] == '%' && strspn(equals + 1, "0123456789") == n - 1;
        if (!percent && parse_size(equals + 1, &number) < 0)
            return error_set(err, -EINVAL, "--tmpfs: size=%s is not a size such as 64m",
                             equals + 1);
        if (percent)
            buf_fmt(data, "%ssize=%s", data->len ? "," : "", equals + 1);
        else
            buf_fmt(data, "%ssize=%llu", data->len ? "," : "", (unsigned long long)number);
        return 0;
    }
    if (streq(key, "mode") && equals) {
        size_t n = strlen(equals + 1);
        if (n == 0 || n > 4 || strspn(equals + 1, "01234567") != n)
            return error_set(err, -EINVAL, "--tmpfs: mode=%s is not an octal mode such as 1777",
                             equals + 1);
        buf_fmt(data, "%smode=%s", data->len ? "," : "", equals + 1);
        return 0;
    }
    for (size_t i = 0; equals && i < sizeof plain / sizeof *plain; i++) {
        if (!streq(key, plain[i]))
            continue;
        if (parse_u64(equals + 1, UINT32_MAX - 1, &number) < 0)
            return error_set(err, -EINVAL, "--tmpfs: %s is not a number", word);
        buf_fmt(data, "%s%s", data->len ? "," : "", word);
        return 0;
    }
    if (streq(word, "ro"))
        m->read_only = true;
    else if (streq(word, "noexec"))
        m->no_exec = true;
    else if (streq(word, "exec"))
        m->no_exec = false;
    else if (!streq(word, "rw") && !streq(word, "nosuid") && !streq(word, "nodev") &&
             !streq(word, "noatime") && !streq(word, "notmpcopyup"))
        return error_set(err, -EINVAL,
                         "--tmpfs: unknown option \"%s\"; known are size, mode, uid, "
                         "gid, nr_inodes, ro, rw, exec, noexec, nosuid, nodev",
                         word);
    return 0;
}

static int tmpfs_options(struct plan_mount *m, const char *text, const char *mode,
                         struct error *err)
{
    autobuf data = {0};
    autostrv options = {0};
    if (text && *text)
        strv_split(&options, text, ',');
    for (size_t i = 0; i < options.len; i++) {
        int rc = tmpfs_option(m, options.items[i], &data, err);
        if (rc < 0)
            return rc;
    }
    if (!strstr(buf_text(&data), "mode="))
        buf_fmt(&data, "%smode=%s", data.len ? "," : "", mode);
    m->data = buf_take(&data);
    return 0;
}

int storage_tmpfs(struct planning *p, const char *text, struct error *err)
{
    const char *colon = strchr(text, ':');
    autofree char *target = xstrndup(text, colon ? (size_t)(colon - text) : strlen(text));
    struct plan_mount *m = plan_add_mount(p->plan);
    m->kind = PLAN_TMPFS;
    m->no_exec = true; /* as Docker */
    int rc = storage_target(m, target, "--tmpfs", err);
    return rc < 0 ? rc : tmpfs_options(m, colon ? colon + 1 : NULL, "1777", err);
}

/* --- --mount type=…,key=value ------------------------------------------------------------------
 */

struct mount_words {
    const char *type, *source, *target, *size, *mode, *subpath;
    struct strv labels;
    bool read_only, writable, no_recursion, no_copy;
};

static void mount_words_free(struct mount_words *w)
{
    strv_free(&w->labels);
}

/* Keys with a value that is only noted. */
static const char **text_of(struct mount_words *w, const char *key)
{
    const struct {
        const char *key;
        const char **text;
    } table[] = {
        {"type", &w->type},
        {"source", &w->source},
        {"src", &w->source},
        {"target", &w->target},
        {"destination", &w->target},
        {"dst", &w->target},
        {"tmpfs-size", &w->size},
        {"tmpfs-mode", &w->mode},
        {"image-subpath", &w->subpath},
        {"volume-subpath", &w->subpath},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (streq(key, table[i].key))
            return table[i].text;
    return NULL;
}

static int unknown_word(const char *word, struct error *err)
{
    static const char *const known[] = {
        "type",          "source",           "target",        "readonly",       "tmpfs-size",
        "tmpfs-mode",    "bind-recursive",   "volume-nocopy", "volume-subpath", "volume-label",
        "volume-driver", "bind-propagation", "image-subpath",
    };
    if (streq(word, "volume-opt"))
        return error_set(err, -ENOTSUP,
                         "--mount: volume-opt is not supported, a volume is a directory; mount "
                         "something of the host's with type=bind");
    if (streq(word, "bind-create-src"))
        return error_set(err, -ENOTSUP,
                         "--mount: bind-create-src is not supported, caisson makes no directories "
                         "on the host; create the source first");
    const char *near = nearest_word(word, known, sizeof known / sizeof *known);
    return error_set(err, -EINVAL, "--mount: unknown or incomplete key \"%s\"%s%s", word,
                     near ? "; did you mean " : "", near ? near : "");
}

static int mount_word(struct mount_words *w, char *word, struct error *err)
{
    char *value = strchr(word, '=');
    if (value)
        *value++ = '\0';
    bool yes = !value || streq(value, "true") || streq(value, "1");
    const char **text = text_of(w, word);
    if (text && value && *value)
        *text = value;
    else if (streq(word, "readonly") || streq(word, "ro")) {
        w->read_only = yes;
        w->writable = !yes;
    } else if (streq(word, "bind-recursive") && value)
        w->no_recursion = streq(value, "disabled");
    else if (streq(word, "bind-nonrecursive"))
        w->no_recursion = yes;
    else if (streq(word, "volume-nocopy"))
        w->no_copy = yes;
    else if (streq(word, "volume-label") && value && *value)
        strv_add(&w->labels, value);
    else if (!(streq(word, "bind-propagation") && value && propagation_of(value)) &&
             !(streq(word, "volume-driver") && streq(value, "local")))
        return unknown_word(word, err);
    return 0;
}

/* A key that begins with another type is a mistake that should not go unseen. */
static int check_keys(const struct strv *words, const char *type, struct error *err)
{
    static const char *const types[] = {"bind", "volume", "tmpfs", "image"};
    for (size_t i = 0; i < words->len; i++)
        for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
            size_t length = strlen(types[t]);
            if (starts_with(words->items[i], types[t]) && words->items[i][length] == '-' &&
                !streq(type, types[t]))
                return error_set(err, -EINVAL, "--mount: %s goes with type=%s, not with type=%s",
                                 words->items[i], types[t], type);
        }
    return 0;
}

static int set_subpath(struct plan_mount *m, const char *text, struct error *err)
{
    char clean[INROOT_PATH_MAX];
    if (!text)
        return 0;
    autofree char *absolute = xasprintf("/%s", text);
    int rc = text[0] == '/'
                 ? error_set(err, -EINVAL, "--mount: the subpath %s must be relative", text)
                 : inroot_clean(absolute, "--mount: the subpath", clean, err);
    if (rc == 0 && clean[1])
        m->subpath = xstrdup(clean + 1);
    return rc;
}

static int mount_tmpfs(struct plan_mount *m, const struct mount_words *w, struct error *err)
{
    autobuf options = {0};
    if (w->source)
        return error_set(err, -EINVAL, "--mount type=tmpfs has no source; leave %s out", w->source);
    m->kind = PLAN_TMPFS;
    m->no_exec = true;
    if (w->size)
        buf_fmt(&options, "size=%s", w->size);
    if (w->mode)
        buf_fmt(&options, "%smode=%s", options.len ? "," : "", w->mode);
    return tmpfs_options(m, buf_text(&options), "1777", err);
}

static int mount_image(struct planning *p, struct plan_mount *m, const struct mount_words *w,
                       struct error *err)
{
    autoimage image = {0};
    if (w->writable)
        return error_set(err, -EINVAL,
                         "--mount type=image: an image is always read-only; leave readonly=false "
                         "out");
    int rc = store_resolve(p->places->store, w->source, &image, err);
    if (rc < 0)
        return error_prefix(err, "--mount type=image");
    m->kind = PLAN_IMAGE;
    m->idmap = m->read_only = true;
    m->source = xstrdup(image.id);
    m->manifest = xstrdup(image.manifest);
    return set_subpath(m, w->subpath, err);
}

static int mount_of_type(struct planning *p, struct plan_mount *m, struct mount_words *w,
                         struct error *err)
{
    int rc;
    if (streq(w->type, "tmpfs"))
        return mount_tmpfs(m, w, err);
    if (streq(w->type, "volume")) {
        rc = set_volume(m, w->source, "--mount", err);
        m->copy_up = !w->no_copy;
        strv_copy(&m->labels, &w->labels);
        return rc < 0 ? rc : set_subpath(m, w->subpath, err);
    }
    if (!streq(w->type, "bind") && !streq(w->type, "image"))
        return error_set(err, -ENOTSUP,
                         "--mount: type=%s is not supported; give bind, volume, tmpfs or image",
                         w->type);
    if (!w->source)
        return error_set(err, -EINVAL, "--mount type=%s: source=%s is missing", w->type,
                         streq(w->type, "bind") ? "PATH" : "IMAGE");
    if (streq(w->type, "image"))
        return mount_image(p, m, w, err);
    m->recursive = !w->no_recursion;
    return set_bind_source(m, w->source, "--mount", err);
}

int storage_mount(struct planning *p, const char *text, struct error *err)
{
    struct mount_words w __attribute__((cleanup(mount_words_free))) = {.type = "volume"};
    autostrv words = {0};
    int rc = 0;
    strv_split(&words, text, ',');
    for (size_t i = 0; rc == 0 && i < words.len; i++)
        rc = mount_word(&w, words.items[i], err);
    if (rc == 0)
        rc = check_keys(&words, w.type, err);
    if (rc < 0)
        return rc;
    if (!w.target)
        return error_set(err, -EINVAL, "--mount %s: target=PATH is missing", text);
    struct plan_mount *m = plan_add_mount(p->plan);
    m->read_only = w.read_only;
    rc = storage_target(m, w.target, "--mount", err);
    return rc < 0 ? rc : mount_of_type(p, m, &w, err);
}
