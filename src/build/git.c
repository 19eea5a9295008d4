/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repositories, through the git of the host: /usr/bin/git, in a process that can write to one
 * directory of the staging area, read programs, libraries and certificates, and has no capability.
 *
 * git sees no configuration but what is said here, no hook, no template, no helper that knows
 * passwords, no terminal. A password goes through its environment, where only we look. Of
 * repositories in the repository only those over https and ssh are fetched. ssh knows the keys of
 * the agent that was given (--ssh default), and the hosts that the person knows.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "build/fetching.h"
#include "build/git_parts.h"
#include "build/secrets.h"
#include "fetch/fetch.h"
#include "path/inroot.h"
#include "runtime/errand.h"

#define KNOWN_HOSTS_MAX (4u << 20)
#define TREE "tree"

/* --- the directory --- */

static int make_home(const struct fetching *f, const char *entry, struct error *err)
{
    if (mkdirat(f->staging->fd, entry, 0700) < 0 && errno != EEXIST)
        return error_errno(err, "cannot make a directory for git");
    autofd dir = open_directory_at(f->staging->fd, entry, err);
    if (dir >= 0 && mkdirat(dir, TREE, 0755) < 0 && errno != EEXIST)
        return error_errno(err, "cannot make a directory for git");
    return take_fd(&dir);
}

/* The hosts whose keys the person has seen; not there, they are those of the machine. */
static void copy_known_hosts(int home)
{
    const char *own = getenv("HOME");
    autobuf text = {0};
    autofree char *path = own ? xasprintf("%s/.ssh/known_hosts", own) : NULL;
    autofd fd = path ? open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -1;
    autofd to =
        openat(home, "known_hosts", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && to >= 0 && read_fd(fd, KNOWN_HOSTS_MAX, &text) == 0)
        (void)write_all(to, text.data, text.len);
}

static int start_agent(const struct fetching *f, const struct remote *remote, int home, pid_t *pid,
                       struct error *err)
{
    char path[64];
    *pid = 0;
    if (remote->scheme != REMOTE_SSH)
        return 0;
    if (!f->agent)
        return error_set(err, -ENOKEY,
                         "%.300s is fetched with the keys of an ssh agent: give it with --ssh "
                         "default",
                         remote->address);
    copy_known_hosts(home);
    (void)unlinkat(home, "agent", 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d/agent", home);
    return agent_relay(path, f->agent, 0600, geteuid(), getegid(), pid, err);
}

/* --- may it be asked at all --- */

static int read_list(const struct strv *words, struct egress_list *out, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && words && i < words->len; i++)
        rc = egress_parse(words->items[i], out, err);
    return rc;
}

/* git resolves the name itself, so the name is what can be held to the list. */
static int may_ask(const struct fetching *f, const struct remote *remote, bool *limited,
                   struct error *err)
{
    autoegress list = {0};
    struct fetch_hop hop = {
        .egress = &list, .host = remote->host, .port = remote->port, .proxy = true};
    if (f->forbidden)
        return error_set(err, -EACCES,
                         "%.300s cannot be fetched with --network none: leave that out, or give "
                         "--egress for what may be reached",
                         remote->address);
    if (access(GIT_PROGRAM, X_OK) < 0)
        return error_set(err, -ENOENT,
                         "%.300s is a git repository, and " GIT_PROGRAM
                         " is not there: install the package git",
                         remote->address);
    int rc = read_list(f->egress, &list, err);
    *limited = list.limited;
    return rc < 0 ? rc : fetch_may_ask(&hop, err);
}

/* --- one process that runs git --- */

static int run(const struct fetching *f, struct git_work *work, const char *entry,
               int (*what)(void *closure, const struct errand_place *place, uint64_t *count,
                           struct error *err),
               struct error *err)
{
    struct errand_run child = ERRAND_RUN_NONE;
    struct errand errand = {.work = what, .closure = work, .fds = {-1, -1, -1, -1}};
    pid_t agent = 0;
    int rc = may_ask(f, work->remote, &work->limited, err);
    autofd home = rc < 0 ? rc : make_home(f, entry, err);
    if (home < 0)
        return home;
    work->home = home;
    rc = start_agent(f, work->remote, home, &agent, err);
    if (rc == 0)
        rc = errand_aside(&errand, &child, err);
    if (rc == 0)
        rc = errand_end(&child, NULL, err);
    if (agent > 0) {
        kill(agent, SIGKILL);
        (void)waitpid(agent, NULL, 0);
    }
    return rc;
}

int git_resolve(const struct fetching *f, const struct remote *remote, const char *entry,
                char commit[GIT_COMMIT_MAX], struct error *err)
{
    struct git_work work = {.remote = remote};
    autobuf text = {0};
    if (remote->ref && remote_is_commit(remote->ref)) {
        snprintf(commit, GIT_COMMIT_MAX, "%s", remote->ref);
        return 0;
    }
    int rc = run(f, &work, entry, git_list, err);
    autofd home = rc < 0 ? rc : open_directory_at(f->staging->fd, entry, err);
    if (rc == 0)
        rc = home < 0 ? home : read_file_at(home, GIT_FOUND, GIT_COMMIT_MAX, &text, err);
    if (rc == 0 && !remote_is_commit(buf_text(&text)))
        rc = error_set(err, -EPROTO, "git said something unexpected of %.300s", remote->address);
    if (rc == 0)
        snprintf(commit, GIT_COMMIT_MAX, "%s", buf_text(&text));
    return rc;
}

int git_fetch(const struct fetching *f, const struct remote *remote, const char *entry,
              const char *commit, struct error *err)
{
    struct git_work work = {.remote = remote, .commit = commit};
    autofree char *path = remote->subdir ? xasprintf(TREE "/%s", remote->subdir) : xstrdup(TREE);
    int rc = run(f, &work, entry, git_take, err);
    autofd home = rc < 0 ? rc : open_directory_at(f->staging->fd, entry, err);
    if (home < 0)
        return home;
    int fd = inroot_open_beneath(home, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (fd >= 0)
        return fd;
    return error_set(err, fd,
                     fd == -ELOOP ? "%.200s of %.300s is a symbolic link, or below one: name the "
                                    "directory itself"
                                  : "%.200s is no directory of %.300s",
                     remote->subdir ? remote->subdir : ".", remote->address);
}
