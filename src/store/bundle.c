/* SPDX-License-Identifier: Apache-2.0 */
#include "store/bundle.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "archive/tar.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"

#define LINKS_MAX 8

/* Joins and cleans: "a/b" and "../c/d" give "a/c/d"; NULL when it leads out of the archive. */
static char *clean_path(const char *folder, const char *path)
{
    autostrv parts = {0};
    autobuf joined = {0}, clean = {0};
    buf_fmt(&joined, "%s/%s", folder, path);
    strv_split(&parts, buf_text(&joined), '/');
    for (size_t i = 0; i < parts.len; i++) {
        const char *part = parts.items[i];
        if (!*part || streq(part, "."))
            continue;
        if (streq(part, "..")) {
            if (clean.len == 0)
                return NULL;
            const char *slash = memrchr(clean.data, '/', clean.len);
            clean.len = slash ? (size_t)(slash - clean.data) : 0;
            clean.data[clean.len] = '\0';
            continue;
        }
        buf_fmt(&clean, "%s%s", clean.len ? "/" : "", part);
    }
    return buf_take(&clean);
}

/* Never NULL: a link that leads out of the archive leads to "", where nothing is. */
static char *link_target(const struct tar_entry *entry, const char *path)
{
    bool from_top = entry->type == TAR_HARDLINK || entry->link[0] == '/';
    const char *slash = strrchr(path, '/');
    autofree char *folder = xstrndup(path, slash && !from_top ? (size_t)(slash - path) : 0);
    char *target = clean_path(folder, entry->link);
    return target ? target : xstrdup("");
}

static int add_file(struct bundle *bundle, const struct tar_entry *entry, size_t *room,
                    struct error *err)
{
    bool is_link = entry->type == TAR_HARDLINK || entry->type == TAR_SYMLINK;
    if (entry->type != TAR_FILE && !is_link)
        return 0;
    if (bundle->count == BUNDLE_FILES_MAX)
        return error_set(err, -E2BIG,
                         "more than %d files: this is not an image archive; for the "
                         "tar of a root file system there is 'caisson import'",
                         BUNDLE_FILES_MAX);
    if (entry->sparse)
        return error_set(err, -EINVAL,
                         "%.200s is stored as a sparse file, which image archives "
                         "may not have",
                         entry->path);
    char *path = clean_path("", entry->path);
    if (!path)
        return 0; /* outside: nothing can name it */
    if (bundle->count == *room) {
        *room = *room ? *room * 2 : 64;
        bundle->files = xrealloc(bundle->files, *room, sizeof *bundle->files);
    }
    bundle->files[bundle->count++] = (struct bundle_file){
        .path = path,
        .link = is_link ? link_target(entry, path) : NULL,
        .offset = entry->data_offset,
        .size = is_link ? 0 : entry->size,
    };
    return 0;
}

/* Of two with one path the later one in the archive comes last. */
static int compare_files(const void *a, const void *b)
{
    const struct bundle_file *x = a, *y = b;
    int order = strcmp(x->path, y->path);
    return order ? order : (x->offset > y->offset) - (x->offset < y->offset);
}

/* As tar does, the last of several files of one name counts. */
static void keep_last(struct bundle *bundle)
{
    size_t kept = 0;
    for (size_t i = 0; i < bundle->count; i++) {
        struct bundle_file *file = &bundle->files[i];
        if (kept > 0 && streq(bundle->files[kept - 1].path, file->path)) {
            free(bundle->files[kept - 1].path);
            free(bundle->files[kept - 1].link);
            bundle->files[kept - 1] = *file;
            bundle->files[kept - 1].twice = true;
        } else {
            bundle->files[kept++] = *file;
        }
    }
    bundle->count = kept;
}

static int read_index(struct bundle *bundle, struct stream *stream, struct error *err)
{
    autotar tar = tar_open(stream, NULL, NULL);
    const struct tar_entry *entry;
    size_t room = 0;
    int rc;
    while ((rc = tar_next(tar, &entry, err)) > 0) {
        rc = add_file(bundle, entry, &room, err);
        if (rc < 0)
            return rc;
    }
    if (rc < 0)
        return bundle->count == 0 ? error_prefix(err, "this is no image archive") : rc;
    if (bundle->count > 0)
        qsort(bundle->files, bundle->count, sizeof *bundle->files, compare_files);
    keep_last(bundle);
    return 0;
}

/* Puts what comes out of the stream into a file without a name. */
static int spool(struct staging *staging, struct stream *stream, struct bundle *bundle,
                 struct error *err)
{
    bundle->spool = openat(staging->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (bundle->spool < 0) /* not every file system has unnamed files */
        bundle->spool = openat(staging->fd, "spool", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (bundle->spool < 0)
        return error_errno(err, "cannot write below %s/tmp", staging->store->root);
    bundle->fd = bundle->spool;
    const void *bytes;
    ssize_t n;
    while ((n = stream_peek(stream, &bytes, err)) > 0) {
        int rc = write_all(bundle->spool, bytes, (size_t)n);
        if (rc < 0)
            return error_set(err, rc, "cannot unpack the archive below %s/tmp: %s",
                             staging->store->root, error_describe(rc));
        stream_used(stream, (size_t)n);
    }
    return n < 0 ? (int)n : 0;
}

static int open_tar(struct staging *staging, const struct stream_limits *limits, bool seekable,
                    uint64_t start, struct bundle *bundle, struct error *err)
{
    struct stream_source source = {.fd = bundle->fd,
                                   .seekable = seekable,
                                   .offset = start,
                                   .length = STREAM_TO_END,
                                   .no_digests = true};
    autostream stream = stream_open(&source, limits, err);
    if (!stream)
        return err->code;
    if (!seekable || stream_format(stream) != STREAM_PLAIN) {
        int rc = spool(staging, stream, bundle, err);
        return rc < 0 ? rc : open_tar(staging, limits, true, 0, bundle, err);
    }
    int rc = read_index(bundle, stream, err);
    for (size_t i = 0; i < bundle->count; i++)
        bundle->files[i].offset += start;
    return rc;
}

int bundle_open(struct staging *staging, int fd, const struct stream_limits *limits,
                struct bundle *out, struct error *err)
{
    autobundle bundle = {.fd = fd, .spool = -1};
    struct error local = {0};
    struct stat st;
    if (!err)
        err = &local;
    if (fstat(fd, &st) < 0)
        return error_errno(err, "cannot stat the archive");
    if (S_ISDIR(st.st_mode)) {
        bundle.directory = true;
    } else {
        off_t start = S_ISREG(st.st_mode) ? lseek(fd, 0, SEEK_CUR) : -1;
        int rc =
            open_tar(staging, limits, start >= 0, start >= 0 ? (uint64_t)start : 0, &bundle, err);
        if (rc < 0)
            return rc;
    }
    *out = bundle;
    bundle = (struct bundle){.spool = -1};
    return 0;
}

void bundle_close(struct bundle *bundle)
{
    for (size_t i = 0; i < bundle->count; i++) {
        free(bundle->files[i].path);
        free(bundle->files[i].link);
    }
    free(bundle->files);
    for (size_t i = 0; i < bundle->opened_count; i++)
        close(bundle->opened[i]);
    free(bundle->opened);
    if (bundle->spool >= 0)
        close(bundle->spool);
    *bundle = (struct bundle){.spool = -1};
}

static const struct bundle_file *lookup(const struct bundle *bundle, const char *path)
{
    size_t low = 0, high = bundle->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(bundle->files[middle].path, path);
        if (order == 0)
            return &bundle->files[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static int missing(const char *path, struct error *err)
{
    autobuf shown = {0};
    buf_printable(&shown, path);
    return error_set(err, -ENOENT, "%.300s is missing in the archive", buf_text(&shown));
}

/* The file itself, links followed within the archive. */
static int find_file(const struct bundle *bundle, const char *path, const struct bundle_file **out,
                     struct error *err)
{
    autofree char *clean = clean_path("", path);
    const struct bundle_file *file = clean ? lookup(bundle, clean) : NULL;
    for (int i = 0; file && file->link && i < LINKS_MAX; i++)
        file = lookup(bundle, file->link);
    if (!file || file->link)
        return missing(path, err);
    *out = file;
    return 0;
}

static int find_in_directory(struct bundle *bundle, const char *path, struct stream_source *out,
                             struct error *err)
{
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    struct stat st;
    autofd fd = (int)syscall(SYS_openat2, bundle->fd, path, &how, sizeof how);
    if (fd < 0 && errno == ENOENT)
        return missing(path, err);
    if (fd < 0)
        return error_errno(err, "cannot open %.300s in the image directory", path);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return error_set(err, -EINVAL, "%.300s in the image directory is no regular file", path);
    *out = (struct stream_source){
        .fd = fd, .seekable = true, .offset = 0, .length = (uint64_t)st.st_size};
    bundle->opened = xrealloc(bundle->opened, bundle->opened_count + 1, sizeof *bundle->opened);
    bundle->opened[bundle->opened_count++] = take_fd(&fd);
    return 0;
}

int bundle_find(struct bundle *bundle, const char *path, struct stream_source *out,
                struct error *err)
{
    if (bundle->directory)
        return find_in_directory(bundle, path, out, err);
    const struct bundle_file *file = NULL;
    int rc = find_file(bundle, path, &file, err);
    if (rc < 0)
        return rc;
    *out = (struct stream_source){
        .fd = bundle->fd, .seekable = true, .offset = file->offset, .length = file->size};
    return 0;
}

bool bundle_has(struct bundle *bundle, const char *path)
{
    const struct bundle_file *file = NULL;
    if (bundle->directory)
        return faccessat(bundle->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    return find_file(bundle, path, &file, NULL) == 0;
}

int bundle_read(struct bundle *bundle, const char *path, size_t limit, struct buf *out,
                struct error *err)
{
    struct stream_source source;
    const struct bundle_file *file = NULL;
    if (!bundle->directory && find_file(bundle, path, &file, NULL) == 0 && file->twice)
        return error_set(err, -EINVAL, "%.300s is in the archive twice", path);
    int rc = bundle_find(bundle, path, &source, err);
    if (rc < 0)
        return rc;
    if (source.length > limit)
        return error_set(err, -EFBIG, "%.300s is larger than %zu bytes", path, limit);
    for (uint64_t done = 0; done < source.length;) {
        char *room = buf_room(out, source.length - done);
        ssize_t n = pread(source.fd, room, source.length - done, (off_t)(source.offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, "cannot read %.300s", path);
        if (n == 0)
            return error_set(err, -EBADMSG, "the archive ends within %.300s", path);
        out->len += (size_t)n;
        out->data[out->len] = '\0';
        done += (uint64_t)n;
    }
    return 0;
}
