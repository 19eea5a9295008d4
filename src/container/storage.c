/* SPDX-License-Identifier: Apache-2.0 */
/* -v, --mount, --tmpfs and the image's VOLUMEs: words to planned mounts, all checked here. */
#include <fcntl.h>
#include <limits.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/plan_make.h"
#include "path/inroot.h"

#define MOUNTS_MAX 200

static int set_target(struct plan_mount *m, const char *text, const char *what, struct error *err)
{
    static const char *const forbidden[] = {"/", "/proc", "/sys", "/dev"};
    char clean[INROOT_PATH_MAX];
    int rc = inroot_clean(text, what, clean, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
        size_t n = strlen(forbidden[i]);
        bool below = i > 0 && i < 3 && starts_with(clean, forbidden[i]) && clean[n] == '/';
        if (streq(clean, forbidden[i]) || below)
            return error_set(err, -EINVAL, "%s: nothing can be mounted at %s in a container", what,
                             clean);
    }
    free(m->target);
    m->target = xstrdup(clean);
    return 0;
}

static int set_bind_source(struct plan_mount *m, const char *source, const char *what, bool create,
                           struct error *err)
{
    char resolved[PATH_MAX];
    if (source[0] != '/' && source[0] != '.' && source[0] != '~')
        return error_set(err, -ENOTSUP,
                         "%s: \"%s\" is not a path: named volumes are not supported yet; give an "
                         "absolute path or one that begins with ./",
                         what, source);
    if (create && !realpath(source, resolved) && errno == ENOENT && source[0] == '/')
        return error_set(err, -ENOENT,
                         "%s: %s does not exist; create it first (caisson makes no "
                         "directories on the host)",
                         what, source);
    if (!realpath(source, resolved))
        return error_errno(err, "%s: cannot use %s", what, source);
    m->source = xstrdup(resolved);
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
             streq(word, "Z") || streq(word, "U") || streq(word, "idmap") || streq(word, "nocopy"))
        ; /* how it is anyway; labels come with SELinux hosts */
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
                         "nosuid, suid, nodev, dev, bind, rbind, private, z, Z, U",
                         word);
    }
    return 0;
}

static int volume(struct planning *p, const char *text, struct error *err)
{
    autostrv parts = {0};
    strv_split(&parts, text, ':');
    if (parts.len > 3 || !*parts.items[0])
        return error_set(err, -EINVAL, "-v %s: give SOURCE:TARGET[:OPTIONS] or TARGET", text);
    struct plan_mount *m = plan_add_mount(p->plan);
    if (parts.len == 1) {
        m->kind = PLAN_VOLUME;
        m->idmap = m->copy_up = true;
        return set_target(m, parts.items[0], "-v", err);
    }
    m->kind = PLAN_BIND;
    m->recursive = m->idmap = true;
    int rc = set_bind_source(m, parts.items[0], "-v", true, err);
    if (rc == 0)
        rc = set_target(m, parts.items[1], "-v", err);
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

static int tmpfs(struct planning *p, const char *text, struct error *err)
{
    const char *colon = strchr(text, ':');
    autofree char *target = xstrndup(text, colon ? (size_t)(colon - text) : strlen(text));
    struct plan_mount *m = plan_add_mount(p->plan);
    m->kind = PLAN_TMPFS;
    m->no_exec = true; /* as Docker */
    int rc = set_target(m, target, "--tmpfs", err);
    return rc < 0 ? rc : tmpfs_options(m, colon ? colon + 1 : NULL, "1777", err);
}

/* --- --mount type=…,key=value ------------------------------------------------------------------
 */

struct mount_words {
    const char *type, *source, *target, *size, *mode;
    bool read_only, no_recursion;
};

static int mount_word(struct mount_words *w, char *word, struct error *err)
{
    static const char *const known[] = {"type",           "source",          "target",
                                        "readonly",       "tmpfs-size",      "tmpfs-mode",
                                        "bind-recursive", "bind-propagation"};
    char *value = strchr(word, '=');
    if (value)
        *value++ = '\0';
    bool yes = !value || streq(value, "true") || streq(value, "1");
    if (streq(word, "type") && value)
        w->type = value;
    else if ((streq(word, "source") || streq(word, "src")) && value)
        w->source = value;
    else if ((streq(word, "target") || streq(word, "destination") || streq(word, "dst")) && value)
        w->target = value;
    else if (streq(word, "readonly") || streq(word, "ro"))
        w->read_only = yes;
    else if (streq(word, "tmpfs-size") && value)
        w->size = value;
    else if (streq(word, "tmpfs-mode") && value)
        w->mode = value;
    else if (streq(word, "bind-recursive") && value)
        w->no_recursion = streq(value, "disabled");
    else if (streq(word, "bind-nonrecursive"))
        w->no_recursion = yes;
    else if (streq(word, "bind-propagation") && value && propagation_of(value))
        ;
    else {
        const char *near = nearest_word(word, known, sizeof known / sizeof *known);
        return error_set(err, -EINVAL, "--mount: unknown or incomplete key \"%s\"%s%s", word,
                         near ? "; did you mean " : "", near ? near : "");
    }
    return 0;
}

static int mount_option(struct planning *p, const char *text, struct error *err)
{
    struct mount_words w = {.type = "volume"};
    autostrv words = {0};
    strv_split(&words, text, ',');
    for (size_t i = 0; i < words.len; i++) {
        int rc = mount_word(&w, words.items[i], err);
        if (rc < 0)
            return rc;
    }
    if (!w.target)
        return error_set(err, -EINVAL, "--mount %s: target=PATH is missing", text);
    struct plan_mount *m = plan_add_mount(p->plan);
    m->read_only = w.read_only;
    int rc = set_target(m, w.target, "--mount", err);
    if (rc < 0)
        return rc;
    if (streq(w.type, "tmpfs")) {
        m->kind = PLAN_TMPFS;
        m->no_exec = true;
        autobuf options = {0};
        if (w.size)
            buf_fmt(&options, "size=%s", w.size);
        if (w.mode)
            buf_fmt(&options, "%smode=%s", options.len ? "," : "", w.mode);
        return tmpfs_options(m, buf_text(&options), "1777", err);
    }
    m->idmap = true;
    if (streq(w.type, "bind")) {
        m->kind = PLAN_BIND;
        m->recursive = !w.no_recursion;
        if (!w.source)
            return error_set(err, -EINVAL, "--mount %s: source=PATH is missing", text);
        return set_bind_source(m, w.source, "--mount", true, err);
    }
    if (streq(w.type, "volume") && !w.source) {
        m->kind = PLAN_VOLUME;
        m->copy_up = true;
        return 0;
    }
    return error_set(err, -ENOTSUP,
                     "--mount: type=%s%s is not supported yet; give type=bind or tmpfs", w.type,
                     w.source ? " with a name" : "");
}

/* --- the level's own ---------------------------------------------------------------------------
 */

static bool has_target(const struct plan *plan, const char *target)
{
    for (size_t i = 0; i < plan->mount_count; i++)
        if (plan->mounts[i].target && streq(plan->mounts[i].target, target))
            return true;
    return false;
}

/* Places to write in a read-only root. Their size is bounded, so that filling them is an error for
 * the program inside and not the end of the container. */
static void add_scratch(struct plan *plan, const char *target, const char *mode, bool no_exec,
                        uint64_t size)
{
    if (has_target(plan, target))
        return;
    struct plan_mount *m = plan_add_mount(plan);
    m->kind = PLAN_TMPFS;
    m->target = xstrdup(target);
    m->data = xasprintf("size=%llu,mode=%s", (unsigned long long)size, mode);
    m->no_exec = no_exec;
}

static int image_volumes(struct planning *p, struct error *err)
{
    for (size_t i = 0; i < p->image->config.volumes.len; i++) {
        const char *target = p->image->config.volumes.items[i];
        char clean[INROOT_PATH_MAX];
        int rc = inroot_clean(target, "the image's VOLUME", clean, err);
        if (rc < 0)
            return rc;
        if (has_target(p->plan, clean))
            continue;
        struct plan_mount *m = plan_add_mount(p->plan);
        m->kind = PLAN_VOLUME;
        m->idmap = m->copy_up = true;
        rc = set_target(m, clean, "the image's VOLUME", err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static size_t depth(const char *path)
{
    size_t n = 0;
    for (; *path; path++)
        n += *path == '/';
    return n;
}

/* Parents before children; mounts of one depth in the order given. */
static void sort_mounts(struct plan *plan)
{
    for (size_t i = 1; i < plan->mount_count; i++) {
        struct plan_mount m = plan->mounts[i];
        size_t at = i;
        for (; at > 0 && depth(plan->mounts[at - 1].target) > depth(m.target); at--)
            plan->mounts[at] = plan->mounts[at - 1];
        plan->mounts[at] = m;
    }
}

static int name_volumes(struct plan *plan, struct error *err)
{
    unsigned volumes = 0;
    for (size_t i = 0; i < plan->mount_count; i++) {
        struct plan_mount *m = &plan->mounts[i];
        if (m->kind == PLAN_VOLUME)
            m->source = xasprintf("%u", volumes++);
        for (size_t j = 0; j < i; j++)
            if (streq(plan->mounts[j].target, m->target))
                return error_set(err, -EINVAL, "two mounts at %s; leave one out", m->target);
    }
    return 0;
}

int plan_mounts(struct planning *p, struct error *err)
{
    const struct request *r = p->request;
    struct plan *plan = p->plan;
    int rc = 0;
    if (r->volumes.len + r->mounts.len + r->tmpfs.len > MOUNTS_MAX)
        return error_set(err, -E2BIG, "too many mounts: at most %d", MOUNTS_MAX);
    for (size_t i = 0; rc == 0 && i < r->volumes.len; i++)
        rc = volume(p, r->volumes.items[i], err);
    for (size_t i = 0; rc == 0 && i < r->mounts.len; i++)
        rc = mount_option(p, r->mounts.items[i], err);
    for (size_t i = 0; rc == 0 && i < r->tmpfs.len; i++)
        rc = tmpfs(p, r->tmpfs.items[i], err);
    if (rc == 0)
        rc = image_volumes(p, err);
    if (rc < 0)
        return rc;
    if (plan->root_read_only) {
        int64_t memory = plan->limits.memory;
        uint64_t size = memory > 0 ? (uint64_t)memory / 4 : UINT64_C(256) << 20;
        bool only_image = p->level != LEVEL_RESTRICTED; /* --read-only as Docker's: nothing added */
        if (!only_image) {
            add_scratch(plan, "/tmp", "1777", false, size);
            add_scratch(plan, "/var/tmp", "1777", false, size);
            add_scratch(plan, "/run", "1777", false, size < 64u << 20 ? size : 64u << 20);
        }
        if (plan->home) {
            autofree char *mode = xasprintf("0700,uid=%u,gid=%u", plan->uid, plan->gid);
            add_scratch(plan, plan->home, mode, false, size);
        }
    }
    if (plan->mount_count > MOUNTS_MAX)
        return error_set(err, -E2BIG, "too many mounts: at most %d", MOUNTS_MAX);
    sort_mounts(plan);
    return name_volumes(plan, err);
}
