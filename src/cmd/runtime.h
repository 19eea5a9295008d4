/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of caisson-runtime, and what they share. */
#ifndef CAISSON_CMD_RUNTIME_H
#define CAISSON_CMD_RUNTIME_H

#include "cmd/runtime_line.h"
#include "cmd/runtime_options.h"
#include "lifecycle/life.h"

/* Refuses what the options before the verb may not be, and opens --root. */
int runtime_root(bool make, struct containers_root *root, struct error *err);
/* The container of the first argument, with its lock when it is to be changed. */
int runtime_find(const struct invocation *call, bool lock, struct containers_root *root,
                 struct living *out, struct error *err);
/* Descriptors that the container gets: --preserve-fds and LISTEN_FDS, all of which have to be open.
 * To be called before anything else is; `env` gets what those of LISTEN_FDS are announced by. */
int runtime_keep(int64_t preserve, int *keep, struct strv *env, struct error *err);
/* Warnings go to the log, and with --debug to standard error. */
void runtime_warn(const struct strv *warnings);
/* Engines find out by certain words, in small letters as Go prints them, whether it was the command
 * that could not be found or executed, and end with 127 or 126 then. Returns `rc`. */
int runtime_words(int rc, struct error *err);
/* Ends like the process that was waited for. */
int runtime_wait(struct launched *run, int *status, struct error *err);

verb_handler command_runtime_create, command_runtime_start, command_runtime_run,
    command_runtime_exec, command_runtime_kill, command_runtime_delete, command_runtime_pause,
    command_runtime_resume, command_runtime_update, command_runtime_state, command_runtime_ps,
    command_runtime_list, command_runtime_events, command_runtime_spec, command_runtime_features,
    command_runtime_checkpoint;

#endif
