#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what a target of the Makefile lacks, from the distribution's packages (Debian, Ubuntu).
# usage: tools/deps.sh build|test|engines|demo|vm|ci...
# Says nothing and takes milliseconds when everything is there.
set -euo pipefail

# package[|other name in another release][?: only when the distribution has it]   what for
packages() {
    case $1 in
    build) cat <<'LIST'
gcc                 the C compiler
libc6-dev           the C library's headers
meson               describes the build
ninja-build         runs it
pkg-config|pkgconf  finds libraries
python3             checks of the build
libjansson-dev      JSON
libsodium-dev       digests in the static programs
libssl-dev          digests in the workers
zlib1g-dev          layers, gzip
liblzma-dev         layers, xz
libzstd-dev         layers, zstd
libbz2-dev          layers, bzip2
libisal-dev?        layers, gzip, twice as fast
libcurl4-openssl-dev  what ADD downloads
libyaml-dev         compose files
LIST
        ;;
    test) cat <<'LIST'
libcmocka-dev       unit tests
bats                tests of the command line
busybox-static      the image that the tests run
groff-base          checks of the manual pages
xz-utils            archives that the tests make
zstd                archives that the tests make
bzip2               archives that the tests make
uidmap              ordinary users' containers
passt               … and their networks
docker-registry?    what images are pulled from and pushed to
openssl             certificates of the tests
iproute2            the networks of the tests
git                 the repositories of the tests
openssh-client      … over ssh
openssh-server      … and who serves them
nftables            shows what was sent to the firewall
LIST
        ;;
    engines) cat <<'LIST'
podman              calls the runtime in the tests; containerd and Docker: tools/engines.sh
conmon              starts it for podman
LIST
        ;;
    demo) cat <<'LIST'
mmdebstrap          makes a Debian image from signed packages
busybox-static      the smallest image
LIST
        ;;
    vm) cat <<'LIST'
qemu-system-x86     boots the distribution's kernel
mmdebstrap          makes the guest's root file system
e2fsprogs           … and its disk
busybox-static      its first program
zstd                unpacks its modules
LIST
        ;;
    ci) cat <<'LIST'
clang               the second compiler, and the fuzzer
libclang-rt-dev|libclang-rt-14-dev|libclang-common-14-dev  sanitizers of clang
clang-format        the format check
shellcheck          checks of the shell scripts
git                 which files there are
LIST
        ;;
    *)
        echo "tools/deps.sh: no such set: $1 (build, test, engines, demo, vm, ci)" >&2
        exit 2
        ;;
    esac
}

main() {
    local set names reason name present missing=() wished=()
    if ! command -v dpkg-query >/dev/null; then
        return 0 # not Debian's family: meson says what it does not find
    fi
    present=" $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' |
        sed -n 's/^installed //p' | tr '\n' ' ') "
    for set in "$@"; do
        while read -r names reason; do
            for name in ${names//|/ }; do
                [[ $present == *" ${name%\?} "* ]] && continue 2
            done
            if [[ $names == *\? ]]; then
                wished+=("${names%\?}"$'\t'"$reason")
            else
                missing+=("$names"$'\t'"$reason")
            fi
        done < <(packages "$set")
    done
    ((${#missing[@]})) || return 0
    install_missing
}

install_missing() {
    local sudo=() line names chosen name install=()
    if ((EUID != 0)); then
        if ! command -v sudo >/dev/null; then
            echo "caisson needs these packages; install them as root:" >&2
            printf '  %s\n' "${missing[@]}" >&2
            exit 1
        fi
        sudo=(sudo)
    fi
    echo "Installing from the distribution's packages:"
    "${sudo[@]}" apt-get update -qq
    for line in "${missing[@]}"; do
        names=${line%%$'\t'*}
        chosen=${names%%|*}
        for name in ${names//|/ }; do
            if apt-cache show "$name" >/dev/null 2>&1; then
                chosen=$name
                break
            fi
        done
        printf '  %-20s %s\n' "$chosen" "${line#*$'\t'}"
        install+=("$chosen")
    done
    for line in "${wished[@]}"; do
        name=${line%%$'\t'*}
        if apt-cache show "$name" >/dev/null 2>&1; then
            printf '  %-20s %s\n' "$name" "${line#*$'\t'}"
            install+=("$name")
        fi
    done
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${install[@]}" >/dev/null
}

main "$@"
