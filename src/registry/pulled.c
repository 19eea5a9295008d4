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

void pulled_read(struct store *store, const char *full_name, struct pulled *out)
{
    char file[STORE_PATH_MAX], path[STORE_PATH_MAX + sizeof PULLED_DIR];
    autobuf text = {0};
    char *key, *value;
    *out = (struct pulled){0};
    layout_name_file(full_name, file);
    snprintf(path, sizeof path, PULLED_DIR "/%s", file);
    if (read_file_at(store->root_fd, path, RECORD_MAX, &text, NULL) < 0 || text.len == 0)
        return;
    for (char *at = text.data; wire_line(&at, &key, &value);) {
        if (streq(key, "digest") && digest_valid(value))
            memcpy(out->digest, value, DIGEST_MAX);
        else if (streq(key, "when"))
            (void)parse_rfc3339(value, &out->when);
        else if (streq(key, "signer") && strlen(value) < sizeof out->signer)
            memcpy(out->signer, value, strlen(value) + 1);
    }
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
    buf_fmt(&text, "digest %s\nwhen %s\n", pulled->digest, when);
    if (pulled->signer[0])
        wire_add(&text, "signer", pulled->signer);
    return write_file_at(directory, file, text.data, text.len, 0600, DURABLE, err);
}
