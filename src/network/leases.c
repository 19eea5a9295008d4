/* SPDX-License-Identifier: Apache-2.0 */
/* Which address belongs to whom: a symlink for each, so that giving one out is one system call. */
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "network/networks_dir.h"

#define LEASES_NAME "leases"
#define LEFT_NAME "left"
/* An IPv6 range has more addresses than can be looked through; what is given out by itself comes
 * from the first of them. */
#define RANGE_BITS 16

static int state_directory(const struct network_place *place, const char *network, const char *name,
                           bool make, struct error *err)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    autofd top = networks_open(place->state, make, err);
    if (top < 0)
        return top;
    if (make && mkdirat(top, network, 0700) < 0 && errno != EEXIST)
        return error_errno(err, "cannot create the state of network %s", network);
    autofd home = openat(top, network, flags);
    if (home >= 0 && make && mkdirat(home, name, 0700) < 0 && errno != EEXIST)
        return error_errno(err, "cannot create the leases of network %s", network);
    int fd = home < 0 ? -1 : openat(home, name, flags);
    if (fd < 0 && errno == ENOENT && !make)
        return -ENOENT;
    return fd < 0 ? error_errno(err, "cannot open the leases of network %s", network) : fd;
}

static int leases_directory(const struct network_place *place, const char *network, bool make,
                            struct error *err)
{
    return state_directory(place, network, LEASES_NAME, make, err);
}

/* --- one lease --- */

#define LEASE_TEXT_MAX (NETWORK_OWNER_SIZE + 16 + MAC_TEXT_MAX)

static int read_lease(int dir, const char *name, struct lease *out)
{
    char text[LEASE_TEXT_MAX];
    uint64_t flags;
    struct lease lease = {0};
    ssize_t n = readlinkat(dir, name, text, sizeof text - 1);
    if (n < 0)
        return -errno;
    text[n] = '\0';
    char *number = strchr(text, ' '), *mac = number ? strchr(number + 1, ' ') : NULL;
    if (!mac || (size_t)(number - text) >= sizeof lease.owner)
        return -EBADMSG;
    *mac++ = *number++ = '\0';
    if (parse_u64(number, UINT32_MAX, &flags) < 0 || mac_parse(mac, lease.mac) < 0 ||
        ip_parse(name, &lease.address) < 0)
        return -EBADMSG;
    memcpy(lease.owner, text, strlen(text) + 1);
    lease.flags = (unsigned)flags;
    *out = lease;
    return 0;
}

/* lease->address, to its owner. 0, -EEXIST or another -errno. */
static int give(int dir, struct lease *lease)
{
    static const uint8_t none[MAC_SIZE];
    char name[IP_TEXT_MAX], mac[MAC_TEXT_MAX], text[LEASE_TEXT_MAX];
    struct lease given = *lease;
    if (memcmp(given.mac, none, MAC_SIZE) == 0)
        mac_of(&given.address, given.mac);
    ip_format(&given.address, name);
    mac_format(given.mac, mac);
    snprintf(text, sizeof text, "%s %u %s", given.owner, given.flags, mac);
    if (symlinkat(text, dir, name) < 0)
        return -errno;
    *lease = given;
    return 0;
}

static bool can_be_given(const struct network_range *range, const struct ip_address *a)
{
    struct ip_address first = ip_first(&range->subnet), last = ip_last(&range->subnet);
    return ip_within(&range->subnet, a) && !ip_equal(a, &first) && !ip_equal(a, &range->gateway) &&
           (a->family == AF_INET6 || !ip_equal(a, &last));
}

static int take_wanted(int dir, const struct network *network, size_t i, struct lease *lease,
                       struct error *err)
{
    char text[IP_TEXT_MAX], subnet[IP_TEXT_MAX];
    struct lease other = {.owner = "another container"};
    const struct network_range *range = &network->ranges[i];
    ip_format(&lease->address, text);
    ip_prefix_format(&range->subnet, subnet);
    if (!can_be_given(range, &lease->address))
        return error_set(err, -EINVAL, "%s is no address for a container in %s of network %s%s",
                         text, subnet, network->name,
                         ip_equal(&lease->address, &range->gateway) ? ": it is the gateway's" : "");
    int rc = give(dir, lease);
    if (rc == -EEXIST) {
        (void)read_lease(dir, text, &other);
        return error_set(err, -EADDRINUSE, "%s of network %s belongs to container %.12s", text,
                         network->name, other.owner);
    }
    return rc < 0 ? error_set(err, rc, "cannot note whose %s is: %s", text, error_describe(rc)) : 0;
}

/* --- a free one --- */

/* How many addresses from ip_first() on can be asked for. */
static uint32_t range_count(const struct ip_prefix *p)
{
    unsigned bits = (unsigned)ip_size(&p->address) * 8 - p->length;
    unsigned most = p->address.family == AF_INET6 ? RANGE_BITS : 24;
    return 1U << (bits < most ? bits : most);
}

static int take_free(int dir, const struct network *network, size_t i, struct lease *lease,
                     struct error *err)
{
    const struct network_range *range = &network->ranges[i];
    const struct ip_prefix *from = range->given.address.family ? &range->given : &range->subnet;
    struct ip_address first = ip_first(from);
    uint32_t count = range_count(from), start;
    char text[IP_TEXT_MAX];
    /* From a random one on: an address is not given to the next container at once, when somebody
     * may still believe that it is the last one's. */
    if (getrandom(&start, sizeof start, 0) != (ssize_t)sizeof start)
        return error_errno(err, "cannot get random bytes");
    for (uint32_t n = 0; n < count; n++) {
        struct lease free = *lease;
        free.address = ip_plus(&first, (start % count + n) % count);
        if (!can_be_given(range, &free.address))
            continue;
        int rc = give(dir, &free);
        if (rc == 0) {
            *lease = free;
            return 0;
        }
        if (rc != -EEXIST)
            return error_set(err, rc, "cannot note whose an address of network %s is: %s",
                             network->name, error_describe(rc));
    }
    ip_prefix_format(from, text);
    return error_set(err, -ENOSPC,
                     "all addresses of %s of network %s are given out; remove containers that are "
                     "not used, or make a larger network",
                     text, network->name);
}

int lease_take(const struct network_place *place, const struct network *network, size_t i,
               struct lease *lease, struct error *err)
{
    autofd dir = leases_directory(place, network->name, true, err);
    if (dir < 0)
        return dir;
    return lease->address.family == 0 ? take_free(dir, network, i, lease, err)
                                      : take_wanted(dir, network, i, lease, err);
}

bool lease_is_of(const struct network_place *place, const char *network,
                 const struct ip_address *address, const char *owner)
{
    char name[IP_TEXT_MAX];
    struct lease lease;
    autofd dir = leases_directory(place, network, false, NULL);
    ip_format(address, name);
    return dir >= 0 && read_lease(dir, name, &lease) == 0 && streq(lease.owner, owner);
}

void lease_return(const struct network_place *place, const char *network,
                  const struct ip_address *address, const char *owner)
{
    char name[IP_TEXT_MAX];
    struct lease lease;
    autofd dir = leases_directory(place, network, false, NULL);
    ip_format(address, name);
    if (dir >= 0 && read_lease(dir, name, &lease) == 0 && streq(lease.owner, owner))
        (void)unlinkat(dir, name, 0);
}

void leases_free(struct leases *leases)
{
    free(leases->items);
    *leases = (struct leases){0};
}

int lease_list(const struct network_place *place, const char *network, struct leases *out,
               struct error *err)
{
    int dir = leases_directory(place, network, false, err);
    if (dir == -ENOENT)
        return 0;
    autodir d = dir < 0 ? NULL : fdopendir(dir);
    if (!d) {
        int rc = dir < 0 ? dir : error_errno(err, "cannot read the leases of network %s", network);
        if (dir >= 0)
            close(dir);
        return rc;
    }
    const struct dirent *entry;
    while ((errno = 0, entry = readdir(d))) {
        struct lease lease;
        if (entry->d_name[0] == '.' || read_lease(dirfd(d), entry->d_name, &lease) < 0)
            continue;
        out->items = xrealloc(out->items, out->count + 1, sizeof *out->items);
        out->items[out->count++] = lease;
    }
    return errno ? error_errno(err, "cannot read the leases of network %s", network) : 0;
}

/* --- addresses that somebody had --- */

int lease_mark_left(const struct network_place *place, const char *network,
                    const struct ip_address *address)
{
    char name[IP_TEXT_MAX];
    autofd dir = state_directory(place, network, LEFT_NAME, true, NULL);
    ip_format(address, name);
    return dir < 0 ? dir : symlinkat(name, dir, name) < 0 && errno != EEXIST ? -errno : 0;
}

bool lease_was_left(const struct network_place *place, const char *network,
                    const struct ip_address *address)
{
    char name[IP_TEXT_MAX];
    autofd dir = state_directory(place, network, LEFT_NAME, false, NULL);
    ip_format(address, name);
    return dir >= 0 && faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int lease_list_left(const struct network_place *place, const char *network, struct ip_address **out,
                    size_t *count, struct error *err)
{
    int dir = state_directory(place, network, LEFT_NAME, false, err);
    if (dir == -ENOENT)
        return 0;
    autodir d = dir < 0 ? NULL : fdopendir(dir);
    if (!d) {
        if (dir >= 0)
            close(dir);
        return dir < 0 ? dir : error_errno(err, "cannot read what network %s gave out", network);
    }
    const struct dirent *entry;
    while ((errno = 0, entry = readdir(d))) {
        struct ip_address a;
        if (ip_parse(entry->d_name, &a) < 0)
            continue;
        *out = xrealloc(*out, *count + 1, sizeof **out);
        (*out)[(*count)++] = a;
    }
    return errno ? error_errno(err, "cannot read what network %s gave out", network) : 0;
}

void lease_unmark_left(const struct network_place *place, const char *network,
                       const struct ip_address *list, size_t count)
{
    autofd dir = state_directory(place, network, LEFT_NAME, false, NULL);
    for (size_t i = 0; dir >= 0 && i < count; i++) {
        char name[IP_TEXT_MAX];
        ip_format(&list[i], name);
        (void)unlinkat(dir, name, 0);
    }
}
