#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the project's numbers beside every peer that is installed, and writes them as JSON.

Commands that are compared run in turns (A B A B …) and are compared by their medians: ratios hold
for one machine and one run. What exactly was run is printed with every row.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import io
import random

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
import building
import dockerd
import network
import peers
import registry
from measure import Command, alone, interleaved, processes_named, pss

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IMAGE = "localhost/bench/busybox:latest"
LATER = [
    ("scan of an image seen before", "10 ms", None),
    ("leak rules over file contents", "1 GB/s per core", None),
]


def tmpfs():
    """Where /run lies on a machine that was booted; machines for tests have it elsewhere."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        there = {line.split()[1] for line in mounts if line.split()[2] == "tmpfs"}
    return next((place for place in ("/run", "/dev/shm", "/tmp") if place in there), "/run")


class Bench:
    def __init__(self, words):
        self.seconds = words.seconds
        self.scale = words.scale
        self.build = os.path.abspath(words.build)
        self.directory = tempfile.mkdtemp(prefix="caisson-bench.", dir="/var/tmp")
        # As installed: what does not outlive a boot lies on a tmpfs. The peers' likewise.
        self.state = tempfile.mkdtemp(prefix="caisson-bench.", dir=tmpfs())
        self.env = {"CAISSON_ROOT": f"{self.directory}/root",
                    "CAISSON_STATE": f"{self.state}/state"}
        self.front = f"{self.build}/caisson"
        self.rows = []
        self.image = IMAGE
        self.archive = f"{self.directory}/busybox.tar"
        self.rootfs = f"{self.directory}/rootfs"
        self.podman = None
        self.closing = []
        self.dockerd = None  # False: there is none

    # --- setting up ---

    def caisson(self, *words, reset=None):
        return Command([self.front, *words], self.env, [self.front, *reset] if reset else None)

    def prepare(self):
        """One image for everyone: a static busybox."""
        peers.output([self.front, "bootstrap", "busybox", "-t", IMAGE], self.env)
        peers.output([self.front, "save", "-o", self.archive, IMAGE], self.env)
        os.mkdir(self.rootfs)
        peers.unpack(self.archive, self.rootfs)

    def find_peers(self):
        versions = {
            "bwrap": ["bwrap", "--version"], "crun": ["crun", "--version"],
            "podman": ["podman", "--version"], "conmon": ["conmon", "--version"],
        }
        self.found = {name: peers.first_line(argv) for name, argv in versions.items()
                      if shutil.which(name)}
        for name in versions:
            state = self.found.get(name, "not found")
            print(f"  {name:8} {state}")
        if "podman" in self.found:
            try:
                self.podman = peers.Podman(self.directory, self.archive, IMAGE)
                print(f"  podman runs with {self.podman.note}")
            except RuntimeError as problem:
                print(f"  podman does not run here: {problem}")

    # --- rows ---

    def row(self, what, against, most, result, commands=()):
        row = {"what": what, "against": against, "at_most": most, "commands": list(commands),
               **result}
        if "theirs" in result:
            row["ratio"] = result["ours"] / result["theirs"]
            row["reached"] = row["ratio"] <= most if most else None
        self.rows.append(row)
        print_row(row)

    def compare(self, what, against, at_most, ours, theirs, **limits):
        try:
            result = interleaved(ours, theirs, self.seconds, **limits)
        except RuntimeError as problem:
            result = {"missing": str(problem)}
        self.row(what, against, at_most, {"unit": "s", **result}, [ours.text(), theirs.text()])

    def absent(self, what, against, most, why="not installed"):
        self.row(what, against, most, {"missing": why})

    def run_rows(self):
        ours = self.caisson("run", "--rm", "--network", "none", IMAGE, "true")
        if "bwrap" in self.found:
            self.compare("run --rm, everything on", "bwrap --unshare-all", 0.8, ours, Command(
                ["bwrap", "--unshare-all", "--ro-bind", self.rootfs, "/", "--proc", "/proc", "--dev",
                 "/dev", "--tmpfs", "/tmp", "/bin/true"]))
        else:
            self.absent("run --rm, everything on", "bwrap --unshare-all", 0.8)
        self.crun_row(ours)
        if self.podman:
            self.compare("run --rm, everything on", "podman run", 0.02, ours,
                         self.podman.timed("run", "--rm", "--network", "none", IMAGE, "true"))
        else:
            self.absent("run --rm, everything on", "podman run", 0.02)
        docker = self.docker()
        if docker:
            self.compare("run --rm, everything on", "docker run", 0.02, ours,
                         docker.command("run", "--rm", "--network", "none", IMAGE, "true"))
        else:
            self.absent("run --rm, everything on", "docker run", 0.02, "no dockerd starts here")
        if not any(name in self.found for name in ("bwrap", "crun")) and not self.podman:
            self.row("run --rm, everything on", "nobody", None,
                     {"unit": "s", **alone(ours, self.seconds)}, [ours.text()])

    def docker(self):
        """A daemon with networks that has the image; None. The same for whoever asks."""
        if self.dockerd is None:
            try:
                self.dockerd = dockerd.Docker(self, networks=True)
                peers.output([*self.dockerd.client, "load", "-q", "-i", self.archive], self.dockerd.env)
            except RuntimeError as problem:
                print(f"  docker does not run here: {problem}")
                self.dockerd = False
        return self.dockerd or None

    def crun_row(self, ours):
        what, against, most = "run --rm, everything on", "crun run, Docker's seccomp list", 0.5
        profile = f"{TOP}/data/seccomp/baseline.json"
        if "crun" not in self.found:
            self.absent(what, against, most)
            return
        bundle = f"{self.directory}/bundle"
        os.mkdir(bundle)
        peers.crun_bundle(bundle, self.rootfs, profile)
        theirs = Command(["crun", "--root", f"{self.state}/crun", "--cgroup-manager", "cgroupfs",
                          "run", "--bundle", bundle, "caisson-bench"])
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                peers.leave_empty_unified_tree()
                answer = interleaved(ours, theirs, self.seconds)
            except (OSError, RuntimeError) as problem:
                answer = {"missing": str(problem)}
            os.write(writer, json.dumps(answer).encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as pipe:
            result = json.loads(pipe.read() or '{"missing": "the measurement ended early"}')
        os.waitpid(child, 0)
        self.row(what, against, most, {"unit": "s", **result}, [ours.text(), theirs.text()])

    def detached_rows(self):
        """exec and the monitor's memory need a container that stays."""
        name = f"bench-{os.getpid()}"
        before = processes_named("caisson-monitor")
        try:
            peers.output([self.front, "run", "-d", "--name", name, "--network", "none", IMAGE,
                          "sleep", "3600"], self.env)
        except RuntimeError as problem:
            for what, against, most in (("exec NAME true", "podman exec", 0.03),
                                        ("memory of a monitor", "conmon", 0.5)):
                self.absent(what, against, most, str(problem))
            return
        try:
            monitors = processes_named("caisson-monitor") - before
            self.exec_and_memory(name, monitors)
        finally:
            subprocess.run([self.front, "rm", "-f", name], env=dict(os.environ, **self.env),
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

    def exec_and_memory(self, name, monitors):
        ours = self.caisson("exec", name, "true")
        memory = {"unit": "B", "ours": pss(monitors.pop())} if monitors else {
            "missing": "no monitor found"}
        if not self.podman:
            result = {"unit": "s", **alone(ours, self.seconds)}
            self.row("exec NAME true", "nobody", None, result, [ours.text()])
            self.row("memory of a monitor", "nobody", None, memory)
            return
        peers.output(self.podman.command("run", "-d", "--name", name, "--network", "none", IMAGE,
                                         "sleep", "3600"), self.podman.env)
        self.compare("exec NAME true", "podman exec", 0.03, ours,
                     self.podman.timed("exec", name, "true"))
        conmon = peers.output(self.podman.command("inspect", "--format", "{{.State.ConmonPid}}",
                                                  name), self.podman.env)
        if "ours" in memory:
            memory["theirs"] = pss(int(conmon))
        self.row("memory of a monitor (PSS)", "conmon", 0.5, memory)

    def scale_row(self):
        """Starts many containers and compares the last ones with the first ones."""
        names = [f"bench-scale-{number}" for number in range(self.scale)]
        times = []
        try:
            for name in names:
                times.append(self.caisson("run", "-d", "--name", name, "--network", "none", IMAGE,
                                          "sleep", "3600").run())
            few = min(20, len(times) // 4)
            # The very first ones also warm caches up.
            first, last = sorted(times[few:2 * few]), sorted(times[-few:])
            result = {"unit": "s", "ours": last[few // 2], "theirs": first[few // 2], "pairs": few}
        except RuntimeError as problem:
            result = {"missing": str(problem)}
        finally:
            subprocess.run([self.front, "rm", "-f", *names], env=dict(os.environ, **self.env),
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        self.row(f"start of the {self.scale}th container", "the 1st", 1.2, result,
                 [f"{self.front} run -d --network none {IMAGE} sleep 3600"])

    def load_row(self):
        archive = f"{self.directory}/large.tar"
        make_large_image(self, archive)
        name = "localhost/bench/large:latest"
        ours = self.caisson("load", "-q", "-i", archive, reset=["rmi", name])
        megabytes = os.path.getsize(archive) / 1e6
        what = f"load and unpack an image (5,000 files, {megabytes:.0f} MB)"
        if not self.podman:
            self.row(what, "nobody", None, {"unit": "s", **alone(ours, self.seconds, 3, 20)},
                     [ours.text()])
            return
        self.compare(what, "podman load", 0.4, ours,
                     self.podman.timed("load", "-q", "-i", archive, reset=["rmi", name]),
                     least=3, most=20)

    def close(self):
        for what in self.closing:
            what.close()
        if self.podman:
            self.podman.close()
        shutil.rmtree(self.directory, ignore_errors=True)
        shutil.rmtree(self.state, ignore_errors=True)


def make_large_image(bench, archive):
    """A root file system as distributions have it: many small files, some large, half compressible."""
    dice = random.Random(1)
    root = f"{bench.directory}/large-root.tar"
    words = [dice.randbytes(dice.randint(2, 12)).hex().encode() for _ in range(2000)]
    with tarfile.open(root, "w") as tar:
        for number in range(5000):
            size = min(int(dice.paretovariate(0.9) * 1500), 4 << 20)
            text = b" ".join(dice.choices(words, k=max(1, size // 30)))
            data = (text + dice.randbytes(size // 3))[:size].ljust(size, b"\n")
            entry = tarfile.TarInfo(f"usr/lib/d{number // 100}/f{number}")
            entry.size, entry.mode, entry.mtime = size, 0o644, 1
            tar.addfile(entry, io.BytesIO(data))
    peers.output([bench.front, "import", root, "localhost/bench/large:latest"], bench.env)
    peers.output([bench.front, "save", "-o", archive, "localhost/bench/large:latest"], bench.env)
    peers.output([bench.front, "rmi", "localhost/bench/large:latest"], bench.env)
    os.unlink(root)


def amount(value, unit):
    if unit == "B":
        return f"{value / 1024:.0f} KiB"
    if value < 0.0001:
        return f"{value * 1e6:.2f} µs"
    return f"{value * 1000:.2f} ms" if value < 1 else f"{value:.2f} s"


def print_row(row):
    what, against = row["what"], row["against"]
    if "missing" in row:
        print(f"{what:46} {'–':>10}  {against:32} {row['missing']}", flush=True)
        return
    unit = row.get("unit", "s")
    theirs = amount(row["theirs"], unit) if "theirs" in row else "–"
    ratio = f"{row['ratio']:.3f}" if "ratio" in row else "–"
    verdict = {True: "reached", False: "NOT reached", None: ""}[row.get("reached")]
    most = f"≤ {row['at_most']}" if row["at_most"] else ""
    print(f"{what:46} {amount(row['ours'], unit):>10}  {against:32} {theirs:>10}  "
          f"{ratio:>6} {most:7} {verdict}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="the build directory")
    parser.add_argument("--seconds", type=float, default=5, help="time for each comparison")
    parser.add_argument("--only", choices=["network", "build", "registry"], help="only these rows")
    parser.add_argument("--scale", type=int, default=200,
                        help="how many containers the scale row starts (1000 in the design)")
    words = parser.parse_args()
    if os.geteuid() != 0:
        print("make bench needs root: the peers are compared as root runs them", file=sys.stderr)
        return 1
    bench = Bench(words)
    try:
        print("Peers on this machine:")
        bench.prepare()
        bench.find_peers()
        print(f"\n{'':46} {'caisson':>10}  {'against':32} {'':>10}   ratio  at most")
        if not words.only:
            bench.run_rows()
            bench.detached_rows()
            bench.scale_row()
            bench.load_row()
        for name, module in (("network", network), ("build", building), ("registry", registry)):
            if words.only in (None, name):
                module.rows(bench)
        for what, against, most in LATER:
            bench.absent(what, against, most, "not yet")
        print("\nWhat was run (medians of interleaved runs, wall time from spawn to exit):")
        for row in bench.rows:
            for command in row["commands"]:
                print(f"  {row['what']}: {command.replace(bench.directory, 'DIR')}")
    finally:
        bench.close()
    result = {"machine": os.uname()._asdict() if hasattr(os.uname(), "_asdict") else
              dict(zip(("system", "node", "release", "version", "machine"), os.uname())),
              "peers": bench.found, "podman": bench.podman.note if bench.podman else None,
              "rows": bench.rows}
    path = os.path.join(bench.build, "bench.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=2)
        file.write("\n")
    print(f"\nThe same as JSON: {os.path.relpath(path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
