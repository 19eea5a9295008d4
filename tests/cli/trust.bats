#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# policy.json and signatures: what may be pulled.
load ../lib/common
load ../lib/network
load ../lib/certificates
load ../lib/registry
load ../lib/trust

setup_file() { common_setup_file; registry_usable || return 0; registry_begin; trust_begin; }
setup() {
    registry_usable || skip "needs root, docker-registry, openssl and python3"
    registry_place
    trust_place
}
teardown_file() { common_teardown_file; registry_end; }

R=127.0.0.1:5000

@test "an image that is signed by the policy's key is pulled, and who signed is said" {
    digest=$(put t1/app:1)
    sign t1/app "$digest" ecdsa name=$R/t1/app:1
    policy "$(signed ecdsa)"
    run -0 --separate-stderr caisson pull $R/t1/app:1
    [[ $output == *"Signed by: $KEYS/ecdsa.pub (SHA256:"* ]]
    [ "$(caisson run --rm --network none $R/t1/app:1 echo fine)" = fine ]
}

@test "an Ed25519 key; keyData, keyPaths and keyDatas" {
    digest=$(put t2/app:1)
    sign t2/app "$digest" ed25519 name=$R/t2/app:1
    policy "$(signed ed25519)"
    caisson pull -q $R/t2/app:1
    policy '{"type": "sigstoreSigned", "keyPaths": ["'"$KEYS/other.pub"'", "'"$KEYS/ed25519.pub"'"]}'
    caisson pull -q $R/t2/app:1
    policy '{"type": "sigstoreSigned", "keyData": "'"$(base64 -w0 "$KEYS/ed25519.pub")"'"}'
    caisson pull -q $R/t2/app:1
    policy '{"type": "sigstoreSigned", "keyDatas": ["'"$(base64 -w0 "$KEYS/ecdsa.pub")"'", "'"$(base64 -w0 "$KEYS/ed25519.pub")"'"]}'
    caisson pull -q $R/t2/app:1
}

@test "what is not signed, or by another key, is refused before a layer is fetched" {
    digest=$(put t3/app:1 layers=1)
    policy "$(signed ecdsa)"
    fails 1 "$R/t3/app:1 has to be signed, says $PWD/policy.json (\"default\"), but it has no signature" \
        caisson pull -q $R/t3/app:1
    sign t3/app "$digest" other name=$R/t3/app:1
    fails 1 "but it has 1 signature, none by a key that the policy names" caisson pull -q $R/t3/app:1
    sign t3/app "$digest" ed25519 name=$R/t3/app:1
    fails 1 "but it has 2 signatures, none by" caisson pull -q $R/t3/app:1
    [ -z "$(caisson images -q)" ]
    [ -z "$(ls "$CAISSON_ROOT/partial" 2>/dev/null)" ]
    # Beside others, one is enough; and without the policy all of that is as it was.
    sign t3/app "$digest" ecdsa name=$R/t3/app:1
    caisson pull -q $R/t3/app:1
    put t3/plain:1 >/dev/null
    fails 1 "has no signature" caisson pull -q $R/t3/plain:1
    CONTAINERS_POLICY=$OPEN caisson pull -q $R/t3/plain:1
}

@test "all requirements have to hold; reject refuses" {
    digest=$(put t4/app:1)
    sign t4/app "$digest" ecdsa name=$R/t4/app:1
    policy "$(signed ecdsa), $(signed ed25519)"
    fails 1 "none by a key that the policy names" caisson pull -q $R/t4/app:1
    sign t4/app "$digest" ed25519 name=$R/t4/app:1
    caisson pull -q $R/t4/app:1
    policy "$(signed ecdsa), "'{"type": "reject"}'
    fails 1 "$R/t4/app:1 is refused by $PWD/policy.json" caisson pull -q $R/t4/app:1
}

@test "a signature of something else does not count, whoever made it" {
    digest=$(put t5/app:1)
    other=$(put t5/other:1 seed=other layers=1)
    policy "$(signed ecdsa)"
    sign t5/app "$digest" ecdsa name=$R/t5/app:1 digest="$other"
    fails 1 "but the signature is of another image, $other" caisson pull -q $R/t5/app:1

    digest=$(put t5/b:1)
    sign t5/b "$digest" ecdsa name=$R/t5/b:1 tamper
    fails 1 "none by a key" caisson pull -q $R/t5/b:1

    digest=$(put t5/c:1)
    sign t5/c "$digest" ecdsa name=$R/t5/c:1 type=another
    fails 1 "a signature's payload: its type is \"another\"" caisson pull -q $R/t5/c:1

    digest=$(put t5/d:1)
    sign t5/d "$digest" ecdsa payload='{"critical":{"identity":{"docker-reference":"'$R/t5/d:1'"},"image":{"docker-manifest-digest":"'"$digest"'"},"type":"cosign container image signature","more":1},"optional":null}'
    fails 1 "\"critical\" has other members than it should" caisson pull -q $R/t5/d:1

    digest=$(put t5/e:1)
    sign t5/e "$digest" ecdsa payload='{"critical":{"identity":{"docker-reference":"'$R/t5/e:1'"},"identity":{"docker-reference":"x"},"image":{"docker-manifest-digest":"'"$digest"'"},"type":"cosign container image signature"},"optional":null}'
    fails 1 "duplicate object key" caisson pull -q $R/t5/e:1
}

# identity TYPE [MEMBERS]: a policy with such a signedIdentity.
identity() {
    policy '{"type": "sigstoreSigned", "keyPath": "'"$KEYS/ecdsa.pub"'", "signedIdentity": {"type": "'"$1"'"'"${2:+, $2}"'}}'
}

@test "signedIdentity: which name has to be signed" {
    digest=$(put t6/app:1)
    in_net python3 "$SIGN" sign http://$R t6/app "$digest" "$KEYS/ecdsa.pem" name=$R/t6/app:1
    policy "$(signed ecdsa)"
    caisson pull -q $R/t6/app:1
    caisson pull -q "$R/t6/app@$digest"
    identity matchExact
    caisson pull -q $R/t6/app:1
    fails 1 "the signature is of $R/t6/app:1, and the policy says matchExact" caisson pull -q "$R/t6/app@$digest"
    identity matchRepository
    caisson pull -q $R/t6/app:1
    identity exactReference '"dockerReference": "'$R/t6/app:1'"'
    caisson pull -q $R/t6/app:1
    identity exactReference '"dockerReference": "'$R/t6/app:2'"'
    fails 1 "the policy says exactReference" caisson pull -q $R/t6/app:1
    identity exactRepository '"dockerRepository": "'$R/t6/app'"'
    caisson pull -q $R/t6/app:1
    identity exactRepository '"dockerRepository": "'$R/t6/other'"'
    fails 1 "the policy says exactRepository" caisson pull -q $R/t6/app:1
    # The same bytes under another tag and in another repository, with the same signature.
    put t6/app:2 >/dev/null
    policy "$(signed ecdsa)"
    fails 1 "the signature is of $R/t6/app:1, and the policy says matchRepoDigestOrExact" caisson pull -q $R/t6/app:2
    identity matchRepository
    caisson pull -q $R/t6/app:2
    digest=$(put t6/copy:1)
    sign t6/copy "$digest" ecdsa name=$R/t6/app:1
    fails 1 "the policy says matchRepository" caisson pull -q $R/t6/copy:1
    identity remapIdentity '"prefix": "'$R/t6/copy'", "signedPrefix": "'$R/t6/app'"'
    caisson pull -q $R/t6/copy:1
    identity remapIdentity '"prefix": "'$R/t6/cop'", "signedPrefix": "'$R/t6/app'"'
    fails 1 "the policy says remapIdentity" caisson pull -q $R/t6/copy:1
}

@test "cosign signs a repository, not a tag: that is matchRepository's" {
    digest=$(put t7/app:1)
    sign t7/app "$digest" ecdsa
    policy "$(signed ecdsa)"
    fails 1 "the signature is of $R/t7/app, and the policy says matchRepoDigestOrExact" caisson pull -q $R/t7/app:1
    identity matchExact
    fails 1 "matchExact" caisson pull -q $R/t7/app:1
    identity matchRepository
    caisson pull -q $R/t7/app:1
}

@test "scopes: the most specific one alone counts" {
    digest=$(put t8/team/app:1)
    sign t8/team/app "$digest" ecdsa name=$R/t8/team/app:1
    pulls() { scopes "$@"; caisson pull -q $R/t8/team/app:1; }
    refuses() { scopes "$@"; fails 1 "is refused by $PWD/policy.json ($told)" caisson pull -q $R/t8/team/app:1; }
    no='{"type": "reject"}'
    yes='{"type": "insecureAcceptAnything"}'
    told='"default"' refuses default "$no"
    pulls default "$no" "" "$yes"
    told='scope ""' refuses default "$yes" "" "$no"
    pulls default "$no" "" "$no" $R "$yes"
    told="scope \"$R\"" refuses "" "$yes" $R "$no"
    pulls "" "$no" $R "$no" $R/t8 "$yes"
    pulls $R/t8 "$no" $R/t8/team "$yes"
    pulls $R/t8/team "$no" $R/t8/team/app "$yes"
    told="scope \"$R/t8/team/app\"" refuses $R/t8/team "$yes" $R/t8/team/app "$no"
    pulls $R/t8/team/app "$no" $R/t8/team/app:1 "$yes"
    pulls $R/t8/team/app:2 "$no" $R/t8/tea "$no" $R/t8/team/app/x "$no"
    pulls "*.0.0.1:5000" "$yes" default "$no"
    pulls "*.0.1:5000" "$no" "*.0.0.1:5000" "$yes"
    pulls $R "$yes" "*.0.0.1:5000" "$no"
    told='scope "*.0.1:5000"' refuses "*.0.1:5000" "$no" "" "$yes"
    scopes "$R/t8/team/app@$digest" "$no"
    fails 1 "is refused" caisson pull -q "$R/t8/team/app@$digest"
    pulls "$R/t8/team/app@$digest" "$no"
}

@test "policy.json: a mistake refuses all, with file and key" {
    put t9/app:1 >/dev/null
    refuses() {
        echo "$2" >policy.json
        CONTAINERS_POLICY=$PWD/policy.json fails 1 "$PWD/policy.json: $1" caisson pull -q $R/t9/app:1
    }
    accept='[{"type": "insecureAcceptAnything"}]'
    refuses '"default": a list of requirements is needed' '{}'
    refuses '"default": a list of requirements is needed' '{"default": []}'
    refuses 'unknown key "defaults"' '{"default": '"$accept"', "defaults": []}'
    refuses '"default": requirement 1: unknown type "acceptAnything"' '{"default": [{"type": "acceptAnything"}]}'
    refuses '"default": requirement 1: unknown key "keyPath"' '{"default": [{"type": "reject", "keyPath": "/x"}]}'
    refuses '"default": requirement 1: "type" is missing' '{"default": [{}]}'
    refuses '"default": requirement 1: "keyPath" and "keyData" contradict each other' \
        '{"default": [{"type": "sigstoreSigned", "keyPath": "/x", "keyData": "eA=="}]}'
    refuses '"default": requirement 1: one of "keyPath", "keyPaths"' '{"default": [{"type": "sigstoreSigned"}]}'
    refuses '"default": requirement 1: "keyData": it is no base 64' \
        '{"default": [{"type": "sigstoreSigned", "keyData": "?"}]}'
    refuses '"default": requirement 1: "keyPath": "x.pub" is no absolute path' \
        '{"default": [{"type": "sigstoreSigned", "keyPath": "x.pub"}]}'
    refuses '"default": requirement 1: "keyPaths" names no key' '{"default": [{"type": "sigstoreSigned", "keyPaths": []}]}'
    refuses '"default": requirement 1: "signedIdentity": unknown type "x"' \
        '{"default": [{"type": "sigstoreSigned", "keyPath": "/x", "signedIdentity": {"type": "x"}}]}'
    refuses '"default": requirement 1: "signedIdentity": unknown key "prefix"' \
        '{"default": [{"type": "sigstoreSigned", "keyPath": "/x", "signedIdentity": {"type": "matchExact", "prefix": "x"}}]}'
    refuses '"transports", "docker", scope "x.example": requirement 1: unknown type' \
        '{"default": '"$accept"', "transports": {"docker": {"x.example": [{"type": "x"}]}}}'
    # In scopes that nobody asks for, too.
    refuses '"transports", "oci", scope "": requirement 1: unknown key "x"' \
        '{"default": '"$accept"', "transports": {"oci": {"": [{"type": "reject", "x": 1}]}}}'
    echo '{"default": '"$accept"', "default": '"$accept"'}' >policy.json
    CONTAINERS_POLICY=$PWD/policy.json fails 1 "duplicate object key" caisson pull -q $R/t9/app:1
    CONTAINERS_POLICY=$PWD/none fails 1 "cannot read the policy $PWD/none" caisson pull -q $R/t9/app:1
    fails 1 "cannot read the policy none" caisson pull -q --signature-policy none $R/t9/app:1
    [ -z "$(caisson images -q)" ]
}

@test "policy.json: what is known and not done here refuses the images that it is about, and no others" {
    put t10/app:1 >/dev/null
    gpg='{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/x"}'
    scopes $R/t10/gpg "$gpg" $R/t10/log '{"type": "sigstoreSigned", "keyPath": "'"$KEYS/ecdsa.pub"'", "rekorPublicKeyPath": "/x"}' \
        $R/t10/fulcio '{"type": "sigstoreSigned", "fulcio": {"caPath": "/x"}, "rekorPublicKeyPath": "/x"}' \
        $R/t10/gone "$(signed none)"
    caisson pull -q $R/t10/app:1
    for name in gpg log fulcio gone; do put t10/$name:1 >/dev/null; done
    fails 1 'asks for signatures by GPG ("signedBy"), which are not verified here; sigstoreSigned with keys is' \
        caisson pull -q $R/t10/gpg:1
    fails 1 'asks for entries of the log Rekor' caisson pull -q $R/t10/log:1
    fails 1 'asks for certificates of Fulcio' caisson pull -q $R/t10/fulcio:1
    fails 1 "but cannot read the key $KEYS/none.pub: No such file" caisson pull -q $R/t10/gone:1
    scopes $R/t10/gone "$(signed rsa)"
    fails 1 "the key $KEYS/rsa.pub: it is no key that is known here: ECDSA on P-256 and Ed25519 are" \
        caisson pull -q $R/t10/gone:1
    scopes $R/t10/gone "$(signed p384)"
    fails 1 "it is no key that is known here" caisson pull -q $R/t10/gone:1
}

@test "where a policy is: --signature-policy, CONTAINERS_POLICY, the person's" {
    put t11/app:1 >/dev/null
    mkdir -p "$HOME/.config/containers"
    echo '{"default": [{"type": "reject"}]}' >no.json
    CONTAINERS_POLICY=$PWD/no.json fails 1 "is refused by $PWD/no.json" caisson pull -q $R/t11/app:1
    CONTAINERS_POLICY=$PWD/no.json caisson pull -q --signature-policy "$OPEN" $R/t11/app:1
    unset CONTAINERS_POLICY CAISSON_HINTS
    cp no.json "$HOME/.config/containers/policy.json"
    fails 1 "is refused by $HOME/.config/containers/policy.json" caisson pull -q $R/t11/app:1
    rm "$HOME/.config/containers/policy.json"
}

@test "where there is no policy, that is said once for each store" {
    put t12/app:1 >/dev/null
    unset CONTAINERS_POLICY CAISSON_HINTS
    # This machine may have one: not in there.
    bare() {
        in_net unshare -m sh -c '[ ! -e /etc/containers ] || mount -t tmpfs none /etc/containers; exec "$@"' - \
            "${PERSON[@]}" "$CAISSON_BUILD/caisson" "$@"
    }
    run -0 --separate-stderr bare pull -q $R/t12/app:1
    [ -z "$stderr" ]
    run -0 --separate-stderr bare pull $R/t12/app:1
    [[ $stderr == *"there is no policy.json, so images are accepted whoever signed them"* ]]
    run -0 --separate-stderr bare pull $R/t12/app:1
    [[ $stderr != *policy.json* ]]
}

@test "what was signed once is not taken without, whatever the policy accepts" {
    digest=$(put t13/app:1)
    sign t13/app "$digest" ecdsa name=$R/t13/app:1
    policy "$(signed ecdsa)"
    caisson pull -q $R/t13/app:1
    export CONTAINERS_POLICY=$OPEN
    run -0 caisson pull $R/t13/app:1
    [[ $output == *"Signed by: $KEYS/ecdsa.pub"* ]]
    # Another image takes the name.
    next=$(put t13/app:1 seed=next layers=1)
    fails 1 "$R/t13/app:1 was signed by $KEYS/ecdsa.pub (SHA256:" caisson pull -q $R/t13/app:1
    fails 1 "when it was pulled on $(date -u +%Y-%m-%d), and is not now: it has no signature. If that is meant, pull it with --accept-unsigned" \
        caisson pull -q $R/t13/app:1
    # Even when what it meant is gone from here.
    caisson rmi $R/t13/app:1
    fails 125 "was signed by" caisson run --rm $R/t13/app:1 true
    # By another key, it is not signed.
    sign t13/app "$next" other name=$R/t13/app:1
    fails 1 "was signed by" caisson pull -q $R/t13/app:1
    # By the same one, it is.
    sign t13/app "$next" ecdsa name=$R/t13/app:1
    caisson pull -q $R/t13/app:1
    put t13/app:1 seed=third layers=1 >/dev/null
    fails 1 "was signed by" caisson pull -q $R/t13/app:1
    caisson pull -q --accept-unsigned $R/t13/app:1
    caisson pull -q $R/t13/app:1
    # Other names are others.
    put t13/app:2 >/dev/null
    caisson pull -q $R/t13/app:2
}

@test "a record of who signed that was damaged is no way around it either" {
    digest=$(put t19/app:1)
    sign t19/app "$digest" ecdsa name=$R/t19/app:1
    CONTAINERS_POLICY=$(policy "$(signed ecdsa)" && echo "$PWD/policy.json") caisson pull -q $R/t19/app:1
    put t19/app:1 seed=other layers=1 >/dev/null
    CONTAINERS_POLICY=$OPEN
    record=$CAISSON_ROOT/pulled/$(ls "$CAISSON_ROOT/pulled" | grep t19)
    cp "$record" kept
    for damage in ': >' 'head -c 90 kept >' 'sed "s/^signer/sinner/" kept >' 'tr "\n" " " <kept >'; do
        eval "$damage \"\$record\""
        fails 1 "which says who had signed $R/t19/app:1, is damaged: if nobody had, remove it" caisson pull -q $R/t19/app:1
    done
    cp kept "$record"
    fails 1 "was signed by" caisson pull -q $R/t19/app:1
    rm "$record"
    caisson pull -q $R/t19/app:1
}

@test "--accept-unsigned is no way around the policy" {
    put t14/app:1 >/dev/null
    policy "$(signed ecdsa)"
    fails 1 "has no signature" caisson pull -q --accept-unsigned $R/t14/app:1
}

@test "the signature may be of an index, or of the image in it that is taken" {
    policy "$(signed ecdsa)"
    digest=$(put t15/app:1 platforms=linux/s390x,linux/arm64)
    sign t15/app "$digest" ecdsa name=$R/t15/app:1
    run -0 caisson pull --platform linux/s390x $R/t15/app:1
    [[ $output == *"Signed by: $KEYS/ecdsa.pub (SHA256:"* ]]
    [[ $output != *"the image in it"* ]]
    put t15/app:2 platforms=linux/s390x,linux/arm64 seed=two layers=1 >index
    of() { in_net curl -s -H 'Accept: application/vnd.oci.image.index.v1+json' "http://$R/v2/t15/app/manifests/2" |
        python3 -c 'import json, sys
for entry in json.load(sys.stdin)["manifests"]:
    if entry["platform"]["architecture"] == sys.argv[1]: print(entry["digest"])' "$1"; }
    sign t15/app "$(of s390x)" ecdsa name=$R/t15/app:2
    run -0 caisson pull --platform linux/s390x $R/t15/app:2
    [[ $output == *"Signed by: $KEYS/ecdsa.pub (SHA256:"*"), the image in it $(of s390x)"* ]]
    fails 1 "has no signature" caisson pull -q --platform linux/arm64 $R/t15/app:2
}

@test "--all-tags: signatures are no images" {
    digest=$(put t16/app:1)
    sign t16/app "$digest" ecdsa name=$R/t16/app:1
    sign t16/app "$digest" ecdsa bundle
    policy "$(signed ecdsa)"
    [ "$(caisson pull -q --all-tags $R/t16/app)" = $R/t16/app:1 ]
}

# --- bundles ---

@test "bundle: under the tag that stands in for referrers" {
    digest=$(put t20/app:1)
    policy "$(signed ecdsa)"
    sign t20/app "$digest" other bundle
    fails 1 "it has 1 signature, none by" caisson pull -q $R/t20/app:1
    sign t20/app "$digest" ecdsa bundle
    run -0 caisson pull $R/t20/app:1
    [[ $output == *"Signed by: $KEYS/ecdsa.pub"* ]]
    digest=$(put t20/b:1)
    sign t20/b "$digest" ed25519 bundle message
    policy "$(signed ed25519)"
    caisson pull -q $R/t20/b:1
}

@test "bundle: of a registry that knows what refers to an image" {
    digest=$(put t21/app:1)
    sign t21/app "$digest" ecdsa bundle save="$PWD/index"
    policy "$(signed ecdsa)"
    fails 1 "has no signature" caisson pull -q 127.0.0.1:5002/t21/app:1
    rule GET "/v2/t21/app/referrers/$digest" 0 file application/vnd.oci.image.index.v1+json "$PWD/index"
    caisson pull -q 127.0.0.1:5002/t21/app:1
    [ "$(asked GET "/v2/t21/app/referrers/$digest\?artifactType=application%2Fvnd.dev.sigstore.bundle.v0.3%2Bjson")" = 2 ]
}

@test "bundle: on the second page of what refers to an image" {
    digest=$(put t27/app:1)
    sign t27/app "$digest" other bundle save="$PWD/one"
    sign t27/app "$digest" ecdsa bundle save="$PWD/two"
    policy "$(signed ecdsa)"
    rule GET "/v2/t27/app/referrers/$digest.artifact" 0 file application/vnd.oci.image.index.v1+json "$PWD/one"
    fails 1 "it has 1 signature, none by" caisson pull -q 127.0.0.1:5002/t27/app:1
    : >"$BATS_FILE_TMPDIR/rules"
    rule GET "/v2/t27/app/referrers/$digest.artifact" 0 file application/vnd.oci.image.index.v1+json "$PWD/one" \
        "Link=</v2/t27/app/referrers/$digest?last=1>;rel=\"next\""
    rule GET "/v2/t27/app/referrers/$digest.last=1" 0 file application/vnd.oci.image.index.v1+json "$PWD/two"
    caisson pull -q 127.0.0.1:5002/t27/app:1
    # A list without end has one.
    : >"$BATS_FILE_TMPDIR/rules"
    rule GET "/v2/t27/app/referrers/" 0 file application/vnd.oci.image.index.v1+json "$PWD/one" \
        "Link=</v2/t27/app/referrers/$digest?last=1>;rel=\"next\""
    fails 1 "signatures, none by" caisson pull -q 127.0.0.1:5002/t27/app:1
}

@test "bundle: what is not a good signature of this image" {
    policy "$(signed ecdsa)"
    refuses() {
        local text=$1 name=$2 digest
        shift 2
        digest=$(put "t22/$name:1")
        sign "t22/$name" "$digest" ecdsa bundle "$@"
        fails 1 "$text" caisson pull -q "$R/t22/$name:1"
    }
    other=$(put t22/other:1 seed=other layers=1)
    refuses "the signature is of another image, $other" a digest="$other"
    refuses "none by a key" b tamper
    refuses "it was signed with a certificate, and only signatures with keys are verified here" c certificate
    refuses 'it is no signature, but about "https://slsa.dev/provenance/v1"' d predicate=https://slsa.dev/provenance/v1
    refuses "the signature is of $R/t22/x:1, and the policy says matchRepoDigestOrExact" e name=$R/t22/x:1
    refuses "\"subject\" names nothing" f statement='{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}'
    refuses 'its type is "x"' g statement='{"_type":"x","subject":[],"predicateType":"https://sigstore.dev/cosign/sign/v1"}'
}

@test "bundle: where the policy says which name is signed, it has to have one" {
    digest=$(put t23/app:1)
    sign t23/app "$digest" ecdsa bundle
    identity matchRepository
    fails 1 "the signature is of nothing that has a name, and the policy says matchRepository" caisson pull -q $R/t23/app:1
    sign t23/app "$digest" ecdsa bundle name=$R/t23/app:1
    caisson pull -q $R/t23/app:1
}

@test "a registry that does not say which signatures there are has none of its images pulled" {
    put t24/app:1 >/dev/null
    policy "$(signed ecdsa)"
    rule GET '/v2/t24/app/manifests/sha256-' 0 status 500
    fails 1 "127.0.0.1:5002/t24/app:1 is not pulled, for its signatures cannot be had: 127.0.0.1:5002 answers 500" \
        caisson pull -q 127.0.0.1:5002/t24/app:1
}

@test "a mirror need not have the signatures: the registry has them" {
    digest=$(put t25/mirror/app:1)
    put t25/own/app:1 >/dev/null
    sign t25/own/app "$digest" ecdsa name=own.example/app:1
    cat >conf <<END
[[registry]]
prefix = "own.example"
location = "$R/t25/own"
insecure = true
[[registry.mirror]]
location = "127.0.0.1:5002/t25/mirror"
insecure = true
END
    policy "$(signed ecdsa)"
    CONTAINERS_REGISTRIES_CONF=$PWD/conf caisson pull -q own.example/app:1
    [ "$(asked GET /v2/t25/mirror/app/manifests/1)" = 1 ]
}

@test "thousands of signatures do not keep a pull" {
    digest=$(put t26/app:1)
    in_net python3 - "$digest" >/dev/null <<'END'
import hashlib, http.client, json, sys
def call(method, path, body=b"", kind=""):
    c = http.client.HTTPConnection("127.0.0.1:5000"); c.request(method, path, body, {"Content-Type": kind})
    r = c.getresponse(); data = r.read(); assert r.status < 300, data
    return r
def blob(data):
    at = call("POST", "/v2/t26/app/blobs/uploads/").headers["Location"]
    d = "sha256:" + hashlib.sha256(data).hexdigest()
    call("PUT", at.replace("http://127.0.0.1:5000", "") + "&digest=" + d, data, "application/octet-stream")
    return {"digest": d, "size": len(data)}
layer = {"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", **blob(b"{}"),
         "annotations": {"dev.cosignproject.cosign/signature": "AAAA"}}
call("PUT", "/v2/t26/app/manifests/" + sys.argv[1].replace(":", "-") + ".sig", json.dumps({
    "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **blob(b"{ }")},
    "layers": [layer] * 400}).encode(), "application/vnd.oci.image.manifest.v1+json")
END
    policy "$(signed ecdsa)"
    fails 1 "it has 64 signatures, none by" caisson pull -q 127.0.0.1:5002/t26/app:1
    [ "$(asked GET /v2/t26/app/blobs/)" -le 70 ]
}

@test "a policy of somebody else's home is not root's; one that leads nowhere is a mistake" {
    by_root || skip "it is about root"
    put t30/app:1 >/dev/null
    mkdir -p theirs/.config/containers
    echo '{"default": [{"type": "reject"}]}' >theirs/.config/containers/policy.json
    unset CONTAINERS_POLICY
    HOME=$PWD/theirs fails 1 "" caisson pull -q $R/t30/app:1
    chown -R 65534 theirs
    HOME=$PWD/theirs caisson pull -q $R/t30/app:1
    mkdir -p own/.config/containers
    ln -s nowhere own/.config/containers/policy.json
    HOME=$PWD/own fails 1 "cannot read the policy" caisson pull -q $R/t30/app:1
}

@test "a scope holds for a host however it is spelt" {
    put t31/app:1 >/dev/null
    scopes localhost:5003 '{"type": "reject"}'
    fails 1 "is refused by" caisson pull -q --creds ada:secret localhost:5003/t31/app:1
    fails 1 "is refused by" caisson pull -q --creds ada:secret LOCALHOST:5003/t31/app:1
    scopes LocalHost:5003 '{"type": "reject"}'
    fails 1 "is refused by" caisson pull -q --creds ada:secret localhost:5003/t31/app:1
    scopes localhost '{"type": "reject"}], "LOCALHOST:443": [{"type": "insecureAcceptAnything"}'
    fails 1 "the scope is there twice" caisson pull -q $R/t31/app:1
    fails 1 "no registry host" caisson pull -q localhost:05003/t31/app:1
}
