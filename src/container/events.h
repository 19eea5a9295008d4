/* SPDX-License-Identifier: Apache-2.0 */
/* Events of containers, their volumes and networks into the file that store/event_log.h keeps, and
 * reading it. */
#ifndef CAISSON_CONTAINER_EVENTS_H
#define CAISSON_CONTAINER_EVENTS_H

#include "base/json.h"
#include "container/container.h"
#include "network/networks.h"
#include "store/event_log.h"

#define EVENT_MORE_MAX 4
#define EVENT_VOLUME_DRIVER "local"
#define EVENT_NETWORK_DRIVER "bridge"

/* "start", "die" … `key` and `value`: one more attribute, or NULL. */
void event_tell(const struct containers *all, const struct plan *plan, const char *id,
                const char *action, const char *key, const char *value);
/* The same with up to EVENT_MORE_MAX attributes. */
void event_tell_with(const struct containers *all, const struct plan *plan, const char *id,
                     const char *action, const struct event_attribute *more, size_t count);
/* The same with a number. */
void event_tell_number(const struct containers *all, const struct plan *plan, const char *id,
                       const char *action, const char *key, long long value);
/* "create", "destroy". */
void event_tell_volume(const struct containers *all, const char *name, const char *action);
/* For each volume of a container that begins to run, or has ended. */
void event_tell_mounts(const struct containers *all, const struct plan *plan, const char *id);
void event_tell_unmounts(const struct containers *all, const struct plan *plan, const char *id);
/* "create", "destroy"; of a container that comes to it or goes "connect", "disconnect", with the
 * container's id, else NULL. */
void event_tell_network(const struct containers *all, const struct network *network,
                        const char *action, const char *container);
/* Of all "container"s, "network"s or "volume"s that nobody needed. */
void event_tell_pruned(const struct containers *all, const char *type, uint64_t bytes);

struct event_query {
    nanoseconds since, until; /* wall clock; INT64_MAX: from now, without end */
};
/* One event: its line, and what it says. Something other than 0 ends the reading. */
typedef int event_each(const char *line, const json_t *event, void *closure, struct error *err);
/* What was kept since query->since, then what comes until query->until. -EPIPE when nobody reads
 * standard output any more. */
int events_read(const struct containers *all, const struct event_query *query, event_each *each,
                void *closure, struct error *err);

#endif
