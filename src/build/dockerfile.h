/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Dockerfile taken apart: directives, instructions with their flags, words and here-documents,
 * stages. Nothing is expanded, looked up or executed here; what can be refused without knowing a
 * variable's value is refused, with file, line, column and the line itself.
 *
 * Language: https://docs.docker.com/reference/dockerfile/ (BuildKit's stable one, 1.20). What
 * `# syntax=` names is read and never executed.
 *
 * Guards against: bytes that are no text (NUL), lines, words, instructions and here-documents
 * without end (DOCKERFILE_MAX, DOCKERFILE_INSTRUCTIONS_MAX).
 */
#ifndef CAISSON_BUILD_DOCKERFILE_H
#define CAISSON_BUILD_DOCKERFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/strv.h"

#define DOCKERFILE_MAX (16u << 20) /* bytes */
#define DOCKERFILE_INSTRUCTIONS_MAX 20000
#define DOCKERFILE_WORDS_MAX 20000 /* of one instruction */

enum instruction_kind {
    INSTRUCTION_ADD,
    INSTRUCTION_ARG,
    INSTRUCTION_CMD,
    INSTRUCTION_COPY,
    INSTRUCTION_ENTRYPOINT,
    INSTRUCTION_ENV,
    INSTRUCTION_EXPOSE,
    INSTRUCTION_FROM,
    INSTRUCTION_HEALTHCHECK,
    INSTRUCTION_LABEL,
    INSTRUCTION_MAINTAINER,
    INSTRUCTION_ONBUILD,
    INSTRUCTION_RUN,
    INSTRUCTION_SHELL,
    INSTRUCTION_STOPSIGNAL,
    INSTRUCTION_USER,
    INSTRUCTION_VOLUME,
    INSTRUCTION_WORKDIR,
};
/* "ADD" */
const char *instruction_name(enum instruction_kind kind);

/* 1-based; column in bytes. */
struct place {
    unsigned line, column;
};

struct flag {
    char *name;  /* "from", without dashes */
    char *value; /* NULL: `--link` without "=" */
    struct place place;
};

struct heredoc {
    char *name;  /* "EOF" */
    char *text;  /* with <<- tabs are already taken off */
    bool expand; /* the name was not quoted */
    struct place place;
};

struct instruction {
    enum instruction_kind kind;
    char *keyword; /* as written: "run" */
    struct place place;
    unsigned last_line; /* of it, here-documents included */
    char *text; /* as written, lines joined, comments between them left out; keyword included,
                   here-documents not: for progress and history */
    struct flag *flags;
    size_t flag_count;
    char *rest;        /* what follows the flags, unexpanded, lines joined */
    bool exec;         /* `words` are of the exec form: a JSON array of strings */
    struct strv words; /* exec form: the strings. Else: split at white space outside of quotes, the
                          quotes and escapes still in them. ENV, LABEL, ARG: "name=value" words; the
                          old form `ENV name value` is brought to the same (legacy is set).
                          RUN, CMD, ENTRYPOINT, SHELL in shell form, USER, WORKDIR, STOPSIGNAL,
                          MAINTAINER: one word, `rest`. HEALTHCHECK: "CMD" or "NONE", then as CMD */
    struct place *places; /* where each word begins; of the exec form, where `rest` does */
    char *comment;        /* the comment lines right above it, without "#", by newlines; NULL */
    unsigned empty_line;  /* the first empty line in the middle of it; 0 */
    bool legacy;
    struct heredoc *heredocs;
    size_t heredoc_count;
    struct instruction *triggered; /* ONBUILD: the instruction; owned */
};

struct stage {
    char *name;          /* lower case; NULL */
    char *base;          /* unexpanded: "node:$V", "scratch", an earlier stage's name */
    char *platform;      /* unexpanded; NULL */
    size_t first, count; /* its instructions in `instructions`, FROM itself not counted */
    size_t from;         /* the FROM */
};

struct dockerfile {
    char *name; /* for messages: "Dockerfile" */
    char *text; /* the whole */
    size_t length;
    char *syntax; /* of the directive; NULL */
    char escape;  /* '\\' or '`' */
    char *check;  /* of the directive: "skip=A,B;error=true"; NULL */
    struct instruction *instructions;
    size_t count;
    size_t global_count; /* ARGs before the first FROM: the first of `instructions` */
    struct stage *stages;
    size_t stage_count;
};

/* -EINVAL with "Dockerfile:3:5: sentence" and, in further lines, the line itself and a caret. */
int dockerfile_parse(const char *name, const char *text, size_t length, struct dockerfile *out,
                     struct error *err);
void dockerfile_free(struct dockerfile *file);
#define autodockerfile __attribute__((cleanup(dockerfile_free))) struct dockerfile

/* One instruction as ONBUILD of an image gives it ("RUN make"). `what` for messages. */
int instruction_parse(const char *what, const char *text, char escape, struct instruction *out,
                      struct error *err);
void instruction_free(struct instruction *instruction);
/* Appends it as instruction_parse() takes it, here-documents included. */
void instruction_write(const struct instruction *instruction, struct buf *out);

/* The same way for whoever finds something wrong later: sets err to -EINVAL, the place, the
 * sentence, and the line with a caret. */
int dockerfile_wrong(const struct dockerfile *file, struct place place, struct error *err,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
