/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-home: keeps an ordinary user's networks (network/home_keep.h).
 *
 *   caisson-home --state FD --listen FD STATE
 *
 * STATE is there for people who look at processes. It goes on in a process of its own, which
 * belongs to nobody.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "confine/capabilities.h"
#include "network/home_keep.h"
#include "runtime/systemd.h"

#define EXIT_USAGE 125

/* To enter the namespace and to administer it; the rest is what pasta, which has the same, holds on
 * to before it gives up nearly all. That it gets no more than we have lets it die with us. */
#define KEPT                                                                                       \
    (1ull << CAP_SYS_ADMIN | 1ull << CAP_NET_ADMIN | 1ull << CAP_NET_BIND_SERVICE |                \
     1ull << CAP_SETUID | 1ull << CAP_SETGID | 1ull << CAP_SETFCAP)

static int read_fd_word(const char *text, int *out)
{
    uint64_t number;
    if (parse_u64(text, INT_MAX, &number) < 0 || number < 3)
        return -EINVAL;
    *out = (int)number;
    return fcntl(*out, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
}

static int read_line(char *const *words, struct home_line *out)
{
    *out = (struct home_line){-1, -1};
    for (char *const *at = words + 1; at[0] && at[1]; at += 2) {
        int *fd = streq(*at, "--state")    ? &out->state
                  : streq(*at, "--listen") ? &out->listener
                                           : NULL;
        if (!fd || read_fd_word(at[1], fd) < 0)
            return -EINVAL;
    }
    return out->state < 0 || out->listener < 0 ? -EINVAL : 0;
}

/* Away from who started us: whatever happens to that does not concern other containers. Where
 * systemd manages groups, that is also the group of the first container: see
 * runtime/cgroup_delegate.c. */
static void become_independent(void)
{
    autofree char *name = xasprintf("caisson-networks-%d.scope", (int)getpid());
    const struct systemd_unit unit = {.manager = SYSTEMD_USER,
                                      .name = name,
                                      .slice = "app.slice",
                                      .description = "Networks of caisson's containers",
                                      .own = true};
    signal(SIGPIPE, SIG_IGN);
    (void)setsid();
    umask(077);
    (void)!chdir("/");
    (void)systemd_start(&unit, NULL, NULL);
    capabilities_bound(KEPT);
    (void)capabilities_set(KEPT);
}

int main(int argc, char **argv)
{
    struct home_line line;
    struct error err = {0};
    (void)argc;
    if (read_line(argv, &line) < 0)
        return EXIT_USAGE;
    pid_t pid = fork();
    if (pid != 0)
        return pid < 0 ? EXIT_USAGE : 0;
    become_independent();
    return home_keep(&line, &err) < 0 ? EXIT_USAGE : 0;
}
