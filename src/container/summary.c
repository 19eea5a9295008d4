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
    return out->name && out->image && out->image_id && out->command && out->level && out->network
               ? 0
               : -EBADMSG;
}

static int summary_read(int home, struct container_summary *out)
{
    autobuf text = {0};
    struct container_summary summary = {0};
    int rc = read_file_at(home, SUMMARY_NAME, SUMMARY_MAX, &text, NULL);
    if (rc == 0)
        rc = text.len > 0 ? read_lines(text.data, &summary) : -EBADMSG;
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

/* --- a glance --- */

void glance_free(struct glance *glance)
{
    summary_free(&glance->summary);
    free(take_ptr(glance->cgroup));
    free(take_ptr(glance->published));
}

/* Its directories and its state, but not its plan. */
static int open_without_plan(struct container *c, struct error *err)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    c->state = openat(c->all->state_fd, c->id, flags);
    c->in_state = c->state >= 0 && faccessat(c->state, CONFIG_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    c->home = c->in_state ? c->state : openat(c->all->root_fd, c->id, flags);
    if (c->home < 0 ||
        (!c->in_state && faccessat(c->home, CONFIG_NAME, F_OK, AT_SYMLINK_NOFOLLOW) < 0))
        return error_set(err, -ENOENT, "no such container: %s", c->id);
    return state_load(c, err);
}

int container_summary(struct containers *all, const char *id, struct container_summary *out,
                      struct error *err)
{
    const int tops[] = {all->state_fd, all->root_fd};
    for (size_t i = 0; id_valid(id) && i < 2; i++) {
        autofd home = openat(tops[i], id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (home >= 0 && faccessat(home, CONFIG_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
            summary_read(home, out) == 0)
            return 0;
    }
    autocontainer c = CONTAINER_EMPTY;
    int rc = container_open(all, id, &c, err);
    if (rc == 0)
        summary_of_plan(&c.plan, out);
    return rc;
}

static void take_glance(struct container *c, struct glance *out)
{
    memcpy(out->id, c->id, CONTAINER_ID_MAX);
    out->now = c->now;
    out->exit = c->exit;
    out->started = c->status.started;
    out->oom_killed = c->status.oom_killed;
    if (container_runs(c->now)) {
        health_status(c->state, out->health);
        if (container_published(&c->status))
            out->published = take_ptr(c->status.published);
    }
    out->pid = c->status.pid;
    out->cgroup = take_ptr(c->status.cgroup);
}

int container_glance(struct containers *all, const char *id, struct glance *out, struct error *err)
{
    autocontainer c = CONTAINER_EMPTY;
    struct glance glance = {0};
    if (!id_valid(id))
        return error_set(err, -EINVAL, "'%.64s' is not the whole id of a container", id);
    c.all = all;
    memcpy(c.id, id, CONTAINER_ID_MAX);
    int rc = open_without_plan(&c, err);
    if (rc < 0 && rc != -ENOENT)
        return rc;
    bool over = c.now == CONTAINER_DEAD || c.now == CONTAINER_CREATED ||
                (c.now == CONTAINER_EXITED && c.status.pid > 0);
    if (rc == -ENOENT || (over && !c.ending) || summary_read(c.home, &glance.summary) < 0) {
        container_close(&c);
        rc = container_find(all, id, &c, err);
        if (rc < 0)
            return rc;
        summary_of_plan(&c.plan, &glance.summary);
    }
    take_glance(&c, &glance);
    *out = glance;
    return 0;
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
