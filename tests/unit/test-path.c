/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths inside a container's root. Each test has a tree of its own:
 *     TOP/canary/secret    what nobody inside may reach
 *     TOP/root/            the root of the container
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the above first. */
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "path/inroot.h"

struct tree {
    char top[64];
    int top_fd, root;
};

/* --- helpers -----------------------------------------------------------------------------------
 */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

static int set_up(void **state)
{
    struct tree *t = calloc(1, sizeof *t);
    snprintf(t->top, sizeof t->top, "/tmp/caisson-test-path-XXXXXX");
    if (!t || !mkdtemp(t->top))
        return -1;
    t->top_fd = open(t->top, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (mkdirat(t->top_fd, "canary", 0755) < 0 || mkdirat(t->top_fd, "root", 0755) < 0)
        return -1;
    int fd = openat(t->top_fd, "canary/secret", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return -1;
    close(fd);
    t->root = openat(t->top_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    *state = t;
    return t->root < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    struct tree *t = *state;
    close(t->root);
    close(t->top_fd);
    nftw(t->top, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    free(t);
    return 0;
}

static void link_to(const struct tree *t, const char *target, const char *name)
{
    assert_int_equal(symlinkat(target, t->root, name), 0);
}

static void directory(const struct tree *t, const char *name)
{
    assert_int_equal(mkdirat(t->root, name, 0755), 0);
}

static void file(const struct tree *t, const char *name)
{
    autofd fd = openat(t->root, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
}

static bool there(int dirfd, const char *name)
{
    struct stat st;
    return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool same(int fd, int dirfd, const char *name)
{
    struct stat a, b;
    assert_int_equal(fstat(fd, &a), 0);
    assert_int_equal(fstatat(dirfd, name, &b, 0), 0);
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int opened(const struct tree *t, const char *path)
{
    return inroot_open(t->root, path, O_PATH);
}

/* The canary directory has its one file and nothing else. */
static void canary_is_untouched(const struct tree *t)
{
    struct stat st;
    assert_int_equal(fstatat(t->top_fd, "canary", &st, 0), 0);
    assert_int_equal(st.st_nlink, 2); /* no directory was made in it */
    assert_true(there(t->top_fd, "canary/secret"));
    assert_false(there(t->top_fd, "canary/x"));
    assert_false(there(t->top_fd, "canary/b"));
}

/* --- opening -----------------------------------------------------------------------------------
 */

static void absolute_and_relative_paths_mean_the_same(void **state)
{
    const struct tree *t = *state;
    directory(t, "etc");
    autofd a = opened(t, "/etc"), b = opened(t, "etc"), c = opened(t, "//etc/."), d = opened(t, "");
    assert_true(a >= 0 && b >= 0 && c >= 0 && d >= 0);
    assert_true(same(a, t->root, "etc") && same(b, t->root, "etc") && same(c, t->root, "etc"));
    assert_true(same(d, t->top_fd, "root"));
}

static void dot_dot_stops_at_the_root(void **state)
{
    const struct tree *t = *state;
    directory(t, "canary");
    autofd fd = opened(t, "../../../canary"), root = opened(t, "/..");
    assert_true(fd >= 0 && root >= 0);
    assert_true(same(fd, t->root, "canary"));
    assert_true(same(root, t->top_fd, "root"));
    assert_int_equal(opened(t, "../canary/secret"), -ENOENT);
}

static void links_out_of_the_tree_stay_in_it(void **state)
{
    const struct tree *t = *state;
    char absolute[128];
    snprintf(absolute, sizeof absolute, "%s/canary", t->top);
    link_to(t, "../canary", "relative");
    link_to(t, absolute, "absolute");
    link_to(t, "/", "top");
    assert_int_equal(opened(t, "relative/secret"), -ENOENT);
    assert_int_equal(opened(t, "absolute/secret"), -ENOENT);
    assert_int_equal(opened(t, "absolute"), -ENOENT);
    autofd top = opened(t, "top");
    assert_true(top >= 0 && same(top, t->top_fd, "root"));
    assert_int_equal(opened(t, "top/../canary/secret"), -ENOENT);
}

static void absolute_links_count_from_the_root(void **state)
{
    const struct tree *t = *state;
    directory(t, "usr");
    directory(t, "usr/lib");
    link_to(t, "/usr/lib", "lib");
    autofd fd = opened(t, "/lib");
    assert_true(fd >= 0 && same(fd, t->root, "usr/lib"));
}

static void a_loop_of_links_is_an_error(void **state)
{
    const struct tree *t = *state;
    link_to(t, "b", "a");
    link_to(t, "a", "b");
    assert_int_equal(opened(t, "a"), -ELOOP);
    assert_int_equal(inroot_make_directory(t->root, "a/x"), -ELOOP);
    assert_int_equal(inroot_make_file(t->root, "a", 0644), -ELOOP);
}

static void where_a_link_led_is_told_and_what_is_beside_the_root_is_not_below_it(void **state)
{
    const struct tree *t = *state;
    char where[INROOT_PATH_MAX];
    directory(t, "a");
    directory(t, "a/b");
    file(t, "a/b/f");
    link_to(t, "/a/b", "l");
    autofd at = opened(t, "l/f"), root = opened(t, "/"), all = open("/", O_PATH | O_CLOEXEC);
    assert_int_equal(inroot_where(t->root, at, where), 0);
    assert_string_equal(where, "a/b/f");
    assert_int_equal(inroot_where(t->root, root, where), 0);
    assert_string_equal(where, "");
    assert_int_equal(inroot_where(all, at, where), 0);
    assert_string_equal(where + strlen(where) - 11, "/root/a/b/f");
    assert_int_equal(where[0] == '/', 0);
    assert_int_equal(inroot_where(t->root, t->top_fd, where), -EXDEV);
    assert_int_equal(mkdirat(t->top_fd, "roots", 0755), 0);
    autofd beside = openat(t->top_fd, "roots", O_PATH | O_CLOEXEC);
    assert_int_equal(inroot_where(t->root, beside, where), -EXDEV);
    assert_int_equal(inroot_where(t->root, -1, where), -ENOENT);
}

static void magic_links_of_proc_are_refused(void **state)
{
    (void)state;
    char path[64];
    autofd host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    autofd target = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), target);
    assert_int_equal(inroot_open(host, path, O_PATH), -ELOOP);
    snprintf(path, sizeof path, "/proc/%d/root/etc", (int)getpid());
    assert_int_equal(inroot_open(host, path, O_PATH), -ELOOP);
    snprintf(path, sizeof path, "/proc/%d/cwd", (int)getpid());
    assert_int_equal(inroot_make_directory(host, path), -ELOOP);
}

static void descriptors_do_not_survive_execve(void **state)
{
    const struct tree *t = *state;
    autofd a = opened(t, "/"), b = inroot_make_directory(t->root, "made/here"),
           c = inroot_make_file(t->root, "made/file", 0600);
    assert_int_equal(fcntl(a, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(b, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(c, F_GETFD), FD_CLOEXEC);
}

static void an_error_names_the_path(void **state)
{
    const struct tree *t = *state;
    struct error err = {0};
    assert_int_equal(inroot_open_or_say(t->root, "/etc/missing", O_PATH, &err), -ENOENT);
    assert_string_equal(err.text,
                        "cannot open /etc/missing in the container: No such file or directory");
}

/* --- making ------------------------------------------------------------------------------------
 */

static void directories_that_are_missing_are_made(void **state)
{
    const struct tree *t = *state;
    struct stat st;
    autofd fd = inroot_make_directory(t->root, "/a//b/./c/");
    assert_true(fd >= 0 && same(fd, t->root, "a/b/c"));
    assert_int_equal(fstat(fd, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    autofd again = inroot_make_directory(t->root, "a/b/c");
    assert_true(again >= 0 && same(again, t->root, "a/b/c"));
}

static void directories_are_made_where_links_lead_inside(void **state)
{
    const struct tree *t = *state;
    directory(t, "run");
    directory(t, "var");
    link_to(t, "/run", "var/run");
    autofd fd = inroot_make_directory(t->root, "/var/run/app/x");
    assert_true(fd >= 0 && same(fd, t->root, "run/app/x"));
}

/* MS-08 and MS-21: the parent of a mount point or of a working directory leads out. */
static void nothing_is_made_beyond_a_link_that_leads_out(void **state)
{
    const struct tree *t = *state;
    char absolute[128];
    snprintf(absolute, sizeof absolute, "%s/canary", t->top);
    link_to(t, "../canary", "a");
    link_to(t, "../../../../../../../..", "up");
    link_to(t, absolute, "abs");
    static const char *const paths[] = {"/a/b", "/up/canary/b", "/abs/b", "a/x", "abs/x"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        autofd directory_fd = inroot_make_directory(t->root, paths[i]);
        autofd file_fd = inroot_make_file(t->root, paths[i], 0644);
        (void)directory_fd;
        (void)file_fd;
        canary_is_untouched(t);
    }
    /* Above the root is the root. */
    assert_true(there(t->root, "canary/b"));
}

static void what_a_link_leads_to_is_made_inside(void **state)
{
    const struct tree *t = *state;
    char absolute[128], inside[140];
    snprintf(absolute, sizeof absolute, "%s/canary/x", t->top);
    snprintf(inside, sizeof inside, "%s/y", absolute + 1);
    link_to(t, absolute, "dangling");
    link_to(t, "sub/dir/", "inside");
    link_to(t, "inside/more", "chain");
    link_to(t, "./sub/../sub/file", "file");
    autofd a = inroot_make_directory(t->root, "dangling/y");
    assert_true(a >= 0 && same(a, t->root, inside));
    canary_is_untouched(t);
    assert_int_equal(inroot_make_file(t->root, "inside", 0644), -EISDIR);
    autofd b = inroot_make_directory(t->root, "chain/z");
    assert_true(b >= 0 && same(b, t->root, "sub/dir/more/z"));
    autofd c = inroot_make_file(t->root, "file", 0644);
    assert_true(c >= 0 && same(c, t->root, "sub/file"));
    autofd again = inroot_make_file(t->root, "/file", 0644);
    assert_true(again >= 0 && same(again, t->root, "sub/file"));
    canary_is_untouched(t);
}

static void as_many_links_as_the_kernel_follows_and_no_more(void **state)
{
    const struct tree *t = *state;
    char from[16], to[16];
    link_to(t, "end/dir", "l0");
    for (int i = 1; i <= 40; i++) {
        snprintf(from, sizeof from, "l%d", i);
        snprintf(to, sizeof to, "l%d", i - 1);
        link_to(t, to, from);
    }
    assert_int_equal(inroot_make_directory(t->root, "l40"), -ELOOP);
    assert_false(there(t->root, "end"));
    autofd fd = inroot_make_directory(t->root, "l39");
    assert_true(fd >= 0 && same(fd, t->root, "end/dir"));
}

static void what_would_be_made_is_told_without_making_it(void **state)
{
    const struct tree *t = *state;
    char where[INROOT_PATH_MAX];
    size_t known = 9;
    directory(t, "a");
    link_to(t, "/a/b/c", "a/l");
    assert_int_equal(inroot_find(t->root, "/a/l/x", where, &known), 0);
    assert_string_equal(where, "a/b/c/x");
    assert_int_equal(known, 1);
    assert_int_equal(inroot_find(t->root, "../../new/", where, &known), 0);
    assert_string_equal(where, "new");
    assert_int_equal(known, 0);
    assert_int_equal(inroot_find(t->root, "/", where, &known), 0);
    assert_string_equal(where, "");
    assert_int_equal(inroot_find(t->root, "b/../c", where, &known), -EINVAL);
    assert_false(there(t->root, "a/b"));
    assert_false(there(t->root, "new"));
}

static void what_is_made_for_somebody_belongs_to_them_behind_links_as_well(void **state)
{
    const struct tree *t = *state;
    struct stat st;
    bool made;
    if (geteuid() != 0)
        skip();
    directory(t, "old");
    link_to(t, "old/new/", "l");
    autofd fd = inroot_make_directory_for(t->root, "l/x", 5, 6, &made);
    assert_true(fd >= 0 && made);
    assert_int_equal(fstatat(t->root, "old/new", &st, 0), 0);
    assert_true(st.st_uid == 5 && st.st_gid == 6);
    assert_int_equal(fstatat(t->root, "old", &st, 0), 0);
    assert_int_equal(st.st_uid, 0);
    autofd again = inroot_make_directory_for(t->root, "l/x", 7, 7, &made);
    assert_true(again >= 0 && !made);
}

static void dot_dot_into_what_is_missing_is_refused(void **state)
{
    const struct tree *t = *state;
    autofd fd = inroot_make_directory(t->root, "missing/../../canary/x");
    canary_is_untouched(t);
    autofd up = inroot_make_directory(t->root, "../canary/x");
    assert_true(up >= 0 && same(up, t->root, "canary/x"));
    canary_is_untouched(t);
}

static void a_file_on_the_way_is_an_error(void **state)
{
    const struct tree *t = *state;
    file(t, "plain");
    assert_int_equal(inroot_make_directory(t->root, "plain/x"), -ENOTDIR);
    assert_int_equal(inroot_make_directory(t->root, "plain"), -ENOTDIR);
    assert_int_equal(inroot_make_file(t->root, "plain/x", 0644), -ENOTDIR);
}

static void files_are_made_with_their_parents(void **state)
{
    const struct tree *t = *state;
    struct stat st;
    autofd fd = inroot_make_file(t->root, "/etc/app/conf", 0640);
    assert_true(fd >= 0 && same(fd, t->root, "etc/app/conf"));
    assert_int_equal(fstat(fd, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0640);
    autofd again = inroot_make_file(t->root, "etc/app/conf", 0600);
    assert_true(again >= 0 && same(again, t->root, "etc/app/conf"));
}

static void a_directory_is_no_file(void **state)
{
    const struct tree *t = *state;
    directory(t, "etc");
    assert_int_equal(inroot_make_file(t->root, "etc", 0644), -EISDIR);
    assert_int_equal(inroot_make_file(t->root, "new/", 0644), -EISDIR);
    assert_int_equal(inroot_make_file(t->root, "/", 0644), -EISDIR);
}

static void what_is_no_file_is_not_even_opened_to_read_it(void **state)
{
    const struct tree *t = *state;
    char path[128], event[4096];
    file(t, "passwd");
    autofd fd = inroot_open_file(t->root, "/passwd");
    assert_true(fd >= 0 && same(fd, t->root, "passwd"));
    assert_int_equal(mkfifoat(t->root, "pipe", 0600), 0);
    link_to(t, "pipe", "link");
    snprintf(path, sizeof path, "%s/root", t->top);
    autofd watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    assert_true(inotify_add_watch(watch, path, IN_OPEN) >= 0);
    assert_int_equal(inroot_open_file(t->root, "pipe"), -EINVAL);
    assert_int_equal(inroot_open_file(t->root, "link"), -EINVAL);
    assert_int_equal(inroot_open_file(t->root, "none"), -ENOENT);
    assert_int_equal(read(watch, event, sizeof event), -1);
    assert_int_equal(errno, EAGAIN);
    autofd again = inroot_open_file(t->root, "passwd");
    assert_true(again >= 0 && read(watch, event, sizeof event) > 0);
}

static void a_path_that_is_too_long_is_an_error(void **state)
{
    const struct tree *t = *state;
    static char path[INROOT_PATH_MAX + 2];
    memset(path, 'a', sizeof path - 1);
    for (size_t i = 0; i < sizeof path - 1; i += 2)
        path[i] = '/';
    assert_int_equal(inroot_make_directory(t->root, path), -ENAMETOOLONG);
    assert_int_equal(inroot_make_file(t->root, path, 0644), -ENAMETOOLONG);
}

/* --- racing ------------------------------------------------------------------------------------
 */

/* Swaps root/d (a directory) with root/l (a link to the canary) until it is killed. */
static pid_t swap_for_ever(const struct tree *t)
{
    pid_t parent = getpid(), pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    for (;;)
        renameat2(t->root, "d", t->root, "l", RENAME_EXCHANGE);
}

static void stop(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* MS-03: whatever the swap makes of it, what was opened or made lies inside. */
static void a_rename_under_the_walk_never_leads_out(void **state)
{
    const struct tree *t = *state;
    directory(t, "d");
    file(t, "d/secret");
    directory(t, "canary");
    file(t, "canary/secret");
    link_to(t, "../canary", "l");
    pid_t pid = swap_for_ever(t);
    unsigned plain = 0, by_link = 0;
    for (int i = 0; i < 20000 || (i < 5000000 && (plain == 0 || by_link == 0)); i++) {
        struct stat st, inside, outside;
        autofd fd = opened(t, "d/secret");
        if (fd < 0) {
            assert_true(fd == -EAGAIN || fd == -ENOENT);
            continue;
        }
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(fstatat(t->top_fd, "canary/secret", &outside, 0), 0);
        assert_int_equal(fstatat(t->root, "canary/secret", &inside, 0), 0);
        assert_int_not_equal(st.st_ino, outside.st_ino);
        if (st.st_ino == inside.st_ino)
            by_link++;
        else
            plain++;
    }
    stop(pid);
    assert_true(plain > 0 && by_link > 0); /* else nothing was raced */
    canary_is_untouched(t);
}

static void a_rename_under_the_making_never_leads_out(void **state)
{
    const struct tree *t = *state;
    char absolute[128];
    snprintf(absolute, sizeof absolute, "%s/canary", t->top);
    directory(t, "d");
    link_to(t, absolute, "l");
    pid_t pid = swap_for_ever(t);
    unsigned plain = 0, by_link = 0;
    for (int i = 0; i < 5000 || (i < 1000000 && (plain == 0 || by_link == 0)); i++) {
        autofd dir = inroot_make_directory(t->root, "d/x/y");
        autofd made = inroot_make_file(t->root, "d/b", 0644);
        /* Only below whichever is the directory now, or where the link leads from the root. */
        const char *const parents[] = {"d", "l", absolute + 1};
        for (size_t k = 0; k < 3; k++) {
            autofd parent =
                openat(t->root, parents[k], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (parent < 0)
                continue;
            unsigned found = unlinkat(parent, "b", 0) == 0;
            found += unlinkat(parent, "x/y", AT_REMOVEDIR) == 0;
            (void)unlinkat(parent, "x", AT_REMOVEDIR);
            plain += k < 2 ? found : 0;
            by_link += k < 2 ? 0 : found;
        }
    }
    stop(pid);
    assert_true(plain > 0 && by_link > 0);
    canary_is_untouched(t);
}

/* --- cleaning ----------------------------------------------------------------------------------
 */

static void paths_are_cleaned(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"/", "/"}, {"//", "/"}, {"/a", "/a"}, {"//a///b/", "/a/b"}, {"/a/..b/c.", "/a/..b/c."}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[INROOT_PATH_MAX];
        assert_int_equal(inroot_clean(cases[i][0], "--tmpfs", out, NULL), 0);
        assert_string_equal(out, cases[i][1]);
    }
}

static void bad_paths_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const paths[] = {"", "a", "./a", "/a/../b", "/..", "/a/.", "/./a"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char out[INROOT_PATH_MAX];
        struct error err = {0};
        assert_int_equal(inroot_clean(paths[i], "--tmpfs", out, &err), -EINVAL);
        assert_non_null(strstr(err.text, "--tmpfs"));
    }
}

static void long_paths_are_refused(void **state)
{
    (void)state;
    static char path[2 * INROOT_PATH_MAX];
    char out[INROOT_PATH_MAX];
    memset(path, 'a', 300);
    path[0] = '/';
    assert_int_equal(inroot_clean(path, "-v", out, NULL), -ENAMETOOLONG);
    path[256] = '\0'; /* a component of 255 bytes is the longest there is */
    assert_int_equal(inroot_clean(path, "-v", out, NULL), 0);
    /* The longest path that fits, and one byte more. */
    for (size_t i = 0; i < sizeof path - 1; i++)
        path[i] = i % 2 ? 'b' : '/';
    path[INROOT_PATH_MAX - 2] = '\0';
    assert_int_equal(inroot_clean(path, "-v", out, NULL), 0);
    assert_string_equal(out, path);
    path[INROOT_PATH_MAX - 2] = '/';
    path[INROOT_PATH_MAX] = '\0';
    assert_int_equal(inroot_clean(path, "-v", out, NULL), -ENAMETOOLONG);
}

/* Seen to fail: /proc/kmsg was read as a file, which takes the kernel's messages and never ends. */
static void what_only_looks_like_a_file_is_not_opened(void **state)
{
    struct tree *t = *state;
    autofd host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(inroot_open_file(host, "proc/kmsg"), -EINVAL);
    assert_int_equal(inroot_open_file(host, "proc/uptime"), -EINVAL);
    assert_int_equal(inroot_open_file(host, "sys/kernel/uevent_seqnum"), -EINVAL);
    close(openat(t->root, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    autofd file = inroot_open_file(t->root, "file");
    assert_true(file >= 0);
}

static _Noreturn void hold_lease(int root, int ready)
{
    signal(SIGIO, SIG_IGN);
    int fd = openat(root, "file", O_RDWR | O_CLOEXEC);
    char done = fcntl(fd, F_SETLEASE, F_WRLCK) == 0 ? 'y' : 'n';
    if (write(ready, &done, 1) == 1)
        pause();
    _exit(0);
}

/* Seen to fail: it waited for 45 seconds (/proc/sys/fs/lease-break-time). */
static void a_lease_is_not_waited_for(void **state)
{
    struct tree *t = *state;
    int ends[2];
    char held = 0;
    close(openat(t->root, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0)
        hold_lease(t->root, ends[1]);
    assert_int_equal(read(ends[0], &held, 1), 1);
    autofd file = held == 'y' ? inroot_open_file(t->root, "file") : -EAGAIN;
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(file, -EAGAIN);
}

#define WITH_TREE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    umask(022);
    const struct CMUnitTest tests[] = {
        WITH_TREE(absolute_and_relative_paths_mean_the_same),
        WITH_TREE(dot_dot_stops_at_the_root),
        WITH_TREE(links_out_of_the_tree_stay_in_it),
        WITH_TREE(absolute_links_count_from_the_root),
        WITH_TREE(a_loop_of_links_is_an_error),
        WITH_TREE(where_a_link_led_is_told_and_what_is_beside_the_root_is_not_below_it),
        cmocka_unit_test(magic_links_of_proc_are_refused),
        WITH_TREE(what_only_looks_like_a_file_is_not_opened),
        WITH_TREE(a_lease_is_not_waited_for),
        WITH_TREE(descriptors_do_not_survive_execve),
        WITH_TREE(an_error_names_the_path),
        WITH_TREE(directories_that_are_missing_are_made),
        WITH_TREE(directories_are_made_where_links_lead_inside),
        WITH_TREE(nothing_is_made_beyond_a_link_that_leads_out),
        WITH_TREE(what_a_link_leads_to_is_made_inside),
        WITH_TREE(as_many_links_as_the_kernel_follows_and_no_more),
        WITH_TREE(what_would_be_made_is_told_without_making_it),
        WITH_TREE(what_is_made_for_somebody_belongs_to_them_behind_links_as_well),
        WITH_TREE(dot_dot_into_what_is_missing_is_refused),
        WITH_TREE(a_file_on_the_way_is_an_error),
        WITH_TREE(files_are_made_with_their_parents),
        WITH_TREE(a_directory_is_no_file),
        WITH_TREE(what_is_no_file_is_not_even_opened_to_read_it),
        WITH_TREE(a_path_that_is_too_long_is_an_error),
        WITH_TREE(a_rename_under_the_walk_never_leads_out),
        WITH_TREE(a_rename_under_the_making_never_leads_out),
        cmocka_unit_test(paths_are_cleaned),
        cmocka_unit_test(bad_paths_are_refused_by_name),
        cmocka_unit_test(long_paths_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
