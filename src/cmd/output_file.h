/* SPDX-License-Identifier: Apache-2.0 */
/* Where an archive goes that a verb writes (-o FILE). A file is written under another name first,
 * so that an old archive is only replaced by a whole one. */
#ifndef CAISSON_CMD_OUTPUT_FILE_H
#define CAISSON_CMD_OUTPUT_FILE_H

#include "base/error.h"

struct output_file {
    int fd;     /* what is written to */
    int folder; /* of the file; -1 when it is written in place */
    char *name, *temporary;
};
#define OUTPUT_FILE_NONE                                                                           \
    {                                                                                              \
        .fd = -1, .folder = -1                                                                     \
    }

/* NULL and "-": standard output, which may not be a terminal. */
int output_file_open(const char *path, struct output_file *out, struct error *err);
/* The whole archive gets its name. */
int output_file_finish(struct output_file *file, struct error *err);
void output_file_close(struct output_file *file);
#define autooutput __attribute__((cleanup(output_file_close))) struct output_file

#endif
