/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/progress.h"

#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/text.h"

#define FIRST (NSEC_PER_SEC / 2) /* what is quicker needs no line */
#define EVERY (NSEC_PER_SEC / 10)

void progress_begin(struct progress *progress, bool quiet)
{
    *progress =
        (struct progress){.wanted = !quiet && isatty(STDERR_FILENO), .begun = clock_monotonic()};
}

void progress_bytes(void *closure, uint64_t bytes)
{
    struct progress *progress = closure;
    if (!progress->wanted)
        return;
    nanoseconds now = clock_monotonic();
    if (now - progress->begun < FIRST || now - progress->shown < EVERY)
        return;
    progress->shown = now;
    autobuf line = {0};
    buf_str(&line, "\rCopied ");
    format_size(&line, bytes);
    buf_str(&line, "\033[K");
    (void)write_all(STDERR_FILENO, line.data, line.len);
}

void progress_end(struct progress *progress)
{
    static const char clear[] = "\r\033[K";
    if (progress->wanted && clock_monotonic() - progress->begun >= FIRST)
        (void)write_all(STDERR_FILENO, clear, strlen(clear));
}
