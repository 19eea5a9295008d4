/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every program's main() is: flags before the verb, the verb, then its handler or the worker
 * that has it.
 *
 * A worker is executed by its absolute path, beside this program or in ../libexec/caisson from it,
 * never through PATH: who can write there can replace this program just as well. It gets the same
 * words, and the two directories in its environment.
 */
#include <fcntl.h>
#include <linux/limits.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "cmd/help.h"
#include "cmd/parse.h"
#include "cmd/version.h"
#include "cmd/worker.h"

struct global_options global_options;

static int fail(const struct verb *verb, const struct error *err)
{
    tell_error(err);
    return verb && verb->failure ? verb->failure : 1;
}

/* $XDG_… as far as it is absolute (the specification wants others ignored), else NULL. */
static const char *absolute_variable(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] == '/' ? value : NULL;
}

static int default_root(char **root, struct error *err)
{
    const char *data = absolute_variable("XDG_DATA_HOME");
    const char *home = absolute_variable("HOME");
    if (geteuid() == 0)
        *root = xstrdup("/var/lib/caisson");
    else if (data)
        *root = xasprintf("%s/caisson", data);
    else if (home)
        *root = xasprintf("%s/.local/share/caisson", home);
    else
        return error_set(err, -ENOENT,
                         "no place for images: neither XDG_DATA_HOME nor HOME is set; set one or "
                         "give --root DIR");
    return 0;
}

static int default_state(char **state, struct error *err)
{
    const char *runtime = absolute_variable("XDG_RUNTIME_DIR");
    autofree char *usual = xasprintf("/run/user/%u", (unsigned)geteuid());
    if (geteuid() == 0)
        *state = xstrdup("/run/caisson");
    else if (runtime)
        *state = xasprintf("%s/caisson", runtime);
    else if (access(usual, W_OK | X_OK) == 0)
        *state = xasprintf("%s/caisson", usual);
    else
        return error_set(err, -ENOENT,
                         "no place for running containers: XDG_RUNTIME_DIR is not set and %s is "
                         "not there; log in through a login manager or give --state DIR",
                         usual);
    return 0;
}

static int absolute_path(const char *flag, const char *given, char **path, struct error *err)
{
    if (!*given)
        return error_set(err, -EINVAL, "%s is empty; give a directory", flag);
    if (given[0] == '/') {
        *path = xstrdup(given);
        return 0;
    }
    char here[PATH_MAX];
    if (!getcwd(here, sizeof here))
        return error_errno(err, "cannot tell where %s %s is", flag, given);
    *path = xasprintf("%s/%s", here, given);
    return 0;
}

/* Flag, then environment, then default; the result is also put into the environment for workers. */
static int settle_directory(const char *flag, const char *variable, const char **place,
                            int (*fallback)(char **, struct error *), struct error *err)
{
    const char *given = *place ? *place : getenv(variable);
    char *path = NULL;
    int rc =
        *place || (given && *given) ? absolute_path(flag, given, &path, err) : fallback(&path, err);
    if (rc < 0)
        return rc;
    *place = path; /* kept until the program ends */
    if (setenv(variable, path, 1) < 0)
        return error_errno(err, "cannot set %s", variable);
    return 0;
}

static int settle_directories(struct error *err)
{
    int rc = settle_directory("--root", "CAISSON_ROOT", &global_options.root, default_root, err);
    if (rc < 0)
        return rc;
    return settle_directory("--state", "CAISSON_STATE", &global_options.state, default_state, err);
}

/* Only returns when it failed. */
static int execute_worker(const char *program, char **argv, struct error *err)
{
    autofree char *path = NULL;
    int rc = worker_path(program, &path, err);
    if (rc < 0)
        return rc;
    /* What was open by accident stays here. */
    (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    execv(path, argv);
    return error_errno(err, "cannot execute %s", path);
}

static int show_help(const struct verb *verb, const char *group)
{
    autobuf text = {0};
    struct screen screen = screen_of(STDOUT_FILENO);
    if (verb)
        help_verb(verb, &screen, &text);
    else if (group)
        help_group(program_line->verbs, group, &screen, &text);
    else
        help_overview(program_line->verbs, &screen, &text);
    return print(&text);
}

static int call_handler(const struct verb *verb, verb_handler *handler, char **words)
{
    struct error err = {0};
    struct invocation call;
    void *options = new_options(verb);
    int rc = parse_words(verb, words, &call, options, &err);
    if (rc == PARSE_HELP)
        rc = show_help(verb, NULL);
    else if (rc == PARSE_OK)
        rc = handler(&call, options, &err);
    if (rc < 0)
        rc = fail(verb, &err);
    else if (rc > 0 && err.code != 0)
        tell_error(&err);
    free_options(verb, options);
    return rc;
}

static bool asks_for_help(char **words)
{
    for (; *words && !streq(*words, "--"); words++)
        if (streq(*words, "--help"))
            return true;
    return false;
}

static int run_verb(const struct verb *verb, char **words, char **argv,
                    const struct verb_binding *bindings, verb_enter *enter)
{
    struct error err = {0};
    int rc = 0;
    if (!verb->stateless)
        rc = settle_directories(&err);
    if (rc == 0 && !verb->stateless && geteuid() != 0 && enter && !asks_for_help(words))
        rc = enter(global_options.state, &err);
    if (rc < 0) {
        /* Help needs no directories; whoever asks for it shall get it. */
        if (asks_for_help(words))
            return show_help(verb, NULL);
        return fail(verb, &err);
    }
    for (; bindings->verb; bindings++)
        if (bindings->verb == verb)
            return call_handler(verb, bindings->handler, words);
    if (!verb->program) {
        error_set(&err, -ENOSYS, "caisson %s is carried out by caisson, not by this program",
                  verb->name);
        return fail(verb, &err);
    }
    execute_worker(verb->program, argv, &err);
    return fail(verb, &err);
}

/* `PROGRAM help VERB` and `PROGRAM VERB --help` are the same. */
static int help_for(char **words)
{
    struct error err = {0};
    size_t used;
    if (!words[0])
        return show_help(NULL, NULL);
    const struct verb *verb = find_verb(program_line->verbs, words, &used);
    if (verb)
        return show_help(verb, NULL);
    if (is_verb_group(program_line->verbs, words[0]) && !words[1])
        return show_help(NULL, words[0]);
    unknown_verb(program_line->verbs, words, &err);
    return fail(NULL, &err);
}

/* Takes the flags before the verb out of `words`; *rest is where the verb is. */
static int parse_globals(char **words, char ***rest, bool *help, bool *version, struct error *err)
{
    struct invocation call;
    const struct verb before_verb = {.name = "", .options = program_line->globals, .most = -1};
    while (*words && (*words)[0] == '-' && (*words)[1]) {
        char *pair[] = {words[0], NULL, NULL};
        bool joined = strchr(words[0], '=') != NULL;
        if (streq(words[0], "--help") || streq(words[0], "-h")) {
            *help = true;
        } else if (streq(words[0], "--version") || streq(words[0], "-v")) {
            *version = true;
        } else {
            pair[1] = joined ? NULL : words[1];
            int rc = parse_words(&before_verb, pair, &call, program_line->global_values, err);
            if (rc < 0)
                return rc;
            words += pair[1] && call.count == 0 ? 1 : 0; /* it took the next word */
        }
        words++;
    }
    *rest = words;
    return 0;
}

int verb_main(int argc, char **argv, const struct verb_binding *bindings, verb_enter *enter)
{
    struct error err = {0};
    process_set_words(argc, argv);
    if (reserve_standard_fds(&err) < 0)
        return fail(NULL, &err);
    /* Whoever started us may ignore it, and then nobody's end could be waited for. */
    signal(SIGCHLD, SIG_DFL);
    /* The parser reorders words; a worker gets them as they were. */
    autofree char **original = xcalloc((size_t)argc + 1, sizeof *original);
    for (int i = 0; i < argc; i++)
        original[i] = argv[i];
    char **words;
    bool help = false, version = false;
    if (parse_globals(argv + (argc > 0), &words, &help, &version, &err) < 0)
        return fail(NULL, &err);
    if (version)
        return program_line->version();
    if (help)
        return help_for(words);
    if (!words[0])
        return show_help(NULL, NULL);
    if (streq(words[0], "help"))
        return help_for(words + 1);
    size_t used;
    const struct verb *verb = find_verb(program_line->verbs, words, &used);
    if (verb)
        return run_verb(verb, words + used, original, bindings, enter);
    if (is_verb_group(program_line->verbs, words[0]) &&
        (!words[1] || streq(words[1], "--help") || streq(words[1], "-h")))
        return show_help(NULL, words[0]);
    unknown_verb(program_line->verbs, words, &err);
    return fail(NULL, &err);
}
