/* SPDX-License-Identifier: Apache-2.0 */
#include "confine/fence.h"

#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define VERSION 1u
#define RULE_BENEATH 1
#define RULE_PORT 2
#define SCOPES_ALL 3ull /* abstract sockets, signals */

#define ABI_MOVE 2
#define ABI_TRUNCATE 3
#define ABI_NETWORK 4
#define ABI_IOCTL 5
#define ABI_SCOPE 6

struct ruleset {
    uint64_t files, network, scopes;
};
struct beneath {
    uint64_t rights;
    int32_t fd;
} __attribute__((packed));
struct port {
    uint64_t rights, port;
};

/* What a kernel of this ABI can watch over files: all of it. */
static uint64_t file_rights(int abi)
{
    uint64_t rights = FENCE_ALL_FILES;
    if (abi < ABI_MOVE)
        rights &= ~FENCE_MOVE;
    if (abi < ABI_TRUNCATE)
        rights &= ~FENCE_TRUNCATE;
    if (abi < ABI_IOCTL)
        rights &= ~FENCE_IOCTL;
    return rights;
}

int fence_begin(int least, uint64_t tcp, struct fence *out)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, VERSION);
    if (abi < least)
        return 0;
    const struct ruleset wanted = {.files = file_rights(abi),
                                   .network = abi >= ABI_NETWORK ? tcp : 0,
                                   .scopes = abi >= ABI_SCOPE ? SCOPES_ALL : 0};
    /* Older kernels know a shorter structure. */
    size_t size = abi >= ABI_SCOPE     ? sizeof wanted
                  : abi >= ABI_NETWORK ? offsetof(struct ruleset, scopes)
                                       : offsetof(struct ruleset, network);
    int fd = (int)syscall(SYS_landlock_create_ruleset, &wanted, size, 0);
    if (fd < 0)
        return -errno;
    *out = (struct fence){.ruleset = fd, .abi = abi};
    return 0;
}

int fence_allow_beneath(const struct fence *fence, int fd, uint64_t rights)
{
    struct stat st;
    if (!fence_stands(fence))
        return 0;
    if (fstat(fd, &st) < 0)
        return -errno;
    struct beneath rule = {.rights = rights & file_rights(fence->abi), .fd = fd};
    if (!S_ISDIR(st.st_mode))
        rule.rights &= FENCE_READ_FILE | FENCE_WRITE_FILE;
    return syscall(SYS_landlock_add_rule, fence->ruleset, RULE_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

int fence_allow_connect(const struct fence *fence, uint16_t port)
{
    const struct port rule = {.rights = FENCE_TCP_CONNECT, .port = port};
    if (!fence_stands(fence) || fence->abi < ABI_NETWORK)
        return 0;
    return syscall(SYS_landlock_add_rule, fence->ruleset, RULE_PORT, &rule, 0) < 0 ? -errno : 0;
}

int fence_close(const struct fence *fence)
{
    if (!fence_stands(fence))
        return 0;
    return syscall(SYS_landlock_restrict_self, fence->ruleset, 0) < 0 ? -errno : 0;
}

void fence_free(struct fence *fence)
{
    cleanup_close(&fence->ruleset);
}
