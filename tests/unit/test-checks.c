/* SPDX-License-Identifier: Apache-2.0 */
/* Build checks: for each rule what it finds, and what it leaves alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/checks.h"

static bool ignored(void *closure, const char *path)
{
    (void)closure;
    return starts_with(path, "tmp/") || streq(path, "old secret");
}

/* Nothing is known of any image but of python. */
static const struct strv *base_env(void *closure, const char *image)
{
    static char version[] = "PYTHON_VERSION=3", *items[] = {version, NULL};
    static const struct strv env = {.items = items, .len = 1, .cap = 2};
    (void)closure;
    return starts_with(image, "python") ? &env : NULL;
}

static void run(const char *text, const char *build_arg, struct findings *out)
{
    autodockerfile file = {0};
    autostrv args = {0};
    struct error err = {0};
    if (dockerfile_parse("Dockerfile", text, strlen(text), &file, &err) < 0)
        fail_msg("%s", err.text);
    if (build_arg)
        strv_add(&args, build_arg);
    const struct check_request request = {.file = &file,
                                          .build_args = &args,
                                          .platform = "linux/arm64",
                                          .ignored = ignored,
                                          .base_env = base_env};
    if (checks_run(&request, out, &err) < 0)
        fail_msg("%s", err.text);
}

/* Lines where a rule finds something, "2 5". */
static void lines_of(const struct findings *findings, const char *rule, struct buf *out)
{
    for (size_t i = 0; i < findings->count; i++)
        if (streq(findings->items[i].rule->name, rule))
            buf_fmt(out, "%s%u", out->len > 0 ? " " : "", findings->items[i].place.line);
}

struct check_case {
    const char *rule, *text, *lines;
};

static void check(const struct check_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        autofindings findings = {0};
        autobuf lines = {0};
        run(cases[i].text, NULL, &findings);
        lines_of(&findings, cases[i].rule, &lines);
        if (!streq(buf_text(&lines), cases[i].lines))
            fail_msg("%s in\n%s\nis in the lines \"%s\", not \"%s\"", cases[i].rule, cases[i].text,
                     buf_text(&lines), cases[i].lines);
    }
}
#define CHECK(cases) check(cases, sizeof(cases) / sizeof *(cases))

static void rules_about_stages(void **state)
{
    static const struct check_case cases[] = {
        {"StageNameCasing", "FROM a AS BadName\nFROM a AS good", "1"},
        {"FromAsCasing", "FROM a as x\nfrom a AS y\nFROM a AS z\nfrom a as w\nFrom a as v", "1 2"},
        {"DuplicateStageName", "FROM a AS x\nFROM b AS X\nFROM c AS y", "2"},
        {"ReservedStageName", "FROM a AS scratch\nFROM a AS context\nFROM a AS contexts", "1 2"},
        {"RedundantTargetPlatform",
         "FROM --platform=$TARGETPLATFORM a\nFROM --platform=${TARGETPLATFORM} a\n"
         "FROM --platform=$BUILDPLATFORM a\nFROM a",
         "1 2"},
        {"FromPlatformFlagConstDisallowed",
         "FROM --platform=linux/amd64 a AS x\nFROM --platform=linux/arm64 a AS build_arm64\n"
         "FROM --platform=$BUILDPLATFORM a\nFROM --platform=linux/amd64 a AS for-linux",
         "1"},
        {"UndefinedArgInFrom",
         "ARG TAG=1\nFROM a:$TAG\nFROM a:$TGA\nFROM --platform=$BUILDPLATFORM a:${V:-1}\n"
         "FROM --platform=$BULIDPLATFORM a",
         "3 5"},
        {"InvalidDefaultArgInFrom", "ARG TAG\nFROM busybox:${TAG}", "2"},
        {"InvalidDefaultArgInFrom", "ARG TAG=latest\nFROM busybox:${TAG}", ""},
        {"InvalidDefaultArgInFrom", "ARG VARIANT\nFROM busybox:stable${VARIANT}", ""},
        {"InvalidDefaultArgInFrom", "ARG TAG\nFROM alpine:${TAG:-3.14}", ""},
        {"InvalidDefaultArgInFrom", "ARG IMAGE\nFROM $IMAGE", "2"},
        {"InvalidDefaultArgInFrom", "FROM a AS x-amd64\nFROM x-${TARGETARCH}", ""},
        {"UnpinnedBase",
         "FROM a\nFROM a:latest\nFROM a:1 AS x\nFROM x\nFROM scratch\nFROM a@sha256:"
         "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
         "1 2"},
        {"UnpinnedBase", "ARG TAG=latest\nFROM a:$TAG", "2"},
    };
    (void)state;
    CHECK(cases);
}

static void rules_about_form(void **state)
{
    static const struct check_case cases[] = {
        {"NoEmptyContinuation", "FROM a\nRUN x \\\n\n  y", "3"},
        {"NoEmptyContinuation", "FROM a\nRUN x \\\n# z\n  y", ""},
        {"ConsistentInstructionCasing", "From a\nRUN x\nrun y\nRUN z", "1 3"},
        {"ConsistentInstructionCasing", "from a\nrun x\nRUN y", "3"},
        {"ConsistentInstructionCasing", "from a\nrun x", ""},
        {"ConsistentInstructionCasing", "FROM a\ncopy x /x", "2"},
        {"MaintainerDeprecated", "FROM a\nMAINTAINER me", "2"},
        {"MaintainerDeprecated", "FROM a\nLABEL org.opencontainers.image.authors=me", ""},
        {"LegacyKeyValueFormat", "FROM a\nENV a b\nLABEL c d\nENV a=b\nLABEL c=d", "2 3"},
        {"ExposeProtoCasing", "FROM a\nEXPOSE 80/TCP\nEXPOSE 80/tcp 90", "2"},
        {"ExposeInvalidFormat", "FROM a\nEXPOSE 127.0.0.1:80:80\nEXPOSE 80:80\nEXPOSE 80", "2 3"},
        {"InvalidDefinitionDescription", "# a comment\nFROM a AS base\n# too\nARG x=1", ""},
        {"InvalidDefinitionDescription",
         "# check=experimental=all\n# a comment\nFROM a AS base\n# other\nARG x=1\n# x is it\n"
         "ARG x\n# far\n\nARG y\n# unnamed\nFROM b",
         "3 5"},
        {"InvalidDefinitionDescription",
         "# check=experimental=InvalidDefinitionDescription\n# wrong\nARG z\nFROM a", "3"},
        {"InvalidDefinitionDescription",
         "# check=experimental=all\n# bar this is the bar\nARG foo=bar\n# BasE is it\n"
         "FROM scratch AS base\n# baz this is the baz\nARG foo=baz bar=qux baz=quux\n"
         "# check=skip=RootUser\nARG x\n#\nARG bit=bat\n# for COPY\nCOPY a .",
         "3 5"},
        {"MaintainerDeprecated",
         "FROM a\n# check=skip=MaintainerDeprecated // it stays\nMAINTAINER me\nMAINTAINER you",
         "4"},
        {"ConsistentInstructionCasing", "FROM a\n# check=skip=all\nrun x\nRUN y", ""},
    };
    (void)state;
    CHECK(cases);
}

static void rules_about_what_is_said(void **state)
{
    static const struct check_case cases[] = {
        {"JSONArgsRecommended", "FROM a\nCMD x\nENTRYPOINT y", "2 3"},
        {"JSONArgsRecommended", "FROM a\nCMD [\"x\"]", ""},
        {"JSONArgsRecommended", "FROM a AS b\nSHELL [\"/bin/bash\", \"-c\"]\nCMD x\nFROM b\nCMD y",
         ""},
        {"MultipleInstructionsDisallowed", "FROM a\nCMD x\nCMD y\nENTRYPOINT z\nFROM b\nCMD x",
         "2"},
        {"MultipleInstructionsDisallowed",
         "FROM a\n# check=skip=MultipleInstructionsDisallowed\nCMD x\nCMD y\nCMD z", "4"},
        {"MultipleInstructionsDisallowed", "FROM a\nHEALTHCHECK CMD x\nHEALTHCHECK NONE\nCMD y",
         "2"},
        {"WorkdirRelativePath", "FROM a\nWORKDIR x\nWORKDIR /y\nWORKDIR z", "2"},
        {"WorkdirRelativePath", "FROM a AS b\nWORKDIR /x\nFROM b\nWORKDIR y", ""},
        {"WorkdirRelativePath", "FROM a\nARG D=/x\nWORKDIR $D/y", ""},
        {"WorkdirRelativePath", "FROM a\nWORKDIR $HOME/y", ""},
        {"UndefinedVar", "FROM a\nCOPY $foo .", "2"},
        {"UndefinedVar", "FROM a\nARG foo\nCOPY $foo .", ""},
        {"UndefinedVar", "ARG foo=1\nFROM a\nCOPY $foo .", "3"},
        {"UndefinedVar", "FROM a\nENV PATH=$PAHT:/app", "2"},
        {"UndefinedVar", "FROM a\nENV PATH=$PATH:/app\nLABEL p=$HTTP_PROXY", ""},
        {"UndefinedVar", "FROM a\nENV x=$JAVA_HOME", ""},
        {"UndefinedVar", "FROM scratch\nENV x=$JAVA_HOME", "2"},
        {"UndefinedVar", "FROM python:3\nENV x=$PYTHON_VERSION y=$JAVA_HOME", "2"},
        {"UndefinedVar", "FROM a\nRUN echo $foo\nCMD [\"$foo\"]", ""},
        {"UndefinedVar", "FROM a\nCOPY ${foo:-x} ${bar+y} .", ""},
        {"UndefinedVar", "FROM a AS b\nARG x=1\nENV y=2\nFROM b\nUSER $x$y$z", "5"},
        {"UndefinedVar", "FROM a\nENV a=1 b=$a", "2"},
        {"UndefinedVar", "FROM a AS x-arm64\nARG x=1\nFROM x-${TARGETARCH}\nUSER $x$y", "4"},
        {"UndefinedVar", "FROM a\nCOPY --chown=$who a /b", "2"},
        {"UndefinedVar", "FROM a\nLABEL price='$foo' b=\\$foo c=$1", ""},
        {"CopyIgnoredFile",
         "FROM a AS b\nCOPY ./x /\nCOPY /tmp/x tmp /\nADD [\"old secret\", \"/\"]\n"
         "COPY --from=b tmp/x /\nCOPY tmp/* /\nADD https://x/tmp/y /\nCOPY <<tmp/x /y\ntmp/x",
         "3 4"},
    };
    (void)state;
    CHECK(cases);
}

static void rules_about_safety(void **state)
{
    static const struct check_case cases[] = {
        {"SecretsUsedInArgOrEnv",
         "ARG GITHUB_TOKEN\nFROM a\nARG AWS_SECRET_ACCESS_KEY\nENV db_password=x a=b\n"
         "ENV PUBLIC_KEY=x\nENV TOKENS=1 KEYBOARD=us AUTHOR=me\nLABEL token=x\nENV x_Passwd y",
         "1 3 4 8"},
        {"SecretsUsedInArgOrEnv",
         "FROM scratch\nARG SECRET_PASSPHRASE\nENV SUPER_Secret=foo\nENV password=bar secret=baz\n"
         "ARG super_duper_secret_token=foo auth=bar\nENV apikey=bar sunflower=foo\nENV git_key=\n"
         "ENV PUBLIC_KEY=\nARG public_token\nARG SECRET_PASSPHRASE_FILE\n"
         "ENV password_file=bar secret_File=baz\nARG AUTH_MODULE_VERSION\n"
         "# check=skip=SecretsUsedInArgOrEnv // allow secret\nENV password=bar",
         "2 3 4 4 5 5 6 7"},
        {"AddWithoutChecksum",
         "FROM a\nADD https://x/y.tar /\nADD --checksum=sha256:"
         "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef http://x/y /\n"
         "ADD https://x/y.git#v1 /\nADD y.tar /\nADD [\"http://x/z\", \"/\"]",
         "2 6"},
        {"InsecureRun", "FROM a\nRUN --security=insecure x\nRUN --security=sandbox x", "2"},
        {"PipedDownload",
         "FROM a\nRUN curl -sSL https://x | sh\nRUN apt-get update && curl x |bash -s -- -y\n"
         "RUN wget -qO- x | sudo -E bash -\nRUN sh -c \"$(curl -fsSL x)\"\nRUN bash <(curl x)\n"
         "RUN curl x | tar xz | sh\nRUN curl x \\\n  | python3 -\nRUN <<E\ncurl x | perl\nE\n"
         "RUN [\"sh\", \"-c\", \"curl x | sh\"]\nRUN eval \"$(wget -O - x)\"\n"
         "RUN /usr/bin/curl x | FOO=1 sh; true\nRUN curl x | env A=b sh",
         "2 3 4 5 6 7 8 10 13 14 16"},
        {"PipedDownload",
         "FROM a\nRUN curl -o x https://x\nRUN curl x | tar xz\nRUN curl x && sh y\n"
         "RUN curl x || sh y\nRUN curl x | sudo tee /etc/y\nRUN curl x | python3 -m json.tool\n"
         "RUN curl x | sh -c 'cat >y'\nRUN cat x | sh\nRUN apt-get install curl; echo a | sh\n"
         "RUN VERSION=$(curl x) && sh y\nRUN curl x | gpg --dearmor\nRUN curl x | perl -pe s/a/b/",
         ""},
        {"SecretInRun",
         "FROM a\nRUN PASSWORD=hunter2 ./x\nRUN export API_TOKEN=\"abc\" && x\n"
         "RUN x --password=abc\nRUN git clone https://me:abc@x/y\nRUN aws_secret_access_key=A x\n"
         "RUN <<E\nSECRET=1\nE\nRUN [\"x\", \"--api-key=abc\"]",
         "2 3 4 5 6 7 10"},
        {"SecretInRun",
         "FROM a\nRUN PASSWORD=$(cat /run/secrets/p) x\nRUN TOKEN=\"$TOKEN\" x\nRUN KEY=1 x\n"
         "RUN x --password= y\nRUN git clone https://git@x/y\nRUN git clone https://me:$P@x/y\n"
         "RUN --mount=type=secret,id=token x\nRUN echo a:b@c\nRUN curl http://x:80/a@b",
         ""},
    };
    (void)state;
    CHECK(cases);
}

static void every_rule_has_a_name_and_a_sentence(void **state)
{
    size_t count;
    const struct check_rule *rules = check_rules(&count);
    (void)state;
    assert_int_equal(count, 22 + 6);
    for (size_t i = 0; i < count; i++) {
        assert_non_null(rules[i].name);
        assert_non_null(rules[i].what);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(rules[i].name, rules[j].name);
    }
}

static void findings_are_in_the_order_of_the_file(void **state)
{
    autofindings findings = {0};
    (void)state;
    run("FROM a\nMAINTAINER x\nRUN y \\\n\n z\nrun w\nCMD v", NULL, &findings);
    assert_true(findings.count >= 4);
    for (size_t i = 1; i < findings.count; i++)
        assert_true(findings.items[i - 1].place.line <= findings.items[i].place.line);
    assert_non_null(strstr(findings.items[0].sentence, "give it a tag"));
}

static void rules_are_left_out_on_request(void **state)
{
    static const struct {
        const char *text, *argument, *lines;
        bool fail;
    } cases[] = {
        {"FROM a:1\nMAINTAINER x", NULL, "2", false},
        {"# check=skip=MaintainerDeprecated\nFROM a:1\nMAINTAINER x", NULL, "", false},
        {"# check=skip=A, maintainerdeprecated ; error=true\nFROM a:1\nMAINTAINER x", NULL, "",
         true},
        {"# check=skip=all\nFROM a:1\nMAINTAINER x", NULL, "", false},
        {"# check=error=true\nFROM a:1\nMAINTAINER x", NULL, "3", true},
        {"FROM a:1\nMAINTAINER x", "BUILDKIT_DOCKERFILE_CHECK=skip=all;error=true", "", true},
        {"# check=skip=all\nFROM a:1\nMAINTAINER x", "BUILDKIT_DOCKERFILE_CHECK=error=false", "3",
         false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        autofindings findings = {0};
        autobuf lines = {0};
        run(cases[i].text, cases[i].argument, &findings);
        lines_of(&findings, "MaintainerDeprecated", &lines);
        assert_string_equal(buf_text(&lines), cases[i].lines);
        assert_int_equal(findings.fail, cases[i].fail);
    }
}

static void a_request_that_is_none_is_refused(void **state)
{
    static const char *const wrong[] = {"skip", "all", "error=maybe", "skip=a;ignore=b"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        autofree char *text = xasprintf("# check=%s\nFROM a", wrong[i]);
        autodockerfile file = {0};
        autofindings findings = {0};
        struct error err = {0};
        assert_int_equal(dockerfile_parse("D", text, strlen(text), &file, &err), 0);
        const struct check_request request = {.file = &file};
        assert_int_equal(checks_run(&request, &findings, &err), -EINVAL);
        assert_true(starts_with(err.text, "# check="));
    }
}

static void build_arguments_count(void **state)
{
    autofindings pinned = {0}, unpinned = {0};
    autobuf with = {0}, without = {0};
    (void)state;
    run("ARG TAG=1\nFROM a:$TAG", "TAG=latest", &unpinned);
    lines_of(&unpinned, "UnpinnedBase", &with);
    assert_string_equal(buf_text(&with), "2");
    run("ARG TAG=latest\nFROM a:$TAG", "TAG=1", &pinned);
    lines_of(&pinned, "UnpinnedBase", &without);
    assert_string_equal(buf_text(&without), "");
}

static void the_user_and_the_platform_are_told_by_the_build(void **state)
{
    static const struct {
        const char *user;
        bool root;
    } users[] = {{"", true},          {"root", true},  {"0", true},    {"0:0", true},
                 {"root:x", true},    {"1000", false}, {"app", false}, {"roots", false},
                 {"app:root", false}, {":x", true},    {"00", true},   {"10", false}};
    static const char text[] = "FROM a:1\nUSER x\nRUN y\nUSER root\nCMD [\"z\"]";
    autodockerfile file = {0};
    (void)state;
    assert_int_equal(dockerfile_parse("D", text, strlen(text), &file, NULL), 0);
    for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
        autofindings findings = {0};
        check_user(&file, 0, users[i].user, &findings);
        assert_int_equal(findings.count, users[i].root);
        if (users[i].root)
            assert_int_equal(findings.items[0].place.line, 4);
    }
    autofindings platform = {0}, skipped = {0};
    check_platform(&file, 0, "a:1", "linux/arm64", "linux/amd64", &platform);
    check_platform(&file, 0, "a:1", "linux/amd64", "linux/amd64", &platform);
    assert_int_equal(platform.count, 1);
    assert_string_equal(platform.items[0].rule->name, "InvalidBaseImagePlatform");
    strv_add(&skipped.skip, "RootUser");
    check_user(&file, 0, "root", &skipped);
    assert_int_equal(skipped.count, 0);
}

static void there_is_an_end_to_findings(void **state)
{
    autobuf text = {0};
    autofindings findings = {0};
    (void)state;
    buf_str(&text, "FROM a:1\n");
    for (int i = 0; i < 2 * FINDINGS_MAX; i++)
        buf_str(&text, "MAINTAINER x\n");
    run(buf_text(&text), NULL, &findings);
    assert_int_equal(findings.count, FINDINGS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_about_stages),
        cmocka_unit_test(rules_about_form),
        cmocka_unit_test(rules_about_what_is_said),
        cmocka_unit_test(rules_about_safety),
        cmocka_unit_test(every_rule_has_a_name_and_a_sentence),
        cmocka_unit_test(findings_are_in_the_order_of_the_file),
        cmocka_unit_test(rules_are_left_out_on_request),
        cmocka_unit_test(a_request_that_is_none_is_refused),
        cmocka_unit_test(build_arguments_count),
        cmocka_unit_test(the_user_and_the_platform_are_told_by_the_build),
        cmocka_unit_test(there_is_an_end_to_findings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
