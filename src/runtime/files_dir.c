/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/files_dir.h"

#include <sys/stat.h>

#include "base/io.h"
#include "runtime/syscalls.h"

static void add(struct generated_file *out, size_t *count, const char *name, const char *target,
                const char *content)
{
    if (content)
        out[(*count)++] = (struct generated_file){name, target, content, NULL};
}

size_t generated_files(const struct plan *plan, char *line, struct generated_file *out)
{
    size_t count = 0;
    add(out, &count, "passwd", "/etc/passwd", plan->passwd);
    add(out, &count, "group", "/etc/group", plan->group);
    add(out, &count, "hosts", "/etc/hosts", plan->hosts);
    if (plan->hosts)
        out[count - 1].more = plan->hosts_own;
    add(out, &count, "resolv.conf", "/etc/resolv.conf", plan->resolv_conf);
    if (plan->resolv_conf)
        out[count - 1].more = plan->resolv_own;
    if (plan->hostname) {
        snprintf(line, 256, "%s\n", plan->hostname);
        add(out, &count, "hostname", "/etc/hostname", line);
    }
    return count;
}

int files_directory(const struct plan *plan, int userns, struct error *err)
{
    char line[256];
    struct generated_file files[GENERATED_FILES_MAX];
    size_t count = generated_files(plan, line, files);
    autofd fs = sys_fsopen("tmpfs");
    int rc =
        fs < 0 ? fs : sys_fsconfig_string(fs, "size", "16m"); /* two of 4 MiB at most, and some */
    autofd dir =
        rc < 0 ? rc : sys_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (dir < 0)
        return error_set(err, dir, "cannot make a place for generated files: %s",
                         error_describe(dir));
    for (size_t i = 0; i < count; i++) {
        autofd fd = openat(dir, files[i].name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        rc = fd < 0 ? -errno : write_all(fd, files[i].content, strlen(files[i].content));
        if (rc == 0 && files[i].more)
            rc = write_all(fd, files[i].more, strlen(files[i].more));
        if (rc == 0 && fchmod(fd, 0644) < 0) /* whatever our umask is */
            rc = -errno;
        if (rc < 0)
            return error_set(err, rc, "cannot write %s: %s", files[i].target, error_describe(rc));
    }
    if (userns >= 0) /* Linux 6.3; before, they belong to nobody and everyone can read them */
        (void)sys_mount_setattr(dir, 0, MOUNT_ATTR_IDMAP, 0, 0, userns);
    return take_fd(&dir);
}
