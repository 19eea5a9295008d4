/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/child.h"

#include <fcntl.h>
#include <net/if.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/process.h"
#include "base/text.h"
#include "network/netlink.h"
#include "runtime/errand.h"
#include "runtime/procfs.h"
#include "runtime/syscalls.h"

static _Noreturn void send_failure(struct child *c, const struct child_message *message)
{
    if (c->said > 0)
        (void)write_all(c->said, message, sizeof *message);
    else
        (void)send_fds(c->socket, message, sizeof *message, NULL, 0);
    _exit(message->exit_code);
}

__attribute__((format(printf, 4, 0))) static _Noreturn void
tell(struct child *c, int exit_code, int code, const char *format, va_list ap)
{
    struct child_message message = {
        .kind = CHILD_FAILED,
        .code = code < 0 ? code : -EIO,
        .exit_code = exit_code,
    };
    const char *why = error_describe(code);
    size_t room = sizeof message.text - strlen(why) - sizeof ": ";
    int n = vsnprintf(message.text, room, format, ap);
    size_t end = n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1; /* why is never cut off */
    snprintf(message.text + end, sizeof message.text - end, ": %s", why);
    send_failure(c, &message);
}

_Noreturn void child_fail_error(struct child *c, const struct error *err)
{
    struct child_message message = {.kind = CHILD_FAILED, .code = err->code, .exit_code = 125};
    snprintf(message.text, sizeof message.text, "%.*s", (int)sizeof message.text - 1, err->text);
    send_failure(c, &message);
}

_Noreturn void child_fail(struct child *c, int code, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    tell(c, 125, code, format, ap);
}

_Noreturn void child_fail_exit(struct child *c, int exit_code, int code, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    tell(c, exit_code, code, format, ap);
}

/* The parent lays the cables, and needs to know where to. */
static void show_network(struct child *c)
{
    struct child_message message = {.kind = CHILD_NETWORK};
    struct error err = {0};
    autofd inside = netlink_open(NETLINK_ROUTE, &err);
    if (inside < 0)
        child_fail_error(c, &err);
    autofd own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (own < 0)
        child_fail(c, -errno, "cannot open the container's network namespace");
    int fds[] = {inside, own};
    int rc = send_fds(c->socket, &message, sizeof message, fds, 2);
    if (rc < 0)
        _exit(EXIT_FAILURE); /* the parent is gone */
}

/* Made here and not in clone3, so that the parent goes on meanwhile. */
static void separate(struct child *c)
{
    uint32_t has = c->plan->namespaces;
    int flags = CLONE_NEWNS | (has & PLAN_NS_NET ? CLONE_NEWNET : 0) |
                (has & PLAN_NS_IPC ? CLONE_NEWIPC : 0) | (has & PLAN_NS_UTS ? CLONE_NEWUTS : 0);
    if (unshare(flags) < 0)
        child_fail(c, -errno, "cannot make namespaces");
    if (c->launch->connect)
        show_network(c);
    /* Root's process was born so (launch.c). In an ordinary user's namespace this comes when ids
     * are mapped: what belongs to such a process in /proc is the host's root's, and the parent
     * could not write the map. */
    if (!(c->plan->namespaces & PLAN_NS_USER) && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        child_fail(c, -errno, "cannot forbid core dumps");
}

static void wait_for_start(struct child *c)
{
    struct child_start start;
    size_t count = 0;
    ssize_t n = receive_fds(c->socket, &start, sizeof start, &c->dev, 1, &count);
    if (n == 0)
        _exit(EXIT_FAILURE); /* the parent failed, or is gone */
    if (n != (ssize_t)sizeof start || count != 1)
        child_fail(c, n < 0 ? (int)n : -EPROTO, "cannot receive /dev");
}

static void wait_for_go(struct child *c)
{
    struct child_go go;
    ssize_t n = receive_fds(c->socket, &go, sizeof go, c->fds, CHILD_FDS_MAX, &c->fd_count);
    if (n == 0)
        _exit(EXIT_FAILURE); /* the parent failed, or is gone */
    if (n != (ssize_t)sizeof go || go.fd_count != c->fd_count ||
        c->fd_count < CHILD_FIXED + go.landlock_begun + go.group_count + go.spent_count)
        child_fail(c, n < 0 ? (int)n : -EPROTO, "cannot receive the prepared mounts");
    c->group_count = go.group_count;
    c->spent_count = go.spent_count;
    c->unified_only = go.unified_only;
    c->landlock =
        go.landlock_begun ? c->fds[c->fd_count - c->spent_count - c->group_count - 1] : -1;
    c->assembled = go.assembled;
}

/* The v2 group the process was born in; its namespace's root is where it stands now. */
void child_join_groups(struct child *c, const int *tasks, size_t count)
{
    int rc = cgroup_join(tasks, count);
    if (rc < 0)
        child_fail(c, rc, "cannot join the control group");
    if (c->plan->namespaces & PLAN_NS_CGROUP && unshare(CLONE_NEWCGROUP) < 0)
        child_fail(c, -errno, "cannot make a namespace of control groups");
}

void child_become_root(struct child *c, bool groups_denied)
{
    if ((!groups_denied && setgroups(0, NULL) < 0) || setresgid(0, 0, 0) < 0 ||
        setresuid(0, 0, 0) < 0)
        child_fail(c, -errno, "cannot become root of the user namespace");
    /* Changing ids made the process dumpable by its namespace's root again. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        child_fail(c, -errno, "cannot forbid core dumps");
}

static void name_host(struct child *c)
{
    const struct plan *p = c->plan;
    if (!(p->namespaces & PLAN_NS_UTS))
        return;
    if (p->hostname && sethostname(p->hostname, strlen(p->hostname)) < 0)
        child_fail(c, -errno, "cannot set the host name %s", p->hostname);
    const char *domain = p->domainname ? p->domainname : "(none)";
    if (setdomainname(domain, strlen(domain)) < 0)
        child_fail(c, -errno, "cannot set the domain name");
}

void child_loopback_up(struct child *c)
{
    if (!(c->plan->namespaces & PLAN_NS_NET))
        return;
    autofd fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        child_fail(c, -errno, "cannot bring the loopback interface up");
}

static unsigned next_kept(unsigned from, const int *fds, size_t count)
{
    unsigned next = ~0U;
    for (size_t i = 0; i < count; i++)
        if (fds[i] >= 0 && (unsigned)fds[i] >= from && (unsigned)fds[i] < next)
            next = (unsigned)fds[i];
    return next;
}

void child_close_all_but(struct child *c, int preserved, const int *fds, size_t count)
{
    for (unsigned from = 3 + (unsigned)preserved;;) {
        unsigned kept = next_kept(from, fds, count);
        if (kept > from && close_range(from, kept == ~0U ? kept : kept - 1, 0) < 0)
            child_fail(c, -errno, "cannot close what is the host's");
        if (kept == ~0U)
            return;
        from = kept + 1;
    }
}

/* A procfs of the container's own processes, not mounted anywhere yet: what is written through it
 * cannot be redirected by anything that the image brought (CVE-2025-52881). */
void child_make_proc(struct child *c)
{
    int pidns = c->launch ? c->launch->join.pid : -1;
    int rc = pidns >= 0 ? procfs_make_of(pidns) : procfs_make();
    if (rc == -EINVAL && c->plan->namespaces & PLAN_NS_USER)
        rc = procfs_make_inside(pidns, c->dev);
    else if (rc == -EINVAL)
        child_fail(c, -EOPNOTSUPP,
                   "cannot join the processes of a container that has the host's user namespace: "
                   "this takes Linux 6.17; make both without --userns host");
    if (rc == -EPERM)
        child_fail(c, rc,
                   "cannot make a procfs: /proc of this host is partly covered, as inside "
                   "another container");
    if (rc < 0)
        child_fail(c, rc, "cannot make a procfs");
    c->proc = rc;
}

void child_set_sysctl(struct child *c, const char *name, const char *value)
{
    char path[256];
    int n = snprintf(path, sizeof path, "sys/%s", name);
    if (n < 0 || n >= (int)sizeof path)
        child_fail(c, -ENAMETOOLONG, "cannot set sysctl %s", name);
    for (char *at = path + 4; *at; at++)
        if (*at == '.')
            *at = '/';
    int rc = write_kernel_file_at(c->proc, path, value);
    if (rc < 0)
        child_fail(c, rc, "cannot set sysctl %s=%s", name, value);
}

void child_set_asked_sysctls(struct child *c)
{
    for (size_t i = 0; i < c->plan->sysctls.len; i++) {
        char text[512];
        snprintf(text, sizeof text, "%s", c->plan->sysctls.items[i]);
        char *equals = strchr(text, '=');
        if (!equals)
            child_fail(c, -EINVAL, "bad sysctl %s", text);
        *equals = '\0';
        child_set_sysctl(c, text, equals + 1);
    }
}

static void set_sysctls(struct child *c)
{
    if (c->plan->namespaces & PLAN_NS_NET)
        child_set_sysctl(c, "net.ipv4.ip_unprivileged_port_start", "0");
    /* Echo requests for everybody, who then need no raw socket: icmp(7). Groups that the user namespace
     * does not have are refused, and then nobody may. */
    if (c->plan->network == PLAN_NET_BRIDGE)
        (void)write_kernel_file_at(c->proc, "sys/net/ipv4/ping_group_range",
                                   c->plan->namespaces & PLAN_NS_USER ? "0 65535"
                                                                      : "0 2147483647");
    child_set_asked_sysctls(c);
}

/* Only ever down: what we may ourselves is what a container may at most. */
static void lower_open_files(struct child *c)
{
    struct rlimit limit;
    rlim_t most = (rlim_t)c->plan->open_files;
    if (most == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max <= most)
        return;
    limit.rlim_max = most;
    limit.rlim_cur = limit.rlim_cur < most ? limit.rlim_cur : most;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        child_fail(c, -errno, "cannot limit the open files of a process");
}

void child_take_limits(struct child *c)
{
    lower_open_files(c);
    if (c->plan->rlimit_count == 0)
        return;
    struct child_message message = {.kind = CHILD_LIMITS};
    char answer;
    int rc = send_fds(c->socket, &message, sizeof message, NULL, 0);
    if (rc < 0)
        child_fail(c, rc, "cannot ask for the limits");
    if (read_full(c->socket, &answer, 1) != 1)
        _exit(EXIT_FAILURE);
}

static void settle_label(struct child *c)
{
    if (c->plan->label.kind == LABEL_NONE)
        return;
    c->label = label_open(c->proc, c->plan->label.kind);
    if (c->label < 0)
        child_fail(c, c->label, "cannot open where the security label is set");
}

static struct enter entrance(const struct child *c)
{
    const struct launch *l = c->launch;
    const struct plan *p = c->plan;
    return (struct enter){
        .plan = p,
        .uid = p->uid,
        .gid = p->gid,
        .groups = p->groups,
        .group_count = p->group_count,
        .caps = &p->caps,
        .seccomp = l->seccomp,
        .landlock = l->landlock,
        .landlock_begun = c->landlock,
        .cwd = p->cwd,
        .label = c->label,
        .stdio = {p->terminal ? c->terminal : l->stdio[0], p->terminal ? c->terminal : l->stdio[1],
                  p->terminal ? c->terminal : l->stdio[2]},
        .terminal = p->terminal,
        .die_with_parent = l->die_with_parent,
        .init = p->init,
    };
}

static void run_born(struct child *c, void *closure, const pid_t *pid)
{
    struct enter *e = closure;
    (void)pid;
    settle_label(c);
    e->label = c->label;
    if (c->proc >= 0)
        close(c->proc);
    child_enter(c, e);
}

/* Everything is made, out of sight: from here on it is in another container's process namespace. */
static _Noreturn void bear_command(struct child *c)
{
    const struct launch *l = c->launch;
    if (c->plan->label.kind == LABEL_NONE)
        c->proc = -1; /* closed with the rest */
    const int kept[] = {c->socket,   c->dev,      c->proc,     c->landlock, l->join.pid,
                        l->stdio[0], l->stdio[1], l->stdio[2], c->terminal};
    child_close_all_but(c, 0, kept, sizeof kept / sizeof *kept);
    if (setns(l->join.pid, CLONE_NEWPID) < 0)
        child_fail(c, -errno, "cannot join the process namespace of the other container");
    close(l->join.pid);
    struct enter e = entrance(c);
    birth_reduce_rights(c, &e);
    birth_give(c, &e, run_born, &e);
}

_Noreturn void child_main(struct child *c)
{
    const struct launch *l = c->launch;
    struct stat st;
    process_hide_words(); /* with --init it stays, as process 1 that everybody inside sees */
    separate(c);
    if (l->join.pid >= 0 && stat("/proc/self/ns/mnt", &st) == 0)
        c->birth->mount_ns = st.st_ino;
    wait_for_start(c);
    if (c->plan->namespaces & PLAN_NS_USER)
        child_become_root(c, false);
    name_host(c);
    child_loopback_up(c);
    child_make_proc(c);
    set_sysctls(c);
    c->label = -1;
    if (l->join.pid < 0) /* else the process that it is for is not there yet */
        settle_label(c);
    if (!(c->plan->namespaces & PLAN_NS_USER) &&
        mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        child_fail(c, -errno, "cannot detach from the host's mounts");
    child_make_own_mounts(c);
    wait_for_go(c);
    child_join_groups(c, c->fds + c->fd_count - c->spent_count - c->group_count, c->group_count);
    child_mount_everything(c);
    if (l->errand)
        errand_begin(c, l->errand, c->proc);
    child_take_limits(c);
    if (l->join.pid >= 0)
        bear_command(c);
    struct enter e = entrance(c);
    child_enter(c, &e);
}
