/* SPDX-License-Identifier: Apache-2.0 */
#include "build/secrets.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"

#define LEAST_REDACTED 4     /* bytes: shorter ones would take ordinary words out of the output */
#define PIECE ((size_t)4096) /* bytes of a line that are looked for at once */
#define IN_ITS_PLACE "***"

static int read_value(const char *id, const char *source, const char *variable, struct buf *out,
                      struct error *err)
{
    const char *value = variable ? getenv(variable) : NULL;
    if (variable && !value)
        return error_set(err, -ENOENT, "--secret id=%s: the variable %s is not set", id, variable);
    if (variable) {
        buf_str(out, value);
        return 0;
    }
    int rc = read_named_file(source, SECRET_MAX, out);
    if (rc < 0)
        return error_set(err, rc, "--secret id=%s: cannot read %s (at most %u bytes): %s", id,
                         source, SECRET_MAX, error_describe(rc));
    return 0;
}

static int read_one(const char *words, struct secrets *out, struct error *err)
{
    autostrv parts = {0};
    const char *id = NULL, *source = NULL, *variable = NULL, *type = NULL;
    const struct {
        const char *key;
        const char **value;
    } keys[] = {{"id=", &id},
                {"src=", &source},
                {"source=", &source},
                {"env=", &variable},
                {"type=", &type}};
    strv_split(&parts, words, ',');
    for (size_t i = 0; i < parts.len; i++) {
        bool known = false;
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
            if (starts_with(parts.items[i], keys[k].key)) {
                *keys[k].value = parts.items[i] + strlen(keys[k].key);
                known = true;
            }
        if (!known)
            return error_set(err, -EINVAL,
                             "--secret %s: write id=NAME,src=FILE or id=NAME,env=NAME", words);
    }
    if (!id && source) {
        const char *slash = strrchr(source, '/');
        id = slash ? slash + 1 : source;
    }
    if (!id || !*id)
        return error_set(err, -EINVAL, "--secret %s has no id: write id=NAME,src=FILE", words);
    /* As with BuildKit: without a source it is the variable of that name, else the file. */
    if (!source && !variable && (streq(type, "env") || (!type && getenv(id))))
        variable = id;
    if (!variable && !source)
        source = id;
    if (streq(type, "env") && !variable) {
        variable = source;
        source = NULL;
    }
    struct secret secret = {.id = xstrdup(id)};
    int rc = read_value(id, source, variable, &secret.value, err);
    out->items = xrealloc(out->items, out->count + 1, sizeof *out->items);
    out->items[out->count++] = secret;
    return rc;
}

static int read_agent(const char *words, struct secrets *out, struct error *err)
{
    const char *equals = strchr(words, '=');
    autofree char *id = xstrndup(words, equals ? (size_t)(equals - words) : strlen(words));
    const char *socket = equals ? equals + 1 : getenv("SSH_AUTH_SOCK");
    struct stat st;
    if (!*id)
        return error_set(err, -EINVAL, "--ssh %s has no id: write default or default=SOCKET",
                         words);
    if (!socket || !*socket)
        return error_set(err, -ENOENT,
                         "--ssh %s: SSH_AUTH_SOCK is not set; start an agent, or write %s=SOCKET",
                         words, id);
    if (stat(socket, &st) < 0)
        return error_errno(err, "--ssh %s: cannot find the agent's socket %s", id, socket);
    if (!S_ISSOCK(st.st_mode))
        return error_set(err, -ENOTSOCK,
                         "--ssh %s: %s is no socket of an agent; a key goes into one with ssh-add",
                         id, socket);
    strv_fmt(&out->agents, "%s=%s", id, socket);
    return 0;
}

int secrets_read(const struct strv *secrets, const struct strv *ssh, struct secrets *out,
                 struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < secrets->len; i++)
        rc = read_one(secrets->items[i], out, err);
    for (size_t i = 0; rc == 0 && i < ssh->len; i++)
        rc = read_agent(ssh->items[i], out, err);
    return rc;
}

const struct secret *secret_find(const struct secrets *secrets, const char *id)
{
    for (size_t i = secrets->count; id && i-- > 0;)
        if (streq(secrets->items[i].id, id))
            return &secrets->items[i];
    return NULL;
}

void secrets_free(struct secrets *secrets)
{
    for (size_t i = 0; i < secrets->count; i++) {
        if (secrets->items[i].value.data)
            explicit_bzero(secrets->items[i].value.data, secrets->items[i].value.cap);
        buf_free(&secrets->items[i].value);
        free(secrets->items[i].id);
    }
    free(secrets->items);
    strv_free(&secrets->agents);
    *secrets = (struct secrets){0};
}

/* --- taking them out of what is printed --- */

/* Replaces one value wherever it is. */
static void take_out(const char *value, size_t length, struct buf *text)
{
    autobuf out = {0};
    const char *at = buf_text(text), *end = at + text->len;
    if (length < LEAST_REDACTED)
        return;
    for (const char *found; (found = memmem(at, (size_t)(end - at), value, length));) {
        buf_add(&out, at, (size_t)(found - at));
        buf_str(&out, IN_ITS_PLACE);
        at = found + length;
    }
    if (at == buf_text(text))
        return;
    buf_add(&out, at, (size_t)(end - at));
    buf_clear(text);
    buf_add(text, out.data, out.len);
}

struct piece {
    const char *at;
    size_t length;
};

static int longer(const void *left, const void *right)
{
    const struct piece *a = left, *b = right;
    return a->length < b->length ? 1 : a->length > b->length ? -1 : 0;
}

/* Output comes in lines, so a value is looked for line by line; and as long lines are cut into
 * parts, a line that may not fit into one is looked for in pieces. */
static size_t cut_up(const struct secrets *secrets, struct piece **out)
{
    size_t count = 0, room = 16;
    struct piece *pieces = xcalloc(room, sizeof *pieces);
    for (size_t i = 0; i < secrets->count; i++) {
        const char *at = buf_text(&secrets->items[i].value);
        const char *end = at + secrets->items[i].value.len;
        while (at < end) {
            const char *stop = memchr(at, '\n', (size_t)(end - at));
            size_t line = (size_t)((stop ? stop : end) - at), n = line;
            if (n > PIECE)
                n = PIECE;
            else if (n && at[n - 1] == '\r')
                n--;
            if (count == room)
                pieces = xrealloc(pieces, room *= 2, sizeof *pieces);
            pieces[count++] = (struct piece){at, n};
            at += line > PIECE ? PIECE : line + 1;
        }
    }
    /* Of two of which one begins the other, the whole goes. */
    qsort(pieces, count, sizeof *pieces, longer);
    *out = pieces;
    return count;
}

void secrets_redact(const struct secrets *secrets, const char *text, struct buf *out)
{
    autobuf work = {0};
    autofree struct piece *pieces = NULL;
    buf_str(&work, text);
    size_t count = secrets->count > 0 ? cut_up(secrets, &pieces) : 0;
    for (size_t i = 0; i < count; i++)
        take_out(pieces[i].at, pieces[i].length, &work);
    buf_add(out, buf_text(&work), work.len);
}

size_t secrets_longest(const struct secrets *secrets)
{
    autofree struct piece *pieces = NULL;
    size_t count = secrets->count > 0 ? cut_up(secrets, &pieces) : 0;
    return count > 0 ? pieces[0].length : 0;
}
