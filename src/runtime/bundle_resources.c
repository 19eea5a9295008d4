/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.resources of a foreign config.json, but for devices. What our own limits have words for
 * becomes one of them; the rest is a value of a control file, for v1, v2 or both. Engines write 0
 * where nothing was asked for.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "runtime/bundle_fields.h"

#define RULES_MAX 4096

/* Takes over the texts. */
static void add_value(struct bundle *bundle, struct cgroup_value value)
{
    bundle->values = xrealloc(bundle->values, bundle->value_count + 1, sizeof *bundle->values);
    bundle->values[bundle->value_count++] = value;
}

static char *copy(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

static void add_number(struct bundle *bundle, const char *what, enum cgroup_slot slot,
                       const char *v1_file, const char *v2_file, int64_t number)
{
    autofree char *text = xasprintf("%lld", (long long)number);
    add_value(bundle, (struct cgroup_value){
                          .what = xasprintf("linux.resources.%s", what),
                          .slot = slot,
                          .v1_file = copy(v1_file),
                          .v1_text = copy(text),
                          .v2_file = copy(v2_file),
                          .v2_text = copy(text),
                      });
}

/* --- memory, pids ------------------------------------------------------------------------------
 */

/* 0 and what is not there: nothing asked for; all negative numbers: without limit. */
static int read_limit(const json_t *object, const char *key, int64_t *limit, struct error *err)
{
    int64_t number = 0;
    int rc = bundle_number(object, key, INT64_MIN, INT64_MAX, 0, &number, err);
    if (rc == 0 && number != 0)
        *limit = number < 0 ? CGROUP_UNLIMITED : number;
    return rc;
}

static int read_truth(const json_t *object, const char *key, bool absent, bool *truth,
                      struct error *err)
{
    const json_t *value = json_object_get(object, key);
    if (value && !json_is_null(value) && !json_is_boolean(value))
        return field_wrong(err, key, "true or false");
    *truth = value && !json_is_null(value) ? json_is_true(value) : absent;
    return 0;
}

static int read_memory_flags(const json_t *value, struct bundle *bundle, struct error *err)
{
    bool no_killer = false, hierarchy = true, check = false;
    int64_t kernel = 0, tcp = 0, swappiness = -1;
    int rc = bundle_number(value, "kernel", INT64_MIN, INT64_MAX, 0, &kernel, err);
    if (rc == 0)
        rc = bundle_number(value, "kernelTCP", INT64_MIN, INT64_MAX, 0, &tcp, err);
    if (rc == 0)
        rc = bundle_number(value, "swappiness", 0, 100, -1, &swappiness, err);
    if (rc == 0)
        rc = read_truth(value, "disableOOMKiller", false, &no_killer, err);
    if (rc == 0)
        rc = read_truth(value, "useHierarchy", true, &hierarchy, err);
    if (rc == 0) /* the kernel of v1 refuses by itself; v2 would kill what is too much */
        rc = read_truth(value, "checkBeforeUpdate", false, &check, err);
    if (rc < 0)
        return rc;
    if (kernel > 0 || tcp > 0)
        return bundle_refuse(err, kernel > 0 ? "kernel" : "kernelTCP",
                             "kernel memory counts as memory; give limit");
    if (!hierarchy)
        return bundle_refuse(err, "useHierarchy", "the kernel always counts nested groups");
    if (swappiness >= 0)
        add_number(bundle, "memory.swappiness", CGROUP_MEMORY, "memory.swappiness", NULL,
                   swappiness);
    if (no_killer)
        add_number(bundle, "memory.disableOOMKiller", CGROUP_MEMORY, "memory.oom_control", NULL, 1);
    bundle->memory_check = check;
    return 0;
}

static BUNDLE_READ(read_memory)
{
    struct bundle *bundle = into;
    struct cgroup_limits *limits = &bundle->plan.limits;
    if (!json_is_object(value))
        return field_wrong(err, key, "an object");
    int rc = read_limit(value, "limit", &limits->memory, err);
    if (rc == 0)
        rc = read_limit(value, "reservation", &limits->memory_reservation, err);
    if (rc == 0)
        rc = read_limit(value, "swap", &limits->memory_swap, err);
    if (rc == 0)
        rc = read_memory_flags(value, bundle, err);
    return rc < 0 ? field_under(err, rc, key) : 0;
}

static BUNDLE_READ(read_pids)
{
    struct bundle *bundle = into;
    if (!json_is_object(value))
        return field_wrong(err, key, "an object");
    int rc = read_limit(value, "limit", &bundle->plan.limits.pids, err);
    return rc < 0 ? field_under(err, rc, key) : 0;
}

/* --- cpu ---------------------------------------------------------------------------------------
 */

static int read_cpu_times(const json_t *value, struct bundle *bundle, struct error *err)
{
    struct cgroup_limits *limits = &bundle->plan.limits;
    int64_t shares = 0, period = 0, burst = 0;
    int rc = bundle_number(value, "shares", 0, INT64_MAX, 0, &shares, err);
    if (rc == 0)
        rc = read_limit(value, "quota", &limits->cpu_quota, err);
    if (rc == 0)
        rc = bundle_number(value, "period", 0, INT64_MAX, 0, &period, err);
    if (rc == 0)
        rc = bundle_number(value, "burst", 0, INT64_MAX, 0, &burst, err);
    if (rc < 0)
        return rc;
    if (shares > 0) /* the kernel cuts them to this range itself */
        limits->cpu_shares = shares < 2 ? 2 : shares > 262144 ? 262144 : shares;
    if (period > 0)
        limits->cpu_period = period;
    if (burst > 0)
        add_number(bundle, "cpu.burst", CGROUP_CPU, "cpu.cfs_burst_us", "cpu.max.burst", burst);
    return 0;
}

static int read_cpu_rest(const json_t *value, struct bundle *bundle, struct error *err)
{
    int64_t runtime = 0, period = 0, idle = -1;
    int rc = bundle_number(value, "realtimePeriod", 0, INT64_MAX, 0, &period, err);
    if (rc == 0)
        rc = bundle_number(value, "realtimeRuntime", INT64_MIN, INT64_MAX, 0, &runtime, err);
    if (rc == 0)
        rc = bundle_number(value, "idle", 0, 1, -1, &idle, err);
    if (rc < 0)
        return rc;
    if (period > 0)
        add_number(bundle, "cpu.realtimePeriod", CGROUP_CPU, "cpu.rt_period_us", NULL, period);
    if (runtime != 0)
        add_number(bundle, "cpu.realtimeRuntime", CGROUP_CPU, "cpu.rt_runtime_us", NULL, runtime);
    if (idle >= 0)
        add_number(bundle, "cpu.idle", CGROUP_CPU, "cpu.idle", "cpu.idle", idle);
    return 0;
}

static int read_set(const json_t *object, const char *key, char **out, struct error *err)
{
    const json_t *value = json_object_get(object, key);
    const char *text = json_string_value(value);
    if (!value || json_is_null(value))
        return 0;
    if (!text || strlen(text) > 4096 || strspn(text, "0123456789,-") != strlen(text))
        return field_wrong(err, key, "a list of numbers (\"0-3,7\")");
    free(*out);
    *out = *text ? xstrdup(text) : NULL;
    return 0;
}

static BUNDLE_READ(read_cpu)
{
    struct bundle *bundle = into;
    if (!json_is_object(value))
        return field_wrong(err, key, "an object");
    int rc = read_cpu_times(value, bundle, err);
    if (rc == 0)
        rc = read_cpu_rest(value, bundle, err);
    if (rc == 0)
        rc = read_set(value, "cpus", &bundle->plan.cpuset_cpus, err);
    if (rc == 0)
        rc = read_set(value, "mems", &bundle->plan.cpuset_mems, err);
    return rc < 0 ? field_under(err, rc, key) : 0;
}

/* --- block devices, huge pages, network, rdma ---------------------------------------------------
 */

/* What each throttle is called in v1's files and as v2's key. */
static const struct {
    const char *name, *v1_file, *v2_key;
} throttles[] = {
    {"throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps"},
    {"throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps"},
    {"throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops"},
    {"throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops"},
};

int bundle_numbers(const json_t *item, int64_t *major, int64_t *minor, struct error *err)
{
    int rc = field_number(item, "major", 0, 4095, major, err);
    return rc < 0 ? rc : field_number(item, "minor", 0, 1048575, minor, err);
}

static int read_throttle(const json_t *value, size_t which, struct bundle *bundle,
                         struct error *err)
{
    const char *name = throttles[which].name;
    const json_t *list = json_object_get(value, name);
    int64_t major = 0, minor = 0, rate = 0;
    if (!list || json_is_null(list))
        return 0;
    int rc = field_array(list, name, RULES_MAX, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        rc = bundle_numbers(item, &major, &minor, err);
        if (rc == 0)
            rc = field_number(item, "rate", 0, INT64_MAX, &rate, err);
        if (rc < 0)
            return field_under_item(err, rc, name, i);
        add_value(bundle,
                  (struct cgroup_value){
                      .what = xasprintf("linux.resources.blockIO.%s", name),
                      .slot = CGROUP_BLKIO,
                      .v1_file = xstrdup(throttles[which].v1_file),
                      .v1_text = xasprintf("%d:%d %lld", (int)major, (int)minor, (long long)rate),
                      .v2_file = xstrdup("io.max"),
                      .v2_text = xasprintf("%d:%d %s=%lld", (int)major, (int)minor,
                                           throttles[which].v2_key, (long long)rate),
                  });
    }
    return rc;
}

static void add_weight(struct bundle *bundle, int64_t major, int64_t minor, int64_t weight,
                       const char *v1_file, const char *v2_file)
{
    char *text = xasprintf("%d:%d %d", (int)major, (int)minor, (int)weight);
    add_value(bundle, (struct cgroup_value){
                          .what = xstrdup("linux.resources.blockIO.weightDevice"),
                          .slot = CGROUP_BLKIO,
                          .v1_file = copy(v1_file),
                          .v1_text = text,
                          .v2_file = copy(v2_file),
                          .v2_text = copy(text),
                      });
}

static int read_weight_device(const json_t *item, struct bundle *bundle, struct error *err)
{
    int64_t major = 0, minor = 0, weight = 0, leaf = 0;
    int rc = bundle_numbers(item, &major, &minor, err);
    if (rc == 0)
        rc = bundle_number(item, "weight", 0, 1000, 0, &weight, err);
    if (rc == 0)
        rc = bundle_number(item, "leafWeight", 0, 1000, 0, &leaf, err);
    if (rc < 0)
        return rc;
    if (leaf > 0)
        return bundle_refuse(err, "leafWeight", "no kernel since 5.0 has it");
    if (weight > 0)
        add_weight(bundle, major, minor, weight, "blkio.bfq.weight_device", "io.bfq.weight");
    return 0;
}

static BUNDLE_READ(read_block_io)
{
    struct bundle *bundle = into;
    int64_t weight = 0, leaf = 0;
    if (!json_is_object(value))
        return field_wrong(err, key, "an object");
    int rc = bundle_number(value, "weight", 0, 1000, 0, &weight, err);
    if (rc == 0)
        rc = bundle_number(value, "leafWeight", 0, 1000, 0, &leaf, err);
    if (rc == 0 && leaf > 0)
        rc = bundle_refuse(err, "leafWeight", "no kernel since 5.0 has it");
    if (rc == 0 && weight > 0)
        bundle->plan.limits.blkio_weight = weight;
    const json_t *list = json_object_get(value, "weightDevice");
    if (rc == 0 && list && !json_is_null(list))
        rc = field_array(list, "weightDevice", RULES_MAX, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++) {
        rc = read_weight_device(json_array_get(list, i), bundle, err);
        if (rc < 0)
            rc = field_under_item(err, rc, "weightDevice", i);
    }
    for (size_t i = 0; rc == 0 && i < sizeof throttles / sizeof *throttles; i++)
        rc = read_throttle(value, i, bundle, err);
    return rc < 0 ? field_under(err, rc, key) : 0;
}

/* A part of a control file's name, or of its content. */
static bool is_plain(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length < 128 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-@") ==
               length &&
           text[0] != '.';
}

static int read_huge_page(const json_t *item, struct bundle *bundle, struct error *err)
{
    const char *size = NULL;
    int64_t limit = 0;
    int rc = field_string(item, "pageSize", &size, err);
    if (rc == 0 && !is_plain(size))
        rc = field_wrong(err, "pageSize", "a size (\"2MB\")");
    if (rc == 0)
        rc = field_number(item, "limit", -1, INT64_MAX, &limit, err);
    if (rc < 0)
        return rc;
    add_value(bundle,
              (struct cgroup_value){
                  .what = xstrdup("linux.resources.hugepageLimits"),
                  .slot = CGROUP_HUGETLB,
                  .v1_file = xasprintf("hugetlb.%s.limit_in_bytes", size),
                  .v1_text = xasprintf("%lld", (long long)limit),
                  .v2_file = xasprintf("hugetlb.%s.max", size),
                  .v2_text = limit < 0 ? xstrdup("max") : xasprintf("%lld", (long long)limit),
              });
    return 0;
}

static BUNDLE_READ(read_huge_pages)
{
    int rc = field_array(value, key, 64, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(value); i++) {
        rc = read_huge_page(json_array_get(value, i), into, err);
        if (rc < 0)
            return field_under_item(err, rc, key, i);
    }
    return rc;
}

static BUNDLE_READ(read_network)
{
    struct bundle *bundle = into;
    int64_t class = 0;
    if (!json_is_object(value))
        return field_wrong(err, key, "an object");
    int rc = bundle_number(value, "classID", 0, UINT32_MAX, 0, &class, err);
    if (rc == 0 && class > 0)
        add_number(bundle, "network.classID", CGROUP_NET_CLS, "net_cls.classid", NULL, class);
    const json_t *list = json_object_get(value, "priorities");
    if (rc == 0 && list && !json_is_null(list))
        rc = field_array(list, "priorities", 4096, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const char *name = NULL;
        int64_t priority = 0;
        rc = field_string(item, "name", &name, err);
        if (rc == 0 && !is_plain(name))
            rc = field_wrong(err, "name", "the name of an interface");
        if (rc == 0)
            rc = field_number(item, "priority", 0, UINT32_MAX, &priority, err);
        if (rc < 0)
            return field_under_item(err, rc, "network.priorities", i);
        add_value(bundle, (struct cgroup_value){
                              .what = xstrdup("linux.resources.network.priorities"),
                              .slot = CGROUP_NET_PRIO,
                              .v1_file = xstrdup("net_prio.ifpriomap"),
                              .v1_text = xasprintf("%s %lld", name, (long long)priority),
                          });
    }
    return rc < 0 ? field_under(err, rc, key) : 0;
}

static BUNDLE_READ(read_rdma)
{
    struct bundle *bundle = into;
    const char *name;
    json_t *item;
    if (!json_is_object(value))
        return field_wrong(err, key, "an object");
    json_object_foreach((json_t *)(uintptr_t)value, name, item)
    {
        int64_t handles = -1, objects = -1;
        if (!is_plain(name))
            return field_wrong(err, key, "an object with the names of devices");
        int rc = bundle_number(item, "hcaHandles", 0, UINT32_MAX, -1, &handles, err);
        if (rc == 0)
            rc = bundle_number(item, "hcaObjects", 0, UINT32_MAX, -1, &objects, err);
        if (rc < 0)
            return field_under(err, rc, key);
        autobuf text = {0};
        buf_str(&text, name);
        if (handles >= 0)
            buf_fmt(&text, " hca_handle=%lld", (long long)handles);
        if (objects >= 0)
            buf_fmt(&text, " hca_object=%lld", (long long)objects);
        add_value(bundle, (struct cgroup_value){
                              .what = xasprintf("linux.resources.rdma.%s", name),
                              .slot = CGROUP_RDMA,
                              .v1_file = xstrdup("rdma.max"),
                              .v1_text = xstrdup(buf_text(&text)),
                              .v2_file = xstrdup("rdma.max"),
                              .v2_text = xstrdup(buf_text(&text)),
                          });
    }
    return 0;
}

/* Names of files, and nothing that leads elsewhere; those that move processes are not limits. */
static BUNDLE_READ(read_unified)
{
    struct bundle *bundle = into;
    const char *name;
    json_t *item;
    if (!json_is_object(value))
        return field_wrong(err, key, "an object");
    json_object_foreach((json_t *)(uintptr_t)value, name, item)
    {
        const char *text = json_string_value(item);
        if (!is_plain(name) || !strchr(name, '.') || starts_with(name, "cgroup."))
            return error_set(err, -EINVAL,
                             "%s may not have a member called \"%.64s\": only control files of "
                             "controllers",
                             key, name);
        if (!text || strlen(text) > 4096)
            return error_set(err, -EINVAL, "%s.%s must be a string", key, name);
        add_value(bundle, (struct cgroup_value){
                              .what = xasprintf("linux.resources.unified.%s", name),
                              .slot = CGROUP_UNIFIED,
                              .v2_file = xstrdup(name),
                              .v2_text = xstrdup(text),
                          });
    }
    return 0;
}

static const struct field resource_fields[] = {
    {"devices", BUNDLE_PART(bundle_rules_read)},
    {"memory", BUNDLE_PART(read_memory)},
    {"cpu", BUNDLE_PART(read_cpu)},
    {"pids", BUNDLE_PART(read_pids)},
    {"blockIO", BUNDLE_PART(read_block_io)},
    {"hugepageLimits", BUNDLE_PART(read_huge_pages)},
    {"network", BUNDLE_PART(read_network)},
    {"rdma", BUNDLE_PART(read_rdma)},
    {"unified", BUNDLE_PART(read_unified)},
    {NULL},
};

BUNDLE_READ(bundle_resources_read)
{
    if (!json_is_object(value))
        return field_wrong(err, key, "an object");
    int rc = fields_read(resource_fields, value, into, err);
    return rc < 0 ? field_under(err, rc, key) : 0;
}
