/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file over http or https, into a descriptor: what caisson-fetch does.
 *
 *   request   what is asked for, as lines of text from whoever starts the program
 *   reach     where it may go: lists of destinations, proxies
 *   confine   what the program gives up before the first foreign byte
 *   transfer  libcurl, redirects one by one
 *
 * Guards against: redirects to other protocols and from https to http, passwords that follow a
 * redirect to another host, names that lead inside although a list is in force, more bytes than
 * were agreed on, servers that stop talking, and mistakes of the libraries that read all this.
 * Names that a server proposes for the file are never looked at.
 */
#ifndef CAISSON_FETCH_FETCH_H
#define CAISSON_FETCH_FETCH_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "network/egress.h"

#define FETCH_REQUEST_MAX (1u << 20) /* bytes */
#define FETCH_TO 3                   /* the descriptor that gets the file */
#define FETCH_REDIRECTS_MAX 10
#define FETCH_TEXT_MAX 1024 /* bytes of an ETag that is remembered */

struct fetch_request {
    char *url, *user, *password; /* the url has neither of the others; NULL */
    char *etag;                  /* what is known of it already; NULL */
    int64_t modified;            /* -1 */
    uint64_t most;               /* bytes */
    uint64_t connect, stall;     /* seconds: to connect, and without any progress */
    struct egress_list egress;
};

struct fetch_answer {
    bool unchanged;
    char etag[FETCH_TEXT_MAX]; /* "" */
    int64_t modified;          /* seconds since 1970; -1 */
    uint64_t size;
};

/* Lines "KEY VALUE". -EINVAL names the key. */
int fetch_request_read(const char *text, struct fetch_request *out, struct error *err);
void fetch_request_free(struct fetch_request *request);

/* --- reach.c --- */

/* Where one hop leads. */
struct fetch_hop {
    const struct egress_list *egress;
    const char *host; /* lower case, without brackets */
    uint16_t port;
    bool named;  /* a rule lists the name */
    bool proxy;  /* somebody else resolves it */
    bool barred; /* set when an address was refused */
};

/* 0, or -EACCES with a sentence. */
int fetch_may_ask(struct fetch_hop *hop, struct error *err);
/* Whether a socket may be connected there. */
bool fetch_may_connect(const struct fetch_hop *hop, const struct sockaddr *address);
/* The proxy of the environment for a host; NULL: none. */
const char *fetch_proxy(bool https, const char *host);

/* --- confine.c --- */

/* The file or directory with the certificates of authorities; NULL: there is none. */
struct fetch_authorities {
    const char *file, *directory;
};
void fetch_authorities_find(struct fetch_authorities *out);
/* Everything that is not needed for a download is given up. */
int fetch_confine(const struct fetch_authorities *authorities, struct error *err);

/* --- transfer.c --- */

/* Before fetch_confine(): libraries read their own configuration. */
int fetch_prepare(struct error *err);
int fetch_transfer(const struct fetch_request *request, const struct fetch_authorities *authorities,
                   int to, struct fetch_answer *out, struct error *err);

#endif
