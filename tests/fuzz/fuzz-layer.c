/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a layer: refused, or unpacked and given back byte for byte. Nothing but the layer's
 * directory appears. */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "archive/layer.h"
#include "base/io.h"
#include "tar-checksums.h"

static void must(bool good)
{
    if (!good)
        abort();
}

static int collect(void *closure, const void *bytes, size_t length)
{
    buf_add(closure, bytes, length);
    return 0;
}

static int unpack(int file, int dir, struct layer_result *result, struct error *err)
{
    struct stream_source source = {.fd = file, .seekable = true, .length = STREAM_TO_END};
    struct stream_limits stream_limits = {.max_bytes = 4 << 20};
    struct layer_limits limits = {.max_bytes = 4 << 20, .max_entries = 1000};
    autostream stream = stream_open(&source, &stream_limits, err);
    return stream ? layer_unpack(stream, dir, &limits, result, err) : err->code;
}

static void only_the_layer_is_in(int top)
{
    autodir d = fdopendir(openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct dirent *entry;
    while ((entry = readdir(d)))
        must(entry->d_name[0] == '.' || strcmp(entry->d_name, "layer") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[] = "/dev/shm/caisson-fuzz-layer-XXXXXX";
    struct error err = {0};
    struct layer_result result;
    must(mkdtemp(path) != NULL);
    autofd top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(top >= 0 && mkdirat(top, "layer", 0700) == 0);
    autofd dir = openat(top, "layer", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autofd file = memfd_create("layer", MFD_CLOEXEC);
    autofree uint8_t *right = tar_checksums(data, size);
    must(file >= 0 && write_all(file, right, size) == 0);
    int rc = unpack(file, dir, &result, &err);
    must(rc == 0 || (rc < 0 && err.code == rc && *err.text));
    only_the_layer_is_in(top);
    if (rc == 0) {
        autobuf given = {0};
        must(layer_write_tar(dir, collect, &given, result.diff_id, &err) == 0);
        must(given.len == result.tar_bytes);
        must(result.compression != STREAM_PLAIN ||
             (given.len == size && memcmp(given.data, right, size) == 0));
    }
    must(remove_tree_at(AT_FDCWD, path, &err) == 0);
    return 0;
}
