/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles from outside: what is refused and how, and the cache of compiled ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/memory.h"
#include "runtime/caps.h"
#include "runtime/seccomp.h"
#include "runtime/seccomp_profile.h"

static int compile(const char *text, struct seccomp_program *out, struct error *err)
{
    return seccomp_from_json(text, strlen(text), "my.json", CAPS_NONE, out, err);
}

#define RULE(body) "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{" body "}]}"

static void errors_name_the_profile_the_place_and_the_word(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *named;
        int code;
    } cases[] = {
        {"", "JSON", -EINVAL},
        {"[]", "object", -EINVAL},
        {"{}", "\"defaultAction\" is missing", -EINVAL},
        {"{\"defaultAction\":\"SCMP_ACT_MAYBE\"}", "SCMP_ACT_MAYBE", -EINVAL},
        {"{\"defaultAction\":1}", "\"defaultAction\" must be a string", -EINVAL},
        {"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":-1}", "4095", -EINVAL},
        {"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrno\":\"ENONO\"}", "ENONO", -EINVAL},
        {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"X\"]}", "unknown flag \"X\"", -EINVAL},
        {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"vax\"]}", "vax", -EINVAL},
        {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[7]}", "rule 1", -EINVAL},
        {RULE("\"action\":\"SCMP_ACT_ALLOW\""), "\"names\" is missing", -EINVAL},
        {RULE("\"names\":[\"read\"]"), "an action is missing", -EINVAL},
        {RULE("\"names\":[\"read\"],\"action\":\"ALLOW\""), "unknown action \"ALLOW\"", -EINVAL},
        {RULE("\"names\":[\"read\"],\"name\":\"read\",\"action\":\"SCMP_ACT_LOG\""), "both",
         -EINVAL},
        {RULE("\"names\":[\"read\"],\"action\":\"SCMP_ACT_NOTIFY\""), "SCMP_ACT_NOTIFY", -ENOTSUP},
        {RULE("\"names\":[\"read\"],\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":0,\"value\":1,"
              "\"op\":\"SCMP_CMP_ABOUT\"}]"),
         "SCMP_CMP_ABOUT", -EINVAL},
        {RULE("\"names\":[\"read\"],\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":6,\"value\":1,"
              "\"op\":\"SCMP_CMP_EQ\"}]"),
         "\"index\"", -EINVAL},
        {RULE("\"names\":[\"read\"],\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":0,\"value\":-1"
              ",\"op\":\"SCMP_CMP_EQ\"}]"),
         "negative", -EINVAL},
        {RULE("\"names\":[\"read\"],\"action\":\"SCMP_ACT_LOG\","
              "\"includes\":{\"minKernel\":\"new\"}"),
         "\"new\"", -EINVAL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct seccomp_program program = {.count = 7};
        struct error err = {0};
        assert_int_equal(compile(cases[i].text, &program, &err), cases[i].code);
        assert_non_null(strstr(err.text, "my.json"));
        if (!strstr(err.text, cases[i].named))
            fail_msg("\"%s\" does not name %s", err.text, cases[i].named);
        assert_int_equal(program.count, 7);
    }
}

static void names_that_are_no_call_are_ignored_and_listed(void **unused)
{
    (void)unused;
    struct seccomp_program program;
    struct error err = {0};
    assert_int_equal(compile(RULE("\"names\":[\"read\",\"s390_runtime_instr\",\"nosuch\\u001b\"],"
                                  "\"action\":\"SCMP_ACT_LOG\""),
                             &program, &err),
                     0);
    assert_string_equal(program.ignored, "s390_runtime_instr nosuch\\x1b");
    seccomp_program_free(&program);
}

static void both_formats_and_flags_are_read(void **unused)
{
    (void)unused;
    struct seccomp_program one, two;
    struct error err = {0};
    assert_int_equal(compile("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":["
                             "\"SCMP_ARCH_X86_64\"],\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],"
                             "\"syscalls\":[{\"name\":\"read\",\"action\":\"SCMP_ACT_ALLOW\"}]}",
                             &one, &err),
                     0);
    assert_int_equal(one.flags, SECCOMP_FILTER_FLAG_LOG);
    assert_int_equal(compile("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"archMap\":[{\"architecture\":"
                             "\"SCMP_ARCH_X86_64\",\"subArchitectures\":[\"SCMP_ARCH_X32\"]}],"
                             "\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\","
                             "\"errno\":\"EPERM\",\"args\":null}]}",
                             &two, &err),
                     0);
    assert_int_equal(two.flags, 0);
    assert_int_equal(one.count, two.count);
    assert_memory_equal(one.code, two.code, one.count * sizeof *one.code);
    seccomp_program_free(&one);
    seccomp_program_free(&two);
}

static void min_kernel_decides_whether_a_rule_is_there(void **unused)
{
    (void)unused;
    const char *text = "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"ptrace\"]"
                       ",\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":\"4.8\"}}]}";
    static const uint32_t kernels[] = {4 << 16 | 7, 4 << 16 | 8, 5 << 16};
    for (size_t i = 0; i < 3; i++) {
        struct seccomp_profile profile;
        struct error err = {0};
        const struct seccomp_target target = {.native = SECCOMP_NATIVE, .kernel = kernels[i]};
        assert_int_equal(seccomp_profile_parse(text, strlen(text), "k", &target, &profile, &err),
                         0);
        assert_int_equal(profile.entry_count, i > 0);
        seccomp_profile_free(&profile);
    }
}

/* --- the cache --- */

struct place {
    char path[64];
    int fd;
    char *profile;
};

static int set_up(void **state)
{
    struct place *place = xcalloc(1, sizeof *place);
    struct error err = {0};
    const char text[] = RULE("\"names\":[\"mount\",\"nosuch\"],\"action\":\"SCMP_ACT_ERRNO\"");
    snprintf(place->path, sizeof place->path, "/tmp/caisson-seccomp.XXXXXX");
    assert_non_null(mkdtemp(place->path));
    place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(place->fd >= 0);
    place->profile = xasprintf("%s/p.json", place->path);
    assert_int_equal(
        write_file_at(place->fd, "p.json", text, sizeof text - 1, 0644, VOLATILE, &err), 0);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    close(place->fd);
    remove_tree_at(AT_FDCWD, place->path, &err);
    free(place->profile);
    free(place);
    return 0;
}

/* The only entry, opened; its name in `name`. */
static int open_entry(const struct place *place, char name[256], int flags)
{
    autofd dir = openat(place->fd, "seccomp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(dir >= 0);
    autodir d = fdopendir(dup(dir));
    struct dirent *entry;
    int found = -1;
    while ((entry = readdir(d))) {
        if (entry->d_name[0] == '.')
            continue;
        assert_int_equal(found, -1);
        snprintf(name, 256, "%s", entry->d_name);
        found = openat(dir, name, flags | O_CLOEXEC);
        assert_true(found >= 0);
    }
    return found;
}

static void load(const struct place *place, uint64_t caps, struct seccomp_program *out)
{
    struct error err = {0};
    assert_int_equal(seccomp_from_file(place->fd, place->profile, caps, out, &err), 0);
    assert_string_equal(out->ignored, "nosuch");
}

static void a_profile_is_compiled_once(void **state)
{
    const struct place *place = *state;
    struct seccomp_program first, second;
    char name[256], again[256];
    struct stat before, after;
    load(place, 0, &first);
    autofd entry = open_entry(place, name, O_RDONLY);
    assert_int_equal(fstat(entry, &before), 0);
    load(place, 0, &second);
    autofd same = open_entry(place, again, O_RDONLY);
    assert_int_equal(fstat(same, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino); /* not written a second time */
    assert_int_equal(first.count, second.count);
    assert_memory_equal(first.code, second.code, first.count * sizeof *first.code);
    seccomp_program_free(&first);
    seccomp_program_free(&second);
}

static void what_the_cache_gives_is_what_was_put_there(void **state)
{
    /* Seen by writing an entry of another profile under this one's name. */
    const struct place *place = *state;
    struct seccomp_program program;
    struct error err = {0};
    char name[256];
    const char text[] = RULE("\"names\":[\"nosuch\"],\"action\":\"SCMP_ACT_ERRNO\"");
    load(place, 0, &program);
    unsigned short full = program.count;
    seccomp_program_free(&program);
    autofd entry = open_entry(place, name, O_RDONLY);
    autofd dir = openat(place->fd, "seccomp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(unlinkat(dir, name, 0), 0);
    assert_int_equal(
        write_file_at(place->fd, "q.json", text, sizeof text - 1, 0644, VOLATILE, &err), 0);
    autofree char *path = xasprintf("%s/q.json", place->path);
    assert_int_equal(seccomp_from_file(place->fd, path, 0, &program, &err), 0);
    unsigned short small = program.count;
    seccomp_program_free(&program);
    assert_true(small < full);
    char moved[256];
    autofd from = open_entry(place, moved, O_RDONLY);
    assert_int_equal(renameat(dir, moved, dir, name), 0);
    load(place, 0, &program);
    assert_int_equal(program.count, small); /* so the hit is real */
    seccomp_program_free(&program);
}

static void a_damaged_entry_is_replaced(void **state)
{
    const struct place *place = *state;
    struct seccomp_program good, program;
    char name[256];
    struct stat st;
    load(place, 0, &good);
    autofd entry = open_entry(place, name, O_RDWR);
    assert_int_equal(fstat(entry, &st), 0);
    for (off_t at = 0; at <= st.st_size; at += 7) {
        char byte;
        autofd fd = open_entry(place, name, O_RDWR);
        if (at + 7 > st.st_size) { /* the last round cuts it */
            assert_int_equal(ftruncate(fd, at / 2), 0);
        } else {
            assert_int_equal(pread(fd, &byte, 1, at), 1);
            byte ^= 0x10;
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        }
        load(place, 0, &program);
        assert_int_equal(program.flags, 0);
        assert_int_equal(program.count, good.count);
        assert_memory_equal(program.code, good.code, good.count * sizeof *good.code);
        seccomp_program_free(&program);
        struct stat now;
        autofd fresh = open_entry(place, name, O_RDONLY);
        assert_int_equal(fstat(fresh, &now), 0);
        assert_int_equal(now.st_size, st.st_size);
    }
    seccomp_program_free(&good);
}

static void an_entry_that_others_can_write_is_not_trusted(void **state)
{
    const struct place *place = *state;
    struct seccomp_program program;
    char name[256];
    struct stat before, after;
    load(place, 0, &program);
    seccomp_program_free(&program);
    autofd entry = open_entry(place, name, O_RDONLY);
    assert_int_equal(fchmod(entry, 0666), 0);
    assert_int_equal(fstat(entry, &before), 0);
    load(place, 0, &program);
    seccomp_program_free(&program);
    autofd fresh = open_entry(place, name, O_RDONLY);
    assert_int_equal(fstat(fresh, &after), 0);
    assert_int_not_equal(before.st_ino, after.st_ino);
    assert_int_equal(after.st_mode & 0777, 0600);
}

static void capabilities_have_entries_of_their_own(void **state)
{
    const struct place *place = *state;
    struct seccomp_program program;
    char name[256];
    load(place, 0, &program);
    seccomp_program_free(&program);
    autofd first = open_entry(place, name, O_RDONLY);
    autofd dir = openat(place->fd, "seccomp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    load(place, 1, &program);
    seccomp_program_free(&program);
    assert_int_equal(unlinkat(dir, name, 0), 0);
    char other[256];
    autofd second = open_entry(place, other, O_RDONLY);
    assert_string_not_equal(name, other);
}

static void a_cache_that_can_not_be_used_is_no_error(void **state)
{
    const struct place *place = *state;
    struct seccomp_program program;
    struct error err = {0};
    assert_int_equal(seccomp_from_file(-1, place->profile, 0, &program, &err), 0);
    seccomp_program_free(&program);
    assert_int_equal(write_file_at(place->fd, "seccomp", "x", 1, 0600, VOLATILE, &err), 0);
    load(place, 0, &program);
    seccomp_program_free(&program);
}

static void only_regular_files_of_bounded_size_are_read(void **state)
{
    const struct place *place = *state;
    struct seccomp_program program;
    struct error err = {0};
    autofree char *fifo = xasprintf("%s/fifo", place->path);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(seccomp_from_file(-1, fifo, 0, &program, &err), -EINVAL);
    assert_non_null(strstr(err.text, "regular file"));
    assert_int_equal(truncate(place->profile, 2 << 20), 0);
    assert_int_equal(seccomp_from_file(-1, place->profile, 0, &program, &err), -EFBIG);
    assert_int_equal(seccomp_from_file(-1, "/no/such.json", 0, &program, &err), -ENOENT);
    assert_non_null(strstr(err.text, "/no/such.json"));
}

#define WITH_PLACE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_name_the_profile_the_place_and_the_word),
        cmocka_unit_test(names_that_are_no_call_are_ignored_and_listed),
        cmocka_unit_test(both_formats_and_flags_are_read),
        cmocka_unit_test(min_kernel_decides_whether_a_rule_is_there),
        WITH_PLACE(a_profile_is_compiled_once),
        WITH_PLACE(what_the_cache_gives_is_what_was_put_there),
        WITH_PLACE(a_damaged_entry_is_replaced),
        WITH_PLACE(an_entry_that_others_can_write_is_not_trusted),
        WITH_PLACE(capabilities_have_entries_of_their_own),
        WITH_PLACE(a_cache_that_can_not_be_used_is_no_error),
        WITH_PLACE(only_regular_files_of_bounded_size_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
