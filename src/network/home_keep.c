/* SPDX-License-Identifier: Apache-2.0 */
#include "network/home_keep.h"

#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/memory.h"
#include "network/attach.h"
#include "network/home.h"
#include "network/home_children.h"
#include "network/own.h"

/* How long pasta may be gone before it is started again: doubled each time it does not stay. */
#define PAUSE_LEAST (NSEC_PER_SEC / 10)
#define PAUSE_MOST (10 * NSEC_PER_SEC)

/* Who keeps it there: a connection, or the first process of a container. */
struct guest {
    int fd;
    bool member;
};

struct keeper {
    struct network_host host;
    int directory, listener, changes;
    struct home_child anchor, pasta;
    unsigned ways;            /* that pasta was started for */
    nanoseconds again, pause; /* when it is to be started, and after how long */
    char silence[512];
    bool whole;
    struct guest *guests;
    size_t count;
};

/* --- the children --- */

static void start_pasta(struct keeper *k)
{
    struct error err = {0};
    k->ways = home_ways(k->host.outside);
    if (k->ways && network_own_changed(&k->host, &err) == 0)
        (void)home_pasta_start(&k->anchor, k->host.routes, k->ways, &k->pasta, &err);
    snprintf(k->silence, sizeof k->silence, "%.500s", err.text);
    k->again = clock_monotonic() + k->pause;
}

static void pasta_ended(struct keeper *k)
{
    nanoseconds now = clock_monotonic();
    bool stayed = now - k->again > PAUSE_MOST;
    home_child_end(&k->pasta);
    k->again = stayed ? now : now + k->pause;
    k->pause = stayed ? PAUSE_LEAST : 2 * k->pause < PAUSE_MOST ? 2 * k->pause : PAUSE_MOST;
}

static int anchor_ended(struct keeper *k, struct error *err)
{
    home_child_end(&k->anchor);
    home_child_end(&k->pasta); /* which was to leave with it, and does not always see that */
    k->again = 0;
    return home_anchor_start(&k->host.namespace, &k->anchor, err);
}

/* A way that pasta was not told of it never takes. */
static void host_changed(struct keeper *k)
{
    struct error err = {0};
    own_heard(k->changes);
    unsigned ways = home_ways(k->host.outside);
    if (ways & ~k->ways) {
        home_child_end(&k->pasta);
        k->again = 0;
        k->pause = PAUSE_LEAST;
    }
    /* What could not be closed stays shut off altogether. */
    if (network_own_changed(&k->host, &err) < 0) {
        home_child_end(&k->pasta);
        k->again = clock_monotonic() + k->pause;
    }
}

static void throw_away(int fd)
{
    char bytes[4096];
    while (read(fd, bytes, sizeof bytes) > 0)
        ;
}

/* --- guests --- */

static void add_guest(struct keeper *k, int fd, bool member)
{
    k->guests = xrealloc(k->guests, k->count + 1, sizeof *k->guests);
    k->guests[k->count++] = (struct guest){fd, member};
}

static void drop_guest(struct keeper *k, size_t i)
{
    close(k->guests[i].fd);
    k->guests[i] = k->guests[--k->count];
}

static void welcome(struct keeper *k, int fd)
{
    char message[1 + sizeof k->silence];
    struct ucred peer = {.uid = UINT32_MAX};
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid != geteuid()) {
        close(fd);
        return;
    }
    size_t length = strlen(k->silence);
    message[0] = k->whole ? HOME_HERE : HOME_EMPTY;
    memcpy(message + 1, k->silence, length);
    if (send_fds(fd, message, 1 + length, &k->host.namespace, 1) < 0)
        close(fd);
    else
        add_guest(k, fd, false);
}

static void welcome_all(struct keeper *k)
{
    int fd;
    while ((fd = accept4(k->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
        welcome(k, fd);
}

/* Whether it can be answered. */
static bool obey(struct keeper *k, char word, int fd)
{
    if (word == HOME_MEMBER && fd >= 0) {
        add_guest(k, fd, true);
        return true;
    }
    if (fd >= 0)
        close(fd);
    if (word == HOME_WHOLE)
        k->whole = true;
    return word == HOME_WHOLE || (word == HOME_OWN && network_own_changed(&k->host, NULL) == 0);
}

/* False: it is over. */
static bool hear(struct keeper *k, int guest)
{
    char word;
    int fd = -1;
    size_t count = 0;
    ssize_t n = receive_fds(guest, &word, 1, &fd, 1, &count);
    if (n == -EAGAIN)
        return true;
    return n == 1 && obey(k, word, count ? fd : -1) && send(guest, &word, 1, MSG_NOSIGNAL) == 1;
}

/* --- the loop --- */

enum { LISTENER, CHANGES, ANCHOR, PASTA, SAID, GUESTS };

static int timeout_of(const struct keeper *k)
{
    if (k->pasta.pidfd >= 0 || !home_ways(k->host.outside))
        return -1;
    nanoseconds left = k->again - clock_monotonic();
    return left <= 0 ? 0 : (int)(left / 1000000) + 1;
}

static int wait_for_something(const struct keeper *k, struct pollfd *fds)
{
    fds[LISTENER] = (struct pollfd){.fd = k->listener, .events = POLLIN};
    fds[CHANGES] = (struct pollfd){.fd = k->changes, .events = POLLIN};
    fds[ANCHOR] = (struct pollfd){.fd = k->anchor.pidfd, .events = POLLIN};
    fds[PASTA] = (struct pollfd){.fd = k->pasta.pidfd, .events = POLLIN};
    fds[SAID] = (struct pollfd){.fd = k->pasta.said, .events = POLLIN};
    for (size_t i = 0; i < k->count; i++)
        fds[GUESTS + i] = (struct pollfd){.fd = k->guests[i].fd, .events = POLLIN};
    return poll(fds, GUESTS + k->count, timeout_of(k));
}

static int one_turn(struct keeper *k, struct error *err)
{
    autofree struct pollfd *fds = xcalloc(GUESTS + k->count, sizeof *fds);
    size_t count = k->count;
    int rc = wait_for_something(k, fds) < 0 && errno != EINTR ? error_errno(err, "cannot wait") : 0;
    if (fds[CHANGES].revents)
        host_changed(k);
    if (fds[SAID].revents & POLLIN)
        throw_away(k->pasta.said);
    if (rc == 0 && fds[ANCHOR].revents)
        rc = anchor_ended(k, err);
    else if (k->pasta.pidfd >= 0 && fds[PASTA].fd == k->pasta.pidfd && fds[PASTA].revents)
        pasta_ended(k);
    for (size_t i = count; i-- > 0;) /* from behind: the last takes the place of one that goes */
        if (fds[GUESTS + i].revents && (k->guests[i].member || !hear(k, k->guests[i].fd)))
            drop_guest(k, i);
    if (fds[LISTENER].revents)
        welcome_all(k);
    if (rc == 0 && timeout_of(k) == 0)
        start_pasta(k);
    return rc;
}

/* Who called at the last moment finds nobody, and makes another. The name goes with it unless
 * somebody is at that already. */
static void leave(struct keeper *k)
{
    autofd lock = openat(k->directory, HOME_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (lock >= 0 && lock_fd(lock, LOCK_EX | LOCK_NB) == 0)
        (void)unlinkat(k->directory, HOME_SOCKET, 0);
    close(k->listener);
    home_child_end(&k->pasta);
    home_child_end(&k->anchor);
}

static void want_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int begin(struct keeper *k, const struct home_line *line, struct error *err)
{
    struct network_place place = {.root = -1, .state = line->state};
    int namespace = -1;
    *k = (struct keeper){.host = NETWORK_HOST_NONE,
                         .listener = line->listener,
                         .anchor = HOME_CHILD_NONE,
                         .pasta = HOME_CHILD_NONE,
                         .pause = PAUSE_LEAST};
    want_descriptors();
    k->directory = home_directory(line->state, true, err);
    k->changes = k->directory < 0 ? k->directory : own_watch(err);
    int rc = k->changes < 0 ? k->changes : home_anchor_start(&namespace, &k->anchor, err);
    if (rc == 0)
        rc = network_host_open_home(&place, -1, namespace, &k->host, err);
    if (rc == 0)
        start_pasta(k);
    return rc;
}

/* Whoever made us has called already. */
static void be_sorry(const struct keeper *k, const struct error *err)
{
    autobuf words = {0};
    buf_fmt(&words, "%c%.400s", HOME_SORRY, err->text);
    int fd;
    while ((fd = accept4(k->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        (void)send(fd, words.data, words.len, MSG_NOSIGNAL);
        close(fd);
    }
}

int home_keep(const struct home_line *line, struct error *err)
{
    struct keeper k;
    int rc = begin(&k, line, err);
    if (rc < 0)
        be_sorry(&k, err);
    else
        welcome_all(&k);
    while (rc == 0 && k.count > 0)
        rc = one_turn(&k, err);
    leave(&k);
    return rc;
}
