/* SPDX-License-Identifier: Apache-2.0 */
/* A Dockerfile taken apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/dockerfile.h"

static void parse(const char *text, struct dockerfile *out)
{
    struct error err = {0};
    if (dockerfile_parse("Dockerfile", text, strlen(text), out, &err) < 0)
        fail_msg("%s\n%s", text, err.text);
}

static void refused(const char *text, const char *place, const char *why)
{
    autodockerfile file = {0};
    struct error err = {0};
    if (dockerfile_parse("Dockerfile", text, strlen(text), &file, &err) == 0)
        fail_msg("taken: %s", text);
    assert_int_equal(err.code, -EINVAL);
    if (!starts_with(err.text, place) || !strstr(err.text, why))
        fail_msg("%s\n%s\nis not about %s %s", text, err.text, place, why);
}

/* Words of the instruction behind FROM, in brackets when they are of the exec form. */
static void words_of(const struct instruction *i, struct buf *out)
{
    for (size_t f = 0; f < i->flag_count; f++)
        buf_fmt(out, "--%s%s%s|", i->flags[f].name, i->flags[f].value ? "=" : "",
                i->flags[f].value ? i->flags[f].value : "");
    if (i->exec)
        buf_char(out, '[');
    strv_join(&i->words, "|", out);
    if (i->exec)
        buf_char(out, ']');
}

static void each_instruction_has_the_words_that_it_wants(void **state)
{
    static const struct {
        const char *line, *words;
    } cases[] = {
        {"RUN echo  hello", "echo  hello"},
        {"RUN [\"echo\", \"a b\"]", "[echo|a b]"},
        {"run   [ \"$x\" = 1 ] && true  ", "[ \"$x\" = 1 ] && true"},
        {"RUN [\"a\"] && b", "[\"a\"] && b"},
        {"RUN ['a']", "['a']"},
        {"RUN [\"a\",]", "[\"a\",]"},
        {"CMD []", "[]"},
        {"CMD [\"\"]", "[]"},
        {"CMD [\"\\u00e9\\n\"]", "[é\n]"},
        {"ENTRYPOINT exec top -b", "exec top -b"},
        {"COPY a b \"c d\" /e", "a|b|\"c d\"|/e"},
        {"COPY [\"a b\", \"/c\"]", "[a b|/c]"},
        {"COPY --from=x --chown=a:b --link a /b", "--from=x|--chown=a:b|--link|a|/b"},
        {"COPY --link=false --exclude=*.md --exclude=\"a b\" a /b",
         "--link=false|--exclude=*.md|--exclude=a b|a|/b"},
        {"COPY -- --a /b", "--a|/b"},
        {"ADD --keep-git-dir=true https://x/y.git#v1 /z",
         "--keep-git-dir=true|https://x/y.git#v1|/z"},
        {"ENV a=1 b=\"2 3\" c='4 5' d=6\\ 7", "a=1|b=\"2 3\"|c='4 5'|d=6\\ 7"},
        {"ENV name some value  with   spaces", "name=some value  with   spaces"},
        {"ENV name a=b", "name=a=b"},
        {"LABEL a.b=c \"d e\"=f", "a.b=c|\"d e\"=f"},
        {"LABEL maintainer me", "maintainer=me"},
        {"ARG a b=1 c=\"2 3\"", "a|b=1|c=\"2 3\""},
        {"EXPOSE 80 443/tcp  8000-8010", "80|443/tcp|8000-8010"},
        {"VOLUME /a /b", "/a|/b"},
        {"VOLUME [\"/a b\"]", "[/a b]"},
        {"USER  a b ", "a b"},
        {"WORKDIR /a  b", "/a  b"},
        {"STOPSIGNAL SIGTERM", "SIGTERM"},
        {"MAINTAINER A B <a@b>", "A B <a@b>"},
        {"SHELL [\"/bin/bash\", \"-c\"]", "[/bin/bash|-c]"},
        {"HEALTHCHECK none", "NONE"},
        {"HEALTHCHECK --interval=3s CMD curl -f x || exit 1",
         "--interval=3s|CMD|curl -f x || exit 1"},
        {"HEALTHCHECK cmd [\"a\", \"b\"]", "[CMD|a|b]"},
        {"RUN --mount=type=cache,target=/a --network=none --security=insecure make",
         "--mount=type=cache,target=/a|--network=none|--security=insecure|make"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        autofree char *text = xasprintf("FROM scratch\n%s\n", cases[i].line);
        autodockerfile file = {0};
        autobuf words = {0};
        parse(text, &file);
        assert_int_equal(file.count, 2);
        words_of(&file.instructions[1], &words);
        assert_string_equal(buf_text(&words), cases[i].words);
        assert_int_equal(file.instructions[1].place.line, 2);
        assert_int_equal(file.instructions[1].last_line, 2);
    }
}

static void what_is_wrong_is_shown_with_its_place(void **state)
{
    static const struct {
        const char *text, *place, *why;
    } cases[] = {
        {"", "Dockerfile:1:1: ", "no instruction"},
        {"\n\n# nothing\n", "Dockerfile:1:1: ", "no instruction"},
        {"\\\n", "Dockerfile:1:1: ", "no instruction"},
        {"ARG a\n", "Dockerfile:1:1: ", "no FROM"},
        {"ARG a\nRUN b\nFROM c", "Dockerfile:2:1: ", "before the first FROM"},
        {"FROM a\nRNU make", "Dockerfile:2:1: ", "unknown instruction: RNU; did you mean RUN?"},
        {"FROM a\n  copi a b", "Dockerfile:2:3: ", "did you mean COPY?"},
        {"FROM a\nFOOBARBAZ", "Dockerfile:2:1: ", "unknown instruction: FOOBARBAZ; the line"},
        {"FROM", "Dockerfile:1:1: ", "FROM needs"},
        {"FROM a b", "Dockerfile:1:8: ", "IMAGE AS NAME"},
        {"FROM a AS", "Dockerfile:1:8: ", "IMAGE AS NAME"},
        {"FROM a is b", "Dockerfile:1:8: ", "IMAGE AS NAME"},
        {"FROM a AS 1b", "Dockerfile:1:11: ", "no name for a stage"},
        {"FROM a AS b:c", "Dockerfile:1:11: ", "no name for a stage"},
        {"FROM --plaform=x a", "Dockerfile:1:6: ", "did you mean --platform?"},
        {"FROM a\nRUN", "Dockerfile:2:1: ", "RUN needs"},
        {"FROM a\nRUN []", "Dockerfile:2:1: ", "RUN needs"},
        {"FROM a\nRUN [1]", "Dockerfile:2:5: ", "array holds strings"},
        {"FROM a\nCMD [\"a\", [\"b\"]]", "Dockerfile:2:5: ", "array holds strings"},
        {"FROM a\nCMD", "Dockerfile:2:1: ", "CMD needs"},
        {"FROM a\nCMD --help", "Dockerfile:2:5: ", "unknown flag: --help; CMD has none"},
        {"FROM a\nCOPY a", "Dockerfile:2:1: ", "a destination"},
        {"FROM a\nCOPY [\"a\"]", "Dockerfile:2:1: ", "a destination"},
        {"FROM a\nCOPY a <<EOF\nEOF", "Dockerfile:2:8: ", "destination goes last"},
        {"FROM a\nCOPY --form=b a /c", "Dockerfile:2:6: ", "did you mean --from?"},
        {"FROM a\nCOPY --zzzzzz a /c", "Dockerfile:2:6: ", "COPY has --chmod, --chown"},
        {"FROM a\nCOPY --from a /c", "Dockerfile:2:6: ", "write --from=VALUE"},
        {"FROM a\nCOPY --link=yes a /c", "Dockerfile:2:6: ", "true or false"},
        {"FROM a\nCOPY --from=b --from=c a /c", "Dockerfile:2:15: ", "twice"},
        {"FROM a\nADD --from=b a /c", "Dockerfile:2:5: ", "unknown flag: --from"},
        {"FROM a\nENV", "Dockerfile:2:1: ", "ENV needs"},
        {"FROM a\nENV a", "Dockerfile:2:5: ", "NAME=VALUE"},
        {"FROM a\nENV a=b c", "Dockerfile:2:9: ", "quotes around"},
        {"FROM a\nENV =b", "Dockerfile:2:5: ", "name before"},
        {"FROM a\nARG", "Dockerfile:2:1: ", "ARG needs"},
        {"FROM a\nEXPOSE", "Dockerfile:2:1: ", "EXPOSE needs"},
        {"FROM a\nVOLUME []", "Dockerfile:2:1: ", "VOLUME needs"},
        {"FROM a\nVOLUME [\"\"]", "Dockerfile:2:8: ", "not empty"},
        {"FROM a\nUSER ", "Dockerfile:2:1: ", "USER needs"},
        {"FROM a\nSHELL /bin/sh", "Dockerfile:2:1: ", "JSON array"},
        {"FROM a\nSHELL []", "Dockerfile:2:1: ", "JSON array"},
        {"FROM a\nHEALTHCHECK", "Dockerfile:2:1: ", "HEALTHCHECK needs"},
        {"FROM a\nHEALTHCHECK NONE x", "Dockerfile:2:18: ", "nothing follows"},
        {"FROM a\nHEALTHCHECK CMD", "Dockerfile:2:1: ", "HEALTHCHECK needs"},
        {"FROM a\nHEALTHCHECK CMD []", "Dockerfile:2:1: ", "HEALTHCHECK needs"},
        {"FROM a\nHEALTHCHECK TCP 80", "Dockerfile:2:1: ", "HEALTHCHECK needs"},
        {"FROM a\nONBUILD", "Dockerfile:2:1: ", "ONBUILD needs"},
        {"FROM a\nONBUILD ONBUILD RUN b", "Dockerfile:2:9: ", "may not hold ONBUILD"},
        {"FROM a\nONBUILD from b", "Dockerfile:2:9: ", "may not hold FROM"},
        {"FROM a\nONBUILD MAINTAINER b", "Dockerfile:2:9: ", "may not hold MAINTAINER"},
        {"FROM a\nONBUILD COPY x", "Dockerfile:2:9: ", "COPY needs"},
        {"FROM a\nRUN x \\\n  <<EOF\nb\n EOF\n", "Dockerfile:3:3: ", "\"EOF\" is missing"},
        {"# escape=x\nFROM a", "Dockerfile:1:1: ", "either \\ or `"},
        {"# escape=`\n# ESCAPE=`\nFROM a", "Dockerfile:2:1: ", "twice"},
        {"# syntax=a\n# syntax=b\nFROM a", "Dockerfile:2:1: ", "twice"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(cases[i].text, cases[i].place, cases[i].why);
}

static void a_caret_stands_below_the_place(void **state)
{
    autodockerfile file = {0};
    struct error err = {0};
    static const char text[] = "FROM a\n\tCOPY é --form=b /c\nRUN a";
    (void)state;
    assert_int_equal(dockerfile_parse("D", text, strlen(text), &file, &err), 0);
    assert_int_equal(dockerfile_wrong(&file, (struct place){2, 10}, &err, "no"), -EINVAL);
    assert_string_equal(err.text, "D:2:10: no\n  2 |  COPY é --form=b /c\n              ^");
    assert_int_equal(dockerfile_wrong(&file, (struct place){3, 99}, &err, "%s", "x"), -EINVAL);
    assert_string_equal(err.text, "D:3:99: x\n  3 | RUN a\n           ^");
    assert_int_equal(dockerfile_wrong(&file, (struct place){99, 1}, &err, "x"), -EINVAL);
    assert_string_equal(err.text, "D:99:1: x");
    assert_int_equal(dockerfile_wrong(NULL, (struct place){1, 1}, &err, "x"), -EINVAL);
    assert_string_equal(err.text, "x");
    assert_int_equal(dockerfile_wrong(NULL, (struct place){1, 1}, &err, "a\x1b[1m\nb"), -EINVAL);
    assert_string_equal(err.text, "a\\x1b[1m\\x0ab");
}

static void long_lines_are_clipped_and_control_bytes_escaped(void **state)
{
    autobuf text = {0};
    autodockerfile file = {0};
    struct error err = {0};
    (void)state;
    buf_str(&text, "FROM a\nRUN ");
    for (int i = 0; i < 3000; i++)
        buf_str(&text, "\x1b");
    assert_int_equal(dockerfile_parse("D", text.data, text.len, &file, &err), 0);
    assert_int_equal(dockerfile_wrong(&file, (struct place){2, 1500}, &err, "no"), -EINVAL);
    assert_null(strchr(err.text, '\x1b'));
    assert_non_null(strstr(err.text, "\n  2 | …\\x1b"));
    assert_true(ends_with(err.text, "^"));
    assert_true(strlen(err.text) < sizeof err.text - 1);
}

static void lines_go_on_over_comments_and_empty_ones(void **state)
{
    static const struct {
        const char *text, *words;
        unsigned last, empty;
    } cases[] = {
        {"RUN a \\\n  b", "a   b", 3, 0},
        {"RUN a \\ \t\n  b", "a   b", 3, 0},
        {"RUN a \\\r\n  b\r\n", "a   b", 3, 0},
        {"RUN a \\\n# c\n  # d\n  b", "a   b", 5, 0},
        {"RUN a \\\n\n \t\n  b", "a   b", 5, 3},
        {"RUN a \\", "a", 2, 0},
        {"RUN a \\\\", "a \\\\", 2, 0},
        {"RUN a \\\\\\\n", "a \\\\\\", 2, 0},
        {"RUN a\\\nb\\\nc", "abc", 4, 0},
        {"RUN a # b", "a # b", 2, 0},
        {"R\\\nUN a", "a", 3, 0},
        {"\\\nRUN a", "a", 3, 0},
        {"  RUN a", "a", 2, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        autofree char *text = xasprintf("FROM scratch\n%s", cases[i].text);
        autodockerfile file = {0};
        parse(text, &file);
        assert_int_equal(file.count, 2);
        assert_string_equal(file.instructions[1].rest, cases[i].words);
        assert_int_equal(file.instructions[1].last_line, cases[i].last);
        assert_int_equal(file.instructions[1].empty_line, cases[i].empty);
    }
}

static void a_place_is_found_through_joined_lines(void **state)
{
    autodockerfile file = {0};
    (void)state;
    parse("FROM a\nCOPY --link \\\n  --from=b \\\n# c\n   d\\\n /e", &file);
    const struct instruction *i = &file.instructions[1];
    assert_string_equal(i->text, "COPY --link   --from=b    d /e");
    assert_int_equal(i->flags[1].place.line, 3);
    assert_int_equal(i->flags[1].place.column, 3);
    assert_int_equal(i->places[0].line, 5);
    assert_int_equal(i->places[0].column, 4);
    assert_int_equal(i->places[1].line, 6);
    assert_int_equal(i->places[1].column, 2);
}

static void directives_come_before_anything_else(void **state)
{
    static const struct {
        const char *text;
        char escape;
        const char *syntax, *check;
    } cases[] = {
        {"FROM a", '\\', NULL, NULL},
        {"# escape=`\nFROM a", '`', NULL, NULL},
        {"#escape = ` \r\nFROM a", '`', NULL, NULL},
        {"# Escape=\\\nFROM a", '\\', NULL, NULL},
        {"\xef\xbb\xbf# escape=`\nFROM a", '`', NULL, NULL},
        {"# syntax = docker/dockerfile:1\n# check=skip=all;error=true\n# escape=`\nFROM a", '`',
         "docker/dockerfile:1", "skip=all;error=true"},
        {"#!/usr/bin/env caisson\n# escape=`\nFROM a", '`', NULL, NULL},
        {"# a comment\n# escape=`\nFROM a", '\\', NULL, NULL},
        {"# unknown=1\n# escape=`\nFROM a", '\\', NULL, NULL},
        {"\n# escape=`\nFROM a", '\\', NULL, NULL},
        {"FROM a\n# escape=`\n", '\\', NULL, NULL},
        {"# escape=\nFROM a", '\\', NULL, NULL},
        {"# direc \\\n# escape=`\nFROM a", '\\', NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        autodockerfile file = {0};
        parse(cases[i].text, &file);
        assert_int_equal(file.escape, cases[i].escape);
        assert_true(streq(file.syntax, cases[i].syntax));
        assert_true(streq(file.check, cases[i].check));
    }
}

static void the_backquote_escapes_when_the_file_says_so(void **state)
{
    autodockerfile file = {0};
    (void)state;
    parse("# escape=`\nFROM a\nCOPY a\\ `\n b` c\nRUN x\\\nRUN y", &file);
    assert_int_equal(file.count, 4);
    assert_string_equal(file.instructions[1].words.items[0], "a\\");
    assert_string_equal(file.instructions[1].words.items[1], "b` c");
    assert_string_equal(file.instructions[2].rest, "x\\");
}

static void here_documents_end_with_their_name(void **state)
{
    autodockerfile file = {0};
    (void)state;
    parse("FROM a\n"
          "RUN <<EOF\nmake \\\n\n# no comment\n EOF\nEOF\n"
          "RUN <<-EOF cat\n\ta\n\t\tb\n\tEOF\n"
          "COPY <<A <<'B' <<\"C D\" /x/\n1\nA\n2\nB\n3\nC D\n"
          "RUN 3<<X cat\r\nx\r\nX\r\n"
          "RUN cat<<EOF\n",
          &file);
    assert_int_equal(file.count, 6);
    const struct instruction *i = file.instructions;
    assert_string_equal(i[1].heredocs[0].text, "make \\\n\n# no comment\n EOF\n");
    assert_true(i[1].heredocs[0].expand);
    assert_int_equal(i[1].last_line, 7);
    assert_string_equal(i[2].heredocs[0].text, "a\nb\n");
    assert_int_equal(i[3].heredoc_count, 3);
    assert_string_equal(i[3].heredocs[1].name, "B");
    assert_string_equal(i[3].heredocs[1].text, "2\n");
    assert_false(i[3].heredocs[1].expand);
    assert_string_equal(i[3].heredocs[2].name, "C D");
    assert_string_equal(i[4].heredocs[0].text, "x\r\n");
    assert_int_equal(i[5].heredoc_count, 0);
    assert_int_equal(i[5].place.line, 22);
}

static void names_of_here_documents_are_words_of_the_shell(void **state)
{
    static const struct {
        const char *line, *name;
        bool expand;
    } cases[] = {
        {"RUN <<eo'f'", "eof", false},
        {"RUN <<EO\"F\"", "EOF", false},
        {"RUN <<eo\\'f", "eo'f", true},
        {"RUN <<'e'o\\'f", "eo'f", false},
        {"RUN <<'one two'", "one two", false},
        {"RUN <<$EOF", "$EOF", true},
        {"RUN <<  EOF", "EOF", true},
        {"RUN <<  'EOF'  > foo", "EOF", false},
        {"RUN << -EOF", "-EOF", true},
        {"RUN cat <<- EOF", "EOF", true},
        {"RUN x=$((1 << 2)) cat << EOF", "EOF", true},
        {"COPY << file.txt /x", "file.txt", true},
        {"ADD a <<- 'b c' /x", "b c", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        autofree char *text =
            xasprintf("FROM scratch\n%s\nx\n%s\nRUN x", cases[i].line, cases[i].name);
        autodockerfile file = {0};
        parse(text, &file);
        assert_int_equal(file.count, 3);
        assert_int_equal(file.instructions[1].heredoc_count, 1);
        assert_string_equal(file.instructions[1].heredocs[0].name, cases[i].name);
        assert_int_equal(file.instructions[1].heredocs[0].expand, cases[i].expand);
        assert_string_equal(file.instructions[1].heredocs[0].text, "x\n");
    }
}

static void what_only_looks_like_a_here_document_is_none(void **state)
{
    static const char *const lines[] = {
        "RUN cat <<<x",
        "RUN echo \"<<EOF\"",
        "RUN echo '<<EOF'",
        "RUN [\"cat\", \"<<EOF\"]",
        "RUN echo $((1 << 2))",
        "RUN x<<EOF",
        "CMD cat <<EOF",
        "ENV a=<<EOF",
        "RUN echo $((x <<2)) y",
        "RUN cat <<''",
        "RUN x <<",
        "RUN x << <y",
        "RUN echo \\<<EOF",
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        autofree char *text = xasprintf("FROM scratch\n%s\nRUN x", lines[i]);
        autodockerfile file = {0};
        parse(text, &file);
        assert_int_equal(file.count, 3);
        assert_int_equal(file.instructions[1].heredoc_count, 0);
    }
}

static void on_build_holds_an_instruction(void **state)
{
    autodockerfile file = {0};
    autobuf text = {0};
    struct instruction again = {0};
    struct error err = {0};
    (void)state;
    parse("FROM a\nonbuild  COPY --from=b <<E c /d\nx\nE\nRUN y", &file);
    assert_int_equal(file.count, 3);
    const struct instruction *inner = file.instructions[1].triggered;
    assert_int_equal(inner->kind, INSTRUCTION_COPY);
    assert_string_equal(inner->flags[0].value, "b");
    assert_int_equal(inner->place.column, 10);
    assert_int_equal(file.instructions[1].last_line, 4);
    instruction_write(inner, &text);
    assert_string_equal(buf_text(&text), "COPY --from=b <<E c /d\nx\nE");
    assert_int_equal(instruction_parse("ONBUILD of image a", buf_text(&text), '\\', &again, &err),
                     0);
    assert_string_equal(again.heredocs[0].text, "x\n");
    instruction_free(&again);
}

static void an_instruction_of_an_image_is_one(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "x:1:1: there is no instruction"},
        {"RNU make", "x:1:1: unknown instruction: RNU"},
        {"FROM a", "x:1:1: ONBUILD may not hold FROM"},
        {"RUN a\nRUN b", "x:2:1: it is one instruction"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct instruction out = {0};
        struct error err = {0};
        assert_int_equal(instruction_parse("x", cases[i].text, '\\', &out, &err), -EINVAL);
        assert_true(starts_with(err.text, cases[i].message));
    }
}

static void stages_have_names_bases_and_instructions(void **state)
{
    autodockerfile file = {0};
    (void)state;
    parse("ARG V=1\nARG W\nFROM --platform=$BUILDPLATFORM node:$V as Build\nRUN a\nRUN b\n"
          "FROM scratch\nFROM build AS last-1.x_y\nUSER c",
          &file);
    assert_int_equal(file.global_count, 2);
    assert_int_equal(file.stage_count, 3);
    assert_string_equal(file.stages[0].name, "build");
    assert_string_equal(file.stages[0].base, "node:$V");
    assert_string_equal(file.stages[0].platform, "$BUILDPLATFORM");
    assert_int_equal(file.stages[0].from, 2);
    assert_int_equal(file.stages[0].first, 3);
    assert_int_equal(file.stages[0].count, 2);
    assert_null(file.stages[1].name);
    assert_int_equal(file.stages[1].count, 0);
    assert_string_equal(file.stages[2].name, "last-1.x_y");
    assert_int_equal(file.stages[2].count, 1);
}

static void comments_right_above_belong_to_an_instruction(void **state)
{
    autodockerfile file = {0};
    (void)state;
    parse(
        "# syntax=x\n# base is a\n#  it\nFROM a AS base\n# far\n\nRUN x\n# cut\n#\n# y z \nRUN y\n"
        "RUN \\\n# inside\n z\nRUN w",
        &file);
    assert_string_equal(file.instructions[0].comment, "base is a\nit");
    assert_null(file.instructions[1].comment);
    assert_string_equal(file.instructions[2].comment, "y z");
    assert_null(file.instructions[3].comment);
    assert_null(file.instructions[4].comment);
}

static void bytes_that_are_no_text_are_refused(void **state)
{
    static const char text[] = "FROM a\nRUN \0x";
    autodockerfile file = {0};
    struct error err = {0};
    (void)state;
    assert_int_equal(dockerfile_parse("D", text, sizeof text - 1, &file, &err), -EINVAL);
    assert_true(starts_with(err.text, "D:2:5: a NUL byte"));
}

static void a_file_has_bounds(void **state)
{
    autobuf text = {0};
    struct error err = {0};
    autodockerfile file = {0}, large = {0};
    (void)state;
    buf_str(&text, "FROM a\nRUN ");
    while (text.len < 10u << 20)
        buf_str(&text, "echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; \\\n");
    assert_int_equal(dockerfile_parse("D", text.data, text.len, &large, &err), 0);
    assert_int_equal(large.count, 2);
    while (text.len <= DOCKERFILE_MAX)
        buf_str(&text, "RUN aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
    assert_int_equal(dockerfile_parse("D", text.data, text.len, &file, &err), -EINVAL);
    buf_clear(&text);
    buf_str(&text, "FROM a\n");
    for (int i = 0; i < DOCKERFILE_INSTRUCTIONS_MAX; i++)
        buf_str(&text, "RUN a\n");
    assert_int_equal(dockerfile_parse("D", text.data, text.len, &file, &err), -EINVAL);
    assert_non_null(strstr(err.text, "more than 20000 instructions"));
    buf_clear(&text);
    buf_str(&text, "FROM a\nEXPOSE");
    for (int i = 0; i <= DOCKERFILE_WORDS_MAX; i++)
        buf_str(&text, " 1");
    assert_int_equal(dockerfile_parse("D", text.data, text.len, &file, &err), -EINVAL);
    assert_non_null(strstr(err.text, "more than 20000 words"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_instruction_has_the_words_that_it_wants),
        cmocka_unit_test(what_is_wrong_is_shown_with_its_place),
        cmocka_unit_test(a_caret_stands_below_the_place),
        cmocka_unit_test(long_lines_are_clipped_and_control_bytes_escaped),
        cmocka_unit_test(lines_go_on_over_comments_and_empty_ones),
        cmocka_unit_test(a_place_is_found_through_joined_lines),
        cmocka_unit_test(directives_come_before_anything_else),
        cmocka_unit_test(the_backquote_escapes_when_the_file_says_so),
        cmocka_unit_test(here_documents_end_with_their_name),
        cmocka_unit_test(names_of_here_documents_are_words_of_the_shell),
        cmocka_unit_test(what_only_looks_like_a_here_document_is_none),
        cmocka_unit_test(on_build_holds_an_instruction),
        cmocka_unit_test(an_instruction_of_an_image_is_one),
        cmocka_unit_test(stages_have_names_bases_and_instructions),
        cmocka_unit_test(comments_right_above_belong_to_an_instruction),
        cmocka_unit_test(bytes_that_are_no_text_are_refused),
        cmocka_unit_test(a_file_has_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
