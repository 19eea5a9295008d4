/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/tar_pax.h"

#include <string.h>

#include "archive/tar_block.h"
#include "base/memory.h"
#include "base/text.h"

#define XATTR_PREFIX "SCHILY.xattr."
#define XATTR_NAME_MAX 255 /* the kernel's */
#define XATTRS_MAX 1024

struct record {
    const char *key;
    char *value; /* NUL-terminated, may hold NULs itself */
    size_t length;
};

int pax_number(const char *text, const char *end, uint64_t max, uint64_t *value)
{
    uint64_t sum = 0;
    if (text == end)
        return -EINVAL;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        if (sum > (UINT64_MAX - 9) / 10)
            return -ERANGE;
        sum = sum * 10 + (uint64_t)(*text - '0');
    }
    if (sum > max)
        return -ERANGE;
    *value = sum;
    return 0;
}

static int bad(const struct record *r, struct error *err)
{
    autobuf key = {0};
    buf_printable(&key, r->key);
    return error_set(err, -EBADMSG, "damaged archive: extended header with a bad %s",
                     buf_text(&key));
}

static int take_number(const struct record *r, uint64_t max, bool *has, uint64_t *value,
                       struct error *err)
{
    *has = r->length > 0; /* an empty value takes back what was said before */
    if (!*has)
        return 0;
    return pax_number(r->value, r->value + r->length, max, value) < 0 ? bad(r, err) : 0;
}

static int take_text(const struct record *r, const char **value, struct error *err)
{
    if (memchr(r->value, '\0', r->length) || r->length > TAR_NAME_MAX)
        return bad(r, err);
    *value = r->length > 0 ? r->value : NULL;
    return 0;
}

/* Seconds with an optional sign and fraction; digits after the ninth are cut off. */
static int take_time(const struct record *r, struct pax *pax, struct error *err)
{
    pax->has_mtime = r->length > 0;
    if (!pax->has_mtime)
        return 0;
    const char *at = r->value, *end = r->value + r->length;
    bool negative = *at == '-';
    if (negative)
        at++;
    const char *point = memchr(at, '.', (size_t)(end - at));
    uint64_t seconds;
    if (pax_number(at, point ? point : end, INT64_MAX / 2, &seconds) < 0)
        return bad(r, err);
    uint32_t nsec = 0, unit = 100000000;
    for (at = point ? point + 1 : end; at < end; at++, unit /= 10) {
        if (*at < '0' || *at > '9')
            return bad(r, err);
        nsec += (uint32_t)(*at - '0') * unit;
    }
    pax->mtime = negative ? -(int64_t)seconds : (int64_t)seconds;
    pax->mtime_nsec = nsec;
    if (negative && nsec > 0) {
        pax->mtime--;
        pax->mtime_nsec = 1000000000 - nsec;
    }
    return 0;
}

static int take_xattr(const struct record *r, struct pax *pax, struct error *err)
{
    const char *name = r->key + strlen(XATTR_PREFIX);
    if (*name == '\0' || strlen(name) > XATTR_NAME_MAX || r->length > TAR_NAME_MAX)
        return bad(r, err);
    for (size_t i = 0; i < pax->xattr_count; i++) {
        if (streq(pax->xattrs[i].name, name))
            return bad(r, err);
    }
    if (pax->xattr_count == XATTRS_MAX)
        return error_set(err, -EBADMSG, "more than %d extended attributes on one entry",
                         XATTRS_MAX);
    if (pax->xattr_count == pax->xattr_cap) {
        pax->xattr_cap = pax->xattr_cap ? pax->xattr_cap * 2 : 4;
        pax->xattrs = xrealloc(pax->xattrs, pax->xattr_cap, sizeof *pax->xattrs);
    }
    pax->xattrs[pax->xattr_count++] =
        (struct tar_xattr){.name = name, .value = r->value, .length = r->length};
    return 0;
}

static int add_map_number(const struct record *r, const char *text, const char *end,
                          struct pax *pax, struct error *err)
{
    uint64_t number;
    if (pax->number_count >= 2 * TAR_SEGMENTS_MAX ||
        pax_number(text, end, TAR_SIZE_MAX, &number) < 0)
        return bad(r, err);
    if (pax->number_count == pax->number_cap) {
        pax->number_cap = pax->number_cap ? pax->number_cap * 2 : 16;
        pax->numbers = xrealloc(pax->numbers, pax->number_cap, sizeof *pax->numbers);
    }
    pax->numbers[pax->number_count++] = number;
    pax->has_map = true;
    return 0;
}

/* "0,512,1024,512" */
static int take_map(const struct record *r, struct pax *pax, struct error *err)
{
    const char *at = r->value, *end = r->value + r->length;
    pax->number_count = 0;
    pax->has_map = true;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        int rc = add_map_number(r, at, comma ? comma : end, pax, err);
        if (rc < 0)
            return rc;
        at = comma ? comma + 1 : end;
    }
    return 0;
}

static int take_sparse(const struct record *r, struct pax *pax, struct error *err)
{
    const char *what = r->key + strlen("GNU.sparse.");
    const char *end = r->value + r->length;
    bool ignored;
    uint64_t number;
    if (streq(what, "name"))
        return take_text(r, &pax->sparse_name, err);
    if (streq(what, "size") || streq(what, "realsize"))
        return take_number(r, TAR_SIZE_MAX, &pax->has_sparse_size, &pax->sparse_size, err);
    if (streq(what, "major"))
        return take_number(r, 1, &pax->map_follows, &pax->sparse_major, err);
    if (streq(what, "minor"))
        return take_number(r, 1, &ignored, &number, err);
    if (streq(what, "map"))
        return take_map(r, pax, err);
    /* In form 0.0 offsets and lengths take turns. */
    if (streq(what, "offset") || streq(what, "numbytes")) {
        if (pax->number_count % 2 != (*what == 'n'))
            return bad(r, err);
        return add_map_number(r, r->value, end, pax, err);
    }
    if (streq(what, "numblocks"))
        return take_number(r, TAR_SEGMENTS_MAX, &pax->has_map, &number, err);
    return 0;
}

static int take_local(const struct record *r, struct pax *pax, struct error *err)
{
    if (streq(r->key, "path"))
        return take_text(r, &pax->path, err);
    if (streq(r->key, "linkpath"))
        return take_text(r, &pax->link, err);
    if (streq(r->key, "size"))
        return take_number(r, TAR_SIZE_MAX, &pax->has_size, &pax->size, err);
    if (starts_with(r->key, XATTR_PREFIX))
        return take_xattr(r, pax, err);
    if (starts_with(r->key, "GNU.sparse."))
        return take_sparse(r, pax, err);
    return 0; /* atime, comment, …: nothing that we keep */
}

static int take(const struct record *r, enum pax_scope scope, struct pax *pax, struct error *err)
{
    if (streq(r->key, "uid"))
        return take_number(r, UINT64_MAX, &pax->has_uid, &pax->uid, err);
    if (streq(r->key, "gid"))
        return take_number(r, UINT64_MAX, &pax->has_gid, &pax->gid, err);
    if (streq(r->key, "mtime"))
        return take_time(r, pax, err);
    if (scope == PAX_LOCAL)
        return take_local(r, pax, err);
    if (streq(r->key, "path") || streq(r->key, "linkpath") || streq(r->key, "size") ||
        starts_with(r->key, XATTR_PREFIX) || starts_with(r->key, "GNU.sparse.")) {
        autobuf key = {0};
        buf_printable(&key, r->key);
        return error_set(err, -EBADMSG,
                         "a global extended header sets %s for all entries, which readers of tar "
                         "understand differently",
                         buf_text(&key));
    }
    return 0;
}

/* "LENGTH KEY=VALUE\n", LENGTH counting all of it. The record's end, or NULL. */
static char *next_record(char *at, char *end, struct record *r)
{
    uint64_t length;
    char *space = memchr(at, ' ', (size_t)(end - at));
    if (!space || pax_number(at, space, (uint64_t)(end - at), &length) < 0)
        return NULL;
    char *stop = at + length;
    char *key = space + 1;
    if (stop <= key || stop[-1] != '\n')
        return NULL;
    char *equals = memchr(key, '=', (size_t)(stop - key));
    if (!equals || equals == key || memchr(key, '\0', (size_t)(equals - key)))
        return NULL;
    *equals = '\0';
    stop[-1] = '\0';
    *r = (struct record){.key = key, .value = equals + 1, .length = (size_t)(stop - equals) - 2};
    return stop;
}

int pax_apply(struct pax *pax, enum pax_scope scope, char *bytes, size_t length, struct error *err)
{
    char *end = bytes + length;
    for (char *at = bytes; at < end;) {
        struct record record;
        at = next_record(at, end, &record);
        if (!at)
            return error_set(err, -EBADMSG, "damaged archive: extended header not understood");
        int rc = take(&record, scope, pax, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

void pax_clear(struct pax *pax)
{
    free(pax->xattrs);
    free(pax->numbers);
    *pax = (struct pax){0};
}
