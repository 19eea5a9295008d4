/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/worker.h"

#include <linux/limits.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/memory.h"

int worker_path(const char *program, char **path, struct error *err)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0)
        return error_errno(err, "cannot tell where this program is (is /proc mounted?)");
    self[length] = '\0';
    return worker_path_from(self, program, path, err);
}

int worker_path_from(const char *self, const char *program, char **path, struct error *err)
{
    static const char *const places[] = {"", "../libexec/caisson/"};
    const char *slash = strrchr(self, '/');
    autofree char *folder = xstrndup(self, slash ? (size_t)(slash - self) : 0);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        autofree char *candidate = xasprintf("%s/%s%s", folder, places[i], program);
        if (access(candidate, F_OK) == 0) {
            *path = take_ptr(candidate);
            return 0;
        }
    }
    return error_set(err, -ENOENT,
                     "%s is neither in %s nor in %s/../libexec/caisson; install caisson whole "
                     "(make install)",
                     program, folder, folder);
}

int front_path(char **path, struct error *err)
{
    static const char *const places[] = {"caisson", "../../bin/caisson"};
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0)
        return error_errno(err, "cannot tell where this program is (is /proc mounted?)");
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        autofree char *candidate = xasprintf("%s/%s", self, places[i]);
        if (access(candidate, X_OK) == 0) {
            *path = take_ptr(candidate);
            return 0;
        }
    }
    return error_set(err, -ENOENT, "caisson is not beside %s; install caisson whole (make install)",
                     self);
}
