/* SPDX-License-Identifier: Apache-2.0 */
#include "container/summary.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/disk.h"
#include "container/health.h"
#include "container/ports.h"
#include "runtime/caps.h"

#define SUMMARY_NAME "summary"
#define SUMMARY_MAX (4u << 20)

/* --- the level in a few words --- */

/* Short words for protections that are relaxed; others are named "-NAME". */
static const struct {
    const char *name, *word;
} relaxed_words[] = {
    {"root-filesystem", "-readonly"}, {"user", "+root"},          {"devices", "+devices"},
    {"network", "+network"},          {"system-paths", "+paths"},
};

static void add_capabilities(const struct plan *plan, struct buf *out)
{
    uint64_t usual = streq(plan->posture.level, "baseline") ? CAPS_PODMAN_DEFAULT : CAPS_NONE;
    autostrv names = {0};
    if (plan->granted == caps_all()) {
        buf_str(out, " +ALL");
        return;
    }
    caps_names(plan->granted & ~usual, &names);
    for (size_t i = 0; i < names.len; i++)
        buf_fmt(out, " +%s", names.items[i] + strlen("CAP_"));
}

void level_text(const struct plan *plan, struct buf *out)
{
    buf_str(out, plan->posture.level ? plan->posture.level : "");
    for (size_t i = 0; i < plan->posture.count; i++) {
        const struct protection *item = &plan->posture.items[i];
        if (!item->relaxed)
            continue;
        if (streq(item->name, "capabilities")) {
            add_capabilities(plan, out);
            continue;
        }
        const char *word = NULL;
        for (size_t w = 0; w < sizeof relaxed_words / sizeof *relaxed_words; w++)
            if (streq(relaxed_words[w].name, item->name))
                word = relaxed_words[w].word;
        buf_fmt(out, " %s%s", word ? "" : "-", word ? word : item->name);
    }
}

/* --- lines "key=value", newlines and backslashes written as \n and \\ --- */

static void add_line(struct buf *out, const char *key, const char *value)
{
    buf_fmt(out, "%s=", key);
    for (; value && *value; value++) {
        if (*value == '\n')
            buf_str(out, "\\n");
        else if (*value == '\\')
            buf_str(out, "\\\\");
        else
            buf_char(out, *value);
    }
    buf_char(out, '\n');
}

/* The value, unescaped in place. */
static void unescape(char *value)
{
    char *to = value;
    for (const char *from = value; *from; from++) {
        if (*from == '\\' && from[1])
            *to++ = *++from == 'n' ? '\n' : *from;
        else
            *to++ = *from;
    }
    *to = '\0';
}

static int read_bool(const char *value, bool *out)
{
    uint64_t number;
    if (parse_u64(value, 1, &number) < 0)
        return -EBADMSG;
    *out = number;
    return 0;
}

static int read_line(struct container_summary *s, const char *key, char *value)
{
    const struct {
        const char *key;
        char **field;
    } texts[] = {{"name", &s->name},       {"image", &s->image}, {"image_id", &s->image_id},
                 {"command", &s->command}, {"level", &s->level}, {"network", &s->network}};
    const struct {
        const char *key;
        struct strv *list;
    } lists[] = {{"label", &s->labels},
                 {"mount", &s->mounts},
                 {"target", &s->targets},
                 {"port", &s->exposed}};
    unescape(value);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        if (streq(lists[i].key, key)) {
            strv_add(lists[i].list, value);
            return 0;
        }
    }
    if (streq(key, "created"))
        return parse_i64(value, INT64_MIN, INT64_MAX, &s->created);
    if (streq(key, "passing"))
        return read_bool(value, &s->passing);
    if (streq(key, "checked")) {
        s->whole = true;
        return read_bool(value, &s->checked);
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (streq(texts[i].key, key)) {
            free(*texts[i].field);
            *texts[i].field = xstrdup(value);
        }
    }
    return 0;
}

static int read_lines(char *text, struct container_summary *out)
{
    while (*text) {
        char *end = strchr(text, '\n');
        char *value = strchr(text, '=');
        if (!end || !value || value > end)
            return -EBADMSG;
        *end = '\0';
        *value++ = '\0';
        if (read_line(out, text, value) < 0)
            return -EBADMSG;
        text = end + 1;
    }
    return out->whole && out->name && out->image && out->image_id && out->command && out->level &&
                   out->network
               ? 0
               : -EBADMSG;
}

static int summary_read(int dir, const char *path, struct container_summary *out)
{
    char text[4096];
    autobuf large = {0};
    struct container_summary summary = {0};
    int rc = (int)read_small_at(dir, path, text, sizeof text);
    if (rc >= 0) {
        rc = read_lines(text, &summary);
    } else if (rc != -ENOENT) {
        rc = read_file_at(dir, path, SUMMARY_MAX, &large, NULL);
        rc = rc < 0 ? rc : read_lines(large.data, &summary);
    }
    if (rc < 0) {
        summary_free(&summary);
        return rc;
    }
    *out = summary;
    return 0;
}

void summary_of_plan(const struct plan *plan, struct container_summary *out)
{
    autobuf command = {0}, level = {0}, on = {0};
    struct container_summary summary = {0};
    static const char *const networks[] = {[PLAN_NET_NONE] = "none",
                                           [PLAN_NET_HOST] = "host",
                                           [PLAN_NET_CONTAINER] = "container",
                                           [PLAN_NET_BRIDGE] = "bridge"};
    strv_join(&plan->args, " ", &command);
    level_text(plan, &level);
    if (!plan->created || parse_rfc3339(plan->created, &summary.created) < 0)
        summary.created = 0;
    summary.step = plan->step;
    summary.passing = plan->remove;
    summary.checked = health_wanted(plan);
    summary.whole = true;
    summary.name = xstrdup(plan->name ? plan->name : "");
    summary.image = xstrdup(plan->image_name ? plan->image_name : "");
    summary.image_id = xstrdup(plan->image_id ? plan->image_id : "");
    summary.command = xstrdup(buf_text(&command));
    summary.level = xstrdup(buf_text(&level));
    for (size_t i = 0; i < plan->endpoint_count; i++)
        buf_fmt(&on, "%s%s", i ? "," : "", plan->endpoints[i].network);
    summary.network = plan->endpoint_count ? buf_take(&on) : xstrdup(networks[plan->network]);
    strv_copy(&summary.labels, &plan->labels);
    strv_copy(&summary.exposed, &plan->exposed);
    for (size_t i = 0; i < plan->mount_count; i++) {
        const struct plan_mount *m = &plan->mounts[i];
        if (m->kind != PLAN_VOLUME && m->kind != PLAN_BIND)
            continue;
        strv_add(&summary.mounts, m->source);
        strv_add(&summary.targets, m->target);
    }
    *out = summary;
}

void summary_free(struct container_summary *s)
{
    free(s->name);
    free(s->image);
    free(s->image_id);
    free(s->command);
    free(s->level);
    free(s->network);
    strv_free(&s->labels);
    strv_free(&s->exposed);
    strv_free(&s->mounts);
    strv_free(&s->targets);
    *s = (struct container_summary){0};
}

int summary_write(int home, const struct plan *plan, struct error *err)
{
    struct container_summary summary;
    autobuf text = {0};
    if (plan->remove && !plan->detached)
        return 0;
    summary_of_plan(plan, &summary);
    add_line(&text, "name", summary.name);
    add_line(&text, "image", summary.image);
    add_line(&text, "image_id", summary.image_id);
    add_line(&text, "command", summary.command);
    add_line(&text, "level", summary.level);
    add_line(&text, "network", summary.network);
    buf_fmt(&text, "created=%lld\n", (long long)summary.created);
    buf_fmt(&text, "passing=%d\nchecked=%d\n", summary.passing, summary.checked);
    for (size_t i = 0; i < summary.labels.len; i++)
        add_line(&text, "label", summary.labels.items[i]);
    for (size_t i = 0; i < summary.exposed.len; i++)
        add_line(&text, "port", summary.exposed.items[i]);
    for (size_t i = 0; i < summary.mounts.len; i++) {
        add_line(&text, "mount", summary.mounts.items[i]);
        add_line(&text, "target", summary.targets.items[i]);
    }
    summary_free(&summary);
    return write_file_at(home, SUMMARY_NAME, buf_text(&text), text.len, 0600, VOLATILE, err);
}

int summary_find(struct containers *all, const char *id, struct container_summary *out,
                 bool *in_state)
{
    const int tops[] = {all->root_fd, all->state_fd};
    char summary[CONTAINER_ID_MAX + sizeof SUMMARY_NAME];
    char config[CONTAINER_ID_MAX + sizeof CONFIG_NAME];
    int rc = -ENOENT;
    snprintf(summary, sizeof summary, "%s/" SUMMARY_NAME, id);
    snprintf(config, sizeof config, "%s/" CONFIG_NAME, id);
    for (size_t i = 0; rc == -ENOENT && i < 2; i++) {
        *in_state = tops[i] == all->state_fd;
        rc = summary_read(tops[i], summary, out);
        if (rc == 0 && faccessat(tops[i], config, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
            summary_free(out);
            rc = -ENOENT;
        }
    }
    return rc;
}

int container_summary(struct containers *all, const char *id, struct container_summary *out,
                      struct error *err)
{
    bool in_state;
    if (id_valid(id) && summary_find(all, id, out, &in_state) == 0)
        return 0;
    autocontainer c = CONTAINER_EMPTY;
    int rc = container_open(all, id, &c, err);
    if (rc == 0)
        summary_of_plan(&c.plan, out);
    return rc;
}

/* --- what it has written --- */

#define DEPTH_MAX 256

static int add_sizes(int dir, unsigned depth, uint64_t *bytes)
{
    int copy = depth < DEPTH_MAX ? openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    autodir d = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *entry;
    if (!d)
        return -errno;
    while ((errno = 0, entry = readdir(d))) {
        struct stat st;
        if (streq(entry->d_name, ".") || streq(entry->d_name, "..") ||
            fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (S_ISREG(st.st_mode))
            *bytes += (uint64_t)st.st_size;
        if (!S_ISDIR(st.st_mode))
            continue;
        autofd below =
            openat(dirfd(d), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below >= 0)
            (void)add_sizes(below, depth + 1, bytes);
    }
    return -errno;
}

int tree_size(int dir, uint64_t *bytes)
{
    return add_sizes(dir, 0, bytes);
}

int container_written(struct containers *all, const char *id, uint64_t *bytes, struct error *err)
{
    autofree char *path = xasprintf("%s/upper/fs", id);
    uint64_t sum = 0;
    autofd fd = openat(all->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        return error_errno(err, "cannot look at what container %.12s has written", id);
    int rc = fd < 0 ? 0 : tree_size(fd, &sum);
    if (rc < 0)
        return error_set(err, rc, "cannot look at what container %.12s has written: %s", id,
                         error_describe(rc));
    *bytes = sum;
    return 0;
}
