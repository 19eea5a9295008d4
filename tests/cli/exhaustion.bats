#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A machine that has no more: disk, inodes, a state directory that may not be written to, a clock that
# was set back, arguments without end. Each is a clear error, loses nothing, and passes.
bats_require_minimum_version 1.5.0
load ../lib/common

setup_file() {
    common_setup_file
    image
}
teardown_file() { common_teardown_file; }

teardown() {
    [ ! -d "$BATS_TEST_TMPDIR/small" ] || umount "$BATS_TEST_TMPDIR/small" 2>/dev/null || true
    local ids
    ids=$(caisson ps -aq)
    # shellcheck disable=SC2086 # one word per id
    [ -z "$ids" ] || caisson rm -f -v $ids >/dev/null
}

# small OPTIONS: the root directory is a small file system of its own, with the image in it.
small() {
    skip_unless_root
    mkdir "$BATS_TEST_TMPDIR/small"
    mount -t tmpfs -o "$1" caisson-small "$BATS_TEST_TMPDIR/small"
    caisson save -o "$BATS_TEST_TMPDIR/busybox.tar" busybox
    export CAISSON_ROOT=$BATS_TEST_TMPDIR/small/root
    caisson load -q -i "$BATS_TEST_TMPDIR/busybox.tar" >/dev/null
    caisson run --rm --read-only=false busybox true 2>/dev/null || skip "no overlay on a tmpfs with this kernel"
}

@test "a full disk refuses new containers and images in words, and what is there goes on" {
    small size=12m
    caisson run -d --name web --read-only=false busybox sh -c 'while :; do echo line; sleep 0.1; done'
    head -c 20m /dev/zero >"$BATS_TEST_TMPDIR/small/fill" || true
    fails 125 "No space left on device" caisson create --name more busybox true
    fails 125 "No space left on device" caisson run --name more busybox true
    fails 1 "No space left on device" caisson import "$BATS_TEST_TMPDIR/busybox.tar" other
    [ "$(caisson ps --format '{{.Names}}')" = web ]
    [ "$(caisson exec web echo fine)" = fine ]
    # One that needs no disk still runs.
    [ "$(caisson run --rm busybox echo fine)" = fine ]
    caisson stop -t 1 web || true
    rm "$BATS_TEST_TMPDIR/small/fill"
    [ "$(caisson inspect -f '{{.State.Status}}' web)" = exited ]
    caisson rm web
    caisson run --name more busybox true
    caisson rm more
    [ -z "$(find "$CAISSON_ROOT/containers" "$CAISSON_ROOT/names" -mindepth 1)" ]
}

@test "a disk without inodes is told, and nothing half-made stays" {
    small size=64m,nr_inodes=600
    n=0
    while : 2>/dev/null >"$BATS_TEST_TMPDIR/small/fill-$n"; do n=$((n + 1)); done || true
    fails 125 "No space left on device" caisson create --name more busybox true
    fails 1 "No space left on device" caisson import "$BATS_TEST_TMPDIR/busybox.tar" other
    rm "$BATS_TEST_TMPDIR"/small/fill-*
    caisson run --rm busybox true
    [ -z "$(caisson ps -aq)" ]
    [ "$(find "$CAISSON_ROOT/containers" -mindepth 1 | wc -l)" = 0 ]
    caisson image prune -f >/dev/null
    [ "$(find "$CAISSON_ROOT/tmp" -mindepth 1 | wc -l)" = 0 ]
}

@test "a state directory that is read-only is told by name" {
    skip_unless_root
    mkdir "$BATS_TEST_TMPDIR/small"
    mount -t tmpfs -o size=4m caisson-small "$BATS_TEST_TMPDIR/small"
    caisson --state "$BATS_TEST_TMPDIR/small/state" run -d --name web --network none busybox sleep 100
    mount -o remount,ro "$BATS_TEST_TMPDIR/small"
    fails 125 "Read-only file system" caisson --state "$BATS_TEST_TMPDIR/small/state" run --rm --network none busybox true
    run -0 caisson --state "$BATS_TEST_TMPDIR/small/state" ps
    [[ $output == *web* ]]
    [ "$(caisson --state "$BATS_TEST_TMPDIR/small/state" exec web echo fine)" = fine ]
    mount -o remount,rw "$BATS_TEST_TMPDIR/small"
    caisson --state "$BATS_TEST_TMPDIR/small/state" rm -f web
}

@test "after the clock was set back, what lies in the future is shown and ends as ever" {
    caisson run -d --name web busybox sh -c 'echo said; exec sleep 100'
    waits 5 sh -c '[ "$(caisson logs web)" = said ]'
    id=$(caisson inspect -f '{{.Id}}' web)
    sed -i 's/"created":"20[0-9][0-9]/"created":"2199/; s/"caisson.created":"20[0-9][0-9]/"caisson.created":"2199/' "$CAISSON_ROOT/containers/$id/config.json"
    sed -i 's/^started=.*/started=7226582400000000000/' "$CAISSON_STATE/containers/$id/status"
    run -0 caisson ps
    [[ $output == *web* && $output != *-[0-9]*second* ]]
    [ "$(caisson logs web)" = said ]
    [ "$(caisson inspect -f '{{.State.Status}}' web)" = running ]
    caisson stop -t 0 web
    [ "$(caisson inspect -f '{{.State.Status}}' web)" = exited ]
    caisson start web
    caisson rm -f web
}

@test "ten thousand variables all arrive, more than the kernel takes are refused in words" {
    for n in $(seq 10000); do echo "V$n=$n"; done >"$BATS_TEST_TMPDIR/env"
    rc=0
    told=$(caisson run --rm --env-file "$BATS_TEST_TMPDIR/env" busybox env 2>&1) || rc=$?
    if [ $rc = 0 ]; then
        [ "$(grep -c '^V[0-9]*=' <<<"$told")" = 10000 ]
    else
        [ $rc = 125 ]
        [[ $told == *variables* ]]
    fi
    head -c 3000000 /dev/zero | tr '\0' 'x' | sed 's/^/BIG=/' >"$BATS_TEST_TMPDIR/env"
    rc=0
    told=$(caisson run --rm --env-file "$BATS_TEST_TMPDIR/env" busybox true 2>&1) || rc=$?
    [ $rc = 125 ] || [ $rc = 126 ]
    [[ $told == caisson:* && ${#told} -lt 1200 ]]
}

@test "paths of four thousand characters work or are refused in words" {
    long=$(printf '/%0200d' $(seq 19) | tr -d '\n')
    [ "$(caisson run --rm --read-only=false -w "$long" busybox pwd)" = "$long" ]
    caisson run --rm --tmpfs "$long" busybox sh -c "touch $long/file"
    mkdir -p "$BATS_TEST_TMPDIR$long" 2>/dev/null || true
    longer=$long$long
    fails 125 "" caisson run --rm -w "$longer" busybox true
    fails 125 "" caisson run --rm --tmpfs "$longer" busybox true
    rc=0
    told=$(caisson run --rm busybox "$longer" 2>&1) || rc=$?
    [ $rc = 127 ] || [ $rc = 126 ]
    [[ $told == caisson:*"File name too long"* ]]
}
