/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs while the project is built: compiles the lists in data/seccomp and writes a header with
 * their programs as constant arrays, for the sets of capabilities that most containers have, and
 * their rules as compact text for the others. Written without pointers, so that a static-pie
 * program has nothing to relocate.
 *
 *     seccomp_gen x86_64|aarch64 RESTRICTED.json BASELINE.json > seccomp_builtin.h
 */
#include <fcntl.h>
#include <linux/seccomp.h>

#include "base/io.h"
#include "base/json.h"
#include "base/text.h"
#include "runtime/caps.h"
#include "runtime/seccomp_profile.h"

struct list {
    const char *name, *file;
    struct buf text; /* without spaces and comments */
};

/* Reads a list, drops what is only for people. */
static int read_list(struct list *list, struct error *err)
{
    autobuf raw = {0};
    json_t *rules = NULL, *rule;
    size_t i;
    int rc = read_file_at(AT_FDCWD, list->file, 1024 * 1024, &raw, err);
    if (rc < 0)
        return rc;
    autojson document = json_parse(buf_text(&raw), raw.len, list->file, err);
    if (!document)
        return -EINVAL;
    rc = json_get_array(document, "syscalls", &rules, err);
    if (rc < 0)
        return rc;
    json_array_foreach(rules, i, rule) json_object_del(rule, "comment");
    json_object_del(document, "comment");
    autofree char *text = json_dumps(document, JSON_COMPACT);
    if (!text)
        return error_set(err, -ENOMEM, "cannot write %s", list->file);
    buf_str(&list->text, text);
    return 0;
}

static int compile(const struct list *list, enum seccomp_arch arch, uint64_t capabilities,
                   struct seccomp_program *out, uint64_t *relevant, struct error *err)
{
    const struct seccomp_target target = {
        .native = arch, .capabilities = capabilities, .kernel = UINT32_MAX};
    struct seccomp_profile profile;
    int rc =
        seccomp_profile_parse(list->text.data, list->text.len, list->file, &target, &profile, err);
    if (rc < 0)
        return rc;
    *relevant = profile.relevant;
    rc = seccomp_profile_compile(&profile, out, err);
    if (rc == 0 && (profile.flags != 0 || profile.compat))
        rc = error_set(err, -EINVAL, "%s: a list of ours has one architecture and no flags",
                       list->file);
    seccomp_profile_free(&profile);
    return rc;
}

static void put_code(struct buf *out, const struct seccomp_program *program)
{
    for (unsigned i = 0; i < program->count; i++) {
        const struct sock_filter *in = &program->code[i];
        buf_fmt(out, "    {0x%02x, %u, %u, 0x%08x},\n", in->code, in->jt, in->jf, in->k);
    }
}

static void put_text(struct buf *out, const struct buf *text)
{
    for (size_t i = 0; i < text->len; i++)
        buf_fmt(out, "%s%d,", i % 20 == 0 ? "\n    " : "", text->data[i]);
}

static int generate(enum seccomp_arch arch, struct list *lists, size_t count, struct buf *out,
                    struct error *err)
{
    const uint64_t common[] = {CAPS_NONE, CAPS_PODMAN_DEFAULT};
    autobuf code = {0}, text = {0}, programs = {0}, table = {0};
    size_t code_start = 0, text_start = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t relevant = 0, before = UINT64_MAX;
        int rc = read_list(&lists[i], err);
        if (rc < 0)
            return rc;
        for (size_t j = 0; j < sizeof common / sizeof common[0]; j++) {
            struct seccomp_program program;
            rc = compile(&lists[i], arch, common[j], &program, &relevant, err);
            if (rc < 0)
                return rc;
            if ((common[j] & relevant) != before) {
                buf_fmt(&programs, "    {%s, 0x%llx, %zu, %u},\n", lists[i].name,
                        (unsigned long long)(common[j] & relevant), code_start, program.count);
                put_code(&code, &program);
                code_start += program.count;
            }
            before = common[j] & relevant;
            seccomp_program_free(&program);
        }
        buf_fmt(&table, "    [%s] = {0x%llx, %zu, %zu},\n", lists[i].name,
                (unsigned long long)relevant, text_start, lists[i].text.len);
        put_text(&text, &lists[i].text);
        text_start += lists[i].text.len;
    }
    buf_fmt(out,
            "/* Made by seccomp_gen from data/seccomp. */\n"
            "static const struct sock_filter builtin_code[] = {\n%s};\n"
            "static const struct builtin_program {\n"
            "    unsigned which;\n    uint64_t capabilities;\n"
            "    unsigned start;\n    unsigned short count;\n"
            "} builtin_programs[] = {\n%s};\n"
            "static const char builtin_text[] = {%s\n};\n"
            "static const struct builtin_list {\n"
            "    uint64_t relevant; /* capabilities that change the list */\n"
            "    unsigned start, length;\n} builtin_lists[] = {\n%s};\n",
            code.data, programs.data, text.data, table.data);
    return 0;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    autobuf out = {0};
    if (argc != 4) {
        fprintf(stderr, "usage: seccomp_gen ARCHITECTURE RESTRICTED.json BASELINE.json\n");
        return 1;
    }
    struct list lists[] = {{.name = "SECCOMP_RESTRICTED", .file = argv[2]},
                           {.name = "SECCOMP_BASELINE", .file = argv[3]}};
    enum seccomp_arch arch = streq(argv[1], "aarch64") ? SECCOMP_AARCH64 : SECCOMP_X86_64;
    if (generate(arch, lists, 2, &out, &err) < 0) {
        fprintf(stderr, "seccomp_gen: %s\n", err.text);
        return 1;
    }
    for (size_t i = 0; i < 2; i++)
        buf_free(&lists[i].text);
    return write_all(STDOUT_FILENO, out.data, out.len) < 0;
}
