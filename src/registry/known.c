/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/known.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "store/layout.h"

#define KNOWN_FILE "blobs"
#define KNOWN_BYTES_MAX 32768

static bool fits(const char *text, char *out, size_t size)
{
    snprintf(out, size, "%s", text);
    return *text && strlen(text) < size;
}

/* "DIGEST SIZE TYPE HOST REPOSITORY" */
static bool read_line(const char *line, struct known_blob *out)
{
    autostrv words = {0};
    uint64_t size;
    strv_split(&words, line, ' ');
    if (words.len != 5 || !digest_valid(words.items[0]) ||
        parse_u64(words.items[1], INT64_MAX, &size) < 0)
        return false;
    memcpy(out->digest, words.items[0], DIGEST_MAX);
    out->size = (int64_t)size;
    return fits(words.items[2], out->type, sizeof out->type) &&
           fits(words.items[3], out->host, sizeof out->host) &&
           fits(words.items[4], out->repository, sizeof out->repository);
}

size_t known_read(struct store *store, const char *diff_id, struct known_blob out[KNOWN_MAX])
{
    char path[STORE_PATH_MAX + sizeof KNOWN_FILE];
    autobuf text = {0};
    autostrv lines = {0};
    size_t count = 0;
    snprintf(path, sizeof path, LAYERS_DIR "/%s/" KNOWN_FILE, digest_hex(diff_id));
    if (read_file_at(store->root_fd, path, KNOWN_BYTES_MAX, &text, NULL) < 0)
        return 0;
    strv_split(&lines, buf_text(&text), '\n');
    for (size_t i = 0; i < lines.len && count < KNOWN_MAX; i++)
        count += read_line(lines.items[i], &out[count]);
    return count;
}

static bool same(const struct known_blob *a, const struct known_blob *b)
{
    return streq(a->digest, b->digest) && streq(a->host, b->host) &&
           streq(a->repository, b->repository);
}

static void write_line(const struct known_blob *b, struct buf *out)
{
    buf_fmt(out, "%s %lld %s %s %s\n", b->digest, (long long)b->size, b->type, b->host,
            b->repository);
}

void known_add(struct store *store, const char *diff_id, const struct known_blob *blob)
{
    struct known_blob before[KNOWN_MAX];
    char path[STORE_PATH_MAX];
    autobuf text = {0};
    if (strpbrk(blob->type, " \n") || !*blob->type || !*blob->repository)
        return;
    size_t count = known_read(store, diff_id, before);
    if (count > 0 && same(&before[0], blob))
        return;
    write_line(blob, &text);
    for (size_t i = 0, kept = 1; i < count && kept < KNOWN_MAX; i++)
        if (!same(&before[i], blob)) {
            write_line(&before[i], &text);
            kept++;
        }
    layout_path(path, LAYERS_DIR, digest_hex(diff_id));
    autofd directory = open_directory_at(store->root_fd, path, NULL);
    if (directory >= 0)
        (void)write_file_at(directory, KNOWN_FILE, text.data, text.len, 0600, VOLATILE, NULL);
}
