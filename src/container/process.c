/* SPDX-License-Identifier: Apache-2.0 */
/* What runs: command, environment, working directory, host name, sysctls, devices, labels. */
#include <fcntl.h>

#include <sys/utsname.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/plan_make.h"
#include "container/signals.h"
#include "path/inroot.h"
#include "runtime/devices.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define VARIABLES_MAX 20000

/* --entrypoint replaces the image's and drops its command, as Docker does. */
static int command(struct planning *p, struct error *err)
{
    const struct request *r = p->request;
    const struct image_config *image = &p->image->config;
    struct strv *args = &p->plan->args;
    if (r->entrypoint) {
        if (*r->entrypoint)
            strv_add(args, r->entrypoint);
    } else {
        strv_copy(args, &image->entrypoint);
    }
    if (r->words.len)
        strv_copy(args, &r->words);
    else if (!r->entrypoint)
        strv_copy(args, &image->command);
    if (args->len == 0)
        return error_set(err, -EINVAL,
                         "no command: image %s names none; write one after the image's name",
                         r->image);
    if (!*args->items[0])
        return error_set(err, -EINVAL, "the command is empty");
    return 0;
}

/* --- environment -------------------------------------------------------------------------------
 */

static void set_variable(struct strv *env, const char *text)
{
    size_t length = strcspn(text, "=") + 1;
    for (size_t i = 0; i < env->len; i++) {
        if (strncmp(env->items[i], text, length) != 0)
            continue;
        free(env->items[i]);
        env->items[i] = xstrdup(text);
        return;
    }
    strv_add(env, text);
}

/* NAME=VALUE, or NAME alone for ours. */
static int add_variable(struct strv *env, const char *text, const char *where, struct error *err)
{
    size_t name = strcspn(text, "=");
    if (name == 0)
        return error_set(err, -EINVAL, "%s: \"%s\" has no name before the =", where, text);
    if (text[name]) {
        set_variable(env, text);
        return 0;
    }
    const char *ours = getenv(text);
    if (ours) {
        autofree char *both = xasprintf("%s=%s", text, ours);
        set_variable(env, both);
    }
    return 0;
}

static int read_lines(const char *path, const char *flag, struct strv *out, struct error *err)
{
    autobuf text = {0};
    autofd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return error_errno(err, "%s %s: cannot open the file", flag, path);
    int rc = read_fd(fd, 4 << 20, &text);
    if (rc < 0)
        return error_set(err, rc, "%s %s: cannot read the file: %s", flag, path,
                         error_describe(rc));
    if (strlen(buf_text(&text)) != text.len)
        return error_set(err, -EINVAL, "%s %s: the file is not text", flag, path);
    autostrv lines = {0};
    strv_split(&lines, buf_text(&text), '\n');
    for (size_t i = 0; i < lines.len; i++) {
        char *line = lines.items[i];
        line += strspn(line, " \t");
        size_t length = strlen(line);
        if (length && line[length - 1] == '\r')
            line[length - 1] = '\0';
        if (*line && *line != '#')
            strv_add(out, line);
    }
    return 0;
}

int environment_words(const struct strv *files, const struct strv *words, struct strv *env,
                      struct error *err)
{
    autostrv lines = {0};
    for (size_t i = 0; i < files->len; i++) {
        int rc = read_lines(files->items[i], "--env-file", &lines, err);
        if (rc < 0)
            return rc;
    }
    if (lines.len + words->len > VARIABLES_MAX)
        return error_set(err, -E2BIG, "too many environment variables: at most %d", VARIABLES_MAX);
    for (size_t i = 0; i < lines.len; i++) {
        int rc = add_variable(env, lines.items[i], "--env-file", err);
        if (rc < 0)
            return rc;
    }
    for (size_t i = 0; i < words->len; i++) {
        int rc = add_variable(env, words->items[i], "--env", err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int environment(struct planning *p, struct error *err)
{
    const struct request *r = p->request;
    struct strv *env = &p->plan->env;
    set_variable(env, DEFAULT_PATH);
    for (size_t i = 0; i < p->image->config.env.len; i++)
        if (p->image->config.env.items[i][0] != '=' && strchr(p->image->config.env.items[i], '='))
            set_variable(env, p->image->config.env.items[i]);
    autofree char *hostname = xasprintf("HOSTNAME=%s", p->plan->hostname ? p->plan->hostname : "");
    set_variable(env, hostname);
    if (r->terminal)
        set_variable(env, "TERM=xterm");
    return environment_words(&r->env_files, &r->env, env, err);
}

/* --- the rest ----------------------------------------------------------------------------------
 */

static int working_directory(struct planning *p, struct error *err)
{
    const char *text = p->request->workdir && *p->request->workdir ? p->request->workdir
                                                                   : p->image->config.working_dir;
    char clean[INROOT_PATH_MAX];
    if (!text || !*text)
        text = "/";
    int rc =
        inroot_clean(text, p->request->workdir ? "--workdir" : "the image's WORKDIR", clean, err);
    if (rc == 0)
        p->plan->cwd = xstrdup(clean);
    return rc;
}

/* RFC 1123 labels, and at most what sethostname(2) takes. */
static int check_host_name(const char *flag, const char *name, struct error *err)
{
    size_t length = strlen(name);
    bool good = length > 0 && length <= 63;
    for (size_t i = 0; good && i < length; i++) {
        char c = name[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               ((c == '-' || c == '.' || c == '_') && i > 0 && i < length - 1);
    }
    if (good)
        return 0;
    autobuf shown = {0};
    buf_printable(&shown, name);
    return error_set(err, -EINVAL,
                     "%s \"%s\" is not a host name (letters, digits, - and ., at most 63)", flag,
                     buf_text(&shown));
}

static int host_name(struct planning *p, struct error *err)
{
    const struct request *r = p->request;
    struct plan *plan = p->plan;
    int rc = 0;
    if (r->hostname)
        rc = check_host_name("--hostname", r->hostname, err);
    if (rc == 0 && r->domainname)
        rc = check_host_name("--domainname", r->domainname, err);
    if (rc < 0)
        return rc;
    if (!(plan->namespaces & PLAN_NS_UTS)) {
        struct utsname host;
        if (r->hostname || r->domainname)
            return error_set(err, -EINVAL, "--uts host contradicts --%s: the name is the host's",
                             r->hostname ? "hostname" : "domainname");
        if (uname(&host) < 0)
            return error_errno(err, "cannot tell the host's name");
        free(plan->hostname);
        plan->hostname = xstrdup(host.nodename);
    }
    if (r->hostname) {
        free(plan->hostname);
        plan->hostname = xstrdup(r->hostname);
    }
    if (r->domainname)
        plan->domainname = xstrdup(r->domainname);
    return 0;
}

/* Sysctls that belong to a namespace (proc_sys_kernel(5), namespaces(7)); everything else would
 * change the host. */
static int check_sysctl(const struct plan *plan, const char *text, struct error *err)
{
    static const char *const ipc[] = {"kernel.msgmax", "kernel.msgmnb",         "kernel.msgmni",
                                      "kernel.sem",    "kernel.shmall",         "kernel.shmmax",
                                      "kernel.shmmni", "kernel.shm_rmid_forced"};
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const char *equals = strchr(text, '=');
    autofree char *name = xstrndup(text, equals ? (size_t)(equals - text) : strlen(text));
    autobuf shown = {0};
    buf_printable(&shown, text);
    if (!equals || !equals[1] || strspn(name, allowed) != strlen(name) || strstr(name, "..") ||
        name[0] == '.' || strlen(name) > 200 || strlen(equals + 1) > 250 ||
        strpbrk(equals + 1, "\n\r"))
        return error_set(err, -EINVAL, "--sysctl \"%s\" is not NAME=VALUE", buf_text(&shown));
    if (starts_with(name, "net.")) {
        if (plan->namespaces & PLAN_NS_NET)
            return 0;
        return error_set(err, -EPERM,
                         "--sysctl %s would change a network that is not the container's own",
                         name);
    }
    if (!(plan->namespaces & PLAN_NS_IPC) && !starts_with(name, "net."))
        return error_set(err, -EPERM, "--sysctl %s would change %s", name,
                         plan->ipc_container ? "shared memory that is not the container's own"
                                             : "the host: --ipc host was given");
    bool good = starts_with(name, "fs.mqueue.");
    for (size_t i = 0; i < sizeof ipc / sizeof *ipc; i++)
        good |= streq(name, ipc[i]);
    if (!good)
        return error_set(err, -EPERM, "--sysctl %s is not one that a container has of its own",
                         name);
    return 0;
}

static int sysctls(struct planning *p, struct error *err)
{
    for (size_t i = 0; i < p->request->sysctls.len; i++) {
        int rc = check_sysctl(p->plan, p->request->sysctls.items[i], err);
        if (rc < 0)
            return rc;
        strv_add(&p->plan->sysctls, p->request->sysctls.items[i]);
    }
    return 0;
}

static int stop_signal(struct planning *p, struct error *err)
{
    const struct request *r = p->request;
    const char *text = r->stop_signal ? r->stop_signal : p->image->config.stop_signal;
    if (text && *text) {
        int number;
        bool found = signal_number(text, &number) == 0;
        if (!found && r->stop_signal)
            return error_set(err, -EINVAL, "--stop-signal %s is no signal", text);
        if (found)
            p->plan->stop_signal = xstrdup(text);
    }
    if (r->stop_timeout != INT64_MIN)
        p->plan->stop_timeout = r->stop_timeout;
    return 0;
}

/* NAME=VALUE, or NAME alone for an empty one. */
static int add_label(struct strv *labels, const char *text, const char *flag, struct error *err)
{
    autofree char *both = xasprintf("%s%s", text, strchr(text, '=') ? "" : "=");
    if (*both == '=')
        return error_set(err, -EINVAL, "%s: \"%s\" has no name", flag, text);
    set_variable(labels, both);
    return 0;
}

static int labels(struct planning *p, struct error *err)
{
    const struct request *r = p->request;
    autostrv lines = {0};
    int rc = 0;
    strv_copy(&p->plan->labels, &p->image->config.labels);
    for (size_t i = 0; rc == 0 && i < r->label_files.len; i++)
        rc = read_lines(r->label_files.items[i], "--label-file", &lines, err);
    if (rc == 0 && lines.len + r->labels.len > VARIABLES_MAX)
        rc = error_set(err, -E2BIG, "too many labels: at most %d", VARIABLES_MAX);
    for (size_t i = 0; rc == 0 && i < lines.len; i++)
        rc = add_label(&p->plan->labels, lines.items[i], "--label-file", err);
    for (size_t i = 0; rc == 0 && i < r->labels.len; i++)
        rc = add_label(&p->plan->labels, r->labels.items[i], "--label", err);
    if (rc < 0)
        return rc;
    strv_copy(&p->plan->annotations, &r->annotations);
    return 0;
}

static int one_device(struct planning *p, const char *text, struct error *err)
{
    struct device_spec spec = {0};
    int rc = device_parse(text, &spec, err);
    if (rc == 0)
        rc = plan_add_device(p->plan, spec.host, spec.path, spec.access, err);
    device_spec_free(&spec);
    return rc;
}

static int devices(struct planning *p, struct error *err)
{
    for (size_t i = 0; i < p->request->devices.len; i++) {
        int rc = one_device(p, p->request->devices.items[i], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int plan_process(struct planning *p, struct error *err)
{
    struct plan *plan = p->plan;
    plan->terminal = p->request->terminal;
    plan->stdin_open = p->request->interactive;
    plan->init = p->request->init > 0;
    plan->umask = -1;
    int rc = command(p, err);
    if (rc == 0)
        rc = host_name(p, err);
    if (rc == 0)
        rc = environment(p, err);
    if (rc == 0)
        rc = working_directory(p, err);
    if (rc == 0)
        rc = sysctls(p, err);
    if (rc == 0)
        rc = stop_signal(p, err);
    if (rc == 0)
        rc = labels(p, err);
    if (rc == 0)
        rc = plan_logging(p, err);
    if (rc == 0)
        rc = devices(p, err);
    if (rc == 0 && p->request->umask) {
        const char *text = p->request->umask;
        if (!*text || strlen(text) > 4 || strspn(text, "01234567") != strlen(text))
            return error_set(err, -EINVAL, "--umask %s is not an octal mask such as 0022", text);
        plan->umask = (int64_t)strtoul(text, NULL, 8);
    }
    return rc;
}
