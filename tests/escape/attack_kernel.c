/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's surface: calls and socket families that containers were broken out through. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attack.h"

#define ALG_FAMILY 38
#define VSOCK_FAMILY 40

/* EPERM comes before the kernel looks at the junk, any other answer after. */
static void judge_junk(long rc, const char *what, struct verdict *out)
{
    if (rc >= 0)
        verdict(out, SUCCEEDED, "%s works", what);
    else if (errno == EPERM || errno == EACCES || errno == ENOSYS)
        refused(out, what);
    else
        verdict(out, SUCCEEDED, "%s: the kernel looked at it (%s)", what, strerrorname_np(errno));
}

static void load_module(const struct words *words, struct verdict *out)
{
    static const char junk[64] = "no module at all";
    (void)words;
    judge_junk(syscall(SYS_init_module, junk, sizeof junk, ""), "init_module", out);
}

static void load_module_file(const struct words *words, struct verdict *out)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    (void)words;
    judge_junk(syscall(SYS_finit_module, fd, "", 0), "finit_module", out);
}

static void load_kernel(const struct words *words, struct verdict *out)
{
    (void)words;
    judge_junk(syscall(SYS_kexec_load, 0, 0, NULL, ~0UL), "kexec_load", out);
}

/* With wrong magic: nothing can happen. */
static void restart_machine(const struct words *words, struct verdict *out)
{
    (void)words;
    judge_junk(syscall(SYS_reboot, 0, 0, 0, NULL), "reboot", out);
}

static void add_swap(const struct words *words, struct verdict *out)
{
    (void)words;
    judge_junk(syscall(SYS_swapon, "/nowhere", 0), "swapon", out);
}

static void set_clock(const struct words *words, struct verdict *out)
{
    struct timeval bad = {.tv_sec = 0, .tv_usec = -1};
    (void)words;
    judge_junk(syscall(SYS_settimeofday, &bad, NULL), "settimeofday", out);
}

static void kernel_log(const struct words *words, struct verdict *out)
{
    char text[64];
    (void)words;
    if (klogctl(3, text, sizeof text) >= 0)
        verdict(out, SUCCEEDED, "the kernel's log can be read");
    else
        refused(out, "syslog");
}

static void open_socket(int family, int type, int protocol, const char *what, struct verdict *out)
{
    int fd = socket(family, type, protocol);
    if (fd >= 0)
        verdict(out, SUCCEEDED, "%s opens", what);
    else if (errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT || errno == ESOCKTNOSUPPORT)
        verdict(out, UNAVAILABLE, "this kernel has no %s", what);
    else
        refused(out, what);
}

static void raw_socket(const struct words *words, struct verdict *out)
{
    (void)words;
    open_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP, "raw socket", out);
}

static void packet_socket(const struct words *words, struct verdict *out)
{
    (void)words;
    open_socket(AF_PACKET, SOCK_RAW, 0, "packet socket", out);
}

static void alg_socket(const struct words *words, struct verdict *out)
{
    (void)words;
    open_socket(ALG_FAMILY, SOCK_SEQPACKET, 0, "AF_ALG", out);
}

static void vsock_socket(const struct words *words, struct verdict *out)
{
    (void)words;
    open_socket(VSOCK_FAMILY, SOCK_STREAM, 0, "AF_VSOCK", out);
}

/* The same through the 32-bit door: socketcall(2) hides its arguments from a filter. */
static void alg_socket_i386(const struct words *words, struct verdict *out)
{
    (void)words;
#ifdef __x86_64__
    uint32_t *arguments =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (arguments == MAP_FAILED) {
        verdict(out, UNAVAILABLE, "no memory below 4 GiB");
        return;
    }
    arguments[0] = ALG_FAMILY;
    arguments[1] = SOCK_SEQPACKET;
    arguments[2] = 0;
    /* Stands when the processor refuses the door and the process dies of it. */
    verdict(out, UNAVAILABLE, "this kernel has no 32-bit calls");
    long rc = 102; /* socketcall */
    __asm__ volatile("int $0x80"
                     : "+a"(rc)
                     : "b"(1L /* SYS_SOCKET */), "c"(arguments)
                     : "memory", "r8", "r9", "r10", "r11");
    if (rc >= 0)
        verdict(out, SUCCEEDED, "AF_ALG opens through socketcall");
    else if (rc == -EAFNOSUPPORT)
        verdict(out, SUCCEEDED, "32-bit calls go past the filter");
    else
        verdict(out, REFUSED, "socketcall: %s", strerrorname_np((int)-rc));
#else
    verdict(out, UNAVAILABLE, "this processor has no i386 calls");
#endif
}

static void inject(unsigned long request, const char *what, struct verdict *out)
{
    char text[2] = {3, '\n'}; /* TIOCLINUX 3: paste; TIOCSTI: one harmless byte */
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (ioctl(fd >= 0 ? fd : 0, request, text) == 0)
        verdict(out, SUCCEEDED, "%s works", what);
    else if (errno == ENOTTY || errno == EBADF)
        verdict(out, UNAVAILABLE, "no terminal to try %s on", what);
    else
        refused(out, what);
}

static void push_input(const struct words *words, struct verdict *out)
{
    (void)words;
    inject(TIOCSTI, "TIOCSTI", out);
}

static void paste_input(const struct words *words, struct verdict *out)
{
    (void)words;
    inject(TIOCLINUX, "TIOCLINUX", out);
}

static void load_bpf(const struct words *words, struct verdict *out)
{
    union bpf_attr attr = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    (void)words;
    judge_junk(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr), "bpf", out);
}

static void measure(const struct words *words, struct verdict *out)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE, .size = sizeof attr, .config = PERF_COUNT_SW_CPU_CLOCK};
    (void)words;
    judge_junk(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0), "perf_event_open", out);
}

static void fault_handler(const struct words *words, struct verdict *out)
{
    (void)words;
    judge_junk(syscall(SYS_userfaultfd, O_CLOEXEC), "userfaultfd", out);
}

static void uring(const struct words *words, struct verdict *out)
{
    unsigned char parameters[256] = {0};
    (void)words;
    judge_junk(syscall(SYS_io_uring_setup, 1, parameters), "io_uring_setup", out);
}

static void session_keys(const struct words *words, struct verdict *out)
{
    (void)words;
    judge_junk(syscall(SYS_keyctl, 0 /* GET_KEYRING_ID */, -3 /* session */, 0), "keyctl", out);
}

static void new_key(const struct words *words, struct verdict *out)
{
    (void)words;
    judge_junk(syscall(SYS_add_key, "user", "attack", "x", 1, -1 /* thread */), "add_key", out);
}

#define PATIENCE_MS 1000

/* In the host's own network connect(2) of a datagram socket, which asks for a route and sends
 * nothing; elsewhere of a stream socket, which nobody is to answer. */
static void way_out(const struct words *words, struct verdict *out)
{
    struct sockaddr_in metadata = {.sin_family = AF_INET, .sin_port = htons(80)};
    int kind = host_network(words) ? SOCK_DGRAM : SOCK_STREAM | SOCK_NONBLOCK, error = 0;
    socklen_t size = sizeof error;
    inet_pton(AF_INET, "169.254.169.254", &metadata.sin_addr);
    int fd = socket(AF_INET, kind | SOCK_CLOEXEC, 0);
    int rc = fd < 0 ? -1 : connect(fd, (struct sockaddr *)&metadata, sizeof metadata);
    if (rc < 0 && fd >= 0 && errno == EINPROGRESS) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        rc = poll(&ready, 1, PATIENCE_MS) > 0 &&
                     getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0
                 ? 0
                 : -1;
        errno = error ? error : ETIMEDOUT;
    }
    if (rc == 0)
        verdict(out, SUCCEEDED, "there is a way to 169.254.169.254");
    else
        refused(out, "a way to the cloud's metadata");
}

static void low_port(const struct words *words, struct verdict *out)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1) < 0)
        refused(out, "listen on port 80");
    else if (host_network(words))
        verdict(out, SUCCEEDED, "listens on a port of the machine's");
    else
        verdict(out, CONTAINED, "listens in its own network");
}

const struct attempt kernel_attempts[] = {
    {"load-module", "load a kernel module", false, load_module},
    {"load-module-file", "load a kernel module from a file", false, load_module_file},
    {"kexec", "load another kernel", false, load_kernel},
    {"reboot", "restart the machine", false, restart_machine},
    {"swapon", "add swap", false, add_swap},
    {"set-clock", "set the machine's clock", false, set_clock},
    {"kernel-log", "read the kernel's log", false, kernel_log},
    {"raw-socket", "open a raw socket", false, raw_socket},
    {"packet-socket", "open a packet socket", false, packet_socket},
    {"af-alg", "reach the kernel's ciphers (CVE-2026-31431)", false, alg_socket},
    {"af-alg-i386", "the same through 32-bit calls", false, alg_socket_i386},
    {"af-vsock", "talk to the hypervisor", false, vsock_socket},
    {"tiocsti", "type into the terminal that started us", false, push_input},
    {"tioclinux", "paste into the console", false, paste_input},
    {"bpf", "load a BPF map", false, load_bpf},
    {"perf-event", "watch the machine's counters", false, measure},
    {"userfaultfd", "hold the kernel at a page fault", false, fault_handler},
    {"io-uring", "queue calls behind the filter's back", false, uring},
    {"keyctl", "reach the kernel's keyrings", false, session_keys},
    {"add-key", "put a key into the kernel", false, new_key},
    {"metadata", "reach the cloud's metadata address", false, way_out},
    {"low-port", "listen on port 80", false, low_port},
    {NULL, NULL, false, NULL},
};
