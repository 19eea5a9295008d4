/* SPDX-License-Identifier: Apache-2.0 */
/* builder prune: what builds have kept is forgotten, and goes where no image has it. */
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/text.h"
#include "cmd/build_options.h"
#include "cmd/image_worker.h"
#include "cmd/print.h"
#include "store/collect.h"
#include "store/steps.h"

static int parse_until(const struct strv *filters, int64_t *before, struct error *err)
{
    *before = INT64_MAX;
    for (size_t i = 0; i < filters->len; i++) {
        nanoseconds when;
        const char *word = filters->items[i];
        if (!starts_with(word, "until="))
            return error_set(err, -EINVAL, "--filter %.60s: known is until=", word);
        if (parse_moment(word + strlen("until="), clock_wall(), &when) < 0)
            return error_set(err, -EINVAL,
                             "--filter %.60s: give a time (2026-01-02T13:23:37Z) or an age (24h)",
                             word);
        *before = when / NSEC_PER_SEC;
    }
    return 0;
}

/* A cache that a step has mounted is locked, and left alone. */
static int remove_mounts(struct store *store, struct error *err)
{
    int rc = 0;
    int fd = steps_directory(store, "mounts", err);
    autodir d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    if (!d)
        return fd < 0 ? fd : error_errno(err, "cannot read the caches");
    while (rc == 0 && (entry = readdir(d))) {
        if (entry->d_name[0] == '.')
            continue;
        autofd home = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (home >= 0 && lock_fd(home, LOCK_EX | LOCK_NB) < 0)
            continue;
        rc = remove_tree_at(fd, entry->d_name, err);
    }
    return rc;
}

static int remove_all(struct store *store, struct error *err)
{
    static const char *const directories[] = {"build/contexts", "build/urls"};
    int rc = remove_mounts(store, err);
    for (size_t i = 0; rc == 0 && i < sizeof directories / sizeof *directories; i++)
        rc = remove_tree_at(store->root_fd, directories[i], err);
    return rc;
}

int command_builder_prune(const struct invocation *call, void *options, struct error *err)
{
    const struct builder_prune_options *o = options;
    autostore store = {0};
    autousers users = {0};
    autocollected gone = {0};
    autobuf answer = {0};
    int64_t before;
    size_t count = 0;
    (void)call;
    int rc = parse_until(&o->filters, &before, err);
    if (rc < 0)
        return rc;
    if (!o->force && !isatty(STDIN_FILENO))
        return error_set(err, -EINVAL,
                         "there is no terminal to ask: give -f to remove without a question");
    if (!o->force && !ask("This forgets what builds have cached. Go on?"))
        return 0;
    rc = open_store(&store, err);
    if (rc == 0)
        rc = store_lock(&store, LOCK_EX, err);
    if (rc == 0)
        rc = steps_forget(&store, before, &count, err);
    if (rc == 0 && o->all)
        rc = remove_all(&store, err);
    if (rc == 0)
        rc = store_users(&store, global_options.state, &users, err);
    if (rc == 0)
        rc = store_collect(&store, &users, &gone, err);
    if (rc < 0)
        return rc;
    buf_fmt(&answer, "Forgotten steps: %zu\nTotal reclaimed space: ", count);
    format_size(&answer, gone.bytes);
    buf_char(&answer, '\n');
    return print(&answer);
}
