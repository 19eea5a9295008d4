/* SPDX-License-Identifier: Apache-2.0 */
/* create, start and run of caisson-runtime. */
#include <fcntl.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "cmd/print.h"
#include "cmd/runtime.h"
#include "container/relay.h"
#include "runtime/ids.h"
#include "runtime/seal.h"

/* --- what every verb begins with ---------------------------------------------------------------
 */

static int default_root(char **path, struct error *err)
{
    const char *mine = getenv("XDG_RUNTIME_DIR");
    bool user = geteuid() != 0 || (ids_limited() && mine && *mine == '/');
    if (!user)
        *path = xstrdup("/run/caisson-runtime");
    else if (mine && *mine == '/')
        *path = xasprintf("%s/caisson-runtime", mine);
    else
        return error_set(err, -ENOENT,
                         "no place for the state of containers: XDG_RUNTIME_DIR is not set; give "
                         "--root DIR");
    return 0;
}

int runtime_root(bool make, struct containers_root *root, struct error *err)
{
    const struct runtime_globals *g = &runtime_globals;
    autofree char *path = g->root && *g->root ? xstrdup(g->root) : NULL;
    if (streq(g->cgroup_manager, "disabled"))
        return error_set(err, -ENOTSUP,
                         "--cgroup-manager disabled is not supported: without control groups the "
                         "processes of a container could not be found");
    int rc = path ? 0 : default_root(&path, err);
    return rc < 0 ? rc : containers_root_open(path, make, root, err);
}

int runtime_find(const struct invocation *call, bool lock, struct containers_root *root,
                 struct living *out, struct error *err)
{
    int rc = runtime_root(false, root, err);
    return rc < 0 ? rc : living_open(root, call->arguments[0], lock, out, err);
}

void runtime_warn(const struct strv *warnings)
{
    for (size_t i = 0; i < warnings->len; i++)
        if (runtime_globals.debug)
            tell_warning("%s", warnings->items[i]);
        else
            runtime_log("warning", warnings->items[i]);
}

/* sd_listen_fds(3): descriptors are passed to the process of that number. What a caller's caller
 * was given, or something that happens to be open there, is none of the container's. */
static const char *descriptors_for_us(void)
{
    const char *pid = getenv("LISTEN_PID");
    uint64_t number = 0;
    if (!pid || parse_u64(pid, INT32_MAX, &number) < 0 || number != (uint64_t)getpid())
        return NULL;
    return getenv("LISTEN_FDS");
}

int runtime_keep(int64_t preserve, int *keep, struct strv *env, struct error *err)
{
    const char *word = descriptors_for_us();
    uint64_t listen = 0;
    if (word && *word && parse_u64(word, 1000, &listen) < 0)
        return error_set(err, -EINVAL, "LISTEN_FDS is \"%.40s\", which is no number of descriptors",
                         word);
    if (preserve == INT64_MIN)
        preserve = 0;
    if (preserve > 100000)
        return error_set(err, -EINVAL, "--preserve-fds %lld is more than anybody has",
                         (long long)preserve);
    int count = (int)preserve + (int)listen;
    for (int fd = 3; fd < 3 + count; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            return error_set(err, -EBADF, "%s: descriptor %d is not open",
                             preserve ? "--preserve-fds" : "LISTEN_FDS", fd);
    if (listen) {
        strv_fmt(env, "LISTEN_FDS=%llu", (unsigned long long)listen);
        strv_add(env, "LISTEN_PID=1");
    }
    *keep = count;
    /* What else is open by accident stays here. */
    return close_range(3 + (unsigned)count, ~0U, CLOSE_RANGE_CLOEXEC) < 0
               ? error_errno(err, "cannot mark descriptors to be closed")
               : 0;
}

int runtime_words(int rc, struct error *err)
{
    const char *words = error_describe(rc);
    size_t length = strlen(err->text), tail = strlen(words);
    char *at = err->text + length - tail;
    if (rc < 0 && length > tail && streq(at, words) && *at >= 'A' && *at <= 'Z')
        *at = (char)(*at - 'A' + 'a');
    return rc;
}

int runtime_wait(struct launched *run, int *status, struct error *err)
{
    struct relay relay = {
        .pid = run->pid,
        .pidfd = run->pidfd,
        .attach = -1,
        .in = -1,
        .out = -1,
        .err = -1,
        .terminal = take_fd(&run->terminal),
        .stdin_too = true,
        .sig_proxy = true,
    };
    int rc = relay_run(&relay, status, err);
    close(take_fd(&run->pidfd));
    return rc;
}

/* --- create ------------------------------------------------------------------------------------
 */

static int bundle_path(const char *given, char **path, struct error *err)
{
    char here[PATH_MAX];
    if (given && *given == '/') {
        *path = xstrdup(given);
        return 0;
    }
    if (!getcwd(here, sizeof here))
        return error_errno(err, "cannot tell where the bundle is");
    *path = given && *given && !streq(given, ".") ? xasprintf("%s/%s", here, given) : xstrdup(here);
    return 0;
}

struct making {
    struct create_options options;
    char *bundle;
    struct creation creation;
    struct containers_root root;
    struct living container;
    struct launched run;
};

static void making_end(struct making *m)
{
    living_close(&m->container);
    creation_free(&m->creation);
    containers_root_close(&m->root);
    free(m->bundle);
    cgroup_close(&m->run.cgroup);
    if (m->run.pidfd >= 0)
        close(m->run.pidfd);
    if (m->run.terminal >= 0)
        close(m->run.terminal);
}

#define MAKING __attribute__((cleanup(making_end))) struct making
#define MAKING_NONE                                                                                \
    {                                                                                              \
        .root = {.fd = -1}, .container = LIVING_NONE, .run = {                                     \
            .pidfd = -1,                                                                           \
            .terminal = -1,                                                                        \
            .cgroup = CGROUP_EMPTY                                                                 \
        }                                                                                          \
    }

static int make(struct making *m, const struct invocation *call,
                const struct runtime_create_options *o, bool terminal_here, struct error *err)
{
    autostrv env = {0};
    int rc = runtime_keep(o->preserve_fds, &m->options.keep, &env, err);
    if (rc == 0)
        rc = bundle_path(o->bundle, &m->bundle, err);
    if (rc < 0)
        return rc;
    m->options.id = call->arguments[0];
    m->options.bundle = m->bundle;
    m->options.pid_file = o->pid_file;
    m->options.console_socket = o->console_socket;
    m->options.no_new_keyring = o->no_new_keyring;
    m->options.terminal_here = terminal_here;
    m->options.systemd =
        runtime_globals.systemd_cgroup || streq(runtime_globals.cgroup_manager, "systemd");
    rc = living_check_id(m->options.id, err);
    if (rc == 0)
        rc = creation_read(&m->options, &m->creation, err);
    /* Also with a user namespace: its map may have the owner of this program. */
    if (rc == 0)
        rc = seal_self(err);
    if (rc == 0)
        rc = runtime_root(true, &m->root, err);
    if (rc < 0)
        return rc;
    strv_copy(&m->creation.bundle.plan.env, &env);
    runtime_warn(&m->creation.bundle.warnings);
    rc = life_create(&m->root, &m->options, &m->creation, &m->container, &m->run, err);
    return runtime_words(rc, err);
}

int command_runtime_create(const struct invocation *call, void *options, struct error *err)
{
    MAKING m = MAKING_NONE;
    return make(&m, call, options, false, err);
}

/* --- start -------------------------------------------------------------------------------------
 */

int command_runtime_start(const struct invocation *call, void *options, struct error *err)
{
    autoroot root = {.fd = -1};
    autoliving c = LIVING_NONE;
    autobundle bundle = {0};
    autostrv warnings = {0};
    (void)options;
    int rc = runtime_find(call, true, &root, &c, err);
    if (rc == 0)
        rc = living_read_config(&c, &bundle, err);
    if (rc == 0)
        rc = runtime_words(life_start(&c, &bundle, &warnings, err), err);
    runtime_warn(&warnings);
    return rc;
}

/* --- run ---------------------------------------------------------------------------------------
 */

static int delete_again(struct making *m, struct error *err)
{
    autoliving c = LIVING_NONE;
    autostrv warnings = {0};
    int rc = living_open(&m->root, m->options.id, true, &c, err);
    if (rc == -ENOENT) /* somebody else did */
        return 0;
    if (rc == 0)
        rc = life_delete(&m->root, &c, true, &warnings, err);
    runtime_warn(&warnings);
    return rc;
}

int command_runtime_run(const struct invocation *call, void *options, struct error *err)
{
    const struct runtime_create_options *o = options;
    MAKING m = MAKING_NONE;
    autostrv warnings = {0};
    struct error ignored = {0};
    sigset_t signals;
    int status = 0;
    relay_signals_block(!o->detach, &signals);
    int rc = make(&m, call, o, !o->detach, err);
    if (rc == 0) {
        rc = life_start(&m.container, &m.creation.bundle, &warnings, err);
        (void)living_unlock(&m.container);
        runtime_warn(&warnings);
        if (rc < 0)
            (void)delete_again(&m, &ignored);
    }
    if (rc == 0 && !o->detach) {
        rc = runtime_wait(&m.run, &status, err);
        if (rc == 0 && !o->keep)
            rc = delete_again(&m, err);
    }
    relay_signals_restore(&signals);
    return rc < 0 ? rc : process_exit_code(status);
}
