/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of caisson-runtime as data: runc's and crun's words. */
#include "cmd/runtime_line.h"
#include "cmd/runtime_options.h"

struct runtime_globals runtime_globals;

#define GLOBAL(field) offsetof(struct runtime_globals, field)
static const char *const log_formats[] = {"text", "json", NULL};
static const char *const managers[] = {"cgroupfs", "disabled", "systemd", NULL};

/* clang-format off: a line each, as in tables_run.c */
static const struct option globals[] = {
    {"root", 0, OPTION_STRING, GLOBAL(root), "DIR",
     "Directory for the state of containers (/run/caisson-runtime)"},
    {"log", 0, OPTION_STRING, GLOBAL(log), "FILE", "Append errors and warnings to this file, too"},
    {"log-format", 0, OPTION_STRING, GLOBAL(log_format), "FORMAT", "What the file holds",
     .words = log_formats},
    {"log-level", 0, OPTION_STRING, GLOBAL(log_level), "LEVEL",
     "Taken for crun's sake: errors and warnings are logged", .flags = OPTION_HIDDEN},
    {"debug", 0, OPTION_BOOL, GLOBAL(debug), NULL, "Tell warnings also on standard error"},
    {"systemd-cgroup", 0, OPTION_BOOL, GLOBAL(systemd_cgroup), NULL,
     "Have systemd make control groups: cgroupsPath is slice:prefix:name"},
    {"cgroup-manager", 0, OPTION_STRING, GLOBAL(cgroup_manager), "MANAGER",
     "Who makes control groups: cgroupfs (this program), or systemd", .words = managers},
    {"rootless", 0, OPTION_STRING, GLOBAL(rootless), "WHEN",
     "Taken for runc's sake: whether the user is root shows by itself"},
    {"help", 0, OPTION_BOOL, 0, NULL, "Show help, for a command when one is given"},
    {"version", 'v', OPTION_BOOL, 0, NULL,
     "Show versions: of the program and of the specification"},
    {NULL},
};
/* clang-format on */

#define CREATE(field) offsetof(struct runtime_create_options, field)
#define CREATE_OPTIONS                                                                             \
    {"bundle",       'b',   OPTION_STRING,                                                         \
     CREATE(bundle), "DIR", "Directory with config.json (the current one)"},                       \
        {"console-socket",       0,      OPTION_STRING,                                            \
         CREATE(console_socket), "PATH", "Unix socket that the terminal is sent to"},              \
        {"pid-file",       0,      OPTION_STRING,                                                  \
         CREATE(pid_file), "FILE", "Write the number of the first process to this file"},          \
        {"preserve-fds",       0,   OPTION_COUNT,                                                  \
         CREATE(preserve_fds), "N", "Hand N descriptors, from 3 on, to the container"},            \
        {"no-new-keyring",       0,    OPTION_BOOL,                                                \
         CREATE(no_new_keyring), NULL, "Keep the session keyring of the caller"},                  \
    {                                                                                              \
        "no-pivot", 0, OPTION_BOOL, CREATE(no_new_keyring), NULL,                                  \
            "without pivot_root(2) the host's files stay within reach of a privileged "            \
            "container; unpack the root file system on a file system of its own, such as a tmpfs", \
            .flags = OPTION_UNSUPPORTED                                                            \
    }

static const struct option create_table[] = {CREATE_OPTIONS, {NULL}};

const struct verb verb_runtime_create = {
    .name = "create",
    .group = GROUP_CONTAINERS,
    .arguments = "ID",
    .summary = "Make a container from a bundle, up to its command",
    .description = "Reads config.json, makes namespaces, control group and mounts, and leaves the "
                   "first process waiting for start. Every member of runtime-spec 1.2 is either "
                   "honoured or refused by name.",
    .examples = "caisson-runtime create --bundle /srv/web web",
    .options = create_table,
    .options_size = sizeof(struct runtime_create_options),
    .least = 1,
    .most = 1,
    .stateless = true,
};

const struct verb verb_runtime_start = {
    .name = "start",
    .group = GROUP_CONTAINERS,
    .arguments = "ID",
    .summary = "Let a created container execute its command",
    .description = "Returns once the command is executed, after the poststart hooks; an error says "
                   "why it could not be.",
    .examples = "caisson-runtime start web",
    .least = 1,
    .most = 1,
    .completes = "container",
    .stateless = true,
};

static const struct option run_table[] = {
    CREATE_OPTIONS,
    {"detach", 'd', OPTION_BOOL, CREATE(detach), NULL, "Return when the command runs"},
    {"keep", 0, OPTION_BOOL, CREATE(keep), NULL, "Do not delete the container when it has ended"},
    {"no-subreaper", 0, OPTION_BOOL, CREATE(no_subreaper), NULL,
     "Taken for runc's sake: only processes of the container are waited for",
     .flags = OPTION_HIDDEN},
    {NULL},
};

const struct verb verb_runtime_run = {
    .name = "run",
    .group = GROUP_CONTAINERS,
    .arguments = "ID",
    .summary = "Create, start, wait and delete in one",
    .description = "Passes signals on to the container and ends with the status of its command. "
                   "With process.terminal the caller's terminal is its terminal, unless "
                   "--console-socket is given.",
    .examples = "caisson-runtime run --bundle /srv/web web\n"
                "# In the background\n"
                "caisson-runtime run -d --pid-file web.pid --bundle /srv/web web",
    .options = run_table,
    .options_size = sizeof(struct runtime_create_options),
    .least = 1,
    .most = 1,
    .stateless = true,
};

#define EXEC(field) offsetof(struct runtime_exec_options, field)
static const struct option exec_table[] = {
    {"process", 'p', OPTION_STRING, EXEC(process), "FILE",
     "The process as JSON, instead of words and options"},
    {"tty", 't', OPTION_BOOL, EXEC(terminal), NULL, "Give it a terminal"},
    {"console-socket", 0, OPTION_STRING, EXEC(console_socket), "PATH",
     "Unix socket that the terminal is sent to"},
    {"detach", 'd', OPTION_BOOL, EXEC(detach), NULL, "Return when the command runs"},
    {"pid-file", 0, OPTION_STRING, EXEC(pid_file), "FILE",
     "Write the number of the process to this file"},
    {"cwd", 0, OPTION_STRING, EXEC(cwd), "DIR", "Working directory"},
    {"env", 'e', OPTION_LIST, EXEC(env), "NAME=VALUE", "Set a variable"},
    {"user", 'u', OPTION_STRING, EXEC(user), "UID[:GID]", "Run as this user, by number"},
    {"additional-gids", 'g', OPTION_LIST, EXEC(groups), "GID", "One more group"},
    {"cap", 'c', OPTION_LIST, EXEC(caps), "CAPABILITY", "One more capability of the container's"},
    {"no-new-privs", 0, OPTION_TRISTATE, EXEC(no_new_privs), NULL,
     "Whether what it executes may gain rights"},
    {"apparmor", 0, OPTION_STRING, EXEC(apparmor), "PROFILE", "AppArmor profile"},
    {"process-label", 0, OPTION_STRING, EXEC(process_label), "LABEL", "SELinux label"},
    {"preserve-fds", 0, OPTION_COUNT, EXEC(preserve_fds), "N",
     "Hand N descriptors, from 3 on, to the process"},
    {"ignore-paused", 0, OPTION_BOOL, EXEC(ignore_paused), NULL,
     "Start it even when the container is paused: it runs on resume"},
    {"cgroup", 0, OPTION_STRING, EXEC(cgroup), "PATH",
     "it runs in the container's group, under the container's limits", .flags = OPTION_UNSUPPORTED},
    {NULL},
};

const struct verb verb_runtime_exec = {
    .name = "exec",
    .group = GROUP_CONTAINERS,
    .arguments = "ID [COMMAND] [ARG...]",
    .summary = "Run one more process in a container",
    .description = "In the container's namespaces and control group, behind its filter of system "
                   "calls, with the rights of its first process unless told otherwise.",
    .examples = "caisson-runtime exec web ls -l /\n"
                "caisson-runtime exec --process process.json --detach --pid-file ls.pid web",
    .options = exec_table,
    .options_size = sizeof(struct runtime_exec_options),
    .least = 1,
    .most = -1,
    .stop_at_argument = true,
    .completes = "container",
    .failure = 255,
    .stateless = true,
};

static const struct option kill_table[] = {
    {"all", 'a', OPTION_BOOL, offsetof(struct runtime_kill_options, all), NULL,
     "Signal every process of the container's control group"},
    {NULL},
};

const struct verb verb_runtime_kill = {
    .name = "kill",
    .group = GROUP_CONTAINERS,
    .arguments = "ID [SIGNAL]",
    .summary = "Send a signal to a container's first process",
    .description = "SIGTERM, unless another is named: KILL, SIGKILL or 9.",
    .examples = "caisson-runtime kill web KILL",
    .options = kill_table,
    .options_size = sizeof(struct runtime_kill_options),
    .least = 1,
    .most = 2,
    .completes = "container",
    .stateless = true,
};

static const struct option delete_table[] = {
    {"force", 'f', OPTION_BOOL, offsetof(struct runtime_delete_options, force), NULL,
     "Kill it first where it runs; one that is not there is no error"},
    {NULL},
};

const struct verb verb_runtime_delete = {
    .name = "delete",
    .group = GROUP_CONTAINERS,
    .arguments = "ID",
    .summary = "Remove what is left of a stopped container",
    .description = "Ends whatever is left in its control group, removes that and the state, and "
                   "runs the poststop hooks. The bundle stays.",
    .examples = "caisson-runtime delete web",
    .options = delete_table,
    .options_size = sizeof(struct runtime_delete_options),
    .least = 1,
    .most = 1,
    .completes = "container",
    .stateless = true,
};

const struct verb verb_runtime_pause = {
    .name = "pause",
    .group = GROUP_CONTAINERS,
    .arguments = "ID",
    .summary = "Freeze all processes of a container",
    .description = "Freezes its control group: processes keep what they have and get no processor "
                   "time until resume.",
    .examples = "caisson-runtime pause web",
    .least = 1,
    .most = 1,
    .completes = "container",
    .stateless = true,
};

const struct verb verb_runtime_resume = {
    .name = "resume",
    .group = GROUP_CONTAINERS,
    .arguments = "ID",
    .summary = "Let a paused container go on",
    .description = "Thaws its control group.",
    .examples = "caisson-runtime resume web",
    .least = 1,
    .most = 1,
    .completes = "container",
    .stateless = true,
};

#define UPDATE(field) offsetof(struct runtime_update_options, field)
static const struct option update_table[] = {
    {"resources", 'r', OPTION_STRING, UPDATE(resources), "FILE",
     "Limits as linux.resources has them, as JSON (-: standard input)"},
    {"memory", 0, OPTION_SIZE, UPDATE(memory), "BYTES", "Memory (-1: no limit)",
     .flags = OPTION_MINUS_ONE},
    {"memory-reservation", 0, OPTION_SIZE, UPDATE(memory_reservation), "BYTES",
     "What it keeps when memory is short", .flags = OPTION_MINUS_ONE},
    {"memory-swap", 0, OPTION_SIZE, UPDATE(memory_swap), "BYTES",
     "Memory and swap together (-1: no limit)", .flags = OPTION_MINUS_ONE},
    {"pids-limit", 0, OPTION_COUNT, UPDATE(pids), "N", "Processes and threads (-1: no limit)",
     .flags = OPTION_MINUS_ONE},
    {"cpu-share", 0, OPTION_COUNT, UPDATE(cpu_shares), "N", "Weight against other groups"},
    {"cpu-quota", 0, OPTION_COUNT, UPDATE(cpu_quota), "MICROSECONDS", "Time in each period",
     .flags = OPTION_MINUS_ONE},
    {"cpu-period", 0, OPTION_COUNT, UPDATE(cpu_period), "MICROSECONDS", "Length of a period"},
    {"cpu-burst", 0, OPTION_COUNT, UPDATE(cpu_burst), "MICROSECONDS",
     "Time of earlier periods that may be used up"},
    {"cpu-idle", 0, OPTION_COUNT, UPDATE(cpu_idle), "N", "1: only when nobody else wants to run"},
    {"cpuset-cpus", 0, OPTION_STRING, UPDATE(cpuset_cpus), "LIST", "Processors it may run on"},
    {"cpuset-mems", 0, OPTION_STRING, UPDATE(cpuset_mems), "LIST", "Memory nodes it may use"},
    {"blkio-weight", 0, OPTION_COUNT, UPDATE(blkio_weight), "N",
     "Weight of block input and output (10 to 1000)"},
    {"kernel-memory", 0, OPTION_STRING, UPDATE(resources), "BYTES",
     "kernel memory counts as memory: give --memory", .flags = OPTION_UNSUPPORTED},
    {"l3-cache-schema", 0, OPTION_STRING, UPDATE(resources), "SCHEMA", "cache is not divided",
     .flags = OPTION_UNSUPPORTED},
    {"mem-bw-schema", 0, OPTION_STRING, UPDATE(resources), "SCHEMA",
     "memory bandwidth is not divided", .flags = OPTION_UNSUPPORTED},
    {NULL},
};

const struct verb verb_runtime_update = {
    .name = "update",
    .group = GROUP_CONTAINERS,
    .arguments = "ID",
    .summary = "Change limits of a container",
    .description = "Changes what is given and leaves the rest; devices stay as they are.",
    .examples = "caisson-runtime update --memory 512m --pids-limit 100 web\n"
                "echo '{\"cpu\":{\"shares\":512}}' | caisson-runtime update -r - web",
    .options = update_table,
    .options_size = sizeof(struct runtime_update_options),
    .least = 1,
    .most = 1,
    .completes = "container",
    .stateless = true,
};

const struct verb verb_runtime_state = {
    .name = "state",
    .group = GROUP_CONTAINERS,
    .arguments = "ID",
    .summary = "Print the state of a container as JSON",
    .description = "The state of runtime-spec: id, status (creating, created, running, paused or "
                   "stopped), pid, bundle and annotations.",
    .examples = "caisson-runtime state web",
    .least = 1,
    .most = 1,
    .completes = "container",
    .stateless = true,
};

static const char *const list_formats[] = {"table", "json", NULL};
#define LIST(field) offsetof(struct runtime_list_options, field)
static const struct option ps_table[] = {
    {"format", 'f', OPTION_STRING, LIST(format), "FORMAT", "How to print them",
     .words = list_formats},
    {NULL},
};

const struct verb verb_runtime_ps = {
    .name = "ps",
    .group = GROUP_CONTAINERS,
    .arguments = "ID",
    .summary = "List the processes of a container",
    .description = "Numbers and commands of everything in its control group; as JSON the numbers "
                   "alone.",
    .examples = "caisson-runtime ps --format json web",
    .options = ps_table,
    .options_size = sizeof(struct runtime_list_options),
    .least = 1,
    .most = -1,
    .completes = "container",
    .stateless = true,
};

static const struct option list_table[] = {
    {"format", 'f', OPTION_STRING, LIST(format), "FORMAT", "How to print them",
     .words = list_formats},
    {"quiet", 'q', OPTION_BOOL, LIST(quiet), NULL, "Only ids"},
    {NULL},
};

const struct verb verb_runtime_list = {
    .name = "list",
    .group = GROUP_CONTAINERS,
    .alias = "ls",
    .arguments = "",
    .summary = "List containers",
    .description = "All that --root holds, whatever their status.",
    .examples = "caisson-runtime list\n"
                "caisson-runtime list --format json",
    .options = list_table,
    .options_size = sizeof(struct runtime_list_options),
    .stateless = true,
};

static const struct option events_table[] = {
    {"stats", 0, OPTION_BOOL, offsetof(struct runtime_events_options, stats), NULL,
     "Print what it uses now, once"},
    {"interval", 0, OPTION_STRING, offsetof(struct runtime_events_options, interval), "DURATION",
     "only --stats, once, is there: ask again", .flags = OPTION_UNSUPPORTED},
    {NULL},
};

const struct verb verb_runtime_events = {
    .name = "events",
    .group = GROUP_CONTAINERS,
    .arguments = "ID",
    .summary = "Print what a container uses as JSON",
    .description = "Processor time, memory and processes of its control group; with --stats, which "
                   "has to be given.",
    .examples = "caisson-runtime events --stats web",
    .options = events_table,
    .options_size = sizeof(struct runtime_events_options),
    .least = 1,
    .most = 1,
    .completes = "container",
    .stateless = true,
};

static const struct option spec_table[] = {
    {"bundle", 'b', OPTION_STRING, offsetof(struct runtime_spec_options, bundle), "DIR",
     "Where to write it (the current directory)"},
    {"rootless", 0, OPTION_BOOL, offsetof(struct runtime_spec_options, rootless), NULL,
     "For an ordinary user: a user namespace with the caller's id, no limits"},
    {NULL},
};

const struct verb verb_runtime_spec = {
    .name = "spec",
    .group = GROUP_SYSTEM,
    .arguments = "",
    .summary = "Write a config.json to begin with",
    .description = "As strict as a shell still is useful in: a read-only root, no capabilities, "
                   "no_new_privs, own namespaces. Does not replace one that is there.",
    .examples = "caisson-runtime spec --bundle /srv/web",
    .options = spec_table,
    .options_size = sizeof(struct runtime_spec_options),
    .stateless = true,
};

const struct verb verb_runtime_features = {
    .name = "features",
    .group = GROUP_SYSTEM,
    .arguments = "",
    .summary = "Print what config.json may ask for as JSON",
    .description = "The features document of runtime-spec: hooks, options of mounts, namespaces, "
                   "capabilities, seccomp and more, as this program and this host have them.",
    .examples = "caisson-runtime features",
    .stateless = true,
};

#define NO_CHECKPOINTS "checkpoints are not made: stop the container and run it again"
static const struct option checkpoint_table[] = {
    {"image-path", 0, OPTION_STRING, 0, "DIR", NO_CHECKPOINTS, .flags = OPTION_UNSUPPORTED},
    {"work-path", 0, OPTION_STRING, 0, "DIR", NO_CHECKPOINTS, .flags = OPTION_UNSUPPORTED},
    {"leave-running", 0, OPTION_BOOL, 0, NULL, NO_CHECKPOINTS, .flags = OPTION_UNSUPPORTED},
    {"bundle", 'b', OPTION_STRING, 0, "DIR", NO_CHECKPOINTS, .flags = OPTION_UNSUPPORTED},
    {NULL},
};

const struct verb verb_runtime_checkpoint = {
    .name = "checkpoint",
    .summary = "Refused: checkpoints are not made",
    .options = checkpoint_table,
    .most = -1,
    .stateless = true,
};

const struct verb verb_runtime_restore = {
    .name = "restore",
    .summary = "Refused: checkpoints are not made",
    .options = checkpoint_table,
    .most = -1,
    .stateless = true,
};

#define VERB(name) &verb_##name,
static const struct verb *const verbs[] = {
#include "cmd/runtime_verbs.list"
    NULL,
};
#undef VERB

static const char *const groups[] = {GROUP_CONTAINERS, GROUP_SYSTEM, NULL};

static const char manual[] =
    ".SH FILES\n"
    ".TP\n.I /run/caisson\\-runtime\nThe state of containers; for an ordinary user "
    "\\fI$XDG_RUNTIME_DIR/caisson\\-runtime\\fR.\n"
    ".SH CONFORMING TO\n"
    "The runtime specification of the Open Container Initiative, version 1.2.\n";

const struct command_line runtime_line = {
    .name = "caisson-runtime",
    .summary = "Containers from OCI bundles, for engines that call a runtime",
    .description = "Carries out a bundle's config.json with the command line of runc and crun, for "
                   "containerd, CRI-O, Podman and Docker. What the configuration asks for is "
                   "honoured or refused by name; nothing is added to it.",
    .verbs = verbs,
    .globals = globals,
    .global_values = &runtime_globals,
    .groups = groups,
    .manual = manual,
    .list_all = "caisson-runtime list -q",
    .list_running = "caisson-runtime list -q",
    .version = runtime_version,
    .log = runtime_log,
};
