#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# build: bad input, and ends that come too early. What is told, how it ends, and what is left.
load ../lib/common
load ../lib/build

setup_file() {
    common_setup_file
    image
}
setup() {
    build_begin
    SLEEPS=1000.$BASHPID # told apart from those of others
}

asleep_no_more() {
    ! pgrep -x -f "sleep $SLEEPS" || false
}
teardown_file() { common_teardown_file; }

# nothing_left: of a build that is over, once the next command has been there.
nothing_left() {
    [ -z "$(caisson ps -aq)" ]
    printf 'FROM scratch\n' | caisson build -q - >/dev/null
    nothing_staged
    [ -z "$(ls -A "$CAISSON_ROOT/containers")" ]
    ! grep -F " $CAISSON_ROOT/tmp" /proc/self/mountinfo || false
}

# started [OPTION...]: a build in the background, its id is BUILDING; it has come to print "at it".
started() {
    : >"$SAID"
    caisson build --progress plain --network none -f "$FILE" "$@" . >"$BATS_TEST_TMPDIR/out" 2>"$SAID" 3>&- &
    BUILDING=$!
    waits 10 grep -q 's at it' "$SAID"
}

# stops SECONDS: the exit code of what started() began.
stops() {
    rc=0
    timeout "$1" tail -s 0.05 --pid="$BUILDING" -f /dev/null || { echo "it goes on" && kill -9 "$BUILDING" && false; }
    wait "$BUILDING" || rc=$?
}

# --- input ---

@test "what cannot be read: missing and locked files, directories in their place" {
    fails 1 "there is no Dockerfile" caisson build .
    fails 1 "cannot open" caisson build ./missing
    fails 1 "no directory" caisson build /etc/passwd
    mkdir Dockerfile
    fails 1 "Dockerfile" caisson build .
    rmdir Dockerfile
    fails 1 "needs 1 argument" caisson build
    [ "$(id -u)" != 0 ] || skip "root reads everything"
    [ -e /etc/shadow ] || skip "needs a file that only root reads"
    printf 'FROM scratch\nCOPY shadow /\n' | dockerfile
    fails 1 "cannot read" caisson build -f "$FILE" /etc
    fails 1 "shadow" caisson build -f "$FILE" /etc
    nothing_staged
}

@test "Dockerfiles that are none: empty, without FROM, binary, enormous, unfinished" {
    : >"$FILE"
    wrong "FROM"
    printf '# nothing\n' | dockerfile
    wrong "FROM"
    printf 'RUN true\n' | dockerfile
    wrong "FROM"
    head -c 10000 /bin/busybox >"$FILE"
    wrong "Dockerfile"
    head -c 100000 /dev/urandom >"$FILE"
    wrong "Dockerfile"
    head -c 10485760 /dev/zero | tr '\0' a >"$FILE"
    wrong "Dockerfile"
    (printf 'FROM scratch\n' && yes 'LABEL a=b' | head -c 10485760) >"$FILE"
    timeout 20 caisson build -f "$FILE" . >/dev/null 2>"$SAID" || [ "$?" = 1 ]
    head -c 100m /dev/zero >"$FILE"
    wrong "larger than"
    printf 'FROM busybox\nRUN <<EOF\necho\n' | dockerfile
    wrong "EOF"
    printf 'FROM busybox\nRUN ["unfinished"\n' | dockerfile
    build --network none 2>/dev/null || true
    printf 'FROM busybox\nNOTHING x\n' | dockerfile
    wrong "NOTHING"
    printf 'FROM busybox\nRUNN x\n' | dockerfile
    wrong "RUN"
    printf 'FROM busybox\nCOPY --nothing=1 a /\n' | dockerfile
    wrong "--nothing"
    nothing_left
}

@test "stages and images that are not there are said before anything is done" {
    printf 'FROM busybox AS one\nRUN echo "s at it"\nFROM two AS three\nFROM one\n' | dockerfile
    build --network none
    printf 'FROM busybox\nRUN echo done\nCOPY --from=5 /x /\n' | dockerfile
    wrong "there is no stage 5"
    printf 'FROM busybox\nCOPY --from=later /x /\nFROM busybox AS later\nFROM 0\n' | dockerfile
    wrong "later" --target 0
    printf 'FROM not-there:1\n' | dockerfile
    wrong "not-there"
    printf 'FROM scratch\n' | dockerfile
    wrong "nine" --target nine
    fails 1 "" caisson build -f "$FILE" --build-context x .
    fails 1 "--secret" caisson build -f "$FILE" --secret nothing=1 .
    fails 1 "cache-to" caisson build -f "$FILE" --cache-to type=gha .
    nothing_left
}

@test "a file that is a pipe, a socket or a device does not hold up a build" {
    skip_without python3
    mkfifo pipe
    echo x >x
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
    printf 'FROM scratch\nCOPY . /\n' | dockerfile
    timeout 10 caisson build -q -f "$FILE" -o out .
    [ "$(ls -A out)" = x ]
    mkfifo named
    timeout 10 caisson build -f named . </dev/null >"$SAID" 2>&1 || [ "$?" = 1 ]
}

# --- ends ---

@test "a step that is killed by a signal, and one that kills all it can" {
    printf 'FROM busybox\nRUN sleep 9 & kill -SEGV $!; wait $!\n' | dockerfile
    wrong "139" --network none
    printf 'FROM busybox\nRUN sleep 100 & kill -9 -1\n' | dockerfile
    build --network none || true
    nothing_left
}

@test "SIGINT during RUN ends with 130, at once, and what was done is kept" {
    printf 'FROM busybox\nRUN echo first >/first\nRUN trap "" INT TERM; echo "at it"; while :; do sleep 0.1; done\n' | dockerfile
    started -t never
    kill -INT "$BUILDING"
    stops 5
    [ "$rc" = 130 ]
    said "interrupted"
    [ -z "$(caisson images -q never)" ]
    nothing_left
    sed -i '$d' "$FILE"
    build --network none
    cached 1
}

@test "SIGTERM and SIGHUP end a build as well, with stages side by side" {
    for signal in TERM HUP; do
        dockerfile <<'E'
FROM busybox AS one
RUN while :; do sleep 0.1; done
FROM busybox AS two
RUN echo "at it"; while :; do sleep 0.1; done
FROM scratch
COPY --from=one / /1
COPY --from=two / /2
E
        started
        kill "-$signal" "$BUILDING"
        stops 5
        [ "$rc" != 0 ]
        nothing_left
    done
}

@test "SIGINT while files are copied and while a layer is read" {
    mkdir many
    for n in $(seq 3000); do echo "$n" >"many/$n"; done
    head -c 100m /dev/urandom >many/big
    printf 'FROM busybox\nCOPY many /many\n' | dockerfile
    for delay in 0.02 0.05 0.1 0.2 0.3; do
        rc=0
        timeout -s INT "$delay" caisson build --no-cache -q -f "$FILE" . >/dev/null 2>"$SAID" || rc=$?
        # 124: it ended by itself as timeout(1) tells it, or was done before.
        [ "$rc" = 124 ] || [ "$rc" = 0 ]
        nothing_left
    done
    build -o out
    diff -r many out/many
}

@test "SIGINT while the Dockerfile is awaited" {
    mkfifo ../slow
    sleep 30 >../slow 3>&- &
    writer=$!
    caisson build -f - . <../slow >/dev/null 2>"$SAID" 3>&- &
    BUILDING=$!
    sleep 0.3
    kill -TERM "$BUILDING"
    stops 5
    [ "$rc" != 0 ]
    kill "$writer"
    nothing_left
}

@test "kill -9 of who builds takes its steps with it" {
    printf 'FROM busybox\nRUN echo "at it"; exec sleep %s\n' "$SLEEPS" | dockerfile
    started
    kill -9 "$BUILDING"
    stops 5
    [ "$rc" = 137 ]
    waits 5 asleep_no_more
    waits 5 nothing_left
    sed -i 's/; exec sleep .*//' "$FILE"
    build --network none
}

@test "kill -9 of a stage is told, and of a worker as well" {
    skip_without pgrep
    printf 'FROM busybox\nRUN echo kept >/kept\nRUN echo "at it"; exec sleep %s\n' "$SLEEPS" | dockerfile
    started
    stage=$(pgrep -P "$BUILDING" | head -1)
    kill -9 "$stage"
    stops 5
    [ "$rc" = 1 ]
    said "killed by signal 9"
    waits 5 asleep_no_more
    waits 5 nothing_left
    sed -i '$d' "$FILE"
    build --network none
}

@test "a build that is killed at any moment leaves nothing, and the cache stays true" {
    skip_without python3
    mkdir many
    for n in $(seq 200); do echo "$n" >"many/$n"; done
    dockerfile <<'E'
FROM busybox AS one
ARG ROUND
COPY many /many
RUN echo "one $ROUND" >/one
FROM busybox AS two
ARG ROUND
RUN --mount=type=cache,target=/c echo "$ROUND" >>/c/rounds; echo "two $ROUND" >/two
FROM busybox
COPY --from=one /one /many/200 /
COPY --from=two /two /
RUN cat /one /two /200 >/result
E
    python3 "$BATS_TEST_DIRNAME/../lib/build_killed.py" "${CAISSON_TEST_BUILDS:-20}" "$FILE" . \
        $'one ROUND\ntwo ROUND\n200\n'
    nothing_left
}

@test "where the disk is full is told, and nothing of it is left" {
    skip_unless_root
    mkdir ../small
    mount -t tmpfs -o size=16m small ../small
    full() {
        local CAISSON_ROOT=$BATS_TEST_TMPDIR/small/root CAISSON_STATE=$BATS_TEST_TMPDIR/small/state
        export CAISSON_ROOT CAISSON_STATE
        caisson load -q -i "$1" >/dev/null
        head -c 20m /dev/urandom >big
        printf 'FROM busybox\nCOPY big /big\n' | dockerfile
        wrong "No space left" || return
        printf 'FROM busybox\nRUN head -c 20m /dev/urandom >/big\n' | dockerfile
        wrong "exit code" --network none || return
        printf 'FROM busybox\nRUN echo fits >/fits\n' | dockerfile
        build --network none -t fits && [ "$(caisson run --rm fits cat /fits)" = fits ]
    }
    caisson save -o ../image.tar busybox
    rc=0
    full ../image.tar || rc=$?
    waits 5 umount ../small # namespaces of steps go a moment later
    [ "$rc" = 0 ]
}
