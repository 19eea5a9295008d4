/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/layer.h"

#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants the headers above */
#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "archive-kit.h"
#include "base/hash.h"
#include "base/io.h"

static void need_root(void)
{
    if (geteuid() != 0) {
        print_message("only root can own files for others: skipped\n");
        skip();
    }
}

static void unpacks(struct kit *kit)
{
    if (kit_unpack(kit) < 0)
        fail_msg("%s", kit->err.text);
}

static struct stat look(struct kit *kit, const char *path)
{
    struct stat st;
    if (fstatat(kit->dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        fail_msg("%s is not there", path);
    return st;
}

static ssize_t attribute(struct kit *kit, const char *path, const char *name, char *value,
                         size_t size)
{
    autofree char *full = NULL;
    assert_true(asprintf(&full, "%s/%s", kit->path, path) > 0);
    return lgetxattr(full, name, value, size);
}

static bool is_whiteout(struct kit *kit, const char *path)
{
    struct stat st;
    return fstatat(kit->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(st.st_mode) &&
           st.st_rdev == makedev(0, 0);
}

static bool is_opaque(struct kit *kit, const char *path)
{
    char value[4];
    return attribute(kit, path, "user.overlay.opaque", value, sizeof value) == 1 && *value == 'y';
}

static void files_come_with_owner_mode_and_time(void **state)
{
    struct kit kit;
    (void)state;
    need_root();
    kit_enter(&kit);
    kit_add(&kit,
            &(struct tar_entry){.path = "suid",
                                .mode = 06755,
                                .uid = 1234,
                                .gid = 4000000000,
                                .mtime = 1600000000,
                                .mtime_nsec = 123456789},
            "content");
    unpacks(&kit);
    struct stat st = look(&kit, "layer/fs/suid");
    assert_int_equal(st.st_mode, S_IFREG | 06755);
    assert_int_equal(st.st_uid, 1234);
    assert_int_equal(st.st_gid, 4000000000);
    assert_int_equal(st.st_mtim.tv_sec, 1600000000);
    assert_int_equal(st.st_mtim.tv_nsec, 123456789);
    assert_string_equal(kit_read(&kit, "layer/fs/suid"), "content");
    assert_string_equal(kit_read(&kit, "layer/size"), "7\n");
    assert_true(kit_gives_back(&kit));
    kit_leave(&kit);
}

static void directories_get_their_times_after_their_contents(void **state)
{
    struct kit kit;
    (void)state;
    need_root();
    kit_enter(&kit);
    kit_add(&kit,
            &(struct tar_entry){
                .type = TAR_DIRECTORY, .path = "./", .mode = 01777, .uid = 7, .mtime = 5},
            NULL);
    kit_add(&kit,
            &(struct tar_entry){
                .type = TAR_DIRECTORY, .path = "closed", .mode = 02000, .gid = 9, .mtime = 6},
            NULL);
    kit_text(&kit, "closed/file", "x");
    kit_text(&kit, "made/up/file", "y");
    unpacks(&kit);
    struct stat root = look(&kit, "layer/fs"), closed = look(&kit, "layer/fs/closed");
    assert_int_equal(root.st_mode, S_IFDIR | 01777);
    assert_int_equal(root.st_uid, 7);
    assert_int_equal(root.st_mtim.tv_sec, 5);
    assert_int_equal(closed.st_mode, S_IFDIR | 02000);
    assert_int_equal(closed.st_gid, 9);
    assert_int_equal(closed.st_mtim.tv_sec, 6);
    assert_int_equal(look(&kit, "layer/fs/closed/file").st_gid, 0); /* no setgid meanwhile */
    assert_int_equal(look(&kit, "layer/fs/made/up").st_mode, S_IFDIR | 0755);
    kit_leave(&kit);
}

static void names_may_be_absolute_or_begin_with_a_dot(void **state)
{
    struct kit kit;
    (void)state;
    kit_enter(&kit);
    kit_text(&kit, "/etc//a", "1");
    kit_text(&kit, "./etc/./b", "2");
    kit_dir(&kit, "etc/");
    kit_dir(&kit, "/etc");
    unpacks(&kit);
    assert_string_equal(kit_read(&kit, "layer/fs/etc/a"), "1");
    assert_string_equal(kit_read(&kit, "layer/fs/etc/b"), "2");
    assert_true(kit_gives_back(&kit));
    kit_leave(&kit);
}

static void hard_links_share_the_file(void **state)
{
    struct kit kit;
    (void)state;
    kit_enter(&kit);
    kit_text(&kit, "d/a", "x");
    kit_link(&kit, TAR_HARDLINK, "e/b", "./d/a");
    kit_link(&kit, TAR_SYMLINK, "s", "nowhere");
    kit_link(&kit, TAR_HARDLINK, "t", "s");
    unpacks(&kit);
    assert_int_equal(look(&kit, "layer/fs/d/a").st_ino, look(&kit, "layer/fs/e/b").st_ino);
    assert_int_equal(look(&kit, "layer/fs/t").st_ino, look(&kit, "layer/fs/s").st_ino);
    assert_int_equal(kit.result.size, 1);
    assert_true(kit_gives_back(&kit));
    kit_leave(&kit);
}

static void symlinks_keep_any_target(void **state)
{
    struct kit kit;
    char target[64] = "";
    (void)state;
    kit_enter(&kit);
    kit_link(&kit, TAR_SYMLINK, "s", "../../../etc/passwd");
    unpacks(&kit);
    assert_true(readlinkat(kit.dir, "layer/fs/s", target, sizeof target - 1) > 0);
    assert_string_equal(target, "../../../etc/passwd");
    kit_leave(&kit);
}

static void devices_and_pipes_are_made(void **state)
{
    struct kit kit;
    (void)state;
    need_root();
    kit_enter(&kit);
    kit_add(&kit,
            &(struct tar_entry){
                .type = TAR_CHARACTER, .path = "null", .mode = 0666, .major = 1, .minor = 3},
            NULL);
    kit_add(&kit,
            &(struct tar_entry){
                .type = TAR_BLOCK_DEVICE, .path = "loop", .mode = 0660, .major = 7, .gid = 6},
            NULL);
    kit_add(&kit, &(struct tar_entry){.type = TAR_FIFO, .path = "pipe", .mode = 0600}, NULL);
    unpacks(&kit);
    if (kit.result.skipped_devices == 0) {
        struct stat st = look(&kit, "layer/fs/null");
        assert_int_equal(st.st_mode, S_IFCHR | 0666);
        assert_int_equal(st.st_rdev, makedev(1, 3));
        st = look(&kit, "layer/fs/loop");
        assert_int_equal(st.st_mode, S_IFBLK | 0660);
        assert_int_equal(st.st_gid, 6);
    }
    assert_int_equal(look(&kit, "layer/fs/pipe").st_mode, S_IFIFO | 0600);
    kit_leave(&kit);
}

static void attributes_are_kept_or_dropped_by_name(void **state)
{
    /* cap_net_bind_service=ep, version 2 */
    static const char capability[] = "\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    struct tar_xattr xattrs[] = {
        {.name = "user.note", .value = "hello", .length = 5},
        {.name = "security.capability", .value = capability, .length = 20},
        {.name = "security.selinux", .value = "x", .length = 1},
        {.name = "trusted.other", .value = "x", .length = 1},
    };
    struct kit kit;
    char value[64];
    (void)state;
    need_root();
    kit_enter(&kit);
    kit_add(&kit,
            &(struct tar_entry){
                .path = "f", .mode = 0755, .uid = 33, .xattrs = xattrs, .xattr_count = 4},
            "x");
    kit_add(
        &kit,
        &(struct tar_entry){
            .type = TAR_DIRECTORY, .path = "d", .mode = 0755, .xattrs = xattrs, .xattr_count = 1},
        NULL);
    unpacks(&kit);
    assert_int_equal(attribute(&kit, "layer/fs/f", "user.note", value, sizeof value), 5);
    assert_int_equal(attribute(&kit, "layer/fs/d", "user.note", value, sizeof value), 5);
    assert_int_equal(attribute(&kit, "layer/fs/f", "security.capability", value, sizeof value), 20);
    assert_memory_equal(value, capability, 20);
    assert_int_equal(attribute(&kit, "layer/fs/f", "trusted.other", value, sizeof value), -1);
    assert_int_equal(attribute(&kit, "layer/fs/f", "security.selinux", value, sizeof value), -1);
    assert_true(kit_gives_back(&kit));
    kit_leave(&kit);
}

static void whiteouts_take_overlayfs_form(void **state)
{
    struct kit kit;
    (void)state;
    kit_enter(&kit);
    kit_dir(&kit, "d");
    kit_text(&kit, "d/.wh.gone", "");
    kit_text(&kit, "e/.wh..wh..opq", "");
    kit_text(&kit, ".wh..wh.plnk/1.2", "aufs");
    kit_text(&kit, ".wh..wh.aufs", "aufs");
    unpacks(&kit);
    assert_true(is_whiteout(&kit, "layer/fs/d/gone"));
    assert_false(is_opaque(&kit, "layer/fs/d"));
    assert_true(is_opaque(&kit, "layer/fs/e"));
    assert_int_equal(faccessat(kit.dir, "layer/fs/.wh..wh.plnk", F_OK, 0), -1);
    assert_false(kit.result.opaque);
    assert_true(kit_gives_back(&kit));
    kit_leave(&kit);
}

static void a_whiteout_never_removes_what_its_own_layer_has(void **state)
{
    struct kit kit;
    (void)state;
    kit_enter(&kit);
    kit_text(&kit, ".wh.a", "");
    kit_text(&kit, "a", "wins");
    kit_text(&kit, "b", "wins too");
    kit_text(&kit, ".wh.b", "");
    kit_text(&kit, ".wh.c", "");
    kit_text(&kit, "c/file", "x");
    kit_text(&kit, "d/file", "x");
    kit_text(&kit, ".wh.d", "");
    kit_text(&kit, ".wh.l", "");
    kit_link(&kit, TAR_HARDLINK, "l", "a");
    kit_text(&kit, ".wh.s", "");
    kit_link(&kit, TAR_SYMLINK, "s", "a");
    unpacks(&kit);
    assert_string_equal(kit_read(&kit, "layer/fs/a"), "wins");
    assert_string_equal(kit_read(&kit, "layer/fs/b"), "wins too");
    assert_string_equal(kit_read(&kit, "layer/fs/l"), "wins");
    assert_true(is_opaque(&kit, "layer/fs/c"));
    assert_true(is_opaque(&kit, "layer/fs/d"));
    assert_true(S_ISLNK(look(&kit, "layer/fs/s").st_mode));
    assert_true(kit_gives_back(&kit));
    kit_leave(&kit);
}

static void an_opaque_root_is_told(void **state)
{
    struct kit kit;
    (void)state;
    kit_enter(&kit);
    kit_text(&kit, "./.wh..wh..opq", "");
    unpacks(&kit);
    assert_true(kit.result.opaque);
    assert_true(is_opaque(&kit, "layer/fs"));
    kit_leave(&kit);
}

static void digests_are_those_of_the_bytes(void **state)
{
    struct kit kit;
    char digest[DIGEST_MAX] = "sha256:";
    (void)state;
    kit_enter(&kit);
    kit_text(&kit, "a", "x");
    unpacks(&kit);
    sha256_hex(kit.tar.data, kit.tar.len, digest + 7);
    assert_string_equal(kit.result.diff_id, digest);
    assert_string_equal(kit.result.blob, digest);
    assert_int_equal(kit.result.entries, 1);
    assert_int_equal(kit.result.tar_bytes, kit.tar.len);
    kit_leave(&kit);
}

/* Unpacks a file and a few more, lets `harm` at the layer, and expects "is damaged". */
static void damage_is_seen(void (*harm)(int fs))
{
    struct kit kit;
    kit_enter(&kit);
    kit_text(&kit, "a", "0123456789");
    kit_text(&kit, "b", "x");
    unpacks(&kit);
    assert_true(kit_gives_back(&kit));
    autofd fs = openat(kit.dir, "layer/fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    harm(fs);
    assert_false(kit_gives_back(&kit));
    assert_int_equal(kit.err.code, -EBADMSG);
    assert_non_null(strstr(kit.err.text, "is damaged"));
    assert_non_null(strstr(kit.err.text, kit.result.diff_id));
    kit_leave(&kit);
}

static void remove_it(int fs)
{
    unlinkat(fs, "a", 0);
}

static void change_it(int fs)
{
    autofd fd = openat(fs, "a", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "X", 1, 3), 1);
}

static void lengthen_it(int fs)
{
    autofd fd = openat(fs, "a", O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "X", 1), 1);
}

static void replace_it(int fs)
{
    unlinkat(fs, "a", 0);
    assert_int_equal(symlinkat("b", fs, "a"), 0);
}

static void cut_the_recipe(int fs)
{
    autofd fd = openat(fs, "../recipe", O_WRONLY | O_CLOEXEC);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(ftruncate(fd, st.st_size - 5), 0);
}

static void empty_the_recipe(int fs)
{
    autofd fd = openat(fs, "../recipe", O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
}

static void a_changed_layer_is_not_given_out_as_the_original(void **state)
{
    (void)state;
    damage_is_seen(remove_it);
    damage_is_seen(change_it);
    damage_is_seen(lengthen_it);
    damage_is_seen(cut_the_recipe);
    damage_is_seen(empty_the_recipe);
}

static void nothing_is_read_through_a_symlink(void **state)
{
    struct kit kit;
    (void)state;
    kit_enter(&kit);
    kit_text(&kit, "a", "x");
    kit_text(&kit, "b", "x");
    unpacks(&kit);
    autofd fs = openat(kit.dir, "layer/fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    replace_it(fs); /* the same content behind it */
    assert_false(kit_gives_back(&kit));
    kit_leave(&kit);
}

static void a_hundred_thousand_files_come_out(void **state)
{
    struct kit kit;
    char name[64];
    (void)state;
    kit_enter(&kit);
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof name, "dir-%d/sub-%d/file-%d", i / 1000, i / 100, i);
        kit_text(&kit, name, i % 10 ? "small" : "");
    }
    unpacks(&kit);
    assert_int_equal(kit.result.entries, 100000);
    assert_int_equal(kit.result.size, 90000 * 5);
    assert_string_equal(kit_read(&kit, "layer/fs/dir-99/sub-999/file-99999"), "small");
    assert_true(kit_gives_back(&kit));
    kit_leave(&kit);
}

/* Becomes root of a user namespace that maps one user and one group. */
static bool enter_small_namespace(void)
{
    char users[32], groups[32];
    snprintf(users, sizeof users, "0 %u 1", geteuid());
    snprintf(groups, sizeof groups, "0 %u 1", getegid());
    return unshare(CLONE_NEWUSER) == 0 &&
           write_kernel_file_at(AT_FDCWD, "/proc/self/uid_map", users) == 0 &&
           write_kernel_file_at(AT_FDCWD, "/proc/self/setgroups", "deny") == 0 &&
           write_kernel_file_at(AT_FDCWD, "/proc/self/gid_map", groups) == 0;
}

static int unpack_in_small_namespace(struct kit *kit)
{
    if (!enter_small_namespace())
        return 77;
    kit_add(kit, &(struct tar_entry){.type = TAR_CHARACTER, .path = "null", .major = 1, .minor = 3},
            NULL);
    kit_text(kit, ".wh.gone", "");
    if (kit_unpack_to(kit, "first", NULL) < 0 || kit->result.skipped_devices != 1)
        return 1;
    buf_clear(&kit->tar);
    kit_add(kit, &(struct tar_entry){.path = "file", .uid = 5}, "x");
    if (kit_unpack_to(kit, "second", NULL) != -EINVAL)
        return 2;
    return strstr(kit->err.text, "file: it belongs to user 5") ? 0 : 3;
}

static void in_a_user_namespace_devices_are_skipped_and_unmapped_ids_named(void **state)
{
    struct kit kit;
    int status;
    (void)state;
    kit_enter(&kit);
    pid_t pid = fork();
    if (pid == 0)
        _exit(unpack_in_small_namespace(&kit));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    kit_leave(&kit);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("no user namespace may be made here: skipped\n");
        skip();
    }
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_come_with_owner_mode_and_time),
        cmocka_unit_test(directories_get_their_times_after_their_contents),
        cmocka_unit_test(names_may_be_absolute_or_begin_with_a_dot),
        cmocka_unit_test(hard_links_share_the_file),
        cmocka_unit_test(symlinks_keep_any_target),
        cmocka_unit_test(devices_and_pipes_are_made),
        cmocka_unit_test(attributes_are_kept_or_dropped_by_name),
        cmocka_unit_test(whiteouts_take_overlayfs_form),
        cmocka_unit_test(a_whiteout_never_removes_what_its_own_layer_has),
        cmocka_unit_test(an_opaque_root_is_told),
        cmocka_unit_test(digests_are_those_of_the_bytes),
        cmocka_unit_test(a_changed_layer_is_not_given_out_as_the_original),
        cmocka_unit_test(nothing_is_read_through_a_symlink),
        cmocka_unit_test(in_a_user_namespace_devices_are_skipped_and_unmapped_ids_named),
        cmocka_unit_test(a_hundred_thousand_files_come_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
