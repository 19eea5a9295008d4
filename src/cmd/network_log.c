/* SPDX-License-Identifier: Apache-2.0 */
/* network log: what egress lists let pass and refused. */
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/container_words.h"
#include "cmd/filter.h"
#include "cmd/list.h"
#include "cmd/network_options.h"
#include "cmd/print.h"
#include "container/networks.h"
#include "network/egress_log.h"

#define SHORT_ID 12

struct log_filter {
    struct strv containers, verdicts, names;
    nanoseconds since;
};

static void filter_free(struct log_filter *filter)
{
    strv_free(&filter->containers);
    strv_free(&filter->verdicts);
    strv_free(&filter->names);
}

static int parse(const struct network_log_options *o, struct log_filter *out, struct error *err)
{
    const struct filter_key keys[] = {
        {"container", &out->containers}, {"verdict", &out->verdicts}, {"name", &out->names}};
    out->since = INT64_MIN;
    for (size_t i = 0; i < o->filters.len; i++)
        if (!filter_take(keys, sizeof keys / sizeof *keys, o->filters.items[i]))
            return error_set(err, -EINVAL,
                             "--filter %.60s: the keys are container, name and verdict",
                             o->filters.items[i]);
    for (size_t i = 0; i < out->verdicts.len; i++)
        if (!streq(out->verdicts.items[i], "denied") && !streq(out->verdicts.items[i], "granted"))
            return error_set(err, -EINVAL, "--filter verdict=%.60s: it is denied or granted",
                             out->verdicts.items[i]);
    return read_moment("--since", o->since, &out->since, err);
}

static const char *verdict(const struct egress_event *e)
{
    return e->granted ? "granted" : "denied";
}

static bool is_of(const struct strv *wanted, const struct egress_event *e)
{
    for (size_t i = 0; i < wanted->len; i++)
        if (streq(e->who, wanted->items[i]) ||
            (*wanted->items[i] && starts_with(e->id, wanted->items[i])))
            return true;
    return wanted->len == 0;
}

static bool matches(const struct log_filter *filter, const struct egress_line *line)
{
    const struct egress_event *e = &line->event;
    return line->last >= filter->since && is_of(&filter->containers, e) &&
           filter_by_part(&filter->names, e->name) &&
           (filter->verdicts.len == 0 || strv_has(&filter->verdicts, verdict(e)));
}

static const struct list_column columns[] = {
    {"LastSeen", {.heading = "LAST SEEN"}},
    {"Verdict", {.heading = "VERDICT"}},
    {"Container", {.heading = "CONTAINER"}},
    {"Name", {.heading = "NAME"}},
    {"Address", {.heading = "ADDRESS"}},
    {"Port", {.heading = "PORT"}},
    {"Count", {.heading = "COUNT"}},
    {"Network", {.heading = "NETWORK"}},
    {"ID", {.heading = "CONTAINER ID"}, .extra = true},
    {"Protocol", {.heading = "PROTOCOL"}, .extra = true},
};

static void add_row(const char *network, const struct egress_line *line, struct list *list)
{
    const struct egress_event *e = &line->event;
    char when[RFC3339_MAX], address[IP_TEXT_MAX];
    autobuf protocol = {0}, port = {0};
    format_rfc3339(line->last, when);
    char *fraction = strchr(when, '.'); /* seconds are enough */
    if (fraction)
        memcpy(fraction, "Z", 2);
    ip_format(&e->address, address);
    if (e->protocol)
        egress_log_protocol(e->protocol, &protocol);
    if (e->port)
        buf_fmt(&port, "%u/", e->port);
    buf_str(&port, buf_text(&protocol));
    list_cell(list, when);
    list_cell(list, verdict(e));
    if (e->who[0])
        list_cell(list, e->who);
    else
        list_fmt(list, "%.*s", SHORT_ID, e->id);
    list_cell(list, e->name);
    list_cell(list, address);
    list_cell(list, buf_text(&port));
    list_fmt(list, "%llu", (unsigned long long)line->count);
    list_cell(list, network);
    list_cell(list, e->id);
    list_cell(list, buf_text(&protocol));
}

/* A line of any of the networks. */
struct found {
    const char *network; /* borrowed */
    struct egress_line line;
};

struct found_list {
    struct found *items;
    size_t count;
};

static int add_network(const struct network_host *host, const char *name,
                       const struct log_filter *filter, struct found_list *out, struct error *err)
{
    static struct egress_log log;
    log.count = 0;
    int rc = netd_log(&host->place, name, &log, err);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    out->items = xrealloc(out->items, out->count + log.count + 1, sizeof *out->items);
    for (size_t i = 0; i < log.count; i++)
        if (matches(filter, &log.lines[i]))
            out->items[out->count++] = (struct found){name, log.lines[i]};
    return 0;
}

static int by_time(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    return (x->line.last > y->line.last) - (x->line.last < y->line.last);
}

/* Those that were named, or all. */
static int choose(const struct invocation *call, const struct network_host *host,
                  struct strv *names, struct error *err)
{
    if (call->count == 0)
        return network_list(&host->place, names, err);
    for (size_t i = 0; i < call->count; i++) {
        autonetwork network = {0};
        int rc = network_find(&host->place, host->outside, call->arguments[i], &network, err);
        if (rc < 0)
            return rc;
        strv_add(names, network.name);
    }
    return 0;
}

int command_network_log(const struct invocation *call, void *options, struct error *err)
{
    const struct network_log_options *o = options;
    struct log_filter filter __attribute__((cleanup(filter_free))) = {0};
    struct network_host host = NETWORK_HOST_NONE;
    struct found_list found = {0};
    autocontainers all = {0};
    autostrv names = {0};
    autolist list = {0};
    int rc = parse(o, &filter, err);
    if (rc == 0)
        rc = containers_here(&all, err);
    if (rc == 0)
        rc = networks_here(&all, &host, err);
    if (rc == 0)
        rc = choose(call, &host, &names, err);
    for (size_t i = 0; rc == 0 && i < names.len; i++)
        rc = add_network(&host, names.items[i], &filter, &found, err);
    network_host_close(&host);
    list_start(&list, columns, sizeof columns / sizeof *columns);
    if (found.count > 1)
        qsort(found.items, found.count, sizeof *found.items, by_time);
    for (size_t i = 0; rc == 0 && i < found.count; i++)
        add_row(found.items[i].network, &found.items[i].line, &list);
    free(found.items);
    return rc < 0 ? rc : list_print(&list, &(struct list_style){.format = o->format}, err);
}
