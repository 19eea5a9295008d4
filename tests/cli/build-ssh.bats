#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# build: repositories over ssh, from an sshd of the test's own on the loopback of a network
# namespace, with the key that an agent of its own has.
load ../lib/common
load ../lib/network
load ../lib/certificates
load ../lib/remote

ssh_usable() {
    local program
    [ "$(id -u)" = 0 ] || return 1
    for program in git ssh ssh-agent ssh-add ssh-keygen nsenter /usr/sbin/sshd; do
        command -v "$program" >/dev/null || return 1
    done
}

setup_file() {
    common_setup_file
    ssh_usable || return 0
    NET=$(namespace)
    AT=$BATS_FILE_TMPDIR/ssh
    REPOS=$BATS_FILE_TMPDIR/repos
    export NET AT REPOS
    in_net ip link set lo up
    mkdir -m 755 "$AT" "$REPOS"
    ssh-keygen -q -t ed25519 -N "" -f "$AT/host"
    ssh-keygen -q -t ed25519 -N "" -f "$AT/other-host"
    ssh-keygen -q -t ed25519 -N "" -f "$AT/key"
    ssh-keygen -q -t ed25519 -N "" -f "$AT/stranger"
    cp "$AT/key.pub" "$AT/authorized"
    cat >"$AT/config" <<E
ListenAddress 127.0.0.1:22
ListenAddress 127.0.0.1:2222
HostKey $AT/host
AuthorizedKeysFile $AT/authorized
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PidFile none
E
    # Its directory in /run is not the machine's.
    nsenter --net="/proc/$NET/ns/net" unshare -m sh -c "mount -t tmpfs none /run && mkdir -m 755 /run/sshd &&
        exec /usr/sbin/sshd -D -E '$AT/log' -f '$AT/config'" </dev/null >/dev/null 2>&1 3>&- &
    SSHD=$!
    agent_with key
    AGENT=$PID
    agent_with stranger
    STRANGER=$PID
    export SSHD AGENT STRANGER
    waits 10 in_net bash -c '</dev/tcp/127.0.0.1/2222'
    repository one.git
}

# agent_with KEY: an agent of the person listens at $BATS_FILE_TMPDIR/KEY.agent, as $PID.
agent_with() {
    "${PERSON[@]}" ssh-agent -D -a "$BATS_FILE_TMPDIR/$1.agent" </dev/null >/dev/null 2>&1 3>&- &
    PID=$!
    waits 10 test -S "$BATS_FILE_TMPDIR/$1.agent"
    SSH_AUTH_SOCK=$BATS_FILE_TMPDIR/$1.agent ssh-add -q "$AT/$1"
}

setup() {
    ssh_usable || skip "needs root, git, openssh-client and openssh-server"
    export HOME=$BATS_TEST_TMPDIR/home
    mkdir -p "$HOME/.ssh" "$BATS_TEST_TMPDIR/context"
    cd "$BATS_TEST_TMPDIR/context" || return
}

teardown_file() {
    local pid
    common_teardown_file
    for pid in $SSHD $AGENT $STRANGER $NET; do # none where it is not usable
        kill "$pid" 2>/dev/null || true
    done
}

build() {
    [ -z "${CAISSON_TEST_USER:-}" ] || chown -R "$CAISSON_TEST_USER" "$BATS_TEST_TMPDIR"
    in_net "${PERSON[@]}" "$CAISSON_BUILD/caisson" build --progress plain "$@"
}
# knows KEY: the person has seen this key of the host, at both of its ports.
knows() {
    printf '%s %s\n' 127.0.0.1 "$(cut -d' ' -f1,2 "$AT/$1.pub")" \
        '[127.0.0.1]:2222' "$(cut -d' ' -f1,2 "$AT/$1.pub")" >"$HOME/.ssh/known_hosts"
}

@test "ADD over ssh: with a key of the agent, from a host that is known" {
    knows host
    dockerfile "ADD ssh://root@127.0.0.1:2222$REPOS/one.git /whole/" "ADD ssh://root@127.0.0.1$REPOS/one.git#main:sub /part/"
    build --ssh "default=$BATS_FILE_TMPDIR/key.agent" -o out .
    [ "$(cat out/whole/top out/part/below)" = "top
below" ]
    SSH_AUTH_SOCK=$BATS_FILE_TMPDIR/key.agent build --ssh default "ssh://root@127.0.0.1$REPOS/one.git#v1" 2>&1 |
        grep "there is no Dockerfile in the context"
    dockerfile "COPY --from=named top /"
    build --ssh "default=$BATS_FILE_TMPDIR/key.agent" --build-context "named=ssh://root@127.0.0.1:2222$REPOS/one.git" -o named .
    [ "$(cat named/top)" = top ]
}

@test "ADD over ssh: a host that is not known is refused, and how to know it is said" {
    dockerfile "ADD ssh://root@127.0.0.1:2222$REPOS/one.git /"
    fails 1 "the key of 127.0.0.1 is not known here" build --ssh "default=$BATS_FILE_TMPDIR/key.agent" -o out .
    fails 1 "ssh-keyscan -p 2222 127.0.0.1" build --ssh "default=$BATS_FILE_TMPDIR/key.agent" -o out .
    # Nobody has learned it by trying.
    [ ! -e "$HOME/.ssh/known_hosts" ]
    [ ! -e out ]
}

@test "ADD over ssh: a host with another key than the one that is known is refused" {
    knows other-host
    dockerfile "ADD ssh://root@127.0.0.1:2222$REPOS/one.git /"
    fails 1 "127.0.0.1 shows another key than the one in known_hosts" build --ssh "default=$BATS_FILE_TMPDIR/key.agent" -o out .
    [ ! -e out ]
}

@test "ADD over ssh: a key that the host does not take, and files of keys that nobody gave" {
    knows host
    cp "$AT/key" "$HOME/.ssh/id_ed25519"
    printf 'Host *\nIdentityFile %s\nStrictHostKeyChecking no\n' "$AT/key" >"$HOME/.ssh/config"
    dockerfile "ADD ssh://root@127.0.0.1:2222$REPOS/one.git /"
    fails 1 "127.0.0.1 takes none of the keys that the agent has" build --ssh "default=$BATS_FILE_TMPDIR/stranger.agent" -o out .
    fails 1 "give it with --ssh default" build -o out .
    dockerfile "ADD ssh://root@127.0.0.1:2222$REPOS/none.git /"
    fails 1 "none.git" build --ssh "default=$BATS_FILE_TMPDIR/key.agent" -o out .
}
