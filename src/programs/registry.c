/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-registry: requests to registries, for caisson-image.
 *
 *   0     where registries are and who we are there (transport/settings.c); no word of it is on the
 *         command line, where everybody reads it
 *   2     why it did not start
 *   3 …   lanes (registry/wire.h); it ends when all of their other ends are closed
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "fetch/fetch.h"
#include "registry/wire.h"
#include "transport/transport.h"

static int read_settings(struct settings *out, struct error *err)
{
    autobuf text = {0};
    int rc = read_fd(STDIN_FILENO, WIRE_SETTINGS_MAX, &text);
    if (rc < 0)
        return error_set(err, rc, "cannot read where registries are: %s", error_describe(rc));
    buf_room(&text, 0)[0] = '\0';
    rc = settings_read(text.data, out, err);
    explicit_bzero(text.data, text.len);
    return rc;
}

static int bound(struct error *err)
{
    const struct rlimit none = {0};
    signal(SIGPIPE, SIG_IGN);
    /* It writes no file. */
    if (setrlimit(RLIMIT_FSIZE, &none) < 0 || setrlimit(RLIMIT_CORE, &none) < 0 ||
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_errno(err, "cannot bound caisson-registry");
    return 0;
}

/* An authority of one registry's comes beside those of the system. */
static int add_system(const struct fetch_authorities *authorities, struct settings *settings,
                      struct error *err)
{
    autobuf system = {0};
    for (size_t i = 0; i < settings->place_count; i++) {
        struct buf *own = &settings->places[i].authorities;
        if (own->len == 0 || !authorities->file)
            continue;
        if (system.len == 0) {
            int rc = read_file_at(AT_FDCWD, authorities->file, 4u << 20, &system, err);
            if (rc < 0)
                return rc;
        }
        buf_add(own, system.data, system.len);
    }
    return 0;
}

static int run(struct error *err)
{
    struct settings settings __attribute__((cleanup(settings_free))) = {0};
    struct fetch_authorities authorities;
    int rc = read_settings(&settings, err);
    if (rc == 0)
        rc = bound(err);
    if (rc == 0)
        rc = fetch_prepare(err);
    fetch_authorities_find(&authorities);
    if (rc == 0)
        rc = add_system(&authorities, &settings, err);
    settings.authority_file = authorities.file;
    settings.authority_directory = authorities.directory;
    if (rc == 0)
        rc = fetch_confine(&authorities, err);
    return rc < 0 ? rc : serve(&settings, err);
}

int main(void)
{
    struct error err = {0};
    autobuf text = {0};
    if (run(&err) == 0)
        return 0;
    buf_fmt(&text, "caisson-registry: %s\n", err.text);
    (void)write_all(STDERR_FILENO, text.data, text.len);
    return 1;
}
