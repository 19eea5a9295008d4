/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verbs and options as data.
 *
 * Each verb is a `struct verb`: one table feeds the parser, --help, the manual page and the shell
 * completions, so they cannot disagree. An option's value is stored into the verb's own options
 * struct at `offset`; the handler then sees plain typed fields and never a word.
 *
 * The tables of all verbs are linked into every program; a handler only into the program that
 * carries it out. So a table never mentions its handler; the program's main() binds the two.
 *
 * To add a verb `pause`:
 *   1. Table: `const struct verb verb_pause = {...};` in a file of cmd_sources
 * (src/cmd/meson.build) that includes nothing above base; with the line `VERB(pause)` in
 * src/cmd/verbs.list, at the place where --help shall show it.
 *   2. Handler: `int command_pause(const struct invocation *, void *, struct error *)` in a file of
 *      cmd_front_sources (or the worker's), declared as `verb_handler command_pause;`, with the
 * line
 *      `{&verb_pause, command_pause},` in the bindings of src/programs/PROGRAM.c.
 * A verb that a worker carries out says so in `program`; the front then executes that worker.
 */
#ifndef CAISSON_CMD_VERB_H
#define CAISSON_CMD_VERB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strv.h"

enum option_kind {
    OPTION_BOOL,     /* bool; --x, --x=true, --x=false */
    OPTION_TRISTATE, /* int: -1 not given (the parser sets it), 0, 1; spelled as OPTION_BOOL */
    OPTION_STRING,   /* const char *, NULL when not given; borrows from argv */
    OPTION_LIST,     /* struct strv, in the order given; may be repeated */
    OPTION_COUNT,    /* int64_t, from 0 (or -1 where OPTION_MINUS_ONE); INT64_MIN when not given */
    OPTION_SIZE, /* int64_t bytes ("64m"); INT64_MIN when not given; -1 where OPTION_MINUS_ONE */
    OPTION_ARGUMENT, /* nothing is stored: stands for one more first argument, `implied`; spelled
                        as OPTION_BOOL */
};

enum option_flags {
    OPTION_HIDDEN = 1 << 0,      /* accepted, not listed */
    OPTION_MINUS_ONE = 1 << 1,   /* -1 ("unlimited") is a value */
    OPTION_UNSUPPORTED = 1 << 2, /* known from Docker or Podman: an error that names it and `help`,
                                    which says what to use instead or when it comes */
    OPTION_OPTIONAL = 1 << 3,    /* OPTION_STRING only: "--x" alone means `implied` */
};

struct option {
    const char *name; /* long name without dashes; NULL ends the table */
    char letter;      /* 0: none */
    enum option_kind kind;
    size_t offset;          /* offsetof the field in the verb's options struct */
    const char *value_name; /* "BYTES", "NAME=VALUE", … for help; NULL for booleans */
    const char *help;       /* one sentence, no full stop */
    unsigned flags;
    const char *group;        /* heading in --help, NULL: "Options" */
    const char *const *words; /* the allowed values, NULL-terminated; also completed; or NULL */
    const char *implied;
    /* Values that are only offered when it is completed, NULL-terminated; one that ends with a
     * colon is a beginning. And of what names are: as in struct verb, or NULL. */
    const char *const *offered;
    const char *completes;
};

struct invocation {
    const struct verb *verb;
    char **arguments; /* what is left after options, NULL-terminated */
    size_t count;
};

/* Whether a word is said with it: "--name WORD". */
bool option_takes_value(const struct option *option);

/* Headings of `caisson --help`. */
#define GROUP_CONTAINERS "Containers"
#define GROUP_IMAGES "Images"
#define GROUP_VOLUMES "Volumes"
#define GROUP_NETWORKS "Networks"
#define GROUP_SYSTEM "System"

struct verb {
    const char *name;        /* "run", "image ls" */
    const char *group;       /* one of GROUP_*; NULL: hidden, and without manual page */
    const char *alias;       /* other spellings, separated by spaces with '_' for a space inside:
                                "images image_list"; or NULL */
    const char *arguments;   /* "IMAGE [COMMAND] [ARG...]" */
    const char *summary;     /* one line for the list */
    const char *description; /* paragraphs for the manual; \n\n between them */
    const char *examples; /* lines "caisson …"; a line that starts with "# " explains the next */
    const struct option *options; /* ends with a NULL name; NULL for none */
    size_t options_size;          /* sizeof the options struct */
    int least, most;              /* how many arguments; most -1: any number */
    bool stop_at_argument;        /* options end at the first argument (run, exec) */
    const char *program;          /* worker that carries it out ("caisson-image"), NULL: this one */
    const char *completes; /* what arguments are: "image", "container", "running", "volume", "file"
                            or NULL */
    int failure;           /* exit status of usage errors and of negative returns; 0 stands for 1 */
    bool stateless;        /* touches neither --root nor --state (which may then be unknown) */
};

/* Carries a verb out. Returns the exit status, or a negative errno with the sentence in `err`, for
 * which the caller prints the sentence and takes verb->failure. A sentence is also printed beside a
 * status other than 0 that the handler chose (126, 127). `options` is the verb's struct, filled. */
typedef int verb_handler(const struct invocation *call, void *options, struct error *err);

struct verb_binding {
    const struct verb *verb;
    verb_handler *handler;
};

/* Exit codes, as Docker's. */
enum exit_code {
    EXIT_ENGINE = 125,         /* caisson itself failed, bad usage of run/create/exec included */
    EXIT_NOT_EXECUTABLE = 126, /* the container's command cannot be executed */
    EXIT_NOT_FOUND = 127,      /* the container's command was not found */
};

/* Options before the verb. Set before a handler runs; environment CAISSON_ROOT and CAISSON_STATE
 * are the defaults, then /var/lib/caisson and /run/caisson, or the XDG directories of an ordinary
 * user. Absolute paths; the directories may not exist yet. */
struct global_options {
    const char *root;  /* --root: what outlives a boot */
    const char *state; /* --state: what does not */
};
extern struct global_options global_options;

/* All verbs of the project, in the order of the help. NULL-terminated. */
extern const struct verb *const all_verbs[];

#define VERB(name) extern const struct verb verb_##name;
#include "cmd/verbs.list"
#undef VERB

/* A program as its user types it. */
struct command_line {
    const char *name;        /* "caisson" */
    const char *summary;     /* one line, as of a verb */
    const char *description; /* a sentence or two for --help and the manual */
    const struct verb *const *verbs;
    const struct option *globals;        /* before the verb … */
    void *global_values;                 /* … and the struct they are stored into */
    const char *const *groups;           /* headings of --help, NULL-terminated */
    const char *manual;                  /* further sections of PROGRAM(1), as roff */
    const char *list_all, *list_running; /* commands that print names, for completions */
    int (*version)(void);                /* --version */
    bool long_forms;                     /* Docker's "container run" for "run" */
    /* Errors and warnings also go here; NULL. `level`: "error" or "warning". */
    void (*log)(const char *level, const char *text);
};
extern const struct command_line caisson_line, runtime_line;
/* The one that this program has; caisson's unless main() says otherwise before anything else. */
extern const struct command_line *program_line;

/* Makes an ordinary user's program root of what is theirs (container/ordinary.h). */
typedef int verb_enter(const char *state, struct error *err);

/* The whole of a program's main(): words → verb → options → handler, or the worker that has it.
 * `bindings` ends with a NULL verb. `enter` is called before a verb that needs directories when the
 * user is not root; NULL: somebody did already. Returns the exit status. */
int verb_main(int argc, char **argv, const struct verb_binding *bindings, verb_enter *enter);

#endif
