/* SPDX-License-Identifier: Apache-2.0 */
/* An interpreter of classic BPF, which shares no code with the compiler. */
#ifndef CAISSON_TESTS_SECCOMP_KIT_H
#define CAISSON_TESTS_SECCOMP_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/seccomp.h>

#include "base/json.h"
#include "runtime/seccomp_profile.h"
/* Runs a program on one call; fails the test on anything that the kernel would not take. */
uint32_t interpret(const struct seccomp_program *p, const struct seccomp_data *data);
extern const unsigned audit[];

uint32_t number_of(const char *name);
json_t *load_list(const char *name);

uint32_t run_builtin(enum seccomp_builtin which, uint64_t caps, uint32_t arch, uint32_t nr,
                     uint64_t first, uint64_t second);

uint32_t native(enum seccomp_builtin which, const char *name, uint64_t first, uint64_t second);

#endif
