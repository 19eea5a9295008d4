/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of sources from elsewhere, and where a download may go. */
#include "build/remote.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
/* after the above */
#include <cmocka.h>

#include "base/text.h"
#include "fetch/fetch.h"

static void kinds_are_told_by_form(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum remote_kind kind;
    } rows[] = {
        {"https://example.org/a.tar", REMOTE_FILE},
        {"HTTP://example.org/a", REMOTE_FILE},
        {"https://example.org/a.git", REMOTE_GIT},
        {"https://example.org/a.git#main:sub", REMOTE_GIT},
        {"https://example.org/a#x.git", REMOTE_FILE},
        {"git@example.org:a/b", REMOTE_GIT},
        {"ssh://git@example.org/a", REMOTE_GIT},
        {"git://example.org/a", REMOTE_GIT},
        {"git@file", REMOTE_NONE},
        {"file:///etc/passwd", REMOTE_NONE},
        {"ext::sh", REMOTE_NONE},
        {"ftp://example.org/a", REMOTE_NONE},
        {"./a", REMOTE_NONE},
        {"", REMOTE_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(remote_kind(rows[i].text), rows[i].kind);
}

static void an_address_is_taken_apart(void **state)
{
    autoremote r = {0};
    (void)state;
    assert_int_equal(
        remote_parse("https://us%40er:p%3Aw@Example.ORG:8443/a/b%20c.tar.gz?x=/y", &r, NULL), 0);
    assert_string_equal(r.address, "https://Example.ORG:8443/a/b%20c.tar.gz?x=/y");
    assert_string_equal(r.user, "us@er");
    assert_string_equal(r.password, "p:w");
    assert_string_equal(r.host, "example.org");
    assert_int_equal(r.port, 8443);
    assert_string_equal(r.name, "b c.tar.gz");
}

static void what_the_path_says_is_one_name_or_none(void **state)
{
    static const struct {
        const char *text, *name;
    } rows[] = {
        {"http://h/a", "a"},        {"http://h/a/", NULL},     {"http://h", NULL},
        {"http://h/a/..", NULL},    {"http://h/%2e%2e", NULL}, {"http://h/a%2Fb", "b"},
        {"http://h/..%2f..", NULL}, {"http://h/a?b=/c", "a"},  {"http://[::1]:80/x#y", "x"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        autoremote r = {0};
        assert_int_equal(remote_parse(rows[i].text, &r, NULL), 0);
        assert_true(streq(r.name, rows[i].name));
    }
}

static void a_repository_has_a_ref_and_a_directory(void **state)
{
    autoremote a = {0}, b = {0}, c = {0}, d = {0};
    (void)state;
    assert_int_equal(remote_parse("https://h/r.git#v1.2/x:./a//b/", &a, NULL), 0);
    assert_string_equal(a.address, "https://h/r.git");
    assert_string_equal(a.ref, "v1.2/x");
    assert_string_equal(a.subdir, "a/b");
    assert_int_equal(remote_parse("git@Host:me/r.git#:s", &b, NULL), 0);
    assert_string_equal(b.address, "git@Host:me/r.git");
    assert_string_equal(b.host, "host");
    assert_int_equal(b.port, 22);
    assert_null(b.ref);
    assert_string_equal(b.subdir, "s");
    assert_int_equal(remote_parse("ssh://me@h:2222/r", &c, NULL), 0);
    assert_string_equal(c.address, "ssh://me@h:2222/r");
    assert_int_equal(c.port, 2222);
    assert_int_equal(remote_parse("https://u:p@h/r.git", &d, NULL), 0);
    assert_string_equal(d.address, "https://h/r.git");
    assert_null(d.subdir);
}

static void what_could_be_mistaken_is_refused(void **state)
{
    static const char *const rows[] = {
        "https://h/r.git#--upload-pack=x",
        "https://h/r.git#-x",
        "https://h/r.git#a..b",
        "https://h/r.git#a@{1}",
        "https://h/r.git#a b",
        "https://h/r.git#$(id)",
        "https://h/r.git#a:..",
        "https://h/r.git#a:b/../../c",
        "https://h/r.git#a:.git/hooks",
        "https://h/r.git#a:x/.GIT",
        "git@-oProxyCommand=x:r",
        "git@h:-x",
        "ssh://-oProxyCommand=x/r",
        "ssh://-l@h/r",
        "ssh://u:p@h/r",
        "git://h",
        "https://",
        "https:///x",
        "http://h:0/x",
        "http://h:99999/x",
        "http://h:8x/x",
        "http://h/%00",
        "http://h/%zz",
        "http://h/%a",
        "http://h\\@evil/x",
        "http://h/a\nb",
        "http://[::1/x",
        "http://ho st/x",
        "file:///etc/passwd",
        "https://h/r.git#a.lock",
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        autoremote r = {0};
        struct error err = {0};
        if (remote_parse(rows[i], &r, &err) != -EINVAL)
            fail_msg("taken: %s", rows[i]);
        assert_true(err.text[0]);
    }
}

static void a_password_is_in_no_sentence(void **state)
{
    autoremote r = {0};
    struct error err = {0};
    (void)state;
    assert_int_equal(remote_parse("https://u:secret@h:x/a", &r, &err), -EINVAL);
    assert_null(strstr(err.text, "secret"));
    autobuf out = {0};
    remote_redact("ADD https://u:secret@h/a@b http://h/ ssh://git@h/ x", &out);
    assert_string_equal(buf_text(&out), "ADD https://***@h/a@b http://h/ ssh://***@h/ x");
}

static void commits_are_whole(void **state)
{
    (void)state;
    assert_true(remote_is_commit("0123456789012345678901234567890123456789"));
    assert_false(remote_is_commit("0123456"));
    assert_false(remote_is_commit("012345678901234567890123456789012345678G"));
}

/* --- where a download may go --- */

static bool connects(const struct fetch_hop *hop, const char *text, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET, text, &a.sin_addr), 1);
    return fetch_may_connect(hop, (struct sockaddr *)&a);
}

static void a_list_holds_names_to_public_addresses(void **state)
{
    autoegress list = {0};
    (void)state;
    assert_int_equal(egress_parse("example.org:443,203.0.113.0/24", &list, NULL), 0);
    struct fetch_hop hop = {.egress = &list, .host = "example.org", .port = 443};
    assert_int_equal(fetch_may_ask(&hop, NULL), 0);
    assert_true(connects(&hop, "8.8.8.8", 443));
    assert_false(connects(&hop, "127.0.0.1", 443));
    assert_true(connects(&hop, "203.0.113.9", 443));
    struct fetch_hop other = {.egress = &list, .host = "other.org", .port = 443};
    assert_int_equal(fetch_may_ask(&other, NULL), 0); /* it may lead to a listed address */
    assert_false(connects(&other, "8.8.8.8", 443));
    assert_true(connects(&other, "203.0.113.9", 443));
    struct fetch_hop literal = {.egress = &list, .host = "8.8.8.8", .port = 443};
    assert_int_equal(fetch_may_ask(&literal, NULL), -EACCES);
    struct fetch_hop proxied = {.egress = &list, .host = "other.org", .port = 443, .proxy = true};
    assert_int_equal(fetch_may_ask(&proxied, NULL), -EACCES);
}

static void a_mapped_address_is_the_one_inside(void **state)
{
    autoegress list = {0};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    (void)state;
    assert_int_equal(egress_parse("example.org:443", &list, NULL), 0);
    struct fetch_hop hop = {.egress = &list, .host = "example.org", .port = 443};
    assert_int_equal(fetch_may_ask(&hop, NULL), 0);
    assert_int_equal(inet_pton(AF_INET6, "::ffff:10.0.0.1", &six.sin6_addr), 1);
    assert_false(fetch_may_connect(&hop, (struct sockaddr *)&six));
    assert_int_equal(inet_pton(AF_INET6, "::ffff:8.8.8.8", &six.sin6_addr), 1);
    assert_true(fetch_may_connect(&hop, (struct sockaddr *)&six));
}

static void proxies_are_the_environments(void **state)
{
    (void)state;
    setenv("HTTPS_PROXY", "http://proxy:1", 1);
    setenv("NO_PROXY", "internal.example, .lan,10.0.0.0/8", 1);
    assert_string_equal(fetch_proxy(true, "example.org"), "http://proxy:1");
    assert_null(fetch_proxy(false, "example.org"));
    assert_null(fetch_proxy(true, "a.internal.example"));
    assert_null(fetch_proxy(true, "internal.example"));
    assert_non_null(fetch_proxy(true, "notinternal.example"));
    assert_null(fetch_proxy(true, "x.lan"));
    assert_null(fetch_proxy(true, "10.1.2.3"));
    assert_non_null(fetch_proxy(true, "11.1.2.3"));
    setenv("NO_PROXY", "*", 1);
    assert_null(fetch_proxy(true, "example.org"));
}

static void requests_are_read_whole_or_not_at_all(void **state)
{
    struct fetch_request r = {0};
    (void)state;
    assert_int_equal(
        fetch_request_read("url http://h/\nmost 5\negress none\netag \"a b\"\n", &r, NULL), 0);
    assert_string_equal(r.url, "http://h/");
    assert_string_equal(r.etag, "\"a b\"");
    assert_int_equal(r.most, 5);
    assert_true(r.egress.limited);
    fetch_request_free(&r);
    assert_int_equal(fetch_request_read("most 5\n", &r, NULL), -EINVAL);
    assert_int_equal(fetch_request_read("url x\nmost -1\n", &r, NULL), -EINVAL);
    assert_int_equal(fetch_request_read("url x\nwhat 1\n", &r, NULL), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_told_by_form),
        cmocka_unit_test(an_address_is_taken_apart),
        cmocka_unit_test(what_the_path_says_is_one_name_or_none),
        cmocka_unit_test(a_repository_has_a_ref_and_a_directory),
        cmocka_unit_test(what_could_be_mistaken_is_refused),
        cmocka_unit_test(a_password_is_in_no_sentence),
        cmocka_unit_test(commits_are_whole),
        cmocka_unit_test(a_list_holds_names_to_public_addresses),
        cmocka_unit_test(a_mapped_address_is_the_one_inside),
        cmocka_unit_test(proxies_are_the_environments),
        cmocka_unit_test(requests_are_read_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
