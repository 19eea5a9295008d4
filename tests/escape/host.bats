#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a container could reach of the host through terminals, kernel file systems, sockets and mounts.
bats_require_minimum_version 1.5.0
load ../lib/common
load lib/hostile

setup_file() { hostile_setup_file; }
teardown_file() { common_teardown_file; }

teardown() {
    local ids
    ids=$(caisson ps -aq)
    # shellcheck disable=SC2086 # one word per id
    [ -z "$ids" ] || caisson rm -f -v $ids >/dev/null || return 1
    canary_lives
}

terminal() { timeout 60 python3 "$BATS_TEST_DIRNAME/../lib/terminal.py" "$@"; }

# Seen to fail: without the limit both ran.
@test "MS-04 a source of 64 KiB and ten thousand mounts are refused as a whole" {
    long=$(printf '/%0255d' $(seq 300) | tr -d '\n')
    refuses "does not exist; create it first" caisson run --rm -v "$long:/mnt" busybox true
    options=()
    for n in $(seq 1000); do options+=(--tmpfs "/tmp/$n"); done
    refuses "too many mounts" caisson run --rm "${options[@]}" busybox true
    for n in $(seq 1001 5000); do options+=(--tmpfs "/tmp/$n"); done
    refuses "too many mounts" caisson run --rm "${options[@]}" busybox true
    # As many as are allowed are all there.
    [ "$(caisson run --rm "${options[@]:0:300}" busybox sh -c 'grep -c " /tmp/[0-9]* " /proc/self/mountinfo')" = 150 ]
}

# Seen to fail: with /sys writable, and with a bind read-only at its top alone: directories were made in every hierarchy.
@test "MS-06 nothing can be made in the host's control groups, not even with its /sys mounted" {
    # Also as who could: root with capabilities, in the host's user namespace and beside its control groups.
    for options in "" "-v /sys:/host" "--level baseline --user root -v /sys:/host" "--network host" \
        "--userns host --level baseline --user root" "--userns host --level baseline --user root --network host" \
        "--userns host --level baseline --user root -v /sys:/host:ro"; do
        [ "$(id -u)" = 0 ] || [[ $options != *host\ * ]] || continue
        # shellcheck disable=SC2086 # words
        run caisson run --rm $options busybox sh -c '
            for place in $(find /sys/fs/cgroup /host/fs/cgroup -maxdepth 2 -type d 2>/dev/null); do
                mkdir "$place/caisson-escape" 2>/dev/null && echo "made $place/caisson-escape"
            done; echo over'
        [ "$output" = over ]
    done
    [ -z "$(find /sys/fs/cgroup -maxdepth 3 -name caisson-escape 2>/dev/null)" ]
}

# Seen to fail: with the host's ptmx; with the console found in the image and its link followed; and with /dev opened as
# anybody would and mounted on whatever that was: it lay over the canary. There either alone is enough.
@test "MS-10 the image's console and pts are links out: the terminal is our own" {
    skip_without python3
    tree
    for way in "$WAY_OUT" "$CANARY"; do
        rm -rf "${TREE:?}/dev"
        mkdir -p "$TREE/dev/pts"
        for name in console ptmx tty pts/0 pts/ptmx; do ln -s "$way/file" "$TREE/dev/$name"; done
        imported ms10
        for writable in "" --read-only=false; do
            # shellcheck disable=SC2086 # none or one word
            run -0 terminal -- caisson run --rm -it $writable ms10 sh -c \
                'ls -l /proc/self/fd; echo over >/dev/console'
            [[ $output == *"/dev/pts/0"* && $output == *over* ]]
        done
        rm -rf "${TREE:?}/dev"
        ln -s "$way/dir" "$TREE/dev"
        imported ms10-dev
        terminal -- caisson run --rm -it ms10-dev true >/dev/null || [ $? = 125 ]
    done
}

# Seen to fail: with the sysctl written below the image's /proc.
@test "MS-11 a sysctl lands in the container's own /proc, whatever lies in the image's" {
    tree
    for way in "$WAY_OUT" "$CANARY"; do
        rm -rf "${TREE:?}/proc"
        mkdir -p "$TREE/proc/sys/net/ipv4" "$TREE/proc/self/attr"
        ln -s "$way/file" "$TREE/proc/sys/net/ipv4/tcp_syncookies"
        ln -s "$way/file" "$TREE/proc/self/attr/exec"
        imported ms11
        host=$(cat /proc/sys/net/ipv4/ip_forward)
        [ "$(caisson run --rm --sysctl net.ipv4.ip_forward=$((1 - host)) ms11 cat /proc/sys/net/ipv4/ip_forward)" = $((1 - host)) ]
        caisson run --rm --sysctl net.ipv4.tcp_syncookies=0 ms11 true
        [ "$(cat /proc/sys/net/ipv4/ip_forward)" = "$host" ]
    done
}

# Seen to fail: with /dev opened as anybody would and mounted on whatever that was. Either alone is enough.
@test "MS-12 the image's /dev is a link out: no node, link or directory is made there" {
    tree
    for way in "$WAY_OUT" "$CANARY"; do
        rm -rf "${TREE:?}/dev"
        ln -s "$way/dir" "$TREE/dev"
        imported ms12
        for options in "" --read-only=false "--device /dev/full" "-t"; do
            # shellcheck disable=SC2086 # none or more words
            caisson run --rm $options ms12 true </dev/null >/dev/null || [ $? = 125 ]
        done
    done
}

# Seen to fail: with a buffer that grows while its reader is slow: hundreds of megabytes.
@test "MS-16 exec that prints without end to a slow reader: nobody's memory grows, and the container lives" {
    caisson run -d --name web busybox sleep 100
    mkfifo "$BATS_TEST_TMPDIR/pipe"
    caisson exec web sh -c 'yes 0123456789012345678901234567890123456789' >"$BATS_TEST_TMPDIR/pipe" &
    exec=$!
    # Reads a little, then nothing.
    (head -c 1000000 >/dev/null; sleep 3) <"$BATS_TEST_TMPDIR/pipe" &
    reader=$!
    sleep 2
    before=$(awk '/^VmRSS/ {print $2}' /proc/$exec/status)
    sleep 1
    after=$(awk '/^VmRSS/ {print $2}' /proc/$exec/status)
    [ "$after" -lt 4096 ]
    [ $((after - before)) -lt 64 ]
    wait $reader
    kill -9 $exec
    wait $exec || true
    [ "$(caisson exec web echo fine)" = fine ]
}

# Seen to fail: without the filter's rule for TIOCSTI.
@test "MS-23 what is typed into the caller's terminal cannot be injected from inside" {
    skip_without python3
    cp "$CAISSON_BUILD/tests/attack" "$BATS_TEST_TMPDIR/attack"
    for level in restricted baseline; do
        run -0 terminal -- caisson run --rm -it --level $level -v "$BATS_TEST_TMPDIR/attack:/attack:ro" busybox \
            /attack --only tiocsti --only tioclinux
        [ "$(grep -c refused <<<"$output")" = 2 ]
        caisson run -d --name web --level $level -v "$BATS_TEST_TMPDIR/attack:/attack:ro" busybox sleep 100
        run -0 terminal -- caisson exec -it web /attack --only tiocsti --only tioclinux
        [ "$(grep -c refused <<<"$output")" = 2 ]
        caisson rm -f web
    done
}

# Seen to fail: with an abstract name, and with a socket that everybody may write to.
@test "MS-26 the engine owns no abstract socket, and those with a name only their owner may enter" {
    before=$(grep -c ' @' /proc/net/unix || true)
    caisson run -d --name web busybox sleep 100
    caisson run -di --name site busybox cat
    [ "$(grep -c ' @' /proc/net/unix || true)" -le "$before" ]
    sockets=$(find "$CAISSON_STATE" -type s)
    [ "$(wc -l <<<"$sockets")" = 2 ]
    for socket in $sockets; do
        [ "$(stat -c %a "$socket")" = 600 ]
        [ "$(stat -c %a "$(dirname "$socket")")" = 700 ]
    done
    # With the host's network there is none to find either.
    [ "$(id -u)" = 0 ] || return 0
    run caisson run --rm --network host busybox sh -c 'grep caisson /proc/net/unix | grep " @"'
    [ -z "$output" ]
}

# Seen to fail: with copies of mounts that are peers of the host's, and not detached from the host's mounts.
@test "MS-29 mounts of the host and of containers do not reach each other" {
    skip_unless_root
    run -0 unshare --mount --propagation private bash "$BATS_TEST_DIRNAME/lib/hot-plug.sh" "$BATS_TEST_TMPDIR/shared"
    [[ $output == *over ]]
}

# Seen to fail: with /sys writable, with the copy of it writable, and with /dev/shm in another mode.
@test "MS-32 /sys stays read-only, and /proc, /sys and mqueue have the kernel's modes" {
    for options in "" "--level baseline" "--network host" "--userns host"; do
        [ "$(id -u)" = 0 ] || [[ $options != *host ]] || continue
        # shellcheck disable=SC2086 # none or more words
        run caisson run --rm $options busybox sh -c \
            'stat -c "%n %a" /proc /sys /dev/mqueue /dev/shm; grep -E " /sys ([^ ]*,)?ro[, ]" /proc/self/mountinfo | wc -l; touch /sys/x'
        [ "${lines[0]} ${lines[1]} ${lines[2]} ${lines[3]}" = "/proc 555 /sys 555 /dev/mqueue 1777 /dev/shm 1777" ]
        [ "${lines[4]}" = 1 ]
        [[ ${lines[5]} == *"Read-only file system"* ]]
    done
}
