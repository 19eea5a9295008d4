#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# make demo: a real image, run without a single flag, attacked from inside, then the commands that
# people know. IMAGE=FILE takes a root file system tar in the place of the distribution's busybox.
# Everything lies in a directory of its own and is gone afterwards; containers have a host's network of
# their own as well, so that the machine's stays as it is.
set -euo pipefail
build=$(realpath "${1:-build}")
caisson=$build/caisson
[ "$(id -u)" = 0 ] || exec sudo IMAGE="${IMAGE:-}" "$0" "$build"

place=${CAISSON_DEMO:-$(mktemp -d /var/tmp/caisson-demo-XXXXXX)} # given: in that network
export CAISSON_ROOT=$place/root CAISSON_STATE=$place/state
clean_up() {
    local ids
    ids=$("$caisson" ps -aq 2>/dev/null || true)
    # shellcheck disable=SC2086 # one word per id
    [ -z "$ids" ] || "$caisson" rm -f $ids >/dev/null 2>&1 || true
    rm -rf "$place"
}
[ -n "${CAISSON_DEMO:-}" ] || trap clean_up EXIT

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
say() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
# Shows the command as a person would type it, then runs it; its failure is part of the show.
show() {
    printf '%s$ %s%s\n' "$bold" "$*" "$plain"
    "$caisson" "${@:2}" || printf '(exit status %s)\n' "$?"
}

if [ -z "${CAISSON_DEMO:-}" ]; then
    say "An image"
    if [ -n "${IMAGE:-}" ]; then
        show caisson import "$IMAGE" demo
    else
        show caisson bootstrap busybox -t demo
    fi
    show caisson images
    CAISSON_DEMO=$place unshare --net "$0" "$build"
    exit
fi
ip link set lo up

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

say "Networks: names among those who share one, and nobody else; a list of where one may go"
show caisson network create shop
show caisson run -d --name db --network shop demo nc -l -p 5432 -e echo "this is db"
show caisson run --rm demo nc -w 1 "$("$caisson" inspect -f '{{.NetworkSettings.Networks.shop.IPAddress}}' db)" 5432
show caisson run --rm --network shop demo nc db 5432
show caisson run --rm --egress api.example.com:443 demo nslookup other.example.com
show caisson network log
show caisson rm -f db

say "A build of two stages; what is done twice is done once; a key that a later step deletes is found all the same"
app=$place/app
mkdir "$app"
cat >"$app/server.sh" <<'END'
#!/bin/sh
echo "hello from $(whoami)"
END
chmod 755 "$app/server.sh"
cat >"$app/Dockerfile" <<'END'
FROM demo:latest AS builder
WORKDIR /app
COPY server.sh .
RUN sha256sum server.sh >checksum
FROM demo:latest
RUN echo appuser:x:1000:1000::/app:/bin/sh >>/etc/passwd
COPY --from=builder --chown=1000:1000 /app /app
USER appuser
CMD ["/app/server.sh"]
END
show caisson build --network none -t my-app:1 "$app"
show caisson run --rm --network none my-app:1
show caisson build -q --network none -t my-app:1 "$app"
printf '%s\n' 'FROM demo:latest' 'COPY key.pem /key.pem' 'RUN rm /key.pem' >"$app/Dockerfile"
printf -- '-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n' \
    "$(head -c 48 /dev/urandom | base64 -w 64)" >"$app/key.pem"
show caisson build -q --network none "$app"

say "Attacked from inside, at each level (at privileged only what does the machine no harm)"
# The same image with the payload in it, once as everybody's program and once setuid root.
mkdir -p "$place/payload/usr/bin"
cp "$build/tests/attack" "$place/payload/usr/bin/attack"
cp "$build/tests/attack" "$place/payload/usr/bin/attack-setuid"
chmod 4755 "$place/payload/usr/bin/attack-setuid"
layer=$("$caisson" image inspect -f '{{index .RootFS.Layers 0}}' demo)
tar -C "$CAISSON_ROOT/layers/${layer#sha256:}/fs" --numeric-owner -c . -C "$place/payload" --owner=0 --group=0 \
    usr/bin/attack usr/bin/attack-setuid | "$caisson" import - attacked >/dev/null
echo "of the host" >"$place/canary"
attack() {
    "$caisson" run --rm -q --level "$1" --memory 192m --pids-limit 128 attacked /usr/bin/attack \
        --network "$(readlink /proc/self/ns/net)" --canary "$place/canary" --store "$CAISSON_ROOT" --disk 33554432 "${@:2}" >"$place/$1"
}
attack restricted
attack baseline
attack privileged --harmless
awk -F'\t' -v OFS='\t' '
    BEGIN { printf "%-20s %-12s %-12s %-12s %s\n", "", "restricted", "baseline", "privileged", "what was seen at restricted" }
    FNR == 1 { file++ }
    file == 1 { names[++n] = $1; sentence[$1] = $3 }
    { outcome[file, $1] = $2 }
    END {
        for (i = 1; i <= n; i++) {
            name = names[i]
            printf "%-20s %-12s %-12s %-12s %s\n", name, outcome[1, name], outcome[2, name],
                (3, name) in outcome ? outcome[3, name] : "-", sentence[name]
        }
    }' "$place/restricted" "$place/baseline" "$place/privileged"

say "Result"
for level in restricted baseline privileged; do
    printf '%-12s %s\n' "$level" "$(awk -F'\t' '{ n[$2]++ } END { for (o in n) print n[o], o }' "$place/$level" |
        sort -rn | paste -s -d, | sed 's/,/, /g')"
done
if grep -q 'SUCCEEDED' "$place/restricted"; then
    echo "An attack succeeded at restricted: this is a bug, please report it (SECURITY.md)."
    exit 1
fi
echo "At restricted no attack had a result outside of the container's own limits."
