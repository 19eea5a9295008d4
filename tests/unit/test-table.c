/* SPDX-License-Identifier: Apache-2.0 */
#include "base/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka wants the headers above */
#include <cmocka.h>

static const struct table_column columns[] = {
    {.heading = "NAME", .widest = 8},
    {.heading = "SIZE", .right = true},
    {.heading = "COMMAND"},
};

static void fill(struct table *table, const char *const *cells)
{
    table_start(table, columns, 3);
    for (; *cells; cells++)
        table_cell(table, *cells);
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
    autotable table;
    autobuf out = {0};
    (void)state;
    fill(&table, (const char *const[]){"web", "12MB", "sh", "x", "1GB", "sleep 60", NULL});
    table_write(&table, &out);
    assert_string_equal(buf_text(&out), "NAME   SIZE   COMMAND\n"
                                        "web    12MB   sh\n"
                                        "x       1GB   sleep 60\n");
}

static void long_cells_are_cut_unless_no_trunc(void **state)
{
    autotable table;
    autobuf out = {0};
    (void)state;
    fill(&table, (const char *const[]){"abcdefghijkl", "1", "x", NULL});
    table.no_heading = true;
    table_write(&table, &out);
    assert_string_equal(buf_text(&out), "abcdefg…   1   x\n");
    buf_clear(&out);
    table.no_trunc = true;
    table_write(&table, &out);
    assert_string_equal(buf_text(&out), "abcdefghijkl   1   x\n");
}

static void width_is_what_a_terminal_shows(void **state)
{
    (void)state;
    assert_int_equal(text_width("naïve"), 5);
    assert_int_equal(text_width("nai\xcc\x88ve"), 5); /* i and a combining diaeresis */
    assert_int_equal(text_width("日本"), 4);
    assert_int_equal(text_width("🚀"), 2);
    assert_int_equal(text_fit("日本", 3), 3);
    assert_int_equal(text_fit("naïve", 3), 4);
}

static void a_wide_character_at_the_cut_keeps_the_columns_straight(void **state)
{
    autotable table;
    autobuf out = {0};
    (void)state;
    fill(&table, (const char *const[]){"日本日本日", "1", "x", "12345678", "1", "y", NULL});
    table.no_heading = true;
    table_write(&table, &out);
    assert_string_equal(buf_text(&out), "日本日…    1   x\n"
                                        "12345678   1   y\n");
}

static void cells_cannot_command_the_terminal(void **state)
{
    autotable table;
    autobuf out = {0};
    (void)state;
    fill(&table, (const char *const[]){"\033[2J", "1\n2", NULL, NULL});
    table.no_heading = true;
    table_write(&table, &out);
    assert_string_equal(buf_text(&out), "\\x1b[2J   1\\x0a2   \n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(long_cells_are_cut_unless_no_trunc),
        cmocka_unit_test(width_is_what_a_terminal_shows),
        cmocka_unit_test(a_wide_character_at_the_cut_keeps_the_columns_straight),
        cmocka_unit_test(cells_cannot_command_the_terminal),
    };
    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
