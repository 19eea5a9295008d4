/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of run, create and exec. */
#include "cmd/container_options.h"
#include "cmd/run.h"
#include "cmd/verb.h"

#define AT(field) offsetof(struct request, field)
#define LIMITS "Limits"
#define SECURITY "Security"
#define STORAGE "Storage"
#define NETWORK "Network"
#define HEALTH "Health"
#define LATER OPTION_UNSUPPORTED

static const char *const streams[] = {"stdin", "stdout", "stderr", NULL};
static const char *const levels[] = {"restricted", "baseline", "privileged", NULL};

/* clang-format off */
#define OPTIONS_BOTH \
    {"name", 0, OPTION_STRING, AT(name), "NAME", "Name of the container"}, \
    {"interactive", 'i', OPTION_BOOL, AT(interactive), NULL, "Pass our standard input on"}, \
    {"tty", 't', OPTION_BOOL, AT(terminal), NULL, "Give it a terminal"}, \
    {"rm", 0, OPTION_BOOL, AT(remove), NULL, "Remove it when it has ended"}, \
    {"entrypoint", 0, OPTION_STRING, AT(entrypoint), "COMMAND", "Run this in the place of the image's entrypoint"}, \
    {"env", 'e', OPTION_LIST, AT(env), "NAME[=VALUE]", "Set a variable; a name alone takes ours"}, \
    {"env-file", 0, OPTION_LIST, AT(env_files), "FILE", "Read variables from a file"}, \
    {"workdir", 'w', OPTION_STRING, AT(workdir), "DIR", "Directory to start in"}, \
    {"hostname", 'h', OPTION_STRING, AT(hostname), "NAME", "Host name inside"}, \
    {"domainname", 0, OPTION_STRING, AT(domainname), "NAME", "NIS domain name inside"}, \
    {"init", 0, OPTION_TRISTATE, AT(init), NULL, "Run a small init as process 1, which reaps and passes signals on"}, \
    {"stop-signal", 0, OPTION_STRING, AT(stop_signal), "SIGNAL", "What stop sends first"}, \
    {"stop-timeout", 0, OPTION_COUNT, AT(stop_timeout), "SECONDS", "How long stop waits before it kills"}, \
    {"cidfile", 0, OPTION_STRING, AT(cid_file), "FILE", "Write the container's id to a new file"}, \
    {"label", 'l', OPTION_LIST, AT(labels), "NAME=VALUE", "Label the container"}, \
    {"label-file", 0, OPTION_LIST, AT(label_files), "FILE", "Read labels from a file"}, \
    {"annotation", 0, OPTION_LIST, AT(annotations), "NAME=VALUE", "Annotate the runtime configuration"}, \
    {"pull", 0, OPTION_STRING, AT(pull), "WHEN", "Fetch the image from its registry: missing where it is not there (the default), always, or never", .words = (const char *const[]){"always", "missing", "never", NULL}}, \
    {"tls-verify", 0, OPTION_TRISTATE, AT(tls_verify), NULL, "For --pull: want TLS with a certificate that can be trusted (as registries.conf says, else yes)"}, \
    {"authfile", 0, OPTION_STRING, AT(authfile), "FILE", "For --pull: read user and password from this file"}, \
    {"quiet", 'q', OPTION_BOOL, AT(quiet), NULL, "No progress and no hints"}, \
    {"log-driver", 0, OPTION_STRING, AT(log_driver), "DRIVER", "Where its output goes", .words = (const char *const[]){"json-file", "local", "k8s-file", "journald", "none", NULL}}, \
    {"log-opt", 0, OPTION_LIST, AT(log_opts), "NAME=VALUE", "How the log turns over: max-size=BYTES, max-file=NUMBER; with --log-driver journald: tag=TEMPLATE, labels=NAMES, env=NAMES"}, \
    {"level", 0, OPTION_STRING, AT(level), "LEVEL", "How far it is hardened; the default is restricted", .group = SECURITY, .words = levels}, \
    {"user", 'u', OPTION_STRING, AT(user), "USER[:GROUP]", "Who it runs as: a name of the image's or an id", .group = SECURITY}, \
    {"group-add", 0, OPTION_LIST, AT(group_add), "GROUP", "Add a group", .group = SECURITY}, \
    {"read-only", 0, OPTION_TRISTATE, AT(read_only), NULL, "Root file system read-only (restricted: it is; =false makes it writable)", .group = SECURITY}, \
    {"cap-add", 0, OPTION_LIST, AT(cap_add), "NAME", "Give a capability, or ALL", .group = SECURITY}, \
    {"cap-drop", 0, OPTION_LIST, AT(cap_drop), "NAME", "Take a capability away, or ALL", .group = SECURITY}, \
    {"security-opt", 0, OPTION_LIST, AT(security_opt), "OPTION", "Change one protection: no-new-privileges[=false], seccomp=FILE|unconfined|restricted|baseline, landlock=off, apparmor=PROFILE, label=…, systempaths=unconfined, mask=PATHS, unmask=PATHS|ALL", .group = SECURITY}, \
    {"privileged", 0, OPTION_BOOL, AT(privileged), NULL, "The same as --level privileged: no protection at all", .group = SECURITY}, \
    {"userns", 0, OPTION_STRING, AT(userns), "MODE", "The user namespace: auto (a range of ids of its own), container:NAME or host", .group = SECURITY}, \
    {"device", 0, OPTION_LIST, AT(devices), "HOST[:PATH[:rwm]]", "Let it use a device of the host", .group = SECURITY}, \
    {"device-cgroup-rule", 0, OPTION_LIST, AT(device_rules), "RULE", "Allow devices by number: \"c 10:200 rwm\"", .group = SECURITY}, \
    {"sysctl", 0, OPTION_LIST, AT(sysctls), "NAME=VALUE", "Set a kernel parameter of the container's own namespaces", .group = SECURITY}, \
    {"umask", 0, OPTION_STRING, AT(umask), "MODE", "Mask of new files, octal (0022)", .group = SECURITY}, \
    {"memory", 'm', OPTION_SIZE, AT(memory), "BYTES", "Memory (half of the machine's; -1: no limit)", .flags = OPTION_MINUS_ONE, .group = LIMITS}, \
    {"memory-swap", 0, OPTION_SIZE, AT(memory_swap), "BYTES", "Memory and swap together (as much as memory: no swap; -1: no limit)", .flags = OPTION_MINUS_ONE, .group = LIMITS}, \
    {"memory-reservation", 0, OPTION_SIZE, AT(memory_reservation), "BYTES", "What it keeps when memory is short", .group = LIMITS}, \
    {"cpus", 0, OPTION_STRING, AT(cpus), "N", "Processors it may use, such as 1.5", .group = LIMITS}, \
    {"cpu-shares", 'c', OPTION_COUNT, AT(cpu_shares), "N", "Weight against other containers (1024)", .group = LIMITS}, \
    {"cpu-quota", 0, OPTION_COUNT, AT(cpu_quota), "MICROSECONDS", "Time in each period", .flags = OPTION_MINUS_ONE, .group = LIMITS}, \
    {"cpu-period", 0, OPTION_COUNT, AT(cpu_period), "MICROSECONDS", "Length of a period (100000)", .group = LIMITS}, \
    {"cpuset-cpus", 0, OPTION_STRING, AT(cpuset_cpus), "LIST", "Processors it may run on: 0-2,4", .group = LIMITS}, \
    {"cpuset-mems", 0, OPTION_STRING, AT(cpuset_mems), "LIST", "Memory nodes it may use", .group = LIMITS}, \
    {"pids-limit", 0, OPTION_COUNT, AT(pids), "N", "Processes and threads (512; -1: no limit)", .flags = OPTION_MINUS_ONE, .group = LIMITS}, \
    {"ulimit", 0, OPTION_LIST, AT(ulimits), "NAME=SOFT[:HARD]", "Resource limit of its processes", .group = LIMITS}, \
    {"oom-score-adj", 0, OPTION_STRING, AT(oom_score_adj), "N", "Whom the kernel kills first when memory runs out (-1000 to 1000)", .group = LIMITS}, \
    {"shm-size", 0, OPTION_SIZE, AT(shm_size), "BYTES", "Size of /dev/shm (64m)", .group = LIMITS}, \
    {"blkio-weight", 0, OPTION_COUNT, AT(blkio_weight), "N", "Weight of block input and output (10 to 1000)", .group = LIMITS}, \
    {"cgroup-parent", 0, OPTION_STRING, AT(cgroup_parent), "NAME", "Control group above the container's", .group = LIMITS}, \
    {"volume", 'v', OPTION_LIST, AT(volumes), "SOURCE:TARGET[:OPTIONS]", "Mount a volume (a name, made when it is missing) or a file or directory of the host's (a path)", .group = STORAGE}, \
    {"mount", 0, OPTION_LIST, AT(mounts), "type=…,KEY=VALUE", "The same, spelled out: type=bind, volume, tmpfs or image", .group = STORAGE}, \
    {"tmpfs", 0, OPTION_LIST, AT(tmpfs), "PATH[:OPTIONS]", "Mount a file system in memory", .group = STORAGE}, \
    {"volumes-from", 0, OPTION_LIST, AT(volumes_from), "CONTAINER[:ro]", "Mount what another container has mounted", .group = STORAGE}, \
    {"image-volume", 0, OPTION_STRING, AT(image_volume), "KIND", "What is mounted at the image's VOLUMEs: an anonymous volume (the default), tmpfs, or nothing (ignore)", .group = STORAGE, .words = (const char *const[]){"anonymous", "tmpfs", "ignore", NULL}}, \
    {"read-only-tmpfs", 0, OPTION_TRISTATE, AT(read_only_tmpfs), NULL, "Places to write in a read-only root: /tmp, /var/tmp and /run (restricted: there are)", .group = STORAGE}, \
    {"network", 0, OPTION_LIST, AT(networks), "NETWORK", "What it is on: bridge (the default: the way out, and nobody else), a network by its name, none, host or container:NAME", .group = NETWORK, .completes = "network", .offered = (const char *const[]){"bridge", "none", "host", "container:", NULL}}, \
    {"net", 0, OPTION_LIST, AT(networks), "NETWORK", "The same as --network", .flags = OPTION_HIDDEN, .group = NETWORK}, \
    {"network-alias", 0, OPTION_LIST, AT(network_aliases), "NAME", "One more name for it on its network", .group = NETWORK}, \
    {"net-alias", 0, OPTION_LIST, AT(network_aliases), "NAME", "The same as --network-alias", .flags = OPTION_HIDDEN, .group = NETWORK}, \
    {"ip", 0, OPTION_STRING, AT(ip), "IP", "Its IPv4 address (a free one)", .group = NETWORK}, \
    {"ip6", 0, OPTION_STRING, AT(ip6), "IP", "Its IPv6 address (a free one)", .group = NETWORK}, \
    {"mac-address", 0, OPTION_STRING, AT(mac_address), "MAC", "Its hardware address (one that follows from the IP)", .group = NETWORK}, \
    {"dns", 0, OPTION_LIST, AT(dns), "IP", "Ask this server for names", .group = NETWORK}, \
    {"dns-search", 0, OPTION_LIST, AT(dns_search), "DOMAIN", "Try short names in this domain", .group = NETWORK}, \
    {"dns-option", 0, OPTION_LIST, AT(dns_options), "OPTION", "An option of resolv.conf", .group = NETWORK}, \
    {"dns-opt", 0, OPTION_LIST, AT(dns_options), "OPTION", "The same as --dns-option", .flags = OPTION_HIDDEN, .group = NETWORK}, \
    {"add-host", 0, OPTION_LIST, AT(add_hosts), "NAME:IP", "A name in /etc/hosts; host-gateway is the host (whose services take --host-access)", .group = NETWORK}, \
    {"egress", 0, OPTION_LIST, AT(egress), "RULE,…", "Where it may go: none, any, or only names (api.example.com, *.example.com), addresses and prefixes, with :PORT or /udp", .group = NETWORK, .offered = (const char *const[]){"any", "none", NULL}}, \
    {"host-access", 0, OPTION_BOOL, AT(host_access), NULL, "Let it reach the host's own services, too", .group = NETWORK}, \
    {"metadata-access", 0, OPTION_BOOL, AT(metadata_access), NULL, "Let it reach link-local addresses, where clouds hand out credentials", .group = NETWORK}, \
    {"restart", 0, OPTION_STRING, AT(restart), "POLICY", "Start it again when it has ended: no, always, unless-stopped or on-failure[:TIMES]"}, \
    {"platform", 0, OPTION_STRING, AT(platform), "OS/ARCH", "Refuse the image when it is for another platform"}, \
    {"publish", 'p', OPTION_LIST, AT(publish), "[[IP:]HOSTPORT:]PORT", "Publish a port, or a range, on the host's loopback addresses or on IP (0.0.0.0: on all); PORT/udp for datagrams", .group = NETWORK}, \
    {"publish-all", 'P', OPTION_BOOL, AT(publish_all), NULL, "Publish every port that the image or --expose names, on free ones of the host's", .group = NETWORK}, \
    {"expose", 0, OPTION_LIST, AT(expose), "PORT[/udp]", "Name a port, or a range, for --publish-all", .group = NETWORK}, \
    {"pid", 0, OPTION_STRING, AT(pid), "MODE", "Process ids: private, container:NAME (with its user namespace) or host (which needs --userns host)", .group = SECURITY}, \
    {"ipc", 0, OPTION_STRING, AT(ipc), "MODE", "Shared memory and queues: private, shareable, none, container:NAME (with its user namespace; it has to be shareable) or host (which needs --userns host)", .group = SECURITY}, \
    {"uts", 0, OPTION_STRING, AT(uts), "MODE", "Host name: private or host", .group = SECURITY}, \
    {"cgroupns", 0, OPTION_STRING, AT(cgroupns), "MODE", "View of control groups: private or host", .group = SECURITY}, \
    {"volume-driver", 0, OPTION_STRING, AT(name), "DRIVER", "volumes are directories of this host", .flags = LATER}, \
    {"runtime", 0, OPTION_STRING, AT(name), "NAME", "caisson is its own runtime", .flags = LATER}, \
    {"gpus", 0, OPTION_STRING, AT(name), "GPUS", "name the device with --device", .flags = LATER}, \
    {"use-api-socket", 0, OPTION_BOOL, AT(quiet), NULL, "it would hand the engine to the container", .flags = LATER}, \
    {"health-cmd", 0, OPTION_STRING, AT(health_cmd), "COMMAND", "Find out with this whether it is well", .group = HEALTH}, \
    {"health-interval", 0, OPTION_STRING, AT(health_interval), "TIME", "Time between two checks (30s)", .group = HEALTH}, \
    {"health-timeout", 0, OPTION_STRING, AT(health_timeout), "TIME", "How long one may take (30s)", .group = HEALTH}, \
    {"health-retries", 0, OPTION_COUNT, AT(health_retries), "N", "How many have to fail in a row (3)", .group = HEALTH}, \
    {"health-start-period", 0, OPTION_STRING, AT(health_start_period), "TIME", "How long failures do not count (0s)", .group = HEALTH}, \
    {"health-start-interval", 0, OPTION_STRING, AT(health_start_interval), "TIME", "Time between two checks meanwhile (5s)", .group = HEALTH}, \
    {"no-healthcheck", 0, OPTION_BOOL, AT(no_health), NULL, "Leave out the image's check", .group = HEALTH}

static const struct option run_options_table[] = {
    {"detach", 'd', OPTION_BOOL, AT(detach), NULL, "Run in the background and print the id"},
    {"attach", 'a', OPTION_LIST, AT(attach), "STREAM", "In the foreground, only these of stdin, stdout and stderr", .words = streams},
    {"detach-keys", 0, OPTION_STRING, AT(detach_keys), "KEYS", "What is typed to leave a terminal (ctrl-p,ctrl-q; \"\": nothing is)"},
    {"sig-proxy", 0, OPTION_TRISTATE, AT(sig_proxy), NULL, "Pass our signals on (the default)"},
    {"dry-run", 0, OPTION_BOOL, AT(dry_run), NULL, "Print what would be run, and run nothing"},
    {"format", 0, OPTION_STRING, AT(format), "FORMAT", "Of --dry-run: text or json", .words = (const char *const[]){"text", "json", NULL}},
    OPTIONS_BOTH,
    {NULL},
};

static const struct option create_options_table[] = {
    OPTIONS_BOTH,
    {NULL},
};
/* clang-format on */

const struct verb verb_run = {
    .name = "run",
    .alias = "container_run",
    .group = GROUP_CONTAINERS,
    .arguments = "IMAGE [COMMAND] [ARG...]",
    .summary = "Run a command in a new container",
    .description =
        "Makes a container from an image and runs a command in it, in the foreground unless -d is "
        "given. Without flags the container is at the level `restricted`: not root, in a user "
        "namespace of its own, on a read-only root, without capabilities, with a tight filter of "
        "system calls, limits on memory and processes, and a network on which nobody reaches it. "
        "Each protection has one flag "
        "that changes it; `inspect` shows what is in force.\n\n"
        "The exit status is the command's own, 128 + n when signal n ended it, 125 when caisson "
        "failed, 126 when the command cannot be executed, 127 when it is not there.",
    .examples =
        "caisson run --rm alpine echo hello\n"
        "# A shell\n"
        "caisson run --rm -it alpine sh\n"
        "# In the background, with limits\n"
        "caisson run -d --name web --memory=512m --cpus=1.5 my-app:latest\n"
        "# Places to write in a read-only root\n"
        "caisson run --tmpfs /app/cache:size=32m -v ./data:/data my-app:latest\n"
        "# A web server on this machine's port 8080, for this machine alone\n"
        "caisson run -d -p 8080:80 my-app:latest\n"
        "# and on one of its addresses, for everybody who reaches that\n"
        "caisson run -d -p 192.0.2.1:8080:80 my-app:latest\n"
        "# A volume that outlives the container, and another image's files\n"
        "caisson run -v db:/var/lib/db --mount type=image,source=model:1,target=/model app\n"
        "# A look at the processes of another container\n"
        "caisson run --rm --pid container:web busybox ps\n"
        "# What would be run\n"
        "caisson run --dry-run alpine true",
    .options = run_options_table,
    .options_size = sizeof(struct request),
    .least = 1,
    .most = -1,
    .stop_at_argument = true,
    .completes = "image",
    .failure = 125,
};

const struct verb verb_create = {
    .name = "create",
    .alias = "container_create",
    .group = GROUP_CONTAINERS,
    .arguments = "IMAGE [COMMAND] [ARG...]",
    .summary = "Make a container without starting it",
    .description = "Makes a container as `run` does and prints its id; `start` starts it.",
    .examples = "caisson create --name job alpine sh -c 'echo done'\n"
                "caisson start -a job",
    .options = create_options_table,
    .options_size = sizeof(struct request),
    .least = 1,
    .most = -1,
    .stop_at_argument = true,
    .completes = "image",
    .failure = 125,
};

/* clang-format off */
#define EXEC(field) offsetof(struct exec_words, field)
static const struct option exec_options_table[] = {
    {"detach", 'd', OPTION_BOOL, EXEC(detach), NULL, "Do not wait for it"},
    {"interactive", 'i', OPTION_BOOL, EXEC(interactive), NULL, "Pass our standard input on"},
    {"tty", 't', OPTION_BOOL, EXEC(terminal), NULL, "Give it a terminal"},
    {"user", 'u', OPTION_STRING, EXEC(user), "USER[:GROUP]", "Who it runs as"},
    {"workdir", 'w', OPTION_STRING, EXEC(workdir), "DIR", "Directory to start in"},
    {"env", 'e', OPTION_LIST, EXEC(env), "NAME[=VALUE]", "Set a variable"},
    {"env-file", 0, OPTION_LIST, EXEC(env_files), "FILE", "Read variables from a file"},
    {"privileged", 0, OPTION_BOOL, EXEC(privileged), NULL, "an exec never has more rights than its container; give the container what it needs with --cap-add", .flags = OPTION_UNSUPPORTED},
    {"detach-keys", 0, OPTION_STRING, EXEC(detach_keys), "KEYS", "What is typed to leave a terminal (ctrl-p,ctrl-q; \"\": nothing is)"},
    LATEST('l'),
    {NULL},
};
/* clang-format on */

const struct verb verb_exec = {
    .name = "exec",
    .alias = "container_exec",
    .group = GROUP_CONTAINERS,
    .arguments = "CONTAINER COMMAND [ARG...]",
    .summary = "Run a command in a running container",
    .description = "Runs one more command in a running container, behind the same fences as its "
                   "first: the same user, capabilities, filter of system calls and limits.",
    .examples = "caisson exec web whoami\n"
                "caisson exec -it web sh",
    .options = exec_options_table,
    .options_size = sizeof(struct exec_words),
    .least = 2,
    .most = -1,
    .stop_at_argument = true,
    .completes = "running",
    .failure = 125,
};
