/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of a container's output share. */
#ifndef CAISSON_TESTS_OUTPUT_KIT_H
#define CAISSON_TESTS_OUTPUT_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/io.h"

/* A fresh directory, removed with all in it by kit_teardown(). */
int kit_setup(void **state);
int kit_teardown(void **state);
int kit_directory(void);
const char *kit_path(void);

/* The whole file as text; empty when it does not exist. The caller's to free. */
char *kit_file(const char *name);
/* What comes out of a descriptor until its end. */
char *kit_drain(int fd);
void kit_write_file(const char *name, const char *text);

/* A child that runs `body` and ends with what it returns. */
pid_t kit_fork(int (*body)(void *), void *argument);
int kit_wait(pid_t pid); /* the status of wait(2) */
/* Waits until `condition` holds, at most ten seconds; whether it did. */
bool kit_until(bool (*condition)(void *), void *argument);

#endif
