#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# image keygen, image sign, image verify.
load ../lib/common
load ../lib/network
load ../lib/certificates
load ../lib/registry
load ../lib/trust

setup_file() { common_setup_file; registry_usable || return 0; registry_begin; trust_begin; trust_lock; }
setup() {
    registry_usable || skip "needs root, docker-registry, openssl and python3"
    registry_place
    trust_place
    unset COSIGN_PASSWORD
}
teardown_file() { common_teardown_file; registry_end; }

R=127.0.0.1:5000

# Locked by other code than ours.
trust_lock() {
    python3 "$SIGN" lock "$KEYS/ecdsa.pem" "a b" >"$KEYS/ecdsa.key"
    python3 "$SIGN" lock "$KEYS/ed25519.pem" "" >"$KEYS/ed25519.key"
    python3 "$SIGN" lock "$KEYS/other.pem" old "ENCRYPTED COSIGN PRIVATE KEY" >"$KEYS/other.key"
}
# verify REPOSITORY DIGEST KEY [bundle]: by openssl.
verify() { in_net python3 "$SIGN" verify http://$R "$1" "$2" "$KEYS/$3.pub" "${@:4}"; }

@test "sign: openssl finds the signature good, and pull takes the image" {
    digest=$(put s1/app:1)
    policy "$(signed ecdsa)"
    fails 1 "has no signature" caisson pull -q $R/s1/app:1
    COSIGN_PASSWORD="a b" run -0 caisson image sign --key "$KEYS/ecdsa.key" $R/s1/app:1
    [ "$output" = "$R/s1/app:1: signed: $digest" ]
    [ "$(verify s1/app "$digest" ecdsa)" = $R/s1/app:1 ]
    [ -z "$(verify s1/app "$digest" other)" ]
    caisson pull -q $R/s1/app:1
    # Once more changes nothing.
    COSIGN_PASSWORD="a b" run -0 caisson image sign --key "$KEYS/ecdsa.key" $R/s1/app:1
    [ "$output" = "$R/s1/app:1: was signed before: $digest" ]
    [ "$(verify s1/app "$digest" ecdsa | wc -l)" = 1 ]
}

@test "sign: beside the signatures that are there, by several keys, of several images" {
    digest=$(put s2/app:1)
    other=$(put s2/other:1 seed=other layers=1)
    sign s2/app "$digest" other
    export COSIGN_PASSWORD=
    caisson image sign --key "$KEYS/ed25519.key" $R/s2/app:1 "$R/s2/other@$other"
    caisson image sign --key "$KEYS/ecdsa.pem" --identity $R/s2/x:9 $R/s2/app:1
    [ "$(verify s2/app "$digest" other)" = $R/s2/app ]
    [ "$(verify s2/app "$digest" ed25519)" = $R/s2/app:1 ]
    [ "$(verify s2/app "$digest" ecdsa)" = $R/s2/x:9 ]
    [ "$(verify s2/other "$other" ed25519)" = "$R/s2/other@$other" ]
    policy "$(signed ed25519)"
    caisson pull -q $R/s2/app:1
    caisson pull -q "$R/s2/other@$other"
}

@test "sign --bundle: a sigstore bundle that refers to the image" {
    digest=$(put s3/app:1)
    sign s3/app "$digest" other bundle
    COSIGN_PASSWORD="a b" caisson image sign --bundle --key "$KEYS/ecdsa.key" $R/s3/app:1
    COSIGN_PASSWORD="" caisson image sign --bundle --key "$KEYS/ed25519.key" $R/s3/app:1
    [ "$(verify s3/app "$digest" ecdsa bundle)" = $R/s3/app:1 ]
    [ "$(verify s3/app "$digest" ed25519 bundle)" = $R/s3/app:1 ]
    policy "$(signed ecdsa)"
    caisson pull -q $R/s3/app:1
    policy "$(signed other)"
    caisson pull -q $R/s3/app:1
    COSIGN_PASSWORD="a b" run -0 caisson image sign --bundle --key "$KEYS/ecdsa.key" $R/s3/app:1
    [[ $output == *"was signed before"* ]]
}

@test "sign --bundle: a registry that keeps the list itself is left to it" {
    digest=$(put s4/app:1)
    rule PUT '/v2/s4/app/manifests/sha256:' 0 header OCI-Subject "$digest"
    COSIGN_PASSWORD="a b" caisson image sign --bundle --key "$KEYS/ecdsa.key" 127.0.0.1:5002/s4/app:1
    [ "$(asked PUT /v2/s4/app/manifests/sha256:)" = 1 ]
    [ "$(asked PUT /v2/s4/app/manifests/sha256-)" = 0 ]
}

@test "keys: locked and plain, with passphrases from everywhere" {
    put s5/app:1 >/dev/null
    COSIGN_PASSWORD=no fails 1 "the key $KEYS/ecdsa.key: the passphrase is wrong" caisson image sign -k "$KEYS/ecdsa.key" $R/s5/app:1
    fails 1 'say it in $COSIGN_PASSWORD or with --passphrase-file' caisson image sign -k "$KEYS/ecdsa.key" $R/s5/app:1 </dev/null
    printf 'a b\nmore\n' >file
    caisson image sign -k "$KEYS/ecdsa.key" --passphrase-file file $R/s5/app:1
    # The file is what was said last.
    COSIGN_PASSWORD=no caisson image sign -k "$KEYS/ecdsa.key" --passphrase-file file $R/s5/app:1
    COSIGN_PASSWORD=old caisson image sign -k "$KEYS/other.key" $R/s5/app:1
    caisson image sign -k "$KEYS/ed25519.pem" $R/s5/app:1
    fails 1 "the key $KEYS/rsa.pem: it is no key that is known here" caisson image sign -k "$KEYS/rsa.pem" $R/s5/app:1
    fails 1 "the key $KEYS/p384.pem: it is no key that is known here" caisson image sign -k "$KEYS/p384.pem" $R/s5/app:1
    fails 1 "it is a PUBLIC KEY: keys of cosign are read" caisson image sign -k "$KEYS/ecdsa.pub" $R/s5/app:1
    fails 1 "cannot read the key none" caisson image sign -k none $R/s5/app:1
    fails 1 "a private key is needed: --key FILE" caisson image sign $R/s5/app:1
    fails 1 "has no s5/app:none" caisson image sign -k "$KEYS/ed25519.pem" $R/s5/app:none
    # A key that somebody has damaged, and one that would take all the memory there is.
    sed '3s/[A-Z]/a/' "$KEYS/ecdsa.key" >damaged
    COSIGN_PASSWORD="a b" fails 1 "the key damaged" caisson image sign -k damaged $R/s5/app:1
    python3 - "$KEYS/ecdsa.key" >huge <<'END'
import base64, json, sys
lines = open(sys.argv[1]).read().splitlines()
box = json.loads(base64.b64decode("".join(lines[1:-1])))
box["kdf"]["params"]["N"] = 1 << 40
print(lines[0], base64.b64encode(json.dumps(box).encode()).decode(), lines[-1], sep="\n")
END
    COSIGN_PASSWORD="a b" fails 1 "it is not locked as cosign locks keys" caisson image sign -k huge $R/s5/app:1
}

@test "a passphrase is asked for on the terminal, and not shown" {
    put s6/app:1 >/dev/null
    run -0 --separate-stderr in_net "${PERSON[@]}" python3 - "$CAISSON_BUILD/caisson" image sign -k "$KEYS/ecdsa.key" $R/s6/app:1 <<'END'
import os, pty, sys
pid, master = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
said = b""
while b"Passphrase of the key: " not in said:
    said += os.read(master, 1000)
os.write(master, b"a b\n")
try:
    while True:
        said += os.read(master, 1000)
except OSError:
    pass
print(said.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
    [[ $output == *"$R/s6/app:1: signed:"* ]]
    [[ $output != *"a b"* ]]
}

terminal() { timeout 60 python3 "$BATS_TEST_DIRNAME/../lib/terminal.py" "$@"; }

@test "a signal at the passphrase does what it does elsewhere, and leaves a terminal that shows what is typed" {
    cat >ask <<'END'
trap : INT
sh -c 'trap - INT; echo $$ >pid; exec caisson image keygen none'
echo "code $?"
stty -a | grep -ow -e -echo -e echo
END
    for signal in TERM HUP QUIT INT; do
        run -0 terminal "see Passphrase" "do kill -$signal \$(cat pid)" -- sh ask
        [[ $output == *"code $((128 + $(kill -l $signal)))"*echo* ]]
        [[ $output != *-echo* ]]
    done
    run -0 terminal "see Passphrase" "type half\x03" -- sh ask
    [[ $output == *"code 130"*echo* ]]
    [[ $output != *half* ]]
    [[ $output != *-echo* ]]
    # Who stops it and comes back is asked again, and begins anew.
    run -0 terminal "see Passphrase" "type half" "do kill -TSTP \$(cat pid); sleep 0.3; kill -CONT \$(cat pid)" \
        "see Passphrase" "type a b\n" "see more: " "type a b\n" "see code 0" -- sh ask
    python3 "$SIGN" unlock none.key "a b" >/dev/null
}

@test "keygen: files as cosign's, which nobody else can read and nobody writes over" {
    digest=$(put s7/app:1)
    export COSIGN_PASSWORD=pass
    run -0 caisson image keygen one
    [ "$(stat -c %a one.key)" = 600 ]
    [ "$(head -1 one.key)" = "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----" ]
    python3 "$SIGN" unlock one.key pass >one.pem
    [ "$(openssl pkey -in one.pem -pubout)" = "$(cat one.pub)" ]
    [[ $(openssl pkey -in one.pem -noout -text) == *prime256v1* ]]
    caisson image sign -k one.key $R/s7/app:1
    caisson image verify -k one.pub $R/s7/app:1
    fails 1 "one.key or one.pub is there already" caisson image keygen one
    rm one.key
    fails 1 "one.key or one.pub is there already" caisson image keygen one
    echo two >file
    caisson image keygen --type ed25519 --passphrase-file file two
    python3 "$SIGN" unlock two.key two | grep -q "BEGIN PRIVATE KEY"
    [[ $(openssl pkey -pubin -in two.pub -noout -text) == *ED25519* ]]
    fails 1 "cannot create $PWD/none/x.key" caisson image keygen "$PWD/none/x"
}

@test "verify: by a key, by the policy, and what it says when it cannot" {
    digest=$(put s8/app:1)
    caisson image sign -k "$KEYS/ed25519.pem" $R/s8/app:1
    run -0 caisson image verify -k "$KEYS/ed25519.pub" $R/s8/app:1
    [ "${lines[0]}" = "Digest: $digest" ]
    [[ ${lines[1]} == "Signed by: $KEYS/ed25519.pub (SHA256:"* ]]
    caisson image verify -k "$KEYS/ecdsa.pub" -k "$KEYS/ed25519.pub" "$R/s8/app@$digest"
    fails 1 "has to be signed, says the keys given, but it has 1 signature, none by" caisson image verify -k "$KEYS/ecdsa.pub" $R/s8/app:1
    # Of the same repository, whatever the tag.
    put s8/app:2 >/dev/null
    caisson image verify -k "$KEYS/ed25519.pub" $R/s8/app:2
    put s8/copy:1 >/dev/null
    sign s8/copy "$digest" ed25519 name=$R/s8/app:1
    fails 1 "the signature is of $R/s8/app:1, and the policy says matchRepository" caisson image verify -k "$KEYS/ed25519.pub" $R/s8/copy:1
    policy "$(signed ed25519)"
    caisson image verify $R/s8/app:1
    fails 1 "the policy says matchRepoDigestOrExact" caisson image verify $R/s8/app:2
    fails 1 "nothing was verified: the policy wants no signature" caisson image verify --signature-policy "$OPEN" $R/s8/app:1
    fails 1 "contradict each other" caisson image verify -k "$KEYS/ed25519.pub" --signature-policy "$OPEN" $R/s8/app:1
    fails 1 "cannot read the key none" caisson image verify -k none $R/s8/app:1
}

@test "sign: with passwords, over TLS" {
    put s10/app:1 >/dev/null
    fails 1 "sign in with 'caisson login localhost:5003'" caisson image sign -k "$KEYS/ecdsa.pem" localhost:5003/s10/app:1
    caisson image sign -k "$KEYS/ecdsa.pem" --creds ada:secret localhost:5003/s10/app:1
    caisson image verify -k "$KEYS/ecdsa.pub" --creds ada:secret localhost:5003/s10/app:1
}

# find_them KEY: the processes of "image sign" with it. One program, one the child of the other: that
# has the key.
find_them() {
    child=
    for parent in $(pgrep -f "sign -k $KEYS/$1"); do
        child=$(pgrep -P "$parent" -f " sign -k" | head -1) || true
        [ -z "$child" ] || [ "$(readlink "/proc/$parent/exe")" != "$CAISSON_BUILD/caisson-image" ] || return 0
    done
    return 1
}

# has_key PID PID PKCS8: for each whether the key's number is anywhere in its memory.
has_key() {
    python3 - "$@" <<'END'
import re, sys
key = open(sys.argv[3], "rb").read()[36:68]  # the number itself
def has(pid):
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if m:
                try:
                    memory.seek(int(m[1], 16))
                    data = memory.read(int(m[2], 16) - int(m[1], 16))
                except OSError:
                    continue
                if key in data or key[::-1] in data:
                    return True
    return False
print(has(sys.argv[1]), has(sys.argv[2]))
END
}

@test "sign: the process that asks the registry has no key, and the one with the key has no file or network" {
    put s11/app:1 >/dev/null
    rule GET '/v2/s11/app/manifests/1' 1 stall 8
    COSIGN_PASSWORD="a b" caisson image sign -k "$KEYS/ecdsa.key" 127.0.0.1:5002/s11/app:1 >out 2>&1 </dev/null 3>&- &
    waits 6 find_them ecdsa.key
    sleep 2
    python3 "$SIGN" unlock "$KEYS/ecdsa.key" "a b" | openssl pkcs8 -topk8 -nocrypt -outform DER >der
    run -0 has_key "$parent" "$child" der
    echo "parent and child: $output"
    [ "$output" = "False True" ]
    [ "$(awk '/^Seccomp:/ {print $2}' "/proc/$child/status")" = 2 ]
    [ "$(ls "/proc/$child/fd" | wc -l)" = 4 ]
    wait
    grep -q "signed:" out
}

@test "sign: nor has the process that asks the registry a key that no passphrase protects" {
    put s12/app:1 >/dev/null
    rule GET '/v2/s12/app/manifests/1' 1 stall 8
    caisson image sign -k "$KEYS/ecdsa.pem" 127.0.0.1:5002/s12/app:1 >out 2>&1 </dev/null 3>&- &
    waits 6 find_them ecdsa.pem
    sleep 2
    openssl pkcs8 -in "$KEYS/ecdsa.pem" -topk8 -nocrypt -outform DER >der
    run -0 has_key "$parent" "$child" der
    [ "$output" = "False True" ]
    wait
    grep -q "signed:" out
}

@test "keygen: a passphrase that is none is told, one with a NUL is refused" {
    printf '\0secret' >zero
    fails 1 "has a NUL byte in it" caisson image keygen --passphrase-file "$PWD/zero" nul
    [ ! -e nul.key ]
    echo >empty
    run -0 --separate-stderr caisson image keygen --passphrase-file "$PWD/empty" bare
    [[ $stderr == *"the passphrase is empty"* ]]
}
