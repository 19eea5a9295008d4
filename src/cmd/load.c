/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/text.h"
#include "cmd/image_events.h"
#include "cmd/image_worker.h"
#include "cmd/print.h"
#include "store/load.h"

static int open_input(const char *file, struct error *err)
{
    if (file && !streq(file, "-")) {
        int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
            return error_errno(err, "cannot open %s", file);
        return fd;
    }
    if (isatty(STDIN_FILENO))
        return error_set(err, -EINVAL,
                         "standard input is a terminal: give a file with -i or pipe "
                         "an archive into it");
    int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    return fd < 0 ? error_errno(err, "cannot read standard input") : fd;
}

static void familiar(const char *full, struct buf *out)
{
    autoreference ref = {0};
    if (reference_parse(full, &ref, NULL) == 0)
        reference_familiar(&ref, out);
    else
        buf_str(out, full);
}

static void tell_names(const struct ingest_image *image, bool quiet, struct buf *out)
{
    for (size_t i = 0; i < image->names.len; i++) {
        autobuf name = {0};
        familiar(image->names.items[i], &name);
        if (!quiet && image->replaced.items[i][0])
            buf_fmt(out, "The name %s meant image %.19s before, which stays without it\n",
                    buf_text(&name), image->replaced.items[i]);
        buf_fmt(out, "Loaded image: %s\n", buf_text(&name));
    }
    if (image->names.len == 0)
        buf_fmt(out, "Loaded image ID: %s\n", image->id);
}

/* One image, for a build: names of the person's images stay where they are. */
static int leave_unnamed(struct load_plan *plan, struct error *err)
{
    if (plan->image_count != 1)
        return error_set(err, -EINVAL,
                         "it holds %zu images: bring them in with caisson load, and name one of "
                         "them as docker-image://IMAGE",
                         plan->image_count);
    strv_free(&plan->images[0].image.names);
    return 0;
}

static int load(struct store *store, int fd, const struct load_options *o, int events,
                struct buf *said, struct error *err)
{
    autostaging staging = {0};
    autobundle bundle = {.spool = -1};
    autoplatform platform = {0};
    autoplan plan = {0};
    struct ingest_limits limits;
    limits_from_options(&o->limits, &limits);
    int rc = platform_parse(o->platform, &platform, err);
    if (rc == 0)
        rc = staging_open(store, &staging, err);
    if (rc == 0)
        rc = bundle_open(&staging, fd, &limits.stream, &bundle, err);
    /* Only now, for a slow pipe shall not keep a collector waiting. */
    if (rc == 0)
        rc = store_lock(store, LOCK_SH, err);
    if (rc == 0)
        rc = load_plan(&bundle, &platform, &plan, err);
    if (rc == 0 && o->unnamed)
        rc = leave_unnamed(&plan, err);
    if (rc == 0)
        rc = load_execute(&staging, &plan, &limits, err);
    for (size_t i = 0; rc == 0 && i < plan.image_count; i++) {
        const struct ingest_image *image = &plan.images[i].image;
        image_event_names(events, "load", image->id, &image->names);
        tell_names(image, o->quiet, said);
    }
    return rc;
}

int command_load(const struct invocation *call, void *options, struct error *err)
{
    const struct load_options *o = options;
    autostore store = {0};
    autobuf said = {0};
    struct stat st;
    (void)call;
    autofd fd = open_input(o->input, err);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return error_errno(err, "cannot stat the archive");
    autofd events = image_events_open();
    int rc = open_store(&store, err);
    if (rc == 0)
        rc = confine_to_store(&store, S_ISDIR(st.st_mode) ? fd : -1, -1, err);
    if (rc == 0)
        rc = load(&store, fd, o, events, &said, err);
    return rc < 0 ? rc : print(&said);
}
