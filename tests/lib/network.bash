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
# As an ordinary user (tests/run.py --as user) such a file runs as root, and only caisson in it as the
# user: `caisson`, or `in_host "${PERSON[@]}" "$CAISSON_BUILD/caisson"`. Bridges and the firewall are
# then in a namespace of the user's (src/network/home.h): in_networks.
#
# The neighbour is 192.0.2.2, the host 192.0.2.1 there (RFC 5737), 2001:db8::2 and ::1.

# namespace [FLAG]...: starts a process in a network namespace of its own; its id is printed.
namespace() {
    unshare --net "$@" sleep 3600 </dev/null >/dev/null 2>&1 3>&- &
    local pid=$!
    waits 5 sh -c "[ \"\$(readlink /proc/$pid/ns/net)\" != \"\$(readlink /proc/$$/ns/net)\" ]"
    echo "$pid"
}

in_host() { nsenter --net="/proc/$HOST/ns/net" --mount="/proc/$HOST/ns/mnt" --wd="$PWD" "$@"; }
# For the background, where $! is then the program's own id, and not a shell's before it.
exec_in_host() { exec nsenter --net="/proc/$HOST/ns/net" --mount="/proc/$HOST/ns/mnt" --wd="$PWD" "$@"; }
in_lan() { nsenter --net="/proc/$LAN/ns/net" "$@"; }
caisson() { in_host "${PERSON[@]}" "$CAISSON_BUILD/caisson" "$@"; }

# Processes of the user's networks: what keeps them, what stands in them, and pasta. None: "".
keeper() { pgrep -o -f -x "caisson-home .* ${1:-$CAISSON_STATE}"; }
anchor() {
    local pid
    pid=$(keeper "$@") && pgrep -P "$pid" -x caisson-home
}
pasta_of() {
    local pid
    pid=$(keeper "$@") && pgrep -P "$pid" -f '^pasta '
}
# Whose network namespace has the bridges; fails when there is none.
networks_pid() { if by_root; then echo "$HOST"; else anchor; fi; }
in_networks() {
    local pid
    pid=$(networks_pid) || return 0
    nsenter --net="/proc/$pid/ns/net" "$@"
}
only_root() { by_root || skip "$1"; }
only_user() { ! by_root || skip "root's networks are the host's own"; }

host_usable() {
    [ "$(id -u)" = 0 ] || return 1
    local program
    by_root || command -v pasta >/dev/null || return 1
    for program in nft ip ss nsenter python3; do
        command -v "$program" >/dev/null || return 1
    done
}

# The host has its own /dev/net/tun, which everybody may open, as udev makes it.
host_begin() {
    HOST=$(namespace --mount)
    LAN=$(namespace)
    export HOST LAN
    if ! by_root; then
        mknod -m 0666 "$BATS_FILE_TMPDIR/tun" c 10 200
        in_host mount --bind "$BATS_FILE_TMPDIR/tun" /dev/net/tun
    fi
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
# The client does not end its direction before it has the answer: pasta of 2023 then sometimes loses
# the end of the other.
asks() { caisson exec "$1" sh -c "sleep 0.2 | timeout 4 nc -w 2 $2 $3" 2>/dev/null | grep .; }
