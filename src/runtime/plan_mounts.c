/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The array "mounts", both ways: first what every container has, so that the configuration is a
 * true one, then the plan's own. Only the latter are read back; what comes first follows from the
 * rest of the plan, and caisson.standard_mounts says how many elements that is.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "path/inroot.h"
#include "runtime/plan_fields.h"

#define OWN_MOUNTS_MAX 4096
/* Before the name of a volume and the digest of an image; no other runtime would mount these. */
#define VOLUMES "volumes/"
#define IMAGES "images/"
#define SUBPATH "subpath="
#define MANIFEST "manifest="

/* --- standard mounts ---------------------------------------------------------------------------
 */

enum condition {
    ALWAYS,
    OWN_DEV,    /* not the host's devices */
    HOST_DEV,   /* all of them */
    OWN_SHM,    /* own /dev, and --ipc is not none */
    OWN_QUEUES, /* own /dev and an IPC namespace that is not the host's */
    OWN_NET,
    SHARED_NET,
    OWN_CGROUP,
};

struct standard_mount {
    enum condition when;
    const char *target, *type, *source;
    const char *options; /* separated by commas */
    bool system;         /* read-only, but for a privileged container without a user namespace */
};

static const struct standard_mount standard[] = {
    {ALWAYS, "/proc", "proc", "proc", "nosuid,noexec,nodev", false},
    {OWN_NET, "/sys", "sysfs", "sysfs", "nosuid,noexec,nodev", true},
    {SHARED_NET, "/sys", "bind", "/sys", "rbind,nosuid,noexec,nodev", true},
    {OWN_CGROUP, "/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,ro", false},
    {OWN_DEV, "/dev", "tmpfs", "tmpfs", "nosuid,noexec,mode=755,size=65536k", false},
    {HOST_DEV, "/dev", "bind", "/dev", "rbind,nosuid", false},
    {OWN_DEV, "/dev/pts", "devpts", "devpts",
     "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5,max=256", false},
    {OWN_SHM, "/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777", false},
    {OWN_QUEUES, "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev", false},
};
#define STANDARD (sizeof standard / sizeof *standard)

static bool applies(const struct plan *plan, enum condition when)
{
    bool net = plan->namespaces & PLAN_NS_NET;
    switch (when) {
    case OWN_DEV:
        return !plan->all_devices;
    case HOST_DEV:
        return plan->all_devices;
    case OWN_SHM:
        return !plan->all_devices && plan->ipc != PLAN_IPC_NONE;
    case OWN_QUEUES:
        return !plan->all_devices && (plan->namespaces & PLAN_NS_IPC || plan->ipc_container);
    case OWN_NET:
        return net;
    case SHARED_NET:
        return !net;
    case OWN_CGROUP:
        return net && (plan->namespaces & PLAN_NS_CGROUP);
    default:
        return true;
    }
}

static void write_options(struct json_out *w, const char *list)
{
    for (const char *at = list; *at;) {
        size_t length = strcspn(at, ",");
        json_strn(w, NULL, at, length);
        at += length + (at[length] == ',');
    }
}

static void write_standard(const struct plan *plan, const struct standard_mount *m,
                           struct json_out *w)
{
    bool open = !(plan->namespaces & PLAN_NS_USER) && streq(plan->posture.level, "privileged");
    json_begin(w, NULL, '{');
    json_str(w, "destination", m->target);
    json_str(w, "type", m->type);
    json_str(w, "source", m->source);
    json_begin(w, "options", '[');
    write_options(w, m->options);
    if (m->system && !open)
        json_str(w, NULL, "ro");
    if (streq(m->source, "shm")) {
        char size[32];
        snprintf(size, sizeof size, "size=%lld", (long long)plan->shm_size);
        json_str(w, NULL, size);
    }
    json_end(w, ']');
    json_end(w, '}');
}

void part_standard_mounts_write(const void *from, const char *key, struct json_out *w)
{
    int64_t count = 0;
    for (size_t i = 0; i < STANDARD; i++)
        count += applies(from, standard[i].when);
    json_i64(w, key, count);
}

int part_standard_mounts_read(const json_t *value, void *into, const char *key, struct error *err)
{
    struct plan_reading *reading = into;
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > 100)
        return field_wrong(err, key, "a whole number from 0 to 100");
    reading->standard_mounts = (size_t)json_integer_value(value);
    return 0;
}

/* --- own mounts: writing -----------------------------------------------------------------------
 */

/* A tmpfs has no source that could have mounts below it or ids to map. */
static bool option_applies(const struct mount_option *option, const struct plan_mount *m)
{
    if (option->at == offsetof(struct plan_mount, anonymous))
        return m->kind == PLAN_VOLUME;
    return m->kind != PLAN_TMPFS || (option->at != offsetof(struct plan_mount, recursive) &&
                                     option->at != offsetof(struct plan_mount, idmap));
}

/* A bind's own user sees their files as the container's user does; volumes and images have the
 * container's ids, as its root file system has. */
static void write_mappings(const struct plan *plan, const struct plan_mount *m, struct json_out *w)
{
    bool whole = m->kind != PLAN_BIND;
    if (m->kind == PLAN_TMPFS || !m->idmap || !(plan->namespaces & PLAN_NS_USER))
        return;
    write_mapping(w, "uidMappings", whole ? 0 : plan->bind_uid,
                  plan->id_base + (whole ? 0 : (uint64_t)plan->uid), whole ? PLAN_ID_COUNT : 1);
    write_mapping(w, "gidMappings", whole ? 0 : plan->bind_gid,
                  plan->id_base + (whole ? 0 : (uint64_t)plan->gid), whole ? PLAN_ID_COUNT : 1);
}

static void write_source(const struct plan_mount *m, struct json_out *w)
{
    autobuf source = {0};
    if (m->kind == PLAN_VOLUME)
        buf_str(&source, VOLUMES);
    else if (m->kind == PLAN_IMAGE)
        buf_str(&source, IMAGES);
    buf_str(&source, m->kind == PLAN_TMPFS ? "tmpfs" : m->source ? m->source : "");
    json_str(w, "source", buf_text(&source));
}

static void write_word(struct json_out *w, const char *key, const char *value)
{
    autofree char *word = value ? xasprintf("%s%s", key, value) : NULL;
    if (word)
        json_str(w, NULL, word);
}

static void write_own(const struct plan *plan, const struct plan_mount *m, struct json_out *w)
{
    json_begin(w, NULL, '{');
    json_str(w, "destination", m->target);
    json_str(w, "type", m->kind == PLAN_TMPFS ? "tmpfs" : "bind");
    write_source(m, w);
    json_begin(w, "options", '[');
    for (const struct mount_option *option = plan_mount_options; option->on; option++) {
        bool set = *(const bool *)((const char *)m + option->at);
        const char *word = set ? option->on : option->off;
        if (set && m->recursive && streq(word, "ro"))
            word = "rro"; /* what is mounted below the source is read-only too */
        if (word && option_applies(option, m))
            json_str(w, NULL, word);
    }
    for (const struct plan_word *word = plan_propagation_words; word->name; word++)
        if (word->value == m->propagation)
            json_str(w, NULL, word->name);
    if (m->data)
        write_options(w, m->data);
    write_word(w, SUBPATH, m->subpath);
    write_word(w, MANIFEST, m->manifest);
    json_end(w, ']');
    write_mappings(plan, m, w);
    json_end(w, '}');
}

void part_mounts_write(const void *from, const char *key, struct json_out *w)
{
    const struct plan *plan = from;
    json_begin(w, key, '[');
    for (size_t i = 0; i < STANDARD; i++)
        if (applies(plan, standard[i].when))
            write_standard(plan, &standard[i], w);
    for (size_t i = 0; i < plan->mount_count; i++)
        write_own(plan, &plan->mounts[i], w);
    json_end(w, ']');
}

/* --- own mounts: reading -----------------------------------------------------------------------
 */

/* What tmpfs takes; "mpol" is not among them, its values have commas. */
static bool tmpfs_option(const char *text)
{
    static const char *const keys[] = {"size",      "mode",      "uid", "gid",
                                       "nr_blocks", "nr_inodes", "huge"};
    size_t length = strcspn(text, "=");
    if (strchr(text, ','))
        return false;
    if (!text[length])
        return streq(text, "noswap");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strlen(keys[i]) == length && strncmp(keys[i], text, length) == 0)
            return true;
    return false;
}

static bool read_flag(struct plan_mount *m, const char *word)
{
    if (streq(word, "rro"))
        word = "ro";
    for (const struct mount_option *option = plan_mount_options; option->on; option++) {
        bool set = streq(word, option->on);
        if (option_applies(option, m) && (set || (option->off && streq(word, option->off)))) {
            *(bool *)((char *)m + option->at) = set;
            return true;
        }
    }
    for (const struct plan_word *p = plan_propagation_words; p->name; p++) {
        if (streq(word, p->name)) {
            m->propagation = p->value;
            return true;
        }
    }
    return false;
}

/* The part behind `prefix` when it is a clean relative path, else NULL. */
static const char *relative_path(const char *text, const char *prefix)
{
    char clean[INROOT_PATH_MAX];
    if (!starts_with(text, prefix))
        return NULL;
    const char *path = text + strlen(prefix);
    autofree char *absolute = xasprintf("/%s", path);
    bool plain =
        *path && inroot_clean(absolute, "source", clean, NULL) == 0 && streq(clean + 1, path);
    return plain ? path : NULL;
}

/* What of a volume or an image is mounted, and which image it is. */
static bool read_part(struct plan_mount *m, const char *word)
{
    const char *subpath = relative_path(word, SUBPATH);
    if (subpath && !m->subpath && (m->kind == PLAN_VOLUME || m->kind == PLAN_IMAGE)) {
        m->subpath = xstrdup(subpath);
        return true;
    }
    const char *digest = word + strlen(MANIFEST);
    if (m->kind == PLAN_IMAGE && !m->manifest && starts_with(word, MANIFEST) &&
        digest_valid(digest)) {
        m->manifest = xstrdup(digest);
        return true;
    }
    return false;
}

static int read_options(const json_t *options, struct plan_mount *m, struct error *err)
{
    autobuf data = {0};
    int rc = field_array(options, "options", 256, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < json_array_size(options); i++) {
        const char *word = json_string_value(json_array_get(options, i));
        if (!word)
            return field_wrong(err, "options", "an array of strings");
        if (read_flag(m, word) || read_part(m, word))
            continue;
        if (m->kind != PLAN_TMPFS || !tmpfs_option(word))
            return error_set(err, -EINVAL, "options has \"%.64s\", which is unknown here", word);
        buf_fmt(&data, "%s%s", data.len ? "," : "", word);
    }
    m->data = data.len ? buf_take(&data) : NULL;
    return 0;
}

static int read_source(struct plan_mount *m, const char *source, struct error *err)
{
    const char *volume = starts_with(source, VOLUMES) ? source + strlen(VOLUMES) : "";
    const char *image = starts_with(source, IMAGES) ? source + strlen(IMAGES) : "";
    if (*source == '/' && strlen(source) < INROOT_PATH_MAX) {
        m->kind = PLAN_BIND;
    } else if (field_is_volume(volume)) {
        m->kind = PLAN_VOLUME;
        source = volume;
    } else if (digest_valid(image)) {
        m->kind = PLAN_IMAGE;
        source = image;
    } else {
        return field_wrong(err, "source",
                           "an absolute path, \"volumes/NAME\" or \"images/DIGEST\"");
    }
    m->source = xstrdup(source);
    return 0;
}

static int read_own(const json_t *value, struct plan_mount *m, struct error *err)
{
    char clean[INROOT_PATH_MAX];
    const char *type = NULL, *source = NULL, *target = NULL;
    int rc = field_string(value, "destination", &target, err);
    if (rc == 0)
        rc = field_string(value, "type", &type, err);
    if (rc == 0)
        rc = field_string(value, "source", &source, err);
    if (rc < 0)
        return rc;
    if (inroot_clean(target, "destination", clean, NULL) < 0 || streq(clean, "/"))
        return field_wrong(err, "destination", "an absolute path without \"..\" below /");
    if (streq(type, "tmpfs"))
        m->kind = PLAN_TMPFS;
    else if (!streq(type, "bind"))
        return field_wrong(err, "type", "\"bind\" or \"tmpfs\"");
    else if ((rc = read_source(m, source, err)) < 0)
        return rc;
    m->target = xstrdup(clean);
    m->suid = m->dev = true; /* as for mount(8), when no option says otherwise */
    rc = read_options(json_object_get(value, "options"), m, err);
    if (rc == 0 && m->kind == PLAN_IMAGE && !m->manifest)
        return field_wrong(err, "options", "with the manifest of the image");
    return rc;
}

int part_mounts_read(const json_t *value, void *into, const char *key, struct error *err)
{
    struct plan_reading *reading = into;
    size_t first = reading->standard_mounts;
    int rc = field_array(value, key, first + OWN_MOUNTS_MAX, err);
    if (rc < 0)
        return rc;
    if (json_array_size(value) < first)
        return error_set(err, -EINVAL, "%s must have at least %zu elements", key, first);
    for (size_t i = first; i < json_array_size(value); i++) {
        rc = read_own(json_array_get(value, i), plan_add_mount(&reading->plan), err);
        if (rc < 0)
            return field_under_item(err, rc, key, i);
    }
    return 0;
}
