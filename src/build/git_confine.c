/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What git is confined to, with all that it starts: no new rights, no capability, a filter of
 * system calls, no file beyond 4 GiB, and of all files programs, libraries, certificates and what
 * names are resolved by to read, one directory to write, in which nothing can be executed.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "build/git_parts.h"
#include "confine/capabilities.h"
#include "confine/fence.h"

#define ABI_LEAST 2 /* files are renamed from one directory to another */
#define READ (FENCE_READ_FILE | FENCE_READ_DIRECTORY)
#define WRITE (FENCE_ALL_FILES & ~(FENCE_EXECUTE | FENCE_IOCTL))
#define FILE_MAX ((rlim_t)4 << 30)

static int allow(const struct fence *fence, const char *path, uint64_t rights)
{
    autofd fd = path && *path ? open(path, O_PATH | O_CLOEXEC) : -1;
    return fd < 0 ? 0 : fence_allow_beneath(fence, fd, rights);
}

static int allow_all(const struct fence *fence)
{
    static const char *const programs[] = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"};
    static const char *const files[] = {"/etc/ld.so.cache",
                                        "/etc/resolv.conf",
                                        "/etc/nsswitch.conf",
                                        "/etc/hosts",
                                        "/etc/host.conf",
                                        "/etc/gai.conf",
                                        "/etc/services",
                                        "/etc/protocols",
                                        "/etc/passwd",
                                        "/etc/group",
                                        "/etc/localtime",
                                        "/etc/ssl/certs",
                                        "/etc/ssl/openssl.cnf",
                                        "/etc/ssl/cert.pem",
                                        "/etc/pki/tls/certs",
                                        "/etc/pki/ca-trust",
                                        "/etc/crypto-policies",
                                        "/etc/alternatives",
                                        "/etc/ssh/ssh_known_hosts",
                                        "/etc/ssh/ssh_revoked_hosts",
                                        "/dev/urandom",
                                        "/dev/random"};
    const char *given[] = {getenv("SSL_CERT_FILE"), getenv("SSL_CERT_DIR")};
    int rc = allow(fence, "/dev/null", FENCE_READ_FILE | FENCE_WRITE_FILE);
    for (size_t i = 0; rc == 0 && i < sizeof programs / sizeof *programs; i++)
        rc = allow(fence, programs[i], READ | FENCE_EXECUTE);
    for (size_t i = 0; rc == 0 && i < sizeof files / sizeof *files; i++)
        rc = allow(fence, files[i], READ);
    for (size_t i = 0; rc == 0 && i < sizeof given / sizeof *given; i++)
        rc = allow(fence, given[i], READ);
    return rc;
}

int git_confine(int home, struct error *err)
{
    const struct rlimit size = {.rlim_cur = FILE_MAX, .rlim_max = FILE_MAX}, core = {0};
    autofence fence = FENCE_NONE;
    umask(022);
    if (setrlimit(RLIMIT_FSIZE, &size) < 0 || setrlimit(RLIMIT_CORE, &core) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(err, "cannot set no_new_privs for git");
    int rc = fence_begin(ABI_LEAST, FENCE_TCP_BIND, &fence);
    if (rc == 0)
        rc = allow_all(&fence);
    if (rc == 0)
        rc = fence_allow_beneath(&fence, home, WRITE);
    if (rc == 0)
        rc = fence_close(&fence);
    if (rc < 0)
        return error_set(err, rc, "cannot confine git with Landlock: %s", error_describe(rc));
    capabilities_drop_bounding();
    rc = capabilities_keep(0);
    if (rc < 0)
        return error_set(err, rc, "cannot give up the capabilities of git: %s", error_describe(rc));
    return git_seccomp(err);
}
