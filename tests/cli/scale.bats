#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Many containers at once: CAISSON_TEST_SCALE of them, 25 unless said otherwise (1000 in CI). How long it
# takes is printed; bench.py compares it.
bats_require_minimum_version 1.5.0
load ../lib/common

setup_file() {
    common_setup_file
    image
}
teardown_file() { common_teardown_file; }

took() {
    echo "# time: $1: $(($(date +%s%N) / 1000000 - began)) ms" >&3
    began=$(($(date +%s%N) / 1000000))
}

@test "many detached containers: each starts, is listed and stopped, and nothing is left" {
    count=${CAISSON_TEST_SCALE:-25}
    began=$(($(date +%s%N) / 1000000))
    for n in $(seq "$count"); do
        caisson run -d --name "c$n" busybox sleep 3600 >/dev/null
        ((n % (count / 5))) || took "containers up to number $n"
    done
    [ "$(caisson ps -q | wc -l)" = "$count" ]
    took "ps of $count"
    [ "$(caisson exec "c$count" echo fine)" = fine ]
    [ "$(caisson ps -q --filter name=c1 | wc -l)" -ge 1 ]
    # shellcheck disable=SC2046 # one word per id
    caisson stop -t 0 $(caisson ps -q) >/dev/null
    took "stop of $count"
    [ "$(caisson ps -q | wc -l)" = 0 ]
    [ "$(caisson ps -aq | wc -l)" = "$count" ]
    caisson container prune -f >/dev/null
    took "removal of $count"
    [ -z "$(find "$CAISSON_ROOT/containers" "$CAISSON_ROOT/names" "$CAISSON_STATE/containers" \
        "$CAISSON_STATE/names" "$CAISSON_STATE/ids" -mindepth 1 2>/dev/null)" ]
}

# A list reads a few small files of each, and never all the others' for one.
@test "ps takes a dozen system calls for each container, whether it runs or never ran" {
    skip_without strace
    caisson run -d --name runs busybox sleep 3600 >/dev/null
    caisson ps -a >/dev/null
    calls() { strace -f -o "$BATS_TEST_TMPDIR/calls" caisson ps -a >/dev/null && wc -l <"$BATS_TEST_TMPDIR/calls"; }
    few=$(calls)
    for n in $(seq 40); do
        caisson create --name "never$n" busybox true >/dev/null
        ((n % 2)) || caisson run -d --name "more$n" busybox sleep 3600 >/dev/null
    done
    [ "$(caisson ps -aq | wc -l)" = 61 ]
    many=$(calls)
    echo "$few calls, then $many"
    [ $((many - few)) -le $((60 * 13)) ]
    # shellcheck disable=SC2046 # one word per id
    caisson rm -f $(caisson ps -aq) >/dev/null
}
