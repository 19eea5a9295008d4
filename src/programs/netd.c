/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-netd: answers the names of one network and opens its egress lists. Started by caisson
 * with descriptors of fixed numbers and no words; see network/netd.h.
 */
#include <stdio.h>

#include "network/keeper.h"

int main(void)
{
    struct error err = {0};
    if (keeper_run(&err) == 0)
        return 0;
    fprintf(stderr, "caisson-netd: %s\n", err.text);
    return 1;
}
