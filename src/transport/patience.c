/* SPDX-License-Identifier: Apache-2.0 */
/* What answers say besides yes: when to come again, where the rest begins, what is wrong. */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "transport/transport.h"

#define WORDS_MAX 600

int64_t retry_after(const char *text, int64_t now)
{
    uint64_t seconds;
    if (!*text)
        return -1;
    if (parse_u64(text, INT32_MAX, &seconds) == 0)
        return (int64_t)seconds;
    time_t when = curl_getdate(text, NULL);
    if (when < 0)
        return -1;
    return when > now ? (int64_t)when - now : 0;
}

int64_t content_range_start(const char *text)
{
    static const char unit[] = "bytes ";
    uint64_t start;
    if (strncasecmp(text, unit, strlen(unit)) != 0)
        return -1;
    text += strlen(unit);
    autofree char *number = xstrndup(text, strcspn(text, "-"));
    return parse_u64(number, INT64_MAX, &start) == 0 ? (int64_t)start : -1;
}

/* distribution-spec, "Error Codes"; some say only {"message": …} or {"details": …}. */
static void add_error(const json_t *error, struct buf *out)
{
    static const char *const keys[] = {"message", "details", "error_description", "error", "code"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text = json_string_value(json_object_get(error, keys[i]));
        if (!text || !*text)
            continue;
        buf_str(out, out->len ? "; " : "");
        autofree char *cut = xstrndup(text, 300);
        buf_printable(out, cut);
        return;
    }
}

void error_words(const char *body, size_t length, struct buf *out)
{
    autojson json = json_parse(body, length, "an error", NULL);
    const json_t *errors = json_object_get(json, "errors");
    for (size_t i = 0; i < json_array_size(errors) && out->len < WORDS_MAX; i++)
        add_error(json_array_get(errors, i), out);
    if (out->len == 0 && json_is_object(json))
        add_error(json, out);
}
