/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/print.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/verb.h"

struct screen screen_of(int fd)
{
    struct screen screen = {.width = 80};
    struct winsize size;
    if (!isatty(fd))
        return screen;
    screen.terminal = true;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        screen.width = size.ws_col;
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    screen.colour = !(no_color && *no_color) && term && *term && !streq(term, "dumb");
    return screen;
}

int print(const struct buf *text)
{
    int rc = write_all(STDOUT_FILENO, buf_text(text), text->len);
    if (rc == 0)
        return 0;
    if (rc != -EPIPE) {
        struct error err = {0};
        error_set(&err, rc, "cannot write to standard output: %s", error_describe(rc));
        tell_error(&err);
    }
    return 1;
}

/* A sentence may be followed by lines that show where it is about, which are indented: a name that
 * somebody chose cannot begin one of ours. */
static void add_lines(struct buf *out, const char *text)
{
    for (const char *end; (end = strstr(text, "\n  ")); text = end + 1) {
        autofree char *line = xstrndup(text, (size_t)(end - text));
        buf_printable(out, line);
        buf_char(out, '\n');
    }
    buf_printable(out, text);
}

static void tell(const char *level, const char *kind, const char *text)
{
    autobuf line = {0};
    if (program_line->log)
        program_line->log(level, text);
    buf_fmt(&line, "%s: %s", program_line->name, kind);
    add_lines(&line, text);
    buf_char(&line, '\n');
    if (write_all(STDERR_FILENO, buf_text(&line), line.len) < 0) {
        /* nobody listens */
    }
}

void tell_error(const struct error *err)
{
    tell("error", "", err->text);
}

void tell_warning(const char *format, ...)
{
    autobuf text = {0};
    va_list ap;
    va_start(ap, format);
    buf_vfmt(&text, format, ap);
    va_end(ap);
    tell("warning", "warning: ", buf_text(&text));
}

bool ask(const char *question)
{
    char answer[16];
    if (!isatty(STDIN_FILENO))
        return false;
    autobuf line = {0};
    buf_printable(&line, question);
    buf_str(&line, " [y/N] ");
    if (write_all(STDERR_FILENO, buf_text(&line), line.len) < 0)
        return false;
    ssize_t length = read(STDIN_FILENO, answer, sizeof answer - 1);
    if (length <= 0)
        return false;
    answer[length] = '\0';
    answer[strcspn(answer, "\n")] = '\0';
    return streq(answer, "y") || streq(answer, "Y") || streq(answer, "yes");
}
