#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# build: secrets that were about to go into an image.
load ../lib/common
load ../lib/build

setup_file() {
    common_setup_file
    image
}
setup() {
    build_begin
    # Made here, so that nothing of this file looks like a secret. It is no key of anybody.
    {
        echo "-----BEGIN RSA PRIVATE ""KEY-----"
        head -c 600 /dev/urandom | base64 -w 64
        echo "-----END RSA PRIVATE ""KEY-----"
    } >key.pem
    TOKEN=ghp_$(head -c 200 /dev/urandom | base64 -w 0 | tr -dc 'A-Za-z0-9' | head -c 36)
}
teardown_file() { common_teardown_file; }

@test "a private key in a layer stops the build, and tells where and the way out" {
    dockerfile <<'E'
FROM busybox
COPY key.pem /etc/key.pem
E
    wrong "/etc/key.pem" -t never
    wrong "--allow-secret" -t never
    wrong "Dockerfile:2" -t never
    [ -z "$(caisson images -q never)" ]
    # Nothing of it is shown.
    rc=0
    caisson build -f "$FILE" . >../all 2>&1 || rc=$?
    [ "$rc" = 1 ]
    ! grep -qF "$(sed -n 2p key.pem)" ../all || false
}

@test "it does not help to delete it in a later step, nor to write it in RUN" {
    dockerfile <<'E'
FROM busybox
COPY key.pem /etc/key.pem
RUN rm /etc/key.pem
E
    wrong "/etc/key.pem" --network none
    dockerfile <<'E'
FROM busybox
RUN --mount=target=/ctx cp /ctx/key.pem /home.pem
E
    wrong "/home.pem" --network none
    # In one step there is nothing to be found.
    dockerfile <<'E'
FROM busybox
RUN --mount=target=/ctx cp /ctx/key.pem /home.pem && rm /home.pem
E
    build --network none
}

@test "in a stage whose layers go nowhere it is a warning, and what is copied from there counts" {
    dockerfile <<'E'
FROM busybox AS builder
COPY key.pem /etc/key.pem
RUN echo built >/built
FROM scratch
COPY --from=builder /built /built
E
    build --network none -t fine
    said "WARNING"
    said "key.pem"
    echo 'COPY --from=builder /etc/key.pem /mine.pem' >>"$FILE"
    wrong "/mine.pem" --network none
    # The builder as what is built.
    wrong "/etc/key.pem" --network none --target builder
}

@test "tokens in ENV, ARG, LABEL and RUN stop the build" {
    for line in "ENV A=$TOKEN" "LABEL a=$TOKEN" "ARG A=$TOKEN" "RUN echo $TOKEN"; do
        printf 'FROM busybox\n%s\n' "$line" | dockerfile
        wrong "${line%% *}" --network none -t never
        rc=0
        caisson build -q --network none -f "$FILE" . >../all 2>&1 || rc=$?
        ! grep -v '^ *[0-9]* |' ../all | grep -v '^#' | grep -qF "$TOKEN" || false
    done
    printf 'FROM busybox\nARG A\nRUN true\n' | dockerfile
    wrong ARG --network none --build-arg "A=$TOKEN" -t never
    [ -z "$(caisson images -q never)" ]
    build --network none --build-arg A=harmless
    build --network none --build-arg "A=$TOKEN" --allow-secret github-token ||
        build --network none --build-arg "A=$TOKEN" --allow-secret "$(sed -nE 's/^ +([a-z-]+): .*/\1/p' "$SAID" | head -1)"
}

@test "--allow-secret lets in by rule and by path, and nothing else" {
    dockerfile <<'E'
FROM busybox
COPY key.pem /etc/one.pem
COPY key.pem /etc/two.pem
E
    wrong "/etc/two.pem" --allow-secret /etc/one.pem
    build --allow-secret /etc/one.pem --allow-secret /etc/two.pem
    build --allow-secret private-key
    wrong "/etc/one.pem" --allow-secret aws-access-key
}

@test "what was let in once is not in the cache for who does not let it in" {
    dockerfile <<'E'
FROM busybox
COPY key.pem /etc/key.pem
E
    build --allow-secret /etc/key.pem -t allowed
    build --allow-secret /etc/key.pem -t allowed
    cached 1
    wrong "/etc/key.pem" -t slipped
    [ -z "$(caisson images -q slipped)" ]
    # Nor by way of a stage of which nothing goes into an image.
    echo more >>key.pem
    dockerfile <<'E'
FROM busybox AS builder
COPY key.pem /etc/key.pem
FROM scratch
COPY --from=builder /etc/group /group
E
    build
    dockerfile <<'E'
FROM busybox
COPY key.pem /etc/key.pem
E
    wrong "/etc/key.pem" -t slipped
}
