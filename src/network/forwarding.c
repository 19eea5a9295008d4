/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the host forwards what is the containers', and nothing else because of them. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "network/attach_parts.h"
#include "network/elsewhere.h"
#include "network/networks_dir.h"

static bool is_on(const char *path)
{
    autobuf text = {0};
    return read_kernel_file(path, 64, &text, NULL) == 0 && !starts_with(buf_text(&text), "0");
}

/* A host that forwards IPv6 no longer listens to routers (accept_ra), and would lose its own
 * address: those interfaces that listen now are told to go on. sysctl ip-sysctl. */
static void keep_listening_to_routers(void)
{
    autodir d = opendir("/proc/sys/net/ipv6/conf");
    const struct dirent *entry;
    while (d && (entry = readdir(d))) {
        char path[300];
        autobuf text = {0};
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/accept_ra", entry->d_name);
        if (read_kernel_file(path, 64, &text, NULL) == 0 && starts_with(buf_text(&text), "1"))
            (void)write_kernel_file_at(AT_FDCWD, path, "2");
    }
}

const struct forwarding forwardings[2] = {
    {"/proc/sys/net/ipv4/ip_forward", ".forwarding4"},
    {"/proc/sys/net/ipv6/conf/all/forwarding", ".forwarding6"},
};

static bool has_family(const struct network *network, size_t i)
{
    return network->ranges[i].subnet.address.family != 0;
}

static int look_forwarding(void *closure)
{
    const struct network *network = closure;
    int off = 0;
    for (size_t i = 0; i < 2; i++)
        if (has_family(network, i) && !is_on(forwardings[i].path))
            off |= 1 << i;
    return off;
}

int not_forwarded(const struct network_host *host, const struct network *network)
{
    return elsewhere_do(host->namespace, look_forwarding, (void *)network);
}

/* What is off, and will be on because of us: noted before the firewall is made, which then forwards
 * nothing but ours, and that before it is on. 1 when something was noted. */
int note_forwarding(const struct network_host *host, const struct network *network,
                    struct error *err)
{
    int off = not_forwarded(host, network);
    if (off < 0)
        return error_set(err, off, "cannot look whether the host forwards packets: %s",
                         error_describe(off));
    autofd top = networks_open(host->place.state, true, err);
    int rc = top < 0 ? top : 0;
    bool noted = false;
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        if (!(off >> i & 1))
            continue;
        rc = write_file_at(top, forwardings[i].note, "", 0, 0600, VOLATILE, err);
        noted = true;
    }
    return rc < 0 ? rc : noted;
}

static int turn_forwarding_on(void *closure)
{
    int off = look_forwarding(closure), rc = 0;
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        if (!(off >> i & 1))
            continue;
        if (i == 1)
            keep_listening_to_routers();
        rc = write_kernel_file_at(AT_FDCWD, forwardings[i].path, "1");
    }
    return rc;
}

/* Where there is br_netfilter it puts each frame between two containers through all of the IP
 * firewall as well, which nothing here asks for (senders.h is of the bridge). */
static int keep_bridges_out(void *closure)
{
    static const char *const paths[] = {"/proc/sys/net/bridge/bridge-nf-call-iptables",
                                        "/proc/sys/net/bridge/bridge-nf-call-ip6tables",
                                        "/proc/sys/net/bridge/bridge-nf-call-arptables"};
    (void)closure;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        (void)write_kernel_file_at(AT_FDCWD, paths[i], "0");
    return 0;
}

int forward(const struct network_host *host, const struct network *network, struct error *err)
{
    int rc = elsewhere_do(host->namespace, turn_forwarding_on, (void *)network);
    if (host->namespace >= 0) /* the host's own are the host's to say */
        (void)elsewhere_do(host->namespace, keep_bridges_out, NULL);
    return rc < 0 ? error_set(err, rc, "cannot let the host forward packets (%s, %s): %s",
                              forwardings[0].path, forwardings[1].path, error_describe(rc))
                  : 0;
}

unsigned forwards_for_us(const struct network_host *host)
{
    autofd top = networks_open(host->place.state, false, NULL);
    unsigned ours = 0;
    for (size_t i = 0; top >= 0 && i < 2; i++)
        if (faccessat(top, forwardings[i].note, F_OK, 0) == 0)
            ours |= 1U << i;
    return ours;
}
