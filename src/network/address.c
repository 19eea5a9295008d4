/* SPDX-License-Identifier: Apache-2.0 */
#include "network/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

size_t ip_size(const struct ip_address *a)
{
    return a->family == AF_INET6 ? 16 : 4;
}

int ip_parse(const char *text, struct ip_address *out)
{
    struct ip_address a = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};
    if (inet_pton(a.family, text, a.bytes) != 1)
        return -EINVAL;
    *out = a;
    return 0;
}

void ip_format(const struct ip_address *a, char out[IP_TEXT_MAX])
{
    if (a->family == 0 || !inet_ntop(a->family, a->bytes, out, IP_TEXT_MAX))
        out[0] = '\0';
}

int ip_prefix_parse(const char *text, bool single, struct ip_prefix *out)
{
    char address[IP_TEXT_MAX];
    struct ip_prefix p;
    uint64_t length;
    const char *slash = strchrnul(text, '/');
    if ((size_t)(slash - text) >= sizeof address)
        return -EINVAL;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    if (ip_parse(address, &p.address) < 0)
        return -EINVAL;
    unsigned most = (unsigned)ip_size(&p.address) * 8;
    if (!*slash && single)
        length = most;
    else if (!*slash || parse_u64(slash + 1, most, &length) < 0)
        return -EINVAL;
    p.length = (unsigned)length;
    *out = p;
    return 0;
}

void ip_prefix_format(const struct ip_prefix *p, char out[IP_TEXT_MAX])
{
    ip_format(&p->address, out);
    size_t end = strlen(out);
    snprintf(out + end, IP_TEXT_MAX - end, "/%u", p->length);
}

bool ip_equal(const struct ip_address *a, const struct ip_address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, ip_size(a)) == 0;
}

int ip_compare(const struct ip_address *a, const struct ip_address *b)
{
    return memcmp(a->bytes, b->bytes, ip_size(a));
}

struct ip_address ip_plus(const struct ip_address *a, uint64_t steps)
{
    struct ip_address sum = *a;
    for (size_t i = ip_size(a); i-- > 0 && steps > 0;) {
        uint64_t digit = sum.bytes[i] + (steps & 0xff);
        sum.bytes[i] = (uint8_t)digit;
        steps = (steps >> 8) + (digit >> 8);
    }
    return steps > 0 ? (struct ip_address){0} : sum;
}

/* The address with all bits behind the prefix cleared, or set. */
static struct ip_address edge(const struct ip_prefix *p, bool set)
{
    struct ip_address a = p->address;
    for (size_t i = 0; i < ip_size(&a); i++) {
        unsigned before = (unsigned)i * 8;
        unsigned kept = p->length <= before ? 0 : p->length - before >= 8 ? 8 : p->length - before;
        uint8_t mask = (uint8_t)(0xff00U >> kept);
        a.bytes[i] = set ? a.bytes[i] | (uint8_t)~mask : a.bytes[i] & mask;
    }
    return a;
}

struct ip_address ip_first(const struct ip_prefix *p)
{
    return edge(p, false);
}

struct ip_address ip_last(const struct ip_prefix *p)
{
    return edge(p, true);
}

bool ip_within(const struct ip_prefix *p, const struct ip_address *a)
{
    struct ip_prefix same = {.address = *a, .length = p->length};
    struct ip_address ours = ip_first(p), theirs = ip_first(&same);
    return ip_equal(&ours, &theirs);
}

bool ip_overlap(const struct ip_prefix *a, const struct ip_prefix *b)
{
    return a->length <= b->length ? ip_within(a, &b->address) : ip_within(b, &a->address);
}

int mac_parse(const char *text, uint8_t out[MAC_SIZE])
{
    unsigned parts[MAC_SIZE];
    char rest;
    if (strlen(text) != MAC_TEXT_MAX - 1 ||
        strspn(text, "0123456789abcdefABCDEF:") != strlen(text) ||
        sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &parts[0], &parts[1], &parts[2], &parts[3],
               &parts[4], &parts[5], &rest) != MAC_SIZE)
        return -EINVAL;
    for (size_t i = 0; i < MAC_SIZE; i++)
        out[i] = (uint8_t)parts[i];
    return 0;
}

void mac_format(const uint8_t mac[MAC_SIZE], char out[MAC_TEXT_MAX])
{
    for (size_t i = 0; i < MAC_SIZE; i++)
        snprintf(out + 3 * i, MAC_TEXT_MAX - 3 * i, i + 1 < MAC_SIZE ? "%02x:" : "%02x", mac[i]);
}

void mac_of(const struct ip_address *a, uint8_t out[MAC_SIZE])
{
    out[0] = 2; /* given out by ourselves, to one: IEEE 802, 8.4 */
    out[1] = 0xca;
    memcpy(out + 2, a->bytes + ip_size(a) - 4, 4);
}
