# SPDX-License-Identifier: Apache-2.0
# Helpers for tests/cli/netd.bats: a small internet (netd_world.py) and caisson-netd in it. Root's
# caisson-netd lives where the network is; an ordinary user's in another namespace, inside the user's own.

NETD_LIB=$(realpath "$BATS_TEST_DIRNAME/../lib")
ID1=$(printf '1%.0s' {1..64})
ID2=$(printf '2%.0s' {1..64})
ID3=$(printf '3%.0s' {1..64})
MEMBERS="log 5
subnet 10.77.0.0/24
subnet fd77::/64
upstream 127.0.0.1
upstream 127.0.0.2"
WEB="member $ID1 web
alias www
address 10.77.0.2
address fd77::2"
DB="member $ID2 db.Two
address 10.77.0.3
address fd77::3"
THIRD="member $ID3 third
address 10.77.0.4"

# world_start: makes it; skips where no namespaces can be made.
world_start() {
    local own=together
    WORLD=$BATS_FILE_TMPDIR/world
    STATE=$WORLD/state
    # Not by way of a version manager's scripts, which take longer than the tests.
    PYTHON=$(python3 -c 'import sys; print(sys.executable)')
    export WORLD STATE PYTHON
    mkdir -p "$STATE"
    if [ "$(id -u)" != 0 ]; then
        own=apart
        unshare -Urn true 2>/dev/null || skip "needs user namespaces"
    fi
    # shellcheck disable=SC2046 # no word or two
    $([ "$own" = together ] || echo unshare -Ur) "$PYTHON" "$NETD_LIB/netd_world.py" \
        "$WORLD" "$own" >"$WORLD/log" 2>&1 3>&- &
    echo $! >"$WORLD/world"
    waits 20 test -e "$WORLD/pids" || {
        cat "$WORLD/log"
        return 1
    }
    names "$MEMBERS"
    (cd "$STATE" && inside network "$CAISSON_BUILD/tests/netd-firewall" br-t 10.77.0.1 10.77.0.0/24 fd77::1 fd77::/64)
}

world_end() {
    [ -e "$WORLD/pids" ] || return 0
    netd_end
    kill "$(cat "$WORLD/world")"
}

pid_of() {
    sed -n "s/^$1 //p" "$WORLD/pids"
}

# inside NAMESPACE COMMAND...
inside() {
    local pid
    pid=$(pid_of "$1")
    shift
    if [ "$(id -u)" = 0 ]; then
        nsenter "--net=/proc/$pid/ns/net" "$@"
    else
        nsenter -t "$pid" -U -n --preserve-credentials "$@"
    fi
}

# ask CONTAINER WORDS...: see netd_ask.py.
ask() {
    local where=$1
    shift
    inside "$where" "$PYTHON" -IS "$NETD_LIB/netd_ask.py" "$@"
}

# reach CONTAINER ADDRESS PORT [udp]
reach() {
    local where=$1
    shift
    [ "$(inside "$where" "$PYTHON" -IS "$NETD_LIB/netd_world.py" reach "$@")" = reached ]
}

# names TEXT...: replaces the network's file of names.
names() {
    printf '%s\n' "$@" >"$STATE/names.new"
    mv "$STATE/names.new" "$STATE/names"
}

# firewall add|remove ID, as the file of names says.
firewall() {
    (cd "$STATE" && inside network "$CAISSON_BUILD/tests/netd-firewall" br-t "$@")
}

# netd_start: as the engine does; its pid, or "runs".
netd_start() {
    NETWORK_PID=$(pid_of network) inside host "$PYTHON" -IS "$NETD_LIB/netd_world.py" start "$STATE" 3>&-
}

# keeper, resolver: their pids.
keeper() {
    cat "$STATE/pid"
}

resolver() {
    tr -d ' ' <"/proc/$(keeper)/task/$(keeper)/children"
}

# network TEXT...: what follows are members, with their firewall, and caisson-netd runs.
network() {
    local started id
    names "$@"
    for id in $(sed -n 's/^member \([^ ]*\) .*/\1/p' "$STATE/names"); do
        firewall add "$id"
    done
    started=$(netd_start)
    [ "$started" = runs ] || echo "$started" >"$STATE/pid"
}

# The end of a test: nobody is a member any more, and it goes by itself.
netd_end() {
    local id
    for id in $(sed -n 's/^member \([^ ]*\) .*/\1/p' "$STATE/names"); do
        firewall remove "$id"
    done
    names "$MEMBERS"
    [ ! -e "$STATE/pid" ] || waits 10 gone "$(keeper)"
    rm -f "$STATE/pid" "$STATE/egress"
}

# not COMMAND...: fails where bash would let "! COMMAND" pass.
not() {
    ! "$@" || return 1
}

# gone PID: it has ended, whether or not its parent has looked.
gone() {
    ! grep -qs '^State:.[^Z]' "/proc/$1/status" || return 1
}

# asked NAME: whether a server was asked for it.
asked() {
    grep -qi " $1 " "$WORLD/asked"
}

# is TEXT COMMAND...: the command prints exactly this.
is() {
    local wanted=$1 got
    shift
    got=$("$@")
    [ "$got" = "$wanted" ] || {
        echo "expected: $wanted"
        echo "got:      $got"
        return 1
    }
}
