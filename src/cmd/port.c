/* SPDX-License-Identifier: Apache-2.0 */
/* port, and published ports in ps and inspect. */
#include "cmd/port.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "cmd/container_words.h"
#include "cmd/print.h"
#include "container/ports.h"

/* --- published ports as a row --- */

struct row {
    struct published *items;
    size_t count;
};

static void row_free(struct row *row)
{
    free(row->items);
}

static int by_port(const struct published *x, const struct published *y)
{
    if (x->inner.number != y->inner.number)
        return x->inner.number < y->inner.number ? -1 : 1;
    return x->inner.protocol - y->inner.protocol;
}

/* By the container's port, then by address. */
static int by_port_and_address(const void *a, const void *b)
{
    const struct published *x = a, *y = b;
    int order = by_port(x, y);
    if (order == 0)
        order = x->address.family - y->address.family;
    return order != 0 ? order : ip_compare(&x->address, &y->address);
}

/* By address first, so that ranges stand together. */
static int by_address(const void *a, const void *b)
{
    const struct published *x = a, *y = b;
    int order = x->address.family - y->address.family;
    if (order == 0)
        order = ip_compare(&x->address, &y->address);
    if (order == 0)
        order = x->inner.protocol - y->inner.protocol;
    return order != 0 ? order : by_port(x, y);
}

static struct row row_of(const char *published, int (*order)(const void *, const void *))
{
    struct row row = {0};
    struct published p;
    while (published_next(&published, &p)) {
        row.items = xrealloc(row.items, row.count + 1, sizeof *row.items);
        row.items[row.count++] = p;
    }
    if (row.count > 1)
        qsort(row.items, row.count, sizeof *row.items, order);
    return row;
}

#define autorow __attribute__((cleanup(row_free))) struct row

static bool is_published(const struct row *row, const struct port_range *range)
{
    for (size_t i = 0; i < row->count; i++)
        if (port_within(range, &row->items[i].inner))
            return true;
    return false;
}

/* --- ps --- */

static bool continues(const struct published *a, const struct published *b)
{
    return ip_equal(&a->address, &b->address) && a->inner.protocol == b->inner.protocol &&
           a->host + 1 == b->host && a->inner.number + 1 == b->inner.number;
}

static void add_span(const struct published *first, const struct published *last, struct buf *out)
{
    char place[PORT_TEXT_MAX];
    port_place_format(&first->address, first->host, place);
    buf_fmt(out, "%s%s", out->len ? ", " : "", place);
    if (first == last)
        buf_fmt(out, "->%u", first->inner.number);
    else
        buf_fmt(out, "-%u->%u-%u", last->host, first->inner.number, last->inner.number);
    buf_fmt(out, "/%s", port_protocol_name(first->inner.protocol));
}

void ports_column(const char *published, const struct strv *exposed, struct buf *out)
{
    autorow row = row_of(published, by_address);
    for (size_t i = 0; i < row.count; i++) {
        size_t first = i;
        while (i + 1 < row.count && continues(&row.items[i], &row.items[i + 1]))
            i++;
        add_span(&row.items[first], &row.items[i], out);
    }
    for (size_t i = 0; i < exposed->len; i++) {
        struct port_range range;
        if (port_parse_range(exposed->items[i], &range, NULL) == 0 && !is_published(&row, &range))
            buf_fmt(out, "%s%s", out->len ? ", " : "", exposed->items[i]);
    }
}

/* --- inspect --- */

static void begin_port(struct json_out *w, const struct port *port, char bracket)
{
    char key[PORT_TEXT_MAX];
    struct port_range range = {*port, port->number};
    port_range_format(&range, key);
    json_begin(w, key, bracket);
}

static void write_place(struct json_out *w, const char *address, const char *port)
{
    json_begin(w, NULL, '{');
    json_str(w, "HostIp", address);
    json_str(w, "HostPort", port);
    json_end(w, '}');
}

void inspect_ports(struct json_out *w, const struct container *c)
{
    bool runs = container_runs(c->now);
    autorow row = row_of(runs ? container_published(&c->status) : NULL, by_port_and_address);
    json_begin(w, "Ports", '{');
    for (size_t i = 0; i < row.count; i++) {
        char address[IP_TEXT_MAX], port[16];
        if (i == 0 || by_port(&row.items[i - 1], &row.items[i]) != 0)
            begin_port(w, &row.items[i].inner, '[');
        ip_format(&row.items[i].address, address);
        snprintf(port, sizeof port, "%u", row.items[i].host);
        write_place(w, address, port);
        if (i + 1 == row.count || by_port(&row.items[i], &row.items[i + 1]) != 0)
            json_end(w, ']');
    }
    for (size_t i = 0; runs && i < c->plan.exposed.len; i++) {
        struct port_range range;
        if (port_parse_range(c->plan.exposed.items[i], &range, NULL) == 0 &&
            !is_published(&row, &range))
            json_raw(w, c->plan.exposed.items[i], "null");
    }
    json_end(w, '}');
}

static void write_binding(struct json_out *w, const struct port_binding *b)
{
    char address[IP_TEXT_MAX], port[16] = "";
    ip_format(&b->host, address);
    if (b->last > b->first)
        snprintf(port, sizeof port, "%u-%u", b->first, b->last);
    else if (b->first > 0)
        snprintf(port, sizeof port, "%u", b->first);
    write_place(w, address, port);
}

static bool same_port(const struct port_binding *a, const struct port_binding *b)
{
    return a->inner.number == b->inner.number && a->inner.protocol == b->inner.protocol;
}

void inspect_port_bindings(struct json_out *w, const struct plan *plan)
{
    const struct port_bindings *ports = &plan->ports;
    json_begin(w, "PortBindings", '{');
    for (size_t i = 0; i < ports->count; i++) {
        bool seen = false;
        for (size_t k = 0; k < i; k++)
            seen |= same_port(&ports->items[k], &ports->items[i]);
        if (seen)
            continue;
        begin_port(w, &ports->items[i].inner, '[');
        for (size_t k = i; k < ports->count; k++)
            if (same_port(&ports->items[k], &ports->items[i]))
                write_binding(w, &ports->items[k]);
        json_end(w, ']');
    }
    json_end(w, '}');
    json_bool(w, "PublishAllPorts", plan->publish_all);
}

void inspect_exposed(struct json_out *w, const struct plan *plan)
{
    if (plan->exposed.len == 0) {
        json_raw(w, "ExposedPorts", "null");
        return;
    }
    json_begin(w, "ExposedPorts", '{');
    for (size_t i = 0; i < plan->exposed.len; i++)
        json_raw(w, plan->exposed.items[i], "{}");
    json_end(w, '}');
}

/* --- the verb --- */

/* Why a port that was asked to be published is not. */
static int tell_lost(const struct container *c, struct error *err)
{
    bool runs = container_runs(c->now);
    if (!runs || c->plan.ports.count == 0 || container_published(&c->status))
        return 0;
    return error_set(err, -ESRCH,
                     "the ports of container %s are published no more: its caisson-port was "
                     "killed; start the container again (caisson restart %s)",
                     c->plan.name, c->plan.name);
}

static int print_ports(const struct container *c, const char *wanted, struct error *err)
{
    bool runs = container_runs(c->now);
    autorow row = row_of(runs ? container_published(&c->status) : NULL, by_port_and_address);
    autobuf out = {0};
    struct port_range range = {0};
    int rc = wanted ? port_parse_range(wanted, &range, err) : 0;
    if (rc == 0)
        rc = tell_lost(c, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < row.count; i++) {
        const struct published *p = &row.items[i];
        char place[PORT_TEXT_MAX];
        if (wanted && !port_within(&range, &p->inner))
            continue;
        if (!wanted)
            buf_fmt(&out, "%u/%s -> ", p->inner.number, port_protocol_name(p->inner.protocol));
        port_place_format(&p->address, p->host, place);
        buf_fmt(&out, "%s\n", place);
    }
    if (wanted && out.len == 0)
        return error_set(err, -ENOENT, "container %s publishes no port %.40s", c->plan.name,
                         wanted);
    return print(&out);
}

int command_port(const struct invocation *call, void *options, struct error *err)
{
    autocontainers all = {0};
    autocontainer c = CONTAINER_EMPTY;
    (void)options;
    int rc = containers_here(&all, err);
    if (rc == 0)
        rc = container_find(&all, call->arguments[0], &c, err);
    return rc < 0 ? rc : print_ports(&c, call->count > 1 ? call->arguments[1] : NULL, err);
}
