/* SPDX-License-Identifier: Apache-2.0 */
/* network ls and inspect. */
#include "base/cleanup.h"
#include "base/text.h"
#include "cmd/container_words.h"
#include "cmd/filter.h"
#include "cmd/inspect_json.h"
#include "cmd/list.h"
#include "cmd/network_options.h"
#include "cmd/print.h"
#include "container/networks.h"
#include "container/summary.h"

/* --- filters --- */

struct network_filter {
    struct strv names, ids, labels, drivers;
    int dangling; /* -1: any */
};

static void filter_free(struct network_filter *filter)
{
    strv_free(&filter->names);
    strv_free(&filter->ids);
    strv_free(&filter->labels);
    strv_free(&filter->drivers);
}

static int parse(const struct strv *words, struct network_filter *out, struct error *err)
{
    const struct filter_key keys[] = {{"name", &out->names},
                                      {"id", &out->ids},
                                      {"label", &out->labels},
                                      {"driver", &out->drivers}};
    for (size_t i = 0; i < words->len; i++) {
        bool dangling;
        if (filter_take_bool("dangling", words->items[i], &dangling))
            out->dangling = dangling;
        else if (!filter_take(keys, sizeof keys / sizeof *keys, words->items[i]))
            return error_set(err, -EINVAL,
                             "--filter %.60s: the keys are name, id, label, driver and dangling, "
                             "which is true or false",
                             words->items[i]);
    }
    return 0;
}

static bool matches(const struct network_filter *filter, const struct network *network, bool used)
{
    if (filter->drivers.len > 0 && !strv_has(&filter->drivers, "bridge"))
        return false;
    if (filter->dangling >= 0 && filter->dangling == used)
        return false;
    return filter_by_part(&filter->names, network->name) &&
           filter_by_prefix(&filter->ids, network->id) &&
           filter_by_labels(&filter->labels, &network->labels);
}

/* --- ls --- */

static const struct list_column columns[] = {
    {"ID", {.heading = "NETWORK ID"}},
    {"Name", {.heading = "NAME"}},
    {"Driver", {.heading = "DRIVER"}},
    {"Scope", {.heading = "SCOPE"}},
    {"Subnets", {.heading = "SUBNETS"}},
    {"Internal", {.heading = "INTERNAL"}, .extra = true},
    {"IPv6", {.heading = "IPV6"}, .extra = true},
    {"Labels", {.heading = "LABELS"}, .extra = true},
    {"CreatedAt", {.heading = "CREATED AT"}, .extra = true},
};

static void show_created(nanoseconds created, struct buf *out)
{
    char text[RFC3339_MAX];
    format_rfc3339(created, text);
    buf_str(out, text);
}

static void add_row(const struct network *network, bool no_trunc, struct list *list)
{
    autobuf subnets = {0}, labels = {0}, created = {0};
    bool six = network->ranges[1].subnet.address.family != 0;
    for (size_t i = 0; i < 2; i++) {
        char text[IP_TEXT_MAX];
        if (network->ranges[i].subnet.address.family == 0)
            continue;
        ip_prefix_format(&network->ranges[i].subnet, text);
        buf_fmt(&subnets, "%s%s", subnets.len ? ", " : "", text);
    }
    strv_join(&network->labels, ",", &labels);
    show_created(network->created, &created);
    list_fmt(list, "%.*s", no_trunc ? NETWORK_ID_SIZE - 1 : SHORT_ID, network->id);
    list_cell(list, network->name);
    list_cell(list, "bridge");
    list_cell(list, "local");
    list_cell(list, buf_text(&subnets));
    list_cell(list, network->internal ? "true" : "false");
    list_cell(list, six ? "true" : "false");
    list_cell(list, buf_text(&labels));
    list_cell(list, buf_text(&created));
}

static int add_rows(const struct network_ls_options *o, const struct network_filter *filter,
                    const struct network_host *host, const struct strv *names, struct list *list,
                    struct buf *quiet)
{
    int status = 0;
    for (size_t i = 0; i < names->len; i++) {
        struct error wrong = {0};
        autonetwork network = {0};
        autoleases leases = {0};
        int rc = network_find(&host->place, host->outside, names->items[i], &network, &wrong);
        if (rc == 0 && filter->dangling >= 0)
            rc = lease_list(&host->place, network.name, &leases, &wrong);
        if (rc == -ENOENT)
            continue;
        if (rc < 0) {
            tell_error(&wrong);
            status = 1;
            continue;
        }
        if (!matches(filter, &network, leases.count > 0))
            continue;
        add_row(&network, o->no_trunc, list);
        buf_fmt(quiet, "%.*s\n", o->no_trunc ? NETWORK_ID_SIZE - 1 : SHORT_ID, network.id);
    }
    return status;
}

int command_network_ls(const struct invocation *call, void *options, struct error *err)
{
    const struct network_ls_options *o = options;
    struct network_filter filter __attribute__((cleanup(filter_free))) = {.dangling = -1};
    struct network_host host = NETWORK_HOST_NONE;
    autocontainers all = {0};
    autonetwork usual = {0};
    autostrv names = {0};
    autolist list = {0};
    autobuf quiet = {0};
    (void)call;
    int rc = parse(&o->filters, &filter, err);
    if (rc == 0)
        rc = containers_here(&all, err);
    if (rc == 0)
        rc = networks_here(&all, &host, err);
    if (rc == 0) /* it is there without having been made */
        rc = network_find(&host.place, host.outside, NETWORK_DEFAULT, &usual, err);
    if (rc == 0)
        rc = network_list(&host.place, &names, err);
    int status = 0;
    list_start(&list, columns, sizeof columns / sizeof *columns);
    if (rc == 0)
        status = add_rows(o, &filter, &host, &names, &list, &quiet);
    network_host_close(&host);
    if (rc < 0)
        return rc;
    const struct list_style style = {.format = o->format, .no_trunc = o->no_trunc};
    rc = o->quiet && !o->format ? print(&quiet) : list_print(&list, &style, err);
    return rc != 0 ? rc : status;
}

/* --- inspect --- */

static void write_ranges(struct json_out *w, const struct network *network)
{
    char text[IP_TEXT_MAX];
    json_begin(w, "IPAM", '{');
    json_str(w, "Driver", "default");
    json_raw(w, "Options", "{}");
    json_begin(w, "Config", '[');
    for (size_t i = 0; i < 2; i++) {
        const struct network_range *range = &network->ranges[i];
        if (range->subnet.address.family == 0)
            continue;
        json_begin(w, NULL, '{');
        ip_prefix_format(&range->subnet, text);
        json_str(w, "Subnet", text);
        if (range->given.address.family != 0) {
            ip_prefix_format(&range->given, text);
            json_str(w, "IPRange", text);
        }
        ip_format(&range->gateway, text);
        json_str(w, "Gateway", text);
        json_end(w, '}');
    }
    json_end(w, ']');
    json_end(w, '}');
}

static void write_container(struct json_out *w, struct containers *all,
                            const struct network *network, const struct leases *leases, size_t at)
{
    static const char *const keys[] = {"IPv4Address", "IPv6Address"};
    const char *owner = leases->items[at].owner;
    struct container_summary summary = {0};
    const char *addresses[2] = {"", ""};
    char texts[2][IP_TEXT_MAX];
    for (size_t i = at; i < leases->count; i++) {
        if (!streq(leases->items[i].owner, owner))
            continue;
        size_t f = leases->items[i].address.family == AF_INET6;
        struct ip_prefix with = {leases->items[i].address, network->ranges[f].subnet.length};
        ip_prefix_format(&with, texts[f]);
        addresses[f] = texts[f];
    }
    bool known = container_summary(all, owner, &summary, NULL) == 0;
    json_begin(w, owner, '{');
    json_str(w, "Name", known ? summary.name : "");
    for (size_t f = 0; f < 2; f++)
        json_str(w, keys[f], addresses[f]);
    json_end(w, '}');
    summary_free(&summary);
}

static void write_containers(struct json_out *w, struct containers *all,
                             const struct network *network, const struct leases *leases)
{
    json_begin(w, "Containers", '{');
    for (size_t i = 0; i < leases->count; i++) {
        bool seen = false;
        for (size_t j = 0; j < i; j++)
            seen |= streq(leases->items[j].owner, leases->items[i].owner);
        if (!seen)
            write_container(w, all, network, leases, i);
    }
    json_end(w, '}');
}

static void write_network(struct json_out *w, struct containers *all, const struct network *network,
                          const struct leases *leases)
{
    autobuf created = {0};
    show_created(network->created, &created);
    json_begin(w, NULL, '{');
    json_str(w, "Name", network->name);
    json_str(w, "Id", network->id);
    json_str(w, "Created", buf_text(&created));
    json_str(w, "Scope", "local");
    json_str(w, "Driver", "bridge");
    json_bool(w, "EnableIPv4", true);
    json_bool(w, "EnableIPv6", network->ranges[1].subnet.address.family != 0);
    write_ranges(w, network);
    json_bool(w, "Internal", network->internal);
    json_bool(w, "Shared", network->shared);
    json_strs(w, "Egress", &network->egress);
    json_str(w, "Bridge", network->bridge);
    write_containers(w, all, network, leases);
    inspect_pairs(w, "Options", &network->options);
    inspect_pairs(w, "Labels", &network->labels);
    json_end(w, '}');
}

int command_network_inspect(const struct invocation *call, void *options, struct error *err)
{
    const struct network_inspect_options *o = options;
    struct network_host host = NETWORK_HOST_NONE;
    autocontainers all = {0};
    autobuf out = {0};
    struct json_out w = {.buf = &out, .indent = o->format ? 0 : 4};
    int status = 0;
    int rc = containers_here(&all, err);
    if (rc == 0)
        rc = networks_here(&all, &host, err);
    if (rc < 0)
        return rc;
    json_begin(&w, NULL, '[');
    for (size_t i = 0; i < call->count; i++) {
        struct error wrong = {0};
        autonetwork network = {0};
        autoleases leases = {0};
        rc = network_find(&host.place, host.outside, call->arguments[i], &network, &wrong);
        if (rc == 0)
            rc = lease_list(&host.place, network.name, &leases, &wrong);
        if (rc == 0) {
            write_network(&w, &all, &network, &leases);
        } else {
            tell_error(&wrong);
            status = 1;
        }
    }
    json_end(&w, ']');
    network_host_close(&host);
    rc = inspect_print(&out, o->format, err);
    return rc != 0 ? rc : status;
}
