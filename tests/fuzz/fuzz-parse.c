/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines: words separated by NUL, given to the verb that they name. */
#include <stdint.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "cmd/parse.h"

enum { MOST_WORDS = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *words[MOST_WORDS + 1] = {NULL};
    struct error err = {0};
    struct invocation call;
    size_t count = 0, used;
    autofree char *text = xmalloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    for (size_t at = 0; at < size && count < MOST_WORDS; at += strlen(text + at) + 1)
        words[count++] = text + at;
    if (count == 0)
        return 0;
    const struct verb *verb = find_verb(all_verbs, words, &used);
    if (!verb) {
        (void)unknown_verb(all_verbs, words, &err);
        return 0;
    }
    void *options = new_options(verb);
    (void)parse_words(verb, words + used, &call, options, &err);
    free_options(verb, options);
    return 0;
}
