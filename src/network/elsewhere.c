/* SPDX-License-Identifier: Apache-2.0 */
#include "network/elsewhere.h"

#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "network/netlink.h"

#define STACK_SIZE (256 << 10)

struct visit {
    int namespace; /* -1: a new one */
    int (*what)(void *closure);
    void *closure;
    int result;
};

static int go(void *argument)
{
    struct visit *v = argument;
    int rc = v->namespace < 0 ? unshare(CLONE_NEWNET) : setns(v->namespace, CLONE_NEWNET);
    v->result = rc < 0 ? -errno : v->what(v->closure);
    return 0;
}

/* The child has our memory, so no handler of ours may run in it. */
static int visit(struct visit *v)
{
    autofree char *stack = xmalloc(STACK_SIZE);
    char *top = stack + STACK_SIZE - ((uintptr_t)stack + STACK_SIZE) % 16;
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    v->result = -ECHILD; /* as long as nobody says otherwise: it may be killed */
    pid_t pid = clone(go, top, CLONE_VM | CLONE_VFORK | CLONE_FILES, v);
    int rc = pid < 0 ? -errno : 0;
    while (pid > 0 && waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
    sigprocmask(SIG_SETMASK, &before, NULL);
    return rc < 0 ? rc : v->result;
}

int elsewhere_do(int namespace, int (*what)(void *closure), void *closure)
{
    struct visit v = {.namespace = namespace, .what = what, .closure = closure};
    return namespace < 0 ? what(closure) : visit(&v);
}

struct wanted {
    int domain, type, protocol;
};

static int make_socket(void *closure)
{
    const struct wanted *w = closure;
    int fd = socket(w->domain, w->type | SOCK_CLOEXEC, w->protocol);
    return fd < 0 ? -errno : fd;
}

int elsewhere_socket(int namespace, int domain, int type, int protocol)
{
    struct wanted wanted = {domain, type, protocol};
    return elsewhere_do(namespace, make_socket, &wanted);
}

int elsewhere_netlink(int namespace, int protocol, struct error *err)
{
    int fd = elsewhere_socket(namespace, AF_NETLINK, SOCK_RAW, protocol);
    if (fd < 0)
        return error_set(err, fd, "cannot open a netlink socket: %s", error_describe(fd));
    netlink_prepare(fd, protocol);
    return fd;
}

int elsewhere_fresh_netlink(int protocol, struct error *err)
{
    struct wanted wanted = {AF_NETLINK, SOCK_RAW, protocol};
    struct visit v = {.namespace = -1, .what = make_socket, .closure = &wanted};
    int fd = visit(&v);
    if (fd < 0)
        return error_set(err, fd, "cannot make a network namespace: %s", error_describe(fd));
    netlink_prepare(fd, protocol);
    return fd;
}
