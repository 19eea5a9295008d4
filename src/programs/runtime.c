/* SPDX-License-Identifier: Apache-2.0 */
/* The OCI runtime: the same containers, from other people's configurations. */
#include "cmd/runtime.h"

/* clang-format off: a line each */
static const struct verb_binding bindings[] = {
    {&verb_runtime_create, command_runtime_create},
    {&verb_runtime_start, command_runtime_start},
    {&verb_runtime_run, command_runtime_run},
    {&verb_runtime_exec, command_runtime_exec},
    {&verb_runtime_kill, command_runtime_kill},
    {&verb_runtime_delete, command_runtime_delete},
    {&verb_runtime_pause, command_runtime_pause},
    {&verb_runtime_resume, command_runtime_resume},
    {&verb_runtime_update, command_runtime_update},
    {&verb_runtime_state, command_runtime_state},
    {&verb_runtime_ps, command_runtime_ps},
    {&verb_runtime_list, command_runtime_list},
    {&verb_runtime_events, command_runtime_events},
    {&verb_runtime_spec, command_runtime_spec},
    {&verb_runtime_features, command_runtime_features},
    {&verb_runtime_checkpoint, command_runtime_checkpoint},
    {&verb_runtime_restore, command_runtime_checkpoint},
    {NULL, NULL},
};
/* clang-format on */

int main(int argc, char **argv)
{
    program_line = &runtime_line;
    return verb_main(argc, argv, bindings, NULL);
}
