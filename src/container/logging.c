/* SPDX-License-Identifier: Apache-2.0 */
/* Where a container's output goes: the driver and its options. */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "container/journal_fields.h"
#include "container/plan_make.h"

#define MAX_SIZE_DEFAULT (10 * 1000 * 1000)
#define MAX_FILE_DEFAULT 3
#define MAX_SIZE_LEAST 1024
#define MAX_FILE_MOST 1000

struct log_option {
    const char *name;
    int (*set)(struct plan *plan, const char *value, struct error *err);
};

static int max_size(struct plan *plan, const char *value, struct error *err)
{
    uint64_t n;
    if (parse_size(value, &n) < 0 || n < MAX_SIZE_LEAST || n > INT64_MAX)
        return error_set(err, -EINVAL, "--log-opt max-size=%.40s: give a size of at least 1k",
                         value);
    plan->log_max_size = (int64_t)n;
    return 0;
}

static int max_file(struct plan *plan, const char *value, struct error *err)
{
    uint64_t n;
    if (parse_u64(value, MAX_FILE_MOST, &n) < 0 || n == 0)
        return error_set(err, -EINVAL, "--log-opt max-file=%.40s: give a number from 1 to %d",
                         value, MAX_FILE_MOST);
    plan->log_max_file = (int64_t)n;
    return 0;
}

static int tag(struct plan *plan, const char *value, struct error *err)
{
    autobuf ignored = {0};
    int rc = journal_tag(value, plan, &ignored, err);
    if (rc < 0)
        return rc;
    free(plan->log_tag);
    plan->log_tag = xstrdup(value);
    return 0;
}

/* Names with commas between them; a later option replaces an earlier one. */
static int names(struct strv *list, const char *value)
{
    autostrv parts = {0};
    strv_split(&parts, value, ',');
    strv_free(list);
    for (size_t i = 0; i < parts.len; i++)
        if (*parts.items[i])
            strv_add(list, parts.items[i]);
    return 0;
}

static int labels(struct plan *plan, const char *value, struct error *err)
{
    (void)err;
    return names(&plan->log_labels, value);
}

static int env(struct plan *plan, const char *value, struct error *err)
{
    (void)err;
    return names(&plan->log_env, value);
}

static const struct log_option file_options[] = {
    {"max-size", max_size},
    {"max-file", max_file},
    {NULL, NULL},
};

static const struct log_option journal_options[] = {
    {"tag", tag},
    {"labels", labels},
    {"env", env},
    {NULL, NULL},
};

/* Without output to keep there is nothing that these would change, and scripts give them. */
static const struct {
    const char *driver, *kept_as;
    const struct log_option *options;
    const char *known;
} drivers[] = {
    {"json-file", "json-file", file_options, "max-size=BYTES (at least 1k) and max-file=N"},
    {"local", "json-file", file_options, "max-size=BYTES (at least 1k) and max-file=N"},
    {"k8s-file", "json-file", file_options, "max-size=BYTES (at least 1k) and max-file=N"},
    {"none", "none", file_options, "max-size=BYTES (at least 1k) and max-file=N"},
    {"journald", "journald", journal_options, "tag=, labels= and env="},
};
#define DRIVERS (sizeof drivers / sizeof *drivers)

static int one_option(struct plan *plan, size_t driver, const char *text, struct error *err)
{
    const struct log_option *option = drivers[driver].options;
    size_t length = strcspn(text, "=");
    while (option->name &&
           !(strlen(option->name) == length && strncmp(option->name, text, length) == 0))
        option++;
    if (!option->name || !text[length])
        return error_set(err, -EINVAL, "--log-opt %.60s: --log-driver %s knows %s", text,
                         drivers[driver].driver, drivers[driver].known);
    return option->set(plan, text + length + 1, err);
}

int plan_logging(struct planning *p, struct error *err)
{
    const struct request *r = p->request;
    const char *name = r->log_driver ? r->log_driver : "json-file";
    size_t driver = 0;
    while (driver < DRIVERS && !streq(drivers[driver].driver, name))
        driver++;
    if (driver == DRIVERS)
        return error_set(err, -ENOTSUP,
                         "--log-driver %.40s is not supported; give json-file, journald or none",
                         name);
    p->plan->log_driver = xstrdup(drivers[driver].kept_as);
    p->plan->log_max_size = MAX_SIZE_DEFAULT;
    p->plan->log_max_file = MAX_FILE_DEFAULT;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->log_opts.len; i++)
        rc = one_option(p->plan, driver, r->log_opts.items[i], err);
    return rc;
}
