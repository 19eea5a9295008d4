/* SPDX-License-Identifier: Apache-2.0 */
/* login and logout: who we are at a registry. */
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/print.h"
#include "cmd/registry_worker.h"
#include "cmd/secret_words.h"
#include "registry/auth.h"

#define DOCKER "docker.io"

/* "https://registry.example.com/" is what people copy. */
static int registry_name(const struct invocation *call, char **out, struct error *err)
{
    const char *text = call->count > 0 ? call->arguments[0] : DOCKER;
    const char *scheme = strstr(text, "://");
    text = scheme ? scheme + 3 : text;
    autofree char *host = xstrndup(text, strcspn(text, "/"));
    if (streq(host, "index.docker.io") || streq(host, "registry-1.docker.io")) {
        *out = xstrdup(DOCKER);
        return 0;
    }
    int rc = registry_valid(host, err);
    if (rc < 0)
        return rc;
    *out = xstrdup(host);
    return 0;
}

/* --- asking the person --- */

static int ask_user(char **out, struct error *err)
{
    (void)write_all(STDERR_FILENO, "Username: ", strlen("Username: "));
    return secret_read_line(out, err);
}

static int ask_person(const struct login_options *o, char **user, char **password,
                      struct error *err)
{
    int rc = 0;
    if (o->password_stdin && o->password)
        return error_set(err, -EINVAL, "--password and --password-stdin contradict each other");
    if (o->password_stdin && !o->user)
        return error_set(err, -EINVAL, "--password-stdin wants --username");
    if (!o->password_stdin && !o->password && !isatty(STDIN_FILENO))
        return error_set(err, -ENOTTY,
                         "standard input is no terminal to ask for a password on: pipe it in with "
                         "--password-stdin");
    if (o->password)
        tell_warning("a password on the command line can be read by others; --password-stdin "
                     "cannot");
    if (o->user)
        *user = xstrdup(o->user);
    else
        rc = ask_user(user, err);
    if (rc == 0 && !**user)
        rc = error_set(err, -EINVAL, "a user is needed");
    if (rc == 0 && o->password)
        *password = xstrdup(o->password);
    else if (rc == 0)
        rc = o->password_stdin ? secret_read_line(password, err)
                               : secret_ask("Password: ", password, err);
    if (rc == 0 && !**password)
        rc = error_set(err, -EINVAL, "a password is needed");
    return rc;
}

/* --- asking the registry --- */

static int try_them(struct connection *c, struct error *err)
{
    struct answer answer;
    const struct ask ask = {.method = "GET", .target = "/v2/", .most = 1 << 20};
    int rc = client_document(&c->client, &ask, &answer, NULL, err);
    if (rc < 0)
        return rc;
    const struct endpoint *e = &c->endpoints.items[0];
    if (answer.status == 401 || answer.status == 403)
        return error_set(err, -EACCES, "%s: wrong user or password", e->name);
    if (answer.status != 200)
        return error_set(err, -EIO, "%s answers %d where a registry says who it is: is it one?",
                         e->name, answer.status);
    return 0;
}

int command_login(const struct invocation *call, void *options, struct error *err)
{
    const struct login_options *o = options;
    autofree char *registry = NULL, *user = NULL, *where = NULL;
    autosecret password = NULL;
    autoconf conf = NULL;
    autoconnection c = {0};
    autobuf said = {0};
    int rc = registry_name(call, &registry, err);
    if (rc == 0)
        rc = conf_read(&conf, err);
    if (rc == 0)
        rc = ask_person(o, &user, &password, err);
    if (rc < 0)
        return rc;
    autosecret creds = xasprintf("%s:%s", user, password);
    if (strchr(user, ':'))
        return error_set(err, -EINVAL, "a user's name has no \":\" in it");
    struct reach_options reach = o->reach;
    reach.creds = creds;
    const struct auth auth = {.user = user, .password = password};
    rc = connect_to_registry(conf, registry, "", &reach, 1, false, &c, err);
    if (rc == 0)
        rc = try_them(&c, err);
    if (rc == 0)
        rc = auth_keep(o->reach.authfile, registry, &auth, &where, err);
    if (rc < 0)
        return rc;
    buf_fmt(&said, "Login Succeeded: %s at %s, kept in %s\n", user, registry, where);
    return print(&said);
}

int command_logout(const struct invocation *call, void *options, struct error *err)
{
    const struct logout_options *o = options;
    autofree char *registry = NULL;
    autobuf said = {0};
    bool removed = false;
    if (o->all && call->count > 0)
        return error_set(err, -EINVAL, "--all and a registry contradict each other");
    int rc = registry_name(call, &registry, err);
    if (rc == 0)
        rc = auth_remove(o->authfile, o->all ? NULL : registry, &removed, err);
    if (rc < 0)
        return rc;
    if (!removed)
        buf_fmt(&said, "Not logged in to %s\n", o->all ? "any registry" : registry);
    else
        buf_fmt(&said, "Removed login credentials for %s\n", o->all ? "all registries" : registry);
    return print(&said);
}
