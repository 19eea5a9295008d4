/* SPDX-License-Identifier: Apache-2.0 */
/* Asking systemd: the API of org.freedesktop.systemd1(5). */
#include "runtime/systemd.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/dbus.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"

#define SYSTEMD "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define MANAGER SYSTEMD ".Manager"
#define HOST_SOCKET "/run/systemd/private"
#define HOST_BUS "/run/dbus/system_bus_socket"
#define HOST_THERE "/run/systemd/system" /* sd_booted(3) */
#define NAME_MAX_BYTES 255
/* A busy machine may take its time. Past that nobody would believe that it still works. */
#define ALLOWED (15 * NSEC_PER_SEC)
/* As long as Docker waits: a first process that does not mind SIGTERM holds up no logout. */
#define STOP_USEC 10000000

void systemd_properties_free(struct systemd_properties *p)
{
    buf_free(&p->body);
}

/* --- names -------------------------------------------------------------------------------------
 */

bool systemd_is_slice(const char *name)
{
    return ends_with(name, ".slice");
}

int systemd_check_name(const char *name, struct error *err)
{
    size_t length = strlen(name);
    bool good = length <= NAME_MAX_BYTES && (ends_with(name, ".scope") || systemd_is_slice(name));
    for (const char *c = name; good && *c; c++)
        good = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
               strchr(":-_.\\", *c);
    if (good && length > strlen(".scope") && *name != '.')
        return 0;
    autobuf shown = {0};
    buf_printable(&shown, name);
    return error_set(err, -EINVAL,
                     "\"%.100s\" can be no unit of systemd's: at most %d letters, digits, ':', "
                     "'-', '_', '.' and '\\', with .scope or .slice at the end",
                     buf_text(&shown), NAME_MAX_BYTES);
}

int systemd_check_slice(const char *name, struct error *err)
{
    if (streq(name, "-.slice"))
        return 0;
    int rc = systemd_check_name(name, err);
    if (rc < 0)
        return rc;
    size_t stem = strlen(name) - strlen(".slice");
    if (systemd_is_slice(name) && *name != '-' && name[stem - 1] != '-' && !strstr(name, "--"))
        return 0;
    return error_set(err, -EINVAL,
                     "\"%.100s\" is no slice: parts with single dashes between them, and .slice at "
                     "the end",
                     name);
}

/* The object of a unit: what is no letter or digit becomes _xx. */
static void unit_path(const char *name, struct buf *out)
{
    buf_str(out, SYSTEMD_PATH "/unit/");
    for (const char *c = name; *c; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9' && c > name);
        if (plain)
            buf_char(out, *c);
        else
            buf_fmt(out, "_%02x", (unsigned char)*c);
    }
}

/* --- reaching it -------------------------------------------------------------------------------
 */

/* The host's number of the user whom this process is: in a user namespace 0 is somebody else. */
static unsigned own_uid(void)
{
    autobuf text = {0};
    unsigned inside = 0, outside = 0;
    if (geteuid() == 0 && read_kernel_file("/proc/self/uid_map", 4096, &text, NULL) == 0 &&
        sscanf(buf_text(&text), "%u %u", &inside, &outside) == 2 && inside == 0)
        return outside;
    return geteuid();
}

static char *runtime_directory(void)
{
    const char *told = getenv("XDG_RUNTIME_DIR");
    return told && *told == '/' ? xstrdup(told) : xasprintf("/run/user/%u", own_uid());
}

/* Of the addresses that a bus can have only this one needs nobody else's program. */
static char *session_bus(const char *runtime)
{
    const char *told = getenv("DBUS_SESSION_BUS_ADDRESS");
    if (!told || !starts_with(told, "unix:path=/"))
        return xasprintf("%s/bus", runtime);
    told += strlen("unix:path=");
    return xstrndup(told, strcspn(told, ",;"));
}

static int no_systemd(struct error *err)
{
    return error_set(err, -ENOENT, "systemd does not run on this host");
}

static int connect_user(struct dbus *out, struct error *err)
{
    struct error first = {0};
    autofree char *runtime = runtime_directory();
    autofree char *private = xasprintf("%s/systemd/private", runtime);
    if (dbus_open(private, true, geteuid(), ALLOWED, out, &first) == 0)
        return 0;
    if (first.code == -ETIMEDOUT)
        return error_set(err, first.code, "the user manager of systemd: %s", first.text);
    autofree char *bus = session_bus(runtime);
    if (dbus_open(bus, false, geteuid(), ALLOWED, out, NULL) == 0)
        return 0;
    if (access(HOST_THERE, F_OK) < 0)
        return no_systemd(err);
    return error_set(err, first.code,
                     "no user manager of systemd answers (%s): log in, or have 'loginctl "
                     "enable-linger' run",
                     first.text);
}

static int connect_host(struct dbus *out, struct error *err)
{
    struct error first = {0};
    if (access(HOST_THERE, F_OK) < 0)
        return no_systemd(err);
    if (dbus_open(HOST_SOCKET, true, 0, ALLOWED, out, &first) == 0 ||
        dbus_open(HOST_BUS, false, 0, ALLOWED, out, NULL) == 0)
        return 0;
    return error_set(err, first.code, "systemd does not answer (%s)", first.text);
}

static int connect_manager(enum systemd_manager manager, struct dbus *out, struct error *err)
{
    return manager == SYSTEMD_USER ? connect_user(out, err) : connect_host(out, err);
}

/* --- calls -------------------------------------------------------------------------------------
 */

static int call(struct dbus *bus, const char *path, const char *interface, const char *member,
                const char *signature, const struct buf *body, struct dbus_message *answer,
                struct error *err)
{
    const struct dbus_method method = {.destination = SYSTEMD,
                                       .path = path,
                                       .interface = interface,
                                       .member = member,
                                       .signature = signature,
                                       .body = body};
    return dbus_call(bus, &method, answer, err);
}

static int call_manager(struct dbus *bus, const char *member, const char *signature,
                        const struct buf *body, struct dbus_message *answer, struct error *err)
{
    return call(bus, SYSTEMD_PATH, MANAGER, member, signature, body, answer, err);
}

static bool is_error(int rc, const struct dbus_message *answer, const char *name)
{
    return rc == -EREMOTEIO && streq(answer->error, name);
}

/* A bus hands on only what was asked for; the manager's own socket hands on everything. */
static int watch_jobs(struct dbus *bus, struct error *err)
{
    struct dbus_message answer;
    autobuf body = {0};
    if (bus->direct)
        return 0;
    dbus_put_string(&body, "type='signal',sender='" SYSTEMD "',interface='" MANAGER
                           "',member='JobRemoved',path='" SYSTEMD_PATH "'");
    const struct dbus_method method = {.destination = "org.freedesktop.DBus",
                                       .path = "/org/freedesktop/DBus",
                                       .interface = "org.freedesktop.DBus",
                                       .member = "AddMatch",
                                       .signature = "s",
                                       .body = &body};
    return dbus_call(bus, &method, &answer, err);
}

/* `answer` names a job: until that is over. */
static int wait_for_job(struct dbus *bus, const struct dbus_message *answer, struct buf *result,
                        struct error *err)
{
    const char *path = NULL;
    if (dbus_read(answer, "o", &path) < 0)
        return error_set(err, -EBADMSG, "systemd answers with something that is no job");
    autofree char *ours = xstrdup(path);
    for (;;) {
        struct dbus_message signal;
        uint32_t id = 0;
        const char *job = NULL, *unit = NULL, *how = NULL;
        int rc = dbus_wait_signal(bus, &signal, err);
        if (rc < 0)
            return rc;
        if (!streq(signal.member, "JobRemoved") || !streq(signal.interface, MANAGER) ||
            dbus_read(&signal, "uoss", &id, &job, &unit, &how) < 0 || !streq(job, ours))
            continue;
        buf_printable(result, how);
        return 0;
    }
}

static int get_group(struct dbus *bus, const char *path, const char *interface, struct buf *group,
                     struct error *err)
{
    struct dbus_message answer;
    autobuf body = {0};
    const char *value = NULL;
    dbus_put_string(&body, interface);
    dbus_put_string(&body, "ControlGroup");
    int rc = call(bus, path, "org.freedesktop.DBus.Properties", "Get", "ss", &body, &answer, err);
    if (rc < 0)
        return error_prefix(err, "systemd does not tell a control group");
    if (dbus_read(&answer, "v", &value) < 0)
        return error_set(err, -EBADMSG, "systemd tells no control group");
    buf_str(group, value + (*value == '/'));
    return 0;
}

int systemd_answers(enum systemd_manager manager, struct buf *group, struct error *err)
{
    autodbus bus = DBUS_NONE;
    int rc = connect_manager(manager, &bus, err);
    if (rc == 0 && group)
        rc = get_group(&bus, SYSTEMD_PATH, MANAGER, group, err);
    return rc;
}

/* --- properties --------------------------------------------------------------------------------
 */

static void put_name(struct buf *body, const char *name, const char *signature)
{
    dbus_begin_struct(body);
    dbus_put_string(body, name);
    dbus_put_signature(body, signature);
}

static void put_text(struct buf *body, const char *name, const char *value)
{
    put_name(body, name, "s");
    dbus_put_string(body, value);
}

static void put_bool(struct buf *body, const char *name, bool value)
{
    put_name(body, name, "b");
    dbus_put_bool(body, value);
}

static void put_number(struct buf *body, const char *name, uint64_t value)
{
    put_name(body, name, "t");
    dbus_put_u64(body, value);
}

static void put_scope(struct buf *body, const struct systemd_unit *unit)
{
    put_name(body, "PIDs", "au");
    struct dbus_array pids = dbus_begin_array(body, sizeof(uint32_t));
    dbus_put_u32(body, (uint32_t)unit->pid); /* 0: who asks, as it knows from the socket */
    dbus_end_array(body, pids);
    put_bool(body, "Delegate", true);
    put_number(body, "TimeoutStopUSec", STOP_USEC);
    if (unit->own)
        put_number(body, "TasksMax", UINT64_MAX);
    else /* whose it is ends it: not the order in which a host goes down */
        put_bool(body, "DefaultDependencies", false);
}

static void put_properties(struct buf *body, const struct systemd_unit *unit)
{
    struct dbus_array all = dbus_begin_array(body, 8);
    put_text(body, "Description", unit->description);
    put_text(body, "CollectMode", "inactive-or-failed");
    if (unit->slice)
        put_text(body, "Slice", unit->slice);
    if (!systemd_is_slice(unit->name))
        put_scope(body, unit);
    put_bool(body, "MemoryAccounting", true);
    put_bool(body, "CPUAccounting", true);
    put_bool(body, "TasksAccounting", true);
    put_bool(body, "IOAccounting", true);
    if (unit->limits && unit->limits->body.len) {
        dbus_begin_struct(body);
        buf_add(body, unit->limits->body.data, unit->limits->body.len);
    }
    dbus_end_array(body, all);
}

/* --- units -------------------------------------------------------------------------------------
 */

static int ask_start(struct dbus *bus, const struct systemd_unit *unit, struct dbus_message *answer,
                     struct error *err)
{
    autobuf body = {0};
    dbus_put_string(&body, unit->name);
    dbus_put_string(&body, "fail");
    put_properties(&body, unit);
    dbus_end_array(&body, dbus_begin_array(&body, 8)); /* no other units */
    return call_manager(bus, "StartTransientUnit", "ssa(sv)a(sa(sv))", &body, answer, err);
}

static int reset_failed(struct dbus *bus, const char *name, struct error *err)
{
    struct dbus_message answer;
    autobuf body = {0};
    dbus_put_string(&body, name);
    return call_manager(bus, "ResetFailedUnit", "s", &body, &answer, err);
}

/* A unit that failed under the name is in nobody's way. */
static int start_unit(struct dbus *bus, const struct systemd_unit *unit, struct error *err)
{
    struct dbus_message answer;
    autobuf result = {0};
    int rc = ask_start(bus, unit, &answer, err);
    bool there = is_error(rc, &answer, SYSTEMD ".UnitExists");
    if (there && reset_failed(bus, unit->name, NULL) == 0) {
        rc = ask_start(bus, unit, &answer, err);
        there = is_error(rc, &answer, SYSTEMD ".UnitExists");
    }
    if (there)
        return error_set(err, -EEXIST,
                         "systemd has a unit %s already: another container uses it, or end it with "
                         "systemctl stop",
                         unit->name);
    if (rc == 0)
        rc = wait_for_job(bus, &answer, &result, err);
    if (rc < 0)
        return error_prefix(err, "systemd does not start %s", unit->name);
    if (streq(buf_text(&result), "done"))
        return 0;
    return error_set(err, -ECANCELED, "systemd could not start %s (%.40s): its journal says why",
                     unit->name, buf_text(&result));
}

int systemd_start(const struct systemd_unit *unit, struct buf *group, struct error *err)
{
    autodbus bus = DBUS_NONE;
    autobuf path = {0};
    int rc = connect_manager(unit->manager, &bus, err);
    if (rc == 0)
        rc = watch_jobs(&bus, err);
    if (rc == 0)
        rc = start_unit(&bus, unit, err);
    if (rc < 0 || !group)
        return rc;
    unit_path(unit->name, &path);
    return get_group(&bus, buf_text(&path),
                     systemd_is_slice(unit->name) ? SYSTEMD ".Slice" : SYSTEMD ".Scope", group,
                     err);
}

int systemd_set(enum systemd_manager manager, const char *name,
                const struct systemd_properties *limits, struct error *err)
{
    autodbus bus = DBUS_NONE;
    struct dbus_message answer;
    autobuf body = {0};
    if (limits->body.len == 0)
        return 0;
    int rc = connect_manager(manager, &bus, err);
    if (rc < 0)
        return rc;
    dbus_put_string(&body, name);
    dbus_put_bool(&body, true); /* until it ends: nothing is kept on disk */
    struct dbus_array all = dbus_begin_array(&body, 8);
    buf_add(&body, limits->body.data, limits->body.len);
    dbus_end_array(&body, all);
    rc = call_manager(&bus, "SetUnitProperties", "sba(sv)", &body, &answer, err);
    return rc < 0 ? error_prefix(err, "systemd does not change %s", name) : 0;
}

int systemd_stop(enum systemd_manager manager, const char *name, struct error *err)
{
    autodbus bus = DBUS_NONE;
    struct dbus_message answer;
    autobuf body = {0}, result = {0};
    int rc = connect_manager(manager, &bus, err);
    if (rc == 0)
        rc = watch_jobs(&bus, err);
    if (rc < 0)
        return rc;
    dbus_put_string(&body, name);
    dbus_put_string(&body, "replace");
    rc = call_manager(&bus, "StopUnit", "ss", &body, &answer, err);
    if (is_error(rc, &answer, SYSTEMD ".NoSuchUnit"))
        return 0;
    if (rc == 0)
        rc = wait_for_job(&bus, &answer, &result, err);
    if (rc < 0)
        return error_prefix(err, "systemd does not stop %s", name);
    (void)reset_failed(&bus, name, NULL);
    return 0;
}
