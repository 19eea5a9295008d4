/* SPDX-License-Identifier: Apache-2.0 */
/* system prune: containers, then volumes, networks and images, which only now nobody may use any
 * more. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "base/text.h"
#include "cmd/container_options.h"
#include "cmd/container_words.h"
#include "cmd/print.h"
#include "cmd/prune_parts.h"
#include "cmd/worker.h"

#define OUTPUT_MAX (64u << 20) /* of the worker: a line for each name, image and layer */

/* The worker's answer: names, then a line with the number of bytes. */
static int take_answer(const struct buf *output, struct buf *said, uint64_t *freed,
                       struct error *err)
{
    uint64_t bytes = 0;
    size_t end = output->len > 0 ? output->len - 1 : 0; /* without the last newline */
    size_t begin = end;
    while (begin > 0 && output->data[begin - 1] != '\n')
        begin--;
    autobuf number = {0};
    buf_add(&number, buf_text(output) + begin, end - begin);
    if (parse_u64(buf_text(&number), UINT64_MAX, &bytes) < 0)
        return error_set(err, -EPROTO, "caisson-image said something unexpected");
    buf_add(said, buf_text(output), begin);
    *freed += bytes;
    return 0;
}

/* Its filter knows label= and until=. */
static int prune_images(const struct system_prune_options *o, struct buf *said, uint64_t *freed,
                        struct error *err)
{
    autofree char *program = NULL;
    autostrv words = {0};
    autobuf output = {0};
    int rc = worker_path("caisson-image", &program, err);
    if (rc < 0)
        return rc;
    strv_add(&words, "caisson-image");
    strv_add(&words, "image");
    strv_add(&words, "prune");
    strv_add(&words, "-f");
    strv_add(&words, "--bytes");
    strv_add(&words, "--build-cache");
    if (o->all)
        strv_add(&words, "-a");
    for (size_t i = 0; i < o->filters.len; i++) {
        strv_add(&words, "--filter");
        strv_add(&words, o->filters.items[i]);
    }
    struct process_spec spec = {
        .program = program, .argv = strv_argv(&words), .fds = {-1, -1, STDERR_FILENO}};
    rc = process_run(&spec, &output, OUTPUT_MAX, err);
    return rc < 0 ? rc : take_answer(&output, said, freed, err);
}

static int confirm(const struct system_prune_options *o, struct error *err)
{
    autobuf question = {0};
    buf_fmt(
        &question,
        "This removes all containers that do not run, all networks that no container is made for, "
        "all images %s%s, and what builds have cached. Go on?",
        o->all ? "that no container uses" : "without a name",
        o->volumes ? " and all anonymous volumes that no container uses" : "");
    return prune_confirm(o->force, buf_text(&question), err);
}

int command_system_prune(const struct invocation *call, void *options, struct error *err)
{
    const struct system_prune_options *o = options;
    autobuf containers = {0}, volumes = {0}, networks = {0}, images = {0}, answer = {0};
    uint64_t freed = 0;
    (void)call;
    for (size_t i = 0; o->volumes && i < o->filters.len; i++)
        if (starts_with(o->filters.items[i], "until="))
            return error_set(err, -EINVAL,
                             "--filter until= and --volumes contradict each other: volumes have no "
                             "age to go by");
    int rc = confirm(o, err);
    if (rc <= 0)
        return rc;
    int status = prune_containers(&o->filters, &containers, &freed, err);
    if (status >= 0 && o->volumes) {
        rc = prune_volumes(false, &o->filters, &volumes, &freed, err);
        status = rc ? rc : status;
    }
    if (status >= 0) {
        rc = prune_networks(&o->filters, &networks, err);
        status = rc ? rc : status;
    }
    rc = status < 0 ? status : prune_images(o, &images, &freed, err);
    prune_section(&answer, "Deleted Containers", &containers);
    prune_section(&answer, "Deleted Volumes", &volumes);
    prune_section(&answer, "Deleted Networks", &networks);
    prune_section(&answer, "Deleted Images", &images);
    int printed = prune_print(&answer, freed);
    return rc < 0 ? rc : status ? status : printed;
}
