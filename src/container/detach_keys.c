/* SPDX-License-Identifier: Apache-2.0 */
#include "container/detach_keys.h"

#include <errno.h>
#include <string.h>

#include "base/strv.h"

/* One key: a character, or "ctrl-" and a letter or one of @ [ \ ] ^ _. 0 to 127, or -1. */
static int key_code(const char *word)
{
    if (word[0] && !word[1] && (unsigned char)word[0] < 0x80)
        return word[0];
    if (strncmp(word, "ctrl-", 5) != 0 || !word[5] || word[6])
        return -1;
    char letter = word[5];
    if (letter >= 'a' && letter <= 'z')
        return letter - 'a' + 1;
    if (letter == '@')
        return 0;
    return letter >= '[' && letter <= '_' ? letter - '[' + 27 : -1;
}

int detach_keys_parse(const char *text, struct detach_keys *out, struct error *err)
{
    struct detach_keys keys = {.count = 0};
    autostrv words = {0};
    if (!text)
        text = DETACH_KEYS_DEFAULT;
    if (*text)
        strv_split(&words, text, ',');
    if (words.len > DETACH_KEYS_MAX)
        return error_set(err, -E2BIG, "--detach-keys: at most %d keys", DETACH_KEYS_MAX);
    for (size_t i = 0; i < words.len; i++) {
        int code = key_code(words.items[i]);
        if (code < 0)
            return error_set(err, -EINVAL,
                             "--detach-keys: \"%.40s\" is no key; give keys separated by commas, "
                             "each a character or ctrl- and one of a-z @ [ \\ ] ^ _",
                             words.items[i]);
        keys.bytes[keys.count++] = (unsigned char)code;
    }
    *out = keys;
    return 0;
}

/* After a key that does not go on with the sequence: as much of its beginning as still stands. */
static size_t fall_back(const struct detach_keys *keys, unsigned char key)
{
    unsigned char typed[DETACH_KEYS_MAX + 1];
    size_t length = keys->matched;
    memcpy(typed, keys->bytes, length);
    typed[length++] = key;
    for (size_t skip = 1; skip < length; skip++)
        if (memcmp(typed + skip, keys->bytes, length - skip) == 0)
            return length - skip;
    return 0;
}

size_t detach_keys_filter(struct detach_keys *keys, const char *in, size_t length, char *out,
                          bool *detach)
{
    size_t n = 0;
    *detach = false;
    for (size_t i = 0; i < length; i++) {
        unsigned char key = (unsigned char)in[i];
        if (keys->count > 0 && key == keys->bytes[keys->matched]) {
            if (++keys->matched == keys->count) {
                keys->matched = 0;
                *detach = true;
                return n;
            }
            continue;
        }
        size_t kept = keys->count > 0 ? fall_back(keys, key) : 0;
        size_t released = keys->matched + 1 - kept;
        /* What is released are keys that were held back, and then, unless it begins anew, this. */
        for (size_t k = 0; k < released; k++)
            out[n++] = k < keys->matched ? (char)keys->bytes[k] : (char)key;
        keys->matched = kept;
    }
    return n;
}
