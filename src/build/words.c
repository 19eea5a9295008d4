/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets in what a Dockerfile says: ENV, ARG, LABEL and RUN lines, as they were carried out. They
 * are looked through by a process that can reach nothing. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "archive/confine.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/solve.h"
#include "runtime/errand.h"
#include "scan/leaks.h"

#define FINDINGS_BYTES (256u << 10)

struct looking {
    const struct build *build;
    struct strv words; /* what it is for ("+" of the image, "-" of other stages), where, what */
    int to;
    struct buf said;
};

static void looking_free(struct looking *l)
{
    strv_free(&l->words);
    buf_free(&l->said);
}

static void add_finding(void *closure, const struct leak *leak)
{
    struct looking *l = closure;
    autobuf text = {0};
    bool stops = leak->severity == LEAK_STOP && !leak->allowed && leak->where[0] == '+';
    buf_fmt(&text, "%s: %s in %s%s", leak->rule, leak->title, leak->where + 1,
            leak->allowed ? " (allowed)" : "");
    buf_char(&l->said, stops ? '+' : '-');
    buf_printable(&l->said, buf_text(&text));
    buf_char(&l->said, '\n');
}

static int look(void *closure, const struct errand_place *place, uint64_t *count, struct error *err)
{
    struct looking *l = closure;
    const struct strv *allow = &l->build->options->allow_secret;
    const struct confine_paths nothing = {0};
    autoleaks leaks = leaks_new(add_finding, l);
    (void)place;
    (void)count;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < allow->len; i++)
        rc = leaks_allow(leaks, allow->items[i], err);
    if (rc == 0)
        rc = worker_confine(&nothing, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i + 1 < l->words.len; i += 2)
        leaks_text(leaks, l->words.items[i], l->words.items[i + 1]);
    if (leaks_untold(leaks) > 0) /* any of which may be one that stops */
        buf_fmt(&l->said, "%c%zu further findings\n", leaks_stopping(leaks) > 0 ? '+' : '-',
                leaks_untold(leaks));
    rc = write_all(l->to, buf_text(&l->said), l->said.len);
    return rc < 0 ? error_set(err, rc, "cannot tell what was found") : 0;
}

static void add_words(struct looking *l, const struct strv *words, bool shipped)
{
    for (size_t i = 0; i + 1 < words->len; i += 2) {
        strv_fmt(&l->words, "%c%s", shipped ? '+' : '-', words->items[i]);
        strv_add(&l->words, words->items[i + 1]);
    }
}

static int gather(struct build *b, struct looking *l, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < b->file.stage_count; i++) {
        struct stage_result result;
        if (!b->graph.stages[i].needed)
            continue;
        rc = stage_result_read(b, i, &result, err);
        if (rc < 0)
            break;
        add_words(l, &result.words, stage_is_shipped(b, i));
        stage_result_free(&result);
    }
    for (size_t i = 0; i < b->options->labels.len; i++) {
        strv_add(&l->words, "+--label");
        strv_add(&l->words, b->options->labels.items[i]);
    }
    return rc;
}

static int tell(const char *said, const struct build_watch *watch, struct error *err)
{
    autostrv lines = {0};
    autobuf leaks = {0};
    strv_split(&lines, said, '\n');
    for (size_t i = 0; i < lines.len; i++) {
        if (lines.items[i][0] == '+')
            buf_fmt(&leaks, "\n  %s", lines.items[i] + 1);
        else if (lines.items[i][0] == '-' && watch->warn)
            watch->warn(watch->closure, lines.items[i] + 1);
    }
    if (leaks.len == 0)
        return 0;
    return error_set(
        err, -EPERM,
        "the Dockerfile says a secret that everybody who has the image could read; give "
        "it to the step that needs it (RUN --mount=type=secret), or let it in with "
        "--allow-secret RULE:%.600s",
        buf_text(&leaks));
}

int words_check(struct build *b, const struct build_watch *watch, struct error *err)
{
    struct looking l __attribute__((cleanup(looking_free))) = {.build = b};
    struct errand_run run = ERRAND_RUN_NONE;
    const struct errand errand = {.work = look, .closure = &l, .fds = {-1, -1, -1, -1}};
    autobuf said = {0};
    int ends[2];
    int rc = gather(b, &l, err);
    if (rc < 0 || l.words.len == 0)
        return rc;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, "cannot make a pipe");
    autofd from = ends[0];
    l.to = ends[1];
    rc = errand_aside(&errand, &run, err);
    close(ends[1]);
    int read = read_fd(from, FINDINGS_BYTES, &said);
    int ended = errand_end(&run, NULL, rc == 0 ? err : NULL);
    if (rc == 0)
        rc = ended;
    if (rc == 0 && read < 0)
        rc = error_set(err, read, "cannot read what was found: %s", error_describe(read));
    return rc < 0 ? rc : tell(buf_text(&said), watch, err);
}
