# SPDX-License-Identifier: Apache-2.0
# Helpers for bats files about bundles: caisson-runtime with a root of its own for each file.
#
#   load ../lib/common
#   load ../lib/bundle
#   setup_file() { bundle_setup_file; }
#   setup() { bundle_setup; }           a bundle in $B, $BATS_TEST_TMPDIR/b, of busybox
#   teardown() { bundle_teardown; }
#   teardown_file() { common_teardown_file; }

bundle_setup_file() {
    common_setup_file
    [ -x /bin/busybox ] || skip "needs busybox-static"
    export RUNTIME_ROOT=$BATS_FILE_TMPDIR/runtime
}

# The runtime under test.
runtime() {
    caisson-runtime --root "$RUNTIME_ROOT" "$@"
}

# A root file system with busybox under the names that tests use.
make_rootfs() {
    mkdir -p "$1/bin" "$1/tmp" "$1/etc"
    cp /bin/busybox "$1/bin/busybox"
    local name
    for name in sh true false cat sleep id ls echo env grep stat touch mount hostname tty ps test \
        readlink kill umask ulimit taskset nice uname stty mkdir wc tr; do
        ln -s busybox "$1/bin/$name"
    done
}

bundle_setup() {
    B=$BATS_TEST_TMPDIR/b
    mkdir -p "$B"
    make_rootfs "$B/rootfs"
    chmod 755 "$BATS_TEST_TMPDIR"
    if [ "$(id -u)" = 0 ]; then
        caisson-runtime spec --bundle "$B"
    else
        caisson-runtime spec --rootless --bundle "$B"
    fi
    edit 'c["process"]["terminal"] = False; c["root"]["readonly"] = False'
}

# Whatever the test left running.
bundle_teardown() {
    local id
    for id in $(runtime list -q); do
        runtime delete --force "$id"
    done
    if [ -n "$(runtime list -q)" ]; then
        echo "containers are left" >&2
        return 1
    fi
}

# edit PYTHON: changes config.json, which is `c`; p is its process, l its linux.
edit() {
    python3 - "$B/config.json" "$1" <<'PYTHON'
import json
import os
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    c = json.load(file)
p, l = c.get("process"), c.get("linux")
bundle = os.path.dirname(sys.argv[1])


def drop(target):
    c["mounts"] = [m for m in c["mounts"] if m["destination"] != target]


def mount(**words):
    c["mounts"].append(words)


def namespace(kind, path=None):
    l["namespaces"] = [n for n in l["namespaces"] if n["type"] != kind]
    l["namespaces"].append({"type": kind, **({"path": path} if path else {})})


def hook(stage, *args, **words):
    c.setdefault("hooks", {}).setdefault(stage, []).append({"path": args[0], "args": list(args), **words})


exec(sys.argv[2])
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump(c, file)
PYTHON
}

# command WORD...: what the bundle's process is.
command_is() {
    local words
    words=$(printf '%s\n' "$@" | python3 -c 'import json,sys; print(json.dumps(sys.stdin.read().split("\n")[:-1]))')
    edit "p['args'] = $words"
}

# inside SCRIPT: runs it as the bundle's process in the foreground.
inside() {
    edit "p['args'] = ['sh', '-c', '''$1''']"
    runtime run --bundle "$B" "t$BATS_TEST_NUMBER"
}

# create ID: its output goes nowhere, so that nothing waits for the container.
create() {
    runtime create --bundle "$B" "$@" </dev/null >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" ||
        {
            local rc=$?
            cat "$BATS_TEST_TMPDIR/err" >&2
            return $rc
        }
}

status_of() {
    runtime state "$1" | python3 -c 'import json,sys; print(json.load(sys.stdin)["status"])'
}

is_status() {
    [ "$(status_of "$1")" = "$2" ]
}

pid_of_container() {
    runtime state "$1" | python3 -c 'import json,sys; print(json.load(sys.stdin)["pid"])'
}

# refuses TEXT: run of the bundle fails and says TEXT; nothing is left.
refuses() {
    fails 1 "$1" runtime run --bundle "$B" refused || return
    [ -z "$(runtime list -q)" ]
}
