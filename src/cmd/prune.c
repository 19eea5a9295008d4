/* SPDX-License-Identifier: Apache-2.0 */
/* container prune. */
#include "base/cleanup.h"
#include "base/text.h"
#include "cmd/container_options.h"
#include "cmd/container_words.h"
#include "cmd/filter.h"
#include "cmd/print.h"
#include "cmd/prune_parts.h"
#include "container/events.h"
#include "container/summary.h"

struct prune_filter {
    struct label_filter labels;
    nanoseconds until; /* created before; INT64_MAX: any */
};

static void filter_free(struct prune_filter *filter)
{
    label_filter_free(&filter->labels);
}

static int parse(const struct strv *words, struct prune_filter *out, struct error *err)
{
    out->until = INT64_MAX;
    for (size_t i = 0; i < words->len; i++) {
        const char *word = words->items[i];
        if (label_filter_take(&out->labels, word))
            continue;
        if (!starts_with(word, "until="))
            return error_set(err, -EINVAL,
                             "--filter %.60s: known are label=, label!= and until=", word);
        if (parse_moment(word + strlen("until="), clock_wall(), &out->until) < 0)
            return error_set(err, -EINVAL,
                             "--filter %.60s: give a time (2026-01-02T13:23:37Z) or an age (24h)",
                             word);
    }
    return 0;
}

static bool matches(const struct prune_filter *filter, const struct glance *glance)
{
    if (glance->now != CONTAINER_CREATED && glance->now != CONTAINER_EXITED &&
        glance->now != CONTAINER_DEAD)
        return false;
    return label_filter_matches(&filter->labels, &glance->summary.labels) &&
           glance->summary.created < filter->until;
}

/* Looked at again under its lock: it may have been started since. */
static int remove_ended(struct containers *all, const char *id, struct buf *said, uint64_t *freed,
                        struct error *err)
{
    autocontainer c = CONTAINER_EMPTY;
    uint64_t bytes = 0;
    (void)container_written(all, id, &bytes, NULL);
    int rc = container_open(all, id, &c, err);
    if (rc == 0)
        rc = container_remove(&c, true, err);
    if (rc == -ENOENT || rc == -EBUSY)
        return 0;
    if (rc == 0) {
        buf_fmt(said, "%s\n", id);
        *freed += bytes;
    }
    return rc;
}

static int prune(const struct prune_filter *filter, struct buf *said, uint64_t *freed,
                 struct error *err)
{
    autocontainers all = {0};
    autostrv ids = {0};
    uint64_t before = *freed;
    int status = 0;
    int rc = containers_here(&all, err);
    if (rc == 0)
        rc = container_list(&all, &ids, err);
    for (size_t i = 0; rc == 0 && i < ids.len; i++) {
        struct error wrong = {0};
        struct glance glance = {0};
        int each = container_glance(&all, ids.items[i], &glance, &wrong);
        if (each == 0 && matches(filter, &glance))
            each = remove_ended(&all, ids.items[i], said, freed, &wrong);
        glance_free(&glance);
        if (each < 0 && each != -ENOENT) {
            tell_error(&wrong);
            status = 1;
        }
    }
    if (rc == 0)
        event_tell_pruned(&all, "container", *freed - before);
    return rc < 0 ? rc : status;
}

int prune_containers(const struct strv *filters, struct buf *said, uint64_t *freed,
                     struct error *err)
{
    __attribute__((cleanup(filter_free))) struct prune_filter filter = {0};
    int rc = parse(filters, &filter, err);
    return rc < 0 ? rc : prune(&filter, said, freed, err);
}

/* --- what they have in common --- */

void label_filter_free(struct label_filter *filter)
{
    strv_free(&filter->with);
    strv_free(&filter->without);
}

bool label_filter_take(struct label_filter *filter, const char *word)
{
    bool with = starts_with(word, "label=");
    if (!with && !starts_with(word, "label!="))
        return false;
    strv_add(with ? &filter->with : &filter->without, strchr(word, '=') + 1);
    return true;
}

bool label_filter_matches(const struct label_filter *filter, const struct strv *labels)
{
    for (size_t i = 0; i < filter->without.len; i++)
        if (labels_have(labels, filter->without.items[i]))
            return false;
    return filter_by_labels(&filter->with, labels);
}

int prune_confirm(bool force, const char *question, struct error *err)
{
    if (force)
        return 1;
    if (!isatty(STDIN_FILENO))
        return error_set(err, -EINVAL,
                         "there is no terminal to ask: give -f to remove without a question");
    return ask(question);
}

void prune_section(struct buf *answer, const char *heading, const struct buf *said)
{
    if (said->len > 0)
        buf_fmt(answer, "%s:\n%s\n", heading, buf_text(said));
}

int prune_print(struct buf *answer, uint64_t freed)
{
    buf_str(answer, "Total reclaimed space: ");
    format_size(answer, freed);
    buf_char(answer, '\n');
    return print(answer);
}

int command_container_prune(const struct invocation *call, void *options, struct error *err)
{
    const struct container_prune_options *o = options;
    __attribute__((cleanup(filter_free))) struct prune_filter filter = {0};
    autobuf said = {0}, answer = {0};
    uint64_t freed = 0;
    (void)call;
    int rc = parse(&o->filters, &filter, err); /* before the question */
    if (rc == 0)
        rc = prune_confirm(o->force, "This removes all containers that do not run. Go on?", err);
    if (rc <= 0)
        return rc;
    int status = prune(&filter, &said, &freed, err);
    prune_section(&answer, "Deleted Containers", &said);
    int printed = prune_print(&answer, freed);
    return status ? status : printed;
}
