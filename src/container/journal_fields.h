/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is the same in every message of a container to the journal, under Docker's names:
 * CONTAINER_ID, CONTAINER_ID_FULL, CONTAINER_NAME, CONTAINER_TAG, IMAGE_NAME, SYSLOG_IDENTIFIER,
 * then the labels and variables that were asked for. An image chooses labels and variables, so none
 * of them can take the place of a field of ours or of the journal's own.
 */
#ifndef CAISSON_CONTAINER_JOURNAL_FIELDS_H
#define CAISSON_CONTAINER_JOURNAL_FIELDS_H

#include "base/buf.h"
#include "base/error.h"
#include "runtime/plan.h"

/* A tag's template: text with {{.ID}}, {{.FullID}}, {{.Name}}, {{.ImageName}}, {{.ImageID}},
 * {{.ImageFullID}} and {{.DaemonName}} in it. -EINVAL for another. */
int journal_tag(const char *tag, const struct plan *plan, struct buf *out, struct error *err);
/* -E2BIG when they are too long for the monitor. */
int journal_fields(const struct plan *plan, struct buf *out, struct error *err);
/* The same in a file for the monitor; its descriptor. Also sees to it that there is a journal. */
int journal_prepare(const struct plan *plan, struct error *err);

#endif
