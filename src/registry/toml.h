/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TOML 1.0 as far as the configuration of containers goes: tables, arrays of tables, keys with
 * dots, strings of one line, booleans, whole numbers, arrays and inline tables. Dates, fractions
 * and strings of several lines are errors that name the line.
 */
#ifndef CAISSON_REGISTRY_TOML_H
#define CAISSON_REGISTRY_TOML_H

#include "base/json.h"

#define TOML_MAX (1u << 20)

/* The document as a tree of JSON; NULL with a sentence "FILE:LINE: …". */
json_t *toml_parse(const char *text, size_t length, const char *file, struct error *err);

#endif
