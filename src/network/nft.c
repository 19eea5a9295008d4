/* SPDX-License-Identifier: Apache-2.0 */
#include "network/nft.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_log.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

/* nft shows a concatenation by the numbers of its parts, six bits each. */
#define PART_BITS 6
#define DATA_VERDICT 0xffffff00U

static uint16_t type_of(int message)
{
    return (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message);
}

static struct nfgenmsg header_of(uint8_t family, uint16_t resource)
{
    return (struct nfgenmsg){
        .nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(resource)};
}

static void begin(struct nft *n, int message, uint16_t flags)
{
    struct nfgenmsg header = header_of(n->family, 0);
    nl_begin(&n->batch, type_of(message), flags, &header, sizeof header);
}

void nft_begin(struct nft *n, const char *table)
{
    struct nfgenmsg header = header_of(AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    *n = (struct nft){.table = table, .family = NFPROTO_INET};
    nl_begin_silent(&n->batch, NFNL_MSG_BATCH_BEGIN, 0, &header, sizeof header);
}

uint8_t nft_family(struct nft *n, uint8_t family)
{
    uint8_t before = n->family;
    n->family = family;
    return before;
}

int nft_commit(struct nft *n, int fd, struct error *err)
{
    struct nfgenmsg header = header_of(AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    nl_begin_silent(&n->batch, NFNL_MSG_BATCH_END, 0, &header, sizeof header);
    return nl_send(fd, &n->batch, NULL, err);
}

void nft_free(struct nft *n)
{
    netlink_batch_free(&n->batch);
}

/* --- tables and chains --- */

void nft_add_table(struct nft *n, bool fresh, const void *note, size_t size)
{
    begin(n, NFT_MSG_NEWTABLE, NLM_F_CREATE | (fresh ? NLM_F_EXCL : 0));
    nl_put_string(&n->batch, NFTA_TABLE_NAME, n->table);
    if (size > 0)
        nl_put(&n->batch, NFTA_TABLE_USERDATA, note, size);
}

void nft_delete_table(struct nft *n)
{
    begin(n, NFT_MSG_DELTABLE, 0);
    nl_put_string(&n->batch, NFTA_TABLE_NAME, n->table);
}

struct note {
    void *bytes;
    size_t size;
    int length;
};

static int read_note(const struct nlmsghdr *message, void *closure)
{
    struct note *note = closure;
    const struct nlattr *table[NFTA_TABLE_USERDATA + 1];
    nl_attributes(message, sizeof(struct nfgenmsg), table, NFTA_TABLE_USERDATA);
    size_t length = nl_size(table[NFTA_TABLE_USERDATA]);
    if (length > note->size)
        return -ERANGE;
    if (length > 0)
        memcpy(note->bytes, nl_value(table[NFTA_TABLE_USERDATA], length), length);
    note->length = (int)length;
    return 0;
}

int nft_table_note(int fd, uint8_t family, const char *table, void *note, size_t size,
                   struct error *err)
{
    autobatch b = {0};
    struct nfgenmsg header = header_of(family, 0);
    struct note out = {note, size, 0};
    struct error why = {0};
    nl_begin(&b, type_of(NFT_MSG_GETTABLE), 0, &header, sizeof header);
    nl_put_string(&b, NFTA_TABLE_NAME, table);
    int rc = nl_ask(fd, &b, read_note, &out, &why);
    if (rc == -ENOENT)
        return rc;
    if (rc < 0)
        return error_set(err, rc, "cannot look at the firewall's table %s: %s", table, why.text);
    return out.length;
}

void nft_add_chain(struct nft *n, const struct nft_chain *chain)
{
    begin(n, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    nl_put_string(&n->batch, NFTA_CHAIN_TABLE, n->table);
    nl_put_string(&n->batch, NFTA_CHAIN_NAME, chain->name);
    if (chain->hook < 0)
        return;
    size_t hook = nl_nest(&n->batch, NFTA_CHAIN_HOOK);
    nl_put_be32(&n->batch, NFTA_HOOK_HOOKNUM, (uint32_t)chain->hook);
    nl_put_be32(&n->batch, NFTA_HOOK_PRIORITY, (uint32_t)chain->priority);
    nl_end(&n->batch, hook);
    nl_put_be32(&n->batch, NFTA_CHAIN_POLICY, chain->drop ? NF_DROP : NF_ACCEPT);
    nl_put_string(&n->batch, NFTA_CHAIN_TYPE, chain->type);
}

void nft_delete_chain(struct nft *n, const char *name)
{
    begin(n, NFT_MSG_DELCHAIN, 0);
    nl_put_string(&n->batch, NFTA_CHAIN_TABLE, n->table);
    nl_put_string(&n->batch, NFTA_CHAIN_NAME, name);
}

void nft_flush_chain(struct nft *n, const char *name)
{
    begin(n, NFT_MSG_DELRULE, 0);
    nl_put_string(&n->batch, NFTA_RULE_TABLE, n->table);
    nl_put_string(&n->batch, NFTA_RULE_CHAIN, name);
}

/* --- sets --- */

static uint32_t part_size(enum nft_part part)
{
    switch (part) {
    case NFT_PART_INTERFACE:
        return IFNAMSIZ;
    case NFT_PART_IPV6:
        return 16;
    case NFT_PART_ETHER:
        return 8; /* of which six are used */
    case NFT_PART_NONE:
        return 0;
    default:
        return 4; /* shorter ones take up a word, too */
    }
}

/* A key of one part is as long as it is; in a concatenation each part takes up whole words. */
static uint32_t key_size(const struct nft_set *set)
{
    uint32_t size = 0;
    if (set->key[1] == NFT_PART_NONE && set->key[0] == NFT_PART_PORT)
        return 2;
    if (set->key[1] == NFT_PART_NONE && set->key[0] == NFT_PART_PROTOCOL)
        return 1;
    for (size_t i = 0; i < 3; i++)
        size += part_size(set->key[i]);
    return size;
}

static uint32_t key_type(const struct nft_set *set)
{
    uint32_t type = 0;
    for (size_t i = 0; i < 3 && set->key[i] != NFT_PART_NONE; i++)
        type = type << PART_BITS | (uint32_t)set->key[i];
    return type;
}

static void put_description(struct nft *n, const struct nft_set *set)
{
    bool concatenated = set->intervals && set->key[1] != NFT_PART_NONE;
    if (!set->size && !concatenated)
        return;
    size_t description = nl_nest(&n->batch, NFTA_SET_DESC);
    if (set->size)
        nl_put_be32(&n->batch, NFTA_SET_DESC_SIZE, set->size);
    if (concatenated) {
        size_t list = nl_nest(&n->batch, NFTA_SET_DESC_CONCAT);
        for (size_t i = 0; i < 3 && set->key[i] != NFT_PART_NONE; i++) {
            size_t field = nl_nest(&n->batch, NFTA_LIST_ELEM);
            nl_put_be32(&n->batch, NFTA_SET_FIELD_LEN, part_size(set->key[i]));
            nl_end(&n->batch, field);
        }
        nl_end(&n->batch, list);
    }
    nl_end(&n->batch, description);
}

void nft_add_set(struct nft *n, const struct nft_set *set)
{
    uint32_t flags = (set->intervals ? NFT_SET_INTERVAL : 0U) |
                     (set->timeouts ? NFT_SET_TIMEOUT : 0U) | (set->verdicts ? NFT_SET_MAP : 0U) |
                     (set->intervals && set->key[1] != NFT_PART_NONE ? NFT_SET_CONCAT : 0U);
    begin(n, NFT_MSG_NEWSET, NLM_F_CREATE);
    nl_put_string(&n->batch, NFTA_SET_TABLE, n->table);
    nl_put_string(&n->batch, NFTA_SET_NAME, set->name);
    nl_put_be32(&n->batch, NFTA_SET_FLAGS, flags);
    nl_put_be32(&n->batch, NFTA_SET_KEY_TYPE, key_type(set));
    nl_put_be32(&n->batch, NFTA_SET_KEY_LEN, key_size(set));
    if (set->verdicts) {
        nl_put_be32(&n->batch, NFTA_SET_DATA_TYPE, DATA_VERDICT);
        nl_put_be32(&n->batch, NFTA_SET_DATA_LEN, 0);
    }
    nl_put_be32(&n->batch, NFTA_SET_ID, ++n->sets);
    put_description(n, set);
    /* For nft(8), which else shows names back to front: type 0, four bytes, "the host's order". */
    if (set->key[0] == NFT_PART_INTERFACE && set->key[1] == NFT_PART_NONE) {
        struct {
            uint8_t type, length;
            uint32_t order;
        } __attribute__((packed)) note = {0, 4, 1};
        nl_put(&n->batch, NFTA_SET_USERDATA, &note, sizeof note);
    }
}

static void begin_set(struct nft *n, int message, const char *name)
{
    begin(n, message, 0);
    nl_put_string(&n->batch, NFTA_SET_TABLE, n->table);
    nl_put_string(&n->batch, NFTA_SET_NAME, name);
}

void nft_flush_set(struct nft *n, const char *name)
{
    begin(n, NFT_MSG_DELSETELEM, 0);
    nl_put_string(&n->batch, NFTA_SET_ELEM_LIST_TABLE, n->table);
    nl_put_string(&n->batch, NFTA_SET_ELEM_LIST_SET, name);
}

void nft_delete_set(struct nft *n, const char *name)
{
    begin_set(n, NFT_MSG_DELSET, name);
}

void nft_key_number(struct nft_key *k, const void *bytes, size_t size)
{
    size_t room = (size + 3) / 4 * 4;
    if (k->size + room > sizeof k->bytes)
        return;
    memset(k->bytes + k->size, 0, room);
    memcpy(k->bytes + k->size, bytes, size);
    k->size += room;
}

void nft_key_interface(struct nft_key *k, const char *name)
{
    char padded[IFNAMSIZ] = {0};
    memcpy(padded, name, strnlen(name, IFNAMSIZ - 1));
    nft_key_number(k, padded, sizeof padded);
}

void nft_key_address(struct nft_key *k, const struct ip_address *a)
{
    nft_key_number(k, a->bytes, ip_size(a));
}

static void put_value(struct nft *n, uint16_t type, const void *bytes, size_t size)
{
    size_t data = nl_nest(&n->batch, type);
    nl_put(&n->batch, NFTA_DATA_VALUE, bytes, size);
    nl_end(&n->batch, data);
}

static void put_verdict(struct nft *n, uint16_t type, int verdict, const char *chain)
{
    size_t data = nl_nest(&n->batch, type);
    size_t inner = nl_nest(&n->batch, NFTA_DATA_VERDICT);
    nl_put_be32(&n->batch, NFTA_VERDICT_CODE, (uint32_t)verdict);
    if (chain)
        nl_put_string(&n->batch, NFTA_VERDICT_CHAIN, chain);
    nl_end(&n->batch, inner);
    nl_end(&n->batch, data);
}

/* A range of single keys is two elements, its first address and the one behind its last; one of
 * concatenations is an element with two keys. */
static void put_element(struct nft *n, const struct nft_element *e, bool adding)
{
    size_t element = nl_nest(&n->batch, NFTA_LIST_ELEM);
    put_value(n, NFTA_SET_ELEM_KEY, e->key.bytes, e->key.size);
    if (adding && e->timeout)
        nl_put_be64(&n->batch, NFTA_SET_ELEM_TIMEOUT, e->timeout);
    if (adding && (e->verdict || e->chain))
        put_verdict(n, NFTA_SET_ELEM_DATA, e->verdict, e->chain);
    nl_end(&n->batch, element);
    if (e->end.size == 0)
        return;
    element = nl_nest(&n->batch, NFTA_LIST_ELEM);
    nl_put_be32(&n->batch, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
    put_value(n, NFTA_SET_ELEM_KEY, e->end.bytes, e->end.size);
    nl_end(&n->batch, element);
}

static void elements(struct nft *n, int message, const char *set, const struct nft_element *list,
                     size_t count)
{
    begin(n, message, message == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0);
    nl_put_string(&n->batch, NFTA_SET_ELEM_LIST_TABLE, n->table);
    nl_put_string(&n->batch, NFTA_SET_ELEM_LIST_SET, set);
    size_t nest = nl_nest(&n->batch, NFTA_SET_ELEM_LIST_ELEMENTS);
    for (size_t i = 0; i < count; i++)
        put_element(n, &list[i], message == NFT_MSG_NEWSETELEM);
    nl_end(&n->batch, nest);
}

void nft_add_elements(struct nft *n, const char *set, const struct nft_element *list, size_t count)
{
    if (count > 0)
        elements(n, NFT_MSG_NEWSETELEM, set, list, count);
}

void nft_delete_elements(struct nft *n, const char *set, const struct nft_element *list,
                         size_t count)
{
    if (count > 0)
        elements(n, NFT_MSG_DELSETELEM, set, list, count);
}

static int read_left(const struct nlmsghdr *message, void *closure)
{
    const struct nlattr *table[NFTA_SET_ELEM_LIST_ELEMENTS + 1], *in[NFTA_SET_ELEM_EXPIRATION + 1];
    nl_attributes(message, sizeof(struct nfgenmsg), table, NFTA_SET_ELEM_LIST_ELEMENTS);
    nl_nested(nl_next(table[NFTA_SET_ELEM_LIST_ELEMENTS], NULL), in, NFTA_SET_ELEM_EXPIRATION);
    uint64_t left;
    const void *bytes = nl_value(in[NFTA_SET_ELEM_EXPIRATION], sizeof left);
    if (bytes) {
        memcpy(&left, bytes, sizeof left);
        *(uint64_t *)closure = be64toh(left);
    }
    return 0;
}

int nft_element_left(int fd, const char *table, const char *set, const struct nft_key *key,
                     uint64_t *milliseconds, struct error *err)
{
    struct nft n = {.table = table};
    struct nfgenmsg header = header_of(NFPROTO_INET, 0);
    struct nft_element e = {.key = *key};
    struct error why = {0};
    uint64_t left = 0;
    nl_begin(&n.batch, type_of(NFT_MSG_GETSETELEM), 0, &header, sizeof header);
    nl_put_string(&n.batch, NFTA_SET_ELEM_LIST_TABLE, table);
    nl_put_string(&n.batch, NFTA_SET_ELEM_LIST_SET, set);
    size_t list = nl_nest(&n.batch, NFTA_SET_ELEM_LIST_ELEMENTS);
    put_element(&n, &e, false);
    nl_end(&n.batch, list);
    int rc = nl_ask(fd, &n.batch, read_left, &left, &why);
    nft_free(&n);
    if (rc < 0 && rc != -ENOENT)
        return error_set(err, rc, "cannot look at the firewall's set %s: %s", set, why.text);
    if (rc == 0)
        *milliseconds = left;
    return rc;
}

/* --- rules --- */

static uint32_t register_of(unsigned word)
{
    return NFT_REG32_00 + word;
}

void nft_rule_begin(struct nft *n, const char *chain)
{
    begin(n, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    nl_put_string(&n->batch, NFTA_RULE_TABLE, n->table);
    nl_put_string(&n->batch, NFTA_RULE_CHAIN, chain);
    n->list = nl_nest(&n->batch, NFTA_RULE_EXPRESSIONS);
}

void nft_rule_end(struct nft *n)
{
    nl_end(&n->batch, n->list);
}

static void begin_expression(struct nft *n, const char *name)
{
    n->expression = nl_nest(&n->batch, NFTA_LIST_ELEM);
    nl_put_string(&n->batch, NFTA_EXPR_NAME, name);
    n->data = nl_nest(&n->batch, NFTA_EXPR_DATA);
}

static void end_expression(struct nft *n)
{
    nl_end(&n->batch, n->data);
    nl_end(&n->batch, n->expression);
}

void nft_meta(struct nft *n, enum nft_meta_keys key, unsigned to)
{
    begin_expression(n, "meta");
    nl_put_be32(&n->batch, NFTA_META_KEY, key);
    nl_put_be32(&n->batch, NFTA_META_DREG, register_of(to));
    end_expression(n);
}

static void load_port(struct nft *n, uint16_t port, unsigned to)
{
    const uint16_t value = htons(port);
    begin_expression(n, "immediate");
    nl_put_be32(&n->batch, NFTA_IMMEDIATE_DREG, register_of(to));
    put_value(n, NFTA_IMMEDIATE_DATA, &value, sizeof value);
    end_expression(n);
}

static void load_number(struct nft *n, uint32_t value)
{
    begin_expression(n, "immediate");
    nl_put_be32(&n->batch, NFTA_IMMEDIATE_DREG, register_of(0));
    put_value(n, NFTA_IMMEDIATE_DATA, &value, sizeof value);
    end_expression(n);
}

void nft_set_mark(struct nft *n, uint32_t mark)
{
    load_number(n, mark);
    begin_expression(n, "meta");
    nl_put_be32(&n->batch, NFTA_META_KEY, NFT_META_MARK);
    nl_put_be32(&n->batch, NFTA_META_SREG, register_of(0));
    end_expression(n);
}

static void load_connection(struct nft *n, enum nft_ct_keys key, unsigned to)
{
    begin_expression(n, "ct");
    nl_put_be32(&n->batch, NFTA_CT_KEY, key);
    nl_put_be32(&n->batch, NFTA_CT_DREG, register_of(to));
    end_expression(n);
}

void nft_ct_mark(struct nft *n, unsigned to)
{
    load_connection(n, NFT_CT_MARK, to);
}

void nft_ct_destination(struct nft *n, int family, unsigned to)
{
    begin_expression(n, "ct");
    nl_put_be32(&n->batch, NFTA_CT_KEY, family == AF_INET ? NFT_CT_DST_IP : NFT_CT_DST_IP6);
    nl_put_be32(&n->batch, NFTA_CT_DREG, register_of(to));
    nl_put_u8(&n->batch, NFTA_CT_DIRECTION, IP_CT_DIR_ORIGINAL);
    end_expression(n);
}

void nft_set_ct_mark(struct nft *n, uint32_t mark)
{
    load_number(n, mark);
    begin_expression(n, "ct");
    nl_put_be32(&n->batch, NFTA_CT_KEY, NFT_CT_MARK);
    nl_put_be32(&n->batch, NFTA_CT_SREG, register_of(0));
    end_expression(n);
}

void nft_payload(struct nft *n, enum nft_payload_bases base, uint32_t offset, uint32_t size,
                 unsigned to)
{
    begin_expression(n, "payload");
    nl_put_be32(&n->batch, NFTA_PAYLOAD_DREG, register_of(to));
    nl_put_be32(&n->batch, NFTA_PAYLOAD_BASE, base);
    nl_put_be32(&n->batch, NFTA_PAYLOAD_OFFSET, offset);
    nl_put_be32(&n->batch, NFTA_PAYLOAD_LEN, size);
    end_expression(n);
}

void nft_compare(struct nft *n, unsigned word, enum nft_cmp_ops op, const void *value, size_t size)
{
    begin_expression(n, "cmp");
    nl_put_be32(&n->batch, NFTA_CMP_SREG, register_of(word));
    nl_put_be32(&n->batch, NFTA_CMP_OP, op);
    put_value(n, NFTA_CMP_DATA, value, size);
    end_expression(n);
}

void nft_compare_u8(struct nft *n, unsigned word, enum nft_cmp_ops op, uint8_t value)
{
    nft_compare(n, word, op, &value, sizeof value);
}

void nft_compare_port(struct nft *n, unsigned word, enum nft_cmp_ops op, uint16_t port)
{
    port = htons(port);
    nft_compare(n, word, op, &port, sizeof port);
}

void nft_mask(struct nft *n, unsigned word, const void *mask, size_t size)
{
    static const uint8_t zeros[16];
    begin_expression(n, "bitwise");
    nl_put_be32(&n->batch, NFTA_BITWISE_SREG, register_of(word));
    nl_put_be32(&n->batch, NFTA_BITWISE_DREG, register_of(word));
    nl_put_be32(&n->batch, NFTA_BITWISE_LEN, (uint32_t)size);
    put_value(n, NFTA_BITWISE_MASK, mask, size);
    put_value(n, NFTA_BITWISE_XOR, zeros, size);
    end_expression(n);
}

static void connection_has(struct nft *n, enum nft_ct_keys key, uint32_t bits)
{
    static const uint32_t none;
    load_connection(n, key, 0);
    nft_mask(n, 0, &bits, sizeof bits);
    nft_compare(n, 0, NFT_CMP_NEQ, &none, sizeof none);
}

void nft_ct_state(struct nft *n, uint32_t states)
{
    connection_has(n, NFT_CT_STATE, states);
}

void nft_ct_redirected(struct nft *n)
{
    connection_has(n, NFT_CT_STATUS, IPS_DST_NAT);
}

static void begin_lookup(struct nft *n, const char *set, unsigned word)
{
    begin_expression(n, "lookup");
    nl_put_string(&n->batch, NFTA_LOOKUP_SET, set);
    nl_put_be32(&n->batch, NFTA_LOOKUP_SREG, register_of(word));
}

void nft_lookup(struct nft *n, const char *set, unsigned word, bool inverted)
{
    begin_lookup(n, set, word);
    if (inverted)
        nl_put_be32(&n->batch, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
    end_expression(n);
}

void nft_verdict_map(struct nft *n, const char *map, unsigned word)
{
    begin_lookup(n, map, word);
    nl_put_be32(&n->batch, NFTA_LOOKUP_DREG, NFT_REG_VERDICT);
    end_expression(n);
}

void nft_verdict(struct nft *n, int verdict, const char *chain)
{
    begin_expression(n, "immediate");
    nl_put_be32(&n->batch, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    put_verdict(n, NFTA_IMMEDIATE_DATA, verdict, chain);
    end_expression(n);
}

void nft_counter(struct nft *n)
{
    begin_expression(n, "counter");
    end_expression(n);
}

void nft_masquerade(struct nft *n)
{
    begin_expression(n, "masq");
    end_expression(n);
}

void nft_redirect(struct nft *n, uint16_t port)
{
    load_port(n, port, 0);
    begin_expression(n, "redir");
    nl_put_be32(&n->batch, NFTA_REDIR_REG_PROTO_MIN, register_of(0));
    end_expression(n);
}

void nft_masquerade_ports(struct nft *n, uint16_t first, uint16_t last)
{
    load_port(n, first, 0);
    load_port(n, last, 1);
    begin_expression(n, "masq");
    nl_put_be32(&n->batch, NFTA_MASQ_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
    nl_put_be32(&n->batch, NFTA_MASQ_REG_PROTO_MIN, register_of(0));
    nl_put_be32(&n->batch, NFTA_MASQ_REG_PROTO_MAX, register_of(1));
    end_expression(n);
}

void nft_reject(struct nft *n)
{
    begin_expression(n, "reject");
    nl_put_be32(&n->batch, NFTA_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
    nl_put_u8(&n->batch, NFTA_REJECT_ICMP_CODE, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
    end_expression(n);
}

void nft_reject_reset(struct nft *n)
{
    begin_expression(n, "reject");
    nl_put_be32(&n->batch, NFTA_REJECT_TYPE, NFT_REJECT_TCP_RST);
    nl_put_u8(&n->batch, NFTA_REJECT_ICMP_CODE, 0);
    end_expression(n);
}

void nft_log(struct nft *n, uint16_t group, const char *prefix)
{
    uint16_t number = htons(group);
    begin_expression(n, "log");
    nl_put_u16(&n->batch, NFTA_LOG_GROUP, number);
    nl_put_string(&n->batch, NFTA_LOG_PREFIX, prefix);
    end_expression(n);
}

void nft_limit(struct nft *n, uint64_t rate, uint32_t burst)
{
    begin_expression(n, "limit");
    nl_put_be64(&n->batch, NFTA_LIMIT_RATE, rate);
    nl_put_be64(&n->batch, NFTA_LIMIT_UNIT, 1);
    nl_put_be32(&n->batch, NFTA_LIMIT_BURST, burst);
    nl_put_be32(&n->batch, NFTA_LIMIT_TYPE, NFT_LIMIT_PKTS);
    nl_put_be32(&n->batch, NFTA_LIMIT_FLAGS, 0);
    end_expression(n);
}
