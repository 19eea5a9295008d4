/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody who answers over D-Bus, as a test wants them to: a process behind a socket. */
#ifndef DBUS_KIT_H
#define DBUS_KIT_H

#include <stdint.h>
#include <sys/types.h>

#include "base/dbus.h"

struct peer {
    pid_t pid;
};

/* Listens at `path`, and has `play` talk to everybody who connects, one after the other, in a
 * process of its own that ends when `play` returns false. */
void peer_start(struct peer *peer, const char *path, bool (*play)(int fd));
/* The same with another user's credentials; only root can. */
void peer_start_as(struct peer *peer, const char *path, uid_t uid, bool (*play)(int fd));
void peer_end(struct peer *peer);

/* --- in the other process --- */

/* Until BEGIN, as a D-Bus server does. */
bool peer_welcome(int fd);
/* The next call: points into a static buffer. false: the caller is gone. */
bool peer_receive(int fd, struct dbus_message *call);
void peer_send(int fd, const struct buf *message);
/* `body`: NULL, or what `signature` says. */
void peer_answer(int fd, const struct dbus_message *call, const char *signature,
                 const struct buf *body);
void peer_answer_text(int fd, const struct dbus_message *call, const char *type, const char *text);
void peer_answer_error(int fd, const struct dbus_message *call, const char *name, const char *text);
/* The JobRemoved of systemd's manager. */
void peer_job_removed(int fd, const char *job, const char *unit, const char *result);

/* A whole message. Members that are NULL or 0 are left out. */
void peer_message(struct buf *out, const struct dbus_message *message);

#endif
