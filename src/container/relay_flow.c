/* SPDX-License-Identifier: Apache-2.0 */
#include "container/relay_flow.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/memory.h"

static void end_fd(int *fd, bool owned)
{
    int old = take_fd(fd);
    if (old >= 0 && owned)
        close(old);
}

bool flow_is_open(const struct flow *flow)
{
    return flow->from >= 0;
}

bool flow_holds(const struct flow *flow)
{
    return flow->to >= 0 && flow->end > flow->begin;
}

void flow_count_owed(struct flow *flow)
{
    int count;
    if (flow->from >= 0 && flow->to >= 0 && ioctl(flow->from, FIONREAD, &count) == 0)
        flow->owed = (size_t)count;
}

void flow_drop(struct flow *flow)
{
    end_fd(&flow->to, flow->owns_to);
    flow->begin = flow->end = flow->owed = 0;
    if (flow->to_container)
        end_fd(&flow->from, flow->owns_from);
}

void flow_close(struct flow *flow)
{
    end_fd(&flow->from, flow->owns_from);
    end_fd(&flow->to, flow->owns_to);
    free(flow->buffer);
    *flow = FLOW_NONE;
}

/* A pipe into the container is watched for its reader going away, so that we do not take input
 * that somebody else after us could still read. */
void flow_poll(const struct flow *flow, struct pollfd fds[FLOW_POLLS])
{
    bool holds = flow_holds(flow);
    fds[0] = (struct pollfd){.fd = holds ? -1 : flow->from, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = holds || (flow->to_container && flow->owns_to) ? flow->to : -1,
                             .events = holds ? POLLOUT : 0};
}

/* What a terminal takes at once cannot be known, so it is opened once more for ourselves, not to
 * block. Where that is not allowed (after su, say) its reader can make us wait. */
static void open_again(struct flow *flow)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", flow->to);
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return;
    end_fd(&flow->to, flow->owns_to);
    flow->to = fd;
    flow->owns_to = true;
}

/* Before the first write. */
static void look_at(struct flow *flow)
{
    struct stat st;
    flow->asked = true;
    if (fstat(flow->to, &st) < 0)
        return;
    flow->to_is_file = S_ISREG(st.st_mode);
    if (S_ISCHR(st.st_mode) && !flow->to_container)
        open_again(flow);
}

/* What surely fits: a pipe with room has room for a page. */
static void pass_on(struct flow *flow)
{
    if (!flow->asked)
        look_at(flow);
    do {
        size_t length = flow->end - flow->begin;
        if (!flow->to_is_file && length > PIPE_BUF)
            length = PIPE_BUF;
        ssize_t n = write(flow->to, flow->buffer + flow->begin, length);
        if (n > 0)
            flow->begin += (size_t)n;
        else if (n < 0 && errno != EAGAIN && errno != EINTR)
            flow_drop(flow);
        else
            return;
    } while (flow->to_is_file && flow_holds(flow));
}

static void keep_tail(struct relay_tail *tail, const char *bytes, size_t length)
{
    if (length >= RELAY_TAIL_MAX) {
        bytes += length - RELAY_TAIL_MAX;
        length = RELAY_TAIL_MAX;
    }
    size_t stay = tail->length;
    if (stay > RELAY_TAIL_MAX - length)
        stay = RELAY_TAIL_MAX - length;
    memmove(tail->bytes, tail->bytes + tail->length - stay, stay);
    memcpy(tail->bytes + stay, bytes, length);
    tail->length = stay + length;
}

void flow_feed(struct flow *flow, const char *bytes, size_t length)
{
    if (!flow->buffer)
        flow->buffer = xmalloc(FLOW_BUFFER);
    if (flow->tail)
        keep_tail(flow->tail, bytes, length);
    if (flow->to < 0 || length > FLOW_BUFFER)
        return; /* nobody wants it (and no message is that long) */
    memcpy(flow->buffer, bytes, length);
    flow->begin = 0;
    flow->end = length;
}

static void take_in(struct flow *flow)
{
    size_t before = flow->keys ? DETACH_KEYS_MAX : 0;
    if (!flow->buffer)
        flow->buffer = xmalloc(FLOW_BUFFER);
    ssize_t n = read(flow->from, flow->buffer + before, FLOW_BUFFER - before);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    flow->owed -= n > 0 && (size_t)n < flow->owed ? (size_t)n : flow->owed;
    if (n <= 0) { /* also EIO: nobody has the other side of a terminal open any more */
        end_fd(&flow->from, flow->owns_from);
        if (flow->to_container)
            end_fd(&flow->to, flow->owns_to);
        return;
    }
    if (flow->tail)
        keep_tail(flow->tail, flow->buffer, (size_t)n);
    flow->begin = 0;
    flow->end = flow->to >= 0 ? (size_t)n : 0;
    if (flow->keys && flow->to >= 0)
        flow->end = detach_keys_filter(flow->keys, flow->buffer + before, (size_t)n, flow->buffer,
                                       &flow->detach);
    if (flow->detach)
        end_fd(&flow->from, flow->owns_from);
}

void flow_move(struct flow *flow, const struct pollfd fds[FLOW_POLLS])
{
    if (fds[1].revents && flow_holds(flow))
        pass_on(flow);
    else if (fds[1].revents & (POLLERR | POLLNVAL))
        flow_drop(flow);
    if (fds[0].revents && flow->from >= 0)
        take_in(flow);
}
