# SPDX-License-Identifier: Apache-2.0
# Helpers for bats files. A file starts with
#
#   load ../lib/common
#   setup_file() { common_setup_file; }
#   teardown_file() { common_teardown_file; }
#
# and then has a root and a state directory of its own (CAISSON_ROOT, CAISSON_STATE), `caisson` and
# the workers of the build directory, and nothing of the machine's. tests/run.py runs files beside
# each other; a file alone runs with `CAISSON_BUILD=build bats tests/cli/x.bats`.

bats_require_minimum_version 1.5.0 2>/dev/null || true

CAISSON_BUILD=$(realpath "${CAISSON_BUILD:-$BATS_TEST_DIRNAME/../../build}")
export CAISSON_BUILD
export PATH="$CAISSON_BUILD:$PATH"
export LC_ALL=C.UTF-8
CONTAINERS_REGISTRIES_CONF=${CAISSON_TEST_REGISTRIES:-$(realpath "$BATS_TEST_DIRNAME/../lib/registries.conf")}
export CONTAINERS_REGISTRIES_CONF
# What this machine wants signed is not what the tests are about.
export CONTAINERS_POLICY=${CAISSON_TEST_POLICY:-$(realpath "$BATS_TEST_DIRNAME/../lib/policy.json")}
unset NO_COLOR

# CAISSON_TEST_USER: who runs caisson in a file that root runs (tests/lib/network.bash); PERSON is
# what to put before a command for that.
PERSON=()
if [ -n "${CAISSON_TEST_USER:-}" ]; then
    PERSON=(setpriv --reuid "$CAISSON_TEST_USER" --regid "$CAISSON_TEST_USER" --init-groups --inh-caps=-all --)
fi
by_root() { [ "$(id -u)" = 0 ] && [ -z "${CAISSON_TEST_USER:-}" ]; }

common_setup_file() {
    export CAISSON_ROOT=$BATS_FILE_TMPDIR/root
    export CAISSON_STATE=$BATS_FILE_TMPDIR/state
    umask 022
    if [ -n "${CAISSON_TEST_USER:-}" ]; then
        chmod 0755 "$BATS_RUN_TMPDIR"
        chown "$CAISSON_TEST_USER" "$BATS_FILE_TMPDIR"
    fi
    # Without a control group of its own every run of an ordinary user begins with a warning.
    by_root || export CAISSON_HINTS=no
}

# Whether limits can be in force at all: for root, or where a v2 group is delegated to the user.
has_groups() {
    by_root || caisson info | grep -q '^ *control-groups *yes'
}

skip_without_groups() {
    has_groups || skip "needs a delegated control group"
}

# Races against what takes milliseconds elsewhere, and the like (tests/vm).
skip_emulated() {
    [ -z "${CAISSON_TEST_EMULATED:-}" ] || skip "a race, or large: not on an emulated processor"
}

# rounds N: how often a race is run; there, a sixth of it.
rounds() { if [ -z "${CAISSON_TEST_EMULATED:-}" ]; then seq "$1"; else seq $(($1 / 6)); fi; }

# Ends every container of this file, then checks that nothing is mounted any more.
common_teardown_file() {
    local ids mounts
    if [ -d "$CAISSON_ROOT/containers" ] || [ -d "$CAISSON_STATE" ]; then
        ids=$("${PERSON[@]}" "$CAISSON_BUILD/caisson" ps -aq 2>/dev/null || true)
        # shellcheck disable=SC2086 # one word per id
        [ -z "$ids" ] || "${PERSON[@]}" "$CAISSON_BUILD/caisson" rm -f $ids >/dev/null
    fi
    mounts=$(grep -F " $BATS_FILE_TMPDIR" /proc/self/mountinfo || true)
    if [ -n "$mounts" ]; then
        echo "left mounted: $mounts" >&2
        return 1
    fi
}

# skip_without PROGRAM...: skips when one is not installed.
skip_without() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || skip "needs $program"
    done
}

# own_id: whoever files belong to that a container writes for the person who runs the tests.
own_id() {
    echo "${SUDO_UID:-$(id -u)}"
}

skip_unless_root() {
    [ "$(id -u)" = 0 ] || skip "needs root"
}

# image: the busybox image in this file's root; its name is "busybox". Made once for the whole run,
# under a lock, then loaded: several files ask at the same time.
image() {
    local shared=${CAISSON_TEST_DIR:-$BATS_RUN_TMPDIR}/shared
    [ -x /bin/busybox ] || skip "needs busybox-static"
    "${PERSON[@]}" mkdir -p "$shared"
    "${PERSON[@]}" touch "$shared/lock"
    (
        exec 8<"$shared/lock"
        flock 8
        if [ ! -e "$shared/busybox.tar" ]; then
            CAISSON_ROOT=$shared/root CAISSON_STATE=$shared/state "${PERSON[@]}" \
                "$CAISSON_BUILD/caisson" bootstrap busybox -t busybox >/dev/null
            CAISSON_ROOT=$shared/root CAISSON_STATE=$shared/state "${PERSON[@]}" \
                "$CAISSON_BUILD/caisson" save -o "$shared/busybox.tar.new" busybox
            "${PERSON[@]}" mv "$shared/busybox.tar.new" "$shared/busybox.tar"
        fi
    ) || return
    "${PERSON[@]}" "$CAISSON_BUILD/caisson" load -q -i "$shared/busybox.tar" >/dev/null
}

# fails STATUS TEXT COMMAND...: the command ends with this status and tells TEXT on standard error.
fails() {
    local status=$1 text=$2
    shift 2
    local rc=0 told
    told=$("$@" 2>&1 >/dev/null) || rc=$?
    if [ "$rc" != "$status" ]; then
        echo "expected status $status, got $rc from: $*"
        echo "$told"
        return 1
    fi
    if [[ $told != *"$text"* ]]; then
        echo "expected on standard error: $text"
        echo "got: $told"
        return 1
    fi
}

# waits SECONDS COMMAND...: until it succeeds.
waits() {
    local tries=$(($1 * 20))
    shift
    while ! "$@" >/dev/null 2>&1; do
        ((tries-- > 0)) || return 1
        sleep 0.05
    done
}
