/* SPDX-License-Identifier: Apache-2.0 */
#include "container/plan_make.h"

#include <sys/random.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "container/device_policy.h"
#include "container/health.h"
#include "container/restart.h"
#include "store/platform.h"

void request_init(struct request *request)
{
    struct request *r = request;
    int *const choices[] = {&r->init, &r->sig_proxy, &r->read_only, &r->read_only_tmpfs};
    int64_t *const numbers[] = {&r->stop_timeout, &r->health_retries, &r->memory,
                                &r->memory_swap,  &r->cpu_shares,     &r->memory_reservation,
                                &r->cpu_quota,    &r->cpu_period,     &r->pids,
                                &r->shm_size,     &r->blkio_weight};
    *r = (struct request){0};
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++)
        *choices[i] = -1;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        *numbers[i] = INT64_MIN;
}

static int what_it_is(struct planning *p, struct error *err)
{
    const struct request *r = p->request;
    struct plan *plan = p->plan;
    char now[RFC3339_MAX], id[65];
    unsigned char random[32];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return error_errno(err, "cannot get random bytes");
    hex_encode(random, sizeof random, id);
    plan->id = xstrdup(id);
    plan->hostname = xstrndup(id, 12);
    plan->image_name = xstrdup(r->image);
    plan->image_id = xstrdup(p->image->id);
    plan->image_manifest = xstrdup(p->image->manifest);
    strv_copy(&plan->layers, &p->image->config.diff_ids);
    plan->remove = r->remove;
    plan->detached = r->detach;
    plan->by_run = r->by_run;
    if (r->restart)
        plan->restart = xstrdup(r->restart);
    if (r->name)
        plan->name = xstrdup(r->name);
    if (r->cid_file)
        plan->cid_file = xstrdup(r->cid_file);
    format_rfc3339(clock_wall(), now);
    plan->created = xstrdup(now);
    return 0;
}

static int check_restart(const struct request *r, struct error *err)
{
    struct restart_policy policy = {0};
    int rc = r->restart ? restart_parse(r->restart, &policy, err) : 0;
    if (rc == 0 && policy.kind != RESTART_NO && r->remove)
        return error_set(err, -EINVAL, "--restart and --rm contradict each other");
    return rc;
}

/* What is there is what runs; --platform only says what it has to be. */
static int check_platform(const struct request *r, const struct image *image, struct error *err)
{
    autoplatform wanted = {0};
    if (!r->platform)
        return 0;
    int rc = platform_parse(r->platform, &wanted, err);
    if (rc < 0)
        return rc;
    const struct image_config *config = &image->config;
    if (!platform_matches(&wanted, config->os, config->architecture, config->variant))
        rc = error_set(err, -ENOEXEC,
                       "--platform %s: the image is for %s/%s; load the one for that platform "
                       "(caisson load --platform), or leave the flag out",
                       r->platform, config->os, config->architecture);
    return rc;
}

int plan_make(const struct request *request, const struct image *image,
              const struct skeleton *skeleton, const struct plan_places *places, struct plan *out,
              struct error *err)
{
    autoplan plan = {0};
    plan_init(&plan);
    plan.namespaces = 0; /* the parts add what the level and the flags say */
    plan.landlock = false;
    struct planning p = {
        .request = request,
        .image = image,
        .places = places,
        .passwd = buf_text(&skeleton->passwd),
        .group = buf_text(&skeleton->group),
        .plan = &plan,
        .no_new_privs = -1,
        .landlock = -1,
    };
    int rc = check_restart(request, err);
    if (rc == 0)
        rc = check_platform(request, image, err);
    if (rc == 0)
        rc = what_it_is(&p, err);
    if (rc == 0)
        rc = plan_security(&p, err);
    if (rc == 0)
        rc = plan_process(&p, err);
    if (rc == 0)
        rc = plan_user(&p, err);
    if (rc == 0)
        rc = device_policy(&plan, &request->device_rules, p.level == LEVEL_PRIVILEGED, err);
    if (rc == 0)
        rc = plan_limits(&p, err);
    if (rc == 0)
        rc = plan_health(&p, err);
    if (rc == 0)
        rc = plan_mounts(&p, err);
    if (rc == 0)
        rc = plan_check(&plan, err);
    strv_free(&p.mask);
    strv_free(&p.unmask);
    strv_free(&p.label_options);
    if (rc < 0)
        return rc;
    *out = plan;
    plan_init(&plan);
    return 0;
}
