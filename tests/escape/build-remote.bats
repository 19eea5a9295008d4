#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# build: repositories, archives and addresses that want to reach what is not theirs.
load ../lib/common
load ../lib/network
load ../lib/certificates
load ../lib/remote

setup_file() {
    common_setup_file
    remote_usable || return 0
    remote_begin
    echo "host secret" >"$BATS_FILE_TMPDIR/secret"
}
setup() {
    remote_usable || skip "needs root, git, openssl and python3"
    build_place
}
teardown_file() { common_teardown_file; remote_end; }

@test "a git address: no directory outside, no flag in the place of a branch" {
    repository words.git
    ln -s "$BATS_FILE_TMPDIR" "$REPOS/words.git/out"
    ln -s sub "$REPOS/words.git/inside"
    git_commit "$REPOS/words.git"
    local word
    for word in main:../.. main:sub/../../.. main:/../.. main:.git main:sub/.GIT \
        --upload-pack=touch main..v1 '-c' 'main:out' 'main:inside'; do
        dockerfile "ADD git://127.0.0.1/words.git#$word /"
        run -1 build -o out .
        run -1 build -o out "git://127.0.0.1/words.git#$word"
        [ ! -e out ]
    done
}

@test "a git context: links of it are followed inside of it" {
    repository links.git
    local at=$REPOS/links.git
    printf 'FROM scratch\nCOPY secret /\n' >"$at/Dockerfile"
    ln -s "$BATS_FILE_TMPDIR/secret" "$at/secret"
    ln -s "$BATS_FILE_TMPDIR" "$at/dir"
    ln -s "$BATS_FILE_TMPDIR/secret" "$at/Linked"
    git_commit "$at"
    run -1 build -o out git://127.0.0.1/links.git
    [[ $output != *"host secret"* ]]
    # As Dockerfile, whose lines errors show.
    run -1 build -f Linked git://127.0.0.1/links.git
    [[ $output != *"host secret"* ]]
    run -1 build -f dir/secret git://127.0.0.1/links.git
    [[ $output != *"host secret"* ]]
    run -1 build -f ../../../../../secret git://127.0.0.1/links.git
    [[ $output != *"host secret"* ]]
    # As .dockerignore, which errors show too.
    printf 'FROM scratch\nCOPY top /\n' >"$at/Dockerfile"
    ln -s "$BATS_FILE_TMPDIR/secret" "$at/.dockerignore"
    git_commit "$at"
    run build -o out git://127.0.0.1/links.git
    [[ $output != *"host secret"* ]]
}

@test "a tar context: links of it lead nowhere else, and names do not lead out" {
    mkdir in
    printf 'FROM scratch\nCOPY d/secret /\n' >in/Dockerfile
    ln -s "$BATS_FILE_TMPDIR" in/d
    run -1 sh -c "tar -c -C in . | nsenter --net=/proc/$NET/ns/net $CAISSON_BUILD/caisson build -o out -"
    [[ $output != *"host secret"* ]]
    [ ! -e out ]
    echo x >x
    tar -cf evil.tar -P --transform "s|x|../../../../../..$BATS_TEST_TMPDIR/written|" x
    run -1 sh -c "nsenter --net=/proc/$NET/ns/net $CAISSON_BUILD/caisson build -o out - <evil.tar"
    [ ! -e "$BATS_TEST_TMPDIR/written" ]
}

@test "a named context from elsewhere: its links lead nowhere else, and names do not lead out" {
    repository named.git
    local at=$REPOS/named.git step
    ln -s "$BATS_FILE_TMPDIR" "$at/d"
    ln -s "$BATS_FILE_TMPDIR/secret" "$at/secret"
    ln -s "$BATS_FILE_TMPDIR/secret" "$at/.dockerignore"
    git_commit "$at"
    mkdir in
    ln -s "$BATS_FILE_TMPDIR" in/d
    ln -s "$BATS_FILE_TMPDIR/secret" in/secret
    echo x >x
    tar -cf "$WWW/evil.tar" -C in d secret
    tar -rf "$WWW/evil.tar" -P --transform "s|x|../../../../../..$BATS_TEST_TMPDIR/written|" x
    tar -cf "$WWW/links.tar" -C in d secret
    tar -rf "$WWW/links.tar" --transform "s|x|d/written|" x
    for address in git://127.0.0.1/named.git http://127.0.0.1:8080/evil.tar http://127.0.0.1:8080/links.tar; do
        for step in "d/secret /" "secret /" "/../../secret /" "d/. /"; do
            dockerfile "COPY --from=c $step"
            run build -o out --build-context "c=$address" .
            [[ $output != *"host secret"* ]]
            ! grep -rqsF "host secret" out || false
        done
    done
    [ ! -e "$BATS_TEST_TMPDIR/written" ]
    [ ! -e "$BATS_FILE_TMPDIR/written" ]
}

@test "a repository: its attributes and hooks execute nothing" {
    repository acts.git
    local at=$REPOS/acts.git
    printf '* filter=evil diff=evil merge=evil\n' >"$at/.gitattributes"
    printf '[filter "evil"]\n smudge = touch %s/acted\n' "$BATS_TEST_TMPDIR" >"$at/.gitconfig"
    mkdir -p "$at/hooks"
    printf '#!/bin/sh\ntouch %s/acted\n' "$BATS_TEST_TMPDIR" >"$at/hooks/post-checkout"
    chmod +x "$at/hooks/post-checkout"
    git_commit "$at"
    dockerfile 'ADD git://127.0.0.1/acts.git /'
    build -o out .
    [ "$(cat out/top)" = top ]
    [ ! -e "$BATS_TEST_TMPDIR/acted" ]
}

@test "a repository: no submodule from the host, by a command or over an open protocol" {
    repository inner.git
    local url
    for url in "$REPOS/inner.git" "file://$REPOS/inner.git" ../inner.git git://127.0.0.1/inner.git \
        'ext::sh -c touch% /tmp/x' -u./evil; do
        rm -rf "$REPOS/outer.git"
        repository outer.git
        git -C "$REPOS/outer.git" update-index --add --cacheinfo \
            "160000,$(git -C "$REPOS/inner.git" rev-parse HEAD),mod"
        printf '[submodule "mod"]\n path = mod\n url = %s\n update = !touch %s/acted\n' \
            "$url" "$BATS_TEST_TMPDIR" >"$REPOS/outer.git/.gitmodules"
        git -C "$REPOS/outer.git" add .gitmodules
        git -C "$REPOS/outer.git" -c user.name=t -c user.email=t@example.org commit -qm outer
        dockerfile 'ADD git://127.0.0.1/outer.git /'
        run -1 build -o out .
        [ ! -e out ]
        [ ! -e "$BATS_TEST_TMPDIR/acted" ]
    done
}

@test "what git runs in can write to one directory, and read no file of the host's" {
    # The ssh of this test stands in for a git that was taken over. Seen to fail without git_confine(): it reads
    # the secret and writes beside it; and without git_seccomp(): it has a user namespace.
    [ -x /usr/bin/ssh ] || skip "needs ssh"
    local script="cat $BATS_FILE_TMPDIR/secret && echo fatal: read it
        cat /etc/shadow && echo fatal: read it
        echo x >$BATS_FILE_TMPDIR/written && echo fatal: wrote it
        unshare -U true && echo fatal: has namespaces
        unshare -Ur mount -t tmpfs none /mnt && echo fatal: mounts
        echo fatal: kept out"
    mkdir "$BATS_TEST_TMPDIR/bin"
    printf '#!/bin/sh\n(%s) >&2\n' "$script" >"$BATS_TEST_TMPDIR/bin/ssh"
    chmod +x "$BATS_TEST_TMPDIR/bin/ssh"
    eval "$(ssh-agent)" >/dev/null
    dockerfile 'ADD ssh://git@127.0.0.1/r.git /'
    # In a mount namespace where that is the host's ssh.
    run -1 in_net unshare -m sh -c \
        "mount --bind $BATS_TEST_TMPDIR/bin/ssh /usr/bin/ssh && $CAISSON_BUILD/caisson build --ssh default ."
    kill "$SSH_AGENT_PID"
    [[ $output == *"kept out"* ]]
    [[ $output != *"read it"* && $output != *"wrote it"* && $output != *"namespaces"* && $output != *"mounts"* ]]
    [ ! -e "$BATS_FILE_TMPDIR/written" ]
}

@test "an address leads to no file of the host's and to no other protocol" {
    local url
    for url in file:///etc/passwd ftp://127.0.0.1/x gopher://127.0.0.1/x dict://127.0.0.1/x; do
        dockerfile "ADD $url /x"
        run -1 build -o out .
        [ ! -e out ]
    done
    dockerfile 'ADD http://127.0.0.1:8080/=file /x'
    run -1 build -o out .
    [ ! -e out ]
}
