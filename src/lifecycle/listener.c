/* SPDX-License-Identifier: Apache-2.0 */
/* The filter of a bundle, and whoever answers the calls that it lets wait: the program behind
 * linux.seccomp.listenerPath gets the listener with the state of the container (runtime-spec's
 * "container process state"). */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "lifecycle/life.h"

int filter_open(const struct living *c, const struct bundle *bundle, const char *status,
                struct filter *out, struct error *err)
{
    *out = (struct filter){.listener = {.socket = -1}};
    if (!bundle->seccomp)
        return 0;
    int rc =
        seccomp_from_bundle(bundle->seccomp, strlen(bundle->seccomp), bundle->plan.caps.bounding,
                            bundle->listener_path != NULL, &out->program, err);
    out->there = rc == 0;
    if (rc < 0 || !out->program.notifies)
        return rc;
    out->listener.socket = unix_connect(bundle->listener_path, "linux.seccomp.listenerPath", err);
    if (out->listener.socket < 0)
        return out->listener.socket;
    autobuf before = {0};
    autobuf after = {0};
    autobuf state = {0};
    living_state(c, status, c->pid, 0, &state);
    buf_str(&before, "{\"ociVersion\":\"1.2.0\",\"fds\":[\"seccompFd\"],\"pid\":");
    buf_str(&after, ",\"metadata\":");
    json_quote(&after, bundle->listener_metadata, strlen(bundle->listener_metadata));
    buf_fmt(&after, ",\"state\":%s}", buf_text(&state));
    out->before = buf_take(&before);
    out->after = buf_take(&after);
    out->listener.before = out->before;
    out->listener.after = out->after;
    return 0;
}

void filter_close(struct filter *filter)
{
    seccomp_program_free(&filter->program);
    if (filter->listener.socket >= 0)
        close(take_fd(&filter->listener.socket));
    free(take_ptr(filter->before));
    free(take_ptr(filter->after));
}
