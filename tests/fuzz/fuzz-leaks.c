/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte says what follows: a file that is searched whole and in pieces, with the same
 * findings; or an expression, a NUL and a text, in which no match ends beyond the text. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "scan/expression.h"
#include "scan/leaks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const paths[] = {"app/x",        "root/.npmrc",        "root/.netrc",
                                    "root/.pgpass", "a/.git-credentials", "usr/share/doc/x",
                                    "a.p12"};

struct sums {
    size_t count;
    uint64_t places;
};

static void add(void *context, const struct leak *leak)
{
    struct sums *s = context;
    s->count++;
    s->places = s->places * 31 + leak->offset + leak->line * 7 + leak->column * 3 +
                (uint64_t)(unsigned char)leak->rule[0];
    if (strlen(leak->excerpt) > 7)
        abort();
}

static struct sums search(const char *path, const uint8_t *data, size_t size, size_t chunk)
{
    struct sums sums = {0};
    autoleaks l = leaks_new(add, &sums);
    leaks_begin(l, path);
    for (size_t at = 0; at < size; at += chunk)
        leaks_feed(l, data + at, size - at < chunk ? size - at : chunk);
    leaks_end(l);
    if (leaks_stopping(l) > sums.count + leaks_untold(l))
        abort();
    return sums;
}

static void check_file(const uint8_t *data, size_t size)
{
    const char *path = paths[data[0] / 8 % (sizeof paths / sizeof *paths)];
    struct sums whole = search(path, data + 1, size - 1, size);
    struct sums pieces = search(path, data + 1, size - 1, data[0] % 7 + 1U);
    if (whole.count != pieces.count || whole.places != pieces.places)
        abort();
}

static void check_words(const char *text)
{
    struct sums sums = {0};
    autoleaks l = leaks_new(add, &sums);
    leaks_text(l, "ENV", text);
    (void)leaks_allow(l, text, NULL);
    leaks_text(l, "ENV", text);
}

static void check_expression(const char *text, size_t size)
{
    struct error err = {0};
    struct expression_match m;
    struct expression *e = expression_compile(text, &err);
    size_t length = strlen(text), rest = size - length;
    if (!e && !err.text[0])
        abort();
    for (size_t at = 0; e && at <= rest; at++)
        if (expression_match(e, (const unsigned char *)text + length, rest, at, &m) &&
            (m.end < at || m.end > rest || m.end - at > EXPRESSION_REACH ||
             m.captured + m.captured_length > m.end))
            abort();
    expression_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autobuf text = {0};
    if (size == 0 || size > 4096)
        return 0;
    buf_add(&text, data + 1, size - 1);
    if (data[0] % 3 == 0)
        check_file(data, size);
    else if (data[0] % 3 == 1)
        check_words(text.data);
    else
        check_expression(text.data, text.len);
    return 0;
}
