/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that look at containers or end them, as data. */
#include "cmd/container_options.h"
#include "cmd/list.h"
#include "cmd/verb.h"

static const struct option ps_table[] = {
    {"all", 'a', OPTION_BOOL, offsetof(struct ps_options, all), NULL,
     "Show also those that do not run"},
    {"filter", 'f', OPTION_LIST, offsetof(struct ps_options, filters), "KEY=VALUE",
     "Show only those with this name, id, status, label, ancestor, exited, level, "
     "network, volume, publish, expose, before or since"},
    {"format", 0, OPTION_STRING, offsetof(struct ps_options, format), "FORMAT", LIST_FORMAT_HELP},
    {"last", 'n', OPTION_COUNT, offsetof(struct ps_options, last), "N",
     "Show the last N created, running or not", .flags = OPTION_MINUS_ONE},
    {"latest", 'l', OPTION_BOOL, offsetof(struct ps_options, latest), NULL,
     "Show the last created, running or not"},
    {"no-trunc", 0, OPTION_BOOL, offsetof(struct ps_options, no_trunc), NULL,
     "Show everything in full"},
    {"quiet", 'q', OPTION_BOOL, offsetof(struct ps_options, quiet), NULL, "Print only ids"},
    {"size", 's', OPTION_BOOL, offsetof(struct ps_options, size), NULL,
     "Show what each has written to its root file system"},
    {NULL},
};

const struct verb verb_ps = {
    .name = "ps",
    .group = GROUP_CONTAINERS,
    .alias = "container_ls container_list",
    .arguments = "",
    .summary = "List containers",
    .description =
        "Lists the containers that run; with --all every container there is. The column LEVEL "
        "shows the security level and each protection that a flag relaxed.",
    .examples = "caisson ps\n"
                "caisson ps --all --filter status=exited --filter exited=137\n"
                "# Names and levels only\n"
                "caisson ps --format 'table {{.Names}}\\t{{.Level}}'",
    .options = ps_table,
    .options_size = sizeof(struct ps_options),
};

static const struct option inspect_table[] = {
    {"format", 'f', OPTION_STRING, offsetof(struct inspect_options, format), "FORMAT",
     "Print as json, or by a Go template such as '{{.State.Status}}'"},
    {"size", 's', OPTION_BOOL, offsetof(struct inspect_options, size), NULL,
     "Add SizeRw: what a container has written to its root file system"},
    {"type", 0, OPTION_STRING, offsetof(struct inspect_options, type), "TYPE",
     "Look only for a container, or only for an image",
     .words = (const char *const[]){"container", "image", NULL}},
    LATEST('l'),
    {NULL},
};

const struct verb verb_inspect = {
    .name = "inspect",
    .group = GROUP_CONTAINERS,
    .arguments = "NAME|ID [NAME|ID...]",
    .summary = "Show everything about containers or images",
    .description =
        "Prints JSON with Docker's names. A name that no container has is looked for among the "
        "images.\n\n"
        "Posture lists every protection: what was asked for (Asked), what is in force (InForce), "
        "why it is not more (Why), and the flag that would change it (Flag).",
    .examples = "caisson inspect web\n"
                "caisson inspect -f '{{.State.ExitCode}}' web\n"
                "# What protects this container?\n"
                "caisson inspect -f '{{range .Posture}}{{.Name}}: {{.InForce}}\\n{{end}}' web",
    .options = inspect_table,
    .options_size = sizeof(struct inspect_options),
    .least = 1,
    .most = -1,
    .completes = "container",
};

static const struct option logs_table[] = {
    {"follow", 'f', OPTION_BOOL, offsetof(struct logs_options, follow), NULL,
     "Go on until the container ends"},
    {"since", 0, OPTION_STRING, offsetof(struct logs_options, since), "TIME",
     "Show only what came after this time (2026-01-02T13:23:37Z) or age (42m)"},
    {"until", 0, OPTION_STRING, offsetof(struct logs_options, until), "TIME",
     "Show only what came before this time or age"},
    {"tail", 'n', OPTION_STRING, offsetof(struct logs_options, tail), "N",
     "Show only the last N lines (all)"},
    {"timestamps", 't', OPTION_BOOL, offsetof(struct logs_options, timestamps), NULL,
     "Begin each line with its time"},
    LATEST('l'),
    {NULL},
};

const struct verb verb_logs = {
    .name = "logs",
    .group = GROUP_CONTAINERS,
    .arguments = "CONTAINER",
    .summary = "Show what a container printed",
    .description =
        "Shows the output of a container that runs or ran; what it wrote to standard "
        "error goes to standard error. A container that was run in the foreground with --rm keeps "
        "no log.",
    .examples = "caisson logs web\n"
                "caisson logs -f --tail 20 web\n"
                "caisson logs --since 10m --timestamps web",
    .options = logs_table,
    .options_size = sizeof(struct logs_options),
    .least = 1,
    .most = 1,
    .completes = "container",
};

static const struct option start_table[] = {
    {"attach", 'a', OPTION_BOOL, offsetof(struct start_words, attach), NULL,
     "Stay in the foreground: show its output, pass signals on, end with its exit code"},
    {"interactive", 'i', OPTION_BOOL, offsetof(struct start_words, interactive), NULL,
     "Pass our standard input on, in the foreground"},
    {"detach-keys", 0, OPTION_STRING, offsetof(struct start_words, detach_keys), "KEYS",
     "What is typed to leave a terminal (ctrl-p,ctrl-q; \"\": nothing is)"},
    LATEST('l'),
    {NULL},
};

const struct verb verb_start = {
    .name = "start",
    .group = GROUP_CONTAINERS,
    .arguments = "CONTAINER [CONTAINER...]",
    .summary = "Start containers that were created or have ended",
    .description = "Starts containers with what they were created with. Prints the names as given.",
    .examples = "caisson start web\n"
                "# And see what it says\n"
                "caisson start -a web",
    .options = start_table,
    .options_size = sizeof(struct start_words),
    .least = 1,
    .most = -1,
    .completes = "container",
};

static const struct option stop_table[] = {
    {"signal", 's', OPTION_STRING, offsetof(struct stop_options, signal), "SIGNAL",
     "Send this instead of the container's stop signal"},
    {"timeout", 't', OPTION_COUNT, offsetof(struct stop_options, timeout), "SECONDS",
     "Kill it after this time (the container's, usually 10; -1: never)", .flags = OPTION_MINUS_ONE},
    {"time", 0, OPTION_COUNT, offsetof(struct stop_options, timeout), "SECONDS",
     "The same as --timeout", .flags = OPTION_MINUS_ONE | OPTION_HIDDEN},
    LATEST('l'),
    {NULL},
};

const struct verb verb_stop = {
    .name = "stop",
    .group = GROUP_CONTAINERS,
    .arguments = "CONTAINER [CONTAINER...]",
    .summary = "Ask containers to end, then make them",
    .description =
        "Sends SIGTERM, or the signal that the image or --stop-signal names, and SIGKILL when the "
        "time is over. Several containers are stopped at the same time.",
    .examples = "caisson stop web\n"
                "caisson stop -t 30 web database",
    .options = stop_table,
    .options_size = sizeof(struct stop_options),
    .least = 1,
    .most = -1,
    .completes = "running",
};

static const struct option kill_table[] = {
    {"signal", 's', OPTION_STRING, offsetof(struct kill_options, signal), "SIGNAL",
     "Send this instead of SIGKILL"},
    LATEST('l'),
    {NULL},
};

const struct verb verb_kill = {
    .name = "kill",
    .group = GROUP_CONTAINERS,
    .arguments = "CONTAINER [CONTAINER...]",
    .summary = "Send a signal to containers",
    .description = "Sends SIGKILL, or another signal, to the first process of each container.",
    .examples = "caisson kill web\n"
                "caisson kill -s HUP web",
    .options = kill_table,
    .options_size = sizeof(struct kill_options),
    .least = 1,
    .most = -1,
    .completes = "running",
};

static const struct option latest_table[] = {LATEST('l'), {NULL}};

const struct verb verb_wait = {
    .name = "wait",
    .group = GROUP_CONTAINERS,
    .arguments = "CONTAINER [CONTAINER...]",
    .summary = "Wait until containers have ended",
    .description = "Waits for one after the other and prints their exit codes.",
    .examples = "caisson wait web",
    .options = latest_table,
    .least = 1,
    .most = -1,
    .completes = "running",
};

static const struct option rm_table[] = {
    {"force", 'f', OPTION_BOOL, offsetof(struct rm_options, force), NULL,
     "Kill those that run; those that are not there are no error"},
    {"volumes", 'v', OPTION_BOOL, offsetof(struct rm_options, volumes), NULL,
     "Remove their anonymous volumes too, but for those that other containers use"},
    {"link", 'l', OPTION_BOOL, offsetof(struct rm_options, force), NULL,
     "links between containers do not exist; containers on one network know each other by name",
     .flags = OPTION_UNSUPPORTED},
    LATEST(0),
    {NULL},
};

const struct verb verb_rm = {
    .name = "rm",
    .group = GROUP_CONTAINERS,
    .alias = "container_remove",
    .arguments = "CONTAINER [CONTAINER...]",
    .summary = "Remove containers",
    .description =
        "Removes containers with all that they wrote to their root file system and their logs.",
    .examples = "caisson rm web\n"
                "# Also when it runs, with its anonymous volumes\n"
                "caisson rm -f -v web",
    .options = rm_table,
    .options_size = sizeof(struct rm_options),
    .least = 1,
    .most = -1,
    .completes = "container",
};

static const struct option stats_table[] = {
    {"all", 'a', OPTION_BOOL, offsetof(struct stats_options, all), NULL,
     "Show also those that do not run"},
    {"format", 0, OPTION_STRING, offsetof(struct stats_options, format), "FORMAT",
     LIST_FORMAT_HELP},
    {"no-stream", 0, OPTION_BOOL, offsetof(struct stats_options, no_stream), NULL,
     "Print once and end"},
    {"no-trunc", 0, OPTION_BOOL, offsetof(struct stats_options, no_trunc), NULL,
     "Show ids in full"},
    LATEST('l'),
    {NULL},
};

const struct verb verb_stats = {
    .name = "stats",
    .group = GROUP_CONTAINERS,
    .arguments = "[CONTAINER...]",
    .summary = "Show what containers use of the machine",
    .description =
        "Shows processor, memory, input and output and processes of running containers, on a "
        "terminal again every second. Numbers come from the control group; what a host does not "
        "count is shown as --.",
    .examples = "caisson stats\n"
                "caisson stats --no-stream --format '{{.Name}} {{.MemUsage}}'",
    .options = stats_table,
    .options_size = sizeof(struct stats_options),
    .most = -1,
    .completes = "running",
};

const struct verb verb_top = {
    .name = "top",
    .group = GROUP_CONTAINERS,
    .arguments = "CONTAINER",
    .summary = "List the processes of a container",
    .description = "Lists the processes with their numbers on the host.",
    .examples = "caisson top web",
    .options = latest_table,
    .least = 1,
    .most = 1,
    .completes = "running",
};

static const struct option info_table[] = {
    {"format", 'f', OPTION_STRING, offsetof(struct info_options, format), "FORMAT",
     "Print as json, or by a Go template"},
    {NULL},
};

const struct verb verb_info = {
    .name = "info",
    .group = GROUP_SYSTEM,
    .alias = "system_info",
    .arguments = "",
    .summary = "Show what this machine offers and what is on it",
    .description =
        "Shows versions, where things are stored, how many containers there are, and for each "
        "protection what this kernel and this user can have.",
    .examples = "caisson info\n"
                "caisson info --format json",
    .options = info_table,
    .options_size = sizeof(struct info_options),
};

const struct verb verb_health = {
    .name = "__health",
    .arguments = "ID",
    .summary = "Check a container's health once: for the monitor",
    .least = 1,
    .most = 1,
};

const struct verb verb_ended = {
    .name = "__ended",
    .arguments = "ID",
    .summary = "Clean up after a container: the monitor's last words",
    .least = 1,
    .most = 1,
};
