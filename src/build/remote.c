/* SPDX-License-Identifier: Apache-2.0 */
#include "build/remote.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/strv.h"
#include "base/text.h"

#define IN_ITS_PLACE "***@"
#define NAME_BYTES_MAX 255
#define SCP_USER "git@"

static const struct {
    const char *prefix;
    enum remote_scheme scheme;
    uint16_t port;
} schemes[] = {
    {"http://", REMOTE_HTTP, 80},
    {"https://", REMOTE_HTTPS, 443},
    {"ssh://", REMOTE_SSH, 22},
    {"git://", REMOTE_GIT_DAEMON, 9418},
};
#define SCHEMES (sizeof schemes / sizeof *schemes)

/* The index of the scheme; SCHEMES: none that is known. */
static size_t scheme_of(const char *text)
{
    for (size_t i = 0; i < SCHEMES; i++)
        if (strncasecmp(text, schemes[i].prefix, strlen(schemes[i].prefix)) == 0)
            return i;
    return SCHEMES;
}

enum remote_kind remote_kind(const char *text)
{
    size_t scheme = scheme_of(text);
    if (starts_with(text, SCP_USER))
        return strchr(text, ':') ? REMOTE_GIT : REMOTE_NONE;
    if (scheme == SCHEMES)
        return REMOTE_NONE;
    autofree char *address = xstrndup(text, strcspn(text, "#?"));
    bool git = schemes[scheme].scheme == REMOTE_SSH ||
               schemes[scheme].scheme == REMOTE_GIT_DAEMON || ends_with(address, ".git");
    return git ? REMOTE_GIT : REMOTE_FILE;
}

void remote_redact(const char *text, struct buf *out)
{
    const char *at;
    while ((at = strstr(text, "://"))) {
        at += 3;
        size_t host = strcspn(at, "/?#\"'`<> \t\r\n\\");
        const char *end = memrchr(at, '@', host);
        buf_add(out, text, (size_t)(at - text));
        if (end)
            buf_str(out, IN_ITS_PLACE);
        text = end ? end + 1 : at;
    }
    buf_str(out, text);
}

bool remote_is_commit(const char *ref)
{
    size_t length = strlen(ref);
    return (length == 40 || length == 64) && is_hex(ref, length);
}

/* --- parts --- */

static int wrong(const char *text, const char *why, struct error *err)
{
    autobuf bare = {0}, shown = {0};
    remote_redact(text, &bare);
    buf_printable(&shown, buf_text(&bare));
    return error_set(err, -EINVAL, "%.300s: %s", buf_text(&shown), why);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XX; NULL where it is none, or stands for a control character. */
static char *decoded(const char *text, size_t length)
{
    autobuf out = {0};
    buf_str(&out, "");
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '%') {
            int high = length - i > 2 ? hex_digit(text[i + 1]) : -1;
            int low = length - i > 2 ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0)
                return NULL;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if ((unsigned char)c < 0x20 || c == 0x7f)
            return NULL;
        buf_char(&out, c);
    }
    return buf_take(&out);
}

static int take_user(const char *text, const char *at, size_t length, struct remote *out,
                     struct error *err)
{
    const char *colon = memchr(at, ':', length);
    out->user = decoded(at, colon ? (size_t)(colon - at) : length);
    if (colon)
        out->password = decoded(colon + 1, length - (size_t)(colon - at) - 1);
    if (!out->user || (colon && !out->password))
        return wrong(text, "its user or password is not written as addresses have them (%XX)", err);
    return 0;
}

/* "host", "host:8080", "[::1]:8080". */
static int take_host(const char *text, const char *at, size_t length, struct remote *out,
                     struct error *err)
{
    static const char bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    autofree char *copy = xstrndup(at, length);
    char *host = copy, *colon = strrchr(copy, ':');
    uint64_t port;
    bool brackets = copy[0] == '[';
    if (brackets) {
        char *end = strchr(copy, ']');
        if (!end || (end[1] && end[1] != ':'))
            return wrong(text, "an address in brackets does not end", err);
        colon = end[1] ? end + 1 : NULL;
        *end = '\0';
        host++;
    }
    if (colon) {
        *colon = '\0';
        if (colon[1] && (parse_u64(colon + 1, UINT16_MAX, &port) < 0 || port == 0))
            return wrong(text, "a port is a number from 1 to 65535", err);
        if (colon[1])
            out->port = (uint16_t)port;
    }
    size_t known = brackets ? strspn(host, "0123456789abcdefABCDEF:.") : strspn(host, bytes);
    if (!*host || host[known] || host[0] == '-')
        return wrong(text, "the name of its host is none", err);
    for (char *c = host; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c |= 0x20;
    out->host = xstrdup(host);
    return 0;
}

/* --- git --- */

/* git-check-ref-format(1), and nothing that git would take for a flag or an expression. */
static bool is_ref(const char *ref)
{
    if (!*ref || *ref == '-' || *ref == '/' || *ref == '.' || strlen(ref) > 250)
        return false;
    for (const char *c = ref; *c; c++)
        if ((unsigned char)*c <= 0x20 || *c == 0x7f || strchr("~^:?*[\\\"'$`;|&<>(){}!", *c))
            return false;
    return !strstr(ref, "..") && !strstr(ref, "@{") && !strstr(ref, "//") && !strstr(ref, "/.") &&
           !strstr(ref, ".lock/") && !ends_with(ref, ".lock") && !ends_with(ref, "/") &&
           !ends_with(ref, ".");
}

static int take_subdir(const char *text, const char *subdir, struct remote *out, struct error *err)
{
    autostrv parts = {0};
    autobuf clean = {0};
    strv_split(&parts, subdir, '/');
    for (size_t i = 0; i < parts.len; i++) {
        const char *part = parts.items[i];
        if (streq(part, "") || streq(part, "."))
            continue;
        if (streq(part, ".."))
            return wrong(text, "the directory behind the colon leads out with \"..\"", err);
        if (strcasecmp(part, ".git") == 0)
            return wrong(text, "the directory behind the colon is git's own", err);
        buf_fmt(&clean, "%s%s", clean.len > 0 ? "/" : "", part);
    }
    if (clean.len >= 4096)
        return wrong(text, "the directory behind the colon is too long", err);
    out->subdir = clean.len > 0 ? buf_take(&clean) : NULL;
    return 0;
}

static int take_fragment(const char *text, const char *fragment, struct remote *out,
                         struct error *err)
{
    const char *colon = strchrnul(fragment, ':');
    autofree char *ref = xstrndup(fragment, (size_t)(colon - fragment));
    if (*ref && !is_ref(ref))
        return wrong(text, "what follows # is no branch, tag or commit", err);
    if (*ref)
        out->ref = take_ptr(ref);
    return *colon ? take_subdir(text, colon + 1, out, err) : 0;
}

/* git@host:path */
static int parse_scp(const char *text, size_t length, struct remote *out, struct error *err)
{
    const char *host = text + strlen(SCP_USER), *colon = memchr(text, ':', length);
    out->scheme = REMOTE_SSH;
    out->port = 22;
    if (!colon || colon + 1 >= text + length || colon[1] == '-')
        return wrong(text, "write git@HOST:PATH", err);
    out->address = xstrndup(text, length);
    return take_host(text, host, (size_t)(colon - host), out, err);
}

/* --- addresses --- */

static int take_name(const char *text, const char *path, const char *end, struct remote *out,
                     struct error *err)
{
    const char *stop = path + strcspn(path, "?");
    if (stop > end)
        stop = end;
    autofree char *all = decoded(path, (size_t)(stop - path));
    if (!all)
        return wrong(text, "its path is not written as addresses have them (%XX)", err);
    const char *slash = strrchr(all, '/');
    const char *name = slash ? slash + 1 : all;
    if (strlen(name) > NAME_BYTES_MAX)
        return wrong(text, "the name of its file is longer than 255 bytes", err);
    if (*name && !streq(name, ".") && !streq(name, ".."))
        out->name = xstrdup(name);
    return 0;
}

static int parse_url(const char *text, size_t length, struct remote *out, struct error *err)
{
    size_t scheme = scheme_of(text);
    const char *at = text + strlen(schemes[scheme].prefix), *end = text + length;
    size_t room = strcspn(at, "/?#");
    const char *user = memrchr(at, '@', room), *path = at + room;
    const char *host = user ? user + 1 : at;
    bool ssh = schemes[scheme].scheme == REMOTE_SSH;
    out->scheme = schemes[scheme].scheme;
    out->port = schemes[scheme].port;
    int rc = user ? take_user(text, at, (size_t)(user - at), out, err) : 0;
    if (rc == 0)
        rc = take_host(text, host, (size_t)(path - host), out, err);
    if (rc < 0)
        return rc;
    if (ssh && out->password)
        return wrong(text, "ssh takes keys of an agent (--ssh default) and no password", err);
    if (ssh && out->user &&
        (out->user[0] == '-' || !*out->user || strpbrk(out->user, "@:/\\'\"$`;|&<> ")))
        return wrong(text, "the name of its user is none", err);
    if (out->kind == REMOTE_GIT && (path >= end || path[0] != '/' || path + 1 == end))
        return wrong(text, "there is no path of a repository behind its host", err);
    out->address =
        xasprintf("%s%s%s%.*s%s%.*s", schemes[scheme].prefix, ssh && out->user ? out->user : "",
                  ssh && out->user ? "@" : "", (int)(path - host), host,
                  path == end || *path != '/' ? "/" : "", (int)(end - path), path);
    return out->kind == REMOTE_FILE ? take_name(text, path, end, out, err) : 0;
}

int remote_parse(const char *text, struct remote *out, struct error *err)
{
    autoremote remote = {.kind = remote_kind(text)};
    size_t length = strcspn(text, "#");
    int rc = 0;
    if (remote.kind == REMOTE_NONE)
        return wrong(text, "no address that begins with https://, http://, ssh://, git:// or git@",
                     err);
    if (strlen(text) > REMOTE_ADDRESS_MAX)
        return wrong(text, "longer than 8192 bytes", err);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c <= 0x20 || *c == 0x7f || *c == '\\')
            return wrong(text,
                         "there is a blank, a backslash or a control character in it: write "
                         "%20, %5C",
                         err);
    if (starts_with(text, SCP_USER))
        rc = parse_scp(text, length, &remote, err);
    else
        rc = parse_url(text, length, &remote, err);
    if (rc == 0 && remote.kind == REMOTE_GIT && text[length])
        rc = take_fragment(text, text + length + 1, &remote, err);
    if (rc == 0) {
        *out = remote;
        remote = (struct remote){0};
    }
    return rc;
}

void remote_free(struct remote *r)
{
    free(r->address);
    free(r->user);
    secret_forget(&r->password);
    free(r->host);
    free(r->name);
    free(r->ref);
    free(r->subdir);
    *r = (struct remote){0};
}
