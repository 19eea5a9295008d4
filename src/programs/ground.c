/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ground under caisson-monitor where it is linked without a C library: the entry point and the
 * few functions it calls, straight to the kernel. A static glibc costs each monitor about 600 KiB
 * of memory, most of it never used code that comes in with the pages around used code; this costs
 * less than 1.
 *
 * Declarations come from the C library's own headers, so each function here is checked against
 * them. What stays as in every other program: position independence (the start applies the
 * relocations and then seals the sealed part), stack protector (canary from AT_RANDOM).
 *
 * Only built where the system calls below are known; elsewhere, and under sanitizers, the C library
 * is used.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HIDDEN __attribute__((visibility("hidden")))

/* --- the processor ---------------------------------------------------------------------------- */

#if defined(__x86_64__)
#define RELOCATION_RELATIVE R_X86_64_RELATIVE

/* The stack pointer is the one argument. */
__asm__(".text\n.globl _start\n.type _start, @function\n_start:\n"
        "endbr64\nxor %ebp, %ebp\nmov %rsp, %rdi\nand $-16, %rsp\ncall ground_start\nhlt\n");

static inline long call6(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
#define RELOCATION_RELATIVE R_AARCH64_RELATIVE

__asm__(".text\n.globl _start\n.type _start, %function\n_start:\n"
        "bti c\nmov x29, #0\nmov x30, #0\nmov x0, sp\nand sp, x0, #-16\nbl ground_start\nbrk #0\n");

static inline long call6(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}
#else
#error "no system calls known for this processor: link the C library"
#endif

#define CALL_3(number, a, b, c) call6(number, (long)(a), (long)(b), (long)(c), 0, 0, 0)

/* --- what the compiler expects ---------------------------------------------------------------- */

char **environ;
HIDDEN uintptr_t __stack_chk_guard;
_Noreturn void __stack_chk_fail(void);

static _Noreturn void leave(int status)
{
    for (;;)
        CALL_3(SYS_exit_group, status, 0, 0);
}

_Noreturn void __stack_chk_fail(void)
{
    CALL_3(SYS_kill, CALL_3(SYS_getpid, 0, 0, 0), SIGKILL, 0);
    leave(127);
}

static int error_number;

int *__errno_location(void)
{
    return &error_number;
}

static long checked(long result)
{
    if (result >= 0 || result < -4095)
        return result;
    error_number = (int)-result;
    return -1;
}

/* --- start ------------------------------------------------------------------------------------ */

extern HIDDEN const ElfW(Ehdr) __ehdr_start;
int main(int argc, char **argv);
_Noreturn void ground_start(uintptr_t *stack) __attribute__((used));

static const ElfW(Phdr) * program_header(uintptr_t base, unsigned type)
{
    const ElfW(Phdr) *header = (const ElfW(Phdr) *)(base + __ehdr_start.e_phoff);
    for (int i = 0; i < __ehdr_start.e_phnum; i++)
        if (header[i].p_type == type)
            return &header[i];
    return NULL;
}

/* Nothing that needs a relocation itself, and no canary, before this is done. */
__attribute__((no_stack_protector)) static void relocate(uintptr_t base)
{
    uintptr_t table = 0;
    size_t size = 0;
    const ElfW(Phdr) *dynamic = program_header(base, PT_DYNAMIC);
    if (!dynamic)
        leave(127);
    const ElfW(Dyn) *entry = (const ElfW(Dyn) *)(base + dynamic->p_vaddr);
    for (; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_RELA)
            table = base + entry->d_un.d_ptr;
        else if (entry->d_tag == DT_RELASZ)
            size = entry->d_un.d_val;
    }
    const ElfW(Rela) *rela = (const ElfW(Rela) *)table;
    for (size_t i = 0; i < size / sizeof *rela; i++) {
        if (ELF64_R_TYPE(rela[i].r_info) != RELOCATION_RELATIVE)
            leave(127);
        *(uintptr_t *)(base + rela[i].r_offset) = base + (uintptr_t)rela[i].r_addend;
    }
}

static void seal(uintptr_t base)
{
    const ElfW(Phdr) *sealed = program_header(base, PT_GNU_RELRO);
    if (!sealed)
        return;
    uintptr_t page = 4096; /* a bigger one makes the call fail: then it stays as it is */
    uintptr_t begin = (base + sealed->p_vaddr) & -page;
    uintptr_t end = (base + sealed->p_vaddr + sealed->p_memsz) & -page;
    if (end > begin)
        CALL_3(SYS_mprotect, begin, end - begin, PROT_READ);
}

__attribute__((no_stack_protector)) _Noreturn void ground_start(uintptr_t *stack)
{
    uintptr_t base = (uintptr_t)&__ehdr_start;
    relocate(base);
    int argc = (int)stack[0];
    char **argv = (char **)(stack + 1);
    environ = argv + argc + 1;
    char **end = environ;
    while (*end)
        end++;
    for (const ElfW(auxv_t) *aux = (const ElfW(auxv_t) *)(end + 1); aux->a_type != AT_NULL; aux++)
        if (aux->a_type == AT_RANDOM)
            memcpy(&__stack_chk_guard, (const char *)aux->a_un.a_val, sizeof __stack_chk_guard);
    __stack_chk_guard &= ~(uintptr_t)0xff; /* a NUL stops what copies strings */
    seal(base);
    leave(main(argc, argv));
}

/* --- memory and strings ----------------------------------------------------------------------- */

/* Compiled so that they are not turned into calls of themselves (see meson.build). */
void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
    unsigned char *out = to;
    const unsigned char *in = from;
#if defined(__x86_64__)
    if (length >= 512) { /* slow to begin, then the fastest */
        __asm__ volatile("rep movsb" : "+D"(out), "+S"(in), "+c"(length) : : "memory");
        return to;
    }
#endif
    for (; length >= sizeof(uint64_t); length -= sizeof(uint64_t)) {
        uint64_t word;
        __builtin_memcpy(&word, in, sizeof word);
        __builtin_memcpy(out, &word, sizeof word);
        in += sizeof word;
        out += sizeof word;
    }
    while (length--)
        *out++ = *in++;
    return to;
}

void *memmove(void *to, const void *from, size_t length)
{
    unsigned char *out = to;
    const unsigned char *in = from;
    if (out <= in || out >= in + length)
        for (size_t i = 0; i < length; i++)
            out[i] = in[i];
    else
        while (length--)
            out[length] = in[length];
    return to;
}

void *memset(void *to, int value, size_t length)
{
    unsigned char *out = to;
    while (length--)
        *out++ = (unsigned char)value;
    return to;
}

void *memchr(const void *bytes, int value, size_t length)
{
    const unsigned char *at = bytes;
    const uint64_t ones = UINT64_C(0x0101010101010101);
    unsigned char c = (unsigned char)value;
    for (; length >= sizeof(uint64_t); length -= sizeof(uint64_t), at += sizeof(uint64_t)) {
        uint64_t word;
        __builtin_memcpy(&word, at, sizeof word);
        word ^= ones * c;
        if ((word - ones) & ~word & (ones << 7))
            break;
    }
    for (; length > 0; length--, at++)
        if (*at == c)
            return (void *)(uintptr_t)at;
    return NULL;
}

size_t strlen(const char *text)
{
    const char *end = text;
    while (*end)
        end++;
    return (size_t)(end - text);
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

/* --- system calls ----------------------------------------------------------------------------- */

long syscall(long number, ...)
{
    long a[6];
    va_list ap;
    va_start(ap, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(ap, long);
    va_end(ap);
    return checked(call6(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}

ssize_t read(int fd, void *bytes, size_t length)
{
    return checked(CALL_3(SYS_read, fd, bytes, length));
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    return checked(CALL_3(SYS_write, fd, bytes, length));
}

ssize_t pread(int fd, void *bytes, size_t length, off_t offset)
{
    return checked(call6(SYS_pread64, fd, (long)bytes, (long)length, offset, 0, 0));
}

int close(int fd)
{
    return (int)checked(CALL_3(SYS_close, fd, 0, 0));
}

int openat(int dir, const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    unsigned mode = flags & O_CREAT ? va_arg(ap, unsigned) : 0;
    va_end(ap);
    return (int)checked(call6(SYS_openat, dir, (long)path, flags, mode, 0, 0));
}

int open(const char *path, int flags, ...)
{
    return openat(AT_FDCWD, path, flags); /* never creates here */
}

int fcntl(int fd, int command, ...)
{
    va_list ap;
    va_start(ap, command);
    long argument = va_arg(ap, long);
    va_end(ap);
    return (int)checked(CALL_3(SYS_fcntl, fd, command, argument));
}

/* The kernel's structure is the C library's on 64-bit machines. */
int fstat(int fd, struct stat *st)
{
    return (int)checked(CALL_3(SYS_fstat, fd, st, 0));
}

int ftruncate(int fd, off_t size)
{
    return (int)checked(CALL_3(SYS_ftruncate, fd, size, 0));
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return (int)checked(call6(SYS_renameat2, from_dir, (long)from, to_dir, (long)to, 0, 0));
}

int unlinkat(int dir, const char *path, int flags)
{
    return (int)checked(CALL_3(SYS_unlinkat, dir, path, flags));
}

int chdir(const char *path)
{
    return (int)checked(CALL_3(SYS_chdir, path, 0, 0));
}

mode_t umask(mode_t mask)
{
    return (mode_t)CALL_3(SYS_umask, mask, 0, 0);
}

pid_t setsid(void)
{
    return (pid_t)checked(CALL_3(SYS_setsid, 0, 0, 0));
}

int prctl(int option, ...)
{
    unsigned long a[4];
    va_list ap;
    va_start(ap, option);
    for (int i = 0; i < 4; i++)
        a[i] = va_arg(ap, unsigned long);
    va_end(ap);
    return (int)checked(
        call6(SYS_prctl, option, (long)a[0], (long)a[1], (long)a[2], (long)a[3], 0));
}

int close_range(unsigned first, unsigned last, int flags)
{
    return (int)checked(CALL_3(SYS_close_range, first, last, flags));
}

int dup2(int from, int to)
{
    return (int)checked(CALL_3(SYS_dup3, from, to, 0)); /* never the same here */
}

int madvise(void *address, size_t length, int advice)
{
    return (int)checked(CALL_3(SYS_madvise, address, length, advice));
}

int kill(pid_t pid, int number)
{
    return (int)checked(CALL_3(SYS_kill, pid, number, 0));
}

pid_t waitpid(pid_t pid, int *status, int options)
{
    return (pid_t)checked(call6(SYS_wait4, pid, (long)status, options, 0, 0, 0));
}

int epoll_create1(int flags)
{
    return (int)checked(CALL_3(SYS_epoll_create1, flags, 0, 0));
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    return (int)checked(call6(SYS_epoll_ctl, epoll, operation, fd, (long)event, 0, 0));
}

int epoll_wait(int epoll, struct epoll_event *events, int capacity, int timeout)
{
    return (int)checked(
        call6(SYS_epoll_pwait, epoll, (long)events, capacity, timeout, 0, 8 /* of sigset_t */));
}

int clock_gettime(clockid_t id, struct timespec *time)
{
    return (int)checked(CALL_3(SYS_clock_gettime, id, time, 0));
}

/* Only SIG_IGN and SIG_DFL: handlers would need a way back. */
sighandler_t signal(int number, sighandler_t handler)
{
    struct {
        sighandler_t handler;
        unsigned long flags, restorer, mask;
    } action = {.handler = handler};
    return checked(call6(SYS_rt_sigaction, number, (long)&action, 0, sizeof action.mask, 0, 0)) < 0
               ? SIG_ERR
               : SIG_DFL;
}
