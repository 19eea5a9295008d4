#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a payload inherits from the engine, and what it can do to the engine.
load ../lib/common
load lib/hostile

setup_file() { hostile_setup_file; }
teardown_file() { common_teardown_file; }

program_sums() {
    (cd "$CAISSON_BUILD" && sha256sum caisson caisson-monitor caisson-image)
}

# shown NAME: a line of /proc/self/status of the payload.
status_of() {
    awk -v name="$1:" '$1 == name {print $2}'
}

# Seen to fail: with the host's users, without the sealed copy and with the process dumpable, it
# opened the program of the engine by every process that entered. One of the three protections is
# enough.
@test "MS-01 the payload cannot open the engine's executable for writing" {
    before=$(program_sums)
    name=ms01-$$
    # Detached: a run in the foreground would keep its file busy, and so safe, all the time.
    caisson run -d --name "$name" --level baseline --security-opt seccomp=unconfined \
        --security-opt landlock=off -v "$(escape_helper overwrite):/overwrite:ro" \
        --read-only busybox /overwrite 6 >/dev/null
    # Processes of the engine appear inside as long as there is somebody to enter.
    entered=0
    while caisson exec "$name" true 2>/dev/null; do
        entered=$((entered + 1))
        sleep 0.1 # in which nobody executes the file, so that it is not busy
    done
    caisson wait "$name" >/dev/null
    caisson logs "$name" | tee "$BATS_TEST_TMPDIR/out"
    caisson rm "$name" >/dev/null
    echo "entered $entered times"
    [ "$entered" -gt 2 ] # a machine may be slow, or emulated
    grep -q '^tried [1-9][0-9]* opened 0$' "$BATS_TEST_TMPDIR/out"
    [ "$(program_sums)" = "$before" ]
}

# Seen to fail: without Landlock, below which the program of the engine does not lie,
# /proc/self/exe --version told the version of caisson.
@test "MS-01 /proc/self/exe as the command, or as a script's interpreter, is not the engine" {
    before=$(program_sums)
    tree
    rm "$TREE/bin/sh"
    printf '#!/proc/self/exe\n' >"$TREE/bin/sh"
    chmod 755 "$TREE/bin/sh"
    imported ms01
    for command in /proc/self/exe /bin/sh; do
        rc=0
        out=$(caisson run --rm ms01 "$command" --version 2>/dev/null) || rc=$?
        [[ $rc != 0 && $out != *caisson* ]] || { echo "$command: $rc $out"; return 1; }
    done
    [ "$(program_sums)" = "$before" ]
}

# Seen to fail: with what is granted in the inheritable set as well.
@test "MS-05 nothing is inheritable or ambient, and exec has no more than the container" {
    for words in "" "--level baseline" "--level baseline --cap-add NET_ADMIN" \
        "--user 1000 --level baseline"; do
        name=ms05-$$
        # shellcheck disable=SC2086 # words
        caisson run -d --name "$name" $words busybox sleep 30 >/dev/null
        # shellcheck disable=SC2086
        run=$(caisson run --rm $words busybox cat /proc/self/status)
        exec=$(caisson exec "$name" cat /proc/self/status)
        caisson rm -f "$name" >/dev/null
        for status in "$run" "$exec"; do
            [ "$(status_of CapInh <<<"$status")" = 0000000000000000 ]
            [ "$(status_of CapAmb <<<"$status")" = 0000000000000000 ]
            [ "$(status_of CapBnd <<<"$status")" = "$(status_of CapBnd <<<"$run")" ]
            [ "$(status_of CapEff <<<"$status")" = "$(status_of CapEff <<<"$run")" ]
        done
    done
}

# Seen to fail: without RESOLVE_NO_MAGICLINKS and the look at getcwd(2), exec entered what
# descriptor 7 led to; without close_range(2), the list had 4, 5, 7 and 9 as well.
@test "MS-07 descriptors that we were started with lead nowhere" {
    for dir in /proc/self/fd/7 /proc/self/fd/20 /proc/1/fd/7 /proc/self/fd; do
        rc=0
        out=$(caisson run --rm -w "$dir" --level baseline busybox pwd 7</ 20</ 2>&1) || rc=$?
        [ "$rc" != 0 ] || [[ $out == /proc/* ]]
        [[ $out != / ]]
    done
    tree
    ln -s /proc/self/fd/7 "$TREE/link"
    imported ms07 --change 'WORKDIR /link'
    rc=0
    out=$(caisson run --rm ms07 ls etc/shadow 7</) || rc=$?
    [ "$rc" -ge 125 ]
    # exec --workdir
    name=ms07-$$
    caisson run -d --name "$name" busybox sleep 30 >/dev/null
    rc=0
    caisson exec -w /proc/self/fd/7 "$name" pwd 7</ || rc=$?
    [ "$rc" -ge 125 ]
    # The same without no_new_privs, where the filter comes first and takes openat2(2) away.
    caisson run -d --name "$name-nnp" --security-opt no-new-privileges=false busybox sleep 30 >/dev/null
    [ "$(caisson exec "$name-nnp" pwd)" = / ]
    rc=0
    caisson exec -w /proc/self/fd/7 "$name-nnp" pwd 7</ || rc=$?
    caisson rm -f "$name-nnp" >/dev/null
    [ "$rc" -ge 125 ]
    # 3 is the shell's own, on the directory that it lists.
    list=$(caisson exec "$name" sh -c 'echo /proc/$$/fd/*' 7</ 9</etc/passwd)
    caisson rm -f "$name" >/dev/null
    [[ $list =~ ^/proc/[0-9]+/fd/0\ /proc/[0-9]+/fd/1\ /proc/[0-9]+/fd/2(\ /proc/[0-9]+/fd/3)?$ ]] || { echo "$list"; return 1; }
    list=$(caisson run --rm busybox sh -c 'echo /proc/$$/fd/*' 7</ 9</etc/passwd 20</)
    [[ $list =~ ^/proc/[0-9]+/fd/0\ /proc/[0-9]+/fd/1\ /proc/[0-9]+/fd/2(\ /proc/[0-9]+/fd/3)?$ ]] || { echo "$list"; return 1; }
}

# Seen to fail: without setgroups(2), both on the way in and before the user is taken on.
@test "MS-14 the groups are the user's own and the declared ones, never the caller's" {
    skip_unless_root # who else could come with other groups?
    skip_without setpriv
    tree
    printf 'app:x:1000:1000::/:/bin/sh\n' >>"$TREE/etc/passwd"
    printf 'app:x:1000:\nextra:x:5000:app\nother:x:5001:root\n' >>"$TREE/etc/group"
    mkdir -p "$TREE/secret"
    echo hidden >"$TREE/secret/file"
    chmod 604 "$TREE/secret/file"
    imported ms14 --change 'USER app'
    imported ms14-number --change 'USER 1000'
    from="setpriv --groups 4,24,27"
    [ "$($from caisson run --rm ms14 id -G)" = "1000 5000" ]
    for words in "" "--level baseline"; do
        # shellcheck disable=SC2086 # words
        groups=$($from caisson run --rm $words ms14-number id -G)
        [ "$groups" = "1000 5000" ] || [ "$groups" = 1000 ] || { echo "$groups"; return 1; }
        # shellcheck disable=SC2086
        [ "$($from caisson run --rm $words -u 4242:4243 ms14 id -G)" = 4243 ]
        # shellcheck disable=SC2086
        [ "$($from caisson run --rm $words -u 4242:4243 --group-add 6000 ms14 id -G)" = "4243 6000" ]
    done
    # exec: as run, from another caller.
    name=ms14-$$
    caisson run -d --name "$name" ms14 sleep 30 >/dev/null
    [ "$($from caisson exec "$name" id -G)" = "1000 5000" ]
    [ "$($from caisson exec -u 4242:4243 "$name" id -G)" = 4243 ]
    caisson rm -f "$name" >/dev/null
}

# Seen to fail: with the process dumpable: it was seized, many times, while it was still the
# engine.
@test "MS-24 nobody inside attaches to the engine's set-up stage" {
    name=ms24-$$
    out=$BATS_TEST_TMPDIR/out
    caisson run --name "$name" --level baseline --user 1000:1000 \
        --security-opt seccomp=unconfined --security-opt landlock=off \
        -v "$(escape_helper seize):/seize:ro" busybox /seize 4 /bin/busybox >"$out" &
    runner=$!
    waits 5 caisson exec "$name" true || { wait "$runner"; cat "$out"; return 1; }
    # Root enters to become the user: the stage shares the attacker's id until it executes.
    while caisson exec "$name" true 2>/dev/null; do :; done
    wait "$runner" || true
    cat "$out"
    caisson rm "$name" >/dev/null
    grep -q '^attached [0-9]* early 0$' "$out"
}

# Seen to fail: with nothing done in process_reset_signals().
@test "MS-30 signals that were ignored or blocked when we started are not so inside" {
    cat >"$BATS_TEST_TMPDIR/deaf.py" <<'PYTHON'
import os, signal, sys
for number in (signal.SIGPIPE, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, signal.SIG_IGN)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
# 32 and 33 belong to the C library, which does not let us ignore them: the kernel does.
import ctypes
ignored = (ctypes.c_ulong * 8)(1)
for number in (32, 33):
    ctypes.CDLL(None).syscall(13 if os.uname().machine == "x86_64" else 134, number, ignored, None, 8)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR2, signal.SIGCHLD, 40})
os.execvp(sys.argv[1], sys.argv[1:])
PYTHON
    # Control: without caisson they are inherited.
    own=$(python3 "$BATS_TEST_TMPDIR/deaf.py" cat /proc/self/status)
    [ "$(status_of SigIgn <<<"$own")" != 0000000000000000 ]
    [ "$(status_of SigBlk <<<"$own")" != 0000000000000000 ]
    name=ms30-$$
    python3 "$BATS_TEST_TMPDIR/deaf.py" caisson run -d --name "$name" busybox sleep 30 >/dev/null
    run=$(timeout 20 python3 "$BATS_TEST_TMPDIR/deaf.py" caisson run --rm busybox cat /proc/self/status)
    detached=$(caisson exec "$name" cat /proc/1/status)
    exec=$(timeout 20 python3 "$BATS_TEST_TMPDIR/deaf.py" caisson exec "$name" cat /proc/self/status)
    caisson rm -f "$name" >/dev/null
    for status in "$run" "$detached" "$exec"; do
        [ "$(status_of SigIgn <<<"$status")" = 0000000000000000 ] || { echo "$status"; return 1; }
        [ "$(status_of SigBlk <<<"$status")" = 0000000000000000 ] || { echo "$status"; return 1; }
    done
    # And the exit status arrives although SIGCHLD was ignored.
    rc=0
    timeout 20 python3 "$BATS_TEST_TMPDIR/deaf.py" caisson run --rm busybox sh -c 'exit 7' || rc=$?
    [ "$rc" = 7 ]
}

# Seen to fail: with one descriptor left open for each mask, at the thirteenth.
@test "MS-31 64 descriptors are enough for 200 masked paths" {
    tree
    mkdir "$TREE/many"
    masks=
    for i in $(seq 200); do
        echo visible >"$TREE/many/$i"
        masks+=:/many/$i
    done
    imported ms31
    # Control: without the masks they are visible.
    [ "$(caisson run --rm ms31 sh -c 'cat /many/*' | wc -l)" = 200 ]
    left=$(ulimit -n 64 && caisson run --rm --ulimit nofile=64 \
        --security-opt "mask=${masks#:}" ms31 sh -c 'cat /many/*; echo end')
    [ "$left" = end ]
}

# Seen to fail: with the environment of the container put into ours before the monitor is
# executed.
@test "MS-33 what the image puts into the environment reaches the payload and not the engine" {
    tree
    imported ms33 --change 'ENV LD_PRELOAD=/evil.so' --change 'ENV CAISSON_ROOT=/evil' \
        --change 'ENV PATH=/evil:/bin'
    name=ms33-$$
    caisson run -d --name "$name" ms33 sleep 30 >/dev/null
    [ "$(caisson exec "$name" sh -c 'echo $LD_PRELOAD')" = /evil.so ]
    monitors=0
    for process in /proc/[0-9]*; do
        [ "$(cat "$process/comm" 2>/dev/null)" = caisson-monitor ] || continue
        environment=$(tr '\0' '\n' <"$process/environ" 2>/dev/null) || continue
        if grep -q evil <<<"$environment"; then
            echo "$process: $environment"
            return 1
        fi
        monitors=$((monitors + 1))
    done
    caisson rm -f "$name" >/dev/null
    [ "$monitors" -ge 1 ]
}

# Seen to fail: without reserve_standard_fds() the last error was written into the store's lock.
@test "MS-34 started without standard streams, descriptors do not get confused" {
    for way in '<&-' '>&-' '2>&-' '<&- >&-' '<&- >&- 2>&-'; do
        rm -f "$BATS_TEST_TMPDIR/out"
        eval "caisson run --rm -v '$BATS_TEST_TMPDIR:/out' --user root busybox \
            sh -c 'ls -l /proc/\$\$/fd >/out/out; exit 5' $way" 2>/dev/null || rc=$?
        [ "$rc" = 5 ] || { echo "$way: $rc"; return 1; }
        # Only 0, 1 and 2 (and what the shell itself opened), none a socket or a directory of ours.
        cat "$BATS_TEST_TMPDIR/out"
        [ "$(grep -c 'socket:\|/lib/caisson\|'"$CAISSON_ROOT"'\|anon_inode\|mnt' "$BATS_TEST_TMPDIR/out")" = 0 ]
    done
    # Nor is what we say written into a file of ours that got the number of a stream.
    for way in '<&-' '>&-' '2>&-' '<&- >&-' '<&- 2>&-' '<&- >&- 2>&-'; do
        eval "caisson run --rm nothere true $way" 2>/dev/null || true
        eval "caisson ps -a $way" >/dev/null 2>&1 || true
        [ ! -s "$CAISSON_ROOT/lock" ] || { echo "$way: $(cat "$CAISSON_ROOT/lock")"; return 1; }
    done
}
