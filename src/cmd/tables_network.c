/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs for networks, as data. */
#include "cmd/list.h"
#include "cmd/network_options.h"
#include "cmd/verb.h"

/* clang-format off: a line each, as in tables_run.c */
#define CREATE(field) offsetof(struct network_create_options, field)
static const struct option create_table[] = {
    {"driver", 'd', OPTION_STRING, CREATE(driver), "DRIVER", "How it is made: there is only bridge",
     .words = (const char *const[]){"bridge", NULL}},
    {"subnet", 0, OPTION_LIST, CREATE(subnets), "PREFIX",
     "Its addresses, one IPv4 and one IPv6 prefix at most (a free one)"},
    {"ip-range", 0, OPTION_LIST, CREATE(ranges), "PREFIX",
     "Give out only these of the subnet's addresses"},
    {"gateway", 0, OPTION_LIST, CREATE(gateways), "IP",
     "The host's own address on it (the first of the subnet)"},
    {"ipv6", 0, OPTION_BOOL, CREATE(ipv6), NULL,
     "With IPv6, in a prefix of its own where no --subnet gives one"},
    {"internal", 0, OPTION_BOOL, CREATE(internal), NULL,
     "Without a way out: its containers reach one another and nothing else"},
    {"opt", 'o', OPTION_LIST, CREATE(options), "NAME=VALUE",
     "Of the bridge: mtu=BYTES; icc=false keeps its containers apart"},
    {"egress", 0, OPTION_LIST, CREATE(egress), "RULE,…",
     "Where containers without an --egress of their own may go (anywhere)",
     .offered = (const char *const[]){"any", "none", NULL}},
    {"label", 0, OPTION_LIST, CREATE(labels), "NAME=VALUE", "Label the network"},
    {NULL},
};

#define LS(field) offsetof(struct network_ls_options, field)
static const struct option ls_table[] = {
    {"quiet", 'q', OPTION_BOOL, LS(quiet), NULL, "Print only ids"},
    {"no-trunc", 0, OPTION_BOOL, LS(no_trunc), NULL, "Show ids in full"},
    {"filter", 'f', OPTION_LIST, LS(filters), "KEY=VALUE",
     "Show only what matches: name=, id=, label=, driver=, dangling=true|false"},
    {"format", 0, OPTION_STRING, LS(format), "FORMAT", LIST_FORMAT_HELP},
    {NULL},
};

static const struct option inspect_table[] = {
    {"format", 'f', OPTION_STRING, offsetof(struct network_inspect_options, format), "FORMAT",
     "Print json, or by a Go template such as '{{(index .IPAM.Config 0).Subnet}}'"},
    {NULL},
};

static const struct option rm_table[] = {
    {"force", 'f', OPTION_BOOL, offsetof(struct network_rm_options, force), NULL,
     "Do not mind those that are not there"},
    {NULL},
};

#define CONNECT(field) offsetof(struct network_connect_options, field)
static const struct option connect_table[] = {
    {"ip", 0, OPTION_STRING, CONNECT(ip), "IP", "Its IPv4 address there (a free one)"},
    {"ip6", 0, OPTION_STRING, CONNECT(ip6), "IP", "Its IPv6 address there (a free one)"},
    {"mac-address", 0, OPTION_STRING, CONNECT(mac), "MAC",
     "Its hardware address (one that follows from the IP)"},
    {"alias", 0, OPTION_LIST, CONNECT(aliases), "NAME", "One more name for it there"},
    {NULL},
};

static const struct option disconnect_table[] = {
    {"force", 'f', OPTION_BOOL, offsetof(struct network_disconnect_options, force), NULL,
     "Do not mind when it is not on the network"},
    {NULL},
};

#define PRUNE(field) offsetof(struct network_prune_options, field)
static const struct option prune_table[] = {
    {"filter", 0, OPTION_LIST, PRUNE(filters), "KEY=VALUE",
     "Remove only what matches: label=, label!=, until=TIME"},
    {"force", 'f', OPTION_BOOL, PRUNE(force), NULL, "Do not ask first"},
    {NULL},
};

#define LOG(field) offsetof(struct network_log_options, field)
static const struct option log_table[] = {
    {"filter", 'f', OPTION_LIST, LOG(filters), "KEY=VALUE",
     "Show only what matches: container=, name=, verdict=denied|granted"},
    {"since", 0, OPTION_STRING, LOG(since), "TIME",
     "Show only what was seen since then, or in the last 10m"},
    {"format", 0, OPTION_STRING, LOG(format), "FORMAT", LIST_FORMAT_HELP},
    {NULL},
};

#define CHECK(field) offsetof(struct network_check_options, field)
static const struct option check_table[] = {
    {"repair", 0, OPTION_BOOL, CHECK(repair), NULL, "Restore what differs, and check again"},
    {"quiet", 'q', OPTION_BOOL, CHECK(quiet), NULL, "Say nothing when all is as it should be"},
    {"format", 0, OPTION_STRING, CHECK(format), "FORMAT",
     "Print as table, as json, or by a Go template such as '{{.Network}} {{.Difference}}'"},
    {NULL},
};
/* clang-format on */

const struct verb verb_network_create = {
    .name = "network create",
    .group = GROUP_NETWORKS,
    .arguments = "NAME",
    .summary = "Make a network",
    .description =
        "Makes a network and prints its id. Containers that are on it reach one another, by name "
        "too, and nobody else behind caisson's bridges; they get out by NAT unless it is internal. "
        "The subnet must overlap neither with another network's nor with a route of the host.\n\n"
        "Containers that ask for no network are on the one named bridge, on which no container "
        "reaches another.",
    .examples = "caisson network create shop\n"
                "caisson run -d --network shop --name db my-db\n"
                "# With addresses of one's own choice, and no way out\n"
                "caisson network create --internal --subnet 10.1.2.0/24 backend",
    .options = create_table,
    .options_size = sizeof(struct network_create_options),
    .least = 1,
    .most = 1,
};

const struct verb verb_network_ls = {
    .name = "network ls",
    .alias = "network_list",
    .group = GROUP_NETWORKS,
    .arguments = "",
    .summary = "List networks",
    .description = "Lists networks by name. A dangling one has no container on it that runs. "
                   "--network none and --network host need none of them.",
    .examples = "caisson network ls\n"
                "caisson network ls --filter label=project=shop --format '{{.Name}}'",
    .options = ls_table,
    .options_size = sizeof(struct network_ls_options),
};

const struct verb verb_network_inspect = {
    .name = "network inspect",
    .group = GROUP_NETWORKS,
    .arguments = "NETWORK [NETWORK...]",
    .summary = "Show everything known of networks",
    .description = "Prints networks as JSON, with the containers that are on them now.",
    .examples = "caisson network inspect shop\n"
                "caisson network inspect -f '{{range .Containers}}{{.Name}} {{.IPv4Address}} "
                "{{end}}' shop",
    .options = inspect_table,
    .options_size = sizeof(struct network_inspect_options),
    .least = 1,
    .most = -1,
    .completes = "network",
};

const struct verb verb_network_rm = {
    .name = "network rm",
    .alias = "network_remove",
    .group = GROUP_NETWORKS,
    .arguments = "NETWORK [NETWORK...]",
    .summary = "Remove networks",
    .description = "Removes networks that no running container is on.",
    .examples = "caisson network rm shop",
    .options = rm_table,
    .options_size = sizeof(struct network_rm_options),
    .least = 1,
    .most = -1,
    .completes = "network",
};

const struct verb verb_network_prune = {
    .name = "network prune",
    .group = GROUP_NETWORKS,
    .arguments = "",
    .summary = "Remove networks that no container uses",
    .description = "Removes networks that no container is made for, whether it runs or not, but "
                   "for the one named bridge; and what killed commands left behind.",
    .examples = "caisson network prune\n"
                "caisson network prune -f --filter label=project=shop",
    .options = prune_table,
    .options_size = sizeof(struct network_prune_options),
};

const struct verb verb_network_log = {
    .name = "network log",
    .group = GROUP_NETWORKS,
    .arguments = "[NETWORK...]",
    .summary = "Show what egress lists let pass and refused",
    .description = "Shows, for each container with a list of destinations (--egress), the names "
                   "that it asked for and where its packets went: what was granted, what was "
                   "denied, how often, and when last. A name without an address was refused "
                   "because it is on no list; an address without a name is where packets went "
                   "that nothing had granted. It is written once a second, and what a container "
                   "is denied is counted some times a second at most, so that one that tries "
                   "much pushes out no others.",
    .examples = "caisson network log\n"
                "caisson network log --filter verdict=denied --since 10m\n"
                "caisson network log --filter container=agent --format json",
    .options = log_table,
    .options_size = sizeof(struct network_log_options),
    .most = -1,
    .completes = "network",
};

const struct verb verb_network_check = {
    .name = "network check",
    .group = GROUP_NETWORKS,
    .arguments = "[NETWORK...]",
    .summary = "Compare networks with what they should be",
    .description =
        "Says what differs between what networks and the containers on them should have and what "
        "the kernel has: bridges and their addresses, cables, forwarding, and the firewall down to "
        "each rule and each element of its sets; and which addresses nobody gave back. What others "
        "do to the same packets, in tables of their own, is not looked at.\n\n"
        "Without differences it prints a line and ends with 0. Otherwise it prints a line for each "
        "one, which says what restores it, and ends with 1; with --repair they are restored, and "
        "it "
        "ends with 1 only when some are left. When it cannot look, it ends with 2.\n\n"
        "With names it tells only of those networks, and of what all have in common; --repair "
        "always restores all. It takes half a second when something differs: what a start or an "
        "end is just changing is no difference.",
    .examples = "caisson network check\n"
                "# After the host's own firewall was loaded anew\n"
                "caisson network check -q --repair\n"
                "caisson network check --format json shop",
    .options = check_table,
    .options_size = sizeof(struct network_check_options),
    .most = -1,
    .completes = "network",
    .failure = 2,
};

const struct verb verb_network_connect = {
    .name = "network connect",
    .group = GROUP_NETWORKS,
    .arguments = "NETWORK CONTAINER",
    .summary = "Put a container on a network",
    .description =
        "Puts a container on one network more: one that runs at once, and with every start from "
        "now on. It and the containers there know each other by name at once. What it sends to far "
        "away goes on by the network by which it did; only where it had no way out, the new one is "
        "it. A container that has the host's network or another's (--network host, container:NAME) "
        "stays there. One that had no network at all and has a read-only root finds names after "
        "its "
        "next start.",
    .examples = "caisson network connect shop web\n"
                "caisson network connect --alias db --ip 10.1.2.9 shop postgres",
    .options = connect_table,
    .options_size = sizeof(struct network_connect_options),
    .least = 2,
    .most = 2,
    .completes = "network",
};

const struct verb verb_network_disconnect = {
    .name = "network disconnect",
    .group = GROUP_NETWORKS,
    .arguments = "NETWORK CONTAINER",
    .summary = "Take a container from a network",
    .description =
        "Takes a container from a network: one that runs at once, and with every start from now "
        "on. When that was its way out, the next of its networks that has one is it. The network "
        "by which its ports are published, the first one, it keeps as long as it runs. With a "
        "read-only root, one that is taken from all the networks that it was started on finds "
        "names "
        "again after its next start; a warning says so.",
    .examples = "caisson network disconnect shop web",
    .options = disconnect_table,
    .options_size = sizeof(struct network_disconnect_options),
    .least = 2,
    .most = 2,
    .completes = "network",
};
