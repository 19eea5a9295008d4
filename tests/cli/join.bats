#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Containers that join another's processes, shared memory or user namespace.
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

run_() { caisson run --rm "$@"; }

# namespace CONTAINER KIND: as its processes see it.
namespace() {
    caisson exec "$1" readlink "/proc/self/ns/$2"
}

host_config() {
    caisson inspect --format "{{.HostConfig.$2}}" "$1"
}

@test "--pid container:NAME sees that container's processes, as their own user, and may signal them" {
    caisson run -d --name web busybox sleep 1234 >/dev/null
    run -0 run_ --pid container:web busybox sh -c 'ps -o pid,user,args; readlink /proc/self/ns/user; kill -0 1 && echo may'
    [[ $output == *"1 nonroot  sleep 1234"* ]]
    [[ $output == *may ]]
    [[ $output == *"$(namespace web user)"* ]]
    # and nothing else of it
    [ "$(run_ --pid container:web busybox readlink /proc/self/ns/mnt)" != "$(namespace web mnt)" ]
    [ "$(run_ --pid container:web busybox readlink /proc/self/ns/ipc)" != "$(namespace web ipc)" ]
    [ "$(run_ --pid container:web busybox readlink /proc/self/ns/net)" != "$(namespace web net)" ]
}

@test "a container is joined by its name, its id or the beginning of that; inspect shows the id" {
    id=$(caisson run -d --name web --ipc shareable busybox sleep 100)
    for word in web "$id" "${id:0:9}"; do
        caisson create --name joiner --pid "container:$word" --ipc "container:$word" --network "container:$word" \
            busybox true >/dev/null
        for mode in PidMode IpcMode NetworkMode UsernsMode; do
            [ "$(host_config joiner "$mode")" = "container:$id" ]
        done
        caisson rm joiner
    done
    [ "$(host_config web IpcMode)" = shareable ]
    [ "$(host_config web PidMode)" = private ]
    fails 125 "--pid: no such container: wbe; did you mean web?" run_ --pid container:wbe busybox true
    fails 125 "give the container's name" run_ --pid container: busybox true
}

@test "a container that is joined has to run, and is looked for again at every start" {
    caisson create --name web busybox sleep 100 >/dev/null
    caisson create --name joiner --pid container:web busybox sh -c 'readlink /proc/1/ns/pid; ps' >/dev/null
    fails 125 "container web is not running; start it first: caisson start web" caisson start joiner
    for i in 1 2; do
        caisson start web >/dev/null
        run -0 caisson start -a joiner
        [[ $output == *"sleep 100"* ]]
        caisson stop -t 0 web >/dev/null
        fails 125 "container web is not running" caisson start joiner
    done
    caisson rm web >/dev/null
    fails 125 "no such container" caisson start joiner
}

@test "the end of a container ends who joined its processes, and who joined tells why" {
    caisson run -d --name web busybox sleep 100 >/dev/null
    caisson run -d --name joiner --pid container:web busybox sleep 200 >/dev/null
    caisson rm -f web >/dev/null
    [ "$(caisson wait joiner)" = 137 ]
    [ "$(caisson inspect --format '{{.State.ExitSignal}}' joiner)" = 9 ]
    [[ $(caisson inspect --format '{{.State.Error}}' joiner) == *"whose processes it had joined ended"* ]]
    # not when that was somebody else's doing
    caisson run -d --name web busybox sleep 100 >/dev/null
    caisson run -d --name other --pid container:web busybox sleep 200 >/dev/null
    caisson kill other >/dev/null
    [ "$(caisson wait other)" = 137 ]
    [ -z "$(caisson inspect --format '{{.State.Error}}' other)" ]
}

@test "who joined is ended alone, with all that it started, and the other goes on" {
    caisson run -d --name web busybox sleep 100 >/dev/null
    for init in "" --init; do
        # shellcheck disable=SC2086 # no word when empty
        caisson run -d --name joiner $init --pid container:web busybox sh -c '(setsid sleep 777 &) ; (setsid sleep 778 &); sleep 779' >/dev/null
        waits 5 sh -c 'caisson exec web ps | grep -q "sleep 779"'
        caisson exec web ps | grep -q "sleep 777"
        caisson rm -f joiner >/dev/null
        run ! sh -c 'caisson exec web ps | grep "sleep 77"'
    done
    # also when it ends by itself
    caisson run --rm --pid container:web busybox sh -c '(setsid sleep 777 >/dev/null 2>&1 &); sleep 0.2'
    run ! sh -c 'caisson exec web ps | grep "sleep 77"'
    [ "$(caisson inspect --format '{{.State.Status}}' web)" = running ]
}

@test "--init reaps what it started, though it is not process 1" {
    caisson run -d --name web busybox sleep 100 >/dev/null
    caisson run -d --name joiner --init --pid container:web busybox sh -c '(sleep 0.1 &); sleep 100' >/dev/null
    sleep 0.5
    caisson exec web ps -o stat,args >"$BATS_TEST_TMPDIR/ps"
    grep -q caisson-init "$BATS_TEST_TMPDIR/ps" || grep -q 'sleep 100' "$BATS_TEST_TMPDIR/ps"
    run ! grep '^Z' "$BATS_TEST_TMPDIR/ps"
}

@test "a container with --init is entered, joined, copied from and looked into as any other" {
    caisson run -d --name web --init --ipc shareable --health-cmd 'test -e /tmp/own' --health-interval 1s busybox \
        sh -c 'touch /tmp/own; (sleep 300 &); sleep 200; true' >/dev/null
    [ "$(caisson exec web cat /proc/1/comm)" = caisson-init ]
    [ "$(caisson exec -u 7 web id -u)" = 7 ]
    waits 8 sh -c '[ "$(caisson inspect --format "{{.State.Health.Status}}" web)" = healthy ]'
    caisson top web | grep -q "sleep 200"
    caisson cp web:/tmp/own "$BATS_TEST_TMPDIR/own"
    for kind in pid ipc user net; do
        own=$(run_ --pid container:web --ipc container:web --network container:web busybox readlink /proc/self/ns/$kind)
        [ "$own" = "$(namespace web $kind)" ]
    done
    caisson run -d --name joiner --init --pid container:web busybox sh -c 'sleep 400; true' >/dev/null
    caisson exec joiner ps | grep -q "sleep 200"
    caisson top joiner | grep -q "sleep 400"
    # the one whose processes it joined is known by them, not by who looks
    caisson kill joiner >/dev/null
    [ "$(caisson wait joiner)" = 137 ]
    [ -z "$(caisson inspect --format '{{.State.Error}}' joiner)" ]
}

# What is inside cannot look into process 1, which has our memory and no filter: not its own user, nor
# with the right to trace.
@test "process 1 of --init shows nothing of the host, neither to its own user nor with SYS_PTRACE" {
    for rights in "" "--level baseline --cap-add SYS_PTRACE"; do
        # shellcheck disable=SC2086 # words
        caisson run -d --name web --init $rights busybox sleep 100 >/dev/null
        for file in environ exe maps mem root; do
            run ! caisson exec web sh -c "cat /proc/1/$file || ls /proc/1/$file/"
        done
        caisson rm -f web >/dev/null
    done
}

@test "exec, top, cp and health checks of one that joined are its own" {
    caisson run -d --name web --ipc shareable busybox sleep 100 >/dev/null
    caisson run -d --name joiner --pid container:web --ipc container:web --health-cmd 'test -e /tmp/own' --health-interval 1s \
        busybox sh -c 'touch /tmp/own; sleep 200' >/dev/null
    for kind in pid ipc user; do
        [ "$(namespace joiner $kind)" = "$(namespace web $kind)" ]
    done
    [ "$(namespace joiner mnt)" != "$(namespace web mnt)" ]
    waits 8 sh -c '[ "$(caisson inspect --format "{{.State.Health.Status}}" joiner)" = healthy ]'
    caisson top joiner | grep -q "sleep 200"
    run ! sh -c 'caisson top joiner | grep "sleep 100"'
    ! has_groups || run ! sh -c 'caisson top web | grep "sleep 200"'
    caisson cp joiner:/tmp/own "$BATS_TEST_TMPDIR/own"
    caisson stop -t 0 joiner >/dev/null
    caisson cp joiner:/etc/passwd "$BATS_TEST_TMPDIR/passwd"
    caisson exec web true
}

@test "--ipc container:NAME shares memory in /dev/shm with one that is shareable" {
    caisson run -d --name web --ipc shareable busybox sh -c 'echo secret >/dev/shm/s; sleep 100' >/dev/null
    waits 5 caisson exec web test -s /dev/shm/s
    [ "$(run_ --ipc container:web busybox sh -c 'cat /dev/shm/s; echo back >/dev/shm/b; stat -c %U /dev/shm/s')" = "secret
nonroot" ]
    [ "$(caisson exec web cat /dev/shm/b)" = back ]
    [ "$(run_ --ipc container:web busybox readlink /proc/self/ns/ipc)" = "$(namespace web ipc)" ]
    caisson run -d --name private busybox sleep 100 >/dev/null
    fails 125 "container private does not share; make it with --ipc shareable" run_ --ipc container:private busybox true
    # who joined can be joined
    caisson run -d --name second --ipc container:web busybox sleep 100 >/dev/null
    [ "$(run_ --ipc container:second busybox cat /dev/shm/b)" = back ]
    fails 125 "shared memory that is not the container's own" run_ --ipc container:web --sysctl kernel.shmmax=1000 busybox true
}

@test "--ipc none has no /dev/shm" {
    run -1 run_ --ipc none busybox ls /dev/shm
    [ "$(run_ --ipc none busybox readlink /proc/self/ns/ipc)" != "$(readlink /proc/self/ns/ipc)" ]
    caisson create --name none --ipc none busybox true >/dev/null
    [ "$(host_config none IpcMode)" = none ]
}

@test "a range of ids stays taken until all are gone who live in it" {
    [ "$(id -u)" = 0 ] || skip "ranges of ids are root's to give"
    base() { caisson exec "$1" awk '{ print $2 }' /proc/self/uid_map; }
    caisson run -d --name web busybox sleep 100 >/dev/null
    first=$(base web)
    caisson run -d --name joiner --userns container:web busybox sleep 100 >/dev/null
    caisson run -d --name third --userns container:joiner busybox sleep 100 >/dev/null
    [ "$(base joiner)" = "$first" ]
    [ "$(base third)" = "$first" ]
    caisson rm -f web >/dev/null
    [ "$(readlink "$CAISSON_STATE/ids/$(((first - 1879048192) / 65536))")" != "" ]
    caisson rm -f joiner >/dev/null
    [ "$(readlink "$CAISSON_STATE/ids/$(((first - 1879048192) / 65536))")" = "$(caisson inspect --format '{{.Id}}' third)" ]
    caisson rm -f third >/dev/null
    [ -z "$(find "$CAISSON_STATE/ids" -type l)" ]
}

@test "joining weakens what was said otherwise only in words: what contradicts is refused with the way out" {
    caisson run -d --name web --ipc shareable busybox sleep 100 >/dev/null
    caisson run -d --name other busybox sleep 100 >/dev/null
    fails 125 "leave --userns auto away" run_ --pid container:web --userns auto busybox true
    fails 125 "leave --userns host away" run_ --pid container:web --userns host busybox true
    fails 125 "have different user namespaces" run_ --pid container:other --ipc container:web busybox true
    fails 125 "have different user namespaces" run_ --pid container:web --userns container:other busybox true
    fails 125 "give private, container:NAME or host" run_ --pid other busybox true
    fails 125 "give private, shareable, none, container:NAME or host" run_ --ipc other busybox true
    fails 125 "give private or host" run_ --uts container:web busybox true
    run -0 run_ --dry-run --pid container:web busybox true
    [[ $output == *"that of container web"* ]]
    [ "$(id -u)" = 0 ] || return 0
    caisson run -d --name open --userns host --pid host --network host --ipc host busybox sleep 100 >/dev/null
    fails 125 "needs --userns host: container open has no user namespace of its own" run_ --pid container:open busybox true
    fails 125 "say --pid host" run_ --userns host --pid container:open busybox true
    fails 125 "say --ipc host" run_ --userns host --ipc container:open busybox true
    fails 125 "say --network host" run_ --network container:open busybox true
}

@test "containers with the host's user namespace join each other too" {
    [ "$(id -u)" = 0 ] || skip "an ordinary user has none to give"
    caisson run -d --name web --userns host --ipc shareable busybox sleep 100 >/dev/null
    run run_ --userns host --pid container:web --ipc container:web busybox sh -c 'ps; readlink /proc/self/ns/user'
    [[ $output != *"takes Linux 6.17"* ]] || skip "refused on this kernel"
    [ "$status" = 0 ]
    [[ $output == *"sleep 100"* ]]
    [[ $output == *"$(readlink /proc/self/ns/user)" ]]
}

@test "volumes and binds of one that joined belong to the same people as always" {
    mkdir -p "$BATS_TEST_TMPDIR/dir"
    caisson run -d --name web busybox sleep 100 >/dev/null
    run_ --pid container:web -v "$BATS_TEST_TMPDIR/dir:/data" -v joinvol:/vol busybox sh -c 'touch /data/f /vol/f'
    [ "$(stat -c %u "$BATS_TEST_TMPDIR/dir/f")" = "$(own_id)" ]
    [ "$(run_ -v joinvol:/vol busybox stat -c %U /vol/f)" = nonroot ]
    caisson volume rm joinvol >/dev/null
}
