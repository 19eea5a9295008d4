/* SPDX-License-Identifier: Apache-2.0 */
#include "container/programs.h"

#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/memory.h"

char *program_beside(const char *front, const char *name, struct error *err)
{
    static const char *const places[] = {"", "../libexec/caisson/"};
    const char *slash = strrchr(front, '/');
    int folder = slash ? (int)(slash - front) : 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        autofree char *path = xasprintf("%.*s/%s%s", folder, front, places[i], name);
        if (access(path, F_OK) == 0)
            return take_ptr(path);
    }
    error_set(err, -ENOENT, "%s is missing beside %s; install caisson whole (make install)", name,
              front);
    return NULL;
}
