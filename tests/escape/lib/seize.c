/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seize SECONDS PROGRAM: attaches to every process that appears, and tells when one was not yet
 * PROGRAM: the engine's set-up stage, which shares our user id (MS-24).
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned long attached, early;

static void try_one(pid_t pid, const char *program)
{
    char path[64], target[300] = "";
    /* Seized, not attached: the SIGSTOP of an attach that meets an exec would outlast us. */
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0)
        return;
    ptrace(PTRACE_INTERRUPT, pid, 0, 0);
    waitpid(pid, NULL, __WALL);
    attached++;
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    ssize_t n = readlink(path, target, sizeof target - 1);
    target[n > 0 ? n : 0] = '\0';
    if (n > 0 && strcmp(target, program) != 0) { /* none: it has ended meanwhile */
        early++;
        printf("SEIZED %s\n", target);
    }
    ptrace(PTRACE_DETACH, pid, 0, 0);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    time_t end = time(NULL) + strtol(argv[1], NULL, 10);
    while (time(NULL) < end) {
        DIR *proc = opendir("/proc");
        struct dirent *entry;
        while (proc && (entry = readdir(proc))) {
            pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
            if (pid > 1 && pid != getpid())
                try_one(pid, argv[2]);
        }
        if (proc)
            closedir(proc);
    }
    printf("attached %lu early %lu\n", attached, early);
    return early ? 1 : 0;
}
