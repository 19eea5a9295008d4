/* SPDX-License-Identifier: Apache-2.0 */
/* --filter of ps; see filter.h. */
#ifndef CAISSON_CMD_PS_FILTER_H
#define CAISSON_CMD_PS_FILTER_H

#include "container/summary.h"

struct ps_filter {
    struct strv names, ids, labels, ancestors, networks, levels, volumes, published, exposed;
    unsigned states;           /* 1 << enum container_state, or-ed; 0: any */
    int64_t exited[16];        /* exit codes */
    size_t exited_count;       /* 0: any */
    nanoseconds before, since; /* created; INT64_MAX, INT64_MIN: any */
};

/* Checked as a whole before the first container is looked at. */
int ps_filter_parse(struct containers *all, const struct strv *words, struct ps_filter *out,
                    struct error *err);
bool ps_filter_matches(const struct ps_filter *filter, const struct glance *glance);
void ps_filter_free(struct ps_filter *filter);

/* An image's name as people write it: "alpine:3.19". */
void show_image(const struct container_summary *summary, struct buf *out);

#endif
