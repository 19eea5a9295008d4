#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# caisson-runtime by hand: the life of a container, what is handed to it, exec and hooks.
load ../lib/common
load ../lib/bundle

setup_file() { bundle_setup_file; }
setup() { bundle_setup; }
teardown() { bundle_teardown; }
teardown_file() { common_teardown_file; }

# --- the life -------------------------------------------------------------------------------------

@test "create, start, state, kill and delete make one life" {
    command_is sleep 1000
    create web
    is_status web created
    runtime start web
    is_status web running
    runtime kill web KILL
    waits 5 is_status web stopped
    [ "$(pid_of_container web)" = 0 ]
    runtime delete web
    fails 1 'container "web" does not exist' runtime state web
}

@test "the command runs only after start" {
    command_is touch /tmp/ran
    create once
    [ ! -e "$B/rootfs/tmp/ran" ]
    runtime start once
    waits 5 is_status once stopped
    [ -e "$B/rootfs/tmp/ran" ]
}

@test "run ends with the status of the command and leaves nothing" {
    run -7 inside 'echo to stdout; exit 7'
    [ "$output" = "to stdout" ]
    [ -z "$(runtime list -q)" ]
}

@test "run passes signals on" {
    command_is sh -c 'trap "echo got it; exit 3" TERM; echo ready; while :; do sleep 0.05; done'
    caisson-runtime --root "$RUNTIME_ROOT" run --bundle "$B" trapping >"$BATS_TEST_TMPDIR/said" &
    local pid=$!
    waits 5 grep -q ready "$BATS_TEST_TMPDIR/said"
    kill -TERM $pid
    local rc=0
    wait $pid || rc=$?
    [ $rc = 3 ]
    grep -q "got it" "$BATS_TEST_TMPDIR/said"
}

@test "start is only for what was created, once" {
    command_is sleep 1000
    create web
    runtime start web
    fails 1 "it is running, not created" runtime start web
    runtime kill web 9
    waits 5 is_status web stopped
    fails 1 "it is stopped, not created" runtime start web
}

@test "of two starts at a time one says that it came late" {
    command_is sleep 1000
    create web
    local first second
    runtime start web 2>"$BATS_TEST_TMPDIR/1" &
    first=$!
    runtime start web 2>"$BATS_TEST_TMPDIR/2" &
    second=$!
    local ok=0
    wait $first && ok=$((ok + 1)) || true
    wait $second && ok=$((ok + 1)) || true
    [ $ok = 1 ]
    cat "$BATS_TEST_TMPDIR"/[12] | grep -q "it is running, not created"
}

@test "an id is given once, and not to what could be a path or an option" {
    command_is sleep 1000
    create web
    fails 1 "container with id web already exists" runtime create --bundle "$B" web
    local id
    for id in .. a/b "" . .hidden "$(printf 'a\nb')" "$(printf 'x%.0s' {1..129})"; do
        fails 1 "is no container id" runtime create --bundle "$B" -- "$id"
    done
    fails 1 "is no container id" runtime create --bundle "$B" -- -x
    [ "$(runtime list -q)" = web ]
}

@test "the same id below two roots is two containers" {
    command_is sleep 1000
    create web
    caisson-runtime --root "$RUNTIME_ROOT-2" create --bundle "$B" web </dev/null >/dev/null 2>&1
    runtime delete web
    [ "$(caisson-runtime --root "$RUNTIME_ROOT-2" list -q)" = web ]
    caisson-runtime --root "$RUNTIME_ROOT-2" kill web KILL
    caisson-runtime --root "$RUNTIME_ROOT-2" delete -f web
}

@test "delete wants a container that does not run, or --force" {
    command_is sleep 1000
    create web
    runtime start web
    fails 1 "cannot delete container web that is not stopped: it is running" runtime delete web
    is_status web running
    create other
    local pid
    pid=$(pid_of_container other)
    runtime delete other
    # Gone, or only waiting for whoever inherited it to take note.
    [ "$(sed 's/.*) //; s/ .*//' "/proc/$pid/stat" 2>/dev/null || echo Z)" = Z ]
    runtime delete --force web
    [ -z "$(runtime list -q)" ]
    runtime delete --force web
    fails 1 "does not exist" runtime delete web
}

# groups_of ID: the control groups that a container of this file has.
groups_of() {
    find /sys/fs/cgroup -type d -path '*caisson-runtime*' -name "$1-$(printf %s "$RUNTIME_ROOT" | sha256sum | cut -c1-8)"
}

@test "a create that is killed leaves nothing that stands in the way" {
    command_is sleep 1000
    edit 'hook("createRuntime", "/bin/sleep", "30")'
    caisson-runtime --root "$RUNTIME_ROOT" create --bundle "$B" web >/dev/null 2>&1 &
    local pid=$!
    waits 5 test -e "$RUNTIME_ROOT/web/config.json"
    waits 5 pgrep -P $pid
    is_status web creating
    local children
    children=$(pgrep -P $pid)
    kill -9 $pid
    wait $pid || true
    local child
    for child in $children; do
        if ! grep -q '^sleep' "/proc/$child/comm" 2>/dev/null; then
            waits 5 sh -c "! kill -0 $child" || return 1
        else
            kill -9 "$child"
        fi
    done
    [ -z "$(runtime list -q)" ]
    [ -z "$(groups_of web)" ]
    edit 'del c["hooks"]'
    create web
    is_status web created
    [ "$(id -u)" != 0 ] || [ -n "$(groups_of web)" ]
}

@test "kill names signals as people do, and says when nothing runs" {
    command_is sleep 1000
    create web
    runtime start web
    fails 1 "is no signal" runtime kill web NOSUCH
    runtime kill web SIGKILL
    waits 5 is_status web stopped
    fails 1 "container not running" runtime kill web TERM
}

@test "kill --all ends what outlived the first process in a shared pid namespace" {
    skip_unless_root
    edit 'l["namespaces"] = [n for n in l["namespaces"] if n["type"] != "pid"]'
    command_is sh -c 'sleep 999 & exec sleep 1000'
    create web
    runtime start web
    waits 5 sh -c '[ "$(caisson-runtime --root "$RUNTIME_ROOT" ps -f json web | tr "," "\n" | wc -l)" = 2 ]'
    runtime kill web KILL
    waits 5 is_status web stopped
    [ "$(runtime ps -f json web | tr ',' '\n' | wc -l)" = 1 ]
    runtime kill --all web KILL
    [ "$(runtime ps -f json web)" = "[]" ]
}

@test "a number that now belongs to another process is not taken for the container" {
    command_is sleep 1000
    create web
    runtime start web
    local state=$RUNTIME_ROOT/web/state.json
    sleep 100 &
    local stranger=$!
    python3 - "$state" $stranger <<'PYTHON'
import json, sys
with open(sys.argv[1]) as f: c = json.load(f)
print(c["pid"], file=open(sys.argv[1] + ".pid", "w"))
c["pid"] = int(sys.argv[2])
with open(sys.argv[1], "w") as f: json.dump(c, f)
PYTHON
    is_status web stopped
    fails 1 "container not running" runtime kill web KILL
    kill -0 $stranger
    kill -9 "$(cat "$state.pid")" $stranger
    wait $stranger || true
}

@test "list shows them as a table, as ids and as JSON" {
    command_is sleep 1000
    create one
    create two
    [ "$(runtime list -q | tr '\n' ' ')" = "one two " ]
    runtime list | grep -q '^ID  *PID  *STATUS'
    runtime list | grep -q '^one .* created '
    runtime list --format json | python3 -c 'import json,sys; assert [c["id"] for c in json.load(sys.stdin)] == ["one", "two"]'
    runtime delete -f one
    runtime delete -f two
    [ "$(runtime list -f json)" = "[]" ]
}

@test "pause holds a container, resume lets it go on" {
    skip_without_groups
    command_is sleep 1000
    create web
    runtime start web
    runtime pause web
    is_status web paused
    fails 255 "paused" runtime exec web true
    fails 1 "it is paused" runtime pause web
    runtime resume web
    is_status web running
    runtime exec web true
    fails 1 "cannot resume" runtime resume web
}

@test "update changes limits, by option and by document" {
    skip_unless_root
    command_is sleep 1000
    create web
    runtime start web
    runtime update --memory 64m --pids-limit 50 web
    runtime events --stats web | grep -q '"limit":67108864'
    echo '{"pids": {"limit": 20}}' | runtime update -r - web
    runtime events --stats web | python3 -c 'import json,sys; assert json.load(sys.stdin)["data"]["pids"]["limit"] == 20'
    fails 1 "resources.memory.limit must be" runtime update -r /dev/stdin web <<<'{"memory": {"limit": "much"}}' || true
    echo '{"memory": {"limit": "much"}}' >"$BATS_TEST_TMPDIR/wrong"
    fails 1 "resources.memory.limit must be" runtime update -r "$BATS_TEST_TMPDIR/wrong" web
}

@test "ps lists what runs in the container" {
    skip_without_groups
    command_is sleep 1000
    create web
    runtime start web
    runtime ps web | grep -q 'sleep 1000'
    [ "$(runtime ps --format json web)" = "[$(pid_of_container web)]" ]
}

# --- handed over ----------------------------------------------------------------------------------

@test "the pid file holds the first process when create returns" {
    command_is sleep 1000
    create --pid-file "$BATS_TEST_TMPDIR/pid" web
    [ "$(cat "$BATS_TEST_TMPDIR/pid")" = "$(pid_of_container web)" ]
}

# receives SOCKET: a receiver of a terminal, which prints what comes over it.
receives() {
    python3 - "$1" <<'PYTHON'
import array, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(1)
server.settimeout(20)
peer, _ = server.accept()
data, control, _, _ = peer.recvmsg(4096, socket.CMSG_SPACE(4))
fd = array.array("i", control[0][2])[0]
assert os.isatty(fd) and data
os.write(fd, b"ping\n")
try:
    while True:
        part = os.read(fd, 4096)
        if not part:
            break
        os.write(1, part)
except OSError:
    pass
PYTHON
}

@test "a terminal goes to --console-socket, with the size that was asked for" {
    edit 'p["terminal"] = True; p["consoleSize"] = {"height": 33, "width": 101}'
    command_is sh -c 'tty; stty size; test -c /dev/console && echo console; read line; echo got $line'
    receives "$BATS_TEST_TMPDIR/console" >"$BATS_TEST_TMPDIR/said" &
    local receiver=$!
    waits 5 test -S "$BATS_TEST_TMPDIR/console"
    create --console-socket "$BATS_TEST_TMPDIR/console" web
    runtime start web
    wait $receiver
    tr -d '\r' <"$BATS_TEST_TMPDIR/said" >"$BATS_TEST_TMPDIR/text"
    grep -qx '/dev/pts/0' "$BATS_TEST_TMPDIR/text"
    grep -qx '33 101' "$BATS_TEST_TMPDIR/text"
    grep -qx 'console' "$BATS_TEST_TMPDIR/text"
    grep -qx 'got ping' "$BATS_TEST_TMPDIR/text"
}

@test "a terminal needs a socket, and a socket a terminal" {
    edit 'p["terminal"] = True'
    fails 1 "give --console-socket" runtime create --bundle "$B" web
    edit 'p["terminal"] = False'
    fails 1 "only for process.terminal" runtime create --bundle "$B" --console-socket /nowhere web
}

@test "--preserve-fds hands descriptors on, and only those" {
    command_is sh -c 'cat <&3; cat <&4; ls /proc/self/fd | wc -l'
    echo three >"$BATS_TEST_TMPDIR/3"
    echo four >"$BATS_TEST_TMPDIR/4"
    # ls has 0, 1, 2, the two and the directory
    [ "$(runtime run --preserve-fds 2 --bundle "$B" fds 3<"$BATS_TEST_TMPDIR/3" 4<"$BATS_TEST_TMPDIR/4" 5</etc/passwd | tr '\n' ' ')" = "three four 6 " ]
    command_is sh -c 'ls /proc/self/fd | wc -l'
    [ "$(runtime run --bundle "$B" fds 3</etc/passwd 7</)" = 4 ]
}

@test "--preserve-fds of what is not open is an error, not somebody else's descriptor" {
    command_is true
    fails 1 "descriptor 5 is not open" runtime run --preserve-fds 3 --bundle "$B" fds 3</etc/passwd 4</etc/passwd 5<&-
}

@test "LISTEN_FDS reaches the container as its own" {
    command_is sh -c 'echo $LISTEN_FDS $LISTEN_PID; cat <&3'
    echo socket >"$BATS_TEST_TMPDIR/3"
    run_given_3() {
        sh -c 'export LISTEN_FDS=1 LISTEN_PID=$'"$1"'; exec caisson-runtime --root "$0" run --bundle "$1" fds' \
            "$RUNTIME_ROOT" "$B" 3<"$BATS_TEST_TMPDIR/3"
    }
    [ "$(run_given_3 '$' | tr '\n' ' ')" = "1 1 socket " ]
    # those of somebody else stay outside
    command_is sh -c 'echo "${LISTEN_FDS-none}"; cat <&3 2>&1 | grep socket; exit 0'
    [ "$(run_given_3 PPID 2>/dev/null)" = none ]
}

@test "errors go to --log as JSON, too" {
    command_is nosuchcommand
    fails 1 "command not found" runtime --log "$BATS_TEST_TMPDIR/log" --log-format json create --bundle "$B" web
    python3 - "$BATS_TEST_TMPDIR/log" <<'PYTHON'
import json, sys
line = json.loads(open(sys.argv[1]).read())
assert line["level"] == "error" and "nosuchcommand" in line["msg"] and line["time"], line
PYTHON
    fails 1 "command not found" runtime --log "$BATS_TEST_TMPDIR/text" create --bundle "$B" web
    grep -q '^time="20.*level=error msg="command not found' "$BATS_TEST_TMPDIR/text"
}

@test "a command that is not there or cannot be executed is told at create, in engines' words" {
    command_is nosuchcommand
    refuses "nosuchcommand: no such file or directory"
    command_is /etc
    refuses "permission denied"
    echo text >"$B/rootfs/plain"
    command_is /plain
    refuses "permission denied"
    command_is sleep 1000
    create web
    runtime start web
    fails 255 "no such file or directory" runtime exec web nosuchcommand
}

# --- exec -----------------------------------------------------------------------------------------

@test "exec runs beside the first process, in its namespaces, with its rights" {
    command_is sleep 1000
    create web
    runtime start web
    [ "$(runtime exec web hostname)" = caisson ]
    [ "$(runtime exec web sh -c 'readlink /proc/self/ns/mnt')" = "$(runtime exec web readlink /proc/1/ns/mnt)" ]
    [ "$(runtime exec web grep NoNewPrivs /proc/self/status | tr -d '\t ')" = NoNewPrivs:1 ]
    run -9 runtime exec web sh -c 'exit 9'
    run -0 runtime exec -e A=b -e 'C=d e' --cwd /tmp web sh -c 'echo $A $C; readlink /proc/self/cwd'
    [ "$output" = $'b d e\n/tmp' ]
}

@test "exec takes a process as JSON" {
    command_is sleep 1000
    create web
    runtime start web
    echo '{"args": ["sh", "-c", "echo $X; readlink /proc/self/cwd; umask"], "env": ["X=y", "PATH=/bin"],
           "cwd": "/etc", "user": {"uid": 0, "gid": 0, "umask": 63}, "noNewPrivileges": true}' >"$BATS_TEST_TMPDIR/p.json"
    run -0 runtime exec --process "$BATS_TEST_TMPDIR/p.json" web
    [ "$output" = $'y\n/etc\n0077' ]
    echo '{"args": ["true"], "cwd": "/", "user": {"uid": "root"}}' >"$BATS_TEST_TMPDIR/p.json"
    fails 255 "process.user.uid must be" runtime exec --process "$BATS_TEST_TMPDIR/p.json" web
    fails 255 "leave \"ls\" out" runtime exec --process "$BATS_TEST_TMPDIR/p.json" web ls
}

@test "exec -d leaves it running and writes its number" {
    command_is sleep 1000
    create web
    runtime start web
    runtime exec -d --pid-file "$BATS_TEST_TMPDIR/pid" web sleep 500 </dev/null >/dev/null 2>&1
    grep -q sleep "/proc/$(cat "$BATS_TEST_TMPDIR/pid")/comm"
}

@test "exec gives no capability that the container's bounding set lacks" {
    skip_unless_root
    edit 'p["capabilities"] = {"bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"], "effective": ["CAP_KILL"]}'
    command_is sleep 1000
    create web
    runtime start web
    fails 255 "bounding set does not have it" runtime exec --cap CAP_SYS_ADMIN web true
    echo '{"args": ["grep", "Cap", "/proc/self/status"], "cwd": "/", "user": {"uid": 0, "gid": 0},
           "capabilities": {"bounding": ["CAP_SYS_ADMIN", "CAP_KILL"], "permitted": ["CAP_SYS_ADMIN", "CAP_KILL"],
           "effective": ["CAP_SYS_ADMIN", "CAP_KILL"], "inheritable": ["CAP_SYS_ADMIN"], "ambient": ["CAP_SYS_ADMIN"]}}' >"$BATS_TEST_TMPDIR/p.json"
    run -0 runtime exec --process "$BATS_TEST_TMPDIR/p.json" web
    [ "$(echo -n "$output" | tr -s '\t\n' ' ')" = "CapInh: 0000000000000000 CapPrm: 0000000000000020 CapEff: 0000000000000020 CapBnd: 0000000000000020 CapAmb: 0000000000000000" ]
}

@test "exec with a terminal has one of the container's" {
    command_is sleep 1000
    create web
    runtime start web
    receives "$BATS_TEST_TMPDIR/console" >"$BATS_TEST_TMPDIR/said" &
    local receiver=$!
    waits 5 test -S "$BATS_TEST_TMPDIR/console"
    runtime exec -t -d --console-socket "$BATS_TEST_TMPDIR/console" web tty
    wait $receiver
    grep -q '/dev/pts/0' "$BATS_TEST_TMPDIR/said"
}

# --- hooks ----------------------------------------------------------------------------------------

# Each writes a line: its name, the status it was told, its environment, its directory.
hooks_that_write() {
    cat >"$B/hook.sh" <<'SH'
#!/bin/sh
status=$(sed 's/.*"status":"\([a-z]*\)".*/\1/')
echo "$1 $status $(env | grep -c -e LD_PRELOAD -e SECRET) ${MINE:-none} $(pwd)" >>"$2"
exit "${3:-0}"
SH
    chmod 755 "$B/hook.sh"
    cp "$B/hook.sh" "$B/rootfs/hook.sh"
    for name in sed env pwd; do ln -sf busybox "$B/rootfs/bin/$name"; done
    : >"$B/rootfs/inside.log"
    : >"$B/log"
    edit 'for stage in ("poststop", "createContainer", "prestart", "poststart", "createRuntime"):
    hook(stage, bundle + "/hook.sh", stage, bundle + "/log", env=["MINE=" + stage, "PATH=/usr/bin:/bin"])
hook("startContainer", "/hook.sh", "startContainer", "/inside.log", env=["PATH=/bin"])
p["env"] += ["LD_PRELOAD=/evil.so", "SECRET=1"]'
}

@test "hooks run in their order, with their own environment, the state and the bundle as directory" {
    hooks_that_write
    command_is sleep 1000
    create web
    [ "$(cut -d' ' -f1,2,3,4 "$B/log")" = "prestart creating 0 prestart
createRuntime creating 0 createRuntime
createContainer creating 0 createContainer" ]
    [ "$(cut -d' ' -f5 "$B/log" | sort -u)" = "$B" ]
    [ ! -s "$B/rootfs/inside.log" ]
    runtime start web
    [ "$(cat "$B/rootfs/inside.log")" = "startContainer created 0 none /" ]
    [ "$(tail -n 1 "$B/log" | cut -d' ' -f1-2)" = "poststart running" ]
    runtime delete -f web
    [ "$(tail -n 1 "$B/log" | cut -d' ' -f1-2)" = "poststop stopped" ]
}

@test "a hook that fails before the command ends the container, and says why" {
    command_is sleep 1000
    local stage
    for stage in prestart createRuntime createContainer; do
        edit "c['hooks'] = {}; hook('$stage', '/bin/sh', '-c', 'echo no way >&2; exit 4')
hook('poststop', '/bin/sh', '-c', 'echo $stage >>' + bundle + '/stopped')"
        refuses "hook $stage[0] /bin/sh: it ended with status 4: no way"
    done
    [ "$(wc -l <"$B/stopped")" = 3 ]
    edit "c['hooks'] = {}; hook('startContainer', '/bin/false')"
    create web
    fails 1 "hook startContainer[0] /bin/false: it ended with status 1" runtime start web
    waits 5 is_status web stopped
}

@test "a hook that fails after the start is a warning" {
    command_is sleep 1000
    edit 'hook("poststart", "/bin/false"); hook("poststop", "/nowhere/hook")'
    create web
    runtime --log "$BATS_TEST_TMPDIR/log" start web
    is_status web running
    runtime --log "$BATS_TEST_TMPDIR/log" delete -f web
    grep -q 'level=warning.*poststart.*status 1' "$BATS_TEST_TMPDIR/log"
    grep -q 'level=warning.*cannot execute /nowhere/hook' "$BATS_TEST_TMPDIR/log"
}

@test "a hook that takes too long is killed" {
    command_is true
    edit 'hook("createRuntime", "/bin/sleep", "60", timeout=1)'
    refuses "it took longer than its timeout of 1 seconds"
}

# --- about itself ---------------------------------------------------------------------------------

@test "--version begins as engines want it" {
    run -0 caisson-runtime --version
    [[ ${lines[0]} == "caisson-runtime version "* ]]
    [[ ${lines[1]} == "commit: "* ]]
    [[ ${lines[2]} == "spec: 1.2.0" ]]
}

@test "features names what there is: every option of mounts and every namespace in it works" {
    run -0 caisson-runtime features
    echo "$output" >"$BATS_TEST_TMPDIR/features.json"
    python3 - "$BATS_TEST_TMPDIR/features.json" <<'PYTHON'
import json, sys
f = json.load(open(sys.argv[1]))
assert f["ociVersionMin"] == "1.0.0" and f["ociVersionMax"] == "1.2.0"
assert f["hooks"] == ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]
assert set(f["linux"]["namespaces"]) == {"user", "pid", "mount", "ipc", "uts", "network", "cgroup", "time"}
assert f["linux"]["cgroup"] == {"v1": True, "v2": True, "systemd": True, "systemdUser": True, "rdma": True}
assert not f["linux"]["intelRdt"]["enabled"] and not f["linux"]["selinux"]["enabled"]
assert "SCMP_ACT_NOTIFY" in f["linux"]["seccomp"]["actions"]
assert f["linux"]["mountExtensions"]["idmap"]["enabled"]
assert "tmpcopyup" in f["mountOptions"] and "rro" in f["mountOptions"] and "mand" not in f["mountOptions"]
PYTHON
    command_is true
    mkdir "$B/source"
    local option
    for option in $(python3 -c 'import json,sys; print(*json.load(open(sys.argv[1]))["mountOptions"])' "$BATS_TEST_TMPDIR/features.json"); do
        case $option in
        bind | rbind | idmap | ridmap | sync | dirsync | lazytime | tmpcopyup) continue ;; # shown elsewhere
        *atime) [ "$(id -u)" = 0 ] || continue ;; # the kernel keeps what the host has chosen
        esac
        edit "drop('/opt'); mount(destination='/opt', type='bind', source='source', options=['rbind', '$option'])"
        runtime run --bundle "$B" "o$option" || { echo "option $option"; return 1; }
    done
}

@test "spec writes a configuration that runs, strict, and replaces none" {
    fails 1 "config.json" caisson-runtime spec --bundle "$B"
    python3 - "$B/config.json" <<'PYTHON'
import json, sys
c = json.load(open(sys.argv[1]))
assert c["process"]["noNewPrivileges"] and not c["process"]["capabilities"]
assert "/proc/sys" in c["linux"]["readonlyPaths"] and "/proc/kcore" in c["linux"]["maskedPaths"]
PYTHON
    run -0 inside 'grep CapBnd /proc/self/status | tr -d "\t"'
    [ "$output" = "CapBnd:0000000000000000" ]
}

@test "every verb has help with examples, and its manual page" {
    local verb
    for verb in create start run exec kill delete pause resume update state ps list events spec features; do
        caisson-runtime $verb --help | grep -q "^  caisson-runtime $verb" || [ $verb = update ]
        [ -e "$CAISSON_BUILD/man1/caisson-runtime-$verb.1" ]
    done
    [ -e "$CAISSON_BUILD/completions/caisson-runtime" ]
    [ "$(caisson-runtime)" = "$(caisson-runtime --help)" ]
}
