/* SPDX-License-Identifier: Apache-2.0 */
/* network check: what differs between what should be and what is, and making it right. */
#include <limits.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cmd/container_words.h"
#include "cmd/front.h"
#include "cmd/list.h"
#include "cmd/network_options.h"
#include "cmd/print.h"
#include "container/network_home.h"
#include "container/networks.h"
#include "container/networks_check.h"
#include "container/summary.h"

/* While others start and end containers, what is restored may lack one of them. */
#define REPAIRS 3

static const struct list_column columns[] = {
    {"Network", {.heading = "NETWORK"}},
    {"Container", {.heading = "CONTAINER"}},
    {"ContainerID", {.heading = "CONTAINER ID"}, .extra = true},
    {"Difference", {.heading = "DIFFERENCE"}},
    {"RestoredBy", {.heading = "RESTORED BY"}},
    {"Restored", {.heading = "RESTORED"}, .extra = true},
};

/* --- which networks --- */

/* The default one is not made by being asked about. */
static int find_names(const struct invocation *call, const struct network_host *host,
                      struct strv *out, struct error *err)
{
    autostrv there = {0};
    int rc = network_list(&host->place, &there, err);
    for (size_t i = 0; rc == 0 && i < call->count; i++) {
        autonetwork network = {0};
        const char *word = call->arguments[i];
        if (!strv_has(&there, word) && !streq(word, NETWORK_DEFAULT))
            rc = network_find(&host->place, host->outside, word, &network, err);
        strv_add(out, *network.name ? network.name : word);
    }
    return rc;
}

/* --- telling --- */

static void name_of(struct containers *all, const char *id, struct buf *out)
{
    struct container_summary summary = {0};
    if (container_summary(all, id, &summary, NULL) == 0)
        buf_str(out, summary.name);
    else
        buf_fmt(out, "%.*s", SHORT_ID, id);
    summary_free(&summary);
}

static const struct {
    const char *word, *sentence; /* for programs, for people */
} remedies[] = {
    [NETWORK_BY_RUN] = {"run", "the next caisson run on the network, or caisson network check "
                               "--repair, restores it"},
    [NETWORK_BY_REPAIR] = {"repair", "caisson network check --repair restores it"},
    [NETWORK_BY_RESTART] = {"restart", "only caisson restart of the container restores it"},
    [NETWORK_BY_HAND] = {"", ""},
};

static void tell_line(const struct network_difference *d, const char *container, bool restored,
                      struct buf *out)
{
    const char *remedy = remedies[d->remedy].sentence;
    buf_str(out, restored ? "restored: " : "");
    if (d->network)
        buf_fmt(out, "network %s", d->network);
    else
        buf_str(out, "all networks");
    if (*container)
        buf_fmt(out, ", container %s", container);
    buf_fmt(out, ": %s", d->what);
    if (!restored && *remedy)
        buf_fmt(out, "; %s", remedy);
    buf_char(out, '\n');
}

struct report {
    struct containers *all;
    struct list list;
    struct buf lines;
};

static void add(struct report *r, const struct network_difference *d, bool restored)
{
    autobuf container = {0};
    if (d->owner)
        name_of(r->all, d->owner, &container);
    list_cell(&r->list, d->network ? d->network : "");
    list_cell(&r->list, buf_text(&container));
    list_cell(&r->list, d->owner ? d->owner : "");
    list_cell(&r->list, d->what);
    list_cell(&r->list, remedies[d->remedy].word);
    list_cell(&r->list, restored ? "true" : "false");
    tell_line(d, buf_text(&container), restored, &r->lines);
}

/* What was restored, then what is wrong now. The exit status. */
static int show(struct containers *all, const struct network_check_options *o,
                const struct network_differences *found, const struct network_differences *left,
                struct error *err)
{
    struct report r = {.all = all};
    const struct list_style style = {.format = o->format};
    list_start(&r.list, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < found->count; i++)
        if (!network_differences_have(left, &found->items[i]))
            add(&r, &found->items[i], true);
    for (size_t i = 0; i < left->count; i++)
        add(&r, &left->items[i], false);
    if (found->count == 0 && left->count == 0 && !o->quiet)
        buf_str(&r.lines, "networks are as they should be\n");
    int rc = o->format ? list_print(&r.list, &style, err) : print(&r.lines);
    list_free(&r.list);
    buf_free(&r.lines);
    return rc != 0 ? rc : left->count > 0;
}

/* --- the verb --- */

/* Where what stands for the host was killed, making it again restores all but what differs besides.
 */
static int find_home_again(struct containers *all, struct network_host *host,
                           struct network_differences *found, struct error *err)
{
    char program[PATH_MAX];
    autostrv all_of_them = {0};
    int rc = networks_check(all, host, &all_of_them, found, err);
    if (rc == 0 && found->count > 0)
        rc = front_program(program, sizeof program, err);
    if (rc < 0 || found->count == 0)
        return rc;
    network_host_close(host);
    return network_home_begin(all, program, host, err);
}

/* `found`: what differed at first; `left`: in the end. */
static int check_and_repair(struct containers *all, struct network_host *host,
                            const struct strv *names, struct network_differences *found,
                            struct network_differences *left, struct error *err)
{
    int rc = host->routes < 0 ? find_home_again(all, host, found, err)
                              : networks_check(all, host, names, found, err);
    size_t wrong = found->count;
    char front[PATH_MAX];
    if (rc == 0)
        rc = front_program(front, sizeof front, err);
    for (int i = 0; rc == 0 && wrong > 0 && i < REPAIRS; i++) {
        network_differences_free(left);
        rc = networks_repair(all, host, front, err);
        if (rc == 0)
            rc = networks_check(all, host, names, left, err);
        wrong = left->count;
    }
    return rc;
}

int command_network_check(const struct invocation *call, void *options, struct error *err)
{
    const struct network_check_options *o = options;
    struct network_host host = NETWORK_HOST_NONE;
    autocontainers all = {0};
    autodifferences found = {0}, left = {0};
    autostrv names = {0};
    int rc = containers_here(&all, err);
    if (rc == 0)
        rc = networks_here(&all, &host, err);
    if (rc == 0)
        rc = find_names(call, &host, &names, err);
    if (rc == 0 && o->repair)
        rc = check_and_repair(&all, &host, &names, &found, &left, err);
    else if (rc == 0)
        rc = networks_check(&all, &host, &names, &left, err);
    network_host_close(&host);
    return rc < 0 ? rc : show(&all, o, &found, &left, err);
}
