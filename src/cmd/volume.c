/* SPDX-License-Identifier: Apache-2.0 */
/* volume create, rm, prune: what changes volumes. */
#include "base/cleanup.h"
#include "base/text.h"
#include "cmd/container_words.h"
#include "cmd/print.h"
#include "cmd/prune_parts.h"
#include "cmd/volume_options.h"
#include "container/events.h"
#include "container/volumes.h"

int command_volume_create(const struct invocation *call, void *options, struct error *err)
{
    const struct volume_create_options *o = options;
    struct volume volume = {.labels = o->labels, .anonymous = call->count == 0};
    autocontainers all = {0};
    int rc = call->count ? volume_check_name(call->arguments[0], err) : 0;
    if (rc == 0)
        rc = containers_here(&all, err);
    if (rc < 0)
        return rc;
    if (call->count)
        snprintf(volume.name, sizeof volume.name, "%s", call->arguments[0]);
    else
        volume_random_name(volume.name);
    rc = volume_create(&all, &volume, true, err);
    return rc < 0 ? rc : print_word(volume.name);
}

static int remove_one(struct containers *all, const char *word, void *closure, struct error *err)
{
    const struct volume_rm_options *o = closure;
    struct error why = {0};
    int rc = volume_remove(all, word, NULL, &why);
    if (rc == -ENOENT && o->force)
        return 0; /* as was wanted */
    return rc < 0 ? error_set(err, rc, "%s", why.text) : print_word(word);
}

int command_volume_rm(const struct invocation *call, void *options, struct error *err)
{
    return for_each_word(call, remove_one, options, err);
}

/* --- prune --- */

struct volume_filter {
    struct label_filter labels;
    bool all;
};

static void filter_free(struct volume_filter *filter)
{
    label_filter_free(&filter->labels);
}

static int parse(const struct strv *words, struct volume_filter *out, struct error *err)
{
    for (size_t i = 0; i < words->len; i++) {
        const char *word = words->items[i];
        if (label_filter_take(&out->labels, word))
            continue;
        if (streq(word, "all=true") || streq(word, "all=1"))
            out->all = true;
        else if (!streq(word, "all=false") && !streq(word, "all=0"))
            return error_set(err, -EINVAL, "--filter %.60s: known are label=, label!= and all=true",
                             word);
    }
    return 0;
}

static bool matches(const struct volume_filter *filter, const struct volume *volume)
{
    return (volume->anonymous || filter->all) &&
           label_filter_matches(&filter->labels, &volume->labels);
}

/* Who uses it is looked at again under its lock: a container may have been made since. */
static int prune_one(struct containers *all, const struct volume_filter *filter, const char *name,
                     struct buf *said, uint64_t *freed, struct error *err)
{
    autovolume volume = {0};
    uint64_t bytes = 0;
    int rc = volume_read(all, name, &volume, err);
    if (rc == 0 && !matches(filter, &volume))
        return 0;
    if (rc == 0)
        rc = volume_remove(all, name, &bytes, err);
    if (rc == -ENOENT || rc == -EBUSY)
        return 0;
    if (rc == 0) {
        buf_fmt(said, "%s\n", name);
        *freed += bytes;
    }
    return rc;
}

static int prune(const struct volume_filter *filter, struct buf *said, uint64_t *freed,
                 struct error *err)
{
    autocontainers all = {0};
    autostrv names = {0}, uses = {0};
    uint64_t before = *freed;
    int status = 0;
    int rc = containers_here(&all, err);
    if (rc == 0) {
        volume_sweep(&all);
        rc = volume_list(&all, &names, err);
    }
    if (rc == 0)
        rc = volume_uses(&all, &uses, err);
    for (size_t i = 0; rc == 0 && i < names.len; i++) {
        struct error wrong = {0};
        if (volume_use_count(&uses, names.items[i]) == 0 &&
            prune_one(&all, filter, names.items[i], said, freed, &wrong) < 0) {
            tell_error(&wrong);
            status = 1;
        }
    }
    if (rc == 0)
        event_tell_pruned(&all, "volume", *freed - before);
    return rc < 0 ? rc : status;
}

int prune_volumes(bool named_too, const struct strv *filters, struct buf *said, uint64_t *freed,
                  struct error *err)
{
    __attribute__((cleanup(filter_free))) struct volume_filter filter = {.all = named_too};
    int rc = parse(filters, &filter, err);
    return rc < 0 ? rc : prune(&filter, said, freed, err);
}

int command_volume_prune(const struct invocation *call, void *options, struct error *err)
{
    const struct volume_prune_options *o = options;
    __attribute__((cleanup(filter_free))) struct volume_filter filter = {.all = o->all};
    autobuf said = {0}, answer = {0};
    uint64_t freed = 0;
    (void)call;
    int rc = parse(&o->filters, &filter, err); /* before the question */
    if (rc == 0)
        rc =
            prune_confirm(o->force,
                          filter.all ? "This removes all volumes that no container uses. Go on?"
                                     : "This removes all anonymous volumes that no container uses. "
                                       "Go on?",
                          err);
    if (rc <= 0)
        return rc;
    int status = prune(&filter, &said, &freed, err);
    prune_section(&answer, "Deleted Volumes", &said);
    int printed = prune_print(&answer, freed);
    return status ? status : printed;
}
