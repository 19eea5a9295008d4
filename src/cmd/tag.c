/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/file.h>

#include "base/cleanup.h"
#include "cmd/image_events.h"
#include "cmd/image_worker.h"
#include "store/names.h"

int command_tag(const struct invocation *call, void *options, struct error *err)
{
    autostore store = {0};
    autofree char *source = NULL;
    autobuf name = {0};
    char id[DIGEST_MAX];
    autoreference target = {0};
    (void)options;
    int rc = reference_parse(call->arguments[1], &target, err);
    if (rc == 0)
        rc = open_store(&store, err);
    if (rc == 0)
        rc = store_lock(&store, LOCK_SH, err);
    if (rc == 0)
        rc = store_find(&store, call->arguments[0], id, &source, err);
    if (rc == 0)
        rc = store_tag(&store, call->arguments[0], &target, err);
    if (rc < 0)
        return rc;
    reference_full(&target, &name);
    autofd events = image_events_open();
    image_event(events, "tag", id, buf_text(&name));
    return 0;
}
