#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# push: images of the store to a registry.
load ../lib/common
load ../lib/network
load ../lib/certificates
load ../lib/registry

setup_file() { common_setup_file; registry_usable || return 0; registry_begin; image; }
setup() {
    registry_usable || skip "needs root, docker-registry, openssl and python3"
    registry_place
    image
}
teardown_file() { common_teardown_file; registry_end; }

R=127.0.0.1:5000
F=127.0.0.1:5002
# manifest REPOSITORY:TAG: what the registry has.
manifest() {
    in_net python3 -c '
import http.client, sys
repository, tag = sys.argv[1].rsplit(":", 1)
c = http.client.HTTPConnection("127.0.0.1:5000")
c.request("GET", f"/v2/{repository}/manifests/{tag}", headers={"Accept": "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"})
print(c.getresponse().read().decode())' "$1"
}
field() { python3 -c 'import json, sys; print(eval(sys.argv[1], {"m": json.load(sys.stdin)}))' "$1"; }
# two LAYERS: an image of busybox and files of their own, called $1.
two() {
    printf 'FROM busybox\nCOPY a /a\nCOPY b /b\n' >Dockerfile
    date +%N >a
    head -c 3000000 /dev/urandom >b
    caisson build -q --network none -t "$1" . >/dev/null
}

@test "push: the image comes back the same" {
    two $R/app:1
    id=$(caisson image inspect $R/app:1 --format '{{.Id}}')
    run -0 --separate-stderr caisson push $R/app:1
    [ "${lines[0]}" = "The push refers to repository [$R/app]" ]
    [[ ${lines[1]} =~ ^"1: digest: sha256:"[0-9a-f]{64}" size: "[0-9]+$ ]]
    [ "$(grep -c ': Pushed' <<<"$stderr")" = 3 ]
    [ "$(manifest app:1 | field 'm["layers"][1]["mediaType"]')" = application/vnd.oci.image.layer.v1.tar+gzip ]
    digest=$(sed -n 's/.*digest: \(sha256:[0-9a-f]*\).*/\1/p' <<<"$output")
    [[ $(caisson image inspect $R/app:1 --format '{{json .RepoDigests}}') == *"$R/app@$digest"* ]]
    sum=$(sha256sum <b)
    caisson rmi -f $R/app:1
    caisson pull -q "$R/app@$digest"
    [ "$(caisson image inspect "$R/app@$digest" --format '{{.Id}}')" = "$id" ]
    [ "$(caisson run --rm --network none "$R/app@$digest" cat /b | sha256sum)" = "$sum" ]
}

@test "push: what is there is not sent, what another repository has is mounted" {
    two $F/one:1
    caisson push -q $F/one:1
    : >"$BATS_FILE_TMPDIR/requests"
    run -0 --separate-stderr caisson push $F/one:1
    [ "$(grep -c 'Layer already exists' <<<"$stderr")" = 3 ]
    [ "$(asked PATCH)" = 0 ]
    caisson tag $F/one:1 $F/other/two:1
    run -0 --separate-stderr caisson push $F/other/two:1
    [ "$(grep -c 'Mounted from one' <<<"$stderr")" = 3 ]
    [ "$(asked PATCH)" = 0 ]
    caisson pull -q $F/other/two:1
}

@test "push: a mount that is refused goes on as an upload" {
    two $F/three:1
    caisson push -q $F/three:1
    caisson tag $F/three:1 $F/four:1
    rule POST 'mount=' 0 nomount
    caisson push -q $F/four:1
    [ "$(asked PATCH)" = 6 ]
    caisson rmi -f $F/three:1 $F/four:1
    caisson pull -q $F/four:1
}

@test "push: an image that was pulled keeps its digest where its layers are" {
    digest=$(put theirs:1 layers=2 docker)
    caisson pull -q $R/theirs:1
    caisson tag $R/theirs:1 $R/theirs:2
    run -0 caisson push $R/theirs:2
    [[ $output == *"2: digest: $digest"* ]]
    caisson tag $R/theirs:1 $R/copies/theirs:1
    run -0 caisson push $R/copies/theirs:1
    [[ $output == *"1: digest: $digest"* ]]
    # To where they are not: other bytes, another digest, the same image.
    caisson tag $R/theirs:1 localhost:5001/theirs:1
    caisson push -q --creds ada:secret localhost:5001/theirs:1
    id=$(caisson image inspect $R/theirs:1 --format '{{.Id}}')
    caisson rmi -f $R/theirs:1 $R/theirs:2 $R/copies/theirs:1 localhost:5001/theirs:1
    caisson pull -q --creds ada:secret localhost:5001/theirs:1
    [ "$(caisson image inspect localhost:5001/theirs:1 --format '{{.Id}}')" = "$id" ]
}

@test "push: zstd, levels, digestfile, quiet" {
    two $R/zstd:1
    run -0 --separate-stderr caisson push -q --compression zstd --compression-level 5 --digestfile "$PWD/digest" $R/zstd:1
    [ "$output" = $R/zstd:1 ]
    [ -z "$stderr" ]
    [[ $(cat digest) =~ ^sha256:[0-9a-f]{64}$ ]]
    manifest zstd:1 | grep -q 'layer.v1.tar+zstd'
    caisson rmi -f $R/zstd:1
    caisson pull -q $R/zstd:1
    fails 1 "from 1 to 9 for gzip" caisson push --compression-level 12 $R/zstd:1
}

@test "push -a: every tag that is here" {
    two $R/tags:x
    caisson tag $R/tags:x $R/tags:y
    run -0 caisson push -a -q $R/tags
    [ "$output" = "$R/tags:x
$R/tags:y" ]
    fails 1 "no image here is called" caisson push -a $R/none
    fails 1 "leave the tag out" caisson push -a $R/tags:x
}

@test "push: what cannot be" {
    fails 1 "no such image" caisson push $R/none:1
    fails 1 "leave '@sha256:" caisson push $R/app@sha256:0000000000000000000000000000000000000000000000000000000000000000
    caisson tag busybox 127.0.0.1:5999/x
    fails 1 "cannot connect to 127.0.0.1:5999" caisson push 127.0.0.1:5999/x
    caisson tag busybox blocked/x
    fails 1 "is blocked by" caisson push blocked/x
    fails 1 "cannot create the file" caisson push --digestfile /proc/none/x 127.0.0.1:5999/x
}

@test "push: a registry that fails once gets the layer again, one that refuses says why" {
    two $F/once:1
    rule PATCH . 1 status 500
    caisson push -q $F/once:1
    two $F/never:1
    rule PATCH . 0 status 413
    fails 1 "answers 413" caisson push -q $F/never:1
    : >"$BATS_FILE_TMPDIR/rules"
    rule PUT /manifests/ 0 status 400
    fails 1 "answers 400" caisson push -q $F/never:1
}

@test "push: a registry that does not say where uploads go" {
    two $F/where:1
    rule POST . 0 status 202
    fails 1 "does not say where" caisson push -q $F/where:1
}

@test "push: an upload that leads elsewhere does not take who we are along" {
    two localhost:5003/private/lead:1
    caisson login -u ada --password-stdin localhost:5003 <<<secret
    rule POST . 0 status 202 "Location=http://127.0.0.1:5000/v2/private/lead/blobs/uploads/x"
    fails 1 "leads from https to http" caisson push -q localhost:5003/private/lead:1
    : >"$BATS_FILE_TMPDIR/rules"
    : >"$BATS_FILE_TMPDIR/requests"
    rule POST . 0 status 202 "Location=https://127.0.0.1:5003/v2/private/lead/blobs/uploads/x"
    SSL_CERT_FILE=$CA fails 1 "" caisson push -q localhost:5003/private/lead:1
    [ "$(asked PATCH '.* Bearer')" = 0 ]
}

@test "push that is killed: the next one does it" {
    two $F/killed:1
    rule PATCH . 1 stall 20
    in_net "${PERSON[@]}" "$CAISSON_BUILD/caisson" push -q $F/killed:1 3>&- &
    pid=$!
    waits 10 pgrep -P "$pid" -f caisson
    sleep 0.5
    pkill -KILL -P "$pid" || true
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" || true
    : >"$BATS_FILE_TMPDIR/rules"
    caisson push -q $F/killed:1
    [ -z "$(ls -A "$CAISSON_ROOT/tmp")" ]
}
