/* SPDX-License-Identifier: Apache-2.0 */
/* A connection: dbus.h says against what. */
#include "base/dbus.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/text.h"

#define BUS "org.freedesktop.DBus"
#define LINE_MAX_BYTES 512 /* of the authentication */
#define READ_BYTES 16384

void dbus_close(struct dbus *bus)
{
    if (bus->fd >= 0)
        close(take_fd(&bus->fd));
    buf_free(&bus->in);
}

/* --- bytes, in time ----------------------------------------------------------------------------
 */

static int silent(struct error *err)
{
    return error_set(err, -ETIMEDOUT, "no answer in time");
}

/* Until the socket can be read from, or written to. */
static int wait_for(const struct dbus *bus, short events, struct error *err)
{
    for (;;) {
        nanoseconds left = bus->deadline - clock_monotonic();
        if (left <= 0)
            return silent(err);
        struct pollfd p = {.fd = bus->fd, .events = events};
        struct timespec ts = {.tv_sec = left / NSEC_PER_SEC, .tv_nsec = left % NSEC_PER_SEC};
        int n = ppoll(&p, 1, &ts, NULL);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return error_errno(err, "cannot wait for an answer");
    }
}

static int send_bytes(const struct dbus *bus, const char *bytes, size_t length, struct error *err)
{
    while (length > 0) {
        ssize_t n = send(bus->fd, bytes, length, MSG_NOSIGNAL);
        if (n > 0) {
            bytes += n;
            length -= (size_t)n;
        } else if (errno == EAGAIN) {
            int rc = wait_for(bus, POLLOUT, err);
            if (rc < 0)
                return rc;
        } else if (errno != EINTR) {
            return error_errno(err, "cannot send");
        }
    }
    return 0;
}

/* Appends what has come to `in`, or waits for it. */
static int receive_some(struct dbus *bus, struct error *err)
{
    for (;;) {
        if (clock_monotonic() > bus->deadline) /* also for a peer who never stops to talk */
            return silent(err);
        ssize_t n = recv(bus->fd, buf_room(&bus->in, READ_BYTES), READ_BYTES, 0);
        if (n > 0) {
            bus->in.len += (size_t)n;
            return 0;
        }
        if (n == 0)
            return error_set(err, -ECONNRESET, "the connection was closed");
        if (errno == EAGAIN) {
            int rc = wait_for(bus, POLLIN, err);
            if (rc < 0)
                return rc;
        } else if (errno != EINTR) {
            return error_errno(err, "cannot receive");
        }
    }
}

static void drop_used(struct dbus *bus)
{
    if (bus->used == 0)
        return;
    bus->in.len -= bus->used;
    memmove(bus->in.data, bus->in.data + bus->used, bus->in.len);
    bus->used = 0;
}

/* The bytes of `in` from its beginning. */
static int have(struct dbus *bus, size_t count, struct error *err)
{
    while (bus->in.len < count) {
        int rc = receive_some(bus, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int receive(struct dbus *bus, struct dbus_message *out, struct error *err)
{
    size_t size = 0;
    drop_used(bus);
    int rc = have(bus, DBUS_HEAD, err);
    if (rc < 0)
        return rc;
    rc = dbus_measure((const unsigned char *)bus->in.data, &size);
    if (rc == -EMSGSIZE)
        return error_set(err, rc, "the answer is longer than %zu bytes", DBUS_MESSAGE_MAX);
    if (rc == 0)
        rc = have(bus, size, err);
    if (rc < 0 && rc != -EBADMSG)
        return rc;
    if (rc == 0)
        rc = dbus_parse((const unsigned char *)bus->in.data, size, out);
    if (rc < 0)
        return error_set(err, rc, "the answer is no D-Bus message");
    bus->used = size;
    return 0;
}

/* --- beginning ---------------------------------------------------------------------------------
 */

/* One line of the authentication, which has to begin with `word`. */
static int expect_line(struct dbus *bus, const char *word, struct error *err)
{
    char *end;
    drop_used(bus);
    while (!(end = bus->in.len ? memmem(bus->in.data, bus->in.len, "\r\n", 2) : NULL)) {
        if (bus->in.len > LINE_MAX_BYTES)
            return error_set(err, -EPROTO, "what answers does not speak D-Bus");
        int rc = receive_some(bus, err);
        if (rc < 0)
            return rc;
    }
    *end = '\0';
    bus->used = (size_t)(end - bus->in.data) + 2;
    if (starts_with(bus->in.data, "REJECTED"))
        return error_set(err, -EACCES, "it does not take us for who we are");
    if (!starts_with(bus->in.data, word))
        return error_set(err, -EPROTO, "what answers does not speak D-Bus");
    return 0;
}

static int authenticate(struct dbus *bus, struct error *err)
{
    /* A NUL that carries credentials; a mechanism without a name, which is asked for; the start. */
    static const char words[] = "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";
    int rc = send_bytes(bus, words, sizeof words - 1, err);
    if (rc == 0)
        rc = expect_line(bus, "DATA", err);
    if (rc == 0)
        rc = expect_line(bus, "OK ", err);
    return rc;
}

static int say_hello(struct dbus *bus, struct error *err)
{
    struct dbus_message answer;
    const struct dbus_method hello = {
        .destination = BUS, .path = "/org/freedesktop/DBus", .interface = BUS, .member = "Hello"};
    return dbus_call(bus, &hello, &answer, err);
}

/* A socket can be made by anybody who may write to its directory. */
static int check_peer(const struct dbus *bus, unsigned uid, struct error *err)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(bus->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return error_errno(err, "cannot tell who answers");
    if (peer.uid != uid && peer.uid != 0)
        return error_set(err, -EACCES, "its owner is user %u", peer.uid);
    return 0;
}

static int connect_to(struct dbus *bus, const char *path, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof address.sun_path)
        return error_set(err, -ENAMETOOLONG, "its path is too long for a socket");
    memcpy(address.sun_path, path, length + 1);
    bus->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bus->fd < 0)
        return error_errno(err, "cannot make a socket");
    /* A full backlog is EAGAIN: that somebody does not take connections is told, not waited for. */
    if (connect(bus->fd, (struct sockaddr *)&address, sizeof address) < 0)
        return error_errno(err, "cannot connect");
    return 0;
}

int dbus_open(const char *path, bool direct, unsigned uid, nanoseconds allowed, struct dbus *out,
              struct error *err)
{
    autodbus bus = {.fd = -1, .direct = direct, .deadline = clock_monotonic() + allowed};
    int rc = connect_to(&bus, path, err);
    if (rc == 0)
        rc = check_peer(&bus, uid, err);
    if (rc == 0)
        rc = authenticate(&bus, err);
    if (rc == 0 && !direct)
        rc = say_hello(&bus, err);
    if (rc < 0)
        return error_prefix(err, "%s", path);
    *out = bus;
    bus = (struct dbus)DBUS_NONE;
    return 0;
}

/* --- calls -------------------------------------------------------------------------------------
 */

/* An error's name and its sentence, which are somebody else's words. */
static int say_error(const struct dbus_message *answer, struct error *err)
{
    const char *text = "";
    autobuf shown = {0};
    if (*answer->signature == 's') {
        struct dbus_message first = *answer;
        first.signature = "s"; /* what follows the sentence is nothing to us */
        (void)dbus_read(&first, "s", &text);
    }
    buf_printable(&shown, *text ? text : answer->error);
    return error_set(err, -EREMOTEIO, "%.400s", buf_text(&shown));
}

int dbus_call(struct dbus *bus, const struct dbus_method *method, struct dbus_message *answer,
              struct error *err)
{
    autobuf out = {0};
    struct dbus_method direct = *method;
    uint32_t serial = ++bus->serial;
    if (bus->direct)
        direct.destination = NULL;
    dbus_put_call(&out, serial, &direct);
    int rc = send_bytes(bus, out.data, out.len, err);
    while (rc == 0) {
        rc = receive(bus, answer, err);
        if (rc < 0 || answer->answers != serial)
            continue;
        if (answer->type == DBUS_REPLY)
            return 0;
        if (answer->type == DBUS_ERROR)
            return say_error(answer, err);
    }
    return rc;
}

int dbus_wait_signal(struct dbus *bus, struct dbus_message *signal, struct error *err)
{
    for (;;) {
        int rc = receive(bus, signal, err);
        if (rc < 0 || signal->type == DBUS_SIGNAL)
            return rc;
    }
}
