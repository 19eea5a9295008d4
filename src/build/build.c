/* SPDX-License-Identifier: Apache-2.0 */
#include "build/build.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/exchange.h"
#include "build/fetching.h"
#include "build/images.h"
#include "build/look.h"
#include "build/secrets.h"
#include "build/solve.h"
#include "registry/conf.h"

void build_result_free(struct build_result *result)
{
    image_config_free(&result->config);
    free(result->base);
    strv_free(&result->bases);
    *result = (struct build_result){0};
}

static void build_free(struct build *b)
{
    staging_close(&b->staging);
    graph_free(&b->graph);
    dockerfile_free(&b->file);
    contexts_close(&b->contexts);
    secrets_free(b->secrets);
    strv_free(&b->globals);
    strv_free(&b->arguments);
    strv_free(&b->fetched);
    lockfile_free(&b->lock);
    conf_free(b->conf);
    if (b->ground >= 0)
        close(b->ground);
    if (b->empty >= 0)
        close(b->empty);
}

/* --- places that every build needs --- */

/* Mount points and files that steps have and images may lack, as the lowest layer: nothing of it
 * ends up in an image, and whatever an image has comes before it. */
static int make_ground(int home, struct error *err)
{
    static const struct {
        const char *path;
        mode_t mode;
    } directories[] = {
        {"fs", 0755}, {"fs/proc", 0555}, {"fs/sys", 0555}, {"fs/dev", 0755}, {"fs/etc", 0755}};
    static const char *const files[] = {"fs/etc/hosts", "fs/etc/hostname", "fs/etc/resolv.conf"};
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
        if (mkdirat(home, directories[i].path, directories[i].mode) < 0 && errno != EEXIST)
            return error_errno(err, "cannot create %s", directories[i].path);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        autofd fd = openat(home, files[i], O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
            return error_errno(err, "cannot create %s", files[i]);
    }
    return 0;
}

static int open_ground(struct build *b, struct error *err)
{
    mode_t mask = umask(0);
    autofd home = steps_directory(b->place->store, "ground", err);
    autofd none = home < 0 ? -1 : steps_directory(b->place->store, "empty", err);
    int rc = none < 0 ? (err ? err->code : -EIO) : make_ground(home, err);
    umask(mask);
    if (rc == 0 && fchmod(none, 0755) < 0)
        rc = error_errno(err, "cannot prepare an empty layer");
    if (rc < 0)
        return rc;
    b->ground = openat(home, "fs", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    b->empty = openat(none, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return b->ground < 0 || b->empty < 0 ? error_errno(err, "cannot open the lowest layer") : 0;
}

/* --- what is read before anything is done --- */

static int open_contexts(struct build *b, struct error *err)
{
    const struct strv *named = &b->options->contexts;
    const struct fetching fetching = {
        .place = b->place,
        .staging = &b->staging,
        .agent = pairs_find(&b->secrets->agents, "default", strlen("default")),
    };
    int rc = 0;
    b->contexts.main.fd = -1;
    if (b->input->context)
        rc = context_open(b->input->context, b->input->dockerfile_path, &b->contexts.main, err);
    b->contexts.main.passes = b->input->context_passes;
    for (size_t i = 0; rc == 0 && i < named->len; i++)
        rc = context_add(&b->contexts, named->items[i], &fetching, err);
    return rc;
}

/* The graph borrows names of contexts from the request: here they become the contexts' own. */
static void own_names(struct build *b)
{
    for (size_t i = 0; i < b->graph.count; i++) {
        struct graph_stage *stage = &b->graph.stages[i];
        const struct named_context *named =
            stage->context ? context_find(&b->contexts, stage->context) : NULL;
        stage->context = named ? named->name : NULL;
        for (size_t n = 0; n < stage->source_count; n++) {
            struct graph_source *source = &stage->sources[n];
            named = source->context ? context_find(&b->contexts, source->context) : NULL;
            source->context = named ? named->name : NULL;
        }
    }
}

static int find_graph(struct build *b, struct error *err)
{
    autostrv names = {0};
    const struct expand expand = {
        .lookup = variables_find, .closure = &b->globals, .escape = b->file.escape};
    for (size_t i = 0; i < b->contexts.count; i++)
        strv_add(&names, b->contexts.named[i].name);
    const struct graph_request request = {
        .file = &b->file, .expand = &expand, .contexts = &names, .target = b->options->target};
    int rc = graph_make(&request, &b->graph, err);
    own_names(b);
    return rc;
}

static int prepare(struct build *b, struct error *err)
{
    int rc = dockerfile_parse(b->input->dockerfile_name, b->input->dockerfile, b->input->length,
                              &b->file, err);
    if (rc == 0)
        rc = variables_arguments(b->options, &b->arguments, err);
    if (rc == 0)
        rc = variables_globals(b->options, &b->file, &b->arguments, &b->globals, err);
    if (rc == 0)
        rc = variables_epoch(&b->arguments, &b->globals, &b->epoch, err);
    b->has_epoch = rc > 0;
    if (rc > 0)
        rc = 0;
    if (rc == 0)
        rc = secrets_read(&b->options->secrets, &b->options->ssh, b->secrets, err);
    if (rc == 0)
        rc = staging_open(b->place->store, &b->staging, err);
    if (rc == 0)
        rc = open_contexts(b, err);
    if (rc == 0)
        rc = find_graph(b, err);
    return rc < 0 ? rc : open_ground(b, err);
}

/* --- the result --- */

static void add_bases(struct build *b, struct strv *out)
{
    for (size_t i = 0; i < b->file.stage_count; i++) {
        struct stage_result result;
        autoimage image = {0};
        if (!b->graph.stages[i].needed || stage_result_read(b, i, &result, NULL) < 0)
            continue;
        autofree char *meant = NULL; /* that name, as the lock file has it */
        if (result.base_name && !strv_has(out, result.base_name) &&
            images_name(b, result.base_name, &meant, NULL) == 0 &&
            store_resolve(b->place->store, meant, &image, NULL) == 0) {
            strv_add(out, result.base_name);
            strv_add(out, image.manifest);
        }
        stage_result_free(&result);
    }
}

static int take_result(struct build *b, struct build_result *out, struct error *err)
{
    struct stage_result result;
    int rc = stage_result_read(b, b->graph.target, &result, err);
    if (rc < 0)
        return rc;
    out->config = result.config;
    result.config = (struct image_config){0};
    out->base = take_ptr(result.base_name);
    stage_result_free(&result);
    add_bases(b, &out->bases);
    format_rfc3339(clock_wall(), out->finished);
    for (size_t i = 0; i < b->options->labels.len; i++) {
        const char *label = b->options->labels.items[i];
        autofree char *bare = strchr(label, '=') ? NULL : xasprintf("%s=", label);
        pairs_set(&out->config.labels, bare ? bare : label);
    }
    return 0;
}

/* --- checks --- */

static void tell_findings(const struct build *b, const struct findings *findings,
                          const struct build_watch *watch)
{
    for (size_t i = 0; watch->warn && i < findings->count; i++) {
        const struct finding *f = &findings->items[i];
        autofree char *text = NULL;
        if (f->rule->level == CHECK_STYLE && !findings->fail)
            continue;
        text = xasprintf("%s:%u: %s: %s", b->file.name, f->place.line, f->rule->name, f->sentence);
        watch->warn(watch->closure, text);
    }
}

static int tell_checks(struct build *b, const struct build_watch *watch, struct error *err)
{
    autofindings findings = {0};
    autostrv unused = {0};
    int rc = checks_of(b->options, &b->file, &b->contexts.main, &findings, err);
    if (rc < 0)
        return rc;
    tell_findings(b, &findings, watch);
    variables_unused(&b->file, &b->arguments, &unused);
    for (size_t i = 0; watch->warn && i < unused.len; i++) {
        autofree char *text =
            xasprintf("--build-arg %s: no ARG of this name is declared", unused.items[i]);
        watch->warn(watch->closure, text);
    }
    if (findings.fail && findings.count > 0)
        rc = error_set(err, -EINVAL,
                       "checks have findings, and # check=error=true makes them end "
                       "the build");
    return rc;
}

/* What only the result shows. */
static void tell_user(const struct build *b, const char *user, const struct build_watch *watch)
{
    autofindings findings = {0};
    check_user(&b->file, b->graph.target, user ? user : "", &findings);
    tell_findings(b, &findings, watch);
}

int build_image(const struct build_options *options, const struct build_input *input,
                const struct build_place *place, const struct build_watch *watch,
                struct build_result *out, int *exit_code, struct error *err)
{
    struct secrets secrets = {0};
    struct build b __attribute__((cleanup(build_free))) = {.options = options,
                                                           .input = input,
                                                           .place = place,
                                                           .secrets = &secrets,
                                                           .ground = -1,
                                                           .empty = -1};
    *exit_code = 1;
    format_rfc3339(clock_wall(), out->started);
    int rc = prepare(&b, err);
    if (rc < 0)
        return rc;
    rc = tell_checks(&b, watch, err);
    if (rc == 0)
        rc = images_fetch(&b, err);
    if (rc == 0)
        rc = exchange_take(&b, watch, err);
    if (rc < 0)
        return rc;
    struct key key;
    key_begin(&key, "allowed");
    key_texts(&key, &options->allow_secret);
    key_end(&key, b.allowed);
    rc = solve(&b, watch, err);
    struct error keeping = {0};
    int kept = store_lock(place->store, LOCK_SH, &keeping);
    if (kept == 0)
        kept = keep_made(&b, &keeping);
    if (rc == 0 && kept < 0) {
        *err = keeping;
        rc = kept;
    }
    if (rc == 0)
        rc = words_check(&b, watch, err);
    if (rc == 0)
        rc = exchange_give(&b, err);
    if (rc == 0)
        rc = take_result(&b, out, err);
    if (rc == 0)
        tell_user(&b, out->config.user, watch);
    if (rc == -EINTR) /* whenever that was */
        *exit_code = 130;
    return rc;
}
