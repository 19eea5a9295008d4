/* SPDX-License-Identifier: Apache-2.0 */
#include "container/hints.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"

#define CAP_BIT_NET_RAW (UINT64_C(1) << 13) /* CAP_NET_RAW, capabilities(7) */
#define EARLY (30 * NSEC_PER_SEC)

static bool says(const char *words, const char *text, const char *code)
{
    return strcasestr(words, text) || strstr(words, code);
}

static bool killed_by(int status, int number)
{
    return (WIFSIGNALED(status) && WTERMSIG(status) == number) ||
           (WIFEXITED(status) && WEXITSTATUS(status) == 128 + number);
}

bool hint_for(const struct plan *plan, int status, const struct cgroup_events *events,
              const char *words, struct buf *out)
{
    if (events->oom_kills > 0) {
        buf_str(out, "it ran out of memory (limit ");
        format_binary_size(out, plan->limits.memory > 0 ? (uint64_t)plan->limits.memory : 0);
        buf_str(out, "); give it more with --memory BYTES");
    } else if (events->pids_max > 0) {
        buf_fmt(out, "it may have no more than %lld processes; allow more with --pids-limit N",
                (long long)plan->limits.pids);
    } else if (killed_by(status, SIGSYS)) {
        buf_str(out,
                "it made a system call that the filter kills for; allow it with --security-opt "
                "seccomp=FILE or seccomp=unconfined");
    } else if (plan->root_read_only && says(words, "Read-only file system", "EROFS")) {
        buf_str(out,
                "the root file system is read-only; give it a place to write with --tmpfs PATH "
                "or -v, or allow all with --read-only=false");
    } else if (strstr(words, "ping: ") && !(plan->granted & CAP_BIT_NET_RAW) &&
               (says(words, "Permission denied", "EACCES") ||
                says(words, "Operation not permitted", "EPERM"))) {
        buf_str(out, "this ping wants a raw socket; allow it with --user root --cap-add NET_RAW, or "
                     "take one that does without (iputils)");
    } else if (says(words, "Operation not permitted", "EPERM")) {
        if (plan->granted == 0)
            buf_str(out, "it has no capabilities and few system calls; allow what it needs with "
                         "--cap-add NAME, or try --level baseline");
        else
            buf_str(out, "a capability or a system call is missing; see caisson inspect, --cap-add "
                         "NAME and --security-opt seccomp=FILE");
    } else if (says(words, "Permission denied", "EACCES")) {
        buf_fmt(
            out,
            "it runs as user %u, not root, and files it wants belong to somebody else; choose the "
            "user with --user NAME, or try --level baseline",
            plan->uid);
    } else {
        return false;
    }
    return true;
}

void hint_print(const struct plan *plan, int wait_status, const struct cgroup_events *events,
                const struct relay_tail *tail, nanoseconds ran)
{
    bool restricted = streq(plan->posture.level, "restricted");
    if (events->oom_kills == 0 && (!restricted || ran > EARLY))
        return;
    autofree char *words = xstrndup(tail->bytes, tail->length);
    autobuf line = {0};
    buf_fmt(&line, "caisson: hint: ");
    if (!hint_for(plan, wait_status, events, words, &line))
        return;
    buf_char(&line, '\n');
    (void)write_all(STDERR_FILENO, line.data, line.len);
}
