/* SPDX-License-Identifier: Apache-2.0 */
/* Which names look as if what they stand for were a secret. */
#ifndef CAISSON_BASE_SECRET_NAME_H
#define CAISSON_BASE_SECRET_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* "API_TOKEN" does. `loose`: any kind of key does. For who tells a person about it: only whole
 * words between underscores count, so that little is said that is wrong. */
bool secret_name(const char *name, size_t length, bool loose);
/* Looser: for who keeps the value to itself, where one too many does less harm than one too few.
 * "PGPASSWORD", "DB_DSN" and "AWS_ACCESS_KEY_ID" do as well. */
bool secret_name_maybe(const char *name);
/* Whether a value could have a password in it: an address, or something before an "@" that is no
 * image's digest. */
bool secret_value_maybe(const char *value);

#endif
