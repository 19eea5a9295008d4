/* SPDX-License-Identifier: Apache-2.0 */
#include "build/graph.h"

#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/step.h"
#include "oci/reference.h"

#define NAME_MAX_LENGTH 4096
#define SOURCES_MAX 100000 /* of all stages: triggers are counted in each that runs them */

struct making {
    const struct graph_request *request;
    const struct dockerfile *file;
    struct graph *out;
    size_t sources;
    struct error *err;
};

/* --- names --- */

static int find_name(const struct dockerfile *file, const char *name, size_t before)
{
    for (size_t i = before; i-- > 0;)
        if (file->stages[i].name && strcasecmp(file->stages[i].name, name) == 0)
            return (int)i;
    return -1;
}

int graph_find_stage(const struct dockerfile *file, const char *name, size_t before)
{
    uint64_t number;
    int found = find_name(file, name, before);
    if (found < 0 && parse_u64(name, DOCKERFILE_INSTRUCTIONS_MAX, &number) == 0 && number < before)
        return (int)number;
    return found;
}

/* "docker.io/library/alpine:latest" is "alpine". */
static void familiar(const char *name, struct buf *out)
{
    autoreference reference = {0};
    if (reference_parse(name, &reference, NULL) < 0) {
        buf_str(out, name);
        return;
    }
    reference_familiar(&reference, out);
    const char *text = buf_text(out);
    if (!reference.digest[0] && ends_with(text, ":latest")) {
        out->len -= strlen(":latest");
        out->data[out->len] = '\0';
    }
}

/* The named context for an image or a stage. */
static const char *find_context(const struct making *m, const char *name)
{
    const struct strv *contexts = m->request->contexts;
    if (!contexts || contexts->len == 0)
        return NULL;
    autobuf short_name = {0};
    familiar(name, &short_name);
    for (size_t i = 0; i < contexts->len; i++) {
        autobuf other = {0};
        if (strcasecmp(contexts->items[i], name) == 0)
            return contexts->items[i];
        familiar(contexts->items[i], &other);
        if (streq(buf_text(&other), buf_text(&short_name)))
            return contexts->items[i];
    }
    return NULL;
}

/* --- one stage --- */

static int expanded(const struct making *m, struct place place, const char *word, char **out)
{
    autobuf text = {0};
    struct error why = {0};
    if (expand_word(m->request->expand, word, &text, &why) < 0)
        return dockerfile_wrong(m->file, place, m->err, "%s", why.text);
    if (text.len > NAME_MAX_LENGTH)
        return dockerfile_wrong(m->file, place, m->err,
                                "with its variables this is too long for a "
                                "name");
    *out = buf_take(&text);
    return 0;
}

static int read_base(const struct making *m, size_t index)
{
    const struct stage *stage = &m->file->stages[index];
    const struct instruction *from = &m->file->instructions[stage->from];
    struct graph_stage *out = &m->out->stages[index];
    out->stage = -1;
    if (stage->name)
        out->context = find_context(m, stage->name);
    out->replaced = out->context != NULL;
    int rc = expanded(m, from->places[0], stage->base, &out->base);
    if (rc == 0 && stage->platform)
        rc = expanded(m, from->flags[0].place, stage->platform, &out->platform);
    if (rc < 0 || out->replaced)
        return rc;
    out->stage = find_name(m->file, out->base, index);
    if (out->stage < 0 && !streq(out->base, "scratch"))
        out->context = find_context(m, out->base);
    return 0;
}

static int unknown_number(const struct making *m, size_t index, struct place place,
                          const char *name)
{
    if (index == 0)
        return dockerfile_wrong(m->file, place, m->err,
                                "there is no stage %.20s before this one, which is the first",
                                name);
    return dockerfile_wrong(m->file, place, m->err,
                            "there is no stage %.20s before this one; the stages before it are 0 "
                            "to %zu",
                            name, index - 1);
}

/* `name`: unexpanded. */
static int add_source(struct making *m, size_t index, size_t instruction, struct place place,
                      const char *name)
{
    struct graph_stage *stage = &m->out->stages[index];
    struct graph_source source = {.instruction = instruction, .place = place, .stage = -1};
    if (++m->sources > SOURCES_MAX)
        return dockerfile_wrong(m->file, place, m->err, "more than %d --from", SOURCES_MAX);
    int rc = expanded(m, place, name, &source.name);
    if (rc < 0)
        return rc;
    stage->sources = xrealloc(stage->sources, stage->source_count + 1, sizeof source);
    stage->sources[stage->source_count++] = source;
    struct graph_source *kept = &stage->sources[stage->source_count - 1];
    if (!*kept->name)
        return 0; /* as if it were not there; a mount refuses it */
    kept->stage = graph_find_stage(m->file, kept->name, index);
    if (kept->stage >= 0)
        return 0;
    kept->context = find_context(m, kept->name);
    if (kept->context)
        return 0;
    int later = find_name(m->file, kept->name, m->file->stage_count);
    if (later == (int)index)
        return dockerfile_wrong(m->file, place, m->err,
                                "the stage \"%.60s\" is this one; without --from COPY takes from "
                                "the context, and a stage has its own files already",
                                kept->name);
    if (later >= 0)
        return dockerfile_wrong(m->file, place, m->err,
                                "the stage \"%.60s\" comes later; move it before this one",
                                kept->name);
    if (kept->name[strspn(kept->name, "0123456789")] == '\0')
        return unknown_number(m, index, place, kept->name);
    return 0;
}

static int add_sources(struct making *m, size_t index, size_t at, const struct instruction *from)
{
    for (size_t f = 0; f < from->flag_count; f++) {
        const struct flag *flag = &from->flags[f];
        autofree char *name = NULL;
        if (from->kind == INSTRUCTION_COPY && streq(flag->name, "from"))
            name = xstrdup(flag->value);
        else if (from->kind == INSTRUCTION_RUN && streq(flag->name, "mount"))
            name = step_mount_word(flag->value, "from");
        int rc = name ? add_source(m, index, at, flag->place, name) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* What a stage says itself; of the stage that it is based on, what ONBUILD left for it. */
static int read_sources(struct making *m, size_t index)
{
    struct graph_stage *out = &m->out->stages[index];
    const struct dockerfile *file = m->file;
    if (out->replaced)
        return 0;
    if (out->stage >= 0 && !m->out->stages[out->stage].replaced) {
        const struct stage *base = &file->stages[out->stage];
        for (size_t i = base->first; i < base->first + base->count; i++) {
            const struct instruction *triggered = file->instructions[i].triggered;
            int rc = triggered ? add_sources(m, index, i, triggered) : 0;
            if (rc < 0)
                return rc;
        }
    }
    const struct stage *stage = &file->stages[index];
    for (size_t i = stage->first; i < stage->first + stage->count; i++) {
        int rc = add_sources(m, index, i, &file->instructions[i]);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* --- the target --- */

static int find_target(const struct making *m, size_t *out)
{
    const struct dockerfile *file = m->file;
    const char *target = m->request->target;
    *out = file->stage_count - 1;
    if (!target || !*target)
        return 0;
    int found = graph_find_stage(file, target, file->stage_count);
    if (found >= 0) {
        *out = (size_t)found;
        return 0;
    }
    autostrv names = {0};
    autobuf shown = {0}, all = {0};
    for (size_t i = 0; i < file->stage_count; i++)
        if (file->stages[i].name)
            strv_add(&names, file->stages[i].name);
    const char *near = nearest_word(target, (const char *const *)strv_argv(&names), names.len);
    buf_printable(&shown, target);
    strv_join(&names, ", ", &all);
    if (near)
        return error_set(m->err, -EINVAL, "%.200s has no stage \"%.60s\"; did you mean %s?",
                         file->name, buf_text(&shown), near);
    if (names.len > 0)
        return error_set(m->err, -EINVAL, "%.200s has no stage \"%.60s\"; it has %.300s",
                         file->name, buf_text(&shown), buf_text(&all));
    return error_set(m->err, -EINVAL,
                     "%.200s has no stage \"%.60s\"; none of its stages has a name, so leave the "
                     "target out, or write FROM … AS NAME",
                     file->name, buf_text(&shown));
}

/* Only earlier stages are referred to, so one way back is enough. */
static int mark_needed(const struct making *m)
{
    struct graph *graph = m->out;
    graph->stages[graph->target].needed = true;
    for (size_t i = graph->target + 1; i-- > 0;) {
        const struct graph_stage *stage = &graph->stages[i];
        const struct instruction *from = &m->file->instructions[m->file->stages[i].from];
        if (!stage->needed || stage->replaced)
            continue;
        if (!*stage->base)
            return dockerfile_wrong(m->file, from->places[0], m->err,
                                    "with its variables there is no image here; declare them with "
                                    "ARG before the first FROM, or give them with --build-arg");
        if (stage->platform && !*stage->platform)
            return dockerfile_wrong(m->file, from->flags[0].place, m->err,
                                    "with its variables there is no platform here; declare them "
                                    "with ARG before the first FROM, or leave --platform out");
        if (stage->stage >= 0)
            graph->stages[stage->stage].needed = true;
        /* Of one that is replaced the context is read, and nothing has to be built. */
        for (size_t s = 0; s < stage->source_count; s++)
            if (stage->sources[s].stage >= 0 && !graph->stages[stage->sources[s].stage].replaced)
                graph->stages[stage->sources[s].stage].needed = true;
    }
    return 0;
}

int graph_make(const struct graph_request *request, struct graph *out, struct error *err)
{
    const struct dockerfile *file = request->file;
    autograph graph = {.stages = xcalloc(file->stage_count, sizeof *graph.stages),
                       .count = file->stage_count};
    struct making m = {.request = request, .file = file, .out = &graph, .err = err};
    int rc = find_target(&m, &graph.target);
    for (size_t i = 0; rc == 0 && i < file->stage_count; i++) {
        rc = read_base(&m, i);
        if (rc == 0)
            rc = read_sources(&m, i);
    }
    if (rc == 0)
        rc = mark_needed(&m);
    if (rc == 0) {
        *out = graph;
        graph = (struct graph){0};
    }
    return rc;
}

void graph_free(struct graph *graph)
{
    for (size_t i = 0; i < graph->count; i++) {
        struct graph_stage *stage = &graph->stages[i];
        for (size_t s = 0; s < stage->source_count; s++)
            free(stage->sources[s].name);
        free(stage->sources);
        free(stage->base);
        free(stage->platform);
    }
    free(graph->stages);
    *graph = (struct graph){0};
}
