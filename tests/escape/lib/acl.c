/* SPDX-License-Identifier: Apache-2.0 */
/* escape-acl FILE UID: gives somebody the right to read and write a file by an access list. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>

/* struct posix_acl_xattr_entry and its header, as linux/posix_acl_xattr.h has them. */
struct entry {
    uint16_t tag, perm;
    uint32_t id;
};
struct list {
    uint32_t version;
    struct entry entries[5];
};

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    struct list list = {.version = 2,
                        .entries = {{0x01, 6, UINT32_MAX},                           /* owner */
                                    {0x02, 6, (uint32_t)strtoul(argv[2], NULL, 10)}, /* user */
                                    {0x04, 4, UINT32_MAX},                           /* group */
                                    {0x10, 6, UINT32_MAX},                           /* mask */
                                    {0x20, 0, UINT32_MAX}}};                         /* others */
    if (setxattr(argv[1], "system.posix_acl_access", &list, sizeof list, 0) == 0)
        return 0;
    perror(argv[1]);
    return 1;
}
