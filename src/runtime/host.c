/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/host.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "runtime/cgroup.h"
#include "runtime/ids.h"
#include "runtime/label.h"
#include "runtime/landlock.h"
#include "runtime/syscalls.h"

#define SAY(ability, ...) snprintf((ability)->detail, sizeof(ability)->detail, __VA_ARGS__)

/* Both need a user namespace to be tried with. */
static void user_namespaces(int store, struct host_ability *users, struct host_ability *mounts)
{
    struct error err = {0};
    users->name = "user-namespace";
    mounts->name = "idmapped-mounts";
    if (ids_limited()) {
        users->available = true;
        SAY(users, "the ids of this user, the same for all containers");
        SAY(mounts, "only root can map ids of mounts");
        return;
    }
    autofd namespace = ids_bind_namespace(IDS_FIRST, 0, 0, 0, 0, true, &err);
    users->available = namespace >= 0;
    if (namespace < 0) {
        SAY(users, "%.180s", err.text);
        SAY(mounts, "not tried without a user namespace");
        return;
    }
    SAY(users, "%u ranges of 65536 ids from %u", IDS_SLOTS, IDS_FIRST);
    autofd tree = sys_open_tree(store, "", AT_EMPTY_PATH);
    int rc = tree < 0 ? tree : sys_mount_setattr(tree, 0, MOUNT_ATTR_IDMAP, 0, 0, namespace);
    mounts->available = rc == 0;
    if (rc < 0)
        SAY(mounts, "the file system of the image store refuses: %s", error_describe(rc));
    else
        SAY(mounts, "the file system of the image store takes them");
}

static void landlock(struct host_ability *ability)
{
    int abi = landlock_abi();
    ability->name = "landlock";
    ability->available = abi >= 2;
    if (abi >= 1)
        SAY(ability, "ABI %d%s", abi, abi < 2 ? ", which forbids moving files: not used" : "");
    else
        SAY(ability, "this kernel has none, or it is off (lsm= on its command line)");
}

static void seccomp(struct host_ability *ability)
{
    uint32_t action = SECCOMP_RET_KILL_PROCESS;
    ability->name = "seccomp";
    ability->available = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
    SAY(ability, "%s", ability->available ? "filters" : "this kernel has no filters");
}

static void labels(struct host_ability *apparmor, struct host_ability *selinux)
{
    apparmor->name = "apparmor";
    apparmor->available = label_host_has_apparmor();
    int profile = apparmor->available ? label_apparmor_loaded(LABEL_APPARMOR_DEFAULT) : -ENOSYS;
    SAY(apparmor, "%s",
        profile == 0          ? "on, with the profile " LABEL_APPARMOR_DEFAULT
        : profile == -ENOENT  ? "on, but the profile " LABEL_APPARMOR_DEFAULT " is not loaded"
        : apparmor->available ? "on"
                              : "not on this host");
    selinux->name = "selinux";
    selinux->available = label_host_has_selinux();
    SAY(selinux, "%s", selinux->available ? "on" : "not on this host");
}

static void cgroups(struct host_ability *ability)
{
    static const char *const names[] = {[CGROUP_NONE] = "none",
                                        [CGROUP_V1] = "v1",
                                        [CGROUP_HYBRID] = "v1 with a v2 tree beside it",
                                        [CGROUP_V2] = "v2"};
    enum cgroup_layout layout;
    autobuf detail = {0};
    cgroup_host(&layout, &detail);
    ability->name = "control-groups";
    ability->available = layout != CGROUP_NONE;
    SAY(ability, "%s: %.150s", names[layout], buf_text(&detail));
}

static void overlay(struct host_ability *ability)
{
    autobuf text = {0};
    ability->name = "overlay";
    ability->available = read_kernel_file("/proc/filesystems", 65536, &text, NULL) == 0 &&
                         strstr(buf_text(&text), "\toverlay\n");
    SAY(ability, "%s",
        ability->available ? "the kernel has it" : "the module is not loaded: modprobe overlay");
}

size_t host_abilities(int store, struct host_ability out[HOST_ABILITIES_MAX])
{
    memset(out, 0, HOST_ABILITIES_MAX * sizeof *out);
    user_namespaces(store, &out[0], &out[1]);
    landlock(&out[2]);
    seccomp(&out[3]);
    labels(&out[4], &out[5]);
    cgroups(&out[6]);
    overlay(&out[7]);
    return 8;
}
