/* SPDX-License-Identifier: Apache-2.0 */
/* policy.json, names that were signed, and keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the three headers above */
#include <cmocka.h>
#include <string.h>

#include "base/text.h"
#include "registry/policy.h"
#include "registry/private_key.h"
#include "registry/signature.h"

#define DIGEST "sha256:6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0628977d0"
#define OTHER "sha256:0000000000000000000000000000000000000000000000000000000000000000"

static bool matches(const char *json, const char *pulled, const char *claimed)
{
    struct identity identity = {0};
    autoreference ref = {0};
    struct error err = {0};
    autojson object = json_loads(json, 0, NULL);
    assert_int_equal(reference_parse(pulled, &ref, &err), 0);
    if (object && identity_parse(object, &identity, &err) < 0)
        fail_msg("%s", err.text);
    bool does = identity_matches(&identity, &ref, claimed);
    identity_free(&identity);
    return does;
}

#define REMAP(from, to)                                                                            \
    "{\"type\":\"remapIdentity\",\"prefix\":\"" from "\",\"signedPrefix\":\"" to "\"}"

static void a_name_that_was_signed_is_the_one_that_is_pulled(void **state)
{
    (void)state;
    static const struct {
        const char *json, *pulled, *claimed;
        bool does;
    } cases[] = {
        /* nothing said: matchRepoDigestOrExact */
        {"", "a.example/x:1", "a.example/x:1", true},
        {"", "a.example/x:1", "a.example/x:2", false},
        {"", "a.example/x:1", "a.example/x", false},
        {"", "a.example/x:latest", "a.example/x", false},
        {"", "a.example/x:1", "a.example/x@" DIGEST, false},
        {"", "a.example/x@" DIGEST, "a.example/x:7", true},
        {"", "a.example/x@" DIGEST, "a.example/x@" OTHER, true},
        {"", "a.example/x@" DIGEST, "a.example/x", false},
        {"", "a.example/x@" DIGEST, "a.example/y:7", false},
        {"", "alpine:1", "docker.io/library/alpine:1", true},
        {"", "alpine:1", "index.docker.io/library/alpine:1", true},
        {"", "a.example/x:1", "", false},
        {"", "a.example/x:1", "A B", false},
        {"{\"type\":\"matchExact\"}", "a.example/x@" DIGEST, "a.example/x@" DIGEST, true},
        {"{\"type\":\"matchExact\"}", "a.example/x@" DIGEST, "a.example/x:1", false},
        {"{\"type\":\"matchRepository\"}", "a.example/x:1", "a.example/x", true},
        {"{\"type\":\"matchRepository\"}", "a.example/x:1", "a.example/x:2", true},
        {"{\"type\":\"matchRepository\"}", "a.example/x:1", "a.example/x/y:1", false},
        {"{\"type\":\"matchRepository\"}", "a.example/x:1", "b.example/x:1", false},
        {REMAP("m.example", "v.example/w"), "m.example/x:1", "v.example/w/x:1", true},
        {REMAP("m.example/x", "v.example/w"), "m.example/x:1", "v.example/w:1", true},
        {REMAP("m.example", "v.example"), "m.example.org/x:1", "v.example.org/x:1", false},
        {REMAP("m.example", "v.example"), "n.example/x:1", "n.example/x:1", true},
        {REMAP("m.example", "v.example"), "m.example/x:1", "m.example/x:1", false},
        {REMAP("m.example", "v.example"), "m.example/x@" DIGEST, "v.example/x:5", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (matches(cases[i].json, cases[i].pulled, cases[i].claimed) != cases[i].does)
            fail_msg("%s: %s and %s", cases[i].json, cases[i].pulled, cases[i].claimed);
}

static void payloads_are_what_they_should_be_and_nothing_more(void **state)
{
    (void)state;
    autobuf good = {0};
    autoclaim claim = {0};
    static const char *const bad[] = {
        "",
        "null",
        "{}",
        "[]",
        "{\"critical\":{},\"optional\":null}",
        "{\"critical\":{\"identity\":{\"docker-reference\":\"x\"},\"image\":{"
        "\"docker-manifest-digest\":\"sha256:0\"},\"type\":\"cosign container image "
        "signature\"},\"optional\":null}",
        "{\"critical\":{\"identity\":{\"docker-reference\":\"x\",\"y\":1},\"image\":{"
        "\"docker-manifest-digest\":\"" DIGEST "\"},\"type\":\"cosign container image "
        "signature\"},\"optional\":null}",
        "{\"critical\":{\"identity\":{\"docker-reference\":\"x\"},\"image\":{"
        "\"docker-manifest-digest\":\"" DIGEST "\"},\"type\":\"cosign container image "
        "signature\"}}",
        "{\"critical\":{\"identity\":{\"docker-reference\":\"x\"},\"image\":{"
        "\"docker-manifest-digest\":\"" DIGEST "\"},\"type\":\"cosign container image "
        "signature\"},\"optional\":{\"timestamp\":1.5}}",
        "{\"critical\":{\"identity\":{\"docker-reference\":\"x\"},\"image\":{"
        "\"docker-manifest-digest\":\"" DIGEST "\"},\"type\":\"cosign container image "
        "signature\"},\"optional\":null,\"more\":1}"};
    payload_write("a.example/x:1", DIGEST, &good);
    assert_int_equal(payload_parse(good.data, good.len, &claim, NULL), 0);
    assert_string_equal(claim.digest, DIGEST);
    assert_string_equal(claim.name, "a.example/x:1");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        autoclaim none = {0};
        struct error err = {0};
        if (payload_parse(bad[i], strlen(bad[i]), &none, &err) == 0 || !err.text[0])
            fail_msg("%s", bad[i]);
    }
}

static void a_bundle_that_is_written_reads_the_same(void **state)
{
    (void)state;
    autosignature s = {.form = FORM_STATEMENT}, again = {0};
    autobuf text = {0}, message = {0};
    autoclaim claim = {0}, none = {0};
    statement_write("a.example/x:1", DIGEST, &s.claim);
    buf_str(&s.bytes, "signature");
    bundle_write(&s, "hint", &text);
    assert_int_equal(signature_bundle_parse(text.data, text.len, &again, NULL), 0);
    assert_string_equal(again.claim.data, s.claim.data);
    assert_string_equal(again.bytes.data, "signature");
    signature_message(&again, &message);
    assert_true(starts_with(message.data, "DSSEv1 28 application/vnd.in-toto+json "));
    assert_true(ends_with(message.data, s.claim.data));
    assert_int_equal(statement_parse(s.claim.data, s.claim.len, DIGEST, &claim, NULL), 0);
    assert_string_equal(claim.digest, DIGEST);
    /* Of another image, it says which it is of. */
    assert_int_equal(statement_parse(s.claim.data, s.claim.len, OTHER, &none, NULL), 0);
    assert_string_equal(none.digest, DIGEST);
}

static void a_key_that_was_made_signs_and_comes_back_from_its_file(void **state)
{
    (void)state;
    for (int type = KEY_ECDSA; type <= KEY_ED25519; type++) {
        autoprivate key = NULL;
        autoprivate opened = NULL;
        autoprivate wrong = NULL;
        autosecretbuf file = {0};
        struct public_key public, recalled;
        unsigned char signature[SIGNATURE_MAX];
        char remembered[KEY_TEXT_MAX];
        size_t length;
        assert_int_equal(private_key_make(type, &key, NULL), 0);
        assert_int_equal(private_key_lock(key, "pass", &file, NULL), 0);
        assert_true(private_key_is_locked(file.data, file.len));
        assert_int_equal(private_key_open(file.data, file.len, "Pass", &wrong, NULL),
                         -EKEYREJECTED);
        assert_int_equal(private_key_open(file.data, file.len, "pass", &opened, NULL), 0);
        assert_int_equal(private_key_sign(opened, "text", 4, signature, &length, NULL), 0);
        assert_int_equal(private_key_public(key, &public, NULL), 0);
        assert_true(public_key_verifies(&public, "text", 4, signature, length));
        assert_false(public_key_verifies(&public, "tExt", 4, signature, length));
        assert_false(public_key_verifies(&public, "text", 4, signature, length - 1));
        assert_false(public_key_verifies(&public, "text", 4, "", 0));
        public_key_remember(&public, remembered);
        assert_int_equal(public_key_recall(remembered, &recalled), 0);
        assert_true(public_key_verifies(&recalled, "text", 4, signature, length));
        assert_string_equal(recalled.from, public.from);
    }
}

static void a_pem_file_is_one_block_and_nothing_beside_it(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "AAAA",
                                      "-----BEGIN X-----\nAAAA\n-----END Y-----\n",
                                      "-----BEGIN X-----\nAAA\n-----END X-----\n",
                                      "-----BEGIN X-----\nA: b\n\nAAAA\n-----END X-----\n",
                                      "-----BEGIN X-----\nAAAA\n-----END X-----\nmore",
                                      ("-----BEGIN X-----\nAAAA\n-----END X-----\n"
                                       "-----BEGIN X-----\nAAAA\n-----END X-----\n"),
                                      "-----BEGIN -----\nAAAA\n-----END -----\n",
                                      "-----BEGIN X-----",
                                      "-----BEGIN X"};
    char label[PEM_LABEL_MAX];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        autobuf out = {0};
        if (pem_read(bad[i], strlen(bad[i]), label, &out, NULL) == 0)
            fail_msg("%s", bad[i]);
    }
    autobuf out = {0};
    const char *good = "\n-----BEGIN A B-----\r\nAA\nAA\r\n-----END A B-----\n\n";
    assert_int_equal(pem_read(good, strlen(good), label, &out, NULL), 0);
    assert_string_equal(label, "A B");
    assert_int_equal(out.len, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_was_signed_is_the_one_that_is_pulled),
        cmocka_unit_test(payloads_are_what_they_should_be_and_nothing_more),
        cmocka_unit_test(a_bundle_that_is_written_reads_the_same),
        cmocka_unit_test(a_key_that_was_made_signs_and_comes_back_from_its_file),
        cmocka_unit_test(a_pem_file_is_one_block_and_nothing_beside_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
