/* SPDX-License-Identifier: Apache-2.0 */
/* rmi and image prune: names go first, then the image, then by one collection what nothing needs
 * any more. */
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cmd/image_events.h"
#include "cmd/image_info.h"
#include "cmd/image_worker.h"
#include "cmd/print.h"
#include "registry/pull.h"
#include "store/collect.h"
#include "store/names.h"
#include "store/steps.h"

/* What one command works on; the store is locked exclusively. */
struct removal {
    struct store store;
    struct store_users users;
    struct buf said;
    int events;
    const char *untagged, *deleted; /* the words before names and ids */
};

static void removal_free(struct removal *removal)
{
    store_users_free(&removal->users);
    store_close(&removal->store);
    if (removal->events >= 0)
        close(removal->events);
    buf_free(&removal->said);
}

static int removal_begin(struct removal *removal, struct error *err)
{
    int rc = open_store(&removal->store, err);
    if (rc == 0)
        rc = store_lock(&removal->store, LOCK_EX, err);
    if (rc == 0)
        rc = store_users(&removal->store, global_options.state, &removal->users, err);
    if (rc == 0)
        removal->events = image_events_open();
    return rc;
}

static void familiar_name(const char *full_name, struct buf *out)
{
    autoreference ref = {0};
    if (reference_parse(full_name, &ref, NULL) == 0)
        reference_familiar(&ref, out);
    else
        buf_str(out, full_name);
}

static int untag(struct removal *removal, const char *full_name, const char *id, struct error *err)
{
    autobuf familiar = {0};
    int rc = store_untag(&removal->store, full_name, err);
    if (rc < 0)
        return rc;
    image_event(removal->events, "untag", id, full_name);
    familiar_name(full_name, &familiar);
    buf_fmt(&removal->said, "%s: %s\n", removal->untagged, buf_text(&familiar));
    return 0;
}

/* All names, then the image itself, unless a container still needs it. */
static int remove_image(struct removal *removal, const struct image_entry *entry, bool used,
                        struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < entry->names.len; i++)
        rc = untag(removal, entry->names.items[i], entry->id, err);
    if (rc == 0 && !used)
        rc = store_forget(&removal->store, entry->id, err);
    if (rc < 0 || used)
        return rc;
    image_event(removal->events, "delete", entry->id, NULL);
    buf_fmt(&removal->said, "%s: %s\n", removal->deleted, entry->id);
    return 0;
}

static int refuse_many(const char *asked, const struct image_entry *entry, struct error *err)
{
    autobuf names = {0};
    for (size_t i = 0; i < entry->names.len; i++) {
        buf_str(&names, i ? ", " : "");
        familiar_name(entry->names.items[i], &names);
    }
    return error_set(
        err, -EBUSY,
        "image %s has several names (%.600s): remove them by name, or all of them with "
        "-f",
        asked, buf_text(&names));
}

static int remove_entry(struct removal *removal, const char *asked, const char *name,
                        const struct image_entry *entry, bool force, struct error *err)
{
    const char *user = store_user_of(&removal->users, entry->id);
    if (name && entry->names.len > 1)
        return untag(removal, name, entry->id, err);
    if (user && !force)
        return error_set(err, -EBUSY,
                         "image %s is used by container %.12s: remove the container first "
                         "('caisson rm %.12s'), or take only the name away with -f",
                         asked, user, user);
    if (!name && entry->names.len > 1 && !force)
        return refuse_many(asked, entry, err);
    return remove_image(removal, entry, user != NULL, err);
}

static int remove_one(struct removal *removal, const char *asked, bool force, struct error *err)
{
    struct image_entry *entries = NULL;
    size_t count = 0;
    char id[DIGEST_MAX];
    autofree char *name = NULL;
    int rc = store_find(&removal->store, asked, id, &name, err);
    if (rc == 0)
        rc = store_list(&removal->store, &entries, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (streq(entries[i].id, id)) {
            rc = remove_entry(removal, asked, name, &entries[i], force, err);
            break;
        }
    image_entries_free(entries, count);
    return rc;
}

static int collect(struct removal *removal, uint64_t *freed, struct error *err)
{
    autocollected gone = {0};
    int rc = store_collect(&removal->store, &removal->users, &gone, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < gone.layers.len; i++)
        buf_fmt(&removal->said, "%s: %s\n", removal->deleted, gone.layers.items[i]);
    *freed = gone.bytes;
    return 0;
}

int command_rmi(const struct invocation *call, void *options, struct error *err)
{
    const struct rmi_options *o = options;
    __attribute__((cleanup(removal_free))) struct removal removal = {
        .untagged = "Untagged", .deleted = "Deleted", .events = -1};
    uint64_t freed;
    int status = 0;
    int rc = removal_begin(&removal, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < call->count; i++) {
        struct error wrong = {0};
        rc = remove_one(&removal, call->arguments[i], o->force, &wrong);
        if (rc < 0) {
            tell_error(&wrong);
            status = o->force && rc == -ENOENT ? status : 1;
        }
    }
    rc = removal.said.len > 0 && !o->no_prune ? collect(&removal, &freed, err) : 0;
    int printed = print(&removal.said);
    return rc < 0 ? rc : printed ? printed : status;
}

static int prune(struct removal *removal, const struct image_prune_options *o, struct error *err)
{
    autofilter filter = {0};
    autoinfos infos = {0};
    int rc = image_filter_parse(&removal->store, &o->filters, "label until", &filter, err);
    if (rc == 0)
        rc = image_infos_read(&removal->store, &infos, err);
    for (size_t i = 0; rc == 0 && i < infos.count; i++) {
        const struct image_info *info = &infos.items[i];
        if ((info->entry->names.len > 0 && !o->all) || !image_filter_matches(&filter, info) ||
            store_user_of(&removal->users, info->entry->id))
            continue;
        rc = remove_image(removal, info->entry, false, err);
    }
    return rc;
}

int command_image_prune(const struct invocation *call, void *options, struct error *err)
{
    const struct image_prune_options *o = options;
    __attribute__((cleanup(removal_free))) struct removal removal = {
        .untagged = "untagged", .deleted = "deleted", .events = -1};
    autobuf answer = {0};
    uint64_t freed = 0;
    size_t steps;
    (void)call;
    if (!o->force && !isatty(STDIN_FILENO))
        return error_set(err, -EINVAL,
                         "there is no terminal to ask: give -f to remove without a "
                         "question");
    if (!o->force && !ask(o->all ? "This removes all images that no container uses. Go on?"
                                 : "This removes all images without a name. Go on?"))
        return 0;
    int rc = removal_begin(&removal, err);
    if (rc == 0)
        rc = prune(&removal, o, err);
    if (rc == 0 && o->build_cache && o->filters.len == 0)
        rc = steps_forget(&removal.store, INT64_MAX, &steps, err);
    if (rc == 0)
        rc = collect(&removal, &freed, err);
    if (rc == 0 && o->filters.len == 0)
        rc = partial_sweep(&removal.store, true, &freed, err);
    if (rc == 0)
        image_event_pruned(removal.events, freed);
    if (removal.said.len > 0 && o->bytes)
        buf_add(&answer, removal.said.data, removal.said.len);
    else if (removal.said.len > 0)
        buf_fmt(&answer, "Deleted Images:\n%s\n", buf_text(&removal.said));
    if (rc == 0 && o->bytes) {
        buf_fmt(&answer, "%llu\n", (unsigned long long)freed);
    } else if (rc == 0) {
        buf_str(&answer, "Total reclaimed space: ");
        format_size(&answer, freed);
        buf_char(&answer, '\n');
    }
    int printed = print(&answer);
    return rc < 0 ? rc : printed;
}
