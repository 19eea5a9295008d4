/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/confine.h"

#include <linux/capability.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "archive/confine_seccomp.h"
#include "base/cleanup.h"
#include "base/hash.h"

/* --- Landlock, from its own ABI page: the distribution's headers may be older than the kernel ---
 */

struct ruleset {
    uint64_t files, network, scopes;
};

struct beneath {
    uint64_t rights;
    int32_t fd;
} __attribute__((packed));

#define LANDLOCK_VERSION 1u
#define RULE_BENEATH 1
#define RIGHT_EXECUTE (1ull << 0)
#define RIGHT_READ_FILE (1ull << 2)
#define RIGHT_READ_DIRECTORY (1ull << 3)
#define RIGHT_MAKE_SOCKET (1ull << 9)
#define RIGHT_IOCTL (1ull << 15)
#define NETWORK_ALL 3ull /* bind and connect, TCP */
#define SCOPES_ALL 3ull  /* abstract sockets, signals */

/* What a kernel of this ABI can watch over files: all of it. */
static uint64_t file_rights(int abi)
{
    unsigned bits = abi >= 5 ? 16 : abi >= 3 ? 15 : 14;
    return (1ull << bits) - 1;
}

static int allow(int ruleset, const int *fds, size_t count, uint64_t rights, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct stat st;
        if (fstat(fds[i], &st) < 0)
            return error_errno(err, "cannot confine the worker");
        struct beneath rule = {.rights = rights, .fd = fds[i]};
        if (!S_ISDIR(st.st_mode))
            rule.rights &= RIGHT_READ_FILE;
        if (syscall(SYS_landlock_add_rule, ruleset, RULE_BENEATH, &rule, 0) < 0)
            return error_errno(err, "cannot confine the worker to its directories");
    }
    return 0;
}

/* 1 when it holds, 0 where the kernel has no Landlock that serves. */
static int confine_landlock(const struct confine_paths *allowed, struct error *err)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
    /* ABI 1 forbids all links and renames from one directory into another: no layer could be
     * unpacked. */
    if (abi < 2)
        return 0;
    struct ruleset attributes = {.files = file_rights(abi),
                                 .network = abi >= 4 ? NETWORK_ALL : 0,
                                 .scopes = abi >= 6 ? SCOPES_ALL : 0};
    size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    autofd ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
    if (ruleset < 0)
        return error_errno(err, "cannot make a Landlock ruleset");
    uint64_t write = attributes.files & ~(RIGHT_EXECUTE | RIGHT_MAKE_SOCKET | RIGHT_IOCTL);
    int rc = allow(ruleset, allowed->read_write, allowed->read_write_count, write, err);
    if (rc == 0)
        rc = allow(ruleset, allowed->read_only, allowed->read_only_count,
                   RIGHT_READ_FILE | RIGHT_READ_DIRECTORY, err);
    if (rc < 0)
        return rc;
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return error_errno(err, "cannot confine the worker with Landlock");
    return 1;
}

/* --- capabilities --- */

#define KEPT                                                                                       \
    (1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_FOWNER | 1ull << CAP_FSETID |      \
     1ull << CAP_MKNOD | 1ull << CAP_SETFCAP)

static int confine_capabilities(struct error *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0)
        return error_errno(err, "cannot read the worker's capabilities");
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    /* The bounding set only matters to execve(2), which is gone too; without CAP_SETPCAP it stays.
     */
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
        prctl(PR_CAPBSET_DROP, cap);
    for (int i = 0; i < 2; i++) {
        data[i].permitted &= (uint32_t)(KEPT >> (32 * i));
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0;
    }
    if (syscall(SYS_capset, &header, data) < 0)
        return error_errno(err, "cannot give up the worker's capabilities");
    return 0;
}

int worker_confine(const struct confine_paths *allowed, struct error *err)
{
    int stages = 0;
    char hex[SHA256_HEX];
    sha256_hex("", 0, hex); /* libcrypto reads its configuration now or never */
    if (unshare(CLONE_NEWNET) == 0)
        stages |= CONFINED_NETWORK;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(err, "cannot set no_new_privs");
    stages |= CONFINED_NO_NEW_PRIVS;
    int rc = confine_landlock(allowed, err);
    if (rc < 0)
        return rc;
    stages |= rc ? CONFINED_LANDLOCK : 0;
    rc = confine_capabilities(err);
    if (rc < 0)
        return rc;
    stages |= CONFINED_CAPABILITIES;
    rc = confine_seccomp(err);
    if (rc < 0 && rc != -EINVAL && rc != -EOPNOTSUPP && rc != -ENOSYS)
        return rc;
    if (rc == 0)
        stages |= CONFINED_SECCOMP;
    else if (err)
        *err = (struct error){0};
    return stages;
}

const char *confine_stage_name(enum confine_stage stage)
{
    switch (stage) {
    case CONFINED_NETWORK:
        return "network";
    case CONFINED_NO_NEW_PRIVS:
        return "no_new_privs";
    case CONFINED_LANDLOCK:
        return "landlock";
    case CONFINED_CAPABILITIES:
        return "capabilities";
    case CONFINED_SECCOMP:
        return "seccomp";
    }
    return NULL;
}
