/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the headers above */
#include <cmocka.h>

#include <string.h>

#include "base/text.h"
#include "oci/change.h"
#include "oci/index.h"
#include "oci/reference.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX

static void assert_name(const char *text, const char *full, const char *familiar)
{
    autoreference ref = {0};
    autobuf a = {0}, b = {0};
    struct error err = {0};
    if (reference_parse(text, &ref, &err) < 0)
        fail_msg("%s", err.text);
    reference_full(&ref, &a);
    reference_familiar(&ref, &b);
    assert_string_equal(buf_text(&a), full);
    assert_string_equal(buf_text(&b), familiar);
}

static void short_names_mean_docker_hub(void **state)
{
    (void)state;
    assert_name("alpine", "docker.io/library/alpine:latest", "alpine:latest");
    assert_name("alpine:3.19", "docker.io/library/alpine:3.19", "alpine:3.19");
    assert_name("user/app", "docker.io/user/app:latest", "user/app:latest");
    assert_name("docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest");
    assert_name("index.docker.io/library/alpine", "docker.io/library/alpine:latest",
                "alpine:latest");
}

static void registries_ports_and_digests_are_kept(void **state)
{
    (void)state;
    assert_name("localhost/x", "localhost/x:latest", "localhost/x:latest");
    assert_name("localhost:5000/x:1", "localhost:5000/x:1", "localhost:5000/x:1");
    assert_name("r.example.com/a/b__c/d-e.f:T_1", "r.example.com/a/b__c/d-e.f:T_1",
                "r.example.com/a/b__c/d-e.f:T_1");
    assert_name("[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest");
    assert_name("host:5000/x", "host:5000/x:latest", "host:5000/x:latest");
    assert_name("alpine@" DIGEST, "docker.io/library/alpine@" DIGEST, "alpine@" DIGEST);
    assert_name("alpine:1@" DIGEST, "docker.io/library/alpine:1@" DIGEST, "alpine:1@" DIGEST);
}

static void a_host_has_one_spelling(void **state)
{
    (void)state;
    assert_name("R.Example.COM/x", "r.example.com/x:latest", "r.example.com/x:latest");
    assert_name("r.example.com:443/x", "r.example.com/x:latest", "r.example.com/x:latest");
    assert_name("LocalHost:443/x", "localhost/x:latest", "localhost/x:latest");
    assert_name("index.docker.io:443/x", "docker.io/library/x:latest", "x:latest");
    assert_name("[::1]:443/x", "[::1]/x:latest", "[::1]/x:latest");
    assert_name("r.example.com:4430/x", "r.example.com:4430/x:latest",
                "r.example.com:4430/x:latest");
    /* Without these it would be no host. */
    assert_name("host:443/x", "host:443/x:latest", "host:443/x:latest");
    assert_name("HOST/x", "HOST/x:latest", "HOST/x:latest");
}

static void a_name_of_docker_hub_is_not_shown_as_one_of_another_registry(void **state)
{
    (void)state;
    assert_name("docker.io/evil.com/x", "docker.io/evil.com/x:latest",
                "docker.io/evil.com/x:latest");
    assert_name("docker.io/localhost/x", "docker.io/localhost/x:latest",
                "docker.io/localhost/x:latest");
    assert_name("docker.io/" HEX, "docker.io/library/" HEX ":latest",
                "docker.io/library/" HEX ":latest");
}

static void names_outside_of_the_grammar_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",          "Alpine",     "alpine:",       ":tag",          "a/",
        "/a",        "a//b",       "a..b",          "a.-b",          "-a",
        "a-",        "a___b",      "a:b:c",         "alpine:.x",     "alpine:-x",
        "a b",       "a@sha256",   "a@sha512:" HEX, "a@" DIGEST "0", HEX,
        "../etc",    "http://x/y", "x.y:z/a",       "x.y:999999/a",  "a\nb",
        "a\x1b[31m", "-x.com/a",   "x.com:5000/",   "a:\xc3\xa4",    "@" DIGEST,
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct reference ref = {0};
        struct error err = {0};
        if (reference_parse(bad[i], &ref, &err) == 0)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(err.code, -EINVAL);
        assert_null(strpbrk(err.text, "\n\x1b")); /* nothing a terminal would obey */
        assert_null(ref.path);
    }
}

static void names_and_tags_have_a_length(void **state)
{
    (void)state;
    char name[400];
    struct reference ref = {0};
    memset(name, 'a', sizeof name);
    name[255 - strlen("docker.io/library/")] = '\0';
    assert_int_equal(reference_parse(name, &ref, NULL), 0);
    reference_free(&ref);
    name[255 - strlen("docker.io/library/")] = 'a';
    name[256 - strlen("docker.io/library/")] = '\0';
    assert_int_equal(reference_parse(name, &ref, NULL), -EINVAL);
    memset(name, 'a', sizeof name);
    name[1] = ':';
    name[2 + 129] = '\0';
    assert_int_equal(reference_parse(name, &ref, NULL), -EINVAL);
    name[2 + 128] = '\0';
    assert_int_equal(reference_parse(name, &ref, NULL), 0);
    reference_free(&ref);
}

#define DESCRIPTOR "{\"mediaType\":\"t\",\"digest\":\"" DIGEST "\",\"size\":1}"

static void assert_manifest_refused(const char *text, const char *told)
{
    struct manifest manifest = {0};
    struct error err = {0};
    assert_true(manifest_parse(text, strlen(text), &manifest, &err) < 0);
    if (!strstr(err.text, told))
        fail_msg("told \"%s\" and not \"%s\"", err.text, told);
    assert_null(manifest.layers);
}

static void manifests_that_could_be_misread_are_refused(void **state)
{
    (void)state;
    assert_manifest_refused("[]", "not a JSON object");
    assert_manifest_refused("{", "not valid JSON");
    assert_manifest_refused("{\"schemaVersion\":1}", "schema 1");
    assert_manifest_refused("{\"schemaVersion\":2,\"config\":" DESCRIPTOR "}", "layers");
    assert_manifest_refused("{\"schemaVersion\":2,\"layers\":[]}", "config");
    /* Two documents in one: an index to one reader, a manifest to another. */
    assert_manifest_refused("{\"schemaVersion\":2,\"config\":" DESCRIPTOR
                            ",\"layers\":[],\"manifests\":[]}",
                            "manifests");
    assert_manifest_refused("{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_INDEX
                            "\",\"config\":" DESCRIPTOR ",\"layers\":[]}",
                            "mediaType");
    assert_manifest_refused("{\"schemaVersion\":2,\"layers\":[],\"layers\":[]}", "duplicate");
    assert_manifest_refused("{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:../../x\","
                            "\"size\":1},\"layers\":[]}",
                            "digest");
    assert_manifest_refused("{\"schemaVersion\":2,\"config\":{\"digest\":\"" DIGEST
                            "\",\"size\":-1},\"layers\":[]}",
                            "size");
}

static void a_manifest_is_written_as_it_was_read(void **state)
{
    (void)state;
    static const char text[] =
        "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_MANIFEST "\",\"config\":" DESCRIPTOR
        ",\"layers\":[" DESCRIPTOR "," DESCRIPTOR "],\"annotations\":{\"a\":\"b=c\"}}";
    automanifest manifest = {0};
    autobuf out = {0};
    struct error err = {0};
    assert_int_equal(manifest_parse(text, strlen(text), &manifest, &err), 0);
    assert_int_equal(manifest.layer_count, 2);
    manifest_write(&manifest, &out);
    assert_string_equal(buf_text(&out), text);
}

static void more_layers_than_the_limit_are_refused(void **state)
{
    (void)state;
    autobuf text = {0};
    buf_str(&text, "{\"schemaVersion\":2,\"config\":" DESCRIPTOR ",\"layers\":[" DESCRIPTOR);
    for (int i = 0; i < OCI_LAYERS_MAX; i++)
        buf_str(&text, "," DESCRIPTOR);
    buf_str(&text, "]}");
    assert_manifest_refused(buf_text(&text), "more than 500 layers");
}

static void a_configuration_is_written_as_it_was_read(void **state)
{
    (void)state;
    static const char text[] =
        "{\"created\":\"2026-01-01T00:00:00Z\",\"architecture\":\"arm\",\"variant\":\"v7\","
        "\"os\":\"linux\",\"config\":{\"User\":\"app\",\"ExposedPorts\":{\"80/tcp\":{}},"
        "\"Env\":[\"A=b\"],\"Entrypoint\":[\"/e\"],\"Cmd\":[\"c\"],\"Healthcheck\":{\"Test\":["
        "\"CMD\",\"x\"],\"Interval\":5,\"Retries\":2},\"Volumes\":{\"/v\":{}},\"WorkingDir\":\"/"
        "w\","
        "\"OnBuild\":[\"RUN x\"],\"Labels\":{\"k\":\"v\"},\"StopSignal\":\"SIGTERM\",\"Shell\":["
        "\"/bin/ash\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIGEST "\"]},\"history\":"
        "[{\"created_by\":\"x\",\"empty_layer\":true}]}";
    autoconfig config = {0};
    autobuf out = {0};
    struct error err = {0};
    assert_int_equal(image_config_parse(text, strlen(text), &config, &err), 0);
    assert_string_equal(config.user, "app");
    assert_string_equal(config.env.items[0], "A=b");
    assert_int_equal(config.health.retries, 2);
    image_config_write(&config, &out);
    assert_string_equal(buf_text(&out), text);
}

static void a_configuration_without_its_optional_parts_has_empty_fields(void **state)
{
    (void)state;
    static const char text[] = "{\"rootfs\":{\"diff_ids\":[]},\"config\":null,\"unknown\":[1]}";
    autoconfig config = {0};
    struct error err = {0};
    assert_int_equal(image_config_parse(text, strlen(text), &config, &err), 0);
    assert_string_equal(config.user, "");
    assert_string_equal(config.working_dir, "");
    assert_null(config.stop_signal);
}

static void configurations_with_wrong_types_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        "{\"rootfs\":{\"type\":\"squash\",\"diff_ids\":[]}}",
        "{\"rootfs\":{\"diff_ids\":[\"" HEX "\"]}}",
        "{\"rootfs\":{\"diff_ids\":[1]}}",
        "{\"rootfs\":{\"diff_ids\":[]},\"config\":{\"Env\":[\"=x\"]}}",
        "{\"rootfs\":{\"diff_ids\":[]},\"config\":{\"Env\":\"x\"}}",
        "{\"rootfs\":{\"diff_ids\":[]},\"config\":{\"Cmd\":[\"a\",2]}}",
        "{\"rootfs\":{\"diff_ids\":[]},\"config\":{\"Labels\":{\"a\":1}}}",
        "{\"rootfs\":{\"diff_ids\":[]},\"config\":{\"User\":7}}",
        "{\"rootfs\":{\"diff_ids\":[]},\"config\":{\"Cmd\":[\"a\\u0000b\"]}}",
        "{\"rootfs\":{\"diff_ids\":[]},\"config\":{\"Healthcheck\":{\"Interval\":-1}}}",
        "{\"rootfs\":{\"diff_ids\":[]},\"history\":[3]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct image_config config = {0};
        struct error err = {0};
        if (image_config_parse(bad[i], strlen(bad[i]), &config, &err) == 0)
            fail_msg("accepted: %s", bad[i]);
        assert_true(err.text[0] != '\0');
    }
}

static void refuse_many(const char *before, int count, const char *item_end, const char *after,
                        const char *told)
{
    struct image_config config = {0};
    struct error err = {0};
    autobuf text = {0};
    buf_fmt(&text, "{\"config\":{%s", before);
    for (int i = 0; i < count; i++) {
        buf_fmt(&text, "%s\"%d%s", i ? "," : "", i, item_end);
    }
    buf_fmt(&text, "%s},\"rootfs\":{\"type\":\"layers\"}}", after);
    int rc = image_config_parse(buf_text(&text), text.len, &config, &err);
    if (rc >= 0 || !strstr(err.text, told))
        fail_msg("told \"%s\" and not \"%s\"", err.text, told);
}

static void more_than_an_image_can_want_is_refused(void **state)
{
    (void)state;
    refuse_many("\"Env\":[", OCI_PAIRS_MAX + 1, "=\"", "]", "more than 4000 variables");
    refuse_many("\"Labels\":{", OCI_PAIRS_MAX + 1, "\":\"\"", "}", "more than 4000");
    refuse_many("\"Volumes\":{", OCI_VOLUMES_MAX + 1, "\":{}", "}", "more than 200");
    refuse_many("\"ExposedPorts\":{", OCI_WORDS_MAX + 1, "\":{}", "}", "more than 65536");
    refuse_many("\"Cmd\":[", OCI_WORDS_MAX + 1, "\"", "]", "more than 65536 words");
    refuse_many("\"Labels\":{\"\":\"\",", 1, "\":\"\"", "}", "may not be empty");
}

static void change(struct image_config *config, const char *instruction)
{
    struct error err = {0};
    if (image_config_change(config, instruction, &err) < 0)
        fail_msg("%s", err.text);
}

static void changes_are_read_as_a_dockerfile_is(void **state)
{
    (void)state;
    autoconfig config = {0};
    change(&config, "CMD [\"a\", \"b c\"]");
    assert_int_equal(config.command.len, 2);
    assert_string_equal(config.command.items[1], "b c");
    change(&config, "cmd echo \"$X\"");
    assert_string_equal(config.command.items[0], "/bin/sh");
    assert_string_equal(config.command.items[2], "echo \"$X\"");
    change(&config, "ENV A=1 B=\"two words\" C='x y' D=a\\ b");
    change(&config, "ENV A three words");
    assert_int_equal(config.env.len, 4);
    assert_string_equal(config.env.items[0], "A=three words");
    assert_string_equal(config.env.items[1], "B=two words");
    assert_string_equal(config.env.items[2], "C=x y");
    assert_string_equal(config.env.items[3], "D=a b");
    change(&config, "EXPOSE 80 53/udp 8000-8001");
    assert_int_equal(config.ports.len, 4);
    assert_string_equal(config.ports.items[0], "80/tcp");
    assert_string_equal(config.ports.items[3], "8001/tcp");
    change(&config, "WORKDIR /a");
    change(&config, "WORKDIR b");
    assert_string_equal(config.working_dir, "/a/b");
    change(&config, "VOLUME /v /w");
    change(&config, "VOLUME [\"/x y\", \"/v\"]");
    assert_int_equal(config.volumes.len, 3);
    change(&config, "LABEL a.b=c d=\"e f\"");
    assert_string_equal(config.labels.items[1], "d=e f");
    change(&config, "HEALTHCHECK --interval=5s --retries=3 CMD curl -f x");
    assert_string_equal(config.health.test.items[0], "CMD-SHELL");
    assert_string_equal(config.health.test.items[1], "curl -f x");
    assert_true(config.health.interval == INT64_C(5000000000));
    change(&config, "HEALTHCHECK NONE");
    assert_int_equal(config.health.test.len, 1);
    assert_int_equal(config.health.retries, 0);
}

static void changes_that_mean_nothing_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "RUN x",
        "CMD",
        "ENV",
        "ENV =x",
        "ENV A",
        "ENV A=\"x",
        "EXPOSE x",
        "EXPOSE 0",
        "EXPOSE 70000",
        "EXPOSE 9-8",
        "USER a b",
        "VOLUME rel",
        "SHELL sh",
        "HEALTHCHECK",
        "HEALTHCHECK --foo=1 CMD x",
        "HEALTHCHECK --interval=x CMD x",
        "ONBUILD FROM x",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        autoconfig config = {0};
        struct error err = {0};
        if (image_config_change(&config, bad[i], &err) == 0)
            fail_msg("accepted: %s", bad[i]);
        assert_non_null(strstr(err.text, "--change"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_names_mean_docker_hub),
        cmocka_unit_test(registries_ports_and_digests_are_kept),
        cmocka_unit_test(a_host_has_one_spelling),
        cmocka_unit_test(a_name_of_docker_hub_is_not_shown_as_one_of_another_registry),
        cmocka_unit_test(names_outside_of_the_grammar_are_refused),
        cmocka_unit_test(names_and_tags_have_a_length),
        cmocka_unit_test(manifests_that_could_be_misread_are_refused),
        cmocka_unit_test(a_manifest_is_written_as_it_was_read),
        cmocka_unit_test(more_layers_than_the_limit_are_refused),
        cmocka_unit_test(a_configuration_is_written_as_it_was_read),
        cmocka_unit_test(a_configuration_without_its_optional_parts_has_empty_fields),
        cmocka_unit_test(configurations_with_wrong_types_are_refused),
        cmocka_unit_test(more_than_an_image_can_want_is_refused),
        cmocka_unit_test(changes_are_read_as_a_dockerfile_is),
        cmocka_unit_test(changes_that_mean_nothing_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
