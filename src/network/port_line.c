/* SPDX-License-Identifier: Apache-2.0 */
#include "network/port_line.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"

static void replace(char *text, char from, char to)
{
    for (; *text; text++)
        if (*text == from)
            *text = to;
}

void port_line_write(const struct port_line *line, struct strv *words)
{
    const struct {
        const char *name;
        int fd;
    } fds[] = {{"--pid", line->pid}, {"--network", line->network}, {"--said", line->said}};
    strv_add(words, "caisson-port");
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        strv_add(words, fds[i].name);
        strv_fmt(words, "%d", fds[i].fd);
    }
    if (line->apart) {
        strv_add(words, "--apart");
        strv_add(words, "yes");
    }
    for (size_t i = 0; i < 2; i++) {
        char own[IP_TEXT_MAX], gateway[IP_TEXT_MAX];
        if (line->own[i].family == 0)
            continue;
        ip_format(&line->own[i], own);
        ip_format(&line->gateway[i], gateway);
        strv_add(words, "--at");
        strv_fmt(words, "%s,%s", own, gateway);
    }
    for (size_t i = 0; i < line->listeners.count; i++) {
        autobuf text = {0};
        published_format(&line->listeners.items[i].at, &text);
        replace(text.data, ' ', ',');
        strv_fmt(words, "%d=%s", line->listeners.items[i].fd, buf_text(&text));
    }
}

static int read_fd_word(const char *text, int *out)
{
    uint64_t number;
    if (parse_u64(text, INT_MAX, &number) < 0 || number < 3)
        return -EINVAL;
    *out = (int)number;
    return 0;
}

static int read_address(const char *word, struct port_line *out)
{
    autostrv parts = {0};
    struct ip_address own, gateway;
    strv_split(&parts, word, ',');
    if (parts.len != 2 || ip_parse(parts.items[0], &own) < 0 ||
        ip_parse(parts.items[1], &gateway) < 0 || own.family != gateway.family)
        return -EINVAL;
    out->own[own.family == AF_INET6] = own;
    out->gateway[own.family == AF_INET6] = gateway;
    return 0;
}

static int read_listener(const char *word, struct listeners *out)
{
    struct listener l;
    const char *equals = strchr(word, '=');
    if (!equals || out->count == 2 * PORTS_MAX)
        return -EINVAL;
    autofree char *number = xstrndup(word, (size_t)(equals - word));
    autofree char *place = xstrdup(equals + 1);
    const char *at = place;
    replace(place, ',', ' ');
    if (read_fd_word(number, &l.fd) < 0 || !published_next(&at, &l.at))
        return -EINVAL;
    out->items = xrealloc(out->items, out->count + 1, sizeof *out->items);
    out->items[out->count++] = l;
    return 0;
}

int port_line_read(char *const *words, struct port_line *out)
{
    struct port_line line = {.pid = -1, .network = -1, .said = -1};
    int rc = *words ? 0 : -EINVAL;
    for (char *const *at = words + 1; rc == 0 && *at; at++) {
        const char *value = (*at)[0] == '-' ? at[1] : *at;
        if (!value)
            rc = -EINVAL;
        else if (streq(*at, "--pid"))
            rc = read_fd_word(value, &line.pid);
        else if (streq(*at, "--network"))
            rc = read_fd_word(value, &line.network);
        else if (streq(*at, "--said"))
            rc = read_fd_word(value, &line.said);
        else if (streq(*at, "--apart"))
            rc = (line.apart = streq(value, "yes")) ? 0 : -EINVAL;
        else if (streq(*at, "--at"))
            rc = read_address(value, &line);
        else
            rc = read_listener(value, &line.listeners);
        at += value != *at;
    }
    if (rc == 0 && (line.pid < 0 || line.network < 0 || line.said < 0 ||
                    line.listeners.count == 0 || line.own[0].family + line.own[1].family == 0))
        rc = -EINVAL;
    if (rc < 0) {
        free(line.listeners.items);
        return rc;
    }
    *out = line;
    return 0;
}
