#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Health checks: the monitor's clock, what counts, what is shown.
bats_require_minimum_version 1.5.0
load ../lib/common

setup_file() {
    common_setup_file
    image
    mkdir "$BATS_FILE_TMPDIR/tree"
    echo x >"$BATS_FILE_TMPDIR/tree/file"
}
teardown_file() { common_teardown_file; }

teardown() {
    local ids
    ids=$(caisson ps -aq)
    # shellcheck disable=SC2086 # one word per id
    [ -z "$ids" ] || caisson rm -f -v $ids >/dev/null
}

health_of() { caisson inspect -f '{{.State.Health.Status}}' "$1"; }
is() { [ "$(health_of "$1")" = "$2" ]; }
streak() { [ "$(caisson inspect -f '{{.State.Health.FailingStreak}}' "$1")" -ge "$2" ]; }

@test "a check that succeeds makes healthy, one that fails often enough unhealthy, and back" {
    caisson run -d --name web --health-cmd 'test -e /tmp/well && echo fine || { echo ill; exit 3; }' \
        --health-interval 100ms --health-retries 3 busybox sleep 100
    is web starting
    [[ $(caisson ps --format '{{.Status}}') == *"(health: starting)" ]]
    waits 20 is web unhealthy
    [[ $(caisson ps --format '{{.Status}}') == *"(unhealthy)" ]]
    streak web 3
    caisson exec web touch /tmp/well
    waits 20 is web healthy
    [[ $(caisson ps --format '{{.Status}}') == *"(healthy)" ]]
    caisson inspect web | python3 -c '
import json, sys
health = json.load(sys.stdin)[0]["State"]["Health"]
assert health["FailingStreak"] == 0, health
assert 1 <= len(health["Log"]) <= 5, health
last = health["Log"][-1]
assert last["ExitCode"] == 0 and last["Output"] == "fine\n" and last["Start"] < last["End"], last'
}

@test "a check that takes too long is killed, inside too, and has failed" {
    caisson run -d --name web --health-cmd 'sleep 1234' --health-interval 100ms --health-timeout 200ms \
        --health-retries 1 busybox sleep 100
    waits 20 is web unhealthy
    caisson inspect -f '{{json .State.Health.Log}}' web | grep -q 'exceeded timeout'
    if has_groups; then # no further check can begin
        caisson pause web
        caisson unpause web
    fi
    [ "$(caisson top web | grep -c 'sleep 1234')" -le 1 ]
}

@test "failures do not count while it starts, and output is cut" {
    caisson run -d --name web --health-cmd 'yes | head -c 100000; exit 1' --health-interval 100ms \
        --health-start-interval 100ms --health-start-period 1h --health-retries 1 busybox sleep 100
    waits 20 sh -c '[ "$(caisson inspect -f "{{len .State.Health.Log}}" web)" -ge 3 ]'
    is web starting
    [ "$(caisson inspect -f '{{.State.Health.FailingStreak}}' web)" = 0 ]
    caisson inspect web | python3 -c '
import json, sys
log = json.load(sys.stdin)[0]["State"]["Health"]["Log"]
assert all(len(entry["Output"]) == 4096 for entry in log), [len(e["Output"]) for e in log]'
}

@test "an image's check is used, --no-healthcheck leaves it out, a restart begins anew" {
    tar -C "$BATS_FILE_TMPDIR/tree" -c . | caisson import -c 'HEALTHCHECK --interval=100ms CMD exit 0' - ill >/dev/null
    caisson run --dry-run --format json ill true | python3 -c '
import json, sys
assert json.load(sys.stdin)["caisson"]["health"]["test"] == ["CMD-SHELL", "exit 0"]'
    caisson run --dry-run --format json --no-healthcheck ill true | python3 -c '
import json, sys
assert not json.load(sys.stdin)["caisson"].get("health", {}).get("test")'
    caisson run -d --name web --health-cmd true --health-interval 300ms busybox sleep 100
    waits 20 is web healthy
    caisson restart -t 0 web
    is web starting
    waits 20 is web healthy
}

# Seen to fail: the whole state was "none" from then on.
@test "a check may print any bytes" {
    caisson run -d --name web --health-cmd 'printf "a\\000b\\377\\033[2J"; exit 1' --health-interval 100ms \
        --health-retries 2 busybox sleep 100
    waits 20 is web unhealthy
    caisson inspect web | python3 -c '
import json, sys
entry = json.load(sys.stdin)[0]["State"]["Health"]["Log"][-1]
assert entry["Output"] == "a\ufffdb\ufffd\x1b[2J", entry'
}

# Seen to fail: a check every nanosecond took a processor of the host, and one with a timeout to the
# end of time was over before it began.
@test "an image cannot ask for a check more often than once a second, and times do not overflow" {
    tar -C "$BATS_FILE_TMPDIR/tree" -c . |
        caisson import -c 'HEALTHCHECK --interval=1ns --start-interval=1ns --timeout=2562047h --start-period=2562047h CMD exit 0' - often >/dev/null
    caisson run --dry-run --format json often true | python3 -c '
import json, sys
health = json.load(sys.stdin)["caisson"]["health"]
assert health["interval"] == health["start_interval"] == 10**9, health
assert health["timeout"] == health["start_period"] == 366 * 24 * 3600 * 10**9, health'
    caisson run --dry-run --format json --health-interval 5ms often true | grep -q '"interval": *5000000\b'
    caisson run -d --name web --health-cmd true --health-interval 100ms --health-timeout 2562047h busybox sleep 100
    waits 20 is web healthy
}

@test "checks end with the container, and wrong words are refused" {
    caisson run -d --name web --health-cmd 'sleep 0.1' --health-interval 50ms busybox sleep 100
    waits 20 is web healthy
    caisson stop -t 0 web
    [[ $(caisson ps -a --format '{{.Status}}') == "Exited"* ]]
    run -125 caisson run -d --health-cmd true --health-interval 1us busybox true
    [[ $output == *"--health-interval"* ]]
    run -125 caisson run -d --health-interval 1s busybox true
    [[ $output == *"--health-cmd"* ]]
    run -125 caisson run -d --no-healthcheck --health-cmd true busybox true
    caisson run --name seen --health-cmd true busybox true # in the foreground, too
}
