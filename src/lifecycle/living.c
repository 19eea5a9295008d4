/* SPDX-License-Identifier: Apache-2.0 */
/* Containers on disk: lifecycle.h says how. */
#include <fcntl.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/io.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/container.h"
#include "lifecycle/life.h"
#include "runtime/bundle_launch.h"
#include "runtime/syscalls.h"

#define STATE "state.json"
#define CONFIG "config.json"
#define LOCK ".lock"
#define STATE_MAX (1u << 20)
#define ID_MAX 128

const char *life_name(enum life life)
{
    static const char *const names[] = {
        [LIFE_CREATING] = "creating", [LIFE_CREATED] = "created", [LIFE_RUNNING] = "running",
        [LIFE_PAUSED] = "paused",     [LIFE_STOPPED] = "stopped",
    };
    return names[life];
}

/* --- the root ----------------------------------------------------------------------------------
 */

int containers_root_open(const char *path, bool make, struct containers_root *out,
                         struct error *err)
{
    int rc = make ? make_directories(path, 0700, err) : 0;
    if (rc < 0)
        return rc;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && (make || errno != ENOENT))
        return error_errno(err, "cannot open --root %s", path);
    *out = (struct containers_root){fd < 0 ? -1 : fd, xstrdup(path)};
    return 0;
}

void containers_root_close(struct containers_root *root)
{
    if (root->fd >= 0)
        close(take_fd(&root->fd));
    free(take_ptr(root->path));
}

static int lock_root(const struct containers_root *root, struct error *err)
{
    int fd = openat(root->fd, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, "cannot open %s/" LOCK, root->path);
    int rc = lock_fd(fd, LOCK_EX);
    if (rc == 0)
        return fd;
    close(fd);
    return error_set(err, rc, "cannot lock %s/" LOCK ": %s", root->path, error_describe(rc));
}

/* --- ids ---------------------------------------------------------------------------------------
 */

int living_check_id(const char *id, struct error *err)
{
    size_t length = strlen(id);
    bool good = length > 0 && length <= ID_MAX && id[0] != '.' && id[0] != '-';
    for (const char *c = id; good && *c; c++)
        good = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
               strchr("_+-.", *c);
    if (good)
        return 0;
    autobuf shown = {0};
    buf_printable(&shown, id);
    return error_set(err, -EINVAL,
                     "\"%.100s\" is no container id: 1 to %d letters, digits, '_', '+', '-' and "
                     "'.', of which the first is none of '-' and '.'",
                     buf_text(&shown), ID_MAX);
}

/* --- opened and closed -------------------------------------------------------------------------
 */

void living_close(struct living *c)
{
    (void)living_unlock(c);
    if (c->dir >= 0)
        close(take_fd(&c->dir));
    free(take_ptr(c->id));
    free(take_ptr(c->bundle));
    free(take_ptr(c->rootfs));
    free(take_ptr(c->cgroup));
    free(take_ptr(c->unit));
    strv_free(&c->annotations);
}

/* Said and not only closed: a first process that still sets itself up has a copy. */
int living_unlock(struct living *c)
{
    int rc = c->locked ? lock_fd(c->dir, LOCK_UN) : 0;
    c->locked = false;
    return rc;
}

static int open_directory(const struct containers_root *root, const char *id)
{
    int fd =
        root->fd < 0 ? -1 : openat(root->fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? (root->fd < 0 ? -ENOENT : -errno) : fd;
}

static bool has_state(int dir)
{
    return faccessat(dir, STATE, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void living_group_name(const char *root, const char *id, char out[LIVING_GROUP_SIZE])
{
    char hex[SHA256_HEX];
    sha256_hex(root, strlen(root), hex);
    snprintf(out, LIVING_GROUP_SIZE, "%.100s-%.8s", id, hex);
}

/* The group that a killed create made before anything was recorded of it: where its configuration,
 * which is kept first, says. Its process ended with its maker; what anybody else has put into a
 * group of that name stays, and the group with it. */
static void sweep_group(const struct containers_root *root, const char *id, int dir)
{
    struct living c = {.dir = dir, .id = (char *)(uintptr_t)id, .bundle = (char *)(uintptr_t) "/"};
    autocgroup group = CGROUP_EMPTY;
    autobundle bundle;
    char own[LIVING_GROUP_SIZE];
    bundle_init(&bundle);
    if (living_read_config(&c, &bundle, NULL) < 0)
        return;
    if (bundle.cgroup_unit) /* a scope goes with its last process */
        return;
    living_group_name(root->path, id, own);
    const char *name = bundle.cgroup_name ? bundle.cgroup_name : own;
    const char *parent = bundle.cgroup_name ? bundle.cgroup_parent : CGROUP_FOREIGN_PARENT;
    if (cgroup_find(parent, name, &group, NULL) == 0)
        (void)cgroup_remove(&group, NULL);
}

/* Under the root's lock: what nobody finished and nobody works on goes. */
static bool sweep(const struct containers_root *root, const char *id)
{
    autofd dir = open_directory(root, id);
    if (dir < 0 || has_state(dir) || lock_fd(dir, LOCK_EX | LOCK_NB) < 0 || has_state(dir))
        return false;
    sweep_group(root, id, dir);
    return remove_tree_at(root->fd, id, NULL) == 0;
}

int living_claim(const struct containers_root *root, const char *id, struct living *out,
                 struct error *err)
{
    int rc = living_check_id(id, err);
    if (rc < 0)
        return rc;
    autofd top = lock_root(root, err);
    if (top < 0)
        return top;
    bool made = mkdirat(root->fd, id, 0700) == 0;
    if (!made && errno == EEXIST && sweep(root, id))
        made = mkdirat(root->fd, id, 0700) == 0;
    if (!made && errno == EEXIST)
        return error_set(err, -EEXIST,
                         "container with id %s already exists; choose another id, or "
                         "delete it first",
                         id);
    if (!made)
        return error_errno(err, "cannot make %s/%s", root->path, id);
    autoliving c = LIVING_NONE;
    c.dir = open_directory(root, id);
    rc = c.dir < 0 ? c.dir : lock_fd(c.dir, LOCK_EX | LOCK_NB);
    if (rc < 0)
        return error_set(err, rc, "cannot lock %s/%s: %s", root->path, id, error_describe(rc));
    c.locked = true;
    c.id = xstrdup(id);
    c.owner = geteuid();
    *out = c;
    c = (struct living)LIVING_NONE;
    return 0;
}

/* --- state.json --------------------------------------------------------------------------------
 */

static void write_annotations(const struct strv *annotations, struct json_out *w)
{
    json_begin(w, "annotations", '{');
    for (size_t i = 0; i < annotations->len; i++) {
        autofree char *key = xstrdup(annotations->items[i]);
        char *value = strchr(key, '=');
        if (value)
            *value++ = '\0';
        json_str(w, key, value ? value : "");
    }
    json_end(w, '}');
}

int living_save(struct living *c, struct error *err)
{
    autobuf text = {0};
    char created[RFC3339_MAX];
    struct json_out w = {.buf = &text};
    format_rfc3339(c->created, created);
    json_begin(&w, NULL, '{');
    json_i64(&w, "version", 1);
    json_str(&w, "bundle", c->bundle);
    json_str(&w, "rootfs", c->rootfs);
    json_i64(&w, "pid", c->pid);
    json_u64(&w, "startTime", c->start_time);
    json_str(&w, "created", created);
    json_str(&w, "cgroup", c->cgroup ? c->cgroup : "none");
    if (c->unit)
        json_str(&w, c->unit_of_user ? "userUnit" : "unit", c->unit);
    json_u64(&w, "owner", c->owner);
    write_annotations(&c->annotations, &w);
    json_end(&w, '}');
    /* What could not be read again would be a container that nobody can stop. */
    if (text.len > STATE_MAX)
        return error_set(err, -E2BIG,
                         "the state of container %s is larger than %u bytes: shorten its "
                         "annotations",
                         c->id, STATE_MAX);
    return write_file_at(c->dir, STATE, text.data, text.len, 0600, VOLATILE, err);
}

int living_save_config(struct living *c, const struct buf *config, struct error *err)
{
    return write_file_at(c->dir, CONFIG, config->data, config->len, 0600, VOLATILE, err);
}

static int read_state(struct living *c, struct error *err)
{
    autobuf text = {0};
    int64_t pid = 0, start = 0, owner = 0;
    const char *bundle = NULL, *rootfs = NULL, *created = NULL, *cgroup = NULL;
    const char *unit = NULL, *user_unit = NULL;
    int rc = read_file_at(c->dir, STATE, STATE_MAX, &text, err);
    if (rc < 0)
        return rc;
    autojson json = json_parse(buf_text(&text), text.len, STATE, err);
    if (!json)
        return -EINVAL;
    if ((rc = json_get_string(json, "bundle", &bundle, err)) < 0 ||
        (rc = json_get_string(json, "rootfs", &rootfs, err)) < 0 ||
        (rc = json_get_string(json, "created", &created, err)) < 0 ||
        (rc = json_get_string(json, "cgroup", &cgroup, err)) < 0 ||
        (rc = json_get_string(json, "unit", &unit, err)) < 0 ||
        (rc = json_get_string(json, "userUnit", &user_unit, err)) < 0 ||
        (rc = json_get_i64(json, "pid", &pid, err)) < 0 ||
        (rc = json_get_i64(json, "startTime", &start, err)) < 0 ||
        (rc = json_get_i64(json, "owner", &owner, err)) < 0)
        return error_prefix(err, "container %s: " STATE, c->id);
    if (!bundle || !rootfs || !created || !cgroup || pid <= 0 || pid > INT32_MAX ||
        parse_rfc3339(created, &c->created) < 0)
        return error_set(err, -EINVAL, "container %s: " STATE " is damaged", c->id);
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(json, "annotations"), key, value)
    {
        if (json_is_string(value))
            strv_fmt(&c->annotations, "%s=%s", key, json_string_value(value));
    }
    c->bundle = xstrdup(bundle);
    c->rootfs = xstrdup(rootfs);
    c->cgroup = xstrdup(cgroup);
    c->unit_of_user = user_unit;
    c->unit = user_unit ? xstrdup(user_unit) : unit ? xstrdup(unit) : NULL;
    c->pid = (pid_t)pid;
    c->start_time = (uint64_t)start;
    c->owner = (unsigned)owner;
    return 0;
}

int living_read_config(const struct living *c, struct bundle *out, struct error *err)
{
    autobuf text = {0};
    int rc = read_file_at(c->dir, CONFIG, PLAN_TEXT_MAX, &text, err);
    if (rc == 0)
        rc = bundle_parse(buf_text(&text), text.len, c->bundle, out, err);
    return rc < 0 ? error_prefix(err, "container %s", c->id) : 0;
}

static bool is_frozen(const struct living *c)
{
    autocgroup group = CGROUP_EMPTY;
    bool frozen = false;
    return living_group(c, &group, NULL) == 0 && cgroup_frozen(&group, &frozen, NULL) == 0 &&
           frozen;
}

void living_look(struct living *c)
{
    if (c->pid == 0)
        c->now = LIFE_CREATING;
    else if (!process_alive(c->pid, c->start_time))
        c->now = LIFE_STOPPED;
    else if (is_frozen(c))
        c->now = LIFE_PAUSED;
    else
        c->now = bundle_waits(c->dir) ? LIFE_CREATED : LIFE_RUNNING;
}

static int unknown(const char *id, struct error *err)
{
    return error_set(err, -ENOENT, "container \"%s\" does not exist", id);
}

int living_open(const struct containers_root *root, const char *id, bool lock, struct living *out,
                struct error *err)
{
    autoliving c = LIVING_NONE;
    int rc = living_check_id(id, err);
    if (rc < 0)
        return rc;
    c.dir = open_directory(root, id);
    if (c.dir == -ENOENT)
        return unknown(id, err);
    if (c.dir < 0)
        return error_set(err, c.dir, "cannot open container %s: %s", id, error_describe(c.dir));
    if (lock) {
        struct stat st;
        rc = lock_fd(c.dir, LOCK_EX);
        if (rc < 0)
            return error_set(err, rc, "cannot lock container %s: %s", id, error_describe(rc));
        c.locked = true;
        if (fstat(c.dir, &st) < 0 || st.st_nlink == 0)
            return unknown(id, err); /* deleted while we waited */
    }
    c.id = xstrdup(id);
    if (has_state(c.dir)) {
        rc = read_state(&c, err);
    } else {
        autofd top = lock_root(root, err);
        (void)living_unlock(&c);
        if (top < 0)
            return top;
        if (sweep(root, id))
            return unknown(id, err);
        c.bundle = xstrdup("");
        c.rootfs = xstrdup("");
        c.created = clock_wall();
    }
    if (rc < 0)
        return rc;
    living_look(&c);
    *out = c;
    c = (struct living)LIVING_NONE;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int living_list(const struct containers_root *root, struct strv *ids, struct error *err)
{
    if (root->fd < 0)
        return 0;
    autofd top = lock_root(root, err);
    if (top < 0)
        return top;
    int fd = openat(root->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autodir stream = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    if (!stream)
        return error_errno(err, "cannot list %s", root->path);
    while ((entry = readdir(stream)))
        if (entry->d_type == DT_DIR && living_check_id(entry->d_name, NULL) == 0)
            strv_add(ids, entry->d_name);
    size_t kept = 0;
    for (size_t i = 0; i < ids->len; i++) {
        if (sweep(root, ids->items[i]))
            free(ids->items[i]);
        else
            ids->items[kept++] = ids->items[i];
    }
    if (ids->items)
        ids->items[kept] = NULL;
    ids->len = kept;
    if (kept)
        qsort(ids->items, kept, sizeof *ids->items, by_name);
    return 0;
}

int living_remove(const struct containers_root *root, struct living *c, struct error *err)
{
    autofd top = lock_root(root, err);
    return top < 0 ? top : remove_tree_at(root->fd, c->id, err);
}

/* --- what others ask ---------------------------------------------------------------------------
 */

void living_state(const struct living *c, const char *status, pid_t pid, unsigned indent,
                  struct buf *out)
{
    char created[RFC3339_MAX];
    struct json_out w = {.buf = out, .indent = indent};
    format_rfc3339(c->created, created);
    json_begin(&w, NULL, '{');
    json_str(&w, "ociVersion", "1.2.0");
    json_str(&w, "id", c->id);
    json_str(&w, "status", status);
    json_i64(&w, "pid", pid);
    json_str(&w, "bundle", c->bundle);
    json_str(&w, "rootfs", c->rootfs);
    json_str(&w, "created", created);
    autofree char *owner = xasprintf("%u", c->owner);
    json_str(&w, "owner", owner);
    write_annotations(&c->annotations, &w);
    json_end(&w, '}');
}

int living_group(const struct living *c, struct cgroup *out, struct error *err)
{
    return cgroup_open(c->cgroup ? c->cgroup : "none", out, err);
}

bool living_unit(const struct living *c, struct cgroup_unit *out)
{
    *out = (struct cgroup_unit){.of_user = c->unit_of_user, .name = c->unit};
    return c->unit;
}

int living_pidfd(const struct living *c, struct error *err)
{
    autofd fd = c->pid > 0 ? sys_pidfd_open(c->pid) : -ESRCH;
    if (fd < 0 || !process_alive(c->pid, c->start_time))
        return error_set(err, -ESRCH, "container not running: %s", c->id);
    return take_fd(&fd);
}
