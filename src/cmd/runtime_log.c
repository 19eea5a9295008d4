/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --version and --log of caisson-runtime. The log is where containerd's shim and conmon read why a
 * container could not be made: a line of JSON each, as logrus writes it. It is opened when there is
 * something to say: until then, descriptors that the caller hands on are counted.
 */
#include <fcntl.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/text.h"
#include "cmd/print.h"
#include "cmd/runtime_line.h"
#include "cmd/runtime_options.h"
#include "cmd/version.h"

int runtime_version(void)
{
    autobuf out = {0};
    buf_fmt(&out, "caisson-runtime version %s\ncommit: %s\nspec: 1.2.0\n", caisson_version,
            *caisson_commit ? caisson_commit : "unknown");
    return print(&out);
}

void runtime_log(const char *level, const char *text)
{
    autobuf line = {0};
    char now[RFC3339_MAX];
    if (!runtime_globals.log)
        return;
    autofd fd = open(runtime_globals.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return; /* it is said on standard error all the same */
    format_rfc3339(clock_wall(), now);
    if (streq(runtime_globals.log_format, "json")) {
        struct json_out w = {.buf = &line};
        json_begin(&w, NULL, '{');
        json_str(&w, "level", level);
        json_str(&w, "msg", text);
        json_str(&w, "time", now);
        json_end(&w, '}');
    } else {
        buf_fmt(&line, "time=\"%s\" level=%s msg=", now, level);
        json_quote(&line, text, strlen(text));
    }
    buf_char(&line, '\n');
    if (write_all(fd, line.data, line.len) < 0)
        return;
}
