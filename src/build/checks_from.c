/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of FROM: names of stages, variables, platforms, what the image is. */
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/checks_parts.h"
#include "build/graph.h"
#include "oci/reference.h"

static void check_name(struct checking *c, const struct instruction *from)
{
    static const char *const reserved[] = {"scratch", "context"};
    const struct stage *stage = &c->file->stages[c->stage];
    if (!stage->name)
        return;
    const char *written = from->words.items[2], *as = from->words.items[1];
    if (!streq(written, stage->name))
        report(c->out, RULE_STAGE_NAME_CASING, from->places[2],
               "the stage \"%.60s\" is known as \"%.60s\"; write it so", written, stage->name);
    bool upper = streq(from->keyword, "FROM"), lower = streq(from->keyword, "from");
    if ((upper && !streq(as, "AS")) || (lower && !streq(as, "as")))
        report(c->out, RULE_FROM_AS_CASING, from->places[1],
               "%s stands beside %s; write both in the same case", as, from->keyword);
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (streq(stage->name, reserved[i]))
            report(c->out, RULE_RESERVED_STAGE_NAME, from->places[2],
                   "\"%s\" has a meaning of its own; call the stage something else", stage->name);
    for (size_t i = 0; i < c->stage; i++)
        if (streq(c->file->stages[i].name, stage->name)) {
            report(c->out, RULE_DUPLICATE_STAGE_NAME, from->places[2],
                   "a stage is called \"%.60s\" already", stage->name);
            return;
        }
}

/* --- variables --- */

/* A variable of FROM that nobody declared. */
static void undeclared(struct checking *c, struct place place, const char *name)
{
    autostrv names = {0};
    scope_names(&c->globals, &names);
    platform_arguments(&names);
    const char *near = nearest_word(name, (const char *const *)strv_argv(&names), names.len);
    report(c->out, RULE_UNDEFINED_ARG_IN_FROM, place,
           "no ARG before the first FROM declares \"%.60s\"%s%.60s%s", name,
           near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* Whether all variables are declared. */
static bool check_variables(struct checking *c, struct place place, const char *word)
{
    autostrv unset = {0};
    autobuf text = {0};
    bool all = true;
    const struct expand expand = {
        .lookup = scope_value, .closure = &c->globals, .escape = c->file->escape, .unset = &unset};
    if (expand_word(&expand, word, &text, NULL) < 0)
        return true; /* the build says what is wrong */
    for (size_t i = 0; i < unset.len; i++) {
        const char *name = unset.items[i];
        if (scope_knows(&c->globals, name, strlen(name)) || platform_argument(name, strlen(name)))
            continue;
        undeclared(c, place, name);
        all = false;
    }
    return all;
}

static bool expanded(const struct checking *c, const struct scope *scope, const char *word,
                     struct buf *out)
{
    const struct expand expand = {
        .lookup = scope_value, .closure = (void *)(uintptr_t)scope, .escape = c->file->escape};
    return expand_word(&expand, word, out, NULL) == 0;
}

static bool uses_platform(const char *word)
{
    return strstr(word, "TARGET") || strstr(word, "BUILD");
}

/* Without build arguments the name has to be one all the same. */
static void check_default(struct checking *c, struct place place, const char *base)
{
    autobuf text = {0};
    autoreference reference = {0};
    if (!strchr(base, '$') || uses_platform(base) || !expanded(c, &c->defaults, base, &text))
        return;
    if (streq(buf_text(&text), "scratch") ||
        graph_find_stage(c->file, buf_text(&text), c->stage) >= 0 ||
        reference_parse(buf_text(&text), &reference, NULL) == 0)
        return;
    report(c->out, RULE_INVALID_DEFAULT_ARG_IN_FROM, place,
           "without --build-arg %.100s becomes \"%.100s\", which is no image; give its ARG a "
           "default",
           base, buf_text(&text));
}

/* --- platforms --- */

/* "linux/arm64/v8": a stage that is named after its system or processor says what it is. */
static bool named_after(const char *stage, const char *platform)
{
    autostrv parts = {0};
    strv_split(&parts, platform, '/');
    for (size_t i = 0; stage && i < parts.len && i < 2; i++)
        if (*parts.items[i] && strstr(stage, parts.items[i]))
            return true;
    return false;
}

static void check_from_platform(struct checking *c, const struct instruction *from)
{
    const struct stage *stage = &c->file->stages[c->stage];
    if (!stage->platform)
        return;
    struct place place = from->flags[0].place;
    check_variables(c, place, stage->platform);
    if (streq(stage->platform, "$TARGETPLATFORM") || streq(stage->platform, "${TARGETPLATFORM}"))
        report(c->out, RULE_REDUNDANT_TARGET_PLATFORM, place,
               "--platform=$TARGETPLATFORM is what it is anyway; leave it out");
    if (!strchr(stage->platform, '$') && !named_after(stage->name, stage->platform))
        report(c->out, RULE_FROM_PLATFORM_FLAG_CONST_DISALLOWED, place,
               "--platform=%.60s ties the stage to one platform; leave it out, use a variable "
               "such as $BUILDPLATFORM, or name the stage after it",
               stage->platform);
}

/* --- images --- */

static void check_pinned(struct checking *c, struct place place, const char *image)
{
    autoreference reference = {0};
    const struct strv *contexts = c->request->contexts;
    if (streq(image, "scratch") || (contexts && strv_has(contexts, image)) ||
        reference_parse(image, &reference, NULL) < 0 || reference.digest[0])
        return;
    /* A tag that was not written is "latest" as well. */
    if (streq(reference.tag, "latest"))
        report(c->out, RULE_UNPINNED_BASE, place,
               "%.200s is another image every time that somebody publishes one; give it a tag or, "
               "better, a digest",
               image);
}

/* What the stage begins with is what the scope begins with. */
static void begin_scope(struct checking *c, const char *image, int base)
{
    struct stage_state *state = &c->stages[c->stage];
    state->scope.left = &c->left;
    if (base >= 0) {
        const struct stage_state *before = &c->stages[base];
        state->scope.parent = &before->scope;
        state->shell = before->shell;
        state->workdir = before->workdir;
        return;
    }
    const struct check_request *request = c->request;
    const struct strv *env = request->base_env && !streq(image, "scratch")
                                 ? request->base_env(request->closure, image)
                                 : NULL;
    state->scope.unknown_base = !env && !streq(image, "scratch");
    if (env)
        strv_copy(&state->scope.env, env);
}

void check_from(struct checking *c)
{
    const struct stage *stage = &c->file->stages[c->stage];
    const struct instruction *from = &c->file->instructions[stage->from];
    autobuf image = {0};
    check_name(c, from);
    check_comment(c, from);
    check_from_platform(c, from);
    if (check_variables(c, from->places[0], stage->base))
        check_default(c, from->places[0], stage->base);
    if (!expanded(c, &c->globals, stage->base, &image)) {
        c->stages[c->stage].scope.unknown_base = true;
        return;
    }
    int base = graph_find_stage(c->file, buf_text(&image), c->stage);
    begin_scope(c, buf_text(&image), base);
    if (base < 0 && (c->request->platform || !uses_platform(stage->base)))
        check_pinned(c, from->places[0], buf_text(&image));
}
