/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles in JSON to rules. Two formats that share most keys: Docker's (defaultAction,
 * defaultErrnoRet, archMap, syscalls with includes and excludes) and the runtime specification's
 * (architectures, flags). Names of calls that no kernel of this architecture has are normal in
 * shared lists and only noted; everything else that is not understood is an error, because a rule
 * that is half understood is a hole.
 */
#include <linux/seccomp.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "runtime/caps.h"
#include "runtime/seccomp_profile.h"

#define RULES_MAX 8192
#define ENTRIES_MAX 65535

struct word {
    const char *name;
    uint64_t value;
};

static const struct word actions[] = {
    {"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW},
    {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO},
    {"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD},
    {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD},
    {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS},
    {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP},
    {"SCMP_ACT_LOG", SECCOMP_RET_LOG},
    {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE},
    {"SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF},
};

static const struct word operators[] = {
    {"SCMP_CMP_NE", SECCOMP_OP_NE},
    {"SCMP_CMP_LT", SECCOMP_OP_LT},
    {"SCMP_CMP_LE", SECCOMP_OP_LE},
    {"SCMP_CMP_EQ", SECCOMP_OP_EQ},
    {"SCMP_CMP_GE", SECCOMP_OP_GE},
    {"SCMP_CMP_GT", SECCOMP_OP_GT},
    {"SCMP_CMP_MASKED_EQ", SECCOMP_OP_MASKED_EQ},
};

/* Only of a filter that notifies: without, it changes nothing. */
#define WAIT_KILLABLE_RECV (1U << 5)
static const struct word flags[] = {
    {"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", WAIT_KILLABLE_RECV},
};

const char *const seccomp_action_names[] = {"SCMP_ACT_ALLOW",       "SCMP_ACT_ERRNO",
                                            "SCMP_ACT_KILL",        "SCMP_ACT_KILL_PROCESS",
                                            "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG",
                                            "SCMP_ACT_NOTIFY",      "SCMP_ACT_TRACE",
                                            "SCMP_ACT_TRAP",        NULL};
const char *const seccomp_operator_names[] = {"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT",
                                              "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ",
                                              "SCMP_CMP_NE", NULL};
const char *const seccomp_flag_names[] = {
    "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", NULL};
#if defined(__x86_64__)
const char *const seccomp_arch_names[] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", NULL};
#else
const char *const seccomp_arch_names[] = {"SCMP_ARCH_AARCH64", NULL};
#endif

#define LOOK_UP(table, name, value) look_up(table, sizeof table / sizeof table[0], name, value)

static bool look_up(const struct word *table, size_t count, const char *name, uint64_t *value)
{
    for (size_t i = 0; i < count; i++) {
        if (streq(table[i].name, name)) {
            *value = table[i].value;
            return true;
        }
    }
    return false;
}

/* --- actions --- */

/* The number of an errno: from a number's key, or (Podman) a name's. */
static int read_errno(const json_t *object, const char *number_key, const char *name_key,
                      int64_t *value, struct error *err)
{
    const char *name = NULL;
    int rc = json_get_i64(object, number_key, value, err);
    if (rc == 0)
        rc = json_get_string(object, name_key, &name, err);
    if (rc < 0)
        return rc;
    if (name) {
        int64_t found = 0;
        for (int code = 1; code <= 133 && !found; code++)
            if (streq(strerrorname_np(code), name))
                found = code;
        if (!found)
            return error_set(err, -EINVAL, "unknown errno \"%s\" in \"%s\"", name, name_key);
        *value = found;
    }
    if (*value < 0 || *value > 4095)
        return error_set(err, -EINVAL, "\"%s\" must be between 0 and 4095", number_key);
    return 0;
}

static int read_action(const char *name, int64_t errno_value, bool listener, uint32_t *action,
                       struct error *err)
{
    uint64_t value;
    if (!name)
        return error_set(err, -EINVAL, "an action is missing");
    if (!LOOK_UP(actions, name, &value))
        return error_set(err, -EINVAL,
                         "unknown action \"%s\": use SCMP_ACT_ALLOW, SCMP_ACT_ERRNO, "
                         "SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_TRAP, "
                         "SCMP_ACT_LOG or SCMP_ACT_TRACE",
                         name);
    if (value == SECCOMP_RET_USER_NOTIF && !listener)
        return error_set(err, -ENOTSUP,
                         "action SCMP_ACT_NOTIFY is not supported: use SCMP_ACT_ERRNO instead");
    if (value == SECCOMP_RET_ERRNO || value == SECCOMP_RET_TRACE)
        value |= (uint64_t)errno_value & SECCOMP_RET_DATA;
    *action = (uint32_t)value;
    return 0;
}

/* --- includes and excludes --- */

static const char *const docker_arch[SECCOMP_ARCHES] = {"amd64", "x86", "arm64"};

/* Docker's own words ("amd64") and the ones of profiles ("SCMP_ARCH_X86_64"). */
static bool same_arch(const char *name, enum seccomp_arch arch)
{
    static const char *const long_names[SECCOMP_ARCHES] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86",
                                                           "SCMP_ARCH_AARCH64"};
    return streq(name, docker_arch[arch]) || streq(name, long_names[arch]);
}

static int read_kernel(const char *text, uint32_t *version, struct error *err)
{
    autostrv parts = {0};
    uint64_t major = 0, minor = 0;
    strv_split(&parts, text, '.');
    if (parts.len < 2 || parse_u64(parts.items[0], UINT16_MAX, &major) < 0 ||
        parse_u64(parts.items[1], UINT16_MAX, &minor) < 0)
        return error_set(err, -EINVAL, "\"minKernel\" must be like 4.8, not \"%s\"", text);
    *version = (uint32_t)(major << 16 | minor);
    return 0;
}

struct filter {
    bool present;
    uint64_t caps;
    bool unknown_cap; /* names one that cannot have been given to the container */
    bool has_arches, arch_matches;
    bool has_kernel, kernel_matches;
};

static int read_filter(const json_t *rule, const char *key, const struct seccomp_target *target,
                       struct filter *out, struct error *err)
{
    json_t *object = NULL;
    int rc = json_get_object(rule, key, &object, err);
    if (rc < 0 || !object)
        return rc;
    autostrv caps = {0}, arches = {0};
    const char *kernel = NULL;
    if ((rc = json_get_strings(object, "caps", &caps, err)) < 0 ||
        (rc = json_get_strings(object, "arches", &arches, err)) < 0 ||
        (rc = json_get_string(object, "minKernel", &kernel, err)) < 0)
        return error_prefix(err, "\"%s\"", key);
    for (size_t i = 0; i < caps.len; i++) {
        uint64_t bit = 0;
        if (streq(caps.items[i], "ALL") || caps_parse(caps.items[i], &bit, NULL) < 0)
            out->unknown_cap = true;
        out->caps |= bit;
    }
    out->has_arches = arches.len > 0;
    for (size_t i = 0; i < arches.len; i++)
        out->arch_matches |= same_arch(arches.items[i], target->native);
    uint32_t version = 0;
    if (kernel && (rc = read_kernel(kernel, &version, err)) < 0)
        return rc;
    out->has_kernel = kernel != NULL;
    out->kernel_matches = kernel && target->kernel >= version;
    out->present = true;
    return 0;
}

/* Whether a rule is there for this container at all: every include holds, no exclude does. */
static int rule_applies(const json_t *rule, const struct seccomp_target *target, bool *applies,
                        uint64_t *relevant, struct error *err)
{
    struct filter in = {0}, ex = {0};
    int rc = read_filter(rule, "includes", target, &in, err);
    if (rc == 0)
        rc = read_filter(rule, "excludes", target, &ex, err);
    if (rc < 0)
        return rc;
    bool included = !in.unknown_cap && (in.caps & ~target->capabilities) == 0 &&
                    (!in.has_arches || in.arch_matches) && (!in.has_kernel || in.kernel_matches);
    bool excluded = (ex.caps & target->capabilities) != 0 || (ex.has_arches && ex.arch_matches) ||
                    (ex.has_kernel && ex.kernel_matches);
    *applies = included && !excluded;
    *relevant |= in.caps | ex.caps;
    return 0;
}

/* --- rules --- */

static int read_condition(const json_t *object, struct seccomp_condition *out, struct error *err)
{
    int64_t index = -1, value = 0, value_two = 0;
    const char *name = NULL;
    uint64_t op = 0;
    int rc;
    if ((rc = json_get_i64(object, "index", &index, err)) < 0 ||
        (rc = json_get_i64(object, "value", &value, err)) < 0 ||
        (rc = json_get_i64(object, "valueTwo", &value_two, err)) < 0 ||
        (rc = json_get_string(object, "op", &name, err)) < 0)
        return rc;
    if (index < 0 || index > 5)
        return error_set(err, -EINVAL, "\"index\" must be between 0 and 5");
    if (value < 0 || value_two < 0)
        return error_set(err, -EINVAL, "\"value\" and \"valueTwo\" must not be negative");
    if (!name || !LOOK_UP(operators, name, &op))
        return error_set(err, -EINVAL,
                         "unknown operator \"%s\": use SCMP_CMP_NE, SCMP_CMP_LT, SCMP_CMP_LE, "
                         "SCMP_CMP_EQ, SCMP_CMP_GE, SCMP_CMP_GT or SCMP_CMP_MASKED_EQ",
                         name ? name : "");
    *out = (struct seccomp_condition){.value = (uint64_t)value,
                                      .value_two = (uint64_t)value_two,
                                      .argument = (uint8_t)index,
                                      .op = (uint8_t)op};
    return 0;
}

static int add_rule(struct seccomp_profile *profile, const struct seccomp_rule *rule,
                    struct error *err)
{
    if (profile->rule_count == RULES_MAX)
        return error_set(err, -E2BIG, "more than %d rules", RULES_MAX);
    if ((profile->rule_count & (profile->rule_count + 1)) == 0 || !profile->rules)
        profile->rules = xrealloc(profile->rules, 2 * profile->rule_count + 2, sizeof *rule);
    profile->rules[profile->rule_count++] = *rule;
    return 0;
}

static int add_entry(struct seccomp_profile *profile, unsigned call, size_t rule, struct error *err)
{
    if (profile->entry_count == ENTRIES_MAX)
        return error_set(err, -E2BIG, "more than %d system calls in its rules", ENTRIES_MAX);
    if ((profile->entry_count & (profile->entry_count + 1)) == 0 || !profile->entries)
        profile->entries =
            xrealloc(profile->entries, 2 * profile->entry_count + 2, sizeof *profile->entries);
    profile->entries[profile->entry_count++] =
        (struct seccomp_entry){.call = (uint16_t)call, .rule = (uint16_t)rule};
    return 0;
}

/* The conditions of one rule as one or, with two on the same argument, several rules. */
static int add_rules(struct seccomp_profile *profile, const json_t *args, uint32_t action,
                     struct error *err)
{
    struct seccomp_rule rule = {.action = action};
    struct seccomp_condition condition;
    size_t count = json_array_size(args), i;
    const json_t *item;
    unsigned seen = 0;
    bool twice = false;
    if (count > 64)
        return error_set(err, -E2BIG, "more than 64 conditions in one rule");
    json_array_foreach(args, i, item)
    {
        int rc = read_condition(item, &condition, err);
        if (rc < 0)
            return rc;
        twice |= (seen & 1U << condition.argument) != 0;
        seen |= 1U << condition.argument;
    }
    json_array_foreach(args, i, item)
    {
        int rc = read_condition(item, &condition, err);
        if (rc < 0)
            return rc;
        rule.conditions[twice ? 0 : rule.count++] = condition;
        if (twice) {
            rule.count = 1;
            if ((rc = add_rule(profile, &rule, err)) < 0)
                return rc;
        }
    }
    return twice ? 0 : add_rule(profile, &rule, err);
}

static void note_ignored(struct seccomp_profile *profile, const char *name)
{
    if (profile->ignored.len > 4096)
        return;
    if (profile->ignored.len > 0)
        buf_char(&profile->ignored, ' ');
    buf_printable(&profile->ignored, name);
}

static int read_names(const json_t *rule, struct strv *names, struct error *err)
{
    const char *one = NULL;
    int rc = json_get_strings(rule, "names", names, err);
    if (rc == 0)
        rc = json_get_string(rule, "name", &one, err);
    if (rc < 0)
        return rc;
    if (one && names->len > 0)
        return error_set(err, -EINVAL, "\"name\" and \"names\" can not both be there");
    if (one)
        strv_add(names, one);
    if (names->len == 0)
        return error_set(err, -EINVAL, "\"names\" is missing or empty");
    return 0;
}

/* An ERRNO rule without a number means EPERM; the document's default number is only for its default
 * action. */
static int read_rule(const json_t *rule, const struct seccomp_target *target,
                     struct seccomp_profile *profile, struct error *err)
{
    autostrv names = {0};
    json_t *args = NULL;
    const char *action_name = NULL;
    int64_t code = EPERM;
    uint32_t action = 0;
    bool applies = false;
    int rc;
    if ((rc = read_names(rule, &names, err)) < 0 ||
        (rc = json_get_string(rule, "action", &action_name, err)) < 0 ||
        (rc = read_errno(rule, "errnoRet", "errno", &code, err)) < 0 ||
        (rc = read_action(action_name, code, target->listener, &action, err)) < 0 ||
        (rc = json_get_array(rule, "args", &args, err)) < 0 ||
        (rc = rule_applies(rule, target, &applies, &profile->relevant, err)) < 0)
        return rc;
    if (action == SECCOMP_RET_USER_NOTIF) {
        /* The listener goes out by it: it would wait for itself. */
        if (strv_has(&names, "sendmsg"))
            return error_set(err, -ENOTSUP,
                             "action SCMP_ACT_NOTIFY is not supported for sendmsg: the listener is "
                             "handed over with it");
        profile->notifies |= applies;
    }
    size_t first = profile->rule_count;
    if ((rc = add_rules(profile, args, action, err)) < 0)
        return rc;
    if (!applies) {
        profile->rule_count = first;
        return 0;
    }
    for (size_t i = 0; i < names.len; i++) {
        int call = seccomp_call_find(names.items[i]);
        if (call < 0) {
            note_ignored(profile, names.items[i]);
            continue;
        }
        for (size_t r = first; r < profile->rule_count; r++)
            if ((rc = add_entry(profile, (unsigned)call, r, err)) < 0)
                return rc;
    }
    return 0;
}

/* --- the document --- */

/* i386 runs beside x86_64 when the profile lists it: in `architectures`, or in Docker's archMap as
 * a sub-architecture of x86_64. x32 never does, nor 32-bit ARM. */
static int read_arches(const json_t *document, struct seccomp_profile *profile, struct error *err)
{
    autostrv names = {0};
    json_t *map = NULL, *item;
    size_t i;
    int rc = json_get_strings(document, "architectures", &names, err);
    if (rc == 0)
        rc = json_get_array(document, "archMap", &map, err);
    if (rc < 0)
        return rc;
    json_array_foreach(map, i, item)
    {
        const char *name = NULL;
        if ((rc = json_get_string(item, "architecture", &name, err)) < 0)
            return rc;
        if (name && same_arch(name, profile->native) &&
            (rc = json_get_strings(item, "subArchitectures", &names, err)) < 0)
            return rc;
    }
    for (i = 0; i < names.len; i++) {
        if (!starts_with(names.items[i], "SCMP_ARCH_"))
            return error_set(err, -EINVAL, "unknown architecture \"%s\"", names.items[i]);
        if (profile->native == SECCOMP_X86_64 && same_arch(names.items[i], SECCOMP_I386))
            profile->compat = true;
    }
    return 0;
}

static int read_flags(const json_t *document, unsigned *out, struct error *err)
{
    autostrv names = {0};
    int rc = json_get_strings(document, "flags", &names, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < names.len; i++) {
        uint64_t value;
        if (!LOOK_UP(flags, names.items[i], &value))
            return error_set(err, -EINVAL, "unknown flag \"%s\"", names.items[i]);
        *out |= (unsigned)value;
    }
    return 0;
}

static int read_document(const json_t *document, const struct seccomp_target *target,
                         struct seccomp_profile *profile, struct error *err)
{
    const char *action = NULL;
    json_t *syscalls = NULL, *rule;
    int64_t code = EPERM;
    size_t i;
    int rc;
    if ((rc = json_get_string(document, "defaultAction", &action, err)) < 0)
        return rc;
    if (!action)
        return error_set(err, -EINVAL, "\"defaultAction\" is missing");
    if ((rc = read_errno(document, "defaultErrnoRet", "defaultErrno", &code, err)) < 0 ||
        (rc = read_action(action, code, false, &profile->default_action, err)) < 0)
        return error_prefix(err, "\"defaultAction\"");
    if ((rc = read_arches(document, profile, err)) < 0 ||
        (rc = read_flags(document, &profile->flags, err)) < 0 ||
        (rc = json_get_array(document, "syscalls", &syscalls, err)) < 0)
        return rc;
    json_array_foreach(syscalls, i, rule)
    {
        rc = read_rule(rule, target, profile, err);
        if (rc < 0)
            return error_prefix(err, "rule %zu of \"syscalls\"", i + 1);
    }
    return 0;
}

int seccomp_profile_parse(const char *text, size_t length, const char *name,
                          const struct seccomp_target *target, struct seccomp_profile *out,
                          struct error *err)
{
    autojson document = json_parse(text, length, name, err);
    if (!document)
        return -EINVAL;
    struct seccomp_profile profile = {.native = target->native};
    int rc = read_document(document, target, &profile, err);
    if (rc < 0) {
        seccomp_profile_free(&profile);
        error_prefix(err, "seccomp profile %s", name);
        return rc;
    }
    if (!profile.notifies)
        profile.flags &= ~WAIT_KILLABLE_RECV;
    *out = profile;
    return 0;
}

void seccomp_profile_free(struct seccomp_profile *profile)
{
    free(profile->rules);
    free(profile->entries);
    buf_free(&profile->ignored);
    *profile = (struct seccomp_profile){0};
}
