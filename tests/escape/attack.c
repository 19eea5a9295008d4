/* SPDX-License-Identifier: Apache-2.0 */
#include "attack.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_NAMES 64
#define PATIENCE 120 /* seconds for one attempt */

struct choice {
    const char *only[MOST_NAMES], *skip[MOST_NAMES];
    size_t only_count, skip_count;
    bool json, list, harmless;
};

static const char *const outcomes[] = {"refused", "contained", "SUCCEEDED", "unavailable"};
static const struct attempt *const groups[] = {file_attempts, rights_attempts, kernel_attempts,
                                               limit_attempts};

void verdict(struct verdict *v, enum outcome outcome, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    v->outcome = outcome;
    vsnprintf(v->detail, sizeof v->detail, format, ap);
    va_end(ap);
}

void refused(struct verdict *v, const char *what)
{
    const char *name = strerrorname_np(errno);
    verdict(v, REFUSED, "%s: %s", what, name ? name : "?");
}

bool host_users(void)
{
    unsigned first = 0, outside = 1, count = 0;
    FILE *map = fopen("/proc/self/uid_map", "re");
    if (!map)
        return false;
    int n = fscanf(map, "%u %u %u", &first, &outside, &count);
    fclose(map);
    return n == 3 && first == 0 && outside == 0 && count == 4294967295U;
}

bool host_processes(void)
{
    char comm[32] = "";
    FILE *file = fopen("/proc/2/comm", "re");
    if (!file)
        return false;
    bool kernel = fgets(comm, sizeof comm, file) && strcmp(comm, "kthreadd\n") == 0;
    fclose(file);
    return kernel;
}

/* Who started us says which one the host has. */
bool host_network(const struct words *words)
{
    char own[64];
    ssize_t n = readlink("/proc/self/ns/net", own, sizeof own - 1);
    if (n < 0 || !words->network)
        return false;
    own[n] = '\0';
    return strcmp(own, words->network) == 0;
}

/* In a child: a filter of system calls may answer with a signal, the memory limit does. */
static void run_attempt(const struct attempt *attempt, const struct words *words,
                        struct verdict *out)
{
    pid_t child = fork();
    if (child == 0) {
        alarm(PATIENCE);
        attempt->try(words, out);
        _exit(0);
    }
    if (child < 0) {
        verdict(out, UNAVAILABLE, "fork: %s", strerrorname_np(errno));
        return;
    }
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFSIGNALED(status))
        return;
    if (WTERMSIG(status) == SIGALRM)
        verdict(out, UNAVAILABLE, "gave up after %d s", PATIENCE);
    else
        verdict(out, WTERMSIG(status) == SIGSYS ? REFUSED : CONTAINED, "killed by SIG%s",
                sigabbrev_np(WTERMSIG(status)));
}

static bool named(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool chosen(const struct choice *choice, const struct attempt *attempt)
{
    if (choice->only_count && !named(choice->only, choice->only_count, attempt->name))
        return false;
    if (choice->harmless && attempt->heavy)
        return false;
    return !named(choice->skip, choice->skip_count, attempt->name);
}

static void print_json_text(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void print_result(const struct choice *choice, const struct attempt *attempt,
                         const struct verdict *v, bool first)
{
    if (!choice->json) {
        printf("%s\t%s\t%s\n", attempt->name, outcomes[v->outcome], v->detail);
    } else {
        printf("%s\n  {\"name\": \"%s\", \"what\": ", first ? "" : ",", attempt->name);
        print_json_text(attempt->what);
        printf(", \"outcome\": \"%s\", \"detail\": ", outcomes[v->outcome]);
        print_json_text(v->detail);
        putchar('}');
    }
    fflush(stdout); /* the next attempt forks, or may take everything down */
}

static void run_all(const struct choice *choice, const struct words *words)
{
    struct verdict *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool first = true;
    if (shared == MAP_FAILED) {
        perror("attack: mmap");
        return;
    }
    if (choice->json)
        printf("[");
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        for (const struct attempt *attempt = groups[g]; attempt->name; attempt++) {
            if (!chosen(choice, attempt))
                continue;
            if (choice->list) {
                printf("%s\t%s\n", attempt->name, attempt->what);
                continue;
            }
            verdict(shared, UNAVAILABLE, "ended without a word");
            run_attempt(attempt, words, shared);
            print_result(choice, attempt, shared, first);
            first = false;
        }
    }
    if (choice->json)
        printf("\n]\n");
}

static _Noreturn void usage(int status)
{
    fprintf(status ? stderr : stdout,
            "usage: attack [--json] [--list] [--harmless] [--only NAME]... [--skip NAME]...\n"
            "              [--canary HOST-FILE] [--store HOST-DIRECTORY] [--network HOST-NETWORK]\n"
            "              [--memory BYTES] [--disk BYTES]\n"
            "Tries what an attacker inside a container would; one line for each attempt:\n"
            "name, outcome (refused, contained, SUCCEEDED, unavailable), detail.\n");
    exit(status);
}

int main(int argc, char **argv)
{
    struct choice choice = {0};
    struct words words = {
        .store = "/var/lib/caisson",
        .memory = (size_t)8 << 30,
        .disk = (size_t)2 << 30,
    };
    /* What the setuid-root attempt executes: this program again, to say who it has become. */
    if (argc == 2 && strcmp(argv[1], "--who") == 0)
        return geteuid() == 0 && getuid() != 0 ? 42 : 0;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(word, "--json") == 0)
            choice.json = true;
        else if (strcmp(word, "--list") == 0)
            choice.list = true;
        else if (strcmp(word, "--harmless") == 0)
            choice.harmless = true;
        else if (strcmp(word, "--help") == 0)
            usage(0);
        else if (!value)
            usage(2);
        else if (strcmp(word, "--only") == 0 && choice.only_count < MOST_NAMES)
            choice.only[choice.only_count++] = argv[++i];
        else if (strcmp(word, "--skip") == 0 && choice.skip_count < MOST_NAMES)
            choice.skip[choice.skip_count++] = argv[++i];
        else if (strcmp(word, "--network") == 0)
            words.network = argv[++i];
        else if (strcmp(word, "--canary") == 0)
            words.canary = argv[++i];
        else if (strcmp(word, "--store") == 0)
            words.store = argv[++i];
        else if (strcmp(word, "--memory") == 0)
            words.memory = strtoull(argv[++i], NULL, 10);
        else if (strcmp(word, "--disk") == 0)
            words.disk = strtoull(argv[++i], NULL, 10);
        else
            usage(2);
    }
    run_all(&choice, &words);
    return 0;
}
