/* SPDX-License-Identifier: Apache-2.0 */
#include "network/egress.h"

#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/strv.h"
#include "base/text.h"

#define NAME_MAX_LENGTH 253 /* RFC 1035, 2.3.4, as text */
#define LABEL_MAX 63

/* Where no name may lead: RFC 6890 and its registries, and what carries such an address inside. */
static const char *const inside[] = {
    "0.0.0.0/8",      "10.0.0.0/8",    "100.64.0.0/10", "127.0.0.0/8",
    "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",  "192.168.0.0/16",
    "198.18.0.0/15",  "224.0.0.0/3",   "::/96",         "::ffff:0:0/96",
    "64:ff9b:1::/48", "fc00::/7",      "fe80::/9",      "ff00::/8"};

/* IPv4 inside of IPv6: RFC 6052, RFC 3056. */
static const struct {
    const char *prefix;
    size_t at;
} carriers[] = {{"64:ff9b::/96", 12}, {"2002::/16", 2}};

bool egress_public(const struct ip_address *a)
{
    struct ip_prefix p;
    for (size_t i = 0; i < sizeof carriers / sizeof *carriers; i++) {
        struct ip_address inner = {.family = AF_INET};
        if (ip_prefix_parse(carriers[i].prefix, false, &p) == 0 && ip_within(&p, a)) {
            memcpy(inner.bytes, a->bytes + carriers[i].at, 4);
            return egress_public(&inner);
        }
    }
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
        if (ip_prefix_parse(inside[i], false, &p) == 0 && ip_within(&p, a))
            return false;
    return a->family != 0;
}

/* --- reading --- */

static int refuse(const char *rule, const char *why, struct error *err)
{
    return error_set(err, -EINVAL, "--egress %.300s: %s", rule, why);
}

static bool is_label(const char *text, size_t length)
{
    if (length == 0 || length > LABEL_MAX || text[0] == '-' || text[length - 1] == '-')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", text[i]))
            return false;
    return true;
}

/* Lower case already. The last label of a name is no number: it would be an address (RFC 3696, 2).
 */
static bool is_name(const char *text)
{
    if (strlen(text) > NAME_MAX_LENGTH)
        return false;
    const char *last = text;
    for (;;) {
        size_t length = strcspn(text, ".");
        if (!is_label(text, length))
            return false;
        last = text;
        if (!text[length])
            break;
        text += length + 1;
    }
    return last[strspn(last, "0123456789")] != '\0';
}

/* Takes "/tcp" or "/udp" off the end. */
static void read_protocol(char *text, struct egress_rule *r)
{
    size_t length = strlen(text);
    r->tcp = ends_with(text, "/tcp");
    r->udp = ends_with(text, "/udp");
    if (r->tcp || r->udp)
        text[length - 4] = '\0';
}

/* Takes ":PORT" off the end, and the brackets. */
static int read_port(char **text, struct egress_rule *r)
{
    uint64_t port;
    char *colon = strrchr(*text, ':'), *bracket = strrchr(*text, ']');
    if (**text == '[') {
        if (!bracket || (bracket[1] && bracket[1] != ':'))
            return -EINVAL;
        colon = bracket[1] ? bracket + 1 : NULL;
        *bracket = '\0';
        ++*text;
        if (!strchr(*text, ':'))
            return -EINVAL;
    } else if (colon && strchr(*text, ':') != colon) {
        colon = NULL; /* IPv6 */
    }
    if (!colon)
        return 0;
    *colon = '\0';
    if (parse_u64(colon + 1, UINT16_MAX, &port) < 0 || port == 0)
        return -ERANGE;
    r->port = (uint16_t)port;
    return 0;
}

/* The two words that are whole lists, as they are written and in any letters. */
static bool is_word(const char *text)
{
    return strcasecmp(text, "any") == 0 || strcasecmp(text, "none") == 0;
}

static int read_destination(const char *text, const char *rule, struct egress_rule *r,
                            struct error *err)
{
    if (ip_prefix_parse(text, true, &r->prefix) == 0) {
        r->kind = EGRESS_PREFIX;
        r->prefix.address = ip_first(&r->prefix);
        return 0;
    }
    if (strchr(text, '/') || strchr(text, ':'))
        return refuse(rule, "not an address or a prefix such as 203.0.113.0/24", err);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c >= 0x80)
            return refuse(rule, "write the name as the DNS has it, in ASCII (xn--…)", err);
    r->kind = starts_with(text, "*.") ? EGRESS_BELOW : EGRESS_NAME;
    const char *name = r->kind == EGRESS_BELOW ? text + 2 : text;
    if (strchr(name, '*'))
        return refuse(rule, "\"*.\" goes at the beginning of a name, once; --egress any is no list",
                      err);
    if (is_word(text))
        return refuse(rule, "any and none are words for whole lists, and go alone", err);
    if (!is_name(name))
        return refuse(rule, "not a name, an address or a prefix", err);
    r->name = xstrdup(name);
    return 0;
}

static void make_lower(char *text)
{
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text |= 0x20;
}

static int read_rule(const char *rule, struct egress_rule *out, struct error *err)
{
    autofree char *copy = xstrdup(rule);
    struct egress_rule r = {0};
    char *text = copy;
    make_lower(text);
    read_protocol(text, &r);
    int rc = read_port(&text, &r);
    if (rc == -ERANGE)
        return refuse(rule, "a port is a number from 1 to 65535", err);
    if (rc < 0)
        return refuse(rule, "brackets are for IPv6 with a port, as in [2001:db8::1]:443", err);
    size_t length = strlen(text);
    if (length > 1 && text[length - 1] == '.')
        text[length - 1] = '\0';
    rc = read_destination(text, rule, &r, err);
    if (rc < 0)
        return rc;
    if (!r.tcp && !r.udp) {
        r.tcp = true;
        r.udp = r.ping = r.port == 0;
    }
    *out = r;
    return 0;
}

static bool same_rule(const struct egress_rule *a, const struct egress_rule *b)
{
    return a->kind == b->kind && streq(a->name, b->name) &&
           ip_equal(&a->prefix.address, &b->prefix.address) &&
           a->prefix.length == b->prefix.length && a->port == b->port && a->tcp == b->tcp &&
           a->udp == b->udp;
}

static int add_rule(const char *text, struct egress_list *list, struct error *err)
{
    struct egress_rule rule;
    if (list->count == EGRESS_RULES_MAX)
        return error_set(err, -E2BIG,
                         "--egress takes at most %d rules; prefixes and wildcards "
                         "say more with fewer",
                         EGRESS_RULES_MAX);
    int rc = read_rule(text, &rule, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < list->count; i++)
        if (same_rule(&list->rules[i], &rule)) {
            free(rule.name);
            return 0;
        }
    list->rules = xrealloc(list->rules, list->count + 1, sizeof *list->rules);
    list->rules[list->count++] = rule;
    return 0;
}

static int read_word(const char *text, struct egress_list *out, struct error *err)
{
    bool none = strcasecmp(text, "none") == 0;
    if (none ? out->limited && out->count > 0 : out->limited)
        return refuse(text, "there are other rules, with which it does not go", err);
    if (none && out->any)
        return refuse(text, "does not go with --egress any", err);
    out->limited = none;
    out->any = !none;
    return 0;
}

int egress_parse(const char *text, struct egress_list *out, struct error *err)
{
    autostrv words = {0};
    if (is_word(text))
        return read_word(text, out, err);
    if (out->any || (out->limited && out->count == 0))
        return refuse(text,
                      out->any ? "does not go with --egress any" : "does not go with --egress none",
                      err);
    strv_split(&words, text, ',');
    for (size_t i = 0; i < words.len; i++) {
        if (is_word(words.items[i]))
            return refuse(words.items[i], "there are other rules, with which it does not go", err);
        if (strstr(words.items[i], "://"))
            return refuse(words.items[i],
                          "no addresses of pages; give a name and a port, such as "
                          "api.example.com:443",
                          err);
        int rc = add_rule(words.items[i], out, err);
        if (rc < 0)
            return rc;
    }
    out->limited = true;
    return 0;
}

void egress_copy(const struct egress_list *from, struct egress_list *to)
{
    *to = *from;
    to->rules = from->count > 0 ? xcalloc(from->count, sizeof *to->rules) : NULL;
    for (size_t i = 0; i < from->count; i++) {
        to->rules[i] = from->rules[i];
        to->rules[i].name = from->rules[i].name ? xstrdup(from->rules[i].name) : NULL;
    }
}

void egress_free(struct egress_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->rules[i].name);
    free(list->rules);
    *list = (struct egress_list){0};
}

/* --- writing --- */

static void format_rule(const struct egress_rule *r, struct buf *out)
{
    char text[IP_TEXT_MAX];
    if (r->kind == EGRESS_PREFIX) {
        bool brackets = r->prefix.address.family == AF_INET6 && r->port > 0;
        if (r->prefix.length == ip_size(&r->prefix.address) * 8)
            ip_format(&r->prefix.address, text);
        else
            ip_prefix_format(&r->prefix, text);
        buf_fmt(out, brackets ? "[%s]" : "%s", text);
    } else {
        buf_fmt(out, "%s%s", r->kind == EGRESS_BELOW ? "*." : "", r->name);
    }
    if (r->port > 0)
        buf_fmt(out, ":%u", r->port);
    if (r->udp && !r->tcp)
        buf_str(out, "/udp");
    if (r->tcp && !r->udp && r->port == 0)
        buf_str(out, "/tcp");
}

void egress_format(const struct egress_list *list, struct buf *out)
{
    if (!list->limited || list->count == 0)
        buf_str(out, list->limited ? "none" : "any");
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            buf_char(out, ',');
        format_rule(&list->rules[i], out);
    }
}

/* --- asking --- */

bool egress_rule_names(const struct egress_rule *rule, const char *name)
{
    if (rule->kind == EGRESS_NAME)
        return streq(rule->name, name);
    if (rule->kind != EGRESS_BELOW)
        return false;
    size_t length = strlen(name), above = strlen(rule->name);
    return length > above + 1 && name[length - above - 1] == '.' &&
           streq(name + length - above, rule->name);
}

bool egress_names(const struct egress_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (egress_rule_names(&list->rules[i], name))
            return true;
    return !list->limited;
}

bool egress_lists_address(const struct egress_list *list, const struct ip_address *a)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->rules[i].kind == EGRESS_PREFIX && ip_within(&list->rules[i].prefix, a))
            return true;
    return !list->limited;
}
