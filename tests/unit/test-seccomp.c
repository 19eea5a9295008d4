/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiler of filters, held against two things that share no code with it: an interpreter of
 * classic BPF, and an evaluation of the rules straight from their JSON.
 */
#include "seccomp-kit.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "runtime/caps.h"

/* --- the rules, read naively --- */

#define NUMBERS 601

static const char *const docker_names[] = {"amd64", "x86", "arm64"};

static bool lists(const json_t *rule, const char *filter, const char *key, const char *text)
{
    json_t *item;
    size_t i;
    json_array_foreach(json_object_get(json_object_get(rule, filter), key), i, item)
    {
        if (streq(json_string_value(item), text))
            return true;
    }
    return false;
}

static size_t listed(const json_t *rule, const char *filter, const char *key)
{
    return json_array_size(json_object_get(json_object_get(rule, filter), key));
}

static bool rule_is_there(const json_t *rule, const struct seccomp_target *target)
{
    size_t included = 0;
    for (unsigned i = 0; caps_name(i); i++) {
        bool has = (target->capabilities >> i & 1) != 0;
        if (has && lists(rule, "excludes", "caps", caps_name(i)))
            return false;
        included += has && lists(rule, "includes", "caps", caps_name(i));
    }
    const char *arch = docker_names[target->native];
    return included == listed(rule, "includes", "caps") &&
           (listed(rule, "includes", "arches") == 0 || lists(rule, "includes", "arches", arch)) &&
           !lists(rule, "excludes", "arches", arch);
}

static bool condition_holds(const json_t *c, const uint64_t *args)
{
    uint64_t have = args[json_integer_value(json_object_get(c, "index"))];
    uint64_t value = (uint64_t)json_integer_value(json_object_get(c, "value"));
    uint64_t two = (uint64_t)json_integer_value(json_object_get(c, "valueTwo"));
    const char *op = json_string_value(json_object_get(c, "op")) + strlen("SCMP_CMP_");
    return streq(op, "NE")   ? have != value
           : streq(op, "LT") ? have < value
           : streq(op, "LE") ? have <= value
           : streq(op, "EQ") ? have == value
           : streq(op, "GE") ? have >= value
           : streq(op, "GT") ? have > value
                             : (have & value) == two;
}

static bool rule_matches(const json_t *rule, const uint64_t *args)
{
    json_t *list = json_object_get(rule, "args"), *c;
    size_t i, holding = 0;
    unsigned uses[6] = {0};
    bool twice = false;
    json_array_foreach(list, i, c)
    {
        holding += condition_holds(c, args);
        twice |= uses[json_integer_value(json_object_get(c, "index"))]++ > 0;
    }
    return twice ? holding > 0 : holding == json_array_size(list);
}

static uint32_t action_of(const json_t *object, const char *action_key, const char *errno_key)
{
    static const struct {
        const char *name;
        uint32_t value;
    } known[] = {
        {"ALLOW", SECCOMP_RET_ALLOW}, {"LOG", SECCOMP_RET_LOG},
        {"TRAP", SECCOMP_RET_TRAP},   {"KILL_THREAD", SECCOMP_RET_KILL_THREAD},
        {"TRACE", SECCOMP_RET_TRACE}, {"KILL_PROCESS", SECCOMP_RET_KILL_PROCESS},
        {"ERRNO", SECCOMP_RET_ERRNO},
    };
    const char *name = json_string_value(json_object_get(object, action_key));
    const json_t *code = json_object_get(object, errno_key);
    uint32_t data = code ? (uint32_t)json_integer_value(code) : EPERM;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (streq(name + strlen("SCMP_ACT_"), known[i].name))
            return known[i].value |
                   (streq(known[i].name, "ERRNO") || streq(known[i].name, "TRACE") ? data : 0);
    fail_msg("action %s", name);
    return 0;
}

struct naive {
    json_t *rules[NUMBERS][64];
    size_t count[NUMBERS];
    int highest;
    uint32_t otherwise;
};

static void naive_read(const json_t *document, const struct seccomp_target *target,
                       enum seccomp_arch arch, struct naive *out)
{
    json_t *rule, *name;
    size_t i, j;
    memset(out, 0, sizeof *out);
    out->highest = -1;
    out->otherwise = action_of(document, "defaultAction", "defaultErrnoRet");
    json_array_foreach(json_object_get(document, "syscalls"), i, rule)
    {
        if (!rule_is_there(rule, target))
            continue;
        json_array_foreach(json_object_get(rule, "names"), j, name)
        {
            int index = seccomp_call_find(json_string_value(name));
            int number = index < 0 ? -1 : seccomp_call_number((unsigned)index, arch);
            if (number < 0)
                continue;
            assert_true(out->count[number] < 64);
            out->rules[number][out->count[number]++] = rule;
            if (number > out->highest)
                out->highest = number;
        }
    }
}

static uint32_t naive_action(const struct naive *n, uint32_t number, const uint64_t *args)
{
    bool lenient = n->otherwise >= SECCOMP_RET_TRACE && n->otherwise != SECCOMP_RET_KILL_PROCESS;
    if ((int64_t)number > n->highest)
        return lenient && (n->otherwise & 0x80000000) == 0 ? n->otherwise
                                                           : SECCOMP_RET_ERRNO | ENOSYS;
    bool any = false;
    uint32_t result = n->otherwise;
    for (size_t i = 0; i < n->count[number]; i++) {
        if (!rule_matches(n->rules[number][i], args))
            continue;
        uint32_t action = action_of(n->rules[number][i], "action", "errnoRet");
        /* The kernel's order: the action part as a signed number. */
        if (!any || (int32_t)(action & 0xffff0000) < (int32_t)(result & 0xffff0000))
            result = action;
        any = true;
    }
    return result;
}

/* --- random numbers that come out the same every time --- */

static uint64_t state = 42;

static uint64_t random64(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint64_t below(uint64_t limit)
{
    return random64() % limit;
}

/* Values that are near to what conditions compare with, in both halves. */
static uint64_t random_value(void)
{
    static const uint64_t interesting[] = {
        0,       1,          2,          8,           10,          16,         17,
        38,      40,         0x5412,     0x541c,      0x5423,      0x10000000, 0x7e020000,
        131072,  0xffffffff, 0xfffffffe, 0x100000000, 0x100000001, 0x80000000, INT64_MAX,
        262,     0170000,    0020000,    04000,       02000,       06755,      0104644,
        0100644, 0x40,       0x410000,   0x400040};
    uint64_t value = interesting[below(sizeof interesting / sizeof interesting[0])];
    switch (below(8)) {
    case 0:
        return (value + 1) & INT64_MAX;
    case 1:
        return (value - 1) & INT64_MAX;
    case 2:
        return (value | below(4) << 32) & INT64_MAX;
    case 3:
        return random64() & INT64_MAX;
    default:
        return value;
    }
}

/* --- comparing --- */

static void compare(const struct seccomp_program *program, const struct naive *naive,
                    enum seccomp_arch arch, unsigned rounds)
{
    for (uint32_t number = 0; number < NUMBERS; number++) {
        unsigned times = naive->count[number] > 1 ? 16 * rounds : rounds;
        for (unsigned i = 0; i < times; i++) {
            struct seccomp_data data = {.nr = (int)number, .arch = audit[arch]};
            for (unsigned j = 0; j < 6; j++)
                data.args[j] = random_value();
            uint32_t want =
                naive_action(naive, number,
                             (const uint64_t[]){data.args[0], data.args[1], data.args[2],
                                                data.args[3], data.args[4], data.args[5]});
            uint32_t got = interpret(program, &data);
            if (got != want)
                fail_msg("call %u(%llx, %llx, %llx, ...) gives 0x%x instead of 0x%x", number,
                         data.args[0], data.args[1], data.args[2], got, want);
        }
    }
}

/* Compiles a document for a target and compares on every architecture that it has. */
static void check_document(const json_t *document, const struct seccomp_target *target,
                           unsigned rounds)
{
    struct error err = {0};
    struct seccomp_profile profile;
    struct seccomp_program program;
    autofree struct naive *naive = xcalloc(1, sizeof *naive);
    autofree char *text = json_dumps(document, JSON_COMPACT);
    assert_int_equal(seccomp_profile_parse(text, strlen(text), "test", target, &profile, &err), 0);
    assert_int_equal(seccomp_profile_compile(&profile, &program, &err), 0);
    assert_true(seccomp_program_valid(program.code, program.count));
    naive_read(document, target, target->native, naive);
    compare(&program, naive, target->native, rounds);
    if (profile.compat) {
        naive_read(document, target, SECCOMP_I386, naive);
        compare(&program, naive, SECCOMP_I386, rounds);
    }
    seccomp_profile_free(&profile);
    seccomp_program_free(&program);
}

static void our_lists_do_what_their_rules_say(void **unused)
{
    (void)unused;
    static const char *const names[] = {"restricted.json", "baseline.json"};
    static const uint64_t sets[] = {CAPS_NONE, CAPS_PODMAN_DEFAULT, UINT64_MAX, UINT64_C(1) << 21,
                                    UINT64_C(1) << 12 | UINT64_C(1) << 13};
    for (size_t i = 0; i < 2; i++) {
        autojson document = load_list(names[i]);
        for (size_t j = 0; j < sizeof sets / sizeof sets[0]; j++) {
            for (int arch = 0; arch < SECCOMP_ARCHES; arch++) {
                if (arch == SECCOMP_I386)
                    continue;
                const struct seccomp_target target = {.native = (enum seccomp_arch)arch,
                                                      .capabilities = sets[j],
                                                      .kernel = UINT32_MAX};
                check_document(document, &target, 16);
            }
        }
    }
}

static void the_programs_built_in_are_those_of_the_lists(void **unused)
{
    (void)unused;
    static const char *const names[] = {"restricted.json", "baseline.json"};
    static const uint64_t sets[] = {CAPS_NONE, CAPS_PODMAN_DEFAULT, UINT64_C(1) << 21, UINT64_MAX};
    autofree struct naive *naive = xcalloc(1, sizeof *naive);
    for (unsigned which = 0; which < 2; which++) {
        autojson document = load_list(names[which]);
        for (size_t j = 0; j < sizeof sets / sizeof sets[0]; j++) {
            const struct seccomp_target target = {
                .native = SECCOMP_NATIVE, .capabilities = sets[j], .kernel = UINT32_MAX};
            struct seccomp_program program;
            struct error err = {0};
            assert_int_equal(seccomp_builtin((enum seccomp_builtin)which, sets[j], &program, &err),
                             0);
            assert_int_equal(program.owned, j >= 2);
            naive_read(document, &target, SECCOMP_NATIVE, naive);
            compare(&program, naive, SECCOMP_NATIVE, 8);
            seccomp_program_free(&program);
        }
    }
}

static json_t *random_action(void)
{
    static const char *const actions[] = {"ALLOW", "ALLOW", "ERRNO",       "ERRNO",       "LOG",
                                          "TRAP",  "TRACE", "KILL_THREAD", "KILL_PROCESS"};
    return json_sprintf("SCMP_ACT_%s", actions[below(sizeof actions / sizeof actions[0])]);
}

static json_t *random_rule(void)
{
    static const char *const ops[] = {"NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"};
    json_t *names = json_array(), *args = json_array();
    unsigned start = (unsigned)below(below(3) ? 460 : 2),
             count = 1 + (unsigned)below(below(4) ? 4 : 60);
    for (unsigned i = 0; i < count && seccomp_call_name(start + i); i++)
        json_array_append_new(names, json_string(seccomp_call_name(start + i)));
    for (uint64_t i = below(5); i > 1; i--) {
        uint64_t mask = random_value();
        json_array_append_new(
            args, json_pack("{s:I, s:I, s:I, s:o}", "index", (json_int_t)below(6), "value",
                            (json_int_t)mask, "valueTwo",
                            (json_int_t)(below(4) ? random_value() & mask : random_value()), "op",
                            json_sprintf("SCMP_CMP_%s", ops[below(7)])));
    }
    json_t *rule =
        json_pack("{s:o, s:o, s:o}", "names", names, "args", args, "action", random_action());
    if (below(2))
        json_object_set_new(rule, "errnoRet", json_integer((json_int_t)below(100)));
    return rule;
}

static void random_profiles_do_what_their_rules_say(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < 150; i++) {
        json_t *rules = json_array();
        for (uint64_t n = below(40); n > 0; n--)
            json_array_append_new(rules, random_rule());
        autojson document = json_pack("{s:o, s:i, s:o}", "defaultAction", random_action(),
                                      "defaultErrnoRet", (int)below(100), "syscalls", rules);
        if (below(2))
            json_object_set_new(document, "architectures",
                                json_pack("[s, s]", "SCMP_ARCH_X86_64", "SCMP_ARCH_X86"));
        const struct seccomp_target target = {.native = below(3) ? SECCOMP_X86_64 : SECCOMP_AARCH64,
                                              .kernel = UINT32_MAX};
        check_document(document, &target, 4);
    }
}

/* A condition that never holds between two that look at one argument: the load that they share is
 * also jumped to from elsewhere. */
static void a_condition_that_never_holds_changes_nothing(void **unused)
{
    (void)unused;
    static const char text[] =
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":["
        "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
        "{\"index\":1,\"op\":\"SCMP_CMP_MASKED_EQ\",\"value\":4294967295,\"valueTwo\":1},"
        "{\"index\":0,\"op\":\"SCMP_CMP_MASKED_EQ\",\"value\":4294967295,\"valueTwo\":2}]},"
        "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
        "{\"index\":1,\"op\":\"SCMP_CMP_MASKED_EQ\",\"value\":4294967295,\"valueTwo\":1},"
        "{\"index\":0,\"op\":\"SCMP_CMP_MASKED_EQ\",\"value\":1,\"valueTwo\":2}]},"
        "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
        "{\"index\":0,\"op\":\"SCMP_CMP_MASKED_EQ\",\"value\":4294967295,\"valueTwo\":8}]}]}";
    struct error err = {0};
    autojson document = json_parse(text, sizeof text - 1, "test", &err);
    assert_non_null(document);
    const struct seccomp_target target = {.native = SECCOMP_X86_64, .kernel = UINT32_MAX};
    check_document(document, &target, 400);
}

/* Three masks over one argument, the middle one asking for no bits: what the first leaves of the
 * word is not enough for the third. */
static void a_test_for_no_bits_leaves_the_word_to_what_follows(void **unused)
{
    (void)unused;
    static const char text[] =
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":["
        "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
        "{\"index\":0,\"op\":\"SCMP_CMP_MASKED_EQ\",\"value\":61440,\"valueTwo\":32768}]},"
        "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
        "{\"index\":0,\"op\":\"SCMP_CMP_MASKED_EQ\",\"value\":12288,\"valueTwo\":0}]},"
        "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
        "{\"index\":0,\"op\":\"SCMP_CMP_MASKED_EQ\",\"value\":4095,\"valueTwo\":1}]}]}";
    struct seccomp_program program;
    struct error err = {0};
    assert_int_equal(seccomp_from_json(text, sizeof text - 1, "test", 0, &program, &err), 0);
    for (uint32_t word = 0; word < 65536; word++) {
        const struct seccomp_data data = {
            .nr = (int)number_of("read"), .arch = audit[SECCOMP_NATIVE], .args = {word}};
        bool allowed = (word & 61440) == 32768 || (word & 12288) == 0 || (word & 4095) == 1;
        assert_int_equal(interpret(&program, &data),
                         allowed ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EPERM);
    }
    seccomp_program_free(&program);
}

/* Every call has conditions of its own: jumps over more than 255 instructions. */
static void jumps_that_are_too_long_for_bpf_are_bridged(void **unused)
{
    (void)unused;
    json_t *rules = json_array();
    for (unsigned i = 0; i < 300; i++)
        json_array_append_new(
            rules, json_pack("{s:[s], s:[{s:i,s:i,s:s},{s:i,s:i,s:s}], s:s, s:i}", "names",
                             seccomp_call_name(i), "args", "index", (int)(i % 6), "value",
                             (int)(i % 41), "op", "SCMP_CMP_LE", "index", (int)((i + 1) % 6),
                             "value", 1 << (i % 30), "op", "SCMP_CMP_EQ", "action",
                             i % 3 ? "SCMP_ACT_ALLOW" : "SCMP_ACT_ERRNO", "errnoRet", (int)i));
    autojson document = json_pack("{s:s, s:i, s:o}", "defaultAction", "SCMP_ACT_ERRNO",
                                  "defaultErrnoRet", 1, "syscalls", rules);
    const struct seccomp_target target = {.native = SECCOMP_X86_64, .kernel = UINT32_MAX};
    check_document(document, &target, 50);
}

static void a_program_over_the_kernels_limit_is_refused(void **unused)
{
    (void)unused;
    json_t *rules = json_array();
    for (unsigned i = 0; i < 2000; i++)
        json_array_append_new(rules, json_pack("{s:[s], s:[{s:i,s:i,s:s}], s:s}", "names",
                                               seccomp_call_name(i % 200), "args", "index",
                                               (int)(i % 6), "value", (int)i, "op", "SCMP_CMP_EQ",
                                               "action", "SCMP_ACT_ALLOW"));
    autojson document =
        json_pack("{s:s, s:o}", "defaultAction", "SCMP_ACT_ERRNO", "syscalls", rules);
    autofree char *text = json_dumps(document, 0);
    struct seccomp_program program = {.count = 7};
    struct error err = {0};
    assert_int_equal(seccomp_from_json(text, strlen(text), "big.json", 0, &program, &err), -E2BIG);
    assert_non_null(strstr(err.text, "big.json"));
    assert_non_null(strstr(err.text, "4096"));
    assert_int_equal(program.count, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_lists_do_what_their_rules_say),
        cmocka_unit_test(the_programs_built_in_are_those_of_the_lists),
        cmocka_unit_test(random_profiles_do_what_their_rules_say),
        cmocka_unit_test(a_condition_that_never_holds_changes_nothing),
        cmocka_unit_test(a_test_for_no_bits_leaves_the_word_to_what_follows),
        cmocka_unit_test(jumps_that_are_too_long_for_bpf_are_bridged),
        cmocka_unit_test(a_program_over_the_kernels_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
