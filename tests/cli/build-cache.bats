#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# build: what is known from before, what is not, and how long it is kept.
load ../lib/common
load ../lib/build

setup_file() {
    common_setup_file
    image
}
setup() { build_begin; }
teardown_file() { common_teardown_file; }

# elsewhere COMMAND...: with another root, in which there is the busybox image.
elsewhere() {
    local there=$BATS_TEST_TMPDIR/elsewhere
    if [ ! -d "$there" ]; then
        mkdir "$there"
        caisson save -o "$there/busybox.tar" busybox
        CAISSON_ROOT=$there/root CAISSON_STATE=$there/state caisson load -q -i "$there/busybox.tar" >/dev/null
    fi
    CAISSON_ROOT=$there/root CAISSON_STATE=$there/state "$@"
}

# run_builds LINE...: builds busybox with these lines.
run_builds() {
    printf 'FROM busybox\n' >"$FILE"
    printf '%s\n' "$@" >>"$FILE"
    build --network none
}

@test "COPY: times are no reason, contents, modes, names and links are" {
    mkdir d
    echo one >d/f
    ln -s f d/l
    dockerfile <<'E'
FROM scratch
COPY d /d
E
    build
    carried 1
    touch -d 2001-01-01 d/f d
    build
    cached 1
    # The same size and the same time, but other bytes.
    stamp=$(stat -c %y d/f)
    echo two >d/f
    touch -d "$stamp" d/f
    build
    carried 1
    chmod 755 d/f
    build
    carried 1
    mv d/f d/g
    build
    carried 1
    ln -sfn g d/l
    build
    carried 1
    touch d/empty
    build
    carried 1
    # What is ignored changes nothing.
    rm d/empty
    printf 'd/ignored\n' >.dockerignore
    echo x >d/ignored
    build
    cached 1
}

@test "COPY: its destination, its owner, its mode and its flags count" {
    echo f >f
    for flags in "f /a" "f /b" "--chown=1 f /a" "--chown=1:2 f /a" "--chmod=600 f /a" "f /a/"; do
        printf 'FROM scratch\nCOPY %s\n' "$flags" | dockerfile
        build
        carried 1
        build
        cached 1
    done
}

@test "a file that is written anew while nobody looks is read anew" {
    dockerfile <<'E'
FROM scratch
COPY f /f
E
    for n in 1 2 3 4 5 6 7 8; do
        echo "$n" >f
        build -o out
        [ "$(cat out/f)" = "$n" ]
    done
}

@test "RUN: what it executes, as whom, where and with which variables counts" {
    run_builds 'RUN true'
    run_builds 'RUN true'
    cached 1
    for before in "USER 5" "WORKDIR /" "ENV A=1" "ENV A=2" 'SHELL ["/bin/ash", "-c"]'; do
        run_builds "$before" 'RUN true'
        [ "$(grep -c 'DONE' "$SAID")" -ge 1 ]
        run_builds "$before" 'RUN true'
        [ "$(grep -c 'DONE' "$SAID")" = 0 ]
    done
    # In which order variables were set does not.
    run_builds 'ENV X=1 Y=2' 'RUN true'
    carried 1
    run_builds 'ENV Y=2 X=1' 'RUN true'
    cached 1
    # Labels, ports and comments are of no use to it.
    run_builds 'LABEL a=b' 'EXPOSE 80' '# comment' 'ENV X=1 Y=2' 'RUN true'
    cached 1
}

@test "ARG: a value counts for the steps that come after it and nowhere else" {
    dockerfile <<'E'
FROM busybox
RUN true
ARG WHO=me
RUN echo $WHO
E
    build --network none
    build --network none
    cached 2
    build --network none --build-arg WHO=you
    cached 1
    carried 1
    build --network none --build-arg WHO=me
    cached 2
}

@test "RUN: mounts count by what they hold, secrets and caches by their names" {
    echo one >f
    run_builds 'RUN --mount=type=bind,source=f,target=/f cat /f'
    touch -d 2001-01-01 f
    run_builds 'RUN --mount=type=bind,source=f,target=/f cat /f'
    cached 1
    echo two >f
    run_builds 'RUN --mount=type=bind,source=f,target=/f cat /f'
    carried 1
    run_builds 'RUN --mount=type=bind,source=f,target=/g cat /f || true'
    carried 1
    run_builds 'RUN --mount=type=cache,target=/c date >>/c/f'
    run_builds 'RUN --mount=type=cache,target=/c date >>/c/f'
    cached 1
    # Whose a secret is, with which mode, and whether it has to be there, steps see.
    run_builds 'RUN --mount=type=secret,id=s true'
    for more in mode=0440 uid=5 gid=6; do
        run_builds "RUN --mount=type=secret,id=s,$more true"
        carried 1
    done
    run_builds 'RUN --mount=type=secret,id=s true'
    cached 1
    printf 'FROM busybox\nRUN --mount=type=secret,id=s,required true\n' >"$FILE"
    fails 1 "required" caisson build --network none -f "$FILE" .
}

@test "an image that was loaded is no source of the cache, whatever its history says" {
    dockerfile <<'E'
FROM busybox
RUN echo honest >/f
E
    # The same image with other files and the very same history.
    build --network none -t honest
    caisson save -o honest.tar honest
    python3 - <<'E'
import hashlib, io, json, tarfile
old = tarfile.open("honest.tar")
files = {m.name: old.extractfile(m).read() for m in old if m.isfile()}
manifest = json.loads(files["manifest.json"])[0]
layer = io.BytesIO()
with tarfile.open(fileobj=layer, mode="w") as new:
    entry = tarfile.TarInfo("f")
    entry.size = len(b"forged\n")
    new.addfile(entry, io.BytesIO(b"forged\n"))
layer = layer.getvalue()
config = json.loads(files[manifest["Config"]])
config["rootfs"]["diff_ids"][-1] = "sha256:" + hashlib.sha256(layer).hexdigest()
with tarfile.open("forged.tar", "w") as out:
    def add(name, data):
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        out.addfile(entry, io.BytesIO(data))
    add("config.json", json.dumps(config).encode())
    names = []
    for index, path in enumerate(manifest["Layers"][:-1]):
        add(f"{index}.tar", files[path])
        names.append(f"{index}.tar")
    add("last.tar", layer)
    add("manifest.json", json.dumps([{"Config": "config.json", "RepoTags": ["forged:1"],
                                      "Layers": names + ["last.tar"]}]).encode())
E
    elsewhere caisson load -q -i forged.tar >/dev/null
    [ "$(elsewhere caisson run --rm forged:1 cat /f)" = forged ]
    elsewhere build --network none -t mine
    carried 1
    [ "$(elsewhere caisson run --rm mine cat /f)" = honest ]
}

@test "COPY --from: another builder with the same artifact is a hit" {
    dockerfile <<'E'
FROM busybox AS builder
ARG N
RUN echo "$N" >/log; echo artifact >/artifact
FROM scratch
COPY --from=builder /artifact /artifact
E
    build --network none --build-arg N=1
    carried 2
    build --network none --build-arg N=2
    carried 1
    cached 1
    # An attribute that is copied makes it another artifact.
    dockerfile <<'E'
FROM busybox AS builder
COPY x /x
FROM scratch
COPY --from=builder /x /x
E
    echo x >x
    build --no-cache
    python3 -c 'import os; os.setxattr("x", "user.mark", b"1")' || skip "no attributes here"
    build
    carried 2
}

@test "what is cached all through gives the same image, and its names move" {
    dockerfile <<'E'
FROM busybox
RUN echo x >/x
WORKDIR /w
COPY . .
CMD ["x"]
E
    echo f >f
    build --network none -t one --iidfile ../one
    sleep 1.1
    build --network none -t two --iidfile ../two
    cached 3
    cmp ../one ../two
    build --network none -t one --build-arg X=1 --label l=1 --iidfile ../three
    cached 3
    ! cmp -s ../one ../three || false
    [ "$(caisson images -q --no-trunc one)" = "$(cat ../three)" ]
}

@test "steps that were done before one failed are not done again" {
    dockerfile <<'E'
FROM busybox
RUN echo one >/one
RUN echo two >/two
RUN exit 1
E
    wrong "exit code 1" --network none
    sed -i '$d' "$FILE"
    build --network none
    cached 2
    # And those of a stage beside it, which was ended.
    dockerfile <<'E'
FROM busybox AS slow
RUN echo slow >/slow
RUN while [ ! -e /x ]; do sleep 0.1; done
FROM busybox AS fails
RUN sleep 0.5; exit 1
FROM scratch
COPY --from=slow /slow /
COPY --from=fails /bin /
E
    wrong "exit code 1" --network none
    sed -i '/while/d; s/; exit 1//' "$FILE"
    build --network none
    cached 1
}

@test "prune: rmi and image prune leave the cache, builder prune takes it, and until= spares what was of use" {
    dockerfile <<'E'
FROM busybox
RUN echo pruned >/pruned
E
    build --network none -t gone
    caisson rmi gone >/dev/null
    caisson image prune -f >/dev/null
    build --network none
    cached 1
    caisson builder prune -f --filter until=1h >/dev/null
    build --network none
    cached 1
    caisson image prune -a -f --filter label=never >/dev/null
    caisson builder prune -f >/dev/null
    build --network none
    carried 1
    # Images that were built stay whole.
    build --network none -t kept
    caisson builder prune -a -f >/dev/null
    [ "$(caisson run --rm kept cat /pruned)" = pruned ]
    fails 1 "until=" caisson builder prune -f --filter label=x
}

@test "prune -a takes the caches of mounts, prune does not" {
    run_builds 'RUN --mount=type=cache,id=pruned,target=/c echo x >/c/x'
    caisson builder prune -f >/dev/null
    run_builds 'RUN --mount=type=cache,id=pruned,target=/c cat /c/x'
    caisson builder prune -a -f >/dev/null
    run_builds 'RUN --mount=type=cache,id=pruned,target=/c ls /c | wc -l >&2; [ ! -e /c/x ]'
}

@test "--cache-to and --cache-from take steps and caches of mounts to another root" {
    dockerfile <<'E'
FROM busybox AS builder
RUN --mount=type=cache,id=carried,target=/c echo in-the-cache >/c/f; echo built >/built
FROM scratch
COPY --from=builder /built /built
E
    build --network none --cache-to type=local,dest=../cache --iidfile ../here
    elsewhere build --network none --cache-from type=local,src=../cache --iidfile ../there
    cached 2
    cmp ../here ../there
    run_there() {
        printf 'FROM busybox\nRUN --mount=type=cache,id=carried,target=/c cat /c/f\n' >"$FILE"
        build --network none
    }
    elsewhere run_there
    said " in-the-cache"
    # One that is not there yet is said, and is no failure.
    build --network none --cache-from type=local,src=../none
    said "there is no cache yet"
    fails 1 "only type=local" caisson build -f "$FILE" --cache-to type=registry,ref=x .
}

@test "a cache directory that was changed is not believed" {
    dockerfile <<'E'
FROM busybox
RUN echo honest >/f
E
    build --network none --no-cache --cache-to ../cache
    # Every file of a layer that says something else.
    grep -rlaZ honest ../cache | xargs -0 sed -i s/honest/forged/
    elsewhere build --network none --cache-from ../cache -t t || true
    elsewhere build --network none -t t
    [ "$(elsewhere caisson run --rm t cat /f)" = honest ]
}

@test "SOURCE_DATE_EPOCH: the same image in another root, later, of files with other times" {
    mkdir d
    echo f >d/f
    dockerfile <<'E'
FROM busybox
RUN mkdir -p /a/b && date +%s%N >/dev/null && echo x >/a/b/x && ln -s x /a/l
WORKDIR /w
COPY d .
E
    export SOURCE_DATE_EPOCH=1700000000
    build --network none -t t --iidfile ../one
    sleep 1.1
    touch -d 2011-11-11 d/f
    elsewhere build --network none -t t --iidfile ../two
    cmp ../one ../two
    caisson run --rm t stat -c %Y /a/b/x /w/f | sort -u >../times
    [ "$(caisson image inspect -f '{{.Created}}' t)" = "2023-11-14T22:13:20.000000000Z" ]
    while read -r time; do
        [ "$time" -le 1700000000 ]
    done <../times
    # Also as an argument.
    unset SOURCE_DATE_EPOCH
    elsewhere build --no-cache --network none --build-arg SOURCE_DATE_EPOCH=1700000000 --iidfile ../three
    cmp ../one ../three
    # What was cached without it, or with another one, has other times.
    build --no-cache --network none
    build --network none --build-arg SOURCE_DATE_EPOCH=1600000000
    build --network none --build-arg SOURCE_DATE_EPOCH=1700000000 --iidfile ../four
    cmp ../one ../four
    fails 1 SOURCE_DATE_EPOCH caisson build -f "$FILE" --build-arg SOURCE_DATE_EPOCH=yesterday .
}

@test "without SOURCE_DATE_EPOCH files keep their times" {
    echo f >f
    touch -d '2011-11-11 11:11:11 UTC' f
    dockerfile <<'E'
FROM busybox
COPY f /f
RUN touch -d '2001-01-01 00:00:00' /g
E
    build --network none -t t
    [ "$(caisson run --rm t stat -c %Y /f /g)" = $'1321009871\n978307200' ]
}
