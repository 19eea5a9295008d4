/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/layer_progress.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"

#define INTERVAL (NSEC_PER_SEC / 10)
#define ROWS_MAX 12
#define BAR 24
#define DIGITS 12

static struct layer_view view(const struct layer_progress *p, size_t number)
{
    struct layer_view layer = {.note = ""};
    p->look(p->closure, number, &layer);
    return layer;
}

static void draw_bar(const struct layer_view *layer, struct buf *out)
{
    size_t full = layer->size ? (size_t)((double)layer->bytes / (double)layer->size * BAR) : BAR;
    buf_str(out, " [");
    for (size_t i = 0; i < BAR; i++)
        buf_char(out, i < full ? '=' : i == full ? '>' : ' ');
    buf_str(out, "] ");
    format_size(out, layer->bytes);
    buf_char(out, '/');
    format_size(out, layer->size);
}

static void draw_layer(const struct layer_progress *p, const struct layer_view *layer,
                       struct buf *out)
{
    autobuf row = {0};
    buf_fmt(&row, "%.*s: %s", DIGITS, digest_hex(layer->digest), layer->words);
    if (layer->stage == LAYER_WORKS)
        draw_bar(layer, &row);
    buf_str(&row, layer->note);
    buf_fmt(out, "%.*s\033[K\n", (int)(p->screen.width - 1), buf_text(&row));
}

static void draw_total(struct layer_progress *p, struct buf *out)
{
    uint64_t bytes = 0, size = 0;
    autobuf row = {0};
    for (size_t i = 0; i < p->count; i++) {
        struct layer_view layer = view(p, i);
        bytes += layer.counts ? layer.bytes : 0;
        size += layer.counts ? layer.size : 0;
    }
    nanoseconds now = clock_monotonic();
    if (p->when && now > p->when) {
        double speed = (double)(bytes - p->last) / ((double)(now - p->when) / (double)NSEC_PER_SEC);
        p->speed = p->speed > 0 ? p->speed * 0.8 + speed * 0.2 : speed;
    }
    p->last = bytes;
    p->when = now;
    format_size(&row, bytes);
    buf_str(&row, " of ");
    format_size(&row, size);
    if (p->speed > 0) {
        buf_str(&row, ", ");
        format_size(&row, (uint64_t)p->speed);
        buf_str(&row, "/s");
    }
    buf_fmt(out, "%.*s\033[K\n", (int)(p->screen.width - 1), buf_text(&row));
}

/* Those at work, then those that wait; who is done is told above, once. */
static void draw(struct layer_progress *p)
{
    autobuf out = {0};
    unsigned rows = 0;
    if (p->drawn > 0)
        buf_fmt(&out, "\033[%uA", p->drawn);
    for (size_t i = 0; i < p->count; i++) {
        struct layer_view layer = view(p, i);
        if (!p->told[i] && layer.stage == LAYER_OVER) {
            p->told[i] = true;
            draw_layer(p, &layer, &out);
        }
    }
    static const enum layer_stage order[] = {LAYER_WORKS, LAYER_WAITS};
    for (size_t n = 0; n < 2 && !p->over; n++)
        for (size_t i = 0; i < p->count && rows < ROWS_MAX; i++) {
            struct layer_view layer = view(p, i);
            if (layer.stage == order[n]) {
                draw_layer(p, &layer, &out);
                rows++;
            }
        }
    if (!p->over) {
        draw_total(p, &out);
        rows++;
    }
    buf_str(&out, "\033[J");
    p->drawn = rows;
    (void)write_all(STDERR_FILENO, out.data, out.len);
}

static void tell(struct layer_progress *p)
{
    autobuf out = {0};
    for (size_t i = 0; i < p->count; i++) {
        struct layer_view layer = view(p, i);
        if (p->told[i] || layer.stage != LAYER_OVER)
            continue;
        p->told[i] = true;
        buf_fmt(&out, "%.*s: %s%s\n", DIGITS, digest_hex(layer.digest), layer.words, layer.note);
    }
    (void)write_all(STDERR_FILENO, buf_text(&out), out.len);
}

static void *show(void *closure)
{
    struct layer_progress *p = closure;
    pthread_mutex_lock(&p->lock);
    while (!p->over) {
        struct timespec until;
        p->screen.terminal ? draw(p) : tell(p);
        clock_gettime(CLOCK_REALTIME, &until);
        nanoseconds at = until.tv_nsec + INTERVAL;
        until.tv_sec += at / NSEC_PER_SEC;
        until.tv_nsec = at % NSEC_PER_SEC;
        pthread_cond_timedwait(&p->ended, &p->lock, &until);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

void layer_progress_begin(struct layer_progress *p, layer_look *look, const void *closure,
                          size_t count, struct screen screen, bool quiet)
{
    *p = (struct layer_progress){.screen = screen,
                                 .quiet = quiet,
                                 .look = look,
                                 .closure = closure,
                                 .count = count,
                                 .lock = PTHREAD_MUTEX_INITIALIZER,
                                 .ended = PTHREAD_COND_INITIALIZER,
                                 .told = xcalloc(count + 1, sizeof(bool))};
    p->running = !quiet && pthread_create(&p->thread, NULL, show, p) == 0;
}

void layer_progress_end(struct layer_progress *p)
{
    pthread_mutex_lock(&p->lock);
    p->over = true;
    pthread_cond_signal(&p->ended);
    pthread_mutex_unlock(&p->lock);
    if (p->running)
        pthread_join(p->thread, NULL);
    if (!p->quiet && p->told)
        p->screen.terminal ? draw(p) : tell(p);
    free(p->told);
    p->told = NULL;
}
