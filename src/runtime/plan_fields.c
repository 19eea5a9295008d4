/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/plan_fields.h"

#include <stddef.h>
#include <sys/mount.h>

#define AT(member) .at = offsetof(struct plan, member)
#define ID_MAX UINT32_C(4294967294) /* -1 means "leave it" to the kernel */
#define CUSTOM(part) .kind = FIELD_CUSTOM, .write = part##_write, .read = part##_read
#define OBJECT(table) .kind = FIELD_OBJECT, .members = table

const struct plan_word plan_namespace_words[] = {
    {"pid", PLAN_NS_PID},
    {"network", PLAN_NS_NET},
    {"ipc", PLAN_NS_IPC},
    {"uts", PLAN_NS_UTS},
    {"mount", 0},
    {"user", PLAN_NS_USER},
    {"cgroup", PLAN_NS_CGROUP},
    {NULL, 0},
};

const struct plan_word plan_propagation_words[] = {
    {"private", MS_PRIVATE},
    {"rprivate", MS_PRIVATE | MS_REC},
    {"slave", MS_SLAVE},
    {"rslave", MS_SLAVE | MS_REC},
    {"shared", MS_SHARED},
    {"rshared", MS_SHARED | MS_REC},
    {"unbindable", MS_UNBINDABLE},
    {"runbindable", MS_UNBINDABLE | MS_REC},
    {NULL, 0},
};

const struct plan_word plan_seccomp_words[] = {
    {"off", PLAN_SECCOMP_OFF},
    {"restricted", PLAN_SECCOMP_RESTRICTED},
    {"baseline", PLAN_SECCOMP_BASELINE},
    {"file", PLAN_SECCOMP_FILE},
    {NULL, 0},
};

const struct plan_word plan_ipc_words[] = {
    {"private", PLAN_IPC_PRIVATE},
    {"shareable", PLAN_IPC_SHAREABLE},
    {"none", PLAN_IPC_NONE},
    {NULL, 0},
};

#define OPTION(member) offsetof(struct plan_mount, member)
const struct mount_option plan_mount_options[] = {
    {"rbind", "bind", OPTION(recursive)},
    {"ro", "rw", OPTION(read_only)},
    {"suid", "nosuid", OPTION(suid)},
    {"dev", "nodev", OPTION(dev)},
    {"noexec", "exec", OPTION(no_exec)},
    {"idmap", NULL, OPTION(idmap)},
    {"tmpcopyup", NULL, OPTION(copy_up)},
    {"anonymous", NULL, OPTION(anonymous)},
    {NULL, NULL, 0},
};

/* --- runtime-spec ------------------------------------------------------------------------------
 */

static const struct field user_fields[] = {
    {"uid", FIELD_U32, true, AT(uid), .max = ID_MAX},
    {"gid", FIELD_U32, true, AT(gid), .max = ID_MAX},
    {"umask", FIELD_I64, AT(umask), .max = 0777},
    {"additionalGids", CUSTOM(part_groups)},
    {NULL},
};

static const struct field capability_fields[] = {
    {"bounding", FIELD_CAPS, AT(caps.bounding)},
    {"effective", FIELD_CAPS, AT(caps.effective)},
    {"permitted", FIELD_CAPS, AT(caps.permitted)},
    {"inheritable", FIELD_CAPS, AT(caps.inheritable)},
    {"ambient", FIELD_CAPS, AT(caps.ambient)},
    {NULL},
};

static const struct field process_fields[] = {
    {"terminal", FIELD_BOOL, AT(terminal)},
    {"user", .must = true, OBJECT(user_fields)},
    {"args", FIELD_LIST, true, AT(args)},
    {"env", FIELD_LIST, AT(env)},
    {"cwd", FIELD_PATH, true, AT(cwd)},
    {"capabilities", OBJECT(capability_fields)},
    {"rlimits", CUSTOM(part_rlimits)},
    {"noNewPrivileges", FIELD_BOOL, AT(no_new_privs)},
    {"apparmorProfile", CUSTOM(part_apparmor)},
    {"selinuxLabel", CUSTOM(part_selinux)},
    {"oomScoreAdj", FIELD_I64, AT(oom_score_adj), .min = -1000, .max = 1000},
    {NULL},
};

static const struct field root_fields[] = {
    {"path", CUSTOM(part_root_path)},
    {"readonly", FIELD_BOOL, AT(root_read_only)},
    {NULL},
};

static const struct field memory_fields[] = {
    {"limit", FIELD_I64, AT(limits.memory), .min = -1, .max = INT64_MAX},
    {"reservation", FIELD_I64, AT(limits.memory_reservation), .min = -1, .max = INT64_MAX},
    {"swap", FIELD_I64, AT(limits.memory_swap), .min = -1, .max = INT64_MAX},
    {NULL},
};

static const struct field cpu_fields[] = {
    {"shares", FIELD_I64, AT(limits.cpu_shares), .min = 0, .max = 262144},
    {"quota", FIELD_I64, AT(limits.cpu_quota), .min = -1, .max = INT64_MAX},
    {"period", FIELD_I64, AT(limits.cpu_period), .min = 0, .max = 1000000},
    {"cpus", FIELD_TEXT, AT(cpuset_cpus)},
    {"mems", FIELD_TEXT, AT(cpuset_mems)},
    {NULL},
};

static const struct field pids_fields[] = {
    {"limit", FIELD_I64, AT(limits.pids), .min = -1, .max = INT64_MAX},
    {NULL},
};

static const struct field block_fields[] = {
    {"weight", FIELD_I64, AT(limits.blkio_weight), .min = 0, .max = 1000},
    {NULL},
};

static const struct field resource_fields[] = {
    {"devices", CUSTOM(part_device_rules)},
    {"memory", OBJECT(memory_fields)},
    {"cpu", OBJECT(cpu_fields)},
    {"pids", OBJECT(pids_fields)},
    {"blockIO", OBJECT(block_fields)},
    {NULL},
};

static const struct field linux_fields[] = {
    {"namespaces", .must = true, CUSTOM(part_namespaces)},
    {"uidMappings", CUSTOM(part_id_mappings)},
    {"gidMappings", CUSTOM(part_id_mappings)},
    {"devices", CUSTOM(part_devices)},
    {"cgroupsPath", .must = true, CUSTOM(part_cgroups_path)},
    {"resources", .must = true, OBJECT(resource_fields)},
    {"maskedPaths", FIELD_PATHS, AT(masked)},
    {"readonlyPaths", FIELD_PATHS, AT(read_only_paths)},
    {"sysctl", FIELD_MAP, AT(sysctls)},
    {NULL},
};

/* --- what the spec has no words for ------------------------------------------------------------
 */

static const struct field image_fields[] = {
    {"name", FIELD_TEXT, AT(image_name)},
    {"id", FIELD_DIGEST, AT(image_id)},
    {"manifest", FIELD_DIGEST, AT(image_manifest)},
    {NULL},
};

static const struct field file_fields[] = {
    {"/etc/passwd", FIELD_CONTENT, AT(passwd)},
    {"/etc/group", FIELD_CONTENT, AT(group)},
    {"/etc/hosts", FIELD_CONTENT, AT(hosts)},
    {"/etc/resolv.conf", FIELD_CONTENT, AT(resolv_conf)},
    {NULL},
};

static const struct field log_fields[] = {
    {"driver", FIELD_TEXT, AT(log_driver)},
    {"max_size", FIELD_I64, AT(log_max_size), .max = INT64_MAX},
    {"max_file", FIELD_I64, AT(log_max_file), .max = 100000},
    {"tag", FIELD_TEXT, AT(log_tag)},
    {"labels", FIELD_LIST, AT(log_labels)},
    {"env", FIELD_LIST, AT(log_env)},
    {NULL},
};

static const struct field health_fields[] = {
    {"test", FIELD_LIST, AT(health.test)},
    {"interval", FIELD_I64, AT(health.interval), .max = INT64_MAX},
    {"timeout", FIELD_I64, AT(health.timeout), .max = INT64_MAX},
    {"start_period", FIELD_I64, AT(health.start_period), .max = INT64_MAX},
    {"start_interval", FIELD_I64, AT(health.start_interval), .max = INT64_MAX},
    {"retries", FIELD_I64, AT(health.retries), .max = INT64_MAX},
    {NULL},
};

const struct field protection_fields[] = {
    {"name", FIELD_TEXT, true, offsetof(struct protection, name)},
    {"asked", FIELD_TEXT, .at = offsetof(struct protection, asked)},
    {"in_force", FIELD_TEXT, .at = offsetof(struct protection, in_force)},
    {"why", FIELD_TEXT, .at = offsetof(struct protection, why)},
    {"flag", FIELD_TEXT, .at = offsetof(struct protection, flag)},
    {"relaxed", FIELD_BOOL, .at = offsetof(struct protection, relaxed)},
    {NULL},
};

const struct field endpoint_fields[] = {
    {"network", FIELD_ID, true, offsetof(struct plan_endpoint, network)},
    {"aliases", FIELD_LIST, .at = offsetof(struct plan_endpoint, aliases)},
    {"ip4", FIELD_TEXT, .at = offsetof(struct plan_endpoint, ip4)},
    {"ip6", FIELD_TEXT, .at = offsetof(struct plan_endpoint, ip6)},
    {"mac", FIELD_TEXT, .at = offsetof(struct plan_endpoint, mac)},
    {NULL},
};

static const struct field caisson_fields[] = {
    {"version", .must = true, CUSTOM(part_version)},
    {"id", FIELD_ID, true, AT(id)},
    {"name", FIELD_ID, AT(name)},
    {"created", FIELD_TEXT, AT(created)},
    {"image", OBJECT(image_fields)},
    {"layers", FIELD_DIGESTS, AT(layers)},
    {"level", FIELD_TEXT, true, AT(posture.level)},
    {"posture", CUSTOM(part_posture)},
    {"seccomp", .must = true, CUSTOM(part_seccomp)},
    {"seccomp_file", FIELD_TEXT, AT(seccomp_file)},
    {"landlock", FIELD_BOOL, AT(landlock)},
    {"ipc", CUSTOM(part_ipc)},
    {"granted", FIELD_CAPS, AT(granted)},
    {"user", FIELD_TEXT, AT(user_text)},
    {"stand_in", FIELD_BOOL, AT(stand_in)},
    {"bind_uid", FIELD_U32, AT(bind_uid), .max = ID_MAX},
    {"bind_gid", FIELD_U32, AT(bind_gid), .max = ID_MAX},
    {"home", FIELD_PATH, AT(home)},
    {"files", OBJECT(file_fields)},
    {"standard_mounts", .must = true, CUSTOM(part_standard_mounts)},
    {"shm_size", FIELD_I64, AT(shm_size), .max = INT64_MAX},
    {"device_hosts", CUSTOM(part_device_hosts)},
    {"networks", CUSTOM(part_endpoints)},
    {"ports", CUSTOM(part_ports)},
    {"exposed", FIELD_LIST, AT(exposed)},
    {"publish_all", FIELD_BOOL, AT(publish_all)},
    {"host_access", FIELD_BOOL, AT(host_access)},
    {"metadata_access", FIELD_BOOL, AT(metadata_access)},
    {"egress", FIELD_LIST, AT(egress)},
    {"dns", FIELD_LIST, AT(dns)},
    {"dns_search", FIELD_LIST, AT(dns_search)},
    {"dns_options", FIELD_LIST, AT(dns_options)},
    {"extra_hosts", FIELD_LIST, AT(extra_hosts)},
    {"limits_by_flag", FIELD_U32, AT(limits.by_flag), .max = UINT16_MAX},
    {"open_files", FIELD_I64, AT(open_files), .min = 1, .max = INT64_MAX},
    {"account_io", FIELD_BOOL, AT(limits.account_io)},
    {"stdin_open", FIELD_BOOL, AT(stdin_open)},
    {"init", FIELD_BOOL, AT(init)},
    {"stop_signal", FIELD_TEXT, AT(stop_signal)},
    {"stop_timeout", FIELD_I64, AT(stop_timeout), .min = -1, .max = INT32_MAX},
    {"remove", FIELD_BOOL, AT(remove)},
    {"by_run", FIELD_BOOL, AT(by_run)},
    {"step", FIELD_BOOL, AT(step)},
    {"detached", FIELD_BOOL, AT(detached)},
    {"restart", FIELD_TEXT, AT(restart)},
    {"health", OBJECT(health_fields)},
    {"log", OBJECT(log_fields)},
    {"labels", FIELD_MAP, AT(labels)},
    {"cid_file", FIELD_TEXT, AT(cid_file)},
    {NULL},
};

/* The caisson object comes before what it explains: mounts and devices are read knowing it. */
const struct field plan_fields[] = {
    {"ociVersion", .must = true, CUSTOM(part_oci_version)},
    {"caisson", .must = true, OBJECT(caisson_fields)},
    {"process", .must = true, OBJECT(process_fields)},
    {"root", .must = true, OBJECT(root_fields)},
    {"hostname", FIELD_TEXT, AT(hostname), .max = 64},
    {"domainname", FIELD_TEXT, AT(domainname), .max = 64},
    {"mounts", .must = true, CUSTOM(part_mounts)},
    {"annotations", FIELD_MAP, AT(annotations)},
    {"linux", .must = true, OBJECT(linux_fields)},
    {NULL},
};
