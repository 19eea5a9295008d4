/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overwrite SECONDS: opens every other process's executable for writing, through a descriptor that
 * it took with O_PATH while the process was still the engine (MS-01). Prints what it could open and
 * how many it looked at; writes nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static unsigned long tries, opened;

static void try_one(const char *pid)
{
    char path[300], target[300];
    snprintf(path, sizeof path, "/proc/%s/exe", pid);
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return;
    tries++;
    ssize_t n = readlink(path, target, sizeof target - 1);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    for (int i = 0; i < 300; i++) { /* until it is no longer busy */
        int writable = open(path, O_WRONLY | O_CLOEXEC);
        if (writable < 0 && errno != ETXTBSY)
            break;
        if (writable < 0) {
            usleep(1000);
            continue;
        }
        opened++;
        printf("OPENED %.*s of %s\n", n > 0 ? (int)n : 1, n > 0 ? target : "?", pid);
        close(writable);
        break;
    }
    close(fd);
}

int main(int argc, char **argv)
{
    time_t end = time(NULL) + (argc > 1 ? strtol(argv[1], NULL, 10) : 1);
    while (time(NULL) < end) {
        DIR *proc = opendir("/proc");
        struct dirent *entry;
        while (proc && (entry = readdir(proc)))
            if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
                strtol(entry->d_name, NULL, 10) != getpid())
                try_one(entry->d_name);
        if (proc)
            closedir(proc);
    }
    printf("tried %lu opened %lu\n", tries, opened);
    return opened ? 1 : 0;
}
