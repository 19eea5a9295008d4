/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/strv.h"
#include "base/text.h"
#include "fetch/fetch.h"

#define MOST ((uint64_t)4 << 30)
#define CONNECT 30
#define STALL 60
#define SECONDS_MAX 86400

static int wrong(const char *key, struct error *err)
{
    return error_set(err, -EINVAL, "the request has no valid value for \"%.20s\"", key);
}

static int take_number(const char *key, const char *value, struct fetch_request *out,
                       struct error *err)
{
    uint64_t modified;
    const struct {
        const char *key;
        uint64_t most, *value;
    } numbers[] = {{"most", INT64_MAX, &out->most},
                   {"connect", SECONDS_MAX, &out->connect},
                   {"stall", SECONDS_MAX, &out->stall},
                   {"modified", INT64_MAX, &modified}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (!streq(key, numbers[i].key))
            continue;
        if (parse_u64(value, numbers[i].most, numbers[i].value) < 0)
            return wrong(key, err);
        if (numbers[i].value == &modified)
            out->modified = (int64_t)modified;
        return 0;
    }
    return wrong(key, err);
}

static int take_line(const char *line, struct fetch_request *out, struct error *err)
{
    size_t length = strcspn(line, " ");
    autofree char *key = xstrndup(line, length);
    const char *value = line + length + (line[length] == ' ');
    const struct {
        const char *key;
        char **text;
    } texts[] = {{"url", &out->url},
                 {"user", &out->user},
                 {"password", &out->password},
                 {"etag", &out->etag}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (streq(key, texts[i].key)) {
            free(*texts[i].text);
            *texts[i].text = xstrdup(value);
            return 0;
        }
    if (streq(key, "egress"))
        return egress_parse(value, &out->egress, err);
    return take_number(key, value, out, err);
}

int fetch_request_read(const char *text, struct fetch_request *out, struct error *err)
{
    struct fetch_request request = {
        .modified = -1, .most = MOST, .connect = CONNECT, .stall = STALL};
    autostrv lines = {0};
    int rc = 0;
    strv_split(&lines, text, '\n');
    for (size_t i = 0; rc == 0 && i < lines.len; i++)
        if (*lines.items[i])
            rc = take_line(lines.items[i], &request, err);
    if (rc == 0 && (!request.url || (request.etag && strlen(request.etag) >= FETCH_TEXT_MAX)))
        rc = wrong("url", err);
    if (rc < 0)
        fetch_request_free(&request);
    else
        *out = request;
    return rc;
}

void fetch_request_free(struct fetch_request *r)
{
    free(r->url);
    free(r->user);
    secret_forget(&r->password);
    free(r->etag);
    egress_free(&r->egress);
    *r = (struct fetch_request){0};
}
