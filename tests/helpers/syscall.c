/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syscall NAME|NUMBER [ARGUMENT...]: makes one system call and prints "ok RESULT" or the errno's
 * name. An argument is a number (decimal, 0x…, negative), or a text whose address is passed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALL(name)                                                                                 \
    {                                                                                              \
#name, SYS_##name                                                                          \
    }
static const struct {
    const char *name;
    long number;
} calls[] = {
    CALL(acct),
    CALL(add_key),
    CALL(adjtimex),
    CALL(bpf),
    CALL(chroot),
    CALL(clock_settime),
    CALL(clone3),
    CALL(delete_module),
    CALL(finit_module),
    CALL(fsconfig),
    CALL(fsmount),
    CALL(fsopen),
    CALL(getpid),
    CALL(init_module),
    CALL(io_uring_setup),
    CALL(kcmp),
    CALL(kexec_load),
    CALL(keyctl),
    CALL(mknodat),
    CALL(mount),
    CALL(mount_setattr),
    CALL(move_mount),
    CALL(name_to_handle_at),
    CALL(open_by_handle_at),
    CALL(open_tree),
    CALL(personality),
    CALL(perf_event_open),
    CALL(pidfd_getfd),
    CALL(pivot_root),
    CALL(prctl),
    CALL(process_vm_readv),
    CALL(ptrace),
    CALL(quotactl),
    CALL(reboot),
    CALL(request_key),
    CALL(setdomainname),
    CALL(sethostname),
    CALL(setns),
    CALL(settimeofday),
    CALL(socket),
    CALL(swapoff),
    CALL(swapon),
    CALL(syslog),
    CALL(umount2),
    CALL(unshare),
    CALL(userfaultfd),
    CALL(vhangup),
};

static long number_of(const char *word)
{
    char *end;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (strcmp(calls[i].name, word) == 0)
            return calls[i].number;
    long number = strtol(word, &end, 0);
    return *word && !*end ? number : -1;
}

int main(int argc, char **argv)
{
    long arguments[6] = {0};
    long number = argc > 1 ? number_of(argv[1]) : -1;
    if (number < 0 || argc > 8) {
        fprintf(stderr, "usage: syscall NAME|NUMBER [ARGUMENT...]\n");
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        char *end;
        arguments[i - 2] = strtol(argv[i], &end, 0);
        if (!*argv[i] || *end)
            arguments[i - 2] = (long)argv[i];
    }
    errno = 0;
    long result = syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                          arguments[4], arguments[5]);
    if (result == -1 && errno) {
        printf("%s\n", strerrorname_np(errno));
        return 1;
    }
    printf("ok %ld\n", result);
    return 0;
}
