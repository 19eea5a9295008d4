/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses, taken apart as libcurl understands them: whatever is checked is what is connected to.
 */
#ifndef CAISSON_FETCH_URL_H
#define CAISSON_FETCH_URL_H

#include <curl/curl.h>

/* The caller's; NULL: it has none. */
char *url_part(CURLU *url, CURLUPart which, unsigned flags) __attribute__((malloc));
/* Takes off who one is, and what only the reader is told: neither is part of a request. */
void url_strip(CURLU *url);

#endif
