/* SPDX-License-Identifier: Apache-2.0 */
#include "container/attach.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "container/container.h"
#include "container/relay.h"

void attachment_close(struct attachment *attachment)
{
    int *fds[] = {&attachment->socket, &attachment->terminal, &attachment->in};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (*fds[i] >= 0)
            close(take_fd(fds[i]));
}

/* By descriptor: the state directory's path may be longer than a socket's name can be. */
static void socket_name(const struct container *c, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d/%s", c->state, ATTACH_NAME);
}

int attach_listen(const struct container *c, struct error *err)
{
    struct sockaddr_un name;
    socket_name(c, &name);
    autofd fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || (unlinkat(c->state, ATTACH_NAME, 0) < 0 && errno != ENOENT) ||
        fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&name, sizeof name) < 0 ||
        listen(fd, ATTACH_CLIENTS) < 0)
        return error_errno(err, "cannot make the socket to attach to container %s", c->plan.name);
    return take_fd(&fd);
}

int attach_welcome(struct attachment *out, struct error *err)
{
    char message[2] = "";
    size_t count = 0;
    int fd = -1;
    ssize_t n = receive_fds(out->socket, message, sizeof message, &fd, 1, &count);
    if (count == 1 && message[0] == ATTACH_HELLO && message[1] == 't')
        out->terminal = fd;
    else if (count == 1)
        out->in = fd;
    if (n > 0 && message[0] == ATTACH_FULL)
        return error_set(err, -EUSERS, "%d are attached to it already, and no more can be",
                         ATTACH_CLIENTS);
    if (n != 2 || message[0] != ATTACH_HELLO)
        return error_set(err, -ECONNRESET, "the container ended, or its monitor is gone");
    return 0;
}

int attach_connect(const struct container *c, struct attachment *out, struct error *err)
{
    struct sockaddr_un name;
    struct attachment a = ATTACHMENT_NONE;
    socket_name(c, &name);
    a.socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (a.socket < 0)
        return error_errno(err, "cannot make a socket");
    int rc = connect(a.socket, (struct sockaddr *)&name, sizeof name) < 0 ? -errno : 0;
    if (rc == -ENOENT)
        rc = error_set(err, -ENOTCONN,
                       "cannot attach to container %s: it runs with --rm in the foreground of "
                       "process %d, which has its streams to itself",
                       c->plan.name, (int)c->status.monitor);
    else if (rc < 0)
        error_set(err, rc, "cannot attach to container %s: %s", c->plan.name,
                  rc == -ECONNREFUSED ? "its monitor is gone" : error_describe(rc));
    else if ((rc = attach_welcome(&a, err)) < 0)
        error_prefix(err, "cannot attach to container %s", c->plan.name);
    if (rc < 0)
        attachment_close(&a);
    else
        *out = a;
    return rc;
}

static void leave(const struct attachment *a)
{
    char word = ATTACH_LEAVE;
    (void)send(a->socket, &word, 1, MSG_NOSIGNAL);
}

int attach_session(struct container *c, struct attachment *a, const struct attach_options *options,
                   int *wait_status, struct error *err)
{
    /* It may have ended already; then there is only its output left. */
    autofd pidfd = container_pidfd(c, NULL);
    struct relay relay = {
        .pid = c->status.pid,
        .pidfd = pidfd,
        .attach = a->socket,
        .out = -1,
        .err = -1,
        .in = options->interactive ? take_fd(&a->in) : -1,
        .terminal = take_fd(&a->terminal),
        .stdin_too = options->interactive,
        .sig_proxy = options->sig_proxy,
        .no_out = options->no_out,
        .no_err = options->no_err,
        .redraw = options->redraw,
        .keys = options->keys,
        .tail = options->tail,
    };
    int rc = relay_run(&relay, wait_status, err);
    if (rc != RELAY_DETACHED)
        return rc;
    close(relay.terminal);
    leave(a);
    return rc;
}

int container_attach(struct container *c, const struct attach_options *options, int *exit_code,
                     struct error *err)
{
    autoattachment a = ATTACHMENT_NONE;
    sigset_t signals;
    int status = 0;
    *exit_code = 1;
    if (c->now == CONTAINER_PAUSED)
        return error_set(err, -EBUSY, "container %s is paused; unpause it first", c->plan.name);
    if (c->now != CONTAINER_RUNNING)
        return error_set(err, -ESRCH,
                         "container %s is not running; start it with: caisson start -a %s",
                         c->plan.name, c->plan.name);
    int rc = attach_connect(c, &a, err);
    if (rc < 0)
        return rc;
    relay_signals_block(options->sig_proxy, &signals);
    rc = attach_session(c, &a, options, &status, err);
    relay_signals_restore(&signals);
    if (rc == -ECONNRESET && container_refresh(c, NULL) == 0 && c->now != CONTAINER_DEAD &&
        !container_unwatched(c)) /* the monitor lives, or saw the end */
        return error_set(err, rc,
                         "cut off after %d seconds in which nothing was taken of what container %s "
                         "prints; caisson logs %s has all of it",
                         ATTACH_PATIENCE_SECONDS, c->plan.name, c->plan.name);
    if (rc < 0)
        return rc;
    *exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return rc;
}
