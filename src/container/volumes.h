/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes: directories with a name, which containers share and which outlive them.
 *
 *   <root>/volumes/NAME/   data/ is what containers see, with the image's ids, which are mapped
 * when it is mounted, as those of layers are; volume.json says when it was made and its labels;
 * `fresh` is a file that is there until something was put into data/; filling/, links/, filled/:
 * see volume_fill.c
 *
 * A volume is made below a name that begins with a dot and gets its own in one step; it is removed
 * the other way round. What has such a name and nobody who locks it was left by a dead command, and
 * the next one that makes or removes a volume sweeps it.
 *
 * Whose a volume is says config.json of the containers, and nothing else. Who makes a container
 * holds a shared lock on its volumes (flock(2) on the directory) until its config.json is on disk;
 * who removes a volume takes the lock exclusively, and only then looks at the containers. The file
 * `fresh` is the lock of who puts the first files into it.
 *
 * Anonymous volumes are like all others, with 64 hexadecimal digits for a name. Those that go with
 * a container are listed as files in its directory `volumes`: also when it never came to be,
 * whoever clears up after it finds them there.
 *
 * Guarded against: names that are paths, and everything inside data/, which containers write: it is
 * only opened in-root, and copied into where no container can see it.
 */
#ifndef CAISSON_CONTAINER_VOLUMES_H
#define CAISSON_CONTAINER_VOLUMES_H

#include "container/container.h"

#define VOLUME_NAME_SIZE 256

struct volume {
    char name[VOLUME_NAME_SIZE];
    nanoseconds created;
    bool anonymous;
    struct strv labels; /* NAME=VALUE */
};

bool volume_name_valid(const char *name);
/* -EINVAL with what a name may be. */
int volume_check_name(const char *name, struct error *err);
void volume_random_name(char name[VOLUME_NAME_SIZE]);

/* 0 also when there is one with this name. `created` is filled in. `durable`: it shall outlive a
 * power cut. */
int volume_create(const struct containers *all, const struct volume *volume, bool durable,
                  struct error *err);
/* -ENOENT, -EBADMSG when its description is damaged (it can still be mounted and removed). */
int volume_read(const struct containers *all, const char *name, struct volume *out,
                struct error *err);
void volume_free(struct volume *volume);
#define autovolume __attribute__((cleanup(volume_free))) struct volume
/* Names, sorted. */
int volume_list(const struct containers *all, struct strv *names, struct error *err);
/* Bytes of its files. */
int volume_size(const struct containers *all, const char *name, uint64_t *bytes, struct error *err);

/* Which container uses which volume: pairs of a volume's name and a container's. */
int volume_uses(struct containers *all, struct strv *uses, struct error *err);
/* How many of the pairs are of this volume. */
size_t volume_use_count(const struct strv *uses, const char *name);
/* -ENOENT; -EBUSY when a container uses it, with the names of all that do. *bytes is how much was
 * freed; NULL: nobody wants to know. */
int volume_remove(struct containers *all, const char *name, uint64_t *bytes, struct error *err);

/* Removes what dead commands left of volumes. */
void volume_sweep(const struct containers *all);

/* The directory of a volume, locked shared: it will not be removed. -ENOENT. */
int volume_hold(const struct containers *all, const char *name, struct error *err);

/* What a volume that is mounted for the first time starts with: the image's files at `target`. */
struct volume_start {
    const int *layers; /* lowest first */
    size_t layer_count;
    const char *target;
    bool copy;         /* else with nothing */
    bool durable;      /* it shall outlive a power cut */
    uint32_t uid, gid; /* who gets its top directory where that is root's */
};
/* The directory that containers see, O_PATH, after it was given what it starts with. */
int volume_open(const struct containers *all, const char *name, const struct volume_start *start,
                struct error *err);

/* For who makes a container: makes its volumes that have to be made, notes the anonymous ones in
 * its directory, and holds all until container_volumes_release(). */
int container_volumes_claim(struct container *c, const struct plan *plan, struct error *err);
void container_volumes_release(struct container *c);
/* Removes what its directory `volumes` lists, as far as nobody else uses it; its own config.json is
 * gone by then. `home` is its directory below root. */
void container_volumes_remove(struct containers *all, int home);

/* --- for volume_*.c --- */

#define VOLUME_DATA "data"
#define VOLUME_FRESH "fresh"
#define VOLUME_GONE ".gone." /* before the name of what is being removed */

/* <root>/volumes; -ENOENT without a sentence where there is none and `make` is not given. */
int volumes_directory(const struct containers *all, bool make, struct error *err);
/* volume_sweep() of that directory. */
void volumes_sweep(int top);
/* As volume_hold(), with LOCK_SH or LOCK_EX | LOCK_NB: then -EBUSY. */
int volume_lock(const struct containers *all, const char *name, int kind, struct error *err);

#endif
