/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to registries (distribution-spec 1.1), carried out for whoever holds the other ends of
 * the lanes: what caisson-registry does. It can reach the network and nothing else; it has no
 * image, no store and no file of the user's.
 *
 *   settings   where registries are and who we are there, from whoever starts the program
 *   question   one request, as lines
 *   challenge  WWW-Authenticate (RFC 9110, 11.6.1)
 *   tokens     what token servers gave us, and asking them
 *   hop        one request over one connection, by libcurl
 *   exchange   from a question to its answer: tokens, redirects, patience, resuming
 *   serve      a thread for each lane
 *
 * Guards against: passwords and tokens that follow a redirect to another host, redirects from https
 * to http, documents and errors without bound, servers that cut, stall, or answer 401 for ever,
 * and mistakes of the libraries that read all this.
 */
#ifndef CAISSON_TRANSPORT_TRANSPORT_H
#define CAISSON_TRANSPORT_TRANSPORT_H

#include <curl/curl.h>
#include <pthread.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/strv.h"

/* --- settings --- */

#define PLACES_MAX 64

struct place {
    char *name;             /* as the user says it: "docker.io" */
    char *base;             /* "https://registry-1.docker.io", without a path */
    char *user, *password;  /* NULL */
    char *identity;         /* an OAuth2 refresh token; NULL */
    char *bearer;           /* a token to be used as it is; NULL */
    bool insecure;          /* certificates are not checked, and http will do */
    _Atomic bool plain;     /* it does not speak TLS */
    _Atomic bool basic;     /* it asked for a password */
    struct buf authorities; /* PEM: besides the system's; empty: only those */
    struct buf certificate, key;
};

struct settings {
    struct place *places;
    size_t place_count;
    size_t lanes;         /* descriptors from 3 on */
    bool writes;          /* else nothing but GET and HEAD, and scopes of reading, are asked for */
    uint64_t stall;       /* seconds without a byte, and to connect */
    pthread_mutex_t lock; /* of `tokens` */
    struct tokens *tokens;
    const char *authority_file, *authority_directory; /* the system's; NULL */
};

/* Takes `text` apart, reads the files it names. */
int settings_read(char *text, struct settings *out, struct error *err);
void settings_free(struct settings *settings);

/* --- question --- */

struct question {
    char *method, *target; /* a path with its query, or the whole address of an upload */
    size_t place;
    struct strv scopes; /* "repository:library/alpine:pull" */
    struct strv accept;
    char *content_type;
    uint64_t from;  /* the first byte wanted */
    uint64_t most;  /* bytes of the answer's body, counted from 0 */
    bool body;      /* WIRE_BODY frames follow */
    int64_t length; /* of it; -1: unknown */
    char *range;    /* "0-99": Content-Range of an upload; NULL */
};

int question_read(char *text, const struct settings *settings, struct question *out,
                  struct error *err);
void question_free(struct question *question);
#define autoquestion __attribute__((cleanup(question_free))) struct question

/* --- challenge --- */

#define CHALLENGE_TEXT_MAX 2048

struct challenge {
    bool basic, bearer;
    char realm[CHALLENGE_TEXT_MAX], service[CHALLENGE_TEXT_MAX], scope[CHALLENGE_TEXT_MAX];
    char error[64]; /* "insufficient_scope", "invalid_token" */
};

/* Adds what one header line's value asks for. What cannot be read is passed over. */
void challenge_read(const char *value, struct challenge *out);

/* --- hop --- */

#define HOP_TEXT_MAX 2048
#define HOP_ERROR_BODY_MAX (64u << 10)

struct hop;
/* Bytes of the body of an answer that is good; 0 or -errno, which ends it. */
typedef int hop_body(void *closure, const struct hop *hop, const void *bytes, size_t length);
/* Up to `length` bytes of what is sent; 0 at the end, or -errno. */
typedef ssize_t hop_upload(void *closure, void *bytes, size_t length);

/* What is asked, and what came of it. */
struct hop {
    /* asked */
    const struct settings *settings;
    const struct place *place; /* whose certificates hold, where `url` is its */
    const char *method, *url;
    const struct strv *headers;
    const char *user, *password; /* NULL */
    uint64_t from;
    bool uploads;
    int64_t upload_length;
    hop_body *body;
    hop_upload *upload;
    void *closure;
    bool same_host;  /* set by hop_run(): `url` is on the place's host, whatever the port */
    bool any_status; /* `body` gets the body of every answer, not only of 2xx */
    /* came */
    long status;
    CURLcode code;
    char why[CURL_ERROR_SIZE];
    struct challenge challenge;
    char type[HOP_TEXT_MAX], digest[HOP_TEXT_MAX], location[HOP_TEXT_MAX], range[HOP_TEXT_MAX],
        content_range[HOP_TEXT_MAX], retry_after[64], subject[HOP_TEXT_MAX], link[HOP_TEXT_MAX],
        minimum[32];
    int64_t length; /* -1 */
    unsigned header_count;
    struct buf error_body; /* of an answer that is not good */
    int body_error;        /* what `body` or `upload` returned */
    bool connected;        /* a connection was there, TLS and all */
};

/* 0 when there was an answer, whatever it says; else -errno, `why` says what. `curl` keeps its
 * connections. */
int hop_run(CURL *curl, struct hop *hop);
void hop_free(struct hop *hop);
/* "https://host:port", in small letters; NULL: it is neither http nor https, or no address. */
char *hop_origin(const char *url);
/* Whether both are on one host, whatever the ports: its own authority and "insecure" hold there and
 * nowhere else. */
bool hop_same_host(const char *a, const char *b);
/* `location` as seen from `base`; NULL as above. */
char *hop_follow(const char *base, const char *location);

/* --- tokens --- */

struct tokens *tokens_new(void);
void tokens_free(struct tokens *tokens);
/* A token for these scopes of a place, if one is known that still holds; the caller's. */
char *tokens_known(const struct settings *settings, size_t place, const struct strv *scopes);
/* Asks the challenge's realm. *out is the caller's. */
int tokens_ask(CURL *curl, struct settings *settings, size_t place, const struct challenge *c,
               const struct strv *scopes, char **out, struct error *err);
/* It was refused. */
void tokens_forget(struct settings *settings, size_t place, const char *token);

/* --- exchange --- */

/* Carries out one question that came over `lane` and answers there. -EPIPE: nobody listens. */
int exchange_run(CURL *curl, struct settings *settings, int lane, const struct question *question);

/* Between the seconds of a Retry-After and "now": seconds to wait; -1: nothing said. A date is
 * judged by the real-time clock. */
int64_t retry_after(const char *text, int64_t now);
/* The first byte of "bytes 100-199/200"; -1. */
int64_t content_range_start(const char *text);
/* What an error document of a registry says, as one line; "" when nothing. */
void error_words(const char *body, size_t length, struct buf *out);

/* --- serve --- */

/* Until the other ends of all lanes are closed. */
int serve(struct settings *settings, struct error *err);

#endif
