/* SPDX-License-Identifier: Apache-2.0 */
#include "build/checks.h"

#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/checks_parts.h"

#define NAMES_MAX 1000         /* of rules that are left out */
#define VALUES_MAX (16u << 20) /* bytes of all variables */

static const struct check_rule rules[] = {
    [RULE_STAGE_NAME_CASING] = {"StageNameCasing", CHECK_STYLE, false,
                                "The name of a stage is in lower case"},
    [RULE_FROM_AS_CASING] = {"FromAsCasing", CHECK_STYLE, false, "AS is in the case of FROM"},
    [RULE_NO_EMPTY_CONTINUATION] = {"NoEmptyContinuation", CHECK_WARNING, false,
                                    "No empty line stands inside of an instruction"},
    [RULE_CONSISTENT_INSTRUCTION_CASING] = {"ConsistentInstructionCasing", CHECK_STYLE, false,
                                            "All instructions are in the same case"},
    [RULE_DUPLICATE_STAGE_NAME] = {"DuplicateStageName", CHECK_WARNING, false,
                                   "Each stage has a name of its own"},
    [RULE_RESERVED_STAGE_NAME] = {"ReservedStageName", CHECK_WARNING, false,
                                  "No stage is called scratch or context"},
    [RULE_JSON_ARGS_RECOMMENDED] = {"JSONArgsRecommended", CHECK_WARNING, false,
                                    "CMD and ENTRYPOINT are JSON arrays, so that signals arrive"},
    [RULE_MAINTAINER_DEPRECATED] = {"MaintainerDeprecated", CHECK_STYLE, false,
                                    "The author of an image is a label"},
    [RULE_UNDEFINED_ARG_IN_FROM] = {"UndefinedArgInFrom", CHECK_WARNING, false,
                                    "What FROM uses is declared before the first FROM"},
    [RULE_WORKDIR_RELATIVE_PATH] = {"WorkdirRelativePath", CHECK_WARNING, false,
                                    "The first WORKDIR of a stage is absolute"},
    [RULE_UNDEFINED_VAR] = {"UndefinedVar", CHECK_WARNING, false,
                            "Variables are declared before they are used"},
    [RULE_MULTIPLE_INSTRUCTIONS_DISALLOWED] = {"MultipleInstructionsDisallowed", CHECK_WARNING,
                                               false,
                                               "CMD, ENTRYPOINT and HEALTHCHECK are said once in "
                                               "a stage"},
    [RULE_LEGACY_KEY_VALUE_FORMAT] = {"LegacyKeyValueFormat", CHECK_STYLE, false,
                                      "ENV and LABEL are written NAME=VALUE"},
    [RULE_INVALID_BASE_IMAGE_PLATFORM] = {"InvalidBaseImagePlatform", CHECK_WARNING, false,
                                          "A base image is of the platform that is built for"},
    [RULE_REDUNDANT_TARGET_PLATFORM] = {"RedundantTargetPlatform", CHECK_STYLE, false,
                                        "FROM needs no --platform=$TARGETPLATFORM"},
    [RULE_SECRETS_USED_IN_ARG_OR_ENV] = {"SecretsUsedInArgOrEnv", CHECK_SECURITY, false,
                                         "ARG and ENV hold nothing secret"},
    [RULE_INVALID_DEFAULT_ARG_IN_FROM] = {"InvalidDefaultArgInFrom", CHECK_WARNING, false,
                                          "FROM names an image without any --build-arg"},
    [RULE_FROM_PLATFORM_FLAG_CONST_DISALLOWED] = {"FromPlatformFlagConstDisallowed", CHECK_WARNING,
                                                  false,
                                                  "FROM --platform is a variable, or the stage is "
                                                  "named after it"},
    [RULE_COPY_IGNORED_FILE] = {"CopyIgnoredFile", CHECK_WARNING, false,
                                "What is copied is not left out by .dockerignore"},
    [RULE_INVALID_DEFINITION_DESCRIPTION] = {"InvalidDefinitionDescription", CHECK_STYLE, true,
                                             "A comment right above a stage or an ARG begins with "
                                             "its name"},
    [RULE_EXPOSE_PROTO_CASING] = {"ExposeProtoCasing", CHECK_STYLE, false,
                                  "The protocol of a port is in lower case"},
    [RULE_EXPOSE_INVALID_FORMAT] = {"ExposeInvalidFormat", CHECK_WARNING, false,
                                    "EXPOSE says nothing about the host"},
    [RULE_ROOT_USER] = {"RootUser", CHECK_SECURITY, false, "The image does not run as root"},
    [RULE_UNPINNED_BASE] = {"UnpinnedBase", CHECK_SECURITY, false,
                            "A base image has a tag of its own, or a digest"},
    [RULE_PIPED_DOWNLOAD] = {"PipedDownload", CHECK_SECURITY, false,
                             "What is downloaded is not executed unseen"},
    [RULE_ADD_WITHOUT_CHECKSUM] = {"AddWithoutChecksum", CHECK_SECURITY, false,
                                   "What ADD fetches has a checksum"},
    [RULE_INSECURE_RUN] = {"InsecureRun", CHECK_SECURITY, false,
                           "No command runs without its fences"},
    [RULE_SECRET_IN_RUN] = {"SecretInRun", CHECK_SECURITY, false, "No secret stands in a command"},
};
#define RULES (sizeof rules / sizeof *rules)

const struct check_rule *check_rules(size_t *count)
{
    *count = RULES;
    return rules;
}

/* --- findings --- */

static bool has_name(const struct strv *list, const char *name)
{
    for (size_t i = 0; i < list->len; i++)
        if (strcasecmp(list->items[i], name) == 0 || strcasecmp(list->items[i], "all") == 0)
            return true;
    return false;
}

/* Where it stands in the order of the file, behind what stands at the same place. */
static size_t position(const struct findings *out, struct place place)
{
    size_t i = out->count;
    while (i > 0 && (out->items[i - 1].place.line > place.line ||
                     (out->items[i - 1].place.line == place.line &&
                      out->items[i - 1].place.column > place.column)))
        i--;
    return i;
}

void report(struct findings *out, enum rule rule, struct place place, const char *format, ...)
{
    const struct check_rule *found = &rules[rule];
    autobuf sentence = {0};
    va_list ap;
    if (out->count == FINDINGS_MAX || has_name(&out->skip, found->name) ||
        has_name(&out->here, found->name) ||
        (found->experimental && !has_name(&out->experimental, found->name)))
        return;
    va_start(ap, format);
    buf_vfmt(&sentence, format, ap);
    va_end(ap);
    size_t at = position(out, place);
    out->items = xrealloc(out->items, out->count + 1, sizeof *out->items);
    memmove(&out->items[at + 1], &out->items[at], (out->count - at) * sizeof *out->items);
    out->count++;
    struct finding *finding = &out->items[at];
    *finding = (struct finding){.rule = found, .place = place};
    struct buf shown = {0};
    buf_printable(&shown, buf_text(&sentence));
    finding->sentence = buf_take(&shown);
}

void findings_free(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        free(findings->items[i].sentence);
    free(findings->items);
    strv_free(&findings->skip);
    strv_free(&findings->experimental);
    strv_free(&findings->here);
    *findings = (struct findings){0};
}

/* --- which rules --- */

static int set_option(const char *option, struct findings *out)
{
    const char *equals = strchrnul(option, '=');
    autofree char *name = xstrndup(option, (size_t)(equals - option));
    struct strv *list = streq(name, "skip")           ? &out->skip
                        : streq(name, "experimental") ? &out->experimental
                                                      : NULL;
    if (!*equals)
        return -EINVAL;
    if (list) {
        autostrv words = {0};
        strv_split(&words, equals + 1, ',');
        if (list->len + words.len > NAMES_MAX)
            return -EINVAL;
        for (size_t i = 0; i < words.len; i++) {
            char *word = words.items[i] + strspn(words.items[i], " \t");
            word[strcspn(word, " \t")] = '\0';
            strv_add(list, word);
        }
        return 0;
    }
    if (!streq(name, "error"))
        return -EINVAL;
    out->fail = strcasecmp(equals + 1, "true") == 0 || streq(equals + 1, "1");
    return out->fail || strcasecmp(equals + 1, "false") == 0 || streq(equals + 1, "0") ? 0
                                                                                       : -EINVAL;
}

/* "skip=A,B;error=true". */
static int read_options(const char *text, struct findings *out)
{
    autostrv options = {0};
    strv_split(&options, text, ';');
    for (size_t i = 0; i < options.len; i++) {
        char *option = options.items[i] + strspn(options.items[i], " \t");
        size_t length = strlen(option);
        while (length > 0 && strchr(" \t", option[length - 1]))
            option[--length] = '\0';
        if (length > 0 && set_option(option, out) < 0)
            return -EINVAL;
    }
    return 0;
}

void begin_instruction(struct checking *c, const struct instruction *instruction)
{
    autostrv lines = {0};
    strv_free(&c->out->here);
    if (!instruction->comment)
        return;
    strv_split(&lines, instruction->comment, '\n');
    for (size_t i = 0; i < lines.len; i++) {
        autofindings own = {0};
        char *reason = strstr(lines.items[i], " //");
        if (reason)
            *reason = '\0';
        if (!starts_with(lines.items[i], "check=") ||
            read_options(lines.items[i] + strlen("check="), &own) < 0)
            continue;
        strv_copy(&c->out->here, &own.skip);
    }
}

static int choose_rules(const struct check_request *request, struct findings *out,
                        struct error *err)
{
    static const char argument[] = "BUILDKIT_DOCKERFILE_CHECK=";
    const char *given = NULL;
    for (size_t i = 0; request->build_args && i < request->build_args->len; i++)
        if (starts_with(request->build_args->items[i], argument))
            given = request->build_args->items[i] + strlen(argument);
    const char *text = given ? given : request->file->check;
    if (!text || read_options(text, out) == 0)
        return 0;
    return error_set(err, -EINVAL,
                     "%s%.100s: this is read as skip=RULE,…;error=true;experimental=RULE,…",
                     given ? argument : "# check=", text);
}

/* --- the file as a whole --- */

/* 1: upper, -1: lower, 0: mixed. */
static int casing(const char *word)
{
    bool upper = false, lower = false;
    for (; *word; word++) {
        upper |= *word >= 'A' && *word <= 'Z';
        lower |= *word >= 'a' && *word <= 'z';
    }
    return upper && lower ? 0 : upper ? 1 : -1;
}

static void check_casing(struct checking *c)
{
    const struct dockerfile *file = c->file;
    size_t upper = 0, lower = 0;
    for (size_t i = 0; i < file->count; i++) {
        int is = casing(file->instructions[i].keyword);
        upper += is > 0;
        lower += is < 0;
    }
    int most = lower > upper ? -1 : 1;
    for (size_t i = 0; i < file->count; i++) {
        begin_instruction(c, &file->instructions[i]);
        if (casing(file->instructions[i].keyword) != most)
            report(c->out, RULE_CONSISTENT_INSTRUCTION_CASING, file->instructions[i].place,
                   "%s is in another case than most instructions, which are in %s case",
                   file->instructions[i].keyword, most > 0 ? "upper" : "lower");
    }
}

static void check_lines(struct checking *c)
{
    for (size_t i = 0; i < c->file->count; i++) {
        begin_instruction(c, &c->file->instructions[i]);
        if (c->file->instructions[i].empty_line > 0)
            report(c->out, RULE_NO_EMPTY_CONTINUATION,
                   (struct place){.line = c->file->instructions[i].empty_line, .column = 1},
                   "an empty line in the middle of an instruction will end it in the future; "
                   "remove it or make it a comment");
    }
}

/* "linux/arm64/v8" as what a FROM may say of it. */
static void take_platform(struct checking *c)
{
    static const char *const names[] = {"TARGETOS", "TARGETARCH", "TARGETVARIANT"};
    autostrv parts = {0};
    if (!c->request->platform)
        return;
    strv_fmt(&c->globals.args, "TARGETPLATFORM=%s", c->request->platform);
    strv_split(&parts, c->request->platform, '/');
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        strv_fmt(&c->globals.args, "%s=%s", names[i], i < parts.len ? parts.items[i] : "");
}

static void run(struct checking *c)
{
    const struct dockerfile *file = c->file;
    take_platform(c);
    check_casing(c);
    check_lines(c);
    for (size_t i = 0; i < file->global_count; i++) {
        begin_instruction(c, &file->instructions[i]);
        check_global(c, &file->instructions[i]);
        scope_take(&c->globals, &file->instructions[i], file->escape, NULL, c->request->build_args);
        scope_take(&c->defaults, &file->instructions[i], file->escape, NULL, NULL);
    }
    for (c->stage = 0; c->stage < file->stage_count; c->stage++) {
        const struct stage *stage = &file->stages[c->stage];
        begin_instruction(c, &file->instructions[stage->from]);
        check_from(c);
        for (size_t i = stage->first; i < stage->first + stage->count; i++) {
            begin_instruction(c, &file->instructions[i]);
            check_instruction(c, &file->instructions[i]);
            scope_take(&c->stages[c->stage].scope, &file->instructions[i], file->escape,
                       &c->globals, c->request->build_args);
        }
    }
}

int checks_run(const struct check_request *request, struct findings *out, struct error *err)
{
    autofindings findings = {0};
    struct checking c = {
        .request = request, .file = request->file, .left = VALUES_MAX, .out = &findings};
    c.globals.left = c.defaults.left = &c.left;
    int rc = choose_rules(request, &findings, err);
    if (rc < 0)
        return rc;
    c.stages = xcalloc(request->file->stage_count, sizeof *c.stages);
    run(&c);
    strv_free(&findings.here);
    for (size_t i = 0; i < request->file->stage_count; i++)
        scope_free(&c.stages[i].scope);
    free(c.stages);
    scope_free(&c.globals);
    scope_free(&c.defaults);
    *out = findings;
    findings = (struct findings){0};
    return 0;
}

/* --- what only the build knows --- */

void check_user(const struct dockerfile *file, size_t stage, const char *user, struct findings *out)
{
    size_t length = strcspn(user, ":");
    const struct stage *s = &file->stages[stage];
    const struct instruction *last = &file->instructions[s->from];
    if (length > 0 && !(length == 4 && strncmp(user, "root", 4) == 0) &&
        strspn(user, "0") != length)
        return;
    for (size_t i = s->first; i < s->first + s->count; i++)
        if (file->instructions[i].kind == INSTRUCTION_USER)
            last = &file->instructions[i];
    report(out, RULE_ROOT_USER, last->place,
           "the image runs as root; end with USER and a name or a number");
}

void check_platform(const struct dockerfile *file, size_t stage, const char *image,
                    const char *wanted, const char *found, struct findings *out)
{
    const struct instruction *from = &file->instructions[file->stages[stage].from];
    if (streq(wanted, found))
        return;
    report(out, RULE_INVALID_BASE_IMAGE_PLATFORM, from->place,
           "the image %.200s is of %.60s, and %.60s was asked for", image, found, wanted);
}
