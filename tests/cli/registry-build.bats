#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# build: images that are not here come from their registries.
load ../lib/common
load ../lib/network
load ../lib/certificates
load ../lib/registry

setup_file() { common_setup_file; registry_usable || return 0; registry_begin; }
setup() {
    registry_usable || skip "needs root, docker-registry, openssl and python3"
    registry_place
    caisson builder prune -af >/dev/null
}
teardown_file() { common_teardown_file; registry_end; }

R=127.0.0.1:5000
F=127.0.0.1:5002

@test "FROM and --from of what is not here; once it is, nobody is asked" {
    put base:1 >/dev/null
    put files:1 layers=1 >/dev/null
    put unused:1 >/dev/null
    dockerfile "FROM $F/unused:1 AS unused" "FROM $F/base:1" "COPY --from=$F/files:1 /layer-0 /x" \
        "RUN --mount=from=$F/files:1,target=/m cat /m/layer-0 >/y"
    run -0 build -t built .
    [[ $output == *"1: Pulling from $F/base"* ]]
    [[ $output != *"$F/unused"*Pulling* ]]
    [ "$(asked GET /v2/unused)" = 0 ]
    : >"$BATS_FILE_TMPDIR/requests"
    build --no-cache -q . >/dev/null
    [ -z "$(requests)" ]
}

@test "--pull asks again, and takes what moved" {
    put moving:1 seed=a layers=1 >/dev/null
    dockerfile "FROM $R/moving:1" "RUN sha256sum /layer-0 >/sum"
    build -q -t one . >/dev/null
    put moving:1 seed=b layers=1 >/dev/null
    build -q -t two . >/dev/null
    [ "$(caisson image inspect one -f '{{.Id}}')" = "$(caisson image inspect two -f '{{.Id}}')" ]
    run -0 build --pull -t two .
    [[ $output == *"has moved: it was"* ]]
    [ "$(caisson image inspect one -f '{{.Id}}')" != "$(caisson image inspect two -f '{{.Id}}')" ]
    # What cannot be asked for is an error then, also when it is here.
    dockerfile "FROM 127.0.0.1:5999/app:1"
    caisson tag $R/moving:1 127.0.0.1:5999/app:1
    build -q . >/dev/null
    fails 1 "--pull: 127.0.0.1:5999/app:1 was not fetched, as said above" build --pull .
}

@test "what cannot be fetched: why, and the line that wants it" {
    dockerfile "FROM $R/none:1"
    rc=0
    build . 2>said || rc=$?
    [ "$rc" = 1 ]
    grep -q "127.0.0.1:5000 has no none:1" said
    grep -q "no such image: $R/none:1" said
    dockerfile "FROM alpine"
    fails 1 "is blocked by" build .
}

@test "FROM --platform, FROM by digest, and aliases" {
    digest=$(put many:1 "platforms=linux/amd64,linux/arm64,linux/s390x")
    dockerfile "FROM --platform=linux/s390x $R/many:1" "COPY Dockerfile /"
    build -q -t other . >/dev/null
    [ "$(caisson image inspect other -f '{{.Architecture}}')" = s390x ]
    dockerfile "FROM --platform=linux/arm64 $R/many:1" "COPY Dockerfile /"
    build -q -t other . >/dev/null
    [ "$(caisson image inspect other -f '{{.Architecture}}')" = arm64 ]
    dockerfile "FROM $R/many@$digest" "COPY Dockerfile /"
    build -q -t other . >/dev/null
    printf '[aliases]\n"many"="%s/many"\n[[registry]]\nlocation="%s"\ninsecure=true\n' $R $R >conf
    dockerfile "FROM many:1" "COPY Dockerfile /"
    CONTAINERS_REGISTRIES_CONF=$PWD/conf build -q -t other . >/dev/null
}
