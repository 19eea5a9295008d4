# SPDX-License-Identifier: Apache-2.0
# A network of its own with servers on its loopback, for what ADD and contexts fetch.
#
#   load ../lib/common
#   load ../lib/network
#   load ../lib/certificates
#   load ../lib/remote
#   setup_file() { common_setup_file; remote_usable && remote_begin; }
#   setup() { remote_usable || skip "needs root, git, openssl and python3"; build_place; }
#   teardown_file() { common_teardown_file; remote_end; }
#
# WWW is served over http (127.0.0.1:8080) and https (localhost:8443, CA in $CA), REPOS by git
# daemon (git://127.0.0.1/NAME) and over dumb http (WWW/repos).

remote_usable() {
    local program
    by_root && [ "$(id -u)" = 0 ] || return 1
    for program in git openssl python3 nsenter; do
        command -v "$program" >/dev/null || return 1
    done
}

in_net() { nsenter --net="/proc/$NET/ns/net" "$@"; }
build() { in_net "$CAISSON_BUILD/caisson" build --progress plain "$@"; }

remote_begin() {
    NET=$(namespace)
    WWW=$BATS_FILE_TMPDIR/www
    REPOS=$BATS_FILE_TMPDIR/repos
    CA=$BATS_FILE_TMPDIR/ca.pem
    export NET WWW REPOS CA
    in_net ip link set lo up
    mkdir "$WWW" "$REPOS"
    certificates
    # No function in the background: its shell would be what is killed, and not the server.
    nsenter --net="/proc/$NET/ns/net" python3 "$BATS_TEST_DIRNAME/../lib/remote_server.py" "$WWW" \
        "$BATS_FILE_TMPDIR/cert.pem" "$BATS_FILE_TMPDIR/key.pem" </dev/null >/dev/null 2>&1 3>&- &
    SERVER=$!
    nsenter --net="/proc/$NET/ns/net" "$(git --exec-path)/git-daemon" --listen=127.0.0.1 \
        --base-path="$REPOS" --export-all --reuseaddr "$REPOS" </dev/null >/dev/null 2>&1 3>&- &
    DAEMON=$!
    export SERVER DAEMON
    waits 10 test -e "$BATS_FILE_TMPDIR/ready"
    waits 10 in_net python3 -c 'import socket; socket.create_connection(("127.0.0.1", 9418))'
}

remote_end() {
    local pid
    for pid in $SERVER $DAEMON $NET; do # none where it is not usable
        kill "$pid" 2>/dev/null || true
    done
}

# An empty directory to build in.
build_place() {
    mkdir "$BATS_TEST_TMPDIR/context"
    cd "$BATS_TEST_TMPDIR/context"
    : >"$BATS_FILE_TMPDIR/requests"
}
requests() { cat "$BATS_FILE_TMPDIR/requests"; }

# dockerfile LINE...: from nothing.
dockerfile() { printf '%s\n' "FROM scratch" "$@" >Dockerfile; }

# git_commit REPOSITORY: all of it.
git_commit() {
    git -C "$1" add -A
    git -C "$1" -c user.name=t -c user.email=t@example.org commit -qm change --date 2020-01-02T03:04:05Z
    git -C "$1" update-server-info
}
# repository NAME: with two directories and a tag.
repository() {
    local at=$REPOS/$1
    git init -q -b main "$at"
    mkdir "$at/sub"
    echo top >"$at/top"
    echo below >"$at/sub/below"
    GIT_COMMITTER_DATE=2020-01-02T03:04:05Z git_commit "$at"
    git -C "$at" -c user.name=t -c user.email=t@example.org tag -a -m one v1
}
