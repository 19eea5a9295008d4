/* SPDX-License-Identifier: Apache-2.0 */
/* Reading --device and --device-cgroup-rule. Guards against a file that is no device being handed
 * in as one, and against places in the container outside /dev. Owns no state. */
#include "runtime/devices.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/strv.h"
#include "base/text.h"
#include "path/inroot.h"

/* Letters r, w, m, each once at most. 0 when it is something else. */
static uint8_t read_access(const char *text)
{
    uint8_t access = 0;

    for (; *text; text++) {
        uint8_t one = *text == 'r'   ? DEVICE_READ
                      : *text == 'w' ? DEVICE_WRITE
                      : *text == 'm' ? DEVICE_MKNOD
                                     : 0;
        if (one == 0 || (access & one))
            return 0;
        access |= one;
    }
    return access;
}

/* HOST, HOST:ACCESS, HOST:PATH or HOST:PATH:ACCESS. */
static int split(const char *text, struct strv *parts, const char **path, uint8_t *access,
                 struct error *err)
{
    strv_split(parts, text, ':');
    *path = parts->items[0];
    *access = DEVICE_RWM;
    const char *mode = parts->len == 3 ? parts->items[2] : NULL;
    if (parts->len == 2 && parts->items[1][0] != '/')
        mode = parts->items[1];
    else if (parts->len >= 2)
        *path = parts->items[1];
    if (mode)
        *access = read_access(mode);
    if (parts->len > 3 || parts->items[0][0] != '/')
        return error_set(err, -EINVAL,
                         "--device is written HOST[:PATH][:ACCESS] with absolute paths, for "
                         "example /dev/ttyUSB0:/dev/modem:rw");
    if (*access == 0)
        return error_set(err, -EINVAL,
                         "--device %.200s: the access is letters of r (read), w (write) and m "
                         "(make nodes)",
                         parts->items[0]);
    return 0;
}

static int examine(const char *name, struct device_spec *spec, struct error *err)
{
    struct stat st;

    spec->host = realpath(name, NULL);
    if (!spec->host || stat(spec->host, &st) < 0)
        return error_errno(err, "--device %.200s", name);
    if (S_ISDIR(st.st_mode))
        return error_set(err, -EISDIR,
                         "--device %.200s is a directory: name each device in it that the "
                         "container needs",
                         name);
    if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
        return error_set(err, -ENODEV,
                         "--device %.200s is no device: to hand in a file use -v or --mount", name);
    spec->type = S_ISCHR(st.st_mode) ? 'c' : 'b';
    spec->major = major(st.st_rdev);
    spec->minor = minor(st.st_rdev);
    return 0;
}

int device_parse(const char *text, struct device_spec *out, struct error *err)
{
    struct device_spec spec = {0};
    char clean[INROOT_PATH_MAX];
    autostrv parts = {0};
    const char *path;

    int rc = split(text, &parts, &path, &spec.access, err);
    if (rc == 0)
        rc = inroot_clean(path, "--device", clean, err);
    if (rc == 0 && (!starts_with(clean, "/dev/")))
        rc = error_set(err, -EINVAL,
                       "--device: %.200s is not below /dev; give a place there: %.200s:/dev/NAME",
                       clean, parts.items[0]);
    if (rc == 0)
        rc = examine(parts.items[0], &spec, err);
    if (rc < 0) {
        device_spec_free(&spec);
        return rc;
    }
    spec.path = xstrdup(clean);
    *out = spec;
    return 0;
}

void device_spec_free(struct device_spec *spec)
{
    free(take_ptr(spec->host));
    free(take_ptr(spec->path));
}

struct device_rule device_rule_of(const struct device_spec *spec)
{
    return (struct device_rule){spec->type, spec->major, spec->minor, spec->access, true};
}

static int read_number(const char *text, uint64_t max, int64_t *number)
{
    uint64_t value;

    if (streq(text, "*")) {
        *number = -1;
        return 0;
    }
    int rc = parse_u64(text, max, &value);
    if (rc == 0)
        *number = (int64_t)value;
    return rc;
}

int device_rule_parse(const char *text, struct device_rule *out, struct error *err)
{
    struct device_rule rule = {.type = text[0], .major = -1, .minor = -1, .allow = true};
    autostrv words = {0}, numbers = {0};

    strv_split(&words, text, ' ');
    if (words.len == 1 && streq(text, "a")) {
        rule.access = DEVICE_RWM;
        *out = rule;
        return 0;
    }
    if (words.len == 3 && strlen(words.items[0]) == 1 && strchr("abc", rule.type)) {
        strv_split(&numbers, words.items[1], ':');
        rule.access = read_access(words.items[2]);
        if (rule.access && numbers.len == 2 &&
            read_number(numbers.items[0], (1 << 12) - 1, &rule.major) == 0 &&
            read_number(numbers.items[1], (1 << 20) - 1, &rule.minor) == 0) {
            *out = rule;
            return 0;
        }
    }
    return error_set(err, -EINVAL,
                     "--device-cgroup-rule is written 'TYPE MAJOR:MINOR ACCESS', for example "
                     "'c 10:229 rwm' or 'b 8:* r'");
}
