/* SPDX-License-Identifier: Apache-2.0 */
/* What inspect shows of a container's networks, with Docker's names. */
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/inspect_json.h"
#include "cmd/port.h"
#include "container/networks.h"

struct shown {
    char addresses[2][IP_TEXT_MAX], gateways[2][IP_TEXT_MAX]; /* "" for none */
    unsigned lengths[2];
    char mac[MAC_TEXT_MAX];
    char id[NETWORK_ID_SIZE];
};

static void look(const struct container *c, const struct plan_endpoint *endpoint, struct shown *out)
{
    struct network_place place = {c->all->root_top, c->all->state_top};
    autonetwork network = {0};
    struct network_port port = {0};
    *out = (struct shown){0};
    if (network_find(&place, -1, endpoint->network, &network, NULL) < 0)
        return;
    snprintf(out->id, sizeof out->id, "%s", network.id);
    if (container_port(c, endpoint->network, &port) < 0)
        return;
    for (size_t f = 0; f < 2; f++) {
        if (port.addresses[f].family == 0)
            continue;
        ip_format(&port.addresses[f], out->addresses[f]);
        ip_format(&network.ranges[f].gateway, out->gateways[f]);
        out->lengths[f] = network.ranges[f].subnet.length;
    }
    mac_format(port.mac, out->mac);
}

static void write_addresses(struct json_out *w, const struct shown *s)
{
    json_str(w, "Gateway", s->gateways[0]);
    json_str(w, "IPAddress", s->addresses[0]);
    json_u64(w, "IPPrefixLen", s->lengths[0]);
    json_str(w, "IPv6Gateway", s->gateways[1]);
    json_str(w, "GlobalIPv6Address", s->addresses[1]);
    json_u64(w, "GlobalIPv6PrefixLen", s->lengths[1]);
    json_str(w, "MacAddress", s->mac);
}

/* The rules in force, as they were said: those that its network's resolver knows. */
static void write_egress(struct json_out *w, const struct container *c, const char *network)
{
    struct network_place place = {c->all->root_top, c->all->state_top};
    autonames names = {0};
    autobuf text = {0};
    autostrv rules = {0};
    const struct names_member *m = NULL;
    if (netd_names(&place, network, &names, NULL) == 0)
        m = names_by_id(&names, c->id);
    if (m && m->egress.limited) {
        egress_format(&m->egress, &text);
        strv_split(&rules, buf_text(&text), ',');
    } else if (m) {
        strv_add(&rules, "any");
    }
    json_strs(w, "Egress", &rules);
}

void inspect_name_config(struct json_out *w, const struct plan *plan)
{
    json_strs(w, "Egress", &plan->egress);
    json_strs(w, "Dns", &plan->dns);
    json_strs(w, "DnsSearch", &plan->dns_search);
    json_strs(w, "DnsOptions", &plan->dns_options);
    json_begin(w, "ExtraHosts", '[');
    for (size_t i = 0; i < plan->extra_hosts.len; i++) {
        const char *word = plan->extra_hosts.items[i], *equals = strchrnul(word, '=');
        autofree char *text =
            xasprintf("%.*s:%s", (int)(equals - word), word, *equals ? equals + 1 : "");
        json_str(w, NULL, text);
    }
    json_end(w, ']');
}

void inspect_networks(struct json_out *w, const struct container *c)
{
    struct shown shown = {0};
    json_begin(w, "NetworkSettings", '{');
    inspect_ports(w, c);
    if (c->plan.endpoint_count > 0)
        look(c, &c->plan.endpoints[0], &shown);
    write_addresses(w, &shown);
    json_begin(w, "Networks", '{');
    for (size_t i = 0; i < c->plan.endpoint_count; i++) {
        const struct plan_endpoint *endpoint = &c->plan.endpoints[i];
        look(c, endpoint, &shown);
        json_begin(w, endpoint->network, '{');
        json_str(w, "NetworkID", shown.id);
        write_addresses(w, &shown);
        json_strs(w, "Aliases", &endpoint->aliases);
        write_egress(w, c, endpoint->network);
        json_end(w, '}');
    }
    json_end(w, '}');
    json_end(w, '}');
}
