/* SPDX-License-Identifier: Apache-2.0 */
#include "network/egress_log.h"

#include <netinet/in.h>
#include <string.h>

#include "base/text.h"

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
    line->count++;
    line->last = now;
    log->changed = true;
}

static int older_first(const void *a, const void *b)
{
    const struct egress_line *x = *(struct egress_line *const *)a,
                             *y = *(struct egress_line *const *)b;
    return (x->last > y->last) - (x->last < y->last);
}

static void format_protocol(uint8_t protocol, struct buf *out)
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
    buf_fmt(out, "%s\t%s\t%s\t%s\t", e->granted ? "granted" : "denied", e->id,
            e->name[0] ? e->name : "-", address[0] ? address : "-");
    if (e->port)
        buf_fmt(out, "%u\t", e->port);
    else
        buf_str(out, "-\t");
    format_protocol(e->protocol, out);
    buf_fmt(out, "\t%llu\t%s\n", (unsigned long long)line->count, when);
}

void egress_log_format(const struct egress_log *log, struct buf *out)
{
    const struct egress_line *order[NETD_LOG_LINES];
    for (size_t i = 0; i < log->count; i++)
        order[i] = &log->lines[i];
    qsort(order, log->count, sizeof *order, older_first);
    for (size_t i = 0; i < log->count; i++)
        format_line(order[i], out);
}
