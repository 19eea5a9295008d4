/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock around our own programs: no file but what is open already and what is allowed here, no
 * TCP but the ports that are allowed, no abstract socket and no signal to anybody outside. The
 * fence of a container: runtime/landlock.h.
 *
 *   autofence fence = FENCE_NONE;
 *   rc = fence_begin(least, tcp, &fence);
 *   rc = fence_allow_beneath(&fence, fd, rights); …
 *   rc = fence_close(&fence);
 *
 * Where the kernel has no Landlock that serves, all of them do nothing. All are 0 or -errno,
 * without a sentence. By the numbers of the ABI: the distribution's headers may be older than the
 * kernel.
 */
#ifndef CAISSON_CONFINE_FENCE_H
#define CAISSON_CONFINE_FENCE_H

#include <stdbool.h>
#include <stdint.h>

#define FENCE_EXECUTE (1ull << 0)
#define FENCE_WRITE_FILE (1ull << 1)
#define FENCE_READ_FILE (1ull << 2)
#define FENCE_READ_DIRECTORY (1ull << 3)
#define FENCE_REMOVE_FILE (1ull << 5)
#define FENCE_MAKE_FILE (1ull << 8)
#define FENCE_MAKE_SOCKET (1ull << 9)
#define FENCE_MOVE (1ull << 13)
#define FENCE_TRUNCATE (1ull << 14)
#define FENCE_IOCTL (1ull << 15)
#define FENCE_ALL_FILES ((1ull << 16) - 1)

#define FENCE_TCP_BIND (1ull << 0)
#define FENCE_TCP_CONNECT (1ull << 1)

struct fence {
    int ruleset; /* -1: none */
    int abi;
};
#define FENCE_NONE                                                                                 \
    {                                                                                              \
        .ruleset = -1                                                                              \
    }

/* Watches over all of files, over `tcp` (a set of FENCE_TCP_*) and the rest, as far as the kernel
 * can. An older ABI than `least` is none. */
int fence_begin(int least, uint64_t tcp, struct fence *out);
/* `fd`: O_PATH is fine. Of a file that is no directory, only FENCE_READ_FILE and FENCE_WRITE_FILE
 * can be allowed. */
int fence_allow_beneath(const struct fence *fence, int fd, uint64_t rights);
int fence_allow_connect(const struct fence *fence, uint16_t port);
/* From here on it holds; no_new_privs must. */
int fence_close(const struct fence *fence);

static inline bool fence_stands(const struct fence *fence)
{
    return fence->ruleset >= 0;
}

void fence_free(struct fence *fence);
#define autofence __attribute__((cleanup(fence_free))) struct fence

#endif
