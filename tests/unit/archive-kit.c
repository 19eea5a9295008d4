/* SPDX-License-Identifier: Apache-2.0 */
#include "archive-kit.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
/* cmocka wants the headers above */
#include <cmocka.h>

#include "base/io.h"

static int into_buffer(void *closure, const void *bytes, size_t length)
{
    buf_add(closure, bytes, length);
    return 0;
}

void kit_enter(struct kit *kit)
{
    /* In memory where there is room: ext4 avoids the inodes that the test before has freed, which
     * makes many small files slow. */
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    *kit = (struct kit){.dir = -1};
    snprintf(kit->path, sizeof kit->path, "%s/caisson-archive-XXXXXX", parent);
    assert_non_null(mkdtemp(kit->path));
    kit->dir = open(kit->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(kit->dir >= 0);
    kit->writer.sink = into_buffer;
    kit->writer.closure = &kit->tar;
}

void kit_leave(struct kit *kit)
{
    struct error err = {0};
    buf_free(&kit->tar);
    close(kit->dir);
    assert_int_equal(remove_tree_at(AT_FDCWD, kit->path, &err), 0);
}

int kit_file(const void *bytes, size_t length)
{
    int fd = memfd_create("archive", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, bytes, length), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

struct stream *kit_stream(const void *bytes, size_t length, bool no_digests, int *fd)
{
    struct error err = {0};
    *fd = kit_file(bytes, length);
    struct stream_source source = {
        .fd = *fd, .seekable = true, .length = STREAM_TO_END, .no_digests = no_digests};
    struct stream *stream = stream_open(&source, NULL, &err);
    if (!stream)
        fail_msg("%s", err.text);
    return stream;
}

void kit_add(struct kit *kit, const struct tar_entry *entry, const char *content)
{
    struct tar_entry e = *entry;
    if (!e.link)
        e.link = "";
    if (content && e.type == TAR_FILE && e.size == 0)
        e.size = strlen(content);
    assert_int_equal(tar_write_entry(&kit->writer, &e, &kit->err), 0);
    if (e.size > 0)
        assert_int_equal(tar_write_data(&kit->writer, content, (size_t)e.size, &kit->err), 0);
}

void kit_text(struct kit *kit, const char *path, const char *content)
{
    kit_add(kit, &(struct tar_entry){.path = path, .mode = 0644, .mtime = 1000}, content);
}

void kit_dir(struct kit *kit, const char *path)
{
    kit_add(kit, &(struct tar_entry){.type = TAR_DIRECTORY, .path = path, .mode = 0755}, NULL);
}

void kit_link(struct kit *kit, enum tar_type type, const char *path, const char *target)
{
    kit_add(kit, &(struct tar_entry){.type = type, .path = path, .link = target, .mode = 0777},
            NULL);
}

void kit_block(struct kit *kit, struct tar_block *block, const char *content)
{
    char sum[16];
    static const char zeros[TAR_BLOCK];
    snprintf(sum, sizeof sum, "%06o", tar_block_checksum(block));
    memcpy(block->checksum, sum, 7);
    block->checksum[7] = ' ';
    buf_add(&kit->tar, block, sizeof *block);
    size_t length = content ? strlen(content) : 0;
    buf_add(&kit->tar, content ? content : "", length);
    buf_add(&kit->tar, zeros, (size_t)tar_padding(length));
}

void kit_pax(struct kit *kit, char type, const char *records, size_t length)
{
    static const char zeros[TAR_BLOCK];
    struct tar_block block = {.name = "pax", .type = type, .magic = "ustar"};
    snprintf(block.size, sizeof block.size, "%011zo", length);
    kit_block(kit, &block, NULL);
    buf_add(&kit->tar, records, length);
    buf_add(&kit->tar, zeros, (size_t)tar_padding(length));
}

int kit_unpack_bytes(struct kit *kit, const char *name, const void *bytes, size_t length,
                     const struct layer_limits *limits)
{
    kit->err = (struct error){0};
    assert_int_equal(mkdirat(kit->dir, name, 0700), 0);
    autofd dir = openat(kit->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autofd fd = kit_file(bytes, length);
    struct stream_source source = {.fd = fd, .seekable = true, .length = STREAM_TO_END};
    autostream stream = stream_open(&source, NULL, &kit->err);
    return stream ? layer_unpack(stream, dir, limits, &kit->result, &kit->err) : kit->err.code;
}

int kit_unpack_to(struct kit *kit, const char *name, const struct layer_limits *limits)
{
    assert_int_equal(tar_write_end(&kit->writer, &kit->err), 0);
    return kit_unpack_bytes(kit, name, kit->tar.data, kit->tar.len, limits);
}

int kit_unpack(struct kit *kit)
{
    return kit_unpack_to(kit, "layer", NULL);
}

bool kit_layer_gives(struct kit *kit, const char *name, const char *diff_id, const void *bytes,
                     size_t length)
{
    autobuf given = {0};
    autofd dir = openat(kit->dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (layer_write_tar(dir, into_buffer, &given, diff_id, &kit->err) < 0)
        return false;
    return given.len == length && memcmp(given.data, bytes, length) == 0;
}

bool kit_gives_back(struct kit *kit)
{
    return kit_layer_gives(kit, "layer", kit->result.diff_id, kit->tar.data, kit->tar.len);
}

const char *kit_read(struct kit *kit, const char *path)
{
    static struct buf content;
    buf_clear(&content);
    if (read_file_at(kit->dir, path, 1 << 20, &content, NULL) < 0)
        return "";
    return buf_text(&content);
}
