/* SPDX-License-Identifier: Apache-2.0 */
/* spec of caisson-runtime: a config.json to begin with, strict where it costs nothing. */
#include <fcntl.h>

#include "base/io.h"
#include "base/json.h"
#include "cmd/runtime.h"

/* Pieces that no option changes, as JSON. */
#define MOUNTS                                                                                     \
    "[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\","                           \
    "\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},"                                              \
    "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","                           \
    "\"options\":[\"nosuid\",\"noexec\",\"strictatime\",\"mode=755\",\"size=65536k\"]},"           \
    "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\","                     \
    "\"options\":[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\"%s]},"      \
    "{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\","                         \
    "\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"mode=1777\",\"size=65536k\"]},"                \
    "{\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\","                  \
    "\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},"                                              \
    "{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\","                           \
    "\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"ro\"]},"                                       \
    "{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\","               \
    "\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"relatime\",\"ro\"]}]"

static const char *const masked[] = {
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/selinux",
};
static const char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                        "/proc/sysrq-trigger"};

static void strings(struct json_out *w, const char *key, const char *const *list, size_t count)
{
    json_begin(w, key, '[');
    for (size_t i = 0; i < count; i++)
        json_str(w, NULL, list[i]);
    json_end(w, ']');
}

static void process(struct json_out *w)
{
    static const char *const args[] = {"sh"};
    static const char *const env[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"};
    json_begin(w, "process", '{');
    json_bool(w, "terminal", true);
    json_begin(w, "user", '{');
    json_i64(w, "uid", 0);
    json_i64(w, "gid", 0);
    json_end(w, '}');
    strings(w, "args", args, 1);
    strings(w, "env", env, 2);
    json_str(w, "cwd", "/");
    json_begin(w, "capabilities", '{');
    json_end(w, '}');
    json_raw(w, "rlimits", "[{\"type\":\"RLIMIT_NOFILE\",\"hard\":1024,\"soft\":1024}]");
    json_bool(w, "noNewPrivileges", true);
    json_end(w, '}');
}

static void one_map(struct json_out *w, const char *key, unsigned id)
{
    json_begin(w, key, '[');
    json_begin(w, NULL, '{');
    json_i64(w, "containerID", 0);
    json_i64(w, "hostID", id);
    json_i64(w, "size", 1);
    json_end(w, '}');
    json_end(w, ']');
}

static void linux_part(struct json_out *w, bool rootless)
{
    static const char *const types[] = {"pid", "network", "ipc", "uts", "mount", "cgroup", "user"};
    json_begin(w, "linux", '{');
    if (rootless) {
        one_map(w, "uidMappings", geteuid());
        one_map(w, "gidMappings", getegid());
    } else {
        json_raw(w, "resources",
                 "{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}],\"pids\":{\"limit\":512}}");
    }
    json_begin(w, "namespaces", '[');
    for (size_t i = 0; i < sizeof types / sizeof *types - !rootless; i++) {
        json_begin(w, NULL, '{');
        json_str(w, "type", types[i]);
        json_end(w, '}');
    }
    json_end(w, ']');
    strings(w, "maskedPaths", masked, sizeof masked / sizeof *masked);
    strings(w, "readonlyPaths", read_only, sizeof read_only / sizeof *read_only);
    json_end(w, '}');
}

static int write_spec(bool rootless, struct buf *out, struct error *err)
{
    autobuf mounts = {0};
    /* Group 5, tty, is none of an ordinary user's. */
    buf_fmt(&mounts, MOUNTS, rootless ? "" : ",\"gid=5\"");
    autojson tree = json_parse(buf_text(&mounts), mounts.len, "mounts", err);
    if (!tree)
        return -EINVAL;
    struct json_out w = {.buf = out, .indent = 2};
    json_begin(&w, NULL, '{');
    json_str(&w, "ociVersion", "1.2.0");
    process(&w);
    json_begin(&w, "root", '{');
    json_str(&w, "path", "rootfs");
    json_bool(&w, "readonly", true);
    json_end(&w, '}');
    json_str(&w, "hostname", "caisson");
    json_tree(&w, "mounts", tree);
    linux_part(&w, rootless);
    json_end(&w, '}');
    buf_char(out, '\n');
    return 0;
}

int command_runtime_spec(const struct invocation *call, void *options, struct error *err)
{
    const struct runtime_spec_options *o = options;
    autobuf text = {0};
    (void)call;
    autofd dir = open(o->bundle ? o->bundle : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return error_errno(err, "--bundle %s", o->bundle ? o->bundle : ".");
    int rc = write_spec(o->rootless, &text, err);
    if (rc < 0)
        return rc;
    autofd fd = openat(dir, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_errno(err, "config.json: cannot make it");
    rc = write_all(fd, text.data, text.len);
    return rc < 0 ? error_set(err, rc, "config.json: %s", error_describe(rc)) : 0;
}
