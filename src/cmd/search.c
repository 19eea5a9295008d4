/* SPDX-License-Identifier: Apache-2.0 */
/* search: Docker's index by its own interface, other registries by their catalogue where they show
 * one. What is found is text of strangers. */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/list.h"
#include "cmd/print.h"
#include "cmd/registry_worker.h"
#include "registry/tags.h"

#define DOCKER "docker.io"
#define DOCKER_INDEX "index.docker.io"
#define LIMIT 25
#define LIMIT_MAX 100
#define ANSWER_MAX (4u << 20)
#define DESCRIPTION 45 /* characters, unless --no-trunc */

static const struct list_column columns[] = {
    {"Name", {.heading = "NAME"}},
    {"Description", {.heading = "DESCRIPTION"}},
    {"StarCount", {.heading = "STARS"}},
    {"IsOfficial", {.heading = "OFFICIAL"}},
};

static void cell(struct list *list, const char *text)
{
    autobuf shown = {0};
    buf_printable(&shown, text ? text : "");
    for (size_t i = 0; i < shown.len; i++)
        if (shown.data[i] == '\n' || shown.data[i] == '\t')
            shown.data[i] = ' ';
    list_cell(list, buf_text(&shown));
}

static void add_result(const json_t *result, const struct search_options *o, struct list *list)
{
    const char *name = json_string_value(json_object_get(result, "name"));
    const char *about = json_string_value(json_object_get(result, "description"));
    autobuf text = {0};
    if (!name)
        return;
    buf_str(&text, about ? about : "");
    if (!o->no_trunc && text.len > DESCRIPTION) {
        text.len = DESCRIPTION - 3;
        while (text.len > 0 && (text.data[text.len] & 0xc0) == 0x80)
            text.len--; /* not within a character */
        text.data[text.len] = '\0';
        buf_str(&text, "…");
    }
    cell(list, name);
    cell(list, buf_text(&text));
    list_fmt(list, "%lld", (long long)json_integer_value(json_object_get(result, "star_count")));
    list_cell(list, json_is_true(json_object_get(result, "is_official")) ? "[OK]" : "");
}

static int search_docker(struct connection *c, const char *term, size_t limit,
                         const struct search_options *o, struct list *list, struct error *err)
{
    autobuf text = {0}, target = {0};
    struct answer answer;
    buf_str(&target, "/v1/search?q=");
    for (const char *at = term; *at; at++)
        buf_fmt(&target,
                strchr("-_.", *at) || (*at >= '0' && *at <= '9') ||
                        ((*at | 0x20) >= 'a' && (*at | 0x20) <= 'z')
                    ? "%c"
                    : "%%%02X",
                (unsigned char)*at);
    buf_fmt(&target, "&n=%zu", limit);
    const struct ask ask = {.method = "GET", .target = buf_text(&target), .most = ANSWER_MAX};
    int rc = client_document(&c->client, &ask, &answer, &text, err);
    if (rc < 0)
        return rc;
    if (answer.status != 200)
        return client_refused(&c->endpoints.items[0], &answer, "a search", err);
    autojson json = json_parse(buf_text(&text), text.len, "the answer to a search", err);
    if (!json)
        return -EINVAL;
    const json_t *results = json_object_get(json, "results");
    for (size_t i = 0; i < json_array_size(results) && i < limit; i++)
        add_result(json_array_get(results, i), o, list);
    return 0;
}

static int search_catalogue(struct connection *c, const char *term, size_t limit, struct list *list,
                            struct error *err)
{
    autostrv names = {0};
    int rc = repositories_list(&c->client, 0, term, limit, &names, err);
    for (size_t i = 0; rc == 0 && i < names.len; i++) {
        autofree char *name = xasprintf("%s/%s", c->endpoints.items[0].name, names.items[i]);
        cell(list, name);
        list_cell(list, "");
        list_cell(list, "0");
        list_cell(list, "");
    }
    return rc;
}

/* "registry.example/term", "localhost:5000/" or only "term". */
static void split(const char *text, char **registry, const char **term)
{
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : 0;
    autofree char *first = xstrndup(text, length);
    bool is_host = slash && (strpbrk(first, ".:") || streq(first, "localhost"));
    *registry = xstrdup(is_host ? first : DOCKER);
    *term = is_host ? slash + 1 : text;
}

int command_search(const struct invocation *call, void *options, struct error *err)
{
    const struct search_options *o = options;
    autofree char *registry = NULL;
    const char *term;
    autoconf conf = NULL;
    autoconnection c = {0};
    autolist list = {0};
    size_t limit = o->limit > 0 ? (size_t)o->limit : LIMIT;
    split(call->arguments[0], &registry, &term);
    bool docker = streq(registry, DOCKER);
    if (limit > LIMIT_MAX && docker)
        return error_set(err, -EINVAL, "--limit goes from 1 to %d", LIMIT_MAX);
    list_start(&list, columns, sizeof columns / sizeof *columns);
    int rc = registry_valid(registry, err);
    if (rc == 0)
        rc = conf_read(&conf, err);
    if (rc == 0 && docker) /* what blocks the one blocks the other */
        rc = conf_registry(conf, DOCKER, "", TLS_ALWAYS, &c.endpoints, err);
    endpoints_free(&c.endpoints);
    if (rc == 0)
        rc = connect_to_registry(conf, docker ? DOCKER_INDEX : registry, "", &o->reach, 1, false,
                                 &c, err);
    if (rc == 0)
        rc = confine_to_nothing(err);
    if (rc == 0)
        rc = docker ? search_docker(&c, term, limit, o, &list, err)
                    : search_catalogue(&c, term, limit, &list, err);
    if (rc < 0)
        return rc;
    const struct list_style style = {.format = o->format, .no_trunc = o->no_trunc};
    return list_print(&list, &style, err);
}
