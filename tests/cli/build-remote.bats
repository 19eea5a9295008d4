#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# build: ADD of what is elsewhere, and contexts from there.
load ../lib/common
load ../lib/network
load ../lib/certificates
load ../lib/remote

setup_file() { common_setup_file; remote_usable || return 0; remote_begin; }
setup() {
    remote_usable || skip "needs root, git, openssl and python3"
    build_place
}
teardown_file() { common_teardown_file; remote_end; }

sum() { sha256sum "$1" | cut -d' ' -f1; }

# --- files ---

@test "ADD URL: the file of the path's name, mode 0600, as old as the server says" {
    echo hello >"$WWW/a.txt"
    touch -d 2015-10-21T07:28:00Z "$WWW/a.txt"
    dockerfile 'ADD http://127.0.0.1:8080/a.txt /to/' 'ADD http://127.0.0.1:8080/a.txt?x=1#y /b' \
        'ADD --chown=5:6 --chmod=0644 http://127.0.0.1:8080/a%2Etxt /c/'
    build -o type=tar,dest=out.tar .
    run tar --utc --full-time -tvf out.tar
    [[ $output == *"-rw------- 0/0"*"6 2015-10-21 07:28:00 to/a.txt"* ]]
    [[ $output == *"-rw------- 0/0"*"6 2015-10-21 07:28:00 b"* ]]
    [[ $output == *"-rw-r--r-- 5/6"*"6 2015-10-21 07:28:00 c/a.txt"* ]]
    [ "$(tar -xOf out.tar to/a.txt)" = hello ]
}

@test "ADD URL: an unchanged one is asked for and not sent again, a changed one is" {
    echo one >"$WWW/changing"
    dockerfile 'ADD http://127.0.0.1:8080/changing /'
    build -o out .
    run -0 build -o out .
    [[ $output == *CACHED* ]]
    [ "$(requests)" = "GET /changing 200 -
GET /changing 304 -" ]
    echo two >"$WWW/changing"
    build -o out .
    [ "$(cat out/changing)" = two ]
    build --no-cache -o out .
    [ "$(requests | tail -n 1)" = "GET /changing 200 -" ]
}

@test "ADD URL: one that was unchanged is fetched whole where the step is another" {
    echo one >"$WWW/known"
    dockerfile 'ADD http://127.0.0.1:8080/known /x'
    build -o out .
    dockerfile 'ADD http://127.0.0.1:8080/known /y'
    build -o out .
    [ "$(cat out/y)" = one ]
}

@test "ADD URL: a server that says nothing of times is known by what it sends" {
    dockerfile 'ADD http://127.0.0.1:8080/=plain /'
    build -o out .
    run -0 build -o type=tar,dest=out.tar .
    [[ $output == *CACHED* ]]
    [[ $(tar --utc --full-time -tvf out.tar) == *"1970-01-01 00:00:00 =plain"* ]]
}

@test "ADD URL: --checksum is held to, and what is known by it is not asked for" {
    echo sure >"$WWW/sure"
    dockerfile "ADD --checksum=sha256:$(sum "$WWW/sure") http://127.0.0.1:8080/sure /"
    build -o out .
    [ "$(requests)" = "GET /sure 200 -" ]
    run -0 build -o out .
    [[ $output == *CACHED* ]]
    [ "$(requests)" = "GET /sure 200 -" ]
    dockerfile "ADD --checksum=sha256:$(printf %064d 7) http://127.0.0.1:8080/sure /"
    fails 1 "is sha256:$(sum "$WWW/sure"), and --checksum wants sha256:$(printf %064d 7)" build .
}

@test "ADD URL: archives are unpacked where that is asked for, and only there" {
    mkdir t
    echo in >t/in
    tar -czf "$WWW/t.tar.gz" -C t .
    dockerfile 'ADD http://127.0.0.1:8080/t.tar.gz /a/' \
        'ADD --unpack http://127.0.0.1:8080/t.tar.gz /b/'
    build -o out .
    [ "$(find out -type f | sort)" = "out/a/t.tar.gz
out/b/in" ]
}

@test "ADD URL: beside local files and others, each goes below the destination" {
    echo local >here
    echo a >"$WWW/one"
    echo b >"$WWW/two"
    dockerfile 'ADD here http://127.0.0.1:8080/one http://127.0.0.1:8080/two /to/'
    build -o out .
    [ "$(cat out/to/here out/to/one out/to/two)" = "local
a
b" ]
}

@test "ADD URL: a name that a server proposes is not looked at" {
    dockerfile 'ADD http://127.0.0.1:8080/=name /to/'
    build -o out .
    [ "$(find out -type f)" = "out/to/=name" ]
    dockerfile 'ADD http://127.0.0.1:8080/ /to/'
    fails 1 "write one at the end of the destination" build .
}

@test "ADD URL: what goes wrong is said" {
    local path text
    while read -r path text; do
        dockerfile "ADD http://127.0.0.1:8080/$path /x"
        fails 1 "$text" build .
    done <<'E'
nothing the server answers 404: there is no such file
=loop more than 10 redirects
=file neither http nor https
=short the connection ended before all of it was there
=auth the server answers 401
E
    dockerfile 'ADD http://127.0.0.1:9/x /x'
    fails 1 "cannot fetch http://127.0.0.1:9/x" build .
    dockerfile 'ADD http://nowhere.invalid/x /x'
    fails 1 "nowhere.invalid" build .
    dockerfile 'ADD --checksum=sha256:'"$(printf %064d 7)"' Dockerfile /x'
    fails 1 "--checksum is for what is downloaded" build .
}

@test "caisson-fetch: a server that stops, one that sends too much" {
    fetch() { printf '%s\n' "$@" | in_net "$CAISSON_BUILD/caisson-fetch" 3>"$BATS_TEST_TMPDIR/got" | cat; }
    run fetch 'url http://127.0.0.1:8080/=slow' 'stall 1'
    [[ $output == *"error 110 "*"nothing came for 1 seconds"* ]]
    head -c 100000 /dev/zero >"$WWW/large"
    run fetch 'url http://127.0.0.1:8080/large' 'most 1000'
    [[ $output == *"error 27 "*"larger than 1000 bytes"* ]]
    [ "$(stat -c %s "$BATS_TEST_TMPDIR/got")" -le 1000 ]
}

@test "ADD https: by the system's authorities, or those of SSL_CERT_FILE" {
    echo safe >"$WWW/safe"
    dockerfile 'ADD https://localhost:8443/safe /'
    fails 1 "cannot fetch https://localhost:8443/safe: SSL certificate problem" build .
    SSL_CERT_FILE=$CA build -o out .
    [ "$(cat out/safe)" = safe ]
}

@test "ADD https: never goes on over http" {
    echo hello >"$WWW/a.txt"
    dockerfile 'ADD https://localhost:8443/=down /x'
    SSL_CERT_FILE=$CA fails 1 "a redirect leads from https to http" build .
    dockerfile 'ADD http://127.0.0.1:8080/=to/127.0.0.1:8080/a.txt /x'
    build -o out .
    [ "$(cat out/x)" = hello ]
}

@test "ADD URL: a password is used, and is nowhere afterwards" {
    dockerfile 'ADD http://alice:wonder@127.0.0.1:8080/=auth /x'
    run -0 build -t secret .
    [[ $output != *wonder* ]]
    [ "$(requests | tail -n 1)" = "GET /=auth 200 password" ]
    run -0 "$CAISSON_BUILD/caisson" history --no-trunc secret
    [[ $output != *wonder* ]]
    run ! grep -r wonder "$CAISSON_ROOT"
    dockerfile 'ADD http://alice:wonder@127.0.0.1:8080/nothing /x'
    run build .
    [[ $output == *404* ]]
    [[ $output != *wonder* ]]
    # To the host that it is for, and not on to where that sends us.
    dockerfile 'ADD http://alice:wonder@127.0.0.1:8080/=to/localhost:8080/nothing /x'
    fails 1 404 build .
    [ "$(requests | tail -n 1)" = "GET /nothing 404 -" ]
}

@test "ADD URL: --network none and --egress hold for it" {
    echo hello >"$WWW/a.txt"
    dockerfile 'ADD http://127.0.0.1:8080/a.txt /' 'ADD http://127.0.0.1:8080/a.txt /b'
    fails 1 "with --network none" build --network none .
    fails 1 "127.0.0.1 port 8080 is not on the list" build --egress example.org .
    fails 1 "127.0.0.1 port 8080 is not on the list" build --egress 127.0.0.1:81 .
    dockerfile 'ADD http://localhost:8080/a.txt /c'
    fails 1 "leads to an address that is not on the list" build --egress localhost .
    build --egress 127.0.0.1:8080 -o out .
    [ "$(cat out/c)" = hello ]
    dockerfile 'ADD http://127.0.0.1:8080/=to/localhost:8081/x /c'
    fails 1 "localhost port 8081 is not on the list" build --egress 127.0.0.1:8080 .
}

# --- repositories ---

@test "ADD git: all of it, a directory of a branch, a tag, a commit; as old as the commit" {
    repository r.git
    commit=$(git -C "$REPOS/r.git" rev-parse HEAD)
    dockerfile 'ADD git://127.0.0.1/r.git /a' 'ADD git://127.0.0.1/r.git#main:sub /b' \
        'ADD git://127.0.0.1/r.git#v1 /c' "ADD git://127.0.0.1/r.git#$commit /d"
    build -o type=tar,dest=out.tar .
    run tar --utc --full-time -tvf out.tar
    [[ $output == *"-rw-r--r-- 0/0"*"4 2020-01-02 03:04:05 a/top"* ]]
    [[ $output == *"6 2020-01-02 03:04:05 b/below"* ]]
    [[ $output == *" c/top"* ]]
    [[ $output == *" d/top"* ]]
    [[ $output != *.git* ]]
    run -0 build .
    [ "$(grep -c CACHED <<<"$output")" = 4 ]
}

@test "ADD git: a new commit is seen, and --checksum holds to one" {
    repository moving.git
    commit=$(git -C "$REPOS/moving.git" rev-parse HEAD)
    dockerfile 'ADD git://127.0.0.1/moving.git#main /'
    build -o out .
    echo more >"$REPOS/moving.git/more"
    git_commit "$REPOS/moving.git"
    build -o out .
    [ "$(cat out/more)" = more ]
    dockerfile "ADD --checksum=${commit:0:12} git://127.0.0.1/moving.git#main /"
    fails 1 "and --checksum wants ${commit:0:12}" build .
    dockerfile "ADD --checksum=${commit:0:12} git://127.0.0.1/moving.git#$commit /"
    build -o old .
    [ ! -e old/more ]
}

@test "ADD git: --keep-git-dir, and over http from a server that knows no git" {
    repository kept.git
    cp -r "$REPOS/kept.git/.git" "$WWW/kept.git"
    dockerfile 'ADD --keep-git-dir http://127.0.0.1:8080/kept.git /'
    build -o out .
    [ "$(git -C out rev-parse HEAD)" = "$(git -C "$REPOS/kept.git" rev-parse HEAD)" ]
    dockerfile 'ADD https://localhost:8443/kept.git#main:sub /'
    SSL_CERT_FILE=$CA build -o safe .
    [ "$(cat safe/below)" = below ]
    fails 1 "git cannot fetch https://localhost:8443/kept.git" build --no-cache .
    dockerfile 'ADD --keep-git-dir http://127.0.0.1:8080/kept.git#main:sub /'
    fails 1 "goes with a whole repository" build .
}

@test "ADD git: what goes wrong is said" {
    repository wrong.git
    dockerfile 'ADD git://127.0.0.1/wrong.git#nope /'
    fails 1 "has no branch or tag nope" build .
    dockerfile 'ADD git://127.0.0.1/wrong.git#main:nope /'
    fails 1 "nope is no directory of git://127.0.0.1/wrong.git" build .
    dockerfile 'ADD git://127.0.0.1/missing.git /'
    fails 1 "git cannot fetch git://127.0.0.1/missing.git" build .
    dockerfile 'ADD git@127.0.0.1:r.git /'
    fails 1 "give it with --ssh default" build .
    dockerfile 'ADD git://127.0.0.1/wrong.git /'
    fails 1 "with --network none" build --network none .
    fails 1 "127.0.0.1 port 9418 is not on the list" build --egress example.org .
    build --egress 127.0.0.1:9418 -o out .
}

@test "ADD git: nobody's configuration counts" {
    repository conf.git
    export HOME=$BATS_TEST_TMPDIR
    printf '[url "git://127.0.0.1/missing"]\n insteadOf = git://127.0.0.1/conf\n' >"$HOME/.gitconfig"
    git config --global core.hooksPath "$HOME/hooks"
    mkdir "$HOME/hooks"
    printf '#!/bin/sh\ntouch %s/hooked\n' "$HOME" >"$HOME/hooks/post-checkout"
    chmod +x "$HOME/hooks/post-checkout"
    dockerfile 'ADD git://127.0.0.1/conf.git /'
    build -o out .
    [ "$(cat out/top)" = top ]
    [ ! -e "$HOME/hooked" ]
}

# --- contexts ---

@test "build URL: a repository, and a directory of it" {
    repository context.git
    printf 'FROM scratch\nCOPY . /x\n' | tee "$REPOS/context.git/Dockerfile" >"$REPOS/context.git/sub/Other"
    echo top >"$REPOS/context.git/.dockerignore"
    git_commit "$REPOS/context.git"
    build -o out git://127.0.0.1/context.git
    [ "$(find out -type f | sort)" = "out/x/.dockerignore
out/x/Dockerfile
out/x/sub/Other
out/x/sub/below" ]
    build -f Other -o sub git://127.0.0.1/context.git#main:sub
    [ "$(cat sub/x/below)" = below ]
    fails 1 "there is no Dockerfile in the context" build git://127.0.0.1/context.git#main:sub
}

@test "build URL: an archive, or a Dockerfile alone" {
    printf 'FROM scratch\nCOPY a /\n' >Dockerfile
    echo a >a
    tar -czf "$WWW/context.tar.gz" Dockerfile a
    build -o out http://127.0.0.1:8080/context.tar.gz
    [ "$(cat out/a)" = a ]
    printf 'FROM scratch\nADD http://127.0.0.1:8080/context.tar.gz /\n' >"$WWW/Alone"
    build -o alone http://127.0.0.1:8080/Alone
    [ -s alone/context.tar.gz ]
}

@test "build -: a tar on standard input, plain or compressed, is told from a Dockerfile" {
    mkdir in
    printf 'FROM scratch\nCOPY a /\n' >in/Dockerfile
    cp in/Dockerfile in/Second
    echo a >in/a
    tar -c -C in . | build -o plain -
    tar -cz -C in . | build -f Second -o gzip -
    tar -cJ -C in . | build -o xz -
    cat plain/a gzip/a xz/a
    printf 'FROM scratch\nWORKDIR /w\n' | build -o text -
    [ -d text/w ]
    fails 1 "both want standard input" sh -c "tar -c -C in . | nsenter --net=/proc/$NET/ns/net \
        $CAISSON_BUILD/caisson build -f - -"
}

@test "--build-context NAME=URL: a repository, a directory of it, an archive" {
    repository named.git
    ln -s top "$REPOS/named.git/link"
    echo below >"$REPOS/named.git/.dockerignore"
    git_commit "$REPOS/named.git"
    mkdir in
    echo a >in/a
    tar -cJf "$WWW/named.tar" -C in a
    printf 'FROM scratch\nCOPY --from=Repo . /r\nCOPY --from=sub . /s\nCOPY --from=archive a /a\n' >Dockerfile
    build -o out --build-context repo=git://127.0.0.1/named.git \
        --build-context sub=git://127.0.0.1/named.git#main:sub \
        --build-context archive=http://127.0.0.1:8080/named.tar .
    [ "$(find out -mindepth 1 | sort | xargs)" = \
        "out/a out/r out/r/.dockerignore out/r/link out/r/sub out/r/sub/below out/r/top out/s out/s/below" ]
    [ "$(readlink out/r/link)" = top ]
    # What it holds is what counts the next time.
    printf 'FROM scratch\nCOPY --from=repo top /\n' >Dockerfile
    build --build-context repo=git://127.0.0.1/named.git .
    build --build-context repo=git://127.0.0.1/named.git . 2>&1 | grep CACHED
    echo new >"$REPOS/named.git/top"
    git_commit "$REPOS/named.git"
    ! build --build-context repo=git://127.0.0.1/named.git . 2>&1 | grep CACHED || false
    [ -z "$(ls -A "$CAISSON_ROOT/tmp")" ]
}

@test "--build-context NAME=URL: what goes wrong is said, with its name and without its password" {
    echo text >"$WWW/text"
    printf 'FROM scratch\nCOPY --from=one . /\n' >Dockerfile
    fails 1 "--build-context one: http://127.0.0.1:8080/text is no archive" \
        build --build-context one=http://127.0.0.1:8080/text .
    fails 1 "--build-context one" build --build-context one=http://127.0.0.1:8080/none.tar .
    fails 1 "--build-context one" build --build-context one=git://127.0.0.1/none.git .
    ! build --build-context one=http://u:geheim@127.0.0.1:8080/text . 2>&1 | grep geheim || false
    printf 'FROM one\n' >Dockerfile
    repository base.git
    fails 1 "is a directory, and a stage begins with an image" \
        build --build-context one=git://127.0.0.1/base.git .
    [ -z "$(ls -A "$CAISSON_ROOT/tmp")" ]
}
