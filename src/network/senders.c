/* SPDX-License-Identifier: Apache-2.0 */
#include "network/senders.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <netinet/icmp6.h>
#include <string.h>

#define CHAIN "arriving"

/* The words of a key: interface, hardware address, IP address. */
enum { MAC_WORD = 4, ADDRESS_WORD = 6 };

/* Where a frame says who speaks: RFC 791, RFC 826, RFC 8200. */
static const struct said {
    const char *set;
    uint16_t protocol; /* ETH_P_* */
    uint32_t offset, size;
} said[] = {
    {"senders4", ETH_P_IP, 12, 4},
    {"senders6", ETH_P_IPV6, 8, 16},
    {"senders4", ETH_P_ARP, 14, 4},
};

static void only_protocol(struct nft *n, uint16_t protocol)
{
    protocol = htons(protocol);
    nft_meta(n, NFT_META_PROTOCOL, 0);
    nft_compare(n, 0, NFT_CMP_EQ, &protocol, sizeof protocol);
}

static void load_cable(struct nft *n)
{
    nft_meta(n, NFT_META_IIFNAME, 0);
    nft_payload(n, NFT_PAYLOAD_LL_HEADER, ETH_ALEN, ETH_ALEN, MAC_WORD);
}

static void let_others_pass(struct nft *n)
{
    nft_rule_begin(n, CHAIN);
    nft_meta(n, NFT_META_IIFNAME, 0);
    nft_compare(n, 0, NFT_CMP_NEQ, SENDERS_CABLE_PREFIX, strlen(SENDERS_CABLE_PREFIX));
    nft_verdict(n, NF_ACCEPT, NULL);
    nft_rule_end(n);
}

/* Sender and target are two addresses of such a message, and it is the target that is believed. */
static void check_advertisements(struct nft *n)
{
    nft_rule_begin(n, CHAIN);
    only_protocol(n, ETH_P_IPV6);
    nft_meta(n, NFT_META_L4PROTO, 0);
    nft_compare_u8(n, 0, NFT_CMP_EQ, IPPROTO_ICMPV6);
    nft_payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, 0);
    nft_compare_u8(n, 0, NFT_CMP_EQ, ND_NEIGHBOR_ADVERT);
    load_cable(n);
    nft_payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, sizeof(struct icmp6_hdr), 16, ADDRESS_WORD);
    nft_lookup(n, "senders6", 0, true);
    nft_counter(n);
    nft_verdict(n, NF_DROP, NULL);
    nft_rule_end(n);
}

/* In the order of how often they come: each packet of a flow goes through as few rules as can be.
 */
static void let_known_pass(struct nft *n)
{
    check_advertisements(n);
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        nft_rule_begin(n, CHAIN);
        only_protocol(n, said[i].protocol);
        load_cable(n);
        nft_payload(n, NFT_PAYLOAD_NETWORK_HEADER, said[i].offset, said[i].size, ADDRESS_WORD);
        nft_lookup(n, said[i].set, 0, false);
        nft_verdict(n, NF_ACCEPT, NULL);
        nft_rule_end(n);
    }
    nft_rule_begin(n, CHAIN);
    nft_counter(n);
    nft_verdict(n, NF_DROP, NULL);
    nft_rule_end(n);
}

void senders_add_table(struct nft *n)
{
    static const enum nft_part last[] = {NFT_PART_IPV4, NFT_PART_IPV6};
    const char *const sets[] = {"senders4", "senders6"};
    uint8_t before = nft_family(n, NFPROTO_BRIDGE);
    nft_add_table(n, true, NULL, 0);
    for (size_t i = 0; i < 2; i++)
        nft_add_set(n, &(struct nft_set){.name = sets[i],
                                         .key = {NFT_PART_INTERFACE, NFT_PART_ETHER, last[i]}});
    nft_add_chain(n, &(struct nft_chain){.name = CHAIN,
                                         .hook = NF_BR_PRE_ROUTING,
                                         .priority = NF_BR_PRI_FILTER_BRIDGED,
                                         .type = "filter"});
    let_others_pass(n);
    let_known_pass(n);
    nft_family(n, before);
}

/* Made first where it is missing, so that there is one to delete. */
void senders_delete_table(struct nft *n)
{
    uint8_t before = nft_family(n, NFPROTO_BRIDGE);
    nft_add_table(n, false, NULL, 0);
    nft_delete_table(n);
    nft_family(n, before);
}

static void change(struct nft *n, bool add, const char *cable, const uint8_t mac[MAC_SIZE],
                   const struct ip_address *address)
{
    const char *set = address->family == AF_INET6 ? "senders6" : "senders4";
    struct nft_element e = {0};
    uint8_t before = nft_family(n, NFPROTO_BRIDGE);
    nft_key_interface(&e.key, cable);
    nft_key_number(&e.key, mac, MAC_SIZE);
    nft_key_address(&e.key, address);
    if (add)
        nft_add_elements(n, set, &e, 1);
    else
        nft_delete_elements(n, set, &e, 1);
    nft_family(n, before);
}

void senders_add(struct nft *n, const char *cable, const uint8_t mac[MAC_SIZE],
                 const struct ip_address *address)
{
    change(n, true, cable, mac, address);
}

void senders_remove(struct nft *n, const char *cable, const uint8_t mac[MAC_SIZE],
                    const struct ip_address *address)
{
    change(n, false, cable, mac, address);
}
