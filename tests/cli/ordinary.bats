#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What is different for an ordinary user: whose the ids are, what cannot be enforced, who sees what.
load ../lib/common

setup_file() {
    common_setup_file
    [ "$(id -u)" != 0 ] || return 0
    image
}

setup() {
    [ "$(id -u)" != 0 ] || skip "root is no ordinary user"
}

teardown() {
    ids=$(caisson ps -aq)
    # shellcheck disable=SC2086 # one word per id
    [ -z "$ids" ] || caisson rm -f $ids
}

teardown_file() {
    common_teardown_file
}

@test "no process of a container has rights outside: its root is nobody's id, its user is the person" {
    caisson run -d --name web busybox sleep 100
    caisson exec -d -u root web sleep 200
    caisson exec -d -u 1000 web sleep 300
    waits 5 sh -c '[ "$(caisson top web | grep -c sleep)" = 3 ]'
    for words in 100:65532 200:0 300:1000; do
        caisson top web | grep "sleep ${words%:*}" | grep -q "^${words#*:} "
    done
    # 1000 and root of the container are subordinate ids of the host
    pid=$(caisson top web | awk '/sleep 200/{print $2}')
    [ "$(stat -c %u "/proc/$pid")" -ge 65536 ]
    pid=$(caisson top web | awk '/sleep 300/{print $2}')
    [ "$(stat -c %u "/proc/$pid")" -ge 65536 ]
}

@test "processes of all ids are ended, and files of all ids removed" {
    caisson run -d --name web --user root --read-only=false busybox sh -c 'touch /a; chown 1234 /a; sleep 100'
    caisson exec -d -u 1000 web sleep 300
    waits 5 caisson exec web test -e /a
    caisson stop -t 0 web
    caisson rm web
    [ -z "$(ls -A "$CAISSON_ROOT/containers" 2>/dev/null)" ]
}

@test "a limit that cannot be enforced is an error by flag, and one line of warning by default" {
    ! has_groups || skip "limits are in force here"
    unset CAISSON_HINTS
    fails 125 "--memory cannot be enforced" caisson run --rm -m 64m busybox true
    fails 125 "--pids-limit cannot be enforced" caisson create --pids-limit 10 busybox true
    fails 125 "--cpus cannot be enforced" caisson run -d --cpus 0.5 busybox true
    [ -z "$(caisson ps -aq)" ]
    run caisson run --rm --network none busybox true
    [ "$status" = 0 ]
    [ "${#lines[@]}" = 1 ]
    [[ $output == "caisson: warning: no limits of memory"* ]]
    run caisson run -q --rm busybox true
    [ -z "$output" ]
}

@test "where pasta cannot be there is no network, which one line says, and asked for by flag an error" {
    [ ! -w /dev/net/tun ] || skip "pasta can be here"
    unset CAISSON_HINTS
    run caisson run --rm busybox ls /sys/class/net
    [ "$status" = 0 ]
    [[ $output == *"has no network: cannot open /dev/net/tun"* ]]
    [ "${lines[-1]}" = lo ]
    fails 125 "/dev/net/tun" caisson run --rm --network bridge busybox true
    fails 125 "/dev/net/tun" caisson run --rm -p 8080:80 busybox true
    fails 125 "/dev/net/tun" caisson run --rm --egress none busybox true
}

@test "commands share one namespace while a container runs, also when its monitor was killed" {
    caisson run -d --name web --user root busybox sleep 100
    monitor=$(sed -n 's/^monitor=//p' "$CAISSON_STATE"/containers/*/status)
    kill -9 "$monitor"
    waits 5 sh -c "! kill -0 $monitor"
    [ "$(caisson exec web id -u)" = 0 ]
    caisson run -d --name other busybox sleep 100
    [ "$(caisson exec web readlink /proc/self/ns/user)" != "$(caisson exec other readlink /proc/self/ns/user)" ]
    caisson rm -f web other
}

@test "what others have is neither seen nor touched" {
    mkdir "$BATS_TEST_TMPDIR/own"
    chmod 0700 "$CAISSON_STATE"
    fails 1 "denied" env CAISSON_STATE=/run/caisson-of-root/x caisson --state /proc/1/root/x ps
    fails 125 "ermission denied" caisson run --rm -v /root/x:/x busybox true
}

@test "devices are the host's own, and no others" {
    run caisson run --rm busybox sh -c 'stat -c "%n %F" /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty'
    [ "$status" = 0 ]
    [ "$(echo "$output" | grep -c 'character special file')" = 6 ]
    run caisson run --rm --user root --cap-add MKNOD busybox mknod /dev/shm/x c 1 3
    [ "$status" != 0 ]
    caisson run --rm --device /dev/zero:/dev/other busybox sh -c 'head -c 3 /dev/other | wc -c' | grep -qx 3
}
