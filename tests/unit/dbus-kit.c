/* SPDX-License-Identifier: Apache-2.0 */
#include "dbus-kit.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 4) < 0 ||
        chmod(path, 0666) < 0)
        abort();
    return fd;
}

void peer_start_as(struct peer *peer, const char *path, uid_t uid, bool (*play)(int fd))
{
    int ready[2];
    char byte;
    if (pipe2(ready, O_CLOEXEC) < 0)
        abort();
    peer->pid = fork();
    if (peer->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        if (uid != geteuid() && seteuid(uid) < 0)
            abort();
        int fd = listen_at(path);
        if (write(ready[1], "r", 1) != 1)
            abort();
        for (bool more = true; more;) {
            autofd client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
            more = client >= 0 && play(client);
        }
        _exit(0);
    }
    close(ready[1]);
    if (peer->pid < 0 || read_full(ready[0], &byte, 1) != 1)
        abort();
    close(ready[0]);
}

void peer_start(struct peer *peer, const char *path, bool (*play)(int fd))
{
    peer_start_as(peer, path, geteuid(), play);
}

void peer_end(struct peer *peer)
{
    kill(peer->pid, SIGKILL);
    while (waitpid(peer->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

bool peer_welcome(int fd)
{
    static const char answers[] = "DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n";
    char text[256];
    size_t length = 0;
    while (length < 7 || memcmp(text + length - 7, "BEGIN\r\n", 7) != 0)
        if (length == sizeof text || read(fd, text + length++, 1) != 1)
            return false;
    return write_all(fd, answers, sizeof answers - 1) == 0;
}

bool peer_receive(int fd, struct dbus_message *call)
{
    static unsigned char bytes[65536];
    size_t size = 0;
    return read_full(fd, bytes, DBUS_HEAD) == DBUS_HEAD && dbus_measure(bytes, &size) == 0 &&
           size <= sizeof bytes &&
           read_full(fd, bytes + DBUS_HEAD, size - DBUS_HEAD) == (ssize_t)(size - DBUS_HEAD) &&
           dbus_parse(bytes, size, call) == 0;
}

void peer_send(int fd, const struct buf *message)
{
    (void)write_all(fd, message->data, message->len);
}

static void field(struct buf *out, unsigned char code, const char *type, const char *text)
{
    if (!text || !*text)
        return;
    dbus_begin_struct(out);
    buf_char(out, (char)code);
    dbus_put_signature(out, type);
    if (*type == 'g')
        dbus_put_signature(out, text);
    else
        dbus_put_string(out, text);
}

void peer_message(struct buf *out, const struct dbus_message *m)
{
    const char head[] = {__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 'l' : 'B', (char)m->type, 0,
                         1};
    autobuf message = {0};
    buf_add(&message, head, sizeof head);
    dbus_put_u32(&message, (uint32_t)m->body_size);
    dbus_put_u32(&message, m->serial);
    struct dbus_array fields = dbus_begin_array(&message, 8);
    field(&message, 1, "o", m->path);
    field(&message, 2, "s", m->interface);
    field(&message, 3, "s", m->member);
    field(&message, 4, "s", m->error);
    if (m->answers) {
        dbus_begin_struct(&message);
        buf_char(&message, 5);
        dbus_put_signature(&message, "u");
        dbus_put_u32(&message, m->answers);
    }
    field(&message, 7, "s", ":1.1");
    field(&message, 8, "g", m->signature);
    dbus_end_array(&message, fields);
    dbus_begin_struct(&message); /* padding */
    buf_add(&message, m->body, m->body_size);
    buf_add(out, message.data, message.len);
}

void peer_answer(int fd, const struct dbus_message *call, const char *signature,
                 const struct buf *body)
{
    autobuf out = {0};
    peer_message(&out,
                 &(struct dbus_message){.type = DBUS_REPLY,
                                        .serial = 7,
                                        .answers = call->serial,
                                        .signature = signature,
                                        .body = (const unsigned char *)(body ? body->data : ""),
                                        .body_size = body ? body->len : 0});
    peer_send(fd, &out);
}

void peer_answer_text(int fd, const struct dbus_message *call, const char *type, const char *text)
{
    autobuf body = {0};
    if (*type == 'v')
        dbus_put_signature(&body, "s");
    dbus_put_string(&body, text);
    peer_answer(fd, call, type, &body);
}

void peer_answer_error(int fd, const struct dbus_message *call, const char *name, const char *text)
{
    autobuf out = {0}, body = {0};
    dbus_put_string(&body, text);
    peer_message(&out, &(struct dbus_message){.type = DBUS_ERROR,
                                              .serial = 7,
                                              .answers = call->serial,
                                              .error = name,
                                              .signature = "s",
                                              .body = (const unsigned char *)body.data,
                                              .body_size = body.len});
    peer_send(fd, &out);
}

void peer_job_removed(int fd, const char *job, const char *unit, const char *result)
{
    autobuf out = {0}, body = {0};
    dbus_put_u32(&body, 12);
    dbus_put_string(&body, job);
    dbus_put_string(&body, unit);
    dbus_put_string(&body, result);
    peer_message(&out, &(struct dbus_message){.type = DBUS_SIGNAL,
                                              .serial = 8,
                                              .path = "/org/freedesktop/systemd1",
                                              .interface = "org.freedesktop.systemd1.Manager",
                                              .member = "JobRemoved",
                                              .signature = "uoss",
                                              .body = (const unsigned char *)body.data,
                                              .body_size = body.len});
    peer_send(fd, &out);
}
