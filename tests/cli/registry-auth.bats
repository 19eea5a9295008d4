#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# login and logout, and who a registry is told that we are.
load ../lib/common
load ../lib/network
load ../lib/certificates
load ../lib/registry

setup_file() { common_setup_file; registry_usable || return 0; registry_begin; }
setup() {
    registry_usable || skip "needs root, docker-registry, openssl and python3"
    registry_place
}
teardown_file() { common_teardown_file; registry_end; }

S=localhost:5001
T=localhost:5003
RUNTIME() { echo "$XDG_RUNTIME_DIR/containers/auth.json"; }
# auth_json FILE REGISTRY [USER:PASSWORD]: as other tools write it.
auth_json() {
    mkdir -p "$(dirname "$1")"
    printf '{"auths":{"%s":{"auth":"%s"}}}' "$2" "$(printf %s "${3:-ada:secret}" | base64)" >"$1"
    [ -z "${CAISSON_TEST_USER:-}" ] || chown -R "$CAISSON_TEST_USER" "$(dirname "$1")"
}
# helper SCRIPT: docker-credential-test, which all in this file find.
helper() {
    mkdir -p "$BATS_TEST_TMPDIR/bin"
    printf '#!/bin/sh\n%s\n' "$1" >"$BATS_TEST_TMPDIR/bin/docker-credential-test"
    chmod 755 "$BATS_TEST_TMPDIR/bin" "$BATS_TEST_TMPDIR/bin/docker-credential-test"
    export PATH="$BATS_TEST_TMPDIR/bin:$PATH"
}

@test "login: passwords by htpasswd over TLS; pull and push with and without" {
    put app:1 >/dev/null
    caisson pull -q 127.0.0.1:5000/app:1
    caisson tag 127.0.0.1:5000/app:1 $S/app:1
    fails 1 "caisson login $S" caisson push -q $S/app:1
    fails 1 "wrong user or password" caisson login -u ada --password-stdin $S <<<wrong
    [ ! -e "$(RUNTIME)" ]
    run -0 caisson login -u ada --password-stdin $S <<<secret
    [ "$output" = "Login Succeeded: ada at $S, kept in $(RUNTIME)" ]
    [ "$(stat -c %a "$(RUNTIME)")" = 600 ]
    caisson push -q $S/app:1
    caisson rmi $S/app:1 127.0.0.1:5000/app:1
    caisson pull -q $S/app:1
    run -0 caisson logout $S
    [ "$output" = "Removed login credentials for $S" ]
    [ "$(caisson logout $S)" = "Not logged in to $S" ]
    fails 1 "caisson login $S" caisson pull -q $S/app:1
}

@test "login: a token server; scopes are asked for, and once" {
    put private/app:1 layers=2 size=2000000 >/dev/null
    fails 1 "refuses private/app:1" caisson pull -q $T/private/app:1
    caisson login -u ada --password-stdin $T <<<secret
    : >"$BATS_FILE_TMPDIR/requests"
    caisson pull -q $T/private/app:1
    [ "$(asked GET '/token.*repository%3Aprivate%2Fapp%3Apull')" = 1 ]
    [ "$(asked GET '.* 401 ')" = 1 ]
    caisson tag $T/private/app:1 $T/private/other:1
    : >"$BATS_FILE_TMPDIR/requests"
    caisson push -q $T/private/other:1
    # Mounting wants both repositories in one token.
    grep -q 'repository%3Aprivate%2Fother%3Apull%2Cpush&scope=repository%3Aprivate%2Fapp%3Apull' "$BATS_FILE_TMPDIR/requests"
    grep -q 'POST /v2/private/other/blobs/uploads/?mount=sha256.* 201 Bearer' "$BATS_FILE_TMPDIR/requests"
}

@test "a token that is refused is replaced" {
    put private/app:2 layers=1 >/dev/null
    caisson login -u ada --password-stdin $T <<<secret
    rule GET '/blobs/' 1 status 401 "WWW-Authenticate=Bearer_realm=\"https://$T/token\",error=\"invalid_token\""
    : >"$BATS_FILE_TMPDIR/requests"
    caisson pull -q $T/private/app:2
    [ "$(asked GET /token)" = 2 ]
}

@test "--creds and --authfile, and their mistakes" {
    put private/app:3 >/dev/null
    caisson pull -q --creds ada:secret $T/private/app:3
    fails 1 "wrong user or password: no such user" caisson pull -q --creds ada:wrong $T/private/app:3
    fails 1 "USER:PASSWORD" caisson pull -q --creds ada $T/private/app:3
    auth_json "$PWD/auth/file" $T
    caisson pull -q --authfile "$PWD/auth/file" $T/private/app:3
    REGISTRY_AUTH_FILE=$PWD/auth/file caisson pull -q $T/private/app:3
    echo '{"auths":{"'$T'":{"auth":"???"}}}' >auth/file
    fails 1 "is no user and password in base 64" caisson pull -q --authfile "$PWD/auth/file" $T/private/app:3
    echo '[' >auth/file
    fails 1 "$PWD/auth/file" caisson pull -q --authfile "$PWD/auth/file" $T/private/app:3
    fails 125 "was not fetched" caisson run --rm --authfile "$PWD/auth/file" --pull always $T/private/app:3 true
}

@test "Docker's and containers' files are read, the most specific entry first" {
    put private/app:4 >/dev/null
    auth_json "$HOME/.docker/config.json" "https://$T/v1/"
    caisson pull -q $T/private/app:4
    rm -r "$HOME/.docker"
    auth_json "$HOME/.config/containers/auth.json" $T
    caisson pull -q $T/private/app:4
    mkdir -p "$XDG_RUNTIME_DIR/containers"
    printf '{"auths":{"%s":{"auth":"%s"},"%s/private":{"auth":"%s"}}}' $T "$(printf bad:bad | base64)" \
        $T "$(printf ada:secret | base64)" >"$(RUNTIME)"
    caisson pull -q $T/private/app:4
    # An identity token is exchanged for another.
    printf '{"auths":{"%s":{"identitytoken":"identity-ada"}}}' $T >"$(RUNTIME)"
    : >"$BATS_FILE_TMPDIR/requests"
    caisson pull -q $T/private/app:4
    [ "$(asked POST /token)" = 1 ]
    printf '{"auths":{"%s":{"registrytoken":"nobodys"}}}' $T >"$(RUNTIME)"
    fails 1 "refuses" caisson pull -q $T/private/app:4
}

@test "credential helpers: get, store, erase, and what they say" {
    put private/app:5 >/dev/null
    mkdir -p "$HOME/.docker"
    echo '{"credsStore":"test"}' >"$HOME/.docker/config.json"
    [ -z "${CAISSON_TEST_USER:-}" ] || chown -R "$CAISSON_TEST_USER" "$HOME/.docker"
    helper 'cat >"'"$PWD"'/asked.$1"; case $1 in get) echo "{\"ServerURL\":\"x\",\"Username\":\"ada\",\"Secret\":\"secret\"}";; esac'
    caisson pull -q $T/private/app:5
    [ "$(cat asked.get)" = $T ]
    run -0 caisson login -u ada --password-stdin $T <<<secret
    [[ $output == *"kept in docker-credential-test" ]]
    [[ $(cat asked.store) == *'"Secret":"secret"'* ]]
    [ ! -e "$(RUNTIME)" ]
    caisson logout $T
    [ "$(cat asked.erase)" = $T ]
    helper 'echo "credentials not found in native keychain"; exit 1'
    fails 1 "caisson login" caisson pull -q $T/private/app:5
    helper 'echo "the vault is locked"; exit 1'
    fails 1 "docker-credential-test get: the vault is locked" caisson pull -q $T/private/app:5
    echo '{"credHelpers":{"'$T'":"../evil"}}' >"$HOME/.docker/config.json"
    fails 1 "no name of a credential helper" caisson pull -q $T/private/app:5
    echo '{"credHelpers":{"'$T'":"absent"}}' >"$HOME/.docker/config.json"
    fails 1 "credential helper docker-credential-absent" caisson pull -q $T/private/app:5
}

@test "login: words that do not go together" {
    fails 1 "is no terminal to ask" caisson login $S </dev/null
    fails 1 "wants --username" caisson login --password-stdin $S </dev/null
    fails 1 "contradict" caisson login -u a -p b --password-stdin $S
    fails 1 "a password is needed" caisson login -u a --password-stdin $S </dev/null
    fails 1 "is no registry" caisson login -u a --password-stdin 'bad host' <<<x
    fails 1 "contradict" caisson logout --all $S
    run -0 --separate-stderr caisson login -u ada -p secret https://$S/
    [[ $stderr == *"can be read by others"* ]]
    [ "$(caisson logout --all)" = "Removed login credentials for all registries" ]
}

@test "a password is not seen: not in the list of processes, not in errors" {
    rule GET '/v2/' 0 stall 3
    auth_json "$(RUNTIME)" $T ada:verysecretword
    in_net "${PERSON[@]}" "$CAISSON_BUILD/caisson" pull -q $T/private/app:1 2>said 3>&- &
    pid=$!
    waits 5 pgrep -P "$pid" -f caisson
    sleep 0.5
    ! cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' ' | grep -q 'verysecret[w]ord' || false
    ! cat /proc/[0-9]*/environ 2>/dev/null | tr '\0' ' ' | grep -q 'verysecret[w]ord' || false
    wait "$pid" || true
    [ -s said ]
    ! grep -q verysecretword said || false
}
