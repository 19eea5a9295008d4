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
#include <sys/syscall.h>

#include "base/cleanup.h"
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
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    data[0].permitted = data[0].effective = 1u << CAP_NET_RAW;
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
        (void)prctl(PR_CAPBSET_DROP, cap);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return error_errno(err, "cannot set no_new_privs");
    if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) < 0)
        return error_errno(err, "cannot change to another user id");
    if (syscall(SYS_capset, &header, data) < 0)
        return error_errno(err, "cannot give up capabilities");
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* changing ids may have made it so */
    return 0;
}

/* --- shut in: Landlock, from its own ABI page --- */

struct ruleset {
    uint64_t files, network, scopes;
};

struct to_port {
    uint64_t rights, port;
} __attribute__((packed));

#define LANDLOCK_VERSION 1u
#define RULE_PORT 2
#define CONNECT 2ull
#define SCOPES_ALL 3ull

static uint64_t file_rights(int abi)
{
    unsigned bits = abi >= 5 ? 16 : abi >= 3 ? 15 : abi >= 2 ? 14 : 13;
    return (1ull << bits) - 1;
}

/* Nothing to do where the kernel has no Landlock: the filter is the same fence. */
static int shut_in(const struct port_loop *loop, struct error *err)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
    if (abi < 1)
        return 0;
    struct ruleset attributes = {.files = file_rights(abi),
                                 .network = abi >= 4 ? CONNECT : 0,
                                 .scopes = abi >= 6 ? SCOPES_ALL : 0};
    size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    autofd ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
    if (ruleset < 0)
        return error_errno(err, "cannot make a Landlock ruleset");
    for (size_t i = 0; abi >= 4 && i < loop->listener_count; i++) {
        struct to_port rule = {CONNECT, loop->listeners[i].socket.at.inner.number};
        if (syscall(SYS_landlock_add_rule, ruleset, RULE_PORT, &rule, 0) < 0)
            return error_errno(err, "cannot name the container's ports to Landlock");
    }
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return error_errno(err, "cannot close the file system with Landlock");
    return 0;
}

int port_confine(const struct port_loop *loop, struct error *err)
{
    int rc = become_powerless(err);
    if (rc == 0)
        rc = shut_in(loop, err);
    return rc < 0 ? rc : port_seccomp(err);
}
