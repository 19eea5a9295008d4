/* SPDX-License-Identifier: Apache-2.0 */
#include "container/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <strings.h>

#include "base/text.h"

/* Of the kernel; the C library keeps some real-time signals below its own SIGRTMIN for itself. */
#define LAST_SIGNAL 64

static int real_time(const char *name, int *number)
{
    uint64_t distance = 0;
    bool from_low = strncasecmp(name, "RTMIN", 5) == 0;
    if (!from_low && strncasecmp(name, "RTMAX", 5) != 0)
        return -EINVAL;
    const char *rest = name + 5;
    if (*rest && (*rest != (from_low ? '+' : '-') || parse_u64(rest + 1, 30, &distance) < 0))
        return -EINVAL;
    int value = from_low ? SIGRTMIN + (int)distance : SIGRTMAX - (int)distance;
    if (value < SIGRTMIN || value > SIGRTMAX)
        return -EINVAL;
    *number = value;
    return 0;
}

int signal_number(const char *text, int *number)
{
    uint64_t value;
    if (parse_u64(text, LAST_SIGNAL, &value) == 0 && value > 0) {
        *number = (int)value;
        return 0;
    }
    const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
    for (int i = 1; i < NSIG; i++) {
        const char *known = sigabbrev_np(i);
        if (known && strcasecmp(known, name) == 0) {
            *number = i;
            return 0;
        }
    }
    return real_time(name, number);
}
