/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a tar that is taken into a tree with links and files of somebody else in it: nothing
 * appears or changes outside of that tree, nor beside the name that one tree was given. */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "archive/tree_take.h"
#include "base/io.h"
#include "tar-checksums.h"

static void must(bool good)
{
    if (!good)
        abort();
}

static void prepare(int top)
{
    must(mkdirat(top, "into", 0755) == 0 && mkdirat(top, "into/d", 0755) == 0 &&
         mkdirat(top, "canary", 0755) == 0);
    must(symlinkat("../canary", top, "into/l") == 0);
    must(symlinkat("../canary/file", top, "into/f") == 0);
    autofd fd = openat(top, "canary/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    must(fd >= 0 && write_all(fd, "safe", 4) == 0);
}

static void only_holds(int top, const char *name, const char *const *allowed)
{
    autodir d = fdopendir(openat(top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct dirent *entry;
    must(d != NULL);
    while ((entry = readdir(d))) {
        bool good = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        for (size_t i = 0; !good && allowed[i]; i++)
            good = strcmp(entry->d_name, allowed[i]) == 0;
        must(good);
    }
}

static void check(int top)
{
    struct stat st;
    autobuf text = {0};
    only_holds(top, ".", (const char *const[]){"into", "canary", NULL});
    only_holds(top, "canary", (const char *const[]){"file", NULL});
    must(fstatat(top, "canary/file", &st, AT_SYMLINK_NOFOLLOW) == 0);
    must((st.st_mode & 07777) == 0644 && st.st_nlink == 1);
    must(read_file_at(top, "canary/file", 16, &text, NULL) == 0);
    must(strcmp(buf_text(&text), "safe") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[] = "/dev/shm/caisson-fuzz-take-XXXXXX";
    struct error err = {0};
    must(mkdtemp(path) != NULL);
    autofd top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(top >= 0);
    umask(022);
    prepare(top);
    autofd into = openat(top, "into", O_PATH | O_DIRECTORY | O_CLOEXEC);
    autofd file = memfd_create("tar", MFD_CLOEXEC);
    autofree uint8_t *right = tar_checksums(data, size);
    must(into >= 0 && file >= 0 && write_all(file, right, size) == 0);
    struct stream_source source = {
        .fd = file, .seekable = true, .length = STREAM_TO_END, .raw = true, .no_digests = true};
    struct stream_limits limits = {.max_bytes = 4 << 20};
    struct stream *stream = stream_open(&source, &limits, &err);
    if (stream) {
        struct tar_reader *tar = tar_open(stream, NULL, NULL);
        struct copy_path name = {0};
        copy_path_read("/d/name", "/", &name);
        struct tree_take take = {
            .tar = tar, .into = into, .harmless = true, .uid = geteuid(), .gid = getegid()};
        if (size % 2) { /* one tree, to a place of its own */
            take.source = take.dest = &name;
            take.found = size % 4 == 1 ? FOUND_NOTHING : FOUND_DIRECTORY;
        }
        int rc = tree_take(&take, &err);
        must(rc == 0 || (rc < 0 && *err.text));
        copy_path_free(&name);
        tar_close(tar);
        stream_close(stream);
    }
    check(top);
    if (size % 2) {
        only_holds(top, "into", (const char *const[]){"d", "l", "f", "name", NULL});
        only_holds(top, "into/d", (const char *const[]){NULL});
    }
    (void)fchmod(top, 0700);
    must(remove_tree_at(AT_FDCWD, path, &err) == 0);
    return 0;
}
