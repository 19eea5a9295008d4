/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/tree_read.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"

#define PARTS_MAX 32768
#define PARTS_FINE 8192                  /* after so many a hole has to be larger to be left out: */
#define HOLE_COARSE (UINT64_C(1) << 20)  /* bytes */
#define HOLE_WORTH 65536                 /* bytes that holes have to save */
#define MISSING_MAX (UINT64_C(64) << 20) /* bytes of a part that may be gone when it is read */
#define PIECE ((size_t)128 << 10)
#define MARKS_MAX ((size_t)512 << 10) /* bytes of a file's attributes: half of TAR_PAX_MAX */
#define NAME_COST (sizeof(char *) + (size_t)16) /* beside its bytes, with the allocator's share */
#define MQUEUE_MAGIC 0x19800202

int file_reopen(int descriptors, int fd, int flags)
{
    char number[16];
    snprintf(number, sizeof number, "%d", fd);
    int opened = openat(descriptors, number, flags | O_CLOEXEC);
    return opened < 0 ? -errno : opened;
}

bool file_system_is_kernels(const struct statfs *fs)
{
    static const unsigned long magics[] = {
        PROC_SUPER_MAGIC,    SYSFS_MAGIC,   DEVPTS_SUPER_MAGIC, CGROUP_SUPER_MAGIC,
        CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC, TRACEFS_MAGIC,      SECURITYFS_MAGIC,
        BPF_FS_MAGIC,        MQUEUE_MAGIC,  PSTOREFS_MAGIC,     EFIVARFS_MAGIC,
    };
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
        if ((unsigned long)fs->f_type == magics[i])
            return true;
    return false;
}

/* --- holes --- */

static void add_part(struct file_parts *parts, uint64_t offset, uint64_t length)
{
    if (parts->count % 64 == 0)
        parts->segments = xrealloc(parts->segments, parts->count + 64, sizeof *parts->segments);
    parts->segments[parts->count++] = (struct tar_segment){.offset = offset, .length = length};
    parts->stored += length;
}

/* Data that begins in or soon after the last part is taken into it when there are many parts. */
static int take_part(struct file_parts *parts, uint64_t from, uint64_t to, struct error *err)
{
    struct tar_segment *last = parts->count ? &parts->segments[parts->count - 1] : NULL;
    uint64_t end = last ? last->offset + last->length : 0;
    if (to <= from || to <= end)
        return 0;
    if (parts->count >= PARTS_FINE && from < end + HOLE_COARSE) {
        parts->stored += to - end;
        last->length += to - end;
        return 0;
    }
    if (parts->count == PARTS_MAX)
        return error_set(err, -EFBIG,
                         "it is more than %d pieces with large holes between them: fill them "
                         "first (cp --sparse=never), or leave it out",
                         PARTS_MAX);
    add_part(parts, from, to - from);
    return 0;
}

int file_parts_find(int fd, const struct stat *st, struct file_parts *out, struct error *err)
{
    struct file_parts parts __attribute__((cleanup(file_parts_free))) = {0};
    off_t at = 0;
    if (st->st_size < HOLE_WORTH || st->st_blocks * 512 > st->st_size - HOLE_WORTH)
        return 0;
    while (at < st->st_size) {
        off_t data = lseek(fd, at, SEEK_DATA);
        if (data < 0 && errno != ENXIO)
            return 0; /* a file system that knows no holes */
        if (data < 0 || data >= st->st_size)
            break; /* nothing but a hole is left */
        off_t hole = lseek(fd, data, SEEK_HOLE);
        if (hole < 0)
            break; /* it has become shorter meanwhile, and ends before this */
        if (hole > st->st_size)
            hole = st->st_size;
        int rc = take_part(&parts, (uint64_t)data, (uint64_t)hole, err);
        if (rc < 0)
            return rc;
        at = hole;
    }
    if (parts.count == 0)
        add_part(&parts, (uint64_t)st->st_size, 0);
    *out = parts;
    parts = (struct file_parts){0};
    return 0;
}

void file_parts_free(struct file_parts *parts)
{
    free(parts->segments);
    *parts = (struct file_parts){0};
}

int file_part_give(int fd, const struct tar_segment *part, struct tar_writer *tar,
                   struct error *err)
{
    autofree char *piece = xmalloc(PIECE);
    uint64_t offset = part->offset, left = part->length;
    while (left > 0) {
        size_t want = left < PIECE ? (size_t)left : PIECE;
        ssize_t n = pread(fd, piece, want, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, "cannot read it");
        if (n == 0 && left > MISSING_MAX)
            return error_set(err, -EIO, "it became much shorter while it was read");
        if (n == 0) {
            memset(piece, 0, want);
            n = (ssize_t)want;
        }
        int rc = tar_write_data(tar, piece, (size_t)n, err);
        if (rc < 0)
            return rc;
        offset += (uint64_t)n;
        left -= (uint64_t)n;
    }
    return 0;
}

/* --- extended attributes --- */

static bool belongs_in_archive(const char *name)
{
    return streq(name, "security.capability") ||
           (starts_with(name, "user.") && !starts_with(name, "user.overlay."));
}

static bool is_to_go(const char *name)
{
    return starts_with(name, "user.overlay.") || starts_with(name, "system.posix_acl_");
}

static int add_mark(int fd, const char *name, size_t *total, struct file_marks *marks,
                    struct error *err)
{
    ssize_t length = fgetxattr(fd, name, NULL, 0);
    if (length < 0) /* gone meanwhile, or capabilities that mean nothing here (EOVERFLOW) */
        return 0;
    autofree char *value = xmalloc((size_t)length + 1);
    length = fgetxattr(fd, name, value, (size_t)length);
    if (length < 0)
        return 0;
    *total += strlen(name) + (size_t)length;
    if (*total > MARKS_MAX)
        return error_set(err, -E2BIG, "it has more than %zu bytes of extended attributes",
                         MARKS_MAX);
    marks->xattrs = xrealloc(marks->xattrs, marks->count + 1, sizeof *marks->xattrs);
    marks->xattrs[marks->count++] = (struct tar_xattr){
        .name = xstrdup(name), .value = take_ptr(value), .length = (size_t)length};
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tar_xattr *)a)->name, ((const struct tar_xattr *)b)->name);
}

int file_marks_read(int fd, bool cleanse, struct file_marks *out, struct error *err)
{
    char list[65536], value; /* XATTR_LIST_MAX */
    size_t total = 0;
    ssize_t length = flistxattr(fd, list, sizeof list);
    int rc = 0;
    for (ssize_t at = 0; rc == 0 && at < length; at += (ssize_t)strlen(list + at) + 1) {
        if (belongs_in_archive(list + at))
            rc = add_mark(fd, list + at, &total, out, err);
        else if (streq(list + at, "user.overlay.opaque"))
            out->opaque = fgetxattr(fd, list + at, &value, 1) == 1 && value == 'y';
        else if (cleanse && is_to_go(list + at) && fremovexattr(fd, list + at) < 0)
            rc = error_set(err, -errno, "cannot take its attribute %.60s off: %s", list + at,
                           error_describe(errno));
    }
    if (out->count > 1)
        qsort(out->xattrs, out->count, sizeof *out->xattrs, by_name);
    return rc;
}

void file_marks_free(struct file_marks *marks)
{
    for (size_t i = 0; i < marks->count; i++) {
        free((void *)(uintptr_t)marks->xattrs[i].name);
        free((void *)(uintptr_t)marks->xattrs[i].value);
    }
    free(marks->xattrs);
    *marks = (struct file_marks){0};
}

/* --- directories --- */

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int directory_names(int fd, uint64_t most, size_t *room, struct strv *out, struct error *err)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    autodir d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) {
        int saved = errno;
        if (copy >= 0)
            close(copy);
        return error_set(err, -saved, "cannot read the directory: %s", error_describe(saved));
    }
    const struct dirent *entry;
    while ((errno = 0, entry = readdir(d))) {
        if (streq(entry->d_name, ".") || streq(entry->d_name, ".."))
            continue;
        size_t cost = NAME_COST + strlen(entry->d_name);
        if (out->len >= most || cost > *room)
            return error_set(err, -EFBIG, "too many files in one directory: take a part of them");
        *room -= cost;
        strv_add(out, entry->d_name);
    }
    if (errno)
        return error_errno(err, "cannot read the directory");
    if (out->len > 1)
        qsort(out->items, out->len, sizeof *out->items, compare);
    return 0;
}
