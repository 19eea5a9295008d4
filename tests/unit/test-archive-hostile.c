/* SPDX-License-Identifier: Apache-2.0 */
/* Layers that try to leave their directory, to fool overlayfs or to be two things at once. */
#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants the headers above */
#include <cmocka.h>
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "archive-kit.h"
#include "base/cleanup.h"
#include "base/text.h"

/* The archive is refused with these words, and nothing is beside the layer's directory. */
static void refused(struct kit *kit, const char *words)
{
    assert_true(kit_unpack(kit) < 0);
    if (!strstr(kit->err.text, words))
        fail_msg("another error than \"%s\": %s", words, kit->err.text);
    autodir dir = opendir(kit->path);
    struct dirent *entry;
    while ((entry = readdir(dir)))
        assert_true(streq(entry->d_name, ".") || streq(entry->d_name, "..") ||
                    streq(entry->d_name, "layer"));
    kit_leave(kit);
}

static void names_with_dot_dot_are_refused(void **state)
{
    static const char *const names[] = {"../evil", "a/../../evil", "/../evil", "..", "a/.."};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct kit kit;
        kit_enter(&kit);
        kit_text(&kit, names[i], "x");
        refused(&kit, "\"..\"");
    }
}

static void nothing_is_written_through_a_symlink(void **state)
{
    struct kit kit;
    (void)state;
    kit_enter(&kit);
    kit_link(&kit, TAR_SYMLINK, "a", "../..");
    kit_text(&kit, "a/evil", "x");
    refused(&kit, "a/evil: a is a symbolic link");
    kit_enter(&kit);
    kit_link(&kit, TAR_SYMLINK, "a", "/tmp");
    kit_dir(&kit, "a/");
    refused(&kit, "a is a symbolic link");
    kit_enter(&kit);
    kit_dir(&kit, "d");
    kit_link(&kit, TAR_SYMLINK, "d/a", ".");
    kit_link(&kit, TAR_SYMLINK, "d/a/b", "/etc");
    refused(&kit, "a is a symbolic link");
}

static void nothing_is_written_over_a_symlink(void **state)
{
    struct kit kit;
    (void)state;
    kit_enter(&kit);
    kit_link(&kit, TAR_SYMLINK, "a", "../../evil");
    kit_text(&kit, "a", "x");
    refused(&kit, "a: it is in this layer twice");
}

static void hard_links_reach_only_files_of_the_layer(void **state)
{
    static const char *const targets[] = {"/etc/passwd", "missing", "../recipe", ".", "d",
                                          "d/..",        "gone",    "s/recipe",  ""};
    (void)state;
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct kit kit;
        kit_enter(&kit);
        kit_dir(&kit, "d");
        kit_text(&kit, ".wh.gone", "");
        kit_link(&kit, TAR_SYMLINK, "s", "..");
        kit_link(&kit, TAR_HARDLINK, "link", targets[i]);
        refused(&kit, "link: cannot link it to");
    }
}

static void a_path_cannot_be_two_things(void **state)
{
    struct kit kit;
    (void)state;
    kit_enter(&kit);
    kit_text(&kit, "a", "1");
    kit_text(&kit, "./a", "2");
    refused(&kit, "./a: it is in this layer twice");
    kit_enter(&kit);
    kit_text(&kit, "a", "1");
    kit_dir(&kit, "a");
    refused(&kit, "not a directory");
    kit_enter(&kit);
    kit_dir(&kit, "a");
    kit_text(&kit, "a", "1");
    refused(&kit, "twice");
    kit_enter(&kit);
    kit_text(&kit, "a", "1");
    kit_text(&kit, "a/b", "1");
    refused(&kit, "not a directory");
    kit_enter(&kit);
    kit_text(&kit, ".wh.a", "");
    kit_text(&kit, ".wh.a", "");
    refused(&kit, "twice");
}

static void whiteouts_of_nothing_are_refused(void **state)
{
    static const char *const names[] = {".wh.", ".wh..", ".wh...", "a/.wh."};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct kit kit;
        kit_enter(&kit);
        kit_text(&kit, names[i], "");
        refused(&kit, "whiteout that names nothing");
    }
}

static void whiteouts_are_no_directories(void **state)
{
    struct kit kit;
    (void)state;
    kit_enter(&kit);
    kit_text(&kit, ".wh.a/b", "");
    refused(&kit, "the name of a whiteout");
    kit_enter(&kit);
    kit_dir(&kit, ".wh.a");
    refused(&kit, "the name of a whiteout");
    kit_enter(&kit);
    kit_dir(&kit, ".wh..wh..opq");
    refused(&kit, "the name of a whiteout");
}

static void whiteouts_cannot_be_forged(void **state)
{
    static const char *const names[] = {"user.overlay.opaque", "user.overlay.redirect",
                                        "trusted.overlay.metacopy"};
    struct kit kit;
    (void)state;
    kit_enter(&kit);
    kit_link(&kit, TAR_CHARACTER, "a", "");
    refused(&kit, "whiteout in disguise");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct tar_xattr xattr = {.name = names[i], .value = "y", .length = 1};
        kit_enter(&kit);
        kit_add(&kit,
                &(struct tar_entry){
                    .type = TAR_DIRECTORY, .path = "d", .xattrs = &xattr, .xattr_count = 1},
                NULL);
        refused(&kit, "only overlayfs may set");
    }
}

static void ids_that_cannot_exist_are_refused(void **state)
{
    struct kit kit;
    (void)state;
    kit_enter(&kit);
    kit_add(&kit, &(struct tar_entry){.path = "a", .uid = 4294967295}, "x");
    refused(&kit, "no such ids can exist");
    kit_enter(&kit);
    kit_add(&kit, &(struct tar_entry){.path = "a", .gid = 1ull << 40}, "x");
    refused(&kit, "no such ids can exist");
}

static void names_too_long_for_the_kernel_are_refused(void **state)
{
    struct kit kit;
    char name[5000];
    (void)state;
    memset(name, 'n', sizeof name - 1), name[sizeof name - 1] = '\0';
    kit_enter(&kit);
    name[256] = '\0';
    kit_text(&kit, name, "x");
    refused(&kit, "too long");
    kit_enter(&kit);
    name[256] = 'n';
    for (size_t i = 100; i < sizeof name - 1; i += 100)
        name[i] = '/';
    kit_text(&kit, name, "x");
    refused(&kit, "too long");
}

static void control_characters_of_names_do_not_reach_the_terminal(void **state)
{
    struct kit kit;
    (void)state;
    kit_enter(&kit);
    kit_text(&kit, "../\x1b[2Jevil", "x");
    assert_true(kit_unpack(&kit) < 0);
    assert_null(strchr(kit.err.text, '\x1b'));
    kit_leave(&kit);
}

static void too_many_and_too_much_is_refused_with_the_flag_to_raise(void **state)
{
    struct kit kit;
    (void)state;
    kit_enter(&kit);
    kit_text(&kit, "a", "12345");
    kit_text(&kit, "b", "12345");
    assert_int_equal(kit_unpack_to(&kit, "layer", &(struct layer_limits){.max_bytes = 9}), -EFBIG);
    assert_non_null(strstr(kit.err.text, "--max-size"));
    assert_int_equal(kit_unpack_bytes(&kit, "2", kit.tar.data, kit.tar.len,
                                      &(struct layer_limits){.max_entries = 1}),
                     -EFBIG);
    assert_non_null(strstr(kit.err.text, "--max-files"));
    assert_int_equal(kit_unpack_bytes(&kit, "3", kit.tar.data, kit.tar.len,
                                      &(struct layer_limits){.max_bytes = 10, .max_entries = 2}),
                     0);
    kit_leave(&kit);
    kit_enter(&kit);
    kit_text(&kit, "a/b/c/d/e", "x");
    assert_int_equal(kit_unpack_to(&kit, "layer", &(struct layer_limits){.max_entries = 3}),
                     -EFBIG);
    assert_non_null(strstr(kit.err.text, "--max-files"));
    kit_leave(&kit);
}

static void unknown_entries_are_refused(void **state)
{
    struct kit kit;
    (void)state;
    kit_enter(&kit);
    struct tar_block b = {.name = "x", .type = 'D', .magic = "ustar"};
    kit_block(&kit, &b, NULL);
    refused(&kit, "unknown type 0x44");
    kit_enter(&kit);
    kit_text(&kit, ".", "x");
    refused(&kit, "root of a layer");
}

static void an_archive_cut_anywhere_is_refused(void **state)
{
    struct kit kit;
    (void)state;
    kit_enter(&kit);
    kit_pax(&kit, 'x', "10 path=x\n", 10);
    kit_text(&kit, "a", "content");
    size_t entry = kit.tar.len;
    for (size_t cut = 1; cut < entry; cut += 97) {
        autobuf name = {0};
        buf_fmt(&name, "cut-%zu", cut);
        assert_int_equal(kit_unpack_bytes(&kit, buf_text(&name), kit.tar.data, cut, NULL),
                         -EBADMSG);
    }
    kit_leave(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_with_dot_dot_are_refused),
        cmocka_unit_test(nothing_is_written_through_a_symlink),
        cmocka_unit_test(nothing_is_written_over_a_symlink),
        cmocka_unit_test(hard_links_reach_only_files_of_the_layer),
        cmocka_unit_test(a_path_cannot_be_two_things),
        cmocka_unit_test(whiteouts_of_nothing_are_refused),
        cmocka_unit_test(whiteouts_are_no_directories),
        cmocka_unit_test(whiteouts_cannot_be_forged),
        cmocka_unit_test(ids_that_cannot_exist_are_refused),
        cmocka_unit_test(names_too_long_for_the_kernel_are_refused),
        cmocka_unit_test(control_characters_of_names_do_not_reach_the_terminal),
        cmocka_unit_test(too_many_and_too_much_is_refused_with_the_flag_to_raise),
        cmocka_unit_test(unknown_entries_are_refused),
        cmocka_unit_test(an_archive_cut_anywhere_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
