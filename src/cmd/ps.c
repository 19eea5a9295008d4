/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/container_options.h"
#include "cmd/container_words.h"
#include "cmd/list.h"
#include "cmd/port.h"
#include "cmd/print.h"
#include "cmd/ps_filter.h"

struct glances {
    struct glance *items;
    size_t count;
    bool damaged; /* some could not be read; a warning was printed for each */
};

static void glances_free(struct glances *g)
{
    for (size_t i = 0; i < g->count; i++)
        glance_free(&g->items[i]);
    free(g->items);
}

/* Newest first; of the same moment in a fixed order. */
static int newer(const void *a, const void *b)
{
    const struct glance *x = a, *y = b;
    if (x->summary.created != y->summary.created)
        return x->summary.created < y->summary.created ? 1 : -1;
    return strcmp(x->id, y->id);
}

/* A thousand containers are some thousands of small files: the work of every processor. */
enum { LOOKERS_MAX = 4, LOOKER_LEAST = 64 };

struct looked {
    struct glance glance;
    struct error *wrong; /* when rc < 0 */
    int rc;
};

struct looker {
    struct containers *all;
    const struct strv *ids;
    struct looked *looked; /* as many as ids; each looker its own part */
    size_t from, to;
};

static void *look_at_part(void *argument)
{
    struct looker *part = argument;
    for (size_t i = part->from; i < part->to; i++) {
        struct looked *one = &part->looked[i];
        struct error wrong = {0};
        one->rc = container_glance(part->all, part->ids->items[i], &one->glance, &wrong);
        if (one->rc < 0) {
            one->wrong = xmalloc(sizeof wrong);
            *one->wrong = wrong;
        }
    }
    return NULL;
}

static void look_at_all(struct containers *all, const struct strv *ids, struct looked *looked)
{
    struct looker parts[LOOKERS_MAX];
    pthread_t threads[LOOKERS_MAX];
    bool started[LOOKERS_MAX] = {0};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t count = ids->len / LOOKER_LEAST + 1;
    if (count > LOOKERS_MAX)
        count = LOOKERS_MAX;
    if (processors > 0 && count > (size_t)processors)
        count = (size_t)processors;
    for (size_t i = 0; i < count; i++)
        parts[i] =
            (struct looker){all, ids, looked, ids->len * i / count, ids->len * (i + 1) / count};
    for (size_t i = 1; i < count; i++)
        started[i] = pthread_create(&threads[i], NULL, look_at_part, &parts[i]) == 0;
    for (size_t i = 0; i < count; i++)
        if (!started[i])
            look_at_part(&parts[i]);
    for (size_t i = 1; i < count; i++)
        if (started[i])
            (void)pthread_join(threads[i], NULL);
}

static int look(struct containers *all, struct glances *out, struct error *err)
{
    autostrv ids = {0};
    int rc = container_list(all, &ids, err);
    if (rc < 0)
        return rc;
    autofree struct looked *looked = xcalloc(ids.len + 1, sizeof *looked);
    out->items = xcalloc(ids.len + 1, sizeof *out->items);
    look_at_all(all, &ids, looked);
    for (size_t i = 0; i < ids.len; i++) {
        struct looked *one = &looked[i];
        if (one->rc == 0 && one->glance.summary.step)
            glance_free(&one->glance);
        else if (one->rc == 0)
            out->items[out->count++] = one->glance;
        else if (one->rc != -ENOENT) {
            tell_error(one->wrong);
            out->damaged = true;
        }
        free(one->wrong);
    }
    qsort(out->items, out->count, sizeof *out->items, newer);
    return 0;
}

/* --- cells --- */

static void show_status(const struct glance *glance, nanoseconds now, struct buf *out)
{
    switch (glance->now) {
    case CONTAINER_CREATED:
        buf_str(out, "Created");
        return;
    case CONTAINER_RUNNING:
    case CONTAINER_PAUSED:
        buf_str(out, "Up ");
        format_human_duration(out, now - glance->started);
        if (glance->now == CONTAINER_PAUSED)
            buf_str(out, " (Paused)");
        else if (*glance->health)
            buf_fmt(out, " (%s%s)", streq(glance->health, "starting") ? "health: " : "",
                    glance->health);
        return;
    case CONTAINER_EXITED:
        buf_fmt(out, "Exited (%d) ", glance->exit.code);
        format_human_duration(out, now - glance->exit.finished);
        buf_str(out, " ago");
        break;
    case CONTAINER_RESTARTING:
        buf_fmt(out, "Restarting (%d) ", glance->exit.code);
        format_human_duration(out, now - glance->exit.finished);
        buf_str(out, " ago");
        return;
    case CONTAINER_DEAD:
        buf_str(out, "Dead (nobody saw it end)");
        break;
    }
    if (glance->oom_killed)
        buf_str(out, ", out of memory");
}

static void show_created(nanoseconds created, struct buf *out)
{
    char text[RFC3339_MAX];
    format_rfc3339(created, text);
    buf_fmt(out, "%.10s %.8s +0000 UTC", text, text + 11);
}

static const struct list_column columns[] = {
    {"ID", {.heading = "CONTAINER ID"}},
    {"Image", {.heading = "IMAGE"}},
    {"Command", {.heading = "COMMAND", .widest = 20}},
    {"RunningFor", {.heading = "CREATED"}},
    {"Status", {.heading = "STATUS"}},
    {"Ports", {.heading = "PORTS"}},
    {"Names", {.heading = "NAMES"}},
    {"Level", {.heading = "LEVEL"}},
    {"Size", {.heading = "SIZE"}, .extra = true},
    {"CreatedAt", {.heading = "CREATED AT"}, .extra = true},
    {"State", {.heading = "STATE"}, .extra = true},
    {"Labels", {.heading = "LABELS"}, .extra = true},
    {"Networks", {.heading = "NETWORKS"}, .extra = true},
    {"Mounts", {.heading = "MOUNTS"}, .extra = true},
};
enum { COLUMNS = sizeof columns / sizeof *columns, SIZE_COLUMN = 8 };

static int add_row(struct containers *all, const struct ps_options *o, const struct glance *glance,
                   bool size, struct list *list, struct error *err)
{
    autobuf image = {0}, status = {0}, created = {0}, labels = {0}, written = {0}, age = {0};
    autobuf mounts = {0}, ports = {0};
    nanoseconds now = clock_wall();
    if (size) {
        uint64_t bytes;
        int rc = container_written(all, glance->id, &bytes, err);
        if (rc < 0)
            return rc;
        format_size(&written, bytes);
    }
    show_image(&glance->summary, &image);
    show_status(glance, now, &status);
    show_created(glance->summary.created, &created);
    strv_join(&glance->summary.labels, ",", &labels);
    strv_join(&glance->summary.mounts, ",", &mounts);
    if (container_runs(glance->now))
        ports_column(glance->published, &glance->summary.exposed, &ports);
    format_human_duration(&age, now - glance->summary.created);
    list_fmt(list, "%.*s", o->no_trunc ? CONTAINER_ID_MAX : SHORT_ID, glance->id);
    list_cell(list, buf_text(&image));
    list_fmt(list, "\"%s\"", glance->summary.command);
    list_fmt(list, "%s ago", buf_text(&age));
    list_cell(list, buf_text(&status));
    list_cell(list, buf_text(&ports));
    list_cell(list, glance->summary.name);
    list_cell(list, glance->summary.level);
    list_cell(list, buf_text(&written));
    list_cell(list, buf_text(&created));
    list_cell(list, container_state_name(glance->now));
    list_cell(list, buf_text(&labels));
    list_cell(list, glance->summary.network);
    list_cell(list, buf_text(&mounts));
    return 0;
}

static bool chosen(const struct ps_options *o, const struct ps_filter *filter,
                   const struct glance *glance)
{
    bool any_state = o->all || o->latest || o->last >= 0 || filter->states || filter->exited_count;
    if (!any_state && glance->now != CONTAINER_RUNNING && glance->now != CONTAINER_PAUSED &&
        glance->now != CONTAINER_RESTARTING)
        return false;
    return ps_filter_matches(filter, glance);
}

static int show(struct containers *all, const struct ps_options *o, const struct ps_filter *filter,
                const struct glances *glances, struct error *err)
{
    struct list_column shown[COLUMNS];
    autolist list = {0};
    autobuf ids = {0};
    /* A template may ask for it; walking all files is only done when something does. */
    bool size = o->size || (o->format && strstr(o->format, ".Size"));
    int64_t left = o->latest ? 1 : o->last >= 0 ? o->last : INT64_MAX;
    memcpy(shown, columns, sizeof shown);
    shown[SIZE_COLUMN].extra = !o->size;
    list_start(&list, shown, COLUMNS);
    for (size_t i = 0; i < glances->count && left > 0; i++) {
        const struct glance *glance = &glances->items[i];
        if (!chosen(o, filter, glance))
            continue;
        left--;
        int rc = add_row(all, o, glance, size, &list, err);
        if (rc < 0)
            return rc;
        buf_fmt(&ids, "%.*s\n", o->no_trunc ? CONTAINER_ID_MAX : SHORT_ID, glance->id);
    }
    if (o->quiet && !o->format)
        return print(&ids);
    const struct list_style style = {.format = o->format, .no_trunc = o->no_trunc};
    return list_print(&list, &style, err);
}

int command_ps(const struct invocation *call, void *options, struct error *err)
{
    const struct ps_options *o = options;
    autocontainers all = {0};
    struct ps_filter filter __attribute__((cleanup(ps_filter_free))) = {0};
    struct glances glances __attribute__((cleanup(glances_free))) = {0};
    (void)call;
    int rc = containers_here(&all, err);
    if (rc == 0)
        rc = ps_filter_parse(&all, &o->filters, &filter, err);
    if (rc == 0)
        rc = look(&all, &glances, err);
    if (rc == 0)
        rc = show(&all, o, &filter, &glances, err);
    return rc == 0 && glances.damaged ? 1 : rc;
}
