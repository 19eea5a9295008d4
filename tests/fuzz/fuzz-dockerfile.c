/* SPDX-License-Identifier: Apache-2.0 */
/* A Dockerfile: taken apart, each instruction made with some variables, checked, its stages and its
 * outline found. What is refused says why; an ONBUILD's text is taken again as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "build/checks.h"
#include "build/graph.h"
#include "build/outline.h"
#include "build/step.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *lookup(void *closure, const char *name, size_t length)
{
    static const char *const values[] = {NULL, "", "a b", "/x/y.tar.gz", "$a", "\\*", "2-3"};
    (void)closure;
    return values[(unsigned char)name[length - 1] % (sizeof values / sizeof *values)];
}

static bool ignored(void *closure, const char *path)
{
    (void)closure;
    return strchr(path, 'i') != NULL;
}

static void need_sentence(const struct error *err)
{
    if (err->code != -EINVAL || !err->text[0])
        abort();
}

static void check_trigger(const struct dockerfile *file, const struct instruction *triggered)
{
    autobuf first = {0}, second = {0};
    struct instruction again = {0};
    struct error err = {0};
    instruction_write(triggered, &first);
    if (instruction_parse("again", buf_text(&first), file->escape, &again, &err) < 0)
        abort();
    instruction_write(&again, &second);
    if (!streq(buf_text(&first), buf_text(&second)) || again.kind != triggered->kind)
        abort();
    instruction_free(&again);
}

static void make_steps(const struct dockerfile *file)
{
    const struct expand expand = {.lookup = lookup, .escape = file->escape};
    for (size_t i = 0; i < file->count; i++) {
        autostep step = {0};
        struct error err = {0};
        const struct instruction *instruction = &file->instructions[i];
        if (instruction->words.len > 0 && !instruction->places)
            abort();
        if (step_make(file, instruction, &expand, &step, &err) < 0)
            need_sentence(&err);
        if (instruction->triggered)
            check_trigger(file, instruction->triggered);
    }
}

static void find_stages(const struct dockerfile *file)
{
    const struct expand expand = {.lookup = lookup, .escape = file->escape};
    autostrv contexts = {0};
    strv_add(&contexts, "a");
    strv_add(&contexts, "alpine");
    strv_add(&contexts, "x=1");
    const struct graph_request request = {.file = file, .expand = &expand, .contexts = &contexts};
    autograph graph = {0};
    autotargets targets = {0};
    struct error err = {0};
    outline_targets(file, &targets);
    if (graph_make(&request, &graph, &err) < 0) {
        need_sentence(&err);
        return;
    }
    for (size_t i = 0; i < graph.count; i++)
        if (graph.stages[i].stage >= (int)i)
            abort();
    autooutline outline = {0};
    outline_make(file, &graph, &contexts, &outline);
}

static void check_file(const struct dockerfile *file)
{
    const struct check_request request = {.file = file, .ignored = ignored};
    autofindings findings = {0};
    struct error err = {0};
    if (checks_run(&request, &findings, &err) < 0) {
        need_sentence(&err);
        return;
    }
    for (size_t i = 0; i < findings.count; i++)
        if (!*findings.items[i].sentence || findings.items[i].place.line == 0)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autodockerfile file = {0};
    struct error err = {0};
    if (dockerfile_parse("Dockerfile", (const char *)data, size, &file, &err) < 0) {
        need_sentence(&err);
        return 0;
    }
    make_steps(&file);
    find_stages(&file);
    check_file(&file);
    return 0;
}
