/* SPDX-License-Identifier: Apache-2.0 */
#include "container/user.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"

/* One line of passwd(5) or group(5), cut at its colons, in a buffer of the caller's. */
struct entry {
    char *fields[7];
    size_t count;
};

/* Moves *at to the next line; false at the end. Lines that are too long are passed over. */
static bool next_entry(const char **at, char *line, size_t size, struct entry *entry)
{
    while (**at) {
        const char *end = strchrnul(*at, '\n');
        size_t length = (size_t)(end - *at);
        const char *start = *at;
        *at = *end ? end + 1 : end;
        if (length == 0 || length >= size || start[0] == '#')
            continue;
        memcpy(line, start, length);
        line[length] = '\0';
        entry->count = 0;
        for (char *field = line; field && entry->count < 7;) {
            char *colon = strchr(field, ':');
            if (colon)
                *colon++ = '\0';
            entry->fields[entry->count++] = field;
            field = colon;
        }
        return true;
    }
    return false;
}

static bool number(const char *text, uint32_t *value)
{
    uint64_t wide;
    if (parse_u64(text, UINT32_MAX - 1, &wide) < 0)
        return false;
    *value = (uint32_t)wide;
    return true;
}

static bool find_passwd(const char *passwd, const char *name, uint32_t uid, struct user *out)
{
    static char line[8192];
    struct entry e;
    uint32_t id, gid;
    while (next_entry(&passwd, line, sizeof line, &e)) {
        if (e.count < 6 || !number(e.fields[2], &id) || !number(e.fields[3], &gid))
            continue;
        if (name ? !streq(e.fields[0], name) : id != uid)
            continue;
        out->uid = id;
        out->gid = gid;
        out->known = true;
        out->name = xstrdup(e.fields[0]);
        out->home = xstrdup(e.fields[5][0] == '/' ? e.fields[5] : "/");
        return true;
    }
    return false;
}

static bool find_group(const char *group, const char *name, uint32_t *gid)
{
    static char line[65536];
    struct entry e;
    while (next_entry(&group, line, sizeof line, &e))
        if (e.count >= 3 && streq(e.fields[0], name) && number(e.fields[2], gid))
            return true;
    return false;
}

bool user_group_known(uint32_t gid, const char *group)
{
    static char line[65536];
    struct entry e;
    uint32_t id;
    while (next_entry(&group, line, sizeof line, &e))
        if (e.count >= 3 && number(e.fields[2], &id) && id == gid)
            return true;
    return false;
}

static void add_group(struct user *user, uint32_t gid)
{
    for (size_t i = 0; i < user->group_count; i++)
        if (user->groups[i] == gid)
            return;
    user->groups = xrealloc(user->groups, user->group_count + 1, sizeof *user->groups);
    user->groups[user->group_count++] = gid;
}

static void add_listed_groups(struct user *user, const char *group, uint32_t id_max)
{
    static char line[65536];
    struct entry e;
    uint32_t gid;
    while (next_entry(&group, line, sizeof line, &e)) {
        if (e.count < 4 || !number(e.fields[2], &gid) || gid > id_max)
            continue;
        autostrv members = {0};
        strv_split(&members, e.fields[3], ',');
        if (strv_has(&members, user->name) && user->group_count < 1024)
            add_group(user, gid);
    }
}

static bool all_digits(const char *text)
{
    return *text && strspn(text, "0123456789") == strlen(text);
}

static int id_of(const char *what, const char *text, uint32_t id_max, uint32_t *id,
                 struct error *err)
{
    uint64_t value;
    int rc = parse_u64(text, id_max, &value);
    if (rc < 0)
        return error_set(err, rc, "%s %s is out of range: ids go from 0 to %u", what, text, id_max);
    *id = (uint32_t)value;
    return 0;
}

static int resolve_group(const char *text, const char *group, uint32_t id_max, uint32_t *gid,
                         struct error *err)
{
    if (all_digits(text))
        return id_of("group id", text, id_max, gid, err);
    if (!find_group(group, text, gid))
        return error_set(err, -ENOENT,
                         "group \"%s\" is not in the image's /etc/group; give a number or one of "
                         "its names",
                         text);
    if (*gid > id_max)
        return error_set(err, -ERANGE, "group \"%s\" has the id %u, over %u", text, *gid, id_max);
    return 0;
}

/* A name may hold nothing that would mean something in passwd, and must not look like a number that
 * was mistyped ("-1", "0x0", "1 "). */
static int check_name(const char *text, const char *part, struct error *err)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-$";
    bool digit_first = *part >= '0' && *part <= '9';
    if (!*part || *part == '-' || strspn(part, allowed) != strlen(part) || strlen(part) > 255 ||
        (digit_first && !all_digits(part))) {
        autobuf shown = {0};
        buf_printable(&shown, text);
        return error_set(err, -EINVAL,
                         "user \"%s\" is not valid: give NAME, ID, NAME:GROUP or ID:GROUP",
                         buf_text(&shown));
    }
    return 0;
}

static int resolve_parts(const char *user, const char *group_part, const char *passwd,
                         const char *group, uint32_t id_max, struct user *out, struct error *err)
{
    int rc;
    if (all_digits(user)) {
        uint32_t uid;
        rc = id_of("user id", user, id_max, &uid, err);
        if (rc < 0)
            return rc;
        if (!find_passwd(passwd, NULL, uid, out))
            *out = (struct user){.uid = uid, .gid = uid == 0 ? 0 : out->gid};
    } else if (!find_passwd(passwd, user, 0, out)) {
        return error_set(err, -ENOENT,
                         "user \"%s\" is not in the image's /etc/passwd; give a number or one of "
                         "its names",
                         user);
    }
    if (out->uid > id_max || out->gid > id_max)
        return error_set(err, -ERANGE, "user \"%s\" has an id over %u", user, id_max);
    if (group_part) {
        rc = resolve_group(group_part, group, id_max, &out->gid, err);
        if (rc < 0)
            return rc;
    }
    add_group(out, out->gid);
    if (!group_part && out->known)
        add_listed_groups(out, group, id_max);
    return 0;
}

int user_resolve(const char *text, const char *passwd, const char *group, const struct strv *add,
                 uint32_t id_max, struct user *out, struct error *err)
{
    struct user user = {0};
    const char *colon = strchr(text, ':');
    autofree char *user_part = xstrndup(text, colon ? (size_t)(colon - text) : strlen(text));
    const char *group_part = colon ? colon + 1 : NULL;
    int rc = check_name(text, user_part, err);
    if (rc == 0 && group_part)
        rc = check_name(text, group_part, err);
    if (rc == 0)
        rc = resolve_parts(user_part, group_part, passwd, group, id_max, &user, err);
    for (size_t i = 0; rc == 0 && add && i < add->len; i++) {
        uint32_t gid = 0;
        rc = resolve_group(add->items[i], group, id_max, &gid, err);
        if (rc == 0)
            add_group(&user, gid);
    }
    if (rc < 0) {
        user_free(&user);
        return rc;
    }
    *out = user;
    return 0;
}

void user_by_id(uint32_t uid, const char *passwd, struct user *out)
{
    struct user user = {0};
    if (!find_passwd(passwd, NULL, uid, &user)) {
        user.uid = uid;
        user.gid = uid;
    }
    add_group(&user, user.gid);
    *out = user;
}

void user_free(struct user *user)
{
    free(user->name);
    free(user->home);
    free(user->groups);
    *user = (struct user){0};
}
