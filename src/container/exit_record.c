/* SPDX-License-Identifier: Apache-2.0 */
#include "container/exit_record.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "container/numbers.h"

struct exit_record exit_record_of(int wait_status, nanoseconds finished)
{
    int signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
    return (struct exit_record){
        .code = signal ? 128 + signal : WEXITSTATUS(wait_status),
        .signal = signal,
        .finished = finished,
    };
}

int exit_record_write(int dirfd, int wait_status, nanoseconds finished)
{
    struct exit_record exit = exit_record_of(wait_status, finished);
    int64_t numbers[] = {exit.code, exit.signal, exit.finished};
    return numbers_write(dirfd, EXIT_RECORD_NAME, numbers, 3);
}

int exit_record_read(int dirfd, struct exit_record *out)
{
    int64_t numbers[3];
    int rc = numbers_read(dirfd, EXIT_RECORD_NAME, numbers, 3);
    if (rc < 0)
        return rc;
    if (numbers[0] < 0 || numbers[0] > 255 || numbers[1] < 0 || numbers[1] > 127)
        return -EINVAL;
    *out = (struct exit_record){(int)numbers[0], (int)numbers[1], numbers[2]};
    return 0;
}

int exit_record_remove(int dirfd)
{
    if (unlinkat(dirfd, EXIT_RECORD_NAME, 0) < 0 && errno != ENOENT)
        return -errno;
    return 0;
}
