/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include "registry/wire.h"
#include "transport/transport.h"

#define PEM_MAX (4u << 20)
#define STALL 60
#define SECONDS_MAX 86400

static int wrong(const char *key, struct error *err)
{
    return error_set(err, -EINVAL, "the settings have no valid \"%.20s\"", key);
}

static int take_file(const char *path, struct buf *out, struct error *err)
{
    int rc = read_named_file(path, PEM_MAX, out);
    buf_char(out, '\n');
    return rc < 0 ? error_set(err, rc, "cannot read %.400s: %s", path, error_describe(rc)) : 0;
}

static int add_place(const char *value, struct settings *s, struct error *err)
{
    const char *space = strchr(value, ' ');
    if (!space || s->place_count == PLACES_MAX)
        return wrong("place", err);
    s->places = xrealloc(s->places, s->place_count + 1, sizeof *s->places);
    s->places[s->place_count++] = (struct place){
        .name = xstrndup(value, (size_t)(space - value)),
        .base = xstrdup(space + 1),
    };
    return 0;
}

/* Of the place that was named last. */
static int take_of_place(const char *key, const char *value, struct settings *s, struct error *err)
{
    if (s->place_count == 0)
        return wrong(key, err);
    struct place *p = &s->places[s->place_count - 1];
    const struct {
        const char *key;
        char **text;
    } texts[] = {{"user", &p->user},
                 {"password", &p->password},
                 {"identity", &p->identity},
                 {"bearer", &p->bearer}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (streq(key, texts[i].key)) {
            free(*texts[i].text);
            *texts[i].text = xstrdup(value);
            return 0;
        }
    if (streq(key, "insecure")) {
        p->insecure = true;
        return 0;
    }
    if (streq(key, "authority"))
        return take_file(value, &p->authorities, err);
    if (streq(key, "certificate"))
        return take_file(value, &p->certificate, err);
    if (streq(key, "key"))
        return take_file(value, &p->key, err);
    return wrong(key, err);
}

static int take_line(const char *key, const char *value, struct settings *s, struct error *err)
{
    uint64_t number;
    if (streq(key, "place"))
        return add_place(value, s, err);
    if (streq(key, "lanes")) {
        if (parse_u64(value, WIRE_LANES_MAX, &number) < 0 || number == 0)
            return wrong(key, err);
        s->lanes = (size_t)number;
        return 0;
    }
    if (streq(key, "writes")) {
        s->writes = true;
        return 0;
    }
    if (streq(key, "stall")) {
        if (parse_u64(value, SECONDS_MAX, &number) < 0 || number == 0)
            return wrong(key, err);
        s->stall = number;
        return 0;
    }
    return take_of_place(key, value, s, err);
}

int settings_read(char *text, struct settings *out, struct error *err)
{
    struct settings s = {.stall = STALL};
    char *key, *value;
    int rc = 0;
    while (rc == 0 && wire_line(&text, &key, &value))
        rc = take_line(key, value, &s, err);
    if (rc == 0 && (s.lanes == 0 || s.place_count == 0))
        rc = wrong("lanes", err);
    if (rc < 0) {
        settings_free(&s);
        return rc;
    }
    *out = s;
    pthread_mutex_init(&out->lock, NULL);
    out->tokens = tokens_new();
    return 0;
}

void settings_free(struct settings *s)
{
    for (size_t i = 0; i < s->place_count; i++) {
        struct place *p = &s->places[i];
        free(p->name);
        free(p->base);
        free(p->user);
        secret_forget(&p->password);
        secret_forget(&p->identity);
        secret_forget(&p->bearer);
        buf_free(&p->authorities);
        buf_free(&p->certificate);
        secret_free(&p->key);
    }
    free(s->places);
    tokens_free(s->tokens);
    *s = (struct settings){0};
}
