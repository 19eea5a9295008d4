/* SPDX-License-Identifier: Apache-2.0 */
/* A reader of YAML that can do nothing else: a child with one descriptor, for its answer, and the
 * system calls that memory and that take. The answer is a letter and JSON, or a sentence. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "compose/yaml.h"
#include "confine/calls.h"

#define SECONDS_MAX 10
/* Quotes, commas and brackets are less than a node counts; an error is short. */
#define ANSWER_MAX (2 * (size_t)YAML_EXPANDED_MAX)

static int install_filter(void)
{
#if defined(CALLS_ARCHITECTURE) && !defined(SANITIZED)
    static const uint32_t needed[] = {
        __NR_write,  __NR_exit_group, __NR_brk,     __NR_mmap,     __NR_munmap,
        __NR_mremap, __NR_futex,      __NR_madvise, __NR_mprotect, __NR_getrandom,
    };
    struct calls calls;
    calls_begin(&calls);
    calls_allow(&calls, needed, sizeof needed / sizeof *needed);
    return calls_install(&calls);
#else
    return 0;
#endif
}

static int confine(int answer)
{
    const struct rlimit time = {SECONDS_MAX, SECONDS_MAX};
    if (dup2(answer, STDOUT_FILENO) < 0 || close(STDIN_FILENO) < 0 ||
        close_range(STDERR_FILENO, ~0U, 0) < 0 || setrlimit(RLIMIT_CPU, &time) < 0 ||
        prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    return install_filter();
}

static void answer(const char *letter, const char *text)
{
    _exit(write_all(STDOUT_FILENO, letter, 1) < 0 ||
          write_all(STDOUT_FILENO, text, strlen(text)) < 0);
}

__attribute__((noreturn)) static void read_in_child(const char *text, size_t length,
                                                    const char *file, int fd)
{
    struct error err = {0};
    json_t *value = NULL;
    int rc = confine(fd);
    if (rc < 0)
        _exit(1);
    rc = yaml_read(text, length, file, &value, &err);
    if (rc < 0)
        answer("E", err.text);
    char *json = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    answer(json ? "J" : "E", json ? json : "no memory");
    _exit(1);
}

/* What the child says, and how it ended. Whoever is not heard to the end is ended: it may be in
 * the middle of writing, and would stay there. */
static int hear(pid_t pid, int reader, struct buf *said, int *status, struct error *err)
{
    int rc = read_fd(reader, ANSWER_MAX, said);
    close(reader);
    if (rc < 0)
        (void)kill(pid, SIGKILL);
    int waited = process_wait(pid, status, err);
    return waited < 0 ? waited : rc;
}

int yaml_read_apart(const char *text, size_t length, const char *file, json_t **out,
                    struct error *err)
{
    autobuf said = {0};
    int ends[2], status = 0;
    json_object_seed(0); /* it would read a file */
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, "cannot make a pipe");
    pid_t pid = fork();
    if (pid == 0)
        read_in_child(text, length, file, ends[1]);
    int failed = errno;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return error_set(err, -failed, "cannot fork: %s", error_describe(-failed));
    }
    int rc = hear(pid, ends[0], &said, &status, err);
    if (rc < 0)
        return error_set(err, rc, "cannot read %s: what its reader says of it: %s", file,
                         error_describe(rc));
    if (status != 0 || said.len == 0)
        return error_set(err, -EPROTO, "cannot read %s: its reader was ended", file);
    if (said.data[0] == 'E')
        return error_set(err, -EINVAL, "%s", said.data + 1);
    *out = json_loadb(said.data + 1, said.len - 1, JSON_DECODE_ANY, NULL);
    return *out ? 0
                : error_set(err, -EPROTO, "cannot read %s: its reader says what is no JSON", file);
}
