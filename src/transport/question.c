/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "registry/wire.h"
#include "transport/transport.h"

#define WORDS_MAX 16 /* scopes; accepted types */

static int wrong(const char *key, struct error *err)
{
    return error_set(err, -EPROTO, "a question has no valid \"%.20s\"", key);
}

/* What goes into a line of a request may not end it. */
static bool is_clean(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return false;
    return true;
}

static bool is_method(const char *text)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (streq(text, known[i]))
            return true;
    return false;
}

static int take_text(const char *key, const char *value, struct question *q, struct error *err)
{
    const struct {
        const char *key;
        char **text;
    } texts[] = {{"method", &q->method},
                 {"target", &q->target},
                 {"type", &q->content_type},
                 {"range", &q->range}};
    if (!is_clean(value))
        return wrong(key, err);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (streq(key, texts[i].key)) {
            free(*texts[i].text);
            *texts[i].text = xstrdup(value);
            return 0;
        }
    struct strv *words = streq(key, "scope")    ? &q->scopes
                         : streq(key, "accept") ? &q->accept
                                                : NULL;
    if (!words || words->len == WORDS_MAX)
        return wrong(key, err);
    strv_add(words, value);
    return 0;
}

static int take_line(const char *key, const char *value, const struct settings *settings,
                     struct question *q, struct error *err)
{
    uint64_t number;
    if (streq(key, "place")) {
        if (parse_u64(value, settings->place_count - 1, &number) < 0)
            return wrong(key, err);
        q->place = (size_t)number;
        return 0;
    }
    if (streq(key, "from"))
        return parse_u64(value, INT64_MAX, &q->from) < 0 ? wrong(key, err) : 0;
    if (streq(key, "most"))
        return parse_u64(value, INT64_MAX, &q->most) < 0 ? wrong(key, err) : 0;
    if (streq(key, "body")) {
        q->body = true;
        q->length = -1;
        if (*value && parse_u64(value, INT64_MAX, &number) < 0)
            return wrong(key, err);
        if (*value)
            q->length = (int64_t)number;
        return 0;
    }
    return take_text(key, value, q, err);
}

/* Whoever only reads is held to it, also when something of a registry's has overcome them. */
static bool only_reads(const struct question *q)
{
    if (q->body || *q->target != '/' || !(streq(q->method, "GET") || streq(q->method, "HEAD")))
        return false;
    for (size_t i = 0; i < q->scopes.len; i++)
        if (!ends_with(q->scopes.items[i], ":pull") &&
            !starts_with(q->scopes.items[i], "registry:"))
            return false;
    return true;
}

int question_read(char *text, const struct settings *settings, struct question *out,
                  struct error *err)
{
    autoquestion q = {0};
    char *key, *value;
    int rc = 0;
    while (rc == 0 && wire_line(&text, &key, &value))
        rc = take_line(key, value, settings, &q, err);
    if (rc == 0 && (!q.method || !is_method(q.method)))
        rc = wrong("method", err);
    if (rc == 0 && (!q.target || (q.target[0] != '/' && !starts_with(q.target, "https://") &&
                                  !starts_with(q.target, "http://"))))
        rc = wrong("target", err);
    if (rc == 0 && !settings->writes && !only_reads(&q))
        rc = error_set(err, -EPERM, "this is for reading, and nothing else is asked");
    if (rc < 0)
        return rc;
    *out = q;
    q = (struct question){0};
    return 0;
}

void question_free(struct question *q)
{
    free(q->method);
    free(q->target);
    free(q->content_type);
    free(q->range);
    strv_free(&q->scopes);
    strv_free(&q->accept);
    *q = (struct question){0};
}
