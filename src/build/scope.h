/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which variables a stage knows while it is read, without anything being built: what ENV and ARG
 * say, and what the stage that it is based on knew at its end. ENV wins over ARG.
 */
#ifndef CAISSON_BUILD_SCOPE_H
#define CAISSON_BUILD_SCOPE_H

#include "build/dockerfile.h"

#define SCOPE_MAX 1000 /* names of one scope; what comes after is not noted */

struct scope {
    const struct scope *parent; /* the base's, or NULL */
    struct strv env, args;      /* "NAME=value"; an ARG without value is "NAME" */
    bool unknown_base;          /* it begins with an image of which nothing is known */
    size_t *left; /* bytes that values may still take, of several scopes; then they are empty */
};

/* For struct expand; `closure` is the scope. */
const char *scope_value(void *closure, const char *name, size_t length);
/* Declared, with or without value, here or in a base. */
bool scope_knows(const struct scope *scope, const char *name, size_t length);
bool scope_unknown_base(const struct scope *scope);
/* All names; borrowed. For did-you-mean. */
size_t scope_names(const struct scope *scope, struct strv *out);

/* Takes what an ENV or ARG says; other instructions say nothing. `globals`: the ARGs before the
 * first FROM, from which an ARG without value has its value; NULL for those themselves. */
void scope_take(struct scope *scope, const struct instruction *instruction, char escape,
                const struct scope *globals, const struct strv *build_args);
void scope_free(struct scope *scope);

/* Variables of the builder itself: those that every FROM may use, and those that every stage may
 * use without ARG (proxies). */
bool platform_argument(const char *name, size_t length);
void platform_arguments(struct strv *out);
bool predefined_argument(const char *name, size_t length);

#endif
