/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network connect and disconnect: a container is on one network more, or less, while it runs.
 *
 * Killed in between, it has a lease, names or a cable that its status does not tell of: whoever
 * cleans up after its end finds them by the lease, and whoever connects it again. The plan is
 * written last: what was not done to the end can be said again.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/disk.h"
#include "container/events.h"
#include "container/networks_parts.h"
#include "network/elsewhere.h"
#include "path/inroot.h"
#include "runtime/donor.h"
#include "runtime/errand.h"

#define autojoining __attribute__((cleanup(joining_end))) struct joining

/* --- what there is --- */

static int refuse_others(const struct container *c, struct error *err)
{
    const char *name = c->plan.name;
    switch (c->plan.network) {
    case PLAN_NET_BRIDGE:
    case PLAN_NET_NONE:
        return 0;
    case PLAN_NET_HOST:
        return error_set(err, -EINVAL, "container %s has the host's network (--network host)",
                         name);
    default:
        return error_set(err, -EINVAL, "container %s has the network of another (container:%.12s)",
                         name, c->plan.network_container ? c->plan.network_container : "");
    }
}

static bool runs(const struct container *c)
{
    return container_runs(c->now) && !c->ending;
}

/* What a start left, of the plan's endpoint i, and of a container that runs. */
static int resume(struct container *c, struct joining *j, size_t i, struct error *err)
{
    const char *name = c->plan.endpoints[i].network;
    int rc = network_find(&j->host.place, j->host.outside, name, &j->networks[i], err);
    if (rc == 0 && container_port(c, name, &j->ports[i]) < 0)
        rc = error_set(err, -ENOENT,
                       "container %s was put on network %s after its start: restart it first",
                       c->plan.name, name);
    return rc;
}

static int resume_all(struct container *c, struct joining *j, size_t count, struct error *err)
{
    int rc = 0;
    for (; rc == 0 && j->count < count; j->count++)
        rc = resume(c, j, j->count, err);
    return rc;
}

/* The lists that are in force are those of the names; they are not read from the network again.
 * `but`: one that is about to be left. */
static int resume_lists(struct container *c, struct joining *j, size_t count, size_t but,
                        struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (i == but)
            continue;
        autonames names = {0};
        const struct names_member *m = NULL;
        rc = netd_names(&j->host.place, j->networks[i].name, &names, err);
        if (rc == 0)
            m = names_by_id(&names, c->id);
        if (m)
            egress_copy(&m->egress, &j->lists[i]);
        else if (rc == 0 || rc == -ENOENT)
            rc = error_set(err, -ENOENT, "container %s has no names on network %s: restart it",
                           c->plan.name, j->networks[i].name);
    }
    return rc;
}

/* Its network namespace, and a socket of NETLINK_ROUTE there. */
struct inside {
    int namespace, routes;
};

static void inside_close(struct inside *inside)
{
    if (inside->namespace >= 0)
        close(inside->namespace);
    if (inside->routes >= 0)
        close(inside->routes);
}
#define autoinside __attribute__((cleanup(inside_close))) struct inside

static int inside_open(const struct container *c, struct inside *out, struct error *err)
{
    pid_t pid;
    autofd pidfd = container_insider(c, &pid, err);
    out->namespace = pidfd < 0 ? pidfd : donor_namespace(pid, pidfd, "net", err);
    if (out->namespace < 0)
        return out->namespace;
    out->routes = elsewhere_netlink(out->namespace, NETLINK_ROUTE, err);
    return out->routes < 0 ? out->routes : 0;
}

static unsigned next_number(const struct joining *j, size_t count)
{
    unsigned highest = 0;
    bool taken[NETWORK_PORTS_MAX] = {false};
    for (size_t i = 0; i < count; i++) {
        taken[j->ports[i].number % NETWORK_PORTS_MAX] = true;
        highest = j->ports[i].number > highest ? j->ports[i].number : highest;
    }
    unsigned number = count == 0 ? 0 : highest + 1;
    if (number >= NETWORK_PORTS_MAX)
        for (number = 0; number < NETWORK_PORTS_MAX - 1 && taken[number];)
            number++;
    return number;
}

/* --- its resolv.conf ---
 *
 * It is a file that the container may write to, and is changed with no more rights than its root
 * has. Only lines that are ours are: whoever wrote others keeps them. With a read-only root nobody
 * can change it; then it is enough that one of those whom it asks is still there. */

#define RESOLV_CONF "etc/resolv.conf"
#define RESOLV_CONF_MAX (64 << 10)
#define REWRITE_MS 2000 /* it may have become a file that never answers */

struct rewriting {
    struct buf servers; /* lines that are to be there */
    struct strv known;  /* addresses of ours, old and new */
};

static void rewriting_free(struct rewriting *r)
{
    buf_free(&r->servers);
    strv_free(&r->known);
}

#define autorewriting __attribute__((cleanup(rewriting_free))) struct rewriting

static void know_gateways(const struct joining *j, struct rewriting *r)
{
    for (size_t i = 0; i < 2 * j->count; i++) {
        char text[IP_TEXT_MAX];
        ip_format(&j->networks[i / 2].ranges[i % 2].gateway, text);
        if (*text)
            strv_add(&r->known, text);
    }
}

static bool is_ours(const struct rewriting *r, const char *line)
{
    size_t key = strlen("nameserver ");
    return starts_with(line, "nameserver ") && strv_has(&r->known, line + key);
}

/* Whether it asks somebody who answers. */
static bool asks(const struct rewriting *r, const struct strv *lines)
{
    autostrv servers = {0};
    strv_split(&servers, buf_text(&r->servers), '\n');
    for (size_t i = 0; i < lines->len; i++)
        if (*lines->items[i] && strv_has(&servers, lines->items[i]))
            return true;
    return r->servers.len == 0;
}

static int rewrite(void *closure, const struct errand_place *place, uint64_t *count,
                   struct error *err)
{
    const struct rewriting *r = closure;
    autobuf text = {0}, fresh = {0};
    autostrv lines = {0};
    struct stat st;
    (void)count;
    autofd fd = inroot_open_beneath(place->root, RESOLV_CONF, O_RDWR | O_NONBLOCK | O_NOCTTY);
    bool fixed = fd == -EROFS;
    if (fixed)
        fd = inroot_open_beneath(place->root, RESOLV_CONF, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        read_fd(fd, RESOLV_CONF_MAX, &text) < 0)
        return error_set(err, -EINVAL, "it is not what it was");
    strv_split(&lines, buf_text(&text), '\n');
    if (fixed)
        return asks(r, &lines) ? 0 : error_set(err, -EROFS, "it is read-only");
    for (size_t i = 0; i < lines.len; i++)
        if (*lines.items[i] && !is_ours(r, lines.items[i]))
            buf_fmt(&fresh, "%s\n", lines.items[i]);
    buf_str(&fresh, buf_text(&r->servers));
    if (pwrite(fd, fresh.data, fresh.len, 0) != (ssize_t)fresh.len ||
        ftruncate(fd, (off_t)fresh.len) < 0)
        return error_errno(err, "it cannot be written");
    return 0;
}

/* What cannot be done is no error: the container is where it is to be. */
static void rewrite_servers(const struct container *c, struct rewriting *r, struct error *warning)
{
    const struct errand errand = {.work = rewrite, .closure = r, .fds = {-1, -1, -1, -1}};
    struct errand_run run = ERRAND_RUN_NONE;
    struct error why = {0};
    pid_t pid;
    autofd pidfd = container_insider(c, &pid, &why);
    int rc = pidfd < 0 ? pidfd : errand_join(&c->plan, pidfd, &errand, &run, &why);
    if (rc == 0)
        rc = errand_end_within(&run, REWRITE_MS, &why);
    if (rc < 0)
        (void)error_set(warning, rc,
                        "container %s finds no names until it is started again (caisson restart "
                        "%s): its /" RESOLV_CONF " says whom it asked before, and cannot be "
                        "changed: %s",
                        c->plan.name, c->plan.name, why.text);
}

/* --- connect --- */

/* With the names of all its networks anew: each says which others there are. */
static int join_running(struct container *c, struct joining *j, size_t at, struct error *err)
{
    autoinside inside = {-1, -1};
    int rc = inside_open(c, &inside, err);
    if (rc == 0)
        networks_sweep_one(c->all, &j->host, c->plan.endpoints[at].network, c->id);
    if (rc == 0)
        rc = joining_take(c, j, at, next_number(j, at), err);
    j->count = at + 1;
    if (rc < 0)
        return rc;
    joining_choose_outward(j);
    for (size_t i = 0; rc == 0 && i <= at; i++)
        rc = joining_add_names(c, j, i, err);
    if (rc == 0)
        rc = network_plug(&j->host, &j->networks[at], &j->ports[at], inside.routes,
                          inside.namespace, err);
    for (size_t i = 0; rc == 0 && i <= at; i++)
        rc = netd_wait(&j->starts[i], j->networks[i].name, err);
    return rc;
}

static int connect_running(struct container *c, const char *front, struct error *warning,
                           struct error *err)
{
    autojoining j = JOINING_NONE;
    size_t at = c->plan.endpoint_count - 1;
    j.publishing.front = front;
    int rc = joining_open(c, &j, at + 1, err);
    if (rc == 0)
        rc = resume_all(c, &j, at, err);
    if (rc == 0)
        rc = resume_lists(c, &j, at, at, err);
    if (rc < 0)
        return rc;
    rc = join_running(c, &j, at, err);
    if (rc == 0) {
        joining_note(c, &j);
        rc = status_write(c->state, &c->status, err);
    }
    if (rc == 0) {
        autorewriting r = {0};
        know_gateways(&j, &r);
        joining_servers(&j, &r.servers);
        rewrite_servers(c, &r, warning);
    }
    if (rc < 0 && j.count > at)
        network_leave(&j.host, &j.networks[at], &j.ports[at]);
    return rc;
}

static void tell(const struct container *c, const char *name, const char *action)
{
    const struct network_place place = {c->all->root_top, c->all->state_top};
    autonetwork network = {0};
    if (network_find(&place, -1, name, &network, NULL) < 0) /* it was removed meanwhile */
        snprintf(network.name, sizeof network.name, "%s", name);
    event_tell_network(c->all, &network, action, c->id);
}

/* The posture tells where it is, as `run` does. */
static void tell_posture(struct container *c)
{
    struct protection *item = (struct protection *)posture_find(&c->plan.posture, "network");
    autobuf text = {0};
    if (!item)
        return;
    plan_network_text(&c->plan, &text);
    free(item->asked);
    item->asked = xstrdup(buf_text(&text));
    if (item->in_force) {
        free(item->in_force);
        item->in_force = xstrdup(buf_text(&text));
    }
}

static void forget_endpoint(struct plan *plan, size_t i)
{
    plan_endpoint_free(&plan->endpoints[i]);
    plan->endpoint_count--;
    memmove(&plan->endpoints[i], &plan->endpoints[i + 1],
            (plan->endpoint_count - i) * sizeof *plan->endpoints);
}

int container_network_connect(struct container *c, const struct endpoint_words *words,
                              const char *front, struct error *warning, struct error *err)
{
    struct error why = {0};
    int rc = container_lock(c, err);
    if (rc == 0)
        rc = refuse_others(c, err);
    if (rc < 0)
        return rc;
    rc = plan_endpoint(c->all, &c->plan, words, &why);
    if (rc == -EINVAL && words->aliases.len > 0 && streq(words->network, NETWORK_DEFAULT))
        return error_set(err, rc,
                         "--alias needs a network of your own (caisson network create): on the "
                         "default one nobody is there to use it");
    if (rc == -EEXIST)
        return error_set(err, rc, "container %s is on network %s already", c->plan.name,
                         words->network);
    if (rc < 0)
        return error_set(err, rc, "%s", why.text);
    size_t at = c->plan.endpoint_count - 1;
    c->plan.network = PLAN_NET_BRIDGE;
    rc = runs(c) ? connect_running(c, front, warning, err) : 0;
    if (rc < 0) {
        forget_endpoint(&c->plan, at);
        return rc;
    }
    tell_posture(c);
    tell(c, c->plan.endpoints[at].network, "connect");
    return container_save_plan(c, err);
}

/* --- disconnect --- */

/* The way out goes over to the next network that has one. */
static int turn_outward(struct joining *j, const struct inside *inside, struct error *err)
{
    joining_choose_outward(j);
    if (j->networks[j->outward].internal)
        return 0;
    return network_route_out(&j->networks[j->outward], &j->ports[j->outward], inside->routes, err);
}

static void drop(struct joining *j, size_t at)
{
    network_free(&j->networks[at]);
    egress_free(&j->lists[at]);
    j->count--;
    size_t behind = j->count - at;
    memmove(&j->networks[at], &j->networks[at + 1], behind * sizeof *j->networks);
    memmove(&j->ports[at], &j->ports[at + 1], behind * sizeof *j->ports);
    memmove(&j->lists[at], &j->lists[at + 1], behind * sizeof *j->lists);
    j->networks[j->count] = (struct network){0};
    j->lists[j->count] = (struct egress_list){0};
}

/* `at`: of the endpoints as they were; the plan has it no more. */
static int leave_running(struct container *c, struct joining *j, size_t at, struct error *warning,
                         struct error *err)
{
    autoinside inside = {-1, -1};
    int rc = inside_open(c, &inside, err);
    if (rc < 0)
        return rc;
    joining_choose_outward(j);
    bool outward = j->outward == at;
    autorewriting r = {0};
    know_gateways(j, &r);
    rc = network_pull(&j->host, &j->ports[at], err);
    network_leave(&j->host, &j->networks[at], &j->ports[at]);
    drop(j, at);
    joining_note(c, j);
    if (rc == 0)
        rc = status_write(c->state, &c->status, err);
    for (size_t i = 0; rc == 0 && i < j->count; i++)
        rc = joining_add_names(c, j, i, err);
    if (rc == 0 && outward && j->count > 0)
        rc = turn_outward(j, &inside, err);
    for (size_t i = 0; rc == 0 && i < j->count; i++)
        rc = netd_wait(&j->starts[i], j->networks[i].name, err);
    joining_choose_outward(j);
    joining_servers(j, &r.servers);
    rewrite_servers(c, &r, warning);
    return rc;
}

static bool is_there(const struct containers *all, const char *name)
{
    struct network_place place = {all->root_top, all->state_top};
    autonetwork network = {0};
    return network_find(&place, -1, name, &network, NULL) == 0;
}

static size_t find_endpoint(const struct plan *plan, const char *network)
{
    size_t i = 0;
    while (i < plan->endpoint_count && !streq(plan->endpoints[i].network, network))
        i++;
    return i;
}

/* Its name, for one that is given by its id; one that was removed has only the word. */
static void name_of(const struct containers *all, const char *word, char out[NETWORK_NAME_SIZE])
{
    struct network_place place = {all->root_top, all->state_top};
    autonetwork network = {0};
    bool found = network_find(&place, -1, word, &network, NULL) == 0;
    snprintf(out, NETWORK_NAME_SIZE, "%s", found ? network.name : word);
}

/* What a container that runs has on its networks, into `j`. */
static int resume_running(struct container *c, struct joining *j, size_t at, struct error *err)
{
    int rc = joining_open(c, j, c->plan.endpoint_count, err);
    if (rc == 0)
        rc = resume_all(c, j, c->plan.endpoint_count, err);
    return rc == 0 ? resume_lists(c, j, c->plan.endpoint_count, at, err) : rc;
}

static int disconnect(struct container *c, size_t at, const char *front, struct error *warning,
                      struct error *err)
{
    autojoining j = JOINING_NONE;
    struct network_port port;
    autofree char *network = xstrdup(c->plan.endpoints[at].network);
    bool there = runs(c) && container_port(c, network, &port) == 0;
    j.publishing.front = front;
    int rc = there ? resume_running(c, &j, at, err) : 0;
    if (rc < 0)
        return rc;
    forget_endpoint(&c->plan, at);
    tell_posture(c);
    if (there)
        rc = leave_running(c, &j, at, warning, err);
    else if (runs(c)) /* of a command that was killed */
        networks_sweep_one(c->all, &j.host, network, c->id);
    if (rc == 0)
        rc = container_save_plan(c, err);
    if (rc == 0)
        tell(c, network, "disconnect");
    return rc;
}

int container_network_disconnect(struct container *c, const char *network, bool force,
                                 const char *front, struct error *warning, struct error *err)
{
    char name[NETWORK_NAME_SIZE];
    name_of(c->all, network, name);
    int rc = container_lock(c, err);
    if (rc == 0)
        rc = refuse_others(c, err);
    if (rc < 0)
        return rc;
    size_t at = find_endpoint(&c->plan, name);
    if (at == c->plan.endpoint_count && !force && !is_there(c->all, name))
        return error_set(err, -ENOENT, "no such network: %s; see caisson network ls", name);
    if (at == c->plan.endpoint_count)
        return force ? 0
                     : error_set(err, -ENOENT, "container %s is not on network %s", c->plan.name,
                                 name);
    if (at == 0 && c->plan.ports.count > 0 && runs(c))
        return error_set(err, -EBUSY,
                         "container %s publishes its ports from network %s: stop it first",
                         c->plan.name, name);
    return disconnect(c, at, front, warning, err);
}
