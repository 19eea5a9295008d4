/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the recipe of a layer with a few files. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "archive/layer.h"
#include "base/io.h"

static void must(bool good)
{
    if (!good)
        abort();
}

static void put(int dir, const char *name, const void *bytes, size_t length)
{
    autofd fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0 && write_all(fd, bytes, length) == 0);
}

/* Stops what would not end: a recipe may name a file without end. */
static int bounded(void *closure, const void *bytes, size_t length)
{
    uint64_t *given = closure;
    (void)bytes;
    *given += length;
    return *given > 4 << 20 ? -EFBIG : 0;
}

static char path[] = "/dev/shm/caisson-fuzz-recipe-XXXXXX";

static void leave(void)
{
    (void)remove_tree_at(AT_FDCWD, path, NULL);
}

static int open_layer(void)
{
    must(mkdtemp(path) != NULL && atexit(leave) == 0);
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(dir >= 0 && mkdirat(dir, "fs", 0700) == 0 && mkdirat(dir, "fs/d", 0700) == 0);
    put(dir, "fs/a", "0123456789", 10);
    put(dir, "fs/d/b", "content", 7);
    must(symlinkat("a", dir, "fs/s") == 0 && mkfifoat(dir, "fs/p", 0600) == 0);
    return dir;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int dir = -1;
    struct error err = {0};
    uint64_t given = 0;
    if (dir < 0)
        dir = open_layer();
    put(dir, "recipe", data, size);
    int rc = layer_write_tar(
        dir, bounded, &given,
        "sha256:0000000000000000000000000000000000000000000000000000000000000000", &err);
    must(rc < 0 && *err.text);
    return 0;
}
