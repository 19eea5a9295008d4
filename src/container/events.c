/* SPDX-License-Identifier: Apache-2.0 */
#include "container/events.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"

/* --- telling ---------------------------------------------------------------------------------- */

void event_tell(const struct containers *all, const struct plan *plan, const char *id,
                const char *action, const char *key, const char *value)
{
    event_tell_with(all, plan, id, action, &(struct event_attribute){key, value}, key ? 1 : 0);
}

void event_tell_with(const struct containers *all, const struct plan *plan, const char *id,
                     const char *action, const struct event_attribute *more, size_t count)
{
    const char *image = plan->image_name ? plan->image_name : "";
    if (plan->step)
        return;
    struct event_attribute attributes[2 + EVENT_MORE_MAX] = {
        {"image", image}, {"name", plan->name ? plan->name : ""}};
    for (size_t i = 0; i < count; i++)
        attributes[2 + i] = more[i];
    event_log_tell(all->state_top, &(struct event){.type = "container",
                                                   .action = action,
                                                   .id = id,
                                                   .from = image,
                                                   .attributes = attributes,
                                                   .count = 2 + count,
                                                   .labels = &plan->labels});
}

void event_tell_number(const struct containers *all, const struct plan *plan, const char *id,
                       const char *action, const char *key, long long value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", value);
    event_tell(all, plan, id, action, key, text);
}

void event_tell_volume(const struct containers *all, const char *name, const char *action)
{
    const struct event_attribute driver = {"driver", EVENT_VOLUME_DRIVER};
    event_log_tell(
        all->state_top,
        &(struct event){
            .type = "volume", .action = action, .id = name, .attributes = &driver, .count = 1});
}

void event_tell_mounts(const struct containers *all, const struct plan *plan, const char *id)
{
    for (size_t i = 0; i < plan->mount_count; i++) {
        const struct plan_mount *m = &plan->mounts[i];
        if (m->kind != PLAN_VOLUME || m->given)
            continue;
        const struct event_attribute attributes[] = {
            {"container", id},
            {"destination", m->target},
            {"driver", EVENT_VOLUME_DRIVER},
            {"propagation", ""},
            {"read/write", m->read_only ? "false" : "true"}};
        event_log_tell(all->state_top,
                       &(struct event){.type = "volume",
                                       .action = "mount",
                                       .id = m->source,
                                       .attributes = attributes,
                                       .count = sizeof attributes / sizeof *attributes});
    }
}

void event_tell_unmounts(const struct containers *all, const struct plan *plan, const char *id)
{
    const struct event_attribute attributes[] = {{"container", id},
                                                 {"driver", EVENT_VOLUME_DRIVER}};
    for (size_t i = 0; i < plan->mount_count; i++)
        if (plan->mounts[i].kind == PLAN_VOLUME && !plan->step)
            event_log_tell(all->state_top, &(struct event){.type = "volume",
                                                           .action = "unmount",
                                                           .id = plan->mounts[i].source,
                                                           .attributes = attributes,
                                                           .count = 2});
}

void event_tell_network(const struct containers *all, const struct network *network,
                        const char *action, const char *container)
{
    const struct event_attribute attributes[] = {
        {"container", container}, {"name", network->name}, {"type", EVENT_NETWORK_DRIVER}};
    event_log_tell(all->state_top, &(struct event){.type = "network",
                                                   .action = action,
                                                   .id = network->id,
                                                   .attributes = attributes,
                                                   .count = 3});
}

void event_tell_pruned(const struct containers *all, const char *type, uint64_t bytes)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)bytes);
    const struct event_attribute reclaimed = {"reclaimed", text};
    event_log_tell(
        all->state_top,
        &(struct event){
            .type = type, .action = "prune", .id = "", .attributes = &reclaimed, .count = 1});
}

/* --- reading ---------------------------------------------------------------------------------- */

#define CHUNK (64 << 10)

struct reader {
    const struct event_query *query;
    event_each *each;
    void *closure;
    int state;
    int fd; /* the newest file, -1: there is none yet */
    struct buf rest;
    bool over; /* an event after query->until was read */
};

static int read_line(struct reader *r, char *line, struct error *err)
{
    int64_t when = 0;
    autojson event = json_parse(line, strlen(line), "an event", NULL);
    if (!event || json_get_i64(event, "timeNano", &when, NULL) < 0)
        return 0; /* half of a line, where the disk was full */
    if (when > r->query->until)
        r->over = true;
    if (when > r->query->until || when < r->query->since)
        return 0;
    return r->each(line, event, r->closure, err);
}

/* What `fd` has more by now. */
static int read_more(struct reader *r, int fd, struct error *err)
{
    char chunk[4096];
    ssize_t n;
    int rc = 0;
    while (rc == 0 && (n = read(fd, chunk, sizeof chunk)) > 0) {
        buf_add(&r->rest, chunk, (size_t)n);
        char *at = r->rest.data, *end;
        while (rc == 0 && (end = memchr(at, '\n', r->rest.len - (size_t)(at - r->rest.data)))) {
            *end = '\0';
            rc = read_line(r, at, err);
            at = end + 1;
        }
        size_t used = (size_t)(at - r->rest.data);
        memmove(r->rest.data, at, r->rest.len - used);
        r->rest.len -= used;
        if (r->rest.len > CHUNK) /* no line of ours is that long */
            buf_clear(&r->rest);
    }
    return rc;
}

static int open_events(int state, const char *name)
{
    return openat(state, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

static bool has_its_name(const struct reader *r)
{
    struct stat ours, named;
    return fstat(r->fd, &ours) == 0 &&
           fstatat(r->state, EVENTS_NAME, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           named.st_ino == ours.st_ino && named.st_dev == ours.st_dev;
}

/* All there is by now, going over to the next file where one was begun. */
static int read_all(struct reader *r, struct error *err)
{
    for (;;) {
        if (r->fd < 0)
            r->fd = open_events(r->state, EVENTS_NAME);
        if (r->fd < 0)
            return 0;
        bool last = has_its_name(r);
        int rc = read_more(r, r->fd, err);
        if (rc != 0 || last)
            return rc;
        buf_clear(&r->rest);
        close(take_fd(&r->fd));
    }
}

/* Until something changes or it is over. */
static int wait_for_more(const struct reader *r, int inotify, struct error *err)
{
    char changes[4096];
    nanoseconds left = r->query->until == INT64_MAX ? -1 : r->query->until - clock_wall();
    if (left < 0 && r->query->until != INT64_MAX)
        return 1;
    struct timespec ts = {.tv_sec = left / NSEC_PER_SEC, .tv_nsec = left % NSEC_PER_SEC};
    /* Whoever reads what we print may go while nothing happens. */
    struct pollfd fds[] = {{.fd = inotify, .events = POLLIN}, {.fd = STDOUT_FILENO}};
    int n = ppoll(fds, 2, left < 0 ? NULL : &ts, NULL);
    if (n < 0 && errno != EINTR)
        return error_errno(err, "cannot wait for events");
    if (fds[1].revents & (POLLERR | POLLNVAL))
        return -EPIPE;
    while (read(inotify, changes, sizeof changes) > 0)
        ;
    return 0;
}

static int follow(struct reader *r, struct error *err)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", r->state);
    autofd inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (inotify < 0 ||
        inotify_add_watch(inotify, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
        return error_errno(err, "cannot watch for events");
    int rc = read_all(r, err);
    while (rc == 0 && !r->over) {
        rc = wait_for_more(r, inotify, err);
        if (rc == 0)
            rc = read_all(r, err);
    }
    return rc > 0 ? 0 : rc;
}

int events_read(const struct containers *all, const struct event_query *query, event_each *each,
                void *closure, struct error *err)
{
    struct reader r = {
        .query = query, .each = each, .closure = closure, .state = all->state_top, .fd = -1};
    int rc = 0;
    /* Opened before the older one is: should it become the older one meanwhile, nothing is missed,
     * and what stands in both is the same file. */
    r.fd = open_events(r.state, EVENTS_NAME);
    autofd old = open_events(r.state, EVENTS_OLD_NAME);
    struct stat a, b;
    bool same = r.fd >= 0 && old >= 0 && fstat(r.fd, &a) == 0 && fstat(old, &b) == 0 &&
                a.st_ino == b.st_ino && a.st_dev == b.st_dev;
    if (old >= 0 && !same)
        rc = read_more(&r, old, err);
    buf_clear(&r.rest);
    if (rc == 0)
        rc = follow(&r, err);
    if (r.fd >= 0)
        close(r.fd);
    buf_free(&r.rest);
    return rc;
}
