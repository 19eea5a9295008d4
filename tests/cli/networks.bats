#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Networks: their verbs, who reaches whom, and what is left of them.
bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/network

setup_file() {
    common_setup_file
    host_usable || return 0
    host_begin
    image
}
setup() {
    host_usable || skip "needs root, nft, ip, ss, nsenter and python3; as a user pasta"
}
teardown_file() {
    common_teardown_file
    host_end
}

teardown() {
    local ids
    host_usable || return 0
    ids=$(caisson ps -aq)
    # shellcheck disable=SC2086 # one word per id
    [ -z "$ids" ] || caisson rm -f -v $ids >/dev/null
    caisson network prune -f >/dev/null
    caisson network rm -f bridge >/dev/null
    [ -z "$ECHO" ] || kill "$ECHO"
    ECHO=
}

bridges() { in_networks ip -o link show type bridge | wc -l; }
cables() { in_networks ip -o link show type veth | grep -c ': cv' || true; }
tables() { in_networks nft list tables | grep -c caisson || true; }

# --- verbs ----------------------------------------------------------------------------------------

@test "echo requests need no raw socket, and who tries with one is told the way" {
    [ "$(caisson run --rm busybox cat /proc/sys/net/ipv4/ping_group_range | xargs)" = "0 65535" ] || ! by_root
    # busybox wants a raw socket. The other tests of users have hints switched off.
    CAISSON_HINTS='' fails 1 "this ping wants a raw socket; allow it with --user root --cap-add NET_RAW" \
        caisson run --rm busybox ping -c 1 -w 1 127.0.0.1
    caisson run --rm --user root --cap-add NET_RAW busybox ping -c 1 -w 2 127.0.0.1
}

@test "network create prints an id, chooses a free subnet, and nothing is there until it is used" {
    id=$(caisson network create shop)
    [[ $id =~ ^[0-9a-f]{64}$ ]]
    [ "$(caisson network inspect -f '{{(index .IPAM.Config 0).Subnet}} {{(index .IPAM.Config 0).Gateway}}' shop)" = "10.208.16.0/24 10.208.16.1" ]
    caisson network create next
    [ "$(caisson network inspect -f '{{(index .IPAM.Config 0).Subnet}}' next)" = "10.208.17.0/24" ]
    [ "$(bridges)" = 0 ]
    [ "$(tables)" = 0 ]
    fails 1 "network shop is there already" caisson network create shop
}

@test "network create takes subnet, range, gateway, IPv6, labels and options, and shows them" {
    caisson network create --subnet 10.1.2.0/24 --ip-range 10.1.2.128/25 --gateway 10.1.2.9 --subnet fd01::/64 --internal --label a=b --opt mtu=1400 full
    run caisson network inspect full
    [[ $output == *'"Subnet": "10.1.2.0/24"'* && $output == *'"IPRange": "10.1.2.128/25"'* && $output == *'"Gateway": "10.1.2.9"'* ]]
    [[ $output == *'"Subnet": "fd01::/64"'* && $output == *'"Gateway": "fd01::1"'* && $output == *'"EnableIPv6": true'* ]]
    [[ $output == *'"Internal": true'* && $output == *'"a": "b"'* && $output == *'"mtu": "1400"'* ]]
    caisson network create --ipv6 six
    [[ $(caisson network inspect -f '{{(index .IPAM.Config 1).Subnet}}' six) =~ ^fd.*/64$ ]]
}

@test "network create refuses what overlaps, with whose it is, and what is no subnet" {
    caisson network create --subnet 10.1.0.0/16 wide
    fails 1 "overlaps with 10.1.0.0/16 of network wide" caisson network create --subnet 10.1.2.0/24 other
    fails 1 "overlaps with 192.0.2.0/24 of the host's route by interface lan" caisson network create --subnet 192.0.0.0/16 other
    fails 1 "overlaps with 2001:db8::/64 of the host's route" caisson network create --subnet 2001:db8::/64 other
    fails 1 "overlaps with fd00:ca15:ca15::/64 of the way out of ordinary users' networks" caisson network create --subnet fd00:ca15:ca15::/48 other
    fails 1 "that is an address in 10.3.0.0/16" caisson network create --subnet 10.3.1.0/16 other
    fails 1 "give a prefix of 8 to 30 bits" caisson network create --subnet 10.3.0.0/31 other
    fails 1 "no addresses of hosts" caisson network create --subnet 127.5.0.0/16 other
    fails 1 "no addresses of hosts" caisson network create --subnet 169.254.3.0/24 other
    fails 1 "is no prefix" caisson network create --subnet 10.3.0.0 other
    fails 1 "is no address of a host in 10.3.0.0/24" caisson network create --subnet 10.3.0.0/24 --gateway 10.3.0.255 other
    fails 1 "does not lie in 10.3.0.0/24" caisson network create --subnet 10.3.0.0/24 --ip-range 10.4.0.0/25 other
    fails 1 "needs a --subnet" caisson network create --gateway 10.3.0.1 other
    fails 1 "is no name for a network" caisson network create ../x
    fails 1 "is no name for a network" caisson network create host
    fails 1 "is not known; there are mtu" caisson network create --opt colour=red other
    [ "$(caisson network ls --filter name=other -q)" = "" ]
}

@test "network ls shows by name, label, id and use; the default one is always there" {
    caisson network create --label tier=front web
    id=$(caisson network create back)
    [ "$(caisson network ls --format '{{.Name}}' | xargs)" = "back bridge web" ]
    [ "$(caisson network ls --filter label=tier=front --format '{{.Name}}')" = web ]
    [ "$(caisson network ls --filter "id=${id:0:12}" --format '{{.Name}}')" = back ]
    [ "$(caisson network inspect -f '{{.Name}}' "${id:0:10}")" = back ]
    serve one --network web
    [ "$(caisson network ls --filter dangling=false --format '{{.Name}}')" = web ]
    [ "$(caisson network inspect -f '{{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}}' web)" = "one $(address one web)/24" ]
    fails 1 "the keys are name" caisson network ls --filter colour=red
    fails 1 "no such network: nothere" caisson network inspect nothere
}

@test "network rm names the container that runs on it, prune leaves what containers are made for" {
    caisson network create web
    caisson network create old
    serve one --network web
    fails 1 "network web is used by container one" caisson network rm web
    caisson stop -t 0 one
    [ "$(caisson network prune -f | xargs)" = "Deleted Networks: old" ]
    caisson network rm web
    run -125 caisson start one
    [[ $output == *"no such network: web"* ]] || { caisson start one; false; }
    caisson network rm -f nothere
    fails 1 "no such network" caisson network rm nothere
}

@test "system prune takes networks that no container is made for, of the age and labels asked for" {
    caisson network create --label keep=yes kept
    caisson network create --label keep=no gone
    caisson network create used
    serve one --network used
    run caisson system prune -f --filter label!=keep=yes --filter until=1h
    [[ $output != *"Deleted Networks"* ]]
    run caisson system prune -f --filter label!=keep=yes
    [[ $output == *"Deleted Networks:"*gone* && $output != *kept* && $output != *used* ]]
}

# --- who reaches whom -----------------------------------------------------------------------------

@test "containers of one network reach each other, and nobody on another" {
    caisson network create shop
    caisson network create other
    serve db --network shop
    serve app --network shop
    serve stranger --network other
    [ "$(asks app "$(address db shop)" 8080)" = "this is db" ]
    [ "$(asks db "$(address app shop)" 8080)" = "this is app" ]
    run ! asks stranger "$(address db shop)" 8080
    run ! asks db "$(address stranger other)" 8080
}

@test "on the default network nobody reaches anybody else, and everybody the outside" {
    serve one --network bridge
    serve two --network bridge
    run ! asks one "$(address two bridge)" 8080
    echo_begin "$LAN" 9000
    [ "$(asks one 192.0.2.2 9000)" = 192.0.2.1 ]
    [ "$(asks two 192.0.2.2 9000)" = 192.0.2.1 ]
}

@test "with icc=false a network is like the default one" {
    caisson network create --opt icc=false apart
    serve one --network apart
    serve two --network apart
    run ! asks one "$(address two apart)" 8080
}

@test "an internal network has no way out, and its containers each other" {
    caisson network create --internal back
    serve one --network back
    serve two --network back
    [ "$(asks one "$(address two back)" 8080)" = "this is two" ]
    echo_begin "$LAN" 9000
    run ! asks one 192.0.2.2 9000
}

@test "the host's services are closed to containers, unless --host-access opens them" {
    caisson network create shop
    echo_begin "$HOST" 9001
    serve one --network shop
    serve free --network shop --host-access
    gateway=$(caisson network inspect -f '{{(index .IPAM.Config 0).Gateway}}' shop)
    run ! asks one "$gateway" 9001
    run ! asks one 192.0.2.1 9001
    if by_root; then
        [ "$(asks free "$gateway" 9001)" = "$(address free shop)" ]
        [ "$(asks free 192.0.2.1 9001)" = "$(address free shop)" ]
    else # it is the user who asks
        [ "$(asks free 192.0.2.1 9001)" = 192.0.2.1 ]
    fi
    [ "$(caisson inspect -f '{{range .Posture}}{{if eq .Name "host-services"}}{{.InForce}}{{end}}{{end}}' free)" = open ]
}

@test "where clouds answer is closed, unless --metadata-access opens it" {
    in_lan ip address add 169.254.169.254/32 dev host
    in_host ip route add 169.254.169.254/32 via 192.0.2.2
    echo_begin "$LAN" 9000
    serve one --network bridge
    serve free --network bridge --metadata-access
    run ! asks one 169.254.169.254 9000
    [ "$(asks free 169.254.169.254 9000)" = 192.0.2.1 ]
    in_lan ip address del 169.254.169.254/32 dev host
}

@test "what the host redirects is the host's: its published ports, and metadata answered elsewhere" {
    only_root "what a user's containers send is the host's own, and redirected as that"
    echo_begin "$LAN" 9000
    in_host nft -f - <<EOF
table ip redirects {
    chain arriving {
        type nat hook prerouting priority dstnat
        ip daddr { 192.0.2.1, 169.254.169.254 } tcp dport 9009 dnat to 192.0.2.2:9000
    }
}
EOF
    serve one --network bridge
    serve clerk --network bridge --metadata-access
    serve friend --network bridge --host-access
    serve free --network bridge --metadata-access --host-access
    run ! asks one 192.0.2.1 9009
    run ! asks clerk 192.0.2.1 9009
    [ "$(asks friend 192.0.2.1 9009)" = 192.0.2.1 ]
    for who in one clerk friend; do
        run ! asks $who 169.254.169.254 9009
    done
    [ "$(asks free 169.254.169.254 9009)" = 192.0.2.1 ]
    in_host nft delete table ip redirects
}

@test "a neighbour of the host does not reach a container's address, before and after a flush" {
    only_root "the host routes nothing to a user's containers"
    caisson network create shop
    serve one --network shop
    in_lan ip route add 10.208.0.0/12 via 192.0.2.1
    to=$(address one shop)
    reached() { in_lan busybox nc -w 2 "$to" 8080 </dev/null | grep -q this; }
    run ! reached
    in_host nft flush ruleset
    reached # so that the probe is one that can succeed
    caisson run --rm --network shop busybox true
    run ! reached
    in_lan ip route del 10.208.0.0/12
}

@test "what a flush took away, the next container brings back: isolation, way out, host's services" {
    caisson network create shop
    caisson network create other
    echo_begin "$LAN" 9000
    serve one --network shop
    serve two --network other
    in_networks nft flush ruleset
    [ "$(tables)" = 0 ]
    caisson run --rm --network bridge busybox true
    [ "$(asks one 192.0.2.2 9000)" = 192.0.2.1 ]
    run ! asks one "$(address two other)" 8080
    run ! asks two "$(address one shop)" 8080
}

@test "a bridge that a killed command left half made is made whole by the next" {
    only_root "a user's networks have no place without a container on them"
    caisson network create --ipv6 shop
    in_host ip link add "$(caisson network inspect -f '{{.Bridge}}' shop)" type bridge
    serve one --network shop
    caisson exec one nslookup one
    caisson network check -q
}

@test "a bridge that somebody removed comes back with its containers" {
    caisson network create shop
    serve one --network shop
    in_networks ip link del "$(caisson network inspect -f '{{.Bridge}}' shop)"
    serve two --network shop
    [ "$(asks one "$(address two shop)" 8080)" = "this is two" ]
    [ "$(asks two "$(address one shop)" 8080)" = "this is one" ]
}

@test "with CAP_NET_RAW nobody speaks in another's name" {
    caisson network create shop
    echo_begin "$LAN" 9000
    serve one --network shop
    caisson run -d --name forger --network shop --cap-add NET_ADMIN --user 0 busybox sleep 100
    free=$(caisson network inspect -f '{{(index .IPAM.Config 0).Subnet}}' shop | sed 's/0.24$/77/')
    caisson exec forger ip address add "$free/24" dev eth0
    caisson exec forger ip route change default via "$(caisson network inspect -f '{{(index .IPAM.Config 0).Gateway}}' shop)" src "$free"
    run ! asks forger 192.0.2.2 9000
    [ "$(asks one 192.0.2.2 9000)" = 192.0.2.1 ]
}

# in_container NAME COMMAND...: with all rights over its network, which no container has by itself.
in_container() { nsenter --net="/proc/$(caisson inspect -f '{{.State.Pid}}' "$1")/ns/net" "${@:2}"; }
mac() { caisson inspect -f '{{.NetworkSettings.Networks.shop.MacAddress}}' "$1"; }
# listens NAMESPACE_PID WORDS...: what heard.py hears there is in $HEARD; $LISTENER is to be killed.
listens() {
    HEARD=$BATS_TEST_TMPDIR/heard
    nsenter --net="/proc/$1/ns/net" python3 "$BATS_TEST_DIRNAME/../lib/heard.py" "${@:2}" "$HEARD" \
        </dev/null >/dev/null 2>&1 3>&- &
    LISTENER=$!
    waits 10 test -e "$HEARD"
}
# says CONTAINER FROM TO PORT WORDS: without any capability.
says() {
    in_container "$1" setpriv --inh-caps=-all --bounding-set=-all \
        python3 "$BATS_TEST_DIRNAME/../lib/heard.py" --say "${@:2}"
}

# Seen to fail without the table of senders: the host heard what was stolen.
@test "nobody uses what another container of the network may, by its address" {
    caisson network create --ipv6 --subnet 10.5.0.0/24 --subnet fd05::/64 shop
    caisson run -d --name friend --network shop --ip 10.5.0.50 --ip6 fd05::50 --host-access busybox sleep 100
    caisson run -d --name thief --network shop busybox sleep 100
    listens "$(networks_pid)" 9001
    says friend fd05::50 fd05::1 9001 six
    says friend 10.5.0.50 10.5.0.1 9001 four
    waits 5 grep -q four "$HEARD"
    says thief fd05::50 fd05::1 9001 stolen-six
    in_container thief ip address add 10.5.0.50/24 dev eth0
    says thief 10.5.0.50 10.5.0.1 9001 stolen-four
    says friend 10.5.0.50 10.5.0.1 9001 last
    waits 5 grep -q last "$HEARD"
    kill "$LISTENER"
    [ "$(cut -d' ' -f2 "$HEARD" | xargs)" = "six four last" ]
}

# Seen to fail without the table of senders: what was for the victim came to the thief, or to nobody.
@test "nobody draws what is for another container of the network to itself" {
    caisson network create --subnet 10.5.0.0/24 shop
    serve victim --network shop --ip 10.5.0.50
    serve asker --network shop
    serve thief --network shop
    [ "$(asks asker 10.5.0.50 8080)" = "this is victim" ]
    in_container thief ip address add 10.5.0.50/24 dev eth0
    for _ in 1 2 3; do
        # its address at the thief's place, then its hardware address there
        in_container thief python3 "$BATS_TEST_DIRNAME/../lib/heard.py" --arp eth0 "$(mac thief)" 10.5.0.50
        in_container thief python3 "$BATS_TEST_DIRNAME/../lib/heard.py" --arp eth0 "$(mac victim)" 10.5.0.50
        in_container thief python3 "$BATS_TEST_DIRNAME/../lib/heard.py" --arp eth0 "$(mac victim)" "$(address thief shop)"
        [ "$(asks asker 10.5.0.50 8080)" = "this is victim" ]
    done
}

@test "what is neither IP nor ARP does not pass a cable" {
    caisson network create shop
    caisson run -d --name one --network shop busybox sleep 100
    caisson run -d --name two --network shop busybox sleep 100
    listens "$(caisson inspect -f '{{.State.Pid}}' two)" --frames eth0
    in_container one python3 "$BATS_TEST_DIRNAME/../lib/heard.py" --frame eth0 "$(mac one)" hello
    in_networks nft flush ruleset # so that the probe is one that can succeed
    in_container one python3 "$BATS_TEST_DIRNAME/../lib/heard.py" --frame eth0 "$(mac one)" afterwards
    waits 5 grep -q afterwards "$HEARD"
    kill "$LISTENER"
    [ "$(cat "$HEARD")" = "$(mac one) afterwards" ]
}

@test "IPv6 is there where it was asked for, and off elsewhere" {
    caisson network create --ipv6 six
    echo_begin "$LAN" 9000
    serve one --network six
    serve two --network six
    six_of() { caisson inspect -f '{{.NetworkSettings.Networks.six.GlobalIPv6Address}}' "$1"; }
    [ "$(asks one 2001:db8::2 9000)" = 2001:db8::1 ]
    run ! asks one 2001:db8::1 9000
    kill "$ECHO"
    echo_begin "$(caisson inspect -f '{{.State.Pid}}' two)" 9001
    [ "$(asks one "$(six_of two)" 9001)" = "$(six_of one)" ]
    [ "$(caisson run --rm --network bridge busybox sh -c 'ip -6 addr show dev eth0')" = "" ]
}

@test "what keeps apart on a bridge is there again when the bridge is" {
    caisson network create --opt icc=false apart
    serve one --network apart
    in_networks ip link del "$(caisson network inspect -f '{{.Bridge}}' apart)"
    serve two --network apart
    [ "$(in_networks bridge -d link show | grep -c 'isolated on')" = 2 ]
    run ! asks one "$(address two apart)" 8080
    run ! asks two "$(address one apart)" 8080
}

@test "who shares a network namespace does not keep the address of a container that is gone" {
    caisson network create --subnet 10.5.0.0/24 own
    caisson run -d --name one --network own --ip 10.5.0.50 busybox sleep 100
    caisson run -d --name guest --network container:one busybox sleep 100
    echo_begin "$LAN" 9000
    [ "$(asks guest 192.0.2.2 9000)" = 192.0.2.1 ]
    caisson rm -f one
    run ! asks guest 192.0.2.2 9000
    serve other --network own --ip 10.5.0.50
    run ! asks guest 192.0.2.2 9000
    [ "$(asks other 192.0.2.2 9000)" = 192.0.2.1 ]
}

@test "a host that did not forward forwards nothing but what is the containers', also when they are gone" {
    only_root "the host forwards nothing for a user's containers"
    in_host sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
    far=$(namespace)
    in_host ip link add far type veth peer name host netns "$far"
    in_host ip address add 198.51.100.1/24 dev far
    in_host ip -6 address add 2001:db8:5::1/64 dev far nodad
    in_host ip link set far up
    in_far() { nsenter --net="/proc/$far/ns/net" "$@"; }
    in_far ip address add 198.51.100.2/24 dev host
    in_far ip -6 address add 2001:db8:5::2/64 dev host nodad
    in_far ip link set host up
    in_far ip route add default via 198.51.100.1
    in_far ip -6 route add default via 2001:db8:5::1
    in_lan ip route add 198.51.100.0/24 via 192.0.2.1
    in_lan ip -6 route add 2001:db8:5::/64 via 2001:db8::1
    echo_begin "$LAN" 9000
    through() { in_far busybox nc -w 2 "$1" 9000 </dev/null | grep -q .; }
    caisson network create --ipv6 six
    serve one --network six
    [ "$(asks one 192.0.2.2 9000)" = 192.0.2.1 ]
    [ "$(asks one 2001:db8::2 9000)" = 2001:db8::1 ]
    run ! through 192.0.2.2
    run ! through 2001:db8::2
    caisson rm -f one
    caisson network rm six
    run ! through 192.0.2.2
    run ! through 2001:db8::2
    in_host nft flush ruleset # so that the probes are ones that can succeed
    through 192.0.2.2
    through 2001:db8::2
    kill "$far"
    in_lan ip route del 198.51.100.0/24
    in_lan ip -6 route del 2001:db8:5::/64
    rm -f "$CAISSON_STATE/networks/.forwarding4" "$CAISSON_STATE/networks/.forwarding6"
}

# --- addresses, names, several networks -----------------------------------------------------------

@test "--ip, --ip6 and --mac-address are what the container gets; a taken address says whose it is" {
    caisson network create --subnet 10.5.0.0/24 --ipv6 --subnet fd05::/64 own
    caisson run -d --name one --network own --ip 10.5.0.77 --ip6 fd05::77 --mac-address 02:11:22:33:44:55 busybox sleep 100
    run caisson exec one ip addr show dev eth0
    [[ $output == *"inet 10.5.0.77/24"* && $output == *"inet6 fd05::77/64"* && $output == *"link/ether 02:11:22:33:44:55"* ]]
    run -125 caisson run --rm --network own --ip 10.5.0.77 busybox true
    [[ $output == *"10.5.0.77 of network own belongs to container $(caisson inspect -f '{{.Id}}' one | cut -c1-12)"* ]]
    fails 125 "does not lie in 10.5.0.0/24" caisson run --rm --network own --ip 10.6.0.1 busybox true
    fails 125 "it is the gateway's" caisson run --rm --network own --ip 10.5.0.1 busybox true
    fails 125 "make a network of your own" caisson run --rm --network bridge --ip 10.208.0.9 busybox true
    fails 125 "six pairs" caisson run --rm --network own --mac-address 1:2:3 busybox true
    caisson restart -t 0 one
    [ "$(address one own)" = 10.5.0.77 ]
}

@test "a subnet of which all addresses are given out says so, and gives them again" {
    caisson network create --subnet 10.5.0.0/29 small
    for i in 1 2 3 4 5; do
        caisson run -d --name "c$i" --network small busybox sleep 100
    done
    fails 125 "all addresses of 10.5.0.0/29 of network small are given out" caisson run --rm --network small busybox true
    caisson rm -f c3
    caisson run --rm --network small busybox true
}

@test "a container can be on several networks, each by its own words" {
    caisson network create --subnet 10.5.0.0/24 one
    caisson network create --subnet 10.6.0.0/24 two
    serve db --network two
    caisson run -d --name both --network name=one,ip=10.5.0.50 --network name=two,ip=10.6.0.50,alias=x busybox sleep 100
    run caisson exec both ip addr
    [[ $output == *"10.5.0.50/24 brd 10.5.0.255 scope global eth0"* && $output == *"10.6.0.50/24 brd 10.6.0.255 scope global eth1"* ]]
    [ "$(asks both "$(address db two)" 8080)" = "this is db" ]
    [ "$(caisson ps --filter network=two --format '{{.Names}}' | sort | xargs)" = "both db" ]
    fails 125 "is there twice" caisson run --rm --network one --network one busybox true
    fails 125 "goes with no other network" caisson run --rm --network none --network one busybox true
    fails 125 "with several networks" caisson run --rm --network one --network two --ip 10.5.0.9 busybox true
    fails 125 "no such network: nothere" caisson run --rm --network nothere busybox true
    fails 125 "means nothing with --network none" caisson run --rm --network none --ip 10.5.0.9 busybox true
}

@test "/etc/hosts has the container's own address and what --add-host says" {
    caisson network create shop
    run caisson run --rm --network shop --add-host db:10.9.9.9 --add-host me:host-gateway busybox cat /etc/hosts
    [[ $output == *"10.9.9.9"$'\t'"db"* ]]
    if by_root; then
        [[ $output == *"$(caisson network inspect -f '{{(index .IPAM.Config 0).Gateway}}' shop)"$'\t'"me"* ]]
    else
        [[ $output == *"192.0.2.1"$'\t'"me"* ]]
    fi
    [[ $output =~ 10\.208\.[0-9.]+$'\t'[0-9a-f]{12} ]]
    fails 125 "give NAME:IP" caisson run --rm --network shop --add-host x busybox true
}

# --- what is left ---------------------------------------------------------------------------------

@test "an end takes cable, firewall elements and address along; the last network the table" {
    caisson network create shop
    serve one --network shop
    caisson run --rm --network shop busybox true
    caisson rm -f one
    no_cables() { [ "$(cables)" = 0 ]; }
    waits 5 no_cables
    run in_networks nft list ruleset
    [[ $output != *"10.208.16."[2-9]* ]]
    [ -z "$(ls "$CAISSON_STATE/networks/shop/leases")" ]
    caisson network rm shop
    [ "$(bridges)" = 0 ]
    [ "$(tables)" = 0 ]
}

@test "a start that fails after its address was taken gives it back" {
    caisson network create shop
    run -127 caisson run --rm --network shop busybox nothere
    run -125 caisson run --rm --network shop --ulimit nofile=1:1 --sysctl net.ipv4.nothere=1 busybox true
    [ -z "$(ls "$CAISSON_STATE/networks/shop/leases")" ]
    run in_networks nft list ruleset
    [[ $output != *"10.208.16."[2-9]* ]]
}

@test "a run that is killed at any moment leaves nothing that the next command does not clean" {
    caisson network create shop
    for i in $(seq 1 25); do
        exec_in_host "${PERSON[@]}" "$CAISSON_BUILD/caisson" run --rm --network shop busybox true >/dev/null 2>&1 3>&- &
        pid=$!
        sleep "0.0$((RANDOM % 40 + 10))"
        kill -9 "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    none() { [ "$(caisson ps -aq)" = "" ]; }
    waits 10 none
    caisson network create other
    caisson network rm other
    gone() { caisson network rm shop; }
    waits 10 gone
    [ "$(cables)" = 0 ]
    [ "$(bridges)" = 0 ]
    [ "$(tables)" = 0 ]
}

@test "two containers that start at once on an unused network both come up" {
    caisson network create shop
    for i in 1 2 3 4 5 6; do
        caisson run -d --name "c$i" --network shop busybox sleep 100 >/dev/null 3>&- &
    done
    wait
    [ "$(caisson ps -q | wc -l)" = 6 ]
    [ "$(cables)" = 6 ]
    [ "$(bridges)" = 1 ]
    [ "$(caisson network inspect -f '{{range .Containers}}{{.IPv4Address}}
{{end}}' shop | sort -u | grep -c .)" = 6 ]
}
