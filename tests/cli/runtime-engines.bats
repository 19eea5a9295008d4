#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Podman, containerd and Docker with caisson-runtime as their runtime: all that they keep lies below
# the file's directory, and they are ended by the numbers of their processes.
load ../lib/common

setup_file() {
    common_setup_file
    export E=$BATS_FILE_TMPDIR/e
    if [ "$(id -u)" = 0 ]; then
        start_engines
    fi
}

setup() { skip_unless_root; }

start_engines() {
    export RUNTIME=$CAISSON_BUILD/caisson-runtime
    # Where tools/engines.sh unpacked what the machine does not have.
    export PATH="$PATH:$CAISSON_BUILD/engines/usr/bin:$CAISSON_BUILD/engines/usr/sbin"
    mkdir -p "$E"
    image
    cp "${CAISSON_TEST_DIR:-$BATS_RUN_TMPDIR}/shared/busybox.tar" "$E/busybox.tar"
    start_podman
    start_containerd
    start_docker
}

teardown_file() {
    if [ -e "$E/podman.conf" ]; then
        pod rm -fa -t 0 >/dev/null 2>&1 || true
        pod pod rm -fa -t 0 >/dev/null 2>&1 || true
    fi
    end "$E/dockerd.pid"
    end "$E/containerd.pid"
    # Storage that an engine leaves mounted for its next start.
    local place
    while read -r place; do
        umount -l "$place"
    done < <(cut -d' ' -f5 /proc/self/mountinfo | grep -F "$E/" | sort -r)
    common_teardown_file
}

# end FILE: ends the daemon whose number it holds.
end() {
    local pid
    [ -e "$1" ] || return 0
    pid=$(cat "$1")
    kill "$pid" 2>/dev/null || return 0
    waits 20 sh -c "! kill -0 $pid" || kill -9 "$pid"
}

# --- podman ---------------------------------------------------------------------------------------

start_podman() {
    command -v podman >/dev/null && command -v conmon >/dev/null || return 0
    # Limits that the machine may not raise, and no systemd.
    cat >"$E/podman.conf" <<'CONF'
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
    pod load -q -i "$E/busybox.tar" >"$E/podman.log" 2>&1 || rm "$E/podman.conf"
}

pod() {
    CONTAINERS_CONF=$E/podman.conf timeout 60 podman --root "$E/podman" --runroot "$E/podman-run" \
        --tmpdir "$E/podman-tmp" --runtime "$RUNTIME" "$@" </dev/null
}

needs_podman() {
    [ -e "$E/podman.conf" ] || skip "needs podman"
}

podrun() {
    pod run --rm --network none "$@"
}

@test "podman runs, and gets the command's status and the runtime's words" {
    needs_podman
    [ "$(podrun busybox echo hello)" = hello ]
    run -7 podrun busybox sh -c 'exit 7'
    run -127 podrun busybox nosuchcommand
    [[ $output == *nosuchcommand* ]]
    run -126 podrun busybox /etc
}

@test "podman: the whole life of a container, with exec, pause, top and stop" {
    needs_podman
    pod run -d --name web --network none busybox sh -c 'trap "exit 0" TERM; while :; do sleep 0.1; done'
    [ "$(pod exec web id -u)" = 0 ]
    run -9 pod exec web sh -c 'exit 9'
    [[ $(pod exec -t web tty) == /dev/pts/0* ]]
    run -127 pod exec web nosuchcommand
    pod pause web
    [ "$(pod inspect -f '{{.State.Status}}' web)" = paused ]
    pod unpause web
    pod top web | grep -q sleep
    pod stop -t 5 web
    [ "$(pod inspect -f '{{.State.ExitCode}}' web)" = 0 ]
    pod start web
    pod rm -f -t 0 web
}

@test "podman: limits, users, read-only roots, volumes, devices and sysctls arrive" {
    needs_podman
    run -0 podrun --read-only --tmpfs /tmp -v /etc/hostname:/x:ro -u 1000:1000 -m 64m --pids-limit 50 \
        --cap-drop all --security-opt no-new-privileges --sysctl kernel.msgmax=4321 --shm-size 1m busybox sh -c '
        id -u; cmp -s /x /x && echo volume; touch /y 2>/dev/null || echo read-only; touch /tmp/z && echo tmp
        cat /proc/sys/kernel/msgmax; grep CapBnd /proc/self/status | tr -d "\t"
        cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true'
    [ "$output" = $'1000\nvolume\nread-only\ntmp\n4321\nCapBnd:0000000000000000\n67108864' ]
}

@test "podman: a user namespace, privilege, and the host's namespaces" {
    needs_podman
    [ "$(podrun --uidmap 0:100000:65536 busybox sh -c 'tr -s " " </proc/self/uid_map; echo x >/dev/null && id -u')" = $' 0 100000 65536\n0' ]
    [ "$(podrun --privileged busybox sh -c 'ls /dev | wc -l')" -gt 20 ]
    [ "$(podrun --pid host --ipc host --uts host busybox sh -c 'readlink /proc/self/ns/pid; readlink /proc/self/ns/uts')" = \
        "$(readlink /proc/self/ns/pid)"$'\n'"$(readlink /proc/self/ns/uts)" ]
}

@test "podman: containers join each other's namespaces" {
    needs_podman
    pod run -d --name first --network none --ipc shareable busybox sleep 1000
    local pid
    pid=$(pod inspect -f '{{.State.Pid}}' first)
    [ "$(pod run --rm --network container:first --pid container:first --ipc container:first busybox sh -c 'readlink /proc/self/ns/net; readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc')" = \
        "$(readlink "/proc/$pid/ns/net" "/proc/$pid/ns/pid" "/proc/$pid/ns/ipc")" ]
    pod rm -f -t 0 first
}

# --- containerd -----------------------------------------------------------------------------------

start_containerd() {
    command -v containerd >/dev/null && command -v ctr >/dev/null || return 0
    cat >"$E/containerd.toml" <<CONF
version = 2
root = "$E/containerd"
state = "$E/containerd-run"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
address = "$E/c.sock"
[ttrpc]
address = "$E/c.ttrpc"
CONF
    containerd --config "$E/containerd.toml" >"$E/containerd.log" 2>&1 3>&- &
    echo $! >"$E/containerd.pid"
    if ! waits 20 ctr_ version || ! ctr_ image import "$E/busybox.tar" >"$E/ctr.log" 2>&1; then
        end "$E/containerd.pid"
        return 0
    fi
    ctr_ image ls -q | head -n 1 >"$E/ctr.image"
}

ctr_() {
    timeout 60 ctr -a "$E/c.sock" "$@" </dev/null
}

needs_containerd() {
    [ -s "$E/ctr.image" ] || skip "needs containerd and ctr"
}

ctrrun() {
    ctr_ run --runc-binary "$RUNTIME" --runc-root "$E/ctr-state" "$@"
}

@test "containerd runs, and gets the runtime's words" {
    needs_containerd
    local image
    image=$(cat "$E/ctr.image")
    [ "$(ctrrun --rm "$image" one echo hello)" = hello ]
    run -7 ctrrun --rm "$image" two sh -c 'exit 7'
    run ctrrun --rm "$image" three nosuchcommand
    [ "$status" != 0 ]
    [[ $output == *"nosuchcommand: no such file or directory"* ]]
    ctr_ container rm three 2>/dev/null || true
}

@test "containerd: the whole life of a task, with exec, pause, metrics and kill" {
    needs_containerd
    local image
    image=$(cat "$E/ctr.image")
    ctrrun -d "$image" web sleep 1000
    [ "$(ctr_ task exec --exec-id e1 web id -u)" = 0 ]
    ctr_ task pause web
    ctr_ task ls | grep -q 'web.*PAUSED'
    ctr_ task resume web
    ctr_ task ls | grep -q 'web.*RUNNING'
    ctr_ task metrics web | grep -q pids.current
    ctr_ task kill -s KILL web
    waits 10 sh -c "timeout 10 ctr -a '$E/c.sock' task ls | grep -q 'web.*STOPPED'"
    ctr_ task rm web || true # tells the status of the task as its own
    ctr_ container rm web
    [ -z "$("$RUNTIME" --root "$E/ctr-state/default" list -q)" ]
}

@test "containerd: limits, seccomp, directory, environment and privilege arrive" {
    needs_containerd
    local image
    image=$(cat "$E/ctr.image")
    [ "$(ctrrun --rm --seccomp --cwd /bin --env A=b "$image" a sh -c 'echo $A; readlink /proc/self/cwd; grep Seccomp: /proc/self/status | tr -d "\t"')" = $'b\n/bin\nSeccomp:2' ]
    ctrrun --rm --privileged --read-only --memory-limit 67108864 "$image" b true
}

# --- docker ---------------------------------------------------------------------------------------

# Without a bridge and rules for packets: only what the runtime sees is of interest.
start_docker() {
    [ -s "$E/ctr.image" ] && command -v dockerd >/dev/null && command -v docker >/dev/null || return 0
    cat >"$E/daemon.json" <<CONF
{"runtimes": {"caisson": {"path": "$RUNTIME"}}, "default-runtime": "caisson", "bridge": "none",
 "iptables": false, "ip6tables": false, "ip-forward": false, "ip-masq": false, "userland-proxy": false}
CONF
    dockerd --config-file "$E/daemon.json" --data-root "$E/docker" --exec-root "$E/docker-run" \
        -H "unix://$E/d.sock" -p "$E/d.pid" --containerd "$E/c.sock" >"$E/dockerd.log" 2>&1 3>&- &
    echo $! >"$E/dockerd.pid"
    if waits 20 dock version && dock load -i "$E/busybox.tar" >"$E/docker.log" 2>&1; then
        echo yes >"$E/docker.works"
    else
        end "$E/dockerd.pid"
    fi
}

dock() {
    timeout 60 docker -H "unix://$E/d.sock" "$@" </dev/null
}

needs_docker() {
    [ -e "$E/docker.works" ] || skip "needs dockerd and docker (it does not start everywhere)"
}

@test "docker runs, and gets the command's status and the runtime's words" {
    needs_docker
    [ "$(dock run --rm --network none busybox echo hello)" = hello ]
    run -7 dock run --rm --network none busybox sh -c 'exit 7'
    run -127 dock run --rm --network none busybox nosuchcommand
    run -126 dock run --rm --network none busybox /etc
    [ "$(dock info -f '{{.DefaultRuntime}}')" = caisson ]
}

@test "docker: the whole life of a container, with exec, pause, update, restart and rm" {
    needs_docker
    dock run -d --name web --network none busybox sleep 1000
    [ "$(dock exec -u 1000:1000 -w /bin -e A=b web sh -c 'id -u; readlink /proc/self/cwd; echo $A')" = $'1000\n/bin\nb' ]
    dock pause web
    [ "$(dock inspect -f '{{.State.Status}}' web)" = paused ]
    dock unpause web
    dock update -m 32m --memory-swap 64m web
    dock top web | grep -q 'sleep 1000'
    dock restart -t 0 web
    [ "$(dock inspect -f '{{.State.Running}}' web)" = true ]
    dock rm -f web
}

@test "docker: its default hardening and what the lesson asks for arrive" {
    needs_docker
    run -0 dock run --rm --network none -u 1000 --read-only --tmpfs /tmp:size=1m -m 64m --memory-swap 64m --cpus 1.5 --pids-limit 99 --cap-drop ALL busybox sh -c '
        id -u; touch /y 2>/dev/null || echo read-only; touch /tmp/a && echo tmp; grep -E "CapBnd|Seccomp:" /proc/self/status | tr -d "\t"
        ls /proc/scsi 2>/dev/null | wc -l; touch /proc/sys/kernel/x 2>/dev/null || echo fenced'
    echo "$output"
    [ "$output" = $'1000\nread-only\ntmp\nCapBnd:0000000000000000\nSeccomp:2\n0\nfenced' ]
    dock run --rm --network none --privileged busybox sh -c 'mount -t tmpfs t /mnt 2>/dev/null || mkdir -p /m && mount -t tmpfs t /m'
}
