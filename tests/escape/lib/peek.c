/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at every new process of the container as early as it can: guesses the next process ids and
 * opens what /proc shows of them to everybody. Prints each thing of the host's that it saw, once.
 *
 * usage: peek SECONDS MARKER [FILE]   (MARKER: a word of the host's command line; FILE: one of the
 * host's, looked for through /proc/PID/root, besides the word ("": none) alone; "-": who appears
 * has a root of its own, as containers that join have)
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char text[65536];

static bool look(int pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return false;
    for (ssize_t i = 0; i < n; i++)
        if (text[i] == '\0')
            text[i] = ' ';
    text[n] = '\0';
    return true;
}

static void tell(const char *what, bool *told)
{
    if (!*told)
        puts(what);
    *told = true;
}

/* The root in the mount table is no container's: those are overlays. */
static bool is_host_root(void)
{
    for (const char *line = text; *line; line = strchrnul(line, '\n'), line += *line == '\n') {
        char point[4096] = "", rest[4096] = "";
        if (sscanf(line, "%*s %*s %*s %*s %4095s %4095[^\n]", point, rest) == 2 &&
            strcmp(point, "/") == 0)
            return !strstr(rest, " - overlay ");
    }
    return false;
}

static bool is_host_table(const char *own_mounts)
{
    return *own_mounts ? !strstr(text, own_mounts) : is_host_root();
}

/* Ours has one interface, and one line of it. */
static void look_at(int pid, const char *own_mounts, const char *marker)
{
    static bool net, mounts, words;
    if (look(pid, "net/dev") && strstr(text, ":") && strstr(strstr(text, "lo:") + 3, ":"))
        tell("network of the host", &net);
    if (look(pid, "mountinfo") && is_host_table(own_mounts))
        tell("mounts of the host", &mounts);
    if (look(pid, "cmdline") && strstr(text, marker))
        tell("command line of the host", &words);
}

static void look_through(int pid, const char *file, const char *marker)
{
    static bool told, words;
    if (*marker && look(pid, "cmdline") && strstr(text, marker))
        tell("command line of the host", &words);
    char path[4096];
    snprintf(path, sizeof path, "/proc/%d/root%s", pid, file);
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return;
    close(fd);
    tell("root of the host", &told);
}

int main(int argc, char **argv)
{
    char own[64] = "";
    if (argc < 3 || argc > 4 || !look(getpid(), "mountinfo"))
        return 2;
    /* The id of our root's mount is nobody else's. */
    bool others = argc == 4 && strcmp(argv[3], "-") == 0;
    if (!others)
        snprintf(own, sizeof own, "%.*s ", (int)strcspn(text, " "), text);
    time_t end = time(NULL) + strtol(argv[1], NULL, 10);
    puts("looking");
    fflush(stdout);
    while (time(NULL) < end) {
        int last = 0, fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
        ssize_t n = read(fd, text, sizeof text - 1);
        close(fd);
        if (n <= 0)
            return 2;
        text[n] = '\0';
        const char *space = strrchr(text, ' ');
        last = space ? (int)strtol(space, NULL, 10) : 0;
        for (int pid = last; pid < last + 3; pid++)
            if (pid != getpid() && argc == 4 && !others)
                look_through(pid, argv[3], argv[2]);
            else if (pid != getpid())
                look_at(pid, own, argv[2]);
    }
    puts("done");
    return 0;
}
