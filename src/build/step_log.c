/* SPDX-License-Identifier: Apache-2.0 */
#include "build/step_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

int step_log_limit(uint64_t *limit, struct error *err)
{
    const char *words = getenv(STEP_LOG_VARIABLE);
    if (!words || !*words)
        *limit = STEP_LOG_DEFAULT;
    else if (streq(words, "-1"))
        *limit = UINT64_MAX;
    else if (parse_size(words, limit) < 0)
        return error_set(err, -EINVAL,
                         STEP_LOG_VARIABLE
                         "=%.60s: write a number of bytes, as in 4m, or -1 for no limit",
                         words);
    return 0;
}

static void keep(struct strv *last, const char *line)
{
    if (last->len == STEP_LOG_LAST) {
        free(last->items[0]);
        memmove(last->items, last->items + 1, (last->len - 1) * sizeof *last->items);
        last->items[--last->len] = NULL;
    }
    strv_add(last, line);
}

enum step_log_verdict step_log_take(struct step_log *log, uint64_t limit, const char *line)
{
    size_t length = strlen(line) + 1;
    bool before = log->beyond;
    if (!before && (limit == UINT64_MAX || length <= limit - log->told)) {
        log->told += length;
        return STEP_LOG_TELL;
    }
    log->beyond = true;
    keep(&log->last, line);
    return before ? STEP_LOG_KEEP : STEP_LOG_STOP;
}

void step_log_stop(uint64_t limit, struct buf *out)
{
    const uint64_t mib = (uint64_t)1 << 20;
    bool whole = limit > 0 && limit % mib == 0;
    buf_fmt(out,
            "[output of this step beyond %llu %s is left out: " STEP_LOG_VARIABLE
            "=-1 shows all of it]",
            (unsigned long long)(whole ? limit / mib : limit), whole ? "MiB" : "bytes");
}

void step_log_clear(struct step_log *log)
{
    strv_free(&log->last);
    *log = (struct step_log){0};
}
