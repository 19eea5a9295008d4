/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A config.json from outside: its top, process and root, and what leans on each other. The tables
 * are those of runtime-spec 1.2; a member that no table names is left alone.
 */
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "path/inroot.h"
#include "runtime/bundle_fields.h"
#include "runtime/systemd.h"

int bundle_refuse(struct error *err, const char *key, const char *why)
{
    return error_set(err, -ENOTSUP, "%s is not supported: %s", key, why);
}

int bundle_number(const json_t *object, const char *key, int64_t min, int64_t max, int64_t absent,
                  int64_t *number, struct error *err)
{
    const json_t *value = json_object_get(object, key);
    if (value && !json_is_null(value))
        return field_number(object, key, min, max, number, err);
    *number = absent;
    return 0;
}

/* --- process -----------------------------------------------------------------------------------
 */

/* What this kernel does not know cannot be granted, which is no reason to fail. */
static int read_capability_set(const json_t *list, const char *key, uint64_t *set,
                               struct strv *warnings, struct error *err)
{
    uint64_t found = 0, one = 0;
    if (!list || json_is_null(list))
        return 0;
    int rc = field_array(list, key, 4096, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name)
            return error_set(err, -EINVAL, "%s[%zu] must be a string", key, i);
        if (!starts_with(name, "CAP_") || streq(name, "CAP_ALL") ||
            caps_parse(name, &one, NULL) < 0) {
            autobuf shown = {0};
            buf_printable(&shown, name);
            strv_fmt(warnings, "process.capabilities.%s: %.100s is unknown here, and not granted",
                     key, buf_text(&shown));
            continue;
        }
        found |= one;
    }
    if (rc == 0)
        *set = found;
    return rc;
}

static BUNDLE_READ(read_capabilities)
{
    struct bundle *bundle = into;
    struct caps caps = {0};
    const struct {
        const char *name;
        uint64_t *set;
    } sets[] = {{"bounding", &caps.bounding},
                {"effective", &caps.effective},
                {"permitted", &caps.permitted},
                {"inheritable", &caps.inheritable},
                {"ambient", &caps.ambient}};
    if (!json_is_object(value))
        return field_wrong(err, key, "an object");
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        int rc = read_capability_set(json_object_get(value, sets[i].name), sets[i].name,
                                     sets[i].set, &bundle->warnings, err);
        if (rc < 0)
            return field_under(err, rc, key);
    }
    bundle->plan.caps = caps;
    return 0;
}

/* An empty one is what some engines write for none. */
static int read_security_label(const json_t *value, struct bundle *bundle, enum label_kind kind,
                               const char *key, struct error *err)
{
    const char *text = json_string_value(value);
    if (!text)
        return field_wrong(err, key, "a string");
    if (!*text)
        return 0;
    if (bundle->plan.label.kind != LABEL_NONE)
        return bundle_refuse(err, key, "an AppArmor profile was given already");
    int rc = label_prepare(kind, text, &bundle->plan.label, err);
    return rc < 0 ? error_prefix(err, "%s", key) : 0;
}

static BUNDLE_READ(read_apparmor)
{
    return read_security_label(value, into, LABEL_APPARMOR, key, err);
}

static BUNDLE_READ(read_selinux)
{
    return read_security_label(value, into, LABEL_SELINUX, key, err);
}

static BUNDLE_READ(read_rlimits)
{
    struct bundle *bundle = into;
    int rc = part_rlimits_read(value, &bundle->plan, key, err);
    for (size_t i = 0; rc == 0 && i < bundle->plan.rlimit_count; i++)
        for (size_t k = 0; k < i; k++)
            if (bundle->plan.rlimits[i].resource == bundle->plan.rlimits[k].resource)
                return error_set(err, -EINVAL, "%s[%zu].type is there twice", key, i);
    return rc;
}

static BUNDLE_READ(read_console_size)
{
    struct bundle_attributes *a = &((struct bundle *)into)->attributes;
    if (!json_is_object(value))
        return field_wrong(err, key, "an object");
    int rc = field_number(value, "height", 0, UINT16_MAX, &a->rows, err);
    if (rc == 0)
        rc = field_number(value, "width", 0, UINT16_MAX, &a->columns, err);
    return rc < 0 ? field_under(err, rc, key) : 0;
}

static const struct field user_fields[] = {
    {"uid", FIELD_U32, BUNDLE_AT(plan.uid), .max = BUNDLE_ID_MAX},
    {"gid", FIELD_U32, BUNDLE_AT(plan.gid), .max = BUNDLE_ID_MAX},
    {"umask", FIELD_I64, BUNDLE_AT(plan.umask), .max = 0777},
    {"additionalGids", BUNDLE_PART(part_groups_read)},
    {NULL},
};

const struct field bundle_process_fields[] = {
    {"terminal", FIELD_BOOL, BUNDLE_AT(plan.terminal)},
    {"consoleSize", BUNDLE_PART(read_console_size)},
    {"user", .must = true, BUNDLE_OBJECT(user_fields)},
    {"args", FIELD_LIST, .must = true, BUNDLE_AT(plan.args)},
    {"env", FIELD_LIST, BUNDLE_AT(plan.env)},
    {"cwd", FIELD_CONTENT, .must = true, BUNDLE_AT(plan.cwd)},
    {"capabilities", BUNDLE_PART(read_capabilities)},
    {"rlimits", BUNDLE_PART(read_rlimits)},
    {"noNewPrivileges", FIELD_BOOL, BUNDLE_AT(plan.no_new_privs)},
    {"apparmorProfile", BUNDLE_PART(read_apparmor)},
    {"selinuxLabel", BUNDLE_PART(read_selinux)},
    {"oomScoreAdj", FIELD_I64, BUNDLE_AT(plan.oom_score_adj), .min = -1000, .max = 1000},
    {"ioPriority", BUNDLE_PART(bundle_io_priority_read)},
    {"scheduler", BUNDLE_PART(bundle_scheduler_read)},
    {"execCPUAffinity", BUNDLE_PART(bundle_affinity_read)},
    {NULL},
};

static int check_process(struct plan *plan, struct error *err)
{
    char clean[INROOT_PATH_MAX];
    if (!plan->args.len || !*plan->args.items[0])
        return field_wrong(err, "args", "an array of at least one string that is not empty");
    for (size_t i = 0; i < plan->env.len; i++) {
        const char *equals = strchr(plan->env.items[i], '=');
        if (!equals || equals == plan->env.items[i])
            return error_set(err, -EINVAL, "env[%zu] must be NAME=VALUE", i);
    }
    if (plan->cwd[0] != '/')
        return field_wrong(err, "cwd", "an absolute path");
    if (inroot_clean(plan->cwd, "cwd", clean, err) < 0)
        return err ? err->code : -EINVAL;
    free(plan->cwd);
    plan->cwd = xstrdup(clean);
    plan->granted = plan->caps.bounding;
    return 0;
}

static BUNDLE_READ(read_process)
{
    struct bundle *bundle = into;
    if (!json_is_object(value))
        return field_wrong(err, key, "an object");
    int rc = fields_read(bundle_process_fields, value, bundle, err);
    if (rc == 0)
        rc = check_process(&bundle->plan, err);
    return rc < 0 ? field_under(err, rc, key) : 0;
}

/* --- root and linux ----------------------------------------------------------------------------
 */

static BUNDLE_READ(read_root_path)
{
    struct bundle *bundle = into;
    const char *text = json_string_value(value);
    if (!text || !*text || strlen(text) >= PATH_MAX)
        return field_wrong(err, key, "the path of a directory");
    free(bundle->rootfs);
    bundle->rootfs = *text == '/' ? xstrdup(text) : xasprintf("%s/%s", bundle->path, text);
    return 0;
}

static BUNDLE_READ(read_root_propagation)
{
    const char *text = json_string_value(value);
    if (!text)
        return field_wrong(err, key, "a string");
    for (const struct plan_word *word = plan_propagation_words; word->name; word++)
        if (streq(word->name, text)) {
            ((struct bundle *)into)->root_propagation = word->value;
            return 0;
        }
    if (!*text)
        return 0;
    return field_wrong(err, key, "shared, slave, private or unbindable, with or without an r");
}

/* "slice:prefix:name": the unit prefix-name.scope in the slice; a name that is one of a slice is
 * the unit itself. */
static int read_unit(struct bundle *bundle, const char *key, const char *text, struct error *err)
{
    autostrv parts = {0};
    strv_split(&parts, text, ':');
    if (parts.len != 3)
        return field_wrong(err, key, "a path, or slice:prefix:name for systemd");
    const char *slice = parts.items[0], *name = parts.items[2];
    autofree char *unit =
        systemd_is_slice(name) ? xstrdup(name) : xasprintf("%s-%s.scope", parts.items[1], name);
    int rc = *slice ? systemd_check_slice(slice, err) : 0;
    if (rc == 0)
        rc =
            systemd_is_slice(unit) ? systemd_check_slice(unit, err) : systemd_check_name(unit, err);
    if (rc < 0)
        return error_prefix(err, "%s", key);
    if (systemd_is_slice(unit) && !strchr(unit + 1, '-'))
        return bundle_refuse(err, key, "a slice right below the root; give one such as a-b.slice");
    bundle->cgroup_slice = *slice ? xstrdup(slice) : NULL;
    bundle->cgroup_unit = take_ptr(unit);
    return 0;
}

/* "/a/b/name": the group <a/b>/<name>; a relative one lies below ours. */
static BUNDLE_READ(read_cgroups_path)
{
    struct bundle *bundle = into;
    const char *text = json_string_value(value);
    if (!text)
        return field_wrong(err, key, "a string");
    if (!*text)
        return 0;
    if (strchr(text, ':') && *text != '/')
        return read_unit(bundle, key, text, err);
    const char *slash = strrchr(text, '/');
    autofree char *parent =
        !slash         ? xstrdup(CGROUP_FOREIGN_PARENT)
        : *text == '/' ? xstrndup(text, (size_t)(slash - text))
                       : xasprintf(CGROUP_FOREIGN_PARENT "/%.*s", (int)(slash - text), text);
    if (!*parent)
        return bundle_refuse(err, key,
                             "a group right below the root; give a path of two parts at least");
    if (cgroup_check_parent(parent, err) < 0 || cgroup_check_id(slash ? slash + 1 : text, err) < 0)
        return error_prefix(err, "%s", key);
    bundle->cgroup_parent = take_ptr(parent);
    bundle->cgroup_name = xstrdup(slash ? slash + 1 : text);
    return 0;
}

static BUNDLE_READ(read_seccomp)
{
    struct bundle *bundle = into;
    const char *path = NULL, *metadata = NULL;
    if (!json_is_object(value))
        return field_wrong(err, key, "an object");
    int rc = json_get_string(value, "listenerPath", &path, err);
    if (rc == 0)
        rc = json_get_string(value, "listenerMetadata", &metadata, err);
    if (rc == 0 && path && *path && *path != '/')
        rc = field_wrong(err, "listenerPath", "an absolute path");
    if (rc == 0 && metadata && strlen(metadata) > 4096)
        rc = field_wrong(err, "listenerMetadata", "at most 4096 bytes");
    if (rc < 0)
        return field_under(err, rc, key);
    if (path && *path) {
        bundle->listener_path = xstrdup(path);
        bundle->listener_metadata = xstrdup(metadata ? metadata : "");
    }
    bundle->seccomp = json_dumps(value, JSON_COMPACT);
    return bundle->seccomp ? 0 : field_wrong(err, key, "UTF-8");
}

static BUNDLE_READ(read_mount_label)
{
    const char *text = json_string_value(value);
    (void)into;
    if (!text)
        return field_wrong(err, key, "a string");
    return *text ? bundle_refuse(err, key, "file systems get no SELinux label") : 0;
}

static BUNDLE_READ(refuse_rdt)
{
    (void)value, (void)into;
    return bundle_refuse(err, key, "cache and memory bandwidth are not divided");
}

static const struct field linux_fields[] = {
    {"namespaces", .must = true, BUNDLE_PART(bundle_namespaces_read)},
    {"uidMappings", BUNDLE_PART(bundle_uids_read)},
    {"gidMappings", BUNDLE_PART(bundle_gids_read)},
    {"timeOffsets", BUNDLE_PART(bundle_offsets_read)},
    {"devices", BUNDLE_PART(bundle_devices_read)},
    {"cgroupsPath", BUNDLE_PART(read_cgroups_path)},
    {"resources", BUNDLE_PART(bundle_resources_read)},
    {"rootfsPropagation", BUNDLE_PART(read_root_propagation)},
    {"seccomp", BUNDLE_PART(read_seccomp)},
    {"sysctl", FIELD_MAP, BUNDLE_AT(plan.sysctls)},
    {"maskedPaths", FIELD_PATHS, BUNDLE_AT(plan.masked)},
    {"readonlyPaths", FIELD_PATHS, BUNDLE_AT(plan.read_only_paths)},
    {"mountLabel", BUNDLE_PART(read_mount_label)},
    {"personality", BUNDLE_PART(bundle_personality_read)},
    {"intelRdt", BUNDLE_PART(refuse_rdt)},
    {NULL},
};

static const struct field root_fields[] = {
    {"path", .must = true, BUNDLE_PART(read_root_path)},
    {"readonly", FIELD_BOOL, BUNDLE_AT(plan.root_read_only)},
    {NULL},
};

static BUNDLE_READ(refuse_vm)
{
    (void)value, (void)into;
    return bundle_refuse(err, key, "containers here are no virtual machines");
}

static const struct field bundle_fields[] = {
    {"ociVersion", .must = true, BUNDLE_PART(part_oci_version_read)},
    {"root", .must = true, BUNDLE_OBJECT(root_fields)},
    {"process", .must = true, BUNDLE_PART(read_process)},
    {"hostname", FIELD_TEXT, BUNDLE_AT(plan.hostname), .max = 64},
    {"domainname", FIELD_TEXT, BUNDLE_AT(plan.domainname), .max = 64},
    {"mounts", BUNDLE_PART(bundle_mounts_read)},
    {"hooks", BUNDLE_PART(bundle_hooks_read)},
    {"annotations", FIELD_MAP, BUNDLE_AT(plan.annotations)},
    {"linux", .must = true, BUNDLE_OBJECT(linux_fields)},
    {"vm", BUNDLE_PART(refuse_vm)},
    {NULL},
};

/* --- what leans on each other ------------------------------------------------------------------
 */

#define SYSCTL_NAME_MAX 200

/* The namespace that a sysctl belongs to: writing one that belongs to none would change the host
 * (CVE-2022-0811). BUNDLE_NS_COUNT: none, or one that is not known. */
static enum bundle_ns sysctl_namespace(const char *name)
{
    static const char *const ipc[] = {"kernel.msgmax", "kernel.msgmnb",         "kernel.msgmni",
                                      "kernel.sem",    "kernel.shmall",         "kernel.shmmax",
                                      "kernel.shmmni", "kernel.shm_rmid_forced"};
    if (starts_with(name, "net."))
        return BUNDLE_NET;
    if (starts_with(name, "fs.mqueue."))
        return BUNDLE_IPC;
    if (streq(name, "kernel.domainname"))
        return BUNDLE_UTS;
    for (size_t i = 0; i < sizeof ipc / sizeof *ipc; i++)
        if (streq(name, ipc[i]))
            return BUNDLE_IPC;
    return BUNDLE_NS_COUNT;
}

/* Spelled with slashes or with dots, as sysctl(8) takes them. */
static void sysctl_name(const char *item, char *out, size_t size)
{
    snprintf(out, size, "%.*s", (int)strcspn(item, "="), item);
    for (char *c = out; *c; c++)
        if (*c == '/')
            *c = '.';
}

enum bundle_ns bundle_sysctl_namespace(const char *item)
{
    char name[SYSCTL_NAME_MAX];
    sysctl_name(item, name, sizeof name);
    return sysctl_namespace(name);
}

static int check_sysctl(const struct bundle *bundle, const char *item, struct error *err)
{
    char name[SYSCTL_NAME_MAX];
    size_t length = strcspn(item, "=");
    if (length >= sizeof name ||
        strspn(item, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./") <
            length ||
        *item == '/' || *item == '.')
        return error_set(err, -EINVAL, "linux.sysctl may not have a member called \"%.*s\"",
                         (int)(length < 64 ? length : 64), item);
    sysctl_name(item, name, sizeof name);
    if (strstr(name, ".."))
        return error_set(err, -EINVAL, "linux.sysctl may not have a member called \"%s\"", name);
    if (strlen(item) > 400 || strpbrk(item, "\n\r"))
        return error_set(err, -EINVAL, "linux.sysctl.%s must be one short line", name);
    enum bundle_ns owner = sysctl_namespace(name);
    if (owner == BUNDLE_NS_COUNT)
        return error_set(err, -ENOTSUP,
                         "linux.sysctl.%s is not supported: it belongs to no namespace, and would "
                         "change the host",
                         name);
    if (!bundle->namespaces[owner].listed)
        return error_set(err, -EINVAL,
                         "linux.sysctl.%s would change the host: it needs a %s namespace in "
                         "linux.namespaces",
                         name, bundle_ns_words[owner].name);
    return 0;
}

static int check_needs(const struct bundle *bundle, struct error *err)
{
    const struct bundle_namespace *ns = bundle->namespaces;
    bool fresh_users = ns[BUNDLE_USER].listed && !ns[BUNDLE_USER].path;
    if (!ns[BUNDLE_MOUNT].listed)
        return error_set(err, -ENOTSUP,
                         "linux.namespaces must have a mount namespace: without it the host's own "
                         "mounts would change");
    if (fresh_users && (!bundle->maps.uid_count || !bundle->maps.gid_count))
        return error_set(err, -EINVAL,
                         "linux.uidMappings and linux.gidMappings must be there for the user "
                         "namespace");
    if (!fresh_users && (bundle->maps.uid_count || bundle->maps.gid_count))
        return error_set(err, -EINVAL,
                         "linux.uidMappings needs a new user namespace in linux.namespaces");
    if ((bundle->plan.hostname || bundle->plan.domainname) && !ns[BUNDLE_UTS].listed)
        return error_set(err, -EINVAL, "%s needs a uts namespace in linux.namespaces",
                         bundle->plan.hostname ? "hostname" : "domainname");
    if (bundle->has_offsets && (!ns[BUNDLE_TIME].listed || ns[BUNDLE_TIME].path))
        return error_set(err, -EINVAL,
                         "linux.timeOffsets needs a new time namespace in linux.namespaces");
    for (size_t i = 0; i < bundle->plan.sysctls.len; i++) {
        int rc = check_sysctl(bundle, bundle->plan.sysctls.items[i], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The bits by which stages shared with our own containers ask. */
static void settle_namespaces(struct bundle *bundle)
{
    static const unsigned bits[BUNDLE_NS_COUNT] = {
        [BUNDLE_USER] = PLAN_NS_USER, [BUNDLE_PID] = PLAN_NS_PID, [BUNDLE_IPC] = PLAN_NS_IPC,
        [BUNDLE_UTS] = PLAN_NS_UTS,   [BUNDLE_NET] = PLAN_NS_NET, [BUNDLE_CGROUP] = PLAN_NS_CGROUP,
    };
    for (int i = 0; i < BUNDLE_NS_COUNT; i++)
        if (bundle->namespaces[i].listed && !bundle->namespaces[i].path)
            bundle->plan.namespaces |= bits[i];
}

int bundle_parse(const char *text, size_t length, const char *path, struct bundle *out,
                 struct error *err)
{
    struct error detail = {0};
    autojson json = plan_parse(text, length, "config.json", err);
    if (!json)
        return length > PLAN_TEXT_MAX ? -EFBIG : -EINVAL;
    if (!json_is_object(json))
        return error_set(err, -EINVAL, "config.json: must be an object");
    autobundle bundle;
    bundle_init(&bundle);
    bundle.path = xstrdup(path);
    int rc = fields_read(bundle_fields, json, &bundle, &detail);
    if (rc == 0)
        rc = check_needs(&bundle, &detail);
    if (rc < 0)
        return error_set(err, rc, "config.json: %s", detail.text);
    settle_namespaces(&bundle);
    bundle_settle_limits(&bundle);
    *out = bundle;
    bundle = (struct bundle){0};
    return 0;
}

/* Members of the old process that say nothing any more in the new one. */
static void forget_process(struct bundle *bundle)
{
    struct plan *plan = &bundle->plan;
    strv_free(&plan->args);
    strv_free(&plan->env);
    free(take_ptr(plan->groups));
    plan->group_count = 0;
    free(take_ptr(plan->rlimits));
    plan->rlimit_count = 0;
    label_free(&plan->label);
    plan->caps = (struct caps){0};
    plan->no_new_privs = plan->terminal = false;
    plan->umask = -1;
    plan->uid = plan->gid = 0;
    plan->oom_score_adj = INT64_MIN;
    free(bundle->attributes.cpus);
    free(bundle->attributes.cpus_initial);
    bundle->attributes = (struct bundle_attributes){
        .has_personality = bundle->attributes.has_personality,
        .personality = bundle->attributes.personality,
    };
}

int bundle_read_process(const char *text, size_t length, struct bundle *bundle, struct error *err)
{
    struct error detail = {0};
    autojson json = plan_parse(text, length, "process", err);
    if (!json)
        return length > PLAN_TEXT_MAX ? -EFBIG : -EINVAL;
    forget_process(bundle);
    int rc = read_process(json, bundle, "process", &detail);
    return rc < 0 ? error_set(err, rc, "%s", detail.text) : 0;
}

int bundle_read_resources(const char *text, size_t length, struct bundle *out, struct error *err)
{
    struct error detail = {0};
    autojson json = plan_parse(text, length, "resources", err);
    if (!json)
        return length > PLAN_TEXT_MAX ? -EFBIG : -EINVAL;
    int rc = bundle_resources_read(json, out, "resources", &detail);
    if (rc < 0)
        return error_set(err, rc, "%s", detail.text);
    bundle_settle_limits(out);
    return 0;
}
