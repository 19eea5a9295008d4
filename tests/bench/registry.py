# SPDX-License-Identifier: Apache-2.0
"""Pulls and pushes of an image of some 300 MB in six layers, of the distribution's packages, from and to
a registry on loopback: beside Podman, skopeo and Docker, and beside the bare unpacking of the same."""
import glob
import json
import os
import shutil
import socket
import subprocess
import time

import dockerd
import peers
from measure import Command, alone, interleaved

BIG = "localhost/bench/big:1"
PACKAGES = "gcc,git,perl,python3,vim-nox"
PARTS = ["/usr/bin", "/usr/lib/gcc", "/usr/lib/x86_64-linux-gnu", "/usr/lib/python3*", "/usr/share", "/etc"]
CONFIG = """version: 0.1
storage: {{filesystem: {{rootdirectory: {data}}}}}
http: {{addr: "127.0.0.1:{port}"}}
log: {{level: error, accesslog: {{disabled: true}}}}
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Registry:
    """`inside`: the process whose network namespace it is in; None: ours."""

    def __init__(self, bench, data, inside=None):
        self.port = 5000 if inside else free_port()
        self.data = data
        config = f"{bench.directory}/registry-{self.port}.yml"
        with open(config, "w", encoding="ascii") as file:
            file.write(CONFIG.format(data=data, port=self.port))
        enter = ["nsenter", f"--net=/proc/{inside}/ns/net"] if inside else []
        if inside:
            subprocess.run([*enter, "ip", "link", "set", "lo", "up"], check=True)
        self.process = subprocess.Popen([*enter, "docker-registry", "serve", config],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        bench.closing.append(self)
        probe = f"import socket; socket.create_connection(('127.0.0.1', {self.port}))"
        for _ in range(100):
            if subprocess.run([*enter, "python3", "-c", probe], stderr=subprocess.DEVNULL, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError("docker-registry does not start")

    def name(self, repository):
        return f"127.0.0.1:{self.port}/{repository}"

    def close(self):
        self.process.terminate()
        self.process.wait()


def make_image(bench, registry):
    """In the store and in the registry; how large it is."""
    peers.output([bench.front, "bootstrap", "debian", "--include", PACKAGES, "-t", BIG], bench.env)
    context = f"{bench.directory}/big"
    os.makedirs(context)
    with open(f"{context}/Dockerfile", "w", encoding="ascii") as file:
        file.write("FROM scratch\n" + "".join(f"COPY --from={BIG} {part} {part.replace('*', '')}/\n" for part in PARTS))
    name = registry.name("big:1")
    peers.output([bench.front, "build", "-q", "-t", name, context], bench.env)
    peers.output([bench.front, "push", "-q", "--tls-verify=false", name], bench.env)
    manifest = json.loads(peers.output([bench.front, "manifest", "inspect", "--tls-verify=false", name], bench.env))
    size = int(peers.output([bench.front, "image", "inspect", "-f", "{{.Size}}", name], bench.env))
    return name, manifest["layers"], size


def bare(bench, registry, layers):
    """What there is to do at the least: the layers unpacked side by side."""
    script = f"{bench.directory}/bare.sh"
    to = f"{bench.directory}/bare"
    blobs = [f"{registry.data}/docker/registry/v2/blobs/sha256/{h[:2]}/{h}/data"
             for h in (layer["digest"].split(":")[1] for layer in layers)]
    with open(script, "w", encoding="ascii") as file:
        file.write("set -e\n")
        for number, blob in enumerate(blobs):
            file.write(f"mkdir -p {to}/{number}; (gzip -dc {blob} | tar -C {to}/{number} -x) & p{number}=$!\n")
        file.write("".join(f"wait $p{number}\n" for number in range(len(blobs))))
    return Command(["sh", script], None, ["rm", "-rf", to])


def compare(bench, what, against, at_most, ours, theirs):
    try:
        bench.row(what, against, at_most,
                  {"unit": "s", **interleaved(ours, theirs, bench.seconds, least=3, most=7)},
                  [ours.text(), theirs.text()])
    except RuntimeError as problem:
        bench.absent(what, against, at_most, str(problem))


def skopeo(bench, name):
    if not shutil.which("skopeo"):
        raise RuntimeError("skopeo is not installed")
    store = f"{bench.directory}/skopeo"
    to = f"containers-storage:[overlay@{store}/root+{store}/run]{name}"
    # Its layers are removed by the name of the store: a new one each time.
    return Command(["skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{name}", to], None,
                   ["sh", "-c", f"umount {store}/root/overlay 2>/dev/null; rm -rf {store}"])


def pulls(bench, registry, name, layers, title):
    # Into a store of its own: what builds keep would have the layers.
    env = dict(bench.env, CAISSON_ROOT=f"{bench.directory}/pulled")
    ours = Command([bench.front, "pull", "-q", "--tls-verify=false", name], env, [bench.front, "rmi", "-f", name])
    found = 0
    if bench.podman:
        found += 1
        compare(bench, title, "podman pull", 0.4, ours,
                bench.podman.timed("pull", "-q", "--tls-verify=false", name, reset=["rmi", "-f", name]))
    try:
        compare(bench, title, "skopeo copy", 0.4, ours, skopeo(bench, name))
        found += 1
    except RuntimeError as problem:
        bench.absent(title, "skopeo copy", 0.4, str(problem))
    compare(bench, title, "gzip -dc | tar x, side by side", 1.1, ours, bare(bench, registry, layers))
    try:
        docker = dockerd.Docker(bench)
        Registry(bench, registry.data, docker.process.pid)
        there = "127.0.0.1:5000/big:1"
        inside = ["nsenter", f"--net=/proc/{docker.process.pid}/ns/net"]
        compare(bench, title, "docker pull", 0.4,
                Command([*inside, bench.front, "pull", "-q", "--tls-verify=false", there], env,
                        [bench.front, "rmi", "-f", there]),
                docker.command("pull", "-q", there, reset=[*docker.client, "rmi", "-f", there]))
    except RuntimeError as problem:
        bench.absent(title, "docker pull", 0.4, str(problem))
    if not found:
        bench.row(title, "nobody", None, {"unit": "s", **alone(ours, bench.seconds, 3, 5)}, [ours.text()])


def pushes(bench, name, title):
    """To a registry that knows nothing each time."""
    empty = Registry(bench, f"{bench.directory}/pushed")
    there = empty.name("big:1")
    forget = ["rm", "-rf", *glob.glob(empty.data), f"{empty.data}/docker"]
    peers.output([bench.front, "pull", "-q", "--tls-verify=false", name], bench.env)
    peers.output([bench.front, "tag", name, there], bench.env)
    ours = Command([bench.front, "push", "-q", "--tls-verify=false", there], bench.env, forget)
    if not bench.podman:
        bench.row(title, "nobody", None, {"unit": "s", **alone(ours, bench.seconds, 3, 5)}, [ours.text()])
        return
    podman = bench.podman
    peers.output(podman.command("pull", "-q", "--tls-verify=false", name), dict(os.environ, **podman.env))
    peers.output(podman.command("tag", name, there), dict(os.environ, **podman.env))
    compare(bench, title, "podman push", 0.7, ours,
            Command(podman.command("push", "-q", "--tls-verify=false", there), podman.env, forget))


def rows(bench):
    if not shutil.which("docker-registry"):
        bench.absent("pull from a registry on loopback", "podman pull", 0.4, "docker-registry is not installed")
        return
    try:
        registry = Registry(bench, f"{bench.directory}/registry")
        name, layers, size = make_image(bench, registry)
    except RuntimeError as problem:
        bench.absent("pull from a registry on loopback", "podman pull", 0.4, str(problem))
        return
    packed = sum(layer["size"] for layer in layers)
    title = f"{size // 1000000} MB in {len(layers)} layers ({packed // 1000000} MB packed)"
    peers.output([bench.front, "rmi", "-f", name], bench.env)
    pulls(bench, registry, name, layers, f"pull of {title}")
    pushes(bench, name, f"push of {title}")
