#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Dockerfiles, contexts and base images that do what they can against the builder and the host.
load ../lib/common
load ../lib/build
load lib/hostile

setup_file() {
    hostile_setup_file
    mkdir "$CANARY/dir/empty"
    export CANARY_BEFORE=
    CANARY_BEFORE=$(canary_looks)
}
setup() { build_begin; }
teardown_file() { common_teardown_file; }

# canary_build [OPTION...]: whatever becomes of the build, nothing is left of it.
canary_build() {
    timeout 60 caisson build --progress plain --network none -f "$FILE" "$@" . >"$SAID" 2>&1 || true
    nothing_staged
    canary_lives
}

# no_host [DIRECTORY]: nothing of the host's file is in what was said, nor there.
no_host() {
    ! grep -rqsF "of the host" "$SAID" "$@" || { cat "$SAID" && false; }
}

@test "mount targets behind links of the stage are made inside of it (CVE-2024-23652, CVE-2024-1753)" {
    for way in "$WAY_OUT" "$CANARY" /proc/self/root /proc/1/root; do
        for step in "--mount=type=tmpfs,target=/t/link/new true" \
            "--mount=type=cache,target=/t/link/dir echo evil >/t/link/dir/evil" \
            "--mount=type=tmpfs,target=/t/file true" \
            "--mount=type=bind,target=/t/file,source=x echo evil >/t/file" \
            "--mount=type=bind,target=/t/link,rw touch /t/link/evil"; do
            echo x >x
            cat >"$FILE" <<E
FROM busybox
RUN mkdir -p /t && ln -s $way /t/link && ln -s $way/file /t/file
RUN $step
RUN mkdir -p $CANARY/dir && echo "of the stage" >$CANARY/file
RUN $step
E
            canary_build
            sed -i 3d "$FILE"
            canary_build
        done
    done
}

# BuildKit removed mount points by their paths when a step had ended; the path had become a link.
@test "who cleans up mount points follows no link that the step put there (CVE-2024-23652)" {
    for way in "$WAY_OUT" "$CANARY"; do
        # The step has every right that it can have, and takes the mount away.
        cat >"$FILE" <<E
FROM busybox
RUN --security=insecure --mount=type=tmpfs,target=/a/dir/empty umount /a/dir/empty; rm -rf /a; ln -s $way /a
RUN --security=insecure --mount=type=tmpfs,target=/b/empty umount /b/empty; rm -rf /b; ln -s $way/dir /b
E
        canary_build --allow security.insecure
        carried 2
        [ -d "$CANARY/dir/empty" ]
    done
}

@test "sources of binds and caches lead nowhere else (CVE-2024-1753, CVE-2024-9675)" {
    ln -s "$CANARY" absolute
    ln -s "$WAY_OUT" relative
    ln -s "$CANARY/file" file
    for mount in type=bind,source=absolute,target=/m type=bind,source=relative,target=/m \
        type=bind,source=file,target=/m type=bind,source=../../../../../../..$CANARY,target=/m \
        type=bind,source=absolute/file,target=/m,rw \
        type=cache,id=../../../../../../..$CANARY,target=/m \
        type=cache,id=x,from=hostile,source=/link,target=/m \
        type=bind,from=hostile,source=/link,target=/m \
        type=bind,from=hostile,source=/link/file,target=/m,rw; do
        cat >"$FILE" <<E
FROM busybox AS hostile
RUN ln -s $CANARY /link
FROM busybox
RUN --mount=$mount cat /m /m/file /m/*/file; echo evil >/m; touch /m/evil; true
E
        canary_build
        no_host
    done
}

@test "a cache is exchanged for a link while another stage mounts a part of it (CVE-2024-23651)" {
    cp "$(escape_helper swap)" swap
    cat >"$FILE" <<E
FROM busybox AS swapper
COPY swap /bin/swap
RUN --mount=type=cache,id=race,target=/c mkdir -p /c/x && echo inside >/c/x/file && ln -sfn $WAY_OUT /c/link && (swap /c/x /c/link 4 & sleep 2; kill \$!) || true
FROM busybox AS reader
RUN --mount=type=cache,id=race,target=/c sleep 0.3
E
    for n in 1 2 3 4 5 6 7 8; do
        echo "RUN --mount=type=cache,id=race,target=/c --mount=type=tmpfs,target=/c/x/t$n cat /c/x/file /c/link/file; touch /c/x/evil; true" >>"$FILE"
    done
    printf 'FROM scratch\nCOPY --from=swapper /etc/passwd /1\nCOPY --from=reader /etc/passwd /2\n' >>"$FILE"
    canary_build
    no_host
    # They met at all.
    said " inside"
}

@test "COPY into a stage follows its links inside of it" {
    echo evil >evil
    mkdir -p d/sub d/proc/self/root
    echo evil >d/sub/file
    ln -s file d/sub/link
    for way in "$WAY_OUT" "$CANARY" /proc/self/root"$CANARY" /proc/self/cwd; do
        for step in "COPY evil /link/file" "COPY evil /link/" "COPY evil /file" "COPY d/ /t/" \
            "COPY --link evil /link/other" "WORKDIR /link/made" "COPY d/ /link"; do
            for there in true "mkdir -p $CANARY/dir"; do
                printf 'FROM busybox\nRUN %s; ln -s %s /link && ln -s %s/file /file && mkdir /t && ln -s %s /t/sub\n%s\n' \
                    "$there" "$way" "$way" "$way" "$step" >"$FILE"
                canary_build
            done
            # Where the link leads to something of the stage, that is where it goes.
            [[ $way = /proc/* || $step = *--link* || $step = *"/t/" || $step = *"/file" ]] || said "#2 DONE"
        done
    done
}

@test "what a link of the stage leads to is made inside, however it gets there" {
    echo evil >evil
    for way in "$WAY_OUT/new/x" "$CANARY/new/x" "/proc/self/root$CANARY/new" /proc/self/fd/3/new \
        "../../..$WAY_OUT/dir/../new" a/b/../../../../../../../../../../../../../../.."$CANARY/new"; do
        for step in "COPY evil /link" "COPY evil /link/" "ADD evil /link/file" "WORKDIR /link" \
            "RUN --mount=type=tmpfs,target=/link true" \
            "RUN --mount=type=cache,target=/link/m echo evil >/link/m/evil" \
            "RUN --mount=type=bind,source=evil,target=/link/file true"; do
            printf 'FROM busybox\nRUN ln -s /link2 /link && ln -s %s /link2\n%s\n' "$way" "$step" >"$FILE"
            canary_build
        done
    done
}

@test "COPY --from follows links of the other stage inside of it" {
    for way in "$WAY_OUT" "$CANARY" "/proc/self/root$CANARY" "/proc/1/root$CANARY"; do
        cat >"$FILE" <<E
FROM busybox AS hostile
RUN ln -s $way /link && ln -s $way/file /file && mkdir -p /d && ln -s $way /d/x
FROM busybox
COPY --from=hostile /d /all
E
        canary_build -o ../out
        no_host ../out/all
        for source in /file /link/file /link /link/. /d/x/file "/d/*/file" /link/dir/../file; do
            sed -i '$d' "$FILE"
            echo "COPY --from=hostile $source /got/" >>"$FILE"
            canary_build -o ../out2
            [ ! -d ../out2/got ] || ! grep -rqsF "of the host" ../out2/got || false
        done
    done
}

@test "links of the context lead nowhere out of it, nor do its names" {
    ln -s "$CANARY/file" file
    ln -s "$CANARY" dir
    ln -s "$WAY_OUT" up
    ln -s /proc/self/environ environ
    mkdir in
    ln -s ../../../../../../../../../../../../../../../etc in/etc
    for source in file dir/file up/file dir up environ in/etc/hostname "*/file" "dir/f*" "../canary/file" "$CANARY/file"; do
        for word in COPY ADD "COPY --parents" "COPY --link"; do
            printf 'FROM scratch\n%s %s /got/\n' "$word" "$source" >"$FILE"
            SECRET="of the host" canary_build -o ../out
            no_host ../out
        done
    done
    # As links, in a directory, they may be copied.
    printf 'FROM scratch\nCOPY . /\n' >"$FILE"
    canary_build -o ../all
    [ "$(readlink ../all/file)" = "$CANARY/file" ]
}

@test "the context is exchanged for links while it is copied" {
    mkdir -p x
    for n in $(seq 300); do echo inside >"x/$n"; done
    echo inside >x/file
    ln -s "$CANARY" link
    printf 'FROM scratch\nCOPY x/ /got/\n' >"$FILE"
    "$(escape_helper swap)" x link 60 &
    swapper=$!
    for _ in $(seq 40); do
        caisson build -q -f "$FILE" -o ../out . >"$SAID" 2>&1 || true
        no_host ../out || { kill "$swapper" && false; }
    done
    kill "$swapper"
    wait "$swapper" || true
    nothing_staged
}

@test "a hostile .dockerignore, one that is a pipe, a device, a link or enormous" {
    echo x >x
    printf 'FROM scratch\nCOPY . /\n' >"$FILE"
    mkfifo .dockerignore
    canary_build
    rm .dockerignore
    ln -s /dev/zero .dockerignore
    canary_build
    ln -sfn /dev/stdin .dockerignore
    canary_build
    ln -sfn "$CANARY/file" .dockerignore
    canary_build
    no_host
    rm .dockerignore
    head -c 6000000 /dev/zero >.dockerignore
    canary_build
    head -c 100000 /dev/urandom >.dockerignore
    canary_build
    printf '[[[[[[[[[\n' >.dockerignore
    fails 1 ".dockerignore" caisson build -f "$FILE" .
    # No pattern takes time without bound.
    # shellcheck disable=SC2183 # as often as there are arguments
    printf '%0.s**/a*' $(seq 500) >.dockerignore
    printf '\n!**/*a*a*a*a*a*a*a*a*a*a*a*b\n' >>.dockerignore
    touch "$(printf 'a%.0s' $(seq 200))"
    timeout 20 caisson build -q -f "$FILE" . >/dev/null
}

@test "WORKDIR and targets among the descriptors of who builds (CVE-2024-21626)" {
    for n in 3 4 5 6 7 8 9 10 15 20; do
        cat >"$FILE" <<E
FROM busybox
WORKDIR /proc/self/fd/$n
RUN pwd; ls -la; cat ../../../../../../../../../..$CANARY/file; cat $CANARY/file; true
E
        canary_build
        no_host
        cat >"$FILE" <<E
FROM busybox
RUN ln -s /proc/self/fd/$n /link && ln -s /proc/self/fd/$n/../../../../../../../..$CANARY /other
WORKDIR /link
RUN cat ../../../../../../../../../..$CANARY/file; cat file; true
COPY --from=busybox /etc/passwd /other/evil
E
        canary_build
        no_host
    done
}

# archive: writes hostile.tar, whose entries are those that python's words add.
archive() {
    python3 - "$CANARY" "$WAY_OUT" <<E
import io, sys, tarfile
canary, out = sys.argv[1:]
tar = tarfile.open("hostile.tar", "w")
def file(name, text=b"evil"):
    entry = tarfile.TarInfo(name)
    entry.size = len(text)
    tar.addfile(entry, io.BytesIO(text))
def other(name, kind, target="", **more):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    for key, value in more.items():
        setattr(entry, key, value)
    tar.addfile(entry)
$1
tar.close()
E
}

@test "ADD: an archive writes, links and reads nothing outside of its place" {
    skip_without python3
    for words in 'file("../../../../../../../../../.." + canary + "/file")' \
        'file(canary + "/file")' 'file(canary + "/evil")' \
        'other("l", tarfile.SYMTYPE, canary); file("l/file"); file("l/evil")' \
        'other("l", tarfile.SYMTYPE, out); file("l/file"); file("l/evil")' \
        'other("h", tarfile.LNKTYPE, canary + "/file"); file("h")' \
        'other("l", tarfile.SYMTYPE, canary); other("h", tarfile.LNKTYPE, "l/file"); file("h")' \
        'other("l", tarfile.SYMTYPE, canary + "/file"); file("l")' \
        'other("l", tarfile.SYMTYPE, canary); other("l/dir", tarfile.DIRTYPE, mode=0o777)' \
        'other("a", tarfile.SYMTYPE, "b"); other("b", tarfile.SYMTYPE, out); file("a/file")' \
        'other("l", tarfile.SYMTYPE, "/proc/self/root"); file("l" + canary + "/file")'; do
        archive "$words"
        printf 'FROM busybox\nADD hostile.tar /\nADD hostile.tar /in/\nRUN find / -xdev -name file -exec cat {} ";"\n' >"$FILE"
        canary_build -o ../out
        no_host
    done
}

@test "ADD: an archive finds links that the image has in its way" {
    skip_without python3
    archive 'file("l/file"); file("l/evil"); file("f"); other("l/dir", tarfile.DIRTYPE)
other("l", tarfile.DIRTYPE, mode=0o777, uid=5); file("l/new/x"); other("l/h", tarfile.LNKTYPE, "l/file")
other("l/s", tarfile.SYMTYPE, out + "/dir"); file("l/s/evil"); other("l/s", tarfile.DIRTYPE, mode=0o777)'
    for way in "$WAY_OUT" "$CANARY" "/proc/self/root$CANARY" /proc/self/cwd "$CANARY/nothing" l /l/x "a/../..$WAY_OUT"; do
        for there in true "mkdir -p $CANARY/dir" "mkdir -p /a /proc/self/cwd"; do
            printf 'FROM busybox\nRUN %s; ln -s %s /l && ln -s %s/file /f\nADD hostile.tar /\nADD hostile.tar /l/\n' \
                "$there" "$way" "$way" >"$FILE"
            canary_build -o ../out
            no_host ../out
        done
    done
}

# A hard link through a link of the image would show a file that the archive did not bring.
@test "ADD: an archive links to no file of the image, whatever leads there" {
    skip_without python3
    archive 'other("h", tarfile.LNKTYPE, "l/passwd")'
    printf 'FROM busybox\nRUN ln -s /etc /l\nADD hostile.tar /\n' >"$FILE"
    fails 1 "hard link" caisson build --network none -f "$FILE" .
    archive 'file("l/mine"); other("h", tarfile.LNKTYPE, "l/mine"); other("l/passwd/x", tarfile.DIRTYPE)'
    fails 1 "l/passwd" caisson build --network none -f "$FILE" .
    nothing_staged
}

@test "ADD: devices, bombs and damaged archives" {
    skip_without python3 gzip
    archive 'other("null", tarfile.CHRTYPE, devmajor=1, devminor=3); other("disk", tarfile.BLKTYPE, devmajor=8, devminor=0); file("after")'
    printf 'FROM busybox\nADD hostile.tar /t/\nRUN ls -l /t; ! dd if=/t/disk of=/dev/null count=1 2>/dev/null\n' >"$FILE"
    canary_build -o ../out
    [ ! -b ../out/t/disk ]
    [ ! -c ../out/t/null ]
    head -c 100 hostile.tar >short.tar
    printf 'FROM scratch\nADD short.tar /t/\n' >"$FILE"
    canary_build
    tar -cf - hostile.tar | gzip | head -c 90 >short.tar
    canary_build
    archive 'file("/" + "a/" * 3000 + "f")'
    printf 'FROM scratch\nADD hostile.tar /t/\n' >"$FILE"
    canary_build
    archive 'file(".wh.passwd"); file("t/.wh..wh..opq")'
    printf 'FROM busybox\nADD hostile.tar /etc/\nCOPY --from=busybox /etc/group /g\n' >"$FILE"
    canary_build
}

@test "passwd and group that are pipes, devices, links out or enormous (CVE-2024-9676)" {
    echo f >f
    for make in "mkfifo /etc/passwd" "ln -s $CANARY/file /etc/passwd" "ln -s /dev/zero /etc/passwd" \
        "ln -s /proc/self/environ /etc/passwd" "mkdir /etc/passwd" \
        "dd if=/dev/zero of=/etc/passwd bs=1M count=64 2>/dev/null" "ln -s passwd /etc/passwd"; do
        for step in "COPY --chown=root f /x" "USER root\nRUN true" "RUN true"; do
            printf 'FROM busybox\nRUN rm -f /etc/passwd /etc/group; %s; %s\n%b\n' "$make" \
                "${make//passwd/group}" "$step" >"$FILE"
            canary_build
            no_host
        done
    done
    printf 'FROM busybox\nRUN rm /etc/passwd && mkfifo /etc/passwd\nCOPY --chown=root f /x\n' >"$FILE"
    fails 1 "/etc/passwd of the image is no regular file" caisson build --network none -f "$FILE" .
    printf 'FROM busybox\nRUN rm /etc/group && mkdir /etc/group\nUSER root\nRUN true\n' >"$FILE"
    fails 1 "/etc/group of the image is no regular file" caisson build --network none -f "$FILE" .
}

@test "names in the context that mean something in a layer" {
    mkdir -p d
    touch d/.wh.passwd d/.wh..wh..opq
    printf 'FROM busybox\nCOPY d /etc\n' >"$FILE"
    fails 1 ".wh." caisson build -f "$FILE" .
    nothing_staged
    rm d/.wh*
    touch "d/$(printf 'a\033[2Jb')" d/$'new\nline'
    canary_build -o ../out
    [ -e ../out/etc/$'new\nline' ]
    # What is told of it is text.
    printf 'FROM busybox\nRUN printf "\\033[2J\\033]0;title\\007\\n"; ls /etc/\nCOPY d /etc\n' >"$FILE"
    canary_build
    ! grep -q $'\033' "$SAID" || false
}

@test "a step reaches nothing of the builder's, and leaves nobody behind" {
    cat >"$FILE" <<'E'
FROM busybox
RUN (sleep 1000 &) ; (setsid sleep 1001 >/dev/null 2>&1 &); ls /proc | grep -c '^[0-9]'; kill -9 -1; true
RUN ls -A /run /tmp; grep -c caisson /proc/self/mountinfo; true
E
    canary_build
    [ -z "$(caisson ps -aq)" ]
    ! pgrep -x -f "sleep 1001" || false
}
