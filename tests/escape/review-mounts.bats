#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images whose volumes are to lie over what the set-up of a container itself uses.
load ../lib/common

# crafted NAME VOLUME: an image of busybox and hostile symlinks with a VOLUME there.
crafted() {
    local fs=$BATS_FILE_TMPDIR/fs
    if [ ! -d "$fs" ]; then
        mkdir -p "$fs/bin" "$fs/dev/pts"
        cp /bin/busybox "$fs/bin/"
        ln -s busybox "$fs/bin/sh"
        ln -s /dev/ptmx "$fs/dev/pts/ptmx"
        ln -s /dev/pts "$fs/to-pts"
        ln -s / "$fs/to-root"
        [ "$(id -u)" != 0 ] || mknod -m 666 "$fs/zero" c 1 5
        tar -C "$fs" --owner=0 --group=0 -cf "$fs.tar" .
    fi
    caisson import -c 'CMD ["sh"]' -c "VOLUME $2" "$fs.tar" "$1" >/dev/null
}

setup_file() {
    [ -x /bin/busybox ] || skip "needs busybox-static"
    common_setup_file
}
teardown_file() { common_teardown_file; }

# A ptmx that the image brought was opened while / was still the host's.
terminal_is_the_containers() {
    crafted "$1" "$2"
    run caisson run --rm -t "$1" busybox readlink /proc/self/fd/0
    [ "$status" = 0 ]
    [[ $output == /dev/pts/0* ]]
}
@test "a volume over /dev/pts does not make the terminal one of the host" {
    terminal_is_the_containers direct /dev/pts
}
@test "a volume that a symlink leads over /dev/pts does not make the terminal one of the host" {
    terminal_is_the_containers symlink /to-pts
}

@test "no volume lies over the root, where exec would enter beside /proc and its masks" {
    crafted root /to-root
    fails 125 "leads to the root of the container" caisson run --rm root true
}

# Not only the control group's list of devices stands before them.
@test "a device node of the image cannot be opened, even where its device is allowed" {
    skip_unless_root
    crafted node /data
    run caisson run --rm node busybox head -c 1 /zero
    [[ $status = 1 && $output == *"Permission denied"* ]]
    caisson run --rm node busybox head -c 1 /dev/zero >/dev/null
}
