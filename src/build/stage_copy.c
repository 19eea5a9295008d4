/* SPDX-License-Identifier: Apache-2.0 */
/* COPY, ADD of local files, and WORKDIR: files that go into a stage. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "archive/tree_place.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/copying.h"
#include "build/fetching.h"
#include "build/stage.h"
#include "build/unpack.h"
#include "container/skeleton.h"
#include "container/user.h"
#include "path/inroot.h"

#define VERY_MANY 5000 /* files */

static int find_known(struct stage_run *run, const char *key, struct step_record *record)
{
    if (run->no_cache || !steps_find(run->build->place->store, key, record))
        return 0;
    /* What was let in then is let in now, or it is looked at again. */
    return !record->secrets[0] || !run->shipped || streq(record->secrets, run->build->allowed);
}

int stage_cached(struct stage_run *run, const char *key, struct error *err)
{
    struct step_record record;
    struct store *store = run->build->place->store;
    int rc = store_lock(store, LOCK_SH, err);
    if (rc < 0)
        return rc;
    int known = find_known(run, key, &record);
    if (known)
        rc = stage_layer_known(run, &record, err);
    store_unlock(store);
    if (rc < 0 || !known)
        return rc;
    struct history_entry *last = &run->config.history[run->config.history_count - 1];
    free(last->created);
    last->created = xstrdup(record.created);
    last->empty_layer = !record.layer[0];
    stage_used(run, key);
    memcpy(run->key, key, STEP_KEY_MAX);
    stage_tell(run, BUILD_CACHED, NULL, 0);
    return 1;
}

/* --- owners --- */

static int read_account_file(int root, const char *path, struct buf *out, struct error *err)
{
    autofd fd = inroot_open_file(root, path);
    if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
        return 0;
    if (fd == -EINVAL)
        return error_set(
            err, fd,
            "/%s of the image is no regular file: make it one with COPY, or start from "
            "another image",
            path);
    int rc = fd < 0 ? fd : read_fd(fd, SKELETON_FILE_MAX, out);
    return rc < 0 ? error_set(err, rc, "cannot read /%s of the image: %s", path, error_describe(rc))
                  : 0;
}

int stage_accounts(struct stage_run *run, struct buf *passwd, struct buf *group, struct error *err)
{
    autofd root = stage_mount(run, -1, false, err);
    int rc = root < 0 ? root : read_account_file(root, "etc/passwd", passwd, err);
    if (rc == 0)
        rc = read_account_file(root, "etc/group", group, err);
    return rc;
}

static bool is_numeric(const char *text)
{
    return *text && strspn(text, "0123456789:") == strlen(text);
}

/* A number that stands alone is the group's too. */
static int find_owner(struct stage_run *run, const char *text, uint32_t *uid, uint32_t *gid,
                      struct error *err)
{
    autobuf passwd = {0}, group = {0};
    struct user user = {0};
    int rc = is_numeric(text) ? 0 : stage_accounts(run, &passwd, &group, err);
    if (rc == 0)
        rc = user_resolve(text, buf_text(&passwd), buf_text(&group), NULL, USER_ID_MAX, &user, err);
    if (rc < 0)
        return error_prefix(err, "--chown=%s", text);
    *uid = user.uid;
    *gid = !strchr(text, ':') && is_numeric(text) ? user.uid : user.gid;
    user_free(&user);
    return 0;
}

/* --- one overlay, something done in it --- */

/* All that is built is written to disk before it is published; of very many files it is begun while
 * they are digested. Nobody waits for this process. */
static void begin_writing(int upper)
{
    pid_t pid = fork();
    if (pid != 0)
        return;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0)
        (void)syncfs(upper);
    _exit(0);
}

static int fill(struct stage_run *run, const struct filling *filling, const char *key,
                struct error *err)
{
    char entry[32];
    nanoseconds begun = clock_monotonic();
    autofd upper = stage_upper(run, entry, err);
    if (upper < 0)
        return upper;
    struct stage_run bare = {.build = run->build};
    autofd root = stage_mount(filling->alone ? &bare : run, upper, false, err);
    int rc = root < 0 ? root : filling->fill(filling->closure, root, upper, err);
    if (root >= 0)
        close(take_fd(&root));
    return rc < 0 ? rc : stage_made(run, entry, key, begun, err);
}

/* --- WORKDIR --- */

static int fill_directory(void *closure, int root, int upper, struct error *err)
{
    bool made;
    (void)upper;
    int fd = place_directory(root, closure, 0, 0, &made, err);
    if (fd >= 0)
        close(fd);
    return fd < 0 ? fd : 0;
}

int stage_workdir(struct stage_run *run, const char *path, struct error *err)
{
    struct key key;
    char name[STEP_KEY_MAX];
    key_begin(&key, "workdir 1");
    key_text(&key, run->key);
    key_text(&key, path);
    key_end(&key, name);
    int rc = stage_cached(run, name, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    autofree char *copy = xstrdup(path);
    struct filling filling = {.fill = fill_directory, .closure = copy};
    return fill(run, &filling, name, err);
}

/* --- COPY --- */

void copying_free(struct copying *c)
{
    if (c->tree >= 0)
        close(c->tree);
    selection_free(&c->selection);
    foreign_close(&c->from);
}

int copying_target(struct copying *c, struct error *err)
{
    const char *text = c->step->target;
    const char *before = c->run->config.working_dir && *c->run->config.working_dir
                             ? c->run->config.working_dir
                             : "/";
    autocopypath path = {0};
    copy_path_read(text, before, &path);
    c->placing.directory = path.directory || streq(text, ".") || streq(text, "..");
    c->placing.target = c->target;
    return inroot_clean(path.clean, "the destination", c->target, err);
}

static int open_source(struct copying *c, struct place place, struct error *err)
{
    struct build *b = c->run->build;
    if (c->root.what)
        return 0;
    if (c->step->from) {
        int rc = foreign_open(c->run, c->step->from, place, &c->from, err);
        if (rc == 0 && c->from.context)
            context_root(c->from.context, b->place->store, &c->root);
        return rc;
    }
    if (b->contexts.main.fd >= 0)
        context_root(&b->contexts.main, b->place->store, &c->root);
    else if (c->step->sources.len > 0)
        return error_set(err, -ENOENT,
                         "there is no build context: give a directory as the last argument");
    return 0;
}

static int open_pick(const struct copying *c, const struct pick *pick)
{
    return inroot_open_beneath(c->root.root, pick->source, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
}

/* Those that were named themselves, and are not just in a directory that was. */
static void find_archives(struct copying *c)
{
    if (c->step->kind != INSTRUCTION_ADD || c->step->unpack == 0)
        return;
    for (size_t i = 0; i < c->selection.count; i++) {
        struct pick *pick = &c->selection.items[i];
        if (!pick->top || !pick->source || !S_ISREG(pick->st.st_mode))
            continue;
        autofd fd = open_pick(c, pick);
        pick->archive = fd >= 0 && unpack_is_archive(c->run->build->place->worker, fd);
    }
}

static int unpack_archives(struct copying *c, int root, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < c->selection.count; i++) {
        const struct pick *pick = &c->selection.items[i];
        bool made;
        if (!pick->archive)
            continue;
        autofd from = open_pick(c, pick);
        autofd into = from < 0 ? -1
                               : place_directory(root, c->placing.target, c->placing.uid,
                                                 c->placing.gid, &made, err);
        if (from < 0)
            return error_set(err, from, "cannot read %s: %s", pick->source, error_describe(from));
        const struct unpacking unpacking = {.worker = c->run->build->place->worker,
                                            .from = from,
                                            .root = root,
                                            .target = c->placing.target,
                                            .into = into,
                                            .owned = c->placing.owned,
                                            .uid = c->placing.uid,
                                            .gid = c->placing.gid};
        bool same = pick_unchanged(&pick->st, from);
        rc = into < 0 ? into : same ? unpack_archive(&unpacking, err) : 0;
        if (rc == 0 && (!same || !pick_unchanged(&pick->st, from)))
            rc = error_set(err, -EBUSY, "it changed meanwhile: build again");
        if (rc < 0)
            (void)error_prefix(err, "cannot unpack %.200s", pick->source);
    }
    return rc;
}

static void set_names(struct copying *c)
{
    c->selection.into |= c->into;
    for (size_t i = 0; c->name && i < c->selection.count; i++) {
        free(c->selection.items[i].target);
        c->selection.items[i].target = xstrdup(c->name);
    }
}

/* The files of a stage are only looked at when they have to be. */
static int select_files(struct copying *c, struct error *err)
{
    if (c->selected)
        return 0;
    if (c->step->from && !c->from.context) {
        c->tree = tree_mount(c->run->build, &c->from.stage, err);
        if (c->tree < 0)
            return c->tree;
        c->root = (struct source_root){.root = c->tree, .what = c->from.what};
    }
    int rc = selection_make(&c->root, c->step, &c->selection, err);
    if (rc == 0)
        find_archives(c);
    c->selected = rc == 0;
    if (rc == 0)
        set_names(c);
    if (rc == 0)
        selection_digest(&c->selection, c->content);
    if (c->root.memory)
        memory_save(c->root.memory, &c->run->build->staging);
    return rc;
}

/* What other stages' files contain is known by their layers, without looking at one. */
static int find_content(struct copying *c, struct error *err)
{
    struct step_record record = {0};
    struct key key;
    char name[STEP_KEY_MAX];
    if (!c->from.key[0])
        return select_files(c, err);
    key_begin(&key, "content 1");
    key_text(&key, c->from.key);
    key_texts(&key, &c->step->sources);
    key_texts(&key, &c->step->exclude);
    key_number(&key, c->step->parents);
    for (size_t i = 0; i < c->step->file_count; i++) {
        key_text(&key, c->step->files[i].name);
        key_text(&key, c->step->files[i].text);
    }
    key_end(&key, name);
    if (!c->run->no_cache && steps_find(c->run->build->place->store, name, &record) &&
        record.content[0]) {
        stage_used(c->run, name);
        memcpy(c->content, record.content, STEP_KEY_MAX);
        return 0;
    }
    int rc = select_files(c, err);
    if (rc < 0)
        return rc;
    memcpy(record.content, c->content, STEP_KEY_MAX);
    stage_used(c->run, name);
    format_rfc3339(clock_wall(), record.created);
    return steps_keep(&c->run->build->staging, name, &record, err);
}

void copying_key(const struct copying *c, const char *content, char out[STEP_KEY_MAX])
{
    struct key key;
    key_begin(&key, "copy 2");
    key_text(&key, c->step->link ? "" : c->run->key);
    if (c->step->link && c->run->build->has_epoch)
        key_number(&key, c->run->build->epoch);
    key_text(&key, content);
    key_text(&key, c->target);
    key_number(&key, c->placing.directory);
    key_number(&key, c->placing.owned);
    key_number(&key, c->placing.uid);
    key_number(&key, c->placing.gid);
    key_text(&key, c->step->mode);
    key_end(&key, out);
}

int copying_begin(struct copying *c, struct place place, struct error *err)
{
    int rc = open_source(c, place, err);
    return rc < 0 ? rc : find_content(c, err);
}

int copying_fill(struct copying *c, int root, struct error *err)
{
    int rc = select_files(c, err);
    if (rc < 0)
        return rc;
    c->placing.selection = &c->selection;
    c->placing.source = c->root.what ? c->root.root : -1;
    c->placing.what = c->root.what ? c->root.what : "the Dockerfile";
    c->placing.root = root;
    /* When a checkout was made is no part of what is built. */
    c->placing.timed = c->root.context && c->run->build->has_epoch;
    c->placing.time = c->run->build->epoch;
    rc = place_files(&c->placing, err);
    return rc < 0 ? rc : unpack_archives(c, root, err);
}

static int fill_files(void *closure, int root, int upper, struct error *err)
{
    struct copying *c = closure;
    c->placing.upper = upper;
    int rc = copying_fill(c, root, err);
    if (rc == 0 && c->selection.count >= VERY_MANY)
        begin_writing(upper);
    return rc;
}

int copying_owner(struct copying *c, struct error *err)
{
    if (!c->step->owner)
        return 0;
    c->placing.owned = true;
    return find_owner(c->run, c->step->owner, &c->placing.uid, &c->placing.gid, err);
}

/* What comes after knows the files of --link by what is below them as well. */
static void set_key(struct stage_run *run, const char *before, const char *made)
{
    struct key key;
    key_begin(&key, "link 1");
    key_text(&key, before);
    key_text(&key, made);
    key_end(&key, run->key);
}

int stage_fill(struct stage_run *run, const struct filling *filling, const char *key,
               struct error *err)
{
    char before[STEP_KEY_MAX];
    memcpy(before, run->key, sizeof before);
    int rc = stage_cached(run, key, err);
    if (rc == 0)
        rc = fill(run, filling, key, err);
    if (rc < 0)
        return rc;
    if (filling->alone)
        set_key(run, before, key);
    return 0;
}

int stage_copy(struct stage_run *run, const struct instruction *i, const struct step *step,
               struct error *err)
{
    char key[STEP_KEY_MAX];
    autocopying c = COPYING(run, step);
    if (step->kind == INSTRUCTION_ADD && remote_named(step))
        return stage_add(run, i, step, err);
    if (step->checksum)
        return error_set(err, -EINVAL,
                         "--checksum is for what is downloaded, and %.200s is not: leave it out",
                         step->sources.len > 0 ? step->sources.items[0] : "a here-document");
    c.placing.mode = step->mode;
    int rc = copying_target(&c, err);
    if (rc == 0)
        rc = copying_begin(&c, i->place, err);
    if (rc == 0)
        rc = copying_owner(&c, err);
    if (rc < 0)
        return rc;
    copying_key(&c, c.content, key);
    const struct filling filling = {.fill = fill_files, .closure = &c, .alone = step->link};
    return stage_fill(run, &filling, key, err);
}
