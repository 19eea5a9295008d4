/* SPDX-License-Identifier: Apache-2.0 */
#include "network/ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"

#define SEPARATOR ';'

void port_bindings_free(struct port_bindings *bindings)
{
    free(bindings->items);
    *bindings = (struct port_bindings){0};
}

int port_bindings_add(struct port_bindings *bindings, const struct port_binding *binding,
                      struct error *err)
{
    if (bindings->count == PORTS_MAX)
        return error_set(err, -E2BIG, "a container can publish %d ports", PORTS_MAX);
    bindings->items = xrealloc(bindings->items, bindings->count + 1, sizeof *bindings->items);
    bindings->items[bindings->count++] = *binding;
    return 0;
}

const char *port_protocol_name(int protocol)
{
    return protocol == IPPROTO_UDP ? "udp" : "tcp";
}

/* --- reading --- */

static int parse_number(const char *text, uint16_t least, uint16_t *out)
{
    uint64_t number;
    if (parse_u64(text, UINT16_MAX, &number) < 0 || number < least)
        return -EINVAL;
    *out = (uint16_t)number;
    return 0;
}

/* "80" or "80-90"; `text` is taken apart. */
static int parse_span(char *text, uint16_t least, uint16_t *first, uint16_t *last)
{
    char *dash = strchr(text, '-');
    if (dash)
        *dash = '\0';
    if (parse_number(text, dash ? 1 : least, first) < 0 ||
        parse_number(dash ? dash + 1 : text, least, last) < 0)
        return -EINVAL;
    return *first <= *last ? 0 : -EINVAL;
}

/* Takes "/tcp" or "/udp" off the end. */
static int take_protocol(char *text, int *protocol)
{
    char *slash = strrchr(text, '/');
    *protocol = IPPROTO_TCP;
    if (!slash)
        return 0;
    *slash = '\0';
    if (streq(slash + 1, "udp"))
        *protocol = IPPROTO_UDP;
    else if (!streq(slash + 1, "tcp"))
        return -EPROTONOSUPPORT;
    return 0;
}

/* Takes the address off the beginning of "IP:HOST:PORT": what is left is "HOST:PORT" or "PORT". */
static int take_address(char **text, struct ip_address *out)
{
    char *at = *text, *end;
    if (*at == '[') {
        end = strchr(at, ']');
        if (!end || end[1] != ':')
            return -EINVAL;
        *end = '\0';
        *text = end + 2;
        return ip_parse(at + 1, out) == 0 && out->family == AF_INET6 ? 0 : -EADDRNOTAVAIL;
    }
    end = strchr(at, ':');
    if (!end || !strchr(end + 1, ':'))
        return 0;
    *end = '\0';
    *text = end + 1;
    return ip_parse(at, out) == 0 && out->family == AF_INET ? 0 : -EADDRNOTAVAIL;
}

/* The whole word, still as spans: host_first 0 with any host port. */
struct spans {
    struct port_binding binding;
    uint16_t last;      /* the container's */
    uint16_t host_last; /* 0 with any */
};

static int parse_spans(char *text, struct spans *out)
{
    struct spans s = {0};
    int rc = take_protocol(text, &s.binding.inner.protocol);
    if (rc == 0)
        rc = take_address(&text, &s.binding.host);
    if (rc < 0)
        return rc;
    char *colon = strchr(text, ':');
    char *inner = colon ? colon + 1 : text;
    if (colon)
        *colon = '\0';
    else if (s.binding.host.family != 0)
        return -EINVAL;
    if (parse_span(inner, 1, &s.binding.inner.number, &s.last) < 0)
        return -EINVAL;
    if (colon && *text && parse_span(text, 0, &s.binding.first, &s.host_last) < 0)
        return -EINVAL;
    *out = s;
    return 0;
}

static int refuse(const char *word, int code, struct error *err)
{
    autobuf shown = {0};
    buf_printable(&shown, word);
    if (code == -EPROTONOSUPPORT)
        return error_set(err, code, "-p %.80s: the protocols are tcp and udp", buf_text(&shown));
    if (code == -EADDRNOTAVAIL)
        return error_set(err, -EINVAL,
                         "-p %.80s: give an address of this host as a number, IPv6 in brackets: "
                         "127.0.0.1:8080:80, [::1]:8080:80",
                         buf_text(&shown));
    return error_set(err, code,
                     "-p %.80s: give [[IP:]HOSTPORT:]PORT[/tcp|/udp], such as 8080:80, with ports "
                     "from 1 to 65535",
                     buf_text(&shown));
}

int port_parse_publish(const char *word, struct port_bindings *out, struct error *err)
{
    struct spans s = {0};
    autofree char *text = xstrdup(word);
    int rc = parse_spans(text, &s);
    if (rc < 0)
        return refuse(word, rc, err);
    size_t inner = s.last - s.binding.inner.number + 1U;
    size_t host = s.host_last ? s.host_last - s.binding.first + 1U : 0;
    if (inner > 1 && host > 0 && host != inner)
        return error_set(err, -EINVAL, "-p %.80s: %zu ports of the host for %zu of the container",
                         word, host, inner);
    bool one_of_many = inner == 1 && host > 1;
    for (size_t i = 0; rc == 0 && i < inner; i++) {
        struct port_binding binding = s.binding;
        binding.inner.number = (uint16_t)(binding.inner.number + i);
        if (host > 0)
            binding.first = (uint16_t)(binding.first + i);
        binding.last = one_of_many ? s.host_last : binding.first;
        rc = port_bindings_add(out, &binding, err);
    }
    return rc;
}

int port_parse_range(const char *word, struct port_range *out, struct error *err)
{
    struct port_range range = {0};
    autofree char *text = xstrdup(word);
    int rc = take_protocol(text, &range.first.protocol);
    if (rc == 0)
        rc = parse_span(text, 1, &range.first.number, &range.last);
    if (rc < 0) {
        autobuf shown = {0};
        buf_printable(&shown, word);
        return error_set(err, -EINVAL, "\"%.60s\" is no port: give PORT[-PORT][/tcp|/udp]",
                         buf_text(&shown));
    }
    *out = range;
    return 0;
}

bool port_within(const struct port_range *range, const struct port *port)
{
    return range->first.protocol == port->protocol && range->first.number <= port->number &&
           port->number <= range->last;
}

/* --- writing --- */

void port_place_format(const struct ip_address *address, uint16_t port, char out[PORT_TEXT_MAX])
{
    char text[IP_TEXT_MAX];
    bool six = address->family == AF_INET6;
    ip_format(address, text);
    snprintf(out, PORT_TEXT_MAX, "%s%s%s:%u", six ? "[" : "", text, six ? "]" : "", port);
}

void port_binding_format(const struct port_binding *b, char out[PORT_TEXT_MAX])
{
    char address[IP_TEXT_MAX] = "", host[16] = "";
    bool six = b->host.family == AF_INET6, some = b->host.family != 0;
    if (some)
        ip_format(&b->host, address);
    if (b->last > b->first)
        snprintf(host, sizeof host, "%u-%u", b->first, b->last);
    else if (b->first > 0)
        snprintf(host, sizeof host, "%u", b->first);
    snprintf(out, PORT_TEXT_MAX, "%s%s%s%s%s%s%u/%s", six ? "[" : "", address, six ? "]" : "",
             some ? ":" : "", host, some || *host ? ":" : "", b->inner.number,
             port_protocol_name(b->inner.protocol));
}

void port_range_format(const struct port_range *range, char out[PORT_TEXT_MAX])
{
    char last[16] = "";
    if (range->last > range->first.number)
        snprintf(last, sizeof last, "-%u", range->last);
    snprintf(out, PORT_TEXT_MAX, "%u%s/%s", range->first.number, last,
             port_protocol_name(range->first.protocol));
}

/* --- published --- */

void published_format(const struct published *p, struct buf *out)
{
    char address[IP_TEXT_MAX];
    ip_format(&p->address, address);
    if (out->len > 0)
        buf_char(out, SEPARATOR);
    buf_fmt(out, "%s %s %u %u", port_protocol_name(p->inner.protocol), address, p->host,
            p->inner.number);
}

bool published_next(const char **text, struct published *out)
{
    char protocol[4], address[IP_TEXT_MAX];
    struct published p = {0};
    const char *at = *text;
    if (!at || !*at ||
        sscanf(at, "%3s %63s %5hu %5hu", protocol, address, &p.host, &p.inner.number) != 4 ||
        ip_parse(address, &p.address) < 0)
        return false;
    p.inner.protocol = streq(protocol, "udp") ? IPPROTO_UDP : IPPROTO_TCP;
    at = strchr(at, SEPARATOR);
    *text = at ? at + 1 : NULL;
    *out = p;
    return true;
}

static bool is_any(const struct ip_address *a)
{
    static const struct ip_address none;
    return memcmp(a->bytes, none.bytes, ip_size(a)) == 0;
}

bool published_collide(const struct published *a, const struct published *b)
{
    return a->inner.protocol == b->inner.protocol && a->host == b->host &&
           a->address.family == b->address.family &&
           (ip_equal(&a->address, &b->address) || is_any(&a->address) || is_any(&b->address));
}
