/* SPDX-License-Identifier: Apache-2.0 */
#include "network/check.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "network/attach_parts.h"
#include "network/check_parts.h"
#include "network/networks_dir.h"

void network_differences_free(struct network_differences *differences)
{
    for (size_t i = 0; i < differences->count; i++) {
        free(differences->items[i].network);
        free(differences->items[i].owner);
        free(differences->items[i].what);
    }
    free(differences->items);
    *differences = (struct network_differences){0};
}

void network_differs(struct network_differences *out, enum network_remedy remedy,
                     const char *network, const char *owner, const char *format, ...)
{
    autobuf what = {0};
    va_list ap;
    va_start(ap, format);
    buf_vfmt(&what, format, ap);
    va_end(ap);
    out->items = xrealloc(out->items, out->count + 1, sizeof *out->items);
    out->items[out->count++] =
        (struct network_difference){.network = network ? xstrdup(network) : NULL,
                                    .owner = owner ? xstrdup(owner) : NULL,
                                    .what = buf_take(&what),
                                    .remedy = remedy};
}

bool network_differences_have(const struct network_differences *differences,
                              const struct network_difference *one)
{
    for (size_t i = 0; i < differences->count; i++) {
        const struct network_difference *other = &differences->items[i];
        if (streq(other->what, one->what) && streq(other->owner, one->owner) &&
            streq(other->network, one->network))
            return true;
    }
    return false;
}

/* --- the books --- */

static void book_free(struct book *book)
{
    network_free(&book->network);
    leases_free(&book->leases);
}

void books_free(struct books *books)
{
    for (size_t i = 0; i < books->count; i++)
        book_free(&books->items[i]);
    free(books->items);
    *books = (struct books){0};
}

int books_read(const struct network_host *host, struct books *out, struct error *err)
{
    autostrv names = {0};
    int rc = network_list(&host->place, &names, err);
    autofd top = rc < 0 ? rc : networks_open(host->place.root, false, err);
    for (size_t i = 0; rc == 0 && top >= 0 && i < names.len; i++) {
        struct book book = {0};
        if (network_read(top, names.items[i], &book.network, NULL) < 0)
            continue;
        rc = lease_list(&host->place, book.network.name, &book.leases, err);
        int bridge = link_index(host->routes, book.network.bridge, NULL);
        book.bridge = bridge > 0 ? bridge : 0;
        if (rc < 0 || (!book.bridge && book.leases.count == 0)) {
            book_free(&book);
            continue;
        }
        out->items = xrealloc(out->items, out->count + 1, sizeof *out->items);
        out->items[out->count++] = book;
    }
    return rc;
}

/* --- all of it --- */

/* What is known of it only by its file cannot be compared with anything. */
static int check_books(const struct network_host *host, struct network_differences *out,
                       struct error *err)
{
    autostrv names = {0};
    int rc = network_list(&host->place, &names, err);
    autofd top = rc < 0 ? rc : networks_open(host->place.root, false, err);
    for (size_t i = 0; rc == 0 && top >= 0 && i < names.len; i++) {
        autonetwork network = {0};
        struct error why = {0};
        int read = network_read(top, names.items[i], &network, &why);
        if (read < 0 && read != -ENOENT)
            network_differs(out, NETWORK_BY_HAND, names.items[i], NULL, "%s", why.text);
    }
    return rc;
}

static int check_forwarding(const struct network_host *host, const struct books *books,
                            struct network_differences *out, struct error *err)
{
    for (size_t i = 0; i < books->count; i++) {
        const struct book *book = &books->items[i];
        int off = not_forwarded(host, &book->network);
        if (off < 0)
            return error_set(err, off, "cannot look whether the host forwards packets: %s",
                             error_describe(off));
        for (size_t f = 0; f < 2; f++)
            if (off >> f & 1)
                network_differs(
                    out, book->bridge ? NETWORK_BY_REPAIR : NETWORK_BY_RUN, book->network.name,
                    NULL, "the host does not forward its packets: %s is 0", forwardings[f].path);
    }
    return 0;
}

/* Where nothing stands for the host there is nothing else to be compared. */
static void check_home(const struct books *books, struct network_differences *out)
{
    for (size_t i = 0; i < books->count; i++)
        network_differs(out, NETWORK_BY_RUN, books->items[i].network.name, NULL,
                        "what keeps it (caisson-home) is gone, and its bridge with that");
}

int network_check(const struct network_host *host, struct network_differences *out,
                  struct error *err)
{
    autobooks books = {0};
    int rc = check_books(host, out, err);
    if (rc == 0)
        rc = books_read(host, &books, err);
    if (rc < 0 || host->routes < 0) {
        check_home(&books, out);
        return rc;
    }
    if (rc == 0)
        rc = check_links(host, &books, out, err);
    if (rc == 0)
        rc = check_firewall(host, &books, out, err);
    if (rc == 0)
        rc = check_forwarding(host, &books, out, err);
    return rc;
}

/* In the order of network_ready(): the firewall stands before anything is forwarded. */
int network_repair(const struct network_host *host, struct error *err)
{
    autobooks books = {0};
    autodifferences wrong = {0};
    int rc = books_read(host, &books, err);
    for (size_t i = 0; rc >= 0 && i < books.count; i++)
        rc = note_forwarding(host, &books.items[i].network, err);
    if (rc >= 0)
        rc = repair_links(host, &books, err);
    if (rc == 0)
        rc = check_firewall(host, &books, &wrong, err);
    if (rc == 0 && wrong.count > 0)
        rc = restore_firewall(host, true, err);
    for (size_t i = 0; rc == 0 && i < books.count; i++)
        rc = forward(host, &books.items[i].network, err);
    return rc;
}
