/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>

#include "base/cleanup.h"
#include "base/memory.h"

#define KEPT_END 300 /* bytes of the end of a sentence that is too long: the way out */

const char *error_describe(int code)
{
    const char *text = strerrordesc_np(code < 0 ? -code : code);
    return text ? text : "unknown error";
}

/* A sentence that does not fit loses its middle: what happened stands in the beginning, why and
 * what to do at the end. */
static void keep_both_ends(char *out, size_t room, const char *text, size_t length)
{
    static const char gap[] = " … ";
    size_t begin = room - 1 - KEPT_END - (sizeof gap - 1);
    const char *end = text + length - KEPT_END;
    /* No character is torn in two. */
    while (begin > 0 && ((unsigned char)text[begin] & 0xc0) == 0x80)
        begin--;
    while (((unsigned char)*end & 0xc0) == 0x80)
        end++;
    memcpy(out, text, begin);
    memcpy(out + begin, gap, sizeof gap - 1);
    memcpy(out + begin + sizeof gap - 1, end, (size_t)(text + length - end) + 1);
}

/* Arguments may point into `out`. */
__attribute__((format(printf, 3, 0))) static void sentence(char *out, size_t room,
                                                           const char *format, va_list ap)
{
    char text[sizeof((struct error *)NULL)->text];
    va_list again;
    va_copy(again, ap);
    int length = vsnprintf(text, sizeof text, format, ap);
    if (length >= (int)room) {
        autofree char *whole = xmalloc((size_t)length + 1);
        vsnprintf(whole, (size_t)length + 1, format, again);
        keep_both_ends(text, room, whole, (size_t)length);
    }
    va_end(again);
    if (length < 0)
        text[0] = '\0';
    memcpy(out, text, strlen(text) + 1);
}

int error_set(struct error *err, int code, const char *format, ...)
{
    if (code > 0)
        code = -code;
    if (code == 0)
        code = -EIO;
    if (!err)
        return code;
    va_list ap;
    va_start(ap, format);
    sentence(err->text, sizeof err->text, format, ap);
    va_end(ap);
    err->code = code;
    return code;
}

int error_errno(struct error *err, const char *format, ...)
{
    int code = errno ? -errno : -EIO;
    if (!err)
        return code;
    char text[sizeof err->text];
    va_list ap;
    va_start(ap, format);
    sentence(text, sizeof text, format, ap);
    va_end(ap);
    return error_set(err, code, "%s: %s", text, error_describe(code));
}

int error_prefix(struct error *err, const char *format, ...)
{
    if (!err)
        return -EIO;
    char text[sizeof err->text];
    va_list ap;
    va_start(ap, format);
    sentence(text, sizeof text, format, ap);
    va_end(ap);
    return error_set(err, err->code, "%s: %s", text, err->text);
}
