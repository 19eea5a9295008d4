#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What the option tables produce: help, manual pages, completions, and errors of usage.
load ../lib/common

setup_file() { common_setup_file; }
teardown_file() { common_teardown_file; }

# The names of all verbs, one a line, from the manual pages that were made for them.
verbs() {
    local page
    for page in "$CAISSON_BUILD"/man1/caisson-*.1; do
        sed -n 's/^\\fBcaisson \([a-z\\ -]*\)\\fR.*/\1/p' "$page" | head -n 1 | tr -d '\\'
    done
}

@test "there are verbs" {
    [ "$(verbs | wc -l)" -ge 1 ]
    verbs | grep -qx version
}

@test "caisson alone, --help and help show the same overview and succeed" {
    [ "$(caisson)" = "$(caisson --help)" ]
    [ "$(caisson)" = "$(caisson help)" ]
    caisson | grep -q '^  version '
}

@test "every verb has --help with a usage line and examples" {
    while read -r verb; do
        # shellcheck disable=SC2086 # a verb can be two words
        help=$(caisson $verb --help) || { echo "$verb: status $?"; return 1; }
        [[ $help == "Usage: caisson $verb"* ]] || { echo "$verb: $help"; return 1; }
        [[ $help == *"Examples:"*"caisson"* ]] || { echo "$verb: no examples"; return 1; }
        # shellcheck disable=SC2086
        [ "$help" = "$(caisson help $verb)" ]
    done < <(verbs)
}

@test "help has no escape sequences in a pipe" {
    ! caisson --help | grep -q $'\033' || false
}

@test "help has colours on a terminal, and none with NO_COLOR or TERM=dumb" {
    skip_without script
    coloured=$(TERM=xterm script -qec "caisson --help" /dev/null)
    [[ $coloured == *$'\033['* ]]
    plain=$(NO_COLOR=1 TERM=xterm script -qec "caisson --help" /dev/null)
    [[ $plain != *$'\033['* ]]
    plain=$(TERM=dumb script -qec "caisson --help" /dev/null)
    [[ $plain != *$'\033['* ]]
}

@test "every manual page renders without a warning" {
    skip_without groff
    for page in "$CAISSON_BUILD"/man1/*.1; do
        warnings=$(cd "$CAISSON_BUILD" && groff -s -man -ww -b -Tutf8 "$page" 2>&1 >/dev/null)
        [ -z "$warnings" ] || { echo "$page: $warnings"; return 1; }
    done
}

@test "every manual page has a name line that whatis can read" {
    for page in "$CAISSON_BUILD"/man1/*.1; do
        if grep -q '^\.so ' "$page"; then
            [ -e "$CAISSON_BUILD/$(sed 's/^\.so //' "$page")" ]
            continue
        fi
        grep -A1 '^.SH NAME' "$page" | grep -q '^caisson[a-z\\-]* \\- [A-Za-z]' ||
            { echo "$page"; return 1; }
    done
}

@test "the bash completion loads and offers verbs and flags" {
    offered=$(bash -c '
        set -u
        source "$1/completions/caisson"
        COMP_WORDS=(caisson ver); COMP_CWORD=1
        _caisson caisson ver caisson; echo "${COMPREPLY[@]}"
        COMP_WORDS=(caisson version --for); COMP_CWORD=2
        _caisson caisson --for version; echo "${COMPREPLY[@]}"
        COMP_WORDS=(caisson --root /x run --level b); COMP_CWORD=5
        _caisson caisson b --level; echo "${COMPREPLY[@]}"' - "$CAISSON_BUILD")
    [ "$offered" = $'version\n--format\nbaseline' ] || { echo "$offered"; return 1; }
}

# What the shells ask is answered by a caisson of the test's own.
networks_to_offer() {
    mkdir -p "$BATS_TEST_TMPDIR/bin"
    printf '%s\n' '#!/bin/sh' 'case "$*" in network*) echo front; echo back ;; ps*) echo web ;; esac' \
        >"$BATS_TEST_TMPDIR/bin/caisson"
    chmod +x "$BATS_TEST_TMPDIR/bin/caisson"
    export PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

@test "networks are offered after --network and the verbs of networks, any and none after --egress: bash" {
    networks_to_offer
    # shellcheck disable=SC2016 # of the inner shell
    offered=$(bash -c '
        source "$1/completions/caisson"
        offer() { COMP_WORDS=(caisson "${@:3}" "$2"); COMP_CWORD=$(($# - 1)); _caisson caisson "$2" "$1"; echo "${COMPREPLY[@]}"; }
        offer --network "" run --network
        offer --network f create --network
        offer --network container: run --network
        offer --egress "" run --egress
        offer --egress n network create --egress
        offer rm "" network rm
        offer --network d build --network' - "$CAISSON_BUILD" 2>/dev/null)
    [ "$offered" = "bridge none host container: front back
front
container: container:web
any none
none
front back
default" ] || { echo "$offered"; return 1; }
}

@test "networks are offered after --network, any and none after --egress: zsh" {
    skip_without zsh
    networks_to_offer
    # shellcheck disable=SC2016 # of the inner shell
    offered=$(zsh -fc '
        compadd() { while [[ $1 != -- ]]; do shift; done; shift; print -- $*; }
        _arguments() { :; }
        words=(caisson) CURRENT=1
        source "$1/site-functions/_caisson"
        _caisson_networks none container:
        PREFIX=container:w _caisson_networks' - "$CAISSON_BUILD")
    [ "$offered" = "container:
none front back

front back container:web" ] || { echo "$offered"; return 1; }
    grep -qF ':NETWORK: _caisson_networks bridge none host container\:' "$CAISSON_BUILD/site-functions/_caisson"
    grep -qF '(any none)' "$CAISSON_BUILD/site-functions/_caisson"
    # a space before a function of ours: it takes no options for compadd
    run ! grep -E ":_caisson_(containers|images|volumes|networks)" "$CAISSON_BUILD/site-functions/_caisson"
}

@test "networks are offered after --network, any and none after --egress: fish" {
    skip_without fish
    networks_to_offer
    offer() { fish --no-config -c "source '$CAISSON_BUILD/vendor_completions.d/caisson.fish'; complete -C '$1'" | cut -f 1 | sort | xargs; }
    [ "$(offer 'caisson run --network ')" = "back bridge container: front host none" ]
    [ "$(offer 'caisson run --network container:')" = "container: container:web" ]
    [ "$(offer 'caisson run --egress ')" = "any none" ]
    [ "$(offer 'caisson network rm ')" = "back front" ]
}

@test "the zsh completion is valid" {
    skip_without zsh
    zsh -n "$CAISSON_BUILD/site-functions/_caisson"
}

@test "the fish completion is valid" {
    skip_without fish
    fish -n "$CAISSON_BUILD/vendor_completions.d/caisson.fish"
}

@test "an unknown verb names the nearest, with status 1" {
    fails 1 'there is no command "verison"; did you mean caisson version?' caisson verison
    fails 1 'there is no command "zzzzzzzz" (see caisson --help)' caisson zzzzzzzz
}

@test "an unknown flag names the nearest and the help" {
    fails 1 'unknown flag --fromat for caisson version; did you mean --format? (see caisson version --help)' \
        caisson version --fromat json
    fails 1 'unknown flag --rot for caisson; did you mean --root?' caisson --rot /x version
}

@test "version is one line with --version and JSON with --format json" {
    [[ $(caisson --version) == "caisson version "* ]]
    [ "$(caisson --version | wc -l)" = 1 ]
    caisson version --format json | python3 -c 'import json,sys; assert json.load(sys.stdin)["Client"]["Version"]'
    [[ "caisson version $(caisson version -f '{{.Client.Version}}')" == "$(caisson --version | cut -d, -f1)" ]]
    fails 1 "--format takes text, json or a template" caisson version -f yaml
}

@test "a full disk under standard output is an error" {
    [ -e /dev/full ] || skip "needs /dev/full"
    rc=0
    caisson version >/dev/full 2>/dev/null || rc=$?
    [ "$rc" = 1 ]
}

@test "closed standard descriptors do no harm" {
    caisson version <&- >&- 2>&- || [ $? = 1 ]
}

@test "a worker that is not there is named, and PATH is not asked for it" {
    dir=$BATS_TEST_TMPDIR/alone
    mkdir -p "$dir" "$BATS_TEST_TMPDIR/path"
    cp "$CAISSON_BUILD/caisson" "$dir/caisson"
    caisson images --help >/dev/null 2>&1 || skip "no verb of a worker in this build"
    printf '#!/bin/sh\necho fooled\n' >"$BATS_TEST_TMPDIR/path/caisson-image"
    chmod +x "$BATS_TEST_TMPDIR/path/caisson-image"
    PATH="$BATS_TEST_TMPDIR/path:$PATH" fails 1 "caisson-image is neither in $dir" "$dir/caisson" images
}

@test "a user without subordinate ids is told who can give them, and still gets help" {
    [ "$(id -u)" = 0 ] || skip "needs root, to become somebody else"
    skip_without setpriv
    program=$(command -v caisson)
    place=$(mktemp -d /dev/shm/caisson-help.XXXXXX)
    chown 65534 "$place"
    nobody="setpriv --reuid 65534 --regid 65534 --clear-groups env CAISSON_STATE=$place/state"
    $nobody "$program" --version >/dev/null || { rm -r "$place"; skip "nobody cannot reach the programs"; }
    for words in "run --rm busybox true" "ps" "load"; do
        # shellcheck disable=SC2086 # words
        run $nobody "$program" $words
        [ "$status" != 0 ]
        [[ $output == *"no subordinate ids are given to user"*"usermod --add-subuids"* ]] || { echo "$output"; return 1; }
    done
    # shellcheck disable=SC2086 # words
    run $nobody "$program" run --help
    rm -r "$place"
    [[ $status = 0 && $output == "Usage: caisson run"* ]]
}
