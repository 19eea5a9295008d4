/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/plan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/memory.h"
#include "base/text.h"

void plan_init(struct plan *plan)
{
    *plan = (struct plan){
        .umask = -1,
        .oom_score_adj = INT64_MIN,
        .stop_timeout = 10,
        .no_new_privs = true,
        .seccomp = PLAN_SECCOMP_RESTRICTED,
        .landlock = true,
        .root_read_only = true,
        .namespaces =
            PLAN_NS_USER | PLAN_NS_PID | PLAN_NS_IPC | PLAN_NS_UTS | PLAN_NS_NET | PLAN_NS_CGROUP,
        .limits = CGROUP_LIMITS_NONE,
        .shm_size = 64 << 20,
    };
}

static void free_posture(struct posture *posture)
{
    for (size_t i = 0; i < posture->count; i++) {
        struct protection *p = &posture->items[i];
        free(p->name);
        free(p->asked);
        free(p->in_force);
        free(p->why);
        free(p->flag);
    }
    free(posture->items);
    free(posture->level);
}

void plan_endpoint_free(struct plan_endpoint *endpoint)
{
    free(endpoint->network);
    free(endpoint->ip4);
    free(endpoint->ip6);
    free(endpoint->mac);
    strv_free(&endpoint->aliases);
}

void plan_free(struct plan *plan)
{
    char *strings[] = {
        plan->id,
        plan->name,
        plan->hostname,
        plan->domainname,
        plan->image_name,
        plan->image_id,
        plan->image_manifest,
        plan->cwd,
        plan->user_text,
        plan->seccomp_file,
        plan->label.value,
        plan->stop_signal,
        plan->network_container,
        plan->pid_container,
        plan->hosts_own,
        plan->resolv_own,
        plan->ipc_container,
        plan->user_container,
        plan->cgroup_parent,
        plan->cpuset_cpus,
        plan->cpuset_mems,
        plan->passwd,
        plan->group,
        plan->hosts,
        plan->resolv_conf,
        plan->home,
        plan->restart,
        plan->log_driver,
        plan->log_tag,
        plan->created,
        plan->cid_file,
    };
    for (size_t i = 0; i < plan->endpoint_count; i++)
        plan_endpoint_free(&plan->endpoints[i]);
    free(plan->endpoints);
    port_bindings_free(&plan->ports);
    struct strv *lists[] = {
        &plan->args,        &plan->env,         &plan->sysctls,
        &plan->layers,      &plan->masked,      &plan->read_only_paths,
        &plan->labels,      &plan->annotations, &plan->health.test,
        &plan->log_labels,  &plan->log_env,     &plan->egress,
        &plan->dns,         &plan->dns_search,  &plan->dns_options,
        &plan->extra_hosts, &plan->exposed,
    };
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        free(strings[i]);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        strv_free(lists[i]);
    for (size_t i = 0; i < plan->mount_count; i++) {
        free(plan->mounts[i].source);
        free(plan->mounts[i].target);
        free(plan->mounts[i].data);
        free(plan->mounts[i].subpath);
        free(plan->mounts[i].manifest);
        strv_free(&plan->mounts[i].labels);
    }
    for (size_t i = 0; i < plan->device_count; i++) {
        free(plan->devices[i].host);
        free(plan->devices[i].path);
    }
    free(plan->mounts);
    free(plan->devices);
    free(plan->groups);
    free(plan->rlimits);
    free(plan->device_rules);
    free_posture(&plan->posture);
    *plan = (struct plan){0};
}

struct plan_mount *plan_add_mount(struct plan *plan)
{
    plan->mounts = xrealloc(plan->mounts, plan->mount_count + 1, sizeof *plan->mounts);
    struct plan_mount *mount = &plan->mounts[plan->mount_count++];
    *mount = (struct plan_mount){0};
    return mount;
}

struct plan_endpoint *plan_add_endpoint(struct plan *plan)
{
    plan->endpoints = xrealloc(plan->endpoints, plan->endpoint_count + 1, sizeof *plan->endpoints);
    struct plan_endpoint *endpoint = &plan->endpoints[plan->endpoint_count++];
    *endpoint = (struct plan_endpoint){0};
    return endpoint;
}

int plan_add_device(struct plan *plan, const char *host, const char *path, unsigned access,
                    struct error *err)
{
    struct stat st;
    if (stat(host, &st) < 0)
        return error_errno(err, "cannot look at device %s", host);
    if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
        return error_set(err, -ENODEV, "%s is not a device", host);
    plan->devices = xrealloc(plan->devices, plan->device_count + 1, sizeof *plan->devices);
    plan->devices[plan->device_count++] = (struct plan_device){
        .host = xstrdup(host),
        .path = xstrdup(path),
        .access = access,
        .type = S_ISCHR(st.st_mode) ? 'c' : 'b',
        .major = major(st.st_rdev),
        .minor = minor(st.st_rdev),
    };
    return 0;
}

static char *copy(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

struct protection *posture_add(struct posture *posture, const char *name, const char *asked,
                               const char *flag)
{
    posture->items = xrealloc(posture->items, posture->count + 1, sizeof *posture->items);
    struct protection *item = &posture->items[posture->count++];
    *item = (struct protection){.name = copy(name), .asked = copy(asked), .flag = copy(flag)};
    return item;
}

const struct protection *posture_find(const struct posture *posture, const char *name)
{
    for (size_t i = 0; i < posture->count; i++)
        if (streq(posture->items[i].name, name))
            return &posture->items[i];
    return NULL;
}
