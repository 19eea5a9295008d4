#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images and volumes whose paths lead out of the container.
load ../lib/common
load lib/hostile

setup_file() { hostile_setup_file; }
teardown_file() { common_teardown_file; }

# Seen to fail: with the places of /proc and /sys opened as anybody would (assemble_directory()
# without RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS) both ran, procfs and sysfs over the canary.
@test "MS-02 /proc or /sys of the image is a symlink: the mount stays inside, or is refused" {
    for name in proc sys; do
        for way in "$WAY_OUT" "$CANARY"; do
            rm -rf "${BATS_TEST_TMPDIR:?}/tree"
            tree
            rmdir "$TREE/$name"
            ln -s "$way/dir" "$TREE/$name"
            imported "ms02-$name"
            rc=0
            caisson run --rm "ms02-$name" true || rc=$?
            [ "$rc" = 125 ]
        done
    done
}

# Seen to fail: with the list of forbidden targets emptied and the look at the file system of the
# mount point taken out, the bind over /proc ran.
@test "MS-02 nothing is mounted over /proc or /sys, or into them" {
    mkdir "$BATS_TEST_TMPDIR/fake"
    for target in /proc /proc/self/attr /proc/sys /proc/tty/.. /sys /sys/kernel; do
        refuses "" caisson run --rm -v "$BATS_TEST_TMPDIR/fake:$target" busybox true
        refuses "" caisson run --rm --tmpfs "$target" busybox true
    done
    # Control: the same bind elsewhere works.
    caisson run --rm -v "$BATS_TEST_TMPDIR/fake:/tmp/fake" busybox true
}

# Seen to fail: without RESOLVE_IN_ROOT (and absolute paths made relative), /x was made on the
# host and a tmpfs mounted on it.
@test "MS-03 a volume's directory is exchanged for a symlink while others mount below it" {
    mkdir -p "$BATS_TEST_TMPDIR/vol/d/x"
    ln -s / "$BATS_TEST_TMPDIR/vol/link"
    before=$(cat /proc/self/mountinfo)
    [ ! -e /x ]
    "$(escape_helper swap)" "$BATS_TEST_TMPDIR/vol/d" "$BATS_TEST_TMPDIR/vol/link" 600 &
    swapper=$!
    inside=0
    for _ in $(seq 200); do
        mounts=$(caisson run --rm -v "$BATS_TEST_TMPDIR/vol:/vol" --tmpfs /vol/d/x busybox \
            cat /proc/self/mountinfo 2>/dev/null) || continue
        # Where it went, seen from inside: below the volume, or at /x of this container's own root.
        grep -Eq ' (/vol/(d|link)/x|/x) ' <<<"$mounts" && inside=$((inside + 1))
    done
    kill "$swapper"
    wait "$swapper" || true
    [ "$inside" -gt 0 ]
    [ "$(cat /proc/self/mountinfo)" = "$before" ]
    [ ! -e /x ]
}

# Seen to fail: without RESOLVE_IN_ROOT, by the absolute link: b, c and dir/deep/er were made in
# the canary and mounted over.
@test "MS-08 a mountpoint's parent is a symlink out: nothing is made outside" {
    tree
    mkdir "$BATS_TEST_TMPDIR/source"
    for way in "$WAY_OUT" "$CANARY"; do
        ln -sfn "$way" "$TREE/a"
        imported ms08
        for option in "--tmpfs=/a/b" "--volume=$BATS_TEST_TMPDIR/source:/a/b" \
            "--volume=$CANARY/file:/a/c" "--tmpfs=/a/dir/deep/er"; do
            for writable in "" --read-only=false; do
                # shellcheck disable=SC2086 # none or one word
                caisson run --rm $writable "$option" ms08 true || [ $? = 125 ]
            done
        done
    done
    [ ! -e "$CANARY/b" ]
    [ ! -e "$CANARY/c" ]
}

# Seen to fail: with the image's link in the place of the node that we make, the link followed and
# the number unchecked, what stat saw in the place of the masked files was core_pattern. With our
# node alone, or the check alone, it passes: each is enough.
@test "MS-09 the image's /dev/null leads to core_pattern: every mask is the device 1:3" {
    tree
    ln -s /proc/sys/kernel/core_pattern "$TREE/dev/null"
    imported ms09
    before=$(cat /proc/sys/kernel/core_pattern)
    found=$(caisson run --rm ms09 stat -c '%F %t:%T' /dev/null /proc/keys /proc/timer_list)
    echo "$found"
    [ "$(sort -u <<<"$found")" = "character special file 1:3" ]
    # A volume for /dev is the same trick.
    mkdir "$BATS_TEST_TMPDIR/dev"
    ln -s /proc/sys/kernel/core_pattern "$BATS_TEST_TMPDIR/dev/null"
    rc=0
    found=$(caisson run --rm -v "$BATS_TEST_TMPDIR/dev:/dev" busybox \
        stat -c '%F %t:%T' /proc/keys /proc/timer_list) || rc=$?
    [ "$rc" = 125 ] || [ "$(sort -u <<<"$found")" = "character special file 1:3" ]
    [ "$(cat /proc/sys/kernel/core_pattern)" = "$before" ]
}

# Seen to fail: without RESOLVE_IN_ROOT, by the absolute links: five files were made in the canary
# and its file was given away and written to.
@test "MS-20 the image's /etc is a symlink out: generated files stay inside" {
    tree
    for way in "$WAY_OUT" "$CANARY"; do
        rm -r "$TREE/etc"
        ln -s "$way/dir" "$TREE/etc"
        imported ms20
        for writable in "" --read-only=false; do
            # shellcheck disable=SC2086 # none or one word
            caisson run --rm $writable ms20 true || [ $? = 125 ]
        done
        # Each file by itself a link out, to one that is there and to one that could be made.
        rm "$TREE/etc"
        mkdir "$TREE/etc"
        for name in passwd group hosts resolv.conf hostname mtab; do
            ln -s "$way/$([ "$name" = hosts ] && echo new || echo file)" "$TREE/etc/$name"
        done
        imported ms20-files
        for writable in "" --read-only=false; do
            # shellcheck disable=SC2086
            caisson run --rm $writable ms20-files true || [ $? = 125 ]
        done
    done
}

# Seen to fail: without the check of host names the one with a second line was taken.
@test "MS-20 no line can be injected into generated files" {
    refuses "" caisson run --rm -h $'x\n6.6.6.6 evil' busybox true
    refuses "" caisson run --rm -u $'1\nevil::0:0:::' busybox true
    refuses "" caisson run --rm -u 'evil:0:0' busybox true
    lines=$(caisson run --rm -u 4242 -e HOME=$'/tmp\nevil::0:0:::' -e USER='evil::0:0' busybox \
        cat /etc/passwd) || [ $? = 125 ]
    [[ $lines != *evil* ]]
}

# Seen to fail: without RESOLVE_IN_ROOT the runs with --userns host made the canary's b. With ids of
# its own the container's root may not, and that held by itself.
@test "MS-21 WORKDIR through a symlink out: nothing is made or given away outside" {
    tree
    for way in "$WAY_OUT" "$CANARY"; do
        ln -sfn "$way" "$TREE/a"
        imported ms21 --change 'WORKDIR /a/b' --change 'USER 1000'
        for words in "" "--read-only=false" "-w /a/dir/new" "-w /a/dir --read-only=false" \
            "--userns host --read-only=false" "--userns host --read-only=false -w /a/dir/new"; do
            # shellcheck disable=SC2086 # words
            caisson run --rm $words ms21 pwd || [ $? -ge 125 ]
        done
    done
    [ ! -e "$CANARY/b" ]
}
