/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last stages before the container's command, the same for the first process and for exec:
 * session and streams, fences, ids and capabilities, the working directory, the filter of system
 * calls, execve(2). After each stage the process can do less.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/process.h"
#include "base/text.h"
#include "path/inroot.h"
#include "runtime/child.h"
#include "runtime/syscalls.h"

/* The container's own, and not the host's: what is done to an inode there (modes, locks, watches)
 * is seen by everybody who has it open. Whoever is root inside may have put anything in its place.
 */
static int open_null(struct child *c)
{
    struct stat st;
    autofd fd = openat(c->dev, "null", O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        child_fail(c, -errno, "cannot open /dev/null of the container");
    if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
        child_fail(c, -EPERM, "/dev/null of the container is something else");
    if (fcntl(fd, F_SETFL, 0) < 0)
        child_fail(c, -errno, "cannot use /dev/null of the container");
    return take_fd(&fd);
}

static void streams(struct child *c, const struct enter *e)
{
    if (setsid() < 0 && errno != EPERM)
        child_fail(c, -errno, "cannot start a session");
    for (int i = 0; i < 3; i++)
        if (dup2(e->stdio[i] >= 0 ? e->stdio[i] : open_null(c), i) < 0)
            child_fail(c, -errno, "cannot set standard stream %d", i);
    if (e->terminal && ioctl(0, TIOCSCTTY, 0) < 0)
        child_fail(c, -errno, "cannot take the terminal");
}

/* From here on calls may wait for an answer, and the listener is all that can give one. */
static void hand_listener_over(struct child *c, const struct seccomp_listener *l, int listener)
{
    static char text[128 << 10];
    int n = snprintf(text, sizeof text, "%s%d%s", l->before, (int)l->pid, l->after);
    if (n < 0 || n >= (int)sizeof text)
        child_fail(c, -E2BIG, "the state is too long for the listener of linux.seccomp");
    int rc = send_fds(l->socket, text, (size_t)n, &listener, 1);
    if (rc < 0)
        child_fail(c, rc, "cannot send the listener of linux.seccomp");
    close(listener);
}

static void install_filter(struct child *c, const struct enter *e)
{
    int rc = seccomp_install(e->seccomp);
    if (rc < 0)
        child_fail(c, rc, "cannot install the filter of system calls");
    if (e->seccomp->notifies && e->listener)
        hand_listener_over(c, e->listener, rc);
}

void child_fences(struct child *c, const struct enter *e)
{
    int rc;
    if (e->plan->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        child_fail(c, -errno, "cannot set no_new_privs");
    if (e->landlock && (rc = landlock_restrict(e->landlock, e->landlock_begun)) < 0)
        child_fail(c, rc, "cannot put up the Landlock fence");
    /* Without no_new_privs the filter needs CAP_SYS_ADMIN, which goes in the next stage. */
    if (e->seccomp && !e->plan->no_new_privs)
        install_filter(c, e);
}

static void identity(struct child *c, const struct enter *e)
{
    int rc = caps_drop_bounding(e->caps->bounding);
    if (rc == 0)
        rc = caps_keep(e->caps);
    if (rc < 0)
        child_fail(c, rc, "cannot drop capabilities");
    if (!(e->groups_denied && e->group_count == 0) && setgroups(e->group_count, e->groups) < 0)
        child_fail(c, -errno, "cannot set the groups");
    if (setresgid(e->gid, e->gid, e->gid) < 0)
        child_fail(c, -errno, "cannot become group %u", e->gid);
    if (setresuid(e->uid, e->uid, e->uid) < 0)
        child_fail(c, -errno, "cannot become user %u", e->uid);
    rc = caps_set_final(e->caps);
    if (rc < 0)
        child_fail(c, rc, "cannot set capabilities");
    /* Undone by every change of identity, so set only now: nobody of the same id, inside or
     * outside, may look into this process until it is the container's command. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        child_fail(c, -errno, "cannot forbid core dumps of the set-up");
    if (e->die_with_parent) {
        struct pollfd gone = {.fd = c->socket, .events = POLLIN};
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
            child_fail(c, -errno, "cannot bind the container to its parent");
        if (poll(&gone, 1, 0) != 0)
            _exit(EXIT_FAILURE);
    }
}

/* As the user, inside: a directory that only root may enter is none to start in. What getcwd(2)
 * calls "(unreachable)" lies outside the root (CVE-2024-21626). */
static void working_directory(struct child *c, const struct enter *e)
{
    char path[PATH_MAX];
    autofd root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    autofd dir = root < 0 ? -errno : inroot_open(root, e->cwd, O_PATH | O_DIRECTORY);
    /* Without no_new_privs the filter is in force already, and may know no openat2(2): what keeps
     * the path inside is then that the root is the container's, and the check below. */
    if (dir == -ENOSYS && (dir = open(e->cwd, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
        dir = -errno;
    if (dir < 0)
        child_fail_exit(c, 126, dir, "cannot enter the working directory %s", e->cwd);
    if (fchdir(dir) < 0)
        child_fail_exit(c, 126, -errno, "cannot enter the working directory %s", e->cwd);
    long n = syscall(SYS_getcwd, path, sizeof path);
    if (n <= 0 || path[0] != '/')
        child_fail_exit(c, 126, -EPERM, "the working directory %s lies outside the container",
                        e->cwd);
}

static const char *variable(const struct strv *env, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = env->len; i-- > 0;)
        if (strncmp(env->items[i], name, length) == 0 && env->items[i][length] == '=')
            return env->items[i] + length + 1;
    return NULL;
}

/* A program that is there but cannot run: a script whose interpreter, or a binary whose loader, is
 * not in the image gives ENOENT although the file exists. */
static _Noreturn void cannot_execute(struct child *c, const char *path, int code)
{
    struct stat st;
    if (code == -ENOENT && stat(path, &st) == 0)
        child_fail_exit(c, 127, code,
                        "cannot execute %s: its interpreter or loader is missing in the image",
                        path);
    if (code == -ENOENT)
        child_fail_exit(c, 127, code, "command not found in the image: %s", path);
    if (code == -ENOEXEC)
        child_fail_exit(c, 126, code,
                        "cannot execute %s: wrong architecture, or a script without #!", path);
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        child_fail_exit(c, 126, code, "cannot execute %s: it is a directory", path);
    child_fail_exit(c, code == -ENOTDIR ? 127 : 126, code, "cannot execute %s", path);
}

/* An executable of this name in PATH, as execvp(3) looks for it but only in absolute directories.
 * `visit` is called for each file of the name until it says that it was the right one. */
static const char *search(struct child *c, const struct enter *e,
                          bool visit(struct child *, const struct enter *, const char *candidate))
{
    const char *name = e->plan->args.items[0], *path = variable(&e->plan->env, "PATH");
    static char candidate[PATH_MAX];
    int denied = 0;
    if (!path)
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    for (const char *at = path;;) {
        const char *end = strchrnul(at, ':');
        int length = (int)(end - at);
        if (length > 0 && at[0] == '/' &&
            snprintf(candidate, sizeof candidate, "%.*s/%s", length, at, name) <
                (int)sizeof candidate) {
            if (visit(c, e, candidate))
                return candidate;
            if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
                cannot_execute(c, candidate, -errno);
            if (errno == ENOENT && access(candidate, F_OK) == 0)
                cannot_execute(c, candidate, -ENOENT);
            if (errno == EACCES && access(candidate, F_OK) == 0)
                denied = EACCES;
        }
        if (!*end)
            break;
        at = end + 1;
    }
    if (denied)
        child_fail_exit(c, 126, -denied, "cannot execute %s", name);
    child_fail_exit(c, 127, -ENOENT, "command not found in the image's PATH: %s", name);
}

static bool try_execute(struct child *c, const struct enter *e, const char *candidate)
{
    (void)c;
    execve(candidate, strv_argv(&e->plan->args), strv_argv(&e->plan->env));
    return false;
}

/* -EACCES of a directory counts as for execve: it is none of the name. */
static bool is_executable(struct child *c, const struct enter *e, const char *candidate)
{
    struct stat st;
    (void)c, (void)e;
    if (stat(candidate, &st) < 0)
        return false;
    if (!S_ISREG(st.st_mode)) {
        errno = EACCES;
        return false;
    }
    return faccessat(AT_FDCWD, candidate, X_OK, AT_EACCESS) == 0;
}

const char *child_find_program(struct child *c, const struct enter *e)
{
    const char *name = e->plan->args.items[0];
    if (!strchr(name, '/'))
        return search(c, e, is_executable);
    if (!is_executable(c, e, name))
        cannot_execute(c, name, -errno);
    return name;
}

static _Noreturn void execute(struct child *c, const struct enter *e)
{
    const char *name = e->plan->args.items[0];
    if (!strchr(name, '/')) {
        search(c, e, try_execute);
        _exit(EXIT_FAILURE);
    }
    execve(name, strv_argv(&e->plan->args), strv_argv(&e->plan->env));
    cannot_execute(c, name, -errno);
}

/* --init: process 1, or the first of those that joined, passes signals on and reaps; the command is
 * its child. */
static _Noreturn void init_loop(pid_t child)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    close_range(0, ~0U, 0);
    for (;;) {
        int status;
        pid_t ended;
        while ((ended = waitpid(-1, &status, WNOHANG)) > 0)
            if (ended == child)
                _exit(process_exit_code(status));
        siginfo_t info;
        int number = sigwaitinfo(&all, &info);
        if (number > 0 && number != SIGCHLD)
            kill(child, number);
    }
}

static void split_off_init(struct child *c, const struct enter *e)
{
    if (!e->init)
        return;
    sigset_t all, old;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &old);
    prctl(PR_SET_NAME, "caisson-init", 0, 0, 0); /* execve gives the command its own */
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);   /* in others' process namespace it is not 1 */
    pid_t child = fork();
    if (child < 0)
        child_fail(c, -errno, "cannot start the command below --init");
    if (child > 0)
        init_loop(child);
    sigprocmask(SIG_SETMASK, &old, NULL);
    if (e->terminal) { /* the command, not process 1, gets what is typed */
        signal(SIGTTOU, SIG_IGN);
        setpgid(0, 0);
        tcsetpgrp(0, getpid());
        signal(SIGTTOU, SIG_DFL);
    }
}

_Noreturn void child_enter(struct child *c, const struct enter *e)
{
    int rc;
    streams(c, e);
    if (!e->fenced)
        child_fences(c, e);
    identity(c, e);
    working_directory(c, e);
    umask((mode_t)(e->plan->umask >= 0 ? e->plan->umask : 022));
    process_reset_signals();
    if (e->label >= 0 && (rc = label_set(e->label, &e->plan->label)) < 0)
        child_fail(c, rc,
                   rc == -ENOENT ? "the container's AppArmor profile %s is not loaded: load "
                                   "it with apparmor_parser -r; cannot confine"
                                 : "cannot set the security label %s",
                   label_name(&e->plan->label));
    if (close_range(3 + (unsigned)e->keep, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        child_fail(c, -errno, "cannot mark descriptors to be closed");
    if (e->hold)
        e->hold(c, e);
    split_off_init(c, e);
    if (e->seccomp && e->plan->no_new_privs)
        install_filter(c, e);
    execute(c, e);
}
