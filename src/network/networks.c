/* SPDX-License-Identifier: Apache-2.0 */
/* Networks on disk. */
#include "network/networks.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "network/link.h"
#include "network/networks_dir.h"

#define DESCRIPTION_NAME "network.json"
#define DESCRIPTION_MAX (1u << 20)
#define PASSING_PREFIX "."

/* --- names --- */

static bool plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool network_name_valid(const char *name)
{
    static const char *const taken[] = {"none", "host", "default", "container", "ns", "private"};
    size_t length = 0;
    if (!plain(name[0]))
        return false;
    for (; name[length]; length++)
        if (length == NETWORK_NAME_SIZE - 1 ||
            (!plain(name[length]) && !strchr("_.-", name[length])))
            return false;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (streq(name, taken[i]))
            return false;
    return true;
}

int network_check_name(const char *name, struct error *err)
{
    autobuf printable = {0};
    if (network_name_valid(name))
        return 0;
    buf_printable(&printable, name);
    return error_set(err, -EINVAL,
                     "\"%.200s\" is no name for a network: it begins with a letter or digit, "
                     "followed by at most %d letters, digits, \"_\", \".\" and \"-\"; none, host, "
                     "default, container, ns and private mean something else",
                     buf_text(&printable), NETWORK_NAME_SIZE - 2);
}

static int no_such_network(const char *word, struct error *err)
{
    autobuf printable = {0};
    if (streq(word, "none") || streq(word, "host") || starts_with(word, "container:"))
        return error_set(err, -ENOENT, "%.60s is no network that is made, only a word of --network",
                         word);
    buf_printable(&printable, word);
    return error_set(
        err, -ENOENT,
        "no such network: %.200s; caisson network ls shows those there are, caisson network "
        "create %.200s makes it",
        buf_text(&printable), buf_text(&printable));
}

/* --- directories --- */

int networks_open(int top, bool make, struct error *err)
{
    if (make && mkdirat(top, NETWORKS_NAME, 0700) < 0 && errno != EEXIST)
        return error_errno(err, "cannot create the directory of networks");
    int fd = openat(top, NETWORKS_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        return error_errno(err, "cannot open the directory of networks");
    return fd < 0 ? -ENOENT : fd;
}

static bool still_there(int top, const char *name, int fd)
{
    struct stat held, there;
    return fstat(fd, &held) == 0 && fstatat(top, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           held.st_ino == there.st_ino && held.st_dev == there.st_dev;
}

int network_hold(const struct network_place *place, const char *name, int kind, struct error *err)
{
    int rc = network_check_name(name, err);
    if (rc < 0)
        return rc;
    autofd top = networks_open(place->root, false, err);
    if (top == -ENOENT)
        return no_such_network(name, err);
    while (top >= 0) {
        autofd fd = openat(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return errno == ENOENT ? no_such_network(name, err)
                                   : error_errno(err, "cannot open network %s", name);
        rc = lock_fd(fd, kind);
        if (rc == -EWOULDBLOCK)
            return error_set(err, -EBUSY,
                             "network %s is being given to a container that is just being made: "
                             "try again",
                             name);
        if (rc < 0)
            return error_set(err, rc, "cannot lock network %s: %s", name, error_describe(rc));
        if (still_there(top, name, fd))
            return take_fd(&fd);
    }
    return top;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int network_list(const struct network_place *place, struct strv *names, struct error *err)
{
    int top = networks_open(place->root, false, err);
    if (top == -ENOENT)
        return 0;
    autodir d = top < 0 ? NULL : fdopendir(top);
    if (!d) {
        int rc = top < 0 ? top : error_errno(err, "cannot read the directory of networks");
        if (top >= 0)
            close(top);
        return rc;
    }
    const struct dirent *entry;
    while ((errno = 0, entry = readdir(d)))
        if (network_name_valid(entry->d_name))
            strv_add(names, entry->d_name);
    if (errno)
        return error_errno(err, "cannot read the directory of networks");
    if (names->len > 1)
        qsort(names->items, names->len, sizeof *names->items, compare);
    return 0;
}

/* --- the description --- */

void network_free(struct network *network)
{
    strv_free(&network->labels);
    strv_free(&network->options);
    strv_free(&network->egress);
    *network = (struct network){0};
}

static void write_range(struct json_out *w, const struct network_range *range)
{
    char text[IP_TEXT_MAX];
    json_begin(w, NULL, '{');
    ip_prefix_format(&range->subnet, text);
    json_str(w, "subnet", text);
    ip_format(&range->gateway, text);
    json_str(w, "gateway", text);
    if (range->given.address.family != 0) {
        ip_prefix_format(&range->given, text);
        json_str(w, "range", text);
    }
    json_end(w, '}');
}

static void describe(const struct network *network, struct buf *out)
{
    struct json_out w = {.buf = out};
    json_begin(&w, NULL, '{');
    json_str(&w, "id", network->id);
    json_str(&w, "bridge", network->bridge);
    json_i64(&w, "created", network->created);
    json_bool(&w, "internal", network->internal);
    json_bool(&w, "shared", network->shared);
    json_i64(&w, "mtu", network->mtu);
    json_begin(&w, "ranges", '[');
    for (size_t i = 0; i < 2; i++)
        if (network->ranges[i].subnet.address.family != 0)
            write_range(&w, &network->ranges[i]);
    json_end(&w, ']');
    json_strs(&w, "labels", &network->labels);
    json_strs(&w, "options", &network->options);
    json_strs(&w, "egress", &network->egress);
    json_end(&w, '}');
}

static int parse_range(const json_t *object, struct network *out)
{
    const char *subnet = NULL, *gateway = NULL, *given = NULL;
    struct network_range range = {0};
    if (json_get_string(object, "subnet", &subnet, NULL) < 0 || !subnet ||
        ip_prefix_parse(subnet, false, &range.subnet) < 0 ||
        json_get_string(object, "gateway", &gateway, NULL) < 0 || !gateway ||
        ip_parse(gateway, &range.gateway) < 0 || !ip_within(&range.subnet, &range.gateway) ||
        json_get_string(object, "range", &given, NULL) < 0 ||
        (given && ip_prefix_parse(given, false, &range.given) < 0))
        return -EBADMSG;
    out->ranges[range.subnet.address.family == AF_INET6] = range;
    return 0;
}

static int parse(const struct buf *text, struct network *out)
{
    const char *id = NULL, *bridge = NULL;
    json_t *ranges = NULL;
    int64_t mtu = 0;
    autojson document = json_parse(buf_text(text), text->len, DESCRIPTION_NAME, NULL);
    if (!document || json_get_string(document, "id", &id, NULL) < 0 || !id ||
        strlen(id) != NETWORK_ID_SIZE - 1 || !is_hex(id, NETWORK_ID_SIZE - 1) ||
        json_get_string(document, "bridge", &bridge, NULL) < 0 || !bridge ||
        strlen(bridge) >= IFNAMSIZ || !starts_with(bridge, NETWORK_BRIDGE_PREFIX) ||
        json_get_i64(document, "created", &out->created, NULL) < 0 ||
        json_get_bool(document, "internal", &out->internal, NULL) < 0 ||
        json_get_bool(document, "shared", &out->shared, NULL) < 0 ||
        json_get_i64(document, "mtu", &mtu, NULL) < 0 || mtu < 0 || mtu > 65535 ||
        json_get_array(document, "ranges", &ranges, NULL) < 0 || json_array_size(ranges) > 2 ||
        json_get_strings(document, "labels", &out->labels, NULL) < 0 ||
        json_get_strings(document, "options", &out->options, NULL) < 0 ||
        json_get_strings(document, "egress", &out->egress, NULL) < 0)
        return -EBADMSG;
    snprintf(out->id, sizeof out->id, "%s", id);
    snprintf(out->bridge, sizeof out->bridge, "%s", bridge);
    out->mtu = (uint32_t)mtu;
    for (size_t i = 0; i < json_array_size(ranges); i++)
        if (parse_range(json_array_get(ranges, i), out) < 0)
            return -EBADMSG;
    return 0;
}

int network_read(int top, const char *name, struct network *out, struct error *err)
{
    autonetwork network = {0};
    autobuf text = {0};
    autofd home = openat(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (home < 0)
        return errno == ENOENT ? no_such_network(name, err)
                               : error_errno(err, "cannot open network %s", name);
    int rc = read_file_at(home, DESCRIPTION_NAME, DESCRIPTION_MAX, &text, NULL);
    if (rc == 0)
        rc = parse(&text, &network);
    if (rc < 0 && !still_there(top, name, home))
        return no_such_network(name, err);
    if (rc < 0)
        return error_set(err, -EBADMSG,
                         "%s of network %s is damaged: %s; caisson network rm -f %s removes it",
                         DESCRIPTION_NAME, name, error_describe(rc), name);
    snprintf(network.name, sizeof network.name, "%s", name);
    *out = network;
    network = (struct network){0};
    return 0;
}

/* --- finding --- */

static int find_by_id(const struct network_place *place, int top, const char *word,
                      struct network *out, struct error *err)
{
    autostrv names = {0};
    size_t length = strlen(word);
    int found = 0;
    int rc = network_list(place, &names, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; is_hex(word, length) && i < names.len; i++) {
        autonetwork network = {0};
        if (network_read(top, names.items[i], &network, NULL) < 0 || !starts_with(network.id, word))
            continue;
        if (++found > 1) {
            network_free(out);
            return error_set(err, -EINVAL, "the id prefix %s is ambiguous; give more digits", word);
        }
        *out = network;
        network = (struct network){0};
    }
    return found ? 0 : no_such_network(word, err);
}

int network_find(const struct network_place *place, int routes, const char *word,
                 struct network *out, struct error *err)
{
    struct error why = {0};
    autofd top = networks_open(place->root, streq(word, NETWORK_DEFAULT), err);
    if (top == -ENOENT)
        return no_such_network(word, err);
    if (top < 0)
        return top;
    int rc =
        network_name_valid(word) ? network_read(top, word, out, &why) : no_such_network(word, &why);
    if (rc == -ENOENT && streq(word, NETWORK_DEFAULT)) {
        struct network usual = {.name = NETWORK_DEFAULT};
        rc = network_create(place, routes, &usual, false, &why);
        network_free(&usual);
        if (rc == 0 || rc == -EEXIST)
            rc = network_read(top, word, out, &why);
    } else if (rc == -ENOENT && *word) {
        return find_by_id(place, top, word, out, err);
    }
    return rc < 0 ? error_set(err, rc, "%s", why.text) : 0;
}

/* --- making and removing --- */

static void give_names(struct network *network)
{
    unsigned char random[32];
    while (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        ;
    hex_encode(random, sizeof random, network->id);
    snprintf(network->bridge, sizeof network->bridge, "%s%.10s", NETWORK_BRIDGE_PREFIX,
             network->id);
    network->created = clock_wall();
}

static int publish(int top, const struct network *network, struct error *err)
{
    char place[NETWORK_ID_SIZE + 8];
    autobuf text = {0};
    describe(network, &text);
    snprintf(place, sizeof place, PASSING_PREFIX "new.%s", network->id);
    if (mkdirat(top, place, 0700) < 0)
        return error_errno(err, "cannot create network %s", network->name);
    autofd home = openat(top, place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int rc = home < 0 ? error_errno(err, "cannot create network %s", network->name)
                      : write_file_at(home, DESCRIPTION_NAME, buf_text(&text), text.len, 0600,
                                      DURABLE, err);
    if (rc == 0 && renameat(top, place, top, network->name) < 0)
        rc = errno == EEXIST || errno == ENOTEMPTY
                 ? error_set(err, -EEXIST, "network %s is there already", network->name)
                 : error_errno(err, "cannot create network %s", network->name);
    if (rc < 0)
        (void)remove_tree_at(top, place, NULL);
    else if (fsync(top) < 0)
        rc = error_errno(err, "cannot write network %s to disk", network->name);
    return rc;
}

int network_create(const struct network_place *place, int routes, struct network *network,
                   bool ipv6, struct error *err)
{
    struct stat st;
    int rc = network_check_name(network->name, err);
    if (rc < 0)
        return rc;
    autofd top = networks_open(place->root, true, err);
    if (top < 0)
        return top;
    /* One at a time: two could choose the same subnet. */
    rc = lock_fd(top, LOCK_EX);
    if (rc < 0)
        return error_set(err, rc, "cannot lock the directory of networks: %s", error_describe(rc));
    if (fstatat(top, network->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return error_set(err, -EEXIST, "network %s is there already", network->name);
    rc = subnets_choose(place, routes, network, ipv6, err);
    if (rc < 0)
        return rc;
    give_names(network);
    return publish(top, network, err);
}

int network_forget(const struct network_place *place, const char *name, struct error *err)
{
    char grave[NETWORK_NAME_SIZE + 32];
    unsigned long long random = 0;
    autofd top = networks_open(place->root, false, err);
    autofd state = networks_open(place->state, false, err);
    if (top < 0)
        return top == -ENOENT ? 0 : top;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return error_errno(err, "cannot get random bytes");
    snprintf(grave, sizeof grave, PASSING_PREFIX "gone.%016llx", random);
    if (renameat(top, name, top, grave) < 0 && errno != ENOENT)
        return error_errno(err, "cannot remove network %s", name);
    int rc = remove_tree_at(top, grave, err);
    if (rc == 0 && state >= 0)
        rc = remove_tree_at(state, name, err);
    return rc;
}

void network_firewall(const struct network *network, struct firewall_network *out)
{
    *out = (struct firewall_network){.bridge = network->bridge,
                                     .answers = true,
                                     .internal = network->internal,
                                     .shared = network->shared};
    for (size_t i = 0; i < 2; i++) {
        out->subnets[i] = network->ranges[i].subnet;
        out->gateways[i] = network->ranges[i].gateway;
    }
}
