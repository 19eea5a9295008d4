/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/launch.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/text.h"
#include "path/inroot.h"
#include "runtime/assemble.h"
#include "runtime/devices_dir.h"
#include "runtime/files_dir.h"
#include "runtime/held.h"
#include "runtime/ids.h"
#include "runtime/rootfs.h"
#include "runtime/syscalls.h"

/* What is open while a container is being made; closed on every way out. */
struct making {
    const struct launch *launch;
    struct held held;
    int dev;
    int landlock; /* ruleset, -1 while the child has to make it */
    int fds[CHILD_FDS_MAX];
    size_t fd_count;
};

static void making_end(struct making *m)
{
    for (size_t i = 0; i < m->fd_count; i++)
        if (m->fds[i] >= 0)
            close(m->fds[i]);
    if (m->dev >= 0)
        close(m->dev);
    if (m->landlock >= 0)
        close(m->landlock);
    held_end(&m->held);
}

static int hold(struct making *m, int fd)
{
    if (fd < 0)
        return fd;
    if (m->fd_count == CHILD_HELD_MAX) {
        close(fd);
        return -E2BIG;
    }
    m->fds[m->fd_count++] = fd;
    return 0;
}

/* --- binds, volumes, images --------------------------------------------------------------------
 */

static unsigned long bind_attributes(const struct plan_mount *m)
{
    return (m->read_only ? MOUNT_ATTR_RDONLY : 0UL) | (m->no_exec ? MOUNT_ATTR_NOEXEC : 0UL) |
           (m->dev ? 0UL : MOUNT_ATTR_NODEV) | (m->suid ? 0UL : MOUNT_ATTR_NOSUID);
}

/* A bind whose files appear as the container's user's own; where the file system cannot map ids (an
 * overlay, a network file system), it is mounted as it is. */
static int clone_bind(struct making *m, const struct plan_mount *mount, int source,
                      struct error *err)
{
    const struct plan *p = m->launch->plan;
    unsigned long set = bind_attributes(mount);
    if (!(p->namespaces & PLAN_NS_USER) || !mount->idmap || ids_limited())
        return rootfs_clone_mount(source, -1, set, 0, mount->recursive, err);
    enum ids_others others = p->uid != 0 && p->granted == 0 ? IDS_OTHERS_NOBODY
                             : p->bind_uid == 0             ? IDS_OTHERS_SAME
                                                            : IDS_OTHERS_ASIDE;
    autofd userns = ids_bind_namespace(m->launch->ids.base, p->bind_uid, p->bind_gid, p->uid,
                                       p->gid, others, err);
    if (userns < 0)
        return userns;
    int fd = rootfs_clone_mount(source, userns, set, 0, mount->recursive, err);
    if (fd == -EOPNOTSUPP)
        fd = rootfs_clone_mount(source, -1, set, 0, mount->recursive, err);
    return fd;
}

/* Volumes have the image's ids on disk, as layers have, and are mapped like them. Nothing that is
 * mounted below one on the host comes with it. */
static int clone_volume(struct making *m, const struct plan_mount *mount, int source,
                        struct error *err)
{
    return rootfs_clone_mount(source, m->held.userns, bind_attributes(mount), 0, false, err);
}

/* Another image's files: an overlay of its layers, of which the whole or a part is mounted. */
static int clone_image(struct making *m, const struct plan_mount *mount,
                       const struct launch_source *from, struct error *err)
{
    struct rootfs_source source = {
        .layers = from->layers,
        .count = from->layer_count,
        .upper = -1,
        .spent = &m->held.result.spent,
        .id_base = m->launch->ids.base,
        .userns = m->held.userns,
        .no_devices = true,
    };
    const char *subpath = mount->subpath ? mount->subpath : ".";
    autofd root = rootfs_mount(&source, err);
    autofd part = root < 0 ? root : inroot_open(root, subpath, O_PATH);
    if (root >= 0 && part < 0)
        return error_set(err, part, "cannot open %s in the image: %s", subpath,
                         error_describe(part));
    return part < 0 ? part : rootfs_clone_part(root, part, bind_attributes(mount), err);
}

static int prepare_one(struct making *m, size_t index, struct error *err)
{
    const struct plan_mount *mount = &m->launch->plan->mounts[index];
    const struct launch_source *sources = m->launch->sources;
    int fd;
    if (mount->kind == PLAN_BIND) {
        autofd bound = open(mount->source, O_PATH | O_CLOEXEC);
        if (bound < 0)
            return error_errno(err, "cannot mount %s at %s", mount->source, mount->target);
        fd = clone_bind(m, mount, bound, err);
    } else if (mount->kind == PLAN_VOLUME) {
        fd = clone_volume(m, mount, sources[index].fd, err);
    } else {
        fd = clone_image(m, mount, &sources[index], err);
    }
    if (fd < 0)
        return error_prefix(err, "cannot mount %s at %s", mount->source, mount->target);
    return fd;
}

static int prepare_binds(struct making *m, struct error *err)
{
    const struct plan *p = m->launch->plan;
    for (size_t i = 0; i < p->mount_count; i++) {
        if (p->mounts[i].kind == PLAN_TMPFS)
            continue;
        int rc = prepare_one(m, i, err);
        if (rc < 0)
            return rc;
        rc = hold(m, rc);
        if (rc < 0)
            return error_set(err, rc, "too many mounts (at most %d)", CHILD_HELD_MAX - CHILD_FIXED);
    }
    return 0;
}

static int prepare_mounts(struct making *m, struct error *err)
{
    const struct launch *l = m->launch;
    struct rootfs_source source = {
        .layers = l->layers,
        .count = l->layer_count,
        .upper = l->upper,
        .id_base = l->ids.base,
        .userns = m->held.userns,
        /* Without a user namespace, CAP_MKNOD and --device may have made them. */
        .no_devices = l->plan->namespaces & PLAN_NS_USER,
        .volatile_upper = l->plan->remove,
        .spent = &m->held.result.spent,
    };
    int rc = hold(m, rootfs_mount(&source, err));
    if (rc == 0)
        rc = hold(m, files_directory(l->plan, m->held.userns, err));
    if (rc == 0)
        rc = prepare_binds(m, err);
    return rc;
}

/* --- the child ---------------------------------------------------------------------------------
 */

/* What has to be there at the process's birth. The other namespaces the child makes itself, so that
 * we go on meanwhile. */
static uint64_t clone_flags(const struct plan *p)
{
    return (p->namespaces & PLAN_NS_USER && !p->user_container ? CLONE_NEWUSER : 0U) |
           (p->namespaces & PLAN_NS_PID ? CLONE_NEWPID : 0U);
}

static const char *const join_steps[] = {
    "join the network of the other container", "join the IPC namespace of the other container",
    "join the user namespace of the other container", "set --oom-score-adj"};
enum { JOIN_OOM_SCORE = 3 };

static bool joins(const struct launch_join *join)
{
    return join->net >= 0 || join->ipc >= 0 || join->user >= 0;
}

/* In the process between. The user namespace comes last: from within it the others may not be
 * joined. The process namespace is for the child to bear the command's process into: birth.h. */
static int join_others(void *closure, int *failed)
{
    const struct making *m = closure;
    const struct launch_join *join = &m->launch->join;
    const int fds[] = {join->net, join->ipc, join->user};
    const int kinds[] = {CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUSER};
    char score[24];
    snprintf(score, sizeof score, "%lld", (long long)m->launch->plan->oom_score_adj);
    *failed = JOIN_OOM_SCORE;
    int rc = m->launch->plan->oom_score_adj == INT64_MIN
                 ? 0
                 : write_kernel_file_at(AT_FDCWD, "/proc/self/oom_score_adj", score);
    if (rc < 0)
        return rc;
    /* Nobody is to look into it who has the uid that owns the user namespace; and what cannot be
     * looked into may not set its own score, nor, by an ordinary user's parent, get its ids. */
    bool closed = join->user >= 0 || !ids_limited();
    if (closed && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return -errno;
    for (int i = 0; i < 3; i++) {
        *failed = i;
        if (fds[i] >= 0 && setns(fds[i], kinds[i]) < 0)
            return -errno;
    }
    if (closed && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return -errno;
    return 0;
}

static void run_child(void *closure)
{
    static struct child child; /* too large for comfort on a stack */
    struct making *m = closure;
    close(m->held.socket); /* or its end would never come should the parent be killed */
    child.launch = m->launch;
    child.plan = m->launch->plan;
    child.socket = m->held.childs_socket;
    child.birth = m->held.birth;
    child_main(&child);
}

static int start_child(struct making *m, struct error *err)
{
    const struct between how = {joins(&m->launch->join) ? join_others : NULL, run_child, m};
    int step;
    /* Before it is born: containers that share the host's processes see it from its first moment,
     * and whoever has the uid that owns a new user namespace may look into what is in there. */
    if (!ids_limited() && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_errno(err, "cannot forbid core dumps");
    int rc =
        held_make(&m->held, &m->held.result.cgroup, clone_flags(m->launch->plan), &how, &step, err);
    return rc < 0 && step >= 0
               ? error_set(err, rc, "cannot %s: %s", join_steps[step], error_describe(rc))
               : rc;
}

int launch_give_limits(const struct plan *p, pid_t pid, int socket, struct error *err)
{
    const struct rlimit_spec *failed;
    int rc = held_set_limits(p, pid, &failed);
    if (rc < 0)
        return error_set(err, rc, "cannot set --ulimit %s: %s", rlimit_name(failed->resource),
                         error_describe(rc));
    if (write_all(socket, "g", 1) < 0)
        return error_set(err, -ECHILD, "the process ended while it was being made");
    return 0;
}

/* Reads what the child says until its execve closes the socket. */
static int hear_child(struct making *m, int *exit_code, struct error *err)
{
    struct launched *result = &m->held.result;
    for (;;) {
        struct child_message message;
        int fd;
        int rc = held_hear(&m->held, &message, &fd, err);
        if (rc != 0)
            return rc < 0 ? rc : 0;
        if (message.kind == CHILD_TERMINAL && fd >= 0) {
            if (result->terminal >= 0)
                close(result->terminal);
            result->terminal = fd;
            continue;
        }
        if (fd >= 0)
            close(fd);
        if (message.kind != CHILD_LIMITS) {
            *exit_code = message.exit_code;
            return error_set(err, message.code, "%s", message.text);
        }
        rc = launch_give_limits(m->launch->plan, result->pid, m->held.socket, err);
        if (rc < 0)
            return rc;
    }
}

/* The child may have died without a word, killed by something. */
static int check_alive(struct making *m, struct error *err)
{
    siginfo_t info = {0};
    if (waitid(P_PIDFD, (id_t)m->held.result.pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid != 0 && info.si_code != CLD_EXITED && info.si_status == SIGKILL) {
        struct cgroup_events events = {0};
        if (cgroup_events(&m->held.result.cgroup, &events, NULL) == 0 && events.oom_kills > 0)
            return error_set(err, -ENOMEM,
                             "the container ran out of memory while it was being started; give it "
                             "more with --memory");
    }
    return 0;
}

static int give_oom_score(pid_t pid, int64_t score, struct error *err)
{
    int rc = held_set_oom_score(pid, score);
    return rc < 0 ? error_set(err, rc, "cannot set --oom-score-adj %lld: %s", (long long)score,
                              error_describe(rc))
                  : 0;
}

/* With its ids mapped and /dev at hand, the child can make its own file systems. */
static int let_start(struct making *m, struct error *err)
{
    const struct plan *p = m->launch->plan;
    int rc = 0;
    if (p->namespaces & PLAN_NS_USER && m->launch->join.user < 0)
        rc = ids_map_process(m->held.result.pid, &m->launch->ids, err);
    if (rc == 0 && p->namespaces & PLAN_NS_USER && !ids_limited()) /* else it can map no mount */
        rc = m->held.userns = ids_namespace_of(m->held.result.pid, err);
    /* Before it is closed to us: child.c, separate(). One that joins has set it itself. */
    if (rc >= 0 && p->oom_score_adj != INT64_MIN && !joins(&m->launch->join))
        rc = give_oom_score(m->held.result.pid, p->oom_score_adj, err);
    if (rc >= 0)
        rc = m->dev = devices_directory(p, m->held.userns, err);
    if (rc < 0)
        return rc;
    struct child_start start = {.id_base = m->launch->ids.base};
    rc = send_fds(m->held.socket, &start, sizeof start, &m->dev, 1);
    return rc == -EPIPE || rc == -ECONNRESET ? 0 : rc; /* it says itself what happened */
}

/* As far as the parent can: assemble.h. */
static int assemble_detached(struct making *m, struct assembly_state *state, struct error *err)
{
    struct assembly a = {
        .plan = m->launch->plan,
        .root = m->fds[CHILD_ROOT],
        .dev = m->dev,
        .files = m->fds[CHILD_FILES],
        .binds = m->fds + CHILD_FIXED,
        .ids = &m->launch->ids,
    };
    int rc = m->held.userns >= 0 ? rootfs_act_as(m->launch->ids.base) : 0;
    if (rc == 0)
        rc = assemble(&a, err);
    if (m->held.userns >= 0) {
        int back = rootfs_act_as(geteuid());
        if (rc == 0 && back < 0)
            rc = error_set(err, back, "cannot go back to our own ids: %s", error_describe(back));
    }
    *state = a.state;
    if (rc == 0 && a.state.finished && m->launch->landlock) {
        rc = m->landlock = landlock_begin(m->launch->landlock, a.root);
        if (rc < 0)
            return error_set(err, rc, "cannot prepare the Landlock fence: %s", error_describe(rc));
    }
    return rc < 0 ? rc : 0;
}

static int let_go(struct making *m, const struct assembly_state *state, struct error *err)
{
    struct cgroup *group = &m->held.result.cgroup;
    struct child_go go = {
        .unified_only = group->layout == CGROUP_V2,
        .assembled = *state,
    };
    int fds[CHILD_FDS_MAX];
    size_t count = m->fd_count;
    memcpy(fds, m->fds, count * sizeof *fds);
    go.landlock_begun = m->landlock >= 0;
    if (go.landlock_begun)
        fds[count++] = m->landlock;
    for (int slot = 0; slot < CGROUP_SLOTS; slot++)
        if (group->tasks[slot] >= 0) {
            fds[count++] = group->tasks[slot];
            go.group_count++;
        }
    while (go.spent_count < m->held.result.spent.count && count < CHILD_FDS_MAX)
        fds[count++] = m->held.result.spent.fds[go.spent_count++];
    go.fd_count = (uint32_t)count;
    int rc = send_fds(m->held.socket, &go, sizeof go, fds, count);
    cgroup_joined(group);
    if (rc < 0 && rc != -EPIPE && rc != -ECONNRESET)
        return error_set(err, rc, "cannot hand the mounts to the container: %s",
                         error_describe(rc));
    return 0;
}

/* The child has made its network namespace and shows it, or failed. */
static int connect_child(struct making *m, int *exit_code, struct error *err)
{
    struct child_message message;
    int fds[2] = {-1, -1};
    size_t count = 0;
    ssize_t n = receive_fds(m->held.socket, &message, sizeof message, fds, 2, &count);
    autofd inside = fds[0];
    autofd namespace = fds[1];
    if (n != (ssize_t)sizeof message)
        return n == 0
                   ? error_set(err, -ECHILD, "the process ended while it was being made")
                   : error_set(err, n < 0 ? (int)n : -EPROTO, "cannot hear the container's set-up");
    if (message.kind == CHILD_NETWORK && count == 2)
        return m->launch->connect(m->launch->networks, inside, namespace, m->held.result.pidfd,
                                  err);
    message.text[sizeof message.text - 1] = '\0';
    *exit_code = message.exit_code;
    return error_set(err, message.code < 0 ? message.code : -EPROTO, "%s", message.text);
}

static int carry_out(struct making *m, int *exit_code, struct error *err)
{
    const struct plan *p = m->launch->plan;
    struct assembly_state state = {0};
    bool limited = !m->launch->errand; /* what we do there ourselves has no group of its own */
    int rc = limited ? cgroup_begin(p->cgroup_parent, p->id, &p->limits, &m->held.group,
                                    &m->held.result.cgroup, err)
                     : 0;
    if (rc == 0 && m->launch->join.pid >= 0)
        rc = birth_expect(&m->held.birth, err);
    if (rc == 0)
        rc = start_child(m, err);
    if (rc == 0)
        rc = let_start(m, err);
    if (rc == 0 && m->launch->meanwhile)
        rc = m->launch->meanwhile(m->launch->closure, err);
    if (rc == 0 && limited)
        rc = cgroup_finish(m->held.group, &m->held.result.cgroup, err);
    if (rc == 0 && limited && ids_limited())
        rc = cgroup_check_asked(&m->held.result.cgroup, p->limits.by_flag, err);
    if (rc == 0)
        rc = prepare_mounts(m, err);
    if (rc == 0)
        rc = assemble_detached(m, &state, err);
    if (rc == 0 && m->launch->connect)
        rc = connect_child(m, exit_code, err);
    if (rc == 0)
        rc = let_go(m, &state, err);
    if (rc == 0)
        rc = hear_child(m, exit_code, err);
    if (rc == 0 && m->held.birth)
        rc = held_take_born(&m->held, err);
    return rc < 0 ? rc : check_alive(m, err);
}

int launch_container(const struct launch *launch, struct launched *out, int *exit_code,
                     struct error *err)
{
    struct making m __attribute__((cleanup(making_end))) = {
        .launch = launch,
        .held = HELD_NONE,
        .dev = -1,
        .landlock = -1,
    };
    *exit_code = 125;
    int rc = carry_out(&m, exit_code, err);
    if (rc < 0)
        return rc;
    m.held.let_go = true;
    for (size_t i = 0; i < m.fd_count; i++)
        spent_add(&m.held.result.spent, m.fds[i]);
    m.fd_count = 0;
    *out = m.held.result;
    return 0;
}
