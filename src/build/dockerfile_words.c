/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of a logical line: words, names of here-documents, JSON arrays. */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/dockerfile_parts.h"

#define JSON_MAX (1u << 20) /* bytes; a tree of it takes a hundred times as much */

size_t word_length(const char *text, char escape)
{
    char quote = 0;
    size_t i = 0;
    for (; text[i]; i++) {
        if (text[i] == escape && quote != '\'' && text[i + 1])
            i++;
        else if (quote)
            quote = text[i] == quote ? 0 : quote;
        else if (text[i] == '"' || text[i] == '\'')
            quote = text[i];
        else if (strchr(BLANKS, text[i]))
            break;
    }
    return i;
}

size_t heredoc_length(const char *text, char escape)
{
    size_t length = word_length(text, escape), digits = strspn(text, "0123456789");
    bool alone =
        starts_with(text + digits, "<<") && length == digits + 2 + (text[digits + 2] == '-');
    size_t next = length + strspn(text + length, BLANKS);
    return alone && text[next] ? next + word_length(text + next, escape) : length;
}

bool heredoc_word(const char *word, char escape, struct heredoc *out, bool *tabs)
{
    autobuf name = {0};
    bool quoted = false;
    char quote = 0;
    word += strspn(word, "0123456789");
    if (word[0] != '<' || word[1] != '<')
        return false;
    word += 2;
    bool dash = *word == '-';
    word += dash;
    word += strspn(word, BLANKS);
    for (; *word; word++) {
        if (*word == '<')
            return false;
        if (*word == escape && quote != '\'' && word[1]) {
            buf_char(&name, *++word); /* which is no quotation: variables are expanded */
        } else if (quote ? *word == quote : *word == '"' || *word == '\'') {
            quote = quote ? 0 : *word;
            quoted = true;
        } else if (!quote && strchr(BLANKS, *word)) {
            return false;
        } else {
            buf_char(&name, *word);
        }
    }
    if (quote || name.len == 0)
        return false;
    out->name = buf_take(&name);
    out->expand = !quoted;
    *tabs = dash;
    return true;
}

int json_words(const char *text, struct strv *out)
{
    size_t i, length = strlen(text);
    json_t *item;
    if (*text != '[')
        return 0;
    if (length > JSON_MAX)
        return -E2BIG;
    autojson json = json_parse(text, length, "", NULL);
    if (!json)
        return 0;
    if (json_array_size(json) > DOCKERFILE_WORDS_MAX)
        return -E2BIG;
    json_array_foreach(json, i, item)
    {
        if (!json_is_string(item))
            return -EINVAL;
    }
    json_array_foreach(json, i, item)
    {
        strv_add(out, json_string_value(item));
    }
    return 1;
}
