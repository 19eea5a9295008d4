/* SPDX-License-Identifier: Apache-2.0 */
/* Token servers (distribution's docs/spec/auth/token.md and oauth.md). A token is good for the
 * scopes that it was asked for, until a little before it ends. */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include "transport/transport.h"

#define TOKEN_BODY_MAX (1u << 20)
#define TOKENS_MAX 256
#define LIFE 60        /* seconds, where nothing is said */
#define LIFE_MAX 86400 /* … and at most, whatever is said */
#define SPARE 5        /* before the end */

struct token {
    size_t place;
    char *scopes, *text;
    nanoseconds until; /* monotonic */
};

struct tokens {
    struct token items[TOKENS_MAX]; /* the oldest is replaced; guarded by settings->lock */
    size_t count, next;
};

struct tokens *tokens_new(void)
{
    return xcalloc(1, sizeof(struct tokens));
}

static void token_free(struct token *token)
{
    secret_forget(&token->text);
    free(token->scopes);
    *token = (struct token){0};
}

void tokens_free(struct tokens *tokens)
{
    for (size_t i = 0; tokens && i < tokens->count; i++)
        token_free(&tokens->items[i]);
    free(tokens);
}

static char *joined(const struct strv *scopes)
{
    autobuf text = {0};
    strv_join(scopes, " ", &text);
    return xstrdup(buf_text(&text));
}

char *tokens_known(const struct settings *settings, size_t place, const struct strv *scopes)
{
    struct settings *s = (struct settings *)settings;
    autofree char *wanted = joined(scopes);
    char *found = NULL;
    if (s->places[place].bearer)
        return xstrdup(s->places[place].bearer);
    pthread_mutex_lock(&s->lock);
    nanoseconds now = clock_monotonic();
    for (size_t i = 0; !found && i < s->tokens->count; i++) {
        const struct token *t = &s->tokens->items[i];
        if (t->text && t->place == place && t->until > now && streq(t->scopes, wanted))
            found = xstrdup(t->text);
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

void tokens_forget(struct settings *s, size_t place, const char *token)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->tokens->count; i++)
        if (s->tokens->items[i].place == place && streq(s->tokens->items[i].text, token))
            token_free(&s->tokens->items[i]);
    pthread_mutex_unlock(&s->lock);
}

static void remember(struct settings *s, size_t place, const struct strv *scopes, const char *text,
                     int64_t life)
{
    int64_t seconds = life <= 0 ? LIFE : life > LIFE_MAX ? LIFE_MAX : life;
    seconds = seconds > 2 * SPARE ? seconds - SPARE : seconds;
    pthread_mutex_lock(&s->lock);
    struct token *t = &s->tokens->items[s->tokens->next];
    s->tokens->next = (s->tokens->next + 1) % TOKENS_MAX;
    if (s->tokens->count < TOKENS_MAX)
        s->tokens->count++;
    token_free(t);
    *t = (struct token){.place = place,
                        .scopes = joined(scopes),
                        .text = xstrdup(text),
                        .until = clock_monotonic() + seconds * NSEC_PER_SEC};
    pthread_mutex_unlock(&s->lock);
}

/* --- asking --- */

static void add_parameter(CURL *curl, struct buf *out, const char *name, const char *value)
{
    char *escaped = curl_easy_escape(curl, value, (int)strlen(value));
    buf_fmt(out, "%s%s=%s", out->len && out->data[out->len - 1] != '?' ? "&" : "", name, escaped);
    curl_free(escaped);
}

static int take_body(void *closure, const struct hop *hop, const void *bytes, size_t length)
{
    struct buf *body = closure;
    (void)hop;
    if (body->len + length > TOKEN_BODY_MAX)
        return -EFBIG;
    buf_add(body, bytes, length);
    return 0;
}

/* What is sent with a POST. */
struct form {
    struct buf answer; /* first: it is what take_body() gets */
    struct buf text;
    size_t sent;
};

static ssize_t give_form(void *closure, void *bytes, size_t length)
{
    struct form *form = closure;
    size_t left = form->text.len - form->sent;
    if (length > left)
        length = left;
    memcpy(bytes, form->text.data + form->sent, length);
    form->sent += length;
    return (ssize_t)length;
}

/* A server that gives tokens for a password over http is one that anybody can be. */
static int check_realm(const struct place *place, const char *realm, struct error *err)
{
    autofree char *origin = hop_origin(realm);
    if (!origin)
        return error_set(err, -EPROTO, "%s names a token server that has no address: %.200s",
                         place->name, realm);
    if (starts_with(origin, "http:") && !(place->insecure && hop_same_host(place->base, realm)))
        return error_set(err, -EPROTO,
                         "%s sends to a token server without TLS (%.200s), where anybody could "
                         "read the password: no",
                         place->name, origin);
    return 0;
}

static bool token_like(const char *text)
{
    if (!text || !*text || strlen(text) > (64u << 10))
        return false;
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f)
            return false;
    return true;
}

static int read_answer(struct settings *s, size_t place, const struct strv *scopes,
                       const struct buf *body, char **out, struct error *err)
{
    const char *token = NULL, *access = NULL;
    int64_t life = 0;
    struct error why = {0};
    autojson json = json_parse(buf_text(body), body->len, "the token server's answer", &why);
    int rc = json ? json_get_string(json, "token", &token, &why) : -EPROTO;
    if (rc == 0)
        rc = json_get_string(json, "access_token", &access, &why);
    if (rc == 0)
        rc = json_get_i64(json, "expires_in", &life, &why);
    if (rc == 0 && !token_like(token))
        token = access;
    if (rc < 0 || !token_like(token))
        return error_set(err, -EPROTO, "the token server of %s gave no token",
                         s->places[place].name);
    remember(s, place, scopes, token, life);
    *out = xstrdup(token);
    return 0;
}

static void set_form(CURL *curl, const struct place *p, const struct challenge *c,
                     const struct strv *scopes, struct buf *text)
{
    autofree char *scope = joined(scopes);
    add_parameter(curl, text, "grant_type", "refresh_token");
    add_parameter(curl, text, "refresh_token", p->identity);
    add_parameter(curl, text, "service", c->service);
    add_parameter(curl, text, "client_id", "caisson");
    add_parameter(curl, text, "scope", scope);
}

static void set_query(CURL *curl, const struct place *p, const struct challenge *c,
                      const struct strv *scopes, struct buf *url)
{
    buf_str(url, c->realm);
    buf_char(url, strchr(c->realm, '?') ? '&' : '?');
    if (c->service[0])
        add_parameter(curl, url, "service", c->service);
    for (size_t i = 0; i < scopes->len; i++)
        add_parameter(curl, url, "scope", scopes->items[i]);
    if (p->user)
        add_parameter(curl, url, "account", p->user);
}

static int refused(const struct place *p, struct hop *hop, struct error *err)
{
    autobuf said = {0};
    error_words(buf_text(&hop->error_body), hop->error_body.len, &said);
    if (hop->status == 401 || hop->status == 403)
        return error_set(err, -EACCES, "%s: wrong user or password%s%.300s", p->name,
                         said.len ? ": " : "", buf_text(&said));
    return error_set(err, -EIO, "the token server of %s answers %ld%s%.300s", p->name, hop->status,
                     said.len ? ": " : "", buf_text(&said));
}

int tokens_ask(CURL *curl, struct settings *s, size_t place, const struct challenge *c,
               const struct strv *scopes, char **out, struct error *err)
{
    const struct place *p = &s->places[place];
    struct form form = {0};
    autobuf url = {0};
    autostrv headers = {0};
    struct hop hop = {.settings = s,
                      .place = p,
                      .method = "GET",
                      .user = p->user,
                      .password = p->password,
                      .headers = &headers,
                      .body = take_body,
                      .closure = &form};
    int rc = check_realm(p, c->realm, err);
    if (rc < 0)
        return rc;
    if (p->identity) {
        buf_str(&url, c->realm);
        set_form(curl, p, c, scopes, &form.text);
        strv_add(&headers, "Content-Type: application/x-www-form-urlencoded");
        hop.method = "POST";
        hop.user = NULL;
        hop.uploads = true;
        hop.upload = give_form;
        hop.upload_length = (int64_t)form.text.len;
    } else {
        set_query(curl, p, c, scopes, &url);
    }
    hop.url = buf_text(&url);
    rc = hop_run(curl, &hop);
    if (rc < 0)
        rc = error_set(err, rc, "the token server of %s: %.300s", p->name,
                       rc == -EFBIG ? "its answer is larger than 1 MiB" : hop.why);
    else if (hop.status != 200)
        rc = refused(p, &hop, err);
    else
        rc = read_answer(s, place, scopes, &form.answer, out, err);
    hop_free(&hop);
    secret_free(&form.text);
    secret_free(&form.answer);
    return rc;
}
