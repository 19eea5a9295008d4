/* SPDX-License-Identifier: Apache-2.0 */
/* printf of templates: %s %v %q %d %x %X %t %f %% with flags, width and precision, as Go has them.
 * What does not fit a verb is an error that names it, where Go prints %!d(string=x). */
#ifndef CAISSON_CMD_TEMPLATE_PRINTF_H
#define CAISSON_CMD_TEMPLATE_PRINTF_H

#include <jansson.h>

#include "base/buf.h"
#include "base/error.h"

/* Appends. 0 or -EINVAL. */
int template_printf(const char *format, json_t *const *arguments, size_t count, struct buf *out,
                    struct error *err);

#endif
