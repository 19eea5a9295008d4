#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Volumes are written by containers, and filled from images: both may be anything. Names of volumes
# are words.
load ../lib/common
load lib/hostile

setup_file() { hostile_setup_file; }
teardown_file() { common_teardown_file; }

volume_dir() { caisson volume inspect -f '{{.Mountpoint}}' "$1"; }

# Seen to fail: with the subpath opened as anybody would, by its path, it was the canary.
@test "MS-03 a container exchanges a directory of a shared volume for a symlink while others mount it" {
    caisson volume create shared >/dev/null
    dir=$(volume_dir shared)
    mkdir -p "$dir/d/x"
    touch "$dir/d/inside"
    cp "$(escape_helper swap)" "$dir/swap"
    ln -s "$CANARY" "$dir/link"
    chmod 777 "$dir" # whoever the container runs as
    caisson run -d --name swapper -v shared:/s busybox /s/swap /s/d /s/link 600 >/dev/null
    inside=0
    below=0
    for _ in $(rounds 50); do
        found=$(caisson run --rm --mount type=volume,source=shared,target=/sub,volume-subpath=d \
            busybox sh -c 'ls /sub; cat /sub/file' 2>/dev/null) || true
        [[ $found != *"of the host"* && $found != *file* ]]
        [[ $found != *inside* ]] || inside=$((inside + 1))
        found=$(caisson run --rm -v shared:/vol --tmpfs /vol/d/x busybox \
            cat /proc/self/mountinfo 2>/dev/null) || continue
        grep -Eq " (/vol/(d|link)|$CANARY)/x " <<<"$found" && below=$((below + 1))
    done
    caisson rm -f swapper >/dev/null
    echo "inside $inside, below $below"
    [ "$inside" -gt 0 ]
    [ "$below" -gt 0 ]
    # Neither the canary nor the volume is a mount point of the host's (others may mount meanwhile).
    ! grep -F " $BATS_FILE_TMPDIR" /proc/self/mountinfo || false
}

# Seen to fail: with the subpath opened by its path the links led to the canary, and with it not
# looked at while planning ".." was the volume's own directory.
@test "volume-subpath leads out by .. or a symlink: refused, or inside the volume" {
    caisson volume create sub >/dev/null
    dir=$(volume_dir sub)
    mkdir "$dir/d"
    touch "$dir/d/inside"
    ln -s "$WAY_OUT" "$dir/relative"
    ln -s "$CANARY" "$dir/absolute"
    ln -s d "$dir/good"
    ln -s /proc/self/root "$dir/magic"
    mkfifo "$dir/fifo"
    for path in "../../../..$CANARY" ".." "d/../.." "$CANARY" "d/./x" ./d; do
        refuses "subpath" caisson run --rm --mount "source=sub,target=/s,volume-subpath=$path" busybox true
    done
    for path in relative absolute magic relative/dir absolute/file fifo; do
        refuses "sub" caisson run --rm --mount "source=sub,target=/s,volume-subpath=$path" busybox cat /s
    done
    # Control: a symlink that stays inside.
    [ "$(caisson run --rm --mount source=sub,target=/s,volume-subpath=good busybox ls /s)" = inside ]
}

# Seen to fail: with the subpath opened by its path, by the absolute link.
@test "image-subpath leads out by .. or a symlink: refused, or inside the image" {
    tree
    mkdir "$TREE/d"
    touch "$TREE/d/inside"
    ln -s "$WAY_OUT" "$TREE/relative"
    ln -s "$CANARY" "$TREE/absolute"
    ln -s d "$TREE/good"
    imported part
    for path in "../../../..$CANARY" ".." "d/../.." "$CANARY" relative absolute relative/dir absolute/file; do
        refuses "" caisson run --rm --mount "type=image,source=part,target=/i,image-subpath=$path" busybox true
    done
    [ "$(caisson run --rm --mount type=image,source=part,target=/i,image-subpath=good busybox ls /i)" = inside ]
}

# Seen to fail: with every name taken for valid, ../../canary was made.
@test "a volume's name is never a path" {
    caisson volume create good >/dev/null
    up=../../canary
    [ -d "$CAISSON_ROOT/volumes/$up" ]
    for name in "$up" "$up/dir" "$CANARY" .. . good/data good/../good "$up/" $'good\n'; do
        fails 1 "no name for a volume" caisson volume create -- "$name"
        fails 1 "no name for a volume" caisson volume rm -- "$name"
        fails 1 "no name for a volume" caisson volume inspect -- "$name"
        refuses "no name for a volume" caisson run --rm --mount "type=volume,source=$name,target=/x" busybox true
    done
    refuses "no name for a volume" caisson run --rm -v "good/../$up:/x" busybox true
    [ "$(caisson volume ls -q)" = "$(printf '%s\n' good shared sub | grep -Fx "$(ls "$CAISSON_ROOT/volumes")")" ]
}

# hostile_data: $TREE/data has what an image should not have.
hostile_data() {
    tree
    mkdir -p "$TREE/data/dir"
    ln -s "$WAY_OUT/file" "$TREE/data/relative"
    ln -s "$CANARY/file" "$TREE/data/absolute"
    ln -s "$CANARY" "$TREE/data/dir/out"
    mkfifo "$TREE/data/fifo"
    truncate -s 1G "$TREE/data/sparse"
    cp /bin/busybox "$TREE/data/dir/id"
    chmod 4755 "$TREE/data/dir/id"
    [ "$(id -u)" != 0 ] || mknod -m 666 "$TREE/data/zero" c 1 5
    (
        cd "$TREE/data" || exit
        for _ in $(seq 900); do mkdir d && cd d || exit; done
        touch bottom
    )
}

# Seen to fail: with symlinks followed (fstatat(2) and openat(2) without NOFOLLOW) the copy noticed on
# its way up that it had been led elsewhere; with the kind not looked at, opening the FIFO never came
# back; with holes read like data, the file took a gigabyte.
@test "an empty volume is filled from a hostile image: nothing is followed, opened or blown up" {
    hostile_data
    imported hostile --max-ratio 1000000
    timeout 60 caisson run --rm -v filled:/data hostile true
    dir=$(volume_dir filled)
    [ "$(readlink "$dir/relative")" = "$WAY_OUT/file" ]
    [ "$(readlink "$dir/absolute")" = "$CANARY/file" ]
    [ "$(readlink "$dir/dir/out")" = "$CANARY" ]
    [ -p "$dir/fifo" ]
    [ ! -e "$dir/zero" ]
    [ "$(stat -c %s "$dir/sparse")" = 1073741824 ]
    [ "$(du -sm "$dir" | cut -f1)" -lt 100 ]
    [ "$(find "$dir" -name bottom | wc -l)" = 1 ]
    # The container cannot reach the canary through what was copied, nor gain by the setuid file.
    fails 1 "" caisson run --rm -v filled:/data busybox cat /data/absolute
    [ "$(caisson run --rm -v filled:/data busybox /data/dir/id -u)" = 65532 ]
    caisson volume rm filled >/dev/null
    [ ! -e "$dir" ]
}

# Seen to fail: with the image's directory opened by its path, the canary's file was in the volume.
@test "the image's directory for a volume is itself a symlink out: nothing comes from there" {
    tree
    for way in "$WAY_OUT" "$CANARY"; do
        ln -sfn "$way" "$TREE/data"
        imported linked
        # What the link leads to is made inside, where a tmpfs of the container may lie over it.
        found=$(caisson run --rm -v linked:/data linked sh -c 'ls -R /data/' 2>/dev/null) || true
        [[ $found != *file* ]]
        [ -z "$(find "$(volume_dir linked)" -name file)" ]
        caisson volume rm linked >/dev/null
    done
}

# Seen to fail: with the copy made in filled/ at once, what was half there counted as whole.
@test "filling that is killed at any moment leaves all or nothing" {
    tree
    mkdir "$TREE/data"
    for i in $(seq 400); do echo "$i" >"$TREE/data/$i"; done
    imported many
    for delay in 0.002 0.004 0.006 0.008 0.010 0.012 0.014 0.016 0.020 0.025; do
        timeout -s KILL "$delay" caisson run --rm -v killed:/data many true >/dev/null 2>&1 || true
        [ "$(caisson run --rm -v killed:/data many sh -c 'cat /data/* | busybox wc -l')" = 400 ]
        waits 10 caisson volume rm killed
    done
    caisson volume prune -f >/dev/null
    [ -z "$(find "$CAISSON_ROOT/volumes" -mindepth 1 -maxdepth 1 -name '.*')" ]
}

# Seen to fail: with the locks given up as soon as a volume was made, runs ended with "no such volume".
@test "volume prune beside run never takes a volume that a container is getting" {
    goes_on=$BATS_TEST_TMPDIR/goes-on
    touch "$goes_on"
    (
        while [ -e "$goes_on" ]; do caisson volume prune -a -f >/dev/null || exit; done
    ) 3>&- &
    pruner=$!
    failed=0
    for i in $(rounds 40); do
        caisson run --rm -v "race$i:/data" -v /anonymous busybox \
            sh -c 'echo x >/data/file && echo y >/anonymous/file && cat /data/file' >/dev/null || failed=$((failed + 1))
    done
    caisson run -d --name keeps -v kept:/data busybox sh -c 'echo x >/data/file; sleep 100' >/dev/null ||
        failed=$((failed + 1))
    sleep 0.5
    rm "$goes_on"
    wait "$pruner"
    [ "$failed" = 0 ]
    caisson exec keeps test -s /data/file
    caisson stop -t 0 keeps >/dev/null
    caisson volume prune -a -f >/dev/null
    [ "$(caisson volume ls -q | grep -v good)" = kept ]
    caisson rm -f keeps >/dev/null
}
