/* SPDX-License-Identifier: Apache-2.0 */
/* Compose files: what a project needs, and what it may not reach. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the three headers above */
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/secret_name.h"
#include "base/text.h"
#include "compose/images.h"
#include "compose/interpolate.h"
#include "compose/yaml.h"

/* In a directory of its own, which is below another one: what is in there is outside. */
static char above[] = "/tmp/test-compose-XXXXXX";

static int begin_project(void **state)
{
    (void)state;
    snprintf(above, sizeof above, "/tmp/test-compose-XXXXXX");
    return !mkdtemp(above) || chdir(above) < 0 || mkdir("p", 0700) < 0 || chdir("p") < 0;
}

static int end_project(void **state)
{
    (void)state;
    return chdir("/") < 0 || remove_tree_at(AT_FDCWD, above, NULL) < 0;
}

static void put(const char *path, const char *text)
{
    autofd fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, text, strlen(text)), 0);
}

/* All that comes of it, as one line: images, then NAME(CONTEXT,ARGUMENTS) of what is built. */
static int read_images(const char *text, struct buf *out, struct error *err)
{
    autocompose_images images = {0};
    autostrv files = {0};
    put("compose.yaml", text);
    strv_add(&files, "compose.yaml");
    if (access("over.yaml", F_OK) == 0)
        strv_add(&files, "over.yaml");
    int rc = compose_images_read(&files, &images, err);
    strv_join(&images.names, " ", out);
    for (size_t i = 0; i < images.build_count; i++) {
        const struct compose_build *b = &images.builds[i];
        buf_fmt(out, "%s%s(%s", out->len ? " " : "", b->service, b->context);
        for (size_t n = 0; n < b->args.len; n++)
            buf_fmt(out, ",%s", b->args.items[n]);
        buf_char(out, ')');
    }
    return rc;
}

static void assert_images(const char *text, const char *expected)
{
    autobuf got = {0};
    struct error err = {0};
    if (read_images(text, &got, &err) < 0)
        fail_msg("%.1000s: %s", text, err.text);
    assert_string_equal(buf_text(&got), expected);
}

static void assert_refused(const char *text, const char *told)
{
    autobuf got = {0};
    struct error err = {0};
    assert_true(read_images(text, &got, &err) < 0);
    if (!strstr(err.text, told))
        fail_msg("\"%s\" is not in: %s", told, err.text);
}

static void secrets_are_withheld(void **state)
{
    (void)state;
    setenv("TEST_COMPOSE_TOKEN", "mine", 1);
    setenv("TEST_COMPOSE_WORD", "word", 1);
    put(".env", "DB_PASSWORD=mine\nCOPIED=$TEST_COMPOSE_TOKEN$DB_PASSWORD\n");
    assert_images("services: {a: {image: 'evil/x:$TEST_COMPOSE_TOKEN'}, b: {image: 'y:$COPIED'}, "
                  "c: {image: 'z:${DB_PASSWORD:?no}-$TEST_COMPOSE_WORD'}}",
                  "evil/x:withheld y:withheldwithheld z:withheld-word");
    assert_images("services: {a: {build: {args: [TEST_COMPOSE_TOKEN, OTHER_TOKEN, WORD, A=1]}}}",
                  "a(.,TEST_COMPOSE_TOKEN=withheld,WORD,A=1)");
    assert_images("services: {a: {build: {args: {DB_PASSWORD: , OTHER_TOKEN: , TOKEN: x}}}}",
                  "a(.,DB_PASSWORD=withheld,TOKEN=x)");
    unsetenv("TEST_COMPOSE_TOKEN");
    unsetenv("TEST_COMPOSE_WORD");
}

static void what_is_not_understood_is_refused(void **state)
{
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"servces: {}", "compose.yaml: \"servces\" is no key of a compose file"},
        {"\"\\e\": 1", "compose.yaml: \"\\x1b\" is no key of a compose file"},
        {"!override {services: {}}", "\"!override\" is no key of a compose file"},
        {"services: !override {a: {image: b}}", "services: !override is only understood"},
        {"services: !reset {}", "services: !reset is only understood"},
        {"include: other.yaml", "compose.yaml: include: a list is needed"},
        {"include: {path: other.yaml}", "include: a list is needed"},
        {"include: !override [a]", "include: a list is needed"},
        {"include: [!override {path: a}]", "include: \"!override\" is not understood"},
        {"include: [[a]]", "include: a path or a mapping is needed"},
        {"services: {a: {volumes: {}}}", "service \"a\": volumes: a list is needed"},
        {"services: {a: {volumes: [!override {type: image, source: b}]}}", "volumes: words and"},
        {"services: {a: {volumes: [{type: !override image, source: b}]}}", "volumes: words and"},
        {"services: {a: {volumes: [{type: image}]}}", "an image needs the name of one"},
        {"services: {a: {extends: !override b}}", "neither !reset nor !override"},
        {"services: {a: {extends: {service: !override b}}}", "extends: a service is needed"},
        {"services: {a: {extends: [b]}}", "extends: a service is needed"},
        {"services: {a: {build: {args: !reset null}}}", "without !reset and !override"},
        {"services: {a: {build: {context: !override x}}}", "are words"},
        {"services: {a: {build: '-'}}", "service \"a\": build: a directory is needed"},
        {"services: {a: {build: {context: '-'}}}", "a directory is needed"},
        {"services: {a: {build: ''}}", "a directory is needed"},
        {"services: {a: {build: 'x://../..'}}", "a directory is needed"},
        {"services: {\"a\\e\": {}}", "service \"a\\x1b\": no name of a service"},
        {"services: {a b: {}}", "no name of a service"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(cases[i].text, cases[i].told);
    assert_images("version: '3'\nname: x\nnetworks: \nvolumes: \nconfigs: \nsecrets: \n"
                  "models: \ninclude: \nx-any: \nservices: {a: {image: b, volumes: }}\n",
                  "b");
    assert_images("services: {a: {build: 'https://example.org/x.git'}, b: {build: 'git@x:y'}}",
                  "a(https://example.org/x.git) b(git@x:y)");
}

static void services_are_replaced_and_removed(void **state)
{
    static const char one[] = "services:\n"
                              "  a: {image: one, volumes: [{type: image, source: mounted}]}\n"
                              "  b: {image: two}\n"
                              "  c: {extends: a}\n";
    (void)state;
    put("over.yaml", "services: {a: {image: other}}");
    assert_images(one, "other mounted two one");
    put("over.yaml", "services: {a: !override {image: other}, b: !reset null}");
    assert_images(one, "other one mounted");
    put("over.yaml", "services: {a: !reset {image: x}, c: !reset , d: !reset }");
    assert_images(one, "two");
    put("over.yaml", "services: {a: !reset , e: {extends: a}}");
    assert_refused(one, "over.yaml: service \"a\": there is none of this name");
    put("over.yaml", "services: {a: !override 1}");
    assert_refused(one, "over.yaml: service \"a\": a mapping is needed");
}

static void nothing_leads_out_of_the_project(void **state)
{
    (void)state;
    put("../x.yaml", "services: {a: {image: outside}}");
    put("../env", "A=1");
    assert_int_equal(mkdir("sub", 0700), 0);
    assert_int_equal(symlink("../../x.yaml", "sub/x.yaml"), 0);
    assert_int_equal(symlink("../..", "sub/up"), 0);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    autofree char *all = xasprintf("compose.yaml: include: ../x.yaml leads out of the project "
                                   "(%s/p): name it with -f",
                                   above);
    assert_refused("include: [../x.yaml]", all);
    assert_refused("include: [sub/x.yaml]", "sub/x.yaml leads out");
    assert_refused("include: [sub/up/x.yaml]", "sub/up/x.yaml leads out");
    assert_refused("include: [/etc/passwd]", "/etc/passwd leads out");
    assert_refused("include: [\"../x.yaml\\e\"]", "../x.yaml\\x1b");
    assert_refused("include: [fifo]", "cannot read the compose file fifo: it is no regular file");
    assert_refused("include: [sub]", "cannot read the compose file sub: it is no regular file");
    assert_refused("include: [{path: x, env_file: ../env}]", "../env leads out");
    assert_refused("include: [{path: x, env_file: fifo}]", "fifo: it is no regular file");
    assert_refused("services: {a: {extends: {file: ../x.yaml, service: a}}}",
                   "extends: ../x.yaml leads out");
    assert_refused("services: {a: {build: ..}}", "service \"a\": build: .. leads out");
    assert_refused("services: {a: {build: sub/up}}", "sub/up leads out");
    assert_images("services: {a: {build: sub}, b: {build: ./nowhere}}", "a(sub) b(./nowhere)");
    assert_int_equal(symlink("../env", ".env"), 0);
    assert_refused("services: {}", ".env leads out");
}

static void a_repository_is_one_project(void **state)
{
    autocompose_images images = {0};
    autostrv files = {0};
    struct error err = {0};
    (void)state;
    put("../x.yaml", "services: {a: {image: above}}");
    assert_int_equal(mkdir("../.git", 0700), 0);
    assert_images("include: [../x.yaml]\nservices: {b: {build: ..}}", "above b(..)");
    strv_add(&files, "compose.yaml");
    assert_int_equal(compose_images_read(&files, &images, &err), 0);
    assert_string_equal(images.root, above);
    /* What others can write to is nobody's project, with all that is above it. */
    assert_int_equal(chmod("..", 01777), 0);
    assert_refused("include: [../x.yaml]", "leads out of the project");
    assert_int_equal(chmod("..", 0700), 0);
    /* Nor is all that lies in a home. */
    const char *home = getenv("HOME");
    autofree char *kept = home ? xstrdup(home) : NULL;
    setenv("HOME", above, 1);
    assert_refused("include: [../x.yaml]", "leads out of the project");
    unsetenv("HOME");
    assert_images("include: [../x.yaml]", "above");
    if (kept)
        setenv("HOME", kept, 1);
    put("../x.yaml", "services: {a: {build: ..}}");
    assert_refused("include: [../x.yaml]", "leads out of the project");
}

static void bounds(void **state)
{
    autobuf text = {0};
    (void)state;
    buf_str(&text, "services:\n  big: {image: x, volumes: [");
    buf_str(&text, "&v {type: image, source: y}");
    for (int i = 0; i < 20000; i++)
        buf_str(&text, ", *v");
    buf_str(&text, "]}\n");
    for (int i = 0; i < 30000; i++)
        buf_fmt(&text, "  s%d: {extends: big}\n", i);
    assert_refused(buf_text(&text), "more than 100000 volumes, arguments and contexts");
    buf_clear(&text);
    buf_str(&text, "services:\n");
    for (int i = 0; i < 5001; i++)
        buf_fmt(&text, "  s%d: {image: x}\n", i);
    assert_refused(buf_text(&text), "there are more than 5000 services");
    buf_clear(&text);
    buf_str(&text, "services:\n");
    for (int i = 0; i < 1001; i++)
        buf_fmt(&text, "  s%d: {image: x%d}\n", i, i);
    assert_refused(buf_text(&text), "more than 1000 images are needed");
    buf_clear(&text);
    buf_str(&text, "services:\n");
    for (int i = 0; i < 1001; i++)
        buf_fmt(&text, "  s%d: {build: .}\n", i);
    assert_refused(buf_text(&text), "more than 1000 services are built");
    buf_clear(&text);
    buf_str(&text, "services:\n  b: {build: {dockerfile_inline: '");
    for (int i = 0; i < 1000000; i++)
        buf_char(&text, 'x');
    buf_str(&text, "'}}\n");
    for (int i = 0; i < 900; i++)
        buf_fmt(&text, "  s%d: {extends: b}\n", i);
    assert_refused(buf_text(&text), "more than 100000 volumes, arguments and contexts");
    buf_clear(&text);
    put("env", "A=1");
    buf_str(&text, "include: [{path: x.yaml, env_file: [env");
    for (int i = 0; i < 300; i++)
        buf_str(&text, ", env");
    buf_str(&text, "]}]");
    assert_refused(buf_text(&text), "more than 200 files");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(secrets_are_withheld, begin_project, end_project),
        cmocka_unit_test_setup_teardown(what_is_not_understood_is_refused, begin_project,
                                        end_project),
        cmocka_unit_test_setup_teardown(services_are_replaced_and_removed, begin_project,
                                        end_project),
        cmocka_unit_test_setup_teardown(nothing_leads_out_of_the_project, begin_project,
                                        end_project),
        cmocka_unit_test_setup_teardown(a_repository_is_one_project, begin_project, end_project),
        cmocka_unit_test_setup_teardown(bounds, begin_project, end_project),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
