# SPDX-License-Identifier: Apache-2.0
# Builds of the tests. Each test is in a directory of its own, the context; the Dockerfile lies
# beside it, so that COPY . takes what the test put there and nothing else.
#
#   load ../lib/common
#   load ../lib/build
#   setup() { build_begin; }

build_begin() {
    FILE=$BATS_TEST_TMPDIR/Dockerfile
    SAID=$BATS_TEST_TMPDIR/said
    mkdir "$BATS_TEST_TMPDIR/context"
    cd "$BATS_TEST_TMPDIR/context" || return
}

# dockerfile: the Dockerfile is what comes on standard input.
dockerfile() { cat >"$FILE"; }

# build [OPTION...]: what is said is in the file $SAID, and shown when it goes wrong.
build() {
    local rc=0
    caisson build --progress plain -f "$FILE" "$@" . >"$BATS_TEST_TMPDIR/out" 2>"$SAID" || rc=$?
    [ "$rc" = 0 ] || cat "$SAID"
    return "$rc"
}

# wrong TEXT [OPTION...]: the build fails, with a sentence that has TEXT, and leaves nothing.
wrong() {
    local text=$1
    shift
    fails 1 "$text" caisson build --progress plain -f "$FILE" "$@" . && nothing_staged
}

# Nothing is left of builds that are over.
nothing_staged() {
    local left
    left=$(ls -A "$CAISSON_ROOT/tmp")
    [ -z "$left" ] || { echo "left in tmp: $left" && false; }
}

# image_builds NAME [OPTION...]: NAME is the image.
image_builds() { build -t "$@"; }

# listed TAR [PATTERN]: "MODE OWNER NAME[ -> LINK]" of each entry.
listed() {
    tar --numeric-owner -tvf "$1" |
        sed -E 's/^(\S+) +(\S+) +(\S+) +\S+ \S+ /\1 \2 /' | grep -E -- "${2:-.}" || true
}

# same GOT EXPECTED: the texts are the same; else the difference is shown.
same() {
    [ "$1" = "$2" ] || { diff <(echo "$2") <(echo "$1") && false; }
}

# tree EXPECTED [OPTION...]: what the Dockerfile gives, as a tar, lists as that.
tree() {
    local expected=$1
    shift
    build -o "type=tar,dest=$BATS_TEST_TMPDIR/tree.tar" "$@" || return
    same "$(listed "$BATS_TEST_TMPDIR/tree.tar")" "$expected"
}

# holds NAME TEXT: the file NAME of the tree that was last compared holds TEXT.
holds() { same "$(tar -xOf "$BATS_TEST_TMPDIR/tree.tar" "$1")" "$2"; }

# files DIRECTORY: the Dockerfile's result as files.
files() {
    local into=$1
    shift
    build -o "$into" "$@"
}

# config FIELD [IMAGE]: of the configuration, as JSON.
config() { caisson image inspect -f "{{json .Config.$1}}" "${2:-t}"; }

# said TEXT: the last build said so; unsaid TEXT: it did not.
said() { grep -qF -- "$1" "$SAID" || { cat "$SAID" && false; }; }
unsaid() {
    ! grep -F -- "$1" "$SAID" || false
}

# cached N: that many steps of the last build were cached; carried N: and that many were not.
cached() { [ "$(grep -cE '^#[0-9]+ CACHED$' "$SAID")" = "$1" ] || { cat "$SAID" && false; }; }
carried() { [ "$(grep -cE '^#[0-9]+ DONE ' "$SAID")" = "$1" ] || { cat "$SAID" && false; }; }
