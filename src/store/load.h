/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `load` reads: docker-archive (docker save, podman save), OCI archive and OCI layout
 * directory, told apart by what is in them. An archive that is both (Docker since 25) is read by
 * its OCI side, which has digests for everything.
 *
 * Guards against: documents that disagree with each other or with their digests, images for another
 * operating system, artifacts that are no images.
 */
#ifndef CAISSON_STORE_LOAD_H
#define CAISSON_STORE_LOAD_H

#include "store/bundle.h"
#include "store/ingest.h"
#include "store/platform.h"

/* An archive's images as plain structs; each one's layers are indexes into `layers`, where every
 * layer is only once. */
struct load_image {
    struct ingest_image image;
    size_t *layers;
    size_t layer_count;
};
struct load_plan {
    struct ingest_layer *layers;
    size_t layer_count;
    struct load_image *images;
    size_t image_count, name_count, use_count; /* names and layers of all images, counted */
};
void load_plan_free(struct load_plan *plan);
#define autoplan __attribute__((cleanup(load_plan_free))) struct load_plan

/* Reads the archive's documents and decides which images are meant. */
int load_plan(struct bundle *bundle, const struct platform *platform, struct load_plan *out,
              struct error *err);
/* Carries it out; plan->images[].image.replaced is set then. */
int load_execute(struct staging *staging, struct load_plan *plan,
                 const struct ingest_limits *limits, struct error *err);

/* Every image is compared with every other by name and by layer, while the store is locked. */
#define LOAD_IMAGES_MAX 1000
#define LOAD_NAMES_MAX 4000
#define LOAD_LAYERS_MAX 20000

/* For the two readers. The configuration's text is taken over on success. */
int load_add_image(struct load_plan *plan, struct buf *config, const struct platform *platform,
                   struct load_image **out, struct error *err);
/* The name under which the store files what an archive calls `name`. A digest in it is the
 * archive's word only and is left out; *out stays as it is when nothing else is left. */
int load_full_name(const char *name, char **out, struct error *err);
int load_add_name(struct load_plan *plan, struct load_image *image, const char *full,
                  struct error *err);
int load_add_layer(struct load_plan *plan, struct load_image *image,
                   const struct ingest_layer *layer, struct error *err);
/* Where the bytes of a manifest's layer are. */
typedef int load_source(void *closure, const struct descriptor *descriptor,
                        struct ingest_layer *layer, struct error *err);
/* All of a manifest's, whose image has its configuration already. */
int load_add_layers(struct load_plan *plan, struct load_image *image,
                    const struct manifest *manifest, load_source *find, void *closure,
                    struct error *err);
int load_docker(struct bundle *bundle, const struct platform *platform, struct load_plan *plan,
                struct error *err);
int load_oci(struct bundle *bundle, const struct platform *platform, struct load_plan *plan,
             struct error *err);

#endif
