/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files dockerfile*.c share: a logical line with the way back to where its bytes stood,
 * and the pieces that an instruction is taken apart into.
 */
#ifndef CAISSON_BUILD_DOCKERFILE_PARTS_H
#define CAISSON_BUILD_DOCKERFILE_PARTS_H

#include "build/dockerfile.h"

#define BLANKS " \t\v\f\r\n"

/* From `at` on, the bytes of the joined text stood at `place` and after. */
struct seam {
    size_t at;
    struct place place;
};

/* One instruction's lines, joined. */
struct line {
    struct buf text;
    struct seam *seams;
    size_t seam_count;
    unsigned last;  /* the last line of the file that belongs to it */
    unsigned empty; /* see struct instruction */
    struct buf comment;
};
void line_free(struct line *line);
#define autoline __attribute__((cleanup(line_free))) struct line
struct place line_place(const struct line *line, size_t at);

/* How far a file is read. `file` has name, text, length and escape. */
struct reading {
    struct dockerfile *file;
    size_t at;
    unsigned number; /* of the line at `at`, 1-based */
    bool directives; /* they may still come */
};

/* The next logical line; 1, 0 at the end, or a negative errno. */
int line_next(struct reading *reading, struct line *out, struct error *err);
/* The text up to the line that is the name. `tabs`: leading ones go (<<-). */
int heredoc_read(struct reading *reading, struct heredoc *heredoc, bool tabs, struct error *err);

/* The bytes of the first word of `text`: up to white space outside of quotes. */
size_t word_length(const char *text, char escape);
/* The same where a here-document may be: in `<< EOF` the name is in it. */
size_t heredoc_length(const char *text, char escape);
/* "EOF" of a word such as 3<<-"EOF"; false when it is none. `out` is to be freed. */
bool heredoc_word(const char *word, char escape, struct heredoc *out, bool *tabs);
/* A JSON array of strings. 1; 0 when it is no JSON; -EINVAL when it holds something else, -E2BIG.
 */
int json_words(const char *text, struct strv *out);

/* One line as an instruction. `begin` is where it starts in the line; `inner`: after ONBUILD. */
int instruction_read(struct reading *reading, const struct line *line, size_t begin, bool inner,
                     struct instruction *out, struct error *err);

/* What may stand between the keyword and the arguments. */
int flags_read(struct reading *reading, const struct line *line, size_t *at,
               struct instruction *out, struct error *err);
/* What follows them, by kind of instruction. `at` is where `out->rest` begins in the line. */
int arguments_read(struct reading *reading, const struct line *line, size_t at,
                   struct instruction *out, struct error *err);

#endif
