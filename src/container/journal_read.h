/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading back what container/journal.h sent: the engine of the verb `logs` for containers of
 * --log-driver journald. journalctl(1), by its path, finds the entries and gives them in the
 * export format; which of them are shown, and how, is decided here as for files.
 *
 * Everybody on a machine may send messages to the journal, with any field: only those count that
 * came, as the journal itself saw, from the user whose container it is.
 */
#ifndef CAISSON_CONTAINER_JOURNAL_READ_H
#define CAISSON_CONTAINER_JOURNAL_READ_H

#include "base/error.h"
#include "container/log_read.h"

/* As log_read(), of the container with this id. */
int journal_read(const char *id, const struct log_query *query, struct error *err);

#endif
