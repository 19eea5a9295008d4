/* SPDX-License-Identifier: Apache-2.0 */
/* The command itself: a table of what is carried out here; everything else is a worker's. */
#include "cmd/version.h"

static const struct verb_binding bindings[] = {
    {&verb_version, command_version},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return verb_main(argc, argv, bindings);
}
