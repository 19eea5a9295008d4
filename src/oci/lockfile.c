/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/lockfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/strv.h"
#include "base/text.h"

#define VERSION "version 1"

/* Where it is, or is to be. */
static size_t find(const struct lockfile *lock, const char *name, bool *found)
{
    size_t low = 0, high = lock->count;
    *found = false;
    while (low < high && !*found) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(lock->items[middle].name, name);
        *found = order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return *found ? high : low;
}

static int wrong(const char *file, size_t number, const char *line, const char *what,
                 struct error *err)
{
    autobuf shown = {0};
    char start[101];
    snprintf(start, sizeof start, "%s", line);
    buf_printable(&shown, start);
    return error_set(err, -EINVAL, "%s:%zu: %s: \"%s\"", file, number, what, buf_text(&shown));
}

/* Whether it is whole, as lockfile_write() has it. */
static bool name_valid(const char *name)
{
    autoreference ref = {0};
    autobuf full = {0};
    if (reference_parse(name, &ref, NULL) < 0 || ref.digest[0] || !ref.tag)
        return false;
    reference_full(&ref, &full);
    return streq(buf_text(&full), name);
}

static int take_line(char *line, const char *file, size_t number, struct lockfile *out,
                     struct error *err)
{
    char *space = strchr(line, ' ');
    if (!space)
        return wrong(file, number, line, "a name and a digest are needed", err);
    *space = '\0';
    if (!name_valid(line))
        return wrong(file, number, line, "no whole name of an image with a tag", err);
    if (!digest_valid(space + 1))
        return wrong(file, number, space + 1, "no digest", err);
    bool found;
    (void)find(out, line, &found);
    if (found)
        return wrong(file, number, line, "the name is there twice", err);
    lockfile_set(out, line, space + 1);
    return 0;
}

int lockfile_parse(const char *text, size_t length, const char *file, struct lockfile *out,
                   struct error *err)
{
    autostrv lines = {0};
    bool versioned = false;
    int rc = 0;
    if (length > LOCKFILE_MAX || strlen(text) != length)
        return error_set(err, -EINVAL, "%s is no lock file: %s", file,
                         length > LOCKFILE_MAX ? "it is too large" : "it has a NUL byte in it");
    strv_split(&lines, text, '\n');
    for (size_t i = 0; rc == 0 && i < lines.len; i++) {
        char *line = lines.items[i];
        size_t end = strlen(line);
        while (end > 0 && strchr(" \t\r", line[end - 1]))
            line[--end] = '\0';
        if (*line == '\0' || *line == '#')
            continue;
        if (versioned)
            rc = take_line(line, file, i + 1, out, err);
        else if (!streq(line, VERSION))
            rc = wrong(file, i + 1, line,
                       "the first line has to be \"" VERSION "\", which is what this caisson knows",
                       err);
        versioned = true;
    }
    if (rc == 0 && !versioned)
        rc = error_set(err, -EINVAL, "%s is no lock file: it is empty", file);
    if (rc < 0)
        lockfile_free(out);
    return rc;
}

const char *lockfile_find(const struct lockfile *lock, const struct reference *ref)
{
    autobuf full = {0};
    if (ref->digest[0])
        return NULL;
    reference_full(ref, &full);
    bool found;
    size_t at = find(lock, buf_text(&full), &found);
    return found ? lock->items[at].digest : NULL;
}

void lockfile_set(struct lockfile *lock, const char *full_name, const char *digest)
{
    bool found;
    size_t at = find(lock, full_name, &found);
    if (!found) {
        lock->items = xrealloc(lock->items, lock->count + 1, sizeof *lock->items);
        memmove(lock->items + at + 1, lock->items + at, (lock->count - at) * sizeof *lock->items);
        lock->items[at].name = xstrdup(full_name);
        lock->count++;
    }
    snprintf(lock->items[at].digest, DIGEST_MAX, "%s", digest);
}

void lockfile_write(const struct lockfile *lock, struct buf *out)
{
    buf_str(out, "# What images are held to here by \"caisson build\" and \"caisson pull\".\n"
                 "# Written by \"caisson lock\"; it belongs to the sources.\n" VERSION "\n");
    for (size_t i = 0; i < lock->count; i++)
        buf_fmt(out, "%s %s\n", lock->items[i].name, lock->items[i].digest);
}

void lockfile_free(struct lockfile *lock)
{
    for (size_t i = 0; i < lock->count; i++)
        free(lock->items[i].name);
    free(lock->items);
    *lock = (struct lockfile){0};
}
