#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# events: what happened to containers, images, networks and volumes; and port, of a container that publishes nothing.
bats_require_minimum_version 1.5.0
load ../lib/common

setup_file() {
    common_setup_file
    image
}
teardown_file() { common_teardown_file; }

setup() {
    image # where a test took it away
    rm -f "$CAISSON_STATE/events" "$CAISSON_STATE/events.1"
}

teardown() {
    local ids
    ids=$(caisson ps -aq)
    # shellcheck disable=SC2086 # one word per id
    [ -z "$ids" ] || caisson rm -f -v $ids >/dev/null
}

past() { caisson events --since 1h --until 0s "$@"; }
# Without those of the networks that containers are on by default (network-connect.bats has them).
actions() { past --format '{{.Type}} {{.Action}}' "$@" | sed -n '/^network /!s/^[a-z]* //p' | xargs; }

@test "a container's whole life is told in the order that it had" {
    caisson run -d --name web busybox sleep 100
    caisson exec web true
    caisson rename web site
    caisson restart -t 0 site
    caisson kill site
    caisson wait site
    caisson rm site
    # Whoever sends a signal tells it afterwards, and somebody else may have told the end by then.
    [ "$(actions | sed 's/ kill//g')" = "create start exec_start exec_die rename die stop start restart die destroy" ]
    [ "$(actions --filter event=kill)" = "kill kill kill" ]
    caisson run --rm busybox true
    [ "$(actions | rev | cut -d' ' -f1-4 | rev)" = "create start die destroy" ]
}

@test "pause and update are told, where there is a control group" {
    skip_without_groups
    caisson run -d --name web busybox sleep 100
    caisson pause web
    caisson unpause web
    caisson update --memory 200m web
    [ "$(actions)" = "create start pause unpause update" ]
}

@test "health is told when it changes, and checks themselves are not" {
    caisson run -d --name web --health-cmd 'test ! -e /tmp/ill' --health-interval 1s --health-retries 1 busybox sleep 100
    waits 10 sh -c 'caisson events --since 1h --until 0s | grep -q "health_status: healthy"'
    caisson exec web touch /tmp/ill
    waits 10 sh -c 'caisson events --since 1h --until 0s | grep -q "health_status: unhealthy"'
    [ "$(actions --filter event=health_status)" = "health_status: healthy health_status: unhealthy" ]
    [ "$(actions --filter event=exec_start)" = exec_start ]
}

@test "events goes on as things happen, and ends with its reader" {
    # shellcheck disable=SC2094 # written by one, read by the other
    timeout 20 caisson events --filter event=die >"$BATS_TEST_TMPDIR/seen" &
    follower=$!
    sleep 0.3
    for code in 1 2 3; do
        caisson run --rm busybox sh -c "exit $code" || true
    done
    waits 5 sh -c "[ \$(wc -l <'$BATS_TEST_TMPDIR/seen') = 3 ]"
    kill $follower
    [ "$(sed 's/.*exitCode=\([0-9]*\).*/\1/' "$BATS_TEST_TMPDIR/seen" | xargs)" = "1 2 3" ]
    caisson run --rm busybox true
    timeout 20 caisson events --since 1h | head -n 2 | wc -l | grep -qx 2
}

@test "the line has Docker's form, as text and as JSON, and labels are attributes" {
    caisson create --name web -l tier=front -l name=other busybox true
    [[ $(past) =~ ^20[0-9T:.-]*Z\ container\ create\ [0-9a-f]{64}\ \(image=.*busybox.*,\ name=web,\ tier=front\)$ ]]
    past --format json | python3 -c '
import json, sys
event = json.load(sys.stdin)
assert event["Type"] == "container" and event["Action"] == event["status"] == "create", event
assert event["Actor"]["Attributes"]["tier"] == "front" and event["Actor"]["Attributes"]["name"] == "web"
assert event["id"] == event["Actor"]["ID"] and event["timeNano"] // 10**9 == event["time"]'
}

@test "filters choose by container, event, image, label and type; others are refused" {
    caisson create --name one -l a=1 busybox true
    caisson create --name two -l a=2 busybox true
    caisson rm two
    [ "$(past --filter container=one | wc -l)" = 1 ]
    [ "$(past --filter container="$(caisson inspect -f '{{.Id}}' one | cut -c1-12)" | wc -l)" = 1 ]
    [ "$(past --filter container=one --filter container=two | wc -l)" = 3 ]
    [ "$(past --filter label=a=2 --filter event=destroy | wc -l)" = 1 ]
    [ "$(past --filter label=a | wc -l)" = 3 ]
    [ "$(past --filter image=busybox:latest | wc -l)" = 3 ]
    [ "$(past --filter image=other | wc -l)" = 0 ]
    [ "$(past --filter type=image | wc -l)" = 0 ]
    [ "$(caisson events --since 0s --until 0s | wc -l)" = 0 ]
    [ "$(past --filter volume=one | wc -l)" = 0 ]
    fails 1 "give container=" caisson events --until 0s --filter colour=red
    fails 1 "--since" caisson events --since yesterday
}

@test "a volume's life is told: made, mounted, unmounted, destroyed" {
    caisson volume create data
    caisson volume create data
    caisson run -d --name web -v data:/data -v other:/more:ro busybox sleep 100
    caisson rm -f web
    caisson volume rm data other
    [ "$(actions --filter volume=data)" = "create mount unmount destroy" ]
    [ "$(actions --filter type=volume --filter volume=other)" = "create mount unmount destroy" ]
    [ "$(actions | sed 's/ kill//')" = "create create create mount mount start die unmount unmount stop destroy destroy destroy" ]
    past --filter type=volume --filter event=mount --format json | python3 -c '
import json, sys
first, second = [json.loads(line) for line in sys.stdin]
id = first["Actor"]["Attributes"].pop("container")
assert len(id) == 64 and id == second["Actor"]["Attributes"]["container"]
assert first["Type"] == "volume" and first["Actor"]["ID"] == "data" and "status" not in first, first
assert first["Actor"]["Attributes"] == {"destination": "/data", "driver": "local", "propagation": "", "read/write": "true"}, first
assert second["Actor"]["Attributes"]["read/write"] == "false", second'
    [[ $(past --filter volume=data --filter event=create) == *" volume create data (driver=local)" ]]
}

@test "an anonymous volume is told of like others, and a run without volumes tells of none" {
    caisson run --rm -v /data busybox true
    [ "$(actions --filter type=volume)" = "create mount unmount destroy" ]
    rm "$CAISSON_STATE/events"
    caisson run --rm busybox true
    [ "$(actions --filter type=volume)" = "" ]
}

@test "prune is told once for each kind, with how much was freed" {
    caisson volume create data
    caisson run -v data:/data --name web busybox dd if=/dev/zero of=/data/file bs=1000 count=70 2>/dev/null || true
    caisson container prune -f
    caisson volume prune -a -f
    caisson tag busybox other
    caisson rmi other
    caisson image prune -f
    [ "$(past --filter event=prune --format '{{.Type}}' | xargs)" = "container volume image" ]
    [ "$(past --filter event=prune --filter type=image --format '{{.Actor.Attributes.reclaimed}}')" = 0 ]
    freed=$(past --filter event=prune --filter type=volume --format '{{.Actor.Attributes.reclaimed}}')
    [ "$freed" -ge 70000 ]
}

@test "an image's life is told, also by workers that can reach nothing but the store" {
    id=$(caisson image inspect -f '{{.Id}}' busybox)
    caisson tag busybox site:1
    caisson save -o "$BATS_TEST_TMPDIR/site.tar" site:1
    caisson rmi site:1
    caisson rmi -f busybox
    caisson load -q -i "$BATS_TEST_TMPDIR/site.tar"
    caisson rmi site:1
    [ "$(actions --filter type=image)" = "tag save untag untag delete load untag delete" ]
    [ "$(past --filter type=image --format '{{.Actor.ID}}' | sort -u)" = "$id" ]
    [ "$(past --filter type=image --filter event=untag --format '{{.Actor.Attributes.name}}' | xargs)" = "site:1 busybox:latest site:1" ]
    [ "$(actions --filter image=site:1)" = "tag save untag load untag" ]
    [ "$(actions --filter image="${id:7:12}")" = "$(actions --filter type=image)" ]
    [[ $(past --filter event=tag) == *" image tag $id (name=site:1)" ]]
    tar -C "$BATS_TEST_TMPDIR" -cf "$BATS_TEST_TMPDIR/root.tar" site.tar
    made=$(caisson import "$BATS_TEST_TMPDIR/root.tar" plain)
    [[ $(past --filter event=import) == *" image import $made (name=plain:latest)" ]]
    caisson rmi plain
}

@test "commit tells which image it made, and under which name" {
    caisson create --name web busybox true
    id=$(caisson commit -m why web site)
    [[ $id == sha256:* ]]
    [ "$(past --filter event=commit --format '{{.Actor.Attributes.imageID}} {{.Actor.Attributes.imageRef}} {{.Actor.Attributes.comment}}')" = "$id site:latest why" ]
    [[ $(past --filter event=tag) == *" image tag $id (name=site:latest)" ]]
    caisson rmi site
}

@test "what a container chose cannot make a terminal obey, nor fake a line" {
    caisson create --name web -l "x=$(printf 'a\n2026-01-01T00:00:00Z container die\033[31m')" busybox true
    [ "$(past | wc -l)" = 1 ]
    [[ $(past) != *$'\033'* ]]
}

@test "the file of events turns over, a damaged line is passed over, a full disk loses only the event" {
    head -c 1100000 /dev/zero | tr '\0' 'x' >"$CAISSON_STATE/events"
    caisson create --name web busybox true
    caisson create --name site busybox true
    [ -e "$CAISSON_STATE/events.1" ]
    [ "$(past --filter container=site | wc -l)" = 1 ]
    rm -f "$CAISSON_STATE/events" "$CAISSON_STATE/events.1"
    ln -s /dev/full "$CAISSON_STATE/events"
    caisson rm web
    [ "$(past | wc -l)" = 0 ]
}

@test "a hundred containers at once: no line is lost or mixed" {
    for n in $(seq 4); do
        (for m in $(seq 25); do caisson create --name "c$n-$m" busybox true >/dev/null; done) &
    done
    wait
    [ "$(past --format '{{.Actor.Attributes.name}}' | sort -u | wc -l)" = 100 ]
}

@test "port shows that nothing is published" {
    caisson create --name web busybox true
    [ -z "$(caisson port web)" ]
    fails 1 "publishes no port 80" caisson port web 80
    fails 1 "is no port" caisson port web http
    fails 1 "no such container" caisson port nobody
}
