/* SPDX-License-Identifier: Apache-2.0 */
/* Every test runs in each layout that this host can play: where v1 controllers and a v2 tree lie
 * side by side these are hybrid, v1 alone, and v2 with the controllers it has. Groups lie below
 * "caisson-test-<pid>" and are removed. */
#ifndef CAISSON_TESTS_CGROUP_KERNEL_KIT_H
#define CAISSON_TESTS_CGROUP_KERNEL_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/cgroup_internal.h"

#define MIB (INT64_C(1) << 20)

extern struct cgroup_tree trees[3];
extern const char *tree_names[3];
extern size_t tree_count;
extern char parent[64];
extern volatile uint64_t *shared; /* a page that children count in */

int find_trees(void **state);
int remove_parents(void **state);
void skip_without_trees(void);
void make(const struct cgroup_tree *tree, const struct cgroup_limits *limits, struct cgroup *group);
/* A child in the group that does `work`; its exit status is what work returns. */
pid_t start(struct cgroup *group, int (*work)(void));
int finish(pid_t pid);
void done(struct cgroup *group);
int fork_ten(void);

#endif
