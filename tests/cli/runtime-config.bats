#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# caisson-runtime by hand: what a configuration asks for, and what is refused by name.
load ../lib/common
load ../lib/bundle

setup_file() { bundle_setup_file; }
setup() { bundle_setup; }
teardown() { bundle_teardown; }
teardown_file() { common_teardown_file; }

# --- what a configuration asks for ----------------------------------------------------------------

@test "user, groups, umask, environment and directory are the configuration's" {
    skip_unless_root
    edit 'p["user"] = {"uid": 1234, "gid": 4321, "additionalGids": [5, 6], "umask": 0o27}
p["env"] = ["PATH=/bin", "ONE=1"]; p["cwd"] = "/made/here"'
    run -0 inside 'id -u; id -g; id -G; umask; env | grep -c .; readlink /proc/self/cwd'
    [ "$output" = $'1234\n4321\n4321 5 6\n0027\n4\n/made/here' ]
}

@test "the five sets of capabilities are the configuration's" {
    skip_unless_root
    edit 'p["user"] = {"uid": 7, "gid": 7}
p["capabilities"] = {"bounding": ["CAP_KILL", "CAP_CHOWN"], "permitted": ["CAP_KILL"], "effective": ["CAP_KILL"],
  "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]}'
    run -0 inside 'grep Cap /proc/self/status'
    [ "$(echo -n "$output" | tr -s '\t\n' ' ')" = "CapInh: 0000000000000020 CapPrm: 0000000000000020 CapEff: 0000000000000020 CapBnd: 0000000000000021 CapAmb: 0000000000000020" ]
}

@test "a capability that nobody knows is a warning and no failure" {
    edit 'p["capabilities"] = {"bounding": ["CAP_TIME_TRAVEL"]}'
    command_is true
    run -0 caisson-runtime --root "$RUNTIME_ROOT" --debug run --bundle "$B" web
    [[ $output == *"warning"*"CAP_TIME_TRAVEL"* ]]
}

@test "rlimits, oom score and noNewPrivileges are set" {
    edit 'p["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 88}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
p["oomScoreAdj"] = 555'
    run -0 inside 'ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj; grep NoNew /proc/self/status | tr -d "\t"'
    [ "$output" = $'77\n88\n555\nNoNewPrivs:1' ]
}

@test "host name and domain name are the configuration's" {
    edit 'c["hostname"] = "box"; c["domainname"] = "example.org"'
    run -0 inside 'hostname; cat /proc/sys/kernel/domainname'
    [ "$output" = $'box\nexample.org' ]
}

@test "a read-only root cannot be written, and mount points are made all the same" {
    edit 'c["root"]["readonly"] = True; mount(destination="/new/place", type="tmpfs", source="tmpfs", options=["size=1m"])'
    run -0 inside 'touch /x || echo read-only; touch /new/place/x && echo written'
    [[ $output == *"read-only"*"written" ]]
}

@test "binds: read-only, recursive read-only, files, and a source beside config.json" {
    mkdir -p "$B/data/below"
    echo content >"$B/data/file"
    edit 'mount(destination="/d", type="bind", source="data", options=["bind", "ro"])
mount(destination="/r", type="none", source=bundle + "/data", options=["rbind", "rro"])
mount(destination="/etc/one", type="bind", source="data/file", options=["bind", "nosuid", "nodev", "noexec"])'
    run -0 inside 'cat /d/file /etc/one; touch /d/x || echo no; touch /r/x || echo no; grep " /etc/one " /proc/self/mountinfo | grep -c nosuid,nodev,noexec'
    [ "$(echo "$output" | grep -cx content)" = 2 ]
    [ "$(echo "$output" | grep -cx no)" = 2 ]
    [ "$(echo "$output" | tail -n 1)" = 1 ]
}

@test "a tmpfs that is read-only is so after the mounts in it were made" {
    edit 'mount(destination="/ro", type="tmpfs", source="tmpfs", options=["ro", "mode=700", "size=1m"])
mount(destination="/ro/in", type="tmpfs", source="tmpfs", options=["size=1m"])'
    run -0 inside 'touch /ro/x || echo no; touch /ro/in/x && echo yes; stat -c %a /ro'
    [[ $output == *$'no\nyes\n700' ]]
}

@test "tmpcopyup starts a tmpfs with the image's files" {
    mkdir -p "$B/rootfs/etc/d"
    echo one >"$B/rootfs/etc/d/file"
    chmod 640 "$B/rootfs/etc/d/file"
    ln -s d/file "$B/rootfs/etc/link"
    edit 'mount(destination="/etc", type="tmpfs", source="tmpfs", options=["tmpcopyup", "size=1m"])'
    run -0 inside 'cat /etc/link; stat -c %a /etc/d/file; echo changed >/etc/d/file'
    [ "$output" = $'one\n640' ]
    [ "$(cat "$B/rootfs/etc/d/file")" = one ]
}

@test "masked paths are empty, read-only paths cannot be written" {
    mkdir -p "$B/rootfs/secret"
    echo key >"$B/rootfs/secret/file"
    echo key >"$B/rootfs/etc/key"
    edit 'l["maskedPaths"] += ["/secret", "/etc/key", "/not/there"]; l["readonlyPaths"] += ["/tmp"]'
    run -0 inside 'ls /secret | wc -l; cat /etc/key | wc -c; touch /tmp/x || echo no; stat -c "%F %t:%T" /etc/key'
    [[ $output == *$'0\n0'* ]]
    [[ $output == *$'no\ncharacter special file 1:3' ]]
}

@test "the devices of the specification are there, and those that were asked for" {
    skip_unless_root
    edit 'l["devices"] = [{"path": "/dev/extra", "type": "c", "major": 1, "minor": 3, "fileMode": 0o640, "uid": 3, "gid": 4},
  {"path": "/run/pipe", "type": "p", "fileMode": 0o600}]'
    run -0 inside 'for d in null zero full random urandom tty; do test -c /dev/$d || echo missing $d; done; stat -c "%a %u %g %t:%T" /dev/extra; test -p /run/pipe && echo pipe; for f in fd stdin ptmx; do readlink /dev/$f; done'
    [ "$output" = $'640 3 4 1:3\npipe\n/proc/self/fd\n/proc/self/fd/0\npts/ptmx' ]
}

@test "devices that are not allowed cannot be opened" {
    skip_unless_root
    edit 'l["devices"] = [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}]'
    run -0 inside '(exec 3</dev/fuse) 2>/dev/null && echo open || echo closed; : </dev/null && echo null'
    [ "$output" = $'closed\nnull' ]
    edit 'l["resources"]["devices"].append({"allow": True, "type": "c", "major": 10, "minor": 229, "access": "r"})'
    run -0 inside 'exec 3</dev/fuse && echo open'
    [ "$output" = open ]
}

@test "limits of the control group are the configuration's" {
    skip_unless_root
    edit 'l["resources"].update({"memory": {"limit": 50331648}, "pids": {"limit": 33}, "cpu": {"shares": 512, "quota": 50000, "period": 100000}})
l["cgroupsPath"] = "/caisson-test-%d/box" % os.getpid()'
    command_is sleep 1000
    create web
    runtime start web
    runtime events --stats web | python3 -c '
import json, sys
d = json.load(sys.stdin)["data"]
assert d["memory"]["usage"]["limit"] == 50331648 and d["pids"]["limit"] == 33, d'
    grep -q "/caisson-test-[0-9]*/box$" "/proc/$(pid_of_container web)/cgroup"
    runtime delete -f web
    rmdir /sys/fs/cgroup/caisson-test-* /sys/fs/cgroup/*/caisson-test-* 2>/dev/null || true
    ! ls -d /sys/fs/cgroup/*/caisson-test-*/box 2>/dev/null || false
}

@test "what would change the host through a namespace of its own that is joined is refused" {
    skip_unless_root
    command_is true
    cp "$B/config.json" "$B/good.json"
    local change
    while read -r change; do
        cp "$B/good.json" "$B/config.json"
        edit "c.pop('hostname', None); $change"
        refuses "would change the host" || { echo "$change"; return 1; }
    done <<'LIST'
namespace("ipc", "/proc/self/ns/ipc"); l["sysctl"] = {"kernel.msgmax": "8192"}
namespace("ipc", "/proc/self/ns/ipc"); l["sysctl"] = {"fs/mqueue/msg_max": "10"}
namespace("uts", "/proc/self/ns/uts"); l["sysctl"] = {"kernel/domainname": "(none)"}
namespace("uts", "/proc/self/ns/uts"); c["hostname"] = "renamed"
namespace("uts", "/proc/self/ns/uts"); c["domainname"] = "(none)"
LIST
}

@test "annotations that could not be read again are refused, and leave nothing" {
    command_is true
    edit 'c["annotations"] = {"note": "x" * (2 << 20)}'
    fails 1 "shorten its annotations" runtime create --bundle "$B" web
    [ -z "$(runtime list -q)" ]
}

@test "delete --force ends a container whose start has not come to an end" {
    edit 'hook("startContainer", "/bin/sleep", "sleep", "1000"); c["hooks"]["startContainer"][0]["args"] = ["sleep", "1000"]'
    command_is true
    create web
    runtime start web >/dev/null 2>&1 3>&- &
    local start=$! locked="flock -n $RUNTIME_ROOT/web true"
    waits 5 eval "! $locked"
    timeout 20 caisson-runtime --root "$RUNTIME_ROOT" delete --force web
    wait $start || true
    [ -z "$(runtime list -q)" ]
}

@test "sysctls of own namespaces are set, others would change the host and are refused" {
    edit 'l["sysctl"] = {"kernel.msgmax": "4242", "net.ipv4.ip_unprivileged_port_start": "80"}'
    run -0 inside 'cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_unprivileged_port_start'
    [ "$output" = $'4242\n80' ]
    local name
    for name in kernel.core_pattern vm.swappiness kernel.hostname fs.file-max kernel/core_pattern; do
        edit "l['sysctl'] = {'$name': '1'}"
        refuses "would change the host"
    done
    edit 'l["sysctl"] = {"net.ipv4.ip_forward": "1"}; l["namespaces"] = [n for n in l["namespaces"] if n["type"] != "network"]'
    refuses "needs a network namespace"
    edit 'l["sysctl"] = {"net.ipv4.ip_forward": "1"}; namespace("network", "/proc/self/ns/net")'
    refuses "would change the host"
}

@test "own namespaces are new ones, what is not listed is the caller's" {
    local own
    for own in pid ipc uts net cgroup; do
        [ "$(inside "readlink /proc/self/ns/$own")" != "$(readlink "/proc/self/ns/$own")" ]
    done
    edit 'l["namespaces"] = [n for n in l["namespaces"] if n["type"] not in ("uts", "ipc")]; del c["hostname"]; drop("/dev/mqueue")'
    [ "$(inside 'readlink /proc/self/ns/uts')" = "$(readlink /proc/self/ns/uts)" ]
    [ "$(inside 'readlink /proc/self/ns/ipc')" = "$(readlink /proc/self/ns/ipc)" ]
}

@test "namespaces are joined by path, and only those of the right kind" {
    skip_unless_root
    command_is sleep 1000
    create first
    runtime start first
    local pid
    pid=$(pid_of_container first)
    edit "namespace('network', '/proc/$pid/ns/net'); namespace('pid', '/proc/$pid/ns/pid'); namespace('ipc', '/proc/$pid/ns/ipc'); namespace('uts', '/proc/$pid/ns/uts')"
    run -0 inside 'for n in net ipc uts; do readlink /proc/self/ns/$n; done; ps | grep -c " [s]leep 1000$"'
    [ "$output" = "$(readlink "/proc/$pid/ns/net" "/proc/$pid/ns/ipc" "/proc/$pid/ns/uts")"$'\n'1 ]
    edit "namespace('network', '/proc/$pid/ns/uts')"
    fails 1 "is no network namespace" runtime run --bundle "$B" second
    edit "namespace('network', '/nowhere')"
    fails 1 "cannot open the network namespace /nowhere" runtime run --bundle "$B" second
}

@test "a user namespace maps ids, and its root file system can be mapped to it" {
    skip_unless_root
    mkdir "$B/mapped"
    chown -R 300000:300000 "$B/rootfs"
    edit 'namespace("user"); l["uidMappings"] = l["gidMappings"] = [{"containerID": 0, "hostID": 300000, "size": 65536}]
mount(destination="/mapped", type="bind", source="mapped", options=["bind", "idmap"])'
    run -0 inside 'tr -s " " </proc/self/uid_map; id -u; touch /tmp/file /mapped/file; stat -c %u /mapped; echo >/dev/null && echo null'
    [ "$output" = $' 0 300000 65536\n0\n0\nnull' ]
    [ "$(stat -c %u "$B/rootfs/tmp/file")" = 300000 ]
    [ "$(stat -c %u "$B/mapped/file")" = 0 ]
    command_is sleep 1000
    create web
    runtime start web
    [ "$(runtime exec web id -u)" = 0 ]
    grep -q '300000' "/proc/$(pid_of_container web)/uid_map"
}

@test "a bind is mapped by its own mappings" {
    skip_unless_root
    mkdir "$B/mapped"
    touch "$B/mapped/a"
    chown 1000 "$B/mapped/a"
    edit 'mount(destination="/mapped", type="bind", source="mapped", options=["bind", "idmap"],
  uidMappings=[{"containerID": 1000, "hostID": 5, "size": 1}, {"containerID": 0, "hostID": 0, "size": 1}],
  gidMappings=[{"containerID": 0, "hostID": 0, "size": 1}])'
    [ "$(inside 'stat -c %u /mapped/a')" = 5 ]
}

@test "a user namespace is joined by path, with what lies in it" {
    skip_unless_root
    chown -R 300000:300000 "$B/rootfs"
    edit 'namespace("user"); l["uidMappings"] = l["gidMappings"] = [{"containerID": 0, "hostID": 300000, "size": 65536}]'
    command_is sleep 1000
    create first
    runtime start first
    local pid
    pid=$(pid_of_container first)
    edit "namespace('user', '/proc/$pid/ns/user'); namespace('network', '/proc/$pid/ns/net'); del l['uidMappings'], l['gidMappings']"
    run -0 inside 'readlink /proc/self/ns/user; readlink /proc/self/ns/net; id -u; echo >/dev/null && touch /tmp/x'
    [ "$output" = "$(readlink "/proc/$pid/ns/user" "/proc/$pid/ns/net")"$'\n'0 ]
    [ "$(stat -c %u "$B/rootfs/tmp/x")" = 300000 ]
    command_is sleep 1000
    create second
    runtime start second
    [ "$(runtime exec second id -u)" = 0 ]
    edit "l['uidMappings'] = [{'containerID': 0, 'hostID': 300000, 'size': 65536}]"
    fails 1 "linux.uidMappings needs a new user namespace" runtime run --bundle "$B" third
}

@test "an ordinary user maps subordinate ids, with newuidmap and newgidmap" {
    [ "$(id -u)" != 0 ] || skip "root needs no help"
    skip_without newuidmap newgidmap
    local uids gids
    uids=$(grep "^$(id -un):" /etc/subuid | head -1 | cut -d: -f2)
    gids=$(grep "^$(id -un):" /etc/subgid | head -1 | cut -d: -f2)
    [ -n "$uids" ] && [ -n "$gids" ] || skip "no subordinate ids"
    edit "l['uidMappings'] = [dict(containerID=0, hostID=$(id -u), size=1), dict(containerID=1, hostID=$uids, size=1000)]
l['gidMappings'] = [dict(containerID=0, hostID=$(id -g), size=1), dict(containerID=1, hostID=$gids, size=1000)]
p['user'] = dict(uid=7, gid=8, additionalGids=[9])"
    [ "$(inside 'id -u; id -g; id -G' | xargs)" = "7 8 8 9" ]
    # not found by way of PATH
    mkdir "$BATS_TEST_TMPDIR/bin"
    printf '#!/bin/sh\ntouch "%s/ran"\n' "$BATS_TEST_TMPDIR" >"$BATS_TEST_TMPDIR/bin/newuidmap"
    chmod 755 "$BATS_TEST_TMPDIR/bin/newuidmap"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH inside true
    [ ! -e "$BATS_TEST_TMPDIR/ran" ]
    # ids of others
    edit "l['uidMappings'][1]['hostID'] = 1"
    fails 1 "newuidmap refused the ids" runtime run --bundle "$B" others
    edit "l['uidMappings'][1]['hostID'] = $uids; l['gidMappings'][1]['hostID'] = 1"
    fails 1 "newgidmap refused the ids" runtime run --bundle "$B" others
}

@test "a time namespace has the offsets that were asked for" {
    skip_unless_root
    [ -e /proc/self/ns/time ] || skip "needs time namespaces"
    edit 'namespace("time"); l["timeOffsets"] = {"boottime": {"secs": 1000000}, "monotonic": {"secs": 7, "nanosecs": 5}}'
    run -0 inside 'cat /proc/uptime; tr -s " " </proc/self/timens_offsets'
    [ "${output%%.*}" -gt 1000000 ]
    [[ $output == *"monotonic 7 5"* ]]
    command_is sleep 1000
    create web
    runtime start web
    [ "$(runtime exec web sh -c 'cat /proc/uptime' | cut -d. -f1)" -gt 1000000 ]
}

@test "seccomp filters are put up, also where privileges may be gained" {
    edit 'l["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
  "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 11}]}'
    run inside 'mkdir /tmp/d; grep Seccomp: /proc/self/status | tr -d "\t"'
    [[ $output == *"Resource temporarily unavailable"* ]]
    [[ $output == *"Seccomp:2"* ]]
    edit 'p["noNewPrivileges"] = False'
    run inside 'mkdir /tmp/d; grep NoNew /proc/self/status | tr -d "\t"'
    [[ $output == *"Resource temporarily unavailable"*"NoNewPrivs:0"* ]]
    edit 'l["seccomp"]["syscalls"][0]["action"] = "SCMP_ACT_NOTIFY"'
    refuses "SCMP_ACT_NOTIFY is not supported"
    edit 'l["seccomp"]["listenerPath"] = "/nowhere/listener"'
    refuses "linux.seccomp.listenerPath /nowhere/listener"
    edit 'l["seccomp"]["syscalls"][0]["names"] = ["sendmsg"]'
    refuses "is not supported for sendmsg"
}

# answers SOCKET COUNT: takes COUNT listeners of seccomp filters; prints what is said with each, and
# answers its first call with errno 95.
answers() {
    python3 - "$1" "$2" <<'PYTHON'
import array, fcntl, json, os, socket, struct, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(1)
server.settimeout(20)
for _ in range(int(sys.argv[2])):
    peer, _ = server.accept()
    peer.settimeout(20)
    data, control, _, _ = peer.recvmsg(1 << 16, socket.CMSG_SPACE(4))
    fd = array.array("i", control[0][2])[0]
    said = json.loads(data)
    print(said["fds"], said["metadata"], said["state"]["id"], os.path.exists("/proc/%d" % said["pid"]), flush=True)
    call = bytearray(80)
    fcntl.ioctl(fd, 0xC0502100, call)
    fcntl.ioctl(fd, 0xC0182101, struct.pack("QqiI", struct.unpack_from("Q", call)[0], 0, -95, 0))
    os.close(fd)
PYTHON
}

@test "a filter's calls are answered by whoever listens at listenerPath, also those of exec" {
    edit "l['seccomp'] = {'defaultAction': 'SCMP_ACT_ALLOW', 'listenerPath': '$BATS_TEST_TMPDIR/listener', 'listenerMetadata': 'x\"y',
  'flags': ['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'],
  'syscalls': [{'names': ['mkdir', 'mkdirat'], 'action': 'SCMP_ACT_NOTIFY'}]}"
    answers "$BATS_TEST_TMPDIR/listener" 2 >"$BATS_TEST_TMPDIR/said" &
    local listener=$!
    waits 5 test -S "$BATS_TEST_TMPDIR/listener"
    command_is sh -c 'mkdir /tmp/d 2>/tmp/answer; exec sleep 1000'
    create web
    runtime start web
    waits 5 grep -q "not supported" "$B/rootfs/tmp/answer"
    run runtime exec web mkdir /tmp/e
    [[ $output == *"not supported"* ]]
    wait $listener
    [ "$(cat "$BATS_TEST_TMPDIR/said")" = $'[\'seccompFd\'] x"y web True\n[\'seccompFd\'] x"y web True' ]
}

@test "personality, I/O priority, scheduler and processors are set" {
    edit 'l["personality"] = {"domain": "LINUX32"}; p["ioPriority"] = {"class": "IOPRIO_CLASS_IDLE"}
p["scheduler"] = {"policy": "SCHED_BATCH", "nice": 5}'
    run -0 inside 'uname -m; grep -h -e policy /proc/self/sched | tr -d " "'
    [[ $output == i686$'\n'* || $output == armv8*$'\n'* ]]
    [[ $output == *"policy:3"* ]]
    edit 'del l["personality"], p["ioPriority"], p["scheduler"]'
    command_is sleep 1000
    create web
    runtime start web
    echo '{"args": ["grep", "Cpus_allowed_list", "/proc/self/status"], "cwd": "/", "user": {"uid": 0, "gid": 0},
           "execCPUAffinity": {"initial": "0", "final": "0"}}' >"$BATS_TEST_TMPDIR/p.json"
    [ "$(runtime exec -p "$BATS_TEST_TMPDIR/p.json" web | tr -d '\t')" = "Cpus_allowed_list:0" ]
}

@test "annotations are told and decide nothing" {
    edit 'c["annotations"] = {"run.oci.hooks.stdout": "/tmp/evil", "org.systemd.property.X": "1", "key": "a=b"}'
    command_is sleep 1000
    create web
    runtime state web | python3 -c 'import json,sys; assert json.load(sys.stdin)["annotations"]["key"] == "a=b"'
    [ ! -e /tmp/evil ]
}

@test "propagation: the container's mounts stay inside, the host's come in where it was asked for" {
    skip_unless_root
    mkdir -p "$B/vol/sub"
    command_is sleep 1000
    edit 'l["rootfsPropagation"] = "rslave"; mount(destination="/vol", type="bind", source=bundle + "/vol", options=["rbind", "rslave"])
mount(destination="/alone", type="bind", source=bundle + "/vol", options=["rbind"])'
    # in a mount namespace of the test's own, where everything is shared among itself
    unshare --mount --propagation private sh -c '
        mount --make-rshared /
        mount --bind "$1/vol" "$1/vol"
        before=$(grep -c . /proc/self/mountinfo)
        "$2" --root "$3" run -d --bundle "$1" web </dev/null >/dev/null 2>&1 || exit 1
        [ "$(grep -c . /proc/self/mountinfo)" = "$before" ] || exit 2
        mount -t tmpfs hot "$1/vol/sub"
        "$2" --root "$3" exec web grep -q "hot" /proc/self/mountinfo || exit 3
        [ "$("$2" --root "$3" exec web grep -c " - tmpfs hot" /proc/self/mountinfo)" = 1 ] || exit 4
        umount "$1/vol/sub"
        "$2" --root "$3" delete -f web' sh "$B" "$(command -v caisson-runtime)" "$RUNTIME_ROOT"
}

# --- refused --------------------------------------------------------------------------------------

@test "what is not supported is refused by its name" {
    command_is true
    cp "$B/config.json" "$B/good.json"
    local change words
    while IFS='|' read -r change words; do
        cp "$B/good.json" "$B/config.json"
        edit "$change"
        refuses "$words" || { echo "change: $change"; return 1; }
    done <<'LIST'
l["intelRdt"] = {"closID": "a"}|linux.intelRdt is not supported
l["mountLabel"] = "system_u:object_r:x:s0"|linux.mountLabel is not supported
c["vm"] = {"kernel": {"path": "/k"}}|vm is not supported
l["cgroupsPath"] = "system.slice:docker:web"|linux.cgroupsPath: slice:prefix:name is for systemd
l["cgroupsPath"] = "/a/../b"|linux.cgroupsPath
l["cgroupsPath"] = "/web"|linux.cgroupsPath is not supported
l["namespaces"] = [n for n in l["namespaces"] if n["type"] != "mount"]|must have a mount namespace
namespace("mount", "/proc/1/ns/mnt")|path is not supported
l["resources"] = {"memory": {"kernel": 1000000}}|linux.resources.memory.kernel is not supported
l["resources"] = {"memory": {"useHierarchy": False}}|linux.resources.memory.useHierarchy is not supported
l["resources"] = {"blockIO": {"leafWeight": 10}}|linux.resources.blockIO.leafWeight is not supported
l["resources"] = {"unified": {"../x.y": "1"}}|linux.resources.unified may not have a member
l["resources"] = {"unified": {"cgroup.procs": "1"}}|linux.resources.unified may not have a member
l["personality"] = {"domain": "LINUX", "flags": ["X"]}|linux.personality.flags is not supported
mount(destination="/x", type="tmpfs", source="t", options=["mand"])|mand is not supported
mount(destination="/x", type="tmpfs", source="t", options=["remount"])|remount is not supported
mount(destination="/x", type="bind", source="/tmp", options=["bind", "size=1m"])|does not take "size=1m"
mount(destination="/x", type="tmpfs", source="t", options=["idmap"])|only bind mounts are mapped
mount(destination="/x", type="nosuchfs", source="t")|no file system called nosuchfs
mount(destination="/x/../y", type="tmpfs", source="t")|destination: "/x/../y" may not contain
mount(destination="x", type="tmpfs", source="t")|destination: "x" must be an absolute path
mount(destination="/", type="tmpfs", source="t")|destination must be below the root
LIST
}

@test "what is wrong is told by its name" {
    command_is true
    cp "$B/config.json" "$B/good.json"
    local change words
    while IFS='|' read -r change words; do
        cp "$B/good.json" "$B/config.json"
        edit "$change"
        refuses "config.json: $words" || { echo "change: $change"; return 1; }
    done <<'LIST'
c["ociVersion"] = "2.0.0"|ociVersion must be a version 1
del c["root"]|root is missing
del c["process"]|process is missing
p["args"] = []|process.args must be
p["cwd"] = "tmp"|process.cwd must be an absolute path
p["user"]["uid"] = -1|process.user.uid must be a whole number
p["user"]["uid"] = 4294967295|process.user.uid must be a whole number
p["env"] = ["novalue"]|process.env[0] must be NAME=VALUE
p["terminal"] = "yes"|process.terminal must be true or false
p["rlimits"] = [{"type": "RLIMIT_FUN", "soft": 1, "hard": 1}]|process.rlimits[0].type must be
p["rlimits"] = [{"type": "RLIMIT_CORE", "soft": 1, "hard": 1}] * 2|process.rlimits[1].type is there twice
p["scheduler"] = {"policy": "SCHED_LATER"}|process.scheduler.policy must be
p["ioPriority"] = {"class": "FAST"}|process.ioPriority.class must be
p["oomScoreAdj"] = 5000|process.oomScoreAdj must be
l["namespaces"].append({"type": "pid"})|linux.namespaces[
l["namespaces"].append({"type": "space"})|linux.namespaces[
l["rootfsPropagation"] = "sideways"|linux.rootfsPropagation must be
l["maskedPaths"] = ["relative"]|linux.maskedPaths[0] must be an absolute path
l["devices"] = [{"path": "/dev/x", "type": "z"}]|linux.devices[0].type must be
l["resources"] = {"devices": [{"allow": "yes"}]}|linux.resources.devices[0].allow must be
l["timeOffsets"] = {"boottime": {"secs": 1}}|linux.timeOffsets needs a new time namespace
l["personality"] = {"domain": "MINIX"}|linux.personality.domain must be
c["hooks"] = {"prestart": [{"path": "relative"}]}|hooks.prestart[0].path must be an absolute path
c["hooks"] = {"poststop": [{"path": "/x", "timeout": 0}]}|hooks.poststop[0].timeout must be
c["mounts"].append({"destination": "/x", "type": "bind", "options": ["bind"]})|mounts[
c["annotations"] = {"a": 1}|annotations.a must be a string
c["hostname"] = "x" * 65|hostname must be
LIST
}

@test "members that nobody knows are left alone" {
    edit 'c["x-new"] = {"a": 1}; p["x-new"] = 1; l["x-new"] = []; l["netDevices"] = {}'
    command_is true
    runtime run --bundle "$B" web
}

@test "a limit that cannot be put in force is an error and not a wish" {
    skip_unless_root
    command_is true
    edit 'l["resources"]["hugepageLimits"] = [{"pageSize": "3MB", "limit": 1}]'
    refuses "linux.resources.hugepageLimits cannot be enforced"
    edit 'del l["resources"]["hugepageLimits"]; l["resources"]["unified"] = {"nosuch.max": "1"}'
    refuses "linux.resources.unified.nosuch.max"
}

@test "options that would weaken or that nobody carries out are refused by name" {
    command_is true
    fails 1 "does not support --no-pivot: without pivot_root(2)" runtime create --no-pivot --bundle "$B" web
    fails 1 "--cgroup-manager disabled is not supported" runtime --cgroup-manager disabled create --bundle "$B" web
    fails 1 "checkpoint is not supported" runtime checkpoint web
    fails 1 "does not support --image-path" runtime checkpoint --image-path /x web
    fails 1 "restore is not supported" runtime restore web
    fails 1 'did you mean caisson-runtime resume?' runtime resum web
}
