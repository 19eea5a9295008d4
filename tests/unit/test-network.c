/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses; links, routes and the firewall in a network namespace of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "network/firewall.h"
#include "network/link.h"

static struct ip_address address(const char *text)
{
    struct ip_address a;
    assert_int_equal(ip_parse(text, &a), 0);
    return a;
}

static struct ip_prefix prefix(const char *text)
{
    struct ip_prefix p;
    assert_int_equal(ip_prefix_parse(text, false, &p), 0);
    return p;
}

static void is_text(const struct ip_address *a, const char *wanted)
{
    char text[IP_TEXT_MAX];
    ip_format(a, text);
    assert_string_equal(text, wanted);
}

/* --- addresses --- */

static void addresses_and_prefixes_are_read_and_written(void **state)
{
    static const char *const wrong[] = {"10.0.0.0",      "10.0.0.0/33", "10.0.0/8",  "::1/129",
                                        "fe80::1%lo/64", "/8",          "10.0.0.0/", "10.0.0.0/-1",
                                        "10.0.0.0/8/8",  "300.0.0.0/8", ""};
    struct ip_prefix p;
    char text[IP_TEXT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(ip_prefix_parse(wrong[i], false, &p), -EINVAL);
    assert_int_equal(ip_prefix_parse("10.0.0.1", true, &p), 0);
    assert_int_equal(p.length, 32);
    assert_int_equal(ip_prefix_parse("fd00::1", true, &p), 0);
    assert_int_equal(p.length, 128);
    p = prefix("fd00:0:0::5/64");
    ip_prefix_format(&p, text);
    assert_string_equal(text, "fd00::5/64");
}

static void the_ends_of_a_prefix_are_known(void **state)
{
    static const struct {
        const char *prefix, *first, *last;
    } cases[] = {{"10.1.2.3/8", "10.0.0.0", "10.255.255.255"},
                 {"10.1.2.130/25", "10.1.2.128", "10.1.2.255"},
                 {"10.1.2.3/32", "10.1.2.3", "10.1.2.3"},
                 {"1.2.3.4/0", "0.0.0.0", "255.255.255.255"},
                 {"fd00::1:0:0:0:5/65", "fd00::1:0:0:0:0", "fd00::1:7fff:ffff:ffff:ffff"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ip_prefix p = prefix(cases[i].prefix);
        struct ip_address first = ip_first(&p), last = ip_last(&p), wanted;
        assert_int_equal(ip_parse(cases[i].first, &wanted), 0);
        assert_true(ip_equal(&first, &wanted));
        is_text(&last, cases[i].last);
        assert_true(ip_within(&p, &first) && ip_within(&p, &last));
    }
}

static void counting_goes_over_bytes_and_not_past_the_end(void **state)
{
    struct ip_address a = address("10.0.255.255"), b = ip_plus(&a, 1);
    (void)state;
    is_text(&b, "10.1.0.0");
    b = ip_plus(&a, 65536 + 256);
    is_text(&b, "10.2.0.255");
    a = address("255.255.255.255");
    assert_int_equal(ip_plus(&a, 1).family, 0);
    assert_int_equal(ip_plus(&a, 0).family, AF_INET);
    a = address("fd00::ffff:ffff:ffff:ffff");
    b = ip_plus(&a, 2);
    is_text(&b, "fd00:0:0:1::1");
}

static void prefixes_overlap_when_they_share_an_address(void **state)
{
    struct ip_prefix wide = prefix("10.0.0.0/8"), narrow = prefix("10.200.0.0/16"),
                     other = prefix("11.0.0.0/8"), all = prefix("0.0.0.0/0"), six = prefix("::/0");
    (void)state;
    assert_true(ip_overlap(&wide, &narrow) && ip_overlap(&narrow, &wide));
    assert_false(ip_overlap(&wide, &other));
    assert_true(ip_overlap(&other, &all));
    assert_false(ip_overlap(&all, &six));
    struct ip_address six_zero = address("::");
    assert_false(ip_within(&all, &six_zero));
}

/* --- in a namespace --- */

/* Carries a test out in a child with a network of its own; skips where that cannot be had. */
static void in_namespace(void (*body)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
            _exit(77);
        body();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* cmocka's asserts are its parent's: in the child a sentence and an exit. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition);                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static const uint8_t mac[MAC_SIZE] = {2, 0xca, 0, 0, 0, 1};

static void send_links(int fd, struct netlink_batch *b)
{
    struct error err = {0};
    if (nl_send(fd, b, NULL, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        _exit(1);
    }
    netlink_batch_free(b);
    *b = (struct netlink_batch){0};
}

static int count_route(const struct ip_prefix *to, int index, void *closure)
{
    struct ip_prefix wanted;
    (void)index;
    MUST(ip_prefix_parse("10.77.0.0/24", false, &wanted) == 0);
    struct ip_address first = ip_first(&wanted);
    if (ip_equal(&to->address, &first) && to->length == 24)
        ++*(int *)closure;
    return 0;
}

static void make_links(void)
{
    struct error err = {0};
    autobatch b = {0};
    int fd = netlink_open(NETLINK_ROUTE, &err), seen = 0;
    MUST(fd >= 0);
    MUST(link_index(fd, "br-x", &err) == -ENODEV && err.code == 0);
    link_add_bridge(&b, "br-x", mac, 1400);
    link_no_autoconfiguration(&b, "br-x");
    link_up(&b, "br-x");
    send_links(fd, &b);
    int bridge = link_index(fd, "br-x", &err);
    MUST(bridge > 0);
    struct ip_prefix p = {{AF_INET, {10, 77, 0, 1}}, 24};
    link_add_address(&b, bridge, &p);
    send_links(fd, &b);
    MUST(link_routes(fd, AF_INET, count_route, &seen, &err) == 0);
    MUST(seen == 1);

    int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    MUST(unshare(CLONE_NEWNET) == 0);
    int there = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int inside = netlink_open(NETLINK_ROUTE, &err);
    MUST(setns(here, CLONE_NEWNET) == 0);
    struct veth v = {.name = "veth-x",
                     .bridge = bridge,
                     .isolated = true,
                     .peer = "eth0",
                     .peer_namespace = there,
                     .peer_mac = {2, 0xca, 0, 0, 0, 2}};
    link_add_veth(&b, &v);
    send_links(fd, &b);
    int eth0 = link_index(inside, "eth0", &err);
    MUST(eth0 > 0 && link_index(fd, "eth0", &err) == -ENODEV);
    struct ip_prefix own = {{AF_INET, {10, 77, 0, 2}}, 24}, any = {{AF_INET, {0}}, 0};
    link_up(&b, "eth0");
    link_add_address(&b, eth0, &own);
    link_add_route(&b, eth0, &any, &p.address);
    send_links(inside, &b);
    link_remove(&b, "veth-x");
    send_links(fd, &b);
    MUST(link_index(inside, "eth0", &err) == -ENODEV); /* both ends go */
    /* The first that fails is told, with the kernel's words, and what comes after it is done. */
    uint32_t failed = 99;
    link_remove(&b, "br-x");
    link_remove(&b, "nothing");
    link_add_bridge(&b, "br-y", mac, 0);
    MUST(nl_send(fd, &b, &failed, &err) == -ENODEV && failed == 1 && err.text[0]);
    MUST(link_index(fd, "br-x", &err) == -ENODEV && link_index(fd, "br-y", &err) > 0);
}

static void links_addresses_and_routes_come_and_go(void **state)
{
    (void)state;
    in_namespace(make_links);
}

static int change(int fd, void (*write)(struct nft *n))
{
    struct error err = {0};
    autonft n;
    nft_begin(&n, FIREWALL_TABLE);
    write(&n);
    int rc = nft_commit(&n, fd, &err);
    return rc;
}

static const struct firewall_network *a_network(void)
{
    static struct firewall_network network = {.bridge = "br-x", .internal = true, .shared = true};
    MUST(ip_prefix_parse("10.77.0.0/24", false, &network.subnets[0]) == 0);
    MUST(ip_parse("10.77.0.1", &network.gateways[0]) == 0);
    MUST(ip_prefix_parse("fd77::/64", false, &network.subnets[1]) == 0);
    MUST(ip_parse("fd77::1", &network.gateways[1]) == 0);
    return &network;
}

static const struct firewall_member *a_member(void)
{
    static struct firewall_member member = {.bridge = "br-x", .host = true, .metadata = true};
    MUST(ip_parse("10.77.0.2", &member.addresses[0]) == 0);
    MUST(ip_parse("fd77::2", &member.addresses[1]) == 0);
    return &member;
}

static void write_table(struct nft *n)
{
    firewall_add_table(n, FIREWALL_OURS_4 | FIREWALL_OURS_6);
}
static void write_network(struct nft *n)
{
    firewall_add_network(n, a_network());
}
static void write_member(struct nft *n)
{
    firewall_add_member(n, a_member());
}
static void unwrite_member(struct nft *n)
{
    firewall_remove_member(n, a_member());
}
static void unwrite_network(struct nft *n)
{
    firewall_remove_network(n, a_network());
}
static void half(struct nft *n)
{
    firewall_remove_network(n, a_network());
    firewall_remove_member(n, a_member()); /* is not there any more: nothing of it is done */
}
static void unwrite_table(struct nft *n)
{
    firewall_delete_table(n);
}

static void make_firewall(void)
{
    struct error err = {0};
    int fd = netlink_open(NETLINK_NETFILTER, &err);
    MUST(fd >= 0);
    MUST(firewall_look(fd, FIREWALL_TABLE, &err) == FIREWALL_NONE);
    MUST(change(fd, write_member) == -ENOENT);
    MUST(change(fd, write_table) == 0);
    MUST(firewall_look(fd, FIREWALL_TABLE, &err) == FIREWALL_WHOLE);
    MUST(change(fd, write_table) == -EEXIST);
    MUST(change(fd, write_network) == 0);
    MUST(change(fd, write_member) == 0);
    MUST(change(fd, unwrite_member) == 0);
    MUST(change(fd, half) == -ENOENT);
    MUST(change(fd, write_member) == 0); /* so its network is still there: */
    MUST(change(fd, unwrite_member) == 0);
    MUST(change(fd, unwrite_network) == 0);
    MUST(change(fd, unwrite_table) == 0);
    MUST(firewall_look(fd, FIREWALL_TABLE, &err) == FIREWALL_NONE);
}

static void the_firewall_is_changed_whole_or_not_at_all(void **state)
{
    (void)state;
    in_namespace(make_firewall);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_and_prefixes_are_read_and_written),
        cmocka_unit_test(the_ends_of_a_prefix_are_known),
        cmocka_unit_test(counting_goes_over_bytes_and_not_past_the_end),
        cmocka_unit_test(prefixes_overlap_when_they_share_an_address),
        cmocka_unit_test(links_addresses_and_routes_come_and_go),
        cmocka_unit_test(the_firewall_is_changed_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
