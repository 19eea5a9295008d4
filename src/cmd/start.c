/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>

#include "base/text.h"
#include "cmd/container_options.h"
#include "cmd/container_words.h"
#include "cmd/front.h"
#include "container/attach.h"
#include "container/detach_keys.h"
#include "container/relay.h"
#include "container/start.h"

struct start {
    struct store store;
    struct start_options options;
    int exit_code;
};

/* It runs already: then that is all that is left to do. */
static int attach_to(struct container *c, struct start *start, struct error *err)
{
    struct attach_options attach = {.interactive = start->options.interactive,
                                    .sig_proxy = true,
                                    .redraw = true,
                                    .keys = start->options.keys};
    int rc = container_attach(c, &attach, &start->exit_code, err);
    if (rc == RELAY_DETACHED)
        tell_detached(c);
    return rc < 0 ? rc : 0;
}

static int start_one(struct containers *all, const char *word, void *closure, struct error *err)
{
    struct start *start = closure;
    autocontainer c = CONTAINER_EMPTY;
    int rc = container_find(all, word, &c, err);
    if (rc < 0)
        return rc;
    if (start->options.foreground && container_runs(c.now))
        return attach_to(&c, start, err);
    start->options.sig_proxy = true;
    rc = front_delegate(&c, true, err);
    if (rc < 0)
        return rc;
    rc = container_start(&c, &start->store, &start->options, &start->exit_code, err);
    if (rc < 0)
        return rc;
    if (rc == RELAY_DETACHED)
        tell_detached(&c);
    start->exit_code = start->options.foreground ? start->exit_code : 0;
    return start->options.foreground ? 0 : print_word(word);
}

/* Becoming a sealed copy of this program begins everything anew, so it comes first. */
static int seal_if_needed(const struct invocation *call, struct error *err)
{
    autocontainers all = {0};
    int rc = containers_here(&all, err);
    for (size_t i = 0; rc == 0 && i < call->count; i++) {
        autocontainer c = CONTAINER_EMPTY;
        if (container_find(&all, call->arguments[i], &c, NULL) == 0)
            rc = front_seal_for(&c.plan, err);
    }
    return rc;
}

int command_start(const struct invocation *call, void *options, struct error *err)
{
    const struct start_words *o = options;
    char program[PATH_MAX];
    struct detach_keys keys;
    struct start start = {
        .store = {.root_fd = -1, .lock_fd = -1},
        .options = {.foreground = o->attach || o->interactive,
                    .interactive = o->interactive,
                    .program = program,
                    .keys = &keys,
                    .hints = true},
    };
    if (start.options.foreground && call->count > 1)
        return error_set(err, -EINVAL, "--attach and --interactive take one container at a time");
    int rc = detach_keys_parse(o->detach_keys, &keys, err);
    if (rc == 0)
        rc = seal_if_needed(call, err);
    if (rc == 0)
        rc = front_program(program, sizeof program, err);
    if (rc == 0)
        rc = store_open(global_options.root, &start.store, err);
    if (rc < 0)
        return rc;
    int status = for_each_word(call, start_one, &start, err);
    store_close(&start.store);
    return status != 0 && start.exit_code == 0 ? status : start.exit_code;
}
