/* SPDX-License-Identifier: Apache-2.0 */
/* create, start: from a bundle to a container that waits, and on. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/container.h"
#include "lifecycle/life.h"
#include "runtime/bundle_launch.h"
#include "runtime/hook.h"
#include "runtime/ids.h"
#include "runtime/syscalls.h"

/* --- what it is made from ----------------------------------------------------------------------
 */

/* What we do not have cannot be granted; with a user namespace of its own the container has all. */
void bundle_limit_caps(struct bundle *bundle)
{
    uint64_t have = 0;
    for (unsigned n = 0; n < 64 && caps_name(n); n++)
        if (prctl(PR_CAPBSET_READ, n, 0, 0, 0) == 1)
            have |= UINT64_C(1) << n;
    struct caps *caps = &bundle->plan.caps;
    uint64_t *sets[] = {&caps->bounding, &caps->effective, &caps->permitted, &caps->inheritable,
                        &caps->ambient};
    uint64_t lost = 0;
    if (bundle_has_users(bundle))
        have = caps_all();
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        lost |= *sets[i] & ~have;
        *sets[i] &= have;
    }
    /* Rules of the kernel: effective and ambient lie within permitted, ambient within inheritable
     * too. capabilities(7) */
    caps->effective &= caps->permitted;
    caps->ambient &= caps->permitted & caps->inheritable;
    autostrv names = {0};
    caps_names(lost, &names);
    for (size_t i = 0; i < names.len; i++)
        strv_fmt(&bundle->warnings, "process.capabilities: %s is not ours to grant",
                 names.items[i]);
}

int creation_read(const struct create_options *options, struct creation *out, struct error *err)
{
    autofd dir = open(options->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return error_errno(err, "cannot open the bundle %s", options->bundle);
    int rc = read_file_at(dir, "config.json", PLAN_TEXT_MAX, &out->text, err);
    if (rc < 0)
        return error_prefix(err, "the bundle %s", options->bundle);
    rc = bundle_parse(buf_text(&out->text), out->text.len, options->bundle, &out->bundle, err);
    if (rc < 0)
        return rc;
    rc = unit_judge(options, &out->bundle, err);
    if (rc < 0)
        return rc;
    bundle_limit_caps(&out->bundle);
    bool terminal = out->bundle.plan.terminal;
    if (terminal && !options->console_socket && !options->terminal_here)
        return error_set(err, -EINVAL,
                         "process.terminal is true: give --console-socket PATH, to which the "
                         "terminal is sent");
    if (!terminal && options->console_socket)
        return error_set(err, -EINVAL, "--console-socket is only for process.terminal: true");
    return 0;
}

void creation_free(struct creation *creation)
{
    buf_free(&creation->text);
    bundle_free(&creation->bundle);
}

/* --- create ------------------------------------------------------------------------------------
 */

struct creating {
    struct living *container;
    const struct create_options *options;
    const struct bundle *bundle;
    int console;
    const char *root; /* whose path tells containers of one id apart */
};

static void write_state(void *closure, const char *status, pid_t pid, struct buf *out)
{
    const struct creating *c = closure;
    living_state(c->container, status, pid, 0, out);
}

/* From here on the container is there, whatever becomes of us. The pid file comes last: whoever
 * waits for it may ask for the state at once. */
static int record(void *closure, const struct launched *launched, struct error *err)
{
    struct creating *c = closure;
    struct living *container = c->container;
    autobuf group = {0};
    cgroup_record(&launched->cgroup, &group);
    free(container->cgroup);
    container->cgroup = buf_take(&group);
    container->pid = launched->pid;
    int rc = process_start_time(launched->pid, &container->start_time);
    if (rc < 0)
        return error_set(err, rc, "the container's first process ended before it was started");
    if (c->console >= 0)
        rc = launched->terminal < 0 ? error_set(err, -EPROTO, "the container made no terminal")
                                    : console_send(c->console, launched->terminal, err);
    if (rc == 0)
        rc = living_save(container, err);
    if (rc == 0 && c->options->pid_file)
        rc = write_pid_file(c->options->pid_file, launched->pid, err);
    return rc;
}

static int make_pipe(const struct living *c, const char *name, struct error *err)
{
    if (mkfifoat(c->dir, name, 0600) < 0)
        return error_errno(err, "cannot make a pipe for container %s", c->id);
    int fd = openat(c->dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? error_errno(err, "cannot open a pipe of container %s", c->id) : fd;
}

static int launch(struct creating *c, struct launched *launched, struct error *err)
{
    const struct bundle *bundle = c->bundle;
    autofilter filter = FILTER_NONE;
    autofd go = make_pipe(c->container, BUNDLE_GO, err);
    autofd said = go < 0 ? go : make_pipe(c->container, BUNDLE_SAID, err);
    if (said < 0)
        return said;
    int rc = filter_open(c->container, bundle, "creating", &filter, err);
    char group[LIVING_GROUP_SIZE];
    living_group_name(c->root, c->container->id, group);
    autofree char *description = xasprintf("container %s", c->container->id);
    struct cgroup_unit unit;
    bool by_systemd = living_unit(c->container, &unit);
    unit.slice = bundle->cgroup_slice;
    unit.description = description;
    struct bundle_launch l = {
        .bundle = bundle,
        .group = group,
        .unit = by_systemd ? &unit : NULL,
        .seccomp = filter.there ? &filter.program : NULL,
        .listener = &filter.listener,
        .keep = c->options->keep,
        .keyring = !c->options->no_new_keyring,
        .go = go,
        .said = said,
        .state = write_state,
        .ready = record,
        .closure = c,
    };
    return rc < 0 ? rc : bundle_launch(&l, launched, err);
}

/* The specification wants these also where creating failed. */
static void undo(const struct containers_root *root, struct creating *c)
{
    autobuf state = {0};
    autostrv ignored = {0};
    write_state(c, "stopped", 0, &state);
    hooks_try(c->bundle, HOOK_POSTSTOP, buf_text(&state), &ignored);
    (void)living_remove(root, c->container, NULL);
}

int life_create(const struct containers_root *root, const struct create_options *options,
                const struct creation *creation, struct living *out, struct launched *launched,
                struct error *err)
{
    autoliving c = LIVING_NONE;
    const struct bundle *bundle = &creation->bundle;
    autofd console = options->console_socket ? console_connect(options->console_socket, err) : -1;
    if (options->console_socket && console < 0)
        return console;
    int rc = living_claim(root, options->id, &c, err);
    if (rc < 0)
        return rc;
    c.bundle = xstrdup(options->bundle);
    c.rootfs = xstrdup(bundle->rootfs);
    strv_copy(&c.annotations, &bundle->plan.annotations);
    c.created = clock_wall();
    c.unit = bundle->cgroup_unit ? xstrdup(bundle->cgroup_unit) : NULL;
    c.unit_of_user = ids_limited() || geteuid() != 0;
    struct creating creating = {&c, options, bundle, console, root->path};
    rc = living_save_config(&c, &creation->text, err);
    if (rc == 0)
        rc = launch(&creating, launched, err);
    if (rc < 0) {
        undo(root, &creating);
        return rc;
    }
    if (console >= 0 && launched->terminal >= 0)
        close(take_fd(&launched->terminal));
    c.now = LIFE_CREATED;
    *out = c;
    c = (struct living)LIVING_NONE;
    return 0;
}

/* --- start -------------------------------------------------------------------------------------
 */

int life_start(struct living *c, const struct bundle *bundle, struct strv *warnings,
               struct error *err)
{
    autobuf state = {0};
    living_look(c);
    if (c->now != LIFE_CREATED)
        return error_set(err, -EBUSY, "cannot start container %s: it is %s, not created", c->id,
                         life_name(c->now));
    int rc = bundle_start(c->dir, err);
    if (rc < 0)
        return error_prefix(err, "cannot start container %s", c->id);
    (void)unlinkat(c->dir, BUNDLE_GO, 0);
    (void)unlinkat(c->dir, BUNDLE_SAID, 0);
    living_state(c, "running", c->pid, 0, &state);
    hooks_try(bundle, HOOK_POSTSTART, buf_text(&state), warnings);
    return 0;
}
