/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is legal in a Dockerfile and hardly meant: BuildKit's rules by their names
 * (https://docs.docker.com/reference/build-checks/), and ours about what makes an image or its
 * build less safe. Rules are a table; each has its test.
 *
 * `# check=skip=A,B;error=true;experimental=C` in the file, or the build argument
 * BUILDKIT_DOCKERFILE_CHECK, which comes before it. "all" is every rule. A comment
 * `# check=skip=A // why` right above an instruction is about that one.
 */
#ifndef CAISSON_BUILD_CHECKS_H
#define CAISSON_BUILD_CHECKS_H

#include "build/dockerfile.h"

#define FINDINGS_MAX 1000

enum check_level {
    CHECK_STYLE,    /* reads badly */
    CHECK_WARNING,  /* does something else than it seems to, or will */
    CHECK_SECURITY, /* takes something of its safety */
};

struct check_rule {
    const char *name;
    enum check_level level;
    bool experimental; /* only when asked for */
    const char *what;  /* a sentence */
};
const struct check_rule *check_rules(size_t *count);

struct finding {
    const struct check_rule *rule;
    struct place place;
    char *sentence;
};

struct findings {
    struct finding *items; /* in the order of the file */
    size_t count;
    bool fail; /* error=true: findings are to end the build */
    struct strv skip, experimental;
    struct strv here; /* left out for the instruction that is being read */
};
void findings_free(struct findings *findings);
#define autofindings __attribute__((cleanup(findings_free))) struct findings

struct check_request {
    const struct dockerfile *file;
    const struct strv *build_args; /* "NAME=value"; NULL */
    const char *platform;          /* of the target, "linux/amd64"; NULL */
    const struct strv *contexts;   /* names of named contexts; NULL */
    /* Whether .dockerignore leaves a path of the context out; NULL where there is none. */
    bool (*ignored)(void *closure, const char *path);
    /* The variables that a base image brings ("NAME=value"), NULL when nothing is known of it.
     * Without it only names that no image has, or that are nearly those of others, count as
     * undefined. */
    const struct strv *(*base_env)(void *closure, const char *image);
    void *closure;
};

/* -EINVAL when `# check=` or its build argument is not understood. */
int checks_run(const struct check_request *request, struct findings *out, struct error *err);

/* What only the build knows, added to the findings of the file. `stage` is the one that was built.
 */
void check_user(const struct dockerfile *file, size_t stage, const char *user,
                struct findings *out);
/* The platform of a stage's base image against the one that was asked for. */
void check_platform(const struct dockerfile *file, size_t stage, const char *image,
                    const char *wanted, const char *found, struct findings *out);

#endif
