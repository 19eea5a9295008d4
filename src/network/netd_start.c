/* SPDX-License-Identifier: Apache-2.0 */
#include "network/netd_start.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "network/elsewhere.h"
#include "network/netd.h"
#include "network/networks_dir.h"
#include "network/nflog.h"
#include "network/socket_address.h"

#define DNS_PORT 53
#define WAITING_MAX 64 /* connections that were not accepted yet */
/* Groups of the kernel's log: the lower half is left to what people set up by hand. */
#define GROUP_FIRST 0x8000U
#define GROUP_TRIES 64U

static int open_home(const struct network_place *place, const char *network, struct error *err)
{
    autofd top = networks_open(place->state, false, err);
    int home =
        top < 0 ? top : openat(top, network, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (top >= 0 && home < 0)
        return errno == ENOENT ? -ENOENT
                               : error_errno(err, "cannot open the state of network %s", network);
    return home;
}

static int open_lock(int home, const char *name, int kind, struct error *err)
{
    autofd fd = openat(home, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_errno(err, "cannot open a network's %s", name);
    int rc = lock_fd(fd, kind);
    if (rc < 0)
        return rc == -EWOULDBLOCK ? rc : error_set(err, rc, "cannot lock a network's %s", name);
    return take_fd(&fd);
}

/* --- the file of names --- */

static int read_names(int home, struct names *out, struct error *err)
{
    autobuf text = {0};
    int rc = read_file_at(home, NAMES_FILE, NAMES_FILE_MAX, &text, NULL);
    if (rc < 0)
        return rc == -ENOENT
                   ? rc
                   : error_set(err, rc, "cannot read a network's names: %s", error_describe(rc));
    return names_parse(buf_text(&text), text.len, out, err);
}

int netd_names(const struct network_place *place, const char *network, struct names *out,
               struct error *err)
{
    autofd home = open_home(place, network, err);
    return home < 0 ? home : read_names(home, out, err);
}

/* One that nobody reads yet; of two networks that begin at the same number one goes on to the
 * next. */
static int choose_group(const struct network_host *host, const struct network *network,
                        uint16_t *out, struct error *err)
{
    unsigned first = 0;
    int rc = -EBUSY;
    (void)sscanf(network->id, "%4x", &first);
    for (unsigned i = 0; i < GROUP_TRIES && rc < 0; i++) {
        struct error why = {0};
        autofd probe = elsewhere_netlink(host->namespace, NETLINK_NETFILTER, err);
        if (probe < 0)
            return probe;
        *out = (uint16_t)(GROUP_FIRST | (first + i));
        rc = nflog_join(probe, *out, &why);
        if (rc < 0 && i + 1 == GROUP_TRIES)
            return error_set(err, rc, "%s", why.text);
    }
    return 0;
}

/* What follows from the network itself. */
static void describe(const struct network_host *host, const struct network *network,
                     struct names *names)
{
    names->internal = network->internal;
    names->isolated = !network->shared;
    names->subnet_count = 0;
    for (size_t i = 0; i < 2; i++)
        if (network->ranges[i].subnet.address.family != 0)
            names->subnets[names->subnet_count++] = network->ranges[i].subnet;
    snprintf(names->table, sizeof names->table, "%s", host->table);
}

/* --- the program --- */

static int listen_on(const struct network_host *host, const struct network *network, size_t family,
                     int type, uint16_t port, struct error *err)
{
    char text[IP_TEXT_MAX];
    int on = 1;
    struct socket_address to = socket_address_of(&network->ranges[family].gateway, port);
    autofd fd = network_host_socket(host, to.any.sa_family, type | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set(err, fd, "cannot make a socket: %s", error_describe(fd));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (family == 1)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    /* Another command may be making the bridge just now. */
    (void)(family == 1 ? setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on)
                       : setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on));
    ip_format(&network->ranges[family].gateway, text);
    if (bind(fd, &to.any, to.length) < 0 || (type == SOCK_STREAM && listen(fd, WAITING_MAX) < 0))
        return error_errno(err, "cannot answer names on network %s at port %u of %s", network->name,
                           port, text);
    return take_fd(&fd);
}

struct line {
    int fds[PROCESS_LINE_MAX];
    size_t count;
};

static void line_end(struct line *line)
{
    for (size_t i = 0; i < line->count; i++)
        close(line->fds[i]);
}

static int take_place(struct line *line, int fd)
{
    if (fd >= 0)
        line->fds[line->count++] = fd;
    return fd < 0 ? fd : 0;
}

static int take_copy(struct line *line, int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return take_place(line, copy < 0 ? -errno : copy);
}

/* In the order of enum netd_fd. */
static int make_line(const struct network_host *host, const struct network *network, int home,
                     int lock, int ready, uint16_t port, struct line *line, struct error *err)
{
    int rc = take_copy(line, home);
    if (rc == 0)
        rc = take_copy(line, lock);
    for (int i = 0; rc == 0 && i < 2; i++)
        rc = take_place(line, network_host_socket(host, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER));
    if (rc == 0)
        rc = take_copy(line, ready);
    if (rc < 0)
        return error_set(err, rc, "cannot start caisson-netd: %s", error_describe(rc));
    for (size_t i = 0; rc == 0 && i < 4; i++)
        if (network->ranges[i / 2].gateway.family != 0)
            rc = take_place(
                line, listen_on(host, network, i / 2, i % 2 ? SOCK_STREAM : SOCK_DGRAM, port, err));
    return rc;
}

/* Somebody on the host listens at port 53 of all its addresses. Written down first: what a restored
 * firewall leads there follows from that. No table is none to change: it is about to be restored.
 */
static int go_aside(const struct network_host *host, const struct network *network, int home,
                    struct names *names, struct error *err)
{
    struct firewall_network elements;
    struct error why = {0};
    autonft n;
    names->aside = true;
    int rc = names_write(home, names, err);
    if (rc < 0)
        return rc;
    network_firewall(network, &elements);
    nft_begin(&n, host->table);
    firewall_lead_aside(&n, &elements);
    rc = nft_commit(&n, host->firewall, &why);
    return rc < 0 && rc != -ENOENT
               ? error_set(err, rc, "cannot lead questions for names aside: %s", why.text)
               : 0;
}

static int start(const struct network_host *host, const struct network *network, int home,
                 const char *program, int lock, struct names *names, struct netd_start *out,
                 struct error *err)
{
    __attribute__((cleanup(line_end))) struct line line = {.count = 0};
    char name[] = "caisson-netd", *argv[] = {name, NULL}, *environment[] = {NULL};
    int said[2];
    if (pipe2(said, O_CLOEXEC) < 0)
        return error_errno(err, "cannot start caisson-netd");
    out->said = said[0];
    autofd writer = said[1];
    int rc = make_line(host, network, home, lock, writer,
                       names->aside ? FIREWALL_ASIDE_PORT : DNS_PORT, &line, err);
    if (rc == -EADDRINUSE && !names->aside) {
        line_end(&line);
        line.count = 0;
        rc = make_line(host, network, home, lock, writer, FIREWALL_ASIDE_PORT, &line, err);
        if (rc == 0)
            rc = go_aside(host, network, home, names, err);
    }
    if (rc < 0)
        return rc;
    const struct process_spec spec = {.program = program,
                                      .argv = argv,
                                      .environment = environment,
                                      .fds = {-1, -1, writer},
                                      .line = line.fds,
                                      .line_count = line.count,
                                      .directory = "/",
                                      .detached = true};
    return process_start(&spec, NULL, NULL, err);
}

/* --- members --- */

int netd_add(const struct network_host *host, const struct network *network,
             const struct names_member *member, const char *program, uint16_t *group,
             struct netd_start *out, struct error *err)
{
    autonames names = {0};
    autofd home = open_home(&host->place, network->name, err);
    autofd lock = home < 0 ? home : open_lock(home, NETD_NAMES_LOCK_FILE, LOCK_EX, err);
    int rc = lock < 0 ? lock : read_names(home, &names, err);
    if (rc == -ENOENT)
        rc = choose_group(host, network, &names.group, err);
    if (rc < 0)
        return rc;
    *group = names.group;
    describe(host, network, &names);
    names_put(&names, member);
    rc = names_write(home, &names, err);
    if (rc < 0)
        return rc;
    autofd alive = open_lock(home, NETD_LOCK_FILE, LOCK_EX | LOCK_NB, err);
    if (alive < 0)
        return alive == -EWOULDBLOCK ? 0 : alive;
    return start(host, network, home, program, alive, &names, out, err);
}

/* The one before has a lock that nobody finds any more, and ends with the last member. */
int netd_again(const struct network_host *host, const struct network *network, const char *program,
               struct netd_start *out, struct error *err)
{
    autonames names = {0};
    autofd home = open_home(&host->place, network->name, err);
    autofd lock = home < 0 ? home : open_lock(home, NETD_NAMES_LOCK_FILE, LOCK_EX, err);
    int rc = lock < 0 ? lock : read_names(home, &names, err);
    if (rc < 0 || names.count == 0)
        return rc == -ENOENT ? 0 : rc;
    if (unlinkat(home, NETD_LOCK_FILE, 0) < 0 && errno != ENOENT)
        return error_errno(err, "cannot remove a network's %s", NETD_LOCK_FILE);
    autofd alive = open_lock(home, NETD_LOCK_FILE, LOCK_EX | LOCK_NB, err);
    return alive < 0 ? alive : start(host, network, home, program, alive, &names, out, err);
}

/* Who starts one holds the names' lock meanwhile, and so does who looks here: the other lock is
 * taken for a moment. */
bool netd_is_missing(const struct network_place *place, const char *network)
{
    autonames names = {0};
    autofd home = open_home(place, network, NULL);
    autofd lock = home < 0 ? -1 : open_lock(home, NETD_NAMES_LOCK_FILE, LOCK_EX | LOCK_NB, NULL);
    if (lock < 0 || read_names(home, &names, NULL) < 0 || names.count == 0)
        return false;
    autofd alive = open_lock(home, NETD_LOCK_FILE, LOCK_EX | LOCK_NB, NULL);
    return alive >= 0;
}

int netd_wait(struct netd_start *start, const char *network, struct error *err)
{
    char text[sizeof err->text] = "";
    if (start->said < 0)
        return 0;
    ssize_t n;
    do
        n = read(start->said, text, sizeof text - 1);
    while (n < 0 && errno == EINTR);
    netd_start_end(start);
    if (n > 0 && text[0] == 'r')
        return 0;
    text[strcspn(text, "\n")] = '\0';
    return error_set(err, -ECHILD, "cannot answer names on network %s: %s", network,
                     n > 0 ? text : "caisson-netd ended before it was ready");
}

void netd_start_end(struct netd_start *start)
{
    if (start->said >= 0)
        close(take_fd(&start->said));
}

void netd_rename(const struct network_place *place, const char *network, const char *id,
                 const char *name)
{
    autonames names = {0};
    autofd home = open_home(place, network, NULL);
    autofd lock = home < 0 ? -1 : open_lock(home, NETD_NAMES_LOCK_FILE, LOCK_EX, NULL);
    if (lock < 0 || read_names(home, &names, NULL) < 0)
        return;
    for (size_t i = 0; i < names.count; i++) {
        struct names_member *m = &names.members[i];
        if (!streq(m->id, id))
            continue;
        free(m->name);
        m->name = xstrdup(name);
        (void)names_write(home, &names, NULL);
    }
}

void netd_remove(const struct network_place *place, const char *network, const char *id)
{
    autonames names = {0};
    autofd home = open_home(place, network, NULL);
    autofd lock = home < 0 ? -1 : open_lock(home, NETD_NAMES_LOCK_FILE, LOCK_EX, NULL);
    if (lock < 0 || read_names(home, &names, NULL) < 0 || !names_by_id(&names, id))
        return;
    names_drop(&names, id);
    (void)names_write(home, &names, NULL);
}

int netd_log(const struct network_place *place, const char *network, struct egress_log *out,
             struct error *err)
{
    autobuf text = {0};
    autofd home = open_home(place, network, err);
    int rc = home < 0 ? home : read_file_at(home, NETD_LOG_FILE, NETD_LOG_MAX, &text, NULL);
    if (rc < 0)
        return rc == -ENOENT ? rc
                             : error_set(err, rc, "cannot read the log of network %s: %s", network,
                                         error_describe(rc));
    if (text.len > 0)
        egress_log_parse(text.data, out);
    return 0;
}
