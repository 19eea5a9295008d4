/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the above first. */
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "container/detach_keys.h"

static struct detach_keys parsed(const char *text)
{
    struct detach_keys keys;
    assert_int_equal(detach_keys_parse(text, &keys, NULL), 0);
    return keys;
}

/* What comes out when `typed` goes in by `step` bytes at a time. */
static void type(const char *keys_text, const char *typed, size_t step, const char *expected,
                 bool detaches)
{
    struct detach_keys keys = parsed(keys_text);
    struct buf out = {0};
    bool detach = false;
    char room[DETACH_KEYS_MAX + 64];
    size_t length = strlen(typed);
    for (size_t at = 0; at < length && !detach; at += step) {
        size_t n = length - at < step ? length - at : step;
        memcpy(room + DETACH_KEYS_MAX, typed + at, n); /* in place, as the relay does it */
        n = detach_keys_filter(&keys, room + DETACH_KEYS_MAX, n, room, &detach);
        buf_add(&out, room, n);
    }
    assert_string_equal(buf_text(&out), expected);
    assert_int_equal(detach, detaches);
    buf_free(&out);
}

static void keys_are_spelled_as_dockers(void **state)
{
    (void)state;
    struct detach_keys keys = parsed(NULL);
    assert_int_equal(keys.count, 2);
    assert_memory_equal(keys.bytes, "\x10\x11", 2);
    keys = parsed("ctrl-a,d,ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_");
    assert_int_equal(keys.count, 8);
    assert_memory_equal(keys.bytes,
                        "\x01"
                        "d\0\x1b\x1c\x1d\x1e\x1f",
                        8);
    assert_int_equal(parsed("").count, 0);
}

static void what_is_no_key_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"ctrl-",   "ctrl-A",   "ctrl-1",
                                        "ab",      ",",        "a,",
                                        "ctrl-aa", "\xc3\xa9", "1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct detach_keys keys = {.count = 99};
        struct error err = {0};
        assert_true(detach_keys_parse(wrong[i], &keys, &err) < 0);
        assert_non_null(strstr(err.text, "--detach-keys"));
        assert_int_equal(keys.count, 99);
    }
}

static void what_is_typed_passes_but_for_the_sequence(void **state)
{
    (void)state;
    for (size_t step = 1; step < 9; step++) {
        type(NULL, "ls -l\r", step, "ls -l\r", false);
        type(NULL, "ls\x10\x10\x10x", step, "ls\x10\x10\x10x", false);
        type(NULL, "ls\x10\x10\x11lost", step, "ls\x10", true);
        type(NULL, "a\x11\x10", step, "a\x11", false); /* held back: it may become the sequence */
        type("a,b,a,c", "abababac.", step, "abab", true);
        type("a,a,b", "aaab", step, "a", true);
        type("x", "yx", step, "y", true);
        type("", "\x10\x11", step, "\x10\x11", false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_spelled_as_dockers),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(what_is_typed_passes_but_for_the_sequence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
