/* SPDX-License-Identifier: Apache-2.0 */
/* Signals as people write them: "TERM", "SIGTERM", "sigterm", "15", "RTMIN+3". */
#ifndef CAISSON_CONTAINER_SIGNALS_H
#define CAISSON_CONTAINER_SIGNALS_H

/* 0 or -EINVAL. */
int signal_number(const char *text, int *number);

#endif
