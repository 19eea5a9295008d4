/* SPDX-License-Identifier: Apache-2.0 */
#include "network/port_confine.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "confine/capabilities.h"
#include "confine/fence.h"
#include "network/port_seccomp.h"

#define NOBODY 65534 /* in the container, which has 65536 ids */

/* --- joined --- */

static bool same_namespace(int fd, const char *path)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

int port_join(int network, struct error *err)
{
    autofd users = ioctl(network, NS_GET_USERNS);
    if (users < 0)
        return error_errno(err, "cannot find the user namespace of the container's network");
    if (!same_namespace(users, "/proc/self/ns/user") && setns(users, CLONE_NEWUSER) < 0)
        return error_errno(err, "cannot join the container's user namespace");
    if (setns(network, CLONE_NEWNET) < 0)
        return error_errno(err, "cannot join the container's network");
    return 0;
}

/* --- powerless --- */

static int become_powerless(struct error *err)
{
    capabilities_drop_bounding();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return error_errno(err, "cannot set no_new_privs");
    if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) < 0)
        return error_errno(err, "cannot change to another user id");
    int rc = capabilities_set(1ull << CAP_NET_RAW);
    if (rc < 0)
        return error_set(err, rc, "cannot give up capabilities: %s", error_describe(rc));
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* changing ids may have made it so */
    return 0;
}

/* --- shut in --- */

/* Nothing to do where the kernel has no Landlock: the filter is the same fence. */
static int shut_in(const struct port_loop *loop, struct error *err)
{
    autofence fence = FENCE_NONE;
    int rc = fence_begin(1, FENCE_TCP_CONNECT, &fence);
    for (size_t i = 0; rc == 0 && i < loop->listener_count; i++)
        rc = fence_allow_connect(&fence, loop->listeners[i].socket.at.inner.number);
    if (rc == 0)
        rc = fence_close(&fence);
    if (rc < 0)
        return error_set(err, rc, "cannot confine caisson-port with Landlock: %s",
                         error_describe(rc));
    rc = port_seccomp();
    if (rc < 0)
        return error_set(err, rc, "cannot restrict the system calls of caisson-port: %s",
                         error_describe(rc));
    return 0;
}

int port_confine(const struct port_loop *loop, struct error *err)
{
    int rc = become_powerless(err);
    return rc < 0 ? rc : shut_in(loop, err);
}
