/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "archive/layer_tree.h"
#include "base/text.h"

#define ID_MAX UINT64_C(4294967294) /* (uid_t)-1 means "leave it" */

int meta_of(const struct tar_entry *e, struct meta *out, struct error *err)
{
    if (e->uid > ID_MAX || e->gid > ID_MAX)
        return error_set(err, -EINVAL, "it belongs to user %llu, group %llu: no such ids can exist",
                         (unsigned long long)e->uid, (unsigned long long)e->gid);
    *out = (struct meta){
        .mode = e->mode,
        .uid = (uid_t)e->uid,
        .gid = (gid_t)e->gid,
        .mtime = {.tv_sec = e->mtime, .tv_nsec = e->mtime_nsec},
    };
    return 0;
}

bool meta_owner_differs(const struct tree *tree, const struct meta *meta)
{
    return meta->uid != tree->uid || meta->gid != tree->gid;
}

int meta_chown_failed(const struct meta *meta, struct error *err)
{
    if (errno == EINVAL)
        return error_set(err, -EINVAL,
                         "it belongs to user %u, group %u, which this user namespace does not map: "
                         "give it more ids in /etc/subuid and /etc/subgid",
                         meta->uid, meta->gid);
    return error_errno(err, "cannot give it to user %u, group %u", meta->uid, meta->gid);
}

enum xattr_fate xattr_fate(const char *name, enum tar_type type)
{
    /* overlayfs's own marks: a forged one would redirect or hide what other layers have. */
    if (starts_with(name, "user.overlay.") || starts_with(name, "trusted.overlay."))
        return XATTR_REFUSED;
    if (streq(name, "security.capability"))
        return type == TAR_FILE ? XATTR_KEPT : XATTR_DROPPED;
    /* The kernel has user.* on files and directories only. */
    if (starts_with(name, "user."))
        return type == TAR_FILE || type == TAR_DIRECTORY ? XATTR_KEPT : XATTR_DROPPED;
    return XATTR_DROPPED;
}

int meta_apply(const struct tree *tree, int fd, const struct meta *meta, mode_t now,
               const struct tar_xattr *xattrs, size_t count, struct error *err)
{
    /* Changing the owner takes setuid bits and file capabilities away: it comes first. */
    if (meta_owner_differs(tree, meta) && fchown(fd, meta->uid, meta->gid) < 0)
        return meta_chown_failed(meta, err);
    for (size_t i = 0; i < count; i++) {
        if (fsetxattr(fd, xattrs[i].name, xattrs[i].value, xattrs[i].length, 0) < 0) {
            int saved = errno;
            autobuf shown = {0};
            buf_printable(&shown, xattrs[i].name);
            return error_set(err, -saved, "cannot set its attribute %s: %s", buf_text(&shown),
                             error_describe(saved));
        }
    }
    if (meta->mode != now && fchmod(fd, meta->mode) < 0)
        return error_errno(err, "cannot set its mode to %04o", meta->mode);
    struct timespec times[2] = {meta->mtime, meta->mtime};
    if (futimens(fd, times) < 0)
        return error_errno(err, "cannot set its time");
    return 0;
}
