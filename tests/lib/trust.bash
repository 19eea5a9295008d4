# SPDX-License-Identifier: Apache-2.0
# Keys, signatures and policies of tests, after tests/lib/registry.bash.

trust_begin() {
    SIGN=$BATS_TEST_DIRNAME/../lib/registry_sign.py
    KEYS=$BATS_FILE_TMPDIR/keys
    OPEN=$(realpath "$BATS_TEST_DIRNAME/../lib/policy.json")
    export SIGN KEYS OPEN
    mkdir "$KEYS"
    local kind
    for kind in ecdsa ed25519 rsa p384; do python3 "$SIGN" keys "$KEYS/$kind" $kind; done
    python3 "$SIGN" keys "$KEYS/other" ecdsa
}

# Before each test: no policy but the open one.
trust_place() { export CONTAINERS_POLICY=$OPEN; }

# sign REPOSITORY DIGEST KEY [WORD...]: as registry_sign.py does.
sign() {
    local repository=$1 digest=$2 key=$3
    shift 3
    in_net python3 "$SIGN" sign http://127.0.0.1:5000 "$repository" "$digest" "$KEYS/$key.pem" "$@"
}

# signed KEY: a requirement.
signed() { echo '{"type": "sigstoreSigned", "keyPath": "'"$KEYS/$1.pub"'"}'; }

# policy REQUIREMENTS: that is "default" from here on.
policy() {
    echo '{"default": ['"$1"']}' >policy.json
    export CONTAINERS_POLICY=$PWD/policy.json
}

# scopes SCOPE REQUIREMENT...: of the transport; "default" is the file's.
scopes() {
    local default='{"type": "insecureAcceptAnything"}' list=
    while (($# > 0)); do
        if [ "$1" = default ]; then default=$2; else list+="${list:+, }\"$1\": [$2]"; fi
        shift 2
    done
    echo '{"default": ['"$default"'], "transports": {"docker": {'"$list"'}}}' >policy.json
    export CONTAINERS_POLICY=$PWD/policy.json
}
