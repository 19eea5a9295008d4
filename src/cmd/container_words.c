/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/container_words.h"

#include "base/buf.h"
#include "base/text.h"
#include "cmd/print.h"
#include "container/signals.h"

int containers_here(struct containers *out, struct error *err)
{
    return containers_open(global_options.root, global_options.state, out, err);
}

int for_each_word(const struct invocation *call, each_word *each, void *closure, struct error *err)
{
    autocontainers all = {0};
    int status = 0;
    int rc = containers_here(&all, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < call->count; i++) {
        struct error wrong = {0};
        char id[CONTAINER_ID_MAX];
        const char *word = call->arguments[i];
        /* One container from here on, and a word that can be printed. */
        if (streq(word, CONTAINER_LATEST) && container_find_id(&all, word, id, &wrong) == 0)
            word = id;
        if (each(&all, word, closure, &wrong) < 0) {
            tell_error(&wrong);
            status = 1;
        }
    }
    return status;
}

int print_word(const char *word)
{
    autobuf line = {0};
    buf_printable(&line, word);
    buf_char(&line, '\n');
    return print(&line) == 0 ? 0 : -EIO;
}

int read_moment(const char *flag, const char *text, nanoseconds *when, struct error *err)
{
    if (!text || parse_moment(text, clock_wall(), when) == 0)
        return 0;
    return error_set(err, -EINVAL,
                     "%s %.60s: give a time like 2026-01-02T13:23:37Z, seconds since 1970, or an "
                     "age like 10m",
                     flag, text);
}

int read_signal(const char *flag, const char *text, int *number, struct error *err)
{
    if (signal_number(text, number) == 0)
        return 0;
    return error_set(err, -EINVAL,
                     "%s %.40s: there is no such signal; give a name like TERM or a "
                     "number from 1 to 64",
                     flag, text);
}
