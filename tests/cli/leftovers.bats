#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What is left of containers when they are gone, and when somebody is killed: nothing.
bats_require_minimum_version 1.5.0
load ../lib/common

setup_file() {
    common_setup_file
    image
}
teardown_file() { common_teardown_file; }

setup() {
    parent=leftovers-$$-$BATS_TEST_NUMBER
}

teardown() {
    local ids
    ids=$(caisson ps -aq)
    # shellcheck disable=SC2086 # one word per id
    [ -z "$ids" ] || caisson rm -f -v $ids >/dev/null
    find /sys/fs/cgroup -depth -type d -path "*/$parent*" -exec rmdir {} + 2>/dev/null || true
}

# Everything that containers leave traces in, as it is now.
traces() {
    local dir
    for dir in "$CAISSON_ROOT"/{containers,names,volumes} "$CAISSON_STATE"/{containers,names,ids}; do
        [ ! -d "$dir" ] || find "$dir" -mindepth 1 -maxdepth 1
    done
    find /sys/fs/cgroup -type d -path "*/$parent/*"
    awk -v root="$CAISSON_ROOT" -v state="$CAISSON_STATE" \
        'index($5, root) == 1 && $5 != root || index($5, state) == 1 && $5 != state' /proc/self/mountinfo
}
nothing_left() {
    local left
    left=$(traces)
    [ -z "$left" ] || { echo "left: $left"; return 1; }
}
state_of() { caisson inspect -f '{{.State.Status}}' "$1"; }

@test "nothing is left of a command that is not there or cannot be executed, with --rm or after rm" {
    run -127 caisson run --rm --cgroup-parent "$parent" busybox nothere
    nothing_left
    run -126 caisson run --rm --cgroup-parent "$parent" busybox /etc/passwd
    nothing_left
    run -127 caisson run --name once --cgroup-parent "$parent" busybox nothere
    caisson rm once
    nothing_left
    run -126 caisson run -d --name once --cgroup-parent "$parent" busybox /tmp
    caisson rm once
    nothing_left
}

@test "nothing is left of what was refused while it was being made" {
    run -125 caisson run --rm --cgroup-parent "$parent" -v /nowhere/at/all:/x busybox true
    run -125 caisson run --cgroup-parent "$parent" --cpuset-cpus 4000 busybox true
    run -125 caisson run -d --cgroup-parent "$parent" --cpuset-cpus 4000 busybox true
    run -125 caisson run --rm --cgroup-parent "$parent" -w /proc/nothere busybox true
    run -125 caisson create --cidfile /nowhere/at/all busybox true
    nothing_left
}

@test "nothing is left after the end of --rm, rm -f of what runs, rm of what ended" {
    caisson run -d --rm --name one --cgroup-parent "$parent" busybox sleep 0.2
    caisson wait one || true
    waits 10 nothing_left
    caisson run -d --name two --cgroup-parent "$parent" busybox sleep 100
    caisson rm -f two
    nothing_left
    caisson run --name three --cgroup-parent "$parent" --read-only=false busybox true
    caisson rm three
    nothing_left
    caisson create --name four busybox true
    caisson rm four
    nothing_left
}

@test "rm keeps anonymous volumes, rm -v and --rm take them" {
    caisson create --name keep -v /data busybox true
    caisson run --name wrote -v /data --user 0 busybox sh -c 'echo precious >/data/file'
    caisson rm wrote
    grep -rq precious "$CAISSON_ROOT/volumes"
    caisson rm -v keep
    [ "$(caisson volume ls -q --filter dangling=true | wc -l)" = 1 ]
    caisson volume prune -f
    caisson run --name wrote -v /data --user 0 busybox sh -c 'echo precious >/data/file'
    caisson rm -v wrote
    caisson run --rm -v /data --user 0 busybox sh -c 'echo precious >/data/file'
    nothing_left
}

@test "a foreground that is killed takes its container along; the next command finds nothing wrong" {
    caisson run --rm --name web --cgroup-parent "$parent" busybox sleep 100 &
    front=$!
    waits 10 sh -c '[ "$(caisson inspect -f "{{.State.Status}}" web)" = running ]'
    pid=$(caisson inspect -f '{{.State.Pid}}' web)
    kill -9 "$front"
    wait "$front" || true
    waits 10 sh -c "! kill -0 $pid 2>/dev/null"
    [ -z "$(caisson ps -q)" ]
    [ -z "$(caisson ps -aq)" ]
    waits 10 nothing_left
    # Without --rm its monitor sees the end.
    caisson run --name web --cgroup-parent "$parent" busybox sleep 100 &
    front=$!
    waits 10 sh -c '[ "$(caisson inspect -f "{{.State.Status}}" web)" = running ]'
    kill -9 "$front"
    wait "$front" || true
    waits 10 sh -c '[ "$(caisson inspect -f "{{.State.Status}}-{{.State.ExitCode}}" web)" = exited-137 ]'
    caisson rm web
    waits 10 nothing_left
}

@test "rmi of an image that ran takes what its runs needed along" {
    root=$CAISSON_ROOT
    export CAISSON_ROOT=$BATS_TEST_TMPDIR/own
    caisson bootstrap busybox -t mine >/dev/null
    caisson run --rm mine true
    [ -n "$(ls "$CAISSON_ROOT/skeletons")" ]
    run -0 caisson rmi mine
    [[ $output != *cannot* ]]
    [ -z "$(ls "$CAISSON_ROOT/skeletons" "$CAISSON_ROOT/tmp" "$CAISSON_ROOT/layers" | grep -v :)" ]
    CAISSON_ROOT=$root
}

# killed_at TENTHS-OF-MS COMMAND...: as far as it came in that time.
killed_at() {
    python3 - "$@" <<'PYTHON'
import os, signal, subprocess, sys, time
child = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, start_new_session=True)
time.sleep(int(sys.argv[1]) / 10000)
child.kill()
child.wait()
PYTHON
}

@test "run killed at any moment leaves nothing that one more command does not clear up" {
    skip_without python3
    for i in $(seq 40); do
        killed_at $((i * 3)) caisson run --rm --name web --cgroup-parent "$parent" busybox sleep 100
        # The name is free and everything works.
        waits 10 caisson run --rm --name web --cgroup-parent "$parent" busybox true ||
            { echo "after $i"; caisson run --rm --name web busybox true; return 1; }
    done
    caisson ps -a >/dev/null
    waits 10 nothing_left || { traces; return 1; }
}

@test "create, start -a and rm killed at any moment: the container is whole or gone" {
    skip_without python3
    for i in $(seq 15); do
        killed_at $((i * 3)) caisson create --name web --cgroup-parent "$parent" busybox sleep 100
        caisson inspect --type container web >/dev/null 2>&1 ||
            caisson create --name web --cgroup-parent "$parent" busybox sleep 100
        killed_at $((i * 3)) caisson start -a web
        waits 10 sh -c '[ "$(caisson inspect -f "{{.State.Status}}" web)" != running ]'
        killed_at $((i * 2)) caisson rm web
        caisson inspect --type container web >/dev/null 2>&1 && caisson rm -f web
    done
    caisson ps -a >/dev/null
    waits 10 nothing_left || { traces; return 1; }
}

@test "exec killed at any moment takes its process along and leaves the container alone" {
    skip_without python3
    caisson run -d --name web busybox sleep 100
    for i in $(seq 15); do
        killed_at $((i * 3)) caisson exec web sleep 77
    done
    waits 10 sh -c '! caisson top web | grep -q "sleep 77"'
    [ "$(state_of web)" = running ]
    [ "$(caisson exec web echo fine)" = fine ]
}
