/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that were given before, as we wrote them: a table of fixed size, in which a question has
 * four places and pushes out what ends first. What is kept answers exactly that question, and has
 * passed dns_relay(); nothing is ever put together from it.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/text.h"
#include "network/resolver_internal.h"

#define PLACES 4
#define ROWS 512
#define KEPT_MAX 512 /* bytes; bigger ones are asked for again */

struct entry {
    uint32_t hash;
    uint16_t type;
    uint16_t flags;               /* of the question: those that change the answer */
    char owner[NAMES_ID_MAX + 1]; /* resolver_owner() */
    struct dns_name name;
    nanoseconds came, ends;
    size_t size;
    uint8_t bytes[KEPT_MAX];
};

static struct entry entries[ROWS][PLACES];
static uint32_t seed;
static nanoseconds forgotten; /* all that came before */

void cache_begin(void)
{
    if (getrandom(&seed, sizeof seed, 0) < 0)
        seed = 0;
}

/* Touches no page of the table that was never used. */
void cache_forget(void)
{
    forgotten = clock_monotonic();
}

static void make_key(const struct asker *asker, const struct dns_query *q, struct entry *key)
{
    key->type = q->question.type;
    key->flags = (uint16_t)((q->flags & (DNS_CD | DNS_AD)) | q->dnssec);
    snprintf(key->owner, sizeof key->owner, "%s", resolver_owner(asker));
    key->name = q->question.name;
    uint32_t hash = seed ^ 2166136261U;
    for (size_t i = 0; i < key->name.size; i++) {
        uint8_t c = key->name.bytes[i];
        hash = (hash ^ (c >= 'A' && c <= 'Z' ? c | 0x20U : c)) * 16777619U;
    }
    hash = (hash ^ key->type) * 16777619U;
    for (const char *c = key->owner; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 16777619U;
    key->hash = hash;
}

static bool same_key(const struct entry *a, const struct entry *b)
{
    return a->hash == b->hash && a->type == b->type && a->flags == b->flags &&
           streq(a->owner, b->owner) && dns_name_equal(&a->name, &b->name);
}

const uint8_t *cache_find(const struct asker *asker, const struct dns_query *q, size_t *size,
                          uint32_t *age)
{
    struct entry key;
    make_key(asker, q, &key);
    for (size_t i = 0; i < PLACES; i++) {
        const struct entry *e = &entries[key.hash % ROWS][i];
        if (e->ends <= resolver.now || e->came < forgotten || !same_key(e, &key))
            continue;
        *size = e->size;
        *age = (uint32_t)((resolver.now - e->came) / NSEC_PER_SEC);
        return e->bytes;
    }
    return NULL;
}

void cache_add(const struct asker *asker, const struct dns_query *q,
               const struct dns_response *clean)
{
    struct entry key;
    uint32_t seconds = dns_lifetime(clean);
    if (seconds == 0 || clean->size > KEPT_MAX)
        return;
    make_key(asker, q, &key);
    struct entry *row = entries[key.hash % ROWS], *place = row;
    for (size_t i = 0; i < PLACES && !same_key(place, &key); i++)
        if (same_key(&row[i], &key) || row[i].ends < place->ends)
            place = &row[i];
    key.came = resolver.now;
    key.ends = resolver.now + seconds * NSEC_PER_SEC;
    key.size = clean->size;
    memcpy(key.bytes, clean->bytes, clean->size);
    *place = key;
}
