/* SPDX-License-Identifier: Apache-2.0 */
/* swap A B SECONDS: exchanges two names as fast as it can (MS-03). */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    alarm((unsigned)strtoul(argv[3], NULL, 10));
    for (;;)
        if (renameat2(AT_FDCWD, argv[1], AT_FDCWD, argv[2], RENAME_EXCHANGE) < 0)
            return 1;
}
