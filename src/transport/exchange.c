/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a question to its answer. Nothing of an answer is given on before it is good, and bytes of
 * a body are given on once: when a connection is cut, the rest is asked for, from the first byte
 * that did not come.
 */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include "registry/wire.h"
#include "transport/transport.h"

#define REDIRECTS_MAX 10
#define SIGN_INS_MAX 2   /* for one question */
#define FAILURES_MAX 5   /* in a row, without a byte */
#define REQUESTS_MAX 200 /* in all */
#define WAIT_MAX 120     /* seconds that a server may ask for */
#define WAIT_FIRST 250   /* milliseconds, doubled each time */
#define WAIT_LONGEST 8000

struct exchange {
    CURL *curl;
    struct settings *settings;
    struct place *place;
    const struct question *question;
    int lane;
    char *token;
    bool use_basic;
    bool downgraded; /* to http, after https was tried */
    unsigned sign_ins, failures, requests;
    char *url; /* of this hop */
    /* the body that comes */
    bool headed;   /* the answer's head was given on */
    uint64_t got;  /* bytes given on */
    bool looked;   /* at where this hop's body begins */
    uint64_t skip; /* of it, for they were given on before */
    /* the body that goes */
    uint32_t in_frame; /* left of the frame that is being read */
    bool ended, consumed;
};

/* --- answering --- */

static int say_error(const struct exchange *x, const struct error *error)
{
    autobuf text = {0};
    buf_fmt(&text, "%d %s", -error->code, error->text);
    return wire_send(x->lane, WIRE_ERROR, text.data, text.len);
}

static void add_number(struct buf *out, const char *key, int64_t value)
{
    if (value >= 0)
        buf_fmt(out, "%s %lld\n", key, (long long)value);
}

static int say_head(struct exchange *x, const struct hop *hop)
{
    autobuf text = {0}, said = {0};
    const struct {
        const char *key, *text;
    } texts[] = {{"type", hop->type},       {"digest", hop->digest}, {"range", hop->range},
                 {"subject", hop->subject}, {"link", hop->link},     {"minimum", hop->minimum}};
    add_number(&text, "status", hop->status);
    /* With a range, the length is that of the rest. */
    add_number(&text, "length", hop->length);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].text[0])
            wire_add(&text, texts[i].key, texts[i].text);
    if (hop->location[0]) {
        autofree char *whole = hop_follow(hop->url, hop->location);
        if (whole)
            wire_add(&text, "location", whole);
    }
    error_words(buf_text(&hop->error_body), hop->error_body.len, &said);
    if (said.len > 0)
        wire_add(&text, "message", buf_text(&said));
    x->headed = true;
    return wire_send(x->lane, WIRE_HEAD, text.data, text.len);
}

static uint64_t wanted_from(const struct exchange *x)
{
    return x->question->from + x->got;
}

/* Where this body begins, seen from where we are. */
static int look_at_start(struct exchange *x, const struct hop *hop)
{
    x->looked = true;
    x->skip = 0;
    if (hop->from == 0)
        return 0;
    if (hop->status == 206)
        return content_range_start(hop->content_range) == (int64_t)hop->from ? 0 : -ERANGE;
    x->skip = hop->from; /* the whole of it comes again */
    return 0;
}

static int give_on(void *closure, const struct hop *hop, const void *bytes, size_t length)
{
    struct exchange *x = closure;
    const char *at = bytes;
    /* Whoever sends does not read yet, and what is said to that besides the head is of no use. */
    if (x->question->body) {
        x->got += length;
        return x->got > x->question->most ? -EFBIG : 0;
    }
    int rc = x->looked ? 0 : look_at_start(x, hop);
    if (rc == 0 && !x->headed)
        rc = say_head(x, hop);
    size_t skipped = x->skip < length ? (size_t)x->skip : length;
    x->skip -= skipped;
    at += skipped;
    length -= skipped;
    if (rc == 0 && length > x->question->most - wanted_from(x))
        rc = -EFBIG;
    while (rc == 0 && length > 0) {
        size_t piece = length < WIRE_BODY_MAX ? length : WIRE_BODY_MAX;
        rc = wire_send(x->lane, WIRE_BODY, at, piece);
        at += piece;
        length -= piece;
        x->got += piece;
        x->failures = 0;
    }
    return rc;
}

/* --- sending a body --- */

/* 1: bytes can be read; 0: it ended. */
static int next_frame(struct exchange *x)
{
    while (!x->ended && x->in_frame == 0) {
        struct wire_frame frame;
        int rc = wire_receive(x->lane, &frame);
        if (rc < 0)
            return rc;
        if (frame.kind != WIRE_BODY && frame.kind != WIRE_END)
            return -EPROTO;
        x->ended = frame.kind == WIRE_END;
        x->in_frame = frame.length;
    }
    return !x->ended;
}

static ssize_t take_from_lane(void *closure, void *bytes, size_t length)
{
    struct exchange *x = closure;
    int rc = next_frame(x);
    if (rc <= 0)
        return rc;
    x->consumed = true;
    if (length > x->in_frame)
        length = x->in_frame;
    ssize_t n;
    do
        n = read(x->lane, bytes, length);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n < 0 ? -errno : -EPIPE;
    x->in_frame -= (uint32_t)n;
    return n;
}

/* Whoever sends is heard to the end, else both would wait for each other. */
static int drain(struct exchange *x)
{
    char buffer[65536];
    ssize_t n = 1;
    while (x->question->body && n > 0)
        n = take_from_lane(x, buffer, sizeof buffer);
    return n < 0 ? (int)n : 0;
}

/* --- waiting --- */

/* -EPIPE: nobody waits for the answer any more. */
static int wait_for(const struct exchange *x, int64_t milliseconds)
{
    struct pollfd lane = {.fd = x->lane, .events = POLLRDHUP};
    int rc = poll(&lane, 1, (int)milliseconds);
    return rc > 0 && (lane.revents & (POLLRDHUP | POLLHUP | POLLERR)) ? -EPIPE : 0;
}

/* 1: try again. */
static int be_patient(struct exchange *x, int64_t said, struct error *err)
{
    if (x->consumed || x->question->body)
        return 0;
    if (x->failures >= FAILURES_MAX || x->requests >= REQUESTS_MAX)
        return 0;
    if (said > WAIT_MAX)
        return error_set(err, -EBUSY,
                         "%s asks to come again in %lld seconds, which is long: try later",
                         x->place->name, (long long)said);
    int64_t wait = (int64_t)WAIT_FIRST << x->failures;
    wait = said >= 0 ? said * 1000 : wait > WAIT_LONGEST ? WAIT_LONGEST : wait;
    x->failures++;
    int rc = wait_for(x, wait);
    return rc < 0 ? rc : 1;
}

/* --- one hop --- */

static char *address_of(const struct place *place, const char *target)
{
    if (*target != '/')
        return xstrdup(target);
    return place->plain ? xasprintf("http%s%s", place->base + strlen("https"), target)
                        : xasprintf("%s%s", place->base, target);
}

/* Whether this hop leads to the registry itself, which may see who we are. */
static bool is_at_home(const struct exchange *x)
{
    autofree char *base = address_of(x->place, "/");
    autofree char *home = hop_origin(base), *here = hop_origin(x->url);
    return home && streq(home, here);
}

static void add_headers(const struct exchange *x, bool home, struct strv *out)
{
    const struct question *q = x->question;
    for (size_t i = 0; i < q->accept.len; i++)
        strv_fmt(out, "Accept: %s", q->accept.items[i]);
    if (q->content_type)
        strv_fmt(out, "Content-Type: %s", q->content_type);
    if (q->range)
        strv_fmt(out, "Content-Range: %s", q->range);
    if (home && x->token)
        strv_fmt(out, "Authorization: Bearer %s", x->token);
}

static void forget_headers(struct strv *headers)
{
    for (size_t i = 0; i < headers->len; i++)
        explicit_bzero(headers->items[i], strlen(headers->items[i]));
    strv_free(headers);
}

static int run_hop(struct exchange *x, struct hop *hop)
{
    struct strv headers = {0};
    const struct question *q = x->question;
    bool home = is_at_home(x);
    add_headers(x, home, &headers);
    *hop = (struct hop){.settings = x->settings,
                        .place = x->place,
                        .method = q->method,
                        .url = x->url,
                        .headers = &headers,
                        .from = wanted_from(x),
                        .uploads = q->body,
                        .upload_length = q->length,
                        .body = give_on,
                        .upload = take_from_lane,
                        .closure = x};
    if (home && x->use_basic) {
        hop->user = x->place->user;
        hop->password = x->place->password;
    }
    x->looked = false;
    x->requests++;
    int rc = hop_run(x->curl, hop);
    forget_headers(&headers);
    hop->headers = NULL;
    return rc;
}

/* --- what came of it --- */

static int explain(const struct exchange *x, const struct hop *hop, int rc, struct error *err)
{
    const char *name = x->place->name;
    autobuf why = {0};
    buf_printable(&why, hop->why);
    if (rc == -EFBIG)
        return error_set(err, rc, "%s sends more than the %llu bytes that were agreed on", name,
                         (unsigned long long)x->question->most);
    if (rc == -ERANGE)
        return error_set(err, -EPROTO, "%s was asked for the rest from byte %llu and sends another",
                         name, (unsigned long long)hop->from);
    if (rc == -EPIPE || rc == -EPROTO)
        return error_set(err, rc, "nobody waits for what %s says", name);
    switch (hop->code) {
    case CURLE_PEER_FAILED_VERIFICATION:
        return error_set(err, -EKEYREJECTED,
                         "%s shows a certificate that is not to be trusted (%.200s): put its "
                         "authority's into /etc/containers/certs.d/%s/ca.crt, or say "
                         "--tls-verify=false if it may be anybody",
                         name, buf_text(&why), name);
    case CURLE_SSL_CONNECT_ERROR:
        return error_set(
            err, -EPROTO,
            "%s does not speak TLS as it should (%.200s): for a registry of yours "
            "without TLS, say --tls-verify=false, or insecure = true in registries.conf",
            name, buf_text(&why));
    case CURLE_COULDNT_RESOLVE_HOST:
        return error_set(err, -EHOSTUNREACH,
                         "cannot find the host of %s: see to the name, and to the network", name);
    case CURLE_COULDNT_CONNECT:
        return error_set(err, -ECONNREFUSED, "cannot connect to %s: %.300s", name, buf_text(&why));
    case CURLE_OPERATION_TIMEDOUT:
        return error_set(err, -ETIMEDOUT, "%s %s: %.300s", name,
                         hop->connected ? "says nothing any more" : "cannot be reached",
                         buf_text(&why));
    case CURLE_PARTIAL_FILE:
        return error_set(err, -EIO,
                         "%s ended the connection before all of it was there, again and "
                         "again",
                         name);
    default:
        return error_set(err, -EIO, "%s: %.300s", name, buf_text(&why));
    }
}

/* 1: the same again, another way. */
static int after_failure(struct exchange *x, const struct hop *hop, int rc, struct error *err)
{
    bool tls = hop->code == CURLE_SSL_CONNECT_ERROR || hop->code == CURLE_COULDNT_CONNECT;
    if (rc != -EIO)
        return explain(x, hop, rc, err);
    /* Another lane may have found out meanwhile: what counts is how it was asked just now. */
    if (tls && x->place->insecure && starts_with(hop->url, "https:") && !x->downgraded &&
        !x->consumed) {
        x->place->plain = true;
        x->downgraded = true;
        return 1;
    }
    switch (hop->code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        break;
    default:
        /* Whoever never answered is not asked again; whoever did is somebody we know. */
        if (hop->connected || x->got > 0) {
            int again = be_patient(x, -1, err);
            if (again != 0)
                return again;
        }
    }
    return explain(x, hop, rc, err);
}

static void words_of(const char *text, struct strv *out)
{
    autostrv words = {0};
    strv_split(&words, text, ' ');
    for (size_t i = 0; i < words.len; i++)
        if (*words.items[i])
            strv_add(out, words.items[i]);
}

/* 1: ask again, as somebody. 0: there is nobody else we could be. */
static int sign_in(struct exchange *x, const struct hop *hop, struct error *err)
{
    autostrv scopes = {0};
    char *token = NULL;
    if (x->sign_ins++ >= SIGN_INS_MAX || x->consumed || !is_at_home(x))
        return 0;
    if (x->token)
        tokens_forget(x->settings, x->question->place, x->token);
    if (hop->challenge.bearer && hop->challenge.realm[0] && !x->place->bearer) {
        strv_copy(&scopes, &x->question->scopes);
        if (scopes.len == 0)
            words_of(hop->challenge.scope, &scopes);
        int rc = tokens_ask(x->curl, x->settings, x->question->place, &hop->challenge, &scopes,
                            &token, err);
        if (rc < 0)
            return rc;
        secret_forget(&x->token);
        x->token = token;
        return 1;
    }
    if (!hop->challenge.basic || !x->place->user || x->use_basic)
        return 0;
    x->place->basic = true;
    x->use_basic = true;
    return 1;
}

/* 1: there is another hop. */
static int redirect(struct exchange *x, const struct hop *hop, unsigned *redirects,
                    struct error *err)
{
    autofree char *next = hop_follow(hop->url, hop->location);
    if (!next)
        return error_set(err, -EPROTO, "%s redirects to something that is neither http nor https",
                         x->place->name);
    if (starts_with(hop->url, "https:") && starts_with(next, "http:") &&
        !(x->place->insecure && hop_same_host(x->place->base, next)))
        return error_set(err, -EPROTO,
                         "%s redirects from https to http, where anybody can change it",
                         x->place->name);
    if (++*redirects > REDIRECTS_MAX)
        return error_set(err, -ELOOP, "%s redirects more than %d times", x->place->name,
                         REDIRECTS_MAX);
    free(x->url);
    x->url = next;
    next = NULL;
    return 1;
}

static bool is_redirect(const struct question *q, const struct hop *hop)
{
    return (hop->status == 301 || hop->status == 302 || hop->status == 303 || hop->status == 307 ||
            hop->status == 308) &&
           hop->location[0] && (streq(q->method, "GET") || streq(q->method, "HEAD"));
}

static bool is_passing(long status)
{
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
           status == 504;
}

/* What to do about an answer: 1: ask again; 2: the next hop; 0: it was given on. */
static int judge(struct exchange *x, const struct hop *hop, unsigned *redirects, struct error *err)
{
    int rc = 0;
    if (is_redirect(x->question, hop)) {
        rc = redirect(x, hop, redirects, err);
        return rc < 0 ? rc : 2;
    }
    if (hop->status == 401)
        rc = sign_in(x, hop, err);
    else if (is_passing(hop->status))
        rc = be_patient(x, retry_after(hop->retry_after, (int64_t)(clock_wall() / NSEC_PER_SEC)),
                        err);
    if (rc != 0)
        return rc;
    if (!x->headed)
        return say_head(x, hop);
    if (hop->status >= 200 && hop->status < 300)
        return 0;
    return error_set(err, -EIO, "%s answers %ld to the question for the rest", x->place->name,
                     hop->status);
}

static int attempts(struct exchange *x, struct error *err)
{
    int rc = 1;
    while (rc == 1) {
        unsigned redirects = 0;
        free(x->url);
        x->url = address_of(x->place, x->question->target);
        do {
            struct hop hop;
            rc = run_hop(x, &hop);
            rc = rc < 0 ? after_failure(x, &hop, rc, err) : judge(x, &hop, &redirects, err);
            hop_free(&hop);
        } while (rc == 2);
    }
    return rc;
}

/* Where an upload goes on is said by the registry, and is there. */
static int check_target(const struct exchange *x, struct error *err)
{
    const char *target = x->question->target;
    if (*target == '/')
        return 0;
    if (starts_with(target, "http:") && !x->place->insecure)
        return error_set(err, -EPROTO, "%s leads from https to http, where anybody can read it",
                         x->place->name);
    if (!hop_same_host(x->place->base, target))
        return error_set(err, -EPROTO, "%s leads an upload to another host: %.200s", x->place->name,
                         target);
    return 0;
}

int exchange_run(CURL *curl, struct settings *settings, int lane, const struct question *question)
{
    struct exchange x = {.curl = curl,
                         .settings = settings,
                         .place = &settings->places[question->place],
                         .question = question,
                         .lane = lane,
                         .ended = !question->body};
    struct error err = {0};
    if (check_target(&x, &err) < 0) {
        int drained = drain(&x);
        return drained < 0 ? drained : say_error(&x, &err);
    }
    x.token = tokens_known(settings, question->place, &question->scopes);
    x.use_basic = x.place->basic && x.place->user;
    int rc = attempts(&x, &err);
    int drained = rc == -EPIPE ? rc : drain(&x);
    if (rc == 0 && drained == 0)
        rc = wire_send(lane, WIRE_END, NULL, 0);
    else if (rc < 0 && drained == 0)
        rc = say_error(&x, &err);
    secret_forget(&x.token);
    free(x.url);
    return drained < 0 ? drained : rc;
}
