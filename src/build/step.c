/* SPDX-License-Identifier: Apache-2.0 */
#include "build/step.h"

#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/dockerfile_parts.h"
#include "build/step_parts.h"
#include "container/signals.h"

#define RETRIES_MAX 1000000
#define WORDS_MAX (32u << 20) /* bytes of one instruction, its variables expanded */

int step_wrong(const struct making *m, struct place place, const char *format, ...)
{
    autobuf sentence = {0};
    va_list ap;
    va_start(ap, format);
    buf_vfmt(&sentence, format, ap);
    va_end(ap);
    return dockerfile_wrong(m->file, place, m->err, "%s", buf_text(&sentence));
}

int step_expand(const struct making *m, struct place place, const char *word, char **out)
{
    autobuf text = {0};
    struct error why = {0};
    if (expand_word(m->expand, word, &text, &why) < 0)
        return step_wrong(m, place, "%s", why.text);
    if (text.len > *m->left)
        return step_wrong(m, place, "with its variables this instruction is longer than %u MiB",
                          WORDS_MAX >> 20);
    *m->left -= text.len;
    *out = buf_take(&text);
    return 0;
}

static int expand_first(const struct making *m, char **out)
{
    return step_expand(m, m->instruction->places[0], m->instruction->words.items[0], out);
}

/* --- commands --- */

static int make_command(const struct making *m)
{
    m->out->exec = m->instruction->exec;
    strv_copy(&m->out->words, &m->instruction->words);
    return 0;
}

/* Here-documents of RUN: alone it is what is to be executed; behind a command the shell reads them,
 * from the same text that they were taken from. */
static int make_run(const struct making *m)
{
    const struct instruction *i = m->instruction;
    struct heredoc alone = {0};
    bool tabs;
    if (i->heredoc_count == 1 && heredoc_word(i->rest, m->expand->escape, &alone, &tabs)) {
        free(alone.name);
        m->out->script = xstrdup(i->heredocs[0].text);
    } else if (i->heredoc_count > 0) {
        autobuf whole = {0};
        buf_str(&whole, i->rest);
        for (size_t h = 0; h < i->heredoc_count; h++)
            buf_fmt(&whole, "\n%s%s", i->heredocs[h].text, i->heredocs[h].name);
        strv_take(&m->out->words, buf_take(&whole));
    } else {
        make_command(m);
    }
    return step_run_flags(m);
}

static int health_duration(const struct making *m, const struct flag *flag, int64_t *out)
{
    nanoseconds length;
    if (parse_duration(flag->value, &length) < 0)
        return step_wrong(m, flag->place, "--%s=%.60s is no duration such as 30s or 1m30s",
                          flag->name, flag->value);
    if (length > 0 && length < NSEC_PER_SEC / 1000)
        return step_wrong(m, flag->place, "--%s is 0 or at least 1ms", flag->name);
    *out = length;
    return 0;
}

static int health_flag(const struct making *m, const struct flag *flag)
{
    struct health_check *health = &m->out->health;
    const struct {
        const char *name;
        int64_t *value;
    } durations[] = {{"interval", &health->interval},
                     {"timeout", &health->timeout},
                     {"start-period", &health->start_period},
                     {"start-interval", &health->start_interval}};
    uint64_t count;
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++)
        if (streq(flag->name, durations[i].name))
            return health_duration(m, flag, durations[i].value);
    if (parse_u64(flag->value, RETRIES_MAX, &count) < 0)
        return step_wrong(m, flag->place, "--retries is a number from 0 to %d", RETRIES_MAX);
    health->retries = (int64_t)count;
    return 0;
}

static int make_health(const struct making *m)
{
    const struct instruction *i = m->instruction;
    bool none = streq(i->words.items[0], "NONE");
    m->out->exec = i->exec;
    for (size_t w = 1; w < i->words.len; w++)
        strv_add(&m->out->words, i->words.items[w]);
    strv_add(&m->out->health.test, none ? "NONE" : i->exec ? "CMD" : "CMD-SHELL");
    strv_copy(&m->out->health.test, &m->out->words);
    for (size_t f = 0; f < i->flag_count; f++) {
        int rc = health_flag(m, &i->flags[f]);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* --- names and values --- */

static int make_pairs(const struct making *m)
{
    const struct instruction *i = m->instruction;
    for (size_t w = 0; w < i->words.len; w++) {
        const char *word = i->words.items[w], *equals = strchrnul(word, '=');
        autofree char *raw = xstrndup(word, (size_t)(equals - word));
        autofree char *name = NULL, *value = NULL;
        int rc = step_expand(m, i->places[w], raw, &name);
        if (rc == 0 && *equals)
            rc = step_expand(m, i->places[w], equals + 1, &value);
        if (rc < 0)
            return rc;
        if (!*name || strchr(name, '='))
            return step_wrong(m, i->places[w],
                              "this is no name: with its variables it is \"%.60s\"", name);
        if (*equals)
            strv_fmt(&m->out->pairs, "%s=%s", name, value);
        else
            strv_add(&m->out->pairs, name);
    }
    return 0;
}

/* --- ports --- */

/* "8000", "8000-8010". */
static bool port_range(const char *text, uint64_t *from, uint64_t *to)
{
    autofree char *copy = xstrdup(text);
    char *dash = strchr(copy, '-');
    if (dash)
        *dash++ = '\0';
    return parse_u64(copy, 65535, from) == 0 && parse_u64(dash ? dash : copy, 65535, to) == 0 &&
           *from > 0 && *from <= *to;
}

/* [[IP:]PORT:]PORT[-PORT][/PROTOCOL]; what goes before the last colon is the host's, and no
 * business of an image. */
static int add_port(const struct making *m, struct place place, const char *word)
{
    autofree char *copy = xstrdup(word);
    char tcp[] = "tcp", *protocol = strchr(copy, '/'), *colon = NULL;
    uint64_t from, to;
    if (protocol)
        *protocol++ = '\0';
    colon = strrchr(copy, ':');
    if (!protocol || !*protocol)
        protocol = tcp;
    for (char *c = protocol; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    if (!port_range(colon ? colon + 1 : copy, &from, &to))
        return step_wrong(m, place, "\"%.60s\" is no port; write 80, 80/udp or 8000-8010", word);
    if (!streq(protocol, "tcp") && !streq(protocol, "udp") && !streq(protocol, "sctp"))
        return step_wrong(m, place, "\"%.60s\": a port is one of tcp, udp or sctp", word);
    if (m->out->pairs.len + (to - from) >= OCI_WORDS_MAX)
        return step_wrong(m, place, "more than %d ports", OCI_WORDS_MAX);
    for (uint64_t port = from; port <= to; port++)
        strv_fmt(&m->out->pairs, "%u/%s", (unsigned)port, protocol);
    return 0;
}

static int make_expose(const struct making *m)
{
    const struct instruction *i = m->instruction;
    for (size_t w = 0; w < i->words.len; w++) {
        autostrv ports = {0};
        struct error why = {0};
        if (expand_words(m->expand, i->words.items[w], &ports, &why) < 0)
            return step_wrong(m, i->places[w], "%s", why.text);
        for (size_t p = 0; p < ports.len; p++) {
            int rc = add_port(m, i->places[w], ports.items[p]);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

/* --- one word --- */

static int make_volume(const struct making *m)
{
    const struct instruction *i = m->instruction;
    for (size_t w = 0; w < i->words.len; w++) {
        char *path = NULL;
        int rc = step_expand(m, i->places[w], i->words.items[w], &path);
        if (rc < 0)
            return rc;
        strv_take(&m->out->pairs, path);
        if (!*path)
            return step_wrong(m, i->places[w],
                              "the path of a volume is not empty, and this one is, with its "
                              "variables");
    }
    return 0;
}

static int make_one(const struct making *m)
{
    char *word = NULL;
    int rc = expand_first(m, &word);
    if (rc == 0)
        strv_take(&m->out->pairs, word);
    return rc;
}

static int make_stop_signal(const struct making *m)
{
    int number, rc = make_one(m);
    if (rc == 0 && signal_number(m->out->pairs.items[0], &number) < 0)
        return step_wrong(m, m->instruction->places[0],
                          "\"%.60s\" is no signal; write SIGTERM, TERM or 15",
                          m->out->pairs.items[0]);
    return rc;
}

static int make_maintainer(const struct making *m)
{
    strv_add(&m->out->pairs, m->instruction->rest);
    return 0;
}

static int make_on_build(const struct making *m)
{
    autobuf text = {0};
    instruction_write(m->instruction->triggered, &text);
    strv_take(&m->out->pairs, buf_take(&text));
    return 0;
}

static int make_from(const struct making *m)
{
    return make_one(m);
}

/* --- the whole --- */

int step_make(const struct dockerfile *file, const struct instruction *instruction,
              const struct expand *expand, struct step *out, struct error *err)
{
    static int (*const makers[])(const struct making *) = {
        [INSTRUCTION_ADD] = step_copy,
        [INSTRUCTION_ARG] = make_pairs,
        [INSTRUCTION_CMD] = make_command,
        [INSTRUCTION_COPY] = step_copy,
        [INSTRUCTION_ENTRYPOINT] = make_command,
        [INSTRUCTION_ENV] = make_pairs,
        [INSTRUCTION_EXPOSE] = make_expose,
        [INSTRUCTION_FROM] = make_from,
        [INSTRUCTION_HEALTHCHECK] = make_health,
        [INSTRUCTION_LABEL] = make_pairs,
        [INSTRUCTION_MAINTAINER] = make_maintainer,
        [INSTRUCTION_ONBUILD] = make_on_build,
        [INSTRUCTION_RUN] = make_run,
        [INSTRUCTION_SHELL] = make_command,
        [INSTRUCTION_STOPSIGNAL] = make_stop_signal,
        [INSTRUCTION_USER] = make_one,
        [INSTRUCTION_VOLUME] = make_volume,
        [INSTRUCTION_WORKDIR] = make_one,
    };
    autostep made = {.kind = instruction->kind, .unpack = -1};
    size_t left = WORDS_MAX;
    const struct making making = {file, instruction, expand, &made, &left, err};
    int rc = makers[instruction->kind](&making);
    if (rc == 0) {
        *out = made;
        made = (struct step){0};
    }
    return rc;
}

static void free_mount(struct step_mount *mount)
{
    free(mount->id);
    free(mount->from);
    free(mount->source);
    free(mount->target);
    free(mount->env);
}

void step_free(struct step *step)
{
    for (size_t i = 0; i < step->mount_count; i++)
        free_mount(&step->mounts[i]);
    for (size_t i = 0; i < step->file_count; i++) {
        free(step->files[i].name);
        free(step->files[i].text);
    }
    free(step->mounts);
    free(step->files);
    free(step->script);
    free(step->target);
    free(step->from);
    free(step->owner);
    free(step->mode);
    free(step->checksum);
    strv_free(&step->words);
    strv_free(&step->sources);
    strv_free(&step->exclude);
    strv_free(&step->pairs);
    strv_free(&step->health.test);
    *step = (struct step){0};
}
