/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/wire.h"

#include <string.h>
#include <sys/uio.h>

#include "base/io.h"

int wire_send(int lane, enum wire_kind kind, const void *bytes, size_t length)
{
    struct wire_frame frame = {.kind = kind, .length = (uint32_t)length};
    struct iovec parts[2] = {{.iov_base = &frame, .iov_len = sizeof frame},
                             {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length}};
    size_t whole = sizeof frame + length, done;
    ssize_t n;
    do
        n = writev(lane, parts, length > 0 ? 2 : 1);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    done = (size_t)n;
    if (done == whole)
        return 0;
    if (done < sizeof frame) {
        int rc = write_all(lane, (const char *)&frame + done, sizeof frame - done);
        return rc < 0 ? rc : write_all(lane, bytes, length);
    }
    done -= sizeof frame;
    return write_all(lane, (const char *)bytes + done, length - done);
}

int wire_receive(int lane, struct wire_frame *out)
{
    ssize_t n = read_full(lane, out, sizeof *out);
    if (n < 0)
        return n == -ECONNRESET ? -EPIPE : (int)n;
    if (n == 0)
        return -EPIPE;
    if (n != sizeof *out)
        return -EPROTO;
    switch (out->kind) {
    case WIRE_HEAD:
    case WIRE_ERROR:
        return out->length <= WIRE_TEXT_MAX ? 0 : -EPROTO;
    case WIRE_BODY:
        return out->length <= WIRE_BODY_MAX ? 0 : -EPROTO;
    case WIRE_END:
        return out->length == 0 ? 0 : -EPROTO;
    default:
        return -EPROTO;
    }
}

int wire_text(int lane, const struct wire_frame *frame, struct buf *out)
{
    char *room = buf_room(out, frame->length);
    ssize_t n = read_full(lane, room, frame->length);
    if (n < 0)
        return (int)n;
    if ((size_t)n != frame->length || memchr(room, '\0', frame->length))
        return -EPROTO;
    out->len += frame->length;
    out->data[out->len] = '\0';
    return 0;
}

bool wire_line(char **text, char **key, char **value)
{
    char *line = *text;
    if (!*line)
        return false;
    size_t length = strcspn(line, "\n");
    *text = line + length + (line[length] == '\n');
    line[length] = '\0';
    *key = line;
    *value = line + strcspn(line, " ");
    if (**value)
        *(*value)++ = '\0';
    return true;
}

bool wire_add(struct buf *out, const char *key, const char *value)
{
    if (strpbrk(value, "\r\n"))
        return false;
    buf_fmt(out, "%s %s\n", key, value);
    return true;
}
