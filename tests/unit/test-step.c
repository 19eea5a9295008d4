/* SPDX-License-Identifier: Apache-2.0 */
/* An instruction made into what the builder carries out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/step.h"

static const char *lookup(void *closure, const char *name, size_t length)
{
    static const char *const set[] = {"a=old",      "path=/p q",       "empty=",   "mode=755",
                                      "stage=base", "ports=80 90/udp", "sig=QUIT", "id=7"};
    (void)closure;
    for (size_t i = 0; i < sizeof set / sizeof *set; i++)
        if (strncmp(set[i], name, length) == 0 && set[i][length] == '=')
            return set[i] + length + 1;
    return NULL;
}

static const struct expand variables = {.lookup = lookup, .escape = '\\'};

/* The second instruction of a file. */
static int make(const char *line, struct dockerfile *file, struct step *out, struct error *err)
{
    autofree char *text = xasprintf("FROM scratch\n%s\n", line);
    if (dockerfile_parse("Dockerfile", text, strlen(text), file, err) < 0)
        fail_msg("%s", err->text);
    return step_make(file, &file->instructions[1], &variables, out, err);
}

static void step_of(const char *line, struct step *out)
{
    autodockerfile file = {0};
    struct error err = {0};
    if (make(line, &file, out, &err) < 0)
        fail_msg("%s", err.text);
}

static void refused(const char *line, const char *message)
{
    autodockerfile file = {0};
    autostep step = {0};
    struct error err = {0};
    if (make(line, &file, &step, &err) == 0)
        fail_msg("taken: %s", line);
    if (!starts_with(err.text, "Dockerfile:2:") || !strstr(err.text, message))
        fail_msg("%s\nis not about: %s", err.text, message);
}

static void variables_stand_for_what_was_before_the_instruction(void **state)
{
    static const struct {
        const char *line, *pairs;
    } cases[] = {
        {"ENV a=1 b=$a c=\"$a x\" d='$a'", "a=1|b=old|c=old x|d=$a"},
        {"ENV a=$a:new", "a=old:new"},
        {"ENV ${a}_x=1", "old_x=1"},
        {"ENV name the $a \"one\"", "name=the old one"},
        {"ENV a=", "a="},
        {"ENV a=x=y", "a=x=y"},
        {"LABEL \"a b\"=$path c=", "a b=/p q|c="},
        {"ARG v w=$a", "v|w=old"},
        {"EXPOSE 80 443/tcp", "80/tcp|443/tcp"},
        {"EXPOSE $ports", "80/tcp|90/udp"},
        {"EXPOSE 8000-8002/UDP 53/sctp", "8000/udp|8001/udp|8002/udp|53/sctp"},
        {"EXPOSE 127.0.0.1:8080:80 8080:90", "80/tcp|90/tcp"},
        {"EXPOSE $empty", ""},
        {"VOLUME $path \"/x y\"", "/p q|/x y"},
        {"VOLUME [\"$path\", \"/b\"]", "/p q|/b"},
        {"USER $a:$id", "old:7"},
        {"WORKDIR $path/x y", "/p q/x y"},
        {"WORKDIR \"/a b\"", "/a b"},
        {"STOPSIGNAL SIG$sig", "SIGQUIT"},
        {"STOPSIGNAL 9", "9"},
        {"MAINTAINER $a", "$a"},
        {"ONBUILD RUN <<E\n$a\nE", "RUN <<E\n$a\nE"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        autostep step = {0};
        autobuf pairs = {0};
        step_of(cases[i].line, &step);
        strv_join(&step.pairs, "|", &pairs);
        assert_string_equal(buf_text(&pairs), cases[i].pairs);
    }
}

static void commands_are_left_to_the_shell(void **state)
{
    static const struct {
        const char *line, *words;
        bool exec;
    } cases[] = {
        {"RUN echo $a \"$b\"  ${c:?}", "echo $a \"$b\"  ${c:?}", false},
        {"RUN [\"echo\", \"$a\"]", "echo|$a", true},
        {"CMD exec $a", "exec $a", false},
        {"CMD []", "", true},
        {"ENTRYPOINT [\"$a\"]", "$a", true},
        {"SHELL [\"/bin/$a\", \"-c\"]", "/bin/$a|-c", true},
        {"RUN cat <<A <<-B ; x\n$a\nA\n\t1\n\tB", "cat <<A <<-B ; x\n$a\nA\n1\nB", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        autostep step = {0};
        autobuf words = {0};
        step_of(cases[i].line, &step);
        strv_join(&step.words, "|", &words);
        assert_string_equal(buf_text(&words), cases[i].words);
        assert_int_equal(step.exec, cases[i].exec);
        assert_null(step.script);
    }
}

static void a_here_document_alone_is_a_script(void **state)
{
    autostep step = {0}, tabs = {0};
    (void)state;
    step_of("RUN --network=none <<'EOF'\n#!/usr/bin/env python3\nprint(\"$a\")\nEOF", &step);
    assert_string_equal(step.script, "#!/usr/bin/env python3\nprint(\"$a\")\n");
    assert_int_equal(step.words.len, 0);
    assert_int_equal(step.network, STEP_NETWORK_NONE);
    step_of("RUN <<- EOF\n\tx\n\tEOF", &tabs);
    assert_string_equal(tabs.script, "x\n");
}

static void the_flags_of_run_are_understood(void **state)
{
    autostep step = {0};
    (void)state;
    step_of("RUN --security=insecure --network=host --mount=type=tmpfs,target=/t make", &step);
    assert_true(step.insecure);
    assert_int_equal(step.network, STEP_NETWORK_HOST);
    assert_int_equal(step.mount_count, 1);
    refused("RUN --network=nome x", "default, none or host");
    refused("RUN --security=off x", "sandbox or insecure");
}

static void show_mount(const struct step_mount *m, struct buf *out)
{
    static const char *const kinds[] = {"bind", "cache", "tmpfs", "secret", "ssh"};
    static const char *const sharing[] = {"shared", "private", "locked"};
    const struct {
        const char *name, *value;
    } texts[] = {{"id", m->id},
                 {"from", m->from},
                 {"source", m->source},
                 {"target", m->target},
                 {"env", m->env}};
    buf_str(out, kinds[m->kind]);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].value)
            buf_fmt(out, " %s=%s", texts[i].name, texts[i].value);
    buf_fmt(out, "%s%s", m->read_write ? " rw" : " ro", m->required ? " required" : "");
    if (m->kind == MOUNT_CACHE)
        buf_fmt(out, " %s", sharing[m->sharing]);
    if (m->mode >= 0)
        buf_fmt(out, " %04o", (unsigned)m->mode);
    if (m->uid >= 0 || m->gid >= 0)
        buf_fmt(out, " %d:%d", (int)m->uid, (int)m->gid);
    if (m->size > 0)
        buf_fmt(out, " %lld", (long long)m->size);
}

static void mounts_have_the_values_that_were_not_said(void **state)
{
    static const struct {
        const char *mount, *is;
    } cases[] = {
        {"target=/x", "bind target=/x ro"},
        {"type=bind,dst=/x,src=/y,from=$stage,rw", "bind from=base source=/y target=/x rw"},
        {"type=bind,destination=$path", "bind target=/p q ro"},
        {"target=/x,readwrite=false", "bind target=/x ro"},
        {"target=/x,ro=false", "bind target=/x rw"},
        {"type=cache,target=/a//b/../c/", "cache id=/a/c target=/a//b/../c/ rw shared 0755"},
        {"type=cache,target=/a,id=go-$id,sharing=locked,mode=0700,uid=$id,gid=8,ro",
         "cache id=go-7 target=/a ro locked 0700 7:8"},
        {"type=CACHE,TARGET=/a,Sharing=Private", "cache id=/a target=/a rw private 0755"},
        {"type=cache,target=cache/", "cache id=cache target=cache/ rw shared 0755"},
        {"type=cache,target=/a,from=x,source=/y",
         "cache id=/a from=x source=/y target=/a rw shared "
         "0755"},
        {"type=tmpfs,target=/t", "tmpfs target=/t rw"},
        {"type=tmpfs,target=/t,size=64m", "tmpfs target=/t rw 67108864"},
        {"type=secret,id=token", "secret id=token target=/run/secrets/token ro 0400"},
        {"type=secret,id=a/token", "secret id=a/token target=/run/secrets/token ro 0400"},
        {"type=secret,target=/root/.npmrc", "secret id=.npmrc target=/root/.npmrc ro 0400"},
        {"type=secret,source=token,required",
         "secret id=token target=/run/secrets/token ro required "
         "0400"},
        {"type=secret,id=t,env=TOKEN,required=false", "secret id=t env=TOKEN ro 0400"},
        {"type=secret,id=t,env=T,target=/t,mode=444,uid=1",
         "secret id=t target=/t env=T ro 0444 1:-1"},
        {"type=ssh", "ssh id=default ro 0600"},
        {"type=ssh,id=gh,required=true,target=/s,mode=0666",
         "ssh id=gh target=/s ro required 0666"},
        {"id=x,type=secret", "secret id=x target=/run/secrets/x ro 0400"},
        {"type=bind,\\\"target=/a,b\\\"", "bind target=/a,b ro"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        autofree char *line = xasprintf("RUN --mount=%s make", cases[i].mount);
        autostep step = {0};
        autobuf is = {0};
        step_of(line, &step);
        assert_int_equal(step.mount_count, 1);
        show_mount(&step.mounts[0], &is);
        assert_string_equal(buf_text(&is), cases[i].is);
    }
}

static void mounts_that_cannot_be_are_refused(void **state)
{
    static const char *const cases[][2] = {
        {"type=bid,target=/x", "did you mean bind?"},
        {"type=volume,target=/x", "there are bind, cache"},
        {"type=bind", "needs a place"},
        {"type=cache", "needs a place"},
        {"type=tmpfs", "needs a place"},
        {"type=secret", "needs an id"},
        {"type=secret,target=/x/", "needs an id"},
        {"type=secret,id=a,source=b", "another word for id"},
        {"target=", "no value"},
        {"target", "no value"},
        {"target=/x,taget=/y", "did you mean target?"},
        {"target=/x,zzzzzz=1", "there are type"},
        {"target=/x,", "there is no \"\""},
        {"target=/x,mode=1", "does not go with type=bind"},
        {"target=/x,size=1", "does not go with type=bind"},
        {"type=tmpfs,target=/x,from=a", "does not go with type=tmpfs"},
        {"type=tmpfs,target=/x,size=big", "number of bytes"},
        {"type=ssh,source=a", "does not go with type=ssh"},
        {"type=cache,target=/x,sharing=some", "shared, private or locked"},
        {"type=cache,target=/x,mode=999", "octal"},
        {"type=cache,target=/x,mode=10000", "octal"},
        {"type=cache,target=/x,uid=root", "a number"},
        {"type=cache,target=/x,required", "does not go with"},
        {"target=/x,rw=maybe", "true or false"},
        {"target=${x:?say it}", "say it"},
        {"\\\"target=/x", "is not closed"},
        {"\\\"target=/x\\\"y", "a comma is missing"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        autofree char *line = xasprintf("RUN --mount=%s make", cases[i][0]);
        refused(line, cases[i][1]);
    }
}

static void one_word_of_a_mount_can_be_asked_for(void **state)
{
    autofree char *id = step_mount_word("type=cache,ID=$x,required", "id");
    autofree char *required = step_mount_word("type=cache,ID=$x,required", "required");
    (void)state;
    assert_string_equal(id, "$x");
    assert_string_equal(required, "true");
    assert_null(step_mount_word("type=cache", "from"));
    assert_null(step_mount_word("\"type=cache", "type"));
}

static void copy_has_sources_files_and_flags(void **state)
{
    autostep step = {0}, add = {0}, git = {0};
    autobuf sources = {0};
    (void)state;
    step_of("COPY --from=$stage --chown=$a:$id --chmod=u=rwX,go=rX --link --parents "
            "--exclude=*.$a --exclude=b $path << F <<'G' c $path/\n"
            "'$a' \\$a\nF\n$a\\\nG",
            &step);
    strv_join(&step.sources, "|", &sources);
    assert_string_equal(buf_text(&sources), "/p q|c");
    assert_string_equal(step.target, "/p q/");
    assert_string_equal(step.from, "base");
    assert_string_equal(step.owner, "old:7");
    assert_string_equal(step.mode, "u=rwX,go=rX");
    assert_true(step.link && step.parents && !step.keep_git_dir);
    assert_int_equal(step.exclude.len, 2);
    assert_string_equal(step.exclude.items[0], "*.old");
    assert_int_equal(step.file_count, 2);
    assert_string_equal(step.files[0].name, "F");
    assert_string_equal(step.files[0].text, "'old' $a\n");
    assert_string_equal(step.files[1].text, "$a\\\n");
    assert_int_equal(step.unpack, -1);
    step_of("ADD --unpack=false --checksum=sha256:"
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef "
            "--chmod=$mode --chown=$empty [\"https://x/a b\", \"/\"]",
            &add);
    assert_int_equal(add.unpack, 0);
    assert_string_equal(add.mode, "755");
    assert_null(add.owner);
    assert_string_equal(add.sources.items[0], "https://x/a b");
    step_of("ADD --keep-git-dir --checksum=0123456 --unpack https://x/y.git /z", &git);
    assert_true(git.keep_git_dir);
    assert_int_equal(git.unpack, 1);
    assert_string_equal(git.checksum, "0123456");
}

static void copies_that_cannot_be_are_refused(void **state)
{
    (void)state;
    refused("COPY $empty /x", "write . for the whole context");
    refused("COPY $nothing /x", "write . for the whole context");
    refused("COPY a $empty", "destination is empty");
    refused("COPY [\"it's\", \"/x\"]", "not closed");
    refused("COPY --chmod=888 a /b", "no mode");
    refused("COPY --chmod=u=q a /b", "no mode");
    refused("ADD --checksum=md5:x a /b", "64 hexadecimal digits");
    refused("ADD --checksum=sha256:abc a /b", "64 hexadecimal digits");
    refused("COPY <<E /x\n${a:?}${b:?gone}\nE", "b: gone");
    refused("COPY ${a /x", "the } is missing");
}

static void words_that_mean_nothing_are_refused(void **state)
{
    (void)state;
    refused("STOPSIGNAL SIGNOPE", "no signal");
    refused("STOPSIGNAL $empty", "no signal");
    refused("EXPOSE 0", "no port");
    refused("EXPOSE 65536", "no port");
    refused("EXPOSE 90-80", "no port");
    refused("EXPOSE http", "no port");
    refused("EXPOSE 80/icmp", "tcp, udp or sctp");
    refused("EXPOSE 1-65535 1-65535", "more than 65536 ports");
    refused("VOLUME $empty", "not empty");
    refused("ENV $empty=1", "no name");
    refused("ENV \"a=b\"", "not closed");
    refused("USER ${a", "the } is missing");
}

static void health_checks_have_times(void **state)
{
    autostep shell = {0}, none = {0}, exec = {0};
    (void)state;
    step_of("HEALTHCHECK --interval=1m30s --timeout=3s --start-period=500ms --start-interval=0 "
            "--retries=5 CMD curl -f $a || exit 1",
            &shell);
    assert_string_equal(shell.health.test.items[0], "CMD-SHELL");
    assert_string_equal(shell.health.test.items[1], "curl -f $a || exit 1");
    assert_int_equal(shell.health.interval, 90 * NSEC_PER_SEC);
    assert_int_equal(shell.health.timeout, 3 * NSEC_PER_SEC);
    assert_int_equal(shell.health.start_period, NSEC_PER_SEC / 2);
    assert_int_equal(shell.health.start_interval, 0);
    assert_int_equal(shell.health.retries, 5);
    step_of("HEALTHCHECK NONE", &none);
    assert_int_equal(none.health.test.len, 1);
    assert_string_equal(none.health.test.items[0], "NONE");
    step_of("HEALTHCHECK CMD [\"a\", \"b\"]", &exec);
    assert_int_equal(exec.health.test.len, 3);
    assert_string_equal(exec.health.test.items[0], "CMD");
    refused("HEALTHCHECK --interval=soon CMD a", "no duration");
    refused("HEALTHCHECK --timeout=1us CMD a", "at least 1ms");
    refused("HEALTHCHECK --retries=-1 CMD a", "a number");
}

static void modes_are_what_chmod_makes_of_them(void **state)
{
    static const struct {
        const char *words;
        mode_t before;
        bool directory;
        mode_t after;
    } cases[] = {
        {"755", 0644, false, 0755},         {"0644", 0755, false, 0644},
        {"4755", 0, false, 04755},          {"0", 0777, false, 0},
        {"u=rw,go=r", 0777, false, 0644},   {"u=rwX,go=rX", 0600, false, 0644},
        {"u=rwX,go=rX", 0700, false, 0755}, {"u=rwX,go=rX", 0600, true, 0755},
        {"a+x", 0644, false, 0755},         {"+x", 0644, false, 0755},
        {"go-w", 0666, false, 0644},        {"u+s", 0755, false, 04755},
        {"g+s", 0755, false, 02755},        {"+t", 0777, true, 01777},
        {"g=u", 0740, false, 0770},         {"o=", 0777, false, 0770},
        {"u+x-w", 0644, false, 0544},       {"ug=rw,o=r", 0, false, 0664},
        {"a=rx", 07777, false, 0555},
    };
    static const char *const wrong[] = {"",      "8",    "77777", "u",    "u=q",  "x",
                                        "u+rw,", ",u+r", "u r",   "755x", "u=gx", "0x1ff"};
    mode_t mode;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(
            step_mode_apply(cases[i].words, cases[i].before, cases[i].directory, &mode), 0);
        if (mode != cases[i].after)
            fail_msg("%s: %04o", cases[i].words, (unsigned)mode);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (step_mode_apply(wrong[i], 0644, false, &mode) == 0)
            fail_msg("taken: %s", wrong[i]);
}

static const char *large(void *closure, const char *name, size_t length)
{
    (void)name;
    (void)length;
    return closure;
}

static void what_becomes_of_an_instruction_has_an_end(void **state)
{
    autofree char *value = xmalloc(EXPAND_MAX);
    autobuf text = {0};
    autodockerfile file = {0};
    autostep step = {0};
    struct error err = {0};
    (void)state;
    memset(value, 'x', EXPAND_MAX - 1);
    value[EXPAND_MAX - 1] = '\0';
    const struct expand expand = {.lookup = large, .closure = value, .escape = '\\'};
    buf_str(&text, "FROM a\nLABEL");
    for (int i = 0; i < 40; i++)
        buf_fmt(&text, " a%d=$b", i);
    assert_int_equal(dockerfile_parse("D", text.data, text.len, &file, &err), 0);
    assert_int_equal(step_make(&file, &file.instructions[1], &expand, &step, &err), -EINVAL);
    assert_non_null(strstr(err.text, "longer than 32 MiB"));
}

static void an_instruction_of_an_image_has_no_place(void **state)
{
    struct instruction instruction = {0};
    autostep step = {0};
    struct error err = {0};
    (void)state;
    assert_int_equal(instruction_parse("x", "STOPSIGNAL NO", '\\', &instruction, &err), 0);
    assert_int_equal(step_make(NULL, &instruction, &variables, &step, &err), -EINVAL);
    assert_true(starts_with(err.text, "\"NO\" is no signal"));
    instruction_free(&instruction);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_stand_for_what_was_before_the_instruction),
        cmocka_unit_test(commands_are_left_to_the_shell),
        cmocka_unit_test(a_here_document_alone_is_a_script),
        cmocka_unit_test(the_flags_of_run_are_understood),
        cmocka_unit_test(mounts_have_the_values_that_were_not_said),
        cmocka_unit_test(mounts_that_cannot_be_are_refused),
        cmocka_unit_test(one_word_of_a_mount_can_be_asked_for),
        cmocka_unit_test(copy_has_sources_files_and_flags),
        cmocka_unit_test(copies_that_cannot_be_are_refused),
        cmocka_unit_test(words_that_mean_nothing_are_refused),
        cmocka_unit_test(health_checks_have_times),
        cmocka_unit_test(what_becomes_of_an_instruction_has_an_end),
        cmocka_unit_test(an_instruction_of_an_image_has_no_place),
        cmocka_unit_test(modes_are_what_chmod_makes_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
