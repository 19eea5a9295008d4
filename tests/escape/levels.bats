#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The payload (attack.c) at each level, held to a table of what it may reach. That each attempt can
# succeed is seen at privileged, where the same program reports SUCCEEDED for most of them.
load ../lib/common

setup_file() {
    common_setup_file
    image
    # The same image with the payload in it, once as everybody's and once setuid root.
    mkdir -p "$BATS_FILE_TMPDIR/tree/usr/bin" "$BATS_FILE_TMPDIR/tree/bin"
    cp "$CAISSON_BUILD/tests/attack" "$BATS_FILE_TMPDIR/tree/bin/attack"
    cp "$CAISSON_BUILD/tests/attack" "$BATS_FILE_TMPDIR/tree/usr/bin/attack-setuid"
    chmod 4755 "$BATS_FILE_TMPDIR/tree/usr/bin/attack-setuid"
    cp /bin/busybox "$BATS_FILE_TMPDIR/tree/bin/busybox"
    ln -s busybox "$BATS_FILE_TMPDIR/tree/bin/sh"
    mkdir -p "$BATS_FILE_TMPDIR/tree/"{tmp,etc,var/tmp,home,run}
    chmod 1777 "$BATS_FILE_TMPDIR/tree/tmp" "$BATS_FILE_TMPDIR/tree/var/tmp"
    tar -C "$BATS_FILE_TMPDIR/tree" --owner=0 --group=0 --numeric-owner -c . |
        caisson import - attack >/dev/null
    echo "of the host" >"$BATS_FILE_TMPDIR/canary"
}
teardown_file() { common_teardown_file; }

attack() {
    local level=$1
    shift
    caisson run --rm --level "$level" --memory 192m --pids-limit 128 attack attack \
        --network "$(readlink /proc/self/ns/net)" --canary "$BATS_FILE_TMPDIR/canary" --store "$CAISSON_ROOT" --disk 33554432 "$@"
}

# held LEVEL: the table on standard input (name, allowed outcomes separated by |) is what LEVEL gives.
held() {
    local level=$1 table=$2 name allowed outcome wrong=0
    [ "$(wc -l <"$table")" -gt 30 ]
    while read -r name allowed; do
        outcome=$(awk -F'\t' -v name="$name" '$1 == name {print $2}' "$table")
        if [[ "|$allowed|" != *"|$outcome|"* ]]; then
            echo "$level: $name is \"$outcome\", expected $allowed"
            grep -P "^$name\t" "$table" || echo "(not in the table)"
            wrong=1
        fi
    done
    return $wrong
}

@test "restricted: nothing succeeds, and only what is the container's own works" {
    skip_without_groups # some attempts take all memory they get
    attack restricted >"$BATS_TEST_TMPDIR/table"
    cat "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c SUCCEEDED "$BATS_TEST_TMPDIR/table")" = 0 ]
    contained=$(awk -F'\t' '$2 == "contained" {print $1}' "$BATS_TEST_TMPDIR/table" | sort | xargs)
    [ "$contained" = "eat-memory fill-disk fork-bomb low-port proc-1-root processes terminals" ]
    unavailable=$(awk -F'\t' '$2 == "unavailable" {print $1}' "$BATS_TEST_TMPDIR/table")
    [ -z "$unavailable" ]
}

@test "restricted: the same with a terminal, where there is input to inject" {
    skip_without script
    script -qec "caisson run --rm -t attack attack --only tiocsti --only tioclinux" /dev/null \
        </dev/null >"$BATS_TEST_TMPDIR/table"
    cat "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c refused "$BATS_TEST_TMPDIR/table")" = 2 ]
}

@test "baseline: root of its own root file system, and of nothing else" {
    skip_without_groups # some attempts take all memory they get
    attack baseline >"$BATS_TEST_TMPDIR/table"
    cat "$BATS_TEST_TMPDIR/table"
    # What this level gives: a writable root (and so a disk that is not limited).
    succeeded=$(awk -F'\t' '$2 == "SUCCEEDED" {print $1}' "$BATS_TEST_TMPDIR/table" | sort | xargs)
    [ "$succeeded" = "fill-disk write-etc write-root" ]
    held baseline "$BATS_TEST_TMPDIR/table" <<'TABLE'
become-root contained
chroot contained
ptrace contained|refused
setuid-program refused
unshare-user refused
mount refused
device-nodes refused
raw-socket refused
af-alg refused
af-alg-i386 refused
fork-bomb contained
terminals contained
eat-memory contained
low-port contained
TABLE
}

@test "privileged: the same payload reaches the machine" {
    skip_without_groups # some attempts take all memory they get
    attack privileged --harmless >"$BATS_TEST_TMPDIR/table"
    cat "$BATS_TEST_TMPDIR/table"
    held privileged "$BATS_TEST_TMPDIR/table" <<'TABLE'
write-root SUCCEEDED
write-proc-sys SUCCEEDED
write-sys SUCCEEDED
read-masked SUCCEEDED
become-root SUCCEEDED
setuid-program SUCCEEDED
unshare-user SUCCEEDED
clone-user SUCCEEDED
mount SUCCEEDED
mount-new-api SUCCEEDED
remount SUCCEEDED
open-by-handle SUCCEEDED
kernel-log SUCCEEDED
raw-socket SUCCEEDED
packet-socket SUCCEEDED
bpf SUCCEEDED
userfaultfd SUCCEEDED|refused
keyctl SUCCEEDED
TABLE
}

@test "every attempt has a name and a sentence; --json says the same as the table" {
    skip_without_groups # some attempts take all memory they get
    "$CAISSON_BUILD/tests/attack" --list >"$BATS_TEST_TMPDIR/list"
    [ "$(cut -f1 "$BATS_TEST_TMPDIR/list" | sort | uniq -d | wc -l)" = 0 ]
    [ "$(grep -cvP '^[a-z0-9-]+\t.{5,}' "$BATS_TEST_TMPDIR/list")" = 0 ]
    attack restricted --json --harmless --skip descriptors | python3 -c '
import json, sys
names = [item["name"] for item in json.load(sys.stdin)]
assert len(names) > 40 and "descriptors" not in names, names'
}
