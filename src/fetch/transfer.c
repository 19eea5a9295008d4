/* SPDX-License-Identifier: Apache-2.0 */
/* Redirects are followed here, one by one, and not by libcurl: each is a new question of where it
 * may lead and of who gets the password. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "fetch/fetch.h"
#include "fetch/url.h"

#define HEADERS_MAX 200

struct transfer {
    const struct fetch_request *request;
    CURL *curl;
    char *url;           /* of this hop */
    char *host, *origin; /* "https://host:port" of the first hop, which gets the password */
    bool https;          /* there is no way back */
    struct fetch_hop hop;
    int to;
    bool too_large;
    int write_error;
    unsigned headers;
    char why[CURL_ERROR_SIZE];
    struct fetch_answer *out;
};

/* --- what libcurl calls --- */

static curl_socket_t open_socket(void *closure, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct transfer *t = closure;
    (void)purpose;
    if (!fetch_may_connect(&t->hop, &a->addr)) {
        t->hop.barred = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static size_t take_header(char *line, size_t one, size_t length, void *closure)
{
    static const char name[] = "etag:";
    struct transfer *t = closure;
    const char *end = line + length, *at = line + strlen(name);
    (void)one;
    if (++t->headers > HEADERS_MAX)
        return 0;
    if (length <= strlen(name) || strncasecmp(line, name, strlen(name)) != 0)
        return length;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' '))
        end--;
    size_t size = (size_t)(end - at);
    t->out->etag[0] = '\0';
    if (size >= sizeof t->out->etag)
        return length;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)at[i] < 0x20 || at[i] == 0x7f)
            return length;
    memcpy(t->out->etag, at, size);
    t->out->etag[size] = '\0';
    return length;
}

/* Only of the answer that is the file; what comes with a redirect is nobody's. */
static size_t take_bytes(char *bytes, size_t one, size_t length, void *closure)
{
    struct transfer *t = closure;
    long status = 0;
    (void)one;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    t->out->size += length;
    t->too_large = t->out->size > t->request->most;
    if (t->too_large)
        return 0;
    if (status != 200)
        return length;
    t->write_error = write_all(t->to, bytes, length);
    return t->write_error < 0 ? 0 : length;
}

/* --- one hop --- */

static int wrong(const struct transfer *t, int code, const char *why, struct error *err)
{
    autobuf url = {0}, said = {0};
    buf_printable(&url, t->url);
    buf_printable(&said, why);
    return error_set(err, code, "cannot fetch %.300s: %.400s", buf_text(&url), buf_text(&said));
}

/* Takes the address apart once more, as libcurl understands it: whatever was checked is what is
 * connected to. A user and a password in it are dropped: those of the request are not in it. */
static int look_at(struct transfer *t, struct error *err)
{
    CURLU *url = curl_url();
    uint64_t number;
    int rc = -EINVAL;
    if (curl_url_set(url, CURLUPART_URL, t->url, 0) == CURLUE_OK) {
        url_strip(url);
        autofree char *scheme = url_part(url, CURLUPART_SCHEME, 0);
        autofree char *port = url_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
        char *host = url_part(url, CURLUPART_HOST, 0), *bare = url_part(url, CURLUPART_URL, 0);
        free(t->host);
        t->host = host;
        if (bare) {
            free(t->url);
            t->url = bare;
        }
        bool https = scheme && strcmp(scheme, "https") == 0;
        if (host && bare && port && (https || (scheme && strcmp(scheme, "http") == 0)) &&
            parse_u64(port, UINT16_MAX, &number) == 0) {
            rc = t->https && !https ? -EPROTO : 0;
            t->https |= https;
            t->hop.port = (uint16_t)number;
        }
    }
    curl_url_cleanup(url);
    if (rc == -EPROTO)
        return wrong(t, rc, "a redirect leads from https to http, where anybody can change it",
                     err);
    if (rc < 0)
        return wrong(t, rc, "a redirect leads to something that is neither http nor https", err);
    size_t length = strlen(t->host);
    if (t->host[0] == '[' && length > 2) {
        memmove(t->host, t->host + 1, length - 2);
        t->host[length - 2] = '\0';
    } else if (length > 1 && t->host[length - 1] == '.') {
        t->host[length - 1] = '\0';
    }
    for (char *c = t->host; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c |= 0x20;
    return 0;
}

static void set_protocols(CURL *curl, bool https)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, https ? "https" : "http,https");
#else
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS,
                     https ? (long)CURLPROTO_HTTPS : (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static void set_limits(const struct transfer *t)
{
    const struct fetch_request *r = t->request;
    CURL *c = t->curl;
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)r->connect);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)r->stall);
    curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)r->most);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

/* Only one of the two: times are of whole seconds, and something may change twice in one. Not by
 * CURLOPT_TIMECONDITION, with which libcurl judges by itself. RFC 9110, 13.1. */
static char *condition(const struct fetch_request *r)
{
    char date[64];
    struct tm tm;
    time_t when = (time_t)r->modified;
    if (r->etag)
        return xasprintf("If-None-Match: %s", r->etag);
    if (r->modified < 0 || !gmtime_r(&when, &tm) ||
        strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm) == 0)
        return NULL;
    return xasprintf("If-Modified-Since: %s", date);
}

static struct curl_slist *set_question(struct transfer *t,
                                       const struct fetch_authorities *authorities)
{
    const struct fetch_request *r = t->request;
    CURL *c = t->curl;
    struct curl_slist *headers = NULL;
    autofree char *match = condition(r);
    autofree char *origin = xasprintf(
        "%s://%s:%u", starts_with(t->url, "https:") ? "https" : "http", t->host, t->hop.port);
    const char *proxy = fetch_proxy(starts_with(t->url, "https:"), t->host);
    if (!t->origin)
        t->origin = xstrdup(origin);
    curl_easy_reset(c);
    set_limits(t);
    set_protocols(c, t->https);
    curl_easy_setopt(c, CURLOPT_URL, t->url);
    curl_easy_setopt(c, CURLOPT_PROXY, proxy ? proxy : "");
    curl_easy_setopt(c, CURLOPT_NOPROXY, ""); /* it was looked at */
    curl_easy_setopt(c, CURLOPT_USERAGENT, "caisson");
    curl_easy_setopt(c, CURLOPT_FILETIME, 1L);
    curl_easy_setopt(c, CURLOPT_CAINFO, authorities->file);
    curl_easy_setopt(c, CURLOPT_CAPATH, authorities->directory);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->why);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, t);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    if (r->user && streq(origin, t->origin)) {
        curl_easy_setopt(c, CURLOPT_USERNAME, r->user);
        curl_easy_setopt(c, CURLOPT_PASSWORD, r->password ? r->password : "");
    }
    if (match)
        headers = curl_slist_append(headers, match);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    return headers;
}

/* What went wrong, in our words where we know better. */
static int explain(const struct transfer *t, CURLcode code, struct error *err)
{
    autofree char *text = NULL;
    if (t->too_large || code == CURLE_FILESIZE_EXCEEDED) {
        text = xasprintf("it is larger than %llu bytes", (unsigned long long)t->request->most);
        return wrong(t, -EFBIG, text, err);
    }
    if (t->write_error < 0)
        return wrong(t, t->write_error, error_describe(t->write_error), err);
    if (t->hop.barred) {
        text = xasprintf("%s leads to an address that is not on the list of destinations: add its "
                         "name, or its address if that is not a public one, with --egress",
                         t->host);
        return wrong(t, -EACCES, text, err);
    }
    if (code == CURLE_PARTIAL_FILE)
        return wrong(t, -EIO, "the connection ended before all of it was there: build again", err);
    if (code == CURLE_OPERATION_TIMEDOUT) {
        text = xasprintf("nothing came for %llu seconds, or no connection within %llu: build again",
                         (unsigned long long)t->request->stall,
                         (unsigned long long)t->request->connect);
        return wrong(t, -ETIMEDOUT, text, err);
    }
    return wrong(t, -EIO, t->why[0] ? t->why : curl_easy_strerror(code), err);
}

static int refused(const struct transfer *t, long status, struct error *err)
{
    autofree char *text =
        xasprintf("the server answers %ld%s", status,
                  status == 401 || status == 403   ? ": it wants a user and a password, or others"
                  : status == 404 || status == 410 ? ": there is no such file"
                  : status == 407                  ? ": the proxy wants a user and a password"
                  : status >= 500                  ? ": it has a fault; build again later"
                                                   : "");
    return wrong(t, status == 404 ? -ENOENT : -EIO, text, err);
}

/* 1: there is another hop. */
static int finish(struct transfer *t, struct error *err)
{
    long status = 0;
    char *next = NULL;
    curl_off_t time = -1;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->curl, CURLINFO_REDIRECT_URL, &next);
    curl_easy_getinfo(t->curl, CURLINFO_FILETIME_T, &time);
    if (status >= 300 && status < 400 && status != 304 && next) {
        free(t->url);
        t->url = xstrdup(next);
        return 1;
    }
    t->out->unchanged = status == 304 && (t->request->etag || t->request->modified >= 0);
    t->out->modified = time >= 0 ? (int64_t)time : -1;
    if (status != 200 && !t->out->unchanged)
        return refused(t, status, err);
    return 0;
}

static int hop(struct transfer *t, const struct fetch_authorities *authorities, struct error *err)
{
    int rc = look_at(t, err);
    if (rc < 0)
        return rc;
    t->hop = (struct fetch_hop){
        .egress = &t->request->egress,
        .host = t->host,
        .port = t->hop.port,
        .proxy = fetch_proxy(starts_with(t->url, "https:"), t->host) != NULL,
    };
    rc = fetch_may_ask(&t->hop, err);
    if (rc < 0)
        return rc;
    *t->out = (struct fetch_answer){.modified = -1};
    t->headers = 0;
    t->why[0] = '\0';
    struct curl_slist *headers = set_question(t, authorities);
    CURLcode code = curl_easy_perform(t->curl);
    rc = code == CURLE_OK ? finish(t, err) : explain(t, code, err);
    curl_slist_free_all(headers);
    return rc;
}

int fetch_prepare(struct error *err)
{
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    return code == CURLE_OK
               ? 0
               : error_set(err, -EIO, "libcurl does not start: %s", curl_easy_strerror(code));
}

int fetch_transfer(const struct fetch_request *request, const struct fetch_authorities *authorities,
                   int to, struct fetch_answer *out, struct error *err)
{
    struct transfer t = {.request = request,
                         .curl = curl_easy_init(),
                         .url = xstrdup(request->url),
                         .to = to,
                         .out = out};
    int rc = t.curl ? 1 : error_set(err, -ENOMEM, "libcurl does not start");
    for (unsigned hops = 0; rc == 1; hops++)
        rc = hops > FETCH_REDIRECTS_MAX ? wrong(&t, -ELOOP, "more than 10 redirects", err)
                                        : hop(&t, authorities, err);
    curl_easy_cleanup(t.curl);
    free(t.url);
    free(t.host);
    free(t.origin);
    return rc;
}
