/* SPDX-License-Identifier: Apache-2.0 */
/* challenge = scheme [ 1*SP ( token68 / auth-param *( "," auth-param ) ) ], several of them after
 * commas. What follows a comma is a parameter when "=" comes after its token, else a scheme. */
#include <string.h>

#include "base/text.h"
#include "transport/transport.h"

static bool is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *skip(const char *at, const char *these)
{
    return at + strspn(at, these);
}

/* The value after "=": a token, or a string in quotes. Too long a one becomes "". */
static const char *read_value(const char *at, char out[CHALLENGE_TEXT_MAX])
{
    size_t length = 0;
    bool quoted = *at == '"';
    at += quoted;
    while (*at && (quoted ? *at != '"' : is_token(*at) || *at == '/' || *at == ':' || *at == '=')) {
        at += quoted && *at == '\\' && at[1];
        if (length < CHALLENGE_TEXT_MAX)
            out[length++] = *at;
        at++;
    }
    out[length < CHALLENGE_TEXT_MAX ? length : 0] = '\0';
    return at + (quoted && *at == '"');
}

static void keep(struct challenge *c, const char *name, size_t length, const char *value)
{
    const struct {
        const char *name;
        char *text;
        size_t size;
    } known[] = {{"realm", c->realm, sizeof c->realm},
                 {"service", c->service, sizeof c->service},
                 {"scope", c->scope, sizeof c->scope},
                 {"error", c->error, sizeof c->error}};
    for (const char *v = value; *v; v++)
        if ((unsigned char)*v < ' ' || *v == 0x7f)
            return;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].name) == length && strncasecmp(name, known[i].name, length) == 0 &&
            strlen(value) < known[i].size)
            memcpy(known[i].text, value, strlen(value) + 1);
}

void challenge_read(const char *value, struct challenge *out)
{
    const char *at = value;
    bool of_bearer = false;
    while (*(at = skip(at, " \t,"))) {
        const char *name = at;
        char text[CHALLENGE_TEXT_MAX];
        while (is_token(*at))
            at++;
        size_t length = (size_t)(at - name);
        if (length == 0) {
            at++; /* what is this? */
            continue;
        }
        const char *after = skip(at, " \t");
        if (*after == '=') {
            at = read_value(skip(after + 1, " \t"), text);
            if (of_bearer)
                keep(out, name, length, text);
            continue;
        }
        of_bearer = length == 6 && strncasecmp(name, "Bearer", 6) == 0;
        out->bearer |= of_bearer;
        out->basic |= length == 5 && strncasecmp(name, "Basic", 5) == 0;
    }
}
