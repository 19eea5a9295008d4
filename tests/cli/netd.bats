#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# caisson-netd: names and egress lists of a network, in namespaces that stand for containers, the
# network, the host and the internet. How it is started: tests/lib/netd_world.py.
load ../lib/common
load ../lib/netd

setup_file() {
    common_setup_file
    skip_without ip nft nsenter unshare python3
    world_start
}

teardown() {
    rm -f "$WORLD/flood"
    touch "$WORLD/go"
    netd_end
}

teardown_file() {
    world_end
    common_teardown_file
}

# --- names --------------------------------------------------------------------------------------

@test "members are found by name, alias and short id, in both families, and by address" {
    network "$MEMBERS" "$WEB" "$DB"
    is "NOERROR aa, A 10.77.0.3" ask c1 db.Two
    is "NOERROR aa, A 10.77.0.3" ask c1 DB.tWO
    is "NOERROR aa, AAAA fd77::2" ask c2 www AAAA
    is "NOERROR aa, A 10.77.0.2" ask c2 111111111111
    is "NOERROR aa, A 10.77.0.2" ask c2 --tcp web
    is "NOERROR aa, A 10.77.0.2" ask c2 --server fd77::1 web
    is "NOERROR aa, PTR web" ask c2 2.0.77.10.in-addr.arpa PTR
    is "NOERROR aa, PTR web" ask c2 "2.$(printf '0.%.0s' {1..27})7.7.d.f.ip6.arpa" PTR
}

@test "of members nothing else exists, nor anything below them, and nobody outside is asked" {
    network "$MEMBERS" "$WEB" "$DB"
    is "NOERROR aa" ask c1 web MX
    is "NXDOMAIN aa" ask c1 x.y.web
    is "NXDOMAIN aa" ask c1 9.0.77.10.in-addr.arpa PTR
    is "NOERROR aa, HINFO 9" ask c1 web ANY
    not asked web
    not asked x.y.web
    not asked 9.0.77.10.in-addr.arpa
}

@test "all who share a name are its answer" {
    network "$MEMBERS" "$WEB" "alias both" "$DB" "alias both"
    is "NOERROR aa, A 10.77.0.2, A 10.77.0.3" ask c1 both
}

@test "on an isolated network a member sees itself only" {
    network "$MEMBERS" isolated "$WEB" "$DB"
    is "NOERROR aa, A 10.77.0.2" ask c1 web
    is "NOERROR, A 203.0.113.10" ask c2 web
    is "NXDOMAIN aa" ask c2 2.0.77.10.in-addr.arpa PTR
}

@test "an internal network asks nothing outside" {
    network "$MEMBERS" internal "$WEB"
    is "NOERROR aa, A 10.77.0.2" ask c1 web
    is "REFUSED reason=18" ask c1 --edns dual.internal.example.com
    not asked dual.internal.example.com
}

@test "who is no member gets no answer" {
    network "$MEMBERS" "$WEB"
    is nothing ask c3 --wait 1 web
}

@test "members that come, change and go while it runs are known at once" {
    network "$MEMBERS" "$WEB"
    is "NOERROR, A 203.0.113.10" ask c1 db.two
    names "$MEMBERS" "$WEB" "$DB" "alias late"
    firewall add "$ID2"
    is "NOERROR aa, A 10.77.0.3" ask c1 late
    is "NOERROR aa, A 10.77.0.2" ask c2 web
    names "$MEMBERS" "$WEB" "$DB"
    is "NOERROR, A 203.0.113.10" ask c1 late
    firewall remove "$ID2"
    names "$MEMBERS" "$WEB"
    is "NOERROR, A 203.0.113.10" ask c1 db.two
}

@test "a file of names that cannot be read changes nothing" {
    network "$MEMBERS" "$WEB"
    cp "$STATE/names" "$WORLD/good"
    names "$MEMBERS" "member broken"
    is "NOERROR aa, A 10.77.0.2" ask c1 web
    mv "$WORLD/good" "$STATE/names"
}

# --- servers ------------------------------------------------------------------------------------

@test "everything else is asked outside: both families, aliases, negative answers, by UDP and TCP" {
    network "$MEMBERS" "$WEB"
    is "NOERROR, A 203.0.113.10" ask c1 dual.example.com
    is "NOERROR, AAAA 2001:db8::10" ask c1 DUAL.example.COM AAAA
    is "NOERROR, A 203.0.113.11, CNAME one.other.net, CNAME two.other.net" ask c1 chain.example.com
    is "NXDOMAIN" ask c1 nx.example.com
    is "NOERROR" ask c1 empty.example.com
    is "NOERROR, A 203.0.113.10" ask c1 --tcp plain.example.com
    is "NOERROR, HINFO 9" ask c1 plain.example.com ANY
    is "NOTIMP" ask c1 plain.example.com AXFR
}

@test "what was answered is not asked again while it may be kept, and its time goes on" {
    network "$MEMBERS" "$WEB"
    is "NOERROR, A 203.0.113.13" ask c1 short.example.com
    TTLS=1 is "NOERROR, A 203.0.113.13 ttl=2" ask c1 SHORT.example.com
    [ "$(grep -c ' short.example.com ' "$WORLD/asked")" = 1 ]
    sleep 2.1
    is "NOERROR, A 203.0.113.13" ask c1 short.example.com
    [ "$(grep -c ' short.example.com ' "$WORLD/asked")" = 2 ]
}

@test "an answer that was cut off is asked for by TCP, and cut off for clients who take no more" {
    network "$MEMBERS" "$WEB"
    run ask c1 --edns big.example.com
    [ "$(tr , '\n' <<<"$output" | grep -c 'A 203')" = 30 ]
    grep -q "^tcp big.example.com" "$WORLD/asked"
    is "NOERROR tc" ask c1 big.two.example.com TXT
    run ask c1 --tcp big.two.example.com TXT
    [ "$(tr , '\n' <<<"$output" | grep -c TXT)" = 20 ]
}

@test "a server that lies is not believed, whatever it says" {
    network "$MEMBERS" "$WEB"
    for lie in wrongid wrongquestion spoofed stuffed; do
        is "NOERROR, A 203.0.113.10" ask c1 "$lie.example.com"
    done
    for lie in loop cut; do
        is "SERVFAIL" ask c1 "$lie.example.com"
    done
    is "NOERROR, A 203.0.113.10" ask c1 after.lies.example.com
}

@test "a silent server is followed by the next one, and all of them by an error" {
    network "$MEMBERS" "$WEB"
    is "NOERROR, A 203.0.113.10" ask c1 --wait 5 first.example.com
    is "SERVFAIL reason=22" ask c1 --wait 9 --edns silent.example.com
    is "SERVFAIL" ask c1 servfail.example.com
}

@test "without servers of its own a network asks those of resolv.conf, also when it is replaced" {
    mkdir -p "$WORLD/etc"
    echo "nameserver 127.0.0.9" >"$WORLD/etc/resolv.conf"
    NETD_ETC=$WORLD/etc network "$(grep -v upstream <<<"$MEMBERS")" "$WEB"
    is "SERVFAIL" ask c1 --wait 9 dual.resolv.example.com
    printf 'search x\nnameserver fe80::1%%lo\nnameserver 127.0.0.2\n' >"$WORLD/etc/new"
    mv "$WORLD/etc/new" "$WORLD/etc/resolv.conf"
    is "NOERROR, A 203.0.113.10" ask c1 dual.resolv.example.com
}

# --- egress lists -------------------------------------------------------------------------------

@test "a container reaches what is on its list, by the ports of the rule, once it has asked" {
    network "$MEMBERS" "$WEB" "$DB" "egress *.listed.example.com:443,dual.any.example.com,203.0.113.50:80"
    not reach c2 203.0.113.10 443
    is "NOERROR, A 203.0.113.10" ask c2 dual.listed.example.com
    reach c2 203.0.113.10 443
    not reach c2 203.0.113.10 80
    not reach c2 203.0.113.10 443 udp
    is "NOERROR, AAAA 2001:db8::10" ask c2 dual.any.example.com AAAA
    reach c2 2001:db8::10 80
    reach c2 2001:db8::10 853 udp
    reach c2 203.0.113.50 80
    not reach c2 203.0.113.50 443
    not reach c2 203.0.113.51 80
    reach c1 203.0.113.51 80
}

@test "a name on no list is refused at once, and nobody outside hears of it" {
    network "$MEMBERS" "$DB" "egress *.listed.example.com,one.example.com:443" "$THIRD" "egress none"
    is "REFUSED reason=15" ask c2 --edns secret.example.com
    is "REFUSED" ask c2 listed.example.com
    is "REFUSED" ask c2 xlisted.example.com
    is "REFUSED" ask c2 x.one.example.com
    is "REFUSED" ask c2 10.113.0.203.in-addr.arpa PTR
    is "REFUSED" ask c3 one.example.com
    is "NOERROR aa, A 10.77.0.3" ask c3 db.two
    not grep -qE "secret|[ x]listed.example|one.example|203.in-addr" "$WORLD/asked"
}

@test "other resolvers, DNS over TLS and over HTTPS are out of reach" {
    network "$MEMBERS" "$DB" "egress dual.example.com:443" "$THIRD" "egress none"
    is "NOERROR, A 203.0.113.10" ask c2 dual.example.com
    is "No route to host" ask c2 --server 203.0.113.53 x.example.com
    is "No route to host" ask c2 --tcp --server 203.0.113.53 x.example.com
    not reach c2 203.0.113.10 853
    not reach c2 203.0.113.54 443
    not reach c3 203.0.113.10 443
    is "NOERROR" ask c2 dual.example.com HTTPS
}

@test "a name leads to no address inside, unless a rule of addresses lists it" {
    network "$MEMBERS" "$WEB" "$DB" "egress *.example.com" "$THIRD" "egress *.example.com,10.0.0.0/8:80"
    is "NOERROR reason=15, A 203.0.113.12" ask c2 --edns private.example.com
    is "NOERROR" ask c2 inside.example.com AAAA
    is "NOERROR, A 10.0.0.5, A 203.0.113.12" ask c3 private.example.com
    is "NOERROR, A 10.0.0.5, A 127.0.0.1, A 169.254.169.254, A 203.0.113.12" ask c1 private.example.com
    inside network nft list ruleset >"$WORLD/rules"
    not grep -qF 10.0.0.5 "$WORLD/rules"
}

@test "addresses that change are all reached as long as they were promised, aliases at their end" {
    network "$MEMBERS" "$DB" "egress *.example.com:443"
    is "NOERROR, A 203.0.113.20" ask c2 changing.example.com
    sleep 1.1
    is "NOERROR, A 203.0.113.21" ask c2 changing.example.com
    reach c2 203.0.113.20 443
    reach c2 203.0.113.21 443
    not reach c2 203.0.113.22 443
    ask c2 chain.example.com | grep -q 203.0.113.11
    reach c2 203.0.113.11 443
    # 300 seconds of the answer, 60 beyond; a shorter promise takes nothing away
    is "NOERROR, A 203.0.113.13" ask c2 long.example.com
    is "NOERROR, A 203.0.113.13" ask c2 short.promise.example.com
    inside network nft list ruleset >"$WORLD/rules"
    grep -q "203.0.113.11 . tcp . 443 timeout 6m" "$WORLD/rules"
    grep -q "203.0.113.13 . tcp . 443 timeout 6m" "$WORLD/rules"
}

@test "a connection outlives the grant under which it was made" {
    network "$MEMBERS" "$DB" "egress dual.long.example.com:443"
    is "NOERROR, A 203.0.113.10" ask c2 dual.long.example.com
    rm -f "$WORLD/open" "$WORLD/go"
    inside c2 "$PYTHON" -IS -c '
import os, socket, sys, time
client = socket.create_connection(("203.0.113.10", 443), 5)
open(sys.argv[1] + "/open", "w").close()
while not os.path.exists(sys.argv[1] + "/go"):
    time.sleep(0.02)
client.sendall(b"still")
print(client.recv(16).decode())' "$WORLD" >"$WORLD/said" 3>&- &
    waits 5 test -e "$WORLD/open"
    inside network nft flush set inet caisson "egress4-$ID2"
    not reach c2 203.0.113.10 443
    touch "$WORLD/go"
    wait
    is still cat "$WORLD/said"
}

@test "each container has its own list" {
    network "$MEMBERS" "$WEB" "egress a.example.com:443" "$DB" "egress b.example.com:80"
    is "NOERROR, A 203.0.113.10" ask c1 a.example.com
    is "NOERROR, A 203.0.113.10" ask c2 b.example.com
    is "REFUSED" ask c1 b.example.com
    reach c1 203.0.113.10 443
    not reach c1 203.0.113.10 80
    reach c2 203.0.113.10 80
    not reach c2 203.0.113.10 443
}

@test "what was let pass and what was refused is in the log, as counts" {
    network "$MEMBERS" "$DB" "egress dual.log.example.com:443"
    ask c2 dual.log.example.com
    ask c2 other.log.example.com
    ask c2 other.log.example.com
    not reach c2 203.0.113.60 443
    logged() { cut -f1-8 "$STATE/egress" | grep -qxF "$1"; }
    waits 5 logged "$(printf 'granted\t%s\tdb.Two\tdual.log.example.com\t203.0.113.10\t443\ttcp\t1' "$ID2")"
    waits 5 logged "$(printf 'denied\t%s\tdb.Two\tother.log.example.com\t-\t-\t-\t2' "$ID2")"
    waits 5 logged "$(printf 'denied\t%s\tdb.Two\t-\t203.0.113.60\t443\ttcp\t1' "$ID2")"
}

# Seen to fail: sorting more than 128 of them took a system call that the keeper may not make.
@test "a log of hundreds of lines is written, and names are answered all the same" {
    network "$MEMBERS" "$DB" "egress *.many.example.com:443"
    for i in $(seq 1 200); do
        ask c2 "plain.n$i.many.example.com" >/dev/null
    done
    lines() { [ "$(wc -l <"$STATE/egress")" -ge 200 ]; }
    waits 10 lines
    [ -d "/proc/$(keeper)" ]
    is "NOERROR, A 203.0.113.10" ask c2 plain.after.many.example.com
}

# --- hostile containers -------------------------------------------------------------------------

@test "questions that are none are refused or dropped, and the next one is answered" {
    network "$MEMBERS" "$WEB"
    is "FORMERR" ask c1 --raw 123401000002000000000000 x
    is "FORMERR" ask c1 --raw 123401000001000000000000c00c00010001 x
    is "FORMERR" ask c1 --raw 12340100000100000000ffff0377656200000100010000290fff000000000000 x
    is "NOTIMP" ask c1 --raw 12342800000100000000000003776562000006000100 x
    is "nothing" ask c1 --wait 1 --raw 123481000001000000000000037765620000010001 x
    is "nothing" ask c1 --wait 1 --raw 1234 x
    is "closed" ask c1 --tcp --raw 1234 x
    is "NOERROR aa, A 10.77.0.2" ask c1 web
}

@test "a container that floods takes no answers from others" {
    network "$MEMBERS" "$WEB" "$DB"
    touch "$WORLD/flood"
    ask c2 --flood "$WORLD/flood" silent.COUNT.example.com >"$WORLD/flooded" 3>&- &
    sleep 0.5
    for i in 1 2 3 4; do
        is "NOERROR aa, A 10.77.0.3" ask c1 --wait 1 db.two
        is "NOERROR, A 203.0.113.10" ask c1 --wait 1 "plain$i.flood.example.com"
    done
    rm "$WORLD/flood"
    wait
    # at most so many at a time are asked for
    [ "$(grep -c ' silent.[0-9]*.example.com ' "$WORLD/asked")" -lt 1000 ]
}

@test "what is being asked is not asked twice, and all who asked have the answer" {
    network "$MEMBERS" "$WEB" "$DB" "egress *.twins.example.com"
    local i
    for i in 1 2 3; do
        ask c1 slow.twins.example.com >"$WORLD/twin$i" 3>&- &
    done
    ask c2 slow.twins.example.com >"$WORLD/twin4" 3>&- &
    wait
    for i in 1 2 3 4; do
        is "NOERROR, A 203.0.113.10" cat "$WORLD/twin$i"
    done
    [ "$(grep -c ' slow.twins.example.com ' "$WORLD/asked")" = 1 ]
    reach c2 203.0.113.10 443
}

@test "connections are bounded for each container, and closed when they ask nothing" {
    network "$MEMBERS" "$WEB" "$DB"
    inside c2 "$PYTHON" -IS -c '
import socket, time
held = [socket.create_connection(("10.77.0.1", 53)) for _ in range(80)]
time.sleep(0.3)
closed = 0
for one in held:
    one.setblocking(False)
    try:
        closed += one.recv(1) == b""
    except BlockingIOError:
        pass
    except ConnectionError:
        closed += 1
print(closed)
time.sleep(2)' >"$WORLD/held" 3>&- &
    waits 5 test -s "$WORLD/held"
    [ "$(cat "$WORLD/held")" = 72 ]
    is "NOERROR aa, A 10.77.0.2" ask c1 --tcp web
    wait
}

# --- its life -----------------------------------------------------------------------------------

@test "the resolver has no rights, the keeper one" {
    network "$MEMBERS" "$WEB"
    for pid in $(keeper) $(resolver); do
        grep -q "^NoNewPrivs:.1$" "/proc/$pid/status"
        grep -q "^Seccomp:.2$" "/proc/$pid/status"
        grep -q "^CapBnd:.0000000000000000$" "/proc/$pid/status" || [ "$(id -u)" != 0 ]
    done
    grep -q "^CapPrm:.0000000000000000$" "/proc/$(resolver)/status"
    grep -q "^CapPrm:.0000000000001000$" "/proc/$(keeper)/status"
}

@test "a resolver that is killed is replaced" {
    network "$MEMBERS" "$WEB"
    first=$(resolver)
    kill -9 "$first"
    another() { [ -n "$(resolver)" ] && [ "$(resolver)" != "$first" ]; }
    waits 5 another
    is "NOERROR aa, A 10.77.0.2" ask c1 web
    is "NOERROR, A 203.0.113.10" ask c1 plain.example.com
}

@test "killed and started again it answers as before, and what was granted is still reached" {
    network "$MEMBERS" "$DB" "egress dual.again.example.com:443"
    is "NOERROR, A 203.0.113.10" ask c2 dual.again.example.com
    local old
    old="$(keeper) $(resolver)"
    kill -9 "$(keeper)"
    for pid in $old; do waits 5 gone "$pid"; done
    reach c2 203.0.113.10 443
    started=$(netd_start)
    [ "$started" != runs ]
    echo "$started" >"$STATE/pid"
    is "NOERROR, A 203.0.113.10" ask c2 dual.again.example.com
    is "REFUSED" ask c2 other.example.com
    [ "$(netd_start)" = runs ]
}

@test "it ends after the last member, and not while somebody changes the members" {
    network "$MEMBERS" "$WEB"
    pid=$(keeper)
    firewall remove "$ID1"
    (
        flock 9
        names "$MEMBERS"
        sleep 0.5
        kill -0 "$pid"
        names "$MEMBERS" "$WEB"
        firewall add "$ID1"
        [ "$(flock -n "$STATE/netd.lock" echo free)" != free ]
    ) 9>"$STATE/names.lock" 3>&-
    sleep 0.3
    is "NOERROR aa, A 10.77.0.2" ask c1 web
    firewall remove "$ID1"
    names "$MEMBERS"
    waits 5 gone "$pid"
    [ "$(flock -n "$STATE/netd.lock" echo free)" = free ]
    rm "$STATE/pid"
}
