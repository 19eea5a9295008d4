#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a container sees of a process that enters it (exec, health checks), and what such a process has.
bats_require_minimum_version 1.5.0
load ../lib/common

setup_file() {
    common_setup_file
    image
    mkdir -p "$BATS_FILE_TMPDIR/payload"
    cp "$CAISSON_BUILD/tests/escape-peek" "$BATS_FILE_TMPDIR/payload/peek"
}
teardown_file() { common_teardown_file; }

teardown() {
    local ids
    ids=$(caisson ps -aq)
    # shellcheck disable=SC2086 # one word per id
    [ -z "$ids" ] || caisson rm -f -v $ids >/dev/null
}

# Seen to fail when exec's process was born in the container's process namespace while it was still in
# the host's others: "network of the host", "mounts of the host" and "command line of the host" within
# two seconds of such a loop.
@test "nothing of the host is seen through a process that exec puts into the container" {
    caisson run -d --name web --network none -v "$BATS_FILE_TMPDIR/payload:/payload:ro" busybox /payload/peek 8 hunter2
    waits 5 sh -c 'caisson logs web | grep -q looking'
    end=$((SECONDS + 7))
    while [ $SECONDS -lt $end ]; do
        caisson exec -e TOKEN=hunter2 web true || break
    done
    caisson wait web
    [ "$(caisson logs web)" = "looking
done" ]
}

# Seen to fail when the container that joins was set up inside: all three within a second.
@test "nothing of the host is seen in a process namespace while others join it" {
    caisson run -d --name web --network none -v "$BATS_FILE_TMPDIR/payload:/payload:ro" busybox /payload/peek 8 hunter2 -
    waits 5 sh -c 'caisson logs web | grep -q looking'
    end=$((SECONDS + 7)) count=0
    while [ $SECONDS -lt $end ]; do
        caisson run --rm --network none -e TOKEN=hunter2 --pid container:web busybox true || break
        count=$((count + 1))
    done
    caisson wait web
    [ $count -gt 3 ]
    [ "$(caisson logs web)" = "looking
done" ]
}

# Nothing but its fences and ids is left for a container's first process to do where others look on: where
# no user namespace lies between, one of those may have the right to look into it.
@test "who joins a process namespace shows no descriptor of the host and no rights of its root" {
    [ "$(id -u)" = 0 ] || skip "without a user namespace, root's alone"
    cp "$CAISSON_BUILD/tests/escape-behold" "$BATS_FILE_TMPDIR/payload/behold"
    # CAP_SYS_PTRACE is the container's, 0xc0 what it takes to change ids
    caisson run -d --name web --level baseline --user root --userns host --cap-drop ALL --cap-add SYS_PTRACE \
        --security-opt landlock=off --security-opt seccomp=unconfined -v "$BATS_FILE_TMPDIR/payload:/payload:ro" \
        busybox /payload/behold 6 800c0
    if [[ $(caisson run --rm --userns host --pid container:web busybox true 2>&1) == *"takes Linux 6.17"* ]]; then
        skip "refused on this kernel"
    fi
    end=$((SECONDS + 5))
    while [ $SECONDS -lt $end ]; do
        caisson run --rm --userns host --pid container:web busybox true || break
    done
    caisson wait web
    run caisson logs web
    [[ $output == beheld* ]]
    [ "${output#beheld }" -gt 10 ]
}

# Seen to fail when a process in a new user namespace was dumpable until it had become root in there: who
# has the uid that owns the namespace needs no capability to look into it.
@test "a container that sees the host's processes does not get at the host's files through one that is being made" {
    [ "$(id -u)" = 0 ] || skip "the host's processes are root's to give"
    echo "of the host" >"$BATS_FILE_TMPDIR/canary"
    chmod 600 "$BATS_FILE_TMPDIR/canary"
    # The host is a process namespace of the test's own: other programs of this machine may well make such
    # processes.
    export CANARY="$BATS_FILE_TMPDIR/canary" PAYLOAD="$BATS_FILE_TMPDIR/payload"
    run -0 unshare --pid --fork --mount-proc --kill-child bash -c '
        caisson run -d --name watcher --level baseline --user root --cap-drop ALL --userns host --pid host \
            --security-opt landlock=off --security-opt systempaths=unconfined -v "$PAYLOAD:/payload:ro" \
            busybox /payload/peek 8 "" "$CANARY" >/dev/null
        end=$((SECONDS + 9))
        while [ $SECONDS -lt $end ]; do
            caisson run --rm -v "$PAYLOAD:/payload" busybox true
            caisson exec watcher true
        done 2>/dev/null
        caisson logs watcher
        caisson rm -f watcher >/dev/null'
    [ "$output" = "looking
done" ]
}

@test "process 1 of --init does not show the command line of the host" {
    caisson run -d --name web --init -e TOKEN=hunter2 busybox sleep 100
    run caisson exec web sh -c 'tr "\0" " " </proc/1/cmdline'
    [[ $output != *hunter2* ]]
    [[ $output != *run* ]]
}

@test "exec and health checks have the limits of the first process" {
    caisson run -d --name web --ulimit nofile=64:64 --ulimit fsize=1000:1000 --oom-score-adj 700 \
        --health-cmd 'ulimit -n >/tmp/nofile; cat /proc/self/oom_score_adj >/tmp/score' --health-interval 1s \
        busybox sleep 100
    run caisson exec web sh -c 'ulimit -n; ulimit -f; cat /proc/self/oom_score_adj'
    [ "$output" = "64
1
700" ]
    # Written anew every second.
    waits 5 sh -c '[ "$(caisson exec web cat /tmp/nofile /tmp/score | xargs)" = "64 700" ]'
}

@test "standard streams that nobody wants are the container's own /dev/null, not the host's" {
    [ "$(id -u)" = 0 ] || skip "the devices of an ordinary user's container are the host's"
    host=$(stat -c %d:%i /dev/null)
    [ "$(caisson run --rm busybox stat -L -c %d:%i /proc/self/fd/0)" != "$host" ]
    caisson run -d --name web busybox sleep 100
    [ "$(caisson exec web stat -L -c %d:%i /proc/self/fd/0)" != "$host" ]
    caisson exec -d web sh -c 'stat -L -c %d:%i /proc/self/fd/1 /proc/self/fd/2 2>/dev/null >/tmp/seen; sleep 50'
    waits 5 caisson exec web test -s /tmp/seen
    ! caisson exec web cat /tmp/seen | grep -qx "$host" || false
}

@test "what lies in the place of /dev/null inside is not opened as one" {
    [ "$(id -u)" = 0 ] || skip "the devices of an ordinary user's container are mounts"
    caisson run -d --name web --level baseline --user root busybox sleep 100
    caisson exec web sh -c 'rm /dev/null && mkfifo /dev/null' || skip "AppArmor keeps it as it is"
    fails 125 "/dev/null of the container is something else" timeout 5 caisson exec web true
}

# Seen to fail: exec hung for as long as the container lived, with its process in state T.
@test "who stops every process that is born beside it holds nobody up" {
    caisson run -d --name stopper busybox sh -c 'while :; do for p in 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do kill -STOP $p; done; done 2>/dev/null'
    local i rc
    for i in 1 2 3; do
        rc=0
        timeout -k 1 20 "$CAISSON_BUILD/caisson" exec stopper sh -c 'exit 7' 2>"$BATS_TEST_TMPDIR/said" &
        wait $! || rc=$?
        # done, stopped by the container as it may be afterwards, or said to have been
        [ "$rc" = 7 ] || [ "$rc" = 124 ] || grep -q 'stopped again and again' "$BATS_TEST_TMPDIR/said"
    done
    timeout 20 "$CAISSON_BUILD/caisson" rm -f stopper
}
