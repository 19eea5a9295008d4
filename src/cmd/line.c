/* SPDX-License-Identifier: Apache-2.0 */
/* caisson's own command line, as data: what is before the verb, and around the verbs. */
#include "cmd/verb.h"
#include "cmd/version.h"

static const struct option global_option_table[] = {
    {"root", 0, OPTION_STRING, offsetof(struct global_options, root), "DIR",
     "Directory for what outlives a boot: images, containers, volumes"},
    {"state", 0, OPTION_STRING, offsetof(struct global_options, state), "DIR",
     "Directory for what does not outlive a boot"},
    {"help", 0, OPTION_BOOL, 0, NULL, "Show help, for a command when one is given"},
    {"version", 'v', OPTION_BOOL, 0, NULL, "Show the version in one line"},
    {NULL},
};

static const char *const groups[] = {GROUP_CONTAINERS, GROUP_IMAGES, GROUP_VOLUMES,
                                     GROUP_NETWORKS,   GROUP_SYSTEM, NULL};

static const char manual[] =
    ".SH ENVIRONMENT\n"
    ".TP\n.B CAISSON_ROOT\nWhere images, containers and volumes are, as \\fB\\-\\-root\\fR.\n"
    ".TP\n.B CAISSON_STATE\nWhere the state of running containers is, as "
    "\\fB\\-\\-state\\fR.\n"
    ".TP\n.B CAISSON_HINTS\n\"no\": neither hints why a command failed nor warnings of limits "
    "that "
    "are not in force.\n"
    ".TP\n.B CAISSON_STEP_LOG\nBytes of what one step of a build prints that are told (2m); \\-1 "
    "for "
    "all. Of a step that fails the last lines are told as well.\n"
    ".TP\n.B CONTAINERS_POLICY\nA policy.json that says who has to have signed what is pulled, in "
    "the place of those under FILES.\n"
    ".TP\n.B COSIGN_PASSWORD\nThe passphrase of the key for image sign and image keygen.\n"
    ".TP\n.B NO_COLOR\nNo colours, also on terminals.\n"
    ".SH FILES\n"
    ".TP\n.I /var/lib/caisson\nWhat outlives a boot; for an ordinary user "
    "\\fI$XDG_DATA_HOME/caisson\\fR (\\fI\\(ti/.local/share/caisson\\fR).\n"
    ".TP\n.I \\(ti/.config/containers/policy.json, /etc/containers/policy.json\nWho has to have "
    "signed what is pulled (containers\\-policy.json(5)).\n"
    ".TP\n.I /run/caisson\nWhat does not; for an ordinary user "
    "\\fI$XDG_RUNTIME_DIR/caisson\\fR.\n";

const struct command_line caisson_line = {
    .name = "caisson",
    .summary = "Containers that are hardened unless told otherwise",
    .description = "caisson stores and runs containers with Docker's words and the formats of the "
                   "OCI, without a daemon. Every container is hardened unless told otherwise, and "
                   "every protection has one flag that turns it off.",
    .verbs = all_verbs,
    .globals = global_option_table,
    .global_values = &global_options,
    .groups = groups,
    .manual = manual,
    .list_all = "caisson ps -a --format '{{.Names}}'",
    .list_running = "caisson ps --format '{{.Names}}'",
    .version = version_line,
    .long_forms = true,
};
