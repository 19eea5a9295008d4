#!/busybox sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0
# The guest's first program: from the initramfs to the root file system on the first disk, with the
# archive on the second disk unpacked over it.
/busybox mount -t proc proc /proc
/busybox mount -t sysfs sysfs /sys
/busybox mount -t devtmpfs devtmpfs /dev
for module in /modules/*.ko; do
    /busybox insmod "$module"
done
until [ -b /dev/vda ] && [ -b /dev/vdb ]; do
    /busybox usleep 10000
done
/busybox mount -t ext4 /dev/vda /root || exec /busybox poweroff -f
/busybox tar -x -f /dev/vdb -C /root
for place in proc sys dev; do
    /busybox mount -o move /$place /root/$place
done
exec /busybox switch_root /root /bin/bash /caisson-vm/start
