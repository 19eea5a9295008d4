/* SPDX-License-Identifier: Apache-2.0 */
/* Two looks at every container's control group, some time apart; the table shows the second and
 * what the processor did in between. */
#include <errno.h>
#include <stdlib.h>
#include <sys/sysinfo.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/container_options.h"
#include "cmd/container_words.h"
#include "cmd/list.h"
#include "cmd/print.h"
#include "container/summary.h"

#define FIRST_INTERVAL (NSEC_PER_SEC / 2)
#define INTERVAL NSEC_PER_SEC

struct sample {
    struct glance glance;
    struct cgroup_stats stats;
    bool has_stats;
    bool has_network;
    uint64_t received, sent;
    nanoseconds at; /* monotonic */
};

struct samples {
    struct sample *items;
    size_t count;
};

static void samples_free(struct samples *s)
{
    for (size_t i = 0; i < s->count; i++)
        glance_free(&s->items[i].glance);
    free(s->items);
    *s = (struct samples){0};
}
#define autosamples __attribute__((cleanup(samples_free))) struct samples

/* --- looking --- */

/* Bytes through the interfaces of its network namespace, loopback left out. */
static void read_network(struct sample *sample)
{
    char path[40];
    autobuf text = {0};
    autostrv lines = {0};
    snprintf(path, sizeof path, "/proc/%d/net/dev", (int)sample->glance.pid);
    if (streq(sample->glance.summary.network, "host") ||
        read_kernel_file(path, 1 << 20, &text, NULL) < 0)
        return;
    sample->has_network = true;
    strv_split(&lines, buf_text(&text), '\n');
    for (size_t i = 2; i < lines.len; i++) { /* below two lines of headings */
        unsigned long long received, sent;
        const char *name = lines.items[i] + strspn(lines.items[i], " ");
        const char *colon = strchr(name, ':');
        if (!colon || starts_with(name, "lo:") ||
            sscanf(colon, ":%llu %*u %*u %*u %*u %*u %*u %*u %llu", &received, &sent) != 2)
            continue;
        sample->received += received;
        sample->sent += sent;
    }
}

static void read_sample(struct sample *sample)
{
    autocgroup group = CGROUP_EMPTY;
    sample->at = clock_monotonic();
    if (sample->glance.pid <= 0)
        return;
    read_network(sample);
    sample->has_stats = sample->glance.cgroup &&
                        cgroup_open(sample->glance.cgroup, &group, NULL) == 0 &&
                        cgroup_stats(&group, &sample->stats, NULL) == 0;
}

/* Which containers: those named, or all (that run). */
static int choose_ids(struct containers *all, const struct invocation *call, struct strv *ids,
                      struct error *err)
{
    if (call->count == 0)
        return container_list(all, ids, err);
    for (size_t i = 0; i < call->count; i++) {
        char id[CONTAINER_ID_MAX];
        int rc = container_find_id(all, call->arguments[i], id, err);
        if (rc < 0)
            return rc;
        strv_add(ids, id);
    }
    return 0;
}

static int look(struct containers *all, const struct invocation *call, bool with_idle,
                struct samples *out, struct error *err)
{
    autostrv ids = {0};
    autosamples samples = {0};
    int rc = choose_ids(all, call, &ids, err);
    if (rc < 0)
        return rc;
    samples.items = xcalloc(ids.len + 1, sizeof *samples.items);
    for (size_t i = 0; i < ids.len; i++) {
        struct sample *sample = &samples.items[samples.count];
        rc = container_glance(all, ids.items[i], &sample->glance, call->count ? err : NULL);
        if (rc < 0 && call->count > 0)
            return rc;
        if (rc < 0)
            continue; /* gone meanwhile, or damaged: ps says so */
        samples.count++;
        read_sample(sample);
        bool runs = container_runs(sample->glance.now);
        if (!runs && !with_idle && call->count == 0) {
            glance_free(&sample->glance);
            memset(sample, 0, sizeof *sample);
            samples.count--;
        }
    }
    *out = samples;
    samples = (struct samples){0};
    return 0;
}

/* --- showing --- */

static const struct list_column columns[] = {
    {"ID", {.heading = "CONTAINER ID"}},
    {"Name", {.heading = "NAME"}},
    {"CPUPerc", {.heading = "CPU %"}},
    {"MemUsage", {.heading = "MEM USAGE / LIMIT"}},
    {"MemPerc", {.heading = "MEM %"}},
    {"NetIO", {.heading = "NET I/O"}},
    {"BlockIO", {.heading = "BLOCK I/O"}},
    {"PIDs", {.heading = "PIDS"}},
    {"Container", {.heading = "CONTAINER"}, .extra = true},
};

static uint64_t machine_memory(void)
{
    struct sysinfo machine;
    return sysinfo(&machine) < 0 ? 0 : (uint64_t)machine.totalram * machine.mem_unit;
}

static const struct sample *same_in(const struct samples *samples, const char *id)
{
    for (size_t i = 0; i < samples->count; i++)
        if (streq(samples->items[i].glance.id, id))
            return &samples->items[i];
    return NULL;
}

static void add_cpu(struct list *list, const struct sample *before, const struct sample *now)
{
    if (!now->has_stats || !now->stats.has_cpu || !before || !before->has_stats ||
        now->at <= before->at || now->stats.cpu_ns < before->stats.cpu_ns) {
        list_cell(list, "--");
        return;
    }
    double used = (double)(now->stats.cpu_ns - before->stats.cpu_ns);
    list_fmt(list, "%.2f%%", 100.0 * used / (double)(now->at - before->at));
}

static void add_memory(struct list *list, const struct sample *now)
{
    if (!now->has_stats || !now->stats.has_memory) {
        list_cell(list, "-- / --");
        list_cell(list, "--");
        return;
    }
    autobuf text = {0};
    uint64_t most = machine_memory();
    uint64_t limit = now->stats.memory_limit < most ? now->stats.memory_limit : most;
    format_binary_size(&text, now->stats.memory_usage);
    buf_str(&text, " / ");
    format_binary_size(&text, limit);
    list_cell(list, buf_text(&text));
    list_fmt(list, "%.2f%%", limit ? 100.0 * (double)now->stats.memory_usage / (double)limit : 0.0);
}

static void add_traffic(struct list *list, bool known, uint64_t in, uint64_t out)
{
    autobuf text = {0};
    if (!known) {
        list_cell(list, "-- / --");
        return;
    }
    format_size(&text, in);
    buf_str(&text, " / ");
    format_size(&text, out);
    list_cell(list, buf_text(&text));
}

static int render(const struct stats_options *o, const struct samples *before,
                  const struct samples *now, struct buf *out, struct error *err)
{
    autolist list = {0};
    const struct list_style style = {.format = o->format, .no_trunc = o->no_trunc};
    list_start(&list, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < now->count; i++) {
        const struct sample *s = &now->items[i];
        list_fmt(&list, "%.*s", o->no_trunc ? CONTAINER_ID_MAX : SHORT_ID, s->glance.id);
        list_cell(&list, s->glance.summary.name);
        add_cpu(&list, same_in(before, s->glance.id), s);
        add_memory(&list, s);
        add_traffic(&list, s->has_network, s->received, s->sent);
        add_traffic(&list, s->has_stats && s->stats.has_io, s->stats.io_read_bytes,
                    s->stats.io_write_bytes);
        if (s->has_stats && s->stats.has_pids)
            list_fmt(&list, "%llu", (unsigned long long)s->stats.pids);
        else
            list_cell(&list, "--");
        list_cell(&list, s->glance.summary.name);
    }
    return list_render(&list, &style, out, err);
}

static void pause_for(nanoseconds length)
{
    struct timespec ts = {.tv_sec = length / NSEC_PER_SEC, .tv_nsec = length % NSEC_PER_SEC};
    while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
        ;
}

/* Those that were named have all ended: there is nothing more to see. */
static bool finished(const struct invocation *call, const struct samples *samples)
{
    for (size_t i = 0; i < samples->count; i++)
        if (samples->items[i].glance.pid > 0)
            return false;
    return call->count > 0;
}

int command_stats(const struct invocation *call, void *options, struct error *err)
{
    const struct stats_options *o = options;
    autocontainers all = {0};
    autosamples before = {0};
    bool redraw = !o->no_stream && !o->format && screen_of(STDOUT_FILENO).terminal;
    int rc = containers_here(&all, err);
    if (rc == 0)
        rc = look(&all, call, o->all, &before, err);
    for (nanoseconds wait = FIRST_INTERVAL; rc == 0; wait = INTERVAL) {
        autosamples now = {0};
        autobuf out = {0};
        if (before.count > 0 || !o->no_stream)
            pause_for(wait);
        rc = look(&all, call, o->all, &now, err);
        if (rc < 0)
            return rc;
        if (redraw)
            buf_str(&out, "\033[H\033[J");
        rc = render(o, &before, &now, &out, err);
        if (rc == 0)
            rc = print(&out);
        if (o->no_stream || finished(call, &now))
            break;
        samples_free(&before);
        before = now;
        now = (struct samples){0};
    }
    return rc;
}
