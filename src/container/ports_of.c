/* SPDX-License-Identifier: Apache-2.0 */
/* What a container's start and its end do with its published ports. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "container/disk.h"
#include "container/ports.h"
#include "container/programs.h"
#include "container/summary.h"
#include "network/port_line.h"
#include "runtime/syscalls.h"

#define END_PATIENCE_MS 5000
#define READY "ready "

/* --- whose a port is --- */

struct owner {
    char id[CONTAINER_ID_MAX];
    struct published theirs;
    bool alive;
};

static bool holds(const struct containers *all, const char *id, const struct published *wanted,
                  struct owner *out)
{
    struct container_status status = {0};
    autofd state = openat(all->state_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool found = false;
    if (state < 0 || status_read(state, STATUS_NAME, &status, NULL) < 0)
        return false;
    const char *at = status.published;
    while (!found && published_next(&at, &out->theirs))
        found = published_collide(&out->theirs, wanted);
    if (found) {
        snprintf(out->id, sizeof out->id, "%s", id);
        out->alive = process_alive(status.pid, status.start_time) &&
                     process_alive(status.relay, status.relay_start);
    }
    status_free(&status);
    return found;
}

static bool find_owner(struct containers *all, const struct published *wanted, struct owner *out)
{
    autostrv ids = {0};
    if (container_list(all, &ids, NULL) < 0)
        return false;
    for (size_t i = 0; i < ids.len; i++)
        if (holds(all, ids.items[i], wanted, out))
            return true;
    return false;
}

static int refuse(struct containers *all, const struct published *wanted, const struct owner *owner,
                  struct error *err)
{
    struct container_summary summary = {0};
    char place[PORT_TEXT_MAX];
    port_place_format(&wanted->address, wanted->host, place);
    if (!owner)
        return error_set(err, -EADDRINUSE,
                         "cannot bind %s: in use by another program (ss -l%snp shows which); "
                         "choose another port with -p",
                         place, port_protocol_name(wanted->inner.protocol)[0] == 'u' ? "u" : "t");
    (void)container_summary(all, owner->id, &summary, NULL);
    int rc = error_set(err, -EADDRINUSE,
                       "cannot bind %s: in use by container %.60s (published %u→%u); choose "
                       "another port with -p",
                       place, summary.name ? summary.name : owner->id, owner->theirs.host,
                       owner->theirs.inner.number);
    summary_free(&summary);
    return rc;
}

/* --- the start --- */

int publishing_begin(struct container *c, struct publishing *p, struct error *err)
{
    struct published wanted = {0};
    struct owner owner = {0};
    if (c->plan.ports.count == 0)
        return 0;
    int rc = listeners_open(&c->plan.ports, &p->listeners, &wanted, err);
    bool owned = rc == -EADDRINUSE && find_owner(c->all, &wanted, &owner);
    if (owned && !owner.alive) { /* it has ended, and who finds it cleans up after it */
        autocontainer other = CONTAINER_EMPTY;
        (void)container_find(c->all, owner.id, &other, NULL);
        rc = listeners_open(&c->plan.ports, &p->listeners, &wanted, err);
        owned = rc == -EADDRINUSE && find_owner(c->all, &wanted, &owner);
    }
    return rc == -EADDRINUSE ? refuse(c->all, &wanted, owned ? &owner : NULL, err) : rc;
}

static void forget_child(struct publishing *p)
{
    if (p->said >= 0)
        close(take_fd(&p->said));
    if (p->child > 0)
        (void)waitpid(p->child, NULL, 0);
    p->child = 0;
}

int publishing_start(struct publishing *p, const struct ip_address own[2],
                     const struct ip_address gateway[2], int namespace, int pidfd,
                     struct error *err)
{
    struct port_line line = {
        .pid = pidfd, .network = namespace, .apart = p->apart, .listeners = p->listeners};
    autostrv words = {0};
    int said[2];
    forget_child(p); /* of a launch that is tried a second time */
    autofree char *program = program_beside(p->front, "caisson-port", err);
    if (!program)
        return -ENOENT;
    if (pipe2(said, O_CLOEXEC) < 0)
        return error_errno(err, "cannot start caisson-port");
    autofd writer = said[1];
    p->said = said[0];
    memcpy(line.own, own, sizeof line.own);
    memcpy(line.gateway, gateway, sizeof line.gateway);
    line.said = writer;
    port_line_write(&line, &words);
    autofree int *keep = xcalloc(p->listeners.count + 3, sizeof *keep);
    size_t count = 0;
    keep[count++] = pidfd;
    keep[count++] = namespace;
    keep[count++] = writer;
    for (size_t i = 0; i < p->listeners.count; i++)
        keep[count++] = p->listeners.items[i].fd;
    const struct process_spec spec = {.program = program,
                                      .argv = strv_argv(&words),
                                      .environment = (char *const[]){NULL},
                                      .fds = {-1, -1, -1},
                                      .keep = keep,
                                      .keep_count = count};
    return process_start(&spec, &p->child, NULL, err);
}

int publishing_finish(struct container *c, struct publishing *p, struct error *err)
{
    autobuf words = {0}, published = {0};
    int64_t pid = 0;
    if (p->listeners.count == 0)
        return 0;
    int rc = read_fd(p->said, sizeof err->text, &words);
    if (rc == 0 && starts_with(buf_text(&words), READY))
        rc = parse_i64(buf_text(&words) + strlen(READY), 1, INT32_MAX, &pid);
    if (rc < 0 || pid == 0)
        return error_set(err, -ECHILD, "cannot publish the container's ports: %s",
                         words.len ? buf_text(&words) : "caisson-port ended before it was ready");
    for (size_t i = 0; i < p->listeners.count; i++)
        published_format(&p->listeners.items[i].at, &published);
    free(c->status.published);
    c->status.published = buf_take(&published);
    c->status.relay = (pid_t)pid;
    /* One that has ended already, with its container, keeps 0, which no process has. */
    if (process_start_time(c->status.relay, &c->status.relay_start) < 0)
        c->status.relay_start = 0;
    return 0;
}

void publishing_end(struct publishing *p)
{
    forget_child(p);
    listeners_close(&p->listeners);
}

/* --- the end --- */

void container_ports_leave(struct container *c)
{
    autofd pidfd = c->status.relay > 0 ? sys_pidfd_open(c->status.relay) : -1;
    if (pidfd >= 0 && process_alive(c->status.relay, c->status.relay_start) &&
        sys_pidfd_send_signal(pidfd, SIGKILL) == 0)
        (void)poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, END_PATIENCE_MS);
    free(take_ptr(c->status.published));
    c->status.relay = 0;
}

const char *container_published(const struct container_status *status)
{
    return process_alive(status->relay, status->relay_start) ? status->published : NULL;
}
