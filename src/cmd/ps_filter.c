/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/ps_filter.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/container_words.h"
#include "cmd/filter.h"
#include "network/ports.h"
#include "oci/reference.h"
#include "store/store.h"

void show_image(const struct container_summary *summary, struct buf *out)
{
    autoreference ref = {0};
    if (*summary->image && reference_parse(summary->image, &ref, NULL) == 0)
        reference_familiar(&ref, out);
    else if (*summary->image)
        buf_str(out, summary->image);
    else
        buf_fmt(out, "%.12s", digest_valid(summary->image_id) ? digest_hex(summary->image_id) : "");
}

/* --- reading --- */

static int created_of_container(struct containers *all, const char *word, nanoseconds *created,
                                struct error *err)
{
    autocontainer c = CONTAINER_EMPTY;
    int rc = container_find(all, word, &c, err);
    if (rc == 0 && (!c.plan.created || parse_rfc3339(c.plan.created, created) < 0))
        rc = error_set(err, -EBADMSG, "container %s does not say when it was created", word);
    return rc;
}

static int add_state(struct ps_filter *filter, const char *value, struct error *err)
{
    for (int state = CONTAINER_CREATED; state <= CONTAINER_DEAD; state++) {
        if (streq(value, container_state_name((enum container_state)state))) {
            filter->states |= 1u << state;
            return 0;
        }
    }
    return error_set(
        err, -EINVAL,
        "--filter status=%.40s: it is created, running, paused, restarting, exited or dead", value);
}

static int add_exited(struct ps_filter *filter, const char *value, struct error *err)
{
    if (filter->exited_count == sizeof filter->exited / sizeof *filter->exited)
        return error_set(err, -E2BIG, "--filter exited: too many");
    if (parse_i64(value, 0, 255, &filter->exited[filter->exited_count]) < 0)
        return error_set(err, -EINVAL, "--filter exited=%.40s: give an exit code, 0 to 255", value);
    filter->exited_count++;
    return 0;
}

/* Whatever has the same image, by whichever name it was run: so by id, where there is such an image
 * still. */
static int add_ancestor(struct ps_filter *filter, const char *value, struct error *err)
{
    struct store store = {.root_fd = -1, .lock_fd = -1};
    char id[DIGEST_MAX];
    autofree char *name = NULL;
    int rc = store_open(global_options.root, &store, err);
    if (rc < 0)
        return rc;
    rc = store_find(&store, value, id, &name, NULL);
    strv_add(&filter->ancestors, rc == 0 ? id : value);
    store_close(&store);
    return 0;
}

static int add_ports(struct strv *list, const char *key, const char *value, struct error *err)
{
    struct port_range range;
    int rc = port_parse_range(value, &range, err);
    if (rc < 0)
        return error_prefix(err, "--filter %s", key);
    strv_add(list, value);
    return 0;
}

static int add_word(struct containers *all, struct ps_filter *filter, const char *key,
                    const char *value, struct error *err)
{
    if (streq(key, "publish"))
        return add_ports(&filter->published, key, value, err);
    if (streq(key, "expose"))
        return add_ports(&filter->exposed, key, value, err);
    if (streq(key, "status"))
        return add_state(filter, value, err);
    if (streq(key, "ancestor"))
        return add_ancestor(filter, value, err);
    if (streq(key, "exited"))
        return add_exited(filter, value, err);
    if (streq(key, "before"))
        return created_of_container(all, value, &filter->before, err);
    if (streq(key, "since"))
        return created_of_container(all, value, &filter->since, err);
    return error_set(err, -EINVAL,
                     "--filter %.40s: the keys are ancestor, before, exited, expose, id, label, "
                     "level, name, network, publish, since, status and volume",
                     key);
}

int ps_filter_parse(struct containers *all, const struct strv *words, struct ps_filter *out,
                    struct error *err)
{
    struct ps_filter filter = {.before = INT64_MAX, .since = INT64_MIN};
    const struct filter_key keys[] = {{"name", &filter.names},   {"id", &filter.ids},
                                      {"label", &filter.labels}, {"network", &filter.networks},
                                      {"level", &filter.levels}, {"volume", &filter.volumes}};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < words->len; i++) {
        const char *word = words->items[i];
        const char *equals = strchr(word, '=');
        if (filter_take(keys, sizeof keys / sizeof *keys, word))
            continue;
        if (!equals) {
            rc = error_set(err, -EINVAL, "--filter %.60s: it is KEY=VALUE, such as status=exited",
                           word);
            break;
        }
        autofree char *key = xstrndup(word, (size_t)(equals - word));
        rc = add_word(all, &filter, key, equals + 1, err);
    }
    if (rc < 0) {
        ps_filter_free(&filter);
        return rc;
    }
    *out = filter;
    return 0;
}

void ps_filter_free(struct ps_filter *filter)
{
    strv_free(&filter->names);
    strv_free(&filter->ids);
    strv_free(&filter->labels);
    strv_free(&filter->ancestors);
    strv_free(&filter->networks);
    strv_free(&filter->levels);
    strv_free(&filter->volumes);
    strv_free(&filter->published);
    strv_free(&filter->exposed);
}

/* --- matching --- */

/* Part of the name; ^ and $ tie it to an end, and a slash before it, which Docker has, is allowed.
 */
static bool name_matches(const char *name, const char *wanted)
{
    bool from_start = *wanted == '^';
    wanted += from_start;
    wanted += *wanted == '/';
    size_t length = strlen(wanted), whole = strlen(name);
    bool to_end = length > 0 && wanted[length - 1] == '$';
    length -= to_end;
    if (length > whole)
        return false;
    for (size_t at = 0; at + length <= whole; at++) {
        if (from_start && at > 0)
            break;
        if (to_end && at + length != whole)
            continue;
        if (strncmp(name + at, wanted, length) == 0)
            return true;
    }
    return false;
}

/* By name, with or without tag, or by id. */
static bool image_matches(const struct container_summary *summary, const char *wanted)
{
    autoreference ref = {0}, own = {0};
    autobuf full = {0}, of_container = {0};
    const char *id = digest_valid(summary->image_id) ? digest_hex(summary->image_id) : "";
    if (starts_with(wanted, "sha256:"))
        return starts_with(summary->image_id, wanted);
    if (strlen(wanted) >= 4 && starts_with(id, wanted))
        return true;
    if (reference_parse(wanted, &ref, NULL) < 0 || reference_parse(summary->image, &own, NULL) < 0)
        return false;
    reference_full(&ref, &full);
    reference_full(&own, &of_container);
    return streq(buf_text(&full), buf_text(&of_container));
}

static bool any_name(const struct ps_filter *filter, const struct glance *glance)
{
    for (size_t i = 0; i < filter->names.len; i++)
        if (name_matches(glance->summary.name, filter->names.items[i]))
            return true;
    return filter->names.len == 0;
}

static bool any_image(const struct ps_filter *filter, const struct glance *glance)
{
    for (size_t i = 0; i < filter->ancestors.len; i++)
        if (image_matches(&glance->summary, filter->ancestors.items[i]))
            return true;
    return filter->ancestors.len == 0;
}

/* The level's own name, or all of what the column shows. */
static bool any_level(const struct ps_filter *filter, const struct glance *glance)
{
    const char *level = glance->summary.level;
    size_t length = strcspn(level, " ");
    for (size_t i = 0; i < filter->levels.len; i++) {
        const char *wanted = filter->levels.items[i];
        if (streq(level, wanted) ||
            (strlen(wanted) == length && strncmp(level, wanted, length) == 0))
            return true;
    }
    return filter->levels.len == 0;
}

static bool any_network(const struct ps_filter *filter, const struct glance *glance)
{
    autostrv on = {0};
    if (glance->summary.network)
        strv_split(&on, glance->summary.network, ',');
    for (size_t i = 0; i < filter->networks.len; i++)
        if (strv_has(&on, filter->networks.items[i]))
            return true;
    return filter->networks.len == 0;
}

/* By name, or by where it is mounted. */
static bool any_volume(const struct ps_filter *filter, const struct glance *glance)
{
    for (size_t i = 0; i < filter->volumes.len; i++)
        if (strv_has(&glance->summary.mounts, filter->volumes.items[i]) ||
            strv_has(&glance->summary.targets, filter->volumes.items[i]))
            return true;
    return filter->volumes.len == 0;
}

/* By the host's port. */
static bool any_published(const struct ps_filter *filter, const struct glance *glance)
{
    for (size_t i = 0; i < filter->published.len; i++) {
        const char *at = glance->published;
        struct port_range wanted;
        struct published p;
        (void)port_parse_range(filter->published.items[i], &wanted, NULL);
        while (published_next(&at, &p))
            if (port_within(&wanted, &(struct port){p.inner.protocol, p.host}))
                return true;
    }
    return filter->published.len == 0;
}

static bool have_in_common(const struct port_range *a, const struct port_range *b)
{
    return a->first.protocol == b->first.protocol && a->first.number <= b->last &&
           b->first.number <= a->last;
}

/* By the container's, whether it is published or not. */
static bool any_exposed(const struct ps_filter *filter, const struct glance *glance)
{
    const struct strv *exposed = &glance->summary.exposed;
    for (size_t i = 0; i < filter->exposed.len; i++) {
        struct port_range wanted, there;
        (void)port_parse_range(filter->exposed.items[i], &wanted, NULL);
        for (size_t k = 0; k < exposed->len; k++)
            if (port_parse_range(exposed->items[k], &there, NULL) == 0 &&
                have_in_common(&wanted, &there))
                return true;
    }
    return filter->exposed.len == 0;
}

static bool any_exit(const struct ps_filter *filter, const struct glance *glance)
{
    for (size_t i = 0; i < filter->exited_count; i++)
        if ((glance->now == CONTAINER_EXITED || glance->now == CONTAINER_DEAD) &&
            glance->exit.code == filter->exited[i])
            return true;
    return filter->exited_count == 0;
}

bool ps_filter_matches(const struct ps_filter *filter, const struct glance *glance)
{
    if (filter->states && !(filter->states & (1u << glance->now)))
        return false;
    if (glance->summary.created >= filter->before || glance->summary.created <= filter->since)
        return false;
    return filter_by_labels(&filter->labels, &glance->summary.labels) &&
           filter_by_prefix(&filter->ids, glance->id) && any_name(filter, glance) &&
           any_image(filter, glance) && any_network(filter, glance) && any_level(filter, glance) &&
           any_volume(filter, glance) && any_published(filter, glance) &&
           any_exposed(filter, glance) && any_exit(filter, glance);
}
