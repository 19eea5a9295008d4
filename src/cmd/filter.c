/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/filter.h"

#include <string.h>

#include "base/text.h"

bool filter_take(const struct filter_key *keys, size_t count, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : 0;
    for (size_t i = 0; equals && i < count; i++) {
        if (strlen(keys[i].key) == length && strncmp(keys[i].key, word, length) == 0) {
            strv_add(keys[i].values, equals + 1);
            return true;
        }
    }
    return false;
}

bool filter_take_bool(const char *key, const char *word, bool *value)
{
    size_t length = strlen(key);
    if (!starts_with(word, key) || word[length] != '=')
        return false;
    const char *text = word + length + 1;
    bool yes = streq(text, "true") || streq(text, "1");
    if (!yes && !streq(text, "false") && !streq(text, "0"))
        return false;
    *value = yes;
    return true;
}

bool filter_by_part(const struct strv *wanted, const char *name)
{
    for (size_t i = 0; i < wanted->len; i++)
        if (strstr(name, wanted->items[i]))
            return true;
    return wanted->len == 0;
}

bool filter_by_prefix(const struct strv *wanted, const char *id)
{
    for (size_t i = 0; i < wanted->len; i++)
        if (starts_with(id, wanted->items[i]))
            return true;
    return wanted->len == 0;
}

bool labels_have(const struct strv *labels, const char *wanted)
{
    size_t length = strcspn(wanted, "=");
    for (size_t i = 0; i < labels->len; i++) {
        const char *label = labels->items[i];
        if (wanted[length] ? streq(label, wanted)
                           : strncmp(label, wanted, length) == 0 &&
                                 (label[length] == '=' || label[length] == '\0'))
            return true;
    }
    return false;
}

bool filter_by_labels(const struct strv *wanted, const struct strv *labels)
{
    for (size_t i = 0; i < wanted->len; i++)
        if (!labels_have(labels, wanted->items[i]))
            return false;
    return true;
}
