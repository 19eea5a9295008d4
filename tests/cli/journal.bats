#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# --log-driver journald: what is sent to the journal, what becomes of it when there is none, and
# logs, which reads it back. Root has a journal of its own in a mount namespace of its own, an
# ordinary user the machine's, where there is one.
bats_require_minimum_version 1.5.0
load ../lib/common

SOCKET=/run/systemd/journal/socket

setup_file() {
    common_setup_file
    image
    [ "$(id -u)" = 0 ] || return 0
    # A /run that nobody else sees, for as long as this process lives.
    # shellcheck disable=SC2016 # expanded inside
    unshare --mount --propagation private sh -c '
        mount -t tmpfs run /run &&
        mkdir -p /run/systemd/journal /run/systemd/journald.conf.d /run/log/journal &&
        printf "[Journal]\nAudit=\nReadKMsg=no\nStorage=volatile\nRateLimitIntervalSec=0\n" >/run/systemd/journald.conf.d/test.conf &&
        : >"$1/there" && exec sleep 1000' sh "$BATS_FILE_TMPDIR" 3>&- &
    echo $! >"$BATS_FILE_TMPDIR/holder"
    waits 5 test -e "$BATS_FILE_TMPDIR/there"
}

teardown_file() {
    [ ! -e "$BATS_FILE_TMPDIR/holder" ] || kill "$(cat "$BATS_FILE_TMPDIR/holder")"
    common_teardown_file
}

teardown() {
    local ids
    ids=$(caisson ps -aq)
    # shellcheck disable=SC2086 # one word per id
    [ -z "$ids" ] || caisson rm -f -v $ids >/dev/null
    end_journal
}

# inside COMMAND...: where our /run is.
inside() {
    if [ "$(id -u)" = 0 ]; then
        nsenter --mount --target "$(cat "$BATS_FILE_TMPDIR/holder")" -- "$@"
    else
        "$@"
    fi
}

# listens COMMAND...: until end_journal.
listens() {
    # shellcheck disable=SC2016 # expanded inside
    inside sh -c 'echo $$ >"$0" && exec "$@"' "$BATS_TEST_TMPDIR/journal" "$@" >"$BATS_TEST_TMPDIR/said" 2>&1 3>&- &
}

# has_journal: the real one.
has_journal() {
    [ -x /usr/bin/journalctl ] || skip "needs systemd's journal"
    if [ "$(id -u)" != 0 ]; then
        if ! [ -S $SOCKET ] || ! journalctl -n 1 -q >/dev/null 2>&1; then
            skip "needs a journal that this user may read"
        fi
        return
    fi
    [ -x /lib/systemd/systemd-journald ] || skip "needs systemd's journal"
    listens /lib/systemd/systemd-journald
    waits 10 inside test -S $SOCKET
}

# has_stand_in: what is sent, as lines of JSON in $BATS_TEST_TMPDIR/sent.
has_stand_in() {
    skip_unless_root
    listens python3 "$BATS_TEST_DIRNAME/../lib/journal.py" $SOCKET "$BATS_TEST_TMPDIR/sent"
    waits 10 inside test -S $SOCKET
}

end_journal() {
    [ -e "$BATS_TEST_TMPDIR/journal" ] || return 0
    local pid
    pid=$(cat "$BATS_TEST_TMPDIR/journal")
    kill "$pid"
    kill -CONT "$pid" 2>/dev/null || true
    waits 10 sh -c "! kill -0 $pid"
    inside sh -c 'rm -rf /run/systemd/journal/* /run/log/journal/*'
    rm -f "$BATS_TEST_TMPDIR/journal"
}

# sent EXPRESSION: evaluates it in Python, `sent` being the list of messages.
sent() {
    python3 - "$BATS_TEST_TMPDIR/sent" "$1" <<'P'
import json, sys
sent = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
def value(message, name):
    values = message["fields"].get(name, [])
    return values[0]["value"] if values else None
if not eval(sys.argv[2]):
    sys.exit(f"not so: {sys.argv[2]}\n" + "\n".join(map(str, sent[:5])))
P
}

# --- what is sent ---------------------------------------------------------------------------------

@test "each line is a message with Docker's fields, of the priority of its stream" {
    has_stand_in
    inside caisson run --name web --log-driver journald busybox sh -c 'echo one; echo two >&2; printf end'
    waits 5 sent 'len(sent) == 3'
    id=$(caisson inspect -f '{{.Id}}' web)
    sent "all(value(m, 'CONTAINER_ID_FULL') == '$id' for m in sent)"
    sent "all(value(m, 'CONTAINER_ID') == value(m, 'CONTAINER_TAG') == value(m, 'SYSLOG_IDENTIFIER') == '${id:0:12}' for m in sent)"
    sent 'all(value(m, "CONTAINER_NAME") == "web" and "busybox" in value(m, "IMAGE_NAME") for m in sent)'
    sent 'sorted((value(m, "MESSAGE"), value(m, "PRIORITY"), value(m, "CONTAINER_PARTIAL_MESSAGE")) for m in sent) == [("end", "6", "true"), ("one", "6", None), ("two", "3", None)]'
    sent 'all(value(m, "SYSLOG_TIMESTAMP").startswith("20") and m["uid"] == 0 for m in sent)'
}

@test "a tag, labels and variables become fields, and none takes the place of ours" {
    has_stand_in
    inside caisson run --rm --name web --log-driver journald --log-opt 'tag={{.Name}}/{{ .ID }}' \
        --log-opt labels=org.role,_pid,message,container.id,priority,9lives --log-opt env=GREETING,NOTHING \
        -l org.role=front -l _pid=1 -l message=forged -l container.id=forged -l priority=0 -l 9lives=x -l other=hidden \
        -e GREETING="$(printf 'hello\nMESSAGE=forged')" -e OTHER=hidden busybox echo said
    waits 5 sent 'len(sent) == 1'
    sent 'value(sent[0], "SYSLOG_IDENTIFIER").startswith("web/")'
    sent 'value(sent[0], "ORG_ROLE") == "front" and value(sent[0], "PID") == "1"'
    sent '[f["value"] for f in sent[0]["fields"]["MESSAGE"]] == ["said"] and value(sent[0], "PRIORITY") == "6"'
    sent 'sent[0]["fields"]["GREETING"] == [{"how": "binary", "value": "hello\nMESSAGE=forged", "raw": "aGVsbG8KTUVTU0FHRT1mb3JnZWQ="}]'
    sent 'not any(name.startswith("_") or name in ("9LIVES", "OTHER", "NOTHING") for name in sent[0]["fields"])'
    sent 'not any("forged" in f["value"] for n, v in sent[0]["fields"].items() if n != "GREETING" for f in v)'
}

@test "what a container prints begins no field, and a long line comes in parts" {
    has_stand_in
    inside caisson run --rm --log-driver journald busybox sh -c 'printf "a\0b\rPRIORITY=0\377\n\n"; head -c 40000 /dev/zero | tr "\0" x; echo' >/dev/null
    waits 5 sent 'len(sent) == 5'
    sent 'sent[0]["fields"]["MESSAGE"][0]["raw"] == "YQBiDVBSSU9SSVRZPTD/" and len(sent[0]["fields"]["PRIORITY"]) == 1'
    sent 'value(sent[1], "MESSAGE") == "" and value(sent[1], "CONTAINER_PARTIAL_MESSAGE") is None'
    sent '[(len(value(m, "MESSAGE")), value(m, "CONTAINER_PARTIAL_MESSAGE")) for m in sent[2:]] == [(16384, "true"), (16384, "true"), (7232, None)]'
}

# --- no journal -----------------------------------------------------------------------------------

@test "without a journal nothing is started, and the way out is told" {
    [ "$(id -u)" = 0 ] || [ ! -S $SOCKET ] || skip "there is one"
    fails 125 "--log-driver json-file" inside caisson run --name web --log-driver journald busybox touch /tmp/ran
    fails 125 "cannot reach the journal" inside caisson run --rm --log-driver journald busybox true
    inside caisson create --name made --log-driver journald busybox true
    fails 125 "--log-driver json-file" inside caisson start made
    caisson create --name unborn --log-driver journald busybox true
    fails 1 "not been started" inside caisson logs unborn
}

@test "a journal that goes away neither ends nor holds a container, and what is lost is told; one that comes back is found" {
    has_stand_in
    inside caisson run -d --name web --log-driver journald busybox sh -c 'echo first; until [ -e /tmp/go ]; do sleep 0.05; done; seq 3000; touch /tmp/done; until [ -e /tmp/last ]; do sleep 0.05; done; echo last'
    waits 5 sent 'len(sent) == 1'
    end_journal
    caisson exec web touch /tmp/go
    waits 10 caisson exec web test -e /tmp/done
    has_stand_in
    caisson exec web touch /tmp/last
    [ "$(caisson wait web)" = 0 ]
    waits 5 sent 'value(sent[-1], "MESSAGE") == "last"'
    lost=$(inside caisson logs web 2>&1 >/dev/null)
    [[ $lost == *"3000 lines of container web are missing"* ]]
}

@test "a journal that stands still holds a container for a second, and not for each line" {
    has_stand_in
    inside caisson run -d --name web --log-driver journald busybox sh -c 'echo first; until [ -e /tmp/go ]; do sleep 0.05; done; seq 100000'
    waits 5 sent 'len(sent) == 1'
    kill -STOP "$(cat "$BATS_TEST_TMPDIR/journal")"
    caisson exec web touch /tmp/go
    [ "$(timeout 30 caisson wait web)" = 0 ]
    kill -CONT "$(cat "$BATS_TEST_TMPDIR/journal")"
    [[ $(inside caisson logs web 2>&1 >/dev/null) == *"lines of container web are missing"* ]]
}

@test "a journal that is only slow loses nothing" {
    has_stand_in
    # More than its socket holds (max_dgram_qlen), and little for a second of a busy machine.
    inside caisson run --rm --log-driver journald busybox seq 600 >/dev/null
    waits 5 sent 'len(sent) == 600'
    sent '[int(value(m, "MESSAGE")) for m in sent] == list(range(1, 601))'
}

# --- options --------------------------------------------------------------------------------------

@test "options of files are refused for the journal by name, unknown ones and words of a tag too" {
    fails 125 "max-size=1m: --log-driver journald knows tag=" caisson run --log-driver journald --log-opt max-size=1m busybox true
    fails 125 "max-file=2" caisson run --log-driver journald --log-opt max-file=2 busybox true
    fails 125 "knows max-size" caisson run --log-opt tag=x busybox true
    fails 125 "{{.Colour}}: known are" caisson run --log-driver journald --log-opt 'tag={{.Colour}}' busybox true
    fails 125 "known are" caisson run --log-driver journald --log-opt 'tag={{.ID' busybox true
    fails 125 "journald" caisson run --log-driver syslog busybox true
    caisson create --name web --log-driver journald --log-opt 'tag=x{{.ID}}' --log-opt labels=a,b busybox true
    [ "$(caisson inspect -f '{{.HostConfig.LogConfig.Type}} {{.HostConfig.LogConfig.Config.tag}} {{.HostConfig.LogConfig.Config.labels}} {{.LogPath}}' web)" = "journald x{{.ID}} a,b " ]
}

# --- logs -----------------------------------------------------------------------------------------

@test "logs keeps the streams apart, tails, stamps, and chooses by time" {
    has_journal
    inside caisson run --name web --log-driver journald busybox sh -c 'for i in 1 2 3; do echo out $i; echo err $i >&2; sleep 0.02; done; printf "a\tb\377\n\nend"' >/dev/null 2>&1
    inside caisson logs web >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err"
    printf 'out 1\nout 2\nout 3\na\tb\377\n\nend' | cmp - "$BATS_TEST_TMPDIR/out"
    printf 'err 1\nerr 2\nerr 3\n' | cmp - "$BATS_TEST_TMPDIR/err"
    [ "$(inside caisson logs -n 1 web 2>&1)" = end ]
    [ "$(inside caisson logs -n 4 web 2>&1 | head -1)" = "err 3" ]
    [ "$(inside caisson logs -n 0 web 2>&1)" = "" ]
    [ "$(inside caisson logs -n 1000 web 2>&1 | wc -l)" = 8 ]
    [ "$(inside caisson logs -t -n 1 web | cut -c1-2)" = 20 ]
    [ "$(inside caisson logs --until 1h web 2>&1)" = "" ]
    [ "$(inside caisson logs --since 1h web 2>&1 | wc -l)" = 8 ]
    third=$(inside caisson logs -t web | sed -n 's/ out 3$//p')
    [ "$(inside caisson logs --since "$third" web 2>/dev/null | head -1)" = "out 3" ]
    [ "$(inside caisson logs --until "$third" -n 1 web 2>/dev/null)" = "out 3" ]
}

@test "logs puts a long line together again, and counts it as one" {
    has_journal
    inside caisson run --name web --log-driver journald busybox sh -c 'echo before; head -c 100000 /dev/zero | tr "\0" x; echo; echo after' >/dev/null
    [ "$(inside caisson logs web | wc -lc | xargs)" = "3 100014" ]
    [ "$(inside caisson logs -n 2 web | wc -lc | xargs)" = "2 100007" ]
}

@test "logs follows to the end, from where it was asked to" {
    has_journal
    inside caisson run -d --name web --log-driver journald busybox sh -c 'echo early; until [ -e /tmp/go ]; do sleep 0.05; done; seq 200; sleep 0.3; echo last'
    local followers=()
    for lines in all 0; do
        inside timeout 20 caisson logs -f -n $lines web >"$BATS_TEST_TMPDIR/$lines" 3>&- &
        followers+=($!)
    done
    waits 5 grep -q early "$BATS_TEST_TMPDIR/all"
    sleep 0.5
    caisson exec web touch /tmp/go
    wait "${followers[@]}"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/all")" = 202 ]
    [ "$(tail -1 "$BATS_TEST_TMPDIR/all")" = last ]
    [ "$(head -1 "$BATS_TEST_TMPDIR/0")" = 1 ]
    [ "$(tail -1 "$BATS_TEST_TMPDIR/0")" = last ]
    inside caisson logs web | head -1 | grep -qx early
}

@test "messages that another user sends in a container's name are not its log" {
    has_journal
    skip_unless_root
    inside caisson run --name web --log-driver journald busybox echo true
    id=$(caisson inspect -f '{{.Id}}' web)
    inside python3 -c '
import os, socket, sys
os.setuid(65534)
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.connect("/run/systemd/journal/socket")
journal.send(f"PRIORITY=6\nCONTAINER_ID_FULL={sys.argv[1]}\nMESSAGE=forged\n".encode())' "$id"
    inside journalctl --sync
    inside journalctl -q "CONTAINER_ID_FULL=$id" | grep -q forged
    [ "$(inside caisson logs web)" = true ]
}

@test "logs without journalctl says what is missing" {
    has_stand_in
    inside caisson run --name web --log-driver journald busybox echo hi
    mkdir -p "$BATS_TEST_TMPDIR/empty"
    fails 1 "/usr/bin/journalctl is missing" inside unshare --mount --propagation private sh -c \
        "mount --bind '$BATS_TEST_TMPDIR/empty' /usr/bin && exec '$CAISSON_BUILD/caisson' logs web"
}
