/* SPDX-License-Identifier: Apache-2.0 */
/* Trees given as tars and tars taken into trees: what `cp`, `export` and `commit` are made of. */
#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants the headers above */
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "archive-kit.h"
#include "archive/tree_give.h"
#include "archive/tree_read.h"
#include "archive/tree_take.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"

/* --- what paths mean --- */

static void paths_are_taken_apart(void **state)
{
    static const struct {
        const char *text, *clean, *name;
        bool directory, contents;
    } table[] = {
        {"/a/b", "/a/b", "b", false, false},
        {"/a//b/", "/a/b", "b", true, false},
        {"/a/b/.", "/a/b", "b", true, true},
        {".", "/here", "here", true, true},
        {"..", "/", "", true, true},
        {"x/../y", "/here/y", "y", false, false},
        {"/../../etc", "/etc", "etc", false, false},
        {"/", "/", "", true, true},
        {"./x", "/here/x", "x", false, false},
        {"...", "/here/...", "...", false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        autocopypath path = {0};
        copy_path_read(table[i].text, "/here", &path);
        assert_string_equal(path.clean, table[i].clean);
        assert_string_equal(path.name, table[i].name);
        assert_int_equal(path.directory, table[i].directory);
        assert_int_equal(path.contents, table[i].contents);
    }
}

static void targets_are_those_of_docker_cp(void **state)
{
    static const struct {
        const char *source;
        bool directory;
        const char *dest;
        enum copy_found found;
        int expected; /* an enum copy_target, or -errno */
    } table[] = {
        {"/f", false, "/new", FOUND_NOTHING, TARGET_BESIDE},
        {"/f", false, "/new/", FOUND_NOTHING, -ENOENT},
        {"/f", false, "/old", FOUND_OTHER, TARGET_BESIDE},
        {"/f", false, "/old/", FOUND_OTHER, -ENOTDIR},
        {"/f", false, "/dir", FOUND_DIRECTORY, TARGET_INTO},
        {"/d", true, "/new", FOUND_NOTHING, TARGET_BESIDE},
        {"/d", true, "/new/", FOUND_NOTHING, TARGET_BESIDE},
        {"/d", true, "/old", FOUND_OTHER, -ENOTDIR},
        {"/d", true, "/dir", FOUND_DIRECTORY, TARGET_INTO},
        {"/d/.", true, "/dir", FOUND_DIRECTORY, TARGET_MERGE},
        {"/d/.", true, "/new", FOUND_NOTHING, TARGET_BESIDE},
        {"/", true, "/dir", FOUND_DIRECTORY, TARGET_MERGE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        autocopypath source = {0};
        autocopypath dest = {0};
        struct error err = {0};
        enum copy_target target;
        copy_path_read(table[i].source, "/", &source);
        copy_path_read(table[i].dest, "/", &dest);
        int rc = copy_target(&source, table[i].directory, &dest, table[i].found, &target, &err);
        assert_int_equal(rc < 0 ? rc : (int)target, table[i].expected);
    }
}

/* --- taking --- */

/* Takes kit->tar into kit->dir/into. */
static int take(struct kit *kit, struct tree_take *out)
{
    int fd;
    assert_int_equal(tar_write_end(&kit->writer, &kit->err), 0);
    if (mkdirat(kit->dir, "into", 0755) < 0)
        assert_int_equal(errno, EEXIST);
    autofd into = openat(kit->dir, "into", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct stream *stream = kit_stream(kit->tar.data, kit->tar.len, true, &fd);
    assert_non_null(stream);
    struct tar_reader *tar = tar_open(stream, NULL, NULL);
    out->tar = tar;
    out->into = into;
    out->uid = geteuid();
    out->gid = getegid();
    int rc = tree_take(out, &kit->err);
    tar_close(tar);
    stream_close(stream);
    close(fd);
    return rc;
}

static void refused(struct kit *kit, const char *words)
{
    struct tree_take taken = {.harmless = true};
    assert_true(take(kit, &taken) < 0);
    if (!strstr(kit->err.text, words))
        fail_msg("another error than \"%s\": %s", words, kit->err.text);
    assert_string_equal(kit_read(kit, "canary/file"), "safe");
    assert_int_equal(faccessat(kit->dir, "canary/evil", F_OK, AT_SYMLINK_NOFOLLOW), -1);
    assert_int_equal(faccessat(kit->dir, "evil", F_OK, AT_SYMLINK_NOFOLLOW), -1);
    kit_leave(kit);
}

/* A kit with a directory beside `into` that nobody may touch. */
static void with_canary(struct kit *kit)
{
    kit_enter(kit);
    assert_int_equal(mkdirat(kit->dir, "canary", 0755), 0);
    assert_int_equal(mkdirat(kit->dir, "into", 0755), 0);
    autofd fd = openat(kit->dir, "canary/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(write_all(fd, "safe", 4), 0);
}

static void names_that_lead_out_are_refused(void **state)
{
    static const char *const names[] = {"../evil", "a/../../evil", "/../evil"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct kit kit;
        with_canary(&kit);
        kit_text(&kit, names[i], "x");
        refused(&kit, "\"..\"");
    }
}

static void nothing_goes_through_a_link(void **state)
{
    struct kit kit;
    (void)state;
    with_canary(&kit); /* of the archive */
    kit_link(&kit, TAR_SYMLINK, "a", "../canary");
    kit_text(&kit, "a/evil", "x");
    refused(&kit, "a/evil: a symbolic link is on its way");
    with_canary(&kit); /* of who was there before */
    assert_int_equal(symlinkat("../canary", kit.dir, "into/a"), 0);
    kit_text(&kit, "a/evil", "x");
    refused(&kit, "a/evil: a symbolic link is on its way");
    with_canary(&kit);
    assert_int_equal(symlinkat("../canary", kit.dir, "into/a"), 0);
    kit_dir(&kit, "a/");
    kit_text(&kit, "a/evil", "x");
    refused(&kit, "cannot put a directory in the place of something else");
}

static void hard_links_lead_to_files_of_the_archive_only(void **state)
{
    static const char *const targets[] = {"old", "../canary/file", "out/file", "d"};
    (void)state;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct kit kit;
        with_canary(&kit);
        autofd old = openat(kit.dir, "into/old", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(old >= 0);
        assert_int_equal(symlinkat("../canary", kit.dir, "into/out"), 0);
        kit_dir(&kit, "d/");
        kit_link(&kit, TAR_HARDLINK, "x", targets[i]);
        struct tree_take taken = {0};
        assert_true(take(&kit, &taken) < 0);
        assert_int_equal(faccessat(kit.dir, "into/x", F_OK, AT_SYMLINK_NOFOLLOW), -1);
        kit_leave(&kit);
    }
}

static void a_link_in_the_place_of_a_file_is_replaced_and_not_followed(void **state)
{
    struct kit kit;
    struct tree_take taken = {0};
    (void)state;
    with_canary(&kit);
    assert_int_equal(symlinkat("../canary/file", kit.dir, "into/f"), 0);
    kit_text(&kit, "f", "new");
    assert_int_equal(take(&kit, &taken), 0);
    assert_string_equal(kit_read(&kit, "into/f"), "new");
    assert_string_equal(kit_read(&kit, "canary/file"), "safe");
    kit_leave(&kit);
}

static void what_lends_rights_stays_out_where_it_may_not_come(void **state)
{
    (void)state;
    for (int harmless = 0; harmless < 2; harmless++) {
        struct kit kit;
        struct stat st;
        struct tree_take taken = {.harmless = harmless};
        kit_enter(&kit);
        struct tar_entry file = {
            .type = TAR_FILE, .path = "f", .link = "", .mode = 06755, .size = 1};
        struct tar_entry dir = {.type = TAR_DIRECTORY, .path = "d/", .link = "", .mode = 03777};
        kit_add(&kit, &file, "x");
        kit_add(&kit, &dir, NULL);
        assert_int_equal(take(&kit, &taken), 0);
        assert_int_equal(fstatat(kit.dir, "into/f", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, harmless ? 0755 : 06755);
        assert_int_equal(fstatat(kit.dir, "into/d", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, harmless ? 01777 : 03777);
        kit_leave(&kit);
    }
}

/* Puts `theirs`, a link to `witness` itself, in the place of into/l until it is killed. */
static pid_t somebody_else(const struct kit *kit)
{
    pid_t pid = fork();
    while (pid == 0) {
        if (linkat(kit->dir, "witness", kit->dir, "theirs", 0) < 0)
            _exit(EXIT_FAILURE);
        (void)renameat2(kit->dir, "theirs", kit->dir, "into/l", RENAME_EXCHANGE);
        (void)unlinkat(kit->dir, "theirs", 0);
    }
    return pid;
}

/* Seen to fail: with the owner given by name. */
static void what_is_put_in_the_place_of_a_new_link_keeps_its_owner(void **state)
{
    struct kit kit;
    struct stat st;
    (void)state;
    if (geteuid() != 0)
        skip();
    with_canary(&kit);
    assert_int_equal(symlinkat("nowhere", kit.dir, "witness"), 0);
    assert_int_equal(fchownat(kit.dir, "witness", 1234, 1234, AT_SYMLINK_NOFOLLOW), 0);
    for (int i = 0; i < 3000; i++)
        kit_link(&kit, TAR_SYMLINK, "l", "ours");
    pid_t pid = somebody_else(&kit);
    assert_true(pid > 0);
    struct tree_take taken = {0};
    (void)take(&kit, &taken);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(fstatat(kit.dir, "witness", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(st.st_uid, 1234);
    kit_leave(&kit);
}

static void nothing_comes_beside_the_file_that_was_named(void **state)
{
    (void)state;
    for (int found = FOUND_NOTHING; found <= FOUND_OTHER; found++) {
        struct kit kit;
        autocopypath path = {0};
        kit_enter(&kit);
        copy_path_read("/x/name", "/", &path);
        struct tree_take taken = {.source = &path, .dest = &path, .found = found};
        kit_text(&kit, ".", "x");
        kit_text(&kit, "evil", "x");
        assert_int_equal(take(&kit, &taken), -EBADMSG);
        assert_non_null(strstr(kit.err.text, "evil: it comes after a file"));
        assert_string_equal(kit_read(&kit, "into/name"), "x");
        assert_int_equal(faccessat(kit.dir, "into/evil", F_OK, AT_SYMLINK_NOFOLLOW), -1);
        kit_leave(&kit);
    }
}

static void devices_are_counted_and_not_made(void **state)
{
    struct kit kit;
    struct tree_take taken = {0};
    (void)state;
    kit_enter(&kit);
    struct tar_entry device = {
        .type = TAR_CHARACTER, .path = "null", .link = "", .mode = 0666, .major = 1, .minor = 3};
    kit_add(&kit, &device, NULL);
    kit_text(&kit, "f", "x");
    assert_int_equal(take(&kit, &taken), 0);
    assert_int_equal(taken.left_out, 1);
    assert_int_equal(faccessat(kit.dir, "into/null", F_OK, AT_SYMLINK_NOFOLLOW), -1);
    assert_string_equal(kit_read(&kit, "into/f"), "x");
    kit_leave(&kit);
}

/* --- giving --- */

static int collect(void *closure, const void *bytes, size_t length)
{
    buf_add(closure, bytes, length);
    return 0;
}

/* kit->dir/NAME as a tar. */
static int give(struct kit *kit, const char *name, bool layer, struct buf *out)
{
    struct tar_writer writer = {.sink = collect, .closure = out};
    struct tree_give giving = {.tar = &writer, .name = layer ? "" : ".", .layer = layer};
    giving.descriptors = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    autofd top = openat(kit->dir, name, O_PATH | O_CLOEXEC);
    assert_true(giving.descriptors >= 0 && top >= 0);
    int rc = tree_give(&giving, top, &kit->err);
    close(giving.descriptors);
    return rc < 0 ? rc : tar_write_end(&writer, &kit->err);
}

static void make_file(struct kit *kit, const char *path, const char *content)
{
    autofd fd = openat(kit->dir, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, content, strlen(content)), 0);
}

static void a_tree_comes_back_as_it_was(void **state)
{
    struct kit kit;
    autobuf first = {0}, second = {0};
    struct stat st;
    (void)state;
    kit_enter(&kit);
    assert_int_equal(mkdirat(kit.dir, "from", 0755), 0);
    assert_int_equal(mkdirat(kit.dir, "from/d", 0750), 0);
    make_file(&kit, "from/d/a", "content");
    assert_int_equal(linkat(kit.dir, "from/d/a", kit.dir, "from/z", 0), 0);
    assert_int_equal(symlinkat("d/a", kit.dir, "from/l"), 0);
    assert_int_equal(give(&kit, "from", false, &first), 0);
    assert_int_equal(give(&kit, "from", false, &second), 0);
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
    buf_clear(&kit.tar);
    buf_add(&kit.tar, first.data, first.len);
    struct tree_take taken = {0};
    assert_int_equal(take(&kit, &taken), 0);
    assert_string_equal(kit_read(&kit, "into/z"), "content");
    assert_int_equal(fstatat(kit.dir, "into/d/a", &st, 0), 0);
    assert_int_equal(st.st_nlink, 2);
    assert_int_equal(fstatat(kit.dir, "into/d", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
    kit_leave(&kit);
}

static void holes_are_not_written(void **state)
{
    struct kit kit;
    autobuf out = {0};
    struct stat st;
    const off_t size = (off_t)1 << 32, middle = (off_t)1 << 30;
    (void)state;
    kit_enter(&kit);
    assert_int_equal(mkdirat(kit.dir, "from", 0755), 0);
    autofd fd = openat(kit.dir, "from/f", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(pwrite(fd, "middle", 6, middle), 6);
    assert_int_equal(ftruncate(fd, size), 0);
    autofd all = openat(kit.dir, "from/hole", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(ftruncate(all, size), 0);
    assert_int_equal(give(&kit, "from", false, &out), 0);
    assert_true(out.len < 1 << 20);
    buf_clear(&kit.tar);
    buf_add(&kit.tar, out.data, out.len);
    struct tree_take taken = {0};
    assert_int_equal(take(&kit, &taken), 0);
    char text[6];
    autofd back = openat(kit.dir, "into/f", O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(back, text, 6, middle), 6);
    assert_memory_equal(text, "middle", 6);
    assert_int_equal(fstat(back, &st), 0);
    assert_int_equal(st.st_size, size);
    assert_true(st.st_blocks < 1 << 12);
    assert_int_equal(fstatat(kit.dir, "into/hole", &st, 0), 0);
    assert_int_equal(st.st_size, size);
    kit_leave(&kit);
}

static void a_writable_layer_becomes_an_images_layer(void **state)
{
    struct kit kit;
    autobuf out = {0};
    (void)state;
    kit_enter(&kit);
    assert_int_equal(mkdirat(kit.dir, "upper", 0755), 0);
    assert_int_equal(mkdirat(kit.dir, "upper/d", 0755), 0);
    make_file(&kit, "upper/d/f", "x");
    autofd d = openat(kit.dir, "upper/d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (mknodat(kit.dir, "upper/gone", S_IFCHR, makedev(0, 0)) < 0 ||
        fsetxattr(d, "user.overlay.opaque", "y", 1, 0) < 0) {
        kit_leave(&kit);
        skip();
    }
    assert_int_equal(give(&kit, "upper", true, &out), 0);
    assert_int_equal(kit_unpack_bytes(&kit, "layer", out.data, out.len, NULL), 0);
    struct stat st;
    char value;
    assert_int_equal(fstatat(kit.dir, "layer/fs/gone", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
    autofd opaque = openat(kit.dir, "layer/fs/d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(fgetxattr(opaque, "user.overlay.opaque", &value, 1), 1);
    assert_int_equal(value, 'y');
    assert_string_equal(kit_read(&kit, "layer/fs/d/f"), "x");
    make_file(&kit, "upper/d/.wh.evil", "");
    buf_clear(&out);
    assert_true(give(&kit, "upper", true, &out) < 0);
    assert_non_null(strstr(kit.err.text, "begins with .wh."));
    kit_leave(&kit);
}

static int discard(void *closure, const void *bytes, size_t length)
{
    (void)closure, (void)bytes, (void)length;
    return 0;
}

/* Data of one byte at every `step` bytes, then a hole up to a terabyte. */
static int with_many_parts(struct kit *kit, off_t step, int count, struct stat *st)
{
    int fd = openat(kit->dir, "parts", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    for (int i = 0; i < count; i++)
        assert_int_equal(pwrite(fd, "x", 1, i * step), 1);
    assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
    assert_int_equal(fstat(fd, st), 0);
    return fd;
}

static void a_file_of_very_many_parts_is_not_filled_up_with_zeros(void **state)
{
    struct kit kit;
    struct stat st;
    struct file_parts parts = {0};
    (void)state;
    kit_enter(&kit);
    autofd near = with_many_parts(&kit, 8192, 10000, &st);
    assert_int_equal(file_parts_find(near, &st, &parts, &kit.err), 0);
    assert_true(parts.count <= 8192);
    assert_true(parts.stored <= UINT64_C(10000) * 8192);
    const struct tar_segment *last = &parts.segments[parts.count - 1];
    assert_true(last->offset + last->length >= UINT64_C(9999) * 8192 + 1);
    file_parts_free(&parts);
    autofd far = with_many_parts(&kit, 3 << 20, 33000, &st);
    assert_int_equal(file_parts_find(far, &st, &parts, &kit.err), -EFBIG);
    assert_int_equal(parts.count, 0);
    kit_leave(&kit);
}

static void a_file_that_becomes_much_shorter_is_no_endless_row_of_zeros(void **state)
{
    struct kit kit;
    struct tar_writer writer = {.sink = discard};
    const struct tar_segment part = {.offset = 0, .length = UINT64_C(1) << 50};
    (void)state;
    kit_enter(&kit);
    make_file(&kit, "f", "short");
    autofd fd = openat(kit.dir, "f", O_RDONLY | O_CLOEXEC);
    struct tar_entry entry = {.type = TAR_FILE, .path = "f", .link = ""};
    entry.size = entry.stored = part.length;
    assert_int_equal(tar_write_entry(&writer, &entry, &kit.err), 0);
    assert_int_equal(file_part_give(fd, &part, &writer, &kit.err), -EIO);
    kit_leave(&kit);
}

/* Directories of 3,900 bytes' path, in `top`; a descriptor of the last. */
static int long_path(struct kit *kit, const char *top, struct buf *path)
{
    char name[251];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(mkdirat(kit->dir, top, 0755), 0);
    int fd = openat(kit->dir, top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 15; i++) {
        assert_int_equal(mkdirat(fd, name, 0755), 0);
        int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        close(fd);
        fd = next;
        buf_fmt(path, "%s/", name);
    }
    return fd;
}

static void files_with_several_names_are_remembered_up_to_a_bound(void **state)
{
    struct kit kit;
    autobuf path = {0};
    struct tar_writer writer = {.sink = discard};
    struct tree_give giving = {.tar = &writer, .name = "."};
    (void)state;
    kit_enter(&kit);
    autofd dir = long_path(&kit, "from", &path);
    for (int i = 0; i < 17500; i++) {
        char one[16], other[16];
        snprintf(one, sizeof one, "%d", i);
        snprintf(other, sizeof other, "%d.l", i);
        assert_int_equal(mknodat(dir, one, S_IFREG | 0600, 0), 0);
        assert_int_equal(linkat(dir, one, dir, other, 0), 0);
    }
    giving.descriptors = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    autofd top = openat(kit.dir, "from", O_PATH | O_CLOEXEC);
    assert_int_equal(tree_give(&giving, top, &kit.err), -EFBIG);
    assert_non_null(strstr(kit.err.text, "too many files that have several names"));
    close(giving.descriptors);
    kit_leave(&kit);
}

static void directories_that_are_made_are_remembered_up_to_a_bound(void **state)
{
    struct kit kit;
    autobuf path = {0};
    struct tree_take taken = {0};
    (void)state;
    kit_enter(&kit);
    autofd dir = long_path(&kit, "into", &path);
    size_t length = path.len;
    for (int i = 0; i < 17500; i++) {
        path.len = length;
        buf_fmt(&path, "%d/", i);
        kit_dir(&kit, buf_text(&path));
    }
    assert_int_equal(take(&kit, &taken), -EFBIG);
    assert_non_null(strstr(kit.err.text, "too many new directories"));
    assert_true(taken.entries > 10000);
    kit_leave(&kit);
}

static void names_of_directories_share_one_bound(void **state)
{
    struct kit kit;
    struct error err = {0};
    size_t room = 60;
    (void)state;
    kit_enter(&kit);
    make_file(&kit, "a", "");
    make_file(&kit, "b", "");
    autostrv first = {0}, second = {0};
    assert_int_equal(directory_names(kit.dir, 10, &room, &first, &err), 0);
    assert_int_equal(first.len, 2);
    assert_true(room < 60);
    autofd again = openat(kit.dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(directory_names(again, 10, &room, &second, &err), -EFBIG);
    kit_leave(&kit);
}

static void pipes_are_looked_at_and_not_opened(void **state)
{
    struct kit kit;
    autobuf out = {0};
    (void)state;
    kit_enter(&kit);
    assert_int_equal(mkdirat(kit.dir, "from", 0755), 0);
    assert_int_equal(mknodat(kit.dir, "from/pipe", S_IFIFO | 0600, 0), 0);
    alarm(10);
    assert_int_equal(give(&kit, "from", false, &out), 0);
    assert_int_equal(give(&kit, "from/pipe", false, &out), 0);
    alarm(0);
    kit_leave(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_taken_apart),
        cmocka_unit_test(targets_are_those_of_docker_cp),
        cmocka_unit_test(names_that_lead_out_are_refused),
        cmocka_unit_test(nothing_goes_through_a_link),
        cmocka_unit_test(hard_links_lead_to_files_of_the_archive_only),
        cmocka_unit_test(a_link_in_the_place_of_a_file_is_replaced_and_not_followed),
        cmocka_unit_test(what_lends_rights_stays_out_where_it_may_not_come),
        cmocka_unit_test(what_is_put_in_the_place_of_a_new_link_keeps_its_owner),
        cmocka_unit_test(nothing_comes_beside_the_file_that_was_named),
        cmocka_unit_test(devices_are_counted_and_not_made),
        cmocka_unit_test(a_tree_comes_back_as_it_was),
        cmocka_unit_test(holes_are_not_written),
        cmocka_unit_test(a_writable_layer_becomes_an_images_layer),
        cmocka_unit_test(a_file_of_very_many_parts_is_not_filled_up_with_zeros),
        cmocka_unit_test(a_file_that_becomes_much_shorter_is_no_endless_row_of_zeros),
        cmocka_unit_test(files_with_several_names_are_remembered_up_to_a_bound),
        cmocka_unit_test(directories_that_are_made_are_remembered_up_to_a_bound),
        cmocka_unit_test(names_of_directories_share_one_bound),
        cmocka_unit_test(pipes_are_looked_at_and_not_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
