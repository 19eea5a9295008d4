/* SPDX-License-Identifier: Apache-2.0 */
/* The table of calls: fixed-size records without pointers, so that a static-pie program has nothing
 * to relocate at its start. */
#include "runtime/seccomp_profile.h"

#define NAME_SIZE 30

struct call {
    char name[NAME_SIZE];
    int16_t numbers[SECCOMP_ARCHES];
};

static const struct call calls[] = {
#define CALL(name, x86_64, i386, aarch64) {#name, {x86_64, i386, aarch64}},
#include "runtime/seccomp_calls.inc"
#undef CALL
};

#define CALL(name, x86_64, i386, aarch64)                                                          \
    _Static_assert((x86_64) < SECCOMP_NUMBERS_MAX && (i386) < SECCOMP_NUMBERS_MAX &&               \
                       (aarch64) < SECCOMP_NUMBERS_MAX,                                            \
                   "a call number is out of the range that profiles are compiled for");
#include "runtime/seccomp_calls.inc"
#undef CALL

#define CALLS (sizeof calls / sizeof calls[0])

static int by_name(const void *name, const void *call)
{
    return strncmp(name, ((const struct call *)call)->name, NAME_SIZE);
}

int seccomp_call_find(const char *name)
{
    const struct call *found = bsearch(name, calls, CALLS, sizeof calls[0], by_name);
    return found ? (int)(found - calls) : -1;
}

const char *seccomp_call_name(unsigned index)
{
    return index < CALLS ? calls[index].name : NULL;
}

int seccomp_call_number(unsigned index, enum seccomp_arch arch)
{
    return index < CALLS ? calls[index].numbers[arch] : -1;
}
