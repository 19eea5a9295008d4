#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a review of builds found, each as it was found.
bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/build

setup_file() {
    common_setup_file
    image
}
setup() { build_begin; }
teardown_file() { common_teardown_file; }

@test "a layer's tree is what its digest says: access lists are no part of it" {
    cp "$CAISSON_BUILD/tests/escape-acl" acl
    dockerfile <<'E'
FROM busybox
RUN --mount=type=bind,source=acl,target=/acl mkdir -m 755 /data; echo root-only >/data/secret; chmod 640 /data/secret; \
    touch -d "2024-01-01 00:00:00" /data/secret /data; /acl /data/secret 1000; chmod 660 /data/secret; \
    touch -d "2024-01-01 00:00:00" /data
E
    build --network none -t evil
    dockerfile <<'E'
FROM busybox
RUN mkdir -m 755 /data && echo root-only >/data/secret && chmod 660 /data/secret && touch -d "2024-01-01 00:00:00" /data/secret /data
E
    build --network none -t victim
    # One layer, made by the first.
    [ "$(caisson image inspect -f '{{json .RootFS.Layers}}' evil)" = "$(caisson image inspect -f '{{json .RootFS.Layers}}' victim)" ]
    run -1 caisson run --rm -q --network none --user 1000:1000 victim cat /data/secret
    run -1 caisson run --rm -q --network none --user 1000:1000 evil cat /data/secret
}

@test "sockets of a step are not left in the layer's tree" {
    dockerfile <<'E'
FROM busybox
RUN mkdir -p /dev /s && cd /s && (syslogd -n -O /s/log & sleep 0.3); touch /s/file; mkfifo /s/pipe; true
E
    build --network none -t sockets
    [ -z "$(find "$CAISSON_ROOT/layers" -type s)" ]
}

@test "findings without end do not hide the one that counts" {
    skip_without openssl
    mkdir a
    for i in $(seq -w 1 300); do echo x >"a/c$i.p12"; done
    openssl genpkey -algorithm ed25519 >z.pem 2>/dev/null
    dockerfile <<'E'
FROM busybox
COPY . /app/
E
    wrong "the layer holds"
}

@test "an attribute that was taken off a file is not in the image any more" {
    skip_without python3
    echo x >f
    python3 -c 'import os; os.setxattr("f", "user.mark", b"yes")' || skip "needs a file system with extended attributes"
    dockerfile <<'E'
FROM scratch
COPY f /f
E
    build -o "type=tar,dest=$BATS_TEST_TMPDIR/with.tar"
    python3 -c 'import os; os.removexattr("f", "user.mark")'
    build -o "type=tar,dest=$BATS_TEST_TMPDIR/without.tar"
    grep -q SCHILY.xattr.user.mark "$BATS_TEST_TMPDIR/with.tar"
    run -1 grep -q SCHILY.xattr.user.mark "$BATS_TEST_TMPDIR/without.tar"
}

@test "stages that share a cache which is new do not break each other" {
    local i stage
    for i in 1 2 3 4 5; do
        {
            for stage in a b c d; do
                printf 'FROM busybox AS %s\nRUN --mount=type=cache,id=new%s,target=/c true\n' "$stage" "$i"
            done
            echo FROM busybox
            for stage in a b c d; do echo "COPY --from=$stage /bin/busybox /$stage"; done
        } | dockerfile
        build -q --no-cache --network none
    done
}

@test "a file that changes while it is copied is no part of any image" {
    skip_without python3
    truncate -s 400M big
    dockerfile <<'E'
FROM scratch
COPY big /d/big
E
    # From outside, while the copy is under way: it goes on until the build has ended.
    touch "$BATS_TEST_TMPDIR/going"
    python3 -c '
import os, sys, time
fd = os.open("big", os.O_WRONLY)
while os.path.exists(sys.argv[1]):
    os.pwrite(fd, b"EVIL", (400 << 20) - 4)
    time.sleep(0.005)' "$BATS_TEST_TMPDIR/going" 3>&- &
    local writer=$! rc=0
    caisson build -q -f "$FILE" . >"$SAID" 2>&1 || rc=$?
    rm "$BATS_TEST_TMPDIR/going"
    wait "$writer"
    [ "$rc" = 1 ]
    grep -q "changed while it was" "$SAID"
    nothing_staged
}

@test "a build that is killed leaves no step that goes on" {
    dockerfile <<'E'
FROM busybox
RUN true
RUN echo begun; sleep 1000
RUN touch /never
E
    caisson build --no-cache --network none --progress plain -f "$FILE" . >"$SAID" 2>&1 3>&- &
    local builder=$! stages pid
    waits 20 grep -q "s begun" "$SAID"
    stages=$(pgrep -P "$builder")
    kill -9 "$builder"
    wait "$builder" || true
    for pid in $stages; do waits 10 sh -c "! kill -0 $pid"; done
    caisson ps -a >/dev/null
    [ -z "$(ls "$CAISSON_STATE/containers")" ]
}

@test "a secret that is a variable is never on disk" {
    echo -n very-secret-value >"$BATS_TEST_TMPDIR/secret"
    dockerfile <<'E'
FROM busybox
RUN --mount=type=secret,id=tok,env=TOK test -n "$TOK" && echo begun && sleep 2
E
    caisson build --no-cache --network none --progress plain --secret "id=tok,src=$BATS_TEST_TMPDIR/secret" -f "$FILE" . \
        >"$SAID" 2>&1 3>&- &
    local builder=$!
    waits 20 grep -q "s begun" "$SAID"
    [ -z "$(grep -rls very-secret-value "$CAISSON_ROOT/containers" "$CAISSON_ROOT/tmp" "$CAISSON_ROOT/build" "$CAISSON_STATE" || true)" ]
    wait "$builder"
}

@test "what a base image wants to be done gets no secrets" {
    echo -n very-secret-value >"$BATS_TEST_TMPDIR/secret"
    dockerfile <<'E'
FROM busybox
ONBUILD RUN --mount=type=secret,id=tok cp /run/secrets/tok /stolen 2>/dev/null; true
E
    build --network none -t hostile
    dockerfile <<'E'
FROM hostile
RUN true
E
    wrong "an ONBUILD of the base image asks for the secret tok" --network none --secret "id=tok,src=$BATS_TEST_TMPDIR/secret"
    build --network none --allow onbuild.secrets --secret "id=tok,src=$BATS_TEST_TMPDIR/secret"
}

@test "of two secrets of which one begins the other, the whole is taken out; and of long lines" {
    printf hunter2hunter2 >"$BATS_TEST_TMPDIR/one"
    printf hunter2hunter2-and-the-rest >"$BATS_TEST_TMPDIR/two"
    head -c 30000 /dev/urandom | base64 -w 0 >"$BATS_TEST_TMPDIR/three"
    dockerfile <<'E'
FROM busybox
RUN --mount=type=secret,id=a --mount=type=secret,id=b --mount=type=secret,id=c cat /run/secrets/b; echo; \
    printf "%016380d" 0; cat /run/secrets/a; echo; cat /run/secrets/c; echo
E
    build --no-cache --network none --secret "id=a,src=$BATS_TEST_TMPDIR/one" --secret "id=b,src=$BATS_TEST_TMPDIR/two" \
        --secret "id=c,src=$BATS_TEST_TMPDIR/three"
    run -1 grep -E "hunter2|and-the-rest" "$SAID"
    run -1 grep -F -- "$(cut -c 1000-1050 "$BATS_TEST_TMPDIR/three")" "$SAID"
    run -1 grep -F -- "$(cut -c 20000-20050 "$BATS_TEST_TMPDIR/three")" "$SAID"
}

@test "builder prune leaves the caches alone that a step has mounted" {
    dockerfile <<'E'
FROM busybox
RUN --mount=type=cache,id=used,target=/c echo begun; sleep 1; echo b >/c/b && cat /c/b
E
    caisson build --no-cache --network none --progress plain -f "$FILE" . >"$SAID" 2>&1 3>&- &
    local builder=$!
    waits 20 grep -q "s begun" "$SAID"
    caisson builder prune -a -f >/dev/null
    wait "$builder"
}

@test "variables that grow without end are an error" {
    {
        echo FROM busybox
        echo ARG A=0123456789012345678901234567890123456789012345678901234567890123
        for i in $(seq 14); do echo "ARG A=\$A\$A"; done
        for i in $(seq 400); do echo "ARG V$i=\$A"; done
    } | dockerfile
    wrong "come to more than 8 MiB"
}

@test "a Dockerfile of the context that is a link leads nowhere else" {
    echo "host secret" >"$BATS_TEST_TMPDIR/hostfile"
    ln -s ../hostfile Dockerfile
    run -1 caisson build .
    [[ $output != *"host secret"* ]]
    rm Dockerfile
    printf 'FROM busybox\n' >real
    ln -s real Dockerfile
    caisson build -q .
}

@test "modes of what is made do not depend on who builds" {
    dockerfile <<'E'
FROM busybox
WORKDIR /wd/x
RUN stat -c %a /wd /wd/x
E
    (umask 077 && build --no-cache --network none)
    [ "$(grep -c " 755$" "$SAID")" = 2 ]
}

@test "files of an empty stage, and an empty image" {
    dockerfile <<'E'
FROM scratch AS empty
FROM busybox
COPY --from=empty / /nothing/
E
    build
    dockerfile <<<"FROM scratch"
    build -o "$BATS_TEST_TMPDIR/files"
    [ -z "$(ls -A "$BATS_TEST_TMPDIR/files")" ]
}
