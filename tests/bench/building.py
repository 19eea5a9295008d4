# SPDX-License-Identifier: Apache-2.0
"""Builds beside BuildKit (dockerd) and Podman: a multi-stage build on a Debian base, all of it and all of
it cached; a large context of which one file changed."""
import os
import random
import time

import dockerd
import peers
from measure import Command, alone, interleaved

FILES, MANY = 200, 50000
BASE = "localhost/bench/base:1"
STAGES = """FROM {base} AS builder
WORKDIR /app
COPY . .
RUN cat src/* | sha256sum >sum && tar cf all.tar src
RUN mkdir out && cp -r src/* out/ && rm -rf src
FROM {base}
RUN echo app:x:1000:1000::/srv:/bin/sh >>/etc/passwd
COPY --from=builder /app/sum /app/all.tar /srv/
RUN chown -R 1000 /srv
USER app
CMD ["cat", "/srv/sum"]
"""
LARGE = """FROM {base}
COPY . /src
RUN ls /src | wc -l
"""


def make_contexts(bench):
    """Two contexts with their Dockerfiles. Files are older than the clock of any file system is coarse."""
    dice = random.Random(2)
    small, large = f"{bench.directory}/small", f"{bench.directory}/large"
    for number in range(FILES):
        os.makedirs(f"{small}/src", exist_ok=True)
        with open(f"{small}/src/f{number}", "w", encoding="ascii") as file:
            file.write(dice.randbytes(4000).hex())
    for number in range(MANY):
        folder = f"{large}/d{number // 100}"
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/f{number % 100}", "w", encoding="ascii") as file:
            file.write(f"file {number}\n" * 10)
    for context, text in ((small, STAGES), (large, LARGE)):
        with open(f"{context}/Dockerfile", "w", encoding="ascii") as file:
            file.write(text.format(base=BASE))
    time.sleep(3)
    return small, large


def make_base(bench):
    """Debian where its packages can be had, else busybox; its archive."""
    archive = f"{bench.directory}/base.tar"
    try:
        peers.output([bench.front, "bootstrap", "debian", "-t", BASE], bench.env)
        name = "Debian"
    except RuntimeError:
        peers.output([bench.front, "bootstrap", "busybox", "-t", BASE], bench.env)
        name = "busybox"
    peers.output([bench.front, "save", "-o", archive, BASE], bench.env)
    return name, archive


def engines(bench, archive):
    """(name, what builds, limits of the three rows) of each peer that works here."""
    found = []
    try:
        docker = dockerd.Docker(bench)
        peers.output([*docker.client, "load", "-q", "-i", archive], docker.env)
        found.append(("docker build (BuildKit)",
                      lambda *words, reset=None: docker.command("build", "--network", "none", "-q", *words,
                                                                reset=reset), (0.6, 0.2, 0.3)))
    except RuntimeError as problem:
        bench.absent("build", "docker build (BuildKit)", 0.6, str(problem))
    if bench.podman:
        podman = bench.podman
        peers.output(podman.command("load", "-q", "-i", archive), podman.env)
        found.append(("podman build", lambda *words, reset=None: Command(
            podman.command("build", "--network", "none", "--layers", "-q", *words), podman.env, reset),
            (0.15, None, None)))
    return found


def compare(bench, what, against, at_most, ours, theirs, **limits):
    try:
        bench.row(what, against, at_most, {"unit": "s", **interleaved(ours, theirs, bench.seconds, **limits)},
                  [ours.text(), theirs.text()])
    except RuntimeError as problem:
        bench.absent(what, against, at_most, str(problem))


def rows(bench):
    base, archive = make_base(bench)
    small, large = make_contexts(bench)

    def ours(*words, reset=None):
        return Command([bench.front, "build", "--network", "none", "-q", *words], bench.env, reset)

    # A file that changes before each build of the large context, by what is run after each.
    change = ["sh", "-c", f"date +%s%N >{large}/d1/f1"]
    titles = (f"build of two stages on {base}, {FILES} files", "the same, all of it cached",
              f"build of a context of {MANY} files, one changed")
    found = engines(bench, archive)
    for name, theirs, most in found:
        compare(bench, titles[0], name, most[0], ours("--no-cache", small), theirs("--no-cache", small),
                least=3, most=30)
        compare(bench, titles[1], name, most[1], ours(small), theirs(small), least=5, most=100)
        compare(bench, titles[2], name, most[2], ours(large, reset=change), theirs(large, reset=change),
                least=3, most=5)
    if not found:
        for title, command in zip(titles, (ours("--no-cache", small), ours(small), ours(large, reset=change))):
            bench.row(title, "nobody", None, {"unit": "s", **alone(command, bench.seconds, 3, 20)},
                      [command.text()])
