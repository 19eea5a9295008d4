#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Inside a container: start processes until one is refused, at most $1 (default 2000), each of which
# sleeps for ten seconds. Prints "processes: N" and ends with 0 when it was stopped before $1, with 1
# when nothing stopped it.
most=${1:-2000}
count=0
while [ "$count" -lt "$most" ]; do
    # A shell that cannot fork ends; the subshell's parent is this trap.
    trap 'echo "processes: $count"; trap - EXIT; exit 0' EXIT
    sleep 10 &
    count=$((count + 1))
done 2>/dev/null
trap - EXIT
echo "processes: $count"
exit 1
