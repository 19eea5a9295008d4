/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flags of RUN: --mount, --network and --security. A mount is a line of CSV; which of its words
 * goes with which type is a table.
 */
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "build/step_parts.h"

#define FOR(kind) (1u << (kind))
#define FOR_ALL                                                                                    \
    (FOR(MOUNT_BIND) | FOR(MOUNT_CACHE) | FOR(MOUNT_TMPFS) | FOR(MOUNT_SECRET) | FOR(MOUNT_SSH))
#define FOR_OWNED (FOR(MOUNT_CACHE) | FOR(MOUNT_SECRET) | FOR(MOUNT_SSH))

static const char *const kinds[] = {"bind", "cache", "tmpfs", "secret", "ssh"};

/* One mount while its words are read. */
struct mounting {
    const struct making *m;
    const struct flag *flag;
    struct step_mount *mount;
    const char *key, *value; /* of the word; value NULL without "=" */
    bool turned;             /* ro or rw was said */
};

static int refuse(const struct mounting *s, const char *why)
{
    return step_wrong(s->m, s->flag->place, "--mount: %.60s%s%.100s: %s", s->key,
                      s->value ? "=" : "", s->value ? s->value : "", why);
}

/* --- values --- */

static int take_text(struct mounting *s, char **field)
{
    if (!s->value || !*s->value)
        return refuse(s, "it has no value");
    free(*field);
    *field = xstrdup(s->value);
    return 0;
}

/* Go's strconv.ParseBool, which is what people write. */
static int take_bool(struct mounting *s, bool *out)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    bool is_yes = !s->value, is_no = false;
    for (size_t i = 0; s->value && i < sizeof yes / sizeof *yes; i++) {
        is_yes |= streq(s->value, yes[i]);
        is_no |= streq(s->value, no[i]);
    }
    *out = is_yes;
    if (is_yes || is_no)
        return 0;
    return refuse(s, "it is either true or false");
}

static int take_number(struct mounting *s, int64_t *out)
{
    uint64_t number;
    if (!s->value || parse_u64(s->value, UINT32_MAX - 1, &number) < 0)
        return refuse(s, "it is a number");
    *out = (int64_t)number;
    return 0;
}

/* --- keys --- */

static int key_type(struct mounting *s)
{
    (void)s; /* read before all others */
    return 0;
}

static int key_id(struct mounting *s)
{
    return take_text(s, &s->mount->id);
}

static int key_from(struct mounting *s)
{
    return take_text(s, &s->mount->from);
}

static int key_source(struct mounting *s)
{
    if (s->mount->kind != MOUNT_SECRET) /* where it is an older word for id */
        return take_text(s, &s->mount->source);
    if (s->mount->id)
        return refuse(s, "for a secret this is another word for id; keep one");
    return take_text(s, &s->mount->id);
}

static int key_target(struct mounting *s)
{
    return take_text(s, &s->mount->target);
}

static int key_env(struct mounting *s)
{
    return take_text(s, &s->mount->env);
}

static int key_read_only(struct mounting *s)
{
    bool on;
    int rc = take_bool(s, &on);
    s->mount->read_write = !on;
    s->turned = true;
    return rc;
}

static int key_read_write(struct mounting *s)
{
    s->turned = true;
    return take_bool(s, &s->mount->read_write);
}

static int key_required(struct mounting *s)
{
    return take_bool(s, &s->mount->required);
}

static int key_sharing(struct mounting *s)
{
    static const char *const words[] = {"shared", "private", "locked"};
    for (size_t i = 0; s->value && i < sizeof words / sizeof *words; i++)
        if (strcasecmp(s->value, words[i]) == 0) {
            s->mount->sharing = (enum step_sharing)i;
            return 0;
        }
    return refuse(s, "it is shared, private or locked");
}

static int key_mode(struct mounting *s)
{
    int64_t mode = 0;
    const char *text = s->value ? s->value : "";
    size_t length = strspn(text, "01234567");
    if (length == 0 || length > 6 || text[length])
        return refuse(s, "it is an octal number such as 0400");
    for (; *text; text++)
        mode = mode * 8 + (*text - '0');
    if (mode > 07777)
        return refuse(s, "it is an octal number such as 0400");
    s->mount->mode = mode;
    return 0;
}

static int key_uid(struct mounting *s)
{
    return take_number(s, &s->mount->uid);
}

static int key_gid(struct mounting *s)
{
    return take_number(s, &s->mount->gid);
}

static int key_size(struct mounting *s)
{
    uint64_t size;
    if (!s->value || parse_size(s->value, &size) < 0 || size > INT64_MAX)
        return refuse(s, "it is a number of bytes such as 64m");
    s->mount->size = (int64_t)size;
    return 0;
}

static const struct {
    const char *name;
    unsigned kinds;
    int (*take)(struct mounting *);
} keys[] = {
    {"type", FOR_ALL, key_type},
    {"id", FOR_ALL, key_id},
    {"from", FOR(MOUNT_BIND) | FOR(MOUNT_CACHE), key_from},
    {"source", FOR(MOUNT_BIND) | FOR(MOUNT_CACHE) | FOR(MOUNT_SECRET), key_source},
    {"src", FOR(MOUNT_BIND) | FOR(MOUNT_CACHE) | FOR(MOUNT_SECRET), key_source},
    {"target", FOR_ALL, key_target},
    {"dst", FOR_ALL, key_target},
    {"destination", FOR_ALL, key_target},
    {"env", FOR(MOUNT_SECRET), key_env},
    {"ro", FOR_ALL, key_read_only},
    {"readonly", FOR_ALL, key_read_only},
    {"rw", FOR_ALL, key_read_write},
    {"readwrite", FOR_ALL, key_read_write},
    {"required", FOR(MOUNT_SECRET) | FOR(MOUNT_SSH), key_required},
    {"sharing", FOR(MOUNT_CACHE), key_sharing},
    {"mode", FOR_OWNED, key_mode},
    {"uid", FOR_OWNED, key_uid},
    {"gid", FOR_OWNED, key_gid},
    {"size", FOR(MOUNT_TMPFS), key_size},
};
#define KEYS (sizeof keys / sizeof *keys)

static int unknown_key(struct mounting *s)
{
    const char *names[KEYS];
    for (size_t i = 0; i < KEYS; i++)
        names[i] = keys[i].name;
    const char *near = nearest_word(s->key, names, KEYS);
    if (near)
        return step_wrong(s->m, s->flag->place, "--mount: there is no \"%.60s\"; did you mean %s?",
                          s->key, near);
    return step_wrong(
        s->m, s->flag->place,
        "--mount: there is no \"%.60s\"; there are type, target, source, from, id and "
        "others",
        s->key);
}

/* One word of the line. */
static int take_word(struct mounting *s, const char *word)
{
    const char *equals = strchr(word, '=');
    autofree char *key = equals ? xstrndup(word, (size_t)(equals - word)) : xstrdup(word);
    autofree char *value = NULL;
    for (char *c = key; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    int rc = equals ? step_expand(s->m, s->flag->place, equals + 1, &value) : 0;
    if (rc < 0)
        return rc;
    s->key = key;
    s->value = value;
    for (size_t i = 0; i < KEYS; i++) {
        if (!streq(key, keys[i].name))
            continue;
        if (!(keys[i].kinds & FOR(s->mount->kind))) {
            autofree char *why = xasprintf("it does not go with type=%s", kinds[s->mount->kind]);
            return refuse(s, why);
        }
        return keys[i].take(s);
    }
    return unknown_key(s);
}

/* --- the whole mount --- */

/* Fields between commas; in quotation marks a comma is one of the field, and "" is one mark. A
 * sentence when it is none. */
static const char *split_csv(const char *text, struct strv *out)
{
    for (;; text++) {
        autobuf field = {0};
        bool quoted = *text == '"';
        text += quoted;
        for (; *text && (quoted || *text != ','); text++) {
            if (quoted && *text == '"' && *++text != '"') {
                quoted = false;
                if (*text && *text != ',')
                    return "a comma is missing behind a quotation mark";
                break;
            }
            buf_char(&field, *text);
        }
        if (quoted)
            return "a quotation mark (\") is not closed";
        strv_add(out, buf_text(&field));
        if (!*text)
            return NULL;
    }
}

char *step_mount_word(const char *mount, const char *key)
{
    autostrv words = {0};
    char *found = NULL;
    if (split_csv(mount, &words))
        return NULL;
    for (size_t i = 0; i < words.len; i++) {
        const char *equals = strchr(words.items[i], '=');
        size_t length = (size_t)(strchrnul(words.items[i], '=') - words.items[i]);
        if (length != strlen(key) || strncasecmp(words.items[i], key, length) != 0)
            continue;
        free(found);
        found = xstrdup(equals ? equals + 1 : "true");
    }
    return found;
}

/* The type decides what the other words mean, wherever it stands. */
static int take_type(struct mounting *s, const struct strv *words)
{
    for (size_t i = 0; i < words->len; i++) {
        autofree char *value = NULL;
        size_t kind = 0;
        if (strncasecmp(words->items[i], "type=", 5) != 0)
            continue;
        int rc = step_expand(s->m, s->flag->place, words->items[i] + 5, &value);
        if (rc < 0)
            return rc;
        while (kind < sizeof kinds / sizeof *kinds && strcasecmp(value, kinds[kind]) != 0)
            kind++;
        if (kind == sizeof kinds / sizeof *kinds) {
            const char *near = nearest_word(value, kinds, kind);
            return step_wrong(s->m, s->flag->place, "--mount: there is no type \"%.60s\"%s%s%s",
                              value,
                              near ? "; did you mean " : "; there are bind, cache, tmpfs, secret ",
                              near ? near : "and ssh", near ? "?" : "");
        }
        s->mount->kind = (enum step_mount_kind)kind;
    }
    return 0;
}

/* "/a//b/../c/" to "/a/c", as text. */
static char *clean_path(const char *path)
{
    autostrv parts = {0}, kept = {0};
    autobuf out = {0};
    bool rooted = *path == '/';
    strv_split(&parts, path, '/');
    for (size_t i = 0; i < parts.len; i++) {
        const char *part = parts.items[i];
        if (!*part || streq(part, "."))
            continue;
        bool up = streq(part, "..");
        if (up && kept.len > 0 && !streq(kept.items[kept.len - 1], "..")) {
            free(kept.items[--kept.len]);
            kept.items[kept.len] = NULL;
        } else if (!up || !rooted) {
            strv_add(&kept, part);
        }
    }
    buf_str(&out, rooted ? "/" : "");
    strv_join(&kept, "/", &out);
    return out.len > 0 ? buf_take(&out) : xstrdup(".");
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What follows from what was not said. */
static int complete(struct mounting *s)
{
    struct step_mount *mount = s->mount;
    struct place place = s->flag->place;
    if (mount->kind == MOUNT_SECRET) {
        if (!mount->id && !mount->target)
            return step_wrong(s->m, place, "--mount: a secret needs an id, as in id=token");
        if (!mount->id)
            mount->id = xstrdup(last_part(mount->target));
        if (!mount->target && !mount->env)
            mount->target = xasprintf("/run/secrets/%s", last_part(mount->id));
        if (!*mount->id)
            return step_wrong(s->m, place, "--mount: a secret needs an id, as in id=token");
    } else if (mount->kind == MOUNT_SSH) {
        if (!mount->id)
            mount->id = xstrdup("default");
    } else if (!mount->target) {
        return step_wrong(s->m, place, "--mount: type=%s needs a place, as in target=/work",
                          kinds[mount->kind]);
    }
    if (mount->kind == MOUNT_CACHE && !mount->id)
        mount->id = clean_path(mount->target);
    if (!s->turned)
        mount->read_write = mount->kind == MOUNT_CACHE || mount->kind == MOUNT_TMPFS;
    if (mount->mode < 0)
        mount->mode = mount->kind == MOUNT_CACHE    ? 0755
                      : mount->kind == MOUNT_SECRET ? 0400
                      : mount->kind == MOUNT_SSH    ? 0600
                                                    : -1;
    return 0;
}

static int add_mount(const struct making *m, const struct flag *flag)
{
    struct step *out = m->out;
    autostrv words = {0};
    out->mounts = xrealloc(out->mounts, out->mount_count + 1, sizeof *out->mounts);
    struct step_mount *mount = &out->mounts[out->mount_count++];
    *mount = (struct step_mount){.mode = -1, .uid = -1, .gid = -1, .place = flag->place};
    struct mounting s = {.m = m, .flag = flag, .mount = mount};
    const char *wrong = split_csv(flag->value, &words);
    if (wrong)
        return step_wrong(m, flag->place, "--mount: %s", wrong);
    int rc = take_type(&s, &words);
    for (size_t i = 0; rc == 0 && i < words.len; i++)
        rc = take_word(&s, words.items[i]);
    return rc < 0 ? rc : complete(&s);
}

/* --- the others --- */

static int set_network(const struct making *m, const struct flag *flag, const char *value)
{
    static const char *const words[] = {"default", "none", "host"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (streq(value, words[i])) {
            m->out->network = (enum step_network)i;
            return 0;
        }
    return step_wrong(m, flag->place, "--network=%.60s: it is default, none or host", value);
}

static int set_security(const struct making *m, const struct flag *flag, const char *value)
{
    m->out->insecure = streq(value, "insecure");
    if (!m->out->insecure && !streq(value, "sandbox"))
        return step_wrong(m, flag->place, "--security=%.60s: it is sandbox or insecure", value);
    return 0;
}

int step_run_flags(const struct making *m)
{
    const struct instruction *i = m->instruction;
    for (size_t f = 0; f < i->flag_count; f++) {
        const struct flag *flag = &i->flags[f];
        autofree char *value = NULL;
        int rc;
        if (streq(flag->name, "mount")) {
            rc = add_mount(m, flag);
        } else {
            rc = step_expand(m, flag->place, flag->value, &value);
            if (rc == 0)
                rc = streq(flag->name, "network") ? set_network(m, flag, value)
                                                  : set_security(m, flag, value);
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}
