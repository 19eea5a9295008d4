/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/bundle.h"

#include <sched.h>
#include <stdlib.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

const struct bundle_ns_word bundle_ns_words[BUNDLE_NS_COUNT] = {
    [BUNDLE_USER] = {"user", "user", CLONE_NEWUSER},
    [BUNDLE_PID] = {"pid", "pid", CLONE_NEWPID},
    [BUNDLE_MOUNT] = {"mount", "mnt", CLONE_NEWNS},
    [BUNDLE_IPC] = {"ipc", "ipc", CLONE_NEWIPC},
    [BUNDLE_UTS] = {"uts", "uts", CLONE_NEWUTS},
    [BUNDLE_NET] = {"network", "net", CLONE_NEWNET},
    [BUNDLE_CGROUP] = {"cgroup", "cgroup", CLONE_NEWCGROUP},
    [BUNDLE_TIME] = {"time", "time", CLONE_NEWTIME},
};

const char *const bundle_stage_names[HOOK_STAGES] = {
    [HOOK_PRESTART] = "prestart",
    [HOOK_CREATE_RUNTIME] = "createRuntime",
    [HOOK_CREATE_CONTAINER] = "createContainer",
    [HOOK_START_CONTAINER] = "startContainer",
    [HOOK_POSTSTART] = "poststart",
    [HOOK_POSTSTOP] = "poststop",
};

/* What a document does not say is not asked for: the opposite of a plan of ours. */
void bundle_init(struct bundle *bundle)
{
    *bundle = (struct bundle){0};
    plan_init(&bundle->plan);
    bundle->plan.no_new_privs = false;
    bundle->plan.seccomp = PLAN_SECCOMP_OFF;
    bundle->plan.landlock = false;
    bundle->plan.root_read_only = false;
    bundle->plan.namespaces = 0;
    bundle->plan.network = PLAN_NET_HOST;
}

static void free_maps(struct bundle_maps *maps)
{
    free(maps->uids);
    free(maps->gids);
}

static void free_hooks(struct bundle_hooks *hooks)
{
    for (size_t i = 0; i < hooks->count; i++) {
        free(hooks->items[i].path);
        strv_free(&hooks->items[i].args);
        strv_free(&hooks->items[i].env);
    }
    free(hooks->items);
}

void bundle_free(struct bundle *bundle)
{
    for (int i = 0; i < BUNDLE_NS_COUNT; i++)
        free(bundle->namespaces[i].path);
    for (size_t i = 0; i < bundle->mount_count; i++) {
        struct bundle_mount *m = &bundle->mounts[i];
        free(m->target);
        free(m->source);
        free(m->type);
        free(m->data);
        free_maps(&m->maps);
    }
    for (size_t i = 0; i < bundle->device_count; i++)
        free(bundle->devices[i].path);
    for (int i = 0; i < HOOK_STAGES; i++)
        free_hooks(&bundle->hooks[i]);
    for (size_t i = 0; i < bundle->value_count; i++)
        cgroup_value_free(&bundle->values[i]);
    free_maps(&bundle->maps);
    free(bundle->mounts);
    free(bundle->devices);
    free(bundle->values);
    free(bundle->path);
    free(bundle->rootfs);
    free(bundle->attributes.cpus);
    free(bundle->attributes.cpus_initial);
    free(bundle->cgroup_parent);
    free(bundle->cgroup_name);
    free(bundle->cgroup_slice);
    free(bundle->cgroup_unit);
    free(bundle->seccomp);
    free(bundle->listener_path);
    free(bundle->listener_metadata);
    strv_free(&bundle->warnings);
    plan_free(&bundle->plan);
    *bundle = (struct bundle){0};
}

bool bundle_has_users(const struct bundle *bundle)
{
    return bundle->namespaces[BUNDLE_USER].listed;
}
