#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# network connect and disconnect: a container is on one network more, or less, while it runs.
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
    caisson network check -q
    ids=$(caisson ps -aq)
    # shellcheck disable=SC2086 # one word per id
    [ -z "$ids" ] || caisson rm -f -v $ids >/dev/null
    caisson network prune -f >/dev/null
    caisson network rm -f bridge >/dev/null
    [ -z "$ECHO" ] || kill "$ECHO"
    ECHO=
}

rests() {
    local name=$1
    shift
    caisson run -d --name "$name" "$@" busybox sleep 600 >/dev/null
}
finds() { caisson exec "$1" nslookup "$2" 2>/dev/null | sed -n '/^Name/,$s/^Address: //p' | sort -u | xargs; }
gateway() { caisson network inspect -f '{{(index .IPAM.Config 0).Gateway}}' "$1"; }
default_of() { caisson exec "$1" ip route | sed -n 's/^default via \([^ ]*\) .*/\1/p'; }
on() { caisson inspect -f '{{range $name, $value := .NetworkSettings.Networks}}{{$name}} {{end}}' "$1" | xargs; }

@test "one that runs reaches a network as soon as it is on it, by name both ways, and no longer than that" {
    caisson network create shop
    caisson network create other
    serve db --network shop
    serve web --network other
    run ! asks web "$(address db shop)" 8080
    [ -z "$(finds web db)" ]
    caisson network connect --alias site shop web
    [ "$(on web)" = "other shop" ]
    [ "$(finds web db)" = "$(address db shop)" ]
    [ "$(finds db site)" = "$(address web shop)" ]
    [ "$(finds db web)" = "$(address web shop)" ]
    [ "$(asks web "$(address db shop)" 8080)" = "this is db" ]
    [ "$(asks db "$(address web shop)" 8080)" = "this is web" ]
    old=$(address web shop)
    caisson network check -q
    caisson network disconnect shop web
    [ "$(on web)" = other ]
    run ! asks web "$(address db shop)" 8080
    run ! asks db "$old" 8080
    [ -z "$(finds web db)" ]
    [ -z "$(finds db web)" ]
    [ "$(finds web web)" = "$(address web other)" ]
    run caisson exec web ip link
    [[ $output == *eth0* && $output != *eth1* ]]
    [ "$(caisson inspect -f '{{range .Posture}}{{if eq .Name "network"}}{{.InForce}}{{end}}{{end}}' web)" = "own namespace, on other" ]
}

@test "the way out stays, goes over to the next network, and comes with the first that has one" {
    echo_begin "$LAN" 9000
    caisson network create first
    caisson network create second
    caisson network create --internal inner
    rests web --network first
    caisson network connect second web
    [ "$(default_of web)" = "$(gateway first)" ]
    caisson network disconnect first web
    [ "$(default_of web)" = "$(gateway second)" ]
    asks web 192.0.2.2 9000
    caisson network connect inner web
    caisson network disconnect second web
    [ -z "$(default_of web)" ]
    run ! asks web 192.0.2.2 9000
    caisson network disconnect inner web
    [ -z "$(on web)" ]
    caisson network connect first web
    [ "$(default_of web)" = "$(gateway first)" ]
    asks web 192.0.2.2 9000
}

@test "resolv.conf follows, what somebody wrote into it stays, and what it became is not followed" {
    caisson network create first
    caisson network create second
    rests web --network first --dns-search . --read-only=false --user 0
    caisson exec web sh -c 'echo "# mine" >>/etc/resolv.conf'
    caisson network connect second web
    run caisson exec web cat /etc/resolv.conf
    [ "$output" = "options ndots:0
# mine
nameserver $(gateway first)
nameserver $(gateway second)" ]
    caisson network disconnect first web
    run caisson exec web cat /etc/resolv.conf
    [ "$output" = "options ndots:0
# mine
nameserver $(gateway second)" ]
        [ "$(finds web web)" = "$(address web second)" ]
    rests fixed --network first
    fails 0 "" caisson network connect second fixed
    fails 0 "finds no names until it is started again" caisson network disconnect first fixed
    caisson restart -t 0 fixed
    [ "$(finds fixed fixed)" = "$(address fixed second)" ]
    rests bare --network first --read-only=false --cap-add SYS_ADMIN --security-opt seccomp=unconfined --user 0 --tmpfs /t
    caisson exec bare sh -c 'umount /etc/resolv.conf; mkfifo /t/fifo; touch /etc/resolv.conf 2>/dev/null; mount --bind /t/fifo /etc/resolv.conf' || true
    caisson network connect second bare
    [ "$(on bare)" = "first second" ]
}

@test "an address, one of IPv6 and a hardware address are chosen as with run, and refused as there" {
    caisson network create --subnet 10.5.0.0/24 --subnet fd05::/64 shop
    caisson network create other
    rests web --network other
    rests db --network name=shop,ip=10.5.0.9
    caisson network connect --ip 10.5.0.50 --ip6 fd05::50 --mac-address 02:00:00:00:00:07 shop web
    run caisson exec web ip addr show eth1
    [[ $output == *10.5.0.50/24* && $output == *fd05::50/64* && $output == *02:00:00:00:00:07* ]]
    caisson network disconnect shop web
    fails 1 "10.5.0.9" caisson network connect --ip 10.5.0.9 shop web
    fails 1 "does not lie in" caisson network connect --ip 10.6.0.9 shop web
    fails 1 "is on network other already" caisson network connect other web
    fails 1 "no such network: nothere" caisson network connect nothere web
    fails 1 "no such container: nothere" caisson network connect shop nothere
    fails 1 "is not on network shop" caisson network disconnect shop web
    caisson network disconnect -f shop web
    [ "$(on web)" = other ]
    [ "$(find "$CAISSON_STATE/networks/shop/leases" -type l | wc -l)" = 2 ]
}

@test "one that does not run is on it from its next start, and a restart brings what was connected" {
    caisson network create shop
    caisson network create other
    caisson create --name web --network other busybox sleep 600
    caisson network connect --alias site shop web
    [ "$(on web)" = "other shop" ]
    caisson start web
    serve db --network shop
    [ "$(finds db site)" = "$(address web shop)" ]
    caisson network disconnect other web
    caisson restart -t 0 web
    [ "$(on web)" = shop ]
    [ "$(finds web db)" = "$(address db shop)" ]
    run caisson exec web ip link
    [[ $output != *eth1* ]]
    caisson stop -t 0 web
    caisson network disconnect shop web
    caisson network connect other web
    caisson start web
    [ "$(on web)" = other ]
}

@test "lists of destinations hold on a network that comes later" {
    echo_begin "$LAN" 9000
    caisson network create front
    caisson network create --internal back
    rests web --network back --egress 192.0.2.2:9001
    caisson network connect front web
    run ! asks web 192.0.2.2 9000
    [ "$(caisson inspect -f '{{json .NetworkSettings.Networks.front.Egress}}' web)" = '["192.0.2.2:9001"]' ]
    kill "$ECHO"
    echo_begin "$LAN" 9001
    asks web 192.0.2.2 9001
    caisson network disconnect front web
    run ! asks web 192.0.2.2 9001
    [ -z "$(in_networks nft list ruleset | grep "goto egress.*\.1" || true)" ]
}

@test "who was made for no network may have one, with the host's or another's not; ports stay with their network" {
    caisson network create shop
    rests lone --network none
    rests host --network host
    rests web -p 8080:80 --network shop
    rests guest --network container:web
    caisson network create other
    caisson network connect other lone
    serve db --network other
    [ "$(asks lone "$(address db other)" 8080)" = "this is db" ]
    fails 1 "has the host's network" caisson network connect other host
    fails 1 "has the network of another" caisson network connect other guest
    fails 1 "publishes its ports from network shop" caisson network disconnect shop web
    caisson network connect other web
    caisson network disconnect other web
}

# Seen to fail: the plan was written first, and then nobody could tell that it was there still.
@test "a disconnect that is killed at any moment can be said again" {
    caisson network create shop
    caisson network create other
    for i in $(seq 1 10); do
        rests web --network other --network shop
        exec_in_host "${PERSON[@]}" "$CAISSON_BUILD/caisson" network disconnect shop web >/dev/null 2>&1 3>&- &
        pid=$!
        sleep "0.0$((RANDOM % 20 + 5))"
        kill -9 "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
        caisson network disconnect -f shop web
        [ "$(on web)" = other ]
        run caisson exec web ip link
        [[ $output != *eth1* ]]
        [ -z "$(find "$CAISSON_STATE/networks/shop/leases" -type l)" ]
        caisson network check -q
        caisson rm -f web >/dev/null
    done
}

# Seen to fail: it waited for the file as long as the container lived, and everybody else for it.
@test "a resolv.conf that never answers holds nobody up" {
    only_root "a user has no /dev/fuse to give"
    [ -e /dev/fuse ] || skip "needs /dev/fuse"
    caisson network create first
    caisson network create second
    rests web --network first --read-only=false --user 0 --cap-add SYS_ADMIN --device /dev/fuse \
        --security-opt seccomp=unconfined --security-opt landlock=off
    pid=$(caisson inspect -f '{{.State.Pid}}' web)
    python3 -c 'import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
for place in [os.open(f"/proc/{sys.argv[1]}/ns/{kind}", os.O_RDONLY) for kind in ("user", "mnt")]:
    if libc.setns(place, 0) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
os.setgid(0)
os.setuid(0)
fd = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={fd},rootmode=100644,user_id=0,group_id=0,allow_other".encode()
if libc.mount(b"x", b"/etc/resolv.conf", b"fuse", 0, options) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
print("mounted", flush=True)
time.sleep(60)' "$pid" >"$BATS_TEST_TMPDIR/mounted" 2>&1 3>&- &
    silent=$!
    waits 5 grep -q . "$BATS_TEST_TMPDIR/mounted"
    grep -q mounted "$BATS_TEST_TMPDIR/mounted" || skip "no FUSE here: $(cat "$BATS_TEST_TMPDIR/mounted")"
    began=$SECONDS
    in_host timeout 20 "$CAISSON_BUILD/caisson" network connect second web
    [ $((SECONDS - began)) -lt 10 ]
    kill $silent
    [ "$(on web)" = "first second" ]
}

@test "killed at any moment it leaves a container that can be removed, and nothing of it" {
    caisson network create shop
    caisson network create other
    for i in $(seq 1 12); do
        rests web --network other
        exec_in_host "${PERSON[@]}" "$CAISSON_BUILD/caisson" network connect shop web >/dev/null 2>&1 3>&- &
        pid=$!
        sleep "0.0$((RANDOM % 30 + 10))"
        kill -9 "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
        [ $((i % 2)) = 0 ] || caisson network disconnect -f shop web || true
        caisson rm -f web >/dev/null
        [ -z "$(find "$CAISSON_STATE"/networks/*/leases -type l)" ]
        [ -z "$(cat "$CAISSON_STATE"/networks/*/names | grep member || true)" ]
    done
}

@test "networks' events are told as Docker does: made, come to, left, destroyed" {
    past() { caisson events --since 1h --until 0s --filter type=network "$@"; }
    told() { past --format '{{.Action}}' "$@" | xargs; }
    rm -f "$CAISSON_STATE/events" "$CAISSON_STATE/events.1"
    shop=$(caisson network create shop)
    caisson network create other >/dev/null
    serve db --network shop
    id=$(caisson inspect -f '{{.Id}}' db)
    caisson network connect other db
    caisson network disconnect other db
    caisson rm -f db >/dev/null
    caisson network rm shop other >/dev/null
    [ "$(told --filter network=shop)" = "create connect disconnect destroy" ]
    [ "$(told --filter network=other)" = "create connect disconnect destroy" ]
    [ "$(told --filter network="${shop:0:12}" --filter event=connect)" = connect ]
    [[ $(past --filter network=shop --filter event=connect) =~ \ network\ connect\ $shop\ \(container=$id,\ name=shop,\ type=bridge\)$ ]]
    [[ $(past --filter network=shop --filter event=destroy) =~ \ network\ destroy\ $shop\ \(name=shop,\ type=bridge\)$ ]]
    [ -z "$(past --filter container=db)" ]
    # one that failed was on no network, and a container's own events do not tell of it
    run ! caisson run --rm --network bridge busybox /no/such/program
    [ -z "$(told --filter network=bridge)" ]
    [ -z "$(caisson events --since 1h --until 0s --filter type=container --filter event=connect)" ]
    caisson network prune -f
    [ "$(told --filter event=prune)" = prune ]
}
