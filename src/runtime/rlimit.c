/* SPDX-License-Identifier: Apache-2.0 */
/* Resource limits of processes: names, parsing, setting. Owns no state. */
#include "runtime/rlimit.h"

#include <string.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"

/* By resource number. */
static const char *const names[RLIM_NLIMITS] = {
    [RLIMIT_AS] = "as",
    [RLIMIT_CORE] = "core",
    [RLIMIT_CPU] = "cpu",
    [RLIMIT_DATA] = "data",
    [RLIMIT_FSIZE] = "fsize",
    [RLIMIT_LOCKS] = "locks",
    [RLIMIT_MEMLOCK] = "memlock",
    [RLIMIT_MSGQUEUE] = "msgqueue",
    [RLIMIT_NICE] = "nice",
    [RLIMIT_NOFILE] = "nofile",
    [RLIMIT_NPROC] = "nproc",
    [RLIMIT_RSS] = "rss",
    [RLIMIT_RTPRIO] = "rtprio",
    [RLIMIT_RTTIME] = "rttime",
    [RLIMIT_SIGPENDING] = "sigpending",
    [RLIMIT_STACK] = "stack",
};

const char *rlimit_name(int resource)
{
    return resource >= 0 && resource < (int)RLIM_NLIMITS ? names[resource] : NULL;
}

int rlimit_by_name(const char *name)
{
    bool upper = starts_with(name, "RLIMIT_");

    name += upper ? strlen("RLIMIT_") : 0;
    for (int i = 0; i < (int)RLIM_NLIMITS; i++)
        if (names[i] && (upper ? strcasecmp(name, names[i]) : strcmp(name, names[i])) == 0)
            return i;
    return -1;
}

static int parse_value(const char *text, uint64_t *value)
{
    if (streq(text, "-1") || streq(text, "unlimited")) {
        *value = RLIM_INFINITY;
        return 0;
    }
    return parse_u64(text, RLIM_INFINITY - 1, value);
}

static int unknown_name(const char *name, struct error *err)
{
    autobuf shown = {0};
    const char *near = nearest_word(name, names, RLIM_NLIMITS);

    buf_printable(&shown, name);
    if (near)
        return error_set(err, -EINVAL, "--ulimit: there is no limit '%s'; did you mean '%s'?",
                         buf_text(&shown), near);
    return error_set(err, -EINVAL,
                     "--ulimit: there is no limit '%s'; there are as, core, cpu, data, fsize, "
                     "locks, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, rttime, "
                     "sigpending and stack",
                     buf_text(&shown));
}

int rlimit_parse(const char *text, struct rlimit_spec *out, struct error *err)
{
    const char *equals = strchr(text, '=');
    struct rlimit_spec spec;

    if (!equals || equals == text || !equals[1])
        return error_set(err, -EINVAL,
                         "--ulimit is written NAME=SOFT[:HARD], for example nofile=1024:2048");
    autofree char *name = xstrndup(text, (size_t)(equals - text));
    autofree char *soft = xstrdup(equals + 1);
    char *hard = strchr(soft, ':');
    if (hard)
        *hard++ = '\0';
    spec.resource = starts_with(name, "RLIMIT_") ? -1 : rlimit_by_name(name);
    if (spec.resource < 0)
        return unknown_name(name, err);
    if (parse_value(soft, &spec.soft) < 0 || parse_value(hard ? hard : soft, &spec.hard) < 0)
        return error_set(err, -EINVAL,
                         "--ulimit %s: a limit is a number, -1 or 'unlimited', for example "
                         "%s=1024:2048",
                         name, name);
    if (spec.soft > spec.hard)
        return error_set(err, -EINVAL,
                         "--ulimit %s: the soft limit (%s) is above the hard limit (%s)", name,
                         soft, hard);
    *out = spec;
    return 0;
}

int rlimit_apply(const struct rlimit_spec *limits, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct rlimit value = {.rlim_cur = limits[i].soft, .rlim_max = limits[i].hard};
        const char *name = rlimit_name(limits[i].resource);
        if (setrlimit((__rlimit_resource_t)limits[i].resource, &value) == 0)
            continue;
        if (errno == EPERM)
            return error_set(err, -EPERM,
                             "--ulimit %s: it cannot be raised above what caisson itself has "
                             "without CAP_SYS_RESOURCE; ask for less",
                             name ? name : "?");
        return error_errno(err, "--ulimit %s", name ? name : "?");
    }
    return 0;
}
