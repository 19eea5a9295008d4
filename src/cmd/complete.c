/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shell completions from the verbs' tables. Names of containers and images come from `caisson ps`
 * and `caisson images`, asked when the key is pressed; what they print is never evaluated by the
 * shell.
 */
#include <string.h>

#include "base/text.h"
#include "cmd/generate.h"
#include "cmd/help.h"
#include "cmd/parse.h"

/* Within '…' of any of the three shells. fish knows \' inside of them, the others do not. */
static void quoted(struct buf *out, const char *text, bool fish)
{
    buf_char(out, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            buf_str(out, fish ? "\\'" : "'\\''");
        else if (*text == '\\' && fish)
            buf_str(out, "\\\\");
        else
            buf_char(out, *text);
    }
    buf_char(out, '\'');
}

static bool listed(const struct verb *verb)
{
    return verb->group != NULL;
}

/* --- bash --- */

static void bash_verb(const struct verb *verb, struct buf *out)
{
    const char *spelling;
    char room[SPELLING_MAX];
    buf_str(out, "    ");
    for (size_t i = 0; (spelling = verb_spelling(verb, i, room)); i++)
        buf_fmt(out, "%s'%s'", i ? "|" : "", spelling);
    buf_str(out, ")\n        flags='--help");
    for (const struct option *o = verb->options; o && o->name; o++)
        if (option_visible(o))
            buf_fmt(out, " --%s", o->name);
    buf_str(out, "'\n        valued='");
    for (const struct option *o = verb->options; o && o->name; o++) {
        if (!option_visible(o) || !option_takes_word(o))
            continue;
        buf_fmt(out, " --%s", o->name);
        if (o->letter)
            buf_fmt(out, " -%c", o->letter);
    }
    buf_fmt(out, "'\n        arguments='%s'\n        stop=%d\n",
            verb->completes ? verb->completes : "", verb->stop_at_argument);
    bool any = false;
    for (const struct option *o = verb->options; o && o->name; o++) {
        if (!o->words || !option_visible(o))
            continue;
        if (!any)
            buf_str(out, "        case $previous in\n");
        any = true;
        buf_fmt(out, "        --%s", o->name);
        if (o->letter)
            buf_fmt(out, "|-%c", o->letter);
        buf_str(out, ") words='");
        for (size_t i = 0; o->words[i]; i++)
            buf_fmt(out, "%s%s", i ? " " : "", o->words[i]);
        buf_str(out, "' ;;\n");
    }
    if (any)
        buf_str(out, "        esac\n");
    buf_str(out, "        ;;\n");
}

static const char bash_head[] =
    "# bash completion for caisson. Made from the option tables; do not edit.\n"
    "\n"
    "_caisson_offer() {\n"
    "    case $1 in\n"
    "    container) caisson ps -a --format '{{.Names}}' 2>/dev/null ;;\n"
    "    running) caisson ps --format '{{.Names}}' 2>/dev/null ;;\n"
    "    image) caisson images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null |\n"
    "        grep -v '<none>' ;;\n"
    "    volume) caisson volume ls -q 2>/dev/null ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "# Lines that start with $1, quoted as they have to be.\n"
    "_caisson_reply() {\n"
    "    local line prefix=$1\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        [[ $line == \"$prefix\"* ]] && COMPREPLY+=(\"$(printf '%q' \"$line\")\")\n"
    "    done\n"
    "    declare -F __ltrim_colon_completions >/dev/null && __ltrim_colon_completions \"$prefix\"\n"
    "}\n"
    "\n";

static const char bash_tail[] =
    "    esac\n"
    "    if [[ -n $words ]]; then\n"
    "        _caisson_reply \"$current\" < <(printf '%s\\n' $words)\n"
    "        return\n"
    "    fi\n"
    "    if [[ \" $valued \" == *\" $previous \"* ]]; then\n"
    "        compopt -o default\n"
    "        return\n"
    "    fi\n"
    "    # Words of the container's own command.\n"
    "    if ((stop)); then\n"
    "        local seen=0\n"
    "        for ((i = start; i < COMP_CWORD; i++)); do\n"
    "            if [[ \" $valued \" == *\" ${COMP_WORDS[i]} \"* ]]; then\n"
    "                ((i++))\n"
    "            elif [[ ${COMP_WORDS[i]} != -* && ${COMP_WORDS[i]} != [=:] ]]; then\n"
    "                seen=1\n"
    "            fi\n"
    "        done\n"
    "        if ((seen)) && [[ ${COMP_WORDS[COMP_CWORD - 1]} != : && $current != : ]]; then\n"
    "            compopt -o default\n"
    "            return\n"
    "        fi\n"
    "    fi\n"
    "    if [[ $current == -* ]]; then\n"
    "        _caisson_reply \"$current\" < <(printf '%s\\n' $flags)\n"
    "    elif [[ $arguments == file || -z $verb ]]; then\n"
    "        compopt -o default\n"
    "    elif [[ -n $arguments ]]; then\n"
    "        _caisson_reply \"$current\" < <(_caisson_offer \"$arguments\")\n"
    "    fi\n"
    "}\n"
    "\n"
    "complete -F _caisson caisson\n";

static void all_first_words(const struct verb *const *verbs, struct buf *out)
{
    autostrv words = {0};
    const char *spelling;
    char room[SPELLING_MAX];
    for (; *verbs; verbs++) {
        for (size_t i = 0; listed(*verbs) && (spelling = verb_spelling(*verbs, i, room)); i++) {
            char first[SPELLING_MAX];
            snprintf(first, sizeof first, "%.*s", (int)strcspn(spelling, " "), spelling);
            if (!strv_has(&words, first))
                strv_add(&words, first);
        }
    }
    for (size_t i = 0; i < words.len; i++)
        buf_fmt(out, "%s%s", i ? " " : "", words.items[i]);
}

/* The first words of two-word verbs. */
static void group_words(const struct verb *const *verbs, struct strv *groups)
{
    const char *spelling;
    char room[SPELLING_MAX];
    for (; *verbs; verbs++) {
        for (size_t i = 0; listed(*verbs) && (spelling = verb_spelling(*verbs, i, room)); i++) {
            char first[SPELLING_MAX];
            snprintf(first, sizeof first, "%.*s", (int)strcspn(spelling, " "), spelling);
            if (strchr(spelling, ' ') && !strv_has(groups, first))
                strv_add(groups, first);
        }
    }
}

static void second_words(const struct verb *const *verbs, const char *group, struct buf *out)
{
    const char *spelling;
    char room[SPELLING_MAX];
    size_t length = strlen(group);
    bool any = false;
    for (; *verbs; verbs++) {
        for (size_t i = 0; listed(*verbs) && (spelling = verb_spelling(*verbs, i, room)); i++) {
            if (strncmp(spelling, group, length) != 0 || spelling[length] != ' ')
                continue;
            buf_fmt(out, "%s%s", any ? " " : "", spelling + length + 1);
            any = true;
        }
    }
}

void complete_bash(const struct verb *const *verbs, struct buf *out)
{
    autostrv groups = {0};
    group_words(verbs, &groups);
    buf_str(out, bash_head);
    buf_str(out, "_caisson() {\n"
                 "    local current=$2 previous=$3 verb= start=1 i\n"
                 "    local flags='--root --state --help --version' valued='--root --state'\n"
                 "    local arguments= words= stop=0\n"
                 "    COMPREPLY=()\n"
                 "    # With ':' among the word breaks an image's tag is a word of its own.\n"
                 "    if declare -F _get_comp_words_by_ref >/dev/null; then\n"
                 "        _get_comp_words_by_ref -n =: -c current -p previous\n"
                 "    fi\n"
                 "    while ((start < COMP_CWORD)); do\n"
                 "        case ${COMP_WORDS[start]} in\n"
                 "        --root|--state) ((start++)) ;;\n"
                 "        -*|=) ;;\n"
                 "        *) verb=${COMP_WORDS[start]}; ((start++)); break ;;\n"
                 "        esac\n"
                 "        ((start++))\n"
                 "    done\n");
    for (size_t i = 0; i < groups.len; i++) {
        buf_fmt(out,
                "    if [[ $verb == %s ]]; then\n"
                "        if ((start >= COMP_CWORD)); then\n"
                "            _caisson_reply \"$current\" < <(printf '%%s\\n' ",
                groups.items[i]);
        second_words(verbs, groups.items[i], out);
        buf_str(out, ")\n"
                     "            return\n"
                     "        fi\n"
                     "        verb=\"$verb ${COMP_WORDS[start]}\"\n"
                     "        ((start++))\n"
                     "    fi\n");
    }
    buf_str(out, "    case $verb in\n    '') words='");
    all_first_words(verbs, out);
    buf_str(out,
            " help'; [[ $current == -* || \" $valued \" == *\" $previous \"* ]] && words= ;;\n");
    for (; *verbs; verbs++)
        if (listed(*verbs))
            bash_verb(*verbs, out);
    buf_str(out, bash_tail);
}

/* --- zsh --- */

/* Inside of an _arguments specification ':' and brackets mean something. */
static void zsh_text(struct buf *spec, const char *text)
{
    for (; *text; text++) {
        if (strchr(":[]\\", *text))
            buf_char(spec, '\\');
        buf_char(spec, *text);
    }
}

static void zsh_value(const struct option *o, struct buf *spec)
{
    buf_str(spec, o->flags & OPTION_OPTIONAL ? "::" : ":");
    zsh_text(spec, o->value_name ? o->value_name : "value");
    buf_char(spec, ':');
    if (!o->words) {
        buf_str(spec, "_files");
        return;
    }
    buf_char(spec, '(');
    for (size_t i = 0; o->words[i]; i++)
        buf_fmt(spec, "%s%s", i ? " " : "", o->words[i]);
    buf_char(spec, ')');
}

static void zsh_option(const struct option *o, struct buf *out)
{
    const bool valued = o->kind != OPTION_BOOL && o->kind != OPTION_TRISTATE;
    const char names[2][4] = {{'-', o->letter, '\0'}, ""};
    for (int i = o->letter ? 0 : 1; i < 2; i++) {
        autobuf spec = {0};
        buf_str(&spec, o->kind == OPTION_LIST ? "*" : "");
        if (i == 0)
            buf_fmt(&spec, "%s%s", names[0], valued ? "+" : "");
        else
            buf_fmt(&spec, "--%s%s", o->name,
                    !valued                      ? ""
                    : o->flags & OPTION_OPTIONAL ? "=-"
                                                 : "=");
        buf_char(&spec, '[');
        zsh_text(&spec, o->help);
        buf_char(&spec, ']');
        if (valued)
            zsh_value(o, &spec);
        buf_str(out, " \\\n            ");
        quoted(out, buf_text(&spec), false);
    }
}

static void zsh_verb(const struct verb *verb, struct buf *out)
{
    const char *spelling;
    char room[SPELLING_MAX];
    buf_str(out, "    ");
    for (size_t i = 0; (spelling = verb_spelling(verb, i, room)); i++)
        buf_fmt(out, "%s'%s'", i ? "|" : "", spelling);
    buf_str(out, ")\n        _arguments -s -S '--help[Show help]'");
    for (const struct option *o = verb->options; o && o->name; o++)
        if (option_visible(o))
            zsh_option(o, out);
    const char *action = "";
    if (streq(verb->completes, "image"))
        action = "_caisson_images";
    else if (streq(verb->completes, "container"))
        action = "_caisson_containers -a";
    else if (streq(verb->completes, "running"))
        action = "_caisson_containers";
    else if (streq(verb->completes, "volume"))
        action = "_caisson_volumes";
    else if (streq(verb->completes, "file"))
        action = "_files";
    if (*action && verb->stop_at_argument)
        buf_fmt(out, " \\\n            '1:argument:%s' '*::command:_normal'", action);
    else if (*action)
        buf_fmt(out, " \\\n            '*:argument:%s'", action);
    buf_str(out, "\n        ;;\n");
}

static void zsh_verb_names(const struct verb *const *verbs, struct buf *out)
{
    autostrv groups = {0};
    group_words(verbs, &groups);
    buf_str(out, "    verbs=(\n");
    for (const struct verb *const *v = verbs; *v; v++) {
        const char *spelling;
        char room[SPELLING_MAX];
        for (size_t i = 0; listed(*v) && (spelling = verb_spelling(*v, i, room)); i++) {
            autobuf pair = {0};
            if (strchr(spelling, ' '))
                continue;
            buf_fmt(&pair, "%s:%s", spelling, (*v)->summary);
            buf_str(out, "        ");
            quoted(out, buf_text(&pair), false);
            buf_char(out, '\n');
        }
    }
    for (size_t i = 0; i < groups.len; i++)
        buf_fmt(out, "        '%s:Commands of %ss'\n", groups.items[i], groups.items[i]);
    buf_str(out, "    )\n");
}

void complete_zsh(const struct verb *const *verbs, struct buf *out)
{
    autostrv groups = {0};
    group_words(verbs, &groups);
    buf_str(out, "#compdef caisson\n"
                 "# zsh completion for caisson. Made from the option tables; do not edit.\n\n"
                 "_caisson_containers() {\n"
                 "    local -a names\n"
                 "    names=(${(f)\"$(caisson ps $1 --format '{{.Names}}' 2>/dev/null)\"})\n"
                 "    compadd -a names\n"
                 "}\n\n"
                 "_caisson_images() {\n"
                 "    local -a names\n"
                 "    names=(${${(f)\"$(caisson images --format '{{.Repository}}:{{.Tag}}' "
                 "2>/dev/null)\"}:#*<none>*})\n"
                 "    compadd -a names\n"
                 "}\n\n"
                 "_caisson_volumes() {\n"
                 "    local -a names\n"
                 "    names=(${(f)\"$(caisson volume ls -q 2>/dev/null)\"})\n"
                 "    compadd -a names\n"
                 "}\n\n"
                 "_caisson() {\n"
                 "    local curcontext=$curcontext state line verb\n"
                 "    local -a verbs\n");
    zsh_verb_names(verbs, out);
    buf_str(out, "    _arguments -C '--root=[Directory for images and containers]:directory:_files "
                 "-/' \\\n"
                 "        '--state=[Directory for running containers]:directory:_files -/' \\\n"
                 "        '(- *)--help[Show help]' '(- *)--version[Show the version]' \\\n"
                 "        '1: :->verb' '*:: :->rest' && return\n"
                 "    if [[ $state == verb ]]; then\n"
                 "        _describe -t commands 'caisson command' verbs\n"
                 "        return\n"
                 "    fi\n"
                 "    verb=$words[1]\n");
    for (size_t i = 0; i < groups.len; i++) {
        buf_fmt(out,
                "    if [[ $verb == %s ]]; then\n"
                "        if ((CURRENT == 2)); then\n"
                "            compadd ",
                groups.items[i]);
        second_words(verbs, groups.items[i], out);
        buf_str(out, "\n            return\n"
                     "        fi\n"
                     "        verb=\"$verb $words[2]\"\n"
                     "        shift words\n"
                     "        ((CURRENT--))\n"
                     "    fi\n");
    }
    buf_str(out, "    case $verb in\n");
    for (; *verbs; verbs++)
        if (listed(*verbs))
            zsh_verb(*verbs, out);
    buf_str(out, "    esac\n}\n\n_caisson \"$@\"\n");
}

/* --- fish --- */

static void fish_option(const struct option *o, const char *condition, struct buf *out)
{
    buf_fmt(out, "complete -c caisson -n %s -l %s", condition, o->name);
    if (o->letter)
        buf_fmt(out, " -s %c", o->letter);
    if (option_takes_word(o))
        buf_str(out, " -r");
    if (o->words) {
        buf_str(out, " -f -a '");
        for (size_t i = 0; o->words[i]; i++)
            buf_fmt(out, "%s%s", i ? " " : "", o->words[i]);
        buf_char(out, '\'');
    }
    buf_str(out, " -d ");
    quoted(out, o->help, true);
    buf_char(out, '\n');
}

static void fish_spelling(const struct verb *verb, const char *spelling, struct buf *out)
{
    autobuf condition = {0};
    const char *space = strchr(spelling, ' ');
    if (space) {
        int length = (int)(space - spelling);
        buf_fmt(out,
                "complete -c caisson -n '__fish_seen_subcommand_from %.*s; and test (count "
                "(commandline -opc)) -eq 2' -f -a %s -d ",
                length, spelling, space + 1);
        buf_fmt(&condition,
                "'__fish_seen_subcommand_from %.*s; and __fish_seen_subcommand_from %s'", length,
                spelling, space + 1);
    } else {
        buf_fmt(out, "complete -c caisson -n __fish_use_subcommand -f -a %s -d ", spelling);
        /* "ls" alone is also the second word of groups: those have conditions of their own. */
        buf_fmt(&condition, "'__caisson_verb %s'", spelling);
    }
    quoted(out, verb->summary, true);
    buf_char(out, '\n');
    for (const struct option *o = verb->options; o && o->name; o++)
        if (option_visible(o))
            fish_option(o, buf_text(&condition), out);
    if (verb->completes && !streq(verb->completes, "file"))
        buf_fmt(out, "complete -c caisson -n %s -f -a '(__caisson_names %s)'\n",
                buf_text(&condition), verb->completes);
}

void complete_fish(const struct verb *const *verbs, struct buf *out)
{
    autostrv groups = {0};
    group_words(verbs, &groups);
    buf_str(out, "# fish completion for caisson. Made from the option tables; do not edit.\n\n"
                 "function __caisson_names\n"
                 "    switch $argv[1]\n"
                 "        case container\n"
                 "            caisson ps -a --format '{{.Names}}' 2>/dev/null\n"
                 "        case running\n"
                 "            caisson ps --format '{{.Names}}' 2>/dev/null\n"
                 "        case image\n"
                 "            caisson images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null | "
                 "string match -v '*<none>*'\n"
                 "        case volume\n"
                 "            caisson volume ls -q 2>/dev/null\n"
                 "    end\n"
                 "end\n\n"
                 "# Whether the command line's verb is $argv[1].\n"
                 "function __caisson_verb\n"
                 "    for word in (commandline -opc)[2..-1]\n"
                 "        string match -q -- '-*' $word; and continue\n"
                 "        test $word = $argv[1]\n"
                 "        return\n"
                 "    end\n"
                 "    return 1\n"
                 "end\n\n");
    for (size_t i = 0; i < groups.len; i++)
        buf_fmt(out, "complete -c caisson -n __fish_use_subcommand -f -a %s -d 'Commands of %ss'\n",
                groups.items[i], groups.items[i]);
    for (; *verbs; verbs++) {
        const char *spelling;
        char room[SPELLING_MAX];
        for (size_t i = 0; listed(*verbs) && (spelling = verb_spelling(*verbs, i, room)); i++)
            fish_spelling(*verbs, spelling, out);
    }
}
