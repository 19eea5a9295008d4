/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the builder that ask nobody: keys, records of steps, secrets in output, archives told by
 * their beginnings, what is selected and its digest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "build/key.h"
#include "build/secrets.h"
#include "build/selection.h"
#include "build/unpack.h"

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* --- keys --- */

static void key_of(char out[STEP_KEY_MAX], const char *one, const char *two)
{
    struct key key;
    key_begin(&key, "test");
    key_text(&key, one);
    key_text(&key, two);
    key_end(&key, out);
}

static void keys_tell_where_one_text_ends_and_whether_there_is_one(void **state)
{
    char a[STEP_KEY_MAX], b[STEP_KEY_MAX];
    (void)state;
    key_of(a, "ab", "c");
    key_of(b, "a", "bc");
    assert_string_not_equal(a, b);
    key_of(a, "", "x");
    key_of(b, NULL, "x");
    assert_string_not_equal(a, b);
    key_of(b, "", "x");
    assert_string_equal(a, b);
    assert_int_equal(strlen(a), STEP_KEY_MAX - 1);
}

static void a_list_of_texts_is_not_its_texts_alone(void **state)
{
    char a[STEP_KEY_MAX], b[STEP_KEY_MAX];
    autostrv one = {0}, none = {0};
    struct key key;
    (void)state;
    strv_add(&one, "x");
    key_begin(&key, "test");
    key_texts(&key, &one);
    key_texts(&key, &none);
    key_end(&key, a);
    key_begin(&key, "test");
    key_texts(&key, &none);
    key_texts(&key, &one);
    key_end(&key, b);
    assert_string_not_equal(a, b);
}

/* --- records of steps --- */

static void a_record_is_read_as_it_was_written(void **state)
{
    struct step_record record = {.layer = "sha256:" KEY,
                                 .created = "2026-01-02T03:04:05Z",
                                 .content = KEY,
                                 .secrets = KEY,
                                 .milliseconds = UINT64_MAX},
                       again;
    autobuf text = {0};
    (void)state;
    steps_write(&record, &text);
    assert_true(steps_read(buf_text(&text), &again));
    assert_memory_equal(&record, &again, sizeof record);
    struct step_record nothing = {.created = "2026-01-02T03:04:05Z"};
    buf_clear(&text);
    steps_write(&nothing, &text);
    assert_true(steps_read(buf_text(&text), &again));
    assert_memory_equal(&nothing, &again, sizeof nothing);
}

static void damaged_records_are_none(void **state)
{
    static const char *const bad[] = {
        "",
        "layer \n",
        "layer ../../../etc\ncreated x\ntook 1\n",
        "layer sha256:short\ncreated x\ntook 1\n",
        "layer \ncreated x\ntook many\n",
        "layer \ncreated x\ntook 1\ncontent ../x\n",
        "layer \ncreated x\ntook 1\nsecrets no\n",
        "layer \ncreated 0123456789012345678901234567890123456789012345678901234567890\ntook 1\n",
    };
    struct step_record out;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(steps_read(bad[i], &out));
}

/* --- secrets --- */

static void redacted(const char *secret, const char *text, const char *expected)
{
    autostrv words = {0}, none = {0};
    autobuf out = {0};
    struct secrets secrets = {0};
    struct error err = {0};
    assert_int_equal(setenv("TEST_SECRET", secret, 1), 0);
    strv_add(&words, "id=s,env=TEST_SECRET");
    assert_int_equal(secrets_read(&words, &none, &secrets, &err), 0);
    secrets_redact(&secrets, text, &out);
    assert_string_equal(buf_text(&out), expected);
    secrets_free(&secrets);
}

static void values_are_taken_out_of_output(void **state)
{
    (void)state;
    redacted("hunter2", "it is hunter2, hunter2!", "it is ***, ***!");
    redacted("hunter2", "hunter2hunter2", "******");
    redacted("hunter2", "hunter", "hunter");
    redacted("hunter2", "", "");
    /* Of many lines each, since output comes in lines; without the end of line that it has. */
    redacted("first-line\r\nsecond-line\n", "x first-line y", "x *** y");
    redacted("first-line\nsecond-line", "second-line", "***");
    redacted("\n\n\nvalue\n", "a value", "a ***");
    /* Short ones would take ordinary words out. */
    redacted("abc", "abcdef", "abcdef");
    redacted("}\n{\nlonger\n", "{ longer }", "{ *** }");
}

static void words_of_secrets_are_understood_or_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "nothing",
                                      "id=",
                                      "id=a,src=",
                                      "id=a,x=y",
                                      "src=/no/such",
                                      "id=a,env=NOT_SET_AT_ALL",
                                      "id=a,type=x"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        autostrv words = {0}, none = {0};
        struct secrets secrets = {0};
        struct error err = {0};
        strv_add(&words, bad[i]);
        if (secrets_read(&words, &none, &secrets, &err) == 0)
            fail_msg("taken: %s", bad[i]);
        assert_true(err.text[0]);
        secrets_free(&secrets);
    }
}

static void the_last_of_two_secrets_with_one_name_counts(void **state)
{
    autostrv words = {0}, none = {0};
    struct secrets secrets = {0};
    struct error err = {0};
    (void)state;
    setenv("ONE", "first", 1);
    setenv("TWO", "second", 1);
    strv_add(&words, "id=s,env=ONE");
    strv_add(&words, "type=env,id=s,env=TWO");
    assert_int_equal(secrets_read(&words, &none, &secrets, &err), 0);
    assert_string_equal(buf_text(&secret_find(&secrets, "s")->value), "second");
    assert_null(secret_find(&secrets, "t"));
    assert_null(secret_find(&secrets, NULL));
    secrets_free(&secrets);
}

/* --- archives --- */

static void archives_are_told_by_their_beginnings(void **state)
{
    unsigned char tar[512] = {0};
    (void)state;
    assert_true(unpack_may_be_archive("\x1f\x8b\x08\0\0\0\0\0\0\0", 10));
    assert_true(unpack_may_be_archive("\xfd"
                                      "7zXZ\0",
                                      6));
    assert_true(unpack_may_be_archive("\x28\xb5\x2f\xfd", 4));
    memcpy(tar + 257, "ustar", 6);
    memcpy(tar, "name", 4);
    unsigned sum = 8 * ' ';
    for (size_t i = 0; i < sizeof tar; i++)
        sum += tar[i];
    snprintf((char *)tar + 148, 8, "%06o", sum);
    assert_true(unpack_may_be_archive(tar, sizeof tar));
    assert_false(unpack_may_be_archive("no archive at all", 17));
    assert_false(unpack_may_be_archive("PK\x03\x04", 4));
    assert_false(unpack_may_be_archive("", 0));
    assert_false(unpack_may_be_archive("\x1f", 1));
}

/* --- what is selected --- */

struct tree {
    char path[64];
    int fd;
};

static int begin(void **state)
{
    struct tree *tree = xcalloc(1, sizeof *tree);
    /* A tmpfs where there is one: its files may have attributes of any length. */
    snprintf(tree->path, sizeof tree->path, "%s/caisson-build-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(tree->path))
        return -1;
    tree->fd = open(tree->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = tree;
    return tree->fd < 0;
}

static int end(void **state)
{
    struct tree *tree = *state;
    (void)remove_tree_at(AT_FDCWD, tree->path, NULL);
    close(tree->fd);
    free(tree);
    return 0;
}

static void put(const struct tree *tree, const char *name, const char *text)
{
    int fd = openat(tree->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, text, strlen(text)), 0);
    close(fd);
}

static void digest_below(const struct tree *tree, const char *source, char out[STEP_KEY_MAX])
{
    const struct source_root root = {.root = tree->fd, .what = "the test", .context = true};
    struct step step = {.kind = INSTRUCTION_COPY};
    struct error err = {0};
    autoselection selection = {0};
    strv_add(&step.sources, source);
    if (selection_make(&root, &step, &selection, &err) < 0)
        fail_msg("%s", err.text);
    selection_digest(&selection, out);
    strv_free(&step.sources);
}

static void the_digest_is_of_contents_modes_names_and_links_and_not_of_times(void **state)
{
    const struct tree *tree = *state;
    const struct timespec old[] = {{.tv_sec = 1}, {.tv_sec = 1}};
    char before[STEP_KEY_MAX], now[STEP_KEY_MAX];
    assert_int_equal(mkdirat(tree->fd, "d", 0755), 0);
    put(tree, "d/f", "one");
    digest_below(tree, "d", before);
    assert_int_equal(utimensat(tree->fd, "d/f", old, 0), 0);
    digest_below(tree, "d", now);
    assert_string_equal(before, now);
    put(tree, "d/f", "two");
    digest_below(tree, "d", now);
    assert_string_not_equal(before, now);
    put(tree, "d/f", "one");
    digest_below(tree, "d", now);
    assert_string_equal(before, now);
    assert_int_equal(fchmodat(tree->fd, "d/f", 0755, 0), 0);
    digest_below(tree, "d", now);
    assert_string_not_equal(before, now);
    assert_int_equal(fchmodat(tree->fd, "d/f", 0644, 0), 0);
    assert_int_equal(symlinkat("f", tree->fd, "d/l"), 0);
    digest_below(tree, "d", now);
    assert_string_not_equal(before, now);
    assert_int_equal(unlinkat(tree->fd, "d/l", 0), 0);
    assert_int_equal(renameat(tree->fd, "d/f", tree->fd, "d/g"), 0);
    digest_below(tree, "d", now);
    assert_string_not_equal(before, now);
    assert_int_equal(mkdirat(tree->fd, "d/empty", 0755), 0);
    digest_below(tree, "d", before);
    assert_string_not_equal(before, now);
}

static void attributes_that_are_copied_count_and_those_of_overlayfs_are_not_copied(void **state)
{
    const struct tree *tree = *state;
    char before[STEP_KEY_MAX], now[STEP_KEY_MAX];
    assert_true(selection_keeps_attribute("security.capability"));
    assert_true(selection_keeps_attribute("user.mark"));
    assert_false(selection_keeps_attribute("user.overlay.opaque"));
    assert_false(selection_keeps_attribute("user.overlay.redirect"));
    assert_false(selection_keeps_attribute("security.selinux"));
    assert_false(selection_keeps_attribute("trusted.overlay.opaque"));
    put(tree, "f", "x");
    digest_below(tree, "f", before);
    int fd = openat(tree->fd, "f", O_RDWR | O_CLOEXEC);
    int rc = fsetxattr(fd, "user.mark", "1", 1, 0);
    close(fd);
    if (rc < 0)
        skip();
    digest_below(tree, "f", now);
    assert_string_not_equal(before, now);
}

/* As long as what is copied, and as many. Where a file may have them; ext4 allows less. */
static void long_attributes_count_to_their_end(void **state)
{
    const struct tree *tree = *state;
    static char value[20000];
    char before[STEP_KEY_MAX], now[STEP_KEY_MAX], name[64];
    memset(value, 'x', sizeof value);
    put(tree, "f", "x");
    autofd fd = openat(tree->fd, "f", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 150; i++) {
        snprintf(name, sizeof name, "user.%040d", i);
        if (fsetxattr(fd, name, "", 0, 0) < 0)
            skip();
    }
    if (fsetxattr(fd, "user.long", value, sizeof value, 0) < 0)
        skip();
    digest_below(tree, "f", before);
    value[sizeof value - 1] = 'y';
    assert_int_equal(fsetxattr(fd, "user.long", value, sizeof value, 0), 0);
    digest_below(tree, "f", now);
    assert_string_not_equal(before, now);
}

static void a_source_that_is_not_there_is_named(void **state)
{
    const struct tree *tree = *state;
    const struct source_root root = {.root = tree->fd, .what = "the test", .context = true};
    static const char *const missing[] = {"nothing", "f/below", "../etc/passwd", "link",
                                          "up/passwd"};
    put(tree, "f", "x");
    assert_int_equal(symlinkat("/etc/passwd", tree->fd, "link"), 0);
    assert_int_equal(symlinkat("../../../../etc", tree->fd, "up"), 0);
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        struct step step = {.kind = INSTRUCTION_COPY};
        struct error err = {0};
        autoselection selection = {0};
        strv_add(&step.sources, missing[i]);
        assert_true(selection_make(&root, &step, &selection, &err) < 0);
        assert_non_null(strstr(err.text, "the test"));
        strv_free(&step.sources);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_tell_where_one_text_ends_and_whether_there_is_one),
        cmocka_unit_test(a_list_of_texts_is_not_its_texts_alone),
        cmocka_unit_test(a_record_is_read_as_it_was_written),
        cmocka_unit_test(damaged_records_are_none),
        cmocka_unit_test(values_are_taken_out_of_output),
        cmocka_unit_test(words_of_secrets_are_understood_or_refused),
        cmocka_unit_test(the_last_of_two_secrets_with_one_name_counts),
        cmocka_unit_test(archives_are_told_by_their_beginnings),
        cmocka_unit_test_setup_teardown(
            the_digest_is_of_contents_modes_names_and_links_and_not_of_times, begin, end),
        cmocka_unit_test_setup_teardown(
            attributes_that_are_copied_count_and_those_of_overlayfs_are_not_copied, begin, end),
        cmocka_unit_test_setup_teardown(long_attributes_count_to_their_end, begin, end),
        cmocka_unit_test_setup_teardown(a_source_that_is_not_there_is_named, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
