/* SPDX-License-Identifier: Apache-2.0 */
/* network create, rm, prune: what changes networks. */
#include <limits.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cmd/container_words.h"
#include "cmd/front.h"
#include "cmd/network_options.h"
#include "cmd/print.h"
#include "cmd/prune_parts.h"
#include "container/events.h"
#include "container/networks.h"

/* --- create --- */

static int read_prefix(const char *flag, const char *word, struct ip_prefix *out, struct error *err)
{
    autobuf shown = {0};
    if (ip_prefix_parse(word, false, out) == 0)
        return 0;
    buf_printable(&shown, word);
    return error_set(err, -EINVAL, "%s \"%.100s\" is no prefix such as 10.1.2.0/24 or fd00::/64",
                     flag, buf_text(&shown));
}

static int read_subnets(const struct network_create_options *o, struct network *network,
                        struct error *err)
{
    for (size_t i = 0; i < o->subnets.len; i++) {
        struct ip_prefix subnet;
        int rc = read_prefix("--subnet", o->subnets.items[i], &subnet, err);
        if (rc < 0)
            return rc;
        struct ip_prefix *place = &network->ranges[subnet.address.family == AF_INET6].subnet;
        if (place->address.family != 0)
            return error_set(err, -EINVAL,
                             "--subnet %s: there is one of this family already; a network has one "
                             "IPv4 and one IPv6 prefix at most",
                             o->subnets.items[i]);
        *place = subnet;
    }
    return 0;
}

/* What belongs to a subnet is said with one: else it could not be known to lie in it. */
static int needs_subnet(const struct network *network, size_t family, const char *flag,
                        const char *word, struct error *err)
{
    if (network->ranges[family].subnet.address.family != 0)
        return 0;
    return error_set(err, -EINVAL, "%s %s needs a --subnet that it lies in", flag, word);
}

static int read_rest(const struct network_create_options *o, struct network *network,
                     struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < o->ranges.len; i++) {
        struct ip_prefix given;
        rc = read_prefix("--ip-range", o->ranges.items[i], &given, err);
        size_t f = rc == 0 && given.address.family == AF_INET6;
        if (rc == 0)
            rc = needs_subnet(network, f, "--ip-range", o->ranges.items[i], err);
        if (rc == 0)
            network->ranges[f].given = given;
    }
    for (size_t i = 0; rc == 0 && i < o->gateways.len; i++) {
        struct ip_address gateway;
        if (ip_parse(o->gateways.items[i], &gateway) < 0)
            return error_set(err, -EINVAL, "--gateway %.60s is no address", o->gateways.items[i]);
        rc = needs_subnet(network, gateway.family == AF_INET6, "--gateway", o->gateways.items[i],
                          err);
        if (rc == 0)
            network->ranges[gateway.family == AF_INET6].gateway = gateway;
    }
    return rc;
}

/* Docker's long names are taken too. */
static int read_option(const char *word, struct network *network, struct error *err)
{
    static const char *const mtu[] = {"mtu=", "com.docker.network.driver.mtu="};
    static const char *const icc[] = {"icc=", "com.docker.network.bridge.enable_icc="};
    uint64_t number;
    for (size_t i = 0; i < 2; i++) {
        if (starts_with(word, mtu[i])) {
            if (parse_u64(word + strlen(mtu[i]), 65535, &number) < 0 || number < 576)
                return error_set(err, -EINVAL, "--opt %.60s: give 576 to 65535 bytes", word);
            network->mtu = (uint32_t)number;
            return 0;
        }
        const char *value = starts_with(word, icc[i]) ? word + strlen(icc[i]) : NULL;
        if (value && (streq(value, "true") || streq(value, "false"))) {
            network->shared = streq(value, "true");
            return 0;
        }
    }
    return error_set(err, -EINVAL,
                     "--opt %.60s is not known; there are mtu=BYTES and icc=true or false", word);
}

int command_network_create(const struct invocation *call, void *options, struct error *err)
{
    const struct network_create_options *o = options;
    struct network network = {.internal = o->internal, .shared = true};
    struct network_host host = NETWORK_HOST_NONE;
    autocontainers all = {0};
    int rc = network_check_name(call->arguments[0], err);
    if (rc == 0)
        rc = read_subnets(o, &network, err);
    if (rc == 0)
        rc = read_rest(o, &network, err);
    for (size_t i = 0; rc == 0 && i < o->options.len; i++)
        rc = read_option(o->options.items[i], &network, err);
    autoegress list = {0};
    for (size_t i = 0; rc == 0 && i < o->egress.len; i++)
        rc = egress_parse(o->egress.items[i], &list, err);
    if (rc == 0 && o->ipv6 && network.ranges[1].subnet.address.family == 0)
        network.mtu = network.mtu && network.mtu < 1280 ? 1280 : network.mtu; /* RFC 8200, 5 */
    if (rc == 0)
        rc = containers_here(&all, err);
    if (rc == 0)
        rc = networks_here(&all, &host, err);
    if (rc < 0)
        return rc;
    snprintf(network.name, sizeof network.name, "%s", call->arguments[0]);
    network.labels = o->labels; /* borrowed */
    network.options = o->options;
    network.egress = o->egress;
    rc = network_create(&host.place, host.outside, &network, o->ipv6, err);
    if (rc == 0)
        event_tell_network(&all, &network, "create", NULL);
    network_host_close(&host);
    return rc < 0 ? rc : print_word(network.id);
}

/* --- connect, disconnect --- */

/* What both need: the container that is meant, and the path of this program. */
struct change {
    struct containers all;
    struct container container;
    char program[PATH_MAX];
    struct error warning;
};

static void change_close(struct change *change)
{
    container_close(&change->container);
    containers_close(&change->all);
}
#define autochange __attribute__((cleanup(change_close))) struct change

static int change_open(const struct invocation *call, struct change *change, struct error *err)
{
    int rc = front_program(change->program, sizeof change->program, err);
    if (rc == 0)
        rc = containers_here(&change->all, err);
    if (rc == 0)
        rc = container_find(&change->all, call->arguments[1], &change->container, err);
    return rc == 0 ? front_seal_for(&change->container.plan, err) : rc;
}

static int tell_change(int rc, const struct change *change)
{
    if (rc == 0 && *change->warning.text)
        tell_warning("%s", change->warning.text);
    return rc;
}

int command_network_connect(const struct invocation *call, void *options, struct error *err)
{
    const struct network_connect_options *o = options;
    const struct endpoint_words words = {.network = call->arguments[0],
                                         .ip = o->ip,
                                         .ip6 = o->ip6,
                                         .mac = o->mac,
                                         .aliases = o->aliases};
    autochange change = {.container = CONTAINER_EMPTY};
    int rc = change_open(call, &change, err);
    if (rc == 0)
        rc = container_network_connect(&change.container, &words, change.program, &change.warning,
                                       err);
    return tell_change(rc, &change);
}

int command_network_disconnect(const struct invocation *call, void *options, struct error *err)
{
    const struct network_disconnect_options *o = options;
    autochange change = {.container = CONTAINER_EMPTY};
    int rc = change_open(call, &change, err);
    if (rc == 0)
        rc = container_network_disconnect(&change.container, call->arguments[0], o->force,
                                          change.program, &change.warning, err);
    return tell_change(rc, &change);
}

/* --- rm --- */

struct removal {
    bool force;
};

static int remove_one(struct containers *all, const char *word, void *closure, struct error *err)
{
    const struct removal *removal = closure;
    struct error why = {0};
    int rc = container_network_remove(all, word, false, &why);
    if (rc == -ENOENT && removal->force)
        return 0; /* as was wanted */
    return rc < 0 ? error_set(err, rc, "%s", why.text) : print_word(word);
}

int command_network_rm(const struct invocation *call, void *options, struct error *err)
{
    const struct network_rm_options *o = options;
    struct removal removal = {o->force};
    return for_each_word(call, remove_one, &removal, err);
}

/* --- prune --- */

struct network_filter {
    struct label_filter labels;
    nanoseconds until; /* made before that */
};

static int parse_filter(const struct strv *words, struct network_filter *out, struct error *err)
{
    out->until = INT64_MAX;
    for (size_t i = 0; i < words->len; i++) {
        const char *word = words->items[i];
        int rc = 0;
        if (starts_with(word, "until="))
            rc = read_moment("--filter until", word + strlen("until="), &out->until, err);
        else if (!label_filter_take(&out->labels, word))
            rc = error_set(err, -EINVAL,
                           "--filter %.60s: known are label=, label!= and until=", word);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int prune_one(struct containers *all, const struct network_filter *filter,
                     const struct network_host *host, const char *name, struct buf *said,
                     struct error *err)
{
    autonetwork network = {0};
    int rc = network_find(&host->place, host->outside, name, &network, err);
    if (rc == 0 && (network.created > filter->until ||
                    !label_filter_matches(&filter->labels, &network.labels)))
        return 0;
    if (rc == 0)
        rc = container_network_remove(all, name, true, err);
    if (rc == -ENOENT || rc == -EBUSY)
        return 0;
    if (rc == 0)
        buf_fmt(said, "%s\n", name);
    return rc;
}

int prune_networks(const struct strv *filters, struct buf *said, struct error *err)
{
    struct network_filter filter = {0};
    struct network_host host = NETWORK_HOST_NONE;
    autocontainers all = {0};
    autostrv names = {0};
    int status = 0;
    int rc = parse_filter(filters, &filter, err);
    if (rc == 0)
        rc = containers_here(&all, err);
    if (rc == 0)
        rc = networks_here(&all, &host, err);
    if (rc == 0)
        rc = network_list(&host.place, &names, err);
    for (size_t i = 0; rc == 0 && i < names.len; i++) {
        struct error wrong = {0};
        if (!streq(names.items[i], NETWORK_DEFAULT) &&
            prune_one(&all, &filter, &host, names.items[i], said, &wrong) < 0) {
            tell_error(&wrong);
            status = 1;
        }
    }
    if (rc == 0)
        event_tell_pruned(&all, "network", 0);
    network_host_close(&host);
    label_filter_free(&filter.labels);
    return rc < 0 ? rc : status;
}

int command_network_prune(const struct invocation *call, void *options, struct error *err)
{
    const struct network_prune_options *o = options;
    autobuf said = {0}, answer = {0};
    (void)call;
    int rc =
        prune_confirm(o->force, "This removes all networks that no container uses. Go on?", err);
    if (rc <= 0)
        return rc;
    rc = prune_networks(&o->filters, &said, err);
    prune_section(&answer, "Deleted Networks", &said);
    int printed = print(&answer);
    return rc ? rc : printed;
}
