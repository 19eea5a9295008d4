/* SPDX-License-Identifier: Apache-2.0 */
/* The command itself: a table of what is carried out here; everything else is a worker's. */
#include "cmd/container_words.h"
#include "cmd/front.h"
#include "cmd/version.h"
#include "container/ordinary.h"

/* clang-format off: a line each */
static const struct verb_binding bindings[] = {
    {&verb_run, command_run},
    {&verb_create, command_create},
    {&verb_exec, command_exec},
    {&verb_ps, command_ps},
    {&verb_inspect, command_inspect},
    {&verb_logs, command_logs},
    {&verb_attach, command_attach},
    {&verb_start, command_start},
    {&verb_stop, command_stop},
    {&verb_kill, command_kill},
    {&verb_wait, command_wait},
    {&verb_rm, command_rm},
    {&verb_stats, command_stats},
    {&verb_top, command_top},
    {&verb_cp, command_cp},
    {&verb_diff, command_diff},
    {&verb_export, command_export},
    {&verb_commit, command_commit},
    {&verb_info, command_info},
    {&verb_ended, command_ended},
    {&verb_health, command_health},
    {&verb_restart, command_restart},
    {&verb_pause, command_pause},
    {&verb_unpause, command_unpause},
    {&verb_rename, command_rename},
    {&verb_update, command_update},
    {&verb_container_prune, command_container_prune},
    {&verb_events, command_events},
    {&verb_port, command_port},
    {&verb_system_df, command_system_df},
    {&verb_system_prune, command_system_prune},
    {&verb_system_restore, command_system_restore},
    {&verb_volume_create, command_volume_create},
    {&verb_volume_ls, command_volume_ls},
    {&verb_volume_inspect, command_volume_inspect},
    {&verb_volume_rm, command_volume_rm},
    {&verb_volume_prune, command_volume_prune},
    {&verb_network_create, command_network_create},
    {&verb_network_ls, command_network_ls},
    {&verb_network_inspect, command_network_inspect},
    {&verb_network_connect, command_network_connect},
    {&verb_network_disconnect, command_network_disconnect},
    {&verb_network_rm, command_network_rm},
    {&verb_network_prune, command_network_prune},
    {&verb_network_log, command_network_log},
    {&verb_network_check, command_network_check},
    {&verb_version, command_version},
    {NULL, NULL},
};
/* clang-format on */

int main(int argc, char **argv)
{
    return verb_main(argc, argv, bindings, ordinary_enter);
}
