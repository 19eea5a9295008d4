/* SPDX-License-Identifier: Apache-2.0 */
#include "build/exchange.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"

#define USED_MAX (16u << 20)

/* "type=local,dest=DIR" or only DIR; *dir is the caller's. */
static int parse(const char *flag, const char *word, const char *key, char **dir, struct error *err)
{
    autostrv parts = {0};
    *dir = NULL;
    if (!strchr(word, '=')) {
        *dir = xstrdup(word);
        return 0;
    }
    strv_split(&parts, word, ',');
    for (size_t i = 0; i < parts.len; i++) {
        const char *part = parts.items[i];
        if (starts_with(part, "type=") && !streq(part, "type=local"))
            return error_set(err, -EOPNOTSUPP, "%s %s: only type=local is there", flag, word);
        if (starts_with(part, key)) {
            free(*dir);
            *dir = xstrdup(part + strlen(key));
        }
    }
    return *dir ? 0 : error_set(err, -EINVAL, "%s %s: write type=local,%sDIR", flag, word, key);
}

int exchange_check(const struct build_options *o, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < o->cache_from.len; i++) {
        autofree char *dir = NULL;
        rc = parse("--cache-from", o->cache_from.items[i], "src=", &dir, err);
    }
    for (size_t i = 0; rc == 0 && i < o->cache_to.len; i++) {
        autofree char *dir = NULL;
        rc = parse("--cache-to", o->cache_to.items[i], "dest=", &dir, err);
    }
    return rc;
}

static int run_worker(const struct build *b, const char *what, const char *dir, int input,
                      struct error *err)
{
    autostrv words = {0};
    pid_t pid;
    int status;
    strv_add(&words, "caisson-image");
    strv_add(&words, "__cache");
    strv_add(&words, what);
    strv_add(&words, dir);
    const struct process_spec spec = {
        .program = b->place->worker, .argv = strv_argv(&words), .fds = {input, -1, 2}};
    int rc = process_start(&spec, &pid, NULL, err);
    if (rc == 0)
        rc = process_wait(pid, &status, err);
    if (rc == 0 && process_exit_code(status) != 0)
        rc = error_set(err, -EIO, "the cache %s could not be %s", dir,
                       streq(what, "save") ? "written" : "read");
    return rc;
}

int exchange_take(const struct build *b, const struct build_watch *watch, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < b->options->cache_from.len; i++) {
        autofree char *dir = NULL;
        rc = parse("--cache-from", b->options->cache_from.items[i], "src=", &dir, err);
        autofree char *steps = rc < 0 ? NULL : xasprintf("%s/steps", dir);
        if (rc == 0 && access(steps, F_OK) < 0) {
            autofree char *text = xasprintf("--cache-from %s: there is no cache yet", dir);
            if (watch->warn)
                watch->warn(watch->closure, text);
            continue;
        }
        /* What cannot be read is not known, and the build goes on; the worker said why. */
        struct error damaged = {0};
        if (rc == 0 && run_worker(b, "load", dir, -1, &damaged) < 0 && watch->warn)
            watch->warn(watch->closure, damaged.text);
    }
    return rc;
}

/* What stages noted (stage_used()). */
static int used_file(const struct build *b, struct error *err)
{
    autofd fd = memfd_create("used", MFD_CLOEXEC);
    int rc = fd < 0 ? -errno : 0;
    for (size_t i = 0; rc == 0 && i < b->file.stage_count; i++) {
        char name[32];
        autobuf text = {0};
        snprintf(name, sizeof name, "used-%zu", i);
        if (read_file_at(b->staging.fd, name, USED_MAX, &text, NULL) == 0)
            rc = write_all(fd, text.data, text.len);
    }
    if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
        rc = -errno;
    return rc < 0 ? error_set(err, rc, "cannot list what was used: %s", error_describe(rc))
                  : take_fd(&fd);
}

int exchange_give(const struct build *b, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < b->options->cache_to.len; i++) {
        autofree char *dir = NULL;
        rc = parse("--cache-to", b->options->cache_to.items[i], "dest=", &dir, err);
        autofd used = rc < 0 ? rc : used_file(b, err);
        if (rc == 0)
            rc = used < 0 ? used : run_worker(b, "save", dir, used, err);
    }
    return rc;
}
