#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a container's root can be in a bind mount: the person who ran it, and nobody else of the host.
load ../lib/common

setup_file() {
    common_setup_file
    image
    export SUDO_UID=1000 SUDO_GID=1000
}
teardown_file() { common_teardown_file; }

@test "root inside makes no setuid file of the host's root, nor one of any other id of the host" {
    skip_unless_root # nobody else's files could be bound
    mkdir "$BATS_TEST_TMPDIR/bind"
    chown 1000:1000 "$BATS_TEST_TMPDIR/bind"
    caisson run --rm --level baseline -v "$BATS_TEST_TMPDIR/bind:/bind" busybox sh -c '
        for id in 0 6 1000 65535; do
            echo x >/bind/$id && chown $id:$id /bind/$id && chmod 6755 /bind/$id || exit
        done'
    cd "$BATS_TEST_TMPDIR/bind"
    [ "$(stat -c %u:%g 0)" = 1000:1000 ]
    local id uid gid
    for id in 6 1000 65535; do
        IFS=: read -r uid gid <<<"$(stat -c %u:%g "$id")"
        [ "$uid" -gt 65536 ]
        [ "$gid" = "$uid" ]
    done
    # From run to run they are the same.
    run caisson run --rm --level baseline -v "$PWD:/bind" busybox stat -c %u:%g \
        /bind/0 /bind/6 /bind/1000 /bind/65535
    [ "$output" = $'0:0\n6:6\n1000:1000\n65535:65535' ]
}

@test "root inside reads no file of the host's root in the bind of somebody else" {
    skip_unless_root # nobody else's files could be bound
    mkdir "$BATS_TEST_TMPDIR/bind"
    echo secret >"$BATS_TEST_TMPDIR/bind/file"
    chmod 600 "$BATS_TEST_TMPDIR/bind/file"
    fails 1 "Permission denied" caisson run --rm --level baseline \
        -v "$BATS_TEST_TMPDIR/bind:/bind" busybox cat /bind/file
}
