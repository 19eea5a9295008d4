#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Being at a container's streams: run -it, start -ai, exec -it, attach, detach keys, terminals that go.
bats_require_minimum_version 1.5.0
load ../lib/common

setup_file() {
    common_setup_file
    skip_without python3
    image
}
teardown_file() { common_teardown_file; }

teardown() {
    local ids
    ids=$(caisson ps -aq)
    # shellcheck disable=SC2086 # one word per id
    [ -z "$ids" ] || caisson rm -f -v $ids >/dev/null
}

terminal() { timeout 60 python3 "$BATS_TEST_DIRNAME/../lib/terminal.py" "$@"; }
state_is() { [ "$(caisson inspect -f '{{.State.Status}}' "$1")" = "$2" ]; }
monitor_of() { sed -n 's/^monitor=//p' "$CAISSON_STATE/containers/$(caisson inspect -f '{{.Id}}' "$1")/status"; }

# ends PID CODE: a job of ours ends with this exit code.
ends() {
    local rc=0
    wait "$1" || rc=$?
    [ "$rc" = "$2" ]
}

# --- terminals ------------------------------------------------------------------------------------

@test "run -it gives a terminal of our size, follows it, and ends with the command's exit code" {
    run -7 terminal "size 31 97" "see \$ " "type stty size\n" "see 31 97" "size 20 50" \
        "type stty size\n" "see 20 50" "type exit 7\n" -- caisson run --rm -it busybox sh -c \
        'while ! stty size >/dev/null 2>&1; do :; done; exec sh'
}

@test "create -it and start -ai give a terminal each time" {
    caisson create -it --name job busybox sh
    for code in 3 4; do
        run -$code terminal "see \$ " "type echo \$((40 + 2)); exit $code\n" "see 42" -- caisson start -ai job
    done
    [ "$(caisson logs job | grep -c '^42')" = 2 ]
}

@test "a container that is started can use its devices" {
    caisson create --name job busybox sh -c 'echo hi >/dev/null && head -c 3 /dev/zero | wc -c && : </dev/ptmx'
    for _ in 1 2; do
        [ "$(caisson start -a job)" = 3 ]
    done
}

@test "the detach keys leave run -it, attach and exec -it, and what was left goes on" {
    run -0 terminal "see \$ " "type A=left\n" "see \$ " "type \x10\x11" "see goes on" -- \
        caisson run -it --name web busybox sh
    state_is web running
    run -0 terminal "type echo \$A-1\n" "see left-1" "type \x10\x11" "see goes on" -- caisson attach web
    run -0 terminal "see \$ " "type sleep 98\n" "pause 0.3" "type \x10\x11" -- caisson exec -it web sh
    state_is web running
    caisson exec web ps | grep -q "sleep 98"
    # What holds the terminal of the process that was left is nothing of the container's.
    run caisson exec web ps
    [[ $output != *caisson*-it* ]]
    caisson stop -t 0 web
}

@test "--detach-keys chooses other keys, or none; wrong ones are refused" {
    run -0 terminal "see \$ " "type echo \x10\x11-\n" "see -" "type \x01d" "see goes on" -- \
        caisson run -it --name web --detach-keys ctrl-a,d busybox sh
    fails 125 '"ctrl-" is no key' caisson run --rm --detach-keys ctrl- busybox true
    fails 1 "is no key" caisson attach --detach-keys ctrl-1 web
    run -0 terminal "pause 0.5" "type a\x10\x11b\x03" "see \$ " "type exit 0\n" -- \
        caisson attach --detach-keys "" web
}

@test "when the terminal is gone the container ends with it: a shell at once, others after a moment" {
    terminal "see \$ " close -- caisson run -it --name shell busybox sh || true
    waits 3 state_is shell exited
    began=$SECONDS
    terminal "pause 0.5" close -- caisson run --rm -it --name deaf busybox sleep 1000 || true
    [ "$((SECONDS - began))" -lt 15 ]
    [ "$(caisson ps -aq | wc -l)" = 1 ]
}

@test "a foreground killed without a word takes its container along, with and without a terminal" {
    terminal "pause 0.5" "kill SIGKILL" -- caisson run -it --name tty busybox sh || true
    waits 3 state_is tty exited
    caisson run --name plain busybox sleep 1000 &
    front=$!
    waits 5 caisson exec plain true
    kill -9 $front
    wait $front || true
    waits 3 state_is plain exited
}

@test "our own terminal is as it was after run -it, however that ended" {
    for ending in "type exit\n" "type \x10\x11" "do caisson kill web" "kill SIGTERM"; do
        terminal "type stty -a >before\n" "pause 0.2" "type caisson run -it --name web busybox sh\n" \
            "see / \$ " "${ending/kill SIGTERM/do kill \$(pgrep -f -- '-it --name web' | head -1); caisson kill web}" \
            "pause 0.5" "type stty -a >after; exit\n" -- \
            sh -c "cd '$BATS_TEST_TMPDIR' && exec sh" >/dev/null || true
        diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
        caisson rm -f web >/dev/null
    done
}

# --- attach ---------------------------------------------------------------------------------------

@test "attach shows both streams from now on, and ends with the container's exit code" {
    caisson run -di --name web busybox sh -c 'echo before; read -r line; echo "out $line"; echo "err $line" >&2; exit 9'
    waits 5 sh -c '[ "$(caisson logs web)" = before ]'
    run -9 --separate-stderr sh -c 'echo now | caisson attach web'
    [ "$output" = "out now" ]
    [ "$stderr" = "err now" ]
}

@test "several may be attached, everyone sees all, and what one types is everybody's" {
    caisson run -di --name web busybox sh -c 'read -r a; seq 1 20000; read -r b'
    for n in 1 2 3; do
        caisson attach --no-stdin web >"$BATS_TEST_TMPDIR/$n" &
    done
    waits 5 sh -c "[ \$(ls /proc/$(monitor_of web)/fd | wc -l) -ge 8 ]"
    (echo; sleep 1; echo) | timeout 20 caisson attach web >"$BATS_TEST_TMPDIR/4"
    wait
    for n in 1 2 3 4; do
        [ "$(wc -l <"$BATS_TEST_TMPDIR/$n")" = 20000 ]
    done
}

@test "who takes nothing is cut off after a while, and meanwhile nothing is lost or kept in memory" {
    caisson run -di --name web busybox sh -c 'read -r a; seq 1 200000; echo done'
    # Attached, and stopped where it stands.
    (exec sh -c 'exec caisson attach --no-stdin web' >/dev/null 2>"$BATS_TEST_TMPDIR/told") &
    slow=$!
    waits 5 sh -c "[ \$(ls /proc/$(monitor_of web)/fd | wc -l) -ge 5 ] && grep -q attach /proc/$slow/cmdline"
    sleep 0.3
    kill -STOP $slow
    echo | timeout 30 caisson attach web >"$BATS_TEST_TMPDIR/out"
    [ "$(tail -n 1 "$BATS_TEST_TMPDIR/out")" = "done" ]
    [ "$(wc -l <"$BATS_TEST_TMPDIR/out")" = 200001 ]
    [ "$(caisson logs web | wc -l)" = 200001 ]
    kill -CONT $slow
    wait $slow || true
    grep -q "cut off" "$BATS_TEST_TMPDIR/told"
}

@test "no more than eight may be attached at a time" {
    caisson run -d --name web busybox sleep 100
    monitor=$(monitor_of web)
    alone=$(find "/proc/$monitor/fd" -mindepth 1 2>/dev/null | wc -l) # 0 where only root may look
    pids=
    for _ in 1 2 3 4 5 6 7 8; do
        caisson attach --no-stdin web &
        pids="$pids $!"
    done
    [ "$alone" = 0 ] && sleep 3 ||
        waits 10 sh -c "[ \$(find /proc/$monitor/fd -mindepth 1 | wc -l) = $((alone + 8)) ]"
    fails 1 "no more can be" caisson attach --no-stdin web
    caisson kill web
    # shellcheck disable=SC2086 # one word per process
    wait $pids || true
}

@test "attach says what cannot be attached to" {
    caisson create --name made busybox true
    fails 1 "is not running; start it with: caisson start -a made" caisson attach made
    fails 1 "no such container" caisson attach nobody
    caisson run --rm --name fore busybox sleep 100 &
    front=$!
    waits 5 caisson exec fore true
    fails 1 "which has its streams to itself" caisson attach fore
    caisson kill fore
    wait $front || true
}

@test "signals at attach go to the container, or with --sig-proxy=false end attach alone" {
    caisson run -d --name web busybox sh -c 'trap "exit 5" USR1; while :; do sleep 0.1; done'
    caisson attach --sig-proxy=false web &
    attached=$!
    sleep 0.5
    kill -TERM $attached
    ends $attached 1
    state_is web running
    caisson attach web &
    attached=$!
    sleep 0.5
    kill -USR1 $attached
    ends $attached 5
}

@test "start -a of a container that runs attaches to it" {
    caisson run -d --name web busybox sh -c 'while [ ! -e /tmp/go ]; do sleep 0.1; done; echo gone; exit 4'
    caisson start -a web >"$BATS_TEST_TMPDIR/out" &
    started=$!
    sleep 0.3
    caisson exec web touch /tmp/go
    ends $started 4
    [ "$(cat "$BATS_TEST_TMPDIR/out")" = gone ]
}

@test "run -a chooses which streams are shown" {
    run -0 --separate-stderr caisson run --rm -a stdout busybox sh -c 'echo out; echo err >&2'
    [ "$output" = out ]
    [ -z "$stderr" ]
    run -0 --separate-stderr caisson run --name kept -a stderr busybox sh -c 'echo out; echo err >&2'
    [ -z "$output" ]
    [ "$stderr" = err ]
    [ "$(caisson logs kept 2>/dev/null)" = out ]
    fails 125 "contradict" caisson run -d -a stdout busybox true
    fails 125 "stdin, stdout or stderr" caisson run -a stdlog busybox true
}

@test "a slow reader of run gets everything, and the log too" {
    caisson run --name web busybox seq 1 100000 | (sleep 1; cat) >"$BATS_TEST_TMPDIR/out"
    [ "$(tail -n 1 "$BATS_TEST_TMPDIR/out")" = 100000 ]
    [ "$(caisson logs web | wc -l)" = 100000 ]
}

@test "a restart policy holds for what was run in the foreground" {
    caisson run --name web --restart on-failure:2 busybox sh -c 'exit 3' || [ $? = 3 ]
    waits 10 sh -c '[ "$(caisson inspect -f "{{.RestartCount}}" web)" = 2 ]'
}

@test "a reader that stops reading does not keep the container from ending, and gets the rest when it goes on" {
    mkfifo "$BATS_TEST_TMPDIR/pipe"
    caisson run --name web busybox sh -c 'seq 1 100000; echo last' >"$BATS_TEST_TMPDIR/pipe" &
    front=$!
    (head -c 10; sleep 12; cat) <"$BATS_TEST_TMPDIR/pipe" >"$BATS_TEST_TMPDIR/read" &
    reader=$!
    waits 5 caisson inspect web
    timeout 10 caisson stop -t 1 web
    [ "$(caisson inspect -f '{{.State.Running}}' web)" = false ]
    wait $reader
    wait $front || true
    # All that it printed until it was stopped, which may have been in the middle of a line; and the log too.
    awk '$1 != NR { exit wrong = 1 } END { exit wrong }' <(sed '$d' "$BATS_TEST_TMPDIR/read")
    [ "$(wc -l <"$BATS_TEST_TMPDIR/read")" -gt 1000 ]
    caisson logs web | cmp - "$BATS_TEST_TMPDIR/read"
}

@test "whoever cleans up after a container of the foreground can be stopped as anybody" {
    caisson run --name web busybox sleep 100 &
    front=$!
    waits 5 caisson exec web true
    monitor=$(monitor_of web)
    grep -q '^SigBlk:[[:space:]]*0*$' "/proc/$monitor/status"
    caisson kill web
    wait $front || true
}
