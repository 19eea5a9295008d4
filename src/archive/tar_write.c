/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "archive/tar.h"
#include "archive/tar_block.h"
#include "base/buf.h"

static int put(struct tar_writer *w, const void *bytes, size_t length, struct error *err)
{
    int rc = w->sink(w->closure, bytes, length);
    return rc < 0 ? error_set(err, rc, "cannot write: %s", error_describe(rc)) : 0;
}

static int put_zeros(struct tar_writer *w, uint64_t length, struct error *err)
{
    static const char zeros[2 * TAR_BLOCK];
    return length > 0 ? put(w, zeros, (size_t)length, err) : 0;
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
static void add_record(struct buf *out, const char *key, const void *value, size_t length)
{
    size_t rest = strlen(key) + length + 3;
    size_t total = rest + 1;
    for (size_t digits = 1, bound = 10; total >= bound; digits++, bound *= 10)
        total = rest + digits + 1;
    buf_fmt(out, "%zu %s=", total, key);
    buf_add(out, value, length);
    buf_char(out, '\n');
}

static void add_text(struct buf *out, const char *key, const char *value)
{
    add_record(out, key, value, strlen(value));
}

static void add_number(struct buf *out, const char *key, uint64_t value)
{
    autobuf text = {0};
    buf_fmt(&text, "%llu", (unsigned long long)value);
    add_text(out, key, buf_text(&text));
}

static void add_time(struct buf *out, const struct tar_entry *e)
{
    autobuf text = {0};
    int64_t seconds = e->mtime;
    uint32_t nsec = e->mtime_nsec;
    if (seconds < 0 && nsec > 0) { /* counted forward here, written as a negative fraction */
        seconds++;
        nsec = 1000000000 - nsec;
    }
    if (seconds == 0 && e->mtime < 0)
        buf_char(&text, '-');
    buf_fmt(&text, "%lld", (long long)seconds);
    if (nsec > 0)
        buf_fmt(&text, ".%09u", nsec);
    add_text(out, "mtime", buf_text(&text));
}

static void octal(char *field, size_t width, uint64_t value)
{
    for (size_t i = width - 1; i-- > 0; value >>= 3)
        field[i] = (char)('0' + (value & 7));
    field[width - 1] = '\0';
}

/* A number that does not fit is 0 here and right in the extended header. */
static bool fit(char *field, size_t width, uint64_t value)
{
    bool fits = value >> (3 * (width - 1)) == 0;
    octal(field, width, fits ? value : 0);
    return fits;
}

static void finish_block(struct tar_block *b)
{
    memcpy(b->magic, "ustar", sizeof b->magic);
    memcpy(b->version, "00", sizeof b->version);
    octal(b->checksum, sizeof b->checksum - 1, tar_block_checksum(b));
    b->checksum[7] = ' ';
}

/* Splits a long name at a slash into prefix and name. */
static bool fit_name(struct tar_block *b, const char *path)
{
    size_t length = strlen(path);
    if (length <= sizeof b->name) {
        memcpy(b->name, path, length);
        return true;
    }
    for (size_t i = 1; i < length - 1 && i <= sizeof b->prefix; i++) {
        if (path[i] == '/' && length - i - 1 <= sizeof b->name) {
            memcpy(b->prefix, path, i);
            memcpy(b->name, path + i + 1, length - i - 1);
            return true;
        }
    }
    memcpy(b->name, path, sizeof b->name);
    return false;
}

static char type_flag(enum tar_type type)
{
    static const char flags[] = "01234560";
    return flags[type];
}

static void fill_block(struct tar_block *b, const struct tar_entry *e, struct buf *pax)
{
    size_t link = strlen(e->link);
    b->type = type_flag(e->type);
    if (!fit_name(b, e->path))
        add_text(pax, "path", e->path);
    memcpy(b->link, e->link, link < sizeof b->link ? link : sizeof b->link);
    if (link > sizeof b->link)
        add_text(pax, "linkpath", e->link);
    octal(b->mode, sizeof b->mode, e->mode & 07777);
    if (!fit(b->uid, sizeof b->uid, e->uid))
        add_number(pax, "uid", e->uid);
    if (!fit(b->gid, sizeof b->gid, e->gid))
        add_number(pax, "gid", e->gid);
    if (!fit(b->size, sizeof b->size, e->type == TAR_FILE ? e->size : 0))
        add_number(pax, "size", e->size);
    if (!fit(b->mtime, sizeof b->mtime, (uint64_t)e->mtime) || e->mtime_nsec > 0)
        add_time(pax, e);
    octal(b->major, sizeof b->major, e->major);
    octal(b->minor, sizeof b->minor, e->minor);
    for (size_t i = 0; i < e->xattr_count; i++) {
        autobuf key = {0};
        buf_fmt(&key, "SCHILY.xattr.%s", e->xattrs[i].name);
        add_record(pax, buf_text(&key), e->xattrs[i].value, e->xattrs[i].length);
    }
    finish_block(b);
}

/* Form 1.0 of sparse files: the map is the beginning of the content, in decimal lines. What GNU tar
 * and Go's reader know best. */
static void describe_sparse(const struct tar_entry *e, struct buf *map, struct buf *pax)
{
    buf_fmt(map, "%zu\n", e->segment_count);
    for (size_t i = 0; i < e->segment_count; i++)
        buf_fmt(map, "%llu\n%llu\n", (unsigned long long)e->segments[i].offset,
                (unsigned long long)e->segments[i].length);
    for (uint64_t left = tar_padding(map->len); left > 0; left--)
        buf_char(map, '\0');
    add_text(pax, "GNU.sparse.major", "1");
    add_text(pax, "GNU.sparse.minor", "0");
    add_text(pax, "GNU.sparse.name", e->path);
    add_number(pax, "GNU.sparse.realsize", e->size);
}

static int put_pax(struct tar_writer *w, const struct buf *pax, struct error *err)
{
    struct tar_block b = {.type = 'x', .name = "PaxHeaders/entry"};
    octal(b.mode, sizeof b.mode, 0644);
    octal(b.uid, sizeof b.uid, 0);
    octal(b.gid, sizeof b.gid, 0);
    octal(b.size, sizeof b.size, pax->len);
    octal(b.mtime, sizeof b.mtime, 0);
    finish_block(&b);
    int rc = put(w, &b, sizeof b, err);
    if (rc == 0)
        rc = put(w, pax->data, pax->len, err);
    return rc == 0 ? put_zeros(w, tar_padding(pax->len), err) : rc;
}

int tar_write_entry(struct tar_writer *w, const struct tar_entry *e, struct error *err)
{
    if (w->left > 0)
        return error_set(err, -EINVAL, "%s: the entry before it is not complete", e->path);
    if (e->type == TAR_UNKNOWN || e->size > TAR_SIZE_MAX)
        return error_set(err, -EINVAL, "%s: cannot write this kind of entry", e->path);
    struct tar_block b = {0};
    struct tar_entry plain = *e;
    autobuf pax = {0};
    autobuf map = {0};
    if (e->sparse) {
        describe_sparse(e, &map, &pax);
        plain.path = "GNUSparseFile.0/file";
        plain.size = map.len + e->stored;
    }
    fill_block(&b, &plain, &pax);
    int rc = pax.len > 0 ? put_pax(w, &pax, err) : 0;
    if (rc == 0)
        rc = put(w, &b, sizeof b, err);
    if (rc == 0 && map.len > 0)
        rc = put(w, map.data, map.len, err);
    if (rc < 0)
        return rc;
    w->left = e->type == TAR_FILE ? plain.size - map.len : 0;
    w->padding = tar_padding(w->left); /* the map is whole blocks */
    return 0;
}

int tar_write_data(struct tar_writer *w, const void *bytes, size_t length, struct error *err)
{
    if (length > w->left)
        return error_set(err, -EINVAL, "more content than the entry's size");
    int rc = put(w, bytes, length, err);
    if (rc < 0)
        return rc;
    w->left -= length;
    return w->left == 0 && length > 0 ? put_zeros(w, w->padding, err) : 0;
}

int tar_write_end(struct tar_writer *w, struct error *err)
{
    if (w->left > 0)
        return error_set(err, -EINVAL, "the last entry is not complete");
    return put_zeros(w, (uint64_t)2 * TAR_BLOCK, err);
}
