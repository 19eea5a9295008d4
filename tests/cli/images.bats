#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images: in, out, listed, removed, and what must not happen on the way. Every image is made here
# from the distribution's busybox and tar.
load ../lib/common

setup_file() {
    common_setup_file
    export D=$BATS_FILE_TMPDIR
    mkdir -p "$D/rootfs/bin" "$D/rootfs/etc"
    echo root:x:0:0:root:/root:/bin/sh >"$D/rootfs/etc/passwd"
    echo hello >"$D/rootfs/etc/motd"
    ln -s motd "$D/rootfs/etc/link"
    tar --sort=name --owner=0 --group=0 --mtime=@0 -C "$D/rootfs" -cf "$D/rootfs.tar" .
    export SOURCE_DATE_EPOCH=1700000000
    caisson import -c 'CMD ["sh"]' "$D/rootfs.tar" base:1 >"$D/base.id"
    caisson save -o "$D/base.tar" base:1
}
teardown_file() { common_teardown_file; }

# A root of its own for tests that count what is there.
fresh() {
    export CAISSON_ROOT=$BATS_TEST_TMPDIR/root CAISSON_STATE=$BATS_TEST_TMPDIR/state
}

# Nothing visible and nothing half-written: all that a refused archive may leave is an empty store.
assert_empty_store() {
    [ -z "$(ls "$CAISSON_ROOT"/{layers,images,ids,tmp,blobs/sha256} | grep -v : | tr -d '\n')" ]
}

id_of() { caisson image inspect -f '{{.Id}}' "$1"; }

# docker_archive FILE LAYER...: a docker-archive of these layer tars, digests computed.
docker_archive() {
    python3 - "$@" <<'PY'
import hashlib, io, json, sys, tarfile
out, layers = sys.argv[1], [open(p, "rb").read() for p in sys.argv[2:]]
config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers",
    "diff_ids": ["sha256:" + hashlib.sha256(l).hexdigest() for l in layers]}}).encode()
name = hashlib.sha256(config).hexdigest() + ".json"
with tarfile.open(out, "w") as tar:
    def add(path, data):
        info = tarfile.TarInfo(path); info.size = len(data); tar.addfile(info, io.BytesIO(data))
    add(name, config)
    for i, layer in enumerate(layers):
        add(f"{i}/layer.tar", layer)
    add("manifest.json", json.dumps([{"Config": name, "RepoTags": ["made:1"],
        "Layers": [f"{i}/layer.tar" for i in range(len(layers))]}]).encode())
PY
}

# --- import ---------------------------------------------------------------------------------------

@test "import gives one id whatever the tar was compressed with and wherever it comes from" {
    local id
    id=$(cat "$D/base.id")
    [[ $id =~ ^sha256:[0-9a-f]{64}$ ]]
    gzip -9k -c "$D/rootfs.tar" >"$D/r.gz"
    xz -c "$D/rootfs.tar" >"$D/r.xz"
    [ "$(caisson import -m "Imported from $D/rootfs.tar" -c 'CMD ["sh"]' "$D/r.gz")" = "$id" ]
    [ "$(caisson import -m "Imported from $D/rootfs.tar" -c 'CMD ["sh"]' "$D/r.xz")" = "$id" ]
    [ "$(caisson import -m "Imported from $D/rootfs.tar" -c 'CMD ["sh"]' - <"$D/r.xz")" = "$id" ]
    bzip2 -c "$D/rootfs.tar" >"$D/r.bz2"
    [ "$(caisson import -m "Imported from $D/rootfs.tar" -c 'CMD ["sh"]' "$D/r.bz2")" = "$id" ]
    [ "$(cat "$D/r.gz" | caisson import -m "Imported from $D/rootfs.tar" -c 'CMD ["sh"]' -)" = "$id" ]
}

@test "import reads zstd" {
    skip_without zstd
    zstd -q -c "$D/rootfs.tar" >"$D/r.zst"
    caisson import "$D/r.zst" zstd:1
    [ "$(caisson image inspect -f '{{json .RootFS.Layers}}' zstd:1)" = \
        "$(caisson image inspect -f '{{json .RootFS.Layers}}' base:1)" ]
}

@test "import --change sets the configuration" {
    caisson import -c 'ENV A=b C="d e"' -c 'ENTRYPOINT ["/e", "x y"]' -c 'USER app' -c 'EXPOSE 80' \
        -c 'WORKDIR /w' -c 'LABEL k=v' -c 'VOLUME /data' -c 'STOPSIGNAL SIGINT' \
        -c 'HEALTHCHECK --interval=5s CMD true' -m why "$D/rootfs.tar" changed
    [ "$(caisson image inspect -f '{{json .Config.Env}}' changed)" = '["A=b","C=d e"]' ]
    [ "$(caisson image inspect -f '{{json .Config.Entrypoint}}' changed)" = '["/e","x y"]' ]
    [ "$(caisson image inspect -f '{{.Config.User}} {{.Config.WorkingDir}} {{.Config.StopSignal}}' changed)" = \
        "app /w SIGINT" ]
    [ "$(caisson image inspect -f '{{json .Config.ExposedPorts}}{{json .Config.Volumes}}{{json .Config.Labels}}' changed)" = \
        '{"80/tcp":{}}{"/data":{}}{"k":"v"}' ]
    [ "$(caisson image inspect -f '{{.Config.Healthcheck.Interval}}' changed)" = 5000000000 ]
    [ "$(caisson history --format '{{.Comment}}' changed)" = why ]
}

@test "import refuses what it cannot do before it reads anything" {
    fresh
    fails 1 'no such instruction' caisson import -c 'RUN x' "$D/rootfs.tar"
    fails 1 'must be lower case' caisson import "$D/rootfs.tar" Name
    fails 1 'cannot open' caisson import "$D/nothing"
    fails 1 'is a directory' caisson import "$D"
    fails 1 'download it first' caisson import http://127.0.0.1/x.tar
    fails 1 'platform' caisson import --platform windows/amd64 "$D/rootfs.tar"
    [ ! -e "$CAISSON_ROOT/images" ] || assert_empty_store
}

# --- load and save --------------------------------------------------------------------------------

@test "save and load keep the id in every format, from file, pipe and directory" {
    local id format
    id=$(cat "$D/base.id")
    for format in docker-archive oci-archive oci-dir; do
        caisson save --format $format -o "$BATS_TEST_TMPDIR/$format" base:1
        (
            fresh
            [ "$(caisson load -i "$BATS_TEST_TMPDIR/$format")" = "Loaded image: base:1" ]
            [ "$(id_of base:1)" = "$id" ]
        )
    done
    fresh
    caisson load <"$BATS_TEST_TMPDIR/docker-archive"
    cat "$BATS_TEST_TMPDIR/docker-archive" | caisson load
    gzip -c "$BATS_TEST_TMPDIR/oci-archive" | caisson load
    xz -c "$BATS_TEST_TMPDIR/docker-archive" >"$BATS_TEST_TMPDIR/a.xz"
    caisson load -q -i "$BATS_TEST_TMPDIR/a.xz"
    bzip2 -c "$BATS_TEST_TMPDIR/docker-archive" | caisson load -q
    [ "$(caisson images -q | wc -l)" = 1 ]
    [ "$(id_of base:1)" = "$id" ]
}

@test "a saved archive is the same each time and holds several images and names" {
    caisson tag base:1 other/name:2
    caisson import -c 'ENV X=1' "$D/rootfs.tar" second
    caisson save base:1 second other/name:2 >"$BATS_TEST_TMPDIR/a"
    caisson save base:1 second other/name:2 >"$BATS_TEST_TMPDIR/b"
    cmp "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b"
    fresh
    caisson load -i "$BATS_TEST_TMPDIR/a"
    [ "$(caisson images --format '{{.Repository}}:{{.Tag}}' | sort | xargs)" = \
        "base:1 other/name:2 second:latest" ]
    [ "$(ls "$CAISSON_ROOT/layers" | wc -l)" = 1 ]
}

@test "the layer that save gives back is the tar that came" {
    caisson save --format oci-dir -o "$BATS_TEST_TMPDIR/layout" base:1
    cmp "$D/rootfs.tar" "$BATS_TEST_TMPDIR/layout/blobs/sha256/$(sha256sum <"$D/rootfs.tar" | cut -d' ' -f1)"
}

@test "save leaves an old archive alone until the new one is whole" {
    echo old >"$BATS_TEST_TMPDIR/a.tar"
    fails 1 'no such image' caisson save -o "$BATS_TEST_TMPDIR/a.tar" base:1 nothing
    [ "$(cat "$BATS_TEST_TMPDIR/a.tar")" = old ]
    fails 1 'not empty' caisson save --format oci-dir -o "$D" base:1
    [ "$(ls "$BATS_TEST_TMPDIR")" = a.tar ]
}

@test "save does not write to a terminal" {
    skip_without script
    run script -qec "caisson save base:1" /dev/null
    [ "$status" = 1 ]
    [[ $output == *"not written to a terminal"* ]]
}

@test "an index with several platforms gives the one that is asked for" {
    python3 - "$BATS_TEST_TMPDIR/multi" "$D/rootfs.tar" <<'PY'
import hashlib, json, os, sys
out, layer = sys.argv[1], open(sys.argv[2], "rb").read()
os.makedirs(out + "/blobs/sha256")
def blob(data):
    digest = hashlib.sha256(data).hexdigest()
    open(f"{out}/blobs/sha256/{digest}", "wb").write(data)
    return {"digest": "sha256:" + digest, "size": len(data)}
M = "application/vnd.oci.image."
entries = []
for arch in "s390x", "amd64", "arm64", "riscv64":
    config = blob(json.dumps({"architecture": arch, "os": "linux", "rootfs": {"type": "layers",
        "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}).encode())
    manifest = blob(json.dumps({"schemaVersion": 2, "config": {"mediaType": M + "config.v1+json", **config},
        "layers": [{"mediaType": M + "layer.v1.tar", **blob(layer)}]}).encode())
    entries.append({"mediaType": M + "manifest.v1+json", **manifest, "platform": {"architecture": arch, "os": "linux"}})
entries.append({"mediaType": M + "manifest.v1+json", **entries[0], "platform": {"architecture": "unknown", "os": "unknown"}})
index = blob(json.dumps({"schemaVersion": 2, "manifests": entries}).encode())
json.dump({"schemaVersion": 2, "manifests": [{"mediaType": M + "index.v1+json", **index,
    "annotations": {"org.opencontainers.image.ref.name": "multi:1"}}]}, open(out + "/index.json", "w"))
open(out + "/oci-layout", "w").write('{"imageLayoutVersion":"1.0.0"}')
PY
    fresh
    caisson load -i "$BATS_TEST_TMPDIR/multi" --platform linux/arm64
    [ "$(caisson image inspect -f '{{.Architecture}}' multi:1)" = arm64 ]
    fails 1 'linux/mips' caisson load -i "$BATS_TEST_TMPDIR/multi" --platform linux/mips
    case $(uname -m) in
    x86_64) ours=amd64 ;;
    aarch64) ours=arm64 ;;
    *) skip "not one of the platforms of this test" ;;
    esac
    caisson load -i "$BATS_TEST_TMPDIR/multi"
    [ "$(caisson image inspect -f '{{.Architecture}}' multi:1)" = $ours ]
}

@test "layers given as links in a docker-archive are found, links out of it are not" {
    mkdir -p "$BATS_TEST_TMPDIR/x/a" "$BATS_TEST_TMPDIR/x/b"
    cp "$D/rootfs.tar" "$BATS_TEST_TMPDIR/x/a/layer.tar"
    ln -s ../a/layer.tar "$BATS_TEST_TMPDIR/x/b/layer.tar"
    local hex
    hex=$(sha256sum <"$D/rootfs.tar" | cut -d' ' -f1)
    printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$hex" \
        >"$BATS_TEST_TMPDIR/x/config.json"
    echo '[{"Config":"config.json","RepoTags":["links:1"],"Layers":["b/layer.tar"]}]' >"$BATS_TEST_TMPDIR/x/manifest.json"
    fresh
    tar -C "$BATS_TEST_TMPDIR/x" -c . | caisson load
    ln -sf ../../../../../../../../../etc/passwd "$BATS_TEST_TMPDIR/x/b/layer.tar"
    tar -C "$BATS_TEST_TMPDIR/x" -cf "$BATS_TEST_TMPDIR/out.tar" .
    fails 1 'missing in the archive' caisson load -i "$BATS_TEST_TMPDIR/out.tar"
}

@test "an OCI layout directory with links out of it is refused" {
    caisson save --format oci-dir -o "$BATS_TEST_TMPDIR/layout" base:1
    mv "$BATS_TEST_TMPDIR/layout/index.json" "$BATS_TEST_TMPDIR/elsewhere"
    ln -s ../elsewhere "$BATS_TEST_TMPDIR/layout/index.json"
    fresh
    fails 1 'index.json' caisson load -i "$BATS_TEST_TMPDIR/layout"
    assert_empty_store
}

@test "a layer that is there is not unpacked again, but its digest is looked at" {
    fresh
    caisson load -q -i "$D/base.tar"
    local layer before
    layer=$(echo "$CAISSON_ROOT"/layers/*)
    before=$(stat -c %i "$layer")
    caisson load -q -i "$D/base.tar"
    [ "$(stat -c %i "$CAISSON_ROOT"/layers/*)" = "$before" ]
    # A bit of the layer turned over in the archive.
    python3 - "$D/base.tar" "$BATS_TEST_TMPDIR/bad.tar" <<'PY'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[data.index(b"hello\n")] ^= 1
open(sys.argv[2], "wb").write(data)
PY
    fails 1 'damaged' caisson load -i "$BATS_TEST_TMPDIR/bad.tar"
    CAISSON_ROOT=$BATS_TEST_TMPDIR/r2
    fails 1 'damaged' caisson load -i "$BATS_TEST_TMPDIR/bad.tar"
    assert_empty_store
}

@test "what is no archive is said to be none, and what it is instead" {
    fresh
    fails 1 'no image archive' caisson load -i "$D/rootfs.tar"
    fails 1 'caisson import' caisson load -i "$D/rootfs.tar"
    echo hello >"$BATS_TEST_TMPDIR/x"
    fails 1 'no image archive' caisson load -i "$BATS_TEST_TMPDIR/x"
    fails 1 'no image archive' caisson load -i /dev/null
    head -c 20000 "$D/base.tar" >"$BATS_TEST_TMPDIR/cut.tar"
    truncate -s 15000 "$BATS_TEST_TMPDIR/cut.tar"
    run caisson load -i "$BATS_TEST_TMPDIR/cut.tar"
    [ "$status" = 1 ]
    assert_empty_store
}

@test "a configuration that is not what its name says is refused" {
    docker_archive "$BATS_TEST_TMPDIR/a.tar" "$D/rootfs.tar"
    sed -i 's/"architecture": "amd64"/"architecture": "amd65"/' "$BATS_TEST_TMPDIR/a.tar"
    fresh
    fails 1 'is damaged' caisson load -i "$BATS_TEST_TMPDIR/a.tar"
    assert_empty_store
}

# --- hostile layers -------------------------------------------------------------------------------

# hostile FILE SPEC...: a tar with entries "type:name:target".
hostile() {
    python3 - "$@" <<'PY'
import io, sys, tarfile
kinds = {"f": tarfile.REGTYPE, "d": tarfile.DIRTYPE, "l": tarfile.SYMTYPE, "h": tarfile.LNKTYPE,
         "c": tarfile.CHRTYPE}
with tarfile.open(sys.argv[1], "w") as tar:
    for spec in sys.argv[2:]:
        kind, name, target = spec.split(":")
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kinds[kind], target
        data = b"evil\n" if kind == "f" else b""
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
PY
}

@test "layers that try to get out are refused and nothing is left" {
    fresh
    local n=0 spec
    mkdir "$BATS_TEST_TMPDIR/outside"
    for spec in "f:../escape:" "f:a/../../escape:" "l:x:$BATS_TEST_TMPDIR/outside f:x/escape:" \
        "l:x:../../../.. f:x/escape:" "h:x:../../etc/passwd" "h:x:/etc/passwd" \
        "f:a: f:a:" "d:a: f:a:" "f:a: d:a:" "f:.wh.:" "f:.wh..:" "f:.wh...:" "c:zero:"; do
        # shellcheck disable=SC2086 # one word per entry
        hostile "$BATS_TEST_TMPDIR/h.tar" $spec
        run caisson import "$BATS_TEST_TMPDIR/h.tar" evil
        if [ "$status" != 1 ] || [[ $output != caisson:* ]]; then
            echo "accepted: $spec ($status: $output)"
            return 1
        fi
        docker_archive "$BATS_TEST_TMPDIR/d.tar" "$D/rootfs.tar" "$BATS_TEST_TMPDIR/h.tar"
        run caisson load -i "$BATS_TEST_TMPDIR/d.tar"
        [ "$status" = 1 ]
        assert_empty_store
        n=$((n + 1))
    done
    [ $n = 13 ]
    [ -z "$(ls "$BATS_TEST_TMPDIR/outside")" ]
    [ -z "$(find "$BATS_TEST_TMPDIR" -name 'escape*')" ]
}

@test "bombs are stopped by ratio and by size, and the limits can be raised" {
    fresh
    mkdir "$BATS_TEST_TMPDIR/zeros"
    head -c 64M /dev/zero >"$BATS_TEST_TMPDIR/zeros/z"
    tar -C "$BATS_TEST_TMPDIR/zeros" -czf "$BATS_TEST_TMPDIR/bomb.tgz" z
    fails 1 '--max-ratio' caisson import "$BATS_TEST_TMPDIR/bomb.tgz"
    fails 1 '--max-size' caisson import --max-size 1m --max-ratio 100000 "$BATS_TEST_TMPDIR/bomb.tgz"
    assert_empty_store
    caisson import --max-ratio 100000 "$BATS_TEST_TMPDIR/bomb.tgz"
    mkdir "$BATS_TEST_TMPDIR/many"
    (cd "$BATS_TEST_TMPDIR/many" && touch {1..50})
    tar -C "$BATS_TEST_TMPDIR/many" -cf "$BATS_TEST_TMPDIR/many.tar" .
    fails 1 '--max-files' caisson import --max-files 10 "$BATS_TEST_TMPDIR/many.tar"
}

@test "who reads an archive has given up all but the store" {
    fresh
    mkfifo "$BATS_TEST_TMPDIR/pipe"
    exec 7<>"$BATS_TEST_TMPDIR/pipe"
    local verb pid
    for verb in "load -i" import; do
        # shellcheck disable=SC2086 # verb and flag
        "$CAISSON_BUILD/caisson-image" $verb "$BATS_TEST_TMPDIR/pipe" 2>/dev/null 7>&- &
        pid=$!
        waits 5 grep -q '^Seccomp:.2' "/proc/$pid/status"
        grep -q '^NoNewPrivs:.1' "/proc/$pid/status"
        # Nothing that reaches beyond files: SYS_ADMIN, NET_ADMIN, SYS_PTRACE, SYS_MODULE.
        local caps=$((16#$(sed -n 's/^CapEff:.//p' "/proc/$pid/status")))
        [ $((caps & (1 << 21 | 1 << 12 | 1 << 19 | 1 << 16))) = 0 ]
        [ "$(id -u)" != 0 ] || [ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/self/ns/net)" ]
        kill -9 "$pid"
        wait "$pid" || true
    done
    exec 7>&-
}

# --- at any moment --------------------------------------------------------------------------------

@test "two loads of one image at once both end well" {
    fresh
    local i pids=()
    for i in 1 2 3 4 5 6; do
        caisson load -q -i "$D/base.tar" >/dev/null &
        pids+=($!)
    done
    for i in "${pids[@]}"; do wait "$i"; done
    [ "$(id_of base:1)" = "$(cat "$D/base.id")" ]
    [ "$(ls "$CAISSON_ROOT/layers" | wc -l)" = 1 ]
    caisson load -q -i "$D/base.tar" # clears what two at once left to the third
    [ -z "$(ls "$CAISSON_ROOT/tmp")" ]
}

@test "a load killed at any moment leaves nothing half-written" {
    fresh
    mkdir "$BATS_TEST_TMPDIR/files"
    (cd "$BATS_TEST_TMPDIR/files" && for i in {1..400}; do echo "$i" >"f$i"; done)
    tar -C "$BATS_TEST_TMPDIR/files" -cf "$BATS_TEST_TMPDIR/files.tar" .
    docker_archive "$BATS_TEST_TMPDIR/a.tar" "$D/rootfs.tar" "$BATS_TEST_TMPDIR/files.tar"
    local i pid layer killed=0
    for i in {1..25}; do
        "$CAISSON_BUILD/caisson-image" load -q -i "$BATS_TEST_TMPDIR/a.tar" >/dev/null 2>&1 &
        pid=$!
        sleep "0.0$((RANDOM % 6))$((RANDOM % 10))"
        kill -9 "$pid" 2>/dev/null && killed=$((killed + 1))
        wait "$pid" || true
        # What can be seen is whole.
        for layer in "$CAISSON_ROOT"/layers/*; do
            [ ! -e "$layer" ] || [ -e "$layer/recipe" ]
        done
        if [ "$(caisson images -q)" ]; then
            caisson save made:1 | tar -t >/dev/null
            caisson rmi made:1 >/dev/null
        fi
    done
    [ $killed -gt 0 ]
    caisson load -q -i "$BATS_TEST_TMPDIR/a.tar"
    [ -z "$(ls "$CAISSON_ROOT/tmp")" ]
    caisson save made:1 | tar -t >/dev/null
    caisson image prune -f
    [ "$(ls "$CAISSON_ROOT/layers" | wc -l)" = 2 ]
}

@test "a full disk is an error that leaves nothing, and the next load works" {
    skip_unless_root
    fresh
    mkdir -p "$CAISSON_ROOT"
    mount -t tmpfs -o size=3m,mode=0700 tmpfs "$CAISSON_ROOT"
    head -c 8M /dev/urandom >"$BATS_TEST_TMPDIR/large"
    tar -C "$BATS_TEST_TMPDIR" -cf "$BATS_TEST_TMPDIR/large.tar" large
    run caisson import "$BATS_TEST_TMPDIR/large.tar"
    local import=$status told=$output
    docker_archive "$BATS_TEST_TMPDIR/a.tar" "$D/rootfs.tar" "$BATS_TEST_TMPDIR/large.tar"
    run caisson load -i "$BATS_TEST_TMPDIR/a.tar"
    local load=$status
    run assert_empty_store
    local empty=$status
    run caisson load -q -i "$D/base.tar"
    local again=$status
    umount "$CAISSON_ROOT"
    echo "$told"
    [ "$import $load $empty $again" = "1 1 0 0" ]
    [[ $told == *"No space left"* ]]
}

# --- names, lists, removal ------------------------------------------------------------------------

@test "images shows the columns of docker images, newest first" {
    fresh
    caisson load -q -i "$D/base.tar"
    SOURCE_DATE_EPOCH=1600000000 caisson import "$D/rootfs.tar" older/one:2 >/dev/null
    run caisson images
    [[ ${lines[0]} =~ ^REPOSITORY\ +TAG\ +IMAGE\ ID\ +CREATED\ +SIZE$ ]]
    [[ ${lines[1]} =~ ^base\ +1\ +$(cut -c8-19 "$D/base.id")\ +[0-9]+\ years\ ago\ +[0-9]+B$ ]]
    [[ ${lines[2]} == older/one* ]]
    [[ $(caisson images --digests) == *DIGEST*sha256:* ]]
    [ "$(caisson images -q --no-trunc base)" = "$(cat "$D/base.id")" ]
    [ "$(caisson image ls --format '{{.Repository}}' --filter reference='older/*')" = older/one ]
    [ "$(caisson images --format '{{.Repository}}' -f before=base:1)" = older/one ]
    [ "$(caisson images --format '{{.Repository}}' -f since=older/one:2)" = base ]
    [ "$(caisson images --format json base | python3 -c 'import json,sys; print(json.load(sys.stdin)["Tag"])')" = 1 ]
    [ -z "$(caisson images -q -f dangling=true)" ]
    fails 1 'KEY one of' caisson images -f nonsense=1
}

@test "a name that moves leaves its old image without one" {
    fresh
    caisson load -q -i "$D/base.tar"
    caisson import -c 'ENV X=1' "$D/rootfs.tar" base:1
    [ "$(caisson images -q --no-trunc -f dangling=true)" = "$(cat "$D/base.id")" ]
    caisson images | grep -q '^<none> '
    caisson image prune -f | grep -q "^deleted: $(cat "$D/base.id")"
    [ "$(caisson images -q | wc -l)" = 1 ]
}

@test "rmi takes the name, then the image, then what nothing needs" {
    fresh
    caisson load -q -i "$D/base.tar"
    caisson tag base:1 second:1
    fails 1 'has several names' caisson rmi "$(cut -c8-15 "$D/base.id")"
    [ "$(caisson rmi second:1)" = "Untagged: second:1" ]
    run caisson rmi base:1
    [ "${lines[0]}" = "Untagged: base:1" ]
    [ "${lines[1]}" = "Deleted: $(cat "$D/base.id")" ]
    [[ ${lines[2]} == "Deleted: sha256:"* ]]
    assert_empty_store
    fails 1 'no such image' caisson rmi base:1
    caisson rmi -f base:1 2>/dev/null
    caisson load -q -i "$D/base.tar"
    caisson tag base:1 second:1
    caisson rmi -f "$(cut -c8-15 "$D/base.id")"
    assert_empty_store
}

@test "layers that another image uses stay" {
    fresh
    caisson load -q -i "$D/base.tar"
    caisson import -c 'ENV X=1' "$D/rootfs.tar" other
    caisson rmi base:1
    [ "$(ls "$CAISSON_ROOT/layers" | wc -l)" = 1 ]
    caisson save other | tar -t >/dev/null
}

@test "an image that a container uses is refused, and kept when its name is forced away" {
    fresh
    caisson load -q -i "$D/base.tar"
    mkdir -p "$CAISSON_STATE/containers/0123456789abcdef"
    caisson image inspect -f '{{.Id}}
{{.Digest}}' base:1 >"$CAISSON_STATE/containers/0123456789abcdef/image"
    fails 1 'used by container 0123456789ab' caisson rmi base:1
    fails 1 'used by container 0123456789ab' caisson rmi "$(cut -c8-15 "$D/base.id")"
    caisson image prune -a -f
    [ "$(id_of base:1)" = "$(cat "$D/base.id")" ]
    [ "$(caisson rmi -f base:1)" = "Untagged: base:1" ]
    [ "$(ls "$CAISSON_ROOT/layers" | wc -l)" = 1 ]
    rm -r "$CAISSON_STATE/containers/0123456789abcdef"
    caisson image prune -f >/dev/null
    assert_empty_store
}

@test "tag refuses what is no name" {
    fails 1 'lower case' caisson tag base:1 Upper
    fails 1 'digest' caisson tag base:1 "x@sha256:$(printf '0%.0s' {1..64})"
    fails 1 'no such image' caisson tag nothing:1 x
}

@test "history tells steps and sizes" {
    run caisson history base:1
    [[ ${lines[0]} =~ ^IMAGE\ +CREATED\ +CREATED\ BY\ +SIZE\ +COMMENT$ ]]
    [[ ${lines[1]} == "$(cut -c8-19 "$D/base.id")"*"Imported from"* ]]
    [ "$(caisson history -q --no-trunc base:1)" = "$(cat "$D/base.id")" ]
}

@test "inspect gives an array and names what is not there" {
    caisson image inspect base:1 | python3 -c '
import json, sys
(image,) = json.load(sys.stdin)
assert image["RepoTags"] == ["base:1"] or "base:1" in image["RepoTags"]
assert image["Os"] == "linux" and image["RootFS"]["Type"] == "layers"'
    run caisson image inspect nothing base:1
    [ "$status" = 1 ]
    [[ $output == *"no such image: nothing"* ]]
    [[ $output == *'"Id"'* ]]
}

@test "damage in the store is named, with the way out" {
    fresh
    caisson load -q -i "$D/base.tar"
    local hex
    hex=$(cut -c8- "$D/base.id")
    echo x >>"$CAISSON_ROOT/blobs/sha256/$hex"
    fails 1 "$hex" caisson history base:1
    fails 1 "rmi -f" caisson save -o "$BATS_TEST_TMPDIR/x" base:1
    fails 1 "$(echo "$hex" | cut -c1-12)" caisson images
    caisson rmi base:1
    assert_empty_store
    caisson load -q -i "$D/base.tar"
    echo changed >"$(echo "$CAISSON_ROOT"/layers/*/fs/etc/motd)"
    fails 1 'damaged' caisson save -o "$BATS_TEST_TMPDIR/x" base:1
    [ ! -e "$BATS_TEST_TMPDIR/x" ]
}

# --- bootstrap ------------------------------------------------------------------------------------

@test "bootstrap busybox gives the same image each time, with a link for every applet" {
    [ -x /bin/busybox ] || skip "needs busybox-static"
    fresh
    local id
    unset SOURCE_DATE_EPOCH
    id=$(caisson bootstrap busybox)
    caisson rmi busybox
    [ "$(caisson bootstrap busybox -t mine:1)" = "$id" ]
    caisson save --format oci-dir -o "$BATS_TEST_TMPDIR/o" mine:1
    local fs
    fs=$(echo "$CAISSON_ROOT"/layers/*/fs)
    cmp "$(readlink -f /bin/busybox)" "$fs/bin/busybox"
    [ "$(readlink "$fs/bin/sh")" = busybox ]
    [ "$(stat -c %a "$fs/tmp")" = 1777 ]
    grep -q ^nobody "$fs/etc/passwd"
    [ "$(caisson image inspect -f '{{json .Config.Cmd}}' mine:1)" = '["sh"]' ]
}

@test "bootstrap debian imports what mmdebstrap writes, and nothing when that failed" {
    fresh
    export ARGUMENTS=$BATS_TEST_TMPDIR/arguments TAR=$D/rootfs.tar
    mkdir "$BATS_TEST_TMPDIR/bin"
    # Stands in for mmdebstrap, which needs a mirror: tells its arguments, writes a tar.
    cat >"$BATS_TEST_TMPDIR/bin/mmdebstrap" <<'EOF'
#!/bin/sh
printf '%s\n' "$@" >"$ARGUMENTS"
cat "$TAR"
exit ${FAKE_STATUS:-0}
EOF
    chmod +x "$BATS_TEST_TMPDIR/bin/mmdebstrap"
    export PATH=$BATS_TEST_TMPDIR/bin:$PATH
    FAKE_STATUS=3 fails 1 'mmdebstrap failed with status 3' caisson bootstrap debian:trixie
    assert_empty_store
    caisson bootstrap debian:trixie --include tini,curl
    grep -qx -e --include=tini,curl "$ARGUMENTS"
    grep -qx -e --variant=minbase "$ARGUMENTS"
    grep -qx trixie "$ARGUMENTS"
    [ "$(caisson image inspect -f '{{json .Config.Cmd}}' debian:trixie)" = '["bash"]' ]
}

@test "bootstrap says what it can make and what it needs" {
    fails 1 'debian[:SUITE] and busybox' caisson bootstrap fedora
    fails 1 'no suites' caisson bootstrap busybox:1
    fails 1 'is no suite' caisson bootstrap debian:--help
    fails 1 'is no name of a package' caisson bootstrap debian --include 'x;y'
    mkdir "$BATS_TEST_TMPDIR/empty"
    PATH=$BATS_TEST_TMPDIR/empty fails 1 'apt-get install mmdebstrap' "$CAISSON_BUILD/caisson" bootstrap debian
}

# --- others ---------------------------------------------------------------------------------------

@test "skopeo reads what save writes, and load reads what skopeo writes" {
    skip_without skopeo
    skip_unless_root # skopeo wants to give files to others
    caisson save -o "$BATS_TEST_TMPDIR/d.tar" base:1
    caisson save --format oci-archive -o "$BATS_TEST_TMPDIR/o.tar" base:1
    skopeo inspect --tmpdir "$BATS_TEST_TMPDIR" "docker-archive:$BATS_TEST_TMPDIR/d.tar:base:1" >/dev/null
    skopeo --tmpdir "$BATS_TEST_TMPDIR" copy --insecure-policy -q "oci-archive:$BATS_TEST_TMPDIR/o.tar" \
        "docker-archive:$BATS_TEST_TMPDIR/s.tar:via/skopeo:1"
    skopeo --tmpdir "$BATS_TEST_TMPDIR" copy --insecure-policy -q "oci-archive:$BATS_TEST_TMPDIR/o.tar" \
        "oci-archive:$BATS_TEST_TMPDIR/s2.tar:via/oci:1"
    fresh
    caisson load -i "$BATS_TEST_TMPDIR/s.tar"
    caisson load -i "$BATS_TEST_TMPDIR/s2.tar"
    [ "$(id_of via/skopeo:1)" = "$(cat "$D/base.id")" ]
    [ "$(id_of via/oci:1)" = "$(cat "$D/base.id")" ]
}

@test "podman loads what save writes under the same id, and load reads what podman writes" {
    skip_without podman
    skip_unless_root
    local format
    podman() { command podman --root "$BATS_TEST_TMPDIR/p" --runroot "$BATS_TEST_TMPDIR/pr" --storage-driver vfs "$@"; }
    podman images >/dev/null 2>&1 || skip "podman does not work here"
    for format in docker-archive oci-archive; do
        caisson save --format $format -o "$BATS_TEST_TMPDIR/a.tar" base:1
        podman load -q -i "$BATS_TEST_TMPDIR/a.tar"
        [ "$(podman images -q --no-trunc docker.io/library/base:1)" = "$(cat "$D/base.id")" ]
        podman save -q --format $format -o "$BATS_TEST_TMPDIR/p.tar" base:1
        (
            fresh
            caisson load -i "$BATS_TEST_TMPDIR/p.tar"
            [ "$(id_of base:1)" = "$(cat "$D/base.id")" ]
        )
        rm "$BATS_TEST_TMPDIR/p.tar"
    done
    podman rmi -af >/dev/null
}

@test "images from elsewhere load and come back with their ids" {
    [ -d "${CAISSON_TEST_IMAGES:-}" ] || skip "CAISSON_TEST_IMAGES names no folder of images"
    fresh
    local file id count=0
    for file in "$CAISSON_TEST_IMAGES"/*docker-save*.tar*; do
        [ -e "$file" ] || continue
        id=$(tar -xOf "$file" manifest.json | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["Config"][:64])')
        caisson load -q -i "$file"
        caisson save -o "$BATS_TEST_TMPDIR/a.tar" "$id"
        caisson rmi -f "$id" >/dev/null
        caisson load -q -i "$BATS_TEST_TMPDIR/a.tar"
        caisson image inspect "$id" >/dev/null
        count=$((count + 1))
    done
    for file in "$CAISSON_TEST_IMAGES"/*.tar*; do
        [[ $file == *docker-save* ]] || caisson import "$file" "imported:$((count += 1))"
    done
    [ $count -gt 0 ]
}
