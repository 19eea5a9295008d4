/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/memory.h"

/* Rights and fields younger than the headers of the oldest distribution we build on. */
#define FS_REFER (UINT64_C(1) << 13)
#define FS_TRUNCATE (UINT64_C(1) << 14)
#define FS_IOCTL_DEV (UINT64_C(1) << 15)
#define SCOPE_ABSTRACT_UNIX (UINT64_C(1) << 0)

#define ABI_TRUNCATE 3
#define ABI_NETWORK 4
#define ABI_IOCTL_DEV 5
#define ABI_SCOPE 6

struct ruleset {
    uint64_t handled_fs, handled_net, scoped;
};

#define RIGHTS_READ ((uint64_t)(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR))
#define RIGHTS_EXEC (RIGHTS_READ | LANDLOCK_ACCESS_FS_EXECUTE)
#define RIGHTS_WRITE                                                                               \
    (RIGHTS_EXEC | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                 \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |   \
     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM | FS_REFER | FS_TRUNCATE)
#define RIGHTS_DEVICE (RIGHTS_WRITE | FS_IOCTL_DEV)
/* What may be allowed on something that is no directory. */
#define RIGHTS_OF_FILES                                                                            \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |   \
     FS_TRUNCATE | FS_IOCTL_DEV)

static const uint64_t class_rights[] = {
    [LANDLOCK_READ] = RIGHTS_READ,
    [LANDLOCK_EXEC] = RIGHTS_EXEC,
    [LANDLOCK_WRITE] = RIGHTS_WRITE,
    [LANDLOCK_DEVICE] = RIGHTS_DEVICE,
};

static int create_ruleset(const struct ruleset *ruleset, size_t size, uint32_t flags)
{
    long rc = syscall(SYS_landlock_create_ruleset, ruleset, size, flags);
    return rc < 0 ? -errno : (int)rc;
}

int landlock_abi(void)
{
    int abi = create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi < 0 ? 0 : abi;
}

static void add_place(struct landlock_plan *plan, const char *path, enum landlock_class class)
{
    plan->places = xrealloc(plan->places, plan->count + 1, sizeof *plan->places);
    plan->places[plan->count++] = (struct landlock_place){.path = xstrdup(path), .class = class};
}

int landlock_prepare(bool root_writable, const struct strv *writable, bool scope_abstract_unix,
                     struct landlock_plan *out, struct error *err)
{
    int abi = landlock_abi();
    if (abi == 0)
        return error_set(err, -ENOTSUP,
                         "this kernel has no Landlock, or it is not in its list of security "
                         "modules (boot parameter lsm=)");
    if (abi < LANDLOCK_ABI_NEEDED)
        return error_set(err, -ENOTSUP,
                         "this kernel's Landlock (version %d) forbids every move of a file between "
                         "directories: Linux 5.19 or later is needed",
                         abi);
    struct landlock_plan plan = {
        .abi = abi,
        .scope_abstract_unix = scope_abstract_unix && abi >= ABI_SCOPE,
    };
    add_place(&plan, "/", root_writable ? LANDLOCK_DEVICE : LANDLOCK_EXEC);
    if (!root_writable) {
        add_place(&plan, "/proc", LANDLOCK_WRITE);
        add_place(&plan, "/dev", LANDLOCK_DEVICE);
        for (size_t i = 0; i < writable->len; i++)
            add_place(&plan, writable->items[i], LANDLOCK_WRITE);
    }
    *out = plan;
    return 0;
}

static uint64_t handled_rights(int abi)
{
    uint64_t rights = RIGHTS_DEVICE;
    if (abi < ABI_TRUNCATE)
        rights &= ~FS_TRUNCATE;
    if (abi < ABI_IOCTL_DEV)
        rights &= ~FS_IOCTL_DEV;
    return rights;
}

static int allow_beneath(int ruleset, int fd, uint64_t rights)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        rights &= RIGHTS_OF_FILES;
    const struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0
               ? -errno
               : 0;
}

static bool is_mount_below(int root, int fd)
{
    struct statx top, at;
    const unsigned wanted = STATX_MNT_ID;
    return statx(root, "", AT_EMPTY_PATH, wanted, &top) == 0 &&
           statx(fd, "", AT_EMPTY_PATH, wanted, &at) == 0 &&
           at.stx_attributes & STATX_ATTR_MOUNT_ROOT && at.stx_mnt_id != top.stx_mnt_id;
}

static int open_place(int root, const char *path, uint64_t resolve)
{
    const struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                                 .resolve = resolve | RESOLVE_NO_MAGICLINKS | RESOLVE_IN_ROOT};
    int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
    return fd < 0 ? -errno : fd;
}

/* Symlinks stay inside the root; those of /proc to elsewhere are not followed. Of others the image
 * may have some on the way to a mount, but for a process that enters later the workload may have
 * laid them: then what they lead to has to be a mount of ours, and never the root itself. */
static int allow_place(int ruleset, int root, const struct landlock_place *place, uint64_t handled)
{
    autofd fd = open_place(root, place->path, RESOLVE_NO_SYMLINKS);
    if (fd == -ELOOP) {
        fd = open_place(root, place->path, 0);
        if (fd >= 0 && !is_mount_below(root, fd))
            return 0;
    }
    if (fd < 0)
        return fd == -ENOENT || fd == -ENOTDIR || fd == -EACCES || fd == -ELOOP ? 0 : fd;
    return allow_beneath(ruleset, fd, class_rights[place->class] & handled);
}

/* Standard input, output and error may be files of the host, and programs open them again by name
 * (/dev/stdin): as far as they are open already. Pipes and sockets need no rule; the kernel refuses
 * one for them. */
static int allow_standard_fds(int ruleset, uint64_t handled)
{
    for (int fd = 0; fd <= 2; fd++) {
        struct stat st;
        int flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fstat(fd, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)))
            continue;
        uint64_t rights = 0;
        if ((flags & O_ACCMODE) != O_WRONLY)
            rights |= LANDLOCK_ACCESS_FS_READ_FILE;
        if ((flags & O_ACCMODE) != O_RDONLY)
            rights |= LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE;
        if (S_ISCHR(st.st_mode))
            rights |= FS_IOCTL_DEV;
        int rc = allow_beneath(ruleset, fd, rights & handled);
        if (rc < 0 && rc != -EBADFD)
            return rc;
    }
    return 0;
}

static bool is_on_proc(const struct landlock_place *place)
{
    return strncmp(place->path, "/proc", 5) == 0 &&
           (place->path[5] == '/' || place->path[5] == '\0');
}

static int allow_places(int ruleset, int root, const struct landlock_plan *plan, bool proc,
                        bool others)
{
    uint64_t handled = handled_rights(plan->abi);
    for (size_t i = 0; i < plan->count; i++) {
        if (is_on_proc(&plan->places[i]) ? !proc : !others)
            continue;
        int rc = allow_place(ruleset, root, &plan->places[i], handled);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int new_ruleset(const struct landlock_plan *plan)
{
    const struct ruleset wanted = {
        .handled_fs = handled_rights(plan->abi),
        .scoped = plan->scope_abstract_unix ? SCOPE_ABSTRACT_UNIX : 0,
    };
    /* Older kernels know a shorter structure, and take a longer one only with zeros behind. */
    size_t size = plan->abi >= ABI_SCOPE     ? sizeof wanted
                  : plan->abi >= ABI_NETWORK ? offsetof(struct ruleset, scoped)
                                             : offsetof(struct ruleset, handled_net);
    return create_ruleset(&wanted, size, 0);
}

int landlock_begin(const struct landlock_plan *plan, int root)
{
    autofd ruleset = new_ruleset(plan);
    int rc = ruleset < 0 ? ruleset : allow_places(ruleset, root, plan, false, true);
    return rc < 0 ? rc : take_fd(&ruleset);
}

int landlock_restrict(const struct landlock_plan *plan, int begun)
{
    autofd fresh = begun < 0 ? new_ruleset(plan) : -1;
    int ruleset = begun < 0 ? fresh : begun;
    if (ruleset < 0)
        return ruleset;
    autofd root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int rc = root < 0 ? -errno : allow_places(ruleset, root, plan, true, begun < 0);
    if (rc == 0)
        rc = allow_standard_fds(ruleset, handled_rights(plan->abi));
    if (rc < 0)
        return rc;
    return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

void landlock_plan_free(struct landlock_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        free(plan->places[i].path);
    free(plan->places);
    *plan = (struct landlock_plan){0};
}
