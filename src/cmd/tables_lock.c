/* SPDX-License-Identifier: Apache-2.0 */
/* lock, as data. Carried out by caisson-build, and by caisson-image for what is asked of
 * registries. */
#include "cmd/lock_options.h"
#include "cmd/option_groups.h"

#define OF(field) offsetof(struct lock_options, field)

static const struct option lock_table[] = {
    {"file", 'f', OPTION_LIST, OF(files), "FILE",
     "Dockerfile or compose file (those of the directory by their usual names)"},
    {"build-arg", 0, OPTION_LIST, OF(build_args), "NAME[=VALUE]",
     "Value of an ARG that names of images are made with; without =, that of our own variable"},
    {"build-context", 0, OPTION_LIST, OF(contexts), "NAME=DIR|URL|docker-image://IMAGE",
     "What stands for an image or stage of this name when building"},
    {"target", 0, OPTION_STRING, OF(target), "STAGE",
     "Only images that this stage needs (those of all stages)"},
    {"update", 'u', OPTION_BOOL, OF(update), NULL,
     "Ask for the digests of names that are locked already, too"},
    {"prune", 0, OPTION_BOOL, OF(prune), NULL, "Take out names that none of the files has"},
    {"check", 0, OPTION_BOOL, OF(check), NULL,
     "Ask and write nothing: end with 1 when a name is not locked"},
    {"lock-file", 0, OPTION_STRING, OF(lock_file), "FILE",
     "The lock file (caisson.lock in the directory)"},
    {"quiet", 'q', OPTION_BOOL, OF(quiet), NULL, "Say nothing of what was done"},
    REACH_FILE_OPTIONS(lock_options),
    /* Known from pull, and refused: see command_lock(). */
    {"creds", 0, OPTION_STRING, OF(reach.creds), "USER:PASSWORD", "Sign in with these",
     .flags = OPTION_HIDDEN},
    {NULL},
};

const struct verb verb_lock = {
    .name = "lock",
    .group = GROUP_IMAGES,
    .arguments = "[DIRECTORY]",
    .summary = "Write down the digests of a project's images, for builds to be held to",
    .description =
        "Finds the images that the Dockerfiles and compose files of a directory (.) name, asks "
        "their registries what the names stand for, and writes that to caisson.lock, which "
        "belongs to the sources. From then on a build of this directory uses these images and no "
        "others, whatever becomes of the tags, and caisson pull in this directory fetches them. "
        "A build whose Dockerfile names an image that is not locked is refused.\n\n"
        "Names that are locked already stay as they are: --update asks for them anew and says "
        "what has moved. Digests are those of whole images, for every platform. Names with a "
        "digest need none; images that were made or loaded here are no registry's and are left "
        "out, which is said.\n\n"
        "Compose files are read for their images alone: variables whose names look like a secret's "
        "stand for the word \"withheld\", for a name is told to the registry that the file "
        "chose. What they include, extend and build from has to lie in the project.",
    .examples = "caisson lock\n"
                "# What has moved since\n"
                "caisson lock --update\n"
                "# In CI: is everything locked?\n"
                "caisson lock --check\n"
                "caisson lock -f Dockerfile -f Dockerfile.dev -f compose.yaml",
    .options = lock_table,
    .options_size = sizeof(struct lock_options),
    .least = 0,
    .most = 1,
    .program = "caisson-build",
    .completes = "file",
};
