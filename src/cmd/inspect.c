/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/process.h"
#include "base/text.h"
#include "cmd/container_options.h"
#include "cmd/container_words.h"
#include "cmd/inspect_json.h"
#include "cmd/print.h"
#include "cmd/worker.h"
#include "container/summary.h"

#define IMAGE_ANSWER_MAX (64u << 20)

static int add_container(struct containers *all, const struct inspect_options *o, const char *word,
                         struct json_out *w, struct error *err)
{
    autocontainer c = CONTAINER_EMPTY;
    uint64_t written = 0;
    int rc = container_find(all, word, &c, err);
    if (rc == 0 && o->size)
        rc = container_written(all, c.id, &written, err);
    if (rc == 0)
        inspect_write(w, &c, o->size ? &written : NULL);
    return rc;
}

/* Asks the worker for images. `aloud`: what it has to say against it is printed. */
static int add_image(const char *word, bool aloud, struct json_out *w, struct error *err)
{
    autofree char *program = NULL;
    autobuf answer = {0};
    int rc = worker_path("caisson-image", &program, err);
    if (rc < 0)
        return rc;
    char name[] = "caisson", image[] = "image", inspect[] = "inspect", format[] = "--format=json",
         end[] = "--";
    char *argv[] = {name, image, inspect, format, end, (char *)(uintptr_t)word, NULL};
    const struct process_spec spec = {
        .program = program, .argv = argv, .fds = {-1, -1, aloud ? STDERR_FILENO : -1}};
    rc = process_run(&spec, &answer, IMAGE_ANSWER_MAX, err);
    if (rc == -ECHILD && aloud && err)
        err->text[0] = '\0'; /* it has said why */
    if (rc < 0)
        return rc;
    autojson images = json_parse(buf_text(&answer), answer.len, "the image's description", err);
    if (!images)
        return -EBADMSG;
    if (json_array_size(images) != 1)
        return error_set(err, -ENOENT, "no such image: %s", word);
    json_tree(w, NULL, json_array_get(images, 0));
    return 0;
}

static int add_either(struct containers *all, const struct inspect_options *o, const char *word,
                      struct json_out *w, struct error *err)
{
    struct error no_image = {0};
    if (streq(o->type, "image"))
        return add_image(word, true, w, err);
    int rc = add_container(all, o, word, w, err);
    if (rc != -ENOENT || o->type || streq(word, CONTAINER_LATEST))
        return rc;
    if (add_image(word, false, w, &no_image) < 0)
        return error_set(err, rc, "%s; nor is there such an image", err->text);
    err->code = 0;
    return 0;
}

int command_inspect(const struct invocation *call, void *options, struct error *err)
{
    const struct inspect_options *o = options;
    autocontainers all = {0};
    autobuf out = {0};
    struct json_out w = {.buf = &out, .indent = o->format ? 0 : 4};
    int status = 0;
    int rc = containers_here(&all, err);
    if (rc < 0)
        return rc;
    json_begin(&w, NULL, '[');
    for (size_t i = 0; i < call->count; i++) {
        struct error wrong = {0};
        if (add_either(&all, o, call->arguments[i], &w, &wrong) < 0) {
            if (wrong.text[0])
                tell_error(&wrong);
            status = 1;
        }
    }
    json_end(&w, ']');
    rc = inspect_print(&out, o->format, err);
    return rc != 0 ? rc : status;
}
