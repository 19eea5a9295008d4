#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Containers that are there, changed: restart, pause, rename, update, prune, restart policies.
bats_require_minimum_version 1.5.0
load ../lib/common

setup_file() {
    common_setup_file
    image
}
teardown_file() { common_teardown_file; }

teardown() {
    local ids
    ids=$(caisson ps -aq)
    # shellcheck disable=SC2086 # one word per id
    [ -z "$ids" ] || caisson rm -f -v $ids >/dev/null
}

state_of() { caisson inspect -f '{{.State.Status}}' "$1"; }
is() { [ "$(state_of "$1")" = "$2" ]; }
pid_of() { caisson inspect -f '{{.State.Pid}}' "$1"; }
restarts_of() { caisson inspect -f '{{.RestartCount}}' "$1"; }
restarted() { [ "$(restarts_of "$1")" -ge "$2" ]; }
monitor_of() { sed -n 's/^monitor=//p' "$CAISSON_STATE/containers/$(caisson inspect -f '{{.Id}}' "$1")/status"; }
# The machine goes down and comes up: what runs is gone, and so is what lies on a tmpfs.
reboot() {
    local name
    for name in "$@"; do
        kill -9 "$(monitor_of "$name")" "$(pid_of "$name")"
    done
    for name in "$@"; do
        waits 10 sh -c "! grep -q . /proc/$(pid_of "$name")/cmdline"
    done
    find "$CAISSON_STATE" -mindepth 1 -delete
}

# --- restart, pause -------------------------------------------------------------------------------

@test "restart stops what runs, starts what does not, and keeps what was written" {
    caisson run -d --name web --read-only=false --user 0 --stop-timeout 1 busybox sh -c 'echo x >>/count; sleep 100'
    first=$(pid_of web)
    run caisson restart web
    [ "$status" = 0 ]
    [ "$output" = web ]
    is web running
    [ "$(pid_of web)" != "$first" ]
    waits 5 sh -c '[ "$(caisson exec web cat /count | wc -l)" = 2 ]'
    caisson stop -t 0 web
    caisson restart web
    is web running
    waits 5 sh -c '[ "$(caisson exec web cat /count | wc -l)" = 3 ]'
    run -1 caisson restart nothere
    [[ $output == *"no such container: nothere"* ]]
}

@test "restart refuses a container with --rm, which would be gone" {
    caisson run -d --rm --name once busybox sleep 100
    run -1 caisson restart once
    [[ $output == *"--rm"* ]]
    is once running
    caisson rm -f once
}

@test "pause freezes everything, unpause lets it go on, and each says when there is nothing to do" {
    skip_without_groups
    caisson run -d --name web busybox sh -c 'while :; do date +%s%N; sleep 0.05; done'
    waits 5 sh -c '[ "$(caisson logs web | wc -l)" -gt 2 ]'
    [ "$(caisson pause web)" = web ]
    is web paused
    [[ $(caisson ps --format '{{.Status}}') == *"(Paused)" ]]
    count=$(caisson logs web | wc -l)
    sleep 0.3
    [ "$(caisson logs web | wc -l)" = "$count" ]
    run -1 caisson pause web
    [[ $output == *"paused already"* ]]
    run -125 caisson exec web true
    [[ $output == *paused* ]]
    caisson unpause web
    is web running
    waits 5 sh -c "[ \$(caisson logs web | wc -l) -gt $count ]"
    run -1 caisson unpause web
    [[ $output == *"not paused"* ]]
    caisson pause web
    caisson stop -t 0 web
    is web exited
    run -1 caisson pause web
    [[ $output == *"not running"* ]]
}

# --- rename ---------------------------------------------------------------------------------------

@test "rename: the new name works at once, the old one is free, a taken one is refused" {
    caisson run -d --name web busybox sleep 100
    caisson create --name db busybox true
    caisson rename web www
    is www running
    run -1 caisson inspect --type container web
    caisson create --name web busybox true
    run -1 caisson rename www db
    [[ $output == *"name db belongs to"* ]]
    run -1 caisson rename www 'bad/name'
    run -1 caisson rename www www
    is www running
    [ "$(caisson ps -a --format '{{.Names}}' | sort | tr '\n' ' ')" = "db web www " ]
}

# --- update ---------------------------------------------------------------------------------------

limit_of() { # limit_of CONTAINER V1-CONTROLLER V1-FILE V2-FILE
    local id
    id=$(caisson inspect -f '{{.Id}}' "$1")
    find /sys/fs/cgroup -path "*/$id/*" \( -path "/sys/fs/cgroup/$2/*" -name "$3" -o -name "$4" \) -exec cat {} + 2>/dev/null
}

@test "update changes limits at once, keeps them over a restart, and shows them in the posture" {
    skip_without_groups
    caisson run -d --name web --memory 200m busybox sleep 100
    run caisson update --memory 100m --pids-limit 50 --cpus 0.5 web
    [ "$status" = 0 ]
    [ "$output" = web ]
    [ "$(limit_of web memory memory.limit_in_bytes memory.max)" = 104857600 ]
    [ "$(limit_of web pids pids.max pids.max)" = 50 ]
    [ "$(caisson inspect -f '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}' web)" = "104857600 50" ]
    [[ $(caisson inspect -f '{{range .Posture}}{{.Name}}={{.InForce}} {{end}}' web) == *"pids=50 "* ]]
    caisson restart -t 0 web
    [ "$(limit_of web memory memory.limit_in_bytes memory.max)" = 104857600 ]
    # No swap was allowed, and none is now.
    [ "$(caisson inspect -f '{{.HostConfig.MemorySwap}}' web)" = 104857600 ]
}

@test "update changes nothing when one value is wrong, and asks for something to change" {
    skip_without_groups
    caisson run -d --name web --memory 200m busybox sleep 100
    run -1 caisson update --memory 100m --cpus 1000000 web
    [[ $output == *"--cpus"* ]]
    [ "$(limit_of web memory memory.limit_in_bytes memory.max)" = 209715200 ]
    run -1 caisson update web
    [[ $output == *"give what is to be changed"* ]]
    run -1 caisson update --memory 1k web
    run -1 caisson update --restart sometimes web
    [[ $output == *"always"* ]]
}

# --- restart policies -----------------------------------------------------------------------------

@test "--restart always starts it again and again, slower each time, until somebody stops it" {
    caisson run -d --name web --restart always busybox sh -c 'echo again; exit 3'
    waits 20 restarted web 3
    caisson stop web
    is web exited
    [ "$(caisson inspect -f '{{.State.ExitCode}}' web)" = 3 ]
    count=$(caisson logs web | wc -l)
    [ "$count" -ge 4 ]
    sleep 1
    is web exited
    [ "$(caisson logs web | wc -l)" = "$count" ]
    # What a person starts counts from the beginning.
    caisson start web
    waits 20 restarted web 1
    caisson rm -f web
}

@test "--restart on-failure:2 gives up after two, and a success is no failure" {
    caisson run -d --name bad --restart on-failure:2 busybox sh -c 'echo try; exit 1'
    caisson run -d --name good --restart on-failure busybox sh -c 'echo try; exit 0'
    waits 20 sh -c '[ "$(caisson logs bad | wc -l)" = 3 ]'
    waits 10 is bad exited
    sleep 1
    [ "$(caisson logs bad | wc -l)" = 3 ]
    [ "$(restarts_of bad)" = 2 ]
    is good exited
    [ "$(caisson logs good | wc -l)" = 1 ]
}

@test "kill ends a policy's container for good, another signal does not" {
    caisson run -d --name web --restart always busybox sleep 100
    first=$(pid_of web)
    kill -9 "$first" # somebody outside: not a person's will
    waits 20 restarted web 1
    waits 10 is web running
    caisson kill web
    waits 10 is web exited
    sleep 0.5
    is web exited
}

@test "what waits to be started again can be stopped, started and removed at once" {
    caisson run -d --name web --restart always busybox false
    waits 20 restarted web 5 # from here on it waits for seconds
    waits 20 sh -c 'caisson ps --format "{{.Status}}" | grep -q "^Restarting (1)"'
    caisson stop web
    is web exited
    caisson start web
    waits 20 restarted web 6
    waits 20 is web restarting
    run -1 caisson rm web
    caisson rm -f web
    [ -z "$(caisson ps -aq)" ]
}

@test "--restart goes without --rm, and is one of four" {
    run -125 caisson run -d --rm --restart always busybox true
    [[ $output == *"contradict"* ]]
    run -125 caisson run -d --restart on-success busybox true
    [[ $output == *"unless-stopped"* ]]
    run -125 caisson run -d --restart always:3 busybox true
    [ -z "$(caisson ps -aq)" ]
}

@test "system restore starts after a boot what its policy wants, and nothing else" {
    caisson run -d --name always --restart always busybox sleep 100
    caisson run -d --name stopped --restart always busybox sleep 100
    caisson run -d --name unless --restart unless-stopped busybox sleep 100
    caisson run -d --name unlessed --restart unless-stopped busybox sleep 100
    caisson run -d --name failing --restart on-failure busybox sleep 100
    caisson run -d --name plain busybox sleep 100
    caisson create --name never --restart always busybox sleep 100
    caisson stop -t 0 stopped unlessed
    reboot always unless failing plain
    [ "$(caisson system restore | sort | tr '\n' ' ')" = "always failing stopped unless " ]
    is plain dead
    is unlessed exited
    is never created
    is unless running
    [ -z "$(caisson system restore)" ]
}

@test "a monitor that is killed: the state is told truthfully, and restore gives it a new one" {
    caisson run -d --name web --restart always busybox sh -c 'while :; do echo .; sleep 0.1; done'
    old=$(pid_of web)
    monitor=$(monitor_of web)
    kill -9 "$monitor"
    waits 10 sh -c "! grep -q . /proc/$monitor/cmdline"
    # It ends by itself when nobody reads what it prints, or it goes on: both may be true.
    state=$(state_of web)
    [ "$state" = running ] || [ "$state" = dead ]
    caisson system restore
    is web running
    [ "$(pid_of web)" != "$old" ]
    waits 5 sh -c '[ "$(caisson logs web | wc -l)" -gt 0 ]'
    [ ! -e "/proc/$old/stat" ] || ! grep -q sleep "/proc/$old/cmdline"
}

# --- prune ----------------------------------------------------------------------------------------

@test "container prune removes what does not run, by label and age, and asks first" {
    caisson run -d --name up busybox sleep 100
    caisson create --name made --label keep=yes busybox true
    caisson run --name done --label team=a busybox true
    run -1 caisson container prune </dev/null
    [[ $output == *"-f"* ]]
    run caisson container prune -f --filter label=team=b
    [[ $output == "Total reclaimed space: 0B" ]]
    run caisson container prune -f --filter until=1h
    [ "$(caisson ps -aq | wc -l)" = 3 ]
    caisson container prune -f --filter 'label!=keep'
    [ "$(caisson ps -a --format '{{.Names}}' | sort | tr '\n' ' ')" = "made up " ]
    run -1 caisson container prune -f --filter colour=red
    id=$(caisson inspect -f '{{.Id}}' made)
    [[ $(caisson container prune -f) == "Deleted Containers:"*"$id"*"Total reclaimed space:"* ]]
    is up running
}
