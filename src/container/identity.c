/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who the container runs as, and the files that tell programs inside about it: passwd and group
 * with an entry for an id that has none, hosts, hostname, resolv.conf, HOME.
 */
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/networks.h"
#include "container/plan_make.h"
#include "container/user.h"

#define NONROOT_NAME "nonroot"
#define NONROOT_HOME "/home/nonroot"

/* An entry for an id that the image does not know, so that whoami, id and ~ work. */
static void add_entries(struct planning *p, const struct user *user)
{
    struct plan *plan = p->plan;
    bool taken = false;
    struct user other = {0};
    if (user_resolve(NONROOT_NAME, p->passwd, p->group, NULL, UINT32_MAX - 1, &other, NULL) == 0) {
        taken = true;
        user_free(&other);
    }
    char name[32];
    snprintf(name, sizeof name, taken ? "user%u" : NONROOT_NAME, user->uid);
    autobuf passwd = {0};
    buf_str(&passwd, p->passwd);
    if (passwd.len && passwd.data[passwd.len - 1] != '\n')
        buf_char(&passwd, '\n');
    buf_fmt(&passwd, "%s:x:%u:%u:%s:%s:/bin/sh\n", name, user->uid, user->gid, name, NONROOT_HOME);
    plan->passwd = buf_take(&passwd);
    plan->home = xstrdup(NONROOT_HOME);
    if (user_group_known(user->gid, p->group))
        return;
    autobuf group = {0};
    buf_str(&group, p->group);
    if (group.len && group.data[group.len - 1] != '\n')
        buf_char(&group, '\n');
    buf_fmt(&group, "%s:x:%u:\n", name, user->gid);
    plan->group = buf_take(&group);
}

static void network_files(struct plan *plan)
{
    if (plan->network == PLAN_NET_HOST) {
        plan_host_files(plan);
        return;
    }
    plan_network_files(plan);
}

static bool has_variable(const struct strv *env, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < env->len; i++)
        if (strncmp(env->items[i], name, length) == 0 && env->items[i][length] == '=')
            return true;
    return false;
}

static void take_user(struct planning *p, struct user *user)
{
    struct plan *plan = p->plan;
    plan->uid = user->uid;
    plan->gid = user->gid;
    plan->groups = take_ptr(user->groups);
    plan->group_count = user->group_count;
    if (!user->known && user->uid != 0)
        add_entries(p, user);
    if (!has_variable(&plan->env, "HOME"))
        strv_fmt(&plan->env, "HOME=%s",
                 plan->home   ? plan->home
                 : user->home ? user->home
                 : plan->uid  ? "/"
                              : "/root");
}

int plan_user(struct planning *p, struct error *err)
{
    struct plan *plan = p->plan;
    uint32_t id_max = p->host_users ? UINT32_MAX - 1 : USER_ID_MAX;
    bool asked = p->request->user && *p->request->user;
    const char *text = asked ? p->request->user : p->image->config.user;
    if (!text || !*text)
        text = "0";
    struct user user = {0};
    int rc = user_resolve(text, p->passwd, p->group, &p->request->group_add, id_max, &user, err);
    if (rc < 0)
        return error_prefix(err, asked ? "--user" : "the image's USER");
    struct protection *item;
    if (p->level == LEVEL_RESTRICTED && user.uid == 0 && !asked) {
        user_free(&user);
        user_by_id(USER_NONROOT, p->passwd, &user);
        for (size_t i = 0; i < p->request->group_add.len; i++) {
            struct user with = {0};
            autofree char *spec = xasprintf("%u:%u", user.uid, user.gid);
            rc =
                user_resolve(spec, p->passwd, p->group, &p->request->group_add, id_max, &with, err);
            if (rc < 0)
                return rc;
            user_free(&user);
            user = with;
            break;
        }
        autofree char *shown = xasprintf("%u, in the place of root", user.uid);
        plan->stand_in = true;
        item = posture_add(&plan->posture, "user", shown, "--user root");
    } else {
        autofree char *shown = xasprintf("%s (%u:%u)", text, user.uid, user.gid);
        item = posture_add(&plan->posture, "user", shown, "--user NAME");
        item->relaxed = p->level == LEVEL_RESTRICTED && user.uid == 0;
    }
    plan->user_text = xstrdup(text);
    take_user(p, &user);
    user_free(&user);
    plan->caps = caps_for_user(plan->granted, plan->uid);
    network_files(plan);
    const char *sudo_uid = getenv("SUDO_UID"), *sudo_gid = getenv("SUDO_GID");
    uint64_t uid = getuid(), gid = getgid();
    if (uid == 0 && sudo_uid && sudo_gid) {
        (void)parse_u64(sudo_uid, UINT32_MAX - 1, &uid);
        (void)parse_u64(sudo_gid, UINT32_MAX - 1, &gid);
    }
    plan->bind_uid = (uint32_t)uid;
    plan->bind_gid = (uint32_t)gid;
    return 0;
}
