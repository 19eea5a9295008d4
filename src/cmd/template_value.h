/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the template engine: the expressions within {{ }}. Only template.c uses it. */
#ifndef CAISSON_CMD_TEMPLATE_VALUE_H
#define CAISSON_CMD_TEMPLATE_VALUE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

enum { TEMPLATE_VARIABLES = 16, TEMPLATE_NAME = 32 };

struct template_scope {
    const json_t *root; /* $ */
    const json_t *dot;  /* . */
    struct {
        char name[TEMPLATE_NAME]; /* without $ */
        const json_t *value;      /* borrowed */
    } variables[TEMPLATE_VARIABLES];
    size_t count;
};

/* The value of `text` ("index .Labels \"a\" | json"): the caller's reference, or NULL. */
json_t *template_evaluate(const char *text, const struct template_scope *scope, struct error *err);
/* As Go's fmt prints it: maps as map[k:v], null as <no value>. */
void template_print(const json_t *value, struct buf *out);
/* Not false, not zero, not empty. */
bool template_truth(const json_t *value);

#endif
