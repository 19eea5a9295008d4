/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of building, as data. Carried out by caisson-build; those with underscores by
 * caisson-image, for it. */
#include "build/options.h"
#include "cmd/build_options.h"
#include "cmd/verb.h"

#define OF(field) offsetof(struct build_options, field)
#define RESULT "Result"
#define CACHE "Cache"
#define IMAGES "Images"
#define STEPS "Steps"
#define SAID "What is said"

static const char *const progresses[] = {"auto", "plain", "tty", "json", "rawjson", "quiet", NULL};
static const char *const calls[] = {"build", "check", "targets", "outline", NULL};

static const struct option build_table[] = {
    {"file", 'f', OPTION_STRING, OF(file), "FILE",
     "Dockerfile to build (Dockerfile in the context; - for standard input)"},
    {"build-arg", 0, OPTION_LIST, OF(build_args), "NAME[=VALUE]",
     "Value of an ARG; without =, that of our own variable"},
    {"build-context", 0, OPTION_LIST, OF(contexts), "NAME=DIR|URL|docker-image://IMAGE",
     "A further context, or what stands for an image or stage of this name"},
    {"target", 0, OPTION_STRING, OF(target), "STAGE", "Build up to this stage"},
    {"platform", 0, OPTION_STRING, OF(platform), "OS/ARCH[/VARIANT]",
     "Platform of the base images (this machine's)"},

    {"tag", 't', OPTION_LIST, OF(tags), "NAME[:TAG]", "Name of the image", .group = RESULT},
    {"output", 'o', OPTION_LIST, OF(outputs), "type=TYPE[,dest=PATH]|DIR",
     "Where the result goes: image (the store), oci, docker, tar, local (a directory)",
     .group = RESULT},
    {"label", 0, OPTION_LIST, OF(labels), "NAME=VALUE", "Label of the image", .group = RESULT},
    {"annotation", 0, OPTION_LIST, OF(annotations), "NAME=VALUE",
     "Annotation of the image's manifest", .group = RESULT},
    {"iidfile", 0, OPTION_STRING, OF(iidfile), "FILE", "Write the image's id to a file",
     .group = RESULT},
    {"metadata-file", 0, OPTION_STRING, OF(metadata_file), "FILE",
     "Write what was built to a file, as JSON", .group = RESULT},
    {"load", 0, OPTION_BOOL, OF(load), NULL, "As always: the image goes into the store",
     .group = RESULT, .flags = OPTION_HIDDEN},
    {"allow-secret", 0, OPTION_LIST, OF(allow_secret), "RULE|PATH",
     "Let what a rule finds, or a file of the image, into the image", .group = RESULT},
    {"provenance", 0, OPTION_STRING, OF(provenance), "true|false|mode=min",
     "Add how the image was built, as an attestation, to an OCI archive", .flags = OPTION_OPTIONAL,
     .implied = "true", .group = RESULT},
    {"sbom", 0, OPTION_STRING, OF(sbom), "true|false", "Add a list of packages, as an attestation",
     .flags = OPTION_OPTIONAL, .implied = "true", .group = RESULT},
    {"attest", 0, OPTION_STRING, 0, "type=TYPE", "use --provenance", .flags = OPTION_UNSUPPORTED},
    {"push", 0, OPTION_BOOL, 0, NULL, "build, then push with skopeo, until caisson push is there",
     .flags = OPTION_UNSUPPORTED},
    {"squash", 0, OPTION_BOOL, 0, NULL, "write several commands in one RUN, or use stages",
     .flags = OPTION_UNSUPPORTED},
    {"compress", 0, OPTION_BOOL, 0, NULL, "there is no daemon to send a context to",
     .flags = OPTION_UNSUPPORTED},

    {"pull", 0, OPTION_BOOL, OF(pull), NULL,
     "Ask registries for base images also where they are here", .group = IMAGES},
    {"lock-file", 0, OPTION_STRING, OF(lock_file), "FILE",
     "Hold images to the digests of this file (caisson.lock of the context, where there is one)",
     .group = IMAGES},
    {"no-lock", 0, OPTION_BOOL, OF(no_lock), NULL, "Hold images to no lock file", .group = IMAGES},

    {"no-cache", 0, OPTION_BOOL, OF(no_cache), NULL, "Carry out every step", .group = CACHE},
    {"no-cache-filter", 0, OPTION_LIST, OF(no_cache_filter), "STAGE",
     "Carry out every step of this stage", .group = CACHE},
    {"cache-to", 0, OPTION_LIST, OF(cache_to), "type=local,dest=DIR",
     "Write what steps have made, caches of RUN --mount included, to a directory", .group = CACHE},
    {"cache-from", 0, OPTION_LIST, OF(cache_from), "type=local,src=DIR",
     "Take over what --cache-to has written there", .group = CACHE},

    {"secret", 0, OPTION_LIST, OF(secrets), "id=NAME[,src=FILE|,env=NAME]",
     "What RUN --mount=type=secret sees, and no layer, key or output", .group = STEPS},
    {"ssh", 0, OPTION_LIST, OF(ssh), "default|ID[=SOCKET]", "An ssh agent for RUN --mount=type=ssh",
     .group = STEPS},
    {"network", 0, OPTION_STRING, OF(network), "default|none|host|NAME", "Network of RUN",
     .group = STEPS, .completes = "network",
     .offered = (const char *const[]){"default", "none", "host", NULL}},
    {"egress", 0, OPTION_LIST, OF(egress), "none|any|RULE,...",
     "Where steps may go: names, addresses, prefixes, with :PORT", .group = STEPS,
     .offered = (const char *const[]){"any", "none", NULL}},
    {"allow", 0, OPTION_LIST, OF(allow), "network.host|security.insecure|onbuild.secrets",
     "Let steps ask for the host's network, or for no protection", .group = STEPS},
    {"add-host", 0, OPTION_LIST, OF(add_hosts), "NAME:IP", "A line of /etc/hosts in RUN",
     .group = STEPS},
    {"memory", 'm', OPTION_SIZE, OF(memory), "BYTES", "Memory of one step (half of the machine's)",
     .flags = OPTION_MINUS_ONE, .group = STEPS},
    {"memory-swap", 0, OPTION_SIZE, OF(memory_swap), "BYTES", "Memory and swap of one step",
     .flags = OPTION_MINUS_ONE, .group = STEPS},
    {"cpus", 0, OPTION_STRING, OF(cpus), "N", "Processors of one step", .group = STEPS},
    {"shm-size", 0, OPTION_SIZE, OF(shm_size), "BYTES", "Size of /dev/shm", .group = STEPS},
    {"ulimit", 0, OPTION_LIST, OF(ulimits), "NAME=SOFT[:HARD]", "Limit of each process",
     .group = STEPS},
    {"cgroup-parent", 0, OPTION_STRING, OF(cgroup_parent), "GROUP", "Control group of steps",
     .group = STEPS},

    {"progress", 0, OPTION_STRING, OF(progress), "KIND",
     "How it is told: auto, plain, tty, json, quiet", .words = progresses, .group = SAID},
    {"quiet", 'q', OPTION_BOOL, OF(quiet), NULL, "Print nothing but the image's id", .group = SAID},
    {"check", 0, OPTION_BOOL, OF(check), NULL, "Only check the Dockerfile", .group = SAID},
    {"call", 0, OPTION_STRING, OF(call), "WHAT", "Instead of building: check, targets or outline",
     .words = calls, .group = SAID},
    {"rm", 0, OPTION_BOOL, OF(rm), NULL, "As always", .flags = OPTION_HIDDEN},
    {"force-rm", 0, OPTION_BOOL, OF(force_rm), NULL, "As always", .flags = OPTION_HIDDEN},
    {NULL},
};

const struct verb verb_build = {
    .name = "build",
    .group = GROUP_IMAGES,
    .alias = "image_build builder_build buildx_build",
    .arguments = "DIRECTORY|URL|-",
    .summary = "Build an image from a Dockerfile",
    .description =
        "Reads the Dockerfile of a directory, the build context, and carries it out. Stages that "
        "the "
        "target does not need are left out, those that do not need each other run side by side. "
        "Every step is a container with a user namespace of its own; what it writes becomes a "
        "layer. "
        "Steps that were carried out before, by the same instruction on the same files, are taken "
        "from the cache.\n\n"
        "Each layer is looked through while it is written: a private key or a token in it stops "
        "the "
        "build, also when a later step deletes it, and so does one in ENV, ARG or LABEL.\n\n"
        "With SOURCE_DATE_EPOCH set, as a variable or a build argument, the same inputs give the "
        "same "
        "image id wherever and whenever it is built. With - for the directory standard input is "
        "a "
        "tar with the context, plain or compressed, or the Dockerfile alone. An address of a git "
        "repository (https://HOST/REPO.git#REF:DIRECTORY, git@HOST:REPO) or of an archive is "
        "fetched "
        "and used like a directory; -f is then a file of it. What ADD names by an address is held "
        "to "
        "--egress, and refused with --network none. The `# syntax=` line is read, and never "
        "executed.",
    .examples = "caisson build -t my-app .\n"
                "# Another file, a stage of it, an argument\n"
                "caisson build -f build/Dockerfile --target test --build-arg VERSION=1.2 .\n"
                "# A token for one step, in no layer: RUN --mount=type=secret,id=npm ...\n"
                "caisson build --secret id=npm,src=$HOME/.npmrc -t my-app .\n"
                "# Only what the last stage holds, as files\n"
                "caisson build -o out .\n"
                "# Steps that may reach nothing but one name\n"
                "caisson build --egress deb.example.org -t tool .",
    .options = build_table,
    .options_size = sizeof(struct build_options),
    .least = 1,
    .most = 1,
    .program = "caisson-build",
    .completes = "file",
};

static const struct option builder_prune_table[] = {
    {"all", 'a', OPTION_BOOL, offsetof(struct builder_prune_options, all), NULL,
     "Also caches of RUN --mount=type=cache, and what is known of contexts"},
    {"filter", 0, OPTION_LIST, offsetof(struct builder_prune_options, filters), "until=TIME",
     "Forget only steps that were not of use since then"},
    {"force", 'f', OPTION_BOOL, offsetof(struct builder_prune_options, force), NULL,
     "Do not ask first"},
    {NULL},
};

const struct verb verb_builder_prune = {
    .name = "builder prune",
    .group = GROUP_IMAGES,
    .alias = "buildx_prune",
    .arguments = "",
    .summary = "Forget what builds have cached",
    .description = "Forgets the steps of builds, and removes the layers that no image has.",
    .examples = "caisson builder prune\n"
                "# What was not of use for a week\n"
                "caisson builder prune -f --filter until=168h",
    .options = builder_prune_table,
    .options_size = sizeof(struct builder_prune_options),
    .program = "caisson-image",
};

static const struct option layer_table[] = {
    {"newest", 0, OPTION_COUNT, offsetof(struct layer_options, newest), "SECONDS",
     "No time after this one"},
    {"allow", 0, OPTION_LIST, offsetof(struct layer_options, allow), "RULE|PATH",
     "Let this into the layer"},
    {NULL},
};

const struct verb verb_make_layer = {
    .name = "__layer",
    .arguments = "DIRECTORY-FD",
    .summary = "Make a layer of a tree: the worker's part of build",
    .options = layer_table,
    .options_size = sizeof(struct layer_options),
    .least = 1,
    .most = 1,
    .program = "caisson-image",
};

const struct verb verb_cache = {
    .name = "__cache",
    .arguments = "save|load DIRECTORY",
    .summary = "Write or read what steps have made: the worker's part of build",
    .least = 2,
    .most = 2,
    .program = "caisson-image",
};

static const struct option publish_table[] = {
    {"annotation", 0, OPTION_LIST, offsetof(struct publish_options, annotations), "NAME=VALUE",
     "Annotation of the manifest"},
    {NULL},
};

const struct verb verb_publish = {
    .name = "__publish",
    .arguments = "CONFIG-FD [NAME...]",
    .summary = "Make an image of layers and a configuration: the worker's part of build",
    .options = publish_table,
    .options_size = sizeof(struct publish_options),
    .least = 1,
    .most = -1,
    .program = "caisson-image",
};
