/* SPDX-License-Identifier: Apache-2.0 */
/* Egress lists, as words and in nf_tables; the file of a network's names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "network/egress_log.h"
#include "network/firewall.h"
#include "network/names.h"
#include "network/nflog.h"

static struct ip_address address(const char *text)
{
    struct ip_address a;
    assert_int_equal(ip_parse(text, &a), 0);
    return a;
}

static void rules_are_read_and_written_in_one_way(void **state)
{
    static const struct {
        const char *said, *kept;
    } cases[] = {
        {"none", "none"},
        {"any", "any"},
        {"Any", "any"},
        {"NONE", "none"},
        {"*.any", "*.any"},
        {"API.Example.com.", "api.example.com"},
        {"*.example.com:443", "*.example.com:443"},
        {"*.example.com:443/tcp", "*.example.com:443"},
        {"example.com:53/udp", "example.com:53/udp"},
        {"example.com/tcp", "example.com/tcp"},
        {"_srv.example.com", "_srv.example.com"},
        {"xn--bcher-kva.example", "xn--bcher-kva.example"},
        {"203.0.113.7", "203.0.113.7"},
        {"203.0.113.7/32:80", "203.0.113.7:80"},
        {"10.1.2.3/8:5432", "10.0.0.0/8:5432"},
        {"10.0.0.0/8/udp", "10.0.0.0/8/udp"},
        {"2001:DB8::1", "2001:db8::1"},
        {"2001:db8::/32", "2001:db8::/32"},
        {"[2001:db8::1]:443", "[2001:db8::1]:443"},
        {"[2001:db8::/32]:53/udp", "[2001:db8::/32]:53/udp"},
        {"[2001:db8::1]", "2001:db8::1"},
        {"a.example,b.example,A.example", "a.example,b.example"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        autoegress list = {0}, again = {0};
        autobuf text = {0}, second = {0};
        struct error err = {0};
        if (egress_parse(cases[i].said, &list, &err) < 0)
            fail_msg("%s: %s", cases[i].said, err.text);
        egress_format(&list, &text);
        assert_string_equal(buf_text(&text), cases[i].kept);
        assert_int_equal(egress_parse(buf_text(&text), &again, &err), 0);
        egress_format(&again, &second);
        assert_string_equal(buf_text(&second), cases[i].kept);
    }
}

static void a_rule_that_is_none_is_named(void **state)
{
    static const char *const wrong[] = {"",
                                        "a.example,,b.example",
                                        "*",
                                        "*.",
                                        "a.*.example",
                                        "*.*.example",
                                        "*a.example",
                                        "a..example",
                                        "-a.example",
                                        "a-.example",
                                        "a example",
                                        "\xc3\xbcx.example",
                                        "http://a.example",
                                        "a.example/path",
                                        "a.example:0",
                                        "a.example:65536",
                                        "a.example:https",
                                        "a.example:",
                                        "a.example/icmp",
                                        "10.0.0.256",
                                        "10.0.0",
                                        "10.0.0.0/33",
                                        "10.0.0.0/",
                                        "[10.0.0.1]:80",
                                        "[2001:db8::1",
                                        "[2001:db8::1]80",
                                        "2001:db8::1/129",
                                        "[a.example]:80",
                                        "fe80::1%eth0",
                                        "a.example,Any",
                                        "NONE,a.example",
                                        "any.",
                                        "none:443"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        autoegress list = {0};
        struct error err = {0};
        if (egress_parse(wrong[i], &list, &err) == 0)
            fail_msg("taken: %s", wrong[i]);
        assert_true(starts_with(err.text, "--egress "));
    }
}

static void none_and_any_go_with_nothing_else(void **state)
{
    static const char *const pairs[][2] = {{"none", "a.example"}, {"a.example", "none"},
                                           {"any", "a.example"},  {"a.example", "any"},
                                           {"none", "any"},       {"any", "none"}};
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        autoegress list = {0};
        assert_int_equal(egress_parse(pairs[i][0], &list, NULL), 0);
        assert_int_equal(egress_parse(pairs[i][1], &list, NULL), -EINVAL);
    }
}

static void a_list_has_an_end(void **state)
{
    autoegress list = {0};
    struct error err = {0};
    char rule[32];
    (void)state;
    for (unsigned i = 0; i < EGRESS_RULES_MAX; i++) {
        snprintf(rule, sizeof rule, "n%u.example", i);
        assert_int_equal(egress_parse(rule, &list, &err), 0);
    }
    assert_int_equal(egress_parse("one.more.example", &list, &err), -E2BIG);
}

static void a_wildcard_is_about_what_lies_below_and_only_that(void **state)
{
    static const struct {
        const char *name;
        bool listed;
    } cases[] = {{"api.example.com", true},
                 {"a.b.example.com", true},
                 {"example.com", false},
                 {"xexample.com", false},
                 {"example.com.evil", false},
                 {"one.net", true},
                 {"x.one.net", false},
                 {"a?b.example.com", true},
                 {"a?example.com", false},
                 {".example.com", false},
                 {"", false}};
    autoegress list = {0}, none = {0}, any = {0};
    (void)state;
    assert_int_equal(egress_parse("*.example.com,one.net:443", &list, NULL), 0);
    assert_int_equal(egress_parse("none", &none, NULL), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (egress_names(&list, cases[i].name) != cases[i].listed)
            fail_msg("%s", cases[i].name);
        assert_false(egress_names(&none, cases[i].name));
        assert_true(egress_names(&any, cases[i].name));
    }
}

static void only_addresses_of_the_internet_are_public(void **state)
{
    static const char *const inside[] = {"0.0.0.0",
                                         "10.1.2.3",
                                         "100.64.0.1",
                                         "127.0.0.1",
                                         "169.254.169.254",
                                         "172.16.0.1",
                                         "172.31.255.255",
                                         "192.0.0.1",
                                         "192.168.1.1",
                                         "198.18.0.1",
                                         "224.0.0.1",
                                         "240.0.0.1",
                                         "255.255.255.255",
                                         "::",
                                         "::1",
                                         "::10.0.0.1",
                                         "::ffff:8.8.8.8",
                                         "64:ff9b::10.0.0.1",
                                         "64:ff9b::169.254.169.254",
                                         "64:ff9b:1::1",
                                         "2002:a00:1::",
                                         "2002:7f00:1::1",
                                         "fc00::1",
                                         "fd00:ec2::254",
                                         "fe80::1",
                                         "fec0::1",
                                         "ff02::1"};
    static const char *const outside[] = {"1.1.1.1",          "9.9.9.9",         "100.63.255.255",
                                          "100.128.0.0",      "172.15.0.1",      "172.32.0.1",
                                          "192.0.1.1",        "223.255.255.255", "2606:4700::1111",
                                          "64:ff9b::8.8.8.8", "2002:808:808::1"};
    (void)state;
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        struct ip_address a = address(inside[i]);
        if (egress_public(&a))
            fail_msg("%s", inside[i]);
    }
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        struct ip_address a = address(outside[i]);
        if (!egress_public(&a))
            fail_msg("%s", outside[i]);
    }
}

static void a_name_is_granted_the_ports_of_all_its_rules(void **state)
{
    autoegress list = {0};
    static struct egress_grant grants[EGRESS_GRANTS_MAX];
    struct ip_address four = address("203.0.113.1"), six = address("2001:db8::1");
    (void)state;
    assert_int_equal(
        egress_parse("*.a.example:443,x.a.example:443,x.a.example:53/udp,y.a.example", &list, NULL),
        0);
    assert_int_equal(egress_grants("id", &list, "x.a.example", &four, grants), 2);
    assert_int_equal(grants[0].port, 443);
    assert_int_equal(grants[1].protocol, IPPROTO_UDP);
    assert_string_equal(grants[0].set, "egress4-id");
    assert_int_equal(egress_grants("id", &list, "y.a.example", &six, grants), 4);
    assert_int_equal(grants[3].protocol, IPPROTO_ICMPV6);
    assert_string_equal(grants[3].set, "egress6-id-any");
    assert_int_equal(egress_grants("id", &list, "a.example", &four, grants), 0);
}

/* --- in a namespace --- */

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition);                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static struct firewall_member a_member(void)
{
    static char chain[EGRESS_CHAIN_MAX];
    struct firewall_member member = {.bridge = "br-x", .egress = chain};
    egress_chain(id, chain);
    MUST(ip_parse("10.77.0.2", &member.addresses[0]) == 0);
    return member;
}

static uint64_t left(int fd, const struct egress_grant *g)
{
    uint64_t milliseconds = 0;
    int rc = nft_element_left(fd, FIREWALL_TABLE, g->set, &g->key, &milliseconds, NULL);
    MUST(rc == 0 || rc == -ENOENT);
    return milliseconds;
}

static void grant_for(int fd, const struct egress_grant *g, uint32_t seconds)
{
    autonft n;
    nft_begin(&n, FIREWALL_TABLE);
    egress_grant(&n, g, seconds);
    MUST(nft_commit(&n, fd, NULL) == 0);
}

static void grants_in_the_kernel(void)
{
    autoegress list = {0};
    static struct egress_grant grants[EGRESS_GRANTS_MAX];
    struct ip_address a;
    struct error err = {0};
    struct firewall_member member = a_member();
    int fd = netlink_open(NETLINK_NETFILTER, &err);
    MUST(ip_parse("203.0.113.1", &a) == 0);
    MUST(egress_parse("a.example:443,10.0.0.0/8,[fd00::/8]:80/udp,0.0.0.0/0:25", &list, &err) == 0);
    MUST(egress_grants(id, &list, "a.example", &a, grants) == 1);
    autonft n;
    nft_begin(&n, FIREWALL_TABLE);
    firewall_add_table(&n, false);
    egress_add(&n, id, &list, 7);
    firewall_add_member(&n, &member);
    if (nft_commit(&n, fd, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        _exit(1);
    }
    MUST(left(fd, &grants[0]) == 0);
    grant_for(fd, &grants[0], 100);
    MUST(left(fd, &grants[0]) > 90000 && left(fd, &grants[0]) <= 100000);
    grant_for(fd, &grants[0], 1000); /* it is there, and becomes longer */
    MUST(left(fd, &grants[0]) > 900000);
    autonft gone;
    nft_begin(&gone, FIREWALL_TABLE);
    firewall_remove_member(&gone, &member);
    egress_remove(&gone, id);
    MUST(nft_commit(&gone, fd, &err) == 0);
    MUST(left(fd, &grants[0]) == 0);
}

static void a_list_comes_and_goes_and_grants_are_renewed(void **state)
{
    int status;
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
            _exit(77);
        grants_in_the_kernel();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- names --- */

static const char file[] = "isolated\n"
                           "log 9\n"
                           "subnet 10.77.0.0/24\n"
                           "upstream 127.0.0.1\n"
                           "member 0123456789abcdef Web\n"
                           "alias www.Example\n"
                           "address 10.77.0.2\n"
                           "egress *.example.com:443\n"
                           "member fedcba9876543210 db\n"
                           "address 10.77.0.3\n"
                           "address fd77::3\n";

static void the_file_of_names_is_written_as_it_is_read(void **state)
{
    autonames names = {0};
    autobuf text = {0};
    (void)state;
    assert_int_equal(names_parse(file, strlen(file), &names, NULL), 0);
    names_format(&names, &text);
    assert_string_equal(buf_text(&text), file);
}

static void an_error_in_it_names_the_line(void **state)
{
    static const char *const wrong[] = {
        "log 1\nlog x",      "log 1\nlog 65536", "log 1\nnonsense",       "log 1\naddress 10.0.0.1",
        "log 1\nmember abc", "log 1\nmember  x", "log 1\nsubnet 10.0.0.1"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        autonames names = {0};
        struct error err = {0};
        assert_true(names_parse(wrong[i], strlen(wrong[i]), &names, &err) < 0);
        assert_non_null(strstr(err.text, "line 2"));
    }
}

static void members_are_found_by_what_they_are_called_and_by_who_sees_them(void **state)
{
    autonames names = {0};
    const struct names_member *found[2];
    struct ip_address a = address("10.77.0.2"), b = address("fd77::3"),
                      other = address("10.77.0.9");
    const struct names_member *who = NULL;
    (void)state;
    assert_int_equal(names_parse(file, strlen(file), &names, NULL), 0);
    const struct names_member *web = names_by_address(&names, &a),
                              *db = names_by_address(&names, &b);
    assert_string_equal(web->name, "Web");
    assert_string_equal(db->name, "db");
    assert_null(names_by_address(&names, &other));
    assert_int_equal(names_find(&names, web, "web", found, 2), 1);
    assert_int_equal(names_find(&names, web, "www.example", found, 2), 1);
    assert_int_equal(names_find(&names, web, "0123456789ab", found, 2), 1);
    assert_int_equal(names_find(&names, web, "db", found, 2), 0);
    names.isolated = false;
    assert_int_equal(names_find(&names, web, "db", found, 2), 1);
    assert_true(names_is_below(&names, web, "a.b.db"));
    assert_false(names_is_below(&names, web, "db"));
    assert_false(names_is_below(&names, web, "xdb"));
    assert_true(names_is_own_address(&names, web, &other, &who));
    assert_null(who);
}

static void servers_are_read_from_resolv_conf(void **state)
{
    struct ip_address servers[NAMES_UPSTREAMS];
    (void)state;
    assert_int_equal(names_read_servers("# nameserver 1.1.1.1\n"
                                        "search example.com\n"
                                        "nameserver\t10.0.0.1 # first\n"
                                        "nameserver fe80::1%eth0\n"
                                        "nameservers 10.0.0.9\n"
                                        "nameserver ::1\r\n"
                                        "nameserver 10.0.0.2;x\n"
                                        "nameserver 10.0.0.3\n",
                                        servers),
                     3);
    assert_int_equal(servers[0].bytes[3], 1);
    assert_int_equal(servers[1].family, AF_INET6);
    assert_int_equal(servers[2].bytes[3], 2);
    assert_int_equal(names_read_servers("", servers), 0);
}

/* --- the log --- */

static struct egress_log egress_log;

static void add_event(const char *who, unsigned number, nanoseconds when)
{
    struct egress_event event = {0};
    snprintf(event.id, sizeof event.id, "%s", who);
    snprintf(event.name, sizeof event.name, "n%u", number);
    egress_log_add(&egress_log, &event, when);
}

static void the_log_counts_and_is_bounded_by_who_fills_it(void **state)
{
    autobuf text = {0};
    (void)state;
    add_event("quiet", 1, 1);
    add_event("quiet", 1, 2);
    for (unsigned i = 0; i < 2 * NETD_LOG_LINES; i++)
        add_event("loud", i, 10 + i);
    egress_log_format(&egress_log, &text);
    assert_int_equal(egress_log.count, NETD_LOG_LINES);
    assert_true(starts_with(buf_text(&text),
                            "denied\tquiet\t-\tn1\t-\t-\t-\t2\t1970-01-01T00:00:00.000000002Z\n"));
    assert_null(strstr(buf_text(&text), "\tn5\t"));
    const char *at = strstr(buf_text(&text), "\tn2000\t"), *next = strstr(at, "\tn2001\t");
    assert_non_null(at);
    assert_non_null(next);
    assert_non_null(strstr(next, "\tn2047\t")); /* the latest last */
}

static void the_log_is_read_back_as_it_was_written_and_what_is_none_left_out(void **state)
{
    static const char lines[] =
        "denied\tab12\tweb\ta.example\t-\t-\t-\t3\t2026-01-02T03:04:05.000000006Z\n"
        "granted\tab12\t-\tb.example\t203.0.113.7\t443\ttcp\t1\t2026-01-02T03:04:06Z\n"
        "granted\tab12\tweb\t-\t2001:db8::1\t-\ticmp\t2\t2026-01-02T03:04:07Z\n";
    static const char *const wrong[] = {"",
                                        "\n",
                                        "denied\tab12\tweb\ta\t-\t-\t-\t3\n",
                                        "maybe\ta\tb\tc\t-\t-\t-\t3\t2026-01-02T03:04:05Z\n",
                                        "denied\ta\tb\tc\tx\t-\t-\t3\t2026-01-02T03:04:05Z\n",
                                        "denied\ta\tb\tc\t-\t65536\t-\t3\t2026-01-02T03:04:05Z\n",
                                        "denied\ta\tb\tc\t-\t-\t256\t3\t2026-01-02T03:04:05Z\n",
                                        "denied\ta\tb\tc\t-\t-\t-\t-3\t2026-01-02T03:04:05Z\n",
                                        "denied\ta\tb\tc\t-\t-\t-\t3\tyesterday\n"};
    static struct egress_log log;
    char text[sizeof lines];
    autobuf again = {0};
    (void)state;
    memcpy(text, lines, sizeof lines);
    egress_log_parse(text, &log);
    egress_log_format(&log, &again);
    assert_int_equal(log.count, 3);
    assert_non_null(
        strstr(buf_text(&again),
               "denied\tab12\tweb\ta.example\t-\t-\t-\t3\t2026-01-02T03:04:05.000000006Z\n"));
    assert_non_null(strstr(buf_text(&again), "\tb.example\t203.0.113.7\t443\ttcp\t1\t2026"));
    assert_int_equal(log.lines[2].event.protocol, IPPROTO_ICMPV6);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        autofree char *copy = xstrdup(wrong[i]);
        log.count = 0;
        egress_log_parse(copy, &log);
        assert_int_equal(log.count, 0);
    }
}

static void
who_is_on_two_networks_has_the_names_of_both_and_goes_out_by_the_first_that_leads_out(void **state)
{
    static const char inner[] = "internal\nlog 1\nsubnet 10.1.0.0/24\n"
                                "member aa web\nalso outer\naddress 10.1.0.2\n"
                                "member bb db\naddress 10.1.0.3\n";
    static const char outer[] =
        "log 2\nsubnet 10.2.0.0/24\n"
        "member aa web\nnumber 1\nalso inner\naddress 10.2.0.2\negress a.example\n"
        "member cc proxy\naddress 10.2.0.3\n";
    autonames names = {0};
    const struct names_member *found[3], *who = NULL;
    struct ip_address a = address("10.1.0.2"), b = address("10.1.0.3"), c = address("10.2.0.3");
    (void)state;
    assert_int_equal(names_parse(inner, strlen(inner), &names, NULL), 0);
    const struct names_member *web = names_by_address(&names, &a),
                              *db = names_by_address(&names, &b);
    assert_null(names_outward(&names, web));
    assert_int_equal(names_find(&names, web, "proxy", found, 3), 0);
    assert_int_equal(names_add_other(&names, "outer", outer, strlen(outer)), 0);
    assert_int_equal(names_find(&names, web, "proxy", found, 3), 1);
    assert_int_equal(names_find(&names, web, "db", found, 3), 1);
    assert_int_equal(names_find(&names, web, "web", found, 3), 2);
    assert_int_equal(names_find(&names, db, "proxy", found, 3), 0);
    assert_int_equal(names_outward(&names, web)->number, 1);
    assert_true(names_outward(&names, web)->egress.limited);
    assert_null(names_outward(&names, db));
    assert_true(names_is_own_address(&names, web, &c, &who));
    assert_string_equal(who->name, "proxy");
    assert_false(names_is_own_address(&names, db, &c, &who));
}

static void where_a_packet_goes_is_read_from_what_there_is_of_it(void **state)
{
    static const struct {
        const char *bytes;
        size_t given; /* of them; what follows is zero */
        size_t size;
        bool read;
        uint8_t protocol;
        uint16_t port;
    } cases[] = {
        {"\x45\0\0\x28\0\0\0\0\x40\x06\0\0\x0a\0\0\1\xcb\0\x71\1\0\x50\1\xbb", 24, 24, true, 6,
         443},
        {"\x45\0\0\x28\0\0\0\0\x40\x06\0\0\x0a\0\0\1\xcb\0\x71\1\0\x50\1", 23, 23, true, 6, 0},
        {"\x4f\0\0\x28\0\0\0\0\x40\x11\0\0\x0a\0\0\1\xcb\0\x71\1\0\x50\1\xbb", 24, 60, true, 17, 0},
        {"\x45\0\0\x28\0\0\0\0\x40\x01\0\0\x0a\0\0\1\xcb\0\x71\1\x08\0\1\xbb", 24, 24, true, 1, 0},
        {"\x45\0\0\x28\0\0\0\0\x40\x06", 10, 19, false, 0, 0},
        {"\x60\0\0\0\0\0\x11\x40", 8, 39, false, 0, 0},
        {"\x60\0\0\0\0\0\x3a\x40", 8, 64, true, 58, 0},
        {"\x50", 1, 64, false, 0, 0},
        {"", 0, 0, false, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[64] = {0};
        struct nflog_packet p = {0};
        memcpy(bytes, cases[i].bytes, cases[i].given);
        assert_int_equal(nflog_packet_parse(bytes, cases[i].size, &p), cases[i].read);
        assert_int_equal(p.protocol, cases[i].protocol);
        assert_int_equal(p.port, cases[i].port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_read_and_written_in_one_way),
        cmocka_unit_test(a_rule_that_is_none_is_named),
        cmocka_unit_test(none_and_any_go_with_nothing_else),
        cmocka_unit_test(a_list_has_an_end),
        cmocka_unit_test(a_wildcard_is_about_what_lies_below_and_only_that),
        cmocka_unit_test(only_addresses_of_the_internet_are_public),
        cmocka_unit_test(a_name_is_granted_the_ports_of_all_its_rules),
        cmocka_unit_test(a_list_comes_and_goes_and_grants_are_renewed),
        cmocka_unit_test(the_file_of_names_is_written_as_it_is_read),
        cmocka_unit_test(an_error_in_it_names_the_line),
        cmocka_unit_test(members_are_found_by_what_they_are_called_and_by_who_sees_them),
        cmocka_unit_test(servers_are_read_from_resolv_conf),
        cmocka_unit_test(where_a_packet_goes_is_read_from_what_there_is_of_it),
        cmocka_unit_test(the_log_is_read_back_as_it_was_written_and_what_is_none_left_out),
        cmocka_unit_test(
            who_is_on_two_networks_has_the_names_of_both_and_goes_out_by_the_first_that_leads_out),
        cmocka_unit_test(the_log_counts_and_is_bounded_by_who_fills_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
