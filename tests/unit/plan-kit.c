/* SPDX-License-Identifier: Apache-2.0 */
#include "plan-kit.h"

#include <sys/mount.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"

void small_plan(struct plan *plan)
{
    plan_init(plan);
    plan->id = xstrdup("0123456789ab");
    plan->posture.level = xstrdup("restricted");
    strv_add(&plan->args, "/bin/true");
    plan->cwd = xstrdup("/");
}

static void full_process(struct plan *plan)
{
    strv_add(&plan->args, "two words");
    strv_add(&plan->args, "quote \" backslash \\ line\n tab\t umlaut ü");
    strv_add(&plan->env, "PATH=/usr/bin:/bin");
    strv_add(&plan->env, "EMPTY=");
    strv_add(&plan->env, "LIMIT=18446744073709551615");
    free(plan->cwd);
    plan->cwd = xstrdup("/srv/app");
    plan->uid = 1000;
    plan->gid = 1001;
    plan->groups = xcalloc(2, sizeof *plan->groups);
    plan->groups[0] = 5;
    plan->groups[1] = 4294967294u;
    plan->group_count = 2;
    plan->user_text = xstrdup("app:staff");
    plan->terminal = plan->stdin_open = plan->init = true;
    plan->umask = 027;
    plan->granted = CAPS_PODMAN_DEFAULT;
    plan->caps = (struct caps){.bounding = CAPS_PODMAN_DEFAULT,
                               .effective = 1,
                               .permitted = 3,
                               .inheritable = 4,
                               .ambient = 8};
    plan->no_new_privs = false;
    plan->seccomp = PLAN_SECCOMP_FILE;
    plan->seccomp_file = xstrdup("/etc/profile.json");
    plan->landlock = false;
    plan->label = (struct label){.kind = LABEL_APPARMOR,
                                 .value = xstrdup(LABEL_APPARMOR_PREFIX "caisson-default")};
    plan->label.length = strlen(plan->label.value);
    plan->rlimits = xcalloc(2, sizeof *plan->rlimits);
    plan->rlimits[0] = (struct rlimit_spec){RLIMIT_NOFILE, 1024, 4096};
    plan->rlimits[1] = (struct rlimit_spec){RLIMIT_CORE, 0, UINT64_MAX};
    plan->rlimit_count = 2;
    plan->open_files = 2048;
    plan->oom_score_adj = -500;
    plan->stop_signal = xstrdup("SIGQUIT");
    plan->stop_timeout = 30;
}

static void full_place(struct plan *plan)
{
    plan->namespaces = PLAN_NS_USER | PLAN_NS_UTS | PLAN_NS_CGROUP;
    plan->network = PLAN_NET_CONTAINER;
    plan->network_container = xstrdup("net-owner");
    plan->pid_container = xstrdup("pid-owner");
    plan->ipc_container = xstrdup("ipc-owner");
    plan->id_base = 1879048192u;
    strv_add(&plan->sysctls, "net.ipv4.ip_unprivileged_port_start=0");
    plan->cgroup_parent = xstrdup("/tenants/a");
    plan->cpuset_cpus = xstrdup("0-1");
    plan->cpuset_mems = xstrdup("0");
    plan->device_rules = xcalloc(2, sizeof *plan->device_rules);
    plan->device_rules[0] = (struct device_rule){'c', 1, 3, DEVICE_RWM, true};
    plan->device_rules[1] = (struct device_rule){'a', -1, -1, DEVICE_MKNOD, false};
    plan->device_rule_count = 2;
    plan->limits = (struct cgroup_limits){
        .memory = 512 << 20,
        .memory_swap = CGROUP_UNLIMITED,
        .memory_reservation = 256 << 20,
        .pids = 100,
        .cpu_shares = 1024,
        .cpu_quota = 150000,
        .cpu_period = 100000,
        .blkio_weight = 500,
        .cpuset_cpus = plan->cpuset_cpus,
        .cpuset_mems = plan->cpuset_mems,
        .devices = plan->device_rules,
        .device_count = 2,
        .account_io = true,
    };
}

static void full_mounts(struct plan *plan)
{
    struct plan_mount *m = plan_add_mount(plan);
    *m = (struct plan_mount){.kind = PLAN_BIND,
                             .source = xstrdup("/home/user/data"),
                             .target = xstrdup("/data"),
                             .read_only = true,
                             .recursive = true,
                             .idmap = true,
                             .propagation = MS_SLAVE | MS_REC};
    m = plan_add_mount(plan);
    *m = (struct plan_mount){.kind = PLAN_TMPFS,
                             .target = xstrdup("/tmp"),
                             .data = xstrdup("size=64m,mode=1777"),
                             .no_exec = true,
                             .copy_up = true};
    m = plan_add_mount(plan);
    *m = (struct plan_mount){.kind = PLAN_VOLUME,
                             .source = xstrdup("db-1.data"),
                             .target = xstrdup("/var/lib/db"),
                             .subpath = xstrdup("main/14"),
                             .anonymous = true,
                             .dev = true,
                             .suid = true,
                             .idmap = true,
                             .copy_up = true};
    m = plan_add_mount(plan);
    *m = (struct plan_mount){.kind = PLAN_IMAGE,
                             .source = xstrdup(DIGEST_A),
                             .manifest = xstrdup(DIGEST_B),
                             .target = xstrdup("/model"),
                             .read_only = true,
                             .idmap = true};
    assert_int_equal(plan_add_device(plan, "/dev/null", "/dev/nothing", DEVICE_READ, NULL), 0);
    strv_add(&plan->masked, "/proc/kcore");
    strv_add(&plan->masked, "/sys/firmware");
    strv_add(&plan->read_only_paths, "/proc/sys");
}

static void full_rest(struct plan *plan)
{
    plan->name = xstrdup("brave_heron");
    plan->hostname = xstrdup("web");
    plan->domainname = xstrdup("example.org");
    plan->image_name = xstrdup("docker.io/library/debian:12");
    plan->image_id = xstrdup(DIGEST_A);
    plan->image_manifest = xstrdup(DIGEST_B);
    struct protection *p = posture_add(&plan->posture, "seccomp", "restricted", "--security-opt x");
    p->in_force = xstrdup("off");
    p->why = xstrdup("this kernel has no seccomp");
    p->relaxed = true;
    posture_add(&plan->posture, "landlock", "on", NULL);
    strv_add(&plan->layers, DIGEST_A);
    strv_add(&plan->layers, DIGEST_B);
    plan->root_read_only = false;
    plan->shm_size = 1 << 20;
    plan->passwd = xstrdup("root:x:0:0::/root:/bin/sh\nnonroot:x:65532:65532::/home:/bin/sh\n");
    plan->group = xstrdup("root:x:0:\n");
    plan->hosts = xstrdup("127.0.0.1\tlocalhost\n");
    plan->resolv_conf = xstrdup("");
    plan->home = xstrdup("/home/nonroot");
    plan->bind_uid = 1000;
    plan->bind_gid = 100;
    plan->remove = plan->detached = true;
    plan->restart = xstrdup("on-failure:3");
    plan->log_driver = xstrdup("json-file");
    plan->log_max_size = 10 << 20;
    plan->log_max_file = 3;
    plan->log_tag = xstrdup("{{.Name}}");
    strv_add(&plan->log_labels, "org.example.role");
    strv_add(&plan->log_env, "HOME");
    strv_add(&plan->labels, "org.example.role=front=end");
    strv_add(&plan->labels, "empty=");
    strv_add(&plan->annotations, "note=two\nlines");
    plan->created = xstrdup("2026-01-02T03:04:05.678901234Z");
    plan->cid_file = xstrdup("ids/web.cid");
}

void full_plan(struct plan *plan)
{
    small_plan(plan);
    full_process(plan);
    full_place(plan);
    full_mounts(plan);
    full_rest(plan);
}

char *written(const struct plan *plan, unsigned indent)
{
    struct buf out = {0};
    plan_write(plan, indent, &out);
    return buf_take(&out);
}

void read_back(const char *text, struct plan *plan)
{
    struct error err = {0};
    int rc = plan_read(text, strlen(text), plan, &err);
    if (rc < 0)
        fail_msg("%s", err.text);
}

json_t *document(const struct plan *plan)
{
    autofree char *text = written(plan, 0);
    struct error err = {0};
    char *endless;
    /* The one number that the library does not take. */
    while ((endless = strstr(text, ":18446744073709551615")))
        memcpy(endless, ":1                   ", 21);
    json_t *json = json_parse(text, strlen(text), "config.json", &err);
    if (!json)
        fail_msg("%s", err.text);
    return json;
}

json_t *find(json_t *json, const char *path)
{
    autostrv parts = {0};
    strv_split(&parts, path, '.');
    for (size_t i = 0; json && i < parts.len; i++) {
        uint64_t index;
        json = json_is_array(json) && parse_u64(parts.items[i], 10000, &index) == 0
                   ? json_array_get(json, index)
                   : json_object_get(json, parts.items[i]);
    }
    return json;
}
