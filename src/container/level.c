/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three levels and the flags that change one protection each. The levels are a table of what
 * holds at each; a flag replaces one cell, and when the replacement is weaker the protection is
 * marked as relaxed, so that `ps` and `inspect` show it.
 */
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/plan_make.h"
#include "path/inroot.h"
#include "runtime/label.h"
#include "runtime/landlock.h"

static const char *const level_names[] = {"restricted", "baseline", "privileged"};

/* Kernel interfaces that tell about or act on the host; the union of what every engine covers. */
static const char *const masked[] = {
    "/proc/acpi",       "/proc/asound",        "/proc/interrupts",  "/proc/kcore",
    "/proc/keys",       "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
    "/proc/timer_list", "/proc/timer_stats",   "/sys/firmware",     "/sys/devices/virtual/powercap",
    "/sys/fs/selinux",  "/proc/sysrq-trigger", "/proc/kallsyms",
};
static const char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"};

static int choose_level(struct planning *p, struct error *err)
{
    const struct request *r = p->request;
    p->level = r->privileged ? LEVEL_PRIVILEGED : LEVEL_RESTRICTED;
    for (unsigned i = 0; r->level && i < 3; i++) {
        if (!streq(r->level, level_names[i]))
            continue;
        if (r->privileged && i != LEVEL_PRIVILEGED)
            return error_set(err, -EINVAL, "--privileged contradicts --level %s", r->level);
        p->level = (enum level)i;
        p->plan->posture.level = xstrdup(level_names[i]);
        return 0;
    }
    if (r->level)
        return error_set(err, -EINVAL,
                         "unknown level \"%s\"; levels are restricted, baseline, privileged",
                         r->level);
    p->plan->posture.level = xstrdup(level_names[p->level]);
    return 0;
}

/* --- --security-opt ----------------------------------------------------------------------------
 */

static int security_bool(const char *option, const char *value, int *out, struct error *err)
{
    if (!value || streq(value, "true") || streq(value, "on"))
        *out = 1;
    else if (streq(value, "false") || streq(value, "off"))
        *out = 0;
    else
        return error_set(err, -EINVAL, "--security-opt %s=%s: give true or false", option, value);
    return 0;
}

static void split_paths(struct strv *out, const char *value)
{
    strv_split(out, value, ':');
}

static int one_security_option(struct planning *p, const char *option, struct error *err)
{
    static const char *const known[] = {"no-new-privileges", "seccomp", "apparmor", "label",
                                        "systempaths",       "mask",    "unmask",   "landlock"};
    const char *separator = strpbrk(option, "=:");
    autofree char *key =
        xstrndup(option, separator ? (size_t)(separator - option) : strlen(option));
    const char *value = separator ? separator + 1 : NULL;
    if (streq(key, "no-new-privileges"))
        return security_bool(key, value, &p->no_new_privs, err);
    if (streq(key, "landlock"))
        return security_bool(key, value, &p->landlock, err);
    if (value && *value) {
        if (streq(key, "seccomp"))
            p->seccomp = value;
        else if (streq(key, "apparmor"))
            p->apparmor = value;
        else if (streq(key, "label"))
            strv_add(&p->label_options, value);
        else if (streq(key, "mask"))
            split_paths(&p->mask, value);
        else if (streq(key, "unmask"))
            split_paths(&p->unmask, value);
        else if (streq(key, "systempaths") && streq(value, "unconfined"))
            p->system_paths_open = true;
        else
            goto unknown;
        return 0;
    }
unknown:;
    const char *near = nearest_word(key, known, sizeof known / sizeof *known);
    return error_set(err, -EINVAL, "unknown --security-opt \"%s\"%s%s%s", option,
                     near && !streq(near, key) ? "; did you mean " : "; see caisson run --help",
                     near && !streq(near, key) ? near : "", near && !streq(near, key) ? "?" : "");
}

/* --- one protection each -----------------------------------------------------------------------
 */

struct protection *planning_put(struct planning *p, const char *name, const char *asked,
                                const char *flag, bool relaxed)
{
    struct protection *item = posture_add(&p->plan->posture, name, asked, flag);
    item->relaxed = relaxed;
    return item;
}

static void why(struct protection *item, const char *in_force, const char *reason)
{
    free(item->in_force);
    item->in_force = xstrdup(in_force);
    free(item->why);
    item->why = xstrdup(reason);
}

static int root_file_system(struct planning *p)
{
    bool level_ro = p->level == LEVEL_RESTRICTED;
    p->plan->root_read_only = p->request->read_only >= 0 ? p->request->read_only : level_ro;
    planning_put(p, "root-filesystem", p->plan->root_read_only ? "read-only" : "writable",
                 "--read-only=false", level_ro && !p->plan->root_read_only);
    return 0;
}

/* Without a user namespace of its own a container cannot have what we have not. */
static uint64_t ours(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    if (syscall(SYS_capget, &header, data) < 0)
        return 0;
    return data[0].permitted | (uint64_t)data[1].permitted << 32;
}

static int refuse_missing(uint64_t missing, struct error *err)
{
    autostrv names = {0};
    caps_names(missing, &names);
    return error_set(err, -EPERM,
                     "--cap-add %s: caisson itself does not have it, and --userns host leaves no "
                     "other way",
                     names.items[0]);
}

static int capabilities(struct planning *p, struct error *err)
{
    const struct request *r = p->request;
    uint64_t base = p->level == LEVEL_RESTRICTED ? CAPS_NONE
                    : p->level == LEVEL_BASELINE ? CAPS_PODMAN_DEFAULT
                                                 : caps_all();
    uint64_t add = 0, drop = 0, set;
    bool add_all = false, drop_all = false;
    for (size_t i = 0; i < r->cap_add.len; i++) {
        int rc = caps_parse(r->cap_add.items[i], &set, err);
        if (rc < 0)
            return error_prefix(err, "--cap-add");
        add_all |= set == caps_all();
        add |= set;
    }
    for (size_t i = 0; i < r->cap_drop.len; i++) {
        int rc = caps_parse(r->cap_drop.items[i], &set, err);
        if (rc < 0)
            return error_prefix(err, "--cap-drop");
        drop_all |= set == caps_all();
        drop |= set;
    }
    /* As Docker: ALL on one side is the starting point for the other. */
    uint64_t granted = drop_all ? add : add_all ? caps_all() & ~drop : (base | add) & ~drop;
    p->plan->granted = granted & caps_all();
    if (p->host_users) {
        uint64_t missing = add & p->plan->granted & ~ours();
        if (missing && !add_all)
            return refuse_missing(missing, err);
        p->plan->granted &= ours();
    }
    autostrv names = {0};
    caps_names(p->plan->granted, &names);
    autobuf text = {0};
    if (p->plan->granted == 0)
        buf_str(&text, "none");
    else if (p->plan->granted == caps_all() || (p->host_users && p->plan->granted == ours()))
        buf_str(&text, "all");
    else
        for (size_t i = 0; i < names.len; i++)
            buf_fmt(&text, "%s%s", i ? " " : "", names.items[i] + strlen("CAP_"));
    planning_put(p, "capabilities", buf_text(&text), "--cap-add NAME",
                 (p->plan->granted & ~base) != 0);
    return 0;
}

static int no_new_privileges(struct planning *p)
{
    bool level_on = p->level != LEVEL_PRIVILEGED;
    p->plan->no_new_privs = p->no_new_privs >= 0 ? p->no_new_privs : level_on;
    planning_put(p, "no-new-privileges", p->plan->no_new_privs ? "on" : "off",
                 "--security-opt no-new-privileges=false", level_on && !p->plan->no_new_privs);
    return 0;
}

static int seccomp_profile(struct planning *p, struct error *err)
{
    static const char *const words[] = {"off", "restricted", "baseline"};
    enum plan_seccomp level = p->level == LEVEL_RESTRICTED ? PLAN_SECCOMP_RESTRICTED
                              : p->level == LEVEL_BASELINE ? PLAN_SECCOMP_BASELINE
                                                           : PLAN_SECCOMP_OFF;
    enum plan_seccomp chosen = level;
    const char *asked = p->seccomp;
    if (asked && (streq(asked, "unconfined") || streq(asked, "off"))) {
        chosen = PLAN_SECCOMP_OFF;
    } else if (asked && streq(asked, "restricted")) {
        chosen = PLAN_SECCOMP_RESTRICTED;
    } else if (asked && (streq(asked, "baseline") || streq(asked, "builtin"))) {
        chosen = PLAN_SECCOMP_BASELINE;
    } else if (asked) {
        chosen = PLAN_SECCOMP_FILE;
        p->plan->seccomp_file = realpath(asked, NULL);
        if (!p->plan->seccomp_file)
            return error_errno(err, "--security-opt seccomp=%s: cannot open the profile", asked);
    }
    p->plan->seccomp = chosen;
    bool weaker = chosen == PLAN_SECCOMP_FILE || (chosen == PLAN_SECCOMP_OFF && level != chosen) ||
                  (chosen == PLAN_SECCOMP_BASELINE && level == PLAN_SECCOMP_RESTRICTED);
    planning_put(p, "seccomp", chosen == PLAN_SECCOMP_FILE ? p->plan->seccomp_file : words[chosen],
                 "--security-opt seccomp=unconfined", weaker);
    return 0;
}

static int landlock_fence(struct planning *p)
{
    bool level_on = p->level != LEVEL_PRIVILEGED;
    bool wanted = p->landlock >= 0 ? p->landlock : level_on;
    struct protection *item = planning_put(p, "landlock", wanted ? "on" : "off",
                                           "--security-opt landlock=off", level_on && !wanted);
    if (!wanted)
        return 0;
    int abi = landlock_abi();
    if (abi < LANDLOCK_ABI_NEEDED)
        why(item, "off", "this kernel has no Landlock, or too old a one (Linux 5.19 is needed)");
    else if (p->plan->granted & (UINT64_C(1) << 21)) /* CAP_SYS_ADMIN: to mount, which it forbids */
        why(item, "off",
            "the container was given CAP_SYS_ADMIN and Landlock would forbid it to mount");
    else if (!p->plan->no_new_privs && p->plan->granted)
        why(item, "off", "no_new_privs is off");
    else
        p->plan->landlock = true;
    return 0;
}

static int check_paths(const struct strv *paths, const char *what, struct error *err)
{
    char clean[INROOT_PATH_MAX];
    for (size_t i = 0; i < paths->len; i++) {
        if (streq(paths->items[i], "ALL"))
            continue;
        int rc = inroot_clean(paths->items[i], what, clean, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int system_paths(struct planning *p, struct error *err)
{
    bool level_open = p->level == LEVEL_PRIVILEGED;
    bool open = level_open || p->system_paths_open || strv_has(&p->unmask, "ALL");
    int rc = check_paths(&p->mask, "--security-opt mask", err);
    if (rc == 0)
        rc = check_paths(&p->unmask, "--security-opt unmask", err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; !open && i < sizeof masked / sizeof *masked; i++)
        if (!strv_has(&p->unmask, masked[i]))
            strv_add(&p->plan->masked, masked[i]);
    for (size_t i = 0; !open && i < sizeof read_only / sizeof *read_only; i++)
        if (!strv_has(&p->unmask, read_only[i]))
            strv_add(&p->plan->read_only_paths, read_only[i]);
    strv_copy(&p->plan->masked, &p->mask);
    planning_put(p, "system-paths",
                 open            ? "open"
                 : p->unmask.len ? "masked, but for some"
                                 : "masked",
                 "--security-opt systempaths=unconfined", !level_open && (open || p->unmask.len));
    return 0;
}

/* Where the host has AppArmor: our own profile, if its administrator loaded that (we never load
 * one: this is policy of the host's). */
static int apparmor_profile(struct planning *p, struct error *err)
{
    static const char flag[] = "--security-opt apparmor=unconfined";
    bool level_on = p->level != LEVEL_PRIVILEGED;
    const char *asked = p->apparmor;
    bool off = asked ? streq(asked, "unconfined") : !level_on;
    if (asked && !off) {
        int rc = label_prepare(LABEL_APPARMOR, asked, &p->plan->label, err);
        if (rc == 0)
            planning_put(p, "apparmor", asked, flag,
                         level_on && !streq(asked, LABEL_APPARMOR_DEFAULT));
        return rc;
    }
    struct protection *item =
        planning_put(p, "apparmor", off ? "unconfined" : LABEL_APPARMOR_DEFAULT, flag,
                     off && level_on && label_host_has_apparmor());
    if (off)
        return 0;
    if (!label_host_has_apparmor()) {
        why(item, "off", "AppArmor is not enabled on this host");
        return 0;
    }
    if (p->plan->granted & (UINT64_C(1) << CAP_SYS_ADMIN)) {
        why(item, "off",
            "the container was given CAP_SYS_ADMIN and the profile would forbid it to mount");
        return 0;
    }
    int loaded = label_apparmor_loaded(LABEL_APPARMOR_DEFAULT);
    if (loaded == 0)
        return label_prepare(LABEL_APPARMOR, LABEL_APPARMOR_DEFAULT, &p->plan->label, err);
    why(item, "off",
        loaded == -ENOENT ? "the profile is not loaded: apparmor_parser -r "
                            "/etc/apparmor.d/" LABEL_APPARMOR_DEFAULT
                          : "/sys/kernel/security cannot be asked for the profile");
    return 0;
}

static int security_label(struct planning *p, struct error *err)
{
    for (size_t i = 0; i < p->label_options.len; i++) {
        const char *option = p->label_options.items[i];
        if (streq(option, "disable"))
            break;
        if (!starts_with(option, "context:"))
            return error_set(
                err, -EINVAL,
                "--security-opt label=%s: give disable, or context:USER:ROLE:TYPE:LEVEL", option);
        if (p->apparmor && !streq(p->apparmor, "unconfined"))
            return error_set(err, -EINVAL,
                             "--security-opt label= contradicts apparmor=%s: a process has one "
                             "label",
                             p->apparmor);
        planning_put(p, "label", option + strlen("context:"), "--security-opt label=disable",
                     false);
        return label_prepare(LABEL_SELINUX, option + strlen("context:"), &p->plan->label, err);
    }
    return apparmor_profile(p, err);
}

int plan_security(struct planning *p, struct error *err)
{
    int rc = choose_level(p, err);
    for (size_t i = 0; rc == 0 && i < p->request->security_opt.len; i++)
        rc = one_security_option(p, p->request->security_opt.items[i], err);
    if (rc == 0)
        rc = plan_users(p, err);
    if (rc == 0)
        rc = root_file_system(p);
    if (rc == 0)
        rc = capabilities(p, err);
    if (rc == 0)
        rc = no_new_privileges(p);
    if (rc == 0)
        rc = seccomp_profile(p, err);
    if (rc == 0)
        rc = landlock_fence(p);
    if (rc == 0)
        rc = system_paths(p, err);
    if (rc == 0)
        rc = security_label(p, err);
    return rc < 0 ? rc : plan_namespaces(p, err);
}
