/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/tar.h"

#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants the headers above */
#include <cmocka.h>
#include <string.h>

#include "archive-kit.h"
#include "base/io.h"
#include "base/text.h"

/* An archive opened for reading. */
struct opened {
    struct kit kit;
    int fd;
    struct stream *stream;
    struct tar_reader *reader;
    struct buf raw;
};

static int keep(void *closure, const void *bytes, size_t length, struct error *err)
{
    (void)err;
    buf_add(closure, bytes, length);
    return 0;
}

static void enter(struct opened *o)
{
    *o = (struct opened){.fd = -1};
    kit_enter(&o->kit);
}

static void open_it(struct opened *o)
{
    o->stream = kit_stream(o->kit.tar.data, o->kit.tar.len, true, &o->fd);
    o->reader = tar_open(o->stream, keep, &o->raw);
}

static void leave(struct opened *o)
{
    tar_close(o->reader);
    stream_close(o->stream);
    if (o->fd >= 0)
        close(o->fd);
    buf_free(&o->raw);
    kit_leave(&o->kit);
}

/* The code of reading all entries; 0 when all is well. */
static int read_through(struct opened *o)
{
    const struct tar_entry *e;
    int rc;
    open_it(o);
    while ((rc = tar_next(o->reader, &e, &o->kit.err)) > 0)
        continue;
    return rc;
}

static const struct tar_entry *first(struct opened *o)
{
    const struct tar_entry *e = NULL;
    open_it(o);
    if (tar_next(o->reader, &e, &o->kit.err) != 1)
        fail_msg("%s", o->kit.err.text);
    return e;
}

static void refuses(struct opened *o, const char *why)
{
    assert_int_equal(read_through(o), -EBADMSG);
    if (!strstr(o->kit.err.text, why))
        fail_msg("another error than \"%s\": %s", why, o->kit.err.text);
    leave(o);
}

static struct tar_block block(const char *name, char type)
{
    struct tar_block b = {.type = type, .magic = "ustar", .size = "00000000000", .mode = "0000644"};
    memcpy(b.name, name, strnlen(name, sizeof b.name));
    return b;
}

static void what_is_written_is_read(void **state)
{
    struct opened o;
    char path[300], link[300];
    (void)state;
    enter(&o);
    memset(path, 'p', sizeof path - 1), path[sizeof path - 1] = '\0';
    memset(link, 'l', sizeof link - 1), link[sizeof link - 1] = '\0';
    struct tar_xattr xattr = {.name = "user.note", .value = "a\0b", .length = 3};
    kit_add(&o.kit,
            &(struct tar_entry){.path = path,
                                .mode = 04755,
                                .uid = 3000000,
                                .gid = 4000000,
                                .mtime = -5,
                                .mtime_nsec = 750000000,
                                .xattrs = &xattr,
                                .xattr_count = 1},
            "content");
    kit_link(&o.kit, TAR_SYMLINK, "s", link);
    assert_int_equal(tar_write_end(&o.kit.writer, &o.kit.err), 0);
    const struct tar_entry *e = first(&o);
    assert_string_equal(e->path, path);
    assert_int_equal(e->mode, 04755);
    assert_int_equal(e->uid, 3000000);
    assert_int_equal(e->gid, 4000000);
    assert_int_equal(e->mtime, -5);
    assert_int_equal(e->mtime_nsec, 750000000);
    assert_int_equal(e->size, 7);
    assert_int_equal(e->xattr_count, 1);
    assert_string_equal(e->xattrs[0].name, "user.note");
    assert_int_equal(e->xattrs[0].length, 3);
    assert_memory_equal(e->xattrs[0].value, "a\0b", 3);
    assert_memory_equal(o.kit.tar.data + e->data_offset, "content", 7);
    assert_int_equal(tar_next(o.reader, &e, &o.kit.err), 1);
    assert_int_equal(e->type, TAR_SYMLINK);
    assert_string_equal(e->link, link);
    assert_int_equal(tar_next(o.reader, &e, &o.kit.err), 0);
    leave(&o);
}

static void content_and_the_rest_together_are_the_archive(void **state)
{
    struct opened o;
    char content[16] = "";
    (void)state;
    enter(&o);
    kit_text(&o.kit, "read", "first");
    kit_text(&o.kit, "skipped", "second");
    tar_write_end(&o.kit.writer, &o.kit.err);
    buf_add(&o.kit.tar, "behind the end", 14);
    const struct tar_entry *e = first(&o);
    assert_int_equal(tar_read(o.reader, content, sizeof content, &o.kit.err), 5);
    assert_string_equal(content, "first");
    assert_int_equal(tar_next(o.reader, &e, &o.kit.err), 1);
    assert_int_equal(tar_next(o.reader, &e, &o.kit.err), 0);
    assert_int_equal(o.raw.len, o.kit.tar.len - 5);
    assert_memory_equal(o.raw.data, o.kit.tar.data, TAR_BLOCK);
    assert_memory_equal(o.raw.data + TAR_BLOCK, o.kit.tar.data + TAR_BLOCK + 5,
                        o.raw.len - TAR_BLOCK);
    leave(&o);
}

static void base_256_numbers_are_read(void **state)
{
    struct opened o;
    (void)state;
    enter(&o);
    struct tar_block b = block("x", '0');
    memcpy(b.uid, "\x80\0\0\0\0\x2d\xc6\xc0", 8);                            /* 3000000 */
    memcpy(b.mtime, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12); /* -2 */
    kit_block(&o.kit, &b, NULL);
    const struct tar_entry *e = first(&o);
    assert_int_equal(e->uid, 3000000);
    assert_int_equal(e->mtime, -2);
    leave(&o);
}

static void negative_owners_and_overflowing_numbers_are_refused(void **state)
{
    struct opened o;
    (void)state;
    struct tar_block b = block("x", '0');
    memset(b.uid, 0xff, sizeof b.uid);
    enter(&o);
    kit_block(&o.kit, &b, NULL);
    refuses(&o, "bad number");
    b = block("x", '0');
    memcpy(b.size, "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12);
    enter(&o);
    kit_block(&o.kit, &b, NULL);
    refuses(&o, "bad number");
    b = block("x", '0');
    memcpy(b.size, "\x80\x01\0\0\0\0\0\0\0\0\0\0", 12);
    enter(&o);
    kit_block(&o.kit, &b, NULL);
    refuses(&o, "bad number");
    b = block("x", '0');
    memcpy(b.mode, "12x4567", 8);
    enter(&o);
    kit_block(&o.kit, &b, NULL);
    refuses(&o, "bad number");
}

static void a_global_header_sets_times_for_all_until_an_entry_says_otherwise(void **state)
{
    struct opened o;
    const struct tar_entry *e;
    (void)state;
    enter(&o);
    kit_pax(&o.kit, 'g', "18 comment=abcdef\n12 mtime=77\n", 30);
    kit_text(&o.kit, "a", "");
    kit_pax(&o.kit, 'x', "12 mtime=88\n", 12);
    kit_text(&o.kit, "b", "");
    kit_pax(&o.kit, 'x', "10 mtime=\n", 10);
    kit_text(&o.kit, "c", "");
    e = first(&o);
    assert_int_equal(e->mtime, 77);
    assert_int_equal(tar_next(o.reader, &e, &o.kit.err), 1);
    assert_int_equal(e->mtime, 88);
    assert_int_equal(tar_next(o.reader, &e, &o.kit.err), 1);
    assert_int_equal(e->mtime, 1000); /* the entry's own again */
    leave(&o);
}

static void a_global_header_may_not_rename_or_resize(void **state)
{
    struct opened o;
    (void)state;
    enter(&o);
    kit_pax(&o.kit, 'g', "14 path=a/b/c\n", 14);
    refuses(&o, "global extended header sets path");
    enter(&o);
    kit_pax(&o.kit, 'g', "10 size=5\n", 10);
    refuses(&o, "global extended header sets size");
}

static void damaged_extended_headers_are_refused(void **state)
{
    static const struct {
        const char *records;
        size_t length;
    } bad[] = {
        {"99 path=x\n", 10},
        {"9 path=x\n\n", 10},
        {"10 path=xy", 10},
        {"x path=yz\n", 10},
        {" path=x\n", 8},
        {"8 pathx\n", 8},
        {"7 =abc\n", 7},
        {"10 path=\0\n", 10},
        {"10 size=x\n", 10},
        {"11 size=-1\n", 11},
        {"13 mtime=1.x\n", 13},
        {"0 path=x\n", 9},
        {"34 size=99999999999999999999999\n", 32},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct opened o;
        enter(&o);
        kit_pax(&o.kit, 'x', bad[i].records, bad[i].length);
        kit_text(&o.kit, "entry", "");
        refuses(&o, "extended header");
    }
}

static void an_extended_header_is_bounded_and_needs_its_entry(void **state)
{
    struct opened o;
    (void)state;
    enter(&o);
    struct tar_block b = block("x", 'x');
    memcpy(b.size, "00020000000", 12); /* 4 MiB */
    kit_block(&o.kit, &b, NULL);
    refuses(&o, "too large");
    enter(&o);
    kit_pax(&o.kit, 'x', "10 path=x\n", 10);
    refuses(&o, "without an entry");
}

static void links_and_directories_carry_no_content_whatever_they_say(void **state)
{
    struct opened o;
    const struct tar_entry *e;
    (void)state;
    enter(&o);
    struct tar_block b = block("link", '1');
    memcpy(b.link, "target", 6);
    memcpy(b.size, "00000001000", 12);
    kit_block(&o.kit, &b, NULL);
    kit_text(&o.kit, "next", "x");
    e = first(&o);
    assert_int_equal(e->size, 0);
    assert_int_equal(tar_next(o.reader, &e, &o.kit.err), 1);
    assert_string_equal(e->path, "next");
    leave(&o);
}

static void damage_is_told_with_its_place(void **state)
{
    struct opened o;
    (void)state;
    enter(&o);
    kit_text(&o.kit, "a", "b");
    o.kit.tar.data[3] ^= 1;
    refuses(&o, "wrong checksum (at byte 512)");
    enter(&o);
    kit_text(&o.kit, "a", "b");
    o.kit.tar.len -= 200;
    refuses(&o, "it ends in the middle of an entry");
    enter(&o);
    kit_text(&o.kit, "a", "b");
    buf_add(&o.kit.tar, "x", 1);
    refuses(&o, "middle of a header");
    enter(&o);
    refuses(&o, "not a tar archive");
    enter(&o);
    char empty[TAR_BLOCK] = "";
    buf_add(&o.kit.tar, empty, sizeof empty);
    kit_text(&o.kit, "a", "b");
    refuses(&o, "an empty block between entries");
}

/* Reads a sparse file of form 0.1 that stores 512 bytes and has 4096. */
static int read_sparse(const char *map)
{
    struct opened o;
    autobuf records = {0};
    char content[513];
    enter(&o);
    buf_str(&records, "24 GNU.sparse.size=4096\n");
    buf_fmt(&records, "%zu GNU.sparse.map=%s\n", strlen("xx GNU.sparse.map=\n") + strlen(map), map);
    kit_pax(&o.kit, 'x', records.data, records.len);
    struct tar_block b = block("sparse", '0');
    memset(content, 'c', 512), content[512] = '\0';
    memcpy(b.size, "00000001000", 12);
    kit_block(&o.kit, &b, content);
    int rc = read_through(&o);
    leave(&o);
    return rc;
}

static void sparse_maps_that_lie_are_refused(void **state)
{
    (void)state;
    assert_int_equal(read_sparse("3584,512"), 0);
    assert_int_equal(read_sparse("0,256,256,0,1024,256,4096,0"), 0);
    assert_int_equal(read_sparse("4096,512"), -EBADMSG);         /* starts at the end */
    assert_int_equal(read_sparse("0,4097"), -EBADMSG);           /* longer than the file */
    assert_int_equal(read_sparse("1024,256,512,256"), -EBADMSG); /* backwards */
    assert_int_equal(read_sparse("0,300,200,212"), -EBADMSG);    /* overlapping */
    assert_int_equal(read_sparse("0,511"), -EBADMSG);            /* less than is stored */
    assert_int_equal(read_sparse("0,513"), -EBADMSG);            /* more than is stored */
    assert_int_equal(read_sparse("0,512,1024"), -EBADMSG);       /* not whole */
    assert_int_equal(read_sparse("18446744073709551615,512"), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(content_and_the_rest_together_are_the_archive),
        cmocka_unit_test(base_256_numbers_are_read),
        cmocka_unit_test(negative_owners_and_overflowing_numbers_are_refused),
        cmocka_unit_test(a_global_header_sets_times_for_all_until_an_entry_says_otherwise),
        cmocka_unit_test(a_global_header_may_not_rename_or_resize),
        cmocka_unit_test(damaged_extended_headers_are_refused),
        cmocka_unit_test(an_extended_header_is_bounded_and_needs_its_entry),
        cmocka_unit_test(links_and_directories_carry_no_content_whatever_they_say),
        cmocka_unit_test(damage_is_told_with_its_place),
        cmocka_unit_test(sparse_maps_that_lie_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
