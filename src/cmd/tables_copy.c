/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that move files between containers, images and the host, as data. */
#include "cmd/container_options.h"
#include "cmd/copy_options.h"
#include "cmd/verb.h"

static const struct option cp_table[] = {
    {"archive", 'a', OPTION_BOOL, offsetof(struct cp_options, archive), NULL,
     "Keep the numbers of users and groups"},
    {"follow-link", 'L', OPTION_BOOL, offsetof(struct cp_options, follow), NULL,
     "Where the source is a symbolic link, copy what it leads to"},
    {"quiet", 'q', OPTION_BOOL, offsetof(struct cp_options, quiet), NULL,
     "Show no progress on a terminal"},
    {NULL},
};

const struct verb verb_cp = {
    .name = "cp",
    .group = GROUP_CONTAINERS,
    .alias = "container_cp",
    .arguments = "CONTAINER:SOURCE DEST|- or SOURCE|- CONTAINER:DEST",
    .summary = "Copy files between a container and the host",
    .description =
        "Copies a file or a directory, whether the container runs or not. Of a running container "
        "everything is seen at its place: volumes, bind mounts, tmpfs. A path in the container "
        "begins at its root, and its symbolic links lead nowhere else. The path of the host has to "
        "begin with / or . when there is a colon in it.\n\n"
        "A file goes to DEST, or into DEST when that is a directory. A directory becomes DEST when "
        "there is none, and goes into it when there is; with SOURCE/. only what is in it does. A "
        "file replaces a file; directories are merged, and those that were there keep their mode "
        "and owner. The directory above DEST has to exist.\n\n"
        "What is copied out belongs to whoever runs the command, what is copied in to the "
        "container's root, or to who stands in for it; modes and times stay. Setuid and setgid "
        "bits and file capabilities stay behind in the container. Devices and sockets are not "
        "copied.\n\n"
        "With - in the place of DEST a tar is written to standard output; in the place of SOURCE "
        "one is read from standard input (gzip, bzip2, xz and zstd too) and unpacked into the "
        "directory "
        "DEST, with the owners that it names.",
    .examples = "caisson cp web:/etc/nginx/nginx.conf .\n"
                "# The contents of a directory into one that is there\n"
                "caisson cp ./site/. web:/usr/share/nginx/html\n"
                "caisson cp web:/var/log - | tar -t",
    .options = cp_table,
    .options_size = sizeof(struct cp_options),
    .least = 2,
    .most = 2,
    .completes = "file",
};

static const struct option diff_table[] = {
    {"format", 0, OPTION_STRING, offsetof(struct diff_options, format), "FORMAT",
     "Print as json instead of lines", .words = (const char *const[]){"json", NULL}},
    LATEST('l'),
    {NULL},
};

const struct verb verb_diff = {
    .name = "diff",
    .group = GROUP_CONTAINERS,
    .alias = "container_diff",
    .arguments = "CONTAINER",
    .summary = "Show what a container has changed in its image's files",
    .description = "One line for each file or directory: A was added, C was changed (a directory "
                   "also when something in it was), D was deleted. What lies in volumes and other "
                   "mounts is no change of the image's files.",
    .examples = "caisson diff web\n"
                "caisson diff --format json web",
    .options = diff_table,
    .options_size = sizeof(struct diff_options),
    .least = 1,
    .most = 1,
    .completes = "container",
};

static const struct option export_table[] = {
    {"output", 'o', OPTION_STRING, offsetof(struct export_options, output), "FILE",
     "File to write instead of standard output"},
    {NULL},
};

const struct verb verb_export = {
    .name = "export",
    .group = GROUP_CONTAINERS,
    .alias = "container_export",
    .arguments = "CONTAINER",
    .summary = "Write a container's root file system as a tar",
    .description =
        "Writes the image's files with what the container changed, as caisson import reads them; "
        "without volumes and other mounts, and without what is in /proc, /sys and /dev. Owners are "
        "those that the container sees. The same files give the same bytes.",
    .examples = "caisson export -o web.tar web\n"
                "caisson export web | caisson import - web:flat",
    .options = export_table,
    .options_size = sizeof(struct export_options),
    .least = 1,
    .most = 1,
    .completes = "container",
};

static const struct option commit_table[] = {
    {"author", 'a', OPTION_STRING, offsetof(struct commit_options, author), "AUTHOR",
     "Who made the image"},
    {"change", 'c', OPTION_LIST, offsetof(struct commit_options, changes), "INSTRUCTION",
     "Carry out a Dockerfile instruction on the configuration, such as 'CMD [\"/app\"]'"},
    {"message", 'm', OPTION_STRING, offsetof(struct commit_options, message), "TEXT",
     "Comment for the image's history"},
    {"pause", 'p', OPTION_TRISTATE, offsetof(struct commit_options, pause), NULL,
     "Let the container stand still while it is read (the default; --pause=false lets it go on)"},
    {"quiet", 'q', OPTION_BOOL, offsetof(struct commit_options, quiet), NULL, "Give no warnings"},
    {"squash", 's', OPTION_STRING, offsetof(struct commit_options, ignored), NULL,
     "layers of the image stay: for a single one give caisson export and caisson import",
     .flags = OPTION_UNSUPPORTED},
    {"format", 'f', OPTION_STRING, offsetof(struct commit_options, ignored), "FORMAT",
     "images are OCI images here; caisson save writes them for Docker too",
     .flags = OPTION_UNSUPPORTED},
    {NULL},
};

const struct verb verb_commit = {
    .name = "commit",
    .group = GROUP_CONTAINERS,
    .alias = "container_commit",
    .arguments = "CONTAINER [REPOSITORY[:TAG]]",
    .summary = "Make an image of what a container has changed",
    .description =
        "The new image has the layers of the container's and one more: what the container wrote to "
        "its root file system. Its configuration is the container's: command, environment, user, "
        "working directory, labels. A container that wrote nothing gives an image that differs "
        "only in its configuration.\n\n"
        "Volumes, bind mounts, tmpfs and generated files such as /etc/hosts never get into an "
        "image. Variables of the environment do: there is a warning when one looks like a secret.",
    .examples = "caisson commit web web:patched\n"
                "caisson commit -m 'with tools' -c 'CMD [\"/bin/sh\"]' web tools:1",
    .options = commit_table,
    .options_size = sizeof(struct commit_options),
    .least = 1,
    .most = 2,
    .completes = "container",
};

const struct verb verb_commit_layer = {
    .name = "__commit",
    .arguments = "BASE CONFIG-FD VERDICT-FD [NAME]",
    .summary = "Make an image of a tar and a configuration: the worker's part of commit",
    .least = 3,
    .most = 4,
    .program = "caisson-image",
};

const struct verb verb_decompress = {
    .name = "__decompress",
    .arguments = "",
    .summary = "Decompress standard input: the worker's part of cp",
    .program = "caisson-image",
    .stateless = true,
};
