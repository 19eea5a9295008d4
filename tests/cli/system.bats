#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# system df and system prune.
bats_require_minimum_version 1.5.0
load ../lib/common

setup_file() { common_setup_file; }
teardown_file() { common_teardown_file; }
setup() { image; }

teardown() {
    local ids
    ids=$(caisson ps -aq)
    # shellcheck disable=SC2086 # one word per id
    [ -z "$ids" ] || caisson rm -f -v $ids >/dev/null
    caisson volume prune -a -f >/dev/null
}

row() { caisson system df --format '{{.Type}}|{{.TotalCount}}|{{.Active}}|{{.Size}}|{{.Reclaimable}}' | grep "^$1|" | cut -d'|' -f2-; }

@test "df counts what there is, what is in use and what could be given back" {
    [ "$(row Containers)" = "0|0|0B|0B" ]
    [ "$(row 'Local Volumes')" = "0|0|0B|0B" ]
    [ "$(row Images | cut -d'|' -f1,2)" = "1|0" ]
    [[ $(row Images) == *"(100%)" ]]
    caisson run --name ended --read-only=false --user root busybox sh -c 'head -c 300000 /dev/zero >/file'
    caisson run -d --name web -v data:/data --user root busybox sh -c 'head -c 200000 /dev/zero >/data/file; exec sleep 100'
    waits 5 caisson exec web test -s /data/file
    [ "$(row Containers | cut -d'|' -f1,2)" = "2|1" ]
    [[ $(row Containers | cut -d'|' -f3) == 30*kB ]]
    [[ $(row Containers | cut -d'|' -f4) == 30*"kB (100%)" ]]
    [[ $(row 'Local Volumes') == "1|1|200kB|0B (0%)" ]]
    [[ $(row Images | cut -d'|' -f4) == "0B (0%)" ]]
}

@test "a layer that two images share counts once, and is not to be given back while one is in use" {
    before=$(row Images | cut -d'|' -f3)
    caisson run --name base busybox true
    caisson commit base child >/dev/null
    [ "$(row Images | cut -d'|' -f1)" = 2 ]
    [ "$(row Images | cut -d'|' -f3)" = "$before" ]
    [[ $(row Images | cut -d'|' -f4) == "0B (0%)" ]]
    caisson rmi child >/dev/null
}

@test "df -v names each image, container and volume; json is one object a line" {
    caisson create --name web -v data:/data busybox true
    run -0 caisson system df -v
    [[ $output == *busybox* && $output == *web* && $output == *data* ]]
    caisson system df --format json | python3 -c '
import json, sys
assert [json.loads(line)["Type"] for line in sys.stdin] == ["Images", "Containers", "Local Volumes", "Build Cache"]'
    fails 1 "contradict" caisson system df -v --format json
}

@test "prune removes ended containers and nameless images, and nothing that is used or has a name" {
    caisson run --name ended busybox true
    caisson run -d --name web -v data:/data -v /anonymous busybox sleep 100
    caisson create --name vols -v /lonely busybox true
    caisson rm vols
    caisson commit ended old >/dev/null
    caisson commit -m again ended old >/dev/null
    run -0 caisson system prune -f
    [[ $output == *"Deleted Containers:"* && $output == *"Deleted Images:"* && $output == *"Total reclaimed space: "* ]]
    [[ $output != *"Deleted Volumes:"* ]]
    [ "$(caisson ps -aq | wc -l)" = 1 ]
    [ "$(caisson images -q | wc -l)" = 2 ]
    [ "$(caisson volume ls -q | wc -l)" = 3 ]
    run -0 caisson system prune -f --volumes
    [ "$(caisson volume ls -q | wc -l)" = 2 ]
    run -0 caisson system prune -a -f
    [ "$(caisson images --format '{{.Repository}}')" = busybox ]
    [ "$(caisson exec web echo fine)" = fine ]
}

@test "prune asks, and refuses where there is nobody to ask; filters hold" {
    caisson run --name one -l keep=1 busybox true
    caisson run --name two busybox true
    fails 1 "give -f" caisson system prune </dev/null
    fails 1 "contradict" caisson system prune -f --volumes --filter until=1h
    fails 1 "known are" caisson system prune -f --filter colour=red
    caisson system prune -f --filter until=24h
    [ "$(caisson ps -aq | wc -l)" = 2 ]
    caisson system prune -f --filter label=keep=1
    [ "$(caisson ps -a --format '{{.Names}}')" = two ]
}
