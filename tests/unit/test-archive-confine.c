/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/confine.h"

#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants the headers above */
#include <cmocka.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "archive-kit.h"
#include "base/io.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_UNDEFINED__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define SANITIZED 1
#endif
#endif

/* Confines a child to the kit's directory and lets it try. What it returns, or 1000 + the signal
 * that ended it. */
static int confined_to(struct kit *kit, const struct confine_paths *paths,
                       int (*attempt)(int dir, int stages))
{
    struct error err = {0};
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int stages = worker_confine(paths, &err);
        _exit(stages < 0 ? 99 : attempt(kit->dir, stages));
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int confined(struct kit *kit, int (*attempt)(int dir, int stages))
{
    const struct confine_paths paths = {.read_write = &kit->dir, .read_write_count = 1};
    return confined_to(kit, &paths, attempt);
}

#define KILLED (1000 + SIGSYS)

static int try_nothing(int dir, int stages)
{
    (void)dir;
    return stages;
}

static int try_socket(int dir, int stages)
{
    (void)dir, (void)stages;
    return socket(AF_INET, SOCK_STREAM, 0) < 0;
}

static int try_execve(int dir, int stages)
{
    char *argv[] = {(char *)"true", NULL};
    (void)dir, (void)stages;
    return execv("/bin/true", argv) < 0;
}

static int try_fork(int dir, int stages)
{
    (void)dir, (void)stages;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid < 0;
}

static int try_ptrace(int dir, int stages)
{
    (void)dir, (void)stages;
    return ptrace(PTRACE_TRACEME, 0, 0, 0) < 0;
}

static int try_user_namespace(int dir, int stages)
{
    (void)dir, (void)stages;
    return unshare(CLONE_NEWUSER) < 0;
}

static int try_mount(int dir, int stages)
{
    (void)dir, (void)stages;
    return syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL) < 0;
}

static int try_kill(int dir, int stages)
{
    (void)dir, (void)stages;
    return kill(getppid(), 0) < 0;
}

static int try_executable_memory(int dir, int stages)
{
    (void)dir, (void)stages;
    void *p =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED && errno == EACCES ? 0 : 1;
}

static int try_other_file(int dir, int stages)
{
    (void)dir;
    if (!(stages & CONFINED_LANDLOCK))
        return 77;
    int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    return fd < 0 && errno == EACCES ? 0 : 1;
}

static int try_outside(int dir, int stages)
{
    if (!(stages & CONFINED_LANDLOCK))
        return 77;
    int fd = openat(dir, "../evil", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd < 0 && errno == EACCES ? 0 : 1;
}

static int try_to_change_what_is_read(int dir, int stages)
{
    char byte;
    if (!(stages & CONFINED_LANDLOCK))
        return 77;
    int fd = openat(dir, "document", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, &byte, 1) != 1)
        return 2;
    fd = openat(dir, "document", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 || errno != EACCES)
        return 3;
    return unlinkat(dir, "document", 0) < 0 && errno == EACCES ? 0 : 4;
}

static void *in_thread(void *argument)
{
    *(int *)argument = 7;
    return NULL;
}

static int try_work(int dir, int stages)
{
    struct error err = {0};
    pthread_t thread;
    int value = 0;
    (void)stages;
    if (pthread_create(&thread, NULL, in_thread, &value) != 0)
        return 1;
    pthread_join(thread, NULL);
    if (value != 7)
        return 2;
    if (write_file_at(dir, "file", "x", 1, 0600, DURABLE, &err) < 0)
        return 3;
    if (mkdirat(dir, "a", 0700) < 0 || renameat(dir, "file", dir, "a/file") < 0)
        return 4;
    return remove_tree_at(dir, "a", &err) < 0 ? 5 : 0;
}

static struct kit *kit_to_unpack;

static int try_unpack(int dir, int stages)
{
    (void)dir, (void)stages;
    if (kit_unpack(kit_to_unpack) < 0)
        return 1;
    return kit_gives_back(kit_to_unpack) ? 0 : 2;
}

static void expect(int (*attempt)(int, int), int outcome)
{
    struct kit kit;
    kit_enter(&kit);
    int got = confined(&kit, attempt);
    if (got == 77) {
        kit_leave(&kit);
        print_message("this kernel has no Landlock: skipped\n");
        skip();
    }
    assert_int_equal(got, outcome);
    kit_leave(&kit);
}

static void no_stage_is_left_out_silently(void **state)
{
    struct kit kit;
    (void)state;
    kit_enter(&kit);
    int stages = confined(&kit, try_nothing);
    int must = CONFINED_NO_NEW_PRIVS | CONFINED_CAPABILITIES | CONFINED_SECCOMP;
    assert_int_equal(stages & must, must);
    kit_leave(&kit);
}

static void what_no_unpacker_needs_ends_it(void **state)
{
    (void)state;
    expect(try_socket, KILLED);
    expect(try_execve, KILLED);
    expect(try_fork, KILLED);
    expect(try_ptrace, KILLED);
    expect(try_user_namespace, KILLED);
    expect(try_mount, KILLED);
    expect(try_kill, KILLED);
}

static void memory_is_never_executable(void **state)
{
    (void)state;
    expect(try_executable_memory, 0);
}

static void files_outside_are_out_of_reach(void **state)
{
    (void)state;
    expect(try_other_file, 0);
    expect(try_outside, 0);
}

static void what_is_only_read_cannot_be_changed(void **state)
{
    struct kit kit;
    (void)state;
    kit_enter(&kit);
    assert_int_equal(write_file_at(kit.dir, "document", "x", 1, 0644, VOLATILE, NULL), 0);
    const struct confine_paths paths = {.read_only = &kit.dir, .read_only_count = 1};
    int got = confined_to(&kit, &paths, try_to_change_what_is_read);
    kit_leave(&kit);
    assert_true(got == 0 || got == 77);
}

/* A line of /proc/PID/status as a number. */
static uint64_t status_of(pid_t pid, const char *field, int base)
{
    char path[64];
    struct error err = {0};
    autobuf status = {0};
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    assert_int_equal(read_kernel_file(path, 1 << 16, &status, &err), 0);
    const char *at = strstr(buf_text(&status), field);
    assert_non_null(at);
    return strtoull(at + strlen(field), NULL, base);
}

static void only_rights_over_files_remain(void **state)
{
    const uint64_t kept = 1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER |
                          1u << CAP_FSETID | 1u << CAP_MKNOD | 1u << CAP_SETFCAP;
    int ready[2], leave[2];
    char byte = 0;
    struct kit kit;
    (void)state;
    kit_enter(&kit);
    uint64_t before = status_of(getpid(), "CapEff:", 16);
    assert_int_equal(pipe2(ready, O_CLOEXEC) | pipe2(leave, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct confine_paths paths = {.read_write = &kit.dir, .read_write_count = 1};
        int stages = worker_confine(&paths, NULL);
        close(leave[1]);
        _exit(stages < 0 || write(ready[1], &byte, 1) != 1 || read(leave[0], &byte, 1) < 0);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(status_of(pid, "CapEff:", 16), before & kept);
    assert_int_equal(status_of(pid, "CapPrm:", 16) & ~kept, 0);
    assert_int_equal(status_of(pid, "CapInh:", 16), 0);
    assert_int_equal(status_of(pid, "NoNewPrivs:", 10), 1);
    assert_int_equal(status_of(pid, "Seccomp:", 10), 2);
    close(leave[1]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(leave[0]);
    close(ready[0]);
    kit_leave(&kit);
}

static void threads_and_files_inside_still_work(void **state)
{
    (void)state;
    expect(try_work, 0);
}

static void layers_are_unpacked_and_given_back_in_confinement(void **state)
{
    struct kit kit;
    (void)state;
    kit_enter(&kit);
    kit_dir(&kit, "d");
    kit_text(&kit, "d/file", "content");
    kit_text(&kit, "d/.wh.gone", "");
    kit_text(&kit, "e/.wh..wh..opq", "");
    kit_link(&kit, TAR_HARDLINK, "link", "d/file");
    kit_link(&kit, TAR_SYMLINK, "soft", "d/file");
    kit_to_unpack = &kit;
    assert_int_equal(confined(&kit, try_unpack), 0);
    assert_string_equal(kit_read(&kit, "layer/fs/link"), "content");
    kit_leave(&kit);
}

int main(void)
{
#ifdef SANITIZED
    print_message("sanitizers need more than a confined worker may do: skipped\n");
    return 77;
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_stage_is_left_out_silently),
        cmocka_unit_test(what_no_unpacker_needs_ends_it),
        cmocka_unit_test(memory_is_never_executable),
        cmocka_unit_test(files_outside_are_out_of_reach),
        cmocka_unit_test(what_is_only_read_cannot_be_changed),
        cmocka_unit_test(only_rights_over_files_remain),
        cmocka_unit_test(threads_and_files_inside_still_work),
        cmocka_unit_test(layers_are_unpacked_and_given_back_in_confinement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
