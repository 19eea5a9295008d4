/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of data/leaks/rules.json as a table: data/leaks/README.md says what the fields mean.
 * tools/leaks-table.py writes it while the program is built. */
#ifndef CAISSON_SCAN_RULES_H
#define CAISSON_SCAN_RULES_H

#include "scan/leaks.h"

#define LEAKS_CONTENT 1 /* of files */
#define LEAKS_WORDS 2   /* variables, arguments, labels, lines of the history */
#define LEAKS_NAME 4    /* that there is such a file */

#define LEAK_RULES_MAX 64

struct leak_rule {
    const char *id, *title;
    enum leak_severity severity;
    unsigned where;
    const char *const *begins; /* lists end with NULL; NULL: none */
    bool fold;                 /* letters in either case */
    const char *expression;    /* NULL with LEAKS_NAME alone */
    unsigned entropy; /* of the captured part at least, hundredths of a bit for each byte */
    bool text;        /* not in files that have a NUL in them */
    const char *const *examples;
    const char *const *paths;
    const char *const *harmless;
};

extern const struct leak_rule leak_rules[];
extern const size_t leak_rule_count;
extern const char *const *const leak_harmless;
extern const char *const *const leak_placeholders;

#endif
