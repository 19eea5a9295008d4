#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Containers that come and go at random on five networks, and who reaches whom meanwhile.

usage: networks_scale.py CAISSON CONTAINERS SECONDS SEED LAN_PID   (in the network namespace of a host of its
own, whose neighbour LAN_PID is; tests/lib/network.bash)

Turns of three kinds follow each other until as many containers were started and as much time has passed: in
a calm one nobody is killed, and `network check`, over and over beside the starts and stops, has to say
nothing at all; in a rough one some of the commands are killed with SIGKILL in the middle, and afterwards it
has to say nothing once somebody has come by; in a flushed one all rules of the host are flushed every now and
then, and afterwards the next container has brought back what is right, neither less nor more. After each turn every running container sends a datagram to every
address of every other one, to the gateways, and to the world: what arrives has to be what the networks say,
neither less nor more. Then all containers are there at once, the firewall is flushed and restored, and
everything ends. Prints what was wrong and ends with 1, or what was done.

The datagrams are sent and received by this process, by sockets that it opened in the containers' network
namespaces: a thousand probes cost no process.
"""
import collections
import ctypes
import itertools
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time

CAISSON, COUNT, SECONDS, SEED, LAN = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
STATE = os.environ["CAISSON_STATE"]
PORT = 7777
SLEEP = str(100000 + SEED)  # by which their processes are known
AT_ONCE = 28  # the kernel's table of neighbours is one for all namespaces, and has room for a thousand
WORKERS = 3
WORLD = ["192.0.2.2", "2001:db8::2"]


class Network:
    def __init__(self, name, *words, shared=True, internal=False, six=False):
        self.name, self.words, self.shared, self.internal, self.six = name, words, shared, internal, six
        self.gateways = []


NETWORKS = [
    Network("shop"),
    Network("office", "--ipv6", six=True),
    Network("store", "--ipv6", six=True),
    Network("inner", "--internal", "--ipv6", six=True, internal=True),
    Network("apart", "--opt", "icc=false", "--ipv6", six=True, shared=False),
]
BY_NAME = {network.name: network for network in NETWORKS}
LIBC = ctypes.CDLL(None, use_errno=True)
NEWNET = 0x40000000


class Wrong(Exception):
    pass


def caisson(*words, check=True):
    done = subprocess.run([CAISSON, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    if check and done.returncode != 0:
        raise Wrong(f"caisson {' '.join(words)}: {done.returncode}: {done.stderr.strip()}")
    return done


class Container:
    def __init__(self, name, networks, host_access, info):
        self.name, self.networks, self.host_access = name, networks, host_access
        self.pid = info["State"]["Pid"]
        self.addresses = []  # (network, address)
        for network in networks:
            settings = info["NetworkSettings"]["Networks"][network.name]
            for key in ("IPAddress", "GlobalIPv6Address"):
                if settings[key]:
                    self.addresses.append((network, settings[key]))


# --- who reaches whom -----------------------------------------------------------------------------

def socket_in(pid):
    """A datagram socket of both families in the network namespace of a process."""
    with open("/proc/self/ns/net", encoding="ascii") as here, open(f"/proc/{pid}/ns/net", encoding="ascii") as there:
        if LIBC.setns(there.fileno(), NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        try:
            sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            sock.bind(("::", PORT))
            sock.setblocking(False)
        finally:
            if LIBC.setns(here.fileno(), NEWNET) != 0:
                os._exit(3)  # nothing may be done in a container's namespace
    return sock


def expected(sender, network, receiver):
    """Whether `sender` reaches an address of `network`: another container's, the host's, or (None) the world's."""
    if receiver == "host":
        return sender.host_access and network in sender.networks
    if receiver == "world":
        out = next((one for one in sender.networks if not one.internal), None)
        return out is not None and (network == 4 or out.six)
    return network.shared and network in sender.networks


def probes_of(sender, running):
    """(receiver, address, expected) for all that one container can try."""
    for other in running:
        if other is sender:
            continue
        for network, address in other.addresses:
            yield other.name, address, expected(sender, network, other)
    for network in sender.networks:
        for gateway in network.gateways:
            yield "host", gateway, expected(sender, network, "host")
    for family, address in zip((4, 6), WORLD):
        yield "world", address, expected(sender, family, "world")


def send(sockets, sender, number, address):
    shown = f"::ffff:{address}" if "." in address else address
    try:
        sockets[sender].sendto(number.to_bytes(4, "big"), (shown, PORT))
    except OSError:
        pass  # no route, or refused at once


def receive(sockets, seen, seconds, enough):
    """Adds (receiver, number) of all that arrives; until `enough` says so, or the time is over."""
    poll = select.poll()
    by_fd = {sock.fileno(): name for name, sock in sockets.items()}
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    names = {fd: sockets[name] for fd, name in by_fd.items()}
    end = time.monotonic() + seconds
    while time.monotonic() < end and not enough():
        for fd, _ in poll.poll(20):
            while True:
                try:
                    seen.add((by_fd[fd], int.from_bytes(names[fd].recv(16), "big")))
                except OSError:
                    break


def probe(running, sample=None):
    """Every pair, or a number of pairs chosen at random. How many were tried."""
    running = list(running)
    tries = []  # (sender, receiver, address, expected); its place is its number
    for sender in running:
        tries += [(sender.name, *rest) for rest in probes_of(sender, running)]
    if sample and len(tries) > sample:
        tries = random.Random(SEED).sample(tries, sample)
    sockets = {container.name: socket_in(container.pid) for container in running}
    sockets.update(host=socket_in(os.getpid()), world=socket_in(LAN))
    seen = set()
    wanted = {(receiver, number) for number, (_, receiver, _, yes) in enumerate(tries) if yes}
    try:
        for _ in range(5):  # a datagram may be lost; one that is not let through comes never
            for number, (sender, receiver, address, _) in enumerate(tries):
                if (receiver, number) not in seen:
                    send(sockets, sender, number, address)
            receive(sockets, seen, 1.5, lambda: wanted <= seen)
            if wanted <= seen:
                break
        receive(sockets, seen, 0.2, lambda: False)
    finally:
        for sock in sockets.values():
            sock.close()
    for what, which in (("does not reach", wanted - seen), ("reaches", seen - wanted)):
        for receiver, number in sorted(which, key=lambda one: one[1])[:10]:
            sender, meant, address, _ = tries[number]
            raise Wrong(f"{len(which)} times: {sender} {what} {meant} at {address} (it is {receiver} there)")
    return len(tries)


# --- coming and going -----------------------------------------------------------------------------

class Crowd:
    def __init__(self, dice):
        self.dice, self.lock = dice, threading.Lock()
        self.running, self.busy = {}, set()
        self.started, self.done = 0, collections.Counter()
        self.problems = []

    def choose(self):
        """Words for a new container."""
        networks = self.dice.sample(NETWORKS, self.dice.choice((1, 1, 2)))
        host_access = self.dice.random() < 0.2
        words = [word for network in networks for word in ("--network", network.name)]
        return networks, host_access, words + (["--host-access"] if host_access else [])

    def start(self, killed):
        with self.lock:
            self.started += 1
            name = f"box{self.started}"  # which can be no id's beginning
            networks, host_access, words = self.choose()
            delay = self.dice.random() * 0.04
        words = ["run", "-d", "--name", name, *words, "busybox", "sleep", SLEEP]
        if killed:
            kill_in_the_middle(words, delay)
            self.done["starts killed"] += 1
            remove(name)
            return
        caisson(*words)
        info = json.loads(caisson("inspect", name).stdout)[0]
        with self.lock:
            self.running[name] = Container(name, networks, host_access, info)
            self.done["starts"] += 1

    def stop(self, killed):
        with self.lock:
            if not self.running:
                return
            container = self.running.pop(self.dice.choice(sorted(self.running)))
            words = self.dice.choice((["stop", "-t", "0"], ["rm", "-f"], ["kill"]))
            delay = self.dice.random() * 0.02
        if killed:
            kill_in_the_middle([*words, container.name], delay)
            self.done["stops killed"] += 1
        else:
            caisson(*words, container.name)
            self.done["stops"] += 1
        remove(container.name)

    def step(self, rough, most):
        with self.lock:
            start = self.dice.random() < (0.7 if len(self.running) < most / 2 else 0.45)
            start = start and len(self.running) + WORKERS <= most
            killed = rough and self.dice.random() < 0.4
        (self.start if start else self.stop)(killed)

    def work(self, until, rough, most):
        try:
            while time.monotonic() < until and not self.problems:
                self.step(rough, most)
        except (Wrong, subprocess.TimeoutExpired, OSError) as problem:
            self.problems.append(problem)

    def check_beside(self, until):
        try:
            while time.monotonic() < until and not self.problems:
                check()
                self.done["checks beside starts and stops"] += 1
        except Wrong as problem:
            self.problems.append(problem)

    def flush_beside(self, until):
        while time.monotonic() < until and not self.problems:
            time.sleep(self.dice.random() * 0.2)
            flush()
            self.done["flushes"] += 1

    def turn(self, kind, seconds):
        until, rough = time.monotonic() + seconds, kind == "rough"
        threads = [threading.Thread(target=self.work, args=(until, rough, AT_ONCE)) for _ in range(WORKERS)]
        beside = {"calm": self.check_beside, "flushed": self.flush_beside}.get(kind)
        if beside:
            threads.append(threading.Thread(target=beside, args=(until,)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.problems:
            raise self.problems[0]
        if rough:
            self.remove_strays()
            come_by()
        if kind == "flushed":
            caisson("run", "--rm", "--network", "shop", "busybox", "true")
        check()
        self.done["probes"] += probe(self.running.values())


    def remove_strays(self):
        """Who starts a container may be killed when another process makes it already, which goes on."""
        calm_since = time.monotonic()
        while time.monotonic() < calm_since + 1:
            listed = caisson("ps", "-a", "--format", "{{.Names}}").stdout.split()
            for name in listed:
                if name not in self.running:
                    remove(name)
                    calm_since = time.monotonic()
            time.sleep(0.2)


def kill_in_the_middle(words, delay):
    child = subprocess.Popen([CAISSON, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    time.sleep(delay)
    child.kill()
    child.wait()


def remove(name):
    """Whatever is left of it; a killed command's helpers may still be at work."""
    end = time.monotonic() + 20
    while True:
        done = caisson("rm", "-f", name, check=False)
        if done.returncode == 0 or "no such container" in done.stderr:
            return
        if time.monotonic() > end:
            raise Wrong(f"rm -f {name}: {done.stderr.strip()}")
        time.sleep(0.1)


def flush():
    subprocess.run(["nft", "flush", "ruleset"], check=True)


def check():
    done = caisson("network", "check", "-q", check=False)
    if done.returncode != 0 or done.stdout:
        raise Wrong(f"network check: {done.returncode}: {done.stdout}{done.stderr}")


def come_by():
    """Any command cleans up after those that were killed, as soon as their processes are gone."""
    end = time.monotonic() + 20
    while True:
        caisson("ps", "-aq")
        try:
            return check()
        except Wrong:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


# --- the whole ------------------------------------------------------------------------------------

def make_networks():
    for network in NETWORKS:
        caisson("network", "create", *network.words, network.name)
        info = json.loads(caisson("network", "inspect", network.name).stdout)[0]
        network.gateways = [config["Gateway"] for config in info["IPAM"]["Config"]]


def all_at_once(crowd):
    """As many as were asked for; the rules are flushed, and the next container brings all back."""
    missing = COUNT - len(crowd.running)
    until = time.monotonic() + 600

    def more(share):
        try:
            for _ in range(share):
                crowd.start(False)
        except (Wrong, subprocess.TimeoutExpired, OSError) as problem:
            crowd.problems.append(problem)

    shares = [missing // WORKERS + (number < missing % WORKERS) for number in range(WORKERS)]
    threads = [threading.Thread(target=more, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=max(1, until - time.monotonic()))
    if crowd.problems:
        raise crowd.problems[0]
    check()
    crowd.done["probes"] += probe(crowd.running.values(), 400)
    flush()
    if caisson("network", "check", "-q", check=False).returncode != 1:
        raise Wrong("network check does not see that all rules were flushed")
    caisson("run", "--rm", "--network", "shop", "busybox", "true")
    check()
    crowd.done["probes"] += probe(crowd.running.values(), 400)


def left():
    """Everything that should not be there when the last container is gone."""
    found = []
    for top in (f"{STATE}/containers", f"{os.environ['CAISSON_ROOT']}/containers"):
        found += [f"{top}/{name}" for name in os.listdir(top)]
    for network in NETWORKS:
        leases = f"{STATE}/networks/{network.name}/leases"
        found += [f"lease {network.name} {name}" for name in (os.listdir(leases) if os.path.isdir(leases) else ())]
    links = subprocess.run(["ip", "-o", "link", "show", "type", "veth"], stdout=subprocess.PIPE, text=True, check=True)
    found += [line.split()[1] for line in links.stdout.splitlines() if line.split()[1].startswith("cv")]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                ours = f"CAISSON_STATE={STATE}\0".encode() in file.read() + b"\0"
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                contained = file.read() == f"sleep\0{SLEEP}\0".encode()
            program = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
        except OSError:
            continue
        if contained or (ours and program.startswith("caisson")):
            found.append(f"process {pid} {program}")
    return found


def finish(crowd):
    names = sorted(crowd.running)
    crowd.running.clear()
    while names:
        caisson("rm", "-f", *names[:50])
        del names[:50]
    come_by()
    end = time.monotonic() + 20
    while found := left():  # the kernel takes network namespaces apart by and by
        if time.monotonic() > end:
            raise Wrong(f"{len(found)} left: {', '.join(found[:5])}")
        time.sleep(0.2)
    caisson("network", "rm", *BY_NAME)
    check()
    bridges = subprocess.run(["ip", "-o", "link", "show", "type", "bridge"], stdout=subprocess.PIPE, text=True, check=True)
    if bridges.stdout:
        raise Wrong(f"left: {bridges.stdout}")


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    crowd = Crowd(random.Random(SEED))
    end = time.monotonic() + SECONDS
    try:
        make_networks()
        kinds = itertools.cycle(("calm", "rough", "flushed"))
        while time.monotonic() < end or crowd.started < COUNT:
            crowd.turn(next(kinds), 3)
        all_at_once(crowd)
        finish(crowd)
    except Wrong as problem:
        print(f"seed {SEED}, after {crowd.started} containers: {problem}")
        return 1
    print(", ".join(f"{count} {what}" for what, count in sorted(crowd.done.items())))
    return 0


sys.exit(main())
