/* SPDX-License-Identifier: Apache-2.0 */
#include "network/egress_log.h"

#include <netinet/in.h>
#include <string.h>

#include "base/text.h"

#define GRANTED "granted"
#define DENIED "denied"

static uint32_t add_to_hash(uint32_t hash, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ at[i]) * 16777619U;
    return hash;
}

static uint32_t hash_of(const struct egress_event *e)
{
    uint32_t hash = add_to_hash(2166136261U + e->granted, e->id, strlen(e->id));
    hash = add_to_hash(hash, e->name, strlen(e->name));
    hash = add_to_hash(hash, e->address.bytes, sizeof e->address.bytes);
    hash = add_to_hash(hash, &e->port, sizeof e->port);
    return add_to_hash(hash, &e->protocol, sizeof e->protocol);
}

static bool same_event(const struct egress_event *a, const struct egress_event *b)
{
    return a->granted == b->granted && streq(a->id, b->id) && streq(a->name, b->name) &&
           ip_equal(&a->address, &b->address) && a->port == b->port && a->protocol == b->protocol;
}

static size_t lines_of(const struct egress_log *log, const char *id)
{
    size_t count = 0;
    for (size_t i = 0; i < log->count; i++)
        count += streq(log->lines[i].event.id, id);
    return count;
}

/* The oldest line of who has most. */
static struct egress_line *make_room(struct egress_log *log)
{
    const char *id = log->lines[0].event.id;
    size_t most = 0;
    for (size_t i = 0; i < log->count && most <= log->count / 2; i++) {
        size_t count = lines_of(log, log->lines[i].event.id);
        if (count > most) {
            most = count;
            id = log->lines[i].event.id;
        }
    }
    struct egress_line *oldest = NULL;
    for (size_t i = 0; i < log->count; i++)
        if (streq(log->lines[i].event.id, id) && (!oldest || log->lines[i].last < oldest->last))
            oldest = &log->lines[i];
    return oldest;
}

void egress_log_add(struct egress_log *log, const struct egress_event *event, nanoseconds now)
{
    uint32_t hash = hash_of(event);
    struct egress_line *line = NULL;
    for (size_t i = 0; i < log->count && !line; i++)
        if (log->lines[i].hash == hash && same_event(&log->lines[i].event, event))
            line = &log->lines[i];
    if (!line) {
        line = log->count < NETD_LOG_LINES ? &log->lines[log->count++] : make_room(log);
        *line = (struct egress_line){.event = *event, .hash = hash};
    }
    if (event->who[0])
        memcpy(line->event.who, event->who, sizeof line->event.who);
    line->count++;
    line->last = now;
    log->changed = true;
}

/* The oldest first. Not by qsort(3), which asks the system how much memory there is: the keeper may
 * make no such call. By heap: the newest on top goes to the end. */
static void sink(const struct egress_line **heap, size_t at, size_t count)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && heap[child + 1]->last > heap[child]->last)
            child++;
        if (heap[at]->last >= heap[child]->last)
            return;
        const struct egress_line *other = heap[at];
        heap[at] = heap[child];
        heap[child] = other;
    }
}

static void sort(const struct egress_line **lines, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sink(lines, i, count);
    for (size_t i = count; i-- > 1;) {
        const struct egress_line *newest = lines[0];
        lines[0] = lines[i];
        lines[i] = newest;
        sink(lines, 0, i);
    }
}

void egress_log_protocol(uint8_t protocol, struct buf *out)
{
    if (protocol == 0)
        buf_char(out, '-');
    else if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP)
        buf_str(out, protocol == IPPROTO_TCP ? "tcp" : "udp");
    else if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)
        buf_str(out, "icmp");
    else
        buf_fmt(out, "%u", protocol);
}

static void format_line(const struct egress_line *line, struct buf *out)
{
    const struct egress_event *e = &line->event;
    char address[IP_TEXT_MAX], when[RFC3339_MAX];
    ip_format(&e->address, address);
    format_rfc3339(line->last, when);
    buf_fmt(out, "%s\t%s\t%s\t%s\t%s\t", e->granted ? GRANTED : DENIED, e->id,
            e->who[0] ? e->who : "-", e->name[0] ? e->name : "-", address[0] ? address : "-");
    if (e->port)
        buf_fmt(out, "%u\t", e->port);
    else
        buf_str(out, "-\t");
    egress_log_protocol(e->protocol, out);
    buf_fmt(out, "\t%llu\t%s\n", (unsigned long long)line->count, when);
}

void egress_log_format(const struct egress_log *log, struct buf *out)
{
    const struct egress_line *order[NETD_LOG_LINES];
    for (size_t i = 0; i < log->count; i++)
        order[i] = &log->lines[i];
    sort(order, log->count);
    for (size_t i = 0; i < log->count; i++)
        format_line(order[i], out);
}

/* --- reading it back --- */

enum column { KIND, ID, WHO, NAME, ADDRESS, PORT, PROTOCOL, COUNT, WHEN, COLUMNS };

static bool take_word(const char *word, char *out, size_t size)
{
    size_t length = streq(word, "-") ? 0 : strlen(word);
    if (length >= size)
        return false;
    memcpy(out, word, length);
    return true;
}

static bool take_protocol(const char *word, const struct ip_address *a, uint8_t *out)
{
    uint64_t number = 0;
    if (streq(word, "tcp") || streq(word, "udp"))
        number = word[0] == 't' ? IPPROTO_TCP : IPPROTO_UDP;
    else if (streq(word, "icmp"))
        number = a->family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
    else if (!streq(word, "-") && parse_u64(word, UINT8_MAX, &number) < 0)
        return false;
    *out = (uint8_t)number;
    return true;
}

static bool take_port(const char *word, uint16_t *out)
{
    uint64_t number = 0;
    if (!streq(word, "-") && parse_u64(word, UINT16_MAX, &number) < 0)
        return false;
    *out = (uint16_t)number;
    return true;
}

static bool parse_line(char *const words[COLUMNS], struct egress_line *out)
{
    struct egress_event *e = &out->event;
    *out = (struct egress_line){.event.granted = streq(words[KIND], GRANTED)};
    if ((!e->granted && !streq(words[KIND], DENIED)) ||
        !take_word(words[ID], e->id, sizeof e->id) ||
        !take_word(words[WHO], e->who, sizeof e->who) ||
        !take_word(words[NAME], e->name, sizeof e->name) ||
        (!streq(words[ADDRESS], "-") && ip_parse(words[ADDRESS], &e->address) < 0) ||
        !take_port(words[PORT], &e->port) ||
        !take_protocol(words[PROTOCOL], &e->address, &e->protocol) ||
        parse_u64(words[COUNT], UINT64_MAX, &out->count) < 0 ||
        parse_rfc3339(words[WHEN], &out->last) < 0)
        return false;
    out->hash = hash_of(e);
    return true;
}

void egress_log_parse(char *text, struct egress_log *log)
{
    while (*text && log->count < NETD_LOG_LINES) {
        char *end = strchrnul(text, '\n'), *next = *end ? end + 1 : end, *words[COLUMNS];
        size_t count = 0;
        *end = '\0';
        for (char *word = text; word && count < COLUMNS; count++) {
            words[count] = word;
            word = strchr(word, '\t');
            if (word)
                *word++ = '\0';
        }
        log->count += count == COLUMNS && parse_line(words, &log->lines[log->count]);
        text = next;
    }
}
