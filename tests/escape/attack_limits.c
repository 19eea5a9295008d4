/* SPDX-License-Identifier: Apache-2.0 */
/* Limits: processes, memory, disk. Each stops at a bound of its own, and cleans up. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

#define MOST_PROCESSES 5000
#define MOST_TERMINALS 1024
#define MIB ((size_t)1 << 20)
#define MOST_TMPFS ((size_t)2 << 30) /* what is written there is memory, and limited as such */

static void fork_bomb(const struct words *words, struct verdict *out)
{
    static pid_t children[MOST_PROCESSES];
    size_t count = 0;
    int saved = 0;
    (void)words;
    while (count < MOST_PROCESSES) {
        pid_t child = fork();
        if (child == 0) {
            alarm(60); /* ends even when we do not get to it */
            for (;;)
                pause();
        }
        if (child < 0) {
            saved = errno;
            break;
        }
        children[count++] = child;
    }
    for (size_t i = 0; i < count; i++)
        kill(children[i], SIGKILL);
    for (size_t i = 0; i < count; i++)
        waitpid(children[i], NULL, 0);
    if (count == MOST_PROCESSES)
        verdict(out, SUCCEEDED, "made %zu processes without an end in sight", count);
    else
        verdict(out, CONTAINED, "%s after %zu processes", strerrorname_np(saved), count);
}

/* Whom the kernel shall kill first is the child, not what waits for it. */
static void volunteer(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)!write(fd, "1000", 4);
    close(fd);
}

static size_t *shared_number(void)
{
    void *page =
        mmap(NULL, sizeof(size_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? NULL : page;
}

static void touch_memory(size_t most, size_t *done)
{
    long page = sysconf(_SC_PAGESIZE);
    for (*done = 0; *done < most; *done += MIB) {
        char *block = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED)
            _exit(1);
        for (size_t at = 0; at < MIB; at += (size_t)page)
            block[at] = 1;
    }
    _exit(0);
}

static void eat_memory(const struct words *words, struct verdict *out)
{
    size_t *done = shared_number();
    pid_t child = done ? fork() : -1;
    if (child == 0) {
        volunteer();
        touch_memory(words->memory, done);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) < 0)
        verdict(out, UNAVAILABLE, "no process to try it in");
    else if (WIFSIGNALED(status))
        verdict(out, CONTAINED, "killed at %zu MiB", *done / MIB);
    else if (WEXITSTATUS(status) == 1)
        verdict(out, CONTAINED, "refused at %zu MiB", *done / MIB);
    else
        verdict(out, SUCCEEDED, "touched %zu MiB", *done / MIB);
}

static void write_until_refused(const char *path, size_t most, size_t *done)
{
    static char block[1 << 20];
    volunteer();
    memset(block, 'x', sizeof block);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        _exit(2);
    while (*done < most) {
        ssize_t n = write(fd, block, sizeof block);
        if (n <= 0)
            _exit(1);
        *done += (size_t)n;
    }
    _exit(0);
}

/* True when nothing but our own bound stopped it. On a disk, which others use too, a quarter of
 * what is free is bound enough. */
static bool fill_place(const char *place, size_t most, size_t *done)
{
    char path[300];
    struct statfs fs;
    *done = 0;
    snprintf(path, sizeof path, "%s/attack-fill", place);
    if (statfs(place, &fs) < 0)
        return false;
    uint64_t quarter = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize / 4;
    if (fs.f_type == TMPFS_MAGIC)
        most = MOST_TMPFS;
    else if (quarter < most)
        most = (size_t)quarter;
    if (most == 0) /* a file system that holds no bytes: message queues */
        return false;
    pid_t child = fork();
    if (child == 0)
        write_until_refused(path, most, done);
    int status = 0;
    bool waited = child > 0 && waitpid(child, &status, 0) == child;
    if (!waited || !WIFEXITED(status) || WEXITSTATUS(status) != 2)
        unlink(path);
    return waited && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void fill_disk(const struct words *words, struct verdict *out)
{
    const char *home = getenv("HOME");
    const char *const places[] = {"/",    "/var",     "/home",    "/srv", "/opt",        "/tmp",
                                  "/run", "/var/tmp", "/dev/shm", "/dev", "/dev/mqueue", home};
    size_t *done = shared_number(), most = 0;
    if (!done) {
        verdict(out, UNAVAILABLE, "no memory to try it in");
        return;
    }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (!places[i])
            continue;
        if (fill_place(places[i], words->disk, done)) {
            verdict(out, SUCCEEDED, "wrote %zu MiB to %s", *done / MIB, places[i]);
            return;
        }
        most = *done > most ? *done : most;
    }
    verdict(out, CONTAINED, "refused or killed everywhere, after %zu MiB at most", most / MIB);
}

/* A quarter of what the machine has (kernel.pty.max is 4096); they are free again when this ends.
 */
static void take_terminals(const struct words *words, struct verdict *out)
{
    static int taken[MOST_TERMINALS];
    size_t count = 0;
    (void)words;
    while (count < MOST_TERMINALS) {
        int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (fd < 0)
            break;
        taken[count++] = fd;
    }
    int saved = errno;
    for (size_t i = 0; i < count; i++)
        close(taken[i]);
    if (count == MOST_TERMINALS)
        verdict(out, SUCCEEDED, "took %zu terminals", count);
    else if (count == 0)
        verdict(out, REFUSED, "%s", strerrorname_np(saved));
    else
        verdict(out, CONTAINED, "%s after %zu terminals", strerrorname_np(saved), count);
}

const struct attempt limit_attempts[] = {
    {"fork-bomb", "make processes without end", true, fork_bomb},
    {"eat-memory", "use all memory", true, eat_memory},
    {"terminals", "take the terminals of the machine", true, take_terminals},
    {"fill-disk", "fill every place that can be written", true, fill_disk},
    {NULL, NULL, false, NULL},
};
