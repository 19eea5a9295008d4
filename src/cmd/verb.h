/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verbs and options as data.
 *
 * Each verb is a `struct verb`: one table feeds the parser, --help, the manual page and the shell
 * completions, so they cannot disagree. An option's value is stored into the verb's own options
 * struct at `offset`; the handler then sees plain typed fields and never a word.
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
};

struct invocation {
    const struct verb *verb;
    char **arguments; /* what is left after options, NULL-terminated */
    size_t count;
};

struct verb {
    const char *name;        /* "run", "image ls" */
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
    const char *completes; /* what arguments are: "image", "container", "running", "file" or NULL */
    /* The exit status. Errors are printed by the caller when err->code is set. */
    int (*handler)(const struct invocation *call, void *options, struct error *err);
};

/* Exit codes, as Docker's. */
enum exit_code {
    EXIT_ENGINE = 125,         /* caisson itself failed, bad usage of run/create/exec included */
    EXIT_NOT_EXECUTABLE = 126, /* the container's command cannot be executed */
    EXIT_NOT_FOUND = 127,      /* the container's command was not found */
};

/* Options before the verb. Set by the parser before a handler runs; environment CAISSON_ROOT and
 * CAISSON_STATE are the defaults. */
struct global_options {
    const char *root;  /* --root: what outlives a boot */
    const char *state; /* --state: what does not */
};
extern struct global_options global_options;

/* All verbs of the project, in the order of the help: the tables are linked into every program, the
 * handlers only where `program` says. NULL-terminated. */
extern const struct verb *const all_verbs[];

#endif
