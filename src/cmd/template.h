/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --format: the part of Go's templates that scripts written for Docker use, over a JSON tree.
 *
 *   {{.A.B}} {{json .A}} {{len .A}} {{upper .A}} {{lower .A}} {{title .A}} {{join .A ","}}
 *   {{index .A "key" 0}} {{println .A}} {{printf "%-9s %d" .A .B}}
 *   {{if .A}}…{{else}}…{{end}}  {{range .A}}…{{else}}…{{end}}  {{range $k, $v := .A}}
 *   {{- and -}} trim white space; \t and \n outside of {{}} are the characters they stand for
 *
 * Guards against templates that mean nothing (an error that names the action) and against fields
 * that are not there (an error that lists the nearest). Bounded in depth; never executes anything.
 * Where standard output is a terminal, control characters in values are shown as \xNN.
 */
#ifndef CAISSON_CMD_TEMPLATE_H
#define CAISSON_CMD_TEMPLATE_H

#include <jansson.h>

#include "base/buf.h"
#include "base/error.h"

/* Appends `data` rendered by `text`. 0 or -EINVAL. */
int template_render(const char *text, const json_t *data, struct buf *out, struct error *err);

#endif
