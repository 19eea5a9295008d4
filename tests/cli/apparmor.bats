#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# AppArmor: the profile in force is the one that the posture names. Needs a kernel with AppArmor on.
load ../lib/common

usable() {
    [ "$(id -u)" = 0 ] && [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ] &&
        command -v apparmor_parser >/dev/null
}

setup_file() {
    common_setup_file
    usable || return 0
    image
    export PROFILE=$BATS_TEST_DIRNAME/../../data/apparmor/caisson-default
    export OTHER=$BATS_FILE_TMPDIR/other
    cat >"$OTHER" <<'END'
profile caisson-test-other flags=(attach_disconnected) {
  file,
  deny /etc/passwd r,
}
END
    apparmor_parser -r -K "$OTHER"
}

setup() {
    usable || skip "needs root, and AppArmor on"
}

teardown_file() {
    [ ! -e "${OTHER:-}" ] || apparmor_parser -R "$OTHER"
    common_teardown_file
}

loaded() { apparmor_parser -r -K "$PROFILE"; }
not_loaded() { apparmor_parser -R "$PROFILE" 2>/dev/null || true; }

# The container's own label: "PROFILE (enforce)" or "unconfined".
label() { caisson run --rm "$@" busybox cat /proc/self/attr/current; }

posture() { caisson run --dry-run "$@" busybox true | grep '^  apparmor '; }

@test "the default profile is in force at restricted and baseline once it is loaded" {
    loaded
    [ "$(label)" = "caisson-default (enforce)" ]
    [ "$(label --level baseline)" = "caisson-default (enforce)" ]
    [[ $(posture) == *"caisson-default  [--security-opt apparmor=unconfined]" ]]
    caisson info | grep "apparmor .*yes on, with the profile caisson-default"
}

@test "privileged runs unconfined" {
    loaded
    [ "$(label --privileged)" = unconfined ]
    [[ $(posture --privileged) != *relaxed* ]]
}

@test "apparmor=unconfined turns it off, and the posture says so" {
    loaded
    [ "$(label --security-opt apparmor=unconfined)" = unconfined ]
    [[ $(posture --security-opt apparmor=unconfined) == *"unconfined  (relaxed)"* ]]
}

@test "where the default profile is not loaded containers run, and the posture says why not" {
    not_loaded
    [ "$(label)" = unconfined ]
    [[ $(posture) == *"off — not caisson-default: the profile is not loaded: apparmor_parser -r "* ]]
    caisson info | grep "apparmor .*the profile caisson-default is not loaded"
}

@test "a profile asked for is in force, for exec too, and inspect names it" {
    run caisson run --rm --security-opt apparmor=caisson-test-other busybox cat /proc/self/attr/current /etc/passwd
    [[ $output == *"caisson-test-other (enforce)"* ]]
    [[ $output == *"Permission denied"* ]]
    caisson run -d --name other --security-opt apparmor=caisson-test-other busybox sleep 100
    [ "$(caisson exec other cat /proc/self/attr/current)" = "caisson-test-other (enforce)" ]
    [ "$(cat "/proc/$(caisson inspect -f '{{.State.Pid}}' other)/attr/current")" = "caisson-test-other (enforce)" ]
    [ "$(caisson inspect -f '{{.AppArmorProfile}}' other)" = caisson-test-other ]
    [[ $(caisson inspect -f '{{json .HostConfig.SecurityOpt}}' other) == *'"apparmor=caisson-test-other"'* ]]
    # The profile lets nobody signal the container; it is ended all the same.
    caisson rm -f other
    [ -z "$(caisson ps -aqf name=other)" ]
}

@test "a profile that is not loaded is refused by name" {
    fails 125 "AppArmor profile no-such-profile is not loaded" \
        caisson run --rm --security-opt apparmor=no-such-profile busybox true
}

@test "a container whose profile has gone does not start unconfined" {
    loaded
    caisson create --name gone busybox true
    not_loaded
    fails 125 "AppArmor profile caisson-default is not loaded" caisson start -a gone
    loaded
    caisson start -a gone
    caisson rm -f gone
}

@test "the default profile denies writes to the kernel's switches when all else is open" {
    loaded
    open="--userns host --cap-add ALL --cap-drop SYS_ADMIN --security-opt systempaths=unconfined --security-opt seccomp=unconfined --security-opt landlock=off"
    # shellcheck disable=SC2086 # words
    run caisson run --rm -u root $open busybox sh -c 'cat /proc/self/attr/current; echo >/proc/sysrq-trigger'
    [[ $output == *"caisson-default (enforce)"* ]]
    [[ $output == *"Permission denied"* ]]
    # shellcheck disable=SC2086
    run caisson run --rm -u root $open busybox sh -c 'cat /proc/sys/kernel/core_pattern >/dev/null && echo "|/x" >/proc/sys/kernel/core_pattern'
    [ "$status" != 0 ]
    [[ $(cat /proc/sys/kernel/core_pattern) != "|/x" ]]
}

@test "under the profile a container still dies with its foreground command" {
    loaded
    caisson run --rm --name orphan busybox sleep 1000 &
    front=$!
    waits 30 caisson exec orphan true
    pid=$(caisson inspect --format '{{.State.Pid}}' orphan)
    [ "$(cat "/proc/$pid/attr/current")" = "caisson-default (enforce)" ]
    kill -9 $front
    waits 30 sh -c "! kill -0 $pid"
    caisson rm -f orphan >/dev/null 2>&1 || true
}

@test "the host signals containers under the profile: stop ends one at once" {
    loaded
    caisson run -d --name stops busybox sh -c 'trap "exit 7" TERM; while :; do sleep 0.1; done'
    caisson stop -t 30 stops
    [ "$(caisson inspect -f '{{.State.ExitCode}}' stops)" = 7 ]
    caisson rm -f stops
}
