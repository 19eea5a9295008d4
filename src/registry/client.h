/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other side of caisson-registry (wire.h): questions to registries, asked by a process that has
 * no network. What comes back is judged like anything that strangers send.
 *
 * Owns: the child and the lanes. Lanes may be used in several threads, each by one at a time.
 */
#ifndef CAISSON_REGISTRY_CLIENT_H
#define CAISSON_REGISTRY_CLIENT_H

#include <pthread.h>
#include <sys/types.h>

#include "oci/image.h"
#include "registry/wire.h"

/* One place where images are: a registry, or a mirror of one. */
struct endpoint {
    char *name;       /* host[:port] as people say it, for messages: "docker.io" */
    char *host;       /* host[:port] that is connected to: "registry-1.docker.io" */
    char *repository; /* there: "library/alpine" */
    bool insecure, mirror;
    char *user, *password, *identity, *bearer; /* NULL; wiped by client_start() */
    bool signed_in;                            /* there were some */
    struct strv authorities;                   /* files */
    char *certificate, *key;                   /* files; NULL */
};
void endpoint_free(struct endpoint *endpoint);

struct endpoints {
    struct endpoint *items;
    size_t count;
};
void endpoints_free(struct endpoints *endpoints);
#define autoendpoints __attribute__((cleanup(endpoints_free))) struct endpoints

struct client {
    const struct endpoints *endpoints; /* borrowed */
    pid_t pid;                         /* 0: not started */
    int lanes[WIRE_LANES_MAX];
    bool taken[WIRE_LANES_MAX];
    size_t lane_count;
    pthread_mutex_t lock; /* of `taken` */
    pthread_cond_t freed;
};

/* `program` is caisson-registry. Before this process is confined. From here on it ignores SIGPIPE
 * and leaves no core; who we are is wiped from `endpoints`. Without `writes`, nothing but reading
 * is carried out. */
int client_start(const char *program, struct endpoints *endpoints, size_t lanes, bool writes,
                 struct client *out, struct error *err);
/* Ends the child. */
void client_stop(struct client *client);
#define autoclient __attribute__((cleanup(client_stop))) struct client

/* Waits for a lane that nobody uses. */
int client_take(struct client *client);
/* One that is not at the end of an answer is of no use any more: `spoiled`. */
void client_give(struct client *client, int lane, bool spoiled);

struct ask {
    const char *method;       /* "GET" */
    size_t endpoint;          /* number */
    const char *target;       /* path and query, or the address an upload was given */
    const char *accept;       /* types, separated by spaces; NULL */
    const char *scopes;       /* separated by spaces; NULL */
    const char *type, *range; /* Content-Type, Content-Range of what is sent; NULL */
    uint64_t from, most;      /* bytes of the answer */
    bool body;                /* client_send() follows */
    int64_t length;           /* of it; -1: unknown */
};

#define ANSWER_TEXT_MAX 2048
struct answer {
    int status;
    int64_t length; /* of the body; -1 when not said */
    char type[ANSWER_TEXT_MAX], digest[ANSWER_TEXT_MAX], location[ANSWER_TEXT_MAX],
        range[ANSWER_TEXT_MAX], subject[ANSWER_TEXT_MAX], link[ANSWER_TEXT_MAX], minimum[32];
    char message[1024]; /* of the registry, printable; "" */
    uint32_t left;      /* of the frame that is being read */
    bool ended;
};

/* Asks, without waiting. */
int client_ask(int lane, const struct ask *ask, struct error *err);
/* A piece of the body that is sent. 1: the answer is there already, nobody reads on. */
int client_send(int lane, const void *bytes, size_t length, struct error *err);
int client_sent(int lane, struct error *err);
/* Waits for the answer's head. Whatever the status is: that is judged by who asked. */
int client_answer(int lane, struct answer *out, struct error *err);
/* The next bytes of its body: 0 at the end. */
ssize_t client_read(int lane, struct answer *answer, void *bytes, size_t length, struct error *err);
/* Passes over the rest. */
int client_finish(int lane, struct answer *answer, struct error *err);
/* A question with a small answer, whole; `out` may be NULL. Takes a lane and gives it back. */
int client_document(struct client *client, const struct ask *ask, struct answer *answer,
                    struct buf *out, struct error *err);
/* What a status that is no success means, as a sentence: "cannot VERB NAME: …". */
int client_refused(const struct endpoint *endpoint, const struct answer *answer, const char *what,
                   struct error *err);

#endif
