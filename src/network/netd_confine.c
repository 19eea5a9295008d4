/* SPDX-License-Identifier: Apache-2.0 */
#include "network/netd_confine.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/cleanup.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* --- Landlock, by the numbers of its ABI: headers may be older than the kernel --- */

struct ruleset {
    uint64_t files, network, scopes;
};
struct beneath {
    uint64_t rights;
    int32_t fd;
} __attribute__((packed));
struct port {
    uint64_t rights, port;
};

#define LANDLOCK_VERSION 1U
#define RULE_BENEATH 1
#define RULE_PORT 2
#define READ_FILE (1ULL << 2)
#define READ_DIRECTORY (1ULL << 3)
/* Write, remove and make regular files; truncate (ABI 3), move (2). */
#define CHANGE_FILES (1ULL << 1 | READ_FILE | READ_DIRECTORY | 1ULL << 5 | 1ULL << 8)
#define MOVE (1ULL << 13)
#define TRUNCATE (1ULL << 14)
#define TCP_ALL 3ULL
#define TCP_CONNECT (1ULL << 1)
#define SCOPES_ALL 3ULL /* abstract sockets, signals */

static int landlock_rules(int *abi, struct ruleset *all)
{
    *abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
    if (*abi < 1)
        return -ENOSYS;
    unsigned bits = *abi >= 5 ? 16 : *abi >= 3 ? 15 : *abi >= 2 ? 14 : 13;
    *all = (struct ruleset){.files = (1ULL << bits) - 1,
                            .network = *abi >= 4 ? TCP_ALL : 0,
                            .scopes = *abi >= 6 ? SCOPES_ALL : 0};
    size_t size = *abi >= 6 ? 24 : *abi >= 4 ? 16 : 8;
    int fd = (int)syscall(SYS_landlock_create_ruleset, all, size, 0);
    return fd < 0 ? -errno : fd;
}

static int allow_beneath(int ruleset, int fd, uint64_t rights)
{
    struct beneath rule = {.rights = rights, .fd = fd};
    return syscall(SYS_landlock_add_rule, ruleset, RULE_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

static int restrict_self(int ruleset)
{
    return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

static int allow_dns(int ruleset, int abi)
{
    struct port dns = {.rights = TCP_CONNECT, .port = 53};
    if (abi >= 4 && syscall(SYS_landlock_add_rule, ruleset, RULE_PORT, &dns, 0) < 0)
        return -errno;
    return 0;
}

static int fence_keeper(int state, const int *read_only, size_t count)
{
    int abi;
    struct ruleset all;
    autofd ruleset = landlock_rules(&abi, &all);
    if (ruleset < 0)
        return ruleset == -ENOSYS ? 0 : ruleset;
    int rc = allow_dns(ruleset, abi);
    if (rc == 0)
        rc = allow_beneath(ruleset, state, (CHANGE_FILES | MOVE | TRUNCATE) & all.files);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = allow_beneath(ruleset, read_only[i], READ_FILE);
    return rc == 0 ? restrict_self(ruleset) : rc;
}

static int fence_resolver(void)
{
    int abi;
    struct ruleset all;
    autofd ruleset = landlock_rules(&abi, &all);
    if (ruleset < 0)
        return ruleset == -ENOSYS ? 0 : ruleset;
    int rc = allow_dns(ruleset, abi);
    return rc == 0 ? restrict_self(ruleset) : rc;
}

/* --- capabilities --- */

static int keep_capabilities(uint64_t kept)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0)
        return -errno;
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    /* Only execve(2) looks at the bounding set, and nobody here may call it. */
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
        (void)prctl(PR_CAPBSET_DROP, cap);
    for (int i = 0; i < 2; i++) {
        data[i].permitted &= (uint32_t)(kept >> (32 * i));
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0;
    }
    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

/* --- system calls --- */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#endif

#ifdef ARCHITECTURE

/* Of both: descriptors that are there, sockets, memory, time, and the ways to end. */
static const uint32_t of_resolver[] = {
    __NR_read,
    __NR_write,
    __NR_writev,
    __NR_pread64,
    __NR_close,
    __NR_fstat,
    __NR_newfstatat,
    __NR_lseek,
    __NR_recvfrom,
    __NR_recvmsg,
    __NR_recvmmsg,
    __NR_sendto,
    __NR_sendmsg,
    __NR_sendmmsg,
    __NR_connect,
    __NR_accept4,
    __NR_shutdown,
    __NR_epoll_ctl,
    __NR_epoll_pwait,
    __NR_brk,
    __NR_munmap,
    __NR_mremap,
    __NR_madvise,
    __NR_futex,
    __NR_getrandom,
    __NR_clock_gettime,
    __NR_gettimeofday,
    __NR_rt_sigprocmask,
    __NR_rt_sigaction,
    __NR_rt_sigreturn,
    __NR_sigaltstack,
    __NR_getpid,
    __NR_gettid,
    __NR_tgkill,
    __NR_exit,
    __NR_exit_group,
    __NR_restart_syscall,
    __NR_getsockopt,
#ifdef __NR_epoll_wait
    __NR_epoll_wait,
#endif
};

/* Besides, since the resolver is its child and under its filter too: files by name, of which
 * Landlock says which, and what makes another resolver. */
static const uint32_t of_keeper[] = {
    __NR_openat,
    __NR_fchmod,
    __NR_ftruncate,
    __NR_unlinkat,
    __NR_renameat2,
    __NR_flock,
    __NR_fsync,
    __NR_fdatasync,
    __NR_fcntl,
    __NR_clock_nanosleep,
    __NR_wait4,
    __NR_socketpair,
    __NR_prctl,
    __NR_capget,
    __NR_capset,
    __NR_seccomp,
    __NR_set_robust_list,
    __NR_rseq,
    __NR_close_range,
    __NR_epoll_create1,
    __NR_landlock_create_ruleset,
    __NR_landlock_add_rule,
    __NR_landlock_restrict_self,
#ifdef __NR_renameat
    __NR_renameat,
#endif
};

#define X32_BIT 0x40000000U
#define FILTER_MAX (2 * (COUNT(of_resolver) + COUNT(of_keeper)) + 64)

struct program {
    struct sock_filter code[FILTER_MAX];
    unsigned short length;
};

static void add(struct program *p, uint16_t code, uint8_t yes, uint8_t no, uint32_t k)
{
    p->code[p->length++] = (struct sock_filter){.code = code, .jt = yes, .jf = no, .k = k};
}

static void add_calls(struct program *p, const uint32_t *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, calls[i]);
        add(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
    }
}

/* All our processors are little-endian: the low half of an argument comes first. */
static void load_argument(struct program *p, unsigned argument)
{
    add(p, BPF_LD | BPF_W | BPF_ABS, 0, 0,
        (uint32_t)(offsetof(struct seccomp_data, args) + 8 * (size_t)argument));
}

/* Allowed when the argument has none of these bits, else the end. */
static void add_call_without(struct program *p, uint32_t number, unsigned argument, uint32_t bits)
{
    add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, number);
    load_argument(p, argument);
    add(p, BPF_JMP | BPF_JSET | BPF_K, 1, 0, bits);
    add(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
    add(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
}

/* Sockets of the internet, and no other family. */
static void add_socket(struct program *p)
{
    add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 5, __NR_socket);
    load_argument(p, 0);
    add(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, AF_INET);
    add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, AF_INET6);
    add(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
    add(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
}

static int install(bool keeper)
{
    const uint32_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    struct program p = {.length = 0};
    add(&p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
    add(&p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ARCHITECTURE);
    add(&p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
    add(&p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
    add(&p, BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
    add(&p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
    add_calls(&p, of_resolver, COUNT(of_resolver));
    if (keeper)
        add_calls(&p, of_keeper, COUNT(of_keeper));
    add_call_without(&p, __NR_mmap, 2, PROT_EXEC);
    add_call_without(&p, __NR_mprotect, 2, PROT_EXEC);
    add_socket(&p);
    if (keeper)
        add_call_without(&p, __NR_clone, 0, namespaces);
    add(&p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
    struct sock_fprog filter = {.len = p.length, .filter = p.code};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0 ? -errno : 0;
}

#else

/* A list was never tried on this processor. */
static int install(bool keeper)
{
    (void)keeper;
    return 0;
}

#endif

static int confine(int fenced, uint64_t capabilities, bool keeper, struct error *err)
{
    if (fenced < 0)
        return error_set(err, fenced, "cannot confine caisson-netd with Landlock: %s",
                         error_describe(fenced));
    int rc = keep_capabilities(capabilities);
    if (rc < 0)
        return error_set(err, rc, "cannot give up the capabilities of caisson-netd: %s",
                         error_describe(rc));
    rc = install(keeper);
    if (rc < 0)
        return error_set(err, rc, "cannot restrict the system calls of caisson-netd: %s",
                         error_describe(rc));
    return 0;
}

int confine_keeper(int state, const int *read_only, size_t count, struct error *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_errno(err, "cannot set no_new_privs");
    return confine(fence_keeper(state, read_only, count), 1ULL << CAP_NET_ADMIN, true, err);
}

/* The keeper's own filter and fence hold as well: it is a child of it. */
int confine_resolver(struct error *err)
{
    return confine(fence_resolver(), 0, false, err);
}
