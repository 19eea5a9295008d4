/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a container, with Docker's names. Templates may ask for any of them, so all are
 * always there. */
#include "cmd/inspect_json.h"

#include <sys/mount.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/port.h"
#include "cmd/print.h"
#include "cmd/template.h"
#include "container/health.h"
#include "container/log_write.h"
#include "container/restart.h"

#define NEVER "0001-01-01T00:00:00Z"

static void list_or_null(struct json_out *w, const char *key, const struct strv *value)
{
    if (value->len > 0)
        json_strs(w, key, value);
    else
        json_raw(w, key, "null");
}

void inspect_pairs(struct json_out *w, const char *key, const struct strv *words)
{
    json_begin(w, key, '{');
    for (size_t i = 0; i < words->len; i++) {
        const char *word = words->items[i], *equals = strchrnul(word, '=');
        autofree char *name = xstrndup(word, (size_t)(equals - word));
        json_str(w, name, *equals ? equals + 1 : "");
    }
    json_end(w, '}');
}

static void text_or_empty(struct json_out *w, const char *key, const char *text)
{
    json_str(w, key, text ? text : "");
}

static void moment(struct json_out *w, const char *key, nanoseconds when)
{
    char text[RFC3339_MAX];
    if (when == 0) {
        json_str(w, key, NEVER);
        return;
    }
    format_rfc3339(when, text);
    json_str(w, key, text);
}

static void write_state(struct json_out *w, const struct container *c)
{
    bool running = container_runs(c->now);
    bool over =
        c->now == CONTAINER_EXITED || c->now == CONTAINER_DEAD || c->now == CONTAINER_RESTARTING;
    json_begin(w, "State", '{');
    if (health_wanted(&c->plan))
        health_write(c, w);
    else
        json_str(w, "Health",
                 NULL); /* {{if .State.Health}} shall be a question that can be asked */
    json_str(w, "Status", container_state_name(c->now));
    json_bool(w, "Running", running);
    json_bool(w, "Paused", c->now == CONTAINER_PAUSED);
    json_bool(w, "Restarting", c->now == CONTAINER_RESTARTING);
    json_bool(w, "OOMKilled", c->status.oom_killed);
    json_bool(w, "PidsLimitHit", c->status.pids_hit);
    json_bool(w, "Dead", c->now == CONTAINER_DEAD);
    json_i64(w, "Pid", running ? c->status.pid : 0);
    json_i64(w, "ExitCode", over ? c->exit.code : 0);
    json_i64(w, "ExitSignal", over ? c->exit.signal : 0);
    json_str(w, "Error",
             c->now == CONTAINER_DEAD
                 ? "nobody saw it end: its monitor was killed or the machine went down"
             : c->status.donor_ended ? "the container whose processes it had joined ended"
                                     : "");
    moment(w, "StartedAt", c->status.started);
    moment(w, "FinishedAt", over && c->now != CONTAINER_DEAD ? c->exit.finished : 0);
    json_end(w, '}');
}

/* --- HostConfig --- */

static int64_t limit(int64_t value)
{
    return value == CGROUP_UNSET ? 0 : value;
}

static void write_limits(struct json_out *w, const struct plan *plan)
{
    const struct cgroup_limits *l = &plan->limits;
    int64_t period = l->cpu_period == CGROUP_UNSET ? 100000 : l->cpu_period;
    bool quota = l->cpu_quota != CGROUP_UNSET && l->cpu_quota > 0 && period > 0;
    json_i64(w, "Memory", limit(l->memory));
    json_i64(w, "MemorySwap", limit(l->memory_swap));
    json_i64(w, "MemoryReservation", limit(l->memory_reservation));
    json_i64(w, "NanoCpus",
             quota ? (int64_t)((double)l->cpu_quota / (double)period * NSEC_PER_SEC) : 0);
    json_i64(w, "CpuShares", limit(l->cpu_shares));
    json_i64(w, "CpuQuota", limit(l->cpu_quota));
    json_i64(w, "CpuPeriod", limit(l->cpu_period));
    text_or_empty(w, "CpusetCpus", plan->cpuset_cpus);
    text_or_empty(w, "CpusetMems", plan->cpuset_mems);
    json_i64(w, "BlkioWeight", limit(l->blkio_weight));
    if (l->pids == CGROUP_UNSET)
        json_raw(w, "PidsLimit", "null");
    else
        json_i64(w, "PidsLimit", l->pids);
    json_i64(w, "ShmSize", plan->shm_size);
    json_i64(w, "OomScoreAdj", plan->oom_score_adj == INT64_MIN ? 0 : plan->oom_score_adj);
    json_begin(w, "Ulimits", '[');
    for (size_t i = 0; i < plan->rlimit_count; i++) {
        const struct rlimit_spec *r = &plan->rlimits[i];
        json_begin(w, NULL, '{');
        text_or_empty(w, "Name", rlimit_name(r->resource));
        json_i64(w, "Soft", r->soft == UINT64_MAX ? -1 : (int64_t)r->soft);
        json_i64(w, "Hard", r->hard == UINT64_MAX ? -1 : (int64_t)r->hard);
        json_end(w, '}');
    }
    json_end(w, ']');
}

static void write_capabilities(struct json_out *w, const struct plan *plan)
{
    const char *level = plan->posture.level;
    uint64_t usual = streq(level, "baseline")     ? CAPS_PODMAN_DEFAULT
                     : streq(level, "privileged") ? caps_all()
                                                  : CAPS_NONE;
    autostrv more = {0}, fewer = {0};
    caps_names(plan->granted & ~usual, &more);
    caps_names(usual & ~plan->granted, &fewer);
    list_or_null(w, "CapAdd", &more);
    list_or_null(w, "CapDrop", &fewer);
}

static void write_security(struct json_out *w, const struct plan *plan)
{
    static const char *const seccomp[] = {[PLAN_SECCOMP_OFF] = "unconfined",
                                          [PLAN_SECCOMP_RESTRICTED] = "restricted",
                                          [PLAN_SECCOMP_BASELINE] = "baseline"};
    autostrv options = {0};
    strv_fmt(&options, "no-new-privileges=%s", plan->no_new_privs ? "true" : "false");
    strv_fmt(&options, "seccomp=%s",
             plan->seccomp == PLAN_SECCOMP_FILE ? plan->seccomp_file : seccomp[plan->seccomp]);
    strv_fmt(&options, "landlock=%s", plan->landlock ? "on" : "off");
    if (plan->label.kind != LABEL_NONE)
        strv_fmt(&options, "%s=%s", plan->label.kind == LABEL_APPARMOR ? "apparmor" : "label",
                 label_name(&plan->label));
    json_strs(w, "SecurityOpt", &options);
    json_bool(w, "Privileged", streq(plan->posture.level, "privileged"));
    json_bool(w, "ReadonlyRootfs", plan->root_read_only);
    write_capabilities(w, plan);
    list_or_null(w, "MaskedPaths", &plan->masked);
    list_or_null(w, "ReadonlyPaths", &plan->read_only_paths);
}

static void write_namespaces(struct json_out *w, const struct plan *plan)
{
    static const char *const ipc[] = {[PLAN_IPC_PRIVATE] = "private",
                                      [PLAN_IPC_SHAREABLE] = "shareable",
                                      [PLAN_IPC_NONE] = "none"};
    autobuf network = {0};
    if (plan->network == PLAN_NET_CONTAINER)
        buf_fmt(&network, "container:%s", plan->network_container);
    else if (plan->endpoint_count)
        buf_str(&network, plan->endpoints[0].network);
    else
        buf_str(&network, plan->network == PLAN_NET_HOST ? "host" : "none");
    json_str(w, "NetworkMode", buf_text(&network));
    const struct {
        const char *key;
        enum plan_namespace bit;
        const char *container, *own;
    } modes[] = {{"UsernsMode", PLAN_NS_USER, plan->user_container, "private"},
                 {"PidMode", PLAN_NS_PID, plan->pid_container, "private"},
                 {"IpcMode", PLAN_NS_IPC, plan->ipc_container, ipc[plan->ipc]},
                 {"UTSMode", PLAN_NS_UTS, NULL, "private"},
                 {"CgroupnsMode", PLAN_NS_CGROUP, NULL, "private"}};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        autofree char *joined =
            modes[i].container ? xasprintf("container:%s", modes[i].container) : NULL;
        json_str(w, modes[i].key,
                 joined                            ? joined
                 : plan->namespaces & modes[i].bit ? modes[i].own
                                                   : "host");
    }
}

static const char *propagation_name(unsigned long propagation)
{
    bool deep = propagation == 0 || propagation & MS_REC; /* 0: how it is anyway */
    if (propagation & MS_SHARED)
        return deep ? "rshared" : "shared";
    if (propagation & MS_SLAVE)
        return deep ? "rslave" : "slave";
    return deep ? "rprivate" : "private";
}

static void write_host_mounts(struct json_out *w, const struct plan *plan)
{
    json_begin(w, "Binds", '[');
    for (size_t i = 0; i < plan->mount_count; i++) {
        const struct plan_mount *m = &plan->mounts[i];
        if (m->kind != PLAN_BIND && (m->kind != PLAN_VOLUME || m->anonymous))
            continue;
        autofree char *text = xasprintf("%s:%s:%s", m->source ? m->source : "", m->target,
                                        m->read_only ? "ro" : "rw");
        json_str(w, NULL, text);
    }
    json_end(w, ']');
    json_begin(w, "Tmpfs", '{');
    for (size_t i = 0; i < plan->mount_count; i++)
        if (plan->mounts[i].kind == PLAN_TMPFS)
            json_str(w, plan->mounts[i].target, plan->mounts[i].data ? plan->mounts[i].data : "");
    json_end(w, '}');
}

static void write_devices(struct json_out *w, const struct plan *plan)
{
    json_begin(w, "Devices", '[');
    for (size_t i = 0; i < plan->device_count; i++) {
        const struct plan_device *d = &plan->devices[i];
        autobuf access = {0};
        buf_fmt(&access, "%s%s%s", d->access & DEVICE_READ ? "r" : "",
                d->access & DEVICE_WRITE ? "w" : "", d->access & DEVICE_MKNOD ? "m" : "");
        json_begin(w, NULL, '{');
        json_str(w, "PathOnHost", d->host);
        json_str(w, "PathInContainer", d->path);
        json_str(w, "CgroupPermissions", buf_text(&access));
        json_end(w, '}');
    }
    json_end(w, ']');
}

static void write_names(struct json_out *w, const char *key, const struct strv *names)
{
    autobuf text = {0};
    strv_join(names, ",", &text);
    if (text.len > 0)
        json_str(w, key, text.data);
}

static void write_log_config(struct json_out *w, const struct plan *plan)
{
    autofree char *size = xasprintf("%lld", (long long)plan->log_max_size);
    autofree char *files = xasprintf("%lld", (long long)plan->log_max_file);
    json_begin(w, "LogConfig", '{');
    json_str(w, "Type", plan->log_driver ? plan->log_driver : "json-file");
    json_begin(w, "Config", '{');
    if (streq(plan->log_driver, "journald")) {
        if (plan->log_tag)
            json_str(w, "tag", plan->log_tag);
        write_names(w, "labels", &plan->log_labels);
        write_names(w, "env", &plan->log_env);
    } else {
        json_str(w, "max-size", size);
        json_str(w, "max-file", files);
    }
    json_end(w, '}');
    json_end(w, '}');
}

static void write_host_config(struct json_out *w, const struct plan *plan)
{
    json_begin(w, "HostConfig", '{');
    json_str(w, "Runtime", "caisson");
    json_bool(w, "AutoRemove", plan->remove);
    json_bool(w, "Init", plan->init);
    text_or_empty(w, "CgroupParent", plan->cgroup_parent);
    write_namespaces(w, plan);
    inspect_port_bindings(w, plan);
    inspect_name_config(w, plan);
    write_security(w, plan);
    write_limits(w, plan);
    write_devices(w, plan);
    write_host_mounts(w, plan);
    inspect_pairs(w, "Sysctls", &plan->sysctls);
    json_begin(w, "GroupAdd", '[');
    for (size_t i = 0; i < plan->group_count; i++) {
        autofree char *text = xasprintf("%u", plan->groups[i]);
        json_str(w, NULL, text);
    }
    json_end(w, ']');
    json_begin(w, "RestartPolicy", '{');
    struct restart_policy policy = {0};
    (void)restart_parse(plan->restart, &policy, NULL);
    json_str(w, "Name", restart_name(policy.kind));
    json_i64(w, "MaximumRetryCount", policy.most);
    json_end(w, '}');
    write_log_config(w, plan);
    json_end(w, '}');
}

/* --- the rest --- */

static void write_config(struct json_out *w, const struct plan *plan)
{
    json_begin(w, "Config", '{');
    text_or_empty(w, "Hostname", plan->hostname);
    text_or_empty(w, "Domainname", plan->domainname);
    text_or_empty(w, "User", plan->user_text);
    json_bool(w, "Tty", plan->terminal);
    json_bool(w, "OpenStdin", plan->stdin_open);
    list_or_null(w, "Env", &plan->env);
    inspect_exposed(w, plan);
    list_or_null(w, "Cmd", &plan->args);
    json_raw(w, "Entrypoint", "null");
    text_or_empty(w, "Image", plan->image_name);
    text_or_empty(w, "WorkingDir", plan->cwd);
    inspect_pairs(w, "Labels", &plan->labels);
    inspect_pairs(w, "Annotations", &plan->annotations);
    json_str(w, "StopSignal", plan->stop_signal ? plan->stop_signal : "SIGTERM");
    json_i64(w, "StopTimeout", plan->stop_timeout);
    json_end(w, '}');
}

static void write_source(struct json_out *w, const struct container *c, const struct plan_mount *m)
{
    autofree char *path = NULL;
    if (m->kind == PLAN_VOLUME) {
        path = xasprintf("%s/volumes/%s/data%s%s", c->all->root, m->source, m->subpath ? "/" : "",
                         m->subpath ? m->subpath : "");
        json_str(w, "Name", m->source);
        json_str(w, "Driver", "local");
    }
    text_or_empty(w, "Source", path ? path : m->source);
}

static void write_mounts(struct json_out *w, const struct container *c)
{
    static const char *const kinds[] = {[PLAN_BIND] = "bind",
                                        [PLAN_TMPFS] = "tmpfs",
                                        [PLAN_VOLUME] = "volume",
                                        [PLAN_IMAGE] = "image"};
    json_begin(w, "Mounts", '[');
    for (size_t i = 0; i < c->plan.mount_count; i++) {
        const struct plan_mount *m = &c->plan.mounts[i];
        json_begin(w, NULL, '{');
        json_str(w, "Type", kinds[m->kind]);
        write_source(w, c, m);
        json_str(w, "Destination", m->target);
        json_str(w, "Mode", m->data ? m->data : m->read_only ? "ro" : "");
        json_bool(w, "RW", !m->read_only);
        json_str(w, "Propagation", m->kind == PLAN_BIND ? propagation_name(m->propagation) : "");
        json_end(w, '}');
    }
    json_end(w, ']');
}

static void write_posture(struct json_out *w, const struct posture *posture)
{
    text_or_empty(w, "Level", posture->level);
    json_begin(w, "Posture", '[');
    for (size_t i = 0; i < posture->count; i++) {
        const struct protection *p = &posture->items[i];
        json_begin(w, NULL, '{');
        text_or_empty(w, "Name", p->name);
        text_or_empty(w, "Asked", p->asked);
        text_or_empty(w, "InForce", p->in_force ? p->in_force : p->asked);
        text_or_empty(w, "Why", p->why);
        text_or_empty(w, "Flag", p->flag);
        json_bool(w, "Relaxed", p->relaxed);
        json_end(w, '}');
    }
    json_end(w, ']');
}

static void write_place(struct json_out *w, const struct container *c)
{
    const char *top = c->in_state ? c->all->state : c->all->root;
    autofree char *log = xasprintf("%s/containers/%s/logs/%s", top, c->id, LOG_NAME);
    autofree char *config = xasprintf("%s/containers/%s/config.json", top, c->id);
    bool has_files = !streq(c->plan.log_driver, "none") && !streq(c->plan.log_driver, "journald");
    json_str(w, "LogPath", has_files ? log : "");
    json_str(w, "ConfigPath", config);
    text_or_empty(w, "Cgroup", c->status.cgroup);
    json_begin(w, "IdRange", '{');
    json_u64(w, "First", c->status.id_base);
    json_u64(w, "Count", c->status.id_base ? PLAN_ID_COUNT : 0);
    json_end(w, '}');
}

void inspect_write(struct json_out *w, const struct container *c, const uint64_t *written)
{
    const struct plan *plan = &c->plan;
    struct strv rest = {0};
    autofree char *name = xasprintf("/%s", plan->name ? plan->name : "");
    json_begin(w, NULL, '{');
    json_str(w, "Id", c->id);
    text_or_empty(w, "Created", plan->created);
    json_i64(w, "RestartCount", c->status.restarts);
    text_or_empty(w, "Path", plan->args.len ? plan->args.items[0] : "");
    if (plan->args.len > 1)
        rest = (struct strv){.items = plan->args.items + 1, .len = plan->args.len - 1};
    json_strs(w, "Args", &rest);
    write_state(w, c);
    text_or_empty(w, "Image", plan->image_id);
    text_or_empty(w, "ImageManifest", plan->image_manifest);
    json_str(w, "Name", name);
    json_str(w, "Driver", "overlay");
    text_or_empty(w, "AppArmorProfile",
                  plan->label.kind == LABEL_APPARMOR ? label_name(&plan->label) : "");
    if (written)
        json_u64(w, "SizeRw", *written);
    write_place(w, c);
    write_posture(w, &plan->posture);
    write_host_config(w, plan);
    write_mounts(w, c);
    write_config(w, plan);
    inspect_networks(w, c);
    json_end(w, '}');
}

int inspect_print(struct buf *array, const char *format, struct error *err)
{
    autobuf out = {0};
    if (!format || streq(format, "json")) {
        buf_char(array, '\n');
        return print(array);
    }
    autojson all = json_parse(buf_text(array), array->len, "the answer", err);
    if (!all)
        return -EINVAL;
    size_t i;
    json_t *item;
    json_array_foreach(all, i, item)
    {
        int rc = template_render(format, item, &out, err);
        if (rc < 0)
            return rc;
        buf_char(&out, '\n');
    }
    return print(&out);
}
