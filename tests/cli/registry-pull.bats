#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# pull: images of a registry into the store.
load ../lib/common
load ../lib/network
load ../lib/certificates
load ../lib/registry

setup_file() { common_setup_file; registry_usable || return 0; registry_begin; }
setup() {
    registry_usable || skip "needs root, docker-registry, openssl and python3"
    registry_place
}
teardown_file() { common_teardown_file; registry_end; }

R=127.0.0.1:5000
machine() { uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/'; }

@test "pull: the image runs, and says what it is" {
    digest=$(put app:1 layers=2 size=100000)
    run -0 --separate-stderr caisson pull $R/app:1
    [ "${lines[0]}" = "1: Pulling from $R/app" ]
    [[ $output == *"Digest: $digest"* ]]
    [[ $output == *"Status: Downloaded newer image for $R/app:1"* ]]
    [ "${lines[-1]}" = "$R/app:1" ]
    [ "$(grep -c 'Pull complete' <<<"$stderr")" = 3 ]
    [ "$(caisson run --rm --network none $R/app:1 sh -c 'echo $FROM')" = registry ]
    [ "$(caisson run --rm --network none $R/app:1 sha256sum /layer-1 | cut -c1-64)" = \
        "$(python3 -c 'import hashlib
at = hashlib.sha256(b"1").digest(); out = b""
while len(out) < 100000:
    at = hashlib.sha256(at).digest(); out += at
print(hashlib.sha256(out[:100000]).hexdigest())')" ]
}

@test "pull: once more is up to date and asks for no layer; -q prints only the name" {
    put app:2 >/dev/null
    rule GET /nothing 0 status 500
    caisson pull -q 127.0.0.1:5002/app:2
    : >"$BATS_FILE_TMPDIR/requests"
    run -0 --separate-stderr caisson pull 127.0.0.1:5002/app:2
    [[ $output == *"Image is up to date for 127.0.0.1:5002/app:2"* ]]
    [[ $stderr == *"Already exists"* ]]
    [ "$(asked GET '.*/blobs/')" = 1 ] # the configuration
    run -0 --separate-stderr caisson pull -q 127.0.0.1:5002/app:2
    [ "$output" = 127.0.0.1:5002/app:2 ]
    [ -z "$stderr" ]
}

@test "pull: a layer that another image has is not fetched again" {
    put one:1 layers=1 >/dev/null
    put two:1 layers=2 >/dev/null
    caisson pull -q $R/one:1
    run -0 caisson pull $R/two:1
    [ "$(grep -c 'Already exists' <<<"$output")" = 2 ]
    [ "$(grep -c 'Pull complete' <<<"$output")" = 1 ]
}

@test "pull: a tag that moved is told" {
    before=$(put moving:1 seed=a layers=1)
    caisson pull -q $R/moving:1
    now=$(put moving:1 seed=b layers=1)
    [ "$before" != "$now" ]
    run -0 caisson pull $R/moving:1
    [[ $output == *"$R/moving:1 has moved: it was $before"* ]]
    [[ $output == *"Downloaded newer image"* ]]
    # Also when the image was removed meanwhile.
    caisson rmi $R/moving:1
    put moving:1 seed=c layers=1 >/dev/null
    run -0 caisson pull $R/moving:1
    [[ $output == *"has moved: it was $now"* ]]
}

@test "pull: by digest, of a manifest and of an index" {
    digest=$(put app:3)
    [ "$(caisson pull -q "$R/app@$digest")" = "$R/app@$digest" ]
    [ "$(caisson run --rm --network none "$R/app@$digest" echo fine)" = fine ]
    fails 1 "has no app@sha256:0000" caisson pull -q $R/app@sha256:0000000000000000000000000000000000000000000000000000000000000000
    index=$(put many:1 "platforms=linux/$(machine),linux/s390x")
    caisson pull -q "$R/many@$index"
    [ "$(caisson run --rm --network none "$R/many@$index" echo fine)" = fine ]
    # A tag does not count beside a digest, as with Docker.
    caisson pull -q "$R/app:nonsense@$digest"
}

@test "pull: the index of a tag is what its name is known by" {
    index=$(put many:2 "platforms=linux/s390x,linux/$(machine)" annotation)
    caisson pull -q $R/many:2
    [ "$(caisson run --rm --network none $R/many:2 cat /platform)" = "linux/$(machine)" ]
    run -0 caisson run --rm --network none "$R/many@$index" echo fine
    [[ $(caisson image inspect $R/many:2 --format '{{json .RepoDigests}}') == *"$index"* ]]
}

@test "pull: the platform that is asked for; one that there is not" {
    put many:3 "platforms=linux/$(machine),linux/arm/v6,linux/arm/v7,linux/s390x" docker >/dev/null
    caisson pull -q --platform linux/arm/v6 $R/many:3
    [ "$(caisson image inspect $R/many:3 --format '{{.Architecture}} {{.Variant}}')" = "arm v6" ]
    caisson pull -q --platform s390x $R/many:3
    [ "$(caisson image inspect $R/many:3 --format '{{.Architecture}}')" = s390x ]
    fails 1 "has no image for linux/riscv64, only for: linux/$(machine), linux/arm" \
        caisson pull -q --platform linux/riscv64 $R/many:3
}

@test "pull: gzip, zstd and plain layers, Docker's and OCI's types" {
    put packed:zstd pack=zstd layers=1 seed=z >/dev/null
    put packed:plain pack=plain layers=1 seed=p >/dev/null
    put packed:docker docker layers=1 seed=d >/dev/null
    for tag in zstd plain docker; do
        caisson pull -q $R/packed:$tag
        [ "$(caisson run --rm --network none $R/packed:$tag echo $tag)" = $tag ]
    done
    put packed:foreign docker foreign layers=1 seed=f save=foreign
    rule GET '/manifests/foreign$' 0 file application/vnd.docker.distribution.manifest.v2+json "$PWD/foreign"
    layer=$(python3 -c 'import json, sys; print(json.load(open("foreign"))["layers"][-1]["digest"])')
    rule GET "/blobs/$layer" 1 status 404
    fails 1 "127.0.0.1:5002 has not the layer $layer, which its maker keeps elsewhere" caisson pull -q 127.0.0.1:5002/packed:foreign
    caisson pull -q 127.0.0.1:5002/packed:foreign
    caisson tag 127.0.0.1:5002/packed:foreign $R/passed:on
    fails 1 "may not be passed on (application/vnd.docker.image.rootfs.foreign.diff.tar.gzip); --allow-nondistributable" \
        caisson push -q $R/passed:on
    [ "$(asked PUT /v2/passed)" = 0 ]
    caisson push -q --allow-nondistributable $R/passed:on
}

@test "pull -a: every tag" {
    for tag in x y z; do put tags:$tag seed=$tag layers=1 >/dev/null; done
    run -0 --separate-stderr caisson pull -a -q $R/tags
    [ "$(sort <<<"$output")" = "$R/tags:x
$R/tags:y
$R/tags:z" ]
    fails 1 "leave the tag out" caisson pull -a $R/tags:x
}

@test "pull: TLS is asked for, also on loopback, and what may be done about it is said" {
    put app:4 >/dev/null
    : >conf
    fails 1 "--tls-verify=false, or insecure = true" env CONTAINERS_REGISTRIES_CONF=conf \
        nsenter --net="/proc/$NET/ns/net" "${PERSON[@]}" "$CAISSON_BUILD/caisson" pull -q $R/app:4
    CONTAINERS_REGISTRIES_CONF=conf caisson pull -q --tls-verify=false $R/app:4
    fails 1 "does not speak TLS" caisson pull -q --tls-verify=true $R/app:4
    # A certificate that nobody knows.
    mv "$HOME/.config/containers/certs.d" "$HOME/away"
    fails 1 "certificate that is not to be trusted" caisson pull -q localhost:5003/public/app:4
    mv "$HOME/away" "$HOME/.config/containers/certs.d"
    put public/app:4 >/dev/null
    caisson pull -q localhost:5003/public/app:4
    # A name that the certificate is not for.
    mkdir -p "$HOME/.config/containers/certs.d/localhost.localdomain:5003"
    cp "$CA" "$HOME/.config/containers/certs.d/localhost.localdomain:5003/ca.crt"
    fails 1 "cannot" caisson pull -q localhost.localdomain:5003/public/app:4
}

@test "pull: what is missing, and who is not there" {
    fails 1 "127.0.0.1:5000 has no app:none: manifest unknown" caisson pull -q $R/app:none
    fails 1 "has no nothing/there:1" caisson pull -q $R/nothing/there:1
    fails 1 "cannot connect to 127.0.0.1:5999" caisson pull -q 127.0.0.1:5999/app
    fails 1 "is blocked by" caisson pull -q alpine
    fails 1 "invalid" caisson pull -q 'App:1'
    [ -z "$(caisson images -q)" ]
}

@test "pull --policy: missing does not ask, never does not fetch" {
    put app:5 >/dev/null
    fails 1 "no such image: 127.0.0.1:5002/app:5, and --policy never fetches none" \
        caisson pull -q --policy never 127.0.0.1:5002/app:5
    [ -z "$(requests)" ]
    caisson pull -q --policy missing 127.0.0.1:5002/app:5
    : >"$BATS_FILE_TMPDIR/requests"
    caisson pull -q --policy missing 127.0.0.1:5002/app:5
    [ -z "$(requests)" ]
    caisson pull -q 127.0.0.1:5002/app:5
    [ -n "$(requests)" ]
}

@test "run and create fetch what is missing; --pull always asks, never does not" {
    put app:6 >/dev/null
    run -0 --separate-stderr caisson run --rm --network none $R/app:6 echo fine
    [ "$output" = fine ]
    [[ $stderr == "Unable to find image '$R/app:6' locally"* ]]
    [[ $stderr == *"Status: Downloaded newer image for $R/app:6"* ]]
    run -0 --separate-stderr caisson run --rm --network none $R/app:6 echo fine
    [[ $stderr != *Pulling* ]]
    run -0 --separate-stderr caisson run --rm --network none --pull always $R/app:6 echo fine
    [[ $stderr == *"Image is up to date"* ]]
    caisson rmi $R/app:6
    fails 125 "no such image: $R/app:6" caisson run --rm --pull never $R/app:6 true
    id=$(caisson create -q --network none $R/app:6 true)
    caisson start -a "$id"
    caisson rm "$id"
    fails 125 "was not fetched, as said above" caisson run --rm $R/app:none true
    run -0 --separate-stderr caisson run -q --rm --network none $R/app:6 echo fine
    [ -z "$stderr" ]
}

@test "run --platform: another one than is here is fetched" {
    put many:4 "platforms=linux/$(machine),linux/s390x" >/dev/null
    caisson pull -q --platform linux/s390x $R/many:4
    [ "$(caisson run --rm --network none --platform "linux/$(machine)" $R/many:4 echo fine)" = fine ]
}

@test "registries.conf: prefixes, locations, mirrors, aliases, blocked ones" {
    put team/app:1 >/dev/null
    cat >conf <<EOF
[aliases]
"tool" = "127.0.0.1:5000/team/app"
[[registry]]
prefix = "registry.example/old"
location = "127.0.0.1:5000/team"
insecure = true
[[registry]]
location = "127.0.0.1:5000"
insecure = true
[[registry]]
prefix = "mirrored.example"
location = "127.0.0.1:5999"
[[registry.mirror]]
location = "127.0.0.1:5998"
[[registry.mirror]]
location = "127.0.0.1:5002/team"
insecure = true
[[registry]]
prefix = "*.blocked.example"
blocked = true
EOF
    export CONTAINERS_REGISTRIES_CONF=$PWD/conf
    [ "$(caisson pull -q registry.example/old/app:1)" = registry.example/old/app:1 ]
    [ "$(caisson pull -q mirrored.example/app:1)" = mirrored.example/app:1 ]
    [ "$(asked GET /v2/team/app/manifests/1)" = 1 ]
    [ "$(caisson pull -q tool:1)" = 127.0.0.1:5000/team/app:1 ]
    [ "$(caisson run -q --rm --network none tool:1 echo fine)" = fine ]
    fails 1 "a.blocked.example/x is blocked by $PWD/conf" caisson pull -q a.blocked.example/x
    # Nobody has it: what all of them said.
    fails 1 "before that: cannot connect to 127.0.0.1:5998" caisson pull -q mirrored.example/none:1
}

@test "registries.conf: mistakes are told with file and line" {
    printf '[[registry]]\nlocation = "a"\ninsecure = yes\n' >conf
    export CONTAINERS_REGISTRIES_CONF=$PWD/conf
    fails 1 "$PWD/conf:3: no value that is read here" caisson pull -q $R/x
    printf '[registries.search]\nregistries = ["a"]\n' >conf
    fails 1 "version 1 of the format" caisson pull -q $R/x
    printf '[[registry]]\nlocation = "https://a/"\n' >conf
    fails 1 "leave out what stands before the host" caisson pull -q $R/x
    CONTAINERS_REGISTRIES_CONF=$PWD/none fails 1 "which CONTAINERS_REGISTRIES_CONF names" caisson pull -q $R/x
}

@test "events: a pull and a push are told" {
    put app:7 >/dev/null
    caisson pull -q $R/app:7
    caisson push -q $R/app:7
    run -0 caisson events --since 1h --until 0s --filter type=image --format '{{.Action}} {{.Actor.Attributes.name}}'
    [[ $output == *"pull $R/app:7"* ]]
    [[ $output == *"push $R/app:7"* ]]
}

@test "manifest inspect: what the registry has, formatted or as it is" {
    digest=$(put many:5 "platforms=linux/$(machine),linux/s390x")
    run -0 caisson manifest inspect $R/many:5
    [ "$(python3 -c 'import json, sys; print([m["platform"]["architecture"] for m in json.load(sys.stdin)["manifests"]])' <<<"$output")" = "['$(machine)', 's390x']" ]
    [ "sha256:$(caisson manifest inspect --raw $R/many:5 | sha256sum | cut -d' ' -f1)" = "$digest" ]
    [ "$(caisson manifest inspect -v $R/many:5 | python3 -c 'import json, sys; print(json.load(sys.stdin)["Digest"])')" = "$digest" ]
    caisson manifest inspect "$R/many@$digest" >/dev/null
    fails 1 "has no many:none" caisson manifest inspect $R/many:none
    [ -z "$(caisson images -q)" ]
}

@test "image inspect --remote: an image that is not here" {
    digest=$(put many:6 "platforms=linux/$(machine),linux/s390x" layers=1 size=50000)
    [ "$(caisson image inspect --remote -f '{{.Architecture}} {{index .Config.Env 0}} {{len .RootFS.Layers}}' $R/many:6)" = "$(machine) FROM=registry 3" ]
    [ "$(caisson image inspect --remote --platform linux/s390x -f '{{.Architecture}} {{index .RepoDigests 0}}' $R/many:6)" = "s390x $R/many@$digest" ]
    [ -z "$(caisson images -q)" ]
    fails 1 "one image at a time" caisson image inspect --remote $R/many:6 $R/many:5
    fails 1 "no such image" caisson image inspect $R/many:6
}

@test "search: repositories of a registry, Docker's index where it may be asked" {
    put found/one:1 >/dev/null
    put found/two:1 >/dev/null
    run -0 caisson search --format '{{.Name}}' $R/found
    [ "$output" = "$R/found/one
$R/found/two" ]
    [ "$(caisson search --limit 1 --format '{{.Name}}' $R/found)" = $R/found/one ]
    fails 1 "is blocked by" caisson search nginx
    rule GET _catalog 0 status 401
    fails 1 "refuses a list of its repositories" caisson search 127.0.0.1:5002/x
}
