/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/confine.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>

#include "archive/confine_seccomp.h"
#include "base/hash.h"
#include "confine/capabilities.h"
#include "confine/fence.h"

#define WRITE (FENCE_ALL_FILES & ~(FENCE_EXECUTE | FENCE_MAKE_SOCKET | FENCE_IOCTL))
#define READ (FENCE_READ_FILE | FENCE_READ_DIRECTORY)

/* ABI 1 forbids all links and renames from one directory into another: no layer could be unpacked.
 */
#define ABI_NEEDED 2

#define KEPT                                                                                       \
    (1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_FOWNER | 1ull << CAP_FSETID |      \
     1ull << CAP_MKNOD | 1ull << CAP_SETFCAP)

static int allow(const struct fence *fence, const int *fds, size_t count, uint64_t rights)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = fence_allow_beneath(fence, fds[i], rights);
    return rc;
}

/* 1 when it holds, 0 where the kernel has no Landlock that serves. */
static int confine_landlock(const struct confine_paths *allowed, struct error *err)
{
    autofence fence = FENCE_NONE;
    int rc = fence_begin(ABI_NEEDED, FENCE_TCP_BIND | FENCE_TCP_CONNECT, &fence);
    if (rc == 0)
        rc = allow(&fence, allowed->read_write, allowed->read_write_count, WRITE);
    if (rc == 0)
        rc = allow(&fence, allowed->read_only, allowed->read_only_count, READ);
    if (rc == 0)
        rc = fence_close(&fence);
    if (rc < 0)
        return error_set(err, rc, "cannot confine the worker with Landlock: %s",
                         error_describe(rc));
    return fence_stands(&fence);
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
    capabilities_drop_bounding();
    rc = capabilities_keep(KEPT);
    if (rc < 0)
        return error_set(err, rc, "cannot give up the worker's capabilities: %s",
                         error_describe(rc));
    stages |= CONFINED_CAPABILITIES;
    rc = confine_seccomp(err);
    return rc < 0 ? rc : rc ? stages | CONFINED_SECCOMP : stages;
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
