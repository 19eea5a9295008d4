/* SPDX-License-Identifier: Apache-2.0 */
/* Archives made by the tars that people use: unpacked as they unpack them, given back as they were.
 */
#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants the headers above */
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "archive-kit.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/strv.h"
#include "base/text.h"

#define LONG_NAME                                                                                  \
    "a-name-that-does-not-fit-into-the-hundred-bytes-of-an-old-header-because-it-just-goes-on-"    \
    "and-"                                                                                         \
    "on-and-on-until-it-is-long-enough"

static bool have_program(const char *name)
{
    struct error err = {0};
    autobuf out = {0};
    char *argv[] = {(char *)name, (char *)"--version", NULL};
    struct process_spec spec = {.program = name, .search = true, .argv = argv, .fds = {-1, -1, -1}};
    return process_run(&spec, &out, 1 << 16, &err) == 0;
}

/* Runs "PROGRAM WORDS…" where words are separated by single spaces. */
static bool run(const char *program, const char *words)
{
    struct error err = {0};
    autobuf out = {0};
    autostrv argv = {0};
    strv_add(&argv, program);
    strv_split(&argv, words, ' ');
    struct process_spec spec = {
        .program = program, .search = true, .argv = argv.items, .fds = {-1, -1, -1}};
    int rc = process_run(&spec, &out, 1 << 20, &err);
    if (rc < 0)
        print_message("%s %s: %s\n%s\n", program, words, err.text, buf_text(&out));
    return rc == 0;
}

static void put(int dir, const char *name, mode_t mode, const char *content, size_t length,
                off_t offset)
{
    autofd fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, content, length, offset), length);
    assert_int_equal(fchmod(fd, mode), 0);
}

/* One of everything. */
static void make_source(struct kit *kit, bool old)
{
    struct error err = {0};
    autofree char *path = xasprintf("%s/source/dir/" LONG_NAME "/" LONG_NAME, kit->path);
    autofree char *plain = xasprintf("%s/source/dir", kit->path);
    assert_int_equal(make_directories(old ? plain : path, 0755, &err), 0);
    autofd dir = openat(kit->dir, "source/dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put(dir, "small", 0644, "content", 7, 0);
    put(dir, "empty", 0640, "", 0, 0);
    put(dir, "suid", 04755, "s", 1, 0);
    assert_int_equal(linkat(dir, "small", dir, "hard", 0), 0);
    assert_int_equal(symlinkat("small", dir, "soft"), 0);
    assert_int_equal(mkdirat(dir, "sticky", 0700), 0);
    assert_int_equal(fchmodat(dir, "sticky", 01777, 0), 0);
    autofree char *large = xcalloc(1, 600001);
    memset(large, 'l', 600001);
    put(dir, "large", 0600, large, 600001, 0);
    if (old)
        return;
    put(dir, LONG_NAME "/" LONG_NAME "/deep", 0644, "deep", 4, 0);
    assert_int_equal(symlinkat("/" LONG_NAME LONG_NAME, dir, "longsoft"), 0);
    assert_int_equal(mkfifoat(dir, "pipe", 0620), 0);
    /* Holes at the start, in the middle, at the end, in more parts than a header has room for. */
    for (off_t at = 1; at < 60; at++)
        put(dir, "sparse", 0644, "data", 4, at * 100000);
    autofd sparse = openat(dir, "sparse", O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(sparse, 9000000), 0);
    put(dir, "hole", 0644, "", 0, 0);
    autofd hole = openat(dir, "hole", O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(hole, 1000000), 0);
    struct timespec odd[2] = {{1500000000, 987654321}, {1500000000, 987654321}};
    assert_int_equal(utimensat(dir, "small", odd, 0), 0);
    if (geteuid() == 0)
        assert_int_equal(fchownat(dir, "large", 12345, 54321, 0), 0);
}

static void same_content(int a, int b, const char *name)
{
    autofd left = openat(a, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    autofd right = openat(b, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    static char one[65536], two[65536];
    ssize_t n;
    do {
        n = read_full(left, one, sizeof one);
        assert_int_equal(read_full(right, two, sizeof two), n);
        assert_memory_equal(one, two, (size_t)n);
    } while (n > 0);
}

static void same_entry(int a, int b, const char *name, const struct stat *left)
{
    struct stat right;
    if (fstatat(b, name, &right, AT_SYMLINK_NOFOLLOW) < 0)
        fail_msg("%s is missing", name);
    if (left->st_mode != right.st_mode || left->st_uid != right.st_uid ||
        left->st_gid != right.st_gid || left->st_nlink != right.st_nlink ||
        left->st_mtim.tv_sec != right.st_mtim.tv_sec ||
        left->st_mtim.tv_nsec != right.st_mtim.tv_nsec)
        fail_msg("%s differs: mode %o %o, owner %u %u, time %lld.%09ld %lld.%09ld", name,
                 left->st_mode, right.st_mode, left->st_uid, right.st_uid,
                 (long long)left->st_mtim.tv_sec, left->st_mtim.tv_nsec,
                 (long long)right.st_mtim.tv_sec, right.st_mtim.tv_nsec);
    if (S_ISREG(left->st_mode)) {
        assert_int_equal(left->st_size, right.st_size);
        same_content(a, b, name);
    }
    if (S_ISLNK(left->st_mode)) {
        char one[4096] = "", two[4096] = "";
        assert_true(readlinkat(a, name, one, sizeof one - 1) > 0);
        assert_true(readlinkat(b, name, two, sizeof two - 1) > 0);
        assert_string_equal(one, two);
    }
}

/* The number of entries below; all of `a` is in `b` and the same. */
static unsigned same_tree(int a, int b)
{
    unsigned count = 0;
    autodir dir = fdopendir(openat(a, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        struct stat st;
        if (streq(entry->d_name, ".") || streq(entry->d_name, ".."))
            continue;
        count++;
        assert_int_equal(fstatat(a, entry->d_name, &st, AT_SYMLINK_NOFOLLOW), 0);
        same_entry(a, b, entry->d_name, &st);
        if (!S_ISDIR(st.st_mode))
            continue;
        autofd below_a = openat(a, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        autofd below_b = openat(b, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        count += same_tree(below_a, below_b);
    }
    return count;
}

static int64_t blocks(struct kit *kit, const char *path)
{
    struct stat st;
    assert_int_equal(fstatat(kit->dir, path, &st, 0), 0);
    return st.st_blocks;
}

/* Makes an archive with PROGRAM and these options, and compares both ways. */
static void goes_both_ways(const char *program, const char *options, bool old)
{
    struct kit kit;
    kit_enter(&kit);
    make_source(&kit, old);
    autofree char *pack = xasprintf("%s -cf %s/a.tar -C %s/source .", options, kit.path, kit.path);
    autofree char *unpack = xasprintf("-xpf %s/a.tar -C %s/expected", kit.path, kit.path);
    assert_int_equal(mkdirat(kit.dir, "expected", 0755), 0);
    assert_true(run(program, pack));
    assert_true(run(program, unpack));
    autobuf tar = {0};
    assert_int_equal(read_file_at(kit.dir, "a.tar", 64 << 20, &tar, &kit.err), 0);
    if (kit_unpack_bytes(&kit, "layer", tar.data, tar.len, NULL) < 0)
        fail_msg("%s %s: %s", program, options, kit.err.text);
    autofd fs = openat(kit.dir, "layer/fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autofd expected = openat(kit.dir, "expected", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(same_tree(expected, fs), old ? 8 : 15);
    assert_int_equal(same_tree(fs, expected), old ? 8 : 15);
    if (strstr(options, "parse") && blocks(&kit, "source/dir/sparse") * 512 < 9000000)
        assert_true(blocks(&kit, "layer/fs/dir/sparse") * 512 < 4000000);
    if (!kit_layer_gives(&kit, "layer", kit.result.diff_id, tar.data, tar.len))
        fail_msg("%s %s: not given back: %s", program, options, kit.err.text);
    kit_leave(&kit);
}

static void need(const char *program)
{
    if (have_program(program))
        return;
    print_message("%s is not installed: skipped\n", program);
    skip();
}

static void every_format_of_gnu_tar(void **state)
{
    (void)state;
    need("tar");
    goes_both_ways("tar", "--format=gnu", false);
    goes_both_ways("tar", "--format=oldgnu", false);
    goes_both_ways("tar", "--format=pax", false);
    goes_both_ways("tar", "--format=ustar", true);
    goes_both_ways("tar", "--format=v7", true);
}

static void every_sparse_form_of_gnu_tar(void **state)
{
    (void)state;
    need("tar");
    goes_both_ways("tar", "--format=gnu --sparse", false);
    goes_both_ways("tar", "--format=pax --sparse --sparse-version=0.0", false);
    goes_both_ways("tar", "--format=pax --sparse --sparse-version=0.1", false);
    goes_both_ways("tar", "--format=pax --sparse --sparse-version=1.0", false);
}

static void every_format_of_bsdtar(void **state)
{
    (void)state;
    need("bsdtar");
    goes_both_ways("bsdtar", "--format=pax --read-sparse", false);
    goes_both_ways("bsdtar", "--format=gnutar", false);
    goes_both_ways("bsdtar", "--format=ustar", true);
}

int main(void)
{
    umask(022);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_of_gnu_tar),
        cmocka_unit_test(every_sparse_form_of_gnu_tar),
        cmocka_unit_test(every_format_of_bsdtar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
