/* SPDX-License-Identifier: Apache-2.0 */
/* Files: the root, the kernel's own trees, the host's files, devices, descriptors. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "attack.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* The first of these files that opens for writing; nothing is written. */
static void open_for_writing(const char *const *paths, size_t count, struct verdict *out)
{
    int last = ENOENT;
    for (size_t i = 0; i < count; i++) {
        int fd = open(paths[i], O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        struct stat st;
        if (fd < 0) {
            last = errno == ENOENT ? last : errno;
            continue;
        }
        bool null = fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
        close(fd);
        if (null) /* masked */
            continue;
        verdict(out, SUCCEEDED, "%s opens for writing", paths[i]);
        return;
    }
    errno = last;
    refused(out, "open for writing");
}

static bool reads(const char *path, char *into, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, into, size);
    int saved = n == 0 ? ENODATA : errno;
    close(fd);
    errno = saved;
    return n > 0;
}

static void read_first(const char *const *paths, size_t count, struct verdict *out)
{
    char byte;
    int last = ENOENT;
    for (size_t i = 0; i < count; i++) {
        if (reads(paths[i], &byte, 1)) {
            verdict(out, SUCCEEDED, "%s can be read", paths[i]);
            return;
        }
        last = errno == ENOENT ? last : errno;
    }
    errno = last;
    refused(out, "read");
}

static void write_root(const struct words *words, struct verdict *out)
{
    static const char *const places[] = {"/", "/etc", "/bin", "/usr", "/lib", "/sbin", "/var"};
    (void)words;
    for (size_t i = 0; i < COUNT(places); i++) {
        char path[64];
        snprintf(path, sizeof path, "%s/attack-was-here", places[i]);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0) {
            if (errno != ENOENT)
                refused(out, "create a file in the root");
            continue;
        }
        close(fd);
        unlink(path);
        verdict(out, SUCCEEDED, "made a file in %s", places[i]);
        return;
    }
}

static void write_etc(const struct words *words, struct verdict *out)
{
    static const char *const paths[] = {"/etc/passwd", "/etc/group", "/etc/hosts",
                                        "/etc/resolv.conf", "/etc/hostname"};
    (void)words;
    open_for_writing(paths, COUNT(paths), out);
}

static void write_proc_sys(const struct words *words, struct verdict *out)
{
    static const char *const paths[] = {
        "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
        "/proc/sys/vm/panic_on_oom",     "/proc/sys/fs/binfmt_misc/register",
        "/proc/sysrq-trigger",           "/proc/irq/default_smp_affinity",
    };
    (void)words;
    open_for_writing(paths, COUNT(paths), out);
}

static void write_sys(const struct words *words, struct verdict *out)
{
    static const char *const paths[] = {
        "/sys/kernel/uevent_helper",
        "/sys/power/state",
        "/sys/kernel/mm/transparent_hugepage/enabled",
        "/sys/kernel/profiling",
        "/sys/module/printk/parameters/time",
    };
    (void)words;
    open_for_writing(paths, COUNT(paths), out);
}

static void write_cgroup(const struct words *words, struct verdict *out)
{
    static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/memory",
                                         "/sys/fs/cgroup/unified"};
    static const char *const files[] = {"/sys/fs/cgroup/release_agent",
                                        "/sys/fs/cgroup/memory/release_agent",
                                        "/sys/fs/cgroup/cgroup.procs"};
    (void)words;
    for (size_t i = 0; i < COUNT(places); i++) {
        char path[64];
        snprintf(path, sizeof path, "%s/attack-was-here", places[i]);
        if (mkdir(path, 0700) == 0) {
            rmdir(path);
            verdict(out, SUCCEEDED, "made a control group in %s", places[i]);
            return;
        }
    }
    open_for_writing(files, COUNT(files), out);
}

static void read_masked(const struct words *words, struct verdict *out)
{
    static const char *const paths[] = {"/proc/kcore", "/proc/keys", "/proc/timer_list",
                                        "/proc/kallsyms", "/proc/sched_debug"};
    (void)words;
    read_first(paths, COUNT(paths), out);
}

/* Without a canary the host's /etc/shadow: any that is not the image's own. */
static void host_files(const struct words *words, struct verdict *out)
{
    static const char *const ways[] = {
        "/../../../../..", "/proc/1/root", "/proc/self/root/..", "/proc/self/cwd/../../../../..",
        "/host",           "/mnt"};
    const char *canary = words->canary ? words->canary : "/etc/shadow";
    char path[PATH_MAX], content[64];
    struct stat own, found;
    bool have_own = !words->canary && stat(canary, &own) == 0;
    errno = ENOENT;
    refused(out, canary);
    for (size_t i = 0; i < COUNT(ways); i++) {
        snprintf(path, sizeof path, "%s%s", ways[i], canary);
        if (!reads(path, content, sizeof content)) {
            refused(out, canary);
            continue;
        }
        if (have_own && stat(path, &found) == 0 && found.st_dev == own.st_dev &&
            found.st_ino == own.st_ino)
            continue;
        verdict(out, SUCCEEDED, "%s can be read", path);
        return;
    }
}

static void engine_store(const struct words *words, struct verdict *out)
{
    const char *const places[] = {words->store, "/var/lib/caisson", "/run/caisson",
                                  "/var/lib/docker", "/var/lib/containers"};
    for (size_t i = 0; i < COUNT(places); i++) {
        DIR *dir = opendir(places[i]);
        if (!dir)
            continue;
        closedir(dir);
        verdict(out, SUCCEEDED, "%s can be listed", places[i]);
        return;
    }
    refused(out, words->store);
}

static void engine_socket(const struct words *words, struct verdict *out)
{
    static const char *const paths[] = {"/run/docker.sock", "/var/run/docker.sock",
                                        "/run/containerd/containerd.sock",
                                        "/run/podman/podman.sock", "/run/crio/crio.sock"};
    (void)words;
    refused(out, "connect");
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        snprintf(address.sun_path, sizeof address.sun_path, "%s", paths[i]);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
            verdict(out, SUCCEEDED, "connected to %s", paths[i]);
            return;
        }
        refused(out, "connect");
        if (fd >= 0)
            close(fd);
    }
}

static void root_of_process_1(const struct words *words, struct verdict *out)
{
    struct stat ours, theirs;
    (void)words;
    if (stat("/proc/1/root/", &theirs) < 0 || stat("/", &ours) < 0)
        refused(out, "/proc/1/root");
    else if (host_processes())
        verdict(out, SUCCEEDED, "/proc/1/root is the host's");
    else
        verdict(out, CONTAINED, "/proc/1/root is the container's own");
}

static void device_memory(const struct words *words, struct verdict *out)
{
    static const char *const paths[] = {"/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg"};
    (void)words;
    read_first(paths, COUNT(paths), out);
}

/* Device nodes for the first disks and for memory, wherever one can be made, or already there. */
static void device_nodes(const struct words *words, struct verdict *out)
{
    static const char *const places[] = {"/dev", "/tmp", "/dev/shm", "/run", "/"};
    static const struct {
        mode_t type;
        unsigned major, minor;
    } devices[] = {{S_IFBLK, 8, 0}, {S_IFBLK, 253, 0}, {S_IFBLK, 254, 0}, {S_IFCHR, 1, 1}};
    (void)words;
    bool made = false;
    for (size_t i = 0; i < COUNT(places) * COUNT(devices); i++) {
        const char *place = places[i / COUNT(devices)];
        size_t d = i % COUNT(devices);
        char path[64], byte;
        snprintf(path, sizeof path, "%s/attack-node", place);
        if (mknod(path, devices[d].type | 0600, makedev(devices[d].major, devices[d].minor)) < 0) {
            if (!made)
                refused(out, "mknod");
            continue;
        }
        made = true;
        bool open = reads(path, &byte, 1);
        int saved = errno;
        unlink(path);
        if (open) {
            verdict(out, SUCCEEDED, "device %u:%u can be read through %s", devices[d].major,
                    devices[d].minor, path);
            return;
        }
        verdict(out, CONTAINED, "made a node, it does not open: %s", strerrorname_np(saved));
    }
}

/* A descriptor that the engine forgot leads out (CVE-2024-21626). */
static void inherited_descriptors(const struct words *words, struct verdict *out)
{
    (void)words;
    verdict(out, REFUSED, "only the standard streams are open");
    for (int fd = 3; fd < 1024; fd++) {
        char path[64], target[160];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, target, sizeof target - 1);
        if (n < 0)
            continue;
        target[n] = '\0';
        verdict(out, SUCCEEDED, "descriptor %d is %.100s", fd, target);
        return;
    }
}

const struct attempt file_attempts[] = {
    {"write-root", "make a file in the root file system", false, write_root},
    {"write-etc", "change /etc/passwd, hosts, resolv.conf", false, write_etc},
    {"write-proc-sys", "change kernel parameters, core_pattern", false, write_proc_sys},
    {"write-sys", "change the kernel through /sys", false, write_sys},
    {"write-cgroup", "make a control group, set a release agent", false, write_cgroup},
    {"read-masked", "read kernel memory, keys, symbols in /proc", false, read_masked},
    {"host-files", "read a file of the host's", false, host_files},
    {"engine-store", "list other containers' files", false, engine_store},
    {"engine-socket", "talk to a container engine", false, engine_socket},
    {"proc-1-root", "reach a root through /proc/1/root", false, root_of_process_1},
    {"descriptors", "use a descriptor that the engine left open", false, inherited_descriptors},
    {"device-memory", "read /dev/mem, /dev/kmsg", false, device_memory},
    {"device-nodes", "make a disk's device node and read it", false, device_nodes},
    {NULL, NULL, false, NULL},
};
