/* SPDX-License-Identifier: Apache-2.0 */
#include "network/home_children.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/process.h"
#include "base/strv.h"
#include "base/text.h"
#include "confine/capabilities.h"
#include "network/home.h"
#include "network/link.h"

#define STEP_MS 2
#define PASTA_PATIENCE (5 * NSEC_PER_SEC)
/* From one family to the other, which pasta may leave out. */
#define OTHER_PATIENCE (NSEC_PER_SEC / 10)

void home_child_end(struct home_child *child)
{
    if (child->pidfd >= 0) {
        (void)syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
        (void)process_wait(child->pid, &(int){0}, NULL);
        close(child->pidfd);
    }
    if (child->said >= 0)
        close(child->said);
    *child = (struct home_child)HOME_CHILD_NONE;
}

/* --- the anchor --- */

/* Addresses of pasta's interface are its own at once, without looking for others on its link. IPv4
 * addresses in disguise, which pasta might take for what they look like, lead nowhere: the host's
 * loopback among them. */
static int furnish(struct error *err)
{
    static const struct ip_prefix disguised[] = {{{.family = AF_INET6}, 96},
                                                 {{AF_INET6, {[10] = 0xff, [11] = 0xff}}, 96}};
    autobatch b = {0};
    autofd routes = netlink_open(NETLINK_ROUTE, err);
    if (routes < 0)
        return routes;
    link_up(&b, "lo");
    for (size_t i = 0; i < sizeof disguised / sizeof *disguised; i++)
        link_add_dead_end(&b, &disguised[i]);
    (void)write_kernel_file_at(AT_FDCWD, "/proc/sys/net/ipv6/conf/default/accept_dad", "0");
    int rc = nl_send(routes, &b, NULL, err);
    return rc == -EEXIST ? 0 : rc; /* another was there before */
}

/* Who may look into /proc of a process has no fewer rights than that; pasta has few. */
static _Noreturn void be_anchor(int namespace, int ready, pid_t parent)
{
    struct error err = {0};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    int rc = namespace < 0 ? unshare(CLONE_NEWNET) : setns(namespace, CLONE_NEWNET);
    if (rc < 0)
        (void)error_errno(&err, "cannot make a network namespace");
    else if ((rc = furnish(&err)) == 0)
        rc = capabilities_set(0);
    (void)write_all(ready, rc < 0 ? err.text : "", rc < 0 ? strlen(err.text) : 1);
    (void)close_range(0, ~0U, 0);
    while (rc == 0)
        (void)pause();
    _exit(1);
}

static int watch(pid_t pid, struct home_child *out, struct error *err)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        int rc = error_errno(err, "cannot watch a process");
        (void)kill(pid, SIGKILL);
        (void)process_wait(pid, &(int){0}, NULL);
        return rc;
    }
    *out = (struct home_child){.pid = pid, .pidfd = pidfd, .said = -1};
    return 0;
}

static int find_namespace(pid_t pid, int *namespace, struct error *err)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    int fd = *namespace >= 0 ? *namespace : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, "cannot open %s", path);
    *namespace = fd;
    return 0;
}

int home_anchor_start(int *namespace, struct home_child *out, struct error *err)
{
    int ready[2];
    struct home_child child = HOME_CHILD_NONE;
    autobuf said = {0};
    if (pipe2(ready, O_CLOEXEC) < 0)
        return error_errno(err, "cannot make a pipe");
    autofd reader = ready[0];
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        be_anchor(*namespace, ready[1], parent);
    int rc = pid < 0 ? error_errno(err, "cannot fork") : 0;
    close(ready[1]);
    if (rc == 0)
        rc = watch(pid, &child, err);
    if (rc == 0)
        rc = read_fd(reader, sizeof err->text, &said);
    if (rc == 0 && (said.len != 1 || said.data[0] != '\0'))
        rc = error_set(err, -ECHILD, "cannot make what stands for the host: %s",
                       said.len ? buf_text(&said) : "the process was killed");
    if (rc == 0)
        rc = find_namespace(pid, namespace, err);
    if (rc < 0)
        home_child_end(&child);
    else
        *out = child;
    return rc;
}

/* --- pasta --- */

static int is_default(const struct ip_prefix *to, int index, void *closure)
{
    (void)index;
    *(bool *)closure |= to->length == 0;
    return 0;
}

unsigned home_ways(int routes)
{
    bool four = false, six = false;
    (void)link_routes(routes, AF_INET, is_default, &four, NULL);
    (void)link_routes(routes, AF_INET6, is_default, &six, NULL);
    return (four ? HOME_WAY_4 : 0) | (six ? HOME_WAY_6 : 0);
}

/* Its last line, but for those about what it could not say. */
static void last_words(int said, struct error *err)
{
    autobuf text = {0};
    autostrv lines = {0};
    (void)read_fd(said, 64 << 10, &text);
    strv_split(&lines, buf_text(&text), '\n');
    const char *last = NULL;
    for (size_t i = 0; i < lines.len; i++)
        if (*lines.items[i] && !strstr(lines.items[i], "to syslog"))
            last = lines.items[i];
    (void)error_set(err, -ECHILD, "pasta: %.400s", last ? last : "it ended without a word");
}

static int wait_for_ways(struct home_child *child, int routes, unsigned wanted, struct error *err)
{
    nanoseconds began = clock_monotonic(), first = 0;
    for (;;) {
        struct pollfd end = {.fd = child->pidfd, .events = POLLIN};
        unsigned ways = home_ways(routes);
        nanoseconds now = clock_monotonic();
        if (ways && !first)
            first = now;
        if ((ways & wanted) == wanted || (first && now - first > OTHER_PATIENCE))
            return 0;
        if (now - began > PASTA_PATIENCE)
            return error_set(err, -ETIMEDOUT, "pasta makes no way out");
        if (poll(&end, 1, STEP_MS) > 0) {
            last_words(child->said, err);
            return err ? err->code : -ECHILD;
        }
    }
}

int home_pasta_start(const struct home_child *anchor, int routes, unsigned wanted,
                     struct home_child *out, struct error *err)
{
    static const char *const words[] = {
        "pasta", "--foreground", "--quiet", "--config-net",
        /* nothing from outside inwards, nothing of the host's loopback */
        "--tcp-ports", "none", "--udp-ports", "none", "--tcp-ns", "none", "--udp-ns", "none",
        "--no-map-gw",
        /* addresses are given here, and nobody asks for any */
        "--no-dhcp", "--no-dhcpv6", "--no-ra", "--ns-ifname", HOME_INTERFACE, "--address",
        HOME_ADDRESS4, "--netmask", HOME_LENGTH4, "--gateway", HOME_GATEWAY4, "--address",
        HOME_ADDRESS6, "--gateway", HOME_GATEWAY6, "--netns"};
    struct home_child child = HOME_CHILD_NONE;
    autostrv argv = {0};
    const char *path;
    int said[2], rc = home_pasta(&path, err);
    if (rc < 0)
        return rc;
    if (pipe2(said, O_CLOEXEC) < 0)
        return error_errno(err, "cannot make a pipe");
    autofd writer = said[1];
    child.said = said[0];
    (void)fcntl(child.said, F_SETFL, O_NONBLOCK);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        strv_add(&argv, words[i]);
    strv_fmt(&argv, "/proc/%d/ns/net", (int)anchor->pid);
    const struct process_spec spec = {.program = path,
                                      .argv = strv_argv(&argv),
                                      .environment = (char *const[]){NULL},
                                      .fds = {-1, -1, writer},
                                      .die_with_us = true};
    rc = process_start(&spec, &child.pid, &child.pidfd, err);
    close(take_fd(&writer));
    if (rc == 0)
        rc = wait_for_ways(&child, routes, wanted, err);
    if (rc < 0)
        home_child_end(&child);
    else
        *out = child;
    return rc;
}
