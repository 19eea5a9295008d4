#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Published ports: where they are, who reaches them, what gets through, and what is left of them.
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
    PEERS=
}
teardown_file() {
    common_teardown_file
    host_end
}

teardown() {
    local ids pid
    host_usable || return 0
    for pid in $PEERS; do
        kill "$pid" 2>/dev/null || true
    done
    in_host nft delete table inet host 2>/dev/null || true
    ids=$(caisson ps -aq)
    # shellcheck disable=SC2086 # one word per id
    [ -z "$ids" ] || caisson rm -f -v $ids >/dev/null
    caisson network prune -f >/dev/null
    caisson network rm -f bridge >/dev/null
}

PEER="$BATS_TEST_DIRNAME/../lib/port_peer.py"

# publish NAME FLAGS...: a container that runs, and nothing in it that listens yet.
publish() {
    local name=$1
    shift
    caisson run -d --name "$name" "$@" busybox sleep 1000 >/dev/null
}

# listens CONTAINER PORT [ADDRESS]: in its network, what tests/lib/port_peer.py says.
listens() {
    local ready pid
    ready=$BATS_TEST_TMPDIR/ready.$1.$2.$RANDOM
    pid=$(caisson inspect -f '{{.State.Pid}}' "$1")
    nsenter --net="/proc/$pid/ns/net" python3 "$PEER" serve "$2" "$ready" ${3:+"$3"} </dev/null >/dev/null 2>&1 3>&- &
    PEERS="$PEERS $!"
    waits 10 test -e "$ready"
}

# from_host, from_lan VERB HOST PORT [N]: as a client there.
from_host() { in_host python3 "$PEER" "$@"; }
from_lan() { in_lan python3 "$PEER" "$@"; }

# relay NAME: the process that relays for it.
relay() { sed -n 's/^relay=//p' "$CAISSON_STATE/containers/$(caisson inspect -f '{{.Id}}' "$1")/status"; }
gone() { [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"; }
# sockets: how many are open to the world, but for those that answer names.
sockets() { in_host ss -Hltun | grep -vc ':53 ' || true; }

# --- where -----------------------------------------------------------------------------------------

@test "a published port is reached on the host's loopback, of both families, and not from its network" {
    publish web -p 8080:80
    listens web 80
    gateway=$(caisson network inspect -f '{{(index .IPAM.Config 0).Gateway}}' bridge)
    [ "$(from_host who 127.0.0.1 8080)" = "$gateway" ]
    [ "$(from_host who ::1 8080)" = "$gateway" ]
    run ! from_lan who 192.0.2.1 8080
    run ! from_host who 192.0.2.1 8080
    run ! from_lan who 2001:db8::1 8080
    [ "$(in_host ss -Hltn | grep -vc '127.0.0.1:8080\|\[::1\]:8080\|:53 ')" = 0 ]
}

@test "what serves in a container answers on its port, in the foreground too" {
    exec_in_host "${PERSON[@]}" "$CAISSON_BUILD/caisson" run --rm --name web -p 8080:80 busybox sh -c 'echo it works | nc -l -p 80' >/dev/null 3>&- &
    answers() { in_host sh -c 'busybox nc -w 2 127.0.0.1 8080 </dev/null' | grep -q 'it works'; }
    waits 10 answers
    wait $!
    [ "$(sockets)" = 0 ]
}

@test "on an address that is given the neighbours reach it, and the container sees theirs" {
    publish web -p 192.0.2.1:8080:80 -p '[2001:db8::1]:8080:80' --network bridge
    listens web 80
    [ "$(from_lan who 192.0.2.1 8080)" = 192.0.2.2 ]
    in_lan ip address add 192.0.2.77/24 dev host
    [ "$(in_lan python3 -c 'import socket; s = socket.create_connection(("192.0.2.1", 8080), 5, ("192.0.2.77", 4567)); s.sendall(b"who\n"); print(s.recv(100).decode())' | head -1)" = 192.0.2.77 ]
    in_lan ip address del 192.0.2.77/24 dev host
    gateway=$(caisson network inspect -f '{{(index .IPAM.Config 0).Gateway}}' bridge)
    [ "$(from_host who 192.0.2.1 8080)" = "$gateway" ]
    run ! from_host who 127.0.0.1 8080
    # The container has no IPv6 here, so who comes by that is nobody it could name.
    [ "$(from_lan who 2001:db8::1 8080)" = "$gateway" ]
}

@test "with IPv6 in the container, its clients keep theirs" {
    caisson network create --ipv6 six
    publish web -p '[::]:8080:80' -p 0.0.0.0:8080:80 -p '[::]:5300:53/udp' --network six
    listens web 80
    listens web 53
    [ "$(from_lan who 2001:db8::1 8080)" = 2001:db8::2 ]
    [ "$(from_lan who 192.0.2.1 8080)" = 192.0.2.2 ]
    [ "$(from_lan datagram 2001:db8::1 5300)" = "2001:db8::2 hello" ]
}

@test "datagrams are answered from where they were sent to, and show the client's address" {
    publish names -p 5300:53/udp -p 0.0.0.0:5353:53/udp
    listens names 53
    [[ $(from_host datagram 127.0.0.1 5300) =~ ^10\.[0-9.]+\ hello$ ]]
    [[ $(from_host datagram ::1 5300) =~ hello$ ]]
    [ "$(from_lan datagram 192.0.2.1 5353)" = "192.0.2.2 hello" ]
    in_host ip address add 192.0.2.9/24 dev lan
    [ "$(from_lan datagram 192.0.2.9 5353)" = "192.0.2.2 hello" ]
    in_host ip address del 192.0.2.9/24 dev lan
    [ "$(from_lan datagrams 192.0.2.1 5353 200)" = 200 ]
    run ! from_lan datagram 192.0.2.1 5300
}

@test "a container that speaks by its published port for datagrams to others still gets its answers" {
    publish names -p 0.0.0.0:5353:53/udp
    echo_begin "$LAN" 9000
    PEERS="$PEERS $ECHO"
    pid=$(caisson inspect -f '{{.State.Pid}}' names)
    [ "$(nsenter --net="/proc/$pid/ns/net" python3 -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3); s.bind(("", 53)); s.sendto(b"x", ("192.0.2.2", 9000)); print(s.recv(100).decode().strip())')" = 192.0.2.1 ]
}

@test "ranges are published port by port; -P takes free ports for what is exposed" {
    publish many -p 8000-8002:80-82 --expose 90 --expose 91-92/udp -P
    listens many 81
    [[ $(from_host who 127.0.0.1 8001) =~ ^10\. ]]
    run caisson port many
    [ "${#lines[@]}" = 12 ]
    [[ ${lines[0]} = "80/tcp -> 127.0.0.1:8000" && ${lines[1]} = "80/tcp -> [::1]:8000" ]]
    free=$(caisson port many 90 | head -1 | sed 's/.*://')
    [ "$free" -gt 1024 ]
    [ "$(caisson port many 90 | tail -1)" = "[::1]:$free" ]
    [[ $(caisson ps --format '{{.Ports}}') == *"127.0.0.1:8000-8002->80-82/tcp"* ]]
    caisson run -d --name one -p 8000-8010:80 busybox sleep 100
    [ "$(caisson port one 80/tcp | head -1)" = 127.0.0.1:8003 ]
    fails 1 "publishes no port 80/udp" caisson port one 80/udp
}

@test "ps, inspect and port show what is published and what is only exposed" {
    publish web -p 8080:80 -p 192.0.2.1:5300-5301:53-54/udp --expose 443
    [ "$(caisson ps --format '{{.Ports}}')" = "127.0.0.1:8080->80/tcp, 192.0.2.1:5300-5301->53-54/udp, [::1]:8080->80/tcp, 443/tcp" ]
    [ "$(caisson inspect -f '{{json .NetworkSettings.Ports}}' web | tr -d ' \n')" = '{"53/udp":[{"HostIp":"192.0.2.1","HostPort":"5300"}],"54/udp":[{"HostIp":"192.0.2.1","HostPort":"5301"}],"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"},{"HostIp":"::1","HostPort":"8080"}],"443/tcp":null}' ] ||
        { caisson inspect -f '{{json .NetworkSettings.Ports}}' web; false; }
    [ "$(caisson inspect -f '{{json .HostConfig.PortBindings}}' web | tr -d ' \n')" = '{"80/tcp":[{"HostIp":"","HostPort":"8080"}],"53/udp":[{"HostIp":"192.0.2.1","HostPort":"5300"}],"54/udp":[{"HostIp":"192.0.2.1","HostPort":"5301"}]}' ] ||
        { caisson inspect -f '{{json .HostConfig.PortBindings}}' web; false; }
    [ "$(caisson inspect -f '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}' web)" = 8080 ]
    [[ $(caisson inspect -f '{{json .Config.ExposedPorts}}' web) == *'"443/tcp"'* ]]
    [ "$(caisson inspect -f '{{range .Posture}}{{if eq .Name "published-ports"}}{{.InForce}} {{.Relaxed}}{{end}}{{end}}' web)" = "open: 192.0.2.1:5300:53/udp, 192.0.2.1:5301:54/udp true" ]
    publish other --network bridge --expose 443
    [ "$(caisson ps --filter publish=8080 --format '{{.Names}}')" = web ]
    [ "$(caisson ps --filter publish=5301/udp --format '{{.Names}}')" = web ]
    [ "$(caisson ps --filter publish=80 -q)" = "" ]
    [ "$(caisson ps --filter expose=440-450 --format '{{.Names}}' | sort | xargs)" = "other web" ]
    caisson stop -t 0 web
    [ "$(caisson inspect -f '{{json .NetworkSettings.Ports}}' web)" = "{}" ]
    [ -z "$(caisson port web)" ]
    [ "$(caisson ps -a --filter name=web --format '{{.Ports}}')" = "" ]
}

@test "what is no port is refused with how to say it, and what no network can mean with why" {
    for word in x 80:x 0 80/sctp 1:2:3 8000-8002:80-81 '[::1]:80' 127.0.0.1:80 host:80:80 65536 ::1:80:80 90-80; do
        run -125 caisson run --rm -p "$word" busybox true
        [[ $output == *"-p $word"* ]]
    done
    fails 125 "is published already" caisson run --rm -p 8080:80 -p 8080:81 busybox true
    fails 125 "--expose" caisson run --rm --network bridge --expose x busybox true
    fails 125 "a container can publish 400 ports" caisson run --rm -p 1000-1400:1000-1400 busybox true
        fails 125 "the host's own" caisson run --rm --network host -p 80:80 busybox true
    fails 125 "with --network none" caisson run --rm --network none -P busybox true
    publish web --network bridge
    fails 125 "publish the port there" caisson run --rm --network container:web -p 80:80 busybox true
    fails 125 "the host has no such address" caisson run --rm -p 192.0.2.200:80:80 busybox true
    [ "$(sockets)" = 0 ]
}

# --- whose -----------------------------------------------------------------------------------------

@test "a port in use says by which container, or that it is another program's, and makes nothing" {
    publish web -p 8080:80
    fails 125 "cannot bind 127.0.0.1:8080: in use by container web (published 8080→80); choose another port with -p" caisson run --rm -p 8080:90 busybox true
    fails 125 "cannot bind 0.0.0.0:8080: in use by container web" caisson run --rm -p 0.0.0.0:8080:90 busybox true
    caisson run --rm -p 8080:80/udp busybox true
    echo_begin "$HOST" 9001
    fails 125 "in use by another program (ss -ltnp" caisson run -d -p 9001:80 busybox true
    kill "$ECHO"
    [ "$(caisson ps -aq | wc -l)" = 1 ]
    caisson create --name late -p 8080:80 busybox sleep 100
    fails 125 "in use by container web" caisson start late
    caisson stop -t 0 web
    caisson start late
}

@test "the host's own firewall judges published ports like any service" {
    publish web -p 192.0.2.1:8080:80
    listens web 80
    [ "$(from_lan who 192.0.2.1 8080)" = 192.0.2.2 ]
    in_host nft add table inet host
    in_host nft add chain inet host input '{ type filter hook input priority 0; }'
    in_host nft add rule inet host input iifname lan tcp dport 8080 reject with tcp reset
    run ! from_lan who 192.0.2.1 8080
    in_host nft delete table inet host
    [ "$(from_lan who 192.0.2.1 8080)" = 192.0.2.2 ]
}

@test "after the firewall was flushed a port is open where it was published, and nowhere else" {
    publish web -p 8080:80 -p 192.0.2.1:8081:81
    listens web 80
    listens web 81
    in_host nft flush ruleset
    [[ $(from_host who 127.0.0.1 8080) =~ ^10\. ]]
    [ "$(from_lan who 192.0.2.1 8081)" = 192.0.2.2 ]
    run ! from_lan who 192.0.2.1 8080
    run ! from_lan who 192.0.2.1 80
}

@test "what listens on the container's own loopback only is not published" {
    publish web -p 8080:80
    listens web 80 ::ffff:127.0.0.1
    pid=$(caisson inspect -f '{{.State.Pid}}' web)
    nsenter --net="/proc/$pid/ns/net" python3 "$PEER" who 127.0.0.1 80
    run from_host who 127.0.0.1 8080
    [ "$output" = ConnectionResetError ]
    run from_host who ::1 8080
    [ "$output" = ConnectionResetError ]
}

@test "on several networks a port is that of the first one's address" {
    caisson network create --subnet 10.5.0.0/24 one
    caisson network create --subnet 10.6.0.0/24 two
    publish web --network two --network one -p 8080:80
    listens web 80 "::ffff:$(address web two)"
    [ "$(from_host who 127.0.0.1 8080)" = 10.6.0.1 ]
}

@test "an internal network can have a way in without a way out" {
    caisson network create --internal back
    publish web --network back -p 192.0.2.1:8080:80 -p 192.0.2.1:5300:80/udp
    listens web 80
    [ "$(from_lan who 192.0.2.1 8080)" = 192.0.2.2 ]
    [ "$(from_lan datagram 192.0.2.1 5300)" = "192.0.2.2 hello" ]
}

@test "a container that reaches the host's ports is not mistaken for another, nor for itself" {
    publish web --host-access -p 192.0.2.1:8080:80
    publish other --host-access --network bridge
    listens web 80
    gateway=$(caisson network inspect -f '{{(index .IPAM.Config 0).Gateway}}' bridge)
    for name in web other; do
        pid=$(caisson inspect -f '{{.State.Pid}}' $name)
        seen=$(nsenter --net="/proc/$pid/ns/net" python3 "$PEER" who 192.0.2.1 8080)
        [ $name = other ] && [ "$seen" = "$(address other bridge)" ] || [ "$seen" = "$gateway" ]
    done
}

# Seen to fail without SO_BINDTODEVICE in src/network/port_client.c.
@test "a container that gives its address away does not pass its clients' words on to whoever takes it" {
    caisson network create --subnet 10.5.0.0/24 one
    caisson run -d --name thief --network one --cap-add NET_ADMIN --user 0 busybox sleep 100
    caisson run -d --name web --network one --ip 10.5.0.9 -p 5300:53/udp --cap-add NET_ADMIN --user 0 busybox sleep 100
    listens web 53
    [ "$(from_host datagram 127.0.0.1 5300)" = "10.5.0.1 hello" ]
    caisson exec web sh -c 'ip rule del fwmark 0xca15; ip address del 10.5.0.9/24 dev eth0; ip address add 10.5.0.10/24 dev eth0'
    caisson exec thief ip address add 10.5.0.9/24 dev eth0
    in_networks nft flush ruleset # which lets nobody speak in another's name
    hears() { # in the thief's network: what comes to port 53 for three seconds
        nsenter --net="/proc/$(caisson inspect -f '{{.State.Pid}}' thief)/ns/net" python3 -c \
            'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3); s.bind(("10.5.0.9", 53)); print(s.recv(100))' 2>/dev/null
    }
    hears >"$BATS_TEST_TMPDIR/heard" 3>&- &
    sleep 0.5
    run ! from_host datagram 127.0.0.1 5300
    wait $! || true
    [ ! -s "$BATS_TEST_TMPDIR/heard" ]
    # The same with a socket that may go out, so that it is seen to be one that hears.
    hears >"$BATS_TEST_TMPDIR/heard" 3>&- &
    sleep 0.5
    nsenter --net="/proc/$(caisson inspect -f '{{.State.Pid}}' web)/ns/net" python3 -c \
        'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"aloud", ("10.5.0.9", 53))'
    wait $!
    [ "$(cat "$BATS_TEST_TMPDIR/heard")" = "b'aloud'" ]
}

# --- what gets through -----------------------------------------------------------------------------

@test "much arrives as it was sent, both ways, and the end of one direction leaves the other open" {
    publish web -p 8080:80
    listens web 80
    [ "$(from_host upload 127.0.0.1 8080 300000000)" = same ]
    [ "$(from_host download 127.0.0.1 8080 300000000)" = same ]
    [ "$(from_host upload ::1 8080 0)" = same ]
    [ "$(from_host closed 127.0.0.1 8080)" = end ]
    [ "$(from_host reset 127.0.0.1 8080)" = reset ]
}

@test "who reads slowly gets everything, and keeps nobody else waiting, nor our memory growing" {
    publish web -p 8080:80
    listens web 80
    from_host slow 127.0.0.1 8080 100000000 >"$BATS_TEST_TMPDIR/slow" 3>&- &
    slow=$!
    sleep 0.5
    [[ $(from_host who 127.0.0.1 8080) =~ ^10\. ]]
    [ "$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$(relay web)/status")" -lt 8192 ]
    wait $slow
    [ "$(cat "$BATS_TEST_TMPDIR/slow")" = same ]
}

@test "a thousand connections at once are all served" {
    publish web -p 8080:80
    listens web 80
    [ "$(from_host many 127.0.0.1 8080 1000)" = 1000 ]
    idle() { [ "$(find "/proc/$(relay web)/fd" | wc -l)" -lt 200 ]; }
    waits 5 idle
}

@test "when one port takes all connections it can, others still have some, and nobody spins" {
    (ulimit -n 700; in_host "${PERSON[@]}" "$CAISSON_BUILD/caisson" run -d --name web -p 8080:80 -p 8081:81 busybox sleep 1000 >/dev/null 3>&-)
    listens web 80
    listens web 81
    mkfifo "$BATS_TEST_TMPDIR/go"
    from_host hold 127.0.0.1 8080 300 <"$BATS_TEST_TMPDIR/go" >"$BATS_TEST_TMPDIR/held" 3>&- &
    exec 9>"$BATS_TEST_TMPDIR/go"
    waits 20 grep -q 300 "$BATS_TEST_TMPDIR/held"
    [[ $(from_host who 127.0.0.1 8081) =~ ^10\. ]]
    ticks() { awk '{print $14 + $15}' "/proc/$(relay web)/stat"; }
    before=$(ticks)
    sleep 2
    [ $(($(ticks) - before)) -lt 20 ]
    exec 9>&-
    again() { [[ $(from_host who 127.0.0.1 8080) =~ ^10\. ]]; }
    waits 10 again
}

# --- life ------------------------------------------------------------------------------------------

@test "ports come back with restart, with a restart policy, and are free after the end" {
    publish web -p 8080:80 --restart always
    first=$(relay web)
    caisson restart -t 0 web
    listens web 80
    [[ $(from_host who 127.0.0.1 8080) =~ ^10\. ]]
    gone "$first"
    second=$(relay web)
    kill -9 "$(caisson inspect -f '{{.State.Pid}}' web)"
    back() { [ "$(relay web)" != "$second" ] && caisson port web 80 | grep -q 8080; }
    waits 10 back
    third=$(relay web)
    caisson rm -f web
    gone "$third"
    [ "$(sockets)" = 0 ]
    caisson run --rm -p 8080:80 busybox true
    [ "$(sockets)" = 0 ]
}

@test "without its caisson-port a container stays, says that nothing is published, and gets it back with the next start" {
    publish web -p 8080:80
    kill -9 "$(relay web)"
    lost() { [ "$(sockets)" = 0 ]; }
    waits 5 lost
    [ "$(caisson inspect -f '{{.State.Status}} {{json (index .NetworkSettings.Ports "80/tcp")}}' web)" = "running null" ]
    fails 1 "start the container again (caisson restart web)" caisson port web
    [ "$(caisson ps --format '{{.Ports}}')" = 80/tcp ]
    caisson run --rm -p 8080:80 busybox true
    caisson restart -t 0 web
    listens web 80
    [[ $(from_host who 127.0.0.1 8080) =~ ^10\. ]]
}

@test "caisson-port ends by itself with the container, whoever ends that" {
    publish web -p 8080:80
    pid=$(relay web)
    monitor=$(sed -n 's/^monitor=//p' "$CAISSON_STATE/containers/$(caisson inspect -f '{{.Id}}' web)/status")
    kill -STOP "$monitor"
    kill -9 "$(caisson inspect -f '{{.State.Pid}}' web)"
    waits 5 gone "$pid"
    kill -CONT "$monitor"
}

@test "caisson-port has no right but to speak in the container's network" {
    publish web -p 8080:80
    pid=$(relay web)
    run cat "/proc/$pid/status"
    [[ $output == *$'CapEff:\t0000000000002000'* && $output == *$'CapPrm:\t0000000000002000'* && $output == *$'CapBnd:\t0000000000000000'* ]]
    [[ $output == *$'NoNewPrivs:\t1'* && $output == *$'Seccomp:\t2'* ]]
    [ "$(readlink "/proc/$pid/ns/user")" = "$(readlink "/proc/$(caisson inspect -f '{{.State.Pid}}' web)/ns/user")" ]
    [[ $(sed -n 's/^Uid:\t\([0-9]*\).*/\1/p' "/proc/$pid/status") -gt 65535 ]]
}

@test "a start that fails after its ports were bound gives them back" {
    run -127 caisson run --rm -p 8080:80 busybox nothere
    run -125 caisson run --rm -p 8080:80 --sysctl net.ipv4.nothere=1 busybox true
    none() { [ "$(sockets)" = 0 ]; }
    waits 5 none
    [ -z "$(ls "$CAISSON_STATE/networks/bridge/leases")" ]
}
