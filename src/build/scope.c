/* SPDX-License-Identifier: Apache-2.0 */
#include "build/scope.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/expand.h"

#define NAME_MAX_LENGTH 255

/* https://docs.docker.com/reference/dockerfile/#automatic-platform-args-in-the-global-scope */
static const char *const platform_names[] = {
    "BUILDARCH", "BUILDOS",        "BUILDPLATFORM", "BUILDVARIANT",  "TARGETARCH",
    "TARGETOS",  "TARGETPLATFORM", "TARGETSTAGE",   "TARGETVARIANT",
};

/* https://docs.docker.com/reference/dockerfile/#predefined-args; PATH every container has. */
static const char *const predefined_names[] = {
    "ALL_PROXY", "FTP_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "PATH",
    "all_proxy", "ftp_proxy", "https_proxy", "http_proxy", "no_proxy",
};

static bool listed(const char *const *names, size_t count, const char *name, size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0)
            return true;
    return false;
}

bool platform_argument(const char *name, size_t length)
{
    return listed(platform_names, sizeof platform_names / sizeof *platform_names, name, length);
}

void platform_arguments(struct strv *out)
{
    for (size_t i = 0; i < sizeof platform_names / sizeof *platform_names; i++)
        strv_add(out, platform_names[i]);
}

bool predefined_argument(const char *name, size_t length)
{
    return listed(predefined_names, sizeof predefined_names / sizeof *predefined_names, name,
                  length);
}

/* The last entry for a name, or NULL. */
static const char *entry(const struct strv *list, const char *name, size_t length)
{
    for (size_t i = list->len; i-- > 0;) {
        const char *item = list->items[i];
        if (strncmp(item, name, length) == 0 && (item[length] == '=' || item[length] == '\0'))
            return item;
    }
    return NULL;
}

const char *scope_value(void *closure, const char *name, size_t length)
{
    const struct scope *scope = closure;
    for (const struct scope *s = scope; s; s = s->parent) {
        const char *found = entry(&s->env, name, length);
        if (found)
            return found + length + 1;
    }
    for (const struct scope *s = scope; s; s = s->parent) {
        const char *found = entry(&s->args, name, length);
        if (found)
            return found[length] == '=' ? found + length + 1 : NULL;
    }
    return NULL;
}

bool scope_knows(const struct scope *scope, const char *name, size_t length)
{
    for (; scope; scope = scope->parent)
        if (entry(&scope->env, name, length) || entry(&scope->args, name, length) ||
            scope->env.len >= SCOPE_MAX || scope->args.len >= SCOPE_MAX)
            return true;
    return false;
}

bool scope_unknown_base(const struct scope *scope)
{
    while (scope->parent)
        scope = scope->parent;
    return scope->unknown_base;
}

static void add_names(const struct strv *list, struct strv *out)
{
    for (size_t i = 0; i < list->len && out->len < SCOPE_MAX; i++)
        strv_take(out, xstrndup(list->items[i], strcspn(list->items[i], "=")));
}

size_t scope_names(const struct scope *scope, struct strv *out)
{
    for (; scope; scope = scope->parent) {
        add_names(&scope->env, out);
        add_names(&scope->args, out);
    }
    return out->len;
}

/* What cannot be expanded keeps its name. */
static void take_pair(const struct scope *scope, const char *word, char escape, struct buf *name,
                      struct buf *value, bool *has_value)
{
    const struct expand expand = {
        .lookup = scope_value, .closure = (void *)(uintptr_t)scope, .escape = escape};
    const char *equals = strchrnul(word, '=');
    autofree char *raw = xstrndup(word, (size_t)(equals - word));
    if (expand_word(&expand, raw, name, NULL) < 0)
        buf_str(name, raw);
    *has_value = *equals != '\0';
    if (*has_value)
        (void)expand_word(&expand, equals + 1, value, NULL);
}

static const char *build_argument(const struct strv *build_args, const char *name)
{
    const char *found = build_args ? entry(build_args, name, strlen(name)) : NULL;
    return found && found[strlen(name)] == '=' ? found + strlen(name) + 1 : NULL;
}

static void add_entries(struct strv *list, const struct strv *added)
{
    for (size_t i = 0; i < added->len && list->len < SCOPE_MAX; i++)
        strv_add(list, added->items[i]);
}

void scope_take(struct scope *scope, const struct instruction *instruction, char escape,
                const struct scope *globals, const struct strv *build_args)
{
    autostrv added = {0};
    bool env = instruction->kind == INSTRUCTION_ENV;
    if (!env && instruction->kind != INSTRUCTION_ARG)
        return;
    struct strv *list = env ? &scope->env : &scope->args;
    for (size_t i = 0; i < instruction->words.len; i++) {
        autobuf name = {0}, value = {0};
        bool has_value;
        take_pair(scope, instruction->words.items[i], escape, &name, &value, &has_value);
        const char *text = buf_text(&name);
        if (name.len > NAME_MAX_LENGTH)
            continue;
        const char *given = env ? NULL : build_argument(build_args, text);
        const char *global = !env && !has_value && globals
                                 ? scope_value((void *)(uintptr_t)globals, text, strlen(text))
                                 : NULL;
        const char *found = given ? given : has_value ? buf_text(&value) : global;
        size_t size = strlen(text) + (found ? strlen(found) : 0);
        bool room = scope->left && size <= *scope->left;
        if (room)
            *scope->left -= size;
        if (found)
            strv_fmt(&added, "%s=%s", text, room ? found : "");
        else
            strv_add(&added, text);
        if (!env && !globals) { /* before the first FROM each sees those left of it */
            add_entries(list, &added);
            strv_free(&added);
        }
    }
    add_entries(list, &added);
}

void scope_free(struct scope *scope)
{
    strv_free(&scope->env);
    strv_free(&scope->args);
    *scope = (struct scope){0};
}
