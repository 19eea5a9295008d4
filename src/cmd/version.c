/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/version.h"

#include <sys/utsname.h>

#include "base/json.h"
#include "base/text.h"
#include "cmd/print.h"
#include "cmd/template.h"
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
     "Print as text, as json, or by a Go template such as '{{.Client.Version}}'"},
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

/* What there is to know, under Docker's names for it. */
static json_t *facts(const struct utsname *host)
{
    return json_pack("{s:{s:s, s:s, s:s, s:s, s:s, s:s}}", "Client", "Version", caisson_version,
                     "GitCommit", caisson_commit, "Compiler", COMPILER, "Os", "linux", "Arch",
                     host->machine, "KernelVersion", host->release);
}

static int as_format(const char *format, const struct utsname *host, struct buf *out,
                     struct error *err)
{
    autojson tree = facts(host);
    if (!tree)
        return error_set(err, -EIO, "the kernel's names are no text");
    if (streq(format, "json"))
        format = "{{json .}}";
    else if (!strstr(format, "{{"))
        return error_set(err, -EINVAL,
                         "--format takes text, json or a template such as '{{.Client.Version}}', "
                         "not \"%s\"",
                         format);
    int rc = template_render(format, tree, out, err);
    buf_char(out, '\n');
    return rc;
}

int command_version(const struct invocation *call, void *options, struct error *err)
{
    const struct version_options *o = options;
    struct utsname host;
    autobuf out = {0};
    (void)call;
    if (uname(&host) < 0)
        return error_errno(err, "cannot ask the kernel for its version");
    if (o->format && !streq(o->format, "text")) {
        int rc = as_format(o->format, &host, &out, err);
        return rc < 0 ? rc : print(&out);
    }
    buf_fmt(&out, "Version           %s\n", caisson_version);
    if (*caisson_commit)
        buf_fmt(&out, "Commit            %s\n", caisson_commit);
    buf_fmt(&out,
            "Compiler          %s\n"
            "Operating system  linux\n"
            "Architecture      %s\n"
            "Kernel            %s\n",
            COMPILER, host.machine, host.release);
    return print(&out);
}
