/* SPDX-License-Identifier: Apache-2.0 */
/* What is handed to whoever called `create`: the terminal's master, the number of the process. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "lifecycle/life.h"

int unix_connect(const char *path, const char *what, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    /* Longer paths than an address takes go by a descriptor of the socket itself. */
    autofd there = open(path, O_PATH | O_CLOEXEC);
    autofd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (there < 0 || fd < 0)
        return error_errno(err, "%s %s", what, path);
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", there);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return error_errno(err, "%s %s: cannot connect", what, path);
    return take_fd(&fd);
}

int console_connect(const char *path, struct error *err)
{
    return unix_connect(path, "--console-socket", err);
}

int console_send(int socket, int master, struct error *err)
{
    static const char name[] = "/dev/ptmx"; /* receivers want a byte at least, and show it */
    int rc = send_fds(socket, name, sizeof name - 1, &master, 1);
    return rc < 0 ? error_set(err, rc, "--console-socket: cannot send the terminal: %s",
                              error_describe(rc))
                  : 0;
}

int write_pid_file(const char *path, pid_t pid, struct error *err)
{
    char text[16];
    autofree char *folder = xstrdup(path);
    char *slash = strrchr(folder, '/');
    const char *name = slash ? path + (slash - folder) + 1 : path;
    if (slash)
        *slash = '\0';
    autofd dir = open(!slash ? "." : *folder ? folder : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || !*name)
        return error_set(err, dir < 0 ? -errno : -EINVAL, "--pid-file %s: cannot write there: %s",
                         path, error_describe(dir < 0 ? errno : EINVAL));
    int length = snprintf(text, sizeof text, "%d", (int)pid);
    int rc = write_file_at(dir, name, text, (size_t)length, 0644, VOLATILE, err);
    return rc < 0 ? error_prefix(err, "--pid-file") : 0;
}
