/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs for volumes, as data. */
#include "cmd/list.h"
#include "cmd/verb.h"
#include "cmd/volume_options.h"

/* clang-format off: a line each, as in tables_run.c */
#define CREATE(field) offsetof(struct volume_create_options, field)
static const struct option create_table[] = {
    {"label", 'l', OPTION_LIST, CREATE(labels), "NAME=VALUE", "Label the volume"},
    {"driver", 'd', OPTION_STRING, CREATE(driver), "DRIVER", "What keeps it: there is only local",
     .words = (const char *const[]){"local", NULL}},
    {"opt", 'o', OPTION_LIST, CREATE(options), "NAME=VALUE",
     "a volume is a directory: mount something of the host's with -v PATH:TARGET, a file system in "
     "memory with --tmpfs",
     .flags = OPTION_UNSUPPORTED},
    {NULL},
};

#define LS(field) offsetof(struct volume_ls_options, field)
static const struct option ls_table[] = {
    {"quiet", 'q', OPTION_BOOL, LS(quiet), NULL, "Print only names"},
    {"filter", 'f', OPTION_LIST, LS(filters), "KEY=VALUE",
     "Show only what matches: name=, label=, driver=, dangling=true|false"},
    {"format", 0, OPTION_STRING, LS(format), "FORMAT", LIST_FORMAT_HELP},
    {NULL},
};

static const struct option inspect_table[] = {
    {"format", 'f', OPTION_STRING, offsetof(struct volume_inspect_options, format), "FORMAT",
     "Print json, or by a Go template such as '{{.Mountpoint}}'"},
    {NULL},
};

static const struct option rm_table[] = {
    {"force", 'f', OPTION_BOOL, offsetof(struct volume_rm_options, force), NULL,
     "Do not mind those that are not there"},
    {NULL},
};

#define PRUNE(field) offsetof(struct volume_prune_options, field)
static const struct option prune_table[] = {
    {"all", 'a', OPTION_BOOL, PRUNE(all), NULL, "Named ones too"},
    {"filter", 0, OPTION_LIST, PRUNE(filters), "KEY=VALUE",
     "Remove only what matches: label=, label!=, all=true"},
    {"force", 'f', OPTION_BOOL, PRUNE(force), NULL, "Do not ask first"},
    {NULL},
};
/* clang-format on */

const struct verb verb_volume_create = {
    .name = "volume create",
    .group = GROUP_VOLUMES,
    .arguments = "[NAME]",
    .summary = "Make a volume",
    .description =
        "Makes an empty volume and prints its name; without NAME it gets one of 64 hexadecimal "
        "digits and counts as anonymous. One with this name that is there already is left as it "
        "is.\n\n"
        "A volume is a directory that containers share and that outlives them. The first container "
        "that mounts it while it is empty puts its image's files of that place into it. Its files "
        "have the ids of the containers, whichever range of ids each of them has.",
    .examples = "caisson volume create data\n"
                "caisson volume create -l project=shop data",
    .options = create_table,
    .options_size = sizeof(struct volume_create_options),
    .most = 1,
};

const struct verb verb_volume_ls = {
    .name = "volume ls",
    .alias = "volume_list",
    .group = GROUP_VOLUMES,
    .arguments = "",
    .summary = "List volumes",
    .description = "Lists volumes by name. A dangling one is mounted in no container, whether that "
                   "runs or not.",
    .examples = "caisson volume ls\n"
                "caisson volume ls --filter dangling=true\n"
                "caisson volume ls --format 'table {{.Name}}\\t{{.Links}}\\t{{.Size}}'",
    .options = ls_table,
    .options_size = sizeof(struct volume_ls_options),
};

const struct verb verb_volume_inspect = {
    .name = "volume inspect",
    .group = GROUP_VOLUMES,
    .arguments = "VOLUME [VOLUME...]",
    .summary = "Show everything known of volumes",
    .description =
        "Prints volumes as JSON. Mountpoint is the directory with its files; what is in "
        "it belongs to containers, so a program of the host's should not follow symlinks "
        "there.",
    .examples = "caisson volume inspect data\n"
                "caisson volume inspect -f '{{.Mountpoint}}' data",
    .options = inspect_table,
    .options_size = sizeof(struct volume_inspect_options),
    .least = 1,
    .most = -1,
    .completes = "volume",
};

const struct verb verb_volume_rm = {
    .name = "volume rm",
    .alias = "volume_remove",
    .group = GROUP_VOLUMES,
    .arguments = "VOLUME [VOLUME...]",
    .summary = "Remove volumes",
    .description =
        "Removes volumes with all that is in them. One that a container uses, whether it "
        "runs or not, is not removed.",
    .examples = "caisson volume rm data",
    .options = rm_table,
    .options_size = sizeof(struct volume_rm_options),
    .least = 1,
    .most = -1,
    .completes = "volume",
};

const struct verb verb_volume_prune = {
    .name = "volume prune",
    .group = GROUP_VOLUMES,
    .arguments = "",
    .summary = "Remove volumes that no container uses",
    .description = "Removes anonymous volumes that no container uses, with -a also those with a "
                   "name of their own, and what killed commands left behind.",
    .examples = "caisson volume prune\n"
                "# Without a question, also those with a name\n"
                "caisson volume prune -a -f",
    .options = prune_table,
    .options_size = sizeof(struct volume_prune_options),
};
