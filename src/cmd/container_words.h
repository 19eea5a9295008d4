/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs for containers share: from words to containers, and how containers are shown. */
#ifndef CAISSON_CMD_CONTAINER_WORDS_H
#define CAISSON_CMD_CONTAINER_WORDS_H

#include "cmd/verb.h"
#include "container/container.h"

#define SHORT_ID 12 /* digits of an id in tables */

/* The containers of --root and --state. */
int containers_here(struct containers *out, struct error *err);
#define autocontainers __attribute__((cleanup(containers_close))) struct containers

/* Does `each` for every word, tells what went wrong with one and goes on with the next. The exit
 * status. `each` returns 0 or a negative errno. */
typedef int each_word(struct containers *all, const char *word, void *closure, struct error *err);
int for_each_word(const struct invocation *call, each_word *each, void *closure, struct error *err);
/* The word as it was given, on a line of its own. */
int print_word(const char *word);

/* A time as people write it, or an age; NULL leaves *when as it is. -EINVAL with a sentence that
 * names the flag. */
int read_moment(const char *flag, const char *text, nanoseconds *when, struct error *err);
/* -EINVAL with a sentence that names the flag. */
int read_signal(const char *flag, const char *text, int *number, struct error *err);

verb_handler command_ps, command_inspect, command_logs, command_attach, command_start, command_stop,
    command_kill, command_wait, command_rm, command_stats, command_top, command_info, command_ended,
    command_restart, command_pause, command_unpause, command_rename, command_update,
    command_container_prune, command_system_df, command_system_prune, command_events, command_port,
    command_system_restore, command_health, command_cp, command_diff, command_export,
    command_commit;
verb_handler command_volume_create, command_volume_ls, command_volume_inspect, command_volume_rm,
    command_volume_prune;
verb_handler command_network_create, command_network_ls, command_network_inspect,
    command_network_connect, command_network_disconnect, command_network_rm, command_network_prune,
    command_network_log, command_network_check;

#endif
