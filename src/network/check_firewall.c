/* SPDX-License-Identifier: Apache-2.0 */
/* The firewall that there is against the one that the same code makes where nobody is. */
#include <linux/netfilter.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "network/attach_parts.h"
#include "network/check_parts.h"
#include "network/elsewhere.h"
#include "network/nft_dump.h"

/* The two tables, and what people call them. */
static const struct {
    uint8_t family;
    const char *name;
} tables[] = {{NFPROTO_INET, "inet"}, {NFPROTO_BRIDGE, "bridge"}};

/* --- what should be --- */

static int make_expected(const struct network_host *host, const struct books *books, int fd,
                         struct error *err)
{
    autonft n;
    int rc = 0;
    struct error why = {0};
    nft_begin(&n, host->table);
    firewall_add_table(&n, table_flags(host));
    rc = write_own(host, &n, err);
    for (size_t i = 0; rc == 0 && i < books->count; i++)
        rc = write_network(host, &books->items[i].network, &n, err);
    if (rc < 0)
        return rc;
    rc = nft_commit(&n, fd, &why);
    return rc < 0 ? error_set(err, rc, "cannot set up a firewall to compare with: %s", why.text)
                  : 0;
}

/* --- whose something is --- */

struct whose {
    const struct network *network;
    const char *owner;
};

static bool says(const struct strv *parts, const char *word)
{
    return strv_has(parts, word);
}

static bool lease_is_meant(const struct lease *lease, const struct strv *parts)
{
    char address[IP_TEXT_MAX], cable[IFNAMSIZ];
    ip_format(&lease->address, address);
    cable_name(lease->owner, LEASE_PORT_OF(lease->flags), cable);
    return says(parts, address) || says(parts, cable);
}

/* By the bridge, cable or address in its key. */
static struct whose whose_element(const struct books *books, const struct nft_object *element)
{
    autostrv parts = {0};
    nft_object_key_parts(element, &parts);
    struct whose found = {0};
    for (size_t i = 0; i < books->count; i++) {
        const struct book *book = &books->items[i];
        char first[IP_TEXT_MAX];
        for (size_t j = 0; j < book->leases.count; j++)
            if (lease_is_meant(&book->leases.items[j], &parts))
                return (struct whose){&book->network, book->leases.items[j].owner};
        bool meant = says(&parts, book->network.bridge);
        for (size_t f = 0; f < 2; f++) {
            struct ip_address a = ip_first(&book->network.ranges[f].subnet);
            ip_format(&a, first);
            meant |= *first && says(&parts, first);
        }
        if (meant)
            found.network = &book->network;
    }
    return found;
}

/* --- comparing --- */

struct comparison {
    const struct books *books;
    struct network_differences *out;
    const struct nft_objects *wanted, *there;
    const char *family;
    enum network_remedy remedy;
    const struct nft_object *told; /* the last one that is on one side only */
};

/* Of a range the end is not told besides its beginning. */
static bool is_end(const struct nft_object *o)
{
    return o->kind == NFT_OBJECT_ELEMENT && o->flags & NFT_SET_ELEM_INTERVAL_END;
}

static void tell(struct comparison *c, const struct nft_object *o, const char *how)
{
    static const char *const kinds[] = {
        [NFT_OBJECT_TABLE] = "table", [NFT_OBJECT_CHAIN] = "chain", [NFT_OBJECT_SET] = "set"};
    if (o->kind != NFT_OBJECT_ELEMENT) {
        network_differs(c->out, c->remedy, NULL, NULL, "%s %s%s%s %s", kinds[o->kind], c->family,
                        *o->place ? " " : "", o->place, how);
        return;
    }
    autobuf key = {0};
    struct whose whose = whose_element(c->books, o);
    nft_object_key_text(o, &key);
    network_differs(c->out, c->remedy, whose.network ? whose.network->name : NULL, whose.owner,
                    "%s%s of the firewall's set %s %s %s", buf_text(&key),
                    is_end(o) ? " as a range's end" : "", c->family, o->place, how);
}

static int order_of(const struct nft_object *a, const struct nft_object *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    int order = strcmp(a->place, b->place);
    size_t least = a->key.len < b->key.len ? a->key.len : b->key.len;
    if (order == 0 && least > 0)
        order = memcmp(a->key.data, b->key.data, least);
    return order ? order : (a->key.len > b->key.len) - (a->key.len < b->key.len);
}

static bool same(const struct buf *a, const struct buf *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static bool has_place(const struct nft_objects *objects, enum nft_object_kind kind,
                      const char *place)
{
    for (size_t i = 0; i < objects->count; i++)
        if (objects->items[i].kind == kind && streq(objects->items[i].place, place))
            return true;
    return false;
}

/* What a set that is missing or not ours would hold is not told one by one. */
static bool is_told_already(const struct comparison *c, const struct nft_object *o)
{
    return o->kind == NFT_OBJECT_ELEMENT && (!has_place(c->wanted, NFT_OBJECT_SET, o->place) ||
                                             !has_place(c->there, NFT_OBJECT_SET, o->place));
}

static void tell_one_sided(struct comparison *c, const struct nft_object *o, bool wanted)
{
    bool rest = is_end(o) && c->told == o - 1; /* of a range whose beginning was told */
    c->told = o;
    if (rest || is_told_already(c, o))
        return;
    tell(c, o, wanted ? "is missing" : "should not be there");
}

static size_t sorted(const struct nft_objects *objects)
{
    size_t count = 0;
    while (count < objects->count && objects->items[count].kind != NFT_OBJECT_RULE)
        count++;
    return count;
}

static void compare_sorted(struct comparison *c)
{
    size_t i = 0, j = 0, wanted = sorted(c->wanted), there = sorted(c->there);
    while (i < wanted || j < there) {
        const struct nft_object *a = c->wanted->items + i, *b = c->there->items + j;
        int order = i == wanted ? 1 : j == there ? -1 : order_of(a, b);
        if (order != 0)
            tell_one_sided(c, order < 0 ? a : b, order < 0);
        else if (!same(&a->value, &b->value))
            tell(c, b, "is not as it was made");
        i += order <= 0;
        j += order >= 0;
    }
}

/* --- rules, which have an order and no names --- */

struct rules {
    const struct nft_object *first;
    size_t count;
};

/* The kernel gives a chain's rules one after the other. */
static struct rules rules_of(const struct nft_objects *objects, const char *chain)
{
    struct rules rules = {0};
    for (size_t i = sorted(objects); i < objects->count; i++) {
        if (!streq(objects->items[i].place, chain))
            continue;
        if (rules.count == 0)
            rules.first = &objects->items[i];
        rules.count++;
    }
    return rules;
}

/* For each pair of rules how many, from there to the ends of both rows, are the same in the same
 * order: what is not among those was taken out or put in. */
static uint32_t *count_common(const struct rules *wanted, const struct rules *there)
{
    size_t width = there->count + 1;
    uint32_t *common = xcalloc((wanted->count + 1) * width, sizeof *common);
    for (size_t i = wanted->count; i-- > 0;)
        for (size_t j = there->count; j-- > 0;) {
            uint32_t without_i = common[(i + 1) * width + j], without_j = common[i * width + j + 1];
            bool equal = same(&wanted->first[i].value, &there->first[j].value);
            common[i * width + j] = equal                   ? common[(i + 1) * width + j + 1] + 1
                                    : without_i > without_j ? without_i
                                                            : without_j;
        }
    return common;
}

static void compare_rules(struct comparison *c, const char *chain)
{
    struct rules wanted = rules_of(c->wanted, chain), there = rules_of(c->there, chain);
    if (there.count == 0 && wanted.count > 0) {
        network_differs(c->out, c->remedy, NULL, NULL, "chain %s %s has none of its rules",
                        c->family, chain);
        return;
    }
    autofree uint32_t *common = count_common(&wanted, &there);
    size_t i = 0, j = 0, width = there.count + 1;
    while (i < wanted.count || j < there.count) {
        bool both = i < wanted.count && j < there.count;
        if (both && same(&wanted.first[i].value, &there.first[j].value)) {
            i++;
            j++;
        } else if (i == wanted.count ||
                   (both && common[i * width + j + 1] >= common[(i + 1) * width + j])) {
            network_differs(c->out, c->remedy, NULL, NULL,
                            "rule %zu of chain %s %s should not be there", ++j, c->family, chain);
        } else {
            network_differs(c->out, c->remedy, NULL, NULL, "chain %s %s lacks its rule %zu of %zu",
                            c->family, chain, ++i, wanted.count);
        }
    }
}

static void compare(struct comparison *c)
{
    compare_sorted(c);
    for (size_t i = 0; i < c->wanted->count; i++) {
        const struct nft_object *o = &c->wanted->items[i];
        if (o->kind == NFT_OBJECT_CHAIN && has_place(c->there, NFT_OBJECT_CHAIN, o->place))
            compare_rules(c, o->place);
    }
}

/* --- all of it --- */

/* A few times: while something is changed, what is read may be neither before nor after. */
#define TRIES 10

static int dump(int fd, uint8_t family, const char *table, struct nft_objects *out,
                struct error *err)
{
    int rc = 0;
    for (int i = 0; i < TRIES; i++) {
        nft_objects_free(out);
        rc = nft_dump(fd, family, table, out, err);
        if (rc < 0 || !out->torn)
            return rc;
    }
    return rc;
}

static int compare_table(const struct network_host *host, const struct books *books, int apart,
                         size_t which, enum network_remedy remedy, struct network_differences *out,
                         struct error *err)
{
    autoobjects wanted = {0}, there = {0};
    struct comparison c = {.books = books,
                           .out = out,
                           .wanted = &wanted,
                           .there = &there,
                           .family = tables[which].name,
                           .remedy = remedy};
    int rc = dump(host->firewall, tables[which].family, host->table, &there, err);
    if (rc == -ENOENT) {
        network_differs(out, NETWORK_BY_RUN, NULL, NULL, "the firewall's table %s %s is missing",
                        tables[which].name, host->table);
        return 0;
    }
    if (rc == 0)
        rc = dump(apart, tables[which].family, host->table, &wanted, err);
    if (rc == 0)
        compare(&c);
    return rc;
}

int check_firewall(const struct network_host *host, const struct books *books,
                   struct network_differences *out, struct error *err)
{
    struct error why = {0};
    int there = firewall_look(host->firewall, host->table, &why);
    if (there == -EPERM && books->count == 0)
        return 0; /* an ordinary user's, who has no networks where only root may look */
    if (there < 0)
        return error_set(err, there, "%s", why.text);
    if (there == FIREWALL_NONE && books->count == 0 && !forwards_for_us(host))
        return 0;
    autofd apart = elsewhere_fresh_netlink(NETLINK_NETFILTER, err);
    if (apart < 0)
        return apart;
    enum network_remedy remedy = there == FIREWALL_WHOLE ? NETWORK_BY_REPAIR : NETWORK_BY_RUN;
    int rc = make_expected(host, books, apart, err);
    for (size_t i = 0; rc == 0 && i < sizeof tables / sizeof *tables; i++)
        rc = compare_table(host, books, apart, i, remedy, out, err);
    return rc;
}
