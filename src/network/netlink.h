/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Netlink: requests written as bytes, sent together, and their answers. netlink(7), rtnetlink(7).
 *
 * A batch is filled message by message and handed over in one send(2). The kernel answers each
 * message that asks for it; the first answer that says no becomes the error, with the kernel's own
 * words where it gave some (extended acknowledgements). For nf_tables a batch between
 * nl_transaction_begin() and _end() is carried out whole or not at all.
 *
 * The static programs cannot link libmnl where the distribution has no archive of it; what is here
 * is the part of it that is needed.
 */
#ifndef CAISSON_NETWORK_NETLINK_H
#define CAISSON_NETWORK_NETLINK_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/* A socket of NETLINK_ROUTE or NETLINK_NETFILTER in this process's network namespace. The
 * descriptor or a negative errno. */
int netlink_open(int protocol, struct error *err);
/* For one that was made otherwise: better messages and stricter checks, where the kernel has them.
 */
void netlink_prepare(int fd, int protocol);

struct netlink_batch {
    struct buf bytes;
    size_t message; /* where the message that is being written begins */
    uint32_t count; /* messages so far: the sequence number of the next one */
};

void netlink_batch_free(struct netlink_batch *b);
#define autobatch __attribute__((cleanup(netlink_batch_free))) struct netlink_batch

/* Begins a message. `flags`: NLM_F_*; NLM_F_REQUEST and NLM_F_ACK are added. `header`: the fixed
 * part of its family, such as struct ifinfomsg. Ends the one before. */
void nl_begin(struct netlink_batch *b, uint16_t type, uint16_t flags, const void *header,
              size_t size);
/* Without an acknowledgement: for the marks around a transaction. */
void nl_begin_silent(struct netlink_batch *b, uint16_t type, uint16_t flags, const void *header,
                     size_t size);

void nl_put(struct netlink_batch *b, uint16_t type, const void *value, size_t size);
void nl_put_u8(struct netlink_batch *b, uint16_t type, uint8_t value);
void nl_put_u16(struct netlink_batch *b, uint16_t type, uint16_t value);
void nl_put_u32(struct netlink_batch *b, uint16_t type, uint32_t value);
/* In network byte order, as netfilter wants all its numbers. */
void nl_put_be32(struct netlink_batch *b, uint16_t type, uint32_t value);
void nl_put_be64(struct netlink_batch *b, uint16_t type, uint64_t value);
/* With its final NUL. */
void nl_put_string(struct netlink_batch *b, uint16_t type, const char *text);
/* Begins an attribute that holds others; nl_end() with what it returned ends it. */
size_t nl_nest(struct netlink_batch *b, uint16_t type);
void nl_end(struct netlink_batch *b, size_t nest);

/* Sends the batch and reads all its answers. 0, or what the first message that failed says: a
 * negative errno, with the kernel's words in `err`. `failed`: its number, from 0; or NULL. */
int nl_send(int fd, struct netlink_batch *b, uint32_t *failed, struct error *err);

/* One answer to a question. Something other than 0 ends the reading and is returned. */
typedef int nl_each(const struct nlmsghdr *message, void *closure);
/* Sends the batch, one message with NLM_F_DUMP or one that has a single answer, and calls `each`
 * for every answer. */
int nl_ask(int fd, struct netlink_batch *b, nl_each *each, void *closure, struct error *err);

/* --- reading attributes --- */

/* The attributes of a message whose fixed part has `header` bytes, by type, those above `most` left
 * out. Nothing outside of the message is ever pointed to. */
void nl_attributes(const struct nlmsghdr *message, size_t header, const struct nlattr **table,
                   uint16_t most);
void nl_nested(const struct nlattr *nest, const struct nlattr **table, uint16_t most);
/* Walks a list: the first with NULL as `before`, NULL after the last. */
const struct nlattr *nl_next(const struct nlattr *nest, const struct nlattr *before);
/* Its bytes; 0 when there are fewer. */
const void *nl_value(const struct nlattr *a, size_t least);
size_t nl_size(const struct nlattr *a);
uint32_t nl_u32(const struct nlattr *a);
uint32_t nl_be32(const struct nlattr *a);
/* NULL when it does not end with NUL inside. */
const char *nl_string(const struct nlattr *a);

#endif
