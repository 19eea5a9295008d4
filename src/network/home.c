/* SPDX-License-Identifier: Apache-2.0 */
#include "network/home.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "network/networks_dir.h"

#define BACKLOG 128
#define PATIENCE_SECONDS 20 /* it is being made meanwhile */

void home_close(struct home *home)
{
    if (home->connection >= 0)
        close(home->connection);
    if (home->namespace >= 0)
        close(home->namespace);
    *home = (struct home)HOME_NONE;
}

int home_directory(int state, bool make, struct error *err)
{
    return networks_open(state, make, err);
}

int home_lock(int directory, struct error *err)
{
    autofd fd = openat(directory, HOME_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc = fd < 0 ? -errno : lock_fd(fd, LOCK_EX);
    return rc < 0 ? error_set(err, rc, "cannot lock your networks: %s", error_describe(rc))
                  : take_fd(&fd);
}

/* By descriptor: the state directory's path may be longer than a socket's name can be. */
static void socket_name(int directory, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d/" HOME_SOCKET, directory);
}

int home_listen(int directory, struct error *err)
{
    struct sockaddr_un name;
    socket_name(directory, &name);
    autofd fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || (unlinkat(directory, HOME_SOCKET, 0) < 0 && errno != ENOENT) ||
        fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&name, sizeof name) < 0 ||
        listen(fd, BACKLOG) < 0)
        return error_errno(err, "cannot make the socket of your networks");
    return take_fd(&fd);
}

int home_call(int directory, struct error *err)
{
    struct sockaddr_un name;
    struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
    socket_name(directory, &name);
    autofd fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0)
        return error_errno(err, "cannot make a socket");
    if (connect(fd, (struct sockaddr *)&name, sizeof name) == 0)
        return take_fd(&fd);
    return errno == ENOENT || errno == ECONNREFUSED
               ? -ENOTCONN
               : error_errno(err, "cannot reach the process that keeps your networks");
}

/* It may have ended since it was called: then there is none. */
int home_welcome(int connection, struct home *out, struct error *err)
{
    struct home home = HOME_NONE;
    char message[1 + sizeof home.silence] = "";
    size_t count = 0;
    ssize_t n = receive_fds(connection, message, sizeof message - 1, &home.namespace, 1, &count);
    if (n == 0 || n == -ECONNRESET)
        return -ENOTCONN;
    if (n < 0)
        return error_set(err, (int)n, "the process that keeps your networks does not answer: %s",
                         error_describe((int)n));
    if (message[0] == HOME_SORRY)
        return error_set(err, -ECHILD, "cannot make the place of your networks: %s", message + 1);
    if (count != 1 || (message[0] != HOME_HERE && message[0] != HOME_EMPTY)) {
        home_close(&home);
        return error_set(err, -EPROTO, "the process that keeps your networks says nothing known");
    }
    home.whole = message[0] == HOME_HERE;
    snprintf(home.silence, sizeof home.silence, "%s", message + 1);
    home.connection = connection;
    *out = home;
    return 0;
}

int home_connect(int directory, struct home *out, struct error *err)
{
    autofd fd = home_call(directory, err);
    int rc = fd < 0 ? fd : home_welcome(fd, out, err);
    if (rc == 0)
        (void)take_fd(&fd);
    return rc;
}

int home_say(int connection, enum home_word word, int fd, struct error *err)
{
    char said = (char)word, answer = 0;
    int rc = send_fds(connection, &said, 1, &fd, fd >= 0);
    ssize_t n = rc < 0 ? rc : recv(connection, &answer, 1, 0);
    if (n == 1 && answer == said)
        return 0;
    return error_set(err, -ECONNRESET, "the process that keeps your networks ended; try again");
}

int home_pasta(const char **path, struct error *err)
{
    static const char *const places[] = {"/usr/bin/pasta", "/bin/pasta", "/usr/local/bin/pasta",
                                         "/run/current-system/sw/bin/pasta"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (access(places[i], X_OK) == 0) {
            *path = places[i];
            return 0;
        }
    return error_set(err, -ENOENT,
                     "pasta is not installed: an ordinary user's networks need it; install the "
                     "package passt");
}
