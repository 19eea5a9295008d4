#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""build_killed.py ROUNDS DOCKERFILE CONTEXT WANTED: builds, and kills what builds at some moment: the
program itself, one of the processes below it, or with SIGINT. After each round the same build has to
succeed, give the file WANTED holds in /result, and leave nothing in the store's tmp."""
import os
import random
import shutil
import signal
import subprocess
import sys
import time


def children(pid):
    """All below a process."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
            below = [int(word) for word in file.read().split()]
    except OSError:
        return []
    return below + [deep for child in below for deep in children(child)]


def build(words, **more):
    return subprocess.Popen(["caisson", "build", "--network", "none", *words], stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True, **more)


def main():
    rounds, dockerfile, context, wanted = int(sys.argv[1]), *sys.argv[2:5]
    seed = random.randrange(1 << 30)
    random.seed(seed)
    store = os.environ["CAISSON_ROOT"]
    result = os.path.join(os.path.dirname(dockerfile), "killed-result")
    longest, ended = 0.3, 0
    for number in range(rounds):
        began = time.monotonic()
        argument = ["--build-arg", f"ROUND={number}", "-f", dockerfile, context]
        one = build(argument)
        time.sleep(random.uniform(0, longest))
        below = children(one.pid)
        kind = random.choice(["self", "below", "below", "interrupt"])
        victim = random.choice(below) if kind == "below" and below else one.pid
        try:
            os.kill(victim, signal.SIGINT if kind == "interrupt" else signal.SIGKILL)
        except ProcessLookupError:
            pass
        try:
            said = one.communicate(timeout=60)[1]
        except subprocess.TimeoutExpired:
            sys.exit(f"seed {seed}, round {number}: it hangs after {kind}")
        ended += one.returncode != 0
        if kind == "interrupt" and one.returncode not in (0, 130, -2):
            sys.exit(f"seed {seed}, round {number}: {one.returncode} after SIGINT: {said}")
        again = build(["-o", result, *argument])
        said = again.communicate(timeout=60)[1]
        if again.returncode != 0:
            sys.exit(f"seed {seed}, round {number}: after {kind} not built again: {said}")
        with open(os.path.join(result, "result"), encoding="utf-8") as file:
            got = file.read()
        if got != wanted.replace("ROUND", str(number)):
            sys.exit(f"seed {seed}, round {number}: the result is {got!r}")
        left = os.listdir(f"{store}/tmp")
        # Who was just killed may still have been going when the build after it looked.
        for _ in range(20 if left else 0):
            time.sleep(0.25)
            subprocess.run(["caisson", "build", "-q", "-"], input="FROM scratch\n", text=True,
                           stdout=subprocess.DEVNULL, check=True)
            left = os.listdir(f"{store}/tmp")
            if not left:
                break
        if left:
            sys.exit(f"seed {seed}, round {number}: left in tmp: {left}")
        shutil.rmtree(result)
        longest = max(0.05, 0.8 * longest + 0.2 * (time.monotonic() - began))
    print(f"{rounds} rounds, {ended} ended early")


main()
