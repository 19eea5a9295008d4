#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Whoever of the engine is killed when: what is said afterwards is true, and nothing is left.
bats_require_minimum_version 1.5.0
load ../lib/common

setup_file() {
    common_setup_file
    skip_without python3
    image
}
teardown_file() { common_teardown_file; }

left() {
    find "$CAISSON_ROOT/containers" "$CAISSON_ROOT/names" "$CAISSON_STATE/containers" "$CAISSON_STATE/names" \
        "$CAISSON_STATE/ids" -mindepth 1 2>/dev/null
    find /sys/fs/cgroup -path '*caisson*' -name "$1*" 2>/dev/null || true
}

@test "lives with a process killed at a random moment: never a wrong answer, nothing left" {
    seed=${CAISSON_TEST_SEED:-$RANDOM}
    echo "seed $seed"
    timeout 1500 python3 "$BATS_TEST_DIRNAME/../lib/killed.py" "$CAISSON_BUILD/caisson" "${CAISSON_TEST_LIVES:-40}" "$seed"
    caisson container prune -f
    waits 10 sh -c "[ -z \"\$(find '$CAISSON_ROOT/containers' '$CAISSON_ROOT/names' '$CAISSON_STATE/containers' \
        '$CAISSON_STATE/names' '$CAISSON_STATE/ids' -mindepth 1 2>/dev/null)\" ]" ||
        { left x; return 1; }
}
