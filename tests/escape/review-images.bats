#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images whose documents were written by hand: names that lie, numbers and texts without end. What is
# refused must be so at once and in words; what runs must be possible to end.
load ../lib/common

setup_file() {
    common_setup_file
    image
    tar -C "$BATS_FILE_TMPDIR" --owner=0 --group=0 --transform='s|^bin/busybox|bin/sh|' \
        -cf "$BATS_FILE_TMPDIR/layer.tar" -C / bin/busybox
}
teardown_file() { common_teardown_file; }

# archive FILE: a docker-archive with busybox as /bin/sh. The Python on standard input may change
# `config` (the image's "config"), `tags`, `files` (more files of the layer) and `entry` (of
# manifest.json).
archive() {
    LAYER=$BATS_FILE_TMPDIR/layer.tar OUT=$1 python3 -c '
import hashlib, io, json, os, platform, sys, tarfile
config, tags, files, entry = {"Cmd": ["/bin/sh", "-c", "echo ran"]}, [], {}, {}
exec(sys.stdin.read())
def add(tar, name, data):
    info = tarfile.TarInfo(name); info.size = len(data); tar.addfile(info, io.BytesIO(data))
buffer = io.BytesIO(open(os.environ["LAYER"], "rb").read())
with tarfile.open(fileobj=buffer, mode="a") as tar:
    for name, data in files.items():
        add(tar, name, data)
layer = buffer.getvalue()
arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
document = json.dumps({"os": "linux", "architecture": arch, "config": config, "rootfs": {"type": "layers",
    "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}, ensure_ascii=False).encode()
with tarfile.open(os.environ["OUT"], "w") as tar:
    add(tar, "config.json", document)
    add(tar, "layer.tar", layer)
    add(tar, "manifest.json", json.dumps([{"Config": "config.json", "RepoTags": tags, "Layers": ["layer.tar"]} | entry]).encode())
'
}

# --- names ----------------------------------------------------------------------------------------

# Seen to fail: the archive's image ran under the digest of another.
@test "an archive cannot give its image the digest that somebody pinned" {
    local pinned=busybox@sha256:117ebcd6e1a6a2b1c9c1cd9e5a9a2b36a2ec9b2b1f4d39d4c1d0d3b1b2a0c5e1
    archive "$BATS_TEST_TMPDIR/a.tar" <<P
tags = ["$pinned", "docker.io/library/other:1@${pinned#*@}"]
P
    caisson load -i "$BATS_TEST_TMPDIR/a.tar"
    fails 125 "no such image" caisson run --rm "$pinned"
    fails 125 "no such image" caisson run --rm "other@${pinned#*@}"
    # Without the digest the name is one like any other.
    [ "$(caisson run --rm other:1)" = ran ]
}

# Seen to fail as above, by the annotation.
@test "an OCI archive cannot give its image the digest that somebody pinned" {
    local pinned=docker.io/library/busybox@sha256:117ebcd6e1a6a2b1c9c1cd9e5a9a2b36a2ec9b2b1f4d39d4c1d0d3b1b2a0c5e1
    mkdir "$BATS_TEST_TMPDIR/oci"
    caisson save --format oci-archive -o "$BATS_TEST_TMPDIR/o.tar" busybox
    tar -C "$BATS_TEST_TMPDIR/oci" -xf "$BATS_TEST_TMPDIR/o.tar"
    python3 - "$BATS_TEST_TMPDIR/oci/index.json" "$pinned" <<'P'
import json, sys
index = json.load(open(sys.argv[1]))
index["manifests"][0]["annotations"] = {"io.containerd.image.name": sys.argv[2]}
json.dump(index, open(sys.argv[1], "w"))
P
    caisson load -i "$BATS_TEST_TMPDIR/oci" | grep "Loaded image ID"
    fails 125 "no such image" caisson run --rm "$pinned"
}

# Seen to fail: what `images` printed for busybox ran the archive's image.
@test "an archive cannot call its image by the digits of another's id" {
    local id
    id=$(caisson images -q busybox)
    archive "$BATS_TEST_TMPDIR/a.tar" <<P
tags = ["$id"]
P
    caisson load -i "$BATS_TEST_TMPDIR/a.tar"
    fails 125 "more digits of the id" caisson run --rm "$id" /bin/sh -c :
    [ "$(caisson run --rm "$id:latest")" = ran ]
    caisson rmi "$id:latest"
    caisson run --rm "$id" true
}

# --- numbers --------------------------------------------------------------------------------------

# Seen to fail: all were loaded, each after work for every pair of them with the store locked.
@test "documents with more of anything than an image can want are refused at once" {
    archive "$BATS_TEST_TMPDIR/volumes.tar" <<<'config["Volumes"] = {"/%d" % i: {} for i in range(201)}'
    fails 1 "\"Volumes\": more than 200" timeout 10 caisson load -i "$BATS_TEST_TMPDIR/volumes.tar"
    archive "$BATS_TEST_TMPDIR/env.tar" <<<'config["Env"] = ["A%d=" % i for i in range(200000)]'
    fails 1 "\"Env\": more than 4000" timeout 10 caisson load -i "$BATS_TEST_TMPDIR/env.tar"
    archive "$BATS_TEST_TMPDIR/labels.tar" <<<'config["Labels"] = {"A%d" % i: "" for i in range(200000)}'
    fails 1 "\"Labels\": more than 4000" timeout 10 caisson load -i "$BATS_TEST_TMPDIR/labels.tar"
    archive "$BATS_TEST_TMPDIR/tags.tar" <<<'tags = ["a%d" % i for i in range(250000)]'
    fails 1 "more than 4000 names" timeout 10 caisson load -i "$BATS_TEST_TMPDIR/tags.tar"
    archive "$BATS_TEST_TMPDIR/words.tar" <<<'config["Cmd"] = ["a"] * 70000'
    fails 1 "\"Cmd\": more than 65536 words" timeout 10 caisson load -i "$BATS_TEST_TMPDIR/words.tar"
    archive "$BATS_TEST_TMPDIR/name.tar" <<<'config["Labels"] = {"": "x"}'
    fails 1 "a key may not be empty" caisson load -i "$BATS_TEST_TMPDIR/name.tar"
    archive "$BATS_TEST_TMPDIR/most.tar" <<'P'
config["Env"] = ["A%d=" % i for i in range(4000)]
config["Labels"] = {"A%d" % i: "" for i in range(4000)}
tags = ["most"]
P
    caisson load -i "$BATS_TEST_TMPDIR/most.tar"
    [ "$(timeout 10 caisson run --rm most)" = ran ]
}

# --- texts ----------------------------------------------------------------------------------------

# What is running afterwards is no remnant either: every container that began can be found.
nothing_runs() {
    [ -z "$(caisson ps -aq)" ]
    [ -z "$(ls "$CAISSON_STATE/ids" 2>/dev/null)" ]
}

# Seen to fail: it ran, and could not be stopped, killed, looked at or removed.
@test "an image whose accounts or labels no config.json can hold does not run" {
    archive "$BATS_TEST_TMPDIR/a.tar" <<'P'
files["etc/passwd"] = b"\xff" * (4 << 20)
tags = ["bytes"]
P
    caisson load -i "$BATS_TEST_TMPDIR/a.tar"
    fails 125 "config.json would have" caisson run -d bytes
    fails 125 "config.json would have" caisson run --rm bytes
    fails 125 "config.json would have" caisson create bytes
    nothing_runs
    archive "$BATS_TEST_TMPDIR/b.tar" <<'P'
config["Labels"] = {"a%d" % i: "\x7f" * 60000 for i in range(60)}
tags = ["labels"]
P
    caisson load -i "$BATS_TEST_TMPDIR/b.tar"
    fails 125 "config.json would have" caisson run -d labels
    nothing_runs
}

# Seen to fail: as above.
@test "an image's words that config.json does not take are left out or refused" {
    archive "$BATS_TEST_TMPDIR/a.tar" <<'P'
config.update({"StopSignal": "SIGRTM\u0007x", "Cmd": ["/bin/sh", "-c", "sleep 100"]})
tags = ["signal"]
P
    caisson load -i "$BATS_TEST_TMPDIR/a.tar"
    caisson run -d --name signal signal
    [ "$(caisson inspect -f '{{.Config.StopSignal}}' signal)" = SIGTERM ]
    caisson rm -f signal
    fails 125 "no signal" caisson run -d --stop-signal RTMx busybox true
    caisson run -d --name signal --stop-signal RTMIN+3 busybox sleep 100
    caisson rm -f signal
    fails 125 "cwd must be valid UTF-8" caisson run -d -w $'/\xff' busybox true
    fails 125 "labels has a member" caisson run -d --label $'\xff=1' busybox true
    fails 125 "cid_file must be" caisson run -d --cidfile $'a\nb' busybox true
    nothing_runs
}

@test "of a label given twice the last counts, and what is given twice does no damage" {
    printf 'b=1\nb=2\n' >"$BATS_TEST_TMPDIR/labels"
    caisson create --name twice --label a=1 --label a --label a=2 --label-file "$BATS_TEST_TMPDIR/labels" \
        --annotation c=1 --annotation c=2 busybox true
    [ "$(caisson inspect -f '{{.Config.Labels.a}} {{.Config.Labels.b}}' twice)" = "2 2" ]
    caisson rm twice
}

# Seen to fail: only what was no plan could be discarded, and a document too long stayed for ever.
@test "rm -f discards a container whose config.json cannot be read, whatever the reason" {
    local id pid file damage
    for damage in long empty link; do
        id=$(caisson run -d --name broken busybox sleep 100)
        pid=$(caisson inspect -f '{{.State.Pid}}' broken)
        file=$CAISSON_ROOT/containers/$id/config.json
        case $damage in
        long) truncate -s 9M "$file" ;;
        empty) truncate -s 0 "$file" ;;
        link) ln -sf /nowhere/at/all "$file" ;;
        esac
        fails 1 "rm -f ${id:0:12}" caisson inspect broken
        caisson rm -f broken
        waits 5 sh -c "! kill -0 $pid"
    done
    nothing_runs
}

# --- what is shown --------------------------------------------------------------------------------

# The file $1 has nothing in it that a terminal would obey.
shown_only() {
    python3 -c '
import sys
seen = open(sys.argv[1], "rb").read()
assert not any(code in seen for code in (b"\x1b[2J", b"\xc2\x9b", b"\xe2\x80\xae")), seen' "$1"
}

# Seen to fail: the first cleared the screen, the second had the control characters of C1 in it.
@test "labels of an image do not command the terminal of whoever looks, and a pipe gets them as they are" {
    archive "$BATS_TEST_TMPDIR/a.tar" <<'P'
config["Labels"] = {"a": "x\x1b[2J\u009b2J\u202e"}
tags = ["labels"]
P
    caisson load -i "$BATS_TEST_TMPDIR/a.tar"
    caisson create --name labelled labels
    local look=(python3 "$BATS_TEST_DIRNAME/../lib/terminal.py" --)
    for format in '{{.Labels}}' '{{json .Labels}}' 'table {{.Labels}}'; do
        timeout 60 "${look[@]}" caisson ps -a --format "$format" >"$BATS_TEST_TMPDIR/seen"
        shown_only "$BATS_TEST_TMPDIR/seen"
        grep -q 'a=x' "$BATS_TEST_TMPDIR/seen"
    done
    timeout 60 "${look[@]}" caisson inspect labelled >"$BATS_TEST_TMPDIR/seen"
    shown_only "$BATS_TEST_TMPDIR/seen"
    [ "$(caisson ps -a --format '{{.Labels}}')" = $'a=x\x1b[2J\xc2\x9b2J\xe2\x80\xae' ]
    caisson rm labelled
}
