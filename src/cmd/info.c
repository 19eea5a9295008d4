/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "base/io.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/container_options.h"
#include "cmd/container_words.h"
#include "cmd/print.h"
#include "cmd/template.h"
#include "cmd/version.h"
#include "container/summary.h"
#include "runtime/host.h"
#include "runtime/ids.h"
#include "store/store.h"

struct info {
    struct utsname kernel;
    char *system; /* "Debian GNU/Linux 12 (bookworm)" */
    int processors;
    uint64_t memory;
    size_t states[CONTAINER_DEAD + 1];
    size_t containers, images;
    struct host_ability abilities[HOST_ABILITIES_MAX];
    size_t ability_count;
};

/* PRETTY_NAME of os-release(5), without the quotes. */
static char *system_name(void)
{
    static const char *const files[] = {"/etc/os-release", "/usr/lib/os-release"};
    for (size_t i = 0; i < 2; i++) {
        autobuf text = {0};
        autostrv lines = {0};
        if (read_kernel_file(files[i], 65536, &text, NULL) < 0)
            continue;
        strv_split(&lines, buf_text(&text), '\n');
        for (size_t l = 0; l < lines.len; l++) {
            const char *value = lines.items[l];
            if (!starts_with(value, "PRETTY_NAME="))
                continue;
            value += strlen("PRETTY_NAME=");
            value += *value == '"';
            return xstrndup(value, strcspn(value, "\""));
        }
    }
    return xstrdup("unknown");
}

static int count_containers(struct info *info, int *store, struct error *err)
{
    autocontainers all = {0};
    autostrv ids = {0};
    int rc = containers_here(&all, err);
    if (rc == 0)
        rc = container_list(&all, &ids, err);
    for (size_t i = 0; rc == 0 && i < ids.len; i++) {
        struct glance glance;
        if (container_glance(&all, ids.items[i], &glance, NULL) < 0)
            continue;
        info->states[glance.now]++;
        info->containers++;
        glance_free(&glance);
    }
    if (rc == 0)
        *store = fcntl(all.root_top, F_DUPFD_CLOEXEC, 3);
    return rc;
}

static int count_images(struct info *info, struct error *err)
{
    autostore store = {0};
    struct image_entry *entries = NULL;
    size_t count = 0;
    int rc = store_open(global_options.root, &store, err);
    if (rc == 0)
        rc = store_list(&store, &entries, &count, err);
    if (rc < 0)
        return rc;
    info->images = count;
    image_entries_free(entries, count);
    return 0;
}

static int gather(struct info *info, struct error *err)
{
    struct sysinfo machine;
    autofd store = -1;
    int rc = count_containers(info, &store, err);
    if (rc == 0)
        rc = count_images(info, err);
    if (rc < 0)
        return rc;
    if (uname(&info->kernel) < 0 || sysinfo(&machine) < 0)
        return error_errno(err, "cannot ask the kernel about this machine");
    info->memory = (uint64_t)machine.totalram * machine.mem_unit;
    info->processors = get_nprocs();
    info->system = system_name();
    info->ability_count = host_abilities(store, info->abilities);
    return 0;
}

static void write_json(const struct info *info, struct json_out *w)
{
    json_begin(w, NULL, '{');
    json_str(w, "ServerVersion", caisson_version);
    json_str(w, "Commit", caisson_commit);
    json_str(w, "KernelVersion", info->kernel.release);
    json_str(w, "OperatingSystem", info->system);
    json_str(w, "OSType", "linux");
    json_str(w, "Architecture", info->kernel.machine);
    json_str(w, "Name", info->kernel.nodename);
    json_i64(w, "NCPU", info->processors);
    json_u64(w, "MemTotal", info->memory);
    json_str(w, "Root", global_options.root);
    json_str(w, "State", global_options.state);
    json_bool(w, "Rootless", ids_limited());
    json_u64(w, "Containers", info->containers);
    json_u64(w, "ContainersRunning", info->states[CONTAINER_RUNNING]);
    json_u64(w, "ContainersPaused", info->states[CONTAINER_PAUSED]);
    json_u64(w, "ContainersStopped",
             info->states[CONTAINER_CREATED] + info->states[CONTAINER_EXITED] +
                 info->states[CONTAINER_DEAD]);
    json_u64(w, "Images", info->images);
    json_str(w, "DefaultLevel", "restricted");
    json_begin(w, "Abilities", '[');
    for (size_t i = 0; i < info->ability_count; i++) {
        json_begin(w, NULL, '{');
        json_str(w, "Name", info->abilities[i].name);
        json_bool(w, "Available", info->abilities[i].available);
        json_str(w, "Detail", info->abilities[i].detail);
        json_end(w, '}');
    }
    json_end(w, ']');
    json_end(w, '}');
}

static void write_text(const struct info *info, struct buf *out)
{
    autobuf memory = {0};
    format_binary_size(&memory, info->memory);
    buf_fmt(out, "%-18s%s%s%s\n", "Version", caisson_version, *caisson_commit ? ", commit " : "",
            caisson_commit);
    buf_fmt(out, "%-18s%s, Linux %s, %s\n", "System", info->system, info->kernel.release,
            info->kernel.machine);
    buf_fmt(out, "%-18s%d processors, %s of memory\n", "Machine", info->processors,
            buf_text(&memory));
    buf_fmt(out, "%-18s%s\n", "Root", global_options.root);
    buf_fmt(out, "%-18s%s\n", "State", global_options.state);
    buf_fmt(out, "%-18s%zu: %zu running, %zu paused, %zu not running\n", "Containers",
            info->containers, info->states[CONTAINER_RUNNING], info->states[CONTAINER_PAUSED],
            info->states[CONTAINER_CREATED] + info->states[CONTAINER_EXITED] +
                info->states[CONTAINER_DEAD]);
    buf_fmt(out, "%-18s%zu\n", "Images", info->images);
    buf_str(out, "What this host offers\n");
    for (size_t i = 0; i < info->ability_count; i++)
        buf_fmt(out, "  %-16s%-4s%s\n", info->abilities[i].name,
                info->abilities[i].available ? "yes" : "no", info->abilities[i].detail);
}

static int write_by_format(const struct info *info, const char *format, struct buf *out,
                           struct error *err)
{
    autobuf text = {0};
    struct json_out w = {.buf = &text};
    write_json(info, &w);
    if (streq(format, "json")) {
        buf_add(out, buf_text(&text), text.len);
        buf_char(out, '\n');
        return 0;
    }
    autojson data = json_parse(buf_text(&text), text.len, "the answer", err);
    if (!data)
        return -EINVAL;
    int rc = template_render(format, data, out, err);
    buf_char(out, '\n');
    return rc;
}

int command_info(const struct invocation *call, void *options, struct error *err)
{
    const struct info_options *o = options;
    struct info info = {0};
    autobuf out = {0};
    (void)call;
    int rc = gather(&info, err);
    if (rc == 0 && o->format)
        rc = write_by_format(&info, o->format, &out, err);
    else if (rc == 0)
        write_text(&info, &out);
    free(info.system);
    return rc < 0 ? rc : print(&out);
}
