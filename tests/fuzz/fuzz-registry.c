/* SPDX-License-Identifier: Apache-2.0 */
/* What registries say in headers and errors, registries.conf, and questions on lanes. The first
 * byte says which; texts end at the first NUL, as headers do. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "registry/conf.h"
#include "registry/tags.h"
#include "registry/toml.h"
#include "transport/transport.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_challenge(const char *text)
{
    static struct challenge c;
    c = (struct challenge){0};
    challenge_read(text, &c);
    for (const char *at = c.realm; *at; at++)
        if ((unsigned char)*at < ' ')
            abort();
}

static void check_link(const char *text)
{
    autofree char *next = link_next(text);
    if (next && *next != '/')
        abort();
}

static void check_conf(const char *text, size_t size)
{
    autoconf conf = NULL;
    autoreference ref = {0};
    struct error err = {0};
    if (conf_parse(text, size, "f", &conf, &err) < 0) {
        if (!err.text[0])
            abort();
        return;
    }
    autoendpoints found = {0};
    if (reference_parse("docker.io/library/a:1", &ref, NULL) == 0)
        (void)conf_endpoints(conf, &ref, false, TLS_AS_CONFIGURED, &found, NULL);
}

static void check_error(const char *text, size_t size)
{
    autobuf words = {0};
    error_words(text, size, &words);
    for (size_t i = 0; i < words.len; i++)
        if ((unsigned char)words.data[i] < ' ')
            abort();
}

/* What is taken is of reading only. */
static void check_question(char *text)
{
    struct place place = {0};
    struct settings settings = {.places = &place, .place_count = 1};
    autoquestion q = {0};
    if (question_read(text, &settings, &q, NULL) == 0 &&
        (*q.target != '/' || strpbrk(q.target, " \r\n") || q.body))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autobuf text = {0};
    if (size == 0)
        return 0;
    buf_add(&text, data + 1, size - 1);
    switch (data[0] % 6) {
    case 0:
        check_challenge(buf_text(&text));
        break;
    case 1:
        check_link(buf_text(&text));
        break;
    case 2:
        check_conf(buf_text(&text), text.len);
        break;
    case 3:
        check_error(buf_text(&text), text.len);
        break;
    case 4:
        check_question(text.data);
        break;
    default:
        (void)retry_after(buf_text(&text), 0);
        (void)content_range_start(buf_text(&text));
    }
    return 0;
}
