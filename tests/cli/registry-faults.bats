#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# pull from registries on bad days: nothing half-made stays, what came is kept, and what is said is what
# happened.
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

F=127.0.0.1:5002
# nothing_left: no image, nothing being written, and no layer that nothing leads to once collected.
nothing_left() {
    [ -z "$(caisson images -q)" ]
    [ -z "$(ls -A "$CAISSON_ROOT/tmp")" ]
    caisson image prune -f >/dev/null
    [ -z "$(ls -A "$CAISSON_ROOT/layers" "$CAISSON_ROOT/partial" 2>/dev/null | grep -v :)" ]
}
layer_rule() { rule GET '/blobs/sha256' "$@"; }

@test "another content than the digest says is refused: manifest, configuration, layer" {
    digest=$(put app:1 layers=1)
    rule GET '/manifests/' 0 flip
    fails 1 "sent something else for app@sha256" caisson pull -q "$F/app@$digest"
    : >"$BATS_FILE_TMPDIR/rules"
    # The first blob that is asked for is the configuration.
    rule GET '/blobs/' 1 flip
    fails 1 "sent something else for the image's configuration than the manifest names" caisson pull -q $F/app:1
    : >"$BATS_FILE_TMPDIR/rules"
    caisson pull -q $F/app:1
    caisson rmi $F/app:1
    rule GET '/blobs/' 0 flip
    fails 1 "" caisson pull -q $F/app:1
    nothing_left
}

@test "a layer whose content is not what the configuration says is refused" {
    put app:diff layers=1 wrong-diff-id >/dev/null
    fails 1 "is damaged: unpacked, its content has the digest" caisson pull -q $F/app:diff
    nothing_left
}

@test "a connection that is cut is taken up again where it was" {
    put app:cut layers=1 size=3000000 bare >/dev/null
    rule GET '/blobs/' 1 status 503 # the configuration's, too, is asked for again
    rule GET '/blobs/' 3 cut 1000000
    caisson pull -q $F/app:cut
    [[ $(requests) == *"bytes=1000000-"* ]]
    [[ $(requests) == *"bytes=2000000-"* ]]
    caisson image inspect $F/app:cut >/dev/null
}

@test "a server that cuts again and again without a byte is given up" {
    put app:cuts layers=1 size=3000000 bare >/dev/null
    rule GET '/blobs/' 1 slow 100000000 # the configuration
    rule GET '/blobs/' 0 cut 0
    fails 1 "before all of it was there, again and again" caisson pull -q $F/app:cuts
    nothing_left
}

@test "a server that does not know ranges sends all of it again, and that is fine" {
    put app:norange layers=1 size=3000000 bare >/dev/null
    rule GET '/blobs/' 1 slow 100000000
    rule GET '/blobs/' 1 cut 1000000
    rule GET '/blobs/' 1 whole
    caisson pull -q $F/app:norange
    [ "$(asked GET '.*/blobs/.* 200')" -ge 2 ]
}

@test "429 and Retry-After, 500 then fine" {
    put app:busy layers=1 bare >/dev/null
    rule GET '/manifests/' 1 status 429 Retry-After=1
    rule GET '/blobs/' 2 status 500
    caisson pull -q $F/app:busy
    [ "$(asked GET '.*/manifests/busy 429')" = 1 ]
    : >"$BATS_FILE_TMPDIR/rules"
    rule GET '/manifests/' 0 status 429 Retry-After=100000
    fails 1 "asks to come again in 100000 seconds" caisson pull -q $F/app:busy
    : >"$BATS_FILE_TMPDIR/rules"
    rule GET '/manifests/' 0 status 500
    fails 1 "answers 500" caisson pull -q $F/app:busy
}

@test "a body without end is cut off at what was agreed on" {
    put app:endless layers=1 bare >/dev/null
    rule GET '/manifests/' 1 endless
    fails 1 "sends more than the 4194304 bytes" caisson pull -q $F/app:endless
    rule GET '/blobs/' 0 endless
    fails 1 "sends more than" caisson pull -q $F/app:endless
    nothing_left
}

@test "a manifest of 100 MB is not read" {
    put app:large layers=1 >/dev/null
    head -c 100000000 /dev/zero >large
    rule GET '/manifests/' 0 body "$PWD/large"
    fails 1 "sends more than the 4194304 bytes" caisson pull -q $F/app:large
}

@test "401 for ever ends, and says how to sign in" {
    rule GET '/v2/' 0 status 401 'WWW-Authenticate=Basic_realm="x"'
    fails 1 "caisson login $F" caisson pull -q $F/app:1
    [ "$(asked GET /v2/)" -le 2 ]
    : >"$BATS_FILE_TMPDIR/rules"
    : >"$BATS_FILE_TMPDIR/requests"
    # A token server that gives tokens that nobody takes.
    rule GET '^/token' 0 file application/json "$PWD/token"
    echo '{"token":"none"}' >token
    rule GET '/v2/' 0 status 401 "WWW-Authenticate=Bearer_realm=\"http://$F/token\",service=\"x\""
    fails 1 "refuses" caisson pull -q $F/app:1
    [ "$(asked GET /token)" -le 2 ]
    [ "$(asked GET /v2/)" -le 3 ]
}

@test "a token server over http does not get a password that came for TLS" {
    caisson login -u ada --password-stdin localhost:5003 <<<secret
    rule GET '/v2/' 0 status 401 "WWW-Authenticate=Bearer_realm=\"http://$F/token\",service=\"x\""
    fails 1 "token server without TLS" caisson pull -q localhost:5003/app:1
    [ "$(asked GET /token)" = 1 ] # that of login
}

@test "a redirect to another host is followed, without who we are" {
    put public/app:moved layers=1 >/dev/null
    caisson login -u ada --password-stdin localhost:5003 <<<secret
    rule GET '/blobs/' 0 redirect https://127.0.0.1:5003
    : >"$BATS_FILE_TMPDIR/requests"
    mkdir -p "$HOME/.config/containers/certs.d/127.0.0.1:5003"
    cp "$CA" "$HOME/.config/containers/certs.d/127.0.0.1:5003/ca.crt"
    mv "$HOME/.config/containers/certs.d/localhost:5003" "$HOME/away"
    SSL_CERT_FILE=$CA fails 1 "redirects more than 10 times" caisson pull -q localhost:5003/public/app:moved
    mv "$HOME/away" "$HOME/.config/containers/certs.d/localhost:5003"
    # The other host redirects as well, and saw nobody.
    [ "$(asked GET '.*/blobs/.* 307 Bearer')" = 1 ]
    [ "$(asked GET '.*/blobs/.* 307 -')" = 10 ]
}

@test "a redirect from https to http is not followed" {
    put public/app:down layers=1 >/dev/null
    rule GET '/blobs/' 1 redirect http://127.0.0.1:5000
    fails 1 "redirects from https to http" caisson pull -q localhost:5003/public/app:down
}

@test "redirects in a circle end" {
    put app:circle layers=1 >/dev/null
    rule GET '/blobs/' 0 redirect http://$F
    fails 1 "redirects more than 10 times" caisson pull -q $F/app:circle
}

@test "what is sent as something else than it says is refused" {
    put app:type layers=1 >/dev/null
    rule GET '/manifests/' 1 type application/vnd.oci.image.index.v1+json
    fails 1 "and it says that it is" caisson pull -q $F/app:type
    rule GET '/manifests/' 1 type application/vnd.docker.distribution.manifest.v1+prettyjws
    fails 1 "old schema 1" caisson pull -q $F/app:type
    echo '{"schemaVersion":2,"layers":[],"manifests":[]}' >both
    rule GET '/manifests/' 1 file application/json "$PWD/both"
    fails 1 "both an index and a manifest" caisson pull -q $F/app:type
    echo nonsense >nonsense
    rule GET '/manifests/' 1 file application/json "$PWD/nonsense"
    fails 1 "sent no manifest" caisson pull -q $F/app:type
    nothing_left
}

@test "an index that names itself cannot be, and says so" {
    put app:self layers=1 >/dev/null
    echo '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","size":10}]}' >self
    rule GET '/manifests/' 0 file application/vnd.oci.image.index.v1+json "$PWD/self"
    fails 1 "sent something else for app@sha256:0000" caisson pull -q $F/app:self
}

@test "a gzip bomb and names that leave the tree" {
    put app:bomb layers=1 bomb >/dev/null
    fails 1 "max-ratio" caisson pull -q $F/app:bomb
    put app:escape layers=1 escape >/dev/null
    fails 1 "escaped" caisson pull -q $F/app:escape
    nothing_left
    [ ! -e "$CAISSON_ROOT/../escaped" ]
}

@test "a pull that is killed goes on where it was" {
    put app:killed layers=1 size=8000000 bare >/dev/null
    rule GET '/blobs/' 1 slow 100000000 # the configuration
    rule GET '/blobs/' 1 slow 2000000
    in_net "${PERSON[@]}" "$CAISSON_BUILD/caisson" pull -q $F/app:killed 3>&- &
    pid=$!
    waits 10 sh -c "find '$CAISSON_ROOT/partial' -size +1000k | grep -q ."
    pkill -KILL -P "$pid" || true
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" || true
    : >"$BATS_FILE_TMPDIR/requests"
    run -0 --separate-stderr caisson pull $F/app:killed
    [[ $stderr == *"Pull complete (resumed)"* ]]
    [[ $(requests) == *" 206 - bytes="* ]]
    [ -z "$(ls -A "$CAISSON_ROOT/partial")" ]
}

@test "bytes of an earlier pull that are not right are fetched again" {
    put app:rotten layers=1 size=3000000 bare >/dev/null
    caisson pull -q $F/app:rotten
    layer=$(caisson image inspect $F/app:rotten --format '{{index .RootFS.Layers 0}}')
    blob=$(cut -d' ' -f1 "$CAISSON_ROOT/layers/${layer#sha256:}/blobs")
    caisson rmi $F/app:rotten
    head -c 1500000 /dev/zero | partial "$blob"
    caisson pull -q $F/app:rotten
    [ -z "$(ls -A "$CAISSON_ROOT/partial")" ]
    caisson rmi $F/app:rotten
    # More than there is.
    head -c 9000000 /dev/zero | partial "$blob"
    caisson pull -q $F/app:rotten
}

@test "two pulls of one image at once fetch each layer once" {
    put app:both layers=2 size=4000000 bare >/dev/null
    rule GET '/blobs/' 0 slow 8000000
    caisson pull -q $F/app:both &
    caisson pull -q $F/app:both
    wait $!
    caisson image inspect $F/app:both >/dev/null
    layers=$(requests | grep -E '/blobs/' | awk '{print $2}' | sort | uniq -c | awk '$1 == 1' | wc -l)
    [ "$layers" -ge 2 ]
}

@test "prune removes what unfinished pulls left" {
    put app:left layers=1 size=3000000 bare >/dev/null
    rule GET '/blobs/' 1 slow 100000000
    rule GET '/blobs/' 1 cut 2000000
    rule GET '/blobs/' 0 status 403
    fails 1 "answers 403" caisson pull -q $F/app:left
    [ -n "$(ls -A "$CAISSON_ROOT/partial")" ]
    run -0 caisson image prune -f
    [[ $output == *"Total reclaimed space: 2"* ]]
    [ -z "$(ls -A "$CAISSON_ROOT/partial")" ]
}

@test "a full disk half-way leaves nothing and says so" {
    by_root || skip "needs to mount"
    put app:full layers=1 size=8000000 bare >/dev/null
    mkdir small
    mount -t tmpfs -o size=4m tmpfs small
    rc=0
    CAISSON_ROOT=$PWD/small/root caisson pull -q $F/app:full 2>told || rc=$?
    left=$(find small/root/tmp small/root/layers -mindepth 1 2>/dev/null | wc -l)
    umount small
    [ "$rc" = 1 ]
    grep -q "No space left" told || grep -q "no space left" told
    [ "$left" = 0 ]
}

@test "connections that are cut anywhere, in every layer" {
    put app:torn layers=6 size=600000 bare >/dev/null
    local i
    for i in 1 2 3 4 5 6 7 8; do rule GET '/blobs/' 2 cut $((RANDOM * 17 + 1)); done
    caisson pull -q $F/app:torn
    [ "$(caisson image inspect $F/app:torn -f '{{len .RootFS.Layers}}')" = 6 ]
    for i in 0 1 2 3 4 5; do
        layer=$(caisson image inspect $F/app:torn -f "{{index .RootFS.Layers $i}}")
        [ "$(stat -c %s "$CAISSON_ROOT/layers/${layer#sha256:}/fs/layer-$i")" = 600000 ]
    done
}

# CAISSON_TEST_PULLS: how often; .ci/run says 100.
@test "pulls that are killed at any moment, then one that is not" {
    put app:mortal layers=6 size=1500000 bare >/dev/null
    rule GET '/blobs/' 0 slow 30000000
    local i pid
    for ((i = 0; i < ${CAISSON_TEST_PULLS:-12}; i++)); do
        nsenter --net="/proc/$NET/ns/net" "${PERSON[@]}" "$CAISSON_BUILD/caisson" pull -q $F/app:mortal >/dev/null 2>&1 3>&- &
        pid=$!
        sleep "0.$(printf %03d $((RANDOM % 500)))"
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
        # It is whole, or it is not there.
        if caisson image inspect $F/app:mortal >/dev/null 2>&1; then
            caisson rmi $F/app:mortal >/dev/null
        fi
    done
    : >"$BATS_FILE_TMPDIR/rules"
    caisson pull -q $F/app:mortal
    for ((i = 0; i < 6; i++)); do
        layer=$(caisson image inspect $F/app:mortal -f "{{index .RootFS.Layers $i}}")
        [ "$(stat -c %s "$CAISSON_ROOT/layers/${layer#sha256:}/fs/layer-$i")" = 1500000 ]
    done
    [ -z "$(ls -A "$CAISSON_ROOT/tmp")" ]
    [ -z "$(ls -A "$CAISSON_ROOT/partial")" ]
    caisson rmi $F/app:mortal
    nothing_left
    waits 10 sh -c '! pgrep --ns "$NET" --nslist net -f -x caisson-registry >/dev/null'
}
