/* SPDX-License-Identifier: Apache-2.0 */
/* The builder: the way of a run, once for each step. */
#include "cmd/build_worker.h"

static const struct verb_binding bindings[] = {
    {&verb_build, command_build},
    {&verb_lock, command_lock},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return verb_main(argc, argv, bindings, NULL);
}
