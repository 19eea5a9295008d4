/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "archive/tar_reader.h"
#include "base/memory.h"

struct tar_reader *tar_open(struct stream *stream, tar_raw *raw, void *closure)
{
    struct tar_reader *r = xcalloc(1, sizeof *r);
    r->stream = stream;
    r->raw = raw;
    r->closure = closure;
    return r;
}

void tar_close(struct tar_reader *r)
{
    if (!r)
        return;
    pax_clear(&r->pax);
    pax_clear(&r->global_pax);
    buf_free(&r->local);
    buf_free(&r->global);
    buf_free(&r->long_name);
    buf_free(&r->long_link);
    buf_free(&r->name);
    buf_free(&r->link);
    free(r->segments);
    free(r);
}

int tar_damaged(const struct tar_reader *r, const char *why, struct error *err)
{
    return error_set(err, -EBADMSG, "damaged archive: %s (at byte %llu)", why,
                     (unsigned long long)stream_position(r->stream));
}

static int hand_raw(struct tar_reader *r, const void *bytes, size_t length, struct error *err)
{
    return r->raw ? r->raw(r->closure, bytes, length, err) : 0;
}

int tar_take_block(struct tar_reader *r, void *block, struct error *err)
{
    ssize_t n = stream_read(r->stream, block, TAR_BLOCK, err);
    if (n < 0)
        return (int)n;
    int rc = hand_raw(r, block, (size_t)n, err);
    if (rc < 0)
        return rc;
    if (n == 0)
        return 0;
    if (n < TAR_BLOCK)
        return tar_damaged(r, r->started ? "it ends in the middle of a header" : "no tar header",
                           err);
    return 1;
}

/* Passes `length` bytes on to `raw`. */
static int pass_on(struct tar_reader *r, uint64_t length, struct error *err)
{
    if (!r->raw)
        return stream_skip(r->stream, length, err);
    while (length > 0) {
        const void *bytes;
        ssize_t n = stream_peek(r->stream, &bytes, err);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return tar_damaged(r, "it ends in the middle of an entry", err);
        size_t take = (uint64_t)n < length ? (size_t)n : (size_t)length;
        int rc = hand_raw(r, bytes, take, err);
        if (rc < 0)
            return rc;
        stream_used(r->stream, take);
        length -= take;
    }
    return 0;
}

/* --- content --- */

ssize_t tar_peek(struct tar_reader *r, const void **bytes, struct error *err)
{
    if (r->left == 0)
        return 0;
    ssize_t n = stream_peek(r->stream, bytes, err);
    if (n == 0)
        return tar_damaged(r, "it ends in the middle of a file", err);
    return n > 0 && (uint64_t)n > r->left ? (ssize_t)r->left : n;
}

void tar_used(struct tar_reader *r, size_t length)
{
    stream_used(r->stream, length);
    r->left -= length;
}

ssize_t tar_read(struct tar_reader *r, void *bytes, size_t length, struct error *err)
{
    size_t want = r->left < length ? (size_t)r->left : length;
    ssize_t n = stream_read(r->stream, bytes, want, err);
    if (n < 0)
        return n;
    r->left -= (uint64_t)n;
    if ((size_t)n < want)
        return tar_damaged(r, "it ends in the middle of a file", err);
    return n;
}

ssize_t tar_pull(void *reader, void *bytes, size_t length, struct error *err)
{
    return tar_read(reader, bytes, length, err);
}

int tar_skip(struct tar_reader *r, struct error *err)
{
    int rc = pass_on(r, r->left, err);
    if (rc == 0)
        r->left = 0;
    return rc;
}

/* --- headers --- */

/* The content of an extended header, in full and NUL-terminated. */
static int read_extension(struct tar_reader *r, uint64_t size, uint64_t max, struct buf *out,
                          struct error *err)
{
    if (size > max)
        return tar_damaged(r, "an extended header is too large", err);
    uint64_t padded = size + tar_padding(size);
    buf_clear(out);
    char *at = buf_room(out, (size_t)padded + 1);
    ssize_t n = stream_read(r->stream, at, (size_t)padded, err);
    if (n < 0)
        return (int)n;
    if ((uint64_t)n < padded)
        return tar_damaged(r, "it ends in the middle of an extended header", err);
    out->len += (size_t)size;
    int rc = hand_raw(r, at, (size_t)padded, err);
    at[size] = '\0';
    return rc;
}

/* GNU's long names end with a NUL that is not part of them. */
static int read_long(struct tar_reader *r, uint64_t size, struct buf *out, bool *has,
                     struct error *err)
{
    int rc = read_extension(r, size, TAR_NAME_MAX, out, err);
    if (rc < 0)
        return rc;
    out->len = strnlen(out->data, out->len);
    *has = true;
    return 0;
}

static int read_global(struct tar_reader *r, uint64_t size, struct error *err)
{
    int rc = read_extension(r, size, TAR_PAX_MAX, &r->global, err);
    if (rc < 0)
        return rc;
    rc = pax_apply(&r->global_pax, PAX_GLOBAL, r->global.data, r->global.len, err);
    if (rc == 0 && !r->has_local)
        r->pax = r->global_pax;
    return rc;
}

static int read_local(struct tar_reader *r, uint64_t size, struct error *err)
{
    int rc = read_extension(r, size, TAR_PAX_MAX, &r->local, err);
    if (rc < 0)
        return rc;
    r->has_local = true;
    pax_clear(&r->pax);
    r->pax = r->global_pax; /* only plain values, owns nothing */
    return pax_apply(&r->pax, PAX_LOCAL, r->local.data, r->local.len, err);
}

/* 1 when the block was a header about the next entry and is dealt with. */
static int read_about_next(struct tar_reader *r, bool *open, struct error *err)
{
    uint64_t size;
    char type = r->block.type;
    if (!type || !strchr("xXgLKV", type))
        return 0;
    if (tar_number(r->block.size, sizeof r->block.size, TAR_SIZE_MAX, &size) < 0)
        return tar_damaged(r, "a header with a bad size", err);
    int rc = 0;
    *open |= type != 'g' && type != 'V';
    switch (type) {
    case 'x':
    case 'X':
        rc = read_local(r, size, err);
        break;
    case 'g':
        rc = read_global(r, size, err);
        break;
    case 'L':
        rc = read_long(r, size, &r->long_name, &r->has_long_name, err);
        break;
    case 'K':
        rc = read_long(r, size, &r->long_link, &r->has_long_link, err);
        break;
    default: /* a volume's label */
        rc = pass_on(r, size + tar_padding(size), err);
        break;
    }
    return rc < 0 ? rc : 1;
}

static void take_names(struct tar_reader *r)
{
    const struct tar_block *b = &r->block;
    buf_clear(&r->name);
    buf_clear(&r->link);
    if (r->pax.sparse_name) {
        buf_str(&r->name, r->pax.sparse_name);
    } else if (r->pax.path) {
        buf_str(&r->name, r->pax.path);
    } else if (r->has_long_name) {
        buf_add(&r->name, r->long_name.data, r->long_name.len);
    } else {
        if (tar_block_is_ustar(b) && b->prefix[0]) {
            /* star keeps times behind a shorter prefix, and says so at the block's end. */
            bool star = memcmp(b->pad + sizeof b->pad - 4, "tar", 4) == 0;
            buf_add(&r->name, b->prefix, strnlen(b->prefix, star ? 131 : sizeof b->prefix));
            buf_char(&r->name, '/');
        }
        buf_add(&r->name, b->name, strnlen(b->name, sizeof b->name));
    }
    if (r->pax.link)
        buf_str(&r->link, r->pax.link);
    else if (r->has_long_link)
        buf_add(&r->link, r->long_link.data, r->long_link.len);
    else
        buf_add(&r->link, b->link, strnlen(b->link, sizeof b->link));
}

static enum tar_type type_of(const struct tar_reader *r)
{
    bool slash = r->name.len > 0 && r->name.data[r->name.len - 1] == '/';
    switch (r->block.type) {
    case '\0':
    case '0':
    case '7':
        return slash ? TAR_DIRECTORY : TAR_FILE; /* v7 knows directories only by their slash */
    case 'S':
        return TAR_FILE;
    case '1':
        return TAR_HARDLINK;
    case '2':
        return TAR_SYMLINK;
    case '3':
        return TAR_CHARACTER;
    case '4':
        return TAR_BLOCK_DEVICE;
    case '5':
        return TAR_DIRECTORY;
    case '6':
        return TAR_FIFO;
    default:
        return TAR_UNKNOWN;
    }
}

static int take_numbers(struct tar_reader *r, struct error *err)
{
    const struct tar_block *b = &r->block;
    struct tar_entry *e = &r->entry;
    uint64_t mode, major = 0, minor = 0;
    bool device = e->type == TAR_CHARACTER || e->type == TAR_BLOCK_DEVICE;
    if (tar_number(b->mode, sizeof b->mode, UINT64_MAX, &mode) < 0 ||
        (r->pax.has_uid ? 0 : tar_number(b->uid, sizeof b->uid, UINT64_MAX, &e->uid)) < 0 ||
        (r->pax.has_gid ? 0 : tar_number(b->gid, sizeof b->gid, UINT64_MAX, &e->gid)) < 0 ||
        (r->pax.has_mtime ? 0 : tar_signed_number(b->mtime, sizeof b->mtime, &e->mtime)) < 0 ||
        (r->pax.has_size ? 0 : tar_number(b->size, sizeof b->size, TAR_SIZE_MAX, &e->size)) < 0 ||
        (device && (tar_number(b->major, sizeof b->major, UINT32_MAX, &major) < 0 ||
                    tar_number(b->minor, sizeof b->minor, UINT32_MAX, &minor) < 0)))
        return tar_damaged(r, "a header with a bad number", err);
    e->mode = (uint32_t)(mode & 07777);
    e->major = (uint32_t)major;
    e->minor = (uint32_t)minor;
    if (r->pax.has_uid)
        e->uid = r->pax.uid;
    if (r->pax.has_gid)
        e->gid = r->pax.gid;
    if (r->pax.has_size)
        e->size = r->pax.size;
    if (r->pax.has_mtime) {
        e->mtime = r->pax.mtime;
        e->mtime_nsec = r->pax.mtime_nsec;
    }
    return 0;
}

static int build_entry(struct tar_reader *r, struct error *err)
{
    struct tar_entry *e = &r->entry;
    take_names(r);
    if (r->name.len == 0)
        return tar_damaged(r, "an entry without a name", err);
    if (r->name.len > TAR_NAME_MAX || r->link.len > TAR_NAME_MAX)
        return tar_damaged(r, "a name is too long", err);
    *e = (struct tar_entry){.flag = r->block.type, .type = type_of(r)};
    e->path = buf_text(&r->name);
    bool link = e->type == TAR_HARDLINK || e->type == TAR_SYMLINK;
    e->link = link ? buf_text(&r->link) : "";
    e->xattrs = r->pax.xattrs;
    e->xattr_count = r->pax.xattr_count;
    int rc = take_numbers(r, err);
    if (rc < 0)
        return rc;
    /* GNU tar and others disagree on whether this one has content. */
    if (e->type == TAR_DIRECTORY && e->flag != '5' && e->size > 0)
        return tar_damaged(r, "a file whose name ends with a slash", err);
    if (e->type != TAR_FILE && e->type != TAR_UNKNOWN)
        e->size = 0;
    e->stored = e->size;
    e->data_offset = stream_position(r->stream);
    r->left = e->size;
    r->padding = tar_padding(e->size);
    return tar_sparse(r, err);
}

/* After the first empty block: a second one, then whatever fills the archive up. */
static int read_trailer(struct tar_reader *r, struct error *err)
{
    int rc = tar_take_block(r, &r->block, err);
    if (rc < 0)
        return rc;
    if (rc > 0 && !tar_block_empty(&r->block))
        return tar_damaged(r, "an empty block between entries", err);
    for (;;) {
        const void *bytes;
        ssize_t n = stream_peek(r->stream, &bytes, err);
        if (n <= 0)
            return (int)n;
        rc = hand_raw(r, bytes, (size_t)n, err);
        if (rc < 0)
            return rc;
        stream_used(r->stream, (size_t)n);
    }
}

/* What was said about one entry does not hold for the next. */
static int leave_entry(struct tar_reader *r, struct error *err)
{
    int rc = tar_skip(r, err);
    if (rc == 0)
        rc = pass_on(r, r->padding, err);
    r->padding = 0;
    r->has_long_name = r->has_long_link = r->has_local = false;
    pax_clear(&r->pax);
    r->pax = r->global_pax;
    return rc;
}

int tar_next(struct tar_reader *r, const struct tar_entry **entry, struct error *err)
{
    bool open = false; /* a header about the next entry was read */
    if (r->ended)
        return 0;
    int rc = leave_entry(r, err);
    while (rc >= 0) {
        rc = tar_take_block(r, &r->block, err);
        if (rc < 0)
            return rc;
        bool end = rc == 0 || tar_block_empty(&r->block);
        if (end && open)
            return tar_damaged(r, "an extended header without an entry", err);
        if (rc == 0 && !r->started)
            return error_set(err, -EBADMSG, "empty: not a tar archive");
        r->started = true;
        if (end) {
            r->ended = true;
            return rc == 0 ? 0 : read_trailer(r, err);
        }
        if (!tar_block_checksum_right(&r->block))
            return tar_damaged(r, "a header with a wrong checksum", err);
        rc = read_about_next(r, &open, err);
        if (rc == 0) {
            rc = build_entry(r, err);
            if (rc < 0)
                return rc;
            *entry = &r->entry;
            return 1;
        }
    }
    return rc;
}
