/* SPDX-License-Identifier: Apache-2.0 */
#include "container/log_show.h"

#include <string.h>

#include "base/io.h"
#include "base/memory.h"

#define OUTPUT_SIZE (64 * 1024)

void log_show_start(struct log_show *show, const struct log_query *query)
{
    *show = (struct log_show){.query = query, .output = xmalloc(OUTPUT_SIZE), .target = -1};
}

void log_show_free(struct log_show *show)
{
    free(show->output);
    show->output = NULL;
}

bool log_query_chooses(const struct log_query *query, enum log_stream stream, nanoseconds when)
{
    return (stream == LOG_STDERR ? query->err : query->out) >= 0 && when >= query->since &&
           (query->until == 0 || when <= query->until);
}

int log_show_flush(struct log_show *show, struct error *err)
{
    int rc = show->pending ? write_all(show->target, show->output, show->pending) : 0;
    show->pending = 0;
    return rc < 0 ? error_set(err, rc, "cannot write: %s", error_describe(rc)) : 0;
}

static int put(struct log_show *show, int target, const char *bytes, size_t length,
               struct error *err)
{
    if (target != show->target || length > OUTPUT_SIZE - show->pending) {
        int rc = log_show_flush(show, err);
        if (rc < 0)
            return rc;
        show->target = target;
    }
    if (length > OUTPUT_SIZE) {
        int rc = write_all(target, bytes, length);
        return rc < 0 ? error_set(err, rc, "cannot write: %s", error_describe(rc)) : 0;
    }
    memcpy(show->output + show->pending, bytes, length);
    show->pending += length;
    return 0;
}

int log_show_entry(struct log_show *show, enum log_stream stream, nanoseconds when,
                   const char *text, size_t length, struct error *err)
{
    int target = stream == LOG_STDERR ? show->query->err : show->query->out;
    bool *unfinished = &show->unfinished[stream];
    if (show->query->timestamps && !*unfinished) {
        char stamp[RFC3339_MAX + 1];
        format_rfc3339(when, stamp);
        size_t stamp_length = strlen(stamp);
        stamp[stamp_length++] = ' ';
        int rc = put(show, target, stamp, stamp_length, err);
        if (rc < 0)
            return rc;
    }
    *unfinished = length == 0 || text[length - 1] != '\n';
    return put(show, target, text, length, err);
}
