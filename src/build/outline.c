/* SPDX-License-Identifier: Apache-2.0 */
#include "build/outline.h"

#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/dockerfile_parts.h"
#include "build/step.h"

#define OUTLINE_MAX 1000 /* of each kind; what comes after is left out */

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
        if (strncasecmp(text, name, length) == 0 && text[length] && strchr(BLANKS, text[length]))
            return xstrdup(text + length + strspn(text + length, BLANKS));
    }
    return NULL;
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
            .description = stage->name ? outline_description(from, stage->name) : NULL,
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

static void add_args(const struct instruction *instruction, struct outline *out)
{
    for (size_t i = 0; i < instruction->words.len; i++) {
        const char *word = instruction->words.items[i], *equals = strchr(word, '=');
        struct outline_arg arg = {.name = xstrndup(word, strcspn(word, "=")),
                                  .value = equals ? xstrdup(equals + 1) : NULL,
                                  .place = instruction->places[i]};
        size_t at = 0;
        while (at < out->arg_count && !streq(out->args[at].name, arg.name))
            at++;
        if (at < out->arg_count) { /* declared again, to be seen in a stage */
            if (!out->args[at].value)
                out->args[at].value = take_ptr(arg.value);
            free(arg.name);
            free(arg.value);
            continue;
        }
        if (out->arg_count == OUTLINE_MAX) {
            free(arg.name);
            free(arg.value);
            return;
        }
        arg.description = outline_description(instruction, arg.name);
        out->args = xrealloc(out->args, out->arg_count + 1, sizeof arg);
        out->args[out->arg_count++] = arg;
    }
}

/* Takes over id and target. */
static void add_mount(struct outline_mounts *list, char *id, char *target, bool required,
                      struct place place)
{
    for (size_t i = 0; i < list->count; i++)
        if (streq(list->items[i].id, id)) {
            list->items[i].required |= required;
            free(id);
            free(target);
            return;
        }
    if (list->count == OUTLINE_MAX) {
        free(id);
        free(target);
        return;
    }
    list->items = xrealloc(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = (struct outline_mount){id, target, required, place};
}

static char *first_word(const char *mount, const char *const *keys)
{
    char *found = NULL;
    for (; *keys && !found; keys++)
        found = step_mount_word(mount, *keys);
    return found;
}

static void add_flag(const struct flag *flag, struct outline *out)
{
    static const char *const ids[] = {"id", "source", "src", NULL};
    static const char *const targets[] = {"target", "dst", "destination", NULL};
    autofree char *type = step_mount_word(flag->value, "type");
    autofree char *must = step_mount_word(flag->value, "required");
    autofree char *target = first_word(flag->value, targets);
    bool required = must && strchr("1tT", *must) && *must;
    if (!type)
        return;
    if (strcasecmp(type, "secret") == 0) {
        char *id = first_word(flag->value, ids);
        const char *slash = target ? strrchr(target, '/') : NULL;
        if (!id)
            id = xstrdup(slash ? slash + 1 : target ? target : "");
        add_mount(&out->secrets, id, NULL, required, flag->place);
    } else if (strcasecmp(type, "ssh") == 0) {
        char *id = step_mount_word(flag->value, "id");
        add_mount(&out->ssh, id ? id : xstrdup("default"), NULL, required, flag->place);
    } else if (strcasecmp(type, "cache") == 0) {
        char *id = step_mount_word(flag->value, "id");
        if (!id)
            id = xstrdup(target ? target : "");
        add_mount(&out->caches, id, take_ptr(target), false, flag->place);
    }
}

static void add_mounts(const struct instruction *run, struct outline *out)
{
    for (size_t f = 0; f < run->flag_count; f++)
        if (streq(run->flags[f].name, "mount"))
            add_flag(&run->flags[f], out);
}

void outline_make(const struct dockerfile *file, const struct graph *graph, struct outline *out)
{
    struct outline made = {.stage = graph->target};
    const struct stage *target = &file->stages[graph->target];
    if (target->name)
        made.description = outline_description(&file->instructions[target->from], target->name);
    for (size_t i = 0; i < file->global_count; i++)
        add_args(&file->instructions[i], &made);
    for (size_t s = 0; s <= graph->target; s++) {
        const struct stage *stage = &file->stages[s];
        if (!graph->stages[s].needed || graph->stages[s].replaced)
            continue;
        for (size_t i = stage->first; i < stage->first + stage->count; i++) {
            const struct instruction *instruction = &file->instructions[i];
            if (instruction->kind == INSTRUCTION_ARG)
                add_args(instruction, &made);
            else if (instruction->kind == INSTRUCTION_RUN)
                add_mounts(instruction, &made);
        }
    }
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
