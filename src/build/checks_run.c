/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of the text of a RUN. No shell is understood here: words, pipes and ends of commands are
 * enough to see a download that goes straight into a shell, and a secret that stands in the text.
 */
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/secret_name.h"
#include "base/text.h"
#include "build/checks_parts.h"
#include "build/dockerfile_parts.h"

#define WINDOW_MAX 1024                    /* bytes of text that are looked at around a word */
#define PREFIXES_MAX 20                    /* words before a command */
#define PIPES_MAX 8                        /* between a download and what executes it */
#define WORD_BYTES "\"'`()<>|;&\\," BLANKS /* where a word ends */

static bool one_of(const char *const *words, size_t count, const char *text, size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(words[i]) == length && memcmp(words[i], text, length) == 0)
            return true;
    return false;
}

/* The word at `text`, without the directories before it. */
static size_t base_name(const char **text)
{
    size_t length = strcspn(*text, WORD_BYTES);
    for (size_t i = length; i-- > 0;)
        if ((*text)[i] == '/') {
            *text += i + 1;
            return length - i - 1;
        }
    return length;
}

static bool fetches(const char *word)
{
    static const char *const names[] = {"curl", "wget", "aria2c", "fetch"};
    size_t length = base_name(&word);
    return one_of(names, sizeof names / sizeof *names, word, length);
}

/* Past the word at `text`, and the white space behind it. */
static const char *word_after(const char *text)
{
    text += strcspn(text, ";&|\n" BLANKS);
    return text + strspn(text, " \t");
}

/* Past sudo, env and the like with their options and variables. */
static const char *past_prefixes(const char *text)
{
    static const char *const names[] = {"sudo", "env", "busybox", "exec", "command", "nice"};
    for (unsigned words = 0; words < PREFIXES_MAX; words++) {
        const char *name = text;
        size_t length = base_name(&name);
        bool prefix = one_of(names, sizeof names / sizeof *names, name, length);
        bool theirs = words > 0 && (*text == '-' || memchr(text, '=', strcspn(text, WORD_BYTES)));
        if (!prefix && !theirs)
            break;
        text = word_after(text);
    }
    return text;
}

static const char *const shells[] = {"sh", "bash", "dash", "ash", "zsh", "ksh", "fish"};

/* Whether the command at `text` executes what it reads: a shell does unless it has a -c, another
 * interpreter does when nothing is said to it. */
static bool executes(const char *text)
{
    static const char *const others[] = {"perl",    "ruby", "python", "python2",
                                         "python3", "node", "php"};
    text = past_prefixes(text);
    const char *name = text, *next = word_after(text);
    size_t length = base_name(&name);
    if (one_of(shells, sizeof shells / sizeof *shells, name, length))
        return !(*next == '-' && next[1] != '-' && memchr(next, 'c', strcspn(next, BLANKS)));
    return one_of(others, sizeof others / sizeof *others, name, length) &&
           (!*next || strchr(";&|\n)\"'", *next) ||
            (*next == '-' && (!next[1] || strchr(WORD_BYTES, next[1]))));
}

/* A shell, whatever is said to it. */
static bool is_shell(const char *text)
{
    text = past_prefixes(text);
    size_t length = base_name(&text);
    return one_of(shells, sizeof shells / sizeof *shells, text, length);
}

/* Words from `text` on: the next one, or NULL. */
static const char *next_word(const char *text)
{
    text += strcspn(text, WORD_BYTES);
    text += strspn(text, "\"'`()\\," BLANKS);
    return *text ? text : NULL;
}

/* Behind a fetching word: whether what comes of it is piped into something that executes it. */
static bool piped(const char *text)
{
    unsigned pipes = 0;
    for (const char *begin = text; *text && text < begin + WINDOW_MAX; text++) {
        if (*text == ';' || *text == '\n' || *text == '&' || (text[0] == '|' && text[1] == '|'))
            return false;
        if (*text != '|')
            continue;
        if (++pipes > PIPES_MAX)
            return false;
        text++;
        text += *text == '&';
        text += strspn(text, BLANKS);
        if (executes(text))
            return true;
        text--;
    }
    return false;
}

/* Before a fetching word: `sh -c "$(curl …)"`, `bash <(curl …)`, `. <(curl …)`. */
static bool substituted(const char *begin, const char *word)
{
    size_t before = (size_t)(word - begin);
    if (before < 2)
        return false;
    const char *open = word - 1;
    while (open > begin && strchr(BLANKS, *open))
        open--;
    bool shell = *open == '`' || (open > begin && *open == '(' && strchr("$<", open[-1]));
    if (!shell)
        return false;
    /* The command around it begins behind the last end of one. */
    const char *at = open;
    while (at > begin && open - at < WINDOW_MAX && !strchr(";&|\n", at[-1]))
        at--;
    at += strspn(at, BLANKS);
    return is_shell(at) || starts_with(at, "eval ") || starts_with(at, ". ");
}

static const char *piped_download(const char *text)
{
    const char *word = text + strspn(text, "\"'`()[\\," BLANKS);
    for (; word && *word; word = next_word(word)) {
        word += strspn(word, "|;&<>" BLANKS);
        if (fetches(word) && (piped(word) || substituted(text, word)))
            return word;
    }
    return NULL;
}

/* --- secrets --- */

/* A value that stands there: not a variable, not what a command says. */
static bool literal(const char *value)
{
    value += strspn(value, "\"'");
    return *value && !strchr("$`" WORD_BYTES, *value);
}

/* NAME=value, --password=value. */
static bool secret_assigned(const char *word, size_t *length)
{
    size_t dashes = strspn(word, "-"), end;
    const char *name = word + dashes;
    autobuf plain = {0};
    end = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    if (end == 0 || end > 60 || name[end] != '=' || !literal(name + end + 1))
        return false;
    for (size_t i = 0; i < end; i++)
        buf_char(&plain, name[i] == '-' ? '_' : name[i]);
    *length = dashes + end;
    if (secret_name(buf_text(&plain), plain.len, false))
        return true;
    /* A key alone may be anything; these are not. */
    static const char *const keys[] = {"api_key", "access_key", "secret_key", "private_key"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcasestr(buf_text(&plain), keys[i]))
            return true;
    return false;
}

/* https://user:secret@host */
static bool secret_in_address(const char *word, size_t *length)
{
    size_t scheme = strspn(word, "abcdefghijklmnopqrstuvwxyz+"), host = 0;
    const char *address = word + scheme;
    if (scheme == 0 || !starts_with(address, "://"))
        return false;
    address += 3;
    while (host < WINDOW_MAX && address[host] && !strchr("/?#\"'`" BLANKS, address[host]))
        host++;
    const char *at = memchr(address, '@', host), *colon = memchr(address, ':', host);
    if (!at || !colon || colon + 1 >= at || !literal(colon + 1))
        return false;
    *length = (size_t)(colon - word);
    return true;
}

/* The first word that has one; `length` of what may be shown of it. */
static const char *secret_in(const char *text, size_t *length)
{
    while (*text) {
        text += strspn(text, WORD_BYTES);
        if (*text && (secret_assigned(text, length) || secret_in_address(text, length)))
            return text;
        text += strcspn(text, WORD_BYTES);
    }
    return NULL;
}

/* --- all --- */

static void check_text(struct checking *c, struct place place, const char *text)
{
    size_t length = 0;
    const char *download = piped_download(text), *secret = secret_in(text, &length);
    if (download)
        report(c->out, RULE_PIPED_DOWNLOAD, place,
               "what %.*s fetches is executed unseen; fetch it with ADD --checksum, then execute "
               "it",
               (int)strcspn(download, WORD_BYTES), download);
    if (secret)
        report(c->out, RULE_SECRET_IN_RUN, place,
               "%.*s… looks like a secret, and the history of the image shows it; use "
               "--mount=type=secret",
               (int)length, secret);
}

void check_run(struct checking *c, const struct instruction *i)
{
    check_text(c, i->place, i->rest);
    for (size_t h = 0; h < i->heredoc_count; h++)
        check_text(c, i->heredocs[h].place, i->heredocs[h].text);
    for (size_t f = 0; f < i->flag_count; f++)
        if (streq(i->flags[f].name, "security") && streq(i->flags[f].value, "insecure"))
            report(c->out, RULE_INSECURE_RUN, i->flags[f].place,
                   "this command may do to the host what it likes; leave --security=insecure "
                   "out");
}
