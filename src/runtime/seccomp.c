/* SPDX-License-Identifier: Apache-2.0 */
/* Filters for a container: the lists built in, profiles given as text, and putting one in force. */
#include "runtime/seccomp.h"

#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "base/strv.h"
#include "base/text.h"
#include "runtime/seccomp_internal.h"
#include "runtime/seccomp_profile.h"

/* Made by seccomp_gen: what is compiled here, and the rules as text for everything else. */
#include "runtime/seccomp_builtin.h"

uint32_t seccomp_running_kernel(void)
{
    struct utsname name;
    autostrv parts = {0};
    uint64_t major = 0, minor = 0;
    if (uname(&name) < 0)
        return 0;
    strv_split(&parts, name.release, '.');
    if (parts.len < 2)
        return 0;
    /* "6.18-rc1" is possible: only the digits in front count. */
    parts.items[1][strspn(parts.items[1], "0123456789")] = '\0';
    if (parse_u64(parts.items[0], UINT16_MAX, &major) < 0 ||
        parse_u64(parts.items[1], UINT16_MAX, &minor) < 0)
        return 0;
    return (uint32_t)(major << 16 | minor);
}

static int compile(const char *text, size_t length, const char *name,
                   const struct seccomp_target *target, struct seccomp_program *out,
                   struct error *err)
{
    struct seccomp_profile profile;
    int rc = seccomp_profile_parse(text, length, name, target, &profile, err);
    if (rc < 0)
        return rc;
    rc = seccomp_profile_compile(&profile, out, err);
    if (rc < 0)
        error_prefix(err, "seccomp profile %s", name);
    seccomp_profile_free(&profile);
    return rc;
}

int seccomp_builtin(enum seccomp_builtin which, uint64_t capabilities, struct seccomp_program *out,
                    struct error *err)
{
    const struct builtin_list *list = &builtin_lists[which];
    for (size_t i = 0; i < sizeof builtin_programs / sizeof builtin_programs[0]; i++) {
        const struct builtin_program *p = &builtin_programs[i];
        if (p->which != which || p->capabilities != (capabilities & list->relevant))
            continue;
        *out = (struct seccomp_program){
            .code = (struct sock_filter *)(uintptr_t)(builtin_code + p->start),
            .count = p->count,
        };
        return 0;
    }
    const struct seccomp_target target = {
        .native = SECCOMP_NATIVE, .capabilities = capabilities, .kernel = UINT32_MAX};
    return compile(builtin_text + list->start, list->length,
                   which == SECCOMP_RESTRICTED ? "restricted" : "baseline", &target, out, err);
}

int seccomp_from_json(const char *text, size_t length, const char *name, uint64_t capabilities,
                      struct seccomp_program *out, struct error *err)
{
    const struct seccomp_target target = {
        .native = SECCOMP_NATIVE, .capabilities = capabilities, .kernel = seccomp_running_kernel()};
    return compile(text, length, name, &target, out, err);
}

int seccomp_from_bundle(const char *text, size_t length, uint64_t capabilities, bool listener,
                        struct seccomp_program *out, struct error *err)
{
    const struct seccomp_target target = {.native = SECCOMP_NATIVE,
                                          .capabilities = capabilities,
                                          .kernel = seccomp_running_kernel(),
                                          .listener = listener};
    return compile(text, length, "linux.seccomp", &target, out, err);
}

int seccomp_install(const struct seccomp_program *program)
{
    const struct sock_fprog filter = {.len = program->count, .filter = program->code};
    unsigned flags = program->flags;
    if (program->notifies) /* one thread: nobody is to be brought along */
        flags = (flags & ~(unsigned)SECCOMP_FILTER_FLAG_TSYNC) | SECCOMP_FILTER_FLAG_NEW_LISTENER;
    long rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
    if (rc < 0)
        return -errno;
    if (program->notifies)
        return (int)rc;
    return rc == 0 ? 0 : -ESRCH; /* TSYNC answers with a thread that could not be brought along */
}

size_t seccomp_describe(const struct seccomp_program *program, const char *name, char *out,
                        size_t size)
{
    int length = snprintf(out, size, "%s (%u instructions)", name, program->count);
    return length < 0 ? 0 : (size_t)length;
}

bool seccomp_program_valid(const struct sock_filter *code, size_t count)
{
    if (count == 0 || count > BPF_MAXINSNS)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct sock_filter *in = &code[i];
        size_t rest = count - i - 1; /* instructions behind this one */
        switch (in->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            if (in->k % 4 != 0 || in->k >= sizeof(struct seccomp_data) || rest == 0)
                return false;
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            if (rest == 0)
                return false;
            break;
        case BPF_JMP | BPF_JA:
            if (in->k >= rest)
                return false;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
        case BPF_JMP | BPF_JGE | BPF_K:
        case BPF_JMP | BPF_JGT | BPF_K:
        case BPF_JMP | BPF_JSET | BPF_K:
            if (in->jt >= rest || in->jf >= rest)
                return false;
            break;
        case BPF_RET | BPF_K:
            break;
        default:
            return false;
        }
    }
    return true;
}
