#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the guest does once its root file system is there. As its first process (caisson.init=plain)
# it is init and runs the tests itself; otherwise it makes them a service and becomes systemd.
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root

report=
for port in /sys/class/virtio-ports/*; do
    [ "$(cat "$port/name")" != caisson.report ] || report=/dev/${port##*/}
done

# The tests, with their outcome as the last line. Their input is empty, as in CI.
run_tests() {
    echo "caisson-vm: started"
    "$@" bash /caisson-vm/command </dev/null 2>&1
    echo "caisson-vm: ended $?"
}

mount_all() {
    mount -t tmpfs -o mode=755,nosuid,nodev tmpfs /run
    mkdir -p /dev/pts /dev/shm /run/lock
    mount -t devpts -o mode=620,ptmxmode=666,gid=5 devpts /dev/pts
    mount -t tmpfs -o nosuid,nodev tmpfs /dev/shm
    mount -t securityfs securityfs /sys/kernel/security
    mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 /sys/fs/cgroup
    local controllers controller
    read -ra controllers </sys/fs/cgroup/cgroup.controllers
    for controller in "${controllers[@]}"; do
        echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
    done
    mount --make-rshared /
    ip link set lo up
    hostname caisson-vm
    ln -sf /proc/self/fd /dev/fd
}

as_init() {
    mount_all
    # As services are: in a group of their own, below the root.
    mkdir /sys/fs/cgroup/tests
    (
        echo "$BASHPID" >/sys/fs/cgroup/tests/cgroup.procs
        run_tests >"$report"
    )
    sleep 0.2
    busybox poweroff -f
}

as_service() {
    local user=$1
    cat >/etc/systemd/system/caisson-tests.service <<UNIT
[Unit]
Description=The tests
After=multi-user.target systemd-logind.service
[Service]
Type=oneshot
TimeoutStartSec=infinity
StandardOutput=file:$report
StandardError=inherit
ExecStart=/bin/bash /caisson-vm/start service $user
ExecStopPost=/bin/busybox poweroff -f
UNIT
    mkdir -p /etc/systemd/system/default.target.wants
    ln -sf ../caisson-tests.service /etc/systemd/system/default.target.wants/
    ln -sf /lib/systemd/system/multi-user.target /etc/systemd/system/default.target
    local unit
    for unit in getty.target apt-daily.timer apt-daily-upgrade.timer e2scrub_reap.service; do
        ln -sf /dev/null "/etc/systemd/system/$unit"
    done
    exec /lib/systemd/systemd
}

# An ordinary user as one logs in: a session of its own, with the groups that systemd gives away.
as_user() {
    useradd -m -s /bin/bash tester
    loginctl enable-linger tester
    local uid
    uid=$(id -u tester)
    until [ -S "/run/user/$uid/systemd/private" ]; do
        sleep 0.1
    done
    chmod 755 /caisson-vm
    run_tests systemd-run --quiet --user --machine=tester@.host --wait --pipe --collect -p Delegate=yes
}

case ${1:-} in
service)
    if [ "${2:-}" = user ]; then
        as_user
    else
        run_tests
    fi
    ;;
*)
    if grep -q caisson.probe /proc/cmdline; then
        echo "caisson-vm: started" >"$report"
        busybox poweroff -f
    elif grep -q caisson.init=plain /proc/cmdline; then
        as_init
    elif grep -q caisson.init=user /proc/cmdline; then
        as_service user
    else
        as_service ""
    fi
    ;;
esac
