/* SPDX-License-Identifier: Apache-2.0 */
/* Internet addresses and prefixes of both families, as values. RFC 4632, RFC 4291. */
#ifndef CAISSON_NETWORK_ADDRESS_H
#define CAISSON_NETWORK_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ip_address {
    int family;        /* AF_INET or AF_INET6; 0: none */
    uint8_t bytes[16]; /* in network order; four of them for AF_INET */
};

struct ip_prefix {
    struct ip_address address;
    unsigned length; /* bits */
};

#define IP_TEXT_MAX 64 /* an address or a prefix as text, with its NUL */

/* 4 or 16. */
size_t ip_size(const struct ip_address *a);
/* The text of an address, without zone or brackets. 0 or -EINVAL. */
int ip_parse(const char *text, struct ip_address *out);
void ip_format(const struct ip_address *a, char out[IP_TEXT_MAX]);
/* "10.1.0.0/16"; the address may lie anywhere in the prefix and is kept as it is. Without a length
 * it is that of a single address where `single` is given, else -EINVAL. */
int ip_prefix_parse(const char *text, bool single, struct ip_prefix *out);
void ip_prefix_format(const struct ip_prefix *p, char out[IP_TEXT_MAX]);

bool ip_equal(const struct ip_address *a, const struct ip_address *b);
/* As numbers, of one family: <0, 0, >0. */
int ip_compare(const struct ip_address *a, const struct ip_address *b);
/* The address `steps` further on; none when that lies beyond the family's last. */
struct ip_address ip_plus(const struct ip_address *a, uint64_t steps);

#define MAC_SIZE 6
#define MAC_TEXT_MAX (3 * MAC_SIZE)
/* "02:42:ac:11:00:02". 0 or -EINVAL. */
int mac_parse(const char *text, uint8_t out[MAC_SIZE]);
void mac_format(const uint8_t mac[MAC_SIZE], char out[MAC_TEXT_MAX]);

/* "02:ca:" and the last four bytes: the same for an address each time. */
void mac_of(const struct ip_address *a, uint8_t out[MAC_SIZE]);

/* The first and the last address of a prefix. */
struct ip_address ip_first(const struct ip_prefix *p);
struct ip_address ip_last(const struct ip_prefix *p);
bool ip_within(const struct ip_prefix *p, const struct ip_address *a);
/* Whether they have an address in common. */
bool ip_overlap(const struct ip_prefix *a, const struct ip_prefix *b);

#endif
