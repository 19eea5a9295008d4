/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What COPY and ADD name, found: a list of files with what counts of them, and one digest of it
 * all, by which a step is known again. Nothing is copied here.
 *
 * Sources are found below one root (the context, another stage, an image) and nowhere else: paths
 * are resolved in-root, directories walked by descriptors. What .dockerignore leaves out is not
 * there. Of pipes, devices and sockets only those of stages are taken, never of the context.
 */
#ifndef CAISSON_BUILD_SELECTION_H
#define CAISSON_BUILD_SELECTION_H

#include "build/memory.h"
#include "build/patterns.h"
#include "build/step.h"
#include "store/steps.h"

#define NOT_PICKED SIZE_MAX
#define SELECTION_MAX 5000000 /* files */

struct pick {
    char *source;     /* below the root, clean; NULL: `text` */
    char *target;     /* below the destination; "": the destination itself */
    char *link;       /* of a symbolic link */
    char *attributes; /* a digest of those that a file has, and that are copied; NULL: none */
    const char *text; /* of a here-document, borrowed from the step */
    struct stat st;   /* when it was looked at; a context's owner is already 0:0 */
    unsigned char digest[SHA256_BYTES]; /* regular files */
    bool top;                           /* what a source named, and not what is below it */
    bool archive;                       /* ADD: unpacked, and not copied */
    size_t above; /* number of the pick that is the directory it is in; NOT_PICKED */
};

struct source_root {
    int root;                    /* O_PATH or readable */
    const char *what;            /* "the build context", "stage builder" */
    const struct ignore *ignore; /* NULL: nothing is left out */
    const char *ignore_name;     /* ".dockerignore", for messages */
    struct memory *memory;       /* NULL: every file is read */
    bool context; /* of the host: owned by 0:0, and nothing but files, directories and links */
};

struct selection {
    struct pick *items;
    size_t count;
    bool into;     /* what is named goes below the destination, which is a directory */
    bool contents; /* a directory's contents were named: the destination is one, made if missing */
    bool once;     /* a single source was named: no two picks have the same target */
    uint64_t bytes;
};

/* -ENOENT names what is missing, and what left it out. */
int selection_make(const struct source_root *root, const struct step *step, struct selection *out,
                   struct error *err);
/* Whether an open file is still what was digested: after it was read as well as before. */
bool pick_unchanged(const struct stat *was, int fd);
void selection_free(struct selection *selection);
#define autoselection __attribute__((cleanup(selection_free))) struct selection

/* Whether COPY takes over an extended attribute: capabilities, and what is anybody's own; not what
 * means something to overlayfs. */
bool selection_keeps_attribute(const char *name);
#define ATTRIBUTE_NAMES_MAX 65536
#define ATTRIBUTE_MAX 65536
/* Of names, kinds, owners, modes, links and contents; not of times. */
void selection_digest(const struct selection *selection, char out[STEP_KEY_MAX]);

#endif
