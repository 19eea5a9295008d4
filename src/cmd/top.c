/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a container, read from /proc: their numbers are the host's, their owners the
 * container's. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/container_words.h"
#include "cmd/list.h"
#include "container/strays.h"
#include "runtime/ids.h"

#define COMMAND_MAX 65536

/* Fields of proc_pid_stat(5). */
struct process {
    pid_t pid, parent;
    char name[64];
    unsigned terminal;
    uint64_t ticks; /* of processor time */
    uint64_t start; /* ticks since boot */
    uid_t uid;
};

static int read_process(pid_t pid, struct process *out)
{
    char path[32];
    autobuf text = {0};
    struct stat st;
    unsigned long long user, system, start;
    struct process p = {.pid = pid};
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    autofd fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || read_fd(fd, 4096, &text) < 0)
        return -ESRCH;
    const char *open_at = strchr(buf_text(&text), '('), *end = strrchr(buf_text(&text), ')');
    if (!open_at || !end || end < open_at)
        return -ESRCH;
    snprintf(p.name, sizeof p.name, "%.*s", (int)(end - open_at - 1), open_at + 1);
    if (sscanf(end + 1,
               " %*c %d %*d %*d %u %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu",
               &p.parent, &p.terminal, &user, &system, &start) != 5)
        return -ESRCH;
    p.ticks = user + system;
    p.start = start;
    p.uid = st.st_uid;
    *out = p;
    return 0;
}

/* As the container knows it. */
static void show_owner(const struct container *c, uid_t uid, struct list *list)
{
    uint32_t base = c->status.id_base;
    if (base && uid >= base && uid - base < PLAN_ID_COUNT)
        uid -= base;
    else if (!base && c->plan.stand_in && ids_limited()) /* they changed places: runtime/ids.h */
        uid = uid == 0 ? c->plan.uid : uid == c->plan.uid ? 0 : uid;
    list_fmt(list, "%u", uid);
}

static void show_start(nanoseconds started, struct list *list)
{
    time_t seconds = started / NSEC_PER_SEC, today = clock_wall() / NSEC_PER_SEC;
    struct tm tm, now;
    char text[16] = "?";
    if (localtime_r(&seconds, &tm) && localtime_r(&today, &now))
        strftime(text, sizeof text,
                 tm.tm_year == now.tm_year && tm.tm_yday == now.tm_yday ? "%H:%M" : "%b%d", &tm);
    list_cell(list, text);
}

static void show_terminal(unsigned device, struct list *list)
{
    unsigned first_pts = 136, last_pts = 143; /* of the kernel's list of devices */
    if (major(device) >= first_pts && major(device) <= last_pts)
        list_fmt(list, "pts/%u", (major(device) - first_pts) * 256 + minor(device));
    else
        list_cell(list, "?");
}

static void show_command(const struct process *p, struct list *list)
{
    char path[32];
    autobuf text = {0};
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)p->pid);
    autofd fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t n = read_full(fd, buf_room(&text, COMMAND_MAX), COMMAND_MAX);
        text.len = n > 0 ? (size_t)n : 0;
    }
    while (text.len > 0 && text.data[text.len - 1] == '\0')
        text.len--;
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '\0')
            text.data[i] = ' ';
    if (text.len == 0) {
        list_fmt(list, "[%s]", p->name);
        return;
    }
    text.data[text.len] = '\0';
    list_cell(list, text.data);
}

static void add_row(const struct container *c, const struct process *p, struct list *list)
{
    uint64_t hertz = (uint64_t)sysconf(_SC_CLK_TCK), seconds = p->ticks / hertz;
    struct timespec boot;
    clock_gettime(CLOCK_BOOTTIME, &boot);
    nanoseconds up = boot.tv_sec * NSEC_PER_SEC + boot.tv_nsec;
    nanoseconds age = up - (nanoseconds)(p->start * (NSEC_PER_SEC / hertz));
    show_owner(c, p->uid, list);
    list_fmt(list, "%d", (int)p->pid);
    list_fmt(list, "%d", (int)p->parent);
    list_fmt(list, "%lld",
             age > 0 ? (long long)(p->ticks * (NSEC_PER_SEC / hertz) * 100 / (uint64_t)age) : 0);
    show_start(clock_wall() - age, list);
    show_terminal(p->terminal, list);
    list_fmt(list, "%02llu:%02llu:%02llu", (unsigned long long)(seconds / 3600),
             (unsigned long long)(seconds / 60 % 60), (unsigned long long)(seconds % 60));
    show_command(p, list);
}

static int by_number(const void *a, const void *b)
{
    const pid_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Without a control group. */
static int list_strays(const struct container *c, pid_t **pids, size_t *count, struct error *err)
{
    pid_t pid;
    autofd pidfd = container_insider(c, &pid, NULL);
    uint64_t processes = pidfd < 0 ? 0 : strays_namespace(pid, "pid");
    if (processes == 0)
        return error_set(err, -ESRCH, "cannot look for the processes of container %s",
                         c->plan.name);
    return strays_list(processes, c->plan.pid_container ? c->status.mount_ns : 0, pids, count, err);
}

static int list_processes(const struct container *c, pid_t **pids, size_t *count, struct error *err)
{
    autocgroup group = CGROUP_EMPTY;
    bool grouped = c->status.cgroup && !streq(c->status.cgroup, "none");
    if (!grouped && (c->plan.namespaces & PLAN_NS_PID || c->plan.pid_container))
        return list_strays(c, pids, count, err);
    if (!grouped)
        return error_set(err, -ENOTSUP,
                         "container %s has neither a control group nor a process namespace of its "
                         "own, which would say what its processes are",
                         c->plan.name);
    int rc = cgroup_open(c->status.cgroup, &group, err);
    return rc < 0 ? rc : cgroup_processes(&group, pids, count, err);
}

int command_top(const struct invocation *call, void *options, struct error *err)
{
    static const struct list_column columns[] = {
        {"UID", {.heading = "UID"}},     {"PID", {.heading = "PID"}},
        {"PPID", {.heading = "PPID"}},   {"C", {.heading = "C"}},
        {"STIME", {.heading = "STIME"}}, {"TTY", {.heading = "TTY"}},
        {"TIME", {.heading = "TIME"}},   {"CMD", {.heading = "CMD"}},
    };
    autocontainers all = {0};
    autocontainer c = CONTAINER_EMPTY;
    autofree pid_t *pids = NULL;
    autolist list = {0};
    size_t count = 0;
    (void)options;
    int rc = containers_here(&all, err);
    if (rc == 0)
        rc = container_find(&all, call->arguments[0], &c, err);
    if (rc < 0)
        return rc;
    if (c.now != CONTAINER_RUNNING && c.now != CONTAINER_PAUSED)
        return error_set(err, -ESRCH, "container %s is not running", c.plan.name);
    rc = list_processes(&c, &pids, &count, err);
    if (rc < 0)
        return rc;
    qsort(pids, count, sizeof *pids, by_number);
    list_start(&list, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < count; i++) {
        struct process process;
        if (read_process(pids[i], &process) == 0)
            add_row(&c, &process, &list);
    }
    return list_print(&list, &(struct list_style){0}, err);
}
