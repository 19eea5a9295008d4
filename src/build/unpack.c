/* SPDX-License-Identifier: Apache-2.0 */
#include "build/unpack.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "archive/confine.h"
#include "archive/tar_pipe.h"
#include "archive/tree_take.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/process.h"
#include "runtime/errand.h"

#define BLOCK 512
#define CHECKSUM_AT 148
#define CHECKSUM_SIZE 8

enum form { FORM_OTHER, FORM_COMPRESSED, FORM_TAR };

/* The sum of the first block's bytes, its own field counted as spaces; tar(5). */
static bool is_header(const unsigned char *block)
{
    unsigned long sum = 0, said = 0;
    size_t at = CHECKSUM_AT;
    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= CHECKSUM_AT && i < CHECKSUM_AT + CHECKSUM_SIZE ? ' ' : block[i];
    while (at < CHECKSUM_AT + CHECKSUM_SIZE && block[at] == ' ')
        at++;
    size_t digits = 0;
    for (; at < CHECKSUM_AT + CHECKSUM_SIZE && block[at] >= '0' && block[at] <= '7'; at++, digits++)
        said = said * 8 + (unsigned long)(block[at] - '0');
    return digits > 0 && said == sum && block[0] != '\0';
}

static enum form form_of(const unsigned char *bytes, size_t length)
{
    static const struct {
        const char *magic;
        size_t length;
    } compressed[] = {{"\x1f\x8b", 2}, {"\xfd\x37zXZ\0", 6}, {"\x28\xb5\x2f\xfd", 4}, {"BZh", 3}};
    for (size_t i = 0; i < sizeof compressed / sizeof *compressed; i++)
        if (length >= compressed[i].length &&
            memcmp(bytes, compressed[i].magic, compressed[i].length) == 0)
            return FORM_COMPRESSED;
    return length >= BLOCK && is_header(bytes) ? FORM_TAR : FORM_OTHER;
}

bool unpack_may_be_archive(const void *bytes, size_t length)
{
    return form_of(bytes, length) != FORM_OTHER;
}

/* The worker, whose output is read from *out. */
static int decompress(const char *worker, int from, int *out, pid_t *pid, struct error *err)
{
    char name[] = "caisson-image", verb[] = "__decompress";
    char *const words[] = {name, verb, NULL};
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, "cannot make a pipe");
    autofd end = ends[1];
    const struct process_spec spec = {
        .program = worker, .argv = words, .fds = {from, end, 2}, .die_with_us = true};
    int rc = process_start(&spec, pid, NULL, err);
    if (rc < 0)
        close(ends[0]);
    else
        *out = ends[0];
    return rc;
}

static enum form look_inside(const char *worker, int fd)
{
    unsigned char block[BLOCK];
    pid_t pid;
    int out, status;
    struct error ignored = {0};
    if (decompress(worker, fd, &out, &pid, &ignored) < 0)
        return FORM_OTHER;
    ssize_t n = read_full(out, block, sizeof block);
    close(out);
    kill(pid, SIGKILL);
    (void)process_wait(pid, &status, NULL);
    return n > 0 ? form_of(block, (size_t)n) : FORM_OTHER;
}

bool unpack_is_archive(const char *worker, int fd)
{
    unsigned char block[BLOCK];
    ssize_t n = read_full(fd, block, sizeof block);
    enum form form = n > 0 ? form_of(block, (size_t)n) : FORM_OTHER;
    (void)lseek(fd, 0, SEEK_SET);
    if (form == FORM_COMPRESSED)
        form = look_inside(worker, fd);
    (void)lseek(fd, 0, SEEK_SET);
    return form == FORM_TAR;
}

static int take(void *closure, const struct errand_place *place, uint64_t *count, struct error *err)
{
    const struct unpacking *u = closure;
    const struct confine_paths allowed = {.read_write = &u->root, .read_write_count = 1};
    autopipe pipe = {.fd = u->from};
    (void)place;
    int rc = worker_confine(&allowed, err);
    if (rc < 0)
        return rc;
    struct tree_take tree = {.into = u->into,
                             .at = u->target,
                             .root = u->root,
                             .keep_ids = !u->owned,
                             .owned = u->owned,
                             .uid = u->uid,
                             .gid = u->gid};
    rc = tree_take_pipe(&tree, &pipe, err);
    *count = tree.left_out;
    return rc;
}

int unpack_archive(const struct unpacking *unpacking, struct error *err)
{
    struct unpacking inner = *unpacking;
    struct errand_run run = ERRAND_RUN_NONE;
    const struct errand errand = {.work = take, .closure = &inner, .fds = {-1, -1, -1, -1}};
    unsigned char block[BLOCK];
    pid_t pid = 0;
    int status = 0;
    autofd out = -1;
    ssize_t n = read_full(unpacking->from, block, sizeof block);
    int rc = 0;
    (void)lseek(unpacking->from, 0, SEEK_SET);
    if (n > 0 && form_of(block, (size_t)n) == FORM_COMPRESSED)
        rc = decompress(unpacking->worker, unpacking->from, &out, &pid, err);
    if (out >= 0)
        inner.from = out;
    if (rc == 0)
        rc = errand_aside(&errand, &run, err);
    if (out >= 0)
        close(take_fd(&out));
    int taken = errand_end(&run, NULL, rc == 0 ? err : NULL);
    if (rc == 0)
        rc = taken;
    if (pid > 0 && process_wait(pid, &status, NULL) == 0 && status != 0 && rc == 0)
        rc = error_set(err, -EBADMSG, "the archive cannot be decompressed");
    return rc;
}
