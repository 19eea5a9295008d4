/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets in what is built. The made-up ones in here are in pieces, so that nobody who searches
 * this file for secrets finds any. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "scan/leaks.h"
#include "scan/rules.h"

#define ALNUM20 "kT9xQ2mZ7vB4nL8wR3pY"
#define ALNUM36 ALNUM20 "6sD1fG5hJ0cVaXeU"
#define ALNUM59 ALNUM36 "bN2tK7qW4zM9rH1yC6jF8dS"
#define HEX32 "3f9a1c7e5b2d8064af17c93be2d5086f"
#define HEX32B "b81d4e6f0a2c93579d5e7f13c0b6a248"
#define BODY64 "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDJc2Wm7kQ9xTzR"
#define DASHES "-----"
#define KEY(kind) DASHES "BEGIN " kind "PRIVATE KEY" DASHES

#define WORDS_ONLY NULL
#define ANY "app/config.yml"

static const struct {
    const char *rule, *path, *secret, *miss;
} cases[] = {
    {"private-key", ANY, KEY("") "\n" BODY64 "\n", KEY("") "\n...\n"},
    {"private-key", ANY, KEY("RSA ") "\r\n" BODY64 "\r\n", KEY("RSA ") " is how it begins"},
    {"private-key", ANY, "key: '" KEY("EC ") "\\n" BODY64 "\\n'", KEY("FOO ") "\n" BODY64},
    {"private-key", ANY, KEY("DSA ") "\n    " BODY64, DASHES "BEGIN PUBLIC KEY" DASHES "\n" BODY64},
    {"openssh-key", ANY,
     KEY("OPENSSH ") "\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMw\n",
     KEY("OPENSSH ") "\nbm90IGEga2V5IGF0IGFsbCwganVzdCBzb21lIGxpbmU\n"},
    {"pgp-key", ANY,
     DASHES
     "BEGIN PGP PRIVATE KEY BLOCK" DASHES
     "\nVersion: 1\nComment: x\n\nlQOYBGP0bGwBCADQ9Qm5tZJf3hXrT7oWgDLk0nA8CvB4eYiH2xU6pR1s\n",
     DASHES "BEGIN PGP PRIVATE KEY BLOCK" DASHES "\n(and so on)\n"},
    {"encrypted-key", ANY, KEY("ENCRYPTED ") "\n" BODY64, KEY("ENCRYPTED ") "\nthe body\n"},
    {"encrypted-key", ANY, KEY("RSA ") "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n",
     KEY("RSA ") "\nProc-Type: none\n"},
    {"encrypted-key", ANY,
     KEY("OPENSSH ") "\nb3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABD",
     KEY("OPENSSH ")},
    {"putty-key", ANY, "PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\n",
     "PuTTY-User-Key-File-2: ssh-rsa\nEncryption: aes256-cbc\n"},
    {"age-key", ANY,
     "AGE-SECRET-"
     "KEY-1QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7LQPZRY9X8GF2TVDW0S3JN54KHCE\n",
     "AGE-SECRET-"
     "KEY-1QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"},
    {"aws-access-key", ANY,
     "id = AK"
     "IAQ3EGRZ7XW2NPLK5T\n",
     "AK"
     "IAIOSFODNN7EXAMPLE"},
    {"aws-access-key", ANY,
     "\"AS"
     "IAQ3EGRZ7XW2NPLK5T\"",
     "xAK"
     "IAQ3EGRZ7XW2NPLK5T"},
    {"aws-secret-key", ANY, "AWS_SECRET_ACCESS_KEY = 'p7Rk2/Wq9vLxT4mZ+8sYbN3cHdJf6gKuEaQ1tV5X'",
     "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
    {"aws-secret-key", ANY, "{\"SecretAccessKey\": \"p7Rk2/Wq9vLxT4mZ+8sYbN3cHdJf6gKuEaQ1tV5X\"}",
     "secretAccessKey: p7Rk2/Wq9vLxT4mZ+8sYbN3cHdJf6gKuEaQ1tV5Xtoolong"},
    {"gcp-service-account", ANY, "\"private_key\": \"" KEY("") "\\n" BODY64 "\\n",
     "\"private_key\": \"" KEY("") "\\n...\\n\""},
    {"google-api-key", ANY,
     "key=AI"
     "zaSyB7kQ2mZ9vT4nL8wR3pY6sD1fG5hJ0cVaX",
     "AI"
     "zaSyB7kQ2mZ9vT4nL"},
    {"azure-storage-key", ANY,
     "AccountKey=" ALNUM59 "gE3uP5iO8lX0aR7tY2kQ6mZ9vBw="
     "=;",
     "AccountKey=" ALNUM59 "==;"},
    {"azure-sas", ANY, "?sv=2023-01-03&sig=kT9xQ2mZ7vB4nL8wR3pY6sD1fG5hJ0cVaXeUbN2%2FtK7%3D",
     "?sig=kT9xQ2mZ7vB4nL8wR3pY6sD1"},
    {"github-token", ANY,
     "gh"
     "p_" ALNUM36,
     "gh"
     "p_" ALNUM20},
    {"github-token", ANY,
     "TOKEN=gh"
     "s_" ALNUM36 "\n",
     "gh"
     "x_" ALNUM36},
    {"github-token", ANY,
     "github"
     "_pat_" ALNUM20 "6s_" ALNUM59,
     "github"
     "_pat_" ALNUM36},
    {"gitlab-token", ANY,
     "gl"
     "pat-" ALNUM20,
     "gl"
     "pat-xxxxxxxxxxxxxxxxxxxx"},
    {"slack-token", ANY,
     "xox"
     "b-2345678901-3456789012345-" ALNUM20 "6sD1",
     "xox"
     "b-not-a-token"},
    {"slack-webhook", ANY,
     "https://hooks.slack"
     ".com/services/T0A1B2C3D/B4E5F6G7H/" ALNUM20 "6sD1",
     "https://hooks.slack"
     ".com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"},
    {"stripe-key", ANY,
     "sk_"
     "live_" ALNUM20 "6sD1",
     "sk_"
     "test_" ALNUM20 "6sD1"},
    {"npm-token", ANY,
     "npm"
     "_" ALNUM36,
     "npm_config_registry_of_the_whole_company"},
    {"npmrc-auth", "root/.npmrc",
     "//registry.npmjs.org/:_authToken=9f3c1a7e-5b2d-4806-af17-c93be2d5086f\n",
     "//registry.npmjs.org/:_authToken=${NPM_TOKEN}\n"},
    {"pypi-token", ANY,
     "pypi-"
     "AgEIcHlwaS5vcmc" ALNUM59,
     "pypi-"
     "AgEIcHlwaS5vcmc"},
    {"docker-auth", "root/.docker/config.json",
     "{\n\t\"auths\": {\n\t\t\"registry.example.com\": {\n\t\t\t\"auth\": "
     "\"Ym9iOnM3S3EyeFc5dkxt\"\n",
     "{\"auths\": {\"registry.example.com\": {}}, \"credsStore\": \"desktop\"}"},
    {"dockerhub-token", ANY,
     "dckr"
     "_pat_" ALNUM20 "6sD1fG5",
     "dckr"
     "_pat_" ALNUM20},
    {"kube-client-key", ANY,
     "    client-key-data: "
     "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQpNSUlFcFFJQkFBS0NBUUVBelV4V3dGcHk"
     "4T2pjQmJ6WkFSRFlnUHRTeVpzc0pCcEJ2UjBsdXlHWXJrM2NUQjZ\n",
     "    client-key-data: LS0tLS1CRUdJTg==\n"},
    {"jwt", ANY,
     "eyJ"
     "hbGciOiJIUzI1NiJ9.eyJ"
     "zdWIiOiJib2IiLCJhZG1pbiI6dHJ1ZX0." ALNUM36 "bN2tK7qW",
     "eyJ"
     "hbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ"
     "zdWIiOiIxMjM0NTY3ODkwIn0."
     "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"},
    {"twilio-key", ANY, "TWILIO_AUTH_TOKEN=" HEX32, "TWILIO_AUTH_TOKEN=" HEX32 "0"},
    {"sendgrid-key", ANY,
     "S"
     "G." ALNUM20 "6s." ALNUM36 "bN2tK7q",
     "S"
     "G." ALNUM20 "6s." ALNUM36},
    {"mailgun-key", ANY, "mailgun_api_key: key-" HEX32, "mailgun_domain: mg.example.com"},
    {"shopify-token", ANY,
     "shp"
     "at_" HEX32,
     "shp"
     "at_" ALNUM36},
    {"huggingface-token", ANY,
     "h"
     "f_kTxQmZvBnLwRpYsDfGhJcVaXeUbNtKqWzM",
     "h"
     "f_kTxQmZvBnLwRpYs"},
    {"openai-key", ANY,
     "sk"
     "-proj-" ALNUM59 ALNUM20,
     "sk"
     "-proj-setup"},
    {"openai-key", ANY,
     "sk"
     "-" ALNUM20 "T3Bl"
     "bkFJ6sD1fG5hJ0cVaXeUbN2t",
     "task-" ALNUM36},
    {"anthropic-key", ANY,
     "sk"
     "-ant-api03-" ALNUM59 ALNUM36,
     "sk"
     "-ant-api03-" ALNUM59},
    {"digitalocean-token", ANY,
     "do"
     "p_v1_" HEX32 HEX32B,
     "do"
     "p_v1_" HEX32},
    {"heroku-key", ANY, "HEROKU_API_KEY=9f3c1a7e-5b2d-4806-af17-c93be2d5086f",
     "heroku_app_id=9f3c1a7e-5b2d-4806-af17"},
    {"heroku-key", ANY,
     "HR"
     "KU-AA" ALNUM59,
     "HR"
     "KU-AA" ALNUM36},
    {"databricks-token", ANY,
     "da"
     "pi" HEX32,
     "da"
     "pi" HEX32 "00"},
    {"terraform-token", ANY,
     "kT9xQ2mZ7vB4nL"
     ".atlas"
     "v1." ALNUM59 "gE3uP5",
     "x.atlas"
     "v1." ALNUM36},
    {"vault-token", ANY,
     "hv"
     "s." ALNUM36,
     "hv"
     "s.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    {"netrc-password", "root/.netrc", "machine a.example login bob password s7Kq2xW9\n",
     "machine a.example login bob\n"},
    {"pgpass-password", "root/.pgpass", "# comment\ndb.example:5432:*:bob:s7Kq2xW9\n",
     "# a:b:c:d:e\n"},
    {"git-credentials", "root/.git-credentials", "https://bob:s7Kq@git.example\n",
     "https://git.example\n"},
    {"database-url", ANY, "url: postgresql+psycopg2://bob:s7Kq2xW9vLmT@db.example/shop",
     "url: postgres://user:mypassword@localhost/db"},
    {"database-url", ANY, "mongodb+srv://bob:s7Kq2xW9vLmT@db.example/shop",
     "mongodb://db.example:27017/shop"},
    {"basic-auth-url", ANY, "pip install --index-url https://bob:s7Kq2xW9vLmT@pypi.example/simple",
     "https://example.com:8443/@scope/name"},
    {"assignment", WORDS_ONLY, "DB_PASSWORD=s7Kq2xW9vLmT", "DB_PASSWORD_FILE=/run/secrets/db"},
    {"assignment", WORDS_ONLY, "APP_SECRET_KEY=\"s7Kq2xW9vLmT\"",
     "GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D"},
    {"assignment", WORDS_ONLY, "RUN |1 API_KEY=s7Kq2xW9vLmT /bin/sh -c make",
     "TOKEN=$(cat /run/secrets/token)"},
    {"assignment", WORDS_ONLY, "SECRET_KEY_BASE=" HEX32, "PASSWORD=changeme-please"},
    {"authorization", WORDS_ONLY, "curl -H 'Authorization: Bearer " ALNUM36 "' x",
     "curl -H \"Authorization: Bearer $TOKEN\" x"},
    {"secret-file", "home/bob/.ssh/id_ed25519", "anything", "anything"},
};

/* --- what is found --- */

struct found {
    struct leak leaks[512];
    size_t count;
};

static void keep(void *context, const struct leak *leak)
{
    struct found *f = context;
    assert_true(f->count < sizeof f->leaks / sizeof *f->leaks);
    f->leaks[f->count++] = *leak;
}

static void search_file(struct leaks *l, const char *path, const char *text, size_t length,
                        size_t chunk)
{
    leaks_begin(l, path);
    for (size_t at = 0; at < length; at += chunk)
        leaks_feed(l, text + at, length - at < chunk ? length - at : chunk);
    leaks_end(l);
}

static void search_case(struct leaks *l, const char *path, const char *text)
{
    if (path)
        search_file(l, path, text, strlen(text), strlen(text));
    else
        leaks_text(l, "ENV", text);
}

static void every_rule_finds_its_secret_and_not_what_is_nearly_one(void **state)
{
    static struct found f;
    uint64_t seen = 0;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        autoleaks l = leaks_new(keep, &f);
        f.count = 0;
        search_case(l, cases[i].path, cases[i].secret);
        if (f.count != 1 || !streq(f.leaks[0].rule, cases[i].rule))
            fail_msg("%s: %zu found, %s", cases[i].secret, f.count, f.count ? f.leaks[0].rule : "");
        f.count = 0;
        if (!streq(cases[i].rule, "secret-file"))
            search_case(l, cases[i].path, cases[i].miss);
        else
            search_case(l, "home/bob/.ssh/id_ed25519.pub", cases[i].miss);
        if (f.count > 0)
            fail_msg("%s: found as %s", cases[i].miss, f.leaks[0].rule);
        for (size_t rule = 0; rule < leak_rule_count; rule++)
            if (streq(cases[i].rule, leak_rules[rule].id))
                seen |= (uint64_t)1 << rule;
    }
    for (size_t rule = 0; rule < leak_rule_count; rule++)
        if (!(seen >> rule & 1))
            fail_msg("no case for %s", leak_rules[rule].id);
}

static void it_does_not_matter_how_a_file_is_cut(void **state)
{
    static struct found whole, cut;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        autobuf text = {0};
        if (!cases[i].path)
            continue;
        buf_fmt(&text, "first line\n\n%s\nlast line\n", cases[i].secret);
        autoleaks l = leaks_new(keep, &whole);
        whole.count = 0;
        search_file(l, cases[i].path, text.data, text.len, text.len);
        assert_int_equal(whole.count, 1);
        for (size_t at = 0; at <= text.len; at++) {
            autoleaks m = leaks_new(keep, &cut);
            cut.count = 0;
            leaks_begin(m, cases[i].path);
            leaks_feed(m, text.data, at);
            leaks_feed(m, text.data + at, text.len - at);
            leaks_end(m);
            assert_int_equal(cut.count, 1);
            assert_string_equal(cut.leaks[0].rule, whole.leaks[0].rule);
            assert_int_equal(cut.leaks[0].offset, whole.leaks[0].offset);
        }
        cut.count = 0;
        autoleaks n = leaks_new(keep, &cut);
        search_file(n, cases[i].path, text.data, text.len, 1);
        assert_int_equal(cut.count, 1);
    }
}

/* Bigger than what is searched at once, with the secret everywhere around where that ends. */
static void a_secret_is_found_wherever_it_lies_in_a_big_file(void **state)
{
    static const char secret[] = "gh"
                                 "p_" ALNUM36;
    static struct found f;
    const size_t length = 400000;
    autofree char *text = xmalloc(length);
    (void)state;
    for (size_t i = 0; i < length; i++)
        text[i] = i % 80 == 79 ? '\n' : '.';
    for (size_t at = 100000; at < length - 100; at += at % 1000 == 0 ? 37 : 963) {
        autoleaks l = leaks_new(keep, &f);
        char was[sizeof secret];
        memcpy(was, text + at, sizeof was);
        memcpy(text + at, secret, sizeof secret - 1);
        f.count = 0;
        search_file(l, "app/big", text, length, 70001);
        memcpy(text + at, was, sizeof was);
        if (f.count != 1 || f.leaks[0].offset != at)
            fail_msg("at %zu: %zu found", at, f.count);
        assert_int_equal(f.leaks[0].line, at / 80 + 1);
        assert_int_equal(f.leaks[0].column, at % 80 + 1);
    }
}

static void a_finding_says_where_and_keeps_the_secret(void **state)
{
    static struct found f;
    static const char text[] = "a\nbc\n  token: gh"
                               "p_" ALNUM36 "\n";
    autoleaks l = leaks_new(keep, &f);
    (void)state;
    f.count = 0;
    search_file(l, "/app/x", text, sizeof text - 1, 5);
    assert_int_equal(f.count, 1);
    assert_string_equal(f.leaks[0].where, "app/x");
    assert_string_equal(f.leaks[0].title, "GitHub token");
    assert_int_equal(f.leaks[0].line, 3);
    assert_int_equal(f.leaks[0].column, 10);
    assert_int_equal(f.leaks[0].offset, 14);
    assert_string_equal(f.leaks[0].excerpt, "gh"
                                            "p_\xe2\x80\xa6");
    assert_int_equal(leaks_stopping(l), 1);
    f.count = 0;
    leaks_text(l, "ENV DB_PASSWORD", "DB_PASSWORD=s7Kq2xW9");
    assert_int_equal(f.count, 1);
    assert_string_equal(f.leaks[0].excerpt, "s7\xe2\x80\xa6");
    assert_int_equal(f.leaks[0].line, 1);
}

static void what_is_said_to_be_allowed_is_told_and_does_not_stop(void **state)
{
    static struct found f;
    static const char text[] = "gh"
                               "p_" ALNUM36;
    struct error err = {0};
    (void)state;
    static const struct {
        const char *word, *path;
        bool allowed;
    } words[] = {
        {"github-token", "app/x", true}, {"gitlab-token", "app/x", false},
        {"/app/x", "app/x", true},       {"app/", "app/a/b", true},
        {"**/*.pem", "app/x", false},    {"**/x", "app/x", true},
        {"app/*", "/app/x", true},       {"/ap", "app/x", false},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        autoleaks l = leaks_new(keep, &f);
        f.count = 0;
        assert_int_equal(leaks_allow(l, words[i].word, &err), 0);
        search_file(l, words[i].path, text, sizeof text - 1, 100);
        assert_int_equal(f.count, 1);
        if (f.leaks[0].allowed != words[i].allowed ||
            leaks_stopping(l) != (words[i].allowed ? 0 : 1))
            fail_msg("%s and %s", words[i].word, words[i].path);
    }
    autoleaks l = leaks_new(keep, &f);
    assert_int_equal(leaks_allow(l, "ENV TOKEN", &err), 0);
    f.count = 0;
    leaks_text(l, "ENV TOKEN", text);
    assert_true(f.count == 1 && f.leaks[0].allowed);
    assert_int_equal(leaks_allow(l, "githab-token", &err), -EINVAL);
    assert_non_null(strstr(err.text, "github-token"));
    assert_int_equal(leaks_allow(l, "/a[", &err), -EINVAL);
    assert_int_equal(leaks_allow(l, "/", &err), -EINVAL);
    assert_int_equal(leaks_allow(l, "", &err), -EINVAL);
}

static void findings_are_told_up_to_a_number(void **state)
{
    static struct found f;
    autobuf text = {0};
    autoleaks l = leaks_new(keep, &f);
    (void)state;
    f.count = 0;
    for (size_t i = 0; i < 50; i++)
        buf_str(&text, "gh"
                       "p_" ALNUM36 "\n");
    for (size_t i = 0; i < 20; i++)
        search_file(l, "app/x", text.data, text.len, text.len);
    assert_int_equal(f.count, LEAKS_IN_ALL);
    assert_int_equal(leaks_stopping(l), 20 * 50);
    assert_int_equal(leaks_untold(l), 20 * 50 - LEAKS_IN_ALL);
}

static void trees_of_documentation_and_tests_are_let_through(void **state)
{
    static struct found f;
    static const struct {
        const char *path;
        bool found;
    } paths[] = {
        {"etc/ssl/private/server.key", true},
        {"etc/ssl/private/ssl-cert-snakeoil.key", false},
        {"usr/share/doc/openssl/demo.pem", false},
        {"app/node_modules/https-proxy/test/server.key", false},
        {"app/node_modules/https-proxy/lib/server.key", true},
        {"usr/lib/python3/dist-packages/tornado/test/test.key", false},
        {"usr/local/lib/python3.12/site-packages/a/tests/b/c.pem", false},
        {"usr/local/lib/python3.12/test/certdata/keycert.pem", false},
        {"app/tests/server.key", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        autoleaks l = leaks_new(keep, &f);
        f.count = 0;
        search_case(l, paths[i].path, KEY("") "\n" BODY64);
        if (f.count != paths[i].found)
            fail_msg("%s", paths[i].path);
    }
}

static void programs_are_searched_for_keys_and_not_for_words(void **state)
{
    static struct found f;
    static const char token[] = "\0\0\0gh"
                                "p_" ALNUM36 "\0",
                      key[] = "\0\0\0" KEY("") "\n" BODY64 "\0";
    autoleaks l = leaks_new(keep, &f);
    (void)state;
    f.count = 0;
    search_file(l, "app/x", token, sizeof token, sizeof token);
    assert_int_equal(f.count, 0);
    search_file(l, "app/x", key, sizeof key, sizeof key);
    assert_int_equal(f.count, 1);
}

static void words_have_one_finding_for_one_secret(void **state)
{
    static struct found f;
    autoleaks l = leaks_new(keep, &f);
    (void)state;
    f.count = 0;
    leaks_text(l, "ENV GITHUB_TOKEN",
               "GITHUB_TOKEN=gh"
               "p_" ALNUM36);
    assert_int_equal(f.count, 1);
    assert_string_equal(f.leaks[0].rule, "github-token");
    f.count = 0;
    search_case(l, "app/account.json", "\"private_key\": \"" KEY("") "\\n" BODY64);
    assert_int_equal(f.count, 1);
    assert_string_equal(f.leaks[0].rule, "gcp-service-account");
}

static void what_images_say_of_themselves_is_no_secret(void **state)
{
    static struct found f;
    static const char *const harmless[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
        "GPG_KEY=E3FF2839C048B25C084DEBE9B26995E310250568",
        "NGINX_GPGKEY_PATH=/etc/apt/keyrings/nginx-archive-keyring.gpg",
        "PYTHON_SHA256=c8f9a3e1d5b7c2f4e6a8b0c1d3e5f7a9b1c3d5e7f9a0b2c4d6e8f0a1b3c5d7e9",
        "POSTGRES_PASSWORD_FILE=/run/secrets/postgres",
        "POSTGRES_HOST_AUTH_METHOD=trust",
        "TOKEN_URL=https://auth.example.com/oauth/token",
        "MAX_TOKENS=1000000000",
        "PASSWORD=${PASSWORD}",
        "RUN /bin/sh -c useradd --password \"$PASSWORD\" app",
        "ALLOW_EMPTY_PASSWORD=yes",
        "org.opencontainers.image.revision=9f3c1a7e5b2d4806af17c93be2d5086f3f9a1c7e",
        "DATABASE_URL=postgres://app@db/app",
        "REDIS_URL=redis://redis:6379/0",
        "SECRET_KEY=your_secret_key_here",
    };
    autoleaks l = leaks_new(keep, &f);
    (void)state;
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
        f.count = 0;
        leaks_text(l, "ENV", harmless[i]);
        if (f.count > 0)
            fail_msg("%s: %s", harmless[i], f.leaks[0].rule);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_finds_its_secret_and_not_what_is_nearly_one),
        cmocka_unit_test(it_does_not_matter_how_a_file_is_cut),
        cmocka_unit_test(a_secret_is_found_wherever_it_lies_in_a_big_file),
        cmocka_unit_test(a_finding_says_where_and_keeps_the_secret),
        cmocka_unit_test(what_is_said_to_be_allowed_is_told_and_does_not_stop),
        cmocka_unit_test(findings_are_told_up_to_a_number),
        cmocka_unit_test(trees_of_documentation_and_tests_are_let_through),
        cmocka_unit_test(programs_are_searched_for_keys_and_not_for_words),
        cmocka_unit_test(words_have_one_finding_for_one_secret),
        cmocka_unit_test(what_images_say_of_themselves_is_no_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
