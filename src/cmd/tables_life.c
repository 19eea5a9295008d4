/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that change containers which are there, as data. */
#include "cmd/container_options.h"
#include "cmd/list.h"
#include "cmd/verb.h"
#include "container/request.h"

static const struct option attach_table[] = {
    {"no-stdin", 0, OPTION_BOOL, offsetof(struct attach_words, no_stdin), NULL,
     "Only look: what we read does not go to it"},
    {"sig-proxy", 0, OPTION_TRISTATE, offsetof(struct attach_words, sig_proxy), NULL,
     "Pass our signals on (the default)"},
    {"detach-keys", 0, OPTION_STRING, offsetof(struct attach_words, detach_keys), "KEYS",
     "What is typed to leave a terminal (ctrl-p,ctrl-q; \"\": nothing is)"},
    LATEST('l'),
    {NULL},
};

const struct verb verb_attach = {
    .name = "attach",
    .group = GROUP_CONTAINERS,
    .alias = "container_attach",
    .arguments = "CONTAINER",
    .summary = "Be at the streams of a container that runs",
    .description =
        "Shows what the container prints from now on, and passes what is typed to it where it was "
        "made with -i. Ends with the container, and with its exit code; at a terminal ctrl-p "
        "ctrl-q leaves and lets it go on. Several can be attached to one container. Who takes "
        "nothing of its output for 5 seconds is cut off, so that the container need not wait.",
    .examples = "caisson attach web\n"
                "# Without touching it\n"
                "caisson attach --no-stdin --sig-proxy=false web",
    .options = attach_table,
    .options_size = sizeof(struct attach_words),
    .least = 1,
    .most = 1,
    .completes = "running",
};

static const struct option restart_table[] = {
    {"signal", 's', OPTION_STRING, offsetof(struct stop_options, signal), "SIGNAL",
     "Send this instead of the container's stop signal"},
    {"timeout", 't', OPTION_COUNT, offsetof(struct stop_options, timeout), "SECONDS",
     "Kill it after this time (the container's, usually 10; -1: never)", .flags = OPTION_MINUS_ONE},
    {"time", 0, OPTION_COUNT, offsetof(struct stop_options, timeout), "SECONDS",
     "The same as --timeout", .flags = OPTION_MINUS_ONE | OPTION_HIDDEN},
    LATEST('l'),
    {NULL},
};

const struct verb verb_restart = {
    .name = "restart",
    .group = GROUP_CONTAINERS,
    .alias = "container_restart",
    .arguments = "CONTAINER [CONTAINER...]",
    .summary = "Stop containers and start them again",
    .description = "Stops each container as stop does, if it runs, and starts it detached with "
                   "what it was created with.",
    .examples = "caisson restart web\n"
                "caisson restart -t 30 web database",
    .options = restart_table,
    .options_size = sizeof(struct stop_options),
    .least = 1,
    .most = -1,
    .completes = "container",
};

static const struct option latest_table[] = {LATEST('l'), {NULL}};

const struct verb verb_pause = {
    .name = "pause",
    .group = GROUP_CONTAINERS,
    .alias = "container_pause",
    .arguments = "CONTAINER [CONTAINER...]",
    .summary = "Freeze all processes of containers",
    .description = "Freezes the container's control group: its processes keep their memory and "
                   "descriptors and get no processor time until unpause. Nothing inside notices.",
    .examples = "caisson pause web",
    .options = latest_table,
    .least = 1,
    .most = -1,
    .completes = "running",
};

const struct verb verb_unpause = {
    .name = "unpause",
    .group = GROUP_CONTAINERS,
    .alias = "container_unpause",
    .arguments = "CONTAINER [CONTAINER...]",
    .summary = "Let paused containers go on",
    .description = "Thaws the control group: every process goes on where it was.",
    .examples = "caisson unpause web",
    .options = latest_table,
    .least = 1,
    .most = -1,
    .completes = "running",
};

const struct verb verb_rename = {
    .name = "rename",
    .group = GROUP_CONTAINERS,
    .alias = "container_rename",
    .arguments = "CONTAINER NEW-NAME",
    .summary = "Give a container another name",
    .description = "The new name works at once, also for a container that runs; its host name "
                   "stays.",
    .examples = "caisson rename web web-old",
    .least = 2,
    .most = 2,
    .completes = "container",
};

#define AT(field) offsetof(struct request, field)
/* clang-format off: a line each, as in tables_run.c */
static const struct option update_table[] = {
    {"memory", 'm', OPTION_SIZE, AT(memory), "BYTES", "Memory (-1: no limit)",
     .flags = OPTION_MINUS_ONE},
    {"memory-swap", 0, OPTION_SIZE, AT(memory_swap), "BYTES",
     "Memory and swap together (-1: no limit)", .flags = OPTION_MINUS_ONE},
    {"memory-reservation", 0, OPTION_SIZE, AT(memory_reservation), "BYTES",
     "What it keeps when memory is short"},
    {"cpus", 0, OPTION_STRING, AT(cpus), "N", "Processors it may use, such as 1.5"},
    {"cpu-shares", 'c', OPTION_COUNT, AT(cpu_shares), "N", "Weight against other containers"},
    {"cpu-quota", 0, OPTION_COUNT, AT(cpu_quota), "MICROSECONDS", "Time in each period",
     .flags = OPTION_MINUS_ONE},
    {"cpu-period", 0, OPTION_COUNT, AT(cpu_period), "MICROSECONDS", "Length of a period"},
    {"cpuset-cpus", 0, OPTION_STRING, AT(cpuset_cpus), "LIST", "Processors it may run on: 0-2,4"},
    {"cpuset-mems", 0, OPTION_STRING, AT(cpuset_mems), "LIST", "Memory nodes it may use"},
    {"pids-limit", 0, OPTION_COUNT, AT(pids), "N", "Processes and threads (-1: no limit)",
     .flags = OPTION_MINUS_ONE},
    {"blkio-weight", 0, OPTION_COUNT, AT(blkio_weight), "N",
     "Weight of block input and output (10 to 1000)"},
    {"restart", 0, OPTION_STRING, AT(restart), "POLICY",
     "When to start it again: no, always, unless-stopped or on-failure[:TIMES]"},
    {"cpu-rt-period", 0, OPTION_STRING, AT(format), "MICROSECONDS",
     "control groups v2 have no real-time limits", .flags = OPTION_UNSUPPORTED},
    {"cpu-rt-runtime", 0, OPTION_STRING, AT(format), "MICROSECONDS",
     "control groups v2 have no real-time limits", .flags = OPTION_UNSUPPORTED},
    {"kernel-memory", 0, OPTION_STRING, AT(format), "BYTES",
     "kernel memory counts as memory: give --memory", .flags = OPTION_UNSUPPORTED},
    {NULL},
};
/* clang-format on */

const struct verb verb_update = {
    .name = "update",
    .group = GROUP_CONTAINERS,
    .alias = "container_update",
    .arguments = "CONTAINER [CONTAINER...]",
    .summary = "Change limits and restart policy of containers",
    .description = "Changes what is given and leaves the rest. In force at once where a container "
                   "runs; when the kernel refuses (less memory than is in use, say) nothing is "
                   "changed.",
    .examples = "caisson update --memory 1g --cpus 2 web\n"
                "caisson update --restart unless-stopped web database",
    .options = update_table,
    .options_size = sizeof(struct request),
    .least = 1,
    .most = -1,
    .completes = "container",
};

static const struct option container_prune_table[] = {
    {"filter", 0, OPTION_LIST, offsetof(struct container_prune_options, filters), "KEY=VALUE",
     "Remove only what matches: label=, label!=, until="},
    {"force", 'f', OPTION_BOOL, offsetof(struct container_prune_options, force), NULL,
     "Do not ask first"},
    {NULL},
};

const struct verb verb_container_prune = {
    .name = "container prune",
    .group = GROUP_CONTAINERS,
    .arguments = "",
    .summary = "Remove all containers that do not run",
    .description = "Removes containers that were created or have ended, with their root file "
                   "systems, logs and anonymous volumes, and what killed commands left behind.",
    .examples = "caisson container prune\n"
                "# Without a question, what was created more than a day ago\n"
                "caisson container prune -f --filter until=24h",
    .options = container_prune_table,
    .options_size = sizeof(struct container_prune_options),
};

static const struct option events_table[] = {
    {"since", 0, OPTION_STRING, offsetof(struct events_options, since), "TIME",
     "Also what happened since then: a time, or an age such as 10m"},
    {"until", 0, OPTION_STRING, offsetof(struct events_options, until), "TIME",
     "End at this time, and do not wait for more"},
    {"filter", 'f', OPTION_LIST, offsetof(struct events_options, filters), "KEY=VALUE",
     "Only what matches: container=, event=, image=, label=, network=, type=, "
     "volume="},
    {"format", 0, OPTION_STRING, offsetof(struct events_options, format), "FORMAT",
     "Print as json, or by a Go template such as '{{.Action}}'"},
    {NULL},
};

const struct verb verb_events = {
    .name = "events",
    .alias = "system_events",
    .group = GROUP_SYSTEM,
    .arguments = "",
    .summary = "Show what happens to containers, images, networks and volumes, as it happens",
    .description = "Prints a line for each event from now on. Of a container: create, start, "
                   "attach, exec_start, "
                   "exec_die, health_status, pause, unpause, update, rename, kill, stop, restart, "
                   "archive-path and extract-to-dir (cp), export, commit, oom, die, "
                   "destroy and prune. Of an image: import, load, save, tag, untag, delete and "
                   "prune. Of a volume: create, mount, unmount, destroy and prune. Of a network: "
                   "create, connect, disconnect, destroy and prune. What commands "
                   "did earlier is kept, about two megabytes of it, until "
                   "the next boot: "
                   "--since shows it.",
    .examples = "caisson events\n"
                "# How containers ended in the last hour\n"
                "caisson events --since 1h --until 0s --filter event=die --format json\n"
                "# Who came to a network, and who left\n"
                "caisson events --since 1h --until 0s --filter network=back\n"
                "# Who used a volume\n"
                "caisson events --since 24h --until 0s --filter volume=data",
    .options = events_table,
    .options_size = sizeof(struct events_options),
};

const struct verb verb_port = {
    .name = "port",
    .alias = "container_port",
    .group = GROUP_CONTAINERS,
    .arguments = "CONTAINER [PORT[/PROTOCOL]]",
    .summary = "Show where a container's ports are published",
    .description = "Prints a line for each published port of a running container, or where the "
                   "given one is published.",
    .examples = "caisson port web\n"
                "# Only where port 53 for datagrams is\n"
                "caisson port web 53/udp",
    .options = latest_table,
    .least = 1,
    .most = 2,
    .completes = "container",
};

static const struct option system_df_table[] = {
    {"format", 0, OPTION_STRING, offsetof(struct system_df_options, format), "FORMAT",
     LIST_FORMAT_HELP},
    {"verbose", 'v', OPTION_BOOL, offsetof(struct system_df_options, verbose), NULL,
     "A line for each image, container and volume"},
    {NULL},
};

const struct verb verb_system_df = {
    .name = "system df",
    .group = GROUP_SYSTEM,
    .arguments = "",
    .summary = "Show how much disk images, containers and volumes take",
    .description = "A layer counts once, however many images have it. What could be given back: "
                   "layers that only images have which no container uses, what containers wrote "
                   "that do not run, and volumes that no container uses.",
    .examples = "caisson system df\n"
                "caisson system df --format json",
    .options = system_df_table,
    .options_size = sizeof(struct system_df_options),
};

static const struct option system_prune_table[] = {
    {"all", 'a', OPTION_BOOL, offsetof(struct system_prune_options, all), NULL,
     "Also images that have a name and that no container uses"},
    {"volumes", 0, OPTION_BOOL, offsetof(struct system_prune_options, volumes), NULL,
     "Also anonymous volumes that no container uses"},
    {"filter", 0, OPTION_LIST, offsetof(struct system_prune_options, filters), "KEY=VALUE",
     "Remove only what matches: label=, label!=, until= (not with --volumes)"},
    {"force", 'f', OPTION_BOOL, offsetof(struct system_prune_options, force), NULL,
     "Do not ask first"},
    {NULL},
};

const struct verb verb_system_prune = {
    .name = "system prune",
    .group = GROUP_SYSTEM,
    .arguments = "",
    .summary = "Remove what nothing uses: containers that do not run, images without a name",
    .description = "container prune and image prune in one, with --volumes also volume prune; and "
                   "what killed commands left behind.",
    .examples = "caisson system prune\n"
                "# As much as possible, without a question\n"
                "caisson system prune -a --volumes -f",
    .options = system_prune_table,
    .options_size = sizeof(struct system_prune_options),
};

const struct verb verb_system_restore = {
    .name = "system restore",
    .group = GROUP_SYSTEM,
    .arguments = "",
    .summary = "Start what its restart policy wants to be running",
    .description =
        "For after a boot (caisson-restore.service calls it), and after a monitor was killed: "
        "starts containers with --restart always, those with unless-stopped that nobody stopped, "
        "and those with on-failure whose end nobody saw. A container that still runs but has lost "
        "its monitor is stopped first. Prints the names of those it started.",
    .examples = "caisson system restore",
};
