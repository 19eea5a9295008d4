# SPDX-License-Identifier: Apache-2.0
# Registries on the loopback of a network namespace of the file's own:
#
#   load ../lib/common
#   load ../lib/network
#   load ../lib/certificates
#   load ../lib/registry
#   setup_file() { common_setup_file; registry_usable || return 0; registry_begin; }
#   setup() { registry_usable || skip "needs root, docker-registry, openssl and python3"; registry_place; }
#   teardown_file() { common_teardown_file; registry_end; }
#
#   127.0.0.1:5000   the distribution's docker-registry, without TLS
#   localhost:5001   the same with TLS (CA in $CA) and passwords: ada, secret
#   127.0.0.1:5002   before the first one, with faults (rule …)
#   localhost:5003   before the first one, with TLS and tokens: ada, secret
#
# As an ordinary user such a file runs as root, and only caisson in it as the user.

registry_usable() {
    local program
    [ "$(id -u)" = 0 ] || return 1
    for program in docker-registry openssl python3 nsenter; do
        command -v "$program" >/dev/null || return 1
    done
}

in_net() { nsenter --net="/proc/$NET/ns/net" "$@"; }
caisson() { in_net "${PERSON[@]}" "$CAISSON_BUILD/caisson" "$@"; }

build() { caisson build --network none --progress plain "$@"; }
# dockerfile LINE...
dockerfile() { printf '%s\n' "$@" >Dockerfile; }

# server NAME COMMAND...: in the background, its process id in the file NAME.pid.
server() {
    local name=$1
    shift
    nsenter --net="/proc/$NET/ns/net" "$@" </dev/null >"$BATS_FILE_TMPDIR/$name.log" 2>&1 3>&- &
    echo $! >"$BATS_FILE_TMPDIR/$name.pid"
}

registry_files() {
    cat >plain.yml <<EOF
version: 0.1
storage: {filesystem: {rootdirectory: $PWD/data}, delete: {enabled: true}}
http: {addr: "127.0.0.1:5000"}
log: {level: error, accesslog: {disabled: true}}
EOF
    cat >secret.yml <<EOF
version: 0.1
storage: {filesystem: {rootdirectory: $PWD/secret}}
auth: {htpasswd: {realm: tests, path: $PWD/htpasswd}}
http: {addr: "127.0.0.1:5001", tls: {certificate: $PWD/cert.pem, key: $PWD/key.pem}}
log: {level: error, accesslog: {disabled: true}}
EOF
    python3 -W ignore -c 'import crypt; print("ada:" + crypt.crypt("secret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' >htpasswd
    cat >registries.conf <<EOF
[[registry]]
prefix = "docker.io"
blocked = true
[[registry]]
location = "127.0.0.1:5000"
insecure = true
[[registry]]
location = "127.0.0.1:5002"
insecure = true
EOF
    : >rules
    : >requests
    mkdir -p base/bin base/etc
    cp "$(command -v busybox)" base/bin/busybox
    for name in sh cat echo ls sleep sha256sum true id; do ln -s busybox "base/bin/$name"; done
    echo root:x:0:0::/:/bin/sh >base/etc/passwd
}

registry_begin() {
    NET=$(namespace)
    CA=$BATS_FILE_TMPDIR/ca.pem
    BASE=$BATS_FILE_TMPDIR/base
    CAISSON_TEST_REGISTRIES=$BATS_FILE_TMPDIR/registries.conf # of each test: common.bash
    HOME=$BATS_FILE_TMPDIR/home
    XDG_RUNTIME_DIR=$BATS_FILE_TMPDIR/run
    export NET CA BASE CAISSON_TEST_REGISTRIES HOME XDG_RUNTIME_DIR
    unset REGISTRY_AUTH_FILE DOCKER_CONFIG
    in_net ip link set lo up
    certificates
    (cd "$BATS_FILE_TMPDIR" && registry_files)
    mkdir -p "$HOME" "$XDG_RUNTIME_DIR" "$HOME/.config/containers/certs.d/localhost:5001" \
        "$HOME/.config/containers/certs.d/localhost:5003"
    cp "$CA" "$HOME/.config/containers/certs.d/localhost:5001/ca.crt"
    cp "$CA" "$HOME/.config/containers/certs.d/localhost:5003/ca.crt"
    [ -z "${CAISSON_TEST_USER:-}" ] || chown -R "$CAISSON_TEST_USER" "$HOME" "$XDG_RUNTIME_DIR"
    server plain docker-registry serve "$BATS_FILE_TMPDIR/plain.yml"
    server secret docker-registry serve "$BATS_FILE_TMPDIR/secret.yml"
    server faults python3 "$BATS_TEST_DIRNAME/../lib/registry_proxy.py" 127.0.0.1:5002 127.0.0.1:5000 \
        "$BATS_FILE_TMPDIR/rules" "$BATS_FILE_TMPDIR/requests"
    server tokens python3 "$BATS_TEST_DIRNAME/../lib/registry_proxy.py" 127.0.0.1:5003 127.0.0.1:5000 \
        "$BATS_FILE_TMPDIR/rules" "$BATS_FILE_TMPDIR/requests" \
        --tls "$BATS_FILE_TMPDIR/cert.pem" "$BATS_FILE_TMPDIR/key.pem" --ca "$CA" --token ada:secret
    local port
    for port in 5000 5001 5002 5003; do
        waits 15 in_net python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))"
    done
}

registry_end() {
    local file
    for file in "$BATS_FILE_TMPDIR"/*.pid; do
        [ ! -e "$file" ] || kill "$(cat "$file")" 2>/dev/null || true
    done
    [ -z "${NET:-}" ] || kill "$NET" 2>/dev/null || true
}

RULES=0
# Before each test: no rules, no images of the last one.
registry_place() {
    cd "$BATS_TEST_TMPDIR"
    [ -z "${CAISSON_TEST_USER:-}" ] || chown "$CAISSON_TEST_USER" "$BATS_TEST_TMPDIR"
    : >"$BATS_FILE_TMPDIR/rules"
    : >"$BATS_FILE_TMPDIR/requests"
    local images
    images=$(caisson images -q | sort -u)
    # shellcheck disable=SC2086 # words
    [ -z "$images" ] || caisson rmi -f $images >/dev/null
    rm -rf "$CAISSON_ROOT/partial" "$CAISSON_ROOT/pulled" "$HOME/.docker" "$HOME/.config/containers/auth.json" "$XDG_RUNTIME_DIR/containers"
}

# rule METHOD PATH COUNT ACTION [WORD...], as registry_proxy.py has them.
rule() { echo "$BATS_TEST_NUMBER.$((RULES++)) $*" >>"$BATS_FILE_TMPDIR/rules"; }
requests() { cat "$BATS_FILE_TMPDIR/requests"; }
# asked METHOD PATH: how often.
asked() { grep -cE "^$1 $2" "$BATS_FILE_TMPDIR/requests" || true; }
# put REPOSITORY:TAG [WORD...]: an image, as registry_put.py makes it; its digest is printed.
put() { in_net python3 "$BATS_TEST_DIRNAME/../lib/registry_put.py" http://127.0.0.1:5000 "$@"; }
# partial DIGEST <BYTES: what an unfinished pull of a blob has left.
partial() {
    local file=$CAISSON_ROOT/partial/${1#sha256:}
    cat >"$file"
    [ -z "${CAISSON_TEST_USER:-}" ] || chown "$CAISSON_TEST_USER" "$file"
}
