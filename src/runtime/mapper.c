/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/mapper.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

_Noreturn void mapper_execute(const struct strv *words)
{
    static const char *const places[] = {"/usr/bin", "/bin",      "/usr/local/bin",
                                         "/sbin",    "/usr/sbin", "/run/wrappers/bin"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char path[64];
        snprintf(path, sizeof path, "%s/%s", places[i], words->items[0]);
        execv(path, words->items);
    }
    _exit(127);
}

int mapper_end(pid_t pid, const char *program, struct error *err)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return error_errno(err, "cannot wait for %s", program);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return error_set(err, -ENOENT,
                         "%s is not installed: an ordinary user's containers need it; install the "
                         "package uidmap",
                         program);
    return error_set(err, -EPERM,
                     "%s refused the ids: they have to be among those of /etc/subuid and "
                     "/etc/subgid; it has said why",
                     program);
}
