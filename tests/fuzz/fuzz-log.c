/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a log file, and the way back: what the writer escapes, the reader gets. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "container/log_escape.h"
#include "container/log_line.h"

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct log_line line;
    nanoseconds when;
    char *copy = malloc(size + 1);
    memcpy(copy, data, size);
    if (log_line_parse(copy, size, &line) == 0) {
        check(line.text >= copy && line.text + line.length <= copy + size);
        (void)log_line_time(&line, &when);
    }
    free(copy);

    static const char head[] = "{\"log\":\"", rest[] = "\",\"stream\":\"stderr\",\"time\":\"x\"}";
    char *entry = malloc(sizeof head + sizeof rest + size * LOG_ESCAPE_FACTOR + LOG_ESCAPE_SLACK);
    memcpy(entry, head, sizeof head - 1);
    char *end = log_escape(entry + sizeof head - 1, (const char *)data, size);
    memcpy(end, rest, sizeof rest - 1);
    check(log_line_parse(entry, (size_t)(end - entry) + sizeof rest - 1, &line) == 0);
    const char *at = line.text;
    for (size_t i = 0; i < size;) {
        size_t width = log_utf8_character(data + i, size - i);
        check(width ? memcmp(at, data + i, width) == 0 : memcmp(at, "\xef\xbf\xbd", 3) == 0);
        at += width ? width : 3;
        i += width ? width : 1;
    }
    check(at == line.text + line.length);
    free(entry);
    return 0;
}
