/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON: jansson reads, these helpers take apart with errors that name the place, and a small writer
 * appends to a buffer without building a tree first.
 */
#ifndef CAISSON_BASE_JSON_H
#define CAISSON_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/strv.h"

static inline void cleanup_json(json_t **json)
{
    json_decref(*json);
}
#define autojson __attribute__((cleanup(cleanup_json))) json_t *

/* Parses; duplicate keys, depth bombs and trailing bytes are errors. `what` names it in the error.
 */
json_t *json_parse(const char *text, size_t length, const char *what, struct error *err);

/* Members of an object. Absent or null gives the default; another type is -EINVAL and a sentence
 * that names the key. Results borrow from the tree. */
int json_get_string(const json_t *object, const char *key, const char **value, struct error *err);
int json_get_object(const json_t *object, const char *key, json_t **value, struct error *err);
int json_get_array(const json_t *object, const char *key, json_t **value, struct error *err);
int json_get_bool(const json_t *object, const char *key, bool *value, struct error *err);
int json_get_i64(const json_t *object, const char *key, int64_t *value, struct error *err);
/* Appends the strings of an array (an error when one is no string or holds a NUL). */
int json_get_strings(const json_t *object, const char *key, struct strv *value, struct error *err);

/* --- writing ---
 * struct json_out w = {.buf = &b, .indent = 0};
 * json_begin(&w, NULL, '{'); json_str(&w, "name", "web"); json_end(&w, '}');
 * `key` is NULL inside arrays and at the top. */
struct json_out {
    struct buf *buf;
    unsigned indent; /* spaces a level; 0 for one line */
    unsigned depth;
    bool started; /* an element was already written on this level */
};
void json_begin(struct json_out *w, const char *key, char bracket);
void json_end(struct json_out *w, char bracket);
void json_strn(struct json_out *w, const char *key, const char *value, size_t length);
void json_str(struct json_out *w, const char *key, const char *value); /* NULL: null */
void json_bool(struct json_out *w, const char *key, bool value);
void json_i64(struct json_out *w, const char *key, int64_t value);
void json_u64(struct json_out *w, const char *key, uint64_t value);
void json_strs(struct json_out *w, const char *key, const struct strv *value);
/* A value that is JSON already. */
void json_raw(struct json_out *w, const char *key, const char *json);
void json_tree(struct json_out *w, const char *key, const json_t *value);
/* Only the quoted, escaped string; bytes that are not UTF-8 become U+FFFD. */
void json_quote(struct buf *out, const char *text, size_t length);
/* Whether it is UTF-8, and so comes back from JSON as it is. */
bool json_keeps(const char *text);

#endif
