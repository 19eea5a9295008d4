/* SPDX-License-Identifier: Apache-2.0 */
#include "build/variables.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/expand.h"
#include "build/scope.h"
#include "build/step.h"
#include "store/platform.h"

const char *pairs_find(const struct strv *pairs, const char *name, size_t length)
{
    for (size_t i = pairs->len; i-- > 0;)
        if (strncmp(pairs->items[i], name, length) == 0 && pairs->items[i][length] == '=')
            return pairs->items[i] + length + 1;
    return NULL;
}

void pairs_set(struct strv *pairs, const char *pair)
{
    size_t length = strcspn(pair, "=") + 1;
    for (size_t i = 0; i < pairs->len; i++) {
        if (strncmp(pairs->items[i], pair, length) != 0)
            continue;
        free(pairs->items[i]);
        pairs->items[i] = xstrdup(pair);
        return;
    }
    strv_add(pairs, pair);
}

const char *variables_find(void *closure, const char *name, size_t length)
{
    return pairs_find(closure, name, length);
}

bool variables_is_proxy(const char *name, size_t length)
{
    return predefined_argument(name, length);
}

int variables_arguments(const struct build_options *options, struct strv *out, struct error *err)
{
    for (size_t i = 0; i < options->build_args.len; i++) {
        const char *word = options->build_args.items[i];
        if (*word == '=' || !*word)
            return error_set(err, -EINVAL, "--build-arg %s has no name before the =", word);
        const char *ours = strchr(word, '=') ? NULL : getenv(word);
        autofree char *both = ours ? xasprintf("%s=%s", word, ours) : NULL;
        if (both || strchr(word, '='))
            pairs_set(out, both ? both : word);
    }
    return 0;
}

static void add_platform(struct strv *out, const char *side, const struct platform *p)
{
    const char *variant = p->variant ? p->variant : "";
    autofree char *platform = xasprintf("%sPLATFORM=%s/%s%s%s", side, p->os, p->architecture,
                                        *variant ? "/" : "", variant);
    autofree char *os = xasprintf("%sOS=%s", side, p->os);
    autofree char *arch = xasprintf("%sARCH=%s", side, p->architecture);
    autofree char *which = xasprintf("%sVARIANT=%s", side, variant);
    pairs_set(out, platform);
    pairs_set(out, os);
    pairs_set(out, arch);
    pairs_set(out, which);
}

static int find_platforms(const struct build_options *options, struct strv *out, struct error *err)
{
    autoplatform target = {0}, here = {0};
    int rc = platform_parse(options->platform, &target, err);
    if (rc == 0)
        rc = platform_parse(NULL, &here, err);
    if (rc < 0)
        return rc;
    add_platform(out, "TARGET", &target);
    add_platform(out, "BUILD", &here);
    return 0;
}

static void take_global(const char *pair, const struct strv *arguments, struct strv *out)
{
    size_t length = strcspn(pair, "=");
    const char *given = pairs_find(arguments, pair, length);
    autofree char *both = given ? xasprintf("%.*s=%s", (int)length, pair, given) : NULL;
    if (both || pair[length])
        pairs_set(out, both ? both : pair);
}

int variables_globals(const struct build_options *options, const struct dockerfile *file,
                      const struct strv *arguments, struct strv *out, struct error *err)
{
    const struct expand expand = {.lookup = variables_find, .closure = out, .escape = file->escape};
    int rc = find_platforms(options, out, err);
    for (size_t i = 0; rc == 0 && i < file->global_count; i++) {
        autostep step = {0};
        rc = step_make(file, &file->instructions[i], &expand, &step, err);
        for (size_t n = 0; rc == 0 && n < step.pairs.len; n++)
            take_global(step.pairs.items[n], arguments, out);
    }
    return rc;
}

int variables_epoch(const struct strv *arguments, const struct strv *globals, int64_t *seconds,
                    struct error *err)
{
    static const char name[] = "SOURCE_DATE_EPOCH";
    uint64_t number;
    const char *text = pairs_find(arguments, name, sizeof name - 1);
    if (!text)
        text = pairs_find(globals, name, sizeof name - 1);
    if (!text)
        text = getenv(name);
    if (!text || !*text)
        return 0;
    if (parse_u64(text, 9223372036, &number) < 0)
        return error_set(err, -EINVAL, "%s=%.40s is no count of seconds since 1970", name, text);
    *seconds = (int64_t)number;
    return 1;
}

static bool declares(const struct instruction *i, const char *name, size_t length)
{
    for (size_t n = 0; i->kind == INSTRUCTION_ARG && n < i->words.len; n++)
        if (strncmp(i->words.items[n], name, length) == 0 &&
            (i->words.items[n][length] == '=' || i->words.items[n][length] == '\0'))
            return true;
    return false;
}

void variables_unused(const struct dockerfile *file, const struct strv *arguments, struct strv *out)
{
    for (size_t a = 0; a < arguments->len; a++) {
        const char *pair = arguments->items[a];
        size_t length = strcspn(pair, "=");
        bool used = variables_is_proxy(pair, length) || starts_with(pair, "BUILDKIT_") ||
                    starts_with(pair, "SOURCE_DATE_EPOCH=");
        for (size_t i = 0; !used && i < file->count; i++)
            used = declares(&file->instructions[i], pair, length);
        if (!used)
            strv_take(out, xstrndup(pair, length));
    }
}
