# SPDX-License-Identifier: Apache-2.0
# A host of the tests' own: a network namespace in which caisson makes its bridges and its firewall,
# and beside it a neighbour on the host's local network, which is also the rest of the world.
#
#   load ../lib/common
#   load ../lib/network
#   setup_file() { common_setup_file; host_usable && { host_begin; image; }; }
#   setup() { host_usable || skip "needs root, nft, ip, ss, nsenter and python3"; }
#   teardown_file() { common_teardown_file; host_end; }
#
# The neighbour is 192.0.2.2, the host 192.0.2.1 there (RFC 5737), 2001:db8::2 and ::1.

# namespace: starts a process in a network namespace of its own; its id is printed.
namespace() {
    unshare --net sleep 3600 </dev/null >/dev/null 2>&1 3>&- &
    local pid=$!
    waits 5 sh -c "[ \"\$(readlink /proc/$pid/ns/net)\" != \"\$(readlink /proc/$$/ns/net)\" ]"
    echo "$pid"
}

in_host() { nsenter --net="/proc/$HOST/ns/net" "$@"; }
in_lan() { nsenter --net="/proc/$LAN/ns/net" "$@"; }
caisson() { in_host "$CAISSON_BUILD/caisson" "$@"; }

host_usable() {
    [ "$(id -u)" = 0 ] || return 1
    local program
    for program in nft ip ss nsenter python3; do
        command -v "$program" >/dev/null || return 1
    done
}

host_begin() {
    HOST=$(namespace)
    LAN=$(namespace)
    export HOST LAN
    in_host ip link set lo up
    in_lan ip link set lo up
    in_host ip link add lan type veth peer name host netns "$LAN"
    in_host ip address add 192.0.2.1/24 dev lan
    in_host ip -6 address add 2001:db8::1/64 dev lan nodad
    in_host ip link set lan up
    in_lan ip address add 192.0.2.2/24 dev host
    in_lan ip -6 address add 2001:db8::2/64 dev host nodad
    in_lan ip link set host up
    in_host ip route add default via 192.0.2.2
    in_host ip -6 route add default via 2001:db8::2
}

host_end() {
    local pid
    for pid in $HOST $LAN; do # none where it is not usable
        kill "$pid"
    done
}

# echo_begin NAMESPACE_PID PORT: a server there that tells each client its address, over TCP and
# UDP, IPv4 and IPv6. Its process id is ECHO.
echo_begin() {
    nsenter --net="/proc/$1/ns/net" python3 "$BATS_TEST_DIRNAME/../lib/echo_address.py" "$2" \
        "$BATS_TEST_TMPDIR/echo.$1.$2" </dev/null >/dev/null 2>&1 3>&- &
    ECHO=$!
    export ECHO
    waits 10 test -e "$BATS_TEST_TMPDIR/echo.$1.$2"
}

# serve NAME NETWORK...: a container that answers "this is NAME" on port 8080.
serve() {
    local name=$1
    shift
    caisson run -d --name "$name" "$@" busybox sh -c \
        "while :; do echo this is $name | nc -l -p 8080 >/dev/null; done" >/dev/null
}

address() { caisson inspect -f "{{.NetworkSettings.Networks.$2.IPAddress}}" "$1"; }

# asks FROM_CONTAINER ADDRESS PORT: what is answered there; fails when nothing is within two seconds.
asks() { caisson exec "$1" sh -c "nc -w 2 $2 $3 </dev/null" 2>/dev/null | grep .; }
