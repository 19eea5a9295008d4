/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is on a network, by which names: what its resolver knows.
 *
 * Kept as the file `names` in the network's state directory, which is replaced whenever it changes
 * (written by names_write(), under the lock of netd.h). Lines of a word and its values:
 *
 *   internal                 nothing is asked outside
 *   isolated                 a member sees itself only
 *   aside                    asked at another port, since somebody else has port 53 (firewall.h)
 *   table NAME               the firewall's; "caisson" when it is not said
 *   log NUMBER               the group of the kernel's log for what egress lists refuse
 *   subnet PREFIX            addresses of the network's own
 *   upstream ADDRESS         a server to ask; none: those of the host's resolv.conf
 *   member ID NAME           and of this one:
 *   number NUMBER            which of its networks this is; the first one when it is not said
 *   also NETWORK             it is on that one as well, and asks here for who is there
 *   alias NAME
 *   address ADDRESS
 *   upstream ADDRESS         it has servers of its own
 *   egress RULES             as --egress takes them; none: anywhere
 *
 * A member is known by its name, its aliases and the first 12 digits of its id, all without regard
 * to case. Names may be shared: all who bear one are its answer.
 */
#ifndef CAISSON_NETWORK_NAMES_H
#define CAISSON_NETWORK_NAMES_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/strv.h"
#include "network/egress.h"

#define NAMES_FILE "names"
#define NAMES_FILE_MAX (16 << 20)
#define NAMES_ID_MAX 64
#define NAMES_SHORT_ID 12
#define NAMES_ADDRESSES 4
#define NAMES_SUBNETS 8
#define NAMES_UPSTREAMS 3
#define NAMES_TABLE_SIZE 48
#define NAMES_NUMBER_MAX 99

struct names_upstreams {
    struct ip_address list[NAMES_UPSTREAMS];
    size_t count;
};

struct names_member {
    char id[NAMES_ID_MAX + 1];
    char *name; /* owned */
    struct strv aliases, also;
    struct ip_address addresses[NAMES_ADDRESSES];
    size_t address_count;
    unsigned number; /* which of its networks */
    struct names_upstreams upstreams;
    struct egress_list egress;
};

struct names_key;
struct names_other;

struct names {
    bool internal, isolated, aside;
    char table[NAMES_TABLE_SIZE]; /* "": FIREWALL_TABLE */
    uint16_t group;
    struct ip_prefix subnets[NAMES_SUBNETS];
    size_t subnet_count;
    struct names_upstreams upstreams;
    struct names_member *members;
    size_t count;
    struct names_other *others; /* networks that members are on as well */
    size_t other_count;
    /* private: names and addresses, by their hashes; made by names_parse() */
    struct names_key *keys;
    size_t room;
};

/* An error names the line. `out` is to be freed in any case. */
int names_parse(const char *text, size_t length, struct names *out, struct error *err);
void names_format(const struct names *names, struct buf *out);
/* Replaces the file in the network's state directory. */
int names_write(int dir, const struct names *names, struct error *err);
void names_free(struct names *names);
#define autonames __attribute__((cleanup(names_free))) struct names

/* The file of another network, for those who are on it as well. */
int names_add_other(struct names *names, const char *network, const char *text, size_t length);
/* Gives the others of `from` to `to`, in the place of those it had. */
void names_move_others(struct names *from, struct names *to);

/* Adds a copy, in the place of a member of the same id. Only for writing: see below. */
void names_put(struct names *names, const struct names_member *member);
void names_drop(struct names *names, const char *id);

/* --- asking, of what was read and not changed; NULL or 0 when there is nothing --- */

const struct names_member *names_by_id(const struct names *names, const char *id);
const struct names_member *names_by_address(const struct names *names, const struct ip_address *a);
/* Those that `asker` sees under a name in lower case: how many were put into `out`. */
size_t names_find(const struct names *names, const struct names_member *asker, const char *name,
                  const struct names_member **out, size_t most);
/* Whether the name lies below that of somebody whom `asker` sees. */
bool names_is_below(const struct names *names, const struct names_member *asker, const char *name);
/* Where it goes out: as the member of its first network that is not internal. Its list is the one
 * that counts. */
const struct names_member *names_outward(const struct names *names,
                                         const struct names_member *member);
/* Whether an address is for us alone to say whose it is; *who may be nobody. */
bool names_is_own_address(const struct names *names, const struct names_member *asker,
                          const struct ip_address *a, const struct names_member **who);

/* The servers of a resolv.conf(5), at most NAMES_UPSTREAMS: how many. */
size_t names_read_servers(const char *text, struct ip_address out[NAMES_UPSTREAMS]);

#endif
