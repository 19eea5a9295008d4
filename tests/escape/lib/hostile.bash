# SPDX-License-Identifier: Apache-2.0
# Hostile images: a tree with busybox in it that a test makes worse, and a canary of the host's that
# has to look the same afterwards.

hostile_setup_file() {
    common_setup_file
    export CANARY=$BATS_FILE_TMPDIR/canary
    mkdir -p "$CANARY/dir"
    echo "of the host" >"$CANARY/file"
    chmod 755 "$BATS_FILE_TMPDIR" "$CANARY"
    # What leads from anywhere in a container's root to the canary, if the host resolves it.
    export WAY_OUT=../../../../../../../../../..$CANARY
    CANARY_BEFORE=$(canary_looks)
    export CANARY_BEFORE
    image
}

canary_looks() {
    find "$CANARY" -printf '%P %y %m %U %G %s %T@\n' | sort
    cat "$CANARY/file" /proc/sys/kernel/core_pattern
}

# The canary and core_pattern are as before.
canary_lives() {
    if [ "$(canary_looks)" != "$CANARY_BEFORE" ]; then
        echo "the canary changed:"
        canary_looks
        return 1
    fi
}

teardown() { canary_lives; }

# tree: an empty root with busybox, in $TREE.
tree() {
    TREE=$BATS_TEST_TMPDIR/tree
    mkdir -p "$TREE"/{bin,etc,tmp,var/tmp,proc,sys,dev,home,run,root}
    cp /bin/busybox "$TREE/bin/busybox"
    local name
    for name in sh cat id ls stat sleep mount env true echo pwd; do
        ln -s busybox "$TREE/bin/$name"
    done
    echo 'root:x:0:0:root:/root:/bin/sh' >"$TREE/etc/passwd"
    echo 'root:x:0:' >"$TREE/etc/group"
}

# imported NAME [IMPORT-OPTION...]: $TREE becomes an image.
imported() {
    local name=$1
    shift
    tar -C "$TREE" --owner=0 --group=0 --numeric-owner --sparse -c . | caisson import "$@" - "$name" >/dev/null
}

# refuses TEXT COMMAND...: status 125 and TEXT, and nothing of the container's ran.
refuses() {
    fails 125 "$@"
}

escape_helper() {
    echo "$CAISSON_BUILD/tests/escape-$1"
}
