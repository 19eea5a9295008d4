/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/bundle_launch.h"

#include <linux/nsfs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "runtime/bundle_child.h"
#include "runtime/bundle_ids.h"
#include "runtime/held.h"
#include "runtime/hook.h"
#include "runtime/ids.h"
#include "runtime/rlimit.h"
#include "runtime/syscalls.h"

/* What is open while it is being made; closed on every way out. */
struct making {
    const struct bundle_launch *launch;
    const struct bundle *bundle;
    struct held held;
    int joins[BUNDLE_NS_COUNT]; /* namespaces by path; -1 */
    bool groups_denied;
};

static void making_end(struct making *m)
{
    for (int i = 0; i < BUNDLE_NS_COUNT; i++)
        if (m->joins[i] >= 0)
            close(m->joins[i]);
    bool unit = !m->held.let_go && m->launch->unit && m->held.result.cgroup.path;
    struct error ignored = {0};
    held_end(&m->held);
    if (unit)
        (void)cgroup_stop_unit(m->launch->unit, &ignored);
}

/* --- the process -------------------------------------------------------------------------------
 */

static int open_joins(struct making *m, struct error *err)
{
    for (int i = 0; i < BUNDLE_NS_COUNT; i++) {
        const char *path = m->bundle->namespaces[i].path;
        if (!path)
            continue;
        m->joins[i] = open(path, O_RDONLY | O_CLOEXEC);
        if (m->joins[i] < 0)
            return error_errno(err, "cannot open the %s namespace %s", bundle_ns_words[i].name,
                               path);
        if (ioctl(m->joins[i], NS_GET_NSTYPE) != bundle_ns_words[i].flag)
            return error_set(err, -EINVAL, "%s is no %s namespace", path, bundle_ns_words[i].name);
    }
    return 0;
}

static bool is_own(const struct making *m, int i)
{
    char path[40];
    struct stat theirs, ours;
    snprintf(path, sizeof path, "/proc/self/ns/%s", bundle_ns_words[i].file);
    return m->joins[i] >= 0 && fstat(m->joins[i], &theirs) == 0 && stat(path, &ours) == 0 &&
           theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
}

static int would_change(const struct making *m, int i, const char *what, struct error *err)
{
    return error_set(err, -EPERM,
                     "%s would change the host: %s is the namespace that caisson-runtime itself is "
                     "in",
                     what, m->bundle->namespaces[i].path);
}

/* A namespace that is joined may be the host's own, whose settings and names stay as they are. */
static int check_settings(const struct making *m, struct error *err)
{
    const struct plan *p = &m->bundle->plan;
    for (size_t k = 0; k < p->sysctls.len; k++) {
        autofree char *what = xasprintf("linux.sysctl.%s", p->sysctls.items[k]);
        int i = (int)bundle_sysctl_namespace(p->sysctls.items[k]);
        if (i != BUNDLE_NS_COUNT && is_own(m, i))
            return would_change(m, i, what, err);
    }
    if ((p->hostname || p->domainname) && is_own(m, BUNDLE_UTS))
        return would_change(m, BUNDLE_UTS, p->hostname ? "hostname" : "domainname", err);
    return 0;
}

/* The namespace of control groups is made when its root is known, that of times with offsets. */
static uint64_t clone_flags(const struct bundle *bundle)
{
    uint64_t flags = 0;
    for (int i = 0; i < BUNDLE_NS_COUNT; i++)
        if (bundle->namespaces[i].listed && !bundle->namespaces[i].path && i != BUNDLE_CGROUP &&
            i != BUNDLE_TIME)
            flags |= (uint64_t)bundle_ns_words[i].flag;
    return flags;
}

static void run_child(void *closure)
{
    struct making *m = closure;
    static struct bundle_child b;
    close(m->held.socket); /* or its end would never come should the parent be killed */
    b.launch = m->launch;
    b.bundle = m->bundle;
    b.child.plan = &m->bundle->plan;
    b.child.socket = m->held.childs_socket;
    bundle_child_main(&b);
}

/* Some can be joined only by the host's root, some only from within the user namespace. */
static int join_paths(void *closure, int *failed)
{
    const struct making *m = closure;
    bool later[BUNDLE_NS_COUNT] = {0};
    process_hide_words(); /* the child is seen by others from its first moment */
    for (int i = 0; i < BUNDLE_NS_COUNT; i++)
        later[i] =
            i != BUNDLE_USER && m->joins[i] >= 0 && setns(m->joins[i], bundle_ns_words[i].flag) < 0;
    *failed = BUNDLE_USER;
    if (m->joins[BUNDLE_USER] >= 0 && setns(m->joins[BUNDLE_USER], CLONE_NEWUSER) < 0)
        return -errno;
    for (int i = 0; i < BUNDLE_NS_COUNT; i++) {
        *failed = i;
        if (later[i] && setns(m->joins[i], bundle_ns_words[i].flag) < 0)
            return -errno;
    }
    return 0;
}

/* Whoever is in a process namespace that is joined, or in the host's, sees the new process from its
 * first moment; and who has the uid that owns a new user namespace has all capabilities over what
 * is in there, so might look into it as long as it is dumpable. Only an ordinary user's parent,
 * which would be kept out itself, has to map the ids first. */
static int forbid_looking(const struct making *m, struct error *err)
{
    const struct bundle_namespace *users = &m->bundle->namespaces[BUNDLE_USER];
    if (users->listed && !users->path && (geteuid() != 0 || ids_limited()))
        return 0;
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0
               ? error_errno(err, "cannot forbid core dumps of the set-up")
               : 0;
}

/* A new user namespace comes after what it has no right to join. */
static int start_child(struct making *m, struct error *err)
{
    bool joins = false;
    int which;
    for (int i = 0; i < BUNDLE_NS_COUNT; i++)
        joins |= m->joins[i] >= 0;
    const struct between how = {joins ? join_paths : NULL, run_child, m};
    int rc = held_make(&m->held, &m->held.result.cgroup, clone_flags(m->bundle), &how, &which, err);
    return rc < 0 && which >= 0 ? error_set(err, rc, "cannot join the %s namespace %s: %s",
                                            bundle_ns_words[which].name,
                                            m->bundle->namespaces[which].path, error_describe(rc))
                                : rc;
}

static int set_oom_score(const struct making *m, struct error *err)
{
    int64_t score = m->bundle->plan.oom_score_adj;
    int rc = score == INT64_MIN ? 0 : held_set_oom_score(m->held.result.pid, score);
    /* Below what we have ourselves only with a capability that an ordinary user lacks: engines ask
     * for what they have and get that. */
    if (rc == -EACCES && ids_limited())
        return 0;
    return rc < 0 ? error_set(err, rc, "cannot set process.oomScoreAdj to %lld: %s",
                              (long long)score, error_describe(rc))
                  : 0;
}

/* What was asked for is in force, or nothing runs; the devices of an ordinary user are fenced by
 * there being no way to make nodes. */
static int check_limits(const struct making *m, struct error *err)
{
    static const char *const names[CGROUP_LIMIT_COUNT] = {
        [CGROUP_LIMIT_MEMORY] = "memory.limit",
        [CGROUP_LIMIT_SWAP] = "memory.swap",
        [CGROUP_LIMIT_RESERVATION] = "memory.reservation",
        [CGROUP_LIMIT_PIDS] = "pids.limit",
        [CGROUP_LIMIT_CPU_SHARES] = "cpu.shares",
        [CGROUP_LIMIT_CPU_QUOTA] = "cpu.quota",
        [CGROUP_LIMIT_CPUSET_CPUS] = "cpu.cpus",
        [CGROUP_LIMIT_CPUSET_MEMS] = "cpu.mems",
        [CGROUP_LIMIT_BLKIO_WEIGHT] = "blockIO.weight",
        [CGROUP_LIMIT_DEVICES] = "devices",
    };
    for (int limit = 0; limit < CGROUP_LIMIT_COUNT; limit++) {
        const char *why = cgroup_why_not(&m->held.result.cgroup, (enum cgroup_limit)limit);
        if (!why || (limit == CGROUP_LIMIT_DEVICES && (ids_limited() || geteuid() != 0)))
            continue;
        return error_set(err, -ENOTSUP, "linux.resources.%s cannot be enforced: %s", names[limit],
                         why);
    }
    return 0;
}

/* With its ids mapped and its groups made, the child goes on. */
static int let_start(struct making *m, struct error *err)
{
    const struct bundle *bundle = m->bundle;
    struct bundle_go go = {.pid = m->held.result.pid, .users = bundle_has_users(bundle)};
    int fds[CGROUP_SLOTS], rc = 0;
    if (bundle->maps.uid_count)
        rc = bundle_ids_map(m->held.result.pid, &bundle->maps, &m->groups_denied, err);
    if (rc == 0 && m->joins[BUNDLE_USER] >= 0)
        rc = m->held.userns = take_fd(&m->joins[BUNDLE_USER]);
    else if (rc == 0 && go.users)
        rc = m->held.userns = ids_namespace_of(m->held.result.pid, err);
    if (rc >= 0)
        rc = set_oom_score(m, err);
    if (rc == 0 && m->launch->unit)
        rc = cgroup_start_unit(m->held.group, m->held.result.pid, &m->held.result.cgroup, err);
    if (rc == 0)
        rc = cgroup_finish(m->held.group, &m->held.result.cgroup, err);
    if (rc == 0)
        rc = check_limits(m, err);
    if (rc < 0)
        return rc;
    for (int slot = 0; slot < CGROUP_SLOTS; slot++)
        if (m->held.result.cgroup.tasks[slot] >= 0)
            fds[go.group_count++] = m->held.result.cgroup.tasks[slot];
    go.groups_denied = m->groups_denied;
    if (m->held.result.cgroup.path)
        snprintf(go.group, sizeof go.group, "%s", m->held.result.cgroup.path);
    rc = send_fds(m->held.socket, &go, sizeof go, fds, go.group_count);
    cgroup_joined(&m->held.result.cgroup);
    return rc == -EPIPE || rc == -ECONNRESET ? 0 : rc; /* it says itself what happened */
}

/* --- what the child asks for -------------------------------------------------------------------
 */

static int answer(struct making *m, const struct error *wrong, int fd)
{
    struct bundle_answer a = {.code = wrong->code};
    snprintf(a.text, sizeof a.text, "%.*s", (int)sizeof a.text - 1, wrong->text);
    int rc = send_fds(m->held.socket, &a, sizeof a, &fd, fd >= 0);
    return rc == -EPIPE || rc == -ECONNRESET ? 0 : rc;
}

static int find_source(struct making *m, int which, struct error *wrong)
{
    const struct bundle *b = m->bundle;
    if (which == SOURCE_ROOT)
        return bundle_clone_root(b, wrong);
    if (which >= 0 && (size_t)which < b->mount_count)
        return bundle_clone_bind(&b->mounts[which], m->held.userns, wrong);
    if (which <= SOURCE_DEVICE && (size_t)(SOURCE_DEVICE - which) < b->device_count)
        return bundle_clone_device(&b->devices[SOURCE_DEVICE - which], wrong);
    return error_set(wrong, -EPROTO, "the container's set-up asks for what nobody named");
}

static int give_source(struct making *m, int which)
{
    struct error wrong = {0};
    autofd fd = find_source(m, which, &wrong);
    /* No right to copy mounts: an ordinary user has it only inside the container's namespaces. */
    if (fd == -EPERM)
        wrong = (struct error){0};
    return answer(m, &wrong, fd < 0 ? -1 : fd);
}

static int set_limits(struct making *m)
{
    const struct rlimit_spec *failed;
    struct error wrong = {0};
    int rc = held_set_limits(&m->bundle->plan, m->held.result.pid, &failed);
    if (rc < 0)
        error_set(
            &wrong, rc,
            "cannot set process.rlimits of %s to %llu:%llu (above our own hard limit it takes "
            "CAP_SYS_RESOURCE): %s",
            rlimit_name(failed->resource), (unsigned long long)failed->soft,
            (unsigned long long)failed->hard, error_describe(rc));
    return answer(m, &wrong, -1);
}

/* In the runtime's namespaces, with the container's made. */
static int run_hooks(struct making *m)
{
    struct error wrong = {0};
    autobuf state = {0};
    m->launch->state(m->launch->closure, "creating", m->held.result.pid, &state);
    int rc = hooks_run(m->bundle, HOOK_PRESTART, buf_text(&state), m->bundle->path, &wrong);
    if (rc == 0)
        (void)hooks_run(m->bundle, HOOK_CREATE_RUNTIME, buf_text(&state), m->bundle->path, &wrong);
    return answer(m, &wrong, -1);
}

static int hear(struct making *m, const struct child_message *message, int fd, struct error *err)
{
    struct error fine = {0};
    switch (message->kind) {
    case CHILD_TERMINAL:
        if (fd < 0 || m->held.result.terminal >= 0)
            break;
        m->held.result.terminal = fcntl(fd, F_DUPFD_CLOEXEC, 3 + m->launch->keep);
        return m->held.result.terminal < 0 ? error_errno(err, "cannot keep the terminal") : 0;
    case CHILD_SOURCE:
        return give_source(m, message->code);
    case CHILD_LIMITS:
        return set_limits(m);
    case CHILD_HOOKS:
        return run_hooks(m);
    case CHILD_READY: {
        int rc = m->launch->ready(m->launch->closure, &m->held.result, err);
        return rc < 0 ? rc : answer(m, &fine, -1);
    }
    default:
        break;
    }
    return error_set(err, message->code < 0 ? message->code : -EPROTO, "%s", message->text);
}

/* Until it waits to be started. */
static int hear_child(struct making *m, struct error *err)
{
    for (;;) {
        struct child_message message;
        autofd fd = -1;
        int rc = held_hear(&m->held, &message, &fd, err);
        if (rc > 0)
            return error_set(
                err, -ECHILD, "the container's first process ended while it was being set up%s",
                m->bundle->plan.limits.memory > 0 ? " (was linux.resources.memory.limit too small?)"
                                                  : "");
        if (rc == 0)
            rc = hear(m, &message, fd, err);
        if (rc < 0 || message.kind == CHILD_READY)
            return rc;
    }
}

static int begin_group(struct making *m, struct error *err)
{
    const struct bundle *b = m->bundle;
    if (m->launch->unit)
        return cgroup_begin_unit(m->launch->unit, &b->plan.limits, &m->held.group,
                                 &m->held.result.cgroup, err);
    const char *name = b->cgroup_name ? b->cgroup_name : m->launch->group;
    const char *parent = b->cgroup_name ? b->cgroup_parent : CGROUP_FOREIGN_PARENT;
    return cgroup_begin(parent, name, &b->plan.limits, &m->held.group, &m->held.result.cgroup, err);
}

static int carry_out(struct making *m, struct error *err)
{
    int rc = open_joins(m, err);
    if (rc == 0)
        rc = check_settings(m, err);
    if (rc == 0)
        rc = begin_group(m, err);
    if (rc == 0)
        rc = forbid_looking(m, err);
    if (rc == 0)
        rc = start_child(m, err);
    if (rc == 0)
        rc = let_start(m, err);
    return rc < 0 ? rc : hear_child(m, err);
}

int bundle_launch(const struct bundle_launch *launch, struct launched *out, struct error *err)
{
    struct making m __attribute__((cleanup(making_end))) = {
        .launch = launch,
        .bundle = launch->bundle,
        .held = HELD_NONE,
        .joins = {[0 ... BUNDLE_NS_COUNT - 1] = -1},
    };
    int rc = carry_out(&m, err);
    if (rc < 0)
        return rc;
    m.held.let_go = true;
    *out = m.held.result;
    return 0;
}

/* --- start, from another process ---------------------------------------------------------------
 */

bool bundle_waits(int state)
{
    autofd go = openat(state, BUNDLE_GO, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    return go >= 0;
}

int bundle_start(int state, struct error *err)
{
    struct child_message message;
    /* First the one that is read, so that nothing said is lost. */
    autofd said = openat(state, BUNDLE_SAID, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    autofd go = openat(state, BUNDLE_GO, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (said < 0 || go < 0)
        return error_set(err, -ESRCH, "the container does not wait to be started");
    if (fcntl(said, F_SETFL, 0) < 0 || write_all(go, "g", 1) < 0)
        return error_errno(err, "cannot start the container");
    ssize_t n = read_full(said, &message, sizeof message);
    if (n == 0)
        return 0;
    if (n != (ssize_t)sizeof message)
        return error_set(err, n < 0 ? (int)n : -EPROTO, "cannot hear the container");
    message.text[sizeof message.text - 1] = '\0';
    return error_set(err, message.code < 0 ? message.code : -EPROTO, "%s", message.text);
}
