/* SPDX-License-Identifier: Apache-2.0 */
/* Plans with little and with everything in them, and their documents. */
#ifndef CAISSON_TESTS_PLAN_KIT_H
#define CAISSON_TESTS_PLAN_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "runtime/plan.h"

#define DIGEST_A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

void small_plan(struct plan *plan);
void full_plan(struct plan *plan);
char *written(const struct plan *plan, unsigned indent);
void read_back(const char *text, struct plan *plan);
json_t *document(const struct plan *plan);
/* The member that a path such as "linux.devices.0.path" leads to. */
json_t *find(json_t *json, const char *path);

#endif
