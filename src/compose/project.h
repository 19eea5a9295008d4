/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reading a project of compose files is made of; for images.c, project.c and service.c alone.
 *
 * The files are somebody else's. They say which further files are read, and so could name any file
 * of the person who reads them: what they name lies inside the project, wherever links lead. They
 * are merged with one another many times over: what all of them may come to is counted in `totals`.
 */
#ifndef CAISSON_COMPOSE_PROJECT_H
#define CAISSON_COMPOSE_PROJECT_H

#include "base/json.h"
#include "compose/images.h"
#include "compose/interpolate.h"

#define FILES_MAX 200
#define NESTED_MAX 16
#define SERVICES_MAX 5000
#define ENTRIES_MAX 100000 /* see charge() */
#define IMAGES_MAX 1000
#define BUILDS_MAX 1000
#define IMAGE_NAME_MAX 1024

/* Of all projects that are read for one. */
struct totals {
    size_t files, services, entries;
    const char *root; /* the directory that they may not lead out of, without links */
};

/* Files that are merged, in one directory, with variables of their own. */
struct project {
    const struct project *outer; /* that includes it; NULL */
    char *directory;             /* what is relative is so to it; "." or a path */
    json_t *environment;         /* of its .env, name → value */
    struct variables variables;
    json_t *services; /* name → what concerns images, see service_reduce() */
    unsigned depth;
    struct compose_images *out;
    json_t *names; /* of the images in `out`, as keys */
    struct totals *totals;
    struct error *err;
};

void project_free(struct project *p);

/* --- project.c: paths, files, variables --- */

/* A path beside `directory`; -EINVAL when it is longer than any can be. The caller's. */
int place(const struct project *p, const char *directory, const char *path, char **out);
char *directory_of(const char *path);
/* The directory of the first file, or the nearest one above it with a .git. */
int find_root(const char *directory, char **out, struct error *err);
/* -EINVAL with a sentence when `path` exists and is outside of the root; `way_out` ends it. */
int stay_inside(const struct project *p, const char *path, const char *way_out);
const char *find_variable(void *project, const char *name);
/* Variables of a file, which there has to be when it is `needed`. */
int read_environment(struct project *p, const char *path, bool needed);
/* The whole file, with its variables; what is no key of a compose file is refused. */
int read_file(struct project *p, const char *path, json_t **out);
/* "PATH: " before the sentence that is there. */
int prefix_path(const struct project *p, const char *path);
/* Volumes, arguments and contexts, wherever they are looked at or copied; long ones count more. */
int charge(const struct project *p, size_t entries);
size_t text_cost(const char *text);
/* A tag of compose's (!reset, !override), or NULL. */
const char *tag_of(const json_t *value);

/* --- service.c --- */

/* What a build has from elsewhere; `build` knows the same schemes (build/remote). */
bool is_address(const char *context);
int service_wrong(const struct project *p, const char *service, const char *what);
/* Whether the names of a file's services are some. */
int check_services(const struct project *p, const json_t *services);
/* What concerns images, of one of `services`, with what it extends: {"image": …, "build": {…},
 * "images": […], "build-replaces": …, "images-replace": …}; null takes away. */
int find_service(struct project *p, const char *directory, const json_t *services, const char *name,
                 unsigned depth, json_t **out);
/* Into the project's own, over what is there. */
int take_service(struct project *p, const json_t *services, const char *name);

#endif
