/* SPDX-License-Identifier: Apache-2.0 */
/* Finding containers and opening them. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/text.h"
#include "container/disk.h"
#include "container/summary.h"
#include "container/volumes.h"

void container_close(struct container *c)
{
    container_volumes_release(c);
    if (c->lock >= 0)
        close(c->lock);
    if (c->home >= 0 && c->home != c->state)
        close(c->home);
    if (c->state >= 0)
        close(c->state);
    plan_free(&c->plan);
    status_free(&c->status);
    *c = (struct container)CONTAINER_EMPTY;
}

static int damaged(const struct container *c, const char *how, struct error *err)
{
    return error_set(err, -EBADMSG,
                     "%s of container %.12s is damaged: %s; caisson rm -f %.12s removes the "
                     "container",
                     CONFIG_NAME, c->id, how, c->id);
}

static int load_plan(struct container *c, const struct buf *text, struct error *err)
{
    struct plan plan;
    struct error why = {0};
    plan_init(&plan);
    if (plan_read(buf_text(text), text->len, &plan, &why) < 0)
        return damaged(c, why.text, err);
    plan_free(&c->plan);
    c->plan = plan;
    return 0;
}

static int read_config(int dir, const struct container *c, struct buf *text, struct error *err)
{
    struct error why = {0};
    int rc = read_file_at(dir, CONFIG_NAME, CONFIG_MAX, text, &why);
    if (rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM)
        return error_set(err, rc, "container %.12s: %s", c->id, why.text);
    if (rc < 0 && rc != -ENOENT) /* else it may lie in the other place */
        return damaged(c, why.text, err);
    return rc;
}

static int open_home(struct container *c, struct error *err)
{
    autobuf text = {0};
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    c->state = openat(c->all->state_fd, c->id, flags);
    int rc = c->state < 0 ? -ENOENT : read_config(c->state, c, &text, err);
    c->in_state = rc == 0;
    if (c->in_state) {
        c->home = c->state;
    } else if (rc == -ENOENT) {
        if (err)
            *err = (struct error){0}; /* nothing is wrong yet */
        c->home = openat(c->all->root_fd, c->id, flags);
        rc = c->home < 0 ? -ENOENT : read_config(c->home, c, &text, err);
    }
    if (rc == -ENOENT)
        return error_set(err, rc, "no such container: %s", c->id);
    return rc < 0 ? rc : load_plan(c, &text, err);
}

int container_open(struct containers *all, const char *id, struct container *out, struct error *err)
{
    autocontainer c = CONTAINER_EMPTY;
    if (!id_valid(id))
        return error_set(err, -EINVAL, "'%.64s' is not the whole id of a container", id);
    plan_init(&c.plan);
    c.all = all;
    memcpy(c.id, id, CONTAINER_ID_MAX);
    int rc = open_home(&c, err);
    if (rc == 0)
        rc = state_load(&c, err);
    if (rc < 0)
        return rc;
    *out = c;
    c = (struct container)CONTAINER_EMPTY;
    return 0;
}

/* Adds the entries of `fd` whose name starts with `prefix` and is an id (or, for names, anything).
 */
static int list_directory(int fd, const char *prefix, bool ids, struct strv *out, struct error *err)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autodir d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) {
        if (copy >= 0)
            close(copy);
        return error_errno(err, "cannot read the directory of containers");
    }
    const struct dirent *entry;
    while ((errno = 0, entry = readdir(d)))
        if (entry->d_name[0] != '.' && starts_with(entry->d_name, prefix) &&
            (!ids || id_valid(entry->d_name)))
            strv_add(out, entry->d_name);
    return errno ? error_errno(err, "cannot read the directory of containers") : 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_ids(struct containers *all, const char *prefix, struct strv *ids, struct error *err)
{
    autostrv found = {0};
    int rc = list_directory(all->root_fd, prefix, true, &found, err);
    if (rc == 0)
        rc = list_directory(all->state_fd, prefix, true, &found, err);
    if (rc < 0)
        return rc;
    if (found.len > 1)
        qsort(found.items, found.len, sizeof *found.items, compare);
    for (size_t i = 0; i < found.len; i++)
        if (i == 0 || !streq(found.items[i], found.items[i - 1]))
            strv_add(ids, found.items[i]);
    return 0;
}

int container_list(struct containers *all, struct strv *ids, struct error *err)
{
    return list_ids(all, "", ids, err);
}

static int not_found(struct containers *all, const char *word, struct error *err)
{
    autostrv names = {0};
    autobuf printable = {0};
    (void)list_directory(all->state_names, "", false, &names, NULL);
    (void)list_directory(all->root_names, "", false, &names, NULL);
    const char *near = nearest_word(word, (const char *const *)strv_argv(&names), names.len);
    buf_printable(&printable, word);
    return error_set(err, -ENOENT, "no such container: %s%s%s%s", buf_text(&printable),
                     near ? "; did you mean " : " (see caisson ps -a)", near ? near : "",
                     near ? "?" : "");
}

/* Looked at again under its lock: it may just have been born. */
static int remove_unborn(struct container *c, struct error *err)
{
    int rc = container_lock(c, err);
    if (rc == 0 && c->now == CONTAINER_CREATED)
        rc = container_remove(c, true, err);
    container_unlock(c);
    return rc;
}

int disk_open(struct containers *all, const char *id, struct container *out, struct error *err)
{
    autocontainer c = CONTAINER_EMPTY;
    int rc = container_open(all, id, &c, err);
    if (rc == -ENOENT)
        disk_sweep(all, id);
    if (rc < 0)
        return rc;
    /* After a boot there is no status, and a container with --rm has nothing more to wait for. One
     * that `run` made and did not start was never started because that was killed. */
    bool lost = c.now == CONTAINER_DEAD && c.plan.remove;
    bool unborn = c.now == CONTAINER_CREATED && c.plan.remove && c.plan.by_run;
    bool over = c.now == CONTAINER_EXITED || c.now == CONTAINER_DEAD;
    if (unborn || (over && !c.ending && (c.status.pid > 0 || lost))) {
        autofd lock = disk_lock(all, id, true, LOCK_EX | LOCK_NB, NULL);
        if (lock >= 0) {
            close(take_fd(&lock));
            struct error ignored = {0};
            (void)(unborn ? remove_unborn(&c, &ignored) : container_ended(&c, -1, &ignored));
            container_close(&c);
            rc = container_open(all, id, &c, err);
            if (rc < 0)
                return rc;
        }
    }
    *out = c;
    c = (struct container)CONTAINER_EMPTY;
    return 0;
}

static int find_by_prefix(struct containers *all, const char *word, char id[CONTAINER_ID_MAX],
                          struct error *err)
{
    autostrv ids = {0};
    size_t length = strlen(word);
    if (length == 0 || length >= CONTAINER_ID_MAX || !is_hex(word, length))
        return not_found(all, word, err);
    if (id_valid(word) && (faccessat(all->root_fd, word, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
                           faccessat(all->state_fd, word, F_OK, AT_SYMLINK_NOFOLLOW) == 0)) {
        memcpy(id, word, CONTAINER_ID_MAX); /* no need to look at all the others */
        return 0;
    }
    int rc = list_ids(all, word, &ids, err);
    if (rc < 0)
        return rc;
    if (ids.len == 0)
        return not_found(all, word, err);
    if (ids.len > 1)
        return error_set(err, -EINVAL,
                         "the id prefix %s is ambiguous: %.12s, %.12s%s; give more digits", word,
                         ids.items[0], ids.items[1], ids.len > 2 ? " …" : "");
    memcpy(id, ids.items[0], CONTAINER_ID_MAX);
    return 0;
}

static int find_latest(struct containers *all, char id[CONTAINER_ID_MAX], struct error *err)
{
    autostrv ids = {0};
    nanoseconds newest = INT64_MIN;
    int rc = list_ids(all, "", &ids, err);
    for (size_t i = 0; rc == 0 && i < ids.len; i++) {
        struct container_summary summary = {0};
        if (container_summary(all, ids.items[i], &summary, NULL) == 0 && summary.created > newest) {
            newest = summary.created;
            memcpy(id, ids.items[i], CONTAINER_ID_MAX);
        }
        summary_free(&summary);
    }
    if (rc == 0 && newest == INT64_MIN)
        return error_set(err, -ENOENT, "there is no container, and so none that was made last");
    return rc;
}

int container_find_id(struct containers *all, const char *word, char id[CONTAINER_ID_MAX],
                      struct error *err)
{
    const int names[] = {all->state_names, all->root_names};
    char owner[CONTAINER_ID_MAX];
    if (streq(word, CONTAINER_LATEST))
        return find_latest(all, id, err);
    if (word[0] == '/')
        word++; /* as `inspect` shows names */
    bool may_be_name = *word && !strchr(word, '/') && word[0] != '.';
    for (size_t i = 0; may_be_name && i < 2; i++) {
        if (name_owner(names[i], word, owner) && disk_has_config(all, owner)) {
            memcpy(id, owner, CONTAINER_ID_MAX);
            return 0;
        }
    }
    return find_by_prefix(all, word, id, err);
}

int container_find(struct containers *all, const char *word, struct container *out,
                   struct error *err)
{
    char id[CONTAINER_ID_MAX];
    int rc = container_find_id(all, word, id, err);
    if (rc < 0)
        return rc;
    rc = disk_open(all, id, out, err);
    return rc == -ENOENT ? not_found(all, word, err) : rc;
}

void disk_tidy(struct containers *all, const char *id)
{
    autocontainer c = CONTAINER_EMPTY;
    (void)disk_open(all, id, &c, NULL);
}
