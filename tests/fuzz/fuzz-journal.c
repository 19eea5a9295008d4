/* SPDX-License-Identifier: Apache-2.0 */
/* Entries as journalctl gives them, in pieces as a pipe gives them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "container/journal_export.h"

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);
    memcpy(copy, data, size);
    for (size_t at = 0; at < size;) {
        struct journal_entry entry;
        ssize_t n = journal_entry_parse(copy + at, size - at, &entry);
        check(n <= (ssize_t)(size - at));
        if (n <= 0)
            break;
        const char *end = copy + at + n;
        if (entry.is_output) {
            check(entry.text >= copy + at && entry.text + entry.length <= end);
            check(entry.partial || entry.text[entry.length - 1] == '\n');
        }
        if (entry.cursor)
            check(entry.cursor >= copy + at && entry.cursor + entry.cursor_length < end);
        /* With less of it, it is not there yet. */
        struct journal_entry part;
        check(journal_entry_parse(copy + at, (size_t)n - 1, &part) <= 0);
        at += (size_t)n;
    }
    free(copy);
    return 0;
}
