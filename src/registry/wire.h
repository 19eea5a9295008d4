/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program that wants something of a registry and caisson-registry say to each other, over
 * one end each of a stream socket (a lane): frames of a kind and a length, in the machine's order
 * of bytes, for both are on one machine.
 *
 *   question   WIRE_HEAD; with "body yes" in it, WIRE_BODY frames and WIRE_END
 *   answer     WIRE_HEAD, WIRE_BODY frames, WIRE_END; or, instead of any of these, WIRE_ERROR
 *
 * Heads are lines "KEY VALUE". Either side takes the other for hostile: lengths are bounded before
 * anything is read.
 */
#ifndef CAISSON_REGISTRY_WIRE_H
#define CAISSON_REGISTRY_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

#define WIRE_TEXT_MAX (64u << 10)  /* bytes of a head or an error */
#define WIRE_BODY_MAX (512u << 10) /* bytes of a piece of a body */
#define WIRE_LANES_MAX 16
#define WIRE_SETTINGS_MAX (1u << 20)

enum wire_kind { WIRE_HEAD = 1, WIRE_BODY, WIRE_END, WIRE_ERROR };

struct wire_frame {
    uint32_t kind, length; /* bytes that follow */
};

/* 0 or -errno; -EPIPE when nobody is there any more (SIGPIPE is the caller's to ignore). */
int wire_send(int lane, enum wire_kind kind, const void *bytes, size_t length);
/* Only what says what follows. -EPIPE: the other side has ended; -EPROTO: that is no frame. */
int wire_receive(int lane, struct wire_frame *out);
/* A frame of a head or an error as text; what has NUL bytes is -EPROTO. */
int wire_text(int lane, const struct wire_frame *frame, struct buf *out);
/* Takes the next line off: *key and *value (maybe "") point into it. False at the end. */
bool wire_line(char **text, char **key, char **value);
/* Appends "KEY VALUE\n"; a value with a line break in it is left out, and false. */
bool wire_add(struct buf *out, const char *key, const char *value);

#endif
