/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML 1.2 (https://yaml.org/spec/1.2.2/, read by libyaml) as JSON, as far as compose files use it:
 * one document; anchors, aliases and merge keys (<<) resolved; keys are scalars, and each is there
 * once.
 *
 * A plain scalar is null, true, false or, whatever it looks like, a string: "3.10" stays "3.10",
 * and who wants a number reads one. !reset and !override of the compose specification become an
 * object with the tag as its only key; other tags than YAML's own are errors.
 */
#ifndef CAISSON_COMPOSE_YAML_H
#define CAISSON_COMPOSE_YAML_H

#include "base/json.h"

#define YAML_MAX (4u << 20) /* bytes of a text */
/* … with its aliases replaced: strings as JSON has them, and what a node takes beside them. */
#define YAML_EXPANDED_MAX (16u << 20)
#define YAML_DEPTH_MAX 64

/* -EINVAL: "FILE:LINE: what is wrong". The caller's. */
int yaml_read(const char *text, size_t length, const char *file, json_t **out, struct error *err);
/* The same by a child that can do nothing but read the text and answer. */
int yaml_read_apart(const char *text, size_t length, const char *file, json_t **out,
                    struct error *err);

#endif
