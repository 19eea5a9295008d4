/* SPDX-License-Identifier: Apache-2.0 */
/* Who uses volumes, and removing them. */
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/disk.h"
#include "container/events.h"
#include "container/summary.h"
#include "container/volumes.h"

int volume_uses(struct containers *all, struct strv *uses, struct error *err)
{
    autostrv ids = {0};
    int rc = container_list(all, &ids, err);
    for (size_t i = 0; rc == 0 && i < ids.len; i++) {
        struct container_summary summary = {0};
        struct error why = {0};
        rc = container_summary(all, ids.items[i], &summary, &why);
        if (rc == -ENOENT) { /* removed meanwhile, or not yet there */
            rc = 0;
            continue;
        }
        if (rc < 0)
            return error_set(err, rc, "%s", why.text);
        for (size_t m = 0; m < summary.mounts.len; m++) {
            if (!volume_name_valid(summary.mounts.items[m]))
                continue; /* a bind */
            strv_add(uses, summary.mounts.items[m]);
            strv_add(uses, summary.name);
        }
        summary_free(&summary);
    }
    return rc;
}

size_t volume_use_count(const struct strv *uses, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i + 1 < uses->len; i += 2)
        count += streq(uses->items[i], name);
    return count;
}

static int refuse_if_used(struct containers *all, const char *name, struct error *err)
{
    autostrv uses = {0}, seen = {0};
    autobuf list = {0};
    int rc = volume_uses(all, &uses, err);
    if (rc < 0)
        return error_prefix(err, "cannot tell who uses volume %s", name);
    for (size_t i = 0; i + 1 < uses.len; i += 2) {
        if (!streq(uses.items[i], name) || strv_has(&seen, uses.items[i + 1]))
            continue;
        buf_fmt(&list, "%s%s", seen.len ? ", " : "", uses.items[i + 1]);
        strv_add(&seen, uses.items[i + 1]);
    }
    if (seen.len == 0)
        return 0;
    return error_set(err, -EBUSY,
                     "volume %s is used by container%s %.600s: remove %s first (caisson rm %s)",
                     name, seen.len > 1 ? "s" : "", buf_text(&list), seen.len > 1 ? "them" : "it",
                     seen.items[0]);
}

/* Off its name in one step; the rest is rubbish that a sweep would find. */
static int take_away(int top, const char *name, struct error *err)
{
    uint64_t random;
    char grave[32];
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return error_errno(err, "cannot get random bytes");
    snprintf(grave, sizeof grave, "%s%016llx", VOLUME_GONE, (unsigned long long)random);
    if (renameat(top, name, top, grave) < 0)
        return error_errno(err, "cannot remove volume %s", name);
    return remove_tree_at(top, grave, err);
}

int volume_remove(struct containers *all, const char *name, uint64_t *bytes, struct error *err)
{
    uint64_t size = 0;
    autofd home = volume_lock(all, name, LOCK_EX | LOCK_NB, err);
    autofd top = home < 0 ? home : volumes_directory(all, false, err);
    if (top < 0)
        return top;
    int rc = refuse_if_used(all, name, err);
    autofd data = rc < 0 || !bytes ? -1 : open_directory_at(home, VOLUME_DATA, NULL);
    if (data >= 0)
        (void)tree_size(data, &size);
    if (rc == 0)
        rc = take_away(top, name, err);
    if (rc < 0)
        return rc;
    event_tell_volume(all, name, "destroy");
    volumes_sweep(top);
    if (bytes)
        *bytes = size;
    return 0;
}
