/* SPDX-License-Identifier: Apache-2.0 */
#include "network/netlink.h"

#include <arpa/inet.h>
#include <endian.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

/* Answers come in pieces of at most this (the kernel's NLMSG_GOODSIZE is below it). */
#define ANSWER_MAX (64 << 10)
/* What a socket has room for whatever net.core says, and what an acknowledgement takes up. */
#define USUAL_BYTES (64 << 10)
#define USUAL_ANSWERS 64
#define ANSWER_ROOM 1024

int netlink_open(int protocol, struct error *err)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (fd < 0)
        return error_errno(err, "cannot open a netlink socket");
    netlink_prepare(fd, protocol);
    return fd;
}

void netlink_prepare(int fd, int protocol)
{
    int on = 1;
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
    if (protocol == NETLINK_ROUTE)
        (void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
}

/* --- writing --- */

void netlink_batch_free(struct netlink_batch *b)
{
    buf_free(&b->bytes);
}

static void pad(struct buf *bytes)
{
    static const char zeros[NLMSG_ALIGNTO];
    buf_add(bytes, zeros, NLMSG_ALIGN(bytes->len) - bytes->len);
}

static void store(struct buf *bytes, size_t at, const void *value, size_t size)
{
    memcpy(bytes->data + at, value, size);
}

/* The length of the message so far; called whenever it has grown. */
static void measure(struct netlink_batch *b)
{
    uint32_t length = (uint32_t)(b->bytes.len - b->message);
    store(&b->bytes, b->message + offsetof(struct nlmsghdr, nlmsg_len), &length, sizeof length);
}

void nl_begin_silent(struct netlink_batch *b, uint16_t type, uint16_t flags, const void *header,
                     size_t size)
{
    struct nlmsghdr message = {
        .nlmsg_type = type, .nlmsg_flags = flags | NLM_F_REQUEST, .nlmsg_seq = b->count++};
    b->message = b->bytes.len;
    buf_add(&b->bytes, &message, sizeof message);
    buf_add(&b->bytes, header, size);
    pad(&b->bytes);
    measure(b);
}

void nl_begin(struct netlink_batch *b, uint16_t type, uint16_t flags, const void *header,
              size_t size)
{
    nl_begin_silent(b, type, flags | NLM_F_ACK, header, size);
}

void nl_put(struct netlink_batch *b, uint16_t type, const void *value, size_t size)
{
    struct nlattr a = {.nla_len = (uint16_t)(NLA_HDRLEN + size), .nla_type = type};
    buf_add(&b->bytes, &a, sizeof a);
    buf_add(&b->bytes, value, size);
    pad(&b->bytes);
    measure(b);
}

void nl_put_u8(struct netlink_batch *b, uint16_t type, uint8_t value)
{
    nl_put(b, type, &value, sizeof value);
}

void nl_put_u16(struct netlink_batch *b, uint16_t type, uint16_t value)
{
    nl_put(b, type, &value, sizeof value);
}

void nl_put_u32(struct netlink_batch *b, uint16_t type, uint32_t value)
{
    nl_put(b, type, &value, sizeof value);
}

void nl_put_be32(struct netlink_batch *b, uint16_t type, uint32_t value)
{
    nl_put_u32(b, type, htonl(value));
}

void nl_put_be64(struct netlink_batch *b, uint16_t type, uint64_t value)
{
    value = htobe64(value);
    nl_put(b, type, &value, sizeof value);
}

void nl_put_string(struct netlink_batch *b, uint16_t type, const char *text)
{
    nl_put(b, type, text, strlen(text) + 1);
}

size_t nl_nest(struct netlink_batch *b, uint16_t type)
{
    size_t at = b->bytes.len;
    nl_put(b, type | NLA_F_NESTED, "", 0);
    return at;
}

void nl_end(struct netlink_batch *b, size_t nest)
{
    uint16_t length = (uint16_t)(b->bytes.len - nest);
    store(&b->bytes, nest + offsetof(struct nlattr, nla_len), &length, sizeof length);
}

/* --- sending and hearing --- */

static int say(int fd, const struct netlink_batch *b, struct error *err)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t n =
        sendto(fd, b->bytes.data, b->bytes.len, 0, (struct sockaddr *)&kernel, sizeof kernel);
    if (n < 0)
        return error_errno(err, "cannot ask the kernel for a change of the network");
    return (size_t)n == b->bytes.len ? 0 : error_set(err, -EMSGSIZE, "a netlink batch was cut off");
}

/* One datagram of the kernel's. Its length or a negative errno. */
static ssize_t hear(int fd, void *bytes, size_t size, struct error *err)
{
    struct sockaddr_nl from;
    for (;;) {
        struct iovec part = {bytes, size};
        struct msghdr message = {
            .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1};
        ssize_t n = recvmsg(fd, &message, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, "cannot hear the kernel about the network");
        if (from.nl_pid != 0)
            continue; /* another process's: anyone may send to our port */
        if (message.msg_flags & MSG_TRUNC)
            return error_set(err, -EMSGSIZE, "an answer of the kernel was cut off");
        return n;
    }
}

/* What an NLMSG_ERROR says: 0 or a negative errno, with the kernel's words. */
static int read_verdict(const struct nlmsghdr *message, struct error *err)
{
    const struct nlattr *table[NLMSGERR_ATTR_MAX + 1];
    struct nlmsgerr verdict;
    if (message->nlmsg_len < NLMSG_LENGTH(sizeof verdict))
        return error_set(err, -EBADMSG, "an answer of the kernel is too short");
    memcpy(&verdict, NLMSG_DATA(message), sizeof verdict);
    if (verdict.error == 0)
        return 0;
    size_t header = sizeof verdict;
    if (!(message->nlmsg_flags & NLM_F_CAPPED) && verdict.msg.nlmsg_len > sizeof verdict.msg)
        header += NLMSG_ALIGN(verdict.msg.nlmsg_len) - sizeof verdict.msg;
    const char *words = NULL;
    if (message->nlmsg_flags & NLM_F_ACK_TLVS) {
        nl_attributes(message, header, table, NLMSGERR_ATTR_MAX);
        words = nl_string(table[NLMSGERR_ATTR_MSG]);
    }
    return error_set(err, verdict.error, "%s%s%.200s%s", error_describe(verdict.error),
                     words ? " (" : "", words ? words : "", words ? ")" : "");
}

struct talk {
    uint32_t waiting; /* acknowledgements to come */
    uint32_t failed;
    int rc; /* of the first that failed */
    nl_each *each;
    void *closure;
    bool asking, over;
};

static void one_answer(struct talk *t, const struct nlmsghdr *m, struct error *err)
{
    struct error why = {0};
    if (m->nlmsg_type == NLMSG_ERROR) {
        int rc = read_verdict(m, &why);
        if (rc < 0 && t->rc == 0) {
            t->rc = rc;
            t->failed = m->nlmsg_seq;
            if (err)
                *err = why;
        }
        t->waiting -= t->waiting > 0;
        t->over = t->asking || t->waiting == 0;
    } else if (m->nlmsg_type == NLMSG_DONE) {
        t->over = true;
    } else if (t->asking) {
        int rc = t->rc == 0 && t->each ? t->each(m, t->closure) : 0;
        if (rc != 0)
            t->rc = rc;
    }
}

static int converse(int fd, struct talk *t, struct error *err)
{
    autobuf room = {0};
    char *bytes = buf_room(&room, ANSWER_MAX);
    while (!t->over) {
        ssize_t n = hear(fd, bytes, ANSWER_MAX, err);
        if (n < 0)
            return (int)n;
        size_t left = (size_t)n;
        const struct nlmsghdr *m = (const void *)bytes;
        while (left >= sizeof *m && m->nlmsg_len >= sizeof *m && m->nlmsg_len <= left) {
            one_answer(t, m, err);
            size_t step = NLMSG_ALIGN(m->nlmsg_len);
            left -= step < left ? step : left;
            m = (const void *)((const char *)m + step);
        }
    }
    return t->rc;
}

static uint32_t count_acknowledged(const struct netlink_batch *b)
{
    uint32_t count = 0;
    size_t at = 0;
    while (at + sizeof(struct nlmsghdr) <= b->bytes.len) {
        struct nlmsghdr m;
        memcpy(&m, b->bytes.data + at, sizeof m);
        count += (m.nlmsg_flags & NLM_F_ACK) != 0;
        at += NLMSG_ALIGN(m.nlmsg_len);
    }
    return count;
}

static void enlarge(int fd, int forced, int plain, size_t bytes)
{
    int size = bytes < INT_MAX / 2 ? (int)bytes : INT_MAX / 2;
    if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof size) < 0)
        (void)setsockopt(fd, SOL_SOCKET, plain, &size, sizeof size); /* as far as it goes */
}

/* The kernel takes a batch only whole, and puts all its answers into the socket before any of them
 * is heard: those that find no room are lost, and the batch counts as failed though it was not. */
static void make_room(int fd, const struct netlink_batch *b, uint32_t answers)
{
    if (b->bytes.len > USUAL_BYTES)
        enlarge(fd, SO_SNDBUFFORCE, SO_SNDBUF, b->bytes.len);
    if (answers > USUAL_ANSWERS)
        enlarge(fd, SO_RCVBUFFORCE, SO_RCVBUF, (size_t)answers * ANSWER_ROOM);
}

int nl_send(int fd, struct netlink_batch *b, uint32_t *failed, struct error *err)
{
    struct talk t = {.waiting = count_acknowledged(b)};
    make_room(fd, b, t.waiting);
    int rc = say(fd, b, err);
    if (rc == 0 && t.waiting > 0)
        rc = converse(fd, &t, err);
    if (failed)
        *failed = t.failed;
    return rc;
}

int nl_ask(int fd, struct netlink_batch *b, nl_each *each, void *closure, struct error *err)
{
    struct talk t = {.each = each, .closure = closure, .asking = true};
    int rc = say(fd, b, err);
    return rc < 0 ? rc : converse(fd, &t, err);
}

/* --- reading --- */

static void into_table(const char *at, size_t left, const struct nlattr **table, uint16_t most)
{
    memset(table, 0, (most + 1U) * sizeof *table);
    while (left >= NLA_HDRLEN) {
        const struct nlattr *a = (const void *)at;
        if (a->nla_len < NLA_HDRLEN || a->nla_len > left)
            return;
        uint16_t type = a->nla_type & NLA_TYPE_MASK;
        if (type <= most)
            table[type] = a;
        size_t step = NLA_ALIGN(a->nla_len);
        if (step >= left)
            return;
        at += step;
        left -= step;
    }
}

void nl_attributes(const struct nlmsghdr *message, size_t header, const struct nlattr **table,
                   uint16_t most)
{
    size_t before = NLMSG_LENGTH(0) + NLMSG_ALIGN(header);
    if (message->nlmsg_len < before)
        before = message->nlmsg_len;
    into_table((const char *)message + before, message->nlmsg_len - before, table, most);
}

void nl_nested(const struct nlattr *nest, const struct nlattr **table, uint16_t most)
{
    into_table(nest ? (const char *)nest + NLA_HDRLEN : "", nl_size(nest), table, most);
}

const struct nlattr *nl_next(const struct nlattr *nest, const struct nlattr *before)
{
    if (!nest)
        return NULL;
    const char *end = (const char *)nest + nest->nla_len;
    const char *at = before ? (const char *)before + NLA_ALIGN(before->nla_len)
                            : (const char *)nest + NLA_HDRLEN;
    if (at >= end || (size_t)(end - at) < NLA_HDRLEN)
        return NULL;
    const struct nlattr *a = (const void *)at;
    return a->nla_len < NLA_HDRLEN || a->nla_len > (size_t)(end - at) ? NULL : a;
}

size_t nl_size(const struct nlattr *a)
{
    return a ? (size_t)a->nla_len - NLA_HDRLEN : 0;
}

const void *nl_value(const struct nlattr *a, size_t least)
{
    return a && nl_size(a) >= least ? (const char *)a + NLA_HDRLEN : NULL;
}

uint32_t nl_u32(const struct nlattr *a)
{
    uint32_t value = 0;
    const void *bytes = nl_value(a, sizeof value);
    if (bytes)
        memcpy(&value, bytes, sizeof value);
    return value;
}

uint32_t nl_be32(const struct nlattr *a)
{
    return ntohl(nl_u32(a));
}

const char *nl_string(const struct nlattr *a)
{
    const char *text = nl_value(a, 1);
    return text && memchr(text, '\0', nl_size(a)) ? text : NULL;
}
