/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/image_events.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "cmd/verb.h"
#include "oci/reference.h"
#include "store/event_log.h"

int image_events_open(void)
{
    autofd state = open_own_directory(global_options.state, "--state", NULL);
    int fd = state < 0 ? -1 : event_log_open(state);
    return fd < 0 ? -1 : fd;
}

static void tell(int events, const char *action, const char *id,
                 const struct event_attribute *attribute)
{
    event_log_write(
        events,
        &(struct event){
            .type = "image", .action = action, .id = id, .attributes = attribute, .count = 1});
}

void image_event(int events, const char *action, const char *id, const char *name)
{
    autoreference ref = {0};
    autobuf familiar = {0};
    if (name && reference_parse(name, &ref, NULL) == 0)
        reference_familiar(&ref, &familiar);
    tell(events, action, id,
         &(struct event_attribute){"name", familiar.len > 0 ? familiar.data
                                           : name           ? name
                                                            : id});
}

void image_event_names(int events, const char *action, const char *id, const struct strv *names)
{
    for (size_t i = 0; i < names->len; i++)
        image_event(events, action, id, names->items[i]);
    if (names->len == 0)
        image_event(events, action, id, NULL);
}

void image_event_pruned(int events, uint64_t bytes)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)bytes);
    tell(events, "prune", "", &(struct event_attribute){"reclaimed", text});
}
