/* SPDX-License-Identifier: Apache-2.0 */
/* login and logout: who we are at a registry. */
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/print.h"
#include "cmd/registry_worker.h"
#include "registry/auth.h"

#define WORD_MAX 4096
#define DOCKER "docker.io"

static void forget(char **secret)
{
    if (*secret)
        explicit_bzero(*secret, strlen(*secret));
    free(*secret);
}
#define autosecret __attribute__((cleanup(forget))) char *

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

static int read_line(char **out, struct error *err)
{
    char text[WORD_MAX];
    size_t length = 0;
    while (length < sizeof text) {
        ssize_t n = read(STDIN_FILENO, text + length, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, "cannot read standard input");
        if (n == 0 || text[length] == '\n')
            break;
        length++;
    }
    if (length == sizeof text)
        return error_set(err, -EFBIG, "that is too long for a password");
    if (length > 0 && text[length - 1] == '\r')
        length--;
    *out = xstrndup(text, length);
    explicit_bzero(text, sizeof text);
    return 0;
}

/* What is typed is not shown; however that ends, the terminal is as it was. */
static int ask_secretly(const char *question, char **out, struct error *err)
{
    struct termios before, quiet;
    if (tcgetattr(STDIN_FILENO, &before) < 0)
        return error_errno(err, "cannot ask for a password");
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    /* Signals come when the answer is there: a terminal left mute is worse than a late Ctrl-C. */
    quiet.c_lflag &= ~(tcflag_t)ISIG;
    (void)write_all(STDERR_FILENO, question, strlen(question));
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) < 0)
        return error_errno(err, "cannot ask for a password");
    int rc = read_line(out, err);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    (void)write_all(STDERR_FILENO, "\n", 1);
    if (rc == 0 && strchr(*out, '\003'))
        return error_set(err, -EINTR, "not signed in");
    return rc;
}

static int ask_user(char **out, struct error *err)
{
    (void)write_all(STDERR_FILENO, "Username: ", strlen("Username: "));
    return read_line(out, err);
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
        rc = o->password_stdin ? read_line(password, err)
                               : ask_secretly("Password: ", password, err);
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
