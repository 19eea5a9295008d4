/* SPDX-License-Identifier: Apache-2.0 */
#include "container/networks_check.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "container/disk.h"
#include "container/networks_parts.h"

/* What is seen each time differs; in between a start or an end has gone on. Milliseconds. */
static const unsigned pauses[] = {30, 100, 250};

/* --- who has a lease --- */

enum owner {
    OWNER_RUNS,
    OWNER_PASSES, /* it is being started, or cleaned up after */
    OWNER_GONE,
};

/* It runs only when all of its cables lie (start.c), and its status goes before its leases. */
static enum owner owner_of(const struct containers *all, const char *id)
{
    struct container_status status = {0};
    enum owner owner = OWNER_GONE;
    if (!id_valid(id))
        return OWNER_GONE;
    autofd lock = disk_lock(all, id, false, LOCK_SH | LOCK_NB, NULL);
    autofd state = openat(all->state_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (state >= 0 && status_read(state, STATUS_NAME, &status, NULL) == 0) {
        if (process_alive(status.pid, status.start_time))
            owner = OWNER_RUNS;
        else if (process_alive(status.monitor, status.monitor_start))
            owner = OWNER_PASSES;
    }
    status_free(&status);
    return owner == OWNER_GONE && lock == -EWOULDBLOCK ? OWNER_PASSES : owner;
}

bool networks_owner_gone(const struct containers *all, const char *id)
{
    return owner_of(all, id) == OWNER_GONE;
}

static int check_leases(const struct containers *all, const struct network_host *host,
                        struct network_differences *out, struct error *err)
{
    autostrv names = {0};
    int rc = network_list(&host->place, &names, err);
    for (size_t i = 0; rc == 0 && i < names.len; i++) {
        autoleases leases = {0};
        rc = lease_list(&host->place, names.items[i], &leases, err);
        for (size_t j = 0; rc == 0 && j < leases.count; j++) {
            char text[IP_TEXT_MAX];
            const struct lease *lease = &leases.items[j];
            if (owner_of(all, lease->owner) != OWNER_GONE)
                continue;
            ip_format(&lease->address, text);
            network_differs(out, NETWORK_BY_REPAIR, names.items[i], lease->owner,
                            "%s was not given back, and the container does not run", text);
        }
    }
    return rc;
}

static int check_names(const struct network_host *host, struct network_differences *out,
                       struct error *err)
{
    autostrv names = {0};
    int rc = network_list(&host->place, &names, err);
    for (size_t i = 0; rc == 0 && i < names.len; i++)
        if (netd_is_missing(&host->place, names.items[i]))
            network_differs(out, NETWORK_BY_RUN, names.items[i], NULL,
                            "names are not answered: its caisson-netd has ended");
    return rc;
}

/* --- looking --- */

static void move(struct network_differences *to, struct network_difference *one)
{
    network_differs(to, one->remedy, one->network, one->owner, "%s", one->what);
}

/* With those of containers that run: what else one has is told as its lease. */
static int look_once(const struct containers *all, const struct network_host *host,
                     struct network_differences *out, struct error *err)
{
    autodifferences found = {0};
    int rc = network_check(host, &found, err);
    for (size_t i = 0; rc == 0 && i < found.count; i++)
        if (!found.items[i].owner || owner_of(all, found.items[i].owner) == OWNER_RUNS)
            move(out, &found.items[i]);
    if (rc == 0)
        rc = check_leases(all, host, out, err);
    return rc < 0 ? rc : check_names(host, out, err);
}

static bool concerns(const struct strv *names, const struct network_difference *one)
{
    return names->len == 0 || !one->network || strv_has(names, one->network);
}

static void wait_milliseconds(unsigned milliseconds)
{
    struct timespec time = {.tv_nsec = milliseconds * 1000000L};
    while (nanosleep(&time, &time) < 0 && errno == EINTR)
        ;
}

int networks_check(struct containers *all, const struct network_host *host,
                   const struct strv *names, struct network_differences *out, struct error *err)
{
    autodifferences last = {0};
    int rc = look_once(all, host, &last, err);
    for (size_t i = 0; rc == 0 && last.count > 0 && i < sizeof pauses / sizeof *pauses; i++) {
        autodifferences now = {0}, both = {0};
        wait_milliseconds(pauses[i]);
        rc = look_once(all, host, &now, err);
        for (size_t j = 0; rc == 0 && j < now.count; j++)
            if (network_differences_have(&last, &now.items[j]))
                move(&both, &now.items[j]);
        network_differences_free(&last);
        last = both;
        both = (struct network_differences){0};
    }
    for (size_t i = 0; rc == 0 && i < last.count; i++)
        if (concerns(names, &last.items[i]))
            move(out, &last.items[i]);
    return rc;
}

/* --- repairing --- */

/* As whoever comes by does it; a lease of nobody else's is taken back by itself. */
static void give_back(struct containers *all, const char *id)
{
    if (id_valid(id))
        disk_tidy(all, id);
    if (owner_of(all, id) == OWNER_GONE)
        networks_sweep(all, id);
}

static int answer_names(const struct network_host *host, const struct strv *names,
                        const char *front, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < names->len; i++) {
        autonetwork network = {0};
        if (netd_is_missing(&host->place, names->items[i]) &&
            network_find(&host->place, host->outside, names->items[i], &network, NULL) == 0)
            rc = networks_answer_names(host, &network, front, err);
    }
    return rc;
}

int networks_repair(struct containers *all, const struct network_host *host, const char *front,
                    struct error *err)
{
    autostrv names = {0};
    int rc = network_list(&host->place, &names, err);
    for (size_t i = 0; rc == 0 && i < names.len; i++) {
        autoleases leases = {0};
        rc = lease_list(&host->place, names.items[i], &leases, err);
        for (size_t j = 0; rc == 0 && j < leases.count; j++)
            if (owner_of(all, leases.items[j].owner) == OWNER_GONE)
                give_back(all, leases.items[j].owner);
    }
    if (rc == 0)
        rc = network_repair(host, err);
    return rc < 0 ? rc : answer_names(host, &names, front, err);
}
