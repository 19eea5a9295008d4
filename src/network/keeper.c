/* SPDX-License-Identifier: Apache-2.0 */
#include "network/keeper.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/text.h"
#include "network/egress_log.h"
#include "network/firewall.h"
#include "network/netd_confine.h"
#include "network/networks.h"
#include "network/nflog.h"
#include "network/resolver.h"

#define RESOLV_DIR "/etc"
#define RESOLV_NAME "resolv.conf"
#define RESOLV_MAX (64 << 10)
#define LOG_PAUSE NSEC_PER_SEC
#define RESPAWN_PAUSE NSEC_PER_SEC
#define END_RETRY_MS 50
#define ASKS_AT_ONCE 32

enum source {
    CHANGES,
    ASKS,
    PACKETS,
    SOURCES,
};

static struct {
    struct names names;
    struct ip_address servers[NAMES_UPSTREAMS];
    size_t server_count;
    int inotify, epoll, ask, listeners;
    int watches[3];
    char target_dir[PATH_MAX], target_name[NAME_MAX + 1]; /* what resolv.conf is a link to */
    int resolv_dirs[2];
    int networks; /* where the others' state directories are, beside ours */
    struct strv others;
    int other_watches[KEEPER_OTHERS_MAX];
    pid_t resolver;
    nanoseconds started, log_due;
    bool names_due, servers_due; /* the resolver has older ones */
    bool ready, ending;
} keeper;

static struct egress_log egress_log;

/* --- what is watched --- */

static int watch(size_t i, const char *path, uint32_t events)
{
    keeper.watches[i] = inotify_add_watch(keeper.inotify, path, events | IN_ONLYDIR);
    return keeper.watches[i];
}

static void find_target(void)
{
    char real[PATH_MAX];
    if (!realpath(RESOLV_DIR "/" RESOLV_NAME, real))
        return;
    const char *slash = strrchr(real, '/');
    memcpy(keeper.target_dir, real, (size_t)(slash - real));
    memcpy(keeper.target_name, slash + 1, strnlen(slash + 1, NAME_MAX));
}

/* All that has to be looked for by path, before there are no paths any more. */
static int watch_all(struct error *err)
{
    const uint32_t written = IN_MOVED_TO | IN_CLOSE_WRITE;
    keeper.inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    char state[32];
    snprintf(state, sizeof state, "/proc/self/fd/%d", NETD_STATE);
    if (keeper.inotify < 0 || watch(0, state, IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM) < 0)
        return error_errno(err, "cannot watch the network's state directory");
    find_target();
    (void)watch(1, RESOLV_DIR, written);
    if (keeper.target_dir[0] && !streq(keeper.target_dir, RESOLV_DIR))
        (void)watch(2, keeper.target_dir, written);
    keeper.networks = openat(NETD_STATE, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    keeper.resolv_dirs[0] = open(RESOLV_DIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
    keeper.resolv_dirs[1] = open(keeper.target_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return 0;
}

static void add_others(const struct names_member *m)
{
    for (size_t i = 0; i < m->also.len && keeper.others.len < KEEPER_OTHERS_MAX; i++)
        if (network_name_valid(m->also.items[i]) && !strv_has(&keeper.others, m->also.items[i]))
            strv_add(&keeper.others, m->also.items[i]);
}

static int open_names(const char *network)
{
    autofd home = openat(keeper.networks, network, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return home < 0 ? -1 : openat(home, NAMES_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

static void read_others(void)
{
    struct names none = {0};
    names_move_others(&none, &keeper.names);
    names_free(&none);
    for (size_t i = 0; i < keeper.others.len; i++) {
        autobuf text = {0};
        autofd fd = open_names(keeper.others.items[i]);
        if (fd >= 0 && read_fd(fd, NAMES_FILE_MAX, &text) == 0)
            (void)names_add_other(&keeper.names, keeper.others.items[i], buf_text(&text), text.len);
    }
    keeper.names_due = true;
}

/* A directory that is watched already keeps its number: inotify_add_watch(2). */
static void find_others(void)
{
    strv_free(&keeper.others);
    for (size_t i = 0; i < keeper.names.count; i++)
        add_others(&keeper.names.members[i]);
    for (size_t i = 0; i < keeper.others.len; i++) {
        char path[64 + NAME_MAX];
        snprintf(path, sizeof path, "/proc/self/fd/%d/%s", keeper.networks, keeper.others.items[i]);
        keeper.other_watches[i] =
            inotify_add_watch(keeper.inotify, path, IN_MOVED_TO | IN_DELETE | IN_ONLYDIR);
    }
}

static void read_names(void)
{
    autobuf text = {0};
    autonames fresh = {0};
    int rc = read_file_at(NETD_STATE, NAMES_FILE, NAMES_FILE_MAX, &text, NULL);
    if (rc < 0 && rc != -ENOENT)
        return;
    if (names_parse(buf_text(&text), text.len, &fresh, NULL) < 0)
        return; /* the old ones go on */
    struct names old = keeper.names;
    keeper.names = fresh;
    fresh = old;
    find_others();
    read_others();
    keeper.ending = keeper.names.count == 0;
}

static void read_servers(void)
{
    autobuf text = {0};
    struct ip_address servers[NAMES_UPSTREAMS];
    autofd fd = open(RESOLV_DIR "/" RESOLV_NAME, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || read_fd(fd, RESOLV_MAX, &text) < 0)
        return;
    keeper.server_count = names_read_servers(buf_text(&text), servers);
    memcpy(keeper.servers, servers, sizeof servers);
    keeper.servers_due = true;
}

static bool is_of_other(int watch)
{
    for (size_t i = 0; i < keeper.others.len; i++)
        if (keeper.other_watches[i] == watch)
            return true;
    return false;
}

static void one_change(const struct inotify_event *e, bool *names, bool *others, bool *servers)
{
    const char *name = e->len > 0 ? e->name : "";
    if (e->mask & IN_Q_OVERFLOW)
        *names = *servers = true;
    else if (e->wd == keeper.watches[0])
        *names |= streq(name, NAMES_FILE);
    else if (is_of_other(e->wd))
        *others |= streq(name, NAMES_FILE);
    else
        *servers |= streq(name, RESOLV_NAME) || streq(name, keeper.target_name);
}

static void tell_state(void);

/* Whatever was replaced by now is known afterwards. */
static void refresh(void)
{
    _Alignas(struct inotify_event) char bytes[4096];
    bool names = false, others = false, servers = false;
    ssize_t n;
    while ((n = read(keeper.inotify, bytes, sizeof bytes)) > 0) {
        for (char *at = bytes; at < bytes + n;) {
            const struct inotify_event *e = (const void *)at;
            one_change(e, &names, &others, &servers);
            at += sizeof *e + e->len;
        }
    }
    if (names)
        read_names();
    else if (others)
        read_others();
    if (servers)
        read_servers();
    tell_state();
}

/* --- the resolver --- */

static int listener_count(void)
{
    int count = 0;
    while (count < NETD_LISTENERS_MAX && fcntl(NETD_LISTEN + count, F_GETFD) >= 0)
        count++;
    return count;
}

static int become_resolver(int ask, struct error *err)
{
    /* NETD_LOCK stays, so that nobody starts another while this one has the ports. */
    const int ours[] = {NETD_STATE,
                        NETD_NFT,
                        NETD_NFLOG,
                        keeper.inotify,
                        keeper.epoll,
                        keeper.resolv_dirs[0],
                        keeper.resolv_dirs[1],
                        keeper.networks};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        close(ours[i]);
    if (!keeper.ready)
        close(NETD_READY);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return error_errno(err, "cannot make an epoll");
    int rc = confine_resolver(err);
    return rc < 0 ? rc : resolver_run(ask, epoll, (size_t)keeper.listeners, err);
}

static void stop_resolver(void)
{
    close(take_fd(&keeper.ask)); /* which ends it, unless somebody has taken it over */
    (void)kill(keeper.resolver, SIGKILL);
    while (waitpid(keeper.resolver, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int add_to_epoll(enum source source, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = source};
    return epoll_ctl(keeper.epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* 0 in the keeper, 1 in the resolver at its end. */
static int make_resolver(struct error *err)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return error_errno(err, "cannot make a pair of sockets");
    keeper.started = clock_monotonic();
    keeper.resolver = fork();
    if (keeper.resolver < 0)
        return error_errno(err, "cannot make the resolver");
    if (keeper.resolver == 0) {
        close(ends[0]);
        int rc = become_resolver(ends[1], err);
        return rc < 0 ? rc : 1;
    }
    close(ends[1]);
    keeper.ask = ends[0];
    keeper.names_due = keeper.servers_due = true;
    int rc = add_to_epoll(ASKS, keeper.ask);
    return rc < 0 ? error_set(err, rc, "cannot watch the resolver") : 0;
}

static int remake_resolver(struct error *err)
{
    stop_resolver();
    if (!keeper.ready)
        return error_set(err, -ECHILD, "the resolver could not begin");
    nanoseconds left = keeper.started + RESPAWN_PAUSE - clock_monotonic();
    if (left > 0)
        clock_nanosleep(CLOCK_MONOTONIC, 0,
                        &(struct timespec){.tv_nsec = left - (left >= NSEC_PER_SEC)}, NULL);
    return make_resolver(err);
}

/* Whether it went out. A resolver that does not listen gets no answers, and its clients none. */
static bool tell(const struct keeper_tell *words, const int *fd)
{
    return send_fds(keeper.ask, words, sizeof *words, fd, fd ? 1 : 0) == 0;
}

/* Those of other networks first. False: not all of it went out. */
static bool tell_names(void)
{
    struct keeper_tell words = {.word = KEEPER_OTHER};
    for (size_t i = 0; i < keeper.others.len; i++) {
        autofd fd = open_names(keeper.others.items[i]);
        if (fd < 0)
            continue; /* nobody is there yet */
        snprintf(words.network, sizeof words.network, "%s", keeper.others.items[i]);
        if (!tell(&words, &fd))
            return false;
        words.number++;
    }
    words.word = KEEPER_NAMES;
    autofd fd = openat(NETD_STATE, NAMES_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 || tell(&words, &fd);
}

/* What does not go out now does with the next thing that happens. */
static void tell_state(void)
{
    if (keeper.ask < 0)
        return;
    if (keeper.names_due)
        keeper.names_due = !tell_names();
    if (keeper.servers_due) {
        struct keeper_tell words = {.word = KEEPER_SERVERS, .count = (uint32_t)keeper.server_count};
        memcpy(words.servers, keeper.servers, sizeof words.servers);
        keeper.servers_due = !tell(&words, NULL);
    }
}

/* --- what it asks --- */

static bool is_sound(const struct keeper_ask *ask)
{
    if (!memchr(ask->name, '\0', sizeof ask->name) || !memchr(ask->id, '\0', sizeof ask->id) ||
        ask->count > KEEPER_ADDRESSES_MAX || ask->seconds > KEEPER_SECONDS_MAX)
        return false;
    for (const char *c = ask->name; *c; c++)
        if (*c <= ' ' || *c > '~')
            return false;
    for (uint32_t i = 0; i < ask->count; i++)
        if (ask->addresses[i].family != AF_INET && ask->addresses[i].family != AF_INET6)
            return false;
    return ask->member.family == AF_INET || ask->member.family == AF_INET6;
}

static void say_who(const struct names_member *m, struct egress_event *event)
{
    snprintf(event->id, sizeof event->id, "%s", m->id);
    snprintf(event->who, sizeof event->who, "%s", m->name);
}

static void note_grant(const struct names_member *m, const struct keeper_ask *ask,
                       const struct ip_address *a, const struct egress_grant *g)
{
    struct egress_event event = {
        .granted = true, .address = *a, .port = g->port, .protocol = g->protocol};
    say_who(m, &event);
    memcpy(event.name, ask->name, strlen(ask->name));
    egress_log_add(&egress_log, &event, clock_wall());
}

static const char *table(void)
{
    return keeper.names.table[0] ? keeper.names.table : FIREWALL_TABLE;
}

/* Adds what is not there for long enough yet; how many elements, or a negative errno. */
static int grant_address(struct nft *n, const struct names_member *m, const struct keeper_ask *ask,
                         const struct ip_address *a)
{
    static struct egress_grant grants[EGRESS_GRANTS_MAX];
    char key[EGRESS_KEY_MAX];
    egress_key(m->id, m->number, key);
    size_t count = egress_grants(key, &m->egress, ask->name, a, grants);
    int added = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t left = 0;
        int rc = nft_element_left(NETD_NFT, table(), grants[i].set, &grants[i].key, &left, NULL);
        if (rc < 0 && rc != -ENOENT)
            return rc;
        note_grant(m, ask, a, &grants[i]);
        if (rc == 0 && left >= (uint64_t)ask->seconds * 1000)
            continue;
        egress_grant(n, &grants[i], ask->seconds);
        added++;
    }
    return added;
}

static int grant(const struct names_member *asker, const struct keeper_ask *ask)
{
    int added = 0;
    const struct names_member *m = names_outward(&keeper.names, asker);
    if (!m || !m->egress.limited || !egress_names(&m->egress, ask->name))
        return -EPERM;
    autonft n;
    nft_begin(&n, table());
    for (uint32_t i = 0; i < ask->count; i++) {
        int rc = egress_public(&ask->addresses[i]) ? grant_address(&n, m, ask, &ask->addresses[i])
                                                   : -EPERM;
        if (rc < 0)
            return rc;
        added += rc;
    }
    return added > 0 ? nft_commit(&n, NETD_NFT, NULL) : 0;
}

static void note_denied(const struct names_member *m, const struct keeper_ask *ask)
{
    struct egress_event event = {0};
    say_who(m, &event);
    memcpy(event.name, ask->name, strlen(ask->name));
    egress_log_add(&egress_log, &event, clock_wall());
}

static void serve(const struct keeper_ask *ask)
{
    struct keeper_tell answer = {.word = KEEPER_ANSWER, .number = ask->number};
    if (ask->question == KEEPER_STATE) {
        (void)tell(&answer, NULL);
        return;
    }
    const struct names_member *m =
        is_sound(ask) ? names_by_address(&keeper.names, &ask->member) : NULL;
    if (m && !streq(m->id, ask->id))
        m = NULL; /* the address is another's by now */
    if (ask->question == KEEPER_DENIED && m)
        note_denied(m, ask);
    if (ask->question != KEEPER_GRANT)
        return;
    answer.result = m ? grant(m, ask) : -EPERM;
    (void)tell(&answer, NULL);
}

static void tell_ready(void)
{
    if (keeper.ready)
        return;
    ssize_t told = write(NETD_READY, "r", 1);
    (void)told; /* whoever started us may be gone */
    close(NETD_READY);
    keeper.ready = true;
}

/* -ECHILD: it has ended. */
static int serve_all(void)
{
    for (unsigned i = 0; i < ASKS_AT_ONCE; i++) {
        struct keeper_ask ask;
        ssize_t n = recv(keeper.ask, &ask, sizeof ask, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        if (n != sizeof ask)
            return -ECHILD;
        tell_ready();
        serve(&ask);
    }
    return 0;
}

static void note_packet(const struct nflog_packet *packet, void *closure)
{
    struct egress_event event = {
        .address = packet->destination, .port = packet->port, .protocol = packet->protocol};
    size_t length = strcspn(packet->prefix, "."); /* egress_key() */
    (void)closure;
    if (length == 0 || length > NAMES_ID_MAX)
        return;
    memcpy(event.id, packet->prefix, length);
    const struct names_member *m = names_by_id(&keeper.names, event.id);
    if (m)
        say_who(m, &event);
    egress_log_add(&egress_log, &event, clock_wall());
}

/* --- running --- */

/* What the one before us wrote. */
static void read_log(void)
{
    autobuf text = {0};
    if (read_file_at(NETD_STATE, NETD_LOG_FILE, NETD_LOG_MAX, &text, NULL) == 0 && text.len > 0)
        egress_log_parse(text.data, &egress_log);
}

static void write_log(void)
{
    autobuf text = {0};
    egress_log_format(&egress_log, &text);
    (void)write_file_at(NETD_STATE, NETD_LOG_FILE, buf_text(&text), text.len, 0600, VOLATILE, NULL);
    egress_log.changed = false;
    keeper.log_due = clock_monotonic() + LOG_PAUSE;
}

/* Milliseconds; -1: until something happens. */
static int next_timeout(void)
{
    if (keeper.ending)
        return END_RETRY_MS;
    if (!egress_log.changed)
        return -1;
    nanoseconds left = keeper.log_due - clock_monotonic();
    return left <= 0 ? 0 : (int)(left / 1000000) + 1;
}

/* Another was started in our place: what we answer is no longer where the members are. */
static bool is_replaced(void)
{
    struct stat st;
    return fstat(NETD_LOCK, &st) == 0 && st.st_nlink == 0;
}

/* Whether this is the end: see netd.h. The lock is kept until there is no process any more. */
static bool may_end(void)
{
    autofd lock =
        openat(NETD_STATE, NETD_NAMES_LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0 && errno == ENOENT)
        return true; /* the directory is gone: nobody can be added any more */
    if (lock < 0 || lock_fd(lock, LOCK_EX | LOCK_NB) < 0)
        return false;
    read_names();
    if (!keeper.ending)
        return false;
    (void)take_fd(&lock);
    return true;
}

static int run(struct error *err)
{
    for (;;) {
        struct epoll_event events[SOURCES];
        bool asked = false;
        int count = epoll_wait(keeper.epoll, events, SOURCES, next_timeout());
        for (int i = 0; i < count; i++) {
            asked |= events[i].data.u32 == ASKS;
            if (events[i].data.u32 == PACKETS)
                nflog_read(NETD_NFLOG, note_packet, NULL);
        }
        refresh();
        if (asked && serve_all() < 0) {
            int rc = remake_resolver(err);
            if (rc != 0)
                return rc < 0 ? rc : 0;
        }
        bool replaced = is_replaced();
        bool end = replaced || (keeper.ending && may_end());
        if (egress_log.changed && !replaced && (end || clock_monotonic() >= keeper.log_due))
            write_log();
        if (end) {
            stop_resolver();
            /* Before the lock of the names is anybody's: whoever is next has the same ports. */
            for (int i = 0; i < keeper.listeners; i++)
                close(NETD_LISTEN + i);
            /* And this one before that: in which order an ending process lets go is not said. */
            (void)lock_fd(NETD_LOCK, LOCK_UN);
            return 0;
        }
    }
}

/* Room for a burst of questions: more than the system's limit where we may. */
static void widen_sockets(void)
{
    int size = 4 << 20;
    for (int i = 0; i < keeper.listeners; i++) {
        int fd = NETD_LISTEN + i, flags = fcntl(fd, F_GETFL);
        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
            (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    }
}

static int begin(struct error *err)
{
    const struct rlimit files = {1024, 1024};
    keeper.listeners = listener_count();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setrlimit(RLIMIT_NOFILE, &files);
    for (int fd = NETD_STATE; fd < NETD_LISTEN; fd++)
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
            return error_set(err, -EBADF,
                             "caisson-netd is started by caisson: it lacks descriptor "
                             "%d",
                             fd);
    if (keeper.listeners == 0)
        return error_set(err, -EBADF, "caisson-netd has no socket to listen on");
    widen_sockets();
    keeper.ask = -1;
    int rc = watch_all(err);
    if (rc < 0)
        return rc;
    read_names();
    read_servers();
    read_log();
    rc = nflog_join(NETD_NFLOG, keeper.names.group, err);
    if (rc < 0)
        return rc;
    keeper.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (keeper.epoll < 0 || add_to_epoll(CHANGES, keeper.inotify) < 0 ||
        add_to_epoll(PACKETS, NETD_NFLOG) < 0)
        return error_errno(err, "cannot make an epoll");
    const int read[] = {keeper.networks, keeper.resolv_dirs[0], keeper.resolv_dirs[1]};
    size_t dirs = 0;
    while (dirs < sizeof read / sizeof *read && read[dirs] >= 0)
        dirs++;
    return confine_keeper(NETD_STATE, read, dirs, err);
}

int keeper_run(struct error *err)
{
    int rc = begin(err);
    if (rc == 0)
        rc = make_resolver(err);
    return rc < 0 ? rc : rc > 0 ? 0 : run(err);
}
