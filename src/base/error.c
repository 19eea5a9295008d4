/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>

const char *error_describe(int code)
{
    const char *text = strerrordesc_np(code < 0 ? -code : code);
    return text ? text : "unknown error";
}

int error_set(struct error *err, int code, const char *format, ...)
{
    if (code > 0)
        code = -code;
    if (code == 0)
        code = -EIO;
    if (!err)
        return code;
    char text[sizeof err->text];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    memcpy(err->text, text, sizeof text);
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
    vsnprintf(text, sizeof text, format, ap);
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
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    return error_set(err, err->code, "%s: %s", text, err->text);
}
