/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of configurations, of registries and between the two programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "registry/conf.h"
#include "registry/tags.h"
#include "registry/toml.h"
#include "registry/wire.h"
#include "transport/transport.h"

/* --- TOML --- */

static void toml_is_read_as_json(void **state)
{
    static const struct {
        const char *toml, *json;
    } cases[] = {
        {"", "{}"},
        {"# only this\n", "{}"},
        {"a = 1\nb = true # c\nc=\"x\\ty\"\n", "{\"a\":1,\"b\":true,\"c\":\"x\\ty\"}"},
        {"a = 'C:\\x'\r\n", "{\"a\":\"C:\\\\x\"}"},
        {"a = [ \"x\",\n # y\n \"z\", ]\n", "{\"a\":[\"x\",\"z\"]}"},
        {"[t]\na = 1\n[u.v]\nb = 2\n", "{\"t\":{\"a\":1},\"u\":{\"v\":{\"b\":2}}}"},
        {"[[r]]\nl='1'\n[[r.m]]\nl='2'\n[[r]]\n",
         "{\"r\":[{\"l\":\"1\",\"m\":[{\"l\":\"2\"}]},{}]}"},
        {"[\"a.b\"]\n\"c d\".e = -5\n", "{\"a.b\":{\"c d\":{\"e\":-5}}}"},
        {"t = { a = 1, b = { c = [] } }\n", "{\"t\":{\"a\":1,\"b\":{\"c\":[]}}}"},
        {"a = \"\\u00e9\\U0001F600\"", "{\"a\":\"\xc3\xa9\xf0\x9f\x98\x80\"}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        autojson read = toml_parse(cases[i].toml, strlen(cases[i].toml), "f", &err);
        autojson wanted = json_loads(cases[i].json, 0, NULL);
        if (!read)
            fail_msg("%s: %s", cases[i].toml, err.text);
        assert_non_null(wanted);
        assert_true(json_equal(read, wanted));
    }
}

static void toml_that_is_none_is_told_with_its_line(void **state)
{
    static const struct {
        const char *toml, *place;
    } cases[] = {
        {"a", "f:1:"},
        {"\n\na = \n", "f:3:"},
        {"a = 1 2", "f:1:"},
        {"a = \"x\n\"", "f:1:"},
        {"a = \"\\q\"", "f:1:"},
        {"a = \"\"\"x\"\"\"", "f:1:"},
        {"a = 1\na = 2", "f:2:"},
        {"[a\n", "f:1:"},
        {"[[a]\n", "f:1:"},
        {"a = [1", "f:1:"},
        {"a = { b = 1", "f:1:"},
        {"a = 1.5", "f:1:"},
        {"a = 1\n[a.b]\n", "f:2:"},
        {"a = 1\n[[a]]\n", "f:2:"},
        {"= 1", "f:1:"},
        {"a = \"\\u0000\"", "f:1:"},
        {"a = \"\\ud800\"", "f:1:"},
        {"a = '\x01'", "f:1:"},
        {"a = \xff", "f:1:"},
        {"a = '\xff'", "f:1:"},
        {"a=[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]", "f:1:"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        autojson read = toml_parse(cases[i].toml, strlen(cases[i].toml), "f", &err);
        if (read)
            fail_msg("taken: %s", cases[i].toml);
        if (!starts_with(err.text, cases[i].place))
            fail_msg("%s: %s", cases[i].toml, err.text);
    }
}

/* --- registries.conf --- */

static const char conf_text[] =
    "[aliases]\n\"tool\" = \"quay.example/a/tool\"\n"
    "[[registry]]\nprefix = \"docker.io/library\"\nlocation = \"mirror.example/lib\"\n"
    "[[registry]]\nlocation = \"docker.io\"\ninsecure = true\n"
    "[[registry.mirror]]\nlocation = \"tags.example\"\npull-from-mirror = \"tag-only\"\n"
    "[[registry.mirror]]\nlocation = \"digests.example/x\"\npull-from-mirror = \"digest-only\"\n"
    "[[registry]]\nprefix = \"*.corp.example\"\nblocked = true\n";

static void places(const struct conf *conf, const char *name, bool digest, struct buf *out)
{
    autoreference ref = {0};
    autoendpoints found = {0};
    assert_int_equal(reference_parse(name, &ref, NULL), 0);
    if (conf_endpoints(conf, &ref, digest, TLS_AS_CONFIGURED, &found, NULL) < 0) {
        buf_str(out, "blocked");
        return;
    }
    for (size_t i = 0; i < found.count; i++)
        buf_fmt(out, "%s%s/%s%s", i ? " " : "", found.items[i].host, found.items[i].repository,
                found.items[i].insecure ? "!" : "");
}

static void the_longest_prefix_says_where_an_image_is(void **state)
{
    static const struct {
        const char *name;
        bool digest;
        const char *places;
    } cases[] = {
        {"alpine", false, "mirror.example/lib/alpine"},
        {"ada/app", false, "tags.example/ada/app registry-1.docker.io/ada/app!"},
        {"ada/app", true, "digests.example/x/ada/app registry-1.docker.io/ada/app!"},
        {"quay.example/x", false, "quay.example/x"},
        {"QUAY.example:443/x", false, "quay.example/x"},
        {"a.corp.example/x", false, "blocked"},
        {"A.Corp.example:443/x", false, "blocked"},
        {"corp.example/x", false, "corp.example/x"},
        {"docker.io.example/library/x", false, "docker.io.example/library/x"},
    };
    autoconf conf = NULL;
    (void)state;
    assert_int_equal(conf_parse(conf_text, strlen(conf_text), "f", &conf, NULL), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        autobuf got = {0};
        places(conf, cases[i].name, cases[i].digest, &got);
        assert_string_equal(buf_text(&got), cases[i].places);
    }
    autofree char *alias = conf_alias(conf, "tool:1");
    assert_string_equal(alias, "quay.example/a/tool:1");
    assert_null(conf_alias(conf, "tools"));
    assert_null(conf_alias(conf, "x/tool"));
}

/* --- headers --- */

static void challenges_are_taken_apart(void **state)
{
    static const struct {
        const char *header;
        bool basic, bearer;
        const char *realm, *service, *scope;
    } cases[] = {
        {"Basic realm=\"x\"", true, false, "", "", ""},
        {"Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:a:pull,push\"", false, true,
         "https://a/t", "s", "repository:a:pull,push"},
        {"bearer realm = \"https://a\" , service=s", false, true, "https://a", "s", ""},
        {"Basic realm=\"x\", Bearer realm=\"y\"", true, true, "y", "", ""},
        {"Negotiate, Bearer realm=\"y \\\"q\\\"\"", false, true, "y \"q\"", "", ""},
        {"Negotiate abc==, Basic realm=z", true, false, "", "", ""},
        {"Bearer realm=\"unfinished", false, true, "unfinished", "", ""},
        {"", false, false, "", "", ""},
        {",,= \"", false, false, "", "", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static struct challenge c;
        c = (struct challenge){0};
        challenge_read(cases[i].header, &c);
        assert_int_equal(c.basic, cases[i].basic);
        assert_int_equal(c.bearer, cases[i].bearer);
        assert_string_equal(c.realm, cases[i].realm);
        assert_string_equal(c.service, cases[i].service);
        assert_string_equal(c.scope, cases[i].scope);
    }
}

static void when_to_come_again_is_seconds_or_a_date(void **state)
{
    (void)state;
    assert_int_equal(retry_after("", 0), -1);
    assert_int_equal(retry_after("17", 0), 17);
    assert_int_equal(retry_after("soon", 0), -1);
    assert_int_equal(retry_after("-5", 0), -1);
    assert_int_equal(retry_after("Thu, 01 Jan 1970 00:02:00 GMT", 100), 20);
    assert_int_equal(retry_after("Thu, 01 Jan 1970 00:02:00 GMT", 200), 0);
    assert_int_equal(content_range_start("bytes 100-199/200"), 100);
    assert_int_equal(content_range_start("bytes */200"), -1);
    assert_int_equal(content_range_start("100-199"), -1);
}

static void the_next_page_is_a_path_of_the_same_registry(void **state)
{
    static const struct {
        const char *header, *next;
    } cases[] = {
        {"</v2/a/tags/list?last=x&n=1>; rel=\"next\"", "/v2/a/tags/list?last=x&n=1"},
        {"<https://other.example/v2/a?n=1>; rel=\"next\"", "/v2/a?n=1"},
        {"</v2/a>; rel=\"prev\"", NULL},
        {"</v2/a; rel=\"next\"", NULL},
        {"<v2/a>; rel=\"next\"", NULL},
        {"<https://other.example>; rel=\"next\"", NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        autofree char *next = link_next(cases[i].header);
        if (!streq(next, cases[i].next))
            fail_msg("%s: %s", cases[i].header, next ? next : "nothing");
    }
}

static void addresses_are_compared_by_what_is_connected_to(void **state)
{
    (void)state;
    autofree char *one = hop_origin("https://Example.com/x"), *two = hop_origin("ftp://a/");
    assert_string_equal(one, "https://example.com:443");
    assert_null(two);
    assert_true(hop_same_host("https://a:1", "http://A:2/x"));
    assert_false(hop_same_host("https://a", "https://a.example"));
    assert_false(hop_same_host("https://a", "https://a@b"));
    autofree char *next = hop_follow("https://a/v2/x", "../y?z");
    assert_string_equal(next, "https://a/y?z");
    autofree char *with = hop_follow("https://a/v2/x", "https://user:word@b/c#d");
    assert_string_equal(with, "https://b/c");
    assert_null(hop_follow("https://a/", "file:///etc/passwd"));
}

/* --- frames --- */

static void frames_that_are_none_are_refused(void **state)
{
    static const struct wire_frame bad[] = {{0, 0},
                                            {5, 0},
                                            {WIRE_HEAD, WIRE_TEXT_MAX + 1},
                                            {WIRE_BODY, WIRE_BODY_MAX + 1},
                                            {WIRE_END, 1},
                                            {WIRE_ERROR, UINT32_MAX}};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int ends[2];
        struct wire_frame got;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        assert_int_equal(write(ends[0], &bad[i], sizeof bad[i]), sizeof bad[i]);
        assert_int_equal(wire_receive(ends[1], &got), -EPROTO);
        close(ends[0]);
        assert_int_equal(wire_receive(ends[1], &got), -EPIPE);
        close(ends[1]);
    }
}

static void frames_come_as_they_were_sent(void **state)
{
    int ends[2];
    struct wire_frame got;
    autobuf text = {0}, head = {0};
    char *key, *value;
    (void)state;
    assert_true(wire_add(&head, "status", "200"));
    assert_false(wire_add(&head, "location", "a\nstatus 500"));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(wire_send(ends[0], WIRE_HEAD, head.data, head.len), 0);
    assert_int_equal(wire_send(ends[0], WIRE_END, NULL, 0), 0);
    assert_int_equal(wire_receive(ends[1], &got), 0);
    assert_int_equal(wire_text(ends[1], &got, &text), 0);
    char *at = text.data;
    assert_true(wire_line(&at, &key, &value));
    assert_string_equal(key, "status");
    assert_string_equal(value, "200");
    assert_false(wire_line(&at, &key, &value));
    assert_int_equal(wire_receive(ends[1], &got), 0);
    assert_int_equal(got.kind, WIRE_END);
    /* A text with a NUL in it is none. */
    assert_int_equal(wire_send(ends[0], WIRE_HEAD, "a\0b", 3), 0);
    assert_int_equal(wire_receive(ends[1], &got), 0);
    assert_int_equal(wire_text(ends[1], &got, &text), -EPROTO);
    close(ends[0]);
    close(ends[1]);
}

/* --- questions --- */

static int asks(bool writes, const char *text)
{
    struct place place = {0};
    struct settings settings = {.places = &place, .place_count = 1, .writes = writes};
    autoquestion question = {0};
    autofree char *copy = strdup(text);
    return question_read(copy, &settings, &question, NULL);
}

static void who_only_reads_asks_for_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(asks(false, "method GET\ntarget /v2/\nscope repository:a:pull\n"), 0);
    assert_int_equal(asks(false, "method DELETE\ntarget /v2/\n"), -EPERM);
    assert_int_equal(asks(false, "method GET\ntarget https://a/\n"), -EPERM);
    assert_int_equal(asks(false, "method GET\ntarget /v2/\nscope repository:a:pull,push\n"),
                     -EPERM);
    assert_int_equal(asks(false, "method GET\ntarget /v2/\nbody 5\n"), -EPERM);
    assert_int_equal(asks(true, "method PUT\ntarget https://a/\nbody 5\n"), 0);
    assert_int_equal(asks(true, "method BREW\ntarget /\n"), -EPROTO);
    assert_int_equal(asks(true, "method GET\ntarget file:///etc/passwd\n"), -EPROTO);
    assert_int_equal(asks(true, "method GET\ntarget /a b\n"), -EPROTO);
    assert_int_equal(asks(true, "method GET\ntarget /a\nplace 1\n"), -EPROTO);
    assert_int_equal(asks(true, "target /a\n"), -EPROTO);
    assert_int_equal(asks(true, "method GET\ntarget /a\ntype a\rb\n"), -EPROTO);
}

/* --- base 64 --- */

static void base64_goes_both_ways(void **state)
{
    static const char *const texts[] = {"", "a", "ab", "abc", "abcd", "\xff\xfe\xfd"};
    static const char *const bad[] = {"a",    "ab=c",   "====", "ab==\n",
                                      "a===", "YWJj\n", "YW.j", "=abc"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        autobuf there = {0}, back = {0};
        base64_encode(texts[i], strlen(texts[i]), &there);
        assert_int_equal(base64_decode(buf_text(&there), there.len, &back), 0);
        assert_string_equal(buf_text(&back), texts[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        autobuf back = {0};
        if (base64_decode(bad[i], strlen(bad[i]), &back) == 0)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(back.len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(toml_is_read_as_json),
        cmocka_unit_test(toml_that_is_none_is_told_with_its_line),
        cmocka_unit_test(the_longest_prefix_says_where_an_image_is),
        cmocka_unit_test(challenges_are_taken_apart),
        cmocka_unit_test(when_to_come_again_is_seconds_or_a_date),
        cmocka_unit_test(the_next_page_is_a_path_of_the_same_registry),
        cmocka_unit_test(addresses_are_compared_by_what_is_connected_to),
        cmocka_unit_test(frames_that_are_none_are_refused),
        cmocka_unit_test(frames_come_as_they_were_sent),
        cmocka_unit_test(who_only_reads_asks_for_nothing_else),
        cmocka_unit_test(base64_goes_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
