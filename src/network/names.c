/* SPDX-License-Identifier: Apache-2.0 */
#include "network/names.h"

#include <string.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"

struct names_key {
    uint32_t hash;
    uint32_t member; /* its number plus one; 0: nothing is here */
    char *name;      /* owned; NULL: `address` is the key */
    struct ip_address address;
};

struct names_other {
    char *network; /* owned */
    struct names names;
};

/* --- by hash --- */

static uint32_t hash_of(const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ at[i]) * 16777619U;
    return hash;
}

static void add_key(struct names *names, size_t member, const char *name,
                    const struct ip_address *a)
{
    struct names_key key = {.member = (uint32_t)member + 1};
    if (name) {
        key.name = xstrdup(name);
        for (char *c = key.name; *c; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c |= 0x20;
        key.hash = hash_of(key.name, strlen(key.name));
    } else {
        key.address = *a;
        key.hash = hash_of(a->bytes, ip_size(a));
    }
    size_t at = key.hash & (names->room - 1);
    while (names->keys[at].member)
        at = (at + 1) & (names->room - 1);
    names->keys[at] = key;
}

/* At most half full, so that looking for what is not there ends soon. */
static void make_keys(struct names *names)
{
    size_t count = 0;
    for (size_t i = 0; i < names->count; i++)
        count += 2 + names->members[i].aliases.len + names->members[i].address_count;
    for (names->room = 16; names->room < 2 * count;)
        names->room *= 2;
    names->keys = xcalloc(names->room, sizeof *names->keys);
    for (size_t i = 0; i < names->count; i++) {
        const struct names_member *m = &names->members[i];
        char id[NAMES_SHORT_ID + 1] = {0};
        memcpy(id, m->id, strnlen(m->id, NAMES_SHORT_ID));
        add_key(names, i, m->name, NULL);
        add_key(names, i, id, NULL);
        for (size_t k = 0; k < m->aliases.len; k++)
            add_key(names, i, m->aliases.items[k], NULL);
        for (size_t k = 0; k < m->address_count; k++)
            add_key(names, i, NULL, &m->addresses[k]);
    }
}

const struct names_member *names_by_id(const struct names *names, const char *id)
{
    for (size_t i = 0; i < names->count; i++)
        if (streq(names->members[i].id, id))
            return &names->members[i];
    return NULL;
}

const struct names_member *names_by_address(const struct names *names, const struct ip_address *a)
{
    if (names->room == 0)
        return NULL;
    size_t at = hash_of(a->bytes, ip_size(a)) & (names->room - 1);
    for (; names->keys[at].member; at = (at + 1) & (names->room - 1))
        if (!names->keys[at].name && ip_equal(&names->keys[at].address, a))
            return &names->members[names->keys[at].member - 1];
    return NULL;
}

static size_t add_once(const struct names_member **out, size_t count, const struct names_member *m)
{
    for (size_t i = 0; i < count; i++)
        if (out[i] == m)
            return count;
    out[count] = m;
    return count + 1;
}

static size_t find_here(const struct names *names, const struct names_member *asker,
                        const char *name, const struct names_member **out, size_t most,
                        size_t count)
{
    if (names->room == 0)
        return count;
    uint32_t hash = hash_of(name, strlen(name));
    size_t at = hash & (names->room - 1);
    for (; names->keys[at].member && count < most; at = (at + 1) & (names->room - 1)) {
        const struct names_key *key = &names->keys[at];
        const struct names_member *m = &names->members[key->member - 1];
        if (key->hash == hash && key->name && streq(key->name, name) &&
            (!names->isolated || m == asker))
            count = add_once(out, count, m);
    }
    return count;
}

/* The asker as a member of another network: both files have to say so. */
static const struct names_member *self_in(const struct names_other *other,
                                          const struct names_member *asker)
{
    return strv_has(&asker->also, other->network) ? names_by_id(&other->names, asker->id) : NULL;
}

size_t names_find(const struct names *names, const struct names_member *asker, const char *name,
                  const struct names_member **out, size_t most)
{
    size_t count = find_here(names, asker, name, out, most, 0);
    for (size_t i = 0; i < names->other_count; i++) {
        const struct names_member *self = self_in(&names->others[i], asker);
        if (self)
            count = find_here(&names->others[i].names, self, name, out, most, count);
    }
    return count;
}

bool names_is_below(const struct names *names, const struct names_member *asker, const char *name)
{
    const struct names_member *found;
    while ((name = strchr(name, '.')))
        if (names_find(names, asker, ++name, &found, 1) > 0)
            return true;
    return false;
}

const struct names_member *names_outward(const struct names *names,
                                         const struct names_member *member)
{
    const struct names_member *out = names->internal ? NULL : member;
    for (size_t i = 0; i < names->other_count; i++) {
        const struct names_member *self = self_in(&names->others[i], member);
        if (self && !names->others[i].names.internal && (!out || self->number < out->number))
            out = self;
    }
    return out;
}

static bool has_address(const struct names *names, const struct names_member *asker,
                        const struct ip_address *a, const struct names_member **who)
{
    bool within = false;
    for (size_t i = 0; i < names->subnet_count; i++)
        within |= ip_within(&names->subnets[i], a);
    *who = within ? names_by_address(names, a) : NULL;
    if (names->isolated && *who != asker)
        *who = NULL;
    return within;
}

bool names_is_own_address(const struct names *names, const struct names_member *asker,
                          const struct ip_address *a, const struct names_member **who)
{
    bool own = has_address(names, asker, a, who);
    for (size_t i = 0; !own && i < names->other_count; i++) {
        const struct names_member *self = self_in(&names->others[i], asker);
        own = self && has_address(&names->others[i].names, self, a, who);
    }
    return own;
}

/* --- the file --- */

static int read_subnet(struct names *names, const char *value)
{
    if (names->subnet_count == NAMES_SUBNETS)
        return -E2BIG;
    int rc = ip_prefix_parse(value, false, &names->subnets[names->subnet_count]);
    names->subnet_count += rc == 0;
    return rc;
}

/* Before all members it is everybody's. */
static int read_upstream(struct names *names, const char *value)
{
    struct names_upstreams *upstreams =
        names->count > 0 ? &names->members[names->count - 1].upstreams : &names->upstreams;
    if (upstreams->count == NAMES_UPSTREAMS)
        return -E2BIG;
    int rc = ip_parse(value, &upstreams->list[upstreams->count]);
    upstreams->count += rc == 0;
    return rc;
}

static int read_table(struct names *names, const char *value)
{
    size_t length = strlen(value);
    if (length == 0 || length >= sizeof names->table)
        return -EINVAL;
    memcpy(names->table, value, length + 1);
    return 0;
}

static int read_number(const char *value, unsigned *out)
{
    uint64_t number;
    int rc = parse_u64(value, NAMES_NUMBER_MAX, &number);
    if (rc == 0)
        *out = (unsigned)number;
    return rc;
}

static int read_group(struct names *names, const char *value)
{
    uint64_t group;
    int rc = parse_u64(value, UINT16_MAX, &group);
    if (rc == 0)
        names->group = (uint16_t)group;
    return rc;
}

static int read_member(struct names *names, const char *value)
{
    struct names_member m = {0};
    size_t length = strcspn(value, " ");
    if (length == 0 || length > NAMES_ID_MAX || !value[length] || !value[length + 1])
        return -EINVAL;
    memcpy(m.id, value, length);
    m.name = xstrdup(value + length + 1);
    if ((names->count & (names->count - 1)) == 0) /* doubles whenever it is full */
        names->members =
            xrealloc(names->members, names->count ? 2 * names->count : 1, sizeof *names->members);
    names->members[names->count++] = m;
    return 0;
}

/* A line about the last member. */
static int read_detail(struct names *names, const char *word, const char *value, struct error *err)
{
    if (names->count == 0)
        return -EINVAL;
    struct names_member *m = &names->members[names->count - 1];
    if (streq(word, "alias") && *value) {
        strv_add(&m->aliases, value);
        return 0;
    }
    if (streq(word, "also") && *value) {
        strv_add(&m->also, value);
        return 0;
    }
    if (streq(word, "number"))
        return read_number(value, &m->number);
    if (streq(word, "egress"))
        return egress_parse(value, &m->egress, err);
    if (!streq(word, "address") || m->address_count == NAMES_ADDRESSES)
        return -EINVAL;
    int rc = ip_parse(value, &m->addresses[m->address_count]);
    m->address_count += rc == 0;
    return rc;
}

static int read_line(struct names *names, char *line, struct error *err)
{
    char *value = strchrnul(line, ' ');
    if (*value)
        *value++ = '\0';
    if (streq(line, "internal")) {
        names->internal = true;
        return 0;
    }
    if (streq(line, "isolated")) {
        names->isolated = true;
        return 0;
    }
    if (streq(line, "aside")) {
        names->aside = true;
        return 0;
    }
    if (streq(line, "table"))
        return read_table(names, value);
    if (streq(line, "log"))
        return read_group(names, value);
    if (streq(line, "subnet"))
        return read_subnet(names, value);
    if (streq(line, "upstream"))
        return read_upstream(names, value);
    if (streq(line, "member"))
        return read_member(names, value);
    return read_detail(names, line, value, err);
}

int names_parse(const char *text, size_t length, struct names *out, struct error *err)
{
    autofree char *copy = xstrndup(text, length);
    char *line = copy;
    for (size_t number = 1; *line; number++) {
        char *end = strchrnul(line, '\n');
        bool last = *end == '\0';
        *end = '\0';
        struct error why = {0};
        int rc = read_line(out, line, &why);
        if (rc < 0)
            return error_set(err, rc, "the network's file of names, line %zu: %s", number,
                             why.text[0] ? why.text : "it cannot be read");
        line = last ? end : end + 1;
    }
    make_keys(out);
    return 0;
}

static void format_address(struct buf *out, const char *word, const struct ip_address *a)
{
    char text[IP_TEXT_MAX];
    ip_format(a, text);
    buf_fmt(out, "%s %s\n", word, text);
}

static void format_upstreams(const struct names_upstreams *upstreams, struct buf *out)
{
    for (size_t i = 0; i < upstreams->count; i++)
        format_address(out, "upstream", &upstreams->list[i]);
}

static void format_member(const struct names_member *m, struct buf *out)
{
    buf_fmt(out, "member %s %s\n", m->id, m->name);
    if (m->number > 0)
        buf_fmt(out, "number %u\n", m->number);
    for (size_t i = 0; i < m->also.len; i++)
        buf_fmt(out, "also %s\n", m->also.items[i]);
    for (size_t i = 0; i < m->aliases.len; i++)
        buf_fmt(out, "alias %s\n", m->aliases.items[i]);
    for (size_t i = 0; i < m->address_count; i++)
        format_address(out, "address", &m->addresses[i]);
    format_upstreams(&m->upstreams, out);
    if (!m->egress.limited)
        return;
    buf_str(out, "egress ");
    egress_format(&m->egress, out);
    buf_char(out, '\n');
}

void names_format(const struct names *names, struct buf *out)
{
    if (names->internal)
        buf_str(out, "internal\n");
    if (names->isolated)
        buf_str(out, "isolated\n");
    if (names->aside)
        buf_str(out, "aside\n");
    if (names->table[0])
        buf_fmt(out, "table %s\n", names->table);
    buf_fmt(out, "log %u\n", names->group);
    for (size_t i = 0; i < names->subnet_count; i++) {
        char text[IP_TEXT_MAX];
        ip_prefix_format(&names->subnets[i], text);
        buf_fmt(out, "subnet %s\n", text);
    }
    format_upstreams(&names->upstreams, out);
    for (size_t i = 0; i < names->count; i++)
        format_member(&names->members[i], out);
}

/* What they point to is about to move. */
static void forget_keys(struct names *names)
{
    for (size_t i = 0; i < names->room; i++)
        free(names->keys[i].name);
    free(names->keys);
    names->keys = NULL;
    names->room = 0;
}

static void free_member(struct names_member *m)
{
    free(m->name);
    strv_free(&m->aliases);
    strv_free(&m->also);
    egress_free(&m->egress);
}

void names_drop(struct names *names, const char *id)
{
    forget_keys(names);
    for (size_t i = 0; i < names->count; i++) {
        if (!streq(names->members[i].id, id))
            continue;
        free_member(&names->members[i]);
        names->count--;
        memmove(&names->members[i], &names->members[i + 1],
                (names->count - i) * sizeof *names->members);
        return;
    }
}

void names_put(struct names *names, const struct names_member *member)
{
    struct names_member m = *member;
    names_drop(names, member->id);
    m.name = xstrdup(member->name);
    m.aliases = (struct strv){0};
    strv_copy(&m.aliases, &member->aliases);
    m.also = (struct strv){0};
    strv_copy(&m.also, &member->also);
    m.egress = (struct egress_list){0};
    egress_copy(&member->egress, &m.egress);
    names->members = xrealloc(names->members, names->count + 1, sizeof *names->members);
    names->members[names->count++] = m;
}

int names_write(int dir, const struct names *names, struct error *err)
{
    autobuf text = {0};
    names_format(names, &text);
    return write_file_at(dir, NAMES_FILE, text.data, text.len, 0600, VOLATILE, err);
}

void names_free(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free_member(&names->members[i]);
    for (size_t i = 0; i < names->other_count; i++) {
        free(names->others[i].network);
        names_free(&names->others[i].names);
    }
    free(names->others);
    forget_keys(names);
    free(names->members);
    *names = (struct names){0};
}

/* --- other networks --- */

int names_add_other(struct names *names, const char *network, const char *text, size_t length)
{
    autonames other = {0};
    int rc = names_parse(text, length, &other, NULL);
    if (rc < 0)
        return rc;
    names->others = xrealloc(names->others, names->other_count + 1, sizeof *names->others);
    names->others[names->other_count++] = (struct names_other){xstrdup(network), other};
    other = (struct names){0};
    return 0;
}

void names_move_others(struct names *from, struct names *to)
{
    struct names_other *others = to->others;
    size_t count = to->other_count;
    to->others = from->others;
    to->other_count = from->other_count;
    from->others = others;
    from->other_count = count;
}

/* --- resolv.conf --- */

size_t names_read_servers(const char *text, struct ip_address out[NAMES_UPSTREAMS])
{
    autostrv lines = {0};
    size_t count = 0;
    strv_split(&lines, text, '\n');
    for (size_t i = 0; i < lines.len && count < NAMES_UPSTREAMS; i++) {
        char *line = lines.items[i];
        if (!starts_with(line, "nameserver"))
            continue;
        line += strlen("nameserver");
        size_t space = strspn(line, " \t");
        line[space + strcspn(line + space, " \t\r;#")] = '\0';
        if (space > 0 && ip_parse(line + space, &out[count]) == 0)
            count++;
    }
    return count;
}
