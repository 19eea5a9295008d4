/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/build_progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "cmd/print.h"

#define TAIL_LINES 4  /* of each step that is at work, in the live view */
#define VIEW_STEPS 8  /* at most so many at once */
#define KEPT_LINES 40 /* of a step's output, to be shown when it fails in the live view */

enum kind { PLAIN, LIVE, JSON, NOTHING };

struct vertex {
    unsigned id;
    unsigned number; /* as it is told, from 1 */
    char *name;
    nanoseconds begun;
    bool over;
    struct strv lines; /* the last ones */
};

struct build_progress {
    enum kind kind;
    struct screen screen;
    struct vertex *vertices;
    size_t count, cached;
    unsigned last;  /* whose line was told last: PLAIN */
    unsigned drawn; /* rows of the view */
    nanoseconds begun;
};

static void out(const struct buf *text)
{
    (void)write_all(STDERR_FILENO, buf_text(text), text->len);
}

static struct vertex *find(struct build_progress *p, unsigned id)
{
    for (size_t i = p->count; i-- > 0;)
        if (p->vertices[i].id == id)
            return &p->vertices[i];
    return NULL;
}

static struct vertex *add(struct build_progress *p, unsigned id, const char *name)
{
    p->vertices = xrealloc(p->vertices, p->count + 1, sizeof *p->vertices);
    struct vertex *v = &p->vertices[p->count++];
    *v = (struct vertex){
        .id = id, .number = (unsigned)p->count, .name = xstrdup(name), .begun = clock_monotonic()};
    return v;
}

static void seconds(struct buf *text, nanoseconds length)
{
    buf_fmt(text, "%lld.%llds", (long long)(length / NSEC_PER_SEC),
            (long long)(length % NSEC_PER_SEC / 100000000));
}

/* As a screen would show it in the end: a tab is white space, and what comes after a carriage
 * return stands in the place of what was before it. */
static void add_output(struct buf *text, const char *line)
{
    autofree char *copy = xstrdup(line);
    size_t length = strlen(copy);
    while (length > 0 && copy[length - 1] == '\r')
        copy[--length] = '\0';
    char *from = strrchr(copy, '\r');
    from = from ? from + 1 : copy;
    for (char *tab; (tab = strchr(from, '\t')); from = tab + 1) {
        *tab = '\0';
        buf_printable(text, from);
        buf_char(text, '\t');
    }
    buf_printable(text, from);
}

/* --- plain --- */

static void turn_to(struct build_progress *p, const struct vertex *v, struct buf *text)
{
    if (p->last == v->number)
        return;
    if (p->last)
        buf_char(text, '\n');
    buf_fmt(text, "#%u %s\n", v->number, v->name);
    p->last = v->number;
}

static void plain(struct build_progress *p, enum build_event event, struct vertex *v,
                  const char *line, uint64_t milliseconds)
{
    autobuf text = {0};
    turn_to(p, v, &text);
    switch (event) {
    case BUILD_LINE:
        buf_fmt(&text, "#%u ", v->number);
        seconds(&text, clock_monotonic() - v->begun);
        buf_char(&text, ' ');
        add_output(&text, line);
        buf_char(&text, '\n');
        break;
    case BUILD_DONE:
        buf_fmt(&text, "#%u DONE ", v->number);
        seconds(&text, (nanoseconds)milliseconds * 1000000);
        buf_char(&text, '\n');
        break;
    case BUILD_CACHED:
        buf_fmt(&text, "#%u CACHED\n", v->number);
        break;
    case BUILD_FAILED:
        buf_fmt(&text, "#%u ERROR\n", v->number);
        break;
    case BUILD_CANCELED:
        buf_fmt(&text, "#%u CANCELED\n", v->number);
        break;
    case BUILD_WARNING:
        buf_fmt(&text, "#%u WARNING: ", v->number);
        buf_printable(&text, line);
        buf_char(&text, '\n');
        break;
    case BUILD_BEGIN:
        break;
    }
    out(&text);
}

/* --- live --- */

/* Cut to the width of the screen; bytes of UTF-8 count as a column each character. */
static void add_cut(struct buf *text, const char *line, unsigned width)
{
    autobuf shown = {0};
    unsigned columns = 0;
    add_output(&shown, line);
    for (char *tab; (tab = strchr(shown.data ? shown.data : "", '\t'));)
        *tab = ' ';
    for (const char *at = buf_text(&shown); *at && columns < width; at++) {
        if (((unsigned char)*at & 0xc0) != 0x80)
            columns++;
        buf_char(text, *at);
    }
}

static void take_view_away(struct build_progress *p, struct buf *text)
{
    if (p->drawn)
        buf_fmt(text, "\033[%uA\033[J", p->drawn);
    p->drawn = 0;
}

static void draw_vertex(struct build_progress *p, const struct vertex *v, struct buf *text)
{
    autobuf time = {0};
    unsigned width = p->screen.width > 20 ? p->screen.width : 20;
    seconds(&time, clock_monotonic() - v->begun);
    buf_str(text, " => ");
    add_cut(text, v->name, width - (unsigned)time.len - 6);
    buf_fmt(text, " %s\n", buf_text(&time));
    p->drawn++;
    size_t from = v->lines.len > TAIL_LINES ? v->lines.len - TAIL_LINES : 0;
    for (size_t i = from; i < v->lines.len; i++, p->drawn++) {
        buf_fmt(text, "%s    ", p->screen.colour ? STYLE_DIM : "");
        add_cut(text, v->lines.items[i], width - 5);
        buf_fmt(text, "%s\n", p->screen.colour ? STYLE_OFF : "");
    }
}

static void draw(struct build_progress *p, struct buf *text)
{
    size_t shown = 0;
    for (size_t i = 0; i < p->count && shown < VIEW_STEPS; i++) {
        if (p->vertices[i].over)
            continue;
        draw_vertex(p, &p->vertices[i], text);
        shown++;
    }
}

static void tick(void *closure)
{
    struct build_progress *p = closure;
    autobuf text = {0};
    take_view_away(p, &text);
    draw(p, &text);
    out(&text);
}

static void keep_line(struct vertex *v, const char *line)
{
    if (v->lines.len == KEPT_LINES) {
        free(v->lines.items[0]);
        memmove(v->lines.items, v->lines.items + 1, (v->lines.len - 1) * sizeof *v->lines.items);
        v->lines.items[--v->lines.len] = NULL;
    }
    strv_add(&v->lines, line);
}

/* A line of its own that stays, for a step that is over. */
static void live_over(struct build_progress *p, const struct vertex *v, const char *mark,
                      const char *what, bool output)
{
    autobuf text = {0};
    take_view_away(p, &text);
    buf_fmt(&text, " %s ", mark);
    add_cut(&text, v->name, p->screen.width > 40 ? p->screen.width - 16 : 24);
    buf_fmt(&text, " %s\n", what);
    for (size_t i = 0; output && i < v->lines.len; i++) {
        buf_str(&text, "    ");
        add_output(&text, v->lines.items[i]);
        buf_char(&text, '\n');
    }
    draw(p, &text);
    out(&text);
}

static void live(struct build_progress *p, enum build_event event, struct vertex *v,
                 const char *line, uint64_t milliseconds)
{
    autobuf time = {0}, text = {0};
    seconds(&time, (nanoseconds)milliseconds * 1000000);
    switch (event) {
    case BUILD_LINE:
        keep_line(v, line);
        break;
    case BUILD_DONE:
        live_over(p, v, "=>", buf_text(&time), false);
        break;
    case BUILD_CACHED:
        live_over(p, v, "=>", "cached", false);
        break;
    case BUILD_FAILED:
        live_over(p, v, "=>", "FAILED", true);
        break;
    case BUILD_CANCELED:
        live_over(p, v, "=>", "canceled", false);
        break;
    case BUILD_WARNING:
        take_view_away(p, &text);
        buf_str(&text, " warning: ");
        buf_printable(&text, line);
        buf_char(&text, '\n');
        draw(p, &text);
        out(&text);
        break;
    case BUILD_BEGIN:
        break;
    }
}

/* --- JSON --- */

static void json(enum build_event event, const struct vertex *v, const char *line,
                 uint64_t milliseconds)
{
    static const char *const names[] = {"begin",  "line",     "done",   "cached",
                                        "failed", "canceled", "warning"};
    autobuf text = {0};
    struct json_out w = {.buf = &text};
    json_begin(&w, NULL, '{');
    json_str(&w, "event", names[event]);
    json_u64(&w, "step", v->number);
    if (event == BUILD_BEGIN)
        json_str(&w, "name", v->name);
    if (event == BUILD_LINE || event == BUILD_WARNING)
        json_str(&w, "text", line);
    if (event == BUILD_DONE)
        json_u64(&w, "milliseconds", milliseconds);
    json_end(&w, '}');
    buf_char(&text, '\n');
    out(&text);
}

/* --- all of them --- */

static void told(void *closure, enum build_event event, unsigned id, const char *text,
                 uint64_t milliseconds)
{
    struct build_progress *p = closure;
    struct vertex *v = find(p, id);
    if (!v)
        v = add(p, id, event == BUILD_BEGIN ? text : "");
    if (event == BUILD_DONE || event == BUILD_CACHED || event == BUILD_FAILED ||
        event == BUILD_CANCELED)
        v->over = true;
    p->cached += event == BUILD_CACHED;
    if (p->kind == PLAIN)
        plain(p, event, v, text, milliseconds);
    else if (p->kind == LIVE)
        live(p, event, v, text, milliseconds);
    else if (p->kind == JSON)
        json(event, v, text, milliseconds);
}

static void warn(void *closure, const char *text)
{
    struct build_progress *p = closure;
    autobuf away = {0};
    if (p->kind == NOTHING)
        return;
    take_view_away(p, &away);
    out(&away);
    tell_warning("%s", text);
}

struct build_progress *build_progress_new(const char *kind, struct build_watch *watch)
{
    struct build_progress *p = xcalloc(1, sizeof *p);
    p->screen = screen_of(STDERR_FILENO);
    p->begun = clock_monotonic();
    if (streq(kind, "plain"))
        p->kind = PLAIN;
    else if (streq(kind, "json") || streq(kind, "rawjson"))
        p->kind = JSON;
    else if (streq(kind, "quiet"))
        p->kind = NOTHING;
    else
        p->kind = p->screen.terminal || streq(kind, "tty") ? LIVE : PLAIN;
    *watch = (struct build_watch){
        .told = told, .warn = warn, .tick = p->kind == LIVE ? tick : NULL, .closure = p};
    return p;
}

void build_progress_end(struct build_progress *p, size_t *steps, size_t *cached)
{
    autobuf text = {0};
    if (p->kind == LIVE)
        take_view_away(p, &text);
    else if (p->kind == PLAIN && p->last)
        buf_char(&text, '\n');
    out(&text);
    *steps = p->count;
    *cached = p->cached;
}

void build_progress_free(struct build_progress *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->vertices[i].name);
        strv_free(&p->vertices[i].lines);
    }
    free(p->vertices);
    free(p);
}
