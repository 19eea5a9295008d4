/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "base/cleanup.h"
#include "cmd/container_options.h"
#include "cmd/container_words.h"
#include "cmd/front.h"
#include "cmd/print.h"
#include "container/attach.h"
#include "container/detach_keys.h"
#include "container/events.h"
#include "container/relay.h"

void tell_detached(const struct container *c)
{
    fprintf(stderr, "caisson: container %s goes on; come back with: caisson attach %s\n",
            c->plan.name, c->plan.name);
}

int command_attach(const struct invocation *call, void *options, struct error *err)
{
    const struct attach_words *o = options;
    autocontainers all = {0};
    autocontainer c = CONTAINER_EMPTY;
    struct detach_keys keys;
    int exit_code = 1;
    int rc = detach_keys_parse(o->detach_keys, &keys, err);
    if (rc == 0)
        rc = containers_here(&all, err);
    if (rc == 0)
        rc = container_find(&all, call->arguments[0], &c, err);
    if (rc < 0)
        return rc;
    bool typed = c.plan.stdin_open && !o->no_stdin;
    if (typed && c.plan.terminal && !isatty(STDIN_FILENO))
        return error_set(err, -ENOTTY,
                         "container %s has a terminal, and the standard input is none; give "
                         "--no-stdin to look only",
                         c.plan.name);
    struct attach_options attach = {
        .interactive = typed, .sig_proxy = o->sig_proxy != 0, .redraw = true, .keys = &keys};
    event_tell(&all, &c.plan, c.id, "attach", NULL, NULL);
    rc = container_attach(&c, &attach, &exit_code, err);
    if (rc == RELAY_DETACHED) {
        tell_detached(&c);
        return 0;
    }
    return rc < 0 ? rc : exit_code;
}
