/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "mounts" of a foreign config.json: the options of config.md's table, each a bit of a mount, a
 * word for a file system, or neither. What no table knows goes to the file system as it is, which
 * knows its own options; a bind has none.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "path/inroot.h"
#include "runtime/bundle_fields.h"
#include "runtime/syscalls.h"

#define MOUNTS_MAX 65536
#define DATA_MAX 3500

enum option_kind {
    NOTHING, /* the default, or of no meaning to mounts made by parts */
    BIND,
    RBIND,
    SET,    /* of the mount */
    CLEAR,  /* likewise */
    ACCESS, /* the three ways to keep access times exclude each other */
    PROPAGATION,
    SUPER,    /* a flag of the file system, which a bind shares with its source */
    COPY_UP,  /* tmpcopyup */
    IDMAP,    /* idmap, ridmap */
    OBSOLETE, /* known, and refused */
};

struct option_word {
    const char *name;
    enum option_kind kind;
    bool all; /* with everything mounted below */
    unsigned long bits;
};

/* An r before the name of the first group means recursively. */
static const struct option_word words[] = {
    {"ro", SET, false, MOUNT_ATTR_RDONLY},
    {"rw", CLEAR, false, MOUNT_ATTR_RDONLY},
    {"nosuid", SET, false, MOUNT_ATTR_NOSUID},
    {"suid", CLEAR, false, MOUNT_ATTR_NOSUID},
    {"nodev", SET, false, MOUNT_ATTR_NODEV},
    {"dev", CLEAR, false, MOUNT_ATTR_NODEV},
    {"noexec", SET, false, MOUNT_ATTR_NOEXEC},
    {"exec", CLEAR, false, MOUNT_ATTR_NOEXEC},
    {"nodiratime", SET, false, MOUNT_ATTR_NODIRATIME},
    {"diratime", CLEAR, false, MOUNT_ATTR_NODIRATIME},
    {"nosymfollow", SET, false, MOUNT_ATTR_NOSYMFOLLOW},
    {"symfollow", CLEAR, false, MOUNT_ATTR_NOSYMFOLLOW},
    {"relatime", ACCESS, false, MOUNT_ATTR_RELATIME},
    {"norelatime", ACCESS, false, MOUNT_ATTR_STRICTATIME},
    {"noatime", ACCESS, false, MOUNT_ATTR_NOATIME},
    {"atime", ACCESS, false, MOUNT_ATTR_RELATIME},
    {"strictatime", ACCESS, false, MOUNT_ATTR_STRICTATIME},
    {"nostrictatime", ACCESS, false, MOUNT_ATTR_RELATIME},
    {"rro", SET, true, MOUNT_ATTR_RDONLY},
    {"rrw", CLEAR, true, MOUNT_ATTR_RDONLY},
    {"rnosuid", SET, true, MOUNT_ATTR_NOSUID},
    {"rsuid", CLEAR, true, MOUNT_ATTR_NOSUID},
    {"rnodev", SET, true, MOUNT_ATTR_NODEV},
    {"rdev", CLEAR, true, MOUNT_ATTR_NODEV},
    {"rnoexec", SET, true, MOUNT_ATTR_NOEXEC},
    {"rexec", CLEAR, true, MOUNT_ATTR_NOEXEC},
    {"rnodiratime", SET, true, MOUNT_ATTR_NODIRATIME},
    {"rdiratime", CLEAR, true, MOUNT_ATTR_NODIRATIME},
    {"rnosymfollow", SET, true, MOUNT_ATTR_NOSYMFOLLOW},
    {"rsymfollow", CLEAR, true, MOUNT_ATTR_NOSYMFOLLOW},
    {"rrelatime", ACCESS, true, MOUNT_ATTR_RELATIME},
    {"rnorelatime", ACCESS, true, MOUNT_ATTR_STRICTATIME},
    {"rnoatime", ACCESS, true, MOUNT_ATTR_NOATIME},
    {"ratime", ACCESS, true, MOUNT_ATTR_RELATIME},
    {"rstrictatime", ACCESS, true, MOUNT_ATTR_STRICTATIME},
    {"rnostrictatime", ACCESS, true, MOUNT_ATTR_RELATIME},
    {"bind", BIND, false, 0},
    {"rbind", RBIND, false, 0},
    {"private", PROPAGATION, false, MS_PRIVATE},
    {"rprivate", PROPAGATION, true, MS_PRIVATE},
    {"slave", PROPAGATION, false, MS_SLAVE},
    {"rslave", PROPAGATION, true, MS_SLAVE},
    {"shared", PROPAGATION, false, MS_SHARED},
    {"rshared", PROPAGATION, true, MS_SHARED},
    {"unbindable", PROPAGATION, false, MS_UNBINDABLE},
    {"runbindable", PROPAGATION, true, MS_UNBINDABLE},
    {"tmpcopyup", COPY_UP, false, 0},
    {"idmap", IDMAP, false, 0},
    {"ridmap", IDMAP, true, 0},
    {"sync", SUPER, false, 0},
    {"dirsync", SUPER, false, 0},
    {"lazytime", SUPER, false, 0},
    {"nolazytime", SUPER, false, 0},
    {"mand", OBSOLETE, false, 0},
    {"remount", OBSOLETE, false, 0},
    {"async", NOTHING, false, 0},
    {"nomand", NOTHING, false, 0},
    {"iversion", NOTHING, false, 0},
    {"noiversion", NOTHING, false, 0},
    {"silent", NOTHING, false, 0},
    {"loud", NOTHING, false, 0},
    {"defaults", NOTHING, false, 0},
};
#define WORDS (sizeof words / sizeof *words)

const char *bundle_mount_option(size_t index)
{
    for (size_t i = 0; i < WORDS; i++)
        if (words[i].kind != OBSOLETE && index-- == 0)
            return words[i].name;
    return NULL;
}

static const struct option_word *find_option(const char *name)
{
    for (size_t i = 0; i < WORDS; i++)
        if (streq(words[i].name, name))
            return &words[i];
    return NULL;
}

/* The later word counts. */
static void change(struct bundle_mount *m, const struct option_word *word)
{
    uint64_t *set = word->all ? &m->set_all : &m->set;
    uint64_t *clear = word->all ? &m->clear_all : &m->clear;
    if (word->kind == ACCESS) {
        *clear |= MOUNT_ATTR__ATIME;
        *set = (*set & ~(uint64_t)MOUNT_ATTR__ATIME) | word->bits;
    } else if (word->kind == SET) {
        *set |= word->bits;
        *clear &= ~(uint64_t)word->bits;
    } else {
        *clear |= word->bits;
        *set &= ~(uint64_t)word->bits;
    }
}

static int add_data(struct buf *data, const char *text, size_t i, struct error *err)
{
    if (strchr(text, ',') && !starts_with(text, "lowerdir="))
        return error_set(err, -EINVAL, "options[%zu] may not contain a comma", i);
    buf_fmt(data, "%s%s", data->len ? "," : "", text);
    return data->len <= DATA_MAX
               ? 0
               : error_set(err, -E2BIG, "options are longer than %d bytes together", DATA_MAX);
}

static int read_option(struct bundle_mount *m, const char *text, size_t i, struct buf *data,
                       struct error *err)
{
    const struct option_word *word = find_option(text);
    if (!word)
        return add_data(data, text, i, err);
    switch (word->kind) {
    case BIND:
    case RBIND:
        m->bind = true;
        m->recursive = word->kind == RBIND;
        return 0;
    case SET:
    case CLEAR:
    case ACCESS:
        change(m, word);
        return 0;
    case PROPAGATION:
        m->propagation = word->bits;
        m->propagation_all = word->all;
        return 0;
    case COPY_UP:
        m->copy_up = true;
        return 0;
    case IDMAP:
        m->idmap = true;
        m->idmap_all = word->all;
        return 0;
    case SUPER:
        return streq(text, "nolazytime") ? 0 : add_data(data, text, i, err);
    case OBSOLETE:
        return error_set(err, -ENOTSUP, "options[%zu]: %s is not supported: %s", i, text,
                         streq(text, "mand") ? "the kernel has no mandatory locks any more"
                                             : "every mount here is a new one");
    case NOTHING:
        break;
    }
    return 0;
}

static int read_options(const json_t *item, struct bundle_mount *m, struct error *err)
{
    autobuf data = {0};
    const json_t *list = json_object_get(item, "options");
    if (!list || json_is_null(list))
        return 0;
    int rc = field_array(list, "options", 1024, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (!text)
            return error_set(err, -EINVAL, "options[%zu] must be a string", i);
        if (*text)
            rc = read_option(m, text, i, &data, err);
    }
    if (rc == 0 && data.len)
        m->data = buf_take(&data);
    return rc;
}

static int read_maps(const json_t *item, struct bundle_mount *m, struct error *err)
{
    const json_t *uids = json_object_get(item, "uidMappings");
    const json_t *gids = json_object_get(item, "gidMappings");
    bool there = json_array_size(uids) || json_array_size(gids);
    int rc = 0;
    if (!there)
        return 0;
    if (!json_array_size(uids) || !json_array_size(gids))
        return error_set(err, -EINVAL, "uidMappings and gidMappings must both be there");
    rc = bundle_maps_read(uids, "uidMappings", &m->maps.uids, &m->maps.uid_count, err);
    if (rc == 0)
        rc = bundle_maps_read(gids, "gidMappings", &m->maps.gids, &m->maps.gid_count, err);
    m->idmap = true; /* as runtimes did before there was a word for it */
    return rc;
}

static int optional_string(const json_t *item, const char *key, const char **text,
                           struct error *err)
{
    const json_t *value = json_object_get(item, key);
    *text = NULL;
    return value && !json_is_null(value) ? field_string(item, key, text, err) : 0;
}

static int check_kind(struct bundle_mount *m, const char *source, const char *bundle,
                      struct error *err)
{
    if (m->bind) {
        if (!source || !*source)
            return error_set(err, -EINVAL, "source is missing: a bind mount needs one");
        if (m->data)
            return error_set(err, -ENOTSUP,
                             "options: a bind mount shares its file system with its source, and "
                             "does not take \"%.200s\"",
                             m->data);
        free(m->type);
        m->type = xstrdup("bind");
        m->source = *source == '/' ? xstrdup(source) : xasprintf("%s/%s", bundle, source);
    } else {
        if (!m->type || !*m->type)
            return error_set(err, -EINVAL,
                             "type is missing, and no option says that it is a bind mount");
        m->source = source ? xstrdup(source) : NULL;
        if (m->idmap)
            return error_set(err, -ENOTSUP, "options: only bind mounts are mapped (idmap)");
    }
    if (m->copy_up && !streq(m->type, "tmpfs"))
        return error_set(err, -EINVAL, "options: tmpcopyup is for a tmpfs");
    return 0;
}

static int read_mount(const json_t *item, struct bundle *bundle, struct bundle_mount *m,
                      struct error *err)
{
    char clean[INROOT_PATH_MAX];
    const char *target = NULL, *type = NULL, *source = NULL;
    int rc = field_string(item, "destination", &target, err);
    if (rc == 0)
        rc = inroot_clean(target, "destination", clean, err);
    if (rc == 0 && streq(clean, "/"))
        rc = field_wrong(err, "destination", "below the root");
    if (rc == 0)
        rc = optional_string(item, "type", &type, err);
    if (rc == 0)
        rc = optional_string(item, "source", &source, err);
    if (rc < 0)
        return rc;
    m->target = xstrdup(clean);
    m->bind = streq(type, "bind");
    m->recursive = false;
    m->type = type ? xstrdup(type) : NULL;
    rc = read_options(item, m, err);
    if (rc == 0)
        rc = read_maps(item, m, err);
    return rc < 0 ? rc : check_kind(m, source, bundle->path, err);
}

BUNDLE_READ(bundle_mounts_read)
{
    struct bundle *bundle = into;
    int rc = field_array(value, key, MOUNTS_MAX, err);
    if (rc < 0 || json_array_size(value) == 0)
        return rc;
    bundle->mounts = xcalloc(json_array_size(value), sizeof *bundle->mounts);
    for (size_t i = 0; i < json_array_size(value); i++) {
        bundle->mount_count++;
        rc = read_mount(json_array_get(value, i), bundle, &bundle->mounts[i], err);
        if (rc < 0)
            return field_under_item(err, rc, key, i);
    }
    return 0;
}
