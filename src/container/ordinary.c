/* SPDX-License-Identifier: Apache-2.0 */
#include "container/ordinary.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/strv.h"
#include "base/text.h"
#include "container/disk.h"
#include "container/user.h"
#include "runtime/donor.h"
#include "runtime/ids.h"
#include "runtime/mapper.h"
#include "runtime/syscalls.h"

#define LOCK_FILE "namespace"
#define RANGES_MAX 32

/* The bytes of the lock file. */
enum { HELD = 0, MAKING = 1 };

static int lock(int fd, int command, short type, off_t byte, pid_t *holder)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    int rc;
    do {
        rc = fcntl(fd, command, &lock);
    } while (rc < 0 && errno == EINTR);
    if (holder)
        *holder = rc == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
    return rc < 0 ? -errno : 0;
}

static int open_lock(const char *state, int flags)
{
    autofree char *path = xasprintf("%s/" LOCK_FILE, state);
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | flags, 0600);
    return fd < 0 ? -errno : fd;
}

void ordinary_hold(const char *state)
{
    if (!ids_limited())
        return;
    int fd = open_lock(state, 0); /* stays open, or the lock would be gone */
    if (fd >= 0)
        (void)lock(fd, F_SETLK, F_RDLCK, HELD, NULL);
}

/* --- who we are and which ids we were given ----------------------------------------------------
 */

struct range {
    uint32_t first, count;
};

struct person {
    uint32_t uid, gid;
    char *name; /* owned */
    struct range uids[RANGES_MAX], gids[RANGES_MAX];
    size_t uid_count, gid_count;
};

static void find_name(struct person *who)
{
    autobuf passwd = {0};
    struct user user = {0};
    if (read_kernel_file("/etc/passwd", 16 << 20, &passwd, NULL) == 0)
        user_by_id(who->uid, buf_text(&passwd), &user);
    const char *told = getenv("USER"); /* of a directory service; newuidmap checks it anyway */
    who->name = user.name ? xstrdup(user.name) : xstrdup(told ? told : "");
    user_free(&user);
}

/* subuid(5): lines "name-or-uid:first:count". */
static size_t find_ranges(const char *file, const struct person *who, struct range *out)
{
    autobuf text = {0};
    size_t count = 0;
    uint64_t total = 0;
    if (read_kernel_file(file, 16 << 20, &text, NULL) < 0)
        return 0;
    autofree char *number = xasprintf("%u", who->uid);
    autostrv lines = {0};
    strv_split(&lines, buf_text(&text), '\n');
    for (size_t i = 0; i < lines.len && count < RANGES_MAX && total < PLAN_ID_COUNT; i++) {
        autostrv parts = {0};
        uint64_t first, size;
        strv_split(&parts, lines.items[i], ':');
        if (parts.len != 3 || !*parts.items[0] ||
            (!streq(parts.items[0], who->name) && !streq(parts.items[0], number)) ||
            parse_u64(parts.items[1], UINT32_MAX - 1, &first) < 0 ||
            parse_u64(parts.items[2], UINT32_MAX, &size) < 0 || size == 0)
            continue;
        if (size > PLAN_ID_COUNT - total)
            size = PLAN_ID_COUNT - total;
        out[count++] = (struct range){(uint32_t)first, (uint32_t)size};
        total += size;
    }
    return count;
}

static int know(struct person *who, struct error *err)
{
    *who = (struct person){.uid = geteuid(), .gid = getegid()};
    find_name(who);
    who->uid_count = find_ranges("/etc/subuid", who, who->uids);
    who->gid_count = find_ranges("/etc/subgid", who, who->gids);
    if (who->uid_count && who->gid_count)
        return 0;
    return error_set(err, -EPERM,
                     "no subordinate ids are given to user %s in %s: an administrator does it with "
                     "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s (take "
                     "numbers that nobody has)",
                     *who->name ? who->name : "?", who->uid_count ? "/etc/subgid" : "/etc/subuid",
                     *who->name ? who->name : "NAME");
}

/* --- making the namespace ----------------------------------------------------------------------
 */

/* newuidmap PID 0 OWN 1 1 FIRST COUNT ... */
static void map_words(struct strv *out, const char *program, pid_t pid, uint32_t own,
                      const struct range *ranges, size_t count)
{
    uint32_t inside = 1;
    strv_add(out, program);
    strv_fmt(out, "%d", (int)pid);
    strv_add(out, "0");
    strv_fmt(out, "%u", own);
    strv_add(out, "1");
    for (size_t i = 0; i < count; i++) {
        strv_fmt(out, "%u", inside);
        strv_fmt(out, "%u", ranges[i].first);
        strv_fmt(out, "%u", ranges[i].count);
        inside += ranges[i].count;
    }
}

/* A child that is outside, where the program's setuid bit counts, and waits until we are inside. */
static pid_t start_mapper(const struct strv *words, const int *go)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    char byte;
    close(go[1]); /* or its end would never come should we be killed */
    if (read_full(go[0], &byte, 1) != 1)
        _exit(0);
    mapper_execute(words);
}

static int separate(struct error *err)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0)
        return 0;
    int rc = -errno;
    const char *way = rc == -ENOSPC ? "the limit /proc/sys/user/max_user_namespaces is reached"
                      : rc == -EPERM || rc == -EACCES
                          ? "this host does not let ordinary users make them (see the settings "
                            "kernel.unprivileged_userns_clone and "
                            "kernel.apparmor_restrict_unprivileged_userns); run with sudo"
                          : error_describe(rc);
    return error_set(err, rc, "cannot make a user namespace: %s", way);
}

static int make_namespace(struct error *err)
{
    struct person who;
    autostrv uids = {0};
    autostrv gids = {0};
    int go[2];
    int rc = know(&who, err);
    if (rc == 0 && pipe2(go, O_CLOEXEC) < 0)
        rc = error_errno(err, "cannot make a pipe");
    if (rc < 0) {
        free(who.name);
        return rc;
    }
    map_words(&uids, "newuidmap", getpid(), who.uid, who.uids, who.uid_count);
    map_words(&gids, "newgidmap", getpid(), who.gid, who.gids, who.gid_count);
    free(who.name);
    pid_t first = start_mapper(&uids, go);
    pid_t second = start_mapper(&gids, go);
    close(go[0]);
    rc = first < 0 || second < 0 ? error_errno(err, "cannot fork") : separate(err);
    if (rc == 0 && write_all(go[1], "gg", 2) < 0)
        rc = error_set(err, -ECHILD, "cannot have the ids mapped");
    close(go[1]);
    struct error other = {0};
    int rc1 = first > 0 ? mapper_end(first, "newuidmap", rc < 0 ? &other : err) : 0;
    if (rc == 0)
        rc = rc1;
    int rc2 = second > 0 ? mapper_end(second, "newgidmap", rc < 0 ? &other : err) : 0;
    return rc < 0 ? rc : rc2;
}

/* --- joining it --------------------------------------------------------------------------------
 */

/* Of this and its parents: the one whose parent is ours, -1 when none is. Takes `fd`. */
static int below_ours(int fd)
{
    struct stat ours, st;
    if (stat("/proc/self/ns/user", &ours) < 0) {
        close(fd);
        return -1;
    }
    for (int depth = 0; fd >= 0 && depth < 32; depth++) {
        int parent = ioctl(fd, NS_GET_PARENT);
        if (parent < 0)
            break;
        bool found =
            fstat(parent, &st) == 0 && st.st_ino == ours.st_ino && st.st_dev == ours.st_dev;
        if (found) {
            close(parent);
            uid_t owner;
            if (ioctl(fd, NS_GET_OWNER_UID, &owner) == 0 && owner == geteuid())
                return fd;
            break;
        }
        close(fd);
        fd = parent;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

static int namespace_of(pid_t pid)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -1 : below_ours(fd);
}

/* The namespace of a process that holds the lock. It may end while we look, and its number be given
 * to another: what counts is who has the lock once the namespace is open. */
static int held_namespace(int fd)
{
    pid_t holder, again;
    for (int tries = 0; tries < 100; tries++) {
        if (lock(fd, F_GETLK, F_WRLCK, HELD, &holder) < 0 || holder <= 0)
            return -1;
        int ns = namespace_of(holder);
        if (lock(fd, F_GETLK, F_WRLCK, HELD, &again) == 0 && again == holder && ns >= 0)
            return ns;
        if (ns >= 0)
            close(ns);
    }
    return -1;
}

/* A container that runs although nobody watches it any more. */
static int container_namespace(const char *state)
{
    autofree char *path = xasprintf("%s/containers", state);
    DIR *dir = opendir(path);
    int found = -1;
    for (struct dirent *entry; dir && found < 0 && (entry = readdir(dir));) {
        struct container_status status = {0};
        autofd one = entry->d_name[0] == '.'
                         ? -1
                         : openat(dirfd(dir), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (one < 0 || status_read(one, STATUS_NAME, &status, NULL) < 0)
            continue;
        autofd first = status.pid > 0 ? sys_pidfd_open(status.pid) : -1;
        pid_t pid = status.pid;
        autofd insider = first >= 0 && process_alive(status.pid, status.start_time)
                             ? donor_insider(&pid, first, NULL)
                             : -1;
        if (insider >= 0)
            found = namespace_of(pid);
        if (found >= 0 && !process_alive(status.pid, status.start_time))
            close(take_fd(&found));
        status_free(&status);
    }
    if (dir)
        closedir(dir);
    return found;
}

static int join_namespace(int ns, struct error *err)
{
    if (setns(ns, CLONE_NEWUSER) < 0 || unshare(CLONE_NEWNS) < 0)
        return error_errno(err, "cannot enter the user namespace of your containers");
    return 0;
}

int ordinary_enter(const char *state, struct error *err)
{
    autofree char *parent = xstrdup(state);
    char *slash = strrchr(parent, '/');
    if (slash && slash != parent) {
        *slash = '\0';
        (void)mkdir(parent, 0700);
    }
    if (mkdir(state, 0700) < 0 && errno != EEXIST)
        return error_errno(err, "cannot make the state directory %s", state);
    int fd = open_lock(state, O_CLOEXEC); /* kept: closing it would give the lock back */
    if (fd < 0)
        return error_set(err, fd, "cannot use the state directory %s: %s", state,
                         error_describe(fd));
    int rc = lock(fd, F_SETLKW, F_WRLCK, MAKING, NULL);
    if (rc < 0)
        return error_set(err, rc, "cannot lock %s/" LOCK_FILE ": %s", state, error_describe(rc));
    autofd ns = held_namespace(fd);
    if (ns < 0)
        ns = container_namespace(state);
    rc = ns >= 0 ? join_namespace(ns, err) : make_namespace(err);
    if (rc == 0) {
        (void)lock(fd, F_SETLK, F_RDLCK, HELD, NULL);
        (void)mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL);
    }
    (void)lock(fd, F_SETLK, F_UNLCK, MAKING, NULL);
    return rc;
}
