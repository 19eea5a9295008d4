/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/client.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/secret.h"
#include "base/text.h"

static void wipe(struct endpoint *e)
{
    e->signed_in = e->user || e->identity || e->bearer;
    secret_forget(&e->password);
    secret_forget(&e->identity);
    secret_forget(&e->bearer);
}

void endpoint_free(struct endpoint *e)
{
    free(e->name);
    free(e->host);
    free(e->repository);
    free(e->user);
    wipe(e);
    strv_free(&e->authorities);
    free(e->certificate);
    free(e->key);
    *e = (struct endpoint){0};
}

void endpoints_free(struct endpoints *endpoints)
{
    for (size_t i = 0; i < endpoints->count; i++)
        endpoint_free(&endpoints->items[i]);
    free(endpoints->items);
    *endpoints = (struct endpoints){0};
}

/* --- starting --- */

static int add(struct buf *out, const char *key, const char *value, struct error *err)
{
    if (!value || wire_add(out, key, value))
        return 0;
    return error_set(err, -EINVAL, "the %s of a registry has a line break in it", key);
}

static int describe(const struct endpoint *e, struct buf *out, struct error *err)
{
    autofree char *place = xasprintf("%s https://%s", e->name, e->host);
    if (strpbrk(e->name, " @\t") || strpbrk(e->host, " @\t"))
        return error_set(err, -EINVAL, "%.100s is no registry", e->name);
    int rc = add(out, "place", place, err);
    if (rc == 0)
        rc = add(out, "user", e->user, err);
    if (rc == 0)
        rc = add(out, "password", e->password, err);
    if (rc == 0)
        rc = add(out, "identity", e->identity, err);
    if (rc == 0)
        rc = add(out, "bearer", e->bearer, err);
    for (size_t i = 0; rc == 0 && i < e->authorities.len; i++)
        rc = add(out, "authority", e->authorities.items[i], err);
    if (rc == 0)
        rc = add(out, "certificate", e->certificate, err);
    if (rc == 0)
        rc = add(out, "key", e->key, err);
    if (rc == 0 && e->insecure)
        buf_str(out, "insecure\n");
    return rc;
}

static int settings_file(const struct endpoints *endpoints, size_t lanes, bool writes,
                         struct error *err)
{
    autosecretbuf text = {0};
    int rc = 0;
    buf_fmt(&text, "lanes %zu\n%s", lanes, writes ? "writes\n" : "");
    for (size_t i = 0; rc == 0 && i < endpoints->count; i++)
        rc = describe(&endpoints->items[i], &text, err);
    autofd fd = rc == 0 ? memfd_create("registries", MFD_CLOEXEC) : -1;
    if (rc == 0) {
        rc = fd < 0 ? -errno : write_all(fd, text.data, text.len);
        if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
            rc = -errno;
        if (rc < 0)
            error_set(err, rc, "cannot tell caisson-registry what to do: %s", error_describe(rc));
    }
    return rc < 0 ? rc : take_fd(&fd);
}

static int start(const char *program, int settings, const int *far, struct client *c,
                 struct error *err)
{
    char name[] = "caisson-registry";
    char *const words[] = {name, NULL};
    const struct process_spec spec = {.program = program,
                                      .argv = words,
                                      .fds = {settings, -1, STDERR_FILENO},
                                      .line = far,
                                      .line_count = c->lane_count,
                                      .die_with_us = true};
    return process_start(&spec, &c->pid, NULL, err);
}

/* What is in memory here is nobody else's business. */
static int keep_private(struct error *err)
{
    const struct rlimit none = {0};
    if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_errno(err, "cannot keep this process's memory to itself");
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

int client_start(const char *program, struct endpoints *endpoints, size_t lanes, bool writes,
                 struct client *out, struct error *err)
{
    struct client c = {.endpoints = endpoints,
                       .lock = PTHREAD_MUTEX_INITIALIZER,
                       .freed = PTHREAD_COND_INITIALIZER};
    int far[WIRE_LANES_MAX];
    size_t made = 0;
    int rc = keep_private(err);
    autofd settings = rc < 0 ? rc : settings_file(endpoints, lanes, writes, err);
    for (size_t i = 0; i < endpoints->count; i++)
        wipe(&endpoints->items[i]);
    rc = settings < 0 ? settings : 0;
    for (; rc == 0 && made < lanes; made++) {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
            rc = error_errno(err, "cannot make a socket");
            break;
        }
        c.lanes[made] = ends[0];
        far[made] = ends[1];
    }
    c.lane_count = made;
    if (rc == 0)
        rc = start(program, settings, far, &c, err);
    for (size_t i = 0; i < made; i++)
        close(far[i]);
    if (rc < 0) {
        client_stop(&c);
        return rc;
    }
    *out = c;
    return 0;
}

void client_stop(struct client *c)
{
    for (size_t i = 0; i < c->lane_count; i++)
        if (c->lanes[i] >= 0)
            close(c->lanes[i]);
    c->lane_count = 0;
    /* It notices, and it dies with us: nothing of it is waited for. */
    c->pid = 0;
}

/* --- lanes --- */

int client_take(struct client *c)
{
    pthread_mutex_lock(&c->lock);
    for (;;) {
        for (size_t i = 0; i < c->lane_count; i++)
            if (c->lanes[i] >= 0 && !c->taken[i]) {
                c->taken[i] = true;
                pthread_mutex_unlock(&c->lock);
                return c->lanes[i];
            }
        bool any = false;
        for (size_t i = 0; i < c->lane_count; i++)
            any |= c->lanes[i] >= 0;
        if (!any) {
            pthread_mutex_unlock(&c->lock);
            return -EPIPE;
        }
        pthread_cond_wait(&c->freed, &c->lock);
    }
}

void client_give(struct client *c, int lane, bool spoiled)
{
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->lane_count; i++)
        if (c->lanes[i] == lane) {
            c->taken[i] = false;
            if (spoiled) {
                close(lane);
                c->lanes[i] = -1;
            }
        }
    pthread_cond_broadcast(&c->freed);
    pthread_mutex_unlock(&c->lock);
}

/* --- asking --- */

/* Of which the lane is of no use any more. */
#define GONE (-ECONNRESET)

static int gone(int rc, struct error *err)
{
    return error_set(err, GONE, "caisson-registry ended: %s",
                     rc == -EPIPE ? "what it said stands above, or it was killed"
                                  : error_describe(rc));
}

static void add_words(struct buf *out, const char *key, const char *words)
{
    autostrv items = {0};
    if (words)
        strv_split(&items, words, ' ');
    for (size_t i = 0; i < items.len; i++)
        if (*items.items[i])
            buf_fmt(out, "%s %s\n", key, items.items[i]);
}

int client_ask(int lane, const struct ask *ask, struct error *err)
{
    autobuf text = {0};
    buf_fmt(&text, "method %s\nplace %zu\nmost %llu\n", ask->method, ask->endpoint,
            (unsigned long long)ask->most);
    bool clean = wire_add(&text, "target", ask->target);
    if (ask->from > 0)
        buf_fmt(&text, "from %llu\n", (unsigned long long)ask->from);
    add_words(&text, "accept", ask->accept);
    add_words(&text, "scope", ask->scopes);
    if (ask->type)
        clean &= wire_add(&text, "type", ask->type);
    if (ask->range)
        clean &= wire_add(&text, "range", ask->range);
    if (ask->body && ask->length >= 0)
        buf_fmt(&text, "body %lld\n", (long long)ask->length);
    else if (ask->body)
        buf_str(&text, "body\n");
    if (!clean || text.len > WIRE_TEXT_MAX)
        return error_set(err, -EINVAL, "what is asked of a registry is no address");
    int rc = wire_send(lane, WIRE_HEAD, text.data, text.len);
    return rc < 0 ? gone(rc, err) : 0;
}

int client_send(int lane, const void *bytes, size_t length, struct error *err)
{
    const char *at = bytes;
    while (length > 0) {
        struct pollfd early = {.fd = lane, .events = POLLIN};
        if (poll(&early, 1, 0) > 0 && (early.revents & POLLIN))
            return 1;
        size_t piece = length < WIRE_BODY_MAX ? length : WIRE_BODY_MAX;
        int rc = wire_send(lane, WIRE_BODY, at, piece);
        if (rc < 0)
            return gone(rc, err);
        at += piece;
        length -= piece;
    }
    return 0;
}

int client_sent(int lane, struct error *err)
{
    int rc = wire_send(lane, WIRE_END, NULL, 0);
    return rc < 0 ? gone(rc, err) : 0;
}

/* "CODE SENTENCE" */
static int take_error(int lane, const struct wire_frame *frame, struct error *err)
{
    autobuf text = {0}, shown = {0};
    uint64_t code;
    int rc = wire_text(lane, frame, &text);
    if (rc < 0)
        return gone(rc, err);
    const char *all = buf_text(&text);
    autofree char *number = xstrndup(all, strcspn(all, " "));
    const char *sentence = all + strlen(number);
    buf_printable(&shown, sentence + (*sentence == ' '));
    if (parse_u64(number, 4095, &code) < 0 || code == 0 || code == -GONE)
        code = EIO;
    return error_set(err, -(int)code, "%.900s", buf_text(&shown));
}

static void keep_text(const char *value, char *out, size_t size)
{
    snprintf(out, size, "%s", strlen(value) < size ? value : "");
}

static void take_line(const char *key, const char *value, struct answer *a)
{
    uint64_t number;
    const struct {
        const char *key;
        char *text;
        size_t size;
    } texts[] = {{"type", a->type, sizeof a->type},
                 {"digest", a->digest, sizeof a->digest},
                 {"location", a->location, sizeof a->location},
                 {"range", a->range, sizeof a->range},
                 {"subject", a->subject, sizeof a->subject},
                 {"link", a->link, sizeof a->link},
                 {"minimum", a->minimum, sizeof a->minimum},
                 {"message", a->message, sizeof a->message}};
    if (streq(key, "status") && parse_u64(value, 999, &number) == 0)
        a->status = (int)number;
    else if (streq(key, "length") && parse_u64(value, INT64_MAX, &number) == 0)
        a->length = (int64_t)number;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (streq(key, texts[i].key))
            keep_text(value, texts[i].text, texts[i].size);
}

int client_answer(int lane, struct answer *out, struct error *err)
{
    struct wire_frame frame;
    autobuf text = {0};
    char *key, *value;
    *out = (struct answer){.length = -1};
    int rc = wire_receive(lane, &frame);
    if (rc == 0 && frame.kind == WIRE_ERROR)
        return take_error(lane, &frame, err);
    if (rc == 0 && frame.kind != WIRE_HEAD)
        rc = -EPROTO;
    if (rc == 0)
        rc = wire_text(lane, &frame, &text);
    if (rc < 0)
        return gone(rc, err);
    buf_room(&text, 0)[0] = '\0';
    for (char *at = text.data; wire_line(&at, &key, &value);)
        take_line(key, value, out);
    return out->status ? 0 : gone(-EPROTO, err);
}

ssize_t client_read(int lane, struct answer *a, void *bytes, size_t length, struct error *err)
{
    while (!a->ended && a->left == 0) {
        struct wire_frame frame;
        int rc = wire_receive(lane, &frame);
        if (rc == 0 && frame.kind == WIRE_ERROR)
            return take_error(lane, &frame, err);
        if (rc == 0 && frame.kind == WIRE_HEAD)
            rc = -EPROTO;
        if (rc < 0)
            return gone(rc, err);
        a->ended = frame.kind == WIRE_END;
        a->left = frame.length;
    }
    if (a->ended)
        return 0;
    if (length > a->left)
        length = a->left;
    ssize_t n;
    do
        n = read(lane, bytes, length);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return gone(n < 0 ? -errno : -EPIPE, err);
    a->left -= (uint32_t)n;
    return n;
}

int client_finish(int lane, struct answer *answer, struct error *err)
{
    char buffer[16384];
    ssize_t n;
    while ((n = client_read(lane, answer, buffer, sizeof buffer, err)) > 0)
        ;
    return (int)n;
}

static int read_all(int lane, const struct ask *ask, struct answer *a, struct buf *out,
                    struct error *err)
{
    ssize_t n;
    do {
        char *room = buf_room(out, 65536);
        n = client_read(lane, a, room, 65536, err);
        if (n > 0) {
            out->len += (size_t)n;
            out->data[out->len] = '\0';
        }
        if (n > 0 && out->len > ask->most)
            n = error_set(err, -EFBIG, "a registry's document is larger than %llu bytes",
                          (unsigned long long)ask->most);
    } while (n > 0);
    return (int)n;
}

int client_document(struct client *client, const struct ask *ask, struct answer *answer,
                    struct buf *out, struct error *err)
{
    autobuf nobody = {0};
    int lane = client_take(client);
    if (lane < 0)
        return gone(lane, err);
    struct error ours = {0};
    int rc = client_ask(lane, ask, &ours);
    if (rc == 0)
        rc = client_answer(lane, answer, &ours);
    if (rc == 0)
        rc = read_all(lane, ask, answer, out ? out : &nobody, &ours);
    /* After an error of the registry's the lane is at its end, too; after one of ours it is not. */
    client_give(client, lane, rc == GONE || (rc == -EFBIG && !answer->ended));
    return rc < 0 ? error_set(err, rc, "%s", ours.text) : 0;
}

int client_refused(const struct endpoint *e, const struct answer *a, const char *what,
                   struct error *err)
{
    autobuf said = {0};
    buf_printable(&said, a->message);
    const char *words = buf_text(&said), *colon = said.len ? ": " : "";
    switch (a->status) {
    case 401:
    case 403:
        return error_set(err, -EACCES,
                         "%s refuses %s%s%.300s: %s 'caisson login %s', or see that the name is "
                         "right and that you may",
                         e->name, what, colon, words,
                         e->signed_in ? "sign in as somebody else with" : "sign in with", e->name);
    case 404:
        return error_set(err, -ENOENT, "%s has no %s%s%.300s", e->name, what, colon, words);
    case 429:
        return error_set(err, -EBUSY,
                         "%s has had too many requests of this machine%s%.300s: try later, or sign "
                         "in with 'caisson login %s'",
                         e->name, colon, words, e->name);
    default:
        return error_set(err, -EIO, "%s answers %d to the request for %s%s%.300s", e->name,
                         a->status, what, colon, words);
    }
}
