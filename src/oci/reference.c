/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/reference.h"

#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"

#define NAME_MAX_LENGTH 255
#define TAG_MAX_LENGTH 128
#define TEXT_MAX_LENGTH (NAME_MAX_LENGTH + 1 + TAG_MAX_LENGTH + 1 + DIGEST_MAX)

bool digest_valid(const char *digest)
{
    return starts_with(digest, "sha256:") && strlen(digest) == DIGEST_MAX - 1 &&
           is_hex(digest + 7, 64);
}

void digest_of(const struct buf *text, char out[DIGEST_MAX])
{
    char hex[SHA256_HEX];
    sha256_hex(buf_text(text), text->len, hex);
    snprintf(out, DIGEST_MAX, "sha256:%s", hex);
}

const char *digest_hex(const char *digest)
{
    return digest + strlen("sha256:");
}

static bool is_lower(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_word(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

/* One or more components of letters and digits with '-' inside, joined by '.'; or an IPv6 address
 * in brackets; then perhaps ":port". */
static bool domain_valid(const char *text)
{
    const char *at = text;
    if (*at == '[') {
        size_t length = strspn(at + 1, "0123456789abcdefABCDEF:.");
        if (length < 2 || at[length + 1] != ']')
            return false;
        at += length + 2;
    } else {
        for (;;) {
            if (!is_word(*at))
                return false;
            while (is_word(*at) || *at == '-')
                at++;
            if (at[-1] == '-')
                return false;
            if (*at != '.')
                break;
            at++;
        }
    }
    if (*at == ':') {
        size_t digits = strspn(at + 1, "0123456789");
        if (digits == 0 || digits > 5 || at[1] == '0')
            return false;
        at += 1 + digits;
    }
    return *at == '\0';
}

/* Components of lower-case letters and digits, which '.', '_', '__' or any number of '-' may
 * separate, joined by '/'. */
static bool path_valid(const char *at)
{
    for (;;) {
        if (!is_lower(*at))
            return false;
        while (is_lower(*at))
            at++;
        if (*at == '\0')
            return true;
        if (*at == '/' || *at == '.') {
            at++;
        } else if (*at == '_') {
            at += at[1] == '_' ? 2 : 1;
        } else if (*at == '-') {
            while (*at == '-')
                at++;
        } else {
            return false;
        }
    }
}

bool tag_valid(const char *tag)
{
    if (!is_word(*tag) && *tag != '_')
        return false;
    size_t length = 0;
    for (; tag[length]; length++)
        if (!is_word(tag[length]) && !strchr("_.-", tag[length]))
            return false;
    return length <= TAG_MAX_LENGTH;
}

static int refuse(struct error *err, const char *text, const char *why)
{
    autobuf shown = {0};
    char start[TEXT_MAX_LENGTH + 1];
    snprintf(start, sizeof start, "%s", text);
    buf_printable(&shown, start);
    return error_set(err, -EINVAL, "invalid image name \"%s\": %s", buf_text(&shown), why);
}

static bool has_upper(const char *text)
{
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z')
            return true;
    return false;
}

/* Whether the part before the first '/' is a registry and not the first component of a path. */
static bool is_domain(const char *part)
{
    return strpbrk(part, ".:") || streq(part, "localhost") || has_upper(part);
}

void reference_plain_host(char *name)
{
    size_t host = strcspn(name, "/");
    bool port = host > 4 && strncmp(name + host - 4, ":443", 4) == 0;
    size_t bare = port ? host - 4 : host;
    /* Of one word that is a host only for its capitals or its port, they stay. */
    bool is_host = memchr(name, '.', bare) || memchr(name, ':', bare) ||
                   (bare == 9 && strncasecmp(name, "localhost", 9) == 0);
    if (!is_host && !memchr(name, ':', host))
        return;
    for (size_t i = 0; i < host; i++)
        if (name[i] >= 'A' && name[i] <= 'Z')
            name[i] |= 0x20;
    if (is_host && port)
        memmove(name + bare, name + host, strlen(name + host) + 1);
}

/* Splits `name` (without tag and digest) into domain and path, filling in Docker's defaults. */
static int split_name(const char *text, const char *name, struct reference *ref, struct error *err)
{
    const char *slash = strchr(name, '/');
    autofree char *first = slash ? xstrndup(name, (size_t)(slash - name)) : NULL;
    bool named = first && is_domain(first);
    if (named)
        reference_plain_host(first);
    const char *path = named ? slash + 1 : name;
    const char *domain = named ? first : "docker.io";
    if (streq(domain, "index.docker.io") || streq(domain, "registry-1.docker.io"))
        domain = "docker.io";
    if (!*path)
        return refuse(err, text, "there is no name before the tag or after the registry");
    if (!domain_valid(domain))
        return refuse(err, text, "the part before the first '/' is no registry host");
    if (!path_valid(path)) {
        if (has_upper(path))
            return refuse(err, text, "a repository name must be lower case");
        return refuse(err, text,
                      "a repository name is made of lower-case letters and digits, separated by "
                      "'.', '_', '__', '-' or '/'");
    }
    if (!named && strlen(path) == 64 && is_hex(path, 64))
        return refuse(err, text, "64 hexadecimal digits are an image id, not a name");
    bool library = streq(domain, "docker.io") && !strchr(path, '/');
    ref->domain = xstrdup(domain);
    ref->path = xasprintf("%s%s", library ? "library/" : "", path);
    if (strlen(ref->domain) + 1 + strlen(ref->path) > NAME_MAX_LENGTH)
        return refuse(err, text, "it is longer than 255 characters");
    return 0;
}

static int parse_parts(const char *text, struct reference *ref, struct error *err)
{
    if (!*text)
        return refuse(err, text, "it is empty");
    if (strlen(text) > TEXT_MAX_LENGTH)
        return refuse(err, text, "it is too long");
    autofree char *name = xstrdup(text);
    char *at = strchr(name, '@');
    if (at) {
        *at++ = '\0';
        if (!digest_valid(at))
            return refuse(err, text,
                          "after '@' comes \"sha256:\" and 64 lower-case hexadecimal digits");
        memcpy(ref->digest, at, DIGEST_MAX);
    }
    char *slash = strrchr(name, '/');
    char *colon = strchr(slash ? slash : name, ':');
    if (colon) {
        *colon++ = '\0';
        if (!tag_valid(colon))
            return refuse(err, text,
                          "a tag has at most 128 letters, digits, '_', '.' and '-', and starts "
                          "with none of '.' and '-'");
        ref->tag = xstrdup(colon);
    } else if (!at) {
        ref->tag = xstrdup("latest");
    }
    return split_name(text, name, ref, err);
}

int reference_parse(const char *text, struct reference *out, struct error *err)
{
    struct reference ref = {0};
    int rc = parse_parts(text, &ref, err);
    if (rc < 0) {
        reference_free(&ref);
        return rc;
    }
    *out = ref;
    return 0;
}

void reference_free(struct reference *ref)
{
    free(ref->domain);
    free(ref->path);
    free(ref->tag);
    *ref = (struct reference){0};
}

static void add_tail(const struct reference *ref, struct buf *out)
{
    if (ref->tag)
        buf_fmt(out, ":%s", ref->tag);
    if (ref->digest[0])
        buf_fmt(out, "@%s", ref->digest);
}

void reference_full(const struct reference *ref, struct buf *out)
{
    buf_fmt(out, "%s/%s", ref->domain, ref->path);
    add_tail(ref, out);
}

const char *reference_version(const struct reference *ref)
{
    return ref->digest[0] ? ref->digest : ref->tag;
}

void reference_exact(const struct reference *ref, struct buf *out)
{
    buf_fmt(out, "%s/%s%c%s", ref->domain, ref->path, ref->digest[0] ? '@' : ':',
            reference_version(ref));
}

/* Whether the path alone would be read as the same name again, and not its first part as a
 * registry or the whole as an image id. */
static bool stands_alone(const char *path)
{
    const char *slash = strchr(path, '/');
    autofree char *first = xstrndup(path, slash ? (size_t)(slash - path) : strlen(path));
    return slash ? !is_domain(first) : !(strlen(path) == 64 && is_hex(path, 64));
}

void reference_repository(const struct reference *ref, struct buf *out)
{
    const char *path = ref->path;
    if (starts_with(path, "library/") && !strchr(path + strlen("library/"), '/'))
        path += strlen("library/");
    if (streq(ref->domain, "docker.io") && stands_alone(path))
        buf_str(out, path);
    else
        buf_fmt(out, "%s/%s", ref->domain, ref->path);
}

void reference_familiar(const struct reference *ref, struct buf *out)
{
    reference_repository(ref, out);
    add_tail(ref, out);
}
