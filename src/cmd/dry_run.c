/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/dry_run.h"

#include "base/buf.h"
#include "base/text.h"
#include "cmd/print.h"

static void words(struct buf *out, const char *title, const struct strv *list)
{
    buf_fmt(out, "%-18s", title);
    for (size_t i = 0; i < list->len; i++) {
        buf_char(out, ' ');
        buf_printable(out, list->items[i]);
    }
    buf_char(out, '\n');
}

static void mounts(struct buf *out, const struct plan *plan)
{
    static const char *const names[] = {
        [PLAN_BIND] = "", [PLAN_VOLUME] = "volume ", [PLAN_IMAGE] = "image "};
    for (size_t i = 0; i < plan->mount_count; i++) {
        const struct plan_mount *m = &plan->mounts[i];
        buf_fmt(out, "%-18s ", i == 0 ? "mounts" : "");
        buf_printable(out, m->target);
        if (m->kind == PLAN_TMPFS)
            buf_fmt(out, " tmpfs %s", m->data ? m->data : "");
        else if (m->anonymous)
            buf_str(out, " anonymous volume");
        else
            buf_fmt(out, " from %s", names[m->kind]);
        if (m->kind != PLAN_TMPFS && !m->anonymous)
            buf_printable(out, m->source);
        if (m->subpath) {
            buf_char(out, '/');
            buf_printable(out, m->subpath);
        }
        buf_str(out, m->read_only ? " (read-only)\n" : "\n");
    }
}

int dry_run_print(const struct plan *plan, const char *format)
{
    autobuf out = {0};
    if (format && streq(format, "json")) {
        plan_write(plan, 2, &out);
        buf_char(&out, '\n');
        return print(&out);
    }
    buf_fmt(&out, "%-18s ", "image");
    buf_printable(&out, plan->image_name);
    buf_fmt(&out, " (%.19s, %zu layers)\n", plan->image_id, plan->layers.len);
    words(&out, "command", &plan->args);
    buf_fmt(&out, "%-18s %s\n", "directory", plan->cwd);
    buf_fmt(&out, "%-18s %u:%u\n", "ids", plan->uid, plan->gid);
    mounts(&out, plan);
    buf_fmt(&out, "%-18s %s\n", "level", plan->posture.level);
    for (size_t i = 0; i < plan->posture.count; i++) {
        const struct protection *p = &plan->posture.items[i];
        buf_fmt(&out, "  %-18s ", p->name);
        buf_printable(&out, p->in_force ? p->in_force : p->asked);
        if (p->why)
            buf_fmt(&out, " — not %s: %s", p->asked, p->why);
        buf_fmt(&out, "%s  [%s]\n", p->relaxed ? "  (relaxed)" : "", p->flag);
    }
    return print(&out);
}
