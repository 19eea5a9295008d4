/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/label.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"

#define PROC_ROOT_INODE 1
#define LABEL_MAX 4000 /* below the page that the kernel takes */
#define SELINUX_FS "/sys/fs/selinux"
#define APPARMOR_QUERY "/sys/kernel/security/apparmor/.access"

bool label_host_has_apparmor(void)
{
    autobuf text = {0};
    return read_kernel_file("/sys/module/apparmor/parameters/enabled", 16, &text, NULL) == 0 &&
           text.len > 0 && text.data[0] == 'Y';
}

bool label_host_has_selinux(void)
{
    struct statfs fs;
    return statfs(SELINUX_FS, &fs) == 0 && fs.f_type == SELINUX_MAGIC;
}

/* The list of loaded profiles is for administrators only; what a profile allows (here: to look at
 * "/", whatever the answer) anyone may ask, and that a profile is not there is then the answer. */
int label_apparmor_loaded(const char *profile)
{
    static const char kind[] = "label", what[] = "\2/"; /* class 2: files */
    autobuf query = {0};
    autofd fd = open(APPARMOR_QUERY, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    buf_add(&query, kind, sizeof kind);
    buf_add(&query, profile, strlen(profile) + 1);
    buf_add(&query, what, strlen(what));
    return write(fd, query.data, query.len) < 0 ? -errno : 0;
}

static int check_text(const char *text, struct error *err)
{
    size_t length = strlen(text);
    if (length == 0 || length > LABEL_MAX)
        return error_set(err, -EINVAL, "a security label must have 1 to %d characters", LABEL_MAX);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return error_set(err, -EINVAL, "a security label must not hold control characters");
    return 0;
}

static int check_host(enum label_kind kind, const char *text, struct error *err)
{
    if (kind == LABEL_SELINUX && !label_host_has_selinux())
        return error_set(err, -ENOTSUP,
                         "SELinux label %s was asked for, but SELinux is not enabled on this host",
                         text);
    if (kind == LABEL_APPARMOR && !label_host_has_apparmor())
        return error_set(err, -ENOTSUP,
                         "AppArmor profile %s was asked for, but AppArmor is not enabled on this "
                         "host",
                         text);
    if (kind == LABEL_APPARMOR && strcmp(text, "unconfined") != 0 &&
        label_apparmor_loaded(text) == -ENOENT)
        return error_set(err, -ENOENT,
                         "AppArmor profile %s is not loaded: load it with apparmor_parser, or "
                         "leave the option out",
                         text);
    return 0;
}

int label_prepare(enum label_kind kind, const char *text, struct label *out, struct error *err)
{
    struct label label = {.kind = kind};
    if (kind != LABEL_NONE) {
        int rc = check_text(text, err);
        if (rc == 0)
            rc = check_host(kind, text, err);
        if (rc < 0)
            return rc;
        label.value =
            kind == LABEL_APPARMOR ? xasprintf(LABEL_APPARMOR_PREFIX "%s", text) : xstrdup(text);
        label.length = strlen(label.value);
    }
    *out = label;
    return 0;
}

/* Nothing that somebody mounted over a part of procfs, and nowhere but below it. */
static int open_below(int proc_dirfd, const char *path)
{
    struct open_how how = {
        .flags = O_WRONLY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, proc_dirfd, path, &how, sizeof how);
}

/* The root of a procfs: what lies elsewhere in it may be another process's. */
static int check_procfs(int fd)
{
    struct statfs fs;
    struct stat st;
    if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
        return -errno;
    return fs.f_type == PROC_SUPER_MAGIC && st.st_ino == PROC_ROOT_INODE ? 0 : -EXDEV;
}

int label_open(int proc_dirfd, enum label_kind kind)
{
    int fd = -1, rc = check_procfs(proc_dirfd);
    if (rc < 0)
        return rc;
    if (kind == LABEL_APPARMOR) /* since Linux 5.1: not shared with other modules */
        fd = open_below(proc_dirfd, "thread-self/attr/apparmor/current");
    if (fd < 0)
        fd = open_below(proc_dirfd, kind == LABEL_APPARMOR ? "thread-self/attr/current"
                                                           : "thread-self/attr/exec");
    return fd < 0 ? -errno : fd;
}

int label_set(int fd, const struct label *label)
{
    /* One write: the kernel takes each as a whole label. */
    ssize_t n;
    do {
        n = write(fd, label->value, label->length);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return (size_t)n == label->length ? 0 : -EIO;
}

const char *label_name(const struct label *label)
{
    if (label->kind == LABEL_NONE || !label->value)
        return NULL;
    bool prefixed =
        label->kind == LABEL_APPARMOR && starts_with(label->value, LABEL_APPARMOR_PREFIX);
    return prefixed ? label->value + strlen(LABEL_APPARMOR_PREFIX) : label->value;
}

void label_free(struct label *label)
{
    free(label->value);
    *label = (struct label){0};
}
