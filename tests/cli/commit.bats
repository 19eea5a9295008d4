#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# commit: an image of what a container has changed.
load ../lib/common

setup_file() {
    common_setup_file
    image
}
teardown_file() { common_teardown_file; }

# container NAME [OPTION...]: one that runs, with a root to write to.
container() {
    local name=$1
    shift
    caisson rm -f "$name" >/dev/null 2>&1 || true
    caisson run -d --name "$name" --level baseline "$@" busybox sleep 1000 >/dev/null
}

inside() {
    local name=$1
    shift
    caisson exec "$name" "$@"
}

# lacks GREP-ARGUMENT...: nothing matches. (A bare "! grep" never fails a test.)
lacks() {
    ! grep -q "$@" || false
}

config() {
    caisson image inspect -f "{{json .Config.$2}}" "$1"
}

@test "the image has what the container added, changed and deleted" {
    container web
    inside web sh -c 'echo x >/etc/new; chown 5:6 /etc/new; chmod 4750 /etc/new; ln /etc/new /etc/same; ln -s new /etc/link; rm /bin/ls; mkfifo /pipe'
    id=$(caisson commit web web:1)
    [[ $id =~ ^sha256:[0-9a-f]{64}$ ]]
    [ "$(caisson images -q --no-trunc web)" = "$id" ]
    run caisson run --rm --level baseline web:1 sh -c \
        'stat -c "%a %u %g %h" /etc/new; readlink /etc/link; [ -p /pipe ] && [ ! -e /bin/ls ] && echo gone'
    [ "$status" = 0 ]
    [ "$output" = $'4750 5 6 2\nnew\ngone' ]
}

@test "a directory that was made anew hides what the image has in it" {
    container below
    inside below sh -c 'mkdir /data; touch /data/a /data/b'
    caisson commit below opaque:1 >/dev/null
    caisson run -d --name above --level baseline opaque:1 sleep 1000 >/dev/null
    inside above sh -c 'rm -r /data; mkdir /data; touch /data/c'
    caisson commit above opaque:2 >/dev/null
    [ "$(caisson run --rm opaque:2 ls /data)" = c ]
    # Also for others: the mark is the one of image layers.
    caisson save opaque:2 >"$BATS_TEST_TMPDIR/opaque.tar"
    grep -aq 'data/.wh..wh..opq' "$BATS_TEST_TMPDIR/opaque.tar"
}

@test "the configuration is the container's, with --change on top, and the history tells" {
    caisson run -d --name conf --level baseline -e GREETING=hello -w /srv -u 12:13 -l a=b \
        busybox sh -c 'sleep 1000' >/dev/null
    caisson commit -a somebody -m 'with tools' -c 'EXPOSE 80' -c 'ENV MORE=1' conf conf:1 >/dev/null
    [ "$(config conf:1 Cmd)" = '["sh","-c","sleep 1000"]' ]
    [ "$(config conf:1 User)" = '"12:13"' ]
    [ "$(config conf:1 WorkingDir)" = '"/srv"' ]
    [ "$(config conf:1 Labels)" = '{"a":"b"}' ]
    [[ $(config conf:1 ExposedPorts) = *80/tcp* ]]
    env=$(config conf:1 Env)
    [[ $env = *GREETING=hello* && $env = *MORE=1* && $env != *HOSTNAME* && $env != *HOME=* ]]
    [ "$(caisson history --format '{{.Comment}}' conf:1 | head -1)" = "with tools" ]
    [ "$(caisson image inspect -f '{{.Author}}' conf:1)" = somebody ]
    fails 1 "no such instruction" caisson commit -c 'RUN true' conf conf:2
    [ -z "$(caisson images -q conf:2)" ]
}

@test "an entry point of the image stays one, another one replaces it" {
    container base
    caisson commit -c 'ENTRYPOINT ["echo","hello"]' -c 'CMD ["world"]' base entry >/dev/null
    caisson create --name kept entry you >/dev/null
    caisson commit kept entry:kept >/dev/null
    [ "$(config entry:kept Entrypoint) $(config entry:kept Cmd)" = '["echo","hello"] ["you"]' ]
    caisson create --name other --entrypoint id entry -u >/dev/null
    caisson commit other entry:other >/dev/null
    [ "$(config entry:other Entrypoint) $(config entry:other Cmd)" = '["id"] ["-u"]' ]
}

@test "nothing that was mounted gets into the image" {
    echo secret-of-the-host >"$BATS_TEST_TMPDIR/file"
    container full -v /volume -v "$BATS_TEST_TMPDIR/file:/etc/bound" --tmpfs /scratch -h the-host-name
    # shellcheck disable=SC2016 # the container's shell expands it
    inside full sh -c 'for place in /volume /scratch /dev/shm; do echo secret-inside >$place/f; done; echo secret-inside >>/etc/hosts; touch /wrote'
    caisson commit full full:1 >/dev/null
    caisson save -o "$BATS_TEST_TMPDIR/full.tar" full:1
    lacks -a 'secret-of-the-host\|secret-inside\|the-host-name' "$BATS_TEST_TMPDIR/full.tar"
    # Control: what was written to the root is there.
    grep -aq 'wrote' "$BATS_TEST_TMPDIR/full.tar"
}

@test "a variable that looks like a secret is warned of" {
    container plain
    [ -z "$(caisson commit plain 2>&1 >/dev/null)" ]
    container known -e DB_PASSWORD=hunter2
    said=$(caisson commit known 2>&1 >/dev/null)
    [[ $said = *"DB_PASSWORD"*"looks like a secret"* && $said != *hunter2* ]]
    [ -z "$(caisson commit -q known 2>&1 >/dev/null)" ]
    [ -z "$(caisson commit -c 'ENV DB_PASSWORD=' known 2>&1 >/dev/null)" ]
}

@test "a container that wrote nothing gives an image of the same layers" {
    caisson create --name nothing -e A=b busybox true >/dev/null
    caisson commit nothing nothing:1 >/dev/null
    [ "$(caisson image inspect -f '{{json .RootFS.Layers}}' nothing:1)" = \
        "$(caisson image inspect -f '{{json .RootFS.Layers}}' busybox)" ]
    [[ $(config nothing:1 Env) = *A=b* ]]
    caisson save nothing:1 | caisson load >/dev/null
}

@test "a stopped container can be committed, and the image outlives it" {
    container old
    inside old sh -c 'echo x >/x'
    caisson stop -t 0 old
    caisson commit old old:1 >/dev/null
    caisson rm old >/dev/null
    caisson image prune -f >/dev/null
    [ "$(caisson run --rm old:1 cat /x)" = x ]
}

@test "it stands still while it is read, and goes on afterwards" {
    skip_without_groups
    container still
    inside still sh -c 'dd if=/dev/zero of=/big bs=1M count=64 2>/dev/null'
    caisson commit still still:1 >"$BATS_TEST_TMPDIR/id" &
    committing=$!
    paused=0
    for _ in $(seq 200); do
        [ "$(caisson inspect -f '{{.State.Status}}' still)" != paused ] || paused=1
        kill -0 "$committing" 2>/dev/null || break
    done
    wait "$committing"
    [ "$paused" = 1 ]
    [ "$(caisson inspect -f '{{.State.Status}}' still)" = running ]
    caisson commit -p=false still still:2 >/dev/null
    # One that was paused before stays so.
    caisson pause still
    caisson commit still still:3 >/dev/null
    [ "$(caisson inspect -f '{{.State.Status}}' still)" = paused ]
    caisson unpause still
}

@test "a name that an image's layer cannot hold is an error, and no image is made" {
    container odd
    inside odd sh -c 'touch /etc/.wh.passwd'
    before=$(caisson images -q | wc -l)
    fails 1 "begins with .wh." caisson commit odd odd:1
    [ "$(caisson images -q | wc -l)" = "$before" ]
    [ -z "$(ls "$CAISSON_ROOT/tmp")" ]
    fails 1 "" caisson commit odd 'Not A Name'
    [ "$(caisson inspect -f '{{.State.Status}}' odd)" = running ]
}

@test "commit of a commit adds one layer each time" {
    container first
    inside first touch /one
    caisson commit first steps:1 >/dev/null
    caisson run -d --name second --level baseline steps:1 sleep 1000 >/dev/null
    inside second rm /one
    inside second touch /two
    caisson commit second steps:2 >/dev/null
    [ "$(caisson history -q steps:2 | wc -l)" = 3 ]
    [ "$(caisson run --rm steps:2 busybox ls -d /one /two 2>/dev/null)" = /two ]
}
