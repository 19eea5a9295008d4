/* SPDX-License-Identifier: Apache-2.0 */
#include "container/strays.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "runtime/syscalls.h"

#define ROUNDS 1000 /* one that forks while we look is met again in the next */
#define PATIENCE_MS 1000

uint64_t strays_namespace(pid_t pid, const char *kind)
{
    struct stat st;
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, kind);
    return stat(path, &st) < 0 ? 0 : st.st_ino;
}

static bool belongs(pid_t pid, uint64_t process_ns, uint64_t mount_ns)
{
    return strays_namespace(pid, "pid") == process_ns &&
           (mount_ns == 0 || strays_namespace(pid, "mnt") == mount_ns);
}

int strays_list(uint64_t process_ns, uint64_t mount_ns, pid_t **pids, size_t *count,
                struct error *err)
{
    autodir proc = opendir("/proc");
    if (!proc)
        return error_errno(err, "cannot read /proc");
    for (const struct dirent *entry; (entry = readdir(proc));) {
        uint64_t pid;
        if (parse_u64(entry->d_name, INT32_MAX, &pid) < 0 ||
            !belongs((pid_t)pid, process_ns, mount_ns))
            continue;
        *pids = xrealloc(*pids, *count + 1, sizeof **pids);
        (*pids)[(*count)++] = (pid_t)pid;
    }
    return 0;
}

/* By a descriptor, which was looked at after it was opened: the number may be another's by now. */
static void end_one(pid_t pid, uint64_t process_ns, uint64_t mount_ns)
{
    autofd pidfd = sys_pidfd_open(pid);
    if (pidfd >= 0 && belongs(pid, process_ns, mount_ns) &&
        sys_pidfd_send_signal(pidfd, SIGKILL) == 0)
        (void)poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, PATIENCE_MS);
}

void strays_end(const struct container *c)
{
    const struct container_status *s = &c->status;
    if (!c->plan.pid_container || !s->mount_ns || !s->process_ns)
        return;
    for (int round = 0; round < ROUNDS; round++) {
        autofree pid_t *pids = NULL;
        size_t count = 0;
        if (strays_list(s->process_ns, s->mount_ns, &pids, &count, NULL) < 0 || count == 0)
            return;
        for (size_t i = 0; i < count; i++)
            end_one(pids[i], s->process_ns, s->mount_ns);
    }
}
