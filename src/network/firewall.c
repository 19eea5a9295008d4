/* SPDX-License-Identifier: Apache-2.0 */
#include "network/firewall.h"

#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <string.h>

#include "network/senders.h"

/* Written beside the table; another one is made anew. */
static const char version[] = "caisson 4";

/* Of a packet's header, where the addresses are: RFC 791, RFC 8200. */
static const struct {
    int family;
    uint8_t protocol; /* of netfilter */
    uint32_t source, destination;
    enum nft_part part;
    const char *members, *gateways, *aside, *subnets, *own, *closed, *host, *metadata, *egress;
} families[2] = {
    {AF_INET, NFPROTO_IPV4, 12, 16, NFT_PART_IPV4, "members4", "gateways4", "aside4", "subnets4",
     "own4", "closed4", "host4", "metadata4", "egress4"},
    {AF_INET6, NFPROTO_IPV6, 8, 24, NFT_PART_IPV6, "members6", "gateways6", "aside6", "subnets6",
     "own6", "closed6", "host6", "metadata6", "egress6"},
};

/* Where clouds answer questions about the machine, credentials included. */
static const char *const closed[] = {"169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32",
                                     "192.0.0.192/32", "fd00:ec2::/32",      "fd20:ce::254/128",
                                     "fe80::/10"};

#define FIRST_HIGH_PORT 1024

#define ADDRESS_WORD 4 /* behind the 16 bytes of an interface's name */

int firewall_look(int fd, const char *table, struct error *err)
{
    char note[64];
    int senders = nft_table_note(fd, NFPROTO_BRIDGE, table, note, sizeof note, err);
    int rc = nft_table_note(fd, NFPROTO_INET, table, note, sizeof note, err);
    if (rc == -ENOENT && senders == -ENOENT)
        return FIREWALL_NONE;
    if (rc == -ENOENT || rc == -ERANGE || senders == -ENOENT || senders == -ERANGE)
        return FIREWALL_PART;
    if (rc < 0 || senders < 0)
        return rc < 0 ? rc : senders;
    return rc == sizeof version && memcmp(note, version, sizeof version) == 0 ? FIREWALL_WHOLE
                                                                              : FIREWALL_PART;
}

/* --- sets --- */

static struct ip_address behind(const struct ip_address *a)
{
    return ip_plus(a, 1);
}

static struct nft_element range_of(const struct ip_prefix *p)
{
    struct nft_element e = {0};
    struct ip_address first = ip_first(p), last = ip_last(p), end = behind(&last);
    nft_key_address(&e.key, &first);
    if (end.family != 0)
        nft_key_address(&e.end, &end);
    return e;
}

static void add_family_sets(struct nft *n, size_t i)
{
    enum nft_part part = families[i].part;
    const struct nft_set sets[] = {
        {.name = families[i].members, .key = {NFT_PART_INTERFACE, part}},
        {.name = families[i].gateways, .key = {NFT_PART_INTERFACE, part}},
        {.name = families[i].aside, .key = {NFT_PART_INTERFACE, part}},
        {.name = families[i].subnets, .key = {part}, .intervals = true},
        {.name = families[i].own, .key = {part}, .intervals = true},
        {.name = families[i].closed, .key = {part}, .intervals = true},
        {.name = families[i].host, .key = {part}},
        {.name = families[i].metadata, .key = {part}},
        {.name = families[i].egress, .key = {part}, .verdicts = true},
    };
    for (size_t j = 0; j < sizeof sets / sizeof *sets; j++)
        nft_add_set(n, &sets[j]);
    for (size_t j = 0; j < sizeof closed / sizeof *closed; j++) {
        struct ip_prefix p;
        if (ip_prefix_parse(closed[j], false, &p) < 0 || p.address.family != families[i].family)
            continue;
        struct nft_element e = range_of(&p);
        nft_add_elements(n, families[i].closed, &e, 1);
    }
}

static void add_sets(struct nft *n)
{
    nft_add_set(n, &(struct nft_set){.name = "bridges", .key = {NFT_PART_INTERFACE}});
    nft_add_set(n, &(struct nft_set){.name = "internal", .key = {NFT_PART_INTERFACE}});
    nft_add_set(
        n, &(struct nft_set){.name = "shared", .key = {NFT_PART_INTERFACE, NFT_PART_INTERFACE}});
    for (size_t i = 0; i < 2; i++)
        add_family_sets(n, i);
}

/* --- rules --- */

static void only_family(struct nft *n, size_t i)
{
    nft_meta(n, NFT_META_NFPROTO, 0);
    nft_compare_u8(n, 0, NFT_CMP_EQ, families[i].protocol);
}

static void load_source(struct nft *n, size_t i, unsigned word)
{
    nft_payload(n, NFT_PAYLOAD_NETWORK_HEADER, families[i].source,
                families[i].family == AF_INET ? 4 : 16, word);
}

static void load_destination(struct nft *n, size_t i, unsigned word)
{
    nft_payload(n, NFT_PAYLOAD_NETWORK_HEADER, families[i].destination,
                families[i].family == AF_INET ? 4 : 16, word);
}

static void on_interface(struct nft *n, enum nft_meta_keys which, const char *set, bool not_in)
{
    nft_meta(n, which, 0);
    nft_lookup(n, set, 0, not_in);
}

/* Nearly every packet is one of these, and the first rule that it meets: in the middle of a
 * connection, and from whose address it says. What it lacks is judged by the rules behind. */
static void let_members_go_on(struct nft *n, const char *chain)
{
    for (size_t i = 0; i < 2; i++) {
        nft_rule_begin(n, chain);
        only_family(n, i);
        nft_meta(n, NFT_META_IIFNAME, 0);
        load_source(n, i, ADDRESS_WORD);
        nft_lookup(n, families[i].members, 0, false);
        nft_ct_state(n, NFT_STATE_ESTABLISHED | NFT_STATE_RELATED);
        nft_verdict(n, NF_ACCEPT, NULL);
        nft_rule_end(n);
    }
}

static void refuse_forged(struct nft *n, const char *chain)
{
    for (size_t i = 0; i < 2; i++) {
        nft_rule_begin(n, chain);
        only_family(n, i);
        nft_meta(n, NFT_META_IIFNAME, 0);
        load_source(n, i, ADDRESS_WORD);
        nft_lookup(n, families[i].members, 0, true);
        nft_counter(n);
        nft_verdict(n, NF_DROP, NULL);
        nft_rule_end(n);
    }
}

static void let_answers_pass(struct nft *n, const char *chain)
{
    nft_rule_begin(n, chain);
    nft_ct_state(n, NFT_STATE_ESTABLISHED | NFT_STATE_RELATED);
    nft_verdict(n, NF_ACCEPT, NULL);
    nft_rule_end(n);
}

static void end_chain(struct nft *n, const char *chain, bool aloud)
{
    nft_rule_begin(n, chain);
    nft_counter(n);
    if (aloud)
        nft_reject(n);
    else
        nft_verdict(n, NF_DROP, NULL);
    nft_rule_end(n);
}

/* Both the packet's own destination and the one before a redirection of the host's: a machine may
 * have the questions answered elsewhere, and a connection may be untracked. */
static void close_metadata(struct nft *n, const char *chain)
{
    for (size_t i = 0; i < 4; i++) {
        size_t f = i / 2;
        nft_rule_begin(n, chain);
        only_family(n, f);
        if (i % 2)
            nft_ct_destination(n, families[f].family, 0);
        else
            load_destination(n, f, 0);
        nft_lookup(n, families[f].closed, 0, false);
        load_source(n, f, 0);
        nft_lookup(n, families[f].metadata, 0, true);
        nft_counter(n);
        nft_reject(n);
        nft_rule_end(n);
    }
}

/* What the host redirects, it offers: ports that another engine publishes, its proxies. */
static void close_redirections(struct nft *n)
{
    for (size_t i = 0; i < 2; i++) {
        nft_rule_begin(n, "from");
        only_family(n, i);
        nft_ct_redirected(n);
        load_source(n, i, 0);
        nft_lookup(n, families[i].host, 0, true);
        nft_counter(n);
        nft_reject(n);
        nft_rule_end(n);
    }
}

/* The host's services, where it is not us. */
static void close_host(struct nft *n)
{
    for (size_t i = 0; i < 2; i++) {
        nft_rule_begin(n, "from");
        only_family(n, i);
        load_destination(n, i, 0);
        nft_lookup(n, families[i].own, 0, false);
        load_source(n, i, 0);
        nft_lookup(n, families[i].host, 0, true);
        nft_counter(n);
        nft_reject(n);
        nft_rule_end(n);
    }
}

static void add_from(struct nft *n)
{
    let_members_go_on(n, "from");
    refuse_forged(n, "from");
    close_metadata(n, "from");
    nft_rule_begin(n, "from");
    on_interface(n, NFT_META_OIFNAME, "bridges", false);
    nft_verdict(n, NFT_GOTO, "to");
    nft_rule_end(n);
    close_redirections(n);
    close_host(n);
    nft_rule_begin(n, "from");
    on_interface(n, NFT_META_IIFNAME, "internal", false);
    nft_counter(n);
    nft_reject(n);
    nft_rule_end(n);
    for (size_t i = 0; i < 2; i++) {
        nft_rule_begin(n, "from");
        only_family(n, i);
        load_source(n, i, 0);
        nft_verdict_map(n, families[i].egress, 0);
        nft_rule_end(n);
    }
    nft_rule_begin(n, "from");
    nft_verdict(n, NF_ACCEPT, NULL);
    nft_rule_end(n);
}

static void add_to(struct nft *n)
{
    let_answers_pass(n, "to");
    nft_rule_begin(n, "to");
    nft_meta(n, NFT_META_IIFNAME, 0);
    nft_meta(n, NFT_META_OIFNAME, ADDRESS_WORD);
    nft_lookup(n, "shared", 0, false);
    nft_verdict(n, NF_ACCEPT, NULL);
    nft_rule_end(n);
    end_chain(n, "to", false);
}

/* Neighbours look for each other's addresses before either has said one: RFC 4861. */
static void let_neighbours_be_found(struct nft *n)
{
    for (uint8_t type = ND_NEIGHBOR_SOLICIT; type <= ND_NEIGHBOR_ADVERT; type++) {
        nft_rule_begin(n, "host");
        only_family(n, 1);
        nft_meta(n, NFT_META_L4PROTO, 0);
        nft_compare_u8(n, 0, NFT_CMP_EQ, IPPROTO_ICMPV6);
        nft_payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, 0);
        nft_compare_u8(n, 0, NFT_CMP_EQ, type);
        nft_verdict(n, NF_ACCEPT, NULL);
        nft_rule_end(n);
    }
}

#define DNS_PORT 53

/* A rule that goes on for what is sent to a port of one's own gateway, by UDP (0) or TCP. */
static void begin_asking(struct nft *n, const char *chain, size_t family, size_t protocol,
                         uint16_t port, const char *gateways)
{
    static const uint8_t protocols[] = {IPPROTO_UDP, IPPROTO_TCP};
    nft_rule_begin(n, chain);
    only_family(n, family);
    nft_meta(n, NFT_META_L4PROTO, 0);
    nft_compare_u8(n, 0, NFT_CMP_EQ, protocols[protocol]);
    nft_payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, 0);
    nft_compare_port(n, 0, NFT_CMP_EQ, port);
    nft_meta(n, NFT_META_IIFNAME, 0);
    load_destination(n, family, ADDRESS_WORD);
    nft_lookup(n, gateways, 0, false);
}

static void let_names_be_asked(struct nft *n)
{
    for (size_t i = 0; i < 8; i++) {
        bool aside = i >= 4;
        size_t f = i / 2 % 2;
        begin_asking(n, "host", f, i % 2, aside ? FIREWALL_ASIDE_PORT : DNS_PORT,
                     aside ? families[f].aside : families[f].gateways);
        nft_verdict(n, NF_ACCEPT, NULL);
        nft_rule_end(n);
    }
}

/* Where somebody else has port 53, what is sent there is led to where names are answered. */
static void lead_aside(struct nft *n)
{
    for (size_t i = 0; i < 4; i++) {
        begin_asking(n, "asked", i / 2, i % 2, DNS_PORT, families[i / 2].aside);
        nft_redirect(n, FIREWALL_ASIDE_PORT);
        nft_rule_end(n);
    }
}

static void add_host(struct nft *n)
{
    let_members_go_on(n, "host");
    let_neighbours_be_found(n);
    refuse_forged(n, "host");
    close_metadata(n, "host");
    let_names_be_asked(n);
    for (size_t i = 0; i < 2; i++) {
        nft_rule_begin(n, "host");
        only_family(n, i);
        load_source(n, i, 0);
        nft_lookup(n, families[i].host, 0, false);
        nft_verdict(n, NF_ACCEPT, NULL);
        nft_rule_end(n);
    }
    end_chain(n, "host", true);
}

/* Also what belongs to another table's bridges is none of this. */
static void forward_nothing_else(struct nft *n, size_t family)
{
    static const enum nft_meta_keys ends[] = {NFT_META_IIFNAME, NFT_META_OIFNAME};
    nft_rule_begin(n, "forward");
    only_family(n, family);
    for (size_t i = 0; i < 2; i++) {
        nft_meta(n, ends[i], 0);
        nft_compare(n, 0, NFT_CMP_NEQ, FIREWALL_BRIDGE_PREFIX, strlen(FIREWALL_BRIDGE_PREFIX));
    }
    nft_counter(n);
    nft_verdict(n, NF_DROP, NULL);
    nft_rule_end(n);
}

static void add_hooks(struct nft *n, unsigned flags)
{
    static const char lo[IFNAMSIZ] = "lo";
    nft_rule_begin(n, "forward");
    on_interface(n, NFT_META_IIFNAME, "bridges", false);
    nft_verdict(n, NFT_GOTO, "from");
    nft_rule_end(n);
    nft_rule_begin(n, "forward");
    on_interface(n, NFT_META_OIFNAME, "bridges", false);
    nft_verdict(n, NFT_GOTO, "to");
    nft_rule_end(n);
    for (size_t i = 0; i < 2; i++)
        if (flags >> i & 1)
            forward_nothing_else(n, i);
    nft_rule_begin(n, "input");
    on_interface(n, NFT_META_IIFNAME, "bridges", false);
    nft_verdict(n, NFT_GOTO, "host");
    nft_rule_end(n);
    for (size_t i = 0; i < 2; i++) {
        nft_rule_begin(n, "arriving");
        only_family(n, i);
        on_interface(n, NFT_META_IIFNAME, "bridges", true); /* cheaper than a look at ranges */
        nft_compare(n, 0, NFT_CMP_NEQ, lo, sizeof lo);
        load_destination(n, i, 0);
        nft_lookup(n, families[i].subnets, 0, false);
        nft_counter(n);
        nft_verdict(n, NF_DROP, NULL);
        nft_rule_end(n);
        nft_rule_begin(n, "leaving");
        only_family(n, i);
        load_source(n, i, 0);
        nft_lookup(n, families[i].subnets, 0, false);
        on_interface(n, NFT_META_OIFNAME, "bridges", true);
        if (flags & FIREWALL_HIGH_PORTS)
            nft_masquerade_ports(n, FIRST_HIGH_PORT, UINT16_MAX);
        else
            nft_masquerade(n);
        nft_rule_end(n);
    }
}

void firewall_add_table(struct nft *n, unsigned flags)
{
    static const struct nft_chain chains[] = {
        {.name = "from", .hook = -1},
        {.name = "to", .hook = -1},
        {.name = "host", .hook = -1},
        {.name = "forward", NF_INET_FORWARD, NF_IP_PRI_FILTER, "filter"},
        {.name = "input", NF_INET_LOCAL_IN, NF_IP_PRI_FILTER, "filter"},
        {.name = "arriving", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW, "filter"},
        {.name = "asked", NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST, "nat"},
        {.name = "leaving", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC, "nat"},
    };
    nft_add_table(n, true, version, sizeof version);
    add_sets(n);
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++)
        nft_add_chain(n, &chains[i]);
    add_from(n);
    add_to(n);
    add_host(n);
    lead_aside(n);
    add_hooks(n, flags);
    senders_add_table(n);
}

/* Made first where it is missing, so that there is one to delete. */
void firewall_delete_table(struct nft *n)
{
    nft_add_table(n, false, NULL, 0);
    nft_delete_table(n);
    senders_delete_table(n);
}

/* --- elements --- */

void firewall_set_own(struct nft *n, const struct ip_prefix *own, size_t count)
{
    for (size_t i = 0; i < 2; i++)
        nft_flush_set(n, families[i].own);
    for (size_t i = 0; i < count; i++) {
        struct nft_element range = range_of(&own[i]);
        nft_add_elements(n, families[own[i].address.family == AF_INET6].own, &range, 1);
    }
}

typedef void change_elements(struct nft *n, const char *set, const struct nft_element *elements,
                             size_t count);

static void change_interface(struct nft *n, change_elements *change, const char *set,
                             const char *name, const char *other)
{
    struct nft_element e = {0};
    nft_key_interface(&e.key, name);
    if (other)
        nft_key_interface(&e.key, other);
    change(n, set, &e, 1);
}

static void change_pair(struct nft *n, change_elements *change, const char *set, const char *bridge,
                        const struct ip_address *a)
{
    struct nft_element e = {0};
    nft_key_interface(&e.key, bridge);
    nft_key_address(&e.key, a);
    change(n, set, &e, 1);
}

static void change_network(struct nft *n, change_elements *change,
                           const struct firewall_network *network)
{
    change_interface(n, change, "bridges", network->bridge, NULL);
    if (network->internal)
        change_interface(n, change, "internal", network->bridge, NULL);
    if (network->shared)
        change_interface(n, change, "shared", network->bridge, network->bridge);
    for (size_t i = 0; i < 2; i++) {
        const struct ip_prefix *subnet = &network->subnets[i];
        if (subnet->address.family == 0)
            continue;
        size_t f = subnet->address.family == AF_INET6;
        struct nft_element range = range_of(subnet);
        change(n, families[f].subnets, &range, 1);
        if (network->answers)
            change_pair(n, change, families[f].gateways, network->bridge, &network->gateways[i]);
        if (network->aside)
            change_pair(n, change, families[f].aside, network->bridge, &network->gateways[i]);
    }
}

void firewall_lead_aside(struct nft *n, const struct firewall_network *network)
{
    for (size_t f = 0; f < 2; f++)
        if (network->subnets[f].address.family != 0)
            change_pair(n, nft_add_elements, families[f].aside, network->bridge,
                        &network->gateways[f]);
}

void firewall_add_network(struct nft *n, const struct firewall_network *network)
{
    change_network(n, nft_add_elements, network);
}

void firewall_remove_network(struct nft *n, const struct firewall_network *network)
{
    change_network(n, nft_delete_elements, network);
}

static void change_address(struct nft *n, change_elements *change, const char *set,
                           const struct ip_address *a, const char *egress)
{
    struct nft_element e = {.verdict = egress ? NFT_GOTO : 0, .chain = egress};
    nft_key_address(&e.key, a);
    change(n, set, &e, 1);
}

static void change_member(struct nft *n, change_elements *change, const struct firewall_member *m)
{
    for (size_t i = 0; i < 2; i++) {
        const struct ip_address *a = &m->addresses[i];
        if (a->family == 0)
            continue;
        size_t f = a->family == AF_INET6;
        if (m->cable)
            (change == nft_add_elements ? senders_add : senders_remove)(n, m->cable, m->mac, a);
        if (m->bridge)
            change_pair(n, change, families[f].members, m->bridge, a);
        if (m->host)
            change_address(n, change, families[f].host, a, NULL);
        if (m->metadata)
            change_address(n, change, families[f].metadata, a, NULL);
        if (m->egress)
            change_address(n, change, families[f].egress, a, m->egress);
    }
}

void firewall_add_member(struct nft *n, const struct firewall_member *member)
{
    change_member(n, nft_add_elements, member);
}

void firewall_remove_member(struct nft *n, const struct firewall_member *member)
{
    change_member(n, nft_delete_elements, member);
}
