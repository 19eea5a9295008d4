/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ADD of what is elsewhere. Each such source is a part of its own: first it is settled what it is
 * (a digest, a commit), which is the key of the step; only where that is not known it is fetched
 * whole. Local sources of the same instruction are one more part; all of them make one layer.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/copying.h"
#include "build/fetching.h"
#include "build/secrets.h"
#include "build/stage.h"

#define FILE_NAME "file"   /* of a download, where it lies */
#define UNNAMED "download" /* where the address has no name for it */

struct part {
    struct remote remote; /* kind REMOTE_NONE: local sources */
    struct step step;     /* borrows from the instruction's, but for `sources` */
    struct copying copying;
    char entry[32]; /* below the staging directory; "" */
    int dir;        /* what is copied from; -1: not there yet */
    char digest[SHA256_HEX];
    char commit[GIT_COMMIT_MAX];
    char content[STEP_KEY_MAX];
};

struct adding {
    struct stage_run *run;
    const struct step *step;
    struct fetching fetching;
    struct ignore hidden; /* git's own directories */
    struct part *parts;
    size_t count;
};

bool remote_named(const struct step *step)
{
    for (size_t i = 0; i < step->sources.len; i++)
        if (remote_kind(step->sources.items[i]) != REMOTE_NONE)
            return true;
    return false;
}

static void adding_free(struct adding *a)
{
    for (size_t i = 0; i < a->count; i++) {
        struct part *p = &a->parts[i];
        copying_free(&p->copying);
        remote_free(&p->remote);
        strv_free(&p->step.sources);
        if (p->dir >= 0)
            close(p->dir);
        if (p->entry[0])
            (void)remove_tree_at(a->run->build->staging.fd, p->entry, NULL);
    }
    ignore_free(&a->hidden);
    free(a->parts);
}

/* --- what there is to do --- */

static struct part *add_part(struct adding *a)
{
    struct part *p = &a->parts[a->count++];
    *p = (struct part){.dir = -1, .step = *a->step};
    p->step.sources = (struct strv){0};
    p->step.checksum = NULL;
    p->copying = (struct copying)COPYING(a->run, &p->step);
    return p;
}

/* A remote archive is unpacked only where that is asked for. */
static int add_remote(struct adding *a, const char *source, struct error *err)
{
    struct part *p = add_part(a);
    int rc = remote_parse(source, &p->remote, err);
    bool file = p->remote.kind == REMOTE_FILE;
    p->step.unpack = file && a->step->unpack == 1;
    p->step.files = NULL;
    p->step.file_count = 0;
    if (file)
        p->step.exclude = (struct strv){0};
    strv_add(&p->step.sources, file ? FILE_NAME : ".");
    snprintf(p->entry, sizeof p->entry, "remote-%zu-%zu-%zu", a->run->number, a->run->step,
             a->count);
    if (rc == 0 && a->step->keep_git_dir && p->remote.subdir)
        rc = error_set(err, -EINVAL,
                       "--keep-git-dir goes with a whole repository, and not with one directory "
                       "of it");
    return rc;
}

static int check_sum(const struct adding *a, struct error *err)
{
    const char *sum = a->step->checksum;
    if (!sum)
        return 0;
    if (a->count != 1 || a->parts[0].remote.kind == REMOTE_NONE)
        return error_set(err, -EINVAL, "--checksum goes with one address and no other source");
    bool file = a->parts[0].remote.kind == REMOTE_FILE;
    if (file == starts_with(sum, "sha256:"))
        return 0;
    return error_set(err, -EINVAL,
                     file ? "--checksum of a file is sha256: and 64 hexadecimal digits"
                          : "--checksum of a repository is a commit, or the beginning of one");
}

static int take_apart(struct adding *a, struct error *err)
{
    const struct step *step = a->step;
    struct part *local = NULL;
    int rc = 0;
    a->parts = xcalloc(step->sources.len + 1, sizeof *a->parts);
    if (step->file_count > 0)
        local = add_part(a);
    for (size_t i = 0; rc == 0 && i < step->sources.len; i++) {
        const char *source = step->sources.items[i];
        if (remote_kind(source) != REMOTE_NONE) {
            rc = add_remote(a, source, err);
            continue;
        }
        if (!local)
            local = add_part(a);
        strv_add(&local->step.sources, source);
    }
    for (size_t i = 0; i < a->count; i++)
        a->parts[i].copying.into = step->sources.len + step->file_count > 1;
    if (rc == 0)
        rc = check_sum(a, err);
    return rc < 0 ? rc : ignore_add(&a->hidden, "**/.git", "a repository", err);
}

static void set_fetching(struct adding *a)
{
    struct build *b = a->run->build;
    a->fetching = (struct fetching){
        .place = b->place,
        .staging = &b->staging,
        .egress = &b->options->egress,
        .agent = pairs_find(&b->secrets->agents, "default", strlen("default")),
        .forbidden = streq(b->options->network, "none"),
    };
}

/* --- files --- */

static void say(struct adding *a, const struct part *p)
{
    autobuf line = {0};
    buf_str(&line, "fetching ");
    buf_printable(&line, p->remote.address);
    stage_tell(a->run, BUILD_LINE, buf_text(&line), 0);
}

/* Into an empty file of its own directory. */
static int get_file(struct adding *a, struct part *p, const struct url_record *known,
                    bool *unchanged, struct error *err)
{
    struct staging *staging = a->fetching.staging;
    struct url_record record;
    say(a, p);
    if (mkdirat(staging->fd, p->entry, 0700) < 0 && errno != EEXIST)
        return error_errno(err, "cannot make a directory for a download");
    autofd dir = open_directory_at(staging->fd, p->entry, err);
    autofd fd =
        dir < 0 ? -1
                : openat(dir, FILE_NAME, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (dir < 0 || fd < 0)
        return dir < 0 ? dir : error_errno(err, "cannot make a file for a download");
    int rc = download(&a->fetching, &p->remote, known, fd, &record, unchanged, err);
    if (rc < 0)
        return rc;
    if (*unchanged) {
        memcpy(p->digest, known->digest, SHA256_HEX);
        return 0;
    }
    urls_keep(staging, p->remote.address, &record);
    if (!p->digest[0])
        memcpy(p->digest, record.digest, SHA256_HEX);
    p->dir = take_fd(&dir);
    if (streq(p->digest, record.digest))
        return 0;
    if (!a->step->checksum)
        return error_set(err, -EBUSY, "%.300s changed while it was fetched: build again",
                         p->remote.address);
    return error_set(err, -EBADMSG, "%.300s is sha256:%s, and --checksum wants %s",
                     p->remote.address, record.digest, a->step->checksum);
}

static int settle_file(struct adding *a, struct part *p, struct error *err)
{
    struct copying *c = &p->copying;
    struct url_record known;
    struct key key;
    bool unchanged = false;
    int rc = 0;
    if (!p->remote.name && (c->placing.directory || c->into))
        return error_set(err, -EINVAL,
                         "%.300s ends in no name for the file: write one at the end of the "
                         "destination",
                         p->remote.address);
    c->name = p->remote.name ? p->remote.name : UNNAMED;
    if (a->step->checksum)
        memcpy(p->digest, strchr(a->step->checksum, ':') + 1, SHA256_HEX);
    else if (!a->run->no_cache && urls_find(a->fetching.staging->store, p->remote.address, &known))
        rc = get_file(a, p, &known, &unchanged, err);
    else
        rc = get_file(a, p, NULL, &unchanged, err);
    key_begin(&key, "url 1");
    key_text(&key, c->name);
    key_text(&key, p->digest);
    key_number(&key, p->step.unpack);
    key_number(&key, c->into);
    key_end(&key, p->content);
    return rc;
}

/* --- repositories --- */

static int settle_git(struct adding *a, struct part *p, struct error *err)
{
    const char *sum = a->step->checksum;
    struct key key;
    say(a, p);
    int rc = git_resolve(&a->fetching, &p->remote, p->entry, p->commit, err);
    if (rc < 0)
        return rc;
    if (sum && !starts_with(p->commit, sum))
        return error_set(err, -EBADMSG, "%.300s is at commit %s, and --checksum wants %s",
                         p->remote.address, p->commit, sum);
    key_begin(&key, "git 1");
    key_text(&key, p->commit);
    key_text(&key, p->remote.subdir);
    key_number(&key, a->step->keep_git_dir);
    key_texts(&key, &p->step.exclude);
    key_end(&key, p->content);
    return 0;
}

static int settle(struct adding *a, struct part *p, struct place place, struct error *err)
{
    if (p->remote.kind == REMOTE_FILE)
        return settle_file(a, p, err);
    if (p->remote.kind == REMOTE_GIT)
        return settle_git(a, p, err);
    int rc = copying_begin(&p->copying, place, err);
    if (rc == 0)
        memcpy(p->content, p->copying.content, STEP_KEY_MAX);
    return rc;
}

/* --- all of it --- */

static int get(struct adding *a, struct part *p, struct error *err)
{
    bool unchanged;
    int rc = 0;
    if (p->remote.kind == REMOTE_NONE)
        return 0;
    if (p->remote.kind == REMOTE_FILE && p->dir < 0)
        rc = get_file(a, p, NULL, &unchanged, err);
    else if (p->remote.kind == REMOTE_GIT)
        rc = p->dir = git_fetch(&a->fetching, &p->remote, p->entry, p->commit, err);
    if (rc < 0)
        return rc;
    p->copying.root = (struct source_root){
        .root = p->dir,
        .what = p->remote.address,
        .context = true,
        .ignore = p->remote.kind == REMOTE_GIT && !a->step->keep_git_dir ? &a->hidden : NULL,
    };
    return 0;
}

static int fill(void *closure, int root, int upper, struct error *err)
{
    struct adding *a = closure;
    (void)upper; /* parts find there what others have made */
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < a->count; i++) {
        rc = get(a, &a->parts[i], err);
        if (rc == 0)
            rc = copying_fill(&a->parts[i].copying, root, err);
    }
    return rc;
}

int stage_add(struct stage_run *run, const struct instruction *i, const struct step *step,
              struct error *err)
{
    struct adding a __attribute__((cleanup(adding_free))) = {.run = run, .step = step};
    char content[STEP_KEY_MAX], name[STEP_KEY_MAX];
    struct key key;
    set_fetching(&a);
    int rc = take_apart(&a, err);
    key_begin(&key, "add 1");
    for (size_t n = 0; rc == 0 && n < a.count; n++) {
        struct part *p = &a.parts[n];
        p->copying.placing.mode = step->mode;
        rc = copying_target(&p->copying, err);
        if (rc == 0)
            rc = copying_owner(&p->copying, err);
        if (rc == 0)
            rc = settle(&a, p, i->place, err);
        key_text(&key, p->content);
    }
    key_end(&key, content);
    if (rc < 0)
        return rc;
    copying_key(&a.parts[0].copying, content, name);
    const struct filling filling = {.fill = fill, .closure = &a, .alone = step->link};
    return stage_fill(run, &filling, name, err);
}
