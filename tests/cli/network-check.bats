#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# network check: what somebody changed is told and restored; what nobody changed is not told.
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
    host_usable || skip "needs root, nft, ip, ss, nsenter and python3"
    caisson network create --ipv6 --subnet 10.5.0.0/24 --subnet fd05::/64 shop
    caisson network create --internal --subnet 10.6.0.0/24 back
    caisson network create --opt icc=false --subnet 10.7.0.0/24 apart
    caisson run -d --name web --network shop --network back --host-access busybox sleep 1000
    caisson run -d --name app --network shop --metadata-access busybox sleep 1000
    caisson run -d --name lone --network apart busybox sleep 1000
    caisson run -d --name usual --network bridge busybox sleep 1000
    TABLE=$(in_networks nft list tables inet | sed 's/table inet //')
    BRIDGE=$(caisson network inspect -f '{{.Bridge}}' shop)
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
    caisson network rm -f shop back apart bridge >/dev/null
    # An ordinary user's rules go with their namespace, which ends with the last container.
    ! by_root || in_host nft flush ruleset
}

short() { caisson inspect -f '{{.Id}}' "$1" | cut -c1-10; }

well() { [ "$(caisson network check)" = "networks are as they should be" ]; }

# tells TEXT...: the check ends with 1, and each text is in one line of what it says; nothing else is.
tells() {
    local text
    run -1 caisson network check
    echo "$output"
    [ "${#lines[@]}" = $# ]
    for text in "$@"; do
        [ "$(grep -cF -- "$text" <<<"$output")" = 1 ]
    done
}

# repairs: --repair restores all that was told last.
repairs() {
    [ "$(caisson network check --repair | grep -c '^restored: ')" = "${#lines[@]}" ]
    well
}

# --- nothing is wrong -----------------------------------------------------------------------------

@test "nothing is said of several networks and containers, IPv6 included, and nothing is changed" {
    well
    [ "$(caisson network check shop)" = "networks are as they should be" ]
    [ "$(caisson network check -q)" = "" ]
    [ "$(caisson network check --format json)" = "" ]
    # The kernel sees by itself that nobody else has an address of a new link.
    waits 10 sh -c '! nsenter --net="/proc/$1/ns/net" ip address | grep -q tentative' - "$(networks_pid)"
    in_networks nft -a list ruleset >"$BATS_TEST_TMPDIR/before"
    in_networks ip -d address >>"$BATS_TEST_TMPDIR/before"
    well
    [ "$(caisson network check --repair)" = "networks are as they should be" ]
    in_networks nft -a list ruleset >"$BATS_TEST_TMPDIR/after"
    in_networks ip -d address >>"$BATS_TEST_TMPDIR/after"
    sed -i -E 's/(valid|preferred)_lft .*//; s/(timer|used) .*//; s/counter packets .* bytes [0-9]+//' "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
    diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}

@test "what passed through the firewall is no difference" {
    caisson exec web sh -c 'ping -c 1 -W 1 192.0.2.2; nc -w 1 169.254.169.254 80 </dev/null' || true
    [[ $(in_networks nft list ruleset) == *"packets 1"* ]] || [[ $(in_networks nft list ruleset) == *"packets 2"* ]]
    well
}

@test "containers that end, and networks nobody is on, are no difference" {
    caisson rm -f web
    caisson stop -t 0 app
    well
    caisson start app
    well
    caisson run --rm --network shop busybox true
    caisson network create unused
    well
    caisson rm -f app lone usual
    well
    caisson network rm shop back apart bridge
    well
    [ "$(caisson network check bridge)" = "networks are as they should be" ]
    [ "$(caisson network ls --format '{{.Name}}' | xargs)" = "bridge unused" ]
    caisson network rm unused
}

@test "who shares a container's network is on no cable that nobody has" {
    caisson run -d --name guest --network container:web busybox sleep 1000
    well
    caisson rm -f web
    well
    caisson rm -f guest
}

@test "the words are checked, and a failure to look is not a difference" {
    run -2 caisson network check nothere
    [[ $output == *"no such network: nothere"* ]]
    run -0 caisson network check --help
    [[ $output == *"caisson network check -q --repair"* ]]
}

# --- the firewall ---------------------------------------------------------------------------------

@test "after a flush of all rules both tables are missing, and --repair makes them whole" {
    in_networks nft flush ruleset
    tells "table inet $TABLE is missing; the next caisson run on the network, or caisson network check --repair, restores it" \
        "table bridge $TABLE is missing"
    repairs
}

@test "after a flush of all rules the next run makes them whole, without --repair" {
    in_networks nft flush ruleset
    caisson run --rm --network bridge busybox true
    well
}

@test "one of the two tables is missing" {
    in_networks nft delete table bridge "$TABLE"
    tells "table bridge $TABLE is missing"
    caisson run --rm --network bridge busybox true
    well
    in_networks nft delete table inet "$TABLE"
    tells "table inet $TABLE is missing"
    repairs
}

@test "a table that is switched off, or empty of rules" {
    in_networks nft add table inet "$TABLE" '{ flags dormant; }'
    tells "table inet is not as it was made; caisson network check --repair restores it"
    repairs
    in_networks nft flush table bridge "$TABLE"
    tells "chain bridge arriving has none of its rules"
    repairs
}

@test "each kind of element is missed, with the network and the container whose it is" {
    ip=$(address web shop)
    six=$(caisson inspect -f '{{.NetworkSettings.Networks.shop.GlobalIPv6Address}}' web)
    mac=$(caisson inspect -f '{{.NetworkSettings.Networks.shop.MacAddress}}' web)
    lost() { # SET ELEMENT WHOSE
        in_networks nft delete element inet "$TABLE" "$1" "{ $2 }"
        tells "$3: $2 of the firewall's set inet $1 is missing; caisson network check --repair restores it"
        repairs
    }
    lost members4 "$BRIDGE . $ip" "network shop, container web"
    lost members6 "$BRIDGE . $six" "network shop, container web"
    lost host4 "$ip" "network shop, container web"
    lost metadata4 "$(address app shop)" "network shop, container app"
    lost bridges "$BRIDGE" "network shop"
    lost shared "$BRIDGE . $BRIDGE" "network shop"
    lost internal "$(caisson network inspect -f '{{.Bridge}}' back)" "network back"
    in_networks nft delete element inet "$TABLE" subnets6 '{ fd05::/64 }'
    tells "network shop: fd05:: of the firewall's set inet subnets6 is missing"
    repairs
    in_networks nft delete element bridge "$TABLE" senders4 "{ cv$(short web)0 . $mac . $ip }"
    tells "network shop, container web: cv$(short web)0 . $mac . $ip of the firewall's set bridge senders4 is missing"
    repairs
}

@test "elements that should not be there" {
    in_networks nft add element inet "$TABLE" host4 "{ 10.5.0.99 }"
    in_networks nft add element inet "$TABLE" shared "{ $BRIDGE . lan }"
    in_networks nft add element inet "$TABLE" host6 "{ fd05::99 }"
    in_networks nft add element inet "$TABLE" subnets4 "{ 10.99.0.0/16 }"
    in_networks nft add element inet "$TABLE" egress4 "{ $(address web shop) : accept }"
    in_networks nft add element bridge "$TABLE" senders4 "{ cv$(short web)0 . 02:00:00:00:00:01 . $(address app shop) }"
    tells "10.5.0.99 of the firewall's set inet host4 should not be there; caisson network check --repair restores it" \
        "network shop: $BRIDGE . lan of the firewall's set inet shared should not be there" \
        "fd05::99 of the firewall's set inet host6 should not be there" \
        "10.99.0.0 of the firewall's set inet subnets4 should not be there" \
        "network shop, container web: $(address web shop) of the firewall's set inet egress4 should not be there" \
        "cv$(short web)0 . 02:00:00:00:00:01 . $(address app shop) of the firewall's set bridge senders4 should not be there"
    repairs
}

@test "a rule that is missing, in each chain" {
    for chain in "inet $TABLE from" "inet $TABLE to" "inet $TABLE host" "inet $TABLE forward" "inet $TABLE input" \
        "inet $TABLE arriving" "inet $TABLE leaving" "bridge $TABLE arriving"; do
        # shellcheck disable=SC2086 # three words
        handle=$(in_networks nft -a list chain $chain | grep -o 'handle [0-9]*$' | tail -n 1)
        # shellcheck disable=SC2086
        in_networks nft delete rule $chain $handle
        # shellcheck disable=SC2086
        count=$(in_networks nft -a list chain $chain | grep -c 'handle [0-9]*$')
        # the first handle is the chain's own, and one rule is gone
        how="lacks its rule $count of $count"
        [ "$count" != 1 ] || how="has none of its rules"
        tells "chain ${chain/$TABLE /} $how"
        repairs
    done
}

@test "a rule that should not be there, at the beginning, in between, at the end, and one that was changed" {
    in_networks nft insert rule inet "$TABLE" from accept
    tells "rule 1 of chain inet from should not be there"
    repairs
    handle=$(in_networks nft -a list chain inet "$TABLE" host | grep -o 'handle [0-9]*$' | sed -n 4p)
    in_networks nft add rule inet "$TABLE" host position "${handle#handle }" accept
    tells "rule 4 of chain inet host should not be there"
    repairs
    in_networks nft add rule bridge "$TABLE" arriving counter accept
    tells "of chain bridge arriving should not be there"
    repairs
    handle=$(in_networks nft -a list chain inet "$TABLE" to | grep -o 'handle [0-9]*$' | tail -n 1)
    in_networks nft replace rule inet "$TABLE" to "$handle" counter accept
    tells "rule 3 of chain inet to should not be there" "chain inet to lacks its rule 3 of 3"
    repairs
}

@test "the same rules in another order" {
    handle=$(in_networks nft -a list chain inet "$TABLE" to | grep -o 'handle [0-9]*$' | sed -n 2p)
    in_networks nft delete rule inet "$TABLE" to "$handle"
    in_networks nft add rule inet "$TABLE" to ct state established,related accept
    tells "chain inet to lacks its rule 1 of 3" "rule 3 of chain inet to should not be there"
    repairs
}

@test "chains and sets that should not be there, and a chain with another policy" {
    in_networks nft add chain inet "$TABLE" mine '{ type filter hook input priority -10; }'
    in_networks nft add set inet "$TABLE" own '{ type ipv4_addr; elements = { 10.9.9.9 }; }'
    in_networks nft chain inet "$TABLE" input '{ policy drop; }'
    tells "chain inet mine should not be there" "set inet own should not be there" \
        "chain inet input is not as it was made"
    repairs
}

@test "a container's list of destinations is in force, as it was said, and nothing beside it" {
    caisson run -d --name listed --network shop --egress api.example.com:443,192.0.2.2:80 busybox sleep 600 >/dev/null
    chain=egress-$(caisson inspect -f '{{.Id}}' listed)
    ip=$(address listed shop)
    well
    in_networks nft insert rule inet "$TABLE" "$chain" accept
    tells "rule 1 of chain inet $chain should not be there"
    repairs
    in_networks nft flush chain inet "$TABLE" "$chain"
    tells "chain inet $chain has none of its rules"
    repairs
    in_networks nft add chain inet "$TABLE" "egress-${chain//[0-9a-f]/0}"
    tells "should not be there"
    repairs
    in_networks nft add element inet "$TABLE" "${chain/egress/egress4}" '{ 192.0.2.2 . tcp . 443 timeout 60s }'
    well
    in_networks nft delete element inet "$TABLE" egress4 "{ $ip }"
    tells "network shop, container listed: $ip of the firewall's set inet egress4 is missing"
    repairs
    in_networks nft delete element inet "$TABLE" egress4 "{ $ip }"
    in_networks nft add element inet "$TABLE" egress4 "{ $ip : accept }"
    tells "network shop, container listed: $ip of the firewall's set inet egress4 is not as it was made"
    repairs
    caisson rm -f listed
    well
}

@test "tables of others are nobody's business" {
    in_networks nft add table inet other
    in_networks nft add chain inet other input '{ type filter hook input priority 0; }'
    in_networks nft add rule inet other input accept
    well
    in_networks nft delete table inet other
}

# Seen to fail when the socket had its usual room: no buffer space, and no run any more either.
@test "a flush with a thousand leases is told and restored" {
    leases=$CAISSON_STATE/networks/apart/leases
    id=$(caisson inspect -f '{{.Id}}' lone)
    for i in $(seq 1000); do
        ln -s "$id 0 02:ca:0a:07:$(printf '%02x:%02x' $((i / 250)) $((i % 250)))" "$leases/10.107.$((i / 250)).$((i % 250))"
    done
    in_networks nft flush ruleset
    tells "table inet $TABLE is missing" "table bridge $TABLE is missing"
    caisson run --rm --network bridge busybox true
    well
    rm "$leases"/10.107.*
    [ "$(caisson network check | wc -l)" -ge 1000 ]
    caisson network check -q --repair >/dev/null
    well
}

# Seen to fail when a member's IPv6 address was written before the list that it goes by: the order in which a
# directory is read is nobody's choice.
@test "after a flush containers with lists of destinations and both families are whole again" {
    for i in 1 2 3 4 5 6 7 8; do
        caisson run -d --name "agent$i" --network shop --egress "192.0.2.$i:80" busybox sleep 1000
        well
    done
    in_networks nft flush ruleset
    caisson run --rm --network bridge busybox true
    well
}

# --- interfaces -----------------------------------------------------------------------------------

@test "a bridge that was removed comes back with its cables, by --repair or by the next run on it" {
    in_networks ip link del "$BRIDGE"
    tells "network shop: bridge $BRIDGE is missing; the next caisson run on the network, or caisson network check --repair, restores it"
    repairs
    in_networks ip link del "$BRIDGE"
    caisson run --rm --network shop busybox true
    well
}

@test "a bridge with other addresses, one that is down, a stranger on it" {
    in_networks ip address del 10.5.0.1/24 dev "$BRIDGE"
    in_networks ip address add 10.5.0.1/16 dev "$BRIDGE"
    in_networks ip -6 address del fd05::1/64 dev "$BRIDGE"
    tells "network shop: bridge $BRIDGE lacks its address 10.5.0.1/24" "bridge $BRIDGE lacks its address fd05::1/64" \
        "bridge $BRIDGE has the address 10.5.0.1/16, which is not caisson's"
    repairs
    in_networks ip link set "$BRIDGE" down
    tells "network shop: bridge $BRIDGE is down" "lacks its address fd05::1/64"
    repairs
    in_networks ip link add stranger type veth peer name other
    in_networks ip link set stranger master "$BRIDGE"
    tells "network shop: interface stranger is on bridge $BRIDGE, and no container's"
    repairs
    in_networks ip link del stranger
}

@test "a cable that was unplugged, taken down, kept apart or not, or is gone" {
    cable=cv$(short web)0
    in_networks ip link set "$cable" nomaster
    tells "network shop, container web: its cable $cable is not on its bridge; caisson network check --repair restores it"
    repairs
    in_networks ip link set "$cable" down
    tells "network shop, container web: its cable $cable is down"
    repairs
    in_networks bridge link set dev "$cable" isolated on
    tells "network shop, container web: its cable $cable is kept apart from those of the other containers"
    repairs
    in_networks bridge link set dev "cv$(short lone)0" isolated off
    tells "network apart, container lone: its cable cv$(short lone)0 is not kept apart from those of the other containers"
    repairs
    in_networks ip link del "cv$(short web)1"
    tells "network back, container web: its cable cv$(short web)1 is missing; only caisson restart of the container restores it"
    run -1 caisson network check --repair
    caisson restart -t 0 web
    well
}

@test "forwarding that was switched off, for each family" {
    in_networks sysctl -qw net.ipv4.ip_forward=0
    run -1 caisson network check shop
    [[ $output == "network shop: the host does not forward its packets: /proc/sys/net/ipv4/ip_forward is 0; caisson network check --repair restores it" ]]
    tells "network shop: the host does not" "network back: the host does not" "network apart: the host does not" \
        "network bridge: the host does not"
    repairs
    [ "$(in_networks sysctl -n net.ipv4.ip_forward)" = 1 ]
    in_networks sysctl -qw net.ipv6.conf.all.forwarding=0
    tells "network shop: the host does not forward its packets: /proc/sys/net/ipv6/conf/all/forwarding is 0"
    repairs
    # and what it forwards since is the containers' alone
    [ "$(in_networks nft list chain inet "$TABLE" forward | grep -c 'oifname != "cs-')" = 2 ]
}

# --- leases ---------------------------------------------------------------------------------------

@test "an address that a killed command did not give back is told with the container, and given back" {
    id=$(printf 'ab%.0s' $(seq 32))
    ln -s "$id 0 02:ca:0a:05:00:63" "$CAISSON_STATE/networks/shop/leases/10.5.0.99"
    tells "network shop, container abababababab: 10.5.0.99 was not given back, and the container does not run; caisson network check --repair restores it"
    repairs
    [ ! -e "$CAISSON_STATE/networks/shop/leases/10.5.0.99" ]
}

@test "json has a line for each difference, names restrict what is told, and a damaged network is told" {
    in_networks ip link set "cv$(short web)0" down
    in_networks ip link set "cv$(short web)1" down
    run -1 caisson network check --format json back
    [[ $output == "{\"Network\":\"back\",\"Container\":\"web\",\"ContainerID\":\"$(caisson inspect -f '{{.Id}}' web)\",\"Difference\":\"its cable cv$(short web)1 is down\",\"RestoredBy\":\"repair\",\"Restored\":\"false\"}" ]]
    [ "$(caisson network check --repair --format '{{.Network}} {{.Restored}}' | xargs)" = "back true shop true" ]
    mkdir "$CAISSON_ROOT/networks/broken"
    echo '{' >"$CAISSON_ROOT/networks/broken/network.json"
    tells "network broken: network.json of network broken is damaged"
    rm -r "$CAISSON_ROOT/networks/broken"
}
