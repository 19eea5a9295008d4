#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Containers looked at and ended: ps, inspect, logs, start, stop, kill, wait, rm, stats, top, info.
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
# Groups of others may go while they are looked through.
groups_of() { find /sys/fs/cgroup -depth -type d -name "$1" 2>/dev/null || true; }

# --- ps -------------------------------------------------------------------------------------------

@test "ps shows what runs, ps -a also what was created and what has ended" {
    caisson run -d --name up busybox sleep 100
    caisson create --name made busybox true
    run caisson run --name done busybox sh -c 'exit 3'
    [ "$(caisson ps --format '{{.Names}}')" = up ]
    [ "$(caisson ps -a --format '{{.Names}}' | sort | tr '\n' ' ')" = "done made up " ]
    [[ $(caisson ps -a --format '{{.Names}} {{.Status}}') == *"done Exited (3) "*" ago"* ]]
    [[ $(caisson ps -a --format '{{.Names}} {{.Status}}') == *"made Created"* ]]
    [[ $(caisson ps --format '{{.Names}} {{.Status}}') == "up Up "* ]]
    head=$(caisson ps | head -1)
    for word in "CONTAINER ID" IMAGE COMMAND CREATED STATUS PORTS NAMES LEVEL; do
        [[ $head == *"$word"* ]]
    done
}

@test "ps shows the level and each protection that a flag relaxed" {
    caisson run -d --name hard busybox sleep 100
    caisson run -d --name soft --read-only=false --cap-add NET_ADMIN --security-opt seccomp=unconfined busybox sleep 100
    caisson run -d --name base --level baseline busybox sleep 100
    [ "$(caisson ps -f name=hard --format '{{.Level}}')" = "restricted" ]
    [ "$(caisson ps -f name=soft --format '{{.Level}}')" = "restricted -readonly +NET_ADMIN -seccomp" ]
    [ "$(caisson ps -f name=base --format '{{.Level}}')" = "baseline" ]
    [ "$(caisson ps -f level=restricted -q | wc -l)" = 2 ]
}

@test "ps -q gives short ids, --no-trunc whole ones, json one object a line" {
    id=$(caisson run -d --name web busybox sleep 100)
    [ "${#id}" = 64 ]
    [ "$(caisson ps -q)" = "${id:0:12}" ]
    [ "$(caisson ps -q --no-trunc)" = "$id" ]
    caisson ps --format json | python3 -c 'import json,sys; o=json.loads(sys.stdin.read()); assert o["Names"]=="web" and o["State"]=="running", o'
}

@test "ps never lets a terminal obey what a container chose" {
    caisson create --name sly busybox $'\033[2Jboo' >/dev/null
    caisson ps -a --no-trunc | grep -F '\x1b[2Jboo'
    run ! grep -q $'\033' <(caisson ps -a --no-trunc)
}

@test "a damaged container is named by ps, does not hide the others, and rm -f removes it" {
    id=$(caisson create --name bad busybox true)
    caisson create --name good busybox true
    echo '{' >"$CAISSON_ROOT/containers/$id/config.json"
    rm "$CAISSON_ROOT/containers/$id/summary"
    fails 1 "config.json of container ${id:0:12} is damaged" caisson ps -a
    [ "$(caisson ps -a --format '{{.Names}}' 2>/dev/null)" = good ]
    fails 1 "caisson rm -f" caisson rm bad
    caisson rm -f bad
    [ "$(caisson ps -a --format '{{.Names}}')" = good ]
}

# --- inspect --------------------------------------------------------------------------------------

@test "inspect has Docker's fields and the posture" {
    limits="-m 64m --pids-limit 50 --cpus 1.5"
    has_groups || limits=
    # shellcheck disable=SC2086 # several words
    caisson run -d --name web $limits -l a=b -e X=y -w /tmp busybox sleep 100
    caisson inspect web | LIMITS=$limits python3 -c '
import json, os, sys
c, = json.load(sys.stdin)
assert c["Name"] == "/web" and len(c["Id"]) == 64
assert c["Path"] == "sleep" and c["Args"] == ["100"]
s = c["State"]
assert s["Status"] == "running" and s["Running"] and not s["Paused"] and s["Pid"] > 1, s
assert s["StartedAt"] > "2020" and s["FinishedAt"].startswith("0001")
h = c["HostConfig"]
assert not os.environ["LIMITS"] or h["Memory"] == 64 << 20 and h["PidsLimit"] == 50 and h["NanoCpus"] == 1500000000, h
assert h["ReadonlyRootfs"] and h["NetworkMode"] in ("bridge", "none" if os.getuid() else "bridge") and not h["Privileged"]
assert h["CapAdd"] is None
k = c["Config"]
assert k["Labels"] == {"a": "b"} and "X=y" in k["Env"] and k["WorkingDir"] == "/tmp"
names = {p["Name"]: p for p in c["Posture"]}
for name in "user-namespace", "root-filesystem", "capabilities", "no-new-privileges", "seccomp", "landlock":
    p = names[name]
    assert p["Asked"] and p["InForce"] and p["Flag"].startswith("--") and not p["Relaxed"], p
'
    [ "$(caisson inspect -f '{{.State.Status}} {{.Config.Labels.a}}' web)" = "running b" ]
}

@test "inspect shows how a container ended" {
    run caisson run --name job busybox sh -c 'exit 42'
    [ "$(caisson inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}}' job)" = "exited 42 0" ]
    [[ $(caisson inspect -f '{{.State.FinishedAt}}' job) == 20* ]]
}

@test "inspect falls back to images and says when there is neither" {
    [[ $(caisson inspect -f '{{.Id}}' busybox) == sha256:* ]]
    [[ $(caisson inspect --type image -f '{{.Id}}' busybox) == sha256:* ]]
    caisson create --name web busybox
    fails 1 "no such container: wbe; did you mean web?" caisson inspect wbe
    fails 1 "no such container: busybox" caisson inspect --type container busybox
    fails 1 "no such image" caisson inspect --type image web
    caisson inspect web busybox | python3 -c 'import json,sys; assert len(json.load(sys.stdin)) == 2'
}

# --- logs -----------------------------------------------------------------------------------------

@test "logs keeps the streams apart, tails, stamps, and follows to the end" {
    caisson run -d --name web busybox sh -c 'for i in 1 2 3; do echo out $i; echo err $i >&2; done; sleep 1; echo last'
    waits 5 sh -c 'caisson logs web 2>&1 | grep -q "err 3"'
    [ "$(caisson logs web 2>/dev/null | head -3 | tr '\n' ' ')" = "out 1 out 2 out 3 " ]
    [ "$(caisson logs web 2>&1 >/dev/null)" = $'err 1\nerr 2\nerr 3' ]
    [ "$(caisson logs -n 1 -t web 2>&1 | cut -c1-2)" = 20 ]
    [[ $(timeout 10 caisson logs -f -n 1 web 2>/dev/null) == *last ]]
    [ "$(caisson logs --since 1h --until 1h web 2>&1)" = "" ]
    fails 1 "--since" caisson logs --since yesterday web
    fails 1 "--tail" caisson logs -n many web
}

@test "logs shows what a container said in the foreground, or says why it does not" {
    caisson run --name fore busybox echo hi
    [ "$(caisson logs fore)" = hi ]
    caisson run --rm --name passing busybox sleep 100 &
    front=$!
    waits 5 caisson exec passing true
    fails 1 "foreground with --rm" caisson logs passing
    caisson kill passing
    wait $front || true
    caisson create --name made busybox true
    fails 1 "has not been started" caisson logs made
    caisson run -d --name quiet --log-driver none busybox echo hi
    caisson wait quiet
    fails 1 "--log-driver none" caisson logs quiet
}

# --- start ----------------------------------------------------------------------------------------

@test "start runs what was created, again and again" {
    caisson create --name job busybox sh -c 'echo hello; exit 5'
    for _ in 1 2 3; do
        [ "$(caisson start job)" = job ]
        [ "$(caisson wait job)" = 5 ]
    done
    [ "$(caisson logs job | wc -l)" = 3 ]
    run caisson start -a job
    [ "$status" = 5 ]
    [ "$output" = hello ]
    fails 1 "no such container" caisson start nobody
    fails 1 "one container at a time" caisson start -a job job
}

@test "start of what runs already changes nothing" {
    caisson run -d --name web busybox sleep 100
    pid=$(caisson inspect -f '{{.State.Pid}}' web)
    caisson start web
    [ "$(caisson inspect -f '{{.State.Pid}}' web)" = "$pid" ]
}

# --- stop, kill, wait -----------------------------------------------------------------------------

@test "stop asks with the stop signal and kills when the time is over" {
    caisson run -d --name polite busybox sh -c 'trap "exit 7" TERM; while :; do sleep 0.05; done'
    caisson run -d --name other --stop-signal USR1 busybox sh -c 'trap "exit 8" USR1; while :; do sleep 0.05; done'
    caisson run -d --name deaf busybox sh -c 'trap "" TERM; while :; do sleep 0.05; done'
    waits 5 is deaf running
    sleep 0.3
    before=$(date +%s)
    caisson stop -t 1 polite other deaf
    [ $(($(date +%s) - before)) -le 4 ]
    [ "$(caisson inspect -f '{{.State.ExitCode}}' polite)" = 7 ]
    [ "$(caisson inspect -f '{{.State.ExitCode}}' other)" = 8 ]
    [ "$(caisson inspect -f '{{.State.ExitCode}}' deaf)" = 137 ]
    caisson stop polite
    fails 1 "no such container" caisson stop nobody polite
    fails 1 "there is no such signal" caisson stop -s SIGFOO polite
}

@test "kill sends the signal that was asked for, and names what does not run" {
    caisson run -d --name web busybox sh -c 'trap "echo got it" HUP; while :; do sleep 0.05; done'
    waits 5 is web running
    sleep 0.3
    caisson kill -s HUP web
    waits 5 sh -c 'caisson logs web | grep -q "got it"'
    caisson kill web
    [ "$(caisson wait web)" = 137 ]
    fails 1 "container web is not running" caisson kill web
}

@test "out of memory is reported as such" {
    skip_without_groups
    skip_without python3
    run caisson run --name hog -m 16m busybox sh -c 'x=a; while :; do x=$x$x; done'
    [ "$status" != 0 ]
    caisson inspect -f '{{.State.OOMKilled}}' hog | grep true
    caisson ps -a | grep "out of memory"
}

# --- rm -------------------------------------------------------------------------------------------

# --- what happens when something is killed --------------------------------------------------------

@test "a killed monitor leaves a container that runs, then is dead, and can be started again" {
    id=$(caisson run -d --name web busybox sleep 100)
    pid=$(caisson inspect -f '{{.State.Pid}}' web)
    monitor=$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status")
    kill -9 "$monitor"
    is web running
    kill -9 "$pid"
    waits 5 is web dead
    [ "$(caisson inspect -f '{{.State.ExitCode}} {{.State.Dead}}' web)" = "255 true" ]
    [[ $(caisson ps -a) == *"Dead (nobody saw it end)"* ]]
    [ -z "$(groups_of "$id")" ]
    caisson start web
    is web running
}

@test "twenty containers of one name at once: one wins, the others are told" {
    for i in $(seq 20); do
        caisson create --name wanted busybox true >>"$BATS_TEST_TMPDIR/ids" 2>>"$BATS_TEST_TMPDIR/errors" &
    done
    wait
    [ "$(wc -l <"$BATS_TEST_TMPDIR/ids")" = 1 ]
    [ "$(grep -c "the name wanted belongs to container" "$BATS_TEST_TMPDIR/errors")" = 19 ]
    [ "$(caisson ps -aq | wc -l)" = 1 ]
}

@test "after a boot containers are there, those with --rm are not" {
    caisson run -d --name kept busybox sleep 100
    caisson run -d --rm --read-only=false --name gone busybox sleep 100
    run caisson run --name job busybox sh -c 'exit 4'
    # A boot: everything is killed at once and what is below the state directory is gone.
    pids=$(caisson inspect -f '{{.State.Pid}}' kept gone)
    for pid in $pids; do
        kill -9 "$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status")"
        kill -9 "$pid"
    done
    groups=$(for id in $(caisson ps -aq --no-trunc); do groups_of "$id"; done)
    rm -rf "$CAISSON_STATE"
    sleep 0.2
    # shellcheck disable=SC2086 # one word per group
    [ -z "$groups" ] || rmdir $groups 2>/dev/null || true
    [ "$(caisson ps -a --format '{{.Names}} {{.State}}' | sort | tr '\n' ' ')" = "job exited kept dead " ]
    [ "$(caisson inspect -f '{{.State.ExitCode}}' job)" = 4 ]
    caisson start kept
    is kept running
}

# --- stats, top, info -----------------------------------------------------------------------------

@test "stats shows what a container uses" {
    skip_without_groups
    caisson run -d --name busy -m 64m busybox sh -c 'while :; do :; done'
    caisson stats --no-stream --format json busy | python3 -c '
import json, sys
o = json.loads(sys.stdin.read())
assert o["Name"] == "busy" and float(o["CPUPerc"].rstrip("%")) > 5, o
assert o["MemUsage"].endswith("/ 64MiB") and o["PIDs"] == "1", o
'
    [[ $(caisson stats --no-stream | head -1) == *"CPU %"*"MEM USAGE / LIMIT"*"PIDS"* ]]
    fails 1 "no such container" caisson stats --no-stream nobody
    run timeout 3 caisson stats --no-stream
    [ "$status" = 0 ]
}

@test "top lists the processes with the owners that the container knows" {
    caisson run -d --name web -u 1234 busybox sh -c 'sleep 77 & wait'
    waits 5 sh -c 'caisson top web | grep -q "sleep 77"'
    [[ $(caisson top web | head -1) == UID*PID*PPID*C*STIME*TTY*TIME*CMD ]]
    caisson top web | grep -E '^1234 .* sleep 77$'
    caisson stop -t 0 web
    fails 1 "not running" caisson top web
}

@test "container ls, inspect, stop, rm are the same verbs" {
    caisson container run -d --name web busybox sleep 100
    [ -n "$(caisson container ls -q)" ]
    [ "$(caisson container inspect -f '{{.Name}}' web)" = /web ]
    caisson container stop -t 0 web
    [ -n "$(caisson container list -aq)" ]
    caisson container rm web
}

@test "--latest is the container that was made last, for every verb that takes one" {
    caisson run -d --name first busybox sleep 100
    caisson run -d --name second busybox sleep 100
    [ "$(caisson inspect -l -f '{{.Name}}')" = /second ]
    caisson exec -l touch /tmp/here
    caisson exec second test -e /tmp/here
    run -1 caisson exec first test -e /tmp/here
    [ "$(caisson top --latest | wc -l)" = 2 ]
    [ "$(caisson stats --no-stream -l --format '{{.Name}}')" = second ]
    caisson restart -t 0 -l
    [ "$(caisson stop -t 0 -l)" = "$(caisson inspect -f '{{.Id}}' second)" ]
    [ "$(caisson wait --latest)" = 137 ]
    caisson start -l
    caisson kill -l
    caisson rm --force --latest
    [ "$(caisson ps -a --format '{{.Names}}')" = first ]
}

@test "--latest adds to the names, can be taken back, and is an error where nothing is" {
    caisson run -d --name first busybox sleep 100
    caisson run -d --name second busybox sleep 100
    [ "$(caisson inspect -f '{{.Name}}' --latest first | xargs)" = "/second /first" ]
    run -1 caisson inspect --latest --latest=false
    [[ $output == *"at least 1 argument"* ]]
    run -1 caisson logs -l first
    [[ $output == *'does not know what to do with "first"'* ]]
    caisson rm -f first second
    run -1 caisson logs --latest
    [[ $output == *"there is no container, and so none that was made last"* ]]
}
