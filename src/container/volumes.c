/* SPDX-License-Identifier: Apache-2.0 */
/* Making, finding and describing volumes. */
#include "container/volumes.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/disk.h"
#include "container/events.h"
#include "container/summary.h"

#define DESCRIPTION_NAME "volume.json"
#define DESCRIPTION_MAX (1u << 20)
#define MAKING_PREFIX ".new."

/* --- names --- */

static bool plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool volume_name_valid(const char *name)
{
    size_t length = 0;
    if (!plain(name[0]))
        return false;
    for (; name[length]; length++)
        if (length == VOLUME_NAME_SIZE - 1 ||
            (!plain(name[length]) && !strchr("_.-", name[length])))
            return false;
    return true;
}

int volume_check_name(const char *name, struct error *err)
{
    autobuf printable = {0};
    if (volume_name_valid(name))
        return 0;
    buf_printable(&printable, name);
    return error_set(
        err, -EINVAL,
        "\"%.300s\" is no name for a volume: it begins with a letter or digit, followed "
        "by at most %d letters, digits, \"_\", \".\" and \"-\"",
        buf_text(&printable), VOLUME_NAME_SIZE - 2);
}

void volume_random_name(char name[VOLUME_NAME_SIZE])
{
    unsigned char random[32];
    while (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        ;
    hex_encode(random, sizeof random, name);
}

/* --- directories --- */

int volumes_directory(const struct containers *all, bool make, struct error *err)
{
    if (make && mkdirat(all->root_top, VOLUMES_NAME, 0700) < 0 && errno != EEXIST)
        return error_errno(err, "cannot create %s/%s", all->root, VOLUMES_NAME);
    int fd = openat(all->root_top, VOLUMES_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        return error_errno(err, "cannot open %s/%s", all->root, VOLUMES_NAME);
    return fd < 0 ? -ENOENT : fd;
}

static bool still_there(int top, const char *name, int fd)
{
    struct stat held, there;
    return fstat(fd, &held) == 0 && fstatat(top, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           held.st_ino == there.st_ino && held.st_dev == there.st_dev;
}

static int no_such_volume(const char *name, struct error *err)
{
    autobuf printable = {0};
    buf_printable(&printable, name);
    return error_set(err, -ENOENT, "no such volume: %.300s (see caisson volume ls)",
                     buf_text(&printable));
}

/* An entry of `top`, locked, and still its entry once it is. */
static int lock_entry(int top, const char *name, int kind)
{
    for (;;) {
        autofd fd = openat(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return -errno;
        int rc = lock_fd(fd, kind);
        if (rc < 0)
            return rc;
        if (still_there(top, name, fd))
            return take_fd(&fd);
    }
}

int volume_lock(const struct containers *all, const char *name, int kind, struct error *err)
{
    int rc = volume_check_name(name, err);
    if (rc < 0)
        return rc;
    autofd top = volumes_directory(all, false, err);
    int fd = top < 0 ? top : lock_entry(top, name, kind);
    if (fd == -ENOENT)
        return no_such_volume(name, err);
    if (fd == -EWOULDBLOCK)
        return error_set(err, -EBUSY,
                         "volume %s is being given to a container that is just being made: try "
                         "again",
                         name);
    if (fd < 0)
        return error_set(err, fd, "cannot open volume %s: %s", name, error_describe(fd));
    return fd;
}

int volume_hold(const struct containers *all, const char *name, struct error *err)
{
    return volume_lock(all, name, LOCK_SH, err);
}

/* Names of volumes, or of what is on its way to be one or was one. */
static int list_entries(int top, bool volumes, struct strv *names, struct error *err)
{
    int copy = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autodir d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) {
        if (copy >= 0)
            close(copy);
        return error_errno(err, "cannot read the directory of volumes");
    }
    const struct dirent *entry;
    while ((errno = 0, entry = readdir(d))) {
        const char *name = entry->d_name;
        bool passing = starts_with(name, MAKING_PREFIX) || starts_with(name, VOLUME_GONE);
        if (volumes ? volume_name_valid(name) : passing)
            strv_add(names, name);
    }
    return errno ? error_errno(err, "cannot read the directory of volumes") : 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int volume_list(const struct containers *all, struct strv *names, struct error *err)
{
    autofd top = volumes_directory(all, false, err);
    if (top == -ENOENT)
        return 0;
    int rc = top < 0 ? top : list_entries(top, true, names, err);
    if (rc == 0 && names->len > 1)
        qsort(names->items, names->len, sizeof *names->items, compare);
    return rc;
}

void volumes_sweep(int top)
{
    autostrv names = {0};
    (void)list_entries(top, false, &names, NULL);
    for (size_t i = 0; i < names.len; i++) {
        autofd lock = lock_entry(top, names.items[i], LOCK_EX | LOCK_NB);
        if (lock >= 0)
            (void)remove_tree_at(top, names.items[i], NULL);
    }
}

void volume_sweep(const struct containers *all)
{
    autofd top = volumes_directory(all, false, NULL);
    if (top >= 0)
        volumes_sweep(top);
}

/* --- making one --- */

static void describe(const struct volume *volume, struct buf *out)
{
    struct json_out w = {.buf = out};
    json_begin(&w, NULL, '{');
    json_i64(&w, "created", volume->created);
    json_bool(&w, "anonymous", volume->anonymous);
    json_strs(&w, "labels", &volume->labels);
    json_end(&w, '}');
}

static int fill_in(int home, const struct volume *volume, bool durable, struct error *err)
{
    autobuf text = {0};
    describe(volume, &text);
    int rc = write_file_at(home, DESCRIPTION_NAME, buf_text(&text), text.len, 0600,
                           durable ? DURABLE : VOLATILE, err);
    if (rc == 0)
        rc = write_file_at(home, VOLUME_FRESH, "", 0, 0600, VOLATILE, err);
    mode_t mask = umask(0);
    if (rc == 0 && mkdirat(home, VOLUME_DATA, 0755) < 0)
        rc = error_errno(err, "cannot create volume %s", volume->name);
    umask(mask);
    if (rc == 0 && durable && fsync(home) < 0)
        rc = error_errno(err, "cannot write volume %s to disk", volume->name);
    return rc;
}

/* A directory of a passing name, locked: a sweep may have taken it for one that was left. */
static int begin(int top, char place[32], struct error *err)
{
    for (;;) {
        uint64_t random;
        if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
            return error_errno(err, "cannot get random bytes");
        snprintf(place, 32, "%s%016llx", MAKING_PREFIX, (unsigned long long)random);
        if (mkdirat(top, place, 0700) < 0)
            return error_errno(err, "cannot create a volume");
        int fd = lock_entry(top, place, LOCK_EX);
        if (fd != -ENOENT)
            return fd < 0 ? error_set(err, fd, "cannot create a volume: %s", error_describe(fd))
                          : fd;
    }
}

int volume_create(const struct containers *all, const struct volume *volume, bool durable,
                  struct error *err)
{
    char place[32];
    struct volume now = *volume;
    now.created = clock_wall();
    int rc = volume_check_name(volume->name, err);
    if (rc < 0)
        return rc;
    autofd top = volumes_directory(all, true, err);
    if (top < 0)
        return top;
    volumes_sweep(top);
    autofd home = begin(top, place, err);
    if (home < 0)
        return home;
    rc = fill_in(home, &now, durable, err);
    if (rc == 0 && renameat(top, place, top, volume->name) == 0) {
        event_tell_volume(all, volume->name, "create");
        if (durable && fsync(top) < 0)
            rc = error_errno(err, "cannot write volume %s to disk", volume->name);
        return rc;
    }
    if (rc == 0 && errno != EEXIST && errno != ENOTEMPTY)
        rc = error_errno(err, "cannot create volume %s", volume->name);
    (void)remove_tree_at(top, place, NULL);
    return rc;
}

/* --- describing one --- */

void volume_free(struct volume *volume)
{
    strv_free(&volume->labels);
}

static int parse(const struct buf *text, struct volume *out)
{
    autojson document = json_parse(buf_text(text), text->len, DESCRIPTION_NAME, NULL);
    if (!document || json_get_i64(document, "created", &out->created, NULL) < 0 ||
        json_get_bool(document, "anonymous", &out->anonymous, NULL) < 0 ||
        json_get_strings(document, "labels", &out->labels, NULL) < 0)
        return -EBADMSG;
    return 0;
}

int volume_read(const struct containers *all, const char *name, struct volume *out,
                struct error *err)
{
    autovolume volume = {0};
    autobuf text = {0};
    int rc = volume_check_name(name, err);
    if (rc < 0)
        return rc;
    autofd top = volumes_directory(all, false, err);
    autofd home = top < 0 ? -1 : openat(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (top == -ENOENT || (top >= 0 && home < 0 && errno == ENOENT))
        return no_such_volume(name, err);
    if (home < 0)
        return top < 0 ? top : error_errno(err, "cannot open volume %s", name);
    rc = read_file_at(home, DESCRIPTION_NAME, DESCRIPTION_MAX, &text, NULL);
    if (rc == 0)
        rc = parse(&text, &volume);
    if (rc < 0 && !still_there(top, name, home))
        return no_such_volume(name, err);
    if (rc < 0)
        return error_set(err, -EBADMSG, "%s of volume %s is damaged: %s", DESCRIPTION_NAME, name,
                         error_describe(rc));
    snprintf(volume.name, sizeof volume.name, "%s", name);
    *out = volume;
    volume = (struct volume){0};
    return 0;
}

int volume_size(const struct containers *all, const char *name, uint64_t *bytes, struct error *err)
{
    autofd home = volume_hold(all, name, err);
    autofd data = home < 0 ? home : open_directory_at(home, VOLUME_DATA, err);
    uint64_t sum = 0;
    int rc = data < 0 ? data : tree_size(data, &sum);
    if (rc < 0 && data >= 0)
        return error_set(err, rc, "cannot look at volume %s: %s", name, error_describe(rc));
    if (rc == 0)
        *bytes = sum;
    return rc;
}
