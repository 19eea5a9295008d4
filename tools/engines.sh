#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Unpacks engines that the tests call the runtime with below a directory: the distribution's packages
# of containerd and Docker, where the machine has not the programs itself. Installing them would
# start daemons, and could replace what somebody else's packages brought.
# usage: tools/engines.sh DIR
set -euo pipefail

dir=${1:?usage: tools/engines.sh DIR}
missing=()
for pair in ctr:containerd containerd:containerd dockerd:docker.io docker:docker.io; do
    program=${pair%%:*}
    if ! command -v "$program" >/dev/null && [ ! -x "$dir/usr/bin/$program" ] &&
        [ ! -x "$dir/usr/sbin/$program" ]; then
        missing+=("${pair##*:}")
    fi
done
((${#missing[@]})) || exit 0
command -v apt-get >/dev/null || exit 0 # not Debian's family: the tests say what they lack

mkdir -p "$dir/packages"
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
echo "Unpacking from the distribution's packages into $dir: ${missing[*]}"
(
    cd "$dir/packages"
    for name in "${missing[@]}"; do
        if ! apt-get download -qq "$name"; then
            echo "$name is not to be had; its tests are skipped" >&2
            continue
        fi
        dpkg -x "$name"_*.deb ..
    done
)
rm -rf "$dir/packages"
