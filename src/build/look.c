/* SPDX-License-Identifier: Apache-2.0 */
#include "build/look.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/context.h"
#include "build/variables.h"
#include "store/platform.h"

void look_free(struct look *look)
{
    findings_free(&look->findings);
    targets_free(&look->targets);
    outline_free(&look->outline);
    dockerfile_free(&look->file);
}

static int parse(const struct build_input *input, struct look *out, struct error *err)
{
    return dockerfile_parse(input->dockerfile_name, input->dockerfile, input->length, &out->file,
                            err);
}

static bool is_ignored(void *closure, const char *path)
{
    const struct named_context *context = closure;
    while (*path == '/')
        path++;
    return *path && ignore_matches(&context->ignore, path);
}

static void context_names(const struct strv *words, struct strv *out)
{
    for (size_t i = 0; i < words->len; i++) {
        autofree char *name = xstrndup(words->items[i], strcspn(words->items[i], "="));
        strv_add(out, name);
    }
}

int checks_of(const struct build_options *options, const struct dockerfile *file,
              struct named_context *context, struct findings *out, struct error *err)
{
    autostrv arguments = {0}, names = {0};
    int rc = variables_arguments(options, &arguments, err);
    context_names(&options->contexts, &names);
    const struct check_request request = {
        .file = file,
        .build_args = &arguments,
        .platform = options->platform,
        .contexts = &names,
        .ignored = context && context->fd >= 0 && context->ignore.count ? is_ignored : NULL,
        .closure = context,
    };
    return rc < 0 ? rc : checks_run(&request, out, err);
}

int look_check(const struct build_options *options, const struct build_input *input,
               struct look *out, struct error *err)
{
    struct contexts contexts = {.main = {.fd = -1}};
    int rc = parse(input, out, err);
    if (rc == 0 && input->context)
        rc = context_open(input->context, input->dockerfile_path, &contexts.main, err);
    if (rc == 0)
        rc = checks_of(options, &out->file, &contexts.main, &out->findings, err);
    contexts_close(&contexts);
    return rc;
}

int look_targets(const struct build_input *input, struct look *out, struct error *err)
{
    int rc = parse(input, out, err);
    if (rc == 0)
        outline_targets(&out->file, &out->targets);
    return rc;
}

/* What a Dockerfile's stages need from one another and from elsewhere, with the variables of
 * `arguments`. `names`: of the named contexts, which the graph points into. */
static int make_graph(const struct build_options *options, const struct dockerfile *file,
                      const struct strv *arguments, struct strv *names, struct graph *out,
                      struct error *err)
{
    autostrv globals = {0};
    int rc = variables_globals(options, file, arguments, &globals, err);
    if (rc < 0)
        return rc;
    context_names(&options->contexts, names);
    const struct expand expand = {
        .lookup = variables_find, .closure = &globals, .escape = file->escape};
    const struct graph_request request = {
        .file = file, .expand = &expand, .contexts = names, .target = options->target};
    return graph_make(&request, out, err);
}

int look_outline(const struct build_options *options, const struct build_input *input,
                 struct look *out, struct error *err)
{
    autograph graph = {0};
    autostrv names = {0}, arguments = {0};
    int rc = parse(input, out, err);
    if (rc == 0)
        rc = variables_arguments(options, &arguments, err);
    if (rc == 0)
        rc = make_graph(options, &out->file, &arguments, &names, &graph, err);
    if (rc == 0)
        outline_make(&out->file, &graph, &arguments, &out->outline);
    return rc;
}

static void add_image(const char *name, struct strv *out)
{
    if (*name && !streq(name, "scratch") && !strv_has(out, name))
        strv_add(out, name);
}

/* Named contexts that are images. */
static void add_contexts(const struct strv *words, struct strv *out)
{
    for (size_t i = 0; i < words->len; i++) {
        const char *value = strchr(words->items[i], '=');
        if (value && starts_with(value + 1, IMAGE_CONTEXT))
            add_image(value + 1 + strlen(IMAGE_CONTEXT), out);
    }
}

int look_images(const struct build_options *options, const struct build_input *input,
                struct strv *out, struct error *err)
{
    autograph graph = {0};
    autolook look = {0};
    autostrv names = {0}, arguments = {0};
    int rc = parse(input, &look, err);
    if (rc == 0)
        rc = variables_arguments(options, &arguments, err);
    if (rc == 0)
        rc = make_graph(options, &look.file, &arguments, &names, &graph, err);
    for (size_t i = 0; rc == 0 && i < graph.count; i++) {
        const struct graph_stage *stage = &graph.stages[i];
        if (stage->replaced || (options->target && !stage->needed))
            continue;
        if (!stage->context && stage->stage < 0)
            add_image(stage->base, out);
        for (size_t n = 0; n < stage->source_count; n++)
            if (!stage->sources[n].context && stage->sources[n].stage < 0)
                add_image(stage->sources[n].name, out);
    }
    if (rc == 0)
        add_contexts(&options->contexts, out);
    return rc;
}
