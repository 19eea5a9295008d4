/* SPDX-License-Identifier: Apache-2.0 */
#include "network/nft_dump.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

#define PART_BITS 6

void nft_objects_free(struct nft_objects *objects)
{
    for (size_t i = 0; i < objects->count; i++) {
        free(objects->items[i].place);
        buf_free(&objects->items[i].key);
        buf_free(&objects->items[i].value);
    }
    free(objects->items);
    *objects = (struct nft_objects){0};
}

struct reading {
    struct nft_objects *out;
    const char *table;
    uint8_t family;
    const struct nft_object *set; /* whose elements are read */
};

static struct nft_object *add(struct nft_objects *out, enum nft_object_kind kind, const char *place)
{
    out->items = xrealloc(out->items, out->count + 1, sizeof *out->items);
    struct nft_object *object = &out->items[out->count++];
    *object = (struct nft_object){.kind = kind, .place = xstrdup(place)};
    return object;
}

/* With its type and length, and what fills it up to whole words. */
static void take_attribute(struct buf *to, const struct nlattr *a)
{
    static const char zeros[NLA_ALIGNTO];
    if (!a)
        return;
    buf_add(to, a, a->nla_len);
    buf_add(to, zeros, NLA_ALIGN(a->nla_len) - a->nla_len);
}

/* Whether a message speaks of the table at all: the kernel may give those of all tables. */
static bool is_ours(const struct reading *r, const struct nlmsghdr *message, const char *table)
{
    struct nfgenmsg header;
    if (message->nlmsg_len < NLMSG_LENGTH(sizeof header))
        return false;
    memcpy(&header, NLMSG_DATA(message), sizeof header);
    if (message->nlmsg_flags & NLM_F_DUMP_INTR)
        r->out->torn = true;
    return header.nfgen_family == r->family && streq(table, r->table);
}

/* --- each kind --- */

static int read_table(const struct nlmsghdr *message, void *closure)
{
    const struct reading *r = closure;
    const struct nlattr *in[NFTA_TABLE_MAX + 1];
    nl_attributes(message, sizeof(struct nfgenmsg), in, NFTA_TABLE_MAX);
    if (!is_ours(r, message, nl_string(in[NFTA_TABLE_NAME])))
        return 0;
    struct nft_object *object = add(r->out, NFT_OBJECT_TABLE, "");
    take_attribute(&object->value, in[NFTA_TABLE_FLAGS]);
    take_attribute(&object->value, in[NFTA_TABLE_USERDATA]);
    return 0;
}

static int read_chain(const struct nlmsghdr *message, void *closure)
{
    static const uint16_t means[] = {NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY, NFTA_CHAIN_TYPE,
                                     NFTA_CHAIN_FLAGS};
    const struct reading *r = closure;
    const struct nlattr *in[NFTA_CHAIN_MAX + 1];
    nl_attributes(message, sizeof(struct nfgenmsg), in, NFTA_CHAIN_MAX);
    const char *name = nl_string(in[NFTA_CHAIN_NAME]);
    if (!name || !is_ours(r, message, nl_string(in[NFTA_CHAIN_TABLE])))
        return 0;
    struct nft_object *object = add(r->out, NFT_OBJECT_CHAIN, name);
    for (size_t i = 0; i < sizeof means / sizeof *means; i++)
        take_attribute(&object->value, in[means[i]]);
    return 0;
}

static int read_set(const struct nlmsghdr *message, void *closure)
{
    static const uint16_t means[] = {NFTA_SET_FLAGS,    NFTA_SET_KEY_TYPE, NFTA_SET_KEY_LEN,
                                     NFTA_SET_DATA_LEN, NFTA_SET_TIMEOUT,  NFTA_SET_DATA_TYPE,
                                     NFTA_SET_EXPR,     NFTA_SET_DESC};
    const struct reading *r = closure;
    const struct nlattr *in[NFTA_SET_MAX + 1];
    nl_attributes(message, sizeof(struct nfgenmsg), in, NFTA_SET_MAX);
    const char *name = nl_string(in[NFTA_SET_NAME]);
    if (!name || !is_ours(r, message, nl_string(in[NFTA_SET_TABLE])))
        return 0;
    struct nft_object *object = add(r->out, NFT_OBJECT_SET, name);
    object->key_type = nl_be32(in[NFTA_SET_KEY_TYPE]);
    object->flags = nl_be32(in[NFTA_SET_FLAGS]);
    for (size_t i = 0; i < sizeof means / sizeof *means; i++)
        take_attribute(&object->value, in[means[i]]);
    return 0;
}

static void take_element(const struct reading *r, const struct nlattr *element)
{
    const struct nlattr *in[NFTA_SET_ELEM_MAX + 1], *value[NFTA_DATA_VALUE + 1];
    nl_nested(element, in, NFTA_SET_ELEM_MAX);
    nl_nested(in[NFTA_SET_ELEM_KEY], value, NFTA_DATA_VALUE);
    struct nft_object *object = add(r->out, NFT_OBJECT_ELEMENT, r->set->place);
    object->key_type = r->set->key_type;
    object->flags = nl_be32(in[NFTA_SET_ELEM_FLAGS]);
    if (value[NFTA_DATA_VALUE])
        buf_add(&object->key, nl_value(value[NFTA_DATA_VALUE], 0), nl_size(value[NFTA_DATA_VALUE]));
    take_attribute(&object->key, in[NFTA_SET_ELEM_KEY_END]);
    /* Of a range the end is before the beginning of the next one at the same place. */
    uint32_t order = object->flags ^ NFT_SET_ELEM_INTERVAL_END;
    buf_add(&object->key, &order, sizeof order);
    take_attribute(&object->value, in[NFTA_SET_ELEM_DATA]);
}

static int read_elements(const struct nlmsghdr *message, void *closure)
{
    const struct reading *r = closure;
    const struct nlattr *in[NFTA_SET_ELEM_LIST_MAX + 1], *element = NULL;
    nl_attributes(message, sizeof(struct nfgenmsg), in, NFTA_SET_ELEM_LIST_MAX);
    if (!is_ours(r, message, nl_string(in[NFTA_SET_ELEM_LIST_TABLE])) ||
        !streq(nl_string(in[NFTA_SET_ELEM_LIST_SET]), r->set->place))
        return 0;
    while ((element = nl_next(in[NFTA_SET_ELEM_LIST_ELEMENTS], element)))
        take_element(r, element);
    return 0;
}

/* Of a counter only that it is one. */
static void take_expression(struct buf *to, const struct nlattr *expression)
{
    const struct nlattr *in[NFTA_EXPR_MAX + 1];
    nl_nested(expression, in, NFTA_EXPR_MAX);
    take_attribute(to, in[NFTA_EXPR_NAME]);
    if (!streq(nl_string(in[NFTA_EXPR_NAME]), "counter"))
        take_attribute(to, in[NFTA_EXPR_DATA]);
}

static int read_rule(const struct nlmsghdr *message, void *closure)
{
    const struct reading *r = closure;
    const struct nlattr *in[NFTA_RULE_MAX + 1], *expression = NULL;
    nl_attributes(message, sizeof(struct nfgenmsg), in, NFTA_RULE_MAX);
    const char *chain = nl_string(in[NFTA_RULE_CHAIN]);
    if (!chain || !is_ours(r, message, nl_string(in[NFTA_RULE_TABLE])))
        return 0;
    struct nft_object *object = add(r->out, NFT_OBJECT_RULE, chain);
    while ((expression = nl_next(in[NFTA_RULE_EXPRESSIONS], expression)))
        take_expression(&object->value, expression);
    return 0;
}

/* --- all of them --- */

static int ask(int fd, struct reading *r, int message, uint16_t flags, nl_each *each,
               struct error *err)
{
    /* Of each kind of message these are the same number. */
    _Static_assert((int)NFTA_TABLE_NAME == (int)NFTA_SET_TABLE &&
                       (int)NFTA_SET_TABLE == (int)NFTA_RULE_TABLE &&
                       (int)NFTA_RULE_TABLE == (int)NFTA_CHAIN_TABLE &&
                       (int)NFTA_CHAIN_TABLE == (int)NFTA_SET_ELEM_LIST_TABLE,
                   "the table's name");
    autobatch b = {0};
    struct nfgenmsg header = {.nfgen_family = r->family, .version = NFNETLINK_V0};
    nl_begin(&b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message), flags, &header, sizeof header);
    nl_put_string(&b, NFTA_TABLE_NAME, r->table);
    if (r->set)
        nl_put_string(&b, NFTA_SET_ELEM_LIST_SET, r->set->place);
    struct error why = {0};
    int rc = nl_ask(fd, &b, each, r, &why);
    if (rc == -EINTR) { /* some kernels say it so */
        r->out->torn = true;
        return 0;
    }
    return rc < 0 && rc != -ENOENT
               ? error_set(err, rc, "cannot read the firewall's table %s: %s", r->table, why.text)
               : rc;
}

/* A set that went away since is one whose elements went, too. */
static int read_all_elements(int fd, struct reading *r, struct error *err)
{
    int rc = 0;
    size_t count = r->out->count;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (r->out->items[i].kind != NFT_OBJECT_SET ||
            r->out->items[i].flags & (NFT_SET_TIMEOUT | NFT_SET_ANONYMOUS))
            continue;
        struct nft_object set = r->out->items[i]; /* the vector moves as it grows */
        r->set = &set;
        rc = ask(fd, r, NFT_MSG_GETSETELEM, NLM_F_DUMP, read_elements, err);
        r->set = NULL;
        if (rc == -ENOENT) {
            r->out->torn = true;
            rc = 0;
        }
    }
    return rc;
}

static int by_bytes(const struct buf *a, const struct buf *b)
{
    size_t least = a->len < b->len ? a->len : b->len;
    int order = least ? memcmp(a->data, b->data, least) : 0;
    return order ? order : (a->len > b->len) - (a->len < b->len);
}

/* Rules stay as they are: they come last, and are not sorted. */
static int by_place(const void *one, const void *other)
{
    const struct nft_object *a = one, *b = other;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    int order = strcmp(a->place, b->place);
    return order ? order : by_bytes(&a->key, &b->key);
}

int nft_dump(int fd, uint8_t family, const char *table, struct nft_objects *out, struct error *err)
{
    struct reading r = {.out = out, .table = table, .family = family};
    int rc = ask(fd, &r, NFT_MSG_GETTABLE, 0, read_table, err);
    if (rc == 0)
        rc = ask(fd, &r, NFT_MSG_GETCHAIN, NLM_F_DUMP, read_chain, err);
    if (rc == 0)
        rc = ask(fd, &r, NFT_MSG_GETSET, NLM_F_DUMP, read_set, err);
    if (rc == 0)
        rc = read_all_elements(fd, &r, err);
    if (rc == 0 && out->count > 0)
        qsort(out->items, out->count, sizeof *out->items, by_place);
    if (rc == 0)
        rc = ask(fd, &r, NFT_MSG_GETRULE, NLM_F_DUMP, read_rule, err);
    return rc;
}

/* --- what a key says --- */

static size_t part_size(unsigned part, bool alone, size_t left)
{
    switch (part) {
    case NFT_PART_INTERFACE:
        return IFNAMSIZ;
    case NFT_PART_IPV6:
        return 16;
    case NFT_PART_ETHER:
        return alone ? MAC_SIZE : 8;
    default:
        return left < 4 ? left : 4;
    }
}

static void show_part(unsigned part, const char *bytes, size_t size, struct strv *out)
{
    struct ip_address address = {.family = part == NFT_PART_IPV6 ? AF_INET6 : AF_INET};
    char text[IP_TEXT_MAX], hex[2 * 16 + 1];
    switch (part) {
    case NFT_PART_INTERFACE:
        strv_fmt(out, "%.*s", (int)strnlen(bytes, size), bytes);
        break;
    case NFT_PART_IPV4:
    case NFT_PART_IPV6:
        memcpy(address.bytes, bytes, size);
        ip_format(&address, text);
        strv_add(out, text);
        break;
    case NFT_PART_ETHER:
        mac_format((const uint8_t *)bytes, text);
        strv_add(out, text);
        break;
    default:
        hex_encode(bytes, size, hex);
        strv_fmt(out, "0x%s", hex);
    }
}

void nft_object_key_parts(const struct nft_object *element, struct strv *out)
{
    unsigned parts[5], count = 0;
    size_t at = 0, size = element->key.len - sizeof element->flags;
    if (element->flags & NFT_SET_ELEM_CATCHALL) {
        strv_add(out, "*");
        return;
    }
    for (uint32_t type = element->key_type; type && count < 5; type >>= PART_BITS)
        parts[count++] = type & ((1U << PART_BITS) - 1);
    for (unsigned i = count; i > 0; i--) {
        size_t room = part_size(parts[i - 1], count == 1, size - at);
        if (room == 0 || room > size - at)
            break;
        show_part(parts[i - 1], element->key.data + at, room, out);
        at += room;
    }
}

void nft_object_key_text(const struct nft_object *element, struct buf *out)
{
    autostrv parts = {0};
    nft_object_key_parts(element, &parts);
    strv_join(&parts, " . ", out);
}
