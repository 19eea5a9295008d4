# SPDX-License-Identifier: Apache-2.0
"""The rows about networks: starts, published ports, throughput, answers to questions for names."""
import glob
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time

import apart
import peers
from measure import interleaved

START = "run --rm on a bridge network"
PORTS = "run --rm with 32 published ports"
ANSWERS = "processor time of an answer for a name"
GIB = 1 << 30


def rows(bench):
    start_rows(bench)
    ports_row(bench)
    throughput_rows(bench)
    answers_row(bench)


# --- starts ---------------------------------------------------------------------------------------

def start_rows(bench):
    ours = bench.caisson("run", "--rm", "--network", "bridge", bench.image, "true")
    if bench.podman:
        theirs = bench.podman.timed("--network-config-dir", f"{bench.directory}/podman-networks",
                                    "run", "--rm", "--network", "podman", bench.image, "true")
        result = apart.apart(lambda: interleaved(ours, theirs, bench.seconds))
        bench.row(START, "podman run --network podman", 0.03, {"unit": "s", **result},
                  [ours.text(), theirs.text()])
    else:
        bench.absent(START, "podman run --network podman", 0.03)
    docker = bench.docker()
    if docker:  # its daemon has a network namespace of its own, as we have here
        theirs = docker.command("run", "--rm", "--network", "bridge", bench.image, "true")
        result = apart.apart(lambda: interleaved(ours, theirs, bench.seconds))
        bench.row(START, "docker run --network bridge", 0.03, {"unit": "s", **result},
                  [ours.text(), theirs.text()])
    else:
        bench.absent(START, "docker run --network bridge", 0.03, "no dockerd starts here")


def ports_row(bench):
    many, one = (bench.caisson("run", "--rm", "-p", ports, bench.image, "true")
                 for ports in ("21000-21031:8000-8031", "21000:8000"))
    result = apart.apart(lambda: interleaved(many, one, bench.seconds))
    bench.row(PORTS, "caisson with one", 1.2, {"unit": "s", **result}, [many.text(), one.text()])


# --- throughput -----------------------------------------------------------------------------------

class Path:
    """From a client to a server that iperf3 measures: processes whose network namespaces they are. `own`:
    processes to be ended with it."""

    def __init__(self, client, server, address, own=()):
        self.client, self.server, self.address, self.own = client, server, address, own

    def close(self):
        for pid in self.own:
            apart.end(pid)

    def seconds_for_a_gib(self, seconds):
        server = subprocess.Popen(apart.entering(self.server, "iperf3", "-s", "-1", "-B", self.address),
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            until = time.monotonic() + 5
            while time.monotonic() < until:  # until it listens
                done = subprocess.run(
                    apart.entering(self.client, "iperf3", "-J", "-c", self.address, "-t", str(seconds), "-O", "0.5"),
                    stdout=subprocess.PIPE, text=True, check=False)
                told = json.loads(done.stdout or "{}")
                if "sum_received" in told.get("end", {}):
                    return 8 * GIB / told["end"]["sum_received"]["bits_per_second"]
                time.sleep(0.05)
            raise RuntimeError("iperf3: " + told.get("error", "no connection"))
        finally:
            server.kill()
            server.communicate()


def bare_cable():
    """Two namespaces and a pair of interfaces, nothing else."""
    client, server = apart.namespace(), apart.namespace()
    subprocess.run(["ip", "link", "add", "cable0", "netns", str(client), "type", "veth",
                    "peer", "name", "cable0", "netns", str(server)], check=True)
    for pid, address in ((client, "198.51.100.1"), (server, "198.51.100.2")):
        apart.inside(pid, "ip", "address", "add", f"{address}/24", "dev", "cable0")
        apart.inside(pid, "ip", "link", "set", "cable0", "up")
    return Path(client, server, "198.51.100.2", (client, server))


def bare_bridge():
    """Two namespaces, each with a cable to a bridge in a third one, and no rules anywhere."""
    client, server, middle = (apart.namespace() for _ in range(3))
    # A namespace begins with br_netfilter on, where there is one.
    apart.inside(middle, "sh", "-c", "for file in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e $file ] || echo 0 >$file; done")
    apart.inside(middle, "ip", "link", "add", "bridge0", "type", "bridge")
    apart.inside(middle, "ip", "link", "set", "bridge0", "up")
    for number, pid in enumerate((client, server), 1):
        apart.inside(middle, "ip", "link", "add", f"port{number}", "type", "veth",
                     "peer", "name", "cable0", "netns", str(pid))
        apart.inside(middle, "ip", "link", "set", f"port{number}", "master", "bridge0", "up")
        apart.inside(pid, "ip", "address", "add", f"198.51.100.{number}/24", "dev", "cable0")
        apart.inside(pid, "ip", "link", "set", "cable0", "up")
    return Path(client, server, "198.51.100.2", (client, server, middle))


class Containers:
    """Two that share a network; the first may reach the host's services."""

    def __init__(self, bench):
        self.bench, self.names = bench, [f"bench-{os.getpid()}-{which}" for which in "ab"]

    def __enter__(self):
        self.ours("network", "create", "bench")
        for name in self.names:
            self.ours("run", "-d", "--name", name, "--network", "bench", "--host-access", self.bench.image,
                      "sleep", "3600")
        return self

    def __exit__(self, *_):
        self.ours("rm", "-f", *self.names)
        self.ours("network", "rm", "bench")

    def ours(self, *words):
        return peers.output([self.bench.front, *words], self.bench.env)

    def pid(self, which):
        return int(self.ours("inspect", "-f", "{{.State.Pid}}", self.names[which]))

    def to_each_other(self):
        address = self.ours("inspect", "-f", "{{.NetworkSettings.Networks.bench.IPAddress}}", self.names[1])
        return Path(self.pid(0), self.pid(1), address)

    def to_the_host(self):
        gateway = self.ours("network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "bench")
        return Path(self.pid(0), os.getpid(), gateway)


def set_bridge_netfilter(value):
    """br_netfilter puts what goes from port to port of a bridge through the IP firewall as well, in each
    namespace by default where it is loaded (or built in). False: there is none."""
    paths = glob.glob("/proc/sys/net/bridge/bridge-nf-call-*")
    for path in paths:
        with open(path, "w", encoding="ascii") as file:
            file.write(value)
    return bool(paths)


def measure_paths(bench, which, make_bare, netfilter):
    """A B A B …, two seconds each."""
    set_bridge_netfilter("1" if netfilter else "0")
    bare = make_bare()
    times = {"ours": [], "theirs": []}
    try:
        with Containers(bench) as containers:
            ours = getattr(containers, which)()
            for _ in range(max(3, int(bench.seconds))):
                times["ours"].append(ours.seconds_for_a_gib(2))
                times["theirs"].append(bare.seconds_for_a_gib(2))
    finally:
        bare.close()
    return {"ours": statistics.median(times["ours"]), "theirs": statistics.median(times["theirs"]),
            "pairs": len(times["ours"]), "ours_best": min(times["ours"]), "theirs_best": min(times["theirs"])}


def throughput_rows(bench):
    for what, which, against, make_bare, netfilter in (
            ("1 GiB from container to container", "to_each_other", "a bare veth pair", bare_cable, False),
            ("1 GiB from container to container", "to_each_other", "a bridge without rules", bare_bridge, False),
            ("1 GiB from container to container, br_netfilter", "to_each_other", "a bare veth pair", bare_cable, True),
            ("1 GiB from container to host", "to_the_host", "a bare veth pair", bare_cable, False)):
        if not shutil.which("iperf3"):
            bench.absent(what, against, 1.05, "iperf3 is not installed")
            continue
        result = apart.apart(lambda which=which, make_bare=make_bare, netfilter=netfilter:
                             measure_paths(bench, which, make_bare, netfilter))
        bench.row(what, against, 1.05, {"unit": "s", **result},
                  ["iperf3 -s -1 and iperf3 -c -t 2 -O 0.5, one connection"])


# --- names ----------------------------------------------------------------------------------------

QUESTIONS = 20000
MEMBERS = """subnet 10.77.0.0/24
subnet fd77::/64
upstream 127.0.0.1
member {0} web
address 10.77.0.2
address fd77::2
member {1} db
address 10.77.0.3
address fd77::3
"""


def question(number):
    """RFC 1035, 4.1: db, A, IN."""
    return (number & 0xffff).to_bytes(2, "big") + b"\x01\x00\x00\x01" + bytes(6) + b"\x02db\x00\x00\x01\x00\x01"


def ask_many(pid, server, count):
    """From the network namespace of a process, at most 32 at once; how many were answered."""
    with open("/proc/self/ns/net", encoding="ascii") as here, open(f"/proc/{pid}/ns/net", encoding="ascii") as there:
        apart.must(apart.LIBC.setns(there.fileno(), apart.CLONE_NEWNET), "join a namespace")
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        apart.must(apart.LIBC.setns(here.fileno(), apart.CLONE_NEWNET), "come back")
    with sock:
        sock.settimeout(1)
        sock.connect((server, 53))
        sent = answered = 0
        try:
            while answered < count:
                while sent < count and sent - answered < 32:
                    sock.send(question(sent))
                    sent += 1
                answer = sock.recv(512)
                answered += answer[3] & 15 == 0 and answer[7] == 1
        except OSError:
            pass
    return answered


def processor_seconds(pids):
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
            ticks += int(file.read().split()[0])
    return ticks / 1e9


def an_answer_costs(pids, client, server):
    before = processor_seconds(pids)
    answered = ask_many(client, server, QUESTIONS)
    if answered < QUESTIONS * 0.99:
        raise RuntimeError(f"only {answered} of {QUESTIONS} questions were answered at {server}")
    return (processor_seconds(pids) - before) / answered


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


class Netd:
    """caisson-netd in the small internet of its tests (tests/lib/netd_world.py)."""

    def __init__(self, bench):
        self.lib = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib")
        self.bench, self.home = bench, f"{bench.directory}/netd"
        self.state = f"{self.home}/state"
        os.makedirs(self.state)
        with open(f"{self.home}/log", "wb") as log:
            self.world = subprocess.Popen([sys.executable, f"{self.lib}/netd_world.py", self.home, "together"], stdout=log,
                                          stderr=log)
        until = time.monotonic() + 20
        while not os.path.exists(f"{self.home}/pids"):
            if time.monotonic() > until:
                raise RuntimeError("the small internet does not come up")
            time.sleep(0.05)
        with open(f"{self.home}/pids", encoding="ascii") as file:
            self.pids = {line.split()[0]: int(line.split()[1]) for line in file}
        self.start()

    def start(self):
        ids = ["1" * 64, "2" * 64]
        with open(f"{self.state}/names", "w", encoding="ascii") as file:
            file.write(MEMBERS.format(*ids))
        firewall = f"{self.bench.build}/tests/netd-firewall"
        for words in (["10.77.0.1", "10.77.0.0/24", "fd77::1", "fd77::/64"], ["add", ids[0]], ["add", ids[1]]):
            subprocess.run(apart.entering(self.pids["network"], firewall, "br-t", *words), cwd=self.state, check=True)
        started = subprocess.run(
            apart.entering(self.pids["host"], sys.executable, f"{self.lib}/netd_world.py", "start", self.state), check=True,
            env=dict(os.environ, NETWORK_PID=str(self.pids["network"]), CAISSON_BUILD=self.bench.build),
            stdout=subprocess.PIPE, text=True)
        self.keeper = int(started.stdout)
        self.processes = [self.keeper, *children(self.keeper)]

    def close(self):
        os.kill(self.keeper, 9)
        self.world.terminate()
        self.world.wait()


def start_dnsmasq(server, directory):
    return subprocess.Popen(
        apart.entering(server, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                       "--user=root", f"--pid-file={directory}/dnsmasq.pid", "--listen-address=198.51.100.2",
                       "--bind-interfaces", "--host-record=db,10.77.0.3,fd77::3"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measure_answers(bench):
    cable = bare_cable()
    dnsmasq = start_dnsmasq(cable.server, bench.directory)
    netd = None
    try:
        netd = Netd(bench)
        times = {"ours": [], "theirs": []}
        for _ in range(5):
            times["ours"].append(an_answer_costs(netd.processes, netd.pids["c1"], "10.77.0.1"))
            times["theirs"].append(an_answer_costs([dnsmasq.pid], cable.client, cable.address))
    finally:
        if netd:
            netd.close()
        dnsmasq.kill()
        dnsmasq.wait()
        cable.close()
    return {"ours": statistics.median(times["ours"]), "theirs": statistics.median(times["theirs"]),
            "pairs": len(times["ours"])}


def answers_row(bench):
    needed = {"dnsmasq": shutil.which("dnsmasq"), "tests/netd-firewall": os.path.exists(
        f"{bench.build}/tests/netd-firewall")}
    missing = [name for name, there in needed.items() if not there]
    if missing:
        bench.absent(ANSWERS, "dnsmasq", None, f"{', '.join(missing)} is missing")
        return
    result = apart.apart(lambda: measure_answers(bench))
    bench.row(ANSWERS, "dnsmasq", None, {"unit": "s", **result},
              [f"{QUESTIONS} questions for the address of a container, 32 at once"])
