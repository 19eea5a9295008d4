/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/pulled.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "registry/wire.h"
#include "store/layout.h"

#define RECORD_MAX 2048

static bool take_line(const char *key, const char *value, struct pulled *out)
{
    if (streq(key, "digest") && digest_valid(value))
        memcpy(out->digest, value, DIGEST_MAX);
    else if (streq(key, "held") && digest_valid(value))
        memcpy(out->held, value, DIGEST_MAX);
    else if (streq(key, "coming") && digest_valid(value))
        memcpy(out->coming, value, DIGEST_MAX);
    else if (streq(key, "signer") && *value && strlen(value) < sizeof out->signer)
        memcpy(out->signer, value, strlen(value) + 1);
    else
        return streq(key, "when") && parse_rfc3339(value, &out->when) == 0;
    return true;
}

int pulled_read(struct store *store, const char *full_name, struct pulled *out, struct error *err)
{
    char file[STORE_PATH_MAX], path[STORE_PATH_MAX + sizeof PULLED_DIR];
    autobuf text = {0};
    char *key, *value;
    struct error why = {0};
    *out = (struct pulled){0};
    layout_name_file(full_name, file);
    snprintf(path, sizeof path, PULLED_DIR "/%s", file);
    int rc = read_file_at(store->root_fd, path, RECORD_MAX, &text, &why);
    if (rc == -ENOENT)
        return 0;
    buf_room(&text, 0)[0] = '\0';
    bool good = rc == 0 && text.len > 0 && text.data[text.len - 1] == '\n';
    for (char *at = text.data; good && wire_line(&at, &key, &value);)
        good = take_line(key, value, out);
    if (good && (out->digest[0] || out->held[0] || out->coming[0] || out->signer[0]))
        return 0;
    return error_set(err, rc < 0 ? rc : -EBADMSG,
                     "%s/%s, which says who had signed %s, is damaged: if nobody had, remove it",
                     store->root, path, full_name);
}

int pulled_write(struct store *store, const char *full_name, const struct pulled *pulled,
                 struct error *err)
{
    char file[STORE_PATH_MAX], when[RFC3339_MAX];
    autobuf text = {0};
    if (mkdirat(store->root_fd, PULLED_DIR, 0700) < 0 && errno != EEXIST)
        return error_errno(err, "cannot create %s/" PULLED_DIR, store->root);
    autofd directory = open_directory_at(store->root_fd, PULLED_DIR, err);
    if (directory < 0)
        return directory;
    layout_name_file(full_name, file);
    format_rfc3339(pulled->when, when);
    if (pulled->digest[0])
        wire_add(&text, "digest", pulled->digest);
    if (pulled->held[0])
        wire_add(&text, "held", pulled->held);
    if (pulled->coming[0])
        wire_add(&text, "coming", pulled->coming);
    wire_add(&text, "when", when);
    if (pulled->signer[0])
        wire_add(&text, "signer", pulled->signer);
    return write_file_at(directory, file, text.data, text.len, 0600, DURABLE, err);
}
