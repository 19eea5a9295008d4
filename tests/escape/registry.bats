#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Hostile registries, mirrors, token servers and images: what they must not get at. Each was seen to get at
# it before it was closed.
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
F=127.0.0.1:5002
T=localhost:5003
layer_of() { caisson image inspect "$1" -f "{{index .RootFS.Layers ${2:-0}}}"; }
blob_of() { # of the last layer of a repository's tag
    caisson manifest inspect "$1" | python3 -c 'import json, sys; d = json.load(sys.stdin)["layers"][-1]; print(d["digest"], d["size"])'
}

@test "an image that claims a layer's id for other bytes does not get them into pushes" {
    put base:1 bare layers=1 >/dev/null
    caisson pull -q $F/base:1
    layer=$(layer_of $F/base:1)
    put evil:1 bare layers=1 seed=evil "wrong-diff-id=$layer" >/dev/null
    run -0 caisson pull $F/evil:1
    [[ $output == *"Already exists"* ]]
    read -r evil _ < <(blob_of $F/evil:1)
    ! grep -q "$evil" "$CAISSON_ROOT/layers/${layer#sha256:}/blobs" || false
    caisson tag $F/base:1 $F/victim:1
    caisson push -q $F/victim:1
    [ "$(blob_of $F/victim:1)" = "$(blob_of $F/base:1)" ]
}

@test "bytes under another layer's digest do not hold up those who pull it from elsewhere" {
    put good:1 bare layers=1 size=2000000 >/dev/null
    read -r blob size < <(blob_of $R/good:1)
    python3 - "$size" >evil <<'P'
import gzip, io, os, sys, tarfile
out = io.BytesIO()
with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
    archive.addfile(tarfile.TarInfo("n" * 300))
packed = gzip.compress(out.getvalue())
sys.stdout.buffer.write((packed + os.urandom(int(sys.argv[1])))[:int(sys.argv[1])])
P
    rule GET "/blobs/$blob" 0 file application/octet-stream "$PWD/evil"
    fails 1 "" caisson pull -q $F/good:1
    [ -z "$(ls -A "$CAISSON_ROOT/partial")" ]
    caisson pull -q $R/good:1
    # A prefix that was cut off is not believed either.
    caisson rmi -f $R/good:1
    head -c 1200000 evil | partial "$blob"
    caisson pull -q $R/good:1
}

@test "a client's certificate is shown to the registry, and to nobody that it leads to" {
    put public/app:1 layers=1 >/dev/null
    cp "$BATS_FILE_TMPDIR/client.pem" "$HOME/.config/containers/certs.d/$T/client.cert"
    cp "$BATS_FILE_TMPDIR/client.key" "$HOME/.config/containers/certs.d/$T/client.key"
    chmod 644 "$HOME/.config/containers/certs.d/$T/"*
    rule GET '/blobs/' 1 redirect https://127.0.0.1:5003
    SSL_CERT_FILE=$CA fails 1 "" caisson pull -q $T/public/app:1
    rm "$HOME/.config/containers/certs.d/$T"/client.*
    [ "$(asked GET '.*/manifests/.*the-client$')" -ge 1 ]
    [ "$(asked GET '.*/blobs/.* 307 .*the-client$')" = 1 ]
    [ "$(asked GET '.*/blobs/.* 401 .* -$')" = 1 ]
}

@test "an authority of one registry's does not vouch for others" {
    put public/app:2 layers=1 >/dev/null
    rule GET '/blobs/' 1 redirect https://127.0.0.1:5003
    fails 1 "certificate that is not to be trusted" caisson pull -q $T/public/app:2
}

@test "insecure is said of one host, not of those that it leads to" {
    auth=$XDG_RUNTIME_DIR/containers/auth.json
    mkdir -p "$(dirname "$auth")"
    printf '{"auths":{"%s":{"auth":"%s"}}}' $F "$(printf ada:secret | base64)" >"$auth"
    [ -z "${CAISSON_TEST_USER:-}" ] || chown -R "$CAISSON_TEST_USER" "$XDG_RUNTIME_DIR"
    # A token server with a certificate that nobody knows, on another host than the insecure registry.
    rule GET '^/v2/' 0 status 401 "WWW-Authenticate=Bearer_realm=\"https://$T/token\",service=\"x\""
    fails 1 "certificate" caisson pull -q $F/app:1
    [ "$(asked GET /token)" = 0 ]
    : >"$BATS_FILE_TMPDIR/rules"
    rule GET '^/v2/' 0 status 401 "WWW-Authenticate=Bearer_realm=\"http://localhost:5002/token\",service=\"x\""
    fails 1 "token server without TLS" caisson pull -q $F/app:1
    [ "$(asked GET /token)" = 0 ]
}

@test "an upload does not lead to another host" {
    put app:3 bare layers=1 >/dev/null
    caisson pull -q $R/app:3
    caisson tag $R/app:3 $T/elsewhere/app:3
    rm "$CAISSON_ROOT"/layers/*/blobs
    caisson login -u ada --password-stdin $T <<<secret
    rule POST . 0 status 202 "Location=https://127.0.0.1:5003/internal"
    SSL_CERT_FILE=$CA fails 1 "leads an upload to another host" caisson push -q $T/elsewhere/app:3
    [ "$(asked PATCH)" = 0 ]
}

@test "a registry that answers at length before it has read everything does not hold a push up" {
    put app:4 bare layers=1 size=20000000 >/dev/null
    caisson pull -q $R/app:4
    caisson tag $R/app:4 $F/other/app:4
    rm "$CAISSON_ROOT"/layers/*/blobs
    rule PATCH . 0 greedy
    SECONDS=0
    fails 1 "" timeout 60 "${PERSON[@]}" nsenter --net="/proc/$NET/ns/net" "$CAISSON_BUILD/caisson" push -q $F/other/app:4
    ((SECONDS < 55))
}

@test "tags of a registry are tags, or nothing" {
    put app:good layers=1 >/dev/null
    printf '{"name":"app","tags":["\\u001b[31mRED","../../t/manifests/a","x@y","good","%0200d"]}' 0 >tags
    rule GET /tags/list 0 file application/json "$PWD/tags"
    run -0 --separate-stderr caisson pull -a $F/app
    [[ $output != *$'\e'* && $stderr != *$'\e'* ]]
    [ "$(asked GET '.*/manifests/')" = 1 ]
    [ "$(caisson images --format '{{.Repository}}:{{.Tag}}')" = $F/app:good ]
}

@test "a layer that is collected while it is read again is fetched" {
    put app:5 bare layers=1 >/dev/null
    read -r blob _ < <(blob_of $F/app:5)
    rule GET "/blobs/$blob" 1 stall 4
    caisson pull -q $F/app:5 &
    pid=$!
    sleep 1.5
    caisson pull -q $R/app:5
    sleep 0.5
    caisson rmi -f $R/app:5 >/dev/null
    caisson image prune -f >/dev/null
    wait $pid
    caisson image inspect $F/app:5 >/dev/null
    [ -d "$CAISSON_ROOT/layers/$(layer_of $F/app:5 | cut -d: -f2)/fs" ]
}

@test "a registry that trickles does not hold up those who pull the same from elsewhere" {
    put app:6 bare layers=1 size=2000000 >/dev/null
    read -r blob _ < <(blob_of $F/app:6)
    rule GET "/blobs/$blob" 1 slow 2000
    caisson pull -q $F/app:6 &
    pid=$!
    waits 10 sh -c "ls -A '$CAISSON_ROOT/partial' | grep -q ."
    SECONDS=0
    caisson pull -q $R/app:6
    ((SECONDS < 50))
    pkill -P $pid || true
    wait $pid || true
}

@test "root does not take certificates and passwords from somebody else's home" {
    by_root || skip "it is about root"
    put public/app:7 >/dev/null
    cp -a "$HOME" theirs
    chown -R 65534 theirs
    HOME=$PWD/theirs fails 1 "certificate that is not to be trusted" caisson pull -q $T/public/app:7
    caisson pull -q $T/public/app:7
}

@test "who unpacks does not know the password" {
    put private/app:8 layers=1 >/dev/null
    caisson login -u ada --password-stdin $T <<<secret
    printf '{"auths":{"%s":{"auth":"%s"}}}' $T "$(printf 'ada:averyspecialword' | base64)" >"$XDG_RUNTIME_DIR/containers/auth.json"
    rule GET '/v2/' 0 stall 6
    in_net "${PERSON[@]}" "$CAISSON_BUILD/caisson" pull -q $T/private/app:8 3>&- 2>/dev/null &
    pid=$!
    waits 5 pgrep -f -x "caisson-registry"
    sleep 1
    run -0 python3 - "$NET" <<'P'
import os, re, sys
net = os.readlink(f"/proc/{sys.argv[1]}/ns/net")
names = {}
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        name = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
        if name not in ("caisson-image", "caisson-registry") or b"averyspecial" in b"":
            continue
        found = False
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in maps:
                start, end = (int(x, 16) for x in line.split()[0].split("-"))
                if " rw" not in line or end - start > 1 << 28:
                    continue
                memory.seek(start)
                found |= b"averyspecial" + b"word" in memory.read(end - start)
        names[name] = names.get(name, False) or found
    except OSError:
        continue
print(names)
P
    wait $pid || true
    [[ $output == *"'caisson-image': False"* ]]
    [[ $output == *"'caisson-registry': True"* ]] # so it was looked for in the right way
}

@test "names that look like a registry and are none" {
    fails 1 "is no registry" caisson search 'user@127.0.0.1:5000/x'
    fails 1 "is no registry" caisson login -u a --password-stdin 'a@127.0.0.1:5000' <<<b
    fails 1 "invalid" caisson pull -q '127.0.0.1:5000/a b'
}

@test "what is blocked is blocked in any letters and with its port" {
    fails 1 "is blocked by" caisson pull -q DOCKER.io/library/x
    fails 1 "is blocked by" caisson pull -q docker.io:443/library/x
}
