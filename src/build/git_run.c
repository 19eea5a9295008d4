/* SPDX-License-Identifier: Apache-2.0 */
/* git, command by command, in the confined process. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "build/fetching.h"
#include "build/git_parts.h"

#define LIST_MAX (1u << 20)
#define SAID_MAX 16384
#define SHOWN_MAX 400
#define DEPTH_MAX 400
#define SSH_PORT 22

/* In the directory that is git's HOME, so that the path of the agent's socket is short enough. */
#define SSH                                                                                        \
    "cd \"$HOME\" && SSH_AUTH_SOCK=agent exec ssh -F /dev/null -o BatchMode=yes "                  \
    "-o StrictHostKeyChecking=yes -o UserKnownHostsFile=known_hosts -o IdentityFile=none "         \
    "-o ForwardAgent=no -o ProxyCommand=none -o PermitLocalCommand=no -o ControlPath=none "        \
    "-o ConnectTimeout=30 -o ServerAliveInterval=30"

/* --- what it is told --- */

static void pass(struct strv *out, const char *from, const char *to)
{
    const char *value = getenv(from);
    if (value && *value)
        strv_fmt(out, "%s=%s", to, value);
}

static void base64(const char *text, struct buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i += 3) {
        size_t n = length - i < 3 ? length - i : 3;
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < n ? (unsigned char)text[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            buf_char(out, k <= n ? digits[bits >> (18 - 6 * k) & 63] : '=');
    }
}

/* The password goes as a header to this host alone; nobody else sees our environment. */
static void add_password(const struct remote *r, struct strv *out)
{
    autobuf header = {0};
    if ((r->scheme != REMOTE_HTTPS && r->scheme != REMOTE_HTTP) || !r->user)
        return;
    autofree char *both = xasprintf("%s:%s", r->user, r->password ? r->password : "");
    base64(both, &header);
    bool brackets = strchr(r->host, ':');
    strv_add(out, "GIT_CONFIG_COUNT=1");
    strv_fmt(out, "GIT_CONFIG_KEY_0=http.%s://%s%s%s:%u/.extraHeader",
             r->scheme == REMOTE_HTTPS ? "https" : "http", brackets ? "[" : "", r->host,
             brackets ? "]" : "", r->port);
    strv_fmt(out, "GIT_CONFIG_VALUE_0=Authorization: Basic %s", buf_text(&header));
    explicit_bzero(both, strlen(both));
}

static void environment(const struct git_work *w, bool inner, struct strv *out)
{
    static const char *const fixed[] = {"PATH=/usr/local/bin:/usr/bin:/bin",
                                        "LC_ALL=C",
                                        "GIT_CONFIG_NOSYSTEM=1",
                                        "GIT_CONFIG_SYSTEM=/dev/null",
                                        "GIT_CONFIG_GLOBAL=/dev/null",
                                        "GIT_ATTR_NOSYSTEM=1",
                                        "GIT_TERMINAL_PROMPT=0",
                                        "GIT_ASKPASS=/bin/false",
                                        "GIT_LFS_SKIP_SMUDGE=1",
                                        "GIT_SSH_VARIANT=ssh",
                                        "GIT_SSH_COMMAND=" SSH,
                                        "GIT_NO_REPLACE_OBJECTS=1"};
    static const char *const proxies[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                          "ALL_PROXY",  "no_proxy",    "NO_PROXY"};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        strv_add(out, fixed[i]);
    strv_fmt(out, "HOME=%s", w->path);
    strv_fmt(out, "TMPDIR=%s", w->path);
    /* What repositories in the repository say is somebody else's word. */
    strv_add(out, inner ? "GIT_ALLOW_PROTOCOL=https:ssh" : "GIT_ALLOW_PROTOCOL=https:http:ssh:git");
    for (size_t i = 0; i < sizeof proxies / sizeof *proxies; i++)
        pass(out, proxies[i], proxies[i]);
    if (!getenv("http_proxy"))
        pass(out, "HTTP_PROXY", "http_proxy");
    pass(out, "SSL_CERT_FILE", "GIT_SSL_CAINFO");
    pass(out, "SSL_CERT_DIR", "GIT_SSL_CAPATH");
    add_password(w->remote, out);
}

static void common_words(const struct git_work *w, struct strv *out)
{
    static const char *const settings[] = {
        "core.hooksPath=/dev/null",      "core.fsmonitor=false",      "core.askPass=",
        "core.attributesFile=/dev/null", "credential.helper=",        "submodule.recurse=false",
        "protocol.file.allow=never",     "protocol.ext.allow=never",  "gc.auto=0",
        "maintenance.auto=false",        "advice.detachedHead=false", "http.lowSpeedLimit=1",
        "http.lowSpeedTime=60"};
    strv_add(out, "git");
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        strv_add(out, "-c");
        strv_add(out, settings[i]);
    }
    if (w->limited) { /* a redirect is another name than the one that was looked at */
        strv_add(out, "-c");
        strv_add(out, "http.followRedirects=false");
    }
}

/* --- one command --- */

/* Where git says what is wrong; nothing of it is believed. */
static int said_file(int home)
{
    static const char name[] = "said";
    (void)unlinkat(home, name, 0);
    return openat(home, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* The end of what it said, as one line. */
static void read_said(int fd, char text[SAID_MAX])
{
    struct stat st;
    off_t from = 0;
    if (fstat(fd, &st) == 0 && st.st_size >= SAID_MAX)
        from = st.st_size - SAID_MAX + 1;
    ssize_t n = pread(fd, text, SAID_MAX - 1, from);
    if (n < 0)
        n = 0;
    text[n] = '\0';
    for (ssize_t i = 0; i < n; i++)
        if (text[i] == '\n' || text[i] == '\r' || text[i] == '\0')
            text[i] = ' ';
}

/* Of that only what tells why. */
static void last_words(const char *text, struct buf *out)
{
    autobuf bare = {0}, shown = {0};
    remote_redact(text, &bare);
    buf_printable(&shown, buf_text(&bare));
    const char *fatal = strstr(buf_text(&shown), "fatal: ");
    const char *at = fatal ? fatal + strlen("fatal: ") : buf_text(&shown);
    size_t length = strlen(at);
    while (length > 0 && at[length - 1] == ' ')
        length--;
    buf_add(out, at, length < SHOWN_MAX ? length : SHOWN_MAX);
}

/* What ssh says comes before git's own words, which are the same whatever was wrong. 0: it says
 * nothing that is known. */
static int ssh_failed(const struct remote *r, const char *text, struct error *err)
{
    char port[16] = "";
    if (r->scheme != REMOTE_SSH)
        return 0;
    if (r->port != SSH_PORT)
        snprintf(port, sizeof port, "-p %u ", r->port);
    if (strstr(text, "IDENTIFICATION HAS CHANGED"))
        return error_set(err, -EACCES,
                         "git cannot fetch %.300s: %.200s shows another key than the one in "
                         "known_hosts: somebody may stand in for it; if it has a new one, remove "
                         "the old one with ssh-keygen -R",
                         r->address, r->host);
    if (strstr(text, "Host key verification failed"))
        return error_set(err, -EACCES,
                         "git cannot fetch %.300s: the key of %.200s is not known here: connect to "
                         "it once with ssh, or compare what ssh-keyscan %s%.200s says and add it "
                         "to ~/.ssh/known_hosts",
                         r->address, r->host, port, r->host);
    if (strstr(text, "Permission denied (") || strstr(text, "Too many authentication failures"))
        return error_set(err, -EACCES,
                         "git cannot fetch %.300s: %.200s takes none of the keys that the agent "
                         "has: add one with ssh-add",
                         r->address, r->host);
    return 0;
}

/* "WORD WORD …" are arguments; `more`, which may be anything, comes behind. */
static int git(const struct git_work *w, bool inner, const char *words, const char *const *more,
               struct buf *answer, struct error *err)
{
    autostrv argv = {0}, env = {0}, parts = {0};
    autobuf said = {0};
    char text[SAID_MAX];
    autofree char *tree = xasprintf("%s/tree", w->path);
    autofd errors = said_file(w->home);
    common_words(w, &argv);
    strv_split(&parts, words, ' ');
    strv_copy(&argv, &parts);
    for (size_t i = 0; more && more[i]; i++)
        strv_add(&argv, more[i]);
    environment(w, inner, &env);
    const struct process_spec spec = {.program = GIT_PROGRAM,
                                      .argv = strv_argv(&argv),
                                      .environment = strv_argv(&env),
                                      .fds = {-1, -1, errors},
                                      .directory = tree,
                                      .die_with_us = true};
    int rc = process_run(&spec, answer, LIST_MAX, err);
    for (size_t i = 0; i < env.len; i++)
        explicit_bzero(env.items[i], strlen(env.items[i]));
    if (rc != -ECHILD)
        return rc;
    read_said(errors, text);
    rc = ssh_failed(w->remote, text, err);
    if (rc < 0)
        return rc;
    last_words(text, &said);
    return error_set(err, -EIO, "git cannot fetch %.300s: %s", w->remote->address,
                     said.len > 0 ? buf_text(&said) : err->text);
}

static int begin(struct git_work *w, struct error *err)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", w->home);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0)
        return error_errno(err, "cannot tell where git is to work");
    path[n] = '\0';
    w->path = xstrdup(path);
    return git_confine(w->home, err);
}

/* --- what a ref is --- */

/* The commit of a line "COMMIT\tNAME" with this name. */
static bool find_line(const char *list, const char *name, char commit[GIT_COMMIT_MAX])
{
    autostrv lines = {0};
    strv_split(&lines, list, '\n');
    for (size_t i = 0; i < lines.len; i++) {
        char *tab = strchr(lines.items[i], '\t');
        if (!tab || !streq(tab + 1, name))
            continue;
        *tab = '\0';
        if (!remote_is_commit(lines.items[i]))
            return false;
        snprintf(commit, GIT_COMMIT_MAX, "%s", lines.items[i]);
        return true;
    }
    return false;
}

/* A branch comes before a tag of the same name, as with git checkout; a tag is what it points to.
 */
static bool choose(const struct git_work *w, const char *list, char commit[GIT_COMMIT_MAX])
{
    const char *ref = w->remote->ref;
    if (!ref)
        return find_line(list, "HEAD", commit);
    if (starts_with(ref, "refs/")) {
        autofree char *peeled = xasprintf("%s^{}", ref);
        return find_line(list, peeled, commit) || find_line(list, ref, commit);
    }
    autofree char *branch = xasprintf("refs/heads/%s", ref);
    autofree char *tag = xasprintf("refs/tags/%s", ref), *peeled = xasprintf("%s^{}", tag);
    return find_line(list, branch, commit) || find_line(list, peeled, commit) ||
           find_line(list, tag, commit);
}

int git_list(void *work, const struct errand_place *place, uint64_t *count, struct error *err)
{
    struct git_work *w = work;
    const struct remote *r = w->remote;
    autobuf list = {0};
    char commit[GIT_COMMIT_MAX];
    autofree char *peeled = r->ref ? xasprintf("%s^{}", r->ref) : NULL;
    const char *more[] = {r->address, r->ref ? r->ref : "HEAD", peeled, NULL};
    (void)place;
    (void)count;
    int rc = begin(w, err);
    if (rc == 0)
        rc = git(w, false, "ls-remote --quiet --", more, &list, err);
    if (rc < 0)
        return rc;
    if (!choose(w, buf_text(&list), commit))
        return error_set(err, -ENOENT,
                         "%.300s has no branch or tag %.200s; of a commit all 40 digits are needed",
                         r->address, r->ref ? r->ref : "HEAD");
    return write_file_at(w->home, GIT_FOUND, commit, strlen(commit), 0600, VOLATILE, err);
}

/* --- its files --- */

/* One commit, or, where the other side cannot do that (an old one, or one that only serves files),
 * all that it has. */
static int get(const struct git_work *w, struct error *err)
{
    const char *one[] = {w->commit, NULL};
    struct error first = {0};
    if (git(w, false, "fetch --quiet --depth 1 --no-tags --no-recurse-submodules origin", one, NULL,
            &first) == 0)
        return 0;
    return git(w, false,
               "fetch --quiet --tags --no-recurse-submodules origin "
               "+refs/heads/*:refs/remotes/origin/* +HEAD:refs/remotes/origin/HEAD",
               NULL, NULL, err);
}

static int get_inner(const struct git_work *w, struct error *err)
{
    struct stat st;
    if (fstatat(w->home, "tree/.gitmodules", &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (!S_ISREG(st.st_mode))
        return error_set(err, -EINVAL, "%.300s: its .gitmodules is no file", w->remote->address);
    if (w->limited)
        return error_set(err, -EACCES,
                         "%.300s has submodules, and where those lead cannot be held to --egress: "
                         "leave that out, or copy them into it",
                         w->remote->address);
    int rc = git(w, true, "submodule --quiet update --init --recursive --checkout --depth 1", NULL,
                 NULL, err);
    return rc < 0 ? error_prefix(err, "submodules (only over https and ssh)") : 0;
}

/* Files are as old as the commit, so that the same commit gives the same layer. */
static int set_times(int dir, const struct timespec times[2], unsigned depth, struct error *err)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autodir d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    if (!d)
        return error_errno(err, "cannot read what git fetched");
    if (depth == DEPTH_MAX)
        return error_set(err, -ELOOP, "directories are nested more than %d deep", DEPTH_MAX);
    while ((entry = readdir(d))) {
        const char *name = entry->d_name;
        if (streq(name, ".") || streq(name, "..") || streq(name, ".git"))
            continue;
        autofd below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int rc = below < 0 ? 0 : set_times(below, times, depth + 1, err);
        if (rc < 0)
            return rc;
        if (utimensat(fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
            return error_errno(err, "cannot set times of what git fetched");
    }
    return 0;
}

static int settle(const struct git_work *w, struct error *err)
{
    const char *one[] = {w->commit, "--", NULL};
    autobuf answer = {0};
    uint64_t seconds = 0;
    int rc = git(w, false, "show -s --format=%ct", one, &answer, err);
    autofree char *line = xstrndup(buf_text(&answer), strcspn(buf_text(&answer), "\n"));
    if (rc == 0 && parse_u64(line, INT64_MAX / NSEC_PER_SEC, &seconds) < 0)
        seconds = 0;
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = (time_t)seconds}};
    autofd tree = rc < 0 ? rc : open_directory_at(w->home, "tree", err);
    if (rc == 0)
        rc = tree < 0 ? tree : set_times(tree, times, 0, err);
    return rc;
}

int git_take(void *work, const struct errand_place *place, uint64_t *count, struct error *err)
{
    struct git_work *w = work;
    const char *address[] = {w->remote->address, NULL}, *commit[] = {w->commit, "--", NULL};
    autobuf id = {0};
    (void)place;
    (void)count;
    int rc = begin(w, err);
    if (rc == 0)
        rc = git(w, false, "init --quiet --template=", NULL, NULL, err);
    if (rc == 0)
        rc = git(w, false, "remote add -- origin", address, NULL, err);
    if (rc == 0)
        rc = get(w, err);
    if (rc == 0)
        rc = git(w, false, "checkout --quiet --force --detach", commit, NULL, err);
    if (rc == 0)
        rc = git(w, false, "rev-parse --verify HEAD", NULL, &id, err);
    if (rc == 0 && strncmp(buf_text(&id), w->commit, strlen(w->commit)) != 0)
        rc = error_set(err, -EPROTO, "%.300s is no commit of %.300s: name a commit, and not a tag",
                       w->commit, w->remote->address);
    if (rc == 0)
        rc = get_inner(w, err);
    return rc < 0 ? rc : settle(w, err);
}
