/* SPDX-License-Identifier: Apache-2.0 */
/* -p, -P and --expose: words to bindings. */
#include "container/ports.h"

#include <netinet/in.h>

#include "base/text.h"

#define EXPOSED_MAX 1000

bool ports_wanted(const struct request *request)
{
    return request->publish.len > 0 || request->publish_all;
}

static void expose(struct plan *plan, const struct port_range *range)
{
    char text[PORT_TEXT_MAX];
    port_range_format(range, text);
    if (plan->exposed.len < EXPOSED_MAX && !strv_has(&plan->exposed, text))
        strv_add(&plan->exposed, text);
}

/* What an image says and is no port is nothing to anybody. */
static int take_exposed(struct planning *p, struct error *err)
{
    const struct strv *image = &p->image->config.ports, *asked = &p->request->expose;
    struct port_range range;
    for (size_t i = 0; i < image->len && i < EXPOSED_MAX; i++)
        if (port_parse_range(image->items[i], &range, NULL) == 0)
            expose(p->plan, &range);
    for (size_t i = 0; i < asked->len; i++) {
        int rc = port_parse_range(asked->items[i], &range, err);
        if (rc < 0)
            return error_prefix(err, "--expose");
        expose(p->plan, &range);
    }
    return 0;
}

static bool is_exposed(const struct plan *plan, const struct port *port)
{
    struct port_range range;
    for (size_t i = 0; i < plan->exposed.len; i++)
        if (port_parse_range(plan->exposed.items[i], &range, NULL) == 0 &&
            port_within(&range, port))
            return true;
    return false;
}

static bool is_published(const struct port_bindings *ports, const struct port *inner)
{
    for (size_t i = 0; i < ports->count; i++)
        if (ports->items[i].inner.protocol == inner->protocol &&
            ports->items[i].inner.number == inner->number)
            return true;
    return false;
}

static int publish_exposed(struct plan *plan, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < plan->exposed.len; i++) {
        struct port_range range;
        rc = port_parse_range(plan->exposed.items[i], &range, err);
        for (uint32_t port = range.first.number; rc == 0 && port <= range.last; port++) {
            struct port_binding binding = {.inner = range.first};
            binding.inner.number = (uint16_t)port;
            if (!is_published(&plan->ports, &binding.inner))
                rc = port_bindings_add(&plan->ports, &binding, err);
        }
    }
    return rc < 0 ? error_prefix(err, "-P") : 0;
}

static bool same_place(const struct port_binding *a, const struct port_binding *b)
{
    return a->inner.protocol == b->inner.protocol && a->first == b->first && a->last == b->last &&
           a->first != 0 && a->first == a->last &&
           (a->host.family == 0 ? b->host.family == 0 : ip_equal(&a->host, &b->host));
}

static int check_places(const struct port_bindings *ports, struct error *err)
{
    for (size_t i = 0; i < ports->count; i++)
        for (size_t k = 0; k < i; k++) {
            char text[PORT_TEXT_MAX];
            if (!same_place(&ports->items[i], &ports->items[k]))
                continue;
            port_binding_format(&ports->items[i], text);
            return error_set(err, -EINVAL, "-p %s: that port of the host is published already",
                             text);
        }
    return 0;
}

static int refuse_network(const struct plan *plan, const char *network, const char *flag,
                          struct error *err)
{
    if (plan->network == PLAN_NET_HOST)
        return error_set(err, -EINVAL,
                         "%s means nothing with --network host: there the container's ports are "
                         "the host's own",
                         flag);
    if (plan->network == PLAN_NET_CONTAINER)
        return error_set(err, -EINVAL,
                         "%s goes with the container whose network it is: publish the port there, "
                         "not with --network %.80s",
                         flag, network);
    return error_set(err, -EINVAL,
                     "%s means nothing with --network none; leave that out, or give bridge or a "
                     "network of your own",
                     flag);
}

static void say_posture(struct plan *plan)
{
    autobuf open = {0};
    for (size_t i = 0; i < plan->ports.count; i++) {
        const struct port_binding *b = &plan->ports.items[i];
        char text[PORT_TEXT_MAX];
        bool loopback =
            b->host.family == 0 || (b->host.family == AF_INET && b->host.bytes[0] == 127);
        port_binding_format(b, text);
        if (!loopback && !starts_with(text, "[::1]:"))
            buf_fmt(&open, "%s%s", open.len ? ", " : "open: ", text);
    }
    posture_add(&plan->posture, "published-ports", open.len ? buf_text(&open) : "loopback only",
                "-p IP:HOSTPORT:PORT")
        ->relaxed = open.len > 0;
}

int plan_ports(struct planning *p, const char *network, struct error *err)
{
    struct plan *plan = p->plan;
    const struct request *r = p->request;
    int rc = take_exposed(p, err);
    if (rc < 0 || !ports_wanted(r))
        return rc;
    if (plan->network != PLAN_NET_BRIDGE)
        return refuse_network(plan, network, r->publish.len ? "-p" : "-P", err);
    for (size_t i = 0; rc == 0 && i < r->publish.len; i++)
        rc = port_parse_publish(r->publish.items[i], &plan->ports, err);
    plan->publish_all = r->publish_all;
    if (rc == 0 && r->publish_all)
        rc = publish_exposed(plan, err);
    for (size_t i = 0; rc == 0 && i < plan->ports.count; i++) {
        const struct port *inner = &plan->ports.items[i].inner;
        struct port_range range = {*inner, inner->number};
        if (!is_exposed(plan, inner))
            expose(plan, &range);
    }
    if (rc == 0)
        rc = check_places(&plan->ports, err);
    if (rc == 0 && plan->ports.count > 0)
        say_posture(plan);
    return rc;
}
