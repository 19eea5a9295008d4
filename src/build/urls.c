/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file an address, by the digest of it: what it led to and what the server called that. A
 * server that is asked with it says that nothing has changed, or sends what has.
 *
 * A file that is damaged is one that is not there.
 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "build/fetching.h"
#include "store/steps.h"

#define RECORD_MAX 4096

static void name_of(const char *address, char hex[SHA256_HEX])
{
    sha256_hex(address, strlen(address), hex);
}

/* "1 DIGEST MODIFIED ETAG" */
static bool read_record(const char *text, struct url_record *out)
{
    autostrv words = {0};
    struct url_record record = {.modified = -1};
    strv_split(&words, text, ' ');
    if (words.len < 4 || !streq(words.items[0], "1") || strlen(words.items[1]) != SHA256_HEX - 1 ||
        !is_hex(words.items[1], SHA256_HEX - 1) ||
        parse_i64(words.items[2], -1, INT64_MAX / NSEC_PER_SEC, &record.modified) < 0)
        return false;
    const char *etag = strchr(strchr(strchr(text, ' ') + 1, ' ') + 1, ' ') + 1;
    size_t length = strcspn(etag, "\n");
    if (length >= sizeof record.etag)
        return false;
    memcpy(record.digest, words.items[1], SHA256_HEX);
    memcpy(record.etag, etag, length);
    *out = record;
    return record.etag[0] || record.modified >= 0;
}

bool urls_find(struct store *store, const char *address, struct url_record *out)
{
    char name[SHA256_HEX];
    autobuf text = {0};
    autofd dir = steps_directory(store, "urls", NULL);
    name_of(address, name);
    return dir >= 0 && read_file_at(dir, name, RECORD_MAX, &text, NULL) == 0 &&
           read_record(buf_text(&text), out);
}

void urls_keep(struct staging *staging, const char *address, const struct url_record *record)
{
    char name[SHA256_HEX], entry[SHA256_HEX + 24];
    autobuf text = {0};
    if (!record->etag[0] && record->modified < 0)
        return;
    autofd dir = steps_directory(staging->store, "urls", NULL);
    name_of(address, name);
    snprintf(entry, sizeof entry, "url-%d-%s", (int)getpid(), name); /* other stages write, too */
    buf_fmt(&text, "1 %s %lld %s\n", record->digest, (long long)record->modified, record->etag);
    if (dir >= 0 && staging_write(staging, entry, text.data, text.len, NULL) == 0)
        (void)staging_publish(staging, entry, "build/urls", name, NULL);
}
