/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firewall of a network and its members, as the file of names in the current directory has
 * them: what the engine does before it starts caisson-netd. usage: netd-firewall BRIDGE GATEWAY
 * PREFIX [GATEWAY PREFIX]     the network netd-firewall BRIDGE add|remove ID one member
 */
#include <fcntl.h>
#include <stdio.h>

#include "base/io.h"
#include "base/text.h"
#include "network/firewall.h"
#include "network/names.h"

static int fail(const struct error *err)
{
    fprintf(stderr, "netd-firewall: %s\n", err->text);
    return 1;
}

static int add_network(struct nft *n, int argc, char **argv)
{
    struct firewall_network network = {.bridge = argv[1], .answers = true};
    for (int i = 2, k = 0; i + 1 < argc && k < 2; i += 2, k++)
        if (ip_parse(argv[i], &network.gateways[k]) < 0 ||
            ip_prefix_parse(argv[i + 1], false, &network.subnets[k]) < 0)
            return -1;
    firewall_add_table(n, false);
    firewall_add_network(n, &network);
    return 0;
}

static int change_member(struct nft *n, const struct names *names, char **argv)
{
    char chain[EGRESS_CHAIN_MAX];
    egress_chain(argv[3], chain);
    for (size_t i = 0; i < names->count; i++) {
        const struct names_member *m = &names->members[i];
        struct firewall_member member = {.bridge = argv[1]};
        if (!streq(m->id, argv[3]))
            continue;
        for (size_t k = 0; k < m->address_count && k < 2; k++)
            member.addresses[k] = m->addresses[k];
        member.egress = m->egress.limited ? chain : NULL;
        if (streq(argv[2], "remove"))
            firewall_remove_member(n, &member);
        if (member.egress && streq(argv[2], "remove"))
            egress_remove(n, m->id);
        if (member.egress && streq(argv[2], "add"))
            egress_add(n, m->id, &m->egress, names->group);
        if (streq(argv[2], "add"))
            firewall_add_member(n, &member);
        return 0;
    }
    return -1;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    autobuf text = {0};
    autonames names = {0};
    if (argc < 4)
        return 2;
    if (read_file_at(AT_FDCWD, NAMES_FILE, NAMES_FILE_MAX, &text, &err) < 0 ||
        names_parse(buf_text(&text), text.len, &names, &err) < 0)
        return fail(&err);
    autofd fd = netlink_open(NETLINK_NETFILTER, &err);
    autonft n;
    nft_begin(&n, FIREWALL_TABLE);
    bool member = streq(argv[2], "add") || streq(argv[2], "remove");
    if ((member ? change_member(&n, &names, argv) : add_network(&n, argc, argv)) < 0)
        return 2;
    return fd < 0 || nft_commit(&n, fd, &err) < 0 ? fail(&err) : 0;
}
