/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka wants the headers above */
#include <cmocka.h>

#include "base/json.h"
#include "cmd/list.h"

static const char document[] =
    "{\"Id\":\"abc\",\"State\":{\"Running\":true,\"Pid\":42,\"Health\":null},"
    "\"Args\":[\"-a\",\"-b\"],"
    "\"Config\":{\"Labels\":{\"b.c\":\"2\",\"a\":\"1\"}},"
    "\"NetworkSettings\":{\"Ports\":{\"80/tcp\":[{\"HostPort\":\"8080\"}]},"
    "\"Networks\":{\"none\":{\"IPAddress\":\"\"}}}}";

static int render(const char *text, struct buf *out, struct error *err)
{
    autojson data = json_parse(document, sizeof document - 1, "the test", err);
    assert_non_null(data);
    return template_render(text, data, out, err);
}

static void renders(const char *text, const char *expected)
{
    autobuf out = {0};
    struct error err = {0};
    if (render(text, &out, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    assert_string_equal(buf_text(&out), expected);
}

static void refuses(const char *text, const char *sentence)
{
    autobuf out = {0};
    struct error err = {0};
    assert_int_equal(render(text, &out, &err), -EINVAL);
    assert_string_equal(err.text, sentence);
}

static void refuses_with(const char *text, const char *part)
{
    autobuf out = {0};
    struct error err = {0};
    assert_int_equal(render(text, &out, &err), -EINVAL);
    assert_non_null(strstr(err.text, part));
}

static void fields_print_as_go_prints_them(void **state)
{
    (void)state;
    renders("{{.Id}} {{ .State.Pid }} {{.State.Running}}", "abc 42 true");
    renders("{{.Args}}", "[-a -b]");
    renders("{{.Config.Labels}}", "map[a:1 b.c:2]");
    renders("{{.State.Health}}", "<no value>");
    renders("{{.Config.Labels.missing}}", "<no value>");
    renders("{{$.Id}}", "abc");
}

static void scripts_written_for_docker_work(void **state)
{
    (void)state;
    renders("{{json .Args}}", "[\"-a\",\"-b\"]");
    renders("{{json .State}}", "{\"Running\":true,\"Pid\":42,\"Health\":null}");
    renders("{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostPort}}", "8080");
    renders("{{range .NetworkSettings.Networks}}[{{.IPAddress}}]{{end}}", "[]");
    renders("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}},{{end}}", "b.c=2,a=1,");
    renders("{{range $i, $a := .Args}}{{$i}}{{$a}}{{end}}", "0-a1-b");
    renders("{{index .Config.Labels \"b.c\"}}", "2");
    renders("{{join .Args \" \"}}", "-a -b");
}

static void printf_prints_as_gos(void **state)
{
    (void)state;
    renders("{{printf \"%s-%d\" .Id .State.Pid}}", "abc-42");
    renders("{{printf \"[%5s|%-5s|%.2s]\" .Id .Id .Id}}", "[  abc|abc  |ab]");
    renders("{{printf \"%05d %x %X %+d %t %q %%\" .State.Pid .State.Pid .State.Pid .State.Pid "
            ".State.Running .Id}}",
            "00042 2a 2A +42 true \"abc\" %");
    renders("{{printf \"%v %.1f %x\" .Args .State.Pid .Id}}", "[-a -b] 42.0 616263");
    renders("{{range .Args}}{{printf \"<%s>\" .}}{{end}}", "<-a><-b>");
}

static void printf_refuses_what_does_not_fit(void **state)
{
    (void)state;
    refuses_with("{{printf \"%d\" .Id}}", "does not take");
    refuses_with("{{printf \"%t\" .Id}}", "does not take");
    refuses_with("{{printf \"%s\"}}", "too few");
    refuses_with("{{printf \"x\" .Id}}", "too many");
    refuses_with("{{printf \"%y\" .Id}}", "printf knows");
    refuses_with("{{printf \"%\" .Id}}", "printf knows");
    refuses_with("{{printf \"%9999999999d\" .State.Pid}}", "width");
    refuses_with("{{printf .State.Pid}}", "begins with a text");
}

static void conditions_choose_one_branch(void **state)
{
    (void)state;
    renders("{{if .State.Running}}up{{else}}down{{end}}", "up");
    renders("{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}", "none");
    renders("{{if eq .Id \"x\"}}x{{else if eq .Id \"abc\"}}abc{{else}}other{{end}}", "abc");
    renders("{{if eq .Id \"abc\"}}1{{else if eq .Id \"abc\"}}2{{else}}3{{end}}", "1");
    renders("{{if not .State.Running}}a{{end}}b", "b");
    renders("{{if and .State.Running (ne .State.Pid 0)}}yes{{end}}", "yes");
    renders("{{with .State}}{{.Pid}}{{end}}", "42");
    renders("{{range .State.Health}}x{{else}}empty{{end}}", "empty");
}

static void white_space_and_escapes_are_as_in_go_and_docker(void **state)
{
    (void)state;
    renders("a {{- .Id -}} b", "aabcb");
    renders("{{.Id}}\\t{{.Id}}\\n", "abc\tabc\n");
    renders("{{/* nothing */}}x", "x");
    renders("{{println .Id}}", "abc\n");
    renders("{{.Id | upper}}", "ABC");
    renders("{{\"}}\"}}", "}}");
}

static void what_means_nothing_is_named(void **state)
{
    (void)state;
    refuses("{{.State.Runing}}", "--format: there is no field .Runing; did you mean .Running?");
    refuses("{{.Id", "--format: \"{{\" without \"}}\"");
    refuses("{{if .Id}}x", "--format: {{if}} without {{end}}");
    refuses("{{end}}", "--format: {{end}} without {{if}}, {{with}} or {{range}}");
    refuses("{{jsn .Id}}", "--format: there is no function jsn; did you mean json?");
    refuses("{{.Id \"x\"}}", "--format: two values without a function");
    refuses("{{}}", "--format: an empty action");
    refuses("{{(.Id}}", "--format: a parenthesis is not closed");
    refuses("{{.Id)}}", "--format: a parenthesis was never opened");
    refuses("{{$x}}", "--format: there is no variable $x");
    refuses("{{\"x}}", "--format: \"{{\" without \"}}\"");
    refuses("{{range .Id}}{{end}}", "--format: {{range .Id}}: neither a list nor a map");
}

static void depth_is_bounded(void **state)
{
    autobuf text = {0};
    autobuf out = {0};
    struct error err = {0};
    (void)state;
    for (int i = 0; i < 1000; i++)
        buf_str(&text, "{{if .Id}}");
    assert_int_equal(render(buf_text(&text), &out, &err), -EINVAL);
    buf_clear(&text);
    buf_str(&text, "{{");
    for (int i = 0; i < 1000; i++)
        buf_char(&text, '(');
    buf_str(&text, "}}");
    assert_int_equal(render(buf_text(&text), &out, &err), -EINVAL);
}

/* --- lists --- */

static const struct list_column list_columns[] = {
    {"ID", {.heading = "CONTAINER ID"}},
    {"Names", {.heading = "NAMES"}},
    {"Size", {.heading = "SIZE"}, .extra = true},
};

static void lists(const char *format, const char *expected)
{
    autolist list;
    autobuf out = {0};
    struct error err = {0};
    list_start(&list, list_columns, 3);
    for (int i = 1; i <= 2; i++) {
        list_fmt(&list, "id%d", i);
        list_cell(&list, i == 1 ? "web" : "database");
        list_cell(&list, "1MB");
    }
    int rc = list_render(&list, &(struct list_style){.format = format}, &out, &err);
    assert_int_equal(rc, expected ? 0 : -EINVAL);
    if (expected)
        assert_string_equal(buf_text(&out), expected);
}

static void one_list_prints_as_table_json_and_template(void **state)
{
    (void)state;
    lists(NULL, "CONTAINER ID   NAMES\nid1            web\nid2            database\n");
    lists("json", "{\"ID\":\"id1\",\"Names\":\"web\",\"Size\":\"1MB\"}\n"
                  "{\"ID\":\"id2\",\"Names\":\"database\",\"Size\":\"1MB\"}\n");
    lists("{{.Names}}: {{.Size}}", "web: 1MB\ndatabase: 1MB\n");
    lists("table {{.Names}}\\t{{.ID}}",
          "NAMES      CONTAINER ID\nweb        id1\ndatabase   id2\n");
    lists("xml", NULL);
    lists("{{.Nmaes}}", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_print_as_go_prints_them),
        cmocka_unit_test(scripts_written_for_docker_work),
        cmocka_unit_test(printf_prints_as_gos),
        cmocka_unit_test(printf_refuses_what_does_not_fit),
        cmocka_unit_test(conditions_choose_one_branch),
        cmocka_unit_test(white_space_and_escapes_are_as_in_go_and_docker),
        cmocka_unit_test(what_means_nothing_is_named),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(one_list_prints_as_table_json_and_template),
    };
    return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
