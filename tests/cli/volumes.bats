#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Volumes and what else is mounted: made, listed, shared, filled, removed.
load ../lib/common

# seeded: an image whose /data has files of all kinds, and a VOLUME there.
seeded_image() {
    local fs=$BATS_FILE_TMPDIR/seeded
    mkdir -p "$fs/bin" "$fs/data/sub" "$fs/etc"
    cp /bin/busybox "$fs/bin/"
    ln -s busybox "$fs/bin/sh"
    echo hello >"$fs/data/file"
    ln "$fs/data/file" "$fs/data/sub/other"
    ln -s file "$fs/data/link"
    mkfifo "$fs/data/fifo"
    chmod 2750 "$fs/data/sub"
    tar -C "$fs" --owner=0 --group=0 -cf "$fs.tar" .
    caisson import -c 'VOLUME /data' "$fs.tar" seeded >/dev/null
}

setup_file() {
    common_setup_file
    image
    seeded_image
}
teardown_file() { common_teardown_file; }

# Every test begins without volumes and containers.
setup() {
    local ids
    ids=$(caisson ps -aq)
    # shellcheck disable=SC2086 # one word per id
    [ -z "$ids" ] || caisson rm -f $ids >/dev/null
    caisson volume prune -af >/dev/null
}

run_() { caisson run --rm "$@"; }

# --- the verbs -----------------------------------------------------------------------------------

@test "volume create prints the name, and makes one up that counts as anonymous" {
    [ "$(caisson volume create data)" = data ]
    [ "$(caisson volume create data)" = data ]
    [[ $(caisson volume create) =~ ^[0-9a-f]{64}$ ]]
    [ "$(caisson volume ls -q | wc -l)" = 2 ]
    [ "$(caisson volume ls --format '{{.Anonymous}}' | sort | xargs)" = "false true" ]
}

@test "volume create refuses other drivers, options and names that are paths" {
    fails 1 "not \"nfs\"" caisson volume create -d nfs data
    fails 1 "--opt" caisson volume create -o type=tmpfs data
    for name in ../x a/b .x -- "" /x "a b"; do
        fails 1 "no name for a volume" caisson volume create -- "$name"
    done
    [ -z "$(caisson volume ls -q)" ]
}

@test "volume ls shows by name, label, driver and use" {
    caisson volume create -l tier=db -l owner one >/dev/null
    caisson volume create two >/dev/null
    caisson create -v two:/data busybox true >/dev/null
    [ "$(caisson volume ls | xargs)" = "DRIVER VOLUME NAME local one local two" ]
    [ "$(caisson volume ls -q --filter name=on)" = one ]
    [ "$(caisson volume ls -q --filter label=tier=db)" = one ]
    [ "$(caisson volume ls -q --filter label=owner)" = one ]
    [ -z "$(caisson volume ls -q --filter label=tier=web)" ]
    [ "$(caisson volume ls -q --filter driver=local | xargs)" = "one two" ]
    [ -z "$(caisson volume ls -q --filter driver=nfs)" ]
    [ "$(caisson volume ls -q --filter dangling=true)" = one ]
    [ "$(caisson volume ls -q --filter dangling=false)" = two ]
    [ "$(caisson volume ls --format '{{.Name}} {{.Links}}' | xargs)" = "one 0 two 1" ]
    caisson volume ls --format json | grep -q '"Name":"one"'
    fails 1 "the keys are" caisson volume ls --filter size=1
}

@test "volume inspect shows Docker's fields, by template too" {
    caisson volume create -l tier=db data >/dev/null
    [ "$(caisson volume inspect -f '{{.Name}} {{.Driver}} {{.Scope}} {{.Labels.tier}}' data)" = "data local local db" ]
    [ -d "$(caisson volume inspect -f '{{.Mountpoint}}' data)" ]
    caisson volume inspect data | grep -q '"Anonymous": false'
    fails 1 "no such volume: other" caisson volume inspect data other
}

@test "volume rm names the containers that use it, also those that do not run" {
    caisson create --name user -v data:/data busybox true >/dev/null
    fails 1 "volume data is used by container user" caisson volume rm data
    fails 1 "volume data is used by container user" caisson volume rm -f data
    caisson rm -v user >/dev/null
    [ "$(caisson volume rm data)" = data ]
    fails 1 "no such volume: data" caisson volume rm data
    caisson volume rm -f data
}

@test "volume prune takes anonymous ones, -a all that no container uses" {
    caisson volume create -l keep named >/dev/null
    caisson volume create other >/dev/null
    caisson volume create >/dev/null
    caisson create -v used:/a -v /b busybox true >/dev/null
    fails 1 "no terminal to ask" caisson volume prune </dev/null
    run caisson volume prune -f
    [[ $output == "Deleted Volumes:"*"Total reclaimed space: 0B" ]]
    [ "$(caisson volume ls -q | grep -cE '^[0-9a-f]{64}$')" = 1 ]
    caisson volume prune -a -f --filter label!=keep
    [ "$(caisson volume ls -q | grep -vE '^[0-9a-f]{64}$' | xargs)" = "named used" ]
    caisson volume prune -f --filter all=true
    [ "$(caisson volume ls -q | grep -vE '^[0-9a-f]{64}$')" = used ]
}

# --- mounting ------------------------------------------------------------------------------------

@test "a volume is made by run, outlives the container and is shared by the next" {
    run_ -v data:/data busybox sh -c 'echo precious >/data/file'
    [ "$(run_ -v data:/data busybox cat /data/file)" = precious ]
    [ "$(run_ --mount type=volume,source=data,target=/other busybox cat /other/file)" = precious ]
    [ "$(caisson volume ls -q)" = data ]
}

@test "containers with different ranges of ids see the same owners in a volume" {
    caisson run -d --name one --level baseline -v data:/data busybox sleep 100 >/dev/null
    caisson exec one sh -c 'echo x >/data/file && chown 12:34 /data/file'
    caisson run -d --name two --level baseline -v data:/data busybox sleep 100 >/dev/null
    if [ "$(id -u)" = 0 ]; then
        [ "$(caisson exec one cat /proc/self/uid_map)" != "$(caisson exec two cat /proc/self/uid_map)" ]
    fi
    [ "$(caisson exec two stat -c %u:%g /data/file)" = 12:34 ]
}

@test "a volume can be read-only, and is without setuid and devices, noexec when asked" {
    run_ -v data:/data busybox sh -c 'cp /bin/busybox /data/true; echo x >/data/file'
    fails 1 "Read-only" caisson run --rm -v data:/data:ro busybox touch /data/new
    fails 1 "Read-only" caisson run --rm --mount source=data,target=/data,readonly busybox touch /data/new
    [[ $(run_ -v data:/data busybox grep ' /data ' /proc/self/mountinfo) == *nosuid,nodev* ]]
    run_ -v data:/data busybox /data/true true
    fails 126 "" caisson run --rm -v data:/data:noexec busybox /data/true true
}

@test "volume-subpath mounts a directory or a file of a volume, which has to be there" {
    run_ -v data:/data busybox sh -c 'mkdir -p /data/a/b; echo deep >/data/a/b/file'
    [ "$(run_ --mount type=volume,source=data,target=/x,volume-subpath=a/b busybox cat /x/file)" = deep ]
    [ "$(run_ --mount type=volume,source=data,target=/x,volume-subpath=a/b/file busybox cat /x)" = deep ]
    fails 125 "no such thing in volume data" caisson run --rm \
        --mount type=volume,source=data,target=/x,volume-subpath=none busybox true
}

@test "volume-label labels a volume that is made" {
    run_ --mount type=volume,source=data,target=/x,volume-label=tier=db busybox true
    [ "$(caisson volume inspect -f '{{.Labels.tier}}' data)" = db ]
}

@test "--mount says which key goes with which type, and what it does not know" {
    fails 125 "volume-nocopy goes with type=volume" caisson run --rm \
        --mount type=bind,source=/tmp,target=/x,volume-nocopy busybox true
    fails 125 "volume-driver" caisson run --rm --mount source=a,target=/x,volume-driver=nfs busybox true
    fails 125 "volume-opt" caisson run --rm --mount source=a,target=/x,volume-opt=o=bind busybox true
    fails 125 "create the source first" caisson run --rm \
        --mount type=bind,source=/none,target=/x,bind-create-src busybox true
    fails 125 "target=PATH is missing" caisson run --rm --mount type=volume,source=a busybox true
    fails 125 "type=nfs" caisson run --rm --mount type=nfs,target=/x busybox true
    [ -z "$(caisson volume ls -q)" ]
}

@test "a host directory that is missing is an error, and a name is no path" {
    fails 125 "create it first" caisson run --rm -v /no/such/place:/x busybox true
    fails 125 "no name for a volume" caisson run --rm -v a/b:/x busybox true
    [ ! -e /no ]
    [ -z "$(caisson volume ls -q)" ]
}

@test "what fails before the container is there leaves no anonymous volume" {
    fails 127 "" caisson run --rm -v /data busybox no-such-command
    fails 125 "no such container" caisson run --rm -v /data --volumes-from none busybox true
    fails 125 "" caisson run --rm -v /data -v data:/proc/x busybox true
    [ -z "$(caisson volume ls -q --filter name=data)" ]
    [ -z "$(caisson volume ls -q)" ]
}

@test "201 mounts are refused by number" {
    local words=() i
    for i in $(seq 201); do words+=(-v "v$i:/v/$i"); done
    fails 125 "at most 200" caisson run --rm "${words[@]}" busybox true
    [ -z "$(caisson volume ls -q)" ]
}

@test "200 volumes are mounted" {
    local words=() i
    for i in $(seq 195); do words+=(-v "v$i:/v/$i"); done
    [ "$(run_ "${words[@]}" busybox sh -c 'ls /v | wc -l')" = 195 ]
}

# --- what a volume starts with -------------------------------------------------------------------

@test "an empty volume starts with the image's files: modes, links, times and all" {
    run run_ -v data:/data --user 0 seeded busybox sh -c 'cd /data
        cat file; readlink link; stat -c %a sub; [ -p fifo ] && echo fifo
        [ "$(stat -c %i file)" = "$(stat -c %i sub/other)" ] && echo same'
    [ "$status" = 0 ]
    [ "$(echo "$output" | xargs)" = "hello file 2750 fifo same" ]
    # Once: what was removed does not come back.
    run_ -v data:/data --user 0 seeded busybox rm /data/file
    fails 1 "No such file" caisson run --rm -v data:/data seeded busybox cat /data/file
}

@test "nocopy and a volume with something in it take nothing of the image" {
    [ -z "$(run_ -v one:/data:nocopy seeded busybox ls /data)" ]
    [ -z "$(run_ --mount type=volume,source=two,target=/data,volume-nocopy seeded busybox ls /data)" ]
    run_ -v three:/data busybox touch /data/mine
    [ "$(run_ -v three:/data seeded busybox ls /data)" = mine ]
}

@test "a volume that is still empty takes the files of the next image" {
    run_ -v data:/data busybox true
    [ "$(run_ -v data:/data seeded busybox cat /data/file)" = hello ]
}

@test "whoever runs in the place of root can write to a new volume" {
    run_ -v data:/data seeded busybox touch /data/new
    run_ -v fresh:/elsewhere busybox touch /elsewhere/new
    run_ -v /anonymous busybox touch /anonymous/new
    run_ --user 1234 -v other:/elsewhere busybox touch /elsewhere/new
}

@test "filling that was killed is begun again, and moving that was killed goes on" {
    local home=$CAISSON_ROOT/volumes/data
    caisson volume create data >/dev/null
    mkdir -p "$home/filling/half" "$home/links"
    [ "$(run_ -v data:/data seeded busybox sh -c 'ls /data | xargs')" = "fifo file link sub" ]
    [ "$(find "$home" -maxdepth 1 -mindepth 1 -printf '%f\n' | sort | xargs)" = "data volume.json" ]
    caisson volume rm data >/dev/null
    caisson volume create data >/dev/null
    mkdir "$home/filled"
    echo kept >"$home/filled/one"
    echo lost >"$home/filled/two"
    echo theirs >"$home/data/two"
    [ "$(run_ -v data:/data seeded busybox sh -c 'cat /data/one /data/two; ls /data' | xargs)" = "kept theirs one two" ]
    [ ! -e "$home/fresh" ]
    [ ! -e "$home/filled" ]
}

@test "a disk that is full while a volume is filled is named, and gets its room back" {
    skip_unless_root # a file system of its own
    mkdir -p "$CAISSON_ROOT/volumes"
    export -f fails
    unshare -m bash -e -c '
        mount -t tmpfs -o size=1m,mode=700 caisson-full "$CAISSON_ROOT/volumes"
        fails 125 "into volume data: cannot copy busybox: No space left" \
            caisson run --rm -v data:/bin busybox true
        [ ! -e "$CAISSON_ROOT/volumes/data/filling" ]
        caisson volume rm data >/dev/null'
}

@test "two containers that start at once with an empty volume both see it filled" {
    local i pids=()
    for i in 1 2 3 4; do
        caisson run --rm -v data:/data seeded busybox cat /data/file >"$BATS_TEST_TMPDIR/$i" &
        pids+=($!)
    done
    for i in 1 2 3 4; do
        wait "${pids[i - 1]}"
        [ "$(cat "$BATS_TEST_TMPDIR/$i")" = hello ]
    done
}

# --- anonymous volumes ---------------------------------------------------------------------------

@test "anonymous volumes are listed, go with --rm and rm -v, and otherwise stay" {
    caisson create --name keep seeded busybox true >/dev/null
    [[ $(caisson volume ls -q) =~ ^[0-9a-f]{64}$ ]]
    caisson rm keep >/dev/null
    [ "$(caisson volume ls -q --filter dangling=true | wc -l)" = 1 ]
    caisson volume prune -f >/dev/null
    caisson create --name take seeded busybox true >/dev/null
    caisson rm -v take >/dev/null
    [ "$(run_ seeded busybox cat /data/file)" = hello ]
    [ -z "$(caisson volume ls -q)" ]
}

@test "rm -v leaves volumes with a name of their own" {
    caisson create --name web -v data:/data -v /other busybox true >/dev/null
    caisson rm -v web >/dev/null
    [ "$(caisson volume ls -q)" = data ]
}

@test "an anonymous volume survives a restart of its container" {
    caisson run -d --name web -v /data busybox sh -c 'cat /data/x; echo again >/data/x; sleep 100' >/dev/null
    waits 10 caisson exec web test -s /data/x
    caisson restart -t 0 web >/dev/null
    waits 10 sh -c 'caisson logs web | grep -q again'
}

@test "--volumes-from mounts what another container has, ro where asked" {
    caisson run -d --name web -v data:/data -v "$BATS_TEST_TMPDIR:/host:ro" -v /own \
        --tmpfs /scratch busybox sleep 100 >/dev/null
    caisson exec web sh -c 'echo a >/data/file; echo b >/own/file'
    run run_ --volumes-from web busybox sh -c 'cat /data/file /own/file; [ -d /host ] && echo host; [ -d /scratch ] || echo none; touch /data/new'
    [ "$status" = 0 ]
    [ "$(echo "$output" | xargs)" = "a b host none" ]
    fails 1 "Read-only" caisson run --rm --volumes-from web:ro busybox touch /data/new
    [ "$(run_ --volumes-from web -v other:/data busybox ls /data)" = "" ]
    fails 125 "no such container: none" caisson run --rm --volumes-from none busybox true
    fails 125 "ro or rw" caisson run --rm --volumes-from web:zz busybox true
    # The last one that goes takes an anonymous volume along.
    caisson create --name second --volumes-from web busybox true >/dev/null
    caisson rm -f -v web >/dev/null
    [ "$(caisson volume ls -q | wc -l)" = 3 ]
    caisson rm -v second >/dev/null
    [ "$(caisson volume ls -q | xargs)" = "data other" ]
}

@test "--image-volume says what is at the image's VOLUMEs" {
    [ "$(run_ --image-volume ignore seeded busybox cat /data/file)" = hello ]
    fails 1 "Read-only" caisson run --rm --image-volume ignore seeded busybox touch /data/new
    [ -z "$(run_ --image-volume tmpfs seeded busybox ls /data)" ]
    run_ --image-volume tmpfs seeded busybox touch /data/new
    [ -z "$(caisson volume ls -q)" ]
}

# --- images --------------------------------------------------------------------------------------

@test "--mount type=image shows another image's files, read-only, and a part of them" {
    run run_ --mount type=image,source=seeded,target=/model busybox sh -c 'ls /model; cat /model/data/file; touch /model/x'
    [ "$status" = 1 ]
    [[ $output == *"bin"*"data"*"etc"*"hello"*"Read-only"* ]]
    [[ $output != *proc* ]]
    [ "$(run_ --user 0 --mount type=image,source=seeded,target=/m,image-subpath=data/sub busybox cat /m/other)" = hello ]
    [ "$(run_ --mount type=image,source=seeded,target=/m,image-subpath=data/file busybox cat /m)" = hello ]
    fails 125 "always read-only" caisson run --rm --mount type=image,source=seeded,target=/m,readonly=false busybox true
    fails 125 "no such image" caisson run --rm --mount type=image,source=none,target=/m busybox true
    fails 125 "No such file" caisson run --rm --mount type=image,source=seeded,target=/m,image-subpath=none busybox true
}

@test "an image that is mounted in a container is kept, with or without its name" {
    local fs=$BATS_TEST_TMPDIR/fs
    mkdir -p "$fs/dir"
    echo weights >"$fs/file"
    tar -C "$fs" --owner=0 --group=0 -cf "$fs.tar" .
    caisson import "$fs.tar" model >/dev/null
    caisson run -d --name web --mount type=image,source=model,target=/model busybox sleep 100 >/dev/null
    run caisson rmi model
    [ "$status" = 1 ]
    [ "${#lines[@]}" = 1 ]
    [[ $output == *"is used by container"* ]]
    caisson rmi -f model >/dev/null
    caisson image prune -af >/dev/null
    caisson restart -t 0 web >/dev/null
    [ "$(caisson exec web cat /model/file)" = weights ]
    caisson rm -f web >/dev/null
    caisson image prune -f | grep -q deleted
}

# --- what is shown, what is near by --------------------------------------------------------------

@test "inspect shows Mounts as Docker does" {
    caisson create --name web -v data:/data:ro -v "$BATS_TEST_TMPDIR:/host" busybox true >/dev/null
    run caisson inspect -f '{{range .Mounts}}{{.Type}} {{.Destination}} {{.Mode}} {{.RW}} {{.Propagation}};{{end}}' web
    [[ $output == *"volume /data ro false ;"* ]]
    [[ $output == *"bind /host  true rprivate;"* ]]
    [ "$(caisson inspect -f '{{(index .Mounts 0).Name}} {{(index .Mounts 0).Driver}}' web)" = "data local" ]
    [ "$(caisson inspect -f '{{(index .Mounts 0).Source}}' web)" = "$(caisson volume inspect -f '{{.Mountpoint}}' data)" ]
    [ "$(caisson inspect -f '{{index .HostConfig.Binds 0}}' web)" = data:/data:ro ]
}

@test "ps finds containers by volume, by name or by place" {
    caisson create --name web -v data:/srv busybox true >/dev/null
    caisson create --name other busybox true >/dev/null
    [ "$(caisson ps -a --filter volume=data --format '{{.Names}} {{.Mounts}}')" = "web data" ]
    [ "$(caisson ps -a --filter volume=/srv --format '{{.Names}}')" = web ]
    [ -z "$(caisson ps -aq --filter volume=none)" ]
}

@test "--read-only-tmpfs gives places to write where the level does not, and takes them away" {
    fails 1 "Read-only" caisson run --rm --level baseline --read-only busybox touch /tmp/x
    run_ --level baseline --read-only --read-only-tmpfs busybox touch /tmp/x /run/x /var/tmp/x
    fails 1 "Read-only" caisson run --rm --read-only-tmpfs=false busybox touch /tmp/x
}

@test "--mount type=tmpfs has size and mode" {
    run run_ --mount type=tmpfs,target=/x,tmpfs-size=1m,tmpfs-mode=1750 busybox \
        sh -c 'df -k /x | tail -n 1 | xargs | cut -d" " -f2; stat -c %a /x'
    [ "$(echo "$output" | xargs)" = "1024 1750" ]
    fails 125 "has no source" caisson run --rm --mount type=tmpfs,source=a,target=/x busybox true
}

@test "a volume with the longest name can be made, mounted, started again and removed" {
    name=$(printf 'a%.0s' $(seq 255))
    caisson volume create "$name"
    [ "$(caisson run --name longest -v "$name:/data" busybox echo ran)" = ran ]
    [ "$(caisson start -a longest)" = ran ]
    caisson rm longest
    caisson volume rm "$name"
    fails 1 "is no name for a volume" caisson volume create "a$name"
}
