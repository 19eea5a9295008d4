#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What is different about an ordinary user's networks: what keeps them, what pasta must not open, and
# what happens when one of them is killed. What is the same is in networks.bats and ports.bats, which
# run as a user too.
bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/network

setup_file() {
    common_setup_file
    host_usable || return 0
    ! by_root || return 0
    host_begin
    image
}
setup() {
    only_user
    host_usable || skip "needs nft, ip, ss, nsenter, python3 and pasta"
}
teardown_file() {
    common_teardown_file
    host_end
}

remove_all() {
    local ids
    ids=$(caisson ps -aq)
    # shellcheck disable=SC2086 # one word per id
    [ -z "$ids" ] || caisson rm -f -v $ids >/dev/null
}

teardown() {
    host_usable && ! by_root || return 0
    remove_all
    caisson network prune -f >/dev/null
    caisson network rm -f bridge >/dev/null
    [ -z "$ECHO" ] || kill "$ECHO"
    ECHO=
    in_host ip address replace 192.0.2.1/24 dev lan
    in_host ip route replace default via 192.0.2.2
    in_host ip -6 route replace default via 2001:db8::2
}

# on_host WORDS...: which processes that pgrep finds are on this file's host.
on_host() {
    local pid
    for pid in $(pgrep "$@"); do
        [ "$(readlink "/proc/$pid/ns/net")" != "$(readlink "/proc/$HOST/ns/net")" ] || echo "$pid"
    done
}
nothing_left() {
    local pid
    for pid in $(on_host -f '^caisson-home |^pasta |^caisson-netd'); do
        echo "left: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline")" >&2
        return 1
    done
}
# waits_for WORD CONTAINER ADDRESS PORT: until this is what is answered.
waits_for() {
    answered() { [ "$(asks "$2" "$3" "$4")" = "$1" ]; }
    waits 10 answered "$@"
}
# Its own process waits for a first process that was killed; here that is whoever adopts orphans.
ended() { [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"; }
killed() {
    kill -9 "$1"
    waits 5 ended "$1"
}

# --- life -----------------------------------------------------------------------------------------

@test "what keeps the networks begins with the first container and ends with the last" {
    nothing_left
    caisson network create shop
    nothing_left
    serve one --network shop
    first=$(keeper)
    [ -n "$(pasta_of)" ]
    [ -n "$(anchor)" ]
    serve two --network bridge
    caisson run --rm --network shop busybox true
    [ "$(keeper)" = "$first" ]
    caisson rm -f one
    caisson network rm shop
    [ "$(keeper)" = "$first" ]
    kill -9 "$(caisson inspect -f '{{.State.Pid}}' two)"
    waits 5 nothing_left
    [ ! -e "$CAISSON_STATE/networks/.home" ]
}

@test "nothing of it listens on the host, and none of its processes has a right there" {
    serve one --network bridge
    [ -z "$(in_host ss -Hltun)" ]
    uid=$(id -u "$CAISSON_TEST_USER")
    for pid in $(keeper) $(anchor) $(pasta_of); do
        [ "$(awk '/^Uid:/ {print $2, $3, $4, $5}' "/proc/$pid/status")" = "$uid $uid $uid $uid" ]
        [ "$(readlink "/proc/$pid/ns/user")" != "$(readlink /proc/self/ns/user)" ]
    done
    grep -q $'CapPrm:\t0000000000000000' "/proc/$(anchor)/status"
    grep -q $'CapPrm:\t00000000802014c0' "/proc/$(keeper)/status"
}

@test "pasta that is killed comes back by itself, and so does what it is tied to" {
    echo_begin "$LAN" 9000
    serve one --network bridge
    waits_for 192.0.2.1 one 192.0.2.2 9000
    killed "$(pasta_of)"
    waits_for 192.0.2.1 one 192.0.2.2 9000
    killed "$(anchor)"
    waits_for 192.0.2.1 one 192.0.2.2 9000
    killed "$(pasta_of)"
    waits_for 192.0.2.1 one 192.0.2.2 9000
}

@test "when what keeps them is killed, the next container on any network brings all back" {
    caisson network create --ipv6 shop
    echo_begin "$LAN" 9000
    serve db --network shop
    serve app --network shop -p 8080:8080
    serve lone --network bridge --host-access
    serve both --network shop --network bridge
    before=$(caisson inspect -f '{{json .NetworkSettings.Networks}}' db app lone both)
    old="$(anchor) $(pasta_of)"
    killed "$(keeper)"
    for pid in $old; do
        waits 5 ended "$pid"
    done
    gone() { ! asks app 192.0.2.2 9000; }
    waits 10 gone # so that there is something to bring back
    caisson run --rm --network bridge busybox true
    [ "$(asks app "$(address db shop)" 8080)" = "this is db" ]
    [ "$(asks app db 8080)" = "this is db" ]
    [ "$(asks db "$(address both shop)" 8080)" = "this is both" ]
    [ "$(asks app 192.0.2.2 9000)" = 192.0.2.1 ]
    [ "$(asks app 2001:db8::2 9000)" = 2001:db8::1 ]
    [ "$(asks both 192.0.2.2 9000)" = 192.0.2.1 ]
    run ! asks lone "$(address db shop)" 8080
    run ! asks app "$(address lone bridge)" 8080
    [ "$(in_host sh -c 'sleep 0.2 | busybox nc -w 2 127.0.0.1 8080')" = "this is app" ]
    [ "$(caisson inspect -f '{{json .NetworkSettings.Networks}}' db app lone both)" = "$before" ]
    killed "$(keeper)"
    caisson rm -f db app lone both
    waits 10 nothing_left
}

@test "network check says that what keeps them is gone, and --repair brings it back" {
    caisson network create shop
    echo_begin "$LAN" 9000
    serve db --network shop
    serve app --network shop
    [ "$(caisson network check)" = "networks are as they should be" ]
    killed "$(keeper)"
    run -1 caisson network check
    [[ $output == "network shop: what keeps it (caisson-home) is gone, and its bridge with that; "* ]]
    caisson network check --repair
    [ "$(caisson network check)" = "networks are as they should be" ]
    [ "$(asks app db 8080)" = "this is db" ]
    [ "$(asks app 192.0.2.2 9000)" = 192.0.2.1 ]
    caisson rm -f db app
    [ "$(caisson network check)" = "networks are as they should be" ]
}

@test "who runs on when what keeps the networks was killed can be stopped, and leaves nothing" {
    caisson network create shop
    serve one --network shop
    killed "$(keeper)"
    caisson stop -t 0 one
    [ -z "$(ls "$CAISSON_STATE/networks/shop/leases")" ]
    caisson start one
    [ -n "$(keeper)" ]
    caisson rm -f one
    caisson network rm shop
    waits 10 nothing_left
}

@test "whatever is killed at whatever moment, the next command finds everything in order" {
    caisson network create shop
    serve db --network shop
    for i in $(seq 1 15); do
        exec_in_host "${PERSON[@]}" "$CAISSON_BUILD/caisson" run --rm --network shop busybox true >/dev/null 2>&1 3>&- &
        pid=$!
        [ $((i % 3)) = 0 ] || kill -9 "$(keeper)" 2>/dev/null || true
        sleep "0.0$((RANDOM % 60 + 10))"
        [ $((i % 2)) = 0 ] || kill -9 "$(keeper)" 2>/dev/null || true
        kill -9 "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    serve app --network shop
    [ "$(asks app "$(address db shop)" 8080)" = "this is db" ]
    [ "$(asks db "$(address app shop)" 8080)" = "this is app" ]
    only_two() { [ "$(caisson ps -aq | wc -l)" = 2 ]; }
    waits 10 only_two
    caisson rm -f app db
    waits 10 nothing_left
    caisson network rm shop
}

@test "several that begin at once make one place for their networks" {
    for i in 1 2 3 4 5 6; do
        caisson run -d --name "c$i" --network bridge busybox sleep 100 >/dev/null 3>&- &
    done
    wait
    [ "$(caisson ps -q | wc -l)" = 6 ]
    [ "$(pgrep -f -x "caisson-home .* $CAISSON_STATE" | wc -l)" = 2 ] # with its anchor
    [ "$(in_networks ip -o link show type veth | wc -l)" = 6 ]
}

# --- what is closed -------------------------------------------------------------------------------

# Seen to fail without --no-map-gw: pasta gave the way to the host's loopback by its own address.
@test "the host's loopback cannot be reached, by whatever address, nor with --host-access" {
    echo_begin "$HOST" 9001
    serve one --network bridge --host-access --metadata-access --cap-add NET_ADMIN --user 0
    [ "$(asks one 192.0.2.1 9001)" = 192.0.2.1 ] # so that there is somebody to reach
    in_host ip route del default
    in_host ip address del 192.0.2.1/24 dev lan
    for to in 169.254.202.22 169.254.202.21 "$(caisson network inspect -f '{{(index .IPAM.Config 0).Gateway}}' bridge)"; do
        run ! asks one "$to" 9001
    done
    in_host ip address add 192.0.2.1/24 dev lan
    in_host ip route add default via 192.0.2.2
}

# Seen to fail without the sets of the host's addresses (src/network/own.c).
@test "the host's addresses are closed: all it has, those that come later, and root's containers" {
    in_host ip address add 198.18.0.1/32 dev lo
    echo_begin "$HOST" 9001
    serve one --network bridge
    serve free --network bridge --host-access
    for to in 192.0.2.1 198.18.0.1; do
        run ! asks one $to 9001
        [ -n "$(asks free $to 9001)" ]
    done
    in_host ip address add 198.18.0.2/32 dev lo
    run ! asks one 198.18.0.2 9001
    [ -n "$(asks free 198.18.0.2 9001)" ]
    in_host ip address del 198.18.0.2/32 dev lo
    kill "$ECHO"
    in_host ip link add cs-0123456789 type veth peer name roots netns "$LAN"
    in_host ip address add 198.18.5.1/24 dev cs-0123456789
    in_host ip link set cs-0123456789 up
    in_lan ip address add 198.18.5.2/24 dev roots
    in_lan ip link set roots up
    echo_begin "$LAN" 9000
    [ "$(asks one 192.0.2.2 9000)" = 192.0.2.1 ]
    run ! asks one 198.18.5.2 9000
    [ "$(asks free 198.18.5.2 9000)" = 198.18.5.1 ]
    in_host ip link del cs-0123456789
    in_host ip address del 198.18.0.1/32 dev lo
}

@test "after a flush the host's addresses are closed again, too" {
    echo_begin "$HOST" 9001
    serve one --network bridge
    run ! asks one 192.0.2.1 9001
    in_networks nft flush ruleset
    caisson run --rm --network bridge busybox true
    run ! asks one 192.0.2.1 9001
}

@test "containers of another user, or another state directory, are not there" {
    caisson network create --subnet 10.5.0.0/24 shop
    serve one --network shop --ip 10.5.0.50
    other() { in_host "${PERSON[@]}" env CAISSON_STATE="$BATS_TEST_TMPDIR/state" CAISSON_ROOT="$BATS_TEST_TMPDIR/root" "$CAISSON_BUILD/caisson" "$@"; }
    chown "$CAISSON_TEST_USER" "$BATS_TEST_TMPDIR"
    other load -q -i "${CAISSON_TEST_DIR:-$BATS_RUN_TMPDIR}/shared/busybox.tar" >/dev/null
    other network create --subnet 10.5.0.0/24 shop
    other run -d --name two --network shop busybox sleep 100
    asked() { other exec two sh -c "sleep 0.2 | timeout 4 nc -w 2 $1 8080" 2>/dev/null | grep .; }
    run ! asked 10.5.0.50
    serve three --network shop
    [ "$(asks three 10.5.0.50 8080)" = "this is one" ]
    # nor from the host itself, or its neighbours
    run ! in_host busybox nc -w 2 10.5.0.50 8080 </dev/null
    in_lan ip route add 10.5.0.0/24 via 192.0.2.1
    run ! in_lan busybox nc -w 2 10.5.0.50 8080 </dev/null
    in_lan ip route del 10.5.0.0/24
    other rm -f two
    none() { [ -z "$(keeper "$BATS_TEST_TMPDIR/state")" ]; }
    waits 5 none
    [ "$(asks three 10.5.0.50 8080)" = "this is one" ]
}

# --- ports ----------------------------------------------------------------------------------------

@test "ports that an ordinary user may not open are refused, and nothing is made" {
    fails 125 "cannot bind 127.0.0.1:80: Permission denied" caisson run --rm -p 80:80 busybox true
    waits 10 nothing_left
}

# Seen to fail without `apart` in src/network/port_client.c.
@test "a client with an address like a neighbour's is not mistaken for one" {
    caisson network create --subnet 10.5.0.0/24 shop
    caisson run -d --name web --network shop -p 192.0.2.1:8080:80 busybox sleep 100
    pid=$(caisson inspect -f '{{.State.Pid}}' web)
    nsenter --net="/proc/$pid/ns/net" python3 "$BATS_TEST_DIRNAME/../lib/port_peer.py" serve 80 "$BATS_TEST_TMPDIR/ready" </dev/null >/dev/null 2>&1 3>&- &
    ECHO=$!
    waits 10 test -e "$BATS_TEST_TMPDIR/ready"
    in_lan ip address add 10.5.0.77/32 dev host
    in_host ip route add 10.5.0.77/32 via 192.0.2.2
    as() { in_lan python3 -c 'import socket, sys; s = socket.create_connection(("192.0.2.1", 8080), 5, (sys.argv[1], 0)); s.sendall(b"who\n"); print(s.recv(100).decode())' "$1" | head -1; }
    [ "$(as 192.0.2.2)" = 192.0.2.2 ]
    [ "$(as 10.5.0.77)" = 10.5.0.1 ]
    in_host ip route del 10.5.0.77/32
    in_lan ip address del 10.5.0.77/32 dev host
}

# --- the host -------------------------------------------------------------------------------------

@test "without pasta, or what it needs, a network is refused with what is missing" {
    : >"$BATS_TEST_TMPDIR/none"
    in_host mount --bind "$BATS_TEST_TMPDIR/none" "$(realpath /usr/bin/pasta)"
    fails 125 "pasta is not installed: an ordinary user's networks need it; install the package passt" caisson run --rm --network bridge busybox true
    fails 125 "install the package passt" caisson run --rm -p 8080:80 busybox true
    caisson run --rm --network none busybox true
    in_host umount "$(realpath /usr/bin/pasta)"
    chmod 0600 "$BATS_FILE_TMPDIR/tun"
    fails 125 "cannot open /dev/net/tun" caisson run --rm --network bridge busybox true
    chmod 0666 "$BATS_FILE_TMPDIR/tun"
    caisson run --rm --network bridge busybox true
}

@test "pasta that fails is told of, with its own words" {
    printf '#!/bin/sh\necho it does not like this host >&2\nexit 1\n' >"$BATS_TEST_TMPDIR/pasta"
    chmod 0755 "$BATS_TEST_TMPDIR/pasta"
    in_host mount --bind "$BATS_TEST_TMPDIR/pasta" "$(realpath /usr/bin/pasta)"
    fails 125 "cannot connect your networks with the outside: pasta: it does not like this host" caisson run --rm --network bridge busybox true
    in_host umount "$(realpath /usr/bin/pasta)"
    waits 10 nothing_left || nothing_left
    caisson run --rm --network bridge busybox true
}

@test "on a host without a way out containers reach each other, and the outside when there is one" {
    in_host ip route del default
    in_host ip -6 route del default
    caisson network create shop
    serve one --network shop
    serve two --network shop
    [ "$(asks one "$(address two shop)" 8080)" = "this is two" ]
    [ -z "$(pasta_of)" ]
    in_host ip route add default via 192.0.2.2
    echo_begin "$LAN" 9000
    waits_for 192.0.2.1 one 192.0.2.2 9000
    first=$(pasta_of)
    in_host ip -6 route add default via 2001:db8::2
    other() { [ "$(pasta_of)" != "$first" ]; }
    waits 5 other # the first knows nothing of IPv6
    waits_for 192.0.2.1 one 192.0.2.2 9000
}
