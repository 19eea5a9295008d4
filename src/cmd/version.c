/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/version.h"

#include <sys/utsname.h>

#include "base/json.h"
#include "base/text.h"
#include "cmd/print.h"
#include "version-info.h"

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

const char caisson_version[] = CAISSON_VERSION;
const char caisson_commit[] = CAISSON_COMMIT;

struct version_options {
    const char *format;
};

static const struct option version_table[] = {
    {"format", 'f', OPTION_STRING, offsetof(struct version_options, format), "FORMAT",
     "Print as text or as json", .words = (const char *const[]){"text", "json", NULL}},
    {NULL},
};

const struct verb verb_version = {
    .name = "version",
    .group = GROUP_SYSTEM,
    .arguments = "",
    .summary = "Show the version of caisson and how it was built",
    .description = "Shows the version, the commit it was built from, the compiler, and the kernel "
                   "it runs on: what a report of a problem should begin with.",
    .examples = "caisson version\n"
                "# For scripts\n"
                "caisson version --format json",
    .options = version_table,
    .options_size = sizeof(struct version_options),
    .stateless = true,
};

int version_line(void)
{
    autobuf out = {0};
    buf_fmt(&out, "caisson version %s%s%s\n", caisson_version, *caisson_commit ? ", commit " : "",
            caisson_commit);
    return print(&out);
}

int command_version(const struct invocation *call, void *options, struct error *err)
{
    const struct version_options *o = options;
    struct utsname host;
    autobuf out = {0};
    (void)call;
    if (uname(&host) < 0)
        return error_errno(err, "cannot ask the kernel for its version");
    const struct {
        const char *key, *label, *value;
    } facts[] = {
        {"Version", "Version", caisson_version}, {"Commit", "Commit", caisson_commit},
        {"Compiler", "Compiler", COMPILER},      {"Os", "Operating system", "linux"},
        {"Arch", "Architecture", host.machine},  {"KernelVersion", "Kernel", host.release},
    };
    if (streq(o->format, "json")) {
        struct json_out json = {.buf = &out};
        json_begin(&json, NULL, '{');
        for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
            json_str(&json, facts[i].key, facts[i].value);
        json_end(&json, '}');
        buf_char(&out, '\n');
        return print(&out);
    }
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        if (*facts[i].value)
            buf_fmt(&out, "%-18s%s\n", facts[i].label, facts[i].value);
    return print(&out);
}
