/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/caps.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/io.h"
#include "base/text.h"

static const char *const names[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};

#define NAMES (sizeof names / sizeof names[0])
#define PREFIX "CAP_"
#define BITS 64

uint64_t caps_all(void)
{
    autobuf text = {0};
    uint64_t last = NAMES - 1;
    if (read_kernel_file("/proc/sys/kernel/cap_last_cap", 32, &text, NULL) == 0) {
        text.data[strcspn(text.data, "\n")] = '\0';
        (void)parse_u64(text.data, BITS - 1, &last); /* else the highest known here */
    }
    return last >= BITS - 1 ? UINT64_MAX : (UINT64_C(1) << (last + 1)) - 1;
}

int caps_parse(const char *name, uint64_t *set, struct error *err)
{
    char full[64];
    const char *prefix = strncasecmp(name, PREFIX, strlen(PREFIX)) == 0 ? "" : PREFIX;
    int length = snprintf(full, sizeof full, "%s%s", prefix, name);
    for (char *c = full; *c; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    if (streq(full, PREFIX "ALL")) {
        *set = caps_all();
        return 0;
    }
    for (unsigned i = 0; i < NAMES && length < (int)sizeof full; i++) {
        if (streq(names[i], full)) {
            *set = UINT64_C(1) << i;
            return 0;
        }
    }
    autobuf shown = {0};
    buf_printable(&shown, name);
    const char *near = nearest_word(full, names, NAMES);
    if (near)
        return error_set(err, -EINVAL, "unknown capability \"%s\": did you mean %s?",
                         buf_text(&shown), near + strlen(PREFIX));
    return error_set(err, -EINVAL, "unknown capability \"%s\": see capabilities(7) for their names",
                     buf_text(&shown));
}

const char *caps_name(unsigned number)
{
    return number < NAMES ? names[number] : NULL;
}

void caps_names(uint64_t set, struct strv *out)
{
    for (unsigned i = 0; i < NAMES; i++)
        if (set & UINT64_C(1) << i)
            strv_add(out, names[i]);
}

struct caps caps_for_user(uint64_t granted, uint32_t uid)
{
    struct caps caps = {.bounding = granted};
    if (uid == 0)
        caps.effective = caps.permitted = granted;
    return caps;
}

int caps_drop_bounding(uint64_t keep)
{
    for (unsigned i = 0; i < BITS; i++) {
        if (keep & UINT64_C(1) << i)
            continue;
        if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == 0)
            continue;
        if (errno == EINVAL)
            return 0; /* one past the kernel's last */
        /* Dropping needs CAP_SETPCAP even where there is nothing to drop, or no such number. */
        int held = errno == EPERM ? prctl(PR_CAPBSET_READ, i, 0, 0, 0) : 1;
        if (held > 0)
            return -EPERM;
        if (held < 0)
            return 0;
    }
    return 0;
}

int caps_keep(const struct caps *caps)
{
    return prctl(PR_SET_KEEPCAPS, caps->permitted != 0, 0, 0, 0) < 0 ? -errno : 0;
}

int caps_set_final(const struct caps *caps)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    for (unsigned i = 0; i < 2; i++) {
        data[i].effective = (uint32_t)(caps->effective >> (32 * i));
        data[i].permitted = (uint32_t)(caps->permitted >> (32 * i));
        data[i].inheritable = (uint32_t)(caps->inheritable >> (32 * i));
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return -errno;
    if (syscall(SYS_capset, &header, data) < 0)
        return -errno;
    for (unsigned i = 0; i < BITS; i++)
        if (caps->ambient & UINT64_C(1) << i &&
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
            return -errno;
    return prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0 ? -errno : 0;
}
