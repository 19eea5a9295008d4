/* SPDX-License-Identifier: Apache-2.0 */
/* The command itself: a table of what is carried out here; everything else is a worker's. */
#include "cmd/front.h"
#include "cmd/version.h"

static const struct verb_binding bindings[] = {
    {&verb_run, command_run},
    {&verb_create, command_create},
    {&verb_exec, command_exec},
    {&verb_version, command_version},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return verb_main(argc, argv, bindings);
}
