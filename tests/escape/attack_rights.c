/* SPDX-License-Identifier: Apache-2.0 */
/* Rights: becoming root, capabilities, namespaces, mounts, other processes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

#define SETUID_COPY                                                                                \
    "/usr/bin/attack-setuid" /* where an image may have this program setuid root                   \
                              */

static void become_root(const struct words *words, struct verdict *out)
{
    (void)words;
    if (setuid(0) < 0)
        refused(out, "setuid(0)");
    else if (host_users())
        verdict(out, SUCCEEDED, "root of the machine");
    else
        verdict(out, CONTAINED, "root of its own user namespace only");
}

static void setuid_program(const struct words *words, struct verdict *out)
{
    (void)words;
    if (access(SETUID_COPY, X_OK) < 0) {
        verdict(out, UNAVAILABLE, "the image has no " SETUID_COPY);
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        if (setresuid(65533, 65533, 65533) < 0 && geteuid() == 0)
            _exit(3);
        execl(SETUID_COPY, SETUID_COPY, "--who", (char *)NULL);
        _exit(4);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
        verdict(out, UNAVAILABLE, "could not start it");
    else if (WEXITSTATUS(status) == 42 && host_users())
        verdict(out, SUCCEEDED, "a setuid program made us root of the machine");
    else if (WEXITSTATUS(status) == 42)
        verdict(out, SUCCEEDED, "a setuid program made us root of the container");
    else if (WEXITSTATUS(status) == 0)
        verdict(out, REFUSED, "the setuid bit has no effect");
    else
        verdict(out, UNAVAILABLE, "could not try: %d", WEXITSTATUS(status));
}

static void raise_capabilities(const struct words *words, struct verdict *out)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}}, all[2] = {{0}};
    (void)words;
    syscall(SYS_capget, &header, data);
    for (int i = 0; i < 2; i++)
        all[i].effective = all[i].permitted = i == 0 ? ~0U : 0x1ff;
    if (syscall(SYS_capset, &header, all) == 0)
        verdict(out, host_users() ? SUCCEEDED : CONTAINED, "every capability");
    else
        refused(out, "capset of all");
}

static void unshare_user(const struct words *words, struct verdict *out)
{
    (void)words;
    if (unshare(CLONE_NEWUSER) < 0)
        refused(out, "unshare(CLONE_NEWUSER)");
    else
        verdict(out, SUCCEEDED, "a user namespace with every capability in it");
}

static void clone_user(const struct words *words, struct verdict *out)
{
    (void)words;
    long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (child == 0)
        _exit(0);
    if (child < 0) {
        refused(out, "clone(CLONE_NEWUSER)");
        return;
    }
    waitpid((pid_t)child, NULL, 0);
    verdict(out, SUCCEEDED, "a user namespace with every capability in it");
}

static void join_namespace(const struct words *words, struct verdict *out)
{
    (void)words;
    int fd = open("/proc/1/ns/net", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, 0) < 0)
        refused(out, "setns");
    else
        verdict(out, host_network(words) ? SUCCEEDED : CONTAINED,
                "joined the network of process 1");
}

static void mount_something(const struct words *words, struct verdict *out)
{
    (void)words;
    if (mount("none", "/tmp", "tmpfs", 0, NULL) == 0 || mount("none", "/", "tmpfs", 0, NULL) == 0)
        verdict(out, SUCCEEDED, "mounted a tmpfs");
    else
        refused(out, "mount");
}

static void mount_new_api(const struct words *words, struct verdict *out)
{
    (void)words;
    long fd = syscall(SYS_fsopen, "tmpfs", 0);
    if (fd < 0)
        fd = syscall(SYS_open_tree, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */);
    if (fd < 0)
        refused(out, "fsopen, open_tree");
    else
        verdict(out, SUCCEEDED, "made a detached mount");
}

static void make_writable(const struct words *words, struct verdict *out)
{
    (void)words;
    if (mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL) == 0)
        verdict(out, SUCCEEDED, "made /proc/sys writable");
    else if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL) == 0)
        verdict(out, SUCCEEDED, "made / writable");
    else
        refused(out, "remount");
}

static void uncover(const struct words *words, struct verdict *out)
{
    (void)words;
    if (umount2("/proc/sys", MNT_DETACH) == 0 || umount2("/proc/keys", MNT_DETACH) == 0)
        verdict(out, SUCCEEDED, "took a mask off /proc");
    else
        refused(out, "umount");
}

static void change_root(const struct words *words, struct verdict *out)
{
    (void)words;
    if (chroot("/tmp") == 0)
        verdict(out, host_users() ? SUCCEEDED : CONTAINED, "chroot");
    else
        refused(out, "chroot");
}

/* The oldest way out: a directory of the host by its handle (CAP_DAC_READ_SEARCH). */
static void open_by_handle(const struct words *words, struct verdict *out)
{
    struct {
        struct file_handle head;
        unsigned char bytes[8];
    } handle = {.head = {.handle_bytes = 8, .handle_type = 1}, .bytes = {2}};
    (void)words;
    int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = root < 0 ? -1 : open_by_handle_at(root, &handle.head, O_RDONLY);
    if (fd >= 0 || errno == ESTALE)
        verdict(out, SUCCEEDED, "the kernel opens files by handle for us");
    else
        refused(out, "open_by_handle_at");
}

static void trace_process(const struct words *words, struct verdict *out)
{
    pid_t parent = getppid();
    (void)words;
    if (ptrace(PTRACE_ATTACH, parent, 0, 0) < 0) {
        refused(out, "ptrace");
        return;
    }
    waitpid(parent, NULL, __WALL);
    ptrace(PTRACE_DETACH, parent, 0, 0);
    verdict(out, host_processes() ? SUCCEEDED : CONTAINED,
            "traced another process of the container");
}

static void read_process(const struct words *words, struct verdict *out)
{
    char byte;
    struct iovec ours = {&byte, 1}, theirs = {(void *)(uintptr_t)words, 1};
    if (process_vm_readv(getppid(), &ours, 1, &theirs, 1, 0) == 1)
        verdict(out, host_processes() ? SUCCEEDED : CONTAINED,
                "read the memory of another process of the container");
    else
        refused(out, "process_vm_readv");
}

static void see_processes(const struct words *words, struct verdict *out)
{
    (void)words;
    if (host_processes())
        verdict(out, SUCCEEDED, "the machine's processes are visible");
    else
        verdict(out, CONTAINED, "only the container's own processes are visible");
}

const struct attempt rights_attempts[] = {
    {"become-root", "setuid(0)", false, become_root},
    {"setuid-program", "execute a setuid-root program of the image", false, setuid_program},
    {"capabilities", "take every capability", false, raise_capabilities},
    {"unshare-user", "make a user namespace with unshare", false, unshare_user},
    {"clone-user", "make a user namespace with clone", false, clone_user},
    {"join-namespace", "enter another process's network", false, join_namespace},
    {"mount", "mount a file system", false, mount_something},
    {"mount-new-api", "make a detached mount", false, mount_new_api},
    {"remount", "make a read-only mount writable", false, make_writable},
    {"umount", "take a mask off /proc", false, uncover},
    {"chroot", "change the root", false, change_root},
    {"open-by-handle", "open the host's root by its handle", false, open_by_handle},
    {"ptrace", "trace another process", false, trace_process},
    {"process-memory", "read another process's memory", false, read_process},
    {"processes", "see the machine's processes", false, see_processes},
    {NULL, NULL, false, NULL},
};
