/* SPDX-License-Identifier: Apache-2.0 */
/* An archive given to `load`, up to the plan: nothing of it is unpacked. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "store/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct stream_limits limits = {.max_bytes = 1 << 20};
    /* Compressed input is put into a file here; the store itself is not needed. */
    static struct store store = {.root = (char *)(uintptr_t) "/tmp", .root_fd = -1, .lock_fd = -1};
    struct staging staging = {.store = &store,
                              .fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    autofd fd = memfd_create("archive", MFD_CLOEXEC);
    autobundle bundle = {.spool = -1};
    autoplan plan = {0};
    autoplatform platform = {0};
    struct error err = {0};
    if (fd >= 0 && staging.fd >= 0 && write_all(fd, data, size) == 0 &&
        lseek(fd, 0, SEEK_SET) == 0 && platform_parse(NULL, &platform, &err) == 0 &&
        bundle_open(&staging, fd, &limits, &bundle, &err) == 0)
        (void)load_plan(&bundle, &platform, &plan, &err);
    if (staging.fd >= 0)
        close(staging.fd);
    return 0;
}
