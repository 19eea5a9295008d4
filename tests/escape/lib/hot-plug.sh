#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# hot-plug.sh DIR: mounts below DIR, which is shared, while containers run, and looks where they show
# (MS-29). To be run in a mount namespace of its own: nobody else mounts anything there.
set -euo pipefail
dir=$1
mkdir -p "$dir/hot"
mount --bind "$dir" "$dir"
mount --make-shared "$dir"
# A shared root, as systemd makes it, but only in here.
mount --make-shared /
before=$(sort /proc/self/mountinfo)

unchanged() {
    [ "$(sort /proc/self/mountinfo)" = "$before" ] || {
        echo "the host's mounts changed: $1"
        diff <(echo "$before") <(sort /proc/self/mountinfo) || true
        exit 1
    }
}

for options in "" "--read-only=false" "--userns host" "-v $dir:/mnt" "-v $dir:/mnt:rprivate" "--userns host -v $dir:/mnt" "-v /:/mnt:ro"; do
    # shellcheck disable=SC2086 # none or more words
    caisson run -d --name hot $options busybox sleep 100 >/dev/null
    unchanged "running with $options"
    mount -t tmpfs caisson-hot "$dir/hot"
    if caisson exec hot cat /proc/self/mountinfo | grep caisson-hot; then
        echo "a mount of the host's reached a container with $options"
        exit 1
    fi
    umount "$dir/hot"
    caisson rm -f hot >/dev/null
    unchanged "after $options"
done

# What the container mounts itself stays with it.
for options in "" "--userns auto"; do
    # shellcheck disable=SC2086 # none or more words
    caisson run --rm --privileged $options -v "$dir:/mnt" busybox sh -c \
        'mount -t tmpfs caisson-cold /mnt/hot; mount -t tmpfs caisson-cold /tmp; mount -t tmpfs caisson-cold /'
    unchanged "a container's own mounts, $options"
done
echo over
