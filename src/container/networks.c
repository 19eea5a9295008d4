/* SPDX-License-Identifier: Apache-2.0 */
/* --network and what belongs to it: words to endpoints, and the files about names. */
#include "container/networks.h"

#include <string.h>
#include <sys/socket.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/network_home.h"
#include "runtime/ids.h"

#define LOCALHOST "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
#define HOST_GATEWAY "host-gateway"

int networks_here(const struct containers *all, struct network_host *out, struct error *err)
{
    struct network_place place = {all->root_top, all->state_top};
    return ids_limited() ? network_home_look(all, out, err) : network_host_open(&place, out, err);
}

/* The default network is made when it is asked for: for that the host's routes are looked at. */
static int find(const struct containers *all, const char *word, struct network *out,
                struct error *err)
{
    struct network_host host = NETWORK_HOST_NONE;
    struct network_place place = {all->root_top, all->state_top};
    autostrv names = {0};
    if (!streq(word, NETWORK_DEFAULT))
        return network_find(&place, -1, word, out, err);
    int rc = network_list(&place, &names, err);
    if (rc == 0 && strv_has(&names, word))
        return network_find(&place, -1, word, out, err);
    if (rc == 0)
        rc = networks_here(all, &host, err);
    if (rc == 0)
        rc = network_find(&place, host.outside, word, out, err);
    network_host_close(&host);
    return rc;
}

/* --- one endpoint --- */

static int check_mac(const char *text, struct error *err)
{
    uint8_t mac[MAC_SIZE];
    if (mac_parse(text, mac) < 0)
        return error_set(err, -EINVAL,
                         "--mac-address %.40s: give six pairs of hexadecimal digits such as "
                         "02:42:ac:11:00:02",
                         text);
    if (mac[0] & 1)
        return error_set(err, -EINVAL, "--mac-address %.40s is that of a group, not of one", text);
    return 0;
}

static int check_address(const char *flag, const char *text, int family,
                         const struct network *network, struct error *err)
{
    struct ip_address a;
    char subnet[IP_TEXT_MAX];
    const struct network_range *range = &network->ranges[family == AF_INET6];
    if (ip_parse(text, &a) < 0 || a.family != family)
        return error_set(err, -EINVAL, "%s %.60s is no IPv%d address", flag, text,
                         family == AF_INET6 ? 6 : 4);
    if (range->subnet.address.family == 0)
        return error_set(err, -EINVAL, "%s %s: network %s has no IPv6; make one with --ipv6", flag,
                         text, network->name);
    ip_prefix_format(&range->subnet, subnet);
    if (streq(network->name, NETWORK_DEFAULT))
        return error_set(err, -EINVAL,
                         "%s %s: on the default network addresses are given, not chosen; make a "
                         "network of your own (caisson network create)",
                         flag, text);
    if (!ip_within(&range->subnet, &a))
        return error_set(err, -EINVAL, "%s %s does not lie in %s of network %s", flag, text, subnet,
                         network->name);
    return 0;
}

/* A name that a resolver can be asked for: RFC 1123, 2.1, and "_", which people use. */
static int check_alias(const char *text, struct error *err)
{
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", text[i]))
            length = 0;
    if (length == 0 || length > 253 || text[0] == '.' || text[0] == '-' || strstr(text, ".."))
        return error_set(err, -EINVAL, "--network-alias \"%.60s\" is no host name", text);
    return 0;
}

/* "name=NET,alias=NAME,ip=IP,ip6=IP,mac-address=MAC", or only a name. */
static int split(const char *word, struct strv *parts, struct endpoint_words *out,
                 struct error *err)
{
    const struct {
        const char *key;
        const char **value;
    } keys[] = {{"name=", &out->network},
                {"ip=", &out->ip},
                {"ip6=", &out->ip6},
                {"mac-address=", &out->mac}};
    if (!strchr(word, '=')) {
        out->network = word;
        return 0;
    }
    strv_split(parts, word, ',');
    for (size_t i = 0; i < parts->len; i++) {
        const char *part = parts->items[i];
        bool known = starts_with(part, "alias=");
        if (known)
            strv_add(&out->aliases, part + strlen("alias="));
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
            if (starts_with(part, keys[k].key)) {
                *keys[k].value = part + strlen(keys[k].key);
                known = true;
            }
        if (!known)
            return error_set(err, -EINVAL,
                             "--network %.100s: the keys are name, alias, ip, ip6 and mac-address",
                             word);
    }
    return out->network ? 0 : error_set(err, -EINVAL, "--network %.100s names no network", word);
}

static char *copy(const char *text)
{
    return text && *text ? xstrdup(text) : NULL;
}

int plan_endpoint(const struct containers *all, struct plan *plan,
                  const struct endpoint_words *words, struct error *err)
{
    autonetwork network = {0};
    int rc = find(all, words->network, &network, err);
    for (size_t i = 0; rc == 0 && i < plan->endpoint_count; i++)
        if (streq(plan->endpoints[i].network, network.name))
            return error_set(err, -EEXIST, "--network %s is there twice", network.name);
    if (rc == 0 && plan->endpoint_count == NETWORK_PORTS_MAX)
        return error_set(err, -E2BIG, "a container can be on %d networks", NETWORK_PORTS_MAX);
    if (rc == 0 && words->ip && *words->ip)
        rc = check_address("--ip", words->ip, AF_INET, &network, err);
    if (rc == 0 && words->ip6 && *words->ip6)
        rc = check_address("--ip6", words->ip6, AF_INET6, &network, err);
    if (rc == 0 && words->mac && *words->mac)
        rc = check_mac(words->mac, err);
    if (rc == 0 && words->aliases.len > 0 && streq(network.name, NETWORK_DEFAULT))
        return error_set(err, -EINVAL,
                         "--network-alias needs a network of your own (caisson network create): "
                         "on the default one nobody is there to use it");
    for (size_t i = 0; rc == 0 && i < words->aliases.len; i++)
        rc = check_alias(words->aliases.items[i], err);
    if (rc < 0)
        return rc;
    struct plan_endpoint *endpoint = plan_add_endpoint(plan);
    endpoint->network = xstrdup(network.name);
    endpoint->ip4 = copy(words->ip);
    endpoint->ip6 = copy(words->ip6);
    endpoint->mac = copy(words->mac);
    strv_copy(&endpoint->aliases, &words->aliases);
    return 0;
}

/* --- all of it --- */

/* What belongs to the network when there is one, and only one. */
static void take_flags(const struct request *r, struct endpoint_words *words)
{
    words->ip = words->ip ? words->ip : r->ip;
    words->ip6 = words->ip6 ? words->ip6 : r->ip6;
    words->mac = words->mac ? words->mac : r->mac_address;
    for (size_t i = 0; i < r->network_aliases.len; i++)
        strv_add(&words->aliases, r->network_aliases.items[i]);
}

static int endpoints(struct planning *p, const struct strv *networks, struct error *err)
{
    const struct request *r = p->request;
    bool flags = r->ip || r->ip6 || r->mac_address || r->network_aliases.len > 0;
    if (flags && networks->len > 1)
        return error_set(err, -EINVAL,
                         "with several networks --ip, --ip6, --mac-address and --network-alias "
                         "are said with the network: --network name=NAME,ip=IP,alias=NAME");
    for (size_t i = 0; i < networks->len; i++) {
        autostrv parts = {0};
        struct endpoint_words words = {0};
        int rc = split(networks->items[i], &parts, &words, err);
        if (rc == 0 && flags)
            take_flags(r, &words);
        if (rc == 0)
            rc = plan_endpoint(p->places->containers, p->plan, &words, err);
        strv_free(&words.aliases);
        if (rc < 0)
            return rc;
    }
    p->plan->network = PLAN_NET_BRIDGE;
    return 0;
}

int plan_network_refuse(const struct request *r, const char *network, struct error *err)
{
    bool shared = starts_with(network, "container:"), none = streq(network, "none");
    const struct {
        const char *flag;
        bool given;
    } flags[] = {{"--add-host", shared && r->add_hosts.len > 0},
                 {"--dns", (shared || none) && r->dns.len > 0},
                 {"--dns-search", (shared || none) && r->dns_search.len > 0},
                 {"--dns-option", (shared || none) && r->dns_options.len > 0},
                 {"--ip", r->ip != NULL},
                 {"--ip6", r->ip6 != NULL},
                 {"--mac-address", r->mac_address != NULL},
                 {"--network-alias", r->network_aliases.len > 0},
                 {"--egress", r->egress.len > 0},
                 {"--host-access", r->host_access},
                 {"--metadata-access", r->metadata_access}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (flags[i].given)
            return error_set(err, -EINVAL, "%s means nothing with --network %s", flags[i].flag,
                             network);
    return 0;
}

static int take_names(struct planning *p, struct error *err)
{
    const struct request *r = p->request;
    struct plan *plan = p->plan;
    struct ip_address a;
    if (r->dns.len > NAMES_UPSTREAMS)
        return error_set(err, -E2BIG, "--dns: at most %d servers are asked", NAMES_UPSTREAMS);
    for (size_t i = 0; i < r->dns.len; i++) {
        if (ip_parse(r->dns.items[i], &a) < 0)
            return error_set(err, -EINVAL, "--dns %.60s is no address", r->dns.items[i]);
        strv_add(&plan->dns, r->dns.items[i]);
    }
    for (size_t i = 0; i < r->add_hosts.len; i++) {
        const char *word = r->add_hosts.items[i];
        const char *end = word + strcspn(word, ":="), *value = *end ? end + 1 : "";
        autofree char *name = xstrndup(word, (size_t)(end - word));
        if (check_alias(name, NULL) < 0 || (!streq(value, HOST_GATEWAY) && ip_parse(value, &a) < 0))
            return error_set(err, -EINVAL, "--add-host %.100s: give NAME:IP, or NAME:" HOST_GATEWAY,
                             word);
        strv_fmt(&plan->extra_hosts, "%s=%s", name, value);
    }
    strv_copy(&plan->dns_search, &r->dns_search);
    strv_copy(&plan->dns_options, &r->dns_options);
    for (size_t i = 0; i < plan->dns_search.len + plan->dns_options.len; i++) {
        bool search = i < plan->dns_search.len;
        const char *word =
            search ? plan->dns_search.items[i] : plan->dns_options.items[i - plan->dns_search.len];
        if (!*word || strpbrk(word, " \t\n\r"))
            return error_set(err, -EINVAL, "--dns-%s \"%.60s\" is no single word",
                             search ? "search" : "option", word);
    }
    return 0;
}

/* Kept word by word as it was said, once it is known to be right. */
static int take_egress(struct planning *p, struct error *err)
{
    autoegress list = {0};
    const struct strv *words = &p->request->egress;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < words->len; i++)
        rc = egress_parse(words->items[i], &list, err);
    if (rc == 0)
        strv_copy(&p->plan->egress, words);
    return rc;
}

static void say_egress(struct planning *p)
{
    autobuf text = {0};
    bool any = p->plan->egress.len == 1 && streq(p->plan->egress.items[0], "any");
    if (p->plan->egress.len == 0)
        buf_str(&text, "as its network says");
    strv_join(&p->plan->egress, ",", &text);
    posture_add(&p->plan->posture, "egress", buf_text(&text), "--egress")->relaxed = any;
}

void plan_network_text(const struct plan *plan, struct buf *out)
{
    if (plan->network == PLAN_NET_HOST)
        buf_str(out, "host");
    else if (plan->endpoint_count == 0)
        buf_str(out, "own namespace, nothing in it");
    else
        buf_str(out, "own namespace, on ");
    for (size_t i = 0; i < plan->endpoint_count; i++)
        buf_fmt(out, "%s%s", i ? ", " : "", plan->endpoints[i].network);
}

/* The default one, or what there is where that cannot be had: then `why` has a sentence. */
static const char *usual_network(const struct request *r, bool level_host, struct error *why)
{
    bool meant = ports_wanted(r) || r->host_access || r->metadata_access || r->egress.len > 0;
    if (level_host && !ports_wanted(r))
        return "host";
    return !meant && ids_limited() && network_home_check(why) < 0 ? "none" : NETWORK_DEFAULT;
}

static void say_posture(struct planning *p, bool level_host, const struct error *why)
{
    struct plan *plan = p->plan;
    autobuf text = {0};
    plan_network_text(plan, &text);
    struct protection *item =
        posture_add(&plan->posture, "network", buf_text(&text), "--network host");
    item->relaxed = plan->network == PLAN_NET_HOST && !level_host;
    if (*why->text)
        item->why = xstrdup(why->text);
    if (plan->network != PLAN_NET_BRIDGE)
        return;
    posture_add(&plan->posture, "host-services", plan->host_access ? "open" : "closed",
                "--host-access")
        ->relaxed = plan->host_access;
    posture_add(&plan->posture, "cloud-metadata", plan->metadata_access ? "open" : "closed",
                "--metadata-access")
        ->relaxed = plan->metadata_access;
    say_egress(p);
}

int plan_network(struct planning *p, struct error *err)
{
    const struct request *r = p->request;
    struct plan *plan = p->plan;
    struct strv networks = r->networks;
    char default_network[] = NETWORK_DEFAULT, *only[] = {default_network, NULL};
    bool level_host = p->level == LEVEL_PRIVILEGED;
    struct error why = {0};
    bool said = networks.len > 0 && !streq(networks.items[0], "default");
    const char *first = said ? networks.items[0] : usual_network(r, level_host, &why);
    int rc = 0;
    if (!said)
        networks = (struct strv){.items = only, .len = 1};
    bool other = streq(first, "none") || streq(first, "host") || starts_with(first, "container:");
    if (other && networks.len > 1)
        return error_set(err, -EINVAL, "--network %s goes with no other network", first);
    if (streq(first, "none")) {
        plan->network = PLAN_NET_NONE;
    } else if (streq(first, "host")) {
        plan->network = PLAN_NET_HOST;
    } else {
        plan->host_access = r->host_access;
        plan->metadata_access = r->metadata_access;
        rc = ids_limited() ? network_home_check(err) : 0;
        if (rc == 0)
            rc = endpoints(p, &networks, err);
        if (rc == 0)
            rc = take_egress(p, err);
    }
    if (rc == 0 && other)
        rc = plan_network_refuse(r, first, err);
    if (rc == 0)
        rc = take_names(p, err);
    if (rc < 0)
        return rc;
    if (plan->network == PLAN_NET_NONE || plan->network == PLAN_NET_BRIDGE)
        plan->namespaces |= PLAN_NS_NET;
    say_posture(p, level_host, &why);
    return plan_ports(p, first, err);
}

/* --- files about names --- */

static void add_words(const char *key, const struct strv *words, struct buf *out)
{
    for (size_t i = 0; i < words->len; i++)
        buf_fmt(out, "%s%s", i ? " " : key, words->items[i]);
    if (words->len > 0)
        buf_char(out, '\n');
}

/* Where the host looks up short names. Of several lines the last one counts: resolv.conf(5). */
static void add_host_search(struct buf *out)
{
    autobuf text = {0};
    autostrv lines = {0};
    const char *last = NULL;
    if (read_kernel_file("/etc/resolv.conf", 1 << 20, &text, NULL) < 0)
        return;
    strv_split(&lines, buf_text(&text), '\n');
    for (size_t i = 0; i < lines.len; i++) {
        const char *line = lines.items[i];
        size_t key = strcspn(line, " \t");
        if (line[key] && (starts_with(line, "search") || starts_with(line, "domain")) &&
            key == strlen("search"))
            last = line + key + strspn(line + key, " \t");
    }
    if (last)
        buf_fmt(out, "search %s\n", last);
}

/* But for the servers, which each start knows. */
static void add_resolv_conf(const struct plan *plan, struct buf *out)
{
    const struct strv *search = &plan->dns_search;
    bool dots = false;
    if (search->len == 0)
        add_host_search(out);
    else if (!streq(search->items[0], ".")) /* which means none */
        add_words("search ", search, out);
    for (size_t i = 0; i < plan->dns_options.len; i++)
        dots |= starts_with(plan->dns_options.items[i], "ndots:");
    if (!dots) /* those on its networks come first, and nobody outside is asked for them */
        buf_str(out, "options ndots:0\n");
    add_words("options ", &plan->dns_options, out);
}

static void add_extra_hosts(const struct plan *plan, struct buf *out)
{
    bool host = plan->network == PLAN_NET_HOST;
    for (size_t i = 0; i < plan->extra_hosts.len; i++) {
        const char *word = plan->extra_hosts.items[i], *equals = strchrnul(word, '=');
        const char *address = *equals ? equals + 1 : "";
        bool gateway = streq(address, HOST_GATEWAY);
        if (!gateway || host) /* on a network it is known when it starts */
            buf_fmt(out, "%s\t%.*s\n", gateway ? "127.0.0.1" : address, (int)(equals - word), word);
    }
}

/* The host's own servers, unless others were said. */
static void add_servers(const struct plan *plan, const char *own, struct buf *out)
{
    struct ip_address servers[NAMES_UPSTREAMS];
    size_t count = plan->dns.len > 0 ? 0 : names_read_servers(own, servers);
    for (size_t i = 0; i < plan->dns.len; i++)
        buf_fmt(out, "nameserver %s\n", plan->dns.items[i]);
    for (size_t i = 0; i < count; i++) {
        char text[IP_TEXT_MAX];
        ip_format(&servers[i], text);
        buf_fmt(out, "nameserver %s\n", text);
    }
}

void plan_host_files(struct plan *plan)
{
    autobuf hosts = {0}, own = {0}, resolv = {0};
    if (read_kernel_file("/etc/hosts", 1 << 20, &hosts, NULL) < 0)
        buf_str(&hosts, "127.0.0.1\tlocalhost\n");
    (void)read_kernel_file("/etc/resolv.conf", 1 << 20, &own, NULL);
    if (hosts.len > 0 && hosts.data[hosts.len - 1] != '\n')
        buf_char(&hosts, '\n');
    add_extra_hosts(plan, &hosts);
    if (plan->dns.len + plan->dns_search.len + plan->dns_options.len == 0) {
        buf_str(&resolv, buf_text(&own));
    } else {
        if (plan->dns_search.len == 0)
            add_host_search(&resolv);
        else if (!streq(plan->dns_search.items[0], "."))
            add_words("search ", &plan->dns_search, &resolv);
        add_words("options ", &plan->dns_options, &resolv);
        add_servers(plan, buf_text(&own), &resolv);
    }
    plan->hosts = buf_take(&hosts);
    plan->resolv_conf = buf_take(&resolv);
}

void plan_network_files(struct plan *plan)
{
    autobuf hosts = {0}, resolv = {0};
    buf_str(&hosts, LOCALHOST);
    add_extra_hosts(plan, &hosts);
    if (plan->network == PLAN_NET_BRIDGE) {
        add_resolv_conf(plan, &resolv);
    } else {
        buf_fmt(&hosts, "127.0.1.1\t%s\n", plan->hostname ? plan->hostname : "caisson");
        buf_str(&resolv, "# this container has no network\n");
    }
    plan->hosts = buf_take(&hosts);
    plan->resolv_conf = buf_take(&resolv);
}
