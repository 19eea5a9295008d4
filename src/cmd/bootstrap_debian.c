/* SPDX-License-Identifier: Apache-2.0 */
/* mmdebstrap fetches and verifies packages and writes a tar to a pipe, which is imported as any
 * other tar is. */
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "cmd/bootstrap.h"

/* One value of os-release(5), without quotes; NULL when it is not there. */
static char *os_release(const char *key)
{
    autobuf text = {0};
    autostrv lines = {0};
    if (read_kernel_file("/etc/os-release", 65536, &text, NULL) < 0)
        return NULL;
    strv_split(&lines, buf_text(&text), '\n');
    for (size_t i = 0; i < lines.len; i++) {
        const char *line = lines.items[i];
        size_t length = strlen(key);
        if (strncmp(line, key, length) != 0 || line[length] != '=')
            continue;
        line += length + 1;
        size_t quoted = *line == '"' || *line == '\'';
        size_t end = strcspn(line + quoted, "\"'");
        return xstrndup(line + quoted, end);
    }
    return NULL;
}

static char *default_suite(void)
{
    autofree char *id = os_release("ID");
    autofree char *codename = os_release("VERSION_CODENAME");
    bool known = streq(id, "debian") && codename && *codename;
    return known ? take_ptr(codename) : xstrdup("stable");
}

/* What mmdebstrap would take for a flag of its own, or the shell of a hook for a command. */
static int check_word(const char *what, const char *word, const char *more, struct error *err)
{
    autofree char *allowed =
        xasprintf("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+-%s", more);
    if (!*word || *word == '-' || strspn(word, allowed) != strlen(word))
        return error_set(err, -EINVAL, "\"%.100s\" is no %s", word, what);
    return 0;
}

static int add_packages(const struct strv *include, struct strv *argv, struct error *err)
{
    for (size_t i = 0; i < include->len; i++) {
        autostrv names = {0};
        strv_split(&names, include->items[i], ',');
        for (size_t j = 0; j < names.len; j++) {
            int rc = check_word("name of a package", names.items[j], ":", err);
            if (rc < 0)
                return rc;
        }
        strv_fmt(argv, "--include=%s", include->items[i]);
    }
    return 0;
}

static int command_line(const struct bootstrap *b, const char *suite, struct strv *argv,
                        struct error *err)
{
    static const char *const fixed[] = {
        "mmdebstrap", "--variant=minbase", "--format=tar",
        /* Licences stay: they have to go where the programs go. */
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/info/*",
        "--dpkgopt=path-exclude=/usr/share/lintian/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
        "--aptopt=Acquire::Languages \"none\"", "--aptopt=APT::Install-Recommends \"false\"",
        /* What differs from run to run and is made anew when it is missed. */
        "--customize-hook=rm -f \"$1\"/var/log/dpkg.log \"$1\"/var/log/apt/* "
        "\"$1\"/var/log/alternatives.log \"$1\"/var/cache/ldconfig/aux-cache "
        "\"$1\"/etc/machine-id \"$1\"/etc/resolv.conf \"$1\"/etc/hostname",
        NULL};
    for (size_t i = 0; fixed[i]; i++)
        strv_add(argv, fixed[i]);
    if (!isatty(STDERR_FILENO))
        strv_add(argv, "--quiet");
    int rc = add_packages(&b->options->include, argv, err);
    if (rc < 0)
        return rc;
    strv_add(argv, suite);
    strv_add(argv, "-");
    if (b->options->mirror) {
        if (b->options->mirror[0] == '-')
            return error_set(err, -EINVAL, "--mirror %.100s: that is no URL", b->options->mirror);
        strv_add(argv, b->options->mirror);
    }
    return 0;
}

static int ended_well(void *closure, struct error *err)
{
    const struct bootstrap *b = closure;
    int status;
    int rc = process_wait(b->child, &status, err);
    if (rc == 0 && status != 0)
        rc = error_set(err, -ECHILD, "mmdebstrap failed with status %d; what it printed says why",
                       process_exit_code(status));
    return rc;
}

int bootstrap_debian(struct bootstrap *b, struct error *err)
{
    autostrv argv = {0};
    autofree char *suite = b->suite ? xstrdup(b->suite) : default_suite();
    int ends[2];
    int rc = check_word("suite", suite, "", err);
    if (rc == 0)
        rc = command_line(b, suite, &argv, err);
    if (rc < 0)
        return rc;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, "cannot make a pipe");
    b->fd = ends[0];
    autofd writer = ends[1];
    const struct process_spec spec = {.program = "mmdebstrap",
                                      .search = true,
                                      .argv = strv_argv(&argv),
                                      .fds = {-1, writer, STDERR_FILENO}};
    rc = process_start(&spec, &b->child, NULL, err);
    if (rc == -ENOENT)
        return error_set(err, rc,
                         "mmdebstrap is not installed: 'apt-get install mmdebstrap' "
                         "brings it");
    if (rc < 0)
        return rc;
    strv_add(&b->changes, "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    strv_add(&b->changes, "CMD [\"bash\"]");
    b->comment = xasprintf("mmdebstrap --variant=minbase %s", suite);
    b->name = xasprintf("debian:%s", suite);
    b->request.source = (struct stream_source){.fd = b->fd, .length = STREAM_TO_END};
    b->request.ready = ended_well;
    b->request.closure = b;
    return 0;
}
