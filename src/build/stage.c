/* SPDX-License-Identifier: Apache-2.0 */
/* One stage, instruction by instruction. */
#include "build/stage.h"

#include "build/remote.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "archive/tree_place.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "oci/reference.h"
#include "path/inroot.h"
#include "store/platform.h"

#define TOLD_MAX 8192
#define SAID_MAX (8u << 20) /* bytes */
#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* --- variables --- */

const char *stage_variable(const struct stage_run *run, const char *name, size_t length)
{
    const char *value = pairs_find(&run->config.env, name, length);
    return value ? value : pairs_find(&run->args, name, length);
}

static const char *look_up(void *closure, const char *name, size_t length)
{
    return stage_variable(closure, name, length);
}

/* --- what is told --- */

void stage_tell(struct stage_run *run, enum build_event event, const char *text,
                uint64_t milliseconds)
{
    char message[TOLD_MAX];
    int n = snprintf(message, sizeof message, "E %d %u %llu %s", (int)event, run->vertex,
                     (unsigned long long)milliseconds, text ? text : "");
    if (n >= (int)sizeof message)
        n = sizeof message - 1;
    (void)send(run->channel, message, (size_t)n, MSG_NOSIGNAL);
}

int stage_await(struct stage_run *run, size_t other, struct error *err)
{
    char message[32];
    int n = snprintf(message, sizeof message, "N %zu", other);
    if (send(run->channel, message, (size_t)n, MSG_NOSIGNAL) < 0)
        return error_errno(err, "cannot ask for another stage");
    ssize_t got = recv(run->channel, message, sizeof message - 1, 0);
    if (got == 1 && message[0] == 'R')
        return 0;
    return error_set(err, -ECANCELED, "a stage that this one needs was not built");
}

/* --- instructions that only say something --- */

static void set_text(char **field, const char *value)
{
    free(*field);
    *field = xstrdup(value);
}

static void set_words(struct strv *field, const struct stage_run *run, const struct step *step)
{
    static const char *const usual[] = {"/bin/sh", "-c"};
    strv_free(field);
    if (step->exec) {
        strv_copy(field, &step->words);
        return;
    }
    if (run->config.shell.len > 0)
        strv_copy(field, &run->config.shell);
    else
        for (size_t i = 0; i < 2; i++)
            strv_add(field, usual[i]);
    strv_copy(field, &step->words);
}

static void add_once(struct strv *list, const char *value)
{
    if (!strv_has(list, value))
        strv_add(list, value);
}

static void set_health(struct health_check *health, const struct health_check *from)
{
    strv_free(&health->test);
    *health = *from;
    health->test = (struct strv){0};
    strv_copy(&health->test, &from->test);
}

static bool names_pair(const struct strv *names, const char *name, size_t length)
{
    for (size_t i = 0; i < names->len; i++)
        if (strlen(names->items[i]) == length && strncmp(names->items[i], name, length) == 0)
            return true;
    return false;
}

static void declare(struct stage_run *run, const char *pair)
{
    const struct build *b = run->build;
    size_t length = strcspn(pair, "=");
    autofree char *name = xstrndup(pair, length);
    const char *given = pairs_find(&b->arguments, name, length);
    const char *value = given          ? given
                        : pair[length] ? pair + length + 1
                                       : pairs_find(&b->globals, name, length);
    if (!names_pair(&run->declared, name, length))
        strv_add(&run->declared, name);
    if (!value)
        return;
    autofree char *both = xasprintf("%s=%s", name, value);
    pairs_set(&run->args, both);
}

/* What may hold a secret, and ends up where everybody reads it. */
static void note_words(struct stage_run *run, const struct instruction *i, const struct step *step)
{
    for (size_t n = 0; n < step->pairs.len; n++) {
        const char *pair = step->pairs.items[n];
        size_t length = strcspn(pair, "=");
        const char *given =
            i->kind == INSTRUCTION_ARG ? pairs_find(&run->build->arguments, pair, length) : NULL;
        strv_fmt(&run->words, "%s:%u: %s %.*s", run->build->file.name, i->place.line,
                 instruction_name(i->kind), (int)length, pair);
        if (given)
            strv_fmt(&run->words, "%.*s=%s", (int)length, pair, given);
        else
            strv_add(&run->words, pair);
    }
    if (i->kind != INSTRUCTION_RUN)
        return;
    strv_fmt(&run->words, "%s:%u: RUN", run->build->file.name, i->place.line);
    strv_add(&run->words, i->text);
}

static void only_says(struct stage_run *run, const struct instruction *i, const struct step *step)
{
    struct image_config *c = &run->config;
    switch (i->kind) {
    case INSTRUCTION_ARG:
        for (size_t n = 0; n < step->pairs.len; n++)
            declare(run, step->pairs.items[n]);
        break;
    case INSTRUCTION_ENV:
        for (size_t n = 0; n < step->pairs.len; n++)
            pairs_set(&c->env, step->pairs.items[n]);
        break;
    case INSTRUCTION_LABEL:
        for (size_t n = 0; n < step->pairs.len; n++)
            pairs_set(&c->labels, step->pairs.items[n]);
        break;
    case INSTRUCTION_MAINTAINER:
        set_text(&c->author, step->pairs.items[0]);
        break;
    case INSTRUCTION_USER:
        set_text(&c->user, step->pairs.items[0]);
        break;
    case INSTRUCTION_STOPSIGNAL:
        set_text(&c->stop_signal, step->pairs.items[0]);
        break;
    case INSTRUCTION_VOLUME:
        for (size_t n = 0; n < step->pairs.len; n++)
            add_once(&c->volumes, step->pairs.items[n]);
        break;
    case INSTRUCTION_EXPOSE:
        for (size_t n = 0; n < step->pairs.len; n++)
            add_once(&c->ports, step->pairs.items[n]);
        break;
    case INSTRUCTION_SHELL:
        strv_free(&c->shell);
        strv_copy(&c->shell, &step->words);
        break;
    case INSTRUCTION_CMD:
        set_words(&c->command, run, step);
        break;
    case INSTRUCTION_ENTRYPOINT:
        set_words(&c->entrypoint, run, step);
        strv_free(&c->command);
        break;
    case INSTRUCTION_HEALTHCHECK:
        set_health(&c->health, &step->health);
        break;
    case INSTRUCTION_ONBUILD:
        strv_add(&c->on_build, step->pairs.items[0]);
        break;
    default:
        break;
    }
}

/* --- one instruction --- */

static void add_history(struct stage_run *run, const struct instruction *i)
{
    struct image_config *c = &run->config;
    autobuf text = {0};
    if (i->kind == INSTRUCTION_ADD)
        remote_redact(i->text, &text);
    else
        buf_str(&text, i->text);
    c->history = xrealloc(c->history, c->history_count + 1, sizeof *c->history);
    c->history[c->history_count++] = (struct history_entry){
        .created_by = buf_take(&text),
        .comment = xstrdup("caisson"),
        .empty_layer = true,
    };
}

static int work_dir(struct stage_run *run, const struct step *step, struct error *err)
{
    char clean[INROOT_PATH_MAX];
    const char *text = step->pairs.items[0];
    const char *before =
        run->config.working_dir && *run->config.working_dir ? run->config.working_dir : "/";
    autocopypath path = {0};
    copy_path_read(text, before, &path);
    int rc = inroot_clean(path.clean, "WORKDIR", clean, err);
    if (rc == 0)
        rc = stage_workdir(run, clean, err);
    if (rc == 0)
        set_text(&run->config.working_dir, clean);
    return rc;
}

static void name_vertex(const struct stage_run *run, const struct instruction *i, struct buf *out)
{
    const struct stage *stage = &run->build->file.stages[run->number];
    autobuf text = {0};
    remote_redact(i->text, &text);
    buf_char(out, '[');
    if (stage->name)
        buf_fmt(out, "%s ", stage->name);
    else if (run->build->file.stage_count > 1)
        buf_fmt(out, "stage-%zu ", run->number);
    buf_fmt(out, "%zu/%zu] ", run->step, run->steps);
    buf_printable(out, buf_text(&text));
}

static bool is_work(enum instruction_kind kind)
{
    return kind == INSTRUCTION_RUN || kind == INSTRUCTION_COPY || kind == INSTRUCTION_ADD ||
           kind == INSTRUCTION_WORKDIR;
}

static int carry_out(struct stage_run *run, const struct instruction *i, const struct step *step,
                     struct error *err)
{
    switch (i->kind) {
    case INSTRUCTION_RUN:
        return stage_execute(run, step, err);
    case INSTRUCTION_COPY:
    case INSTRUCTION_ADD:
        return stage_copy(run, i, step, err);
    case INSTRUCTION_WORKDIR:
        return work_dir(run, step, err);
    default:
        only_says(run, i, step);
        return 0;
    }
}

/* Errors of whoever carries a step out know no place: then it is the instruction's. */
static int at_place(struct stage_run *run, const struct instruction *i, struct error *err)
{
    autofree char *prefix = xasprintf("%s:", run->build->file.name);
    if (err->code && !starts_with(err->text, prefix)) {
        struct error inner = *err;
        (void)dockerfile_wrong(&run->build->file, i->place, err, "%s", inner.text);
        err->code = inner.code;
    }
    return err->code;
}

/* Which stage a --from means was found out with the variables before the first FROM, and so it is
 * that. A trigger stands in no file. */
static void set_sources(const struct stage_run *run, const struct instruction *i, struct step *step)
{
    const struct graph_stage *stage = &run->build->graph.stages[run->number];
    size_t index = (size_t)(i - run->build->file.instructions), at = 0;
    for (size_t n = 0; n < stage->source_count; n++) {
        const struct graph_source *source = &stage->sources[n];
        if (source->instruction != index)
            continue;
        char **from = step->from ? &step->from : NULL;
        while (!from && at < step->mount_count) {
            from = step->mounts[at].from ? &step->mounts[at].from : NULL;
            at++;
        }
        if (!from)
            return;
        free(*from);
        *from = xstrdup(source->name);
    }
}

static int bound_said(struct stage_run *run, const struct step *step, struct error *err)
{
    for (size_t i = 0; i < step->pairs.len; i++)
        run->said += strlen(step->pairs.items[i]);
    if (run->said > SAID_MAX)
        return error_set(err, -E2BIG,
                         "variables, arguments and labels of a stage come to more than "
                         "%u MiB",
                         SAID_MAX >> 20);
    return 0;
}

static int instruct(struct stage_run *run, const struct instruction *i, bool trigger,
                    struct error *err)
{
    autostep step = {0};
    autobuf name = {0};
    const struct expand expand = {
        .lookup = look_up, .closure = run, .escape = run->build->file.escape};
    bool work = is_work(i->kind);
    struct pollfd gone = {.fd = run->channel, .events = POLLRDHUP};
    if (poll(&gone, 1, 0) > 0 && gone.revents & (POLLHUP | POLLRDHUP | POLLERR))
        _exit(1); /* whoever solves is */
    run->place = i->place;
    run->trigger = trigger;
    if (work) {
        run->step++;
        run->vertex++;
        name_vertex(run, i, &name);
        stage_tell(run, BUILD_BEGIN, buf_text(&name), 0);
    }
    int rc = step_make(trigger ? NULL : &run->build->file, i, &expand, &step, err);
    if (rc == 0 && !trigger)
        set_sources(run, i, &step);
    if (rc == 0) {
        add_history(run, i);
        if (i->kind == INSTRUCTION_ENV || i->kind == INSTRUCTION_ARG ||
            i->kind == INSTRUCTION_LABEL || i->kind == INSTRUCTION_RUN)
            note_words(run, i, &step);
        rc = bound_said(run, &step, err);
    }
    if (rc == 0) {
        rc = carry_out(run, i, &step, err);
    }
    if (rc < 0) {
        (void)at_place(run, i, err);
        if (work)
            stage_tell(run, rc == -ECANCELED ? BUILD_CANCELED : BUILD_FAILED, NULL, 0);
    }
    return rc;
}

/* --- where it begins --- */

static int check_platform(const struct stage_run *run, const char *wanted, const char *image,
                          struct error *err)
{
    autoplatform platform = {0};
    const struct image_config *c = &run->config;
    int rc = platform_parse(wanted, &platform, err);
    if (rc == 0 && !platform_matches(&platform, c->os, c->architecture, c->variant))
        rc = error_set(err, -ENOEXEC,
                       "the image %s is for %s/%s and not for %s: load the one for that platform "
                       "(caisson load --platform)",
                       image, c->os, c->architecture, wanted ? wanted : "this machine");
    return rc;
}

static void key_of_layers(struct stage_run *run)
{
    struct key key;
    key_begin(&key, "layers");
    key_texts(&key, &run->config.diff_ids);
    /* It is in the times of all that steps write. */
    if (run->build->has_epoch)
        key_number(&key, run->build->epoch);
    key_end(&key, run->key);
}

/* Layers of an image; what it had for a history stays. */
static int begin_image(struct stage_run *run, const char *name, const char *platform,
                       struct error *err)
{
    struct stage_result image;
    int rc = image_use(run->build, name, &image, err);
    if (rc < 0)
        return rc;
    run->config = image.config;
    run->layers = image.layers;
    run->layer_count = image.layer_count;
    key_of_layers(run);
    run->base_name = xstrdup(name);
    return check_platform(run, platform, name, err);
}

static int begin_scratch(struct stage_run *run, const char *platform, struct error *err)
{
    autoplatform p = {0};
    int rc = platform_parse(platform, &p, err);
    if (rc < 0)
        return rc;
    run->config.os = xstrdup(p.os);
    run->config.architecture = xstrdup(p.architecture);
    run->config.variant = p.variant ? xstrdup(p.variant) : NULL;
    run->config.working_dir = xstrdup("/");
    run->config.user = xstrdup("");
    strv_add(&run->config.env, DEFAULT_PATH);
    key_of_layers(run);
    return 0;
}

static int begin_stage(struct stage_run *run, size_t other, struct error *err)
{
    struct stage_result result;
    int rc = stage_await(run, other, err);
    if (rc == 0)
        rc = stage_result_read(run->build, other, &result, err);
    if (rc < 0)
        return rc;
    run->config = result.config;
    result.config = (struct image_config){0};
    run->layers = result.layers;
    run->layer_count = result.layer_count;
    result.layers = NULL;
    result.layer_count = 0;
    run->args = result.args;
    result.args = (struct strv){0};
    run->base_name = result.base_name ? xstrdup(result.base_name) : NULL;
    memcpy(run->key, result.key, STEP_KEY_MAX);
    stage_result_free(&result);
    return 0;
}

static int begin(struct stage_run *run, struct error *err)
{
    struct build *b = run->build;
    const struct graph_stage *stage = &b->graph.stages[run->number];
    const char *wanted =
        stage->platform && *stage->platform ? stage->platform : b->options->platform;
    if (stage->context) {
        const struct named_context *named = context_find(&b->contexts, stage->context);
        if (!named || !named->image)
            return error_set(err, -EINVAL,
                             "--build-context %s is a directory, and a stage begins with an image",
                             stage->context);
        return begin_image(run, named->image, wanted, err);
    }
    if (stage->stage >= 0)
        return begin_stage(run, (size_t)stage->stage, err);
    return streq(stage->base, "scratch") ? begin_scratch(run, wanted, err)
                                         : begin_image(run, stage->base, wanted, err);
}

/* --- all of it --- */

static size_t count_work(const struct instruction *items, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += is_work(items[i].kind);
    return n;
}

/* What the base's maker wanted to be done by whoever builds on it. */
static int triggers(struct stage_run *run, struct error *err)
{
    autostrv texts = run->config.on_build;
    run->config.on_build = (struct strv){0};
    int rc = 0;
    for (size_t n = 0; rc == 0 && n < texts.len; n++) {
        struct instruction i = {0};
        rc = instruction_parse("ONBUILD of the base image", texts.items[n], '\\', &i, err);
        if (rc == 0) {
            i.place =
                run->build->file.instructions[run->build->file.stages[run->number].from].place;
            run->steps += is_work(i.kind);
            rc = instruct(run, &i, true, err);
            instruction_free(&i);
        }
    }
    return rc;
}

/* Entries without a time of their own have that of the work before them: so nothing changes where
 * nothing was done. */
static void settle_times(struct stage_run *run)
{
    struct image_config *c = &run->config;
    char epoch[RFC3339_MAX] = "1970-01-01T00:00:00Z";
    if (run->build->has_epoch)
        format_rfc3339(run->build->epoch * NSEC_PER_SEC, epoch);
    const char *last = run->build->has_epoch ? epoch : c->created ? c->created : epoch;
    for (size_t i = 0; i < c->history_count; i++) {
        struct history_entry *entry = &c->history[i];
        if (!entry->created)
            entry->created = xstrdup(last);
        else if (entry->comment && streq(entry->comment, "caisson"))
            last = entry->created;
    }
    autofree char *created = xstrdup(last);
    set_text(&c->created, created);
}

bool stage_is_shipped(const struct build *build, size_t number)
{
    ssize_t at = (ssize_t)build->graph.target;
    while (at >= 0 && (size_t)at != number)
        at = build->graph.stages[at].stage;
    return at >= 0;
}

static int build_stage(struct stage_run *run, struct error *err)
{
    const struct dockerfile *file = &run->build->file;
    const struct stage *stage = &file->stages[run->number];
    const struct strv *filters = &run->build->options->no_cache_filter;
    run->no_cache = run->build->options->no_cache;
    run->shipped = stage_is_shipped(run->build, run->number);
    for (size_t i = 0; stage->name && i < filters->len; i++)
        run->no_cache |= strcasecmp(filters->items[i], stage->name) == 0;
    int rc = begin(run, err);
    if (rc < 0) {
        (void)at_place(run, &file->instructions[stage->from], err);
        return rc;
    }
    run->steps = count_work(&file->instructions[stage->first], stage->count);
    rc = triggers(run, err);
    /* A context in the place of the stage is all of it. */
    size_t count = run->build->graph.stages[run->number].replaced ? 0 : stage->count;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = instruct(run, &file->instructions[stage->first + i], false, err);
    /* Also after a failure: what was done need not be done again. */
    struct error late = {0};
    int settled = stage_layers_settle(run, true, &late);
    if (rc == 0 && settled < 0) {
        *err = late;
        rc = settled;
    }
    if (rc < 0)
        return rc;
    strv_free(&run->config.diff_ids);
    for (size_t i = 0; i < run->layer_count; i++)
        strv_add(&run->config.diff_ids, run->layers[i].diff_id);
    settle_times(run);
    return stage_result_write(run, err);
}

_Noreturn void stage_process(struct build *build, size_t number, int channel)
{
    struct stage_run run = {
        .build = build, .number = number, .channel = channel, .vertex = (unsigned)number << 16};
    struct error err = {0};
    char message[TOLD_MAX];
    int rc = build_stage(&run, &err);
    if (rc < 0 && rc != -ECANCELED) {
        int n =
            snprintf(message, sizeof message, "X %d %.*s", -rc, (int)sizeof message - 32, err.text);
        (void)send(channel, message, (size_t)n, MSG_NOSIGNAL);
    }
    _exit(rc == 0 ? 0 : 1);
}
