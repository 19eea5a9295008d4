/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroup-kernel-kit.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct cgroup_tree trees[3];

const char *tree_names[3];

size_t tree_count;

char parent[64];

volatile uint64_t *shared;

static void add_tree(const char *name, enum cgroup_layout layout, const char *root)
{
    int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    tree_names[tree_count] = name;
    trees[tree_count++] =
        (struct cgroup_tree){.root = fd, .layout = layout, .write_flags = O_WRONLY};
}

int find_trees(void **state)
{
    struct cgroup_tree real;
    (void)state;
    snprintf(parent, sizeof(parent), "caisson-test-%d", (int)getpid());
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (geteuid() != 0 || cgroup_tree_open(CGROUP_MOUNT, &real, NULL) < 0)
        return 0;
    if (real.layout == CGROUP_HYBRID) {
        add_tree("hybrid", CGROUP_HYBRID, CGROUP_MOUNT);
        add_tree("v1", CGROUP_V1, CGROUP_MOUNT);
        add_tree("v2", CGROUP_V2, CGROUP_MOUNT "/unified");
    } else if (real.layout != CGROUP_NONE) {
        add_tree(real.layout == CGROUP_V2 ? "v2" : "v1", real.layout, CGROUP_MOUNT);
    }
    cgroup_tree_close(&real);
    return 0;
}

/* What a failed test left behind. */
static void remove_left(size_t t)
{
    autobuf record = {0};
    autocgroup group = CGROUP_EMPTY;

    if (trees[t].layout == CGROUP_V2)
        buf_str(&record, "v2:unified");
    for (int slot = 0; trees[t].layout != CGROUP_V2 && slot < CGROUP_SLOTS; slot++)
        buf_fmt(&record, "%s%s", slot == 0 ? "hybrid:" : ",",
                cgroup_slot_name((enum cgroup_slot)slot));
    buf_fmt(&record, ":%s/one", parent);
    if (cgroup_open_in(&trees[t], buf_text(&record), &group, NULL) == 0) {
        cgroup_kill(&group, NULL);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        cgroup_remove(&group, NULL);
    }
}

int remove_parents(void **state)
{
    (void)state;
    for (size_t t = 0; t < tree_count; t++)
        remove_left(t);
    for (size_t t = 0; t < tree_count; t++)
        for (int slot = 0; slot < CGROUP_SLOTS; slot++) {
            char path[128];
            if (trees[t].layout == CGROUP_V2)
                snprintf(path, sizeof(path), "%s", parent);
            else
                snprintf(path, sizeof(path), "%s/%s", cgroup_slot_name((enum cgroup_slot)slot),
                         parent);
            unlinkat(trees[t].root, path, AT_REMOVEDIR);
        }
    return 0;
}

void skip_without_trees(void)
{
    if (tree_count > 0)
        return;
    print_message("needs root and control groups it may write to\n");
    skip();
}

void make(const struct cgroup_tree *tree, const struct cgroup_limits *limits, struct cgroup *group)
{
    struct error err = {0};

    if (cgroup_create_in(tree, parent, "one", limits, group, &err) < 0)
        fail_msg("%s", err.text);
}

pid_t start(struct cgroup *group, int (*work)(void))
{
    struct clone_args args = {.exit_signal = SIGCHLD};

    if (cgroup_clone_fd(group) >= 0) {
        args.flags = CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)cgroup_clone_fd(group);
    }
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    if (pid == 0)
        _exit(prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || cgroup_join(group->tasks, CGROUP_SLOTS) < 0
                  ? 99
                  : work());
    assert_true(pid > 0);
    return pid;
}

int finish(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

void done(struct cgroup *group)
{
    struct error err = {0};

    if (cgroup_remove(group, &err) < 0)
        fail_msg("%s", err.text);
    cgroup_close(group);
}

int fork_ten(void)
{
    int made = 0;

    for (int i = 0; i < 10; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            usleep(200000);
            _exit(0);
        }
        made += pid > 0;
    }
    while (wait(NULL) > 0)
        ;
    return made;
}
