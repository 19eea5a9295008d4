/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of images, as data. Carried out by caisson-image. */
#include "cmd/image_options.h"
#include "cmd/list.h"
#include "cmd/option_groups.h"

static const struct option import_table[] = {
    {"change", 'c', OPTION_LIST, offsetof(struct import_options, changes), "INSTRUCTION",
     "Apply a Dockerfile instruction (CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, "
     "SHELL, STOPSIGNAL, USER, VOLUME, WORKDIR)"},
    {"message", 'm', OPTION_STRING, offsetof(struct import_options, message), "TEXT",
     "Comment for the history of the image"},
    {"platform", 0, OPTION_STRING, offsetof(struct import_options, platform), "OS/ARCH[/VARIANT]",
     "Platform that the files are for (this machine's)"},
    LIMIT_OPTIONS(import_options),
    {NULL},
};

const struct verb verb_import = {
    .name = "import",
    .group = GROUP_IMAGES,
    .alias = "image_import",
    .arguments = "FILE|- [REPOSITORY[:TAG]]",
    .summary = "Make an image from the tar of a root file system",
    .description =
        "Reads a tar (plain, gzip, bzip2, xz or zstd, told apart by content) of a whole root file "
        "system "
        "and makes it an image of one layer. Prints the image's id.\n\n"
        "Names that leave the tree, links out of it, the same name twice and archives that grow "
        "out of proportion are refused, and nothing is left behind. The archive is read by a "
        "process that can see nothing but the image store.",
    .examples =
        "caisson import rootfs.tar.gz mine:1.0\n"
        "# From another program, with a command and a variable\n"
        "tar -C rootfs -c . | caisson import -c 'CMD [\"sh\"]' -c 'ENV LANG=C.UTF-8' - mine",
    .options = import_table,
    .options_size = sizeof(struct import_options),
    .least = 1,
    .most = 2,
    .program = "caisson-image",
    .completes = "file",
};

static const struct option load_table[] = {
    {"input", 'i', OPTION_STRING, offsetof(struct load_options, input), "FILE",
     "Archive or OCI layout directory to read instead of standard input"},
    {"platform", 0, OPTION_STRING, offsetof(struct load_options, platform), "OS/ARCH[/VARIANT]",
     "Which image to take where an archive has several (this machine's)"},
    {"quiet", 'q', OPTION_BOOL, offsetof(struct load_options, quiet), NULL,
     "Print only ids and names"},
    {"unnamed", 0, OPTION_BOOL, offsetof(struct load_options, unnamed), NULL,
     "One image, whose names are left out", .flags = OPTION_HIDDEN},
    LIMIT_OPTIONS(load_options),
    {NULL},
};

const struct verb verb_load = {
    .name = "load",
    .group = GROUP_IMAGES,
    .alias = "image_load",
    .arguments = "",
    .summary = "Load images from an archive",
    .description =
        "Reads what docker save, podman save, skopeo and buildah write: docker-archive, OCI "
        "archive "
        "or an OCI layout directory, compressed or not, told apart by content. Every digest is "
        "verified; layers are unpacked in parallel; an image appears when all of it is there.",
    .examples = "caisson load -i alpine.tar\n"
                "docker save alpine | caisson load\n"
                "# The arm64 image of a multi-platform archive\n"
                "caisson load -i alpine.oci.tar --platform linux/arm64",
    .options = load_table,
    .options_size = sizeof(struct load_options),
    .program = "caisson-image",
};

static const struct option save_table[] = {
    {"output", 'o', OPTION_STRING, offsetof(struct save_options, output), "FILE",
     "File (or, with oci-dir, directory) to write instead of standard output"},
    {"format", 0, OPTION_STRING, offsetof(struct save_options, format), "FORMAT",
     "Write docker-archive (which is an OCI archive too), oci-archive or oci-dir",
     .words = (const char *const[]){"docker-archive", "oci-archive", "oci-dir", NULL}},
    {"provenance-fd", 0, OPTION_COUNT, offsetof(struct save_options, provenance), "FD",
     "For build: how the image was built, as JSON", .flags = OPTION_HIDDEN},
    {NULL},
};

const struct verb verb_save = {
    .name = "save",
    .group = GROUP_IMAGES,
    .alias = "image_save",
    .arguments = "IMAGE [IMAGE...]",
    .summary = "Write images to an archive",
    .description =
        "Writes one or more images with their names to an archive that docker load, "
        "podman load, skopeo and caisson load read. Layers are given back byte for byte, "
        "so that the image has the same id wherever it is loaded.",
    .examples = "caisson save -o alpine.tar alpine:3.19\n"
                "caisson save alpine | zstd > alpine.tar.zst\n"
                "caisson save --format oci-dir -o layout alpine",
    .options = save_table,
    .options_size = sizeof(struct save_options),
    .least = 1,
    .most = -1,
    .program = "caisson-image",
    .completes = "image",
};

static const struct option images_table[] = {
    {"all", 'a', OPTION_BOOL, offsetof(struct images_options, all), NULL,
     "Show all images (there are no hidden ones; accepted for scripts)"},
    {"digests", 0, OPTION_BOOL, offsetof(struct images_options, digests), NULL,
     "Show the digests of manifests"},
    {"filter", 'f', OPTION_LIST, offsetof(struct images_options, filters), "KEY=VALUE",
     "Show only what matches: reference=, dangling=, label=, before=, since=, until="},
    {"format", 0, OPTION_STRING, offsetof(struct images_options, format), "FORMAT",
     LIST_FORMAT_HELP},
    {"no-trunc", 0, OPTION_BOOL, offsetof(struct images_options, no_trunc), NULL, "Show whole ids"},
    {"quiet", 'q', OPTION_BOOL, offsetof(struct images_options, quiet), NULL, "Show only ids"},
    {NULL},
};

const struct verb verb_images = {
    .name = "images",
    .group = GROUP_IMAGES,
    .alias = "image_ls image_list",
    .arguments = "[REPOSITORY[:TAG]]",
    .summary = "List images",
    .description = "Lists the images of the store, newest first. An image without a name is shown "
                   "as <none>.",
    .examples = "caisson images\n"
                "caisson images alpine\n"
                "# Ids of images that lost their name\n"
                "caisson images -q --filter dangling=true",
    .options = images_table,
    .options_size = sizeof(struct images_options),
    .most = 1,
    .program = "caisson-image",
    .completes = "image",
};

static const struct option image_inspect_table[] = {
    {"format", 'f', OPTION_STRING, offsetof(struct image_inspect_options, format), "FORMAT",
     "Print as json, or by a Go template such as '{{.Config.User}}'"},
    {"remote", 0, OPTION_BOOL, offsetof(struct image_inspect_options, remote), NULL,
     "Look at what the registry has, and download no layer"},
    {"platform", 0, OPTION_STRING, offsetof(struct image_inspect_options, platform),
     "OS/ARCH[/VARIANT]", "For --remote: which of an image's platforms (this machine's)"},
    {"tls-verify", 0, OPTION_TRISTATE, offsetof(struct image_inspect_options, tls_verify), NULL,
     "For --remote: want TLS with a certificate that can be trusted"},
    {"authfile", 0, OPTION_STRING, offsetof(struct image_inspect_options, authfile), "FILE",
     "For --remote: read user and password from this file"},
    {NULL},
};

const struct verb verb_image_inspect = {
    .name = "image inspect",
    .group = GROUP_IMAGES,
    .arguments = "IMAGE [IMAGE...]",
    .summary = "Show all about images, as JSON",
    .description = "Prints an array with one object for each image, its fields named as Docker "
                   "names them.",
    .examples = "caisson image inspect alpine\n"
                "caisson image inspect -f '{{json .Config.Env}}' alpine",
    .options = image_inspect_table,
    .options_size = sizeof(struct image_inspect_options),
    .least = 1,
    .most = -1,
    .program = "caisson-image",
    .completes = "image",
};

static const struct option history_table[] = {
    {"format", 0, OPTION_STRING, offsetof(struct history_options, format), "FORMAT",
     LIST_FORMAT_HELP},
    {"human", 'H', OPTION_TRISTATE, offsetof(struct history_options, human), NULL,
     "Show sizes and dates for people (the default; --human=false for exact ones)"},
    {"no-trunc", 0, OPTION_BOOL, offsetof(struct history_options, no_trunc), NULL,
     "Show whole ids and commands"},
    {"quiet", 'q', OPTION_BOOL, offsetof(struct history_options, quiet), NULL, "Show only ids"},
    {NULL},
};

const struct verb verb_history = {
    .name = "history",
    .group = GROUP_IMAGES,
    .alias = "image_history",
    .arguments = "IMAGE",
    .summary = "Show how an image was made, step by step",
    .description = "Lists the steps that an image's configuration tells of, the newest first, with "
                   "the size of the layer that each one added.",
    .examples = "caisson history alpine\n"
                "caisson history --no-trunc --format '{{.CreatedBy}}' alpine",
    .options = history_table,
    .options_size = sizeof(struct history_options),
    .least = 1,
    .most = 1,
    .program = "caisson-image",
    .completes = "image",
};

static const struct option rmi_table[] = {
    {"force", 'f', OPTION_BOOL, offsetof(struct rmi_options, force), NULL,
     "Take all names of an id away, also of an image that a container uses (its files stay until "
     "the container is gone)"},
    {"no-prune", 0, OPTION_BOOL, offsetof(struct rmi_options, no_prune), NULL,
     "Leave the layers for 'image prune' to remove"},
    {NULL},
};

const struct verb verb_rmi = {
    .name = "rmi",
    .group = GROUP_IMAGES,
    .alias = "image_rm image_remove",
    .arguments = "IMAGE [IMAGE...]",
    .summary = "Remove images",
    .description = "Takes a name away and, with the last name, the image and all layers that no "
                   "other image uses. An image that a container uses is refused.",
    .examples = "caisson rmi alpine:3.19\n"
                "caisson rmi $(caisson images -q --filter dangling=true)",
    .options = rmi_table,
    .options_size = sizeof(struct rmi_options),
    .least = 1,
    .most = -1,
    .program = "caisson-image",
    .completes = "image",
};

static const struct option image_prune_table[] = {
    {"bytes", 0, OPTION_BOOL, offsetof(struct image_prune_options, bytes), NULL,
     "For system prune: the names, and a last line with the bytes", .flags = OPTION_HIDDEN},
    {"build-cache", 0, OPTION_BOOL, offsetof(struct image_prune_options, build_cache), NULL,
     "For system prune: what builds have cached, too", .flags = OPTION_HIDDEN},
    {"all", 'a', OPTION_BOOL, offsetof(struct image_prune_options, all), NULL,
     "Remove every image that no container uses, not only those without a name"},
    {"filter", 0, OPTION_LIST, offsetof(struct image_prune_options, filters), "KEY=VALUE",
     "Remove only what matches: label=, until="},
    {"force", 'f', OPTION_BOOL, offsetof(struct image_prune_options, force), NULL,
     "Do not ask first"},
    {NULL},
};

const struct verb verb_image_prune = {
    .name = "image prune",
    .group = GROUP_IMAGES,
    .arguments = "",
    .summary = "Remove images that nothing uses",
    .description =
        "Removes images that have no name and that no container uses, with their layers, "
        "and whatever an interrupted command left in the store.",
    .examples = "caisson image prune\n"
                "# Everything that no container uses and that is older than a week\n"
                "caisson image prune -a -f --filter until=168h",
    .options = image_prune_table,
    .options_size = sizeof(struct image_prune_options),
    .program = "caisson-image",
};

const struct verb verb_tag = {
    .name = "tag",
    .group = GROUP_IMAGES,
    .alias = "image_tag",
    .arguments = "IMAGE NAME[:TAG]",
    .summary = "Give an image a further name",
    .description = "The new name means the same image; a name that meant another one is moved.",
    .examples = "caisson tag alpine:3.19 registry.example.com/base/alpine:3.19",
    .least = 2,
    .most = 2,
    .program = "caisson-image",
    .completes = "image",
};

static const struct option bootstrap_table[] = {
    {"include", 0, OPTION_LIST, offsetof(struct bootstrap_options, include), "PACKAGE[,PACKAGE...]",
     "Further packages (debian)"},
    {"mirror", 0, OPTION_STRING, offsetof(struct bootstrap_options, mirror), "URL",
     "Where packages come from (debian; mmdebstrap's default)"},
    {"tag", 't', OPTION_STRING, offsetof(struct bootstrap_options, tag), "NAME[:TAG]",
     "Name of the image"},
    {NULL},
};

const struct verb verb_bootstrap = {
    .name = "bootstrap",
    .group = GROUP_IMAGES,
    .arguments = "debian[:SUITE]|busybox",
    .summary = "Make a base image from the distribution's packages, without a registry",
    .description =
        "debian: a minimal Debian of signed packages, made by mmdebstrap (variant minbase, without "
        "documentation, package lists and caches). The suite is the host's where that is Debian, "
        "else stable. With SOURCE_DATE_EPOCH set, the same packages give the same image.\n\n"
        "busybox: the distribution's static busybox with a link for every applet and the few files "
        "that programs expect. The same busybox gives the same image id.",
    .examples = "caisson bootstrap busybox\n"
                "caisson bootstrap debian:bookworm --include ca-certificates,curl -t tools:1",
    .options = bootstrap_table,
    .options_size = sizeof(struct bootstrap_options),
    .least = 1,
    .most = 1,
    .program = "caisson-image",
};
