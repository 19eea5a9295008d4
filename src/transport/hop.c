/* SPDX-License-Identifier: Apache-2.0 */
/* One request over one connection. Redirects are somebody else's (exchange.c): each is a new
 * question of where it may lead and of who gets the password. */
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "fetch/fetch.h"
#include "fetch/url.h"
#include "transport/transport.h"

#define HEADERS_MAX 200
#define CONNECT 15 /* seconds */
#define BUFFER (512L << 10)
#define SPEED_LEAST 512L /* bytes a second, for as long as a stall may last */

/* --- addresses --- */

char *hop_origin(const char *text)
{
    char *origin = NULL;
    CURLU *url = curl_url();
    if (curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK) {
        autofree char *scheme = url_part(url, CURLUPART_SCHEME, 0);
        autofree char *host = url_part(url, CURLUPART_HOST, 0);
        autofree char *port = url_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
        if (host && port && (streq(scheme, "https") || streq(scheme, "http")))
            origin = xasprintf("%s://%s:%s", scheme, host, port);
    }
    curl_url_cleanup(url);
    for (char *c = origin; c && *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c |= 0x20;
    return origin;
}

static char *host_of(const char *text)
{
    char *host = NULL;
    CURLU *url = curl_url();
    if (curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK)
        host = url_part(url, CURLUPART_HOST, 0);
    curl_url_cleanup(url);
    return host;
}

bool hop_same_host(const char *a, const char *b)
{
    autofree char *one = host_of(a), *other = host_of(b);
    return one && other && strcasecmp(one, other) == 0;
}

char *hop_follow(const char *base, const char *location)
{
    char *bare = NULL;
    CURLU *url = curl_url();
    if (curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK &&
        curl_url_set(url, CURLUPART_URL, location, 0) == CURLUE_OK) {
        url_strip(url);
        autofree char *scheme = url_part(url, CURLUPART_SCHEME, 0);
        if (streq(scheme, "https") || streq(scheme, "http"))
            bare = url_part(url, CURLUPART_URL, 0);
    }
    curl_url_cleanup(url);
    return bare;
}

/* --- what libcurl calls --- */

struct call {
    CURL *curl;
    struct hop *hop;
};

static void keep(const char *at, size_t length, char *out, size_t size)
{
    out[0] = '\0';
    if (length >= size)
        return;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)at[i] < 0x20 || at[i] == 0x7f)
            return;
    memcpy(out, at, length);
    out[length] = '\0';
}

static void take_challenge(struct hop *hop, const char *at, size_t length)
{
    autofree char *text = xstrndup(at, length);
    challenge_read(text, &hop->challenge);
}

static void take_named(struct hop *hop, const char *name, size_t name_length, const char *at,
                       size_t length)
{
    const struct {
        const char *name;
        char *text;
        size_t size;
    } known[] = {
        {"content-type", hop->type, sizeof hop->type},
        {"docker-content-digest", hop->digest, sizeof hop->digest},
        {"location", hop->location, sizeof hop->location},
        {"range", hop->range, sizeof hop->range},
        {"content-range", hop->content_range, sizeof hop->content_range},
        {"retry-after", hop->retry_after, sizeof hop->retry_after},
        {"oci-subject", hop->subject, sizeof hop->subject},
        {"link", hop->link, sizeof hop->link},
        {"oci-chunk-min-length", hop->minimum, sizeof hop->minimum},
    };
    if (name_length == strlen("www-authenticate") &&
        strncasecmp(name, "www-authenticate", name_length) == 0)
        take_challenge(hop, at, length);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].name) == name_length &&
            strncasecmp(name, known[i].name, name_length) == 0)
            keep(at, length, known[i].text, known[i].size);
}

static size_t take_header(char *line, size_t one, size_t length, void *closure)
{
    struct call *call = closure;
    const char *colon = memchr(line, ':', length), *end = line + length;
    (void)one;
    if (++call->hop->header_count > HEADERS_MAX)
        return 0;
    if (!colon)
        return length;
    const char *at = colon + 1;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' '))
        end--;
    take_named(call->hop, line, (size_t)(colon - line), at, (size_t)(end - at));
    return length;
}

static size_t take_bytes(char *bytes, size_t one, size_t length, void *closure)
{
    struct call *call = closure;
    struct hop *hop = call->hop;
    (void)one;
    if (hop->status == 0) {
        curl_off_t said = -1;
        curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &hop->status);
        curl_easy_getinfo(call->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &said);
        hop->length = said >= 0 ? (int64_t)said : -1;
    }
    if (hop->body && (hop->any_status || (hop->status >= 200 && hop->status < 300))) {
        hop->body_error = hop->body(hop->closure, hop, bytes, length);
        return hop->body_error < 0 ? 0 : length;
    }
    size_t room = HOP_ERROR_BODY_MAX - hop->error_body.len;
    buf_add(&hop->error_body, bytes, length < room ? length : room);
    /* Who sends more than that in an error, or with a redirect, has nothing to say. */
    return length <= room ? length : 0;
}

static size_t give_bytes(char *bytes, size_t one, size_t length, void *closure)
{
    struct call *call = closure;
    ssize_t n = call->hop->upload(call->hop->closure, bytes, one * length);
    if (n >= 0)
        return (size_t)n;
    call->hop->body_error = (int)n;
    return CURL_READFUNC_ABORT;
}

/* --- the question --- */

static void set_blob(CURL *c, CURLoption option, const struct buf *pem)
{
    struct curl_blob blob = {.data = pem->data, .len = pem->len, .flags = CURL_BLOB_NOCOPY};
    if (pem->len > 0)
        curl_easy_setopt(c, option, &blob);
}

static void set_trust(CURL *c, const struct hop *hop)
{
    const struct place *p = hop->place;
    long check = p->insecure && hop->same_host ? 0 : 1;
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, check);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, check * 2);
    if (p->authorities.len > 0 && hop->same_host) {
        set_blob(c, CURLOPT_CAINFO_BLOB, &p->authorities);
    } else {
        curl_easy_setopt(c, CURLOPT_CAINFO, hop->settings->authority_file);
        curl_easy_setopt(c, CURLOPT_CAPATH, hop->settings->authority_directory);
    }
    /* Who we are is shown to the registry itself, not to whoever it leads to. */
    autofree char *home = hop_origin(p->base), *here = hop_origin(hop->url);
    if (!home || !streq(home, here))
        return;
    set_blob(c, CURLOPT_SSLCERT_BLOB, &p->certificate);
    set_blob(c, CURLOPT_SSLKEY_BLOB, &p->key);
}

static void set_protocols(CURL *c)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static void set_limits(CURL *c, const struct settings *settings)
{
    long connect = settings->stall < CONNECT ? (long)settings->stall : CONNECT;
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, connect);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, SPEED_LEAST);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)settings->stall);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, BUFFER);
    curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "caisson");
    curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
}

static void set_method(CURL *c, struct call *call)
{
    const struct hop *hop = call->hop;
    if (streq(hop->method, "HEAD")) {
        curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    } else if (hop->uploads) {
        curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, hop->method);
        curl_easy_setopt(c, CURLOPT_READFUNCTION, give_bytes);
        curl_easy_setopt(c, CURLOPT_READDATA, call);
        if (hop->upload_length >= 0)
            curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)hop->upload_length);
    } else if (!streq(hop->method, "GET")) {
        curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, hop->method);
        if (!streq(hop->method, "DELETE")) {
            curl_easy_setopt(c, CURLOPT_POST, 1L);
            curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
            curl_easy_setopt(c, CURLOPT_POSTFIELDS, "");
        }
    }
}

static struct curl_slist *set_headers(CURL *c, const struct hop *hop)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    bool typed = false;
    for (size_t i = 0; hop->headers && i < hop->headers->len; i++) {
        list = curl_slist_append(list, hop->headers->items[i]);
        typed |= starts_with(hop->headers->items[i], "Content-Type:");
    }
    if (!typed) /* a POST of nothing has no form in it */
        list = curl_slist_append(list, "Content-Type:");
    if (hop->from > 0) {
        autofree char *range = xasprintf("Range: bytes=%llu-", (unsigned long long)hop->from);
        list = curl_slist_append(list, range);
    }
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
    if (hop->user) {
        curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(c, CURLOPT_USERNAME, hop->user);
        curl_easy_setopt(c, CURLOPT_PASSWORD, hop->password ? hop->password : "");
    }
    return list;
}

static const char *proxy_for(const char *url)
{
    const char *proxy = NULL;
    CURLU *parsed = curl_url();
    if (curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK) {
        autofree char *host = url_part(parsed, CURLUPART_HOST, 0);
        size_t length = host ? strlen(host) : 0;
        if (length > 2 && host[0] == '[') {
            memmove(host, host + 1, length - 2);
            host[length - 2] = '\0';
        }
        proxy = host ? fetch_proxy(starts_with(url, "https:"), host) : NULL;
    }
    curl_url_cleanup(parsed);
    return proxy;
}

int hop_run(CURL *curl, struct hop *hop)
{
    struct call call = {.curl = curl, .hop = hop};
    const char *proxy = proxy_for(hop->url);
    hop->length = -1;
    hop->same_host = hop_same_host(hop->place->base, hop->url);
    curl_easy_reset(curl);
    set_limits(curl, hop->settings);
    set_protocols(curl);
    set_trust(curl, hop);
    set_method(curl, &call);
    struct curl_slist *headers = set_headers(curl, hop);
    curl_easy_setopt(curl, CURLOPT_URL, hop->url);
    curl_easy_setopt(curl, CURLOPT_PROXY, proxy ? proxy : "");
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "");
    curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, hop->why);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &call);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &call);
    hop->code = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    curl_off_t ready = 0;
    curl_easy_getinfo(curl, CURLINFO_PRETRANSFER_TIME_T, &ready);
    hop->connected = ready > 0;
    if (hop->status == 0) {
        curl_off_t said = -1;
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &hop->status);
        curl_easy_getinfo(curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &said);
        hop->length = said >= 0 ? (int64_t)said : -1;
    }
    /* An answer that is no good counts even where its body was cut. */
    bool answered =
        hop->code == CURLE_OK || (hop->status >= 300 && hop->body_error == 0 && !hop->any_status);
    if (!answered && !hop->why[0])
        snprintf(hop->why, sizeof hop->why, "%s", curl_easy_strerror(hop->code));
    return answered ? 0 : hop->body_error < 0 ? hop->body_error : -EIO;
}

void hop_free(struct hop *hop)
{
    buf_free(&hop->error_body);
}
