/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/ids.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/io.h"
#include "runtime/plan.h"
#include "runtime/syscalls.h"

#define IDS_DIR "ids"
#define SHARED_DIR "shared" /* below it */

static uint32_t first_slot(const char *container)
{
    uint32_t hash = 2166136261u; /* FNV-1a: spreads, no secrecy needed */
    for (const char *c = container; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 16777619u;
    return hash % IDS_SLOTS;
}

/* Whether /etc/subuid or /etc/subgid gave part of the slot to somebody. */
static bool slot_is_delegated(uint32_t slot)
{
    static const char *const files[] = {"/etc/subuid", "/etc/subgid"};
    uint64_t from = IDS_FIRST + (uint64_t)slot * PLAN_ID_COUNT;
    for (int i = 0; i < 2; i++) {
        autobuf text = {0};
        if (read_kernel_file(files[i], 1 << 20, &text, NULL) < 0)
            continue;
        for (const char *line = buf_text(&text); *line;) {
            const char *end = strchrnul(line, '\n');
            const char *colon = memchr(line, ':', (size_t)(end - line));
            unsigned long long start, count;
            if (colon && sscanf(colon, ":%llu:%llu", &start, &count) == 2 &&
                start < from + PLAN_ID_COUNT && start + count > from)
                return true;
            line = *end ? end + 1 : end;
        }
    }
    return false;
}

static int try_slot(int dirfd, uint32_t slot, const char *container)
{
    char name[16];
    snprintf(name, sizeof name, "%u", slot);
    if (symlinkat(container, dirfd, name) == 0)
        return 0;
    return -errno;
}

/* The directory of claims, locked against others who share or give back. */
static int lock_claims(int state_dirfd)
{
    autofd dir = openat(state_dirfd, IDS_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return -errno;
    while (flock(dir, LOCK_EX) < 0)
        if (errno != EINTR)
            return -errno;
    return take_fd(&dir);
}

static bool link_says(int dirfd, const char *name, const char *text)
{
    char value[256];
    ssize_t n = readlinkat(dirfd, name, value, sizeof value - 1);
    if (n < 0)
        return false;
    value[n] = '\0';
    return strcmp(value, text) == 0;
}

/* Who else lives in the range, into `heir`. */
static bool find_heir(int dir, const char *slot, char *heir, size_t size)
{
    bool found = false;
    int fd = openat(dir, SHARED_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    autodir entries = fd < 0 ? NULL : fdopendir(fd);
    if (!entries) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    for (const struct dirent *entry; !found && (entry = readdir(entries));) {
        found = entry->d_name[0] != '.' && link_says(fd, entry->d_name, slot);
        if (found)
            snprintf(heir, size, "%s", entry->d_name);
    }
    return found;
}

/* Under the lock. */
static void release_slot(int dir, const char *container, uint32_t number)
{
    char slot[16], heir[256];
    snprintf(slot, sizeof slot, "%u", number);
    if (!link_says(dir, slot, container))
        return;
    if (!find_heir(dir, slot, heir, sizeof heir)) {
        unlinkat(dir, slot, 0);
        return;
    }
    (void)unlinkat(dir, "new", 0); /* of one who was killed */
    if (symlinkat(heir, dir, "new") == 0)
        (void)renameat(dir, "new", dir, slot);
}

/* A claim of one who is gone; it may be others' by now, who share the range. */
static void release_dead(int state_dirfd, uint32_t slot, bool (*alive)(void *, const char *),
                         void *closure)
{
    char name[16], owner[256];
    snprintf(name, sizeof name, "%u", slot);
    autofd dir = lock_claims(state_dirfd);
    ssize_t n = dir < 0 ? -1 : readlinkat(dir, name, owner, sizeof owner - 1);
    if (n < 0)
        return;
    owner[n] = '\0';
    if (!alive(closure, owner))
        release_slot(dir, owner, slot);
}

int ids_claim(int state_dirfd, const char *container, bool (*alive)(void *, const char *),
              void *closure, uint32_t *base, struct error *err)
{
    if (ids_limited()) {
        *base = 0;
        return 0;
    }
    autofd dir = openat(state_dirfd, IDS_DIR, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0 && errno == ENOENT) {
        if (mkdirat(state_dirfd, IDS_DIR, 0700) < 0 && errno != EEXIST)
            return error_errno(err, "cannot create the directory of id ranges");
        dir = openat(state_dirfd, IDS_DIR, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    if (dir < 0)
        return error_errno(err, "cannot open the directory of id ranges");
    uint32_t start = first_slot(container);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < IDS_SLOTS; i++) {
            uint32_t slot = (start + i) % IDS_SLOTS;
            if (round == 1)
                release_dead(state_dirfd, slot, alive, closure);
            int rc = try_slot(dir, slot, container);
            if (rc == -EEXIST)
                continue;
            if (rc < 0)
                return error_set(err, rc, "cannot claim a range of ids: %s", error_describe(rc));
            if (slot_is_delegated(slot)) /* keep the claim: nobody tries this slot again */
                continue;
            *base = IDS_FIRST + slot * PLAN_ID_COUNT;
            return 0;
        }
    }
    return error_set(err, -EAGAIN, "all %u ranges of ids are in use; stop a container first",
                     IDS_SLOTS);
}

int ids_share(int state_dirfd, const char *container, uint32_t base, struct error *err)
{
    char slot[16];
    struct stat st;
    if (base < IDS_FIRST)
        return 0;
    snprintf(slot, sizeof slot, "%u", (base - IDS_FIRST) / PLAN_ID_COUNT);
    autofd dir = lock_claims(state_dirfd);
    if (dir < 0 || fstatat(dir, slot, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return error_set(err, -ESRCH, "the range of ids was given back meanwhile");
    if (mkdirat(dir, SHARED_DIR, 0700) < 0 && errno != EEXIST)
        return error_errno(err, "cannot create the directory of shared id ranges");
    autofd shared = openat(dir, SHARED_DIR, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (shared < 0 || (unlinkat(shared, container, 0) < 0 && errno != ENOENT) ||
        symlinkat(slot, shared, container) < 0)
        return error_errno(err, "cannot share a range of ids");
    return 0;
}

static void release_slots(int state_dirfd, const char *container, uint32_t first, uint32_t count)
{
    char share[300];
    snprintf(share, sizeof share, SHARED_DIR "/%s", container);
    autofd dir = lock_claims(state_dirfd);
    if (dir < 0)
        return;
    (void)unlinkat(dir, share, 0);
    for (uint32_t i = 0; i < count; i++)
        release_slot(dir, container, (first + i) % IDS_SLOTS);
}

void ids_release(int state_dirfd, const char *container, uint32_t base)
{
    if (base >= IDS_FIRST)
        release_slots(state_dirfd, container, (base - IDS_FIRST) / PLAN_ID_COUNT, 1);
}

#define FORGET_TRIES                                                                               \
    64 /* claims begin near the hash of the id; a farther one is taken over later */

void ids_forget(int state_dirfd, const char *container)
{
    if (!ids_limited())
        release_slots(state_dirfd, container, first_slot(container), FORGET_TRIES);
}

static int write_maps(pid_t pid, const char *uids, const char *gids, struct error *err)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    autofd dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return error_errno(err, "cannot open %s", path);
    int rc = write_kernel_file_at(dir, "uid_map", uids);
    if (rc == 0)
        rc = write_kernel_file_at(dir, "gid_map", gids);
    if (rc < 0)
        return error_set(err, rc, "cannot map ids into the user namespace: %s", error_describe(rc));
    return 0;
}

/* The initial user namespace has a fixed inode number: PROC_USER_INIT_INO of the kernel's
 * include/linux/proc_ns.h. */
#define INITIAL_USER_NAMESPACE 0xEFFFFFFDu

bool ids_limited(void)
{
    static int limited = -1;
    struct stat st;
    if (limited < 0)
        limited = stat("/proc/self/ns/user", &st) == 0 ? st.st_ino != INITIAL_USER_NAMESPACE
                                                       : geteuid() != 0;
    return limited;
}

uint32_t ids_outside(const struct ids *ids, uint32_t stand_in, uint32_t inside)
{
    if (ids->base || stand_in == 0 || (inside != 0 && inside != stand_in))
        return ids->base + inside;
    return inside == 0 ? stand_in : 0;
}

/* The ids that we have: the ranges of our own namespace's map, by the numbers they have in it. */
#define EXTENTS_MAX 340 /* user_namespaces(7) */

struct extent {
    uint32_t first, count;
};

static size_t extents_here(const char *map_file, struct extent *out)
{
    autobuf text = {0};
    size_t count = 0;
    if (read_kernel_file(map_file, 65536, &text, NULL) < 0)
        return 0;
    for (const char *line = buf_text(&text); *line && count < EXTENTS_MAX;) {
        unsigned inside, outside, size;
        if (sscanf(line, "%u %u %u", &inside, &outside, &size) == 3)
            out[count++] = (struct extent){inside, size};
        line = strchrnul(line, '\n');
        line += *line == '\n';
    }
    return count;
}

static bool is_here(const struct extent *extents, size_t count, uint32_t id)
{
    for (size_t i = 0; i < count; i++)
        if (id >= extents[i].first && id - extents[i].first < extents[i].count)
            return true;
    return false;
}

/* Numbers from `from` to before `to` keep their numbers: a line for each of our ranges, as a range
 * of the new map must lie within one. */
static void map_same(struct buf *out, const struct extent *extents, size_t count, uint64_t from,
                     uint64_t to)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t first = extents[i].first, end = first + extents[i].count;
        first = first < from ? from : first;
        end = end > to ? to : end;
        if (first < end)
            buf_fmt(out, "%u %u %u\n", (unsigned)first, (unsigned)first, (unsigned)(end - first));
    }
}

static int map_as_here(struct buf *out, const char *map_file, uint32_t stand_in, struct error *err)
{
    struct extent extents[EXTENTS_MAX];
    size_t count = extents_here(map_file, extents);
    if (stand_in == 0) {
        map_same(out, extents, count, 0, PLAN_ID_COUNT);
        return 0;
    }
    if (!is_here(extents, count, stand_in))
        return error_set(err, -ERANGE,
                         "id %u is not among those that this user has; give the user 65536 "
                         "subordinate ids (usermod --add-subuids, --add-subgids), or name another "
                         "user with --user",
                         stand_in);
    buf_fmt(out, "0 %u 1\n%u 0 1\n", stand_in, stand_in);
    map_same(out, extents, count, 1, stand_in);
    map_same(out, extents, count, (uint64_t)stand_in + 1, PLAN_ID_COUNT);
    return 0;
}

int ids_map_process(pid_t pid, const struct ids *ids, struct error *err)
{
    autobuf uids = {0};
    autobuf gids = {0};
    if (ids->base) {
        buf_fmt(&uids, "0 %u %u\n", ids->base, PLAN_ID_COUNT);
        return write_maps(pid, buf_text(&uids), buf_text(&uids), err);
    }
    int rc = map_as_here(&uids, "/proc/self/uid_map", ids->stand_in_uid, err);
    if (rc == 0)
        rc = map_as_here(&gids, "/proc/self/gid_map", ids->stand_in_gid, err);
    return rc < 0 ? rc : write_maps(pid, buf_text(&uids), buf_text(&gids), err);
}

/* What 0 is mapped to, the first line of a map that we wrote. */
static int zero_of(pid_t pid, const char *map_file, uint32_t *out, struct error *err)
{
    char path[48];
    unsigned inside, outside;
    autobuf text = {0};
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, map_file);
    int rc = read_kernel_file(path, 65536, &text, err);
    if (rc < 0)
        return rc;
    if (sscanf(buf_text(&text), "%u %u", &inside, &outside) != 2 || inside != 0)
        return error_set(err, -EINVAL, "%s maps no root", path);
    *out = outside;
    return 0;
}

int ids_of_process(pid_t pid, struct ids *out, struct error *err)
{
    uint32_t uid, gid;
    int rc = zero_of(pid, "uid_map", &uid, err);
    if (rc == 0)
        rc = zero_of(pid, "gid_map", &gid, err);
    if (rc == 0)
        *out = ids_limited() ? (struct ids){.stand_in_uid = uid, .stand_in_gid = gid}
                             : (struct ids){.base = uid};
    return rc;
}

int ids_namespace_of(pid_t pid, struct error *err)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, "cannot open %s", path);
    return fd;
}

/* The lines of one map for ids_bind_namespace(): "on-disk kernel count". */
static void bind_map(struct buf *out, uint32_t base, uint32_t host, uint32_t inside,
                     enum ids_others others)
{
    buf_fmt(out, "%u %u 1\n", host, base + inside);
    if (others == IDS_OTHERS_NOBODY)
        return;
    if (others == IDS_OTHERS_ASIDE) {
        if (inside > 0)
            buf_fmt(out, "%u %u %u\n", IDS_ASIDE, base, inside);
        if (inside + 1 < PLAN_ID_COUNT)
            buf_fmt(out, "%u %u %u\n", IDS_ASIDE + inside + 1, base + inside + 1,
                    PLAN_ID_COUNT - inside - 1);
        return;
    }
    /* Everyone else keeps the number; the owner's number inside goes to whom `inside` was taken
     * from, so that the map stays one to one. */
    if (host != inside && host < PLAN_ID_COUNT)
        buf_fmt(out, "%u %u 1\n", inside, base + host);
    uint32_t low = host < inside ? host : inside, high = host < inside ? inside : host;
    uint32_t at = 0;
    uint32_t holes[2] = {low, high};
    for (int i = 0; i < 2; i++) {
        if (holes[i] >= PLAN_ID_COUNT || holes[i] < at)
            continue;
        if (holes[i] > at)
            buf_fmt(out, "%u %u %u\n", at, base + at, holes[i] - at);
        at = holes[i] + 1;
    }
    if (at < PLAN_ID_COUNT)
        buf_fmt(out, "%u %u %u\n", at, base + at, PLAN_ID_COUNT - at);
}

int ids_bind_namespace(uint32_t base, uint32_t host_uid, uint32_t host_gid, uint32_t inside_uid,
                       uint32_t inside_gid, enum ids_others others, struct error *err)
{
    autobuf uids = {0};
    autobuf gids = {0};
    bind_map(&uids, base, host_uid, inside_uid, others);
    bind_map(&gids, base, host_gid, inside_gid, others);
    struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    int pid = sys_clone3(&args);
    if (pid < 0)
        return error_set(err, pid, "cannot make a user namespace: %s", error_describe(pid));
    if (pid == 0) {
        for (;;)
            pause();
    }
    int rc = write_maps(pid, buf_text(&uids), buf_text(&gids), err);
    int fd = rc < 0 ? rc : ids_namespace_of(pid, err);
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return fd;
}
