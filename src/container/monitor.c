/* SPDX-License-Identifier: Apache-2.0 */
#include "container/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "container/numbers.h"

/* What an option's value means. */
enum kind {
    TEXT,
    DRIVER,
    NUMBER,
    DESCRIPTOR,
};

struct option {
    char name[12];
    enum kind kind;
    int64_t low, high;
    size_t offset; /* into struct monitor_spec */
    size_t width;
};

#define FIELD(field)                                                                               \
    .offset = offsetof(struct monitor_spec, field), .width = sizeof((struct monitor_spec *)0)->field
#define DESCRIPTOR_MAX (1 << 20)
#define FD(field) .kind = DESCRIPTOR, .low = -1, .high = DESCRIPTOR_MAX, FIELD(field)

static const struct option options[] = {
    {"--id", TEXT, FIELD(id)},
    {"--pid", NUMBER, .low = 1, .high = INT32_MAX, FIELD(pid)},
    {"--dir", FD(dir)},
    {"--out", FD(out)},
    {"--err", FD(err)},
    {"--terminal", FD(terminal)},
    {"--stdin", FD(in)},
    {"--attach", FD(attach)},
    {"--owner", FD(owner)},
    {"--log", DRIVER, FIELD(log)},
    {"--log-dir", FD(log_dir)},
    {"--fields", FD(fields)},
    {"--max-size", NUMBER, .low = 0, .high = INT64_MAX, FIELD(max_size)},
    {"--max-file", NUMBER, .low = 1, .high = LOG_FILES_MAX, FIELD(max_file)},
    {"--health", NUMBER, .low = 0, .high = INT64_MAX, FIELD(health_interval)},
    {"--starting", NUMBER, .low = 0, .high = INT64_MAX, FIELD(health_start_interval)},
    {"--start", NUMBER, .low = 0, .high = INT64_MAX, FIELD(health_start_period)},
    {"--after", FD(after)},
    {"--ready", FD(ready)},
};
#define OPTIONS (sizeof options / sizeof *options)

/* By enum log_driver. */
static const char *const drivers[] = {"none", "json-file", "journald"};

static int set_driver(struct monitor_spec *spec, const char *value)
{
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
        if (strcmp(drivers[i], value) == 0) {
            spec->log = (enum log_driver)i;
            return 0;
        }
    return -EINVAL;
}

static int64_t load(const struct monitor_spec *spec, const struct option *option)
{
    int64_t wide = 0;
    int32_t narrow;
    const char *at = (const char *)spec + option->offset;
    if (option->width == sizeof wide) {
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
    memcpy(&narrow, at, sizeof narrow);
    return narrow;
}

static void store(struct monitor_spec *spec, const struct option *option, int64_t value)
{
    char *at = (char *)spec + option->offset;
    int32_t narrow = (int32_t)value;
    if (option->width == sizeof value)
        memcpy(at, &value, sizeof value);
    else
        memcpy(at, &narrow, sizeof narrow);
}

static int set(struct monitor_spec *spec, const struct option *option, const char *value)
{
    int64_t number;
    switch (option->kind) {
    case TEXT:
        spec->id = value;
        return *value ? 0 : -EINVAL;
    case DRIVER:
        return set_driver(spec, value);
    case NUMBER:
    case DESCRIPTOR:
        break;
    }
    if (number_parse(value, strlen(value), &number) < 0 || number < option->low ||
        number > option->high)
        return -EINVAL;
    if (option->kind == DESCRIPTOR && number >= 0 && number <= STDERR_FILENO)
        return -EINVAL;
    store(spec, option, number);
    return 0;
}

int monitor_spec_parse(char **argv, struct monitor_spec *spec)
{
    struct monitor_spec result = {.pid = 0,
                                  .dir = -1,
                                  .out = -1,
                                  .err = -1,
                                  .terminal = -1,
                                  .in = -1,
                                  .attach = -1,
                                  .owner = -1,
                                  .log_dir = -1,
                                  .fields = -1,
                                  .max_size = LOG_DEFAULT_MAX_SIZE,
                                  .max_file = LOG_DEFAULT_MAX_FILE,
                                  .after = -1,
                                  .ready = -1};
    for (char **at = argv + 1; *at; at += 2) {
        size_t i = 0;
        while (i < OPTIONS && strcmp(options[i].name, *at) != 0)
            i++;
        if (i == OPTIONS || !at[1] || set(&result, &options[i], at[1]) < 0)
            return -EINVAL;
    }
    if (!result.id || result.pid < 1 || result.dir < 0 ||
        (result.log == LOG_FILES && result.log_dir < 0) ||
        (result.log == LOG_JOURNAL && result.fields < 0))
        return -EINVAL;
    *spec = result;
    return 0;
}

int monitor_execute(int program, const struct monitor_spec *spec)
{
    char numbers[OPTIONS][NUMBER_MAX + 1];
    const char *argv[2 * OPTIONS + 2] = {"caisson-monitor"};
    size_t count = 1;
    for (size_t i = 0; i < OPTIONS; i++) {
        const struct option *option = &options[i];
        argv[count++] = option->name;
        if (option->kind == TEXT) {
            argv[count++] = spec->id;
            continue;
        }
        if (option->kind == DRIVER) {
            argv[count++] = drivers[spec->log];
            continue;
        }
        int64_t value = load(spec, option);
        if (option->kind == DESCRIPTOR && value >= 0 && fcntl((int)value, F_SETFD, 0) < 0)
            return -errno;
        numbers[i][number_format(value, numbers[i])] = '\0';
        argv[count++] = numbers[i];
    }
    syscall(SYS_execveat, program, "", argv, environ, AT_EMPTY_PATH);
    return -errno;
}
