/* SPDX-License-Identifier: Apache-2.0 */
/* What the name of an entry means in a layer. Internal to the module. */
#ifndef CAISSON_ARCHIVE_LAYER_NAME_H
#define CAISSON_ARCHIVE_LAYER_NAME_H

#include <limits.h>
#include <stddef.h>

#include "base/error.h"

enum name_kind {
    NAME_ROOT,     /* ".", "/": the layer's own root */
    NAME_PLAIN,    /* something at `path` */
    NAME_WHITEOUT, /* `path` of the layers below is gone */
    NAME_OPAQUE,   /* `path` hides all that the layers below have in it */
    NAME_IGNORED,  /* what AUFS kept for itself */
};

struct layer_name {
    enum name_kind kind;
    char
        path[PATH_MAX]; /* below fs/, without "." or empty parts or a leading "/"; "" is the root */
    size_t parent;      /* length of the directory part, without its "/" */
    const char *base;   /* last part, within `path` */
};

/* Docker's reading of names: a leading "/" and "." parts mean nothing. ".." is an error, and so are
 * `.wh.` names that hide nothing, hide "." or "..", or stand for a directory on the way. */
int layer_name_parse(const char *text, struct layer_name *out, struct error *err);
/* The same without any meaning of `.wh.`: targets of hard links. */
int layer_name_plain(const char *text, struct layer_name *out, struct error *err);

#endif
