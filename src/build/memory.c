/* SPDX-License-Identifier: Apache-2.0 */
#include "build/memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "store/steps.h"

#define REMEMBERED_MAX 4000000
#define ENOUGH 100000
/* Clocks of file systems are as coarse as a tick of the kernel's, some of other systems' as two
 * seconds. */
#define YOUNG (2 * NSEC_PER_SEC)

static int64_t nanoseconds_of(const struct timespec *t)
{
    return (int64_t)t->tv_sec * NSEC_PER_SEC + t->tv_nsec;
}

static int by_inode(const void *left, const void *right)
{
    const struct remembered *a = left, *b = right;
    if (a->device != b->device)
        return a->device < b->device ? -1 : 1;
    return a->inode < b->inode ? -1 : a->inode > b->inode;
}

void memory_open(struct store *store, const char *name, struct memory *out)
{
    struct stat st;
    *out = (struct memory){0};
    memcpy(out->name, name, sizeof out->name);
    autofd dir = steps_directory(store, "contexts", NULL);
    autofd fd = dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0 ||
        (size_t)st.st_size % sizeof *out->old != 0 ||
        (size_t)st.st_size / sizeof *out->old > REMEMBERED_MAX)
        return;
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return;
    out->old = map;
    out->old_bytes = (size_t)st.st_size;
    out->old_count = out->old_bytes / sizeof *out->old;
}

void memory_close(struct memory *memory)
{
    if (memory->old)
        munmap((void *)(uintptr_t)memory->old, memory->old_bytes);
    free(memory->seen);
    *memory = (struct memory){0};
}

static void see(struct memory *memory, const struct remembered *one)
{
    if (memory->count >= REMEMBERED_MAX)
        return;
    if (memory->count == memory->capacity) {
        memory->capacity = memory->capacity ? 2 * memory->capacity : 256;
        memory->seen = xrealloc(memory->seen, memory->capacity, sizeof *memory->seen);
    }
    memory->seen[memory->count++] = *one;
}

static void describe(const struct stat *st, struct remembered *out)
{
    *out = (struct remembered){
        .device = st->st_dev,
        .inode = st->st_ino,
        .size = (uint64_t)st->st_size,
        .mtime = nanoseconds_of(&st->st_mtim),
        .ctime = nanoseconds_of(&st->st_ctim),
    };
}

bool memory_find(struct memory *memory, const struct stat *st, unsigned char digest[SHA256_BYTES])
{
    struct remembered key;
    describe(st, &key);
    const struct remembered *found =
        memory->old_count ? bsearch(&key, memory->old, memory->old_count, sizeof key, by_inode)
                          : NULL;
    if (!found || found->size != key.size || found->mtime != key.mtime || found->ctime != key.ctime)
        return false;
    memcpy(digest, found->digest, SHA256_BYTES);
    see(memory, found);
    return true;
}

void memory_add(struct memory *memory, const struct stat *st,
                const unsigned char digest[SHA256_BYTES])
{
    struct remembered one;
    describe(st, &one);
    int64_t now = clock_wall();
    if (one.mtime > now - YOUNG || one.ctime > now - YOUNG)
        return;
    memcpy(one.digest, digest, SHA256_BYTES);
    memory->changed = true;
    see(memory, &one);
}

/* Other stages of this build, and other builds, remember here as well: what the file has by now
 * stays, unless that is very much more than what was just seen. */
static void merge(struct memory *memory, const struct memory *now)
{
    if (now->old_count > ENOUGH + 4 * memory->count)
        return;
    for (size_t i = 0; i < now->old_count; i++)
        see(memory, &now->old[i]);
}

/* Of two of one inode the younger: the one that changed last. */
static size_t without_doubles(struct remembered *items, size_t count)
{
    size_t kept = 1;
    for (size_t i = 1; i < count; i++) {
        if (by_inode(&items[kept - 1], &items[i]) != 0)
            items[kept++] = items[i];
        else if (items[i].ctime > items[kept - 1].ctime)
            items[kept - 1] = items[i];
    }
    return kept;
}

void memory_save(struct memory *memory, struct staging *staging)
{
    char entry[sizeof memory->name + 32];
    struct memory now;
    if (!memory->changed || memory->count == 0)
        return;
    memory_open(staging->store, memory->name, &now);
    merge(memory, &now);
    memory_close(&now);
    qsort(memory->seen, memory->count, sizeof *memory->seen, by_inode);
    memory->count = without_doubles(memory->seen, memory->count);
    snprintf(entry, sizeof entry, "memory-%d-%s", (int)getpid(), memory->name);
    if (staging_write(staging, entry, memory->seen, memory->count * sizeof *memory->seen, NULL) ==
        0)
        (void)staging_publish(staging, entry, "build/contexts", memory->name, NULL);
    memory->changed = false;
}
