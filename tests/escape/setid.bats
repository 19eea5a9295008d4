#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A bind mount of root's is mapped so that what the container's user makes there is root's on the
# host: a set-user-ID file would make everybody on the host root. The mount is nosuid, but only
# inside. So the filter of system calls refuses such modes, call by call (lib/setid.c).
#
# Seen to fail: with the lists of calls as they were before, every user- and group- line of the
# first and third test but "capability" and those of 32-bit programs said "made", and the files were
# there. The second test shows the same with the filter off.
load ../lib/common

setup_file() {
    common_setup_file
    unset SUDO_UID SUDO_GID
    image
}
teardown_file() { common_teardown_file; }

setup() {
    BIND=$BATS_TEST_TMPDIR/bind
    TABLE=$BATS_TEST_TMPDIR/table
    mkdir "$BIND"
    SETID=$CAISSON_BUILD/tests/escape-setid
}

# setid OPTION...: the helper's table, and in BIND what it could make.
setid() {
    rm -rf "${BIND:?}"/*
    caisson run --rm -v "$BIND:/bind" -v "$SETID:/setid:ro" "$@" busybox /setid /bind >"$TABLE"
    cat "$TABLE"
}

# Programs work as ever: what is not there for them (calls that this processor or kernel lacks, those
# of 32-bit programs, openat2) has an older twin.
plain_files_are_made() {
    [ "$(grep -c '^plain-.*	made$' "$TABLE")" -ge 7 ]
    ! grep '^plain-.*	refused' "$TABLE" | grep -v 'ENOSYS$\|SIGSYS$' || false
}

host_sees_none() {
    [ -z "$(find "$BIND" -perm /6000)" ]
    [ -z "$(getcap -r "$BIND" 2>/dev/null)" ]
}

@test "restricted: no call makes a setuid, setgid or capable file in root's bind mount" {
    setid
    [ "$(grep -c '^\(user\|group\)-.*	refused' "$TABLE")" -gt 25 ]
    [ "$(grep -c '^\(user\|group\)-.*	made' "$TABLE")" = 0 ]
    plain_files_are_made
    host_sees_none
    # A process that entered later has the same filter.
    caisson run -d --name setid -v "$BIND:/bind" -v "$SETID:/setid:ro" busybox sleep 60 >/dev/null
    rm -rf "${BIND:?}"/*
    caisson exec setid /setid /bind >"$TABLE"
    caisson rm -f setid >/dev/null
    plain_files_are_made
    host_sees_none
}

@test "without the filter the same calls make them: it is the filter that stands there" {
    setid --security-opt seccomp=unconfined
    local way
    while read -r way; do
        grep -q "^user-$way	made" "$TABLE"
        [ "$(stat -c '%a %u' "$BIND/user-$way")" = "4755 $(own_id)" ]
        grep -q "^group-$way	made" "$TABLE"
        [ "$(stat -c '%a %g' "$BIND/group-$way")" = "2755 $(id -g)" ]
    done < <(sed -n 's/^plain-\(.*\)	made$/\1/p' "$TABLE" | grep -v capability)
    # This one is refused by the kernel, for want of CAP_SETFCAP.
    grep -q '^user-capability	refused EPERM' "$TABLE"
}

@test "baseline: the same once the two capabilities for it are dropped" {
    setid --level baseline --cap-drop FSETID --cap-drop SETFCAP
    [ "$(grep -c '^\(user\|group\)-.*	made' "$TABLE")" = 0 ]
    plain_files_are_made
    host_sees_none
}

@test "with CAP_FSETID package managers get the modes that they ask for, at either level" {
    for words in "--cap-add FSETID" "--level baseline"; do
        # shellcheck disable=SC2086 # words
        setid $words
        [ "$(grep -c '^\(user\|group\)-.*	made' "$TABLE")" -ge 14 ]
        # Inside, the mount gives nothing for it.
        # shellcheck disable=SC2086
        caisson run --rm $words -v "$BIND:/bind" busybox grep ' /bind .*nosuid' /proc/self/mountinfo
    done
}
