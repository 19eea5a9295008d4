/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/strv.h"
#include "base/text.h"
#include "fetch/fetch.h"

/* --- lists of destinations --- */

static bool has_port(const struct egress_rule *rule, uint16_t port)
{
    return rule->tcp && (rule->port == 0 || rule->port == port);
}

static bool lists(const struct egress_list *list, const struct ip_address *a, uint16_t port)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->rules[i].kind == EGRESS_PREFIX && has_port(&list->rules[i], port) &&
            ip_within(&list->rules[i].prefix, a))
            return true;
    return false;
}

static bool has_prefixes(const struct egress_list *list, uint16_t port)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->rules[i].kind == EGRESS_PREFIX && has_port(&list->rules[i], port))
            return true;
    return false;
}

int fetch_may_ask(struct fetch_hop *hop, struct error *err)
{
    struct ip_address a;
    const struct egress_list *list = hop->egress;
    if (!list->limited)
        return 0;
    bool literal = ip_parse(hop->host, &a) == 0;
    for (size_t i = 0; !literal && i < list->count; i++)
        hop->named |=
            egress_rule_names(&list->rules[i], hop->host) && has_port(&list->rules[i], hop->port);
    /* A name that only leads to a listed address is looked at when that is known; a proxy would
     * not tell. */
    bool may = literal      ? lists(list, &a, hop->port)
               : hop->proxy ? hop->named
                            : hop->named || has_prefixes(list, hop->port);
    if (may)
        return 0;
    return error_set(err, -EACCES,
                     "%.200s port %u is not on the list of destinations: add --egress %.200s:%u",
                     hop->host, hop->port, hop->host, hop->port);
}

static bool address_of(const struct sockaddr *from, struct ip_address *out, uint16_t *port)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    *out = (struct ip_address){.family = from->sa_family};
    if (from->sa_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, from, sizeof four);
        memcpy(out->bytes, &four.sin_addr, 4);
        *port = ntohs(four.sin_port);
        return true;
    }
    if (from->sa_family != AF_INET6)
        return false;
    struct sockaddr_in6 six;
    memcpy(&six, from, sizeof six);
    *port = ntohs(six.sin6_port);
    memcpy(out->bytes, &six.sin6_addr, 16);
    if (memcmp(out->bytes, mapped, sizeof mapped) == 0) {
        memmove(out->bytes, out->bytes + 12, 4);
        out->family = AF_INET;
    }
    return true;
}

bool fetch_may_connect(const struct fetch_hop *hop, const struct sockaddr *address)
{
    struct ip_address a;
    uint16_t port;
    if (!address_of(address, &a, &port))
        return false;
    if (!hop->egress->limited || hop->proxy)
        return true;
    return lists(hop->egress, &a, port) || (hop->named && egress_public(&a));
}

/* --- proxies --- */

static const char *variable(const char *lower, const char *upper)
{
    const char *value = getenv(lower);
    if (!value || !*value)
        value = getenv(upper);
    return value && *value ? value : NULL;
}

/* "*", "example.com" (and all below it), ".example.com", an address or a prefix. */
static bool is_exempt(const char *host, char *entry)
{
    struct ip_address a;
    struct ip_prefix prefix;
    size_t length = strlen(host), from;
    entry += strspn(entry, " ");
    entry[strcspn(entry, " ")] = '\0';
    if (streq(entry, "*"))
        return true;
    if (ip_parse(host, &a) == 0)
        return ip_prefix_parse(entry, true, &prefix) == 0 && ip_within(&prefix, &a);
    entry += *entry == '.';
    from = strlen(entry);
    if (from == 0 || from > length || strcasecmp(host + length - from, entry) != 0)
        return false;
    return from == length || host[length - from - 1] == '.';
}

const char *fetch_proxy(bool https, const char *host)
{
    autostrv entries = {0};
    const char *proxy =
        https ? variable("https_proxy", "HTTPS_PROXY") : variable("http_proxy", "HTTP_PROXY");
    const char *none = variable("no_proxy", "NO_PROXY");
    if (!proxy)
        proxy = variable("all_proxy", "ALL_PROXY");
    if (!proxy || !none)
        return proxy;
    strv_split(&entries, none, ',');
    for (size_t i = 0; i < entries.len; i++)
        if (is_exempt(host, entries.items[i]))
            return NULL;
    return proxy;
}
