/* SPDX-License-Identifier: Apache-2.0 */
#include "store/layout.h"

#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"

#define NAME_FILE_MAX 200 /* leaves room in NAME_MAX */
#define NAME_FILE_HEAD 120

void layout_path(char out[STORE_PATH_MAX], const char *directory, const char *file)
{
    snprintf(out, STORE_PATH_MAX, "%s/%s", directory, file);
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("_-:@", c);
}

void layout_name_file(const char *full_name, char out[STORE_PATH_MAX])
{
    autobuf file = {0};
    for (const char *at = full_name; *at; at++) {
        if (is_plain(*at) || (*at == '.' && at != full_name))
            buf_char(&file, *at);
        else
            buf_fmt(&file, "%%%02X", (unsigned char)*at);
    }
    /* Names may be longer than file names: then a prefix for people and a digest for uniqueness.
     * "%%" comes from no percent-encoded name. */
    if (file.len > NAME_FILE_MAX) {
        char hex[SHA256_HEX];
        sha256_hex(full_name, strlen(full_name), hex);
        file.len = NAME_FILE_HEAD;
        buf_fmt(&file, "%%%%%s", hex);
    }
    snprintf(out, STORE_PATH_MAX, "%s", buf_text(&file));
}

/* Takes the next line off *text; NULL when there is no whole line. */
static char *next_line(char **text)
{
    char *line = *text, *end = strchr(line, '\n');
    if (!end)
        return NULL;
    *end = '\0';
    *text = end + 1;
    return line;
}

int layout_read_name(struct store *store, const char *file, struct name_record *out,
                     struct error *err)
{
    char path[STORE_PATH_MAX], expected[STORE_PATH_MAX];
    autobuf text = {0};
    layout_path(path, IMAGES_DIR, file);
    int rc = read_file_at(store->root_fd, path, NAME_RECORD_MAX, &text, err);
    if (rc == -ENOENT)
        return rc;
    if (rc < 0)
        return error_prefix(err, "image store %s", store->root);
    buf_char(&text, '\0');
    char *at = text.data;
    const char *manifest = next_line(&at);
    const char *id = manifest ? next_line(&at) : NULL;
    const char *name = id ? next_line(&at) : NULL;
    const char *index = name && *at ? next_line(&at) : "";
    if (name)
        layout_name_file(name, expected);
    if (!name || !index || *at || (*index && !digest_valid(index)) || !digest_valid(manifest) ||
        !digest_valid(id) || !streq(expected, file))
        return error_set(err, -EBADMSG,
                         "%s/%s is damaged: remove this file and load the image again", store->root,
                         path);
    memcpy(out->manifest, manifest, DIGEST_MAX);
    memcpy(out->id, id, DIGEST_MAX);
    snprintf(out->index, sizeof out->index, "%s", index);
    out->name = xstrdup(name);
    return 0;
}

int layout_read_id(struct store *store, const char *hex, char manifest[DIGEST_MAX],
                   struct error *err)
{
    char path[STORE_PATH_MAX];
    autobuf text = {0};
    layout_path(path, IDS_DIR, hex);
    int rc = read_file_at(store->root_fd, path, NAME_RECORD_MAX, &text, err);
    if (rc == -ENOENT)
        return rc;
    if (rc < 0)
        return error_prefix(err, "image store %s", store->root);
    if (text.len == DIGEST_MAX && text.data[DIGEST_MAX - 1] == '\n')
        text.data[--text.len] = '\0';
    if (text.len != DIGEST_MAX - 1 || !digest_valid(text.data))
        return error_set(err, -EBADMSG,
                         "%s/%s is damaged: remove this file and load the image again", store->root,
                         path);
    memcpy(manifest, text.data, DIGEST_MAX);
    return 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int layout_list(struct store *store, const char *directory, struct strv *out, struct error *err)
{
    int fd = open_directory_at(store->root_fd, directory, err);
    if (fd < 0)
        return error_prefix(err, "image store %s", store->root);
    autodir d = fdopendir(fd);
    if (!d) {
        close(fd);
        return error_errno(err, "cannot read %s/%s", store->root, directory);
    }
    size_t first = out->len;
    const struct dirent *entry;
    while ((errno = 0, entry = readdir(d)))
        if (entry->d_name[0] != '.')
            strv_add(out, entry->d_name);
    if (errno)
        return error_errno(err, "cannot read %s/%s", store->root, directory);
    if (out->len > first)
        qsort(out->items + first, out->len - first, sizeof *out->items, compare_texts);
    return 0;
}
