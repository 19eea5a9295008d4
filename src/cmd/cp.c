/* SPDX-License-Identifier: Apache-2.0 */
/* cp and export: which word is in the container and which here, and nothing else. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "cmd/container_words.h"
#include "cmd/copy_options.h"
#include "cmd/front.h"
#include "cmd/output_file.h"
#include "cmd/print.h"
#include "cmd/progress.h"
#include "cmd/worker.h"
#include "container/copy.h"
#include "container/events.h"

/* "CONTAINER:PATH"; container NULL: a path of the host. Owned: a process in the place of a
 * container has wiped our words (process_hide_words()). */
struct side {
    char *container, *path;
};

static void side_free(struct side *side)
{
    free(side->container);
    free(side->path);
}
#define autoside __attribute__((cleanup(side_free))) struct side

static void read_side(const char *word, struct side *out)
{
    const char *colon = strchr(word, ':');
    const char *slash = strchr(word, '/');
    bool here = word[0] == '.' || !colon || colon == word || (slash && slash < colon);
    if (here) {
        out->path = xstrdup(word);
        return;
    }
    out->container = xstrndup(word, (size_t)(colon - word));
    out->path = xstrdup(*(colon + 1) ? colon + 1 : "/");
}

/* A container found, and all that is open for it. */
struct opened_side {
    struct containers all;
    struct container container;
    struct store store;
};
#define OPENED_SIDE_NONE                                                                           \
    {                                                                                              \
        .container = CONTAINER_EMPTY, .store = {.root_fd = -1, .lock_fd = -1 }                     \
    }

static void opened_side_close(struct opened_side *side)
{
    container_close(&side->container);
    store_close(&side->store);
    containers_close(&side->all);
}
#define autoopened __attribute__((cleanup(opened_side_close))) struct opened_side

static int open_side(const char *word, struct opened_side *out, struct error *err)
{
    int rc = containers_here(&out->all, err);
    if (rc == 0)
        rc = container_find(&out->all, word, &out->container, err);
    if (rc == 0)
        rc = front_seal_for(&out->container.plan, err);
    if (rc == 0)
        rc = store_open(global_options.root, &out->store, err);
    return rc;
}

/* --- a tar on standard input --- */

struct decompressing {
    pid_t pid;
};

/* It may be waiting for more of what nobody wants: given a moment to say what it knows. */
static int end_early(pid_t pid, int *status, struct error *err)
{
    const struct timespec moment = {.tv_nsec = 10000000};
    for (int i = 0; i < 20; i++) {
        if (waitpid(pid, status, WNOHANG) == pid)
            return 0;
        nanosleep(&moment, NULL);
    }
    kill(pid, SIGKILL);
    int rc = process_wait(pid, status, err);
    *status = 0;
    return rc;
}

static int decompressed(void *closure, bool read, struct error *err)
{
    const struct decompressing *d = closure;
    int status;
    int rc = read ? process_wait(d->pid, &status, err) : end_early(d->pid, &status, err);
    if (rc == 0 && status != 0 && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE))
        rc = error_set(err, -EBADMSG, "standard input cannot be read as a tar");
    return rc;
}

/* What the tar is compressed with is a worker's business. */
static int copy_from_stdin(struct copy *copy, struct error *err)
{
    char name[] = "caisson-image", verb[] = "__decompress";
    char *const argv[] = {name, verb, NULL};
    autofree char *program = NULL;
    struct decompressing d;
    int ends[2];
    if (isatty(STDIN_FILENO))
        return error_set(err, -EINVAL, "standard input is a terminal: pipe a tar into it");
    char self[PATH_MAX];
    int rc = front_program(self, sizeof self, err);
    if (rc == 0)
        rc = worker_path_from(self, name, &program, err);
    if (rc < 0)
        return rc;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, "cannot make a pipe");
    struct process_spec spec = {.program = program, .argv = argv, .fds = {0, ends[1], 2}};
    rc = process_start(&spec, &d.pid, NULL, err);
    close(ends[1]);
    if (rc < 0) {
        close(ends[0]);
        return rc;
    }
    return copy_in_tar(copy, ends[0], decompressed, &d, err);
}

/* --- cp --- */

static int to_stdout(struct copy *copy, struct error *err)
{
    if (isatty(STDOUT_FILENO))
        return error_set(err, -EINVAL,
                         "a tar is not written to a terminal: give a path, or pipe it elsewhere");
    return copy_out_tar(copy, STDOUT_FILENO, err);
}

static int carry_out(struct copy *copy, const struct side *from, const struct side *to,
                     struct error *err)
{
    copy->inside = from->container ? from->path : to->path;
    if (from->container)
        return streq(to->path, "-") ? to_stdout(copy, err) : copy_out(copy, to->path, err);
    return streq(from->path, "-") ? copy_from_stdin(copy, err) : copy_in(copy, from->path, err);
}

int command_cp(const struct invocation *call, void *options, struct error *err)
{
    const struct cp_options *o = options;
    autoside from = {0};
    autoside to = {0};
    autoopened side = OPENED_SIDE_NONE;
    struct progress progress;
    read_side(call->arguments[0], &from);
    read_side(call->arguments[1], &to);
    if (from.container && to.container)
        return error_set(err, -EINVAL,
                         "files cannot go from one container to another in one step: caisson cp "
                         "%s - | caisson cp - %s",
                         call->arguments[0], call->arguments[1]);
    if (!from.container && !to.container)
        return error_set(err, -EINVAL,
                         "one of the two has to be in a container: write CONTAINER:PATH");
    if (!*from.path || !*to.path)
        return error_set(err, -EINVAL, "a path is empty");
    int rc = open_side(from.container ? from.container : to.container, &side, err);
    if (rc < 0)
        return rc;
    progress_begin(&progress, o->quiet);
    struct copy copy = {
        .container = &side.container,
        .store = &side.store,
        .archive = o->archive,
        .follow = o->follow,
        .progress = progress_bytes,
        .closure = &progress,
    };
    rc = carry_out(&copy, &from, &to, err);
    progress_end(&progress);
    if (rc == 0)
        event_tell(&side.all, &side.container.plan, side.container.id,
                   from.container ? "archive-path" : "extract-to-dir", "path", copy.inside);
    if (rc == 0 && copy.left_out > 0)
        tell_warning("%llu devices or sockets were not copied", (unsigned long long)copy.left_out);
    return rc;
}

/* --- export --- */

int command_export(const struct invocation *call, void *options, struct error *err)
{
    const struct export_options *o = options;
    autoopened side = OPENED_SIDE_NONE;
    autooutput file = OUTPUT_FILE_NONE;
    struct copy copy = {.container = &side.container, .store = &side.store, .inside = "/"};
    int rc = open_side(call->arguments[0], &side, err);
    if (rc == 0)
        rc = output_file_open(o->output, &file, err);
    if (rc == 0)
        rc = copy_root(&copy, file.fd, err);
    if (rc == 0)
        rc = output_file_finish(&file, err);
    if (rc == 0)
        event_tell(&side.all, &side.container.plan, side.container.id, "export", NULL, NULL);
    return rc;
}
