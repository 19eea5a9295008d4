/* SPDX-License-Identifier: Apache-2.0 */
/* What the files about checking networks share. For src/network only. */
#ifndef CAISSON_NETWORK_CHECK_PARTS_H
#define CAISSON_NETWORK_CHECK_PARTS_H

#include "network/check.h"

/* A network as the books have it. */
struct book {
    struct network network;
    struct leases leases;
    int bridge; /* its index; 0: there is none */
};
struct books {
    struct book *items;
    size_t count;
};
/* Every network that has a bridge or leases; one that is damaged on disk is left out, as it is by
 * restore_firewall(). */
int books_read(const struct network_host *host, struct books *out, struct error *err);
void books_free(struct books *books);
#define autobooks __attribute__((cleanup(books_free))) struct books

/* Interfaces (check_links.c). */
int check_links(const struct network_host *host, const struct books *books,
                struct network_differences *out, struct error *err);
int repair_links(const struct network_host *host, const struct books *books, struct error *err);

/* The firewall (check_firewall.c). */
int check_firewall(const struct network_host *host, const struct books *books,
                   struct network_differences *out, struct error *err);

#endif
