/* SPDX-License-Identifier: Apache-2.0 */
/*
 * features of caisson-runtime: what a configuration may ask for. Engines decide by it what they put
 * into one, so it follows from the same tables that read a configuration, and from the host.
 */
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/json.h"
#include "cmd/print.h"
#include "cmd/runtime.h"
#include "cmd/version.h"
#include "runtime/caps.h"
#include "runtime/label.h"
#include "runtime/seccomp.h"

static void strings(struct json_out *w, const char *key, const char *const *list)
{
    json_begin(w, key, '[');
    for (; *list; list++)
        json_str(w, NULL, *list);
    json_end(w, ']');
}

static void enabled(struct json_out *w, const char *key, bool value)
{
    json_begin(w, key, '{');
    json_bool(w, "enabled", value);
    json_end(w, '}');
}

static void write_capabilities(struct json_out *w)
{
    autostrv names = {0};
    caps_names(caps_all(), &names);
    json_strs(w, "capabilities", &names);
}

static void write_cgroup(struct json_out *w)
{
    json_begin(w, "cgroup", '{');
    json_bool(w, "v1", true);
    json_bool(w, "v2", true);
    json_bool(w, "systemd", true);
    json_bool(w, "systemdUser", true);
    json_bool(w, "rdma", true);
    json_end(w, '}');
}

static void write_seccomp(struct json_out *w)
{
    uint32_t action = SECCOMP_RET_KILL_PROCESS;
    json_begin(w, "seccomp", '{');
    json_bool(w, "enabled", syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0);
    strings(w, "actions", seccomp_action_names);
    strings(w, "operators", seccomp_operator_names);
    strings(w, "archs", seccomp_arch_names);
    strings(w, "knownFlags", seccomp_flag_names);
    strings(w, "supportedFlags", seccomp_flag_names);
    json_end(w, '}');
}

static void write_linux(struct json_out *w)
{
    json_begin(w, "linux", '{');
    json_begin(w, "namespaces", '[');
    for (int i = 0; i < BUNDLE_NS_COUNT; i++)
        json_str(w, NULL, bundle_ns_words[i].name);
    json_end(w, ']');
    write_capabilities(w);
    write_cgroup(w);
    write_seccomp(w);
    enabled(w, "apparmor", label_host_has_apparmor());
    enabled(w, "selinux", false); /* processes are labelled, mounts are not */
    enabled(w, "intelRdt", false);
    json_begin(w, "mountExtensions", '{');
    enabled(w, "idmap", true);
    json_end(w, '}');
    json_end(w, '}');
}

int command_runtime_features(const struct invocation *call, void *options, struct error *err)
{
    autobuf out = {0};
    struct json_out w = {.buf = &out, .indent = 2};
    const char *option;
    (void)call, (void)options, (void)err;
    json_begin(&w, NULL, '{');
    json_str(&w, "ociVersionMin", "1.0.0");
    json_str(&w, "ociVersionMax", "1.2.0");
    json_begin(&w, "hooks", '[');
    for (int i = 0; i < HOOK_STAGES; i++)
        json_str(&w, NULL, bundle_stage_names[i]);
    json_end(&w, ']');
    json_begin(&w, "mountOptions", '[');
    for (size_t i = 0; (option = bundle_mount_option(i)); i++)
        json_str(&w, NULL, option);
    json_end(&w, ']');
    write_linux(&w);
    json_begin(&w, "annotations", '{');
    json_str(&w, "caisson.version", caisson_version);
    json_end(&w, '}');
    json_begin(&w, "potentiallyUnsafeConfigAnnotations", '[');
    json_end(&w, ']');
    json_end(&w, '}');
    buf_char(&out, '\n');
    return print(&out);
}
