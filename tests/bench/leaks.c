/* SPDX-License-Identifier: Apache-2.0 */
/* The search for secrets over real trees, and how fast it is.
 *
 *   bench-leaks PATH...             what is found in these trees (links are not followed), one
 *                                   finding a line, and a line of sums
 *   bench-leaks --repeat N FILE...  the same content N times from memory, as gigabytes a second
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/text.h"
#include "scan/leaks.h"

#define FILE_MAX ((size_t)1 << 30)

static struct leaks *search;
static uint64_t bytes_read, files, findings, begun;
static nanoseconds searching;

/* Of the processor, so that it does not matter who else is on it. */
static nanoseconds now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
}

static void show(void *context, const struct leak *leak)
{
    (void)context;
    findings++;
    printf("%-20s %s %s:%llu:%llu %s\n", leak->rule, leak->severity == LEAK_STOP ? "stop" : "note",
           leak->where, (unsigned long long)leak->line, (unsigned long long)leak->column,
           leak->excerpt);
}

static int visit(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    static char chunk[64 * 1024];
    (void)ftw;
    if (kind != FTW_F || !S_ISREG(st->st_mode))
        return 0;
    autofd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t got;
    if (fd < 0)
        return 0;
    files++;
    leaks_begin(search, path);
    while ((got = read(fd, chunk, sizeof chunk)) > 0) {
        nanoseconds before = now();
        leaks_feed(search, chunk, (size_t)got);
        searching += now() - before;
        bytes_read += (uint64_t)got;
    }
    nanoseconds before = now();
    leaks_end(search);
    searching += now() - before;
    return 0;
}

static void ignore(void *context, const struct leak *leak)
{
    (void)context;
    (void)leak;
    findings++;
}

static int repeat(const char *path, uint64_t times)
{
    autobuf content = {0};
    autofd fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read_fd(fd, FILE_MAX, &content) < 0)
        return 1;
    autoleaks l = leaks_new(ignore, NULL);
    nanoseconds before = now();
    for (uint64_t i = 0; i < times; i++) {
        leaks_begin(l, path);
        for (size_t at = 0; at < content.len; at += 65536)
            leaks_feed(l, content.data + at, content.len - at < 65536 ? content.len - at : 65536);
        leaks_end(l);
    }
    double seconds = (double)(now() - before) / NSEC_PER_SEC;
    printf("%6.2f GB/s  %s (%zu bytes)\n", (double)content.len * (double)times / seconds / 1e9,
           path, content.len);
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t times;
    if (argc > 3 && streq(argv[1], "--repeat") && parse_u64(argv[2], 1000000, &times) == 0) {
        int status = 0;
        for (int i = 3; i < argc; i++)
            status |= repeat(argv[i], times);
        return status;
    }
    nanoseconds before = now();
    search = leaks_new(show, NULL);
    begun = (uint64_t)(now() - before);
    for (int i = 1; i < argc; i++)
        nftw(argv[i], visit, 64, FTW_PHYS);
    printf("%llu findings, %zu of them stop, %zu more; %llu files, %.1f MB; searching %.2f s, %.2f "
           "GB/s; beginning %.3f ms\n",
           (unsigned long long)findings, leaks_stopping(search), leaks_untold(search),
           (unsigned long long)files, (double)bytes_read / 1e6, (double)searching / 1e9,
           (double)bytes_read / (double)searching, (double)begun / 1e6);
    leaks_free(search);
    return 0;
}
