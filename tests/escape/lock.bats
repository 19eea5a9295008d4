#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Ways around a lock file, and what a lock file must not be a way around.
load ../lib/common
load ../lib/network
load ../lib/certificates
load ../lib/registry
load ../lib/trust

setup_file() { common_setup_file; registry_usable || return 0; registry_begin; trust_begin; }
setup() {
    registry_usable || skip "needs root, docker-registry, openssl and python3"
    registry_place
    trust_place
    caisson builder prune -af >/dev/null
    caisson system prune -af >/dev/null
}
teardown_file() { common_teardown_file; registry_end; }

R=127.0.0.1:5000
F=127.0.0.1:5002
machine() { case $(uname -m) in x86_64) echo amd64 ;; aarch64) echo arm64 ;; *) uname -m ;; esac; }

@test "who signed before is remembered of a name that is held, too" {
    digest=$(put k1/app:1)
    sign k1/app "$digest" ecdsa name=$R/k1/app:1
    policy "$(signed ecdsa)"
    caisson pull -q $R/k1/app:1
    trust_place
    put k1/app:1 seed=other layers=1 >/dev/null
    dockerfile "FROM $R/k1/app:1"
    caisson lock -q
    fails 1 "was signed by" build -q .
    fails 1 "was signed by" caisson pull -q $R/k1/app:1
}

@test "a policy is asked about the name that is held, not about its digest" {
    put k2/app:1 >/dev/null
    dockerfile "FROM $R/k2/app:1"
    caisson lock -q
    scopes $R/k2/app:1 '{"type": "reject"}'
    fails 1 "is refused by" build -q .
    # Signed as another tag.
    digest=$(put k2/app:dev)
    sign k2/app "$digest" ecdsa name=$R/k2/app:dev
    policy "$(signed ecdsa)"
    fails 1 "the signature is of $R/k2/app:dev" build -q .
    sign k2/app "$digest" ecdsa name=$R/k2/app:1
    build -q . >/dev/null
}

@test "an image that is here by another name of its repository was not asked about by this one" {
    digest=$(put k12/app:dev)
    put k12/app:prod >/dev/null
    dockerfile "FROM $R/k12/app:prod"
    caisson lock -q
    caisson pull -q --no-lock $R/k12/app:dev
    [ "$(caisson image inspect --format '{{index .RepoDigests 0}}' $R/k12/app:dev)" = "$R/k12/app@$digest" ]
    scopes $R/k12/app:prod '{"type": "reject"}'
    fails 1 "is refused by" build -q .
    # Once it was, nobody is asked again, registries included.
    trust_place
    build -q . >/dev/null
    put k12/own:1 >/dev/null
    dockerfile "FROM $F/k12/own:1"
    caisson lock -q
    caisson pull -q $F/k12/own:1
    : >"$BATS_FILE_TMPDIR/requests"
    build -q . >/dev/null
    build -q --pull --no-cache . >/dev/null
    [ -z "$(requests)" ]
}

@test "passwords and missing TLS are for one registry, whatever the files name" {
    put k3/a:1 >/dev/null
    dockerfile "FROM $R/k3/a:1" "FROM $F/k3/a:1"
    fails 1 "--creds: which registries are asked is said by the project's files" caisson lock --creds ada:secret
    fails 1 "--tls-verify=false goes with one registry" caisson lock --tls-verify=false
    caisson lock -q
    : >"$BATS_FILE_TMPDIR/requests"
    fails 1 "--creds goes with one NAME" caisson pull --creds ada:secret
    fails 1 "--creds goes with one NAME" caisson pull --creds ada:secret $R/k3/a:1 $F/k3/a:1
    fails 1 "--tls-verify=false goes with one NAME" caisson pull --tls-verify=false
    [ -z "$(requests)" ]
}

@test "aliases mean in a lock file what they mean without" {
    meant=$(put k4/web:1 layers=1)
    cp "$CAISSON_TEST_REGISTRIES" conf
    printf '[aliases]\nweb = "%s/k4/web"\n' "$R" >>conf
    export CONTAINERS_REGISTRIES_CONF=$PWD/conf
    dockerfile "FROM web:1" "COPY --from=web:1 /layer-0 /x"
    caisson lock -q
    [ "$(grep -v '^#' caisson.lock)" = "version 1
$R/k4/web:1 $meant" ]
    build -q . >/dev/null
    put k4/web:1 seed=moved layers=1 >/dev/null
    build -q --no-cache . >/dev/null
    run -0 caisson pull web:1
    [[ $output == *"held to"*"Digest: $meant"* ]]
    # Also of what is ours: not what has the name without the alias.
    printf 'FROM scratch\nENV WHICH=ours\n' >Ours
    printf 'FROM scratch\nENV WHICH=other\n' >Other
    build -q --no-lock -t $R/k4/web:2 -f Ours . >/dev/null
    build -q --no-lock -t docker.io/library/web:2 -f Other . >/dev/null
    dockerfile "FROM web:2" "ENV A=1"
    build -q -t result . >/dev/null
    [[ $(caisson image inspect --format '{{json .Config.Env}}' result) == *WHICH=ours* ]]
}

@test "what was pulled is never ours, on which platform and by which name it was" {
    put k5/app:1 platforms=linux/amd64,linux/arm64 >/dev/null
    digest=$(caisson manifest inspect --digest $R/k5/app:1)
    dockerfile "FROM scratch"
    caisson lock -q
    caisson pull -q --platform linux/amd64 $R/k5/app@"$digest"
    caisson pull -q --no-lock --platform linux/arm64 $R/k5/app:1
    dockerfile "FROM --platform=linux/arm64 $R/k5/app:1"
    fails 1 "is not in caisson.lock" build -q .
    # A pull that was killed before its end had begun with something.
    put k5/app:2 >/dev/null
    caisson pull -q --no-lock $R/k5/app:2
    record=$CAISSON_ROOT/pulled/$(ls "$CAISSON_ROOT/pulled" | grep 'k5.*app.*2$')
    sed -i "s/^digest /coming /" "$record"
    dockerfile "FROM $R/k5/app:2"
    fails 1 "is not in caisson.lock" build -q .
}

@test "a name of ours is not fetched for another platform" {
    other=$([ "$(machine)" = arm64 ] && echo amd64 || echo arm64)
    dockerfile "FROM scratch" "ENV A=1"
    build -q -t $F/k6/ours:1 . >/dev/null
    id=$(caisson image inspect --format '{{.Id}}' $F/k6/ours:1)
    put k6/ours:1 platforms=linux/$other >/dev/null
    dockerfile "FROM --platform=linux/$other $F/k6/ours:1"
    caisson lock -q
    : >"$BATS_FILE_TMPDIR/requests"
    run build -q .
    [ -z "$(requests)" ]
    [ "$(caisson image inspect --format '{{.Id}}' $F/k6/ours:1)" = "$id" ]
}

@test "named contexts are not asked of a registry, and are held where they are images" {
    put k7/real:1 layers=1 >/dev/null
    mkdir dir
    echo fine >dir/file
    dockerfile "FROM scratch" "COPY --from=$F/k7/none:1 /file /" "COPY --from=$F/k7/img:1 /layer-0 /"
    caisson lock -q --build-context $F/k7/none:1=dir --build-context $F/k7/img:1=docker-image://$F/k7/real:1
    grep -q "^$F/k7/real:1 " caisson.lock
    [ "$(grep -c sha256: caisson.lock)" = 1 ]
    : >"$BATS_FILE_TMPDIR/requests"
    build -q --build-context $F/k7/none:1=dir --build-context $F/k7/img:1=docker-image://$F/k7/real:1 . >/dev/null
    [ "$(asked GET "/v2/k7/(none|img)")" = 0 ]
    # A layout is not a name.
    caisson save --format oci-archive -o layout.tar $F/k7/real@"$(grep -o 'sha256:.*' caisson.lock)"
    mkdir layout && tar -C layout -xf layout.tar
    chmod -R a+rX layout
    dockerfile "FROM base"
    build -q --build-context base=oci-layout://layout . >/dev/null
}

@test "the provenance names what was built from" {
    old=$(put k8/app:1 layers=1)
    dockerfile "FROM $R/k8/app:1" "ENV A=1"
    caisson lock -q
    put k8/app:1 seed=new layers=1 >/dev/null
    caisson pull -q --no-lock $R/k8/app:1
    build -q --provenance=true -o type=oci,dest=out.tar .
    [ "$(for blob in $(tar -tf out.tar | grep blobs/sha256/.); do tar -xOf out.tar "$blob" | grep -ao "resolvedDependencies.*" || true; done | grep -c "${old#sha256:}")" -ge 1 ]
}

@test "pull is held by no file that anybody could have put there" {
    put k9/app:1 >/dev/null
    dockerfile "FROM $R/k9/app:1"
    caisson lock -q
    mkdir -m 1777 shared
    sed 's/^version/# of somebody\n&/' caisson.lock >shared/caisson.lock
    chown 12345 shared/caisson.lock
    cd shared
    fails 1 "could be anybody's" caisson pull -q $R/k9/app:1
    fails 1 "could be anybody's" caisson pull -q
    caisson pull -q --no-lock $R/k9/app:1
    caisson pull -q --lock-file caisson.lock $R/k9/app:1
    cd ..
    # Whoever types a name is told, also with -q.
    run -0 --separate-stderr caisson pull -q $R/k9/app:1
    [ "$output" = "$R/k9/app:1" ]
    [[ $stderr == *"is held to sha256:"*" by caisson.lock"* ]]
}

@test "pull -a takes what a named file has, and no others" {
    put k10/app:1 >/dev/null
    put k10/app:2 layers=1 >/dev/null
    dockerfile "FROM $R/k10/app:1"
    caisson lock -q
    [ "$(caisson pull -q -a --lock-file caisson.lock $R/k10/app)" = $R/k10/app:1 ]
}

@test "nobody goes on pulling when who asked for several is gone" {
    put k11/app:1 layers=1 >/dev/null
    rule GET '/v2/k11/app/manifests' 0 stall 20
    caisson pull -q $F/k11/app:1 $F/k11/app:2 >/dev/null 2>&1 3>&- &
    them() { pgrep -f "pull -q $F/k11/app:1" "$@"; }
    two() { [ "$(them | wc -l)" = 2 ]; }
    none() { ! them; }
    waits 10 two
    sleep 0.5
    kill "$(them -o)"
    waits 10 none
    wait
}
