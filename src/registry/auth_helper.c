/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/auth_helper.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/secret.h"
#include "base/text.h"

#define ANSWER_MAX (64u << 10)
#define TOKEN_USER "<token>" /* its secret is an identity token */

static int check_name(const char *name, struct error *err)
{
    if (*name && *name != '.' && !strchr(name, '/'))
        return 0;
    return error_set(err, -EINVAL, "\"%.100s\" is no name of a credential helper", name);
}

/* *status: 0, or what it ended with; its words are in `out` either way. */
static int run(const char *name, const char *verb, const char *input, struct buf *out, int *status,
               struct error *err)
{
    autofree char *program = xasprintf("docker-credential-%s", name), *word = xstrdup(verb);
    char *const words[] = {program, word, NULL};
    int ends[2];
    pid_t pid;
    int rc = check_name(name, err);
    if (rc < 0)
        return rc;
    autofd text = memfd_create("credential", MFD_CLOEXEC);
    rc = text < 0 ? -errno : write_all(text, input, strlen(input));
    if (rc == 0 && (lseek(text, 0, SEEK_SET) < 0 || pipe2(ends, O_CLOEXEC) < 0))
        rc = -errno;
    if (rc < 0)
        return error_set(err, rc, "cannot ask %s: %s", program, error_describe(rc));
    autofd reader = ends[0];
    const struct process_spec spec = {
        .program = program, .search = true, .argv = words, .fds = {text, ends[1], STDERR_FILENO}};
    rc = process_start(&spec, &pid, NULL, err);
    close(ends[1]);
    if (rc < 0)
        return error_prefix(err, "credential helper %s", program);
    rc = read_fd(reader, ANSWER_MAX, out);
    close(take_fd(&reader));
    int waited = process_wait(pid, status, err);
    if (rc < 0)
        return error_set(err, rc, "cannot read what %s says: %s", program, error_describe(rc));
    *status = waited == 0 ? process_exit_code(*status) : 0;
    return waited;
}

static int failed(const char *name, const char *verb, const struct buf *said, struct error *err)
{
    autobuf shown = {0};
    autofree char *line = xstrndup(buf_text(said), strcspn(buf_text(said), "\n"));
    buf_printable(&shown, line);
    return error_set(err, -EIO, "docker-credential-%s %s: %.300s", name, verb,
                     shown.len ? buf_text(&shown) : "it failed without a word");
}

static int read_answer(const char *name, const struct buf *said, struct auth *out,
                       struct error *err)
{
    const char *user = NULL, *secret = NULL;
    autojson json = json_parse(buf_text(said), said->len, "the answer of a credential helper", err);
    int rc = json ? json_get_string(json, "Username", &user, err) : -EINVAL;
    if (rc == 0)
        rc = json_get_string(json, "Secret", &secret, err);
    if (rc < 0)
        return error_prefix(err, "docker-credential-%s", name);
    if (!user || !secret || !*user)
        return 0;
    if (streq(user, TOKEN_USER)) {
        out->identity = xstrdup(secret);
        return 0;
    }
    out->user = xstrdup(user);
    out->password = xstrdup(secret);
    return 0;
}

int auth_helper_get(const char *name, const char *server, struct auth *out, struct error *err)
{
    autosecretbuf said = {0};
    int status = 0;
    int rc = run(name, "get", server, &said, &status, err);
    if (rc == 0 && status != 0)
        rc = strstr(buf_text(&said), "not found") ? 0 : failed(name, "get", &said, err);
    else if (rc == 0)
        rc = read_answer(name, &said, out, err);
    return rc;
}

int auth_helper_store(const char *name, const char *server, const struct auth *auth,
                      struct error *err)
{
    autosecretbuf input = {0};
    autobuf said = {0};
    struct json_out w = {.buf = &input};
    int status = 0;
    json_begin(&w, NULL, '{');
    json_str(&w, "ServerURL", server);
    json_str(&w, "Username", auth->identity ? TOKEN_USER : auth->user);
    json_str(&w, "Secret", auth->identity ? auth->identity : auth->password);
    json_end(&w, '}');
    int rc = run(name, "store", buf_text(&input), &said, &status, err);
    return rc == 0 && status != 0 ? failed(name, "store", &said, err) : rc;
}

int auth_helper_erase(const char *name, const char *server, bool *removed, struct error *err)
{
    autobuf said = {0};
    struct auth known = {0};
    int status = 0;
    int rc = auth_helper_get(name, server, &known, err);
    bool there = known.user || known.identity;
    auth_free(&known);
    if (rc < 0 || !there)
        return rc;
    rc = run(name, "erase", server, &said, &status, err);
    if (rc == 0 && status != 0)
        return failed(name, "erase", &said, err);
    *removed |= rc == 0;
    return rc;
}
