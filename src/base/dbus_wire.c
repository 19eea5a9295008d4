/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of D-Bus messages, in and out: dbus.h says how far they are trusted. */
#include <stdarg.h>
#include <string.h>

#include "base/dbus.h"
#include "base/text.h"

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OUR_ORDER 'l'
#else
#define OUR_ORDER 'B'
#endif
#define PROTOCOL 1
#define FIELDS_AT 12 /* the length of the array of header fields, behind four fixed numbers */
#define SIGNATURE_MAX 255

enum field {
    FIELD_PATH = 1,
    FIELD_INTERFACE = 2,
    FIELD_MEMBER = 3,
    FIELD_ERROR = 4,
    FIELD_ANSWERS = 5,
    FIELD_DESTINATION = 6,
    FIELD_SIGNATURE = 8,
};

/* --- in ----------------------------------------------------------------------------------------
 */

static uint32_t number_at(const unsigned char *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static size_t aligned(size_t at, size_t to)
{
    return (at + to - 1) & ~(to - 1);
}

int dbus_measure(const unsigned char *head, size_t *size)
{
    uint32_t body = number_at(head + 4), fields = number_at(head + FIELDS_AT);
    if (head[0] != OUR_ORDER || head[3] != PROTOCOL)
        return -EBADMSG;
    if (body > DBUS_MESSAGE_MAX || fields > DBUS_MESSAGE_MAX)
        return -EMSGSIZE;
    size_t whole = aligned(DBUS_HEAD + (size_t)fields, 8) + body;
    if (whole > DBUS_MESSAGE_MAX)
        return -EMSGSIZE;
    *size = whole;
    return 0;
}

/* What is read from, and how far it has been: `at` never passes `size`. */
struct reader {
    const unsigned char *bytes;
    size_t size, at;
};

/* Padding has to be zero, as the specification says. */
static int align(struct reader *r, size_t to)
{
    size_t next = aligned(r->at, to);
    if (next > r->size)
        return -EBADMSG;
    for (; r->at < next; r->at++)
        if (r->bytes[r->at] != 0)
            return -EBADMSG;
    return 0;
}

static int read_byte(struct reader *r, unsigned char *value)
{
    if (r->at == r->size)
        return -EBADMSG;
    *value = r->bytes[r->at++];
    return 0;
}

static int read_u32(struct reader *r, uint32_t *value)
{
    if (align(r, 4) < 0 || r->size - r->at < 4)
        return -EBADMSG;
    *value = number_at(r->bytes + r->at);
    r->at += 4;
    return 0;
}

/* `length` bytes and the NUL that ends them, with none before it. */
static int read_text(struct reader *r, size_t length, const char **text)
{
    if (r->size - r->at < length || r->size - r->at - length < 1)
        return -EBADMSG;
    const unsigned char *from = r->bytes + r->at;
    if (from[length] != 0 || memchr(from, 0, length))
        return -EBADMSG;
    r->at += length + 1;
    *text = (const char *)from;
    return 0;
}

static int read_string(struct reader *r, const char **text)
{
    uint32_t length = 0;
    int rc = read_u32(r, &length);
    return rc < 0 ? rc : read_text(r, length, text);
}

static int read_signature(struct reader *r, const char **text)
{
    unsigned char length = 0;
    int rc = read_byte(r, &length);
    return rc < 0 ? rc : read_text(r, length, text);
}

/* A header field, whose value is a variant. The specification has them of three types only; a
 * message with another one is not for us. */
static int read_field(struct reader *r, struct dbus_message *m)
{
    unsigned char code = 0;
    const char *type = NULL, *text = NULL;
    uint32_t number = 0;
    int rc = align(r, 8);
    if (rc == 0)
        rc = read_byte(r, &code);
    if (rc == 0)
        rc = read_signature(r, &type);
    if (rc < 0)
        return rc;
    bool is_number = streq(type, "u"), is_signature = streq(type, "g");
    if (is_number)
        rc = read_u32(r, &number);
    else if (is_signature)
        rc = read_signature(r, &text);
    else if (streq(type, "s") || streq(type, "o"))
        rc = read_string(r, &text);
    else
        rc = -EBADMSG;
    if (rc < 0)
        return rc;
    if (is_number != (code == FIELD_ANSWERS) && code <= FIELD_SIGNATURE)
        return -EBADMSG;
    if (is_signature != (code == FIELD_SIGNATURE) && code <= FIELD_SIGNATURE)
        return -EBADMSG;
    if (code == FIELD_ANSWERS)
        m->answers = number;
    else if (code == FIELD_PATH)
        m->path = text;
    else if (code == FIELD_INTERFACE)
        m->interface = text;
    else if (code == FIELD_MEMBER)
        m->member = text;
    else if (code == FIELD_ERROR)
        m->error = text;
    else if (code == FIELD_SIGNATURE)
        m->signature = text;
    return 0;
}

/* Each kind of message has fields that it cannot be without. */
static bool is_whole(const struct dbus_message *m)
{
    if (m->serial == 0)
        return false;
    switch (m->type) {
    case DBUS_REPLY:
        return m->answers != 0;
    case DBUS_ERROR:
        return m->answers != 0 && m->error;
    case DBUS_CALL:
        return m->path && m->member;
    case DBUS_SIGNAL:
        return m->path && m->member && m->interface;
    }
    return true; /* a type that may come to be: nobody here looks at it */
}

int dbus_parse(const unsigned char *bytes, size_t size, struct dbus_message *out)
{
    size_t whole = 0;
    if (size < DBUS_HEAD || dbus_measure(bytes, &whole) < 0 || whole != size || bytes[1] == 0)
        return -EBADMSG;
    struct dbus_message m = {
        .type = (enum dbus_type)bytes[1], .serial = number_at(bytes + 8), .signature = ""};
    struct reader r = {bytes, DBUS_HEAD + number_at(bytes + FIELDS_AT), DBUS_HEAD};
    while (r.at < r.size) {
        int rc = read_field(&r, &m);
        if (rc < 0)
            return rc;
    }
    r.size = size;
    if (align(&r, 8) < 0 || !is_whole(&m))
        return -EBADMSG;
    m.body = bytes + r.at;
    m.body_size = size - r.at;
    *out = m;
    return 0;
}

static int read_variant(struct reader *r, const char **text)
{
    const char *type = NULL;
    int rc = read_signature(r, &type);
    if (rc == 0 && !streq(type, "s"))
        rc = -EBADMSG;
    return rc < 0 ? rc : read_string(r, text);
}

int dbus_read(const struct dbus_message *message, const char *signature, ...)
{
    struct reader r = {message->body, message->body_size, 0};
    va_list ap;
    int rc = streq(message->signature, signature) ? 0 : -EBADMSG;
    va_start(ap, signature);
    for (const char *type = signature; rc == 0 && *type; type++) {
        if (*type == 'u')
            rc = read_u32(&r, va_arg(ap, uint32_t *));
        else if (*type == 'v')
            rc = read_variant(&r, va_arg(ap, const char **));
        else
            rc = read_string(&r, va_arg(ap, const char **));
    }
    va_end(ap);
    return rc;
}

/* --- out ---------------------------------------------------------------------------------------
 */

static void pad(struct buf *b, size_t to)
{
    while (b->len % to)
        buf_char(b, '\0');
}

void dbus_put_u32(struct buf *body, uint32_t value)
{
    pad(body, sizeof value);
    buf_add(body, &value, sizeof value);
}

void dbus_put_u64(struct buf *body, uint64_t value)
{
    pad(body, sizeof value);
    buf_add(body, &value, sizeof value);
}

void dbus_put_bool(struct buf *body, bool value)
{
    dbus_put_u32(body, value);
}

void dbus_put_string(struct buf *body, const char *text)
{
    size_t length = strlen(text);
    dbus_put_u32(body, (uint32_t)length);
    buf_add(body, text, length + 1);
}

void dbus_put_signature(struct buf *body, const char *signature)
{
    size_t length = strnlen(signature, SIGNATURE_MAX);
    buf_char(body, (char)length);
    buf_add(body, signature, length);
    buf_char(body, '\0');
}

struct dbus_array dbus_begin_array(struct buf *body, size_t alignment)
{
    dbus_put_u32(body, 0);
    size_t length_at = body->len - sizeof(uint32_t);
    pad(body, alignment);
    return (struct dbus_array){length_at, body->len};
}

void dbus_end_array(struct buf *body, struct dbus_array array)
{
    uint32_t length = (uint32_t)(body->len - array.from);
    memcpy(body->data + array.length_at, &length, sizeof length);
}

void dbus_begin_struct(struct buf *body)
{
    pad(body, 8);
}

static void put_field(struct buf *out, enum field code, const char *type, const char *text)
{
    if (!text)
        return;
    dbus_begin_struct(out);
    buf_char(out, (char)code);
    dbus_put_signature(out, type);
    if (*type == 'g')
        dbus_put_signature(out, text);
    else
        dbus_put_string(out, text);
}

void dbus_put_call(struct buf *out, uint32_t serial, const struct dbus_method *method)
{
    const char head[] = {OUR_ORDER, DBUS_CALL, 0, PROTOCOL};
    autobuf message = {0};
    buf_add(&message, head, sizeof head);
    dbus_put_u32(&message, method->signature ? (uint32_t)method->body->len : 0);
    dbus_put_u32(&message, serial);
    struct dbus_array fields = dbus_begin_array(&message, 8);
    put_field(&message, FIELD_PATH, "o", method->path);
    put_field(&message, FIELD_DESTINATION, "s", method->destination);
    put_field(&message, FIELD_INTERFACE, "s", method->interface);
    put_field(&message, FIELD_MEMBER, "s", method->member);
    put_field(&message, FIELD_SIGNATURE, "g", method->signature);
    dbus_end_array(&message, fields);
    pad(&message, 8);
    buf_add(out, message.data, message.len);
    if (method->signature)
        buf_add(out, method->body->data, method->body->len);
}
