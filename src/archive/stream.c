/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/stream.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "archive/decode.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"

#define SLOT_BYTES ((size_t)256 << 10)
#define SLOTS 8
#define INPUT_BYTES ((size_t)256 << 10)
/* Looking through an archive reads a header and skips: small steps. */
#define BROWSE_BYTES ((size_t)16 << 10)

struct slot {
    unsigned char *bytes;
    size_t length;
};

/* Where a failure of the producer waits until the consumer has used what came before it. */
enum producing { MORE, ENDED, FAILED };

struct stream {
    struct stream_source source;
    struct stream_limits limits;
    enum stream_format format;
    struct decoder *decoder; /* NULL for plain data */

    /* The producer's: its thread's, or with no_digests the caller's. */
    unsigned char *input;
    size_t input_at, input_end, input_size;
    bool input_ended;
    uint64_t compressed, plain;
    struct sha256 compressed_hash, plain_hash;
    struct error failure;
    size_t slot_size;

    /* Between the two, under the mutex. slots[made % SLOTS] is filled next, slots[used % SLOTS] is
     * read from. */
    struct slot slots[SLOTS];
    uint64_t made, used;
    enum producing state;
    bool stop;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t thread;
    bool threaded;
    int stop_fd; /* an eventfd that wakes the producer out of waiting for a pipe */

    /* The consumer's. */
    const unsigned char *at;
    size_t left;
    bool holding; /* slots[used] is ours at the moment */
    uint64_t position;
    struct stream_result result; /* filled when the state is ENDED */
};

enum stream_format stream_format(const struct stream *s)
{
    return s->format;
}

uint64_t stream_position(const struct stream *s)
{
    return s->position;
}

/* --- reading what lies below --- */

/* Waits until the pipe or terminal has something to say. 0, or -ECANCELED when told to stop. */
static int wait_for_input(const struct stream *s)
{
    struct pollfd fds[2] = {{.fd = s->source.fd, .events = POLLIN},
                            {.fd = s->stop_fd, .events = POLLIN}};
    while (poll(fds, 2, -1) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return fds[1].revents ? -ECANCELED : 0;
}

static ssize_t read_some(struct stream *s, void *bytes, size_t length)
{
    for (;;) {
        if (!s->source.seekable && s->stop_fd >= 0) {
            int rc = wait_for_input(s);
            if (rc < 0)
                return rc;
        }
        ssize_t n = s->source.seekable ? pread(s->source.fd, bytes, length, (off_t)s->source.offset)
                                       : read(s->source.fd, bytes, length);
        if (n >= 0)
            return n;
        if (errno != EINTR)
            return -errno;
    }
}

/* At most `length` bytes from the source; 0 at its end. Counts and hashes them. */
static ssize_t pull(struct stream *s, void *bytes, size_t length, struct error *err)
{
    if (length > s->source.length)
        length = (size_t)s->source.length;
    if (length == 0)
        return 0;
    ssize_t n = s->source.pull ? s->source.pull(s->source.closure, bytes, length, err)
                               : read_some(s, bytes, length);
    if (n < 0)
        return s->source.pull ? n
                              : error_set(err, (int)n, "cannot read: %s", error_describe((int)n));
    if (n == 0 && s->source.length != STREAM_TO_END)
        return error_set(err, -EBADMSG, "it ends %llu bytes too early",
                         (unsigned long long)s->source.length);
    if (s->source.length != STREAM_TO_END)
        s->source.length -= (uint64_t)n;
    if (s->source.seekable)
        s->source.offset += (uint64_t)n;
    s->compressed += (uint64_t)n;
    if (!s->source.no_digests)
        sha256_add(&s->compressed_hash, bytes, (size_t)n);
    return n;
}

/* Makes sure that there is input, or that input_ended is set. */
static int refill(struct stream *s, struct error *err)
{
    if (s->input_at < s->input_end || s->input_ended)
        return 0;
    ssize_t n = pull(s, s->input, s->input_size, err);
    if (n < 0)
        return (int)n;
    s->input_at = 0;
    s->input_end = (size_t)n;
    s->input_ended = n == 0;
    return 0;
}

/* The first bytes, to tell the format by. */
static int look_ahead(struct stream *s, struct error *err)
{
    while (s->input_end < DECODE_MAGIC && !s->input_ended) {
        ssize_t n = pull(s, s->input + s->input_end, s->input_size - s->input_end, err);
        if (n < 0)
            return (int)n;
        s->input_end += (size_t)n;
        s->input_ended = n == 0;
    }
    return s->source.raw ? 0 : decode_recognise(s->input, s->input_end, &s->format, err);
}

/* --- producing --- */

/* Each returns 1 at the end of the data, 0 when the slot is full. */
static int fill_plain(struct stream *s, struct slot *slot, struct error *err)
{
    while (slot->length < s->slot_size) {
        size_t room = s->slot_size - slot->length;
        size_t ready = s->input_end - s->input_at;
        if (ready > 0) {
            size_t n = ready < room ? ready : room;
            memcpy(slot->bytes + slot->length, s->input + s->input_at, n);
            s->input_at += n;
            slot->length += n;
            continue;
        }
        ssize_t n = pull(s, slot->bytes + slot->length, room, err);
        if (n <= 0)
            return n < 0 ? (int)n : 1;
        slot->length += (size_t)n;
    }
    return 0;
}

static int fill_decoded(struct stream *s, struct slot *slot, struct error *err)
{
    while (slot->length < s->slot_size) {
        int rc = refill(s, err);
        if (rc < 0)
            return rc;
        struct decode_step step = {
            .in = s->input + s->input_at,
            .in_left = s->input_end - s->input_at,
            .out = slot->bytes + slot->length,
            .out_left = s->slot_size - slot->length,
            .last = s->input_ended,
        };
        rc = decoder_step(s->decoder, &step, err);
        s->input_at = s->input_end - step.in_left;
        slot->length = s->slot_size - step.out_left;
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int check_limits(struct stream *s, struct error *err)
{
    if (s->plain > s->limits.max_bytes) {
        autobuf size = {0};
        format_binary_size(&size, s->limits.max_bytes);
        return error_set(err, -EFBIG, "it holds more than %s: allow more with --max-size",
                         buf_text(&size));
    }
    uint64_t taken = s->compressed - (s->input_end - s->input_at);
    if (s->plain > STREAM_RATIO_FROM && s->plain / s->limits.max_ratio > taken)
        return error_set(err, -EFBIG,
                         "it decompresses to more than %llu times its size, as bombs do: allow "
                         "more with --max-ratio",
                         (unsigned long long)s->limits.max_ratio);
    return 0;
}

static void digest_text(struct sha256 *hash, char out[DIGEST_MAX])
{
    unsigned char digest[SHA256_BYTES];
    sha256_end(hash, digest);
    memcpy(out, "sha256:", 7);
    hex_encode(digest, sizeof digest, out + 7);
}

static void conclude(struct stream *s)
{
    s->result.compressed_bytes = s->compressed;
    s->result.plain_bytes = s->plain;
    if (s->source.no_digests)
        return;
    digest_text(&s->compressed_hash, s->result.compressed_digest);
    if (s->decoder)
        digest_text(&s->plain_hash, s->result.plain_digest);
    else
        memcpy(s->result.plain_digest, s->result.compressed_digest, DIGEST_MAX);
}

/* Fills one slot. */
static enum producing produce(struct stream *s, struct slot *slot)
{
    slot->length = 0;
    int rc = s->decoder ? fill_decoded(s, slot, &s->failure) : fill_plain(s, slot, &s->failure);
    s->plain += slot->length;
    if (rc >= 0 && check_limits(s, &s->failure) < 0)
        rc = s->failure.code;
    if (rc < 0) {
        slot->length = 0;
        return FAILED;
    }
    if (s->decoder && !s->source.no_digests)
        sha256_add(&s->plain_hash, slot->bytes, slot->length);
    if (rc == 0)
        return MORE;
    conclude(s);
    return ENDED;
}

static void *producer(void *argument)
{
    struct stream *s = argument;
    enum producing state = MORE;
    pthread_mutex_lock(&s->mutex);
    while (state == MORE) {
        while (s->made - s->used == SLOTS && !s->stop)
            pthread_cond_wait(&s->changed, &s->mutex);
        if (s->stop)
            break;
        struct slot *slot = &s->slots[s->made % SLOTS];
        pthread_mutex_unlock(&s->mutex);
        state = produce(s, slot);
        pthread_mutex_lock(&s->mutex);
        s->made++;
        s->state = state;
        pthread_cond_signal(&s->changed);
    }
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

static int start_thread(struct stream *s, struct error *err)
{
    s->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (s->stop_fd < 0)
        return error_errno(err, "cannot make an eventfd");
    /* Signals are the business of the thread that works. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&s->thread, NULL, producer, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return error_set(err, -rc, "cannot start a thread: %s", error_describe(rc));
    s->threaded = true;
    return 0;
}

/* --- opening and closing --- */

static int check_seekable(struct stream_source *source, struct error *err)
{
    struct stat st;
    if (fstat(source->fd, &st) < 0)
        return error_errno(err, "cannot stat");
    if (!S_ISREG(st.st_mode))
        return error_set(err, -EINVAL, "not a regular file");
    uint64_t size = (uint64_t)st.st_size;
    if (source->offset > size ||
        (source->length != STREAM_TO_END && source->length > size - source->offset))
        return error_set(err, -EBADMSG, "it is shorter than it should be");
    if (source->length == STREAM_TO_END)
        source->length = size - source->offset;
    return 0;
}

static int prepare(struct stream *s, struct error *err)
{
    if (s->source.seekable && !s->source.pull) {
        int rc = check_seekable(&s->source, err);
        if (rc < 0)
            return rc;
    }
    bool browse = s->source.no_digests;
    s->input_size = browse ? BROWSE_BYTES : INPUT_BYTES;
    s->slot_size = browse ? BROWSE_BYTES : SLOT_BYTES;
    s->input = xmalloc(s->input_size);
    int rc = look_ahead(s, err);
    if (rc < 0)
        return rc;
    if (s->format != STREAM_PLAIN) {
        s->decoder = decoder_open(s->format, err);
        if (!s->decoder)
            return -ENOMEM;
        if (browse)
            s->slot_size = SLOT_BYTES;
    }
    for (size_t i = 0; i < (browse ? 1 : SLOTS); i++)
        s->slots[i].bytes = xmalloc(s->slot_size);
    return browse ? 0 : start_thread(s, err);
}

struct stream *stream_open(const struct stream_source *source, const struct stream_limits *limits,
                           struct error *err)
{
    struct stream *s = xcalloc(1, sizeof *s);
    s->source = *source;
    s->stop_fd = -1;
    s->limits.max_bytes =
        limits && limits->max_bytes ? limits->max_bytes : STREAM_DEFAULT_MAX_BYTES;
    s->limits.max_ratio =
        limits && limits->max_ratio ? limits->max_ratio : STREAM_DEFAULT_MAX_RATIO;
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->changed, NULL);
    sha256_start(&s->compressed_hash);
    sha256_start(&s->plain_hash);
    if (prepare(s, err) == 0)
        return s;
    stream_close(s);
    return NULL;
}

static void drop_hash(struct sha256 *hash)
{
    unsigned char digest[SHA256_BYTES];
    if (hash->pointer)
        sha256_end(hash, digest);
}

void stream_close(struct stream *s)
{
    if (!s)
        return;
    if (s->threaded) {
        pthread_mutex_lock(&s->mutex);
        s->stop = true;
        pthread_cond_signal(&s->changed);
        pthread_mutex_unlock(&s->mutex);
        uint64_t one = 1;
        while (write(s->stop_fd, &one, sizeof one) < 0 && errno == EINTR)
            continue;
        pthread_join(s->thread, NULL);
    }
    cleanup_close(&s->stop_fd);
    decoder_close(s->decoder);
    drop_hash(&s->compressed_hash);
    drop_hash(&s->plain_hash);
    for (size_t i = 0; i < SLOTS; i++)
        free(s->slots[i].bytes);
    free(s->input);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

/* --- consuming --- */

/* Gives the used slot back and takes the next one. MORE with s->left > 0, or the end. */
static enum producing next_slot_threaded(struct stream *s)
{
    pthread_mutex_lock(&s->mutex);
    if (s->holding) {
        s->used++;
        s->holding = false;
        pthread_cond_signal(&s->changed);
    }
    while (s->made == s->used && s->state == MORE)
        pthread_cond_wait(&s->changed, &s->mutex);
    enum producing state = s->state;
    bool any = s->made != s->used;
    pthread_mutex_unlock(&s->mutex);
    if (!any)
        return state;
    struct slot *slot = &s->slots[s->used % SLOTS];
    s->holding = true;
    s->at = slot->bytes;
    s->left = slot->length;
    return MORE;
}

static enum producing next_slot_direct(struct stream *s)
{
    if (s->state != MORE)
        return s->state;
    s->state = produce(s, &s->slots[0]);
    s->at = s->slots[0].bytes;
    s->left = s->slots[0].length;
    return s->left > 0 ? MORE : s->state;
}

/* Makes s->left > 0: 1, or 0 at the end, or -errno. */
static int advance(struct stream *s, struct error *err)
{
    while (s->left == 0) {
        enum producing state = s->threaded ? next_slot_threaded(s) : next_slot_direct(s);
        if (state == ENDED)
            return 0;
        if (state == FAILED)
            return error_set(err, s->failure.code, "%s", s->failure.text);
    }
    return 1;
}

ssize_t stream_peek(struct stream *s, const void **bytes, struct error *err)
{
    int rc = advance(s, err);
    if (rc <= 0)
        return rc;
    *bytes = s->at;
    return (ssize_t)s->left;
}

void stream_used(struct stream *s, size_t length)
{
    s->at += length;
    s->left -= length;
    s->position += length;
}

ssize_t stream_read(struct stream *s, void *bytes, size_t length, struct error *err)
{
    size_t done = 0;
    while (done < length) {
        int rc = advance(s, err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            break;
        size_t n = s->left < length - done ? s->left : length - done;
        memcpy((char *)bytes + done, s->at, n);
        stream_used(s, n);
        done += n;
    }
    return (ssize_t)done;
}

/* Steps over bytes that were not read yet, where that can be done without reading. */
static uint64_t leap(struct stream *s, uint64_t length)
{
    bool can = s->source.no_digests && s->source.seekable && !s->source.pull && !s->decoder &&
               s->state == MORE && s->input_at == s->input_end;
    uint64_t n = can ? (length < s->source.length ? length : s->source.length) : 0;
    s->source.offset += n;
    s->source.length -= n;
    s->position += n;
    return n;
}

int stream_skip(struct stream *s, uint64_t length, struct error *err)
{
    while (length > 0) {
        if (s->left == 0)
            length -= leap(s, length);
        if (length == 0)
            break;
        int rc = advance(s, err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            return error_set(err, -EBADMSG, "it ends too early");
        size_t n = s->left < length ? s->left : (size_t)length;
        stream_used(s, n);
        length -= n;
    }
    return 0;
}

int stream_finish(struct stream *s, struct stream_result *out, struct error *err)
{
    int rc;
    while ((rc = advance(s, err)) > 0)
        stream_used(s, s->left);
    if (rc < 0)
        return rc;
    *out = s->result;
    return 0;
}
