#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Inside a container: hold ever more memory, a MiB at a time, at most $1 MiB (default 4096). A limit
# ends it with SIGKILL; without one it says how much it got and ends with 1.
most=${1:-4096}
# shellcheck disable=SC2034 # used in what eval sees
chunk=$(head -c 1048576 /dev/zero | tr '\0' x)
i=0
while [ "$i" -lt "$most" ]; do
    eval "held_$i=\$chunk"
    i=$((i + 1))
done
echo "held: $i MiB"
exit 1
