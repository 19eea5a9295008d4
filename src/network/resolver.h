/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resolver of a network: the process of caisson-netd (netd.h) that answers questions.
 *
 * Who asks is told by the source address, which the firewall does not let be forged.
 *   members' names      A, AAAA and PTR from the file of names; nothing else of them exists, nor
 *                       anything below them, and neither is ever asked outside
 *   only internal ones  REFUSED: nothing is asked outside (glibc and musl then say "try again", as
 *                       Docker's do, and not that the name does not exist)
 *   on no egress list   REFUSED, at once
 *   everything else     is asked of the upstream servers, from a port and with an id of its own
 * each time; by TCP when the answer is cut off; twice each at most with an egress list the answer's
 * addresses are granted by the keeper before it is given; addresses that are not public are left
 * out of it REFUSED says why in EDNS (RFC 8914), which dig shows. ANY is answered as in RFC 8482.
 *
 * Guarded against: servers and others who answer what was not asked (source, id, port, question and
 * the records' owners are compared), containers that flood (each has so many questions outstanding
 * and connections open, of a full table the greediest gives way, and in every batch of packets each
 * has its share), learning from the cache what others asked for (on an isolated network each has
 * its own). A flood costs no memory: all tables are of fixed size.
 */
#ifndef CAISSON_NETWORK_RESOLVER_H
#define CAISSON_NETWORK_RESOLVER_H

#include <stddef.h>

#include "base/error.h"

/* Serves the listening sockets from NETD_LISTEN on until the keeper at the other end of `ask` is
 * gone: 0. A negative errno when it cannot begin. */
int resolver_run(int ask, int epoll, size_t listeners, struct error *err);

#endif
