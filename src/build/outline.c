/* SPDX-License-Identifier: Apache-2.0 */
#include "build/outline.h"

#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/dockerfile_parts.h"
#include "build/expand.h"
#include "build/scope.h"
#include "build/step.h"

#define OUTLINE_MAX 1000       /* of each kind; what comes after is left out */
#define VALUES_MAX (16u << 20) /* bytes of all variables */

/* --- comments --- */

char *outline_description(const struct instruction *instruction, const char *name)
{
    autostrv lines = {0};
    size_t length = strlen(name);
    if (!instruction->comment || length == 0)
        return NULL;
    strv_split(&lines, instruction->comment, '\n');
    for (size_t i = 0; i < lines.len; i++) {
        const char *text = lines.items[i];
        if (strncmp(text, name, length) == 0 && text[length] && strchr(BLANKS, text[length]))
            return xstrdup(text + length + strspn(text + length, BLANKS));
    }
    return NULL;
}

/* By its name as it is written, or as it is known. */
static char *describe_stage(const struct dockerfile *file, const struct stage *stage)
{
    const struct instruction *from = &file->instructions[stage->from];
    if (!stage->name)
        return NULL;
    char *found = outline_description(from, stage->name);
    return found ? found : outline_description(from, from->words.items[2]);
}

/* --- targets --- */

void outline_targets(const struct dockerfile *file, struct targets *out)
{
    struct targets made = {.items = xcalloc(file->stage_count, sizeof *made.items),
                           .count = file->stage_count};
    for (size_t i = 0; i < file->stage_count; i++) {
        const struct stage *stage = &file->stages[i];
        const struct instruction *from = &file->instructions[stage->from];
        made.items[i] = (struct outline_target){
            .name = stage->name,
            .base = stage->base,
            .description = describe_stage(file, stage),
            .is_default = i + 1 == file->stage_count,
            .place = from->place,
        };
    }
    *out = made;
}

void targets_free(struct targets *targets)
{
    for (size_t i = 0; i < targets->count; i++)
        free(targets->items[i].description);
    free(targets->items);
    *targets = (struct targets){0};
}

/* --- one target --- */

struct outlining {
    const struct dockerfile *file;
    const struct strv *build_args;
    struct scope globals, *scopes; /* of each stage */
    size_t left;                   /* see struct scope */
    struct strv used;              /* names that FROMs need */
    struct outline *out;
};

static char *expanded(const struct outlining *o, struct scope *scope, const char *word)
{
    const struct expand expand = {
        .lookup = scope_value, .closure = scope, .escape = o->file->escape};
    autobuf text = {0};
    if (!word)
        return NULL;
    return expand_word(&expand, word, &text, NULL) < 0 ? xstrdup(word) : buf_take(&text);
}

/* Every name counts as unset, so that it is noted. */
static const char *no_value(void *closure, const char *name, size_t length)
{
    (void)closure;
    (void)name;
    (void)length;
    return NULL;
}

static void note_used(struct outlining *o, const char *word)
{
    const struct expand expand = {
        .lookup = no_value, .escape = o->file->escape, .unset = &o->used, .unset_all = true};
    autobuf text = {0};
    if (strchr(word, '$'))
        (void)expand_word(&expand, word, &text, NULL);
}

/* What the FROMs need, and what that needs: an ARG sees those before it only. */
static void find_used(struct outlining *o, const struct graph *graph)
{
    const struct dockerfile *file = o->file;
    for (size_t s = 0; s <= graph->target; s++) {
        if (!graph->stages[s].needed || graph->stages[s].replaced)
            continue;
        note_used(o, file->stages[s].base);
        if (file->stages[s].platform)
            note_used(o, file->stages[s].platform);
    }
    for (size_t i = file->global_count; i-- > 0;) {
        const struct strv *words = &file->instructions[i].words;
        for (size_t w = words->len; w-- > 0;) {
            autofree char *name = xstrndup(words->items[w], strcspn(words->items[w], "="));
            if (strv_has(&o->used, name))
                note_used(o, words->items[w]);
        }
    }
}

static void add_arg(struct outlining *o, const struct instruction *instruction, size_t index,
                    struct scope *scope)
{
    struct outline *out = o->out;
    const char *word = instruction->words.items[index];
    autofree char *raw = xstrndup(word, strcspn(word, "="));
    autofree char *name = expanded(o, scope, raw);
    const char *value = scope_value(scope, name, strlen(name));
    size_t at = 0;
    while (at < out->arg_count && !streq(out->args[at].name, name))
        at++;
    if (at < out->arg_count) { /* declared again, to be seen in a stage */
        if (!out->args[at].value && value)
            out->args[at].value = xstrdup(value);
        return;
    }
    if (out->arg_count == OUTLINE_MAX)
        return;
    struct outline_arg arg = {.value = value ? xstrdup(value) : NULL,
                              .description = outline_description(instruction, name),
                              .place = instruction->places[index]};
    arg.name = take_ptr(name);
    out->args = xrealloc(out->args, out->arg_count + 1, sizeof arg);
    out->args[out->arg_count++] = arg;
}

static void add_globals(struct outlining *o)
{
    for (size_t i = 0; i < o->file->global_count; i++) {
        const struct instruction *instruction = &o->file->instructions[i];
        scope_take(&o->globals, instruction, o->file->escape, NULL, o->build_args);
        for (size_t w = 0; w < instruction->words.len; w++) {
            const char *word = instruction->words.items[w];
            autofree char *name = xstrndup(word, strcspn(word, "="));
            if (strv_has(&o->used, name))
                add_arg(o, instruction, w, &o->globals);
        }
    }
}

/* --- mounts --- */

/* Takes over id and target. */
static void add_mount(struct outline_mounts *list, char *id, char *target, bool required,
                      struct place place)
{
    size_t at = 0;
    while (at < list->count && !streq(list->items[at].id, id))
        at++;
    if (at < list->count || at == OUTLINE_MAX) {
        if (at < list->count)
            list->items[at].required |= required;
        free(id);
        free(target);
        return;
    }
    list->items = xrealloc(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = (struct outline_mount){id, target, required, place};
}

static char *first_word(const struct outlining *o, struct scope *scope, const char *mount,
                        const char *const *keys)
{
    autofree char *found = NULL;
    for (; *keys && !found; keys++)
        found = step_mount_word(mount, *keys);
    return expanded(o, scope, found);
}

static void add_flag(struct outlining *o, const struct flag *flag, struct scope *scope)
{
    static const char *const ids[] = {"id", "source", "src", NULL};
    static const char *const targets[] = {"target", "dst", "destination", NULL};
    autofree char *type = step_mount_word(flag->value, "type");
    autofree char *must = step_mount_word(flag->value, "required");
    autofree char *target = first_word(o, scope, flag->value, targets);
    bool required = must && *must && strchr("1tT", *must);
    bool secret = type && strcasecmp(type, "secret") == 0;
    autofree char *id =
        first_word(o, scope, flag->value, secret ? ids : (const char *const[]){"id", NULL});
    if (secret) {
        const char *slash = target ? strrchr(target, '/') : NULL;
        if (!id)
            id = xstrdup(slash ? slash + 1 : target ? target : "");
        add_mount(&o->out->secrets, take_ptr(id), NULL, required, flag->place);
    } else if (type && strcasecmp(type, "ssh") == 0) {
        if (!id)
            id = xstrdup("default");
        add_mount(&o->out->ssh, take_ptr(id), NULL, required, flag->place);
    } else if (type && strcasecmp(type, "cache") == 0) {
        if (!id)
            id = xstrdup(target ? target : "");
        add_mount(&o->out->caches, take_ptr(id), take_ptr(target), false, flag->place);
    }
}

/* --- all --- */

static void add_stage(struct outlining *o, const struct graph *graph, size_t index)
{
    const struct stage *stage = &o->file->stages[index];
    struct scope *scope = &o->scopes[index];
    scope->left = &o->left;
    if (graph->stages[index].stage >= 0)
        scope->parent = &o->scopes[graph->stages[index].stage];
    for (size_t i = stage->first; i < stage->first + stage->count; i++) {
        const struct instruction *instruction = &o->file->instructions[i];
        scope_take(scope, instruction, o->file->escape, &o->globals, o->build_args);
        for (size_t w = 0; instruction->kind == INSTRUCTION_ARG && w < instruction->words.len; w++)
            add_arg(o, instruction, w, scope);
        for (size_t f = 0; instruction->kind == INSTRUCTION_RUN && f < instruction->flag_count; f++)
            if (streq(instruction->flags[f].name, "mount"))
                add_flag(o, &instruction->flags[f], scope);
    }
}

void outline_make(const struct dockerfile *file, const struct graph *graph,
                  const struct strv *build_args, struct outline *out)
{
    struct outline made = {.stage = graph->target};
    struct outlining o = {.file = file, .build_args = build_args, .left = VALUES_MAX, .out = &made};
    const struct stage *target = &file->stages[graph->target];
    o.scopes = xcalloc(file->stage_count, sizeof *o.scopes);
    o.globals.left = &o.left;
    made.description = describe_stage(file, target);
    find_used(&o, graph);
    add_globals(&o);
    for (size_t s = 0; s <= graph->target; s++)
        if (graph->stages[s].needed && !graph->stages[s].replaced)
            add_stage(&o, graph, s);
    for (size_t s = 0; s < file->stage_count; s++)
        scope_free(&o.scopes[s]);
    free(o.scopes);
    scope_free(&o.globals);
    strv_free(&o.used);
    *out = made;
}

static void free_mounts(struct outline_mounts *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].id);
        free(list->items[i].target);
    }
    free(list->items);
}

void outline_free(struct outline *outline)
{
    for (size_t i = 0; i < outline->arg_count; i++) {
        free(outline->args[i].name);
        free(outline->args[i].value);
        free(outline->args[i].description);
    }
    free(outline->args);
    free(outline->description);
    free_mounts(&outline->secrets);
    free_mounts(&outline->ssh);
    free_mounts(&outline->caches);
    *outline = (struct outline){0};
}
