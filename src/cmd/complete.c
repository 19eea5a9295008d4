/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shell completions from the verbs' tables. Names of containers, images, volumes and networks come
 * from `caisson ps`, `caisson images` …, asked when the key is pressed; what they print is never
 * evaluated by the shell.
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

/* Help and version are said apart. */
static bool is_global(const struct option *o)
{
    return option_visible(o) && !streq(o->name, "help") && !streq(o->name, "version");
}

static const char *const *offered(const struct option *o)
{
    static const char *const none[] = {NULL};
    return o->words ? o->words : o->offered ? o->offered : none;
}

static bool offers(const struct option *o)
{
    return option_visible(o) && (*offered(o) || o->completes);
}

static void offered_words(const struct option *o, struct buf *out)
{
    for (size_t i = 0; offered(o)[i]; i++)
        buf_fmt(out, "%s%s", i ? " " : "", offered(o)[i]);
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
        if (!offers(o))
            continue;
        if (!any)
            buf_str(out, "        case $previous in\n");
        any = true;
        buf_fmt(out, "        --%s", o->name);
        if (o->letter)
            buf_fmt(out, "|-%c", o->letter);
        buf_str(out, ") words='");
        offered_words(o, out);
        buf_fmt(out, "' named='%s' ;;\n", o->completes ? o->completes : "");
    }
    if (any)
        buf_str(out, "        esac\n");
    buf_str(out, "        ;;\n");
}

static const char bash_head[] =
    "# bash completion for \1. Made from the option tables; do not edit.\n"
    "\n"
    "_\2_offer() {\n"
    "    case $1 in\n"
    "    container) \3 2>/dev/null ;;\n"
    "    running) \4 2>/dev/null ;;\n"
    "    image) caisson images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null |\n"
    "        grep -v '<none>' ;;\n"
    "    volume) caisson volume ls -q 2>/dev/null ;;\n"
    "    network) caisson network ls --format '{{.Name}}' 2>/dev/null ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "# Lines that start with $1, quoted as they have to be.\n"
    "_\2_reply() {\n"
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
    "    if [[ -n $words || -n $named ]]; then\n"
    "        _\2_reply \"$current\" < <(\n"
    "            printf '%s\\n' $words\n"
    "            _\2_offer \"$named\"\n"
    "            if [[ $current == container:* ]]; then\n"
    "                _\2_offer container | sed 's/^/container:/'\n"
    "            fi)\n"
    "        # After container: comes a name, and no space.\n"
    "        [[ ${COMPREPLY[*]} != *: ]] || compopt -o nospace\n"
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
    "        _\2_reply \"$current\" < <(printf '%s\\n' $flags)\n"
    "    elif [[ $arguments == file || -z $verb ]]; then\n"
    "        compopt -o default\n"
    "    elif [[ -n $arguments ]]; then\n"
    "        _\2_reply \"$current\" < <(_\2_offer \"$arguments\")\n"
    "    fi\n"
    "}\n"
    "\n"
    "complete -F _\2 \1\n";

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
    strv_join(&words, " ", out);
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

/* Those before the verb: all, or (as a pattern of case, when `valued`) those that take a word. */
static void global_flags(struct buf *out, const char *before, const char *between, bool valued)
{
    bool any = false;
    for (const struct option *o = program_line->globals; o->name; o++) {
        if (!is_global(o) || (valued && !option_takes_word(o)))
            continue;
        buf_fmt(out, "%s--%s", any ? between : before, o->name);
        any = true;
    }
}

static void bash(const struct verb *const *verbs, struct buf *out)
{
    autostrv groups = {0};
    group_words(verbs, &groups);
    buf_str(out, bash_head);
    buf_str(out, "_\2() {\n"
                 "    local current=$2 previous=$3 verb= start=1 i\n"
                 "    local flags='--help --version");
    global_flags(out, " ", " ", false);
    buf_str(out, "' valued='");
    global_flags(out, "", " ", true);
    buf_str(out, "'\n"
                 "    local arguments= words= named= stop=0\n"
                 "    COMPREPLY=()\n"
                 "    # With ':' among the word breaks an image's tag is a word of its own.\n"
                 "    if declare -F _get_comp_words_by_ref >/dev/null; then\n"
                 "        _get_comp_words_by_ref -n =: -c current -p previous\n"
                 "    fi\n"
                 "    while ((start < COMP_CWORD)); do\n"
                 "        case ${COMP_WORDS[start]} in\n"
                 "        ");
    global_flags(out, "", "|", true);
    buf_str(out, ") ((start++)) ;;\n"
                 "        -*|=) ;;\n"
                 "        *) verb=${COMP_WORDS[start]}; ((start++)); break ;;\n"
                 "        esac\n"
                 "        ((start++))\n"
                 "    done\n");
    for (size_t i = 0; i < groups.len; i++) {
        buf_fmt(out,
                "    if [[ $verb == %s ]]; then\n"
                "        if ((start >= COMP_CWORD)); then\n"
                "            _\2_reply \"$current\" < <(printf '%%s\\n' ",
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
    if (!offers(o)) {
        buf_str(spec, "_files");
        return;
    }
    autobuf words = {0};
    offered_words(o, &words);
    if (o->completes) /* the space: it is called as it stands, without options before the words */
        buf_fmt(spec, " _\2_%ss ", o->completes);
    else
        buf_char(spec, '(');
    zsh_text(spec, buf_text(&words));
    buf_str(spec, o->completes ? "" : ")");
}

static void zsh_option(const struct option *o, struct buf *out)
{
    const bool valued = option_takes_value(o);
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
        action = " _\2_images";
    else if (streq(verb->completes, "container"))
        action = " _\2_containers -a";
    else if (streq(verb->completes, "running"))
        action = " _\2_containers";
    else if (streq(verb->completes, "volume"))
        action = " _\2_volumes";
    else if (streq(verb->completes, "network"))
        action = " _\2_networks";
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

static void zsh(const struct verb *const *verbs, struct buf *out)
{
    autostrv groups = {0};
    group_words(verbs, &groups);
    buf_str(out, "#compdef \1\n"
                 "# zsh completion for \1. Made from the option tables; do not edit.\n\n"
                 "_\2_containers() {\n"
                 "    local -a names\n"
                 "    if [[ $1 == -a ]]; then\n"
                 "        names=(${(f)\"$(\3 2>/dev/null)\"})\n"
                 "    else\n"
                 "        names=(${(f)\"$(\4 2>/dev/null)\"})\n"
                 "    fi\n"
                 "    compadd -a names\n"
                 "}\n\n"
                 "_\2_images() {\n"
                 "    local -a names\n"
                 "    names=(${${(f)\"$(caisson images --format '{{.Repository}}:{{.Tag}}' "
                 "2>/dev/null)\"}:#*<none>*})\n"
                 "    compadd -a names\n"
                 "}\n\n"
                 "_\2_networks() {\n"
                 "    local -a names\n"
                 "    names=($* ${(f)\"$(caisson network ls --format '{{.Name}}' 2>/dev/null)\"})\n"
                 "    if [[ $PREFIX == container:* ]]; then\n"
                 "        names+=(container:${^${(f)\"$(\3 2>/dev/null)\"}})\n"
                 "    fi\n"
                 "    compadd -S '' -- ${(M)names:#*:}\n"
                 "    compadd -- ${names:#*:}\n"
                 "}\n\n"
                 "_\2_volumes() {\n"
                 "    local -a names\n"
                 "    names=(${(f)\"$(caisson volume ls -q 2>/dev/null)\"})\n"
                 "    compadd -a names\n"
                 "}\n\n"
                 "_\2() {\n"
                 "    local curcontext=$curcontext state line verb\n"
                 "    local -a verbs\n");
    zsh_verb_names(verbs, out);
    buf_str(out, "    _arguments -C '(- *)--help[Show help]' '(- *)--version[Show the version]'");
    for (const struct option *o = program_line->globals; o->name; o++)
        if (is_global(o))
            zsh_option(o, out);
    buf_str(out, " \\\n"
                 "        '1: :->verb' '*:: :->rest' && return\n"
                 "    if [[ $state == verb ]]; then\n"
                 "        _describe -t commands '\1 command' verbs\n"
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
    buf_str(out, "    esac\n}\n\n_\2 \"$@\"\n");
}

/* --- fish --- */

static void fish_option(const struct option *o, const char *condition, struct buf *out)
{
    buf_fmt(out, "complete -c \1 -n %s -l %s", condition, o->name);
    if (o->letter)
        buf_fmt(out, " -s %c", o->letter);
    if (option_takes_word(o))
        buf_str(out, " -r");
    if (offers(o)) {
        buf_str(out, " -f -a '");
        offered_words(o, out);
        if (o->completes)
            buf_fmt(out, " (__\2_names %s)", o->completes);
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
                "complete -c \1 -n '__fish_seen_subcommand_from %.*s; and test (count "
                "(commandline -opc)) -eq 2' -f -a %s -d ",
                length, spelling, space + 1);
        buf_fmt(&condition,
                "'__fish_seen_subcommand_from %.*s; and __fish_seen_subcommand_from %s'", length,
                spelling, space + 1);
    } else {
        buf_fmt(out, "complete -c \1 -n __fish_use_subcommand -f -a %s -d ", spelling);
        /* "ls" alone is also the second word of groups: those have conditions of their own. */
        buf_fmt(&condition, "'__\2_verb %s'", spelling);
    }
    quoted(out, verb->summary, true);
    buf_char(out, '\n');
    for (const struct option *o = verb->options; o && o->name; o++)
        if (option_visible(o))
            fish_option(o, buf_text(&condition), out);
    if (verb->completes && !streq(verb->completes, "file"))
        buf_fmt(out, "complete -c \1 -n %s -f -a '(__\2_names %s)'\n", buf_text(&condition),
                verb->completes);
}

static void fish(const struct verb *const *verbs, struct buf *out)
{
    autostrv groups = {0};
    group_words(verbs, &groups);
    buf_str(out, "# fish completion for \1. Made from the option tables; do not edit.\n\n"
                 "function __\2_names\n"
                 "    switch $argv[1]\n"
                 "        case container\n"
                 "            \3 2>/dev/null\n"
                 "        case running\n"
                 "            \4 2>/dev/null\n"
                 "        case image\n"
                 "            caisson images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null | "
                 "string match -v '*<none>*'\n"
                 "        case volume\n"
                 "            caisson volume ls -q 2>/dev/null\n"
                 "        case network\n"
                 "            caisson network ls --format '{{.Name}}' 2>/dev/null\n"
                 "            if string match -q -- 'container:*' (commandline -ct)\n"
                 "                \3 2>/dev/null | string replace -r '^' container:\n"
                 "            end\n"
                 "    end\n"
                 "end\n\n"
                 "# Whether the command line's verb is $argv[1].\n"
                 "function __\2_verb\n"
                 "    for word in (commandline -opc)[2..-1]\n"
                 "        string match -q -- '-*' $word; and continue\n"
                 "        test $word = $argv[1]\n"
                 "        return\n"
                 "    end\n"
                 "    return 1\n"
                 "end\n\n");
    for (size_t i = 0; i < groups.len; i++)
        buf_fmt(out, "complete -c \1 -n __fish_use_subcommand -f -a %s -d 'Commands of %ss'\n",
                groups.items[i], groups.items[i]);
    for (; *verbs; verbs++) {
        const char *spelling;
        char room[SPELLING_MAX];
        for (size_t i = 0; listed(*verbs) && (spelling = verb_spelling(*verbs, i, room)); i++)
            fish_spelling(*verbs, spelling, out);
    }
}

/* --- one text for every program ----------------------------------------------------------------
 */

/* \1 is the program, \2 the same as a part of a name, \3 and \4 list containers. */
static void complete(void (*shell)(const struct verb *const *, struct buf *), struct buf *out)
{
    autobuf text = {0};
    shell(program_line->verbs, &text);
    for (const char *c = buf_text(&text); *c; c++) {
        switch (*c) {
        case 1:
            buf_str(out, program_line->name);
            break;
        case 2:
            for (const char *n = program_line->name; *n; n++)
                buf_char(out, *n == '-' ? '_' : *n);
            break;
        case 3:
            buf_str(out, program_line->list_all);
            break;
        case 4:
            buf_str(out, program_line->list_running);
            break;
        default:
            buf_char(out, *c);
        }
    }
}

void complete_bash(struct buf *out)
{
    complete(bash, out);
}

void complete_zsh(struct buf *out)
{
    complete(zsh, out);
}

void complete_fish(struct buf *out)
{
    complete(fish, out);
}
