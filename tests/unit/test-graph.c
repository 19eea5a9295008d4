/* SPDX-License-Identifier: Apache-2.0 */
/* Which stages a target needs; what a file offers. */
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
#include "build/graph.h"
#include "build/outline.h"

static const char *lookup(void *closure, const char *name, size_t length)
{
    (void)closure;
    return length == 4 && strncmp(name, "base", 4) == 0  ? "One"
           : length == 3 && strncmp(name, "TAG", 3) == 0 ? "12"
                                                         : NULL;
}

static const struct expand variables = {.lookup = lookup, .escape = '\\'};

static void parse(const char *text, struct dockerfile *file)
{
    struct error err = {0};
    if (dockerfile_parse("Dockerfile", text, strlen(text), file, &err) < 0)
        fail_msg("%s", err.text);
}

static int make(const struct dockerfile *file, const char *target, const char *contexts,
                struct graph *out, struct error *err)
{
    static struct strv names;
    strv_free(&names);
    if (contexts)
        strv_split(&names, contexts, ',');
    const struct graph_request request = {
        .file = file, .expand = &variables, .contexts = &names, .target = target};
    return graph_make(&request, out, err);
}

static void free_names(void)
{
    autodockerfile file = {0};
    autograph graph = {0};
    parse("FROM a", &file);
    assert_int_equal(make(&file, NULL, NULL, &graph, NULL), 0);
}

/* "0 2": the numbers of the stages needed. */
static void needed(const struct graph *graph, struct buf *out)
{
    for (size_t i = 0; i < graph->count; i++)
        if (graph->stages[i].needed)
            buf_fmt(out, "%s%zu", out->len > 0 ? " " : "", i);
}

static const char several[] =
    "FROM debian:$TAG AS one\n"
    "RUN a\n"
    "FROM ${base} AS two\n"
    "FROM scratch AS Three\n"
    "COPY --from=ONE a /\n"
    "FROM alpine AS four\n"
    "RUN --mount=type=bind,target=/x,from=1 --mount=from=three,target=/y z\n"
    "FROM scratch\n"
    "COPY --from=nginx:1 a /\n";

static void only_what_the_target_needs_is_needed(void **state)
{
    static const struct {
        const char *target, *stages;
    } cases[] = {
        {NULL, "4"},  {"", "4"},        {"one", "0"},        {"TWO", "0 1"},
        {"2", "0 2"}, {"three", "0 2"}, {"four", "0 1 2 3"}, {"4", "4"},
    };
    autodockerfile file = {0};
    (void)state;
    parse(several, &file);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        autograph graph = {0};
        autobuf stages = {0};
        assert_int_equal(make(&file, cases[i].target, NULL, &graph, NULL), 0);
        needed(&graph, &stages);
        assert_string_equal(buf_text(&stages), cases[i].stages);
    }
}

static void bases_and_sources_are_told(void **state)
{
    autodockerfile file = {0};
    autograph graph = {0};
    (void)state;
    parse(several, &file);
    assert_int_equal(make(&file, NULL, NULL, &graph, NULL), 0);
    assert_string_equal(graph.stages[0].base, "debian:12");
    assert_int_equal(graph.stages[0].stage, -1);
    assert_int_equal(graph.stages[1].stage, 0);
    assert_int_equal(graph.stages[3].source_count, 2);
    assert_int_equal(graph.stages[3].sources[0].stage, 1);
    assert_int_equal(graph.stages[3].sources[1].stage, 2);
    assert_string_equal(graph.stages[4].sources[0].name, "nginx:1");
    assert_int_equal(graph.stages[4].sources[0].stage, -1);
    assert_int_equal(graph.stages[4].sources[0].place.line, 9);
}

static void a_stage_refers_to_earlier_ones(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"FROM a AS x\nCOPY --from=x a /", "Dockerfile:2:6: the stage \"x\" is this one"},
        {"FROM a AS x\nCOPY --from=y a /\nFROM a AS y",
         "Dockerfile:2:6: the stage \"y\" comes later"},
        {"FROM a\nCOPY --from=0 a /",
         "Dockerfile:2:6: there is no stage 0 before this one, which is"},
        {"FROM a\nFROM b\nRUN --mount=target=/x,from=7 y", "the stages before it are 0 to 0"},
        {"FROM a\nCOPY --from=${x:?gone} a /", "Dockerfile:2:6: x: gone"},
        {"FROM $nothing", "Dockerfile:1:6: with its variables there is no image here"},
        {"FROM --platform=$nothing a",
         "Dockerfile:1:6: with its variables there is no platform here"},
        {"FROM ${base", "Dockerfile:1:6: ${base: the } is missing"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        autodockerfile file = {0};
        autograph graph = {0};
        struct error err = {0};
        parse(cases[i].text, &file);
        if (make(&file, NULL, NULL, &graph, &err) == 0)
            fail_msg("taken: %s", cases[i].text);
        if (!strstr(err.text, cases[i].message))
            fail_msg("%s\nis not: %s", err.text, cases[i].message);
    }
}

static void a_name_given_twice_is_the_nearest_before(void **state)
{
    autodockerfile file = {0};
    autograph graph = {0};
    (void)state;
    parse("FROM a AS x\nFROM b AS x\nFROM x AS x\nCOPY --from=x a /\nFROM x", &file);
    assert_int_equal(make(&file, NULL, NULL, &graph, NULL), 0);
    assert_int_equal(graph.stages[2].stage, 1);
    assert_int_equal(graph.stages[2].sources[0].stage, 1);
    assert_int_equal(graph.stages[3].stage, 2);
}

static void a_target_that_is_not_there_is_told(void **state)
{
    autodockerfile named = {0}, unnamed = {0};
    autograph graph = {0};
    struct error err = {0};
    (void)state;
    parse(several, &named);
    parse("FROM a", &unnamed);
    assert_int_equal(make(&named, "thre", NULL, &graph, &err), -EINVAL);
    assert_non_null(strstr(err.text, "did you mean three?"));
    assert_int_equal(make(&named, "production", NULL, &graph, &err), -EINVAL);
    assert_non_null(strstr(err.text, "it has one, two, three, four"));
    assert_int_equal(make(&unnamed, "1", NULL, &graph, &err), -EINVAL);
    assert_non_null(strstr(err.text, "none of its stages has a name"));
}

static void named_contexts_stand_in_for_stages_and_images(void **state)
{
    autodockerfile file = {0};
    autograph graph = {0}, other = {0};
    autobuf stages = {0};
    (void)state;
    parse(several, &file);
    assert_int_equal(make(&file, "four", "docker.io/library/alpine,two,nginx", &graph, NULL), 0);
    assert_true(graph.stages[1].replaced);
    assert_string_equal(graph.stages[1].context, "two");
    assert_string_equal(graph.stages[3].context, "docker.io/library/alpine");
    assert_false(graph.stages[3].replaced);
    needed(&graph, &stages);
    assert_string_equal(buf_text(&stages), "0 2 3"); /* nothing of the second is executed */
    assert_null(graph.stages[4].sources[0].context);
    assert_int_equal(make(&file, "two", "two", &other, NULL), 0);
    buf_clear(&stages);
    needed(&other, &stages);
    assert_string_equal(buf_text(&stages), "1");
    free_names();
}

static void triggers_take_files_where_they_run(void **state)
{
    autodockerfile file = {0};
    autograph graph = {0};
    autobuf stages = {0};
    (void)state;
    parse("FROM a AS tools\nFROM b AS base\nONBUILD COPY --from=tools x /\nFROM base", &file);
    assert_int_equal(make(&file, NULL, NULL, &graph, NULL), 0);
    assert_int_equal(graph.stages[1].source_count, 0);
    assert_int_equal(graph.stages[2].source_count, 1);
    assert_int_equal(graph.stages[2].sources[0].instruction, 2);
    needed(&graph, &stages);
    assert_string_equal(buf_text(&stages), "0 1 2");
}

static void targets_have_descriptions(void **state)
{
    autodockerfile file = {0};
    autotargets targets = {0};
    (void)state;
    parse(
        "# syntax=x\n# Build makes it\nFROM a AS Build\n# something else\nFROM b AS test\n\nFROM c",
        &file);
    outline_targets(&file, &targets);
    assert_int_equal(targets.count, 3);
    assert_string_equal(targets.items[0].name, "build");
    assert_string_equal(targets.items[0].description, "makes it");
    assert_string_equal(targets.items[0].base, "a");
    assert_false(targets.items[0].is_default);
    assert_null(targets.items[1].description);
    assert_null(targets.items[2].name);
    assert_true(targets.items[2].is_default);
}

static void the_outline_has_what_the_stages_needed_take(void **state)
{
    autodockerfile file = {0};
    autograph graph = {0};
    autooutline outline = {0};
    (void)state;
    parse("# VERSION of the program\nARG VERSION=1\nARG OTHER\n"
          "FROM a AS unused\nARG NEVER\nRUN --mount=type=secret,id=never x\n"
          "FROM b AS base\n"
          "RUN --mount=type=secret,id=token --mount=type=ssh --mount=type=cache,target=/c x\n"
          "# everything\n# all is the target\nFROM base AS all\nARG VERSION\nARG OTHER=2 MORE\n"
          "RUN --mount=type=secret,target=/x/key,required --mount=type=secret,id=token,required y\n"
          "RUN --mount=type=cache,id=c2,target=/d,sharing=locked --mount=target=/z y\n"
          "FROM c",
          &file);
    assert_int_equal(make(&file, "all", NULL, &graph, NULL), 0);
    outline_make(&file, &graph, NULL, &outline);
    assert_int_equal(outline.stage, 2);
    assert_string_equal(outline.description, "is the target");
    assert_int_equal(outline.arg_count, 3);
    assert_string_equal(outline.args[0].name, "VERSION");
    assert_string_equal(outline.args[0].value, "1");
    assert_string_equal(outline.args[1].value, "2");
    assert_string_equal(outline.args[2].name, "MORE");
    assert_null(outline.args[2].value);
    assert_int_equal(outline.secrets.count, 2);
    assert_string_equal(outline.secrets.items[0].id, "token");
    assert_true(outline.secrets.items[0].required);
    assert_string_equal(outline.secrets.items[1].id, "key");
    assert_int_equal(outline.ssh.count, 1);
    assert_string_equal(outline.ssh.items[0].id, "default");
    assert_int_equal(outline.caches.count, 2);
    assert_string_equal(outline.caches.items[0].id, "/c");
    assert_string_equal(outline.caches.items[1].id, "c2");
    assert_string_equal(outline.caches.items[1].target, "/d");
    free_names();
}

/* As in BuildKit's test of --call=outline. */
static void values_of_the_outline_are_those_of_the_build(void **state)
{
    static const struct {
        const char *name, *value, *description;
    } args[] = {{"inherited", "box", NULL},
                {"sfx", "usybox", "is a suffix"},
                {"FOO", "123", NULL},
                {"BAR", "678", "is a number"},
                {"ABC", "a", NULL}};
    autodockerfile file = {0};
    autograph graph = {0};
    autooutline outline = {0};
    autostrv build_args = {0};
    (void)state;
    parse("ARG inherited=box\nARG inherited2=box2\nARG unused=abc${inherited2}\n"
          "# sfx is a suffix\nARG sfx=\"usy${inherited}\"\n"
          "FROM b${sfx} AS first\n# this is about nothing\nARG FOO=123\n# BAR is a number\n"
          "ARG BAR=456\nRUN --mount=type=secret,id=second${BAR} x\n"
          "FROM alpine${unused:-x} AS second\nARG BAZ\nFROM scratch AS third\nARG ABC=a\n"
          "FROM third AS target\nCOPY --from=first /etc/passwd /\nFROM second",
          &file);
    strv_add(&build_args, "BAR=678");
    assert_int_equal(make(&file, "target", NULL, &graph, NULL), 0);
    outline_make(&file, &graph, &build_args, &outline);
    assert_int_equal(outline.arg_count, sizeof args / sizeof *args);
    for (size_t i = 0; i < outline.arg_count; i++) {
        assert_string_equal(outline.args[i].name, args[i].name);
        assert_string_equal(outline.args[i].value, args[i].value);
        assert_true(streq(outline.args[i].description, args[i].description));
    }
    assert_string_equal(outline.secrets.items[0].id, "second678");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_the_target_needs_is_needed),
        cmocka_unit_test(bases_and_sources_are_told),
        cmocka_unit_test(a_stage_refers_to_earlier_ones),
        cmocka_unit_test(a_name_given_twice_is_the_nearest_before),
        cmocka_unit_test(a_target_that_is_not_there_is_told),
        cmocka_unit_test(named_contexts_stand_in_for_stages_and_images),
        cmocka_unit_test(triggers_take_files_where_they_run),
        cmocka_unit_test(targets_have_descriptions),
        cmocka_unit_test(values_of_the_outline_are_those_of_the_build),
        cmocka_unit_test(the_outline_has_what_the_stages_needed_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
