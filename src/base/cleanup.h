/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ownership by scope: a variable declared with one of these attributes gives back what it holds
 * when it goes out of scope. Hand a descriptor or a pointer on with take_fd() and take_ptr().
 */
#ifndef CAISSON_BASE_CLEANUP_H
#define CAISSON_BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *p)
{
    free(*(void **)p);
}

static inline void cleanup_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void cleanup_closedir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

static inline void cleanup_fclose(FILE **file)
{
    if (*file)
        fclose(*file);
}

#define autofree __attribute__((cleanup(cleanup_free)))
/* Held open for its own sake is a use. */
#define autofd __attribute__((cleanup(cleanup_close), unused)) int
#define autodir __attribute__((cleanup(cleanup_closedir))) DIR *
#define autofile __attribute__((cleanup(cleanup_fclose))) FILE *

/* Moves a descriptor out of its variable, which then holds -1. */
static inline int take_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

/* Moves a pointer out of its variable, which then holds NULL. */
#define take_ptr(variable)                                                                         \
    ({                                                                                             \
        __typeof__(variable) *take_from_ = &(variable);                                            \
        __typeof__(variable) taken_ = *take_from_;                                                 \
        *take_from_ = NULL;                                                                        \
        taken_;                                                                                    \
    })

#endif
