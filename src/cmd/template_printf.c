/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/template_printf.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "cmd/template_value.h"

#define WIDTH_MAX 1000

struct directive {
    bool left, zeros, plus;
    int width, precision; /* -1: none */
    char verb;
};

static int read_number(const char **at)
{
    int number = 0;
    if (**at < '0' || **at > '9')
        return -1;
    for (; **at >= '0' && **at <= '9' && number <= WIDTH_MAX; (*at)++)
        number = number * 10 + (**at - '0');
    return number;
}

/* After the percent sign. */
static int read_directive(const char **at, struct directive *out, struct error *err)
{
    struct directive d = {.precision = -1};
    for (; **at && strchr("-0+", **at); (*at)++) {
        d.left |= **at == '-';
        d.zeros |= **at == '0';
        d.plus |= **at == '+';
    }
    d.width = read_number(at);
    if (**at == '.') {
        (*at)++;
        d.precision = read_number(at);
        d.precision = d.precision < 0 ? 0 : d.precision;
    }
    if (d.width > WIDTH_MAX || d.precision > WIDTH_MAX)
        return error_set(err, -EINVAL, "--format: printf: a width of more than %d", WIDTH_MAX);
    d.verb = **at;
    if (!d.verb || !strchr("svqdxXtf%", d.verb))
        return error_set(err, -EINVAL,
                         "--format: printf knows %%s %%v %%q %%d %%x %%X %%t %%f and %%%%, not "
                         "\"%%%.1s\"",
                         *at);
    (*at)++;
    *out = d;
    return 0;
}

static int wrong(const struct directive *d, const json_t *value, struct error *err)
{
    autobuf shown = {0};
    template_print(value, &shown);
    return error_set(err, -EINVAL, "--format: printf: %%%c does not take \"%.60s\"", d->verb,
                     buf_text(&shown));
}

static void hex(const char *bytes, bool upper, struct buf *out)
{
    for (; *bytes; bytes++)
        buf_fmt(out, upper ? "%02X" : "%02x", (unsigned char)*bytes);
}

static int convert(const struct directive *d, const json_t *value, struct buf *out,
                   struct error *err)
{
    const char *text = json_string_value(value);
    const char *sign = d->plus && json_number_value(value) >= 0 ? "+" : "";
    switch (d->verb) {
    case 'd':
        if (!json_is_integer(value))
            return wrong(d, value, err);
        buf_fmt(out, "%s%lld", sign, (long long)json_integer_value(value));
        return 0;
    case 'x':
    case 'X':
        if (json_is_integer(value))
            buf_fmt(out, d->verb == 'X' ? "%llX" : "%llx",
                    (unsigned long long)json_integer_value(value));
        else if (text)
            hex(text, d->verb == 'X', out);
        else
            return wrong(d, value, err);
        return 0;
    case 'f':
        if (!json_is_number(value))
            return wrong(d, value, err);
        buf_fmt(out, "%s%.*f", sign, d->precision < 0 ? 6 : d->precision, json_number_value(value));
        return 0;
    case 't':
        if (!json_is_boolean(value))
            return wrong(d, value, err);
        buf_str(out, json_is_true(value) ? "true" : "false");
        return 0;
    case 'q':
        if (!text)
            return wrong(d, value, err);
        json_quote(out, text, strlen(text));
        return 0;
    default:
        template_print(value, out);
        return 0;
    }
}

/* %.3s: so many characters. */
static size_t shortened(const struct directive *d, const struct buf *text)
{
    size_t length = 0;
    if (d->precision < 0 || (d->verb != 's' && d->verb != 'v'))
        return text->len;
    for (int left = d->precision; length < text->len; length++) {
        bool begins = ((unsigned char)text->data[length] & 0xc0) != 0x80;
        if (begins && left-- == 0)
            break;
    }
    return length;
}

static void put(const struct directive *d, const struct buf *text, struct buf *out)
{
    const char *bytes = buf_text(text);
    size_t length = shortened(d, text), shown = 0;
    for (size_t i = 0; i < length; i++)
        shown += ((unsigned char)bytes[i] & 0xc0) != 0x80;
    size_t pad = d->width > 0 && (size_t)d->width > shown ? (size_t)d->width - shown : 0;
    bool zeros = d->zeros && !d->left && strchr("dxXf", d->verb);
    if (zeros && length > 0 && (bytes[0] == '-' || bytes[0] == '+')) {
        buf_char(out, bytes[0]);
        bytes++;
        length--;
    }
    for (; !d->left && pad > 0; pad--)
        buf_char(out, zeros ? '0' : ' ');
    buf_add(out, bytes, length);
    for (; pad > 0; pad--)
        buf_char(out, ' ');
}

int template_printf(const char *format, json_t *const *arguments, size_t count, struct buf *out,
                    struct error *err)
{
    size_t used = 0;
    for (const char *at = format; *at;) {
        struct directive d = {.verb = 0};
        autobuf text = {0};
        if (*at != '%') {
            buf_char(out, *at++);
            continue;
        }
        at++;
        int rc = read_directive(&at, &d, err);
        if (rc < 0)
            return rc;
        if (d.verb == '%') {
            buf_char(out, '%');
            continue;
        }
        if (used == count)
            return error_set(err, -EINVAL, "--format: printf: too few arguments for \"%.60s\"",
                             format);
        rc = convert(&d, arguments[used++], &text, err);
        if (rc < 0)
            return rc;
        put(&d, &text, out);
    }
    if (used < count)
        return error_set(err, -EINVAL, "--format: printf: too many arguments for \"%.60s\"",
                         format);
    return 0;
}
