/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses a network has. */
#include <net/if.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "network/home.h"
#include "network/link.h"
#include "network/networks_dir.h"

/* Private addresses that few use: RFC 1918. The default network takes a larger part. */
#define POOL "10.208.0.0/12"
#define POOL_DEFAULT_LENGTH 20
#define POOL_LENGTH 24
#define POOL6_LENGTH 64

struct taken {
    struct ip_prefix prefix;
    char whose[NETWORK_NAME_SIZE + 32];
    char bridge[IFNAMSIZ]; /* of a network of ours; "" */
};

struct taken_list {
    struct taken *items;
    size_t count;
};

static void taken_free(struct taken_list *list)
{
    free(list->items);
}

static void add(struct taken_list *list, const struct ip_prefix *prefix, const char *kind,
                const char *name)
{
    list->items = xrealloc(list->items, list->count + 1, sizeof *list->items);
    struct taken *t = &list->items[list->count++];
    t->prefix = *prefix;
    t->bridge[0] = '\0';
    snprintf(t->whose, sizeof t->whose, "%s %s", kind, name);
}

static void add_network(struct taken_list *list, const struct network *network, size_t range)
{
    add(list, &network->ranges[range].subnet, "network", network->name);
    memcpy(list->items[list->count - 1].bridge, network->bridge, IFNAMSIZ);
}

static int add_route(const struct ip_prefix *to, int index, void *closure)
{
    struct taken_list *own = closure;
    char name[IFNAMSIZ] = "?";
    if (to->length == 0)
        return 0;
    (void)if_indextoname((unsigned)index, name);
    for (size_t i = 0; i < own->count; i++) /* those are networks, and have names */
        if (streq(own->items[i].bridge, name))
            return 0;
    add(own, to, "the host's route by interface", name);
    return 0;
}

static int collect(const struct network_place *place, int routes, struct taken_list *list,
                   struct error *err)
{
    struct ip_prefix home;
    autostrv names = {0};
    if (ip_prefix_parse(HOME_SUBNET6, false, &home) == 0)
        add(list, &home, "the way out of", "ordinary users' networks");
    autofd top = networks_open(place->root, false, err);
    int rc = top < 0 ? top : network_list(place, &names, err);
    for (size_t i = 0; rc == 0 && i < names.len; i++) {
        autonetwork other = {0};
        if (network_read(top, names.items[i], &other, NULL) < 0)
            continue; /* damaged: it has no bridge until it is mended */
        for (size_t r = 0; r < 2; r++)
            if (other.ranges[r].subnet.address.family != 0)
                add_network(list, &other, r);
    }
    if (rc == 0)
        rc = link_routes(routes, AF_INET, add_route, list, err);
    if (rc == 0)
        rc = link_routes(routes, AF_INET6, add_route, list, err);
    return rc;
}

static const struct taken *who_has(const struct taken_list *list, const struct ip_prefix *subnet)
{
    for (size_t i = 0; i < list->count; i++)
        if (ip_overlap(&list->items[i].prefix, subnet))
            return &list->items[i];
    return NULL;
}

/* --- what was asked for --- */

static int check_subnet(const struct ip_prefix *subnet, const struct taken_list *list,
                        struct error *err)
{
    char text[IP_TEXT_MAX], other[IP_TEXT_MAX];
    bool six = subnet->address.family == AF_INET6;
    struct ip_address first = ip_first(subnet);
    ip_prefix_format(subnet, text);
    if (subnet->length < (six ? 32U : 8U) || subnet->length > (six ? 126U : 30U))
        return error_set(err, -EINVAL, "--subnet %s: give a prefix of %s bits", text,
                         six ? "32 to 126" : "8 to 30");
    if (!ip_equal(&first, &subnet->address)) {
        struct ip_prefix meant = {first, subnet->length};
        ip_prefix_format(&meant, other);
        return error_set(err, -EINVAL, "--subnet %s: that is an address in %s; give that", text,
                         other);
    }
    /* Multicast, loopback and link-local addresses are no hosts' of a network. */
    if (six ? first.bytes[0] == 0xff || first.bytes[0] == 0xfe
            : first.bytes[0] == 127 || first.bytes[0] >= 224 ||
                  (first.bytes[0] == 169 && first.bytes[1] == 254))
        return error_set(err, -EINVAL, "--subnet %s: those are no addresses of hosts", text);
    const struct taken *t = who_has(list, subnet);
    if (!t)
        return 0;
    ip_prefix_format(&t->prefix, other);
    return error_set(err, -EADDRINUSE, "--subnet %s overlaps with %s of %s; choose another", text,
                     other, t->whose);
}

static bool usable(const struct ip_prefix *subnet, const struct ip_address *a)
{
    struct ip_address first = ip_first(subnet), last = ip_last(subnet);
    return ip_within(subnet, a) && !ip_equal(a, &first) &&
           (a->family == AF_INET6 || !ip_equal(a, &last));
}

static int complete(struct network_range *range, struct error *err)
{
    char text[IP_TEXT_MAX], subnet[IP_TEXT_MAX];
    ip_prefix_format(&range->subnet, subnet);
    struct ip_address first = ip_first(&range->subnet);
    if (range->gateway.family == 0)
        range->gateway = ip_plus(&first, 1);
    ip_format(&range->gateway, text);
    if (!usable(&range->subnet, &range->gateway))
        return error_set(err, -EINVAL, "--gateway %s is no address of a host in %s", text, subnet);
    if (range->given.address.family == 0)
        return 0;
    ip_prefix_format(&range->given, text);
    if (range->given.length < range->subnet.length ||
        !ip_within(&range->subnet, &range->given.address))
        return error_set(err, -EINVAL, "--ip-range %s does not lie in %s", text, subnet);
    return 0;
}

/* --- what is chosen --- */

static int choose4(bool usual, const struct taken_list *list, struct ip_prefix *out,
                   struct error *err)
{
    struct ip_prefix pool;
    unsigned length = usual ? POOL_DEFAULT_LENGTH : POOL_LENGTH;
    uint64_t step = 1ULL << (32 - length);
    (void)ip_prefix_parse(POOL, false, &pool);
    uint64_t count = 1ULL << (length - pool.length);
    /* Named ones begin behind the first that the default network may have. */
    for (uint64_t i = usual ? 0 : 1U << (POOL_LENGTH - POOL_DEFAULT_LENGTH); i < count; i++) {
        struct ip_prefix candidate = {ip_plus(&pool.address, i * step), length};
        if (!who_has(list, &candidate)) {
            *out = candidate;
            return 0;
        }
    }
    return error_set(err, -ENOSPC,
                     "no subnet is free in " POOL ": remove networks that are not used (caisson "
                     "network prune) or give one with --subnet");
}

/* A unique local prefix of random bits: RFC 4193, 3.2. */
static int choose6(const struct taken_list *list, struct ip_prefix *out, struct error *err)
{
    for (int i = 0; i < 100; i++) {
        struct ip_prefix candidate = {{.family = AF_INET6, .bytes = {0xfd}}, POOL6_LENGTH};
        if (getrandom(candidate.address.bytes + 1, 7, 0) != 7)
            return error_errno(err, "cannot get random bytes");
        if (who_has(list, &candidate))
            continue;
        *out = candidate;
        return 0;
    }
    return error_set(err, -ENOSPC, "no IPv6 subnet is free: give one with --subnet");
}

int subnets_choose(const struct network_place *place, int routes, struct network *network,
                   bool ipv6, struct error *err)
{
    struct taken_list list __attribute__((cleanup(taken_free))) = {0};
    int rc = collect(place, routes, &list, err);
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        struct network_range *range = &network->ranges[i];
        if (range->subnet.address.family != 0)
            rc = check_subnet(&range->subnet, &list, err);
        else if (i == 0)
            rc = choose4(streq(network->name, NETWORK_DEFAULT), &list, &range->subnet, err);
        else if (ipv6)
            rc = choose6(&list, &range->subnet, err);
        if (rc == 0 && range->subnet.address.family != 0)
            rc = complete(range, err);
    }
    return rc;
}
