#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# make demo: a real image, run without a single flag, attacked from inside, then the commands that
# people know. IMAGE=FILE takes a root file system tar in the place of the distribution's busybox.
# Everything lies in a directory of its own and is gone afterwards.
set -euo pipefail
build=$(realpath "${1:-build}")
caisson=$build/caisson
[ "$(id -u)" = 0 ] || exec sudo IMAGE="${IMAGE:-}" "$0" "$build"

place=$(mktemp -d /var/tmp/caisson-demo-XXXXXX)
export CAISSON_ROOT=$place/root CAISSON_STATE=$place/state
clean_up() {
    local ids
    ids=$("$caisson" ps -aq 2>/dev/null || true)
    # shellcheck disable=SC2086 # one word per id
    [ -z "$ids" ] || "$caisson" rm -f $ids >/dev/null 2>&1 || true
    rm -rf "$place"
}
trap clean_up EXIT

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
say() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
# Shows the command as a person would type it, then runs it; its failure is part of the show.
show() {
    printf '%s$ %s%s\n' "$bold" "$*" "$plain"
    "$caisson" "${@:2}" || printf '(exit status %s)\n' "$?"
}

say "An image"
if [ -n "${IMAGE:-}" ]; then
    show caisson import "$IMAGE" demo
else
    show caisson bootstrap busybox -t demo
fi
show caisson images

say "Run without a flag: not root, nothing to write to, no capabilities, a filter of system calls"
show caisson run --rm demo id
show caisson run --rm demo touch /etc/passwd
show caisson run --rm demo grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status

say "What would be run, and the one flag that changes each protection"
show caisson run --dry-run demo true

say "What people type"
show caisson run --rm --user 1000:1000 demo id
show caisson run -d --name my-container demo sleep 1000
show caisson exec my-container whoami
show caisson ps
show caisson stop -t 0 my-container
show caisson run --rm --read-only demo true
show caisson run --rm --read-only --tmpfs /tmp:size=64m --tmpfs /app/cache:size=32m demo df -h /tmp /app/cache
show caisson run -d --name limited --memory=512m --memory-swap=512m --cpus=1.5 demo sleep 1000
show caisson stats --no-stream limited
show caisson rm -f limited
show caisson run --rm --pids-limit 100 demo echo "at most 100 processes"

say "Attacked from inside, at restricted"
echo "of the host" >"$place/canary"
mkdir "$place/payload"
cp "$build/tests/attack" "$place/payload/attack"
table=$place/table
"$caisson" run --rm --memory 192m --pids-limit 128 -v "$place/payload:/payload:ro" demo \
    /payload/attack --canary "$place/canary" --store "$CAISSON_ROOT" --disk 33554432 >"$table"
awk -F'\t' '{ printf "%-26s %-12s %s\n", $1, $2, $3 }' "$table"

say "Result"
awk -F'\t' '{ n[$2]++ } END { for (o in n) printf "%d %s\n", n[o], o }' "$table" | sort -rn
if grep -q 'SUCCEEDED' "$table"; then
    echo "An attack succeeded at restricted: this is a bug, please report it (SECURITY.md)."
    exit 1
fi
echo "No attack had a result outside of the container's own limits."
