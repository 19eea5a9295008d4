#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small internet in network namespaces, for tests/cli/netd.bats.

usage: netd_world.py DIR [together]
    Makes it and holds it until it is ended. Writes DIR/pids: "NAME PID" of a process in each namespace:
      host       where caisson-netd runs; its servers for names are 127.0.0.1 and 127.0.0.2
      network    with the bridge br-t, its gateway 10.77.0.1 and fd77::1; "together": the same as host
      c1, c2, c3 stand for containers: 10.77.0.2 and fd77::2, and so on
      internet   has 203.0.113.1 to .99 and 2001:db8::10, on which TCP and UDP echo on some ports
usage: netd_world.py start STATE
    In host: starts caisson-netd (CAISSON_BUILD) as the engine would, with sockets of the namespace of
    the pid in NETWORK_PID, and NETD_ETC, if there is one, in the place of /etc. Prints its pid, or
    "runs" when it does already.
usage: netd_world.py reach ADDRESS PORT [udp]
    Says "reached" or why not, within a second.
"""
import ctypes
import fcntl
import os
import selectors
import signal
import socket
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
ECHO = (80, 443, 853, 53)


def check(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def holder():
    """A process in a network namespace of its own, which ends when we do."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        LIBC.prctl(1, signal.SIGKILL, 0, 0, 0)
        check(LIBC.unshare(CLONE_NEWNET))
        os.write(told, b"r")
        while True:
            signal.pause()
    os.read(ready, 1)
    os.close(ready)
    os.close(told)
    return pid


def run_in(pid, script):
    subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", "sh", "-ec", script], check=True)


def join(pid):
    with open(f"/proc/{pid}/ns/net", encoding="ascii") as namespace:
        check(LIBC.setns(namespace.fileno(), CLONE_NEWNET))


def echo(pid):
    """TCP and UDP servers of the internet, in a child."""
    ready, told = os.pipe()
    child = os.fork()
    if child != 0:
        os.read(ready, 1)
        return child
    LIBC.prctl(1, signal.SIGKILL, 0, 0, 0)
    join(pid)
    events = selectors.DefaultSelector()
    for port in ECHO:
        for family, place in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                server = socket.socket(family, kind)
                if family == socket.AF_INET6:
                    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if kind == socket.SOCK_DGRAM:
                    # Answers come from the address that was asked.
                    server.setsockopt(socket.IPPROTO_IP if family == socket.AF_INET else socket.IPPROTO_IPV6,
                                      8 if family == socket.AF_INET else 49, 1)
                server.bind((place, port))
                if kind == socket.SOCK_STREAM:
                    server.listen(64)
                events.register(server, selectors.EVENT_READ, kind == socket.SOCK_STREAM)
    os.write(told, b"r")
    while True:
        for key, _ in events.select():
            serve(events, key)


def serve(events, key):
    try:
        if key.data is True:
            connection, _ = key.fileobj.accept()
            events.register(connection, selectors.EVENT_READ, None)
        elif key.data is False:
            data, control, _, sender = key.fileobj.recvmsg(2048, 256)
            key.fileobj.sendmsg([data], [(level, kind, value) for level, kind, value in control], 0, sender)
        else:
            data = key.fileobj.recv(2048)
            if data:
                key.fileobj.sendall(data)
            else:
                events.unregister(key.fileobj)
                key.fileobj.close()
    except OSError:
        if key.data is None:
            events.unregister(key.fileobj)
            key.fileobj.close()


HOST = """
ip link set lo up
ip address add 127.0.0.2/8 dev lo 2>/dev/null || true
"""
NETWORK = """
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
ip link add br-t type bridge
echo 0 >/proc/sys/net/ipv6/conf/br-t/accept_dad
ip link set br-t up
ip address add 10.77.0.1/24 dev br-t
ip -6 address add fd77::1/64 dev br-t nodad
ip link add out type veth peer name in netns INTERNET
ip link set out up
ip address add 192.0.2.1/24 dev out
ip -6 address add 2001:db8:1::1/64 dev out nodad
ip route add default via 192.0.2.2
ip -6 route add 2001:db8::/64 via 2001:db8:1::2
"""
INTERNET = """
ip link set lo up
ip link set in up
ip address add 192.0.2.2/24 dev in
ip -6 address add 2001:db8:1::2/64 dev in nodad
for i in $(seq 1 99); do echo "address add 203.0.113.$i/32 dev lo"; done | ip -batch -
ip -6 address add 2001:db8::10/128 dev lo nodad
ip route add 10.0.0.0/8 via 192.0.2.1
"""
PORT = """
ip link add vethI type veth peer name eth0 netns PID
ip link set vethI master br-t
ip link set vethI type bridge_slave isolated on
ip link set vethI up
"""
CONTAINER = """
ip link set lo up
ip link set eth0 up
ip address add 10.77.0.NUMBER/24 dev eth0
ip -6 address add fd77::NUMBER/64 dev eth0 nodad
ip route add default via 10.77.0.1
ip -6 route add default via fd77::1
"""


def make(directory, together):
    host = holder()
    network = host if together else holder()
    internet = holder()
    run_in(host, HOST)
    run_in(network, NETWORK.replace("INTERNET", str(internet)))
    run_in(internet, INTERNET)
    pids = {"host": host, "network": network, "internet": internet}
    for i in (1, 2, 3):
        pids[f"c{i}"] = pid = holder()
        run_in(network, PORT.replace("PID", str(pid)).replace("I", str(i)))
        run_in(pid, CONTAINER.replace("NUMBER", str(i + 1)))
    echo(internet)
    subprocess.Popen(["nsenter", f"--net=/proc/{host}/ns/net", sys.executable,
                      os.path.join(os.path.dirname(os.path.abspath(__file__)), "netd_upstream.py"),
                      f"{directory}/asked", "127.0.0.1", "127.0.0.2"],
                     preexec_fn=lambda: LIBC.prctl(1, signal.SIGKILL, 0, 0, 0))
    with open(f"{directory}/pids.new", "w", encoding="ascii") as file:
        file.writelines(f"{name} {pid}\n" for name, pid in pids.items())
    os.rename(f"{directory}/pids.new", f"{directory}/pids")
    signal.pause()


def listeners():
    for family, place in ((socket.AF_INET, "10.77.0.1"), (socket.AF_INET6, "fd77::1")):
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            server = socket.socket(family, kind)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((place, 53))
            if kind == socket.SOCK_STREAM:
                server.listen(64)
            yield server


def start(state):
    """The starter's side of the protocol in src/network/netd.h."""
    with open(f"{state}/names.lock", "a", encoding="ascii") as names_lock, \
            open(f"{state}/netd.lock", "a", encoding="ascii") as netd_lock:
        fcntl.flock(names_lock, fcntl.LOCK_EX)
        try:
            fcntl.flock(netd_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("runs")
            return
        here = os.getpid()
        with open(f"/proc/{here}/ns/net", encoding="ascii") as home:
            join(os.environ["NETWORK_PID"])
            nft, nflog = (socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) for _ in range(2))
            sockets = list(listeners())
            check(LIBC.setns(home.fileno(), CLONE_NEWNET))
        ready, told = os.pipe()
        inherited = [os.open(state, os.O_RDONLY | os.O_DIRECTORY), netd_lock.fileno(), nft.fileno(),
                     nflog.fileno(), told] + [server.fileno() for server in sockets]
        execute(ready, told, inherited)


def execute(ready, told, inherited):
    pid = os.fork()
    if pid == 0:
        os.setsid()
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 64) for fd in inherited]
        for number, fd in enumerate(high, 3):
            os.dup2(fd, number)
        null = os.open("/dev/null", os.O_RDWR)
        for number in (0, 1):
            os.dup2(null, number)
        os.closerange(3 + len(high), 256)
        if "NETD_ETC" in os.environ:
            check(LIBC.unshare(CLONE_NEWNS))
            subprocess.run(["mount", "--make-rprivate", "/"], check=True)
            subprocess.run(["mount", "--bind", os.environ["NETD_ETC"], "/etc"], check=True)
        os.execv(os.path.join(os.environ["CAISSON_BUILD"], "caisson-netd"), ["caisson-netd"])
    os.close(told)
    if os.read(ready, 1) != b"r":
        sys.exit("caisson-netd did not become ready")
    print(pid)


def reach(place, port, kind):
    family = socket.AF_INET6 if ":" in place else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as client:
        client.settimeout(1)
        try:
            client.connect((place, int(port)))
            client.send(b"hello")
            print("reached" if client.recv(16) == b"hello" else "odd")
        except OSError as error:
            print(error.strerror or error)


def main():
    words = sys.argv[1:]
    if words[0] == "start":
        start(words[1])
    elif words[0] == "reach":
        reach(words[1], words[2], words[3] if len(words) > 3 else "tcp")
    else:
        make(words[0], "together" in words)


if __name__ == "__main__":
    main()
