/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One instruction with its variables expanded and its flags understood: what the builder carries
 * out. Made anew each time from the instruction and the variables in scope (ENV wins over ARG).
 */
#ifndef CAISSON_BUILD_STEP_H
#define CAISSON_BUILD_STEP_H

#include <stdint.h>
#include <sys/types.h>

#include "build/dockerfile.h"
#include "build/expand.h"
#include "oci/image.h"

enum step_mount_kind { MOUNT_BIND, MOUNT_CACHE, MOUNT_TMPFS, MOUNT_SECRET, MOUNT_SSH };
enum step_sharing { SHARING_SHARED, SHARING_PRIVATE, SHARING_LOCKED };

struct step_mount { /* RUN --mount */
    enum step_mount_kind kind;
    char *id, *from, *source, *target, *env; /* NULL where not given */
    bool read_write;                         /* bind: rw; cache, tmpfs: not ro */
    bool required;
    enum step_sharing sharing;
    int64_t mode;     /* not given: cache 0755, secret 0400, ssh 0600, else -1 */
    int64_t uid, gid; /* -1 */
    int64_t size;     /* tmpfs: bytes; 0: not given */
    struct place place;
};

enum step_network { STEP_NETWORK_DEFAULT, STEP_NETWORK_NONE, STEP_NETWORK_HOST };

struct step_file {     /* COPY and ADD: a here-document as source */
    char *name, *text; /* expanded where that was wanted */
};

struct step {
    enum instruction_kind kind;
    /* RUN, CMD, ENTRYPOINT, SHELL, and the test of HEALTHCHECK. Shell form: one word. */
    struct strv words;
    bool exec;
    /* RUN */
    struct step_mount *mounts;
    size_t mount_count;
    enum step_network network;
    bool insecure;
    char *script; /* RUN <<EOF: the text; NULL. A first line "#!…" says what executes it. When the
                     line has a command besides (`RUN python3 <<EOF`), `words` has the whole shell
                     command, here-documents in shell syntax included, and this is NULL */
    /* COPY and ADD */
    struct strv sources;
    char *target;
    struct step_file *files;
    size_t file_count;
    char *from, *owner; /* --chown; NULL */
    char *mode;         /* --chmod, octal or symbolic, checked; NULL */
    bool link, parents, keep_git_dir;
    int unpack; /* ADD --unpack: 1 or 0; -1: not given */
    struct strv exclude;
    char *checksum;
    /* ENV, LABEL, ARG: "name=value"; an ARG without value is "name". EXPOSE, VOLUME: one each.
     * USER, WORKDIR, STOPSIGNAL, MAINTAINER: one. EXPOSE: "80/tcp", of a range each port. FROM: the
     * image. ONBUILD: the instruction as text, unexpanded (instruction_write()). */
    struct strv pairs;
    struct health_check health; /* HEALTHCHECK; test is complete ("NONE", "CMD", "CMD-SHELL") */
};

/* `expand` knows the variables. -EINVAL with place and line; without them where `file` is NULL, as
 * for an instruction that an image left with ONBUILD. */
int step_make(const struct dockerfile *file, const struct instruction *instruction,
              const struct expand *expand, struct step *out, struct error *err);
void step_free(struct step *step);
#define autostep __attribute__((cleanup(step_free))) struct step

/* One word of a --mount, unexpanded, as in step_mount_word("type=cache,id=a", "id"); "true" when it
 * has no value, NULL when it is not there. The caller's. */
char *step_mount_word(const char *mount, const char *key);

/* chmod(1)'s words, octal ("0755") or symbolic ("u=rwX,go-w"), on a mode. `directory` for X. */
int step_mode_apply(const char *words, mode_t before, bool directory, mode_t *out);

#endif
