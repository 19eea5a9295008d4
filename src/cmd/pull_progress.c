/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/pull_progress.h"

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

static const char *state_words(const struct pull_layer *layer)
{
    switch ((enum pull_state)layer->state) {
    case PULL_WAITING:
        return "Waiting";
    case PULL_OTHERS:
        return "Waiting for another pull";
    case PULL_FETCHING:
        return layer->bytes < layer->size ? "Downloading" : "Unpacking";
    case PULL_DONE:
        return "Pull complete";
    case PULL_THERE:
        return "Already exists";
    }
    return "";
}

static void draw_bar(const struct pull_layer *layer, struct buf *out)
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

static void draw_layer(const struct pull_progress *p, const struct pull_layer *layer,
                       struct buf *out)
{
    autobuf row = {0};
    buf_fmt(&row, "%.*s: %s", DIGITS, digest_hex(layer->digest), state_words(layer));
    if (layer->state == PULL_FETCHING)
        draw_bar(layer, &row);
    if (layer->begun > 0 && layer->state == PULL_FETCHING)
        buf_str(&row, " resumed");
    buf_fmt(out, "%.*s\033[K\n", (int)(p->screen.width - 1), buf_text(&row));
}

static void draw_total(struct pull_progress *p, struct buf *out)
{
    uint64_t bytes = 0, size = 0;
    autobuf row = {0};
    for (size_t i = 0; i < p->pull->layer_count; i++) {
        bytes += p->pull->layers[i].bytes;
        if (p->pull->layers[i].state != PULL_THERE)
            size += p->pull->layers[i].size;
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
static void draw(struct pull_progress *p)
{
    autobuf out = {0};
    unsigned rows = 0;
    if (p->drawn > 0)
        buf_fmt(&out, "\033[%uA", p->drawn);
    for (size_t i = 0; i < p->pull->layer_count; i++) {
        const struct pull_layer *layer = &p->pull->layers[i];
        if (!p->told[i] && layer->state >= PULL_DONE) {
            p->told[i] = true;
            draw_layer(p, layer, &out);
        }
    }
    for (int waiting = 0; waiting < 2 && !p->over; waiting++)
        for (size_t i = 0; i < p->pull->layer_count && rows < ROWS_MAX; i++) {
            int state = p->pull->layers[i].state;
            if (state < PULL_DONE && (state < PULL_FETCHING) == waiting) {
                draw_layer(p, &p->pull->layers[i], &out);
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

static void tell(struct pull_progress *p)
{
    autobuf out = {0};
    for (size_t i = 0; i < p->pull->layer_count; i++) {
        const struct pull_layer *layer = &p->pull->layers[i];
        if (p->told[i] || layer->state < PULL_DONE)
            continue;
        p->told[i] = true;
        buf_fmt(&out, "%.*s: %s%s\n", DIGITS, digest_hex(layer->digest), state_words(layer),
                layer->begun > 0 && layer->state == PULL_DONE ? " (resumed)" : "");
    }
    (void)write_all(STDERR_FILENO, buf_text(&out), out.len);
}

static void *show(void *closure)
{
    struct pull_progress *p = closure;
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

void pull_progress_begin(struct pull_progress *p, const struct pull *pull, struct screen screen,
                         bool quiet)
{
    *p = (struct pull_progress){.screen = screen,
                                .quiet = quiet,
                                .pull = pull,
                                .lock = PTHREAD_MUTEX_INITIALIZER,
                                .ended = PTHREAD_COND_INITIALIZER,
                                .told = xcalloc(pull->layer_count + 1, sizeof(bool))};
    p->running = !quiet && pthread_create(&p->thread, NULL, show, p) == 0;
}

void pull_progress_end(struct pull_progress *p)
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
