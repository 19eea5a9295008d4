/* SPDX-License-Identifier: Apache-2.0 */
/* The fences put up in a child, which then tries what they are there against. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/memory.h"
#include "runtime/caps.h"
#include "runtime/label.h"
#include "runtime/landlock.h"
#include "runtime/procfs.h"
#include "runtime/seccomp.h"
#include "runtime/syscalls.h"

/* Runs `body` in a child; its wait status. Without core files: some children are to be killed. */
static int in_child(int (*body)(void *), void *argument)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        _exit(body(argument));
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

#define CHILD_SUCCEEDS(body, argument)                                                             \
    do {                                                                                           \
        int status_ = in_child(body, argument);                                                    \
        if (!WIFEXITED(status_) || WEXITSTATUS(status_) != 0)                                      \
            fail_msg("%s: %s %d", #body, WIFEXITED(status_) ? "line" : "signal",                   \
                     WIFEXITED(status_) ? WEXITSTATUS(status_) : WTERMSIG(status_));               \
    } while (0)

/* In a child: the offset in the function of the first thing that is not as it should be. */
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return (__LINE__ - first_line) % 255 + 1;                                              \
    } while (0)
#define FIRST_LINE const int first_line = __LINE__

static bool fails(long rc, int code)
{
    return rc < 0 && errno == code;
}

/* --- seccomp --- */

static int install(const struct seccomp_program *program)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    return seccomp_install(program);
}

static int behind_our_filter(void *argument)
{
    FIRST_LINE;
    EXPECT(install(argument) == 0);
    /* What ordinary programs do. */
    autofd null = open("/dev/null", O_RDWR | O_CLOEXEC);
    EXPECT(null >= 0);
    EXPECT(getpid() > 0);
    EXPECT(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    autofd tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    EXPECT(tcp >= 0);
    autofd udp6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    EXPECT(udp6 >= 0 || errno == EAFNOSUPPORT);
    autofd local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(local >= 0);
    autofd route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
    EXPECT(route >= 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    EXPECT(pid > 0 && waitpid(pid, NULL, 0) == pid);
    /* What they do not. */
    EXPECT(fails(unshare(CLONE_NEWUSER), EPERM));
    EXPECT(fails(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), EPERM));
    EXPECT(fails(syscall(SYS_clone3, NULL, 0), ENOSYS));
    EXPECT(fails(syscall(SYS_mount, NULL, NULL, NULL, 0, NULL), EPERM));
    EXPECT(fails(syscall(SYS_bpf, 0, NULL, 0), EPERM));
    EXPECT(fails(syscall(SYS_io_uring_setup, 1, NULL), EPERM));
    EXPECT(fails(syscall(SYS_keyctl, 0, 0, 0, 0, 0), EPERM));
    EXPECT(fails(syscall(SYS_userfaultfd, 0), EPERM));
    EXPECT(fails(syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0), EPERM));
    EXPECT(fails(syscall(SYS_init_module, NULL, 0, ""), EPERM));
    EXPECT(fails(socket(38 /* AF_ALG */, SOCK_SEQPACKET, 0), EPERM));
    EXPECT(fails(syscall(SYS_socket, UINT64_C(1) << 32 | 38, SOCK_SEQPACKET, 0), EPERM));
    EXPECT(fails(socket(40 /* AF_VSOCK */, SOCK_STREAM, 0), EPERM));
    EXPECT(fails(ioctl(0, TIOCSTI, "x"), EPERM));
    EXPECT(fails(syscall(SYS_ioctl, 0, UINT64_C(1) << 32 | TIOCSTI, "x"), EPERM));
    EXPECT(fails(ioctl(0, 0x541c /* TIOCLINUX */, "x"), EPERM));
    EXPECT(fails(syscall(900), ENOSYS));
    return 0;
}

static int behind_restricted(void *argument)
{
    FIRST_LINE;
    EXPECT(install(argument) == 0);
    EXPECT(fails(socket(AF_INET, SOCK_RAW, 1), EPERM));
    EXPECT(fails(socket(AF_PACKET, SOCK_RAW, 0), EPERM));
    EXPECT(fails(socket(AF_NETLINK, SOCK_RAW, 12 /* NETLINK_NETFILTER */), EPERM));
    EXPECT(fails(socket(AF_INET, SOCK_STREAM, 132 /* SCTP */), EPERM));
    EXPECT(fails(mknod("/nonexistent/x", S_IFCHR | 0600, 0), EPERM));
    EXPECT(fails(mkfifo("/nonexistent/x", 0600), ENOENT));
    EXPECT(fails(prctl(PR_SET_MM, 1, 0, 0, 0), EPERM));
    return 0;
}

static void our_filters_let_programs_work_and_stop_attacks(void **unused)
{
    (void)unused;
    for (unsigned which = 0; which < 2; which++) {
        struct seccomp_program program;
        struct error err = {0};
        assert_int_equal(seccomp_builtin((enum seccomp_builtin)which, 0, &program, &err), 0);
        CHILD_SUCCEEDS(behind_our_filter, &program);
        if (which == SECCOMP_RESTRICTED)
            CHILD_SUCCEEDS(behind_restricted, &program);
    }
}

#if defined(__x86_64__)
static int foreign_getpid(void *argument)
{
    FIRST_LINE;
    EXPECT(install(argument) == 0);
    long rc;
    __asm__ volatile("int $0x80" : "=a"(rc) : "a"(20L) : "memory"); /* i386: getpid */
    return rc == getpid() ? 0 : 77;
}

static int x32_getpid(void *argument)
{
    FIRST_LINE;
    EXPECT(install(argument) == 0);
    (void)syscall(0x40000000 | SYS_getpid);
    return 0;
}

static void i386_and_x32_calls_kill(void **unused)
{
    (void)unused;
    struct seccomp_program program, both;
    struct error err = {0};
    assert_int_equal(seccomp_builtin(SECCOMP_RESTRICTED, 0, &program, &err), 0);
    int status = in_child(foreign_getpid, &program);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    status = in_child(x32_getpid, &program);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    /* With a profile that asks for i386 the filter is none of the reasons against it; a kernel
     * built without i386 kills by SIGSEGV. */
    const char *text =
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86\"]}";
    assert_int_equal(seccomp_from_json(text, strlen(text), "t", 0, &both, &err), 0);
    status = in_child(foreign_getpid, &both);
    assert_true(WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGSEGV);
    seccomp_program_free(&both);
}
#endif

static int kill_on_getppid(void *argument)
{
    FIRST_LINE;
    EXPECT(install(argument) == 0);
    (void)getppid();
    return 0;
}

static void profiles_from_text_are_in_force(void **unused)
{
    (void)unused;
    struct seccomp_program program;
    struct error err = {0};
    const char *text =
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"getppid\"],"
        "\"action\":\"SCMP_ACT_KILL_PROCESS\"}]}";
    assert_int_equal(seccomp_from_json(text, strlen(text), "t", 0, &program, &err), 0);
    int status = in_child(kill_on_getppid, &program);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    seccomp_program_free(&program);
}

static void our_filters_are_short(void **unused)
{
    (void)unused;
    static const char *const names[] = {"restricted", "baseline"};
    for (unsigned which = 0; which < 2; which++) {
        struct seccomp_program program;
        struct error err = {0};
        char text[64];
        assert_int_equal(seccomp_builtin((enum seccomp_builtin)which, CAPS_NONE, &program, &err),
                         0);
        assert_true(seccomp_describe(&program, names[which], text, sizeof text) < sizeof text);
        print_message("%s\n", text);
        assert_in_range(program.count, 50, 200);
    }
}

/* --- capabilities --- */

static void names_of_capabilities_are_read_as_people_write_them(void **unused)
{
    (void)unused;
    static const char *const spellings[] = {"NET_ADMIN", "net_admin", "CAP_NET_ADMIN",
                                            "cap_Net_Admin"};
    uint64_t set = 0;
    struct error err = {0};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(caps_parse(spellings[i], &set, &err), 0);
        assert_int_equal(set, UINT64_C(1) << CAP_NET_ADMIN);
    }
    assert_int_equal(caps_parse("all", &set, &err), 0);
    assert_int_equal(set, caps_all());
    assert_true((caps_all() & CAPS_PODMAN_DEFAULT) == CAPS_PODMAN_DEFAULT);
    set = 7;
    assert_int_equal(caps_parse("NET_ADMlN", &set, &err), -EINVAL);
    assert_non_null(strstr(err.text, "did you mean NET_ADMIN?"));
    assert_int_equal(caps_parse("", &set, &err), -EINVAL);
    assert_int_equal(caps_parse("CAP_", &set, &err), -EINVAL);
    autofree char *monster = xmalloc(10000);
    memset(monster, 'A', 9999);
    monster[9999] = '\0';
    assert_int_equal(caps_parse(monster, &set, &err), -EINVAL);
    assert_int_equal(set, 7);
    autostrv names = {0};
    caps_names(CAPS_PODMAN_DEFAULT, &names);
    assert_int_equal(names.len, 11);
    assert_true(strv_has(&names, "CAP_SYS_CHROOT") && strv_has(&names, "CAP_SETFCAP"));
    assert_false(strv_has(&names, "CAP_NET_RAW") || strv_has(&names, "CAP_MKNOD"));
}

/* The five sets as /proc shows them. */
static bool sets_are(const struct caps *want)
{
    autobuf text = {0};
    struct caps have;
    if (read_kernel_file("/proc/self/status", 65536, &text, NULL) < 0)
        return false;
    static const char *const keys[] = {"\nCapInh:\t", "\nCapPrm:\t", "\nCapEff:\t", "\nCapBnd:\t",
                                       "\nCapAmb:\t"};
    uint64_t *const fields[] = {&have.inheritable, &have.permitted, &have.effective, &have.bounding,
                                &have.ambient};
    for (size_t i = 0; i < 5; i++) {
        const char *line = strstr(text.data, keys[i]);
        if (!line)
            return false;
        *fields[i] = strtoull(line + strlen(keys[i]), NULL, 16);
    }
    return have.inheritable == want->inheritable && have.permitted == want->permitted &&
           have.effective == want->effective && have.bounding == want->bounding &&
           have.ambient == want->ambient;
}

struct user {
    struct caps caps;
    uid_t uid;
};

static int become(void *argument)
{
    FIRST_LINE;
    const struct user *user = argument;
    EXPECT(caps_drop_bounding(user->caps.bounding) == 0);
    EXPECT(caps_keep(&user->caps) == 0);
    EXPECT(setresgid(user->uid, user->uid, user->uid) == 0);
    EXPECT(setresuid(user->uid, user->uid, user->uid) == 0);
    EXPECT(caps_set_final(&user->caps) == 0);
    EXPECT(sets_are(&user->caps));
    return 0;
}

static void exactly_the_granted_capabilities_are_left(void **unused)
{
    (void)unused;
    if (geteuid() != 0) {
        print_message("skipped: needs root\n");
        skip();
    }
    static const uint64_t granted[] = {CAPS_NONE, CAPS_PODMAN_DEFAULT,
                                       UINT64_C(1) << CAP_NET_ADMIN};
    for (size_t i = 0; i < 3; i++) {
        struct user root = {caps_for_user(granted[i], 0), 0};
        assert_true(root.caps.effective == granted[i] && root.caps.inheritable == 0);
        CHILD_SUCCEEDS(become, &root);
        struct user other = {caps_for_user(granted[i], 1000), 1000};
        assert_true(other.caps.bounding == granted[i] && other.caps.permitted == 0);
        CHILD_SUCCEEDS(become, &other);
    }
    /* A runtime configuration from outside may ask for more. */
    const uint64_t bind = UINT64_C(1) << CAP_NET_BIND_SERVICE;
    struct user ambient = {{bind, bind, bind, bind, bind}, 1000};
    CHILD_SUCCEEDS(become, &ambient);
}

/* --- Landlock --- */

struct tree {
    char path[64], writable[96];
    struct landlock_plan plan;
    int input; /* a file outside of every writable place, open for writing */
};

static bool can_write(const char *directory, const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    autofd fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return fd >= 0;
}

static int behind_landlock(void *argument)
{
    FIRST_LINE;
    const struct tree *tree = argument;
    char a[160], b[160];
    EXPECT(dup2(tree->input, 0) == 0);
    EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    EXPECT(landlock_restrict(&tree->plan, -1) == 0);
    EXPECT(!can_write(tree->path, "new"));
    EXPECT(errno == EACCES);
    EXPECT(!can_write(tree->path, "there"));
    snprintf(a, sizeof a, "%s/there", tree->path);
    EXPECT(fails(unlink(a), EACCES));
    EXPECT(fails(truncate(a, 0), EACCES) || landlock_abi() < 3);
    autofd readable = open(a, O_RDONLY | O_CLOEXEC);
    EXPECT(readable >= 0);
    EXPECT(can_write(tree->writable, "new"));
    /* Moving between directories works, which ABI 1 would forbid. */
    snprintf(a, sizeof a, "%s/sub", tree->writable);
    EXPECT(mkdir(a, 0700) == 0);
    snprintf(a, sizeof a, "%s/new", tree->writable);
    snprintf(b, sizeof b, "%s/sub/new", tree->writable);
    EXPECT(rename(a, b) == 0);
    EXPECT(can_write("/dev", "null"));
    autofd self = open("/proc/self/comm", O_WRONLY | O_CLOEXEC);
    EXPECT(self >= 0);
    /* What is open already may be opened again as it is. */
    autofd again = open("/proc/self/fd/0", O_WRONLY | O_CLOEXEC);
    EXPECT(again >= 0);
    return 0;
}

static int behind_open_landlock(void *argument)
{
    FIRST_LINE;
    const struct tree *tree = argument;
    EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    EXPECT(landlock_restrict(&tree->plan, -1) == 0);
    EXPECT(can_write(tree->path, "new"));
    return 0;
}

static void landlock_leaves_only_the_writable_places(void **unused)
{
    (void)unused;
    if (landlock_abi() < LANDLOCK_ABI_NEEDED) {
        print_message("skipped: this kernel's Landlock is %d\n", landlock_abi());
        skip();
    }
    struct tree tree = {.path = "/tmp/caisson-landlock.XXXXXX"};
    struct error err = {0};
    autostrv writable = {0};
    assert_non_null(mkdtemp(tree.path));
    snprintf(tree.writable, sizeof tree.writable, "%s/writable", tree.path);
    assert_int_equal(mkdir(tree.writable, 0700), 0);
    assert_true(can_write(tree.path, "there"));
    autofree char *input = xasprintf("%s/input", tree.path);
    autofd fd = open(input, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    tree.input = fd;
    strv_add(&writable, tree.writable);
    strv_add(&writable, "/no/such/place");
    /* A link that the workload may have laid to where a mount was, and that leads to none. */
    autofree char *link = xasprintf("%s/link", tree.path);
    assert_int_equal(symlink(tree.path, link), 0);
    strv_add(&writable, link);
    assert_int_equal(landlock_prepare(false, &writable, false, &tree.plan, &err), 0);
    CHILD_SUCCEEDS(behind_landlock, &tree);
    landlock_plan_free(&tree.plan);
    assert_int_equal(landlock_prepare(true, &writable, false, &tree.plan, &err), 0);
    CHILD_SUCCEEDS(behind_open_landlock, &tree);
    landlock_plan_free(&tree.plan);
    assert_int_equal(remove_tree_at(AT_FDCWD, tree.path, &err), 0);
}

struct dialler {
    struct landlock_plan plan;
    struct sockaddr_un address;
    socklen_t length;
    bool reachable;
};

static int dial(void *argument)
{
    FIRST_LINE;
    const struct dialler *d = argument;
    EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    EXPECT(landlock_restrict(&d->plan, -1) == 0);
    autofd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = connect(fd, (const struct sockaddr *)&d->address, d->length);
    EXPECT(d->reachable ? rc == 0 : fails(rc, EPERM));
    return 0;
}

static void abstract_sockets_are_out_of_reach_when_asked(void **unused)
{
    (void)unused;
    if (landlock_abi() < 6) {
        print_message("skipped: this kernel's Landlock is %d\n", landlock_abi());
        skip();
    }
    struct dialler d = {.address.sun_family = AF_UNIX};
    struct error err = {0};
    const struct strv none = {0};
    int n = snprintf(d.address.sun_path + 1, sizeof d.address.sun_path - 1, "caisson-test-%d",
                     getpid());
    d.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    autofd listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&d.address, d.length), 0);
    assert_int_equal(listen(listener, 4), 0);
    for (unsigned scoped = 0; scoped < 2; scoped++) {
        d.reachable = !scoped;
        assert_int_equal(landlock_prepare(true, &none, scoped, &d.plan, &err), 0);
        CHILD_SUCCEEDS(dial, &d);
        landlock_plan_free(&d.plan);
    }
}

/* --- labels --- */

static void labels_are_refused_where_the_host_has_none(void **unused)
{
    (void)unused;
    struct label label = {.length = 7};
    struct error err = {0};
    if (!label_host_has_apparmor()) {
        assert_int_equal(label_prepare(LABEL_APPARMOR, "my-profile", &label, &err), -ENOTSUP);
        assert_non_null(strstr(err.text, "my-profile"));
    }
    if (!label_host_has_selinux()) {
        assert_int_equal(label_prepare(LABEL_SELINUX, "u:r:t:s0", &label, &err), -ENOTSUP);
        assert_non_null(strstr(err.text, "SELinux"));
    }
    assert_int_equal(label_prepare(LABEL_APPARMOR, "a\nb", &label, &err), -EINVAL);
    assert_int_equal(label_prepare(LABEL_APPARMOR, "", &label, &err), -EINVAL);
    assert_int_equal(label.length, 7);
    assert_int_equal(label_prepare(LABEL_NONE, NULL, &label, &err), 0);
    label_free(&label);
}

static void a_label_file_that_is_not_on_procfs_is_refused(void **unused)
{
    (void)unused;
    char path[] = "/tmp/caisson-label.XXXXXX";
    struct error err = {0};
    assert_non_null(mkdtemp(path));
    autofree char *attr = xasprintf("%s/thread-self/attr", path);
    assert_int_equal(make_directories(attr, 0700, &err), 0);
    autofd dir = open(attr, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(write_file_at(dir, "exec", "", 0, 0600, VOLATILE, &err), 0);
    assert_int_equal(write_file_at(dir, "current", "", 0, 0600, VOLATILE, &err), 0);
    autofd fake = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(label_open(fake, LABEL_SELINUX), -EXDEV);
    assert_int_equal(label_open(fake, LABEL_APPARMOR), -EXDEV);
    assert_int_equal(remove_tree_at(AT_FDCWD, path, &err), 0);
    autofd proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    autofd part = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(label_open(part, LABEL_SELINUX), -EXDEV);
    autofd real = label_open(proc, LABEL_SELINUX);
    assert_true(real >= 0 || real == -ENOENT || real == -EACCES);
}

/* In a child with a mount namespace of its own: what a container with the right to mount could do
 * to its /proc. */
static int label_under(const char *place)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        int rc = 0;
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
            _exit(1);
        autofree char *path = xasprintf("/proc/%d%s", (int)getpid(), place);
        struct stat st;
        if (stat(path, &st) < 0 ||
            (S_ISDIR(st.st_mode) ? mount("t", path, "tmpfs", 0, NULL)
                                 : mount("/dev/null", path, NULL, MS_BIND, NULL)) < 0)
            _exit(1);
        autofd proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
        rc = label_open(proc, LABEL_SELINUX);
        _exit(rc == -EXDEV ? 0 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Over /proc of a container there could be one of a process namespace below its own. */
static void a_label_file_of_others_processes_is_none(void **unused)
{
    (void)unused;
    char path[40];
    struct clone_args args = {.flags = CLONE_NEWPID, .exit_signal = SIGCHLD};
    if (geteuid() != 0)
        skip();
    int pid = sys_clone3(&args);
    if (pid == 0)
        for (;;)
            pause();
    snprintf(path, sizeof path, "/proc/%d/ns/pid", pid);
    autofd pidns = open(path, O_RDONLY | O_CLOEXEC);
    autofd aside = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
    autofd proc = procfs_make_inside(pidns, aside);
    assert_true(proc >= 0);
    assert_int_equal(label_open(proc, LABEL_SELINUX), -ENOENT);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void a_label_file_that_something_is_mounted_over_is_refused(void **unused)
{
    (void)unused;
    if (geteuid() != 0 || access("/proc/self/attr/exec", F_OK) != 0)
        skip();
    assert_int_equal(label_under("/attr"), 2); /* that of the process, which is not asked */
    assert_int_equal(label_under("/task"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_filters_let_programs_work_and_stop_attacks),
#if defined(__x86_64__)
        cmocka_unit_test(i386_and_x32_calls_kill),
#endif
        cmocka_unit_test(profiles_from_text_are_in_force),
        cmocka_unit_test(our_filters_are_short),
        cmocka_unit_test(names_of_capabilities_are_read_as_people_write_them),
        cmocka_unit_test(exactly_the_granted_capabilities_are_left),
        cmocka_unit_test(landlock_leaves_only_the_writable_places),
        cmocka_unit_test(abstract_sockets_are_out_of_reach_when_asked),
        cmocka_unit_test(labels_are_refused_where_the_host_has_none),
        cmocka_unit_test(a_label_file_that_is_not_on_procfs_is_refused),
        cmocka_unit_test(a_label_file_that_something_is_mounted_over_is_refused),
        cmocka_unit_test(a_label_file_of_others_processes_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
