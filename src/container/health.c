/* SPDX-License-Identifier: Apache-2.0 */
#include "container/health.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "container/disk.h"
#include "container/events.h"
#include "container/start.h"

#define OUTPUT_MAX 4096 /* of one check, as Docker's */
#define LOG_MAX 5       /* checks that are kept */
#define FILE_MAX (256u << 10)
#define DEFAULT_INTERVAL (30 * NSEC_PER_SEC)
#define DEFAULT_TIMEOUT (30 * NSEC_PER_SEC)
#define DEFAULT_START_INTERVAL (5 * NSEC_PER_SEC)
#define DEFAULT_RETRIES 3
#define LEAST_TIME (NSEC_PER_SEC / 1000)
#define LEAST_PAUSE NSEC_PER_SEC /* of an image's: a check costs a process or two */
#define MOST_TIME (INT64_C(366) * 24 * 3600 * NSEC_PER_SEC) /* can be added to any clock */

bool health_wanted(const struct plan *plan)
{
    return plan->health.test.len > 0;
}

/* --- planning --- */

static int time_flag(const char *flag, const char *text, int64_t *out, struct error *err)
{
    if (!text)
        return 0;
    if (parse_duration(text, out) < 0 || (*out != 0 && *out < LEAST_TIME))
        return error_set(err, -EINVAL, "%s %.40s: give a time such as 30s or 1m30s, at least 1ms",
                         flag, text);
    return 0;
}

static int refuse_without_check(const struct request *r, struct error *err)
{
    if (r->health_interval || r->health_timeout || r->health_start_period ||
        r->health_start_interval || r->health_retries != INT64_MIN)
        return error_set(err, -EINVAL,
                         "the image has no health check: give --health-cmd beside its times");
    return 0;
}

static int64_t or_default(int64_t value, int64_t usual)
{
    return value <= 0 ? usual : value < MOST_TIME ? value : MOST_TIME;
}

/* What an image says of the pace; only a flag can ask for more than once a second. */
static int64_t not_too_often(int64_t pause)
{
    return pause > 0 && pause < LEAST_PAUSE ? LEAST_PAUSE : pause;
}

static int plan_times(const struct request *r, const struct health_check *image,
                      struct plan_health *health, struct error *err)
{
    health->interval = not_too_often(image->interval);
    health->timeout = image->timeout;
    health->start_period = image->start_period;
    health->start_interval = not_too_often(image->start_interval);
    int rc = time_flag("--health-interval", r->health_interval, &health->interval, err);
    if (rc == 0)
        rc = time_flag("--health-timeout", r->health_timeout, &health->timeout, err);
    if (rc == 0)
        rc = time_flag("--health-start-period", r->health_start_period, &health->start_period, err);
    if (rc == 0)
        rc = time_flag("--health-start-interval", r->health_start_interval, &health->start_interval,
                       err);
    if (rc < 0)
        return rc;
    health->interval = or_default(health->interval, DEFAULT_INTERVAL);
    health->timeout = or_default(health->timeout, DEFAULT_TIMEOUT);
    health->start_interval = or_default(health->start_interval, DEFAULT_START_INTERVAL);
    health->start_period = or_default(health->start_period, 0);
    health->retries = or_default(
        r->health_retries != INT64_MIN ? r->health_retries : image->retries, DEFAULT_RETRIES);
    return 0;
}

int plan_health(struct planning *p, struct error *err)
{
    const struct request *r = p->request;
    const struct health_check *image = &p->image->config.health;
    struct plan_health *health = &p->plan->health;
    bool none = image->test.len == 0 || streq(image->test.items[0], "NONE");
    if (r->no_health && (r->health_cmd || refuse_without_check(r, NULL) < 0))
        return error_set(err, -EINVAL, "--no-healthcheck and --health-… contradict each other");
    if (r->no_health || (r->health_cmd && streq(r->health_cmd, "none")))
        return 0;
    if (none && !r->health_cmd)
        return refuse_without_check(r, err);
    if (r->health_cmd) {
        strv_add(&health->test, "CMD-SHELL");
        strv_add(&health->test, r->health_cmd);
    } else {
        strv_copy(&health->test, &image->test);
    }
    if (health->test.len < 2 ||
        (!streq(health->test.items[0], "CMD") && !streq(health->test.items[0], "CMD-SHELL"))) {
        strv_free(&health->test);
        return error_set(err, -EINVAL,
                         "the image's health check names no command: give --health-cmd or "
                         "--no-healthcheck");
    }
    return plan_times(r, image, health, err);
}

/* --- one check --- */

struct result {
    nanoseconds begun, ended;
    int exit_code; /* -1: it took too long */
    size_t length;
    char output[OUTPUT_MAX];
};

static _Noreturn void run_inside(struct container *c, int output)
{
    struct exec_options options = {.unnoticed = true};
    struct error err = {0};
    int exit_code = 125;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
        _exit(125);
    if (streq(c->plan.health.test.items[0], "CMD-SHELL")) {
        strv_add(&options.args, "/bin/sh");
        strv_add(&options.args, "-c");
    }
    for (size_t i = 1; i < c->plan.health.test.len; i++)
        strv_add(&options.args, c->plan.health.test.items[i]);
    int rc = container_exec(c, &options, &exit_code, &err);
    if (rc < 0) {
        char line[sizeof err.text + 2];
        int n = snprintf(line, sizeof line, "%s\n", err.text);
        (void)write_all(1, line, (size_t)n);
    }
    _exit(rc < 0 && exit_code <= 0 ? 125 : exit_code);
}

/* Until end of file or `end`; what does not fit is read and dropped. False: time is over. */
static bool read_output(int fd, nanoseconds end, struct result *result)
{
    char spare[1024];
    for (;;) {
        nanoseconds left = end - clock_monotonic();
        struct pollfd watched = {.fd = fd, .events = POLLIN};
        int n = left <= 0
                    ? 0
                    : poll(&watched, 1, (int)(left / 1000000 < 60000 ? left / 1000000 + 1 : 60000));
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0 && clock_monotonic() >= end)
            return false;
        if (n <= 0)
            continue;
        bool full = result->length == sizeof result->output;
        ssize_t got = read(fd, full ? spare : result->output + result->length,
                           full ? sizeof spare : sizeof result->output - result->length);
        if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
            return true;
        if (got > 0 && !full)
            result->length += (size_t)got;
    }
}

static int run_check(struct container *c, struct result *result, struct error *err)
{
    int ends[2], status = 0;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, "cannot make a pipe for the health check");
    result->begun = clock_wall();
    pid_t pid = fork();
    if (pid == 0)
        run_inside(c, ends[1]);
    int why = errno;
    close(ends[1]);
    autofd from = ends[0];
    if (pid < 0)
        return error_set(err, -why, "cannot start the health check: %s", error_describe(why));
    bool in_time = read_output(from, clock_monotonic() + c->plan.health.timeout, result);
    if (!in_time)
        kill(pid, SIGKILL); /* and what it joined with dies with it */
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    result->ended = clock_wall();
    result->exit_code = in_time ? process_exit_code(status) : -1;
    if (!in_time) {
        autobuf text = {0};
        buf_str(&text, "Health check exceeded timeout (");
        format_human_duration(&text, c->plan.health.timeout);
        buf_char(&text, ')');
        result->length = text.len < sizeof result->output ? text.len : sizeof result->output;
        memcpy(result->output, text.data, result->length);
    }
    return 0;
}

/* --- what is kept --- */

static json_t *read_kept(int state)
{
    autobuf text = {0};
    if (state < 0 || read_file_at(state, HEALTH_NAME, FILE_MAX, &text, NULL) < 0)
        return NULL;
    return json_parse(buf_text(&text), text.len, HEALTH_NAME, NULL);
}

static void write_entry(struct json_out *w, const struct result *result)
{
    char begun[RFC3339_MAX], ended[RFC3339_MAX];
    format_rfc3339(result->begun, begun);
    format_rfc3339(result->ended, ended);
    json_begin(w, NULL, '{');
    json_str(w, "Start", begun);
    json_str(w, "End", ended);
    json_i64(w, "ExitCode", result->exit_code);
    json_strn(w, "Output", result->output, result->length);
    json_end(w, '}');
}

/* Failures while it starts do not count, until it was well once. */
static const char *judge(const struct container *c, const char *before, const struct result *result,
                         int64_t *streak)
{
    bool starting = !*before || streq(before, "starting");
    if (result->exit_code == 0) {
        *streak = 0;
        return "healthy";
    }
    if (starting && result->begun - c->status.started < c->plan.health.start_period)
        return "starting";
    ++*streak;
    return *streak >= c->plan.health.retries ? "unhealthy" : starting ? "starting" : before;
}

static int keep(struct container *c, const struct result *result, struct error *err)
{
    autojson old = read_kept(c->state);
    const char *before = "";
    json_t *log = NULL;
    int64_t streak = 0;
    if (old) {
        (void)json_get_string(old, "Status", &before, NULL);
        (void)json_get_i64(old, "FailingStreak", &streak, NULL);
        (void)json_get_array(old, "Log", &log, NULL);
    }
    const char *now = judge(c, before ? before : "", result, &streak);
    autobuf text = {0};
    struct json_out w = {.buf = &text};
    json_begin(&w, NULL, '{');
    json_str(&w, "Status", now);
    json_i64(&w, "FailingStreak", streak);
    json_begin(&w, "Log", '[');
    size_t count = log ? json_array_size(log) : 0;
    for (size_t i = count >= LOG_MAX ? count - LOG_MAX + 1 : 0; i < count; i++)
        json_tree(&w, NULL, json_array_get(log, i));
    write_entry(&w, result);
    json_end(&w, ']');
    json_end(&w, '}');
    if (!before || !streq(before, now)) {
        autofree char *action = xasprintf("health_status: %s", now);
        event_tell(c->all, &c->plan, c->id, action, NULL, NULL);
    }
    return write_file_at(c->state, HEALTH_NAME, buf_text(&text), text.len, 0600, VOLATILE, err);
}

int health_begin(const struct container *c, struct error *err)
{
    static const char text[] = "{\"Status\":\"starting\",\"FailingStreak\":0,\"Log\":[]}";
    return write_file_at(c->state, HEALTH_NAME, text, sizeof text - 1, 0600, VOLATILE, err);
}

int health_check(struct container *c, bool *healthy, struct error *err)
{
    struct result *result = xcalloc(1, sizeof *result);
    *healthy = false;
    int rc = 0;
    if (!health_wanted(&c->plan) || c->now != CONTAINER_RUNNING)
        rc = error_set(err, -ESRCH, "container %s has no health check to run now", c->plan.name);
    if (rc == 0)
        rc = run_check(c, result, err);
    /* A check that was cut off by the container's end says nothing. */
    if (rc == 0 && process_alive(c->status.pid, c->status.start_time))
        rc = keep(c, result, err);
    *healthy = rc == 0 && result->exit_code == 0;
    free(result);
    return rc;
}

void health_status(int state, char out[16])
{
    autojson kept = read_kept(state);
    const char *status = NULL;
    if (kept)
        (void)json_get_string(kept, "Status", &status, NULL);
    snprintf(out, 16, "%s", status ? status : "");
}

void health_write(const struct container *c, struct json_out *w)
{
    autojson kept = read_kept(c->state);
    if (kept) {
        json_tree(w, "Health", kept);
        return;
    }
    json_begin(w, "Health", '{');
    json_str(w, "Status", "none"); /* in the foreground nobody checks */
    json_i64(w, "FailingStreak", 0);
    json_begin(w, "Log", '[');
    json_end(w, ']');
    json_end(w, '}');
}
