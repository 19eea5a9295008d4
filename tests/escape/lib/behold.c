/* SPDX-License-Identifier: Apache-2.0 */
/*
 * behold SECONDS CAPABILITIES: looks at every process that appears, as who has CAP_SYS_PTRACE may,
 * and tells of directories among their descriptors and of capabilities beyond the named ones
 * (hexadecimal): those of a set-up process that is still the host's (MS-24).
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

static unsigned long beheld;

/* On the file systems of a root: the container's own, on the way into its root and its working
 * directory, are none of the host's. */
static bool lies_in(const char *root, const struct stat *st)
{
    static const char *const below[] = {"/", "/dev", "/proc"};
    for (int i = 0; i < 3; i++) {
        struct stat own;
        char path[320];
        snprintf(path, sizeof path, "%s%s", root, below[i]);
        if (stat(path, &own) == 0 && own.st_dev == st->st_dev)
            return true;
    }
    return false;
}

/* Who joined has a root of its own, an overlay, which the host's is not. */
static bool lies_in_own_root(const char *pid, const struct stat *st)
{
    struct statfs fs;
    char root[64];
    snprintf(root, sizeof root, "/proc/%s/root", pid);
    return statfs(root, &fs) == 0 && fs.f_type == OVERLAYFS_SUPER_MAGIC && lies_in(root, st);
}

static void look_at_descriptors(const char *pid)
{
    char path[320];
    for (int fd = 0; fd < 24; fd++) {
        struct stat st;
        snprintf(path, sizeof path, "/proc/%s/fd/%d", pid, fd);
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            char target[300] = "";
            ssize_t n = readlink(path, target, sizeof target - 1);
            target[n > 0 ? n : 0] = '\0';
            if (!lies_in("", &st) && !lies_in_own_root(pid, &st))
                printf("HOST %d %s\n", fd, target);
        }
    }
}

static void look_at_rights(const char *pid, unsigned long long allowed)
{
    char path[320], text[4096];
    snprintf(path, sizeof path, "/proc/%s/status", pid);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *at = strstr(text, "CapPrm:");
    unsigned long long held = at ? strtoull(at + 7, NULL, 16) : 0;
    if (held & ~allowed)
        printf("RIGHTS %llx\n", held);
    beheld++;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    time_t end = time(NULL) + strtol(argv[1], NULL, 10);
    unsigned long long allowed = strtoull(argv[2], NULL, 16);
    while (time(NULL) < end) {
        DIR *proc = opendir("/proc");
        struct dirent *entry;
        while (proc && (entry = readdir(proc))) {
            long pid = strtol(entry->d_name, NULL, 10);
            if (pid <= 1 || pid == getpid())
                continue;
            look_at_rights(entry->d_name, allowed);
            look_at_descriptors(entry->d_name);
        }
        if (proc)
            closedir(proc);
    }
    printf("beheld %lu\n", beheld);
    return 0;
}
