#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzz targets with clang's sanitizers and runs each for some seconds on its seeds.
# usage: tests/fuzz/run.sh SECONDS [NAME...]
# What a target finds beyond the seeds goes to build-fuzz/found/NAME; a crash is kept in
# build-fuzz/crashes and ends the run with status 1.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-10}
shift || true
build=${FUZZ_BUILD:-build-fuzz}

if [ ! -e "$build/build.ninja" ]; then
    CC=clang meson setup "$build" -Dfuzzers=true -Dtests=disabled \
        -Db_sanitize=address,undefined -Db_lundef=false \
        -Dc_args='-fsanitize=fuzzer-no-link -fno-sanitize-recover=all' >/dev/null
fi
ninja -C "$build" >"$build/ninja.log" || {
    tail -n 40 "$build/ninja.log"
    exit 1
}

names=("$@")
if ((${#names[@]} == 0)); then
    for source in tests/fuzz/fuzz-*.c; do
        name=${source##*/fuzz-}
        names+=("${name%.c}")
    done
fi

failed=0
mkdir -p "$build/crashes"
for name in "${names[@]}"; do
    if [ -z "$(ls "tests/fuzz/corpus/$name" 2>/dev/null)" ]; then
        echo "FAIL fuzz-$name: no seeds in tests/fuzz/corpus/$name"
        failed=1
        continue
    fi
    mkdir -p "$build/found/$name"
    if "$build/tests/fuzz/fuzz-$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
        -artifact_prefix="$build/crashes/$name-" -print_final_stats=1 \
        "$build/found/$name" "tests/fuzz/corpus/$name" >"$build/$name.log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$name.log")
        echo "ok   fuzz-$name: $runs inputs in $seconds s"
    else
        tail -n 40 "$build/$name.log"
        echo "FAIL fuzz-$name: see $build/$name.log and $build/crashes"
        failed=1
    fi
done
exit $failed
