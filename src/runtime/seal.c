/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/seal.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/strv.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* Files that are no memfd have no seals to ask for: -EINVAL, and not a set of all bits. */
static bool has_all_seals(int fd)
{
    int seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & ALL_SEALS) == ALL_SEALS;
}

bool sealed(void)
{
    autofd self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    return has_all_seals(self);
}

static int copy_of(int self)
{
    struct stat st;
    autofd copy = memfd_create("caisson", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (copy < 0 && errno == EINVAL) /* before Linux 6.3 there is no such flag */
        copy = memfd_create("caisson", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (copy < 0 || fstat(self, &st) < 0)
        return -errno;
    for (off_t left = st.st_size; left > 0;) {
        ssize_t n = sendfile(copy, self, NULL, (size_t)left);
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        left -= n;
    }
    if (fcntl(copy, F_ADD_SEALS, ALL_SEALS) < 0)
        return -errno;
    return take_fd(&copy);
}

int seal_self(struct error *err)
{
    autofd self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (self < 0)
        return error_errno(err, "cannot open this program (is /proc mounted?)");
    if (has_all_seals(self))
        return 0;
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    autobuf words = {0};
    if (length <= 0)
        return error_errno(err, "cannot tell where this program is");
    path[length] = '\0';
    int rc = read_kernel_file("/proc/self/cmdline", 4 << 20, &words, err);
    if (rc < 0)
        return rc;
    autostrv argv = {0};
    for (size_t at = 0; at < words.len; at += strlen(words.data + at) + 1)
        strv_add(&argv, argv.len == 0 ? path : words.data + at);
    autofd copy = copy_of(self);
    if (copy < 0)
        return error_set(err, copy, "cannot make a sealed copy of this program: %s",
                         error_describe(copy));
    fexecve(copy, strv_argv(&argv), environ);
    return error_errno(err, "cannot execute a sealed copy of this program");
}
