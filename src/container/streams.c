/* SPDX-License-Identifier: Apache-2.0 */
#include "container/streams.h"

#include <fcntl.h>

#include "base/cleanup.h"

void streams_close(struct streams *s)
{
    for (int i = 0; i < 3; i++) {
        if (s->ours[i] >= 0)
            close(s->ours[i]);
        if (s->theirs[i] >= 0)
            close(s->theirs[i]);
        s->ours[i] = s->theirs[i] = -1;
    }
}

void streams_close_theirs(struct streams *s)
{
    for (int i = 0; i < 3; i++)
        if (s->theirs[i] >= 0)
            close(take_fd(&s->theirs[i]));
}

int streams_open(struct streams *s, bool terminal, bool with_stdin, struct error *err)
{
    int pair[2];
    if (terminal)
        return 0;
    for (int i = 0; i < 3; i++) {
        if (i == 0 && !with_stdin)
            continue;
        if (pipe2(pair, O_CLOEXEC) < 0)
            return error_errno(err, "cannot make the container's streams");
        s->ours[i] = pair[i == 0 ? 1 : 0];
        s->theirs[i] = pair[i == 0 ? 0 : 1];
    }
    return 0;
}
