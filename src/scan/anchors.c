/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/anchors.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"

#if defined __x86_64__
#include <immintrin.h>
#elif defined __aarch64__
#include <arm_neon.h>
#endif

#define BUCKETS 8
#define DEPTH 4 /* bytes that are looked at before anything is compared */

/* An anchor with the place of its rarest bytes. */
struct placed {
    const char *text;
    size_t length, shift;
    unsigned tag;
    bool fold;
    /* Its DEPTH bytes, the bits of them in which case is, and those of bytes that it has. */
    uint32_t four, caseless, known;
};

struct bucket {
    struct placed *anchors; /* owned */
    size_t count;
};

/* Which runs of DEPTH bytes may be some anchor's, by a hash: most of what gets through the buckets
 * goes no further. */
#define SIEVE_BITS 15

struct anchors {
    /* Buckets by the low and the high half of a byte; and by the byte, without vectors. */
    uint8_t low[DEPTH][16], high[DEPTH][16], whole[DEPTH][256];
    uint64_t sieve[(1U << SIEVE_BITS) / 64];
    struct bucket buckets[BUCKETS];
    size_t shift_max;
    void (*scan)(const struct anchors *, const unsigned char *, size_t, size_t, void *);
};

/* One search, for what the vector functions call. */
struct search {
    const struct anchors *anchors;
    const unsigned char *text;
    size_t length, from, to;
    anchors_hit *hit;
    void *context;
};

/* --- which four bytes --- */

static bool is_letter(unsigned char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* How common a byte is in what is searched, roughly: text, and programs with their zeros. */
static unsigned weight(unsigned char c)
{
    static const unsigned char letters[] = {12, 4,  8, 8, 16, 5,  4,  5, 12, 2, 3, 9, 6,
                                            12, 11, 6, 2, 11, 12, 14, 7, 3,  3, 3, 4, 2};
    if (c >= 'a' && c <= 'z')
        return letters[c - 'a'];
    if (c == ' ' || c == 0)
        return 30;
    if (c == '-' || c == '=' || c == '_' || c == '\n' || c == '*')
        return 10;
    return c >= 0x80 ? 1 : is_letter(c) || c < ' ' ? 3 : 4;
}

static size_t rarest(const char *text, size_t length)
{
    size_t best = 0;
    unsigned least = UINT32_MAX;
    for (size_t at = 0; at + DEPTH <= length; at++) {
        unsigned product = 1;
        for (size_t i = 0; i < DEPTH; i++)
            product *= weight((unsigned char)text[at + i]);
        if (product < least) {
            least = product;
            best = at;
        }
    }
    return best;
}

static uint32_t load_four(const void *text)
{
    uint32_t four;
    memcpy(&four, text, sizeof four);
    return four;
}

/* The anchor with its four bytes. */
static struct placed place(const struct anchor *anchor)
{
    struct placed p = {.text = anchor->text, .length = strlen(anchor->text)};
    unsigned char four[DEPTH] = {0}, caseless[DEPTH] = {0}, known[DEPTH] = {0};
    p.shift = rarest(p.text, p.length);
    p.tag = anchor->tag;
    p.fold = anchor->fold;
    for (size_t i = 0; i < DEPTH && p.shift + i < p.length; i++) {
        four[i] = (unsigned char)p.text[p.shift + i];
        caseless[i] = p.fold && is_letter(four[i]) ? 0x20 : 0;
        known[i] = 0xff;
    }
    p.four = load_four(four);
    p.caseless = load_four(caseless);
    p.known = load_four(known);
    return p;
}

/* --- the sieve --- */

static uint32_t hash_four(uint32_t four)
{
    return ((four | 0x20202020U) * 0x9e3779b1U) >> (32 - SIEVE_BITS);
}

static void sieve_add(struct anchors *a, const struct placed *p)
{
    unsigned char four[DEPTH];
    uint32_t variants = p->known == UINT32_MAX ? 1 : 256; /* of a last byte that it has not */
    memcpy(four, &p->four, DEPTH);
    for (uint32_t i = 0; i < variants; i++) {
        if (variants > 1)
            four[DEPTH - 1] = (unsigned char)i;
        uint32_t hash = hash_four(load_four(four));
        a->sieve[hash / 64] |= (uint64_t)1 << hash % 64;
    }
}

static inline bool sieve_has(const struct anchors *a, const unsigned char *text)
{
    uint32_t hash = hash_four(load_four(text));
    return a->sieve[hash / 64] >> hash % 64 & 1;
}

/* --- buckets --- */

/* What a bucket lets through: at each depth the bytes of which both halves are in a set. */
struct halves {
    uint16_t low[DEPTH], high[DEPTH];
    uint64_t passing; /* how much, by the bytes' weights */
};

struct builder {
    struct halves buckets[BUCKETS];
    unsigned char weights[256];
};

static struct halves halves_of(const struct placed *p)
{
    struct halves h = {0};
    for (size_t i = 0; i < DEPTH; i++) {
        bool has = p->shift + i < p->length;
        unsigned char c = has ? (unsigned char)p->text[p->shift + i] : 0;
        h.low[i] = has ? (uint16_t)(1U << (c & 15)) : 0xffff;
        h.high[i] = has ? (uint16_t)(1U << (c >> 4)) : 0xffff;
        if (has && p->fold && is_letter(c))
            h.high[i] |= (uint16_t)(1U << ((c ^ 0x20) >> 4));
    }
    return h;
}

static struct halves join(const struct builder *builder, const struct halves *a,
                          const struct halves *b)
{
    struct halves joined = {.passing = 1};
    for (size_t i = 0; i < DEPTH; i++) {
        uint64_t sum = 0;
        joined.low[i] = a->low[i] | b->low[i];
        joined.high[i] = a->high[i] | b->high[i];
        for (unsigned h = joined.high[i]; h; h &= h - 1)
            for (unsigned l = joined.low[i]; l; l &= l - 1)
                sum += builder->weights[__builtin_ctz(h) << 4 | __builtin_ctz(l)];
        joined.passing *= sum;
    }
    return joined;
}

/* Puts an anchor into the bucket that then lets the least more through. */
static size_t choose(struct builder *builder, const struct placed *p)
{
    struct halves h = halves_of(p), best_halves = {0};
    uint64_t least = UINT64_MAX;
    size_t best = 0;
    for (size_t b = 0; b < BUCKETS && least > 0; b++) {
        struct halves joined = join(builder, &builder->buckets[b], &h);
        uint64_t more = joined.passing - builder->buckets[b].passing;
        if (more < least) {
            least = more;
            best = b;
            best_halves = joined;
        }
    }
    builder->buckets[best] = best_halves;
    return best;
}

static void fill_tables(struct anchors *a, const struct builder *builder)
{
    for (size_t b = 0; b < BUCKETS; b++)
        for (size_t i = 0; i < DEPTH; i++)
            for (size_t half = 0; half < 16; half++) {
                if (builder->buckets[b].low[i] >> half & 1)
                    a->low[i][half] |= (uint8_t)(1U << b);
                if (builder->buckets[b].high[i] >> half & 1)
                    a->high[i][half] |= (uint8_t)(1U << b);
            }
    for (size_t i = 0; i < DEPTH; i++)
        for (size_t c = 0; c < 256; c++)
            a->whole[i][c] = a->low[i][c & 15] & a->high[i][c >> 4];
}

/* --- what is left is compared --- */

static bool same(const struct placed *p, const unsigned char *text)
{
    for (size_t i = 0; i < p->length; i++) {
        unsigned char c = text[i];
        if (p->fold && c >= 'A' && c <= 'Z')
            c |= 0x20;
        if (c != (unsigned char)p->text[i])
            return false;
    }
    return true;
}

static void compare(const struct search *s, size_t at, unsigned buckets)
{
    uint32_t four = load_four(s->text + at);
    for (; buckets; buckets &= buckets - 1) {
        const struct bucket *b = &s->anchors->buckets[__builtin_ctz(buckets)];
        for (size_t i = 0; i < b->count; i++) {
            const struct placed *p = &b->anchors[i];
            size_t begin = at - p->shift;
            if (((four | p->caseless) ^ p->four) & p->known)
                continue;
            if (at >= p->shift && begin >= s->from && begin < s->to &&
                begin + p->length <= s->length && same(p, s->text + begin))
                s->hit(s->context, p->tag, begin);
        }
    }
}

/* --- looking at many places at once: [at, end) and no more than ANCHORS_SLACK behind it --- */

static void scan_plainly(const struct anchors *a, const unsigned char *text, size_t at, size_t end,
                         void *search)
{
    for (; at < end; at++) {
        unsigned buckets = a->whole[0][text[at]] & a->whole[1][text[at + 1]] &
                           a->whole[2][text[at + 2]] & a->whole[3][text[at + 3]];
        if (__builtin_expect(buckets != 0, 0) && sieve_has(a, text + at))
            compare(search, at, buckets);
    }
}

#if defined __x86_64__
__attribute__((target("ssse3"))) static void
scan_ssse3(const struct anchors *a, const unsigned char *text, size_t at, size_t end, void *search)
{
    __m128i low[DEPTH], high[DEPTH];
    const __m128i half = _mm_set1_epi8(15), zero = _mm_setzero_si128();
    for (size_t i = 0; i < DEPTH; i++) {
        low[i] = _mm_loadu_si128((const __m128i *)a->low[i]);
        high[i] = _mm_loadu_si128((const __m128i *)a->high[i]);
    }
    for (; at < end; at += 16) {
        __m128i left = _mm_set1_epi8(-1);
        for (size_t i = 0; i < DEPTH; i++) {
            __m128i v = _mm_loadu_si128((const __m128i *)(text + at + i));
            __m128i l = _mm_shuffle_epi8(low[i], _mm_and_si128(v, half));
            __m128i h = _mm_shuffle_epi8(high[i], _mm_and_si128(_mm_srli_epi16(v, 4), half));
            left = _mm_and_si128(left, _mm_and_si128(l, h));
        }
        unsigned places = 0xffff ^ (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(left, zero));
        if (__builtin_expect(places == 0, 1))
            continue;
        uint8_t buckets[16];
        _mm_storeu_si128((__m128i *)buckets, left);
        for (; places; places &= places - 1) {
            unsigned i = (unsigned)__builtin_ctz(places);
            if (sieve_has(a, text + at + i))
                compare(search, at + i, buckets[i]);
        }
    }
}

__attribute__((target("avx2"))) static void
scan_avx2(const struct anchors *a, const unsigned char *text, size_t at, size_t end, void *search)
{
    __m256i low[DEPTH], high[DEPTH];
    const __m256i half = _mm256_set1_epi8(15), zero = _mm256_setzero_si256();
    for (size_t i = 0; i < DEPTH; i++) {
        low[i] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)a->low[i]));
        high[i] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)a->high[i]));
    }
    for (; at < end; at += 32) {
        __m256i left = _mm256_set1_epi8(-1);
        for (size_t i = 0; i < DEPTH; i++) {
            __m256i v = _mm256_loadu_si256((const __m256i *)(text + at + i));
            __m256i l = _mm256_shuffle_epi8(low[i], _mm256_and_si256(v, half));
            __m256i h =
                _mm256_shuffle_epi8(high[i], _mm256_and_si256(_mm256_srli_epi16(v, 4), half));
            left = _mm256_and_si256(left, _mm256_and_si256(l, h));
        }
        unsigned places = ~(unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(left, zero));
        if (__builtin_expect(places == 0, 1))
            continue;
        uint8_t buckets[32];
        _mm256_storeu_si256((__m256i *)buckets, left);
        for (; places; places &= places - 1) {
            unsigned i = (unsigned)__builtin_ctz(places);
            if (sieve_has(a, text + at + i))
                compare(search, at + i, buckets[i]);
        }
    }
}
#elif defined __aarch64__
static void scan_neon(const struct anchors *a, const unsigned char *text, size_t at, size_t end,
                      void *search)
{
    uint8x16_t low[DEPTH], high[DEPTH];
    for (size_t i = 0; i < DEPTH; i++) {
        low[i] = vld1q_u8(a->low[i]);
        high[i] = vld1q_u8(a->high[i]);
    }
    for (; at < end; at += 16) {
        uint8x16_t left = vdupq_n_u8(0xff);
        for (size_t i = 0; i < DEPTH; i++) {
            uint8x16_t v = vld1q_u8(text + at + i);
            uint8x16_t l = vqtbl1q_u8(low[i], vandq_u8(v, vdupq_n_u8(15)));
            left = vandq_u8(left, vandq_u8(l, vqtbl1q_u8(high[i], vshrq_n_u8(v, 4))));
        }
        if (__builtin_expect(vmaxvq_u8(left) == 0, 1))
            continue;
        uint8_t buckets[16];
        vst1q_u8(buckets, left);
        for (size_t i = 0; i < 16; i++)
            if (buckets[i] && sieve_has(a, text + at + i))
                compare(search, at + i, buckets[i]);
    }
}
#endif

void anchors_limit(struct anchors *a, unsigned bits)
{
    a->scan = scan_plainly;
#if defined __x86_64__
    if (bits >= 256 && __builtin_cpu_supports("avx2"))
        a->scan = scan_avx2;
    else if (bits >= 128 && __builtin_cpu_supports("ssse3"))
        a->scan = scan_ssse3;
#elif defined __aarch64__
    if (bits >= 128)
        a->scan = scan_neon;
#endif
    (void)bits;
}

/* --- the whole --- */

/* What lets the most through comes first, and what looks alike together: then a bucket is found for
 * the rest in which it costs little. */
static int before(const void *a, const void *b)
{
    const struct placed *one = a, *two = b;
    if (one->known != two->known)
        return one->known < two->known ? -1 : 1;
    return memcmp(&one->four, &two->four, DEPTH);
}

struct anchors *anchors_new(const struct anchor *list, size_t count)
{
    struct anchors *a = xcalloc(1, sizeof *a);
    struct builder builder = {0};
    for (unsigned c = 0; c < 256; c++)
        builder.weights[c] = (unsigned char)weight((unsigned char)c);
    autofree struct placed *sorted = xcalloc(count + 1, sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        sorted[i] = place(&list[i]);
    qsort(sorted, count, sizeof *sorted, before);
    for (size_t i = 0; i < count; i++) {
        struct placed p = sorted[i];
        size_t b = choose(&builder, &p);
        sieve_add(a, &p);
        struct bucket *bucket = &a->buckets[b];
        bucket->anchors = xrealloc(bucket->anchors, bucket->count + 1, sizeof *bucket->anchors);
        bucket->anchors[bucket->count++] = p;
        a->shift_max = p.shift > a->shift_max ? p.shift : a->shift_max;
    }
    fill_tables(a, &builder);
    anchors_limit(a, UINT_MAX);
    return a;
}

void anchors_free(struct anchors *a)
{
    if (!a)
        return;
    for (size_t b = 0; b < BUCKETS; b++)
        free(a->buckets[b].anchors);
    free(a);
}

void anchors_find(const struct anchors *a, const unsigned char *text, size_t length, size_t from,
                  size_t to, anchors_hit *hit, void *context)
{
    struct search s = {a, text, length, from, to, hit, context};
    size_t end = to + a->shift_max < length ? to + a->shift_max : length;
    a->scan(a, text, from, end, &s);
}
