#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Containers come and go on networks at random: CAISSON_TEST_NETWORKED of them in CAISSON_TEST_NETWORKED_SECONDS,
# at least 30 in 10 seconds unless said otherwise (300 and 60 in CI).
bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/network

setup_file() {
    common_setup_file
    host_usable || return 0
    host_begin
    image
}
setup() {
    host_usable || skip "needs root, nft, ip, ss, nsenter and python3"
}
teardown_file() {
    common_teardown_file
    host_end
}

@test "containers that come and go at random: who reaches whom, nothing differs, nothing is left" {
    only_root "what sends between the containers opens sockets in their namespaces"
    seed=${CAISSON_TEST_SEED:-$RANDOM}
    run in_host timeout 1200 python3 "$BATS_TEST_DIRNAME/../lib/networks_scale.py" "$CAISSON_BUILD/caisson" \
        "${CAISSON_TEST_NETWORKED:-30}" "${CAISSON_TEST_NETWORKED_SECONDS:-10}" "$seed" "$LAN"
    echo "# time: seed $seed: $output" >&3
    [ "$status" = 0 ]
}
