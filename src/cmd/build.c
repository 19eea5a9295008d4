/* SPDX-License-Identifier: Apache-2.0 */
/* build: words to a build, and its result to where it was asked for. */
#include "build/build.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "build/dockerfile.h"
#include "build/exchange.h"
#include "build/provenance.h"
#include "build/remote_context.h"
#include "build/summary.h"
#include "cmd/build_inputs.h"
#include "cmd/build_output.h"
#include "cmd/build_progress.h"
#include "cmd/build_worker.h"
#include "cmd/print.h"
#include "cmd/worker.h"
#include "container/ordinary.h"
#include "oci/reference.h"
#include "path/inroot.h"
#include "runtime/ids.h"

#define ANSWER_MAX 4096

/* Everything that can be wrong with a name is said before a long build, and not after it. */
static int check_names(const struct build_options *o, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < o->tags.len; i++) {
        autoreference reference = {0};
        rc = reference_parse(o->tags.items[i], &reference, err);
        if (rc == 0 && reference.digest[0])
            rc = error_set(err, -EINVAL, "the name %.200s may not have a digest", o->tags.items[i]);
        if (rc < 0)
            (void)error_prefix(err, "--tag");
    }
    return rc;
}

/* --- the image --- */

static int config_file(const struct image_config *config, struct error *err)
{
    autobuf text = {0};
    autofd fd = memfd_create("config", MFD_CLOEXEC);
    image_config_write(config, &text);
    int rc = fd < 0 ? -errno : write_all(fd, text.data, text.len);
    if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
        rc = -errno;
    return rc < 0 ? error_set(err, rc, "cannot write the image's configuration: %s",
                              error_describe(rc))
                  : take_fd(&fd);
}

/* Nothing is to be done where all of it is there already. */
static bool is_there(const struct build_options *o, struct store *store,
                     struct build_result *result, const struct strv *names)
{
    autoimage known = {0};
    if (o->annotations.len > 0 || store_resolve(store, result->id, &known, NULL) < 0)
        return false;
    for (size_t i = 0; i < names->len; i++) {
        char id[DIGEST_MAX];
        autofree char *name = NULL;
        if (store_find(store, names->items[i], id, &name, NULL) < 0 || !name ||
            !streq(id, result->id))
            return false;
    }
    memcpy(result->manifest, known.manifest, sizeof result->manifest);
    return true;
}

static void put_first(struct strv *list, const char *text)
{
    struct strv all = {0};
    strv_add(&all, text);
    strv_copy(&all, list);
    strv_free(list);
    *list = all;
}

static int publish(const struct build_options *o, const char *worker, struct build_result *result,
                   const struct strv *names, struct error *err)
{
    autostrv words = {0};
    autobuf answer = {0};
    autofd config = config_file(&result->config, err);
    if (config < 0)
        return config;
    strv_add(&words, "caisson-image");
    strv_add(&words, "__publish");
    for (size_t i = 0; i < o->annotations.len; i++)
        strv_fmt(&words, "--annotation=%s", o->annotations.items[i]);
    strv_fmt(&words, "%d", config);
    strv_copy(&words, names);
    struct process_spec spec = {.program = worker,
                                .argv = strv_argv(&words),
                                .fds = {-1, -1, 2},
                                .keep = &config,
                                .keep_count = 1};
    int rc = process_run(&spec, &answer, ANSWER_MAX, err);
    if (rc < 0)
        return rc;
    if (sscanf(buf_text(&answer), "%71s %71s", result->id, result->manifest) != 2 ||
        !digest_valid(result->id) || !digest_valid(result->manifest))
        return error_set(err, -EPROTO, "caisson-image said something unexpected");
    return 0;
}

/* Of an image that the store does not get. */
static void find_id(struct build_result *result)
{
    autobuf text = {0};
    image_config_write(&result->config, &text);
    digest_of(&text, result->id);
}

static int write_text(const char *flag, const char *path, const char *text, struct error *err)
{
    if (!path)
        return 0;
    autofd fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int rc = fd < 0 ? -errno : write_all(fd, text, strlen(text));
    return rc < 0 ? error_set(err, rc, "%s %s: %s", flag, path, error_describe(rc)) : 0;
}

static int write_metadata(const struct build_options *o, const struct build_result *result,
                          const struct strv *names, struct error *err)
{
    autobuf text = {0}, list = {0};
    struct json_out w = {.buf = &text, .indent = 2};
    for (size_t i = 1; i < names->len; i++)
        buf_fmt(&list, "%s%s", i > 1 ? "," : "", names->items[i]);
    json_begin(&w, NULL, '{');
    json_str(&w, "containerimage.config.digest", result->id);
    if (result->manifest[0])
        json_str(&w, "containerimage.digest", result->manifest);
    if (list.len > 0)
        json_str(&w, "image.name", buf_text(&list));
    json_end(&w, '}');
    buf_char(&text, '\n');
    return write_text("--metadata-file", o->metadata_file, buf_text(&text), err);
}

/* --- all of it --- */

/* Secrets of steps lie in a tmpfs that nobody else may come across, so from here on mounts are our
 * own. An ordinary user has a mount namespace already. */
static int own_mounts(struct error *err)
{
    if (ids_limited()) {
        ordinary_hold(global_options.state);
        return 0;
    }
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return error_errno(err, "cannot make a mount namespace");
    return 0;
}

struct building {
    struct store store;
    struct containers containers;
    char *front, *worker, *fetcher;
    struct build_place place;
};

static void building_free(struct building *b)
{
    store_close(&b->store);
    containers_close(&b->containers);
    free(b->front);
    free(b->worker);
    free(b->fetcher);
}

static int building_open(struct building *b, struct error *err)
{
    if (b->worker) /* it is open */
        return 0;
    int rc = own_mounts(err);
    if (rc == 0)
        rc = worker_path("caisson-image", &b->worker, err);
    if (rc == 0)
        rc = front_path(&b->front, err);
    if (rc == 0)
        (void)worker_path("caisson-fetch", &b->fetcher, NULL); /* who needs it says so */
    if (rc == 0)
        rc = store_open(global_options.root, &b->store, err);
    if (rc == 0)
        rc = containers_open(global_options.root, global_options.state, &b->containers, err);
    b->place = (struct build_place){.store = &b->store,
                                    .containers = &b->containers,
                                    .program = b->front,
                                    .worker = b->worker,
                                    .fetcher = b->fetcher};
    return rc;
}

static void tell_end(const struct build_result *result, const struct build_summary *summary,
                     const struct strv *names, size_t steps, size_t cached)
{
    autobuf text = {0};
    const char *user = result->config.user && *result->config.user ? result->config.user : "root";
    buf_fmt(&text, "built %.19s", result->id);
    for (size_t i = 1; i < names->len; i++)
        buf_fmt(&text, "%s%s", i > 1 ? ", " : " as ", names->items[i]);
    buf_fmt(&text, ": %zu step%s, %zu cached\n", steps, steps == 1 ? "" : "s", cached);
    buf_fmt(&text, "  base     %s (", result->base ? result->base : "scratch");
    format_size(&text, summary->base_size);
    buf_str(&text, ")\n  size     ");
    format_size(&text, summary->size);
    buf_fmt(&text, ", of which %zu layer%s of ", summary->layers, summary->layers == 1 ? "" : "s");
    format_size(&text, summary->size - summary->base_size);
    buf_str(&text, " are new\n");
    if (summary->packages >= 0)
        buf_fmt(&text, "  packages %lld added\n", (long long)summary->packages);
    buf_str(&text, "  user     ");
    buf_printable(&text, user);
    buf_char(&text, '\n');
    if (summary->smaller) {
        buf_fmt(&text, "  smaller  %s as the base would save ", summary->smaller);
        format_size(&text, summary->saves);
        buf_char(&text, '\n');
    }
    (void)write_all(STDERR_FILENO, buf_text(&text), text.len);
}

/* What is done with it once it is there. */
static int hand_over(const struct build_options *o, const struct inputs *in,
                     const struct build_outputs *outputs, struct building *b,
                     struct build_result *result, struct strv *names, struct error *err)
{
    int rc = 0;
    find_id(result);
    bool wanted = build_outputs_need_image(outputs);
    if (wanted && !is_there(o, &b->store, result, names))
        rc = publish(o, b->worker, result, names, err);
    put_first(names, result->id);
    bool attested = false;
    autobuf provenance = {0};
    if (rc == 0)
        rc = provenance_wanted(o, &attested, err);
    if (attested)
        provenance_write(o, &in->input, result, &provenance);
    if (rc == 0)
        rc = build_outputs_write(outputs, &b->place, result, names, attested ? &provenance : NULL,
                                 err);
    if (rc == 0)
        rc = write_text("--iidfile", o->iidfile, result->id, err);
    if (rc == 0 && o->metadata_file)
        rc = write_metadata(o, result, names, err);
    return rc;
}

/* Contexts from elsewhere lie in the store while they are used. */
static int read_anything(const struct build_options *o, const char *context, struct building *b,
                         struct inputs *in, struct error *err)
{
    bool named = remote_context_named(context), text = streq(o->file, "-");
    if (!named && !streq(context, "-"))
        return inputs_read(o, context, in, err);
    if (!named) {
        int rc = inputs_begin(&in->text, err);
        if (rc < 0 || !remote_context_begins(in->text.data, in->text.len))
            return rc < 0 ? rc : inputs_read(o, context, in, err);
        if (text)
            return error_set(err, -EINVAL, "-f - and a context of - both want standard input");
    }
    int rc = building_open(b, err);
    if (rc == 0)
        rc = named ? remote_context_fetch(o, &b->place, context, &in->remote, err)
                   : remote_context_read(o, &b->place, STDIN_FILENO, &in->text, &in->remote, err);
    if (rc == 0 && text)
        rc = inputs_standard(&in->text, err);
    if (rc == 0)
        remote_context_input(&in->remote, text ? &in->text : NULL, &in->input);
    return rc;
}

static int build(const struct build_options *o, const struct build_outputs *outputs,
                 struct building *b, const struct inputs *in, struct build_result *result,
                 struct error *err)
{
    struct build_watch watch;
    autostrv names = {0};
    size_t steps, cached;
    int exit_code = 1;
    int rc = building_open(b, err);
    if (rc < 0)
        return rc;
    struct build_progress *progress = build_progress_new(o->quiet ? "quiet" : o->progress, &watch);
    rc = build_image(o, &in->input, &b->place, &watch, result, &exit_code, err);
    build_progress_end(progress, &steps, &cached);
    build_progress_free(progress);
    if (rc < 0)
        return exit_code;
    build_outputs_names(o, outputs, &names);
    rc = hand_over(o, in, outputs, b, result, &names, err);
    if (rc == -EINTR)
        return 130;
    if (rc < 0 || o->quiet || streq(o->progress, "quiet"))
        return rc;
    struct build_summary summary;
    build_summarize(&b->place, result, cached < steps, &summary);
    tell_end(result, &summary, &names, steps, cached);
    build_summary_free(&summary);
    return 0;
}

/* What is known from elsewhere, and means something that is not here. */
static int check_words(const struct build_options *o, struct error *err)
{
    if (o->sbom && !streq(o->sbom, "false"))
        return error_set(err, -EOPNOTSUPP,
                         "--sbom: a list of packages is made by the scanner, which is not there "
                         "yet; leave the flag out");
    if (o->lock_file && o->no_lock)
        return error_set(err, -EINVAL, "--lock-file and --no-lock contradict each other");
    bool attested;
    int rc = exchange_check(o, err);
    if (rc == 0)
        rc = provenance_wanted(o, &attested, err);
    for (size_t i = 0; rc == 0 && i < o->allow.len; i++)
        if (!streq(o->allow.items[i], "network.host") &&
            !streq(o->allow.items[i], "security.insecure") &&
            !streq(o->allow.items[i], "onbuild.secrets"))
            return error_set(err, -EINVAL,
                             "--allow %s: known are network.host, security.insecure and "
                             "onbuild.secrets",
                             o->allow.items[i]);
    return rc < 0 ? rc : check_names(o, err);
}

int command_build(const struct invocation *call, void *options, struct error *err)
{
    const struct build_options *o = options;
    struct building b
        __attribute__((cleanup(building_free))) = {.store = {.root_fd = -1, .lock_fd = -1}};
    struct inputs in __attribute__((cleanup(inputs_free))) = {.remote = REMOTE_CONTEXT_NONE};
    struct build_result result = {0};
    struct build_outputs outputs __attribute__((cleanup(build_outputs_free))) = {0};
    autobuf line = {0};
    int rc = check_words(o, err);
    if (rc == 0)
        rc = build_outputs_parse(o, &outputs, err);
    if (rc == 0)
        rc = read_anything(o, call->arguments[0], &b, &in, err);
    if (rc == 0 && o->check)
        return build_check(o, &in.input, err);
    if (rc == 0 && o->call && !streq(o->call, "build"))
        return build_call(o->call, o, &in.input, err);
    if (rc == 0)
        rc = build(o, &outputs, &b, &in, &result, err);
    if (rc == 0 && o->quiet) {
        buf_fmt(&line, "%s\n", result.id);
        rc = print(&line);
    }
    build_result_free(&result);
    return rc;
}
