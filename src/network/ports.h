/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published ports as words and as values.
 *
 * "[[IP:][HOSTPORT[-HOSTPORT]]:]PORT[-PORT][/tcp|/udp]", an IPv6 address in brackets. Without an
 * address a port is published on the host's loopback addresses, never on all of them; without a
 * host port a free one is taken when the container starts.
 */
#ifndef CAISSON_NETWORK_PORTS_H
#define CAISSON_NETWORK_PORTS_H

#include "base/buf.h"
#include "base/error.h"
#include "network/address.h"

#define PORTS_MAX 400 /* of one container: two sockets each, and a command may open 1024 files */
#define PORT_TEXT_MAX 96

/* One port of a container. */
struct port {
    int protocol; /* IPPROTO_TCP, IPPROTO_UDP */
    uint16_t number;
};

struct port_binding {
    struct port inner;      /* the container's */
    struct ip_address host; /* family 0: loopback, of both families */
    uint16_t first, last;   /* of these host ports one is taken; 0: any free one */
};

struct port_bindings {
    struct port_binding *items;
    size_t count;
};
void port_bindings_free(struct port_bindings *bindings);
#define autobindings __attribute__((cleanup(port_bindings_free))) struct port_bindings
/* -E2BIG when there are PORTS_MAX already. */
int port_bindings_add(struct port_bindings *bindings, const struct port_binding *binding,
                      struct error *err);

/* A word of -p; a range adds a binding for each of its ports. */
int port_parse_publish(const char *word, struct port_bindings *out, struct error *err);
/* What port_parse_publish() takes back as the same. */
void port_binding_format(const struct port_binding *binding, char out[PORT_TEXT_MAX]);

/* "80", "80/udp", "8000-8010/tcp": the ports from `first` to `last`. */
struct port_range {
    struct port first;
    uint16_t last;
};
int port_parse_range(const char *word, struct port_range *out, struct error *err);
void port_range_format(const struct port_range *range, char out[PORT_TEXT_MAX]);
bool port_within(const struct port_range *range, const struct port *port);

const char *port_protocol_name(int protocol);
/* "127.0.0.1:80", "[::1]:80" */
void port_place_format(const struct ip_address *address, uint16_t port, char out[PORT_TEXT_MAX]);

/* --- where they are published, once the container runs --- */

struct published {
    struct ip_address address;
    uint16_t host;
    struct port inner;
};
/* Adds "tcp 127.0.0.1 8080 80" to a row of such. */
void published_format(const struct published *p, struct buf *out);
/* Reads the one that `*text` begins with and goes on to the next; false at the end. */
bool published_next(const char **text, struct published *out);
/* Two sockets of which only one can be there. */
bool published_collide(const struct published *a, const struct published *b);

#endif
