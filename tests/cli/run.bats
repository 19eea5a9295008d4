#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# run and exec: what a newcomer types, what the levels give, what is refused and how it is said.
load ../lib/common

setup_file() {
    common_setup_file
    image
}
teardown_file() { common_teardown_file; }

run_() { caisson run --rm "$@"; }

# --- the commands of the lesson ------------------------------------------------------------------

@test "run --user 1000:1000 runs as that user and group" {
    [ "$(run_ --user 1000:1000 busybox sh -c 'id -u; id -g' | xargs)" = "1000 1000" ]
}

@test "exec NAME whoami answers a name and not root" {
    caisson run -d --name lesson busybox sleep 100 >/dev/null
    [ "$(caisson exec lesson whoami)" = nonroot ]
    caisson rm -f lesson >/dev/null
}

@test "run --read-only refuses writes to the root file system" {
    fails 1 "Read-only file system" caisson run --rm --read-only busybox touch /etc/x
}

@test "run --tmpfs gives places to write of the size asked for" {
    run run_ --read-only --tmpfs /tmp:size=64m --tmpfs /app/cache:size=32m busybox \
        sh -c 'touch /tmp/a /app/cache/b && df -k /tmp /app/cache | tail -n +2 | while read -r _ size _; do echo $size; done'
    [ "$status" = 0 ]
    [ "$(echo "$output" | xargs)" = "65536 32768" ]
}

@test "memory, swap and processor limits are in force in the control group" {
    skip_without_groups
    caisson run -d --name limits --memory=64m --memory-swap=64m --cpus=1.5 busybox sleep 100 >/dev/null
    run caisson inspect --format '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}' limits
    [ "$output" = "67108864 1500000000" ]
    caisson rm -f limits >/dev/null
    fails 137 "ran out of memory (limit 32MiB)" caisson run --rm --memory=32m --memory-swap=32m \
        busybox tail /dev/zero
}

@test "run --pids-limit ends a fork bomb" {
    skip_without_groups
    run run_ --pids-limit 20 busybox sh -c 'i=0; while [ $i -lt 60 ]; do sleep 5 & i=$((i+1)); done'
    [ "$status" != 0 ]
    [[ $output == *"no more than 20 processes"* ]]
}

# --- levels --------------------------------------------------------------------------------------

@test "restricted: not root, no capabilities, no_new_privs, a filter, its own ids" {
    run run_ busybox sh -c 'id -u; grep -E "CapEff|CapBnd|NoNewPrivs|Seccomp:" /proc/self/status; cat /proc/self/uid_map'
    [ "$status" = 0 ]
    [ "${lines[0]}" = 65532 ]
    [[ $output == *"CapEff:"*"0000000000000000"* ]]
    [[ $output == *"NoNewPrivs:"*1* ]]
    [[ $output == *"Seccomp:"*2* ]]
    if [ "$(id -u)" = 0 ]; then
        [[ ${lines[5]} =~ ^\ +0\ +[0-9]+\ +65536$ ]]
    else # the image's root is nobody's, and who stands in for it is the user
        [[ $(run_ busybox cat /proc/self/uid_map) =~ \ 65532\ +0\ +1 ]]
    fi
}

@test "two containers have different ranges of ids" {
    skip_unless_root
    caisson run -d --name one busybox sleep 100 >/dev/null
    caisson run -d --name two busybox sleep 100 >/dev/null
    [ "$(caisson exec one cat /proc/self/uid_map)" != "$(caisson exec two cat /proc/self/uid_map)" ]
    caisson rm -f one two >/dev/null
}

@test "baseline: root of a writable root file system, eleven capabilities" {
    run run_ --level baseline busybox sh -c 'id -u; touch /x && chown 5 /x && stat -c %u /x; grep CapEff /proc/self/status'
    [ "$status" = 0 ]
    [ "${lines[0]} ${lines[1]}" = "0 5" ]
    [[ ${lines[2]} == *00000000800405fb ]]
}

@test "what one container writes to its root is not there in the next" {
    run_ --level baseline busybox touch /left-behind
    fails 1 "No such file" caisson run --rm --level baseline busybox ls /left-behind
}

@test "privileged: the host's ids, no filter" {
    run run_ --level privileged busybox sh -c 'cat /proc/self/uid_map; grep Seccomp: /proc/self/status'
    [ "$status" = 0 ]
    if [ "$(id -u)" = 0 ]; then
        [[ ${lines[0]} =~ 4294967295 ]]
    else # as far as they are the user's
        [[ ${lines[0]} =~ ^\ +0\ +$(id -u)\ +1$ ]]
    fi
    [[ $output == *"Seccomp:"*0 ]]
}

@test "each protection has one flag that turns it off" {
    [ "$(run_ --user root busybox id -u)" = 0 ]
    run_ --read-only=false --user root busybox touch /x
    [[ $(run_ --cap-add NET_RAW -u root busybox grep CapEff /proc/self/status) == *0000000000002000 ]]
    [[ $(run_ --security-opt no-new-privileges=false busybox grep NoNewPrivs /proc/self/status) == *0 ]]
    [[ $(run_ --security-opt seccomp=unconfined busybox grep Seccomp: /proc/self/status) == *0 ]]
    [ "$(id -u)" != 0 ] || [[ $(run_ --userns host busybox cat /proc/self/uid_map) == *4294967295 ]]
    [[ $(run_ --security-opt systempaths=unconfined busybox wc -c /proc/kallsyms) != 0* ]]
    [[ $(run_ --pids-limit -1 --dry-run busybox true) == *"pids"*"unlimited"* ]]
    [[ $(run_ --memory -1 --dry-run busybox true) == *"memory"*"unlimited"* ]]
}

@test "ps shows what was relaxed" {
    caisson run -d --name relaxed --read-only=false --cap-add CHOWN busybox sleep 100 >/dev/null
    run caisson ps
    [[ $output == *LEVEL* ]]
    [[ $output == *restricted*root-filesystem* || $output == *restricted*readonly* || $output == *restricted*read-only* ]]
    caisson rm -f relaxed >/dev/null
}

@test "without a user namespace of its own the container meets a sealed copy of caisson" {
    run run_ --level privileged --init busybox readlink /proc/1/exe
    [[ $output == *memfd:* ]]
}

# --- what runs -----------------------------------------------------------------------------------

@test "exit codes are Docker's" {
    run run_ busybox sh -c 'exit 7'
    [ "$status" = 7 ]
    run run_ --init busybox sh -c 'kill -TERM $$'
    [ "$status" = 143 ]
    fails 127 "command not found" caisson run --rm busybox no-such-command
    fails 126 "it is a directory" caisson run --rm busybox /etc
    fails 125 "no such image" caisson run --rm no-such-image
    fails 125 "did you mean --level" caisson run --rm --levle x busybox
    fails 125 "name the device" caisson run --rm --gpus all busybox
}

@test "standard input and output go through, whatever their size" {
    [ "$(head -c 3000000 /dev/zero | run_ -i busybox wc -c)" = 3000000 ]
    [ "$(run_ busybox sh -c 'head -c 3000000 /dev/zero' | wc -c)" = 3000000 ]
    [ "$(echo unread | run_ busybox cat)" = "" ]
}

@test "environment: the image's, --env, --env-file, and ours by name alone" {
    printf '# comment\nFROM_FILE=1\n\nBOTH=file\n' >"$BATS_TEST_TMPDIR/env"
    OURS=here run run_ -e OURS -e BOTH=flag -e 'SPACE=a b' --env-file "$BATS_TEST_TMPDIR/env" busybox env
    [[ $output == *FROM_FILE=1* && $output == *BOTH=flag* && $output == *OURS=here* && $output == *"SPACE=a b"* ]]
    [[ $output == *HOME=/home/nonroot* ]]
}

@test "an id without an entry has a name, a group and a home it can write to" {
    run run_ -u 4242 busybox sh -c 'whoami; id -gn; cd ~ && touch file && echo "$HOME"'
    [ "$status" = 0 ]
    [ "${lines[0]}" = nonroot ]
    [ "${lines[2]}" = /home/nonroot ]
}

@test "--init reaps, passes the exit code on and ends with the command" {
    run run_ --init busybox sh -c 'exit 5'
    [ "$status" = 5 ]
    [[ $(run_ --init busybox sh -c 'cat /proc/1/comm') == caisson-init ]]
}

@test "a terminal: -t gives one of the container's own" {
    skip_without script
    run script -qec "caisson run --rm -it busybox tty" /dev/null </dev/null
    [[ $output == */dev/pts/0* ]]
}

# Seen to fail: each of 512 processes could open as many files as the host let it, together more than
# the machine has.
@test "a process may open as many files as leave half of the machine's to others, and never more than we may" {
    local most
    expected() { # PIDS
        most=$(($(cat /proc/sys/fs/file-max) / 2 / $1))
        [ $most -ge 1024 ] || most=1024
        [ $most -le 1048576 ] || most=1048576
        [ $most -le "$(ulimit -Hn)" ] || most=$(ulimit -Hn)
        echo $most
    }
    [ "$(run_ busybox sh -c 'ulimit -Hn')" = "$(expected 512)" ]
    [ "$(run_ --level baseline busybox sh -c 'ulimit -Hn')" = "$(expected 512)" ]
    if has_groups; then
        [ "$(run_ --pids-limit 4096 busybox sh -c 'ulimit -Hn')" = "$(expected 4096)" ]
    fi
    [ "$(run_ --level privileged busybox sh -c 'ulimit -Hn')" = "$(ulimit -Hn)" ]
    [ "$(run_ --ulimit nofile=1100 busybox sh -c 'ulimit -Hn')" = 1100 ]
    [ "$(ulimit -n 500; run_ busybox sh -c 'ulimit -Hn')" = 500 ]
    [[ $(run_ --dry-run busybox true) == *open-files* ]]
    caisson run -d --name files busybox sleep 100
    [ "$(caisson exec files sh -c 'ulimit -Hn')" = "$(expected 512)" ]
    caisson rm -f files
}

@test "hostname, working directory, ulimit, sysctl, shm size, umask" {
    run run_ -h box -w /tmp --ulimit nofile=100:200 --sysctl net.ipv4.ip_forward=1 --shm-size 8m \
        --umask 077 busybox sh -c 'hostname; pwd; ulimit -n; cat /proc/sys/net/ipv4/ip_forward; umask; df -k /dev/shm | tail -1'
    [ "${lines[0]} ${lines[1]} ${lines[2]} ${lines[3]} ${lines[4]}" = "box /tmp 100 1 0077" ]
    [[ ${lines[5]} == *8192* ]]
}

@test "a bind mount: what the container writes belongs to whoever ran it" {
    mkdir "$BATS_TEST_TMPDIR/data"
    echo before >"$BATS_TEST_TMPDIR/data/file"
    run run_ -v "$BATS_TEST_TMPDIR/data:/data" busybox sh -c 'cat /data/file; echo after >/data/new'
    [ "$output" = before ]
    [ "$(stat -c %u "$BATS_TEST_TMPDIR/data/new")" = "$(own_id)" ]
    fails 1 "Read-only file system" caisson run --rm -v "$BATS_TEST_TMPDIR/data:/data:ro" busybox touch /data/x
    fails 1 "Read-only file system" caisson run --rm \
        --mount "type=bind,source=$BATS_TEST_TMPDIR/data,target=/data,readonly" busybox touch /data/x
}

@test "a seccomp profile in Docker's format is compiled, obeyed and cached" {
    echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":38}]}' \
        >"$BATS_TEST_TMPDIR/profile.json"
    fails 1 "Function not implemented" caisson run --rm --security-opt "seccomp=$BATS_TEST_TMPDIR/profile.json" busybox mkdir /tmp/x
    [ "$(ls "$CAISSON_ROOT/cache/seccomp" | wc -l)" = 1 ]
    echo '{"defaultAction":"SCMP_ACT_NONSENSE"}' >"$BATS_TEST_TMPDIR/bad.json"
    fails 125 "SCMP_ACT_NONSENSE" caisson run --rm --security-opt "seccomp=$BATS_TEST_TMPDIR/bad.json" busybox true
}

@test "--network container:NAME shares loopback, none has only loopback, host has the host's" {
    caisson run -d --name net busybox nc -l -p 7777 -e echo shared >/dev/null
    waits 5 caisson exec net sh -c 'netstat -ltn | grep -q 7777'
    [ "$(run_ -i --network container:net busybox nc 127.0.0.1 7777 </dev/null)" = shared ]
    caisson rm -f net >/dev/null
    [ "$(run_ --network none busybox ls /sys/class/net)" = lo ]
    [ "$(run_ --network host busybox readlink /proc/self/ns/net)" = "$(readlink /proc/self/ns/net)" ]
}

@test "exec: user, directory, environment, exit code, standard input, never more than the container" {
    caisson run -d --name host busybox sleep 100 >/dev/null
    [ "$(caisson exec -u 7:8 -w /tmp -e A=b host sh -c 'id -u; id -g; pwd; echo $A' | xargs)" = "7 8 /tmp b" ]
    run caisson exec host sh -c 'exit 9'
    [ "$status" = 9 ]
    [ "$(echo through | caisson exec -i host cat)" = through ]
    run caisson exec -u root host sh -c 'grep -E "CapEff|CapBnd|NoNewPrivs|Seccomp:" /proc/self/status; touch /x'
    [[ $output == *"CapBnd:"*0000000000000000* && $output == *"Seccomp:"*2* && $output == *"Read-only"* ]]
    fails 127 "command not found" caisson exec host no-such-command
    caisson stop -t 0 host >/dev/null
    fails 125 "is not running" caisson exec host true
    caisson rm host >/dev/null
}

@test "a hint names the protection that was met and the flag that allows it" {
    unset CAISSON_HINTS
    fails 1 "--read-only=false" caisson run --rm -u root busybox touch /x
    fails 1 "--cap-add" caisson run --rm -u root busybox chown 1 /tmp
    run run_ -q -u root busybox touch /x
    [[ $output != *hint* ]]
}

@test "--dry-run prints the plan, as text and as JSON, and makes nothing" {
    before=$(find "$CAISSON_ROOT" "$CAISSON_STATE" | sort)
    run caisson run --dry-run busybox true
    [[ $output == *"seccomp"*"restricted"* ]]
    caisson run --dry-run --format json busybox true |
        python3 -c 'import json,sys; c=json.load(sys.stdin); assert c["process"]["noNewPrivileges"] and c["root"]["readonly"] and c["ociVersion"]'
    [ "$(find "$CAISSON_ROOT" "$CAISSON_STATE" | sort)" = "$before" ]
}

@test "bad input is refused with a sentence and changes nothing" {
    before=$(find "$CAISSON_ROOT/containers" "$CAISSON_STATE" | sort)
    for bad in "-u -1" "-u 0x0" "-u 4294967296" "-u 1:" "-u :1" "-u no-such-user" "--name a/b" "--name .." "--name -x" \
        "-m 1" "--memory-swap 16m" "--cpus 0.001" "--cpus x" "--pids-limit x" "-v rel/dir:/x" "-v /no/such:/x" "-v /tmp:x" \
        "-v /tmp:/proc/x" "-v /tmp:/a/../b" "--tmpfs /x:size=q" "--mount type=bind,target=/x" "-h a/b" "-e =x" \
        "--sysctl kernel.core_pattern=x" "--sysctl a/../b=1" "--cap-add NONSENSE" "--security-opt nonsense" \
        "--device /etc/passwd" "--ulimit nonsense=1" "--network no-such-network" "--level strict" "--stop-signal NONE" \
        "--oom-score-adj 5000" "--shm-size 0" "--cgroup-parent ../x" "--userns x" "--log-opt max-size=x" "-w rel"; do
        # shellcheck disable=SC2086 # flag and value
        run caisson run --rm $bad busybox true
        echo "$bad: $status $output"
        [ "$status" = 125 ]
        [[ ${lines[0]} == "caisson: "* ]]
    done
    [ "$(find "$CAISSON_ROOT/containers" "$CAISSON_STATE" | sort)" = "$before" ]
}

@test "nothing of a container is left after it: files, control groups, ids" {
    for _ in 1 2 3; do run_ busybox true; done
    caisson run -d --rm --name gone busybox true >/dev/null
    waits 5 sh -c '[ -z "$(ls "$CAISSON_STATE/ids")" ]'
    waits 5 sh -c '[ -z "$(ls "$CAISSON_STATE/containers")" ]'
    [ -z "$(ls "$CAISSON_ROOT/containers")" ]
    [ -z "$(caisson ps -aq)" ]
}

@test "a container dies with its foreground command, killed how it may be" {
    caisson run --rm --name orphan busybox sleep 1000 &
    front=$!
    waits 5 caisson exec orphan true
    pid=$(caisson inspect --format '{{.State.Pid}}' orphan)
    kill -9 $front
    waits 5 sh -c "! kill -0 $pid"
    run caisson ps
    [[ $output != *orphan* ]]
    caisson rm -f orphan >/dev/null 2>&1 || true
}

@test "--platform takes this machine's, however it is written, and refuses an image for another" {
    machine=$(caisson image inspect -f '{{.Architecture}}' busybox)
    for platform in "linux/$machine" "$machine" "linux/$(uname -m)"; do
        [ "$(caisson run --rm --platform "$platform" busybox echo fine)" = fine ]
    done
    fails 125 "the image is for linux/$machine" caisson run --rm --pull never --platform linux/s390x busybox true
    fails 125 "only linux images" caisson run --rm --platform windows/amd64 busybox true
}

# --- namespaces -----------------------------------------------------------------------------------

@test "--uts, --cgroupns, --ipc and --pid share the host's where that can be, and ps and inspect say so" {
    [ "$(id -u)" = 0 ] || skip "root's to give"
    [ "$(caisson run --rm --uts host busybox hostname)" = "$(hostname)" ]
    for kind in uts cgroup ipc pid; do
        flag=$kind
        [ $kind != cgroup ] || flag=cgroupns
        [ "$(caisson run --rm --userns host --$flag host busybox readlink /proc/self/ns/$kind)" = "$(readlink /proc/self/ns/$kind)" ]
        [ "$(caisson run --rm --userns host --$flag private busybox readlink /proc/self/ns/$kind)" != "$(readlink /proc/self/ns/$kind)" ]
    done
    caisson run -d --name web --userns host --pid host --ipc host busybox sleep 100
    [ "$(caisson inspect -f '{{.HostConfig.PidMode}} {{.HostConfig.IpcMode}} {{.HostConfig.UTSMode}}' web)" = "host host private" ]
    [[ $(caisson ps --format '{{.Level}}') == *process-namespace* ]]
    # Its other processes end with it, though no process namespace ends.
    caisson exec -d web sleep 77
    pid=$(caisson top web | awk '/sleep 77/ {print $2}')
    kill -0 "$pid"
    caisson rm -f web
    waits 5 sh -c "! kill -0 $pid"
}

@test "with --ipc host shared memory is the host's, and its sysctls are out of reach" {
    [ "$(id -u)" = 0 ] && [ -d /dev/shm ] || skip "root's to give"
    touch "/dev/shm/caisson-test-$$"
    run caisson run --rm --userns host --ipc host busybox ls /dev/shm
    rm "/dev/shm/caisson-test-$$"
    [[ $output == *"caisson-test-$$"* ]]
    fails 125 "would change the host" caisson run --rm --userns host --ipc host --sysctl kernel.shmmax=1000 busybox true
    fails 125 "would change the host" caisson run --rm --userns host --ipc host --sysctl fs.mqueue.msg_max=20 busybox true
}

@test "namespaces that cannot be shared are refused with the way out" {
    fails 125 "--pid host needs --userns host" caisson run --rm --pid host busybox true
    fails 125 "--ipc host needs --userns host" caisson run --rm --ipc host busybox true
    fails 125 "no such container: web" caisson run --rm --pid container:web busybox true
    fails 125 "give private or host" caisson run --rm --uts other busybox true
    [ "$(id -u)" = 0 ] || { fails 125 "root's to give" caisson run --rm --uts host busybox true; return; }
    fails 125 "contradicts --hostname" caisson run --rm --uts host -h name busybox true
}
