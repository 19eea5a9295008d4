/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of D-Bus as asking systemd takes: a connection over a unix socket, method calls with one
 * answer each, and signals waited for.
 *
 * Against what: whoever answers may be anybody's program (an ordinary user's bus is theirs), and
 * what it says is parsed in this process. A message is at most DBUS_MESSAGE_MAX bytes, is received
 * whole and checked before any of it is used; strings in it are whole, end where they say and hold
 * no NUL; a body is read only by the signature that is expected. Descriptors are not taken: what
 * comes with a message is dropped by the kernel. All of a connection has one deadline.
 *
 * The wire is that of the D-Bus specification: "Message Protocol" and "Authentication Protocol",
 * mechanism EXTERNAL without a name, so that the peer goes by the credentials of the socket, which
 * are right also where we are in a user namespace. Only messages in the machine's own byte order
 * are taken, which is what everybody on it sends.
 *
 * Owns no state but the connection.
 */
#ifndef CAISSON_BASE_DBUS_H
#define CAISSON_BASE_DBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"

#define DBUS_MESSAGE_MAX ((size_t)1 << 20)
#define DBUS_HEAD 16 /* bytes that tell how long a message is */

/* --- dbus_wire.c: bytes ----------------------------------------------------------------------- */

enum dbus_type { DBUS_CALL = 1, DBUS_REPLY = 2, DBUS_ERROR = 3, DBUS_SIGNAL = 4 };

/* What was received; everything points into the bytes that it was parsed from. */
struct dbus_message {
    enum dbus_type type;
    uint32_t serial;
    uint32_t answers;      /* the serial of the call; 0: of none */
    const char *path;      /* NULL, as the next: not said */
    const char *interface; /* of signals */
    const char *member;
    const char *error;     /* the name of the error that was answered */
    const char *signature; /* "" when there is no body */
    const unsigned char *body;
    size_t body_size;
};

/* The whole length of the message that begins with these DBUS_HEAD bytes. -EBADMSG: none does;
 * -EMSGSIZE: longer than DBUS_MESSAGE_MAX. */
int dbus_measure(const unsigned char *head, size_t *size);
/* A whole message of that length. -EBADMSG. */
int dbus_parse(const unsigned char *bytes, size_t size, struct dbus_message *out);

/* Reads a body from its beginning: a step for each letter of `signature`, which has to be the
 * message's own. 'u' wants a uint32_t *, 's' and 'o' a const char **, and 'v' a const char ** for a
 * variant that holds a string. -EBADMSG. */
int dbus_read(const struct dbus_message *message, const char *signature, ...);

/* Bodies that are sent. Alignment counts from the beginning of `body`, so it holds nothing else. */
void dbus_put_u32(struct buf *body, uint32_t value);
void dbus_put_u64(struct buf *body, uint64_t value);
void dbus_put_bool(struct buf *body, bool value);
void dbus_put_string(struct buf *body, const char *text); /* or an object path */
void dbus_put_signature(struct buf *body, const char *signature);
/* An array of what is aligned to `alignment` bytes (8: structures); between the two calls its
 * elements are put. */
struct dbus_array {
    size_t length_at, from;
};
struct dbus_array dbus_begin_array(struct buf *body, size_t alignment);
void dbus_end_array(struct buf *body, struct dbus_array array);
void dbus_begin_struct(struct buf *body);

/* What is called. */
struct dbus_method {
    const char *destination; /* left out where nothing lies between */
    const char *path, *interface, *member;
    const char *signature; /* of `body`; NULL: no body */
    const struct buf *body;
};
/* The whole message. */
void dbus_put_call(struct buf *out, uint32_t serial, const struct dbus_method *method);

/* --- dbus.c: a connection --------------------------------------------------------------------- */

struct dbus {
    int fd;
    bool direct; /* the peer itself and no bus: nobody else to name */
    uint32_t serial;
    nanoseconds deadline; /* CLOCK_MONOTONIC */
    struct buf in;        /* the message received last, and what came behind it */
    size_t used;          /* bytes of `in` that the last message was */
};
#define DBUS_NONE                                                                                  \
    {                                                                                              \
        .fd = -1                                                                                   \
    }
#define autodbus __attribute__((cleanup(dbus_close))) struct dbus

/* Connects to the socket at `path` and, when it is a bus, says Hello. All that is done with the
 * connection has to be over after `allowed`. A peer who is neither `uid` nor root is refused.
 * -ENOENT, -ECONNREFUSED: nobody is there; -EACCES: not for us; -EPROTO: no D-Bus; -ETIMEDOUT. */
int dbus_open(const char *path, bool direct, unsigned uid, nanoseconds allowed, struct dbus *out,
              struct error *err);
void dbus_close(struct dbus *bus);
/* Calls and waits for the answer; signals meanwhile are dropped. -EREMOTEIO: the answer is an error
 * (answer->error is its name), and the sentence is what it says. `answer` is good until the next
 * message. */
int dbus_call(struct dbus *bus, const struct dbus_method *method, struct dbus_message *answer,
              struct error *err);
/* The next signal. */
int dbus_wait_signal(struct dbus *bus, struct dbus_message *signal, struct error *err);

#endif
