/* SPDX-License-Identifier: Apache-2.0 */
/* Containers made by hand in directories of their own, with forked processes as what runs. */
#ifndef CAISSON_TESTS_CONTAINER_FIXTURE_H
#define CAISSON_TESTS_CONTAINER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the above first. */
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/container.h"

#define DIGEST "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

struct place {
    char top[64];
    char *root, *state;
    struct containers all;
};

static inline int place_make(void **state)
{
    struct place *place = xcalloc(1, sizeof *place);
    struct error err = {0};
    memcpy(place->top, "/tmp/caisson-container-XXXXXX", 30);
    assert_non_null(mkdtemp(place->top));
    place->root = xasprintf("%s/root", place->top);
    place->state = xasprintf("%s/state", place->top);
    assert_int_equal(containers_open(place->root, place->state, &place->all, &err), 0);
    *state = place;
    return 0;
}

static inline int place_remove(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    containers_close(&place->all);
    assert_int_equal(remove_tree_at(AT_FDCWD, place->top, &err), 0);
    free(place->root);
    free(place->state);
    free(place);
    return 0;
}

/* A plan that container_create() takes; with --rm nothing of it needs the disk. */
static inline void make_plan(struct plan *plan, const char *name, bool remove)
{
    plan_init(plan);
    plan->name = name ? xstrdup(name) : NULL;
    plan->posture.level = xstrdup("restricted");
    plan->image_name = xstrdup("docker.io/library/test:latest");
    plan->image_id = xstrdup(DIGEST);
    plan->image_manifest = xstrdup(DIGEST);
    plan->cwd = xstrdup("/");
    strv_add(&plan->args, "/bin/true");
    plan->remove = remove;
}

/* Created and unlocked. */
static inline void make_container(struct place *place, const char *name, bool remove,
                                  struct container *c)
{
    autoplan plan;
    struct error err = {0};
    make_plan(&plan, name, remove);
    if (container_create(&place->all, &plan, c, &err) < 0)
        fail_msg("%s", err.text);
    container_unlock(c);
}

/* A process that waits for a signal. */
static inline pid_t make_process(void)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

static inline void make_running(struct container *c, pid_t pid, pid_t monitor)
{
    struct error err = {0};
    assert_int_equal(container_lock(c, &err), 0);
    assert_int_equal(container_starting(c, false, &err), 0);
    c->status.pid = pid;
    assert_int_equal(process_start_time(pid, &c->status.start_time), 0);
    c->status.monitor = monitor;
    if (monitor)
        assert_int_equal(process_start_time(monitor, &c->status.monitor_start), 0);
    assert_int_equal(container_save_status(c, &err), 0);
    container_unlock(c);
}

static inline void end_process(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static inline size_t count_containers(struct place *place)
{
    autostrv ids = {0};
    struct error err = {0};
    assert_int_equal(container_list(&place->all, &ids, &err), 0);
    return ids.len;
}

/* Entries of a directory below the place, without those with a leading dot. */
static inline size_t count_entries(struct place *place, const char *below)
{
    autofree char *path = xasprintf("%s/%s", place->top, below);
    autodir d = opendir(path);
    const struct dirent *entry;
    size_t count = 0;
    assert_non_null(d);
    while ((entry = readdir(d)))
        count += entry->d_name[0] != '.';
    return count;
}

#endif
